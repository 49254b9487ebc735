//! Inventories of all kinds, and what becomes of them.

mod ansibles;
mod forms;
mod values;

use super::*;

const WANTED: Wanted<'_> = Wanted {
    name: Some("store-0417"),
    usual_name: "site",
    release: "1.36",
    bundle: None,
    user: None,
    usual_user: "edge",
    identity: None,
    hosts: &[],
    configuration: None,
};

fn import(
    text: &str,
    file: &str,
    beside: &[Beside<'_>],
    wanted: &Wanted<'_>,
) -> Result<Imported, Diagnostics> {
    super::import(read(&[File { text, file }])?, beside, wanted)
}

fn site(text: &str, file: &str) -> (iec_core::site::Site, Diagnostics) {
    let imported = import(text, file, &[], &WANTED).unwrap_or_else(|problems| panic!("{problems}"));
    let (site, _) = iec_core::site::load(&imported.text, "site.yaml")
        .unwrap_or_else(|problems| panic!("{problems}\n{}", imported.text));
    (site, imported.warnings)
}

fn hosts(site: &iec_core::site::Site) -> Vec<(String, String, Role)> {
    let hosts = site.hosts().iter();
    hosts
        .map(|host| (host.name().to_string(), host.address().to_string(), host.role()))
        .collect()
}

const KUBESPRAY_INI: &str = "\
# ## Configure 'ip' variable to bind kubernetes services
[all]
node1 ansible_host=95.54.0.12 ip=10.3.0.1 etcd_member_name=etcd1
node2 ansible_host=95.54.0.13 ip=10.3.0.2
bastion ansible_host=95.54.0.2 ansible_user=jump

[kube_control_plane]
node1

[etcd]
node1

[kube_node]
node2 ansible_port=2222

[calico_rr]

[k8s_cluster:children]
kube_control_plane
kube_node
calico_rr

[all:vars]
ansible_user=core
ansible_ssh_private_key_file='~/.ssh/edge key'
ansible_become_password=hunter2
";

#[test]
fn kubespray_s_ini_becomes_a_site() {
    let (site, warnings) = site(KUBESPRAY_INI, "inventory.ini");
    assert_eq!(
        hosts(&site),
        [
            ("node1".into(), "95.54.0.12".into(), Role::ControlPlane),
            ("node2".into(), "95.54.0.13".into(), Role::Worker)
        ]
    );
    assert_eq!(site.access().user().as_str(), "core");
    assert_eq!(site.access().identity(), Some("~/.ssh/edge key"));
    assert_eq!(site.hosts()[0].node_address().to_string(), "10.3.0.1");
    assert_eq!(site.hosts()[1].port(), Some(2222));
    let warnings = warnings.to_string();
    assert!(warnings.contains("bastion is left out"), "{warnings}");
    assert!(
        warnings.contains("passwords of node1, node2, bastion"),
        "{warnings}"
    );
    assert!(!warnings.contains("hunter2"), "{warnings}");
}

#[test]
fn kubespray_s_yaml_becomes_a_site() {
    let text = "\
all:
  hosts:
    node1: {ansible_host: 10.0.0.1, ip: 10.0.0.1, access_ip: 10.0.0.1}
    node2:
      ansible_host: 10.0.0.2
      ansible_user: debian
  vars:
    ansible_user: ubuntu
    kube_pods_subnet: 10.40.0.0/16
    kube_service_addresses: 10.41.0.0/16
  children:
    kube_control_plane:
      hosts:
        node1:
    kube_node:
      hosts:
        node1:
        node2:
    k8s_cluster:
      children:
        kube_control_plane:
        kube_node:
";
    let (site, _) = site(text, "hosts.yaml");
    assert_eq!(
        hosts(&site),
        [
            ("node1".into(), "10.0.0.1".into(), Role::ControlPlane),
            ("node2".into(), "10.0.0.2".into(), Role::Worker)
        ]
    );
    assert!(site.control_plane().schedulable());
    assert_eq!(site.network().pods().to_string(), "10.40.0.0/16");
    assert_eq!(site.hosts()[1].user().map(|user| user.as_str()), Some("debian"));
}

#[test]
fn ranges_are_counted_out() {
    let text = "[masters]\n10.0.0.1\n[workers]\nedge-[01:03]\n[all]\nedge-01 ansible_host=10.0.0.11\nedge-02 ansible_host=10.0.0.12\nedge-03 ansible_host=10.0.0.13\n";
    let problems = import(text, "hosts", &[], &WANTED).map(|imported| imported.text);
    let text = problems.unwrap_or_else(|problems| panic!("{problems}"));
    for name in ["edge-01", "edge-02", "edge-03"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn what_cannot_be_a_site_is_refused_with_a_code() {
    for (text, file, code) in [
        ("[kube_node]\na ansible_host=10.0.0.1\n", "hosts.ini", "IEC0830"),
        ("[kube_control_plane]\n", "hosts.ini", "IEC0830"),
        ("", "hosts.ini", "IEC0830"),
        (
            "all: {hosts: {a: {ansible_host: 10.0.0.1}}}\n",
            "hosts.yaml",
            "IEC0830",
        ),
        ("[kube_control_plane]\na\n", "hosts.ini", "IEC0832"),
        (
            "[kube_control_plane]\na ansible_host=a.example.org\n",
            "hosts.ini",
            "IEC0832",
        ),
        ("[kube_control_plane\na\n", "hosts.ini", "IEC0831"),
        ("[kube_control_plane]\na ansible_host\n", "hosts.ini", "IEC0831"),
        ("[kube_control_plane]\na-[1:x]\n", "hosts.ini", "IEC0831"),
        ("[kube_control_plane]\na-[1:99999999]\n", "hosts.ini", "IEC0831"),
        ("[kube_control_plane]\na-[3:1]\n", "hosts.ini", "IEC0831"),
        ("[a:children]\nb c\n", "hosts.ini", "IEC0831"),
        ("[a:children]\nb\n[b:children]\na\n", "hosts.ini", "IEC0831"),
        ("[a:children]\na\n", "hosts.ini", "IEC0831"),
        (
            "a: {children: {b: {children: {a: {}}}}}\n",
            "hosts.yml",
            "IEC0831",
        ),
        ("all: [a]\n", "hosts.yml", "IEC0831"),
    ] {
        let problems = import(text, file, &[], &WANTED).expect_err(text);
        assert!(
            problems.iter().any(|problem| problem.code == code),
            "{text}: {problems}"
        );
    }
}

/// The warnings of an inventory with files beside it, and its site.
fn with_beside(text: &str, file: &str, beside: &[Beside<'_>]) -> (iec_core::site::Site, String) {
    let imported = import(text, file, beside, &WANTED).unwrap_or_else(|problems| panic!("{problems}"));
    let (site, _) = iec_core::site::load(&imported.text, "site.yaml")
        .unwrap_or_else(|problems| panic!("{problems}\n{}", imported.text));
    (site, imported.warnings.to_string())
}

fn group<'b>(name: &'b str, text: &'b str) -> Beside<'b> {
    Beside {
        of: Owner::Group(name),
        text,
        file: "group_vars/x.yml",
    }
}

#[test]
fn what_is_not_taken_over_is_named_and_never_shown() {
    let text = "\
all:
  vars:
    ansible_become_password: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      6162636465
    kube_proxy_mode: ipvs
    my_token: hunter2
    dns_servers: [10.0.0.1]
  children:
    kube_control_plane: {hosts: {a: {ansible_host: 10.0.0.1}}}
    kube_node: {hosts: {a: {}}}
";
    let encrypted = group("all", "$ANSIBLE_VAULT;1.1;AES256\n6162636465\n");
    let (_, warnings) = with_beside(text, "hosts.yaml", &[encrypted, group("all", "---\n# nothing\n")]);
    for part in [
        "the encrypted values of ansible_become_password are left out",
        "without them: dns_servers, kube_proxy_mode, my_token",
        "all of it is encrypted",
    ] {
        assert!(warnings.contains(part), "{part} in {warnings}");
    }
    for part in ["hunter2", "6162", "ipvs"] {
        assert!(!warnings.contains(part), "{warnings}");
    }
}

#[test]
fn an_address_that_is_encrypted_is_none() {
    let text = "all:\n  vars: {ansible_host: 10.0.0.9}\n  children:\n    kube_control_plane:\n      hosts:\n        a: {ansible_host: !vault x}\n";
    let problems = import(text, "hosts.yaml", &[], &WANTED).expect_err("no address");
    assert!(
        problems.iter().any(|problem| problem.code == "IEC0832"),
        "{problems}"
    );
}

#[test]
fn control_planes_of_kubespray_run_workloads_where_they_are_nodes() {
    let of = |nodes: &str| {
        let text = format!("[kube_control_plane]\na ansible_host=10.0.0.1\n[kube_node]\n{nodes}");
        site(&text, "hosts.ini").0.control_plane().schedulable()
    };
    assert!(!of("b ansible_host=10.0.0.2\n"));
    assert!(of("a\nb ansible_host=10.0.0.2\n"));
    assert!(of(""));
    let own = "[iec_control_planes]\na ansible_host=10.0.0.1\n[iec_workers]\nb ansible_host=10.0.0.2\n";
    assert!(site(own, "hosts.ini").0.control_plane().schedulable());
}

#[test]
fn as_many_control_planes_stay_as_make_sense() {
    for (count, kept, said) in [
        (2, 1, "n1 is the control plane, n2 becomes a worker"),
        (3, 3, ""),
        (4, 3, "n1, n2, n3 are the control planes, n4 becomes a worker"),
        (
            7,
            5,
            "n1, n2, n3, n4, n5 are the control planes, n6, n7 become workers",
        ),
    ] {
        let hosts: String = (1..=count)
            .map(|number| format!("n{number} ansible_host=10.0.0.{number}\n"))
            .collect();
        let text = format!("[kube_control_plane]\nn[1:{count}]\n[kube_node]\nn[1:{count}]\n[all]\n{hosts}");
        let (site, warnings) = site(&text, "hosts.ini");
        assert_eq!(site.control_planes().count(), kept, "{count}");
        let warnings = warnings.to_string();
        assert!(warnings.contains(said), "{count}: {warnings}");
        assert_eq!(
            warnings.contains("IEC0819"),
            !said.is_empty(),
            "{count}: {warnings}"
        );
    }
}

#[test]
fn a_variable_where_a_name_belongs_is_not_repeated() {
    for heading in ["[all]", "", "[all:children]"] {
        let text = format!(
            "[kube_control_plane]\na ansible_host=10.0.0.1\n{heading}\nansible_become_password=s3cret\n"
        );
        let problems = import(&text, "hosts.ini", &[], &WANTED).expect_err("it is no host");
        let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["IEC0831"], "{problems}");
        assert!(!format!("{problems}").contains("s3cret"), "{problems}");
    }
}

#[test]
fn comments_end_lines_of_an_ini_inventory() {
    let text = "\
; a comment
[kube_control_plane] # here too
a ansible_host=10.0.0.1 etcd_member_name='x #y' ansible_port=2200 # and here
[cluster:children]
kube_control_plane   # and here
kube_node	# and here
[kube_node]
b ansible_host=10.0.0.2#and here
[cluster:vars]
ansible_port=2222 # the port
ansible_user=\"core\" # the account
[all:vars]
ansible_ssh_private_key_file=~/.ssh/a#b
";
    let imported = import(text, "hosts.ini", &[], &WANTED).unwrap_or_else(|problems| panic!("{problems}"));
    for part in ["port: 2222", "user: core", "~/.ssh/a#b", "port: 2200"] {
        assert!(imported.text.contains(part), "{part} in {}", imported.text);
    }
    // What Ansible takes for a part of the line is none.
    for line in [
        "b ansible_host=10.0.0.2 ; and here",
        "[x] ; and here",
        "[k:children]\nkube_node ; x",
    ] {
        let text = format!("[kube_control_plane]\na ansible_host=10.0.0.1\n[kube_node]\n{line}\n");
        let problems = import(&text, "hosts.ini", &[], &WANTED).expect_err(line);
        assert!(
            problems.to_string().contains("begins with `#`"),
            "{line}: {problems}"
        );
    }
}

#[test]
fn variables_of_deeper_groups_and_of_files_win() {
    let text = "\
[kube_control_plane]
a ansible_host=10.0.0.1
[kube_node]
b ansible_host=10.0.0.2 ansible_port=2001
c ansible_host=10.0.0.3
[rack]
c
[cluster:children]
kube_control_plane
kube_node
[place:children]
cluster
[all:vars]
ansible_port=1001
[place:vars]
ansible_port=1002
[cluster:vars]
ansible_port=1003
[kube_node:vars]
ansible_port=1004
[rack:vars]
ansible_port=1005
";
    let ports = |beside: &[Beside<'_>]| {
        let (site, _) = with_beside(text, "hosts.ini", beside);
        let ports: Vec<u16> = site
            .hosts()
            .iter()
            .filter_map(iec_core::site::SiteHost::port)
            .collect();
        ports
    };
    // Groups that are equally deep: kube_node lies in two others, rack in none.
    assert_eq!(ports(&[]), [1003, 2001, 1004]);
    assert_eq!(ports(&[group("all", "ansible_port: 3001")]), [3001, 2001, 3001]);
    assert_eq!(
        ports(&[
            group("rack", "ansible_port: 3002"),
            group("all", "ansible_port: 3001")
        ]),
        [3001, 2001, 3002]
    );
    let host = Beside {
        of: Owner::Host("b"),
        text: "{\"ansible_port\": 3003}",
        file: "host_vars/b.json",
    };
    assert_eq!(ports(&[host]), [1003, 3003, 1004]);
}

#[test]
fn hosts_without_a_name_that_a_site_has_get_one() {
    let text = "[kube_control_plane]\n10.0.0.1\n[kube_node]\nnode1.example.org ansible_host=10.0.0.2\nyes ansible_host=10.0.0.3\n012 ansible_host=10.0.0.4\n1e3 ansible_host=10.0.0.5 ansible_port=+22\n";
    let (site, warnings) = site(text, "hosts.ini");
    let names: Vec<&str> = site.hosts().iter().map(|host| host.name().as_str()).collect();
    assert_eq!(names, ["host-10-0-0-1", "node1", "yes", "012", "1e3"]);
    let warnings = warnings.to_string();
    assert!(
        warnings.contains("node1.example.org of the inventory is called node1"),
        "{warnings}"
    );
}
