//! The container runtime and its images.

use crate::content::Digest;
use crate::diagnostic::Diagnostic;
use crate::plan::containerd;
use crate::plan::op::{Op, ProgramOwner, SeedOp, Unit};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::plan::virtual_address::POD as KEEPALIVED;
use crate::seed::SeedLabel;
use crate::site::Role;

/// Images that only a control plane runs.
const CONTROL_PLANE_IMAGES: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];
/// Images that any node may run, the verification's nginx among them.
const NODE_IMAGES: [&str; 7] = [
    "pause",
    "kube-proxy",
    "coredns",
    "calico-node",
    "calico-cni",
    "calico-kube-controllers",
    "nginx",
];

/// The names in the bundle of the images that a host of this role gets.
#[must_use]
pub fn image_names(role: Role) -> Vec<&'static str> {
    let mut names = NODE_IMAGES.to_vec();
    if role == Role::ControlPlane {
        names.extend(CONTROL_PLANE_IMAGES);
    }
    names
}

pub(in crate::plan) fn runtime(part: &mut PartBuilder<'_>) {
    let programs: Vec<_> = [
        ("containerd", "/usr/local/bin/containerd"),
        (
            "containerd-shim-runc-v2",
            "/usr/local/bin/containerd-shim-runc-v2",
        ),
        ("ctr", "/usr/local/bin/ctr"),
        ("runc", "/usr/local/sbin/runc"),
    ]
    .into_iter()
    .filter_map(|(name, path)| part.binary(name, path))
    .collect();
    let runtime = programs
        .iter()
        .map(|program| program.digest.hex())
        .collect::<String>();
    let why = "containerd runs the containers, runc starts them.";
    let op = Op::Programs {
        programs,
        owner: ProgramOwner::Iec,
    };
    part.step(
        Phase::Runtime,
        "programs",
        "Install containerd and runc",
        why,
        2,
        op,
    );

    let plugins = part.cni_plugins();
    let why = "containerd gives pods their network by them. Calico replaces those that its own image holds.";
    let op = Op::Programs {
        programs: plugins,
        owner: ProgramOwner::Calico,
    };
    part.step(Phase::Runtime, "cni-plugins", "Install CNI plugins", why, 1, op);

    let Some(pause) = part.image("pause") else { return };
    let configuration = containerd::configuration(part.facts, &pause.reference);
    let unit = containerd::unit(part.facts);
    let digest = Digest::of(format!("{configuration}{unit}{runtime}").as_bytes());
    // Taken back last: a unit that was there before starts with its own configuration again.
    let why = "systemd starts it at boot and restarts it when it fails; containers outlive a restart.";
    part.file(
        Phase::Runtime,
        "containerd-unit",
        containerd::UNIT_FILE,
        0o644,
        why,
        unit,
    );
    let why = "The cgroup driver fits the kubelet's and this host; the pause image is the bundle's and is never removed.";
    part.file(
        Phase::Runtime,
        "containerd-config",
        containerd::CONFIG_FILE,
        0o644,
        why,
        configuration,
    );
    let creates = containerd::CREATES.map(str::to_owned).to_vec();
    let seeded = seed(part);
    let op = Op::Unit(Unit {
        name: "containerd.service".to_owned(),
        active: true,
        configuration: digest,
        creates,
        effects: vec![],
    });
    part.step(
        Phase::Runtime,
        "containerd",
        "Start containerd",
        "The kubelet needs it.",
        2,
        op,
    );

    let has_virtual_address = part.inputs.site.control_plane().virtual_address().is_some();
    let further = (part.host.role() == Role::ControlPlane && has_virtual_address).then_some(KEEPALIVED);
    let images: Vec<_> = image_names(part.host.role())
        .into_iter()
        .chain(further)
        .filter_map(|name| part.image(name))
        .collect();
    let title = format!("Import {} images", images.len());
    let why =
        "No registry is asked, now or later: the images are pinned, so that the kubelet never removes them.";
    let seconds = if seeded { 1 } else { 25 };
    part.step(Phase::Runtime, "images", title, why, seconds, Op::Images(images));
}

/// The images as they were unpacked elsewhere, where somebody did that for this host. Gives whether it was so.
fn seed(part: &mut PartBuilder<'_>) -> bool {
    let Some(seed) = part.inputs.seeds.get(part.host.name()) else {
        return false;
    };
    let host = part.host.name().to_string();
    let (release, content) = (part.inputs.release, part.inputs.content);
    let Some(wanted) = SeedLabel::wanted(
        release,
        content,
        [host.clone()],
        part.host.role(),
        part.architecture,
    ) else {
        return false;
    };
    if let Some(misfit) = seed.label.misfit(&wanted) {
        let message = format!("the seed for host {host} does not fit it: {misfit}");
        let problem = Diagnostic::error("IEC3009", message).at(part.host.place());
        part.problem(problem.hint(format!("iec bundle seed --host {host} --out FILE")));
        return false;
    }
    part.used_up(seed.digest, seed.size, "images that are unpacked");
    let images = image_names(part.host.role()).into_iter();
    let images = images.filter_map(|name| content.image(name, part.architecture));
    let mut files: Vec<Digest> = images
        .flat_map(|(_, image)| image.blobs())
        .map(|blob| blob.digest)
        .collect();
    files.sort_unstable();
    files.dedup();
    let op = Op::Seed(SeedOp {
        archive: seed.digest,
        label: seed.label.to_json(),
        machine: part.architecture.uname().to_owned(),
        files,
    });
    let title = format!(
        "Take {} images that are unpacked already",
        seed.label.images.len()
    );
    let why = "This host takes long to unpack images. Where its runtime has images of its own it keeps them, and the next step but one imports what is missing.";
    part.step(Phase::Runtime, "seed", title, why, 3, op);
    true
}
