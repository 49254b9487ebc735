//! The comment at the top of a description for another installer: what it covers, what differs, what is missing.

use iec_core::plan::document;
use iec_core::render::{File, Files, Subject};
use serde_json::Value;

/// What a reader of a description must know first.
pub(super) struct Header {
    /// What the files are: `Objects of Metal3 and Cluster API`.
    pub(super) what: &'static str,
    /// What they cover, whatever the site.
    pub(super) covers: &'static [&'static str],
    /// What the other tool does differently, whatever the site.
    pub(super) differs: &'static [&'static str],
}

/// The files of a description while it is made, with what has to be said about this site.
pub(super) struct Description<'a> {
    subject: &'a Subject<'a>,
    header: Header,
    covered: Vec<&'static str>,
    notes: Vec<String>,
    documents: Vec<(&'static str, Vec<Value>)>,
}

impl<'a> Description<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, header: Header) -> Self {
        Self {
            subject,
            covered: header.covers.to_vec(),
            header,
            notes: Vec::new(),
            documents: Vec::new(),
        }
    }

    /// Adds something that they cover for this site, though not for every one.
    pub(super) fn covers(&mut self, what: &'static str) {
        self.covered.push(what);
    }

    /// Adds what is missing, or stands for something that nobody knows; once, however often it is said.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Adds a file of documents.
    pub(super) fn file(&mut self, path: &'static str, documents: Vec<Value>) {
        self.documents.push((path, documents));
    }

    /// The files, each with the header.
    pub(super) fn files(self) -> Files {
        let head = self.head();
        self.documents
            .into_iter()
            .map(|(path, documents)| {
                let text = format!("{head}---\n{}", document::documents(&documents));
                (path.to_owned(), File::text(text))
            })
            .collect()
    }

    fn head(&self) -> String {
        let Header { what, differs, .. } = &self.header;
        let mut lines = vec![format!(
            "{what} for the site {}, release {}, made by IEC.",
            self.subject.site.name(),
            self.subject.release.name
        )];
        let notes: Vec<&str> = self.notes.iter().map(String::as_str).collect();
        for (title, items) in [
            ("What they cover:", self.covered.as_slice()),
            ("What is different from an installation by IEC:", *differs),
            ("What to complete, or to know, about this site:", &notes),
        ] {
            if !items.is_empty() {
                lines.push(String::new());
                lines.push(title.to_owned());
                lines.extend(items.iter().map(|item| format!("- {item}")));
            }
        }
        lines
            .iter()
            .map(|line| format!("# {}", one_line(line)).trim_end().to_owned() + "\n")
            .collect()
    }
}

/// The text without anything that would end a comment.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_control() || matches!(letter, '\u{85}' | '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                letter
            }
        })
        .collect()
}
