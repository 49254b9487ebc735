//! The method by Ansible: the rendered playbook, run by the real `ansible-playbook`, and once more.

use anyhow::{Context as _, bail, ensure};

use super::install::rendered;
use crate::e2e::lab::Lab;
use crate::e2e::machine::Machine;
use crate::program::Program;

/// `ansible-playbook`, twice: the second run has nothing to change.
pub(super) fn install(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    let folder = rendered(machine, lab, "ansible")?;
    let play = |log: &str| {
        let log = machine.logs.join(format!("{log}.log"));
        let play = Program::new(&folder, "ansible-playbook", ["site.yml"], &machine.interrupt);
        let ended = play.variable("ANSIBLE_NOCOLOR", "1").logged(&log)?;
        ensure!(
            ended.succeeded(),
            "ansible-playbook did not end well, see {}",
            log.display()
        );
        changes(&ended.stdout, lab.hosts.len())
    };
    let (first, second) = (play("play")?, play("play-again")?);
    ensure!(!first.contains(&0), "a host was not changed by the first run");
    ensure!(
        second.iter().all(|&count| count == 0),
        "the second run changed something"
    );
    Ok(())
}

/// How many tasks changed each host, by the recap of a play of so many hosts.
fn changes(printed: &str, hosts: usize) -> anyhow::Result<Vec<u32>> {
    let (_, recap) = printed
        .split_once("PLAY RECAP")
        .context("the play has no recap")?;
    let changed = |line: &str| line.split_once("changed=")?.1.split(' ').next()?.parse().ok();
    let found: Vec<u32> = recap.lines().filter_map(changed).collect();
    if found.len() != hosts {
        bail!("the recap of the play has {} hosts, not {hosts}", found.len());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recap_says_what_was_changed() {
        let printed = "changed: [edge-1]\n\nPLAY RECAP ****\n\
            edge-1  : ok=147  changed=66   unreachable=0    failed=0\n\
            edge-2  : ok=90   changed=0    unreachable=0    failed=0\n";
        assert_eq!(changes(printed, 2).expect("a recap"), [66, 0]);
        assert!(changes(printed, 3).is_err());
        assert!(changes("changed=3\n", 1).is_err());
    }
}
