//! The command lines that a host's login shell sees: constants, so that no value can ever become shell.
//!
//! They are plain enough for every login shell (sh, bash, fish, csh). `LC_ALL=C` makes what `sudo` says readable by
//! [`crate::error::HostError`]'s rules. `sudo -k -S` always asks where a password is due, never where a cached one would do, and says
//! `iec-sudo-password` when it does: the password is sent only after that, and nothing else before `iec-sudo-ready`.

/// What `sudo` prints on standard error when it wants the password.
pub(crate) const SUDO_PROMPT: &str = "iec-sudo-password";
/// What the shell behind `sudo` prints on standard error when the password was right.
pub(crate) const SUDO_READY: &str = "iec-sudo-ready";
/// What the payload command prints on standard error before it does anything.
pub(crate) const PAYLOAD_BEGINS: &str = "iec-payload-begins";
/// What the payload command prints on standard output when everything is stored.
pub(crate) const PAYLOAD_STORED: &str = "iec-payload-stored";

/// How root's rights are come by on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elevation {
    /// None is needed, or none is wanted.
    Unneeded,
    /// `sudo` without a password.
    Sudo,
    /// `sudo` with a password.
    SudoPassword,
}

/// The command line whose standard input is a script.
pub(crate) const fn script(elevation: Elevation) -> &'static str {
    match elevation {
        Elevation::Unneeded => "exec env LC_ALL=C /bin/sh -s",
        Elevation::Sudo => "exec env LC_ALL=C sudo -n -- /bin/sh -s",
        Elevation::SudoPassword => {
            "exec env LC_ALL=C sudo -k -S -p iec-sudo-password -- /bin/sh -c \
             'echo iec-sudo-ready >&2; exec /bin/sh -s'"
        }
    }
}

/// What the payload's shell does, as one single-quoted word.
///
/// It is the same in every login shell, as it holds no single quote, and a backslash before nothing but a dollar. The empty
/// lines end what a start-up file left unfinished. tar gives each entry to a shell that cuts its file off at the byte that
/// the entry's name ends with, and writes on from there: so a file that came in part before needs only its rest. As root
/// tar would forget the umask, unless it is told not to.
macro_rules! store {
    ($before:literal) => {
        concat!(
            "'",
            $before,
            "echo >&2; echo iec-payload-begins >&2; umask 077 && mkdir -p /var/lib/iec/incoming && ",
            "cd /var/lib/iec/incoming && tar -x -f - --no-same-permissions ",
            "--to-command=\"case \\$TAR_FILENAME in secrets/*) mkdir -p secrets;; esac; ",
            "truncate -s \\${TAR_FILENAME#*@} \\${TAR_FILENAME%@*} && cat >>\\${TAR_FILENAME%@*}\" ",
            "&& echo && echo iec-payload-stored'"
        )
    };
}

/// The command line whose standard input is a payload: a tar archive of `<name>@<byte>` and `secrets/<name>@<byte>`.
pub(crate) const fn payload(elevation: Elevation) -> &'static str {
    match elevation {
        Elevation::Unneeded => concat!("exec env LC_ALL=C /bin/sh -c ", store!("")),
        Elevation::Sudo => concat!("exec env LC_ALL=C sudo -n -- /bin/sh -c ", store!("")),
        Elevation::SudoPassword => concat!(
            "exec env LC_ALL=C sudo -k -S -p iec-sudo-password -- /bin/sh -c ",
            store!("echo iec-sudo-ready >&2; ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_in_the_command_lines_are_the_ones_that_are_waited_for() {
        for line in [script(Elevation::SudoPassword), payload(Elevation::SudoPassword)] {
            assert!(line.contains(&format!("-p {SUDO_PROMPT} ")));
            assert!(line.contains(&format!("echo {SUDO_READY} >&2")));
        }
        for elevation in [Elevation::Unneeded, Elevation::Sudo, Elevation::SudoPassword] {
            assert!(payload(elevation).contains(&format!("echo {PAYLOAD_STORED}'")));
            assert!(payload(elevation).contains(&format!("echo {PAYLOAD_BEGINS} >&2")));
            assert!(payload(elevation).contains(crate::payload::INCOMING));
        }
    }
}
