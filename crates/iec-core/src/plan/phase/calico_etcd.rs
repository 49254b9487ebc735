//! Calico's own etcd on a control plane: authority, certificates, member, and the Secret by which Calico may use it.

use iec_sh::{Cmd, Program};

use crate::diagnostic::Diagnostic;
use crate::plan::calico_etcd::{MEMBER, PKI, StartsWith, command_line, issue_configuration, peer, pod};
use crate::plan::lower::calico_etcd::is_ready;
use crate::plan::lower::{Store, member_is_listed, node_units};
use crate::plan::op::{CalicoEtcdMember, CalicoEtcdStart, FileContent, FileOp, Op, SecretName, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::phase::join::DEADLINE_SECONDS as JOIN_SECONDS;
use crate::plan::role::{PlanRole, first_control_plane};
use crate::plan::step::Phase;

/// Seconds until etcd must be ready; its image is on the host already.
const DEADLINE_SECONDS: u32 = 300;

/// The member of this control plane, where Calico has an etcd of its own.
pub(in crate::plan) fn calico_etcd(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    if !site.network().has_calico_etcd() {
        return;
    }
    let Some(image) = part.image("etcd") else { return };
    let (node, address) = (part.host.name().to_string(), part.host.node_address());
    certificates(part, &node);
    let start = if part.role == PlanRole::FirstControlPlane {
        CalicoEtcdStart::Alone(pod(&node, address, &image.reference, StartsWith::Nobody))
    } else {
        wait_for_first(part);
        CalicoEtcdStart::Joins(first_control_plane(site, part.inputs.facts).name().to_string())
    };
    let count = site.control_planes().count();
    let member = Op::CalicoEtcdMember(CalicoEtcdMember {
        command_line: command_line(&node, address),
        peer: peer(part.host),
        pod: pod(&node, address, &image.reference, StartsWith::ItsData),
        start,
        quorum: (count > 1).then_some(count / 2 + 1),
        node,
    });
    part.step(
        Phase::Network,
        "calico-etcd",
        "Start Calico's etcd",
        "The site wants Calico's data apart from the cluster's. The kubelet runs it, as it runs the cluster's etcd.",
        8,
        member,
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
    part.step(
        Phase::Network,
        "calico-etcd-wait",
        "Wait for Calico's etcd",
        "Calico would fail again and again without it. It gives up after five minutes.",
        1,
        wait,
    );
}

/// Its authority, and the certificates that this control plane issues for its own member and for Calico.
fn certificates(part: &mut PartBuilder<'_>, node: &str) {
    let Some(authority) = &part.inputs.credentials.calico_etcd_ca else {
        let problem = "the site's credentials have no authority for Calico's own etcd";
        part.problem(Diagnostic::error("IEC3008", problem).hint("iec apply"));
        return;
    };
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
    part.step(
        Phase::Network,
        "calico-etcd-ca-key",
        format!("Install {path}"),
        "A key; it goes to control planes only, and is readable for root only.",
        0,
        key,
    );
    let kubernetes = part.inputs.release.kubernetes();
    let configuration = issue_configuration(node, part.host.node_address(), kubernetes);
    part.step(
        Phase::Network,
        "calico-etcd-certificates",
        "Issue certificates for Calico's etcd",
        "It speaks with nobody who cannot prove who it is. They last a year, and are issued anew three months before.",
        1,
        Op::CalicoEtcdCertificates { configuration },
    );
}

/// Until the first control plane's is a member that others reach, there is nothing to join.
fn wait_for_first(part: &mut PartBuilder<'_>) {
    let first = first_control_plane(part.inputs.site, part.inputs.facts);
    let ask = member_is_listed(Store::Calico, first.name().as_str(), &peer(first));
    let has_data = Cmd::new(Program::Test).words(["-d", MEMBER]);
    let wait = Wait {
        what: format!("Calico's etcd on {} can be joined", first.name()),
        ask,
        unless: Some(has_data.into()),
        every_seconds: 2,
        deadline_seconds: JOIN_SECONDS,
        units: vec![],
        explains: vec![],
    };
    part.step(
        Phase::Network,
        "calico-etcd-first",
        "Wait for Calico's etcd on the first control plane",
        "There is nothing to join before that. It gives up after half an hour.",
        5,
        Op::Wait(wait),
    );
}

/// The Secret by which Calico may use it.
pub(in crate::plan) fn calico_etcd_secret(part: &mut PartBuilder<'_>) {
    if part.inputs.site.network().has_calico_etcd() {
        part.step(
            Phase::Network,
            "calico-etcd-secret",
            "Give Calico its certificate",
            "Calico runs on every host and has its certificate from the cluster, out of files of this host.",
            1,
            Op::CalicoEtcdSecret,
        );
    }
}

/// Behind Calico's own start: what was renewed must be used too.
pub(in crate::plan) fn calico_etcd_clients(part: &mut PartBuilder<'_>) {
    if part.inputs.site.network().has_calico_etcd() {
        part.step(
            Phase::Network,
            "calico-etcd-clients",
            "Let Calico use its certificate",
            "It reads a renewed one when its pods start again, host after host. It gives up after ten minutes.",
            5,
            Op::CalicoEtcdClients,
        );
    }
}
