//! Proving to a server who we are: the agent's keys, then key files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iec_core::secret::Secret;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::candidates::{Candidate, FileKey, Offers, Private, describe, order, read_files};
use super::client::PassphrasePrompt;
use super::configuration::Configuration;
use super::connection::Gate;
use crate::error::HostError;

/// How many times the operator is asked for the passphrase of one key.
const PASSPHRASE_ATTEMPTS: usize = 3;

/// The operator's keys: the agent, and key files as they are unlocked.
pub(crate) struct KeyRing {
    agent: Option<PathBuf>,
    passphrase: Option<PassphrasePrompt>,
    /// Unlocked key files. The lock is held while the operator is asked, so that one question serves all hosts.
    unlocked: Mutex<HashMap<PathBuf, Option<Arc<PrivateKey>>>>,
}

impl KeyRing {
    pub(crate) fn new(agent: Option<PathBuf>, passphrase: Option<PassphrasePrompt>) -> Self {
        Self {
            agent,
            passphrase,
            unlocked: Mutex::default(),
        }
    }

    /// What to offer, by the site's word first and the user's configuration second.
    pub(crate) fn offers(&self, identity: Option<&Path>, configuration: &Configuration) -> Offers {
        let others = configuration
            .identities
            .iter()
            .filter(|path| Some(path.as_path()) != identity);
        Offers {
            agent: configuration.agent.clone().unwrap_or_else(|| self.agent.clone()),
            files: identity
                .map(Path::to_owned)
                .into_iter()
                .chain(others.cloned())
                .collect(),
            named: identity.is_some(),
            only_files: configuration.identities_only,
        }
    }

    /// Offers keys until the server accepts one.
    pub(crate) async fn authenticate(
        &self,
        handle: &mut Handle<Gate>,
        address: &str,
        user: &str,
        offers: Offers,
    ) -> Result<(), HostError> {
        let mut tried = Vec::new();
        let (mut agent, identities) = match &offers.agent {
            Some(socket) => open_agent(socket, handle, &mut tried).await,
            None => (None, Vec::new()),
        };
        let files = read_files(&offers, &mut tried)?;
        let mut attempt = Attempt {
            handle,
            user,
            rsa_hash: None,
        };
        for candidate in order(files, identities, &offers) {
            let answer = match (&candidate, &mut agent) {
                (Candidate::Agent(identity), Some(agent)) => attempt.agent_key(identity, agent).await,
                (Candidate::Agent(_), None) => continue,
                (Candidate::File(file), _) => attempt.file_key(file, self).await,
            };
            match answer {
                Ok(()) => return Ok(()),
                Err(reason) => tried.push(format!("{}: {reason}", describe(&candidate))),
            }
            if attempt.handle.is_closed() {
                tried.push("then the server closed the connection (its MaxAuthTries?)".to_owned());
                break;
            }
        }
        Err(HostError::Authentication {
            address: address.to_owned(),
            user: user.to_owned(),
            tried,
            said: None,
        })
    }

    /// The private key of a locked file, asked for once; `None` where the operator does not know.
    async fn unlock(&self, path: &Path, text: &str) -> Option<Arc<PrivateKey>> {
        let mut unlocked = self.unlocked.lock().await;
        if let Some(known) = unlocked.get(path) {
            return known.clone();
        }
        let prompt = self.passphrase.clone()?;
        let (asked_path, text) = (path.to_owned(), Secret::new(text.to_owned()));
        let ask = move || {
            (0..PASSPHRASE_ATTEMPTS).find_map(|_| {
                // The first refusal to answer is the last question.
                let passphrase = match prompt(&asked_path) {
                    Some(passphrase) => passphrase,
                    None => return Some(None),
                };
                let key = russh::keys::decode_secret_key(text.expose(), Some(passphrase.expose())).ok()?;
                Some(Some(Arc::new(key)))
            })
        };
        let key = tokio::task::spawn_blocking(ask).await.ok().flatten().flatten();
        unlocked.insert(path.to_owned(), key.clone());
        key
    }
}

type Agent = AgentClient<UnixStream>;

