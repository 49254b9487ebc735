//! The file in which an operator finds a run again: what happened on which host and when, without secrets.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use iec_core::event::Event;
use iec_core::redact::Redaction;
use iec_core::said::said;
use iec_host::{Progress, RunName};

use super::operation::run_of;
use super::site_file::SiteFile;
use crate::credentials;
use crate::error::CliError;
use crate::settings::Settings;
use crate::ui::{Ui, duration, size};

/// How many runs of a site are kept.
const MOST_RUNS: usize = 50;
/// How long a log may become, in bytes: a host that says more is no longer listened to here.
const LONGEST: u64 = 4 << 20;
/// What the names of logs end with.
const END_OF_NAME: &str = ".log";

/// The log of one run. One that cannot be written is nobody's obstacle: the run goes on without.
pub(super) struct RunLog {
    path: PathBuf,
    file: Option<File>,
    written: u64,
    redaction: Redaction,
    /// Hosts that have all that is sent to them: the last bytes may be told more than once.
    served: BTreeSet<String>,
}

/// Which run it is.
pub(super) struct About<'a> {
    /// The folder of all logs.
    pub(super) folder: &'a Path,
    /// The site's name.
    pub(super) site: &'a str,
    /// The site file.
    pub(super) site_file: &'a Path,
    /// The name of the run.
    pub(super) run: &'a str,
    /// Whose it is, as the hosts' locks have it.
    pub(super) owner: &'a str,
}

impl RunLog {
    /// Begins the log of a run, and removes the oldest ones of its site. Says so where it cannot be written.
    pub(super) fn begin(about: &About<'_>, redaction: Redaction, ui: &Ui) -> Self {
        let folder = about.folder.join(about.site);
        let path = folder.join(format!("{}{END_OF_NAME}", about.run));
        let mut log = Self {
            file: None,
            written: 0,
            redaction,
            path,
            served: BTreeSet::new(),
        };
        match create(&folder, &log.path) {
            Ok(file) => log.file = Some(file),
            Err(error) => {
                let path = log.path.display();
                ui.warn("IEC4908", &format!("the run is not logged: {path}: {error}"));
            }
        }
        if let Some(file) = &log.file {
            // Whoever finds it without a lock knows that the run has ended. Where a file system has none, nobody finds out.
            let _ = file.try_lock();
        }
        log.line(&format!(
            "iec {}: {}, site {} ({})",
            env!("CARGO_PKG_VERSION"),
            about.owner,
            about.site,
            about.site_file.display()
        ));
        log
    }

    /// Begins the log of a run that needs no credentials. What is secret is known where the secrets file can be read; what looks
    /// like it is taken out anyway.
    pub(super) fn of_site(
        file: &SiteFile,
        (run, owner): (&RunName, &str),
        settings: &Settings,
        ui: &Ui,
    ) -> Self {
        let about = About {
            folder: &settings.runs,
            site: file.site.name().as_str(),
            site_file: &file.path,
            run: run.as_str(),
            owner,
        };
        let known = credentials::load(&file.secrets()).ok().flatten();
        let redaction = known.as_ref().map(Redaction::of).unwrap_or_default();
        Self::begin(&about, redaction, ui)
    }

