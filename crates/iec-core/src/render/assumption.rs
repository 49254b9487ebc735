//! What a plan takes for granted about a host that nobody asked, as questions that the host answers before its first change.

use iec_sh::{Cmd, Expr, Program, Question};

use super::Subject;
use crate::facts::{CgroupVersion, HostFacts};
use crate::name::UserName;
use crate::plan::HostPart;
use crate::plan::marks::Marks;
use crate::site::{Access, Role, SiteHost};

/// Kernel limits that a plan raises only; a host that allows more keeps its own, so the plan must know of it.
const INOTIFY: [(&str, u64); 2] = [("max_user_instances", 8192), ("max_user_watches", 524_288)];
/// What would be a second container runtime or another Kubernetes.
const RUNTIMES: [&str; 4] = ["containerd", "dockerd", "crio", "kubelet"];

/// Something that was assumed about a host and decides what its plan is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumption {
    /// The section of the facts that it belongs to.
    pub section: &'static str,
    /// What is assumed, in words for a person, and how the host is asked. An answer other than 0 means that it is not so.
    pub question: Question,
}

/// Everything that was assumed about a host and decides what its plan is; nothing where the host was asked.
#[must_use]
pub fn assumptions(access: &Access, host: &SiteHost, facts: &HostFacts) -> Vec<Assumption> {
    let mut list = Vec::new();
    let sections = facts.assumed();
    let mut add = |section: &'static str, what: String, ask: Expr| {
        if sections.contains(&section) {
            let question = Question {
                what,
                ask,
                needed: vec![],
            };
            list.push(Assumption { section, question });
        }
    };
    let system = &facts.distribution;
    for (key, value) in [("ID", &system.id), ("VERSION_ID", &system.version)] {
        let line = format!("^{key}=\"?{}\"?$", value.replace('.', "\\."));
        let ask = grep(&["-qE", &line, "/etc/os-release"]);
        add("distribution", format!("{key} of the system is {value}"), ask);
    }
    let machine = facts.kernel.machine.as_str();
    let uname = Expr::from(Cmd::new(Program::Uname).word("-m"));
    add(
        "kernel",
        format!("the processor is {machine}"),
        uname.prints(machine),
    );
    kernel(facts, &mut add);
    cgroup(facts, &mut add);
    let container = exists("/run/systemd/container");
    let (what, ask) = if facts.privileges.container {
        ("the host is a container", container)
    } else {
        ("the host is no container", container.not())
    };
    add("privileges", what.to_owned(), ask);
    let none = Cmd::new(Program::Awk).words(["NR > 1 { exit 1 }", "/proc/swaps"]);
    add("swap", "swap is off".to_owned(), none.into());
    for (name, most) in INOTIFY {
        let file = format!("/proc/sys/fs/inotify/{name}");
        let ask = Cmd::new(Program::Awk).words([format!("$1 > {most} {{ exit 1 }}"), file]);
        add(
            "features",
            format!("fs.inotify.{name} is at most {most}"),
            ask.into(),
        );
    }
    let servers = facts.resolver.pod_nameservers();
    let what = if servers.is_empty() {
        "there is no name server that pods could reach".to_owned()
    } else {
        format!("the name servers are {}", servers.join(", "))
    };
    add("resolver", what, resolver(&servers.join("\n")));
    let absent = RUNTIMES.map(|name| exists(&format!("/usr/bin/{name}")).not());
    let what = format!("there is no {}", RUNTIMES.join(", no "));
    add("software", what, Expr::all(absent));
    let absent = ["/usr/sbin/iptables", "/sbin/iptables"].map(|path| exists(path).not());
    if !facts.software.has_tool("iptables") {
        add("software", "there is no iptables".to_owned(), Expr::all(absent));
    }
    add(
        "environment",
        "cloud-init does not write /etc/hosts".to_owned(),
        hosts_file_is_free(),
    );
    let user = login(access, host).as_str();
    let ask = Cmd::new(Program::Id).words(["-u", user]);
    add("login", format!("there is an account {user}"), ask.into());
    if host.role() == Role::ControlPlane {
        for (user, home) in &facts.login.homes {
            let asked = Expr::Pipe(vec![
                Cmd::new(Program::Getent).words(["passwd", user]),
                Cmd::new(Program::Cut).words(["-d", ":", "-f", "6"]),
            ]);
            add(
                "login",
                format!("the home of {user} is {home}"),
                asked.prints(home.as_str()),
            );
        }
    }
    list
}

