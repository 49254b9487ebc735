//! Every phase of kubeadm can be done a second time, whatever of it was lost, though kubeadm itself refuses much of that.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use iec_core::content::Digest;
use iec_core::plan::{Addons, Component, EtcdStart, InitPhase, JoinPhase, Op, StaticPod};

use crate::pretend::Pretend;

/// kubeadm, as far as it refuses: by its sources of version 1.36, phase by phase.
const KUBEADM: &str = r#"
echo "kubeadm $*" >>/run/calls
pki=/etc/kubernetes/pki
case "$*" in
*phase\ preflight*)
  [ ! -e /etc/kubernetes/kubelet.conf ] || { echo 'kubelet.conf already exists' >&2; exit 1; }
  case "$*" in *ignore-preflight-errors=DirAvailable--var-lib-etcd*) exit 0 ;; esac
  [ -z "$(ls -A /var/lib/etcd/ 2>/dev/null)" ] || { echo '/var/lib/etcd is not empty' >&2; exit 1; } ;;
*phase\ certs\ all*)
  for name in apiserver apiserver-kubelet-client apiserver-etcd-client front-proxy-client etcd/server etcd/peer etcd/healthcheck-client; do
    mkdir -p $pki/etcd
    case "$(test -e $pki/$name.crt && echo c)$(test -e $pki/$name.key && echo k)" in
    ck) ;;
    '') echo certificate >$pki/$name.crt; echo key >$pki/$name.key ;;
    *) echo "failure loading $name certificate" >&2; exit 1 ;;
    esac
  done ;;
*phase\ kubeconfig\ all*)
  mkdir -p /etc/kubernetes
  for name in admin super-admin kubelet controller-manager scheduler; do
    test -e /etc/kubernetes/$name.conf || echo "$name" >/etc/kubernetes/$name.conf
  done ;;
*phase\ etcd\ local*) mkdir -p /etc/kubernetes/manifests; echo pod >/etc/kubernetes/manifests/etcd.yaml ;;
*phase\ control-plane\ apiserver*) mkdir -p /etc/kubernetes/manifests; echo pod >/etc/kubernetes/manifests/kube-apiserver.yaml ;;
*init\ phase\ kubelet-start*)
  mkdir -p /var/lib/kubelet; echo configuration >/var/lib/kubelet/config.yaml; echo flags >/var/lib/kubelet/kubeadm-flags.env; : >/run/active ;;
*join\ phase\ kubelet-start*)
  [ ! -e /run/active ] || { echo 'a Node of this name is Ready already' >&2; exit 1; }
  mkdir -p /var/lib/kubelet/pki /etc/kubernetes
  echo certificate >/var/lib/kubelet/pki/kubelet-client-current.pem
  echo configuration >/var/lib/kubelet/config.yaml; echo flags >/var/lib/kubelet/kubeadm-flags.env
  echo credentials >/etc/kubernetes/kubelet.conf; : >/run/active ;;
*phase\ addon\ all* | *phase\ addon*--config*)
  case "$*" in
  *--print-manifest*) cat "/run/manifest-$4" ;;
  *) echo "start version '1.14.7' not supported" >&2; exit 1 ;;
  esac ;;
esac
"#;

fn host() -> Pretend {
    let host = Pretend::new();
    host.stand_in("kubeadm", KUBEADM);
    host.stand_in(
        "systemctl",
        "case $1 in
        is-active) test -e /run/active || exit 3 ;;
        start) : >/run/active ;;
        stop) rm -f /run/active ;;
        esac",
    );
    host.stand_in("mountpoint", "exit 0");
    host.stand_in("nft", "exit 0");
    host
}

fn remove(host: &Pretend, path: &str) {
    std::fs::remove_file(host.path(path)).expect("it was there");
}

#[test]
fn whatever_file_of_a_phase_is_lost_comes_back() {
    let init = |phase: InitPhase| Op::Init(phase);
    let pki = |name: &str| format!("/etc/kubernetes/pki/{name}");
    let manifest = |name: &str| format!("/etc/kubernetes/manifests/{name}.yaml");
    let kubelet = || {
        vec![
            "/var/lib/kubelet/config.yaml".to_owned(),
            "/var/lib/kubelet/kubeadm-flags.env".to_owned(),
            "/run/active".to_owned(),
        ]
    };
    let certificates = [
        "apiserver",
        "front-proxy-client",
        "etcd/server",
        "etcd/healthcheck-client",
    ]
    .iter()
    .flat_map(|name| [pki(&format!("{name}.crt")), pki(&format!("{name}.key"))]);
    let kubeconfigs =
        ["admin", "controller-manager", "scheduler"].map(|name| format!("/etc/kubernetes/{name}.conf"));
    let pod = |component| {
        Op::StaticPod(StaticPod {
            component,
            configuration: Digest::of(b"configuration"),
            among: None,
            etcd: EtcdStart::Alone,
        })
    };
    let mut joined = kubelet();
    joined.push("/etc/kubernetes/kubelet.conf".to_owned());
    // The kubelet writes its kubeconfig before it has the certificate to which that points.
    joined.push("/var/lib/kubelet/pki/kubelet-client-current.pem".to_owned());
    let table = [
        (
            init(InitPhase::Certificates {
                names: Digest::of(b"names"),
            }),
            certificates.collect(),
        ),
        (init(InitPhase::Kubeconfigs), kubeconfigs.to_vec()),
        (pod(Component::Etcd), vec![manifest("etcd")]),
        (pod(Component::ApiServer), vec![manifest("kube-apiserver")]),
        (init(InitPhase::KubeletStart), kubelet()),
        (Op::Join(JoinPhase::KubeletStart), joined),
    ];
    for (op, files) in table {
        let host = host();
        std::fs::create_dir_all(host.path("/etc/kubernetes/manifests")).expect("a folder");
        std::fs::create_dir_all(host.path("/etc/kubernetes/pki")).expect("a folder");
        assert_eq!(host.apply("phase", op.clone()), "changed", "{op:?}");
        assert_eq!(host.apply("phase", op.clone()), "unchanged", "{op:?}");
        for file in files {
            let before = host.read(&file);
            remove(&host, &file);
            assert_eq!(
                host.apply("phase", op.clone()),
                "changed",
                "{op:?} without {file}"
            );
            assert_eq!(host.read(&file), before, "{file}");
        }
    }
}

