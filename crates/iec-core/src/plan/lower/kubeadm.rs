//! The phases of `kubeadm init` and `kubeadm join`, each with a check of its own.
//!
//! kubeadm's preflight refuses a second `init` or `join` after a power cut; its phases, one by one, go on where it was.

use iec_sh::{Cmd, Expr, Program, Question};

use super::ask::{ask_cluster, has_stamp, kubectl_admin, question, run, stamp, test};
use super::folders::{
    LOST_AND_FOUND, note_contents, note_folders, remove_contents, remove_empty_folders, remove_mounts,
};
use super::last_words::{CONTAINERD, KUBELET};
use super::undo::on_disk;
use super::{Lowered, SECRETS, Undo};
use crate::content::Digest;
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

/// Where etcd keeps its data.
const ETCD_DATA: &str = "/var/lib/etcd";

/// The kubeconfigs that stay. kubeadm makes one more, which [`no_super_admin`] removes.
const KUBECONFIGS: [&str; 4] = ["admin", "kubelet", "controller-manager", "scheduler"];

/// What lets its bearer do everything, whatever the rules of the cluster say. kubeadm needs it once, to make a rule for
/// the ordinary administrator.
const SUPER_ADMIN: &str = "/etc/kubernetes/super-admin.conf";

/// The annotation of kubeadm's ConfigMaps with the digest of the configuration that they were made from.
const CONFIGURATION: &str = "iec.dev/configuration";

/// `kubectl` with a verb on the two ConfigMaps by which kubeadm keeps its configuration and the kubelets'.
fn configuration_maps(verb: &str) -> Cmd {
    kubectl_admin().words([
        verb,
        "-n",
        "kube-system",
        "configmap/kubeadm-config",
        "configmap/kubelet-config",
    ])
}

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
    let mut apply: Vec<Expr> = phase.empty_files().map(remove_empty_files).collect();
    match phase {
        InitPhase::Preflight => apply.push(preflight(&config)),
        InitPhase::Certificates { names } => {
            apply.push(remove_other_names(*names));
            apply.extend(CERTIFICATES.iter().map(|name| remove_half_pair(name)));
            apply.push(kubeadm(phase.words()));
            apply.push(set_mode("go-rwx", files_in(PKI, "*.key")));
            apply.push(set_mode("go-w", files_in(PKI, "*.crt")));
            apply.extend(remember_names(*names));
        }
        InitPhase::Kubeconfigs => {
            apply.push(kubeadm(phase.words()));
            apply.push(set_mode("go-rwx", files_in(KUBERNETES, "*.conf")));
        }
        InitPhase::KubeletStart => apply.push(start_or(&JOINED[..1], kubeadm(phase.words()))),
        InitPhase::Addons(addons) => apply.extend(super::objects::addons(addons)),
        InitPhase::UploadConfig { configuration } => apply.extend([
            kubeadm(phase.words()),
            configuration_maps("annotate")
                .words(["--overwrite", &format!("{CONFIGURATION}={}", configuration.hex())])
                .into(),
        ]),
        _ => apply.push(kubeadm(phase.words())),
    }
    if *phase == InitPhase::Preflight {
        apply.push(run(Program::Touch, [PREFLIGHT_PASSED]));
    }
    // kubeadm does not wait for the disk; a power cut must not leave empty files that look like done.
    apply.extend(phase.empty_files().map(sync_files));
    Lowered {
        check: init_questions(phase),
        keep: match phase {
            InitPhase::Preflight => note_node(id),
            _ => vec![],
        },
        apply,
        undo: match phase {
            InitPhase::Preflight => Undo::Commands(remove_node(id)),
            _ => Undo::CoveredBy("control-plane.preflight"),
        },
        shows: vec![],
        sensitive: *phase == InitPhase::BootstrapToken,
    }
}

