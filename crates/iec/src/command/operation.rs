//! A run that changes a site: its name, whose it is, and the Lease in the cluster that it holds beside the hosts' locks.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use iec_core::credentials::Credentials;
use iec_core::facts::Facts;
use iec_core::name::HostName;
use iec_host::{Fleet, Payload, RunName, probe};
use iec_kube::{Claim, Cluster, HeldLease, KubeError, Loss, Operator, Taking};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::run_log::has_ended_here;
use super::site_file::SiteFile;
use super::{bundle, cluster, interrupt};
use crate::credentials;
use crate::error::{CliError, Kind};
use crate::ui::{Ui, list};

/// How long giving the Lease back may take: a cluster that is gone has nothing to give it back to.
const GIVING_BACK: Duration = Duration::from_secs(10);
/// How long the steps under way of a run that was taken over may take, and how often the hosts are asked.
const LAST_STEPS: Duration = Duration::from_secs(15 * 60);
const ASKED_EVERY: Duration = Duration::from_secs(3);

/// Whether a run may take the site from another one that is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claims {
    /// It may not.
    Free,
    /// It may: `--take-over`.
    Everything,
}

impl From<bool> for Claims {
    fn from(take_over: bool) -> Self {
        if take_over { Self::Everything } else { Self::Free }
    }
}

/// A run that changes a site.
pub(super) struct Operation<'a> {
    /// What is run: `apply`.
    pub(super) command: &'static str,
    /// Its name.
    pub(super) run: RunName,
    /// Whose it is, for others to read in the hosts' locks and in the Lease.
    pub(super) owner: String,
    file: &'a SiteFile,
    logs: &'a Path,
    claims: Claims,
    hold: Option<Hold>,
    /// Why there is no Lease, for the log.
    unheld: Option<String>,
}

/// A Lease that is renewed in the background.
struct Hold {
    lease: HeldLease,
    lost: Arc<OnceLock<Loss>>,
    is_lost: CancellationToken,
    renewal: JoinHandle<()>,
}

