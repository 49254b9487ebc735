//! What is wrong, where, why, and what to do about it: the one shape in which IEC reports problems.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// How much a [`Diagnostic`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing may be done before this is put right.
    Error,
    /// Work goes on; somebody should know.
    Warning,
    /// Work goes on, and the site file says that it is known.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// A stretch of a text file that a diagnostic speaks about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Place {
    /// The file as the user named it.
    #[serde(serialize_with = "text_of")]
    pub file: Arc<str>,
    /// The first line of the stretch, counted from 1.
    pub line: usize,
    /// The first column of the stretch, in characters, counted from 1.
    pub column: usize,
    /// The stretch in bytes from the start of the file.
    pub span: Range<usize>,
}

impl Place {
    /// The point where the stretch begins, for what should not be underlined as a whole.
    #[must_use]
    pub fn head(&self) -> Self {
        Self {
            span: self.span.start..self.span.start,
            ..self.clone()
        }
    }
}

fn text_of<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A second place that belongs to a diagnostic, such as the first use of a name that is used twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What is there, in a few words.
    pub text: String,
}

/// One problem: its cause, the evidence, and the next thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether it stops the work.
    pub severity: Severity,
    /// The stable code (`IEC` and four digits) that [`crate::explain::explain`] knows.
    pub code: &'static str,
    /// The cause, in one sentence without a full stop.
    pub message: String,
    /// The host that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Where it was found, if it was found in a text.
    pub place: Option<Place>,
    /// Other places that belong to it.
    pub labels: Vec<Label>,
    /// What was seen that led to this conclusion, one line each.
    pub evidence: Vec<String>,
    /// The next thing to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error that stops the work.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A warning that does not stop the work.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            host: None,
            place: None,
            labels: Vec::new(),
            evidence: Vec::new(),
            hint: None,
        }
    }

    /// The same, about this host.
    #[must_use]
    pub fn about(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The same as something that the site file accepts.
    #[must_use]
    pub fn accepted(mut self) -> Self {
        self.severity = Severity::Note;
        self
    }

    /// The same, found at `place`; `None` leaves it without a place.
    #[must_use]
    pub fn at<'p>(mut self, place: impl Into<Option<&'p Place>>) -> Self {
        self.place = place.into().cloned();
        self
    }

    /// The same, with a second place; `None` adds nothing.
    #[must_use]
    pub fn label<'p>(mut self, place: impl Into<Option<&'p Place>>, text: impl Into<String>) -> Self {
        if let Some(place) = place.into() {
            self.labels.push(Label {
                place: place.clone(),
                text: text.into(),
            });
        }
        self
    }

    /// The same, with one more line of evidence.
    #[must_use]
    pub fn evidence(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// The same, with the next thing to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The message with the name of its host replaced by `the host`, so that it reads alike for all of them.
    fn common_message(&self) -> String {
        let Some(host) = self.host.as_deref() else {
            return self.message.clone();
        };
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
        let mut common = String::new();
        let mut rest = self.message.as_str();
        while let Some(start) = rest.find(host) {
            let end = start + host.len();
            let alone = !rest[..start].ends_with(is_name) && !rest[end..].starts_with(is_name);
            common.push_str(&rest[..start]);
            common.push_str(if alone { "the host" } else { host });
            rest = &rest[end..];
        }
        common + rest
    }

    /// Order for reading: by place in the text, what has no place last; then errors first, code, message.
    fn reading_order(&self, other: &Self) -> Ordering {
        let position = |diagnostic: &Self| {
            diagnostic
                .place
                .as_ref()
                .map(|place| (place.file.clone(), place.span.start, place.span.end))
        };
        match (position(self), position(other)) {
            (Some(here), Some(there)) => here.cmp(&there),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
        .then_with(|| {
            (self.severity, self.code, &self.message).cmp(&(other.severity, other.code, &other.message))
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "{place}: ")?;
        }
        write!(formatter, "{}[{}]: {}", self.severity, self.code, self.message)?;
        for label in &self.labels {
            write!(formatter, "\n  {}: {}", label.place, label.text)?;
        }
        for line in &self.evidence {
            write!(formatter, "\n  evidence: {line}")?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// What is the same with several hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The stable code.
    pub code: &'static str,
    /// The hosts; none where it is about no single one.
    pub hosts: Vec<String>,
    /// The cause, in one sentence without a full stop, in words that are true of each host.
    pub message: String,
    /// What was seen on any of them, one line each, without repetitions.
    pub evidence: Vec<String>,
    /// The next thing to do.
    pub hint: Option<String>,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.hosts.is_empty() {
            write!(formatter, "{}: ", self.hosts.join(", "))?;
        }
        formatter.write_str(&self.message)
    }
}

/// Every problem that one run found, always in the same order and without repetitions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics {
    sorted: Vec<Diagnostic>,
}

impl Diagnostics {
    /// No problem at all.
    #[must_use]
    pub const fn new() -> Self {
        Self { sorted: Vec::new() }
    }

    /// Adds `diagnostic` where it belongs in reading order, unless the very same is there already.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let after = self
            .sorted
            .partition_point(|known| known.reading_order(&diagnostic) != Ordering::Greater);
        if self.sorted[..after].last() != Some(&diagnostic) {
            self.sorted.insert(after, diagnostic);
        }
    }

    /// The same without errors of these codes at places that have another error too, which says more about the same value.
    #[must_use]
    pub(crate) fn settled(self, codes: &[&str]) -> Self {
        let is_settled = |diagnostic: &Diagnostic| codes.contains(&diagnostic.code);
        let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
        let told: std::collections::BTreeSet<(Arc<str>, usize, usize)> = self
            .iter()
            .filter(is_error)
            .filter(|diagnostic| !is_settled(diagnostic))
            .filter_map(|diagnostic| diagnostic.place.as_ref().map(key_of))
            .collect();
        let mut sorted = self.sorted;
        sorted.retain(|diagnostic| {
            let place = diagnostic.place.as_ref().map(key_of);
            !is_settled(diagnostic) || place.is_none_or(|place| !told.contains(&place))
        });
        Self { sorted }
    }

    /// Whether anything in here stops the work.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is nothing to report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// How many problems there are, warnings included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Those of this severity.
    #[must_use]
    pub fn of(&self, severity: Severity) -> Self {
        let wanted = |diagnostic: &&Diagnostic| diagnostic.severity == severity;
        self.iter().filter(wanted).cloned().collect()
    }

    /// What several hosts have alike as one each, in reading order.
    #[must_use]
    pub fn by_kind(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = Vec::new();
        for diagnostic in self {
            let message = diagnostic.common_message();
            let known = kinds.iter_mut().find(|kind| {
                kind.code == diagnostic.code && kind.message == message && kind.hint == diagnostic.hint
            });
            let kind = match known {
                Some(kind) => kind,
                None => {
                    kinds.push(Kind {
                        code: diagnostic.code,
                        hosts: Vec::new(),
                        message,
                        evidence: Vec::new(),
                        hint: diagnostic.hint.clone(),
                    });
                    kinds.last_mut().expect("it was just added")
                }
            };
            kind.hosts.extend(diagnostic.host.clone());
            for line in &diagnostic.evidence {
                if !kind.evidence.contains(line) {
                    kind.evidence.push(line.clone());
                }
            }
        }
        kinds
    }

    /// The problems in reading order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.sorted.iter()
    }

    /// `value` together with the warnings when nothing stops the work, otherwise all problems.
    ///
    /// # Errors
    ///
    /// Everything collected, if any of it is an error.
    pub fn accept<T>(self, value: T) -> Result<(T, Self), Self> {
        if self.has_errors() {
            Err(self)
        } else {
            Ok((value, self))
        }
    }
}

