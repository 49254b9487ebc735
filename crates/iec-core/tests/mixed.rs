//! A site of two architectures: each host gets what was made for its own processor, under the same names.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the committed list of content"
)]

#[expect(dead_code, reason = "what the tests of plans share is more than these need")]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use iec_core::architecture::Architecture;
use iec_core::content::Digest;
use iec_core::diagnostic::Diagnostics;
use iec_core::name::HostName;
use iec_core::plan::{HostPart, Op, Plan, lower};
use iec_core::release::Release;
use iec_core::seed::{Seed, SeedLabel};
use iec_core::site::Role;
use support::{CALICO, facts, plain_host, plan_of, planned_with, site, sites, try_plan_from};

const SITE: &str = "mixed-architectures";

fn planned() -> Plan {
    let site = site(SITE);
    plan_of(&site, &facts(&site, plain_host))
}

/// What a host gets, by the name under which it knows it: programs by their paths, images by their references.
fn content(part: &HostPart) -> BTreeMap<String, Digest> {
    let steps = part.steps.iter().flat_map(|step| match &step.op {
        Op::Programs { programs, .. } => programs
            .iter()
            .map(|program| (program.path.clone(), program.digest))
            .collect(),
        Op::Images(images) => images
            .iter()
            .map(|image| (image.reference.clone(), image.manifest.digest))
            .collect(),
        Op::Tree { blob, into } => vec![(into.clone(), *blob)],
        _ => vec![],
    });
    steps.collect()
}

