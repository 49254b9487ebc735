//! Names, addresses, roles and access of hosts.

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "the site's name",
        &[(3, "metadata: {name: Store_0417}")],
        &["3:18 IEC0101"],
    ),
    (
        "capital letters",
        &[(8, "    - {name: Edge-1, address: 10.0.0.11, role: control-plane}")],
        &["8:14 IEC0102"],
    ),
    (
        "an underscore",
        &[(8, "    - {name: edge_1, address: 10.0.0.11, role: control-plane}")],
        &["8:14 IEC0102"],
    ),
    (
        "a domain",
        &[(
            8,
            "    - {name: edge-1.lan, address: 10.0.0.11, role: control-plane}",
        )],
        &["8:14 IEC0102"],
    ),
    (
        "64 characters",
        &[(
            8,
            "    - {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, address: 10.0.0.11, role: control-plane}",
        )],
        &["8:14 IEC0102"],
    ),
    (
        "localhost",
        &[(
            8,
            "    - {name: localhost, address: 10.0.0.11, role: control-plane}",
        )],
        &["8:14 IEC0102"],
    ),
    (
        "an account that is an option",
        &[(6, "  access: {user: -oProxyCommand=x}")],
        &["6:18 IEC0103"],
    ),
    (
        "labels that Kubernetes refuses",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, labels: {a b: c, d: \"e f\"}}",
        )],
        &["9:65 IEC0104", "9:76 IEC0104"],
    ),
    (
        "a label of Kubernetes",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, labels: {node-role.kubernetes.io/worker: \"\"}}",
        )],
        &["9:65 IEC0105"],
    ),
    (
        "a taint of Kubernetes",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, taints: [{key: node-role.kubernetes.io/control-plane, effect: NoSchedule}]}",
        )],
        &["9:71 IEC0105"],
    ),
    (
        "a taint twice, and one without an effect",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, taints: [{key: a, effect: NoExecute}, {key: a, value: b, effect: NoExecute}, {key: c}]}",
        )],
        &["9:94 IEC0106", "9:133 IEC0007"],
    ),
    (
        "a name twice",
        &[(9, "    - {name: edge-1, address: 10.0.0.12, role: worker}")],
        &["9:14 IEC0201"],
    ),
    (
        "an address twice",
        &[(9, "    - {name: edge-2, address: 10.0.0.11, role: worker}")],
        &["9:31 IEC0202"],
    ),
    (
        "a node address twice",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, nodeAddress: 10.0.0.11, role: worker}",
        )],
        &["9:55 IEC0203"],
    ),
    (
        "one address, two ports, one node address",
        &[
            (
                8,
                "    - {name: edge-1, address: 203.0.113.5, port: 2201, nodeAddress: 10.0.0.1, role: control-plane}",
            ),
            (
                9,
                "    - {name: edge-2, address: 203.0.113.5, port: 2202, nodeAddress: 10.0.0.1, role: worker}",
            ),
        ],
        &["9:69 IEC0203"],
    ),
    (
        "no address",
        &[(
            8,
            "    - {name: edge-1, address: edge-1.lan, role: control-plane}",
        )],
        &["8:31 IEC0204"],
    ),
    (
        "an address with a prefix",
        &[(
            8,
            "    - {name: edge-1, address: 10.0.0.11/24, role: control-plane}",
        )],
        &["8:31 IEC0204"],
    ),
    (
        "an IPv6 address",
        &[(
            8,
            "    - {name: edge-1, address: \"2001:db8::1\", role: control-plane}",
        )],
        &["8:31 IEC0205"],
    ),
    (
        "a dual-stack address",
        &[(
            8,
            "    - {name: edge-1, address: 10.0.0.11, nodeAddress: \"10.0.0.11,2001:db8::1\", role: control-plane}",
        )],
        &["8:55 IEC0205"],
    ),
    (
        "a loopback, a multicast and a link-local address",
        &[
            (8, "    - {name: edge-1, address: 127.0.0.1, role: control-plane}"),
            (
                9,
                "    - {name: edge-2, address: 224.0.0.9, nodeAddress: 169.254.3.4, role: worker}",
            ),
        ],
        &["8:31 IEC0206", "9:31 IEC0206", "9:55 IEC0206"],
    ),
    (
        "a fingerprint for a key",
        &[(
            8,
            "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hostKey: \"SHA256:abc\"}",
        )],
        &["8:72 IEC0207"],
    ),
    (
        "a line of known_hosts for a key",
        &[(
            8,
            "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hostKey: \"edge-1 ssh-ed25519 AAAA\"}",
        )],
        &["8:72 IEC0207"],
    ),
    (
        "a key that is cut off",
        &[(
            8,
            "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5}",
        )],
        &["8:72 IEC0207"],
    ),
    (
        "a key of another algorithm",
        &[(
            8,
            "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hostKey: ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGk1sI9Zy4Xv0cJ6mFqX1b0b3m8oJ0pQm0z5l2q8w7eR}",
        )],
        &["8:72 IEC0207"],
    ),
    (
        "no hosts",
        &[(7, "  hosts: []"), (8, ""), (9, "")],
        &["7:10 IEC0208"],
    ),
    (
        "no control plane",
        &[(8, "    - {name: edge-1, address: 10.0.0.11, role: worker}")],
        &["8:5 IEC0209"],
    ),
    (
        "the only control plane absent",
        &[(
            8,
            "    - {name: edge-1, address: 10.0.0.11, role: control-plane, state: absent}",
        )],
        &["8:5 IEC0209"],
    ),
    (
        "two control planes",
        &[(9, "    - {name: edge-2, address: 10.0.0.12, role: control-plane}")],
        &["9:7 IEC0210"],
    ),
    (
        "seven control planes",
        &[
            (7, "  hosts: &hosts"),
            (9, "    - {name: edge-2, address: 10.0.0.12, role: control-plane}"),
            (
                10,
                "    - {name: edge-3, address: 10.0.0.13, role: control-plane}\n    - {name: edge-4, address: 10.0.0.14, role: control-plane}\n    - {name: edge-5, address: 10.0.0.15, role: control-plane}\n    - {name: edge-6, address: 10.0.0.16, role: control-plane}\n    - {name: edge-7, address: 10.0.0.17, role: control-plane}",
            ),
            (11, ""),
            (12, ""),
            (13, ""),
        ],
        &["9:7 IEC0211"],
    ),
    (
        "nobody takes workloads",
        &[(9, ""), (14, "  controlPlane: {schedulable: false}")],
        &["8:5 IEC0212"],
    ),
    (
        "unreachable and present",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, unreachable: true}",
        )],
        &["9:69 IEC0213"],
    ),
    (
        "wrong assumptions",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, assume: {architecture: x86_64, distribution: fedora, cpus: 0, nameservers: [127.0.0.53]}}",
        )],
        &["9:79 IEC0012", "9:101 IEC0215", "9:115 IEC0013", "9:132 IEC0206"],
    ),
];
