//! The user's own SSH configuration for one address, by asking `ssh -G`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::error::HostError;

/// What the configuration says about host keys that are not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StrictHostKeyChecking {
    Strict,
    AcceptNew,
}

/// What is used of the configuration. Paths are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Configuration {
    pub hostname: String,
    pub user: String,
    pub port: u16,
    pub identities: Vec<PathBuf>,
    pub identities_only: bool,
    /// `IdentityAgent`: a socket, or `Some(None)` where no agent is to be used.
    pub agent: Option<Option<PathBuf>>,
    /// What only OpenSSH itself can do of what it asks for, if there is something.
    pub only_openssh: Option<&'static str>,
    /// The jump hosts, the one nearest to us first.
    pub jumps: Vec<String>,
    pub user_known_hosts: Vec<PathBuf>,
    pub global_known_hosts: Vec<PathBuf>,
    pub strict: StrictHostKeyChecking,
    pub host_key_alias: Option<String>,
}

/// What to ask for.
#[derive(Debug, Clone)]
pub(crate) struct Query<'a> {
    pub address: &'a str,
    pub user: Option<&'a str>,
    pub port: Option<u16>,
    /// A configuration file instead of the user's and the system's.
    pub file: Option<&'a Path>,
    pub home: &'a Path,
}

impl Query<'_> {
    /// Asks `ssh -G`. Where there is no `ssh`, OpenSSH's defaults count.
    ///
    /// # Errors
    /// [`HostError::Configuration`] where the configuration cannot be read, or names no user.
    pub(crate) async fn resolve(&self) -> Result<Configuration, HostError> {
        let mut command = tokio::process::Command::new("ssh");
        if let Some(file) = self.file {
            command.arg("-F").arg(file);
        }
        command.arg("-G");
        if let Some(user) = self.user {
            command.arg("-l").arg(user);
        }
        if let Some(port) = self.port {
            command.arg("-p").arg(port.to_string());
        }
        command
            .arg("--")
            .arg(self.address)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = match command.output().await {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.parse(&format!("hostname {}\n{DEFAULTS}", self.address));
            }
            Err(source) => {
                return Err(HostError::Local {
                    program: "ssh".to_owned(),
                    source,
                });
            }
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(self.wrong(crate::error::evidence(&said, "")));
        }
        self.parse(&String::from_utf8_lossy(&output.stdout))
    }

    fn wrong(&self, evidence: String) -> HostError {
        HostError::Configuration {
            address: self.address.to_owned(),
            evidence,
        }
    }

    /// Reads what `ssh -G` printed.
    fn parse(&self, text: &str) -> Result<Configuration, HostError> {
        let values = |key: &str| {
            let key = key.to_owned();
            text.lines().filter_map(move |line| {
                let (name, value) = line.split_once(' ')?;
                (name == key).then(|| value.trim())
            })
        };
        let value = |key: &str| values(key).next().filter(|value| !value.is_empty());
        let set = |key: &str| value(key).filter(|value| *value != "none");

        let hostname = value("hostname").unwrap_or(self.address).to_owned();
        let user = self
            .user
            .or_else(|| value("user"))
            .ok_or_else(|| self.wrong("no user is named".to_owned()))?;
        let port = match value("port").map(str::parse) {
            Some(Ok(port)) => port,
            Some(Err(_)) => return Err(self.wrong("the port is no number".to_owned())),
            None => 22,
        };
        let port = self.port.unwrap_or(port);
        let expand = |path: &str| self.expand(path, &hostname, user, port);
        let files = |key: &str| -> Vec<PathBuf> {
            let list = values(key).flat_map(str::split_whitespace);
            list.filter(|path| *path != "none" && *path != "/dev/null")
                .map(expand)
                .collect()
        };
        Ok(Configuration {
            identities: values("identityfile")
                .filter(|path| *path != "none")
                .map(expand)
                .collect(),
            identities_only: value("identitiesonly") == Some("yes"),
            agent: match value("identityagent") {
                None | Some("SSH_AUTH_SOCK") => None,
                Some("none") => Some(None),
                Some(path) => Some(Some(expand(path))),
            },
            only_openssh: [
                ("proxycommand", "ProxyCommand"),
                ("pkcs11provider", "PKCS11Provider"),
            ]
            .into_iter()
            .find_map(|(key, name)| set(key).map(|_| name)),
            jumps: set("proxyjump")
                .map(|jumps| jumps.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            user_known_hosts: files("userknownhostsfile"),
            global_known_hosts: files("globalknownhostsfile"),
            strict: match value("stricthostkeychecking") {
                // `no` would take a changed key too: IEC never does.
                Some("accept-new" | "no" | "false" | "off") => StrictHostKeyChecking::AcceptNew,
                _ => StrictHostKeyChecking::Strict,
            },
            host_key_alias: set("hostkeyalias").map(str::to_owned),
            user: user.to_owned(),
            hostname: hostname.clone(),
            port,
        })
    }

    /// A path with `~` and the `%` tokens that `ssh -G` leaves in place.
    fn expand(&self, path: &str, hostname: &str, user: &str, port: u16) -> PathBuf {
        let home = self.home.display().to_string();
        let path = match path.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => path.to_owned(),
        };
        let mut expanded = String::new();
        let mut characters = path.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                expanded.push(character);
                continue;
            }
            match characters.next() {
                Some('d') => expanded.push_str(&home),
                Some('h') => expanded.push_str(hostname),
                Some('n') => expanded.push_str(self.address),
                Some('p') => expanded.push_str(&port.to_string()),
                Some('r') => expanded.push_str(user),
                Some('%') | None => expanded.push('%'),
                Some(other) => expanded.extend(['%', other]),
            }
        }
        PathBuf::from(expanded)
    }
}

