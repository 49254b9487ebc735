//! The methods of installation as data: when to use which, what it needs, and whether a proof has shown that it works.

use std::fmt::Write as _;

use serde::Serialize;

/// What was tested, as the proofs wrote it.
const TESTED: &str = include_str!("../../../docs/tested.md");

/// A way from a site file to a running cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Method {
    /// Its name: `apply`, or that of the `iec render` format.
    pub name: &'static str,
    /// What it is, for a heading.
    pub title: &'static str,
    /// The command that begins it.
    pub command: &'static str,
    /// Who does the work.
    pub worker: Worker,
    /// When it is the right one.
    pub when: &'static str,
    /// What speaks for it.
    pub advantages: &'static str,
    /// What speaks against it.
    pub drawbacks: &'static str,
    /// What it needs of the network, beyond what every site needs.
    pub network: &'static str,
    /// What it needs on machines, beyond what every site needs.
    pub machines: &'static str,
}

/// Who does the work of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worker {
    /// The steps of IEC's plan, however they reach the hosts: the hosts end in the same state.
    Iec,
    /// Another installer, which gets a description of the site: the hosts end as it makes them.
    Other,
}

/// Whether a method may be relied on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Status {
    /// Its proof has passed: when, and on which commit.
    Supported {
        /// The day, in UTC.
        date: String,
        /// The commit.
        commit: String,
    },
    /// No proof of it has passed yet, or its last one failed.
    NotProven,
}

/// Every method. A proof writes rows for [`Method::proof`] into `docs/tested.md`, and nothing else makes a method supported.
pub const METHODS: &[Method] = &[
    Method {
        name: "apply",
        title: "Over SSH, from the operator's machine",
        command: "iec apply",
        worker: Worker::Iec,
        when: "The hosts can be reached. The usual case, and the one to begin with.",
        advantages: "All hosts at once, with a view of each step; it goes on after any interruption; plan, status and reset by the same program.",
        drawbacks: "The operator's machine must reach every host while it works.",
        network: "22/tcp from the operator to every host.",
        machines: "On the operator's machine `iec` and the bundle; on the hosts nothing.",
    },
    Method {
        name: "runbook",
        title: "By hand, from a book",
        command: "iec render runbook",
        worker: Worker::Iec,
        when: "No tool may run against the hosts, each command must be seen by a person, or somebody wants to learn what is done.",
        advantages: "Every command is read before it runs; signatures for each part; a way back for each step.",
        drawbacks: "Slow, and a person can slip; no journal until the first `iec apply` adopts the hosts.",
        network: "None but the site's own.",
        machines: "A shell on each host; a medium or `scp`; `openssl` on the hosts where the secrets are encrypted.",
    },
    Method {
        name: "script",
        title: "By script, with ssh or a USB stick",
        command: "iec render script",
        worker: Worker::Iec,
        when: "The hosts cannot be reached from the operator's machine, or no program but a shell is allowed.",
        advantages: "Nothing but POSIX `sh`; the hosts may be started all at once, in any order; same checks, journal and lock as `apply`.",
        drawbacks: "The whole matrix of connections is proven by `iec verify` only; a token in it lives for a day.",
        network: "None but the site's own.",
        machines: "A medium or `scp`; `openssl` on the hosts where the secrets are encrypted.",
    },
    Method {
        name: "cloud-init",
        title: "Without a touch, by cloud-init",
        command: "iec render cloud-init",
        worker: Worker::Iec,
        when: "Hosts are imaged with a cloud image, and should be in the cluster after their first boot.",
        advantages: "Nobody logs in; each host installs and joins by itself.",
        drawbacks: "What goes wrong is seen on the host only; the medium of a host holds its secrets.",
        network: "The site's own; a web server at the site where the content does not come on a medium.",
        machines: "Hosts with cloud-init and its NoCloud source.",
    },
    Method {
        name: "seed",
        title: "Without a touch, from a medium",
        command: "iec render seed",
        worker: Worker::Iec,
        when: "Boxes are sent to a site where nobody knows Linux: a stick is plugged in, and the box is switched on.",
        advantages: "One medium for all hosts: it finds a host's role by its MAC address, serial number or machine id.",
        drawbacks: "The medium holds the secrets of all hosts; guard it.",
        network: "None but the site's own.",
        machines: "Hosts whose image has the unit and the script of the site, and `ssh-keygen`; a medium with room for the bundle.",
    },
    Method {
        name: "ansible",
        title: "By Ansible",
        command: "iec render ansible",
        worker: Worker::Iec,
        when: "Ansible is how everything else is installed here, with its inventories, runs and reports.",
        advantages: "Each step is a task that is ok or changed; `--check`; same checks, journal and lock as `apply`.",
        drawbacks: "Slower than `apply`: each step is a connection of its own.",
        network: "22/tcp from the machine with Ansible to every host.",
        machines: "ansible-core 2.14 or later; Python 3 on the hosts.",
    },
    Method {
        name: "pdf-idf",
        title: "OPNFV's descriptors, for its installers",
        command: "iec render pdf-idf",
        worker: Worker::Other,
        when: "The site is installed by an OPNFV installer, or is described for a lab by Pharos' files.",
        advantages: "The form that OPNFV's tools read; `iec init --from-pdf` reads it back.",
        drawbacks: "A description only: what is installed, and its versions, are the installer's.",
        network: "As the installer asks for: admin and PXE networks, and the management controllers.",
        machines: "A jump host, and hosts with management controllers.",
    },
    Method {
        name: "airship",
        title: "Airship 1 documents",
        command: "iec render airship",
        worker: Worker::Other,
        when: "A site of the same design belongs into a fleet that Airship 1 runs.",
        advantages: "The same site file describes it.",
        drawbacks: "Airship brings its own versions and its own way; the header of the files says what differs.",
        network: "As Airship asks for: PXE, out-of-band management, a way to its registries.",
        machines: "A genesis host, and hosts with management controllers.",
    },
    Method {
        name: "metal3",
        title: "Metal3 and Cluster API objects",
        command: "iec render metal3",
        worker: Worker::Other,
        when: "A management cluster with Metal3 provisions the hosts from bare metal.",
        advantages: "Hosts are imaged too; the kubeadm parts are those of IEC's own plan.",
        drawbacks: "Needs a management cluster, images, and management controllers.",
        network: "A provisioning network, and the management controllers.",
        machines: "A management cluster with Cluster API and Metal3; hosts with management controllers.",
    },
    Method {
        name: "clusterinstance",
        title: "ClusterInstance, for a site configuration operator",
        command: "iec render clusterinstance",
        worker: Worker::Other,
        when: "A hub with the SiteConfig operator creates clusters.",
        advantages: "One object for the whole site.",
        drawbacks: "The hub decides what is installed; workers follow once a single node stands.",
        network: "The hub must reach the management controllers.",
        machines: "A hub; hosts with management controllers.",
    },
];

