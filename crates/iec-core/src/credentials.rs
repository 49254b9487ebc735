//! The credentials of one site, as the planner sees them: made before any host exists, put on control planes only.
//!
//! This crate has no randomness and no clock: whoever makes the credentials fills these types.

use crate::secret::Secret;

/// A certificate authority: its certificate and the key that signs with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate, PEM. Public: it goes to every host.
    pub certificate_pem: String,
    /// The private key, PEM.
    pub key_pem: Secret<String>,
}

/// The keys that sign and check the tokens of service accounts (`sa.key`, `sa.pub`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountKeys {
    /// The public key, PEM (`PUBLIC KEY`).
    pub public_pem: String,
    /// The private key, PEM.
    pub private_pem: Secret<String>,
}

/// All that a site's hosts need to trust each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The random id of the site: binds the credentials to it, whatever the site file is called. Not a secret.
    pub site_id: String,
    /// How many sets this site has had, beginning with 1. A reset of the last control plane retires a set.
    pub generation: u32,
    /// The cluster's certificate authority (`ca.crt`, `ca.key`), common name `kubernetes`.
    pub cluster_ca: KeyPair,
    /// etcd's certificate authority (`etcd/ca.crt`, `etcd/ca.key`), common name `etcd-ca`.
    pub etcd_ca: KeyPair,
    /// The aggregation layer's certificate authority (`front-proxy-ca.crt`, `front-proxy-ca.key`), common name
    /// `front-proxy-ca`.
    pub front_proxy_ca: KeyPair,
    /// The certificate authority of Calico's own etcd, common name `calico-etcd-ca`; only sites that have such an etcd
    /// need one.
    pub calico_etcd_ca: Option<KeyPair>,
    /// The keys for service account tokens (`sa.key`, `sa.pub`).
    pub service_account: ServiceAccountKeys,
    /// The bootstrap token by which hosts join, `<id>.<secret>`. It belongs to a run, not to the site.
    pub token: Secret<String>,
    /// The public part of the token, six characters: the name of its Secret in the cluster is
    /// `bootstrap-token-<id>`.
    pub token_id: String,
    /// What a joining host checks the cluster's certificate authority by: `sha256:<hex>` of its
    /// SubjectPublicKeyInfo, as kubeadm's `caCertHashes` wants it.
    pub discovery_hash: String,
}
