//! What a runbook takes for granted about its hosts, in words.

use super::page::{Page, Prose};
use crate::facts::HostFacts;
use crate::render::Subject;

/// Says on the first page what nobody has observed.
pub(super) fn assumed(page: &mut Page, subject: &Subject<'_>) {
    let hosts: Vec<(&str, &HostFacts)> = subject
        .facts
        .known()
        .filter(|(name, facts)| subject.plan.host(name).is_some() && !facts.assumed().is_empty())
        .collect();
    page.heading(2, "assumed", "What this book takes for granted");
    if hosts.is_empty() {
        page.prose("Nothing: what it says about the hosts was read from the hosts themselves.");
        return;
    }
    page.push(super::page::Block::Notice(Prose::default().strong("Assumed.").then(
        " Nobody has asked these hosts. The first numbered step on each of them does, before anything is changed; \
         where the host is something else it says `STOP HERE`, and the step says what to do then. Who knows better \
         already renders the book again from facts: `iec check --probe --facts-out facts.json`, then \
         `iec render runbook --facts facts.json`.",
    )));
    // Hosts of which the same is assumed share a row.
    let mut rows: Vec<(Vec<&str>, String)> = Vec::new();
    for (name, facts) in hosts {
        let assumed = values(facts).join("; ");
        match rows.iter_mut().find(|(_, other)| *other == assumed) {
            Some((names, _)) => names.push(name),
            None => rows.push((vec![name], assumed)),
        }
    }
    let rows = rows
        .into_iter()
        .map(|(names, assumed)| [Prose::new(&names.join(", ")), Prose::new(&assumed)])
        .collect();
    page.table(["Host", "Assumed"], rows);
}

/// The assumed values on which the commands of this book rest, then the rest by name.
fn values(facts: &HostFacts) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = facts.assumed();
    let mut say = |section: &'static str, value: String| {
        if let Some(at) = rest.iter().position(|name| *name == section) {
            rest.remove(at);
            values.push(value);
        }
    };
    say(
        "distribution",
        format!("{} {}", facts.distribution.id, facts.distribution.version),
    );
    say(
        "kernel",
        format!("processor architecture {}", facts.kernel.machine),
    );
    say(
        "capacity",
        format!(
            "{} processors and {} GiB of memory",
            facts.capacity.cpus,
            facts.capacity.memory_total >> 30
        ),
    );
    say("cgroup", format!("control groups {}", facts.cgroup.version));
    let container = if facts.privileges.container {
        "a container itself"
    } else {
        "no container"
    };
    say("privileges", container.to_owned());
    let servers = match facts.resolver.nameservers.as_slice() {
        [] => "no name server for pods".to_owned(),
        some => format!("name servers for pods: {}", some.join(", ")),
    };
    say("resolver", servers);
    let user = match facts.login.user.as_str() {
        "" => "root".to_owned(),
        user => user.to_owned(),
    };
    say("login", format!("installed by the user {user}"));
    say("identity", "that it is the host of this name".to_owned());
    if !rest.is_empty() {
        values.push(format!(
            "and as on a bare host: {}",
            rest.join(", ").replace("guards", "firewalls")
        ));
    }
    values
}
