//! Objects of Metal3 and Cluster API: the hosts as they are to be provisioned, and the cluster that kubeadm makes on them.

mod kubeadm;

use serde_json::{Map, Value, json};

use super::controller::{self, Start};
use super::header::{Description, Header};
use super::machine::{Machine, machines};
use super::{Files, Subject};
use crate::site::{EndpointHost, Management, Role};
use kubeadm::Configuration;

const HEADER: Header = Header {
    what: "Objects of Metal3 (BareMetalHost v1alpha1, provider v1beta2) and Cluster API (v1beta2)",
    covers: &[
        "a BareMetalHost for each host, with its management controller, hardware address and architecture",
        "the cluster: networks, endpoint, Kubernetes version, kubeadm's configuration, taints",
        "the files that IEC's plan writes for kernel, names and kubelet, and its patches of the kubelet's configuration",
    ],
    differs: &[
        "Metal3 installs the operating system from an image; containerd, kubelet, kubeadm and the CNI plugins have to be in it, swap has to be off in it",
        "the objects are those of version 1.13 of Metal3's provider of Cluster API, and of newer ones",
        "Cluster API replaces a machine to change it; IEC changes what differs on the running host",
        "Cluster API makes certificates and tokens itself; none of IEC's are used",
        "kube-proxy gets kubeadm's defaults: Cluster API has no place for its configuration",
        "images come from a registry or from the image of the machine, not from IEC's bundle",
        "passwords are Secrets with the keys `username` and `password`, which are not in these files",
    ],
};

/// The label by which machine templates find their hosts.
const ROLE_LABEL: &str = "iec.dev/role";
/// The annotation from which a machine learns the address that its kubelet uses.
const ADDRESS_ANNOTATION: &str = "iec.dev/node-address";

/// All objects, in the order in which they are applied.
pub(super) fn files(subject: &Subject<'_>) -> Files {
    let mut description = Description::new(subject, HEADER);
    let machines = machines(subject);
    let hosts = machines
        .iter()
        .map(|machine| bare_metal_host(subject, machine, &mut description))
        .collect();
    description.file("1-hosts.yaml", hosts);
    let cluster = cluster(subject, &mut description);
    description.file("2-cluster.yaml", cluster);
    description.note("the images of Metal3MachineTemplates have addresses that lead nowhere: name your own");
    description.note("cards get their addresses by DHCP or by the image; add networkData to Metal3DataTemplates for others");
    if let Some(control_plane) = Configuration::of_control_plane(subject, &mut description) {
        let documents = control_plane_objects(subject, &control_plane);
        description.file("3-control-plane.yaml", documents);
    }
    let workers = Configuration::of_workers(subject, &mut description);
    if !workers.is_empty() {
        let documents = workers
            .iter()
            .flat_map(|group| worker_objects(subject, group))
            .collect();
        description.file("4-workers.yaml", documents);
    }
    if let Some(calico) = kubeadm::calico_manifest(subject, &mut description) {
        description.covers("Calico, by the manifest that IEC applies, as a ClusterResourceSet");
        description.file("5-calico.yaml", calico_objects(subject, calico));
    }
    description.files()
}

fn name_of<'a>(subject: &Subject<'a>) -> &'a str {
    subject.site.name().as_str()
}

fn metadata(subject: &Subject<'_>, name: &str) -> Value {
    json!({ "name": name, "namespace": name_of(subject) })
}

fn bare_metal_host(subject: &Subject<'_>, machine: &Machine<'_>, description: &mut Description<'_>) -> Value {
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
    if !machine.host.labels().is_empty() {
        description.note(format!(
            "the node labels of {name} are not in these files: kubectl label sets them when its node is there"
        ));
    }
    let mut metadata = metadata(subject, name);
    metadata["labels"] = json!({ ROLE_LABEL: label(subject, machine) });
    metadata["annotations"] = json!({ ADDRESS_ANNOTATION: machine.host.node_address() });
    json!({ "apiVersion": "metal3.io/v1alpha1", "kind": "BareMetalHost", "metadata": metadata, "spec": spec })
}

