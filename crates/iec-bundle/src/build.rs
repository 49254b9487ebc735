//! Builds a bundle: Go parts and packages first, then what is made of them, then the folder that holds it all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use iec_core::architecture::Architecture;
use iec_core::content::{BLOBS, DEBIAN_LOCK_FILE, MANIFEST_FILE, Manifest, SUMS_FILE};
use iec_core::release::Release;

use crate::assemble::{Parts, assemble};
use crate::cache::{self, Output};
use crate::debian::{KEYRING, Locked, Supplier};
use crate::error::BuildError;
use crate::golang::{Go, GoBuild, find_program};
use crate::jobs::{self, BuildEvent, How, Job};
use crate::modules::{GO_PARTS, GoPart, go_part};
use crate::native::{self, PauseBuild};
use crate::space::{self, Use};

/// How many parts are built at a time: each Go build uses all processors by itself, except while it links.
const WORKERS: usize = 2;
/// What to build, and where.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// The release.
    pub release: Release,
    /// The architectures, each at most once.
    pub architectures: Vec<Architecture>,
    /// The bundle's folder. It may hold an earlier bundle; what that has is not made again.
    pub output: PathBuf,
    /// Where finished parts and packages are kept between builds.
    pub cache: PathBuf,
    /// The record of files that were read and found right before, see [`Trust`](crate::Trust).
    pub trust: PathBuf,
    /// Choose Debian packages anew instead of using the locked ones.
    pub relock: bool,
    /// Set it to stop the build; its programs are stopped too.
    pub cancel: Arc<AtomicBool>,
}

/// Builds the bundle and returns its manifest.
///
/// A finished part is never built again from the same inputs, and an interrupted build goes on where it was.
///
/// # Errors
/// When something that the build needs is missing, a registry cannot be reached, or a part fails. The folder then holds
/// what it held before, or an incomplete bundle without a manifest that claims otherwise.
pub fn build(request: &BuildRequest, sink: &mut dyn FnMut(BuildEvent)) -> Result<Manifest, BuildError> {
    let release = &request.release;
    let (output, cache) = (absolute(&request.output)?, absolute(&request.cache)?);
    for folder in [&cache, &output.join(BLOBS)] {
        fs::create_dir_all(folder).map_err(BuildError::io("create", folder))?;
    }
    refuse_foreign(&output)?;
    let _guard = guard(&cache)?;
    cache::remove_partial(&cache)?;
    check_tools(&request.architectures)?;
    let go = find_go(request, &cache, sink)?;
    let lock_file = output.join(DEBIAN_LOCK_FILE);
    let supplier = Supplier {
        release,
        lock_file: &lock_file,
        relock: request.relock,
        cache: &cache,
        apt_get: Path::new("apt-get"),
    };
    let work = Build {
        request,
        go: &go,
        cache: &cache,
        output: &output,
        supplier: &supplier,
    };
    work.check_space()?;
    let (mut parts, locked) = work.independent_parts(sink)?;
    work.native_parts(&mut parts, &locked, sink)?;
    assemble(
        request,
        &Parts {
            outputs: parts,
            locked,
            cache: &cache,
        },
        &output,
        sink,
    )
}

struct Build<'a> {
    request: &'a BuildRequest,
    go: &'a Go,
    cache: &'a Path,
    output: &'a Path,
    supplier: &'a Supplier<'a>,
}

