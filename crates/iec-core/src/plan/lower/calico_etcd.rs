//! Calico's own etcd: its certificates, and the Secret by which Calico gets one of them.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ask_cluster, kubectl_admin, question, test};
use super::{Lowered, Undo};
use crate::plan::calico_etcd::{
    CALICO_CLIENT, IN_USE, NAMESPACE, PKI, RENEW_SECONDS, SECRET, probe_endpoint,
};

/// The certificates: kubeadm's name for each, and its file without an ending. Calico's is called as kubeadm calls that of
/// the cluster's only client: what a client may do, it may by having been signed.
const CERTIFICATES: [(&str, &str); 3] = [
    ("etcd-server", "etcd/server"),
    ("etcd-peer", "etcd/peer"),
    ("apiserver-etcd-client", CALICO_CLIENT),
];

/// How long Calico's pod on this host may take to start.
const CLIENTS_SECONDS: u32 = 600;

pub(super) fn certificates(configuration: &str) -> Lowered {
    let written = CERTIFICATES
        .iter()
        .flat_map(|(_, file)| [format!("{PKI}/{file}.crt"), format!("{PKI}/{file}.key")])
        .map(|path| test(["-s", &path]));
    let sync = Cmd::new(Program::Find).words([PKI, "-type", "f", "-exec", "sync", "{}", "+"]);
    let mut apply: Vec<Expr> = CERTIFICATES
        .iter()
        .map(|(phase, file)| issue(phase, file, configuration))
        .collect();
    // kubeadm does not wait for the disk.
    apply.push(sync.into());
    Lowered {
        check: vec![
            question(
                format!("the certificates in {PKI} are written"),
                Expr::all(written),
            ),
            question(
                "they are valid for another three months",
                // Before they are issued there is nothing to ask about, and maybe nothing yet to ask with.
                Expr::FailsWith(
                    Box::new(Expr::all(CERTIFICATES.iter().map(|(_, file)| lasts(file)))),
                    1,
                ),
            ),
        ],
        keep: vec![],
        apply,
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

/// Issues one of them where it is not there whole, or ends soon. kubeadm takes what is there for good: it goes first.
fn issue(phase: &str, file: &str, configuration: &str) -> Expr {
    let (certificate, key) = (format!("{PKI}/{file}.crt"), format!("{PKI}/{file}.key"));
    let init = Cmd::new(Program::Kubeadm)
        .words(["init", "phase", "certs", phase])
        .words(["--config", "/dev/stdin"])
        .stdin_text(configuration);
    Expr::If {
        condition: Box::new(Expr::all([
            // A power cut may have left empty files.
            test(["-s", &certificate]),
            test(["-s", &key]),
            lasts(file),
        ])),
        then: vec![],
        otherwise: vec![
            Cmd::new(Program::Rm)
                .words(["-f", "--", &certificate, &key])
                .into(),
            init.into(),
        ],
    }
}

/// Asks whether a certificate is valid for long enough. One that is not there, or is none, is not.
fn lasts(file: &str) -> Expr {
    Cmd::new(Program::Openssl)
        .words(["x509", "-noout", "-checkend", &RENEW_SECONDS.to_string()])
        .words(["-in", &format!("{PKI}/{file}.crt")])
        .quiet()
        .into()
}

/// Asks the member on this host whether it is ready, and has a vote.
pub(in crate::plan) fn is_ready() -> Expr {
    says("/readyz").into()
}

/// What the member on this host says of itself: kubectl is what a bare host has for asking anything by HTTP.
pub(in crate::plan) fn says(path: &str) -> Cmd {
    Cmd::new(Program::Kubectl)
        .words(["--kubeconfig", "/dev/null", "--server", &probe_endpoint()])
        .words(["--request-timeout=5s", "get", "--raw", path])
}

/// The keys go from file to API server by pipes: no argument, no output and no other file ever holds one.
pub(super) fn secret() -> Lowered {
    let entries = [
        ("etcd-ca", format!("{PKI}/etcd/ca.crt")),
        ("etcd-cert", format!("{PKI}/{CALICO_CLIENT}.crt")),
        ("etcd-key", format!("{PKI}/{CALICO_CLIENT}.key")),
    ];
    // A certificate that fits its key and comes from the same place has the same authority too.
    let same = entries[1..].iter().map(|(key, path)| {
        let template = format!("go-template={{{{index .data \"{key}\" | base64decode}}}}");
        let known = kubectl_admin()
            .words(["get", "-n", NAMESPACE, "secret", SECRET, "-o", &template])
            .quiet_errors();
        Expr::Pipe(vec![known, Cmd::new(Program::Cmp).words(["-s", "-", path])])
    });
    let create = kubectl_admin()
        .words(["create", "secret", "generic", "-n", NAMESPACE, SECRET])
        .words(
            entries
                .iter()
                .map(|(key, path)| format!("--from-file={key}={path}")),
        )
        .words(["--dry-run=client", "-o", "yaml"]);
    let apply = kubectl_admin().words([
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=iec",
        "-f",
        "-",
    ]);
    Lowered {
        check: vec![question(
            format!("the Secret {SECRET} holds the certificate of {PKI}"),
            ask_cluster(Expr::all(same)),
        )],
        keep: vec![],
        apply: vec![Expr::Pipe(vec![create, apply])],
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: true,
    }
}

/// Calico reads its certificate when its pods start, and each host keeps a copy for its own use: a renewed one is in use
/// when the copy is the same. A rollout goes host by host, by itself.
pub(super) fn clients() -> Lowered {
    let certificate = format!("{PKI}/{CALICO_CLIENT}.crt");
    let in_use = Expr::from(
        Cmd::new(Program::Cmp)
            .words(["-s", &certificate, IN_USE])
            .quiet_errors(),
    );
    let restart = kubectl_admin()
        .words(["rollout", "restart", "-n", NAMESPACE])
        .words(["daemonset/calico-node", "deployment/calico-kube-controllers"]);
    Lowered {
        check: vec![question(
            "Calico on this host uses the certificate of its etcd",
            Expr::FailsWith(Box::new(in_use.clone()), 1),
        )],
        keep: vec![],
        apply: vec![
            Expr::If {
                // Without a copy Calico is still to start for the first time.
                condition: Box::new(Expr::all([test(["-e", IN_USE]), in_use.clone().not()])),
                then: vec![restart.into()],
                otherwise: vec![],
            },
            Expr::Poll {
                question: Box::new(in_use),
                every_seconds: 2,
                deadline_seconds: CLIENTS_SECONDS,
                units: Vec::new(),
                slowness: 1,
            },
        ],
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}
