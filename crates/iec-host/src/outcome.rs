//! How a run of a script or a transfer of a payload ended: exited, killed, never ran, or lost.

use std::fmt;

use crate::error::HostError;

/// With whose rights a script runs on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Privilege {
    /// The rights of the user that logs in.
    Login,
    /// Root's rights: by `sudo`, or by login where the user that logs in is root.
    Root,
}

/// What is known after a run.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// The last lines that the script wrote to standard error (at most 16 KiB; what the login shell wrote before is not in it).
    pub stderr: String,
    /// What the login shell printed on standard output before the script began: nothing, on a well-kept host.
    pub chatter: String,
}

/// The four ways in which a run can end.
///
/// After any ending but [`Ending::Exited`] the caller asks the host again before it calls anything failed.
#[derive(Debug)]
pub enum Ending {
    /// The script ran to its end with this status (0 to 255). A status of 129 to 159 is read as [`Ending::Killed`],
    /// because that is how a shell reports a death by signal.
    Exited(u8),
    /// A signal ended the script.
    Killed(Signal),
    /// No line of the script ran: this is certain.
    NeverRan(HostError),
    /// The script may have run, wholly, in part or not at all: the connection was lost too early to tell.
    Lost(HostError),
}

impl Outcome {
    /// An outcome in which the login shell said nothing.
    #[must_use]
    pub fn new(ending: Ending, stderr: String) -> Self {
        Self {
            ending,
            stderr,
            chatter: String::new(),
        }
    }

    pub(crate) fn never_ran(error: HostError) -> Self {
        Self::new(Ending::NeverRan(error), String::new())
    }

    /// Whether the script ran to its end with status 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.ending, Ending::Exited(0))
    }

    /// The error of an outcome that is no exit and no kill.
    #[must_use]
    pub fn error(&self) -> Option<&HostError> {
        match &self.ending {
            Ending::NeverRan(error) | Ending::Lost(error) => Some(error),
            Ending::Exited(_) | Ending::Killed(_) => None,
        }
    }
}

/// A signal, by the number it has on Linux.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(pub u8);

/// The names of the signals 1 to 15, without `SIG`.
const NAMES: [&str; 15] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM",
];

impl Signal {
    /// The signal called `name` (without `SIG`), as an SSH server reports it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let position = NAMES.iter().position(|known| *known == name)?;
        u8::try_from(position + 1).ok().map(Self)
    }

    /// The signal that a shell means by this exit status, if it means one.
    pub(crate) fn from_shell_status(status: u8) -> Option<Self> {
        (129..=159).contains(&status).then(|| Self(status - 128))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0).wrapping_sub(1)) {
            Some(name) => write!(formatter, "SIG{name}"),
            None => write!(formatter, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Signal;

    #[test]
    fn signals_have_names_both_ways() {
        assert_eq!(Signal::named("KILL"), Some(Signal(9)));
        assert_eq!(Signal(9).to_string(), "SIGKILL");
        assert_eq!(Signal(31).to_string(), "signal 31");
        assert_eq!(Signal::named("NOPE"), None);
    }

    #[test]
    fn a_shell_status_above_128_is_a_signal() {
        assert_eq!(Signal::from_shell_status(137), Some(Signal(9)));
        assert_eq!(Signal::from_shell_status(128), None);
        assert_eq!(Signal::from_shell_status(255), None);
    }
}
