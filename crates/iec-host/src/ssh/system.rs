//! The system's own `ssh` as the way to a host: for what the user's configuration asks for and only OpenSSH has.
//!
//! One connection is made for each host and kept (`ControlMaster`); commands pass through it. The socket is in a folder of
//! this program's own that nobody else can enter. What the user's configuration says counts, but for what this program's
//! safety rests on: host keys are always checked, a pinned one is the only one, and nothing is forwarded.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use iec_core::said::said;
use tokio::process::Command;
use tokio::time::timeout;

use super::client::{NewHostKeys, SshSettings, SshTarget};
use super::configuration::{Configuration, StrictHostKeyChecking};
use crate::child::{self, ChildInput, ChildOutput};
use crate::converse::Finish;
use crate::error::HostError;

/// The exit status by which `ssh` says that it, and not the command, has failed.
const OWN_FAILURE: i32 = 255;
/// How long a person may take for what `ssh` asks of them, such as the PIN of a card.
const PERSON: Duration = Duration::from_secs(120);
/// How long a connection may be made without a person.
const MAKING: Duration = Duration::from_secs(70);
/// Seconds that a connection outlives its last command, where this program could not end it.
const PERSISTS: u32 = 600;

/// The folder of the sockets; it goes with the last connection.
#[derive(Debug)]
pub(crate) struct Sockets {
    folder: PathBuf,
    next: AtomicU64,
}

