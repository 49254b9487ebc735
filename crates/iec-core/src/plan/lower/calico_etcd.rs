//! Calico's own etcd: its certificates, and the Secret by which Calico gets one of them.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{kubectl_admin, question, test};
use super::{Lowered, Undo};
use crate::plan::calico_etcd::{CALICO_CLIENT, NAMESPACE, PKI, SECRET, probe_endpoint};

/// The certificates: kubeadm's name for each, and its file without an ending. Calico's is called as kubeadm calls that of
/// the cluster's only client: what a client may do, it may by having been signed.
const CERTIFICATES: [(&str, &str); 2] = [
    ("etcd-server", "etcd/server"),
    ("apiserver-etcd-client", CALICO_CLIENT),
];

pub(super) fn certificates(configuration: &str) -> Lowered {
    let written = CERTIFICATES
        .iter()
        .flat_map(|(_, file)| [format!("{PKI}/{file}.crt"), format!("{PKI}/{file}.key")])
        .map(|path| test(["-s", &path]));
    let each_file = |action: &[&str]| -> Expr {
        Cmd::new(Program::Find)
            .words([PKI, "-type", "f"])
            .words(action.iter().copied())
            .into()
    };
    // A power cut may have left empty files, and kubeadm neither replaces them nor waits for the disk.
    let mut apply = vec![each_file(&["-size", "0", "-delete"])];
    apply.extend(CERTIFICATES.iter().map(|(phase, _)| {
        let issue = Cmd::new(Program::Kubeadm).words(["init", "phase", "certs", phase]);
        issue
            .words(["--config", "/dev/stdin"])
            .stdin_text(configuration)
            .into()
    }));
    apply.push(each_file(&["-exec", "sync", "{}", "+"]));
    Lowered {
        check: vec![question(
            format!("the certificates in {PKI} are written"),
            Expr::all(written),
        )],
        apply,
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

/// Asks etcd whether it is ready: kubectl is what a bare host has for asking anything by HTTP.
pub(in crate::plan) fn is_ready() -> Expr {
    Cmd::new(Program::Kubectl)
        .words(["--kubeconfig", "/dev/null", "--server", &probe_endpoint()])
        .words(["--request-timeout=5s", "get", "--raw", "/readyz"])
        .into()
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
            // Before the certificates are issued there is no file to compare with.
            Expr::FailsWith(Box::new(Expr::all(same)), 1),
        )],
        apply: vec![Expr::Pipe(vec![create, apply])],
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: true,
    }
}
