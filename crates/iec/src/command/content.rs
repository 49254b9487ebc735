//! The content that a site is made from: its bundle, Calico's manifest in it, and the charts beside the site file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use iec_bundle::{Bundle, BundleError, Trust};
use iec_core::architecture::Architecture;
use iec_core::content::{Digest, SUMS_FILE};
use iec_core::facts::Facts;
use iec_core::plan::StoreBlob;
use iec_core::release::Release;
use iec_core::site::{Cni, Datastore, HelmRelease, ReleaseId, Site};
use jiff::civil::Date;

use super::bundle::{bundle_failed, release};
use super::reach::path_beside;
use super::site_file::SiteFile;
use crate::error::{CliError, Kind, unreadable, unwritable};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::whole_file;

/// What a site is made from.
pub(super) struct Content {
    /// The versions that go together.
    pub(super) release: Release,
    /// The bundle.
    pub(super) bundle: Bundle,
    /// Calico's manifest for the site's datastore, as it is in the bundle; nothing where there is no bundle.
    pub(super) calico_manifest: Option<String>,
    /// The charts of the site's Helm releases: digest and length in bytes.
    pub(super) charts: BTreeMap<ReleaseId, (Digest, u64)>,
    chart_files: BTreeMap<Digest, PathBuf>,
    /// The record of blobs that were read before.
    trust: PathBuf,
}

impl Content {
    /// Opens the content of a site, and warns of a bundle of an older form.
    ///
    /// # Errors
    /// When there is no bundle, when it is of another release, or when a chart cannot be read.
    pub(super) fn open(file: &SiteFile, settings: &Settings, ui: &Ui) -> Result<Self, CliError> {
        let release = release(file.site.release())?;
        let folder = folder_of(file, settings);
        let bundle = iec_bundle::open(&folder).map_err(|error| bundle_failed(&error, Kind::Refused))?;
        let manifest = &bundle.manifest;
        if manifest.release != release.name || manifest.kubernetes != release.kubernetes() {
            return Err(
                CliError::refused("IEC2903", "the bundle is of another release than the site")
                    .evidence(format!(
                        "{} holds {} ({})",
                        folder.display(),
                        manifest.release,
                        manifest.kubernetes
                    ))
                    .evidence(format!(
                        "the site asks for {} ({})",
                        release.name,
                        release.kubernetes()
                    ))
                    .next(format!(
                        "iec bundle build --release {} --out {}",
                        release.name,
                        folder.display()
                    )),
            );
        }
        if !bundle.has_sums {
            ui.warn("IEC2024", &older_form(&folder));
        }
        let calico_manifest = calico_manifest(&bundle, file, &settings.trust())?;
        Self::of(release, bundle, Some(calico_manifest), file, settings)
    }

    /// The same for whoever only describes the site. Without a bundle, and with one that is not for the hosts, the names of
    /// what the release has stand for it.
    ///
    /// # Errors
    /// Those of [`Self::open`], but for a bundle that is not there.
    pub(super) fn open_or_named(
        file: &SiteFile,
        facts: &Facts,
        settings: &Settings,
        ui: &Ui,
    ) -> Result<Self, CliError> {
        let found = match iec_bundle::open(&folder_of(file, settings)) {
            Ok(bundle) => Some(bundle),
            Err(BundleError::NotABundle { .. }) => None,
            Err(_) => return Self::open(file, settings, ui),
        };
        let is_for_hosts = |bundle: &Bundle| {
            architectures(&file.site, facts)
                .iter()
                .all(|architecture| bundle.manifest.architectures.contains(architecture))
        };
        if found.as_ref().is_some_and(is_for_hosts) {
            return Self::open(file, settings, ui);
        }
        let release = release(file.site.release())?;
        // Calico's manifest is of no architecture: a bundle that is for other hosts has it too.
        let calico_manifest = found
            .filter(|bundle| bundle.manifest.release == release.name)
            .filter(|bundle| bundle.manifest.manifest(calico_name(file)).is_some())
            .map(|bundle| calico_manifest(&bundle, file, &settings.trust()))
            .transpose()?;
        let bundle = iec_bundle::unbundled(&release);
        Self::of(release, bundle, calico_manifest, file, settings)
    }

    fn of(
        release: Release,
        bundle: Bundle,
        calico_manifest: Option<String>,
        file: &SiteFile,
        settings: &Settings,
    ) -> Result<Self, CliError> {
        let mut content = Self {
            release,
            bundle,
            calico_manifest,
            charts: BTreeMap::new(),
            chart_files: BTreeMap::new(),
            trust: settings.trust(),
        };
        let problems: Vec<CliError> = file
            .site
            .helm()
            .iter()
            .filter_map(|release| content.add_chart(release, file, settings).err())
            .collect();
        match joined(problems) {
            Some(error) => Err(error),
            None => Ok(content),
        }
    }

