//! `iec init --from-ansible`.

use crate::run::Sandbox;

#[test]
fn an_ansible_inventory_becomes_a_site_file() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hosts.ini",
        "[kube_control_plane]\na ansible_host=10.0.0.1 ansible_ssh_pass=hunter2\n[kube_node]\nedge-[1:2]\n",
    );
    let init = ["init", "--name", "shop", "--from-ansible", "hosts.ini"];
    let refused = sandbox.run(&init);
    assert!(refused.starts_with("exit code: 1\n"), "{refused}");
    assert!(
        refused.contains("IEC0832") && !refused.contains("hunter2"),
        "{refused}"
    );

    let hosts = ["--host", "edge-1=10.0.0.2", "--host", "edge-2=10.0.0.3"];
    let made = sandbox.run(&[init.as_slice(), &hosts].concat());
    assert!(made.starts_with("exit code: 0\n"), "{made}");
    assert!(made.contains("1 control plane and 2 workers"), "{made}");
    assert!(made.contains("IEC0833") && !made.contains("hunter2"), "{made}");
    assert!(!sandbox.read("site.yaml").contains("hunter2"));
}

#[test]
fn variables_beside_an_inventory_count() {
    let sandbox = Sandbox::new();
    for folder in ["group_vars/kube_node", "host_vars"] {
        std::fs::create_dir_all(sandbox.path().join(folder)).expect("a folder");
    }
    sandbox.write(
        "hosts.ini",
        "[kube_control_plane]\na ansible_host=10.0.0.1\n[kube_node]\nb ansible_host=10.0.0.2\n",
    );
    sandbox.write(
        "group_vars/all.yml",
        "ansible_user: core\nansible_become_pass: hunter2\n",
    );
    sandbox.write("group_vars/kube_node/ssh.yml", "ansible_port: 2222\n");
    sandbox.write("group_vars/all.yml~", "ansible_user: [old");
    sandbox.write("host_vars/b", "ansible_user: own\n");
    let made = sandbox.run(&["init", "--name", "shop", "--from-ansible", "hosts.ini"]);
    assert!(made.starts_with("exit code: 0\n"), "{made}");
    assert!(
        made.contains("the passwords of a, b") && !made.contains("hunter2"),
        "{made}"
    );
    let site = sandbox.read("site.yaml");
    for part in ["user: core", "port: 2222", "user: own", "schedulable: false"] {
        assert!(site.contains(part), "{part} in {site}");
    }
}

#[test]
fn an_inventory_without_a_control_plane_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("hosts.yaml", "all: {hosts: {a: {ansible_host: 10.0.0.1}}}\n");
    let refused = sandbox.run(&["init", "--from-ansible", "hosts.yaml"]);
    assert!(refused.starts_with("exit code: 1\n"), "{refused}");
    assert!(refused.contains("IEC0830"), "{refused}");
}

#[test]
fn only_the_files_of_variables_that_ansible_reads_are_opened() {
    let sandbox = Sandbox::new();
    for folder in ["group_vars/all/sub/deep", "group_vars/all/x.d", "host_vars"] {
        std::fs::create_dir_all(sandbox.path().join(folder)).expect("a folder");
    }
    sandbox.write(
        "hosts.ini",
        "[kube_control_plane]\na ansible_host=10.0.0.1\n[kube_node]\nb.example.org ansible_host=10.0.0.2\n",
    );
    sandbox.write(
        "group_vars/all/a.yml",
        "ansible_user: first\nansible_port: 2001\n",
    );
    sandbox.write("group_vars/all/sub/deep/b", "ansible_user: second\n");
    sandbox.write("host_vars/b.example.org", "ansible_port: 2002\n");
    // A folder comes before a file, and nothing else is Ansible's.
    sandbox.write("group_vars/all.yml", "ansible_user: file\n");
    for name in [
        "group_vars/all/b.yml.bak",
        "group_vars/all/z.orig",
        "group_vars/all/.z.yml",
        "group_vars/all/z.yml~",
        "group_vars/all/z.swp",
        "group_vars/all/x.d/z.yml",
        "group_vars/kube_node.yml.disabled",
    ] {
        sandbox.write(name, "ansible_user: wrong\n");
    }
    for name in ["group_vars/logo.png", "group_vars/all/logo.png"] {
        std::fs::write(sandbox.path().join(name), [0x89, 0xff, 0]).expect("written");
    }
    let made = sandbox.run(&["init", "--name", "shop", "--from-ansible", "hosts.ini"]);
    assert!(made.starts_with("exit code: 0\n"), "{made}");
    let site = sandbox.read("site.yaml");
    for part in ["user: second", "port: 2001", "port: 2002"] {
        assert!(site.contains(part), "{part} in {site}");
    }
}

