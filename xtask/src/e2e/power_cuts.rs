//! Hosts and their operator die at random moments of `iec apply`, and it becomes a verified site all the same.

use std::fmt;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::chance::Chance;
use super::cut::{events, nothing_twice};
use super::inventory::Mask;
use super::lab::{Host, Lab};
use super::machine::Machine;
use super::main_job;
use super::steps::Steps;
use crate::program::{Ended, Meanwhile, Program};
use crate::stage::time;
use crate::terminal;

/// The hosts that die.
struct Hosts {
    lab: &'static str,
    count: usize,
    /// What else the lab is asked for.
    more: &'static [&'static str],
    /// About as long as an apply takes on them, in milliseconds: a moment by the clock comes within it.
    apply: u64,
}

const CONTAINERS: Hosts = Hosts {
    lab: "e2e-power-cuts",
    count: 2,
    more: &[],
    apply: 45_000,
};

/// A kernel of its own, whose memory is lost, and a disk that loses what was not flushed; emulated, where it must be.
const MACHINES: Hosts = Hosts {
    lab: "e2e-machine-cuts",
    count: 1,
    more: &["--kind", "vm", "--disk-cache", "lost", "--install-deps"],
    apply: 600_000,
};

/// A moment of a step comes within so many milliseconds after it has begun.
const STEP: u64 = 1_500;
/// How long a host may stay without power, in milliseconds. Longer ones differ in nothing but patience.
const DARK: u64 = 4_000;
/// How long an apply may take that goes on by itself, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Rounds with these choices on containers; each begins with bare hosts and ends with them.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    rounds(&CONTAINERS, machine, steps)
}

/// The same on a virtual machine.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn machines(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    rounds(&MACHINES, machine, steps)
}

fn rounds(hosts: &Hosts, machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let mut chance = Chance::new(machine.seed);
    terminal::line(format_args!("  seed {}, {} rounds", machine.seed, machine.rounds));
    let lab = steps.run("bare hosts are up", || {
        Lab::up_with(machine, hosts.lab, hosts.count, hosts.more)
    })?;
    let candidates = candidates(&lab, machine)?;
    let before = steps.run("what the hosts are is noted", || main_job::inventories(&lab))?;
    for round in 1..=machine.rounds {
        let cuts = 1 + chance.below(2);
        for number in 1..=cuts {
            let cut = Cut::choose(&mut chance, hosts.apply, &candidates);
            let name = format!("round {round}, {cut}");
            let log = format!("apply-{round}-{number}");
            steps.run(&name, || cut.happen(&lab, machine, &log))?;
        }
        let named = |what: &str| format!("round {round}, {what}");
        steps.run(&named("a new apply makes it whole"), || {
            resume(&lab, machine, &format!("resume-{round}"))?;
            lab.hosts.iter().try_for_each(|host| nothing_twice(&lab, host))
        })?;
        let site = lab.site();
        steps.run(&named("verify"), || {
            machine.iec_done(&format!("verify-{round}"), &["verify", site, "-o", "json"])
        })?;
        steps.run(&named("a second apply changes nothing"), || {
            main_job::apply(machine, &format!("again-{round}"), site, false)
        })?;
        steps.run(&named("reset"), || {
            machine.iec_done(&format!("reset-{round}"), &["reset", site, "--yes", "-o", "json"])?;
            let mask = Mask::of_reset_after_power_cuts();
            main_job::compare_but(&mask, &lab, machine, lab.hosts.iter().zip(&before))
        })?;
    }
    Ok(())
}

/// Who dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victims {
    /// The host: it loses its power and comes back, and the apply waits for it.
    Host,
    /// All hosts at once.
    AllHosts,
    /// The program of the operator. The hosts go on alone.
    Operator,
    /// The host, and the program of the operator.
    HostAndOperator,
}

/// When it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Moment {
    /// So long after the apply has begun.
    Clock(Duration),
    /// So long after the host has begun a step.
    Step(String, Duration),
}

/// One misfortune.
#[derive(Debug, Clone)]
struct Cut {
    victims: Victims,
    host: String,
    moment: Moment,
    dark: Duration,
}

