//! `iec recover`: the cluster started again from one member of etcd, when the majority of its members is lost for good.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use futures::future::join_all;
use iec_core::facts::Facts;
use iec_core::name::HostName;
use iec_core::observed::Observed;
use iec_core::plan::{ETCD_SET_ASIDE, HostPart, Plan, TOKEN_LIFE, recovery_parts};
use iec_core::recovery::{Knowledge, Member, Recovery, Refusal, question, recovery};
use iec_core::selection::StepSelection;
use iec_host::{
    Bounds, Ending, Execution, Fleet, Host, Patience, Privilege, RunName, Script, Summary, execute, probe,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::apply::{Request, apply};
use super::content::Content;
use super::interrupt;
use super::kubeconfig::{self, Target};
use super::operation::{Claims, run_name};
use super::planning::failures;
use super::reach::{HostTrouble, block_on, fleet, unanswered};
use super::reset::refuse_foreign;
use super::run_log::{RunLog, with_log};
use super::run_result::run_error;
use super::run_view::{RunView, watch};
use super::seed::{Seeding, Seeds};
use super::site_file::{self, SiteFile};
use crate::cli::Recover;
use crate::error::{CliError, Kind, Outcome};
use crate::kubeconfig::Selection;
use crate::settings::Settings;
use crate::ui::{Document, Ui, list};

/// A few lines; etcd may need a while to say whether it has a leader.
const QUESTION: Bounds = Bounds {
    question: "asking etcd what it knows",
    bytes: 1 << 16,
    time: Duration::from_secs(180),
};

/// Asks every control plane, decides, asks the operator, starts etcd again, and takes the others in anew.
pub(super) fn run(arguments: &Recover, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    refuse_calico_etcd(&file)?;
    let from = arguments
        .from
        .as_deref()
        .map(|name| control_plane(&file, name))
        .transpose()?;
    let content = Content::open(&file, settings, ui)?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?;
    block_on(async {
        let asked = ask(&file, &fleet).await?;
        let decided = recovery(&file.site, &asked.members, from.as_ref())
            .map_err(|refusal| refused(&refusal, &asked, &file))?;
        ui.event(Document::RecoverPlan, &plan_json(&file, &decided, &asked));
        ui.say(&plan_text(&file, &decided, &asked));
        if !arguments.yes && !ui.confirm(&confirmation(&decided), "--yes")? {
            return Err(CliError::new(
                Kind::Stopped,
                "IEC0906",
                "the question was answered with no",
            ));
        }
        start_again(&file, &fleet, (&decided, &asked.facts), (settings, ui)).await?;
        ui.say(&format!(
            "The cluster has started again from the data of {}. Its hosts are made what the site file says.",
            decided.survivor
        ));
        let silence = take_in(&file, &content, &fleet, settings, ui).await?;
        ui.result(Document::Recover, &result_json(&file, &decided), || {
            result_text(&file, &decided)
        });
        match silence {
            None => Ok(Outcome::Done),
            Some(error) => Err(error.next(
                "a control plane that is gone: `state: absent, unreachable: true` in the site file, then iec apply",
            )),
        }
    })
}

/// Calico's own etcd has lost its majority with the cluster's, and is not started again by this command.
fn refuse_calico_etcd(file: &SiteFile) -> Result<(), CliError> {
    let has_members = file.site.network().has_calico_etcd() && file.site.control_planes().count() > 1;
    if !has_members {
        return Ok(());
    }
    Err(CliError::refused(
        "IEC4064",
        "Calico has an etcd of its own, with a member on each control plane, which IEC cannot start again",
    )
    .next("iec explain IEC4064 says how both are started again by hand"))
}

/// The control plane of this name.
fn control_plane(file: &SiteFile, name: &str) -> Result<HostName, CliError> {
    let mut all = file.site.control_planes();
    match all.find(|host| host.name().as_str() == name) {
        Some(host) => Ok(host.name().clone()),
        None => Err(CliError::refused(
            "IEC0908",
            format!("the site has no control plane {name}"),
        )),
    }
}

/// What the control planes say.
struct Asked {
    facts: Facts,
    members: BTreeMap<HostName, Member>,
    /// Those that do not answer, and why.
    silent: BTreeMap<String, HostTrouble>,
}

async fn ask(file: &SiteFile, fleet: &Fleet) -> Result<Asked, CliError> {
    let now = jiff::Timestamp::now().as_second();
    let facts = probe(fleet, Some(now)).await.facts;
    refuse_foreign(file, &facts)?;
    let mut silent: BTreeMap<String, HostTrouble> = failures(&facts)
        .map(|(name, trouble)| (name.to_owned(), trouble))
        .collect();
    let script = Script::new(question().statement(""), QUESTION);
    let reached: Vec<(&HostName, _)> = file
        .site
        .control_planes()
        .filter(|host| !silent.contains_key(host.name().as_str()))
        .filter_map(|host| Some((host.name(), fleet.host(host.name().as_str())?)))
        .collect();
    let script = &script;
    let answers = join_all(reached.into_iter().map(|(name, host)| async move {
        let answer = ask_one(host.as_ref(), script).await;
        (name, answer)
    }))
    .await;
    let mut members = BTreeMap::new();
    for (name, answer) in answers {
        match answer {
            Ok(member) => drop(members.insert(name.clone(), member)),
            Err(trouble) => drop(silent.insert(name.to_string(), trouble)),
        }
    }
    let asked = Asked {
        facts,
        members,
        silent,
    };
    if asked.members.is_empty() {
        let troubles = asked.silent.iter();
        let error = unanswered(troubles.map(|(host, trouble)| (host.as_str(), trouble.clone())));
        return Err(error.unwrap_or_else(|| refused(&Refusal::NoData { lost: vec![] }, &asked, file)));
    }
    Ok(asked)
}

async fn ask_one(host: &dyn Host, script: &Script) -> Result<Member, HostTrouble> {
    let mut said = String::new();
    let mut keep = |line: &str| {
        said.push_str(line);
        said.push('\n');
    };
    let outcome = host.run(script, Privilege::Root, &mut keep).await;
    match &outcome.ending {
        Ending::NeverRan(error) | Ending::Lost(error) => Err(HostTrouble::from(error)),
        Ending::Exited(_) | Ending::Killed(_) => Ok(Member::read(&said)),
    }
}

/// The refusal, with what was seen and what there is to do instead.
fn refused(refusal: &Refusal, asked: &Asked, file: &SiteFile) -> CliError {
    let error = CliError::refused(refusal.code(), refusal.to_string());
    let error = knowledge_lines(asked).into_iter().fold(error, CliError::evidence);
    match refusal {
        Refusal::HasLeader { .. } => error
            .next("a control plane that is gone: `state: absent, unreachable: true` in the site file, then iec apply")
            .next(format!("iec verify {} says what is wrong", file.word())),
        Refusal::Majority { .. } => error
            .next("find out why they do not reach each other: 2380/tcp between control planes, their clocks, their disks")
            .next("--from HOST starts from one of them all the same, and gives up what the others know"),
        Refusal::NoData { .. } => error
            .next("bring one of the control planes back that have its data: without any, only a backup of etcd helps"),
        Refusal::Unknown { host } | Refusal::NotFrom { host } => error
            .next(format!(
                "on {host}: `systemctl start kubelet`; /var/log/pods/kube-system_etcd-*/etcd/ has why etcd does not start"
            ))
            .next("--from HOST names a control plane whose etcd answers, and gives up what the others know"),
    }
}

/// What each control plane knows, a line each.
fn knowledge_lines(asked: &Asked) -> Vec<String> {
    let known = asked.members.iter().map(|(name, member)| {
        let what = match (&member.knows, member.has_data) {
            (Some(knows), _) => {
                let leader = if knows.has_leader {
                    "has a leader"
                } else {
                    "has no leader"
                };
                format!(
                    "revision {} of {} members, {leader}",
                    knows.revision, knows.members
                )
            }
            (None, true) => "has data, and its etcd does not answer".to_owned(),
            (None, false) => "has no data of the cluster".to_owned(),
        };
        format!("{name}: {what}")
    });
    let silent = asked.silent.iter();
    let silent = silent.map(|(name, trouble)| format!("{name}: {} ({})", trouble.cause, trouble.code));
    known.chain(silent).collect()
}

fn plan_text(file: &SiteFile, decided: &Recovery, asked: &Asked) -> String {
    let mut text = format!("To start the cluster of the site {} again:\n", file.site.name());
    for line in knowledge_lines(asked) {
        let _ = writeln!(text, "    {line}");
    }
    for other in &decided.others {
        let _ = writeln!(
            text,
            "  - {other}: its control plane stops, its data goes to {ETCD_SET_ASIDE}, and it joins anew"
        );
    }
    let _ = writeln!(
        text,
        "  - {}: its etcd starts as the only member",
        decided.survivor
    );
    text.push_str(match decided.knows {
        Some(_) => "What other members have stored after that revision is lost.\n",
        None => "A recovery that was cut off goes on.\n",
    });
    if !decided.lost.is_empty() {
        let _ = writeln!(
            text,
            "If the data of {} comes back, it is a second cluster: keep its power off, or make it bare before.",
            list(&names(&decided.lost))
        );
    }
    text
}

fn confirmation(decided: &Recovery) -> String {
    let lost = match decided.lost.as_slice() {
        [] => "Are the other members lost for good".to_owned(),
        lost => format!("Are {} lost for good", list(&names(lost))),
    };
    format!(
        "{lost}, and shall the cluster start again from {}?",
        decided.survivor
    )
}

fn names(hosts: &[HostName]) -> Vec<String> {
    hosts.iter().map(ToString::to_string).collect()
}

fn plan_json(file: &SiteFile, decided: &Recovery, asked: &Asked) -> Value {
    let knows = |knows: &Knowledge| {
        json!({
            "revision": knows.revision, "members": knows.members, "hasLeader": knows.has_leader,
        })
    };
    let members: serde_json::Map<String, Value> = asked
        .members
        .iter()
        .map(|(name, member)| {
            let value = json!({ "hasData": member.has_data, "knows": member.knows.as_ref().map(knows) });
            (name.to_string(), value)
        })
        .collect();
    json!({
        "site": file.site.name(), "from": decided.survivor.as_str(), "members": members,
        "setAside": names(&decided.others), "lost": names(&decided.lost),
    })
}

fn result_json(file: &SiteFile, decided: &Recovery) -> Value {
    json!({
        "site": file.site.name(), "from": decided.survivor.as_str(),
        "revision": decided.knows.map(|knows| knows.revision),
        "setAside": names(&decided.others), "lost": names(&decided.lost),
    })
}

fn result_text(file: &SiteFile, decided: &Recovery) -> String {
    let mut text = format!(
        "The cluster of the site {} runs again, from the data of {}.",
        file.site.name(),
        decided.survivor
    );
    if !decided.others.is_empty() {
        let _ = write!(
            text,
            " What {} had is in {ETCD_SET_ASIDE} there until its reset.",
            list(&names(&decided.others))
        );
    }
    let _ = write!(text, "\n\n  iec verify {}\n", file.word());
    text
}

/// Sets the data of the others aside, then starts the survivor's etcd.
async fn start_again(
    file: &SiteFile,
    fleet: &Fleet,
    (decided, facts): (&Recovery, &Facts),
    (settings, ui): (&Settings, &Ui),
) -> Result<(), CliError> {
    let (stop, run) = (interrupt::token(), run_name());
    let owner = format!("iec recover by {} (run {run})", settings.who);
    let log = RunLog::of_site(file, (&run, &owner), settings, ui);
    let mut view = RunView::without_estimate(ui, "recover", log);
    let mut parts = recovery_parts(&file.site, facts, decided);
    let survivor = parts.split_off(decided.others.len());
    let run = Run {
        file,
        fleet,
        owner: &owner,
        run: &run,
        stop: &stop,
    };
    let mut result = Ok(());
    for parts in [parts, survivor] {
        if parts.is_empty() {
            continue;
        }
        let plan = run.plan(parts);
        let summary = run.execute(&plan, &mut view).await;
        if let Some(error) = run_error(&summary, Some(&plan), &format!("iec recover {}", file.word())) {
            result = Err(error);
            break;
        }
    }
    let path = view.finish().end(result.as_ref().err());
    result.map_err(|error| with_log(error, path.as_deref()))
}

/// What both halves of it share.
struct Run<'a> {
    file: &'a SiteFile,
    fleet: &'a Fleet,
    owner: &'a str,
    run: &'a RunName,
    stop: &'a CancellationToken,
}

