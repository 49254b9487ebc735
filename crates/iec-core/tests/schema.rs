//! The published schema and the reference manual say what the rules do.

#![expect(
    clippy::disallowed_methods,
    reason = "the test compares, and on request writes, a page of the manual; the crate itself stays pure"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use iec_core::architecture::Architecture;
use iec_core::schema;
use iec_core::site::{self, Acceptance, Datastore, Encapsulation, HostState, Role, TaintEffect};
use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(&schema::json_schema()).expect("a schema is JSON")
}

/// The accepted site as plain data, or the codes of what is wrong. JSON is YAML too.
fn load(document: &Value) -> Result<Value, Vec<&'static str>> {
    match site::load(&document.to_string(), "site.json") {
        Ok((site, _)) => Ok(serde_json::to_value(site).expect("a site is plain data")),
        Err(problems) => Err(problems.iter().map(|problem| problem.code).collect()),
    }
}

/// Nothing but the keys that the schema calls required, with one of each thing that may be left out.
fn document() -> Value {
    json!({
        "apiVersion": "iec.dev/v1alpha1",
        "kind": "Site",
        "metadata": { "name": "store-0417" },
        "spec": {
            "release": "1.36",
            "access": { "user": "edge" },
            "hosts": [{
                "name": "edge-1",
                "address": "10.0.0.11",
                "role": "control-plane",
                "taints": [{ "key": "a", "effect": "PreferNoSchedule" }],
                "hardware": {
                    "management": { "protocol": "ipmi", "address": "10.9.0.11" },
                    "disks": [{}],
                    "interfaces": [{}],
                },
            }],
            "network": { "dns": { "zones": [{ "name": "corp.example", "forwarders": ["10.0.0.53"] }] } },
            "facility": { "networks": [{ "name": "admin" }] },
            "helm": { "releases": [{ "name": "a", "chart": "./a.tgz" }] },
        },
    })
}

/// Every definition of the schema with the place of one such mapping in [`document`].
const PLACES: [(&str, &str); 28] = [
    ("Metadata", "/metadata"),
    ("SiteSpec", "/spec"),
    ("Content", "/spec/content"),
    ("Access", "/spec/access"),
    ("Host", "/spec/hosts/0"),
    ("Taint", "/spec/hosts/0/taints/0"),
    ("Assume", "/spec/hosts/0/assume"),
    ("ControlPlane", "/spec/controlPlane"),
    ("Component", "/spec/controlPlane/apiServer"),
    ("Network", "/spec/network"),
    ("Cni", "/spec/network/cni"),
    ("Calico", "/spec/network/cni/calico"),
    ("Felix", "/spec/network/cni/calico/felix"),
    ("KubeProxy", "/spec/network/kubeProxy"),
    ("Dns", "/spec/network/dns"),
    ("DnsZone", "/spec/network/dns/zones/0"),
    ("Runtime", "/spec/runtime"),
    ("Kubelet", "/spec/kubelet"),
    ("EvictionHard", "/spec/kubelet/evictionHard"),
    ("SystemReserved", "/spec/kubelet/systemReserved"),
    ("Helm", "/spec/helm"),
    ("HelmRelease", "/spec/helm/releases/0"),
    ("Hardware", "/spec/hosts/0/hardware"),
    ("Management", "/spec/hosts/0/hardware/management"),
    ("Disk", "/spec/hosts/0/hardware/disks/0"),
    ("Interface", "/spec/hosts/0/hardware/interfaces/0"),
    ("Facility", "/spec/facility"),
    ("FacilityNetwork", "/spec/facility/networks/0"),
];

#[test]
fn required_keys_are_those_that_must_be_there() {
    let schema = schema();
    load(&document()).expect("the document is a site");
    let definitions = schema["$defs"].as_object().expect("there are definitions");
    let known: Vec<&str> = PLACES
        .iter()
        .map(|(name, _)| *name)
        .chain(["NodeAddress"])
        .collect();
    assert!(
        definitions.keys().all(|name| known.contains(&name.as_str())),
        "{:?}",
        definitions.keys()
    );
    let top = [("", &schema)].into_iter();
    for (place, definition) in top.chain(PLACES.iter().map(|(name, place)| (*place, &definitions[*name]))) {
        for key in definition["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let mut document = document();
            let mapping = document.pointer_mut(place).and_then(Value::as_object_mut);
            mapping
                .unwrap_or_else(|| panic!("{place} is there"))
                .remove(key)
                .unwrap_or_else(|| panic!("{place}/{key}"));
            let codes = load(&document).expect_err("a key is missing");
            assert!(codes.contains(&"IEC0007"), "{place}/{key}: {codes:?}");
        }
    }
}

