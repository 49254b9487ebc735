//! The address that moves between control planes: asked for first, then set up, then waited for.

use iec_sh::{Cmd, Expr, Program};

use super::kubernetes::{CLUSTER_CA_FILE, KUBECTL};
use crate::plan::lower::{ADMIN, kubectl_anonymous, node_units, static_pod_log};
use crate::plan::op::{Op, Require, VirtualAddressOp, Wait};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::plan::virtual_address::{
    CONFIGURATION, POD, as_configured, command_line, configuration, configuration_id, pod,
};

/// Seconds until the API must answer there: an API server reads a certificate with another name within a minute.
const DEADLINE_SECONDS: u32 = 240;

/// Whoever has the address must be one of the site's control planes.
pub(super) fn is_free(part: &mut PartBuilder<'_>) {
    let Some(address) = part.inputs.site.control_plane().virtual_address() else {
        return;
    };
    let server = format!(
        "https://{address}:{}",
        part.inputs.site.control_plane().endpoint().port()
    );
    let is_set_up = Cmd::new(Program::Grep).words(["-qswF", &as_configured(address), CONFIGURATION]);
    let is_ours = kubectl_anonymous(&server)
        .words(["--certificate-authority", CLUSTER_CA_FILE])
        .words(["get", "--raw", "/version"])
        .quiet();
    let address_word = address.to_string();
    let neighbour = |verb: &str| Cmd::new(Program::Ip).words(["-4", "neighbour", verb, "to", &address_word]);
    // The kernel knows an owner of before for a minute: it is to look for one now, which it does for the question.
    let forget = Expr::from(neighbour("flush").quiet()).ignore_failure();
    let has_neighbour = Expr::Pipe(vec![
        neighbour("show"),
        Cmd::new(Program::Grep).words(["-q", "lladdr"]),
    ]);
    let is_free = Expr::all([forget, Expr::any([is_ours.into(), has_neighbour.not()])]);
    let require = Require {
        what: format!("IEC1716: nobody but the site's control planes has the virtual address {address}"),
        ask: Expr::If {
            // A bare host cannot ask yet, and is asked again before it sets the address up.
            condition: Box::new(Cmd::new(Program::Test).words(["-x", KUBECTL]).into()),
            then: vec![Expr::any([is_set_up.into(), is_free])],
            otherwise: vec![],
        },
    };
    let why = "It is asked before the address is set up: two with one address are reached by chance.";
    part.step(
        Phase::ControlPlane,
        "virtual-address-free",
        "Has somebody else the virtual address?",
        why,
        3,
        Op::Require(require),
    );
}

/// keepalived with its configuration; behind everything that makes this a control plane.
pub(super) fn virtual_address(part: &mut PartBuilder<'_>) {
    let site = part.inputs.site;
    let Some(address) = site.control_plane().virtual_address() else {
        return;
    };
    let Some(image) = part.image(POD) else { return };
    let text = configuration(site, part.host, address, part.pace);
    let own = part.host.node_address();
    let id = configuration_id(&text, own, address, &image);
    let why = "By it keepalived knows the other control planes, and when this one may have the address.";
    part.file(
        Phase::ControlPlane,
        "keepalived-config",
        CONFIGURATION,
        0o600,
        why,
        text,
    );
    let why = "Clients outside the site have one address that outlives a control plane. keepalived gives it to one whose API server answers.";
    let op = Op::VirtualAddress(VirtualAddressOp {
        address,
        pod: pod(own, address, &id, &image.reference),
        command_line: command_line(&id),
        among: (site.control_planes().count() > 1).then(|| part.host.name().to_string()),
    });
    part.step(
        Phase::ControlPlane,
        "keepalived",
        "Run keepalived as a static pod",
        why,
        2,
        op,
    );
    let server = format!("https://{address}:{}", site.control_plane().endpoint().port());
    let ask = Cmd::new(Program::Kubectl)
        .words(["--kubeconfig", ADMIN, "--request-timeout=5s"])
        .words(["--server", &server, "get", "--raw", "/readyz"]);
    let wait = Wait {
        what: format!("the API answers at the virtual address {address}"),
        ask: ask.into(),
        unless: None,
        every_seconds: 1,
        deadline_seconds: DEADLINE_SECONDS,
        units: node_units(),
        explains: vec![static_pod_log(POD)],
    };
    part.step(
        Phase::ControlPlane,
        "virtual-address",
        "Wait for the API at the virtual address",
        "One of the control planes has it within seconds. It gives up after four minutes.",
        5,
        Op::Wait(wait),
    );
}
