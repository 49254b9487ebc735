//! The objects that a verification makes: pure, so that tests can read what would be sent.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ReplicationController, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::expected::Expected;

/// The label by which everything of a verification is found, and its value.
pub(crate) const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "iec-verify");
/// What the name of every verification's namespace begins with.
const NAMESPACE_PREFIX: &str = "iec-verify-";
/// The replication controller and the service of the founding page's proof.
pub(crate) const NGINX: &str = "nginx";
/// How many replicas the proof has.
pub(crate) const REPLICAS: usize = 2;
/// The DaemonSet of one client pod a node.
pub(crate) const PROBE: &str = "probe";
/// The lease that says that a verification is at work in its namespace.
pub(crate) const LEASE: &str = "iec-verify";
/// How long a lease holds without being renewed, in seconds, on hosts of ordinary speed.
pub(crate) const LEASE_SECONDS: i32 = 15;
/// The label that the allowing policy asks for, and its value.
pub(crate) const ALLOWED: (&str, &str) = ("iec.dev/verify-client", "allowed");
/// The port on which every nginx also serves [`LARGE_FILE_BYTES`] under `/large`.
pub(crate) const LARGE_FILE_PORT: u16 = 8080;
/// More than forty full packets at any usual MTU.
pub(crate) const LARGE_FILE_BYTES: usize = 64 * 1024;
/// The response header in which nginx says which pod answers.
pub(crate) const SERVED_BY: &str = "X-Iec-Served-By";
/// Where the probe script is in every pod.
pub(crate) const PROBE_SCRIPT: &str = "/iec-verify/probe.sh";

const CONFIGURATION: &str = "iec-verify";

/// Which nginx image the proof uses, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The full reference, as the runtime knows it. The image holds nginx, its default page in
    /// `/usr/share/nginx/html`, curl and a shell.
    pub reference: String,
    /// Whether the runtime may pull it; otherwise it must be on every host already.
    pub may_pull: bool,
}

/// A name for the namespace of a new verification, known before anything is made.
pub(crate) fn namespace_name() -> String {
    let mut number = RandomState::new().build_hasher().finish();
    let mut name = NAMESPACE_PREFIX.to_owned();
    for _ in 0..8 {
        let digit = u32::try_from(number % 36).expect("less than 36");
        name.push(char::from_digit(digit, 36).expect("a digit of base 36"));
        number /= 36;
    }
    name
}

/// The namespace. It says which pod security it needs, for clusters that enforce one by default.
pub(crate) fn namespace(name: &str) -> Namespace {
    typed(json!({
        "metadata": {
            "name": name,
            "labels": labels(&json!({"pod-security.kubernetes.io/enforce": "baseline"})),
        },
    }))
}

/// The lease of a verification that holds for so many seconds from `now` on, in the API server's time.
pub(crate) fn lease(holder: &str, seconds: i32, now: Timestamp) -> Lease {
    typed(json!({
        "metadata": {"name": LEASE, "labels": labels(&json!({}))},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            // Kubernetes wants exactly six digits after the point.
            "renewTime": format!("{now:.6}"),
        },
    }))
}

/// What every nginx serves beyond its own page, and the script with which pods fetch.
pub(crate) fn configuration() -> ConfigMap {
    let line = "IEC verifies that packets of full size pass between the hosts.\n";
    let mut large = line.repeat(LARGE_FILE_BYTES / line.len() + 1);
    large.truncate(LARGE_FILE_BYTES);
    typed(json!({
        "metadata": {"name": CONFIGURATION, "labels": labels(&json!({}))},
        "data": {
            "nginx.conf": nginx_configuration(),
            "large": large,
            "probe.sh": include_str!("probe.sh"),
        },
    }))
}

/// nginx's configuration: its own page from where every nginx image has it, the pod's name in a header, and the
/// large file. It runs as root because images differ in which other user they have.
fn nginx_configuration() -> String {
    format!(
        "user root;
pid /run/nginx.pid;
error_log /dev/stderr warn;
events {{}}
http {{
    access_log off;
    add_header {SERVED_BY} $hostname always;
    server {{
        listen 80;
        root /usr/share/nginx/html;
    }}
    server {{
        listen {LARGE_FILE_PORT};
        location = /large {{ alias /iec-verify/large; }}
    }}
}}
"
    )
}

/// How the two replicas of nginx must lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Anywhere: one node takes workloads.
    Free,
    /// On different nodes.
    Nodes,
    /// On nodes of different architectures, as far as the site's workload nodes have two.
    Architectures,
}

impl Spread {
    /// As far apart as the site lets them be.
    pub(crate) fn of(expected: &Expected) -> Self {
        if expected.workload_architectures().len() >= REPLICAS {
            Self::Architectures
        } else if expected.workload_nodes() >= REPLICAS {
            Self::Nodes
        } else {
            Self::Free
        }
    }

