//! The administrator's kubeconfig comes into a user's home, and what the user has there stays the user's.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use iec_core::plan::Op;

use crate::pretend::Pretend;

const CONFIG: &str = "/home/edge/.kube/config";

/// A control plane with the home of a user.
fn host() -> Pretend {
    let host = Pretend::new();
    host.write("/etc/kubernetes/admin.conf", "the administrator's\n");
    host.write("/home/edge/.profile", "");
    host
}

/// The step for the account that runs the test: only root could give a file to another one.
fn op() -> Op {
    let output = Command::new("id").arg("-un").output().expect("id starts");
    Op::UserKubeconfig {
        user: String::from_utf8(output.stdout)
            .expect("a name")
            .trim_end()
            .to_owned(),
        home: "/home/edge".to_owned(),
    }
}

fn mode(host: &Pretend, path: &str) -> u32 {
    let found = std::fs::metadata(host.path(path)).expect("it is there");
    found.permissions().mode() & 0o7777
}

#[test]
fn it_comes_follows_the_cluster_and_goes() {
    let host = host();
    assert_eq!(host.apply("kubeconfig", op()), "changed");
    assert_eq!(host.read(CONFIG).as_deref(), Some("the administrator's\n"));
    assert_eq!(
        (mode(&host, CONFIG), mode(&host, "/home/edge/.kube")),
        (0o600, 0o700)
    );
    assert_eq!(host.apply("kubeconfig", op()), "unchanged");

    // kubeadm has renewed the certificate in it.
    host.write("/etc/kubernetes/admin.conf", "the administrator's, renewed\n");
    assert_eq!(host.apply("kubeconfig", op()), "changed");
    assert_eq!(
        host.read(CONFIG).as_deref(),
        Some("the administrator's, renewed\n")
    );

    host.write(
        "/home/edge/.kube/cache/discovery/10.0.0.11_6443/servergroups.json",
        "",
    );
    std::fs::remove_file(host.path("/etc/kubernetes/admin.conf")).expect("removed");
    assert_eq!(host.undo(), "undone");
    assert!(!host.path("/home/edge/.kube").exists());
    assert!(host.path("/home/edge/.profile").exists());
}

#[test]
fn a_file_of_the_user_stays() {
    let host = host();
    host.write(CONFIG, "another cluster's\n");
    host.write("/home/edge/.kube/cache/another", "");
    let folder = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(host.path("/home/edge/.kube"), folder).expect("a mode");
    assert_eq!(host.apply("kubeconfig", op()), "adopted");
    assert_eq!(host.undo(), "undone");
    assert_eq!(host.read(CONFIG).as_deref(), Some("another cluster's\n"));
    assert_eq!(mode(&host, "/home/edge/.kube"), 0o755);
    assert!(host.path("/home/edge/.kube/cache/another").exists());
}

#[test]
fn a_link_of_the_user_stays_wherever_it_points() {
    let host = host();
    std::fs::create_dir(host.path("/home/edge/.kube")).expect("a folder");
    std::os::unix::fs::symlink("/nowhere", host.path(CONFIG)).expect("a link");
    assert_eq!(host.apply("kubeconfig", op()), "adopted");
    assert_eq!(host.undo(), "undone");
    assert!(host.path(CONFIG).is_symlink());
}

#[test]
fn a_file_that_the_user_has_edited_is_the_users() {
    let host = host();
    assert_eq!(host.apply("kubeconfig", op()), "changed");
    host.write(CONFIG, "the administrator's\nand another cluster's\n");
    assert_eq!(host.apply("kubeconfig", op()), "unchanged");
    assert_eq!(host.undo(), "undone");
    let kept = host.read(CONFIG);
    assert_eq!(
        kept.as_deref(),
        Some("the administrator's\nand another cluster's\n")
    );
}

#[test]
fn a_folder_that_was_there_keeps_its_mode_and_what_is_in_it() {
    let host = host();
    host.write("/home/edge/.kube/cache/another", "");
    let folder = std::fs::Permissions::from_mode(0o750);
    std::fs::set_permissions(host.path("/home/edge/.kube"), folder).expect("a mode");
    assert_eq!(host.apply("kubeconfig", op()), "changed");
    assert_eq!(mode(&host, "/home/edge/.kube"), 0o750);
    assert_eq!(host.undo(), "undone");
    assert_eq!(host.read(CONFIG), None);
    assert_eq!(mode(&host, "/home/edge/.kube"), 0o750);
    assert!(host.path("/home/edge/.kube/cache/another").exists());
}
