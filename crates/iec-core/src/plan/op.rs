//! `Op`: the closed vocabulary of steps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use iec_sh::Expr;

use crate::content::{Digest, ImageItem};
use crate::plan::kubeadm::{InitPhase, JoinPhase};
use crate::plan::static_pod::StaticPod;

/// What a step is. [`crate::plan::lower()`] is the only place that makes commands of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Something that must be true before anything is changed; when it is not, the host is refused.
    Require(Require),
    /// A file with this content.
    File(FileOp),
    /// Programs copied out of the store.
    Programs {
        /// The programs.
        programs: Vec<Program>,
        /// Who owns them afterwards.
        owner: ProgramOwner,
    },
    /// One line of a file that belongs to somebody else.
    Line {
        /// The file.
        path: String,
        /// The line, without its end.
        line: String,
        /// The comment at its end by which IEC knows its line again.
        tag: String,
    },
    /// A symbolic link.
    Link {
        /// Where it is.
        path: String,
        /// Where it points.
        target: String,
    },
    /// Blobs that must be in the host's store.
    Store {
        /// Digest, length in bytes, and a name for people.
        blobs: Vec<StoreBlob>,
    },
    /// A tar of the store unpacked into a folder of its own.
    Tree {
        /// The tar's digest.
        blob: Digest,
        /// The folder.
        into: String,
    },
    /// Images imported into the runtime.
    Images(Vec<ImageItem>),
    /// Images that were unpacked elsewhere, taken into the runtime before its first start.
    Seed(SeedOp),
    /// Swap off now and after a reboot.
    SwapOff,
    /// Kernel modules loaded now.
    Modules(Vec<String>),
    /// Kernel parameters set now.
    Sysctls(BTreeMap<String, String>),
    /// A systemd unit.
    Unit(Unit),
    /// A phase of `kubeadm init`.
    Init(InitPhase),
    /// A phase of `kubeadm join`.
    Join(JoinPhase),
    /// A static pod of the control plane.
    StaticPod(StaticPod),
    /// The pod that keeps the site's virtual address on one of the control planes.
    VirtualAddress(VirtualAddressOp),
    /// The kubelet's whole configuration, and a kubelet that runs with it.
    KubeletConfiguration(String),
    /// Calico's objects, applied server-side from files on this control plane.
    Calico {
        /// The file with Calico's own manifest.
        manifest: String,
        /// What the site sets in Calico's own kinds, where Calico keeps these in the Kubernetes API.
        settings: Option<CalicoSettings>,
    },
    /// What Calico puts on each host: the programs by which pods get their network.
    CalicoOnHost {
        /// The node.
        node: String,
        /// The largest packet of new pods in bytes; 0 lets Calico find it.
        mtu: u32,
    },
    /// What kube-proxy on this host runs with.
    ProxyOnHost {
        /// The node.
        node: String,
        /// Texts that are in its own answer about its configuration.
        settings: Vec<String>,
    },
    /// Certificates of Calico's own etcd, issued by its authority.
    CalicoEtcdCertificates {
        /// kubeadm's configuration for issuing them, without any secret.
        configuration: String,
    },
    /// The member of Calico's own etcd on this control plane.
    CalicoEtcdMember(CalicoEtcdMember),
    /// The Secret by which Calico gets one of them.
    CalicoEtcdSecret,
    /// Calico's pods, started again after that certificate was renewed.
    CalicoEtcdClients,
    /// The kubeconfig of an administrator whom no rule of the cluster binds, removed from a control plane.
    NoSuperAdmin,
    /// A label that the site gives to the node of this host, by its own credentials.
    Label {
        /// The node.
        node: String,
        /// The label's key.
        key: String,
        /// The label's value.
        value: String,
    },
    /// A taint that the site gives to a node, once there is one: it is there from the node's first moment, since hosts
    /// join with it, but a node may not change its own taints later.
    Taint {
        /// The node.
        node: String,
        /// The taint's key.
        key: String,
        /// The taint's value, often empty.
        value: String,
        /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
        effect: String,
    },
    /// The pods of a node that is about to leave sent elsewhere, before the first of several control planes goes.
    Drain {
        /// The node.
        node: String,
        /// Whether it is a control plane.
        votes: bool,
    },
    /// A node that leaves the cluster: its pods go elsewhere, then the cluster forgets it.
    Leave {
        /// The node.
        node: String,
        /// Whether its host answers, so that its pods can end there.
        reachable: bool,
        /// What of a control plane leaves etcd first.
        member: Option<LeavingMember>,
    },
    /// What it takes to start the cluster again when the majority of etcd's members is lost.
    Recovery(RecoveryStep),
    /// The turn to change a control plane not left with this host.
    TurnGivenBack {
        /// Its node.
        node: String,
    },
    /// The pods of the cluster's DNS on more than one node, where there are several that may run them.
    SpreadDns,
    /// The control-plane taint taken off a node.
    Schedulable {
        /// The node.
        node: String,
    },
    /// A bootstrap token for the hosts that still have to join.
    Token {
        /// Its public part.
        id: String,
        /// Seconds that it must still live, or it is renewed.
        remaining_seconds: u64,
    },
    /// No bootstrap token, because no host has to join any more.
    NoToken {
        /// Its public part.
        id: String,
    },
    /// The administrator's kubeconfig for a user.
    UserKubeconfig {
        /// The user.
        user: String,
        /// The user's home folder.
        home: String,
    },
    /// Something on another host or in the cluster that this host waits for.
    Wait(Wait),
    /// A Helm release.
    HelmRelease(HelmOp),
    /// Secrets and what was sent taken off the host.
    Forget,
}

