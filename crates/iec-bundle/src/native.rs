//! What is compiled from C: a root of headers and static libraries from locked packages, and the pause program.

use std::fs;
use std::path::Path;
use std::process::Command;

use iec_core::architecture::Architecture;

use crate::cache::{Output, Slot, Stamp};
use crate::debian::{Locked, Packages};
use crate::error::BuildError;
use crate::golang::CToolchain;
use crate::process::Runner;
use crate::tree::{Bytes, Node};

/// The packages that the compiler's root is made of.
const SYSROOT_PACKAGES: [&str; 4] = ["libc6-dev", "libcrypt-dev", "libseccomp-dev", "linux-libc-dev"];

/// The name of the C compiler for an architecture, on a machine of any architecture.
pub(crate) fn compiler(architecture: Architecture) -> String {
    format!("{}-gcc", architecture.gnu_triplet())
}

/// Finds the compiler and unpacks its root.
///
/// # Errors
/// When the compiler cannot be run, or the root cannot be written.
pub(crate) fn c_toolchain(
    locked: &Locked,
    packages: impl FnOnce() -> Result<Packages, BuildError>,
    cache: &Path,
    runner: &Runner<'_>,
) -> Result<CToolchain, BuildError> {
    let architecture = locked.architecture;
    let compiler = compiler(architecture);
    let identity = runner
        .run(Command::new(&compiler).arg("--version"))?
        .into_iter()
        .next()
        .unwrap_or_default();
    let sysroot_inputs: String = SYSROOT_PACKAGES
        .iter()
        .filter_map(|name| locked.sum(name))
        .collect();
    let slot = Slot::new(
        cache,
        &format!("sysroot-{architecture}"),
        Stamp::default().with("packages", &sysroot_inputs),
    );
    let sysroot = match slot.finished() {
        Some(output) => output,
        None => slot.make(|folder| write_sysroot(&packages()?, folder))?,
    };
    Ok(CToolchain {
        compiler,
        identity,
        sysroot,
        sysroot_inputs,
    })
}

/// Headers, start files and static libraries: all that a static program is made of.
fn write_sysroot(packages: &Packages, folder: &Path) -> Result<(), BuildError> {
    let root = folder.join("root");
    let libraries = format!("usr/lib/{}/", packages.architecture().gnu_triplet());
    let mut listing = String::new();
    for (path, entry) in packages.tree().iter() {
        let is_library = path.starts_with(&libraries) && (path.ends_with(".a") || path.ends_with(".o"));
        if !is_library && !path.starts_with("usr/include/") {
            continue;
        }
        let target = root.join(path);
        let above = target.parent().expect("the path is below the root");
        fs::create_dir_all(above).map_err(BuildError::io("create", above))?;
        match &entry.node {
            Node::File(Bytes::Memory(bytes)) => {
                fs::write(&target, bytes).map_err(BuildError::io("write", &target))?
            }
            Node::Link(link) => {
                std::os::unix::fs::symlink(link, &target).map_err(BuildError::io("create", &target))?
            }
            _ => {}
        }
        listing.push_str(path);
        listing.push('\n');
    }
    // The compiler looks below /lib as well.
    std::os::unix::fs::symlink("usr/lib", root.join("lib")).map_err(BuildError::io("create", &root))?;
    let listing_file = folder.join("listing");
    fs::write(&listing_file, listing).map_err(BuildError::io("write", &listing_file))
}

/// The slot and the command of the pause program.
pub(crate) struct PauseBuild<'a> {
    pub(crate) c: &'a CToolchain,
    pub(crate) architecture: Architecture,
    pub(crate) version: &'a str,
    /// `pause.c`, as the Kubernetes module has it.
    pub(crate) source: &'a Path,
    pub(crate) cache: &'a Path,
}

impl PauseBuild<'_> {
    /// Where the program is or will be.
    ///
    /// # Errors
    /// When its source cannot be read.
    pub(crate) fn slot(&self) -> Result<Slot, BuildError> {
        let source = fs::read(self.source).map_err(BuildError::io("read", self.source))?;
        let stamp = Stamp::default()
            .with("source", source)
            .with("version", self.version)
            .with("architecture", self.architecture.go_name())
            .with("compiler", &self.c.identity)
            .with("sysroot", &self.c.sysroot_inputs);
        Ok(Slot::new(
            self.cache,
            &format!("pause-{}", self.architecture),
            stamp,
        ))
    }

    /// Compiles it.
    ///
    /// # Errors
    /// When the compiler fails.
    pub(crate) fn build(&self, runner: &Runner<'_>) -> Result<Output, BuildError> {
        self.slot()?.make(|folder| {
            let mut command = Command::new(&self.c.compiler);
            command
                .arg(format!("--sysroot={}", self.c.root().display()))
                .args(["-Os", "-Wall", "-Werror", "-static", "-s", "-Wl,--build-id=none"])
                .arg(format!("-DVERSION=v{}", self.version))
                .arg("-o")
                .arg(folder.join("pause"))
                .arg(self.source);
            runner.run(&mut command).map(drop)
        })
    }
}
