//! Passwords for hosts: asked for on the terminal, or from a file that only its owner can read.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use iec_core::secret::Secret;
use iec_host::{LoginQuestion, SshSettings};

use crate::cli::Passwords;
use crate::error::{CliError, unreadable};
use crate::settings::Settings;
use crate::text_file;
use crate::ui::{ask_hidden, ask_shown};

/// Gives the way to the hosts what the operator wants to give.
///
/// # Errors
/// When a file is not for its owner alone or has no password, or when nobody is there to answer.
pub(super) fn give(
    passwords: &Passwords,
    settings: &Settings,
    ssh: &mut SshSettings,
) -> Result<(), CliError> {
    ssh.login_password = match &passwords.login_password_file {
        Some(file) => Some(read(file)?),
        None if passwords.ask_login_password => {
            let question = "Password to log in to the hosts";
            Some(ask_hidden(settings, question, "--login-password-file")?)
        }
        None => None,
    };
    ssh.sudo_password = match &passwords.sudo_password_file {
        Some(file) => Some(read(file)?),
        None if passwords.ask_sudo_password => {
            let question = "Password for sudo on the hosts";
            Some(ask_hidden(settings, question, "--sudo-password-file")?)
        }
        None => None,
    };
    if settings.interactive {
        let settings = settings.clone();
        // Several hosts may ask at the same moment: one question after the other.
        let turn = Mutex::new(());
        ssh.questions = Some(Arc::new(move |question: &LoginQuestion| {
            let _turn = turn.lock().ok()?;
            let words = format!("{} ({})", question.words, question.login);
            let option = "an SSH agent";
            let answer = if question.visible {
                ask_shown(&settings, &words, option)
            } else {
                ask_hidden(&settings, &words, option)
            };
            answer.ok()
        }));
    }
    Ok(())
}

/// The password in the first line of a file. A pipe is as good: nobody else reads it.
fn read(path: &Path) -> Result<Secret<String>, CliError> {
    const WHAT: &str = "password file";
    let there = fs::metadata(path).map_err(|error| unreadable("IEC1203", WHAT, path, &error))?;
    let mode = there.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && !there.file_type().is_fifo() {
        let cause = format!("others can read the password file {}", path.display());
        return Err(CliError::refused("IEC1203", cause)
            .evidence(format!("its mode is {mode:04o}"))
            .next(format!("chmod 600 {}", path.display())));
    }
    let text = text_file::read(path, text_file::SECRETS)
        .map(Secret::new)
        .map_err(|error| unreadable("IEC1203", WHAT, path, &error))?;
    let password = text.map(|text| text.lines().next().unwrap_or_default().to_owned());
    if password.expose().is_empty() {
        let cause = format!("there is no password in the first line of {}", path.display());
        return Err(CliError::refused("IEC1203", cause));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_password_comes_from_a_file_that_only_its_owner_can_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("password");
        let read_with = |text: &str, mode: u32| {
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a mode");
            read(&path)
                .map(|password| password.expose().to_owned())
                .map_err(|error| error.cause)
        };
        assert_eq!(
            read_with("correct horse \nsecond line\n", 0o600).as_deref(),
            Ok("correct horse ")
        );
        assert_eq!(read_with("only", 0o400).as_deref(), Ok("only"));
        for mode in [0o640, 0o604, 0o666] {
            let cause = read_with("secret", mode).expect_err("others can read it");
            assert!(
                cause.starts_with("others can read") && !cause.contains("secret"),
                "{cause}"
            );
        }
        assert!(read_with("\nsecond\n", 0o600).is_err(), "an empty line");
        fs::remove_file(&path).expect("removed");
        assert!(read(&path).is_err());
    }
}
