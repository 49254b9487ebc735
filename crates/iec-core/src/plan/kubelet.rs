//! The kubelet's unit, as upstream's packages have it.

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
pub(super) const DROP_IN: &str = r#"# Written by IEC.
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"#;
