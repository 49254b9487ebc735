//! The probe under real shells, its recorded answers, and answers that no host should give.

#![expect(clippy::disallowed_methods, reason = "a test runs the probe in real shells")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use iec_core::facts::{
    Ability, CgroupDriver, CgroupVersion, Facts, HostAnswer, HostFacts, ProbeFailure, Protocol,
};
use iec_core::pace::Pace;
use iec_core::probe::{Answer, BadAnswer, SCRIPT, SUDO_QUESTION, TRIED, parse, sudo_streams};
use proptest::prelude::*;

const CONTAINER: &str = include_str!("probe/debian-12-container.txt");

/// Runs `program` with `input`; `None` if it is not installed.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child
        .stdin
        .take()
        .expect("stdin is piped")
        .write_all(input.as_bytes())
        .expect("the shell reads its script");
    let output = child.wait_with_output().expect("the program ends");
    Some((output.status.success(), output.stdout))
}

fn understood(bytes: &[u8]) -> HostFacts {
    let Answer { facts, problems } = parse(bytes).expect("a whole answer");
    assert_eq!(problems, []);
    facts
}

/// The answer with the line `from` replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(CONTAINER.contains(&format!("\n{from}\n")), "{from}");
    CONTAINER.replace(&format!("\n{from}\n"), &format!("\n{to}\n"))
}

#[test]
fn every_shell_gives_an_answer_that_is_understood() {
    for shell in [
        &["dash", "-s"][..],
        &["bash", "-s"],
        &["bash", "--posix", "-s"],
        &["busybox", "sh", "-s"],
    ] {
        let Some((_, bytes)) = run(shell[0], &shell[1..], SCRIPT) else {
            continue;
        };
        match parse(&bytes) {
            Ok(answer) => {
                assert_eq!(answer.problems, [], "{shell:?}");
                assert_eq!(answer.facts.assumed(), [""; 0], "{shell:?}");
                assert!(answer.facts.kernel.version().is_some(), "{shell:?}");
                assert!(answer.facts.capacity.memory_total > 1 << 20, "{shell:?}");
                assert!(
                    answer.facts.storage.place("/").expect("a root").total > 0,
                    "{shell:?}"
                );
                assert!(
                    answer.facts.network.interfaces.iter().any(|one| one.name == "lo"),
                    "{shell:?}"
                );
            }
            Err(BadAnswer::NotRoot { uid }) => assert_ne!(uid, "0", "{shell:?}"),
            Err(bad) => panic!("{shell:?}: {bad:?}"),
        }
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    if let Some((clean, output)) = run("shellcheck", &["-s", "sh", "-"], SCRIPT) {
        assert!(clean, "{}", String::from_utf8_lossy(&output));
    }
}

#[test]
fn a_script_that_arrives_in_part_does_nothing() {
    let lines: Vec<&str> = SCRIPT.lines().collect();
    for count in [lines.len() - 1, lines.len() / 2] {
        let text = lines[..count].join("\n");
        if let Some((_, output)) = run("sh", &["-s"], &text) {
            assert_eq!(String::from_utf8_lossy(&output), "");
        }
    }
}

/// A program of the name `sudo` in a folder of its own, which runs the shell in this way.
fn sudo(way: &str) -> Option<(bool, Vec<u8>)> {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = std::env::temp_dir().join(format!("iec-sudo-{}-{}", std::process::id(), way.len()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let program = folder.join("sudo");
    std::fs::write(&program, format!("#!/bin/sh\n{way}\nexit\n")).expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    // As the transport wraps it.
    let script = format!("frame() {{\n(\n{SUDO_QUESTION}\n)\n}}\nframe </dev/null; exit\n");
    let ended = run(program.to_str().expect("a plain path"), &[], &script);
    std::fs::remove_dir_all(&folder).expect("removed");
    ended
}

/// `sudo` lends its streams, unless a plugin reads along: then it stands in between with pipes of its own.
#[test]
fn a_sudo_that_reads_along_is_known_by_its_pipes() {
    for (way, reads, writes) in [
        ("/bin/sh -s", false, false),
        ("/bin/sh -c 'exec /bin/sh -s'", false, false),
        ("cat | /bin/sh -s", true, false),
        ("cat | /bin/sh -s | cat", true, true),
        ("exec 3<&0; /bin/sh -s <&3 3<&- | cat", false, true),
    ] {
        let (_, output) = sudo(way).expect("a shell");
        let text = String::from_utf8(output).expect("text");
        let found = sudo_streams(text.lines());
        assert_eq!((found.reads, found.writes), (reads, writes), "{way}: {text}");
    }
    let without = run("sh", &["-s"], SUDO_QUESTION).expect("a shell");
    assert_eq!(without, (true, vec![]));
}

#[test]
fn what_is_no_file_or_has_no_end_does_not_hold_it_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("coreutils");
    assert!(made.success());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&pipe, &link).expect("a link");
    let long = folder.path().join("long");
    let made = Command::new("truncate").args(["-s", "1T"]).arg(&long).status();
    assert!(made.expect("coreutils").success());
    // Every file that the script reads and that is not the kernel's.
    let mut files: Vec<&str> = SCRIPT
        .split(|sign: char| sign.is_whitespace() || ";|)\"".contains(sign))
        .filter(|word| {
            ["/etc/", "/boot/", "/var/lib/"]
                .iter()
                .any(|start| word.starts_with(start))
        })
        .filter(|word| !word.contains('*') && !word.ends_with("admin.conf"))
        .collect();
    files.push("$home/.kube/config");
    files.sort_by_key(|file| std::cmp::Reverse(file.len()));
    assert!(files.len() > 20, "{files:?}");
    for other in [&pipe, &link, &long, std::path::Path::new("/dev/zero")] {
        let script = files.iter().fold(SCRIPT.to_owned(), |script, file| {
            script.replace(file, &other.display().to_string())
        });
        let (_, answer) = run("timeout", &["60", "sh", "-s"], &script).expect("coreutils");
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.ends_with("iec-probe=end\n"),
            "{}: {answer}",
            other.display()
        );
        assert!(!answer.contains("late="), "{}: {answer}", other.display());
    }
}