impl Method {
    /// What a proof of this method is called: the first cell of its row in `docs/tested.md`. Its result begins with `passed`.
    #[must_use]
    pub fn proof(&self) -> String {
        format!("method {}", self.name)
    }

    /// Whether it may be relied on, by what the proofs wrote.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status_by(TESTED)
    }

    /// The last proof decides: what worked once may be broken by now.
    fn status_by(&self, tested: &str) -> Status {
        let last = tested.lines().rev().find_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [proof, date, commit, _, _, result, ..] = cells[..] else {
                return None;
            };
            (proof == self.proof()).then_some((date, commit, result))
        });
        match last {
            // What was changed since cannot be had from a commit with changes on top.
            Some((date, commit, result)) if result.starts_with("passed") && !commit.ends_with("-dirty") => {
                Status::Supported {
                    date: date.to_owned(),
                    commit: commit.to_owned(),
                }
            }
            _ => Status::NotProven,
        }
    }
}

impl Status {
    /// The status in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Supported { date, commit } => format!("supported: proven on {date}, commit {commit}"),
            Self::NotProven => "not proven yet".to_owned(),
        }
    }
}

/// `docs/methods.md` for these methods.
#[must_use]
pub fn markdown(methods: &[&Method]) -> String {
    let mut text = String::from(
        "# Methods of installation\n\n\
         Printed by `UPDATE_DOCS=1 cargo test -p iec --test cli methods` from the table that `iec methods` shows.\n\n\
         Every method of the first table carries the same plan to the hosts, step by step, and leaves them in the same \
         state. The second table is of descriptions for other installers, which install in their own way.\n\n\
         A method is supported when its proof, `cargo xtask proof methods`, has passed: [tested.md](tested.md) has the \
         records. What every site needs of hosts and networks, with tested minimums, is in \
         [requirements.md](requirements.md); the tables name what a method needs beyond that.\n",
    );
    for (worker, heading) in [
        (Worker::Iec, "The same plan, carried differently"),
        (Worker::Other, "Descriptions for other installers"),
    ] {
        let of: Vec<&&Method> = methods.iter().filter(|method| method.worker == worker).collect();
        if of.is_empty() {
            continue;
        }
        let _ = write!(
            text,
            "\n## {heading}\n\n\
             | method | when to use it | advantages | drawbacks | network | machines | status |\n\
             |---|---|---|---|---|---|---|\n"
        );
        for method in of {
            let _ = writeln!(
                text,
                "| {}: `{}` | {} | {} | {} | {} | {} | {} |",
                method.title,
                method.command,
                method.when,
                method.advantages,
                method.drawbacks,
                method.network,
                method.machines,
                method.status().words()
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(rows: &[(&str, &str, &str)]) -> String {
        let rows = rows.iter().map(|(proof, commit, result)| {
            format!("| {proof} | 2026-11-23 | {commit} | a machine | iec 0.1.0 | {result} | 8 min |\n")
        });
        "| proof | date | commit | machine | versions | result | time |\n|---|---|---|---|---|---|---|\n"
            .to_owned()
            + &rows.collect::<String>()
    }

    #[test]
    fn only_a_proof_that_passed_makes_a_method_supported() {
        let apply = METHODS[0];
        let supported = |rows: &[(&str, &str, &str)]| apply.status_by(&tested(rows)) != Status::NotProven;
        assert!(!supported(&[]));
        assert!(supported(&[("method apply", "abc1234", "passed: no difference")]));
        assert!(!supported(&[(
            "method apply",
            "abc1234",
            "**differs** in 3 files"
        )]));
        assert!(!supported(&[("method script", "abc1234", "passed")]));
        assert!(!supported(&[("method apply", "abc1234-dirty", "passed")]));
        let broken = [("method apply", "a", "passed"), ("method apply", "b", "failed")];
        assert!(!supported(&broken), "the last one decides");
    }

    #[test]
    fn a_method_without_a_proof_is_not_listed_as_supported() {
        for method in METHODS {
            let proven = TESTED
                .lines()
                .any(|line| line.starts_with(&format!("| {} |", method.proof())));
            assert!(proven || method.status() == Status::NotProven, "{}", method.name);
        }
    }

    #[test]
    fn no_cell_breaks_the_table() {
        for method in METHODS {
            for cell in [
                method.title,
                method.when,
                method.advantages,
                method.drawbacks,
                method.network,
                method.machines,
            ] {
                assert!(
                    !cell.is_empty() && !cell.contains(['|', '\n']),
                    "{}: {cell}",
                    method.name
                );
            }
        }
    }
}
