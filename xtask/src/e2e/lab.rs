//! A lab as the end-to-end tests use it: made by the program under test, inspected from outside, removed in any case.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::inventory::{self, Inventory};
use super::machine::{Machine, answer};
use crate::interrupt::Interrupt;
use crate::program::Program;

/// How ssh behaves here: it asks nobody, and gives up a host that is silent, because one that reboots or has lost its
/// power closes no connection.
const SSH_OPTIONS: [&str; 12] = [
    "-F",
    "none",
    "-o",
    "BatchMode=yes",
    "-o",
    "IdentitiesOnly=yes",
    "-o",
    "ConnectTimeout=20",
    "-o",
    "ServerAliveInterval=15",
    "-o",
    "ServerAliveCountMax=4",
];

/// What `iec lab up -o json` says at its end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    hosts: Vec<Host>,
    site_file: PathBuf,
    identity_file: PathBuf,
    known_hosts_file: PathBuf,
}

/// A host of the lab.
#[derive(Debug, Deserialize)]
pub(crate) struct Host {
    /// Its name in the site file.
    pub(crate) name: String,
    /// What it is to be: `control-plane` or `worker`.
    pub(crate) role: String,
    /// How it is reached.
    pub(crate) addresses: Vec<String>,
    /// What it is made of.
    pub(crate) kind: Kind,
    /// The container that it is, or the virtual machine.
    pub(crate) container: String,
}

/// What a host is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A container of podman.
    Container,
    /// A virtual machine, reached by SSH.
    Vm,
}

/// Running hosts. They are removed when this is dropped, unless they are to be kept.
pub(crate) struct Lab {
    machine: Machine,
    name: String,
    keep: bool,
    /// The hosts.
    pub(crate) hosts: Vec<Host>,
    /// The site file that describes them.
    pub(crate) site: PathBuf,
    /// The private key to log in with.
    pub(crate) identity: PathBuf,
    /// The keys of the hosts.
    pub(crate) known_hosts: PathBuf,
}

impl Lab {
    /// Makes a lab, in place of one of the same name that an earlier run may have left.
    ///
    /// # Errors
    /// When `iec lab up` fails; what it made is gone then.
    pub(crate) fn up(machine: &Machine, name: &str, hosts: usize) -> anyhow::Result<Self> {
        Self::up_with(machine, name, hosts, &[])
    }

    /// The same with these words more: which distribution, which packages, how many networks.
    ///
    /// # Errors
    /// When `iec lab up` fails; what it made is gone then.
    pub(crate) fn up_with(
        machine: &Machine,
        name: &str,
        hosts: usize,
        more: &[&str],
    ) -> anyhow::Result<Self> {
        let mut lab = Self {
            machine: machine.clone(),
            name: name.to_owned(),
            keep: false,
            hosts: Vec::new(),
            site: PathBuf::new(),
            identity: PathBuf::new(),
            known_hosts: PathBuf::new(),
        };
        lab.down("0-leftover");
        let count = hosts.to_string();
        let mut words = vec!["lab", "up", name, "--hosts", &count, "-o", "json"];
        let bundle = machine
            .bundle
            .as_deref()
            .map(|path| path.to_str().context("the bundle's path is no plain text"));
        if let Some(bundle) = bundle.transpose()? {
            words.extend(["--bundle", bundle]);
        }
        words.extend(more);
        let lines = machine.iec_done("lab-up", &words)?;
        let found: Answer = answer("lab", &lines)?;
        lab.hosts = found.hosts;
        lab.site = found.site_file;
        lab.identity = found.identity_file;
        lab.known_hosts = found.known_hosts_file;
        lab.keep = machine.keep;
        Ok(lab)
    }

