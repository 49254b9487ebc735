//! Values of Helm releases are secrets: nothing but the hosts' file of secrets has them, and a change is still seen.

use base64::Engine as _;
use iec_core::plan::{FileContent, Op, SecretName, Step, lower};
use iec_core::release::Release;
use iec_core::render::{
    ContentFrom, FileContent as Rendered, Files, Format, Options, Secrets, Subject, render,
};
use iec_core::site::Site;
use iec_sh::Mode;

use crate::pretend::Pretend;
use crate::support::{facts, manifest, parse, plain_host, plan_of, sites};

/// What a site says to a chart and nobody else should learn.
const PASSWORD: &str = "plover-quartz-41c7";
fn asking(password: &str) -> Site {
    let mut text = std::fs::read_to_string(sites().join("three-hosts/site.yaml")).expect("a site");
    let releases = "[{name: shop, chart: ./shop.tgz, values: {login: {password: ";
    text.push_str(&format!("  helm: {{releases: {releases}{password}}}}}}}]}}\n"));
    parse(&text)
}

fn rendered(site: &Site, format: Format, secrets: Secrets) -> Files {
    let facts = facts(site, plain_host);
    let release = Release::bundled(site.release()).expect("a release of the program");
    let subject = Subject {
        site,
        facts: &facts,
        release: &release,
        content: &manifest(&release),
        plan: &plan_of(site, &facts),
        moment: "2026-11-23 19:12 UTC",
        who: "edge@laptop",
        run: "run-1",
    };
    let options = Options {
        secrets,
        content: ContentFrom::Elsewhere,
        ..Options::default()
    };
    render(&subject, format, &options)
}

/// Whether a text has the password, or any base64 of something that has it.
fn shows(text: &str) -> bool {
    let encoded = |before: usize| {
        let bytes = [&vec![0; before], PASSWORD.as_bytes()].concat();
        let form = base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
        form[(before * 8).div_ceil(6)..(before + PASSWORD.len()) * 8 / 6].to_owned()
    };
    text.contains(PASSWORD) || (0..3).any(|before| text.contains(&encoded(before)))
}

fn values_step(site: &Site) -> (Step, String) {
    let plan = plan_of(site, &facts(site, plain_host));
    let part = &plan.hosts[0];
    let step = part
        .steps
        .iter()
        .find(|step| step.id.as_str() == "helm.shop-values");
    let step = step.expect("a step writes the values").clone();
    let Op::File(file) = &step.op else {
        panic!("{step:?}")
    };
    let FileContent::Changing { secret, .. } = file.content else {
        panic!("{step:?}")
    };
    assert!(matches!(secret, SecretName::HelmValues(_)));
    assert_eq!(file.mode, 0o600);
    (step, part.secrets[&secret].expose().clone())
}

#[test]
fn only_the_secrets_of_the_control_plane_have_them() {
    let site = asking(PASSWORD);
    for format in [
        Format::Script,
        Format::Seed,
        Format::CloudInit,
        Format::Runbook,
        Format::Ansible,
    ] {
        let mut secret = 0;
        for (path, file) in rendered(&site, format, Secrets::Plain) {
            match file.content {
                Rendered::Text(text) => assert!(!shows(&text), "{format:?}: {path}"),
                Rendered::Secret(text) => {
                    assert_eq!(file.mode, 0o600, "{path}");
                    assert_eq!(
                        shows(text.expose()),
                        path.ends_with("secrets-edge-1"),
                        "{format:?}: {path}"
                    );
                    secret += usize::from(shows(text.expose()));
                }
                Rendered::Blob { .. } => {}
            }
        }
        assert_eq!(secret, 1, "{format:?}");
    }
}

#[test]
fn no_plan_script_or_journal_has_them() {
    let site = asking(PASSWORD);
    let plan = plan_of(&site, &facts(&site, plain_host));
    assert!(!shows(&format!("{plan:?}")));
    for part in &plan.hosts {
        for mode in [Mode::Observe, Mode::Apply] {
            assert!(!shows(&part.script("who", "run", mode)), "{}", part.host);
        }
    }
    let (step, _) = values_step(&site);
    let lowered = lower(&step);
    assert!(lowered.sensitive && lowered.shows.is_empty());
    // Helm repeats values in what it says of an error.
    let release = plan.steps().find(|step| step.id.as_str() == "helm.shop");
    assert!(lower(release.expect("a step installs it")).sensitive);
}

/// Nobody who has a script can try passwords until a digest in it fits.
#[test]
fn no_digest_in_a_script_is_of_the_values_alone() {
    let (step, values) = values_step(&asking(PASSWORD));
    let script = lower(&step).runner_step(&step).questions;
    let text = format!("{script:?}");
    for guess in [values.clone(), values.trim_end().to_owned(), PASSWORD.to_owned()] {
        let digest = iec_core::content::Digest::of(guess.as_bytes()).hex();
        assert!(!text.contains(&digest), "{text}");
    }
}

#[test]
fn values_that_changed_are_written_again() {
    let (first, values) = values_step(&asking(PASSWORD));
    let (then, others) = values_step(&asking("another-password"));
    let key = crate::support::credentials().cluster_ca.key_pem;
    for end in ["", "\n"] {
        let host = Pretend::new();
        // Only root can give files to root, and the test may be somebody else.
        host.stand_in(
            "install",
            "for new; do source=$last; last=$new; done; cat \"$source\" >\"$new\"",
        );
        host.stand_in("stat", "echo '600 root:root'");
        host.write("/etc/kubernetes/pki/ca.key", &format!("{}{end}", key.expose()));
        for (step, content, expected) in [
            (&first, &values, "changed"),
            (&first, &values, "unchanged"),
            (&then, &others, "changed"),
            (&then, &others, "unchanged"),
            (&first, &values, "changed"),
        ] {
            let Op::File(file) = &step.op else {
                panic!("{step:?}")
            };
            let FileContent::Changing { secret, .. } = file.content else {
                panic!("{step:?}")
            };
            host.write(
                &format!("/var/lib/iec/incoming/secrets/{}", secret.file_name()),
                content,
            );
            assert_eq!(host.apply("values", step.op.clone()), expected);
            assert_eq!(host.read("/etc/iec/helm/shop.yaml").as_ref(), Some(content));
        }
        let journal = host.read("/var/lib/iec/journal.jsonl").expect("a journal");
        assert!(!shows(&journal), "{journal}");
    }
}
