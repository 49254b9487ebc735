#!/bin/sh
# The bare limit of the main job: the shortest script that makes the same cluster of the same content over SSH.
# No checks, no journal, no lock, no undo, no second run. What `iec apply` takes longer than this is the price of those.
#
# usage: [CONTROL_PLANES=N] bare.sh CONTENT IDENTITY KNOWN_HOSTS CIPHER CONTROL_PLANE [HOST…]
#
# The first N hosts are control planes, 1 unless it is set; the others are workers.
# CONTENT/control-plane and CONTENT/worker are trees as they belong on a host of that role, with the images as an OCI
# layout in /var/tmp/images; CONTENT/versions says which Kubernetes, etcd and CoreDNS they hold.
set -eu
content=$1 identity=$2 known_hosts=$3 cipher=$4
shift 4
control_plane=$1
control_planes=${CONTROL_PLANES:-1}
token=abcdef.0123456789abcdef
certificate_key=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
endpoint=$control_plane:6443 upload=
if [ "$control_planes" -gt 1 ]; then endpoint=api.bench:6443 upload=--upload-certs; fi
kubernetes='' etcd='' coredns=''
# shellcheck source=/dev/null
. "$content/versions"

# What the time went to, for the benchmark.
mark() {
    echo "mark $(date +%s.%N) $1"
}

on() {
    address=$1
    shift
    ssh -F none -i "$identity" -o IdentitiesOnly=yes -o BatchMode=yes -o "UserKnownHostsFile=$known_hosts" \
        -c "$cipher" "edge@$address" "$@"
}

prepare() {
    tar -C "$content/$1" -c . | on "$2" sudo tar -x -C / --no-same-owner --no-overwrite-dir
    [ "$control_planes" -eq 1 ] || on "$2" "echo $control_plane api.bench | sudo tee -a /etc/hosts" >/dev/null
    mark sent
    on "$2" sudo sh -eu -s <<'HOST'
echo 1 >/proc/sys/net/ipv4/ip_forward
systemd=false
[ ! -f /sys/fs/cgroup/cgroup.controllers ] || systemd=true
mkdir -p /etc/containerd /etc/systemd/system/kubelet.service.d
cat >/etc/containerd/config.toml <<END
version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "$(cat /var/tmp/pause)"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "/usr/local/sbin/runc"
SystemdCgroup = $systemd
END
cat >/etc/systemd/system/containerd.service <<'END'
[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
[Install]
WantedBy=multi-user.target
END
cat >/etc/systemd/system/kubelet.service <<'END'
[Unit]
After=containerd.service
[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=/usr/local/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS
Restart=always
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --quiet --now containerd
systemctl enable --quiet kubelet
tar -C /var/tmp/images -c . | ctr -n k8s.io images import - >/dev/null
HOST
}

# All of them must have succeeded.
await() {
    for process; do wait "$process"; done
}

mark begun
processes='' number=0
for host; do
    number=$((number + 1)) role=worker
    [ "$number" -gt "$control_planes" ] || role=control-plane
    prepare $role "$host" &
    processes="$processes $!"
done
# shellcheck disable=SC2086 # a list of numbers
await $processes
mark prepared

on "$control_plane" sudo sh -eu -s <<HOST
driver=cgroupfs
[ ! -f /sys/fs/cgroup/cgroup.controllers ] || driver=systemd
cat >/var/tmp/kubeadm.yaml <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens: [{token: $token}]
$([ -z "$upload" ] || echo "certificateKey: $certificate_key")
localAPIEndpoint: {advertiseAddress: $control_plane}
nodeRegistration: {criSocket: "unix:///run/containerd/containerd.sock", ignorePreflightErrors: [SystemVerification]}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: $kubernetes
controlPlaneEndpoint: $endpoint
encryptionAlgorithm: ECDSA-P256
networking: {podSubnet: 192.168.0.0/16, serviceSubnet: 172.16.1.0/24}
etcd: {local: {imageTag: $etcd}}
dns: {imageTag: $coredns}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: \$driver
failCgroupV1: false
evictionHard: {nodefs.available: 1Gi, imagefs.available: 1Gi, memory.available: 100Mi}
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
conntrack: {maxPerCore: 0, min: 0}
END
kubeadm init --config /var/tmp/kubeadm.yaml $upload --skip-token-print >/dev/null
[ $# -gt 1 ] || kubectl --kubeconfig /etc/kubernetes/admin.conf taint nodes --all node-role.kubernetes.io/control-plane-
sed '/CALICO_IPV4POOL_VXLAN/{n;s/CrossSubnet/Always/}' /var/tmp/calico.yaml |
    kubectl --kubeconfig /etc/kubernetes/admin.conf create -f - >/dev/null
HOST
mark initialised

# Joins a host, as a control plane where the words of its configuration for that are given.
join() {
    on "$1" sudo sh -eu -s <<HOST
cat >/var/tmp/kubeadm.yaml <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery: {bootstrapToken: {apiServerEndpoint: "$endpoint", token: $token, unsafeSkipCAVerification: true}}
nodeRegistration: {criSocket: "unix:///run/containerd/containerd.sock", ignorePreflightErrors: [SystemVerification]}
$2
END
kubeadm join --config /var/tmp/kubeadm.yaml >/dev/null
HOST
}

shift
processes='' number=1
for host; do
    number=$((number + 1))
    if [ "$number" -le "$control_planes" ]; then
        # One after the other: each is a new member of etcd.
        join "$host" "controlPlane: {localAPIEndpoint: {advertiseAddress: $host}, certificateKey: $certificate_key}"
    else
        join "$host" "" &
        processes="$processes $!"
    fi
done
# shellcheck disable=SC2086 # a list of numbers
await $processes
if [ "$control_planes" -gt 1 ]; then
    on "$control_plane" sudo kubectl --kubeconfig /etc/kubernetes/admin.conf \
        taint nodes --all node-role.kubernetes.io/control-plane- >/dev/null
fi
mark joined
