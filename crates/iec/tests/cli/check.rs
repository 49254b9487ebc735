//! `iec check`.

use crate::run::Sandbox;

const SITE: &str = include_str!("../../../../sites/three-hosts/site.yaml");

#[test]
fn a_right_site_file_is_said_to_be_right() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", SITE);
    insta::assert_snapshot!(sandbox.run(&["check"]), @"
    exit code: 0
    ----- stdout -----
    The site file site.yaml has no errors: site store-0417, release 1.36, 1 control plane and 2 workers.
    ");
}

#[test]
fn a_folder_stands_for_the_site_file_in_it() {
    let sandbox = Sandbox::new();
    sandbox.write("shop/site.yaml", SITE);
    insta::assert_snapshot!(sandbox.run(&["check", "shop"]), @"
    exit code: 0
    ----- stdout -----
    The site file shop/site.yaml has no errors: site store-0417, release 1.36, 1 control plane and 2 workers.
    ");
}

#[test]
fn a_missing_site_file_names_what_writes_one() {
    insta::assert_snapshot!(Sandbox::new().run(&["check"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC0901]: there is no site file at site.yaml
      next: iec init writes a first one
    ");
}

#[test]
fn every_problem_is_drawn_with_its_line() {
    let sandbox = Sandbox::new();
    let wrong = SITE
        .replace("name: edge-2\n", "name: edge-1\n")
        .replace("services: 172.16.1.0/24", "services: 192.168.7.0/24")
        .replace("disk: ssd", "disc: [ssd]");
    sandbox.write("site.yaml", &wrong);
    insta::assert_snapshot!(sandbox.run(&["check"]), @"
    exit code: 1
    ----- stderr -----
    IEC0201

      × two hosts are called `edge-1`
        ╭─[site.yaml:23:13]
     17 │   hosts:
     18 │     - name: edge-1
        ·             ───┬──
        ·                ╰── the first one
     19 │       address: 10.0.0.11
     20 │       role: control-plane
     21 │       # With its key pinned, a host is trusted at the first login, and nobody else is.
     22 │       hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIbfqm/HJFdeAL0G4CZXTdPTcGdt73cE4kZ1x7WhUXBG
     23 │     - name: edge-1
        ·             ──────
     24 │       address: 10.0.0.12
        ╰────
      help: give each host a name of its own

    IEC0005

      × `spec.hosts[1].labels.disc` must be text, but is a list
        ╭─[site.yaml:28:15]
     27 │         topology.kubernetes.io/zone: rack-a
     28 │         disc: [ssd]
        ·               ─────
     29 │     - name: edge-3
        ╰────
      help: give one value, without `- ` and brackets

    IEC0303

      × `services` 192.168.7.0/24 overlaps with `pods` 192.168.0.0/16
        ╭─[site.yaml:42:15]
     40 │     # None of the hosts may know these networks: not as an address, not as a route.
     41 │     pods: 192.168.0.0/16
        ·           ───────┬──────
        ·                  ╰── the other network
     42 │     services: 192.168.7.0/24
        ·               ──────────────
     43 │     cni: calico
        ╰────
      help: 10.244.0.0/24 would not overlap

    error[IEC0902]: the site file site.yaml has 3 errors
      next: iec explain IEC0201 says more about an error; type its own code
    ");
}

#[test]
fn problems_can_be_json() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "site.yaml",
        &SITE.replace("release: \"1.36\"", "release: \"0.9\""),
    );
    insta::assert_snapshot!(sandbox.run(&["check", "-o", "json"]), @r#"
    exit code: 1
    ----- stdout -----
    {"version":1,"type":"error","kind":"refused","exitCode":1,"code":"IEC0902","message":"the site file site.yaml has 1 error","evidence":[],"causes":[],"next":["iec explain IEC0015 says more about an error; type its own code"],"diagnostics":[{"severity":"error","code":"IEC0015","message":"there is no release `0.9`","place":{"file":"site.yaml","line":8,"column":12,"span":{"start":219,"end":224}},"labels":[],"evidence":[],"hint":"this version of IEC carries: 1.36"}]}
    "#);
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path().join("site.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    insta::assert_snapshot!(sandbox.run(&["check"]), @"
    exit code: 1
    ----- stderr -----
    error[IEC0901]: the site file at site.yaml cannot be read
      because: it is text in UTF-16, UTF-8 is read: save it as UTF-8
    ");
}

#[test]
fn colour_is_used_only_when_it_is_wanted() {
    let sandbox = Sandbox::new();
    sandbox.write("site.yaml", "kind: Site\n");
    let has_escape = |arguments: &[&str], no_color: &str| {
        let output = sandbox
            .command(arguments)
            .env("NO_COLOR", no_color)
            .output()
            .unwrap();
        output.stderr.contains(&0x1b)
    };
    assert!(!has_escape(&["check"], ""));
    assert!(has_escape(&["check", "--color", "always"], ""));
    assert!(has_escape(&["check", "--color", "always"], "1"));
    assert!(!has_escape(&["check", "--color", "never"], ""));
}

#[test]
fn of_many_problems_of_a_kind_the_first_are_drawn_and_the_others_counted() {
    let sandbox = Sandbox::new();
    let unknown: String = (0..10_000).map(|key| format!("unknown{key}: 1\n")).collect();
    sandbox.write("site.yaml", &format!("{unknown}kind: Cluster\n"));
    let shown = sandbox.run(&["check", "site.yaml"]);
    assert!(shown.len() < 20_000, "{} bytes", shown.len());
    assert!(
        shown.contains("unknown9`") && !shown.contains("unknown key `unknown11`"),
        "{shown}"
    );
    assert!(
        shown.contains("error[IEC0003]: unknown key: 9990 more of this kind, in site.yaml lines 11 to 10000"),
        "{shown}"
    );
    // What there is one of is not lost among them, and programs get all of it.
    assert!(shown.contains("IEC0011"), "{shown}");
    let json = sandbox.run(&["check", "site.yaml", "-o", "json"]);
    assert_eq!(json.matches("IEC0003").count(), 10_000);
}

#[test]
fn a_line_that_is_far_too_long_is_named_and_not_drawn() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "site.yaml",
        &format!("apiVersion: iec.dev/v1alpha1\nkind: {}\n", "x".repeat(900_000)),
    );
    let shown = sandbox.run(&["check", "site.yaml"]);
    assert!(shown.contains("(site.yaml:2:7)"), "{}", &shown[..500]);
    assert!(shown.len() < 10_000, "{} bytes", shown.len());
}
