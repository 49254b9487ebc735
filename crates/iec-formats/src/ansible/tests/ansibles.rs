//! What Ansible itself makes of an inventory: what it reads, which variable it takes, and whom it reaches how.

use super::*;

/// Hosts with addresses, ports and accounts.
fn reached(site: &iec_core::site::Site) -> Vec<String> {
    let hosts = site.hosts().iter().map(|host| {
        let user = host.user().unwrap_or_else(|| site.access().user());
        format!(
            "{} {}@{}:{}",
            host.name(),
            user.as_str(),
            host.address(),
            host.port().unwrap_or(22)
        )
    });
    hosts.collect()
}

fn refused(text: &str, file: &str, beside: &[Beside<'_>]) -> String {
    match import(text, file, beside, &WANTED) {
        Ok(imported) => panic!("it was taken:\n{}", imported.text),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn general_names_of_groups_do_not_count_beside_a_cluster_s() {
    let host = |name: &str, last: u8| format!("{name} ansible_host=10.0.0.{last}");
    for (text, expected, left_out) in [
        (
            format!(
                "[servers]\n{}\n[kube_control_plane]\n{}\n[kube_node]\n{}\n[agents]\n{}\n",
                host("nfs1", 1),
                host("cp1", 2),
                host("w1", 3),
                host("ci", 4)
            ),
            vec!["cp1 control-plane", "w1 worker"],
            "nfs1, ci are left out",
        ),
        (
            format!(
                "[masters]\n{}\n[servers]\n{}\n[workers]\n{}\n[agents]\n{}\n",
                host("m", 1),
                host("s", 2),
                host("w", 3),
                host("ci", 4)
            ),
            vec!["m control-plane", "w worker"],
            "s, ci are left out",
        ),
        (
            format!(
                "[masters]\n{}\n[kube_node]\n{}\n[servers]\n{}\n",
                host("m", 1),
                host("w", 2),
                host("s", 3)
            ),
            vec!["m control-plane", "w worker"],
            "s is left out",
        ),
        (
            format!(
                "[kube_control_plane]\n{}\n[workers]\n{}\n",
                host("cp", 1),
                host("w", 2)
            ),
            vec!["cp control-plane"],
            "w is left out",
        ),
        (
            format!("[master]\n{}\n[agents]\n{}\n", host("m", 1), host("a", 2)),
            vec!["m control-plane", "a worker"],
            "",
        ),
        (
            format!(
                "[iec_control_planes]\n{}\n[kube_control_plane]\n{}\n",
                host("own", 1),
                host("cp", 2)
            ),
            vec!["own control-plane"],
            "cp is left out",
        ),
    ] {
        let (site, warnings) = site(&text, "hosts.ini");
        let found: Vec<String> = hosts(&site)
            .into_iter()
            .map(|(name, _, role)| format!("{name} {role}"))
            .collect();
        assert_eq!(found, expected, "{text}");
        let warnings = warnings.to_string();
        assert!(warnings.contains(left_out), "{text}: {warnings}");
        assert_eq!(
            warnings.contains("do not count beside"),
            !left_out.is_empty(),
            "{warnings}"
        );
    }
}

#[test]
fn the_names_that_the_ssh_plugin_reads_last_win() {
    let text = "[kube_control_plane]\na ansible_host=10.0.0.1 ansible_ssh_host=10.0.0.2 ansible_port=1 ansible_ssh_port=2 ansible_user=u ansible_ssh_user=v ansible_private_key_file=p ansible_ssh_private_key_file=q\n";
    let (made, _) = site(text, "hosts.ini");
    assert_eq!(reached(&made), ["a v@10.0.0.2:2"]);
    assert_eq!(made.access().identity(), Some("q"));
    // Of a weaker place too; a null is no value, an empty text is one.
    let of = |host: &str| {
        format!(
            "all:\n  vars: {{ansible_ssh_host: 10.0.0.9, ansible_ssh_user: weak}}\nkube_control_plane:\n  hosts:\n    a: {host}\n"
        )
    };
    let (made, _) = site(&of("{ansible_host: 10.0.0.1, ansible_user: u}"), "hosts.yml");
    assert_eq!(reached(&made), ["a weak@10.0.0.9:22"]);
    let (made, _) = site(
        &of("{ansible_host: 10.0.0.1, ansible_user: u, ansible_ssh_host: null, ansible_ssh_user: ~}"),
        "hosts.yml",
    );
    assert_eq!(reached(&made), ["a u@10.0.0.1:22"]);
    let problems = refused(
        &of("{ansible_host: 10.0.0.1, ansible_ssh_host: ''}"),
        "hosts.yml",
        &[],
    );
    assert!(problems.contains("its ansible_ssh_host is empty"), "{problems}");
    let problems = refused("[kube_control_plane]\na ansible_host=\"\"\n", "hosts.ini", &[]);
    assert!(
        problems.contains("hosts.ini:2:1") && problems.contains("its ansible_host is empty"),
        "{problems}"
    );
}

#[test]
fn values_that_cannot_be_are_errors_at_their_lines() {
    for (variable, code) in [
        ("ip=10.0.0.300", "IEC0838"),
        ("ip=n1.example.org", "IEC0838"),
        ("ip=fd00::1", "IEC0838"),
        ("ip=10.0.0.1/24", "IEC0838"),
        ("ansible_port=ssh", "IEC0838"),
        ("ansible_port=0", "IEC0838"),
        ("ansible_port=70000", "IEC0838"),
        ("ansible_ssh_port=''", "IEC0838"),
    ] {
        let text = format!(
            "[kube_control_plane]\na ansible_host=10.0.0.1\n[kube_node]\nb ansible_host=10.0.0.2 {variable}\n"
        );
        let problems = refused(&text, "hosts.ini", &[]);
        assert!(
            problems.contains(&format!("hosts.ini:4:1: error[{code}]")),
            "{variable}: {problems}"
        );
    }
    let (made, _) = site(
        "[kube_control_plane]\na ansible_host=10.0.0.1 ansible_port='022' ip=\n",
        "hosts.ini",
    );
    assert_eq!(reached(&made), ["a edge@10.0.0.1:22"]);
}

#[test]
fn a_file_of_variables_that_cannot_be_read_whole_is_refused() {
    let text = "[kube_control_plane]\na ansible_host=10.0.0.1\n";
    for broken in [
        "ansible_user: core\nx: [hunter2\n",
        "ansible_user: core\n\tx: hunter2\n",
        "ansible_user: core\n---\nx: hunter2\n",
        "- ansible_user: core\n",
        "hunter2\n",
        "x: !what hunter2\n",
    ] {
        let problems = refused(text, "hosts.ini", &[group("all", broken)]);
        assert!(
            problems.contains("group_vars/x.yml:") && !problems.contains("hunter2"),
            "{broken}: {problems}"
        );
    }
    for nothing in ["", "---\n", "[]\n", "{}\n", "~\n", "# x\n"] {
        let (made, _) = with_beside(text, "hosts.ini", &[group("all", nothing)]);
        assert_eq!(reached(&made), ["a edge@10.0.0.1:22"], "{nothing}");
    }
}

#[test]
fn of_a_key_that_is_written_twice_the_last_value_counts_and_it_is_told() {
    let text =
        "kube_control_plane:\n  hosts:\n    a: {ansible_host: 10.0.0.9}\n    a: {ansible_host: 10.0.0.1}\n";
    let twice = group(
        "all",
        "ansible_user: first\nansible_port: 1\nansible_user: last\n",
    );
    let (made, warnings) = with_beside(text, "hosts.yml", &[twice]);
    assert_eq!(reached(&made), ["a last@10.0.0.1:1"]);
    for part in [
        "the key `ansible_user` is written twice",
        "group_vars/x.yml, lines 1 and 3",
        "hosts.yml, lines 3 and 4",
    ] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
}

#[test]
fn an_account_that_nobody_names_is_told() {
    for (text, evidence) in [
        ("[kube_control_plane]\na ansible_host=10.0.0.1\n", ""),
        (
            "[kube_control_plane]\na ansible_host=10.0.0.1 ansible_user='{{ who }}'\n",
            "ansible_user is {{ who }}",
        ),
        (
            "[kube_control_plane]\na ansible_host=10.0.0.1 ansible_user=''\n",
            "line 2: ansible_user is empty",
        ),
        (
            "kube_control_plane: {hosts: {a: {ansible_host: 10.0.0.1, ansible_user: !vault x}}}\n",
            "ansible_user is encrypted",
        ),
    ] {
        let (_, warnings) = site(text, "hosts");
        let warnings = warnings.to_string();
        for part in ["IEC0837", "it logs in as edge", "--user NAME", evidence] {
            assert!(warnings.contains(part), "{part} in {warnings}");
        }
    }
    let (_, warnings) = site(
        "[kube_control_plane]\na ansible_host=10.0.0.1 ansible_user=core\n",
        "hosts",
    );
    assert!(!warnings.to_string().contains("IEC0837"), "{warnings}");
}

#[test]
fn ansible_s_configuration_counts_where_no_variable_does() {
    let configuration = File {
        text: "[defaults]\nremote_user = core\nremote_port = 2222\nprivate_key_file = ~/.ssh/id\n",
        file: "ansible.cfg",
    };
    let wanted = Wanted {
        configuration: Some(configuration),
        ..WANTED
    };
    let text = "[kube_control_plane]\na ansible_host=10.0.0.1\n[kube_node]\nb ansible_host=10.0.0.2 ansible_ssh_user=own ansible_port=22\n";
    let imported = import(text, "hosts.ini", &[], &wanted).unwrap_or_else(|problems| panic!("{problems}"));
    let (made, _) =
        iec_core::site::load(&imported.text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(reached(&made), ["a core@10.0.0.1:2222", "b own@10.0.0.2:22"]);
    assert_eq!(made.access().identity(), Some("~/.ssh/id"));
    assert!(!imported.warnings.to_string().contains("IEC0837"));
}

#[test]
fn hosts_that_ansible_does_not_reach_over_ssh_are_named_and_left_out() {
    let text = "[kube_control_plane]\na ansible_host=10.0.0.1 ansible_connection=ansible.builtin.ssh\n[kube_node]\nw ansible_host=10.0.0.2 ansible_connection=winrm\nl ansible_connection=local\nd ansible_connection=community.docker.docker\ns ansible_host=10.0.0.3 ansible_connection=smart\n";
    let (made, warnings) = site(text, "hosts.ini");
    assert_eq!(reached(&made), ["a edge@10.0.0.1:22", "s edge@10.0.0.3:22"]);
    let warnings = warnings.to_string();
    for part in [
        "w is left out: Ansible reaches it by `winrm`",
        "`local`",
        "`community.docker.docker`",
        "--host l=ADDRESS",
    ] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
    let alone = "[kube_control_plane]\nl ansible_connection=local\n";
    let problems = refused(alone, "hosts.ini", &[]);
    assert!(
        problems.contains("no control plane that is reached over SSH"),
        "{problems}"
    );
    let here = [HostChoice {
        name: "l",
        address: "10.0.0.7",
        role: None,
    }];
    let wanted = Wanted {
        hosts: &here,
        ..WANTED
    };
    assert!(import(alone, "hosts.ini", &[], &wanted).is_ok());
}

#[test]
fn groups_and_ports_are_those_of_ansible() {
    // A host of a group is not in `ungrouped` too, wherever it stood first.
    let text = "a ansible_host=10.0.0.1\nb:1222 ansible_host=10.0.0.2\n[kube_control_plane]\na\n[kube_node]\nb:9322\nc:1 ansible_host=10.0.0.3 ansible_port=2\n[ungrouped:vars]\nansible_user=nobody\n";
    let (made, _) = site(text, "hosts.ini");
    assert_eq!(
        reached(&made),
        ["a edge@10.0.0.1:22", "b edge@10.0.0.2:1222", "c edge@10.0.0.3:2"]
    );
    // Of two control planes the first of the group stays.
    let text = "n[1:3] ansible_user=core\n[kube_control_plane]\nn3\nn1\n[kube_node]\nn2\n[all]\nn1 ansible_host=10.0.0.1\nn2 ansible_host=10.0.0.2\nn3 ansible_host=10.0.0.3\n";
    let (made, warnings) = site(text, "hosts.ini");
    let control_plane = made.control_planes().next().expect("one").name().to_string();
    assert_eq!(control_plane, "n3");
    assert!(
        warnings
            .to_string()
            .contains("n3 is the control plane, n1 becomes a worker")
    );
}

#[test]
fn what_ansible_reads_is_read() {
    let plain = "[kube_control_plane]\ncp1 ansible_host=10.0.0.1\n";
    let carriage_returns = with_line_feeds(&plain.replace('\n', "\r"));
    for (text, names) in [
        (
            "[kube_control_plane]\n\"cp1\" \"ansible_host=10.0.0.1\"\n",
            vec!["cp1"],
        ),
        (
            "\u{feff}[kube_control_plane]\ncp1 ansible_host=10.0.0.1\n",
            vec!["cp1"],
        ),
        (carriage_returns.as_str(), vec!["cp1"]),
        (
            "[kube_control_plane:hosts]\ncp1 ansible_host=10.0.0.1\n",
            vec!["cp1"],
        ),
        (
            "[kube_control_plane]\nn[:1]\n[all]\nn0 ansible_host=10.0.0.1\nn1 ansible_host=10.0.0.2\n",
            vec!["n0", "n1"],
        ),
    ] {
        let (made, _) = site(text, "hosts.ini");
        let found: Vec<&str> = made.hosts().iter().map(|host| host.name().as_str()).collect();
        assert_eq!(found, names, "{text}");
    }
    let (made, warnings) = site(
        "kube_control_plane: {hosts: {a: {ansible_host: !unsafe 10.0.0.1, ansible_user: !!str core}}}\n",
        "hosts.yml",
    );
    assert_eq!(reached(&made), ["a core@10.0.0.1:22"]);
    assert!(!warnings.to_string().contains("encrypted"), "{warnings}");
    let (made, _) = site(
        "kube_control_plane:\n  hosts: a\n  vars: {ansible_host: 10.0.0.1}\n",
        "hosts.yml",
    );
    assert_eq!(reached(&made), ["a edge@10.0.0.1:22"]);
    assert_eq!(with_line_feeds("a\r\nb\rc\n\r"), "a\r\nb\nc\n\n");
}

#[test]
fn what_only_ansible_reads_is_told_with_the_way_out() {
    for (text, file, reason) in [
        (
            "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
            "hosts",
            "encrypted with ansible-vault",
        ),
        ("[kube_control_plane.hosts]\n", "hosts.toml", "TOML"),
        ("#!/usr/bin/env python3\nimport json\n", "hosts.py", "a program"),
        (
            "{\"_meta\": {\"hostvars\": {}}, \"k\": {\"hosts\": [\"a\"]}}",
            "hosts.json",
            "JSON",
        ),
        (
            "plugin: amazon.aws.aws_ec2\nregions: [eu-north-1]\n",
            "aws_ec2.yml",
            "a plugin",
        ),
    ] {
        let problems = refused(text, file, &[]);
        for part in [reason, "ansible-inventory -i FILE --list -y"] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }
    let problems = refused("[web]\na ansible_host=10.0.0.1\n", "hosts.ini", &[]);
    for part in [
        "kube_control_plane, kube-master",
        "servers",
        "--host NAME=ADDRESS:control-plane",
    ] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
}

#[test]
fn names_that_look_alike_are_told_with_their_code_points() {
    let problems = refused(
        "[kub\u{435}_control_plane]\na ansible_host=10.0.0.1\n",
        "hosts.ini",
        &[],
    );
    for part in ["IEC0840", "kub<U+0435>_control_plane"] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
    let text =
        "[kube_control_plane]\na ansible_host=10.0.0.1\n[kube_node]\n\"a\u{a0}\" ansible_host=10.0.0.2\n";
    let (_, warnings) = site(text, "hosts.ini");
    assert!(
        warnings
            .to_string()
            .contains("the hosts a and a<U+00A0> look alike"),
        "{warnings}"
    );
}

#[test]
fn an_inventory_that_never_ends_is_refused() {
    let problems = refused(&"h[0:9999]\n".repeat(1000), "hosts.ini", &[]);
    assert!(problems.contains("more hosts than"), "{problems}");
}
