//! Ansible's answers: which hosts an inventory has, in which groups, and how its SSH plugin reaches them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use iec_core::site::Role;
use serde_json::{Value, json};

use super::generate::Project;
use crate::interrupt::Interrupt;
use crate::program::Program;

/// The program that asks Ansible's own classes, and answers for all inventories at once.
const ASK: &str = include_str!("ask.py");
/// How many inventories are given to Ansible's programs too: they take a second for each.
const PROGRAMS: usize = 4;
/// A configuration that says nothing, for Ansible to read no other.
const NO_SETTINGS: &str = "none.cfg";
/// An SSH client that writes down whom it was to reach.
const CLIENT: &str = "#!/bin/sh\nprintf '%s\\n' \"$*\" >> \"$REACHED\"\n";

/// What Ansible says of an inventory.
pub(super) enum Answer {
    Read(Inventory),
    Refused(String),
}

/// An inventory as Ansible has it.
pub(super) struct Inventory {
    pub(super) hosts: BTreeMap<String, Reached>,
    groups: BTreeMap<String, Vec<String>>,
}

impl Inventory {
    /// The hosts of a group, in Ansible's order.
    pub(super) fn group(&self, name: &str) -> &[String] {
        self.groups.get(name).map_or(&[], Vec::as_slice)
    }
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) address: String,
    /// Nobody where Ansible leaves it to ssh.
    pub(super) user: Option<String>,
    pub(super) port: u16,
    /// That of control planes only: workers are all others.
    pub(super) role: Option<Role>,
}

/// Asks about all inventories.
///
/// # Errors
/// When Ansible cannot be run, or answers otherwise than it should.
pub(super) fn ask(
    ansible: &Path,
    folder: &Path,
    projects: &[Project],
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<Answer>> {
    let questions: Vec<String> = projects
        .iter()
        .map(|project| json!([project.inventory, project.configuration]).to_string() + "\n")
        .collect();
    let (program, input, log) = (
        folder.join("ask.py"),
        folder.join("questions"),
        folder.join("answers"),
    );
    fs::write(&program, ASK)?;
    fs::write(folder.join(NO_SETTINGS), "")?;
    fs::write(&input, questions.concat())?;
    // What Ansible warns of goes elsewhere: the answers stand alone.
    let script = "exec \"$0\" \"$1\" < \"$2\" 2> \"$2.errors\"";
    let python = ansible.join("bin/python");
    let words = [
        "-c".as_ref(),
        script.as_ref(),
        python.as_os_str(),
        program.as_os_str(),
        input.as_os_str(),
    ];
    let ended = settled(Program::new(folder, "sh", words, interrupt), folder).logged(&log)?;
    ensure!(
        ended.succeeded(),
        "Ansible cannot be asked, see {}.errors",
        input.display()
    );
    let answers: Vec<Answer> = ended.stdout.lines().map(answer).collect::<anyhow::Result<_>>()?;
    ensure!(
        answers.len() == projects.len(),
        "Ansible has not answered every question"
    );
    Ok(answers)
}

/// The same without the settings of whoever runs it.
fn settled<'i>(program: Program<'i>, folder: &Path) -> Program<'i> {
    program
        .variable("HOME", folder)
        .variable("ANSIBLE_CONFIG", folder.join(NO_SETTINGS))
        .variable("ANSIBLE_NOCOLOR", "1")
        // What it cannot read it would only warn of, and answer with what it has read so far.
        .variable("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "1")
        .variable("LC_ALL", "C.UTF-8")
}

