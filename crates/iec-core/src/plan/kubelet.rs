//! The kubelet: its unit, as upstream's packages have it, and its configuration.

use serde_json::{Value, json};

use crate::facts::HostFacts;
use crate::pace::Pace;
use crate::plan::{Inputs, document, kubeadm};
use crate::site::Site;

/// The unit file.
pub(super) const UNIT_FILE: &str = "/etc/systemd/system/kubelet.service";
/// kubeadm's addition to it.
pub(super) const DROP_IN_FILE: &str = "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf";

/// The unit. Without its condition a kubelet that has not joined would restart every ten seconds and burn a core.
pub(super) const UNIT: &str = "\
# Written by IEC.
[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target containerd.service
ConditionPathExists=/var/lib/kubelet/config.yaml

[Service]
ExecStart=/usr/local/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
";

/// kubeadm's addition: where it puts the kubelet's configuration, arguments and credentials.
const DROP_IN: &str = r#"# Written by IEC.
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"#;

/// Where there are several control planes, a kubelet notices in ten seconds that the one it speaks with is gone. By itself
/// it takes 45 (`readIdleTimeoutSeconds` and `pingTimeoutSeconds` of `k8s.io/apimachinery/pkg/util/net`), and after 50 its
/// node counts as lost.
const NOTICES_LOSS: &str = r#"Environment="HTTP2_READ_IDLE_TIMEOUT_SECONDS=5" "HTTP2_PING_TIMEOUT_SECONDS=5"
"#;

/// kubeadm's addition on the hosts of this site.
pub(super) fn drop_in(site: &Site) -> String {
    let mut text = DROP_IN.to_owned();
    if site.control_planes().count() > 1 {
        text.push_str(NOTICES_LOSS);
    }
    text
}

/// The kubelet's configuration. kubeadm writes one when a host joins; from then on it is IEC's.
pub(super) const CONFIGURATION_FILE: &str = "/var/lib/kubelet/config.yaml";

/// The whole configuration of the kubelet on this host: what kubeadm gives every kubelet
/// (`cmd/kubeadm/app/componentconfigs/kubelet.go` and its template of an instance), and what the site asks for.
#[must_use]
pub(super) fn configuration(inputs: &Inputs<'_>, facts: &HostFacts, pace: Pace) -> String {
    let mut value = json!({
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": format!("{}/ca.crt", kubeadm::PKI)},
        },
        "authorization": {"mode": "Webhook"},
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": kubeadm::RUNTIME_SOCKET,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "staticPodPath": "/etc/kubernetes/manifests",
    });
    for part in [
        kubeadm::kubelet_configuration(inputs),
        kubeadm::kubelet_difference(facts, pace),
    ] {
        if let (Some(value), Value::Object(part)) = (value.as_object_mut(), part) {
            value.extend(part);
        }
    }
    document::documents(&[value])
}
