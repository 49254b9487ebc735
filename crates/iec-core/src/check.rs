//! The checks of a verification: id, code, words, and what to do when one fails. Reports and `iec explain` read this table.

use crate::explain::Explanation;
use crate::report::{Failure, Outcome, Row, Scope};

/// One kind of check. A report has a row for each of its subjects.
#[derive(Debug)]
pub struct Check {
    /// The stable id of its rows, such as `node.ready`.
    pub id: &'static str,
    /// The stable code of its failures.
    pub code: &'static str,
    /// The check in words, true when it passes.
    pub title: &'static str,
    /// The next thing to do when it fails.
    pub next: &'static str,
    /// What it looks at and why it matters, for the manual and `iec explain`.
    pub about: &'static str,
    /// Whether a cluster that was just installed may need a moment until it passes.
    pub settles: bool,
}

impl Check {
    /// The check with this row id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|check| check.id == id)
    }

    /// A row with any outcome; its time is set by whoever measured it.
    #[must_use]
    pub fn row(&self, scope: Scope, outcome: Outcome) -> Row {
        Row {
            id: self.id.into(),
            title: self.title.into(),
            scope,
            outcome,
            note: None,
            seconds: 0.0,
        }
    }

    /// A row that passed.
    #[must_use]
    pub fn passed(&self, scope: Scope) -> Row {
        self.row(scope, Outcome::Passed)
    }

    /// A row that failed.
    #[must_use]
    pub fn failed(
        &self,
        scope: Scope,
        expected: impl Into<String>,
        found: impl Into<String>,
        evidence: Vec<String>,
    ) -> Row {
        let failure = Failure {
            code: self.code.into(),
            expected: expected.into(),
            found: found.into(),
            evidence,
            next: self.next.into(),
        };
        self.row(scope, Outcome::Failed(failure))
    }

    /// A row that compares two texts.
    #[must_use]
    pub fn compare(&self, scope: Scope, expected: &str, found: &str, evidence: Vec<String>) -> Row {
        if expected == found {
            self.passed(scope)
        } else {
            self.failed(scope, expected, found, evidence)
        }
    }

    /// A row about something that could not be exercised.
    #[must_use]
    pub fn could_not_tell(&self, scope: Scope, reason: impl Into<String>) -> Row {
        self.row(
            scope,
            Outcome::CouldNotTell {
                reason: reason.into(),
            },
        )
    }

    /// A row about something that this site does not have.
    #[must_use]
    pub fn not_applicable(&self, scope: Scope, reason: impl Into<String>) -> Row {
        self.row(
            scope,
            Outcome::NotApplicable {
                reason: reason.into(),
            },
        )
    }
}

/// Where a row stands in a report: checks in the order of [`ALL`], subjects of one check by their names.
#[must_use]
pub fn reading_order(row: &Row) -> (usize, Scope) {
    let position = ALL
        .iter()
        .position(|check| check.id == row.id)
        .unwrap_or(ALL.len());
    (position, row.scope.clone())
}

macro_rules! checks {
    ($($name:ident = $id:literal, $code:literal, settles: $settles:literal, $title:literal, next: $next:literal, about: $about:literal;)+) => {
        $(
            #[doc = $about]
            pub static $name: Check = Check {
                id: $id, code: $code, title: $title, next: $next, about: $about, settles: $settles,
            };
        )+

        /// Every check, in the order in which a report lists them.
        pub static ALL: [&Check; [$($id),+].len()] = [$(&$name),+];

        /// What the code of each check means.
        pub(crate) const EXPLANATIONS: &[Explanation] = &[$(Explanation {
            code: $code,
            title: concat!("the row `", $id, "` failed: “", $title, "” does not hold"),
            cause: $about,
            action: $next,
            example: "",
        }),+];
    };
}

