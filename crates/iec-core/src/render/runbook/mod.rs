//! The runbook: a plan as a book for somebody who installs by hand, with the very commands that `apply` runs.

mod assumed;
mod blocks;
mod book;
mod host;
mod html;
mod markdown;
mod page;
mod step;

pub use blocks::{Block, Part, blocks};

use super::{File, Files, Options, Subject};

/// The book as Markdown and as HTML, and what the hosts need beside it.
pub(super) fn files(subject: &Subject<'_>, options: &Options) -> Files {
    let page = book::book(subject, options);
    let mut files = super::carried(subject, options);
    files.insert("runbook.md".to_owned(), File::text(markdown::markdown(&page)));
    files.insert("runbook.html".to_owned(), File::text(html::html(&page)));
    files
}
