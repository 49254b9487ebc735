//! Scripts for each host, with the very steps that `apply` runs, what they need beside them, and a walk-through over ssh.

use iec_sh::{Carried, CarriedInstall, CarriedPlace, CarriedSite, Joins, Mode, Question, RunnerStep};

use super::assumption::{identity, login, questions};
use super::{ContentFrom, File, Files, Options, SEAL_ITERATIONS, Subject};
use crate::content::Digest;
use crate::facts::HostFacts;
use crate::plan::{CLUSTER_CA_FILE, FileContent, FileOp, HOME, HostPart, Op, Program, Step, lower};
use crate::site::{Role, SiteHost};

/// The step that marks a host as the site's.
pub(super) const MARK: &str = "admission.mark";

/// The scripts, the blobs that they install from, and the secrets of each host.
pub(super) fn files(subject: &Subject<'_>, options: &Options) -> Files {
    let mut files = super::carried(subject, options);
    // What is only part of a host's plan follows a first installation; a later `iec apply` does it.
    for part in subject.plan.hosts.iter().filter(|part| part.whole) {
        let Some(host) = Host::of(subject, part) else {
            continue;
        };
        let name = &part.host;
        files.insert(format!("install-{name}.sh"), File::script(host.install()));
        files.insert(format!("verify-{name}.sh"), File::script(host.verify()));
        files.insert(format!("undo-{name}.sh"), File::script(host.undo()));
        if let (ContentFrom::Copied, Some((digest, size))) = (&options.content, host.host_tools()) {
            files.insert(digest.blob_path(), File::blob(digest, size));
        }
    }
    files.insert("site.sh".to_owned(), File::script(site(subject)));
    files
}

/// One host's scripts.
pub(super) struct Host<'a> {
    subject: &'a Subject<'a>,
    part: &'a HostPart,
    host: &'a SiteHost,
    facts: &'a HostFacts,
    steps: Vec<RunnerStep>,
}

impl<'a> Host<'a> {
    /// The scripts of the host of this part; nothing where the site does not have it, or nobody knows what it is.
    pub(super) fn of(subject: &'a Subject<'a>, part: &'a HostPart) -> Option<Self> {
        Some(Self {
            subject,
            part,
            host: subject.site.host(&part.host)?,
            facts: subject.facts.host(part.host.as_str())?,
            steps: part
                .steps
                .iter()
                .map(|step| lower(step).runner_step(step))
                .collect(),
        })
    }

    /// The script that installs the host.
    pub(super) fn install(&self) -> String {
        let about = self.about(&[
            "Installs this host, and goes on where it stopped when it is started again. As root:",
            "",
            &format!("    sh install-{}.sh", self.part.host),
            "",
            "It needs its secrets file and the folder blobs beside it; --help says what else it takes.",
        ]);
        let identity = self.identity();
        let titles = self.titles();
        let owner = format!("install-{}.sh (run {})", self.part.host, self.subject.run);
        let assumed = questions(self.subject, self.part);
        let blobs: Vec<(String, u64)> = self
            .part
            .blobs
            .iter()
            .map(|blob| (blob.digest.hex(), blob.size))
            .collect();
        let digest_of = |step: &Step| lower(step).runner_step(step).digest;
        let secret_steps: Vec<(String, String)> = self
            .part
            .steps
            .iter()
            .filter(|step| step.op.takes_secret())
            .map(|step| (step.id.to_string(), digest_of(step)))
            .collect();
        let install = CarriedInstall {
            runner: &self.part.script(&owner, self.subject.run, Mode::Apply),
            assumed: &assumed,
            blobs: &blobs,
            mark: self.mark(),
            secret_steps: &secret_steps,
            iterations: SEAL_ITERATIONS,
            joins: self.joins(),
            host_tools: self.host_tools().map(|(digest, size)| (digest.hex(), size)),
        };
        self.carried(&about, &identity, &titles).install(&install)
    }

    /// The script that compares the host with what was assumed of it; nothing where all of it was observed.
    pub(super) fn compare(&self) -> Option<String> {
        let assumed = questions(self.subject, self.part);
        if assumed.is_empty() {
            return None;
        }
        let about = self.about(&["Compares this host with what was assumed of it, and changes nothing."]);
        let carried = self.carried(&about, &[], &[]);
        Some(carried.compare(self.mark(), &assumed))
    }

    fn identity(&self) -> Vec<Question> {
        identity(self.subject, self.host, self.facts)
    }

    /// The digest of the step that marks the host as the site's.
    fn mark(&self) -> &str {
        let mark = self.steps.iter().find(|step| step.id == MARK);
        mark.map_or("", |step| &step.digest)
    }

    /// The script that looks at the host.
    pub(super) fn verify(&self) -> String {
        let about = self.about(&[
            "Looks at this host and changes nothing: the checks of all its steps, its node, a service from here.",
            "Pods, names, policies, and every host with every other: iec verify.",
        ]);
        let service = self.subject.site.network().api_service_address().to_string();
        self.carried(&about, &self.identity(), &self.titles()).verify(
            &self.part.script("verify", self.subject.run, Mode::Observe),
            &service,
        )
    }

