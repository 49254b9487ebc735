//! The host itself: names, kernel, swap, packages.

use std::net::Ipv4Addr;

use crate::content::Digest;
use crate::plan::op::{Op, Unit};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;
use crate::plan::{kubeadm, service_network, sysctls};
use crate::site::{EndpointHost, Role};

/// The kernel modules that containers and pods' networks need.
const MODULES: [&str; 4] = ["overlay", "br_netfilter", "nf_conntrack", "vxlan"];
/// The folder of the bundle's host tools.
const HOST_TOOLS: &str = "/opt/iec/host-tools";
/// The host tools that are linked into the path where the host has none.
const LINKED_TOOLS: [&str; 14] = [
    "iptables",
    "ip6tables",
    "iptables-nft-save",
    "iptables-nft-restore",
    "iptables-legacy-save",
    "iptables-legacy-restore",
    "ip6tables-nft-save",
    "ip6tables-nft-restore",
    "ip6tables-legacy-save",
    "ip6tables-legacy-restore",
    "ipset",
    "conntrack",
    "ethtool",
    "nft",
];

/// Where a slow host keeps how slow it was found; the probe reads it.
const PACE_FILE: &str = "/etc/iec/pace";

/// Packages that would bring a second runtime or another Kubernetes.
const PINNED: &str = "\
# Written by IEC: containerd, Kubernetes and what goes with them come from its bundle.
# No upgrade, attended or not, may bring a second one.
Package: containerd containerd.io docker* runc kubelet kubeadm kubectl cri-tools kubernetes-cni
Pin: release *
Pin-Priority: -1
";

pub(in crate::plan) fn system(part: &mut PartBuilder<'_>) {
    names(part);
    kernel(part);
    pace(part);
    part.file(
        Phase::System,
        "apt-pin",
        "/etc/apt/preferences.d/iec",
        0o644,
        "An unattended upgrade must not bring a second containerd or another kubelet.",
        PINNED,
    );
    host_tools(part);
    services(part);
}

/// A slow host keeps how slow it was found: measured anew it would be a little different each time.
fn pace(part: &mut PartBuilder<'_>) {
    if part.own_pace.is_ordinary() {
        return;
    }
    let why = "How many times slower processor and disk were found than those of an ordinary host. Deadlines and probes follow from it as long as the file is there.";
    let text = part.own_pace.record();
    part.file(Phase::System, "pace", PACE_FILE, 0o644, why, text);
}

fn names(part: &mut PartBuilder<'_>) {
    if let EndpointHost::Name(name) = part.inputs.site.control_plane().endpoint().host() {
        endpoint_name(part, name.as_ref());
    }
    let resolver = part.facts.pod_resolver_file().unwrap_or_else(|| {
        "# Written by IEC: this host has no name server that a pod could reach.\nnameserver 192.0.2.53\n"
            .to_owned()
    });
    let why = "Pods inherit it: the host's real name servers, without its search domains, which would make each name four questions.";
    part.file(
        Phase::System,
        "resolver",
        kubeadm::RESOLVER_FILE,
        0o644,
        why,
        resolver,
    );
}

/// The lines by which this host finds every API server under the endpoint's name. Programs ask the first, and go on to the
/// next where it does not answer (Go's dialer does, and so does curl).
fn endpoint_name(part: &mut PartBuilder<'_>, name: &str) {
    let control_planes = in_own_order(part);
    for (index, (host, address)) in control_planes.iter().enumerate() {
        let line = format!("{address} {name}");
        let (step, tag, why) = if index == 0 {
            let why = "Every host finds the API server by this name, so that one control plane can become three later.";
            (String::new(), "# IEC: API server".to_owned(), why)
        } else {
            let why = "When one control plane is gone, the others are found under the same name, without a load balancer.";
            (
                format!("-{host}"),
                format!("# IEC: another API server ({host})"),
                why,
            )
        };
        let entry = |path: &str| Op::Line {
            path: path.to_owned(),
            line: line.clone(),
            tag: tag.clone(),
        };
        part.step(
            Phase::System,
            &format!("endpoint-name{step}"),
            format!("Name the API server {name}"),
            why,
            0,
            entry("/etc/hosts"),
        );
        if part.facts.environment.manages_hosts_file {
            let why = "cloud-init writes /etc/hosts anew from this template at each boot.";
            let op = entry("/etc/cloud/templates/hosts.debian.tmpl");
            part.step(
                Phase::System,
                &format!("endpoint-name-template{step}"),
                "Name it in cloud-init's template too",
                why,
                0,
                op,
            );
        }
    }
}

