//! What is built from Go modules: the pinned wrapper modules, the commands of each, and what their authors stamp into them.

use iec_core::release::Release;

/// One wrapper module under `content/` and what is built from it.
pub(crate) struct GoPart {
    /// The part's name in the release, and its folder under `content/`.
    pub(crate) name: &'static str,
    /// The wrapper's `go.mod`.
    pub(crate) go_mod: &'static str,
    /// The wrapper's `go.sum`.
    pub(crate) go_sum: &'static str,
    /// The packages of its commands.
    pub(crate) commands: &'static [Command],
    /// Files to take from the main module as they are: the path inside it, and the name to give it.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// The variables that its authors set when they link a release.
    pub(crate) variables: fn(&Release) -> Vec<(&'static str, String)>,
    /// Build tags.
    pub(crate) tags: &'static str,
    /// Whether it is linked statically with C code, and with which libraries.
    pub(crate) c_libraries: Option<&'static str>,
    /// How long it takes from a cold cache on two cores, in seconds.
    pub(crate) estimate: u64,
}

/// One command of a wrapper module.
pub(crate) struct Command {
    /// The Go package.
    pub(crate) package: &'static str,
    /// The name of the program.
    pub(crate) name: &'static str,
}

macro_rules! wrapper {
    ($folder:literal, $file:literal) => {
        include_str!(concat!("../../../content/", $folder, "/", $file))
    };
}

const fn command(package: &'static str, name: &'static str) -> Command {
    Command { package, name }
}

/// The version of a part, as its authors write it.
fn version(release: &Release, part: &str) -> String {
    release
        .part(part)
        .map(|part| part.version.clone())
        .unwrap_or_default()
}

fn kubernetes_variables(release: &Release) -> Vec<(&'static str, String)> {
    let version = version(release, "kubernetes");
    let mut numbers = version.trim_start_matches('v').split('.').map(str::to_owned);
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    let date = format!("{}T00:00:00Z", release.source_date);
    vec![
        ("k8s.io/client-go/pkg/version.buildDate", date.clone()),
        ("k8s.io/client-go/pkg/version.gitMajor", major.clone()),
        ("k8s.io/client-go/pkg/version.gitMinor", minor.clone()),
        ("k8s.io/client-go/pkg/version.gitTreeState", "clean".to_owned()),
        ("k8s.io/client-go/pkg/version.gitVersion", version.clone()),
        ("k8s.io/component-base/version.buildDate", date),
        ("k8s.io/component-base/version.gitMajor", major),
        ("k8s.io/component-base/version.gitMinor", minor),
        ("k8s.io/component-base/version.gitTreeState", "clean".to_owned()),
        ("k8s.io/component-base/version.gitVersion", version),
    ]
}

fn calico_variables(release: &Release) -> Vec<(&'static str, String)> {
    let version = version(release, "calico");
    [
        "github.com/projectcalico/calico/felix/buildinfo.GitVersion",
        "github.com/projectcalico/calico/node/buildinfo.GitVersion",
        "github.com/projectcalico/calico/node/pkg/lifecycle/startup.VERSION",
        "main.VERSION",
    ]
    .map(|name| (name, version.clone()))
    .into()
}

/// Everything that is built from Go modules, the longest first.
pub(crate) const GO_PARTS: [GoPart; 8] = [
    GoPart {
        name: "kubernetes",
        go_mod: wrapper!("kubernetes", "go.mod"),
        go_sum: wrapper!("kubernetes", "go.sum"),
        commands: &[
            command("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
            command(
                "k8s.io/kubernetes/cmd/kube-controller-manager",
                "kube-controller-manager",
            ),
            command("k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"),
            command("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
            command("k8s.io/kubernetes/cmd/kubeadm", "kubeadm"),
            command("k8s.io/kubernetes/cmd/kubectl", "kubectl"),
            command("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ],
        files: &[("build/pause/linux/pause.c", "pause.c")],
        variables: kubernetes_variables,
        tags: "",
        c_libraries: None,
        estimate: 400,
    },
    GoPart {
        name: "calico",
        go_mod: wrapper!("calico", "go.mod"),
        go_sum: wrapper!("calico", "go.sum"),
        commands: &[
            command("github.com/projectcalico/calico/cni-plugin/cmd/calico", "calico"),
            command(
                "github.com/projectcalico/calico/cni-plugin/cmd/install",
                "install",
            ),
            command(
                "github.com/projectcalico/calico/kube-controllers/cmd/check-status",
                "check-status",
            ),
            command(
                "github.com/projectcalico/calico/kube-controllers/cmd/kube-controllers",
                "kube-controllers",
            ),
            command(
                "github.com/projectcalico/calico/node/cmd/calico-node",
                "calico-node",
            ),
        ],
        files: &[
            ("manifests/calico-vxlan.yaml", "calico-vxlan.yaml"),
            ("manifests/calico-etcd.yaml", "calico-etcd.yaml"),
            ("manifests/crds.yaml", "crds.yaml"),
            ("node/filesystem/etc/calico/felix.cfg", "felix.cfg"),
        ],
        variables: calico_variables,
        tags: "",
        c_libraries: None,
        estimate: 140,
    },
    GoPart {
        name: "helm",
        go_mod: wrapper!("helm", "go.mod"),
        go_sum: wrapper!("helm", "go.sum"),
        commands: &[command("helm.sh/helm/v4/cmd/helm", "helm")],
        files: &[],
        variables: |release| {
            vec![
                (
                    "helm.sh/helm/v4/internal/version.gitTreeState",
                    "clean".to_owned(),
                ),
                (
                    "helm.sh/helm/v4/internal/version.version",
                    version(release, "helm"),
                ),
            ]
        },
        tags: "",
        c_libraries: None,
        estimate: 110,
    },
    GoPart {
        name: "coredns",
        go_mod: wrapper!("coredns", "go.mod"),
        go_sum: wrapper!("coredns", "go.sum"),
        commands: &[command("github.com/coredns/coredns", "coredns")],
        files: &[],
        variables: |_| Vec::new(),
        tags: "",
        c_libraries: None,
        estimate: 95,
    },
    GoPart {
        name: "containerd",
        go_mod: wrapper!("containerd", "go.mod"),
        go_sum: wrapper!("containerd", "go.sum"),
        commands: &[
            command("github.com/containerd/containerd/v2/cmd/containerd", "containerd"),
            command(
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                "containerd-shim-runc-v2",
            ),
            command("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
        ],
        files: &[],
        variables: |release| {
            vec![
                (
                    "github.com/containerd/containerd/v2/version.Package",
                    "github.com/containerd/containerd/v2".to_owned(),
                ),
                (
                    "github.com/containerd/containerd/v2/version.Version",
                    version(release, "containerd"),
                ),
            ]
        },
        tags: "",
        c_libraries: None,
        estimate: 55,
    },
    GoPart {
        name: "etcd",
        go_mod: wrapper!("etcd", "go.mod"),
        go_sum: wrapper!("etcd", "go.sum"),
        commands: &[
            command("go.etcd.io/etcd/etcdctl/v3", "etcdctl"),
            command("go.etcd.io/etcd/etcdutl/v3", "etcdutl"),
            command("go.etcd.io/etcd/server/v3", "etcd"),
        ],
        files: &[],
        variables: |_| Vec::new(),
        tags: "",
        c_libraries: None,
        estimate: 30,
    },
    GoPart {
        name: "cni-plugins",
        go_mod: wrapper!("cni-plugins", "go.mod"),
        go_sum: wrapper!("cni-plugins", "go.sum"),
        commands: &[
            command("github.com/containernetworking/plugins/plugins/ipam/dhcp", "dhcp"),
            command(
                "github.com/containernetworking/plugins/plugins/ipam/host-local",
                "host-local",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/ipam/static",
                "static",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/main/bridge",
                "bridge",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/main/dummy",
                "dummy",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/main/host-device",
                "host-device",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/main/ipvlan",
                "ipvlan",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/main/loopback",
                "loopback",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/main/macvlan",
                "macvlan",
            ),
            command("github.com/containernetworking/plugins/plugins/main/ptp", "ptp"),
            command("github.com/containernetworking/plugins/plugins/main/tap", "tap"),
            command("github.com/containernetworking/plugins/plugins/main/vlan", "vlan"),
            command(
                "github.com/containernetworking/plugins/plugins/meta/bandwidth",
                "bandwidth",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/meta/firewall",
                "firewall",
            ),
            command(
                "github.com/containernetworking/plugins/plugins/meta/portmap",
                "portmap",
            ),
            command("github.com/containernetworking/plugins/plugins/meta/sbr", "sbr"),
            command(
                "github.com/containernetworking/plugins/plugins/meta/tuning",
                "tuning",
            ),
            command("github.com/containernetworking/plugins/plugins/meta/vrf", "vrf"),
        ],
        files: &[],
        variables: |release| {
            vec![(
                "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion",
                version(release, "cni-plugins"),
            )]
        },
        tags: "",
        c_libraries: None,
        estimate: 15,
    },
    GoPart {
        name: "runc",
        go_mod: wrapper!("runc", "go.mod"),
        go_sum: wrapper!("runc", "go.sum"),
        commands: &[command("github.com/opencontainers/runc", "runc")],
        files: &[],
        // runc carries its version in a file of its own.
        variables: |_| Vec::new(),
        tags: "seccomp,netgo,osusergo",
        c_libraries: Some("-lseccomp"),
        estimate: 25,
    },
];

/// The part of this name.
pub(crate) fn go_part(name: &str) -> &'static GoPart {
    GO_PARTS
        .iter()
        .find(|part| part.name == name)
        .expect("recipes name only parts of the list above")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrappers_pin_exactly_what_the_release_says() {
        let release = Release::bundled("1.36").unwrap();
        for part in &GO_PARTS {
            for module in &release.part(part.name).unwrap().modules {
                let line = format!("{} {} {}", module.module, module.version, module.sum);
                assert!(
                    part.go_sum.lines().any(|sum| sum == line),
                    "{}: go.sum lacks {line}",
                    part.name
                );
                let required = format!("{} {}", module.module, module.version);
                assert!(
                    part.go_mod.contains(&required),
                    "{}: go.mod lacks {required}",
                    part.name
                );
            }
        }
    }

    #[test]
    fn every_command_is_a_tool_of_its_wrapper() {
        for part in &GO_PARTS {
            for command in part.commands {
                let listed = part
                    .go_mod
                    .lines()
                    .any(|line| line.trim().trim_start_matches("tool ") == command.package);
                assert!(listed, "{}: {}", part.name, command.package);
            }
        }
    }
}
