//! Rules that need a look at the hosts: whatever would stop an installation half-way is found before its first change.
//!
//! Errors refuse, warnings inform. What the plan adapts to by itself (a missing tool, a loopback resolver) is not reported.

mod clock;
mod degraded;
mod fixed;
mod fleet;
mod kernel;
mod kubelet;
mod machine;
mod network;
mod owner;
mod resolver;
mod software;
mod storage;
mod virtual_address;

use super::{Facts, HostAnswer, HostFacts, ProbeFailure};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::explain;
use crate::site::{Role, Site, SiteHost};

/// After this many seconds facts may no longer be true.
const OLD_SECONDS: i64 = 24 * 60 * 60;

/// What a site and its hosts are compared with. What is not known is not compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reference<'r> {
    /// The time now, in seconds since 1970.
    pub now: Option<i64>,
    /// The day on which the content was made, in seconds since 1970: no host's clock may be before it.
    pub content_date: Option<i64>,
    /// The random id of the site, which its credentials carry.
    pub site_id: Option<&'r str>,
    /// The SHA-256 of the site's cluster CA, as [`crate::probe::certificate_sha256`] gives it.
    pub ca_sha256: Option<&'r str>,
}

/// One present host and what is known about it.
struct Subject<'s> {
    site: &'s Site,
    host: &'s SiteHost,
    facts: &'s HostFacts,
    /// What is known about all hosts.
    all: &'s Facts,
    reference: Reference<'s>,
}