/// `sites/mixed-architectures/content.txt` is what each host gets, by digest; `IEC_BLESS=1 cargo test` writes it anew.
#[test]
fn the_content_of_the_mixed_site_is_as_committed() {
    let mut text = String::new();
    for part in &planned().hosts {
        let architecture = architecture_of(part.host.as_str());
        let _ = writeln!(text, "{} ({}, {architecture})", part.host, part.role);
        for (name, digest) in content(part) {
            let _ = writeln!(text, "  {} {name}", digest.short());
        }
    }
    let path = sites().join(SITE).join("content.txt");
    if std::env::var_os("IEC_BLESS").is_some() {
        std::fs::write(&path, &text).expect("the list is written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, committed,
        "run IEC_BLESS=1 cargo test -p iec-core --test mixed and read the difference"
    );
}

fn architecture_of(host: &str) -> Architecture {
    let site = site(SITE);
    let host = site.hosts().iter().find(|known| known.name().as_str() == host);
    let host = host.expect("a host of the site");
    host.assume().architecture().expect("the site file says it")
}

#[test]
fn hosts_of_two_architectures_share_names_and_no_content() {
    let plan = planned();
    let of = |host: &str| content(plan.host(host).expect("a host of the site"));
    let (barn, gate, silo) = (of("barn"), of("gate"), of("silo"));
    assert_eq!(gate, silo, "two boards of one kind get the same");
    for (name, digest) in &gate {
        let other = barn.get(name).unwrap_or_else(|| panic!("barn has no {name}"));
        assert_ne!(digest, other, "{name}");
    }
    let nginx = |content: &BTreeMap<String, Digest>| {
        let mut names = content.keys().filter(|name| name.contains("/nginx:"));
        (names.next().cloned(), names.next().is_none())
    };
    assert!(nginx(&barn).0.is_some_and(|name| gate.contains_key(&name)));
    assert_eq!(nginx(&barn), nginx(&gate), "one name for the images of both");
    let blobs = |host: &str| -> BTreeSet<Digest> {
        let part = plan.host(host).expect("a host of the site");
        part.blobs.iter().map(|blob| blob.digest).collect()
    };
    assert!(
        blobs("barn").is_disjoint(&blobs("gate")),
        "nothing is sent to both"
    );
}

/// Nothing is planned for any host, so nothing is sent and nothing is touched.
#[test]
fn a_bundle_without_one_of_the_architectures_is_refused_by_host_and_architecture() {
    let site = site(SITE);
    let problems = try_plan_from(&site, &facts(&site, plain_host), |manifest| {
        manifest.architectures = vec![Architecture::Amd64];
        manifest
            .items
            .retain(|item| item.architecture != Some(Architecture::Arm64));
    })
    .expect_err("two hosts would get nothing");
    let text = problems.to_string();
    assert_eq!(problems.iter().count(), 2, "{text}");
    for host in ["gate", "silo"] {
        assert!(
            text.contains(&format!("the bundle is for amd64, and host {host} is arm64")),
            "{text}"
        );
    }
    assert!(text.contains("iec bundle build --arch amd64,arm64"), "{text}");
    assert!(!text.contains("barn"), "{text}");
}

#[test]
fn one_program_that_is_missing_for_one_architecture_is_named_with_it() {
    let site = site(SITE);
    let problems = try_plan_from(&site, &facts(&site, plain_host), |manifest| {
        manifest
            .items
            .retain(|item| item.name != "runc" || item.architecture != Some(Architecture::Arm64));
    })
    .expect_err("the boards need it");
    let text = problems.to_string();
    assert!(
        text.contains("the bundle has no runc for arm64, which host gate needs"),
        "{text}"
    );
    // A bundle for these boards alone would leave the server without content.
    assert!(text.contains("iec bundle build --arch amd64,arm64"), "{text}");
}

/// Between the probe and the first change a board may be exchanged, and a script may be carried to another host.
#[test]
fn a_host_whose_processor_is_another_by_now_is_refused_before_its_first_change() {
    for part in &planned().hosts {
        let machine = architecture_of(part.host.as_str()).uname();
        let asked = part
            .steps
            .iter()
            .position(|step| step.id.as_str() == "admission.architecture");
        let asked = asked.expect("every host that was asked is asked again");
        for step in &part.steps[..asked] {
            assert!(
                matches!(step.op, Op::Require(_)),
                "{} may change something",
                step.id
            );
        }
        let question = &lower(&part.steps[asked]).check[0];
        assert!(question.what.starts_with("IEC1710: "), "{}", question.what);
        assert!(
            question.needed.is_empty(),
            "another answer is a refusal, and no work to do"
        );
        let ask = question.ask.statement("");
        assert!(ask.contains("uname -m") && ask.contains(machine), "{ask}");
        for (shown, answers) in [(machine, true), ("riscv64", false)] {
            let script = format!("uname() {{ echo {shown}; }}\n{ask}");
            let status = std::process::Command::new("sh").args(["-c", &script]).status();
            assert_eq!(status.expect("a shell").success(), answers, "{shown}: {ask}");
        }
    }
}

/// A seed for these hosts.
fn seed(hosts: &[&str], role: Role, architecture: Architecture) -> Seed {
    let release = Release::bundled("1.36").expect("a release of the program");
    let hosts = hosts.iter().map(|host| (*host).to_owned());
    let label = SeedLabel::wanted(&release, &support::manifest(&release), hosts, role, architecture);
    Seed {
        label: label.expect("the bundle has all of it"),
        digest: Digest::of(b"a seed"),
        size: 400_000_000,
    }
}

fn planned_with_seed(host: &str, seed: Seed) -> Result<Plan, Diagnostics> {
    let site = site(SITE);
    let seeds = BTreeMap::from([(HostName::new(host).expect("a name"), seed)]);
    planned_with(&site, &facts(&site, plain_host), Some(CALICO), &seeds, |_| {})
}

#[test]
fn a_seed_is_taken_before_containerd_starts_and_changes_nothing_else() {
    let seed = seed(&["gate", "silo"], Role::Worker, Architecture::Arm64);
    let digest = seed.digest;
    let plan = planned_with_seed("gate", seed).expect("it fits");
    let without = planned();
    for part in &plan.hosts {
        let plain = without.host(part.host.as_str()).expect("the same hosts");
        if part.host.as_str() != "gate" {
            assert_eq!(part, plain, "nobody else has to do with it");
            continue;
        }
        let ids = |part: &HostPart| -> Vec<String> {
            let ids = part.steps.iter().map(|step| step.id.to_string());
            ids.filter(|id| id != "runtime.seed").collect()
        };
        assert_eq!(ids(part), ids(plain));
        let place = |id: &str| part.steps.iter().position(|step| step.id.as_str() == id);
        let (seed, starts) = (place("runtime.seed"), place("runtime.containerd"));
        assert_eq!(seed.map(|seed| seed + 1), starts);
        // A later run without the seed does each of the other steps by the same words, so it finds nothing to do.
        for (step, lowered) in plain.lowered() {
            let same = part.lowered().into_iter().find(|(other, _)| other.id == step.id);
            assert_eq!(
                same.map(|(_, lowered)| lowered.digest()),
                Some(lowered.digest()),
                "{}",
                step.id
            );
        }
        let sent: BTreeSet<Digest> = part.blobs.iter().map(|blob| blob.digest).collect();
        let kept: BTreeSet<Digest> = plain.blobs.iter().map(|blob| blob.digest).collect();
        assert_eq!(sent.difference(&kept).collect::<Vec<_>>(), [&digest]);
        let step = &part.steps[seed.expect("it is there")];
        assert!(
            lower(step).undo_commands().is_empty(),
            "a run without it has nothing to take back"
        );
    }
}

#[test]
fn a_seed_for_another_host_architecture_or_role_is_refused() {
    for (seed, words) in [
        (
            seed(&["silo"], Role::Worker, Architecture::Arm64),
            "it is for silo",
        ),
        (
            seed(&["gate"], Role::Worker, Architecture::Amd64),
            "its images are for amd64",
        ),
        (
            seed(&["gate"], Role::ControlPlane, Architecture::Arm64),
            "it has another registry.k8s.io/etcd:",
        ),
    ] {
        let problems = planned_with_seed("gate", seed)
            .expect_err("it does not fit")
            .to_string();
        assert!(
            problems.contains("IEC3009") && problems.contains(words),
            "{problems}"
        );
    }
}
