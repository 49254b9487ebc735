//! Which values of an inventory a site takes, and what is said of the others.

use super::*;

/// The codes of what is wrong, and its text.
fn refused(text: &str, file: &str, wanted: &Wanted<'_>) -> String {
    match import(text, file, &[], wanted) {
        Ok(imported) => panic!("it was taken:\n{}", imported.text),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_name_that_is_an_address_is_what_ansible_connects_to() {
    let (site, _) = site(
        "[kube_control_plane]\n192.168.1.10 ip=10.3.0.1\n[kube_node]\nn2 ip=10.3.0.2\n",
        "hosts.ini",
    );
    let host = &site.hosts()[0];
    assert_eq!(host.address().to_string(), "192.168.1.10");
    assert_eq!(host.node_address().to_string(), "10.3.0.1");
    assert_eq!(site.hosts()[1].address().to_string(), "10.3.0.2");
}

#[test]
fn an_address_that_only_ansible_knows_is_asked_for() {
    let yaml = |value: &str| {
        format!("kube_control_plane:\n  hosts:\n    n1: {{ip: 10.3.0.1, ansible_host: {value}}}\n")
    };
    for (text, file) in [
        (
            "[kube_control_plane]\nn1 ansible_host=\"{{ public_ip }}\" ip=10.3.0.1\n".to_owned(),
            "hosts.ini",
        ),
        (yaml("[10.0.0.1]"), "hosts.yaml"),
        (yaml("!vault x"), "hosts.yaml"),
        (yaml("\"$ANSIBLE_VAULT;1.1;AES256 6162\""), "hosts.yaml"),
    ] {
        let problems = refused(&text, file, &WANTED);
        for part in ["IEC0832", "known to Ansible only", "--host n1=ADDRESS"] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
        assert!(!problems.contains("6162"), "{problems}");
        let given = [HostChoice {
            name: "n1",
            address: "10.0.0.7",
            role: None,
        }];
        let wanted = Wanted {
            hosts: &given,
            ..WANTED
        };
        let imported = import(&text, file, &[], &wanted).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(imported.text.contains("address: 10.0.0.7"), "{}", imported.text);
    }
}

#[test]
fn values_that_only_ansible_can_work_out_are_named_with_their_places() {
    let text = "\
[kube_control_plane]
n1 ansible_host=10.0.0.1
[all:vars]
ansible_user=\"{{ lookup('env','SSH_USER') }}\"
ansible_port=\"{{ ssh_port }}\"
ansible_ssh_private_key_file=\"{{ inventory_dir }}/id\"
kube_pods_subnet=\"{{ lookup('password', 'hunter2') }}\"
";
    let (made, warnings) = site(text, "hosts.ini");
    assert_eq!(made.access().user().as_str(), "edge");
    let warnings = warnings.to_string();
    for part in [
        "ansible_user is left out",
        "hosts.ini, line 4: ansible_user is {{ lookup('env','SSH_USER') }}",
        "hosts.ini, line 5: ansible_port is {{ ssh_port }}",
        "hosts.ini, line 6: ansible_ssh_private_key_file is {{ inventory_dir }}/id",
        "kube_pods_subnet is left out",
        "hosts.ini, line 7\n",
    ] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
    assert!(!warnings.contains("hunter2"), "{warnings}");
    let key = "kube_control_plane:\n  hosts:\n    n1:\n      ansible_host: 10.0.0.1\n      ansible_ssh_private_key_file: |\n        -----BEGIN\n        hunter2\n";
    let (made, warnings) = site(key, "hosts.yaml");
    assert_eq!(made.access().identity(), None);
    let warnings = warnings.to_string();
    assert!(
        warnings.contains("ansible_ssh_private_key_file is left out") && !warnings.contains("hunter2"),
        "{warnings}"
    );
}

#[test]
fn a_host_that_is_left_out_decides_nothing() {
    let text = "[kube_control_plane]\nn1 ansible_host=10.0.0.1\n[bastion]\nb ansible_host=10.0.0.9 ansible_user=jump ansible_ssh_private_key_file=~/.ssh/jump kube_pods_subnet=10.1.0.0/16\n";
    let (site, _) = site(text, "hosts.ini");
    assert_eq!(site.access().user().as_str(), "edge");
    assert_eq!(site.access().identity(), None);
    assert_ne!(site.network().pods().to_string(), "10.1.0.0/16");
}

#[test]
fn a_host_without_an_account_does_not_get_another_one_s() {
    let text = "[kube_control_plane]\nn1 ansible_host=10.0.0.1 ansible_user=root\n[kube_node]\nn2 ansible_host=10.0.0.2\n";
    let (site, warnings) = site(text, "hosts.ini");
    assert_eq!(site.access().user().as_str(), "edge");
    assert_eq!(site.hosts()[0].user().map(|user| user.as_str()), Some("root"));
    assert_eq!(site.hosts()[1].user(), None);
    let warnings = warnings.to_string();
    assert!(
        warnings.contains("no account for n2 that IEC can read: it logs in as edge"),
        "{warnings}"
    );
}

#[test]
fn private_keys_that_differ_are_told_and_none_is_taken() {
    let text = "[kube_control_plane]\nn1 ansible_host=10.0.0.1 ansible_ssh_private_key_file=keys/n1\n[kube_node]\nn2 ansible_host=10.0.0.2 ansible_ssh_private_key_file=keys/n2\nn3 ansible_host=10.0.0.3\n";
    let (made, warnings) = site(text, "hosts.ini");
    assert_eq!(made.access().identity(), None);
    let warnings = warnings.to_string();
    for part in ["n1: keys/n1", "n2: keys/n2", "n3: none", "--identity"] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
    let wanted = Wanted {
        identity: Some("mine"),
        ..WANTED
    };
    let imported = import(text, "hosts.ini", &[], &wanted).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(imported.text.contains("identity: mine"), "{}", imported.text);
    assert!(!imported.warnings.to_string().contains("private keys"));
}

#[test]
fn null_is_no_value_and_hides_a_weaker_one() {
    for null in ["null", "~", ""] {
        let text = format!(
            "all:\n  vars: {{ansible_user: weak}}\n  children:\n    kube_control_plane:\n      hosts:\n        n1:\n          ansible_host: 10.0.0.1\n          ansible_user: {null}\n"
        );
        let (site, _) = site(&text, "hosts.yaml");
        assert_eq!(site.access().user().as_str(), "edge", "{null}");
    }
}

#[test]
fn what_the_user_says_of_a_host_counts_and_has_to_be_of_one() {
    let text = "[kube_control_plane]\nn1 ansible_host=10.0.0.1\n[kube_node]\nn2.example.org ansible_host=10.0.0.2\n[spare]\nn3\n";
    let choice = |name, role| HostChoice {
        name,
        address: "10.0.0.7",
        role,
    };
    let unknown = [choice("n9", None)];
    let problems = refused(
        text,
        "hosts.ini",
        &Wanted {
            hosts: &unknown,
            ..WANTED
        },
    );
    for part in ["IEC0835", "`n9`", "n1, n2.example.org, n3"] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
    let given = [
        choice("n2", Some(Role::ControlPlane)),
        HostChoice {
            address: "10.0.0.8",
            ..choice("n3", Some(Role::Worker))
        },
    ];
    let wanted = Wanted {
        hosts: &given,
        ..WANTED
    };
    let imported = import(text, "hosts.ini", &[], &wanted).unwrap_or_else(|problems| panic!("{problems}"));
    let (made, _) =
        iec_core::site::load(&imported.text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        hosts(&made),
        [
            ("n1".into(), "10.0.0.1".into(), Role::Worker),
            ("n2".into(), "10.0.0.7".into(), Role::ControlPlane),
            ("n3".into(), "10.0.0.8".into(), Role::Worker),
        ]
    );
}

#[test]
fn values_that_no_site_may_have_are_told_at_their_places_in_the_inventory() {
    let text = "\
[kube_control_plane]
n1 ansible_host=10.0.0.1
[kube_node]
n2 ansible_host=10.0.0.1
[all:vars]
ansible_user=DOMAIN\\admin
kube_pods_subnet=10.233.64.0
";
    let problems = refused(text, "hosts.ini", &WANTED);
    for part in [
        "hosts.ini:4:1: error[IEC0202]: two hosts have the address 10.0.0.1",
        "hosts.ini:2:1: the first one",
        "hosts.ini:6:1: error[IEC0103]",
        "hosts.ini:7:1: error",
    ] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
    assert!(!problems.contains("site.yaml"), "{problems}");
    // What is wrong with the user's own words is no fault of the inventory: it has no place there.
    let wanted = Wanted {
        name: Some("Shop"),
        ..WANTED
    };
    let problems = refused("[kube_control_plane]\n10.0.0.1\n", "hosts.ini", &wanted);
    assert!(
        problems.starts_with("error[IEC") && problems.contains("it would be `name: Shop`"),
        "{problems}"
    );
}