/// A `systemctl` that takes three seconds, on hosts that need so many nanoseconds for the measurement at the beginning.
#[test]
fn a_slow_host_gets_more_time_for_each_answer() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("systemctl");
    std::fs::write(&program, "#!/bin/sh\nsleep 3\necho Id=kubelet.service\n").expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("PATH={}:/usr/local/sbin", folder.path().display());
    let measured = "($(date +%s%N) - began)";
    assert!(SCRIPT.contains(measured));
    let answer = |nanoseconds: &str| {
        let script = SCRIPT
            .replace("PATH=/usr/local/sbin", &path)
            .replace(measured, nanoseconds);
        let (_, answer) = run("timeout", &["60", "sh", "-s"], &script).expect("coreutils");
        String::from_utf8(answer).expect("text")
    };
    assert!(answer("5000000").contains("\nlate=software systemctl\n"));
    let slow = answer("250000000");
    assert!(!slow.contains("\nlate="), "{slow}");
    assert!(slow.contains("\nunit=Id=kubelet.service\n"), "{slow}");
}

#[test]
fn a_bare_debian_host_in_a_container() {
    let facts = understood(CONTAINER.as_bytes());
    assert_eq!(facts.assumed(), [""; 0]);
    assert_eq!(facts.identity.hostname, "edge-1");
    assert_eq!(
        (
            facts.distribution.id.as_str(),
            facts.distribution.version.as_str()
        ),
        ("debian", "12")
    );
    assert_eq!(facts.kernel.version(), Some((6, 18)));
    assert_eq!((facts.kernel.modprobe, facts.kernel.module_files), (false, false));
    assert_eq!(facts.kernel.config["IP_SET"], "y");
    assert_eq!(
        (facts.capacity.cpus, facts.capacity.memory_total),
        (2, 24_683_656 << 10)
    );
    assert_eq!(facts.capacity.hash_millis, Some(20));
    assert_eq!(
        (facts.cgroup.version, facts.cgroup.systemd),
        (CgroupVersion::Hybrid, true)
    );
    assert!(facts.cgroup.controllers.contains(&"memory".to_owned()));
    assert_eq!(
        (
            facts.privileges.virtualisation.as_str(),
            facts.privileges.container
        ),
        ("podman", true)
    );
    assert!(!facts.privileges.has_capability(24), "CAP_SYS_RESOURCE");
    assert!(facts.privileges.has_capability(21), "CAP_SYS_ADMIN");
    assert_eq!(facts.privileges.open_files, Some(20_000));
    assert!(facts.features.ability("vxlan").works());
    assert!(matches!(facts.features.ability("ipset"), Ability::Untested(_)));
    assert!(facts.features.shared_root && facts.features.seccomp);
    assert_eq!(facts.features.sysctls["net.ipv4.ip_forward"], "1");
    let root = facts.storage.place("/var/lib/containerd").expect("a place");
    assert_eq!(
        (
            root.existing.as_str(),
            root.mount_point.as_str(),
            root.file_system.as_str()
        ),
        ("/var/lib", "/", "ext4")
    );
    assert_eq!((root.read_only, root.no_exec), (false, false));
    let temporary = facts.storage.place("/tmp").expect("a place");
    assert_eq!(
        (
            temporary.mount_point.as_str(),
            temporary.no_suid,
            temporary.no_exec
        ),
        ("/tmp", true, false)
    );
    assert_eq!(
        facts
            .network
            .default_interface()
            .map(|one| (one.name.as_str(), one.mtu)),
        Some(("eth0", 1500))
    );
    assert_eq!(
        facts.network.mtu_of("10.89.65.11".parse().expect("an address")),
        Some(1500)
    );
    let ports: Vec<_> = facts
        .listeners
        .iter()
        .map(|one| (one.protocol, one.port, one.process.as_deref()))
        .collect();
    assert_eq!(
        ports,
        [
            (Protocol::Tcp, 22, Some("sshd")),
            (Protocol::Tcp, 22, Some("sshd"))
        ]
    );
    assert_eq!(facts.resolver.nameservers, ["10.89.65.1"]);
    assert!(facts.resolver.answers[0].udp.works());
    assert!(facts.resolver.answers[0].tcp.failure().is_some());
    assert_eq!(facts.clock.now_millis, 1_795_459_153_533);
    assert_eq!(
        (
            facts.login.user.as_str(),
            facts.login.shell.as_str(),
            facts.login.noise.as_str()
        ),
        ("edge", "/bin/bash", "")
    );
    assert_eq!((facts.previous.journal, facts.cluster.etcd_data), (false, false));
    assert!(facts.software.binaries.is_empty() && !facts.software.has_tool("curl"));
}

