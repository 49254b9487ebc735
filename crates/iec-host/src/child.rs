//! A program of this machine as a command: its standard input, its output, its end.

use std::process::ExitStatus;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use crate::converse::{Closed, Event, Finish, Input, Output};
use crate::error::HostError;
use crate::outcome::Signal;

/// The streams of a program that was started with all three piped.
pub(crate) fn streams(mut child: Child, address: &str, ended: Ended) -> (ChildOutput, ChildInput) {
    let input = ChildInput(child.stdin.take());
    let output = ChildOutput {
        stdout: child.stdout.take().map(|pipe| (pipe, BytesMut::new())),
        stderr: child.stderr.take().map(|pipe| (pipe, BytesMut::new())),
        child,
        finished: false,
        address: address.to_owned(),
        ended,
    };
    (output, input)
}

/// What the end of a program means.
pub(crate) type Ended = fn(ExitStatus) -> Result<Finish, String>;

/// The standard input of a program on this machine.
pub(crate) struct ChildInput(Option<ChildStdin>);

impl Input for ChildInput {
    async fn send(&mut self, bytes: Bytes) -> Result<(), Closed> {
        match &mut self.0 {
            Some(stdin) => stdin.write_all(&bytes).await.map_err(|_| Closed),
            None => Err(Closed),
        }
    }

    async fn finish(&mut self) -> Result<(), Closed> {
        // Closing the pipe is what says that this was all.
        self.0 = None;
        Ok(())
    }
}

/// The output of a program on this machine.
pub(crate) struct ChildOutput {
    stdout: Option<(ChildStdout, BytesMut)>,
    stderr: Option<(ChildStderr, BytesMut)>,
    child: Child,
    finished: bool,
    address: String,
    ended: Ended,
}

/// Reads the next piece of a pipe; `None` at its end.
async fn read<P: tokio::io::AsyncRead + Unpin>(pipe: &mut Option<(P, BytesMut)>) -> Option<Bytes> {
    let (reader, buffer) = pipe.as_mut()?;
    buffer.reserve(64 << 10);
    match reader.read_buf(buffer).await {
        Ok(read) if read > 0 => Some(buffer.split().freeze()),
        Ok(_) | Err(_) => None,
    }
}

impl Output for ChildOutput {
    async fn next(&mut self) -> Event {
        loop {
            if self.stdout.is_none() && self.stderr.is_none() && self.finished {
                return Event::Closed;
            }
            tokio::select! {
                bytes = read(&mut self.stdout), if self.stdout.is_some() => match bytes {
                    Some(bytes) => return Event::Stdout(bytes),
                    None => self.stdout = None,
                },
                bytes = read(&mut self.stderr), if self.stderr.is_some() => match bytes {
                    Some(bytes) => return Event::Stderr(bytes),
                    None => self.stderr = None,
                },
                status = self.child.wait(), if !self.finished => {
                    self.finished = true;
                    let ended = status.map_err(|error| error.to_string()).and_then(self.ended);
                    return match ended {
                        Ok(finish) => Event::Finished(finish),
                        Err(evidence) => Event::Lost(HostError::Lost {
                            address: self.address.clone(),
                            evidence,
                        }),
                    };
                }
            }
        }
    }
}

/// How a program ended, as whoever started it sees it.
pub(crate) fn finish(status: ExitStatus) -> Finish {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal().and_then(|number| u8::try_from(number).ok());
    match signal {
        Some(number) => Finish::Killed(Signal(number)),
        None => Finish::Exited(
            status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(255),
        ),
    }
}