#[test]
fn a_folder_is_the_inventories_in_it() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path().join("inventory/group_vars")).expect("a folder");
    let init = |folder: &str| sandbox.run(&["init", "--force", "--name", "shop", "--from-ansible", folder]);
    let empty = init("inventory");
    assert!(
        empty.contains("the folder inventory has no inventory") && !empty.contains("os error"),
        "{empty}"
    );
    sandbox.write("inventory/group_vars/all.yml", "ansible_user: core\n");
    sandbox.write("inventory/README.md", "# Ours\n");
    sandbox.write(
        "inventory/hosts",
        "[kube_control_plane]\na ansible_host=10.0.0.1\n",
    );
    let one = init("inventory");
    assert!(
        one.contains("1 control plane") && !one.contains("IEC0836"),
        "{one}"
    );
    std::fs::create_dir(sandbox.path().join("inventory/site-2")).expect("a folder");
    sandbox.write("inventory/openstack.py", "#!/usr/bin/env python3\n");
    let part = init("inventory");
    assert!(
        part.contains("1 control plane")
            && part.contains("of the folder inventory this was not read: openstack.py, site-2"),
        "{part}"
    );
    sandbox.write(
        "inventory/more.yml",
        "kube_node: {hosts: {b: {ansible_host: 10.0.0.2}}}\n",
    );
    let both = init("inventory");
    assert!(both.contains("1 control plane and 1 worker"), "{both}");
    assert!(sandbox.read("site.yaml").contains("user: core"));
    sandbox.write("inventory/old.ini", "[kube_node]\nc\n");
    let several = init("inventory");
    assert!(
        several.contains("has several inventories: old.ini, hosts, more.yml"),
        "{several}"
    );
}

#[test]
fn what_is_wrong_is_drawn_in_the_file_that_has_it() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path().join("group_vars")).expect("a folder");
    sandbox.write("hosts.ini", "[kube_control_plane]\na ansible_host=10.0.0.1\n");
    sandbox.write(
        "group_vars/all.yml",
        "ansible_password: hunter2\nansible_user: DOMAIN\\admin\n",
    );
    let refused = sandbox.run(&["init", "--name", "shop", "--from-ansible", "hosts.ini"]);
    assert!(refused.starts_with("exit code: 1\n"), "{refused}");
    for part in ["╭─[group_vars/all.yml:2:1]", "IEC0103", "IEC0834"] {
        assert!(refused.contains(part), "{part} in {refused}");
    }
    assert!(
        !refused.contains("hunter2") && !refused.contains("site.yaml"),
        "{refused}"
    );
}

#[test]
fn a_host_that_the_inventory_does_not_have_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hosts.ini",
        "[kube_control_plane]\na ansible_host=10.0.0.1\n[kube_node]\nb ansible_host=10.0.0.2\n",
    );
    let init = |host: &str| {
        sandbox.run(&[
            "init",
            "--name",
            "shop",
            "--from-ansible",
            "hosts.ini",
            "--host",
            host,
        ])
    };
    let refused = init("c=10.0.0.3");
    assert!(
        refused.contains("IEC0835") && refused.contains("its hosts are a, b"),
        "{refused}"
    );
    let made = init("b=10.0.0.2:control-plane");
    assert!(made.starts_with("exit code: 0\n"), "{made}");
    let site = sandbox.read("site.yaml");
    let (_, b) = site.split_once("name: b\n").expect("the host");
    assert!(b.contains("role: control-plane"), "{site}");
}

#[test]
fn ansible_s_configuration_and_what_lies_around_an_inventory_are_looked_at() {
    let sandbox = Sandbox::new();
    sandbox.write(".git/HEAD", "");
    sandbox.write("ansible.cfg", "[defaults]\nremote_user = core\n");
    sandbox.write("group_vars/all.yml", "ansible_user: playbook\n");
    sandbox.write(
        "inventory/shop/hosts.ini",
        "[kube_control_plane]\na ansible_host=10.0.0.1\n",
    );
    let init = [
        "init",
        "--name",
        "shop",
        "--from-ansible",
        "inventory/shop/hosts.ini",
    ];
    let made = sandbox.run(&init);
    assert!(made.starts_with("exit code: 0\n"), "{made}");
    assert!(
        made.contains("IEC0836") && made.contains("/group_vars") && !made.contains("IEC0837"),
        "{made}"
    );
    assert!(sandbox.read("site.yaml").contains("user: core"));
    sandbox.write("ansible.cfg", "[defaults]\nremote_user = DOMAIN\\core\n");
    let refused = sandbox.run(&[init.as_slice(), &["--force"]].concat());
    assert!(
        refused.contains("/ansible.cfg:2:1]") && refused.contains("IEC0103"),
        "{refused}"
    );
}

#[test]
fn what_would_be_wrong_in_the_site_file_is_told_without_it() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hosts.ini",
        "[kube_control_plane]\na ansible_host=10.0.0.1 # hunter2\n[kube_node]\nb ansible_host=10.0.0.1 hunter2=1\n",
    );
    let refused = sandbox.run(&["init", "--name", "shop", "--from-ansible", "hosts.ini"]);
    for part in ["╭─[hosts.ini:4:1]", "ansible_host=10.0.0.1", "IEC0202"] {
        assert!(refused.contains(part), "{part} in {refused}");
    }
    let named = sandbox.run(&[
        "init",
        "--name",
        "Shop!",
        "--from-ansible",
        "hosts.ini",
        "--host",
        "b=10.0.0.2",
    ]);
    assert!(named.contains("it would be `name: \"Shop!\"`"), "{named}");
    for shown in [&refused, &named] {
        assert!(
            !shown.contains("site.yaml:") && !shown.contains("# hunter2"),
            "{shown}"
        );
    }
}
