//! A cluster whose etcd has lost its majority for good: which member knows most, and whether the cluster may start again from it.

use std::collections::BTreeMap;

use iec_sh::{Cmd, Expr, Program};

use crate::name::HostName;
use crate::plan::{ETCD_MEMBER, FORCED_ETCD, etcd_says};
use crate::site::Site;

/// Seconds that a control plane's etcd has to find a leader, or to answer at all: an election takes one or two, a start of
/// the container half a minute.
const LEADER_SECONDS: u32 = 30;

/// The numbers of etcd that are read, a line each. Those of its peers have the address of both in their labels; a peer that
/// was taken out has the value 0.
const NUMBERS: &str = r#"$1 == "etcd_server_has_leader" { printf "leader %.0f\n", $2 }
$1 == "etcd_debugging_mvcc_current_revision" { printf "revision %.0f\n", $2 }
$1 == "etcd_server_proposals_applied_total" { printf "applied %.0f\n", $2 }
index($1, "etcd_network_known_peers{") == 1 && $2 == 1 { members++ }
END { if (NR) printf "members %.0f\n", members }
"#;

/// Succeeds when the numbers say that etcd has a leader.
const HAS_LEADER: &str = r#"$1 == "etcd_server_has_leader" { leader = $2 } END { exit leader != 1 }"#;

/// What a control plane is asked about its etcd, without anybody else. It changes nothing.
#[must_use]
pub fn question() -> Expr {
    let say = |word: &str| Expr::from(Cmd::new(Program::Printf).words(["%s\\n", word]));
    let when = |question: Cmd, then: Vec<Expr>| Expr::If {
        condition: Box::new(question.into()),
        then,
        otherwise: vec![],
    };
    let has_leader = Expr::Poll {
        question: Box::new(Expr::Pipe(vec![
            etcd_says("/metrics").quiet_errors(),
            Cmd::new(Program::Awk).word(HAS_LEADER),
        ])),
        every_seconds: 1,
        deadline_seconds: LEADER_SECONDS,
        units: vec![],
        slowness: 1,
    };
    let numbers = Expr::Pipe(vec![
        etcd_says("/metrics").quiet_errors(),
        Cmd::new(Program::Awk).word(NUMBERS),
    ]);
    Expr::all([
        when(
            Cmd::new(Program::Grep)
                .words(["-qsx", "-e"])
                .word(FORCED_ETCD)
                .word("/etc/kubernetes/manifests/etcd.yaml"),
            vec![say("forced")],
        ),
        when(
            Cmd::new(Program::Test).words(["-d", ETCD_MEMBER]),
            vec![say("data"), has_leader.ignore_failure(), numbers.ignore_failure()],
        ),
    ])
}

/// What a control plane says of its etcd.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Whether it has data of the cluster.
    pub has_data: bool,
    /// Whether it is about to start as the only member: a recovery that was cut off.
    pub is_forced: bool,
    /// What it knows, where it answers.
    pub knows: Option<Knowledge>,
}

/// What a member of etcd knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Knowledge {
    /// Whether it follows a leader: then a majority is there.
    pub has_leader: bool,
    /// The number of the last change of the cluster's data that it has.
    pub revision: u64,
    /// The number of the last entry of etcd's own log that it has.
    pub applied: u64,
    /// How many members it knows, itself among them.
    pub members: usize,
}

impl Member {
    /// What the answer to [`question`] says.
    #[must_use]
    pub fn read(said: &str) -> Self {
        let number = |name: &str| {
            said.lines().find_map(|line| {
                line.strip_prefix(name)?
                    .strip_prefix(' ')?
                    .trim()
                    .parse::<u64>()
                    .ok()
            })
        };
        let has = |word: &str| said.lines().any(|line| line.trim() == word);
        let knows = || {
            Some(Knowledge {
                has_leader: number("leader")? == 1,
                revision: number("revision")?,
                applied: number("applied")?,
                members: usize::try_from(number("members")?).ok()?,
            })
        };
        Self {
            has_data: has("data"),
            is_forced: has("forced"),
            knows: knows(),
        }
    }
}

