//! Steps of the cluster against a kubectl, a kubeadm and a helm that record what they are told and remember what follows.

use iec_core::content::Digest;
use iec_core::plan::{HelmOp, InitPhase, Op};

use crate::pretend::Pretend;

/// kubectl for a cluster that is a folder: a folder for each node, with its labels and taints, and a file for each secret.
const KUBECTL: &str = r#"
cluster=/run/cluster
kubeconfig=$(basename "$2")
shift 2
case $1 in --request-timeout=*) shift ;; esac
[ "$1" = get ] || [ "$1" = diff ] || echo "kubectl ($kubeconfig) $*" >>/run/calls
case "$*" in
'get --raw /readyz') ;;
'get nodes -o '*)
  for node in $cluster/nodes/*; do
    [ ! -d "$node" ] || echo "$(basename "$node")$(sed 's/^/ /' "$node/taints" | tr -d '\n')"
  done
  printf . ;;
'get nodes --field-selector metadata.name='*)
  name=${4#metadata.name=}
  [ ! -d "$cluster/nodes/$name" ] || printf '[%s]' "$name"
  printf . ;;
'get secrets -n kube-system --field-selector metadata.name='*)
  name=${6#metadata.name=}
  [ ! -e "$cluster/secrets/$name" ] || printf '[%s]' "$name"
  printf . ;;
'get node '*' -o jsonpath={.metadata.labels}')
  sed 's/\(.*\)=\(.*\)/"\1":"\2",/' "$cluster/nodes/$3/labels" ;;
'get node '*' -o jsonpath={.metadata.labels.'*)
  key=$(printf %s "${5#jsonpath=?.metadata.labels.}" | tr -d '\\')
  sed -n "s,^${key%?}=,,p" "$cluster/nodes/$3/labels" ;;
'get node '*' -o jsonpath={range .spec.taints'*)
  cut -d= -f1 "$cluster/nodes/$3/taints"
  printf . ;;
'get node '*) test -d "$cluster/nodes/$3" ;;
'get -n kube-system secret/'*)
  test -e "$cluster/secrets/${4#secret/}" && base64 -w0 "$cluster/secrets/${4#secret/}" ;;
'get -n kube-system configmap/kubeadm-config configmap/kubelet-config -o jsonpath={.items[*].metadata.annotations.iec\.dev/configuration}')
  for name in kubeadm kubelet; do test -e "$cluster/configmap/$name-config" || exit 1; done
  echo $(cat "$cluster/configmap/kubeadm-config" "$cluster/configmap/kubelet-config") ;;
'get '*configmap/*) for object in "$@"; do case $object in configmap/*) test -e "$cluster/$object" || exit 1 ;; esac; done ;;
'annotate -n kube-system configmap/'*)
  for name in kubeadm kubelet; do echo "${7#*=}" >"$cluster/configmap/$name-config"; done ;;
'get clusterrolebinding/'*) test -e "$cluster/configmap/cluster-info" ;;
'label --overwrite node '*) echo "$5" >>"$cluster/nodes/$4/labels" ;;
'label node '*) sed -i "\,^${4%-}=,d" "$cluster/nodes/$3/labels" ;;
'taint '*-) sed -i '/./d' "$cluster/nodes/$(echo "$*" | sed 's/.*node \([^ ]*\) .*/\1/')/taints" ;;
'taint --overwrite node '*) echo "$5" >>"$cluster/nodes/$4/taints" ;;
'delete node '*) rm -r "$cluster/nodes/$3" ;;
'delete -n kube-system secret '*) rm -f "$cluster/secrets/$5" ;;
'drain '* | 'delete pods '*) ;;
'diff --server-side --force-conflicts --field-manager=iec -f -'*)
  # As kubectl does: an object of another namespace than that which it is given is an error.
  [ "${7-}" != -n ] || of=$8
  : "${KUBECTL_EXTERNAL_DIFF:?is to show all lines around a difference}"
  while read -r key value; do
    case $key in
    namespace:) [ -z "${of-}" ] || [ "$value" = "$of" ] || exit 2; at=$value ;;
    name:) at=${of-default}; name=$value ;;
    field:) test "$(cat "$cluster/objects/$at/$name" 2>&1)" = "$value" || { printf 'diff -N a/%s b/%s\n@@ -1 +1 @@\n-field: x\n+field: %s\n' $name $name $value; differs=yes; } ;;
    esac
  done
  [ -z "${differs-}" ] || exit 1 ;;
