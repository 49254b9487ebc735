//! Pods get a network: Calico from the bundle's manifest, with the site's changes.

use crate::content::Digest;
use crate::diagnostic::Diagnostic;
use crate::plan::calico::Patch;
use crate::plan::op::Op;
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::site::{Cni, Datastore};

/// The manifest on the control plane.
const MANIFEST_FILE: &str = "/etc/iec/manifests/calico.yaml";

pub(in crate::plan) fn network(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    let Cni::Calico(calico) = site.network().cni();
    if calico.datastore() == Datastore::Etcd {
        let problem = "Calico with an etcd of its own cannot be installed by this version of IEC";
        part.problem(
            Diagnostic::error("IEC3006", problem).hint("write `datastore: kubernetes`, or leave it out"),
        );
        return;
    }
    let hosts = || {
        site.present_hosts()
            .filter_map(|host| Some((host, part.inputs.facts.host(host.name().as_str())?)))
    };
    let mtu = hosts()
        .filter_map(|(host, facts)| facts.network.mtu_of(host.node_address().into()))
        .min();
    let slow = hosts().any(|(_, facts)| facts.is_slow());
    let patch = Patch::new(site.network(), calico, mtu, slow);
    let manifest = match patch.apply(part.inputs.calico_manifest) {
        Ok(manifest) => manifest,
        Err(error) => {
            part.problem(Diagnostic::error("IEC3004", error.to_string()).hint("iec bundle verify"));
            return;
        }
    };
    let digest = Digest::of(manifest.as_bytes());
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
        digest,
        name: "calico".to_owned(),
    };
    part.step(
        Phase::Network,
        "calico",
        "Start Calico",
        "It gives every pod an address and a way to every other pod.",
        3,
        op,
    );
}
