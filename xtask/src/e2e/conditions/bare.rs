//! What is told of a bare host in bad shape before anything on it is changed: who wins over IEC's files, who reads along,
//! and why nobody can log in.

use super::super::refusals::{Case, Expect, Refusal, Spoil};

/// Lets the host's SSH server do something else, until the case takes that back.
macro_rules! sshd {
    ($line:literal) => {
        Spoil::Host {
            script: concat!(
                "echo '",
                $line,
                "' >/etc/ssh/sshd_config.d/zz.conf && systemctl reload ssh.service && sleep 1"
            ),
            restore: "rm /etc/ssh/sshd_config.d/zz.conf && systemctl reload ssh.service && sleep 1",
        }
    };
}

/// A refusal before the first change, by the rules about hosts.
const fn refused(code: &'static str, says: &'static [&'static str]) -> Expect {
    Expect::Refused(Refusal { exit: 1, code, says })
}

/// A host that cannot be asked at all.
const fn unanswered(code: &'static str, says: &'static [&'static str]) -> Expect {
    Expect::Refused(Refusal { exit: 4, code, says })
}

/// The cases.
pub(super) const CASES: [Case; 15] = [
    Case {
        name: "an older line for the API server's name",
        spoil: Spoil::Host {
            script: "echo '10.9.9.9 api.e2e-conditions.iec.internal' >>/etc/hosts",
            restore: "grep -v '^10[.]9[.]9[.]9 ' /etc/hosts >/root/hosts && cat /root/hosts >/etc/hosts && rm /root/hosts",
        },
        command: "apply",
        expect: refused("IEC1890", &["edge-1", "10.9.9.9", "remove the name"]),
    },
    Case {
        name: "a masked unit",
        spoil: Spoil::Host {
            script: "systemctl mask containerd.service",
            restore: "systemctl unmask containerd.service",
        },
        command: "apply",
        expect: refused("IEC1893", &["edge-1", "systemctl unmask containerd.service"]),
    },
    Case {
        name: "a drop-in that replaces what a unit runs",
        spoil: Spoil::Host {
            script: "mkdir /etc/systemd/system/containerd.service.d && \
                     printf '[Service]\\nExecStart=\\nExecStart=/opt/runtime\\n' >/etc/systemd/system/containerd.service.d/own.conf && \
                     systemctl daemon-reload",
            restore: "rm -r /etc/systemd/system/containerd.service.d && systemctl daemon-reload",
        },
        command: "apply",
        expect: refused("IEC1892", &["edge-1", "own.conf: ExecStart=/opt/runtime"]),
    },
    Case {
        name: "a kernel parameter that the next boot would take back",
        spoil: Spoil::Host {
            script: "echo 'net.ipv4.ip_forward = 0' >/etc/sysctl.d/99-zz-own.conf",
            restore: "rm /etc/sysctl.d/99-zz-own.conf",
        },
        command: "apply",
        expect: refused(
            "IEC1845",
            &["edge-1", "/etc/sysctl.d/99-zz-own.conf: net.ipv4.ip_forward = 0"],
        ),
    },
    Case {
        name: "a link to a disk that is not mounted",
        spoil: Spoil::Host {
            script: "ln -s /srv/unplugged /var/lib/containerd",
            restore: "rm /var/lib/containerd",
        },
        command: "apply",
        expect: refused("IEC1846", &["edge-1", "/var/lib/containerd -> /srv/unplugged"]),
    },
    Case {
        name: "a sudo that writes down what it is given",
        spoil: Spoil::Host {
            script: "echo 'Defaults log_input' >/etc/sudoers.d/zz-own",
            restore: "rm -r /etc/sudoers.d/zz-own /var/log/sudo-io",
        },
        command: "apply",
        expect: refused("IEC1106", &["edge-1", "log_input", "!log_input"]),
    },
    Case {
        name: "an SSH server without a common key exchange",
        spoil: sshd!("KexAlgorithms diffie-hellman-group14-sha1"),
        command: "apply",
        expect: unanswered(
            "IEC1107",
            &[
                "edge-1",
                "offers diffie-hellman-group14-sha1",
                "KexAlgorithms",
                "curve25519-sha256",
            ],
        ),
    },
    Case {
        name: "a host on which nobody may log in for now",
        spoil: Spoil::Host {
            script: "echo 'Back at noon.' >/etc/nologin",
            restore: "rm /etc/nologin",
        },
        command: "apply",
        expect: unanswered("IEC1108", &["edge-1", "Back at noon.", "/etc/nologin"]),
    },
    Case {
        name: "an account that has expired",
        spoil: Spoil::Host {
            script: "cp -a /etc/shadow /etc/shadow- /root/ && chage --expiredate 0 edge",
            restore: "mv /root/shadow /root/shadow- /etc/",
        },
        command: "apply",
        expect: unanswered("IEC1108", &["edge-1", "account has expired", "chage"]),
    },
    Case {
        name: "an SSH server that runs something else",
        spoil: sshd!("ForceCommand /bin/echo backups only"),
        command: "apply",
        expect: unanswered("IEC1401", &["edge-1", "backups only", "ForceCommand"]),
    },
    Case {
        name: "a start-up file that puts zsh in the place of the shell",
        spoil: Spoil::Host {
            script: "cp /home/edge/.bashrc /root/bashrc && sed -i '1i exec zsh' /home/edge/.bashrc",
            restore: "cat /root/bashrc >/home/edge/.bashrc && rm /root/bashrc",
        },
        command: "apply",
        expect: unanswered(
            "IEC1401",
            &[
                "edge-1",
                "zsh reads the script in place of /bin/sh",
                "start-up files",
            ],
        ),
    },
    Case {
        name: "further arguments of the kubelet are told of",
        spoil: Spoil::Host {
            script: "mkdir -p /etc/default && echo 'KUBELET_EXTRA_ARGS=--network-plugin=cni' >/etc/default/kubelet",
            restore: "rm /etc/default/kubelet",
        },
        command: "plan",
        expect: Expect::Adapted(&["IEC1891", "KUBELET_EXTRA_ARGS=--network-plugin=cni"]),
    },
    Case {
        name: "interfaces of one network with different packet sizes are told of",
        spoil: Spoil::Host {
            script: "set -eu; other=$(ip -4 -o address show dev eth0 | sed -n 's,.* inet \\([0-9.]*\\)[.][0-9]*/\\([0-9]*\\) .*,\\1.254/\\2,p')\n\
                     ip link add jumbo0 type bridge && ip link set jumbo0 mtu 9000 up && \
                     ip address add \"$other\" dev jumbo0 noprefixroute",
            restore: "ip link delete jumbo0",
        },
        command: "plan",
        expect: Expect::Adapted(&["IEC1894", "eth0 of edge-1 1500", "jumbo0 of edge-1 9000"]),
    },
    Case {
        name: "a packet filter that ends what comes to the host is told of",
        spoil: Spoil::Host {
            script: "nft 'add table inet office; add chain inet office guard { type filter hook input priority 0; policy drop; }; \
                     add rule inet office guard ct state established,related accept; add rule inet office guard tcp dport 22 accept'",
            restore: "nft 'delete table inet office'",
        },
        command: "plan",
        expect: Expect::Adapted(&[
            "IEC1840",
            "chain `inet office guard`, what comes to the host: policy drop",
            "6443/tcp",
        ]),
    },
    Case {
        name: "a packet filter that ends what passes through the host is told of",
        spoil: Spoil::Host {
            script: "nft 'add table inet office; add chain inet office guard { type filter hook forward priority 0; }; \
                     add rule inet office guard ct state established accept; add rule inet office guard reject'",
            restore: "nft 'delete table inet office'",
        },
        command: "plan",
        expect: Expect::Adapted(&[
            "IEC1840",
            "chain `inet office guard`, what the host passes on",
            "allow forwarding for 192.168.0.0/16",
        ]),
    },
];
