//! Members of Calico's own etcd through the real shell: alone, joining others, changed, cut off, and taken out.

use iec_core::plan::{CalicoEtcdMember, CalicoEtcdStart, LeavingMember, Op};

use crate::gate::let_time_fly;
use crate::pretend::Pretend;

const POD: &str = "/etc/kubernetes/manifests/calico-etcd.yaml";
const DATA: &str = "/var/lib/calico-etcd/member/wal";

/// The members are a file, as `etcdctl member list` prints them; what etcd is told is another one.
const KUBECTL: &str = r#"
lease=/run/lease
change() { awk "$@" /run/members >/run/members.new && mv /run/members.new /run/members; }
for word in "$@"; do last=$word; done
case "$*" in *\ add\ *|*\ promote\ *|*\ remove\ *|*\ update\ *) echo "${*#* member }" >>/run/told ;; esac
case "$*" in
*"/livez"*) test -d /var/lib/calico-etcd/member/wal && test -s /proc/77/cmdline ;;
*" /readyz"*) case "$*" in *6668*) grep -q "edge-2, .*false$" /run/members ;; esac ;;
*"member list") if [ -e /run/silent ]; then exit 1; fi; cat /run/members ;;
*" add "*) if grep -q "true$" /run/members; then echo 'too many learner members' >&2; exit 1; fi
  echo "2b, unstarted, , ${last#--peer-urls=}, , true" >>/run/members ;;
*" promote "*) change -F ', ' -v OFS=', ' -v id="$last" '$1 == id { $6 = "false" } { print }' ;;
*" remove "*) change -F ', ' -v id="$last" '$1 != id' ;;
*" update "*) change -F ', ' -v OFS=', ' -v peer="${last#--peer-urls=}" '$3 == "edge-2" { $4 = peer } { print }' ;;
*"get pods"*"component=calico-etcd"*) cat /run/pods ;;
*"create -f"*) echo take >>/run/turns; if [ -e $lease ]; then exit 1; fi; echo edge-2 >$lease ;;
*"delete -n kube-system lease/iec-turn"*) echo give >>/run/turns; rm -f $lease ;;
*annotate*) echo fail >>/run/turns ;;
*"jsonpath={.metadata.annotations"*) exit 1 ;;
*"jsonpath={.spec.holderIdentity}"*) if [ -e $lease ]; then printf '%s' "$(cat $lease)"; else exit 1; fi ;;
*"get nodes"*) printf . ;;
esac
"#;

/// A kubelet: it runs what its folder has, and etcd writes its log and tells the others its name.
const KUBELET: &str = r#"
pod=/etc/kubernetes/manifests/calico-etcd.yaml
if [ -s $pod ]; then

  if ! grep -q bad $pod; then sed -n 's/^    - //p' $pod | tr '\n' '\0' >/proc/77/cmdline; else rm -f /proc/77/cmdline; fi
  if [ ! -d /var/lib/calico-etcd/member/wal ] && ! grep -q existing $pod || grep -q "edge-1=" $pod; then
    mkdir -p /var/lib/calico-etcd/member/wal; cp $pod /run/started-with
    sed -i 's/unstarted, , /started, edge-2, /' /run/members
  fi
else rm -f /proc/77/cmdline; fi
:
"#;

fn host(members: &str) -> Pretend {
    let host = Pretend::new();
    host.stand_in("systemctl", ":");
    host.stand_in("kubectl", KUBECTL);
    let_time_fly(&host, KUBELET);
    for (path, text) in [
        ("/etc/kubernetes/admin.conf", "x"),
        ("/proc/77/status", ""),
        ("/run/members", members),
        ("/run/turns", ""),
        ("/run/told", ""),
        ("/run/pods", "edge-1 True\nedge-2 True\nedge-3 True\n"),
    ] {
        host.write(path, text);
    }
    host
}

fn pod(state: &str, more: &str) -> String {
    format!(
        "command:\n    - etcd\n    - --name=edge-2\n    - --initial-cluster=edge-2=https://10.0.0.12:6667\n    \
         - --initial-cluster-state={state}\n{more}"
    )
}

fn member(start: CalicoEtcdStart, more: &str, quorum: Option<usize>) -> Op {
    let pod = pod("existing", more);
    let words = pod.lines().filter_map(|line| line.strip_prefix("    - "));
    Op::CalicoEtcdMember(CalicoEtcdMember {
        node: "edge-2".to_owned(),
        peer: "https://10.0.0.12:6667".to_owned(),
        command_line: words.collect::<Vec<_>>().join(" "),
        pod,
        start,
        quorum,
    })
}

fn joins(more: &str) -> Op {
    member(CalicoEtcdStart::Joins("edge-1".to_owned()), more, Some(2))
}

const FIRST: &str = "1a, started, edge-1, https://10.0.0.11:6667, https://10.0.0.11:6666, false\n";

#[test]
fn the_first_makes_a_cluster_and_comes_back_only_with_its_data() {
    let host = host("2b, started, edge-2, https://10.0.0.12:6667, , false\n");
    let alone = || member(CalicoEtcdStart::Alone(pod("new", "")), "", None);
    assert_eq!(host.apply("member", alone()), "changed");
    assert_eq!(host.read("/run/started-with"), Some(pod("new", "")));
    assert_eq!(host.read(POD), Some(pod("existing", "")));
    assert_eq!(host.read("/run/told").as_deref(), Some(""));
    assert_eq!(host.apply("member", alone()), "unchanged");
    assert_eq!(host.read("/run/turns").as_deref(), Some(""));
}

