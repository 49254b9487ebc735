//! The one place where tasks print.

use std::fmt::Display;
use std::io::Write as _;

/// Prints a line. When nobody reads any more there is nobody to tell.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
