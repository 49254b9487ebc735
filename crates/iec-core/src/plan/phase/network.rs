//! Pods get a network: Calico from the bundle's manifest, with the site's changes.

use crate::diagnostic::Diagnostic;
use crate::pace::Pace;
use crate::packet_size;
use crate::plan::calico::Patch;
use crate::plan::op::Op;
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::site::Cni;

/// The manifest on the control plane.
const MANIFEST_FILE: &str = "/etc/iec/manifests/calico.yaml";

pub(in crate::plan) fn network(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    let Cni::Calico(calico) = site.network().cni();
    if let Some(problem) = other_datastore(part) {
        part.problem(problem);
        return;
    }
    if site.network().has_calico_etcd() {
        super::calico_etcd(part);
    }
    let hosts = site
        .present_hosts()
        .filter_map(|host| part.inputs.facts.host(host.name().as_str()));
    let mtu = packet_size::of_pods(site, part.inputs.facts);
    let pace = hosts.map(Pace::of).fold(Pace::ORDINARY, Pace::slower_of);
    let Some(manifest) = part.inputs.calico_manifest else {
        return;
    };
    let patch = Patch::new(site, calico, mtu, pace);
    let manifest = match patch.apply(manifest) {
        Ok(manifest) => manifest,
        Err(error) => {
            part.problem(Diagnostic::error("IEC3004", error.to_string()).hint("iec bundle verify"));
            return;
        }
    };
    let why = "Calico's own manifest, with this site's pod network, encapsulation and address detection.";
    part.file(
        Phase::Network,
        "calico-manifest",
        MANIFEST_FILE,
        0o644,
        why,
        manifest,
    );
    let op = Op::Manifest {
        path: MANIFEST_FILE.to_owned(),
    };
    part.step(
        Phase::Network,
        "calico",
        "Start Calico",
        "It gives every pod an address and a way to every other pod.",
        3,
        op,
    );
    if site.network().has_calico_etcd() {
        super::calico_etcd_clients(part);
    }
}

/// Why Calico cannot keep its data where the site wants it: it has them elsewhere already, and pods have their addresses
/// from there.
fn other_datastore(part: &PartBuilder<'_>) -> Option<Diagnostic> {
    let cluster = &part.facts.cluster;
    let has = |files: &[String], name: &str| files.iter().any(|file| file == name);
    let (present, other) = if part.inputs.site.network().has_calico_etcd() {
        let calico = part.facts.previous.site.is_some() && has(&cluster.cni_files, "10-calico.conflist");
        let own = has(&cluster.kubernetes_files, "manifests/calico-etcd.yaml");
        (calico && !own, "kubernetes")
    } else {
        (
            has(&cluster.kubernetes_files, "manifests/calico-etcd.yaml"),
            "etcd",
        )
    };
    present.then(|| {
        let host = part.host.name();
        Diagnostic::error(
            "IEC3007",
            format!("Calico on {host} keeps its data elsewhere than the site now says"),
        )
        .hint(format!(
            "write `datastore: {other}` again; to change it, `iec reset` first, with the file as it was"
        ))
    })
}
