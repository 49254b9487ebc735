//! A file that a running program has to accept: what it had before is kept until it has, and is put back when it does not.

use iec_sh::{Cmd, Expr, Program, Question, Word};

use super::HOME;
use super::ask::{question, run, test};
use super::file::parent;

/// The change of one file of a running program.
pub(super) struct Gate<'a> {
    /// The file.
    pub(super) path: &'a str,
    /// The name under which its former content is kept.
    pub(super) name: &'a str,
    /// What makes the program read it; nothing where it does by itself.
    pub(super) reload: Vec<Expr>,
    /// Whether the program runs with the file as it is, and does its work.
    pub(super) accepted: Expr,
    /// Seconds that it may take for that.
    pub(super) deadline_seconds: u32,
    /// The units without which it never comes.
    pub(super) units: Vec<Word>,
    /// What tells why it does not, asked before the former content takes its place again.
    pub(super) evidence: Vec<Expr>,
}

/// Where the former content of a file is between its change and its acceptance.
fn former(name: &str) -> String {
    format!("{HOME}/former/{name}")
}

impl Gate<'_> {
    /// Whether no change of the file waits for its acceptance: a run that was cut off leaves one.
    pub(super) fn question(&self) -> Question {
        question(
            format!("the last change of {} was accepted", self.path),
            test(["-e", &former(self.name)]).not(),
        )
    }

    /// Keeps what the program has now, unless an earlier run has kept it and was cut off.
    pub(super) fn begin(&self) -> Vec<Expr> {
        let former = former(self.name);
        let part = format!("{former}.part");
        vec![
            run(Program::Mkdir, ["-p", parent(&former)]),
            Expr::If {
                condition: Box::new(Expr::any([test(["-e", &former]), test(["-e", self.path]).not()])),
                then: vec![],
                otherwise: vec![
                    run(Program::Cp, ["-a", self.path, &part]),
                    run(Program::Sync, [&part]),
                    run(Program::Mv, ["-fT", &part, &former]),
                    run(Program::Sync, [parent(&former)]),
                ],
            },
        ]
    }

    /// Waits until the program has accepted the change; else its former content takes its place again, and the step fails.
    pub(super) fn end(self) -> Vec<Expr> {
        let former = former(self.name);
        let poll = |question: &Expr| Expr::Poll {
            question: Box::new(question.clone()),
            every_seconds: 1,
            deadline_seconds: self.deadline_seconds,
            units: self.units.clone(),
            slowness: 1,
        };
        let mut refused: Vec<Expr> = self.evidence.iter().cloned().map(Expr::ignore_failure).collect();
        refused.push(Expr::If {
            condition: Box::new(test(["-e", &former])),
            then: self.put_back(&former, &poll),
            otherwise: vec![],
        });
        refused.push(Expr::any(Vec::<Expr>::new()));
        let mut commands = self.reload.clone();
        commands.push(Expr::If {
            condition: Box::new(poll(&self.accepted)),
            then: vec![run(Program::Rm, ["-f", &former])],
            otherwise: refused,
        });
        commands
    }

    fn put_back(&self, former: &str, poll: &impl Fn(&Expr) -> Expr) -> Vec<Expr> {
        // Beside the file and hidden: a kubelet takes any other file in its folder of static pods for a pod.
        let folder = parent(self.path);
        let new = format!("{folder}/.{}.iec-new", self.name);
        let mut commands = vec![
            run(Program::Cp, ["-a", former, &new]),
            run(Program::Sync, [&new]),
            run(Program::Mv, ["-fT", &new, self.path]),
            run(Program::Sync, [folder]),
        ];
        commands.extend(self.reload.iter().cloned().map(Expr::ignore_failure));
        commands.push(Expr::If {
            condition: Box::new(poll(&self.accepted)),
            then: vec![
                run(Program::Rm, ["-f", former]),
                say(format!("{} did not work, and is as it was before", self.path)),
            ],
            otherwise: vec![say(format!(
                "{} did not work; it is as it was before, and that does not work either",
                self.path
            ))],
        });
        commands
    }
}

fn say(words: String) -> Expr {
    Cmd::new(Program::Printf).words(["%s\\n", &words]).into()
}
