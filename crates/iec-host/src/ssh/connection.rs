//! One authenticated SSH connection: reaching the server, directly or by a jump host, and judging its key.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use iec_core::said::said;
use russh::client::{self, DisconnectReason, Handler, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelOpenFailure, Names, Preferred};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::authentication::KeyRing;
use super::candidates::Offers;
use super::client::SshSettings;
use super::host_key::{HostKeyPolicy, fingerprint};
use super::password::{self, Answers};
use crate::error::HostError;

/// How many times as long as for a connection is waited for a host's keys: one that is slow, or busy, takes a connection at
/// once, and computes for long after.
const HANDSHAKE_TIMES: u32 = 6;
/// How long authentication may take: an agent may ask its owner to touch a key.
const AUTHENTICATION_TIMEOUT: Duration = Duration::from_secs(120);

/// Where to connect to, and how.
pub(crate) struct Route {
    pub hostname: String,
    pub port: u16,
    pub user: String,
    pub policy: HostKeyPolicy,
    /// What the login is answered with where no key does. Nothing for a jump host: the hosts' password is none of its business.
    pub answers: Option<Answers>,
    /// The jump host that is connected already.
    pub via: Option<Arc<Connection>>,
}

/// What is found out while a connection lives.
#[derive(Debug, Default)]
struct Notes {
    ended: Option<String>,
    cipher: Option<String>,
    /// What the server wants people to read who log in; what it said last is at its end.
    banner: String,
}

/// The most that is kept of what a server wants people to read, in characters.
const BANNER: usize = 600;

impl Notes {
    fn hear(&mut self, words: &str) {
        self.banner.push_str(words);
        self.banner.push('\n');
        let excess = self.banner.chars().count().saturating_sub(BANNER);
        self.banner = self.banner.chars().skip(excess).collect();
    }

    /// The server's words in one line, if it had any.
    fn said(&self) -> Option<String> {
        let words: Vec<&str> = self.banner.split_whitespace().collect();
        (!words.is_empty()).then(|| said(&words.join(" ")))
    }

    /// The error of a failed login, with the server's own words. They come first where it closed the connection: then it
    /// was no key that was wrong.
    fn explain(&self, error: HostError, is_closed: bool) -> HostError {
        let HostError::Authentication {
            address, user, tried, ..
        } = error
        else {
            return error;
        };
        let parting = self.ended.clone().filter(|ended| ended.starts_with(PARTING));
        match self.said().or(parting) {
            Some(said) if is_closed => HostError::TurnedAway { address, user, said },
            said => HostError::Authentication {
                address,
                user,
                tried,
                said,
            },
        }
    }
}

/// Before the words with which a server takes leave.
const PARTING: &str = "the server says: ";

/// An authenticated connection. It ends when the last holder lets go of it.
pub(crate) struct Connection {
    handle: client::Handle<Gate>,
    address: String,
    user: String,
    notes: Arc<Mutex<Notes>>,
    /// Kept, because the connection runs through it.
    _via: Option<Arc<Connection>>,
}

