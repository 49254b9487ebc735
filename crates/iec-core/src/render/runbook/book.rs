//! The book as a whole: what it is about, what is needed, how to work with it, the hosts' parts, and the end.

use std::collections::BTreeSet;

use iec_sh::Program;

use super::assumed::assumed;
use super::host::{Chapter, range, role, size, time};
use super::page::{Block, Page, Prose, Table};
use super::step::KEPT;
use crate::content::Digest;
use crate::render::{ContentFrom, Options, Secrets, Subject};
use crate::site::Role;

/// The book of a plan: control planes first, workers then.
pub(super) fn book(subject: &Subject<'_>, options: &Options) -> Page {
    let chapters = chapters(subject, options);
    let mut page = Page {
        title: format!("Runbook for the site {}", subject.site.name()),
        blocks: Vec::new(),
    };
    first_page(&mut page, subject, &chapters);
    needs(&mut page, subject, options, &chapters);
    manner(&mut page);
    let mut appendix = Page {
        title: String::new(),
        blocks: Vec::new(),
    };
    for chapter in &chapters {
        chapter.write(&mut page, &mut appendix);
    }
    end(&mut page, &chapters);
    page.heading(2, "back", "The way back");
    page.prose(
        "Workers first, the control plane last; on each host from the last step to the first. Begin a session as in \
         the host's own part. The data of the cluster will be gone. What was on a host before the installation is put \
         back from `/var/lib/iec/before`, so that folder goes last, when nothing else is left to take back.",
    );
    if !subject.site.helm().is_empty() {
        page.prose(
            "Before the first worker leaves, take back the Helm releases, by their steps at the control plane: what \
             they do when they go needs hosts to run on.",
        );
    }
    for chapter in chapters.iter().rev() {
        chapter.write_undo(&mut page);
    }
    if !appendix.blocks.is_empty() {
        page.heading(2, "long", "Long blocks");
        page.prose("These blocks belong to the steps of the same numbers.");
        page.blocks.append(&mut appendix.blocks);
    }
    page.fill_contents();
    page
}

fn chapters<'a>(subject: &'a Subject<'a>, options: &'a Options) -> Vec<Chapter<'a>> {
    let of = |wanted: Role| subject.plan.hosts.iter().filter(move |part| part.role == wanted);
    let parts = of(Role::ControlPlane).chain(of(Role::Worker));
    let hosts = parts.filter_map(|part| Some((part, subject.site.host(&part.host)?)));
    hosts
        .enumerate()
        .map(|(index, (part, host))| Chapter::new(subject, options, part, host, index + 1))
        .collect()
}

fn first_page(page: &mut Page, subject: &Subject<'_>, chapters: &[Chapter<'_>]) {
    let site = subject.site;
    page.prose(
        "From bare hosts to a Kubernetes cluster by hand: the questions and commands that `iec apply` would run, in \
         its order, and nothing else. Whoever follows it needs a shell on each host, and no other program.",
    );
    let rows = vec![
        [Prose::new("Site"), Prose::new(site.name().as_str())],
        [
            Prose::new("Release"),
            Prose::new(&format!(
                "{} (Kubernetes {})",
                subject.release.name,
                subject.release.kubernetes()
            )),
        ],
        [
            Prose::new("API server"),
            Prose::code(format!("https://{}", site.control_plane().endpoint())),
        ],
        [
            Prose::new("Rendered"),
            Prose::new(&format!("{} by {}", subject.moment, subject.who)),
        ],
        [Prose::new("Edition"), Prose::code(edition(chapters))],
    ];
    page.table(["", ""], rows);
    let rows = chapters.iter().map(|chapter| {
        [
            Prose::default().link(format!("Part {}", chapter.number), chapter.anchor()),
            Prose::new(chapter.part.host.as_str()),
            Prose::new(role(chapter.part.role)),
            Prose::code(chapter.host.address().to_string()),
            Prose::new(&chapter.steps.len().to_string()),
            Prose::new(&time(chapter.part.estimate_seconds())),
        ]
    });
    page.table(
        ["Part", "Host", "Role", "Address", "Steps", "Time of its commands"],
        rows.collect(),
    );
    assumed(page, subject);
    if !(subject.plan.warnings.is_empty() && subject.plan.accepted.is_empty()) {
        page.heading(2, "warnings", "What somebody should know beforehand");
        let warnings = subject.plan.warnings.iter().chain(&subject.plan.accepted);
        page.push(Block::List(
            warnings.map(|warning| Prose::new(&sentence(warning))).collect(),
        ));
    }
    page.heading(2, "contents", "Contents");
    page.push(Block::Contents(Vec::new()));
}

