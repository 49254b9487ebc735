//! Proxies of the session that a script runs in: no question and no command of a step sees them, in any shell.

#![expect(clippy::disallowed_methods, reason = "the test runs real shells")]

use std::path::PathBuf;
use std::process::Command;

use iec_sh::{
    Cmd, Expr, Mode, OnFailure, PasteStep, Preface, Program, Question, RunnerScript, RunnerStep, UndoStep,
};

const SHELLS: &[&[&str]] = &[&["dash"], &["bash", "--posix"], &["busybox", "sh"]];
const VARIABLES: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// A folder to work in; it goes with its owner.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("iec-proxy-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }

    /// Runs a script in a session that has every proxy set.
    fn run(&self, shell: &[&str], script: &str) {
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-c")
            .arg(script)
            .env("HOME", &self.0)
            .envs(VARIABLES.map(|name| (name, "http://10.9.9.9:3128")))
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", shell[0]));
        assert!(output.status.success(), "{shell:?}: {output:?}");
    }

    /// What a command saw, by the file into which it wrote its environment.
    fn seen(&self, name: &str) -> String {
        let seen = std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(seen.contains("PATH="), "{seen}");
        seen.to_lowercase()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A step that writes the environment of its question, its command and its undo into files of these names.
fn step(home: &Home) -> RunnerStep {
    let writes = |name: &str| Expr::from(Cmd::new(Program::Env).stdout_file(home.path(name)));
    let done = Cmd::new(Program::Test).words(["-e", &home.path("apply")]);
    RunnerStep {
        id: "system.step".to_owned(),
        title: "A step".to_owned(),
        digest: "d1".to_owned(),
        sensitive: false,
        questions: vec![Question {
            what: "it's done".to_owned(),
            ask: Expr::all([writes("ask"), done.into()]),
            needed: vec![1],
        }],
        keep: vec![],
        apply: vec![writes("apply")],
        undo: vec![writes("undo")],
        way_back: iec_sh::WayBack::ByItself,
        shows: vec![],
        differences: vec![],
        last_words: vec![],
    }
}

#[test]
fn no_step_of_the_runner_sees_a_proxy() {
    for shell in SHELLS {
        let home = Home::new("runner");
        let step = step(&home);
        let undo = UndoStep {
            id: "system.old".to_owned(),
            text: step.undo_text(),
            on_failure: OnFailure::Stop,
        };
        let folder = home.path("home");
        let script = RunnerScript {
            home: &folder,
            owner: "somebody",
            run: "run-1",
            steps: &[step],
            admission: 0,
            whole: true,
            undo: &[undo],
        };
        for (mode, names) in [
            (Mode::Observe, &["ask"][..]),
            (Mode::Apply, &["ask", "apply", "undo"]),
        ] {
            home.run(shell, &script.text(mode));
            for name in names {
                assert!(!home.seen(name).contains("_proxy="), "{shell:?} {mode:?} {name}");
            }
        }
    }
}

#[test]
fn no_pasted_step_sees_a_proxy() {
    for shell in SHELLS {
        let home = Home::new("paste");
        let step = step(&home);
        let paste = PasteStep {
            step: &step,
            number: "1.1",
        };
        let folder = home.path("home");
        let preface = Preface {
            home: &folder,
            folder: "book",
            iterations: 10,
        };
        let blocks = [
            preface.text(),
            paste.ask() + "true\n",
            paste.apply().expect("it does something"),
            paste.undo().expect("there is a way back"),
        ];
        // Whoever is root needs no `sudo`, and a stand-in keeps the environment as a real one may.
        home.run(
            shell,
            &format!("sudo() {{ [ \"$1\" = -v ] || \"$@\"; }}\n{}", blocks.concat()),
        );
        for name in ["ask", "apply", "undo"] {
            assert!(!home.seen(name).contains("_proxy="), "{shell:?} {name}");
        }
    }
}
