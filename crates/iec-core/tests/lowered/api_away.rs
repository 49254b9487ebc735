//! What only the API server can answer: without a cluster all is to be done, without an answer nobody can tell.

use iec_core::content::Digest;
use iec_core::plan::{Addons, HelmOp, InitPhase, Op};

use crate::pretend::Pretend;

/// Every kind of step that asks the cluster.
fn ops() -> Vec<(&'static str, Op)> {
    let node = || "edge-1".to_owned();
    let digest = Digest::of(b"content");
    let taint = Op::Taint {
        node: node(),
        key: "dedicated".to_owned(),
        value: "radio".to_owned(),
        effect: "NoSchedule".to_owned(),
    };
    let manifest = Op::Calico {
        manifest: "/etc/iec/manifests/calico.yaml".to_owned(),
        settings: None,
    };
    let label = Op::Label {
        node: node(),
        key: "zone".to_owned(),
        value: "a".to_owned(),
    };
    let token = Op::Token {
        id: "abcdef".to_owned(),
        remaining_seconds: 60,
    };
    let helm = Op::HelmRelease(HelmOp {
        name: "shop".to_owned(),
        namespace: "default".to_owned(),
        archive: "shop.tgz".to_owned(),
        chart: digest,
        values: "/etc/iec/helm/shop.yaml".to_owned(),
        digest,
        sensitive: false,
    });
    vec![
        (
            "upload",
            Op::Init(InitPhase::UploadConfig {
                configuration: Digest::of(b"configuration"),
            }),
        ),
        ("mark", Op::Init(InitPhase::MarkControlPlane { node: node() })),
        ("bootstrap", Op::Init(InitPhase::BootstrapToken)),
        ("addons", Op::Init(InitPhase::Addons(Addons::default()))),
        ("schedulable", Op::Schedulable { node: node() }),
        ("manifest", manifest),
        ("secret", Op::CalicoEtcdSecret),
        ("label", label),
        ("taint", taint),
        ("token", token),
        ("helm", helm),
        (
            "leave",
            Op::Leave {
                node: node(),
                reachable: true,
                member: None,
            },
        ),
        (
            "no-token",
            Op::NoToken {
                id: "abcdef".to_owned(),
            },
        ),
    ]
}

/// The states of all of them on a host, one kind of state for all but the named ones.
fn assert_states(host: &Pretend, expected: &str, others: &[(&str, &str)]) {
    for (name, state) in host.observe(ops()) {
        let name = name.trim_start_matches("system.");
        let other = others.iter().find(|(other, _)| *other == name);
        assert_eq!(state, other.map_or(expected, |(_, state)| *state), "{name}");
    }
}

fn control_plane() -> Pretend {
    let host = Pretend::new();
    host.write("/etc/kubernetes/admin.conf", "the administrator's\n");
    host.write("/etc/kubernetes/kubelet.conf", "the kubelet's\n");
    host.stand_in("helm", "exit 1\n");
    host
}

#[test]
fn before_there_is_a_cluster_all_is_to_be_done() {
    let host = Pretend::new();
    // What is to be gone is gone.
    assert_states(&host, "needed", &[("leave", "done"), ("no-token", "done")]);
}

#[test]
fn an_api_server_that_does_not_answer_is_asked_once_and_nobody_can_tell() {
    let host = control_plane();
    host.stand_in("kubectl", "echo \"$*\" >>/var/lib/asked\nexit 1\n");
    assert_states(&host, "unknown", &[]);
    let asked = host.read("/var/lib/asked").expect("it was asked");
    // Once by the administrator's kubeconfig, once by the kubelet's.
    assert_eq!(asked.lines().count(), 2, "{asked}");
    assert!(
        asked.lines().all(|line| line.contains("--raw /readyz")),
        "{asked}"
    );
}

#[test]
fn a_program_that_is_not_there_leaves_it_open_too() {
    let host = control_plane();
    host.stand_in("kubectl", "exit 127\n");
    assert_states(&host, "unknown", &[]);
}

#[test]
fn an_api_server_that_answers_is_believed() {
    let host = control_plane();
    host.stand_in(
        "kubectl",
        "case \"$*\" in *readyz*) exit 0 ;; *) exit 1 ;; esac\n",
    );
    assert_states(&host, "needed", &[]);
}

#[test]
fn a_step_whose_question_is_open_changes_nothing() {
    let host = control_plane();
    host.stand_in("kubectl", "echo \"$*\" >>/var/lib/asked\nexit 1\n");
    for (name, op) in ops() {
        let word = host.apply(name, op);
        assert!(word.starts_with("failed unknown"), "{name}: {word}");
    }
    let asked = host.read("/var/lib/asked").expect("it was asked");
    for word in ["apply", "label ", "taint ", "delete", "drain", "create"] {
        assert!(
            !asked.lines().any(|line| line.contains(&format!(" {word}"))),
            "{word}: {asked}"
        );
    }
}
