//! Plans of the example sites: what is in them, what must never be, and that every shell can read their scripts.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the committed plans and runs real shells over the scripts"
)]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use iec_core::architecture::Architecture;
use iec_core::content::Digest;
use iec_core::facts::{CalicoPool, HostFacts};
use iec_core::plan::{Op, Plan, lower};
use iec_core::site::{Role, Site, SiteHost};
use iec_sh::Mode;
use support::{facts, parse, plain_host, plan_of, site, site_names, sites, try_plan_from, try_plan_of};

fn plans() -> Vec<(String, Plan)> {
    site_names()
        .into_iter()
        .map(|name| {
            let site = site(&name);
            let plan = plan_of(&site, &facts(&site, plain_host));
            (name, plan)
        })
        .collect()
}

/// `sites/*/plan.txt` is the plan as a table; `IEC_BLESS=1 cargo test` writes it anew.
#[test]
fn the_plans_of_the_example_sites_are_as_committed() {
    for (name, plan) in plans() {
        let mut text = String::new();
        for part in &plan.hosts {
            let _ = writeln!(text, "{} ({})", part.host, part.role);
            for step in &part.steps {
                let _ = writeln!(text, "  {:36} {}", step.id.as_str(), step.title);
            }
        }
        let path = sites().join(&name).join("plan.txt");
        if std::env::var_os("IEC_BLESS").is_some() {
            std::fs::write(&path, &text).expect("the plan is written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text, committed,
            "{name}: run IEC_BLESS=1 cargo test -p iec-core --test plan and read the difference"
        );
    }
}

#[test]
fn releases_of_any_names_and_namespaces_stay_apart() {
    let names = ["web", "web-values", "program", "web-values-values", "values"];
    let namespaces = ["default", "web", "program", "values"];
    let mut text = std::fs::read_to_string(sites().join("single-host/site.yaml")).expect("a site");
    text.push_str("  helm:\n    releases:\n");
    for namespace in namespaces {
        for name in names {
            let release = format!("{{name: {name}, namespace: {namespace}, chart: {namespace}/{name}.tgz}}");
            writeln!(text, "      - {release}").expect("a string takes everything");
        }
    }
    let site = parse(&text);
    let plan = plan_of(&site, &facts(&site, plain_host));
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    let mut releases = BTreeSet::new();
    for step in plan.steps() {
        assert!(ids.insert(step.id.as_str()), "{} is there twice", step.id);
        match &step.op {
            Op::File(file) => assert!(places.insert(&file.path), "{} is there twice", file.path),
            Op::HelmRelease(release) => {
                let chart = format!("{}/{}.tgz", release.namespace, release.name);
                assert_eq!(
                    release.chart,
                    Digest::of(chart.as_bytes()),
                    "each has its own chart"
                );
                assert!(
                    places.insert(&release.archive),
                    "{} is there twice",
                    release.archive
                );
                assert!(
                    places.contains(&release.values),
                    "its values are written before it"
                );
                releases.insert(&release.values);
            }
            _ => {}
        }
    }
    assert_eq!(releases.len(), names.len() * namespaces.len());
    assert!(ids.contains("helm.program") && ids.contains("helm.web") && ids.contains("helm.web-values"));
}

/// Pods have their addresses from where Calico has its data: an empty datastore would give them out a second time.
#[test]
fn calicos_datastore_stays_where_it_is() {
    let installed = |etcd: bool| {
        move |host: &SiteHost| {
            let mut facts = plain_host(host);
            facts.previous.value_mut().site = Some("depot-12".to_owned());
            let cluster = facts.cluster.value_mut();
            cluster.cni_files = vec!["10-calico.conflist".to_owned()];
            cluster.kubernetes_files = vec!["manifests/etcd.yaml".to_owned()];
            if etcd {
                cluster
                    .kubernetes_files
                    .push("manifests/calico-etcd.yaml".to_owned());
            }
            facts
        }
    };
    for (name, etcd, allowed) in [
        ("calico-etcd", true, true),
        ("calico-etcd", false, false),
        ("single-host", true, false),
        ("single-host", false, true),
    ] {
        let site = site(name);
        let planned = try_plan_of(&site, &facts(&site, installed(etcd)));
        match planned {
            Ok(_) => assert!(allowed, "{name}"),
            Err(problems) => {
                assert!(!allowed, "{name}: {problems}");
                assert!(problems.to_string().contains("IEC3007"), "{problems}");
            }
        }
    }
}

/// The example with these lines for Calico in its network.
fn with_calico(settings: &str) -> Site {
    let text = std::fs::read_to_string(sites().join("single-host/site.yaml")).expect("a site");
    assert!(
        !text.contains("network:"),
        "the example has no network of its own"
    );
    parse(&format!("{text}  network: {{cni: {{calico: {{{settings}}}}}}}\n"))
}

/// Facts of a host on which Calico runs with such a pool.
fn with_pool(vxlan_mode: &str, block_size: u8, etcd: bool) -> impl Fn(&SiteHost) -> HostFacts {
    let vxlan_mode = vxlan_mode.to_owned();
    move |host: &SiteHost| {
        let mut facts = plain_host(host);
        facts.previous.value_mut().site = Some("depot-12".to_owned());
        let cluster = facts.cluster.value_mut();
        cluster.cni_files = vec!["10-calico.conflist".to_owned()];
        if etcd {
            cluster.kubernetes_files = vec!["manifests/calico-etcd.yaml".to_owned()];
        }
        cluster.calico_pool = Some(CalicoPool {
            vxlan_mode: vxlan_mode.clone(),
            block_size,
        });
        facts
    }
}

#[test]
fn what_a_pool_was_made_with_for_good_is_refused_by_what_runs() {
    for (settings, mode, block_size, etcd, refused) in [
        ("blockSize: 26", "Always", 26, false, ""),
        ("blockSize: 24", "Always", 26, false, "IEC3010"),
        ("encapsulation: VXLANCrossSubnet", "Always", 26, false, ""),
        ("datastore: etcd", "Always", 26, true, ""),
        (
            "datastore: etcd, encapsulation: VXLANCrossSubnet",
            "Always",
            26,
            true,
            "IEC3011",
        ),
        ("datastore: etcd, blockSize: 24", "Always", 26, true, "IEC3010"),
    ] {
        let site = with_calico(settings);
        match try_plan_of(&site, &facts(&site, with_pool(mode, block_size, etcd))) {
            Ok(_) => assert_eq!(refused, "", "{settings}"),
            Err(problems) => {
                let text = problems.to_string();
                assert!(
                    !refused.is_empty() && text.contains(refused),
                    "{settings}: {text}"
                );
                // The value that runs, and where it was read.
                assert!(text.contains("/etc/iec/manifests/calico.yaml"), "{text}");
                assert!(
                    text.contains(if refused == "IEC3010" { "/26" } else { "Always" }),
                    "{text}"
                );
            }
        }
        // Before Calico has started nothing is fixed.
        let fresh = |host: &SiteHost| {
            let mut facts = with_pool(mode, block_size, false)(host);
            facts.cluster.value_mut().cni_files.clear();
            facts
        };
        try_plan_of(&site, &facts(&site, fresh)).unwrap_or_else(|problems| panic!("{settings}: {problems}"));
    }
}

#[test]
fn the_pool_is_the_sites_where_the_api_server_has_it() {
    let pool = |settings: &str| -> Option<serde_json::Value> {
        let site = with_calico(settings);
        let plan = plan_of(&site, &facts(&site, plain_host));
        let mut texts = plan.hosts[0].texts();
        let (_, _, text) = texts.find(|(_, file, _)| file.path.ends_with("calico-settings.yaml"))?;
        let objects: Vec<serde_json::Value> = serde_saphyr::from_multiple(text).expect("it is YAML");
        objects.into_iter().find(|object| object["kind"] == "IPPool")
    };
    let spec = pool("encapsulation: VXLANCrossSubnet, blockSize: 27").expect("a pool")["spec"].clone();
    assert_eq!(spec["vxlanMode"], "CrossSubnet");
    assert_eq!(spec["ipipMode"], "Never");
    assert_eq!(spec["natOutgoing"], true);
    assert_eq!(spec["blockSize"], 27);
    assert_eq!(spec["cidr"], "192.168.0.0/16");
    assert_eq!(pool("datastore: etcd"), None, "it is in Calico's etcd");
}

/// One reason for a host, not one for each of its twenty programs and images.
#[test]
fn a_bundle_for_another_architecture_is_refused_once() {
    let site = site("single-host");
    let problems = try_plan_from(&site, &facts(&site, plain_host), |manifest| {
        manifest
            .architectures
            .retain(|known| *known == Architecture::Arm64);
        manifest
            .items
            .retain(|item| item.architecture != Some(Architecture::Amd64));
    })
    .expect_err("nothing of it runs there");
    assert_eq!(problems.iter().count(), 1, "{problems}");
    assert!(problems.to_string().contains("IEC3003"), "{problems}");
}

/// Keys of authorities go to control planes only.
#[test]
fn workers_get_no_key() {
    for (_, plan) in plans() {
        for part in plan.hosts.iter().filter(|part| part.role == Role::Worker) {
            let script = part.script("alice@laptop", "run-1", Mode::Apply);
            assert!(!script.contains("ca.key") && !script.contains("sa.key"));
            assert_eq!(part.secrets.len(), 1);
        }
    }
}

#[test]
fn a_script_that_only_asks_is_small() {
    for (name, plan) in plans() {
        for part in &plan.hosts {
            let size = part.script("alice@laptop", "run-1", Mode::Observe).len();
            assert!(size <= 88 * 1024, "{name} {}: {size} bytes", part.host);
        }
    }
}

#[test]
fn every_shell_reads_the_scripts() {
    let (_, plan) = plans()
        .into_iter()
        .find(|(name, _)| name == "three-hosts")
        .unwrap();
    for part in &plan.hosts {
        for mode in [Mode::Apply, Mode::Observe] {
            let script = part.script("alice@laptop", "run-1", mode);
            for shell in [
                &["dash", "-n"][..],
                &["bash", "--posix", "-n"],
                &["busybox", "sh", "-n"],
            ] {
                check(shell, &script);
            }
        }
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let (_, plan) = plans()
        .into_iter()
        .find(|(name, _)| name == "three-hosts")
        .unwrap();
    for part in &plan.hosts {
        for mode in [Mode::Apply, Mode::Observe] {
            // 2329: functions are called by composed names. 2016: words in single quotes are meant so.
            // 2034: one prelude serves both modes. 2015: `a && b || c` groups are printed with their meaning kept.
            check(
                &[
                    "shellcheck",
                    "-s",
                    "sh",
                    "-e",
                    "SC2329,SC2317,SC2016,SC2034,SC2015",
                    "-",
                ],
                &part.script("alice@laptop", "run-1", mode),
            );
        }
    }
}

/// A worker of the example whose host has joined its cluster, as the probe finds it.
fn joined(host: &iec_core::site::SiteHost) -> iec_core::facts::HostFacts {
    let mut facts = plain_host(host);
    facts.cluster.value_mut().server = Some("https://api:6443".to_owned());
    if host.role() == Role::ControlPlane {
        facts.cluster.value_mut().kubernetes_files = vec!["admin.conf".to_owned()];
    }
    facts
}

fn steps_of(plan: &Plan, host: &str) -> Vec<String> {
    let part = plan.host(host).expect("a host of the site");
    part.steps.iter().map(|step| step.id.to_string()).collect()
}

/// Rule 4 of the design: a token belongs to a run that brings hosts.
#[test]
fn a_token_is_renewed_for_hosts_that_join_and_removed_after_the_last_one() {
    let site = site("three-hosts");
    let bare = plan_of(&site, &facts(&site, plain_host));
    let has = |plan: &Plan, id: &str| steps_of(plan, "edge-1").contains(&id.to_owned());
    assert!(!has(&bare, "control-plane.token") && !has(&bare, "control-plane.no-token"));
    let after = bare.after_joins.as_ref().expect("the token is removed");
    assert_eq!(after.steps[0].id.as_str(), "control-plane.no-token");
    assert!(!after.whole && after.secrets.is_empty() && after.steps.len() == 1);

    let all = plan_of(&site, &facts(&site, joined));
    assert!(!has(&all, "control-plane.token") && !has(&all, "control-plane.no-token"));
    assert_eq!(all.after_joins, None);

    let some = plan_of(
        &site,
        &facts(&site, |host| {
            if host.name().as_str() == "edge-3" {
                plain_host(host)
            } else {
                joined(host)
            }
        }),
    );
    assert!(has(&some, "control-plane.token") && !has(&some, "control-plane.no-token"));
    assert!(some.after_joins.is_some());
}

#[test]
fn an_absent_host_leaves_by_a_step_of_the_control_plane_and_has_no_part() {
    let site = site("mixed-architectures");
    let plan = plan_of(&site, &facts(&site, joined));
    assert!(steps_of(&plan, "barn").contains(&"node.leave.pump".to_owned()));
    assert!(plan.host("pump").is_none());
    // It is unreachable: nobody can make it bare, and the plan says so.
    assert!(plan.leaving.is_empty());
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.starts_with("pump") && warning.contains("owed"))
    );
}

