//! Bad site files: for each the codes with line and column, all of them in one run.
//!
//! Every case is the site below with some lines replaced (line 14 and later: added).

use std::fmt::Write as _;

use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::site;

const GOOD: [&str; 13] = [
    "apiVersion: iec.dev/v1alpha1",
    "kind: Site",
    "metadata: {name: store-0417}",
    "spec:",
    "  release: \"1.36\"",
    "  access: {user: edge}",
    "  hosts:",
    "    - {name: edge-1, address: 10.0.0.11, role: control-plane}",
    "    - {name: edge-2, address: 10.0.0.12, role: worker}",
    "  network:",
    "    pods: 192.168.0.0/16",
    "    services: 172.16.1.0/24",
    "    cni: calico",
];

/// A name, the lines that differ, and `line:column code` of everything that is found.
type Case = (
    &'static str,
    &'static [(usize, &'static str)],
    &'static [&'static str],
);

fn document(edits: &[(usize, &str)]) -> String {
    let mut lines = GOOD.map(str::to_owned).to_vec();
    for (line, text) in edits {
        if *line > lines.len() {
            lines.push((*text).to_owned());
        } else {
            lines[line - 1] = (*text).to_owned();
        }
    }
    lines.join("\n") + "\n"
}

fn found(text: &str) -> Diagnostics {
    match site::load(text, "site.yaml") {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    }
}

fn summary(problems: &Diagnostics) -> Vec<String> {
    let line = |problem: &iec_core::diagnostic::Diagnostic| {
        let place = problem
            .place
            .as_ref()
            .expect("a problem of a site file has a place");
        let mark = if problem.severity == Severity::Warning {
            " warning"
        } else {
            ""
        };
        format!("{}:{} {}{mark}", place.line, place.column, problem.code)
    };
    problems.iter().map(line).collect()
}

