//! `iec lab stop|start|console|snapshot|restore`: one host of a lab, its power, its words and its disk.

use iec_lab::{Lab, LabError, Labs};
use serde_json::json;

use super::lab::failed;
use crate::cli::{self, LabInsert, LabOfHost, LabSnapshot, LabStop};
use crate::error::{CliError, Outcome};
use crate::ui::{Document, Ui};

/// Runs one of these commands.
pub(super) fn run(labs: &Labs, command: &LabOfHost, ui: &Ui) -> Result<Outcome, CliError> {
    match command {
        LabOfHost::Stop(LabStop { host, cut: false }) => {
            act(labs, host, ui, "is switched off", Labs::stop_host)
        }
        LabOfHost::Stop(LabStop { host, cut: true }) => {
            act(labs, host, ui, "has lost its power", Labs::kill_host)
        }
        LabOfHost::Start(host) => act(labs, host, ui, "is up and answers by SSH", Labs::start_host),
        LabOfHost::Insert(LabInsert { host, image }) => {
            act(labs, host, ui, "has the medium in it", |labs, lab, host| {
                labs.insert(lab, host, image)
            })
        }
        LabOfHost::Eject(host) => act(labs, host, ui, "has no medium in it any more", Labs::eject),
        LabOfHost::Snapshot(LabSnapshot { host, snapshot }) => act(
            labs,
            host,
            ui,
            &format!("has the snapshot {snapshot}"),
            |labs, lab, host| labs.snapshot(lab, host, snapshot),
        ),
        LabOfHost::Restore(LabSnapshot { host, snapshot }) => act(
            labs,
            host,
            ui,
            &format!("is as the snapshot {snapshot} has it"),
            |labs, lab, host| labs.restore(lab, host, snapshot),
        ),
        LabOfHost::Console(host) => console(labs, host, ui),
    }
}

/// Does something with a host and says what it has come to.
fn act(
    labs: &Labs,
    host: &cli::LabHost,
    ui: &Ui,
    result: &str,
    work: impl FnOnce(&Labs, &Lab, &str) -> Result<(), LabError>,
) -> Result<Outcome, CliError> {
    let done = || -> Result<_, LabError> {
        let lab = labs.open(&host.name)?;
        work(labs, &lab, &host.host)?;
        labs.host_state(&lab, &host.host)
    };
    let state = done().map_err(|error| failed(&error))?;
    ui.result(
        Document::LabHost,
        &json!({ "name": host.name, "host": host.host, "state": state.name() }),
        || format!("The host {} {result}.", host.host),
    );
    Ok(Outcome::Done)
}

fn console(labs: &Labs, host: &cli::LabHost, ui: &Ui) -> Result<Outcome, CliError> {
    let text = labs
        .open(&host.name)
        .and_then(|lab| labs.console(&lab, &host.host))
        .map_err(|error| failed(&error))?;
    ui.result(
        Document::LabConsole,
        &json!({ "name": host.name, "host": host.host, "text": text }),
        || text.clone(),
    );
    Ok(Outcome::Done)
}
