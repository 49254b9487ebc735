//! A control plane, phase by phase of `kubeadm init`: the first one makes the cluster, the others join its etcd.

use iec_sh::{Cmd, Program};

use super::admission::installed_with;
use super::control_plane_join::{join, no_other_cluster};
use super::joining::token;
use super::kubernetes::kubelet_configuration;
use super::virtual_address::{is_free, virtual_address};
use crate::content::Digest;
use crate::plan::addons::Addons;
use crate::plan::kubeadm::{self, INIT_FILE, InitPhase, PKI};
use crate::plan::lower::{node_units, static_pod_log, turn};
use crate::plan::op::{FileContent, FileOp, Op, SecretName, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::role::{PlanRole, first_control_plane};
use crate::plan::static_pod::{Among, Component, EtcdStart, StaticPod, etcd_peer};
use crate::plan::step::Phase;
use crate::site::{Site, SiteHost};

/// Seconds until the API server must be ready.
const DEADLINE_SECONDS: u32 = 600;

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
    is_free(part);
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
    turn(part);
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
    turn_given_back(part);
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
    virtual_address(part);
}

/// Only one control plane at a time may be stopped by a change.
fn turn(part: &mut PartBuilder<'_>) {
    if let Some(among) = among(part) {
        let why = "Control planes change one after the other: this is how this one takes its turn.";
        let lease = turn::lease(&among.node);
        part.file(Phase::ControlPlane, "turn", turn::FILE, 0o644, why, lease);
    }
}

fn turn_given_back(part: &mut PartBuilder<'_>) {
    if let Some(Among { node, .. }) = among(part) {
        let why = "A host whose change failed keeps its turn, so that no other makes the same. Now all is well here.";
        let title = "Leave the turn to change a control plane to others";
        let op = Op::TurnGivenBack { node };
        part.step(Phase::ControlPlane, "turn-given-back", title, why, 0, op);
    }
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

/// Adds a phase of `kubeadm init`: its name, what it does, why, and the seconds that it usually takes.
pub(super) fn init(part: &mut PartBuilder<'_>, phase: InitPhase) {
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

pub(super) fn wait(part: &mut PartBuilder<'_>) {
    let server = among(part).map(|among| among.server);
    let why = "What follows is asked of it. It gives up after ten minutes: a slow board needs three.";
    part.step(
        Phase::ControlPlane,
        "wait",
        "Wait for the control plane",
        why,
        8,
        Op::Wait(api_server(server.as_deref())),
    );
}

/// Until this host's API server is ready: that of `server` where another one may answer under the endpoint's name.
pub(in crate::plan) fn api_server(server: Option<&str>) -> Wait {
    let ready = Cmd::new(Program::Kubectl)
        .words([
            "--kubeconfig",
            "/etc/kubernetes/admin.conf",
            "--request-timeout=5s",
        ])
        .words(server.iter().flat_map(|server| ["--server", server]))
        .words(["get", "--raw", "/readyz"]);
    Wait {
        what: "the API server is ready".to_owned(),
        ask: ready.into(),
        unless: None,
        every_seconds: 1,
        deadline_seconds: DEADLINE_SECONDS,
        units: node_units(),
        explains: [Component::Etcd, Component::ApiServer]
            .map(|component| static_pod_log(component.name()))
            .to_vec(),
    }
}

/// The address of a control plane's own API server.
pub(crate) fn own_server(site: &Site, host: &SiteHost) -> String {
    let port = site.control_plane().endpoint().port();
    format!("https://{}:{port}", host.node_address())
}

/// What a control plane heeds where there are others.
fn among(part: &PartBuilder<'_>) -> Option<Among> {
    let site = part.inputs.site;
    let count = site.control_planes().count();
    (count > 1).then(|| Among {
        node: part.host.name().to_string(),
        server: own_server(site, part.host),
        quorum: count / 2 + 1,
    })
}

/// Adds a static pod: what it is for, and what kubeadm makes it from.
pub(super) fn static_pod(part: &mut PartBuilder<'_>, component: Component) {
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
        among: among(part),
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
