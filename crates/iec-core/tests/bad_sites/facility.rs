//! The place, its networks, controllers and interfaces: what cannot be, and what only looks so.

use crate::Case;

pub(crate) const CASES: &[Case] = &[
    (
        "networks of the place inside pods and services",
        &[(
            14,
            "  facility: {networks: [{name: a, cidr: 192.168.7.0/24}, {name: b, cidr: 172.16.0.0/16}]}",
        )],
        &["14:41 IEC0311", "14:74 IEC0311"],
    ),
    (
        "a network of the place inside the default pods",
        &[
            (11, ""),
            (14, "  facility: {networks: [{name: a, cidr: 192.168.7.0/24}]}"),
        ],
        &["14:41 IEC0311"],
    ),
    (
        "a gateway, a name server and a controller inside pods and services",
        &[
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: ipmi, address: 192.168.9.9}}}",
            ),
            (
                14,
                "  facility: {networks: [{name: a, gateway: 192.168.7.1, nameservers: [172.16.1.53]}]}",
            ),
        ],
        &["9:105 IEC0312 warning", "14:44 IEC0312", "14:71 IEC0312"],
    ),
    (
        "an interface inside the pods' network",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {interfaces: [{address: 192.168.4.4/24}]}}",
        )],
        &["11:11 IEC0304"],
    ),
    (
        "a network of the place with host bits, one that is none, and one for something else",
        &[(
            14,
            "  facility: {networks: [{name: a, cidr: 10.1.0.5/24}, {name: b, cidr: 10.1.0.0}, {name: c, cidr: 127.0.0.0/8}, {name: d, cidr: 224.1.0.0/16}, {name: e, cidr: 0.0.0.0/0}, {name: f, cidr: \"fd00::/64\"}]}",
        )],
        &[
            "14:41 IEC0302",
            "14:71 IEC0301",
            "14:98 IEC0309",
            "14:128 IEC0309",
            "14:159 IEC0309",
            "14:187 IEC0205",
        ],
    ),
    (
        "gateways and ranges outside their network",
        &[(
            14,
            "  facility: {networks: [{name: a, cidr: 10.1.0.0/24, gateway: 10.2.0.1, range: 10.1.0.10-10.1.1.10}, {name: b, cidr: 10.2.0.0/24, range: 10.3.0.1-10.3.0.9}]}",
        )],
        &["14:63 IEC0805", "14:80 IEC0805", "14:138 IEC0805"],
    ),
    (
        "gateways at an end of their network",
        &[(
            14,
            "  facility: {networks: [{name: a, cidr: 10.1.0.0/24, gateway: 10.1.0.0}, {name: b, cidr: 10.2.0.0/24, gateway: 10.2.0.255}]}",
        )],
        &["14:63 IEC0805", "14:112 IEC0805"],
    ),
    (
        "ranges with addresses that nobody can be given",
        &[(
            14,
            "  facility: {networks: [{name: a, cidr: 10.1.0.0/24, range: 10.1.0.0-10.1.0.255}, {name: b, cidr: 10.2.0.0/24, gateway: 10.2.0.1, range: 10.2.0.1-10.2.0.9}]}",
        )],
        &["14:61 IEC0805 warning", "14:138 IEC0805 warning"],
    ),
    (
        "two networks of one name",
        &[(
            14,
            "  facility: {networks: [{name: a, cidr: 10.1.0.0/24}, {name: b}, {name: a, cidr: 10.2.0.0/24}]}",
        )],
        &["14:73 IEC0806"],
    ),
    (
        "networks with addresses in common",
        &[(
            14,
            "  facility: {networks: [{name: a, cidr: 10.1.0.0/16}, {name: b, cidr: 10.1.4.0/24}]}",
        )],
        &["14:71 IEC0822 warning"],
    ),
    (
        "a network on an interface that no host has",
        &[
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {interfaces: [{}]}}",
            ),
            (14, "  facility: {networks: [{name: a, interface: 1}]}"),
        ],
        &["14:46 IEC0823 warning"],
    ),
    (
        "VLANs that are none",
        &[
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {interfaces: [{vlan: any}, {vlan: \"4095\"}]}}",
            ),
            (
                14,
                "  facility: {networks: [{name: a, vlan: abc}, {name: b, vlan: \"0\"}, {name: c, vlan: \"5000\"}, {name: d, vlan: \"20-10\"}, {name: e, vlan: 101}]}",
            ),
        ],
        &[
            "9:87 IEC0810",
            "9:100 IEC0810",
            "14:41 IEC0810",
            "14:63 IEC0810",
            "14:85 IEC0810",
            "14:110 IEC0810",
            "14:136 IEC0005",
        ],
    ),
    (
        "gateways and name servers that no machine can be",
        &[(
            14,
            "  facility: {networks: [{name: a, gateway: 0.0.0.0, nameservers: [127.0.0.1, 10.1.0.300, \"fd00::53\"]}, {name: b, gateway: 255.255.255.255, range: 10.1.0.9-10.1.0.3}]}",
        )],
        &[
            "14:44 IEC0206",
            "14:67 IEC0206",
            "14:78 IEC0801",
            "14:90 IEC0205",
            "14:123 IEC0206",
            "14:147 IEC0801",
        ],
    ),
    (
        "Redfish without a URL",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: redfish, address: 10.9.0.12}}}",
        )],
        &["9:108 IEC0808"],
    ),
    (
        "Redfish at the URL of something else",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: redfish, address: \"qemu:///system\"}}}",
        )],
        &["9:108 IEC0808"],
    ),
    (
        "a controller with a password in its address",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: redfish, address: \"https://root:calvin@10.9.0.12/redfish/v1\"}}}",
        )],
        &["9:108 IEC0808"],
    ),
    (
        "IPMI at half an address, and at an end of its network",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {management: {protocol: ipmi, address: 10.9.0}}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: ipmi, address: 10.9.0.255/24}}}",
            ),
        ],
        &["8:112 IEC0808", "9:105 IEC0808"],
    ),
    (
        "a contact that is no address",
        &[(14, "  facility: {contact: \"+49 30 1234\"}")],
        &["14:23 IEC0809"],
    ),
    (
        "two hosts with one controller",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {management: {protocol: ipmi, address: 10.9.0.12/24}}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: ipmi, address: 10.9.0.12, port: 623}}}",
            ),
        ],
        &["9:105 IEC0821"],
    ),
    (
        "one controller by IPMI and by Redfish",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {management: {protocol: ipmi, address: 10.9.0.12}}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: redfish, address: \"https://10.9.0.12/redfish/v1/Systems/1\"}}}",
            ),
        ],
        &["9:108 IEC0821"],
    ),
    (
        "a controller at another host's address",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: ipmi, address: 10.0.0.11}}}",
        )],
        &["9:105 IEC0821"],
    ),
    (
        "each other's interface addresses",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {interfaces: [{address: 10.0.0.12/24}]}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {interfaces: [{address: 10.0.0.11/24}]}}",
            ),
        ],
        &["8:97 IEC0804", "9:90 IEC0804"],
    ),
    (
        "an address of two interfaces in a network of the place",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {interfaces: [{address: 10.1.0.5}]}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {interfaces: [{address: 10.1.0.5}]}}",
            ),
            (
                14,
                "  facility: {networks: [{name: a, cidr: 10.1.0.0/24}, {name: b, cidr: 10.0.0.0/24}]}",
            ),
        ],
        &["9:90 IEC0804"],
    ),
    (
        "an address of two interfaces in a network of their own",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {interfaces: [{address: 10.1.0.5/24}]}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {interfaces: [{address: 10.1.0.5/24}]}}",
            ),
        ],
        &["9:90 IEC0804 warning"],
    ),
    (
        "hosts at the ends of the network of the place",
        &[
            (8, "    - {name: edge-1, address: 10.0.0.0, role: control-plane}"),
            (9, "    - {name: edge-2, address: 10.0.0.255, role: worker}"),
            (14, "  facility: {networks: [{name: a, cidr: 10.0.0.0/24}]}"),
        ],
        &["8:31 IEC0216", "9:31 IEC0216"],
    ),
    (
        "a node address at an end of its interface's network",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, nodeAddress: 10.7.0.127, role: worker, hardware: {interfaces: [{address: 10.7.0.127/25}]}}",
        )],
        &["9:55 IEC0216"],
    ),
    (
        "a host and an interface with the gateway's address",
        &[
            (8, "    - {name: edge-1, address: 10.0.0.1, role: control-plane}"),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {interfaces: [{address: 10.1.0.1/24}]}}",
            ),
            (
                14,
                "  facility: {networks: [{name: a, cidr: 10.0.0.0/24, gateway: 10.0.0.1}, {name: b, cidr: 10.1.0.0/24, gateway: 10.1.0.1}]}",
            ),
        ],
        &["8:31 IEC0217", "9:90 IEC0217"],
    ),
    (
        "interfaces with addresses that no machine can have",
        &[(
            9,
            "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {interfaces: [{address: 127.0.0.1/8}, {address: 224.0.0.5}, {address: 0.0.0.0}, {address: \"fd00::5/64\"}]}}",
        )],
        &["9:90 IEC0206", "9:114 IEC0206", "9:136 IEC0206", "9:156 IEC0205"],
    ),
    (
        "what looks odd and is right",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.0, role: control-plane, hardware: {management: {protocol: redfish, address: \"https://10.9.0.12/redfish/v1/Systems/1\"}, interfaces: [{address: 10.0.0.0/31, vlan: \"4094\"}, {address: 169.254.3.1/16}]}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.1, role: worker, hardware: {management: {protocol: redfish, address: \"https://10.9.0.12/redfish/v1/Systems/2\"}, interfaces: [{address: 10.0.0.1/31, vlan: native|1000-1999}, {address: 169.254.3.1/16}]}}",
            ),
            (
                14,
                "  facility: {contact: \"a@example.com, root@localhost\", networks: [{name: a, cidr: 10.0.0.0/31}, {name: b, cidr: 10.5.0.9/32, gateway: 172.31.1.1}, {name: c, cidr: 10.9.0.0/24, gateway: 10.9.0.1, range: 10.9.0.10-10.9.0.254, vlan: \"1\"}, {name: d, cidr: 10.9.0.0/24}, {name: e, cidr: 169.254.0.0/16}, {name: f, cidr: 10.6.0.0/31, range: 10.6.0.0-10.6.0.1}]}",
            ),
        ],
        &[],
    ),
    (
        "controllers that share an address and not a port",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {management: {protocol: ipmi, address: 10.9.0.12, port: 6230}}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: ipmi, address: 10.9.0.12, port: 6231}}}",
            ),
        ],
        &[],
    ),
    (
        "virtual machines of one hypervisor, and AMT at the host's own address",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {management: {protocol: libvirt, address: \"qemu+ssh://root@10.9.0.2/system\"}}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, hardware: {management: {protocol: amt, address: 10.0.0.12}}}",
            ),
        ],
        &[],
    ),
    (
        "an address whose former owner is gone",
        &[
            (
                8,
                "    - {name: edge-1, address: 10.0.0.11, role: control-plane, hardware: {interfaces: [{address: 10.1.0.5/24}]}}",
            ),
            (
                9,
                "    - {name: edge-2, address: 10.0.0.12, role: worker, state: absent, unreachable: true, hardware: {interfaces: [{address: 10.1.0.5/24}, {address: 10.0.0.11}]}}",
            ),
        ],
        &[],
    ),
];
