//! Op → commands: the only place that knows what a step does on a host.
//!
//! Executor, scripts, runbook and differences read [`Lowered`] and nothing else.

mod ask;
mod calico;
pub(super) mod calico_etcd;
mod calico_etcd_member;
mod content;
mod daemon;
mod differences;
mod edit;
mod etcd_member;
mod file;
mod folders;
mod gate;
mod helm;
mod kernel;
mod kubeadm;
mod kubelet;
mod kubernetes;
mod last_words;
mod network;
mod objects;
mod recovery;
mod seed;
mod spread;
mod static_pod;
pub(super) mod turn;
mod undo;
mod unit;
mod virtual_address;

pub(super) use ask::{ADMIN, kubectl_anonymous};
pub(crate) use content::BLOB_QUESTION;
pub use etcd_member::Store;
pub(super) use etcd_member::member_is_listed;
pub(crate) use etcd_member::remove_member;
use iec_sh::{Expr, Question, RunnerStep, WayBack};
pub(super) use kubeadm::JOINED;
pub(crate) use kubernetes::{delete_node, drain_node};
pub use recovery::ETCD_SET_ASIDE;
pub(crate) use static_pod::etcd_says;
pub(super) use static_pod::what_it_says as static_pod_log;

use crate::content::Digest;
use crate::plan::{Op, Step};

/// The units without which no pod of a host runs.
pub(super) fn node_units() -> Vec<String> {
    [last_words::CONTAINERD, last_words::KUBELET]
        .map(str::to_owned)
        .to_vec()
}

/// The folder of everything that IEC keeps on a host.
pub const HOME: &str = "/var/lib/iec";
/// Where secrets lie between their arrival and the last step of a host.
pub const SECRETS: &str = "/var/lib/iec/incoming/secrets";

/// What a step does, in commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    /// The questions of its check. They change nothing. All answered with 0: done.
    pub check: Vec<Question>,
    /// The commands that keep what is there before its first change. They change nothing else.
    pub keep: Vec<Expr>,
    /// The commands that do it, in order.
    pub apply: Vec<Expr>,
    /// What takes it back.
    pub undo: Undo,
    /// Files whose present content a difference shows.
    pub shows: Vec<Shown>,
    /// Its output may hold a secret and is not kept.
    pub sensitive: bool,
}

/// A file that a step changes, for the difference that is shown to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its path.
    pub path: String,
    /// What it has afterwards.
    pub after: After,
}

/// What a file has after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// This text.
    Text(String),
    /// What the copy at this path has: another program wrote it for IEC last time, and does so again.
    AsKept(String),
    /// What is there, with a part of it changed.
    InPart,
}

impl Shown {
    /// A file of which the step changes a part.
    fn in_part(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            after: After::InPart,
        }
    }

    /// The paths that a host is asked for: the file, and the copy that it is compared with.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let copy = match &self.after {
            After::AsKept(copy) => Some(copy.as_str()),
            After::Text(_) | After::InPart => None,
        };
        std::iter::once(self.path.as_str()).chain(copy)
    }
}