#[test]
fn a_key_that_somebody_has_opened_is_closed_again() {
    let certificates = Op::Init(InitPhase::Certificates {
        names: Digest::of(b"names"),
    });
    let kubeconfigs = Op::Init(InitPhase::Kubeconfigs);
    for (op, file, open, closed) in [
        (&certificates, "/etc/kubernetes/pki/etcd/server.key", 0o640, 0o600),
        (&certificates, "/etc/kubernetes/pki/apiserver.crt", 0o666, 0o644),
        (&kubeconfigs, "/etc/kubernetes/admin.conf", 0o644, 0o600),
    ] {
        let host = host();
        std::fs::create_dir_all(host.path("/etc/kubernetes/pki")).expect("a folder");
        assert_eq!(host.apply("phase", op.clone()), "changed", "{file}");
        std::fs::set_permissions(host.path(file), Permissions::from_mode(open)).expect("it is there");
        assert_eq!(host.apply("phase", op.clone()), "changed", "{file}");
        let mode = std::fs::metadata(host.path(file))
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, closed, "{file}");
        assert_eq!(host.apply("phase", op.clone()), "unchanged", "{file}");
    }
}

#[test]
fn preflight_minds_everything_in_etcds_folder_but_what_the_disk_keeps_there() {
    let op = || Op::Init(InitPhase::Preflight);
    let disk = host();
    std::fs::create_dir_all(disk.path("/var/lib/etcd/lost+found")).expect("a folder");
    assert_eq!(disk.apply("preflight", op()), "changed");
    let link = host();
    std::fs::create_dir_all(link.path("/var/lib/disk/lost+found")).expect("a folder");
    std::os::unix::fs::symlink("disk", link.path("/var/lib/etcd")).expect("a link");
    assert_eq!(link.apply("preflight", op()), "changed");

    for (file, folder) in [("member/snap/db", true), ("lost+found", false)] {
        let used = host();
        if folder {
            std::fs::create_dir_all(used.path("/var/lib/etcd/lost+found")).expect("a folder");
        }
        used.write(&format!("/var/lib/etcd/{file}"), "data");
        let word = used.apply("preflight", op());
        assert!(word.contains("/var/lib/etcd is not empty"), "{word}");
    }
}

/// As kubeadm prints it: behind words of its own, and behind a mark, not below it.
const COREDNS: &str = "\
[patches] Reading patches
---apiVersion: apps/v1
kind: Deployment
metadata:
  name: coredns
spec:
  replicas: 2
  template: {}
---apiVersion: v1
kind: ConfigMap
metadata:
  name: coredns
data:
  Corefile: theirs
---
apiVersion: v1
kind: Service
";

/// A host whose cluster has what is in `/run/cluster`, a file for each manifest and field; it answers while `/run/up` is there.
fn cluster() -> Pretend {
    let host = host();
    host.write("/etc/kubernetes/admin.conf", "the administrator's\n");
    host.write("/run/up", "");
    host.write("/run/manifest-coredns", COREDNS);
    host.write(
        "/run/manifest-kube-proxy",
        "---\nkind: ServiceAccount\n---\napiVersion: apps/v1\nkind: DaemonSet\nspec:\n  template:\n    metadata:\n      labels:\n        \
         k8s-app: kube-proxy\n",
    );
    host.write("/run/cluster/.keep", "");
    host.stand_in(
        "kubectl",
        r#"echo "kubectl $*" >>/run/calls
        test -e /run/up || { cat >/dev/null; echo 'connection refused' >&2; exit $(case "$*" in *\ diff\ *) echo 2 ;; *) echo 1 ;; esac); }
        take() { cat >/run/text; ! grep -qE '^(---.|\[)' /run/text || { echo 'invalid Yaml document separator' >&2; exit 2; }; }
        name() { sed -n 's/^kind: //p' | tr '\n' '+'; }
        case "$*" in
        *\ diff\ --server-side\ --force-conflicts\ --field-manager=iec\ -f\ -)
          take; cmp -s /run/text "/run/cluster/$(name </run/text)" || exit 1 ;;
        *\ apply\ --server-side\ --force-conflicts\ --field-manager=iec\ -f\ -)
          take; cp /run/text "/run/cluster/$(name </run/text)"
          case "$(name </run/text)" in
          ConfigMap+) echo theirs >/run/cluster/corefile ;;
          Deployment+*) test -e /run/cluster/replicas || echo 1 >/run/cluster/replicas ;;
          esac ;;
        *configmap/coredns\ deployment/coredns*)
          sed 's/^/corefile /' /run/cluster/corefile; sed 's/^/replicas /' /run/cluster/replicas; : ;;
        *\ scale\ *) echo 2 >/run/cluster/replicas; rm -f /run/cluster/owned ;;
        *deployment/coredns\ --show-managed-fields*) cat /run/cluster/owned 2>/dev/null || : ;;
        esac"#,
    );
    host
}

