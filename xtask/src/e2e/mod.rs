//! `cargo xtask e2e`: the main job on real hosts, from bare to verified and back, with the released program.

mod calico_etcd;
mod chance;
mod conditions;
mod cut;
mod exports;
mod inventory;
mod join_cuts;
mod lab;
mod machine;
mod machines;
mod main_job;
mod medium;
mod methods;
mod operator;
mod power;
mod power_cut;
mod power_cuts;
mod recover;
mod refusals;
mod rendering;
mod rich_site;
mod sabotage;
mod scenario;
mod script_faults;
mod secrets;
mod seed;
mod silence;
mod site_file;
mod steps;
mod three_control_planes;
mod virtual_address;
mod worker_leaves;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

pub(crate) use self::chance::Chance;
pub(crate) use self::cut::events;
pub(crate) use self::lab::{Host, Lab};
pub(crate) use self::machine::Machine;
use self::scenario::Scenario;
pub(crate) use self::site_file::{ABSENT, SiteFile};
pub(crate) use self::three_control_planes::watch_by;
use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::stage::{Count, Stages};
use crate::{packages, record, terminal, workspace};

/// What to run, and with what.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Leave the hosts of each scenario for inspection.
    keep: bool,
    /// The methods of installation that the scenarios of methods look at, instead of all.
    methods: Vec<String>,
    /// The program to test, instead of a release build.
    program: Option<PathBuf>,
    /// The bundle to install from, instead of the one in the cache.
    bundle: Option<PathBuf>,
    /// Folders of schemas more than those that package registries have, for the scenario of exports.
    schemas: Vec<PathBuf>,
    /// What the choices of a scenario that has any depend on.
    seed: Option<u64>,
    /// How often such a scenario is run through.
    rounds: Option<usize>,
    /// The scenarios.
    scenarios: Vec<Scenario>,
}

/// How often a scenario of chance is run through, where nobody says otherwise.
const ROUNDS: usize = 4;

impl Options {
    /// Everything, as CI runs it.
    pub(crate) fn all() -> Self {
        Self {
            scenarios: Scenario::ALL.into(),
            ..Self::default()
        }
    }

    /// Reads the words of the command line.
    ///
    /// # Errors
    /// When there is no such scenario, or an option lacks its value.
    pub(crate) fn parse(words: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match *word {
                "--keep" => options.keep = true,
                "--method" => options.methods.push((*value()?).to_owned()),
                "--program" => options.program = Some(std::path::absolute(value()?)?),
                "--bundle" => options.bundle = Some(std::path::absolute(value()?)?),
                "--schemas" => options.schemas.push(std::path::absolute(value()?)?),
                "--seed" => options.seed = Some(value()?.parse().context("a seed is a number")?),
                "--rounds" => options.rounds = Some(value()?.parse().context("rounds are a number")?),
                name => options.scenarios.push(Scenario::find(name)?),
            }
        }
        if options.scenarios.is_empty() {
            options.scenarios = Scenario::ALL.into();
        }
        Ok(options)
    }
}

/// Runs the scenario of a proof with these words of the command line; gives how long the scenario took, if all passed.
///
/// # Errors
/// When there is no such scenario, or something did not pass.
pub(crate) fn proof(root: &Path, name: &str, words: &[&str]) -> anyhow::Result<Proof> {
    let mut all: Vec<&str> = words.to_vec();
    all.push(name);
    let mut options = Options::parse(&all)?;
    ensure!(options.scenarios.len() == 1, "a proof is one scenario");
    ensure!(
        options.methods.is_empty(),
        "a proof of methods looks at all of them"
    );
    let seed = *options.seed.get_or_insert_with(Chance::seed);
    let rounds = *options.rounds.get_or_insert(ROUNDS);
    let interrupt = Interrupt::watch()?;
    let mut all = Stages::default();
    let good = all.run("packages", || packages::install(root, &interrupt));
    stages(root, &options, &mut all, good, &interrupt);
    ensure!(all.finish() && !interrupt.is_set(), "the proof did not pass");
    let last = all.last().context("there was a stage")?;
    let mut inspect = vec!["bundle", "inspect", "-o", "json"];
    inspect.extend(options.bundle.as_deref().and_then(Path::to_str));
    let program = options.program.clone().unwrap_or_else(iec);
    let program = program.to_str().context("the program has a name of plain text")?;
    Ok(Proof {
        steps: last.0.passed,
        seed,
        rounds,
        took: last.1,
        content: serde_json::from_str(&record::ask(root, program, &inspect)?)?,
    })
}

/// What a scenario has shown.
pub(crate) struct Proof {
    /// How many of its steps passed; that is all of them.
    pub(crate) steps: usize,
    /// What its choices depended on, where it had any.
    pub(crate) seed: u64,
    /// How often such a scenario was run through.
    pub(crate) rounds: usize,
    /// How long they took.
    pub(crate) took: Duration,
    /// What `iec bundle inspect -o json` says of the bundle.
    pub(crate) content: serde_json::Value,
}

