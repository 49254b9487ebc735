//! Scripts that are carried to a host: the runner's own text, with what a person, a medium or a first boot needs around it.

use std::fmt::Write as _;

use crate::runner::preamble;
use crate::{Question, Word};

const FRAME: &str = include_str!("carried/frame.sh");
const ASSUMED: &str = include_str!("carried/assumed.sh");
const BLOB: &str = include_str!("carried/blob.sh");
const URL: &str = include_str!("carried/url.sh");
const INSTALL: &str = include_str!("carried/install.sh");
const VERIFY: &str = include_str!("carried/verify.sh");
const UNDO: &str = include_str!("carried/undo.sh");
const SITE: &str = include_str!("carried/site.sh");
const BRING: &str = include_str!("carried/bring.sh");
const SEED: &str = include_str!("carried/seed.sh");
const AUTORUN: &str = include_str!("carried/autorun.sh");

/// What a first boot runs, as text for `sh -c`: it finds the medium of its host, installs, and ends as the installation did.
/// Its arguments are the host's name, `sealed` or `plain`, and what the host's script takes.
pub const FIRST_BOOT: &str = include_str!("carried/first_boot.sh");

/// What every carried script of one host says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// The site's name.
    pub site: &'a str,
    /// The host's name.
    pub host: &'a str,
    /// What the head of the file tells a reader, line by line.
    pub about: &'a [String],
    /// Who the host says it is. An answer other than 0 means another host.
    pub identity: &'a [Question],
    /// The titles of steps, by id.
    pub titles: &'a [(String, String)],
}

/// What the script that installs a host needs on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedInstall<'a> {
    /// The host's part, as the runner's own script in [`crate::Mode::Apply`].
    pub runner: &'a str,
    /// What was assumed of the host. An answer other than 0 means that it is not so.
    pub assumed: &'a [Question],
    /// The blobs that must be in the host's store: hexadecimal digest and length in bytes.
    pub blobs: &'a [(String, u64)],
    /// The step that marks the host as the site's: its digest.
    pub mark: &'a str,
    /// The steps that take a secret: id and digest.
    pub secret_steps: &'a [(String, String)],
    /// How often the passphrase of encrypted secrets is hashed.
    pub iterations: u32,
    /// The cluster that the host joins; nothing for the host that makes it.
    pub joins: Option<Joins<'a>>,
    /// The tree of tools for hosts without openssl: hexadecimal digest and length in bytes.
    pub host_tools: Option<(String, u64)>,
}

/// The cluster that a host joins, and how it asks whether its token is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joins<'a> {
    /// The address of the API server, as a URL.
    pub server: String,
    /// The name in its certificate.
    pub name: String,
    /// The certificate of the cluster's authority, PEM.
    pub authority: &'a str,
    /// What the cluster's public information has as long as the token is alive.
    pub signature: String,
    /// kubectl: hexadecimal digest and length in bytes.
    pub kubectl: (String, u64),
}

