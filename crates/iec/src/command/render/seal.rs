//! Secrets encrypted with a passphrase, in the one form that hosts can open with a program that most of them have.
//!
//! `openssl enc -d -aes-256-cbc -pbkdf2 -iter 600000 -md sha256 -base64` opens it. The first line of what is inside
//! is the SHA-256 of the rest: by it a host knows a wrong passphrase, and a damaged file. It keeps a lost medium from telling
//! its secrets; it does not keep a medium from being changed, which the scripts beside it would not survive either.

use aes::Aes256;
use base64::Engine as _;
use cbc::Encryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use iec_core::content::Digest;
use iec_core::render::SEAL_ITERATIONS;
use iec_core::secret::Secret;
use sha2::Sha256;

use crate::error::CliError;

/// What openssl's encrypted files begin with.
const MAGIC: &[u8; 8] = b"Salted__";
/// Characters on a line of base64, as openssl reads it.
const LINE: usize = 64;

/// Whether a text begins as an encrypted one does.
pub(super) fn is_sealed(text: &str) -> bool {
    // The last of its letters holds bits of the salt too.
    let magic = base64::engine::general_purpose::STANDARD_NO_PAD.encode(MAGIC);
    text.starts_with(&magic[..magic.len() - 1])
}

/// Encrypts a text. No two results are alike.
///
/// # Errors
/// When the machine has no randomness.
pub(super) fn seal(secret: &Secret<String>, passphrase: &Secret<String>) -> Result<String, CliError> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).map_err(|error| {
        CliError::refused("IEC3906", "the machine gives no random numbers").caused_by(&error)
    })?;
    Ok(seal_with(secret, passphrase, salt))
}

fn seal_with(secret: &Secret<String>, passphrase: &Secret<String>, salt: [u8; 8]) -> String {
    let inside = Secret::new(format!(
        "{}\n{}",
        Digest::of(secret.expose().as_bytes()).hex(),
        secret.expose()
    ));
    let derived = Secret::new(pbkdf2::pbkdf2_hmac_array::<Sha256, 48>(
        passphrase.expose().as_bytes(),
        &salt,
        SEAL_ITERATIONS,
    ));
    let (key, start) = derived.expose().split_at(32);
    let encryptor =
        Encryptor::<Aes256>::new_from_slices(key, start).expect("32 and 16 bytes are what it takes");
    let sealed = encryptor.encrypt_padded_vec::<Pkcs7>(inside.expose().as_bytes());
    let whole = [MAGIC.as_slice(), salt.as_slice(), sealed.as_slice()].concat();
    let text = base64::engine::general_purpose::STANDARD.encode(whole);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    for line in text.as_bytes().chunks(LINE) {
        lines.extend(line.iter().map(|byte| char::from(*byte)));
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the test opens what was sealed with the program that hosts have"
)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn openssl_opens_it() {
        let secret = Secret::new("ca.key aGVsbG8=\nsa.key d29ybGQ=\n".to_owned());
        let sealed = seal(&secret, &Secret::new("correct horse battery".to_owned())).unwrap();
        assert!(sealed.lines().all(|line| line.len() <= LINE));
        assert!(is_sealed(&sealed) && !is_sealed("sealed"));
        let open = |passphrase: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("sealed");
            std::fs::write(&path, &sealed).unwrap();
            let mut child = Command::new("openssl")
                .args(["enc", "-d", "-aes-256-cbc", "-pbkdf2", "-iter"])
                .arg(SEAL_ITERATIONS.to_string())
                .args(["-md", "sha256", "-base64", "-pass", "stdin", "-in"])
                .arg(&path)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut stdin = child.stdin.take().unwrap();
            writeln!(stdin, "{passphrase}").unwrap();
            drop(stdin);
            child.wait_with_output().unwrap().stdout
        };
        let opened = String::from_utf8(open("correct horse battery")).unwrap();
        let (digest, rest) = opened.split_once('\n').unwrap();
        assert_eq!(rest, secret.expose());
        assert_eq!(digest, Digest::of(rest.as_bytes()).hex());
        assert_ne!(open("another horse battery"), opened.as_bytes());
    }

    /// Works through the runbook's block for the secrets of a host, on a terminal where this is typed. Gives what was shown.
    fn by_hand(home: &std::path::Path, shell: &str, typed: &str) -> String {
        let state = home.join("state");
        let preface = iec_sh::Preface {
            home: state.to_str().unwrap(),
            folder: "book",
            iterations: SEAL_ITERATIONS,
        };
        let content = iec_sh::PasteContent {
            home: state.to_str().unwrap(),
            host: "edge-1",
            blobs: &[],
        };
        let session = home.join("session");
        // Root needs no sudo, and whoever runs this test need not have it.
        let preface = preface.text().replace("iec_sudo=sudo; sudo -v", "iec_sudo=");
        std::fs::write(&session, preface + &content.secrets("1.D")).unwrap();
        let mut terminal = Command::new("script")
            .args(["--quiet", "--return", "--command"])
            .arg(format!("{shell} {}", session.display()))
            .arg("/dev/null")
            .env("HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = terminal.stdin.take().unwrap();
        stdin.write_all(typed.as_bytes()).unwrap();
        let output = terminal.wait_with_output().unwrap();
        drop(stdin);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn a_person_opens_it_by_the_block_of_the_runbook() {
        let secret = Secret::new("ca.key aGVsbG8=\nsa.key d29ybGQ=\n".to_owned());
        let sealed = seal(&secret, &Secret::new("correct horse battery".to_owned())).unwrap();
        for shell in ["dash", "bash", "busybox sh"] {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path();
            std::fs::create_dir(home.join("book")).unwrap();
            std::fs::write(home.join("book/secrets-edge-1.enc"), &sealed).unwrap();
            let secrets = home.join("state/incoming/secrets");

            let shown = by_hand(home, shell, "another horse battery\n");
            assert!(shown.contains("The passphrase is wrong"), "{shell}: {shown}");
            assert!(shown.contains("Step 1.D: FAILED. STOP HERE."), "{shell}: {shown}");
            assert_eq!(std::fs::read_dir(&secrets).unwrap().count(), 0, "{shell}");

            let shown = by_hand(home, shell, "correct horse battery\n");
            assert!(shown.contains("Step 1.D: done."), "{shell}: {shown}");
            for hidden in ["hello", "aGVsbG8=", "world"] {
                assert!(!shown.contains(hidden), "{shell}: {shown}");
            }
            let read = |name: &str| std::fs::read_to_string(secrets.join(name)).unwrap();
            assert_eq!(
                (read("ca.key"), read("sa.key")),
                ("hello".to_owned(), "world".to_owned())
            );
            assert_eq!(std::fs::read_dir(&secrets).unwrap().count(), 2, "{shell}");
            let mode = std::fs::metadata(secrets.join("ca.key")).unwrap().permissions();
            assert_eq!(
                std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
                0o600,
                "{shell}"
            );
        }
    }

    #[test]
    fn no_two_results_are_alike() {
        let secret = Secret::new("a".to_owned());
        let passphrase = Secret::new("correct horse battery".to_owned());
        let results = [
            seal(&secret, &passphrase).unwrap(),
            seal(&secret, &passphrase).unwrap(),
        ];
        assert_ne!(results[0], results[1]);
    }
}
