//! A unit whose place IEC's own takes runs again when IEC's is gone, if it ran before.

use iec_core::plan::{FileContent, FileOp, Op};

use crate::pretend::Pretend;

const UNIT: &str = "/etc/systemd/system/containerd.service";

/// A host whose systemd says this of containerd.
fn host(says: &str) -> Pretend {
    let host = Pretend::new();
    host.write("/run/says", says);
    host.stand_in(
        "systemctl",
        "case $1 in
        show) cat /run/says ;;
        *) echo \"$* $(test ! -e /etc/systemd/system/containerd.service || echo too early)\" >>/run/calls ;;
        esac",
    );
    // Only root can give files to root, and the test may be somebody else.
    host.stand_in(
        "install",
        "for new; do source=$last; last=$new; done; cat \"$source\" >\"$new\"",
    );
    host.stand_in("stat", "echo '644 root:root'");
    host
}

fn op(text: &str) -> Op {
    Op::File(FileOp {
        path: UNIT.to_owned(),
        mode: 0o644,
        content: FileContent::Text(text.to_owned()),
    })
}

#[test]
fn what_was_enabled_and_active_is_so_again() {
    let host = host("ActiveState=active\nUnitFileState=enabled\n");
    assert_eq!(host.apply("unit", op("[Service]\n")), "changed");
    // By now it is IEC's own that is disabled; what was there first counts.
    host.write("/run/says", "ActiveState=inactive\nUnitFileState=disabled\n");
    assert_eq!(host.apply("unit", op("[Service]\n# newer\n")), "changed");
    assert_eq!(host.undo(), "undone");
    assert_eq!(host.read(UNIT), None);
    let calls = host.read("/run/calls").expect("calls");
    assert_eq!(
        calls,
        "daemon-reload \nenable containerd.service \nstart containerd.service \n"
    );
}

#[test]
fn what_was_off_or_not_there_stays_so() {
    for says in [
        "ActiveState=inactive\nUnitFileState=disabled\n",
        "ActiveState=inactive\nUnitFileState=\n",
    ] {
        let host = host(says);
        assert_eq!(host.apply("unit", op("[Service]\n")), "changed");
        host.write("/run/says", "ActiveState=active\nUnitFileState=enabled\n");
        assert_eq!(host.apply("unit", op("[Service]\n# newer\n")), "changed");
        assert_eq!(host.undo(), "undone");
        assert_eq!(
            host.read("/run/calls").as_deref(),
            Some("daemon-reload \n"),
            "{says}"
        );
    }
}