#[test]
fn defaults_are_what_a_missing_key_means() {
    let schema = schema();
    let mut explicit = document();
    let mut count = 0;
    for (name, place) in PLACES {
        let properties = schema["$defs"][name]["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        for (key, property) in properties {
            let Some(default) = property.get("default") else {
                continue;
            };
            count += 1;
            let mut mapping = &mut explicit;
            for step in place.split('/').skip(1) {
                mapping = match mapping {
                    Value::Array(items) => &mut items[step.parse::<usize>().expect("an index")],
                    mapping => &mut mapping[step],
                };
                if mapping.is_null() {
                    *mapping = json!({});
                }
            }
            mapping[key] = default.clone();
        }
    }
    assert!(count >= 10, "{count} defaults");
    assert_eq!(load(&explicit), load(&document()));
}

#[test]
fn words_are_those_that_are_read() {
    let schema = schema();
    let words = |definition: &str, key: &str| -> Vec<String> {
        let property = &schema["$defs"][definition]["properties"][key];
        let words = property.get("enum").unwrap_or(&property["items"]["enum"]);
        let words = words
            .as_array()
            .unwrap_or_else(|| panic!("{definition}.{key} has words"));
        words
            .iter()
            .map(|word| word.as_str().expect("a word").to_owned())
            .collect()
    };
    fn first<T>(words: &[(&'static str, T)]) -> Vec<&'static str> {
        words.iter().map(|(word, _)| *word).collect()
    }
    assert_eq!(words("Host", "role"), first(&Role::WORDS));
    assert_eq!(words("Host", "state"), first(&HostState::WORDS));
    assert_eq!(words("Taint", "effect"), first(&TaintEffect::WORDS));
    assert_eq!(words("Calico", "encapsulation"), first(&Encapsulation::WORDS));
    assert_eq!(words("Calico", "datastore"), first(&Datastore::WORDS));
    assert_eq!(words("SiteSpec", "accept"), first(&Acceptance::WORDS));
    assert_eq!(
        words("Assume", "architecture"),
        Architecture::ALL.map(Architecture::go_name)
    );
}

#[test]
fn ranges_are_those_that_are_accepted() {
    let schema = schema();
    let ranges: BTreeMap<(&str, &str), &str> = BTreeMap::from([
        (("Access", "port"), "/spec/access"),
        (("Host", "port"), "/spec/hosts/0"),
        (("Assume", "cpus"), "/spec/hosts/0/assume"),
        (("Assume", "memoryMib"), "/spec/hosts/0/assume"),
        (("Calico", "mtu"), "/spec/network/cni/calico"),
        (("Calico", "blockSize"), "/spec/network/cni/calico"),
        (("Kubelet", "maxPods"), "/spec/kubelet"),
    ]);
    for ((definition, key), place) in ranges {
        let property = &schema["$defs"][definition]["properties"][key];
        let bound = |name: &str| {
            property[name]
                .as_i64()
                .unwrap_or_else(|| panic!("{definition}.{key} has a {name}"))
        };
        for (value, accepted) in [
            (bound("minimum"), true),
            (bound("maximum"), true),
            (bound("minimum") - 1, false),
            (bound("maximum") + 1, false),
        ] {
            let mut document = document();
            document["spec"]["hosts"][0]["assume"] = json!({});
            document["spec"]["network"] = json!({ "cni": { "calico": {} } });
            document["spec"]["kubelet"] = json!({});
            document.pointer_mut(place).expect("it is there")[key] = value.into();
            let found = load(&document);
            let codes = found.err().unwrap_or_default();
            assert_eq!(
                !codes.contains(&"IEC0013"),
                accepted,
                "{definition}.{key} = {value}: {codes:?}"
            );
        }
    }
}

/// The key with its place in [`document`], the code of a text that does not have its form, and texts that do and do not.
type Pattern = (
    (&'static str, &'static str),
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const LONG: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm";
const COMMENTED: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm root@edge-1";

const VLANS: &[&str] = &["native", "1", "4094", "1000-1999", "native|101", "101,102-104"];
const NO_VLANS: &[&str] = &[
    "", "0", "4095", "5000", "abc", "01", "-1", "1-", "1|", "1 2", "0-5",
];

const PATTERNS: [Pattern; 12] = [
    (
        ("FacilityNetwork", "vlan"),
        "/spec/facility/networks/0",
        "IEC0810",
        VLANS,
        NO_VLANS,
    ),
    (
        ("Interface", "vlan"),
        "/spec/hosts/0/hardware/interfaces/0",
        "IEC0810",
        VLANS,
        NO_VLANS,
    ),
    (
        ("Metadata", "name"),
        "/metadata",
        "IEC0101",
        &["a", "store-1", "0"],
        &["", "-a", "A", "a.b", LONG],
    ),
    (
        ("Host", "name"),
        "/spec/hosts/0",
        "IEC0102",
        &["a", "yes", "012"],
        &["", "a-", "a_b", "localhost", LONG],
    ),
    (
        ("Access", "user"),
        "/spec/access",
        "IEC0103",
        &["edge", "_apt", "A.b-c"],
        &["", "-a", ".a", "a b", LONG],
    ),
    (
        ("Host", "user"),
        "/spec/hosts/0",
        "IEC0103",
        &["root"],
        &["", "ä", "a/b"],
    ),
    (
        ("Host", "hostKey"),
        "/spec/hosts/0",
        "IEC0207",
        &[KEY, COMMENTED],
        &[
            "",
            "ssh-ed25519",
            " ssh-ed25519 AAAA",
            "ssh-ed25519  AAAA",
            "ssh-dss AAAA",
            "ssh-ed25519 AA=A",
            "edge-1 ssh-ed25519 AAAA",
        ],
    ),
    (
        ("Assume", "distribution"),
        "/spec/hosts/0/assume",
        "IEC0215",
        &["debian-12", "ubuntu-24.04"],
        &[
            "",
            "debian-12.5",
            "ubuntu-24",
            "debian",
            "Debian-12",
            "ubuntu-24.04.1",
        ],
    ),
    (
        ("HelmRelease", "name"),
        "/spec/helm/releases/0",
        "IEC0601",
        &["a", "a-1"],
        &["", "A", "a.b", LONG],
    ),
    (
        ("HelmRelease", "namespace"),
        "/spec/helm/releases/0",
        "IEC0603",
        &["a", "kube-system"],
        &["", "A", "a.b", LONG],
    ),
    (
        ("Hardware", "memory"),
        "/spec/hosts/0/hardware",
        "IEC0801",
        &["16G", "1TB", "512M"],
        &["", "16", "1.5G", "0G", "16g", "G"],
    ),
    (
        ("Disk", "capacity"),
        "/spec/hosts/0/hardware/disks/0",
        "IEC0801",
        &["16G", "1.1TB"],
        &["", "1..5G", "1.G", ".5G", "0G", "16"],
    ),
];

#[test]
fn patterns_are_those_that_are_accepted() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().expect("there are definitions");
    for (name, definition) in definitions {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            let known = PATTERNS
                .iter()
                .any(|((definition, own), ..)| definition == name && own == key);
            assert_eq!(property.get("pattern").is_some(), known, "{name}.{key}");
        }
    }
    for ((definition, key), place, code, right, wrong) in PATTERNS {
        let property = &schema["$defs"][definition]["properties"][key];
        let pattern =
            regex::Regex::new(property["pattern"].as_str().expect("a pattern")).expect("an expression");
        let texts = right.iter().map(|text| (text, true));
        for (text, accepted) in texts.chain(wrong.iter().map(|text| (text, false))) {
            let fits = pattern.is_match(text) && property["not"]["const"] != **text;
            assert_eq!(fits, accepted, "the schema about {definition}.{key}: {text}");
            let mut document = document();
            document["spec"]["hosts"][0]["assume"] = json!({});
            document.pointer_mut(place).expect("it is there")[key] = (*text).into();
            let codes = load(&document).err().unwrap_or_default();
            assert_eq!(
                !codes.contains(&code),
                accepted,
                "{definition}.{key}: {text}: {codes:?}"
            );
        }
    }
}

#[test]
fn a_controller_that_speaks_redfish_has_a_url_in_the_schema_too() {
    let schema = schema();
    let management = &schema["$defs"]["Management"];
    assert_eq!(management["if"]["properties"]["protocol"]["const"], "redfish");
    let pattern = management["then"]["properties"]["address"]["pattern"].as_str();
    let pattern = regex::Regex::new(pattern.expect("a pattern")).expect("an expression");
    for (address, accepted) in [
        ("https://10.9.0.12/redfish/v1/Systems/1", true),
        ("idrac-virtualmedia+https://bmc:8443/redfish/v1", true),
        ("10.9.0.12", false),
        ("https://", false),
        ("https://a b", false),
        ("bmc.example.com", false),
    ] {
        assert_eq!(pattern.is_match(address), accepted, "{address}");
        let mut document = document();
        document["spec"]["hosts"][0]["hardware"]["management"] =
            json!({ "protocol": "redfish", "address": address });
        let codes = load(&document).err().unwrap_or_default();
        assert_eq!(!codes.contains(&"IEC0808"), accepted, "{address}: {codes:?}");
    }
}

#[test]
fn the_reference_manual_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/site-reference.md");
    let text = schema::reference();
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &text).expect("the manual can be written");
    }
    let committed = fs::read_to_string(&path).expect("the manual is part of the project");
    assert!(
        committed == text,
        "docs/site-reference.md is out of date: run `UPDATE_DOCS=1 cargo test -p iec-core --test schema`"
    );
}
