//! What all SSH hosts of one run share: settings, the operator's keys, and one connection to each jump host.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use iec_core::secret::Secret;
use russh::Preferred;
use tokio::sync::{Mutex, OnceCell, Semaphore};

use super::authentication::KeyRing;
use super::configuration::{Configuration, Query, StrictHostKeyChecking};
use super::connection::{Connection, Route};
use super::host::SshHost;
use super::host_key::{HostKey, HostKeyPolicy};
use super::known_hosts::KnownName;
use super::password::{Answers, QuestionPrompt};
use super::system::{Sockets, SystemConnection};
use super::way::Way;
use crate::error::HostError;

/// How many jump hosts may lie on the way: more is a loop in the configuration.
const MOST_JUMPS: usize = 8;

/// Asks the operator for the passphrase of a key file; `None` passes the key over.
pub type PassphrasePrompt = Arc<dyn Fn(&Path) -> Option<Secret<String>> + Send + Sync>;

/// What to do about a host whose key is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewHostKeys {
    /// What the user's SSH configuration says (`StrictHostKeyChecking`); `ask` and `yes` refuse.
    #[default]
    AsConfigured,
    /// Refuse it.
    Refuse,
    /// Take its key and record it in the user's known_hosts file.
    Accept,
}

/// When hosts are reached by the system's `ssh` instead of the client that is part of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SystemSsh {
    /// Where the user's SSH configuration asks for what only OpenSSH has: `ProxyCommand`, `PKCS11Provider`.
    #[default]
    WhereNeeded,
    /// Always.
    Always,
}

/// A cipher, for those who want to choose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// `aes128-gcm@openssh.com`.
    Aes128Gcm,
    /// `aes256-gcm@openssh.com`.
    Aes256Gcm,
    /// `chacha20-poly1305@openssh.com`.
    ChaCha20Poly1305,
}

/// How hosts are reached. Nothing is read from the environment: the caller says all of it.
#[derive(Clone)]
pub struct SshSettings {
    /// The operator's home directory.
    pub home: PathBuf,
    /// A file to use instead of the user's and the system's SSH configuration.
    pub configuration: Option<PathBuf>,
    /// The SSH agent's socket (`SSH_AUTH_SOCK`).
    pub agent: Option<PathBuf>,
    /// Asks for passphrases; without it, encrypted key files are passed over.
    pub passphrase: Option<PassphrasePrompt>,
    /// The password to log in with, tried where a host takes no key.
    pub login_password: Option<Secret<String>>,
    /// Asks the operator what else a host wants to know from who logs in.
    pub questions: Option<QuestionPrompt>,
    /// The password for `sudo`, tried where `sudo` asks for one.
    pub sudo_password: Option<Secret<String>>,
    /// What to do about a host whose key is not known.
    pub new_host_keys: NewHostKeys,
    /// When hosts are reached by the system's `ssh`.
    pub system: SystemSsh,
    /// Whether a person is there whom the system's `ssh` may ask on the terminal.
    pub interactive: bool,
    /// The cipher to ask for first; without it, the fastest on this machine.
    pub cipher: Option<Cipher>,
    /// How long a host may take to answer, and again to shake hands.
    pub connect_timeout: Duration,
    /// How long nothing may be heard before the host is asked whether it is there.
    pub keepalive: Duration,
    /// How many times in a row it may fail to answer before the connection is given up.
    pub keepalive_misses: usize,
    /// How many hosts are connected to at the same time.
    pub parallel_connects: usize,
}

impl SshSettings {
    /// The usual settings: no agent, no passwords, 10 s to connect, lost after 60 s of silence.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            configuration: None,
            agent: None,
            passphrase: None,
            login_password: None,
            questions: None,
            sudo_password: None,
            new_host_keys: NewHostKeys::AsConfigured,
            system: SystemSsh::WhereNeeded,
            interactive: false,
            cipher: None,
            connect_timeout: Duration::from_secs(10),
            keepalive: Duration::from_secs(15),
            keepalive_misses: 3,
            parallel_connects: 32,
        }
    }
}

impl fmt::Debug for SshSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SshSettings")
            .field("home", &self.home)
            .finish_non_exhaustive()
    }
}

/// A host as the site names it.
#[derive(Debug, Clone, Default)]
pub struct SshTarget {
    /// The address, or a name that the user's SSH configuration knows.
    pub address: String,
    /// The user to log in as, if the site says.
    pub user: Option<String>,
    /// The port, if the site says.
    pub port: Option<u16>,
    /// The key file to try first, if the site says.
    pub identity: Option<PathBuf>,
    /// The host's key, if the site pins it.
    pub host_key: Option<HostKey>,
    /// Jump hosts (`user@host:port`, the nearest to us first), if the site says.
    pub jumps: Option<Vec<String>>,
}

/// Connects to hosts.
#[derive(Clone)]
pub struct SshClient {
    shared: Arc<Shared>,
}