/// The probe's words about Calico's manifest, as IEC writes it.
#[test]
fn what_calico_makes_its_pool_of_is_read_from_its_manifest() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("calico.yaml");
    let manifest = "kind: DaemonSet\nspec:\n  env:\n  - name: CALICO_IPV4POOL_IPIP\n    value: Never\n  \
                    - name: CALICO_IPV4POOL_VXLAN\n    value: CrossSubnet\n  \
                    - name: CALICO_IPV4POOL_BLOCK_SIZE\n    value: \"27\"\n";
    let read = |text: &str| {
        std::fs::write(&path, text).expect("written");
        let script = SCRIPT.replace("/etc/iec/manifests/calico.yaml", &path.display().to_string());
        let (_, bytes) = run("sh", &["-s"], &script).expect("a shell");
        parse(&bytes)
            .expect("a whole answer")
            .facts
            .cluster
            .calico_pool
            .clone()
    };
    let pool = read(manifest).expect("a pool");
    assert_eq!((pool.vxlan_mode.as_str(), pool.block_size), ("CrossSubnet", 27));
    assert_eq!(read("kind: DaemonSet\n"), None);
}

#[test]
fn homes_are_those_of_the_host_and_what_is_in_them_is_told() {
    let text = "home=edge /srv/the edge\nkubeconfig=/srv/the edge/.kube/config";
    let facts = understood(changed("home=edge /home/edge", text).as_bytes());
    let login = &facts.login;
    assert_eq!(login.homes["edge"], "/srv/the edge");
    assert_eq!(login.homes["root"], "/root");
    assert_eq!(login.kubeconfigs, ["/srv/the edge/.kube/config"]);
}

#[test]
fn the_plan_follows_a_container_host() {
    let facts = understood(CONTAINER.as_bytes());
    assert_eq!(facts.cgroup_driver(), CgroupDriver::Cgroupfs);
    assert!(!facts.fail_cgroup_v1() && facts.needs_host_tools() && facts.restrict_oom_score_adj());
    assert_eq!(
        facts.pod_resolver_file().as_deref(),
        Some("nameserver 10.89.65.1\n")
    );
    assert!(Pace::of(&facts).is_ordinary());
}

