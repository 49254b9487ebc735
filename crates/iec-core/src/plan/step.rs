//! `Step`: one thing to do on one host, with a stable name.

use std::fmt;

use crate::name::HostName;
use crate::pace::Pace;
use crate::plan::Op;

/// The phases of an installation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Is this the right host, and may it be changed?
    Admission,
    /// Content onto the host, verified.
    Content,
    /// Kernel, swap, names, time, packages.
    System,
    /// The container runtime and its images.
    Runtime,
    /// kubelet, kubeadm, kubectl, before there is a cluster.
    Kubernetes,
    /// The first control plane comes up.
    ControlPlane,
    /// Pods get a network.
    Network,
    /// A host joins.
    Join,
    /// What the site asks of the node.
    Node,
    /// Helm and its releases.
    Helm,
    /// Secrets leave the host.
    Finish,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 11] = [
        Self::Admission,
        Self::Content,
        Self::System,
        Self::Runtime,
        Self::Kubernetes,
        Self::ControlPlane,
        Self::Network,
        Self::Join,
        Self::Node,
        Self::Helm,
        Self::Finish,
    ];

    /// The phase of a step, by its id; the phase of the host itself where an id of a journal names none that is known.
    #[must_use]
    pub fn of(step: &StepId) -> Self {
        let (name, _) = step.as_str().split_once('.').unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == name)
            .unwrap_or(Self::System)
    }

    /// The first part of the ids of its steps.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admission => "admission",
            Self::Content => "content",
            Self::System => "system",
            Self::Runtime => "runtime",
            Self::Kubernetes => "kubernetes",
            Self::ControlPlane => "control-plane",
            Self::Network => "network",
            Self::Join => "join",
            Self::Node => "node",
            Self::Helm => "helm",
            Self::Finish => "finish",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The stable name of a step on its host: `<phase>.<name>`. With its host: `<phase>.<name>@<host>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct StepId(String);

/// The longest id that is taken from a host, in characters.
const LONGEST_ID: usize = 300;

impl<'de> serde::Deserialize<'de> for StepId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::from_record(&text))
    }
}

impl StepId {
    /// The id of the step `name` of `phase`. Names are `[a-z0-9.-]+`; other characters become `-`.
    #[must_use]
    pub fn new(phase: Phase, name: &str) -> Self {
        let name: String = name
            .chars()
            .map(|character| match character {
                'a'..='z' | '0'..='9' | '.' | '-' => character,
                'A'..='Z' => character.to_ascii_lowercase(),
                _ => '-',
            })
            .collect();
        Self(format!("{phase}.{name}"))
    }

    /// An id as a host's journal or runner wrote it. What no id has becomes `?`: so it is no other id, and no more than
    /// letters to whoever shows it.
    #[must_use]
    pub fn from_record(text: &str) -> Self {
        let plain = |character: char| character.is_ascii_alphanumeric() || ".@-_".contains(character);
        let letters = text.chars().take(LONGEST_ID);
        Self(
            letters
                .map(|letter| if plain(letter) { letter } else { '?' })
                .collect(),
        )
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// One thing to do on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its stable name.
    pub id: StepId,
    /// The phase it belongs to.
    pub phase: Phase,
    /// The host it runs on.
    pub host: HostName,
    /// What it does, as a person would say it: `Start containerd`.
    pub title: String,
    /// Why it is done, in one or two sentences.
    pub why: String,
    /// What it is, as data. [`crate::plan::lower()`] makes commands of it.
    pub op: Op,
    /// How slow the host is, or what it waits for: by this its commands are waited for.
    pub pace: Pace,
    /// Seconds that it usually takes, for estimates.
    pub estimate_seconds: u32,
}
