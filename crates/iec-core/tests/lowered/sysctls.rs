//! Kernel parameters are as the plan has them now, and whoever would set them otherwise at the next boot is named.

use std::collections::BTreeMap;

use iec_core::plan::Op;

use crate::pretend::Pretend;

const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";
const OWN: &str = "/etc/sysctl.d/99-zz-iec.conf";

fn op() -> Op {
    Op::Sysctls(BTreeMap::from([
        ("fs.inotify.max_user_instances".to_owned(), "8192".to_owned()),
        ("net.ipv4.ip_forward".to_owned(), "1".to_owned()),
    ]))
}

/// A host with IEC's own file.
fn host() -> Pretend {
    let host = Pretend::new();
    host.write(FORWARD, "0\n");
    host.write("/proc/sys/fs/inotify/max_user_instances", "128\n");
    host.write(
        OWN,
        "net.ipv4.ip_forward = 1\nfs.inotify.max_user_instances = 8192\n",
    );
    host
}

#[test]
fn they_are_set_and_set_back() {
    let host = host();
    assert_eq!(host.apply("sysctls", op()), "changed");
    assert_eq!(host.read(FORWARD).as_deref(), Some("1\n"));
    assert_eq!(host.apply("sysctls", op()), "unchanged");
    assert_eq!(host.undo(), "undone");
    assert_eq!(host.read(FORWARD).as_deref(), Some("0\n"));
}

#[test]
fn a_file_that_comes_before_iecs_has_not_the_last_word() {
    for (file, text) in [
        ("/etc/sysctl.d/99-sysctl.conf", "net.ipv4.ip_forward=0\n"),
        ("/run/sysctl.d/10-a.conf", "net/ipv4/ip_forward = 0\n"),
        (
            "/etc/sysctl.d/zz.conf",
            "# net.ipv4.ip_forward=0\n;net.ipv4.ip_forward=0\n-net.ipv4.ip_forward=1\n",
        ),
        ("/etc/sysctl.d/zz.conf", "fs.inotify.max_user_instances = 65536\n"),
        (
            "/etc/sysctl.d/zz.conf",
            "net.ipv4.conf.all.forwarding=0\nnet.ipv4.*=0\n",
        ),
        ("/etc/sysctl.d/zz", "net.ipv4.ip_forward=0\n"),
    ] {
        let host = host();
        host.write(file, text);
        assert_eq!(host.apply("sysctls", op()), "changed", "{file}: {text}");
    }
}

#[test]
fn a_file_that_has_the_last_word_is_named() {
    for (file, text) in [
        ("/etc/sysctl.d/99-zzz.conf", "net.ipv4.ip_forward=0\n"),
        ("/etc/sysctl.d/zz.conf", "  -net/ipv4/ip_forward =  0  \n"),
        (
            "/run/sysctl.d/zz.conf",
            "net.ipv4.ip_forward=1\nnet.ipv4.ip_forward=0",
        ),
        ("/etc/sysctl.d/zz.conf", "fs.inotify.max_user_instances=64\n"),
    ] {
        let host = host();
        host.write(file, text);
        let word = host.apply("sysctls", op());
        let name = file.rsplit('/').next().expect("a name");
        assert!(
            word.starts_with("failed effect") && word.contains(name) && word.contains("last word"),
            "{file}: {word}"
        );
    }
}

#[test]
fn of_one_name_the_first_folder_counts() {
    let host = host();
    host.write("/run/sysctl.d/zz.conf", "net.ipv4.ip_forward=0\n");
    host.write("/etc/sysctl.d/zz.conf", "");
    assert_eq!(host.apply("sysctls", op()), "changed");
    std::fs::remove_file(host.path("/etc/sysctl.d/zz.conf")).expect("removed");
    // The usual way to switch a file off.
    std::os::unix::fs::symlink("/dev/null", host.path("/etc/sysctl.d/zz.conf")).expect("a link");
    assert_eq!(host.apply("sysctls", op()), "unchanged");
    std::os::unix::fs::symlink("/nowhere", host.path("/etc/sysctl.d/zzz.conf")).expect("a link");
    assert_eq!(host.apply("sysctls", op()), "unchanged");
}

#[test]
fn without_iecs_own_file_nobody_sets_them() {
    let host = host();
    std::fs::remove_file(host.path(OWN)).expect("removed");
    let word = host.apply("sysctls", op());
    assert!(word.starts_with("failed effect"), "{word}");
}
