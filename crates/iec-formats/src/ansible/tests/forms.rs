//! The forms in which inventories are written.

use super::*;

fn problems(text: &str, file: &str) -> String {
    match import(text, file, &[], &WANTED) {
        Ok(imported) => panic!("it was taken:\n{}", imported.text),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn ports_stand_behind_names_in_both_forms() {
    let ini = "[kube_control_plane]\n10.0.0.1:2222\n[kube_node]\nn2:2223 ansible_host=10.0.0.2\nn3:1 ansible_host=10.0.0.3 ansible_port=2224\n";
    let yaml = "kube_control_plane: {hosts: {\"10.0.0.1:2222\": {}}}\nkube_node:\n  hosts:\n    n2:2223: {ansible_host: 10.0.0.2}\n    n3:1: {ansible_host: 10.0.0.3, ansible_port: 2224}\n";
    for (text, file) in [(ini, "hosts.ini"), (yaml, "hosts.yaml")] {
        let (site, _) = site(text, file);
        let found: Vec<(String, String, Option<u16>)> = site
            .hosts()
            .iter()
            .map(|host| (host.name().to_string(), host.address().to_string(), host.port()))
            .collect();
        assert_eq!(
            found,
            [
                ("host-10-0-0-1".into(), "10.0.0.1".into(), Some(2222)),
                ("n2".into(), "10.0.0.2".into(), Some(2223)),
                ("n3".into(), "10.0.0.3".into(), Some(2224)),
            ],
            "{file}"
        );
    }
}

#[test]
fn an_address_of_ipv6_is_a_name_and_no_heading() {
    let text = "[kube_control_plane]\n2001:db8::1 ansible_host=10.0.0.1\n[kube_node]\nfe80::22 ansible_host=10.0.0.2\n[2001:db8::5]:2222 ansible_host=10.0.0.3\n";
    let (site, _) = site(text, "hosts.ini");
    let found: Vec<(&str, Option<u16>)> = site
        .hosts()
        .iter()
        .map(|host| (host.name().as_str(), host.port()))
        .collect();
    assert_eq!(
        found,
        [
            ("host-2001-db8-1", None),
            ("host-fe80-22", None),
            ("host-2001-db8-5", Some(2222))
        ]
    );
}

#[test]
fn keys_that_a_group_does_not_have_are_named() {
    for (group, key) in [
        ("host:\n        n2: {ansible_host: 10.0.0.2}", "host"),
        ("n2: {ansible_host: 10.0.0.2}", "n2"),
    ] {
        let text = format!(
            "all:\n  children:\n    kube_control_plane:\n      hosts:\n        n1: {{ansible_host: 10.0.0.1}}\n    kube_node:\n      {group}\n"
        );
        let (_, warnings) = site(&text, "hosts.yaml");
        let warnings = warnings.to_string();
        let told = format!("`{key}` of the group kube_node is left out");
        for part in [told.as_str(), "hosts.yaml, line 7"] {
            assert!(warnings.contains(part), "{part} in {warnings}");
        }
    }
}

#[test]
fn a_group_that_nowhere_is_one_is_refused_as_ansible_does() {
    let text = "[kube_control_plane]\nn1 ansible_host=10.0.0.1\n";
    for (further, line) in [
        ("[kube_nodes:vars]\nansible_user=b\n", "hosts.ini:3:1"),
        ("[cluster:children]\nkube_nodes\n", "hosts.ini:4:1"),
    ] {
        let problems = problems(&format!("{text}{further}"), "hosts.ini");
        for part in ["IEC0831", "there is no group kube_nodes", line] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }
    for further in [
        "[all:vars]\na=b\n[ungrouped:vars]\na=b\n",
        "[k:vars]\na=b\n[k:children]\nkube_control_plane\n",
        "[k:children]\nempty\n[empty]\n",
    ] {
        site(&format!("{text}{further}"), "hosts.ini");
    }
}

#[test]
fn groups_of_k3s_are_known() {
    for (control_plane, node) in [("server", "agent"), ("servers", "agents")] {
        let text =
            format!("[{control_plane}]\nn1 ansible_host=10.0.0.1\n[{node}]\nn2 ansible_host=10.0.0.2\n");
        let (site, _) = site(&text, "hosts.ini");
        let roles: Vec<Role> = site.hosts().iter().map(iec_core::site::SiteHost::role).collect();
        assert_eq!(roles, [Role::ControlPlane, Role::Worker]);
    }
}

#[test]
fn a_file_is_read_in_the_form_that_it_has() {
    let ini = "[kube_control_plane]\nn1 ansible_host=10.0.0.1\n";
    let json = r#"{"all":{"children":{"kube_control_plane":{"hosts":{"n1":{"ansible_host":"10.0.0.1"}}}}}}"#;
    let flow = "kube_control_plane: {hosts: {n1: {ansible_host: 10.0.0.1}}}\n";
    for (text, file) in [
        (ini, "hosts.yml"),
        (ini, "hosts"),
        (json, "hosts.json"),
        (json, "hosts"),
        (flow, "hosts"),
    ] {
        let (site, _) = site(text, file);
        assert_eq!(site.hosts()[0].name().as_str(), "n1", "{file}");
    }
    // What is YAML but for a mistake is told as YAML.
    let problems = problems("kube_control_plane:\n  hosts: [n1\n", "hosts.yml");
    assert!(problems.contains("this is not YAML"), "{problems}");
}

#[test]
fn hosts_without_a_group_are_told_which_ones_there_are() {
    let problems = problems("n1 ansible_host=10.0.0.1\n", "hosts");
    for part in ["its hosts are in no group", "[kube_control_plane]", "[kube_node]"] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
}

#[test]
fn files_of_one_inventory_add_to_each_other() {
    let files = [
        File {
            text: "[kube_control_plane]\nn1 ansible_host=10.0.0.1\n",
            file: "a",
        },
        File {
            text: "kube_node: {hosts: {n2: {ansible_host: 10.0.0.2}, n1: {ansible_host: 10.0.0.9}}}\n",
            file: "b.yml",
        },
        File {
            text: "[kube_node:vars]\nansible_port=2222\n",
            file: "c",
        },
    ];
    let inventory = read(&files).unwrap_or_else(|problems| panic!("{problems}"));
    let imported =
        super::super::import(inventory, &[], &WANTED).unwrap_or_else(|problems| panic!("{problems}"));
    let (site, _) =
        iec_core::site::load(&imported.text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        hosts(&site),
        [
            ("n1".into(), "10.0.0.9".into(), Role::ControlPlane),
            ("n2".into(), "10.0.0.2".into(), Role::Worker)
        ]
    );
    assert_eq!(site.hosts()[1].port(), Some(2222));
}
