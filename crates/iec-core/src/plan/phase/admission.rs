//! Is this the right host, and may it be changed? Asked on the host itself, before its first change.

use iec_sh::{Cmd, Expr, Program};

use crate::plan::calico_etcd;
use crate::plan::fixed;
use crate::plan::marks::Marks;
use crate::plan::op::{Op, Require};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::site::Role;

/// The file that says to which site a host belongs.
const SITE_FILE: &str = "/etc/iec/site";

pub(in crate::plan) fn admission(part: &mut PartBuilder<'_>) {
    identity(part);
    clock(part);
    cluster(part);
    if part.host.role() == Role::ControlPlane && part.inputs.site.network().has_calico_etcd() {
        no_other_etcd(part);
    }
    same_as_installed(part);
    site(part);
}

/// Is it the host that was planned, with the processor that was planned?
fn identity(part: &mut PartBuilder<'_>) {
    let host = part.host.name();
    let marks = Marks::of(part.inputs.site, part.inputs.facts, part.host);
    // A host that nobody asked is known by its name as well, which the script that is carried to it asks.
    if marks.machine_id.is_some() {
        let (_, asks) = marks.question();
        let ask = Expr::any(asks);
        let what = format!("IEC1701: this is the host that was planned as {host}");
        require(part, "identity", "Is this the right host?", what, ask);
    }
    // Of a host that nobody asked, what was assumed is compared before the plan begins.
    if !part.facts.kernel.is_assumed() {
        let machine = part.architecture.uname();
        let ask = Expr::from(Cmd::new(Program::Uname).word("-m")).prints(machine);
        let what = format!(
            "IEC1710: the processor is {machine}, so that programs and images for {} run on it",
            part.architecture
        );
        require(
            part,
            "architecture",
            "Is its processor the planned one?",
            what,
            ask,
        );
    }
}

/// No certificate would be valid on a host whose clock is far behind.
fn clock(part: &mut PartBuilder<'_>) {
    let built = part.inputs.release.source_epoch().saturating_sub(86_400);
    let clock = Expr::Pipe(vec![
        Cmd::new(Program::Date).word("+%s"),
        Cmd::new(Program::Awk).word(format!("{{ exit $1 < {built} }}")),
    ]);
    let what =
        "IEC1702: the clock is not before the day the content was made, or no certificate would be valid yet";
    require(
        part,
        "clock",
        "Is the clock right enough?",
        what.to_owned(),
        clock,
    );
}

/// Whether the file is this certificate.
fn is_certificate(path: &str, pem: &str) -> Expr {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    Expr::Pipe(vec![
        Cmd::new(Program::Grep).words(["-v", "-e", "-----", path]),
        Cmd::new(Program::Tr).words(["-d", "\\r\\n"]),
    ])
    .prints(body)
}

fn cluster(part: &mut PartBuilder<'_>) {
    let authority = "/etc/kubernetes/pki/ca.crt";
    let ours = is_certificate(authority, &part.inputs.credentials.cluster_ca.certificate_pem);
    let none = Expr::from(Cmd::new(Program::Test).words(["-e", authority])).not();
    let what = "IEC1703: the host belongs to no other Kubernetes cluster".to_owned();
    require(
        part,
        "cluster",
        "Does it belong to another cluster?",
        what,
        Expr::any([none, ours]),
    );
}

fn no_other_etcd(part: &mut PartBuilder<'_>) {
    let is_there = |path: &str| Expr::from(Cmd::new(Program::Test).words(["-e", path]));
    let none = is_there(calico_etcd::MEMBER).not();
    // Whose authority the host has, of that etcd is what it knows: a reset takes both.
    let authority = format!("{}/etcd/ca.crt", calico_etcd::PKI);
    let known = &part.inputs.credentials.calico_etcd_ca;
    let ours = known.iter().map(|known| {
        let is_ours = is_certificate(&authority, &known.certificate_pem);
        Expr::all([is_there(&authority), is_ours])
    });
    let allowed = std::iter::once(none).chain(ours);
    require(
        part,
        "calico-etcd",
        "Is there data of another etcd of Calico?",
        format!(
            "IEC1705: no earlier etcd of Calico has left data in {}",
            calico_etcd::DATA
        ),
        Expr::any(allowed),
    );
}

/// A running cluster keeps what is fixed at installation.
fn same_as_installed(part: &mut PartBuilder<'_>) {
    let none = Expr::from(Cmd::new(Program::Test).words(["-e", fixed::FILE])).not();
    let same = Expr::from(Cmd::new(Program::Cat).word(fixed::FILE))
        .prints(fixed::record(part.inputs.site).trim_end_matches('\n'));
    require(
        part,
        "installed-with",
        "Was it installed with the same networks and endpoint?",
        format!(
            "IEC1711: what is fixed at installation is as {} has it",
            fixed::FILE
        ),
        Expr::any([none, same]),
    );
}

fn site(part: &mut PartBuilder<'_>) {
    let site = format!("{} {}", part.inputs.site.name(), part.inputs.credentials.site_id);
    let none = Expr::from(Cmd::new(Program::Test).words(["-e", SITE_FILE])).not();
    let ours = Expr::from(Cmd::new(Program::Cat).word(SITE_FILE)).prints(site.as_str());
    let what = "IEC1704: the host belongs to no other site of IEC".to_owned();
    require(
        part,
        "site",
        "Does it belong to another site?",
        what,
        Expr::any([none, ours]),
    );
    let why =
        "So that no plan of another site, and no script of this site from before a reset, changes this host.";
    part.file(
        Phase::Admission,
        "mark",
        SITE_FILE,
        0o644,
        why,
        format!("{site}\n"),
    );
}

fn require(part: &mut PartBuilder<'_>, name: &str, title: &str, what: String, ask: Expr) {
    let why = "Asked on the host itself, since a script may be carried to the wrong one.";
    part.step(
        Phase::Admission,
        name,
        title,
        why,
        0,
        Op::Require(Require { what, ask }),
    );
}

/// Says with what the host is installed, once there is no way back from it but a reset.
pub(super) fn installed_with(part: &mut PartBuilder<'_>, phase: Phase) {
    let why = "Networks, endpoint and datastore are fixed at installation: a later change of the site file is refused by this file.";
    let record = fixed::record(part.inputs.site);
    part.file(phase, "installed-with", fixed::FILE, 0o644, why, record);
}
