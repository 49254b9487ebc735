//! Judging an etcd, the cluster's or Calico's own: whether its members are the control planes, and whether each is well.

use std::collections::BTreeMap;

use iec_core::report::{Row, Scope};
use serde::Deserialize;

use crate::check::Check;
use crate::expected::Expected;

/// How many revisions a member may be behind the newest one: those of a moment, on a busy cluster.
const LAG: u64 = 2000;

/// A member of etcd, as another one knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EtcdMember {
    /// Its name; empty until it has started once.
    #[serde(default)]
    pub name: String,
    /// Whether it still learns, and has no vote.
    #[serde(default, rename = "isLearner")]
    pub is_learner: bool,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EtcdStatus {
    /// What it says in front of each answer.
    pub header: EtcdHeader,
    /// The id of the leader; 0 where there is none.
    #[serde(default)]
    pub leader: u64,
    /// The length of its data on the disk in bytes.
    #[serde(default, rename = "dbSize")]
    pub size: u64,
    /// Whether it still learns, and has no vote.
    #[serde(default, rename = "isLearner")]
    pub is_learner: bool,
    /// Its alarms and the like.
    #[serde(default)]
    pub errors: Vec<String>,
}

/// What stands in front of each answer of etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct EtcdHeader {
    /// The last change that it knows.
    #[serde(default)]
    pub revision: u64,
}

/// A row on the members as a whole, with how many of them may yet fail.
#[must_use]
pub fn judge_etcd_members(
    check: &'static Check,
    expected: &Expected,
    members: &[EtcdMember],
    statuses: &BTreeMap<String, Result<EtcdStatus, String>>,
) -> Row {
    let mut troubles = Vec::new();
    for node in expected.control_planes() {
        if !members.iter().any(|member| member.name == node.name) {
            troubles.push(format!("{} is no member", node.name));
        }
    }
    for member in members {
        let is_ours = expected.control_planes().any(|node| node.name == member.name);
        match member.name.as_str() {
            "" => troubles.push("a member has never started".to_owned()),
            name if !is_ours => {
                troubles.push(format!("{name} is a member, and no control plane of the site"))
            }
            name if member.is_learner => troubles.push(format!("{name} still learns, and has no vote")),
            _ => {}
        }
    }
    let voters = members.iter().filter(|member| !member.is_learner).count();
    let well = statuses
        .values()
        .filter(|status| {
            status
                .as_ref()
                .is_ok_and(|status| status.leader != 0 && !status.is_learner)
        })
        .count();
    let spare = well.saturating_sub(voters / 2 + 1);
    let left = match spare {
        0 => "none may fail".to_owned(),
        1 => "one more may fail".to_owned(),
        more => format!("{more} more may fail"),
    };
    let note = format!("{well} of {voters} voters answer: {left}");
    let mut row = if troubles.is_empty() {
        check.passed(Scope::Cluster)
    } else {
        let found = format!("{} members, {voters} of them with a vote", members.len());
        check.failed(
            Scope::Cluster,
            "the control planes of the site, each with a vote",
            found,
            troubles,
        )
    };
    row.note = Some(note);
    row
}

/// A row on each control plane's own etcd.
#[must_use]
pub fn judge_etcd_voters(
    check: &'static Check,
    expected: &Expected,
    statuses: &BTreeMap<String, Result<EtcdStatus, String>>,
) -> Vec<Row> {
    let known = || statuses.values().filter_map(|status| status.as_ref().ok());
    let newest = known()
        .map(|status| status.header.revision)
        .max()
        .unwrap_or_default();
    let judge = |name: &str| {
        let scope = Scope::host(name);
        match statuses.get(name) {
            Some(Ok(status)) => judge_voter(check, scope, status, newest),
            Some(Err(reason)) => check.could_not_tell(scope, reason.as_str()),
            None => check.could_not_tell(scope, "it was not asked"),
        }
    };
    expected.control_planes().map(|node| judge(&node.name)).collect()
}

