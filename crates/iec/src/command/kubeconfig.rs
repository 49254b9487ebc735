//! The administrator's kubeconfig on this machine: the site's three entries, made here, in a file that may have others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use iec_core::credentials::Credentials;
use iec_core::secret::Secret;
use iec_core::site::Site;
use iec_host::Fleet;
use jiff::Timestamp;

use super::site_file::SiteFile;
use crate::credentials::administrator;
use crate::error::CliError;
use crate::kubeconfig::{self, Left, Lock, Refusal, Selection, Wanted};

/// How long the certificate in it is valid: as long as those that kubeadm issues.
const LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Where it is kept: `kubeconfig` beside a `site.yaml`, `shop.kubeconfig` beside a `shop.yaml`.
pub(super) fn default_path(site_file: &Path) -> PathBuf {
    match site_file.file_stem() {
        Some(stem) if stem != "site" => {
            let mut name = stem.to_os_string();
            name.push(".kubeconfig");
            site_file.with_file_name(name)
        }
        _ => site_file.with_file_name("kubeconfig"),
    }
}

/// Where the entries of a site go, and whether they are to be what kubectl uses without further words.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The file.
    pub(super) path: PathBuf,
    /// Which context is selected afterwards.
    pub(super) selection: Selection,
}

impl Target {
    /// Refuses a file that cannot take the entries: before a host is touched, since an installed site without a
    /// kubeconfig would be a poor end.
    pub(super) fn refuse(
        &self,
        file: &SiteFile,
        fleet: &Fleet,
        credentials: &Credentials,
    ) -> Result<(), CliError> {
        self.changed(file, fleet, credentials).map(drop)
    }

    /// Merges the entries into the file, unless they are there and last. Gives whether it was written.
    pub(super) fn keep(
        &self,
        file: &SiteFile,
        fleet: &Fleet,
        credentials: &Credentials,
    ) -> Result<bool, CliError> {
        if self.changed(file, fleet, credentials)?.is_none() {
            return Ok(false);
        }
        let _lock = Lock::take(&self.path)?;
        // Read again: somebody may have written until the lock was ours.
        match self.changed(file, fleet, credentials)? {
            Some(text) => kubeconfig::write(&self.path, &text).map(|()| true),
            None => Ok(false),
        }
    }

    /// Whether the file has entries of this very site: then it was installed, and not taken back from here.
    pub(super) fn has_site(
        &self,
        file: &SiteFile,
        fleet: &Fleet,
        credentials: &Credentials,
    ) -> Result<bool, CliError> {
        let wanted = wanted(&file.site, fleet, credentials);
        let Some(text) = kubeconfig::read(&self.path)? else {
            return Ok(false);
        };
        match wanted.taken_out(&text) {
            Ok(left) => Ok(!matches!(left, Left::Unchanged)),
            Err(refusal) => Err(refused(&self.path, &wanted, &refusal)),
        }
    }

    /// What the file is to hold, where it does not yet.
    fn changed(
        &self,
        file: &SiteFile,
        fleet: &Fleet,
        credentials: &Credentials,
    ) -> Result<Option<Secret<String>>, CliError> {
        let wanted = wanted(&file.site, fleet, credentials);
        let refused = |refusal: Refusal| refused(&self.path, &wanted, &refusal);
        let text = kubeconfig::read_private(&self.path)?;
        let now = Timestamp::now();
        if let Some(text) = &text
            && wanted
                .is_in(text.expose(), self.selection, now.as_second())
                .map_err(refused)?
        {
            return Ok(None);
        }
        let identity = administrator(&credentials.cluster_ca, now, LIFE).map_err(|error| {
            CliError::refused("IEC3958", "the administrator's certificate cannot be issued").caused_by(&error)
        })?;
        let merged = wanted.merged(text.as_ref(), &identity, self.selection);
        merged.map(Some).map_err(refused)
    }
}