*) echo "kubectl is not asked $*" >&2; exit 64 ;;
esac
"#;

/// kubeadm, as far as its phases change the cluster.
const KUBEADM: &str = r#"
cluster=/run/cluster
echo "kubeadm $*" >>/run/calls
case "$*" in
'init phase upload-config all '*) : >$cluster/configmap/kubeadm-config; : >$cluster/configmap/kubelet-config ;;
'init phase mark-control-plane '*) echo node-role.kubernetes.io/control-plane= >>$cluster/nodes/edge-1/labels ;;
'init phase bootstrap-token '*)
  : >$cluster/configmap/cluster-info
  date -u -d '24 hours' +%Y-%m-%dT%H:%M:%SZ >$cluster/secrets/bootstrap-token-abcdef ;;
'init phase kubelet-finalize '*) echo kubelet-client-current.pem >>/etc/kubernetes/kubelet.conf ;;
*) echo "kubeadm is not asked $*" >&2; exit 64 ;;
esac
"#;

/// helm, which remembers the description of each release, and makes two objects, one in a namespace of its own.
const HELM: &str = r#"
shift 2
[ "$1" = status ] || [ "$1" = get ] || echo "helm $*" >>/run/calls
case $1 in
status) test -e "/run/cluster/release-$2" && cat "/run/cluster/release-$2" ;;
upgrade)
  release=$3
  while [ "$1" != --description ]; do shift; done
  echo "DESCRIPTION: $2" >"/run/cluster/release-$release"
  mkdir -p /run/cluster/objects/store /run/cluster/objects/kube-system
  echo a >/run/cluster/objects/store/till; echo b >/run/cluster/objects/kube-system/reader ;;
get)
  printf -- '---\n# Source: shop\nkind: A\nmetadata:\n  labels:\n    namespace: store\n  name: till\nfield: a\n'
  printf -- '---\nkind: B\nmetadata:\n    name: reader\n    namespace: kube-system\nfield: b\n' ;;
uninstall) rm "/run/cluster/release-$2" ;;
esac
"#;

/// A control plane whose cluster has the nodes edge-1 and edge-2.
fn control_plane() -> Pretend {
    let host = Pretend::new();
    host.write("/etc/kubernetes/admin.conf", "the administrator's\n");
    host.write("/etc/kubernetes/kubelet.conf", "the kubelet's\n");
    for node in ["edge-1", "edge-2"] {
        host.write(&format!("/run/cluster/nodes/{node}/labels"), "");
        host.write(&format!("/run/cluster/nodes/{node}/taints"), "");
    }
    for folder in ["secrets", "configmap"] {
        std::fs::create_dir_all(host.path(&format!("/run/cluster/{folder}"))).expect("a folder");
    }
    host.stand_in("kubectl", KUBECTL);
    host.stand_in("kubeadm", KUBEADM);
    host.stand_in("helm", HELM);
    host.stand_in("systemctl", "exit 0\n");
    host
}

/// What was asked to be changed since the last time, with the paths of the host.
fn calls(host: &Pretend) -> Vec<String> {
    let text = host.read("/run/calls").unwrap_or_default();
    host.write("/run/calls", "");
    let text = text.replace(&host.root().display().to_string(), "");
    text.lines().map(str::to_owned).collect()
}

/// Does the step, again, and takes it back; gives what the cluster was told for the first and for the last.
fn there_and_back(host: &Pretend, name: &str, op: &Op) -> (Vec<String>, Vec<String>) {
    assert_eq!(host.apply(name, op.clone()), "changed", "{name}");
    let done = calls(host);
    assert_eq!(host.apply(name, op.clone()), "unchanged", "{name}");
    assert_eq!(calls(host), [""; 0], "{name} a second time");
    host.undo();
    (done, calls(host))
}

