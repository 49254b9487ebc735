//! The address that moves between control planes: who runs keepalived, with which configuration, and what refuses it.

#![expect(
    clippy::disallowed_methods,
    reason = "what other tests share with this one reads the example sites"
)]

#[expect(
    dead_code,
    reason = "other tests read the example sites, and this one has a site of its own"
)]
mod support;

use iec_core::content::Kind;
use iec_core::plan::{HostPart, Op, StepId, is_done_once, lower};
use iec_core::site::Site;
use support::{facts, parse, plain_host, plan_of, try_plan_from};

/// A site of so many control planes and a worker.
fn site(control_planes: u8, further: &str) -> Site {
    let mut text =
        "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: shop}\nspec:\n  release: \"1.36\"\n  \
                    access: {user: edge}\n  hosts:\n"
            .to_owned();
    for number in 1..=control_planes {
        text.push_str(&format!(
            "  - {{name: edge-{number}, address: 10.0.0.1{number}, role: control-plane}}\n"
        ));
    }
    text.push_str("  - {name: edge-9, address: 10.0.0.19, role: worker}\n");
    text.push_str(&format!("  controlPlane: {{{further}}}\n"));
    parse(&text)
}

const ADDRESS: &str = "virtualAddress: 10.0.0.10";

fn steps_of(part: &HostPart) -> Vec<&str> {
    let own = |id: &&str| id.contains("keepalived") || id.contains("virtual-address");
    part.steps
        .iter()
        .map(|step| step.id.as_str())
        .filter(own)
        .collect()
}

/// The text that a step of this name writes or runs.
fn text_of(part: &HostPart, name: &str) -> String {
    let step = part.steps.iter().find(|step| step.id.as_str() == name);
    match &step.expect("a step").op {
        Op::VirtualAddress(address) => address.pod.clone(),
        _ => part
            .texts()
            .find(|(step, ..)| step.id.as_str() == name)
            .map(|(.., text)| text.to_owned())
            .expect("a file"),
    }
}

#[test]
fn control_planes_run_it_where_the_site_has_such_an_address() {
    let with = site(3, ADDRESS);
    let plan = plan_of(&with, &facts(&with, plain_host));
    let without = site(3, "");
    let plain = plan_of(&without, &facts(&without, plain_host));
    let all = [
        "control-plane.virtual-address-free",
        "control-plane.keepalived-config",
        "control-plane.keepalived",
        "control-plane.virtual-address",
    ];
    for name in ["edge-1", "edge-2", "edge-3", "edge-9"] {
        let expected = if name == "edge-9" { &[][..] } else { &all };
        assert_eq!(steps_of(plan.host(name).expect("a host")), expected, "{name}");
        assert_eq!(steps_of(plain.host(name).expect("a host")), [""; 0], "{name}");
        let has_image = |part: &HostPart| part.blobs.iter().any(|blob| blob.name == "keepalived");
        assert_eq!(
            has_image(plan.host(name).expect("a host")),
            name != "edge-9",
            "{name}"
        );
        assert!(!has_image(plain.host(name).expect("a host")), "{name}");
    }
    // Each control plane has its own.
    assert!(all.iter().all(|id| !is_done_once(&StepId::from_record(id))));
}

#[test]
fn keepalived_on_the_second_of_three() {
    let site = site(3, ADDRESS);
    let plan = plan_of(&site, &facts(&site, plain_host));
    let part = plan.host("edge-2").expect("a host");
    insta::assert_snapshot!("configuration", text_of(part, "control-plane.keepalived-config"));
    insta::assert_snapshot!("pod", text_of(part, "control-plane.keepalived"));
    let commands: Vec<String> = part
        .steps
        .iter()
        .filter(|step| steps_of(part).contains(&step.id.as_str()))
        .filter(|step| !step.id.as_str().ends_with("-config"))
        .flat_map(|step| {
            let lowered = lower(step);
            let asked = lowered
                .check
                .iter()
                .map(|question| format!("# {}\n{}", question.what, question.ask.statement("")));
            let undo = lowered
                .undo_commands()
                .iter()
                .map(|command| format!("# undo\n{}", command.statement("")));
            asked.chain(undo).collect::<Vec<_>>()
        })
        .collect();
    insta::assert_snapshot!("commands", commands.join("\n"));
}

#[test]
fn all_agree_on_the_router_and_none_has_the_same_priority() {
    let site = site(5, ADDRESS);
    let plan = plan_of(&site, &facts(&site, plain_host));
    let value = |host: &str, key: &str| {
        let text = text_of(
            plan.host(host).expect("a host"),
            "control-plane.keepalived-config",
        );
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key));
        line.expect("a value").trim().parse::<u8>().expect("a number")
    };
    let hosts = ["edge-1", "edge-2", "edge-3", "edge-4", "edge-5"];
    let routers = hosts.map(|host| value(host, "virtual_router_id "));
    assert!(routers[0] > 0 && routers.iter().all(|router| *router == routers[0]));
    assert_eq!(
        hosts.map(|host| value(host, "priority ")),
        [250, 200, 150, 100, 50]
    );
}

#[test]
fn another_set_of_control_planes_is_another_configuration_and_another_pod() {
    let of = |control_planes: u8| {
        let site = site(control_planes, ADDRESS);
        let plan = plan_of(&site, &facts(&site, plain_host));
        let part = plan.host("edge-1").expect("a host");
        ["control-plane.keepalived-config", "control-plane.keepalived"].map(|name| text_of(part, name))
    };
    let (one, three, five) = (of(1), of(3), of(5));
    assert!(one[0] != three[0] && three[0] != five[0]);
    assert!(one[1] != three[1] && three[1] != five[1]);
    assert!(!one[0].contains("unicast"), "{}", one[0]);
    assert!(
        five[0].contains("10.0.0.15") && !five[0].contains("        10.0.0.11\n"),
        "{}",
        five[0]
    );
}

#[test]
fn the_certificate_of_each_control_plane_is_for_it_too() {
    let site = site(3, ADDRESS);
    let plan = plan_of(&site, &facts(&site, plain_host));
    for host in ["edge-1", "edge-2", "edge-3"] {
        let text = text_of(plan.host(host).expect("a host"), "control-plane.kubeadm-config");
        assert!(text.contains("- \"10.0.0.10\"\n"), "{text}");
    }
}

#[test]
fn an_older_bundle_is_refused_for_such_a_site_only() {
    let drop = |content: &mut iec_core::content::Manifest| {
        content
            .items
            .retain(|item| item.name != "keepalived" || !matches!(item.kind, Kind::Image(_)));
    };
    let plain = site(3, "");
    assert!(try_plan_from(&plain, &facts(&plain, plain_host), drop).is_ok());
    let with = site(3, ADDRESS);
    let problems = try_plan_from(&with, &facts(&with, plain_host), drop).expect_err("refused");
    let first = problems.iter().next().expect("a problem");
    assert_eq!(first.code, "IEC3003");
    assert!(first.message.contains("no keepalived"), "{first}");
    assert!(
        first
            .hint
            .as_deref()
            .is_some_and(|hint| hint.starts_with("iec bundle build")),
        "{first}"
    );
}
