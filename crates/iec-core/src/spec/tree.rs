//! YAML text as a tree in which every key and value knows its place.
//!
//! A derive-based reader stops at its first error; a site file should be reported on as a whole. So the
//! text becomes this tree first, and [`super::read`] walks it and collects.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use serde_saphyr::granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Tag, options};

use super::key::{Key, key_of, with_merged};
use super::source::{Source, named};
use crate::diagnostic::{Diagnostic, Diagnostics, Place};

/// The largest text that is read, in bytes.
const MAXIMUM_BYTES: usize = 1 << 20;
/// The most values that a document may have once its aliases are followed.
const MAXIMUM_NODES: usize = 100_000;
/// The deepest nesting that a document may have once its aliases are followed.
const MAXIMUM_DEPTH: usize = 64;

/// A value and its place.
#[derive(Debug)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub content: Content,
    /// Values in here, aliases followed.
    nodes: usize,
    /// Levels in here, aliases followed.
    depth: usize,
}

impl Node {
    /// A value that is not there, at the place of what stands for it.
    pub fn absent(place: Place) -> Self {
        Self {
            place,
            content: Content::Scalar {
                text: String::new(),
                plain: true,
            },
            nodes: 1,
            depth: 1,
        }
    }
}

/// What a value is.
#[derive(Debug)]
pub enum Content {
    /// A text, a number, a boolean, or nothing.
    Scalar {
        /// As it is written, without quotes.
        text: String,
        /// Whether it stands without quotes, so that it may be something else than a text.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Rc<Node>>),
    /// Keys and values, in the order of the file.
    Mapping(Vec<Entry>),
    /// It was reported already; nobody should report it again.
    Refused,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_place: Place,
    /// The value.
    pub value: Rc<Node>,
}

/// What kind of file is read, and whether it may use what YAML 1.2 dropped.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// How messages call such a file: `a site file`.
    pub called: &'static str,
    /// What to do about a file without a document, or with several.
    pub one_document: &'static str,
    /// Whether `<<` takes over the keys of another mapping, as in YAML 1.1.
    pub merge_keys: bool,
    /// Whether values may have the tags of Ansible's files; an encrypted scalar (`!vault`) is none that is read.
    pub tags: bool,
    /// What becomes of a key that is written twice.
    pub repeated: Repeated,
}

/// What becomes of a key that is written twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// It is refused.
    Refused,
    /// Its last value counts, as in programs that read YAML with Python, and a warning says so.
    LastCounts,
}

/// A site file.
pub const SITE: Kind = Kind {
    called: "a site file",
    one_document: "`iec init` writes a first site file; keep each site in a file of its own",
    merge_keys: false,
    tags: false,
    repeated: Repeated::Refused,
};

/// Reads the one document of `source`; `None` when there is nothing that can be walked.
pub fn parse(source: &Source<'_>, kind: Kind, problems: &mut Diagnostics) -> Option<Rc<Node>> {
    if source.text.len() > MAXIMUM_BYTES {
        let message = format!(
            "the file has {} bytes, at most {MAXIMUM_BYTES} are read",
            source.text.len()
        );
        problems.push(
            Diagnostic::error("IEC0008", message)
                .at(&source.place(0..0))
                .hint("keep large content in files of its own"),
        );
        return None;
    }
    let mut builder = Builder {
        source,
        kind,
        problems,
        open: Vec::new(),
        anchors: BTreeMap::new(),
        aliases: false,
        documents: 0,
        root: None,
    };
    let options = options! { emit_comments: false, emit_unresolved_aliases: true, disallow_directives: true,
    flow_nesting_limit: MAXIMUM_DEPTH + 1, block_nesting_limit: MAXIMUM_DEPTH + 1 };
    for event in Parser::new_from_str_with_options(source.text, options) {
        match event {
            Ok((event, span)) => {
                let bytes = |marker: Option<usize>| marker.unwrap_or(source.text.len());
                let stretch = bytes(span.start.byte_offset())..bytes(span.end.byte_offset());
                builder.event(&event, stretch).ok()?;
            }
            Err(error) => {
                builder.problems.push(syntax_problem(&error, source));
                return None;
            }
        }
    }
    let Builder {
        root,
        documents,
        problems,
        ..
    } = builder;
    if documents != 1 {
        let message = if documents == 0 {
            format!("the file is empty, {} has one YAML document", kind.called)
        } else {
            format!("the file has {documents} YAML documents, {} has one", kind.called)
        };
        problems.push(
            Diagnostic::error("IEC0002", message)
                .at(&source.place(0..0))
                .hint(kind.one_document),
        );
        return None;
    }
    root
}

