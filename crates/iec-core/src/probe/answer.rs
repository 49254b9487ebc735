//! The probe's answer: its lines, what they must look like, and the facts they become.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{machine, network, software, storage, sudo};
use crate::facts::{Clock, Fact, HostFacts, Login, ProbeFailure};

/// The most of a text that is shown as evidence, in characters.
const SHOWN: usize = 200;

/// What one host answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its facts. A section that the host did not finish is `Assumed`.
    pub facts: HostFacts,
    /// Lines that were not understood, and sections that are missing.
    pub problems: Vec<Misunderstood>,
}

/// A part of an answer that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misunderstood {
    /// The key of the line, or the name of the section.
    pub key: String,
    /// What was there.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for Misunderstood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.key, self.reason)?;
        if !self.text.is_empty() {
            write!(formatter, " (`{}`)", self.text)?;
        }
        Ok(())
    }
}

/// Why an answer as a whole cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// The script never began to answer.
    #[error("the host did not answer the probe")]
    NotBegun {
        /// What the host said instead.
        said: String,
    },
    /// The answer breaks off.
    #[error("the host's answer to the probe breaks off")]
    BrokenOff {
        /// The last line that arrived.
        last: String,
    },
    /// The probe did not run as root.
    #[error("the probe did not run as root")]
    NotRoot {
        /// The user that it ran as.
        uid: String,
    },
}

impl BadAnswer {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotBegun { .. } => "IEC1010",
            Self::BrokenOff { .. } => "IEC1011",
            Self::NotRoot { .. } => "IEC1012",
        }
    }
}

impl From<BadAnswer> for ProbeFailure {
    fn from(bad: BadAnswer) -> Self {
        let (evidence, next) = match &bad {
            BadAnswer::NotBegun { said } => (
                format!("it said `{said}`"),
                "log in by hand and run `sudo -n /bin/sh -c 'id -u'`: it must print 0 and nothing else",
            ),
            BadAnswer::BrokenOff { last } => (
                format!("the last line is `{last}`"),
                "look at the connection and the host's load, then try again",
            ),
            BadAnswer::NotRoot { uid } => (
                format!("user id {uid}"),
                "log in as root, or as a user who may run everything by sudo",
            ),
        };
        Self {
            code: bad.code().to_owned(),
            cause: bad.to_string(),
            evidence,
            next: next.to_owned(),
        }
    }
}

/// Reads what the probe printed.
///
/// What comes before the answer (a login shell that prints) is kept in [`Login::noise`], what follows it is ignored.
/// Never panics, whatever the bytes are.
///
/// # Errors
///
/// When there is no answer, when it breaks off, and when it does not come from root.
pub fn parse(bytes: &[u8]) -> Result<Answer, BadAnswer> {
    let text = String::from_utf8_lossy(bytes);
    let mut all = text.lines();
    let mut noise: Vec<&str> = Vec::new();
    loop {
        match all.next() {
            Some("iec-probe=1") => break,
            Some(line) => noise.push(line),
            None => {
                return Err(BadAnswer::NotBegun {
                    said: shown(&noise.join("\n")),
                });
            }
        }
    }
    let mut lines = Lines::default();
    let mut last = "";
    loop {
        match all.next() {
            Some("iec-probe=end") => break,
            Some(line) => {
                lines.add(line);
                last = line;
            }
            None => return Err(BadAnswer::BrokenOff { last: shown(last) }),
        }
    }
    let uid = lines.one("uid").unwrap_or_default();
    if uid != "0" {
        return Err(BadAnswer::NotRoot { uid: shown(&uid) });
    }
    let facts = facts(&mut lines, clean(noise.join("\n").trim()));
    Ok(Answer {
        facts,
        problems: lines.problems(),
    })
}

fn facts(lines: &mut Lines, noise: String) -> HostFacts {
    let login = Login {
        user: lines.one("user").unwrap_or_default(),
        shell: lines.one("shell").unwrap_or_default(),
        noise: shown(&noise),
        homes: lines
            .each("home", |text| {
                let (user, home) = text.split_once(' ')?;
                Some((user.to_owned(), home.to_owned()))
            })
            .into_iter()
            .collect(),
        kubeconfigs: {
            // Root may be the user too, and is asked about twice then.
            let mut paths = lines.all("kubeconfig");
            paths.dedup();
            paths
        },
        sudo: sudo::streams(lines),
    };
    let swap = storage::swap(lines);
    let software = software::software(lines);
    let clock = Clock {
        service: software::time_service(&software),
        ..network::clock(lines)
    };
    HostFacts {
        identity: lines.fact("identity", machine::identity),
        distribution: lines.fact("distribution", machine::distribution),
        kernel: lines.fact("kernel", machine::kernel),
        capacity: lines.fact("capacity", machine::capacity),
        swap: lines.fact("swap", |_| swap),
        cgroup: lines.fact("cgroup", machine::cgroup),
        privileges: lines.fact("privileges", machine::privileges),
        // Mounts are read twice: for the places and for the propagation of `/`.
        features: lines.fact("features", machine::features),
        storage: lines.fact("storage", storage::storage),
        network: lines.fact("network", network::network),
        listeners: lines.fact("listeners", network::listeners),
        resolver: lines.fact("resolver", network::resolver),
        clock: lines.fact("clock", |_| clock),
        guards: lines.fact("guards", |lines| software::guards(lines, &software)),
        cluster: lines.fact("cluster", software::cluster),
        previous: lines.fact("previous", software::previous),
        environment: lines.fact("environment", |lines| software::environment(lines, &software)),
        software: lines.fact("software", |_| software),
        login: lines.fact("login", |_| login),
    }
}

