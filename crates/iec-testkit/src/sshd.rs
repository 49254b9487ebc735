//! The real OpenSSH server on loopback, with users, shells and sudoers of its own.
//!
//! It runs in its own mount and process namespaces: its `/etc/passwd`, `/etc/shadow`, `/etc/sudoers` and
//! `/var/lib/iec` are not the machine's, and everything that it started ends with it.

use std::fmt;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use iec_host::{HostKey, NewHostKeys, SshSettings, SshTarget};
use tempfile::TempDir;

use crate::namespace::{Namespace, children};

/// The password of [`User::Asked`].
pub const PASSWORD: &str = "correct horse 'battery' $taple";

/// A user that can log in, each with something of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// root, with bash.
    Root,
    /// dash, sudo without a password.
    Dash,
    /// bash, sudo without a password.
    Bash,
    /// fish, sudo without a password.
    Fish,
    /// bash whose `.bashrc` prints on both streams, without a newline at the end.
    Chatty,
    /// sudo asks for [`PASSWORD`].
    Asked,
    /// sudo wants a terminal.
    Terminal,
    /// sudo does not know this user.
    Stranger,
    /// There is no sudo on this user's PATH.
    WithoutSudo,
    /// The login shell is nologin.
    NoLogin,
    /// The login shell ends at once, without an error and without running anything.
    Leaving,
}

impl User {
    const ALL: [Self; 11] = [
        Self::Root,
        Self::Dash,
        Self::Bash,
        Self::Fish,
        Self::Chatty,
        Self::Asked,
        Self::Terminal,
        Self::Stranger,
        Self::WithoutSudo,
        Self::NoLogin,
        Self::Leaving,
    ];

    /// The login name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Dash => "iec-dash",
            Self::Bash => "iec-bash",
            Self::Fish => "iec-fish",
            Self::Chatty => "iec-chatty",
            Self::Asked => "iec-asked",
            Self::Terminal => "iec-terminal",
            Self::Stranger => "iec-stranger",
            Self::WithoutSudo => "iec-without-sudo",
            Self::NoLogin => "iec-nologin",
            Self::Leaving => "iec-leaving",
        }
    }

    fn id(self) -> u32 {
        let position = Self::ALL
            .iter()
            .position(|user| *user == self)
            .expect("ALL has all");
        if self == Self::Root {
            0
        } else {
            47_000 + u32::try_from(position).expect("few users")
        }
    }

    fn shell(self, folder: &Path) -> PathBuf {
        match self {
            Self::Dash | Self::Asked | Self::Terminal | Self::Stranger => "/bin/dash".into(),
            Self::Root | Self::Bash | Self::Chatty => "/bin/bash".into(),
            Self::Fish => "/usr/bin/fish".into(),
            Self::WithoutSudo => folder.join("shell-without-sudo"),
            Self::NoLogin => "/usr/sbin/nologin".into(),
            Self::Leaving => folder.join("shell-leaving"),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A key pair of the fixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// An ed25519 key that all users accept.
    Accepted,
    /// An RSA key that all users accept.
    AcceptedRsa,
    /// An ed25519 key with the passphrase [`PASSWORD`] that all users accept.
    Locked,
    /// A key that nobody accepts.
    Refused,
}

impl Key {
    const ALL: [Self; 4] = [Self::Accepted, Self::AcceptedRsa, Self::Locked, Self::Refused];

    fn file(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AcceptedRsa => "accepted-rsa",
            Self::Locked => "locked",
            Self::Refused => "refused",
        }
    }
}

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

fn make_key(path: &Path, kind: &str, passphrase: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", passphrase, "-C", "iec-test", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .expect("ssh-keygen starts");
    assert!(
        made.status.success(),
        "ssh-keygen: {}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// Writes passwd, shadow, sudoers, homes, shells and authorized keys.
fn write_accounts(folder: &Path) {
    let hash = Command::new("openssl")
        .args(["passwd", "-6", PASSWORD])
        .output()
        .expect("openssl starts");
    let hash = String::from_utf8(hash.stdout).expect("a password hash");
    let machine = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let mut passwd: String = machine
        .lines()
        .filter(|line| !line.starts_with("root:"))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut shadow = String::from("sshd:*:19000:0:99999:7:::\n");
    let mut keys = String::new();
    for key in [Key::Accepted, Key::AcceptedRsa, Key::Locked] {
        keys += &fs::read_to_string(folder.join(format!("{}.pub", key.file()))).expect("a public key");
    }
    for user in User::ALL {
        let home = folder.join("home").join(user.name());
        fs::create_dir_all(home.join(".ssh")).expect("a home");
        fs::write(home.join(".ssh/authorized_keys"), &keys).expect("authorized keys");
        if user == User::Chatty {
            let chatter = "echo 'Welcome to the edge!'\necho 'warning: chatter' >&2\nprintf 'no newline'\n";
            fs::write(home.join(".bashrc"), chatter).expect(".bashrc");
        }
        let (name, id) = (user.name(), user.id());
        let shell = user.shell(folder);
        chown(&home, Some(id), Some(id)).expect("an owner");
        passwd += &format!("{name}:x:{id}:{id}::{}:{}\n", home.display(), shell.display());
        let password = if user == User::Asked { hash.trim() } else { "*" };
        shadow += &format!("{name}:{password}:19000:0:99999:7:::\n");
    }
    let tools = folder.join("tools");
    fs::create_dir(&tools).expect("a folder");
    for tool in ["env", "sh"] {
        std::os::unix::fs::symlink(Path::new("/usr/bin").join(tool), tools.join(tool)).expect("a link");
    }
    write_program(
        &folder.join("shell-without-sudo"),
        &format!(
            "#!/bin/sh\nPATH={}\nexport PATH\nexec /bin/sh \"$@\"\n",
            tools.display()
        ),
    );
    write_program(&folder.join("shell-leaving"), "#!/bin/sh\necho 'bye'\nexit 0\n");
    fs::write(folder.join("passwd"), passwd).expect("passwd");
    fs::write(folder.join("shadow"), shadow).expect("shadow");
    fs::write(folder.join("sudoers"), sudoers()).expect("sudoers");
    fs::set_permissions(folder.join("sudoers"), fs::Permissions::from_mode(0o440)).expect("a mode");
    fs::create_dir_all(folder.join("operator")).expect("the operator's home");
    fs::write(folder.join("ssh_config"), "").expect("ssh_config");
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).expect("a program");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

fn sudoers() -> String {
    let mut text = String::from(
        "Defaults env_reset, secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\"\nroot ALL=(ALL:ALL) ALL\n",
    );
    for user in [
        User::Dash,
        User::Bash,
        User::Fish,
        User::Chatty,
        User::Terminal,
        User::WithoutSudo,
        User::Leaving,
    ] {
        text += &format!("{user} ALL=(root) NOPASSWD: ALL\n");
    }
    text += &format!(
        "{} ALL=(root) ALL\nDefaults:{} requiretty\n",
        User::Asked,
        User::Terminal
    );
    text
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
