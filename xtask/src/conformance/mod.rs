//! `cargo xtask proof conformance`: Kubernetes' own conformance tests, on a cluster that `iec apply` made.

mod images;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use self::images::Sources;
use self::report::Report;
use crate::e2e::{self, Lab, Machine};
use crate::interrupt::Interrupt;
use crate::program::Program;
use crate::stage::time;
use crate::{record, terminal};

/// Where the result is kept.
const DOCUMENT: &str = "docs/tested.md";

/// The Go module that pins what the tests are built from.
const MODULE: &str = "xtask/conformance";

/// The tools that tests call in their images, as Debian packages.
const TOOLS: &str = "bash-static,bsdextrautils,busybox,ca-certificates,curl,dnsutils,iproute2,iptables,iputils-ping,netcat-openbsd,\
                     nginx-light,procps";

/// The tests: those that may run beside others, and that break nothing for them; but for one that pulls an image which is
/// there already, from a registry that a site does without.
const FOCUS: &str = r"--focus=\[Conformance\]";
const SKIP: &str = r"--skip=\[Serial\]|\[Disruptive\]|pull policy of Always";

/// Builds the tests and their images, makes a cluster of three hosts, runs the tests on it, and writes what came of
/// them. `words` are options for ginkgo: `--focus` narrows the tests down, and the row says so.
///
/// # Errors
/// When something cannot be built, the cluster cannot be made, or a test fails.
pub(crate) fn run(root: &Path, words: &[&str]) -> anyhow::Result<bool> {
    let interrupt = Interrupt::watch()?;
    e2e::prepare(root, &interrupt)?;
    let run = record::Run::now(root)?;
    let machine = e2e::machine(root, "conformance", &interrupt)?;
    let place = Place::new(root, &machine);
    place.build(&interrupt)?;
    let lab = Lab::up(&machine, "conformance", 3)?;
    for command in ["apply", "verify"] {
        machine.iec_done(command, &[command, lab.site()])?;
    }
    place.bring_images(&lab)?;
    let began = Instant::now();
    let report = place.test(&lab, words, &interrupt)?;
    terminal::line(&report);
    let which = match words {
        [] => "all but those that need the cluster for themselves or a registry".to_owned(),
        words => format!("narrowed down by `{}`", words.join(" ").replace('|', "\\|")),
    };
    let row = format!(
        "| Kubernetes' own conformance tests ({which}), 3 hosts | {} | {} | {} | iec {}, Kubernetes {} | {report} | {} |",
        run.date,
        run.commit,
        run.machine,
        env!("CARGO_PKG_VERSION"),
        place.version()?,
        time(began.elapsed()),
    );
    record::append(root, DOCUMENT, &row)?;
    Ok(report.is_good())
}

/// Where things are on this machine.
struct Place {
    module: PathBuf,
    logs: PathBuf,
    programs: PathBuf,
}

impl Place {
    fn new(root: &Path, machine: &Machine) -> Self {
        Self {
            module: root.join(MODULE),
            logs: machine.logs.clone(),
            programs: machine.logs.join("programs"),
        }
    }

    /// The version of Kubernetes whose tests these are.
    fn version(&self) -> anyhow::Result<String> {
        let words = ["list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes"];
        record::ask(&self.module, "go", &words)
    }

    /// Builds the tests, what runs them, and the programs in their images.
    fn build(&self, interrupt: &Interrupt) -> anyhow::Result<()> {
        fs::create_dir_all(&self.programs)?;
        let out = self.program("")?;
        let suite = self.program("e2e.test")?;
        let compile: [&[&str]; 2] = [
            &[
                "test",
                "-c",
                "-vet=off",
                "-o",
                &suite,
                "k8s.io/kubernetes/test/e2e",
            ],
            &["build", "-trimpath", "-ldflags", "-s -w", "-o", &out, "tool"],
        ];
        for words in compile {
            terminal::line(format_args!("go {}", words.join(" ")));
            let go = Program::new(&self.module, "go", words, interrupt).variable("CGO_ENABLED", "0");
            ensure!(go.shown()?.succeeded(), "the tests cannot be built");
        }
        let include = format!("--include={TOOLS}");
        let words = [
            "--variant=minbase",
            &include,
            "bookworm",
            &self.program("root.tar")?,
        ];
        let ended = Program::new(&self.logs, "mmdebstrap", words, interrupt);
        ensure!(
            ended.logged(&self.logs.join("root.log"))?.succeeded(),
            "the images' root cannot be made, see {}",
            self.logs.join("root.log").display()
        );
        Ok(())
    }

