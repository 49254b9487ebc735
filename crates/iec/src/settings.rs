//! What a run of the command is governed by: flags, environment and defaults, merged once. Nothing else here
//! or below reads the environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::PathBuf;

use crate::cli::{Color, Format, Global};

/// The environment variables that mean something to IEC.
pub mod variable {
    /// Set to anything but nothing: no colour. <https://no-color.org>
    pub const NO_COLOR: &str = "NO_COLOR";
    /// `dumb` means a terminal without colour and without moving lines.
    pub const TERM: &str = "TERM";
    /// The width of the terminal, in columns, where the terminal itself does not say.
    pub const COLUMNS: &str = "COLUMNS";
    /// The folder for what can be made again; `~/.cache` without it.
    pub const XDG_CACHE_HOME: &str = "XDG_CACHE_HOME";
    /// The folder for what must be kept; `~/.local/state` without it.
    pub const XDG_STATE_HOME: &str = "XDG_STATE_HOME";
    /// The user's home.
    pub const HOME: &str = "HOME";
    /// The socket of the SSH agent.
    pub const SSH_AUTH_SOCK: &str = "SSH_AUTH_SOCK";
    /// The name of the user, for others to read in locks.
    pub const USER: &str = "USER";
}

/// What surrounds the process, read once, so that everything after it can be tested without one.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    home: Option<PathBuf>,
    machine: String,
    program: Option<PathBuf>,
    terminal: Terminal,
}

/// Which of the standard streams are a terminal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Somebody can answer.
    pub stdin: bool,
    /// Results are read by a person.
    pub stdout: bool,
    /// Messages and progress are read by a person.
    pub stderr: bool,
}

impl Environment {
    /// The environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            home: std::env::home_dir(),
            machine: std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default(),
            program: std::env::args_os().next().map(PathBuf::from),
            terminal: Terminal {
                stdin: std::io::stdin().is_terminal(),
                stdout: std::io::stdout().is_terminal(),
                stderr: std::io::stderr().is_terminal(),
            },
        }
    }

    /// An environment made of these variables, for tests.
    pub fn of_variables<'a>(
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
        terminal: Terminal,
    ) -> Self {
        let variables: BTreeMap<OsString, OsString> = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let home = variables.get(OsStr::new(variable::HOME)).map(PathBuf::from);
        Self {
            variables,
            home,
            machine: "machine".to_owned(),
            program: None,
            terminal,
        }
    }

    /// A variable's value; an empty one counts as not set.
    fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// A folder variable of the XDG kind: by its own rule a relative path is ignored.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        self.get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }
}

/// How to print progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Lines that move, on a terminal.
    Live,
    /// A line for each thing that happened.
    Lines,
    /// Nothing.
    None,
}

/// Everything that governs a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Text or JSON.
    pub format: Format,
    /// How to print progress.
    pub progress: Progress,
    /// Print status messages: not with `--quiet`, not in JSON.
    pub messages: bool,
    /// Colour on stdout.
    pub color_stdout: bool,
    /// Colour on stderr.
    pub color_stderr: bool,
    /// A person is there who can answer a question.
    pub interactive: bool,
    /// How wide a line may be, in columns.
    pub width: usize,
    /// How much of what goes on underneath to log: 0 nothing, 1 debug, 2 and more trace.
    pub verbosity: u8,
    /// The user's home, where it is known.
    pub home: Option<PathBuf>,
    /// Where content is kept between runs: it can always be made again.
    pub cache: PathBuf,
    /// Where labs live.
    pub labs: PathBuf,
    /// Where logs of runs are kept.
    pub runs: PathBuf,
    /// The socket of the SSH agent.
    pub ssh_agent: Option<PathBuf>,
    /// Who runs this and where, for others to read in locks: `edge@laptop`.
    pub who: String,
    /// How this program is called: by its path, where it was called by one.
    pub program: String,
}

/// The width of lines where nothing says another.
const DEFAULT_WIDTH: usize = 100;

impl Settings {
    /// Where the bundle of a release is, unless another folder is named.
    pub fn bundle(&self, release: &str) -> PathBuf {
        self.cache.join("bundles").join(release)
    }

    /// Where finished parts of bundles are kept between builds.
    pub fn content(&self) -> PathBuf {
        self.cache.join("content")
    }

    /// The record of a bundle's files that were read before and found right.
    pub fn trust(&self) -> PathBuf {
        self.cache.join("trust")
    }

