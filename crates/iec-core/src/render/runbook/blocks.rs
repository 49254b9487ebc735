//! The commands of a runbook, read back from its Markdown: what a proof pastes, and what a test compares with the plan.

use std::fmt;

/// What a block of commands is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Begins a session on a host: defines what the other blocks call.
    Preface,
    /// Puts the content that was brought along in its place.
    Content,
    /// Puts the host's secrets in their place.
    Secrets,
    /// Asks whether a step is done: exit code 0 when it is, 1 when there is work, 4 when nobody can tell.
    Check,
    /// Does a step.
    Apply,
    /// Takes a step back.
    Undo,
    /// Takes what was brought along off the host.
    Leave,
}

impl Part {
    /// Every part with its word in a runbook.
    const WORDS: [(&'static str, Self); 7] = [
        ("preface", Self::Preface),
        ("content", Self::Content),
        ("secrets", Self::Secrets),
        ("check", Self::Check),
        ("apply", Self::Apply),
        ("undo", Self::Undo),
        ("leave", Self::Leave),
    ];
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, part)| part == self);
        formatter.write_str(word.map_or("", |(word, _)| word))
    }
}

/// One block of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The host in whose session it is pasted.
    pub host: String,
    /// The id of its step, where it belongs to one.
    pub step: Option<String>,
    /// What it is for.
    pub part: Part,
    /// The number of its step for people: `1.12`.
    pub number: String,
    /// What is pasted.
    pub text: String,
}

/// Every block of commands of a runbook's Markdown, in the order of the document.
///
/// Long blocks stand at its end: [`Block::number`] says where they belong.
#[must_use]
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let information = line.trim_start_matches('`');
        let fence = &line[..line.len() - information.len()];
        if fence.len() < 3 {
            continue;
        }
        let content: Vec<&str> = lines.by_ref().take_while(|line| *line != fence).collect();
        if let Some(block) = block(information, &content) {
            blocks.push(block);
        }
    }
    blocks
}

fn block(information: &str, content: &[&str]) -> Option<Block> {
    let words = information.strip_prefix("sh ")?;
    let word = |name: &str| {
        let mut pairs = words.split(' ').filter_map(|word| word.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then(|| value.to_owned()))
    };
    let part = word("part")?;
    let (_, part) = Part::WORDS.into_iter().find(|(name, _)| *name == part)?;
    Some(Block {
        host: word("host")?,
        step: word("step"),
        part,
        number: word("number")?,
        text: content.iter().flat_map(|line| [line, "\n"]).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_blocks_are_found_and_no_others() {
        let text =
            "# A\n\n````sh host=a step=b.c part=apply number=1.2\nx\n```\ny\n````\n\n```console\nz\n```\n";
        let block = Block {
            host: "a".to_owned(),
            step: Some("b.c".to_owned()),
            part: Part::Apply,
            number: "1.2".to_owned(),
            text: "x\n```\ny\n".to_owned(),
        };
        assert_eq!(blocks(text), [block]);
    }
}
