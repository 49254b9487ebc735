//! The commands that work on the hosts of a site.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::SitePath;

/// How hosts are reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Reaching hosts")]
pub struct Reach {
    /// How many hosts to work on at the same time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: u16,
    /// Trust the key of a host that is not known yet, and record it in ~/.ssh/known_hosts
    ///
    /// A key that has changed is refused all the same. Pinning `hostKey` in the site file is better.
    #[arg(long)]
    pub accept_new_host_keys: bool,
    /// The SSH configuration to use instead of the user's and the system's
    #[arg(long, value_name = "FILE")]
    pub ssh_config: Option<PathBuf>,
    /// Reach hosts by the system's `ssh` always
    ///
    /// Without this it is used where the SSH configuration asks for a ProxyCommand or a PKCS11Provider, which only OpenSSH
    /// has; for GSSAPI it has to be asked for, since many systems switch that on for everybody. Host keys are checked as
    /// strictly as otherwise, and a `StrictHostKeyChecking no` of the configuration does not count. With a terminal it may
    /// ask there, for the PIN of a card, say.
    #[arg(long)]
    pub system_ssh: bool,
    /// Passwords, where keys alone do not do
    #[command(flatten)]
    pub passwords: Passwords,
}

/// Passwords for hosts. They are never arguments.
#[derive(Debug, Clone, Default, Args)]
pub struct Passwords {
    /// Ask for the password to log in with; it is tried on a host that takes no key
    ///
    /// One for all hosts, asked for once. What else a host wants to know from who logs in, such as a code that is valid
    /// once, is then asked for too (keyboard-interactive). A jump host is not given it. The system's `ssh` asks by itself.
    #[arg(long, conflicts_with = "login_password_file")]
    pub ask_login_password: bool,
    /// Take the password to log in with from the first line of a file that only its owner can read
    #[arg(long, value_name = "FILE")]
    pub login_password_file: Option<PathBuf>,
    /// Ask for the password that sudo on the hosts asks for
    #[arg(long, conflicts_with = "sudo_password_file")]
    pub ask_sudo_password: bool,
    /// Take sudo's password from the first line of a file that only its owner can read
    #[arg(long, value_name = "FILE")]
    pub sudo_password_file: Option<PathBuf>,
}

/// Of which hosts of a site a command thinks.
#[derive(Debug, Clone, Default, Args)]
pub struct Limit {
    /// Work on these hosts only, such as `edge-2,edge-3`
    ///
    /// The others are asked nothing. What may not be done without them is named and left as it is.
    #[arg(long, value_name = "HOSTS", value_delimiter = ',')]
    pub limit: Vec<String>,
}

/// What becomes of another run that is changing the site.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct TakeOver {
    /// Take the site over from another run that is changing it
    ///
    /// That run ends before its next step; no step is cut off. What it has done stays, and this command begins with looking
    /// at it. Without this option it is refused while somebody else changes the site. A run that has not been heard of for
    /// a minute needs no taking over.
    #[arg(long)]
    pub take_over: bool,
}

/// Which steps of a site a command thinks of.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Some steps only")]
pub struct Steps {
    /// Begin with this step, such as `runtime.containerd`, or with this phase, such as `runtime`
    ///
    /// A name may have a host behind it: `system.sysctls@edge-2`. A host without the step does nothing. What the site no
    /// longer asks for is not taken back. Steps that others need must be selected too, or be done already.
    #[arg(long, value_name = "STEP")]
    pub from: Option<String>,
    /// End with this step or phase
    #[arg(long, value_name = "STEP")]
    pub until: Option<String>,
    /// These steps or phases only, such as `system.sysctls,node`
    #[arg(long, value_name = "STEPS", value_delimiter = ',', conflicts_with_all = ["from", "until"])]
    pub step: Vec<String>,
    /// Leave these steps or phases out
    #[arg(long, value_name = "STEPS", value_delimiter = ',')]
    pub skip: Vec<String>,
}

