//! A cluster that starts again from one member of etcd, through the real shell.

use iec_core::plan::{Op, RecoveryStep};
use iec_core::recovery::{Knowledge, Member, question};

use crate::gate::let_time_fly;
use crate::pretend::Pretend;

const MANIFEST: &str = "/etc/kubernetes/manifests/etcd.yaml";
const ORDINARY: &str =
    "spec:\n  containers:\n  - command:\n    - etcd\n    - --data-dir=/data\n    image: x\n";
const FORCED: &str = "spec:\n  containers:\n  - command:\n    - etcd\n    - --force-new-cluster\n    - --data-dir=/data\n    image: x\n";
/// The cluster's etcd as the kernel shows it; the folder of its data is written so that this host's is not meant.
const RUNS: &str = "printf 'etcd\\0--data-dir=/var/lib/etcd\\0' >/proc/77/cmdline";

/// A kubelet that runs what the manifest says whenever somebody waits, and notes each start of etcd.
const KUBELET: &str = r#"
if [ -e /etc/kubernetes/manifests/etcd.yaml ]; then
  flag=$(sed -n 's/^    - \(--force-new-cluster\)$/\1/p' /etc/kubernetes/manifests/etcd.yaml)
  printf 'etcd\0%s\0--data-dir=/var/lib/etcd\0' "$flag" >/proc/77/cmdline
  echo "start $flag" >>/run/starts
  touch /run/leader
else
  : >/proc/77/cmdline
fi
"#;

/// etcd, which has a leader once it has started alone.
const KUBECTL: &str = r#"
case "$*" in
*/readyz*) test -e /run/leader ;;
*/metrics*) cat /run/metrics ;;
*) exit 1 ;;
esac
"#;

fn member() -> Pretend {
    let host = Pretend::new();
    host.write(MANIFEST, ORDINARY);
    host.write("/proc/77/cmdline", "");
    host.shell(RUNS);
    host.write("/var/lib/etcd/member/snap/db", "what it knows");
    host.stand_in("kubectl", KUBECTL);
    host.stand_in("systemctl", "echo \"$*\" >>/run/systemctl");
    let_time_fly(&host, KUBELET);
    host
}

fn start_alone(host: &Pretend) -> String {
    host.apply("alone", Op::Recovery(RecoveryStep::StartAlone))
}

#[test]
fn etcd_starts_alone_once_and_then_as_ever() {
    let host = member();
    assert_eq!(start_alone(&host), "changed");
    assert_eq!(host.read(MANIFEST).as_deref(), Some(ORDINARY));
    let starts = host.read("/run/starts").unwrap();
    assert!(starts.starts_with("start --force-new-cluster\n"), "{starts}");
    assert!(starts.ends_with("start \n"), "{starts}");
    assert_eq!(
        host.read("/run/systemctl").as_deref(),
        Some("restart kubelet.service\n")
    );
    assert_eq!(
        host.read("/var/lib/etcd/member/snap/db").as_deref(),
        Some("what it knows")
    );
    // A second time there is nothing to do: with the flag its etcd would forget whoever has joined since.
    assert_eq!(start_alone(&host), "unchanged");
    assert_eq!(host.read("/run/starts").as_deref(), Some(starts.as_str()));
}

#[test]
fn a_start_that_was_cut_off_goes_on() {
    let host = member();
    host.write(MANIFEST, FORCED);
    host.write("/run/leader", "");
    assert_eq!(start_alone(&host), "changed");
    assert_eq!(host.read(MANIFEST).as_deref(), Some(ORDINARY));
}

#[test]
fn an_etcd_that_does_not_start_keeps_its_data_and_fails_the_step() {
    let host = member();
    let_time_fly(&host, "");
    let word = start_alone(&host);
    assert!(word.starts_with("failed command"), "{word}");
    assert_eq!(
        host.read("/var/lib/etcd/member/snap/db").as_deref(),
        Some("what it knows")
    );
}

#[test]
fn data_that_knows_less_is_kept_and_not_used() {
    let host = member();
    for component in ["kube-apiserver", "kube-scheduler", "kube-controller-manager"] {
        host.write(&format!("/etc/kubernetes/manifests/{component}.yaml"), "x");
    }
    host.write("/var/lib/iec/set/etcd", "sha256:1");
    let set_aside = || host.apply("aside", Op::Recovery(RecoveryStep::SetAside));
    assert_eq!(set_aside(), "changed");
    assert_eq!(host.shell("ls /etc/kubernetes/manifests"), "");
    assert_eq!(host.shell("ls /var/lib/etcd"), "");
    assert_eq!(host.read("/var/lib/iec/set/etcd"), None);
    let kept = "/var/lib/iec/etcd-set-aside/member/snap/db";
    assert_eq!(host.read(kept).as_deref(), Some("what it knows"));
    assert_eq!(set_aside(), "unchanged");

    // A second recovery, later: both are kept.
    host.write("/var/lib/etcd/member/snap/db", "what it knew later");
    assert_eq!(set_aside(), "changed");
    assert_eq!(host.read(kept).as_deref(), Some("what it knew later"));
    assert_eq!(
        host.read("/var/lib/iec/etcd-set-aside/member.~1~/snap/db")
            .as_deref(),
        Some("what it knows")
    );
}

#[test]
fn data_is_not_moved_from_under_an_etcd_that_does_not_end() {
    let host = member();
    let_time_fly(&host, "");
    let word = host.apply("aside", Op::Recovery(RecoveryStep::SetAside));
    assert!(word.starts_with("failed command"), "{word}");
    assert_eq!(
        host.read("/var/lib/etcd/member/snap/db").as_deref(),
        Some("what it knows")
    );
}

/// As etcd 3.6 prints them, with a peer that was taken out.
const METRICS: &str = r#"# TYPE etcd_server_has_leader gauge
etcd_server_has_leader 0
etcd_debugging_mvcc_current_revision 1.234567e+06
etcd_network_known_peers{Local="4d",Remote="4d"} 1
etcd_network_known_peers{Local="4d",Remote="7c"} 1
etcd_network_known_peers{Local="4d",Remote="92"} 1
etcd_network_known_peers{Local="4d",Remote="a1"} 0
etcd_server_proposals_applied_total 2.345678e+06
"#;

#[test]
fn a_member_tells_what_it_knows() {
    let host = member();
    let ask = || {
        Member::read(&host.shell(&format!(
            "PATH=/usr/local/sbin:$PATH\n{}",
            question().statement("")
        )))
    };
    host.write("/run/metrics", METRICS);
    let knows = Knowledge {
        has_leader: false,
        revision: 1_234_567,
        applied: 2_345_678,
        members: 3,
    };
    let member = Member {
        has_data: true,
        is_forced: false,
        knows: Some(knows),
    };
    assert_eq!(ask(), member);

    host.write(MANIFEST, FORCED);
    host.write("/run/metrics", &METRICS.replace("has_leader 0", "has_leader 1"));
    let forced = ask();
    assert!(forced.is_forced);
    assert!(forced.knows.is_some_and(|knows| knows.has_leader));

    // Its etcd does not run.
    host.shell("rm /run/metrics /etc/kubernetes/manifests/etcd.yaml");
    assert_eq!(
        ask(),
        Member {
            has_data: true,
            ..Member::default()
        }
    );
    host.shell("rm -r /var/lib/etcd/member");
    assert_eq!(ask(), Member::default());
}
