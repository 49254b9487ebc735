//! `iec init`: a first site file.

use std::io::ErrorKind;
use std::path::Path;

use iec_core::diagnostic::Severity;
use iec_core::release::Release;
use iec_core::site::{Example, ExampleHost, Role, example, unwritten};
use iec_sh::Word;
use serde_json::json;

use super::check::describe;
use super::{descriptors, inventories};
use crate::cli::{self, HostArgument, Init};
use crate::error::{CliError, Outcome, unwritable};
use crate::ui::{Document, Ui};
use crate::whole_file;

/// The account that the example names where nobody says another.
pub(super) const DEFAULT_USER: &str = "edge";

/// Writes the file, after asking for what the options leave open if somebody is there to answer.
pub(super) fn run(arguments: &Init, ui: &Ui) -> Result<Outcome, CliError> {
    if arguments.site.exists() && !arguments.force {
        return Err(exists(&arguments.site));
    }
    if let (Some(pdf), Some(idf)) = (&arguments.from_pdf, &arguments.idf) {
        return descriptors::run(arguments, pdf, idf, ui);
    }
    if let Some(inventory) = &arguments.from_ansible {
        return inventories::run(arguments, inventory, ui);
    }
    let asks = arguments.hosts.is_empty() && ui.can_ask();
    let name = name(arguments, asks, ui)?;
    let hosts = if asks {
        ask_hosts(ui)?
    } else {
        arguments.hosts.clone()
    };
    if hosts.is_empty() {
        return Err(CliError::refused("IEC0909", "a site needs at least one host")
            .next("iec init --host edge-1=10.0.0.11 names one; --host can be repeated"));
    }
    let user = match &arguments.user {
        Some(user) => user.clone(),
        None if asks => ui.ask("User to log in as", "--user", Some(DEFAULT_USER), |_| Ok(()))?,
        None => DEFAULT_USER.to_owned(),
    };
    finish(arguments, text(arguments, &name, &user, &hosts), ui)
}

/// Reads the text as `iec check` would, writes it, and says so.
pub(super) fn finish(arguments: &Init, text: String, ui: &Ui) -> Result<Outcome, CliError> {
    let path = arguments.site.to_string_lossy();
    let site = match unwritten::check(&text) {
        Ok(site) => site,
        Err(problems) => {
            // Written all the same it would be a riddle: the answers are still in the user's mind.
            let worst = problems
                .iter()
                .filter(|problem| problem.severity == Severity::Error)
                .count();
            let cause = format!(
                "these answers make no site file: {}",
                crate::ui::count(worst, "error")
            );
            return Err(CliError::refused("IEC0902", cause).with_diagnostics(String::new(), problems));
        }
    };
    write(arguments, &text)?;
    ui.result(
        Document::Init,
        &json!({ "file": arguments.site, "site": site }),
        || {
            let word = Word::new(path.as_ref());
            format!(
                "Wrote {path}: {}.\n\n  iec check {word} --probe\n  iec plan {word}\n",
                describe(&site)
            )
        },
    );
    Ok(Outcome::Done)
}

fn exists(path: &Path) -> CliError {
    CliError::refused("IEC0903", format!("{} exists already", path.display()))
        .next("iec init --force replaces it; or name another file")
}

fn name(arguments: &Init, asks: bool, ui: &Ui) -> Result<String, CliError> {
    let usual = name_of_folder(arguments);
    match &arguments.name {
        Some(name) => Ok(name.clone()),
        None if asks => ui.ask("Name of the site", "--name", Some(&usual), |_| Ok(())),
        None => Ok(usual),
    }
}

/// The name of a site that has no other: its folder's.
pub(super) fn name_of_folder(arguments: &Init) -> String {
    let folder = std::path::absolute(&arguments.site).ok();
    let folder = folder.as_deref().and_then(Path::parent).and_then(Path::file_name);
    folder.map_or_else(|| "site".to_owned(), |name| usual_name(&name.to_string_lossy()))
}

/// A folder's name made into one that a site may have.
fn usual_name(folder: &str) -> String {
    let name: String = folder
        .to_ascii_lowercase()
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "site".to_owned()
    } else {
        name.to_owned()
    }
}

fn ask_hosts(ui: &Ui) -> Result<Vec<HostArgument>, CliError> {
    ui.say("Type each host as name=address, the control plane first, for example edge-1=10.0.0.11. Nothing ends the list.");
    let mut hosts = Vec::new();
    loop {
        let question = format!("Host {}", hosts.len() + 1);
        let check = |text: &str| {
            if text.is_empty() {
                Ok(())
            } else {
                text.parse::<HostArgument>().map(drop)
            }
        };
        let answer = ui.ask(&question, "--host", None, check)?;
        match answer.parse() {
            Ok(host) => hosts.push(host),
            Err(_) => return Ok(hosts),
        }
    }
}

fn text(arguments: &Init, name: &str, user: &str, hosts: &[HostArgument]) -> String {
    let no_roles = hosts.iter().all(|host| host.role.is_none());
    let role = |index: usize, host: &HostArgument| match host.role {
        Some(cli::Role::ControlPlane) => Role::ControlPlane,
        None if no_roles && index == 0 => Role::ControlPlane,
        Some(cli::Role::Worker) | None => Role::Worker,
    };
    let hosts: Vec<ExampleHost<'_>> = hosts
        .iter()
        .enumerate()
        .map(|(index, host)| ExampleHost {
            name: &host.name,
            address: &host.address,
            role: role(index, host),
            host_key: None,
            further: serde_json::Map::new(),
        })
        .collect();
    let bundle = arguments.bundle.as_ref().map(|bundle| bundle.to_string_lossy());
    example(&Example {
        name,
        release: Release::names().last().unwrap_or_default(),
        bundle: bundle.as_deref(),
        user,
        identity: arguments.identity.as_deref(),
        hosts: &hosts,
        pods: None,
        services: None,
        avoid: &[],
        further: serde_json::Map::new(),
    })
}

/// Writes the file, whole or not at all; without --force only where there is none, whoever else may be writing one at
/// this moment.
fn write(arguments: &Init, text: &str) -> Result<(), CliError> {
    let path = &arguments.site;
    let put = if arguments.force {
        whole_file::replace
    } else {
        whole_file::create
    };
    put(path, text.as_bytes()).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => unwritable("IEC0910", "site file", path, &error),
    })
}

#[cfg(test)]
mod tests {
    use super::usual_name;

    #[test]
    fn a_folder_gives_a_name_that_a_site_may_have() {
        for (folder, name) in [
            ("Store_0417", "store-0417"),
            (".x", "x"),
            ("", "site"),
            ("---", "site"),
        ] {
            assert_eq!(usual_name(folder), name);
        }
        assert_eq!(usual_name(&"a".repeat(60)).len(), 40);
    }
}
