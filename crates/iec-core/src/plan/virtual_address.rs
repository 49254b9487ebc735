//! The address that moves between control planes: keepalived's configuration, and the static pod that runs it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use serde_json::json;

use crate::content::{Digest, ImageItem};
use crate::pace::Pace;
use crate::plan::document;
use crate::site::{Site, SiteHost};

/// The image in the bundle, and the name of the pod before the name of its host.
pub const POD: &str = "keepalived";
/// keepalived's configuration on the host.
pub(super) const CONFIGURATION: &str = "/etc/iec/keepalived/keepalived.conf";
/// Its folder; the pod has it, so that a file that takes the place of another is seen.
const FOLDER: &str = "/etc/iec/keepalived";
/// Its static pod.
pub(super) const POD_FILE: &str = "/etc/kubernetes/manifests/keepalived.yaml";
/// The cluster's authority, by which the check knows the API server.
const AUTHORITY: &str = "/etc/kubernetes/pki/ca.crt";

/// Seconds between two checks of the API server.
const CHECK_EVERY: u32 = 2;
/// How many checks in a row must fail: one alone is a slow disk.
const CHECKS_TO_FAIL: u32 = 3;
/// The priority of the first control plane. By it a backup waits a little less (VRRP: up to a second) before it takes an
/// address that nobody has: two at once would argue about it.
const FIRST_PRIORITY: u8 = 250;
/// How much less the next one has: five control planes are the most.
const NEXT_PRIORITY: u8 = 50;

/// keepalived's configuration on this control plane.
///
/// Who has the address keeps it (`nopreempt`) while its API server answers; a host that comes back takes nothing away.
/// VRRP version 3 has no passwords, and those of version 2 went over the network in plain text: who is on the link of the
/// control planes can take any address there. Advertisements of others than the site's control planes are not heeded.
#[must_use]
pub(super) fn configuration(site: &Site, host: &SiteHost, address: Ipv4Addr, pace: Pace) -> String {
    let own = host.node_address();
    let port = site.control_plane().endpoint().port();
    let position = site
        .control_planes()
        .take_while(|other| other.name() != host.name());
    let priority = position.fold(FIRST_PRIORITY, |priority, _| {
        priority.saturating_sub(NEXT_PRIORITY).max(1)
    });
    let mut text = format!(
        "\
# {address} is on the control plane of this site that keepalived chooses. Written by IEC.
global_defs {{
    router_id {name}
    script_user root
    enable_script_security
    vrrp_version 3
}}
vrrp_script api {{
    script \"/usr/local/bin/api-answers {own} {port}\"
    interval {CHECK_EVERY}
    timeout {timeout}
    fall {CHECKS_TO_FAIL}
    rise 1
    init_fail
}}
vrrp_instance api {{
    state BACKUP
    nopreempt
    interface $INTERFACE
    virtual_router_id {router}
    priority {priority}
    advert_int 1
",
        name = host.name(),
        timeout = CHECK_EVERY.saturating_mul(pace.times()),
        router = router_id(address),
    );
    let peers: Vec<Ipv4Addr> = site
        .control_planes()
        .filter(|other| other.name() != host.name())
        .map(SiteHost::node_address)
        .collect();
    if !peers.is_empty() {
        writeln!(text, "    unicast_src_ip {own}\n    unicast_peer {{").expect("a string takes everything");
        for peer in peers {
            writeln!(text, "        {peer}").expect("a string takes everything");
        }
        text.push_str("    }\n");
    }
    write!(
        text,
        "    track_script {{\n        api\n    }}\n    virtual_ipaddress {{\n        {}\n    }}\n}}\n",
        as_configured(address)
    )
    .expect("a string takes everything");
    text
}

/// The address as the configuration has it.
pub(super) fn as_configured(address: Ipv4Addr) -> String {
    format!("{address}/32")
}

/// The number by which the control planes of a site know each other's advertisements, from 1 to 255: the same on all of
/// them. Another site's may be the same; its hosts are no peers.
fn router_id(address: Ipv4Addr) -> u8 {
    let digest = Digest::of(address.to_string().as_bytes()).hex();
    let first = u8::from_str_radix(&digest[..2], 16).expect("a digest is in hexadecimal digits");
    first.max(1)
}

/// What keepalived's command line says of all that it runs with: by it a host knows whether that is what it should be.
pub(super) fn configuration_id(
    configuration: &str,
    own: Ipv4Addr,
    address: Ipv4Addr,
    image: &ImageItem,
) -> String {
    let pod = pod(own, address, "", &image.reference);
    let all = format!("{configuration}{pod}{}", image.manifest.digest);
    // Digits with an `e` among them could be read as a number.
    format!("iec-{}", &Digest::of(all.as_bytes()).hex()[..16])
}

/// The command line of keepalived in the pod, as the image's start script makes it.
pub(super) fn command_line(configuration_id: &str) -> String {
    format!(
        "/usr/sbin/keepalived --dont-fork --log-console --vrrp --use-file=/run/keepalived.conf --config-id={configuration_id}"
    )
}

/// The static pod that runs it. It may change addresses, send packets of any protocol and set the groups of its check, and
/// nothing else that root may: a check whose groups keepalived cannot set counts as passed.
#[must_use]
pub(super) fn pod(own: Ipv4Addr, address: Ipv4Addr, configuration_id: &str, image: &str) -> String {
    let (configuration, authority, run) = ("configuration", "authority", "run");
    document::documents(&[json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": POD,
            "namespace": "kube-system",
            "labels": {"component": POD, "tier": "control-plane"},
        },
        "spec": {
            "hostNetwork": true,
            "priorityClassName": "system-node-critical",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            // It gives the address up before it ends.
            "terminationGracePeriodSeconds": 10,
            "containers": [{
                "name": POD,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": [
                    "/usr/local/bin/start-keepalived",
                    own.to_string(),
                    address.to_string(),
                    configuration_id,
                ],
                "resources": {"requests": {"cpu": "10m", "memory": "20Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW", "SETGID"]},
                    "readOnlyRootFilesystem": true,
                },
                "volumeMounts": [
                    {"name": configuration, "mountPath": "/etc/keepalived", "readOnly": true},
                    {"name": authority, "mountPath": AUTHORITY, "readOnly": true},
                    {"name": run, "mountPath": "/run"},
                ],
            }],
            "volumes": [
                {"name": configuration, "hostPath": {"path": FOLDER, "type": "Directory"}},
                {"name": authority, "hostPath": {"path": AUTHORITY, "type": "File"}},
                {"name": run, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            ],
        },
    })])
}