/// Runs the scenarios; true when everything passed.
///
/// # Errors
/// When signals cannot be watched.
pub(crate) fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::watch()?;
    let mut all = Stages::default();
    let good = all.run("packages", || packages::install(root, &interrupt));
    stages(root, options, &mut all, good, &interrupt);
    Ok(all.finish() && !interrupt.is_set())
}

/// Adds the stages: the program, the bundle, the scenarios. Each needs those before it.
pub(crate) fn stages(root: &Path, options: &Options, all: &mut Stages, good: bool, interrupt: &Interrupt) {
    let mut ready = good;
    let mut stage = |name: &str, work: &mut dyn FnMut() -> anyhow::Result<Count>| {
        if ready && !interrupt.is_set() {
            ready = all.run(name, work);
        } else {
            all.skip(name);
        }
    };
    if options.program.is_none() {
        stage("release build", &mut || build(root, interrupt));
    }
    if options.bundle.is_none() {
        stage("bundle", &mut || bundle(root, options, interrupt));
    }
    for scenario in &options.scenarios {
        stage(&scenario.title(), &mut || {
            let mut machine = machine(root, scenario.name, interrupt)?;
            machine.iec = options.program.clone().unwrap_or(machine.iec);
            machine.bundle.clone_from(&options.bundle);
            machine.keep = options.keep;
            machine.methods.clone_from(&options.methods);
            machine.schemas.clone_from(&options.schemas);
            machine.seed = options.seed.unwrap_or(machine.seed);
            machine.rounds = options.rounds.unwrap_or(machine.rounds);
            Ok(scenario.run(&machine))
        });
    }
}

/// Builds the released program.
///
/// # Errors
/// When cargo cannot be run.
pub(crate) fn build(root: &Path, interrupt: &Interrupt) -> anyhow::Result<Count> {
    let words = ["build", "--release", "--locked", "--package", "iec"];
    let ended = Program::new(root, workspace::cargo(), words, interrupt).shown()?;
    Ok(Count::one(ended.succeeded()))
}

/// What every proof and benchmark needs: Debian's packages, and the released program.
///
/// # Errors
/// When one of them cannot be had.
pub(crate) fn prepare(root: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    ensure!(
        packages::install(root, interrupt)?.is_good(),
        "packages are missing"
    );
    ensure!(build(root, interrupt)?.is_good(), "the program cannot be built");
    Ok(())
}

/// Builds the bundle into the cache, or finds it there.
///
/// # Errors
/// When the program cannot be run.
fn bundle(root: &Path, options: &Options, interrupt: &Interrupt) -> anyhow::Result<Count> {
    let program = options.program.clone().unwrap_or_else(iec);
    let ended = Program::new(root, program, ["bundle", "build"], interrupt).shown()?;
    Ok(Count::one(ended.succeeded()))
}

/// The released program.
pub(crate) fn iec() -> PathBuf {
    workspace::target().join("release/iec")
}

/// The program under test, with an empty folder for the logs of this scenario.
///
/// # Errors
/// When this is not root, or the folder cannot be made.
pub(crate) fn machine(root: &Path, scenario: &str, interrupt: &Interrupt) -> anyhow::Result<Machine> {
    if !rustix::process::geteuid().is_root() {
        bail!("only root can make real hosts on this machine. Type: sudo -E $(which cargo) xtask test");
    }
    let logs = workspace::target().join("e2e").join(scenario);
    if logs.exists() {
        fs::remove_dir_all(&logs)?;
    }
    fs::create_dir_all(&logs).with_context(|| format!("{} cannot be made", logs.display()))?;
    terminal::line(format_args!(
        "logs: {}",
        logs.strip_prefix(root).unwrap_or(&logs).display()
    ));
    Ok(Machine {
        iec: iec(),
        logs,
        bundle: None,
        keep: false,
        methods: Vec::new(),
        schemas: Vec::new(),
        seed: Chance::seed(),
        rounds: ROUNDS,
        interrupt: interrupt.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_command_line_are_read() {
        let options =
            Options::parse(&["--keep", "--program", "/usr/bin/iec", "one-host"]).expect("they are right");
        assert!(options.keep && options.bundle.is_none());
        assert_eq!(options.program.as_deref(), Some(Path::new("/usr/bin/iec")));
        assert_eq!(
            options.scenarios.iter().map(|each| each.name).collect::<Vec<_>>(),
            ["one-host"]
        );
        assert_eq!(
            Options::parse(&[]).expect("all").scenarios.len(),
            Scenario::ALL.len()
        );
        assert!(Options::parse(&["four-hosts"]).is_err());
        assert!(Options::parse(&["--bundle"]).is_err());
        let some = Options::parse(&["--method", "seed", "--method", "ansible", "methods"]).expect("right");
        assert_eq!(some.methods, ["seed", "ansible"]);
        let options =
            Options::parse(&["--seed", "7", "--rounds", "2", "power-cuts"]).expect("they are right");
        assert_eq!((options.seed, options.rounds), (Some(7), Some(2)));
        assert!(Options::parse(&["--seed", "seven"]).is_err());
    }
}
