//! Hosts that cannot be logged in to, or on which nobody becomes root.

use super::desk::Desk;
use super::{Case, Expect, Refusal, Spoil};

/// The cases.
pub(super) const CASES: [Case; 8] = [
    Case {
        name: "a key that the host does not know",
        spoil: Spoil::Desk(|desk| {
            let known = desk.quoted("identity: ")?;
            desk.new_key("other")?;
            let other = desk.path("other").display().to_string();
            desk.edit(|site| site.replace(&known, &other))?;
            Ok(vec![other])
        }),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 4,
            code: "IEC1201",
            says: &["edge-1", "edge-2"],
        }),
    },
    Case {
        name: "a host key that has changed",
        spoil: Spoil::Desk(another_host_key),
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 4,
            code: "IEC1102",
            says: &["edge-1"],
        }),
    },
    Case {
        // `apply` would do the other host, and name this one.
        name: "a host that is down",
        spoil: Spoil::Power,
        command: "plan",
        expect: Expect::Refused(Refusal {
            exit: 4,
            // Whether the network says so, or nobody says anything.
            code: "IEC1003 IEC1004",
            says: &["edge-2"],
        }),
    },
    Case {
        name: "sudo that asks for a password",
        spoil: Spoil::Host {
            script: "sed -i s/NOPASSWD:// /etc/sudoers.d/edge",
            restore: "sed -i 's/(ALL:ALL)  *ALL/(ALL:ALL) NOPASSWD: ALL/' /etc/sudoers.d/edge",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 4,
            code: "IEC1301",
            says: &["edge-1", "NOPASSWD"],
        }),
    },
    Case {
        name: "sudo that wants a terminal",
        spoil: Spoil::Host {
            script: "echo 'Defaults requiretty' >/etc/sudoers.d/terminal",
            restore: "rm /etc/sudoers.d/terminal",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 4,
            code: "IEC1303",
            says: &["edge-1", "requiretty"],
        }),
    },
    Case {
        name: "an account that may not become root",
        spoil: Spoil::Host {
            script: "mv /etc/sudoers.d/edge /root/edge",
            restore: "mv /root/edge /etc/sudoers.d/edge",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 4,
            code: "IEC1301",
            says: &["edge-1", "sudoers"],
        }),
    },
    Case {
        name: "a login shell that runs nothing",
        spoil: Spoil::Host {
            script: "sed -i '/^edge:/s,/bin/bash$,/usr/sbin/nologin,' /etc/passwd",
            restore: "sed -i '/^edge:/s,/usr/sbin/nologin$,/bin/bash,' /etc/passwd",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 4,
            code: "IEC1401",
            says: &["edge-1", "chsh"],
        }),
    },
    Case {
        name: "a login shell that prints is borne",
        spoil: Spoil::Host {
            script: "cp /home/edge/.bashrc /root/bashrc && sed -i '1i echo Welcome' /home/edge/.bashrc",
            restore: "cat /root/bashrc >/home/edge/.bashrc && rm /root/bashrc",
        },
        command: "plan",
        expect: Expect::Adapted(&["IEC1807", "edge-1"]),
    },
];

/// Pins another key than the host has, as if the site file were of the time before it was installed anew. The error has
/// the fingerprints of both.
fn another_host_key(desk: &Desk) -> anyhow::Result<Vec<String>> {
    let known = desk.quoted("hostKey: ")?;
    let other = desk.new_key("before")?;
    desk.edit(|site| site.replace(&known, &other))?;
    Ok(vec![desk.fingerprint(&known)?, desk.fingerprint(&other)?])
}
