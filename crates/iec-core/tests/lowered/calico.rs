//! Calico's objects and what the site sets in Calico's own kinds: made, changed and mended, whatever of them is lost.

use iec_core::plan::{CalicoSettings, Op};

use crate::pretend::Pretend;

const MANIFEST: &str = "/etc/iec/manifests/calico.yaml";
const SETTINGS: &str = "/etc/iec/manifests/calico-settings.yaml";

/// A cluster that has what is in `/run/cluster`, a file for each manifest that was applied. As an API server it knows no kind
/// of the settings before the manifest that defines them, and merges what it is given: `blockSize` of the pool is in
/// `/run/pool`.
const KUBECTL: &str = r#"echo "kubectl $*" >>/run/calls
    files() { while [ $# -gt 0 ]; do [ "$1" != -f ] || echo "$2"; shift; done; }
    defined() { test -e /run/cluster/calico.yaml || { echo 'no matches for kind "IPPool"' >&2; exit 1; }; }
    case "$*" in
    *readyz*) exit 0 ;;
    *\ diff\ --server-side\ --force-conflicts\ --field-manager=iec\ *)
      for file in $(files "$@"); do
        case $file in *settings*) defined ;; esac
        cmp -s "$file" "/run/cluster/${file##*/}" || differs=yes
      done
      # What a controller has written between the two moments at which it looks.
      test ! -e /run/moving || { cat /run/moving; n=$(cat /run/times); echo $((n - 1)) >/run/times; [ "$n" -gt 1 ] || rm /run/moving; exit 1; }
      [ -z "$differs" ] || exit 1 ;;
    *\ apply\ --server-side\ --force-conflicts\ --field-manager=iec\ *)
      for file in $(files "$@"); do
        case $file in *settings*) defined; sed -n 's/^ *blockSize: //p' "$file" >/run/pool ;; esac
        cp "$file" "/run/cluster/${file##*/}"
      done ;;
    *\ wait\ --for=condition=Established*) defined ;;
    *\ get\ ippools.crd.projectcalico.org\ default-ipv4-ippool\ --ignore-not-found*) cat /run/pool 2>/dev/null || : ;;
    *) echo "unexpected: $*" >&2; exit 1 ;;
    esac"#;

fn host() -> Pretend {
    let host = Pretend::new();
    host.write("/etc/kubernetes/admin.conf", "the administrator's\n");
    host.write("/run/cluster/.keep", "");
    host.write(MANIFEST, "kind: CustomResourceDefinition\n");
    host.write(
        SETTINGS,
        "kind: IPPool\nspec:\n  vxlanMode: Always\n  blockSize: 26\n",
    );
    host.stand_in("kubectl", KUBECTL);
    host
}

fn op() -> Op {
    Op::Calico {
        manifest: MANIFEST.to_owned(),
        settings: Some(CalicoSettings {
            path: SETTINGS.to_owned(),
            block_size: 26,
        }),
    }
}

#[test]
fn the_pool_comes_when_its_kind_is_there_and_whatever_is_lost_comes_back() {
    let host = host();
    assert_eq!(host.apply("calico", op()), "changed");
    assert_eq!(host.apply("calico", op()), "unchanged");
    for object in ["calico.yaml", "calico-settings.yaml"] {
        let path = format!("/run/cluster/{object}");
        let before = host.read(&path);
        std::fs::remove_file(host.path(&path)).expect("it was there");
        assert_eq!(host.apply("calico", op()), "changed", "without {object}");
        assert_eq!(host.read(&path), before, "{object}");
    }
}

#[test]
fn another_encapsulation_reaches_the_pool_that_runs() {
    let host = host();
    host.apply("calico", op());
    let changed = "kind: IPPool\nspec:\n  vxlanMode: CrossSubnet\n  blockSize: 26\n";
    host.write(SETTINGS, changed);
    assert_eq!(host.apply("calico", op()), "changed");
    assert_eq!(
        host.read("/run/cluster/calico-settings.yaml").as_deref(),
        Some(changed)
    );
    host.write("/run/cluster/calico-settings.yaml", "changed by hand\n");
    assert_eq!(host.apply("calico", op()), "changed");
    assert_eq!(
        host.read("/run/cluster/calico-settings.yaml").as_deref(),
        Some(changed)
    );
}

#[test]
fn a_pool_with_other_blocks_stays_as_it_is() {
    let host = host();
    host.apply("calico", op());
    host.write("/run/pool", "24\n");
    host.write("/run/cluster/calico-settings.yaml", "another pool\n");
    let word = host.apply("calico", op());
    assert!(
        word.contains("the pool default-ipv4-ippool runs with blocks of /24, the site has /26"),
        "{word}"
    );
    assert_eq!(
        host.read("/run/cluster/calico-settings.yaml").as_deref(),
        Some("another pool\n")
    );
}

#[test]
fn with_nothing_to_do_the_cluster_is_asked_once() {
    let host = host();
    host.apply("calico", op());
    std::fs::remove_file(host.path("/run/calls")).expect("it was asked");
    assert_eq!(host.observe(vec![("calico", op())])[0].1, "done");
    let calls = host.read("/run/calls").expect("it was asked");
    // Whether it answers at all is asked once in a run, for all questions.
    assert_eq!(
        calls.lines().filter(|call| !call.contains("readyz")).count(),
        1,
        "{calls}"
    );
}

/// As `kubectl diff` prints it with all lines around: the last number is the DaemonSet controller's.
const MOVING: &str = "\
diff -N -U99999 /tmp/LIVE-1/apps.v1.DaemonSet.kube-system.calico-node /tmp/MERGED-2/apps.v1.DaemonSet.kube-system.calico-node
--- /tmp/LIVE-1/apps.v1.DaemonSet.kube-system.calico-node
+++ /tmp/MERGED-2/apps.v1.DaemonSet.kube-system.calico-node
@@ -1,6 +1,6 @@
 kind: DaemonSet
 metadata:
-  resourceVersion: \"634\"
+  resourceVersion: \"640\"
 spec:
   updateStrategy: {}
 status:
-  numberReady: 1
+  numberReady: 2
";

#[test]
fn what_controllers_write_meanwhile_is_no_difference() {
    for times in ["1", "2", "3"] {
        let host = host();
        host.apply("calico", op());
        host.write("/run/moving", MOVING);
        host.write("/run/times", times);
        assert_eq!(host.observe(vec![("calico", op())])[0].1, "done", "{times}");
        let changed = MOVING.replace(
            "  updateStrategy: {}",
            "-  updateStrategy: {}\n+  updateStrategy: {type: OnDelete}",
        );
        host.write("/run/moving", &changed);
        host.write("/run/times", "9");
        assert_eq!(host.observe(vec![("calico", op())])[0].1, "needed", "{times}");
    }
}