/// Print what would be done, and change nothing on a host
///
/// Asks every host what it is and what is there, and prints the difference to what the site should be: by phase,
/// host and step, with the lines of every file that would be written. Makes the site's secrets file if there is
/// none yet.
#[derive(Debug, Args)]
#[command(
    after_help = "Marks: + comes, ~ changes, - goes, = stays, ? could not tell.\n\n\
    Examples:\n  \
    iec plan\n  \
    iec plan shop/site.yaml --brief\n  \
    iec plan --detailed-exitcode -o json\n  \
    iec plan --out today.plan && iec apply today.plan\n  \
    iec plan --limit edge-3\n  \
    iec plan --until runtime\n  \
    iec plan --facts facts.json"
)]
pub struct Plan {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// Plan for bare hosts that are what this file says, and ask none of them
    #[arg(long, value_name = "FILE", conflicts_with = "detailed_exitcode")]
    pub facts: Option<PathBuf>,
    /// Print steps only, without the content of files
    #[arg(long)]
    pub brief: bool,
    /// Print steps that are done, too
    #[arg(long, conflicts_with = "brief")]
    pub all: bool,
    /// End with exit code 5 when something is to be done
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Write the plan to a file, which `iec apply FILE` does as long as nothing else has changed
    #[arg(long, value_name = "FILE", conflicts_with = "facts")]
    pub out: Option<PathBuf>,
    /// Of which hosts
    #[command(flatten)]
    pub limit: Limit,
    /// Which steps
    #[command(flatten)]
    pub steps: Steps,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// Make the hosts what the site file says
///
/// Installs what is missing and changes nothing else: a second run does nothing. Ctrl-C stops at the end of the
/// steps under way; a new run goes on there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec apply\n  \
    iec apply shop/site.yaml -o json\n  \
    iec plan --out today.plan && iec apply today.plan\n  \
    iec apply --limit edge-1,edge-4 --max-changes 40\n  \
    iec apply --step system.sysctls\n  \
    iec apply --skip helm")]
pub struct Apply {
    /// The site file, a folder that holds a site.yaml, or a plan that `iec plan --out` has written
    ///
    /// A plan is done as it was shown, or not at all: where something else is found now, it is refused and says what.
    #[arg(value_name = "SITE or PLAN", default_value = "site.yaml")]
    pub site: PathBuf,
    /// Of which hosts
    #[command(flatten)]
    pub limit: Limit,
    /// Begin nothing where more steps than this would be done
    #[arg(long, value_name = "N")]
    pub max_changes: Option<usize>,
    /// Install anew although all hosts of a site that was installed are bare
    #[arg(long)]
    pub reinstall: bool,
    /// The kubeconfig that gets the cluster's entries [default: kubeconfig, beside the site file]
    ///
    /// A cluster, a user and a context, all of the site's name, are put into it. Whatever else is in the file stays as it
    /// is, and so does the context that is selected, unless the file is new.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Select the site's context in the kubeconfig
    #[arg(long)]
    pub use_context: bool,
    /// Images that `iec bundle seed` has unpacked for a host
    ///
    /// May be given once for each host. Without it, this machine does it by itself for hosts that are slow at it, where it
    /// can.
    #[arg(long, value_name = "FILE")]
    pub seed: Vec<PathBuf>,
    /// How long a token lives by which hosts join: from 10m to 7d
    ///
    /// It is made when a host has to join, and removed when the last one has.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    pub token_ttl: TokenLife,
    /// What becomes of another run
    #[command(flatten)]
    pub take_over: TakeOver,
    /// Which steps
    #[command(flatten)]
    pub steps: Steps,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// How long a bootstrap token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenLife(pub Duration);

impl FromStr for TokenLife {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const MINUTE: u64 = 60;
        const DAY: u64 = 24 * 60 * MINUTE;
        let wrong = "a time is a number and one of m, h, d, for example 90m, from 10m to 7d";
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(wrong)?;
        let seconds = match unit {
            "m" => MINUTE,
            "h" => 60 * MINUTE,
            "d" => DAY,
            _ => return Err(wrong),
        };
        let number: u64 = number.parse().map_err(|_| wrong)?;
        let life = number.checked_mul(seconds).ok_or(wrong)?;
        if (10 * MINUTE..=7 * DAY).contains(&life) {
            Ok(Self(Duration::from_secs(life)))
        } else {
            Err(wrong)
        }
    }
}

/// Prove that the cluster is what the site file says, and that it works
///
/// Runs a real service, fetches it from every host and pod by address and by name, blocks it by a policy, and
/// takes all of it away again.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all rows passed, 3 a row failed, 4 could not tell.\n\n\
    Examples:\n  \
    iec verify\n  \
    iec verify shop/site.yaml -o json"
)]
pub struct Verify {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// How long a cluster that was just installed may take to settle, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub settle: u64,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// Print what the cluster is now, without making anything in it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iec status\n  iec status shop/site.yaml -o json")]
pub struct Status {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// Print what was done on the hosts, from their journals
///
/// A run a line: whose it was, when, how long it took, and what came of it on each host. The journals do not say that a
/// run began on a host where it then had nothing to do.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
    iec log\n  \
    iec log --run 20261123-191200-4f1c\n  \
    iec log --steps --host edge-2\n  \
    iec log show control-plane.etcd"
)]
pub struct Log {
    /// What else there is to see
    #[command(subcommand)]
    pub command: Option<LogCommand>,
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// This host only
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// This run only, with each of its steps
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// Print the steps of every run
    #[arg(long)]
    pub steps: bool,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// What else there is to see of the journals.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "what a variant holds is documented, and its documentation is the manual"
)]
pub enum LogCommand {
    Show(LogShow),
}