#[test]
fn labels_and_taints_are_set_and_taken_off() {
    let label = Op::Label {
        node: "edge-1".to_owned(),
        key: "example.org/zone".to_owned(),
        value: "a".to_owned(),
    };
    assert_eq!(
        there_and_back(&control_plane(), "label", &label),
        (
            vec!["kubectl (kubelet.conf) label --overwrite node edge-1 example.org/zone=a".to_owned()],
            vec!["kubectl (kubelet.conf) label node edge-1 example.org/zone-".to_owned()],
        )
    );
    let taint = Op::Taint {
        node: "edge-2".to_owned(),
        key: "dedicated".to_owned(),
        value: "radio".to_owned(),
        effect: "NoSchedule".to_owned(),
    };
    assert_eq!(
        there_and_back(&control_plane(), "taint", &taint),
        (
            vec!["kubectl (admin.conf) taint --overwrite node edge-2 dedicated=radio:NoSchedule".to_owned()],
            vec!["kubectl (admin.conf) taint --overwrite node edge-2 dedicated:NoSchedule-".to_owned()],
        )
    );
    let host = control_plane();
    let key = "node-role.kubernetes.io/control-plane";
    host.write(
        "/run/cluster/nodes/edge-1/taints",
        &format!("{key}=:NoSchedule\n"),
    );
    let schedulable = Op::Schedulable {
        node: "edge-1".to_owned(),
    };
    assert_eq!(
        there_and_back(&host, "schedulable", &schedulable),
        (
            vec![format!("kubectl (admin.conf) taint node edge-1 {key}-")],
            vec![format!(
                "kubectl (admin.conf) taint --overwrite node edge-1 {key}:NoSchedule"
            )],
        )
    );
}

#[test]
fn a_node_that_leaves_is_drained_only_where_it_can_be_reached() {
    let forgotten = [
        "kubectl (admin.conf) delete node edge-2 --ignore-not-found --timeout=30s",
        "kubectl (admin.conf) delete pods --all-namespaces --force --grace-period=0 --field-selector spec.nodeName=edge-2",
    ];
    for reachable in [true, false] {
        let host = control_plane();
        let leave = Op::Leave {
            node: "edge-2".to_owned(),
            reachable,
            member: None,
        };
        let (done, back) = there_and_back(&host, "leave", &leave);
        let mut expected: Vec<&str> = Vec::new();
        if reachable {
            expected.push(
                "kubectl (admin.conf) drain edge-2 --ignore-daemonsets --delete-emptydir-data --force --timeout=300s",
            );
        }
        expected.extend(forgotten);
        assert_eq!(done, expected);
        assert_eq!(back, [""; 0]);
        assert!(host.read("/run/cluster/nodes/edge-1/labels").is_some());
    }
}

#[test]
fn a_token_is_made_where_it_ends_too_soon_and_removed_when_nobody_needs_it() {
    let host = control_plane();
    let made = "kubeadm init phase bootstrap-token --skip-token-print --config /var/lib/iec/incoming/secrets/kubeadm-init.yaml";
    let token = Op::Token {
        id: "abcdef".to_owned(),
        remaining_seconds: 3600,
    };
    let secret = "/run/cluster/secrets/bootstrap-token-abcdef";
    assert_eq!(host.apply("token", token.clone()), "changed");
    assert_eq!(calls(&host), [made]);
    assert_eq!(host.apply("token", token.clone()), "unchanged");
    host.write(secret, "2020-01-01T00:00:00Z\n");
    assert_eq!(host.apply("token", token), "changed");
    assert_eq!(calls(&host), [made]);

    let none = || Op::NoToken {
        id: "abcdef".to_owned(),
    };
    assert_eq!(host.apply("no-token", none()), "changed");
    assert_eq!(host.apply("no-token", none()), "unchanged");
    assert_eq!(
        calls(&host),
        ["kubectl (admin.conf) delete -n kube-system secret bootstrap-token-abcdef --ignore-not-found"]
    );
    assert_eq!(host.read(secret), None);
}

