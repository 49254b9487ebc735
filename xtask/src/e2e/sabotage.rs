//! What `iec verify` must find: a cluster that was proven is broken in one place, and the report has to name that place.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::lab::Lab;
use super::machine::Machine;
use super::steps::Steps;

/// Something that breaks a cluster.
struct Sabotage {
    name: &'static str,
    /// Root's script on the control plane.
    control_plane: Action,
    /// Root's script on the worker.
    worker: Action,
    /// The worker's packet filter: words of `nft`.
    filter: Option<[&'static str; 2]>,
    /// The rows that must fail for it, and where.
    fails: &'static [Row],
    /// Rows that have nothing to do with it and must pass.
    passes: &'static [&'static str],
}

/// What is done, and what takes it back.
struct Action {
    spoil: &'static str,
    restore: &'static str,
}

/// A row of the report: its id, and the hosts that its scope must name.
struct Row {
    id: &'static str,
    hosts: &'static [&'static str],
}

const NOTHING: Action = Action {
    spoil: "",
    restore: "",
};

/// The sabotages.
const ALL: [Sabotage; 3] = [
    Sabotage {
        name: "CoreDNS is scaled to nothing",
        control_plane: Action {
            spoil: "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system scale deployment coredns --replicas 0",
            restore: "kubectl --kubeconfig /etc/kubernetes/admin.conf -n kube-system scale deployment coredns --replicas 2",
        },
        worker: NOTHING,
        filter: None,
        fails: &[
            Row {
                id: "dns.deployment",
                hosts: &[],
            },
            Row {
                id: "dns.endpoints",
                hosts: &[],
            },
            Row {
                id: "dns.name",
                hosts: &["edge-1"],
            },
            Row {
                id: "dns.name",
                hosts: &["edge-2"],
            },
        ],
        passes: &[
            "pod.pair",
            "service.cluster-ip",
            "service.node-port",
            "policy.deny",
        ],
    },
    Sabotage {
        name: "kube-proxy's rules are gone on one host",
        control_plane: NOTHING,
        worker: Action {
            // Held, so that it does not put them back at once; a bare host has no pkill. The API server's rule stays:
            // without it no pod starts on the host, and the report would be about that.
            spoil: "for process in /proc/[0-9]*; do\n\
                    [ \"$(cat $process/comm 2>/dev/null)\" != kube-proxy ] || kill -STOP ${process#/proc/}\n\
                    done\n\
                    kept=$(iptables -t nat -S KUBE-SERVICES | grep 'default/kubernetes:https')\n\
                    iptables -t nat -F KUBE-SERVICES && eval iptables -t nat $kept",
            restore: "for process in /proc/[0-9]*; do\n\
                      [ \"$(cat $process/comm 2>/dev/null)\" != kube-proxy ] || kill -KILL ${process#/proc/}\n\
                      done",
        },
        filter: None,
        fails: &[Row {
            id: "service.cluster-ip",
            hosts: &["edge-2"],
        }],
        passes: &[],
    },
    Sabotage {
        name: "UDP 4789 is dropped between two hosts",
        control_plane: NOTHING,
        worker: NOTHING,
        filter: Some([
            "add table inet sabotage; add chain inet sabotage guard { type filter hook input priority -300; }; \
             add rule inet sabotage guard udp dport 4789 drop",
            "delete table inet sabotage",
        ]),
        fails: &[
            Row {
                id: "pod.pair",
                hosts: &["edge-1", "edge-2"],
            },
            Row {
                id: "pod.pair",
                hosts: &["edge-2", "edge-1"],
            },
        ],
        passes: &["dns.deployment", "workload.replicas"],
    },
];

/// Breaks the cluster in one way after the other, and asks `iec verify` each time; then mends it and asks once more.
///
/// # Errors
/// When a sabotage is not found, or the cluster is not well at the end.
pub(super) fn steps(lab: &Lab, machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    for sabotage in &ALL {
        steps.run(&format!("verify finds it when {}", sabotage.name), || {
            sabotage.run(lab, machine)
        })?;
    }
    steps.run("verify passes when all is mended", || {
        machine.iec_done("verify-mended", &["verify", lab.site(), "-o", "json"])
    })?;
    Ok(())
}

