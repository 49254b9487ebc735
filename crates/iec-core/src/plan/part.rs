//! One host's part of a plan, and how the phases add steps to it.

use std::collections::BTreeMap;

use iec_sh::{Mode, RunnerScript, RunnerStep, UndoStep};

use crate::architecture::Architecture;
use crate::content::{Digest, ImageItem, Item, Manifest};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::HostFacts;
use crate::name::HostName;
use crate::pace::Pace;
use crate::plan::op::{FileContent, FileOp, Op, Program, SecretName, StoreBlob};
use crate::plan::role::{PlanRole, is_done_once};
use crate::plan::step::{Phase, Step, StepId};
use crate::plan::{HOME, Inputs, Lowered, kubeadm, lower};
use crate::secret::Secret;
use crate::site::{Role, SiteHost};

/// One host's part of a plan: complete by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPart {
    /// The host.
    pub host: HostName,
    /// Its role.
    pub role: Role,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// The blobs of the bundle that must be in its store.
    pub blobs: Vec<StoreBlob>,
    /// The secrets that are sent to it, by the name under which its steps know them.
    pub secrets: BTreeMap<SecretName, Secret<String>>,
    /// The sections of its facts that nobody observed.
    pub assumed: Vec<&'static str>,
    /// Whether these are all its steps: then what its journal has beyond them is taken back.
    pub whole: bool,
}

impl HostPart {
    /// Whether it is the part of the control plane that does what is done once for the cluster.
    #[must_use]
    pub fn does_what_is_done_once(&self) -> bool {
        self.steps.iter().any(|step| is_done_once(&step.id))
    }

    /// Its steps, lowered, in order.
    #[must_use]
    pub fn lowered(&self) -> Vec<(&Step, Lowered)> {
        self.steps.iter().map(|step| (step, lower(step))).collect()
    }

    /// Its script for the host-side runner.
    ///
    /// `owner` is written into the host's lock for others to read; `run` names this run.
    #[must_use]
    pub fn script(&self, owner: &str, run: &str, mode: Mode) -> String {
        self.script_taking_back(&[], owner, run, mode)
    }

    /// The same, which also takes back what the host's journal has and the site no longer asks for: after the
    /// questions whether the host may be changed, before everything else.
    #[must_use]
    pub fn script_taking_back(&self, undo: &[UndoStep], owner: &str, run: &str, mode: Mode) -> String {
        let steps: Vec<RunnerStep> = self
            .steps
            .iter()
            .map(|step| lower(step).runner_step(step))
            .collect();
        RunnerScript {
            home: HOME,
            owner,
            run,
            steps: &steps,
            admission: self
                .steps
                .iter()
                .take_while(|step| step.phase == Phase::Admission)
                .count(),
            whole: self.whole,
            undo,
        }
        .text(mode)
    }

    /// The files that its steps write as plain text, in order: the step and the text.
    pub fn texts(&self) -> impl Iterator<Item = (&Step, &FileOp, &str)> {
        self.steps.iter().filter_map(|step| match &step.op {
            Op::File(
                file @ FileOp {
                    content: FileContent::Text(text),
                    ..
                },
            ) => Some((step, file, text.as_str())),
            _ => None,
        })
    }

    /// Seconds that the whole of it usually takes.
    #[must_use]
    pub fn estimate_seconds(&self) -> u32 {
        self.steps.iter().map(|step| step.estimate_seconds).sum()
    }
}

/// The script that only reads what a host's journal has, for a host on which nothing should be: every step is left over.
#[must_use]
pub fn journal_script() -> String {
    RunnerScript {
        home: HOME,
        owner: "",
        run: "observe",
        steps: &[],
        admission: 0,
        whole: true,
        undo: &[],
    }
    .text(Mode::Observe)
}

/// The pace of the slowest control plane: every other host waits for it.
fn pace_of_control_planes(inputs: &Inputs<'_>) -> Pace {
    let known = inputs
        .site
        .control_planes()
        .filter_map(|host| inputs.facts.host(host.name().as_str()));
    known.map(Pace::of).fold(Pace::ORDINARY, Pace::slower_of)
}

/// The command that builds a bundle for this architecture too: without the others their hosts would have none.
fn build_for(bundled: &[Architecture], architecture: Architecture) -> String {
    let mut all = bundled.to_vec();
    all.push(architecture);
    all.sort_unstable();
    all.dedup();
    let names: Vec<&str> = all.into_iter().map(Architecture::go_name).collect();
    format!("iec bundle build --arch {}", names.join(","))
}

