//! Calico's own etcd on the control plane: authority, certificates, pod, and the Secret by which Calico may use it.

use crate::diagnostic::Diagnostic;
use crate::plan::calico_etcd::{PKI, POD_FILE, issue_configuration, pod};
use crate::plan::lower::calico_etcd::is_ready;
use crate::plan::lower::node_units;
use crate::plan::op::{FileContent, FileOp, Op, SecretName, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;

/// Seconds until etcd must be ready; its image is on the host already.
const DEADLINE_SECONDS: u32 = 300;

pub(in crate::plan) fn calico_etcd(part: &mut PartBuilder<'_>) {
    let Some(authority) = &part.inputs.credentials.calico_etcd_ca else {
        let problem = "the site's credentials have no authority for Calico's own etcd";
        part.problem(Diagnostic::error("IEC3008", problem).hint("iec apply"));
        return;
    };
    let Some(image) = part.image("etcd") else { return };
    let (node, address) = (part.host.name().to_string(), part.host.node_address());
    let configuration = issue_configuration(&node, address, part.inputs.release.kubernetes());
    part.file(
        Phase::Network,
        "calico-etcd-ca-certificate",
        &format!("{PKI}/etcd/ca.crt"),
        0o644,
        "An authority for nothing but Calico's etcd: whom it signs, the cluster does not trust.",
        authority.certificate_pem.as_str(),
    );
    let path = format!("{PKI}/etcd/ca.key");
    let key = Op::File(FileOp {
        path: path.clone(),
        mode: 0o600,
        content: FileContent::Secret(SecretName::CalicoEtcdCaKey),
    });
    let mut step = |name, title: &str, why, seconds, op| {
        part.step(Phase::Network, name, title, why, seconds, op);
    };
    step(
        "calico-etcd-ca-key",
        &format!("Install {path}"),
        "A key; it goes to control planes only, and is readable for root only.",
        0,
        key,
    );
    step(
        "calico-etcd-certificates",
        "Issue certificates for Calico's etcd",
        "It speaks with nobody who cannot prove who it is. They last a year, and are issued anew three months before.",
        1,
        Op::CalicoEtcdCertificates { configuration },
    );
    let pod = Op::File(FileOp {
        path: POD_FILE.to_owned(),
        mode: 0o600,
        content: FileContent::Text(pod(&node, address, &image.reference)),
    });
    step(
        "calico-etcd",
        "Start Calico's etcd",
        "The site wants Calico's data apart from the cluster's. The kubelet runs it, as it runs the cluster's etcd.",
        1,
        pod,
    );
    let wait = Op::Wait(Wait {
        what: "Calico's etcd is ready".to_owned(),
        ask: is_ready(),
        unless: None,
        every_seconds: 1,
        deadline_seconds: DEADLINE_SECONDS,
        units: node_units(),
        explains: vec![],
    });
    step(
        "calico-etcd-wait",
        "Wait for Calico's etcd",
        "Calico would fail again and again without it. It gives up after five minutes.",
        5,
        wait,
    );
    step(
        "calico-etcd-secret",
        "Give Calico its certificate",
        "Calico runs on every host and has its certificate from the cluster, out of files of this host.",
        1,
        Op::CalicoEtcdSecret,
    );
}

/// Behind Calico's own start: what was renewed must be used too.
pub(in crate::plan) fn calico_etcd_clients(part: &mut PartBuilder<'_>) {
    part.step(
        Phase::Network,
        "calico-etcd-clients",
        "Let Calico use its certificate",
        "It reads a renewed one when its pods start again, host after host. It gives up after ten minutes.",
        5,
        Op::CalicoEtcdClients,
    );
}
