//! Networks that overlap, are too small, or have no room for what must be in them.

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "no network",
        &[(11, "    pods: 192.168.0.0"), (12, "    services: any")],
        &["11:11 IEC0301", "12:15 IEC0301"],
    ),
    (
        "addresses inside networks",
        &[
            (11, "    pods: 192.168.1.5/16"),
            (12, "    services: 172.16.1.1/24"),
        ],
        &["11:11 IEC0302", "12:15 IEC0302"],
    ),
    (
        "pods and services overlap",
        &[(11, "    pods: 172.16.0.0/16")],
        &["12:15 IEC0303"],
    ),
    (
        "pods overlap with the default services",
        &[(11, "    pods: 172.16.0.0/16"), (12, "")],
        &["11:11 IEC0303"],
    ),
    (
        "a host inside the pods' network",
        &[(11, "    pods: 10.0.0.0/16")],
        &["11:11 IEC0304"],
    ),
    (
        "a host inside the default pods' network",
        &[
            (9, "    - {name: edge-2, address: 192.168.4.12, role: worker}"),
            (11, ""),
        ],
        &["9:31 IEC0304"],
    ),
    (
        "a node address inside the services' network",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, nodeAddress: 172.16.1.77, role: worker}",
        )],
        &["12:15 IEC0304"],
    ),
    (
        "a virtual address that is a host's",
        &[(14, "  controlPlane: {virtualAddress: 10.0.0.12}")],
        &["14:34 IEC0407"],
    ),
    (
        "a virtual address among the pods",
        &[(14, "  controlPlane: {virtualAddress: 192.168.3.4}")],
        &["14:34 IEC0407"],
    ),
    (
        "a virtual address among the services",
        &[(14, "  controlPlane: {virtualAddress: 172.16.1.9}")],
        &["14:34 IEC0407"],
    ),
    (
        "a virtual address with a prefix length",
        &[(14, "  controlPlane: {virtualAddress: 10.0.0.10/24}")],
        &["14:34 IEC0204"],
    ),
    (
        "services as /30",
        &[(12, "    services: 172.16.1.0/30")],
        &["12:15 IEC0305"],
    ),
    (
        "services as /29",
        &[(12, "    services: 172.16.1.0/29")],
        &["12:15 IEC0305"],
    ),
    (
        "services as /11",
        &[
            (
                8,
                "    - {name: edge-1, address: 192.0.2.11, role: control-plane}",
            ),
            (9, ""),
            (12, "    services: 10.32.0.0/11"),
        ],
        &["12:15 IEC0306"],
    ),
    (
        "fewer blocks than hosts",
        &[(11, "    pods: 192.168.0.0/26")],
        &["11:11 IEC0307"],
    ),
    (
        "a pod network smaller than a block",
        &[(11, "    pods: 192.168.0.0/27")],
        &["11:11 IEC0307"],
    ),
    (
        "too few blocks for all pods",
        &[(11, "    pods: 192.168.0.0/25")],
        &["11:11 IEC0308 warning"],
    ),
    (
        "networks that are for something else",
        &[(11, "    pods: 127.0.0.0/16"), (12, "    services: 224.0.0.0/24")],
        &["11:11 IEC0309", "12:15 IEC0309"],
    ),
    (
        "a public network",
        &[(11, "    pods: 8.8.0.0/16")],
        &["11:11 IEC0310 warning"],
    ),
    (
        "IPv6 networks",
        &[
            (11, "    pods: \"fd00::/48\""),
            (12, "    services: \"172.16.1.0/24,fd00:1::/108\""),
        ],
        &["11:11 IEC0205", "12:15 IEC0205"],
    ),
    (
        "an endpoint without a port",
        &[(14, "  controlPlane: {endpoint: api.example.com}")],
        &["14:28 IEC0401"],
    ),
    (
        "an endpoint that is a URL",
        &[(14, "  controlPlane: {endpoint: \"https://api.example.com:6443\"}")],
        &["14:28 IEC0401"],
    ),
    (
        "an endpoint in capital letters",
        &[(14, "  controlPlane: {endpoint: \"API.example.com:6443\"}")],
        &["14:28 IEC0401"],
    ),
    (
        "an endpoint with half an address",
        &[(14, "  controlPlane: {endpoint: \"10.0.0:6443\"}")],
        &["14:28 IEC0401"],
    ),
    (
        "an endpoint with port 0",
        &[(14, "  controlPlane: {endpoint: \"api.example.com:0\"}")],
        &["14:28 IEC0401"],
    ),
    (
        "kubelet's port",
        &[(14, "  controlPlane: {endpoint: \"api.example.com:10250\"}")],
        &["14:28 IEC0402"],
    ),
    (
        "a port for services",
        &[(14, "  controlPlane: {endpoint: \"api.example.com:30443\"}")],
        &["14:28 IEC0402"],
    ),
    (
        "nobody's address",
        &[(14, "  controlPlane: {endpoint: \"10.0.0.99:6443\"}")],
        &["14:28 IEC0403"],
    ),
    (
        "a worker's address",
        &[(14, "  controlPlane: {endpoint: \"10.0.0.12:6443\"}")],
        &["14:28 IEC0403"],
    ),
    (
        "the control plane's address",
        &[(14, "  controlPlane: {endpoint: \"10.0.0.11:6443\"}")],
        &["14:28 IEC0405 warning"],
    ),
    (
        "an IPv6 endpoint",
        &[(14, "  controlPlane: {endpoint: \"[2001:db8::1]:6443\"}")],
        &["14:28 IEC0205"],
    ),
    (
        "a worker's name",
        &[(14, "  controlPlane: {endpoint: \"edge-2:6443\"}")],
        &["14:28 IEC0404"],
    ),
    (
        "a name of the cluster's own domain",
        &[(14, "  controlPlane: {endpoint: \"api.cluster.local:6443\"}")],
        &["14:28 IEC0404"],
    ),
];