/// What takes a step back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undo {
    /// These commands, in order.
    Commands(Vec<Expr>),
    /// Nothing is left behind.
    Nothing,
    /// Another step's undo takes this one back too.
    CoveredBy(&'static str),
    /// It cannot be taken back, for this reason.
    Irreversible(&'static str),
}

/// Makes commands of a step.
#[must_use]
pub fn lower(step: &Step) -> Lowered {
    let lowered = lower_op(step).slowed(step.pace.times());
    Lowered {
        keep: undo::on_disk(step.id.as_str(), lowered.keep),
        ..lowered
    }
}

fn lower_op(step: &Step) -> Lowered {
    let id = step.id.as_str();
    match &step.op {
        Op::Require(require) => Lowered::question(ask::required(&require.what, require.ask.clone())),
        Op::File(file) => file::file(id, file),
        Op::Programs { programs, owner } => file::programs(id, programs, *owner),
        Op::Line { path, line, tag } => file::line(id, path, line, tag),
        Op::Link { path, target } => file::link(id, path, target),
        Op::Store { blobs } => content::store(blobs),
        Op::Tree { blob, into } => content::tree(*blob, into),
        Op::Images(images) => content::images(images),
        Op::Seed(seed) => seed::seed(seed),
        Op::SwapOff => kernel::swap_off(id),
        Op::Modules(modules) => kernel::modules(modules),
        Op::Sysctls(entries) => kernel::sysctls(id, entries),
        Op::Unit(unit) => unit::unit(id, unit),
        Op::Init(phase) => kubeadm::init(id, phase),
        Op::Join(phase) => kubeadm::join(id, phase),
        Op::StaticPod(pod) => static_pod::static_pod(pod),
        Op::VirtualAddress(address) => virtual_address::virtual_address(id, address),
        Op::KubeletConfiguration(text) => kubelet::configuration(id, text),
        Op::Calico { manifest, settings } => calico::objects(manifest, settings.as_ref()),
        Op::CalicoOnHost { node, mtu } => daemon::calico(node, *mtu),
        Op::ProxyOnHost { node, settings } => daemon::proxy(node, settings),
        Op::CalicoEtcdCertificates { configuration } => calico_etcd::certificates(configuration),
        Op::CalicoEtcdMember(member) => calico_etcd_member::member(id, member),
        Op::CalicoEtcdSecret => calico_etcd::secret(),
        Op::CalicoEtcdClients => calico_etcd::clients(),
        Op::NoSuperAdmin => kubeadm::no_super_admin(),
        Op::Label { node, key, value } => kubernetes::label(node, key, value),
        Op::Taint {
            node,
            key,
            value,
            effect,
        } => kubernetes::taint(node, key, value, effect),
        Op::Drain { node, .. } => kubernetes::drain(node),
        Op::Leave {
            node,
            reachable,
            member,
        } => kubernetes::leave(node, *reachable, member.as_ref()),
        Op::SpreadDns => spread::dns(),
        Op::TurnGivenBack { node } => turn::given_back(node),
        Op::Recovery(step) => recovery::recovery(*step),
        Op::Schedulable { node } => kubernetes::schedulable(node),
        Op::Token {
            id: token,
            remaining_seconds,
        } => kubernetes::token(token, *remaining_seconds),
        Op::NoToken { id: token } => kubernetes::no_token(token),
        Op::UserKubeconfig { user, home } => kubernetes::user_kubeconfig(id, user, home),
        Op::Wait(wait) => kubernetes::wait(wait),
        Op::HelmRelease(release) => helm::release(release),
        Op::Forget => content::forget(),
    }
}

impl Lowered {
    /// The same on a host where everything takes so many times longer: all deadlines and time-outs, and nothing else.
    fn slowed(self, times: u32) -> Self {
        let each = |commands: Vec<Expr>| -> Vec<Expr> {
            commands
                .into_iter()
                .map(|command| command.slowed(times))
                .collect()
        };
        let check = self.check.into_iter().map(|question| Question {
            ask: question.ask.slowed(times),
            ..question
        });
        Self {
            check: check.collect(),
            keep: each(self.keep),
            apply: each(self.apply),
            undo: match self.undo {
                Undo::Commands(commands) => Undo::Commands(each(commands)),
                other => other,
            },
            ..self
        }
    }

    /// A step that only asks.
    fn question(question: Question) -> Self {
        Self {
            check: vec![question],
            keep: vec![],
            apply: vec![],
            undo: Undo::Nothing,
            shows: vec![],
            sensitive: false,
        }
    }

    /// The digest of everything that the step does: it changes when the step does.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = String::new();
        for question in &self.check {
            text.push_str(&question.ask.statement(""));
            text.push('\n');
        }
        for command in self.keep.iter().chain(&self.apply) {
            text.push_str(&command.statement(""));
            text.push('\n');
        }
        Digest::of(text.as_bytes())
    }

    /// The commands that take it back; none where there is nothing to take back by itself.
    #[must_use]
    pub fn undo_commands(&self) -> &[Expr] {
        match &self.undo {
            Undo::Commands(commands) => commands,
            Undo::Nothing | Undo::CoveredBy(_) | Undo::Irreversible(_) => &[],
        }
    }

    /// The step as the host's runner takes it.
    #[must_use]
    pub fn runner_step(&self, step: &Step) -> RunnerStep {
        RunnerStep {
            id: step.id.to_string(),
            title: step.title.clone(),
            digest: self.digest().hex()[..16].to_owned(),
            sensitive: self.sensitive,
            questions: self.check.clone(),
            keep: self.keep.clone(),
            apply: self.apply.clone(),
            undo: self.undo_commands().to_vec(),
            way_back: match &self.undo {
                Undo::Commands(_) | Undo::Nothing => WayBack::ByItself,
                Undo::CoveredBy(step) => WayBack::With((*step).to_owned()),
                Undo::Irreversible(reason) => WayBack::Never((*reason).to_owned()),
            },
            shows: self
                .shows
                .iter()
                .flat_map(Shown::paths)
                .map(str::to_owned)
                .collect(),
            differences: differences::differences(&step.op),
            last_words: last_words::last_words(&step.op),
        }
    }
}