/// How the cluster starts again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The control plane from whose data.
    pub survivor: HostName,
    /// What it knows; nothing where a recovery that was cut off goes on.
    pub knows: Option<Knowledge>,
    /// Control planes whose data is set aside, because it is no newer.
    pub others: Vec<HostName>,
    /// Control planes of the site that do not answer.
    pub lost: Vec<HostName>,
}

/// Why the cluster may not start again from one member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A majority is there.
    #[error("the cluster has not lost its etcd: the one of {host} follows a leader")]
    HasLeader {
        /// The control plane that says so.
        host: HostName,
    },
    /// So many members answer that they are a majority, but they find no leader.
    #[error("{present} of {members} members of etcd answer, which is a majority, and they find no leader")]
    Majority {
        /// How many answer.
        present: usize,
        /// How many there are.
        members: usize,
    },
    /// Nobody has data.
    #[error("no control plane that answers has data of the cluster")]
    NoData {
        /// Those that do not answer.
        lost: Vec<HostName>,
    },
    /// A member does not tell what it knows.
    #[error("the etcd of {host} has data, and does not tell how new it is")]
    Unknown {
        /// Its control plane.
        host: HostName,
    },
    /// The host that was named has nothing from which the cluster could start.
    #[error("{host} has no etcd that answers: the cluster cannot start again from it")]
    NotFrom {
        /// The host.
        host: HostName,
    },
}

impl Refusal {
    /// Its code, which the manual explains.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::HasLeader { .. } => "IEC4060",
            Self::Majority { .. } => "IEC4061",
            Self::NoData { .. } => "IEC4062",
            Self::Unknown { .. } | Self::NotFrom { .. } => "IEC4063",
        }
    }
}

/// How the cluster starts again from the member that knows most, or from the one that is named.
///
/// `members` are the answers of the site's control planes; who is not in it does not answer.
///
/// # Errors
/// [`Refusal`] where the cluster is not lost, or cannot be had again from what answers.
pub fn recovery(
    site: &Site,
    members: &BTreeMap<HostName, Member>,
    from: Option<&HostName>,
) -> Result<Recovery, Refusal> {
    let lost: Vec<HostName> = site
        .control_planes()
        .map(|host| host.name().clone())
        .filter(|name| !members.contains_key(name))
        .collect();
    let with_data = || members.iter().filter(|(_, member)| member.has_data);
    let others = |survivor: &HostName| -> Vec<HostName> {
        let names = with_data().map(|(name, _)| name.clone());
        names.filter(|name| name != survivor).collect()
    };
    let start = |survivor: &HostName, knows: Option<Knowledge>| Recovery {
        survivor: survivor.clone(),
        knows,
        others: others(survivor),
        lost: lost.clone(),
    };
    // It may have forgotten the others already: there is no way but on.
    if let Some((host, _)) = with_data().find(|(_, member)| member.is_forced) {
        return Ok(start(host, None));
    }
    let known = || with_data().filter_map(|(name, member)| Some((name, member.knows?)));
    if let Some((host, _)) = known().find(|(_, knows)| knows.has_leader) {
        return Err(Refusal::HasLeader { host: host.clone() });
    }
    let of_cluster = known().map(|(_, knows)| knows.members).max().unwrap_or_default();
    let present = known().count();
    if let Some(from) = from {
        let knows = known().find(|(name, _)| *name == from).map(|(_, knows)| knows);
        let knows = knows.ok_or_else(|| Refusal::NotFrom { host: from.clone() })?;
        return Ok(start(from, Some(knows)));
    }
    if let Some((host, _)) = with_data().find(|(_, member)| member.knows.is_none()) {
        return Err(Refusal::Unknown { host: host.clone() });
    }
    if present > of_cluster / 2 && of_cluster > 0 {
        return Err(Refusal::Majority {
            present,
            members: of_cluster,
        });
    }
    // Of two that know as much the first of the site file.
    let newest = known().max_by_key(|(name, knows)| {
        let place = site.control_planes().position(|host| host.name() == *name);
        (knows.revision, knows.applied, std::cmp::Reverse(place))
    });
    match newest {
        Some((host, knows)) => Ok(start(host, Some(knows))),
        None => Err(Refusal::NoData { lost }),
    }
}
