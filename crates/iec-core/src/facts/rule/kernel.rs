//! Rules about what the kernel can do and what root may do.

use super::Subject;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Ability;
use crate::plan::sysctls;
use crate::site::Calico;

/// Features that were tried out: name, what needs it, the module that brings it.
const NEEDED: [(&str, &str, &str); 5] = [
    ("overlay", "the file systems of containers", "overlay"),
    ("vxlan", "the network between pods of different hosts", "vxlan"),
    ("veth", "the network of pods", "veth"),
    ("bridge", "port mappings and CNI plugins", "bridge"),
    (
        "policy-rules",
        "the guard of the service network",
        "a kernel with CONFIG_IP_MULTIPLE_TABLES",
    ),
];

/// Capabilities without which no container starts: bit, name.
const NEEDED_CAPABILITIES: [(u32, &str); 8] = [
    (0, "CAP_CHOWN"),
    (1, "CAP_DAC_OVERRIDE"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (12, "CAP_NET_ADMIN"),
    (13, "CAP_NET_RAW"),
    (18, "CAP_SYS_CHROOT"),
    (21, "CAP_SYS_ADMIN"),
];

pub(super) fn features(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let features = &subject.facts.features;
    if features.is_assumed() {
        return;
    }
    if let Some(message) = features.ability("namespaces").failure() {
        problems.push(
            subject
                .error(
                    "IEC1821",
                    format!(
                        "{} cannot make network and mount namespaces, which every container needs",
                        subject.name()
                    ),
                )
                .evidence(message)
                .hint("if the host is a container, give it the right to make namespaces (`--privileged`)"),
        );
    }
    for (name, need, module) in NEEDED {
        if let Some(message) = features.ability(name).failure() {
            let message = format!("tried out: {message}");
            problems.push(lacking(subject, "IEC1822", name, need, module).evidence(message));
        }
    }
    let calico = subject.site.network().cni().calico();
    if calico.is_some_and(Calico::wireguard)
        && let Some(message) = features.ability("wireguard").failure()
    {
        let message = format!("tried out: {message}");
        let need = "`wireguard: true` of Calico";
        problems.push(lacking(subject, "IEC1848", "wireguard", need, "wireguard").evidence(message));
    }
    if !features.shared_root {
        problems.push(
            subject
                .error(
                    "IEC1823",
                    format!(
                        "mounts on {} do not reach its containers: `/` is not a shared mount",
                        subject.name()
                    ),
                )
                .evidence("/proc/self/mountinfo has no `shared:` for /")
                .hint("run `mount --make-rshared /` at each boot; systemd does so on real hosts"),
        );
    }
}

/// Whoever sets a parameter at boot after IEC's own file has the last word: all is well until then.
pub(super) fn boot_parameters(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let features = &subject.facts.features;
    if features.is_assumed() {
        return;
    }
    // That of ufw, /etc/ufw/sysctl.conf, has a later name too, and comes later whatever its name.
    let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    for (name, wanted) in sysctls::wanted(subject.facts) {
        let last = features
            .boot_sysctls
            .iter()
            .rfind(|set| set.name == name && file_name(&set.file) > file_name(sysctls::FILE));
        let fits = |value: &str| {
            let number = |text: &str| text.parse::<u64>().ok();
            value == wanted || (sysctls::is_limit(&name) && number(value) >= number(&wanted))
        };
        let Some(set) = last.filter(|set| !fits(&set.value)) else {
            continue;
        };
        problems.push(
            subject
                .error(
                    "IEC1845",
                    format!("{name} of {} would not stay {wanted}: another file sets it at each boot, after IEC's", subject.name()),
                )
                .evidence(format!("{}: {name} = {}", set.file, set.value))
                .hint(format!("remove that line, or write {wanted} there")),
        );
    }
}

/// ipset and iptables are brought by IEC, so that only the kernel's part can be missing.
pub(super) fn packet_filter(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let (features, kernel) = (&subject.facts.features, &subject.facts.kernel);
    if features.is_assumed() || kernel.is_assumed() {
        return;
    }
    match features.ability("ipset") {
        Ability::Fails(message) => {
            problems.push(
                lacking(subject, "IEC1822", "ipset", "Calico's network policies", "ip_set")
                    .evidence(message.as_str()),
            );
        }
        Ability::Untested(_) if kernel_lacks(subject, "IP_SET", "ip_set") => {
            let evidence = "the kernel's configuration has no usable IP_SET";
            problems.push(
                lacking(subject, "IEC1822", "ipset", "Calico's network policies", "ip_set")
                    .evidence(evidence),
            );
        }
        _ => {}
    }
    let (legacy, nft) = (
        features.ability("iptables-legacy"),
        features.ability("iptables-nft"),
    );
    let tables_work = [legacy, nft, features.ability("nftables")]
        .into_iter()
        .any(Ability::works);
    let tracks = features.sysctls.contains_key("net.netfilter.nf_conntrack_max");
    for (works, option, module, need) in [
        (
            tables_work,
            "NF_TABLES",
            "nf_tables",
            "kube-proxy's and Calico's rules",
        ),
        (false, "NETFILTER_XT_SET", "xt_set", "Calico's network policies"),
        (tracks, "NF_CONNTRACK", "nf_conntrack", "connections to services"),
    ] {
        if !works && kernel_lacks(subject, option, module) {
            let evidence = format!("the kernel's configuration has no usable {option}");
            problems.push(lacking(subject, "IEC1822", module, need, module).evidence(evidence));
        }
    }
    if let (Some(legacy), Some(nft)) = (legacy.failure(), nft.failure()) {
        let need = "kube-proxy's and Calico's rules";
        problems.push(
            lacking(subject, "IEC1822", "iptables", need, "nf_tables")
                .evidence(format!("iptables-legacy: {legacy}"))
                .evidence(format!("iptables-nft: {nft}")),
        );
    }
}

/// Whether the kernel's configuration says that a feature is not there and cannot be loaded. Without a configuration
/// nobody knows.
fn kernel_lacks(subject: &Subject<'_>, option: &str, module: &str) -> bool {
    let kernel = &subject.facts.kernel;
    if kernel.config.is_empty() || kernel.modules.iter().any(|loaded| loaded == module) {
        return false;
    }
    match kernel.config.get(option).map(String::as_str) {
        Some("y") => false,
        Some("m") => !(kernel.modprobe && kernel.module_files),
        _ => true,
    }
}

/// A kernel feature that is not there, and how to get it on this kind of host.
fn lacking(subject: &Subject<'_>, code: &'static str, name: &str, need: &str, module: &str) -> Diagnostic {
    let kernel = &subject.facts.kernel;
    let hint = if subject.facts.privileges.container {
        format!("the host is a container: load {module} on the machine that runs it (`modprobe {module}`)")
    } else if !kernel.modprobe {
        format!("install the package kmod, which loads kernel modules such as {module}")
    } else if !kernel.module_files && subject.facts.distribution.id == "ubuntu" {
        format!(
            "install the package linux-modules-extra-{}, then reboot",
            kernel.release
        )
    } else if !kernel.module_files {
        format!(
            "the modules of kernel {} are not on the host: reboot into the installed kernel",
            kernel.release
        )
    } else {
        format!("load it (`modprobe {module}`), or install a kernel that has it")
    };
    subject
        .error(
            code,
            format!("the kernel of {} lacks {name}, needed for {need}", subject.name()),
        )
        .hint(hint)
}

pub(super) fn control_groups(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let cgroup = &subject.facts.cgroup;
    if cgroup.is_assumed() {
        return;
    }
    if !cgroup.systemd {
        problems.push(
            subject
                .error("IEC1824", format!("systemd is not the first process on {}, so nothing would start at boot", subject.name()))
                .evidence("/proc/1/comm")
                .hint("use a host that boots with systemd; a container needs an init of its own (`podman run --systemd=always`)"),
        );
    }
    let missing: Vec<&str> = ["cpu", "memory", "pids"]
        .into_iter()
        .filter(|name| !cgroup.controllers.iter().any(|known| known == name))
        .collect();
    if !missing.is_empty() {
        problems.push(
            subject
                .error("IEC1825", format!("control groups of {} cannot limit {}", subject.name(), missing.join(", ")))
                .evidence(format!("controllers: {}", cgroup.controllers.join(", ")))
                .hint("on a Raspberry Pi add `cgroup_enable=memory cgroup_memory=1` to /boot/firmware/cmdline.txt and reboot"),
        );
    }
}

pub(super) fn privileges(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let privileges = &subject.facts.privileges;
    if privileges.is_assumed() {
        return;
    }
    let missing: Vec<&str> = NEEDED_CAPABILITIES
        .into_iter()
        .filter(|(bit, _)| !privileges.has_capability(*bit))
        .map(|(_, name)| name)
        .collect();
    if !missing.is_empty() {
        problems.push(
            subject
                .error(
                    "IEC1826",
                    format!(
                        "root on {} lacks rights without which no container starts",
                        subject.name()
                    ),
                )
                .evidence(format!("missing: {}", missing.join(", ")))
                .hint("the host is a restricted container: run it privileged, or use a real host"),
        );
    }
}