#[test]
fn whatever_is_deleted_of_the_addons_comes_back() {
    let op = || Op::Init(InitPhase::Addons(Addons::default()));
    let host = cluster();
    assert_eq!(host.apply("addons", op()), "changed");
    assert_eq!(host.read("/run/cluster/replicas").as_deref(), Some("2\n"));
    assert_eq!(host.apply("addons", op()), "unchanged");
    for object in [
        "Deployment+Service+",
        "ServiceAccount+DaemonSet+",
        "corefile",
        "replicas",
    ] {
        let path = format!("/run/cluster/{object}");
        let before = host.read(&path);
        remove(&host, &path);
        assert_eq!(host.apply("addons", op()), "changed", "without {object}");
        assert_eq!(host.read(&path), before, "{object}");
    }
}

#[test]
fn what_others_decide_about_coredns_stays() {
    let op = || Op::Init(InitPhase::Addons(Addons::default()));
    let host = cluster();
    host.apply("addons", op());
    host.write("/run/cluster/corefile", "with a zone of the site\n");
    host.write("/run/cluster/replicas", "3\n");
    assert_eq!(host.apply("addons", op()), "unchanged");
    remove(&host, "/run/cluster/ServiceAccount+DaemonSet+");
    assert_eq!(host.apply("addons", op()), "changed");
    assert_eq!(host.read("/run/cluster/replicas").as_deref(), Some("3\n"));
    let corefile = host.read("/run/cluster/corefile");
    assert_eq!(corefile.as_deref(), Some("with a zone of the site\n"));
}

/// What the site decides of CoreDNS is the site's, and whoever runs the cluster has it again afterwards.
#[test]
fn what_the_site_decides_about_coredns_is_its_own_while_it_does() {
    let host = cluster();
    host.apply("addons", Op::Init(InitPhase::Addons(Addons::default())));
    let site = || {
        Op::Init(InitPhase::Addons(Addons {
            proxy: "0123456789ab".to_owned(),
            dns_replicas: Some(3),
            dns_configuration: Some(
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: coredns\ndata:\n  Corefile: \"# IEC: \\\"a\\\"\"\n"
                    .to_owned(),
            ),
        }))
    };
    assert_eq!(host.apply("addons", site()), "changed");
    assert_eq!(host.apply("addons", site()), "unchanged");
    let applied = host
        .read("/run/cluster/Deployment+Service+ConfigMap+")
        .expect("applied");
    assert!(applied.contains("\n  replicas: 3\n"), "{applied}");
    assert!(
        applied.contains("  Corefile: \"# IEC: \\\"a\\\"\"\n"),
        "{applied}"
    );
    assert!(!applied.contains("theirs"), "{applied}");
    let proxy = host
        .read("/run/cluster/ServiceAccount+DaemonSet+")
        .expect("applied");
    assert!(
        proxy.contains("    metadata:\n      annotations:\n        iec.dev/configuration: \"0123456789ab\"\n      labels:\n"),
        "{proxy}"
    );

    // The API server's own words about who has set what.
    host.write("/run/cluster/corefile", "# IEC: a\n");
    host.write("/run/cluster/replicas", "3\n");
    host.write("/run/cluster/owned", "f:replicas f:template ");
    let theirs = || Op::Init(InitPhase::Addons(Addons::default()));
    assert_eq!(host.apply("addons", theirs()), "changed");
    assert_eq!(host.read("/run/cluster/corefile").as_deref(), Some("theirs\n"));
    assert_eq!(host.read("/run/cluster/replicas").as_deref(), Some("2\n"));
    assert_eq!(host.apply("addons", theirs()), "unchanged");
}

#[test]
fn a_cluster_that_does_not_answer_says_nothing_about_its_objects() {
    let host = cluster();
    remove(&host, "/run/up");
    let word = host.apply("addons", Op::Init(InitPhase::Addons(Addons::default())));
    assert!(word.starts_with("failed unknown"), "{word}");
    let calls = host.read("/run/calls").expect("calls");
    assert!(!calls.contains(" apply "), "{calls}");
}
