//! Rules about what is already installed: runtimes, other clusters, other sites.

use super::Subject;
use crate::diagnostic::Diagnostics;
use crate::facts::Unit;

/// Packages that bring a container runtime or another part of Kubernetes.
const PACKAGES: [&str; 11] = [
    "containerd",
    "containerd.io",
    "cri-o",
    "cri-tools",
    "docker-ce",
    "docker.io",
    "kubeadm",
    "kubelet",
    "kubernetes-cni",
    "moby-containerd",
    "moby-engine",
];
/// Programs of a container runtime or of Kubernetes that IEC installs, or would compete with.
const PROGRAMS: [&str; 5] = ["containerd", "crio", "dockerd", "kubeadm", "kubelet"];
/// Units of other ways to run Kubernetes.
const OTHER_UNITS: [&str; 7] = [
    "k0scontroller.service",
    "k0sworker.service",
    "k3s-agent.service",
    "k3s.service",
    "rke2-agent.service",
    "rke2-server.service",
    "snap.microk8s.daemon-kubelite.service",
];
/// The first name by which Calico's CNI configuration could come second.
const CALICO_CNI_FILE: &str = "10-calico.conflist";

pub(super) fn other_kubernetes(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let (software, cluster) = (&subject.facts.software, &subject.facts.cluster);
    if cluster.is_assumed() {
        return;
    }
    let active = OTHER_UNITS
        .iter()
        .filter(|name| software.unit(name).is_some_and(Unit::is_active));
    let mut evidence: Vec<String> = active.map(|name| format!("{name} is active")).collect();
    evidence.extend(cluster.others.iter().map(|trace| match trace.split_once(' ') {
        Some((name, path)) => format!("{name} left {path}"),
        None => trace.clone(),
    }));
    if evidence.is_empty() {
        return;
    }
    let problem = subject
        .error("IEC1861", format!("another Kubernetes is on {}", subject.name()))
        .hint("remove it by its own means (k3s-uninstall.sh, rke2-uninstall.sh, `k0s reset`, `snap remove --purge microk8s`)");
    problems.push(
        evidence
            .into_iter()
            .fold(problem, |problem, line| problem.evidence(line)),
    );
}

pub(super) fn other_site(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let previous = &subject.facts.previous;
    let Some(found) = previous
        .site
        .as_deref()
        .filter(|_| !previous.is_assumed() && !subject.is_ours())
    else {
        return;
    };
    let (message, hint) = if found == subject.site.name().as_str() {
        (
            format!(
                "{} belongs to a site of the name {found} with other credentials than those of the secrets file",
                subject.name()
            ),
            "if somebody else has installed this site, move the secrets file away and run `iec credentials recover`; \
             an earlier site that nobody needs is taken back by `iec reset`",
        )
    } else {
        (
            format!("{} belongs to the site {found}", subject.name()),
            "run `iec reset` with that site's file, or take the host out of this one",
        )
    };
    problems.push(
        subject
            .error("IEC1862", message)
            .evidence("/etc/iec/site")
            .hint(hint),
    );
}

pub(super) fn other_cluster(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let cluster = &subject.facts.cluster;
    if cluster.is_assumed() || subject.facts.previous.site.is_some() || subject.is_known() {
        return;
    }
    let mut evidence = Vec::new();
    if let Some(server) = &cluster.server {
        evidence.push(format!(
            "/etc/kubernetes/kubelet.conf names the API server {server}"
        ));
    }
    if let Some(digest) = &cluster.ca_sha256 {
        evidence.push(format!("/etc/kubernetes/pki/ca.crt has SHA-256 {digest}"));
    }
    evidence.extend(
        cluster
            .kubernetes_files
            .iter()
            .filter(|path| path.starts_with("manifests/"))
            .map(|path| format!("/etc/kubernetes/{path}")),
    );
    if cluster.etcd_data {
        evidence.push("/var/lib/etcd has data".to_owned());
    }
    if evidence.is_empty() {
        return;
    }
    let problem = subject
        .error("IEC1863", format!("{} belongs to another Kubernetes cluster", subject.name()))
        .hint("drain it there and run `kubeadm reset` on it, if that cluster is no longer wanted; IEC never does");
    problems.push(
        evidence
            .into_iter()
            .fold(problem, |problem, line| problem.evidence(line)),
    );
}

pub(super) fn runtime(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let software = &subject.facts.software;
    if software.is_assumed() {
        return;
    }
    let packages = PACKAGES.iter().filter_map(|name| software.package(name));
    let mut evidence: Vec<String> = packages
        .map(|package| format!("package {} {}", package.name, package.version))
        .collect();
    if !subject.is_known() {
        let programs = software
            .binaries
            .iter()
            .filter(|binary| PROGRAMS.contains(&binary.name.as_str()));
        evidence.extend(programs.map(|binary| match binary.version.as_str() {
            "" => binary.path.clone(),
            version => format!("{} ({version})", binary.path),
        }));
    }
    if evidence.is_empty() {
        return;
    }
    let problem = if subject.site.runtime().take_over() {
        subject.warning(
            "IEC1864",
            format!(
                "the container runtime of {} is taken over, as the site says",
                subject.name()
            ),
        )
    } else {
        subject
            .error(
                "IEC1864",
                format!(
                    "{} has a container runtime or Kubernetes programs that are not IEC's",
                    subject.name()
                ),
            )
            .hint("remove them (`apt-get remove`), or write `runtime: {takeOver: true}` into the site file")
    };
    problems.push(
        evidence
            .into_iter()
            .fold(problem, |problem, line| problem.evidence(line)),
    );
}

pub(super) fn docker_containers(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let software = &subject.facts.software;
    if software.is_assumed() || software.docker_containers == 0 {
        return;
    }
    let containers = if software.docker_containers == 1 {
        "a container"
    } else {
        "containers"
    };
    problems.push(
        subject
            .error(
                "IEC1865",
                format!(
                    "Docker runs {containers} on {}, which an installation would stop",
                    subject.name()
                ),
            )
            .evidence(format!("{} running", software.docker_containers))
            .hint("look at them with `docker ps`, then stop and remove them, or use another host"),
    );
}

pub(super) fn cni(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let cluster = &subject.facts.cluster;
    if cluster.is_assumed() || subject.is_known() {
        return;
    }
    let is_configuration = |name: &&String| {
        [".conf", ".conflist", ".json"]
            .iter()
            .any(|ending| name.ends_with(ending))
    };
    let first: Vec<&str> = cluster
        .cni_files
        .iter()
        .filter(is_configuration)
        .map(String::as_str)
        .filter(|name| *name < CALICO_CNI_FILE)
        .collect();
    if !first.is_empty() {
        problems.push(
            subject
                .error("IEC1866", format!("a CNI configuration on {} would come before Calico's", subject.name()))
                .evidence(format!("/etc/cni/net.d: {}", first.join(", ")))
                .hint("remove it, or give it a name that comes after 10-calico.conflist: the runtime takes the first"),
        );
    }
}

pub(super) fn lock(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let previous = &subject.facts.previous;
    if let Some(lock) = previous.lock.as_ref().filter(|_| !previous.is_assumed()) {
        problems.push(
            subject
                .warning("IEC1867", format!("another run is at work on {}", subject.name()))
                .evidence(format!("the lock is held by `{}`", lock.owner))
                .hint("wait until it has ended: `iec apply` would be refused now"),
        );
    }
}
