//! What can go wrong between this program and a host, each with its code, its evidence and the next thing to do.

use std::fmt;
use std::path::PathBuf;

use iec_core::said;

/// A line of a file, as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

/// Why a host could not be reached, or not be worked on.
///
/// `Display` says the cause with its evidence; [`HostError::code`] and [`HostError::next`] say the rest.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the fields are named and shown in each variant's message"
)]
pub enum HostError {
    /// The address is a name that nobody can resolve.
    #[error("the name `{name}` could not be resolved")]
    UnknownName {
        name: String,
        #[source]
        source: std::io::Error,
    },
    /// Nothing listens on the port.
    #[error("{address} refused the connection")]
    Refused { address: String },
    /// No answer came in time.
    #[error("{address} did not answer within {seconds} s (while {doing})")]
    Timeout {
        address: String,
        seconds: u64,
        doing: &'static str,
    },
    /// The network does not lead there, or another error of the operating system.
    #[error("{address} could not be reached")]
    Unreachable {
        address: String,
        #[source]
        source: std::io::Error,
    },
    /// The other side closed the connection, or speaks no SSH that this program speaks.
    #[error("{address} broke off the SSH handshake: {evidence}")]
    Handshake { address: String, evidence: String },
    /// The server and this program know no common algorithm.
    #[error("{address} and iec know no common {kind}: it offers {theirs}")]
    Algorithms {
        address: String,
        kind: String,
        theirs: String,
        ours: String,
    },
    /// The jump host did not forward the connection.
    #[error("the jump host {jump} did not forward the connection to {address}: {evidence}")]
    JumpRefused {
        jump: String,
        address: String,
        evidence: String,
    },
    /// The user's SSH configuration asks for something this program cannot do, or cannot be read.
    #[error("the SSH configuration for `{address}` cannot be used: {evidence}")]
    Configuration { address: String, evidence: String },
    /// The host's key is in no known_hosts file, and none is pinned in the site.
    #[error("the host key of {address} is not known: {algorithm} {fingerprint}{}", note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default())]
    HostKeyUnknown {
        address: String,
        algorithm: String,
        fingerprint: String,
        /// The key as the site's `hostKey` would have it.
        key: String,
        note: Option<String>,
    },
    /// The host shows another key than the one that is known.
    #[error(
        "the host key of {address} is {algorithm} {fingerprint}, but {known_at} says {known_fingerprint}"
    )]
    HostKeyChanged {
        address: String,
        algorithm: String,
        fingerprint: String,
        known_fingerprint: String,
        /// The file and line of the known key, or the site.
        known_at: String,
    },
    /// The system's `ssh` does not know the host's key.
    #[error("the system's ssh does not know the host key of {address}: {evidence}")]
    SystemKeyUnknown { address: String, evidence: String },
    /// The system's `ssh` knows the host by another key.
    #[error("the system's ssh knows another host key of {address}: {evidence}")]
    SystemKeyChanged { address: String, evidence: String },
    /// The host shows a key that a known_hosts file revokes.
    #[error("the host key of {address}, {fingerprint}, is revoked by {revoked_at}")]
    HostKeyRevoked {
        address: String,
        fingerprint: String,
        revoked_at: Place,
    },
    /// A known_hosts file could not be read or written.
    #[error("the file {} could not be {doing}", file.display())]
    KnownHosts {
        file: PathBuf,
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// No key was accepted.
    #[error(
        "{address} accepted no key for the user `{user}`{}; tried: {}",
        said.as_deref().map(|said| format!("; it says: {said}")).unwrap_or_default(),
        tried_list(tried)
    )]
    Authentication {
        address: String,
        user: String,
        /// One entry for each key or agent that was tried or passed over, with the result.
        tried: Vec<String>,
        /// What the server wants people to read who log in.
        said: Option<String>,
    },
    /// The server closed the connection instead of letting the user in, and said why.
    #[error("{address} does not let the user `{user}` in; it says: {said}")]
    TurnedAway {
        address: String,
        user: String,
        said: String,
    },
    /// The operator's own key file or agent stands in the way.
    #[error("the key {} cannot be used: {evidence}", file.display())]
    Identity { file: PathBuf, evidence: String },
    /// `sudo` asks for a password, and none was given.
    #[error("sudo asks the user `{user}` for a password: {evidence}")]
    SudoPassword { user: String, evidence: String },
    /// `sudo` did not take the password.
    #[error("sudo did not accept the password of the user `{user}`")]
    SudoPasswordWrong { user: String },
    /// `sudo` works only on a terminal.
    #[error("sudo wants a terminal for the user `{user}`: {evidence}")]
    SudoTerminal { user: String, evidence: String },
    /// `sudo` does not let this user become root.
    #[error("sudo does not let the user `{user}` run commands as root: {evidence}")]
    SudoRefused { user: String, evidence: String },
    /// `sudo` writes down what passes through it.
    #[error(
        "sudo on {host} passes {streams} on to somebody who reads along, as its log does{}",
        said(evidence)
    )]
    SudoLogs {
        host: String,
        streams: String,
        evidence: String,
    },
    /// There is no `sudo`.
    #[error("the host has no sudo that the user `{user}` could run: {evidence}")]
    NoSudo { user: String, evidence: String },
    /// The login shell did not get as far as starting the script.
    #[error("the login shell of the user `{user}` did not start /bin/sh ({ended}): {evidence}")]
    Shell {
        user: String,
        ended: String,
        evidence: String,
    },
    /// The host's /bin/sh does not understand the script.
    #[error("the host's /bin/sh refused the script: {evidence}")]
    ScriptRefused { evidence: String },
    /// The SSH server refused a further channel or the command.
    #[error("the SSH server refused to run a command: {evidence}")]
    ChannelRefused { evidence: String },
    /// The connection ended while something was under way.
    #[error("the connection to {address} was lost: {evidence}")]
    Lost { address: String, evidence: String },
    /// The host says more than any host has to say.
    #[error("{address} said more than {bytes} bytes in answer to {question}")]
    TooMuch {
        address: String,
        question: &'static str,
        bytes: u64,
    },
    /// The host does not come to an end.
    #[error("{address} did not come to the end of {question} within {seconds} s")]
    NoEnd {
        address: String,
        question: &'static str,
        seconds: u64,
    },
    /// A file of the payload could not be read here.
    #[error("{} could not be sent", file.display())]
    Payload {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A script that only asks did not come to its end.
    #[error("{asking} ended early on the host ({ended}): {evidence}")]
    Ended {
        asking: &'static str,
        ended: String,
        evidence: String,
    },
    /// The host's answer cannot be read.
    #[error("the host's answer cannot be read: {evidence}")]
    Answer { evidence: String },
    /// A program of this machine could not be started.
    #[error("`{program}` could not be started on this machine")]
    Local {
        program: String,
        #[source]
        source: std::io::Error,
    },
}