#[test]
fn another_one_joins_as_a_learner_in_its_turn_and_gets_a_vote() {
    let host = host(FIRST);
    assert_eq!(host.apply("member", joins("")), "changed");
    let started = host.read("/run/started-with").expect("it has started");
    let all = "--initial-cluster=edge-1=https://10.0.0.11:6667,edge-2=https://10.0.0.12:6667\n";
    assert!(started.contains(all), "{started}");
    assert_eq!(host.read(POD), Some(pod("existing", "")));
    assert_eq!(
        host.read("/run/told").as_deref(),
        Some("add edge-2 --learner --peer-urls=https://10.0.0.12:6667\npromote 2b\n")
    );
    assert_eq!(host.read("/run/turns").as_deref(), Some("take\ngive\n"));
    assert_eq!(host.apply("member", joins("")), "unchanged");
}

#[test]
fn who_was_announced_and_never_started_is_announced_anew() {
    let host = host(&format!(
        "{FIRST}2b, unstarted, , https://10.0.0.12:6667, , true\n"
    ));
    assert_eq!(host.apply("member", joins("")), "changed");
    let told = host.read("/run/told").expect("it was told something");
    assert!(told.starts_with("remove 2b\nadd edge-2 "), "{told}");
}

#[test]
fn a_learner_that_was_cut_off_goes_on() {
    let host = host(&format!(
        "{FIRST}2b, started, edge-2, https://10.0.0.12:6667, , true\n"
    ));
    host.write(POD, "an earlier one");
    std::fs::create_dir_all(host.path(DATA)).expect("a folder");
    assert_eq!(host.apply("member", joins("")), "changed");
    assert_eq!(host.read("/run/told").as_deref(), Some("promote 2b\n"));
}

#[test]
fn a_member_that_was_alone_tells_where_others_reach_it() {
    let host = host("2b, started, edge-2, https://127.0.0.1:6667, , false\n");
    host.write(POD, "an earlier one");
    // Nobody else is there yet, and it may be stopped all the same.
    host.write("/run/pods", "edge-2 True\n");
    std::fs::create_dir_all(host.path(DATA)).expect("a folder");
    let first = || member(CalicoEtcdStart::Alone(pod("new", "")), "", Some(2));
    assert_eq!(host.apply("member", first()), "changed");
    assert_eq!(
        host.read("/run/told").as_deref(),
        Some("update 2b --peer-urls=https://10.0.0.12:6667\n")
    );
    assert_eq!(host.read("/run/turns").as_deref(), Some("take\ngive\n"));
    assert_eq!(host.apply("member", first()), "unchanged");
}

/// A member of three, which runs.
fn one_of_three() -> Pretend {
    let host = host(FIRST);
    assert_eq!(host.apply("member", joins("")), "changed");
    let third = "3c, started, edge-3, https://10.0.0.13:6667, , false\n";
    let members = host.read("/run/members").expect("members") + third;
    host.write("/run/members", &members);
    host.write("/run/turns", "");
    host
}

#[test]
fn a_member_stops_only_while_the_others_can_do_without_it() {
    let host = one_of_three();
    host.write("/run/pods", "edge-1 True\nedge-2 True\nedge-3 False\n");
    let word = host.apply("member", joins("    - --more=1\n"));
    assert!(word.starts_with("failed"), "{word}");
    assert_eq!(host.read(POD), Some(pod("existing", "")));
    host.write("/run/pods", "edge-1 True\nedge-2 True\nedge-3 True\n");
    assert_eq!(host.apply("member", joins("    - --more=1\n")), "changed");
    assert_eq!(host.read(POD), Some(pod("existing", "    - --more=1\n")));
}

#[test]
fn a_change_that_does_not_start_is_put_back_and_told() {
    let host = one_of_three();
    let word = host.apply("member", joins("    - --bad=1\n"));
    assert!(word.contains("is as it was before"), "{word}");
    assert_eq!(host.read(POD), Some(pod("existing", "")));
    assert_eq!(host.read("/run/turns").as_deref(), Some("take\nfail\n"));
}

#[test]
fn without_its_data_a_member_does_not_come_back_as_itself() {
    let host = one_of_three();
    std::fs::remove_dir_all(host.path("/var/lib/calico-etcd")).expect("removed");
    host.write("/run/told", "");
    // It would not be joined by one that has its own place in the list.
    host.write("/proc/77/cmdline", "");
    let word = host.apply("member", joins(""));
    assert_eq!(word, "changed");
    let told = host.read("/run/told").expect("it was told something");
    assert!(told.starts_with("remove 2b\nadd edge-2 "), "{told}");
}

#[test]
fn a_control_plane_leaves_calicos_etcd_too() {
    let members = format!("{FIRST}4d, started, edge-4, https://10.0.0.14:6667, , false\n");
    let host = host(&members);
    let leave = || Op::Leave {
        node: "edge-4".to_owned(),
        reachable: false,
        member: Some(LeavingMember {
            first: "edge-1".to_owned(),
            peer: "https://10.0.0.14:2380".to_owned(),
            calico_peer: Some("https://10.0.0.14:6667".to_owned()),
        }),
    };
    let state = |host: &Pretend| host.observe(vec![("leave", leave())])[0].1.clone();
    assert_eq!(state(&host), "partial");
    assert_eq!(host.apply("leave", leave()), "changed");
    assert_eq!(host.read("/run/told").as_deref(), Some("remove 4d\n"));
    assert_eq!(host.read("/run/members").as_deref(), Some(FIRST));
    // No answer is not an empty list.
    host.write("/run/silent", "");
    assert_ne!(state(&host), "done");
}