/// What the parser says about a text that is not YAML, or more deeply nested than it follows.
fn syntax_problem(error: &ScanError, source: &Source<'_>) -> Diagnostic {
    let start = error.marker().byte_offset().unwrap_or(source.text.len());
    let place = source.place(start..start + 1);
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        let message = format!("the document is nested more deeply than {MAXIMUM_DEPTH} levels");
        return Diagnostic::error("IEC0008", message)
            .at(&place)
            .hint("no site needs that; count the brackets");
    }
    // The parser takes a tab for a space until nothing fits any more, and complains elsewhere.
    if let Some(tab) = source.first_tab_indentation() {
        return Diagnostic::error("IEC0001", "this is not YAML: the line is indented with a tab")
            .at(&source.place(tab..tab + 1))
            .hint("indent with spaces");
    }
    // To YAML it is a letter like any other; what it complains about is the next line.
    if let Some((at, letter)) = source.first_odd_indentation() {
        let message = format!("this is not YAML: the line is indented with {}", named(letter));
        return Diagnostic::error("IEC0001", message)
            .at(&source.place(at..at + letter.len_utf8()))
            .hint("indent with the spaces of the space bar, U+0020");
    }
    Diagnostic::error("IEC0001", format!("this is not YAML: {}", error.info()))
        .at(&place)
        .hint("look at the indentation, quotes and brackets here and on the line above")
}

/// What a tag makes of a value.
enum Meaning {
    /// What it would be without one.
    Kept,
    /// A text, whatever it looks like.
    Text,
    /// Nothing that is read.
    Hidden,
}

/// The document was given up; the reason is among the problems.
struct GivenUp;

/// A sequence or mapping whose end has not come yet.
struct Open {
    start: usize,
    /// Where the last value in here ends; the end event of a block collection comes after blank lines and comments.
    end: usize,
    anchor: usize,
    nodes: usize,
    depth: usize,
    content: OpenContent,
}

enum OpenContent {
    Sequence(Vec<Rc<Node>>),
    Mapping {
        entries: Vec<Entry>,
        seen: BTreeMap<String, Place>,
        key: Option<Key>,
        /// The mappings whose keys are taken over, unless the mapping has them itself.
        merged: Vec<Rc<Node>>,
    },
}

struct Builder<'b, 't> {
    source: &'b Source<'t>,
    kind: Kind,
    problems: &'b mut Diagnostics,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Rc<Node>>,
    /// Whether anything is repeated by an alias.
    aliases: bool,
    documents: usize,
    root: Option<Rc<Node>>,
}

const ALIAS_HINT: &str = "no site needs that; look for an alias that repeats an alias";

