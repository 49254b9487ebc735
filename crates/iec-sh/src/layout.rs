//! The same shell text on lines that a person can read: broken where a shell reads on, and nowhere else.

/// The longest line that is printed where there is a choice, in characters.
const WIDTH: usize = 108;

/// Breaks one statement, as [`crate::Expr::statement`] prints it, into lines.
///
/// A statement that is short stays as it is. What stands in quotes is never touched, however long.
pub(crate) fn layout(statement: &str) -> String {
    if statement.chars().count() <= WIDTH {
        return statement.to_owned();
    }
    let mut page = Page::default();
    for piece in pieces(statement) {
        page.piece(piece);
    }
    page.finish()
}

/// The text between the spaces that separate words and operators. Spaces in quotes separate nothing.
fn pieces(statement: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut quoted = false;
    let mut escaped = false;
    let mut begin = 0;
    for (at, character) in statement.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\'' => quoted = !quoted,
            '\\' if !quoted => escaped = true,
            ' ' if !quoted => {
                if at > begin {
                    pieces.push(&statement[begin..at]);
                }
                begin = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&statement[begin..]);
    pieces
}

/// Lines that are being filled.
#[derive(Default)]
struct Page {
    lines: Vec<String>,
    line: String,
    /// How many compound commands are open.
    depth: usize,
    /// Whether the line goes on with what the line above began.
    continued: bool,
}

impl Page {
    fn piece(&mut self, piece: &str) {
        let word = piece.trim_end_matches([';', ')']);
        // An argument of these letters cannot follow a bare `;`: a `;` in an argument stands in quotes.
        let begins_clause = self.line.is_empty() || self.line.ends_with(';');
        match word {
            "fi" | "done" | "else" if begins_clause => {
                self.end_clause();
                self.depth = self.depth.saturating_sub(1);
                self.add(piece);
                if word == "else" {
                    self.open();
                }
            }
            "then" | "do" if begins_clause => {
                self.add(piece);
                self.open();
            }
            "&&" | "||" | "|" => {
                self.add(piece);
                if self.is_long() {
                    self.break_line("");
                    self.continued = true;
                }
            }
            _ => {
                if self.width() + piece.chars().count() > WIDTH && !self.line.is_empty() {
                    self.break_line(" \\");
                    self.continued = true;
                }
                self.add(piece);
            }
        }
    }

    /// A line that is filled by half ends at the next operator.
    fn is_long(&self) -> bool {
        self.width() > WIDTH / 2
    }

    fn width(&self) -> usize {
        self.indent() + self.line.chars().count()
    }

    fn indent(&self) -> usize {
        2 * (self.depth + usize::from(self.continued))
    }

    fn add(&mut self, piece: &str) {
        if !self.line.is_empty() {
            self.line.push(' ');
        }
        self.line.push_str(piece);
    }

    /// The body of a compound command begins.
    fn open(&mut self) {
        self.break_line("");
        self.continued = false;
        self.depth += 1;
    }

    /// The end of a line ends a command as a `;` does.
    fn end_clause(&mut self) {
        if self.line.ends_with(';') {
            self.line.pop();
        }
        self.break_line("");
        self.continued = false;
    }

    fn break_line(&mut self, end: &str) {
        if self.line.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        self.lines.push(format!("{:1$}{line}{end}", "", self.indent()));
    }

    fn finish(mut self) -> String {
        self.break_line("");
        self.lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, layout, pieces};

    #[test]
    fn quotes_keep_their_spaces() {
        assert_eq!(
            pieces(r"printf '%s  a' 'it'\''s b' c"),
            ["printf", "'%s  a'", r"'it'\''s b'", "c"]
        );
    }

    #[test]
    fn a_short_statement_stays_on_its_line() {
        let text = "if test -e /a; then true; else touch /a; fi || return";
        assert_eq!(layout(text), text);
    }

    #[test]
    fn a_condition_shows_its_branches() {
        let long = "x".repeat(WIDTH);
        let text = format!(
            "if test -e /{long}; then true; else touch /a && if test -e /b; then true; else rm '/c; fi'; fi; fi || return"
        );
        let expected = format!(
            "if test -e \\\n  /{long}; then\n  true\nelse\n  touch /a && if test -e /b; then\n    true\n  else\n    rm '/c; fi'\n  fi\nfi || return"
        );
        assert_eq!(layout(&text), expected);
    }

    #[test]
    fn many_words_go_over_lines() {
        let words: Vec<String> = (0..60).map(|number| format!("word-{number}")).collect();
        let text = format!("printf %s {} | sort -u || return", words.join(" "));
        let laid = layout(&text);
        assert!(laid.lines().count() > 5);
        assert!(laid.lines().all(|line| line.len() <= WIDTH + 2), "{laid}");
        assert_eq!(laid.replace(" \\\n  ", " ").replace("|\n  ", "| "), text);
    }
}
