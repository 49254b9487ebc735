//! An Ansible inventory, INI or YAML, made into a site file: Kubespray's groups, and those that others use.

mod agreed;
mod assemble;
mod configuration;
mod connection;
mod groups;
mod ini;
mod inventory;
mod letters;
mod literal;
mod naming;
mod own;
mod pattern;
mod told;
mod variable;
mod words;
mod yaml;

use iec_core::diagnostic::{Diagnostic, Diagnostics};
use iec_core::site::Role;
use iec_core::spec::source::Source;
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
    /// The name of the site, whatever the inventory says.
    pub name: Option<&'w str>,
    /// The name where nobody names another.
    pub usual_name: &'w str,
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
    /// The `ansible.cfg` that Ansible would read, if there is one.
    pub configuration: Option<File<'w>>,
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
    inventory.reconcile();
    Ok(inventory)
}

/// The text with line feeds for line ends of other kinds, each at its old place: a lone carriage return ends a line for
/// Ansible too.
#[must_use]
pub fn with_line_feeds(text: &str) -> String {
    let mut letters = text.chars().peekable();
    let mut changed = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        let ends = letter == '\r' && letters.peek() != Some(&'\n');
        changed.push(if ends { '\n' } else { letter });
    }
    changed
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
    if problems.has_errors() {
        return Err(problems);
    }
    let configuration = wanted.configuration.map_or_else(Default::default, |file| {
        configuration::read(&Source::new(file.text, file.file))
    });
    let layers = inventory.layers(&configuration);
    match assemble::site(&inventory, &layers, wanted, &mut problems) {
        Some(text) => Ok(Imported {
            text,
            warnings: problems,
        }),
        None => Err(problems),
    }
}

type Reader = fn(&Source<'_>, &mut Inventory, &mut Diagnostics);

/// Reads a file as Ansible does: as YAML where its name allows that, else as INI.
fn read_file(inventory: &mut Inventory, file: &File<'_>, problems: &mut Diagnostics) {
    let source = Source::new(file.text, file.file);
    if inventory::is_encrypted(file.text) {
        problems.push(
            Diagnostic::error("IEC0831", "all of this inventory is encrypted with ansible-vault, and IEC does not ask for its passphrase")
                .at(&source.place(0..0))
                .hint(format!("{DYNAMIC}, with --ask-vault-pass, gives one that IEC reads")),
        );
        return;
    }
    if ending(file.file) == "toml" {
        problems.push(foreign(&source, "it is TOML, which Ansible reads by a plugin"));
        return;
    }
    let attempt = |form: Reader| {
        let (mut read, mut found) = (inventory.clone(), Diagnostics::new());
        form(&source, &mut read, &mut found);
        (read, found)
    };
    let may_be_yaml = ["", "yml", "yaml", "json"].contains(&ending(file.file));
    let as_yaml = may_be_yaml.then(|| attempt(yaml::read));
    if let Some((read, found)) = as_yaml.as_ref().filter(|(_, found)| !found.has_errors()) {
        *inventory = read.clone();
        inventory.warnings.extend(found.clone());
        return;
    }
    let (read, found) = attempt(ini::read);
    let looks_like_yaml = may_be_yaml && is_yaml(file.text, file.file);
    // What is YAML but for a mistake might pass for a list of hosts; a heading could not.
    let has_heading = || {
        file.text
            .lines()
            .map(str::trim)
            .any(|line| line.starts_with('[') && line.contains(']') && !line.contains(','))
    };
    if !found.has_errors() && (!looks_like_yaml || has_heading()) {
        *inventory = read;
        return;
    }
    if let Some(reason) = dynamic(file.text) {
        problems.push(foreign(&source, reason));
        return;
    }
    problems.extend(match as_yaml {
        Some((_, found)) if looks_like_yaml => found,
        _ => found,
    });
}

/// What makes an inventory that IEC reads of one that only Ansible reads.
const DYNAMIC: &str = "ansible-inventory -i FILE --list -y > hosts.yaml";

fn foreign(source: &Source<'_>, reason: &str) -> Diagnostic {
    Diagnostic::error(
        "IEC0839",
        format!("this is no inventory in INI or YAML: {reason}"),
    )
    .at(&source.place(0..0))
    .hint(format!("{DYNAMIC} makes one of it; give that to --from-ansible"))
}

/// What a text is that Ansible takes for an inventory and IEC does not.
fn dynamic(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("#!") {
        return Some("it is a program that prints one");
    }
    if text.starts_with('{')
        && (text.contains("\"_meta\"") || text.contains("\"hostvars\"") || text.contains("\"hosts\""))
    {
        return Some("it is the JSON that programs print");
    }
    let is_plugin = |line: &str| line.starts_with("plugin:");
    text.lines()
        .any(is_plugin)
        .then_some("it is the configuration of a plugin that asks for the hosts")
}

/// Adds the variables of a file. One that cannot be read whole is refused, as Ansible refuses it; one of which all is
/// encrypted is told, and left out.
fn read_beside(inventory: &mut Inventory, beside: &Beside<'_>, problems: &mut Diagnostics) {
    if inventory::is_encrypted(beside.text) {
        let file = beside.file.escape_debug();
        inventory.sealed.push(beside.file.to_owned());
        problems.push(told::left_out(format!(
            "{file} is left out: all of it is encrypted, and IEC does not ask for a passphrase of ansible-vault"
        )));
        return;
    }
    let has_nothing = |line: &str| line.is_empty() || line.starts_with('#') || line == "---" || line == "...";
    if beside.text.lines().map(str::trim).all(has_nothing) {
        return;
    }
    let source = Source::new(beside.text, beside.file);
    let Some(variables) = yaml::variables(&source, inventory, problems) else {
        return;
    };
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
    !ending(file).is_empty()
        || first.is_some_and(|line| line.starts_with('{') || line == "---" || line.ends_with(':'))
}

/// What stands behind the last dot of a file's name, as Python's `splitext` has it.
fn ending(file: &str) -> &str {
    let name = file
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_start_matches('.');
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

#[cfg(test)]
mod tests;