/// By its edition one knows whether two copies say the same: the digest of all steps.
fn edition(chapters: &[Chapter<'_>]) -> String {
    let steps = chapters.iter().flat_map(|chapter| &chapter.steps);
    let text: String = steps
        .map(|step| format!("{} {} {}\n", step.step.host, step.step.id, step.lowered.digest()))
        .collect();
    Digest::of(text.as_bytes()).short()
}

fn needs(page: &mut Page, subject: &Subject<'_>, options: &Options, chapters: &[Chapter<'_>]) {
    page.heading(2, "needs", "What you need");
    let total: u64 = subject
        .plan
        .hosts
        .iter()
        .flat_map(|part| &part.blobs)
        .map(|blob| (blob.digest, blob.size))
        .collect::<std::collections::BTreeMap<_, _>>()
        .values()
        .sum();
    let content = match options.content {
        ContentFrom::Copied => format!(
            "The content: the folder `blobs` beside this book, {}. Every file is named after its SHA-256.",
            size(total)
        ),
        ContentFrom::Elsewhere | ContentFrom::At(_) => format!(
            "The content: the folder `blobs` of the bundle of release {}, {}. Copy it beside this book. \
             Every file is named after its SHA-256.",
            subject.release.name,
            size(total)
        ),
    };
    let secrets = match options.secrets {
        Secrets::Encrypted => {
            "The secrets: for each host one file `secrets-HOST.enc` beside this book, and the passphrase."
        }
        Secrets::Plain => {
            "The secrets: for each host one file `secrets-HOST` beside this book. Whoever reads it owns the \
             cluster: guard the medium."
        }
        Secrets::None => {
            "The secrets: for each host one file `secrets-HOST.enc`, which this book was rendered without."
        }
    };
    let mut items = vec![
        Prose::new(
            "The hosts of the first page, with Debian or Ubuntu and systemd, and between them the network that the \
             site file describes.",
        ),
        Prose::new("On each host an account that may use `sudo`, or root; bash or any other POSIX shell."),
        Prose::new(&content),
        Prose::new(secrets),
        Prose::new(&format!(
            "On each host these programs, which Debian and Ubuntu bring along: {}.",
            programs(chapters, options)
        )),
    ];
    if options.secrets != Secrets::Plain {
        items.push(Prose::new("On each host `openssl`, which opens the secrets."));
    }
    items.push(Prose::new(
        "On your own computer `ssh` and `scp`, or a medium that you carry to the hosts.",
    ));
    page.push(Block::Tasks(items));
}

