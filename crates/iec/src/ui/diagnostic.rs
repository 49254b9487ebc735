//! Problems of a text, drawn with the lines that they speak about.

use std::fmt;

use iec_core::diagnostic::{Diagnostic, Diagnostics, Severity};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, SourceSpan,
    ThemeCharacters, ThemeStyles,
};

/// Draws all problems, one after the other. `text` is what their places point into, unless `further` has their file.
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
    for diagnostic in diagnostics {
        let file: &str = diagnostic.place.as_ref().map_or("", |place| &place.file);
        let own = further.iter().find(|(name, _)| name == file);
        let problem = Drawable {
            source: NamedSource::new(file, own.map_or(text, |(_, text)| text).to_owned()),
            diagnostic,
        };
        handler
            .render_report(&mut drawn, &problem)
            .expect("writing to a string does not fail");
        drawn.push('\n');
    }
    drawn
}

/// A problem in miette's terms.
#[derive(Debug)]
struct Drawable<'d> {
    diagnostic: &'d Diagnostic,
    source: NamedSource<String>,
}

impl fmt::Display for Drawable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.diagnostic.message)
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
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let lines: Vec<&str> = self
            .diagnostic
            .evidence
            .iter()
            .chain(&self.diagnostic.hint)
            .map(String::as_str)
            .collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.diagnostic
            .place
            .is_some()
            .then_some(&self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.diagnostic.place.as_ref()?;
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
