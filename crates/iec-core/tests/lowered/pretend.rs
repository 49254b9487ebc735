//! A folder that stands for a host: steps are done and taken back in it, by the runner and by its journal.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use iec_core::journal::Journal;
use iec_core::name::HostName;
use iec_core::plan::{HOME, Op, Phase, Step, StepId, lower};
use iec_sh::{Mode, OnFailure, RunnerScript, UndoScript, UndoStep};
use tempfile::TempDir;

/// The folders of a host that steps may touch; each is below the pretended root.
const FOLDERS: [&str; 7] = [
    "/etc/",
    "/opt/",
    "/proc/",
    "/root/",
    "/home/",
    "/run/",
    "/var/lib/",
];

/// A pretended host.
pub(crate) struct Pretend {
    root: TempDir,
}

impl Pretend {
    /// A host that has nothing but empty folders.
    pub(crate) fn new() -> Self {
        let host = Self {
            root: tempfile::tempdir().expect("a folder"),
        };
        for folder in FOLDERS {
            std::fs::create_dir_all(host.path(folder)).expect("a folder");
        }
        host.write("/proc/uptime", "1.00 1.00\n");
        host
    }

    /// The folder that stands for the host.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where a path of the host is.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file of the host, and the folders above it.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder above it")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    /// What is in a file of the host; `None` if it is not there.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path(path)).ok()
    }

    /// Puts a stand-in for a program there: the body of a shell script, in which paths are the host's.
    pub(crate) fn stand_in(&self, program: &str, body: &str) {
        let path = format!("/tools/{program}");
        self.write(&path, &format!("#!/bin/sh\n{}", self.within(body)));
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path(&path), mode).expect("made a program");
    }

    /// Does a step, and gives the runner's last word on it: `changed`, `unchanged`, `adopted`, or `failed` with its reason.
    pub(crate) fn apply(&self, name: &str, op: Op) -> String {
        self.run(&script(&[step(name, op)], Mode::Apply))
    }

    /// Looks at steps in one script, and gives the state of each.
    pub(crate) fn observe(&self, ops: Vec<(&str, Op)>) -> Vec<(String, String)> {
        let steps: Vec<Step> = ops.into_iter().map(|(name, op)| step(name, op)).collect();
        let text = self.output(&script(&steps, Mode::Observe)).0;
        let state = |line: &str| {
            let mut fields = line.strip_prefix("iec\tobserved\t")?.split('\t');
            Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
        };
        let states: Vec<_> = text.lines().filter_map(state).collect();
        assert_eq!(states.len(), steps.len(), "{text}");
        states
    }

    /// Takes everything back that the journal has, as `reset` does, and gives the runner's last word; `nothing` where it has none.
    pub(crate) fn undo(&self) -> String {
        let journal = Journal::parse(&self.read("/var/lib/iec/journal.jsonl").unwrap_or_default());
        assert_eq!(journal.damaged, Vec::<String>::new());
        let root = self.root.path().display().to_string();
        let steps: Vec<UndoStep> = journal
            .undo()
            .into_iter()
            .map(|recorded| UndoStep {
                id: recorded.step.to_string(),
                // Kept with the paths of this machine, it is run with those of the host again.
                text: recorded.undo.replace(&root, ""),
                on_failure: OnFailure::Stop,
            })
            .collect();
        if steps.is_empty() {
            return "nothing".to_owned();
        }
        let script = UndoScript {
            home: HOME,
            owner: "test",
            run: "run-2",
            steps: &steps,
            retire: false,
        };
        self.run(&script.text())
    }

    /// Runs a script on the host, and gives what it prints.
    pub(crate) fn shell(&self, script: &str) -> String {
        let (text, errors) = self.output(script);
        text + &errors
    }

    fn run(&self, script: &str) -> String {
        let (text, errors) = self.output(script);
        let word = text
            .lines()
            .filter_map(|line| line.strip_prefix("iec\t"))
            .filter(|line| !line.starts_with("started") && !line.starts_with("end"))
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .next_back()
            .unwrap_or_else(|| panic!("{text}{errors}"));
        match word.as_slice() {
            ["failed", _, reason, _, output, ..] => {
                use base64::Engine as _;
                let said = base64::engine::general_purpose::STANDARD
                    .decode(output)
                    .expect("base64");
                format!("failed {reason}: {}", String::from_utf8_lossy(&said))
            }
            [word, ..] => (*word).to_owned(),
            [] => String::new(),
        }
    }

    fn output(&self, script: &str) -> (String, String) {
        let output = Command::new("sh")
            .arg("-c")
            .arg(self.within(script))
            .output()
            .expect("sh starts");
        let text = |bytes| String::from_utf8(bytes).expect("plain text");
        (text(output.stdout), text(output.stderr))
    }

    /// The text with this host's folders for those of the machine, and its stand-ins before other programs.
    fn within(&self, text: &str) -> String {
        let root = self.root.path().display();
        let text = FOLDERS.iter().fold(text.to_owned(), |text, folder| {
            let text = text.replace(folder, &format!("{root}{folder}"));
            // The folder itself, as a word.
            let itself = folder.trim_end_matches('/');
            [" ", "\n", ";"].iter().fold(text, |text, end| {
                text.replace(&format!(" {itself}{end}"), &format!(" {root}{itself}{end}"))
            })
        });
        text.replace(
            "PATH=/usr/local/sbin",
            &format!("PATH={root}/recording:{root}/tools:/usr/local/sbin"),
        )
    }
}

fn step(name: &str, op: Op) -> Step {
    Step {
        id: StepId::new(Phase::System, name),
        phase: Phase::System,
        host: HostName::new("edge-1").expect("a name"),
        title: name.to_owned(),
        why: String::new(),
        op,
        pace: iec_core::pace::Pace::ORDINARY,
        estimate_seconds: 0,
    }
}

fn script(steps: &[Step], mode: Mode) -> String {
    let steps: Vec<_> = steps.iter().map(|step| lower(step).runner_step(step)).collect();
    RunnerScript {
        home: HOME,
        owner: "test",
        run: "run-1",
        steps: &steps,
        admission: 0,
        whole: true,
        undo: &[],
    }
    .text(mode)
}