#[test]
fn one_missing_tool_of_the_packet_filter_brings_them() {
    let all = ["iptables", "ip6tables", "ipset", "nft", "conntrack"];
    for missing in all {
        let mut facts = understood(CONTAINER.as_bytes());
        for tool in all {
            let tools = &mut facts.software.value_mut().tools;
            tools.insert(tool.to_owned(), true);
        }
        assert!(!facts.needs_host_tools());
        facts.software.value_mut().tools.insert(missing.to_owned(), false);
        assert!(facts.needs_host_tools(), "{missing}");
    }
}

#[test]
fn reset_refuses_containers_that_are_not_the_clusters() {
    let text = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: a}\nspec:\n  release: \"1.36\"\n  access: {user: e}\n  hosts:\n    - {name: edge-1, address: 10.0.0.1, role: control-plane}\n";
    let (site, _) = iec_core::site::load(text, "site.yaml").expect("a valid site");
    let refused = |answer: &str| {
        let mut facts = Facts::new(None);
        let host = HostAnswer::Known(Box::new(understood(answer.as_bytes())));
        facts.insert("edge-1", host);
        iec_core::reset::refuse(&site, &facts).to_string()
    };
    assert_eq!(refused(CONTAINER), "");
    let said = refused(&changed(
        "docker=0",
        "docker=0\ncontainer=default/web\ncontainer=moby/4f1c",
    ));
    for part in ["IEC1868", "edge-1", "default/web", "moby/4f1c"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_login_shell_that_prints_is_noticed_and_does_no_harm() {
    let facts =
        understood(format!("Welcome to \x1b[31medge-1\nhave a nice day{CONTAINER}goodbye\n").as_bytes());
    assert_eq!(facts.login.noise, "Welcome to  [31medge-1 have a nice day");
}

#[test]
fn answers_that_cannot_be_used_say_why() {
    let failure = |text: &str| ProbeFailure::from(parse(text.as_bytes()).expect_err("no answer"));
    let not_begun = failure("fish: Unknown command\n");
    assert_eq!(
        (not_begun.code.as_str(), not_begun.evidence.as_str()),
        ("IEC1010", "it said `fish: Unknown command`")
    );
    let (half, _) = CONTAINER.split_once("uid=0").expect("a uid");
    let broken_off = failure(half);
    assert_eq!(
        (broken_off.code.as_str(), broken_off.evidence.as_str()),
        ("IEC1011", "the last line is `finished=cgroup`")
    );
    assert_eq!(failure(&changed("uid=0", "uid=1000")).code, "IEC1012");
}

#[test]
fn what_is_not_understood_is_named_and_the_rest_is_kept() {
    for (from, to, key) in [
        ("cpus=2", "cpus=many", "cpus"),
        ("cpus=2", "cpus:%%%", "cpus"),
        ("cpus=2", "processors=2", "processors"),
        ("cpus=2", "no line", ""),
        ("cgroup=hybrid", "cgroup=v3", "cgroup"),
        ("finished=network", "cut=route", "route"),
        ("tried=vxlan works", "tried=vxlan maybe", "tried"),
        (
            "memory-limit=9223372036854771712",
            "memory-limit=-1",
            "memory-limit",
        ),
    ] {
        let answer = parse(changed(from, to).as_bytes()).expect("the rest is understood");
        assert!(
            answer.problems.iter().any(|problem| problem.key == key),
            "{to}: {:?}",
            answer.problems
        );
        assert_eq!(answer.facts.identity.hostname, "edge-1");
    }
}

#[test]
fn a_section_that_did_not_finish_is_assumed() {
    let answer = parse(changed("finished=network", "").as_bytes()).expect("the rest is understood");
    assert_eq!(answer.facts.assumed(), ["network"]);
    assert!(
        answer
            .problems
            .iter()
            .any(|problem| problem.to_string().starts_with("network: "))
    );
}

#[test]
fn a_section_for_which_a_program_was_too_slow_is_assumed() {
    let late = changed("finished=network", "finished=network\nlate=software dpkg-query");
    let answer = parse(late.as_bytes()).expect("the rest is understood");
    assert_eq!(answer.facts.assumed(), ["software"]);
    let problems: Vec<String> = answer.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        ["software: a program did not answer in time (`dpkg-query`)"]
    );
}

#[test]
fn a_trial_that_was_refused_or_cut_short_is_not_taken_for_a_success() {
    let refused: String =
        CONTAINER
            .lines()
            .filter(|line| !line.starts_with("tried="))
            .fold(String::new(), |mut text, line| {
                text.push_str(line);
                text.push('\n');
                if line == "iec-probe=1" {
                    text.push_str("tried=unshare: unshare failed: Operation not permitted\n");
                }
                text
            });
    let facts = understood(refused.as_bytes());
    assert_eq!(
        facts.features.ability("namespaces").failure(),
        Some("unshare: unshare failed: Operation not permitted")
    );
    for name in TRIED.iter().filter(|name| **name != "namespaces") {
        assert!(
            matches!(facts.features.ability(name), Ability::Untested(_)),
            "{name}"
        );
    }
}

