//! What Cluster API hands to kubeadm: taken from the files of IEC's plan, so that there is no second author.

use iec_core::plan::kubeadm::{INIT_FILE, PATCHES, RESOLVER_FILE};
use iec_core::plan::{HostPart, Op, Phase, SecretName};
use iec_core::render::Subject;
use iec_core::site::Datastore;
use iec_sh::{Cmd, Expr, Program};
use serde_json::{Map, Value, json};

use super::group::Group;
use crate::header::Description;

/// Where a machine's own name and address are filled in.
const NAME: &str = "{{ ds.meta_data.name }}";
const ADDRESS: &str = "{{ ds.meta_data.nodeAddress }}";
const LABELS: &str = "{{ ds.meta_data.nodeLabels }}";
/// The label by which Metal3 finds the node of a machine, to give it its provider's name.
const UUID_LABEL: &str = "metal3.io/uuid={{ ds.meta_data.uuid }}";

/// The `KubeadmConfigSpec` of a group; nothing where the plan has none.
pub(super) fn configuration(
    subject: &Subject<'_>,
    group: &Group<'_>,
    description: &mut Description<'_>,
) -> Option<Value> {
    let documents = init_documents(subject);
    let kubelet = find(&documents, "KubeletConfiguration");
    let own = if group.is_control_plane() {
        of_control_plane(&documents, group, description)?
    } else {
        let mut join = join(group.members.first()?.part)?;
        join["nodeRegistration"] = registration(&join["nodeRegistration"], group.has_labels());
        vec![("joinConfiguration", join)]
    };
    let mut spec = common(subject, group, kubelet, description)?;
    spec.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
    Some(Value::Object(spec))
}

/// What only control planes are told.
fn of_control_plane(
    documents: &[Value],
    group: &Group<'_>,
    description: &mut Description<'_>,
) -> Option<Vec<(&'static str, Value)>> {
    let mut cluster = find(documents, "ClusterConfiguration")?;
    // Cluster and KubeadmControlPlane say these themselves.
    without(
        &mut cluster,
        &[
            "apiVersion",
            "kind",
            "clusterName",
            "kubernetesVersion",
            "networking",
        ],
    );
    // A site whose endpoint is the address of its control plane names it twice.
    if let Some(names) = cluster.pointer_mut("/apiServer/certSANs") {
        once(names);
    }
    let mut init = find(documents, "InitConfiguration")?;
    without(&mut init, &["apiVersion", "kind", "bootstrapTokens"]);
    // By itself kubeadm would take the address of the default route's card, and etcd with it.
    init["localAPIEndpoint"]["advertiseAddress"] = json!(ADDRESS);
    init["nodeRegistration"] = registration(&init["nodeRegistration"], group.has_labels());
    let join = json!({
        "controlPlane": { "localAPIEndpoint": init["localAPIEndpoint"] },
        "nodeRegistration": init["nodeRegistration"],
        "patches": init["patches"],
    });
    if let Some(proxy) = find(documents, "KubeProxyConfiguration")
        && proxy.get("conntrack").is_some()
    {
        description.note("hosts of this site cannot set the size of the connection table: set conntrack.maxPerCore and conntrack.min of kube-proxy to 0");
    }
    Some(vec![
        ("clusterConfiguration", cluster),
        ("initConfiguration", init),
        ("joinConfiguration", join),
    ])
}

/// The documents that the plan hands to kubeadm on the first control plane.
fn init_documents(subject: &Subject<'_>) -> Vec<Value> {
    let mut parts = subject.plan.hosts.iter();
    parts
        .find_map(|part| text_at(part, INIT_FILE))
        .map(documents)
        .unwrap_or_default()
}

fn find(documents: &[Value], kind: &str) -> Option<Value> {
    let mut documents = documents.iter();
    documents.find(|document| document["kind"] == kind).cloned()
}

fn text_at<'a>(part: &'a HostPart, path: &str) -> Option<&'a str> {
    part.texts()
        .find(|(_, file, _)| file.path == path)
        .map(|(.., text)| text)
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_default()
}

