//! The proof that every method of installation leaves the same state: fresh hosts for each, and what they are compared.

mod ansible;
mod first_boot;
mod install;
mod runbook;
mod script;
mod state;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;

use anyhow::{bail, ensure};

use self::state::State;
use super::lab::Lab;
use super::machine::Machine;
use super::main_job::{apply, kept, nothing, pending};
use super::secrets::Secrets;
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
    /// What is on the hosts before.
    image: Image,
    /// What is different by its nature, and why: lines of a mask.
    mask: &'static str,
}

/// What is on the hosts before anything is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Image {
    /// Debian with an SSH server, and nothing else.
    Bare,
    /// What an image for clouds has on top, which some methods need.
    Cloud,
}

impl Image {
    /// What `iec lab up` is told for it.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Bare => &[],
            Self::Cloud => &["--package", "cloud-init", "--package", "python3"],
        }
    }
}

/// How large a site is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size {
    /// How many hosts it has.
    pub(super) hosts: usize,
    /// How many of them are control planes.
    pub(super) control_planes: usize,
}

/// What the others are compared with.
const REFERENCE: Method = Method {
    name: "ssh",
    install: install::apply,
    has_journal: true,
    hosts: 1,
    image: Image::Bare,
    mask: "",
};

/// The methods that are compared with it.
const METHODS: &[Method] = &[
    Method {
        name: "runbook",
        install: runbook::install,
        has_journal: false,
        image: Image::Cloud,
        ..REFERENCE
    },
    Method {
        name: "ansible",
        install: ansible::install,
        image: Image::Cloud,
        ..REFERENCE
    },
    Method {
        name: "cloud-init",
        install: first_boot::cloud_init,
        mask: include_str!("mask-cloud-init.txt"),
        image: Image::Cloud,
        ..REFERENCE
    },
    Method {
        name: "seed",
        install: first_boot::seed,
        mask: include_str!("mask-seed.txt"),
        image: Image::Cloud,
        ..REFERENCE
    },
    Method {
        name: "site-script",
        install: script::walked_through,
        hosts: 2,
        ..REFERENCE
    },
    Method {
        name: "scripts-alone",
        install: script::alone,
        hosts: 2,
        ..REFERENCE
    },
];

/// Every method on its hosts, each compared with `iec apply` on as many; `size` overrides how many each gets.
///
/// # Errors
/// Those of the first step that fails.
pub(super) fn steps(size: Option<Size>, machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let mut references: BTreeMap<(Size, Image), State> = BTreeMap::new();
    let unknown = |name: &&String| METHODS.iter().all(|method| method.name != *name);
    if let Some(name) = machine.methods.iter().find(unknown) {
        bail!("there is no method {name}");
    }
    let all = machine.methods.is_empty();
    let wanted = |method: &&Method| all || machine.methods.iter().any(|name| name == method.name);
    for method in METHODS.iter().filter(wanted) {
        let size = size.unwrap_or(Size {
            hosts: method.hosts,
            control_planes: 1,
        });
        let key = (size, method.image);
        if let Entry::Vacant(place) = references.entry(key) {
            let reference = Method {
                image: method.image,
                ..REFERENCE
            };
            place.insert(of(&reference, size, machine, steps)?);
        }
        let found = of(method, size, machine, steps)?;
        steps.run(&format!("{}: the same as by ssh", method.name), || {
            let told = references[&key].differences(&found, &state::mask(method.has_journal, method.mask))?;
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
fn of(method: &Method, size: Size, machine: &Machine, steps: &mut Steps) -> anyhow::Result<State> {
    let (name, hosts) = (method.name, size.hosts);
    let control_planes = size.control_planes.to_string();
    let mut words = vec!["--control-planes", &control_planes];
    words.extend(method.image.words());
    let machine = &machine.with_logs(&format!("{name}-{hosts}-{:?}", method.image).to_lowercase())?;
    // One name for all: each lab gets the addresses of the one before it, which is gone by then.
    let lab = steps.run(&format!("{name}: bare hosts are up"), || {
        Lab::up_with(machine, "e2e-methods", hosts, &words)
    })?;
    let site = lab.site();
    steps.run(&format!("{name}: installed"), || (method.install)(machine, &lab))?;
    steps.run(
        &format!("{name}: no host keeps a secret where it does not belong"),
        || kept(&Secrets::of_site(&lab.site)?, &lab),
    )?;
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
