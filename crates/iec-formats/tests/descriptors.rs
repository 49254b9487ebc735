//! OPNFV's descriptors: what becomes of right ones, and what is said about wrong ones.

use iec_core::architecture::Architecture;
use iec_core::diagnostic::{Diagnostics, Severity};
use iec_core::site::{self, Role, Site};
use iec_formats::masked;
use iec_formats::opnfv::{Descriptor, Dialect, HostChoice, Imported, Wanted, import};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const PDF: &str = include_str!("descriptors/pdf.yaml");
const IDF: &str = include_str!("descriptors/idf.yaml");
const KUBEREF_PDF: &str = include_str!("descriptors/kuberef-pdf.yaml");
const KUBEREF_IDF: &str = include_str!("descriptors/kuberef-idf.yaml");
/// The password in the fixtures.
const SECRET: &str = "seeded-secret-7f3a9c";

fn wanted() -> Wanted<'static> {
    Wanted {
        name: Some("store-0417"),
        usual_name: "folder",
        release: "1.36",
        user: "edge",
        ..Wanted::default()
    }
}

fn read(pdf: &str, idf: &str, dialect: Dialect) -> Result<Imported, Diagnostics> {
    let pdf = Descriptor {
        text: pdf,
        file: "pdf.yaml",
    };
    let idf = Descriptor {
        text: idf,
        file: "idf.yaml",
    };
    import(&pdf, &idf, dialect, &wanted())
}

#[track_caller]
fn site_of(imported: &Imported) -> Site {
    let (site, _) = site::load(&imported.text, "site.yaml")
        .unwrap_or_else(|problems| panic!("{problems}\n{}", imported.text));
    site
}

/// The severity, code, file and line of every problem.
fn told(problems: &Diagnostics) -> Vec<String> {
    let told = problems.iter().map(|problem| {
        let place = problem.place.as_ref();
        let at = place.map_or_else(String::new, |place| format!(" {}:{}", place.file, place.line));
        format!("{} {}{at}", problem.severity, problem.code)
    });
    told.collect()
}

#[test]
fn pharos_descriptors_become_a_site() {
    let imported = read(PDF, IDF, Dialect::Pharos).unwrap_or_else(|problems| panic!("{problems}"));
    let site = site_of(&imported);
    let hosts: Vec<(String, String, String, Role)> = site
        .hosts()
        .iter()
        .map(|host| {
            let (address, node) = (host.address().to_string(), host.node_address().to_string());
            (host.name().to_string(), address, node, host.role())
        })
        .collect();
    let host = |name: &str, last: u8, role| {
        (
            format!("site0417-{name}"),
            format!("10.1.0.{last}"),
            format!("10.2.0.{last}"),
            role,
        )
    };
    assert_eq!(
        hosts,
        [
            host("node1", 11, Role::ControlPlane),
            host("node2", 12, Role::Worker)
        ]
    );
    let first = &site.hosts()[0];
    assert_eq!(first.assume().architecture(), Some(Architecture::Arm64));
    assert_eq!(first.assume().distribution(), Some("ubuntu-24.04"));
    assert_eq!(first.assume().memory_mib(), Some(16384));
    let hardware = first.hardware();
    assert_eq!(hardware.interfaces[1].name.as_deref(), Some("enP2p1s0f2"));
    assert_eq!(hardware.interfaces[1].features, ["dpdk", "sriov"]);
    let management = hardware.management.as_ref().expect("it has one");
    assert_eq!(management.credentials.as_deref(), Some("site0417-node1-bmc"));
    assert_eq!(management.bare_address(), "10.9.0.11");
    let networks: Vec<String> = site
        .facility()
        .networks
        .iter()
        .map(|network| network.name.clone())
        .collect();
    assert_eq!(networks, ["oob", "admin", "mgmt", "public"]);
    // The range is all that the descriptor says about its addresses.
    assert_eq!(
        site.facility().networks[0]
            .cidr
            .map(|cidr| cidr.to_string())
            .as_deref(),
        Some("10.9.0.0/24")
    );
    assert_eq!(
        told(&imported.warnings),
        [
            "warning IEC0817 idf.yaml:12",
            "warning IEC0817 pdf.yaml:11",
            "warning IEC0816",
            "warning IEC0816"
        ]
    );
}

