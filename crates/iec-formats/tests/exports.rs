//! Descriptions for other installers: what they say, what they never say, and that descriptors come back as they were.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads example sites and compares, or on request writes, committed files"
)]

mod installers;
#[path = "../../iec-core/tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use base64::Engine as _;
use iec_core::diagnostic::Diagnostics;
use iec_core::facts::Facts;
use iec_core::plan::Plan;
use iec_core::release::Release;
use iec_core::render::{FileContent, Subject};
use iec_core::site::{self, Role, Site};
use iec_formats::opnfv::{Descriptor, Dialect, Wanted, import};
use iec_formats::{Format, describe};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{SEEDED_SECRET, facts, manifest, parse, plain_host, plan_of, planned, site, site_names, sites};

const FORMATS: [(&str, Format); 4] = [
    ("pdf-idf", Format::PdfIdf),
    ("airship", Format::Airship),
    ("metal3", Format::Metal3),
    ("clusterinstance", Format::ClusterInstance),
];

const PDF: &str = include_str!("descriptors/pdf.yaml");
const IDF: &str = include_str!("descriptors/idf.yaml");

fn rendered(site: &Site, format: Format) -> BTreeMap<String, String> {
    try_rendered(site, format).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The same, or why there is none.
fn try_rendered(site: &Site, format: Format) -> Result<BTreeMap<String, String>, Diagnostics> {
    let facts = facts(site, plain_host);
    let plan = plan_of(site, &facts);
    rendered_from(site, &facts, &plan, format)
}

/// A description as somebody gets it who has neither a bundle nor facts of the hosts.
fn rendered_at_a_desk(site: &Site, format: Format) -> BTreeMap<String, String> {
    let facts = Facts::assume(site);
    let plan = planned(site, &facts, None, |_| {}).unwrap_or_else(|problems| panic!("{problems}"));
    rendered_from(site, &facts, &plan, format).unwrap_or_else(|problems| panic!("{problems}"))
}

fn rendered_from(
    site: &Site,
    facts: &Facts,
    plan: &Plan,
    format: Format,
) -> Result<BTreeMap<String, String>, Diagnostics> {
    let release = Release::bundled(site.release()).expect("a release of the program");
    let content = manifest(&release);
    let subject = Subject {
        site,
        facts,
        release: &release,
        content: &content,
        plan,
        moment: "2026-11-23 19:12 UTC",
        who: "edge@laptop",
        run: "run-1",
    };
    let files = describe(&subject, format)?;
    let texts = files.into_iter().map(|(path, file)| match file.content {
        FileContent::Text(text) => (path, text),
        _ => panic!("{path}: a description is text"),
    });
    Ok(texts.collect())
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The first object of a kind in any of the files.
fn object(files: &BTreeMap<String, String>, kind: &str) -> Value {
    let mut all = files.values().flat_map(|text| documents(text));
    all.find(|document| document["kind"] == kind || document["schema"] == kind)
        .unwrap_or_else(|| panic!("no {kind}"))
}

/// What a site says to a chart and nobody else should learn.
const PASSWORD: &str = "plover-quartz-41c7";

/// Whether a text has the password, or any base64 of something that has it.
fn shows_password(text: &str) -> bool {
    let encoded = |before: usize| {
        let bytes = [&vec![0; before], PASSWORD.as_bytes()].concat();
        let form = base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
        form[(before * 8).div_ceil(6)..(before + PASSWORD.len()) * 8 / 6].to_owned()
    };
    text.contains(PASSWORD) || (0..3).any(|before| text.contains(&encoded(before)))
}

#[test]
fn no_description_has_the_values_of_helm_releases() {
    let mut text = std::fs::read_to_string(sites().join("three-hosts/site.yaml")).expect("a site");
    let releases = "[{name: shop, chart: ./shop.tgz, values: {login: {password: ";
    text.push_str(&format!("  helm: {{releases: {releases}{PASSWORD}}}}}}}]}}\n"));
    for (name, format) in FORMATS {
        for (path, text) in rendered(&parse(&text), format) {
            assert!(!shows_password(&text), "{name}: {path}");
        }
    }
}

fn imported(pdf: &str, idf: &str) -> Site {
    let wanted = Wanted {
        name: Some("store-0417"),
        release: "1.36",
        user: "edge",
        ..Wanted::default()
    };
    let pdf = Descriptor {
        text: pdf,
        file: "pdf.yaml",
    };
    let idf = Descriptor {
        text: idf,
        file: "idf.yaml",
    };
    let imported = import(&pdf, &idf, Dialect::Pharos, &wanted)
        .unwrap_or_else(|problems| panic!("{problems}\n{}\n{}", pdf.text, idf.text));
    let (site, _) = site::load(&imported.text, "site.yaml")
        .unwrap_or_else(|problems| panic!("{problems}\n{}", imported.text));
    site
}

fn plain(site: &Site) -> Value {
    serde_json::to_value(site).expect("a site is plain data")
}

/// `sites/*/exports` are the descriptions of two example sites, as they come without a bundle; `IEC_BLESS=1 cargo test` writes
/// them anew.
#[test]
fn the_descriptions_of_example_sites_are_as_committed() {
    for name in ["machines", "two-nics"] {
        let site = site(name);
        for (folder, format) in FORMATS {
            let folder = sites().join(name).join("exports").join(folder);
            let files = rendered_at_a_desk(&site, format);
            if std::env::var_os("IEC_BLESS").is_some() {
                // A file that is no longer written must not stay.
                let _ = std::fs::remove_dir_all(&folder);
                std::fs::create_dir_all(&folder).expect("a folder can be made");
                for (path, text) in &files {
                    std::fs::write(folder.join(path), text).expect("a file can be written");
                }
            }
            let committed: BTreeMap<String, String> = std::fs::read_dir(&folder)
                .expect("the folder of descriptions")
                .map(|entry| entry.expect("a file").path())
                .map(|path| {
                    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                    (name, std::fs::read_to_string(&path).expect("a text"))
                })
                .collect();
            assert!(
                files == committed,
                "{}: run IEC_BLESS=1 cargo test -p iec-core --test exports and read the difference",
                folder.display()
            );
        }
    }
}

#[test]
fn every_description_can_be_read_and_has_no_secret() {
    for name in site_names() {
        let site = site(&name);
        for (format_name, format) in FORMATS {
            let files = rendered(&site, format);
            assert!(!files.is_empty());
            for (path, text) in &files {
                assert!(!text.contains(SEEDED_SECRET), "{name} {format_name} {path}");
                assert!(
                    !text.contains("PRIVATE KEY") && !text.contains("caCertHashes"),
                    "{name} {format_name} {path}"
                );
                assert!(!documents(text).is_empty(), "{name} {format_name} {path}");
                assert!(text.starts_with("# "), "{name} {format_name} {path}");
                assert!(
                    text.contains("# What is different from an installation by IEC:"),
                    "{path}"
                );
            }
        }
    }
}

#[test]
fn kubeadm_is_told_what_the_plan_says() {
    let site = site("tuned");
    let facts = facts(&site, plain_host);
    let plan = plan_of(&site, &facts);
    let (.., text) = plan.hosts[0]
        .texts()
        .find(|(_, file, _)| file.path == "/etc/iec/kubeadm.yaml")
        .expect("a control plane has it");
    let own = documents(text);
    let files = rendered(&site, Format::Metal3);
    let spec = &object(&files, "KubeadmControlPlane")["spec"]["kubeadmConfigSpec"];
    let cluster = own
        .iter()
        .find(|document| document["kind"] == "ClusterConfiguration")
        .expect("it is there");
    for key in [
        "apiServer",
        "etcd",
        "dns",
        "encryptionAlgorithm",
        "controlPlaneEndpoint",
    ] {
        assert_eq!(spec["clusterConfiguration"][key], cluster[key], "{key}");
    }
    let kubelet = own
        .iter()
        .find(|document| document["kind"] == "KubeletConfiguration")
        .expect("it is there");
    let written = spec["files"].as_array().expect("files").iter();
    let patch = written
        .clone()
        .find(|file| {
            file["path"]
                .as_str()
                .is_some_and(|path| path.ends_with("kubeletconfiguration1+strategic.yaml"))
        })
        .expect("the common part");
    let patch = &documents(patch["content"].as_str().expect("text"))[0];
    for key in [
        "maxPods",
        "clusterDNS",
        "evictionHard",
        "systemReserved",
        "resolvConf",
    ] {
        assert_eq!(patch[key], kubelet[key], "{key}");
    }
    // Every file is the plan's own, byte by byte.
    for file in written {
        let path = file["path"].as_str().expect("a path");
        if file["append"] == json!(true) || path.ends_with("configuration1+strategic.yaml") {
            continue;
        }
        let (_, known, text) = plan.hosts[0]
            .texts()
            .find(|(_, known, _)| known.path == path)
            .expect("the plan writes it");
        assert_eq!(
            (file["content"].as_str(), file["permissions"].as_str()),
            (Some(text), Some(&*format!("{:04o}", known.mode)))
        );
    }
}

#[test]
fn hosts_that_are_configured_alike_share_a_deployment() {
    let three = rendered(&site("three-hosts"), Format::Metal3);
    let deployments: Vec<Value> = documents(&three["4-workers.yaml"])
        .into_iter()
        .filter(|document| document["kind"] == "MachineDeployment")
        .collect();
    let replicas: u64 = deployments
        .iter()
        .filter_map(|deployment| deployment["spec"]["replicas"].as_u64())
        .sum();
    assert_eq!(replicas, 2);
    // One of the two workers has a taint.
    assert_eq!(deployments.len(), 2);
    let labels: Vec<Value> = documents(&three["1-hosts.yaml"])[1..]
        .iter()
        .map(|host| host["metadata"]["labels"]["iec.dev/role"].clone())
        .collect();
    assert_eq!(labels, ["control-plane", "worker-1", "worker-2"]);
}

#[test]
fn management_controllers_are_named_in_each_tools_words() {
    let site = site("machines");
    let metal3 = rendered(&site, Format::Metal3);
    let host = object(&metal3, "BareMetalHost");
    assert_eq!(
        host["spec"]["bmc"],
        json!({ "address": "ipmi://10.9.0.11", "credentialsName": "kiosk-1-bmc" })
    );
    assert_eq!(host["spec"]["bootMACAddress"], "02:00:00:00:01:11");
    let airship = rendered(&site, Format::Airship);
    let node = object(&airship, "drydock/BaremetalNode/v1");
    assert_eq!(
        node["data"]["oob"],
        json!({ "type": "ipmi", "network": "oob", "account": "admin" })
    );
    assert_eq!(node["metadata"]["substitutions"][0]["src"]["name"], "kiosk-1-bmc");
    let instance = object(&rendered(&site, Format::ClusterInstance), "ClusterInstance");
    assert_eq!(
        instance["spec"]["nodes"][0]["bmcCredentialsName"]["name"],
        "kiosk-1-bmc"
    );
    let pdf = &documents(&rendered(&site, Format::PdfIdf)["pdf.yaml"])[0];
    assert_eq!(pdf["nodes"][0]["remote_management"]["pass"], "ref:kiosk-1-bmc");
}

#[test]
fn what_is_not_carried_is_listed() {
    let files = rendered(&site("three-hosts"), Format::PdfIdf);
    let text = &files["pdf.yaml"];
    assert!(
        text.contains("these files do not have: ") && text.contains("labels"),
        "{text}"
    );
    assert!(text.contains("the name of the site, its release"), "{text}");
}

#[test]
fn two_addresses_of_a_host_come_back_without_a_description_of_its_cards() {
    let site = site("two-nics");
    let files = rendered(&site, Format::PdfIdf);
    let back = imported(&files["pdf.yaml"], &files["idf.yaml"]);
    let addresses = |site: &Site| -> Vec<_> {
        let hosts = site.hosts().iter();
        hosts.map(|host| (host.address(), host.node_address())).collect()
    };
    assert_eq!(addresses(&back), addresses(&site));
    assert_ne!(site.hosts()[0].address(), site.hosts()[0].node_address());
}

#[test]
fn a_node_address_that_no_card_has_is_told() {
    let text = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: a}\nspec:\n  release: \"1.36\"\n  access: {user: edge}\n  hosts:\n    - name: edge-1\n      address: 10.0.0.1\n      nodeAddress: 10.7.0.1\n      role: control-plane\n      hardware: {interfaces: [{address: 10.0.0.1/24}]}\n";
    let (site, _) = site::load(text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    let files = rendered(&site, Format::PdfIdf);
    assert!(
        files["pdf.yaml"].contains("no card of edge-1 has the node address 10.7.0.1"),
        "{}",
        files["pdf.yaml"]
    );
}

#[test]
fn what_the_schema_has_no_form_for_is_left_out_and_noted() {
    let text = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: a}\nspec:\n  release: \"1.36\"\n  access: {user: edge}\n  facility:\n    contact: \"anna.o'neil@example.com\"\n    networks: [{name: lan, cidr: 10.0.0.0/24, vlan: \"1000-1030\"}, {name: oob, cidr: 10.0.0.0/24, range: 10.0.0.200-10.0.0.220}]\n  hosts:\n    - name: edge-1\n      address: 10.0.0.1\n      role: control-plane\n      hardware: {memory: 16GB, interfaces: [{address: 10.0.0.1/24, vlan: \"7-9\"}]}\n";
    let (site, _) = site::load(text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    let files = rendered(&site, Format::PdfIdf);
    for note in [
        "the contact is left out",
        "the VLAN of card 1 of edge-1",
        "the use of the place is unknown",
    ] {
        assert!(
            files["pdf.yaml"].contains(note),
            "{note} in {}",
            files["pdf.yaml"]
        );
    }
    assert!(!files.values().any(|text| text.contains("anna")), "{files:?}");
    // What the schema asks nothing of is kept as it is.
    assert!(
        files["idf.yaml"].contains("vlan: 1000-1030"),
        "{}",
        files["idf.yaml"]
    );
    // They are read strictly.
    imported(&files["pdf.yaml"], &files["idf.yaml"]);
}

#[test]
fn descriptors_that_are_read_written_and_read_again_lose_nothing() {
    let first = imported(PDF, IDF);
    let files = rendered(&first, Format::PdfIdf);
    let second = imported(&files["pdf.yaml"], &files["idf.yaml"]);
    assert_eq!(plain(&first), plain(&second));
    // From there on the files do not change any more.
    assert_eq!(rendered(&second, Format::PdfIdf), files);
}

/// The part of a site that descriptors carry.
fn carried(site: &Site) -> Value {
    let host = |host: &site::SiteHost| {
        json!({
            "name": host.name(),
            "address": host.address(),
            "nodeAddress": host.node_address(),
            "role": host.role(),
            "architecture": host.assume().architecture(),
            "hardware": host.hardware(),
        })
    };
    json!({
        "facility": site.facility(),
        "pods": site.network().pods(),
        "services": site.network().services(),
        "hosts": site.present_hosts().map(host).collect::<Vec<_>>(),
    })
}

/// A place with three networks.
fn facility_of(owner: Option<String>, lab: Option<String>, ranges: bool) -> Value {
    let mut oob = json!({ "name": "oob", "cidr": "10.9.0.0/24", "interface": 0 });
    if ranges {
        oob["range"] = json!("10.9.0.11-10.9.0.99");
    }
    let mut facility = json!({ "use": "production", "networks": [
        oob,
        { "name": "lan", "cidr": "10.1.0.0/24", "interface": 0, "vlan": "native", "gateway": "10.1.0.1", "nameservers": ["10.1.0.1", "10.1.0.2"] },
        { "name": "cluster net", "cidr": "10.2.0.0/24", "interface": 1, "vlan": "101" },
    ]});
    for (key, value) in [("owner", owner), ("lab", lab)] {
        if let Some(value) = value {
            facility[key] = json!(value);
        }
    }
    facility
}

/// A site whose hosts have machines.
fn any_site() -> impl Strategy<Value = Site> {
    let text = prop_oneof![Just(None), "[A-Za-z][ A-Za-z0-9#:'-]{0,12}[a-z]".prop_map(Some)];
    let disk =
        (1_u32..9000, 0_usize..4, 0_usize..6, 0_usize..5).prop_map(|(size, medium, interface, rotation)| {
            json!({
                "capacity": format!("{size}G"),
                "type": site::Disk::MEDIA[medium],
                "interface": site::Disk::INTERFACES[interface],
                "rotation": site::Disk::ROTATIONS[rotation],
            })
        });
    let management = prop_oneof![
        Just(None),
        (0_usize..4, any::<bool>(), any::<bool>()).prop_map(|(protocol, user, credentials)| {
            Some((["ipmi", "amt", "libvirt", "redfish"][protocol], user, credentials))
        }),
    ];
    let host = (
        (text.clone(), text.clone(), management, any::<bool>()),
        (0_u16..64, 0_u16..64, prop::collection::vec(disk, 0..3)),
        (
            any::<bool>(),
            any::<bool>(),
            0_usize..4,
            prop::sample::subsequence(vec!["dpdk", "sriov"], 0..=2),
        ),
    );
    (prop::collection::vec(host, 1..5), text.clone(), text, any::<bool>(), any::<bool>()).prop_map(
        |(hosts, owner, lab, ranges, split)| {
            let hosts: Vec<Value> = hosts
                .into_iter()
                .enumerate()
                .map(|(index, ((vendor, model, management, arm), (cpus, cores, disks), (named, bus, speed, features)))| {
                    let number = index + 11;
                    let mut first = json!({
                        "mac": format!("02:00:00:00:01:{number:02x}"),
                        "address": format!("10.1.0.{number}/24"),
                        "vlan": "native",
                        "speed": site::Interface::SPEEDS[speed],
                        "features": features,
                    });
                    if named {
                        first["name"] = json!("eth0");
                    }
                    if bus {
                        first["busAddress"] = json!("0000:01:00.1");
                    }
                    let second = json!({ "mac": format!("02:00:00:00:02:{number:02x}"), "address": format!("10.2.0.{number}"), "vlan": "101|native" });
                    let mut hardware = json!({ "kind": "baremetal", "disks": disks, "interfaces": [first, second], "memory": "16G" });
                    for (key, value) in [("vendor", vendor), ("model", model)] {
                        if let Some(value) = value {
                            hardware[key] = json!(value);
                        }
                    }
                    for (key, value) in [("processors", cpus), ("cores", cores)] {
                        if value > 0 {
                            hardware[key] = json!(value);
                        }
                    }
                    if let Some((protocol, user, credentials)) = management {
                        let address = if protocol == "redfish" { format!("redfish://10.9.0.{number}/redfish/v1/Systems/1") } else { format!("10.9.0.{number}/24") };
                        hardware["management"] = json!({ "protocol": protocol, "address": address, "mac": format!("02:00:00:00:00:{number:02x}") });
                        if user {
                            hardware["management"]["user"] = json!("admin");
                        }
                        if credentials {
                            hardware["management"]["credentials"] = json!(format!("secret-{number}"));
                        }
                    }
                    let mut host = json!({
                        "name": format!("edge-{index}"),
                        "address": format!("10.1.0.{number}"),
                        "role": if index == 0 { "control-plane" } else { "worker" },
                        "assume": { "architecture": if arm { "arm64" } else { "amd64" } },
                        "hardware": hardware,
                    });
                    if split {
                        host["nodeAddress"] = json!(format!("10.2.0.{number}"));
                    }
                    host
                })
                .collect();
            let facility = facility_of(owner, lab, ranges);
            let document = json!({
                "apiVersion": "iec.dev/v1alpha1", "kind": "Site", "metadata": { "name": "any" },
                "spec": {
                    "release": "1.36", "access": { "user": "edge" }, "hosts": hosts, "facility": facility,
                    "network": { "pods": "10.244.0.0/16", "services": "10.96.0.0/16" },
                },
            });
            support::parse(&document.to_string())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_site_comes_back_from_its_descriptors(site in any_site()) {
        let files = rendered(&site, Format::PdfIdf);
        let back = imported(&files["pdf.yaml"], &files["idf.yaml"]);
        prop_assert_eq!(carried(&site), carried(&back));
        prop_assert_eq!(back.control_planes().count(), 1);
        prop_assert!(back.workers().all(|host| host.role() == Role::Worker));
    }
}
