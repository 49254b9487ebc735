//! One command on a host from start to end: feeding its standard input while reading what it says, whichever way it is
//! reached, and never more of it than it may say.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use iec_core::secret::Secret;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout};

use crate::command::{Elevation, SUDO_PROMPT, SUDO_READY};
use crate::error::{HostError, why_never_began};
use crate::host::Bounds;
use crate::outcome::{Ending, Outcome, Signal};

/// How long the streams may be silent before they are given up, once a script has ended on standard output.
const GRACE: Duration = Duration::from_millis(500);
/// The same, when the command has ended without a word of it on standard output.
const LONG_GRACE: Duration = Duration::from_secs(5);
/// How long `sudo` may take to ask for the password, and to accept it.
const SUDO_PATIENCE: Duration = Duration::from_secs(20);

/// What a running command does.
#[derive(Debug)]
pub(crate) enum Event {
    Stdout(Bytes),
    Stderr(Bytes),
    /// It ended; output may still come.
    Finished(Finish),
    /// The server did not start it.
    Refused(String),
    /// All output has come.
    Closed,
    /// Nothing more will come, and what is missing is unknown.
    Lost(HostError),
}

/// A running command's output.
pub(crate) trait Output: Send {
    fn next(&mut self) -> impl Future<Output = Event> + Send;
}

/// A running command's standard input. An error means that nobody reads it any more; the output tells why.
pub(crate) trait Input: Send {
    fn send(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Closed>> + Send;
    fn finish(&mut self) -> impl Future<Output = Result<(), Closed>> + Send;
}

/// The command does not read its standard input any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed;

/// What is sent to a command's standard input.
pub(crate) type Feed<'a> = BoxStream<'a, Result<Bytes, HostError>>;

/// Who runs a command and where, and how root's rights are come by.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// What errors call the host.
    pub address: &'a str,
    pub user: &'a str,
    pub elevation: Elevation,
    pub password: Option<&'a Secret<String>>,
}

impl Caller<'_> {
    pub(crate) fn never_began(&self, ended: String, stderr: &str, stdout: &str) -> HostError {
        why_never_began(
            self.user,
            self.elevation != Elevation::Unneeded,
            ended,
            stderr,
            stdout,
        )
    }
}

/// What is made of a command's output.
pub(crate) trait Listener: Send {
    fn stdout(&mut self, bytes: &[u8]);
    fn stderr(&mut self, bytes: &[u8]);
    /// How much of what matters has been said.
    fn done(&self) -> Done;
    /// What became of it.
    fn outcome(self, end: End, caller: Caller<'_>) -> Outcome;
}

/// How much of what matters a command has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Nothing,
    /// All of standard output; standard error may still come.
    Output,
    Everything,
}

/// How a command ended, as whoever started it reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Exited(u8),
    Killed(Signal),
}

impl Finish {
    /// What a shell means by an exit status: above 128 a death by signal.
    pub(crate) fn from_shell(status: u8) -> Self {
        Signal::from_shell_status(status).map_or(Self::Exited(status), Self::Killed)
    }
}

impl From<Finish> for Ending {
    fn from(finish: Finish) -> Self {
        match finish {
            Finish::Exited(status) => Self::Exited(status),
            Finish::Killed(signal) => Self::Killed(signal),
        }
    }
}

impl fmt::Display for Finish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(formatter, "exit status {status}"),
            Self::Killed(signal) => write!(formatter, "killed by {signal}"),
        }
    }
}

/// How the conversation ended, before it is made sense of.
#[derive(Debug)]
pub(crate) struct End {
    pub result: Option<Finish>,
    /// Whether all of the output has come.
    pub closed: bool,
    /// Whether all of the standard input was handed over.
    pub fed: bool,
    /// The error that ended it early.
    pub error: Option<HostError>,
}

/// What the time of a command's [`Bounds`] is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeFrom {
    /// Its start.
    Start,
    /// The last byte that it took from its standard input: how long all of them take, the line decides.
    Progress,
}

/// How far `sudo` has got with asking for a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sudo {
    Silent,
    Asked,
    Ready,
}

