//! Seeds: images that are unpacked on this machine for hosts that are slow at it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use iec_bundle::{SeedError, SeedRequest, Trust, make_seed, read_seed};
use iec_core::architecture::Architecture;
use iec_core::content::Digest;
use iec_core::facts::Facts;
use iec_core::name::HostName;
use iec_core::pace::Pace;
use iec_core::seed::{Seed, SeedLabel};
use iec_core::site::{Role, SiteHost};
use serde_json::json;

use super::content::Content;
use super::site_file::{self, SiteFile};
use super::{facts_file, interrupt};
use crate::cli::BundleSeed;
use crate::error::{CliError, Kind, Outcome};
use crate::settings::Settings;
use crate::ui::{Document, Ui, count, duration, size};

/// Makes a seed for one host.
pub(super) fn run(arguments: &BundleSeed, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    ui.diagnostics(&file.warnings, &file.text);
    let host = host_of(&file, &arguments.host)?;
    let facts = arguments.facts.as_deref().map(facts_file::read).transpose()?;
    let content = Content::open(&file, settings, ui)?;
    let architecture = architecture(host, facts.as_ref()).ok_or_else(|| {
        let cause = format!("nobody says which architecture {} has", host.name());
        CliError::refused("IEC2911", cause)
            .next("iec check --probe --facts-out FILE asks it; then give FILE with --facts")
            .next("or write `assume: {architecture: arm64}` for it in the site file")
    })?;
    let label = label(&content, &[host], host.role(), architecture)?;
    let began = Instant::now();
    let places = Places::of(settings);
    let seed = places
        .make(&content, &label, &arguments.out, ui)
        .map_err(|error| failed(&error))?;
    let out = arguments.out.display();
    let value = json!({
        "file": arguments.out, "digest": seed.digest, "bytes": seed.size, "label": seed.label,
        "seconds": began.elapsed().as_secs_f64(),
    });
    ui.result(Document::Seed, &value, || {
        format!(
            "{out} has {} for {architecture} unpacked for {}: {} in {}.\n\n  iec apply {} --seed {out}\n",
            count(seed.label.images.len(), "image"),
            host.name(),
            size(seed.size),
            duration(began.elapsed()),
            file.word(),
        )
    });
    Ok(Outcome::Done)
}

/// What becomes of hosts that are slow at unpacking images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seeding {
    /// It is said for which of them this machine would do it.
    Say,
    /// This machine does it.
    Do,
}

/// The seeds of a run.
#[derive(Debug)]
pub(super) struct Seeds {
    seeding: Seeding,
    places: Places,
    by_host: BTreeMap<HostName, Seed>,
    files: BTreeMap<Digest, PathBuf>,
    /// Those that this run made, or an earlier one that did not come to its end.
    own: Vec<PathBuf>,
}

impl Seeds {
    /// None yet.
    pub(super) fn new(seeding: Seeding, settings: &Settings) -> Self {
        Self {
            seeding,
            places: Places::of(settings),
            by_host: BTreeMap::new(),
            files: BTreeMap::new(),
            own: Vec::new(),
        }
    }

    /// Takes seeds that somebody has made.
    ///
    /// # Errors
    /// When a file is no seed, or is for none of the site's hosts.
    pub(super) fn given(mut self, paths: &[PathBuf], file: &SiteFile) -> Result<Self, CliError> {
        for path in paths {
            let seed = read_seed(path).map_err(|error| failed(&error))?;
            let mut hosts = file.site.present_hosts().map(SiteHost::name);
            if !hosts.any(|name| seed.label.hosts.iter().any(|host| host == name.as_str())) {
                let cause = format!("the seed {} is for no host of this site", path.display());
                return Err(CliError::refused("IEC2912", cause)
                    .evidence(format!("it is for {}", seed.label.hosts.join(", ")))
                    .next(format!("iec bundle seed {} --host HOST --out FILE", file.word())));
            }
            self.take(file, seed, path);
        }
        Ok(self)
    }

    fn take(&mut self, file: &SiteFile, seed: Seed, path: &Path) {
        let hosts = file.site.present_hosts().map(SiteHost::name);
        for name in hosts.filter(|name| seed.label.hosts.iter().any(|host| host == name.as_str())) {
            self.by_host.insert(name.clone(), seed.clone());
        }
        self.files.insert(seed.digest, path.to_owned());
    }

    /// Makes those that pay: for hosts that are slow at unpacking, and have no images yet. Where this machine cannot, it
    /// says why, and the host unpacks its images itself.
    pub(super) fn prepare(&mut self, file: &SiteFile, content: &Content, facts: &Facts, ui: &Ui) {
        let mut groups: BTreeMap<(Architecture, Role), Vec<&SiteHost>> = BTreeMap::new();
        for host in file.site.present_hosts().filter(|host| self.pays(host, facts)) {
            if let Some(architecture) = architecture(host, Some(facts)) {
                groups.entry((architecture, host.role())).or_default().push(host);
            }
        }
        for ((architecture, role), hosts) in groups {
            let names: Vec<&str> = hosts.iter().map(|host| host.name().as_str()).collect();
            let names = names.join(", ");
            if self.seeding == Seeding::Say {
                ui.say(&format!(
                    "`iec apply` unpacks the images of {names} on this machine, if it can: it is quicker at it."
                ));
                continue;
            }
            let made = label(content, &hosts, role, architecture).and_then(|label| {
                self.places
                    .have(content, &label, ui)
                    .map_err(|error| failed(&error))
            });
            match made {
                Ok((seed, path)) => {
                    self.take(file, seed, &path);
                    self.own.push(path);
                }
                Err(error) => ui.warn(
                    &error.code,
                    &format!(
                        "{names} will unpack the images, which takes longer there: {}",
                        error.cause
                    ),
                ),
            }
        }
    }