impl<'a> Operation<'a> {
    /// A run of this command, which holds nothing yet.
    pub(super) fn new(
        command: &'static str,
        file: &'a SiteFile,
        (who, logs): (&str, &'a Path),
        claims: Claims,
    ) -> Self {
        let run = run_name();
        Self {
            command,
            owner: format!("iec {command} by {who} (run {run})"),
            run,
            file,
            logs,
            claims,
            hold: None,
            unheld: None,
        }
    }

    /// Takes the site from a run that is at work, where that is wanted, and waits until its steps under way have ended:
    /// what the hosts are is asked only then.
    ///
    /// # Errors
    /// When the site is another's at the very moment.
    pub(super) async fn take_over(&mut self, fleet: &Fleet, ui: &Ui) -> Result<(), CliError> {
        if self.claims == Claims::Free {
            return Ok(());
        }
        let known = credentials::load(&self.file.secrets())?;
        let Some(former) = self.begin(known.as_ref(), ui).await? else {
            if let Some(why) = self.unheld() {
                ui.warn("IEC4011", &format!("no run can be taken over: {why}"));
            }
            return Ok(());
        };
        let until = Instant::now() + LAST_STEPS;
        let mut told = false;
        loop {
            let facts = probe(fleet, None).await.facts;
            let busy = at_work(&facts, &former.holder);
            if busy.is_empty() || Instant::now() > until {
                return Ok(());
            }
            if !told {
                told = true;
                ui.say(&format!("Waits for the steps under way on {}.", list(&busy)));
                stop_on_hosts(fleet, &busy, &former).await;
            }
            sleep(ASKED_EVERY).await;
        }
    }

    /// Takes the Lease, unless it is held already. Where no API server answers, the run goes on without, and only its log says so.
    /// Gives the run that was at work and is so no longer.
    ///
    /// # Errors
    /// When somebody else is changing the site.
    pub(super) async fn begin(
        &mut self,
        known: Option<&Credentials>,
        ui: &Ui,
    ) -> Result<Option<Operator>, CliError> {
        if self.hold.is_some() {
            return Ok(None);
        }
        let Some(known) = known else {
            self.unheld = Some("no cluster was found that could be asked".to_owned());
            return Ok(None);
        };
        let release = bundle::release(self.file.site.release())?;
        let cluster = cluster::connect(self.file, &release, known, 1.0)?.cluster;
        match self.taken(&cluster, ui).await {
            Ok(taken) => {
                let (lease, former) = taken?;
                self.hold = Some(Hold::begin(lease));
                Ok(former)
            }
            Err(error) => {
                self.unheld = Some(error.chain());
                Ok(None)
            }
        }
    }

    /// The Lease, and the living run that it was taken from.
    async fn taken(
        &self,
        cluster: &Cluster,
        ui: &Ui,
    ) -> Result<Result<(HeldLease, Option<Operator>), CliError>, KubeError> {
        let theirs = match cluster.become_operator(&self.owner, Claim::Free).await? {
            Taking::Ours { held, former } => {
                if let Some(former) = former {
                    ui.warn("IEC4010", &lapsed(&former));
                }
                return Ok(Ok((held, None)));
            }
            Taking::Theirs(operator) => operator,
        };
        let is_dead = has_ended_here(self.logs, self.file.site.name().as_str(), &theirs.holder);
        if is_dead {
            ui.warn(
                "IEC4010",
                &format!("{theirs}, has ended without giving the site back: it is taken over"),
            );
        } else if self.claims == Claims::Everything {
            ui.warn("IEC4010", &taking_over(&theirs));
        } else {
            return Ok(Err(self.refused(&theirs)));
        }
        match cluster
            .become_operator(&self.owner, Claim::From(&theirs.holder))
            .await?
        {
            Taking::Ours { held, .. } => Ok(Ok((held, (!is_dead).then_some(theirs)))),
            Taking::Theirs(operator) => Ok(Err(self.refused(&operator))),
        }
    }

    fn refused(&self, theirs: &Operator) -> CliError {
        let cause = format!(
            "somebody else is changing the site {}: {theirs}",
            self.file.site.name()
        );
        CliError::refused("IEC4008", cause)
            .evidence(format!(
                "heard of last at {}, by the clock of the cluster",
                theirs.renewed.strftime("%H:%M:%S UTC")
            ))
            .next(format!(
                "wait until that run has ended: iec status {} says so",
                self.file.word()
            ))
            .next("--take-over stops that run before its next step, and goes on from what it has done")
    }

    /// A token that is cancelled when the user wants the work to stop, and when the site is somebody else's.
    pub(super) fn stop(&self) -> CancellationToken {
        let stop = interrupt::token();
        if let Some(hold) = &self.hold {
            let (lost, stop) = (hold.is_lost.clone(), stop.clone());
            tokio::spawn(async move {
                lost.cancelled().await;
                stop.cancel();
            });
        }
        stop
    }

    /// How the site was lost to another run, as soon as it is.
    pub(super) fn loss(&self) -> Option<Arc<OnceLock<Loss>>> {
        self.hold.as_ref().map(|hold| Arc::clone(&hold.lost))
    }

    /// What the log is told of the Lease: that there is none, and why.
    pub(super) fn unheld(&self) -> Option<String> {
        let why = self.unheld.as_ref()?;
        Some(format!("only the hosts' locks keep others from the site: {why}"))
    }

    /// Gives the Lease back. Where another run has taken it, and this one was stopped by that, it says so.
    ///
    /// # Errors
    /// What the run ended with.
    pub(super) async fn end<T>(self, result: Result<T, CliError>) -> Result<T, CliError> {
        let (site, word) = (self.file.site.name(), self.file.word());
        let Some(hold) = self.hold else {
            return result;
        };
        let (loss, error) = match (hold.end().await, result) {
            (Some(loss), Err(error)) => (format!("the site {site} {}", lost_to(&loss)), error),
            (_, result) => return result,
        };
        if error.kind != Kind::Stopped {
            return Err(error.evidence(loss));
        }
        let mut taken = CliError::new(Kind::Stopped, "IEC4009", loss).evidence(error.cause);
        taken.evidence.extend(error.evidence);
        Err(taken.next(format!(
            "iec status {word} says who is changing the site; then iec plan {word}"
        )))
    }
}

impl Hold {
    fn begin(lease: HeldLease) -> Self {
        let (lost, is_lost) = (Arc::new(OnceLock::new()), CancellationToken::new());
        let (kept, found, cancelled) = (lease.clone(), Arc::clone(&lost), is_lost.clone());
        let renewal = tokio::spawn(async move {
            let loss = kept.keep().await;
            // Nobody else sets it.
            let _ = found.set(loss);
            cancelled.cancel();
        });
        Self {
            lease,
            lost,
            is_lost,
            renewal,
        }
    }

