//! A checker of plans that knows nothing of the planner: what must be true of any plan, whoever made it.

use std::collections::BTreeSet;

use iec_core::plan::{HostPart, Lowered, Op, Phase, Plan, Step, Undo, lower};
use iec_core::site::Role;
use iec_sh::{Expr, Mode, Program};

use crate::support::SEEDED_SECRET;

/// A step that asks the API server by a kubeconfig has this in its question: nobody can tell while it is away.
const MAY_STAY_OPEN: &str = "${iec_once-:}";

/// What is wrong with a plan, a line for each thing.
pub(crate) fn faults(plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for part in plan.hosts.iter().chain(&plan.after_joins) {
        let lowered = part.lowered();
        let mut of_part = [
            ids(part),
            phases(part),
            steps(&lowered),
            undo(part, &lowered),
            open_questions(&lowered),
            secrets(part),
        ]
        .concat();
        if part.whole {
            of_part.extend(content(part, &lowered));
            of_part.extend(waits_before_questions(&lowered));
        }
        found.extend(of_part.into_iter().map(|fault| format!("{}: {fault}", part.host)));
    }
    found.extend(order_of_hosts(plan));
    found.extend(roles(plan));
    found
}

/// Ids are unique on a host, and plain.
fn ids(part: &HostPart) -> Vec<String> {
    let mut known = BTreeSet::new();
    let plain = |id: &str| {
        id.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
    };
    let ids = part.steps.iter().map(|step| step.id.as_str());
    ids.filter(|id| !known.insert(*id) || !plain(id))
        .map(|id| format!("{id} is there twice, or is no plain word"))
        .collect()
}

/// A step belongs to the phase and the host that it names, and phases come in their order.
fn phases(part: &HostPart) -> Vec<String> {
    let mut found = Vec::new();
    let mut last = Phase::Admission;
    for step in &part.steps {
        if step.phase < last {
            found.push(format!("{} comes after the phase {last}", step.id));
        }
        last = last.max(step.phase);
        let named = step.id.as_str().split_once('.').map(|(phase, _)| phase);
        if named != Some(step.phase.as_str()) || step.host != part.host {
            found.push(format!(
                "{} is a step of {} of {}",
                step.id, step.phase, step.host
            ));
        }
    }
    found
}

/// Every step asks before it does something, and says why it is done.
fn steps(lowered: &[(&Step, Lowered)]) -> Vec<String> {
    let is_dumb = |(step, lowered): &&(&Step, Lowered)| {
        lowered.check.is_empty() || step.why.is_empty() || step.title.is_empty() || step.title.ends_with('.')
    };
    let dumb = lowered.iter().filter(is_dumb);
    dumb.map(|(step, _)| format!("{} does not ask, or does not say why", step.id))
        .collect()
}

/// What is done can be taken back, or says by whom it is.
fn undo(part: &HostPart, lowered: &[(&Step, Lowered)]) -> Vec<String> {
    let ids: BTreeSet<&str> = part.steps.iter().map(|step| step.id.as_str()).collect();
    let mut found = Vec::new();
    for (step, lowered) in lowered {
        match &lowered.undo {
            Undo::Commands(commands) if commands.is_empty() => {
                found.push(format!("{} is taken back by no command", step.id));
            }
            Undo::CoveredBy(other) if part.whole => {
                let worker = other.replace("control-plane.", "join.");
                let control_plane = other.replace("join.", "control-plane.");
                let any = [*other, &worker, &control_plane]
                    .iter()
                    .any(|id| ids.contains(id));
                if !any {
                    found.push(format!("{} is covered by {other}, which is not there", step.id));
                }
            }
            Undo::Commands(_) | Undo::CoveredBy(_) | Undo::Nothing | Undo::Irreversible(_) => {}
        }
    }
    found
}

fn asks_the_cluster(question: &Expr) -> bool {
    let programs = question.programs();
    // What listens on the host alone is there or not: nobody is away.
    let is_local = question.statement("").contains("--server http://127.0.0.1:");
    !is_local
        && programs
            .iter()
            .any(|program| matches!(program, Program::Kubectl | Program::Helm))
}

/// A question to the cluster can stay open.
fn open_questions(lowered: &[(&Step, Lowered)]) -> Vec<String> {
    let mut found = Vec::new();
    // A wait goes on, and what is required is required of the very silence of others.
    let is_check = |step: &Step| !matches!(step.op, Op::Wait(_) | Op::Require(_));
    for (step, lowered) in lowered.iter().filter(|(step, _)| is_check(step)) {
        for question in lowered
            .check
            .iter()
            .filter(|question| asks_the_cluster(&question.ask))
        {
            if !question.ask.statement("").contains(MAY_STAY_OPEN) {
                found.push(format!("{} takes an absent API server for an answer", step.id));
            }
        }
    }
    found
}