#[test]
fn each_phase_of_kubeadm_that_speaks_to_the_cluster_is_run_once() {
    let plain = "--config /etc/iec/kubeadm.yaml";
    let node = "edge-1".to_owned();
    let table = [
        (
            InitPhase::MarkControlPlane { node },
            format!("mark-control-plane {plain}"),
        ),
        (
            InitPhase::BootstrapToken,
            "bootstrap-token --skip-token-print --config /var/lib/iec/incoming/secrets/kubeadm-init.yaml"
                .to_owned(),
        ),
        (
            InitPhase::KubeletFinalize,
            format!("kubelet-finalize all {plain}"),
        ),
    ];
    for (phase, words) in table {
        let (done, back) = there_and_back(&control_plane(), "phase", &Op::Init(phase));
        assert_eq!(done, [format!("kubeadm init phase {words}")]);
        assert_eq!(back, [""; 0], "preflight's undo takes them back");
    }
}

#[test]
fn the_cluster_gets_the_configuration_anew_when_it_changes() {
    let upload = |text: &str| {
        Op::Init(InitPhase::UploadConfig {
            configuration: Digest::of(text.as_bytes()),
        })
    };
    let told = |text: &str| {
        [
            "kubeadm init phase upload-config all --config /etc/iec/kubeadm.yaml".to_owned(),
            format!(
                "kubectl (admin.conf) annotate -n kube-system configmap/kubeadm-config configmap/kubelet-config \
                 --overwrite iec.dev/configuration={}",
                Digest::of(text.as_bytes()).hex()
            ),
        ]
    };
    let host = control_plane();
    assert_eq!(
        there_and_back(&host, "upload", &upload("maxPods: 110")).0,
        told("maxPods: 110")
    );
    assert_eq!(
        there_and_back(&host, "upload", &upload("maxPods: 60")).0,
        told("maxPods: 60")
    );
}

#[test]
fn a_helm_release_is_upgraded_when_its_digest_or_an_object_of_it_changes_and_uninstalled() {
    let host = control_plane();
    let chart = Digest::of(b"chart");
    host.write(&format!("/var/lib/iec/store/{}", chart.blob_path()), "an archive");
    host.write("/var/lib/iec/incoming/.keep", "");
    let release = |digest| {
        Op::HelmRelease(HelmOp {
            name: "shop".to_owned(),
            namespace: "store".to_owned(),
            archive: "shop.tgz".to_owned(),
            chart,
            values: "/etc/iec/helm/shop.yaml".to_owned(),
            digest,
            sensitive: false,
        })
    };
    let upgrade = |digest: Digest| {
        format!(
            "helm upgrade --install shop /var/lib/iec/incoming/shop.tgz -n store --create-namespace \
             --values /etc/iec/helm/shop.yaml --description iec {digest} --force-conflicts --wait --timeout=10m"
        )
    };
    let (old, new) = (Digest::of(b"old values"), Digest::of(b"new values"));
    assert_eq!(host.apply("helm", release(old)), "changed");
    assert_eq!(calls(&host), [upgrade(old)]);
    for object in ["store/till", "kube-system/reader"] {
        let object = format!("/run/cluster/objects/{object}");
        host.write(&object, "changed by hand");
        assert_eq!(host.apply("helm", release(old)), "changed", "{object}");
        std::fs::remove_file(host.path(&object)).expect("there");
        assert_eq!(host.apply("helm", release(old)), "changed", "{object}");
        assert_eq!(calls(&host), [upgrade(old), upgrade(old)], "{object}");
    }
    assert_eq!(host.apply("helm", release(old)), "unchanged");
    let (done, back) = there_and_back(&host, "helm", &release(new));
    assert_eq!(done, [upgrade(new)]);
    assert_eq!(
        back,
        ["helm uninstall shop -n store --ignore-not-found --wait --timeout=5m"]
    );
    assert_eq!(host.read("/var/lib/iec/incoming/shop.tgz"), None);
}
