//! Ansible: an inventory, and a role whose tasks are the steps of the plan, each run by the one runner of IEC.
//!
//! The role is the same for every site; what differs is data: an inventory, a file of variables per host, and for each step two
//! scripts, one that only asks (for `--check`) and one that does what is needed.

mod inventory;

pub use inventory::{HOST_VARIABLE, SITE_NAME, SITE_VARIABLE, WITHOUT_HELM};

use iec_sh::{Mode, RunnerScript};

use super::script::Host;
use super::{File, Files, Options, SEAL_ITERATIONS, Subject};
use crate::plan::{HOME, HostPart, lower};
use crate::render::carried;

/// The files that are the same for every site, by their path.
const ROLE: [(&str, &str); 7] = [
    ("ansible.cfg", include_str!("role/ansible.cfg")),
    ("roles/iec/defaults/main.yml", include_str!("role/defaults.yml")),
    ("roles/iec/tasks/content.yml", include_str!("role/content.yml")),
    ("roles/iec/tasks/pieces.yml", include_str!("role/pieces.yml")),
    ("roles/iec/tasks/main.yml", include_str!("role/main.yml")),
    ("roles/iec/tasks/secrets.yml", include_str!("role/secrets.yml")),
    ("roles/iec/tasks/step.yml", include_str!("role/step.yml")),
];

/// The inventory, the playbook, its role, and what the hosts need.
pub(super) fn files(subject: &Subject<'_>, options: &Options) -> Files {
    let mut files = carried(subject, options);
    for (path, text) in ROLE {
        let text = text.replace("@ITERATIONS@", &SEAL_ITERATIONS.to_string());
        files.insert(path.to_owned(), File::text(text));
    }
    let mut put = |path: String, text: String| files.insert(path, File::text(text));
    put("inventory.yml".to_owned(), inventory::inventory(subject));
    put(
        "site.yml".to_owned(),
        inventory::playbook(subject, options.secrets),
    );
    put(
        "roles/iec/files/secrets.sh".to_owned(),
        iec_sh::unpack_secrets(HOME),
    );
    let known = inventory::known_hosts(subject);
    if !known.is_empty() {
        put("known_hosts".to_owned(), known);
    }
    for part in &subject.plan.hosts {
        let compare = Host::of(subject, part).and_then(|host| host.compare());
        put(
            format!("host_vars/{}.yml", part.host),
            inventory::host_variables(part, compare.is_some()),
        );
        if let Some(text) = compare {
            put(format!("steps/{}/assumed.sh", part.host), text);
        }
        let owner = format!("ansible-playbook for {}, rendered by {}", part.host, subject.who);
        put(
            format!("steps/{}/observe.sh", part.host),
            part.script(&owner, subject.run, Mode::Observe),
        );
        put(
            format!("steps/{}/content.sh", part.host),
            iec_sh::missing_blobs(HOME, part.blobs.iter().map(|blob| blob.digest.hex())),
        );
        for (name, mode, text) in steps(part, &owner, subject.run) {
            put(format!("steps/{}/{name}.{mode}.sh", part.host), text);
        }
    }
    files
}

/// The scripts of each step: name, mode and text.
fn steps<'a>(
    part: &'a HostPart,
    owner: &'a str,
    run: &'a str,
) -> impl Iterator<Item = (String, &'static str, String)> {
    part.steps.iter().enumerate().flat_map(move |(index, step)| {
        let runner = [lower(step).runner_step(step)];
        [("check", Mode::Observe), ("apply", Mode::Apply)].map(|(name, mode)| {
            let script = RunnerScript {
                home: HOME,
                owner,
                run,
                steps: &runner,
                admission: 0,
                whole: false,
                undo: &[],
            };
            (file_name(index, step.id.as_str()), name, script.text(mode))
        })
    })
}

/// The name of a step's files, which sort as the steps run.
fn file_name(index: usize, id: &str) -> String {
    format!("{:03}-{id}", index + 1)
}
