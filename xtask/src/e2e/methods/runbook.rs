//! The manual method: the blocks of the rendered runbook, pasted host by host into a plain shell.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use iec_core::render::runbook::{Block, Part, blocks};

use super::install::rendered;
use crate::e2e::lab::{Host, Lab};
use crate::e2e::machine::Machine;

/// One task of a runbook: `1.12`, or `1.A` for what is done by hand.
#[derive(Debug, Default)]
struct Task {
    /// Its blocks by what they are for.
    parts: BTreeMap<Part, String>,
}

/// Works through the book as its reader would: one host after the other, each step asked, done, and asked again.
///
/// # Errors
/// When a host cannot be reached, or a block says that one must stop.
pub(super) fn install(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    let folder = rendered(machine, lab, "runbook")?;
    let text = fs::read_to_string(folder.join("runbook.md"))?;
    let all = blocks(&text);
    for host in &lab.hosts {
        bring(lab, host, &folder, &brought(&text, &host.name)?)?;
        let session = session(&all, &host.name)?;
        fs::write(machine.logs.join(format!("{}-session.sh", host.name)), &session)?;
        let printed = lab.ssh(host, &["bash"], &session);
        let printed = printed.with_context(|| format!("the session on {}", host.name))?;
        fs::write(machine.logs.join(format!("{}-session.log", host.name)), &printed)?;
        ensure!(
            printed.ends_with("the book is worked through\n"),
            "the session on {} ended early: {}",
            host.name,
            printed.lines().rev().take(5).collect::<Vec<_>>().join(" / ")
        );
    }
    Ok(())
}

/// The folder on a host into which the book wants its files.
fn brought(text: &str, host: &str) -> anyhow::Result<String> {
    let line = text
        .lines()
        .find(|line| line.starts_with("scp -r blobs ") && line.contains(&format!(" secrets-{host} ")))
        .with_context(|| format!("the book does not say how {host} gets its content"))?;
    let target = line.rsplit(':').next().unwrap_or_default();
    Ok(target.trim_end_matches('/').to_owned())
}

/// Brings the content and the host's own secrets, and nobody else's.
fn bring(lab: &Lab, host: &Host, folder: &Path, target: &str) -> anyhow::Result<()> {
    lab.ssh(host, &["mkdir", "-p", "-m", "0700", target], "")?;
    let blobs = folder.join("blobs");
    let secrets = folder.join(format!("secrets-{}", host.name));
    lab.scp(host, &[&blobs, &secrets], target)
}

/// What is typed on a host. Where a question says that there is something to do, its step is done and asked about again;
/// whatever else it says ends the session, as the book wants it.
fn session(blocks: &[Block], host: &str) -> anyhow::Result<String> {
    let mut tasks: BTreeMap<(u8, u32), Task> = BTreeMap::new();
    for block in blocks
        .iter()
        .filter(|block| block.host == host && block.part != Part::Undo)
    {
        let task = tasks.entry(place(block)?).or_default();
        task.parts.insert(block.part, block.text.clone());
    }
    let mut text = String::new();
    for task in tasks.values() {
        match (task.parts.get(&Part::Check), task.parts.get(&Part::Apply)) {
            (Some(check), Some(apply)) => text.push_str(&format!(
                "{check}case $? in\n0) ;;\n1)\n{apply}[ $? -eq 0 ] || exit 2\n{check}[ $? -eq 0 ] || exit 2\n;;\n*) exit 4 ;;\nesac\n"
            )),
            (Some(check), None) => text.push_str(&format!("{check}[ $? -eq 0 ] || exit 4\n")),
            (None, _) => {
                for part in task.parts.values() {
                    text.push_str(&format!("{part}[ $? -eq 0 ] || exit 3\n"));
                }
            }
        }
    }
    text.push_str("echo the book is worked through\n");
    Ok(text)
}

/// Where a block belongs in the order of the book: before the steps, among them, or behind them.
fn place(block: &Block) -> anyhow::Result<(u8, u32)> {
    let (_, number) = block.number.split_once('.').context("a block has a number")?;
    let order = match block.part {
        Part::Preface => 0,
        Part::Content => 1,
        Part::Secrets => 2,
        Part::Check | Part::Apply | Part::Undo => 3,
        Part::Leave => 4,
    };
    let number = if order == 3 { number.parse()? } else { 0 };
    Ok((order, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(part: Part, number: &str, text: &str) -> Block {
        Block {
            host: "edge-1".to_owned(),
            step: None,
            part,
            number: number.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn steps_are_done_in_the_order_of_their_numbers_and_nothing_is_taken_back() {
        let blocks = [
            block(Part::Check, "1.10", "true\n"),
            block(Part::Undo, "1.9", "echo undo\n"),
            block(Part::Apply, "1.9", "done=1\n"),
            block(Part::Check, "1.9", "[ -n \"${done-}\" ]\n"),
            block(Part::Preface, "1.B", "echo preface\n"),
        ];
        let text = session(&blocks, "edge-1").expect("a session");
        let output = std::process::Command::new("sh")
            .args(["-c", &text])
            .output()
            .expect("a shell");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "preface\nthe book is worked through\n"
        );
    }

    #[test]
    fn a_step_that_does_not_take_effect_ends_the_session() {
        let blocks = [
            block(Part::Check, "1.1", "false\n"),
            block(Part::Apply, "1.1", "true\n"),
        ];
        let text = session(&blocks, "edge-1").expect("a session");
        let ended = std::process::Command::new("sh")
            .args(["-c", &text])
            .status()
            .expect("a shell");
        assert_eq!(ended.code(), Some(2));
    }
}