/// Evidence behind a message, where there is some.
fn said(evidence: &str) -> String {
    if evidence.is_empty() {
        String::new()
    } else {
        format!(": {evidence}")
    }
}

/// The line of sshd_config that has the algorithms of this kind.
fn keyword(kind: &str) -> &'static str {
    match kind {
        "key exchange" => "KexAlgorithms",
        "kind of host key" => "HostKeyAlgorithms",
        "cipher" => "Ciphers",
        _ => "MACs",
    }
}

/// The tried keys for a message.
fn tried_list(tried: &[String]) -> String {
    if tried.is_empty() {
        "nothing, for there is no key and no agent".to_owned()
    } else {
        tried.join("; ")
    }
}

impl HostError {
    /// What lies under it, the nearest cause first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let first = std::error::Error::source(self);
        std::iter::successors(first, |cause| cause.source())
            .map(ToString::to_string)
            .collect()
    }

    /// The stable code, as the manual explains it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownName { .. } => "IEC1001",
            Self::Refused { .. } => "IEC1002",
            Self::Timeout { .. } => "IEC1003",
            Self::Unreachable { .. } => "IEC1004",
            Self::Handshake { .. } => "IEC1005",
            Self::Algorithms { .. } => "IEC1107",
            Self::TurnedAway { .. } => "IEC1108",
            Self::JumpRefused { .. } => "IEC1006",
            Self::Configuration { .. } => "IEC1007",
            Self::TooMuch { .. } => "IEC1020",
            Self::NoEnd { .. } => "IEC1021",
            Self::HostKeyUnknown { .. } | Self::SystemKeyUnknown { .. } => "IEC1101",
            Self::HostKeyChanged { .. } | Self::SystemKeyChanged { .. } => "IEC1102",
            Self::HostKeyRevoked { .. } => "IEC1103",
            Self::KnownHosts { .. } => "IEC1104",
            Self::Authentication { .. } => "IEC1201",
            Self::Identity { .. } => "IEC1202",
            Self::SudoLogs { .. } => "IEC1106",
            Self::SudoPassword { .. } => "IEC1301",
            Self::SudoPasswordWrong { .. } => "IEC1302",
            Self::SudoTerminal { .. } => "IEC1303",
            Self::SudoRefused { .. } => "IEC1304",
            Self::NoSudo { .. } => "IEC1305",
            Self::Shell { .. } => "IEC1401",
            Self::ScriptRefused { .. } => "IEC1402",
            Self::ChannelRefused { .. } => "IEC1403",
            Self::Lost { .. } => "IEC1501",
            Self::Payload { .. } => "IEC1502",
            Self::Local { .. } => "IEC1503",
            Self::Ended { .. } => "IEC1504",
            Self::Answer { .. } => "IEC1505",
        }
    }

    /// Whether the same attempt may well succeed a little later: the network or the host was away.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::Timeout { .. }
                | Self::Unreachable { .. }
                | Self::Handshake { .. }
                | Self::JumpRefused { .. }
                | Self::Lost { .. }
                | Self::NoEnd { .. }
                | Self::Ended { .. }
        )
    }

    /// Whether the host said no before anything ran: certain, whatever was sent.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::ChannelRefused { .. }
                | Self::SudoLogs { .. }
                | Self::SudoPassword { .. }
                | Self::SudoPasswordWrong { .. }
        )
    }

    /// The next thing to do, as one or two sentences for the operator.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::UnknownName { .. } => "Write the host's IP address as `address`, or add the name to your DNS or /etc/hosts.".to_owned(),
            Self::Refused { .. } => "Check that sshd runs there (`systemctl status ssh` on its console), and that the port is right.".to_owned(),
            Self::Timeout { .. } => "Check that the host is up and that no firewall drops the port; try `ssh -v` from here.".to_owned(),
            Self::Unreachable { .. } => "Check this machine's own network, and its route to that address (`ip route get ADDRESS`).".to_owned(),
            Self::Handshake { .. } => "Try `ssh -v` from here. A server that closes early is often over its MaxStartups, or bans this address for a while.".to_owned(),
            Self::Algorithms { kind, ours, .. } => format!(
                "Let the host's sshd offer one of these too (`{}` in its sshd_config): {ours}.",
                keyword(kind)
            ),
            Self::TurnedAway { .. } => "Put right on its console what the host names: /etc/nologin, an expired account or password (`chage -l USER`), a shutdown under way.".to_owned(),
            Self::JumpRefused { .. } => "Allow it there (`AllowTcpForwarding yes`, PermitOpen), and check that the jump host itself reaches the address.".to_owned(),
            Self::Configuration { .. } => "Correct it in your ssh_config (see `ssh -G ADDRESS`), or set `access` in the site.".to_owned(),
            Self::HostKeyUnknown { key, .. } => format!(
                "Compare the fingerprint with the host's own (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console), then pin it in the site: `hostKey: \"{key}\"`."
            ),
            Self::SystemKeyUnknown { .. } => "Compare the fingerprint with the host's own (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console), then pin the key in the site (`hostKey`).".to_owned(),
            Self::HostKeyChanged { .. } | Self::SystemKeyChanged { .. } => "Find out why: a reinstalled host, another host at this address, or somebody in between. Only then remove the old key from where it is recorded.".to_owned(),
            Self::HostKeyRevoked { .. } => "Give the host a new key (`ssh-keygen -A` after removing the old one), and record it.".to_owned(),
            Self::KnownHosts { .. } => "Make the file readable and writable for you, or pin the host keys in the site.".to_owned(),
            Self::Authentication { user, .. } => format!(
                "Put one of your public keys into ~{user}/.ssh/authorized_keys on the host (`ssh-copy-id`), or name the right key in the site's `access.identity`. --ask-login-password logs in by a password."
            ),
            Self::Identity { .. } => "Name a readable key in the site's `access.identity`, or load the key into your SSH agent (`ssh-add FILE`).".to_owned(),
            Self::SudoPassword { user, .. } => format!(
                "Write `{user} ALL=(root) NOPASSWD: ALL` into /etc/sudoers.d/iec on the host (with `visudo -f`), or give the password (--ask-sudo-password)."
            ),
            Self::SudoPasswordWrong { .. } => "Give the right password; after several wrong ones the host may lock the account for a while.".to_owned(),
            Self::SudoTerminal { user, .. } => format!(
                "Write `Defaults:{user} !requiretty` into /etc/sudoers.d/iec on the host (with `visudo -f`)."
            ),
            Self::SudoRefused { user, .. } => format!(
                "Write `{user} ALL=(root) NOPASSWD: ALL` into /etc/sudoers.d/iec on the host (with `visudo -f`)."
            ),
            Self::SudoLogs { .. } => "Write `Defaults:USER !log_input, !log_output` into /etc/sudoers.d/iec on the host (with `visudo -f`), or log in as root.".to_owned(),
            Self::NoSudo { .. } => "Install it on the host (`apt-get install sudo`), or log in as root.".to_owned(),
            Self::Shell { user, .. } => format!(
                "See what it printed. A `ForceCommand` in the host's sshd_config, or `command=` before the key, runs something else; so do `exit`, `exec` and `read` in the start-up files of the shell; and the user needs a shell that runs commands (`chsh -s /bin/bash {user}`)."
            ),
            Self::ScriptRefused { .. } => "Check what /bin/sh is on the host (dash or bash is expected); if it is one of these, report this as a bug of IEC.".to_owned(),
            Self::ChannelRefused { .. } => "Raise `MaxSessions` in the host's sshd_config, and remove any ForceCommand or `command=` for this key.".to_owned(),
            Self::Lost { .. } => "Check that the host still runs and is reachable, then run the same command again: it goes on where it was.".to_owned(),
            Self::TooMuch { .. } => "Log in by hand and see what floods the connection: a start-up file of the shell, or a program in place of the one that is meant. Nobody has to answer so much.".to_owned(),
            Self::NoEnd { .. } => "Look at the host's load and at what hangs there (`ps -ef --forest`, `journalctl -e`), then run the same command again.".to_owned(),
            Self::Payload { .. } => "Check the file and the disk it is on (`iec bundle verify`).".to_owned(),
            Self::Ended { .. } => {
                "Look at the host's memory and disk (`journalctl -e`), then run the same command again.".to_owned()
            }
            Self::Answer { .. } => {
                "Run the same command again; if it repeats, report it with the message as it stands.".to_owned()
            }
            Self::Local { .. } => "Install the program, or put it on the PATH.".to_owned(),
        }
    }
}

