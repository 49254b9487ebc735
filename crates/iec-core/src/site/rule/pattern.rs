//! Regular expressions on names of interfaces, as Calico's RE2 reads them.

/// Why RE2 would not read the pattern, or a simple one would not be meant so; nothing if all is well.
///
/// It is a part of RE2: letters, `.`, `^`, `$`, groups, classes, alternatives and repetitions. What reads well elsewhere
/// and not there (looking ahead, references back) begins with `(?` or a backslash, and is none of it.
pub(super) fn problem(pattern: &str) -> Option<&'static str> {
    let mut reader = Reader {
        rest: pattern.chars().collect(),
        at: 0,
    };
    match reader.alternatives() {
        Err(reason) => Some(reason),
        Ok(()) if reader.peek().is_some() => Some(BRACKETS),
        Ok(()) => None,
    }
}

const BRACKETS: &str = "its brackets do not match";
const REPETITION: &str = "`*`, `+` or `?` has nothing before it that could be repeated";

struct Reader {
    rest: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn take(&mut self) -> Option<char> {
        let letter = self.peek();
        self.at += 1;
        letter
    }

    fn take_if(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        let there = self.peek().is_some_and(wanted);
        self.at += usize::from(there);
        there
    }

    /// Everything up to the end, or to a bracket that was opened before.
    fn alternatives(&mut self) -> Result<(), &'static str> {
        while let Some(letter) = self.peek() {
            match letter {
                ')' => return Ok(()),
                '|' => self.at += 1,
                _ => self.repeated()?,
            }
        }
        Ok(())
    }

    /// One thing and how often it may stand there.
    fn repeated(&mut self) -> Result<(), &'static str> {
        match self.take() {
            Some('*' | '+' | '?') => return Err(REPETITION),
            Some('(') => {
                if self.peek() == Some('?') {
                    return Err(
                        "RE2 knows no `(?=`, `(?!` and `(?<`, and a simple pattern needs no other `(?`",
                    );
                }
                self.alternatives()?;
                if !self.take_if(|letter| letter == ')') {
                    return Err(BRACKETS);
                }
            }
            Some('[') => self.class()?,
            Some(']' | '{' | '}') => return Err(BRACKETS),
            Some('\\') => return Err("RE2 knows no references such as `\\1`, and a name needs no backslash"),
            _ => {}
        }
        let repeat = |letter| matches!(letter, '*' | '+' | '?');
        // A question mark behind a repetition makes it take as little as possible.
        if self.take_if(repeat) {
            self.take_if(|letter| letter == '?');
            if self.peek().is_some_and(repeat) {
                return Err("it repeats a repetition");
            }
        }
        Ok(())
    }

    /// The letters of a class, its opening bracket already taken.
    fn class(&mut self) -> Result<(), &'static str> {
        self.take_if(|letter| letter == '^');
        let mut letters = Vec::new();
        loop {
            match self.take() {
                None | Some('[' | '(' | ')') => return Err(BRACKETS),
                Some(']') => break,
                Some(letter) => letters.push(letter),
            }
        }
        if letters.is_empty() {
            return Err("a class between `[` and `]` is empty");
        }
        // A dash at either end is a dash; between two letters it is all that lies between them.
        let backwards = letters
            .windows(3)
            .any(|letters| matches!(letters, [first, '-', last] if first > last));
        if backwards {
            return Err("a range in a class runs backwards");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::problem;

    #[test]
    fn patterns_are_those_of_re2() {
        for pattern in [
            "eth1",
            "eth.*",
            "en(o|p).*",
            "^en[op][0-9]+$",
            "(a|)",
            "a+?",
            "wl[^0]",
            "a|b|",
            "br-[a-z0-9-]*",
            "(a)(b)?",
        ] {
            assert_eq!(problem(pattern), None, "{pattern}");
        }
        for pattern in [
            "*eth", "|*", "a**", "a+*", "a?+", "a???", "(*a)", "(?=eth)", "(?!lo).*", "(?<=e)th", "(?i)ETH",
            "(a", "a)", "[a", "a]", "[]", "[^]", "[z-a]", "(a)\\1", "eth\\d", "a{2}", "(?",
        ] {
            assert!(problem(pattern).is_some(), "{pattern}");
        }
    }
}
