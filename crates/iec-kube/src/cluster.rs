//! The way to the cluster: one client for each control plane, every call with a deadline.

use std::future::Future;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Limited;
use iec_core::secret::Secret;
use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::client::{ClientBuilder, DynBody};
use kube::config::AuthInfo;
use kube::{Api, Client, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::time::{sleep, timeout};
use tower::util::MapResponseLayer;

use crate::error::{KubeError, Reach, reach_of};
use crate::expected::Expected;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(4);
/// How long an ordinary request may take, on a host of ordinary speed.
const CALL: Duration = Duration::from_secs(10);
/// How often an API server that is not ready is asked again, and how long after the answer before.
const ASKED_AGAIN: usize = 3;
const PAUSE: Duration = Duration::from_secs(2);

/// What is needed to speak with a cluster whose endpoint name the operator's machine cannot resolve.
#[derive(Debug, Clone)]
pub struct Access {
    /// The certificate of the cluster's authority, PEM: whom it has not signed is not believed.
    pub authority: String,
    /// The certificate to log in with, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: Secret<String>,
    /// The name that the API servers' certificates carry: the host part of the site's endpoint.
    pub server_name: String,
    /// By which factor everything may be slower than on an ordinary host; at least 1.
    pub slowness: f64,
}

/// One API server and the client that speaks with it alone.
#[derive(Clone)]
pub(crate) struct Server {
    /// The name of its host.
    pub(crate) host: String,
    /// Where it listens, as `address:port`.
    pub(crate) address: String,
    pub(crate) client: Client,
    pub(crate) config: Config,
}

impl Server {
    fn new(host: &str, address: String, config: Config) -> Result<Self, KubeError> {
        let builder = ClientBuilder::try_from(config.clone()).map_err(|source| KubeError::Client {
            source: Box::new(source),
        })?;
        let client = builder
            .with_layer(&MapResponseLayer::new(bounded::<Box<DynBody>>))
            .build();
        Ok(Self {
            host: host.to_owned(),
            address,
            client,
            config,
        })
    }
}

/// A cluster that can be asked. Nothing is sent before the first question.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) servers: Vec<Server>,
    /// Whoever has the site's virtual address, known by that address.
    pub(crate) virtual_server: Option<Server>,
    pub(crate) server_name: String,
    slowness: f64,
}

impl Cluster {
    /// Prepares a client for the API server of each control plane, at the address at which the operator
    /// reaches its host, with the certificate checked against the endpoint's name.
    ///
    /// # Errors
    /// The credentials make no client, or the site has no control plane.
    pub fn new(access: &Access, expected: &Expected) -> Result<Self, KubeError> {
        // Another part of the program may have installed it already; both are the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut servers = Vec::new();
        for node in expected.control_planes() {
            let address = format!("{}:{}", node.operator_address, expected.api_port);
            let config = config_for(access, &address)?;
            servers.push(Server::new(&node.name, address, config)?);
        }
        if servers.is_empty() {
            return Err(KubeError::NoControlPlane);
        }
        let virtual_server = match expected.virtual_address {
            Some(address) => {
                let address = format!("{address}:{}", expected.api_port);
                let mut config = config_for(access, &address)?;
                config.tls_server_name = None;
                Some(Server::new("", address, config)?)
            }
            None => None,
        };
        Ok(Self {
            servers,
            virtual_server,
            server_name: access.server_name.clone(),
            slowness: access.slowness.max(1.0),
        })
    }

    /// A cluster whose one API server is behind this client.
    #[cfg(test)]
    pub(crate) fn of_client(client: Client) -> Self {
        let url = "https://192.0.2.11:6443".parse().expect("an address");
        let server = Server {
            host: "edge-1".to_owned(),
            address: "192.0.2.11:6443".to_owned(),
            client,
            config: Config::new(url),
        };
        Self {
            servers: vec![server],
            virtual_server: None,
            server_name: "api".to_owned(),
            slowness: 1.0,
        }
    }

    /// A duration for a host of ordinary speed, as long as it must be for this site.
    #[must_use]
    pub fn patient(&self, ordinary: Duration) -> Duration {
        ordinary.mul_f64(self.slowness)
    }

    /// How long an ordinary request may take.
    pub(crate) fn call_deadline(&self) -> Duration {
        self.patient(CALL)
    }

    /// Asks one server whether it is ready. One that says no is asked again for a moment: it says so in passing when its
    /// etcd waited for the disk.
    pub(crate) async fn ready(&self, server: &Server) -> Result<(), KubeError> {
        let mut answer = self.ask_ready(server).await;
        for _ in 0..ASKED_AGAIN {
            let says_no = |error: &KubeError| matches!(reach_of(error), Reach::Wrong(_));
            if !answer.as_ref().is_err_and(says_no) {
                break;
            }
            sleep(self.patient(PAUSE)).await;
            answer = self.ask_ready(server).await;
        }
        answer
    }

    async fn ask_ready(&self, server: &Server) -> Result<(), KubeError> {
        let what = format!("asking {} for /readyz", server.address);
        let answer = server.client.request_text(http_get("/readyz"));
        within(self.patient(CONNECT + CALL / 2), what, answer)
            .await
            .map(drop)
    }