    fn program(&self, name: &str) -> anyhow::Result<String> {
        let path = self.programs.join(name);
        let path = path
            .to_str()
            .context("the target folder has a name of plain text")?;
        Ok(path.to_owned())
    }

    /// Makes the images that the tests ask for, and has containerd on every host take them in.
    fn bring_images(&self, lab: &Lab) -> anyhow::Result<()> {
        let list = record::ask(&self.logs, &self.program("e2e.test")?, &["--list-images"])?;
        let names: Vec<&str> = list.lines().collect();
        let upstream = record::ask(
            &self.module,
            "go",
            &["list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes"],
        )?;
        let sources = Sources {
            root: self.programs.join("root.tar"),
            programs: self.programs.clone(),
            upstream: Path::new(&upstream).join("test/images"),
        };
        let archive = self.logs.join("images.tar");
        let count = images::write(&names, &sources, &archive)?;
        terminal::line(format_args!("{count} of the {} images are made", names.len()));
        self.import(lab, &archive)?;
        fs::remove_file(&archive)?;
        let etcd = names
            .iter()
            .find(|name| name.starts_with("registry.k8s.io/etcd:"));
        etcd.map_or(Ok(()), |name| self.share_etcd(lab, name))
    }

    /// Gives every host the etcd image of the control plane, by the name that the tests have for it.
    fn share_etcd(&self, lab: &Lab, name: &str) -> anyhow::Result<()> {
        let control_plane = lab.hosts.iter().find(|host| host.role == "control-plane");
        let control_plane = control_plane.context("a lab has a control plane")?;
        let export = format!(
            "set -e; own=$(ctr -n k8s.io images ls -q 'name~=\"/etcd:\"' | head -n 1)\n\
             ctr -n k8s.io images tag --force \"$own\" {name} >/dev/null\n\
             ctr -n k8s.io images export /root/etcd.tar {name}"
        );
        lab.run(control_plane, &export, "")?;
        let archive = self.logs.join("etcd.tar");
        let to = archive
            .to_str()
            .context("the log folder has a name of plain text")?;
        let from = format!("{}:/root/etcd.tar", control_plane.container);
        record::ask(&self.logs, "podman", &["cp", &from, to])?;
        self.import(lab, &archive)
    }

    fn import(&self, lab: &Lab, archive: &Path) -> anyhow::Result<()> {
        let from = archive
            .to_str()
            .context("the log folder has a name of plain text")?;
        for host in &lab.hosts {
            let to = format!("{}:/root/images.tar", host.container);
            record::ask(&self.logs, "podman", &["cp", from, &to])?;
            let import = "ctr -n k8s.io images import --local /root/images.tar >/dev/null && rm /root/*.tar";
            lab.run(host, import, "")?;
        }
        Ok(())
    }

    /// Runs the tests.
    fn test(&self, lab: &Lab, words: &[&str], interrupt: &Interrupt) -> anyhow::Result<Report> {
        let folder = lab.site.parent().context("a site file is in a folder")?;
        let kubeconfig = format!("--kubeconfig={}", folder.join("kubeconfig").display());
        let output = format!("--output-dir={}", self.logs.display());
        let suite = self.program("e2e.test")?;
        let mut all = vec!["--procs=4", "--no-color", "--silence-skips", "--timeout=2h"];
        all.extend(["--json-report=report.json", output.as_str(), SKIP]);
        if words.is_empty() {
            all.push(FOCUS);
        }
        all.extend(words);
        all.extend([&suite, "--", &kubeconfig, "--provider=skeleton"]);
        let log = self.logs.join("tests.log");
        terminal::line(format_args!("the tests run, see {}", log.display()));
        // Its exit code says no more than the report, which says which tests failed.
        Program::new(&self.logs, self.program("ginkgo")?, &all, interrupt).logged(&log)?;
        let report = fs::read_to_string(self.logs.join("report.json"));
        Report::read(&report.with_context(|| format!("there is no report, see {}", log.display()))?)
    }
}

#[cfg(test)]
mod tests {
    use crate::workspace;

    #[test]
    fn the_tests_are_of_the_release_that_is_tested() {
        let module = workspace::root().join(super::MODULE).join("go.mod");
        let module = std::fs::read_to_string(module).expect("the module is there");
        let release = workspace::root().join("content/kubernetes/go.mod");
        let release = std::fs::read_to_string(release).expect("the release's module is there");
        let version = |text: &str| {
            let lines = text
                .lines()
                .map(|line| line.trim_start_matches("require ").trim());
            lines
                .filter_map(|line| line.strip_prefix("k8s.io/kubernetes v")?.split(' ').next())
                .map(str::to_owned)
                .next()
        };
        assert!(version(&module).is_some());
        assert_eq!(version(&module), version(&release));
    }
}
