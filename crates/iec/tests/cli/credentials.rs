//! The credentials of a site, as kubeadm sees them.

use std::path::Path;
use std::process::Command;

use iec::credentials::{Place, create};
use iec_core::credentials::{Credentials, KeyPair};

/// Puts the credentials where kubeadm looks for them.
fn lay_out(folder: &Path, credentials: &Credentials) {
    std::fs::create_dir_all(folder.join("etcd")).unwrap();
    let pair = |name: &str, pair: &KeyPair| {
        std::fs::write(folder.join(format!("{name}.crt")), &pair.certificate_pem).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), pair.key_pem.expose()).unwrap();
    };
    pair("ca", &credentials.cluster_ca);
    pair("etcd/ca", &credentials.etcd_ca);
    pair("front-proxy-ca", &credentials.front_proxy_ca);
    std::fs::write(folder.join("sa.pub"), &credentials.service_account.public_pem).unwrap();
    std::fs::write(
        folder.join("sa.key"),
        credentials.service_account.private_pem.expose(),
    )
    .unwrap();
}

#[test]
#[ignore = "needs kubeadm in PATH"]
fn kubeadm_uses_them_and_makes_none_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::beside(&folder.path().join("site.yaml"), "store-0417");
    let credentials = create(&place, jiff::civil::date(2026, 9, 1)).unwrap();
    let pki = folder.path().join("pki");
    lay_out(&pki, &credentials);
    let configuration = format!(
        "apiVersion: kubeadm.k8s.io/v1beta4\n\
         kind: InitConfiguration\n\
         localAPIEndpoint: {{advertiseAddress: 10.0.0.11}}\n\
         nodeRegistration: {{name: edge-1}}\n\
         bootstrapTokens: [{{token: \"{}\"}}]\n\
         ---\n\
         apiVersion: kubeadm.k8s.io/v1beta4\n\
         kind: ClusterConfiguration\n\
         kubernetesVersion: v1.36.3\n\
         encryptionAlgorithm: ECDSA-P256\n\
         certificatesDir: {}\n",
        credentials.token.expose(),
        pki.display(),
    );
    let file = folder.path().join("kubeadm.yaml");
    std::fs::write(&file, configuration).unwrap();
    let output = Command::new("kubeadm")
        .args(["init", "phase", "certs", "all", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for kept in [
        "existing ca certificate",
        "existing front-proxy-ca",
        "existing etcd/ca",
        "existing \"sa\" key",
    ] {
        assert!(said.contains(kept), "{kept} is missing in:\n{said}");
    }
}