#[test]
fn kuberef_descriptors_become_a_site_with_a_warning_for_each_deviation() {
    let imported =
        read(KUBEREF_PDF, KUBEREF_IDF, Dialect::Kuberef).unwrap_or_else(|problems| panic!("{problems}"));
    let site = site_of(&imported);
    let names: Vec<&str> = site.hosts().iter().map(|host| host.name().as_str()).collect();
    assert_eq!(names, ["worker-1", "master1"]);
    assert_eq!(site.hosts()[1].role(), Role::ControlPlane);
    assert_eq!(site.hosts()[1].assume().distribution(), Some("ubuntu-22.04"));
    assert_eq!(
        site.hosts()[0].hardware().interfaces[0].name.as_deref(),
        Some("ens4")
    );
    let strict = read(KUBEREF_PDF, KUBEREF_IDF, Dialect::Pharos).expect_err("it deviates");
    // The same deviations, at the same places.
    let deviations = |problems: &Diagnostics| {
        let codes = ["IEC0811", "IEC0812", "IEC0813", "IEC0814"];
        let deviations = problems.iter().filter(|problem| codes.contains(&problem.code));
        deviations
            .map(|problem| (problem.code, problem.message.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(deviations(&strict), deviations(&imported.warnings));
    assert!(deviations(&strict).len() > 20, "{strict}");
    let words = imported.warnings.to_string();
    for part in [
        "`details.type` cannot be `baremetal`",
        "the key `version` is missing in the document",
        "`nodes[0].remote_management.type` must be text, but is a list",
        "`nodes[0].disks[0].name` cannot be `Intel SSDSC2KB48`",
        "unknown key `bmra`",
        "the node `Worker_1` becomes the host `worker-1`",
    ] {
        assert!(words.contains(part), "{part} is missing in:\n{words}");
    }
}

#[test]
fn no_password_leaves_the_descriptor() {
    for (pdf, idf, dialect) in [
        (PDF, IDF, Dialect::Pharos),
        (KUBEREF_PDF, KUBEREF_IDF, Dialect::Kuberef),
    ] {
        let imported = read(pdf, idf, dialect).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(pdf.contains(SECRET));
        assert!(!imported.text.contains(SECRET), "{}", imported.text);
        assert!(
            !imported.warnings.to_string().contains(SECRET),
            "{}",
            imported.warnings
        );
        assert!(!masked(pdf).contains(SECRET));
        let named: Vec<_> = imported
            .warnings
            .iter()
            .filter(|problem| problem.code == "IEC0816")
            .collect();
        assert_eq!(named.len(), 2);
        for problem in named {
            assert!(problem.place.is_none(), "drawn there, the password would be seen");
            assert!(problem.evidence[0].contains("pdf.yaml, line"), "{problem}");
        }
    }
    let wrong = PDF.replace("pass: seeded", "pass: [1]\n    port: seeded");
    let problems = read(&wrong, IDF, Dialect::Pharos).expect_err("two wrong types");
    assert!(
        problems.to_string().contains("must be text, but is a list"),
        "{problems}"
    );
}

#[test]
fn no_password_behind_a_mistyped_key_is_shown() {
    for key in [
        "passwrod",
        "pasword",
        "passwd",
        "secret",
        "pas",
        "Pass",
        "pass_",
        "word",
        "pin",
        "login",
        "\"pass \"",
        "pass:",
    ] {
        for dialect in [Dialect::Pharos, Dialect::Kuberef] {
            let pdf = PDF.replace("pass:", &format!("{key}:"));
            assert!(pdf.contains(SECRET));
            let problems = match read(&pdf, IDF, dialect) {
                Ok(imported) => {
                    assert!(!imported.text.contains(SECRET), "{key}: {}", imported.text);
                    imported.warnings
                }
                Err(problems) => problems,
            };
            assert!(!problems.to_string().contains(SECRET), "{key}: {problems}");
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.severity != Severity::Warning || problem.code == "IEC0812"),
                "{key}: {problems}"
            );
            assert!(!masked(&pdf).contains(SECRET), "{key}: {}", masked(&pdf));
        }
    }
}

/// The file, what is replaced in it by what, and what is said about that.
type Change = (&'static str, &'static str, &'static str, &'static [&'static str]);

const CHANGES: &[Change] = &[
    ("pdf", "version: 1.0\n", "", &["error IEC0811 pdf.yaml:2"]),
    (
        "pdf",
        "version: 1.0",
        "version: \"1.0\"",
        &["error IEC0813 pdf.yaml:2"],
    ),
    (
        "idf",
        "version: 0.1",
        "version: '0.1'",
        &["error IEC0813 idf.yaml:3"],
    ),
    (
        "idf",
        "private: '', public: ''",
        "private: '', pubic: ''",
        &["error IEC0812 idf.yaml:12"],
    ),
    (
        "idf",
        "      bridges: {admin",
        "      bridge: {admin",
        &["error IEC0812 idf.yaml:12"],
    ),
    (
        "idf",
        "    network:\n      node:",
        "    maas: {timeout_deploying: soon}\n    network:\n      node:",
        &["error IEC0811 idf.yaml:13", "error IEC0813 idf.yaml:13"],
    ),
    (
        "idf",
        "  fuel:",
        "  osa: [a]\n  fuel:",
        &["error IEC0813 idf.yaml:10"],
    ),
    (
        "idf",
        "  fuel:",
        "  daisy: 1\n  fuel:",
        &["error IEC0813 idf.yaml:10"],
    ),
    ("idf", "idf:", "xci: a\nidf:", &["error IEC0813 idf.yaml:2"]),
    (
        "pdf",
        "02:00:00:00:01:10",
        "02:00:00:00:01:11",
        &["error IEC0802 pdf.yaml:55"],
    ),
    (
        "pdf",
        "address: 10.2.0.12/24",
        "address: 10.2.0.11/24",
        &["error IEC0804 pdf.yaml:67"],
    ),
    (
        "pdf",
        "address: 10.1.0.10/24",
        "address: 10.7.0.10/24",
        &["error IEC0803 pdf.yaml:40"],
    ),
    (
        "idf",
        "gateway: 10.1.0.1",
        "gateway: 10.7.0.1",
        &["error IEC0805 idf.yaml:7"],
    ),
    (
        "idf",
        "oob: {interface: 0, ip-range: 10.9.0.11-10.9.0.20",
        "oob: {interface: 0, network: 10.8.0.0, ip-range: 10.9.0.11-10.9.0.20",
        &["error IEC0805 idf.yaml:6"],
    ),
    (
        "idf",
        "network: 10.3.0.0",
        "network: 10.2.0.0",
        &["error IEC0804 idf.yaml:9"],
    ),
    (
        "pdf",
        "version: 1.0",
        "version: 2.0",
        &["error IEC0814 pdf.yaml:2"],
    ),
    (
        "pdf",
        "  link: https",
        "  lnik: https",
        &["error IEC0812 pdf.yaml:9"],
    ),
    ("pdf", "cores: 4", "cores: four", &["error IEC0813 pdf.yaml:19"]),
    (
        "pdf",
        "arch: aarch64",
        "arch: riscv64",
        &["error IEC0814 pdf.yaml:16"],
    ),
    (
        "pdf",
        "02:00:00:00:01:12",
        "02:00:00:00:01:11",
        &["error IEC0802 pdf.yaml:66"],
    ),
    (
        "pdf",
        "address: 10.2.0.12/24",
        "address: 10.4.0.12/24",
        &["error IEC0803 pdf.yaml:67"],
    ),
    (
        "pdf",
        "name: site0417-node2",
        "name: site0417-node1",
        &["error IEC0201", "error IEC0815"],
    ),
    (
        "idf",
        "        - interfaces: [enP2p1s0f1, enP2p1s0f2]\n          busaddr: [\"0002:01:00.1\", \"0002:01:00.2\"]\n  kub",
        "  kub",
        &["error IEC0815 idf.yaml:15"],
    ),
    (
        "idf",
        "site0417-node2: [kube-node]",
        "site0417-node3: [kube-node]",
        &["error IEC0815 idf.yaml:22"],
    ),
    (
        "idf",
        "mgmt: {interface: 1",
        "mgmt: {interface: 7",
        &["warning IEC0815 idf.yaml:8"],
    ),
    (
        "idf",
        "network: 10.2.0.0",
        "network: ten",
        &["error IEC0814 idf.yaml:8", "error IEC0803 pdf.yaml:56"],
    ),
    ("idf", "idf:", "idef:", &["error IEC0812 idf.yaml:2"]),
];

/// Changes of the descriptors, and what is said about each: one run reports it, with its file and line.
#[test]
fn what_is_wrong_is_told_with_its_place() {
    for &(file, from, to, expected) in CHANGES {
        let text = if file == "pdf" { PDF } else { IDF };
        assert!(text.contains(from), "{from}");
        let changed = text.replacen(from, to, 1);
        let result = match file {
            "pdf" => read(&changed, IDF, Dialect::Pharos),
            _ => read(PDF, &changed, Dialect::Pharos),
        };
        let problems = match result {
            Ok(imported) => imported.warnings,
            Err(problems) => problems,
        };
        let told = told(&problems);
        for part in expected {
            assert!(
                told.iter().any(|told| told.starts_with(part)),
                "{from} → {to}: {part} in\n{problems}"
            );
        }
    }
}

#[test]
fn everything_is_told_in_one_run() {
    let pdf = PDF
        .replace("contact: edge@example.com", "contact: nobody")
        .replace("02:00:00:00:01:12", "02:00:00:00:01:11")
        .replace("address: 10.2.0.12/24", "address: 10.4.0.12/24");
    let idf = IDF
        .replace("version: 0.1", "version: 3")
        .replace("mask: 24, gateway: 10.1.0.1", "mask: 99, gateway: 10.1.0.1");
    let problems = read(&pdf, &idf, Dialect::Pharos).expect_err("five errors");
    let codes: Vec<&str> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| problem.code)
        .collect();
    for code in ["IEC0802", "IEC0803", "IEC0814"] {
        assert!(codes.contains(&code), "{problems}");
    }
    assert_eq!(
        codes.iter().filter(|code| **code == "IEC0814").count(),
        3,
        "{problems}"
    );
}

#[test]
fn addresses_that_descriptors_do_not_have_are_typed() {
    let pdf = PDF
        .replace("address: 10.1.0.12/24, ", "")
        .replace("address: 10.2.0.12/24, ", "");
    let problems = read(&pdf, IDF, Dialect::Pharos).expect_err("node2 has no address");
    assert!(
        told(&problems).contains(&"error IEC0818 pdf.yaml:57".to_owned()),
        "{problems}"
    );
    let hosts = [
        HostChoice {
            name: "site0417-node2",
            address: "10.1.0.99",
            role: Some(Role::ControlPlane),
        },
        HostChoice {
            name: "site0417-node1",
            address: "10.1.0.98",
            role: Some(Role::Worker),
        },
    ];
    let descriptors = (
        Descriptor {
            text: &pdf,
            file: "pdf.yaml",
        },
        Descriptor {
            text: IDF,
            file: "idf.yaml",
        },
    );
    let wanted = Wanted {
        hosts: &hosts,
        ..wanted()
    };
    let imported = import(&descriptors.0, &descriptors.1, Dialect::Pharos, &wanted).unwrap();
    let site = site_of(&imported);
    assert_eq!(site.hosts()[1].address().to_string(), "10.1.0.99");
    assert_eq!(site.hosts()[1].role(), Role::ControlPlane);
    let nobody = [HostChoice {
        name: "edge-9",
        address: "10.1.0.99",
        role: None,
    }];
    let wanted = Wanted {
        hosts: &nobody,
        ..wanted
    };
    let problems =
        import(&descriptors.0, &descriptors.1, Dialect::Pharos, &wanted).expect_err("no such node");
    assert!(
        problems.to_string().contains("--host names `edge-9`"),
        "{problems}"
    );
}

/// The warnings of descriptors that are taken, with changes to the files.
#[track_caller]
fn taken(changes: &[(&str, &str, &str)], dialect: Dialect) -> (Imported, String) {
    let (mut pdf, mut idf) = match dialect {
        Dialect::Pharos => (PDF.to_owned(), IDF.to_owned()),
        Dialect::Kuberef => (KUBEREF_PDF.to_owned(), KUBEREF_IDF.to_owned()),
    };
    for (file, from, to) in changes {
        let text = if *file == "pdf" { &mut pdf } else { &mut idf };
        assert!(text.contains(from), "{from}");
        *text = text.replace(from, to);
    }
    let imported = read(&pdf, &idf, dialect).unwrap_or_else(|problems| panic!("{problems}"));
    let words = imported.warnings.to_string();
    (imported, words)
}

#[test]
fn machines_that_deploy_the_cluster_are_left_out_and_named() {
    for (from, to, name) in [
        // The jump host of the Pod Descriptor File, whatever its roles.
        (
            "nodes_roles:\n",
            "nodes_roles:\n      site0417-jump: [kube-master]\n",
            "site0417-jump",
        ),
        // The machine on which the installer runs, by its role.
        ("nodes_roles:\n", "nodes_roles:\n      opnvf: [opnfv]\n", "opnvf"),
        (
            "nodes_roles:\n",
            "hostnames: {opnfv: deployer}\n    nodes_roles:\n",
            "opnfv",
        ),
    ] {
        let (imported, words) = taken(&[("idf", from, to)], Dialect::Pharos);
        assert!(
            words.contains(&format!("the machine `{name}` is left out")),
            "{words}"
        );
        assert_eq!(site_of(&imported).hosts().len(), 2);
    }
    // A slip in the name of a node stays one.
    let idf = IDF.replace("site0417-node2: [kube-node]", "site0417-nod2: [kube-node]");
    let problems = read(PDF, &idf, Dialect::Pharos).expect_err("there is no such node");
    assert!(
        told(&problems)
            .iter()
            .any(|told| told.starts_with("error IEC0815")),
        "{problems}"
    );
}

#[test]
fn what_networks_are_used_for_is_read_in_both_spellings_and_the_rest_is_named() {
    let mapping = |text: &str| {
        let text = format!("    network: {{network_mapping: {{{text}}}}}\n    nodes_roles:\n");
        let (imported, words) = taken(&[("idf", "    nodes_roles:\n", &text)], Dialect::Pharos);
        (site_of(&imported).hosts()[0].address().to_string(), words)
    };
    let (address, _) = mapping("net-admin: mgmt");
    assert_eq!(address, "10.2.0.11");
    let (address, words) = mapping("net-admin: admin, net_admin: mgmt, net_storge: mgmt");
    assert_eq!(address, "10.2.0.11");
    for key in [
        "network_mapping.net-admin` is left out",
        "network_mapping.net_storge` is left out",
    ] {
        assert!(words.contains(key), "{words}");
    }
}

#[test]
fn what_is_encrypted_is_called_so_and_is_no_account() {
    let secret = "ENC[PKCS7,MIIBeQYJKoZIhvcNAQcDoIIBajCCAWYCAQAxggEhMIIBHQ]";
    for (user, pass) in [
        (format!("user: {secret}"), format!("pass: {secret}")),
        (
            format!("user: >\n      {secret}"),
            format!("pass: >\n      {secret}"),
        ),
    ] {
        let changes = [
            ("pdf", "user: admin", &*user),
            ("pdf", "pass: seeded-secret-7f3a9c", &*pass),
        ];
        let (imported, words) = taken(&changes, Dialect::Pharos);
        assert!(
            !words.contains("plain text") && words.contains(", encrypted"),
            "{words}"
        );
        assert!(
            words.contains("the account of a management controller is left out"),
            "{words}"
        );
        assert!(!imported.text.contains("ENC["), "{}", imported.text);
        let site = site_of(&imported);
        let management = site.hosts()[0]
            .hardware()
            .management
            .as_ref()
            .expect("it has one");
        assert_eq!(management.user, None);
    }
    // A folded account in plain text is one.
    let (imported, _) = taken(&[("pdf", "user: admin", "user: >\n      admin")], Dialect::Pharos);
    assert!(imported.text.contains("user: admin"), "{}", imported.text);
}

#[test]
fn controllers_are_read_in_every_form_that_pods_have() {
    for (written, protocol, versions, address) in [
        ("type: IPMI", "ipmi", &[][..], "10.1.0.1"),
        ("type: [{ipmi: [2.0]}]", "ipmi", &["2.0"], "10.1.0.1"),
        ("type: {ipmi: 2.0}", "ipmi", &["2.0"], "10.1.0.1"),
        ("type: redfish", "redfish", &[], "https://10.1.0.1"),
    ] {
        let change = ("pdf", "type:\n        - ipmi", written);
        let (imported, words) = taken(&[change], Dialect::Kuberef);
        let site = site_of(&imported);
        let management = site.hosts()[0].hardware().management.as_ref();
        let management = management.unwrap_or_else(|| panic!("{written}: {words}"));
        assert_eq!(
            (management.protocol.as_str(), &*management.address),
            (protocol, address),
            "{written}"
        );
        assert_eq!(management.versions, versions, "{written}");
    }
    // One that is not understood is left out, and nothing else is claimed.
    let (imported, words) = taken(
        &[("pdf", "type:\n        - ipmi", "type: wifi")],
        Dialect::Kuberef,
    );
    assert!(site_of(&imported).hosts()[0].hardware().management.is_none());
    assert!(
        words.contains("a management controller is left out: IEC does not know what it speaks"),
        "{words}"
    );
    assert!(
        !words.contains("the site file names it") && words.contains("nor is the controller"),
        "{words}"
    );
}

#[test]
fn a_distribution_without_a_version_is_left_out_for_that_reason() {
    for (os, reason) in [
        ("ubuntu", "its version is missing"),
        ("Debian", "its version is missing"),
        ("ubuntu-jammy", "its version is missing"),
        ("centos-7", "IEC installs on Debian and Ubuntu"),
    ] {
        let (_, words) = taken(
            &[("pdf", "os: ubuntu-24.04", &format!("os: {os}"))],
            Dialect::Pharos,
        );
        assert!(
            words.contains(&format!("`os` is left out: {reason}")),
            "{os}: {words}"
        );
    }
}

#[test]
fn networks_as_pods_write_them() {
    let (imported, words) = taken(
        &[("idf", "network: 10.3.0.0", "network: 10.3.0.6")],
        Dialect::Pharos,
    );
    assert!(
        words.contains("the network `public` is 10.3.0.6, which is an address in 10.3.0.0/24"),
        "{words}"
    );
    assert!(
        imported.text.contains("cidr: \"10.3.0.0/24\""),
        "{}",
        imported.text
    );
    let (imported, words) = taken(&[("idf", "vlan: 101", "vlan: 0")], Dialect::Pharos);
    assert!(words.contains("is read as `native`"), "{words}");
    site_of(&imported);
    let (imported, words) = taken(&[("idf", "vlan: 101", "vlan: 5000")], Dialect::Pharos);
    assert!(
        words.contains("`idf.net_config.mgmt.vlan` is left out"),
        "{words}"
    );
    site_of(&imported);
    let trunks = "public: ''}\n      trunks: {mgmt: true}";
    site_of(&taken(&[("idf", "public: ''}", trunks)], Dialect::Pharos).0);
}

#[test]
fn networks_that_are_chosen_hide_nothing_of_the_place() {
    let dns = ("idf", "dns: [10.3.0.1]", "dns: [192.168.7.53, 172.16.1.53]");
    let bmc = ("pdf", "address: 10.9.0.12/24", "address: 10.244.9.12/24");
    let (imported, _) = taken(&[dns, bmc], Dialect::Pharos);
    let (_, warnings) =
        site::load(&imported.text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert!(
        !warnings.iter().any(|problem| problem.code == "IEC0312"),
        "{warnings}"
    );
}

/// What a site may not be is told at its place in the descriptors: there is no site file yet into which one could look.
#[test]
fn what_the_site_could_not_be_is_told_where_it_comes_from() {
    for (file, from, to, expected) in [
        (
            "pdf",
            "address: 10.1.0.12/24",
            "address: 10.1.0.0/24",
            "error IEC0216 pdf.yaml:66",
        ),
        (
            "pdf",
            "address: 10.1.0.12/24",
            "address: 10.1.0.255/24",
            "error IEC0216 pdf.yaml:66",
        ),
        (
            "pdf",
            "address: 10.1.0.12/24",
            "address: 10.1.0.1/24",
            "error IEC0217 pdf.yaml:66",
        ),
        (
            "pdf",
            "address: 10.9.0.12/24",
            "address: 10.9.0.11/24",
            "error IEC0821 pdf.yaml:62",
        ),
        (
            "pdf",
            "address: 10.9.0.12/24",
            "address: 10.9.0.300",
            "error IEC0808 pdf.yaml:62",
        ),
        (
            "idf",
            "gateway: 10.1.0.1",
            "gateway: 10.1.0.255",
            "error IEC0805 idf.yaml:7",
        ),
        (
            "idf",
            "    nodes_roles:\n",
            "    kube_pods_subnet: 10.2.0.0/16\n    nodes_roles:\n",
            "error IEC0311 idf.yaml:8",
        ),
    ] {
        let text = if file == "pdf" { PDF } else { IDF };
        assert!(text.contains(from), "{from}");
        let changed = text.replacen(from, to, 1);
        let read = match file {
            "pdf" => read(&changed, IDF, Dialect::Pharos),
            _ => read(PDF, &changed, Dialect::Pharos),
        };
        let problems = read.err().unwrap_or_else(|| panic!("{to} is taken"));
        assert!(
            told(&problems).contains(&expected.to_owned()),
            "{to}: {expected} in\n{problems}"
        );
        assert!(!problems.to_string().contains("site.yaml"), "{problems}");
    }
}

/// What must hold for every pair of texts.
fn check(pdf: &str, idf: &str) {
    for dialect in [Dialect::Pharos, Dialect::Kuberef] {
        let problems = match read(pdf, idf, dialect) {
            Ok(imported) => {
                // It may break a rule of sites, but it can be read.
                assert!(
                    iec_core::spec::parse(&imported.text, "site.yaml").is_ok(),
                    "{}",
                    imported.text
                );
                assert!(!imported.warnings.has_errors());
                imported.warnings
            }
            Err(problems) => {
                assert!(problems.has_errors());
                problems
            }
        };
        for problem in &problems {
            assert!(problem.hint.is_some(), "{problem}");
            assert!(iec_core::explain::explain(problem.code).is_some(), "{problem}");
            if let Some(place) = &problem.place {
                let text = if &*place.file == "pdf.yaml" { pdf } else { idf };
                assert!(text.get(place.span.clone()).is_some(), "{problem}");
            }
        }
    }
    for text in [pdf, idf] {
        assert_eq!(masked(text).len(), text.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text(pdf in any::<String>(), idf in any::<String>()) {
        check(&pdf, &idf);
        check(PDF, &idf);
        check(&pdf, IDF);
    }

    #[test]
    fn any_value_at_any_key(
        kuberef in any::<bool>(),
        first in any::<bool>(),
        changes in prop::collection::vec(
            (any::<Index>(), select(vec!["", "~", "[]", "{}", "yes", "1", "-1", "1e9", "x", "[[]]", "{a: b}", "*node", "*rp", "10.0.0.0", "\"\\0\"", "'ä'", "999999999999999999999"])), 1..4),
    ) {
        let (pdf, idf) = if kuberef { (KUBEREF_PDF, KUBEREF_IDF) } else { (PDF, IDF) };
        let mut lines: Vec<String> = (if first { pdf } else { idf }).lines().map(str::to_owned).collect();
        for (at, value) in changes {
            let line = at.index(lines.len());
            let key = lines[line].split(':').next().unwrap_or_default().to_owned();
            lines[line] = format!("{key}: {value}");
        }
        let changed = lines.join("\n");
        if first { check(&changed, idf) } else { check(pdf, &changed) }
    }

    #[test]
    fn lines_lost_and_repeated(kuberef in any::<bool>(), first in any::<bool>(), lost in prop::collection::vec(any::<Index>(), 0..4), from in any::<Index>(), to in any::<Index>()) {
        let (pdf, idf) = if kuberef { (KUBEREF_PDF, KUBEREF_IDF) } else { (PDF, IDF) };
        let mut lines: Vec<&str> = (if first { pdf } else { idf }).lines().collect();
        for at in lost {
            lines.remove(at.index(lines.len()));
        }
        let line = lines[from.index(lines.len())];
        lines.insert(to.index(lines.len()), line);
        let changed = lines.join("\n");
        if first { check(&changed, idf) } else { check(pdf, &changed) }
    }
}
