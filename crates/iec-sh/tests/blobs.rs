//! Content on its way to a host: nothing of it is used before it was compared, and what was cut goes on where it was.

#![expect(clippy::disallowed_methods, reason = "the test runs real shells")]

mod support;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use iec_sh::{Carried, CarriedInstall, CarriedPlace, CarriedSite};
use support::{Folder, SHELLS};

/// A program of the bundle that leaves a trace when it runs, and what somebody put in its place: as long as it.
const GOOD: &str = "#!/bin/sh\necho run >>\"$0.trace\"\n";
const EVIL: &str = "#!/bin/sh\necho bad >>\"$0.trace\"\n";

fn sha256(text: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum");
    child.stdin.take().expect("piped").write_all(text).expect("read");
    let output = child.wait_with_output().expect("ended");
    String::from_utf8(output.stdout).expect("text")[..64].to_owned()
}

fn put(path: &Path, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

fn run(shell: &[&str], arguments: &[&str], environment: &[(&str, &Path)]) -> Output {
    Command::new(shell[0])
        .args(&shell[1..])
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", shell[0]))
}

/// The functions of an installing script for a host that keeps everything in `home`, then these lines.
fn functions(home: &Path, arguments: &str, lines: &str) -> String {
    format!(
        "carry_home={}\ncarry_host=edge-1\ncarry_host_tools=''\ncarry_title() {{ :; }}\n{}\n{}\n{}\n{}\nsleep() {{ :; }}\n\
         carry_arguments {arguments}\n{lines}\n",
        home.display(),
        include_str!("../src/carried/frame.sh"),
        include_str!("../src/carried/url.sh"),
        // Whoever runs this test need not be root.
        include_str!("../src/carried/blob.sh").replace("chown 0:0 \"$1\" && ", ""),
        include_str!("../src/carried/install.sh"),
    )
}

/// A curl that brings the file `$SOURCE` from where the part ends, at most so many bytes each time.
fn curl(most: usize) -> String {
    format!(
        "curl() {{ for carry_last; do :; done; echo \"$carry_last\" >>\"$SOURCE.asked\"\n\
         tail -c +$(($(carry_length \"$carry_part\") + 1)) \"$SOURCE\" | head -c {most} >>\"$carry_part\"\n\
         [ \"$(carry_length \"$carry_part\")\" -ge \"$(carry_length \"$SOURCE\")\" ] || return 18; }}\n"
    )
}

/// What a script itself runs is taken from wherever it was found.
#[test]
fn nothing_runs_that_is_not_what_its_digest_says() {
    let (hex, size) = (sha256(GOOD.as_bytes()), GOOD.len());
    assert_eq!(EVIL.len(), size);
    for shell in SHELLS {
        for (place, arguments) in [
            ("source/blobs/sha256", "--from SOURCE"),
            ("url", "--from /nowhere --url http://10.0.0.1/iec"),
            ("home/incoming", "--from /nowhere"),
            ("home/store/blobs/sha256", "--from /nowhere"),
        ] {
            for content in [GOOD, EVIL] {
                let root = Folder::new();
                let home = root.path().join("home");
                let source = root.path().join(place).join(&hex);
                put(&source, content);
                let arguments =
                    arguments.replace("SOURCE", root.path().join("source").to_str().expect("plain"));
                let lines = format!(
                    "{}carry_usable {hex} {size}\ncp \"$carry_file\" {1}/program\nsh {1}/program\n",
                    curl(1000),
                    root.path().display()
                );
                let script = functions(&home, &arguments, &lines);
                let output = run(shell, &["-c", &script], &[("SOURCE", &source)]);
                let told = String::from_utf8_lossy(&output.stderr);
                let trace = fs::read_to_string(root.path().join("program.trace")).unwrap_or_default();
                if content == GOOD {
                    assert_eq!(trace, "run\n", "{shell:?}: {place}: {told}");
                } else {
                    assert_eq!(trace, "", "{shell:?}: {place}");
                    assert_eq!(output.status.code(), Some(1), "{shell:?}: {place}: {told}");
                    let code = if place.starts_with("home") {
                        "IEC2909"
                    } else {
                        "IEC2910"
                    };
                    assert!(
                        told.contains(&format!("error[{code}]")),
                        "{shell:?}: {place}: {told}"
                    );
                    assert!(!home.join("incoming").join(&hex).exists(), "{shell:?}: {place}");
                }
            }
        }
    }
}

#[test]
fn a_fetch_that_was_cut_goes_on_where_it_was() {
    let content = "0123456789abcdefghij";
    let (hex, size) = (sha256(content.as_bytes()), content.len());
    for shell in SHELLS {
        for (begun, tries) in [
            ("", 4),
            ("01234567", 3),
            ("wrong", 7),
            (content, 0),
            ("much too long for it", 4),
        ] {
            let root = Folder::new();
            let home = root.path().join("home");
            let source = root.path().join("content");
            put(&source, content);
            let part = home.join("incoming").join(format!("{hex}.part"));
            if !begun.is_empty() {
                put(&part, begun);
            }
            let lines = format!("{}carry_blob {hex} {size}\n", curl(5));
            let script = functions(&home, "--from /nowhere --url http://10.0.0.1/iec/", &lines);
            let output = run(shell, &["-c", &script], &[("SOURCE", &source)]);
            assert!(output.status.success(), "{shell:?}: {begun}: {output:?}");
            let brought = fs::read_to_string(home.join("incoming").join(&hex)).expect("brought");
            assert_eq!(brought, content, "{shell:?}: {begun}");
            let asked = fs::read_to_string(root.path().join("content.asked")).unwrap_or_default();
            let address = format!("http://10.0.0.1/iec/blobs/sha256/{hex}\n");
            assert_eq!(asked, address.repeat(tries), "{shell:?}: {begun}");
        }
    }
}

#[test]
fn a_server_without_end_fills_no_disk() {
    let hex = sha256(b"short");
    for shell in SHELLS {
        let root = Folder::new();
        let home = root.path().join("home");
        let endless = "curl() { head -c 100000000 /dev/zero >\"$carry_part\" 2>/dev/null; }\n";
        let script = functions(
            &home,
            "--from /nowhere --url http://10.0.0.1/iec",
            &format!("{endless}carry_blob {hex} 5\n"),
        );
        let output = run(shell, &["-c", &script], &[]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("error[IEC2910]"), "{shell:?}: {told}");
        assert!(!home.join("incoming").join(format!("{hex}.part")).exists());
    }
}

#[test]
fn only_an_address_of_the_web_is_fetched_from() {
    for shell in SHELLS {
        for (url, taken) in [
            ("http://10.0.0.1/iec", true),
            ("https://[fd00::1]:8443/a_b/c~d%20e", true),
            ("file:///etc/shadow", false),
            ("-Kfile", false),
            ("", true),
            ("http://a/;reboot", false),
            ("http://a/$(reboot)", false),
            ("http://a/`reboot`", false),
            ("http://a/ b", false),
            ("http://a/'b", false),
            ("http://a/\nb", false),
            ("http://", false),
        ] {
            let script = functions(Path::new("/nowhere"), "--url \"$1\"", "");
            let output = run(shell, &["-c", &script, "sh", url], &[]);
            assert_eq!(output.status.success(), taken, "{shell:?}: {url:?}: {output:?}");
        }
    }
}

/// The scripts of a site with one host, whose folder is on this machine, and an ssh that runs there what it is told.
struct Site {
    root: Folder,
    blobs: Vec<(String, Vec<u8>)>,
}

impl Site {
    fn new() -> Self {
        let root = Folder::new();
        let blobs: Vec<(String, Vec<u8>)> = [150_000, 7, 65_536]
            .map(|length| {
                let content: Vec<u8> = (0..length).map(|at: usize| (at % 251) as u8).collect();
                (sha256(&content), content)
            })
            .into();
        let site = Self { root, blobs };
        for (hex, content) in &site.blobs {
            put(&site.at(&format!("blobs/sha256/{hex}")), content);
        }
        put(&site.at("secrets-edge-1"), "ca.key c2VlZGVkLXNlY3JldA==\n");
        put(&site.at("install-edge-1.sh"), site.install());
        put(&site.at("site.sh"), site.walk_through());
        site
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.root.path().join(path)
    }

    fn list(&self) -> Vec<(String, u64)> {
        let each = self.blobs.iter();
        each.map(|(hex, content)| (hex.clone(), content.len() as u64))
            .collect()
    }

    /// What installs the host: its runner only says that it ran.
    fn install(&self) -> String {
        let home = self.at("host");
        let carried = Carried {
            home: home.to_str().expect("plain"),
            site: "test",
            host: "edge-1",
            about: &[],
            identity: &[],
            titles: &[],
        };
        let install = CarriedInstall {
            runner: "printf 'iec\\tfailed\\tx\\tcommand\\t1\\tG1szMW0=\\niec\\tend\\t0\\n'\n",
            assumed: &[],
            blobs: &self.list(),
            mark: "0",
            secret_steps: &[("a".to_owned(), "0".to_owned())],
            iterations: 10,
            joins: None,
            host_tools: None,
        };
        // Whoever runs this test need not be root.
        carried
            .install(&install)
            .replace("[ \"$(id -u)\" = 0 ]", "true")
            .replace("chown 0:0 \"$1\" && ", "")
            .replace("/run/iec", self.at("run").to_str().expect("plain"))
    }

    fn walk_through(&self) -> String {
        let home = self.at("host");
        CarriedSite {
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
                blobs: self.list(),
            }],
        }
        .text()
    }

    /// Runs `site.sh install` with an ssh of these lines, which have the command line in `$command`.
    fn installed(&self, shell: &[&str], ssh: &str, words: &[&str]) -> Output {
        let keep = "printf '%s\\n' \"$command\" >>\"$LOG/commands\"";
        let program = self.at("bin/ssh");
        put(
            &program,
            format!("#!/bin/sh\nfor command; do :; done\n{keep}\n{ssh}\n"),
        );
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("set");
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.at("bin").display());
        let script = self.at("site.sh");
        let words = [&[script.to_str().expect("plain"), "install"], words].concat();
        let environment = [("PATH", Path::new(&path)), ("LOG", self.root.path())];
        run(shell, &words, &environment)
    }
}

