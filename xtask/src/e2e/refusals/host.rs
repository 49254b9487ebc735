//! Hosts that cannot be part of the site as they are, and what of them is taken into account instead.

use super::{Case, Expect, Refusal, Spoil};

/// A program that takes a port, as a unit that the case can end.
macro_rules! listen {
    ($port:literal) => {
        concat!(
            "systemd-run --quiet --unit=listener-",
            $port,
            " perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 1, LocalPort => ",
            $port,
            ", ReuseAddr => 1) or die; sleep'\n",
            "until ss -Hltn | grep -q ':",
            $port,
            " '; do sleep 0.1; done"
        )
    };
}

/// The cases.
pub(super) const CASES: [Case; 18] = [
    Case {
        name: "a disk that is too small",
        spoil: Spoil::Host {
            script: "mkdir /var/lib/iec && mount -t tmpfs -o size=20m tmpfs /var/lib/iec",
            restore: "umount /var/lib/iec && rmdir /var/lib/iec",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1811",
            says: &["edge-1", "/var/lib/iec", "are free", "are needed"],
        }),
    },
    Case {
        // A host with a store has had its room counted before: what is left is what somebody else has left it.
        name: "a disk that becomes full while content is sent",
        spoil: Spoil::Host {
            script: "mkdir /var/lib/iec && mount -t tmpfs -o size=20m tmpfs /var/lib/iec && \
                     mkdir /var/lib/iec/store && echo 1 >/var/lib/iec/store/something",
            restore: "umount /var/lib/iec && rmdir /var/lib/iec",
        },
        command: "apply",
        expect: Expect::Resumable(Refusal {
            exit: 2,
            code: "IEC4005",
            says: &["edge-1", "No space left on device", "df -h /var/lib/iec"],
        }),
    },
    Case {
        name: "a folder from which no program may run",
        spoil: Spoil::Host {
            script: "mount --bind /var /var && mount -o remount,bind,noexec /var",
            restore: "umount /var",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1814",
            says: &["edge-1", "/var", "noexec"],
        }),
    },
    Case {
        name: "a root file system that is read-only",
        spoil: Spoil::Host {
            script: "mount -o remount,bind,ro /",
            restore: "mount -o remount,bind,rw /",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1815",
            says: &["edge-1", "read-only"],
        }),
    },
    Case {
        name: "the API server's port is taken",
        spoil: Spoil::Host {
            script: listen!("6443"),
            restore: "systemctl stop listener-6443",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1833",
            says: &["edge-1", "6443", "perl"],
        }),
    },
    Case {
        name: "the kubelet's port is taken",
        spoil: Spoil::Host {
            script: listen!("10250"),
            restore: "systemctl stop listener-10250",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1833",
            says: &["edge-1", "10250", "perl"],
        }),
    },
    Case {
        name: "etcd's port is taken",
        spoil: Spoil::Host {
            script: listen!("2379"),
            restore: "systemctl stop listener-2379",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1833",
            says: &["edge-1", "2379", "perl"],
        }),
    },
    Case {
        name: "Docker runs containers",
        // What shows a container of Docker is its shim, by its words.
        spoil: Spoil::Host {
            script: "systemd-run --quiet --unit=moby perl -e sleep -- -namespace moby -id 1\n\
                     until grep -qsz moby /proc/[0-9]*/cmdline; do sleep 0.1; done",
            restore: "systemctl stop moby",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1865",
            says: &["edge-1", "docker ps"],
        }),
    },
    Case {
        name: "a containerd of somebody else",
        spoil: Spoil::Host {
            script: "printf '#!/bin/sh\\necho containerd github.com/containerd/containerd 1.6.20\\n' >/usr/bin/containerd && \
                     chmod 0755 /usr/bin/containerd",
            restore: "rm /usr/bin/containerd",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1864",
            says: &["edge-1", "/usr/bin/containerd", "1.6.20", "takeOver"],
        }),
    },
    Case {
        name: "a host of another site",
        spoil: Spoil::Host {
            script: "mkdir /etc/iec && echo 'store-0417 4f0c' >/etc/iec/site",
            restore: "rm -r /etc/iec",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1862",
            says: &["edge-1", "store-0417", "iec reset"],
        }),
    },
    Case {
        name: "a host of another cluster",
        spoil: Spoil::Host {
            script: "mkdir /etc/kubernetes && printf 'clusters:\\n- cluster:\\n    server: https://10.1.2.3:6443\\n' >/etc/kubernetes/kubelet.conf",
            restore: "rm -r /etc/kubernetes",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1863",
            says: &["edge-1", "https://10.1.2.3:6443"],
        }),
    },
    Case {
        name: "a symbolic link where a file is to be",
        spoil: Spoil::Host {
            script: "mkdir -p /etc/apt/preferences.d && ln -s /root/pins /etc/apt/preferences.d/iec",
            restore: "rm /etc/apt/preferences.d/iec",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1601",
            says: &["edge-1", "/etc/apt/preferences.d/iec"],
        }),
    },
    Case {
        name: "a clock of before the content",
        // The host reads its time from a program that lies: its real clock is that of this machine.
        spoil: Spoil::Host {
            script: "printf '#!/bin/sh\\nexec /bin/date -d @1600000000 \"$@\"\\n' >/usr/local/bin/date && \
                     chmod 0755 /usr/local/bin/date",
            restore: "rm /usr/local/bin/date",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1851",
            says: &["edge-1", "clock"],
        }),
    },
    Case {
        name: "a name server that is a stub is not given to pods",
        spoil: Spoil::Host {
            script: "cp /etc/resolv.conf /root/resolv.conf && mkdir -p /run/systemd/resolve && \
                     echo 'nameserver 127.0.0.53' >/etc/resolv.conf && \
                     echo 'nameserver 192.0.2.1' >/run/systemd/resolve/resolv.conf",
            restore: "cat /root/resolv.conf >/etc/resolv.conf && rm -r /root/resolv.conf /run/systemd/resolve",
        },
        command: "plan",
        expect: Expect::Adapted(&["nameserver 192.0.2.1"]),
    },
    Case {
        name: "a stub without a server behind it is told of",
        spoil: Spoil::Host {
            script: "cp /etc/resolv.conf /root/resolv.conf && echo 'nameserver 127.0.0.53' >/etc/resolv.conf",
            restore: "cat /root/resolv.conf >/etc/resolv.conf && rm /root/resolv.conf",
        },
        command: "plan",
        expect: Expect::Adapted(&["IEC1841", "127.0.0.53 only"]),
    },
    Case {
        name: "a proxy without exceptions is told of, its password is not",
        spoil: Spoil::Host {
            script: "cp -a /etc/environment /root/environment; echo 'https_proxy=http://u:a-secret@10.1.2.3:3128' >>/etc/environment",
            restore: "rm /etc/environment; [ ! -e /root/environment ] || mv /root/environment /etc/environment",
        },
        command: "plan",
        expect: Expect::Adapted(&["IEC1844", "edge-1"]),
    },
    Case {
        name: "cloud-init's template gets the API server's name too",
        spoil: Spoil::Host {
            script: "mkdir -p /run/cloud-init /etc/cloud/cloud.cfg.d /etc/cloud/templates && \
                     echo 'manage_etc_hosts: true' >/etc/cloud/cloud.cfg.d/99.cfg && \
                     echo '127.0.0.1 localhost' >/etc/cloud/templates/hosts.debian.tmpl",
            restore: "rm -r /run/cloud-init /etc/cloud",
        },
        command: "plan",
        expect: Expect::Adapted(&[
            "system.endpoint-name-template",
            "/etc/cloud/templates/hosts.debian.tmpl",
        ]),
    },
    Case {
        name: "a foreign CNI configuration that comes first",
        spoil: Spoil::Host {
            script: "mkdir -p /etc/cni/net.d && echo '{}' >/etc/cni/net.d/05-other.conflist",
            restore: "rm -r /etc/cni",
        },
        command: "apply",
        expect: Expect::Refused(Refusal {
            exit: 1,
            code: "IEC1866",
            says: &["edge-1", "05-other.conflist"],
        }),
    },
];
