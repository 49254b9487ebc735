//! A power cut at any moment of a step, or of its way back: the disk has what somebody waited for, and everything comes back as
//! it was.

use std::collections::BTreeMap;

use iec_core::plan::{FileContent, FileOp, HOME, Op, Unit};

use crate::disk::{Lost, Picture, cuts, picture};
use crate::pretend::Pretend;

/// What may be lost of that for which nobody waited.
const LOST: [Lost; 5] = [
    Lost::Nothing,
    Lost::Everything,
    Lost::Contents,
    Lost::Inside(HOME),
    Lost::Outside(HOME),
];
/// What is not the host's own: IEC's folder, and what is gone after a boot anyway.
const NOT_COMPARED: [&str; 3] = [HOME, "/run", "/proc"];

fn host() -> Pretend {
    let host = Pretend::new();
    // Only root can give files to root, and the test may be somebody else.
    host.stand_in(
        "install",
        "for new; do source=$last; last=$new; done; cat \"$source\" >\"$new\"; chmod 0644 \"$new\"",
    );
    host.stand_in("stat", "echo '644 root:root'");
    host.stand_in(
        "systemctl",
        "case $1 in
        show) printf 'ActiveState=active\\nUnitFileState=enabled\\n' ;;
        is-enabled | is-active) test -e \"/var/lib/iec/units/theirs.service\" || exit 4 ;;
        esac",
    );
    host
}

fn file(path: &str) -> Op {
    Op::File(FileOp {
        path: path.to_owned(),
        mode: 0o644,
        content: FileContent::Text("IEC's\n".to_owned()),
    })
}

fn as_before(host: &Pretend) -> Picture {
    picture(host.root(), &NOT_COMPARED)
}

/// Does the step on this host with a power cut at each moment of it and of its way back.
fn survives(host: &Pretend, op: &Op) {
    let before = as_before(host);
    let during = cuts(host.root(), &LOST, || host.apply("step", op.clone()));
    assert_ne!(as_before(host), before, "the step does something");
    let taking_back = cuts(host.root(), &LOST, || host.undo());
    assert_eq!(as_before(host), before, "without any cut");
    assert!(
        during.len() > 5 && taking_back.len() > 2,
        "{} {}",
        during.len(),
        taking_back.len()
    );

    for (moment, remains) in during.iter().chain(&taking_back) {
        remains.restore(host.root());
        host.undo();
        assert_eq!(as_before(host), before, "taken back at once; {moment}");
    }
    for (moment, remains) in &during {
        remains.restore(host.root());
        let word = host.apply("step", op.clone());
        // Adopted where the disk had all of it but the journal's last line.
        assert!(
            ["changed", "unchanged", "adopted"].contains(&word.as_str()),
            "{word}; {moment}"
        );
        assert_eq!(host.undo(), "undone", "{moment}");
        assert_eq!(as_before(host), before, "done again, then taken back; {moment}");
    }
}

#[test]
fn a_file_that_was_there_comes_back() {
    let host = host();
    host.write("/etc/containerd/config.toml", "theirs\n");
    survives(&host, &file("/etc/containerd/config.toml"));
}

#[test]
fn a_file_that_was_not_there_goes_with_its_folders() {
    survives(&host(), &file("/etc/iec/deep/kubeadm.yaml"));
}

#[test]
fn a_unit_that_was_there_comes_back() {
    let host = host();
    host.write("/etc/systemd/system/containerd.service", "theirs\n");
    survives(&host, &file("/etc/systemd/system/containerd.service"));
}

#[test]
fn a_link_that_was_there_comes_back() {
    let host = host();
    std::os::unix::fs::symlink("/theirs", host.path("/etc/tool")).expect("a link");
    let (path, target) = ("/etc/tool".to_owned(), "/ours".to_owned());
    survives(&host, &Op::Link { path, target });
}

/// The line of the API server's name.
fn endpoint_line() -> Op {
    Op::Line {
        path: "/etc/hosts".to_owned(),
        line: "10.0.0.11 api".to_owned(),
        tag: "# IEC".to_owned(),
    }
}

#[test]
fn the_other_lines_of_a_file_stay() {
    let host = host();
    host.write("/etc/hosts", "127.0.0.1 localhost\n10.0.0.1 theirs\n");
    survives(&host, &endpoint_line());
}

#[test]
fn the_lines_of_a_file_that_cannot_be_replaced_stay() {
    let host = host();
    host.write("/etc/elsewhere", "127.0.0.1 localhost\n");
    std::os::unix::fs::symlink(host.path("/etc/elsewhere"), host.path("/etc/hosts")).expect("a link");
    survives(&host, &endpoint_line());
}

#[test]
fn the_lines_about_file_systems_stay() {
    let host = host();
    host.write("/proc/swaps", "Filename\n");
    host.write(
        "/etc/fstab",
        "UUID=1 / ext4 defaults 0 1\n/swap.img none swap sw 0 0\n",
    );
    survives(&host, &Op::SwapOff);
}

#[test]
fn what_was_in_a_folder_stays_and_what_came_goes() {
    let host = host();
    host.write("/var/lib/disk/lost+found/saved", "theirs\n");
    host.write("/var/lib/disk/theirs", "theirs\n");
    // The unit's program fills its folders as soon as it starts.
    host.stand_in(
        "systemctl",
        "case $1 in
        restart) mkdir -p /var/lib/new /var/lib/disk/ours && echo ours >/var/lib/new/data && echo ours >/var/lib/disk/ours/data ;;
        is-enabled | is-active) test -e \"/var/lib/iec/units/theirs.service\" || exit 4 ;;
        esac",
    );
    let unit = Unit {
        name: "theirs.service".to_owned(),
        active: true,
        configuration: iec_core::content::Digest::of(b"configuration"),
        effects: vec![],
        creates: vec!["/var/lib/disk".to_owned(), "/var/lib/new".to_owned()],
    };
    survives(&host, &Op::Unit(unit));
}

#[test]
fn the_disk_loses_what_nobody_waited_for() {
    // The test's own means: without them it would pass whatever the steps did.
    let host = host();
    host.write("/etc/kept", "old\n");
    let script = "PATH=/usr/local/sbin:/usr/bin\nexport PATH\necho new >/etc/kept\ntouch /etc/named\nsync /etc\n\
                  cp /etc/kept /etc/copied\nsync /etc/kept\ntrue\n/bin/true; cat /etc/kept";
    let kinds = [Lost::Everything];
    let states = cuts(host.root(), &kinds, || host.shell(script));
    let last = &states.last().expect("states").1;
    last.restore(host.root());
    let left: BTreeMap<&str, Option<String>> = ["/etc/kept", "/etc/named", "/etc/copied"]
        .map(|path| (path, host.read(path)))
        .into();
    assert_eq!(left["/etc/kept"].as_deref(), Some("new\n"));
    assert_eq!(left["/etc/named"].as_deref(), Some(""));
    assert_eq!(left["/etc/copied"], None);
}