impl Sockets {
    /// A new folder below `/tmp`: paths of sockets must be short, which a home may be not.
    pub(crate) fn new() -> std::io::Result<Self> {
        use std::hash::{BuildHasher as _, Hasher as _};
        let random = std::collections::hash_map::RandomState::new()
            .build_hasher()
            .finish();
        let folder = PathBuf::from(format!("/tmp/iec-ssh-{random:016x}"));
        // It fails where somebody else has made one of this name.
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self {
            folder,
            next: AtomicU64::new(0),
        })
    }

    fn path(&self) -> PathBuf {
        self.folder
            .join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        // What is left of it holds no secret.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A connection that the system's `ssh` keeps.
pub(crate) struct SystemConnection {
    /// What every `ssh` for this host is told, and the host itself at the end.
    words: Vec<String>,
    socket: PathBuf,
    address: String,
    user: String,
    sockets: Arc<Sockets>,
}

impl SystemConnection {
    /// Connects, and waits until the host has let us in.
    ///
    /// # Errors
    /// What `ssh` says about why it is not so.
    pub(crate) async fn open(
        target: &SshTarget,
        configuration: &Configuration,
        settings: &SshSettings,
        sockets: Arc<Sockets>,
    ) -> Result<Self, HostError> {
        let socket = sockets.path();
        let address = format!("{}:{}", configuration.hostname, configuration.port);
        let words = words(target, configuration, settings, &socket)?;
        let (user, patience) = (
            configuration.user.clone(),
            if settings.interactive { PERSON } else { MAKING },
        );
        let connection = Self {
            words,
            socket,
            address,
            user,
            sockets,
        };
        let mut command = connection.ssh();
        let master = [
            "ControlMaster=yes".to_owned(),
            format!("ControlPersist={PERSISTS}"),
            format!("BatchMode={}", if settings.interactive { "no" } else { "yes" }),
        ];
        for option in master {
            command.args(["-o", &option]);
        }
        command.arg("-N").args(connection.destination());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let making = command.spawn().map_err(local)?;
        let made = timeout(patience, ended(making)).await;
        let (status, stderr) = made.map_err(|_| HostError::Timeout {
            address: connection.address.clone(),
            seconds: patience.as_secs(),
            doing: "waiting for the system's ssh",
        })??;
        if status.success() {
            return Ok(connection);
        }
        Err(connection.why(&stderr))
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// Whether `ssh` has given the connection up: it then takes its socket away.
    pub(crate) fn is_closed(&self) -> bool {
        !self.socket.exists()
    }

    /// Starts `line` on the host.
    pub(crate) fn start(&self, line: &'static str) -> Result<(ChildOutput, ChildInput), HostError> {
        let mut command = self.ssh();
        command.args(["-o", "ControlMaster=no", "-o", "BatchMode=yes", "-T"]);
        command.args(self.destination()).arg(line);
        // Ctrl-C is for this program: what is under way on the host comes to its end.
        command.process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().map_err(local)?;
        Ok(child::streams(child, &self.address, command_ended))
    }

    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command
            .args(&self.words[..self.words.len() - 1])
            .kill_on_drop(true);
        command
    }

    /// Behind everything that is an option, whatever it looks like.
    fn destination(&self) -> [&str; 2] {
        ["--", self.words.last().map_or("", String::as_str)]
    }

    /// The error that `ssh` means.
    fn why(&self, stderr: &str) -> HostError {
        let address = self.address.clone();
        let evidence = last_lines(stderr);
        let has = |words: &str| stderr.contains(words);
        if has("IDENTIFICATION HAS CHANGED") || has("has changed and you have requested strict checking") {
            return HostError::SystemKeyChanged {
                address,
                evidence: self.other_key(stderr),
            };
        }
        if has("Host key verification failed") {
            return HostError::SystemKeyUnknown { address, evidence };
        }
        if has("Permission denied") || has("Too many authentication failures") {
            return HostError::Authentication {
                address,
                user: self.user.clone(),
                tried: vec![format!("by the system's ssh: {evidence}")],
                said: None,
            };
        }
        if has("Connection refused") {
            return HostError::Refused { address };
        }
        if has("Could not resolve hostname") {
            return HostError::UnknownName {
                name: address,
                source: std::io::Error::other(evidence),
            };
        }
        HostError::Handshake { address, evidence }
    }

    /// Which key the host shows, and what has another one, from what `ssh` says about it.
    fn other_key(&self, stderr: &str) -> String {
        let shown = stderr.split_whitespace().find(|word| word.starts_with("SHA256:"));
        let shown = shown.map_or("another key", |word| word.trim_end_matches('.'));
        let place = stderr.lines().find_map(|line| {
            let (_, place) = line.strip_prefix("Offending ")?.split_once(" in ")?;
            Some(place.trim())
        });
        match place {
            Some(place) if place.starts_with(&self.sockets.folder.display().to_string()) => said(&format!(
                "it shows {shown}, and the site's hostKey is another one"
            )),
            Some(place) => said(&format!("it shows {shown}, and {place} has another one")),
            None => last_lines(stderr),
        }
    }
}

impl Drop for SystemConnection {
    fn drop(&mut self) {
        if self.is_closed() {
            return;
        }
        // A connection that stayed would let in whoever can become this user. Where this fails it ends by itself.
        let _ = std::process::Command::new("ssh")
            .args(&self.words[..self.words.len() - 1])
            .args(["-O", "exit"])
            .args(self.destination())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// What every `ssh` for this host is told; the host's name as the user's configuration has it comes last.
fn words(
    target: &SshTarget,
    configuration: &Configuration,
    settings: &SshSettings,
    socket: &Path,
) -> Result<Vec<String>, HostError> {
    let mut words = Vec::new();
    if let Some(file) = &settings.configuration {
        words.extend(["-F".to_owned(), file.display().to_string()]);
    }
    if let Some(user) = &target.user {
        words.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = target.port {
        words.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(identity) = &target.identity {
        words.extend(["-i".to_owned(), identity.display().to_string()]);
    }
    let strict = match (settings.new_host_keys, configuration.strict) {
        (NewHostKeys::Accept, _) | (NewHostKeys::AsConfigured, StrictHostKeyChecking::AcceptNew)
            if target.host_key.is_none() =>
        {
            "accept-new"
        }
        _ => "yes",
    };
    let mut options = vec![
        format!("ControlPath={}", socket.display()),
        format!("StrictHostKeyChecking={strict}"),
        format!("ConnectTimeout={}", settings.connect_timeout.as_secs().max(1)),
        format!("ServerAliveInterval={}", settings.keepalive.as_secs().max(1)),
        format!("ServerAliveCountMax={}", settings.keepalive_misses),
        "ClearAllForwardings=yes".to_owned(),
        "ForwardAgent=no".to_owned(),
        "ForwardX11=no".to_owned(),
        "Tunnel=no".to_owned(),
        "PermitLocalCommand=no".to_owned(),
        "RemoteCommand=none".to_owned(),
        "RequestTTY=no".to_owned(),
        "VerifyHostKeyDNS=no".to_owned(),
        "LogLevel=ERROR".to_owned(),
    ];
    if let Some(key) = &target.host_key {
        let known = socket.with_extension("key");
        let line = format!("iec {key}\n");
        std::fs::write(&known, line).map_err(|source| HostError::KnownHosts {
            file: known.clone(),
            doing: "written",
            source,
        })?;
        options.extend([
            format!("UserKnownHostsFile={}", known.display()),
            "GlobalKnownHostsFile=none".to_owned(),
            "KnownHostsCommand=none".to_owned(),
            "HostKeyAlias=iec".to_owned(),
            "CheckHostIP=no".to_owned(),
            "UpdateHostKeys=no".to_owned(),
        ]);
    }
    words.extend(options.into_iter().flat_map(|option| ["-o".to_owned(), option]));
    words.push(target.address.clone());
    Ok(words)
}

/// What the end of an `ssh` says about the command that it ran: nothing, where `ssh` itself has failed.
fn command_ended(status: ExitStatus) -> Result<Finish, String> {
    match child::finish(status) {
        Finish::Exited(code) if i32::from(code) == OWN_FAILURE => {
            Err("the system's ssh has lost it (exit code 255)".to_owned())
        }
        Finish::Killed(signal) => Err(format!("the system's ssh was killed by {signal}")),
        finish @ Finish::Exited(_) => Ok(finish),
    }
}

/// Waits for a program's end and reads what it says. The connection that stays behind may keep the pipe open.
async fn ended(mut child: tokio::process::Child) -> Result<(ExitStatus, String), HostError> {
    use tokio::io::AsyncReadExt as _;
    /// The most that is read of it.
    const MOST: u64 = 16 << 10;
    let pipe = child.stderr.take();
    let reading = tokio::spawn(async move {
        let mut said = Vec::new();
        if let Some(pipe) = pipe {
            // What cannot be read is missing as evidence, no more.
            let _ = pipe.take(MOST).read_to_end(&mut said).await;
        }
        said
    });
    let status = child.wait().await.map_err(local)?;
    let said = match status.success() {
        true => Vec::new(),
        false => timeout(Duration::from_secs(1), reading)
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default(),
    };
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

fn local(source: std::io::Error) -> HostError {
    HostError::Local {
        program: "ssh".to_owned(),
        source,
    }
}

/// The last words of a program in one line.
fn last_lines(text: &str) -> String {
    const LINES: usize = 4;
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let from = lines.len().saturating_sub(LINES);
    match lines[from..].join(" | ") {
        none if none.is_empty() => "it said nothing".to_owned(),
        some => said(&some),
    }
}
