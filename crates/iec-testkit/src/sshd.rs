//! The real OpenSSH server on loopback, with users, shells and sudoers of its own.
//!
//! It runs in its own mount and process namespaces: its `/etc/passwd`, `/etc/shadow`, `/etc/sudoers` and
//! `/var/lib/iec` are not the machine's, and everything that it started ends with it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use iec_host::{HostKey, NewHostKeys, SshSettings, SshTarget};
use tempfile::TempDir;

use crate::namespace::{Namespace, children};
use crate::users::{Key, PASSWORD, User, make_key, write_accounts};

/// A running sshd; it ends when dropped, and with it all it started.
#[derive(Debug)]
pub struct Sshd {
    folder: TempDir,
    namespace: Namespace,
    port: u16,
}

impl Sshd {
    /// Starts an sshd with the usual settings.
    ///
    /// # Panics
    /// Without root, without sshd, sudo, bash, dash and fish, or where sshd does not start: a test that needs them must not pass without them.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts an sshd with further lines for its configuration.
    ///
    /// # Panics
    /// As [`Sshd::start`].
    #[must_use]
    pub fn start_with(lines: &str) -> Self {
        require();
        let folder = tempfile::Builder::new()
            .prefix("iec-sshd-")
            .tempdir()
            .expect("a temporary folder");
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a readable folder");
        for key in ["host-key", "other-host-key"] {
            make_key(&path.join(key), "ed25519", "");
        }
        for key in Key::ALL {
            let (kind, passphrase) = match key {
                Key::AcceptedRsa => ("rsa", ""),
                Key::Locked => ("ed25519", PASSWORD),
                Key::Accepted | Key::Refused => ("ed25519", ""),
            };
            make_key(&path.join(key.file()), kind, passphrase);
        }
        write_accounts(path);
        let port = free_port();
        let config = write_config(path, port, lines);
        let namespace = spawn(path, &config);
        let sshd = Self {
            folder,
            namespace,
            port,
        };
        sshd.wait_until_it_listens();
        sshd
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's public key.
    ///
    /// # Panics
    /// Where the fixture's own file is damaged.
    #[must_use]
    pub fn host_key(&self) -> HostKey {
        let text = fs::read_to_string(self.path("host-key.pub")).expect("the fixture's key");
        text.parse().expect("a public key")
    }

    /// A public key that is not the server's.
    ///
    /// # Panics
    /// Where the fixture's own file is damaged.
    #[must_use]
    pub fn other_host_key(&self) -> HostKey {
        let text = fs::read_to_string(self.path("other-host-key.pub")).expect("the fixture's key");
        text.parse().expect("a public key")
    }

    /// The file of a private key.
    #[must_use]
    pub fn key(&self, key: Key) -> PathBuf {
        self.path(key.file())
    }

    /// A path inside the fixture's folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Settings with an empty home and an SSH configuration of its own, `ssh_config` in the fixture's folder.
    #[must_use]
    pub fn settings(&self) -> SshSettings {
        SshSettings {
            configuration: Some(self.path("ssh_config")),
            new_host_keys: NewHostKeys::Refuse,
            ..SshSettings::new(self.path("operator"))
        }
    }

    /// This server as `user`, with its key pinned and the accepted key named.
    #[must_use]
    pub fn target(&self, user: User) -> SshTarget {
        SshTarget {
            address: "127.0.0.1".to_owned(),
            user: Some(user.name().to_owned()),
            port: Some(self.port),
            identity: Some(self.key(Key::Accepted)),
            host_key: Some(self.host_key()),
            jumps: None,
        }
    }

    /// Kills the server's side of every connection, and nothing that was started through them.
    ///
    /// # Panics
    /// Where there is no connection.
    pub fn cut_connections(&self) {
        let server = self.namespace.first();
        let mut killed = 0;
        for session in children(server) {
            for process in children(session)
                .into_iter()
                .filter(|child| is_sshd(*child))
                .chain([session])
            {
                kill(process);
                killed += 1;
            }
        }
        assert!(killed > 0, "no connection to cut");
    }

    /// Runs a program where the server's users are, as root.
    ///
    /// # Panics
    /// Where `nsenter` does not start.
    #[must_use]
    pub fn inside(&self, program: &str, arguments: &[&str]) -> Output {
        self.namespace.inside(program, arguments)
    }

    /// The words that put a command where the server's users are (for `LocalHost::through`).
    #[must_use]
    pub fn entry(&self) -> Vec<String> {
        self.namespace.entry()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn wait_until_it_listens(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.log().contains("Server listening on") {
            assert!(Instant::now() < deadline, "sshd did not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Everything that the fixture needs of the machine.
fn require() {
    let needed = [
        ("/usr/sbin/sshd", "openssh-server"),
        ("/usr/bin/ssh", "openssh-client"),
        ("/usr/bin/sudo", "sudo"),
        ("/usr/bin/fish", "fish"),
        ("/bin/bash", "bash"),
        ("/bin/dash", "dash"),
    ];
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(path, _)| !Path::new(path).exists())
        .map(|(_, package)| *package)
        .collect();
    assert!(
        missing.is_empty(),
        "the sshd fixture needs: apt-get install --no-install-recommends {}",
        missing.join(" ")
    );
}

fn write_config(folder: &Path, port: u16, lines: &str) -> PathBuf {
    let path = folder.join("sshd_config");
    let shown = folder.display();
    let base = format!(
        "{lines}\nListenAddress 127.0.0.1:{port}\nHostKey {shown}/host-key\nPidFile none\nUsePAM no\n\
         StrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100\nLogLevel VERBOSE\n\
         AuthorizedKeysFile {shown}/home/%u/.ssh/authorized_keys\n"
    );
    // Newer servers punish clients that fail on purpose; older ones do not know the word.
    let gentle = format!("{base}PerSourcePenalties no\n");
    fs::write(&path, &gentle).expect("a configuration");
    fs::create_dir_all("/run/sshd").expect("sshd's own empty folder");
    let check = Command::new("/usr/sbin/sshd")
        .args(["-t", "-f"])
        .arg(&path)
        .output()
        .expect("sshd starts");
    if !check.status.success() {
        fs::write(&path, base).expect("a configuration");
    }
    path
}

fn spawn(folder: &Path, config: &Path) -> Namespace {
    let script = "for name in passwd shadow sudoers; do mount --bind \"$1/$name\" \"/etc/$name\" || exit; done\n\
        mkdir -p /var/lib/iec && mount -t tmpfs iec /var/lib/iec || exit\n\
        exec /usr/sbin/sshd -D -e -f \"$2\"\n";
    let log = fs::File::create(folder.join("log")).expect("a log");
    Namespace::start(script, &[folder, config], log)
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a local port");
    listener.local_addr().expect("its address").port()
}

fn is_sshd(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.starts_with("sshd"))
}

fn kill(process: u32) {
    let process = i32::try_from(process)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a process id");
    // A process that has just ended is as good as killed.
    let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
}
