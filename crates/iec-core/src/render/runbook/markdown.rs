//! A page as Markdown (CommonMark with tables), which is as readable without being rendered.

use std::fmt::Write as _;

use super::page::{Block, Commands, Page, Prose, Span, Table};

pub(super) fn markdown(page: &Page) -> String {
    let mut text = format!("# {}\n", escaped(&page.title));
    for block in &page.blocks {
        text.push('\n');
        write_block(&mut text, block);
    }
    text
}

fn write_block(text: &mut String, block: &Block) {
    match block {
        Block::Heading {
            level,
            anchor,
            text: words,
            tick,
        } => {
            let marks = "#".repeat(usize::from(*level));
            let mark = if *tick { "☐ " } else { "" };
            let _ = writeln!(
                text,
                "<a id=\"{anchor}\"></a>\n\n{marks} {mark}{}",
                escaped(words)
            );
        }
        Block::Prose(prose) => {
            let _ = writeln!(text, "{}", written(prose));
        }
        Block::Notice(prose) => {
            let _ = writeln!(text, "> {}", written(prose));
        }
        Block::List(items) => write_items(text, "- ", items),
        Block::Tasks(items) => write_items(text, "- [ ] ", items),
        Block::Table(table) => write_table(text, table),
        Block::Contents(entries) => {
            for entry in entries {
                let indent = " ".repeat(2 * usize::from(entry.level - 2));
                let _ = writeln!(text, "{indent}- [{}](#{})", escaped(&entry.text), entry.anchor);
            }
        }
        Block::Commands(commands) => fenced(text, &information(commands), &commands.text),
        Block::Example(commands) => fenced(text, "console", commands),
    }
}

/// What stands behind the fence of a block: by it a program finds the commands of a step.
fn information(commands: &Commands) -> String {
    let step = commands
        .step
        .as_ref()
        .map_or_else(String::new, |step| format!(" step={step}"));
    format!(
        "sh host={}{step} part={} number={}",
        commands.host, commands.part, commands.number
    )
}

fn fenced(text: &mut String, information: &str, content: &str) {
    let mut fence = "```".to_owned();
    while content.lines().any(|line| line.trim_start().starts_with(&fence)) {
        fence.push('`');
    }
    let end = if content.ends_with('\n') { "" } else { "\n" };
    let _ = writeln!(text, "{fence}{information}\n{content}{end}{fence}");
}

fn write_items(text: &mut String, mark: &str, items: &[Prose]) {
    for item in items {
        let _ = writeln!(text, "{mark}{}", written(item));
    }
}

fn write_table(text: &mut String, table: &Table) {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    text.push_str(&row(table.head.iter().map(|cell| escaped(cell)).collect()));
    let _ = writeln!(text, "|{}", "---|".repeat(table.head.len()));
    for cells in &table.rows {
        // In a table, and only there, a bar ends even code.
        let cells = cells
            .iter()
            .map(|cell| written(cell).replace("\\|", "|").replace('|', "\\|"));
        text.push_str(&row(cells.collect()));
    }
}

fn written(prose: &Prose) -> String {
    prose.0.iter().map(span).collect()
}

fn span(span: &Span) -> String {
    match span {
        Span::Plain(text) => escaped(text),
        // A backtick can stand between two of them only.
        Span::Code(text) if text.contains('`') => format!("`` {text} ``"),
        Span::Code(text) => format!("`{text}`"),
        Span::Strong(text) => format!("**{}**", escaped(text)),
        Span::Link { text, anchor } => format!("[{}](#{anchor})", escaped(text)),
    }
}

/// The same characters, none of which Markdown reads as a mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let marks = match character {
            '\\' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '|' | '&' | '~' => true,
            // Only at the beginning do these mean something.
            '#' | '-' | '+' => at == 0,
            _ => false,
        };
        if marks {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_becomes_a_mark() {
        assert_eq!(escaped("a_b *c* <d> [e]"), r"a\_b \*c\* \<d\> \[e\]");
        assert_eq!(escaped("- a - b"), r"\- a - b");
    }

    #[test]
    fn a_fence_is_longer_than_those_in_the_text() {
        let mut text = String::new();
        fenced(&mut text, "sh", "a\n```\nb");
        assert_eq!(text, "````sh\na\n```\nb\n````\n");
    }
}