    /// Ends the renewals and gives the Lease back; how it was lost, where it was.
    async fn end(self) -> Option<Loss> {
        self.renewal.abort();
        if let Some(loss) = self.lost.get() {
            return Some(loss.clone());
        }
        match timeout(GIVING_BACK, self.lease.give_back()).await {
            Ok(Ok(loss)) => loss,
            Ok(Err(error)) => {
                tracing::debug!(error = error.chain(), "the Lease lapses by itself");
                None
            }
            Err(_) => None,
        }
    }
}

/// The name of a run: when it began, and a little randomness, so that no two are the same.
pub(super) fn run_name() -> RunName {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let salt = std::process::id() % 0x1_0000;
    RunName::new(format!("{now}-{salt:04x}")).expect("digits, small letters and dashes, well below 60")
}

/// What became of a site, for a sentence that begins with it.
pub(super) fn lost_to(loss: &Loss) -> String {
    match loss {
        Loss::To(operator) => format!("was taken over: {operator}"),
        Loss::Gone => "is no longer held by this run: somebody has taken it over and given it back, or has removed the Lease"
            .to_owned(),
    }
}

/// Who changes the site now, where its cluster says so.
pub(super) async fn operator(file: &SiteFile, known: &Credentials) -> Option<Operator> {
    let release = bundle::release(file.site.release()).ok()?;
    let reached = cluster::connect(file, &release, known, 1.0).ok()?;
    match reached.cluster.operator().await {
        Ok(operator) => operator,
        Err(error) => {
            tracing::debug!(error = error.chain(), "nobody says who changes the site");
            None
        }
    }
}

/// The same as a sentence.
pub(super) fn operator_line(operator: &Operator) -> String {
    if operator.lapsed {
        return format!(
            "The site was last being changed by {operator}; that run has not been heard of since {}.",
            operator.renewed.strftime("%H:%M:%S UTC")
        );
    }
    format!("The site is being changed now: {operator}.")
}

fn lapsed(former: &Operator) -> String {
    format!(
        "{former}, was changing the site and has not been heard of since {}: it is taken over",
        former.renewed.strftime("%H:%M:%S UTC")
    )
}

fn taking_over(theirs: &Operator) -> String {
    format!(
        "the site is taken over from {theirs}: that run ends before its next step, and no step is cut off"
    )
}

/// The hosts on which that run is at work.
fn at_work(facts: &Facts, owner: &str) -> Vec<HostName> {
    let hosts = facts.known().filter(|(_, host)| {
        let lock = host.previous.lock.as_ref();
        lock.is_some_and(|lock| lock.owner.trim() == owner)
    });
    hosts.filter_map(|(name, _)| HostName::new(name).ok()).collect()
}

/// Tells the hosts themselves that the run may end: its operator may be away for a while, and they work on without.
async fn stop_on_hosts(fleet: &Fleet, busy: &[HostName], former: &Operator) {
    let Some(run) = run_of(&former.holder) else { return };
    for host in busy.iter().filter_map(|name| fleet.host(name.as_str())) {
        let outcome = host.put(Payload::stop(&run), &mut |_| {}).await;
        if !outcome.succeeded() {
            tracing::debug!(
                host = host.name(),
                ?outcome,
                "the wish to stop did not reach the host"
            );
        }
    }
}

/// The name of the run in the words of its owner.
pub(super) fn run_of(owner: &str) -> Option<RunName> {
    let (_, run) = owner.strip_suffix(')')?.rsplit_once(" (run ")?;
    RunName::new(run).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_is_read_from_its_owner_and_is_no_path() {
        let run = run_of("iec apply by alice@shed (run 20261130-190000-0a1b)");
        assert_eq!(run.as_ref().map(RunName::as_str), Some("20261130-190000-0a1b"));
        assert_eq!(run_of("iec apply by alice@shed (run ../../x)"), None);
        assert_eq!(run_of("somebody"), None);
    }

    #[test]
    fn a_site_that_is_lost_says_to_whom() {
        let time = "2026-11-30T19:00:00Z".parse().expect("a time");
        let operator = Operator {
            holder: "iec apply by bob@van (run b)".to_owned(),
            since: time,
            renewed: time,
            lapsed: false,
        };
        assert_eq!(
            lost_to(&Loss::To(operator.clone())),
            "was taken over: iec apply by bob@van (run b), since 2026-11-30 19:00:00 UTC"
        );
        assert!(lost_to(&Loss::Gone).contains("no longer held"));
        assert!(lapsed(&operator).ends_with("has not been heard of since 19:00:00 UTC: it is taken over"));
    }
}
