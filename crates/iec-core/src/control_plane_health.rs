//! What a control plane says of itself, on the host: its API server by its own address, whether its etcd reaches the others,
//! and how long its disk takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use iec_sh::{Cmd, Expr, Program};

use crate::check;
use crate::plan::{calico_etcd_peer, etcd_peer, etcd_says, own_server};
use crate::report::{Row, Scope};
use crate::site::{Site, SiteHost};

/// Seconds in which the 99th of 100 writes must be on the disk. An etcd that does not write for a second loses its leader:
/// that is how long members wait for one another before they elect another one
/// (<https://etcd.io/docs/v3.6/tuning/>, `--election-timeout`).
const SLOWEST_WRITE: f64 = 1.1;

/// Reads etcd's metrics. A histogram has a line for each limit, with how many were not slower; the first that has 99 of 100
/// is printed.
const NUMBERS: &str = r#"
function label(name,   at) {
  at = index($1, name "=\""); if (!at) return ""
  rest = substr($1, at + length(name) + 2); return substr(rest, 1, index(rest, "\"") - 1)
}
function note(which, limit, count) { limits[which, ++number[which]] = limit; counts[which, number[which]] = count }
function slowest(which,   i, all) {
  all = counts[which, number[which]]
  for (i = 1; i <= number[which]; i++) if (counts[which, i] >= all * 0.99) return limits[which, i]
}
index($1, "etcd_disk_wal_fsync_duration_seconds_bucket{") == 1 { note("write", label("le"), $2) }
index($1, "etcd_network_peer_round_trip_time_seconds_bucket{") == 1 { note("to " label("To"), label("le"), $2) }
END {
  for (which in number) if (which == "write") print "write", slowest(which); else print "trip", slowest(which)
}
"#;

/// What `host` is asked. It changes nothing.
#[must_use]
pub fn question(site: &Site, host: &SiteHost) -> Expr {
    let own = Cmd::new(Program::Kubectl)
        .words([
            "--kubeconfig",
            "/etc/kubernetes/admin.conf",
            "--request-timeout=5s",
        ])
        .words(["--server", &own_server(site, host)])
        .words(["get", "--raw", "/readyz"])
        .quiet();
    let say = |word: &str| Expr::from(Cmd::new(Program::Printf).words(["%s\\n", word]));
    // Its own count of active peers is of no use: a member that has joined counts some as gone for good that it talks to.
    let others = || site.control_planes().filter(|other| other.name() != host.name());
    let reaches = |other: &SiteHost, peer: Peer| {
        let what = peer.word();
        Expr::If {
            condition: Box::new(peer_answers(&peer.address(other), peer.certificates()).into()),
            then: vec![say(&format!("{what}reaches {}", other.name()))],
            otherwise: vec![say(&format!("{what}misses {}", other.name()))],
        }
    };
    let mut of_others: Vec<Expr> = others().map(|other| reaches(other, Peer::Cluster)).collect();
    if site.network().has_calico_etcd() {
        // It is asked whatever there is to reach, so that a host that is alone has its row.
        of_others.push(say("calico etcd"));
        of_others.extend(others().map(|other| reaches(other, Peer::Calico)));
    }
    let numbers = Expr::Pipe(vec![
        etcd_says("/metrics").quiet_errors(),
        Cmd::new(Program::Awk).word(NUMBERS),
    ]);
    let own = Expr::If {
        condition: Box::new(own.into()),
        then: vec![say("api ready")],
        otherwise: vec![say("api silent")],
    };
    let parts = std::iter::once(own).chain(of_others);
    Expr::all(parts.chain([numbers.ignore_failure()]))
}

/// Of which etcd another control plane has a member.
#[derive(Debug, Clone, Copy)]
enum Peer {
    Cluster,
    Calico,
}

impl Peer {
    /// What stands before the words of an answer about it.
    const fn word(self) -> &'static str {
        match self {
            Self::Cluster => "",
            Self::Calico => "calico-",
        }
    }

    fn address(self, other: &SiteHost) -> String {
        match self {
            Self::Cluster => etcd_peer(other),
            Self::Calico => calico_etcd_peer(other),
        }
    }

    /// The folder of this control plane's own certificates for it.
    const fn certificates(self) -> &'static str {
        match self {
            Self::Cluster => "/etc/kubernetes/pki/etcd",
            Self::Calico => "/etc/kubernetes/pki/calico-etcd/etcd",
        }
    }
}