    /// Asks one server for something that strangers may not have.
    pub(crate) async fn access(&self, server: &Server) -> Result<(), KubeError> {
        let nodes: Api<Node> = Api::all(server.client.clone());
        let first = ListParams::default().limit(1);
        let listing = nodes.list(&first);
        within(self.call_deadline(), "listing nodes", listing)
            .await
            .map(drop)
    }
}

/// Waits for an answer of the API, but not for ever.
pub(crate) async fn within<T>(
    deadline: Duration,
    what: impl Into<String>,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, KubeError> {
    let what = what.into();
    match timeout(deadline, call).await {
        Ok(answer) => answer.map_err(|source| KubeError::Api {
            what,
            source: Box::new(source),
        }),
        Err(_) => Err(KubeError::Deadline { what, deadline }),
    }
}

/// The largest answer that is read, in bytes: thousands of pods fit into it.
const LARGEST_ANSWER: usize = 64 << 20;

/// An answer that ends with an error where it would be larger: whoever answers may be nobody's API server.
fn bounded<B>(answer: http::Response<B>) -> http::Response<Limited<B>> {
    answer.map(|body| Limited::new(body, LARGEST_ANSWER))
}

fn http_get(path: &str) -> http::Request<Vec<u8>> {
    http::Request::get(path)
        .body(Vec::new())
        .expect("a constant path makes a request")
}

/// A configuration of these credentials and nothing else: none of the environment's, and no proxy, since the hosts are in
/// the site, where none leads.
fn config_for(access: &Access, address: &str) -> Result<Config, KubeError> {
    let url = format!("https://{address}")
        .parse()
        .map_err(|_| KubeError::Credentials("an address that is none"))?;
    let authority = CertificateDer::from_pem_slice(access.authority.as_bytes())
        .map_err(|_| KubeError::Credentials("an authority that is no certificate"))?;
    let mut config = Config::new(url);
    config.root_cert = Some(vec![authority.to_vec()]);
    config.tls_server_name = Some(access.server_name.clone());
    config.connect_timeout = Some(CONNECT.mul_f64(access.slowness.max(1.0)));
    config.auth_info = AuthInfo {
        client_certificate_data: Some(STANDARD.encode(&access.certificate)),
        client_key_data: Some(STANDARD.encode(access.key.expose()).into()),
        ..AuthInfo::default()
    };
    Ok(config)
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test starts itself again, in a session that has proxies"
)]
mod tests {
    use std::process::Command;

    use super::*;

    fn access() -> Access {
        let key = rcgen::KeyPair::generate().expect("a key");
        let parameters = rcgen::CertificateParams::new(vec!["api".to_owned()]).expect("parameters");
        let certificate = parameters.self_signed(&key).expect("a certificate").pem();
        Access {
            authority: certificate.clone(),
            certificate,
            key: Secret::new(key.serialize_pem()),
            server_name: "api".to_owned(),
            slowness: 1.0,
        }
    }

    #[tokio::test]
    async fn the_way_to_a_host_has_no_proxy() {
        // Both crates' tests may have chosen one; it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = config_for(&access(), "10.0.0.11:6443").expect("valid");
        assert_eq!(config.cluster_url.to_string(), "https://10.0.0.11:6443/");
        assert_eq!(config.proxy_url, None);
        assert!(Client::try_from(config).is_ok());
    }

    #[tokio::test]
    async fn an_answer_of_too_many_bytes_is_not_read() {
        use http_body_util::{BodyExt as _, Full};

        let read = async |bytes: usize| {
            let body = Full::new(std::io::Cursor::new(vec![b' '; bytes]));
            let answer = bounded(http::Response::new(body));
            answer.into_body().collect().await.is_ok()
        };
        assert!(read(LARGEST_ANSWER).await && !read(LARGEST_ANSWER + 1).await);
    }

    #[test]
    fn nothing_but_what_was_given_is_used() {
        let config = config_for(&access(), "10.0.0.11:6443").expect("valid");
        let given = AuthInfo {
            client_certificate_data: config.auth_info.client_certificate_data.clone(),
            client_key_data: config.auth_info.client_key_data.clone(),
            ..AuthInfo::default()
        };
        assert_eq!(format!("{:?}", config.auth_info), format!("{given:?}"));
        assert!(!config.accept_invalid_certs && config.root_cert_file.is_none());
        assert_eq!(config.root_cert.map(|roots| roots.len()), Some(1));
        let damaged = Access {
            authority: "none".to_owned(),
            ..access()
        };
        assert!(config_for(&damaged, "10.0.0.11:6443").is_err());
    }

    #[test]
    fn proxies_of_the_session_are_not_asked() {
        let itself = std::env::current_exe().expect("this program");
        let output = Command::new(itself)
            .args(["--exact", "cluster::tests::the_way_to_a_host_has_no_proxy"])
            .env("HTTPS_PROXY", "http://10.9.9.9:3128")
            .env("https_proxy", "http://10.9.9.9:3128")
            .output()
            .expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }
}
