//! Builds the commands of a wrapper module with the release's exact Go toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use iec_core::architecture::Architecture;
use iec_core::release::{Release, Toolchain};

use crate::cache::{Output, Slot, Stamp};
use crate::debian::Apt;
use crate::error::BuildError;
use crate::jobs::How;
use crate::modules::GoPart;
use crate::process::Runner;
use crate::toolchain;

/// A Go installation: one that can fetch the release's toolchain, or that toolchain.
#[derive(Debug, Clone)]
pub(crate) struct Go {
    program: PathBuf,
    version: String,
}

impl Go {
    /// Finds the Go on the search path and asks its version.
    ///
    /// # Errors
    /// When there is none, or it is too old to fetch the release's toolchain by itself.
    pub(crate) fn find(toolchain: &Toolchain) -> Result<Self, BuildError> {
        let installed = || Some(PathBuf::from("/usr/local/go/bin/go")).filter(|path| path.exists());
        Self::check(find_program("go").or_else(installed), toolchain)
    }

    /// Whether it is the release's toolchain already. Whoever installed it answers for it.
    pub(crate) fn is_exact(&self, toolchain: &Toolchain) -> bool {
        self.version == toolchain.go
    }

    /// The release's toolchain, fetched by this Go and compared with the sum in the release.
    ///
    /// # Errors
    /// When it cannot be fetched, or has another sum.
    pub(crate) fn exact(&self, toolchain: &Toolchain, runner: &Runner<'_>) -> Result<Self, BuildError> {
        Ok(Self {
            program: toolchain::fetch(&self.program, toolchain, runner)?,
            version: toolchain.go.clone(),
        })
    }

    fn check(program: Option<PathBuf>, toolchain: &Toolchain) -> Result<Self, BuildError> {
        let minimum = toolchain.minimum.clone();
        let Some(program) = program else {
            return Err(BuildError::GoMissing { minimum });
        };
        let output = Command::new(&program)
            .arg("version")
            .env("GOTOOLCHAIN", "local")
            .output();
        let text = output
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        let found = text
            .split_whitespace()
            .nth(2)
            .unwrap_or("of an unknown version")
            .trim_start_matches("go")
            .to_owned();
        if numbers(&found) < numbers(&minimum) {
            return Err(BuildError::GoTooOld { found, minimum });
        }
        Ok(Self {
            program,
            version: found,
        })
    }

    /// Takes a Go that is good enough to fetch the release's toolchain out of a Debian package, into the cache.
    ///
    /// # Errors
    /// When the archive cannot be reached, or does not have the package for this machine.
    pub(crate) fn bootstrap(
        release: &Release,
        cache: &Path,
        runner: &Runner<'_>,
    ) -> Result<(Self, How), BuildError> {
        let (bootstrap, components) = (&release.toolchain.bootstrap, &release.debian.components);
        let machine = Architecture::from_uname(std::env::consts::ARCH).ok_or_else(|| {
            BuildError::content(runner.part, "there is no Go for this machine's architecture")
        })?;
        let stamp = Stamp::default()
            .with("package", &bootstrap.package)
            .with("suite", &bootstrap.archive.suite);
        let slot = Slot::new(cache, &format!("go-{machine}"), stamp);
        if let Some(output) = slot.finished() {
            return Ok((
                Self {
                    program: output.folder().join("root").join(&bootstrap.program),
                    version: String::new(),
                },
                How::Reused,
            ));
        }
        let output = slot.make(|folder| {
            let state = cache.join(format!("apt/{}-{machine}", bootstrap.archive.suite));
            let archives = std::slice::from_ref(&bootstrap.archive);
            let apt = Apt::new(Path::new("apt-get"), &state, archives, components, machine)?;
            apt.update(runner)?;
            let package = apt.download_newest(&bootstrap.package, folder, runner)?;
            let mut unpack = Command::new("dpkg-deb");
            unpack.arg("-x").arg(&package).arg(folder.join("root"));
            runner.run(&mut unpack).map(drop)
        })?;
        Ok((
            Self {
                program: output.folder().join("root").join(&bootstrap.program),
                version: String::new(),
            },
            How::Built,
        ))
    }