/// Print what a step did on each host: its commands, what they printed, their exit code, and the way back
///
/// A host keeps of each step what it printed the last time, and of one that handles secrets nothing. What looks like a
/// secret is not printed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  iec log show control-plane.etcd\n  iec log show runtime.images shop/site.yaml --host edge-2"
)]
pub struct LogShow {
    /// The step, such as `runtime.images`
    #[arg(value_name = "STEP")]
    pub step: String,
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// On this host only
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// In this run instead of the last one
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// Start the cluster again when most of its control planes are lost for good
///
/// etcd needs more than half of its members. Where they do not come back, it is started again from the data of the
/// member that knows most: every control plane that can be reached is asked. The data of other members is set aside,
/// and they join anew. It works while the API server is down, and refuses as long as the cluster can help itself.
///
/// What the lost members knew and this one did not is lost: what was changed in the last moments before. A lost host
/// that comes back with its data would be a second cluster: say in the site file that it is gone
/// (`state: absent, unreachable: true`), and take it in again as a new host.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iec recover\n  iec recover shop/site.yaml --from edge-2 --yes")]
pub struct Recover {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// Start from this control plane's data, although another one may know more
    #[arg(long, value_name = "HOST")]
    pub from: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// Take back what a run has done
///
/// Goes by the hosts' own journals: what was done last goes first, what is in the cluster before hosts, workers before
/// control planes. What was there before a step's first change is put back. What a run has changed that an earlier run had
/// done stays, since what was there in between is not kept: the former site file and `iec apply` bring that back.
///
/// The site file still asks for what is taken back: the next `iec apply` does it again. The cluster itself is taken back by
/// `iec reset` only.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    iec undo --dry-run\n  \
    iec undo shop/site.yaml --run 20261123-191200-4f1c\n  \
    iec undo --to runtime.images --yes")]
pub struct Undo {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// Take this run back instead of the last one; `iec log` names the runs
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    pub run: Option<String>,
    /// Take back everything that was begun after this step, on the hosts that have it
    #[arg(long, value_name = "STEP")]
    pub to: Option<String>,
    /// Print what would be taken back and what stays, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Take back what can be, and leave the rest as it is
    #[arg(long)]
    pub partly: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// What becomes of another run
    #[command(flatten)]
    pub take_over: TakeOver,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// Take everything back: from a running site to bare hosts
///
/// Goes by the hosts' own journals: Helm releases first, then workers, control planes last. What was there before
/// IEC came is put back, what is not IEC's is left alone. The cluster and its data are gone afterwards.
///
/// While a host does not answer, nothing is taken back: half a cluster would be left. A worker that is gone for good is
/// named as such in the site file (`state: absent, unreachable: true`), and the others are reset without it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iec reset\n  iec reset shop/site.yaml --yes")]
pub struct Reset {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// One more kubeconfig that the cluster's entries are taken out of
    ///
    /// They are always taken out of the one beside the site file, and of ~/.kube/config. Only entries of the site's name
    /// and authority are taken; a file goes only if `iec apply` has made it and nothing else is in it.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// What becomes of another run
    #[command(flatten)]
    pub take_over: TakeOver,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

/// Look after the credentials of a site
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "what a variant holds is documented, and its documentation is the manual"
)]
pub enum Credentials {
    Recover(RecoverCredentials),
}

/// Rebuild a lost secrets file from a control plane
///
/// Reads the certificate authorities and their keys from the first control plane that has them, with root's rights
/// over SSH, and writes them beside the site file, readable by its owner only.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  iec credentials recover\n  iec credentials recover shop/site.yaml")]
pub struct RecoverCredentials {
    /// The site file
    #[command(flatten)]
    pub site: SitePath,
    /// Replace the secrets file that is there
    #[arg(long)]
    pub force: bool,
    /// How hosts are reached
    #[command(flatten)]
    pub reach: Reach,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_of_a_token_is_a_number_and_a_unit() {
        let seconds = |text: &str| text.parse::<TokenLife>().map(|life| life.0.as_secs());
        assert_eq!(seconds("24h"), Ok(86_400));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("7d"), Ok(604_800));
        for wrong in [
            "",
            "h",
            "24",
            "9m",
            "8d",
            "-1h",
            "1.5h",
            "24 h",
            "99999999999999999999d",
            "1\u{e4}",
        ] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
