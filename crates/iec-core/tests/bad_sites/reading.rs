//! Files that are no site yet: syntax, keys, types, versions.

use crate::Case;

pub(crate) const CASES: &[Case] = &[
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
