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
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
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
            place: None,
            labels: Vec::new(),
            evidence: Vec::new(),
            hint: None,
        }
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
    fn warnings_do_not_stop_the_work() {
        let warning = Diagnostics::from(Diagnostic::warning("IEC0001", "a"));
        assert_eq!(warning.clone().accept(1), Ok((1, warning)));
        let error = Diagnostics::from(Diagnostic::error("IEC0001", "a"));
        assert_eq!(error.clone().accept(1), Err(error));
    }
}