impl Carried<'_> {
    /// The script that installs the host. It does nothing before its last line was read, so a cut transfer runs nothing.
    #[must_use]
    pub fn install(&self, install: &CarriedInstall<'_>) -> String {
        let mut text = self.head("carry");
        let steps: Vec<String> = install
            .secret_steps
            .iter()
            .map(|(id, digest)| format!("{id}:{digest}"))
            .collect();
        set(&mut text, "blob_list", &blob_list(install.blobs));
        set(&mut text, "mark", install.mark);
        set(&mut text, "secret_steps", &steps.join(" "));
        set(&mut text, "iterations", &install.iterations.to_string());
        let (tools, tools_size) = install.host_tools.clone().unwrap_or_default();
        set(&mut text, "host_tools", &tools);
        set(&mut text, "host_tools_size", &tools_size.to_string());
        let joins = install.joins.as_ref();
        set(&mut text, "api", joins.map_or("", |joins| &joins.server));
        set(&mut text, "api_name", joins.map_or("", |joins| &joins.name));
        set(&mut text, "authority", joins.map_or("", |joins| joins.authority));
        set(&mut text, "signature", joins.map_or("", |joins| &joins.signature));
        set(&mut text, "kubectl", joins.map_or("", |joins| &joins.kubectl.0));
        let size = joins.map_or(0, |joins| joins.kubectl.1);
        set(&mut text, "kubectl_size", &size.to_string());
        questions(&mut text, "carry_ask_assumed", install.assumed);
        let _ = write!(
            text,
            "{FRAME}\n{ASSUMED}\n{URL}\n{BLOB}\n{INSTALL}\ncarry_runner() {{\n{}}}\n",
            install.runner
        );
        tail(text, "carry_install")
    }

    /// The script that compares the host with what was assumed of it, and changes nothing. It asks as the script that
    /// installs does: before the first change only, which the digest of the step that marks the host tells.
    #[must_use]
    pub fn compare(&self, mark: &str, assumed: &[Question]) -> String {
        let mut text = self.head("carry");
        set(&mut text, "mark", mark);
        questions(&mut text, "carry_ask_assumed", assumed);
        let _ = write!(text, "{FRAME}\n{ASSUMED}\n");
        tail(text, "carry_as_assumed")
    }

    /// The script that looks at the host and changes nothing. `runner` is the host's part as the runner's own script in
    /// [`crate::Mode::Observe`], `service` the address of the API server's service.
    #[must_use]
    pub fn verify(&self, runner: &str, service: &str) -> String {
        let mut text = self.head("carry");
        set(&mut text, "service", service);
        set(&mut text, "secret_steps", "");
        let _ = write!(text, "{FRAME}\n{VERIFY}\ncarry_runner() {{\n{}}}\n", runner);
        tail(text, "carry_verify")
    }

    /// The script that takes everything back by the host's own journal. `owner` is written into the host's lock.
    #[must_use]
    pub fn undo(&self, owner: &str) -> String {
        let mut text = self.head("carry");
        set(&mut text, "secret_steps", "");
        let preamble = preamble(self.home, owner, "undo");
        let _ = write!(
            text,
            "{FRAME}\n{UNDO}\ncarry_preamble() {{ cat <<'CARRY_PREAMBLE'\n{preamble}CARRY_PREAMBLE\n}}\n"
        );
        tail(text, "carry_undo")
    }

    fn head(&self, main: &str) -> String {
        let mut text = head(self.about, main);
        set(&mut text, "home", self.home);
        set(&mut text, "site", self.site);
        set(&mut text, "host", self.host);
        set(&mut text, "raw", "no");
        questions(&mut text, "carry_ask_identity", self.identity);
        text.push_str("carry_title() {\ncase $1 in\n");
        for (id, title) in self.titles {
            let _ = writeln!(
                text,
                "{}) carry_text={} ;;",
                Word::new(id.as_str()),
                Word::new(title.as_str())
            );
        }
        text.push_str("*) carry_text=$1 ;;\nesac\n}\n");
        text
    }
}

/// The walk-through of a whole site over plain ssh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedSite<'a> {
    /// The folder of journal, lock and store on the hosts: `/var/lib/iec`.
    pub home: &'a str,
    /// The site's name.
    pub site: &'a str,
    /// What the head of the file tells a reader, line by line.
    pub about: &'a [String],
    /// The private key of the site file; empty where ssh finds its own.
    pub identity: &'a str,
    /// The hosts, control planes first.
    pub hosts: &'a [CarriedPlace],
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedPlace {
    /// The host's name.
    pub host: String,
    /// Whether it is a control plane.
    pub control_plane: bool,
    /// Its address.
    pub address: String,
    /// The account to log in with.
    pub user: String,
    /// The port of its SSH server; without one, ssh's own configuration decides.
    pub port: Option<u16>,
    /// Its pinned key, as known_hosts files have it.
    pub key: String,
    /// The blobs that may be sent to it: hexadecimal digest and length in bytes.
    pub blobs: Vec<(String, u64)>,
}

impl CarriedSite<'_> {
    /// The script's text. It does nothing before its last line was read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = head(self.about, "carry");
        let names = |wanted: Option<bool>| {
            self.hosts
                .iter()
                .filter(|place| wanted.is_none_or(|wanted| place.control_plane == wanted))
                .map(|place| place.host.as_str())
                .collect::<Vec<_>>()
        };
        set(&mut text, "site", self.site);
        set(&mut text, "home", self.home);
        set(&mut text, "hosts", &names(None).join(" "));
        set(&mut text, "control_planes", &names(Some(true)).join(" "));
        set(&mut text, "workers", &names(Some(false)).join(" "));
        set(
            &mut text,
            "first",
            names(Some(true)).first().copied().unwrap_or_default(),
        );
        text.push_str("carry_site_identity=");
        match self.identity.strip_prefix("~/") {
            Some(rest) => {
                let _ = writeln!(text, "$HOME/{}", Word::new(rest));
            }
            None => {
                let _ = writeln!(text, "{}", Word::new(self.identity));
            }
        }
        text.push_str("carry_place() {\ncase $1 in\n");
        for place in self.hosts {
            let port = place.port.map(|port| port.to_string()).unwrap_or_default();
            let _ = writeln!(
                text,
                "{}) carry_address={} carry_user={} carry_port={} carry_key={} ;;",
                Word::new(place.host.as_str()),
                Word::new(place.address.as_str()),
                Word::new(place.user.as_str()),
                Word::new(port),
                Word::new(place.key.as_str()),
            );
        }
        text.push_str("esac\n}\n");
        self.contents(&mut text);
        let _ = writeln!(text, "{URL}\n{SITE}");
        tail(text, "carry_site_main")
    }

    /// The function that prints the blobs of a host; hosts of one kind have the same.
    fn contents(&self, text: &mut String) {
        let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
        for place in self.hosts {
            let list = blob_list(&place.blobs);
            match kinds.iter_mut().find(|(known, _)| *known == list) {
                Some((_, hosts)) => hosts.push(&place.host),
                None => kinds.push((list, vec![&place.host])),
            }
        }
        text.push_str("carry_contents() {\ncase $1 in\n");
        for (list, hosts) in kinds {
            let hosts: Vec<String> = hosts
                .into_iter()
                .map(|host| Word::new(host).to_string())
                .collect();
            let _ = writeln!(
                text,
                "{}) printf '%s\\n' {} ;;",
                hosts.join(" | "),
                Word::new(list)
            );
        }
        text.push_str("esac\n}\n");
    }
}

