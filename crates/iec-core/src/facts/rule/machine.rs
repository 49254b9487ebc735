//! Rules about distribution, architecture, kernel, capacity and login.

use super::{Subject, degraded, size};
use crate::diagnostic::Diagnostics;
use crate::pace::Pace;
use crate::site::{Acceptance, Role};

/// The distributions that IEC knows, and the oldest release of each whose kernel and systemd do.
const OLDEST: [(&str, (u32, u32)); 2] = [("debian", (12, 0)), ("ubuntu", (22, 4))];
/// Calico's oldest kernel.
const OLDEST_KERNEL: (u32, u32) = (5, 10);
pub(super) fn distribution(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let found = &subject.facts.distribution;
    if found.is_assumed() {
        return;
    }
    let oldest = OLDEST
        .iter()
        .find(|(id, _)| *id == found.id)
        .map(|(_, version)| *version);
    // Debian's unstable has no version, and is newer than any.
    let supported =
        oldest.is_some_and(|oldest| found.version.is_empty() || version(&found.version) >= Some(oldest));
    if !supported {
        let message = format!(
            "{} runs a distribution that IEC does not install on",
            subject.name()
        );
        problems.push(
            subject
                .error("IEC1801", message)
                .evidence(format!(
                    "/etc/os-release says {} {} ({})",
                    found.id, found.version, found.name
                ))
                .hint("install Debian 12 or later, or Ubuntu 22.04 or later, on the host"),
        );
    }
}

/// `24.04` as numbers that compare.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    Some((
        major,
        parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0),
    ))
}

pub(super) fn architecture(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let kernel = &subject.facts.kernel;
    if kernel.is_assumed() || kernel.architecture().is_some() {
        return;
    }
    let message = format!(
        "{} has a processor architecture that IEC has no content for",
        subject.name()
    );
    problems.push(
        subject
            .error("IEC1802", message)
            .evidence(format!("`uname -m` prints {}", kernel.machine))
            .hint("use a host with 64-bit x86 (x86_64) or 64-bit Arm (aarch64), running a 64-bit kernel"),
    );
}

pub(super) fn kernel(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let kernel = &subject.facts.kernel;
    if !kernel.is_assumed() && kernel.version().is_none_or(|version| version < OLDEST_KERNEL) {
        let (major, minor) = OLDEST_KERNEL;
        problems.push(
            subject
                .error(
                    "IEC1803",
                    format!(
                        "the kernel of {} is older than {major}.{minor}, which Calico needs",
                        subject.name()
                    ),
                )
                .evidence(format!("`uname -r` prints {}", kernel.release))
                .hint("install the distribution's current kernel and boot it"),
        );
    }
}

pub(super) fn capacity(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let capacity = &subject.facts.capacity;
    if capacity.is_assumed() {
        return;
    }
    let role = subject.role();
    let least = subject.host.role().least_memory();
    let processors = subject.host.role().least_processors();
    if capacity.memory_total < least {
        degraded::report(
            subject,
            problems,
            Acceptance::SmallHost,
            "IEC1804",
            format!("{} has too little memory for a {role}", subject.name()),
            format!(
                "{} in all, {} are needed",
                size(capacity.memory_total),
                size(least)
            ),
            "give the host more memory, or another role",
        );
    }
    if capacity.cpus < processors {
        degraded::report(
            subject,
            problems,
            Acceptance::SmallHost,
            "IEC1805",
            format!("{} has too few processors for a {role}", subject.name()),
            format!("{} can be used, {processors} are needed", capacity.cpus),
            "give the host another processor, or another role",
        );
    }
    slowness(subject, problems);
}

/// What makes deadlines longer.
fn slowness(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let pace = Pace::of(subject.facts);
    let recorded = subject.facts.previous.pace.is_some();
    let evidence = |measured: Option<u64>, what: &str| match measured {
        Some(millis) if !recorded => format!("{millis} ms {what}"),
        _ => "found so when it was installed: /etc/iec/pace".to_owned(),
    };
    let capacity = &subject.facts.capacity;
    if pace.has_slow_processor() {
        let message = format!(
            "{} is slow: everything takes its time, and probes get longer periods",
            subject.name()
        );
        let evidence = evidence(capacity.hash_millis, "of processor time to hash 8 MiB");
        problems.push(subject.warning("IEC1806", message).evidence(evidence));
    }
    if pace.has_slow_disk() {
        let message = format!(
            "the disk of {} is slow: what is written is waited for longer",
            subject.name()
        );
        let evidence = evidence(
            capacity.disk_millis,
            "to write a mebibyte below /var/lib for good",
        );
        problems.push(
            subject
                .warning("IEC1810", message)
                .evidence(evidence)
                .hint("give containerd and etcd a faster disk where the host has one"),
        );
    }
}

pub(super) fn login(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let login = &subject.facts.login;
    if login.is_assumed() {
        return;
    }
    if subject.host.role() == Role::ControlPlane {
        kubeconfigs(subject, problems);
    }
    if !login.noise.is_empty() {
        problems.push(
            subject
                .warning("IEC1807", format!("logging in to {} prints something before any command runs", subject.name()))
                .evidence(format!("user {}, shell {}: `{}`", login.user, login.shell, login.noise))
                .hint("let the shell's start files print nothing where there is no terminal: scp and rsync break on it too"),
        );
    }
}

/// What keeps the administrator's kubeconfig from where a user's kubectl looks for it.
fn kubeconfigs(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let login = &subject.facts.login;
    for path in &login.kubeconfigs {
        problems.push(
            subject
                .warning("IEC1808", format!("{path} on {} is not by IEC and stays as it is", subject.name()))
                .evidence(format!("{path} is not /etc/kubernetes/admin.conf"))
                .hint("to use it with this cluster, merge /etc/kubernetes/admin.conf into it; or move it away and run `iec apply` again"),
        );
    }
    let account = login.account();
    if !login.homes.contains_key(account) {
        problems.push(
            subject
                .warning(
                    "IEC1808",
                    format!(
                        "{account} has no home folder on {} and gets no kubeconfig",
                        subject.name()
                    ),
                )
                .evidence(format!("`getent passwd {account}` names no folder that is there"))
                .hint("make one, or call kubectl as root"),
        );
    }
}