struct Shared {
    settings: SshSettings,
    keys: KeyRing,
    jumps: Mutex<HashMap<JumpKey, JumpSlot>>,
    connecting: Semaphore,
    /// The folder for connections of the system's `ssh`, once there is one.
    sockets: OnceCell<Arc<Sockets>>,
    /// Held while the system's `ssh` may ask the operator something: one question at a time.
    asking: Mutex<()>,
}

/// A jump host and how it is reached.
type JumpKey = (Vec<String>, String);
/// The connection to a jump host, once there is one.
type JumpSlot = Arc<Mutex<Option<Arc<Connection>>>>;

impl SshClient {
    /// A client with these settings.
    #[must_use]
    pub fn new(settings: SshSettings) -> Self {
        let keys = KeyRing::new(settings.agent.clone(), settings.passphrase.clone());
        let connecting = Semaphore::new(settings.parallel_connects.max(1));
        let shared = Shared {
            settings,
            keys,
            jumps: Mutex::default(),
            connecting,
            sockets: OnceCell::new(),
            asking: Mutex::new(()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The host called `name` at `target`. It is connected to when it is first used.
    #[must_use]
    pub fn host(&self, name: impl Into<String>, target: SshTarget) -> SshHost {
        SshHost::new(name.into(), target, self.clone())
    }

    pub(crate) fn sudo_password(&self) -> Option<&Secret<String>> {
        self.shared.settings.sudo_password.as_ref()
    }

    /// Connects to `target`.
    pub(crate) async fn connect(&self, target: &SshTarget) -> Result<Way, HostError> {
        // Some sshd refuse more than ten that shake hands at once, and an agent answers one at a time.
        let _permit = self
            .shared
            .connecting
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let configuration = self.configuration(target).await?;
        if self.shared.settings.system == SystemSsh::Always || configuration.only_openssh.is_some() {
            let connection = self.connect_by_system(target, &configuration).await?;
            return Ok(Way::System(Arc::new(connection)));
        }
        let settings = &self.shared.settings;
        let answers = settings.login_password.clone().map(|password| Answers {
            password,
            questions: settings.questions.clone(),
        });
        self.connect_via(target, configuration, None, answers.as_ref())
            .await
            .map(Way::Own)
    }

    async fn connect_by_system(
        &self,
        target: &SshTarget,
        configuration: &Configuration,
    ) -> Result<SystemConnection, HostError> {
        let settings = &self.shared.settings;
        let make = async || Sockets::new().map(Arc::new);
        let sockets = self.shared.sockets.get_or_try_init(make).await;
        let sockets = sockets.map_err(|source| HostError::Local {
            program: "ssh".to_owned(),
            source,
        })?;
        let _turn = match settings.interactive {
            true => Some(self.shared.asking.lock().await),
            false => None,
        };
        SystemConnection::open(target, configuration, settings, Arc::clone(sockets)).await
    }

    async fn configuration(&self, target: &SshTarget) -> Result<Configuration, HostError> {
        let settings = &self.shared.settings;
        let query = Query {
            address: &target.address,
            user: target.user.as_deref(),
            port: target.port,
            file: settings.configuration.as_deref(),
            home: &settings.home,
        };
        query.resolve().await
    }

    /// Connects to `target`, by `chain` (jump hosts, the nearest first) instead of what the configuration says.
    fn connect_via<'a>(
        &'a self,
        target: &'a SshTarget,
        configuration: Configuration,
        chain: Option<&'a [String]>,
        answers: Option<&'a Answers>,
    ) -> BoxFuture<'a, Result<Arc<Connection>, HostError>> {
        async move {
            let settings = &self.shared.settings;
            let jumps = chain
                .or(target.jumps.as_deref())
                .unwrap_or(&configuration.jumps)
                .to_vec();
            if jumps.len() > MOST_JUMPS {
                return Err(HostError::Configuration {
                    address: target.address.clone(),
                    evidence: format!("there are more than {MOST_JUMPS} jump hosts on the way"),
                });
            }
            let via = match jumps.split_last() {
                Some((last, before)) => Some(self.jump(last, before).await?),
                None => None,
            };
            let route = Route {
                hostname: configuration.hostname.clone(),
                port: configuration.port,
                user: configuration.user.clone(),
                policy: self.policy(target, &configuration)?,
                answers: answers.cloned(),
                via,
            };
            let offers = self
                .shared
                .keys
                .offers(target.identity.as_deref(), &configuration);
            Connection::open(
                route,
                settings,
                preferred(settings.cipher),
                &self.shared.keys,
                offers,
            )
            .await
        }
        .boxed()
    }

    /// The connection to the jump host `jump`, itself reached by `before`: one for all hosts behind it.
    async fn jump(&self, jump: &str, before: &[String]) -> Result<Arc<Connection>, HostError> {
        let key = (before.to_vec(), jump.to_owned());
        let slot = Arc::clone(self.shared.jumps.lock().await.entry(key).or_default());
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let target = jump_target(jump)?;
        // The first jump host of a chain may have jump hosts of its own in the configuration.
        let chain = (!before.is_empty()).then_some(before);
        let configuration = self.configuration(&target).await?;
        if let Some(what) = configuration.only_openssh {
            return Err(HostError::Configuration {
                address: jump.to_owned(),
                evidence: format!("{what} on the way to a jump host is for the system's ssh: --system-ssh"),
            });
        }
        let connection = self.connect_via(&target, configuration, chain, None).await?;
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn policy(&self, target: &SshTarget, configuration: &Configuration) -> Result<HostKeyPolicy, HostError> {
        if let Some(key) = &target.host_key {
            return Ok(HostKeyPolicy::Pinned(key.clone()));
        }
        let alias = configuration.host_key_alias.as_deref();
        let name = KnownName::new(&configuration.hostname, configuration.port, alias);
        let accept = match self.shared.settings.new_host_keys {
            NewHostKeys::AsConfigured => configuration.strict == StrictHostKeyChecking::AcceptNew,
            NewHostKeys::Refuse => false,
            NewHostKeys::Accept => true,
        };
        let record_in = configuration.user_known_hosts.first().filter(|_| accept).cloned();
        let files = [
            configuration.user_known_hosts.as_slice(),
            &configuration.global_known_hosts,
        ]
        .concat();
        HostKeyPolicy::from_files(&files, name, record_in)
    }
}

/// A jump host from its text: `[user@]host[:port]`, or the same after `ssh://`.
fn jump_target(text: &str) -> Result<SshTarget, HostError> {
    let wrong = || HostError::Configuration {
        address: text.to_owned(),
        evidence: "a jump host is written [user@]host[:port]".to_owned(),
    };
    let rest = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, rest),
    };
    let (address, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, None),
        Some((address, port)) => (address, Some(port.strip_prefix(':').ok_or_else(wrong)?)),
        None if rest.matches(':').count() == 1 => rest
            .split_once(':')
            .map(|(address, port)| (address, Some(port)))
            .ok_or_else(wrong)?,
        None => (rest, None),
    };
    let port = port.map(str::parse).transpose().map_err(|_| wrong())?;
    if address.is_empty() || user.as_ref().is_some_and(String::is_empty) {
        return Err(wrong());
    }
    Ok(SshTarget {
        address: address.to_owned(),
        user,
        port,
        ..SshTarget::default()
    })
}