impl Cut {
    /// Chooses one. By the clock, long steps are met; by the step, short ones.
    fn choose(chance: &mut Chance, apply: u64, candidates: &[(String, String)]) -> Self {
        let all = [
            Victims::Host,
            Victims::AllHosts,
            Victims::Operator,
            Victims::HostAndOperator,
        ];
        let victims = *chance.one_of(&all);
        let (host, step) = chance.one_of(candidates).clone();
        let by_clock = chance.below(2) == 0;
        let within = Duration::from_millis(chance.below(if by_clock { apply } else { STEP }));
        let moment = if by_clock {
            Moment::Clock(within)
        } else {
            Moment::Step(step, within)
        };
        Self {
            victims,
            host,
            moment,
            dark: Duration::from_millis(chance.below(DARK)),
        }
    }

    /// Applies, and lets it happen in the meantime. Where the moment does not come, it happens when all is done.
    fn happen(&self, lab: &Lab, machine: &Machine, log: &str) -> anyhow::Result<()> {
        let path = machine.logs.join(format!("{log}.log"));
        let words = ["apply", lab.site(), "-o", "json"];
        let program = Program::new(&machine.logs, &machine.iec, words, &machine.interrupt);
        let began = Instant::now();
        let (mut step_began, mut is_over) = (None, false);
        let ended = program.logged_until(&path, &mut || {
            ensure!(
                began.elapsed() < PATIENCE,
                "the apply does not end, see {log}.log"
            );
            if is_over || !self.has_come(&path, began, &mut step_began) {
                return Ok(Meanwhile::GoOn);
            }
            is_over = true;
            terminal::line(format_args!("         {}", last_events(&path)));
            match self.victims {
                Victims::Host | Victims::AllHosts => {
                    self.blackout(lab)?;
                    Ok(Meanwhile::GoOn)
                }
                Victims::Operator | Victims::HostAndOperator => Ok(Meanwhile::Kill),
            }
        })?;
        let after = match &ended {
            None => "the operator's program was killed".to_owned(),
            Some(ended) => format!("it ended with {:?}", ended.code),
        };
        let moment = if is_over { "" } else { ", before the moment" };
        terminal::line(format_args!(
            "         {after}{moment} ({})",
            time(began.elapsed())
        ));
        if (ended.is_none() && self.victims == Victims::HostAndOperator)
            || (!is_over && self.victims != Victims::Operator)
        {
            self.blackout(lab)?;
        }
        // A host that works on for an operator who is gone lets nobody else in. Refused for another reason, or not
        // understood: neither may become of a cut.
        let code = ended.as_ref().and_then(|ended| ended.code);
        ensure!(
            matches!(code, None | Some(0 | 2 | 4)) || ended.as_ref().is_some_and(is_busy),
            "apply ended with {code:?}, see {log}.log"
        );
        Ok(())
    }

    fn has_come(&self, log: &Path, began: Instant, step_began: &mut Option<Instant>) -> bool {
        match &self.moment {
            Moment::Clock(after) => began.elapsed() >= *after,
            Moment::Step(step, after) => {
                if step_began.is_none() {
                    let text = fs::read_to_string(log).unwrap_or_default();
                    let is_it = |event: &Value| {
                        event["event"] == "started"
                            && event["host"] == self.host.as_str()
                            && event["step"] == step.as_str()
                    };
                    *step_began = events(&text).any(|event| is_it(&event)).then(Instant::now);
                }
                step_began.is_some_and(|began| began.elapsed() >= *after)
            }
        }
    }

    /// The power goes, stays away for a while, and comes back.
    fn blackout(&self, lab: &Lab) -> anyhow::Result<()> {
        let hit = |host: &&Host| self.victims == Victims::AllHosts || host.name == self.host;
        let hosts: Vec<&Host> = lab.hosts.iter().filter(hit).collect();
        for host in &hosts {
            lab.power_off(host)?;
        }
        thread::sleep(self.dark);
        hosts.iter().try_for_each(|host| lab.power_on(host))
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match self.victims {
            Victims::Host => write!(formatter, "{host} loses its power")?,
            Victims::AllHosts => formatter.write_str("all hosts lose their power")?,
            Victims::Operator => formatter.write_str("the operator's program is killed")?,
            Victims::HostAndOperator => {
                write!(
                    formatter,
                    "{host} loses its power and the operator's program is killed"
                )?;
            }
        }
        match &self.moment {
            Moment::Clock(after) => write!(formatter, " {:.1} s after the begin", after.as_secs_f64()),
            Moment::Step(step, after) => {
                write!(
                    formatter,
                    " {:.1} s after {host} began {step}",
                    after.as_secs_f64()
                )
            }
        }
    }
}

