//! A place on this machine that can stand for a host: its own `/var/lib/iec`, its own processes, and a power switch.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use iec_host::LocalHost;
use tempfile::TempDir;

use crate::namespace::Namespace;

/// A stand-in for a host. Scripts and payloads run in it for real, as root; it ends when dropped.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    namespace: Namespace,
}

impl Sandbox {
    /// Starts one whose `/var/lib/iec` holds at most `kilobytes`.
    ///
    /// # Panics
    /// Without root, or where the namespaces cannot be made.
    #[must_use]
    pub fn with_space(kilobytes: u32) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("iec-sandbox-")
            .tempdir()
            .expect("a temporary folder");
        let script = "mkdir -p /var/lib/iec && mount -t tmpfs -o \"size=$2k\" iec /var/lib/iec || exit\n\
            : >\"$1/ready\"\nwhile :; do sleep 3600; done\n";
        let errors = fs::File::create(folder.path().join("log")).expect("a log");
        let size = kilobytes.to_string();
        let arguments = [folder.path().as_os_str(), size.as_ref()];
        let namespace = Namespace::start(script, &arguments, errors);
        fs::create_dir(folder.path().join("root")).expect("a folder");
        let sandbox = Self { folder, namespace };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !sandbox.folder.path().join("ready").exists() {
            assert!(Instant::now() < deadline, "the sandbox did not start");
            std::thread::sleep(Duration::from_millis(2));
        }
        sandbox
    }

    /// Starts one with plenty of space.
    ///
    /// # Panics
    /// As [`Sandbox::with_space`].
    #[must_use]
    pub fn start() -> Self {
        Self::with_space(64 << 10)
    }

    /// It, as a host called `name`.
    #[must_use]
    pub fn host(&self, name: &str) -> LocalHost {
        LocalHost::new(name, "root").through(self.namespace.entry())
    }

    /// A path that steps may write to, the same inside and outside.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("root").join(name)
    }

    /// Runs a program inside, as root.
    ///
    /// # Panics
    /// Where `nsenter` does not start.
    #[must_use]
    pub fn inside(&self, program: &str, arguments: &[&str]) -> Output {
        self.namespace.inside(program, arguments)
    }

    /// Ends every process inside at once, as a power cut does. What is on its disks stays.
    pub fn power_cut(&self) {
        // `kill` ends itself too, so there is no exit status to look at.
        let _ = self.inside("/bin/sh", &["-c", "kill -9 -1"]);
    }

    /// Makes it as it was at first: nothing in `/var/lib/iec`, nothing under [`Sandbox::path`].
    ///
    /// # Panics
    /// Where something cannot be removed.
    pub fn wipe(&self) {
        self.power_cut();
        let cleared = self.inside("/usr/bin/find", &["/var/lib/iec", "-mindepth", "1", "-delete"]);
        assert!(
            cleared.status.success(),
            "{}",
            String::from_utf8_lossy(&cleared.stderr)
        );
        fs::remove_dir_all(self.folder.path().join("root")).expect("removed");
        fs::create_dir(self.folder.path().join("root")).expect("a folder");
    }
}
