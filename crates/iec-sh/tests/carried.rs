//! What scripts carry: secrets are on no disk but where the steps look for them, and what cannot be brought is told truly.

#![expect(clippy::disallowed_methods, reason = "the test runs real shells")]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use iec_sh::{CarriedPlace, CarriedSite};
use support::{Folder, SHELLS};

const SECRETS: &str = "ca.key c2VlZGVkLXNlY3JldA==\nsa.key d29ybGQ=\n";

/// An ssh that runs what it is told on this machine, keeps what the installing script reads, and is cut off from it.
const SSH: &str = r#"#!/bin/sh
for command; do :; done
printf '%s\n' "$command" >>"$LOG/commands"
case $command in
  *--needs) cat >/dev/null ;;
  *carried.sh\ --*) cat >"$LOG/read"; find "$REMOTE" -type f >"$LOG/there"; exit 255 ;;
  *) exec sh -c "$command" ;;
esac
"#;

fn run(shell: &[&str], arguments: &[&str], input: &str, environment: &[(&str, &Path)]) -> Output {
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", shell[0]));
    // A script that has ended reads no further.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("waited for")
}

/// The folder of a site's scripts with these secrets, an ssh that is cut off, and a passphrase.
fn medium(file: &str) -> (Folder, PathBuf) {
    let folder = Folder::new();
    let home = folder.path().join("host");
    let text = CarriedSite {
        home: home.to_str().expect("plain"),
        site: "test",
        about: &[],
        identity: "",
        hosts: &[CarriedPlace {
            host: "edge-1".to_owned(),
            control_plane: true,
            address: "10.0.0.11".to_owned(),
            user: "root".to_owned(),
            port: None,
            key: String::new(),
            blobs: Vec::new(),
        }],
    }
    .text();
    let put = |path: &str, text: &str| fs::write(folder.path().join(path), text).expect("written");
    put("site.sh", &text);
    for script in ["install-edge-1.sh", "verify-edge-1.sh", "undo-edge-1.sh"] {
        put(script, "exit 0\n");
    }
    put(file, SECRETS);
    put("phrase", "correct horse battery\n");
    fs::create_dir(folder.path().join("bin")).expect("made");
    put("bin/ssh", SSH);
    fs::set_permissions(folder.path().join("bin/ssh"), fs::Permissions::from_mode(0o755)).expect("set");
    (folder, home)
}

#[test]
fn a_host_that_is_cut_off_has_no_file_of_secrets() {
    for shell in SHELLS {
        for (file, words, expected) in [
            ("secrets-edge-1", " --secrets -", SECRETS.to_owned()),
            (
                "secrets-edge-1.enc",
                " --secrets - --passphrase-file -",
                format!("correct horse battery\n{SECRETS}"),
            ),
        ] {
            let (folder, home) = medium(file);
            let at = |path: &str| folder.path().join(path);
            let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", at("bin").display());
            let script = at("site.sh");
            let phrase = at("phrase");
            let output = run(
                shell,
                &[
                    script.to_str().expect("plain"),
                    "install",
                    "--passphrase-file",
                    phrase.to_str().expect("plain"),
                ],
                "",
                &[
                    ("PATH", Path::new(&path)),
                    ("LOG", folder.path()),
                    ("REMOTE", &home),
                ],
            );
            assert_eq!(output.status.code(), Some(4), "{shell:?}: {output:?}");
            let read = |path: &str| fs::read_to_string(at(path)).expect("read");
            assert_eq!(read("read"), expected, "{shell:?}");
            assert!(
                read("commands").trim_end().ends_with(words),
                "{}",
                read("commands")
            );
            // Its script has come, and nothing else.
            assert_eq!(
                read("there").trim(),
                home.join("carried.sh").display().to_string()
            );
            let mode = fs::metadata(&home).expect("made").permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{shell:?}");
        }
    }
}

/// The part of an installing script that brings secrets to their place, with what it needs around it.
fn placing(home: &Path, arguments: &str) -> String {
    format!(
        "carry_home={0}\ncarry_host=edge-1\ncarry_iterations=10\ncarry_host_tools=''\ncarry_title() {{ :; }}\n{1}\n{2}\n{3}\n{4}\n\
         carry_arguments {arguments}\ncarry_secrets\nprintf 'sealed=%s phrase=%s\\n' \"$carry_sealed\" \"$carry_phrase\"\n",
        home.display(),
        include_str!("../src/carried/frame.sh"),
        include_str!("../src/carried/url.sh"),
        // Whoever runs this test need not be root.
        include_str!("../src/carried/blob.sh").replace("chown 0:0 \"$1\" && ", ""),
        include_str!("../src/carried/install.sh"),
    )
}