enum Made {
    Part((&'static str, Architecture), Output),
    Packages(Vec<Locked>),
}

/// The finished parts, by name and architecture.
pub(crate) type Outputs = BTreeMap<(&'static str, Architecture), Output>;

impl<'a> Build<'a> {
    fn go_build(&self, part: &'static GoPart, architecture: Architecture) -> GoBuild<'a> {
        GoBuild {
            go: self.go,
            release: &self.request.release,
            part,
            architecture,
            c: None,
            cache: self.cache,
        }
    }

    fn unfinished(&self) -> impl Iterator<Item = (&'static GoPart, Architecture)> {
        let pure = GO_PARTS.iter().filter(|part| part.c_libraries.is_none());
        pure.flat_map(|part| {
            self.request
                .architectures
                .iter()
                .map(move |architecture| (part, *architecture))
        })
        .filter(|(part, architecture)| self.go_build(part, *architecture).slot().finished().is_none())
    }

    fn check_space(&self) -> Result<(), BuildError> {
        let mut places = vec![
            (Use::Parts, self.cache.to_owned()),
            (Use::Bundle, self.output.to_owned()),
        ];
        if self.unfinished().next().is_some() {
            let [compiled, modules] = self.go.caches()?;
            places.push((Use::Compiled, compiled));
            places.push((Use::Modules, modules));
            places.push((Use::Temporary, std::env::temp_dir()));
        }
        space::check(&places, self.request.architectures.len())
    }

    /// The packages, and every Go part that needs nothing else.
    fn independent_parts(
        &self,
        sink: &mut dyn FnMut(BuildEvent),
    ) -> Result<(Outputs, Vec<Locked>), BuildError> {
        let waiting: Vec<_> = self.unfinished().collect();
        let seconds: u64 = waiting.iter().map(|(part, _)| part.estimate).sum();
        sink(BuildEvent::Planned {
            parts: waiting.len(),
            estimate_seconds: seconds + 60,
        });
        let architectures = &self.request.architectures;
        let mut jobs = vec![Job {
            part: "debian packages".to_owned(),
            architecture: None,
            estimate_seconds: 30,
            work: Box::new(move |runner| {
                Ok((
                    Made::Packages(self.supplier.supply(architectures, runner)?),
                    How::Built,
                ))
            }),
        }];
        for architecture in architectures {
            for part in GO_PARTS.iter().filter(|part| part.c_libraries.is_none()) {
                let build = self.go_build(part, *architecture);
                jobs.push(Job {
                    part: part.name.to_owned(),
                    architecture: Some(*architecture),
                    estimate_seconds: part.estimate,
                    work: Box::new(move |runner| {
                        let (output, how) = match build.slot().finished() {
                            Some(output) => (output, How::Reused),
                            None => (build.build(runner)?, How::Built),
                        };
                        Ok((Made::Part((part.name, build.architecture), output), how))
                    }),
                });
            }
        }
        let mut outputs = Outputs::new();
        let mut locked = Vec::new();
        for made in jobs::run(jobs, WORKERS, &self.request.cancel, sink)? {
            match made {
                Made::Part(key, output) => drop(outputs.insert(key, output)),
                Made::Packages(packages) => locked = packages,
            }
        }
        Ok((outputs, locked))
    }

    /// runc and pause, which are compiled with C libraries out of the locked packages.
    fn native_parts(
        &self,
        outputs: &mut Outputs,
        locked: &[Locked],
        sink: &mut dyn FnMut(BuildEvent),
    ) -> Result<(), BuildError> {
        let pause_version = self
            .request
            .release
            .part("pause")
            .map(|part| part.plain_version().to_owned());
        let pause_version = &pause_version.unwrap_or_default();
        let mut jobs = Vec::new();
        for locked in locked {
            let architecture = locked.architecture;
            let source = outputs[&("kubernetes", architecture)].path("pause.c")?;
            let runc = go_part("runc");
            jobs.push(Job {
                part: "runc and pause".to_owned(),
                architecture: Some(architecture),
                estimate_seconds: runc.estimate,
                work: Box::new(move |runner| {
                    let unpack = || locked.unpack(self.cache, "sysroot");
                    let c = native::c_toolchain(locked, unpack, self.cache, runner)?;
                    let build = GoBuild {
                        c: Some(&c),
                        ..self.go_build(runc, architecture)
                    };
                    let pause = PauseBuild {
                        c: &c,
                        architecture,
                        version: pause_version,
                        source: &source,
                        cache: self.cache,
                    };
                    let (mut how, finished) =
                        (How::Reused, (build.slot().finished(), pause.slot()?.finished()));
                    let mut built = |output| {
                        how = How::Built;
                        output
                    };
                    let runc_output = match finished.0 {
                        Some(output) => output,
                        None => built(build.build(runner)?),
                    };
                    let pause_output = match finished.1 {
                        Some(output) => output,
                        None => built(pause.build(runner)?),
                    };
                    Ok((
                        [
                            (("runc", architecture), runc_output),
                            (("pause", architecture), pause_output),
                        ],
                        how,
                    ))
                }),
            });
        }
        outputs.extend(
            jobs::run(jobs, WORKERS, &self.request.cancel, sink)?
                .into_iter()
                .flatten(),
        );
        Ok(())
    }
}

/// The release's Go toolchain: the installed Go where it is that version, else fetched by it, or by one from a Debian
/// package.
fn find_go(request: &BuildRequest, cache: &Path, sink: &mut dyn FnMut(BuildEvent)) -> Result<Go, BuildError> {
    let toolchain = &request.release.toolchain;
    let go = match Go::find(toolchain) {
        Ok(go) if go.is_exact(toolchain) => return Ok(go),
        Ok(go) => go,
        Err(unfit) => bootstrapped(request, cache, unfit, sink)?,
    };
    let job = Job {
        part: "go".to_owned(),
        architecture: None,
        estimate_seconds: 10,
        work: Box::new(move |runner| Ok((go.exact(toolchain, runner)?, How::Reused))),
    };
    let found = jobs::run(vec![job], 1, &request.cancel, sink)?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| BuildError::content("go", "the toolchain's job gave nothing"))
}

/// A Go from a Debian package, where none that will do is installed.
fn bootstrapped(
    request: &BuildRequest,
    cache: &Path,
    unfit: BuildError,
    sink: &mut dyn FnMut(BuildEvent),
) -> Result<Go, BuildError> {
    let release = &request.release;
    let job = Job {
        part: "go".to_owned(),
        architecture: None,
        estimate_seconds: 15,
        work: Box::new(move |runner| Go::bootstrap(release, cache, runner)),
    };
    match jobs::run(vec![job], 1, &request.cancel, sink) {
        Ok(found) => found.into_iter().next().ok_or(unfit),
        // Without the package, what is asked of the user is to install a Go.
        Err(BuildError::Failed { .. } | BuildError::Content { .. }) => Err(unfit),
        Err(error) => Err(error),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, BuildError> {
    std::path::absolute(path).map_err(BuildError::io("find", path))
}

/// An output folder that holds something else is somebody else's: nothing of it may be removed or mixed in.
fn refuse_foreign(output: &Path) -> Result<(), BuildError> {
    for entry in fs::read_dir(output).map_err(BuildError::io("read", output))? {
        let name = entry.map_err(BuildError::io("read", output))?.file_name();
        let name = name.to_string_lossy();
        if ![MANIFEST_FILE, SUMS_FILE, DEBIAN_LOCK_FILE, "blobs"].contains(&name.as_ref())
            && !name.starts_with(".partial-")
        {
            let reason = format!("it holds {name}, which is no part of a bundle; choose an empty folder");
            return Err(BuildError::content(&output.display().to_string(), reason));
        }
    }
    Ok(())
}

/// Keeps a second build out of the same cache for as long as the file is open.
fn guard(cache: &Path) -> Result<fs::File, BuildError> {
    let path = cache.join("lock");
    let file = fs::File::create(&path).map_err(BuildError::io("create", &path))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(BuildError::Busy {
            path: cache.to_owned(),
        }),
        Err(error) => Err(BuildError::io("lock", &path)(error.into())),
    }
}

/// The programs that a build for these architectures runs, and the Debian packages that bring them.
fn tools(architectures: &[Architecture]) -> Vec<(String, String)> {
    let mut tools = vec![
        ("apt-get".to_owned(), "apt".to_owned()),
        ("dpkg-deb".to_owned(), "dpkg".to_owned()),
    ];
    for architecture in architectures {
        let native = std::env::consts::ARCH == architecture.uname();
        let package = format!("gcc-{}", architecture.gnu_triplet().replace('_', "-"));
        tools.push((
            native::compiler(*architecture),
            if native { "gcc".to_owned() } else { package },
        ));
    }
    tools
}

/// Checks that every program of the build but Go is installed.
///
/// # Errors
/// [`BuildError::ToolsMissing`] with all that is missing and the packages to install.
pub fn check_tools(architectures: &[Architecture]) -> Result<(), BuildError> {
    let mut missing: Vec<_> = tools(architectures)
        .into_iter()
        .filter(|(program, _)| find_program(program).is_none())
        .collect();
    if !Path::new(KEYRING).exists() {
        missing.push((KEYRING.to_owned(), "debian-archive-keyring".to_owned()));
    }
    let (programs, packages): (Vec<_>, Vec<_>) = missing.into_iter().unzip();
    if programs.is_empty() {
        Ok(())
    } else {
        Err(BuildError::ToolsMissing { programs, packages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_else_in_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("blobs")).unwrap();
        refuse_foreign(folder.path()).unwrap();
        fs::write(folder.path().join("holiday.jpg"), "").unwrap();
        assert!(
            refuse_foreign(folder.path())
                .unwrap_err()
                .to_string()
                .contains("holiday.jpg")
        );
    }

    #[test]
    fn a_second_build_in_the_same_cache_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        let first = guard(cache.path()).unwrap();
        assert_eq!(guard(cache.path()).unwrap_err().code(), "IEC2012");
        drop(first);
        guard(cache.path()).unwrap();
    }

    #[test]
    fn the_cross_compiler_is_named_for_the_other_architecture() {
        let all = tools(&Architecture::ALL);
        let names: Vec<_> = all.iter().map(|(program, _)| program.as_str()).collect();
        assert_eq!(
            names,
            [
                "apt-get",
                "dpkg-deb",
                "x86_64-linux-gnu-gcc",
                "aarch64-linux-gnu-gcc"
            ]
        );
    }
}
