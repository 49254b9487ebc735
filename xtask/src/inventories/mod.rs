//! What IEC makes of Ansible's inventories, compared with what Ansible itself makes of them.

mod answer;
mod generate;
mod installed;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use iec_core::site::{Role, Site, fitting_control_planes, load};

use self::answer::{Answer, Reached};
use self::generate::Project;
use crate::e2e::Chance;
use crate::interrupt::Interrupt;
use crate::program::{Ended, Program};
use crate::stage::{Count, time};
use crate::{record, terminal, workspace};

/// Where proofs are told.
const DOCUMENT: &str = "docs/tested.md";
/// What CI compares: always the same inventories.
const USUAL: Extent = Extent { seed: 1, rounds: 100 };
/// What the proof compares unless it is told otherwise.
const ROUNDS_OF_PROOF: u64 = 5000;
/// At most this share of the inventories, one in so many, may be refused by IEC; a comparison of refusals shows nothing.
const REFUSED: usize = 3;
/// The account that IEC takes where nobody names one.
const USUAL_USER: &str = "edge";

/// How many inventories are compared, and which.
#[derive(Clone, Copy)]
struct Extent {
    seed: u64,
    rounds: u64,
}

/// The stage of CI.
///
/// # Errors
/// When Ansible or the program cannot be had.
pub(crate) fn stage(root: &Path, interrupt: &Interrupt) -> anyhow::Result<Count> {
    let (same, different) = compare(root, USUAL, interrupt)?;
    Ok(Count {
        passed: same,
        failed: different,
    })
}

/// The longer run: `[--seed N] [--rounds N]`; writes its row.
///
/// # Errors
/// When a word is none of these, Ansible or the program cannot be had, or something is different.
pub(crate) fn proof(root: &Path, words: &[&str]) -> anyhow::Result<bool> {
    let extent = parse(words)?;
    let interrupt = Interrupt::watch()?;
    let run = record::Run::now(root)?;
    let began = Instant::now();
    let (same, different) = compare(root, extent, &interrupt)?;
    ensure!(different == 0, "{different} inventories are read differently");
    let row = format!(
        "| `iec init --from-ansible` reads inventories as Ansible does, {} rounds with seed {} | {} | {} | {} | iec {}, ansible-core {} | passed: {same} inventories | {} |",
        extent.rounds,
        extent.seed,
        run.date,
        run.commit,
        run.machine,
        env!("CARGO_PKG_VERSION"),
        installed::VERSION,
        time(began.elapsed()),
    );
    record::append(root, DOCUMENT, &row)?;
    terminal::line(row);
    Ok(true)
}

fn parse(words: &[&str]) -> anyhow::Result<Extent> {
    let mut extent = Extent {
        seed: Chance::seed(),
        rounds: ROUNDS_OF_PROOF,
    };
    for pair in words.chunks(2) {
        match pair {
            ["--seed", number] => extent.seed = number.parse().context("a seed is a number")?,
            ["--rounds", number] => extent.rounds = number.parse().context("rounds are a number")?,
            _ => bail!("it takes --seed N and --rounds N"),
        }
    }
    Ok(extent)
}

/// How many inventories are read the same way, and how many are not.
fn compare(root: &Path, extent: Extent, interrupt: &Interrupt) -> anyhow::Result<(usize, usize)> {
    let ansible = installed::venv(root, interrupt)?;
    let build = ["build", "--quiet", "--locked", "-p", "iec"];
    let built = Program::new(root, workspace::cargo(), build, interrupt).shown()?;
    ensure!(built.succeeded(), "the program cannot be built");
    let folder = workspace::target().join("inventories");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut chance = Chance::new(extent.seed);
    let projects: Vec<Project> = (0..extent.rounds)
        .map(|round| generate::project(&folder.join(round.to_string()), &mut chance))
        .collect::<anyhow::Result<_>>()?;
    let answers = answer::ask(&ansible, &folder, &projects, interrupt)?;
    answer::check_programs(&ansible, &projects, &answers, interrupt)?;
    let (mut same, mut refused, mut different) = (0, 0, 0);
    for (project, answer) in projects.iter().zip(&answers) {
        match judge(project, answer, interrupt)? {
            Verdict::Same => same += 1,
            Verdict::Refused => refused += 1,
            Verdict::Different(how) => {
                different += 1;
                terminal::line(format_args!("{}: {how}", project.folder.display()));
            }
        }
    }
    terminal::line(format_args!(
        "seed {}: {same} inventories are read alike, {refused} are refused with reason, {different} are read differently",
        extent.seed
    ));
    ensure!(
        refused * REFUSED <= projects.len(),
        "too many inventories are refused to show anything"
    );
    Ok((same + refused, different))
}