/// The script that a medium starts by itself: it finds out which host it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedAutorun<'a> {
    /// The site's name.
    pub site: &'a str,
    /// What the head of the file tells a reader, line by line.
    pub about: &'a [String],
    /// Each host, and what only it has: machine-id, serial number, hardware addresses in small letters.
    pub hosts: &'a [(String, Vec<String>)],
}

impl CarriedAutorun<'_> {
    /// The script's text. It does nothing before its last line was read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = head(self.about, "carry");
        set(&mut text, "site", self.site);
        text.push_str("carry_roles() {\ncase $1 in\n'') ;;\n");
        for (host, marks) in self.hosts {
            let marks: Vec<String> = marks
                .iter()
                .map(|mark| Word::new(mark.as_str()).to_string())
                .collect();
            if !marks.is_empty() {
                let _ = writeln!(
                    text,
                    "{}) carry_host={} ;;",
                    marks.join(" | "),
                    Word::new(host.as_str())
                );
            }
        }
        let _ = writeln!(text, "esac\n}}\n{BRING}\n{AUTORUN}");
        tail(text, "carry_autorun")
    }
}

/// Blobs, one on a line, as the scripts read them.
fn blob_list(blobs: &[(String, u64)]) -> String {
    let lines: Vec<String> = blobs.iter().map(|(hex, size)| format!("{hex} {size}")).collect();
    lines.join("\n")
}

/// The script of the hosts' image that waits for a medium of its site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarriedSeed<'a> {
    /// The folder of journal, lock and store: `/var/lib/iec`.
    pub home: &'a str,
    /// The site's name.
    pub site: &'a str,
    /// The label of the medium's file system.
    pub label: &'a str,
    /// The public key of the site's media, as `authorized_keys` files have it.
    pub key: &'a str,
    /// What the head of the file tells a reader, line by line.
    pub about: &'a [String],
}

impl CarriedSeed<'_> {
    /// The script's text. It does nothing before its last line was read.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = head(self.about, "carry");
        set(&mut text, "home", self.home);
        set(&mut text, "site", self.site);
        set(&mut text, "label", self.label);
        set(&mut text, "key", self.key);
        let _ = writeln!(text, "{BRING}\n{SEED}");
        tail(text, "carry_seed")
    }
}

/// The first lines of a script, up to the beginning of the function that is the whole of it.
fn head(about: &[String], main: &str) -> String {
    let mut text = String::from("#!/bin/sh\n");
    for line in about {
        let _ = writeln!(
            text,
            "#{}{}",
            if line.is_empty() { "" } else { " " },
            line.replace('\n', " ")
        );
    }
    // Functions are called by names that are put together, words meant for other shells stand in single quotes, and
    // a question of a check means what `A && B || C` says.
    let _ = writeln!(
        text,
        "# shellcheck disable=SC2317,SC2329,SC2034,SC2016,SC2015\n{main}() {{"
    );
    text
}

/// The last lines: only now is everything there, and something is done. The braces keep a script that lost its last few bytes
/// from running without its arguments.
fn tail(mut text: String, main: &str) -> String {
    let _ = write!(text, "{main} \"$@\"\n}}\n{{ carry \"$@\"; }}\n");
    text
}

/// A constant of a script.
fn set(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "carry_{name}={}", Word::new(value));
}

/// A function that asks, and notes what is not so.
fn questions(text: &mut String, name: &str, questions: &[Question]) {
    let _ = writeln!(text, "{name}() {{ :");
    for question in questions {
        let _ = writeln!(
            text,
            "{{ {}; }} >/dev/null 2>&1; carry_ask {} $?",
            question.ask.statement(""),
            Word::new(question.what.as_str())
        );
    }
    text.push_str("}\n");
}