const HONEST: &str = "exec sh -c \"$command\"";

#[test]
fn a_transfer_that_was_cut_goes_on_where_it_was() {
    let cut = |bytes: usize| {
        format!(
            "case $command in *--receive) tee \"$LOG/stream\" | head -c {bytes} | sh -c \"$command\"; exit 255 ;;\n\
             *) {HONEST} ;; esac"
        )
    };
    let whole = format!(
        "case $command in *--receive) tee \"$LOG/stream\" | sh -c \"$command\" ;; *) {HONEST} ;; esac"
    );
    for shell in SHELLS {
        let site = Site::new();
        let output = site.installed(shell, &cut(100_000), &[]);
        assert_eq!(output.status.code(), Some(4), "{shell:?}: {output:?}");
        // Again, and cut within the last of them.
        let output = site.installed(shell, &cut(80_000), &[]);
        assert_eq!(output.status.code(), Some(4), "{shell:?}: {output:?}");
        let output = site.installed(shell, &whole, &[]);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        let sent = fs::metadata(site.at("stream")).expect("sent").len();
        assert!(sent < 60_000, "{shell:?}: {sent} bytes were sent the third time");
        for (hex, content) in &site.blobs {
            let brought = fs::read(site.at(&format!("host/incoming/{hex}"))).expect("brought");
            assert!(brought == *content, "{shell:?}: {hex}");
        }
        assert!(!site.at("host/carried.sh").exists(), "{shell:?}");
        // With everything there, nothing is sent.
        fs::remove_file(site.at("stream")).expect("removed");
        let output = site.installed(shell, &whole, &[]);
        assert!(
            output.status.success() && !site.at("stream").exists(),
            "{shell:?}: {output:?}"
        );
    }
}