/// The algorithms to ask for: russh's, with the ciphers in our order and without SHA-1 signatures.
///
/// Where the processor computes AES itself, AES-GCM is the fastest: `examples/transfer.rs` gave some 200 MiB/s against 144 for
/// ChaCha20-Poly1305 with client and server on two busy cores, and 1.8 against 2.3 seconds of processor time a GiB here.
fn preferred(cipher: Option<Cipher>) -> Preferred {
    use russh::cipher::{AES_128_GCM, AES_256_CTR, AES_256_GCM, CHACHA20_POLY1305};
    let aes = [AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, AES_256_CTR];
    let ciphers = match cipher {
        Some(Cipher::Aes256Gcm) => [AES_256_GCM, AES_128_GCM, CHACHA20_POLY1305, AES_256_CTR],
        Some(Cipher::ChaCha20Poly1305) => [CHACHA20_POLY1305, AES_128_GCM, AES_256_GCM, AES_256_CTR],
        Some(Cipher::Aes128Gcm) => aes,
        None if has_aes() => aes,
        None => [CHACHA20_POLY1305, AES_128_GCM, AES_256_GCM, AES_256_CTR],
    };
    let sha1 = russh::keys::Algorithm::Rsa { hash: None };
    let keys: Vec<_> = Preferred::DEFAULT
        .key
        .iter()
        .filter(|algorithm| **algorithm != sha1)
        .cloned()
        .collect();
    Preferred {
        cipher: Cow::Owned(ciphers.to_vec()),
        key: Cow::Owned(keys),
        ..Preferred::DEFAULT
    }
}

/// Whether this processor computes AES itself.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::jump_target;

    #[test]
    fn jump_hosts_are_read_as_openssh_does() {
        let read = |text: &str| {
            jump_target(text)
                .map(|target| (target.user, target.address, target.port))
                .ok()
        };
        let some = |user: Option<&str>, address: &str, port| {
            Some((user.map(str::to_owned), address.to_owned(), port))
        };
        assert_eq!(read("bastion"), some(None, "bastion", None));
        assert_eq!(read("me@bastion:2200"), some(Some("me"), "bastion", Some(2200)));
        assert_eq!(read("ssh://me@bastion"), some(Some("me"), "bastion", None));
        assert_eq!(read("[2001:db8::1]:22"), some(None, "2001:db8::1", Some(22)));
        assert_eq!(read("2001:db8::1"), some(None, "2001:db8::1", None));
        assert_eq!(read("bastion:port"), None);
        assert_eq!(read("@bastion"), None);
        assert_eq!(read(""), None);
    }
}