/// What the host of this part is asked before its first change, in the words that every method uses.
pub(super) fn questions(subject: &Subject<'_>, part: &HostPart) -> Vec<Question> {
    let known = subject.site.host(&part.host);
    let Some((host, facts)) = known.zip(subject.facts.host(part.host.as_str())) else {
        return Vec::new();
    };
    let list = assumptions(subject.site.access(), host, facts);
    list.into_iter().map(|assumption| assumption.question).collect()
}

/// Who the host says it is: by what only it has, such as its machine-id or a card. Of one that nobody asked its name will do.
pub(super) fn identity(subject: &Subject<'_>, host: &SiteHost, facts: &HostFacts) -> Vec<Question> {
    let marks = Marks::of(subject.site, subject.facts, host);
    let (mut words, mut asks) = marks.question();
    if marks.machine_id.is_none() {
        let name = facts.identity.hostname.as_str();
        words.push(format!("its name is {name}"));
        let ask = Expr::from(Cmd::new(Program::Cat).word("/proc/sys/kernel/hostname"));
        asks.push(ask.prints(name));
    }
    vec![Question {
        what: words.join(", or "),
        ask: Expr::any(asks),
        needed: vec![],
    }]
}

/// The account that IEC logs in with.
pub(super) fn login<'a>(access: &'a Access, host: &'a SiteHost) -> &'a UserName {
    host.user().unwrap_or_else(|| access.user())
}

fn kernel(facts: &HostFacts, add: &mut impl FnMut(&'static str, String, Expr)) {
    let program = Expr::any(["/usr/sbin/modprobe", "/sbin/modprobe", "/usr/local/sbin/modprobe"].map(exists));
    let files = Expr::Pipe(vec![
        Cmd::new(Program::Find)
            .words([
                "/lib/modules",
                "-mindepth",
                "2",
                "-maxdepth",
                "2",
                "-name",
                "modules.dep",
            ])
            .quiet_errors(),
        Cmd::new(Program::Grep).words(["-q", "."]),
    ]);
    if facts.kernel.modprobe && facts.kernel.module_files {
        add(
            "kernel",
            "the host can load kernel modules".to_owned(),
            Expr::all([program, files]),
        );
    }
}

fn cgroup(facts: &HostFacts, add: &mut impl FnMut(&'static str, String, Expr)) {
    let unified = exists("/sys/fs/cgroup/cgroup.controllers");
    let beside = exists("/sys/fs/cgroup/unified");
    let version = facts.cgroup.version;
    let ask = match version {
        CgroupVersion::V2 => unified,
        CgroupVersion::Hybrid => Expr::all([unified.not(), beside]),
        CgroupVersion::V1 => Expr::all([unified.not(), beside.not()]),
    };
    add("cgroup", format!("control groups are {version}"), ask);
    if facts.cgroup.systemd {
        add(
            "cgroup",
            "systemd runs the host".to_owned(),
            exists("/run/systemd/system"),
        );
    }
}

/// The first three name servers that are not on the host itself, of resolv.conf, else of what systemd-resolved asks.
fn resolver(expected: &str) -> Expr {
    let list = |path: &str| {
        Expr::from(
            Cmd::new(Program::Awk)
                .words([
                    "$1 == \"nameserver\" && $2 !~ /^(127\\.|::1|0\\.0\\.0\\.0)/ && count++ < 3 { print $2 }",
                    path,
                ])
                .quiet_errors(),
        )
    };
    let direct = "/etc/resolv.conf";
    let upstream = "/run/systemd/resolve/resolv.conf";
    if expected.is_empty() {
        return Expr::all([list(direct).prints(""), list(upstream).prints("")]);
    }
    Expr::any([
        list(direct).prints(expected),
        Expr::all([list(direct).prints(""), list(upstream).prints(expected)]),
    ])
}

fn hosts_file_is_free() -> Expr {
    Expr::If {
        condition: Box::new(
            Expr::from(
                Cmd::new(Program::Find)
                    .words(["/etc/cloud", "-name", "*.cfg", "-exec", "grep", "-liE"])
                    .words(["^ *manage_etc_hosts *: *(true|template|localhost)", "{}", "+"])
                    .quiet_errors(),
            )
            .prints(""),
        ),
        then: vec![Cmd::new(Program::True).into()],
        otherwise: vec![Cmd::new(Program::Test).words(["-n", ""]).into()],
    }
}

fn exists(path: &str) -> Expr {
    Cmd::new(Program::Test).words(["-e", path]).into()
}

fn grep(words: &[&str]) -> Expr {
    Cmd::new(Program::Grep).words(words.iter().copied()).into()
}