    /// Reads the chart of a release and keeps its archive, which hosts get as it is now.
    fn add_chart(
        &mut self,
        release: &HelmRelease,
        file: &SiteFile,
        settings: &Settings,
    ) -> Result<(), CliError> {
        let path = path_beside(&file.path, release.chart(), settings);
        let chart = iec_bundle::chart(&path).map_err(|error| {
            CliError::of(Kind::Refused, "IEC2904", &error)
                .next("`chart` is a folder with a Chart.yaml, or what `helm package` makes of one")
        })?;
        if let Some(version) = release.version().filter(|version| *version != chart.version) {
            let cause = format!(
                "the chart of Helm release {} is of another version than the site asks for",
                release.id()
            );
            return Err(CliError::refused("IEC2908", cause)
                .evidence(format!("{} is {} {}", path.display(), chart.name, chart.version))
                .evidence(format!("the site asks for {version}")));
        }
        let digest = Digest::of(&chart.archive);
        let folder = settings.cache.join("charts");
        let archive = folder.join(digest.hex());
        std::fs::create_dir_all(&folder)
            .and_then(|()| whole_file::write(&archive, 0o600, &chart.archive))
            .map_err(|error| unwritable("IEC2904", "chart", &archive, &error))?;
        let size = chart.archive.len() as u64;
        self.charts.insert(release.id(), (digest, size));
        self.chart_files.insert(digest, archive);
        Ok(())
    }

    /// Where the file of a blob is on this machine.
    pub(super) fn file_of(&self, blob: &StoreBlob) -> PathBuf {
        self.chart_files
            .get(&blob.digest)
            .cloned()
            .unwrap_or_else(|| self.bundle.path_of(&blob.digest))
    }

    /// Fails when a blob that is to be sent is not what its digest says: before anything is sent.
    ///
    /// # Errors
    /// When the bundle is damaged, or cannot be read. All damaged files are named.
    pub(super) fn check<'a>(&self, blobs: impl IntoIterator<Item = &'a Digest>) -> Result<(), CliError> {
        // What a chart is was taken from its file a moment ago.
        let of_bundle = blobs
            .into_iter()
            .filter(|digest| !self.chart_files.contains_key(digest));
        be_whole(&self.bundle, &of_bundle.copied().collect(), &self.trust)
    }

    /// The date of the content: certificates begin a day before it.
    pub(super) fn source_date(&self) -> Result<Date, CliError> {
        let written = &self.bundle.manifest.source_date;
        written.parse().map_err(|error: jiff::Error| {
            CliError::refused("IEC2905", format!("the bundle's date, {written}, is no date"))
                .caused_by(&error)
        })
    }
}

/// The problems of all charts as one error: each is told, and not only the first.
fn joined(problems: Vec<CliError>) -> Option<CliError> {
    let mut problems = problems.into_iter();
    let first = problems.next()?;
    Some(problems.fold(first, |mut error, further| {
        error
            .evidence
            .push(format!("{}: {}", further.code, further.cause));
        error.evidence.extend(further.causes);
        error.evidence.extend(further.evidence);
        for action in further.next {
            if !error.next.contains(&action) {
                error.next.push(action);
            }
        }
        error
    }))
}

/// Fails when one of these blobs of a bundle is not what its digest says; `trust` is the file of what was read before.
fn be_whole(bundle: &Bundle, digests: &BTreeSet<Digest>, trust: &Path) -> Result<(), CliError> {
    let mut known = Trust::read(trust);
    bundle
        .check(digests, &mut known)
        .map_err(|error| bundle_failed(&error, Kind::Refused))?;
    // Without it everything is read again next time, and nothing else.
    if let Err(error) = known.save() {
        tracing::debug!(file = %trust.display(), %error, "the record of checked files was not written");
    }
    Ok(())
}

/// Those of the hosts, as far as they are known.
fn architectures(site: &Site, facts: &Facts) -> BTreeSet<Architecture> {
    let hosts = site.hosts().iter();
    let known = hosts.filter_map(|host| {
        let observed = facts.host(host.name().as_str());
        observed
            .and_then(|facts| facts.kernel.architecture())
            .or(host.assume().architecture())
    });
    known.collect()
}

/// Where the bundle of a site is.
fn folder_of(file: &SiteFile, settings: &Settings) -> PathBuf {
    file.site.content().map_or_else(
        || settings.bundle(file.site.release()),
        |written| path_beside(&file.path, written, settings),
    )
}

/// What the bundle calls Calico's manifest for the site's datastore.
fn calico_name(file: &SiteFile) -> &'static str {
    let Cni::Calico(calico) = file.site.network().cni();
    match calico.datastore() {
        Datastore::Kubernetes => "calico-vxlan.yaml",
        Datastore::Etcd => "calico-etcd.yaml",
    }
}

fn calico_manifest(bundle: &Bundle, file: &SiteFile, trust: &Path) -> Result<String, CliError> {
    let name = calico_name(file);
    let item = bundle.manifest.manifest(name).ok_or_else(|| {
        CliError::refused(
            "IEC2906",
            format!("the bundle has no {name}, which the site's network needs"),
        )
        .next(format!("iec bundle build --out {}", bundle.folder().display()))
    })?;
    be_whole(bundle, &[item.digest].into(), trust)?;
    let path = bundle.path_of(&item.digest);
    std::fs::read_to_string(&path).map_err(|error| unreadable("IEC2906", "manifest of Calico", &path, &error))
}

/// What a bundle in this folder has not got, and how it gets it.
fn older_form(folder: &Path) -> String {
    format!(
        "the bundle {folder} is of an older form: it has no {SUMS_FILE}, so a change to its manifest cannot be noticed; \
         `iec bundle build --out {folder}` adds it",
        folder = folder.display()
    )
}
