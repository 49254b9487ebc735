//! Where the parts of a YAML or JSON text are, so that one of them can be changed while the rest stays byte by byte.

use serde_saphyr::granit_parser::{Event, Parser, StructureStyle, options};

/// A value, and the bytes of the text that it takes up.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) start: usize,
    /// Behind its last byte. What a block holds ends with the last thing in it.
    pub(super) end: usize,
    pub(super) content: Content,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Content {
    Scalar(String),
    List {
        flow: bool,
        items: Vec<Node>,
    },
    Map {
        flow: bool,
        entries: Vec<(Node, Node)>,
    },
    /// A reference to another value: what it stands for is elsewhere.
    Alias,
}

impl Node {
    /// A key of this mapping, and its value.
    pub(super) fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        let Content::Map { entries, .. } = &self.content else {
            return None;
        };
        let (name, value) = entries.iter().find(|(name, _)| name.is_text(key))?;
        Some((name, value))
    }

    /// Whether it is this text.
    pub(super) fn is_text(&self, text: &str) -> bool {
        matches!(&self.content, Content::Scalar(own) if own == text)
    }

    /// The item of this list whose `name` is this, and its number.
    pub(super) fn item(&self, name: &str) -> Option<(usize, &Node)> {
        let Content::List { items, .. } = &self.content else {
            return None;
        };
        let is_it = |item: &&Node| item.entry("name").is_some_and(|(_, value)| value.is_text(name));
        let number = items.iter().position(|item| is_it(&item))?;
        Some((number, &items[number]))
    }
}

/// The one document of a text; nothing where it has none, several, or is not of that form.
pub(super) fn parse(text: &str) -> Option<Node> {
    let options = options! { emit_comments: false };
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.ok()?;
        let (start, end) = (span.start.byte_offset()?, span.end.byte_offset()?);
        let done = match event {
            Event::Scalar(value, ..) => Some(Node {
                start,
                end,
                content: Content::Scalar(value.into_owned()),
            }),
            Event::Alias(_) => Some(Node {
                start,
                end,
                content: Content::Alias,
            }),
            Event::SequenceStart(style, ..) => {
                open.push(Open::new(start, style, false));
                None
            }
            Event::MappingStart(style, ..) => {
                open.push(Open::new(start, style, true));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => Some(open.pop()?.close(end)?),
            _ => None,
        };
        let Some(done) = done else { continue };
        match open.last_mut() {
            Some(parent) => parent.children.push(done),
            None if root.is_some() => return None,
            None => root = Some(done),
        }
    }
    root
}

/// A list or mapping whose end is still to come.
struct Open {
    start: usize,
    flow: bool,
    is_map: bool,
    children: Vec<Node>,
}

impl Open {
    fn new(start: usize, style: StructureStyle, is_map: bool) -> Self {
        Self {
            start,
            flow: style == StructureStyle::Flow,
            is_map,
            children: Vec::new(),
        }
    }

    fn close(self, end: usize) -> Option<Node> {
        let flow = self.flow;
        let last = self.children.last().map_or(self.start, |child| child.end);
        let content = if self.is_map {
            let mut entries = Vec::new();
            let mut children = self.children.into_iter();
            while let Some(key) = children.next() {
                entries.push((key, children.next()?));
            }
            Content::Map { flow, entries }
        } else {
            Content::List {
                flow,
                items: self.children,
            }
        };
        Some(Node {
            start: self.start,
            end: if flow { end } else { last },
            content,
        })
    }
}