/// A step whose question needs the API server has a wait for it before it, on the same host: an API server that restarts
/// holds a run up, and does not end it.
fn waits_before_questions(lowered: &[(&Step, Lowered)]) -> Vec<String> {
    let mut found = Vec::new();
    let mut waits = false;
    for (step, lowered) in lowered {
        let text: String = lowered.check.iter().map(|ask| ask.ask.statement("")).collect();
        waits |= matches!(step.op, Op::Wait(_)) && text.contains("/readyz") && !text.contains("127.0.0.1");
        if !waits && text.contains(MAY_STAY_OPEN) {
            found.push(format!(
                "{} asks the API server before anybody waits for it",
                step.id
            ));
        }
    }
    found
}

/// No script and no step shows a secret (rule 11 of the design), and workers get no key of an authority.
fn secrets(part: &HostPart) -> Vec<String> {
    let mut found = Vec::new();
    let script =
        part.script("alice@laptop", "run-1", Mode::Apply) + &part.script("test", "run", Mode::Observe);
    if script.contains(SEEDED_SECRET) || format!("{:?}", part.lowered()).contains(SEEDED_SECRET) {
        found.push("a script shows a secret".to_owned());
    }
    if part.role == Role::Worker {
        let keys = part.secrets.keys().map(|name| format!("{name:?}"));
        let key = keys.into_iter().find(|name| name.to_lowercase().contains("key"));
        found.extend(key.map(|name| format!("a worker gets {name}")));
    }
    found
}

/// Nothing of the bundle is used before it was compared, and each blob is.
fn content(part: &HostPart, lowered: &[(&Step, Lowered)]) -> Vec<String> {
    let Some(store) = lowered
        .iter()
        .position(|(step, _)| matches!(step.op, Op::Store { .. }))
    else {
        return vec!["it has no content".to_owned()];
    };
    let mut found = Vec::new();
    for (step, lowered) in &lowered[..store] {
        let commands = lowered.check.iter().map(|question| &question.ask);
        for command in commands.chain(&lowered.apply) {
            let text = command.statement("");
            if text.contains("/var/lib/iec/store") || text.contains("/var/lib/iec/incoming") {
                found.push(format!("{} uses content before it was compared", step.id));
            }
        }
    }
    let text: String = lowered[store]
        .1
        .apply
        .iter()
        .map(|each| each.statement(""))
        .collect();
    for blob in &part.blobs {
        let hex = blob.digest.hex();
        let compared = format!("printf '%s  %s\\n' {hex} /var/lib/iec/incoming/{hex} | sha256sum -c");
        let moved = text.split_once(&format!("mv -fT /var/lib/iec/incoming/{hex}"));
        if !moved.is_some_and(|(before, _)| before.contains(&compared)) {
            found.push(format!("{} is stored without a comparison", blob.name));
        }
    }
    found
}

/// Rule 2 of the design: a control plane that waited for a worker could never be installed alone.
fn order_of_hosts(plan: &Plan) -> Vec<String> {
    let of = |role: Role| plan.hosts.iter().filter(move |part| part.role == role);
    let workers: Vec<&str> = of(Role::Worker).map(|part| part.host.as_str()).collect();
    let mut found = Vec::new();
    for part in of(Role::ControlPlane) {
        for step in part.steps.iter().filter(|step| matches!(step.op, Op::Wait(_))) {
            let text = format!("{:?}", lower(step));
            let named = workers
                .iter()
                .find(|worker| text.contains(&format!("\"{worker}\"")));
            found.extend(named.map(|worker| format!("{}: {} waits for {worker}", part.host, step.id)));
        }
    }
    found
}

/// Each host does what its role does, and no host that leaves has a part.
fn roles(plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for part in plan.hosts.iter().filter(|part| part.whole) {
        let has = |phase: Phase| part.steps.iter().any(|step| step.phase == phase);
        let (own, other) = match part.role {
            Role::ControlPlane => (Phase::ControlPlane, Phase::Join),
            Role::Worker => (Phase::Join, Phase::ControlPlane),
        };
        if !has(own) || has(other) {
            found.push(format!("{}: its steps are not those of its role", part.host));
        }
        if plan.leaving.contains(&part.host) {
            found.push(format!("{}: it leaves, and is installed", part.host));
        }
    }
    found
}
