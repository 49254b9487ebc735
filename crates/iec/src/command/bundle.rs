//! `iec bundle`: the content that sites are made from.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use iec_bundle::{BuildError, BuildEvent, BuildRequest, BundleError, How};
use iec_core::architecture::Architecture;
use iec_core::content::{Item, Manifest, Origin};
use iec_core::release::Release;
use serde_json::json;

use super::{interrupt, seed};
use crate::cli::{Bundle, BundleBuild, BundleFolder};
use crate::error::{CliError, Kind, Outcome};
use crate::settings::Settings;
use crate::ui::{Board, Document, Mark, Ui, count, duration, size};

/// Runs one of the bundle commands.
pub(super) fn run(command: &Bundle, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    match command {
        Bundle::Build(arguments) => {
            let folder = arguments
                .out
                .clone()
                .unwrap_or_else(|| settings.bundle(&arguments.release));
            let began = Instant::now();
            let manifest = build(&request(arguments, folder.clone(), settings)?, ui)?;
            let value = json!({ "folder": folder, "manifest": manifest });
            ui.result(Document::Bundle, &value, || {
                built_text(&folder, &manifest, began.elapsed())
            });
            Ok(Outcome::Done)
        }
        Bundle::Verify(folder) => verify(&place(folder, settings), ui),
        Bundle::Inspect(folder) => inspect(&place(folder, settings), ui),
        Bundle::Seed(arguments) => seed::run(arguments, settings, ui),
    }
}

/// The release of this name that the program carries.
pub(super) fn release(name: &str) -> Result<Release, CliError> {
    Release::bundled(name).map_err(|error| CliError::of(Kind::Refused, "IEC2901", &error))
}

fn request(arguments: &BundleBuild, output: PathBuf, settings: &Settings) -> Result<BuildRequest, CliError> {
    let architectures = if arguments.arch.is_empty() {
        vec![this_machine()?]
    } else {
        arguments.arch.clone()
    };
    Ok(BuildRequest {
        release: release(&arguments.release)?,
        architectures,
        output,
        cache: settings.content(),
        trust: settings.trust(),
        relock: arguments.relock,
        cancel: interrupt::flag(),
    })
}

/// This machine's architecture.
pub(super) fn this_machine() -> Result<Architecture, CliError> {
    let name = std::env::consts::ARCH;
    Architecture::from_uname(name).ok_or_else(|| {
        CliError::refused(
            "IEC2902",
            format!("this machine's architecture, {name}, is none that IEC builds for"),
        )
        .next("iec bundle build --arch amd64 builds for another one")
    })
}

/// Builds a bundle and shows how it grows.
pub(super) fn build(request: &BuildRequest, ui: &Ui) -> Result<Manifest, CliError> {
    let mut progress = Progress {
        board: ui.board("bundle"),
        ui,
        planned: 0,
        done: 0,
        estimates: BTreeMap::new(),
    };
    let manifest = iec_bundle::build(request, &mut |event| progress.show(&event));
    progress.board.finish();
    manifest.map_err(|error| build_failed(&error))
}

/// How far a build is, in seconds of work that were expected.
struct Progress<'ui> {
    board: Board<'ui>,
    ui: &'ui Ui,
    planned: u64,
    done: u64,
    estimates: BTreeMap<String, u64>,
}

impl Progress<'_> {
    fn show(&mut self, event: &BuildEvent) {
        self.ui.event(Document::BundleEvent, &event_json(event));
        match event {
            BuildEvent::Planned {
                parts,
                estimate_seconds,
            } => {
                self.planned = *estimate_seconds;
                if *parts > 0 {
                    let about = duration(Duration::from_secs(*estimate_seconds));
                    let text = format!("{} to build, about {about} on two cores", count(*parts, "part"));
                    self.board.line(Mark::Note, "", &text);
                }
            }
            BuildEvent::Started {
                part,
                architecture,
                estimate_seconds,
            } => {
                let lane = lane(part, *architecture);
                self.board.busy(&lane, "is being built");
                self.estimates.insert(lane, *estimate_seconds);
            }
            BuildEvent::Progress {
                part,
                architecture,
                line,
            } => {
                self.board.busy(&lane(part, *architecture), line);
            }
            BuildEvent::Finished {
                part,
                architecture,
                milliseconds,
                how,
            } => {
                let lane = lane(part, *architecture);
                self.board.idle(&lane);
                let took = duration(Duration::from_millis(*milliseconds));
                match how {
                    How::Built => {
                        self.done += self.estimates.remove(&lane).unwrap_or(0);
                        self.board.line(Mark::Done, &lane, &format!("built in {took}"));
                    }
                    How::Reused => self.board.line(Mark::Unchanged, &lane, "was built before"),
                }
            }
        }
        self.board.progress(self.done, self.planned);
    }
}

fn lane(part: &str, architecture: Option<Architecture>) -> String {
    architecture.map_or_else(
        || part.to_owned(),
        |architecture| format!("{part} ({architecture})"),
    )
}

