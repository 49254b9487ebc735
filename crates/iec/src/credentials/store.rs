//! The secrets file on this machine: where it is, who may read it, and how it is written.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use iec_core::credentials::Credentials;
use iec_core::secret::Secret;
use jiff::civil::Date;

use super::document;
use super::generate::{GenerateError, calico_etcd_authority, generate, new_site_id};
use crate::error::{CliError, unreadable, unwritable};
use crate::text_file;
use crate::whole_file;

/// Where the secrets of a site are, and to which site they must belong.
#[derive(Debug, Clone)]
pub struct Place {
    /// The secrets file.
    pub path: PathBuf,
    /// The site's name.
    pub site: String,
}

impl Place {
    /// The place of the secrets of the site in `site_file`: `shop/site.yaml` has `shop/site.secrets.yaml`.
    pub fn beside(site_file: &Path, site: &str) -> Self {
        let stem = site_file.file_stem().unwrap_or(site_file.as_os_str());
        let mut name = stem.to_os_string();
        name.push(".secrets.yaml");
        Self {
            path: site_file.with_file_name(name),
            site: site.to_owned(),
        }
    }
}

/// Reads the credentials of a site; none when there is no file.
///
/// # Errors
/// When the file can be read by others, is damaged, or belongs to another site.
pub fn load(place: &Place) -> Result<Option<Credentials>, CliError> {
    let path = &place.path;
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable("IEC3905", "secrets file", path, &error)),
    };
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(
            CliError::refused("IEC3901", "the secrets file can be read by others")
                .evidence(format!("{} has mode {mode:04o}", path.display()))
                .next(format!("chmod 600 {}", path.display())),
        );
    }
    let text = text_file::read_regular(path, text_file::SECRETS)
        .map(Secret::new)
        .map_err(|error| unreadable("IEC3905", "secrets file", path, &error))?;
    let document = document::parse(text.expose()).map_err(|error| {
        CliError::refused(
            "IEC3903",
            format!("the secrets file {} is damaged", path.display()),
        )
        .caused_by(&error)
        .next("put back a copy of the file, or type `iec credentials recover` where a control plane is left")
    })?;
    if document.site != place.site {
        return Err(
            CliError::refused("IEC3902", "the secrets file belongs to another site")
                .evidence(format!(
                    "{} belongs to {}, and the site file describes {}",
                    path.display(),
                    document.site,
                    place.site
                ))
                .next("put each site file into a folder of its own, or give it the name that it had"),
        );
    }
    Ok(Some(document.credentials))
}

/// Makes the credentials of a new site and writes them; `source_date` is the date of the bundle's content. Where somebody
/// else was faster, gives those.
///
/// # Errors
/// When there is no randomness, when the file cannot be written, or when the file that came meanwhile cannot be used.
pub fn create(place: &Place, source_date: Date) -> Result<Credentials, CliError> {
    let failed = |error: GenerateError| {
        CliError::refused("IEC3906", "the credentials cannot be made").caused_by(&error)
    };
    let credentials = generate(new_site_id().map_err(failed)?, 1, source_date).map_err(failed)?;
    let file = written(place, &credentials)?;
    if let Err(error) = file.persist_noclobber(&place.path) {
        if error.error.kind() == ErrorKind::AlreadyExists
            && let Some(theirs) = load(place)?
        {
            return Ok(theirs);
        }
        return Err(unwritable("IEC3907", "secrets file", &place.path, &error.error));
    }
    sync_folder(place);
    Ok(credentials)
}

/// Adds the authority of Calico's own etcd to credentials that lack it, and to their file.
///
/// # Errors
/// When there is no randomness, or when the file cannot be written.
pub fn complete(place: &Place, credentials: Credentials, source_date: Date) -> Result<Credentials, CliError> {
    if credentials.calico_etcd_ca.is_some() {
        return Ok(credentials);
    }
    let authority = calico_etcd_authority(source_date)
        .map_err(|error| CliError::refused("IEC3906", "the credentials cannot be made").caused_by(&error))?;
    let complete = Credentials {
        calico_etcd_ca: Some(authority),
        ..credentials
    };
    replace(place, &complete)?;
    Ok(complete)
}