    /// The script that takes everything back.
    pub(super) fn undo(&self) -> String {
        let about = self.about(&[
            "Takes back what was done on this host, by the host's own journal. A worker leaves the cluster first:",
            "on a control plane, sh undo-CONTROL-PLANE.sh --leave NODE. Control planes go last.",
        ]);
        let owner = format!("undo-{}.sh", self.part.host);
        self.carried(&about, &self.identity(), &self.titles())
            .undo(&owner)
    }

    fn about(&self, what: &[&str]) -> Vec<String> {
        let Subject { site, release, .. } = self.subject;
        let mut lines = vec![format!(
            "Host {} of site {}, IEC release {}. Rendered {} by {} as run {}.",
            self.part.host,
            site.name(),
            release.name,
            self.subject.moment,
            self.subject.who,
            self.subject.run
        )];
        lines.extend(what.iter().map(|line| (*line).to_owned()));
        lines
    }

    fn carried<'s>(
        &'s self,
        about: &'s [String],
        identity: &'s [Question],
        titles: &'s [(String, String)],
    ) -> Carried<'s> {
        Carried {
            home: HOME,
            site: self.subject.site.name().as_str(),
            host: self.part.host.as_str(),
            about,
            identity,
            titles,
        }
    }

    fn titles(&self) -> Vec<(String, String)> {
        let steps = self.part.steps.iter();
        steps
            .map(|step| (step.id.to_string(), step.title.clone()))
            .collect()
    }

    /// The bundle's tools for this host's architecture: they open secrets where the host has no openssl.
    fn host_tools(&self) -> Option<(Digest, u64)> {
        let architecture = self.facts.kernel.architecture()?;
        let item = self.subject.content.tree("host-tools", architecture)?;
        Some((item.digest, item.size))
    }

    fn joins(&self) -> Option<Joins<'_>> {
        if self.part.role != Role::Worker {
            return None;
        }
        let site = self.subject.site;
        let first = site.control_planes().next()?;
        let endpoint = site.control_plane().endpoint();
        let kubectl = self.part.steps.iter().find_map(|step| match &step.op {
            Op::Programs { programs, .. } => programs.iter().find(|program| is_kubectl(program)),
            _ => None,
        })?;
        let size = self
            .part
            .blobs
            .iter()
            .find(|blob| blob.digest == kubectl.digest)?
            .size;
        Some(Joins {
            server: format!("https://{}:{}", first.node_address(), endpoint.port()),
            name: endpoint.host().to_string(),
            authority: authority(self.part)?,
            signature: format!("jws-kubeconfig-{}", self.subject.plan.token_id),
            kubectl: (kubectl.digest.hex(), size),
        })
    }
}

/// The certificate of the cluster's authority, as a worker's own plan installs it.
fn authority(part: &HostPart) -> Option<&str> {
    part.steps.iter().find_map(|step| match &step.op {
        Op::File(FileOp {
            path,
            content: FileContent::Text(text),
            ..
        }) if path == CLUSTER_CA_FILE => Some(text.as_str()),
        _ => None,
    })
}

fn is_kubectl(program: &Program) -> bool {
    program.path.ends_with("/kubectl")
}

/// The blobs that a host's script may ask for.
fn sendable(subject: &Subject<'_>, host: &SiteHost) -> Vec<(String, u64)> {
    let part = subject
        .plan
        .hosts
        .iter()
        .find(|part| part.whole && part.host == *host.name());
    let Some(host) = part.and_then(|part| Host::of(subject, part)) else {
        return Vec::new();
    };
    let mut blobs: Vec<(String, u64)> = host
        .part
        .blobs
        .iter()
        .map(|blob| (blob.digest.hex(), blob.size))
        .chain(host.host_tools().map(|(digest, size)| (digest.hex(), size)))
        .collect();
    blobs.sort_unstable();
    blobs.dedup();
    blobs
}

/// The walk-through of the site.
fn site(subject: &Subject<'_>) -> String {
    let site = subject.site;
    let about = [
        format!("Site {}, IEC release {}. Rendered {} by {} as run {}.", site.name(), subject.release.name, subject.moment, subject.who, subject.run),
        "Runs the scripts beside it on the hosts, over plain ssh: sh site.sh install, then sh site.sh verify.".to_owned(),
        "It needs ssh and tar here, and on the hosts an account that is root or may use sudo without a password.".to_owned(),
    ];
    let place = |host: &SiteHost| CarriedPlace {
        host: host.name().to_string(),
        control_plane: host.role() == Role::ControlPlane,
        address: host.address().to_string(),
        user: login(site.access(), host).to_string(),
        port: host.port().or(site.access().port()),
        key: host
            .host_key()
            .map(|key| key.as_str().to_owned())
            .unwrap_or_default(),
        blobs: sendable(subject, host),
    };
    let (first, then): (Vec<_>, Vec<_>) = site
        .present_hosts()
        .map(place)
        .partition(|place| place.control_plane);
    CarriedSite {
        home: HOME,
        site: site.name().as_str(),
        about: &about,
        identity: site.access().identity().unwrap_or_default(),
        hosts: &[first, then].concat(),
    }
    .text()
}
