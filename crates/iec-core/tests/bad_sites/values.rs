//! Values that read well and cannot be meant: taints, ports, networks, patterns, amounts.

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "taints that leave no host to pods",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, taints: [{key: a, effect: NoSchedule}]}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, taints: [{key: b, value: c, effect: NoExecute}]}",
            ),
        ],
        &["8:71 IEC0212"],
    ),
    (
        "a tainted worker beside control planes that take nothing",
        &[
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, taints: [{key: b, effect: NoSchedule}]}",
            ),
            (14, "  controlPlane: {schedulable: false}"),
        ],
        &["9:64 IEC0212"],
    ),
    (
        "a taint that only prefers, and one host of two with another",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, taints: [{key: a, effect: PreferNoSchedule}]}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, taints: [{key: b, effect: NoExecute}]}",
            ),
        ],
        &[],
    ),
    (
        "the API server on a port of Calico's etcd",
        &[
            (13, "    cni: {calico: {datastore: etcd}}"),
            (14, "  controlPlane: {endpoint: \"api.example.com:6667\"}"),
        ],
        &["13:31 IEC0506 warning", "14:28 IEC0402"],
    ),
    (
        "the same port where Calico has no etcd",
        &[(14, "  controlPlane: {endpoint: \"api.example.com:6667\"}")],
        &[],
    ),
    (
        "ports with a sign or a zero",
        &[(14, "  controlPlane: {endpoint: \"api.example.com:+6443\"}")],
        &["14:28 IEC0401"],
    ),
    (
        "a port with a zero before it",
        &[(14, "  controlPlane: {endpoint: \"api.example.com:06443\"}")],
        &["14:28 IEC0401"],
    ),
    (
        "networks with zeros before their numbers",
        &[
            (11, "    pods: 010.0.0.0/8"),
            (12, "    services: 172.16.1.0/024"),
        ],
        &["11:11 IEC0301", "12:15 IEC0301"],
    ),
    (
        "one machine twice, once with the usual port",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.11, port: 22, nodeAddress: 10.0.0.12, role: worker}",
        )],
        &["9:31 IEC0202"],
    ),
    (
        "one machine twice, once with the site's port",
        &[
            (6, "  access: {user: edge, port: 2222}"),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.11, port: 2222, nodeAddress: 10.0.0.12, role: worker}",
            ),
        ],
        &["9:31 IEC0202"],
    ),
    (
        "the usual port beside another one of the site",
        &[
            (6, "  access: {user: edge, port: 2222}"),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.11, port: 22, nodeAddress: 10.0.0.12, role: worker}",
            ),
        ],
        &[],
    ),
    (
        "networks so large that none is free",
        &[(11, "    pods: 8.0.0.0/6"), (12, "    services: 10.0.0.0/12")],
        &[
            "11:11 IEC0304",
            "11:11 IEC0310 warning",
            "12:15 IEC0303",
            "12:15 IEC0304",
        ],
    ),
    (
        "patterns that RE2 does not read",
        &[(13, "    cni: {calico: {nodeAddress: {interface: \"(?=eth).*\"}}}")],
        &["13:45 IEC0508"],
    ),
    (
        "a repetition of a repetition",
        &[(13, "    cni: {calico: {nodeAddress: {interface: \"eth.**\"}}}")],
        &["13:45 IEC0508"],
    ),
    (
        "a destination that is everywhere",
        &[(13, "    cni: {calico: {nodeAddress: {can-reach: 127.0.0.1}}}")],
        &["13:45 IEC0509"],
    ),
    (
        "a destination that is no address",
        &[(13, "    cni: {calico: {nodeAddress: {can-reach: 10.0.0.256}}}")],
        &["13:45 IEC0509"],
    ),
    (
        "amounts that cannot be meant",
        &[(
            14,
            "  kubelet: {evictionHard: {memory.available: \"0\", nodefs.available: 100m}, systemReserved: {memory: 512m, cpu: 5%}}",
        )],
        &[
            "14:46 IEC0705",
            "14:69 IEC0705",
            "14:101 IEC0705",
            "14:112 IEC0704",
        ],
    ),
    (
        "amounts with exponents and without a leading digit",
        &[(
            14,
            "  kubelet: {evictionHard: {memory.available: \"1e9\", pid.available: 0%}, systemReserved: {cpu: \".5\", memory: 1E}}",
        )],
        &[],
    ),
];