/// Judges one host.
type Rule = fn(&Subject<'_>, &mut Diagnostics);

/// The rules for one host, in the order of the sections of its facts.
const RULES: &[Rule] = &[
    machine::distribution,
    machine::architecture,
    machine::kernel,
    machine::capacity,
    machine::login,
    kubelet::reserved,
    storage::links,
    storage::space,
    storage::mount_options,
    storage::overlay_root,
    storage::zram,
    kernel::features,
    kernel::packet_filter,
    kernel::boot_parameters,
    kernel::control_groups,
    kernel::privileges,
    degraded::degraded,
    network::node_address,
    network::packet_size,
    network::kept_packet_size,
    network::moved_node,
    network::hostname,
    network::firewall,
    network::closed_chains,
    network::default_route,
    network::network_manager,
    virtual_address::subnet,
    virtual_address::owner,
    resolver::name_servers,
    resolver::proxies,
    clock::before_content,
    clock::operator,
    clock::synchronised,
    software::other_kubernetes,
    software::other_site,
    software::other_cluster,
    fixed::fixed_at_installation,
    software::docker_containers,
    software::lock,
    owner::masked_units,
    owner::overrides,
    owner::kubelet_arguments,
    owner::endpoint_name,
    owner::logging_sudo,
];

/// Rules that find what any site makes of its hosts: of a host of another site they say nothing new.
const RULES_OF_FREE_HOSTS: &[Rule] = &[
    network::overlaps,
    network::ports,
    software::runtime,
    software::cni,
];

/// Everything about the hosts that forbids this site, or that somebody should know, all at once.
///
/// Sections that nobody observed are not judged, but for what lowers support; [`refuse_assumed`] is for those.
/// Absent hosts are left alone; one without facts is an error.
#[must_use]
pub fn preflight(site: &Site, facts: &Facts, reference: &Reference<'_>) -> Diagnostics {
    let mut problems = Diagnostics::new();
    for host in site.present_hosts() {
        match facts.answer(host.name().as_str()) {
            Some(HostAnswer::Known(_)) => {}
            Some(HostAnswer::Failed(_)) if host.unreachable() => {}
            Some(HostAnswer::Failed(failure)) => problems.push(failed(host, failure)),
            None => problems.push(
                Diagnostic::error(
                    "IEC3001",
                    format!("there are no facts about host {}", host.name()),
                )
                .at(host.place())
                .hint("ask the hosts again with `iec check --probe --facts-out FILE`"),
            ),
        }
    }
    problems.extend(preflight_of_answers(site, facts, reference));
    problems
}

/// The same about the hosts that answered: those that did not are left out.
#[must_use]
pub fn preflight_of_answers(site: &Site, facts: &Facts, reference: &Reference<'_>) -> Diagnostics {
    let mut problems = Diagnostics::new();
    let subject = |host| {
        let known = facts.host(SiteHost::name(host).as_str())?;
        Some(Subject {
            site,
            host,
            facts: known,
            all: facts,
            reference: *reference,
        })
    };
    let subjects: Vec<Subject<'_>> = site.present_hosts().filter_map(subject).collect();
    for subject in &subjects {
        let of_free_hosts = if subject.is_of_another_site() {
            &[]
        } else {
            RULES_OF_FREE_HOSTS
        };
        for rule in RULES.iter().chain(of_free_hosts) {
            rule(subject, &mut problems);
        }
        assumed(subject, &mut problems);
    }
    fleet::machine_ids(&subjects, &mut problems);
    fleet::hardware_addresses(&subjects, &mut problems);
    fleet::foreign_addresses(&subjects, &mut problems);
    fleet::clocks(&subjects, &mut problems);
    owner::packet_sizes(&subjects, &mut problems);
    age(facts, reference, &mut problems);
    problems
}

/// An error for each host whose facts nobody observed, in whole or in part: nothing may be changed on such facts.
#[must_use]
pub fn refuse_assumed(facts: &Facts) -> Diagnostics {
    let hosts = facts.known().map(|(name, host)| (name, host.assumed()));
    hosts
        .filter(|(_, sections)| !sections.is_empty())
        .map(|(name, sections)| {
            Diagnostic::error(
                "IEC3110",
                format!("facts of {name} are assumed, and a host is changed on observed ones only"),
            )
            .evidence(format!("assumed: {}", sections.join(", ")))
            .hint("leave out `--facts`, so that the hosts are asked")
        })
        .collect()
}

/// A failed probe in the shape of the other problems. Codes come from whoever asked the host.
fn failed(host: &SiteHost, failure: &ProbeFailure) -> Diagnostic {
    let code = explain::explain(&failure.code).map_or("IEC3001", |row| row.code);
    let mut problem =
        Diagnostic::error(code, format!("host {}: {}", host.name(), failure.cause)).at(host.place());
    if !failure.evidence.is_empty() {
        problem = problem.evidence(failure.evidence.as_str());
    }
    if failure.next.is_empty() {
        problem
    } else {
        problem.hint(failure.next.as_str())
    }
}

/// A plan may rest on assumed facts; whoever reads it should know which.
fn assumed(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let sections = subject.facts.assumed();
    if !sections.is_empty() {
        problems.push(
            subject
                .warning("IEC3111", format!("facts of {} are assumed", subject.name()))
                .evidence(format!("assumed: {}", sections.join(", ")))
                .hint("ask the hosts with `iec check --probe` as soon as they can be reached"),
        );
    }
}

fn age(facts: &Facts, reference: &Reference<'_>, problems: &mut Diagnostics) {
    if let (Some(taken), Some(now)) = (facts.taken, reference.now)
        && now.saturating_sub(taken) > OLD_SECONDS
    {
        problems.push(
            Diagnostic::warning("IEC3112", "the facts are more than a day old")
                .evidence(format!("taken {}, now {}", clock::utc(taken), clock::utc(now)))
                .hint("ask the hosts again with `iec check --probe --facts-out FILE`"),
        );
    }
}

impl Subject<'_> {
    fn name(&self) -> &str {
        self.host.name().as_str()
    }

    /// The role as a person says it.
    fn role(&self) -> &'static str {
        if self.is_control_plane() {
            "control plane"
        } else {
            "worker"
        }
    }

    fn is_control_plane(&self) -> bool {
        self.host.role() == Role::ControlPlane
    }

    /// Whether an earlier run for this very site was here: what it installed is then no obstacle.
    fn is_ours(&self) -> bool {
        let previous = &self.facts.previous;
        let same_id = match (&previous.site_id, self.reference.site_id) {
            (Some(found), Some(wanted)) => found == wanted,
            _ => true,
        };
        same_id && previous.site.as_deref() == Some(self.site.name().as_str())
    }

    /// Whether another site has marked the host as its own.
    fn is_of_another_site(&self) -> bool {
        let previous = &self.facts.previous;
        previous.site.is_some() && !previous.is_assumed() && !self.is_ours()
    }

    /// Whether what is installed is this site's: ours, or installed by hand from its runbook, which is adopted then.
    fn is_known(&self) -> bool {
        let authority = self.facts.cluster.ca_sha256.as_deref();
        self.is_ours() || (authority.is_some() && authority == self.reference.ca_sha256)
    }

    fn error(&self, code: &'static str, message: String) -> Diagnostic {
        Diagnostic::error(code, message)
            .about(self.name())
            .at(self.host.place())
    }

    fn warning(&self, code: &'static str, message: String) -> Diagnostic {
        Diagnostic::warning(code, message)
            .about(self.name())
            .at(self.host.place())
    }
}

/// A number of bytes for a reader: `1.5 GiB`, `512 MiB`.
fn size(bytes: u64) -> String {
    let mebibytes = bytes >> 20;
    if mebibytes < 1024 {
        return format!("{mebibytes} MiB");
    }
    let tenths = mebibytes * 10 / 1024;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}