fn event_json(event: &BuildEvent) -> serde_json::Value {
    match event {
        BuildEvent::Planned {
            parts,
            estimate_seconds,
        } => {
            json!({ "event": "planned", "parts": parts, "estimateSeconds": estimate_seconds })
        }
        BuildEvent::Started {
            part,
            architecture,
            estimate_seconds,
        } => json!({
            "event": "started", "part": part, "architecture": architecture, "estimateSeconds": estimate_seconds,
        }),
        BuildEvent::Progress {
            part,
            architecture,
            line,
        } => {
            json!({ "event": "progress", "part": part, "architecture": architecture, "line": line })
        }
        BuildEvent::Finished {
            part,
            architecture,
            milliseconds,
            how,
        } => json!({
            "event": "finished", "part": part, "architecture": architecture, "milliseconds": milliseconds,
            "built": *how == How::Built,
        }),
    }
}

fn built_text(folder: &Path, manifest: &Manifest, took: Duration) -> String {
    format!(
        "The bundle of release {} ({}) for {} is in {}: {}, {}, in {}.",
        manifest.release,
        manifest.kubernetes,
        architectures(manifest),
        folder.display(),
        count(manifest.items.len(), "item"),
        size(manifest.blobs().values().sum()),
        duration(took)
    )
}

fn architectures(manifest: &Manifest) -> String {
    let names: Vec<&str> = manifest
        .architectures
        .iter()
        .map(|architecture| architecture.go_name())
        .collect();
    crate::ui::list(&names)
}

fn place(folder: &BundleFolder, settings: &Settings) -> PathBuf {
    let newest = || {
        Release::names()
            .last()
            .map_or_else(|| settings.cache.clone(), |name| settings.bundle(name))
    };
    folder.folder.clone().unwrap_or_else(newest)
}

fn verify(folder: &Path, ui: &Ui) -> Result<Outcome, CliError> {
    let began = Instant::now();
    let report =
        iec_bundle::verify(folder).map_err(|error| bundle_failed(&error, Kind::VerificationFailed))?;
    let value = json!({
        "folder": folder, "items": report.items, "blobs": report.blobs, "bytes": report.bytes,
        "seconds": began.elapsed().as_secs_f64(),
    });
    ui.result(Document::BundleVerified, &value, || {
        format!(
            "The bundle {} is whole: {} in {}, {} read in {}.",
            folder.display(),
            count(report.items, "item"),
            count(report.blobs, "file"),
            size(report.bytes),
            duration(began.elapsed())
        )
    });
    Ok(Outcome::Done)
}

fn inspect(folder: &Path, ui: &Ui) -> Result<Outcome, CliError> {
    let failed = |error| bundle_failed(&error, Kind::Refused);
    let bundle = iec_bundle::open(folder).map_err(failed)?;
    let sizes = iec_bundle::inspect(folder).map_err(failed)?;
    let items = bundle.manifest.items.iter().zip(&sizes);
    let value = json!({
        "folder": folder,
        "manifest": bundle.manifest,
        "sizes": sizes.iter().map(|item| json!({
            "name": item.name, "architecture": item.architecture, "kind": item.kind, "digest": item.digest,
            "bytes": item.bytes, "ownBytes": item.own_bytes,
        })).collect::<Vec<_>>(),
    });
    ui.result(Document::BundleContent, &value, || {
        let manifest = &bundle.manifest;
        let mut text = format!(
            "{}: release {} ({}) of {} for {}, {}\n\n",
            folder.display(),
            manifest.release,
            manifest.kubernetes,
            manifest.source_date,
            architectures(manifest),
            size(manifest.blobs().values().sum())
        );
        let width = sizes.iter().map(|item| item.name.len()).max().unwrap_or(0);
        for (item, sized) in items {
            let architecture = sized.architecture.map_or("any", Architecture::go_name);
            let _ = writeln!(
                text,
                "{:width$}  {:8}  {architecture:5}  {:>7}  {}  {}",
                sized.name,
                sized.kind,
                size(sized.bytes),
                sized.digest.short(),
                origins(item)
            );
        }
        text
    });
    Ok(Outcome::Done)
}

/// Where an item comes from, in a few words.
fn origins(item: &Item) -> String {
    let words: Vec<String> = item
        .origin
        .iter()
        .map(|origin| match origin {
            Origin::GoModule { module, version, .. } => format!("{module} {version}"),
            Origin::File {
                module,
                version,
                path,
                ..
            } => format!("{path} of {module} {version}"),
            Origin::Debian { packages } => count(packages.len(), "Debian package"),
        })
        .collect();
    words.join(" + ")
}

/// A build's error as the command's.
pub(super) fn build_failed(error: &BuildError) -> CliError {
    let kind = match error {
        BuildError::Cancelled => Kind::Stopped,
        BuildError::GoMissing { .. }
        | BuildError::GoTooOld { .. }
        | BuildError::ToolsMissing { .. }
        | BuildError::DiskSpace { .. }
        | BuildError::Lock { .. }
        | BuildError::Busy { .. } => Kind::Refused,
        _ => Kind::StepFailed,
    };
    let mut failure = CliError::of(kind, error.code(), error).next(error.next_action());
    failure.evidence.extend(error.output().iter().cloned());
    failure
}

/// A bundle's error as the command's; `damaged` is what a damaged bundle means to the command.
pub(super) fn bundle_failed(error: &BundleError, damaged: Kind) -> CliError {
    let failure = match error {
        BundleError::Damaged { folder, problems } => {
            let mut failure = CliError::new(
                damaged,
                error.code(),
                format!("the bundle {} is damaged", folder.display()),
            );
            failure.evidence.extend(problems.iter().map(ToString::to_string));
            failure
        }
        _ => CliError::of(Kind::Refused, error.code(), error),
    };
    failure.next(error.next_action())
}
