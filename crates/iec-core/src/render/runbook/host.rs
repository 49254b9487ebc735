//! One host's part of a runbook.

use iec_sh::{Expr, PasteContent, PasteStep, Preface, Question, RunnerStep};

use super::blocks::Part;
use super::page::{Block, Commands, Page, Prose};
use super::step::NumberedStep;
use crate::plan::{HOME, HostPart, Phase, delete_node, drain_node};
use crate::render::assumption::questions;
use crate::render::script::MARK;
use crate::render::{Options, SEAL_ITERATIONS, Secrets, Subject};
use crate::site::{Role, SiteHost};

/// So long the pods of a worker that leaves have time to end.
const DRAIN_SECONDS: u32 = 120;

/// One host's part of a runbook.
pub(super) struct Chapter<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) options: &'a Options,
    pub(super) part: &'a HostPart,
    pub(super) host: &'a SiteHost,
    /// The number of the part.
    pub(super) number: usize,
    /// What the host is asked because nobody asked it before.
    pub(super) assumed: Vec<Question>,
    pub(super) steps: Vec<NumberedStep<'a>>,
}

impl<'a> Chapter<'a> {
    pub(super) fn new(
        subject: &'a Subject<'a>,
        options: &'a Options,
        part: &'a HostPart,
        host: &'a SiteHost,
        number: usize,
    ) -> Self {
        let steps = part
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| NumberedStep::new(step, format!("{number}.{}", index + 1)))
            .collect();
        Self {
            subject,
            options,
            part,
            host,
            number,
            assumed: questions(subject, part),
            steps,
        }
    }

    /// Where the part is in the book.
    pub(super) fn anchor(&self) -> String {
        format!("part-{}", self.part.host)
    }

    pub(super) fn title(&self) -> String {
        format!(
            "Part {}: {}, {}",
            self.number,
            self.part.host,
            role(self.part.role)
        )
    }

    /// The steps of each phase, in order.
    pub(super) fn phases(&self) -> impl Iterator<Item = (Phase, &[NumberedStep<'a>])> {
        self.steps
            .chunk_by(|one, other| one.step.phase == other.step.phase)
            .map(|steps| (steps[0].step.phase, steps))
    }

    pub(super) fn write(&self, page: &mut Page, appendix: &mut Page) {
        page.heading(2, self.anchor(), self.title());
        self.write_preparation(page);
        for (phase, steps) in self.phases() {
            let range = range(steps, " to ");
            page.heading(
                3,
                format!("{}-{phase}", self.part.host),
                format!("{range} {}", title(phase)),
            );
            for step in steps {
                step.write(page, appendix, &self.steps);
            }
        }
        self.write_leaving(page);
    }

    fn write_preparation(&self, page: &mut Page) {
        let host = &self.part.host;
        let number = self.number;
        page.heading(3, format!("{host}-before"), format!("Before step {number}.1"));
        page.task(
            4,
            format!("{host}-by-hand-bring"),
            format!("{number}.A Bring the content and log in"),
        );
        page.push(Block::Prose(Prose::new(&format!(
            "On your own computer, in the folder of this book. {host} gets its own secrets and nobody else's. \
             A medium that you carry there does as well; its files belong into the folder `{}` in the home of \
             the user who logs in.",
            self.folder()
        ))));
        page.push(Block::Example(self.carrying()));
        page.task(
            4,
            format!("{host}-by-hand-session"),
            format!("{number}.B Begin the session"),
        );
        page.prose(
            "Paste this once into every session on this host, after a reboot too. It defines the functions by which \
             the blocks of this book say how they ended, and changes nothing.",
        );
        let preface = Preface {
            home: HOME,
            folder: &self.folder(),
            iterations: SEAL_ITERATIONS,
        };
        self.put(page, Part::Preface, "B", preface.text());
        self.write_comparison(page);
        self.write_content(page);
    }

    /// Where something was assumed of the host, it is asked before anything on it is changed.
    fn write_comparison(&self, page: &mut Page) {
        if self.assumed.is_empty() {
            return;
        }
        let number = self.comparison();
        let step = RunnerStep {
            title: "Compare the host with what this book takes for granted".to_owned(),
            id: String::new(),
            digest: String::new(),
            sensitive: false,
            questions: self.assumed.clone(),
            keep: vec![],
            apply: Vec::new(),
            undo: Vec::new(),
            way_back: iec_sh::WayBack::ByItself,
            shows: Vec::new(),
            differences: vec![],
            last_words: vec![],
        };
        page.task(
            4,
            format!("{}-by-hand-compare", self.part.host),
            format!("{number} {}", step.title),
        );
        page.prose(
            "Nobody has asked this host, and its commands rest on what was assumed of it. The questions change nothing.",
        );
        let mark = self.steps.iter().find(|step| step.step.id.as_str() == MARK);
        let mark = mark.map_or("", |step| &step.number);
        page.push(Block::Prose(Prose::default().strong("Ask.").then(&format!(
            " It must print `Step {number}: done.` Once step {mark} is ticked, do not ask any more: from then on the host \
             is what its steps have made of it."
        ))));
        let ask = PasteStep {
            step: &step,
            number: &number,
        };
        self.put(page, Part::Check, "0", ask.ask());
        page.push(Block::Prose(
            Prose::default().strong("If it prints STOP HERE,").then(
                " the host is not what this book was made for; each line `not so` says in what. Do not go on with this \
                 host: nothing on it was changed. Make the host so and ask again, or have the book rendered again from \
                 what the host is: `iec check --probe --facts-out facts.json`, then \
                 `iec render runbook --facts facts.json`. Where the program cannot reach the host, say in the site file \
                 what it is, with `assume` at the host. `iec explain IEC1706` says more.",
            ),
        ));
    }

    /// The number of the step that compares the host with what was assumed.
    pub(super) fn comparison(&self) -> String {
        format!("{}.0", self.number)
    }

    fn write_content(&self, page: &mut Page) {
        let host = self.part.host.to_string();
        let number = self.number;
        let blobs: Vec<(String, String)> = self
            .part
            .blobs
            .iter()
            .map(|blob| (blob.digest.hex(), blob.name.clone()))
            .collect();
        let content = PasteContent {
            home: HOME,
            host: &host,
            blobs: &blobs,
        };
        page.task(
            4,
            format!("{host}-by-hand-content"),
            format!("{number}.C Put the content in its place"),
        );
        let total: u64 = self.part.blobs.iter().map(|blob| blob.size).sum();
        page.prose(&format!(
            "{} files, {}. Step {} verifies each by its SHA-256 before anything uses it.",
            blobs.len(),
            size(total),
            self.store_number()
        ));
        self.put(page, Part::Content, "C", content.blobs(&format!("{number}.C")));
        page.push(Block::Prose(Prose::default().strong("It has worked").then(
            &format!(
                " when it prints `Step {number}.C: its commands have run.` Step {} asks.",
                self.store_number()
            ),
        )));
        page.task(
            4,
            format!("{host}-by-hand-secrets"),
            format!("{number}.D Put the secrets in their place"),
        );
        page.prose(&match self.options.secrets {
            Secrets::Encrypted => format!(
                "They lie in `secrets-{host}.enc`. openssl asks for the passphrase under which this book was rendered. \
                 The last step takes them off the host again."
            ),
            Secrets::Plain => format!(
                "They lie in `secrets-{host}`, readable for whoever has the file. The last step takes them off the host again."
            ),
            Secrets::None => format!(
                "This book was rendered without secrets. Get `secrets-{host}.enc` from whoever keeps them, and put \
                 it into the folder `{}` first.",
                self.folder()
            ),
        });
        self.put(page, Part::Secrets, "D", content.secrets(&format!("{number}.D")));
        page.push(Block::Prose(
            Prose::default()
                .strong("It has worked")
                .then(&format!(" when it prints `Step {number}.D: done.`")),
        ));
    }

    /// The number of the step that verifies the content.
    fn store_number(&self) -> &str {
        let store = self.steps.iter().find(|step| step.step.phase == Phase::Content);
        store.map_or("", |step| step.number.as_str())
    }

    fn write_leaving(&self, page: &mut Page) {
        let host = &self.part.host;
        let number = self.number;
        page.heading(
            3,
            format!("{host}-after"),
            format!("After the last step of {host}"),
        );
        page.task(
            4,
            format!("{host}-by-hand-leave"),
            format!("{number}.Z Leave nothing behind"),
        );
        page.prose("The folder that you brought holds the host's secrets too.");
        self.put(page, Part::Leave, "Z", Preface::leave().to_owned());
    }

    /// Writes the way back, the last step first.
    pub(super) fn write_undo(&self, page: &mut Page) {
        page.heading(
            3,
            format!("{}-back", self.part.host),
            format!("{}, from the last step to the first", self.part.host),
        );
        if self.part.role == Role::Worker {
            self.write_parting(page);
        }
        for step in self.steps.iter().rev() {
            step.write_undo(page);
        }
        page.task(
            4,
            format!("{}-back-kept", self.part.host),
            format!("{}.Z back: Remove what was kept", self.number),
        );
        page.prose(
            "Only when every step above is taken back: the journal is in this folder, and what was on the host before.",
        );
        page.push(Block::Example(format!("sudo rm -rf {HOME}\n")));
    }

    /// A worker leaves the cluster before it is taken back, so that its pods go elsewhere.
    fn write_parting(&self, page: &mut Page) {
        let host = self.part.host.as_str();
        let Some(control_plane) = self.subject.site.control_planes().next() else {
            return;
        };
        page.task(
            4,
            format!("{host}-back-leave"),
            format!("{}.A back: {host} leaves the cluster", self.number),
        );
        page.prose(&format!(
            "On {}, as long as the cluster answers: its pods go to other hosts, or end.",
            control_plane.name()
        ));
        let commands = [drain_node(host, DRAIN_SECONDS), delete_node(host)];
        let lines = commands.map(|command| format!("sudo {}\n", Expr::from(command).statement("")));
        page.push(Block::Example(lines.concat()));
    }

    fn put(&self, page: &mut Page, part: Part, letter: &str, text: String) {
        page.push(Block::Commands(Commands {
            host: self.part.host.to_string(),
            step: None,
            part,
            number: format!("{}.{letter}", self.number),
            text,
        }));
    }

    /// The folder on the host.
    fn folder(&self) -> String {
        format!("iec-{}", self.subject.site.name())
    }

    fn user(&self) -> String {
        let user = self
            .host
            .user()
            .unwrap_or_else(|| self.subject.site.access().user());
        user.to_string()
    }

    fn carrying(&self) -> String {
        let port = self.host.port().or(self.subject.site.access().port());
        let (ssh, scp) = match port {
            Some(port) => (format!(" -p {port}"), format!(" -P {port}")),
            None => (String::new(), String::new()),
        };
        let at = format!("{}@{}", self.user(), self.host.address());
        let folder = self.folder();
        let host = &self.part.host;
        // The whole name: edge-1 must not get what edge-10 is.
        let secrets = match self.options.secrets {
            Secrets::Encrypted => format!(" secrets-{host}.enc"),
            Secrets::Plain => format!(" secrets-{host}"),
            Secrets::None => String::new(),
        };
        format!(
            "ssh{ssh} {at} mkdir -p -m 0700 {folder}\n\
             scp -r{scp} blobs{secrets} {at}:{folder}/\n\
             ssh{ssh} {at}\n"
        )
    }
}

