//! The question what a host has kept of what a step said.

use std::fmt::Write as _;

use crate::Word;

/// The question what the commands of a step printed when they last ran on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputQuestion<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// The step.
    pub step: &'a str,
    /// How much of the end of each output is wanted, in bytes.
    pub most: usize,
}

/// What printed an output.
const KINDS: [(&str, &str); 3] = [("apply", ""), ("check", ".check"), ("undo", ".undo")];

impl OutputQuestion<'_> {
    /// The script's text. It prints `output KIND SECONDS SIZE TEXT` for each output that is there, and changes nothing.
    ///
    /// `SECONDS` is when it was written last, since 1970 by the host's clock.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from(
            "main() {\n\
             show() {\n\
             [ -f \"$2\" ] || return 0\n\
             printf 'iec\\toutput\\t%s\\t%s\\t%s\\t%s\\n' \"$1\" \"$(stat -c %Y \"$2\")\" \"$(stat -c %s \"$2\")\" \
             \"$(tail -c \"$3\" \"$2\" | base64 -w0)\"\n\
             }\n",
        );
        for (kind, end) in KINDS {
            let path = Word::new(format!("{}/output/{}{end}", self.home, self.step));
            let _ = writeln!(text, "show {kind} {path} {}", self.most);
        }
        text.push_str("}\nmain </dev/null\n");
        text
    }
}