    /// Where it keeps what it compiled, and the modules.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) fn caches(&self) -> Result<[PathBuf; 2], BuildError> {
        let output = Command::new(&self.program)
            .args(["env", "GOCACHE", "GOMODCACHE"])
            .env("GOTOOLCHAIN", "local")
            .output()
            .map_err(BuildError::io("run", &self.program))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines().map(PathBuf::from);
        match (lines.next(), lines.next()) {
            (Some(compiled), Some(modules)) => Ok([compiled, modules]),
            _ => Err(BuildError::content(
                "go",
                format!(
                    "it does not say where its caches are: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                ),
            )),
        }
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder);
        // What a user may have set for other projects would change the bytes; where modules come from (GOPROXY,
        // GOSUMDB, GOPRIVATE) and where they are kept (GOMODCACHE, GOCACHE) stays the user's choice.
        for name in [
            "GOEXPERIMENT",
            "GODEBUG",
            "GOROOT",
            "GOFIPS140",
            "CGO_CFLAGS",
            "CGO_CPPFLAGS",
            "CGO_CXXFLAGS",
            "CGO_LDFLAGS",
            "CC",
            "CXX",
        ] {
            command.env_remove(name);
        }
        command
            // It is the exact one, and no other may step in.
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=readonly")
            .env("GOWORK", "off")
            .env("GOOS", "linux")
            .env("GOAMD64", "v1")
            .env("GOARM64", "v8.0")
            .env("CGO_ENABLED", "0");
        command
    }
}

/// The first executable file of this name on the search path.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    #[expect(
        clippy::disallowed_methods,
        reason = "programs are looked for where they will be started from"
    )]
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| {
            fs::metadata(file)
                .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
        })
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|field| {
            field
                .chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
                .parse()
                .unwrap_or(0)
        })
        .collect()
}

/// What a part that holds C code is compiled with.
pub(crate) struct CToolchain {
    /// The compiler for the architecture: `x86_64-linux-gnu-gcc`.
    pub(crate) compiler: String,
    /// What the compiler calls itself, with its version: an input of the build.
    pub(crate) identity: String,
    /// Headers and static libraries, from locked packages.
    pub(crate) sysroot: Output,
    /// The sysroot's own stamp.
    pub(crate) sysroot_inputs: String,
}

impl CToolchain {
    /// The folder that is the compiler's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.sysroot.folder().join("root")
    }
}

/// Builds one Go part for one architecture.
pub(crate) struct GoBuild<'a> {
    pub(crate) go: &'a Go,
    pub(crate) release: &'a Release,
    pub(crate) part: &'static GoPart,
    pub(crate) architecture: Architecture,
    pub(crate) c: Option<&'a CToolchain>,
    pub(crate) cache: &'a Path,
}