/// Whether the etcd of another control plane answers as it answers to members: with this one's certificate, on their port.
fn peer_answers(address: &str, pki: &str) -> Cmd {
    // The port offers HTTP/2 and speaks HTTP/1.1.
    Cmd::new(Program::Env)
        .words(["DISABLE_HTTP2=true", "kubectl", "--kubeconfig=/dev/null"])
        .words(["--request-timeout=5s", "--server"])
        .word(address)
        .words([
            &format!("--certificate-authority={pki}/ca.crt"),
            &format!("--client-certificate={pki}/peer.crt"),
            &format!("--client-key={pki}/peer.key"),
        ])
        .words(["get", "--raw", "/members"])
        .quiet()
}

/// What a control plane said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Whether its API server answers at its own address; nothing where that was not said.
    pub api: Option<bool>,
    /// The other control planes whose etcd answers this one as a member.
    pub reached: Vec<String>,
    /// Those whose etcd does not.
    pub missed: Vec<String>,
    /// The others whose member of Calico's own etcd does not; nothing where Calico has none.
    pub calico_missed: Option<Vec<String>>,
    /// Seconds in which 99 of 100 writes were on the disk.
    pub write_seconds: Option<f64>,
    /// Seconds in which 99 of 100 questions to the slowest other member were answered.
    pub trip_seconds: Option<f64>,
}

impl Answer {
    /// Reads what [`question`] printed.
    #[must_use]
    pub fn read(said: &str) -> Self {
        let all = |name: &str| {
            let lines = said.lines().filter_map(|line| line.split_once(' '));
            let values = lines.filter(|(key, _)| *key == name);
            values
                .map(|(_, value)| value.trim().to_owned())
                .collect::<Vec<String>>()
        };
        let seconds = |name: &str| {
            let values = all(name);
            let values = values.iter().filter_map(|value| match value.as_str() {
                "+Inf" => Some(f64::INFINITY),
                number => number.parse().ok(),
            });
            values.max_by(f64::total_cmp)
        };
        Self {
            api: all("api").first().map(|word| word == "ready"),
            reached: all("reaches"),
            missed: all("misses"),
            calico_missed: (!all("calico").is_empty()).then(|| all("calico-misses")),
            write_seconds: seconds("write"),
            trip_seconds: seconds("trip"),
        }
    }
}

/// Rows for each control plane, from what each said or why it said nothing.
#[must_use]
pub fn judge(answers: &BTreeMap<String, Result<Answer, String>>) -> Vec<Row> {
    let rows = answers.iter().flat_map(|(name, answer)| {
        let scope = || Scope::host(name);
        match answer {
            Ok(answer) => [judge_api(scope(), answer), judge_etcd(scope(), answer)]
                .into_iter()
                .chain(judge_calico_etcd(scope(), answer))
                .collect::<Vec<Row>>(),
            Err(reason) => vec![
                check::API_OWN.could_not_tell(scope(), reason),
                check::ETCD_PEERS.could_not_tell(scope(), reason),
            ],
        }
    });
    rows.collect()
}

fn judge_api(scope: Scope, answer: &Answer) -> Row {
    match answer.api {
        Some(true) => check::API_OWN.passed(scope),
        Some(false) => check::API_OWN.failed(scope, "ready", "it does not answer, or is not ready", vec![]),
        None => check::API_OWN.could_not_tell(scope, "the host's answer is not whole"),
    }
}

fn judge_etcd(scope: Scope, answer: &Answer) -> Row {
    let Some(write) = answer.write_seconds else {
        return check::ETCD_PEERS.could_not_tell(scope, "its etcd tells no numbers on the host");
    };
    let mut troubles: Vec<String> = answer
        .missed
        .iter()
        .map(|name| format!("the etcd of {name} does not answer it"))
        .collect();
    if write > SLOWEST_WRITE {
        troubles.push(format!(
            "one of 100 writes takes longer than {SLOWEST_WRITE} s to be on the disk"
        ));
    }
    if troubles.is_empty() {
        let mut row = check::ETCD_PEERS.passed(scope);
        let mut note = format!("99 of 100 writes are on the disk within {}", milliseconds(write));
        if let Some(trip) = answer.trip_seconds {
            write!(
                note,
                ", and answers of the others here within {}",
                milliseconds(trip)
            )
            .expect("a string takes everything");
        }
        row.note = Some(note);
        return row;
    }
    let expected = format!(
        "{} others reached, and writes within {SLOWEST_WRITE} s",
        answer.reached.len() + answer.missed.len()
    );
    let found = troubles.join("; ");
    check::ETCD_PEERS.failed(scope, expected, found, vec![])
}

