//! The content that a site is made from: its bundle, Calico's manifest in it, and the charts beside the site file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use iec_bundle::Bundle;
use iec_core::content::Digest;
use iec_core::plan::StoreBlob;
use iec_core::release::Release;
use iec_core::site::{Cni, Datastore};
use jiff::civil::Date;

use super::bundle::{bundle_failed, release};
use super::reach::path_beside;
use super::site_file::SiteFile;
use crate::error::{CliError, Kind, unreadable};
use crate::settings::Settings;

/// What a site is made from.
pub(super) struct Content {
    /// The versions that go together.
    pub(super) release: Release,
    /// The bundle.
    pub(super) bundle: Bundle,
    /// Calico's manifest for the site's datastore, as it is in the bundle.
    pub(super) calico_manifest: String,
    /// The charts of the site's Helm releases by release name: digest and length in bytes.
    pub(super) charts: BTreeMap<String, (Digest, u64)>,
    chart_files: BTreeMap<Digest, PathBuf>,
}

impl Content {
    /// Opens the content of a site.
    ///
    /// # Errors
    /// When there is no bundle, when it is of another release, or when a chart cannot be read.
    pub(super) fn open(file: &SiteFile, settings: &Settings) -> Result<Self, CliError> {
        let site = &file.site;
        let release = release(site.release())?;
        let folder = site.content().map_or_else(
            || settings.bundle(site.release()),
            |written| path_beside(&file.path, written, settings),
        );
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
        let calico_manifest = calico_manifest(&bundle, file)?;
        let mut content = Self {
            release,
            bundle,
            calico_manifest,
            charts: BTreeMap::new(),
            chart_files: BTreeMap::new(),
        };
        for helm in site.helm() {
            let path = path_beside(&file.path, helm.chart(), settings);
            let bytes =
                std::fs::read(&path).map_err(|error| unreadable("IEC2904", "chart", &path, &error))?;
            let digest = Digest::of(&bytes);
            content
                .charts
                .insert(helm.name().to_string(), (digest, bytes.len() as u64));
            content.chart_files.insert(digest, path);
        }
        Ok(content)
    }

    /// Where the file of a blob is on this machine.
    pub(super) fn file_of(&self, blob: &StoreBlob) -> PathBuf {
        self.chart_files
            .get(&blob.digest)
            .cloned()
            .unwrap_or_else(|| self.bundle.path_of(&blob.digest))
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

fn calico_manifest(bundle: &Bundle, file: &SiteFile) -> Result<String, CliError> {
    let Cni::Calico(calico) = file.site.network().cni();
    let name = match calico.datastore() {
        Datastore::Kubernetes => "calico-vxlan.yaml",
        Datastore::Etcd => "calico-etcd.yaml",
    };
    let item = bundle.manifest.manifest(name).ok_or_else(|| {
        CliError::refused(
            "IEC2906",
            format!("the bundle has no {name}, which the site's network needs"),
        )
        .next(format!("iec bundle build --out {}", bundle.folder().display()))
    })?;
    let path = bundle.path_of(&item.digest);
    std::fs::read_to_string(&path).map_err(|error| unreadable("IEC2906", "manifest of Calico", &path, &error))
}