#[test]
fn limits_of_a_container_count_as_its_size() {
    let small = changed(
        "memory-limit=9223372036854771712",
        "memory-limit=1073741824\ncpu-quota=150000 100000",
    );
    let facts = understood(small.as_bytes());
    assert_eq!((facts.capacity.memory_total, facts.capacity.cpus), (1 << 30, 1));
}

#[test]
fn a_quota_of_cgroup_v1_counts_and_none_does_not() {
    let with = |quota: &str| {
        let limit = "memory-limit=9223372036854771712";
        let text = changed(limit, &format!("{limit}\ncpu-quota={quota}"));
        understood(text.as_bytes()).capacity.cpus
    };
    let all = understood(CONTAINER.as_bytes()).capacity.cpus;
    assert!(all > 1, "the recorded host has several processors");
    assert_eq!((with("100000 100000"), with("-1 100000")), (1, all));
}

#[test]
fn content_from_the_host_cannot_pass_for_a_line_of_the_answer() {
    // A file of the host with lines that look like ours, as the script's own `put` sends it.
    let put = SCRIPT
        .split_once("# put KEY TEXT\n")
        .and_then(|(_, rest)| rest.split_once("# each KEY"))
        .expect("put")
        .0;
    let script = format!("LC_ALL=C\n{put}\nput ca 'x\nuid=1000\niec-probe=end'\nput cut '\x1b[2J\u{e9}'\n");
    for shell in [&["dash", "-s"][..], &["bash", "-s"], &["busybox", "sh", "-s"]] {
        if let Some((_, output)) = run(shell[0], &shell[1..], &script) {
            let text = String::from_utf8(output).expect("text");
            assert_eq!(
                text, "ca:eAp1aWQ9MTAwMAppZWMtcHJvYmU9ZW5k\ncut:G1sySsOp\n",
                "{shell:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_change_of_a_line_is_read_without_a_panic(index in 0usize..400, text in "\\PC{0,80}", keep in any::<bool>()) {
        let mut lines: Vec<&str> = CONTAINER.lines().collect();
        let index = index % lines.len();
        let key = lines[index].split('=').next().unwrap_or_default();
        let line = if keep { format!("{key}={text}") } else { text };
        lines[index] = &line;
        if let Ok(answer) = parse(lines.join("\n").as_bytes()) {
            prop_assert_eq!(answer.facts.assumed().len() <= 1, true);
        }
    }

    #[test]
    fn every_text_of_every_key_is_read_without_a_panic(text in "[ -~]{0,60}", number in 0usize..60) {
        let keys: Vec<&str> = CONTAINER.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key).collect();
        let more = ["version x", "binary", "swap", "swap-unit", "proxy", "hosts-file", "ca", "store", "lock", "server"];
        let key = more.get(number).copied().unwrap_or_else(|| keys[number * 5 % keys.len()]);
        let added = CONTAINER.replace("\niec-probe=end", &format!("\n{key}={text}\niec-probe=end"));
        prop_assert!(parse(added.as_bytes()).is_ok() || key == "iec-probe" || key == "uid");
    }
}

#[test]
fn who_sets_kernel_parameters_at_boot_is_told_in_every_form_that_systemd_reads() {
    let lines = "boot-sysctl=/usr/lib/sysctl.d/50-a.conf:net.ipv4.ip_forward = 0\n\
                 boot-sysctl=/etc/sysctl.d/zz.conf:  -net/ipv4/ip_forward=1\n\
                 finished=features\n";
    let text = CONTAINER.replacen("finished=features\n", lines, 1);
    let facts = understood(text.as_bytes());
    let set: Vec<(&str, &str, &str)> = facts
        .features
        .boot_sysctls
        .iter()
        .map(|set| (set.file.as_str(), set.name.as_str(), set.value.as_str()))
        .collect();
    assert_eq!(
        set,
        [
            ("/usr/lib/sysctl.d/50-a.conf", "net.ipv4.ip_forward", "0"),
            ("/etc/sysctl.d/zz.conf", "net.ipv4.ip_forward", "1"),
        ]
    );
}