/// Connects to the agent and lists its keys; a failure is a note, for there may be key files.
async fn open_agent(
    socket: &Path,
    handle: &Handle<Gate>,
    tried: &mut Vec<String>,
) -> (Option<Agent>, Vec<AgentIdentity>) {
    let connected = async {
        let mut agent = Agent::connect_uds(socket).await?;
        if let Some(binding) = handle.agent_session_binding() {
            // Older agents do not know this; keys that need it are then not listed.
            let _ = agent.bind_session(binding, false).await;
        }
        let identities = agent.request_identities().await?;
        Ok::<_, russh::keys::Error>((agent, identities))
    };
    match connected.await {
        Ok((agent, identities)) => (Some(agent), identities),
        Err(error) => {
            tried.push(format!("agent {}: {error}", socket.display()));
            (None, Vec::new())
        }
    }
}

/// A server that is offered keys.
struct Attempt<'a> {
    handle: &'a mut Handle<Gate>,
    user: &'a str,
    /// The hash for RSA signatures, once the server was asked.
    rsa_hash: Option<Option<HashAlg>>,
}

/// `Ok` where the server accepted the key, else why it is passed over.
type Answer = Result<(), String>;

impl Attempt<'_> {
    async fn hash_for(&mut self, key: &PublicKey) -> Option<HashAlg> {
        if !key.algorithm().is_rsa() {
            return None;
        }
        if self.rsa_hash.is_none() {
            let said = self.handle.best_supported_rsa_hash().await.ok().flatten();
            self.rsa_hash = Some(said.unwrap_or(Some(HashAlg::Sha512)));
        }
        self.rsa_hash.flatten()
    }

    async fn agent_key(&mut self, identity: &AgentIdentity, agent: &mut Agent) -> Answer {
        let hash = self.hash_for(&identity.public_key()).await;
        let result = match identity {
            AgentIdentity::PublicKey { key, .. } => {
                self.handle
                    .authenticate_publickey_with(self.user, key.clone(), hash, agent)
                    .await
            }
            AgentIdentity::Certificate { certificate, .. } => {
                self.handle
                    .authenticate_certificate_with(self.user, certificate.clone(), hash, agent)
                    .await
            }
        };
        match result {
            Ok(result) => answer(&result),
            Err(error) => Err(format!("the agent did not sign ({error})")),
        }
    }

    async fn file_key(&mut self, file: &FileKey, ring: &KeyRing) -> Answer {
        let key = match &file.private {
            Private::Open(key) => Arc::clone(key),
            Private::Locked(text) => {
                // Whether the server would take the key is asked before its owner is.
                if let Some(public) = &file.public {
                    self.would_accept(public).await?;
                }
                let unlocked = ring.unlock(&file.path, text.expose()).await;
                unlocked.ok_or("it is locked, and its passphrase is not known")?
            }
            Private::Elsewhere => return Err("it holds a public key only".to_owned()),
        };
        let hash = self.hash_for(key.public_key()).await;
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let result = self
            .handle
            .authenticate_publickey(self.user, key)
            .await
            .map_err(|error| error.to_string())?;
        answer(&result)
    }

    /// Whether the server would accept this key if it were signed with.
    async fn would_accept(&mut self, key: &PublicKey) -> Answer {
        let hash = self.hash_for(key).await;
        let mut probe = Probe;
        match self
            .handle
            .authenticate_publickey_with(self.user, key.clone(), hash, &mut probe)
            .await
        {
            Err(ProbeEnd::Accepted) => Ok(()),
            Err(ProbeEnd::Over) => Err("the connection ended".to_owned()),
            Ok(result) => answer(&result),
        }
    }
}

fn answer(result: &AuthResult) -> Answer {
    match result {
        AuthResult::Success => Ok(()),
        AuthResult::Failure {
            partial_success: true,
            remaining_methods,
        } => {
            let more: Vec<&str> = remaining_methods.iter().map(<&str>::from).collect();
            Err(format!(
                "accepted, but the server wants more: {}",
                more.join(", ")
            ))
        }
        AuthResult::Failure { .. } => Err("not accepted".to_owned()),
    }
}

/// A signer that never signs: reaching it means that the server accepts the key.
struct Probe;

/// How a probe ended.
#[derive(Debug)]
enum ProbeEnd {
    Accepted,
    Over,
}

impl From<russh::SendError> for ProbeEnd {
    fn from(_: russh::SendError) -> Self {
        Self::Over
    }
}

impl russh::Signer for Probe {
    type Error = ProbeEnd;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        _: Vec<u8>,
    ) -> Result<Vec<u8>, ProbeEnd> {
        Err(ProbeEnd::Accepted)
    }
}