/// The role of a host, and for workers the group of those that are configured alike.
fn label(subject: &Subject<'_>, machine: &Machine<'_>) -> String {
    match machine.host.role() {
        Role::ControlPlane => "control-plane".to_owned(),
        Role::Worker => kubeadm::group_of(subject, machine.name()),
    }
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

fn cluster(subject: &Subject<'_>, description: &mut Description<'_>) -> Vec<Value> {
    let site = subject.site;
    let name = name_of(subject);
    let endpoint = site.control_plane().endpoint();
    if let EndpointHost::Name(known) = endpoint.host()
        && let Some(control_plane) = site.control_planes().next()
    {
        description.note(format!(
            "the management cluster must find {} by the name {known}, as the hosts do",
            control_plane.node_address()
        ));
    }
    let cluster = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Cluster",
        "metadata": { "name": name, "namespace": name, "labels": { "iec.dev/site": name } },
        "spec": {
            "clusterNetwork": {
                "pods": { "cidrBlocks": [site.network().pods()] },
                "services": { "cidrBlocks": [site.network().services()] },
                "serviceDomain": "cluster.local",
            },
            "controlPlaneRef": {
                "apiGroup": "controlplane.cluster.x-k8s.io",
                "kind": "KubeadmControlPlane",
                "name": format!("{name}-control-plane"),
            },
            "infrastructureRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3Cluster", "name": name,
            },
        },
    });
    let infrastructure = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
        "kind": "Metal3Cluster",
        "metadata": metadata(subject, name),
        "spec": {
            "controlPlaneEndpoint": { "host": endpoint.host().to_string(), "port": endpoint.port() },
            "cloudProviderEnabled": false,
        },
    });
    vec![cluster, infrastructure]
}

fn control_plane_objects(subject: &Subject<'_>, configuration: &Configuration) -> Vec<Value> {
    let name = format!("{}-control-plane", name_of(subject));
    let control_plane = json!({
        "apiVersion": "controlplane.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmControlPlane",
        "metadata": metadata(subject, &name),
        "spec": {
            "replicas": configuration.hosts,
            "version": subject.release.kubernetes(),
            "machineTemplate": { "spec": { "infrastructureRef": machine_template_reference(&name) } },
            "kubeadmConfigSpec": configuration.spec,
        },
    });
    let mut objects = vec![control_plane];
    objects.extend(machine_template(subject, &name, "control-plane", configuration));
    objects
}

fn worker_objects(subject: &Subject<'_>, configuration: &Configuration) -> Vec<Value> {
    let name = format!("{}-{}", name_of(subject), configuration.group);
    let labels = json!({ "iec.dev/group": configuration.group });
    let deployment = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineDeployment",
        "metadata": metadata(subject, &name),
        "spec": {
            "clusterName": name_of(subject),
            "replicas": configuration.hosts,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "clusterName": name_of(subject),
                    "version": subject.release.kubernetes(),
                    "bootstrap": { "configRef": {
                        "apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfigTemplate", "name": name,
                    } },
                    "infrastructureRef": machine_template_reference(&name),
                },
            },
        },
    });
    let template = json!({
        "apiVersion": "bootstrap.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmConfigTemplate",
        "metadata": metadata(subject, &name),
        "spec": { "template": { "spec": configuration.spec } },
    });
    let mut objects = vec![deployment, template];
    objects.extend(machine_template(
        subject,
        &name,
        &configuration.group,
        configuration,
    ));
    objects
}

fn machine_template_reference(name: &str) -> Value {
    json!({ "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3MachineTemplate", "name": name })
}

/// The template of machines for hosts of this label, and where they learn their names and addresses.
fn machine_template(
    subject: &Subject<'_>,
    name: &str,
    label: &str,
    configuration: &Configuration,
) -> [Value; 2] {
    let image = format!(
        "http://images.example.invalid/{}-{}-kubernetes-{}.qcow2",
        configuration.distribution,
        configuration.architecture,
        subject.release.kubernetes()
    );
    let template = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
        "kind": "Metal3MachineTemplate",
        "metadata": metadata(subject, name),
        "spec": { "template": { "spec": {
            "image": {
                "url": image, "checksum": format!("{image}.sha256"), "checksumType": "sha256", "diskFormat": "qcow2",
            },
            "hostSelector": { "matchLabels": { ROLE_LABEL: label } },
            "dataTemplate": { "name": name },
        } } },
    });
    let data = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
        "kind": "Metal3DataTemplate",
        "metadata": metadata(subject, name),
        "spec": {
            "clusterName": name_of(subject),
            "metaData": {
                "objectNames": [{ "key": "name", "object": "baremetalhost" }],
                "fromAnnotations": [
                    { "key": "nodeAddress", "object": "baremetalhost", "annotation": ADDRESS_ANNOTATION },
                ],
            },
        },
    });
    [template, data]
}

fn calico_objects(subject: &Subject<'_>, manifest: &str) -> Vec<Value> {
    let name = format!("{}-calico", name_of(subject));
    let content = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(subject, &name),
        "data": { "calico.yaml": manifest },
    });
    let set = json!({
        "apiVersion": "addons.cluster.x-k8s.io/v1beta2",
        "kind": "ClusterResourceSet",
        "metadata": metadata(subject, &name),
        "spec": {
            "clusterSelector": { "matchLabels": { "iec.dev/site": name_of(subject) } },
            "resources": [{ "kind": "ConfigMap", "name": name }],
            "strategy": "ApplyOnce",
        },
    });
    vec![content, set]
}