impl Connection {
    /// Connects, checks the host's key, and authenticates.
    pub(crate) async fn open(
        route: Route,
        settings: &SshSettings,
        mut preferred: Preferred,
        keys: &KeyRing,
        offers: Offers,
    ) -> Result<Arc<Self>, HostError> {
        let address = match route.hostname.contains(':') {
            true => format!("[{}]:{}", route.hostname, route.port),
            false => format!("{}:{}", route.hostname, route.port),
        };
        preferred.key = route.policy.preferred_algorithms(&preferred.key).into();
        let config = Arc::new(client::Config {
            preferred,
            nodelay: true,
            keepalive_interval: Some(settings.keepalive),
            keepalive_max: settings.keepalive_misses,
            ..client::Config::default()
        });
        let notes = Arc::new(Mutex::new(Notes::default()));
        let gate = Gate {
            address: address.clone(),
            policy: route.policy,
            notes: Arc::clone(&notes),
        };
        let limit = settings.connect_timeout;
        let handshake_limit = limit.saturating_mul(HANDSHAKE_TIMES);
        let late = |doing, limit: Duration| HostError::Timeout {
            address: address.clone(),
            seconds: limit.as_secs(),
            doing,
        };

        let handshake = match &route.via {
            None => {
                let stream = tcp(&route.hostname, route.port, &address, limit).await?;
                timeout(handshake_limit, client::connect_stream(config, stream, gate)).await
            }
            Some(via) => {
                let stream = timeout(limit, via.forward(&route.hostname, route.port, &address)).await;
                let stream = stream.map_err(|_| late("connecting through the jump host", limit))??;
                timeout(handshake_limit, client::connect_stream(config, stream, gate)).await
            }
        };
        let mut handle = handshake
            .map_err(|_| late("shaking hands", handshake_limit))?
            .map_err(|stop| stop.into_error(&address))?;
        let login = (address.as_str(), route.user.as_str());
        let authenticated = timeout(
            AUTHENTICATION_TIMEOUT,
            authenticate(&mut handle, login, (keys, offers), route.answers.as_ref()),
        )
        .await
        .map_err(|_| HostError::Timeout {
            address: address.clone(),
            seconds: AUTHENTICATION_TIMEOUT.as_secs(),
            doing: "authenticating",
        })?;
        authenticated.map_err(|error| {
            let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.explain(error, handle.is_closed())
        })?;
        Ok(Arc::new(Self {
            handle,
            address,
            user: route.user,
            notes,
            _via: route.via,
        }))
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// The cipher that was agreed on.
    pub(crate) fn cipher(&self) -> Option<String> {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .cipher
            .clone()
    }

    /// The error that says why this connection is no more.
    pub(crate) fn lost(&self) -> HostError {
        let ended = self
            .notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended
            .clone();
        HostError::Lost {
            address: self.address.clone(),
            evidence: ended.unwrap_or_else(|| "it was closed".to_owned()),
        }
    }

    /// A channel for one command.
    pub(crate) async fn session(&self) -> Result<russh::Channel<client::Msg>, HostError> {
        self.handle
            .channel_open_session()
            .await
            .map_err(|error| match error {
                russh::Error::ChannelOpenFailure(reason) => HostError::ChannelRefused {
                    evidence: format!("it opens no further session ({})", describe(&reason)),
                },
                _ => self.lost(),
            })
    }

    /// A stream to another host, from the server on.
    async fn forward(
        &self,
        host: &str,
        port: u16,
        address: &str,
    ) -> Result<russh::ChannelStream<client::Msg>, HostError> {
        let channel = self
            .handle
            .channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0)
            .await;
        channel
            .map(russh::Channel::into_stream)
            .map_err(|error| match error {
                russh::Error::ChannelOpenFailure(reason) => HostError::JumpRefused {
                    jump: self.address.clone(),
                    address: address.to_owned(),
                    evidence: describe(&reason),
                },
                _ => self.lost(),
            })
    }
}

/// Proves who we are by a key, else by a password where there is one.
async fn authenticate(
    handle: &mut client::Handle<Gate>,
    (address, user): (&str, &str),
    (keys, offers): (&KeyRing, Offers),
    answers: Option<&Answers>,
) -> Result<(), HostError> {
    let mut refused = match keys.authenticate(handle, address, user, offers).await {
        Err(refused) if !handle.is_closed() => refused,
        end => return end,
    };
    let (HostError::Authentication { tried, .. }, Some(answers)) = (&mut refused, answers) else {
        return Err(refused);
    };
    if password::log_in(handle, (address, user), answers, tried).await {
        return Ok(());
    }
    Err(refused)
}

fn describe(reason: &ChannelOpenFailure) -> String {
    match reason {
        ChannelOpenFailure::AdministrativelyProhibited => "administratively prohibited".to_owned(),
        ChannelOpenFailure::ConnectFailed => "connect failed".to_owned(),
        ChannelOpenFailure::UnknownChannelType => "unknown channel type".to_owned(),
        ChannelOpenFailure::ResourceShortage => "resource shortage".to_owned(),
        ChannelOpenFailure::Other { code, reason } => format!("code {code}: {}", said(reason)),
    }
}

/// Connects to the first of the host's addresses that takes the connection.
async fn tcp(host: &str, port: u16, address: &str, limit: Duration) -> Result<TcpStream, HostError> {
    let unknown = |source| HostError::UnknownName {
        name: host.to_owned(),
        source,
    };
    let candidates: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(unknown)?
        .collect();
    let mut last = unknown(std::io::Error::new(
        std::io::ErrorKind::NotFound,
        "the name has no address",
    ));
    for candidate in candidates {
        last = match timeout(limit, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => {
                // Without this, short commands wait for the kernel; where it fails they only get slower.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => match error.kind() {
                std::io::ErrorKind::ConnectionRefused => HostError::Refused {
                    address: address.to_owned(),
                },
                std::io::ErrorKind::TimedOut => HostError::Timeout {
                    address: address.to_owned(),
                    seconds: limit.as_secs(),
                    doing: "connecting",
                },
                _ => HostError::Unreachable {
                    address: address.to_owned(),
                    source: error,
                },
            },
            Err(_) => HostError::Timeout {
                address: address.to_owned(),
                seconds: limit.as_secs(),
                doing: "connecting",
            },
        };
    }
    Err(last)
}

