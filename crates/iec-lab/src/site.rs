//! The site file that describes a lab to IEC, as it would describe any other hosts.

use std::fmt::Write;
use std::path::Path;

use crate::record::{LabHost, Record};

/// The capability with which limits are raised, by its number.
const CAP_SYS_RESOURCE: u32 = 24;

/// What the site file says beside the lab's own record.
pub(crate) struct SiteFacts<'a> {
    /// The private key to log in with.
    pub(crate) identity: &'a Path,
    /// Whether this machine has version 1 of control groups, which its hosts then have too.
    pub(crate) cgroup_v1: bool,
    /// Whether root on this machine, and so on its hosts, may not raise limits.
    pub(crate) restricted: bool,
}

/// The text of `site.yaml`.
pub(crate) fn text(record: &Record, facts: &SiteFacts<'_>) -> String {
    let request = &record.request;
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string does not fail");
    line("apiVersion: iec.dev/v1alpha1".to_owned());
    line("kind: Site".to_owned());
    line(format!("metadata: {{name: {}}}", request.name));
    line("spec:".to_owned());
    line(format!("  release: {}", quoted(&request.release)));
    if let Some(bundle) = &request.bundle {
        line(format!("  content: {{bundle: {}}}", quoted_path(bundle)));
    }
    line(format!(
        "  access: {{user: {}, identity: {}}}",
        crate::base::USER,
        quoted_path(facts.identity)
    ));
    line("  hosts:".to_owned());
    for host in &record.hosts {
        line(format!("    - {{{}}}", host_fields(host)));
    }
    // A workload with two replicas on different nodes must find two nodes that take it.
    let workers = record.request.hosts - record.request.control_planes;
    if workers < 2 {
        line("  controlPlane: {schedulable: true}".to_owned());
    }
    // Virtual machines have kernels and disks of their own: there is nothing to accept of them.
    if !request.has_containers() {
        return out;
    }
    // Containers share this machine's disk with everything else on it: shares of a disk that is not theirs mean nothing.
    line(
        "  kubelet: {evictionHard: {nodefs.available: 1Gi, imagefs.available: 1Gi, memory.available: 100Mi}}"
            .to_owned(),
    );
    let mut accepted = vec!["container-host"];
    accepted.extend(facts.cgroup_v1.then_some("cgroup-v1"));
    accepted.extend(facts.restricted.then_some("restricted-capabilities"));
    line(format!("  accept: [{}]", accepted.join(", ")));
    out
}

/// Whether root of this machine, and so root of its labs' hosts, may not raise limits.
pub(crate) fn root_is_restricted() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| lacks_resource_right(&status))
}

/// Whether the bounding set of capabilities lacks `CAP_SYS_RESOURCE`.
fn lacks_resource_right(status: &str) -> bool {
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    bounding
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .is_some_and(|set| set & (1 << CAP_SYS_RESOURCE) == 0)
}

fn host_fields(host: &LabHost) -> String {
    let mut fields = vec![format!("name: {}", host.name)];
    let mut addresses = host.addresses.iter();
    fields.extend(addresses.next().map(|address| format!("address: {address}")));
    fields.extend(addresses.next().map(|address| format!("nodeAddress: {address}")));
    fields.push(format!("role: {}", host.role.name()));
    fields.push(format!("hostKey: {}", quoted(&host.host_key)));
    fields.join(", ")
}

