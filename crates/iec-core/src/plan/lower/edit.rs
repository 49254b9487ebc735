//! A change of a file that belongs to somebody else: it is whole on the disk before it takes the file's place.

use iec_sh::{Cmd, Expr, Program, Question};

use super::ask::{question, run, test};
use super::file::parent;

/// The change of one file.
pub(super) struct Edit<'a> {
    path: &'a str,
    /// What is being written.
    pub(super) part: String,
    /// What is written, and is there until the file has it.
    new: String,
}

impl<'a> Edit<'a> {
    pub(super) fn new(path: &'a str) -> Self {
        Self {
            path,
            part: format!("{path}.iec-part"),
            new: format!("{path}.iec-new"),
        }
    }

    /// Whether a change was begun that the file does not have yet.
    pub(super) fn is_begun(&self) -> Expr {
        test(["-e", &self.new])
    }

    /// Whether no change was cut.
    pub(super) fn question(&self) -> Question {
        question(
            format!("{} is written to its end", self.path),
            self.is_begun().not(),
        )
    }

    /// Writes [`Self::part`] from what the file has. An empty file beside a whole new one is what a cut left of it.
    pub(super) fn begin(&self, write: impl Fn(&str) -> Expr) -> Expr {
        let torn = Expr::all([test(["-s", self.path]).not(), test(["-s", &self.new])]);
        Expr::If {
            condition: Box::new(torn),
            then: vec![write(&self.new)],
            otherwise: vec![write(self.path)],
        }
    }

    /// Gives the file what was written, with its own mode and owner.
    pub(super) fn end(&self) -> Vec<Expr> {
        let (path, part, new) = (self.path, self.part.as_str(), self.new.as_str());
        // What is mounted into a container, as /etc/hosts may be, cannot be replaced; and a link stays one.
        let fixed = Expr::any([test(["-L", path]), run(Program::Mountpoint, ["-q", path])]);
        vec![
            Expr::If {
                condition: Box::new(test(["-e", path])),
                then: vec![
                    run(Program::Chown, [&format!("--reference={path}"), part]),
                    run(Program::Chmod, [&format!("--reference={path}"), part]),
                ],
                otherwise: vec![],
            },
            run(Program::Sync, [part]),
            run(Program::Mv, ["-fT", part, new]),
            Expr::If {
                condition: Box::new(fixed),
                then: vec![
                    run(Program::Sync, [parent(path)]),
                    Cmd::new(Program::Cat).word(new).stdout_file(path).into(),
                    run(Program::Sync, [path]),
                    run(Program::Rm, ["-f", new]),
                ],
                otherwise: vec![run(Program::Mv, ["-fT", new, path])],
            },
        ]
    }
}
