//! The key by which the hosts of a site know its media: made from the site's own secret, so that nothing more must be kept.

use iec_core::secret::Secret;
use ring::hmac;
use russh::keys::HashAlg;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::ssh_key::{LineEnding, PrivateKey};

/// What the key is for. Another text would make another key of the same secret.
const PURPOSE: &[u8] = b"iec seed medium v1";
/// What OpenSSH calls the purpose of a signature; `ssh-keygen -Y verify -n` asks for it.
const NAMESPACE: &str = "iec-seed";

/// A key that signs the list of a medium's files.
pub struct MediumKey(PrivateKey);

impl MediumKey {
    /// The key of the site whose cluster has an authority with this private key. It does not tell that key.
    #[must_use]
    pub fn of(authority_key_pem: &Secret<String>) -> Self {
        let secret = hmac::Key::new(
            hmac::HMAC_SHA256,
            authority_key_pem.expose().trim_end().as_bytes(),
        );
        let tag = hmac::sign(&secret, PURPOSE);
        let seed: &[u8; 32] = tag.as_ref().try_into().expect("a digest of SHA-256 has 32 bytes");
        Self(PrivateKey::from(Ed25519Keypair::from_seed(seed)))
    }

    /// The public half, as an `authorized_keys` file has it.
    #[must_use]
    pub fn public(&self) -> String {
        let public = self.0.public_key().to_openssh();
        public.expect("an Ed25519 key has a form for OpenSSH")
    }

    /// The signature of a text, as `ssh-keygen -Y verify` takes it.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let signature = self.0.sign(NAMESPACE, HashAlg::Sha512, text.as_bytes());
        let signature = signature.expect("an Ed25519 key signs whatever it is given");
        signature
            .to_pem(LineEnding::LF)
            .expect("a signature has a form for OpenSSH")
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn key(secret: &str) -> MediumKey {
        MediumKey::of(&Secret::new(secret.to_owned()))
    }

    fn is_taken(signer: &MediumKey, text: &str, signature: &str) -> bool {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("signers"), format!("site {}\n", signer.public())).expect("written");
        std::fs::write(path("signature"), signature).expect("written");
        std::fs::write(path("text"), text).expect("written");
        Command::new("ssh-keygen")
            .args(["-Y", "verify", "-I", "site", "-n", NAMESPACE, "-f"])
            .arg(path("signers"))
            .arg("-s")
            .arg(path("signature"))
            .stdin(std::fs::File::open(path("text")).expect("opened"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("ssh-keygen")
            .success()
    }

    #[test]
    fn openssh_takes_the_signature_of_this_site_for_this_text_only() {
        let list = "00  autorun.sh\n";
        let signature = key("one site").sign(list);
        assert!(is_taken(&key("one site"), list, &signature));
        // The file of secrets may have lost its last line end.
        assert!(is_taken(&key("one site\n"), list, &signature));
        assert!(!is_taken(&key("another site"), list, &signature));
        assert!(!is_taken(&key("one site"), "01  autorun.sh\n", &signature));
        assert!(!is_taken(&key("one site"), list, ""));
    }
}