/// A JSON string is a YAML string too, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string can be written as JSON")
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::request::{Nics, UpRequest};

    fn record(request: &UpRequest, subnets: &[&str]) -> Record {
        let mut record = Record::intended(request);
        record.set_subnets(
            &subnets
                .iter()
                .map(|net| net.parse().expect("a network"))
                .collect::<Vec<_>>(),
        );
        for host in &mut record.hosts {
            host.host_key = "ssh-ed25519 AAAAC3Nz".to_owned();
        }
        record
    }

    #[test]
    fn three_hosts_on_a_machine_with_cgroup_v1() {
        let request = UpRequest {
            bundle: Some(PathBuf::from("/bundles/it's \"mine\"")),
            ..UpRequest::new("demo")
        };
        let facts = SiteFacts {
            identity: Path::new("/labs/demo/id_ed25519"),
            cgroup_v1: true,
            restricted: true,
        };
        let expected = r#"apiVersion: iec.dev/v1alpha1
kind: Site
metadata: {name: demo}
spec:
  release: "1.36"
  content: {bundle: "/bundles/it's \"mine\""}
  access: {user: edge, identity: "/labs/demo/id_ed25519"}
  hosts:
    - {name: edge-1, address: 10.89.70.11, role: control-plane, hostKey: "ssh-ed25519 AAAAC3Nz"}
    - {name: edge-2, address: 10.89.70.12, role: worker, hostKey: "ssh-ed25519 AAAAC3Nz"}
    - {name: edge-3, address: 10.89.70.13, role: worker, hostKey: "ssh-ed25519 AAAAC3Nz"}
  kubelet: {evictionHard: {nodefs.available: 1Gi, imagefs.available: 1Gi, memory.available: 100Mi}}
  accept: [container-host, cgroup-v1, restricted-capabilities]
"#;
        assert_eq!(text(&record(&request, &["10.89.70.0/24"]), &facts), expected);
    }

    #[test]
    fn one_host_with_two_cards_on_a_machine_with_cgroup_v2() {
        let request = UpRequest {
            hosts: 1,
            nics: Nics::Two,
            ..UpRequest::new("one")
        };
        let facts = SiteFacts {
            identity: Path::new("/labs/one/id_ed25519"),
            cgroup_v1: false,
            restricted: false,
        };
        let expected = r#"apiVersion: iec.dev/v1alpha1
kind: Site
metadata: {name: one}
spec:
  release: "1.36"
  access: {user: edge, identity: "/labs/one/id_ed25519"}
  hosts:
    - {name: edge-1, address: 10.89.70.11, nodeAddress: 10.89.71.11, role: control-plane, hostKey: "ssh-ed25519 AAAAC3Nz"}
  controlPlane: {schedulable: true}
  kubelet: {evictionHard: {nodefs.available: 1Gi, imagefs.available: 1Gi, memory.available: 100Mi}}
  accept: [container-host]
"#;
        assert_eq!(
            text(&record(&request, &["10.89.70.0/24", "10.89.71.0/24"]), &facts),
            expected
        );
    }

    #[test]
    fn the_right_to_raise_limits_is_read() {
        assert!(lacks_resource_right("Name:\tx\nCapBnd:\t000001fffeffffff\n"));
        assert!(!lacks_resource_right("Name:\tx\nCapBnd:\t000001ffffffffff\n"));
        assert!(!lacks_resource_right("Name:\tx\n"));
    }

    #[test]
    fn the_site_file_is_one_that_iec_takes() {
        for (hosts, control_planes, nics) in [
            (1, 1, Nics::One),
            (2, 1, Nics::Two),
            (3, 1, Nics::One),
            (5, 1, Nics::Two),
        ] {
            let request = UpRequest {
                hosts,
                control_planes,
                nics,
                ..UpRequest::new("demo")
            };
            let mut record = record(&request, &["10.89.70.0/24", "10.89.71.0/24"][..nics as usize + 1]);
            for host in &mut record.hosts {
                host.host_key =
                    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILbOEtU/KH8B8sk3hgyvkIctVuZ5B9yB6+L9xZA35Cgg"
                        .to_owned();
            }
            let facts = SiteFacts {
                identity: Path::new("/labs/demo/id_ed25519"),
                cgroup_v1: true,
                restricted: true,
            };
            let text = text(&record, &facts);
            let spec =
                iec_core::spec::parse(&text, "site.yaml").unwrap_or_else(|found| panic!("{found:?}\n{text}"));
            let (_, notes) =
                iec_core::site::validate(&spec).unwrap_or_else(|found| panic!("{found:?}\n{text}"));
            assert_eq!(
                format!("{notes:?}"),
                format!("{:?}", iec_core::diagnostic::Diagnostics::default()),
                "{text}"
            );
        }
    }
}
