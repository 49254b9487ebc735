//! The proof that every method of installation leaves the same state: fresh hosts for each, and what they are compared.

mod install;
mod runbook;
mod script;
mod state;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;

use anyhow::ensure;

use self::state::State;
use super::lab::{Lab, Machine};
use super::main_job::{apply, nothing, pending};
use super::steps::Steps;
use crate::terminal;

/// A method of installation.
#[derive(Clone, Copy)]
struct Method {
    /// What it is called by.
    name: &'static str,
    /// How it takes bare hosts to a site.
    install: fn(&Machine, &Lab) -> anyhow::Result<()>,
    /// Whether the hosts keep a journal; where they do not, the first `iec apply` adopts what it finds.
    has_journal: bool,
    /// How many hosts CI gives it.
    hosts: usize,
}

/// What the others are compared with.
const REFERENCE: Method = Method {
    name: "ssh",
    install: install::apply,
    has_journal: true,
    hosts: 1,
};

/// The methods that are compared with it.
const METHODS: &[Method] = &[
    Method {
        name: "runbook",
        install: runbook::install,
        has_journal: false,
        hosts: 1,
    },
    Method {
        name: "site-script",
        install: script::walked_through,
        has_journal: true,
        hosts: 2,
    },
    Method {
        name: "scripts-alone",
        install: script::alone,
        has_journal: true,
        hosts: 2,
    },
];

/// Every method on its hosts, each compared with `iec apply` on as many; `hosts` overrides how many each gets.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(hosts: Option<usize>, machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let mut references: BTreeMap<usize, State> = BTreeMap::new();
    for method in METHODS {
        let hosts = hosts.unwrap_or(method.hosts);
        if let Entry::Vacant(place) = references.entry(hosts) {
            place.insert(of(&REFERENCE, hosts, machine, steps)?);
        }
        let found = of(method, hosts, machine, steps)?;
        steps.run(&format!("{}: the same as by ssh", method.name), || {
            let told = references[&hosts].differences(&found, &state::mask(method.has_journal))?;
            fs::write(
                machine.logs.join(format!("{}-differences.log", method.name)),
                told.join("\n"),
            )?;
            nothing("these things are not as `iec apply` left them", &told)
        })?;
    }
    Ok(())
}

/// One method: installed, with nothing left to do, verified; gives the state that it left.
fn of(method: &Method, hosts: usize, machine: &Machine, steps: &mut Steps) -> anyhow::Result<State> {
    let name = method.name;
    let machine = &machine.with_logs(&format!("{name}-{hosts}"))?;
    // One name for all: each lab gets the addresses of the one before it, which is gone by then.
    let lab = steps.run(&format!("{name}: bare hosts are up"), || {
        Lab::up(machine, "e2e-methods", hosts)
    })?;
    let site = lab.site();
    steps.run(&format!("{name}: installed"), || (method.install)(machine, &lab))?;
    if !method.has_journal {
        steps.run(&format!("{name}: adopted, and nothing changed"), || {
            apply(machine, "adopt", site, false)
        })?;
    }
    steps.run(&format!("{name}: plan finds nothing to do"), || {
        pending(machine, "plan", site, Some(0))
    })?;
    steps.run(&format!("{name}: verify"), || {
        machine.iec_done("verify", &["verify", site, "-o", "json"])
    })?;
    let state = steps.run(&format!("{name}: what the site is, is noted"), || {
        State::of(&lab, machine, "state")
    })?;
    terminal::line(format_args!("         {} things of {name}", state.len()));
    ensure!(state.len() > 2000, "{name} shows {} things only", state.len());
    Ok(state)
}