#[test]
fn a_part_that_was_changed_on_the_host_is_not_taken_for_the_blob() {
    for shell in SHELLS {
        let site = Site::new();
        let part = site.at(&format!("host/incoming/{}.part", site.blobs[0].0));
        put(&part, "something else");
        let output = site.installed(shell, HONEST, &[]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            told.contains("error[IEC2910]") && !part.exists(),
            "{shell:?}: {told}"
        );
        let output = site.installed(shell, HONEST, &[]);
        assert!(output.status.success(), "{shell:?}: {output:?}");
    }
}

#[test]
fn what_a_host_says_names_no_file_of_the_operator() {
    for shell in SHELLS {
        let site = Site::new();
        let hex = &site.blobs[1].0;
        let lies = [
            "../../secrets-edge-1 0".to_owned(),
            "../../secrets-edge-1".to_owned(),
            "/etc/passwd 0".to_owned(),
            format!("{hex}/../../../secrets-edge-1 0"),
            "* 0".to_owned(),
            ". 0".to_owned(),
            "$(cat secrets-edge-1) 0".to_owned(),
            "-C / etc 0".to_owned(),
            "0000000000000000000000000000000000000000000000000000000000000000 0".to_owned(),
            format!("{hex} -1"),
        ]
        .join("\n");
        put(&site.at("lies"), lies);
        let ssh = "case $command in\n  *--needs) cat \"$LOG/lies\" ;;\n  *--receive) cat >\"$LOG/stream\" ;;\n  *) cat >/dev/null ;;\nesac";
        let output = site.installed(shell, ssh, &[]);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        let sent = fs::read(site.at("stream")).expect("sent");
        let expected = [format!("{hex} 0\n").as_bytes(), &site.blobs[1].1, b"end\n"].concat();
        assert!(sent == expected, "{shell:?}: {}", String::from_utf8_lossy(&sent));
        assert!(!output.stdout.windows(6).any(|six| six == b"seeded"));
    }
}