/// A host's part while the phases add to it.
pub(super) struct PartBuilder<'a> {
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) host: &'a SiteHost,
    pub(super) facts: &'a HostFacts,
    pub(super) architecture: Architecture,
    /// What it is to the cluster.
    pub(super) role: PlanRole,
    /// How slow the host is.
    pub(super) own_pace: Pace,
    /// How slow the host is, or the control plane that it waits for: by this everything is waited for.
    pub(super) pace: Pace,
    steps: Vec<Step>,
    blobs: BTreeMap<Digest, StoreBlob>,
    /// What is sent to be used up by a step, and is not kept in the store.
    used_up: Vec<StoreBlob>,
    /// What is sent to it apart from the plan, beside its credentials.
    secrets: BTreeMap<SecretName, Secret<String>>,
    /// Where the step that fills the store goes, once it is known what the other steps need.
    store_at: usize,
    problems: Diagnostics,
}

impl<'a> PartBuilder<'a> {
    pub(super) fn new(
        inputs: &'a Inputs<'a>,
        host: &'a SiteHost,
        facts: &'a HostFacts,
    ) -> Result<Self, Box<Diagnostic>> {
        let Some(architecture) = facts.kernel.architecture().or(host.assume().architecture()) else {
            let message = format!(
                "the architecture of host {} is neither known nor supported",
                host.name()
            );
            let problem = Diagnostic::error("IEC3002", message).at(host.place());
            let hint =
                "ask the host with `iec check --probe`, or write `assume: {architecture: amd64}` for it";
            return Err(Box::new(problem.hint(hint)));
        };
        let bundled = &inputs.content.architectures;
        if !bundled.contains(&architecture) {
            // Said once: each of its twenty items is missing.
            let known: Vec<String> = bundled.iter().map(ToString::to_string).collect();
            let message = format!(
                "the bundle is for {}, and host {} is {architecture}",
                known.join(" and "),
                host.name()
            );
            let problem = Diagnostic::error("IEC3003", message).at(host.place());
            return Err(Box::new(problem.hint(build_for(bundled, architecture))));
        }
        let own_pace = Pace::of(facts);
        Ok(Self {
            inputs,
            host,
            facts,
            architecture,
            role: PlanRole::of(inputs, host),
            own_pace,
            pace: pace_of_control_planes(inputs).slower_of(own_pace),
            steps: Vec::new(),
            blobs: BTreeMap::new(),
            used_up: Vec::new(),
            secrets: BTreeMap::new(),
            store_at: 0,
            problems: Diagnostics::default(),
        })
    }

    /// Adds a step.
    pub(super) fn step(
        &mut self,
        phase: Phase,
        name: &str,
        title: impl Into<String>,
        why: &str,
        seconds: u32,
        op: Op,
    ) {
        self.steps.push(Step {
            id: StepId::new(phase, name),
            phase,
            host: self.host.name().clone(),
            title: title.into(),
            why: why.to_owned(),
            op,
            pace: self.pace,
            estimate_seconds: self.own_pace.estimate(seconds),
        });
    }

    /// Adds a file with this text.
    pub(super) fn file(
        &mut self,
        phase: Phase,
        name: &str,
        path: &str,
        mode: u32,
        why: &str,
        text: impl Into<String>,
    ) {
        let content = FileContent::Text(text.into());
        let op = Op::File(FileOp {
            path: path.to_owned(),
            mode,
            content,
        });
        self.step(phase, name, format!("Write {path}"), why, 0, op);
    }

    /// Marks the place of the step that fills the store.
    pub(super) fn store_here(&mut self) {
        self.store_at = self.steps.len();
    }

    /// A binary of the bundle, for `path`; a diagnostic when the bundle has none for this architecture.
    pub(super) fn binary(&mut self, name: &str, path: impl Into<String>) -> Option<Program> {
        let item = self.inputs.content.binary(name, self.architecture);
        let digest = self.need(item, name)?;
        Some(Program {
            path: path.into(),
            digest,
        })
    }

    /// The CNI plugins of the bundle, for their folder.
    pub(super) fn cni_plugins(&mut self) -> Vec<Program> {
        let names: Vec<String> = self
            .inputs
            .content
            .binaries("cni/", self.architecture)
            .map(|item| item.name.clone())
            .collect();
        names
            .iter()
            .filter_map(|name| self.binary(name, format!("/opt/{}", name.replacen("cni/", "cni/bin/", 1))))
            .collect()
    }

    /// A tree of the bundle.
    pub(super) fn tree(&mut self, name: &str) -> Option<Digest> {
        let item = self.inputs.content.tree(name, self.architecture);
        self.need(item, name)
    }

    /// An image of the bundle.
    pub(super) fn image(&mut self, name: &str) -> Option<ImageItem> {
        let found = self.inputs.content.image(name, self.architecture);
        self.need(found.map(|(item, _)| item), name)?;
        found.map(|(_, image)| image.clone())
    }

