//! What Cluster API hands to kubeadm: taken from the files of IEC's plan, so that there is no second author.

use iec_sh::{Cmd, Expr, Program};
use serde_json::{Map, Value, json};

use crate::plan::kubeadm::{INIT_FILE, PATCHES};
use crate::plan::{HostPart, Op, Phase, SecretName};
use crate::render::Subject;
use crate::render::header::Description;
use crate::render::machine::machines;
use crate::site::{Datastore, Role};

/// Where a machine's own name and address are filled in.
const NAME: &str = "{{ ds.meta_data.name }}";
const ADDRESS: &str = "{{ ds.meta_data.nodeAddress }}";
/// The label by which Metal3 finds the node of a machine, to give it its provider's name.
const UUID_LABEL: &str = "metal3.io/uuid={{ ds.meta_data.uuid }}";

/// What kubeadm is told on hosts that are configured alike.
pub(super) struct Configuration {
    /// What the group is called.
    pub(super) group: String,
    /// How many hosts it has.
    pub(super) hosts: usize,
    /// A `KubeadmConfigSpec`.
    pub(super) spec: Value,
    /// The architecture of the first host, for the name of an image.
    pub(super) architecture: String,
    /// The distribution of the first host, likewise.
    pub(super) distribution: String,
}

impl Configuration {
    /// That of the control planes.
    pub(super) fn of_control_plane(subject: &Subject<'_>, description: &mut Description<'_>) -> Option<Self> {
        let parts = parts(subject, Role::ControlPlane);
        let first = parts.first()?;
        let documents = documents(text_at(first, INIT_FILE)?);
        let find = |kind: &str| {
            documents
                .iter()
                .find(|document| document["kind"] == kind)
                .cloned()
        };
        let mut cluster = find("ClusterConfiguration")?;
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
        let mut init = find("InitConfiguration")?;
        without(&mut init, &["apiVersion", "kind", "bootstrapTokens"]);
        if let Some(endpoint) = init.get_mut("localAPIEndpoint") {
            // kubeadm finds the address of the machine that it runs on.
            without(endpoint, &["advertiseAddress"]);
        }
        init["nodeRegistration"] = registration(&init["nodeRegistration"]);
        let join = json!({ "nodeRegistration": init["nodeRegistration"], "patches": init["patches"] });
        let mut spec = common(subject, first, find("KubeletConfiguration").as_ref(), description);
        spec.insert("clusterConfiguration".to_owned(), cluster);
        spec.insert("initConfiguration".to_owned(), init);
        spec.insert("joinConfiguration".to_owned(), join);
        if let Some(proxy) = find("KubeProxyConfiguration")
            && proxy.get("conntrack").is_some()
        {
            description.note("hosts of this site cannot set the size of the connection table: set conntrack.maxPerCore and conntrack.min of kube-proxy to 0");
        }
        Some(Self::of(subject, "control-plane".to_owned(), &parts, spec))
    }

    /// Those of the workers, one for each group of hosts that are configured alike.
    pub(super) fn of_workers(subject: &Subject<'_>, description: &mut Description<'_>) -> Vec<Self> {
        let control_plane = parts(subject, Role::ControlPlane);
        let kubelet = control_plane
            .first()
            .and_then(|part| text_at(part, INIT_FILE))
            .and_then(|text| {
                documents(text)
                    .into_iter()
                    .find(|document| document["kind"] == "KubeletConfiguration")
            });
        groups(subject)
            .into_iter()
            .filter_map(|(group, parts)| {
                let first = parts.first()?;
                let mut spec = common(subject, first, kubelet.as_ref(), description);
                spec.insert("joinConfiguration".to_owned(), join(first)?);
                Some(Self::of(subject, group, &parts, spec))
            })
            .collect()
    }

    fn of(subject: &Subject<'_>, group: String, parts: &[&HostPart], spec: Map<String, Value>) -> Self {
        let machines = machines(subject);
        let first = parts
            .first()
            .and_then(|part| machines.iter().find(|machine| machine.host.name() == &part.host));
        let architecture = first.and_then(|machine| machine.architecture);
        let distribution = first.and_then(|machine| machine.distribution.clone());
        Self {
            group,
            hosts: parts.len(),
            spec: Value::Object(spec),
            architecture: architecture.map_or_else(|| "amd64".to_owned(), |known| known.to_string()),
            distribution: distribution.unwrap_or_else(|| "linux".to_owned()),
        }
    }
}

/// The group of a worker.
pub(super) fn group_of(subject: &Subject<'_>, host: &str) -> String {
    groups(subject)
        .into_iter()
        .find(|(_, parts)| parts.iter().any(|part| part.host.as_str() == host))
        .map_or_else(|| "worker".to_owned(), |(group, _)| group)
}