/// The control planes as this host asks them: itself first; other hosts begin with different ones, so that not all ask the
/// same.
fn in_own_order(part: &PartBuilder<'_>) -> Vec<(String, Ipv4Addr)> {
    let site = part.inputs.site;
    let mut order: Vec<_> = site
        .control_planes()
        .map(|host| (host.name().to_string(), host.node_address()))
        .collect();
    let own = part.host.name();
    let workers_before = || site.workers().take_while(|host| host.name() != own).count();
    let first = site
        .control_planes()
        .position(|host| host.name() == own)
        .unwrap_or_else(|| workers_before() % order.len());
    order.rotate_left(first);
    order
}

fn kernel(part: &mut PartBuilder<'_>) {
    let why = "The kubelet does not start while swap is on; memory limits would mean nothing.";
    part.step(
        Phase::System,
        "swap",
        "Turn swap off, and keep it off",
        why,
        1,
        Op::SwapOff,
    );

    if part.facts.kernel.modprobe && part.facts.kernel.module_files {
        let list: String = MODULES.iter().map(|module| format!("{module}\n")).collect();
        let why = "Loaded again at each boot.";
        let text = format!("# Written by IEC.\n{list}");
        part.file(
            Phase::System,
            "modules-file",
            "/etc/modules-load.d/iec.conf",
            0o644,
            why,
            text,
        );
        let why = "Container file systems, bridged packets, connection tracking and the pods' VXLAN network need them.";
        let op = Op::Modules(MODULES.map(str::to_owned).to_vec());
        part.step(Phase::System, "modules", "Load kernel modules", why, 1, op);
    }

    let sysctls = sysctls::wanted(part.facts);
    let text: String = sysctls
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    let why = "Set again at each boot, after what other files set.";
    part.file(
        Phase::System,
        "boot-sysctls",
        sysctls::FILE,
        0o644,
        why,
        format!("# Written by IEC.\n{text}"),
    );
    let why = "The host forwards packets between pods, lets bridged packets pass the packet filter, and lets programs watch files.";
    part.step(
        Phase::System,
        "sysctls",
        "Set kernel parameters",
        why,
        0,
        Op::Sysctls(sysctls),
    );
}

fn host_tools(part: &mut PartBuilder<'_>) {
    let filters = part.facts.needs_host_tools();
    let reads_certificates =
        part.host.role() == Role::ControlPlane && part.inputs.site.network().has_calico_etcd();
    let needs_openssl = reads_certificates && !part.facts.software.has_tool("openssl");
    if !(filters || needs_openssl) {
        return;
    }
    let Some(blob) = part.tree("host-tools") else {
        return;
    };
    let (title, why) = if filters {
        (
            "Unpack packet filter tools",
            "This host lacks some of iptables, ipset, nft and conntrack; port mappings of pods and the rules of the service network need them, and so does whoever looks for a fault.",
        )
    } else {
        (
            "Unpack tools that the host lacks",
            "By openssl it is asked when the certificates of Calico's etcd end.",
        )
    };
    let op = Op::Tree {
        blob,
        into: HOST_TOOLS.to_owned(),
    };
    part.step(Phase::System, "host-tools", title, why, 1, op);
    let find_it = "So that the kubelet and CNI plugins find it.";
    let linked = LINKED_TOOLS
        .into_iter()
        .filter(|_| filters)
        .map(|tool| (tool, find_it));
    let openssl = needs_openssl.then_some(("openssl", "By it the host is asked when certificates end."));
    for (tool, why) in linked.chain(openssl) {
        if part.facts.software.has_tool(tool) {
            continue;
        }
        let op = Op::Link {
            path: format!("/usr/local/sbin/{tool}"),
            target: format!("{HOST_TOOLS}/bin/{tool}"),
        };
        part.step(
            Phase::System,
            &format!("host-tool.{tool}"),
            format!("Link {tool}"),
            why,
            0,
            op,
        );
    }
}

fn services(part: &mut PartBuilder<'_>) {
    let services = part.inputs.site.network().services();
    let script = service_network::script(services);
    let configuration = Digest::of(format!("{script}{}", service_network::UNIT).as_bytes());
    let why =
        "What is sent to an address of the service network that no service has must not leave the host.";
    part.file(
        Phase::System,
        "service-network-script",
        service_network::SCRIPT_FILE,
        0o755,
        why,
        script,
    );
    let why = "The guard stands after a reboot, before the kubelet starts, and comes back when somebody loads the packet filter anew.";
    part.file(
        Phase::System,
        "service-network-unit",
        service_network::UNIT_FILE,
        0o644,
        why,
        service_network::UNIT,
    );
    let op = Op::Unit(Unit {
        name: service_network::UNIT_NAME.to_owned(),
        active: true,
        configuration,
        creates: vec![],
        effects: service_network::effects(services),
    });
    let why = "Sets the guard now.";
    part.step(
        Phase::System,
        "service-network",
        "Guard the service network",
        why,
        1,
        op,
    );
}
