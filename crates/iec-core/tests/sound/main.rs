//! Plans of the example sites and of sites that chance made are sound, and a plan that is not is found.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the committed example sites"
)]

mod rules;
#[path = "../support/mod.rs"]
mod support;

use iec_core::plan::{Phase, Plan, StepId, Undo, lower};
use iec_core::site::Role;
use proptest::prelude::*;
use rules::faults;
use serde_json::{Value, json};
use support::{facts, parse, plain_host, plan_of, site, site_names};

fn plan(name: &str) -> Plan {
    let site = site(name);
    plan_of(&site, &facts(&site, plain_host))
}

#[test]
fn the_plans_of_the_example_sites_are_sound() {
    for name in site_names() {
        assert_eq!(faults(&plan(&name)), [""; 0], "{name}");
    }
}

/// What makes a plan unsound, and what is said of it.
type Spoil<'a> = (&'a str, &'a dyn Fn(&mut Plan));

/// Each rule has something to say: a plan that was spoiled in one way is found.
#[test]
fn what_is_not_sound_is_found() {
    let spoils: [Spoil<'_>; 9] = [
        ("is there twice", &|plan| {
            let step = plan.hosts[0].steps[3].clone();
            plan.hosts[0].steps.insert(4, step);
        }),
        ("is there twice, or is no plain word", &|plan| {
            plan.hosts[0].steps[3].id = StepId::from_record("content.A_b");
        }),
        ("comes after the phase", &|plan| plan.hosts[0].steps.reverse()),
        ("is a step of", &|plan| {
            plan.hosts[1].steps[0].host = plan.hosts[0].host.clone()
        }),
        ("does not say why", &|plan| plan.hosts[0].steps[0].why.clear()),
        ("is covered by", &|plan| {
            let covering = |id: &str| id.ends_with(".preflight");
            plan.hosts[0].steps.retain(|step| !covering(step.id.as_str()));
        }),
        ("before anybody waits for it", &|plan| {
            let steps = &mut plan.hosts[0].steps;
            steps.retain(|step| !matches!(step.op, iec_core::plan::Op::Wait(_)));
        }),
        ("it has no content", &|plan| {
            plan.hosts[2].steps.retain(|step| step.phase != Phase::Content);
        }),
        ("are not those of its role", &|plan| {
            plan.hosts[1].role = Role::ControlPlane
        }),
    ];
    for (says, spoil) in spoils {
        let mut plan = plan("three-hosts");
        spoil(&mut plan);
        let found = faults(&plan);
        assert!(
            found.iter().any(|fault| fault.contains(says)),
            "{says}: {found:?}"
        );
    }
}

/// A step is undone by its own commands, or names the step that undoes it: nothing of a plan of any site is silent.
#[test]
fn what_cannot_be_taken_back_says_why() {
    for name in site_names() {
        for step in plan(&name).steps() {
            if let Undo::Irreversible(reason) = lower(step).undo {
                assert!(!reason.is_empty(), "{name}: {}", step.id);
            }
        }
    }
}

/// A worker of a site that chance made.
fn worker(number: usize) -> impl Strategy<Value = Value> {
    let label = prop::option::of("[a-z]{1,8}");
    let taint = prop::option::of(prop::sample::select(vec!["PreferNoSchedule", "NoSchedule"]));
    let state = prop::sample::select(vec!["present", "present", "present", "absent", "away"]);
    (label, taint, state).prop_map(move |(label, taint, state)| {
        let mut host = json!({
            "name": format!("w{number}"), "address": format!("10.0.0.{}", 20 + number), "role": "worker",
        });
        if let Some(label) = label {
            host["labels"] = json!({ "zone": label });
        }
        if let Some(effect) = taint {
            host["taints"] = json!([{"key": "line", "effect": effect}]);
        }
        if state != "present" {
            host["state"] = json!("absent");
            host["unreachable"] = json!(state == "away");
        }
        host
    })
}

prop_compose! {
    /// A site that chance made, within what a site file may say.
    fn any_site()(
        workers in prop::collection::vec(Just(()), 0..5).prop_flat_map(|list| {
            (0..list.len()).map(worker).collect::<Vec<_>>()
        }),
        etcd in any::<bool>(),
        encapsulation in prop::sample::select(vec!["VXLAN", "VXLANCrossSubnet"]),
        pods in 8_u32..1000,
        arguments in prop::option::of(prop::sample::select(vec!["apiServer", "controllerManager", "scheduler"])),
        names in prop::collection::vec("[a-z]{3,9}\\.example\\.org", 0..3),
        releases in 0_usize..3,
        slowness in prop::option::of(1_u32..50),
    ) -> Value {
        let mut hosts = vec![json!({"name": "cp", "address": "10.0.0.11", "role": "control-plane"})];
        if let Some(slowness) = slowness {
            hosts[0]["assume"] = json!({ "slowness": slowness });
        }
        hosts.extend(workers);
        let releases: Vec<Value> = (0..releases)
            .map(|number| json!({"name": format!("app{number}"), "chart": format!("./app{number}.tgz")}))
            .collect();
        let mut control_plane = json!({});
        if !names.is_empty() {
            let unique: std::collections::BTreeSet<String> = names.into_iter().collect();
            control_plane["certificateNames"] = json!(unique);
        }
        if let Some(component) = arguments {
            control_plane[component] = json!({"arguments": {"profiling": "false"}});
        }
        json!({
            "apiVersion": "iec.dev/v1alpha1",
            "kind": "Site",
            "metadata": {"name": "chance"},
            "spec": {
                "release": "1.36",
                "access": {"user": "edge"},
                "hosts": hosts,
                "controlPlane": control_plane,
                "network": {"cni": {"calico": {
                    "datastore": if etcd { "etcd" } else { "kubernetes" }, "encapsulation": encapsulation,
                }}},
                "kubelet": {"maxPods": pods},
                "helm": {"releases": releases},
            },
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever a site file says, its plan is sound, the same each time, and every host's part is its own.
    #[test]
    fn the_plan_of_any_site_is_sound(document in any_site()) {
        let site = parse(&document.to_string());
        let facts = facts(&site, plain_host);
        let plan = plan_of(&site, &facts);
        prop_assert_eq!(faults(&plan), [""; 0]);
        prop_assert!(plan == plan_of(&site, &facts));
        let present: Vec<&str> = site.present_hosts().map(|host| host.name().as_str()).collect();
        let planned: Vec<&str> = plan.hosts.iter().map(|part| part.host.as_str()).collect();
        prop_assert_eq!(present, planned);
    }
}
