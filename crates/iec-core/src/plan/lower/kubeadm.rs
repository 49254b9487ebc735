//! The phases of `kubeadm init` and `kubeadm join`, each with a check of its own.
//!
//! kubeadm's preflight refuses a second `init` or `join` after a power cut; its phases, one by one, go on where it was.

use iec_sh::{Cmd, Expr, Program, Question};

use super::ask::{ask_cluster, kubectl_admin, question, run, test};
use super::last_words::{CONTAINERD, KUBELET};
use super::undo::{note_contents, note_folders, remove_contents, remove_empty_folders};
use super::{Lowered, SECRETS, Undo};
use crate::plan::calico_etcd;
use crate::plan::kubeadm::{INIT_FILE, InitPhase, JoinPhase, PKI};
use crate::plan::op::SecretName;

/// The folders that kubeadm, the kubelet and Calico make; the first kubeadm step notes which were there before.
const CREATED_FOLDERS: [&str; 18] = [
    "/etc/kubernetes",
    "/var/lib/kubelet",
    "/var/lib/etcd",
    "/etc/cni/net.d",
    "/etc/cni",
    "/opt/cni/bin",
    "/opt/cni",
    "/var/lib/cni",
    "/run/calico",
    "/var/lib/calico",
    "/var/log/calico",
    "/var/log/pods",
    "/var/log/containers",
    "/run/nodeagent",
    "/run/nri",
    "/run/netns",
    "/run/xtables.lock",
    calico_etcd::DATA,
];

/// Folders of the distribution that the kubelet and mounts of pods have made on a host without them, the higher ones
/// first. They stay when somebody has put something into them.
const MOUNTED_FOLDERS: [&str; 7] = [
    "/etc/ssl",
    "/etc/ssl/certs",
    "/usr/lib/modules",
    "/usr/libexec/kubernetes",
    "/usr/libexec/kubernetes/kubelet-plugins",
    "/usr/libexec/kubernetes/kubelet-plugins/volume",
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
];

/// The certificates that `kubeadm init phase certs all` makes from the authorities that are there beforehand.
const CERTIFICATES: [&str; 7] = [
    "apiserver",
    "apiserver-kubelet-client",
    "apiserver-etcd-client",
    "front-proxy-client",
    "etcd/server",
    "etcd/peer",
    "etcd/healthcheck-client",
];

/// Says that kubeadm's preflight passed on this host.
const PREFLIGHT_PASSED: &str = "/var/lib/iec/preflight-passed";

/// The kubeconfigs that stay. kubeadm makes one more, which [`no_super_admin`] removes.
const KUBECONFIGS: [&str; 4] = ["admin", "kubelet", "controller-manager", "scheduler"];

/// What lets its bearer do everything, whatever the rules of the cluster say. kubeadm needs it once, to make a rule for
/// the ordinary administrator.
const SUPER_ADMIN: &str = "/etc/kubernetes/super-admin.conf";

pub(super) fn init(id: &str, phase: &InitPhase) -> Lowered {
    let config = match phase {
        // The only phase that reads the token.
        InitPhase::BootstrapToken => format!("{SECRETS}/{}", SecretName::InitConfiguration.file_name()),
        _ => INIT_FILE.to_owned(),
    };
    let kubeadm = |words: &[&str]| -> Expr {
        let mut command = Cmd::new(Program::Kubeadm)
            .words(["init", "phase"])
            .words(words.iter().copied());
        command = command.words(["--config", &config]);
        command.into()
    };
    let mut apply = Vec::new();
    if *phase == InitPhase::Preflight {
        apply.extend(note_contents(id, &CREATED_FOLDERS));
        apply.extend(note_folders(&mounted(id), &MOUNTED_FOLDERS));
        apply.extend(super::network::note_kernel(id));
    }
    apply.extend(
        phase
            .empty_files()
            .map(|folder| run(Program::Find, [folder, "-type", "f", "-size", "0", "-delete"])),
    );
    apply.push(match phase {
        InitPhase::KubeletStart => start_or(kubeadm(phase.words())),
        _ => kubeadm(phase.words()),
    });
    if *phase == InitPhase::Preflight {
        apply.push(run(Program::Touch, [PREFLIGHT_PASSED]));
    }
    // kubeadm does not wait for the disk; a power cut must not leave empty files that look like done.
    apply.extend(
        phase
            .empty_files()
            .map(|folder| run(Program::Find, [folder, "-type", "f", "-exec", "sync", "{}", "+"])),
    );
    Lowered {
        check: init_questions(phase),
        apply,
        undo: match phase {
            InitPhase::Preflight => Undo::Commands(remove_node(id)),
            _ => Undo::CoveredBy("control-plane.preflight"),
        },
        shows: vec![],
        sensitive: *phase == InitPhase::BootstrapToken,
    }
}