/// What a power cut may have left, and kubeadm would take for done.
fn remove_empty_files(folder: &str) -> Expr {
    run(
        Program::Find,
        ["-H", folder, "-type", "f", "-size", "0", "-delete"],
    )
}

fn sync_files(folder: &str) -> Expr {
    run(
        Program::Find,
        ["-H", folder, "-type", "f", "-exec", "sync", "{}", "+"],
    )
}

/// The files of a folder and of those in it that have a name like this.
fn files_in(folder: &str, name: &str) -> Cmd {
    Cmd::new(Program::Find).words(["-H", folder, "-maxdepth", "2", "-type", "f", "-name", name])
}

/// Whether none of them has one of these permissions, once `one` of them is there.
fn none_has(mode: &str, files: Cmd, one: &str) -> Expr {
    let open = files.words(["-perm", mode]).quiet_errors();
    Expr::all([test(["-s", one]), Expr::from(open).prints("")])
}

fn set_mode(mode: &str, files: Cmd) -> Expr {
    files.words(["-exec", "chmod", mode, "{}", "+"]).into()
}

/// Where kubeadm keeps kubeconfigs.
const KUBERNETES: &str = "/etc/kubernetes";

/// With which names the API server's certificate was issued last.
const CERTIFICATE_NAMES: &str = "/var/lib/iec/set/certificate-names";

fn has_names(names: Digest) -> Expr {
    has_stamp(CERTIFICATE_NAMES, names)
}

/// The API server reads a certificate that was issued anew by itself, within a minute.
fn remove_other_names(names: Digest) -> Expr {
    let pair = [format!("{PKI}/apiserver.crt"), format!("{PKI}/apiserver.key")];
    Expr::If {
        condition: Box::new(has_names(names)),
        then: vec![],
        otherwise: vec![
            Cmd::new(Program::Rm)
                .word("-f")
                .words(pair.iter().map(String::as_str))
                .into(),
        ],
    }
}

fn remember_names(names: Digest) -> [Expr; 2] {
    [
        run(Program::Mkdir, ["-p", "/var/lib/iec/set"]),
        stamp(CERTIFICATE_NAMES, names),
    ]
}

/// kubeadm issues a certificate anew when neither it nor its key is there, and refuses one without the other.
fn remove_half_pair(name: &str) -> Expr {
    let (certificate, key) = (format!("{PKI}/{name}.crt"), format!("{PKI}/{name}.key"));
    Expr::If {
        condition: Box::new(Expr::all([test(["-s", &certificate]), test(["-s", &key])])),
        then: vec![],
        otherwise: vec![run(Program::Rm, ["-f", &certificate, &key])],
    }
}

/// kubeadm wants nothing in etcd's folder. On a disk of its own the file system keeps `lost+found` there, which etcd minds
/// as little as the disk does: its data are in a folder beside it.
fn preflight(config: &str) -> Expr {
    let kubeadm = || {
        let words = InitPhase::Preflight.words().iter().copied();
        let command = Cmd::new(Program::Kubeadm).words(["init", "phase"]).words(words);
        command.words(["--config", config])
    };
    let others = Cmd::new(Program::Find)
        .words(["-H", ETCD_DATA, "-mindepth", "1", "-maxdepth", "1"])
        .words(["!", "(", "-name", LOST_AND_FOUND, "-type", "d", ")"])
        .quiet_errors();
    Expr::If {
        condition: Box::new(Expr::from(others).prints("")),
        then: vec![
            kubeadm()
                .word(format!(
                    "--ignore-preflight-errors=DirAvailable-{}",
                    ETCD_DATA.replace('/', "-")
                ))
                .into(),
        ],
        otherwise: vec![kubeadm().into()],
    }
}

