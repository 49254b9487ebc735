//! Renderings of the example sites: complete, without a secret where none belongs, and read alike by every shell.

#![expect(clippy::unwrap_used, reason = "a test whose stage cannot be set fails")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests read the examples and start shells; the crate itself stays pure"
)]

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use iec_core::facts::Facts;
use iec_core::plan::Plan;
use iec_core::release::Release;
use iec_core::render::{
    ContentFrom, FileContent, Files, Format, Options, Secrets, Subject, assumptions, media, render,
};
use iec_core::site::Site;
use support::{SEEDED_SECRET, facts, manifest, plain_host, plan_of, site, site_names};

/// The files of a site in a format, as its hosts with these facts need them.
fn rendered(site: &Site, facts: &Facts, format: Format, options: &Options) -> Files {
    rendered_plan(site, facts, &plan_of(site, facts), format, options)
}

fn rendered_plan(site: &Site, facts: &Facts, plan: &Plan, format: Format, options: &Options) -> Files {
    let release = Release::bundled(site.release()).unwrap();
    let subject = Subject {
        site,
        facts,
        release: &release,
        content: &manifest(&release),
        plan,
        moment: "2026-11-23 19:12 UTC",
        who: "edge@laptop",
        run: "20261123-191200-4f1c",
    };
    render(&subject, format, options)
}

fn scripts(files: &Files) -> impl Iterator<Item = (&String, &str)> {
    files.iter().filter_map(|(path, file)| match &file.content {
        FileContent::Text(text) if path.ends_with(".sh") => Some((path, text.as_str())),
        _ => None,
    })
}

/// The text of one file.
fn text<'f>(files: &'f Files, path: &str) -> &'f str {
    match &files[path].content {
        FileContent::Text(text) => text,
        other => panic!("{path} is {other:?}"),
    }
}

fn ran(command: &[&str], input: &str) -> Output {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; cargo xtask test installs it", command[0]));
    // A shell that found an error reads no further.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn every_host_has_its_scripts_and_its_secrets() {
    for name in site_names() {
        let site = site(&name);
        let files = rendered(
            &site,
            &facts(&site, plain_host),
            Format::Script,
            &Options::default(),
        );
        for host in site.present_hosts() {
            let host = host.name();
            for path in [
                format!("install-{host}.sh"),
                format!("verify-{host}.sh"),
                format!("undo-{host}.sh"),
            ] {
                assert_eq!(files[&path].mode, 0o755, "{path}");
            }
            let secrets = &files[&format!("secrets-{host}")];
            assert_eq!(secrets.mode, 0o600);
            assert!(matches!(secrets.content, FileContent::Secret(_)));
        }
        assert!(files.contains_key("site.sh"));
        assert!(files.keys().any(|path| path.starts_with("blobs/sha256/")));
    }
}

#[test]
fn no_script_has_a_secret_in_it() {
    for name in site_names() {
        let site = site(&name);
        let files = rendered(
            &site,
            &facts(&site, plain_host),
            Format::Script,
            &Options::default(),
        );
        for (path, text) in scripts(&files) {
            assert!(!text.contains(SEEDED_SECRET), "{name}: {path}");
        }
    }
}

#[test]
fn without_secrets_and_content_there_are_scripts_only() {
    let site = site("three-hosts");
    let options = Options {
        secrets: Secrets::None,
        content: ContentFrom::Elsewhere,
        ..Options::default()
    };
    let files = rendered(&site, &facts(&site, plain_host), Format::Script, &options);
    assert!(
        files.keys().all(|path| path.ends_with(".sh")),
        "{:?}",
        files.keys()
    );
}