fn init_questions(phase: &InitPhase) -> Vec<Question> {
    let written = |path: String| question(format!("{path} is written"), test(["-s", &path]));
    let manifest = |name: &str| written(format!("/etc/kubernetes/manifests/{name}.yaml"));
    match phase {
        InitPhase::Preflight => vec![preflight_passed()],
        InitPhase::Certificates => CERTIFICATES
            .iter()
            .flat_map(|name| {
                [
                    written(format!("{PKI}/{name}.crt")),
                    written(format!("{PKI}/{name}.key")),
                ]
            })
            .collect(),
        InitPhase::Kubeconfigs => KUBECONFIGS
            .iter()
            .map(|name| written(format!("/etc/kubernetes/{name}.conf")))
            .collect(),
        InitPhase::Etcd => vec![manifest("etcd")],
        InitPhase::ControlPlane => ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
            .map(manifest)
            .to_vec(),
        InitPhase::KubeletStart => vec![
            written("/var/lib/kubelet/config.yaml".to_owned()),
            written("/var/lib/kubelet/kubeadm-flags.env".to_owned()),
            kubelet_active(),
        ],
        InitPhase::UploadConfig => vec![question(
            "the cluster holds kubeadm's and the kubelets' configuration",
            admin(&[
                "get",
                "-n",
                "kube-system",
                "configmap/kubeadm-config",
                "configmap/kubelet-config",
            ]),
        )],
        InitPhase::MarkControlPlane { node } => vec![question(
            "the node is marked as a control plane",
            ask_cluster(Expr::Pipe(vec![
                kubectl_admin().words(["get", "node", node, "-o", "jsonpath={.metadata.labels}"]),
                Cmd::new(Program::Grep).words(["-qF", "\"node-role.kubernetes.io/control-plane\""]),
            ])),
        )],
        InitPhase::BootstrapToken => vec![question(
            "hosts can join by a token",
            Expr::all([
                admin(&["get", "-n", "kube-public", "configmap/cluster-info"]),
                admin(&["get", "clusterrolebinding/kubeadm:node-autoapprove-bootstrap"]),
            ]),
        )],
        InitPhase::KubeletFinalize => vec![question(
            "the kubelet renews its own certificate",
            Expr::FailsWith(
                Box::new(run(
                    Program::Grep,
                    ["-q", "kubelet-client-current.pem", "/etc/kubernetes/kubelet.conf"],
                )),
                1,
            ),
        )],
        InitPhase::Addons { coredns, kube_proxy } => vec![question(
            "CoreDNS and kube-proxy are those of the release",
            kubectl_prints(
                &[
                    "get",
                    "-n",
                    "kube-system",
                    "deployment/coredns",
                    "daemonset/kube-proxy",
                    "-o",
                    "jsonpath={.items[*].spec.template.spec.containers[0].image}",
                ],
                &format!("{coredns} {kube_proxy}"),
            ),
        )],
    }
}

