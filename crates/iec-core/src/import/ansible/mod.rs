//! An Ansible inventory, INI or YAML, made into a site file: Kubespray's groups, and those that others use.

mod agreed;
mod assemble;
mod ini;
mod inventory;
mod naming;
mod origin;
mod told;
mod variable;
mod yaml;

use crate::diagnostic::Diagnostics;
use crate::site::Role;
use crate::spec::source::Source;
pub use inventory::Inventory;

/// A file of an inventory.
#[derive(Debug, Clone, Copy)]
pub struct File<'f> {
    /// Its text.
    pub text: &'f str,
    /// What messages call it. Its ending says how it is read.
    pub file: &'f str,
}

/// A file of `group_vars` or `host_vars` beside an inventory.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'b> {
    /// Whose variables it has.
    pub of: Owner<'b>,
    /// Its text.
    pub text: &'b str,
    /// What messages call it.
    pub file: &'b str,
}

/// Whose variables a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'b> {
    /// Those of a group, by its name.
    Group(&'b str),
    /// Those of a host, by its name.
    Host(&'b str),
}

/// What an inventory does not say.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// The name of the site.
    pub name: &'w str,
    /// The release to install.
    pub release: &'w str,
    /// The bundle.
    pub bundle: Option<&'w str>,
    /// The account to log in with, whatever the inventory says.
    pub user: Option<&'w str>,
    /// The account where nobody names one.
    pub usual_user: &'w str,
    /// The file of the private key, whatever the inventory says.
    pub identity: Option<&'w str>,
    /// Addresses and roles of hosts, whatever the inventory says.
    pub hosts: &'w [HostChoice<'w>],
}

/// What the user says about a host of the inventory.
#[derive(Debug, Clone, Copy)]
pub struct HostChoice<'w> {
    /// Its name, in the inventory or in the site.
    pub name: &'w str,
    /// Its address.
    pub address: &'w str,
    /// What it is to be, if the user says it.
    pub role: Option<Role>,
}

/// What an inventory became.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The text of the site file. It may still break rules of sites: read it before you trust it.
    pub text: String,
    /// What somebody should know: what was left out, where passwords were.
    pub warnings: Diagnostics,
}

/// Reads the files of an inventory, in the order in which each adds to those before it.
///
/// # Errors
/// Everything that cannot be read.
pub fn read(files: &[File<'_>]) -> Result<Inventory, Diagnostics> {
    let mut inventory = Inventory::default();
    let mut problems = Diagnostics::new();
    for file in files {
        read_file(&mut inventory, file, &mut problems);
    }
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(inventory)
}

/// Makes a site file of an inventory and the files beside it, the weaker of two for one owner first.
///
/// # Errors
/// Everything that is wrong with it: no control plane, hosts without an address, values that no site may have.
pub fn import(
    mut inventory: Inventory,
    beside: &[Beside<'_>],
    wanted: &Wanted<'_>,
) -> Result<Imported, Diagnostics> {
    let mut problems = std::mem::take(&mut inventory.warnings);
    for beside in beside {
        read_beside(&mut inventory, beside, &mut problems);
    }
    match assemble::site(&inventory, wanted, &mut problems) {
        Some(text) => Ok(Imported {
            text,
            warnings: problems,
        }),
        None => Err(problems),
    }
}

type Reader = fn(&Source<'_>, &mut Inventory, &mut Diagnostics);

/// Reads a file in the form that it seems to have, and in the other one where only that can be read.
fn read_file(inventory: &mut Inventory, file: &File<'_>, problems: &mut Diagnostics) {
    let source = Source::new(file.text, file.file);
    let forms: [Reader; 2] = if is_yaml(file.text, file.file) {
        [yaml::read, ini::read]
    } else {
        [ini::read, yaml::read]
    };
    let attempt = |form: Reader| {
        let (mut read, mut found) = (inventory.clone(), Diagnostics::new());
        form(&source, &mut read, &mut found);
        (read, found)
    };
    let (read, found) = attempt(forms[0]);
    if !found.has_errors() {
        *inventory = read;
        return;
    }
    let (other, others) = attempt(forms[1]);
    // A list of YAML's could pass for hosts; a heading could not. Ansible never takes a file named .ini for YAML.
    let lines = file.text.lines().map(str::trim);
    let is_other = if is_yaml(file.text, file.file) {
        lines
            .into_iter()
            .any(|line| line.starts_with('[') && line.contains(']') && !line.contains(','))
    } else {
        !ends(file.file, ".ini")
    };
    if is_other && !others.has_errors() {
        *inventory = other;
    } else {
        problems.extend(found);
    }
}

/// Adds the variables of a file; one that cannot be read is told, and left out.
fn read_beside(inventory: &mut Inventory, beside: &Beside<'_>, problems: &mut Diagnostics) {
    let file = beside.file.escape_debug();
    if inventory::is_encrypted(beside.text) {
        problems.push(told::left_out(format!(
            "{file} is left out: all of it is encrypted, and IEC does not ask for a passphrase of ansible-vault"
        )));
        return;
    }
    let has_nothing = |line: &str| line.is_empty() || line.starts_with('#') || line == "---" || line == "...";
    if beside.text.lines().map(str::trim).all(has_nothing) {
        return;
    }
    let mut found = Diagnostics::new();
    let source = Source::new(beside.text, beside.file);
    let variables = yaml::variables(&source, inventory, &mut found);
    // Without a place: what is drawn there would be of another file, and might be a password.
    for problem in &found {
        let line = problem.place.as_ref().map_or(1, |place| place.line);
        problems.push(told::left_out(format!(
            "a part of {file} is left out, line {line} cannot be read"
        )));
    }
    let Some(variables) = variables else { return };
    match beside.of {
        Owner::Group(name) => inventory.group(name).beside.extend(variables),
        Owner::Host(name) => {
            if let Some(host) = inventory.hosts.iter_mut().find(|host| host.name == name) {
                host.beside.extend(variables);
            }
        }
    }
}

/// By its name; else a first line that ends with a colon is a group of a YAML inventory, and one that begins with a brace JSON.
fn is_yaml(text: &str, file: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let looks = |line: &str| line == "---" || line.ends_with(':');
    [".yml", ".yaml", ".json"].iter().any(|ending| ends(file, ending))
        || first.is_some_and(|line| line.starts_with('{') || (!ends(file, ".ini") && looks(line)))
}

fn ends(file: &str, ending: &str) -> bool {
    file.to_ascii_lowercase().ends_with(ending)
}

#[cfg(test)]
mod tests;
