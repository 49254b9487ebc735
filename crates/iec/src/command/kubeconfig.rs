//! The administrator's kubeconfig: read from a control plane by root over SSH, kept 0600 beside the site file.

use std::path::{Path, PathBuf};

use iec_core::secret::Secret;
use iec_core::site::{EndpointHost, Site, SiteHost};
use iec_host::Fleet;
use iec_sh::{Cmd, Program};

use super::control_plane;
use super::site_file::SiteFile;
use crate::error::{CliError, Kind, unwritable};
use crate::whole_file;

/// Where kubeadm keeps it on a control plane.
const ON_HOST: &str = "/etc/kubernetes/admin.conf";

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

/// Reads it from a control plane, as the host has it.
///
/// # Errors
/// When no control plane can be asked, or none of them has one.
pub(super) async fn read(site: &Site, fleet: &Fleet) -> Result<(SiteHost, Secret<String>), CliError> {
    let question = Cmd::new(Program::Cat).words(["--", ON_HOST]).into();
    control_plane::ask(site, fleet, &question, |said| {
        let cause = "there is no cluster on the site's control planes";
        let mut error = CliError::new(Kind::CouldNotTell, "IEC4902", cause);
        error.evidence = said;
        error.next("iec apply installs one")
    })
    .await
}

/// Keeps it on this machine, for this machine: with the address at which the control plane is reached from here.
pub(super) async fn keep(file: &SiteFile, fleet: &Fleet, path: &Path) -> Result<(), CliError> {
    let (host, text) = read(&file.site, fleet).await?;
    let endpoint = file.site.control_plane().endpoint();
    let text = for_operator(
        &text,
        &host.address().to_string(),
        endpoint.port(),
        endpoint.host(),
    )
    .ok_or_else(|| {
        CliError::new(
            Kind::CouldNotTell,
            "IEC4903",
            format!("{ON_HOST} of {} is of an unknown form", host.name()),
        )
        .next("kubectl can still be used on the control plane itself")
    })?;
    write(path, &text)
}

/// Writes it so that only its owner may read it.
fn write(path: &Path, text: &Secret<String>) -> Result<(), CliError> {
    whole_file::write(path, 0o600, text.expose().as_bytes())
        .map_err(|error| unwritable("IEC4904", "kubeconfig", path, &error))
}

/// The same kubeconfig with another way to the API server, which shows the same certificate there.
fn for_operator(
    text: &Secret<String>,
    address: &str,
    port: u16,
    endpoint: &EndpointHost,
) -> Option<Secret<String>> {
    let mut servers = 0;
    let changed = text.map(|text| {
        let mut changed = String::with_capacity(text.len() + 100);
        for line in text.lines() {
            let indentation = &line[..line.len() - line.trim_start().len()];
            if line.trim_start().starts_with("server: ") {
                servers += 1;
                changed.push_str(&format!("{indentation}server: https://{address}:{port}\n"));
                changed.push_str(&format!("{indentation}tls-server-name: {endpoint}\n"));
            } else {
                changed.push_str(line);
                changed.push('\n');
            }
        }
        changed
    });
    (servers == 1).then_some(changed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const ADMIN: &str = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QQ==\n    \
                         server: https://api.a.iec.internal:6443\n  name: kubernetes\n";

    #[test]
    fn the_server_is_reached_by_its_address_under_its_name() {
        let endpoint = EndpointHost::Name("api.a.iec.internal".parse().unwrap());
        let changed = for_operator(&Secret::new(ADMIN.to_owned()), "10.0.0.11", 6443, &endpoint).unwrap();
        assert!(changed.expose().contains(
            "\n    server: https://10.0.0.11:6443\n    tls-server-name: api.a.iec.internal\n  name: kubernetes\n"
        ));
        let none = Secret::new("apiVersion: v1\n".to_owned());
        assert!(for_operator(&none, "10.0.0.11", 6443, &endpoint).is_none());
    }

    #[test]
    fn it_lies_beside_the_site_file_for_its_owner_only() {
        assert_eq!(
            default_path(Path::new("shop/site.yaml")),
            Path::new("shop/kubeconfig")
        );
        assert_eq!(default_path(Path::new("shop.yaml")), Path::new("shop.kubeconfig"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        write(&path, &Secret::new("a".to_owned())).unwrap();
        write(&path, &Secret::new("b".to_owned())).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
