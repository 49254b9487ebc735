//! Objects of Metal3 and Cluster API: the hosts as they are to be provisioned, and the cluster that kubeadm makes on them.

mod group;
mod host;
mod kubeadm;
mod network;

use group::Group;
use iec_core::architecture::Architecture;
use iec_core::render::{Files, Subject};
use iec_core::site::EndpointHost;
use serde_json::{Value, json};

use crate::header::{Description, Header};
use crate::machine::machines;
use crate::namespace::namespace;

const HEADER: Header = Header {
    what: "Objects of Metal3 (BareMetalHost v1alpha1, provider v1beta2) and Cluster API (v1beta2)",
    covers: &[
        "a BareMetalHost for each host, with its management controller, hardware address and architecture",
        "the cluster: networks, endpoint, Kubernetes version, kubeadm's configuration, labels, taints",
        "the files that IEC's plan writes for kernel, names and kubelet, and its patches of the kubelet's configuration",
    ],
    differs: &[
        "Metal3 installs the operating system from an image; containerd, kubelet, kubeadm and the CNI plugins have to be in it, swap has to be off in it",
        "the objects are those of version 1.14 of Metal3's provider of Cluster API, and of newer ones; 1.13 wants spec.clusterName in a Metal3DataTemplate besides",
        "Cluster API replaces a machine to change it; IEC changes what differs on the running host. Every host is used, so that of workers one is taken away before another one is added",
        "Cluster API makes certificates and tokens itself; none of IEC's are used",
        "kube-proxy gets kubeadm's defaults: Cluster API has no place for its configuration",
        "images come from a registry or from the image of the machine, not from IEC's bundle",
        "passwords are Secrets with the keys `username` and `password`, which are not in these files",
    ],
};

/// From so many control planes on Cluster API can remove one before it adds another.
const LEAST_TO_SHRINK: usize = 3;
/// The label by which machine templates find their hosts.
const ROLE_LABEL: &str = "iec.dev/role";

/// All objects, in the order in which they are applied.
pub(crate) fn files(subject: &Subject<'_>) -> Files {
    let mut description = Description::new(subject, HEADER);
    let machines = machines(subject);
    let groups = group::groups(subject, &machines, &mut description);
    let mut hosts = vec![namespace(subject)];
    for machine in &machines {
        let found = groups.iter().find_map(|group| {
            let mut members = group.members.iter();
            let member = members.find(|member| member.machine.name() == machine.name())?;
            Some((group, member))
        });
        hosts.extend(
            found.map(|(group, member)| host::bare_metal_host(subject, group, member, &mut description)),
        );
    }
    description.file("1-hosts.yaml", hosts);
    let cluster = cluster(subject, &mut description);
    description.file("2-cluster.yaml", cluster);
    description.note("the images of Metal3MachineTemplates have addresses that lead nowhere: name your own");
    let (mut control_plane, mut workers) = (Vec::new(), Vec::new());
    for group in &groups {
        let Some(configuration) = kubeadm::configuration(subject, group, &mut description) else {
            continue;
        };
        let mut objects = if group.is_control_plane() {
            control_plane_objects(subject, group, &configuration, &mut description)
        } else {
            worker_objects(subject, group, &configuration)
        };
        objects.extend(machine_template(subject, group));
        objects.extend(network::pools(subject, group, &mut description));
        if group.is_control_plane() {
            control_plane = objects;
        } else {
            workers.extend(objects);
        }
    }
    if groups.iter().any(|group| group.shape().is_some()) {
        description.covers("the cards that the site describes: VLANs, addresses, routers, name servers");
    }
    for (file, objects) in [
        ("3-control-plane.yaml", control_plane),
        ("4-workers.yaml", workers),
    ] {
        if !objects.is_empty() {
            description.file(file, objects);
        }
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

/// What the objects of a group are called.
fn name_in_cluster(subject: &Subject<'_>, group: &Group<'_>) -> String {
    format!("{}-{}", name_of(subject), group.name)
}

fn control_plane_objects(
    subject: &Subject<'_>,
    group: &Group<'_>,
    configuration: &Value,
    description: &mut Description<'_>,
) -> Vec<Value> {
    let name = name_in_cluster(subject, group);
    let replicas = group.members.len();
    let mut spec = json!({
        "replicas": replicas,
        "version": subject.release.kubernetes(),
        "machineTemplate": { "spec": { "infrastructureRef": machine_template_reference(&name) } },
        "kubeadmConfigSpec": configuration,
    });
    // Cluster API takes none away from fewer than three.
    if replicas < LEAST_TO_SHRINK {
        description.note(format!(
            "a change to the control plane needs a spare host: Cluster API adds a machine before it removes one of fewer than {LEAST_TO_SHRINK}. It is a BareMetalHost with the label {ROLE_LABEL}: {}, with the annotations of its addresses, which its IPPools must have too; the endpoint then has to lead to it",
            group.name
        ));
    } else {
        spec["rollout"] = json!({ "strategy": {
            "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 0 },
        } });
    }
    vec![json!({
        "apiVersion": "controlplane.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmControlPlane",
        "metadata": metadata(subject, &name),
        "spec": spec,
    })]
}

fn worker_objects(subject: &Subject<'_>, group: &Group<'_>, configuration: &Value) -> Vec<Value> {
    let name = name_in_cluster(subject, group);
    let labels = json!({ "iec.dev/group": group.name });
    let deployment = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineDeployment",
        "metadata": metadata(subject, &name),
        "spec": {
            "clusterName": name_of(subject),
            "replicas": group.members.len(),
            // Every host is used: there is none for a machine more.
            "rollout": { "strategy": {
                "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 },
            } },
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
        "spec": { "template": { "spec": configuration } },
    });
    vec![deployment, template]
}

fn machine_template_reference(name: &str) -> Value {
    json!({ "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "Metal3MachineTemplate", "name": name })
}

/// The template of machines for the hosts of a group, and where they learn what is each host's own.
fn machine_template(subject: &Subject<'_>, group: &Group<'_>) -> Vec<Value> {
    let name = name_in_cluster(subject, group);
    let first = group.members.first().map(|member| member.machine);
    let architecture = first.and_then(|machine| machine.architecture);
    let image = format!(
        "http://images.example.invalid/{}-{}-kubernetes-{}.qcow2",
        first
            .and_then(|machine| machine.distribution.as_deref())
            .unwrap_or("linux"),
        architecture.unwrap_or(Architecture::Amd64),
        subject.release.kubernetes()
    );
    let template = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
        "kind": "Metal3MachineTemplate",
        "metadata": metadata(subject, &name),
        "spec": { "template": { "spec": {
            "image": {
                "url": image, "checksum": format!("{image}.sha256"), "checksumType": "sha256", "diskFormat": "qcow2",
            },
            "hostSelector": { "matchLabels": { ROLE_LABEL: group.name } },
            "dataTemplate": { "name": name },
        } } },
    });
    let mut spec = json!({ "metaData": host::meta_data(group) });
    if let Some(shape) = group.shape() {
        spec["networkData"] = shape.network_data(&group.name);
    }
    let data = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
        "kind": "Metal3DataTemplate",
        "metadata": metadata(subject, &name),
        "spec": spec,
    });
    vec![template, data]
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
