//! What a running program reads is changed, and is as it was before when the program does not accept it.

use iec_core::content::Digest;
use iec_core::plan::{Component, EtcdStart, Op, StaticPod};

use crate::pretend::Pretend;

/// A kubelet that runs with any configuration but a bad one. The kubelet's start is a file whose time is that of the start.
const SYSTEMCTL: &str = r#"
case "$*" in
*ExecMainStartTimestamp*) test ! -e /run/started || date -d "@$(stat -c %.6Y /run/started)" '+%Y-%m-%d %H:%M:%S.%6N UTC' -u ;;
restart*) echo restart >>/run/calls; /bin/sleep 0.02; touch /run/started ;;
is-active*) test -e /run/kubelet ;;
show*) printf 'NRestarts=0\nActiveState=active\n' ;;
esac
"#;

/// A clock that only goes on while somebody sleeps, a minute each time; `meanwhile` happens then.
pub(crate) fn let_time_fly(host: &Pretend, meanwhile: &str) {
    host.write("/run/clock", "1000");
    host.stand_in(
        "date",
        "if [ \"$*\" = +%s ]; then cat /run/clock; else exec /bin/date \"$@\"; fi",
    );
    let sleep = "echo $(($(cat /run/clock) + 60)) >/run/clock.new; mv /run/clock.new /run/clock";
    host.stand_in("sleep", &format!("{sleep}\n{meanwhile}"));
}

fn kubelet_host() -> Pretend {
    let host = Pretend::new();
    host.stand_in("systemctl", SYSTEMCTL);
    let_time_fly(&host, "");
    host.stand_in("kubectl", "! grep -q bad /var/lib/kubelet/config.yaml");
    host.stand_in("journalctl", "echo 'failed to load kubelet config file'");
    // What kubeadm has written and started it with.
    host.write("/var/lib/kubelet/config.yaml", "maxPods: 110\n");
    host.write("/run/started", "");
    host
}

fn kubelet(text: &str) -> Op {
    Op::KubeletConfiguration(text.to_owned())
}

const CONFIGURATION: &str = "/var/lib/kubelet/config.yaml";

#[test]
fn a_kubelet_runs_with_what_the_plan_says() {
    let host = kubelet_host();
    assert_eq!(host.apply("kubelet", kubelet("maxPods: 60\n")), "changed");
    assert_eq!(host.read(CONFIGURATION).as_deref(), Some("maxPods: 60\n"));
    assert_eq!(host.read("/run/calls").as_deref(), Some("restart\n"));
    assert_eq!(host.apply("kubelet", kubelet("maxPods: 60\n")), "unchanged");

    // Somebody edits the file: it is mended, and the kubelet that may have read it is started again.
    host.write(CONFIGURATION, "maxPods: 500\n");
    assert_eq!(host.apply("kubelet", kubelet("maxPods: 60\n")), "changed");
    assert_eq!(host.read("/run/calls").as_deref(), Some("restart\nrestart\n"));

    // The file is right, but a kubelet that is older than it does not know that.
    std::thread::sleep(std::time::Duration::from_millis(20));
    host.write(CONFIGURATION, "maxPods: 60\n");
    assert_eq!(host.apply("kubelet", kubelet("maxPods: 60\n")), "changed");
}

#[test]
fn a_configuration_that_the_kubelet_refuses_is_taken_back() {
    let host = kubelet_host();
    assert_eq!(host.apply("kubelet", kubelet("maxPods: 60\n")), "changed");
    let word = host.apply("kubelet", kubelet("bad\n"));
    assert!(word.starts_with("failed command"), "{word}");
    assert!(word.contains("failed to load kubelet config file"), "{word}");
    assert!(
        word.contains("config.yaml did not work, and is as it was before"),
        "{word}"
    );
    assert_eq!(host.read(CONFIGURATION).as_deref(), Some("maxPods: 60\n"));
    assert_eq!(host.read("/var/lib/iec/former/kubelet-configuration.yaml"), None);
    // What works is not disturbed again.
    assert_eq!(host.apply("kubelet", kubelet("maxPods: 60\n")), "unchanged");
}

