//! The users of the sshd fixture, with their shells, keys and sudoers.

use std::fmt;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    /// bash whose `.bashrc` puts another shell in its place.
    Replaced,
    /// sudo writes down what this user's commands are given and print, into `sudo-log` of the fixture's folder.
    Logged,
}

impl User {
    const ALL: [Self; 13] = [
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
        Self::Replaced,
        Self::Logged,
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
            Self::Replaced => "iec-replaced",
            Self::Logged => "iec-logged",
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
            Self::Dash | Self::Asked | Self::Terminal | Self::Stranger | Self::Logged => "/bin/dash".into(),
            Self::Root | Self::Bash | Self::Chatty | Self::Replaced => "/bin/bash".into(),
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
    pub(crate) const ALL: [Self; 4] = [Self::Accepted, Self::AcceptedRsa, Self::Locked, Self::Refused];

    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AcceptedRsa => "accepted-rsa",
            Self::Locked => "locked",
            Self::Refused => "refused",
        }
    }
}

pub(crate) fn make_key(path: &Path, kind: &str, passphrase: &str) {
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
pub(crate) fn write_accounts(folder: &Path) {
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
        if user == User::Replaced {
            fs::write(home.join(".bashrc"), "exec /bin/sh\n").expect(".bashrc");
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
    fs::write(folder.join("sudoers"), sudoers(folder)).expect("sudoers");
    fs::set_permissions(folder.join("sudoers"), fs::Permissions::from_mode(0o440)).expect("a mode");
    fs::create_dir_all(folder.join("operator")).expect("the operator's home");
    fs::write(folder.join("ssh_config"), "").expect("ssh_config");
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).expect("a program");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
}

fn sudoers(folder: &Path) -> String {
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
        User::Replaced,
        User::Logged,
    ] {
        text += &format!("{user} ALL=(root) NOPASSWD: ALL\n");
    }
    text += &format!(
        "{} ALL=(root) ALL\nDefaults:{} requiretty\n",
        User::Asked,
        User::Terminal
    );
    text += &format!(
        "Defaults:{} log_input, log_output, iolog_dir={}/sudo-log\n",
        User::Logged,
        folder.display()
    );
    text
}