pub(super) fn no_super_admin() -> Lowered {
    Lowered {
        check: vec![question(
            format!("the ordinary administrator has a kubeconfig, and {SUPER_ADMIN} is gone"),
            Expr::all([
                test(["-s", "/etc/kubernetes/admin.conf"]),
                test(["-e", SUPER_ADMIN]).not(),
                test(["-L", SUPER_ADMIN]).not(),
            ]),
        )],
        apply: vec![run(Program::Rm, ["-f", "--", SUPER_ADMIN])],
        undo: Undo::Irreversible("`kubeadm init phase kubeconfig super-admin` makes one where it is needed"),
        shows: vec![],
        sensitive: false,
    }
}

/// How long a kubelet may take to get its first certificate, as kubeadm lets it.
const TLS_BOOTSTRAP_SECONDS: u32 = 300;

pub(super) fn join(id: &str, phase: &JoinPhase) -> Lowered {
    let config = format!("{SECRETS}/{}", SecretName::JoinConfiguration.file_name());
    let kubeadm: Expr = Cmd::new(Program::Kubeadm)
        .words(["join", "phase", phase.word(), "--config", &config])
        .into();
    let joined = test(["-s", "/etc/kubernetes/kubelet.conf"]);
    let bootstrap = "/etc/kubernetes/bootstrap-kubelet.conf";
    let (check, undo) = match phase {
        JoinPhase::Preflight => (vec![preflight_passed()], Undo::Commands(remove_node(id))),
        JoinPhase::KubeletStart => (
            vec![
                question(
                    "the kubelet has credentials to join with",
                    Expr::any([joined.clone(), test(["-s", bootstrap])]),
                ),
                question(
                    "the kubelet is configured",
                    test(["-s", "/var/lib/kubelet/config.yaml"]),
                ),
                question(
                    "the kubelet has its arguments",
                    test(["-s", "/var/lib/kubelet/kubeadm-flags.env"]),
                ),
                kubelet_active(),
            ],
            Undo::CoveredBy("join.preflight"),
        ),
        JoinPhase::KubeletWaitBootstrap => (
            vec![
                question("the kubelet has credentials of its own", joined.clone()),
                question(
                    "the token is no longer on the host",
                    test(["-e", bootstrap]).not(),
                ),
            ],
            Undo::CoveredBy("join.preflight"),
        ),
    };
    let mut apply = Vec::new();
    if *phase == JoinPhase::Preflight {
        apply.extend(note_contents(id, &CREATED_FOLDERS));
        apply.extend(note_folders(&mounted(id), &MOUNTED_FOLDERS));
        apply.extend(super::network::note_kernel(id));
    }
    match phase {
        JoinPhase::Preflight => apply.push(kubeadm),
        JoinPhase::KubeletStart => apply.push(start_or(kubeadm)),
        // kubeadm's own phase of this name asks for admin.conf when it is run by itself, which no worker has.
        JoinPhase::KubeletWaitBootstrap => apply.extend([
            Expr::Poll {
                question: Box::new(joined.clone()),
                every_seconds: 1,
                deadline_seconds: TLS_BOOTSTRAP_SECONDS,
                units: [CONTAINERD, KUBELET].map(Into::into).to_vec(),
            },
            run(Program::Rm, ["-f", "--", bootstrap]),
        ]),
    }
    if *phase == JoinPhase::Preflight {
        apply.push(run(Program::Touch, [PREFLIGHT_PASSED]));
    }
    Lowered {
        check,
        apply,
        undo,
        shows: vec![],
        sensitive: true,
    }
}

/// A kubelet that is configured and merely stopped is started; kubeadm would refuse to join a node a second time.
fn start_or(kubeadm: Expr) -> Expr {
    let configured = [
        "/etc/kubernetes/kubelet.conf",
        "/var/lib/kubelet/config.yaml",
        "/var/lib/kubelet/kubeadm-flags.env",
    ];
    Expr::If {
        condition: Box::new(Expr::all(configured.map(|path| test(["-s", path])))),
        then: vec![run(Program::Systemctl, ["start", "kubelet.service"])],
        otherwise: vec![kubeadm],
    }
}