    fn pays(&self, host: &SiteHost, facts: &Facts) -> bool {
        let known = facts.host(host.name().as_str());
        let pays = known.is_some_and(|facts| Pace::of(facts).seeds_images() && !facts.software.runtime_data);
        pays && !self.by_host.contains_key(host.name())
    }

    /// Those of the hosts.
    pub(super) fn by_host(&self) -> &BTreeMap<HostName, Seed> {
        &self.by_host
    }

    /// Where the archive with this digest is, if it is a seed.
    pub(super) fn file_of(&self, digest: &Digest) -> Option<&Path> {
        self.files.get(digest).map(PathBuf::as_path)
    }

    /// Removes what this run has made: its hosts have it. After a run that failed it stays, so that what was sent of it
    /// is of use.
    pub(super) fn remove(&self) {
        for path in &self.own {
            // It is in the cache, where everything may be removed at any time.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Where seeds are made.
#[derive(Debug)]
struct Places {
    folder: PathBuf,
    trust: PathBuf,
}

impl Places {
    fn of(settings: &Settings) -> Self {
        Self {
            folder: settings.cache.join("seeds"),
            trust: settings.trust(),
        }
    }

    /// The seed with this label in the cache, made where it is not there.
    fn have(&self, content: &Content, label: &SeedLabel, ui: &Ui) -> Result<(Seed, PathBuf), SeedError> {
        let name = Digest::of(label.to_json().as_bytes()).short();
        let path = self.folder.join(format!("{name}.tar.gz"));
        if let Ok(seed) = read_seed(&path)
            && seed.label == *label
        {
            return Ok((seed, path));
        }
        Ok((self.make(content, label, &path, ui)?, path))
    }

    fn make(&self, content: &Content, label: &SeedLabel, out: &Path, ui: &Ui) -> Result<Seed, SeedError> {
        let mut board = ui.board("seed");
        let images = count(label.images.len(), "image");
        let text = format!("{images} for {} are unpacked here", label.architecture);
        board.busy(&label.hosts.join(", "), &text);
        let mut trust = Trust::read(&self.trust);
        let cancel = interrupt::flag();
        let request = SeedRequest {
            bundle: &content.bundle,
            label,
            work: &self.folder,
            out,
            cancel: &cancel,
        };
        let made = make_seed(&request, &mut trust);
        board.finish();
        // Without the record everything is read again next time, and nothing else.
        if let Err(error) = trust.save() {
            tracing::debug!(%error, "the record of checked files was not written");
        }
        made
    }
}

fn host_of<'a>(file: &'a SiteFile, name: &str) -> Result<&'a SiteHost, CliError> {
    let found = file
        .site
        .present_hosts()
        .find(|host| host.name().as_str() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = file
            .site
            .present_hosts()
            .map(|host| host.name().as_str())
            .collect();
        CliError::refused("IEC2911", format!("the site has no host {name}"))
            .evidence(format!("its hosts are {}", names.join(", ")))
    })
}

/// That of a host, as it says itself, or the site file says it; never what is taken for granted of any host.
fn architecture(host: &SiteHost, facts: Option<&Facts>) -> Option<Architecture> {
    let known = facts.and_then(|facts| facts.host(host.name().as_str()));
    let observed = known.filter(|facts| !facts.kernel.is_assumed());
    observed
        .and_then(|facts| facts.kernel.architecture())
        .or(host.assume().architecture())
}

fn label(
    content: &Content,
    hosts: &[&SiteHost],
    role: Role,
    architecture: Architecture,
) -> Result<SeedLabel, CliError> {
    let names = hosts.iter().map(|host| host.name().to_string());
    let manifest = &content.bundle.manifest;
    SeedLabel::wanted(&content.release, manifest, names, role, architecture).ok_or_else(|| {
        let known: Vec<&str> = manifest
            .architectures
            .iter()
            .map(|known| known.go_name())
            .collect();
        let cause = format!(
            "the bundle is for {}, and host {} is {architecture}",
            known.join(" and "),
            hosts[0].name()
        );
        CliError::refused("IEC3003", cause).next(format!(
            "iec bundle build --arch {},{architecture}",
            known.join(",")
        ))
    })
}

fn failed(error: &SeedError) -> CliError {
    let kind = if matches!(error, SeedError::Cancelled) {
        Kind::Stopped
    } else {
        Kind::Refused
    };
    CliError::of(kind, error.code(), error).next(error.next_action())
}