fn answer(line: &str) -> anyhow::Result<Answer> {
    let said: Value = serde_json::from_str(line).context("an answer is JSON")?;
    if let Some(reason) = said["error"].as_str() {
        return Ok(Answer::Refused(reason.to_owned()));
    }
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let mut inventory = Inventory {
        hosts: BTreeMap::new(),
        groups: BTreeMap::new(),
    };
    for (name, host) in said["hosts"].as_object().context("an answer has hosts")? {
        let reached = Reached {
            address: text(&host["host"]).unwrap_or_default(),
            user: text(&host["remote_user"]),
            port: text(&host["port"]).map_or(Ok(22), |port| port.parse())?,
            role: None,
        };
        inventory.hosts.insert(name.clone(), reached);
    }
    for (name, members) in said["groups"].as_object().context("an answer has groups")? {
        let members = members.as_array().into_iter().flatten();
        inventory
            .groups
            .insert(name.clone(), members.filter_map(text).collect());
    }
    Ok(Answer::Read(inventory))
}

/// Gives some of the inventories to `ansible-inventory` and `ansible` themselves, and compares with what was answered.
///
/// # Errors
/// When they say something else.
pub(super) fn check_programs(
    ansible: &Path,
    projects: &[Project],
    answers: &[Answer],
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    for (project, answer) in projects.iter().zip(answers).take(PROGRAMS) {
        let Answer::Read(inventory) = answer else { continue };
        let folder = &project.folder;
        fs::write(folder.join(NO_SETTINGS), "")?;
        // What it warns of is in the log.
        let list = folder.join("list.json");
        let words = [
            "-i".as_ref(),
            project.inventory.as_os_str(),
            "--list".as_ref(),
            "--output".as_ref(),
            list.as_os_str(),
        ];
        let listed = Program::new(folder, ansible.join("bin/ansible-inventory"), words, interrupt);
        settled(listed, folder).logged(&folder.join("list.log"))?;
        let list = fs::read_to_string(&list).context("ansible-inventory writes its answer")?;
        let list: Value = serde_json::from_str(&list)?;
        for group in ["kube_control_plane", "kube_node"] {
            let direct: Vec<&str> = list[group]["hosts"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let members = inventory.group(group);
            ensure!(
                members.iter().zip(&direct).all(|(one, other)| one == other),
                "{}: ansible-inventory has other hosts in {group}",
                folder.display()
            );
        }
        let reached = reached_by_ansible(ansible, project, interrupt)?;
        for (name, host) in &inventory.hosts {
            let user = host
                .user
                .as_ref()
                .map_or_else(String::new, |user| format!("User=\"{user}\""));
            let port = if host.port == 22 {
                String::new()
            } else {
                format!("Port={}", host.port)
            };
            let address = format!(" {} ", host.address);
            let is_it = |line: &&str| {
                [&user, &port, &address]
                    .iter()
                    .all(|part| line.contains(part.as_str()))
            };
            ensure!(
                reached.lines().any(|line| is_it(&line)),
                "{}: ansible does not reach {name} as {host:?}:\n{reached}",
                folder.display()
            );
        }
    }
    Ok(())
}

/// What `ansible` gives to an SSH client for every host.
fn reached_by_ansible(ansible: &Path, project: &Project, interrupt: &Interrupt) -> anyhow::Result<String> {
    let folder = &project.folder;
    let (client, reached) = (folder.join("ssh"), folder.join("reached"));
    fs::write(&client, CLIENT)?;
    fs::set_permissions(&client, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::write(&reached, "")?;
    let words = ["all", "-m", "ansible.builtin.raw", "-a", "true", "-i"];
    // It would take variables beside the folder from which it is run for those of a playbook there.
    let elsewhere = folder.join(".git");
    let run = Program::new(&elsewhere, ansible.join("bin/ansible"), words, interrupt)
        .words([&project.inventory])
        .variable("REACHED", &reached);
    let mut run = settled(run, folder)
        .variable("ANSIBLE_SSH_EXECUTABLE", &client)
        .variable("ANSIBLE_SSH_ARGS", "");
    if let Some(configuration) = &project.configuration {
        run = run.variable("ANSIBLE_CONFIG", configuration);
    }
    run.logged(&folder.join("ansible.log"))?;
    Ok(fs::read_to_string(&reached)?)
}
