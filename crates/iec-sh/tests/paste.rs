//! Blocks that a person pastes: what they say, in every shell, and that a block that stops says so.

#![expect(clippy::disallowed_methods, reason = "the test runs real shells")]

use std::path::{Path, PathBuf};
use std::process::Command;

use iec_sh::{Cmd, Expr, PasteContent, PasteStep, Preface, Program, Question, RunnerStep};

const SHELLS: &[&[&str]] = &[&["dash"], &["bash"], &["busybox", "sh"]];

struct Host(PathBuf);

impl Host {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("iec-paste-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("book")).expect("a folder");
        Self(folder)
    }

    /// Pastes the blocks into one session; gives what it showed. The path of `sudo` is not needed as root, and else it
    /// is a program that does what it is told.
    fn paste(&self, shell: &[&str], blocks: &[String]) -> String {
        let home = self.0.join("home");
        let preface = Preface {
            home: home.to_str().expect("a plain path"),
            folder: "book",
            iterations: 10,
        };
        let tools = self.0.join("tools");
        std::fs::create_dir_all(&tools).expect("a folder");
        let sudo = tools.join("sudo");
        std::fs::write(&sudo, "#!/bin/sh\n[ \"$1\" = -v ] || exec \"$@\"\n").expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&sudo, mode).expect("made a program");
        let script = preface.text() + &blocks.concat();
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-c")
            .arg(script)
            .env("HOME", &self.0)
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", shell[0]));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn test(word: &str, path: &str) -> Expr {
    Cmd::new(Program::Test).word(word).word(path).into()
}

/// A step that makes a file, with an exit code that means "to do".
fn step(path: &str, needed: Vec<u8>, apply: Vec<Expr>) -> RunnerStep {
    RunnerStep {
        title: "A step".to_owned(),
        id: "system.file".to_owned(),
        digest: String::new(),
        sensitive: false,
        questions: vec![Question {
            what: "it's there".to_owned(),
            ask: test("-e", path),
            needed,
        }],
        keep: vec![],
        apply,
        undo: vec![Cmd::new(Program::Rm).word(path).into()],
        way_back: iec_sh::WayBack::ByItself,
        shows: vec![],
        differences: vec![],
        last_words: vec![],
    }
}

#[test]
fn a_step_is_asked_done_asked_and_taken_back() {
    for shell in SHELLS {
        let host = Host::new("steps");
        let path = host.path("made by 'hand'");
        let write = Cmd::new(Program::Tee)
            .word(path.as_str())
            .stdin_text("one\n\ttwo !three\nEND_OF_STEP\n");
        let step = step(&path, vec![1], vec![write.into()]);
        let paste = PasteStep {
            step: &step,
            number: "1.2",
        };
        let blocks = [
            paste.ask(),
            paste.apply().expect("it does something"),
            paste.ask(),
        ];
        let shown = host.paste(shell, &blocks);
        let expected = "Step 1.2: to do.\n  not yet: it's there\n\
                        one\n\ttwo !three\nEND_OF_STEP\nStep 1.2: its commands have run. Ask again.\nStep 1.2: done.\n";
        assert_eq!(shown, expected, "{shell:?}");
        assert!(Path::new(&path).exists());
        let shown = host.paste(shell, &[paste.undo().expect("there is a way back"), paste.ask()]);
        assert_eq!(
            shown, "Step 1.2: taken back.\nStep 1.2: to do.\n  not yet: it's there\n",
            "{shell:?}"
        );
    }
}

#[test]
fn what_fails_says_so_and_nothing_comes_after_it() {
    for shell in SHELLS {
        let host = Host::new("fails");
        let path = host.path("made");
        let touch: Expr = Cmd::new(Program::Touch).word(path.as_str()).into();
        // A failing part of a list ends the step too.
        let fails = Expr::all([test("-e", "/nowhere"), test("-e", "/")]);
        let step = step(&path, vec![], vec![fails, touch]);
        let paste = PasteStep {
            step: &step,
            number: "3.4",
        };
        let shown = host.paste(shell, &[paste.ask(), paste.apply().expect("it does something")]);
        assert_eq!(
            shown,
            "Step 3.4: STOP HERE.\n  not so, or nobody can tell (exit code 1): it's there\nStep 3.4: FAILED. STOP HERE.\n",
            "{shell:?}"
        );
        assert!(!Path::new(&path).exists());
    }
}

#[test]
fn half_a_block_does_nothing() {
    let host = Host::new("half");
    let path = host.path("made");
    let step = step(
        &path,
        vec![1],
        vec![
            Cmd::new(Program::Touch).word(path.as_str()).into(),
            Expr::If {
                condition: Box::new(test("-e", "/")),
                then: vec![test("-e", "/")],
                otherwise: vec![],
            },
        ],
    );
    let paste = PasteStep {
        step: &step,
        number: "1.1",
    };
    let whole = paste.apply().expect("it does something");
    let half = &whole[..whole.find("then").expect("a condition")];
    host.paste(&["bash"], &[half.to_owned()]);
    assert!(!Path::new(&path).exists());
}

#[test]
fn content_and_secrets_come_to_where_the_steps_look() {
    for shell in SHELLS {
        let host = Host::new("content");
        std::fs::create_dir_all(host.0.join("book/blobs/sha256")).expect("a folder");
        std::fs::write(host.0.join("book/blobs/sha256/aa"), "blob").expect("written");
        std::fs::write(
            host.0.join("book/secrets-edge-1"),
            "ca.key c2VjcmV0\nb.yaml eA==\n",
        )
        .expect("written");
        let blobs = [("aa".to_owned(), "kubelet".to_owned())];
        let home = host.path("home");
        std::fs::create_dir_all(Path::new(&home).join("disk-of-someone")).expect("a folder");
        std::fs::write(Path::new(&home).join("carried.sh"), "a script of IEC that began").expect("written");
        let content = PasteContent {
            home: &home,
            host: "edge-1",
            blobs: &blobs,
        };
        let shown = host.paste(shell, &[content.blobs("1.C"), content.secrets("1.D")]);
        assert_eq!(
            shown, "Step 1.C: its commands have run. Ask again.\nStep 1.D: done.\n",
            "{shell:?}"
        );
        let read = |name: &str| std::fs::read_to_string(Path::new(&home).join(name)).expect("it is there");
        assert_eq!(read("incoming/aa"), "blob");
        assert_eq!(read("incoming/secrets/ca.key"), "secret");
        // Noted before the first file of this way is there: an adoption later takes nothing of it for somebody else's.
        assert_eq!(read("before/home"), format!("{home}/disk-of-someone\0"));
        assert_eq!(read("incoming/secrets/b.yaml"), "x");
        let files = std::fs::read_dir(Path::new(&home).join("incoming/secrets")).expect("a folder");
        assert_eq!(files.count(), 2, "nothing of the way is left");
        host.paste(shell, &[Preface::leave().to_owned()]);
        assert!(!host.0.join("book").exists());
        let shown = host.paste(shell, &[content.secrets("1.D")]);
        assert!(shown.ends_with("Step 1.D: FAILED. STOP HERE.\n"), "{shown}");
    }
}
