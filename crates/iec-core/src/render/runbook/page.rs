//! A printable document, before it is Markdown or HTML: headings, prose, tables, and blocks of commands.

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Its title.
    pub(super) title: String,
    /// What is on it, in order.
    pub(super) blocks: Vec<Block>,
}

/// One thing on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// A heading; `level` 2 begins a chapter. With a box to tick where something is to be done.
    Heading {
        level: u8,
        anchor: String,
        text: String,
        tick: bool,
    },
    /// A paragraph.
    Prose(Prose),
    /// Prose that nobody may miss.
    Notice(Prose),
    /// A list.
    List(Vec<Prose>),
    /// A list with boxes to tick.
    Tasks(Vec<Prose>),
    /// A table with a head.
    Table(Table),
    /// The chapters and their sections: text, anchor and level of each.
    Contents(Vec<Entry>),
    /// Commands to paste into a session on a host.
    Commands(Commands),
    /// Commands to type elsewhere.
    Example(String),
}

/// A line of the table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) level: u8,
    pub(super) anchor: String,
    pub(super) text: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<Prose>>,
    /// It is filled in with a pen: its rows are high.
    pub(super) form: bool,
}

/// Commands to paste into a session on a host, with what a program needs to know about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commands {
    /// The host.
    pub(super) host: String,
    /// The id of the step; nothing where they belong to none.
    pub(super) step: Option<String>,
    /// What they are in the step.
    pub(super) part: super::Part,
    /// The number of the step for people.
    pub(super) number: String,
    /// The commands.
    pub(super) text: String,
}

/// Words with a little form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Prose(pub(super) Vec<Span>);

/// Words of one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Span {
    /// Plain words.
    Plain(String),
    /// What is typed, or what a program prints.
    Code(String),
    /// What should catch the eye.
    Strong(String),
    /// A way to another place of the page.
    Link { text: String, anchor: String },
}

impl Prose {
    /// Words in which `code` stands between backticks.
    pub(super) fn new(text: &str) -> Self {
        let spans = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
        Self(
            spans
                .map(|(index, part)| match index % 2 {
                    0 => Span::Plain(part.to_owned()),
                    _ => Span::Code(part.to_owned()),
                })
                .collect(),
        )
    }

    /// What is typed, or what a program prints.
    pub(super) fn code(text: impl Into<String>) -> Self {
        Self(vec![Span::Code(text.into())])
    }

    /// Adds words in which `code` stands between backticks.
    pub(super) fn then(mut self, text: &str) -> Self {
        self.0.extend(Self::new(text).0);
        self
    }

    /// Adds what should catch the eye.
    pub(super) fn strong(mut self, text: impl Into<String>) -> Self {
        self.0.push(Span::Strong(text.into()));
        self
    }

    /// Adds a way to another place of the page.
    pub(super) fn link(mut self, text: impl Into<String>, anchor: impl Into<String>) -> Self {
        self.0.push(Span::Link {
            text: text.into(),
            anchor: anchor.into(),
        });
        self
    }
}

impl Page {
    pub(super) fn heading(&mut self, level: u8, anchor: impl Into<String>, text: impl Into<String>) {
        self.blocks.push(Block::Heading {
            level,
            anchor: anchor.into(),
            text: text.into(),
            tick: false,
        });
    }

    /// A heading of something that is to be done.
    pub(super) fn task(&mut self, level: u8, anchor: impl Into<String>, text: impl Into<String>) {
        self.blocks.push(Block::Heading {
            level,
            anchor: anchor.into(),
            text: text.into(),
            tick: true,
        });
    }

    pub(super) fn prose(&mut self, text: &str) {
        self.blocks.push(Block::Prose(Prose::new(text)));
    }

    pub(super) fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    pub(super) fn table<const N: usize>(&mut self, head: [&str; N], rows: Vec<[Prose; N]>) {
        self.push(Block::Table(Table {
            head: head.map(str::to_owned).to_vec(),
            rows: rows.into_iter().map(Vec::from).collect(),
            form: false,
        }));
    }

    /// Puts the table of contents where the empty one is: chapters, and the sections below them.
    pub(super) fn fill_contents(&mut self) {
        let entries: Vec<Entry> = self
            .blocks
            .iter()
            .filter_map(|block| match block {
                Block::Heading {
                    level: level @ (2 | 3),
                    anchor,
                    text,
                    ..
                } if anchor != "contents" => Some(Entry {
                    level: *level,
                    anchor: anchor.clone(),
                    text: text.clone(),
                }),
                _ => None,
            })
            .collect();
        for block in &mut self.blocks {
            if let Block::Contents(contents) = block {
                contents.clone_from(&entries);
            }
        }
    }
}
