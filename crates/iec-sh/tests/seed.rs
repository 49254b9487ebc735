//! Media of a site at the first start of its hosts: only a signed one, only what its list says, and only until the host is installed.

#![expect(
    clippy::disallowed_methods,
    reason = "the test runs real shells and the real ssh-keygen"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use iec_sh::{CarriedAutorun, CarriedSeed};
use support::{Folder, SHELLS};

/// What installs the host: it tells from where it runs and with what, and leaves a journal.
const INSTALL: &str = "#!/bin/sh\necho \"$0 $*\" >>\"$LOG/ran\"\ncat \"$4/secrets-edge-1\" >>\"$LOG/ran\"\n\
    echo '\"step\":\"finish.forget\",\"digest\":\"00ff\",\"outcome\":\"changed\"' >\"$LOG/home/journal.jsonl\"\n";

/// A host's image, and a medium that is attached to it.
struct Machine {
    root: Folder,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { root: Folder::new() };
        for folder in ["bin", "home", "run", "medium"] {
            fs::create_dir(machine.at(folder)).expect("made");
        }
        for name in ["site", "stranger"] {
            let key = machine.at(name);
            let words = ["-q", "-t", "ed25519", "-N", "", "-f"];
            let made = Command::new("ssh-keygen").args(words).arg(key).status();
            assert!(made.expect("ssh-keygen").success());
        }
        // What stands for a mount shows the folder of the medium.
        machine.program(
            "mount",
            "for last; do :; done; rmdir \"$last\" && ln -s \"$LOG/medium\" \"$last\"",
        );
        machine.program("umount", "rm \"$1\"");
        machine.program("blkid", "echo /dev/medium");
        machine.program("systemctl", "echo \"$*\" >>\"$LOG/systemctl\"");
        machine.program("id", "echo 0");
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.at(&format!("bin/{name}"));
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("set");
    }

    fn put(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).expect("written");
    }

    /// The medium as it is rendered, with a list that this key has signed.
    fn medium(&self, key: &str) {
        let autorun = CarriedAutorun {
            site: "test",
            about: &[],
            // Every machine has this card.
            hosts: &[("edge-1".to_owned(), vec!["00:00:00:00:00:00".to_owned()])],
        };
        self.put("medium/autorun.sh", &autorun.text());
        self.put("medium/install-edge-1.sh", INSTALL);
        self.put("medium/secrets-edge-1", "seeded-secret\n");
        let list = "cd medium && rm -f manifest.sig && sha256sum autorun.sh install-edge-1.sh secrets-edge-1 >manifest && \
                    ssh-keygen -q -Y sign -n iec-seed -f";
        let key = self.at(key);
        let made = Command::new("sh")
            .args(["-c", &format!("{list} {} manifest", key.display())])
            .current_dir(self.root.path())
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("sh").success());
    }

    /// Starts the host: what the unit of its image does.
    fn started(&self, shell: &[&str]) -> Output {
        let key = fs::read_to_string(self.at("site.pub")).expect("a key");
        let home = self.at("home");
        let seed = CarriedSeed {
            home: home.to_str().expect("plain"),
            site: "test",
            label: "IEC-TEST",
            key: key.trim(),
            about: &[],
        };
        let text = seed
            .text()
            .replace(
                "PATH=/usr/local/sbin",
                &format!("PATH={}:/usr/local/sbin", self.at("bin").display()),
            )
            .replace("/run/iec", self.at("run").to_str().expect("plain"));
        Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", &text])
            .env("LOG", self.root.path())
            .stdin(Stdio::null())
            .output()
            .expect("a shell")
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.at(path)).ok()
    }

    /// Fails when something of the medium ran, or the host was changed.
    fn is_refused(&self, output: &Output, code: &str, case: &str) {
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{case}: {told}");
        assert!(told.contains(&format!("error[{code}]")), "{case}: {told}");
        assert_eq!(self.read("ran"), None, "{case}");
        assert_eq!(self.read("systemctl"), None, "{case}");
        assert_eq!(fs::read_dir(self.at("home")).expect("read").count(), 0, "{case}");
        self.leaves_nothing(case);
    }

    fn leaves_nothing(&self, case: &str) {
        assert!(!self.at("run/seed-own").exists(), "{case}");
        assert!(!self.at("run/seed").exists(), "{case}");
    }
}