impl Op {
    /// Whether it takes something away that the site no longer asks for.
    #[must_use]
    pub const fn removes(&self) -> bool {
        matches!(self, Self::Leave { .. })
    }

    /// Whether it reads a secret that was sent to the host.
    #[must_use]
    pub const fn takes_secret(&self) -> bool {
        match self {
            Self::File(file) => !matches!(file.content, FileContent::Text(_)),
            Self::Init(_) | Self::Join(_) | Self::Token { .. } => true,
            _ => false,
        }
    }
}

/// Objects of the kinds that Calico's manifest defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalicoSettings {
    /// The file with them.
    pub path: String,
    /// The prefix length of the blocks of the pool in it: one that runs with another length stays as it is.
    pub block_size: u8,
}

/// A member of Calico's own etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalicoEtcdMember {
    /// The node that it runs on, whose name is its own.
    pub node: String,
    /// Where the others reach it, as `https://10.0.0.12:6667`.
    pub peer: String,
    /// Its static pod.
    pub pod: String,
    /// The command line of its process when it runs with that pod.
    pub command_line: String,
    /// How it starts for the first time.
    pub start: CalicoEtcdStart,
    /// How many members must vote, where there are others.
    pub quorum: Option<usize>,
}

/// How a member of Calico's own etcd starts for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CalicoEtcdStart {
    /// By itself, with this static pod: others join it.
    Alone(String),
    /// As a learner of what this node's is a member of. It becomes a voter when it has all of their data.
    Joins(String),
}

/// A member of etcd that leaves with its control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingMember {
    /// The node whose etcd takes it out.
    pub first: String,
    /// Where the others reach it, as `https://10.0.0.12:2380`.
    pub peer: String,
    /// Where the others reach that of Calico's own etcd, where there is one, as `https://10.0.0.12:6667`.
    pub calico_peer: Option<String>,
}

/// What it takes to start the cluster again from one member of etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryStep {
    /// The data of a member that knows less, set aside; its control plane stops.
    SetAside,
    /// etcd started as the only member, from all data that it has.
    StartAlone,
    /// The turn to change a control plane taken from whoever had it: that may be a host that was lost.
    NoTurn,
}

/// Something that must be true before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Require {
    /// What must be true, with the code of its refusal.
    pub what: String,
    /// The question.
    pub ask: Expr,
}

/// A file with this content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOp {
    /// Where.
    pub path: String,
    /// The permission bits.
    pub mode: u32,
    /// What is in it.
    pub content: FileContent,
}

/// Where the content of a file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileContent {
    /// This text.
    Text(String),
    /// A secret, sent apart from the plan; the name under which it is sent.
    Secret(SecretName),
    /// A secret that the site may change, on a control plane.
    Changing {
        /// The name under which it is sent.
        secret: SecretName,
        /// The digest of the cluster's key and it. A host that has both can tell whether it is the same; who has only the
        /// digest cannot even try what might be in it.
        digest: Digest,
    },
}

/// The names of the secrets that are sent to hosts, apart from every plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretName {
    /// The key of the cluster's certificate authority.
    ClusterCaKey,
    /// The key of etcd's certificate authority.
    EtcdCaKey,
    /// The key of the front proxy's certificate authority.
    FrontProxyCaKey,
    /// The key that signs service account tokens.
    ServiceAccountKey,
    /// The key of the certificate authority of Calico's own etcd.
    CalicoEtcdCaKey,
    /// kubeadm's configuration with the bootstrap token in it.
    InitConfiguration,
    /// The configuration by which a host joins.
    JoinConfiguration,
    /// The values of a Helm release.
    HelmValues(ReleaseMark),
}

