//! Problems of a text, drawn with the lines that they speak about.

use std::collections::BTreeMap;
use std::fmt;

use iec_core::diagnostic::{Diagnostic, Diagnostics, Severity};
use iec_core::explain::explain;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan,
    ThemeCharacters, ThemeStyles,
};

/// Longer lines are not drawn, and longer texts are cut: what is wrong would be lost in what is not.
const LONGEST_LINE: usize = 2000;

/// So many problems of one kind are drawn in full; who has seen them knows what the others are.
const IN_FULL: usize = 10;

/// Draws all problems, one after the other; of a kind with many, the first ones and how many there are. `text` is what their places point into, unless `further` has their file.
pub(super) fn draw(
    diagnostics: &Diagnostics,
    text: &str,
    further: &[(String, String)],
    color: bool,
    width: usize,
) -> String {
    let styles = if color {
        ThemeStyles::ansi()
    } else {
        ThemeStyles::none()
    };
    let theme = GraphicalTheme {
        characters: ThemeCharacters::unicode(),
        styles,
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_links(false);
    let mut drawn = String::new();
    let mut kinds: BTreeMap<(&str, Severity), Kind> = BTreeMap::new();
    for diagnostic in diagnostics {
        let kind = kinds.entry((diagnostic.code, diagnostic.severity)).or_default();
        kind.count += 1;
        if kind.count > IN_FULL {
            kind.leave_out(diagnostic);
            continue;
        }
        let file: &str = diagnostic.place.as_ref().map_or("", |place| &place.file);
        let own = further.iter().find(|(name, _)| name == file);
        let text = own.map_or(text, |(_, text)| text);
        let problem = Drawable {
            source: is_drawn(diagnostic, text).then(|| NamedSource::new(file, text.to_owned())),
            diagnostic,
        };
        handler
            .render_report(&mut drawn, &problem)
            .expect("writing to a string does not fail");
        drawn.push('\n');
    }
    for ((code, severity), kind) in &kinds {
        drawn.extend(kind.rest(code, *severity));
    }
    drawn
}

/// What is known about all problems of one code.
#[derive(Default)]
struct Kind {
    count: usize,
    /// The lines of those that are not drawn, by their files.
    lines: BTreeMap<String, (usize, usize)>,
}

impl Kind {
    fn leave_out(&mut self, diagnostic: &Diagnostic) {
        let Some(place) = &diagnostic.place else { return };
        let lines = self
            .lines
            .entry(place.file.to_string())
            .or_insert((place.line, place.line));
        *lines = (lines.0.min(place.line), lines.1.max(place.line));
    }

    /// One line about those that are not drawn.
    fn rest(&self, code: &str, severity: Severity) -> Option<String> {
        let more = self.count.checked_sub(IN_FULL).filter(|more| *more > 0)?;
        let title = explain(code).map_or("", |explanation| explanation.title);
        let lines = self
            .lines
            .iter()
            .map(|(file, (first, last))| match first == last {
                true => format!("{file} line {first}"),
                false => format!("{file} lines {first} to {last}"),
            });
        let lines: Vec<String> = lines.collect();
        let at = if lines.is_empty() {
            String::new()
        } else {
            format!(", in {}", lines.join(" and "))
        };
        Some(format!(
            "{severity}[{code}]: {title}: {more} more of this kind{at}\n\n"
        ))
    }
}

/// Whether the lines that a problem speaks about, and those beside them, can be drawn.
fn is_drawn(diagnostic: &Diagnostic, text: &str) -> bool {
    let labels = diagnostic.labels.iter().map(|label| &label.place);
    let mut places = diagnostic.place.iter().chain(labels);
    places.all(|place| {
        let beside = text.lines().skip(place.line.saturating_sub(2)).take(3);
        beside.map(str::len).all(|length| length <= LONGEST_LINE)
    })
}

/// A text that may repeat what it is about, however long that is.
fn shortened(text: &str) -> std::borrow::Cow<'_, str> {
    match text.char_indices().nth(LONGEST_LINE) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// A problem in miette's terms.
#[derive(Debug)]
struct Drawable<'d> {
    diagnostic: &'d Diagnostic,
    /// Nothing where its lines are too long.
    source: Option<NamedSource<String>>,
}

impl fmt::Display for Drawable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&shortened(&self.diagnostic.message))?;
        match (&self.source, &self.diagnostic.place) {
            (None, Some(place)) => write!(formatter, " ({}:{}:{})", place.file, place.line, place.column),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Drawable<'_> {}

impl miette::Diagnostic for Drawable<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let lines: Vec<_> = self
            .diagnostic
            .evidence
            .iter()
            .chain(&self.diagnostic.hint)
            .map(|line| shortened(line))
            .collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.diagnostic.place.as_ref()?;
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.diagnostic.place.as_ref().filter(|_| self.source.is_some())?;
        let own = LabeledSpan::new_primary_with_span(None, SourceSpan::from(place.span.clone()));
        // A label in another file cannot be drawn into this one.
        let others = self
            .diagnostic
            .labels
            .iter()
            .filter(|label| label.place.file == place.file)
            .map(|label| {
                LabeledSpan::new_with_span(
                    Some(label.text.clone()),
                    SourceSpan::from(label.place.span.clone()),
                )
            });
        Some(Box::new(std::iter::once(own).chain(others)))
    }
}