    /// Where the log is, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        self.file.is_some().then_some(self.path.as_path())
    }

    /// Notes something about the run itself.
    pub(super) fn remark(&mut self, text: &str) {
        self.line(text);
    }

    /// Notes what happened on a host. `title` is what the step does, for people, where that is known.
    pub(super) fn note(&mut self, host: &str, progress: &Progress, title: Option<&str>) {
        match progress {
            Progress::Sending { sent, of } if sent < of => {}
            Progress::Sending { of, .. } => {
                if self.served.insert(host.to_owned()) {
                    self.line(&format!("{host}: has received {}", size(*of)));
                }
            }
            Progress::Away { cause, again_in } => {
                let again = duration(*again_in);
                self.line(&format!(
                    "{host}: is away ({cause}); it is tried again in {again}"
                ));
            }
            Progress::Alone => self.line(&format!("{host}: works on by itself; its end is waited for")),
            Progress::Event(event) => {
                self.served.remove(host);
                self.event(host, event, title);
            }
        }
    }

    fn event(&mut self, host: &str, event: &Event, title: Option<&str>) {
        let took = |milliseconds: &u64| duration(Duration::from_millis(*milliseconds));
        let title = title.map_or(String::new(), |title| format!(": {title}"));
        match event {
            Event::Unchanged { .. } => {}
            Event::Started { step, missing } => {
                self.line(&format!("{host}: began {step}{title}"));
                self.block(&missing.join("\n"));
            }
            Event::Adopted { step } => self.line(&format!("{host}: recorded {step}{title}")),
            Event::Changed { step, milliseconds } => {
                self.line(&format!("{host}: did {step} ({})", took(milliseconds)));
            }
            Event::Undone { step, milliseconds } => {
                self.line(&format!("{host}: took back {step} ({})", took(milliseconds)));
            }
            Event::Failed {
                step, code, output, ..
            } => {
                self.line(&format!("{host}: FAILED {step}{title} (exit code {code})"));
                self.block(output);
            }
            Event::Stopped { step } => self.line(&format!("{host}: stopped before {step}")),
            Event::Locked { owner } => self.line(&format!("{host}: somebody else works on it: {owner}")),
            Event::End { code } => self.line(&format!("{host}: its runner ended with {code}")),
        }
    }

    /// Notes how the run ended, and gives the place of the log.
    pub(super) fn end(mut self, error: Option<&CliError>) -> Option<PathBuf> {
        match error {
            None => self.line("the run is done"),
            Some(error) => {
                self.line(&format!("the run ended with {}: {}", error.code, error.cause));
                self.block(&error.evidence.join("\n"));
            }
        }
        self.path().map(Path::to_owned)
    }

    fn block(&mut self, text: &str) {
        // A key has several lines: it can be seen in the whole text only.
        for line in self.redaction.text(text).lines() {
            self.write(&format!("    | {line}\n"));
        }
    }

    fn line(&mut self, text: &str) {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        self.write(&format!("{now} {}\n", text.replace('\n', " ")));
    }

    fn write(&mut self, text: &str) {
        let (Some(file), true) = (&mut self.file, self.written <= LONGEST) else {
            return;
        };
        let text = said(&self.redaction.text(text));
        self.written += text.len() as u64;
        let end = if self.written > LONGEST {
            "what follows is not logged: the log is full\n"
        } else {
            ""
        };
        // A full disk here is no reason to leave a host half done; what was written is of use all the same.
        if file.write_all(format!("{text}{end}").as_bytes()).is_err() {
            self.written = LONGEST + 1;
        }
    }
}

/// Whether the run of this owner was one of this machine and user, and is there no longer.
pub(super) fn has_ended_here(logs: &Path, site: &str, owner: &str) -> bool {
    let Some(run) = run_of(owner) else { return false };
    let path = logs.join(site).join(format!("{run}{END_OF_NAME}"));
    File::open(path).is_ok_and(|log| log.try_lock().is_ok())
}

/// The error with the place of the run's log, where there is one.
pub(super) fn with_log(error: CliError, path: Option<&Path>) -> CliError {
    match path {
        Some(path) => error.evidence(format!("the log of this run is {}", path.display())),
        None => error,
    }
}

/// A line that names the place of the run's log; nothing where there is none.
pub(super) fn logged_at(path: Option<&Path>) -> String {
    path.map_or(String::new(), |path| {
        format!("The log of this run is {}\n", path.display())
    })
}

