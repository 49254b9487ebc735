//! A control plane, phase by phase of `kubeadm init`: the first one makes the cluster, the others join its etcd.

use iec_sh::{Cmd, Expr, Program};

use super::admission::installed_with;
use super::kubernetes::{CLUSTER_CA_FILE, kubelet_configuration};
use crate::content::Digest;
use crate::plan::addons::Addons;
use crate::plan::kubeadm::{self, INIT_FILE, InitPhase, JOIN_FILE, PKI};
use crate::plan::lower::{node_units, static_pod_log};
use crate::plan::op::{FileContent, FileOp, Op, Require, SecretName, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::role::{PlanRole, first_control_plane};
use crate::plan::static_pod::{Component, ETCD_MEMBER, EtcdStart, StaticPod, etcd_peer};
use crate::plan::step::Phase;
use crate::site::SiteHost;

/// Seconds until the API server must be ready.
const DEADLINE_SECONDS: u32 = 600;
/// Seconds that a control plane waits for the first one: a slow board needs some ten minutes for its own part.
const JOIN_DEADLINE_SECONDS: u32 = 1800;

pub(in crate::plan) fn control_plane(part: &mut PartBuilder<'_>) {
    let configuration = kubeadm::init_configuration(&part.kubeadm());
    let why = "kubeadm reads it in every phase; the bootstrap token is not in it.";
    part.file(
        Phase::ControlPlane,
        "kubeadm-config",
        INIT_FILE,
        0o600,
        why,
        configuration.as_str(),
    );
    let node = part.host.name().to_string();

    no_other_cluster(part);
    init(part, InitPhase::Preflight);
    authorities(part);
    let names = kubeadm::certificate_names(part.inputs, part.host);
    init(
        part,
        InitPhase::Certificates {
            names: Digest::of(names.as_bytes()),
        },
    );
    init(part, InitPhase::Kubeconfigs);
    installed_with(part, Phase::ControlPlane);
    if part.role == PlanRole::FirstControlPlane {
        start(part);
        init(
            part,
            InitPhase::UploadConfig {
                configuration: Digest::of(configuration.as_bytes()),
            },
        );
        init(part, InitPhase::MarkControlPlane { node: node.clone() });
        init(part, InitPhase::BootstrapToken);
        init(part, InitPhase::KubeletFinalize);
        init(part, InitPhase::Addons(Addons::of(part.inputs)));
    } else {
        join(part);
        init(part, InitPhase::MarkControlPlane { node: node.clone() });
        init(part, InitPhase::KubeletFinalize);
    }
    no_super_admin(part);
    if part.inputs.site.control_plane().schedulable() {
        let why = "The site wants its control plane to run workloads too: edge sites are small.";
        let title = "Take the control-plane taint off";
        part.step(
            Phase::ControlPlane,
            "schedulable",
            title,
            why,
            0,
            Op::Schedulable { node },
        );
    }
    token(part);
    kubeconfig(part);
}

/// By it a host asks others.
const KUBECTL: &str = "/usr/local/bin/kubectl";

/// Whoever makes the cluster must be the only one who has it: this host may have been replaced since its plan was made.
fn no_other_cluster(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    let others: Vec<_> = site
        .control_planes()
        .filter(|host| host.name() != part.host.name())
        .collect();
    if part.role != PlanRole::FirstControlPlane || others.is_empty() {
        return;
    }
    let port = site.control_plane().endpoint().port();
    let is_silent = |host: &SiteHost| {
        Cmd::new(Program::Kubectl)
            .words(["--server", &format!("https://{}:{port}", host.node_address())])
            .words(["--certificate-authority", CLUSTER_CA_FILE, "--request-timeout=5s"])
            // Anybody may ask for this one; without credentials kubectl would ask for a user at a prompt.
            .words(["--username=anonymous", "--password=none"])
            .words(["get", "--raw", "/version"])
            .quiet()
    };
    let silent = others.iter().map(|host| Expr::from(is_silent(host)).not());
    let has_it = Expr::from(Cmd::new(Program::Test).words(["-d", ETCD_MEMBER]));
    let require = Require {
        what: "IEC1712: no other control plane has the cluster already".to_owned(),
        ask: Expr::If {
            // A bare host cannot ask yet, and is asked again before it makes the cluster.
            condition: Box::new(Cmd::new(Program::Test).words(["-x", KUBECTL]).into()),
            then: vec![Expr::any([has_it, Expr::all(silent)])],
            otherwise: vec![],
        },
    };
    let why =
        "It is asked before a second cluster is made: a host that was replaced joins the one that there is.";
    part.step(
        Phase::ControlPlane,
        "alone",
        "Is there a cluster already?",
        why,
        0,
        Op::Require(require),
    );
}

/// The control plane comes up by itself: there is nobody yet whom it could ask.
fn start(part: &mut PartBuilder<'_>) {
    for component in Component::ALL {
        static_pod(part, component);
    }
    init(part, InitPhase::KubeletStart);
    kubelet_configuration(part, Phase::ControlPlane);
    wait(part);
}

/// The control plane joins the others. Its etcd comes first: it is announced to the others when it can start at once, and
/// its API server has nothing to say without it.
fn join(part: &mut PartBuilder<'_>) {
    wait_for_cluster(part);
    let configuration = kubeadm::control_plane_join_configuration(&part.kubeadm());
    let why = "By it kubeadm announces this control plane's etcd to the others.";
    part.file(
        Phase::ControlPlane,
        "kubeadm-join-config",
        JOIN_FILE,
        0o600,
        why,
        configuration,
    );
    init(part, InitPhase::KubeletStart);
    kubelet_configuration(part, Phase::ControlPlane);
    for component in Component::ALL {
        static_pod(part, component);
    }
    wait(part);
}

/// Until the first control plane has stored its configuration in the cluster, there is nothing to join.
fn wait_for_cluster(part: &mut PartBuilder<'_>) {
    let configuration = || {
        Cmd::new(Program::Kubectl)
            .words([
                "--kubeconfig",
                "/etc/kubernetes/admin.conf",
                "--request-timeout=5s",
            ])
            .words(["get", "-n", "kube-system", "configmap/kubeadm-config"])
    };
    let has_joined = Cmd::new(Program::Test).words(["-s", &Component::ApiServer.file()]);
    let wait = Wait {
        what: "the first control plane has made the cluster".to_owned(),
        ask: configuration().quiet().into(),
        unless: Some(has_joined.into()),
        every_seconds: 1,
        deadline_seconds: JOIN_DEADLINE_SECONDS,
        units: vec![],
        explains: vec![configuration().into()],
    };
    let why = "Hosts may start at once and in any order; there is nothing to join before that. It gives up after half an hour.";
    part.step(
        Phase::ControlPlane,
        "cluster",
        "Wait for the first control plane",
        why,
        25,
        Op::Wait(wait),
    );
}

/// Adds a phase of `kubeadm init`: its name, what it does, why, and the seconds that it usually takes.
fn init(part: &mut PartBuilder<'_>, phase: InitPhase) {
    let (name, title, why, seconds) = match &phase {
        InitPhase::Preflight => (
            "preflight",
            "Ask kubeadm whether this host can be a control plane",
            "Asked once, before its first file.",
            2,
        ),
        InitPhase::Certificates { .. } => (
            "certificates",
            "Issue certificates",
            "Every component proves who it is.",
            1,
        ),
        InitPhase::Kubeconfigs => (
            "kubeconfigs",
            "Write kubeconfig files",
            "By them the components find the API server.",
            1,
        ),
        InitPhase::KubeletStart => (
            "kubelet-start",
            "Start the kubelet",
            "It starts what the manifests say.",
            2,
        ),
        InitPhase::UploadConfig { .. } => (
            "upload-config",
            "Store the configuration in the cluster",
            "Hosts that join read it there.",
            1,
        ),
        InitPhase::MarkControlPlane { .. } => (
            "mark",
            "Mark the node as a control plane",
            "Its label tells tools what it is.",
            1,
        ),
        InitPhase::BootstrapToken => (
            "bootstrap-token",
            "Let hosts join",
            "By a token that is removed when the last one has joined, and ends by itself otherwise.",
            1,
        ),
        InitPhase::KubeletFinalize => (
            "kubelet-finalize",
            "Let the kubelet renew its certificate",
            "Else it would end in a year.",
            1,
        ),
        InitPhase::Addons(_) => (
            "addons",
            "Start CoreDNS and kube-proxy",
            "Names and services inside the cluster.",
            2,
        ),
    };
    part.step(Phase::ControlPlane, name, title, why, seconds, Op::Init(phase));
}

fn wait(part: &mut PartBuilder<'_>) {
    let ready = Cmd::new(Program::Kubectl)
        .words([
            "--kubeconfig",
            "/etc/kubernetes/admin.conf",
            "--request-timeout=5s",
        ])
        .words(own_server(part).iter().flat_map(|server| ["--server", server]))
        .words(["get", "--raw", "/readyz"]);
    let wait = Wait {
        what: "the API server is ready".to_owned(),
        ask: ready.into(),
        unless: None,
        every_seconds: 1,
        deadline_seconds: DEADLINE_SECONDS,
        units: node_units(),
        explains: [Component::Etcd, Component::ApiServer]
            .map(static_pod_log)
            .to_vec(),
    };
    let why = "What follows is asked of it. It gives up after ten minutes: a slow board needs three.";
    part.step(
        Phase::ControlPlane,
        "wait",
        "Wait for the control plane",
        why,
        8,
        Op::Wait(wait),
    );
}

/// The API server of this host by its own address, where another one may answer under the endpoint's name.
fn own_server(part: &PartBuilder<'_>) -> Option<String> {
    let site = part.inputs.site;
    let port = site.control_plane().endpoint().port();
    (site.control_planes().count() > 1).then(|| format!("https://{}:{port}", part.host.node_address()))
}

/// Adds a static pod: what it is for, and what kubeadm makes it from.
fn static_pod(part: &mut PartBuilder<'_>, component: Component) {
    let why = match component {
        Component::Etcd => "etcd holds the state of the cluster.",
        Component::ApiServer => {
            "Everybody asks it. One that does not come up with a change gets its former arguments back."
        }
        Component::ControllerManager => "It makes the state of the cluster what it should be.",
        Component::Scheduler => "It gives pods to nodes.",
    };
    let program = part.binary("kubeadm", "").map(|program| program.digest.hex());
    let configuration = kubeadm::static_pod_is_made_from(component, part.inputs, part.host);
    let made_from = format!("{configuration}{}", program.unwrap_or_default());
    let first = first_control_plane(part.inputs.site, part.inputs.facts);
    let etcd = if part.role == PlanRole::FirstControlPlane {
        EtcdStart::Alone
    } else {
        EtcdStart::Joins {
            first: first.name().to_string(),
            peer: etcd_peer(part.host),
        }
    };
    let op = Op::StaticPod(StaticPod {
        component,
        configuration: Digest::of(made_from.as_bytes()),
        server: own_server(part),
        etcd,
    });
    let name = component.name();
    part.step(
        Phase::ControlPlane,
        name,
        format!("Run {name} as a static pod"),
        why,
        1,
        op,
    );
}

/// The certificate authorities: made before any host existed, so no host has to send another one a key.
fn authorities(part: &mut PartBuilder<'_>) {
    let credentials = part.inputs.credentials;
    let pairs = [
        (
            "ca",
            &credentials.cluster_ca.certificate_pem,
            SecretName::ClusterCaKey,
        ),
        (
            "etcd/ca",
            &credentials.etcd_ca.certificate_pem,
            SecretName::EtcdCaKey,
        ),
        (
            "front-proxy-ca",
            &credentials.front_proxy_ca.certificate_pem,
            SecretName::FrontProxyCaKey,
        ),
    ];
    for (name, certificate, key) in pairs {
        let step = name.replace('/', "-");
        let why = "The authority that the cluster trusts.";
        part.file(
            Phase::ControlPlane,
            &format!("{step}-certificate"),
            &format!("{PKI}/{name}.crt"),
            0o644,
            why,
            certificate.as_str(),
        );
        secret_file(part, &format!("{step}-key"), &format!("{PKI}/{name}.key"), key);
    }
    let why = "By it the API server knows the tokens of service accounts.";
    let public = credentials.service_account.public_pem.as_str();
    part.file(
        Phase::ControlPlane,
        "service-account-public",
        &format!("{PKI}/sa.pub"),
        0o600,
        why,
        public,
    );
    secret_file(
        part,
        "service-account-key",
        &format!("{PKI}/sa.key"),
        SecretName::ServiceAccountKey,
    );
}

fn secret_file(part: &mut PartBuilder<'_>, name: &str, path: &str, secret: SecretName) {
    let op = Op::File(FileOp {
        path: path.to_owned(),
        mode: 0o600,
        content: FileContent::Secret(secret),
    });
    let why = "A key; it goes to control planes only, and is readable for root only.";
    part.step(Phase::ControlPlane, name, format!("Install {path}"), why, 0, op);
}

/// The rule for the ordinary administrator is there now: what no rule binds has no use any more.
fn no_super_admin(part: &mut PartBuilder<'_>) {
    let why = "Who has it can do everything for a year, and no rule of the cluster can take that back. \
               kubeadm needed it once, to let the ordinary administrator in.";
    part.step(
        Phase::ControlPlane,
        "no-super-admin",
        "Remove super-admin.conf",
        why,
        0,
        Op::NoSuperAdmin,
    );
}

/// Whether the cluster is there already.
fn is_initialised(part: &PartBuilder<'_>) -> bool {
    let files = &part.facts.cluster.kubernetes_files;
    files.iter().any(|file| file == "admin.conf")
}

/// Whether a host still has to join.
fn is_awaiting(part: &PartBuilder<'_>) -> bool {
    part.inputs.site.workers().any(|worker| {
        part.inputs
            .facts
            .host(worker.name().as_str())
            .is_some_and(|facts| facts.cluster.server.is_none())
    })
}

/// A later run that brings hosts needs a token that is alive. One that brings none minds no token: scripts, which cannot
/// know when the last host has joined, leave theirs to its end, and that is no drift.
fn token(part: &mut PartBuilder<'_>) {
    if !is_initialised(part) || !is_awaiting(part) {
        return;
    }
    let why = "A host that still has to join needs a token that is alive.";
    let op = Op::Token {
        id: part.inputs.credentials.token_id.clone(),
        remaining_seconds: (part.inputs.token_life.as_secs() / 2).min(ENOUGH_SECONDS),
    };
    part.step(
        Phase::ControlPlane,
        "token",
        "Renew the bootstrap token",
        why,
        1,
        op,
    );
}

/// A token that lives so many seconds more need not be renewed: as long as a worker waits for its control plane.
const ENOUGH_SECONDS: u64 = 1800;

/// What the first control plane does when every host has joined, where one had to.
pub(in crate::plan) fn after_joins(part: &mut PartBuilder<'_>) {
    if is_initialised(part) && !is_awaiting(part) {
        return;
    }
    let why = "No host has to join any more, and what opens the cluster to new hosts is better not there.";
    let op = Op::NoToken {
        id: part.inputs.credentials.token_id.clone(),
    };
    let title = "Remove the bootstrap token";
    part.step(Phase::ControlPlane, "no-token", title, why, 0, op);
}

/// For root, and for the user who installs: what is there of their own stays.
fn kubeconfig(part: &mut PartBuilder<'_>) {
    let user = part.facts.login.account().to_owned();
    kubeconfig_of(part, &user, "kubeconfig");
    if user != "root" {
        kubeconfig_of(part, "root", "kubeconfig-root");
    }
}

fn kubeconfig_of(part: &mut PartBuilder<'_>, user: &str, name: &str) {
    let Some(home) = part.facts.login.homes.get(user).cloned() else {
        return;
    };
    let title = format!("Give {user} the administrator's kubeconfig");
    let why = "So that kubectl works for whoever is on the host, without further arguments. One of their own stays.";
    let op = Op::UserKubeconfig {
        user: user.to_owned(),
        home,
    };
    part.step(Phase::ControlPlane, name, title, why, 0, op);
}