fn init_questions(phase: &InitPhase) -> Vec<Question> {
    let written = |path: String| question(format!("{path} is written"), test(["-s", &path]));
    match phase {
        InitPhase::Preflight => vec![preflight_passed()],
        InitPhase::Certificates { names } => CERTIFICATES
            .iter()
            .flat_map(|name| {
                [
                    written(format!("{PKI}/{name}.crt")),
                    written(format!("{PKI}/{name}.key")),
                ]
            })
            .chain([
                question(
                    "the API server's certificate has the names of the plan",
                    has_names(*names),
                ),
                question(
                    "nobody else can read a key",
                    none_has("/077", files_in(PKI, "*.key"), &format!("{PKI}/apiserver.key")),
                ),
                question(
                    "nobody else can change a certificate",
                    none_has("/022", files_in(PKI, "*.crt"), &format!("{PKI}/apiserver.crt")),
                ),
            ])
            .collect(),
        InitPhase::Kubeconfigs => KUBECONFIGS
            .iter()
            .map(|name| written(format!("/etc/kubernetes/{name}.conf")))
            .chain([question(
                "nobody else can read a kubeconfig",
                none_has(
                    "/077",
                    files_in(KUBERNETES, "*.conf"),
                    "/etc/kubernetes/admin.conf",
                ),
            )])
            .collect(),
        InitPhase::KubeletStart => vec![
            written("/var/lib/kubelet/config.yaml".to_owned()),
            written("/var/lib/kubelet/kubeadm-flags.env".to_owned()),
            kubelet_active(),
        ],
        InitPhase::UploadConfig { configuration } => {
            let annotations = format!(
                "jsonpath={{.items[*].metadata.annotations.{}}}",
                CONFIGURATION.replace('.', "\\.")
            );
            let digest = configuration.hex();
            vec![question(
                "the cluster holds kubeadm's and the kubelets' present configuration",
                ask_cluster(
                    Expr::from(configuration_maps("get").words(["-o", &annotations]))
                        .prints(format!("{digest} {digest}")),
                ),
            )]
        }
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
        InitPhase::Addons(addons) => super::objects::addons_questions(addons),
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
        keep: vec![],
        apply: vec![run(Program::Rm, ["-f", "--", SUPER_ADMIN])],
        undo: Undo::Irreversible("`kubeadm init phase kubeconfig super-admin` makes one where it is needed"),
        shows: vec![],
        sensitive: false,
    }
}

/// What a kubelet has once it has joined. It writes its kubeconfig, which only points to its certificate, before it asks for
/// that (`buildKubeletClientConfig` of `cmd/kubelet/app/server.go`): until it has both it needs the token.
pub(in crate::plan) const JOINED: [&str; 2] = [
    "/etc/kubernetes/kubelet.conf",
    "/var/lib/kubelet/pki/kubelet-client-current.pem",
];

/// How long a kubelet may take to get its first certificate, as kubeadm lets it.
const TLS_BOOTSTRAP_SECONDS: u32 = 300;

pub(super) fn join(id: &str, phase: &JoinPhase) -> Lowered {
    let config = format!("{SECRETS}/{}", SecretName::JoinConfiguration.file_name());
    let kubeadm: Expr = Cmd::new(Program::Kubeadm)
        .words(["join", "phase", phase.word(), "--config", &config])
        .into();
    let joined = Expr::all(JOINED.map(|path| test(["-s", path])));
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
    match phase {
        JoinPhase::Preflight => apply.push(kubeadm),
        JoinPhase::KubeletStart => apply.extend(join_kubelet(kubeadm)),
        // kubeadm's own phase of this name asks for admin.conf when it is run by itself, which no worker has.
        JoinPhase::KubeletWaitBootstrap => apply.extend([
            Expr::Poll {
                question: Box::new(joined.clone()),
                every_seconds: 1,
                deadline_seconds: TLS_BOOTSTRAP_SECONDS,
                units: [CONTAINERD, KUBELET].map(Into::into).to_vec(),
                slowness: 1,
            },
            run(Program::Rm, ["-f", "--", bootstrap]),
        ]),
    }
    if *phase == JoinPhase::Preflight {
        apply.push(run(Program::Touch, [PREFLIGHT_PASSED]));
    }
    Lowered {
        check,
        keep: match phase {
            JoinPhase::Preflight => note_node(id),
            JoinPhase::KubeletStart | JoinPhase::KubeletWaitBootstrap => vec![],
        },
        apply,
        undo,
        shows: vec![],
        sensitive: true,
    }
}