impl Sabotage {
    fn run(&self, lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
        let (control_plane, worker) = (&lab.hosts[0], &lab.hosts[1]);
        lab.run(control_plane, self.control_plane.spoil, "")?;
        lab.run(worker, self.worker.spoil, "")?;
        if let Some([spoil, _]) = self.filter {
            lab.run_in_network(worker, &["nft", spoil])?;
        }
        let log: String = self
            .name
            .chars()
            .map(|each| if each.is_alphanumeric() { each } else { '-' })
            .collect();
        // The cluster has settled before: what is wrong now stays wrong.
        let words = ["verify", lab.site(), "--settle", "2", "-o", "json"];
        let ended = machine.iec(&log, &words)?;
        lab.run(control_plane, self.control_plane.restore, "")?;
        lab.run(worker, self.worker.restore, "")?;
        if let Some([_, restore]) = self.filter {
            lab.run_in_network(worker, &["nft", restore])?;
        }
        let judged = match ended.code {
            Some(3) => self.judge(&ended.stdout),
            _ => bail!("{}", machine.failure(&log, &words, &ended)),
        };
        judged.with_context(|| format!("see {log}.log"))
    }

    /// Whether the rows say what is broken, and no others.
    fn judge(&self, lines: &str) -> anyhow::Result<()> {
        let objects = lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let rows: Vec<Value> = objects.filter(|object| object["type"] == "verify.row").collect();
        for wanted in self.fails {
            let row = rows.iter().find(|row| wanted.is(row));
            let row = row.with_context(|| format!("there is no row {} of {:?}", wanted.id, wanted.hosts))?;
            ensure!(row["result"] == "failed", "this row should fail: {row}");
            let clear = ["code", "expected", "found", "next"]
                .iter()
                .all(|key| row[*key].is_string());
            ensure!(clear, "this row does not say what is wrong: {row}");
        }
        for id in self.passes {
            let all = || rows.iter().filter(|row| row["id"] == *id);
            ensure!(all().count() > 0, "there is no row {id}");
            let wrong = all().find(|row| row["result"] != "passed");
            ensure!(
                wrong.is_none(),
                "this row should pass: {}",
                wrong.unwrap_or(&Value::Null)
            );
        }
        Ok(())
    }
}

impl Row {
    fn is(&self, row: &Value) -> bool {
        let scope = &row["scope"];
        let named: Vec<&str> = ["host", "from", "to"]
            .iter()
            .filter_map(|key| scope[*key].as_str())
            .collect();
        row["id"] == self.id && named == self.hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, scope: &str, result: &str) -> String {
        format!(
            r#"{{"type":"verify.row","id":"{id}","scope":{scope},"result":"{result}","code":"IEC5401","expected":"a","found":"b","next":"c"}}"#
        )
    }

    #[test]
    fn rows_are_known_by_their_hosts_and_judged_by_their_result() {
        let pair = |from: &str, to: &str, result: &str| {
            row(
                "pod.pair",
                &format!(r#"{{"kind":"pair","from":"{from}","to":"{to}"}}"#),
                result,
            )
        };
        let rest = [
            row("dns.deployment", "{}", "passed"),
            row("workload.replicas", "{}", "passed"),
        ]
        .join("\n");
        let both = |one: &str, other: &str| {
            format!(
                "{}\n{}\n{rest}",
                pair("edge-1", "edge-2", one),
                pair("edge-2", "edge-1", other)
            )
        };
        ALL[2].judge(&both("failed", "failed")).expect("it is found");
        assert!(ALL[2].judge(&both("failed", "passed")).is_err());
        assert!(
            ALL[2]
                .judge(&both("failed", "failed").replace("\"passed\"", "\"failed\""))
                .is_err()
        );
    }
}