/// Makes a new log that only its owner can read.
fn create(folder: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    remove_oldest(folder)?;
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Leaves room for one more log. Their names begin with the time of their run.
fn remove_oldest(folder: &Path) -> io::Result<()> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(END_OF_NAME))
        .collect();
    names.sort();
    let too_many = (names.len() + 1).saturating_sub(MOST_RUNS);
    names.iter().take(too_many).try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::{Arc, Mutex};

    use iec_core::event::Failure;
    use iec_core::plan::StepId;

    use super::*;
    use crate::cli::{Color, Format, Global};
    use crate::settings::{Environment, Settings, Terminal};

    #[derive(Clone, Default)]
    struct Printed(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn ui() -> (Ui, Printed) {
        let global = Global {
            output: Format::Text,
            color: Color::Never,
            quiet: false,
            verbose: 0,
        };
        let settings = Settings::new(&global, &Environment::of_variables([], Terminal::default()));
        let printed = Printed::default();
        let ui = Ui::new(&settings, Box::new(printed.clone()), Box::new(printed.clone()));
        (ui, printed)
    }

    fn begin(folder: &Path, run: &str, ui: &Ui) -> RunLog {
        let about = About {
            folder,
            site: "shop",
            site_file: Path::new("/home/edge/site.yaml"),
            run,
            owner: "iec apply by edge@laptop",
        };
        RunLog::begin(&about, Redaction::default(), ui)
    }

    fn failed(output: String) -> Progress {
        Progress::Event(Event::Failed {
            step: StepId::from_record("control-plane.token"),
            reason: Failure::Command,
            code: 7,
            output,
        })
    }

    #[test]
    fn a_log_has_what_happened_without_secrets_and_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ui, _) = ui();
        let mut log = begin(&folder.path().join("runs"), "20261130-100000-0001", &ui);
        let output = "token abcdef.0123456789abcdef\n\u{1b}[2J-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n";
        log.note("edge-1", &failed(output.to_owned()), Some("Make a token"));
        let path = log.end(None).expect("it was written");
        assert_eq!(path, folder.path().join("runs/shop/20261130-100000-0001.log"));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
        assert_eq!(
            (mode(&path), mode(path.parent().expect("a folder"))),
            (0o600, 0o700)
        );
        let text = fs::read_to_string(&path).expect("text");
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.split_once(' ').map_or("", |(_, rest)| rest))
            .collect();
        assert!(
            lines[0].ends_with("iec apply by edge@laptop, site shop (/home/edge/site.yaml)"),
            "{text}"
        );
        assert_eq!(
            lines[1],
            "edge-1: FAILED control-plane.token: Make a token (exit code 7)"
        );
        assert!(
            text.contains("    | token [redacted]\n    | \\u{1b}[2J[redacted]\n"),
            "{text}"
        );
        assert_eq!(lines.last(), Some(&"the run is done"));
    }

    #[test]
    fn a_run_of_this_machine_that_was_killed_is_known_by_its_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ui, _) = ui();
        let owner = "iec apply by edge@laptop (run 20261130-100000-0001)";
        let has_ended = || has_ended_here(folder.path(), "shop", owner);
        assert!(!has_ended(), "a run of another machine");
        let log = begin(folder.path(), "20261130-100000-0001", &ui);
        assert!(!has_ended(), "it is at work");
        drop(log);
        assert!(has_ended());
        assert!(!has_ended_here(folder.path(), "shop", "iec apply by edge@laptop"));
    }

    #[test]
    fn logs_do_not_grow_without_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ui, _) = ui();
        for number in 0..55 {
            begin(folder.path(), &format!("20261130-{number:06}-0001"), &ui).end(None);
        }
        fs::write(folder.path().join("shop/notes"), "mine").expect("written");
        let mut log = begin(folder.path(), "20261130-100000-0001", &ui);
        for _ in 0..20 {
            log.note("edge-1", &failed("x".repeat(1 << 20)), None);
        }
        let path = log.end(None).expect("it was written");
        let length = fs::metadata(&path).expect("there").len();
        assert!((LONGEST..LONGEST + (2 << 20)).contains(&length), "{length}");
        assert!(
            fs::read_to_string(&path)
                .expect("text")
                .ends_with("the log is full\n")
        );
        let names = fs::read_dir(folder.path().join("shop"))
            .expect("a folder")
            .count();
        assert_eq!(names, MOST_RUNS + 1, "and what is no log");
    }

    #[test]
    fn a_run_that_cannot_be_logged_goes_on_and_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let taken = folder.path().join("runs");
        fs::write(&taken, "a file").expect("written");
        let (ui, printed) = ui();
        let mut log = begin(&taken, "20261130-100000-0001", &ui);
        log.note("edge-1", &failed("x".to_owned()), None);
        assert_eq!(log.end(None), None);
        let printed = String::from_utf8(printed.0.lock().expect("not poisoned").clone()).expect("text");
        assert!(
            printed.contains("IEC4908") && printed.contains("the run is not logged"),
            "{printed}"
        );
    }
}
