//! Mount and process namespaces of a test's own: what runs in them ends with them, what they mount nobody else sees.

use std::ffi::OsStr;
use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A process with namespaces of its own; it and all it started end when this is dropped.
#[derive(Debug)]
pub(crate) struct Namespace {
    process: Child,
}

impl Namespace {
    /// Runs a shell script as the first process of new namespaces, with these arguments; `errors` takes its standard error.
    ///
    /// # Panics
    /// Without root, and where `unshare` is missing.
    pub(crate) fn start<A: AsRef<OsStr>>(script: &str, arguments: &[A], errors: fs::File) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test needs root: it makes mount and process namespaces of its own"
        );
        let process = Command::new("unshare")
            .args([
                "--mount",
                "--propagation",
                "private",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
            ])
            .args(["/bin/sh", "-c", script, "sh"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("unshare starts (apt-get install util-linux)");
        Self { process }
    }

    /// The first process inside, by its number outside: the only child of `unshare`.
    pub(crate) fn first(&self) -> u32 {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(first) = children(self.process.id()).first() {
                return *first;
            }
            assert!(Instant::now() < deadline, "the namespace has no process");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The words that put a command inside.
    pub(crate) fn entry(&self) -> Vec<String> {
        let target = self.first().to_string();
        ["nsenter", "--target", &target, "--mount", "--pid", "--"]
            .map(str::to_owned)
            .into()
    }

    /// Runs a program inside, as root.
    pub(crate) fn inside(&self, program: &str, arguments: &[&str]) -> Output {
        let entry = self.entry();
        let command = Command::new(&entry[0])
            .args(&entry[1..])
            .arg(program)
            .args(arguments)
            .output();
        command.expect("nsenter starts")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // `unshare --kill-child` takes the first process with it, and that one all others.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The processes whose parent is `parent`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number| parent_of(*number) == Some(parent))
        .collect()
}

fn parent_of(process: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))?
        .trim()
        .parse()
        .ok()
}