/// The numbers of these steps; one step has one number.
pub(super) fn range(steps: &[NumberedStep<'_>], joint: &str) -> String {
    let first = steps.first().map_or("", |step| &step.number);
    let last = steps.last().map_or("", |step| &step.number);
    if first == last {
        first.to_owned()
    } else {
        format!("{first}{joint}{last}")
    }
}

/// A role in words.
pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::ControlPlane => "control plane",
        Role::Worker => "worker",
    }
}

/// What a phase is about, in words.
pub(super) const fn title(phase: Phase) -> &'static str {
    match phase {
        Phase::Admission => "May this host be changed?",
        Phase::Content => "Content",
        Phase::System => "The system: names, swap, kernel, packages",
        Phase::Runtime => "The container runtime and its images",
        Phase::Kubernetes => "kubelet, kubeadm and kubectl",
        Phase::ControlPlane => "The control plane",
        Phase::Network => "The network of the pods",
        Phase::Join => "Joining the cluster",
        Phase::Node => "The node",
        Phase::Helm => "Helm",
        Phase::Finish => "Secrets leave the host",
    }
}

/// A length of time in words: `40 s`, `10 min`.
pub(super) fn time(seconds: u32) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{} min", seconds.div_ceil(60)),
    }
}

/// A size in words: `667 MB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}