    /// Something that is not of the bundle but must be in the store, such as a chart.
    pub(super) fn blob(&mut self, digest: Digest, size: u64, name: &str) {
        self.blobs.insert(
            digest,
            StoreBlob {
                digest,
                size,
                name: name.to_owned(),
            },
        );
    }

    /// Something that a step uses up: it is sent, and not kept in the store.
    pub(super) fn used_up(&mut self, digest: Digest, size: u64, name: &str) {
        let name = name.to_owned();
        self.used_up.push(StoreBlob { digest, size, name });
    }

    /// Something secret that a step reads, sent apart from the plan.
    pub(super) fn secret(&mut self, name: SecretName, content: Secret<String>) {
        self.secrets.insert(name, content);
    }

    /// Notes why there can be no plan.
    pub(super) fn problem(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    fn need(&mut self, item: Option<&Item>, name: &str) -> Option<Digest> {
        let Some(item) = item else {
            self.problems.push(
                Diagnostic::error(
                    "IEC3003",
                    format!(
                        "the bundle has no {name} for {}, which host {} needs",
                        self.architecture,
                        self.host.name()
                    ),
                )
                .hint(build_for(&self.inputs.content.architectures, self.architecture)),
            );
            return None;
        };
        for (digest, size) in Manifest::blobs_of([item]) {
            self.blob(digest, size, name);
        }
        Some(item.digest)
    }

    /// The finished part, or why there is none.
    pub(super) fn build(mut self) -> Result<HostPart, Diagnostics> {
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let blobs: Vec<StoreBlob> = self.blobs.values().cloned().collect();
        let megabytes: u64 = blobs.iter().map(|blob| blob.size).sum::<u64>() / 1_000_000;
        let store = Step {
            id: StepId::new(Phase::Content, "store"),
            phase: Phase::Content,
            host: self.host.name().clone(),
            title: format!(
                "Verify {} files of the bundle ({megabytes} MB) and keep them",
                blobs.len()
            ),
            why: "Every program and image is known by its digest; what was damaged on the way is never used."
                .to_owned(),
            op: Op::Store { blobs: blobs.clone() },
            // Some 335 MB/s of SHA-256 on two small cores, and the disk.
            estimate_seconds: self.own_pace.estimate(
                u32::try_from(megabytes / 150)
                    .unwrap_or(u32::MAX)
                    .saturating_add(1),
            ),
            pace: self.pace,
        };
        self.steps.insert(self.store_at, store);
        let blobs = blobs.into_iter().chain(self.used_up.clone()).collect();
        Ok(HostPart {
            host: self.host.name().clone(),
            role: self.host.role(),
            secrets: self.secrets(),
            steps: self.steps,
            blobs,
            assumed: self.facts.assumed(),
            whole: true,
        })
    }

    /// The steps as a part of their own beside the host's whole one; nothing where there are none.
    pub(super) fn build_rest(self) -> Option<HostPart> {
        (!self.steps.is_empty()).then(|| HostPart {
            host: self.host.name().clone(),
            role: self.host.role(),
            secrets: BTreeMap::new(),
            steps: self.steps,
            blobs: Vec::new(),
            assumed: self.facts.assumed(),
            whole: false,
        })
    }

    /// What kubeadm's configuration is made from.
    pub(super) fn kubeadm(&self) -> kubeadm::Subject<'a> {
        kubeadm::Subject {
            inputs: self.inputs,
            host: self.host,
            facts: self.facts,
            pace: self.pace,
        }
    }

    fn secrets(&self) -> BTreeMap<SecretName, Secret<String>> {
        let credentials = self.inputs.credentials;
        let mut secrets = match self.host.role() {
            Role::ControlPlane => BTreeMap::from([
                (SecretName::ClusterCaKey, credentials.cluster_ca.key_pem.clone()),
                (SecretName::EtcdCaKey, credentials.etcd_ca.key_pem.clone()),
                (
                    SecretName::FrontProxyCaKey,
                    credentials.front_proxy_ca.key_pem.clone(),
                ),
                (
                    SecretName::ServiceAccountKey,
                    credentials.service_account.private_pem.clone(),
                ),
                (
                    SecretName::InitConfiguration,
                    kubeadm::init_configuration_with_token(&self.kubeadm()),
                ),
            ]),
            Role::Worker => BTreeMap::from([(
                SecretName::JoinConfiguration,
                kubeadm::join_configuration(&self.kubeadm()),
            )]),
        };
        if let Some(authority) = &credentials.calico_etcd_ca
            && self.host.role() == Role::ControlPlane
            && self.inputs.site.network().has_calico_etcd()
        {
            secrets.insert(SecretName::CalicoEtcdCaKey, authority.key_pem.clone());
        }
        secrets.extend(
            self.secrets
                .iter()
                .map(|(name, content)| (*name, content.clone())),
        );
        secrets
    }
}