/// Writes changed credentials over the file: either the old or the new ones are there, never half of them.
///
/// # Errors
/// When the file cannot be written.
pub fn replace(place: &Place, credentials: &Credentials) -> Result<(), CliError> {
    let file = written(place, credentials)?;
    file.persist(&place.path)
        .map_err(|error| unwritable("IEC3907", "secrets file", &place.path, &error.error))?;
    sync_folder(place);
    Ok(())
}

/// A file of mode 0600 beside the place, complete and on the disk.
fn written(place: &Place, credentials: &Credentials) -> Result<tempfile::NamedTempFile, CliError> {
    let text = document::print(&place.site, credentials);
    whole_file::beside(&place.path, 0o600, text.expose().as_bytes())
        .map_err(|error| unwritable("IEC3907", "secrets file", &place.path, &error))
}

/// Makes the new name durable. A file system that cannot do it has done all it can.
fn sync_folder(place: &Place) {
    if let Ok(folder) = File::open(whole_file::folder_of(&place.path)) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn place(folder: &tempfile::TempDir) -> Place {
        Place::beside(&folder.path().join("site.yaml"), "store-0417")
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn it_lies_beside_the_site_file() {
        assert_eq!(
            Place::beside(Path::new("shop/site.yaml"), "a").path,
            Path::new("shop/site.secrets.yaml")
        );
        assert_eq!(
            Place::beside(Path::new("shop.yml"), "a").path,
            Path::new("shop.secrets.yaml")
        );
    }

    #[test]
    fn it_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        assert!(load(&place).unwrap().is_none());
        let made = create(&place, date(2026, 9, 1)).unwrap();
        assert_eq!(mode(&place.path), 0o600);
        assert_eq!(load(&place).unwrap().unwrap().site_id, made.site_id);
        let again = create(&place, date(2026, 9, 1)).unwrap();
        assert_eq!(again.site_id, made.site_id);
        assert_eq!(load(&place).unwrap().unwrap().site_id, made.site_id);
    }

    #[test]
    fn it_is_refused_when_others_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        create(&place, date(2026, 9, 1)).unwrap();
        fs::set_permissions(&place.path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load(&place).unwrap_err();
        assert_eq!(error.code, "IEC3901");
        assert_eq!(error.next, [format!("chmod 600 {}", place.path.display())]);
    }

    #[test]
    fn it_is_refused_for_another_site() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        create(&place, date(2026, 9, 1)).unwrap();
        let other = Place {
            site: "store-0418".into(),
            ..place
        };
        assert_eq!(load(&other).unwrap_err().code, "IEC3902");
    }

    #[test]
    fn what_an_older_file_lacks_is_added_once() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        let old = create(&place, date(2026, 9, 1)).unwrap();
        assert!(old.calico_etcd_ca.is_none());
        let new = complete(&place, old.clone(), date(2026, 9, 1)).unwrap();
        assert_eq!((&new.cluster_ca, &new.site_id), (&old.cluster_ca, &old.site_id));
        let read = load(&place).unwrap().unwrap();
        assert!(read.calico_etcd_ca.is_some());
        let again = complete(&place, read.clone(), date(2026, 9, 1)).unwrap();
        assert_eq!(again.calico_etcd_ca, read.calico_etcd_ca);
    }

    #[test]
    fn it_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(&folder);
        let mut credentials = create(&place, date(2026, 9, 1)).unwrap();
        credentials.generation = 2;
        replace(&place, &credentials).unwrap();
        assert_eq!(load(&place).unwrap().unwrap().generation, 2);
        assert_eq!(mode(&place.path), 0o600);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