/// The programs that the host must bring along: those of its steps that no step installs.
fn programs(chapters: &[Chapter<'_>], options: &Options) -> String {
    let installed = [
        Program::Ctr,
        Program::Helm,
        Program::Kubeadm,
        Program::Kubectl,
        Program::Nft,
    ];
    let mut names: BTreeSet<&str> = chapters
        .iter()
        .flat_map(|chapter| &chapter.steps)
        .flat_map(|step| {
            let asked = step
                .lowered
                .check
                .iter()
                .flat_map(|question| question.ask.programs());
            let lowered = &step.lowered;
            let done = lowered.keep.iter().chain(&lowered.apply);
            let done = done.flat_map(iec_sh::Expr::programs);
            asked.chain(done).collect::<Vec<_>>()
        })
        .filter(|program| !installed.contains(program))
        .map(Program::name)
        .collect();
    let assumed = chapters.iter().flat_map(|chapter| &chapter.assumed);
    names.extend(
        assumed
            .flat_map(|question| question.ask.programs())
            .map(Program::name),
    );
    names.extend(["env", "id", "install", "sh"]);
    if options.secrets != Secrets::None {
        names.extend(["base64", "head"]);
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn manner(page: &mut Page) {
    page.heading(2, "manner", "How to work with this book");
    page.push(Block::List(vec![
        Prose::new(
            "One host after the other, the control plane first. Workers may be installed at the same time as each \
             other. A worker that is early waits for the control plane by itself.",
        ),
        Prose::new(
            "Each step begins with a question. Paste its block: it changes nothing and prints whether the step is \
             done, what is still to do, or `STOP HERE`.",
        ),
        Prose::new("If the step is done, tick it and go on. If there is something to do, paste the block below it."),
        Prose::new(
            "Then ask again. Only when the question says `done`, tick the step: that commands ran through does not \
             mean that they took effect.",
        ),
        Prose::new(
            "Paste a block as a whole, from its first line to its last. Nothing of it runs before its last line has \
             arrived, so half a paste does nothing.",
        ),
        Prose::new(
            "The lines between are run by root through `sudo`, one after the other. `|| return` at the end of a \
             command means: if it fails, the step ends here, and its block says `FAILED`.",
        ),
        Prose::new(&format!(
            "What a step changes it keeps first, below `{KEPT}/before`. Every block may be pasted again: after a \
             mistake, a lost connection or a power cut go back to the first step that is not ticked, and ask."
        )),
        Prose::new(
            "After `STOP HERE` or `FAILED` do not go on on this host. Read what was printed, remove the cause, and ask \
             the question of the same step again. `iec explain CODE` says more about a code such as IEC1703.",
        ),
    ]));
}

fn end(page: &mut Page, chapters: &[Chapter<'_>]) {
    page.heading(2, "end", "When every host is done");
    page.push(Block::Tasks(vec![
        Prose::new(
            "Every host has reached its step `node.ready`: its node is Ready, seen from the host itself.",
        ),
        Prose::new(
            "Where the program is at hand, `iec verify` proves the whole site: pods on every host, services, names, \
             every pair of hosts. Nothing by hand is as thorough.",
        ),
        Prose::new(
            "Where the program is at hand, `iec apply` writes down in the journal of each host that its steps are \
             done. It changes nothing else. Upgrades and `iec reset` build on it.",
        ),
        Prose::new("The copies of the secrets that you carried are destroyed or locked away."),
    ]));
    page.heading(2, "signatures", "Signatures");
    let mut rows = Vec::new();
    for chapter in chapters {
        if !chapter.assumed.is_empty() {
            rows.push(vec![
                Prose::new(chapter.part.host.as_str()),
                Prose::new(&format!("{} It is what was assumed of it", chapter.comparison())),
                Prose::default(),
                Prose::default(),
                Prose::default(),
            ]);
        }
        for (phase, steps) in chapter.phases() {
            rows.push(vec![
                Prose::new(chapter.part.host.as_str()),
                Prose::new(&format!("{} {}", range(steps, "–"), super::host::title(phase))),
                Prose::default(),
                Prose::default(),
                Prose::default(),
            ]);
        }
    }
    rows.push(vec![
        Prose::new("the site"),
        Prose::new("Verified and handed over"),
        Prose::default(),
        Prose::default(),
        Prose::default(),
    ]);
    page.push(Block::Table(Table {
        head: ["Host", "Steps", "Date and time", "Done by", "Remarks"]
            .map(str::to_owned)
            .to_vec(),
        rows,
        form: true,
    }));
}

/// A statement with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(char::to_uppercase)
        .into_iter()
        .flatten()
        .collect();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