impl GoBuild<'_> {
    fn link_flags(&self) -> String {
        let mut flags = "-s -w -buildid=".to_owned();
        for (name, value) in (self.part.variables)(self.release) {
            flags.push_str(&format!(" -X {name}={value}"));
        }
        if self.part.c_libraries.is_some() {
            flags.push_str(" -linkmode external -extldflags \"-static -Wl,--build-id=none\"");
        }
        flags
    }

    /// Where the part's output is or will be.
    pub(crate) fn slot(&self) -> Slot {
        let mut stamp = Stamp::default()
            .with("go", &self.release.toolchain.go)
            .with("go.mod", self.part.go_mod)
            .with("go.sum", self.part.go_sum)
            .with("architecture", self.architecture.go_name())
            .with("flags", self.link_flags())
            .with("tags", self.part.tags);
        for command in self.part.commands {
            stamp = stamp.with("command", command.package).with("name", command.name);
        }
        for (path, name) in self.part.files {
            stamp = stamp.with("file", path).with("name", name);
        }
        if let Some(c) = self.c {
            stamp = stamp
                .with("compiler", &c.identity)
                .with("sysroot", &c.sysroot_inputs);
        }
        Slot::new(
            self.cache,
            &format!("{}-{}", self.part.name, self.architecture),
            stamp,
        )
    }

    /// Builds all commands in one go, so that what they share is compiled once.
    ///
    /// # Errors
    /// When a module cannot be fetched, or the build fails.
    pub(crate) fn build(&self, runner: &Runner<'_>) -> Result<Output, BuildError> {
        self.slot().make(|output| {
            let module = tempfile::tempdir().map_err(BuildError::io("create", output))?;
            for (name, text) in [("go.mod", self.part.go_mod), ("go.sum", self.part.go_sum)] {
                let path = module.path().join(name);
                fs::write(&path, text).map_err(BuildError::io("write", &path))?;
            }
            let programs = output.join("programs");
            fs::create_dir(&programs).map_err(BuildError::io("create", &programs))?;
            runner.run(&mut self.build_command(module.path(), &programs)?)?;
            self.collect_programs(&programs, output)?;
            if !self.part.files.is_empty() {
                self.copy_files(module.path(), output, runner)?;
            }
            Ok(())
        })
    }

    fn build_command(&self, module: &Path, programs: &Path) -> Result<Command, BuildError> {
        let mut command = self.go.command(module);
        command
            .args([
                "build",
                "-v",
                "-trimpath",
                "-buildvcs=false",
                "-ldflags",
                &self.link_flags(),
                "-o",
            ])
            .arg(programs);
        if !self.part.tags.is_empty() {
            command.args(["-tags", self.part.tags]);
        }
        command.args(self.part.commands.iter().map(|command| command.package));
        command.env("GOARCH", self.architecture.go_name());
        if let (Some(c), Some(libraries)) = (self.c, self.part.c_libraries) {
            let script = module.join("pkg-config");
            // The sysroot is the compiler's root, so there is nothing to say but which libraries to link.
            let text = format!("#!/bin/sh\ncase \"$*\" in *--libs*) echo {libraries} ;; esac\n");
            fs::write(&script, text).map_err(BuildError::io("write", &script))?;
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&script, mode).map_err(BuildError::io("write", &script))?;
            command
                .env("CGO_ENABLED", "1")
                .env("CC", format!("{} --sysroot={}", c.compiler, c.root().display()))
                .env("CGO_CFLAGS", "-O2")
                .env("PKG_CONFIG", script);
        }
        Ok(command)
    }

    /// Go names a program after its package; a part may want another name.
    fn collect_programs(&self, programs: &Path, output: &Path) -> Result<(), BuildError> {
        for command in self.part.commands {
            let mut fields = command.package.rsplit('/');
            let last = fields.next().unwrap_or_default();
            let is_version = last
                .strip_prefix('v')
                .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
            let built = if is_version {
                fields.next().unwrap_or_default()
            } else {
                last
            };
            let target = output.join(command.name);
            fs::rename(programs.join(built), &target).map_err(BuildError::io("create", &target))?;
        }
        fs::remove_dir_all(programs).map_err(BuildError::io("remove", programs))
    }

    fn copy_files(&self, module: &Path, output: &Path, runner: &Runner<'_>) -> Result<(), BuildError> {
        let main = self
            .release
            .part(self.part.name)
            .and_then(|part| part.modules.first());
        let main =
            main.ok_or_else(|| BuildError::content(runner.part, "the release names no module of it"))?;
        let mut command = self.go.command(module);
        command.args(["list", "-m", "-f", "{{.Dir}}", &main.module]);
        let lines = runner.run(&mut command)?;
        let folder = PathBuf::from(lines.first().map(String::as_str).unwrap_or_default());
        for (path, name) in self.part.files {
            let (source, target) = (folder.join(path), output.join(name));
            let bytes = fs::read(&source).map_err(BuildError::io("read", &source))?;
            fs::write(&target, bytes).map_err(BuildError::io("write", &target))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(numbers("1.9") < numbers("1.21"));
        assert!(numbers("1.26.10") > numbers("1.26.9"));
        assert!(numbers("1.26rc1") >= numbers("1.26"));
    }
    fn a_go(folder: &Path, script: &str) -> Option<PathBuf> {
        use std::os::unix::fs::OpenOptionsExt;
        let path = folder.join("go");
        let mut options = fs::OpenOptions::new();
        let mut file = options.create(true).write(true).mode(0o755).open(&path).unwrap();
        std::io::Write::write_all(&mut file, format!("#!/bin/sh\n{script}\n").as_bytes()).unwrap();
        Some(path)
    }

    #[test]
    fn a_go_that_is_missing_or_too_old_is_told_with_the_one_that_is_needed() {
        let release = Release::bundled("1.36").unwrap();
        let toolchain = &release.toolchain;
        let missing = Go::check(None, toolchain).unwrap_err();
        assert_eq!(missing.code(), "IEC2001");
        assert!(
            missing.to_string().contains(&toolchain.minimum)
                || missing.next_action().contains(&toolchain.minimum)
        );
        let folder = tempfile::tempdir().unwrap();
        let old = a_go(folder.path(), "echo go version go1.19.8 linux/amd64");
        let too_old = Go::check(old, toolchain).unwrap_err();
        assert_eq!(too_old.code(), "IEC2002");
        assert!(too_old.to_string().contains("1.19.8"), "{too_old}");
        let broken = a_go(folder.path(), "exit 1");
        assert_eq!(Go::check(broken, toolchain).unwrap_err().code(), "IEC2002");
    }

    #[test]
    fn go_is_asked_where_it_keeps_things() {
        let folder = tempfile::tempdir().unwrap();
        let go = |script| Go {
            program: a_go(folder.path(), script).unwrap(),
            version: String::new(),
        };
        let answer = go("printf '/c\\n/m\\n'").caches().unwrap();
        assert_eq!(answer, [PathBuf::from("/c"), PathBuf::from("/m")]);
        let error = go("echo GOCACHE is off >&2; exit 2").caches().unwrap_err();
        let BuildError::Content { reason, .. } = error else {
            panic!("{error}")
        };
        assert!(reason.ends_with("GOCACHE is off"), "{reason}");
    }
}