/// The lines of an answer by key, and what was not understood of them.
#[derive(Debug, Default)]
pub(super) struct Lines {
    texts: BTreeMap<String, Vec<String>>,
    problems: Vec<Misunderstood>,
}

impl Lines {
    pub(super) fn add(&mut self, line: &str) {
        let Some(end) = line.find(['=', ':']) else {
            return self.complain("", line, "is no line of an answer");
        };
        let (key, rest) = line.split_at(end);
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
            return self.complain("", line, "is no line of an answer");
        }
        let text = match rest.strip_prefix(':') {
            None => rest[1..].to_owned(),
            Some(coded) => match STANDARD.decode(coded) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(_) => return self.complain(key, coded, "is not base64"),
            },
        };
        self.texts.entry(key.to_owned()).or_default().push(text);
    }

    /// Every text of a key, as the host sent it.
    pub(super) fn raw(&mut self, key: &str) -> Vec<String> {
        self.texts.remove(key).unwrap_or_default()
    }

    /// Every text of a key, without control characters; they stay for another reader.
    pub(super) fn peek(&self, key: &str) -> Vec<String> {
        let texts = self.texts.get(key).map(Vec::as_slice).unwrap_or_default();
        texts.iter().map(|text| clean(text)).collect()
    }

    /// Every text of a key, without control characters.
    pub(super) fn all(&mut self, key: &str) -> Vec<String> {
        self.raw(key).iter().map(|text| clean(text)).collect()
    }

    /// The first text of a key that says something.
    pub(super) fn one(&mut self, key: &str) -> Option<String> {
        self.all(key)
            .into_iter()
            .map(|text| text.trim().to_owned())
            .find(|text| !text.is_empty())
    }

    /// Whether the host said yes.
    pub(super) fn yes(&mut self, key: &str) -> bool {
        self.one(key).is_some_and(|text| text == "yes")
    }

    /// What `read` makes of every text of a key; texts that it makes nothing of are noted.
    pub(super) fn each<T>(&mut self, key: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let mut values = Vec::new();
        for text in self.all(key) {
            match read(&text) {
                Some(value) => values.push(value),
                None => self.complain(key, &text, "was not understood"),
            }
        }
        values
    }

    /// What `read` makes of the one text of a key.
    pub(super) fn read<T>(&mut self, key: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.one(key)?;
        let value = read(&text);
        if value.is_none() {
            self.complain(key, &text, "was not understood");
        }
        value
    }

    pub(super) fn complain(&mut self, key: &str, text: &str, reason: &'static str) {
        self.problems.push(Misunderstood {
            key: key.to_owned(),
            text: shown(text),
            reason,
        });
    }

    fn fact<T>(&mut self, section: &str, read: impl FnOnce(&mut Self) -> T) -> Fact<T> {
        let value = read(self);
        if let Some(late) = self.late(section) {
            self.complain(section, &late, "a program did not answer in time");
            return Fact::Assumed(value);
        }
        let finished = self.texts.get("finished");
        if finished.is_some_and(|sections| sections.iter().any(|known| known == section)) {
            Fact::Observed(value)
        } else {
            self.complain(section, "", "the host did not finish this section");
            Fact::Assumed(value)
        }
    }

    /// The program that was too slow for a section, if one was.
    fn late(&self, section: &str) -> Option<String> {
        let late = self
            .texts
            .get("late")?
            .iter()
            .filter_map(|text| text.split_once(' '));
        late.into_iter()
            .find(|(known, _)| *known == section)
            .map(|(_, program)| program.to_owned())
    }

    fn problems(mut self) -> Vec<Misunderstood> {
        let cut: BTreeSet<String> = self.all("cut").into_iter().collect();
        for key in cut {
            self.complain(&key, "", "was too long and is cut");
        }
        self.texts.remove("finished");
        self.texts.remove("late");
        for (key, texts) in std::mem::take(&mut self.texts) {
            self.complain(&key, &texts.join(" "), "is no known key");
        }
        self.problems
    }
}

/// The text without control characters, which could play tricks on a terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

/// As much of a text as evidence needs.
fn shown(text: &str) -> String {
    let clean = clean(text.trim());
    match clean.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}
