//! Values become shell text here and nowhere else.
//!
//! One invariant: **no unquoted value can become shell.** A [`Word`] prints as exactly one POSIX word,
//! a [`Program`] comes from a closed list, and there is no way to put raw text into an [`Expr`].
//! The text is POSIX `sh`: dash, bash and busybox read it alike.

mod carried;
mod cmd;
mod expr;
mod layout;
mod output;
mod paste;
mod program;
mod repeated;
mod runner;
mod service_guard;
mod word;

pub use carried::{
    Carried, CarriedAutorun, CarriedInstall, CarriedPlace, CarriedSeed, CarriedSite, FIRST_BOOT, Joins,
};
pub use cmd::{Cmd, Input, Output};
pub use expr::Expr;
pub use output::OutputQuestion;
pub use paste::{PasteContent, PasteStep, Preface, missing_blobs, unpack_secrets};
pub use program::Program;
pub use runner::{
    LockQuestion, Mode, OnFailure, Question, ReceivedQuestion, RunnerScript, RunnerStep, UndoScript,
    UndoStep, WayBack, events,
};
pub use service_guard::ServiceGuard;
pub use word::Word;