#[test]
fn a_host_that_another_site_has_by_now_is_left_alone() {
    let text =
        std::fs::read_to_string(sites().join("mixed-architectures/site.yaml")).expect("an example site");
    let site = support::parse(&text.replace("unreachable: true", "unreachable: false"));
    let found = |name: &str| {
        let facts = facts(&site, |host| {
            let mut facts = joined(host);
            facts.previous.value_mut().site = Some(name.to_owned());
            facts
        });
        plan_of(&site, &facts)
    };
    let ours = found(site.name().as_str());
    assert_eq!(
        ours.leaving.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["pump"]
    );
    let foreign = found("somebody-elses");
    assert!(foreign.leaving.is_empty());
    assert!(
        foreign
            .warnings
            .iter()
            .any(|warning| warning.contains("another site"))
    );
    // The node leaves the cluster in any case.
    assert!(steps_of(&foreign, "barn").contains(&"node.leave.pump".to_owned()));
}

fn check(command: &[&str], script: &str) {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "{}: {error}; apt-get install dash bash busybox shellcheck",
                command[0]
            )
        });
    let mut input = child.stdin.take().expect("a piped standard input");
    input.write_all(script.as_bytes()).expect("the shell reads");
    drop(input);
    let output = child.wait_with_output().expect("the shell ends");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text.chars().take(3000).collect::<String>()
    );
}