fn judge_voter(check: &'static Check, scope: Scope, status: &EtcdStatus, newest: u64) -> Row {
    let mut troubles = status.errors.clone();
    if status.leader == 0 {
        troubles.push("it follows no leader".to_owned());
    }
    if status.is_learner {
        troubles.push("it still learns, and has no vote".to_owned());
    }
    let behind = newest.saturating_sub(status.header.revision);
    if behind > LAG {
        troubles.push(format!("it is {behind} changes behind"));
    }
    if troubles.is_empty() {
        let mut row = check.passed(scope);
        row.note = Some(format!("{} MB of data", status.size / 1_000_000));
        return row;
    }
    let found = troubles.join("; ");
    check.failed(
        scope,
        "it follows a leader, votes, and has no alarm",
        found,
        vec![],
    )
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;
    use iec_core::site::Role;

    use super::*;
    use crate::check;
    use crate::testing::expected;

    fn three() -> Expected {
        let mut expected = expected();
        for node in &mut expected.nodes {
            node.role = Role::ControlPlane;
        }
        expected
    }

    fn member(name: &str, is_learner: bool) -> EtcdMember {
        EtcdMember {
            name: name.to_owned(),
            is_learner,
        }
    }

    fn status(revision: u64) -> EtcdStatus {
        EtcdStatus {
            header: EtcdHeader { revision },
            leader: 7,
            size: 20_000_000,
            is_learner: false,
            errors: vec![],
        }
    }

    fn statuses(of: &[(&str, Result<EtcdStatus, String>)]) -> BTreeMap<String, Result<EtcdStatus, String>> {
        of.iter()
            .map(|(name, status)| ((*name).to_owned(), status.clone()))
            .collect()
    }

    fn evidence(row: &Row) -> Vec<String> {
        match &row.outcome {
            Outcome::Failed(failure) => failure.evidence.clone(),
            _ => vec![],
        }
    }

    #[test]
    fn three_voters_of_which_one_may_fail() {
        let members = [
            member("edge-1", false),
            member("edge-2", false),
            member("edge-3", false),
        ];
        let all = [
            ("edge-1", Ok(status(90))),
            ("edge-2", Ok(status(90))),
            ("edge-3", Ok(status(89))),
        ];
        let row = judge_etcd_members(&check::ETCD_MEMBERS, &three(), &members, &statuses(&all));
        assert!(matches!(row.outcome, Outcome::Passed), "{row:?}");
        assert_eq!(
            row.note.as_deref(),
            Some("3 of 3 voters answer: one more may fail")
        );
        let rows = judge_etcd_voters(&check::ETCD_VOTER, &three(), &statuses(&all));
        assert!(
            rows.iter().all(|row| matches!(row.outcome, Outcome::Passed)),
            "{rows:?}"
        );

        let one_away = [
            ("edge-1", Err("away".to_owned())),
            ("edge-2", Ok(status(90))),
            ("edge-3", Ok(status(89))),
        ];
        let row = judge_etcd_members(&check::ETCD_MEMBERS, &three(), &members, &statuses(&one_away));
        assert_eq!(row.note.as_deref(), Some("2 of 3 voters answer: none may fail"));
        let rows = judge_etcd_voters(&check::ETCD_VOTER, &three(), &statuses(&one_away));
        assert!(
            matches!(rows[0].outcome, Outcome::CouldNotTell { .. }),
            "{rows:?}"
        );
    }

    #[test]
    fn who_does_not_vote_or_does_not_belong_there_is_named() {
        let members = [
            member("edge-1", false),
            member("edge-2", true),
            member("old", false),
            member("", true),
        ];
        let row = judge_etcd_members(&check::ETCD_MEMBERS, &three(), &members, &statuses(&[]));
        assert_eq!(
            evidence(&row),
            [
                "edge-3 is no member",
                "edge-2 still learns, and has no vote",
                "old is a member, and no control plane of the site",
                "a member has never started",
            ]
        );
    }

    #[test]
    fn a_voter_that_is_not_well_says_why() {
        let full = EtcdStatus {
            errors: vec!["memberID:7 alarm:NOSPACE".to_owned()],
            ..status(9000)
        };
        let alone = EtcdStatus {
            leader: 0,
            ..status(9000)
        };
        let all = [
            ("edge-1", Ok(full)),
            ("edge-2", Ok(alone)),
            ("edge-3", Ok(status(1))),
        ];
        let found: Vec<String> = judge_etcd_voters(&check::ETCD_VOTER, &three(), &statuses(&all))
            .into_iter()
            .map(|row| match row.outcome {
                Outcome::Failed(failure) => failure.found,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            found,
            [
                "memberID:7 alarm:NOSPACE",
                "it follows no leader",
                "it is 8999 changes behind"
            ]
        );
    }
}