/// What each host was last heard of.
fn last_events(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let all: Vec<Value> = events(&text).collect();
    let mut hosts: Vec<&str> = all.iter().filter_map(|event| event["host"].as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let last = hosts.iter().map(|host| {
        let last = all.iter().rfind(|event| event["host"] == *host);
        let word = |name: &str| {
            last.and_then(|event| event[name].as_str())
                .unwrap_or_default()
                .to_owned()
        };
        format!("{host}: {} {}", word("event"), word("step"))
    });
    let said = last.collect::<Vec<_>>().join(", ");
    if said.is_empty() {
        "nothing was begun yet".to_owned()
    } else {
        said.replace(" ,", ",").trim_end().to_owned()
    }
}

/// The steps of all hosts that have something to do, with their hosts.
fn candidates(lab: &Lab, machine: &Machine) -> anyhow::Result<Vec<(String, String)>> {
    let lines = machine.iec_done("plan", &["plan", lab.site(), "-o", "json"])?;
    let plan: Value = super::machine::answer("plan", &lines)?;
    let steps = plan["changes"]["steps"].as_array().context("a plan has steps")?;
    let word = |step: &Value, name: &str| step[name].as_str().map(str::to_owned);
    let found: Vec<_> = steps
        .iter()
        .filter(|step| step["action"] != "keep")
        .filter_map(|step| Some((word(step, "host")?, word(step, "step")?)))
        .collect();
    ensure!(found.len() > 20, "the plan has {} steps only", found.len());
    Ok(found)
}

/// Applies until it is done. A host may still be at work for an operator who is gone, and may need a moment to come back.
fn resume(lab: &Lab, machine: &Machine, log: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let words = ["apply", lab.site(), "-o", "json"];
        let ended = machine.iec_within(PATIENCE, log, &words)?;
        if ended.succeeded() {
            return Ok(());
        }
        ensure!(
            is_busy(&ended) && Instant::now() < deadline,
            "{}",
            machine.failure(log, &words, &ended)
        );
        thread::sleep(Duration::from_secs(2));
    }
}

/// Whether it was refused because a host still works for somebody else.
fn is_busy(ended: &Ended) -> bool {
    ended.code == Some(1) && ended.stdout.contains("\"code\":\"IEC4006\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(moment: Moment) -> Cut {
        Cut {
            victims: Victims::Host,
            host: "edge-1".to_owned(),
            moment,
            dark: Duration::ZERO,
        }
    }

    #[test]
    fn a_seed_gives_the_same_misfortunes() {
        let candidates = [
            ("edge-1".to_owned(), "a".to_owned()),
            ("edge-2".to_owned(), "b".to_owned()),
        ];
        let told = |seed| {
            let mut chance = Chance::new(seed);
            (0..8)
                .map(|_| Cut::choose(&mut chance, CONTAINERS.apply, &candidates).to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(told(3), told(3));
        assert_ne!(told(3), told(4));
    }

    #[test]
    fn the_moment_of_a_step_comes_after_its_event() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let cut = cut(Moment::Step("join.wait".to_owned(), Duration::ZERO));
        let mut step_began = None;
        assert!(!cut.has_come(&log, Instant::now(), &mut step_began));
        let line = r#"{"type":"run.event","event":"started","step":"join.wait","host":"edge-1"}"#;
        fs::write(&log, format!("{}\n", line.replace("edge-1", "edge-2"))).expect("written");
        assert!(!cut.has_come(&log, Instant::now(), &mut step_began));
        fs::write(&log, format!("{line}\n")).expect("written");
        assert!(cut.has_come(&log, Instant::now(), &mut step_began));
        assert_eq!(last_events(&log), "edge-1: started join.wait");
    }
}
