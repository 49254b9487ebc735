//! Long commands that a script has more than once: said once, and called by a name from there on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::Expr;

/// How long a command's text is, at least, that is worth a name.
const LONG: usize = 64;

/// The long commands that these expressions have more than once, as they print.
pub(crate) struct Repeated {
    commands: Vec<String>,
}

impl Repeated {
    /// Of these expressions.
    pub(crate) fn of<'a>(expressions: impl Iterator<Item = &'a Expr>) -> Self {
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for command in expressions.flat_map(Expr::commands) {
            *times.entry(command.inline()).or_default() += 1;
        }
        let mut longest_first: Vec<&String> = times.keys().collect();
        longest_first.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let mut commands: Vec<String> = Vec::new();
        for text in longest_first {
            // Within a longer command the same characters are no command of their own; one that has a name is out of the way.
            let inside = |other: &String| other != text && other.contains(text.as_str());
            let is_clear = times
                .keys()
                .all(|other| !inside(other) || commands.contains(other));
            if times[text] > 1 && text.len() >= LONG && is_clear {
                commands.push(text.clone());
            }
        }
        Self { commands }
    }

    /// The functions by which they are called.
    pub(crate) fn functions(&self) -> String {
        let mut text = String::new();
        for (number, command) in self.commands.iter().enumerate() {
            let _ = writeln!(text, "iec_command_{number}() {{ {command}; }}");
        }
        text
    }

    /// The same text with the names in place of the commands, the longest first.
    pub(crate) fn by_name(&self, text: &str) -> String {
        let named = |text: String, (number, command): (usize, &String)| {
            text.replace(command.as_str(), &format!("iec_command_{number}"))
        };
        self.commands.iter().enumerate().fold(text.to_owned(), named)
    }
}

#[cfg(test)]
mod tests {
    use super::Repeated;
    use crate::{Cmd, Expr, Program};

    fn prints(text: &str) -> Cmd {
        Cmd::new(Program::Printf).words(["%s\\n", text])
    }

    /// What these print; what the functions say; and the text where they are called. Put back, it is the same text.
    fn scripts(expressions: &[Expr]) -> (String, Repeated, String) {
        let repeated = Repeated::of(expressions.iter());
        let statements: Vec<String> = expressions.iter().map(|one| one.statement("")).collect();
        let text = statements.join("\n");
        let named = repeated.by_name(&text);
        let restored = repeated.commands.iter().enumerate();
        let restored = restored.fold(named.clone(), |text, (number, command)| {
            text.replace(&format!("iec_command_{number}"), command)
        });
        assert_eq!(restored, text);
        (text, repeated, named)
    }

    #[test]
    fn a_long_command_is_there_once() {
        let long = prints(&format!("it's \"$HOME\" `a`\n{}", "b ".repeat(40)));
        let once = prints(&"d ".repeat(40));
        let count = Cmd::new(Program::Wc).word("-c");
        let (_, repeated, named) = scripts(&[
            long.clone().into(),
            once.clone().into(),
            Expr::Pipe(vec![long.clone(), count]),
            prints("e f").into(),
            prints("e f").into(),
            Expr::from(long.clone()).prints("other"),
        ]);
        assert_eq!(
            repeated.functions(),
            format!("iec_command_0() {{ {}; }}\n", long.inline())
        );
        let short = "printf '%s\\n' 'e f'";
        let once = once.inline();
        assert_eq!(
            named,
            format!(
                "iec_command_0\n{once}\niec_command_0 | wc -c\n{short}\n{short}\n\
                 test \"$(iec_command_0)\" = other"
            )
        );
    }

    #[test]
    fn what_begins_or_is_in_a_longer_command_is_none() {
        let short = prints(&"x y ".repeat(20));
        let longer = short.clone().word("z");
        let around = short.clone().with_environment(["A=b"]);
        for other in [&longer, &around] {
            let all = [&short, &short, other].map(|one| Expr::from(one.clone()));
            let (text, _, named) = scripts(&all);
            assert_eq!(named, text);
        }
        // Where the longer one has a name, it is out of the way.
        let all = [&short, &around, &short, &around].map(|one| Expr::from(one.clone()));
        let (_, _, named) = scripts(&all);
        assert_eq!(
            named,
            "iec_command_1\niec_command_0\niec_command_1\niec_command_0"
        );
    }
}