fn key_of(place: &Place) -> (Arc<str>, usize, usize) {
    (place.file.clone(), place.span.start, place.span.end)
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        for diagnostic in diagnostics {
            self.push(diagnostic);
        }
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        let mut collected = Self::new();
        collected.extend(diagnostics);
        collected
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self {
            sorted: vec![diagnostic],
        }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.sorted.into_iter()
    }
}

impl<'d> IntoIterator for &'d Diagnostics {
    type Item = &'d Diagnostic;
    type IntoIter = std::slice::Iter<'d, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(start: usize) -> Place {
        Place {
            file: "site.yaml".into(),
            line: start + 1,
            column: 3,
            span: start..start + 1,
        }
    }

    #[test]
    fn order_does_not_depend_on_the_order_of_finding() {
        let unplaced = Diagnostic::error("IEC0001", "a");
        let late = Diagnostic::error("IEC0002", "b").at(&place(9));
        let early = Diagnostic::warning("IEC0003", "c").at(&place(2));
        let one: Diagnostics = [unplaced.clone(), late.clone(), early.clone()]
            .into_iter()
            .collect();
        let other: Diagnostics = [early.clone(), unplaced.clone(), late.clone()]
            .into_iter()
            .collect();
        assert_eq!(one, other);
        assert_eq!(one.into_iter().collect::<Vec<_>>(), [early, late, unplaced]);
    }

    #[test]
    fn the_same_problem_is_reported_once() {
        let problem = Diagnostic::error("IEC0001", "a").at(&place(0));
        let all: Diagnostics = [problem.clone(), problem].into_iter().collect();
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn text_names_place_code_evidence_and_hint() {
        let diagnostic = Diagnostic::error("IEC0004", "`hosts` is written twice")
            .at(&place(7))
            .label(&place(1), "first written here")
            .evidence("two mappings")
            .hint("remove one");
        assert_eq!(
            diagnostic.to_string(),
            "site.yaml:8:3: error[IEC0004]: `hosts` is written twice\n  \
             site.yaml:2:3: first written here\n  evidence: two mappings\n  hint: remove one"
        );
    }

    #[test]
    fn what_several_hosts_have_alike_is_one_kind() {
        let slow = |host: &str| {
            Diagnostic::warning("IEC1806", format!("{host} is slow, {host}s too"))
                .about(host)
                .evidence("900 ms")
        };
        let other = Diagnostic::warning("IEC3112", "the facts are more than a day old");
        let all: Diagnostics = [slow("b"), slow("a"), other].into_iter().collect();
        let told: Vec<String> = all.by_kind().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a: the host is slow, as too",
                "b: the host is slow, bs too",
                "the facts are more than a day old",
            ]
        );
        let plain = |host: &str| {
            Diagnostic::warning("IEC1806", format!("{host} is slow"))
                .about(host)
                .evidence("900 ms")
        };
        let all: Diagnostics = [plain("edge-2"), plain("edge-1")].into_iter().collect();
        let kinds = all.by_kind();
        assert_eq!(kinds.len(), 1);
        assert_eq!(kinds[0].to_string(), "edge-1, edge-2: the host is slow");
        assert_eq!(kinds[0].evidence, ["900 ms"]);
    }

    #[test]
    fn warnings_do_not_stop_the_work() {
        let warning = Diagnostics::from(Diagnostic::warning("IEC0001", "a"));
        assert_eq!(warning.clone().accept(1), Ok((1, warning)));
        let error = Diagnostics::from(Diagnostic::error("IEC0001", "a"));
        assert_eq!(error.clone().accept(1), Err(error));
    }
}
