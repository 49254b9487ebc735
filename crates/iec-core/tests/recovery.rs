//! From which member of etcd a cluster may start again, and when it may not.

use std::collections::BTreeMap;

use iec_core::name::HostName;
use iec_core::recovery::{Knowledge, Member, Recovery, Refusal, recovery};
use iec_core::site::{Site, load};

fn site() -> Site {
    let text = include_str!("../../../sites/three-control-planes/site.yaml");
    load(text, "site.yaml").expect("an example").0
}

fn name(host: &str) -> HostName {
    HostName::new(host).expect("a name")
}

fn knows(revision: u64, applied: u64, members: usize) -> Member {
    Member {
        has_data: true,
        is_forced: false,
        knows: Some(Knowledge {
            has_leader: false,
            revision,
            applied,
            members,
        }),
    }
}

fn decide(members: &[(&str, Member)], from: Option<&str>) -> Result<Recovery, Refusal> {
    let members: BTreeMap<HostName, Member> = members
        .iter()
        .map(|(host, member)| (name(host), member.clone()))
        .collect();
    recovery(&site(), &members, from.map(name).as_ref())
}

fn names(hosts: &[HostName]) -> Vec<&str> {
    hosts.iter().map(HostName::as_str).collect()
}

#[test]
fn one_of_three_that_is_left_is_where_it_starts() {
    let decided = decide(&[("edge-2", knows(90, 100, 3))], None).unwrap();
    assert_eq!(decided.survivor, name("edge-2"));
    assert!(decided.others.is_empty());
    assert_eq!(names(&decided.lost), ["edge-1", "edge-3"]);
}

#[test]
fn of_two_that_are_left_of_five_the_one_that_knows_most() {
    for (first, second, survivor) in [
        (knows(90, 100, 5), knows(91, 99, 5), "edge-2"),
        (knows(91, 100, 5), knows(91, 99, 5), "edge-1"),
        (knows(91, 100, 5), knows(91, 101, 5), "edge-2"),
        // Both know the same: the first of the site file.
        (knows(91, 100, 5), knows(91, 100, 5), "edge-1"),
    ] {
        let decided = decide(&[("edge-1", first), ("edge-2", second)], None).unwrap();
        assert_eq!(decided.survivor, name(survivor));
        assert_eq!(decided.others.len(), 1);
        assert!(!decided.others.contains(&decided.survivor));
    }
}

#[test]
fn a_host_without_data_is_not_asked_for_any() {
    let bare = Member::default();
    let decided = decide(&[("edge-1", bare.clone()), ("edge-2", knows(90, 100, 3))], None).unwrap();
    assert_eq!(decided.survivor, name("edge-2"));
    assert!(decided.others.is_empty());
    let refusal = decide(&[("edge-1", bare)], None).unwrap_err();
    assert_eq!(
        refusal,
        Refusal::NoData {
            lost: vec![name("edge-2"), name("edge-3")]
        }
    );
}

#[test]
fn a_cluster_that_has_its_majority_is_left_alone() {
    let mut leader = knows(90, 100, 3);
    leader.knows.as_mut().unwrap().has_leader = true;
    let refusal = decide(&[("edge-1", knows(89, 99, 3)), ("edge-2", leader.clone())], None);
    assert_eq!(refusal, Err(Refusal::HasLeader { host: name("edge-2") }));
    // Not even on request.
    let refusal = decide(
        &[("edge-1", knows(89, 99, 3)), ("edge-2", leader)],
        Some("edge-1"),
    );
    assert_eq!(refusal, Err(Refusal::HasLeader { host: name("edge-2") }));
    // Two of three that do not reach each other have all that the cluster needs.
    let apart = [("edge-1", knows(90, 100, 3)), ("edge-2", knows(90, 100, 3))];
    let refusal = decide(&apart, None);
    assert_eq!(
        refusal,
        Err(Refusal::Majority {
            present: 2,
            members: 3
        })
    );
    // Whoever knows better can say so.
    assert_eq!(decide(&apart, Some("edge-2")).unwrap().survivor, name("edge-2"));
}

#[test]
fn a_member_that_does_not_tell_may_know_more() {
    let dumb = Member {
        has_data: true,
        ..Member::default()
    };
    let members = [("edge-1", knows(90, 100, 5)), ("edge-2", dumb)];
    assert_eq!(
        decide(&members, None),
        Err(Refusal::Unknown { host: name("edge-2") })
    );
    assert_eq!(
        decide(&members, Some("edge-2")),
        Err(Refusal::NotFrom { host: name("edge-2") })
    );
    let decided = decide(&members, Some("edge-1")).unwrap();
    assert_eq!(names(&decided.others), ["edge-2"]);
}

#[test]
fn what_was_begun_goes_on_with_the_same_member() {
    let mut forced = knows(90, 100, 1);
    forced.is_forced = true;
    forced.knows.as_mut().unwrap().has_leader = true;
    let decided = decide(&[("edge-1", knows(95, 105, 5)), ("edge-2", forced)], None).unwrap();
    assert_eq!(decided.survivor, name("edge-2"));
    assert_eq!(names(&decided.others), ["edge-1"]);
    assert_eq!(decided.knows, None);
}