fn without(value: &mut Value, keys: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

/// Takes away what a list says a second time.
fn once(list: &mut Value) {
    if let Some(list) = list.as_array_mut() {
        let mut seen: Vec<Value> = Vec::new();
        list.retain(|value| {
            let new = !seen.contains(value);
            seen.extend(new.then(|| value.clone()));
            new
        });
    }
}

/// What the plan hands to kubeadm on a worker, without token and certificate hashes: Cluster API has its own.
pub(super) fn join(part: &HostPart) -> Option<Value> {
    let secret = part.secrets.get(&SecretName::JoinConfiguration)?;
    let configuration = documents(secret.expose()).into_iter().next()?;
    let mut registration = configuration["nodeRegistration"].clone();
    fill_in(&mut registration);
    // Taken one by one, so that nothing secret can come along.
    Some(json!({ "nodeRegistration": registration, "patches": configuration["patches"] }))
}

/// Puts what each machine learns of its own in the place of what one host has.
fn fill_in(registration: &mut Value) {
    registration["name"] = json!(NAME);
    let arguments = registration["kubeletExtraArgs"].as_array_mut();
    for argument in arguments.into_iter().flatten() {
        if argument["name"] == "node-ip" {
            argument["value"] = json!(ADDRESS);
        }
    }
}

/// How a node registers: with its own name and address, the label by which Metal3 finds it, and the host's labels.
fn registration(given: &Value, has_labels: bool) -> Value {
    let mut registration = given.clone();
    fill_in(&mut registration);
    if let Some(object) = registration.as_object_mut() {
        object.retain(|key, value| key == "taints" || value.as_array().is_none_or(|list| !list.is_empty()));
    }
    let mut arguments = registration["kubeletExtraArgs"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut labels = UUID_LABEL.to_owned();
    if has_labels {
        // A host without any has nothing here, which the kubelet reads over.
        labels = format!("{labels},{LABELS}");
    }
    arguments.push(json!({ "name": "node-labels", "value": labels }));
    registration["kubeletExtraArgs"] = json!(arguments);
    registration
}

/// Files and commands that IEC's plan has for the host.
fn common(
    subject: &Subject<'_>,
    group: &Group<'_>,
    kubelet: Option<Value>,
    description: &mut Description<'_>,
) -> Option<Map<String, Value>> {
    let part = group.members.first()?.part;
    let facts = subject.facts.host(part.host.as_str());
    let resolves = facts.is_some_and(|facts| facts.pod_resolver_file().is_some());
    if !resolves {
        description.note(format!(
            "nobody knows the name servers of {}: {RESOLVER_FILE} is left out, and pods inherit those of the host",
            group.name
        ));
    }
    let mut files = Vec::new();
    for (step, file, text) in part.texts() {
        let wanted = match step.phase {
            Phase::System if file.path == RESOLVER_FILE => resolves,
            Phase::System => !file.path.starts_with("/etc/apt/"),
            Phase::Kubernetes => file.path.starts_with(PATCHES),
            _ => false,
        };
        if wanted {
            files.push(json!({
                "path": file.path, "owner": "root:root", "permissions": format!("{:04o}", file.mode), "content": text,
            }));
            note_differences(group, part, &file.path, text, description);
        }
    }
    if let Some(mut kubelet) = kubelet {
        // kubeadm has no other way to the kubelet's common configuration in Cluster API.
        without(&mut kubelet, &["apiVersion", "kind"]);
        if !resolves {
            without(&mut kubelet, &["resolvConf"]);
        }
        files.push(json!({
            "path": format!("{PATCHES}/kubeletconfiguration1+strategic.yaml"),
            "owner": "root:root",
            "permissions": "0644",
            "content": iec_core::plan::document::documents(&[kubelet]),
        }));
    }
    for step in &part.steps {
        if let Op::Line { path, line, tag } = &step.op
            && path == "/etc/hosts"
        {
            files.push(json!({ "path": path, "append": true, "content": format!("{line} {tag}\n") }));
        }
    }
    let mut commands = Vec::new();
    let mut command = |words: &[&str]| {
        let command = Cmd::new(Program::Systemctl).words(words.iter().copied());
        commands.push(Expr::from(command).statement(""));
    };
    command(&[
        "restart",
        "systemd-modules-load.service",
        "systemd-sysctl.service",
    ]);
    for step in &part.steps {
        if let (Phase::System, Op::Unit(unit)) = (step.phase, &step.op) {
            command(&["enable", "--now", &unit.name]);
        }
    }
    let mut spec = Map::new();
    spec.insert("files".to_owned(), Value::Array(files));
    spec.insert("preKubeadmCommands".to_owned(), json!(commands));
    Some(spec)
}

/// Says which hosts would have another text in a file, where one text has to do for a group.
fn note_differences(
    group: &Group<'_>,
    first: &HostPart,
    path: &str,
    text: &str,
    description: &mut Description<'_>,
) {
    let differing: Vec<&str> = group
        .members
        .iter()
        .filter(|member| text_at(member.part, path) != Some(text))
        .map(|member| member.machine.name())
        .collect();
    if !differing.is_empty() && !path.starts_with(PATCHES) {
        description.note(format!(
            "{path} is that of {}; IEC would write another one on {}",
            first.host,
            differing.join(", ")
        ));
    }
}

/// The manifest of Calico, as the plan applies it.
pub(super) fn calico_manifest<'a>(
    subject: &Subject<'a>,
    description: &mut Description<'_>,
) -> Option<&'a str> {
    let calico = subject.site.network().cni().calico()?;
    if calico.datastore() == Datastore::Etcd {
        description
            .note("Calico is not in these files: its own etcd has keys, which belong in no description");
        return None;
    }
    let manifest = subject.plan.hosts.iter().find_map(|part| {
        part.texts()
            .find(|(step, ..)| step.id.as_str() == "network.calico-manifest")
    });
    if manifest.is_none() {
        description.note(
            "Calico is not in these files: its manifest is in a bundle, and there is none for this release where the site has it; iec bundle build makes one",
        );
    }
    manifest.map(|(.., text)| text)
}
