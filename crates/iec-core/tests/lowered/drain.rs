//! A node that leaves with others is drained once nothing runs there but what belongs to the node.

use iec_core::plan::Op;

use crate::pretend::Pretend;

/// A cluster whose node `edge-2` has pods of these owners, a line for each; `closed` says of the node whether it takes none.
fn cluster(closed: &str, owners: &str) -> Pretend {
    let host = Pretend::new();
    host.write("/etc/kubernetes/admin.conf", "{}");
    host.write("/run/owners", owners);
    host.write("/run/closed", closed);
    host.stand_in(
        "kubectl",
        "case \" $* \" in
        *' get pods '*'spec.nodeName=edge-2 '*) cat /run/owners; printf . ;;
        *' get nodes '*'metadata.name=edge-2 '*) cat /run/closed; printf . ;;
        *' drain edge-2 '*)
          echo true >/run/closed
          grep -x 'DaemonSet\\|Node' /run/owners >/run/owners.new
          mv /run/owners.new /run/owners ;;
        *' get --raw /readyz '*) echo ok ;;
        *) exit 1 ;;
        esac",
    );
    host
}

fn drain() -> Op {
    Op::Drain {
        node: "edge-2".to_owned(),
        votes: true,
    }
}

#[test]
fn pods_go_that_may_run_elsewhere() {
    // A pod of nobody's has no owner.
    for owners in ["Node\nDaemonSet\nReplicaSet\n", "\nDaemonSet\n"] {
        let host = cluster("\n", owners);
        assert_eq!(host.apply("drain", drain()), "changed", "{owners}");
        assert!(
            host.read("/run/owners")
                .is_some_and(|left| left.contains("DaemonSet"))
        );
        assert_eq!(host.apply("drain", drain()), "unchanged");
    }
}

#[test]
fn a_node_that_others_send_no_pods_to_is_closed_too_and_silence_tells_nothing() {
    assert_eq!(cluster("\n", "Node\n").apply("drain", drain()), "changed");
    for closed in ["true\n", ""] {
        let host = cluster(closed, "Node\nDaemonSet\n");
        assert_eq!(host.apply("drain", drain()), "adopted", "{closed}");
    }
    let host = cluster("", "");
    host.stand_in("kubectl", "exit 1");
    assert!(host.apply("drain", drain()).starts_with("failed"));
}
