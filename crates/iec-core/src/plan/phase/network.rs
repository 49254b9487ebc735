//! Pods get a network: Calico from the bundle's manifest, with the site's changes.

use crate::diagnostic::Diagnostic;
use crate::pace::Pace;
use crate::packet_size;
use crate::plan::calico::{self, Patch};
use crate::plan::op::{CalicoSettings, Op};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::site::{Calico, Cni, Datastore, Encapsulation};

/// The manifest on the control plane. The probe reads there what the pool was made with.
const MANIFEST_FILE: &str = "/etc/iec/manifests/calico.yaml";
/// What the site sets in Calico's own kinds.
const SETTINGS_FILE: &str = "/etc/iec/manifests/calico-settings.yaml";

pub(in crate::plan) fn network(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    let Cni::Calico(calico) = site.network().cni();
    if let Some(problem) = other_datastore(part).or_else(|| other_pool(part, calico)) {
        part.problem(problem);
        return;
    }
    super::calico_etcd(part);
    super::calico_etcd_secret(part);
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
    let op = Op::Calico {
        manifest: MANIFEST_FILE.to_owned(),
        settings: (calico.datastore() == Datastore::Kubernetes).then(|| settings(part, calico)),
    };
    part.step(
        Phase::Network,
        "calico",
        "Start Calico",
        "It gives every pod an address and a way to every other pod.",
        3,
        op,
    );
    super::calico_etcd_clients(part);
}

/// What Calico and kube-proxy have on this host. Whoever runs the cluster may change both; the host says what it has.
pub(in crate::plan) fn network_of_host(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    let node = part.host.name().to_string();
    let mtu = packet_size::of_pods(site, part.inputs.facts).unwrap_or_default();
    let why = "calico-node brings its programs and the configuration by which the runtime uses them, when it starts. \
               Pods that were there before keep their links. It gives up after a quarter of an hour.";
    part.step(
        Phase::Node,
        "calico-on-host",
        "See that Calico is on the host",
        why,
        10,
        Op::CalicoOnHost {
            node: node.clone(),
            mtu,
        },
    );
    let proxy = site.network().kube_proxy();
    let networks: Vec<String> = proxy
        .node_port_addresses()
        .iter()
        .map(|network| format!("\"{network}\""))
        .collect();
    let addresses = if networks.is_empty() {
        "null".to_owned()
    } else {
        format!("[{}]", networks.join(","))
    };
    let settings = vec![
        format!("\"mode\":\"{}\"", proxy.mode().word()),
        format!("\"clusterCIDR\":\"{}\"", site.network().pods()),
        format!("\"nodePortAddresses\":{addresses}"),
    ];
    let why = "kube-proxy reads its configuration when it starts: what it runs with, it says itself.";
    part.step(
        Phase::Node,
        "kube-proxy-on-host",
        "See what kube-proxy on the host runs with",
        why,
        1,
        Op::ProxyOnHost { node, settings },
    );
}

/// The file of what the site sets in Calico's own kinds, which Calico keeps in the Kubernetes API.
fn settings(part: &mut PartBuilder<'_>, calico: &Calico) -> CalicoSettings {
    let why =
        "calico-node makes a pool only where there is none; from then on the pool itself is what counts.";
    let text = calico::settings(part.inputs.site, calico);
    part.file(Phase::Network, "calico-settings", SETTINGS_FILE, 0o644, why, text);
    CalicoSettings {
        path: SETTINGS_FILE.to_owned(),
        block_size: calico.block_size(),
    }
}

/// Why the pool that runs cannot become what the site says. Before Calico has started on the host there is none.
fn other_pool(part: &PartBuilder<'_>, calico: &Calico) -> Option<Diagnostic> {
    let cluster = &part.facts.cluster;
    if !has(&cluster.cni_files, CNI_FILE) {
        return None;
    }
    let pool = cluster.calico_pool.as_ref()?;
    let host = part.host.name();
    let runs = |setting: &str, value: &dyn std::fmt::Display| {
        format!("{setting} {value}, by {MANIFEST_FILE} on {host}, with which it was made")
    };
    if pool.block_size != calico.block_size() {
        let message = format!(
            "the pool of pods' addresses is in blocks of /{}, and `blockSize` is now {}",
            pool.block_size,
            calico.block_size()
        );
        let hint = format!(
            "write `blockSize: {}` again; to change it, `iec reset` first, with the file as it was",
            pool.block_size
        );
        return Some(
            Diagnostic::error("IEC3010", message)
                .evidence(runs("blocks of", &format!("/{}", pool.block_size)))
                .hint(hint),
        );
    }
    let wanted = calico.encapsulation();
    if calico.datastore() == Datastore::Etcd && pool.vxlan_mode != wanted.vxlan_mode() {
        let was = Encapsulation::of_vxlan_mode(&pool.vxlan_mode).map_or("", Encapsulation::word);
        let message = format!(
            "`encapsulation` is now {}, and the pool in Calico's own etcd has `vxlanMode: {}`",
            wanted.word(),
            pool.vxlan_mode
        );
        let hint = format!(
            "write `encapsulation: {was}` again: only Calico's own client changes a pool in its etcd, and the bundle has none"
        );
        return Some(
            Diagnostic::error("IEC3011", message)
                .evidence(runs("VXLAN", &pool.vxlan_mode))
                .hint(hint),
        );
    }
    None
}

/// The file by which the runtime gives pods their network, once Calico has started.
const CNI_FILE: &str = "10-calico.conflist";

fn has(files: &[String], name: &str) -> bool {
    files.iter().any(|file| file == name)
}

/// Why Calico cannot keep its data where the site wants it: it has them elsewhere already, and pods have their addresses
/// from there.
fn other_datastore(part: &PartBuilder<'_>) -> Option<Diagnostic> {
    let cluster = &part.facts.cluster;
    let (present, other) = if part.inputs.site.network().has_calico_etcd() {
        let calico = part.facts.previous.site.is_some() && has(&cluster.cni_files, CNI_FILE);
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
