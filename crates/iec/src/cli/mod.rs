//! What can be typed: clap types only. Their doc comments are the manual.

mod content;
mod hosts;
mod lab;
mod render;
mod site;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use content::{Bundle, BundleBuild, BundleFolder, BundleSeed};
pub use hosts::{
    Apply, Credentials, Log, LogCommand, LogShow, Passwords, Plan, Reach, Recover, RecoverCredentials, Reset,
    Status, Steps, Undo, Verify,
};
pub use lab::{
    Demo, DiskCache, Distribution, HostGroup, HostKind, Lab, LabDown, LabExec, LabHost, LabInsert, LabList,
    LabOfHost, LabSnapshot, LabStop, LabUp,
};
pub use render::{
    Render, RenderCarried, RenderCloudInit, RenderContent, RenderDescription, RenderPlace, RenderSecrets,
    RenderSeed,
};
pub use site::{Check, Dialect, HostArgument, Init, Role, SitePath};

/// Turn bare Debian and Ubuntu hosts into a verified Kubernetes edge cloud
///
/// A site file says what the site should be. `iec plan` prints what is missing, `iec apply` does it over SSH,
/// `iec verify` proves the result, `iec reset` takes all of it back.
#[derive(Debug, Parser)]
#[command(
    name = "iec",
    version,
    after_help = "Exit codes: 0 done or nothing to do, 1 refused before anything was touched, 2 a step failed, \
                  3 verification failed, 4 could not tell, 5 changes are pending (plan --detailed-exitcode), 130 stopped by the user.",
    disable_help_subcommand = true,
    subcommand_required = true,
    max_term_width = 110
)]
pub struct Cli {
    /// Options that every command takes
    #[command(flatten)]
    pub global: Global,
    /// The command
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options for every command")]
pub struct Global {
    /// How to print: text for a person, json for a program (one versioned object a line)
    #[arg(short, long, global = true, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
    /// When to colour; NO_COLOR in the environment turns colour off
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print what is going on underneath (repeat for more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person
    Text,
    /// For a program
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "what a variant holds is documented, and its documentation is the manual"
)]
pub enum Command {
    Init(Init),
    Check(Check),
    Plan(Plan),
    Apply(Apply),
    Verify(Verify),
    Status(Status),
    Log(Log),
    Recover(Recover),
    Undo(Undo),
    Reset(Reset),
    #[command(subcommand)]
    Render(Render),
    #[command(subcommand)]
    Credentials(Credentials),
    #[command(subcommand)]
    Bundle(Bundle),
    #[command(subcommand)]
    Lab(Lab),
    Demo(Demo),
    /// Print the JSON Schema of the site file
    ///
    /// Editors with the YAML language server complete and check a site file by it while you type.
    #[command(after_help = "Examples:\n  iec schema > site.schema.json")]
    Schema,
    /// List the methods of installation
    ///
    /// When to use which, what speaks for and against it, what it needs, and whether its proof has passed.
    #[command(after_help = "Examples:\n  iec methods\n  iec methods -o json")]
    Methods,
    /// Explain an error code
    ///
    /// Prints what the code means, why IEC minds, and what to do. Without a code it lists all of them.
    #[command(after_help = "Examples:\n  iec explain IEC3901\n  iec explain")]
    Explain {
        /// The code, as an error prints it
        #[arg(value_name = "CODE")]
        code: Option<String>,
    },
    /// Print the completion script of a shell
    #[command(after_help = "Examples:\n  \
        iec completion bash > ~/.local/share/bash-completion/completions/iec\n  \
        iec completion zsh > ~/.zfunc/_iec\n  \
        iec completion fish > ~/.config/fish/completions/iec.fish")]
    Completion {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
}
