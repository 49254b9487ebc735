//! The pod network, services of the site, charts, and what the site accepts.

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "an unknown pod network",
        &[(13, "    cni: flannel")],
        &["13:10 IEC0501"],
    ),
    (
        "an almost known pod network",
        &[(13, "    cni: Calico")],
        &["13:10 IEC0501"],
    ),
    ("Contiv/VPP", &[(13, "    cni: contiv-vpp")], &["13:10 IEC0502"]),
    (
        "Contiv/VPP with settings",
        &[(13, "    cni: {Contiv/VPP: {nic: eth1}}")],
        &["13:10 IEC0502"],
    ),
    (
        "OVN-Kubernetes",
        &[(13, "    cni: ovn-kubernetes")],
        &["13:10 IEC0503"],
    ),
    (
        "two pod networks",
        &[(13, "    cni: {calico: {}, flannel: {}}")],
        &["13:10 IEC0005"],
    ),
    (
        "IPIP",
        &[(13, "    cni: {calico: {encapsulation: IPIP}}")],
        &["13:35 IEC0504"],
    ),
    (
        "no encapsulation",
        &[(13, "    cni: {calico: {encapsulation: None}}")],
        &["13:35 IEC0505"],
    ),
    (
        "encapsulation in small letters",
        &[(13, "    cni: {calico: {encapsulation: vxlan}}")],
        &["13:35 IEC0012"],
    ),
    (
        "a datastore of its own",
        &[(13, "    cni: {calico: {datastore: etcd}}")],
        &["13:31 IEC0506 warning"],
    ),
    (
        "modes of kube-proxy that are not installed",
        &[(
            14,
            "    kubeProxy: {mode: nftables, nodePortAddresses: [10.0.0.5/24]}",
        )],
        &["14:23 IEC0510", "14:53 IEC0302"],
    ),
    (
        "name servers that CoreDNS cannot ask",
        &[(
            14,
            "    dns: {replicas: 0, forwarders: [127.0.0.53, 172.16.1.10, \"10.0.0.53:0\", x]}",
        )],
        &[
            "14:21 IEC0013",
            "14:37 IEC0512",
            "14:49 IEC0512",
            "14:62 IEC0512",
            "14:77 IEC0512",
        ],
    ),
    (
        "zones that cannot be",
        &[(
            14,
            "    dns: {zones: [{name: a.cluster.local, forwarders: [10.0.0.53]}, {name: b.example}, {name: c, forwarders: []}]}",
        )],
        &["14:26 IEC0513", "14:69 IEC0007", "14:110 IEC0512"],
    ),
    (
        "settings of Calico that its etcd does not get",
        &[(
            13,
            "    cni: {calico: {datastore: etcd, wireguard: true, felix: {logSeverity: info}}}",
        )],
        &[
            "13:31 IEC0506 warning",
            "13:48 IEC0514",
            "13:61 IEC0514",
            "13:75 IEC0012",
        ],
    ),
    (
        "a host outside Calico's network",
        &[(13, "    cni: {calico: {nodeAddress: {cidr: 10.0.1.0/24}}}")],
        &["8:31 IEC0507", "9:31 IEC0507"],
    ),
    (
        "Calico's network is none",
        &[(13, "    cni: {calico: {nodeAddress: {cidr: [10.0.0.5/24, x]}}}")],
        &["13:41 IEC0302", "13:54 IEC0301"],
    ),
    (
        "a pattern that is none",
        &[(13, "    cni: {calico: {nodeAddress: {interface: \"eth(\"}}}")],
        &["13:45 IEC0508"],
    ),
    (
        "a destination that is none",
        &[(13, "    cni: {calico: {nodeAddress: {can-reach: \"a b\"}}}")],
        &["13:45 IEC0509"],
    ),
    (
        "Calico's own way of writing",
        &[(13, "    cni: {calico: {nodeAddress: interface=eth0}}")],
        &["13:33 IEC0012"],
    ),
    (
        "an unknown search",
        &[(13, "    cni: {calico: {nodeAddress: {interfaces: eth0}}}")],
        &["13:34 IEC0003"],
    ),
    (
        "MTU and block size",
        &[(13, "    cni: {calico: {mtu: 90000, blockSize: 33}}")],
        &["13:25 IEC0013", "13:43 IEC0013"],
    ),
    (
        "Helm releases",
        &[
            (14, "  helm:"),
            (15, "    releases:"),
            (16, "      - {name: A, chart: oci://example.com/a}"),
            (
                17,
                "      - {name: b, namespace: B, chart: ./b.tgz, version: ^1.2}",
            ),
            (18, "      - {name: c, chart: ./c.tgz}"),
            (19, "      - {name: c, chart: ./c.tgz}"),
            (20, "      - {chart: ./d.tgz, values: {on: off, when: [.inf]}}"),
        ],
        &[
            "16:16 IEC0601",
            "16:26 IEC0604",
            "17:30 IEC0603",
            "17:58 IEC0605",
            "19:16 IEC0602",
            "20:9 IEC0007",
            "20:39 IEC0006",
            "20:51 IEC0005",
        ],
    ),
    (
        "nothing to accept",
        &[(14, "  accept: [cgroups-v1, anything, cgroup-v1, cgroup-v1]")],
        &["14:12 IEC0701", "14:24 IEC0701", "14:45 IEC0702"],
    ),
    (
        "amounts",
        &[(
            14,
            "  kubelet: {evictionHard: {memory.available: 100MB, nodefs.available: 100%}, systemReserved: {cpu: 1}}",
        )],
        &["14:46 IEC0704", "14:71 IEC0704", "14:100 IEC0005"],
    ),
    (
        "arguments and names that a control plane cannot have",
        &[(
            14,
            "  controlPlane: {certificateNames: [\"https://api.example.org\", api.example.org], apiServer: {arguments: {--v: \"2\", etcd-servers: x, profiling: \"false\"}}}",
        )],
        &["14:37 IEC0219", "14:106 IEC0218", "14:116 IEC0218"],
    ),
    (
        "wrong types and broken rules in one run",
        &[
            (1, "apiVersion: 1"),
            (5, "  release: 1.36"),
            (6, "  access: {user: Edge User}"),
            (
                8,
                "    - {name: Edge-1, address: 10.0.0.11, role: master, labels: [a]}",
            ),
            (12, "    services: 172.16.1.0/30"),
            (13, "    cni: contiv"),
        ],
        &[
            "1:13 IEC0010",
            "5:12 IEC0005",
            "6:18 IEC0103",
            "8:14 IEC0102",
            "8:48 IEC0012",
            "8:64 IEC0005",
            "12:15 IEC0305",
            "13:10 IEC0502",
        ],
    ),
];