/// What a Helm release is known by among the secrets of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseMark(u64);

impl ReleaseMark {
    /// The mark of the release whose files have this name.
    pub(crate) fn of(name: &str) -> Self {
        let digest = Digest::of(name.as_bytes()).hex();
        Self(u64::from_str_radix(&digest[..16], 16).expect("a digest is in hexadecimal digits"))
    }
}

impl SecretName {
    /// Those that do not depend on what the site asks for.
    const ALL: [Self; 7] = [
        Self::ClusterCaKey,
        Self::EtcdCaKey,
        Self::FrontProxyCaKey,
        Self::ServiceAccountKey,
        Self::CalicoEtcdCaKey,
        Self::InitConfiguration,
        Self::JoinConfiguration,
    ];

    /// Its file name below `incoming/secrets` on the host.
    #[must_use]
    pub fn file_name(self) -> Cow<'static, str> {
        let name = match self {
            Self::ClusterCaKey => "ca.key",
            Self::EtcdCaKey => "etcd-ca.key",
            Self::FrontProxyCaKey => "front-proxy-ca.key",
            Self::ServiceAccountKey => "sa.key",
            Self::CalicoEtcdCaKey => "calico-etcd-ca.key",
            Self::InitConfiguration => "kubeadm-init.yaml",
            Self::JoinConfiguration => "kubeadm-join.yaml",
            Self::HelmValues(ReleaseMark(mark)) => return Cow::Owned(format!("helm-{mark:016x}.yaml")),
        };
        Cow::Borrowed(name)
    }

    /// Whether a file of this name is one of them.
    #[must_use]
    pub fn is_file_name(name: &str) -> bool {
        let mark = name
            .strip_prefix("helm-")
            .and_then(|rest| rest.strip_suffix(".yaml"));
        let is_mark = |mark: &str| mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
        mark.is_some_and(is_mark) || Self::ALL.iter().any(|known| known.file_name() == name)
    }
}

/// Who owns programs once they are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramOwner {
    /// IEC: they are compared with the bundle, by size, time and inode since they were verified.
    Iec,
    /// Calico, which replaces what its own image holds too: they only have to be there.
    Calico,
}

/// A program out of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it goes.
    pub path: String,
    /// Its digest.
    pub digest: Digest,
}

/// A blob that must be in the host's store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What it belongs to, for people: `kubelet`.
    pub name: String,
}

/// Images that were unpacked elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedOp {
    /// The digest of the archive.
    pub archive: Digest,
    /// What the archive says of itself, as it is written in it.
    pub label: String,
    /// What `uname -m` prints on a host that can run them.
    pub machine: String,
    /// The files of the images, in order. They are in the store, and not in the archive.
    pub files: Vec<Digest>,
}

/// A systemd unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its name with its suffix.
    pub name: String,
    /// Whether it must run now; otherwise it is only enabled.
    pub active: bool,
    /// The digest of all that it runs with: when it changes, the unit is restarted.
    pub configuration: Digest,
    /// What it makes while it runs, which `undo` removes.
    pub creates: Vec<String>,
    /// What is true while it does its work: a unit may be active, and somebody has undone what it did.
    pub effects: Vec<Effect>,
}

/// Something that is true while a unit does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What is true.
    pub what: String,
    /// The question. Any other answer than 0 means that there is work to do.
    pub ask: Expr,
}

/// Something that a host waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What is waited for.
    pub what: String,
    /// The question, asked until it is answered with 0.
    pub ask: Expr,
    /// A question that makes waiting needless when it is answered with 0.
    pub unless: Option<Expr>,
    /// Seconds between two questions.
    pub every_seconds: u32,
    /// Seconds after which the host gives up.
    pub deadline_seconds: u32,
    /// The units of this host without which it never comes: one that does not stay up ends the wait.
    pub units: Vec<String>,
    /// What tells why it has not come, asked when the host gives up.
    pub explains: Vec<Expr>,
}

/// The pod that keeps the site's virtual address on one of the control planes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualAddressOp {
    /// The address.
    pub address: Ipv4Addr,
    /// The static pod.
    pub pod: String,
    /// The command line of its process when it runs with its present configuration.
    pub command_line: String,
    /// The node of this host, where there are other control planes: they change one after the other.
    pub among: Option<String>,
}

/// A Helm release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmOp {
    /// The release's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The file name under which the host shows the chart to Helm.
    pub archive: String,
    /// The chart in the store.
    pub chart: Digest,
    /// The file of values on this host.
    pub values: String,
    /// The digest of the cluster's key, chart and values.
    pub digest: Digest,
    /// Whether the site gives it values: then what Helm says may repeat them.
    pub sensitive: bool,
}