impl Run<'_> {
    fn plan(&self, hosts: Vec<HostPart>) -> Plan {
        let site = &self.file.site;
        Plan {
            site: site.name().as_str().to_owned(),
            site_id: String::new(),
            release: site.release().to_owned(),
            token_id: String::new(),
            hosts,
            after_joins: None,
            leaving: Vec::new(),
            warnings: Vec::new(),
            accepted: Vec::new(),
        }
    }

    async fn execute(&self, plan: &Plan, view: &mut RunView<'_>) -> Summary {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let sink = move |host: &str, progress| {
            // Nobody looks any more only when the work is over.
            let _ = sender.send((host.to_owned(), progress));
        };
        let execution = Execution {
            plan,
            fleet: self.fleet,
            observed: &Observed::default(),
            owner: self.owner,
            run: self.run,
            // Its parts need nothing of the bundle.
            blob_file: &|blob| blob.name.clone().into(),
            stop: self.stop,
            patience: Patience::default(),
        };
        watch(execute(&execution, &sink), receiver, self.stop, view).await
    }
}

/// Makes the hosts what the site file says, and gives that some of them do not answer.
async fn take_in(
    file: &SiteFile,
    content: &Content,
    fleet: &Fleet,
    settings: &Settings,
    ui: &Ui,
) -> Result<Option<CliError>, CliError> {
    let kubeconfig = Target {
        path: kubeconfig::default_path(&file.path),
        selection: Selection::Keep,
    };
    let request = Request {
        kubeconfig: &kubeconfig,
        token_life: TOKEN_LIFE,
        who: &settings.who,
        claims: Claims::Free,
        left_out: &BTreeSet::new(),
        selection: &StepSelection::default(),
        saved: None,
        max_changes: None,
        reinstall: false,
        logs: &settings.runs,
    };
    let seeds = Seeds::new(Seeding::Do, settings);
    let applied = apply(file, content, fleet, (&request, seeds), ui).await?;
    Ok(applied.silence)
}