fn sealed(passphrase: &str) -> String {
    let script = "s='ca.key c2VlZGVkLXNlY3JldA==\nsa.key d29ybGQ='; d=$(printf '%s\\n' \"$s\" | sha256sum); \
                  printf '%s\\n%s\\n' \"${d%% *}\" \"$s\" | openssl enc -aes-256-cbc -pbkdf2 -iter 10 -md sha256 -base64 -pass pass:";
    let output = run(&["sh"], &["-c", &format!("{script}'{passphrase}'")], "", &[]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("base64")
}

#[test]
fn secrets_come_by_standard_input_as_well_as_by_a_file() {
    for shell in SHELLS {
        let sealed = sealed("correct horse");
        let folder = Folder::new();
        fs::write(folder.path().join("secrets-edge-1"), SECRETS).expect("written");
        let beside = Folder::new();
        fs::write(beside.path().join("secrets-edge-1.enc"), &sealed).expect("written");
        let from = format!("--from {}", folder.path().display());
        let from_sealed = format!("--from {} --passphrase-file -", beside.path().display());
        for (arguments, input) in [
            ("--secrets -", SECRETS.to_owned()),
            (
                "--secrets - --passphrase-file -",
                format!("correct horse\n{sealed}"),
            ),
            (from.as_str(), String::new()),
            (from_sealed.as_str(), "correct horse\n".to_owned()),
        ] {
            let home = Folder::new();
            let output = run(shell, &["-c", &placing(home.path(), arguments)], &input, &[]);
            assert!(output.status.success(), "{shell:?}: {arguments}: {output:?}");
            assert!(
                String::from_utf8_lossy(&output.stdout).ends_with("phrase=\n"),
                "{output:?}"
            );
            let place = home.path().join("incoming/secrets");
            let read = |name: &str| fs::read_to_string(place.join(name)).expect("placed");
            assert_eq!(
                (read("ca.key").as_str(), read("sa.key").as_str()),
                ("seeded-secret", "world")
            );
            let mode = fs::metadata(place.join("ca.key"))
                .expect("there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[test]
fn secrets_that_do_not_open_are_put_nowhere() {
    for shell in SHELLS {
        for input in [
            format!("another horse\n{}", sealed("correct horse")),
            format!("correct horse\nU{}", sealed("correct horse")),
            "correct horse\n".to_owned(),
        ] {
            let home = Folder::new();
            let script = placing(home.path(), "--secrets - --passphrase-file -");
            let output = run(shell, &["-c", &script], &input, &[]);
            assert_eq!(output.status.code(), Some(1), "{shell:?}: {output:?}");
            assert!(
                String::from_utf8_lossy(&output.stderr).contains("IEC3927"),
                "{output:?}"
            );
            assert!(!home.path().join("incoming/secrets").exists());
        }
    }
}

#[test]
fn a_blob_that_cannot_be_fetched_is_told_as_what_it_is() {
    let curl = |code: u8, said: &str| format!("curl() {{ echo >&2 '{said}'; return {code}; }}\n");
    let wget = |code: u8, said: &str| {
        let missing = "command() { [ \"$2\" = wget ]; }\n";
        format!("{missing}wget() {{ echo >&2 '{said}'; return {code}; }}\n")
    };
    let url = "http://10.0.0.1/iec/blobs/sha256/abc";
    for shell in SHELLS {
        for (program, expected) in [
            (
                curl(22, "curl: (22) The requested URL returned error: 404"),
                "cannot be fetched: curl: (22) The requested URL returned error: 404",
            ),
            (
                wget(8, "http://10.0.0.1/x:\n2026-11-24 09:00:00 ERROR 404: Not Found."),
                "cannot be fetched: 2026-11-24 09:00:00 ERROR 404: Not Found.",
            ),
            (wget(4, ""), "cannot be fetched: exit code 4"),
            (curl(23, "curl: (23) Failure writing output"), "error[IEC4005]"),
            (wget(3, "/x: No space left on device"), "error[IEC4005]"),
        ] {
            let home = Folder::new();
            let script = placing(home.path(), "--url http://10.0.0.1/iec/");
            // It tries ten times, and the test has no time.
            let calls = format!("\nsleep() {{ :; }}\n{program}carry_blob abc 3\n");
            let script = script.replace("\ncarry_secrets\n", &calls);
            let output = run(shell, &["-c", &script], "", &[]);
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(told.contains(expected), "{shell:?}: {told}");
            let fetched = expected.starts_with("cannot");
            assert_eq!(
                told.contains(&format!("error[IEC2909]: edge-1: {url}")),
                fetched,
                "{told}"
            );
            assert_eq!(told.contains("disk is full"), !fetched, "{told}");
            assert_eq!(output.status.code(), Some(if fetched { 1 } else { 2 }), "{told}");
        }
    }
}