/// OpenSSH's defaults, where no `ssh` is there to ask.
const DEFAULTS: &str = "identityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ecdsa\nidentityfile ~/.ssh/id_ed25519\n\
    userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\n\
    globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn query<'a>(address: &'a str) -> Query<'a> {
        Query {
            address,
            user: None,
            port: None,
            file: None,
            home: Path::new("/home/me"),
        }
    }

    #[test]
    fn what_ssh_prints_is_understood() {
        let text = "host store\nuser edge\nhostname 10.0.0.11\nport 2222\nidentitiesonly yes\n\
            identityfile ~/.ssh/%r_%h\nidentityfile /keys/100%%\nidentityagent none\nproxyjump me@bastion:2200,second\n\
            userknownhostsfile /home/me/.ssh/known_hosts /dev/null\nglobalknownhostsfile none\n\
            stricthostkeychecking accept-new\nhostkeyalias store-key\nproxycommand none\n";
        let configuration = query("store").parse(text).expect("understood");
        assert_eq!(
            configuration,
            Configuration {
                hostname: "10.0.0.11".to_owned(),
                user: "edge".to_owned(),
                port: 2222,
                identities: vec!["/home/me/.ssh/edge_10.0.0.11".into(), "/keys/100%".into()],
                identities_only: true,
                agent: Some(None),
                only_openssh: None,
                jumps: vec!["me@bastion:2200".to_owned(), "second".to_owned()],
                user_known_hosts: vec!["/home/me/.ssh/known_hosts".into()],
                global_known_hosts: Vec::new(),
                strict: StrictHostKeyChecking::AcceptNew,
                host_key_alias: Some("store-key".to_owned()),
            }
        );
    }

    #[test]
    fn what_only_openssh_can_do_is_known() {
        let only = |line: &str| {
            let configuration = query("store").parse(&format!("user me\n{line}\n"));
            configuration.expect("understood").only_openssh
        };
        assert_eq!(only("proxycommand nc %h %p"), Some("ProxyCommand"));
        assert_eq!(only("pkcs11provider /usr/lib/opensc.so"), Some("PKCS11Provider"));
        assert_eq!(
            only("proxycommand none\npkcs11provider none\ngssapiauthentication yes"),
            None
        );
        assert!(query("store").parse("hostname x\n").is_err(), "no user");
    }

    #[tokio::test]
    async fn the_configuration_file_is_read_by_ssh_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config");
        std::fs::write(
            &file,
            "Host edge-*\n  HostName %h.example\n  Port 2022\nMatch user root\n  IdentityFile /root-key\n",
        )
        .expect("written");
        let query = Query {
            user: Some("root"),
            file: Some(&file),
            ..query("edge-1")
        };
        let configuration = query.resolve().await.expect("a configuration");
        assert_eq!(configuration.hostname, "edge-1.example");
        assert_eq!(configuration.port, 2022);
        assert_eq!(configuration.identities, [PathBuf::from("/root-key")]);
        std::fs::write(&file, "Nonsense\n").expect("written");
        let error = query.resolve().await.expect_err("a broken file");
        assert_eq!(error.code(), "IEC1007");
    }
}