#[test]
fn every_shell_reads_every_script() {
    for name in site_names() {
        let site = site(&name);
        let files = rendered(&site, &Facts::assume(&site), Format::Script, &Options::default());
        for (path, text) in scripts(&files) {
            for shell in [
                &["dash", "-n"][..],
                &["busybox", "sh", "-n"],
                &["bash", "--posix", "-n"],
            ] {
                let output = ran(shell, text);
                assert!(
                    output.status.success(),
                    "{name}: {path}: {shell:?}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
    }
}

#[test]
fn shellcheck_has_nothing_to_say_about_scripts() {
    let site = site("three-hosts");
    let facts = Facts::assume(&site);
    let mut plan = plan_of(&site, &facts);
    // The steps themselves are looked at in the tests of plans; all of them take minutes.
    for part in &mut plan.hosts {
        part.steps.truncate(6);
    }
    let files = rendered_plan(&site, &facts, &plan, Format::Script, &Options::default());
    for (path, text) in scripts(&files) {
        let output = ran(&["shellcheck", "-f", "gcc", "-"], text);
        assert!(
            output.status.success(),
            "{path}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// Whether a shell runs any command of what it reads. Should it begin the script itself, that ends at once: this is a real
/// machine.
fn runs_something(shell: &[&str], script: &str) -> bool {
    let output = ran(&[shell, &["-x"]].concat(), script);
    let traced = String::from_utf8_lossy(&output.stderr);
    !output.stdout.is_empty() || traced.lines().any(|line| line.starts_with("+ "))
}

#[test]
fn a_script_that_was_cut_anywhere_does_nothing() {
    let site = site("single-host");
    let files = rendered(&site, &Facts::assume(&site), Format::Seed, &Options::default());
    for (path, text) in scripts(&files) {
        let begin = "\ncarry() {\n";
        assert_eq!(text.matches(begin).count(), 1, "{path}");
        let text = text.replace(begin, &format!("{begin}echo begun; exit\n"));
        let whole = text.len() - 1;
        // A cut that leaves the last line without its end leaves everything that is to be run.
        let last = whole - 30..whole;
        let elsewhere = (0..whole).step_by(whole / 40);
        for shell in [&["dash"][..], &["bash", "--posix"], &["busybox", "sh"]] {
            assert!(runs_something(shell, &text) && runs_something(shell, &text[..whole]));
            for cut in elsewhere.clone().chain(last.clone()) {
                let cut = text.floor_char_boundary(cut);
                assert!(
                    !runs_something(shell, &text[..cut]),
                    "{shell:?}: {path}: {cut} of {whole}"
                );
            }
        }
    }
}

#[test]
fn a_script_on_another_host_says_so_and_ends() {
    let site = site("three-hosts");
    let files = rendered(
        &site,
        &facts(&site, plain_host),
        Format::Script,
        &Options::default(),
    );
    for (path, text) in scripts(&files).filter(|(path, _)| *path != "site.sh") {
        for shell in [&["dash"][..], &["busybox", "sh"]] {
            let output = ran(shell, text);
            let said = String::from_utf8_lossy(&output.stderr);
            // Without root's rights that is what it says first.
            assert!(
                said.contains("IEC1701") || said.contains("IEC1709"),
                "{path}: {said}"
            );
            assert_eq!(output.status.code(), Some(1), "{path}");
        }
    }
}

#[test]
fn help_needs_no_rights() {
    let site = site("three-hosts");
    let files = rendered(
        &site,
        &facts(&site, plain_host),
        Format::Script,
        &Options::default(),
    );
    for (path, text) in scripts(&files) {
        let output = ran(&["dash", "-s", "--", "--help"], text);
        assert_eq!(output.status.code(), Some(0), "{path}: {output:?}");
        assert!(!output.stdout.is_empty(), "{path}");
    }
}

#[test]
fn only_what_nobody_observed_is_asked() {
    let site = site("three-hosts");
    let asked = facts(&site, plain_host);
    let unasked = Facts::assume(&site);
    for host in site.hosts() {
        let name = host.name().as_str();
        assert!(assumptions(site.access(), host, asked.host(name).unwrap()).is_empty());
        let list = assumptions(site.access(), host, unasked.host(name).unwrap());
        let sections: Vec<&str> = list.iter().map(|assumption| assumption.section).collect();
        for section in ["kernel", "cgroup", "resolver", "swap", "distribution", "login"] {
            assert!(sections.contains(&section), "{section}");
        }
    }
}

#[test]
fn what_was_assumed_is_compared_with_this_machine() {
    let site = site("three-hosts");
    let mut wrong = Facts::assume(&site);
    let host = &site.hosts()[0];
    let mut known = wrong.host(host.name().as_str()).unwrap().clone();
    known.kernel.value_mut().machine = "pdp11".to_owned();
    wrong.insert(
        host.name().as_str(),
        iec_core::facts::HostAnswer::Known(Box::new(known.clone())),
    );
    let list = assumptions(site.access(), host, &known);
    let machine = list
        .iter()
        .find(|assumption| assumption.question.what == "the processor is pdp11")
        .unwrap();
    let output = ran(&["dash"], &machine.question.ask.statement(""));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_host_called_content_has_a_medium_of_its_own() {
    let text = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: a}\nspec:\n  release: \"1.36\"\n  access: {user: edge}\n  hosts: [{name: content, address: 10.0.0.1, role: control-plane}]\n";
    let (site, _) = iec_core::site::load(text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    let options = Options {
        secrets: Secrets::Encrypted,
        content: ContentFrom::Copied,
        ..Options::default()
    };
    let files = rendered(&site, &Facts::assume(&site), Format::CloudInit, &options);
    let media = media(Format::CloudInit, &files);
    let labels: Vec<(&str, &str)> = media
        .iter()
        .map(|medium| (medium.folder.as_str(), medium.label))
        .collect();
    assert_eq!(labels, [("content/", "CIDATA"), ("content_/", "IEC-CONTENT")]);
    assert!(
        files.keys().all(|path| !path.starts_with("content/blobs")),
        "{files:?}"
    );
}

#[test]
fn seeds_are_what_cloud_init_takes() {
    for name in site_names() {
        let site = site(&name);
        for (known, content) in [
            (Facts::assume(&site), ContentFrom::Copied),
            (
                facts(&site, plain_host),
                ContentFrom::At("http://10.0.0.1/iec".to_owned()),
            ),
        ] {
            let options = Options {
                secrets: Secrets::Encrypted,
                content,
                ..Options::default()
            };
            let files = rendered(&site, &known, Format::CloudInit, &options);
            for host in site.present_hosts() {
                let folder = tempfile::tempdir().unwrap();
                let name = host.name();
                let data = text(&files, &format!("{name}/user-data"));
                assert!(data.starts_with("#cloud-config\n") && !data.contains(SEEDED_SECRET));
                assert!(files.contains_key(&format!("{name}/secrets-{name}")));
                let prefix = format!("{name}/");
                let own = files
                    .keys()
                    .filter_map(|path| Some((path, path.strip_prefix(&prefix)?)));
                for (path, file) in
                    own.filter(|(_, file)| file.ends_with("-data") || file.ends_with("-config"))
                {
                    std::fs::write(folder.path().join(file), text(&files, path)).unwrap();
                }
                let interface = known
                    .host(name.as_str())
                    .unwrap()
                    .network
                    .interface_of(host.address().into());
                let known = interface.is_some() || !host.hardware().interfaces.is_empty();
                assert_eq!(folder.path().join("network-config").exists(), known, "{name}");
                let address = known.then(|| host.address().to_string());
                cloud_init_takes(folder.path(), name.as_str(), address.as_deref());
            }
        }
    }
}

/// Reads a seed as cloud-init does when it finds one.
const READ_SEED: &str = "import sys
from cloudinit import util
seed = util.pathprefix2dict(sys.argv[1], required=['user-data', 'meta-data'], optional=['network-config'])
meta = util.load_yaml(seed['meta-data'])
print(meta['instance-id'], meta['local-hostname'], sorted(meta))
";

/// Fails when cloud-init would not take the seed of this host in this folder as it is meant.
fn cloud_init_takes(folder: &Path, host: &str, address: Option<&str>) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let done = |command: &[&str]| {
        let output = ran(command, "");
        assert!(output.status.success(), "{host}: {command:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    done(&["cloud-init", "schema", "--config-file", &path("user-data")]);
    if let Some(address) = address {
        takes_network(&done, &path("network-config"), &path("out"), address);
    }
    let meta = done(&[
        "/usr/bin/python3",
        "-c",
        READ_SEED,
        &format!("{}/", folder.display()),
    ]);
    let (instance, rest) = meta.split_once(' ').unwrap();
    assert!(instance.starts_with("iec-") && instance.contains(host), "{meta}");
    assert_eq!(rest, format!("{host} ['instance-id', 'local-hostname']\n"));
}

/// Has cloud-init make units of networkd from its network configuration, as it does at boot.
fn takes_network(done: &dyn Fn(&[&str]) -> String, network: &str, out: &str, address: &str) {
    // Only later versions have a schema of it; every version has the code that reads it.
    if done(&["cloud-init", "schema", "--help"]).contains("--schema-type") {
        let words = [
            "cloud-init",
            "schema",
            "--schema-type",
            "network-config",
            "--config-file",
        ];
        done(&[&words[..], &[network]].concat());
    }
    let mut words = vec![
        "cloud-init",
        "devel",
        "net-convert",
        "--kind",
        "yaml",
        "--distro",
        "debian",
    ];
    words.extend([
        "--output-kind",
        "networkd",
        "--network-data",
        network,
        "--directory",
        out,
    ]);
    done(&words);
    let units = std::fs::read_dir(Path::new(out).join("etc/systemd/network")).unwrap();
    let units: String = units
        .map(|unit| std::fs::read_to_string(unit.unwrap().path()).unwrap())
        .collect();
    assert!(units.contains(&format!("Address={address}/")), "{units}");
}

/// A document of a seed.
fn document(files: &Files, path: &str) -> serde_json::Value {
    let text = text(files, path);
    serde_json::from_str(text.strip_prefix("#cloud-config\n").unwrap_or(text)).unwrap()
}

#[test]
fn a_first_boot_gets_the_networks_that_the_site_file_describes() {
    let site = site("machines");
    let files = rendered(
        &site,
        &Facts::assume(&site),
        Format::CloudInit,
        &Options::default(),
    );
    assert_eq!(
        document(&files, "kiosk-1/network-config"),
        serde_json::json!({
            "version": 2,
            "ethernets": {
                "end0": {
                    "match": { "macaddress": "02:00:00:00:01:11" },
                    "addresses": ["10.1.0.11/24"],
                    "routes": [{ "to": "0.0.0.0/0", "via": "10.1.0.1" }],
                    "nameservers": { "addresses": ["10.1.0.1"] },
                },
                "end1": { "match": { "macaddress": "02:00:00:00:02:11" } },
            },
            "vlans": { "end1.101": { "id": 101, "link": "end1", "addresses": ["10.2.0.11/24"] } },
        })
    );
}

#[test]
fn somebody_can_log_in_after_a_first_boot() {
    let site = site("three-hosts");
    let users = |keys: &[&str]| {
        let options = Options {
            authorized_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            ..Options::default()
        };
        let files = rendered(&site, &Facts::assume(&site), Format::CloudInit, &options);
        document(&files, "edge-1/user-data")["users"].clone()
    };
    let users_without = users(&[]);
    assert_eq!(users_without[0], "default");
    assert_eq!(users_without[1]["name"], "edge");
    let users_with = users(&["ssh-ed25519 AAAA somebody"]);
    assert_eq!(users_with.as_array().unwrap().len(), 1);
    assert_eq!(
        users_with[0]["ssh_authorized_keys"][0],
        "ssh-ed25519 AAAA somebody"
    );
}

#[test]
fn every_medium_is_of_files_that_are_there_and_has_the_label_that_hosts_look_for() {
    let site = site("three-hosts");
    let known = facts(&site, plain_host);
    let options = Options::default();
    let seed = rendered(&site, &known, Format::Seed, &options);
    let media_of_seed = media(Format::Seed, &seed);
    assert_eq!(media_of_seed.len(), 1);
    let label = media_of_seed[0].label;
    let condition = format!("ConditionPathExists=/dev/disk/by-label/{label}\n");
    assert!(text(&seed, "iec-seed.service").contains(&condition));
    assert!(text(&seed, "iec-seed.sh").contains(&format!("carry_label={label}\n")));
    let first_boot = rendered(&site, &known, Format::CloudInit, &options);
    let list = media(Format::CloudInit, &first_boot);
    let named: Vec<(&str, &str)> = list
        .iter()
        .map(|medium| (medium.image.as_str(), medium.label))
        .collect();
    assert_eq!(
        named,
        [
            ("content.iso", "IEC-CONTENT"),
            ("edge-1.iso", "CIDATA"),
            ("edge-2.iso", "CIDATA"),
            ("edge-3.iso", "CIDATA")
        ]
    );
    for medium in &list {
        assert!(first_boot.keys().any(|path| path.starts_with(&medium.folder)));
        let on_it = |path: &str| first_boot.contains_key(&format!("{}{path}", medium.folder));
        assert_eq!(on_it("user-data"), medium.label == "CIDATA");
    }
    let at = Options {
        content: ContentFrom::At("http://10.0.0.1/iec".to_owned()),
        ..options
    };
    let without = rendered(&site, &known, Format::CloudInit, &at);
    assert_eq!(media(Format::CloudInit, &without).len(), 3);
    assert!(media(Format::Script, &seed).is_empty());
}

#[test]
fn a_first_boot_ends_as_its_installation_did() {
    let site = site("three-hosts");
    let options = Options {
        secrets: Secrets::Plain,
        content: ContentFrom::Copied,
        ..Options::default()
    };
    let files = rendered(&site, &facts(&site, plain_host), Format::CloudInit, &options);
    let data = text(&files, "edge-1/user-data");
    let data: serde_json::Value = serde_json::from_str(data.split_once('\n').unwrap().1).unwrap();
    let commands = data["runcmd"].as_array().unwrap();
    // cloud-init goes on after a command that failed: only the last one's exit code counts.
    assert_eq!(commands.len(), 1);
    let words: Vec<&str> = commands[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    assert_eq!(words[3..], ["sh", "edge-1", "plain", "--medium", "IEC-CONTENT"]);
    // Media can be mounted, but there is no script on them.
    let stand_ins = "mkdir() { :; }\nmount() { :; }\numount() { :; }\n";
    let script = format!("{stand_ins}{}", words[2]);
    let output = ran(&["dash", "-c", &script, "sh", "edge-1", "plain"], "");
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    let output = ran(&["shellcheck", "--shell=sh", "-"], words[2]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_seed_knows_hosts_by_what_only_they_have() {
    let site = site("three-hosts");
    let files = rendered(
        &site,
        &facts(&site, plain_host),
        Format::Seed,
        &Options::default(),
    );
    let autorun = text(&files, "autorun.sh");
    for host in site.hosts() {
        let facts = plain_host(host);
        assert!(autorun.contains(&format!(
            "{}) carry_host={} ;;",
            facts.identity.machine_id,
            host.name()
        )));
    }
    let output = ran(&["dash"], autorun);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("IEC1701"));
    let unknown = rendered(&site, &Facts::assume(&site), Format::Seed, &Options::default());
    assert!(!text(&unknown, "autorun.sh").contains("carry_host=edge-1 ;;"));
}

/// Whether this machine takes itself for the host that a script was rendered for.
fn is_this_machine(script: &str) -> bool {
    let from = script.find("carry_ask_identity() {").unwrap();
    let asks = script[from..].split_inclusive("\n}\n").next().unwrap();
    let output = ran(
        &["dash"],
        &format!(
            "carry_ask() {{ [ \"$2\" -eq 0 ] || wrong=yes; }}\n{asks}carry_ask_identity\n[ -z \"$wrong\" ]\n"
        ),
    );
    assert!(output.stderr.is_empty(), "{output:?}");
    output.status.success()
}

/// A hardware address of this machine.
fn own_address() -> String {
    let cards = std::fs::read_dir("/sys/class/net").unwrap();
    let addresses =
        cards.map(|card| std::fs::read_to_string(card.unwrap().path().join("address")).unwrap_or_default());
    let mut known = addresses.map(|address| address.trim().to_owned());
    known
        .find(|address| address.len() == 17 && address != "00:00:00:00:00:00")
        .expect("a card")
}

#[test]
fn a_host_that_is_found_by_its_card_is_the_right_one_for_its_script() {
    let site = site("three-hosts");
    let seeded = |known: &Facts| {
        let files = rendered(&site, known, Format::Seed, &Options::default());
        let script = |name: &str| is_this_machine(text(&files, name));
        let autorun = text(&files, "autorun.sh").to_owned();
        (autorun, script("install-edge-1.sh"), script("install-edge-2.sh"))
    };
    let card = own_address();
    let with = |hosts: &[&str]| {
        facts(&site, |host| {
            let mut known = plain_host(host);
            if hosts.contains(&host.name().as_str()) {
                known.network = iec_core::facts::Fact::Observed(iec_core::facts::Network {
                    interfaces: vec![iec_core::facts::Interface {
                        name: "eno1".to_owned(),
                        mac: Some(card.to_uppercase()),
                        addresses: vec![format!("{}/24", host.address()).parse().unwrap()],
                        ..Default::default()
                    }],
                    routes: vec![],
                });
            }
            known
        })
    };
    // Its machine-id is another one: it was installed anew.
    let (autorun, first, second) = seeded(&with(&["edge-1"]));
    assert!(autorun.contains(&card) && first && !second);
    // What two hosts have tells nobody which one it is.
    let (autorun, first, second) = seeded(&with(&["edge-1", "edge-2"]));
    assert!(!autorun.contains(&card) && !first && !second);
}

#[test]
fn a_seed_knows_hosts_that_nobody_asked_by_the_cards_of_the_site_file() {
    let site = site("machines");
    let files = rendered(&site, &Facts::assume(&site), Format::Seed, &Options::default());
    let autorun = text(&files, "autorun.sh");
    assert!(
        autorun.contains("02:00:00:00:01:11 | 02:00:00:00:02:11) carry_host=kiosk-1 ;;"),
        "{autorun}"
    );
    // What the management controller has is no card of the host.
    assert!(!autorun.contains("02:00:00:00:00:11"));
    let script = text(&files, "install-kiosk-1.sh");
    assert!(
        script.contains("hardware address 02:00:00:00:01:11 or 02:00:00:00:02:11, or its name is kiosk-1")
    );
}