#[test]
fn what_a_host_prints_reaches_no_terminal_as_it_is() {
    let noise = "printf '\\033]0;owned\\007\\033[2J\\302\\233\\177ok\\r\\n' | tee /dev/stderr";
    for shell in SHELLS {
        let site = Site::new();
        for ssh in [
            format!("{noise}\nexit 3"),
            format!(
                "case $command in *carried.sh\\ *) {noise} ;; *--needs) {noise} >&2 ;; esac\ncat >/dev/null"
            ),
        ] {
            let output = site.installed(shell, &ssh, &[]);
            let shown = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&shown);
            assert!(text.contains("?]0;owned??[2J???ok?"), "{shell:?}: {text}");
            assert!(
                shown
                    .iter()
                    .all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')),
                "{shell:?}: {text:?}"
            );
        }
    }
}

#[test]
fn a_host_that_prints_without_end_is_cut_off() {
    let site = Site::new();
    let output = site.installed(&["dash"], "yes $(head -c 60000 /dev/zero | tr '\\0' x)", &[]);
    assert_ne!(output.status.code(), Some(0));
    assert!(output.stdout.len() < 100 << 20, "{}", output.stdout.len());
}

#[test]
fn an_address_is_no_part_of_a_command_line() {
    for shell in SHELLS {
        let site = Site::new();
        let words = ["--url", "http://10.0.0.1/iec"];
        let ssh = "case $command in *--secrets*) cat >\"$LOG/read\" ;; *) cat >/dev/null ;; esac";
        let output = site.installed(shell, ssh, &words);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        let read = fs::read_to_string(site.at("read")).expect("read");
        assert_eq!(
            read, "http://10.0.0.1/iec\nca.key c2VlZGVkLXNlY3JldA==\n",
            "{shell:?}"
        );
        let commands = fs::read_to_string(site.at("commands")).expect("run");
        assert!(commands.contains("carried.sh --url - --secrets -"), "{commands}");
        assert!(!commands.contains("10.0.0.1"), "{shell:?}: {commands}");
        for hostile in ["http://10.0.0.1/;reboot", "http://a/\nsecond line", "$(reboot)"] {
            fs::remove_file(site.at("commands")).unwrap_or_default();
            let output = site.installed(shell, ssh, &["--url", hostile]);
            assert_eq!(output.status.code(), Some(1), "{shell:?}: {hostile}");
            assert!(
                String::from_utf8_lossy(&output.stderr).contains("IEC3933"),
                "{output:?}"
            );
            assert!(!site.at("commands").exists(), "{shell:?}: {hostile}");
        }
    }
}

#[test]
fn what_is_on_its_way_but_damaged_is_missing() {
    for shell in SHELLS {
        let root = Folder::new();
        let blobs: Vec<String> = ["good", "bad", "none", "stored"]
            .map(|text| sha256(text.as_bytes()))
            .into();
        put(&root.path().join("incoming").join(&blobs[0]), "good");
        put(&root.path().join("incoming").join(&blobs[1]), "BAD");
        put(&root.path().join("store/blobs/sha256").join(&blobs[3]), "stored");
        let script = iec_sh::missing_blobs(root.path().to_str().expect("plain"), blobs.clone());
        let output = run(shell, &["-c", &script], &[]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told, format!("{}\n{}\n", blobs[1], blobs[2]), "{shell:?}");
    }
}