/// The part of a connection that russh calls.
pub(crate) struct Gate {
    address: String,
    policy: HostKeyPolicy,
    notes: Arc<Mutex<Notes>>,
}

/// Why a connection stopped: by russh's word, or by ours.
#[derive(Debug)]
pub(crate) enum Stop {
    Russh(russh::Error),
    Ours(HostError),
}

impl From<russh::Error> for Stop {
    fn from(error: russh::Error) -> Self {
        Self::Russh(error)
    }
}

impl Stop {
    /// The error of a handshake.
    fn into_error(self, address: &str) -> HostError {
        let evidence = match self {
            Self::Ours(error) => return error,
            Self::Russh(russh::Error::Disconnect | russh::Error::HUP) => {
                "it closed the connection".to_owned()
            }
            Self::Russh(russh::Error::IO(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                "it closed the connection".to_owned()
            }
            Self::Russh(russh::Error::NoCommonAlgo { kind, ours, theirs }) => {
                return HostError::Algorithms {
                    address: address.to_owned(),
                    kind: match kind {
                        russh::AlgorithmKind::Kex => "key exchange",
                        russh::AlgorithmKind::Key => "kind of host key",
                        russh::AlgorithmKind::Cipher => "cipher",
                        russh::AlgorithmKind::Compression => "compression",
                        russh::AlgorithmKind::Mac => "message authentication code",
                    }
                    .to_owned(),
                    theirs: theirs.join(", "),
                    ours: ours.join(", "),
                };
            }
            Self::Russh(error) => error.to_string(),
        };
        HostError::Handshake {
            address: address.to_owned(),
            evidence,
        }
    }
}

impl Handler for Gate {
    type Error = Stop;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Stop> {
        match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.policy.check(&self.address, key).map_err(Stop::Ours)?;
                Ok(true)
            }
            // Certificates are never asked for, so a server that shows one breaks the protocol.
            PublicKeyOrCertificate::Certificate(certificate) => Err(Stop::Ours(HostError::Handshake {
                address: self.address.clone(),
                evidence: format!(
                    "it shows a host certificate ({}) that was not asked for",
                    fingerprint(&certificate.public_key().clone().into())
                ),
            })),
        }
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Stop> {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .hear(banner);
        Ok(())
    }

    async fn kex_done(&mut self, _: Option<&[u8]>, names: &Names, _: &mut Session) -> Result<(), Stop> {
        let cipher = names.cipher.as_ref().to_owned();
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).cipher = Some(cipher);
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Stop>) -> Result<(), Stop> {
        let (evidence, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                (format!("{PARTING}{}", said(&info.message)), Ok(()))
            }
            DisconnectReason::Error(stop) => (ended(&stop), Err(stop)),
        };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).ended = Some(evidence);
        result
    }
}

/// Why an established connection ended.
fn ended(stop: &Stop) -> String {
    match stop {
        Stop::Ours(error) => error.to_string(),
        Stop::Russh(russh::Error::KeepaliveTimeout) => "the host has not answered for a while".to_owned(),
        Stop::Russh(russh::Error::Disconnect | russh::Error::HUP) => {
            "the host closed the connection".to_owned()
        }
        Stop::Russh(russh::Error::IO(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the host closed the connection".to_owned()
        }
        Stop::Russh(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> HostError {
        HostError::Authentication {
            address: "10.0.0.11:22".to_owned(),
            user: "edge".to_owned(),
            tried: vec!["key: not accepted".to_owned()],
            said: None,
        }
    }

    #[test]
    fn the_servers_own_words_come_before_what_was_tried() {
        let mut notes = Notes::default();
        assert_eq!(notes.explain(refused(), true).code(), "IEC1201");
        notes.ended = Some(format!("{PARTING}Too many authentication failures"));
        let error = notes.explain(refused(), true);
        assert!(
            error.to_string().ends_with("Too many authentication failures"),
            "{error}"
        );

        notes.hear("Property of\nthe harbour.");
        notes.hear("System is going down. Unprivileged users are not permitted to log in.\n");
        let error = notes.explain(refused(), true);
        assert_eq!(error.code(), "IEC1108");
        assert!(
            error.to_string().ends_with(
                "the harbour. System is going down. Unprivileged users are not permitted to log in."
            ),
            "{error}"
        );
        // A banner alone is no reason.
        let error = notes.explain(refused(), false);
        assert_eq!(error.code(), "IEC1201");
        assert!(error.to_string().contains("it says: Property"), "{error}");
    }

    #[test]
    fn a_banner_without_end_is_not_kept() {
        let mut notes = Notes::default();
        for _ in 0..100 {
            notes.hear(&"x".repeat(1000));
        }
        assert_eq!(notes.banner.chars().count(), BANNER);
    }
}
