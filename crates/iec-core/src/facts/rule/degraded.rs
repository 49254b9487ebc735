//! What lowers the support of a site, and must be accepted by name.

use super::Subject;
use crate::diagnostic::Diagnostics;
use crate::facts::CgroupVersion;
use crate::site::Acceptance;

/// The capability with which limits are raised and scores lowered.
const CAP_SYS_RESOURCE: u32 = 24;

/// Reports each degradation: as an error until the site accepts it, then as a note.
pub(super) fn degraded(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let facts = subject.facts;
    let name = subject.name();
    if facts.cgroup.version != CgroupVersion::V2 {
        report(
            subject,
            problems,
            Acceptance::CgroupV1,
            "IEC3101",
            format!("{name} has control groups of version 1, which Kubernetes no longer develops"),
            format!("layout: {}", facts.cgroup.version),
            "boot the host with `systemd.unified_cgroup_hierarchy=1`",
        );
    }
    if facts.privileges.container {
        report(
            subject,
            problems,
            Acceptance::ContainerHost,
            "IEC3102",
            format!("{name} is itself a container, which is good for trying and testing"),
            format!("systemd-detect-virt prints {}", facts.privileges.virtualisation),
            "use a real or virtual machine",
        );
    }
    if !facts.privileges.is_assumed() && !facts.privileges.has_capability(CAP_SYS_RESOURCE) {
        report(
            subject,
            problems,
            Acceptance::RestrictedCapabilities,
            "IEC3103",
            format!(
                "root on {name} may not raise limits: under memory pressure any container may be killed first"
            ),
            format!(
                "CAP_SYS_RESOURCE is missing from {:#x}",
                facts.privileges.capabilities
            ),
            "give the host all capabilities",
        );
    }
}

/// One degradation: an error until the site accepts it by name, then a note.
pub(super) fn report(
    subject: &Subject<'_>,
    problems: &mut Diagnostics,
    acceptance: Acceptance,
    code: &'static str,
    message: String,
    evidence: String,
    cure: &str,
) {
    problems.push(if subject.site.accepts(acceptance) {
        subject
            .warning(code, message)
            .evidence(evidence)
            .evidence(format!("the site accepts {acceptance}"))
            .accepted()
    } else {
        let hint = format!("{cure}, or write `accept: [{acceptance}]` into the site file");
        subject.error(code, message).evidence(evidence).hint(hint)
    });
}