/// The entries of a site, with the way to the virtual address, or to a control plane that can be reached.
///
/// The virtual address is of the hosts' own network: where the operator knows them by other addresses, it may lead nowhere
/// from here. The certificate is checked against the endpoint's name, which all control planes' have: `--server` with the
/// address of any other works with the same entries.
fn wanted<'a>(site: &'a Site, fleet: &Fleet, credentials: &'a Credentials) -> Wanted<'a> {
    let endpoint = site.control_plane().endpoint();
    let can_be_reached = |name: &str| fleet.host(name).is_some();
    let host = site
        .control_planes()
        .find(|host| can_be_reached(host.name().as_str()))
        .or_else(|| site.control_planes().next());
    let is_of_one_network = site
        .control_planes()
        .all(|host| host.address() == host.node_address());
    let virtual_address = site
        .control_plane()
        .virtual_address()
        .filter(|_| is_of_one_network);
    let address = match (virtual_address, host) {
        (Some(address), _) => address.to_string(),
        (None, Some(host)) => host.address().to_string(),
        (None, None) => endpoint.host().to_string(),
    };
    Wanted {
        name: site.name().as_str(),
        server: format!("https://{address}:{}", endpoint.port()),
        server_name: endpoint.host().to_string(),
        authority: &credentials.cluster_ca,
    }
}

/// What became of a kubeconfig whose site is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TakenBack {
    /// There is none, or none of its entries is of the site.
    Nothing,
    /// The file is gone: IEC had made it, and nothing else was in it.
    File,
    /// The entries are gone, the file is still there.
    Entries,
}

/// Takes the entries of a site out of a kubeconfig, and the file away if IEC has made it and nothing is left in it.
pub(super) fn take_back(
    path: &Path,
    file: &SiteFile,
    fleet: &Fleet,
    credentials: &Credentials,
) -> Result<TakenBack, CliError> {
    let wanted = wanted(&file.site, fleet, credentials);
    if kubeconfig::read(path)?.is_none() {
        return Ok(TakenBack::Nothing);
    }
    let _lock = Lock::take(path)?;
    let Some(text) = kubeconfig::read(path)? else {
        return Ok(TakenBack::Nothing);
    };
    match wanted.taken_out(&text) {
        Ok(Left::Unchanged) => Ok(TakenBack::Nothing),
        Ok(Left::Nothing) => kubeconfig::remove(path).map(|()| TakenBack::File),
        Ok(Left::Others(text)) => kubeconfig::write(path, &text).map(|()| TakenBack::Entries),
        Err(refusal) => Err(refused(path, &wanted, &refusal)),
    }
}

fn refused(path: &Path, wanted: &Wanted<'_>, refusal: &Refusal) -> CliError {
    let (name, shown) = (wanted.name, path.display());
    let cause = format!("the kubeconfig {shown} is left as it is: {refusal}");
    match refusal {
        Refusal::Form(_) => CliError::refused("IEC3951", cause)
            .next(format!(
                "kubectl --kubeconfig {shown} config view shows what kubectl thinks of it"
            ))
            .next("or name another file by --kubeconfig"),
        Refusal::Foreign { .. } => CliError::refused("IEC3952", cause)
            .next("name another file by --kubeconfig")
            .next(format!(
                "or take the old entries out: `kubectl --kubeconfig {shown} config delete-context {name}`, \
                 delete-cluster and delete-user likewise"
            )),
        Refusal::Layout => CliError::refused("IEC3954", cause)
            .next("name another file by --kubeconfig")
            .next(format!(
                "kubectl --kubeconfig {shown} config view --raw writes it in the ordinary layout"
            )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_beside_the_site_file() {
        assert_eq!(
            default_path(Path::new("shop/site.yaml")),
            Path::new("shop/kubeconfig")
        );
        assert_eq!(default_path(Path::new("shop.yaml")), Path::new("shop.kubeconfig"));
    }
}
