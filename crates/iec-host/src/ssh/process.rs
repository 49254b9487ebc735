//! A command on an SSH channel: its standard input, its output, its end.

use std::sync::Arc;

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};

use super::connection::Connection;
use crate::converse::{Closed, Event, Finish, Input, Output};
use crate::error::HostError;
use crate::outcome::Signal;

/// Starts `line` on `connection`.
pub(crate) async fn start(
    connection: &Arc<Connection>,
    line: &'static str,
) -> Result<(SshOutput, SshInput), HostError> {
    let (read, write) = connection.session().await?.split();
    let write = Arc::new(write);
    let output = SshOutput {
        read,
        closing: Closing {
            write: Some(Arc::clone(&write)),
        },
        connection: Arc::clone(connection),
    };
    write.exec(true, line).await.map_err(|_| connection.lost())?;
    Ok((output, SshInput(write)))
}

/// The standard input of a command.
pub(crate) struct SshInput(Arc<ChannelWriteHalf<Msg>>);

impl Input for SshInput {
    async fn send(&mut self, bytes: Bytes) -> Result<(), Closed> {
        self.0.data_bytes(bytes).await.map_err(|_| Closed)
    }

    async fn finish(&mut self) -> Result<(), Closed> {
        self.0.eof().await.map_err(|_| Closed)
    }
}

/// The output of a command.
pub(crate) struct SshOutput {
    read: ChannelReadHalf,
    closing: Closing,
    connection: Arc<Connection>,
}

/// Closes a channel that the server has not closed, when it is let go of: else it would stay open with the connection.
struct Closing {
    write: Option<Arc<ChannelWriteHalf<Msg>>>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let (Some(write), Ok(runtime)) = (self.write.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { write.close().await });
        }
    }
}

impl Output for SshOutput {
    async fn next(&mut self) -> Event {
        loop {
            return match self.read.wait().await {
                Some(ChannelMsg::Data { data }) => Event::Stdout(data),
                Some(ChannelMsg::ExtendedData { data, ext: 1 }) => Event::Stderr(data),
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    Event::Finished(Finish::Exited(u8::try_from(exit_status).unwrap_or(u8::MAX)))
                }
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => Event::Finished(killed(&signal_name)),
                Some(ChannelMsg::Failure) => Event::Refused("it refused the command".to_owned()),
                Some(ChannelMsg::Close) => {
                    self.closing.write = None;
                    Event::Closed
                }
                None => {
                    self.closing.write = None;
                    Event::Lost(self.connection.lost())
                }
                Some(_) => continue,
            };
        }
    }
}

fn killed(signal: &russh::Sig) -> Finish {
    let name = match signal {
        russh::Sig::Custom(name) => name.split('@').next().unwrap_or_default().to_owned(),
        known => format!("{known:?}"),
    };
    // OpenSSH names what SSH does not know `SIG…@openssh.com`; a signal without a number we know is a kill all the same.
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    Finish::Killed(Signal::named(name).unwrap_or(Signal(9)))
}
