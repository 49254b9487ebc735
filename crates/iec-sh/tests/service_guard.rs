//! The guard of the service network, run by a real shell with programs that keep rules and tables in files.

#![expect(clippy::disallowed_methods, reason = "the test runs real shells")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use iec_sh::ServiceGuard;

/// A rule for each file `rule-PREFERENCE`.
const IP: &str = r#"#!/bin/sh
state=${0%/*}
case "$2" in
  show) cat "$state/rule-$4" 2>/dev/null ;;
  add)
    case "$4" in
      100) echo "100: from all to $8 iif lo lookup main" ;;
      *) echo "$4: from all to $6 $7" ;;
    esac >"$state/rule-$4" ;;
  delete) rm "$state/rule-$4" ;;
esac
"#;
/// The table is a file; a kernel without nf_tables has a file `no-nft`.
const NFT: &str = r#"#!/bin/sh
state=${0%/*}
[ ! -e "$state/no-nft" ] || exit 1
case "$1" in
  list) cat "$state/table" 2>/dev/null ;;
  delete) rm "$state/table" ;;
  *) printf '%s\n' "$1" | tr ';' '\n' | grep 'ip daddr' >"$state/table" ;;
esac
"#;
/// The one rule is a file.
const IPTABLES: &str = r#"#!/bin/sh
state=${0%/*}
case "$4" in
  -C) [ -e "$state/mangle" ] ;;
  -I) printf '%s\n' "$*" >"$state/mangle" ;;
  -D) rm "$state/mangle" ;;
esac
"#;
/// One round of waiting, then the end.
const SLEEP: &str = "#!/bin/sh\n[ ! -e \"${0%/*}/slept\" ] && : >\"${0%/*}/slept\"\n";

struct Guard {
    folder: PathBuf,
}

impl Guard {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("iec-guard-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let guard = ServiceGuard {
            services: "172.16.1.0/24".to_owned(),
            nobody: "172.16.1.255".parse().expect("an address"),
        };
        let path = format!("PATH={}:", folder.display());
        for (name, text) in [
            ("ip", IP),
            ("nft", NFT),
            ("iptables", IPTABLES),
            ("sleep", SLEEP),
            ("guard", &guard.text().replace("PATH=/usr/local/sbin:", &path)),
        ] {
            let file = folder.join(name);
            std::fs::write(&file, text).expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("executable");
        }
        Self { folder }
    }

    fn run(&self, words: &[&str]) -> Option<i32> {
        let output = Command::new("sh")
            .arg(self.folder.join("guard"))
            .args(words)
            .output();
        output.expect("sh starts").status.code()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether the routing rules and the packet filter's part are there.
    fn parts(&self) -> (bool, bool) {
        let is_there = |part| self.run(&["ask", part]) == Some(0);
        (is_there("rules"), is_there("filter"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What is left in the folder of temporary files harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn remove(path: &Path) {
    std::fs::remove_file(path).expect("it was there");
}

#[test]
fn what_somebody_takes_away_is_seen_and_set_again_by_the_one_that_stays() {
    let guard = Guard::new("keep");
    assert_eq!(guard.parts(), (false, false));
    assert_eq!(guard.run(&[]), Some(0));
    assert_eq!(guard.parts(), (true, true));

    // `nft flush ruleset` takes the one, a restart of systemd-networkd the other.
    remove(&guard.file("table"));
    assert_eq!(guard.parts(), (true, false));
    remove(&guard.file("rule-101"));
    assert_eq!(guard.parts(), (false, false));
    assert_eq!(guard.run(&["keep"]), Some(0));
    assert_eq!(guard.parts(), (true, true));
    assert!(!guard.file("mangle").exists());

    assert_eq!(guard.run(&["stop"]), Some(0));
    assert_eq!(guard.parts(), (false, false));
    assert!(!guard.file("rule-100").exists() && !guard.file("table").exists());
}

#[test]
fn a_kernel_without_nf_tables_is_guarded_where_nothing_stands_before() {
    let guard = Guard::new("legacy");
    std::fs::write(guard.file("no-nft"), "").expect("written");
    assert_eq!(guard.run(&[]), Some(0));
    assert_eq!(guard.parts(), (true, true));
    let rule = std::fs::read_to_string(guard.file("mangle")).expect("a rule");
    assert!(
        rule.starts_with("-w -t mangle -I POSTROUTING -d 172.16.1.0/24 "),
        "{rule}"
    );
    assert_eq!(guard.run(&["stop"]), Some(0));
    assert!(!guard.file("mangle").exists());
}

#[test]
fn what_it_does_not_know_is_refused() {
    let guard = Guard::new("words");
    assert_eq!(guard.run(&["start"]), Some(2));
    assert_eq!(guard.run(&["ask"]), Some(2));
}