fn parts<'a>(subject: &Subject<'a>, role: Role) -> Vec<&'a HostPart> {
    subject
        .plan
        .hosts
        .iter()
        .filter(|part| part.role == role)
        .collect()
}

/// The workers, grouped by what kubeadm is told on them, the patches of their kubelets, and the image that they need.
fn groups<'a>(subject: &Subject<'a>) -> Vec<(String, Vec<&'a HostPart>)> {
    let machines = machines(subject);
    let image = |part: &HostPart| {
        let machine = machines
            .iter()
            .find(|machine| machine.host.name() == &part.host)?;
        let architecture = machine.architecture.map(|known| known.to_string());
        Some((architecture, machine.distribution.clone()))
    };
    let mut groups: Vec<(Option<Value>, Vec<&HostPart>)> = Vec::new();
    for part in parts(subject, Role::Worker) {
        let patches: Vec<&str> = part
            .texts()
            .filter(|(_, file, _)| file.path.starts_with(PATCHES))
            .map(|(.., text)| text)
            .collect();
        let alike = join(part).map(|join| json!([join, patches, image(part)]));
        match groups.iter_mut().find(|(known, _)| *known == alike) {
            Some((_, parts)) => parts.push(part),
            None => groups.push((alike, vec![part])),
        }
    }
    let one = groups.len() == 1;
    groups
        .into_iter()
        .enumerate()
        .map(|(index, (_, parts))| {
            let name = if one {
                "worker".to_owned()
            } else {
                format!("worker-{}", index + 1)
            };
            (name, parts)
        })
        .collect()
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

/// What a worker is told when it joins, without token and certificate hashes: Cluster API has its own.
fn join(part: &HostPart) -> Option<Value> {
    let secret = part.secrets.get(&SecretName::JoinConfiguration)?;
    let configuration = documents(secret.expose()).into_iter().next()?;
    // Taken one by one, so that nothing secret can come along.
    Some(json!({
        "nodeRegistration": registration(&configuration["nodeRegistration"]),
        "patches": configuration["patches"],
    }))
}

/// How a node registers, with its own name and address to be filled in.
fn registration(given: &Value) -> Value {
    let mut registration = given.clone();
    if let Some(object) = registration.as_object_mut() {
        object.insert("name".to_owned(), json!(NAME));
        object.retain(|key, value| key == "taints" || value.as_array().is_none_or(|list| !list.is_empty()));
    }
    let mut arguments = registration["kubeletExtraArgs"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut labels = UUID_LABEL.to_owned();
    for argument in &mut arguments {
        if argument["name"] == "node-ip" {
            argument["value"] = json!(ADDRESS);
        }
    }
    arguments.retain(|argument| {
        let own = argument["name"] == "node-labels";
        if let (true, Some(given)) = (own, argument["value"].as_str()) {
            labels = format!("{given},{labels}");
        }
        !own
    });
    arguments.push(json!({ "name": "node-labels", "value": labels }));
    registration["kubeletExtraArgs"] = json!(arguments);
    registration
}

/// Files and commands that IEC's plan has for the host.
fn common(
    subject: &Subject<'_>,
    part: &HostPart,
    kubelet: Option<&Value>,
    description: &mut Description<'_>,
) -> Map<String, Value> {
    let mut files = Vec::new();
    for (step, file, text) in part.texts() {
        let wanted = match step.phase {
            Phase::System => !file.path.starts_with("/etc/apt/"),
            Phase::Kubernetes => file.path.starts_with(PATCHES),
            _ => false,
        };
        if wanted {
            files.push(json!({
                "path": file.path, "owner": "root:root", "permissions": format!("{:04o}", file.mode), "content": text,
            }));
            note_differences(subject, part, &file.path, text, description);
        }
    }
    if let Some(kubelet) = kubelet {
        // kubeadm has no other way to the kubelet's common configuration in Cluster API.
        let mut kubelet = kubelet.clone();
        without(&mut kubelet, &["apiVersion", "kind"]);
        files.push(json!({
            "path": format!("{PATCHES}/kubeletconfiguration1+strategic.yaml"),
            "owner": "root:root",
            "permissions": "0644",
            "content": crate::plan::document::documents(&[kubelet]),
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
    spec
}

/// Says which hosts would have another text in a file, where one text has to do for a group.
fn note_differences(
    subject: &Subject<'_>,
    first: &HostPart,
    path: &str,
    text: &str,
    description: &mut Description<'_>,
) {
    let others = parts(subject, first.role);
    let differing: Vec<&str> = others
        .iter()
        .filter(|part| text_at(part, path) != Some(text))
        .map(|part| part.host.as_str())
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
            "Calico is not in these files: its manifest is in the bundle, and there was none; iec bundle build makes one",
        );
    }
    manifest.map(|(.., text)| text)
}
