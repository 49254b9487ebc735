//! A host that is reached over SSH.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::client::{SshClient, SshTarget};
use super::way::{Way, WayInput, WayOutput};
use crate::command::{self, Elevation};
use crate::converse::{Caller, TimeFrom, converse};
use crate::error::HostError;
use crate::frame::Nonce;
use crate::host::{Host, Script};
use crate::listen::{PayloadListener, ScriptListener};
use crate::outcome::{Ending, Outcome, Privilege};
use crate::payload::{Payload, STORING};
use crate::sudo_log::refuse_logging_sudo;

/// How long the server may take to open a session on a connection that stands.
const START: Duration = Duration::from_secs(60);

/// A host that is reached over SSH, by one connection for everything, made anew when it was lost.
pub struct SshHost {
    name: String,
    target: SshTarget,
    client: SshClient,
    connection: Mutex<Option<Way>>,
    /// Whether `sudo` has asked for a password.
    sudo_asks: AtomicBool,
    /// Whether nobody reads along in `sudo`.
    sudo_is_private: AtomicBool,
}

impl SshHost {
    pub(crate) fn new(name: String, target: SshTarget, client: SshClient) -> Self {
        Self {
            name,
            target,
            client,
            connection: Mutex::new(None),
            sudo_asks: AtomicBool::new(false),
            sudo_is_private: AtomicBool::new(false),
        }
    }

    /// Connects if there is no connection; gives the name of the cipher that it uses.
    ///
    /// # Errors
    /// Why the host cannot be reached, or does not let us in.
    pub async fn connect(&self) -> Result<String, HostError> {
        let connection = self.connection().await?;
        Ok(connection.cipher().unwrap_or_default())
    }

    /// Lets go of the connection.
    pub async fn disconnect(&self) {
        self.connection.lock().await.take();
    }

    async fn connection(&self) -> Result<Way, HostError> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        *held = None;
        let connection = self.client.connect(&self.target).await?;
        *held = Some(connection.clone());
        Ok(connection)
    }

    /// Starts a command on a live connection.
    async fn start(
        &self,
        privilege: Privilege,
        line: fn(Elevation) -> &'static str,
    ) -> Result<(Way, Elevation, WayOutput, WayInput), HostError> {
        let mut again = true;
        loop {
            let connection = self.connection().await?;
            let elevation = self.elevation(privilege, connection.user());
            let starting = timeout(START, connection.start(line(elevation)));
            let started = starting.await.unwrap_or_else(|_| {
                Err(HostError::Timeout {
                    address: connection.address().to_owned(),
                    seconds: START.as_secs(),
                    doing: "opening a session",
                })
            });
            match started {
                Ok((output, input)) => return Ok((connection, elevation, output, input)),
                // The connection died unnoticed since it was last used. Nothing was sent on it, so a new one is as good.
                Err(HostError::Lost { .. }) if again => {
                    again = false;
                    self.disconnect().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn elevation(&self, privilege: Privilege, user: &str) -> Elevation {
        match privilege {
            Privilege::Login => Elevation::Unneeded,
            Privilege::Root if user == "root" => Elevation::Unneeded,
            Privilege::Root if self.sudo_asks.load(Ordering::Relaxed) => Elevation::SudoPassword,
            Privilege::Root => Elevation::Sudo,
        }
    }

    /// Whether an outcome says that `sudo` wants a password that we have; if so, the next attempt will give it.
    fn should_give_password(&self, outcome: &Outcome) -> bool {
        let wanted = matches!(outcome.ending, Ending::NeverRan(HostError::SudoPassword { .. }));
        wanted && self.client.sudo_password().is_some() && !self.sudo_asks.swap(true, Ordering::Relaxed)
    }

    async fn run_once(
        &self,
        script: &Script,
        privilege: Privilege,
        sink: &mut (dyn FnMut(&str) + Send),
    ) -> Outcome {
        let (connection, elevation, output, input) = match self.start(privilege, command::script).await {
            Ok(started) => started,
            Err(error) => return Outcome::never_ran(error),
        };
        let nonce = Nonce::new();
        let text = nonce.wrap(script.text(), privilege);
        tracing::debug!(host = self.name, bytes = text.len(), "a script goes out");
        let feed = stream::iter([Ok(Bytes::from(text))]).boxed();
        let listener = ScriptListener::new(&nonce, connection.address().to_owned(), sink);
        let caller = self.caller(&connection, elevation);
        let bounds = (script.bounds(), TimeFrom::Start);
        converse(output, input, feed, listener, caller, bounds, &mut |_| {}).await
    }

    async fn put_once(&self, payload: Payload, progress: &mut (dyn FnMut(u64) + Send)) -> Outcome {
        let (connection, elevation, output, input) = match self.start(Privilege::Root, command::payload).await
        {
            Ok(started) => started,
            Err(error) => return Outcome::never_ran(error),
        };
        let bytes = payload.bytes();
        tracing::debug!(host = self.name, bytes, "content goes out");
        let feed = payload.into_archive().boxed();
        let listener = PayloadListener::new(connection.address().to_owned());
        let caller = self.caller(&connection, elevation);
        let bounds = (STORING, TimeFrom::Progress);
        converse(output, input, feed, listener, caller, bounds, progress).await
    }

    fn caller<'a>(&'a self, connection: &'a Way, elevation: Elevation) -> Caller<'a> {
        Caller {
            address: connection.address(),
            user: connection.user(),
            elevation,
            password: self.client.sudo_password(),
        }
    }
}

impl Host for SshHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn run<'a>(
        &'a self,
        script: &'a Script,
        privilege: Privilege,
        sink: &'a mut (dyn FnMut(&str) + Send),
    ) -> BoxFuture<'a, Outcome> {
        async move {
            let outcome = self.run_once(script, privilege, sink).await;
            if self.should_give_password(&outcome) {
                return self.run_once(script, privilege, sink).await;
            }
            outcome
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        payload: Payload,
        progress: &'a mut (dyn FnMut(u64) + Send),
    ) -> BoxFuture<'a, Outcome> {
        async move {
            // A payload can be sent once only, and what it holds may be secret. This also finds out whether sudo wants
            // the password.
            if !self.sudo_is_private.load(Ordering::Relaxed) {
                if let Err(error) = refuse_logging_sudo(self).await {
                    return Outcome::never_ran(error);
                }
                self.sudo_is_private.store(true, Ordering::Relaxed);
            }
            self.put_once(payload, progress).await
        }
        .boxed()
    }
}