impl Builder<'_, '_> {
    fn event(&mut self, event: &Event<'_>, span: Range<usize>) -> Result<(), GivenUp> {
        match event {
            Event::DocumentStart(..) => self.documents += 1,
            Event::Scalar(text, style, anchor, tag) => {
                let meaning = self.meaning(tag.as_deref(), &span);
                let content = match meaning {
                    Meaning::Kept => Content::Scalar {
                        text: text.to_string(),
                        plain: *style == ScalarStyle::Plain,
                    },
                    Meaning::Text => Content::Scalar {
                        text: text.to_string(),
                        plain: false,
                    },
                    Meaning::Hidden => Content::Refused,
                };
                let place = self.source.place(self.trimmed(span));
                self.finish(
                    Node {
                        place,
                        content,
                        nodes: 1,
                        depth: 1,
                    },
                    *anchor,
                )?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.meaning(tag.as_deref(), &span);
                self.begin(span, *anchor, OpenContent::Sequence(Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.meaning(tag.as_deref(), &span);
                let content = OpenContent::Mapping {
                    entries: Vec::new(),
                    seen: BTreeMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.begin(span, *anchor, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span)?,
            Event::Alias(anchor) => match self.anchors.get(anchor).cloned() {
                Some(node) => {
                    self.aliases = true;
                    self.attach(node)?;
                }
                None => self.dead_alias(span, "this alias stands inside the value that it repeats")?,
            },
            Event::UnresolvedAlias(name) => {
                self.dead_alias(span, &format!("there is no anchor `&{name}` before this alias"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Block scalars reach over the line breaks after them, which a diagnostic should not underline.
    fn trimmed(&self, span: Range<usize>) -> Range<usize> {
        let text = self.source.text.get(span.clone()).unwrap_or_default();
        span.start..span.start + text.trim_end().len()
    }

    /// What a tag makes of a value; one that may not be there is reported.
    fn meaning(&mut self, tag: Option<&Tag>, span: &Range<usize>) -> Meaning {
        let Some(tag) = tag else { return Meaning::Kept };
        if !self.kind.tags {
            self.problems.push(
                Diagnostic::error("IEC0009", format!("{} has no YAML tags (`!…`)", self.kind.called))
                    .at(&self.source.place(span.clone()))
                    .hint("remove the tag; put quotes around what is meant as text"),
            );
            return Meaning::Hidden;
        }
        let (handle, name) = (tag.handle(), tag.suffix());
        if handle.starts_with("tag:yaml.org,2002:")
            || (handle.is_empty() && name.starts_with("tag:yaml.org,"))
        {
            return if name.ends_with("str") {
                Meaning::Text
            } else {
                Meaning::Kept
            };
        }
        match name {
            // Ansible works out no template in it; else it is what it would be without.
            "unsafe" => Meaning::Kept,
            "vault" | "vault-encrypted" => Meaning::Hidden,
            _ => {
                let message = format!("nobody knows what the tag `!{}` means", name.escape_debug());
                self.problems.push(
                    Diagnostic::error("IEC0009", message)
                        .at(&self.source.place(span.clone()))
                        .hint(
                            "Ansible knows `!vault` and `!unsafe`; put quotes around what is meant as text",
                        ),
                );
                Meaning::Hidden
            }
        }
    }

    fn dead_alias(&mut self, span: Range<usize>, message: &str) -> Result<(), GivenUp> {
        let place = self.source.place(span);
        self.problems.push(
            Diagnostic::error("IEC0009", message)
                .at(&place)
                .hint("write the value out here"),
        );
        let content = Content::Refused;
        self.attach(Rc::new(Node {
            place,
            content,
            nodes: 1,
            depth: 1,
        }))
    }

    fn begin(&mut self, start: Range<usize>, anchor: usize, content: OpenContent) -> Result<(), GivenUp> {
        if self.open.len() >= MAXIMUM_DEPTH {
            let hint = "no site needs that; count the brackets and the indentation";
            return Err(self.too_large(start, "nested more deeply than", MAXIMUM_DEPTH, "levels", hint));
        }
        self.open.push(Open {
            start: start.start,
            end: start.end,
            anchor,
            nodes: 1,
            depth: 1,
            content,
        });
        Ok(())
    }

    fn end(&mut self, span: Range<usize>) -> Result<(), GivenUp> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let content = match open.content {
            OpenContent::Sequence(items) => Content::Sequence(items),
            OpenContent::Mapping { entries, merged, .. } => {
                Content::Mapping(with_merged(entries, &merged, self.problems))
            }
        };
        let end = if span.end > span.start { span.end } else { open.end };
        let node = Node {
            place: self.source.place(self.trimmed(open.start..end)),
            content,
            nodes: open.nodes,
            depth: open.depth,
        };
        self.finish(node, open.anchor)
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), GivenUp> {
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.attach(node)
    }

    fn attach(&mut self, node: Rc<Node>) -> Result<(), GivenUp> {
        let levels = self.open.len() + node.depth;
        let Some(parent) = self.open.last_mut() else {
            // A second document is reported at the end; the first stays the one that is read.
            self.root.get_or_insert(node);
            return Ok(());
        };
        parent.nodes = parent.nodes.saturating_add(node.nodes);
        parent.depth = parent.depth.max(node.depth + 1);
        let (nodes, at) = (parent.nodes, node.place.span.clone());
        parent.end = parent.end.max(at.end);
        match &mut parent.content {
            OpenContent::Sequence(items) => items.push(node),
            OpenContent::Mapping {
                entries,
                seen,
                key,
                merged,
            } => match key.take() {
                None => *key = Some(key_of(&node, self.kind, seen, self.problems)),
                Some(Key::Refused) => {}
                Some(Key::Merge) => merged.push(node),
                Some(Key::Text { key, place, again }) => {
                    // A key that is there already has its new value in its old place, as in a dictionary of Python.
                    match entries.iter_mut().find(|entry| again && entry.key == key) {
                        Some(entry) => (entry.key_place, entry.value) = (place, node),
                        None => entries.push(Entry {
                            key,
                            key_place: place,
                            value: node,
                        }),
                    }
                }
            },
        }
        if nodes > MAXIMUM_NODES {
            let (how, hint) = if self.aliases {
                ("larger, with its aliases followed, than", ALIAS_HINT)
            } else {
                ("larger than", "keep large content in files of its own")
            };
            return Err(self.too_large(at, how, MAXIMUM_NODES, "values", hint));
        }
        if levels > MAXIMUM_DEPTH + 1 {
            let how = "nested, with its aliases followed, more deeply than";
            return Err(self.too_large(at, how, MAXIMUM_DEPTH, "levels", ALIAS_HINT));
        }
        Ok(())
    }

    fn too_large(&mut self, at: Range<usize>, how: &str, limit: usize, unit: &str, hint: &str) -> GivenUp {
        self.problems.push(
            Diagnostic::error("IEC0008", format!("the document is {how} {limit} {unit}"))
                .at(&self.source.place(at))
                .hint(hint),
        );
        GivenUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Rc<Node>>, Diagnostics) {
        let mut problems = Diagnostics::new();
        let root = parse(&Source::new(text, "site.yaml"), SITE, &mut problems);
        (root, problems)
    }

    #[test]
    fn merge_keys_are_followed_where_they_are_allowed() {
        let kind = Kind {
            merge_keys: true,
            ..SITE
        };
        let keys = |text: &str| {
            let mut problems = Diagnostics::new();
            let root = parse(&Source::new(text, "pdf.yaml"), kind, &mut problems);
            let Some(Content::Mapping(entries)) = root.map(|root| match &root.content {
                Content::Mapping(entries) => Content::Mapping(entries.clone()),
                _ => Content::Refused,
            }) else {
                panic!("{problems}")
            };
            let Content::Mapping(last) = &entries[entries.len() - 1].value.content else {
                panic!("a mapping")
            };
            let keys: Vec<String> = last
                .iter()
                .map(|entry| match &entry.value.content {
                    Content::Scalar { text, .. } => format!("{}={text}", entry.key),
                    _ => entry.key.clone(),
                })
                .collect();
            (keys, problems)
        };
        let (found, problems) = keys("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 9}\n");
        assert_eq!(found, ["x=9", "y=2", "z=4"]);
        assert!(problems.is_empty(), "{problems}");
        let (found, problems) = keys("a: &a [1]\nc: {<<: *a, x: 9}\n");
        assert_eq!(found, ["x=9"]);
        assert_eq!(problems.len(), 1, "{problems}");
    }

    fn codes(text: &str) -> Vec<&'static str> {
        read(text).1.iter().map(|problem| problem.code).collect()
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "a: 1\nb:\n  - x\n  - {c: \"y\"}\n";
        let (root, problems) = read(text);
        assert!(problems.is_empty(), "{problems}");
        let root = root.expect("a document");
        let Content::Mapping(entries) = &root.content else {
            panic!("{root:?}")
        };
        assert_eq!(entries[1].key_place.line, 2);
        let Content::Sequence(items) = &entries[1].value.content else {
            panic!("{root:?}")
        };
        assert_eq!((items[0].place.line, items[0].place.column), (3, 5));
        let Content::Mapping(inner) = &items[1].content else {
            panic!("{root:?}")
        };
        assert_eq!(&text[inner[0].value.place.span.clone()], "\"y\"");
        assert_eq!(&text[items[1].place.span.clone()], "{c: \"y\"}");
    }

    #[test]
    fn aliases_repeat_values() {
        let (root, problems) = read("a: &a [1, 2]\nb: *a\n");
        assert!(problems.is_empty(), "{problems}");
        let root = root.expect("a document");
        let Content::Mapping(entries) = &root.content else {
            panic!("{root:?}")
        };
        assert!(Rc::ptr_eq(&entries[0].value, &entries[1].value));
    }

    #[test]
    fn bombs_are_refused_before_they_grow() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..60 {
            let alias = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
        }
        assert_eq!(codes(&text), ["IEC0008"]);
        assert_eq!(codes(&"[".repeat(10_000)), ["IEC0008"]);
        assert_eq!(codes(&format!("a: {}", "x".repeat(MAXIMUM_BYTES))), ["IEC0008"]);
        let mut chain = "a0: &a0 [x]\n".to_owned();
        for level in 1..100 {
            chain += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
        }
        assert_eq!(codes(&chain), ["IEC0008"]);
    }

    #[test]
    fn what_yaml_allows_and_a_site_does_not() {
        assert_eq!(codes("a: !!int 1\n"), ["IEC0009"]);
        assert_eq!(codes("a: *b\nc: *d\n"), ["IEC0009", "IEC0009"]);
        assert_eq!(codes("a: &a [*a]\n"), ["IEC0009"]);
        assert_eq!(codes("? [a]\n: b\n"), ["IEC0009"]);
        assert_eq!(codes("a: &a {b: 1}\nc: {<<: *a}\n"), ["IEC0009"]);
        assert_eq!(codes("%YAML 1.1\n---\na: 1\n"), ["IEC0001"]);
        assert_eq!(codes("a: 1\na: 2\n\"a\": 3\n"), ["IEC0004", "IEC0004"]);
        assert_eq!(codes(""), ["IEC0002"]);
        assert_eq!(codes("a: 1\n---\nb: 1\n"), ["IEC0002"]);
        assert_eq!(codes("a: [1\n"), ["IEC0001"]);
    }
}