fn judge_calico_etcd(scope: Scope, answer: &Answer) -> Option<Row> {
    let missed = answer.calico_missed.as_ref()?;
    if missed.is_empty() {
        return Some(check::CALICO_ETCD_PEERS.passed(scope));
    }
    let found = format!("that of {} does not answer it", missed.join(" and "));
    Some(check::CALICO_ETCD_PEERS.failed(scope, "all others reached", found, vec![]))
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    const SAID: &str = "api ready\nreaches edge-2\nreaches edge-3\nwrite 0.008\ntrip 0.0008\ntrip 0.0016\n";

    fn judged(of: &[(&str, &str)]) -> Vec<Row> {
        let answers = of
            .iter()
            .map(|(name, said)| ((*name).to_owned(), Ok(Answer::read(said))));
        judge(&answers.collect())
    }

    fn found(row: &Row) -> &str {
        match &row.outcome {
            Outcome::Failed(failure) => &failure.found,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_reaches_all_others_and_writes_in_time_passes() {
        let rows = judged(&[("edge-1", SAID)]);
        assert!(rows.iter().all(|row| row.outcome == Outcome::Passed), "{rows:?}");
        assert_eq!(
            rows[1].note.as_deref(),
            Some(
                "99 of 100 writes are on the disk within 8.0 ms, and answers of the others here within 1.6 ms"
            )
        );
        // The only control plane has nobody to reach.
        let rows = judged(&[("edge-1", "api ready\nwrite 0.001\n")]);
        assert!(rows.iter().all(|row| row.outcome == Outcome::Passed), "{rows:?}");
    }

    #[test]
    fn who_is_not_reached_is_named() {
        let rows = judged(&[
            ("edge-1", &SAID.replace("reaches edge-2", "misses edge-2")),
            ("edge-2", &SAID.replace("edge-2", "edge-1")),
        ]);
        assert_eq!(found(&rows[1]), "the etcd of edge-2 does not answer it");
        assert_eq!(rows[3].outcome, Outcome::Passed);
    }

    #[test]
    fn calicos_own_etcd_has_a_row_where_there_is_one() {
        assert_eq!(judged(&[("edge-1", SAID)]).len(), 2);
        let said = format!("{SAID}calico etcd\ncalico-reaches edge-2\ncalico-reaches edge-3\n");
        let rows = judged(&[("edge-1", &said)]);
        assert_eq!(
            (rows[2].id.as_ref(), &rows[2].outcome),
            ("calico.etcd-peers", &Outcome::Passed)
        );
        let rows = judged(&[(
            "edge-1",
            &said.replace("calico-reaches edge-3", "calico-misses edge-3"),
        )]);
        assert_eq!(rows[1].outcome, Outcome::Passed);
        assert_eq!(found(&rows[2]), "that of edge-3 does not answer it");
        // The only control plane has nobody to reach.
        let rows = judged(&[("edge-1", "api ready\nwrite 0.001\ncalico etcd\n")]);
        assert!(rows.iter().all(|row| row.outcome == Outcome::Passed), "{rows:?}");
    }

    #[test]
    fn a_disk_that_is_too_slow_fails_and_a_silent_server_too() {
        for write in ["2.048", "+Inf"] {
            let rows = judged(&[(
                "edge-1",
                &SAID.replace("0.008", write).replace("api ready", "api silent"),
            )]);
            assert!(found(&rows[0]).contains("does not answer"));
            assert!(found(&rows[1]).contains("writes"), "{rows:?}");
        }
        let rows = judged(&[("edge-1", "api ready\n")]);
        assert!(matches!(rows[1].outcome, Outcome::CouldNotTell { .. }));
        let rows = judge(&BTreeMap::from([(
            "edge-1".to_owned(),
            Err("no answer".to_owned()),
        )]));
        assert!(
            rows.iter()
                .all(|row| matches!(row.outcome, Outcome::CouldNotTell { .. }))
        );
    }
}
