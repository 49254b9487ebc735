//! A host as Metal3 provisions it, with what its machine learns from it.

use iec_core::render::Subject;
use iec_core::site::Management;
use serde_json::{Map, Value, json};

use super::group::{Group, Member};
use super::{ROLE_LABEL, metadata, network};
use crate::controller::{self, Start};
use crate::header::Description;

/// The annotation from which a machine learns the address that its kubelet uses.
const ADDRESS_ANNOTATION: &str = "iec.dev/node-address";
/// The annotation from which a machine learns the labels of its node.
const LABELS_ANNOTATION: &str = "iec.dev/node-labels";

/// The `BareMetalHost` of a host, which machines of its group find by its label.
pub(super) fn bare_metal_host(
    subject: &Subject<'_>,
    group: &Group<'_>,
    member: &Member<'_>,
    description: &mut Description<'_>,
) -> Value {
    let machine = member.machine;
    let name = machine.name();
    let mut spec = Map::new();
    spec.insert("online".to_owned(), json!(true));
    if let Some(architecture) = machine.architecture {
        spec.insert("architecture".to_owned(), json!(architecture.uname()));
    }
    match machine.boot_mac() {
        Some(mac) => {
            spec.insert("bootMACAddress".to_owned(), json!(mac));
        }
        None => description.note(format!(
            "{name}: nobody knows a hardware address; add bootMACAddress"
        )),
    }
    spec.insert("automatedCleaningMode".to_owned(), json!("metadata"));
    match machine
        .hardware
        .management
        .as_ref()
        .map(|management| address(management, name))
    {
        Some(Ok((address, credentials))) => {
            let bmc = json!({ "address": address, "credentialsName": credentials });
            spec.insert("bmc".to_owned(), bmc);
        }
        Some(Err(problem)) => description.note(problem),
        None => description.note(format!(
            "{name}: the site names no management controller; without `bmc` Metal3 cannot switch the host on"
        )),
    }
    let mut metadata = metadata(subject, name);
    metadata["labels"] = json!({ ROLE_LABEL: group.name });
    metadata["annotations"] = annotations(member);
    json!({ "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "metadata": metadata, "spec": spec })
}

/// What is each host's own, where one template says the rest.
fn annotations(member: &Member<'_>) -> Value {
    let host = member.machine.host;
    let mut annotations = Map::new();
    annotations.insert(ADDRESS_ANNOTATION.to_owned(), json!(host.node_address()));
    if !host.labels().is_empty() {
        let labels: Vec<String> = host
            .labels()
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        annotations.insert(LABELS_ANNOTATION.to_owned(), json!(labels.join(",")));
    }
    for (link, mac) in member
        .network
        .iter()
        .flat_map(|known| known.macs.iter().enumerate())
    {
        annotations.insert(network::mac_annotation(link), json!(mac));
    }
    Value::Object(annotations)
}

/// What a `Metal3DataTemplate` takes from the host of a machine.
pub(super) fn meta_data(group: &Group<'_>) -> Value {
    let from = |key: &str, annotation: &str| json!({ "key": key, "object": "baremetalhost", "annotation": annotation });
    let mut annotations = vec![from("nodeAddress", ADDRESS_ANNOTATION)];
    annotations.extend(group.has_labels().then(|| from("nodeLabels", LABELS_ANNOTATION)));
    json!({
        "objectNames": [{ "key": "name", "object": "baremetalhost" }],
        "fromAnnotations": annotations,
    })
}

/// The address of a management controller as Metal3 has it, and the name of its Secret.
fn address(management: &Management, name: &str) -> Result<(String, String), String> {
    let address = controller::address(management, Start::Network).map_err(|form| {
        format!("{name}: Metal3 has no driver for a controller that speaks {form}, so `bmc` is left out; of a virtual machine sushy-tools and virtualbmc make one that speaks Redfish or IPMI")
    })?;
    let credentials = management
        .credentials
        .clone()
        .unwrap_or_else(|| format!("{name}-bmc"));
    Ok((address, credentials))
}