    const fn topology_key(self) -> Option<&'static str> {
        match self {
            Self::Free => None,
            Self::Nodes => Some("kubernetes.io/hostname"),
            Self::Architectures => Some("kubernetes.io/arch"),
        }
    }
}

/// The founding page's ReplicationController: two replicas of nginx.
///
/// It is a ReplicationController and not a Deployment because that is the proof that the founding page gives, word
/// for word still valid; and it needs one controller instead of two, so it is also the quicker one.
pub(crate) fn replicas(image: &Image, spread: Spread) -> ReplicationController {
    let mut pod = pod_spec(image);
    if let Some(key) = spread.topology_key() {
        pod["affinity"] = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{
            "topologyKey": key,
            "labelSelector": {"matchLabels": {"app": NGINX}},
        }]}});
    }
    typed(json!({
        "metadata": {"name": NGINX, "labels": labels(&json!({}))},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"app": NGINX},
            "template": {"metadata": {"labels": labels(&json!({"app": NGINX}))}, "spec": pod},
        },
    }))
}

/// The founding page's Service.
pub(crate) fn service() -> Service {
    typed(json!({
        "metadata": {"name": NGINX, "labels": labels(&json!({"app": NGINX}))},
        "spec": {
            "type": "NodePort",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            "selector": {"app": NGINX},
        },
    }))
}

/// One nginx pod on every node, whatever its taints: client and target of the network rows.
pub(crate) fn probes(image: &Image) -> DaemonSet {
    let mut pod = pod_spec(image);
    pod["tolerations"] = json!([{"operator": "Exists"}]);
    typed(json!({
        "metadata": {"name": PROBE, "labels": labels(&json!({}))},
        "spec": {
            "selector": {"matchLabels": {"app": PROBE}},
            "template": {"metadata": {"labels": labels(&json!({"app": PROBE}))}, "spec": pod},
        },
    }))
}

/// A policy that lets nothing reach the replicas.
pub(crate) fn deny_policy() -> NetworkPolicy {
    policy("deny-all", &json!([]))
}

/// A policy that lets clients with the label [`ALLOWED`] reach the replicas.
pub(crate) fn allow_policy() -> NetworkPolicy {
    let (key, value) = ALLOWED;
    policy(
        "allow-by-label",
        &json!([{"from": [{"podSelector": {"matchLabels": {key: value}}}]}]),
    )
}

/// The change that gives a pod the label [`ALLOWED`].
pub(crate) fn allowed_label() -> Value {
    let (key, value) = ALLOWED;
    json!({"metadata": {"labels": {key: value}}})
}

fn policy(name: &str, ingress: &Value) -> NetworkPolicy {
    typed(json!({
        "metadata": {"name": name, "labels": labels(&json!({}))},
        "spec": {
            "podSelector": {"matchLabels": {"app": NGINX}},
            "policyTypes": ["Ingress"],
            "ingress": ingress,
        },
    }))
}

/// Every pod is the image's own nginx with a configuration that is known. The grace is short because nothing
/// is lost with these pods, and the namespace is gone sooner.
fn pod_spec(image: &Image) -> Value {
    json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": "nginx",
            "image": image.reference,
            "imagePullPolicy": if image.may_pull { "IfNotPresent" } else { "Never" },
            "ports": [{"containerPort": 80}],
            "readinessProbe": {"httpGet": {"port": 80, "path": "/"}, "periodSeconds": 1, "timeoutSeconds": 5},
            "volumeMounts": [
                {"name": "configuration", "mountPath": "/etc/nginx/nginx.conf", "subPath": "nginx.conf"},
                {"name": "configuration", "mountPath": "/iec-verify"},
                {"name": "ca", "mountPath": "/iec-verify-ca"},
            ],
        }],
        "volumes": [
            {"name": "configuration", "configMap": {"name": CONFIGURATION}},
            {"name": "ca", "configMap": {"name": "kube-root-ca.crt"}},
        ],
    })
}

fn labels(more: &Value) -> Value {
    let mut labels = json!({MANAGED_BY.0: MANAGED_BY.1});
    for (key, value) in more.as_object().into_iter().flatten() {
        labels[key] = value.clone();
    }
    labels
}