fn append(path: &Path, text: &str) {
    let before = fs::read_to_string(path).expect("read");
    fs::write(path, before + text).expect("written");
}

#[test]
fn a_medium_of_the_site_installs_once() {
    for shell in SHELLS {
        let machine = Machine::new();
        machine.medium("site");
        let output = machine.started(shell);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        // What was compared is what ran: the copies, not the files of the medium. Blobs come from there.
        let (own, medium) = (machine.at("run/seed-own"), machine.at("run/seed"));
        let (own, medium) = (own.display(), medium.display());
        let expected = format!("{own}/install-edge-1.sh --from {medium} --secrets {own}\nseeded-secret\n");
        assert_eq!(machine.read("ran"), Some(expected), "{shell:?}");
        assert_eq!(
            machine.read("systemctl").as_deref(),
            Some("disable iec-seed.service\n")
        );
        machine.leaves_nothing("installed");
        // Whatever is attached to it later: nothing of it is even looked at.
        fs::remove_file(machine.at("ran")).expect("removed");
        machine.program("mount", "echo mounted >>\"$LOG/ran\"; exit 1");
        let output = machine.started(shell);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        assert_eq!(machine.read("ran"), None, "{shell:?}");
    }
}

#[test]
fn an_installation_that_was_cut_goes_on() {
    let machine = Machine::new();
    machine.medium("site");
    machine.put(
        "home/journal.jsonl",
        "\"step\":\"finish.forget\",\"digest\":\"00ff\",\"intent\":\"apply\"\n",
    );
    let output = machine.started(&["dash"]);
    assert!(output.status.success(), "{output:?}");
    assert!(machine.read("ran").is_some());
}

#[test]
fn a_medium_that_fails_to_install_is_tried_again() {
    let machine = Machine::new();
    machine.put("medium/autorun.sh", "");
    machine.medium("site");
    fs::write(machine.at("medium/install-edge-1.sh"), "exit 2\n").expect("written");
    let resign = "cd medium && rm manifest.sig && sha256sum autorun.sh install-edge-1.sh >manifest && \
                  ssh-keygen -q -Y sign -n iec-seed -f ../site manifest";
    let made = Command::new("sh")
        .args(["-c", resign])
        .current_dir(machine.root.path())
        .status();
    assert!(made.expect("sh").success());
    let output = machine.started(&["dash"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(machine.read("systemctl"), None, "it stays enabled");
    machine.leaves_nothing("failed");
}

#[test]
fn nothing_of_a_foreign_medium_runs() {
    for shell in SHELLS {
        let machine = Machine::new();
        machine.medium("stranger");
        let output = machine.started(shell);
        machine.is_refused(&output, "IEC3935", "signed by another");

        machine.medium("site");
        append(&machine.at("medium/manifest"), "0000  another\n");
        let output = machine.started(shell);
        machine.is_refused(&output, "IEC3935", "the list is longer");

        machine.medium("site");
        fs::remove_file(machine.at("medium/manifest.sig")).expect("removed");
        let output = machine.started(shell);
        machine.is_refused(&output, "IEC3935", "no signature");

        for file in ["manifest", "autorun.sh"] {
            machine.medium("site");
            fs::remove_file(machine.at(&format!("medium/{file}"))).expect("removed");
            let output = machine.started(shell);
            let code = if file == "manifest" { "IEC3935" } else { "IEC3937" };
            machine.is_refused(&output, code, file);
        }
        for file in ["autorun.sh", "install-edge-1.sh", "secrets-edge-1"] {
            machine.medium("site");
            append(
                &machine.at(&format!("medium/{file}")),
                "echo evil >>\"$LOG/ran\"\n",
            );
            let output = machine.started(shell);
            machine.is_refused(&output, "IEC3937", file);
        }
    }
}
