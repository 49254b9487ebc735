//! The script that compares a host with what was assumed of it: before the first change, in every shell.

#![expect(clippy::disallowed_methods, reason = "the test runs real shells")]

use std::path::PathBuf;
use std::process::{Command, Output};

use iec_sh::{Carried, Cmd, Program, Question};

const SHELLS: &[&[&str]] = &[&["dash"], &["bash", "--posix"], &["busybox", "sh"]];

struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("iec-assumed-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    /// Asks whether these paths are there.
    fn compare(&self, shell: &[&str], paths: &[&str]) -> Output {
        let questions: Vec<Question> = paths
            .iter()
            .map(|path| Question {
                what: format!("there's a {path}"),
                ask: Cmd::new(Program::Test).words(["-e", *path]).into(),
                needed: vec![],
            })
            .collect();
        let carried = Carried {
            home: self.0.to_str().expect("a plain path"),
            site: "edge",
            host: "edge-1",
            about: &[],
            identity: &[],
            titles: &[],
        };
        Command::new(shell[0])
            .args(&shell[1..])
            .arg("-c")
            .arg(carried.compare("d1", &questions))
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", shell[0]))
    }

    fn journal(&self, line: &str) {
        std::fs::write(self.0.join("journal.jsonl"), line).expect("written");
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_host_that_is_as_assumed_is_told_nothing() {
    for shell in SHELLS {
        let output = Home::new("good").compare(shell, &["/", "/etc"]);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn all_that_is_not_so_is_told_with_its_code() {
    for shell in SHELLS {
        let output = Home::new("other").compare(shell, &["/nowhere", "/", "/no place"]);
        assert_eq!(output.status.code(), Some(1), "{shell:?}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            told.lines().next(),
            Some(
                "error[IEC1706]: edge-1: what was assumed of this host is not so: there's a /nowhere; not so: there's a /no place"
            ),
            "{shell:?}"
        );
        assert!(told.contains("  next: iec check --probe"), "{told}");
    }
}

#[test]
fn a_host_that_was_changed_already_is_not_asked() {
    let line = |digest: &str, outcome: &str| {
        format!("{{\"v\":1,\"step\":\"admission.mark\",\"digest\":\"{digest}\",\"outcome\":\"{outcome}\"}}\n")
    };
    for (line, code) in [
        (line("d1", "changed"), 0),
        (line("d1", "adopted"), 0),
        (line("d1", "failed"), 1),
        (line("d2", "changed"), 1),
    ] {
        let home = Home::new("changed");
        home.journal(&line);
        let output = home.compare(&["dash"], &["/nowhere"]);
        assert_eq!(output.status.code(), Some(code), "{line}");
    }
}