/// Of files, programs and layers that a check does not read again, the disk must have the content before anything says
/// that they are whole.
#[test]
fn a_power_cut_cannot_leave_something_empty_that_counts_as_done() {
    let mut seen = BTreeSet::new();
    let without_tools = |host: &SiteHost| {
        let mut facts = plain_host(host);
        facts.software.value_mut().tools.clear();
        facts
    };
    let bare = site("three-hosts");
    let bare = ("bare".to_owned(), plan_of(&bare, &facts(&bare, without_tools)));
    for (name, plan) in plans().into_iter().chain([bare]) {
        for step in plan.hosts.iter().flat_map(|part| &part.steps) {
            let (kind, mark) = match &step.op {
                Op::Tree { .. } => ("tree", ".digest"),
                Op::Images(_) => ("images", "rm -f /var/lib/iec/images-begun"),
                Op::Programs { .. } => ("programs", "/var/lib/iec/verified/"),
                _ => continue,
            };
            let apply: Vec<String> = lower(step).apply.iter().map(|one| one.statement("")).collect();
            let last = |text: &str| apply.iter().rposition(|line| line.contains(text));
            let synced = apply.iter().rposition(|line| line.starts_with("sync "));
            let marked = last(mark);
            assert!(
                synced.is_some() && marked.is_some() && synced < marked,
                "{name} {}: {apply:#?}",
                step.id
            );
            seen.insert(kind);
        }
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["images", "programs", "tree"]
    );
}