    /// Merges flags, environment and defaults. Flags win.
    pub fn new(global: &Global, environment: &Environment) -> Self {
        let terminal = environment.terminal;
        let dumb = environment.get(variable::TERM).is_some_and(|term| term == "dumb");
        let color = |stream_is_terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stream_is_terminal && !dumb && environment.get(variable::NO_COLOR).is_none(),
        };
        let text = global.output == Format::Text;
        // Log lines would tear moving lines apart.
        let live = terminal.stderr && !dumb && global.verbose == 0;
        // Without a home (a service, a bare container) the folders are root's usual ones.
        let home = environment.home.clone().unwrap_or_else(|| PathBuf::from("/root"));
        let state = environment
            .folder(variable::XDG_STATE_HOME)
            .unwrap_or_else(|| home.join(".local/state"));
        let cache = environment
            .folder(variable::XDG_CACHE_HOME)
            .unwrap_or_else(|| home.join(".cache"));
        Self {
            format: global.output,
            progress: match (text && !global.quiet, live) {
                (false, _) => Progress::None,
                (true, true) => Progress::Live,
                (true, false) => Progress::Lines,
            },
            messages: text && !global.quiet,
            color_stdout: color(terminal.stdout),
            color_stderr: color(terminal.stderr),
            interactive: text && terminal.stdin && terminal.stderr && !dumb,
            width: environment
                .get(variable::COLUMNS)
                .and_then(|columns| columns.to_str()?.parse().ok())
                .filter(|columns| *columns >= 40)
                .unwrap_or(DEFAULT_WIDTH),
            verbosity: global.verbose,
            home: environment.home.clone(),
            cache: cache.join("iec"),
            labs: state.join("iec/labs"),
            runs: state.join("iec/runs"),
            ssh_agent: environment.get(variable::SSH_AUTH_SOCK).map(PathBuf::from),
            who: who(environment),
            program: program(environment),
        }
    }
}

/// `iec` where the shell found it by itself, its path where somebody typed one.
fn program(environment: &Environment) -> String {
    let typed = environment
        .program
        .as_deref()
        .filter(|program| program.components().count() > 1);
    let path = typed.and_then(|program| std::path::absolute(program).ok());
    path.map_or_else(|| "iec".to_owned(), |path| path.to_string_lossy().into_owned())
}

/// The user and the machine.
fn who(environment: &Environment) -> String {
    let user = environment
        .get(variable::USER)
        .map_or_else(|| "root".into(), OsStr::to_string_lossy);
    format!("{user}@{}", environment.machine.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Terminal = Terminal {
        stdin: true,
        stdout: true,
        stderr: true,
    };
    const GLOBAL: Global = Global {
        output: Format::Text,
        color: Color::Auto,
        quiet: false,
        verbose: 0,
    };

    fn settings(global: &Global, variables: &[(&str, &str)], terminal: Terminal) -> Settings {
        Settings::new(
            global,
            &Environment::of_variables(variables.iter().copied(), terminal),
        )
    }

    #[test]
    fn a_terminal_gets_colour_and_moving_lines() {
        let settings = settings(&GLOBAL, &[], ALL);
        assert!(settings.color_stdout && settings.color_stderr && settings.interactive);
        assert_eq!(settings.progress, Progress::Live);
    }

    #[test]
    fn without_a_terminal_nothing_moves_and_nobody_is_asked() {
        let settings = settings(&GLOBAL, &[], Terminal::default());
        assert!(!settings.color_stdout && !settings.interactive);
        assert_eq!(settings.progress, Progress::Lines);
    }

    #[test]
    fn no_color_counts_only_when_it_is_not_empty() {
        assert!(!settings(&GLOBAL, &[("NO_COLOR", "1")], ALL).color_stdout);
        assert!(settings(&GLOBAL, &[("NO_COLOR", "")], ALL).color_stdout);
        let always = Global {
            color: Color::Always,
            ..GLOBAL
        };
        assert!(settings(&always, &[("NO_COLOR", "1")], Terminal::default()).color_stdout);
    }

    #[test]
    fn json_has_no_messages_no_progress_and_no_questions() {
        let json = Global {
            output: Format::Json,
            ..GLOBAL
        };
        let settings = settings(&json, &[], ALL);
        assert!(!settings.messages && !settings.interactive);
        assert_eq!(settings.progress, Progress::None);
    }

    #[test]
    fn folders_follow_xdg_and_ignore_relative_ones() {
        let defaults = settings(&GLOBAL, &[("HOME", "/home/edge")], ALL);
        assert_eq!(defaults.cache, PathBuf::from("/home/edge/.cache/iec"));
        assert_eq!(defaults.labs, PathBuf::from("/home/edge/.local/state/iec/labs"));
        let variables = [
            ("HOME", "/home/edge"),
            ("XDG_CACHE_HOME", "/var/tmp"),
            ("XDG_STATE_HOME", "not/absolute"),
        ];
        let given = settings(&GLOBAL, &variables, ALL);
        assert_eq!(given.cache, PathBuf::from("/var/tmp/iec"));
        assert_eq!(given.labs, PathBuf::from("/home/edge/.local/state/iec/labs"));
    }
}