/// Runs one command to its end, or to the end of its bounds.
pub(crate) async fn converse<L: Listener>(
    mut output: impl Output,
    input: impl Input,
    feed: Feed<'_>,
    mut listener: L,
    caller: Caller<'_>,
    (bounds, time_from): (Bounds, TimeFrom),
    progress: &mut (dyn FnMut(u64) + Send),
) -> Outcome {
    let mut measure = Measure::new(bounds, time_from, caller.address);
    let (sudo, sudo_seen) = watch::channel(Sudo::Silent);
    let mut watcher = SudoWatcher::new(caller.elevation == Elevation::SudoPassword, sudo);
    let mut end = End {
        result: None,
        closed: false,
        fed: false,
        error: None,
    };
    let fed = Fed::default();
    let mut writing = std::pin::pin!(write(input, feed, caller, sudo_seen, progress, &fed));
    let mut written = false;
    loop {
        let event = tokio::select! {
            event = output.next() => event,
            result = &mut writing, if !written => {
                written = true;
                if let Err(error) = result {
                    end.error = Some(error);
                    break;
                }
                continue;
            }
            // A process that the script left behind may keep the streams open.
            () = sleep(GRACE), if listener.done() == Done::Output => break,
            () = sleep(LONG_GRACE), if end.result.is_some() => break,
            error = measure.out_of_time(&fed) => {
                end.error = Some(error);
                break;
            }
        };
        if let Some(error) = measure.too_much(&event) {
            end.error = Some(error);
            break;
        }
        end.closed = matches!(event, Event::Closed);
        let last = take(event, &mut listener, &mut watcher, caller, &mut end).is_break();
        if last || listener.done() == Done::Everything {
            break;
        }
    }
    end.fed = fed.all.load(Ordering::Relaxed);
    listener.outcome(end, caller)
}

/// How much was handed to a command's standard input.
#[derive(Default)]
struct Fed {
    bytes: AtomicU64,
    all: AtomicBool,
}

/// Measures a command by its bounds.
struct Measure<'a> {
    bounds: Bounds,
    time_from: TimeFrom,
    address: &'a str,
    said: u64,
    /// How much had been fed when the time was last counted anew.
    fed: u64,
    until: Instant,
}

impl<'a> Measure<'a> {
    fn new(bounds: Bounds, time_from: TimeFrom, address: &'a str) -> Self {
        Self {
            bounds,
            time_from,
            address,
            said: 0,
            fed: 0,
            until: Instant::now() + bounds.time,
        }
    }

    /// Ends when the time is over.
    async fn out_of_time(&mut self, fed: &Fed) -> HostError {
        loop {
            sleep_until(self.until).await;
            let bytes = fed.bytes.load(Ordering::Relaxed);
            if self.time_from == TimeFrom::Start || bytes == self.fed {
                return HostError::NoEnd {
                    address: self.address.to_owned(),
                    question: self.bounds.question,
                    seconds: self.bounds.time.as_secs(),
                };
            }
            self.fed = bytes;
            self.until = Instant::now() + self.bounds.time;
        }
    }

    /// The error where what comes now is more than the command may say.
    fn too_much(&mut self, event: &Event) -> Option<HostError> {
        if let Event::Stdout(bytes) | Event::Stderr(bytes) = event {
            self.said += bytes.len() as u64;
        }
        (self.said > self.bounds.bytes).then(|| HostError::TooMuch {
            address: self.address.to_owned(),
            question: self.bounds.question,
            bytes: self.bounds.bytes,
        })
    }
}