    /// Runs one of the commands `iec lab` that are about one host of this lab.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn command(&self, verb: &str, host: &Host, more: &[&str]) -> anyhow::Result<()> {
        let log = format!("lab-{verb}-{}", host.name);
        let mut words = vec!["lab", verb, &self.name, &host.name];
        words.extend(more);
        self.machine.iec_done(&log, &words).map(drop)
    }

    fn down(&self, log: &str) {
        let log = self.machine.logs.join(format!("{log}.log"));
        // Ctrl-C has been heard already: cleaning up is what it asked for.
        let interrupt = Interrupt::default();
        let down = Program::new(
            &self.machine.logs,
            &self.machine.iec,
            ["lab", "down", &self.name],
            &interrupt,
        );
        if !down.logged(&log).is_ok_and(|ended| ended.succeeded()) {
            crate::terminal::line(format_args!(
                "the lab {} could not be removed, see {}; type: iec lab down {}",
                self.name,
                log.display(),
                self.name
            ));
        }
    }

    /// The path of the site file as an argument.
    pub(crate) fn site(&self) -> &str {
        self.site
            .to_str()
            .expect("labs are in folders with names of plain text")
    }

    /// The host of this name.
    ///
    /// # Errors
    /// When the lab has none.
    pub(crate) fn host(&self, name: &str) -> anyhow::Result<&Host> {
        let found = self.hosts.iter().find(|host| host.name == name);
        found.with_context(|| format!("the lab has no host {name}"))
    }

    /// Runs a script as root on a host, from outside of it; what it reads is `input`.
    ///
    /// # Errors
    /// When it cannot be run, or ends with another exit code than 0.
    pub(crate) fn run(&self, host: &Host, script: &str, input: &str) -> anyhow::Result<String> {
        output(&mut self.as_root(host, &["sh", "-c", script])?, input)
    }

    /// A command as root on a host: from outside of a container, by SSH in a virtual machine.
    pub(super) fn as_root(&self, host: &Host, words: &[&str]) -> anyhow::Result<Command> {
        if host.kind == Kind::Container {
            let mut podman = Command::new("podman");
            podman
                .args(["exec", "--interactive", &host.container])
                .args(words);
            return Ok(podman);
        }
        let mut ssh = Command::new("ssh");
        ssh.args(self.ssh_options())
            .arg(Self::login(host)?)
            .args(["sudo", "-n"]);
        // A shell on the host reads the words.
        ssh.args(
            words
                .iter()
                .map(|word| format!("'{}'", word.replace('\'', r"'\''"))),
        );
        Ok(ssh)
    }

    /// Runs a command on a host by SSH, as the user who logs in; what it reads is `input`.
    ///
    /// # Errors
    /// When it cannot be run, or ends with another exit code than 0.
    pub(crate) fn ssh(&self, host: &Host, words: &[&str], input: &str) -> anyhow::Result<String> {
        let mut ssh = Command::new("ssh");
        ssh.args(self.ssh_options()).arg(Self::login(host)?).args(words);
        output(&mut ssh, input)
    }

    /// Copies files and folders to a folder on a host.
    ///
    /// # Errors
    /// When one cannot be copied.
    pub(crate) fn scp(&self, host: &Host, files: &[&Path], folder: &str) -> anyhow::Result<()> {
        let mut scp = Command::new("scp");
        scp.args(self.ssh_options()).args(["-q", "-r"]).args(files);
        scp.arg(format!("{}:{folder}/", Self::login(host)?));
        output(&mut scp, "").map(drop)
    }

    /// How the hosts of this lab, and no others, are reached.
    pub(crate) fn ssh_options(&self) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.known_hosts.display());
        let identity = self.identity.display().to_string();
        let own = ["-o".to_owned(), known, "-i".to_owned(), identity];
        SSH_OPTIONS.map(str::to_owned).into_iter().chain(own).collect()
    }

    fn login(host: &Host) -> anyhow::Result<String> {
        let address = host.addresses.first().context("a host has an address")?;
        Ok(format!("edge@{address}"))
    }

    /// Runs a script of this machine's programs in a host's network.
    ///
    /// # Errors
    /// When it cannot be run, or ends with another exit code than 0.
    pub(crate) fn run_in_network(&self, host: &Host, words: &[&str]) -> anyhow::Result<String> {
        let inspect = ["inspect", "--format", "{{.State.Pid}}", &host.container];
        let process = output(Command::new("podman").args(inspect), "")?;
        output(
            Command::new("nsenter")
                .args(["--net", "--target", process.trim(), "--"])
                .args(words),
            "",
        )
    }

    /// What a host is now; the answer is kept in a log of this name.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) fn inventory(&self, host: &Host, log: &str) -> anyhow::Result<Inventory> {
        self.inventory_below(host, log, &["/"])
    }

    /// The same, with the files of these folders only.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) fn inventory_below(
        &self,
        host: &Host,
        log: &str,
        folders: &[&str],
    ) -> anyhow::Result<Inventory> {
        let mut words = vec!["sh", "-c", inventory::SCRIPT, inventory::NAME, inventory::HOST];
        words.extend(folders);
        let mut text = output(&mut self.as_root(host, &words)?, "")?;
        let mut all = Inventory::parse(&text)?;
        if host.kind == Kind::Vm {
            // Its network is its own kernel's, and a bare host has no program that lists the packet filter.
            fs::write(self.machine.logs.join(format!("{}-{log}.tsv", host.name)), text)?;
            return Ok(all);
        }
        let words = ["sh", "-c", inventory::SCRIPT, inventory::NAME, inventory::FILTERS];
        let filters = self.run_in_network(host, &words)?;
        all.extend(Inventory::parse(&filters)?);
        text.push_str(&filters);
        fs::write(self.machine.logs.join(format!("{}-{log}.tsv", host.name)), text)?;
        Ok(all)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.keep {
            let text = format_args!(
                "The lab {} is kept. Its site file: {}",
                self.name,
                self.site.display()
            );
            crate::terminal::line(text);
        } else {
            self.down("lab-down");
        }
    }
}

/// Runs a program that ends soon; gives what it printed.
pub(super) fn output(command: &mut Command, input: &str) -> anyhow::Result<String> {
    use std::io::Write as _;
    let name = Path::new(command.get_program()).display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{name} cannot be started"))?;
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let text = input.to_owned();
    // A thread, because a program may print before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let ended = child.wait_with_output()?;
    // A program that does not want to read everything is none the worse for it.
    let _ = writer.join();
    if !ended.status.success() {
        bail!(
            "{name}: {}: {}",
            ended.status,
            String::from_utf8_lossy(&ended.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_given_its_input() {
        assert_eq!(
            output(&mut Command::new("cat"), "text").expect("cat runs"),
            "text"
        );
        assert!(output(Command::new("sh").args(["-c", "echo no >&2; exit 3"]), "").is_err());
    }
}