const READING: &[Case] = &[
    (
        "an unclosed bracket",
        &[(13, "    cni: [calico")],
        &["13:10 IEC0001"],
    ),
    (
        "a tab as indentation",
        &[(13, "\tcni: calico")],
        &["13:1 IEC0001"],
    ),
    (
        "two documents",
        &[(14, "---"), (15, "kind: Site")],
        &["1:1 IEC0002"],
    ),
    (
        "an unknown key",
        &[(8, "    - {name: edge-1, adress: 10.0.0.11, role: control-plane}")],
        &["8:22 IEC0003"],
    ),
    (
        "an unknown key at the top",
        &[(14, "status: {}")],
        &["14:1 IEC0003"],
    ),
    (
        "a key that is only indented wrongly",
        &[(13, "  cni: calico")],
        &["13:3 IEC0003"],
    ),
    (
        "a duplicate key",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, role: worker}",
        )],
        &["9:56 IEC0004"],
    ),
    (
        "a duplicate key in another spelling",
        &[(14, "\"kind\": Site")],
        &["14:1 IEC0004"],
    ),
    (
        "a number where text is wanted",
        &[(5, "  release: 1.36")],
        &["5:12 IEC0005"],
    ),
    (
        "text where a number is wanted",
        &[(6, "  access: {user: edge, port: \"22\"}")],
        &["6:30 IEC0005"],
    ),
    (
        "a list where a mapping is wanted",
        &[(6, "  access: [edge]")],
        &["6:11 IEC0005"],
    ),
    (
        "a mapping where a list is wanted",
        &[(8, "    edge-1: {address: 10.0.0.11}"), (9, "")],
        &["8:5 IEC0005"],
    ),
    (
        "text where a mapping is wanted",
        &[(3, "metadata: store-0417")],
        &["3:11 IEC0005"],
    ),
    (
        "nothing where text is wanted",
        &[(5, "  release:")],
        &["5:10 IEC0005"],
    ),
    (
        "nothing where a list is wanted",
        &[(8, ""), (9, "")],
        &["7:8 IEC0005"],
    ),
    (
        "a boolean where text is wanted",
        &[(9, "    - {name: true, address: 10.0.0.12, role: worker}")],
        &["9:14 IEC0005"],
    ),
    (
        "a document that is a list",
        &[
            (1, "- a"),
            (2, "- b"),
            (3, ""),
            (4, ""),
            (5, ""),
            (6, ""),
            (7, ""),
            (8, ""),
            (9, ""),
            (10, ""),
            (11, ""),
            (12, ""),
            (13, ""),
        ],
        &["1:1 IEC0005"],
    ),
    (
        "a boolean of YAML 1.1",
        &[(14, "  controlPlane: {schedulable: yes}")],
        &["14:31 IEC0006"],
    ),
    (
        "a word that YAML 1.1 reads as a boolean",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, labels: {country: NO}}",
        )],
        &["9:74 IEC0006"],
    ),
    (
        "a leading zero",
        &[(6, "  access: {user: edge, port: 022}")],
        &["6:30 IEC0006"],
    ),
    (
        "missing keys",
        &[(5, "  content: {}"), (6, ""), (9, "    - {labels: {}}")],
        &[
            "5:3 IEC0007",
            "5:3 IEC0007",
            "9:7 IEC0007",
            "9:7 IEC0007",
            "9:7 IEC0007",
        ],
    ),
    (
        "no spec",
        &[
            (4, ""),
            (5, ""),
            (6, ""),
            (7, ""),
            (8, ""),
            (9, ""),
            (10, ""),
            (11, ""),
            (12, ""),
            (13, ""),
        ],
        &["1:1 IEC0007"],
    ),
    (
        "an alias without an anchor",
        &[(9, "    - *worker")],
        &["9:7 IEC0009"],
    ),
    (
        "a merge key",
        &[
            (
                8,
                "    - &first {name: edge-1, address: 10.0.0.11, role: control-plane}",
            ),
            (9, "    - {<<: *first, name: edge-2, address: 10.0.0.12}"),
        ],
        &["9:7 IEC0007", "9:8 IEC0009"],
    ),
    ("a tag", &[(5, "  release: !!str 1.36")], &["5:18 IEC0009"]),
    (
        "another version of the format",
        &[(1, "apiVersion: iec.dev/v1")],
        &["1:13 IEC0010"],
    ),
    ("another kind", &[(2, "kind: Cluster")], &["2:7 IEC0011"]),
    (
        "an unknown word",
        &[(9, "    - {name: edge-2, address: 10.0.0.12, role: master}")],
        &["9:48 IEC0012"],
    ),
    (
        "a word in other letters",
        &[(9, "    - {name: edge-2, address: 10.0.0.12, role: Worker}")],
        &["9:48 IEC0012"],
    ),
    (
        "a number out of range",
        &[
            (6, "  access: {user: edge, port: 70000}"),
            (14, "  kubelet: {maxPods: -1}"),
        ],
        &["6:30 IEC0013", "14:22 IEC0013"],
    ),
    (
        "an empty text",
        &[(14, "  content: {bundle: \"\"}")],
        &["14:21 IEC0014"],
    ),
    (
        "a text of two lines",
        &[(6, "  access: {user: edge, identity: \"a\\nb\"}")],
        &["6:34 IEC0014"],
    ),
    (
        "an unknown release",
        &[(5, "  release: \"1.29\"")],
        &["5:12 IEC0015"],
    ),
    (
        "a patch instead of a release",
        &[(5, "  release: v1.36.3")],
        &["5:12 IEC0015"],
    ),
];

const HOSTS: &[Case] = &[
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
        "three control planes",
        &[
            (7, "  hosts: &hosts"),
            (9, "    - {name: edge-2, address: 10.0.0.12, role: control-plane}"),
            (
                10,
                "    - {name: edge-3, address: 10.0.0.13, role: control-plane}",
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

const NETWORKS: &[Case] = &[
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

const PARTS: &[Case] = &[
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
            "1:13 IEC0005",
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

const VALUES: &[Case] = &[
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

#[test]
fn the_good_site_is_good() {
    let (_, warnings) =
        site::load(&document(&[]), "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert!(warnings.is_empty(), "{warnings}");
}

#[test]
fn every_problem_has_its_code_and_place() {
    let mut wrong = String::new();
    for (name, edits, expected) in [READING, HOSTS, NETWORKS, PARTS, VALUES].concat() {
        let found = summary(&found(&document(edits)));
        if found != expected {
            writeln!(wrong, "{name}: expected {expected:?}, found {found:?}")
                .expect("a string takes everything");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn messages_are_as_recorded() {
    let mut text = String::new();
    for (name, edits, _) in [READING, HOSTS, NETWORKS, PARTS, VALUES].concat() {
        let document = document(edits);
        writeln!(text, "# {name}").expect("a string takes everything");
        for problem in &found(&document) {
            assert!(
                problem.hint.is_some(),
                "{name}: nobody says what to do: {problem}"
            );
            let place = problem
                .place
                .as_ref()
                .expect("a problem of a site file has a place");
            let marked = document[place.span.clone()].lines().next().unwrap_or_default();
            writeln!(text, "{problem}\n  marked: {marked}").expect("a string takes everything");
        }
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}
