//! Turns through the real shell: one control plane changes at a time, and none after one that failed.

use iec_core::content::Digest;
use iec_core::plan::{Among, Component, EtcdStart, Op, StaticPod};

use crate::gate::{control_plane, let_time_fly};
use crate::pretend::Pretend;

/// The Lease is a file: its holder, and behind it what the holder failed with.
const KUBECTL: &str = r#"
lease=/run/lease
holder() { if [ -e $lease ]; then sed 's/ .*//' $lease; fi; }
case "$*" in
*"create -f"*) echo take >>/run/turns; if [ -e $lease ]; then exit 1; fi; echo edge-1 >$lease ;;
*"delete -n kube-system lease/iec-turn"*) echo give >>/run/turns; rm -f $lease ;;
*annotate*) printf '%s kube-apiserver\n' "$(holder)" >$lease.new; mv $lease.new $lease ;;
*"get leases"*) holder; printf . ;;
*"jsonpath={.metadata.annotations"*) if [ -e $lease ]; then sed -n 's/.* //p' $lease; else exit 1; fi ;;
*"has had the turn"*) printf '%s has had the turn' "$(holder)" ;;
*"has the turn"*) printf '%s has the turn to change its control plane, and failed: ' "$(holder)" ;;
*"jsonpath={.spec.holderIdentity}"*) if [ -e $lease ]; then printf '%s' "$(holder)"; else exit 1; fi ;;
*--server*readyz*) grep -q -- --ok /etc/kubernetes/manifests/kube-apiserver.yaml ;;
esac
"#;

/// A control plane of three, which runs.
fn one_of_three() -> Pretend {
    let host = control_plane();
    host.stand_in("kubectl", KUBECTL);
    assert_eq!(host.apply("api", api_server("1")), "changed");
    host.write("/run/kubelet", "");
    host.write("/run/turns", "");
    host.write("/etc/kubernetes/admin.conf", "x");
    host
}

fn api_server(configuration: &str) -> Op {
    Op::StaticPod(StaticPod {
        component: Component::ApiServer,
        configuration: Digest::of(configuration.as_bytes()),
        among: Some(Among {
            node: "edge-1".to_owned(),
            server: "https://10.0.0.11:6443".to_owned(),
            quorum: 2,
        }),
        etcd: EtcdStart::Alone,
    })
}

fn given_back() -> Op {
    Op::TurnGivenBack {
        node: "edge-1".to_owned(),
    }
}

#[test]
fn a_change_takes_its_turn_and_gives_it_back() {
    let host = one_of_three();
    host.write("/etc/iec/kubeadm.yaml", "--ok=2");
    assert_eq!(host.apply("api", api_server("2")), "changed");
    assert_eq!(host.read("/run/lease"), None);
    assert_eq!(host.read("/run/turns").as_deref(), Some("take\ngive\n"));
    assert_eq!(host.apply("turn", given_back()), "adopted");
    // What is not changed takes no turn.
    assert_eq!(host.apply("api", api_server("2")), "unchanged");
    assert_eq!(host.read("/run/turns").as_deref(), Some("take\ngive\n"));
}

#[test]
fn who_waits_in_vain_is_told_who_has_the_turn() {
    let host = one_of_three();
    host.write("/run/lease", "edge-3\n");
    let_time_fly(&host, "");
    let before = host.read("/etc/kubernetes/manifests/kube-apiserver.yaml");
    host.write("/etc/iec/kubeadm.yaml", "--ok=2");
    let word = host.apply("api", api_server("2"));
    assert!(word.starts_with("failed command"), "{word}");
    assert!(word.contains("edge-3 has had the turn"), "{word}");
    assert_eq!(host.read("/etc/kubernetes/manifests/kube-apiserver.yaml"), before);
    assert_eq!(host.read("/run/lease").as_deref(), Some("edge-3\n"));
}

#[test]
fn a_change_waits_for_the_turn_of_another_one() {
    let host = one_of_three();
    host.write("/run/lease", "edge-3\n");
    let_time_fly(
        &host,
        "if [ -e /run/waited ]; then rm -f /run/lease; fi; touch /run/waited\n\
         flag=$(sed -n '5s/^    - //p' /etc/kubernetes/manifests/kube-apiserver.yaml)\n\
         printf 'kube-apiserver\\0%s\\0--secure-port=6443\\0' \"$flag\" >/proc/77/cmdline",
    );
    host.write("/proc/77/cmdline", "");
    host.write("/etc/iec/kubeadm.yaml", "--ok=2");
    assert_eq!(host.apply("api", api_server("2")), "changed");
    assert!(host.read("/run/waited").is_some());
    assert_eq!(host.read("/run/lease"), None);
}

#[test]
fn a_change_that_failed_elsewhere_is_not_made() {
    let host = one_of_three();
    host.write("/run/lease", "edge-3 kube-apiserver\n");
    host.write("/etc/iec/kubeadm.yaml", "--bad=1");
    let word = host.apply("api", api_server("bad"));
    assert!(
        word.contains("edge-3 has the turn to change its control plane, and failed: kube-apiserver"),
        "{word}"
    );
    let manifest = host.read("/etc/kubernetes/manifests/kube-apiserver.yaml");
    assert!(manifest.is_some_and(|text| text.contains("--ok=1")));
    assert!(
        host.read("/run/lease")
            .is_some_and(|lease| lease.starts_with("edge-3"))
    );
}

#[test]
fn who_fails_keeps_the_turn_until_all_is_well() {
    let host = one_of_three();
    host.write("/etc/iec/kubeadm.yaml", "--bad=1");
    let word = host.apply("api", api_server("bad"));
    assert!(word.contains("is as it was before"), "{word}");
    assert_eq!(
        host.read("/run/lease").as_deref(),
        Some("edge-1 kube-apiserver\n")
    );
    // The site file has its former value again: the pod is as it should be, and the turn is not needed any more.
    host.write("/etc/iec/kubeadm.yaml", "--ok=1");
    assert_eq!(host.apply("api", api_server("1")), "unchanged");
    assert_eq!(host.apply("turn", given_back()), "changed");
    assert_eq!(host.read("/run/lease"), None);
}

#[test]
fn who_has_no_turn_and_fails_says_nothing_in_that_of_another_one() {
    let host = control_plane();
    host.stand_in("kubectl", KUBECTL);
    // Its first start, for which nobody has to wait: there is nothing yet that it could stop.
    host.write("/run/kubelet", "");
    host.write("/run/lease", "edge-3\n");
    host.write("/etc/iec/kubeadm.yaml", "--bad=1");
    let word = host.apply("api", api_server("bad"));
    assert!(word.starts_with("failed command"), "{word}");
    assert_eq!(host.read("/run/lease").as_deref(), Some("edge-3\n"));
}
