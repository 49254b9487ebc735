//! A real `ssh-agent` with a key in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running `ssh-agent`; it ends when dropped.
#[derive(Debug)]
pub struct Agent {
    folder: TempDir,
    process: Child,
}

impl Agent {
    /// Starts an agent and loads the key files into it.
    ///
    /// # Panics
    /// Where `ssh-agent` or `ssh-add` is missing or fails: a test that needs them must not pass without them.
    #[must_use]
    pub fn with_keys(keys: &[&Path]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("agent");
        let process = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("ssh-agent starts (apt-get install openssh-client)");
        let agent = Self { folder, process };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !socket.exists() {
            assert!(Instant::now() < deadline, "ssh-agent made no socket");
            std::thread::sleep(Duration::from_millis(5));
        }
        for key in keys {
            let added = Command::new("ssh-add")
                .arg(key)
                .env("SSH_AUTH_SOCK", &socket)
                .output()
                .expect("ssh-add starts");
            assert!(
                added.status.success(),
                "ssh-add: {}",
                String::from_utf8_lossy(&added.stderr)
            );
        }
        agent
    }

    /// The agent's socket, as `SSH_AUTH_SOCK` would have it.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("agent")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // A process that has ended already is as good as killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