/// Takes one event in; breaks when it is the last.
fn take<L: Listener>(
    event: Event,
    listener: &mut L,
    watcher: &mut SudoWatcher,
    caller: Caller<'_>,
    end: &mut End,
) -> ControlFlow<()> {
    match event {
        Event::Stdout(bytes) => listener.stdout(&bytes),
        Event::Stderr(bytes) => {
            listener.stderr(&bytes);
            if watcher.wrong_password(&bytes) {
                end.error = Some(HostError::SudoPasswordWrong {
                    user: caller.user.to_owned(),
                });
                return ControlFlow::Break(());
            }
        }
        Event::Finished(finish) => end.result = Some(finish),
        Event::Refused(evidence) => {
            end.error = Some(HostError::ChannelRefused { evidence });
            return ControlFlow::Break(());
        }
        Event::Closed => return ControlFlow::Break(()),
        Event::Lost(error) => {
            end.error = Some(error);
            return ControlFlow::Break(());
        }
    }
    ControlFlow::Continue(())
}

/// Writes the password where one is asked for, then the feed; notes in `fed` what is handed over.
async fn write(
    mut input: impl Input,
    mut feed: Feed<'_>,
    caller: Caller<'_>,
    mut sudo: watch::Receiver<Sudo>,
    progress: &mut (dyn FnMut(u64) + Send),
    fed: &Fed,
) -> Result<(), HostError> {
    if let (Elevation::SudoPassword, Some(password)) = (caller.elevation, caller.password) {
        // The watcher lives as long as the conversation, so only time can run out.
        if reached(&mut sudo, Sudo::Asked, caller).await? == Sudo::Asked {
            let line = Bytes::from(format!("{}\n", password.expose()));
            if input.send(line).await.is_err() {
                return Ok(());
            }
            reached(&mut sudo, Sudo::Ready, caller).await?;
        }
    }
    while let Some(chunk) = feed.next().await {
        let chunk = chunk?;
        let length = chunk.len() as u64;
        if input.send(chunk).await.is_err() {
            return Ok(());
        }
        fed.bytes.fetch_add(length, Ordering::Relaxed);
        progress(length);
    }
    fed.all.store(true, Ordering::Relaxed);
    // Where this fails, nobody reads any more, and the output says why.
    let _ = input.finish().await;
    Ok(())
}

/// Waits until `sudo` has got at least as far as `stage`, and says how far it got.
async fn reached(
    sudo: &mut watch::Receiver<Sudo>,
    stage: Sudo,
    caller: Caller<'_>,
) -> Result<Sudo, HostError> {
    match timeout(SUDO_PATIENCE, sudo.wait_for(|state| *state >= stage)).await {
        Ok(Ok(state)) => Ok(*state),
        Ok(Err(_)) | Err(_) => Err(HostError::SudoPassword {
            user: caller.user.to_owned(),
            evidence: format!(
                "it neither asked nor went on within {} s",
                SUDO_PATIENCE.as_secs()
            ),
        }),
    }
}

/// Looks for `sudo`'s prompt and for the sign that it let the command start.
struct SudoWatcher {
    active: bool,
    state: watch::Sender<Sudo>,
    /// What was said since the last prompt.
    seen: Vec<u8>,
    prompts: usize,
}

/// How much of what was said is kept to find a prompt in: more than the longer of the two.
const SUDO_SEEN: usize = 1 << 10;

impl SudoWatcher {
    fn new(active: bool, state: watch::Sender<Sudo>) -> Self {
        Self {
            active,
            state,
            seen: Vec::new(),
            prompts: 0,
        }
    }

    /// Takes bytes of standard error; `true` when `sudo` asks a second time.
    fn wrong_password(&mut self, bytes: &[u8]) -> bool {
        if !self.active {
            return false;
        }
        self.seen.extend_from_slice(bytes);
        if find(&self.seen, SUDO_READY).is_some() {
            self.active = false;
            self.state.send_replace(Sudo::Ready);
            return false;
        }
        while let Some(end) = find(&self.seen, SUDO_PROMPT) {
            self.seen.drain(..end);
            self.prompts += 1;
            self.state.send_replace(Sudo::Asked);
        }
        self.seen.drain(..self.seen.len().saturating_sub(SUDO_SEEN));
        self.prompts > 1
    }
}

/// Where `text` first ends among these bytes.
fn find(bytes: &[u8], text: &str) -> Option<usize> {
    let found = bytes
        .windows(text.len())
        .position(|window| window == text.as_bytes());
    found.map(|start| start + text.len())
}
