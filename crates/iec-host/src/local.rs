//! This machine as a host.

use std::process::Stdio;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use tokio::process::{Child, Command};

use crate::child;
use crate::command::{self, Elevation};
use crate::converse::{Caller, Feed, Listener, TimeFrom, converse};
use crate::error::HostError;
use crate::frame::Nonce;
use crate::host::{Bounds, Host, Script};
use crate::listen::{PayloadListener, ScriptListener};
use crate::outcome::{Outcome, Privilege};
use crate::payload::{Payload, STORING};
use crate::sudo_log::refuse_logging_sudo;

/// What errors call this host.
const ADDRESS: &str = "this machine";

/// This machine as a host, by the same command lines that a login shell would see elsewhere.
#[derive(Debug, Clone)]
pub struct LocalHost {
    name: String,
    user: String,
    entry: Vec<String>,
}

impl LocalHost {
    /// This machine under the name `name`, used by `user` (the one this program runs as).
    ///
    /// Where `user` is not `root`, root's rights come from `sudo` without a password.
    #[must_use]
    pub fn new(name: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            user: user.into(),
            entry: Vec::new(),
        }
    }

    /// Enters another place on this machine first: `entry` is a program and its arguments that runs the
    /// command appended to it, such as `nsenter --mount --target 4711`.
    #[must_use]
    pub fn through(mut self, entry: impl IntoIterator<Item = String>) -> Self {
        self.entry = entry.into_iter().collect();
        self
    }

    fn elevation(&self, privilege: Privilege) -> Elevation {
        match privilege {
            Privilege::Root if self.user != "root" => Elevation::Sudo,
            Privilege::Root | Privilege::Login => Elevation::Unneeded,
        }
    }

    fn spawn(&self, line: &'static str) -> Result<Child, HostError> {
        let words = self
            .entry
            .iter()
            .map(String::as_str)
            .chain(["/bin/sh", "-c", line]);
        let words: Vec<&str> = words.collect();
        Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(false)
            .spawn()
            .map_err(|source| HostError::Local {
                program: words[0].to_owned(),
                source,
            })
    }

    async fn converse<L: Listener>(
        &self,
        line: &'static str,
        elevation: Elevation,
        feed: Feed<'_>,
        listener: L,
        bounds: (Bounds, TimeFrom),
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Outcome {
        let child = match self.spawn(line) {
            Ok(child) => child,
            Err(error) => return Outcome::never_ran(error),
        };
        let (output, input) = child::streams(child, ADDRESS, |status| Ok(child::finish(status)));
        let caller = Caller {
            address: ADDRESS,
            user: &self.user,
            elevation,
            password: None,
        };
        converse(output, input, feed, listener, caller, bounds, progress).await
    }
}

impl Host for LocalHost {
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
            let nonce = Nonce::new();
            let elevation = self.elevation(privilege);
            let feed = stream::iter([Ok(Bytes::from(nonce.wrap(script.text(), privilege)))]).boxed();
            let listener = ScriptListener::new(&nonce, ADDRESS.to_owned(), sink);
            let bounds = (script.bounds(), TimeFrom::Start);
            let line = command::script(elevation);
            self.converse(line, elevation, feed, listener, bounds, &mut |_| {})
                .await
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        payload: Payload,
        progress: &'a mut (dyn FnMut(u64) + Send),
    ) -> BoxFuture<'a, Outcome> {
        async move {
            let elevation = self.elevation(Privilege::Root);
            if elevation != Elevation::Unneeded
                && let Err(error) = refuse_logging_sudo(self).await
            {
                return Outcome::never_ran(error);
            }
            let feed = payload.into_archive().boxed();
            let listener = PayloadListener::new(ADDRESS.to_owned());
            let bounds = (STORING, TimeFrom::Progress);
            let line = command::payload(elevation);
            self.converse(line, elevation, feed, listener, bounds, progress)
                .await
        }
        .boxed()
    }
}
