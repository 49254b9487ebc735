//! A connection to a host, whichever client has made it.

use std::sync::Arc;

use bytes::Bytes;

use super::connection::Connection;
use super::process::{self, SshInput, SshOutput};
use super::system::SystemConnection;
use crate::child::{ChildInput, ChildOutput};
use crate::converse::{Closed, Event, Input, Output};
use crate::error::HostError;

/// A connection that commands pass through.
#[derive(Clone)]
pub(crate) enum Way {
    /// By the client that is part of this program.
    Own(Arc<Connection>),
    /// By the system's `ssh`.
    System(Arc<SystemConnection>),
}

impl Way {
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Own(connection) => connection.address(),
            Self::System(connection) => connection.address(),
        }
    }

    pub(crate) fn user(&self) -> &str {
        match self {
            Self::Own(connection) => connection.user(),
            Self::System(connection) => connection.user(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Own(connection) => connection.is_closed(),
            Self::System(connection) => connection.is_closed(),
        }
    }

    /// The cipher that was agreed on, where that is known.
    pub(crate) fn cipher(&self) -> Option<String> {
        match self {
            Self::Own(connection) => connection.cipher(),
            Self::System(_) => None,
        }
    }

    /// Starts `line` on the host.
    pub(crate) async fn start(&self, line: &'static str) -> Result<(WayOutput, WayInput), HostError> {
        match self {
            Self::Own(connection) => {
                let (output, input) = process::start(connection, line).await?;
                Ok((WayOutput::Own(output), WayInput::Own(input)))
            }
            Self::System(connection) => {
                let (output, input) = connection.start(line)?;
                Ok((WayOutput::System(Box::new(output)), WayInput::System(input)))
            }
        }
    }
}

/// The standard input of a command on a host.
pub(crate) enum WayInput {
    Own(SshInput),
    System(ChildInput),
}

impl Input for WayInput {
    async fn send(&mut self, bytes: Bytes) -> Result<(), Closed> {
        match self {
            Self::Own(input) => input.send(bytes).await,
            Self::System(input) => input.send(bytes).await,
        }
    }

    async fn finish(&mut self) -> Result<(), Closed> {
        match self {
            Self::Own(input) => input.finish().await,
            Self::System(input) => input.finish().await,
        }
    }
}

/// The output of a command on a host.
pub(crate) enum WayOutput {
    Own(SshOutput),
    System(Box<ChildOutput>),
}

impl Output for WayOutput {
    async fn next(&mut self) -> Event {
        match self {
            Self::Own(output) => output.next().await,
            Self::System(output) => output.next().await,
        }
    }
}