#[test]
fn a_run_that_was_cut_between_change_and_acceptance_can_still_go_back() {
    let host = kubelet_host();
    // The new file is there, and the kubelet was started with it; nobody has seen whether it works.
    host.write("/var/lib/iec/former/kubelet-configuration.yaml", "maxPods: 60\n");
    host.write(CONFIGURATION, "bad\n");
    host.write("/run/started", "");
    let word = host.apply("kubelet", kubelet("bad\n"));
    assert!(word.contains("is as it was before"), "{word}");
    assert_eq!(host.read(CONFIGURATION).as_deref(), Some("maxPods: 60\n"));
}

/// kubeadm writes the arguments that its configuration has; the kubelet runs what it is given, but for a bad flag.
const KUBEADM: &str = r#"
flag=$(cat /etc/iec/kubeadm.yaml)
mkdir -p /etc/kubernetes/manifests
printf 'spec:\n  containers:\n  - command:\n    - kube-apiserver\n    - %s\n    - --secure-port=6443\n    image: x\n' "$flag" \
  >/etc/kubernetes/manifests/kube-apiserver.yaml
"#;
/// Starts what the file says, as a kubelet would, and then answers as the API server.
const KUBECTL: &str = r#"
case "$*" in *readyz*) ;; *) exit 1 ;; esac
grep -q -- --ok /etc/kubernetes/manifests/kube-apiserver.yaml
"#;

pub(crate) fn control_plane() -> Pretend {
    let host = Pretend::new();
    host.stand_in("systemctl", SYSTEMCTL);
    // Each look at the API server is a chance for the kubelet to have started what its file says.
    let_time_fly(
        &host,
        "flag=$(sed -n '5s/^    - //p' /etc/kubernetes/manifests/kube-apiserver.yaml)\n\
         mkdir -p /proc/77\n\
         printf 'kube-apiserver\\0%s\\0--secure-port=6443\\0' \"$flag\" >/proc/77/cmdline",
    );
    host.stand_in("kubectl", KUBECTL);
    host.stand_in("kubeadm", KUBEADM);
    host.write("/etc/iec/kubeadm.yaml", "--ok=1");
    host.write("/var/log/pods/none", "");
    host
}

fn api_server(configuration: &str) -> Op {
    Op::StaticPod(StaticPod {
        component: Component::ApiServer,
        configuration: Digest::of(configuration.as_bytes()),
        among: None,
        etcd: EtcdStart::Alone,
    })
}

const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

#[test]
fn a_static_pod_is_what_was_written_last_and_runs_so() {
    let host = control_plane();
    // Before the kubelet's first start.
    assert_eq!(host.apply("api", api_server("1")), "changed");
    assert_eq!(host.apply("api", api_server("1")), "unchanged");
    let written = host.read(MANIFEST).expect("it is written");

    host.write("/run/kubelet", "");
    // Nothing runs yet, which is waited for.
    assert_eq!(host.apply("api", api_server("1")), "changed");
    assert_eq!(host.apply("api", api_server("1")), "unchanged");

    host.write(
        MANIFEST,
        &written.replace("--ok=1", "--ok=1\n    - --profiling=true"),
    );
    assert_eq!(host.apply("api", api_server("1")), "changed");
    assert_eq!(host.read(MANIFEST).as_deref(), Some(written.as_str()));

    // Another one runs than the file says.
    host.write("/proc/77/cmdline", "kube-apiserver\0--other\0");
    assert_eq!(host.apply("api", api_server("1")), "changed");

    host.write("/etc/iec/kubeadm.yaml", "--ok=2");
    assert_eq!(host.apply("api", api_server("2")), "changed");
    assert!(
        host.read("/proc/77/cmdline")
            .is_some_and(|line| line.contains("--ok=2"))
    );
}

#[test]
fn a_flag_that_the_api_server_refuses_is_taken_back() {
    let host = control_plane();
    host.write("/run/kubelet", "");
    assert_eq!(host.apply("api", api_server("1")), "changed");
    let written = host.read(MANIFEST);
    host.write("/etc/iec/kubeadm.yaml", "--no-such-flag");
    let word = host.apply("api", api_server("2"));
    assert!(
        word.contains("kube-apiserver.yaml did not work, and is as it was before"),
        "{word}"
    );
    assert_eq!(host.read(MANIFEST), written);
    host.write("/etc/iec/kubeadm.yaml", "--ok=1");
    assert_eq!(host.apply("api", api_server("1")), "unchanged");
}