/// What kubeadm writes for a kubelet, and where IEC keeps it: kubeadm writes it when the host joins, and at no other time.
const KUBELET_FILES: [&str; 3] = ["config.yaml", "kubeadm-flags.env", "instance-config.yaml"];
const KUBELET_FOLDER: &str = "/var/lib/kubelet";
const KEPT_KUBELET: &str = "/var/lib/iec/kubelet";
/// Seconds until the cluster takes a kubelet for gone that was stopped, and lets its host join again.
const GONE_SECONDS: u32 = 180;

/// Gives the kubelet its configuration and starts it: what is lost of it comes from what was kept, and a host that has lost
/// its credentials joins again.
fn join_kubelet(kubeadm: Expr) -> Vec<Expr> {
    let when = |condition: Expr, then: Vec<Expr>| Expr::If {
        condition: Box::new(condition),
        then,
        otherwise: vec![],
    };
    let copy = |name: &str, from: &str, to: &str| {
        let (from, to) = (format!("{from}/{name}"), format!("{to}/{name}"));
        when(
            Expr::all([test(["-s", &from]), test(["-s", &to]).not()]),
            vec![run(Program::Cp, ["-a", &from, &to])],
        )
    };
    let joined = Expr::all(JOINED.map(|path| test(["-s", path])));
    let mut commands = vec![when(
        joined,
        KUBELET_FILES
            .iter()
            .map(|name| copy(name, KEPT_KUBELET, KUBELET_FOLDER))
            .collect(),
    )];
    // The kubelet of a host that has joined before may still answer for a node that kubeadm would refuse to make again.
    let join = Expr::If {
        condition: Box::new(test(["-d", KEPT_KUBELET])),
        then: vec![
            run(Program::Systemctl, ["stop", "kubelet.service"]),
            Expr::Poll {
                question: Box::new(kubeadm.clone()),
                every_seconds: 10,
                deadline_seconds: GONE_SECONDS,
                units: vec![],
                slowness: 1,
            },
        ],
        otherwise: vec![kubeadm],
    };
    commands.push(start_or(&JOINED, join));
    commands.push(run(Program::Rm, ["-rf", KEPT_KUBELET]));
    commands.push(run(Program::Mkdir, ["-p", KEPT_KUBELET]));
    commands.extend(
        KUBELET_FILES
            .iter()
            .map(|name| copy(name, KUBELET_FOLDER, KEPT_KUBELET)),
    );
    commands
}

/// A kubelet that is configured and merely stopped is started; kubeadm would refuse to join a node a second time.
fn start_or(credentials: &[&str], kubeadm: Expr) -> Expr {
    let configuration = [
        "/var/lib/kubelet/config.yaml",
        "/var/lib/kubelet/kubeadm-flags.env",
    ];
    let configured = credentials.iter().chain(&configuration);
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

/// Notes what there is of all that [`remove_node`] removes.
fn note_node(id: &str) -> Vec<Expr> {
    let mut notes = note_contents(id, &CREATED_FOLDERS);
    notes.extend(on_disk(
        &mounted(id),
        note_folders(&mounted(id), &MOUNTED_FOLDERS),
    ));
    notes.extend(super::network::note_kernel(id));
    notes
}

/// Everything that kubeadm, the kubelet, Calico and kube-proxy made on this host.
fn remove_node(id: &str) -> Vec<Expr> {
    let mut commands = vec![run(Program::Systemctl, ["stop", "kubelet.service"])];
    commands.extend(remove_containers());
    commands.push(remove_mounts(KUBELET_FOLDER));
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