/// What came of an inventory.
enum Verdict {
    Same,
    /// IEC refuses it, as Ansible does, or for what Ansible does not mind and no site may have.
    Refused,
    Different(String),
}

fn judge(project: &Project, answer: &Answer, interrupt: &Interrupt) -> anyhow::Result<Verdict> {
    let (site, ended) = init(project, interrupt)?;
    let answer = match answer {
        Answer::Read(inventory) => inventory,
        Answer::Refused(_) if !ended.succeeded() => return Ok(Verdict::Refused),
        Answer::Refused(reason) => {
            return Ok(Verdict::Different(format!(
                "IEC reads it, and Ansible does not: {reason}"
            )));
        }
    };
    let control_planes = answer.group("kube_control_plane");
    let fitting = fitting_control_planes(control_planes.len());
    let nodes = answer.group("kube_node");
    let mut expected = BTreeMap::new();
    for name in control_planes.iter().chain(nodes) {
        let mut reached = answer.hosts[name].clone();
        if control_planes.iter().take(fitting).any(|kept| kept == name) {
            reached.role = Some(Role::ControlPlane);
        }
        reached.user.get_or_insert_with(|| USUAL_USER.to_owned());
        expected.insert(name.clone(), reached);
    }
    if !ended.succeeded() {
        return Ok(if may_be_refused(&expected) {
            Verdict::Refused
        } else {
            Verdict::Different(format!("IEC refuses it:\n{}", ended.stdout))
        });
    }
    let text = fs::read_to_string(&site)?;
    let (made, _) = load(&text, "site.yaml").map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let found = reached(&made);
    Ok(if found == expected {
        Verdict::Same
    } else {
        Verdict::Different(format!("Ansible: {expected:#?}\nIEC: {found:#?}"))
    })
}

/// `iec init` of an inventory: the site file, and how it ended.
fn init(project: &Project, interrupt: &Interrupt) -> anyhow::Result<(PathBuf, Ended)> {
    let site = project.folder.join("site.yaml");
    let words: [PathBuf; 6] = [
        "init".into(),
        site.clone(),
        "--name".into(),
        "shop".into(),
        "--from-ansible".into(),
        project.inventory.clone(),
    ];
    let program = workspace::target().join("debug/iec");
    let run = Program::new(&project.folder, program, &words, interrupt);
    let ended = run.logged(&project.folder.join("iec.log"))?;
    Ok((site, ended))
}

/// Whether no site may have such hosts, though Ansible does not mind: one without an address, or two with the same one.
fn may_be_refused(hosts: &BTreeMap<String, Reached>) -> bool {
    let addresses: BTreeSet<&str> = hosts.values().map(|host| host.address.as_str()).collect();
    let is_address = |address: &&str| address.parse::<std::net::Ipv4Addr>().is_ok();
    hosts.is_empty() || addresses.len() < hosts.len() || !addresses.iter().all(is_address)
}

/// How a site's hosts are reached, by their names.
fn reached(site: &Site) -> BTreeMap<String, Reached> {
    let access = site.access();
    let of = |host: &iec_core::site::SiteHost| Reached {
        address: host.address().to_string(),
        user: Some(host.user().unwrap_or_else(|| access.user()).to_string()),
        port: host.port().or(access.port()).unwrap_or(22),
        role: Some(host.role()).filter(|role| *role == Role::ControlPlane),
    };
    let hosts = site.hosts().iter();
    hosts.map(|host| (host.name().to_string(), of(host))).collect()
}
