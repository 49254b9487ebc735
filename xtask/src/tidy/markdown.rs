//! Markdown as the rules read it: code apart from prose.

/// A fenced block of code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// What stands behind the opening fence: `sh`, `text`, or nothing.
    pub(super) language: &'a str,
    /// The lines with their numbers.
    pub(super) lines: Vec<(usize, &'a str)>,
}

/// A document taken apart.
#[derive(Debug, Default)]
pub(super) struct Document<'a> {
    /// The lines of prose with their numbers, from 1.
    pub(super) prose: Vec<(usize, &'a str)>,
    /// The fenced blocks in order.
    pub(super) blocks: Vec<Block<'a>>,
}

impl<'a> Document<'a> {
    /// Takes a text apart.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut document = Self::default();
        let mut open: Option<Block<'a>> = None;
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let fence = line.trim_start().strip_prefix("```");
            match (open.take(), fence) {
                (None, Some(language)) => {
                    let language = language.trim();
                    open = Some(Block {
                        language,
                        lines: Vec::new(),
                    });
                }
                (Some(block), Some(_)) => document.blocks.push(block),
                (Some(mut block), None) => {
                    block.lines.push((number, line));
                    open = Some(block);
                }
                (None, None) => document.prose.push((number, line)),
            }
        }
        document.blocks.extend(open);
        document
    }

    /// The code spans of the prose, with their lines' numbers.
    pub(super) fn spans(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.prose
            .iter()
            .flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(|span| (*number, span)))
    }

    /// The names by which headings can be linked to.
    pub(super) fn anchors(&self) -> impl Iterator<Item = String> {
        self.prose.iter().filter_map(|(_, line)| {
            let title = line.trim_start_matches('#');
            (title.len() < line.len() && title.starts_with(' ')).then(|| anchor(title))
        })
    }

    /// The targets of the links of the prose, with their lines' numbers.
    pub(super) fn links(&self) -> Vec<(usize, &'a str)> {
        let mut links = Vec::new();
        for (number, line) in &self.prose {
            for (at, _) in line.match_indices("](") {
                let in_code = line[..at].matches('`').count() % 2 == 1;
                let target = line[at + 2..].split([')', ' ']).next().unwrap_or_default();
                if !in_code {
                    links.push((*number, target));
                }
            }
            let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
            links.extend(definition.map(|(_, target)| (*number, target.trim())));
        }
        links
    }
}

/// The anchor of a heading: lower case, no punctuation, dashes for blanks.
fn anchor(title: &str) -> String {
    title
        .trim()
        .chars()
        .filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
        .map(|character| {
            if character == ' ' {
                '-'
            } else {
                character.to_ascii_lowercase()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_apart_from_prose() {
        let document = Document::parse("# One `two`\n```sh\niec check\n```\n`a` b `c d`\n");
        assert_eq!(
            document.blocks,
            [Block {
                language: "sh",
                lines: vec![(3, "iec check")]
            }]
        );
        let spans: Vec<_> = document.spans().collect();
        assert_eq!(spans, [(1, "two"), (5, "a"), (5, "c d")]);
    }

    #[test]
    fn links_and_anchors_are_found() {
        let document =
            Document::parse("## What's it, `x`?\n[a](b.md#c) `[d](e)` ![f](g.png \"t\")\n[h]: i.md\n");
        assert_eq!(document.links(), [(2, "b.md#c"), (2, "g.png"), (3, "i.md")]);
        assert_eq!(document.anchors().collect::<Vec<_>>(), ["whats-it-x"]);
    }
}