checks! {
    HOST_CERTIFICATES = "host.certificates", "IEC5012", settles: false,
        "the certificates on the host are valid for another fortnight at least",
        next: "For those of Calico's etcd run `iec apply`, which issues them anew in time. For kubeadm's: `kubeadm certs renew all` on that host, then restart its static pods. The kubelet renews its own while it can reach the API server.",
        about: "Every certificate that Kubernetes, etcd and Calico use on the host is read for its last day: kubeadm's, those of Calico's own etcd, and the kubelet's. They last one year, authorities ten.";
    CALICO_PACKET_SIZE = "calico.packet-size", "IEC5020", settles: false,
        "the links of pods have the packet size that the site asks for",
        next: "Run `iec apply`, which gives it to Calico; then restart the pods that were there before: `kubectl get pods -A -o wide` shows them by host, and `kubectl rollout restart` their Deployment or DaemonSet.",
        about: "The MTU of the tunnel and of each pod's link on the host is the `mtu` of Calico in the site file, else what the least of the hosts' interfaces leaves. A link keeps the one that it was made with: larger packets than the network takes are lost without a word.";
    PROXY_MODE = "proxy.mode", "IEC5021", settles: false,
        "kube-proxy on the host works in the mode that the site asks for",
        next: "Run `iec apply`, which gives kube-proxy its configuration and starts it anew; its log says why it has taken another mode: `kubectl -n kube-system logs -l k8s-app=kube-proxy`.",
        about: "kube-proxy is asked on the host itself (`http://127.0.0.1:10249/proxyMode`): its configuration in the cluster says only what it would take when it starts.";
    VIRTUAL_ADDRESS_HOLDER = "virtual-address.holder", "IEC5022", settles: false,
        "one control plane has the virtual address",
        next: "Where none has it: no API server answers its own host, or keepalived does not run; see `kubectl -n kube-system get pods -l component=keepalived`. Where several have it: see that the control planes reach each other by IP protocol 112 (VRRP).",
        about: "With `controlPlane.virtualAddress`: each host is asked which addresses it has. Exactly one control plane has the virtual one, and no worker.";
    API_READY = "api.ready", "IEC5101", settles: true,
        "the API server answers and says that it is ready",
        next: "On that control plane, see `crictl ps -a --name kube-apiserver` and `journalctl -u kubelet`; then run `iec verify` again.",
        about: "Every control plane's API server is asked at its own address for `/readyz`, with the operator's credentials and the certificate checked against the cluster's CA.";
    API_CERTIFICATE = "api.certificate", "IEC5102", settles: false,
        "the API server's certificate is valid for another fortnight at least",
        next: "Renew the control plane's certificates on that host: `kubeadm certs renew all`, then restart its static pods.",
        about: "The certificate that the API server shows, checked against the cluster's CA and read for its last day. kubeadm's certificates last one year.";
    API_ACCESS = "api.access", "IEC5103", settles: false,
        "the API server accepts the operator's credentials",
        next: "Fetch /etc/kubernetes/admin.conf from a control plane again, or run `iec apply`, which writes it.",
        about: "The list of nodes is asked for with the kubeconfig's credentials. An answer of 401 or 403 means that they have expired or belong to another cluster.";
    NODE_SET = "node.set", "IEC5104", settles: false,
        "the cluster has the declared nodes and no others",
        next: "For a missing node run `iec apply`; an undeclared one belongs into the site file, or out of the cluster with `kubectl delete node`.",
        about: "The names of the cluster's nodes are compared with the hosts of the site file.";
    NODE_READY = "node.ready", "IEC5105", settles: true,
        "the node is Ready and takes new pods",
        next: "See `kubectl describe node` and, on the host, `systemctl status kubelet containerd`; a cordoned node returns with `kubectl uncordon`.",
        about: "The kubelet reports to the API server, the container runtime and the pod network answer it, and nobody has cordoned the node.";
    NODE_ROLE = "node.role", "IEC5106", settles: true,
        "the node has the declared role",
        next: "Run `iec plan` to see the difference; a role changes by resetting the host and adding it again.",
        about: "Control planes, and they only, carry the label `node-role.kubernetes.io/control-plane`.";
    NODE_LABELS = "node.labels", "IEC5107", settles: true,
        "the node has the declared labels",
        next: "Run `iec apply`, which sets them.",
        about: "Every label that the site file declares is on the node with that value. Labels of others are left alone.";
    NODE_TAINTS = "node.taints", "IEC5108", settles: true,
        "the node has the declared taints and no others",
        next: "Run `iec apply`, which sets them; a taint that should stay belongs into the site file.",
        about: "The taints of the node equal the declared ones, with the control-plane taint unless `schedulable` is set. Those that Kubernetes sets by itself (`node.kubernetes.io/…`) are judged by `node.ready` and `node.pressure`.";
    NODE_ADDRESS = "node.address", "IEC5109", settles: false,
        "the node's address is the declared one",
        next: "Compare `nodeAddress` in the site file with the kubelet's `--node-ip` on that host, then run `iec apply`.",
        about: "The node's InternalIP equals the host's nodeAddress. A kubelet that picked another interface breaks Calico, logs and exec in ways that are hard to see.";
    NODE_KUBELET = "node.kubelet", "IEC5110", settles: false,
        "the kubelet has the release's version",
        next: "Run `iec plan` to see which host differs, then `iec apply`.",
        about: "The version that the kubelet reports equals the release's Kubernetes version.";
    NODE_RUNTIME = "node.runtime", "IEC5111", settles: false,
        "the container runtime has the release's version",
        next: "Run `iec plan` to see which host differs, then `iec apply`.",
        about: "The runtime that the kubelet talks to is containerd in the release's version.";
    NODE_PRESSURE = "node.pressure", "IEC5112", settles: true,
        "the node has memory, disk and process ids left, and its network is up",
        next: "Free what the condition names on that host; `kubectl describe node` shows the thresholds.",
        about: "None of the conditions MemoryPressure, DiskPressure, PIDPressure and NetworkUnavailable holds.";
    NODE_ARCHITECTURE = "node.architecture", "IEC5113", settles: false,
        "the node's programs are made for the host's own processor",
        next: "See `uname -m` on that host and `file /usr/local/bin/kubelet`; then run `iec apply`, which brings programs and images for the processor that it finds.",
        about: "The architecture that the running kubelet reports equals that of the host's kernel, asked a moment before. The row's note names it, for each host of a site whose hosts differ.";
    API_OWN = "api.own", "IEC5114", settles: false,
        "the API server of the control plane answers at its own address",
        next: "See the log of kube-apiserver in `/var/log/pods/kube-system_kube-apiserver-*` on that host, and the row on its etcd.",
        about: "Under the endpoint's name any control plane may answer: each is asked by itself, on its host, whether its API server is ready.";
    API_VIRTUAL_ADDRESS = "api.virtual-address", "IEC5121", settles: true,
        "the API server answers at the virtual address",
        next: "See the row `virtual-address.holder`. A certificate for other names is issued anew by `iec apply`.",
        about: "With `controlPlane.virtualAddress`: `/readyz` is asked for at it, by the operator's machine, and the certificate must be the cluster's and be valid for this very address.";
    CONTROL_PLANE_PODS = "control-plane.pods", "IEC5201", settles: true,
        "etcd, API server, controller manager and scheduler run on the control plane",
        next: "On that host, see `crictl ps -a` and `/var/log/pods/kube-system_*` for the one that does not run.",
        about: "The static pods of each control plane exist and are ready: four, Calico's etcd where the site has one, and keepalived where it has a virtual address.";
    CALICO_DAEMONSET = "calico.daemonset", "IEC5202", settles: true,
        "calico-node runs on every node in its present version",
        next: "See `kubectl -n kube-system describe pods -l k8s-app=calico-node` and the log of the one that is not ready.",
        about: "The DaemonSet's desired, updated and ready pods are as many as there are declared nodes, and each declared node has a ready one.";
    CALICO_CONTROLLERS = "calico.controllers", "IEC5203", settles: true,
        "calico-kube-controllers is available",
        next: "See `kubectl -n kube-system describe pods -l k8s-app=calico-kube-controllers`.",
        about: "Calico's controllers tidy up addresses and policies of what is gone; without them addresses leak.";
    CALICO_ADDRESS = "calico.address", "IEC5204", settles: true,
        "Calico uses the node's declared address",
        next: "Compare `cni.calico.nodeAddress` in the site file with the host's interfaces, then run `iec apply`.",
        about: "Calico's address of the node (the annotation `projectcalico.org/IPv4Address`, or its data in an etcd of its own) equals its nodeAddress, and with VXLAN the node has a tunnel address.";
    CALICO_POOL = "calico.pool", "IEC5205", settles: true,
        "Calico's address pool is the declared pod network",
        next: "Compare `network.pods` and `cni.calico` in the site file with `kubectl get ippools.crd.projectcalico.org -o yaml`; with an etcd of Calico's own, the row itself has what is there.",
        about: "There is one enabled IPv4 pool, with the site's pod network, encapsulation and block size.";
    PROXY_DAEMONSET = "proxy.daemonset", "IEC5206", settles: true,
        "kube-proxy runs on every node in its present version",
        next: "See `kubectl -n kube-system describe pods -l k8s-app=kube-proxy` and the log of the one that is not ready.",
        about: "The DaemonSet's desired, updated and ready pods are as many as there are declared nodes, and each declared node has a ready one.";
    DNS_DEPLOYMENT = "dns.deployment", "IEC5207", settles: true,
        "CoreDNS runs with all its replicas",
        next: "See `kubectl -n kube-system describe deployment coredns`; with 0 replicas: `kubectl -n kube-system scale deployment coredns --replicas=2`.",
        about: "The Deployment asks for at least one replica, and all it asks for are updated and available.";
    DNS_ENDPOINTS = "dns.endpoints", "IEC5208", settles: true,
        "the DNS service has ready endpoints",
        next: "See `kubectl -n kube-system get endpointslices -l kubernetes.io/service-name=kube-dns` and the CoreDNS pods.",
        about: "The service `kube-dns` leads to at least one ready CoreDNS pod.";
    SYSTEM_PODS = "system.pods", "IEC5209", settles: true,
        "all system pods are ready",
        next: "See `kubectl -n kube-system describe pod` for each pod that the evidence names.",
        about: "Every pod of the namespace kube-system is ready or has completed. Restarts are noted, they do not fail the row.";
    CALICO_FELIX = "calico.felix", "IEC5210", settles: false,
        "Felix has the settings that the site decides",
        next: "Run `iec plan`, which names each field that differs, then `iec apply`.",
        about: "Each setting of `cni.calico.felix`, and `wireguard`, is what Calico's FelixConfiguration `default` has. What the site does not set is not looked at.";
    DNS_SETTINGS = "dns.settings", "IEC5211", settles: false,
        "the cluster's DNS is as the site decides",
        next: "Run `iec plan`, which names each field that differs, then `iec apply`. CoreDNS reads another Corefile within a minute and a half.",
        about: "Where the site sets `network.dns`: CoreDNS' Corefile has its name servers and zones, and its Deployment the number of replicas. Else all of it is left to whoever runs the cluster.";
    HELM_RELEASES = "helm.releases", "IEC5220", settles: true,
        "the Helm releases of the site are deployed and whole",
        next: "See `helm status NAME -n NAMESPACE` and `kubectl describe` for what the evidence names; `iec apply` makes again what is gone.",
        about: "For each release of the site file the newest revision that Helm keeps is `deployed`, each object of its manifest exists, and its Deployments, StatefulSets and DaemonSets have all their pods ready. A site without releases has no such row.";
    ETCD_MEMBERS = "etcd.members", "IEC5221", settles: true,
        "etcd's members are the control planes, and each has a vote",
        next: "Run `iec apply`: it lets a control plane join that is no member. One that is no host of the site any more leaves with `state: absent, unreachable: true`.",
        about: "One member tells all that it knows: each control plane is a voter, none still learns, and nobody else is among them. The row's note has how many answer, and how many more may fail before the cluster stands still.";
    ETCD_VOTER = "etcd.voter", "IEC5222", settles: true,
        "etcd on the control plane follows a leader, votes, and has no alarm",
        next: "See the log of etcd in `/var/log/pods/kube-system_etcd-*`, and whether the other control planes reach 2380/tcp of that host. With NOSPACE its data are full: `etcdctl defrag`, then `etcdctl alarm disarm`.",
        about: "The etcd of each control plane is asked about itself: whether it follows a leader and has a vote, its alarms, and how far it is behind the others. The row's note has the size of its data.";
    ETCD_PEERS = "etcd.peers", "IEC5223", settles: false,
        "etcd on the control plane reaches the others, and its disk keeps up",
        next: "Let 2380/tcp pass between the control planes in both directions; `ss -tn state established '( dport = :2380 )'` shows who is connected. A slow disk needs to be a faster one, or less of other work.",
        about: "Each control plane asks the etcd of each other one, as a member does (port 2380, by the certificates of members), and its own in which time 99 of 100 writes were on the disk. Two members that do not reach each other go on by the third, until that one is lost.";
    CONTROLLER_LEASES = "control-plane.leases", "IEC5224", settles: true,
        "of the controller managers and of the schedulers one each is at work",
        next: "See the log of the component on the control plane that holds the lease: `kubectl -n kube-system get leases`, `/var/log/pods/kube-system_kube-controller-manager-*`.",
        about: "Each control plane has a controller manager and a scheduler, of which one is at work: it holds a lease, and renews it every two seconds. Where nobody does, pods stay pending and nothing is made again that is lost.";
    CALICO_ETCD_MEMBERS = "calico.etcd-members", "IEC5225", settles: true,
        "the members of Calico's own etcd are the control planes, and each has a vote",
        next: "Run `iec apply`: it lets a control plane join that is no member. One that is no host of the site any more leaves with `state: absent, unreachable: true`.",
        about: "With `datastore: etcd` only. One member tells all that it knows: each control plane is a voter, none still learns, and nobody else is among them. The row's note has how many answer, and how many more may fail before new pods get no address.";
    CALICO_ETCD_VOTER = "calico.etcd-voter", "IEC5226", settles: true,
        "Calico's own etcd on the control plane follows a leader, votes, and has no alarm",
        next: "See its log in `/var/log/pods/kube-system_calico-etcd-*`, and whether the other control planes reach 6667/tcp of that host.",
        about: "With `datastore: etcd` only. The member of each control plane is asked about itself: whether it follows a leader and has a vote, its alarms, and how far it is behind the others.";
    CALICO_ETCD_PEERS = "calico.etcd-peers", "IEC5227", settles: false,
        "Calico's own etcd on the control plane reaches the others",
        next: "Let 6667/tcp pass between the control planes in both directions.",
        about: "With `datastore: etcd` only. Each control plane asks the member of each other one, as a member does: on port 6667, by the certificate that only members have.";
    CLEANUP_LEFTOVERS = "cleanup.leftovers", "IEC5301", settles: false,
        "nothing is left of an earlier verification",
        next: "See `kubectl get namespaces -l app.kubernetes.io/managed-by=iec-verify -o yaml` for what holds them.",
        about: "Namespaces of a verification that was killed are removed before the new one begins. One that is in use by a running verification is left alone and noted.";
    WORKLOAD_NAMESPACE = "workload.namespace", "IEC5302", settles: false,
        "a new namespace is filled by the controllers",
        next: "See the log of kube-controller-manager on a control plane.",
        about: "A namespace is made, and the controller manager puts a service account and the cluster's CA into it. No pod can start without them.";
    WORKLOAD_PROBE = "workload.probe", "IEC5303", settles: false,
        "an nginx pod starts on the node",
        next: "See the evidence; if the image is missing on the host, `iec apply` imports it again.",
        about: "A DaemonSet of the bundle's nginx image puts one pod on every node. These pods are the clients and the targets of the network rows.";
    WORKLOAD_REPLICAS = "workload.replicas", "IEC5304", settles: false,
        "two replicas of nginx run",
        next: "See the evidence, and `kubectl describe nodes` for what keeps pods away.",
        about: "The founding page's own proof: a ReplicationController with two replicas of nginx and a Service of type NodePort.";
    WORKLOAD_SPREAD = "workload.spread", "IEC5305", settles: false,
        "the two replicas run on different nodes",
        next: "See `kubectl describe nodes` for what keeps pods away from the other nodes.",
        about: "An anti-affinity puts the replicas on different nodes wherever the site has two that take workloads, and on nodes of different architectures wherever it has those.";
    SERVICE_CLUSTER_IP = "service.cluster-ip", "IEC5401", settles: false,
        "nginx answers the host through its ClusterIP",
        next: "Where pod.pair fails too, mend that first; else see kube-proxy's log on that host and its rules (`iptables-save -t nat | grep KUBE-SERVICES`).",
        about: "Each host fetches nginx's page through the service's ClusterIP, several times, so that both replicas get a chance.";
    SERVICE_NODE_PORT = "service.node-port", "IEC5402", settles: false,
        "nginx answers the host through a node's NodePort",
        next: "Where pod.pair fails too, mend that first; else see kube-proxy's log on the node, and firewalls between the two hosts for TCP 30000-32767.",
        about: "Each host fetches nginx's page through the NodePort of every node, its own included, several times.";
    SERVICE_FROM_POD = "service.from-pod", "IEC5403", settles: false,
        "nginx answers a pod through its ClusterIP",
        next: "Where pod.pair fails too, mend that first; else see kube-proxy's log on that node and its rules (`iptables-save -t nat | grep KUBE-SERVICES`).",
        about: "A pod on each node fetches nginx's page through the service's ClusterIP, several times.";
    SERVICE_REPLICAS = "service.replicas", "IEC5404", settles: false,
        "both replicas answer through the service",
        next: "See `kubectl get endpointslices` for the service of a test deployment of your own, and the path to the node of the silent replica.",
        about: "Over all answers that came through the service, each of the two replicas is named at least once: the load is spread.";
    DNS_NAME = "dns.name", "IEC5405", settles: false,
        "nginx answers a pod by its DNS name",
        next: "See the rows `dns.deployment`, `dns.endpoints` and `pod.pair`, and the log of CoreDNS.",
        about: "A pod on each node fetches nginx's page by the service's name, several times, so that every CoreDNS replica gets a chance.";
    POD_PAIR = "pod.pair", "IEC5406", settles: false,
        "a pod on one node reaches a pod on another, with small and with large packets",
        next: "See that UDP 4789 (VXLAN) passes between the two hosts in both directions, and the MTU of the path between them.",
        about: "For every ordered pair of nodes, a pod fetches nginx's page and a file of 64 KiB from a pod on the other node. The file fills whole packets, so a path that drops them is found.";
    API_FROM_POD = "api.from-pod", "IEC5407", settles: false,
        "a pod reaches the API server through its service",
        next: "On that node, see kube-proxy's log, and that the host reaches the control planes' port 6443.",
        about: "A pod on each node asks the service `kubernetes` for `/readyz`, with the certificate checked against the cluster's CA.";
    SERVICE_UNASSIGNED = "service.unassigned", "IEC5408", settles: false,
        "a host that asks an address which no service has is refused at once",
        next: "See `systemctl status iec-service-network` on the host, and `nft list table ip iec_service_network`; `iec apply` sets the guard again.",
        about: "Each host asks the last address of the service network, which no service ever gets. Without the guard of the service network what goes there leaves by the default route, and somebody else may answer it.";
    SERVICE_UNASSIGNED_FROM_POD = "service.unassigned-from-pod", "IEC5409", settles: false,
        "nobody answers a pod at an address which no service has",
        next: "See `ip rule show` on the node, which should lead the service network nowhere at 101; `iec apply` sets the guard again.",
        about: "A pod on each node asks the last address of the service network, which no service ever gets. Without the guard of the service network what goes there leaves by the default route, and somebody else may answer it.";
    POLICY_OPEN = "policy.open", "IEC5501", settles: false,
        "without a policy, nginx answers a pod",
        next: "See the rows `pod.pair`; a policy of the site that selects all namespaces also has this effect.",
        about: "Before a NetworkPolicy is made, a client on the same node and one on another node reach the replica. Only then can blocking prove anything.";
    POLICY_DENY = "policy.deny", "IEC5502", settles: false,
        "a NetworkPolicy that denies all blocks nginx",
        next: "See calico-node's log (Felix) on the replica's node.",
        about: "A policy that denies all ingress is made; within the deadline both clients must be blocked.";
    POLICY_SELECT = "policy.select", "IEC5503", settles: false,
        "a NetworkPolicy that allows by label keeps others out",
        next: "See calico-node's log (Felix) on the replica's node.",
        about: "While the policy already lets a labelled client through, a client without the label stays blocked.";
    POLICY_ALLOW = "policy.allow", "IEC5504", settles: false,
        "a NetworkPolicy that allows by label lets a pod through again",
        next: "See calico-node's log (Felix) on the replica's node.",
        about: "A policy that allows clients with a label is added; once labelled, each client must reach the replica again.";
    CLEANUP_NAMESPACE = "cleanup.namespace", "IEC5601", settles: false,
        "everything that the verification made is removed",
        next: "See the evidence; the next `iec verify` removes what is left once its cause is gone.",
        about: "The namespace of the verification is deleted and waited for, also after failures and when it was stopped.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_and_codes_are_unique_and_well_formed() {
        let ids: BTreeSet<&str> = ALL.iter().map(|check| check.id).collect();
        let codes: BTreeSet<&str> = ALL.iter().map(|check| check.code).collect();
        assert_eq!((ids.len(), codes.len()), (ALL.len(), ALL.len()));
        for check in ALL {
            assert!(
                check.code.len() == 7 && check.code.starts_with("IEC5"),
                "{}",
                check.code
            );
            assert!(
                !check.title.is_empty() && !check.title.ends_with('.'),
                "{}",
                check.id
            );
            assert!(!check.next.is_empty() && !check.about.is_empty(), "{}", check.id);
        }
    }

    #[test]
    fn every_check_is_explained_by_its_own_words() {
        for check in ALL {
            let explanation = crate::explain::explain(check.code).expect("an explanation");
            assert!(explanation.title.contains(check.title), "{}", check.id);
            assert_eq!((explanation.cause, explanation.action), (check.about, check.next));
        }
    }

    #[test]
    fn rows_sort_as_the_checks_are_listed_and_strangers_last() {
        let mut rows = [
            Row {
                id: "unheard.of".into(),
                ..API_READY.passed(Scope::Cluster)
            },
            CLEANUP_NAMESPACE.passed(Scope::Cluster),
            NODE_READY.passed(Scope::host("edge-2")),
            NODE_READY.passed(Scope::host("edge-1")),
        ];
        rows.sort_by_key(reading_order);
        let order: Vec<String> = rows
            .iter()
            .map(|row| format!("{} {}", row.id, row.scope))
            .collect();
        assert_eq!(
            order,
            [
                "node.ready edge-1",
                "node.ready edge-2",
                "cleanup.namespace cluster",
                "unheard.of cluster"
            ]
        );
    }

    #[test]
    fn compare_passes_only_what_is_equal() {
        assert_eq!(
            NODE_KUBELET.compare(Scope::Cluster, "a", "a", vec![]).outcome,
            Outcome::Passed
        );
        let row = NODE_KUBELET.compare(Scope::Cluster, "a", "b", vec!["seen".into()]);
        let Outcome::Failed(failure) = row.outcome else {
            panic!("{row:?}")
        };
        assert_eq!(
            (
                failure.code.as_str(),
                failure.expected.as_str(),
                failure.found.as_str()
            ),
            ("IEC5110", "a", "b")
        );
    }
}