fn typed<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the object is written out above and read by tests")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use iec_core::architecture::Architecture;

    use super::*;
    use crate::testing::{expected, expected_single};

    fn image() -> Image {
        Image {
            reference: "docker.io/library/nginx:1.22.1-debian12".into(),
            may_pull: false,
        }
    }

    fn json_of(object: impl serde::Serialize) -> Value {
        serde_json::to_value(object).expect("an object")
    }

    #[test]
    fn namespaces_have_valid_and_different_names() {
        let names: BTreeSet<String> = (0..50).map(|_| namespace_name()).collect();
        assert_eq!(names.len(), 50);
        for name in names {
            let random = name.strip_prefix(NAMESPACE_PREFIX).expect("the prefix");
            assert!(
                random.len() == 8
                    && random
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            );
        }
    }

    #[test]
    fn everything_carries_the_label_by_which_it_is_found() {
        let objects = [
            json_of(namespace("n")),
            json_of(lease("me", 15, Timestamp::UNIX_EPOCH)),
            json_of(configuration()),
            json_of(replicas(&image(), Spread::Nodes)),
            json_of(service()),
            json_of(probes(&image())),
            json_of(deny_policy()),
            json_of(allow_policy()),
        ];
        for object in objects {
            assert_eq!(
                object["metadata"]["labels"][MANAGED_BY.0], MANAGED_BY.1,
                "{object}"
            );
            if let Some(template) = object["spec"].get("template") {
                assert_eq!(
                    template["metadata"]["labels"][MANAGED_BY.0], MANAGED_BY.1,
                    "{object}"
                );
            }
        }
    }

    #[test]
    fn replicas_are_kept_apart_only_where_they_can_be() {
        let spread = json_of(replicas(&image(), Spread::Nodes));
        let rule = &spread["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            [0];
        assert_eq!(rule["labelSelector"]["matchLabels"], spread["spec"]["selector"]);
        assert_eq!(rule["topologyKey"], "kubernetes.io/hostname");
        let apart = json_of(replicas(&image(), Spread::Architectures));
        let rule = &apart["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            [0];
        assert_eq!(rule["topologyKey"], "kubernetes.io/arch");
        let together = json_of(replicas(&image(), Spread::Free));
        assert!(together["spec"]["template"]["spec"].get("affinity").is_none());
        assert_eq!(together["spec"]["replicas"], 2);
    }

    #[test]
    fn nginx_runs_on_both_architectures_of_a_mixed_site() {
        let mut expected = expected();
        assert_eq!(Spread::of(&expected), Spread::Nodes);
        expected.nodes[2].architecture = Some(Architecture::Arm64);
        assert_eq!(Spread::of(&expected), Spread::Architectures);
        // Only a control plane without workloads is of the other.
        expected.nodes[2].architecture = Some(Architecture::Amd64);
        expected.nodes[0].architecture = Some(Architecture::Arm64);
        assert_eq!(Spread::of(&expected), Spread::Nodes);
        assert_eq!(Spread::of(&expected_single()), Spread::Free);
    }

    #[test]
    fn an_image_of_the_bundle_is_never_pulled() {
        let policy = |image: &Image| {
            json_of(probes(image))["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"].clone()
        };
        assert_eq!(policy(&image()), "Never");
        assert_eq!(
            policy(&Image {
                may_pull: true,
                ..image()
            }),
            "IfNotPresent"
        );
    }

    #[test]
    fn probes_run_on_every_node_and_pods_get_no_credentials() {
        let probes = json_of(probes(&image()));
        let pod = &probes["spec"]["template"]["spec"];
        assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
        assert_eq!(pod["automountServiceAccountToken"], false);
    }

    #[test]
    fn the_large_file_has_exactly_its_size() {
        let data = configuration().data.expect("data");
        assert_eq!(data["large"].len(), LARGE_FILE_BYTES);
        assert!(data["nginx.conf"].contains("add_header X-Iec-Served-By $hostname always;"));
        assert!(
            data["nginx.conf"]
                .contains("listen 8080;\n        location = /large { alias /iec-verify/large; }"),
            "{}",
            data["nginx.conf"]
        );
    }

    #[test]
    fn the_two_policies_select_the_replicas_and_differ_in_whom_they_let_in() {
        let (deny, allow) = (json_of(deny_policy()), json_of(allow_policy()));
        for policy in [&deny, &allow] {
            assert_eq!(
                policy["spec"]["podSelector"]["matchLabels"],
                json!({"app": NGINX})
            );
            assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
        }
        assert!(
            deny["spec"]
                .get("ingress")
                .is_none_or(|ingress| *ingress == json!([])),
            "{deny}"
        );
        let label = &allow["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"];
        assert_eq!(*label, allowed_label()["metadata"]["labels"]);
    }

    #[test]
    fn lease_times_have_six_digits() {
        let time: Timestamp = "2026-11-23T18:00:00.5Z".parse().expect("a time");
        let lease = json_of(lease("me", 15, time));
        assert_eq!(lease["spec"]["renewTime"], "2026-11-23T18:00:00.500000Z");
    }
}