/// `kubectl` as administrator: what is not there yet means that the phase must run.
fn admin(words: &[&str]) -> Expr {
    ask_cluster(kubectl_admin().words(words.iter().copied()))
}

fn kubectl_prints(words: &[&str], expected: &str) -> Expr {
    ask_cluster(Expr::from(kubectl_admin().words(words.iter().copied()).quiet_errors()).prints(expected))
}

/// What comes after preflight makes files that preflight would refuse: it is asked once.
fn preflight_passed() -> Question {
    question(
        "kubeadm's preflight passed",
        Expr::any(
            [
                "/etc/kubernetes/admin.conf",
                "/etc/kubernetes/kubelet.conf",
                PREFLIGHT_PASSED,
            ]
            .map(|path| test(["-e", path])),
        ),
    )
}

fn kubelet_active() -> Question {
    Question {
        what: "the kubelet runs".to_owned(),
        ask: run(Program::Systemctl, ["is-active", "--quiet", "kubelet.service"]),
        needed: vec![3, 4],
    }
}

/// Everything that kubeadm, the kubelet, Calico and kube-proxy made on this host.
fn remove_node(id: &str) -> Vec<Expr> {
    let mut commands = vec![run(Program::Systemctl, ["stop", "kubelet.service"])];
    commands.extend(remove_containers());
    commands.extend(remove_mounts("/var/lib/kubelet/"));
    commands.extend(super::network::remove_network());
    commands.extend(super::network::restore_kernel(id));
    commands.extend(remove_contents(id, &CREATED_FOLDERS));
    commands.extend(remove_empty_folders(&mounted(id), &MOUNTED_FOLDERS));
    commands
}

/// Where a step keeps its notes of [`MOUNTED_FOLDERS`].
fn mounted(id: &str) -> String {
    format!("{id}-mounted")
}

/// Ends every container of the runtime's Kubernetes namespace.
pub(super) fn remove_containers() -> Vec<Expr> {
    let ctr = || Cmd::new(Program::Ctr).words(["-n", "k8s.io"]);
    let each = |words: [&str; 5]| {
        Cmd::new(Program::Xargs)
            .words(["-r", "-n", "1", "ctr", "-n", "k8s.io"])
            .words(words)
    };
    vec![
        Expr::Pipe(vec![
            ctr().words(["tasks", "ls", "-q"]).quiet_errors(),
            each(["tasks", "kill", "-a", "-s", "SIGKILL"]),
        ])
        .ignore_failure(),
        Expr::Pipe(vec![
            ctr().words(["tasks", "ls", "-q"]).quiet_errors(),
            Cmd::new(Program::Xargs).words(["-r", "-n", "1", "ctr", "-n", "k8s.io", "tasks", "rm", "-f"]),
        ])
        .ignore_failure(),
        Expr::Pipe(vec![
            ctr().words(["containers", "ls", "-q"]).quiet_errors(),
            Cmd::new(Program::Xargs).words(["-r", "-n", "16", "ctr", "-n", "k8s.io", "containers", "rm"]),
        ])
        .ignore_failure(),
    ]
}

/// Takes away every mount below `folder`, the deepest first.
pub(super) fn remove_mounts(folder: &str) -> Vec<Expr> {
    vec![
        Expr::Pipe(vec![
            Cmd::new(Program::Cut).words(["-d", " ", "-f", "2", "/proc/mounts"]),
            Cmd::new(Program::Grep).words([format!("^{folder}").as_str()]),
            Cmd::new(Program::Sort).word("-r"),
            Cmd::new(Program::Xargs).words(["-r", "-n", "1", "umount", "-l"]),
        ])
        .ignore_failure(),
    ]
}