/// What `sudo` or the login shell said, turned into an error, when a script never began.
///
/// `root` tells whether `sudo` was used; `said` is what came before the script, standard error first.
pub(crate) fn why_never_began(
    user: &str,
    sudo: bool,
    ended: String,
    stderr: &str,
    stdout: &str,
) -> HostError {
    let user = user.to_owned();
    let evidence = evidence(stderr, stdout);
    let says = |text: &str| stderr.contains(text);
    if sudo {
        if says("a password is required") || says("no password was provided") {
            return HostError::SudoPassword { user, evidence };
        }
        if says("you must have a tty") || says("a terminal is required") || says("no tty present") {
            return HostError::SudoTerminal { user, evidence };
        }
        if says("is not in the sudoers file") || says("may not run sudo") || says("is not allowed to") {
            return HostError::SudoRefused { user, evidence };
        }
        if says("'sudo'") || says("sudo: not found") || says("sudo: command not found") {
            return HostError::NoSudo { user, evidence };
        }
    }
    if says("yntax error") {
        return HostError::ScriptRefused { evidence };
    }
    HostError::Shell {
        user,
        ended,
        evidence,
    }
}

/// The last words of two streams in one line.
pub(crate) fn evidence(stderr: &str, stdout: &str) -> String {
    let last = |text: &str| {
        let lines: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    };
    match (last(stderr), last(stdout)) {
        (stderr, _) if !stderr.is_empty() => said::said(&stderr),
        (_, stdout) if !stdout.is_empty() => said::said(&stdout),
        _ => "it said nothing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(stderr: &str) -> &'static str {
        why_never_began("edge", true, "exit status 1".to_owned(), stderr, "").code()
    }

    #[test]
    fn what_sudo_says_becomes_an_error_of_its_own() {
        assert_eq!(code("sudo: a password is required"), "IEC1301");
        assert_eq!(code("sudo: sorry, you must have a tty to run sudo"), "IEC1303");
        assert_eq!(code("edge is not in the sudoers file."), "IEC1304");
        assert_eq!(code("env: 'sudo': No such file or directory"), "IEC1305");
        assert_eq!(code("sh: 3: Syntax error: end of file unexpected"), "IEC1402");
        assert_eq!(code("something else"), "IEC1401");
    }

    #[test]
    fn sudoers_lines_name_the_user() {
        let error = why_never_began("edge", true, String::new(), "sudo: a password is required\n", "");
        assert!(error.next().contains("`edge ALL=(root) NOPASSWD: ALL`"));
        assert!(error.to_string().ends_with("sudo: a password is required"));
    }

    #[test]
    fn evidence_is_short_and_never_empty() {
        assert_eq!(evidence("", ""), "it said nothing");
        assert_eq!(evidence("a\nb\n\nc\nd\n", "x"), "b | c | d");
        assert_eq!(
            evidence("", "This account is currently not available."),
            "This account is currently not available."
        );
    }
}
