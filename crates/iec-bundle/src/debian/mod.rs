//! Debian packages: locked at the first build, fetched once, unpacked without running anything of theirs.

mod apt;
mod lock;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use iec_core::architecture::Architecture;
use iec_core::content::{DebianPackage, Digest, Origin};
use iec_core::release::Release;

pub(crate) use self::apt::Apt;
pub(crate) use self::apt::KEYRING;
use self::lock::{Lock, LockedPackage};
use crate::elf;
use crate::error::BuildError;
use crate::process::Runner;
use crate::tree::{Bytes, Node, Tree};

/// The packages that recipes take files from.
const WANTED: [&str; 18] = [
    "ca-certificates",
    "conntrack",
    "coreutils",
    "curl",
    "dash",
    "ethtool",
    "iproute2",
    "ipset",
    "iptables",
    "keepalived",
    "kmod",
    "libc-bin",
    "libc6-dev",
    "libseccomp-dev",
    "nftables",
    "nginx",
    "openssl",
    "procps",
];

/// Packages that others depend on but that no recipe takes a file from: they are neither locked nor fetched.
const UNUSED: [&str; 14] = [
    "adduser",
    "debconf",
    "debianutils",
    "dpkg",
    "gcc-12-base",
    "init-system-helpers",
    "libcap2-bin",
    "libsensors-config",
    "libsnmp-base",
    "passwd",
    "pci.ids",
    "perl",
    "tar",
    "usrmerge",
];

/// The packages of one architecture, unpacked.
pub(crate) struct Packages {
    architecture: Architecture,
    tree: Tree,
    /// Which package each path came from.
    owners: BTreeMap<String, DebianPackage>,
}

/// Chooses the packages at the first build and fetches whatever is not in the cache.
pub(crate) struct Supplier<'a> {
    pub(crate) release: &'a Release,
    /// The lock file of the output folder.
    pub(crate) lock_file: &'a Path,
    /// Forget the lock and choose again.
    pub(crate) relock: bool,
    pub(crate) cache: &'a Path,
    /// `apt-get`.
    pub(crate) apt_get: &'a Path,
}

impl Supplier<'_> {
    /// Makes sure that there is a lock for every architecture, writes it, and fetches the locked packages.
    ///
    /// # Errors
    /// When the archive cannot be reached, or a locked package is gone or has changed.
    pub(crate) fn supply(
        &self,
        architectures: &[Architecture],
        runner: &Runner<'_>,
    ) -> Result<Vec<Locked>, BuildError> {
        let debian = &self.release.debian;
        let known = if self.relock {
            None
        } else {
            Lock::read(self.lock_file, &debian.suite, &WANTED)?
        };
        let mut lock = known.unwrap_or_else(|| Lock::new(&debian.suite, &WANTED));
        for architecture in architectures {
            let apt = Apt::new(
                self.apt_get,
                &self.cache.join(format!("apt/{}-{architecture}", debian.suite)),
                &debian.archives,
                &debian.components,
                *architecture,
            )?;
            let mut updated = false;
            let locked = lock.packages.entry(*architecture).or_default();
            let is_locked =
                |locked: &[LockedPackage], name: &str| locked.iter().any(|package| package.name == name);
            if !WANTED.iter().all(|name| is_locked(locked, name)) {
                (runner.progress)(&format!("choosing packages for {architecture}"));
                apt.update(runner)?;
                updated = true;
                let mut packages = apt.resolve(&WANTED, runner)?;
                // What an earlier version of this program has locked stays: its layers need not be made again.
                packages.retain(|package| !is_unused(&package.name) && !is_locked(locked, &package.name));
                locked.extend(packages);
                locked.sort();
            }
            let absent: Vec<_> = lock.packages[architecture]
                .iter()
                .filter(|package| !self.package_file(package).exists())
                .collect();
            if absent.is_empty() {
                continue;
            }
            if !updated {
                apt.update(runner)?;
            }
            (runner.progress)(&format!("fetching {} packages for {architecture}", absent.len()));
            self.fetch(&apt, &absent, runner)?;
        }
        lock.wanted = WANTED.map(str::to_owned).to_vec();
        // Only now: a lock of packages that were never all there would be worth nothing.
        write_whole(self.lock_file, lock.to_text().as_bytes())?;
        Ok(architectures
            .iter()
            .map(|&architecture| Locked {
                architecture,
                packages: lock.packages[&architecture].clone(),
            })
            .collect())
    }

    fn package_file(&self, package: &LockedPackage) -> PathBuf {
        self.cache.join("debian").join(format!("{}.deb", package.sha256))
    }

    fn fetch(&self, apt: &Apt, packages: &[&LockedPackage], runner: &Runner<'_>) -> Result<(), BuildError> {
        let folder = self.cache.join("debian");
        fs::create_dir_all(&folder).map_err(BuildError::io("create", &folder))?;
        let partial = tempfile::Builder::new()
            .prefix(".partial-")
            .tempdir_in(&folder)
            .map_err(BuildError::io("create", &folder))?;
        apt.download(packages, partial.path(), runner)?;
        for package in packages {
            let file = partial.path().join(package.file_name());
            let bytes = fs::read(&file).map_err(BuildError::io("read", &file))?;
            let found = Digest::of(&bytes).hex();
            if found != package.sha256 {
                return Err(BuildError::PackageChanged {
                    name: package.name.clone(),
                    version: package.version.clone(),
                    locked: package.sha256.clone(),
                    found,
                });
            }
            let target = self.package_file(package);
            fs::rename(&file, &target).map_err(BuildError::io("create", &target))?;
        }
        Ok(())
    }
}

fn is_unused(name: &str) -> bool {
    UNUSED.contains(&name)
        || name.starts_with("perl-")
        || name.starts_with("libgdbm")
        || (name.starts_with("lib") && name.ends_with("-perl"))
}

/// Writes a file so that it is either there whole or not at all.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".partial-")
        .tempfile_in(folder)
        .map_err(BuildError::io("create", path))?;
    std::io::Write::write_all(&mut file, bytes).map_err(BuildError::io("write", path))?;
    file.as_file().sync_all().map_err(BuildError::io("write", path))?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file()
        .set_permissions(permissions)
        .map_err(BuildError::io("write", path))?;
    file.persist(path)
        .map_err(|error| BuildError::io("write", path)(error.error))?;
    Ok(())
}

/// The locked packages of one architecture.
#[derive(Debug, Clone)]
pub(crate) struct Locked {
    pub(crate) architecture: Architecture,
    packages: Vec<LockedPackage>,
}

impl Locked {
    /// The locked sum of a package.
    pub(crate) fn sum(&self, name: &str) -> Option<&str> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .map(|package| package.sha256.as_str())
    }

    /// The locked version of a package.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        self.packages
            .iter()
            .find(|package| package.name == name)
            .map(|package| package.version.as_str())
    }

    /// Unpacks the packages into memory.
    ///
    /// # Errors
    /// When a package file is not readable.
    pub(crate) fn unpack(&self, cache: &Path, part: &str) -> Result<Packages, BuildError> {
        let mut all = Packages {
            architecture: self.architecture,
            tree: Tree::default(),
            owners: BTreeMap::new(),
        };
        for package in &self.packages {
            let file = cache.join("debian").join(format!("{}.deb", package.sha256));
            let tree = read_package(&file).map_err(|error| {
                BuildError::content(
                    part,
                    format!("the package {} cannot be unpacked: {error}", package.name),
                )
            })?;
            let owner = DebianPackage {
                name: package.name.clone(),
                version: package.version.clone(),
                sha256: package.sha256.clone(),
            };
            for (path, entry) in tree.iter() {
                if entry.node == Node::Folder && all.tree.get(path).is_some() {
                    continue;
                }
                all.tree.insert(path, entry.clone());
                all.owners.insert(path.to_owned(), owner.clone());
            }
        }
        Ok(all)
    }
}

fn read_package(file: &Path) -> std::io::Result<Tree> {
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let tree = Tree::read_tar(child.stdout.take().expect("standard output is piped"));
    let status = child.wait()?;
    if status.success() {
        tree
    } else {
        Err(std::io::Error::other(format!("dpkg-deb: {status}")))
    }
}

/// Files taken out of packages, and which packages they came from.
#[derive(Debug, Default, Clone)]
pub(crate) struct Selection {
    pub(crate) tree: Tree,
    packages: BTreeSet<DebianPackage>,
}

impl Selection {
    /// The packages as an item's origin.
    pub(crate) fn origin(&self) -> Origin {
        Origin::Debian {
            packages: self.packages.iter().cloned().collect(),
        }
    }
}

impl Packages {
    /// Everything that the packages hold.
    pub(crate) const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The architecture of the packages.
    pub(crate) const fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// These files and folders with all the shared libraries that they need, links included.
    ///
    /// # Errors
    /// When a path or a needed library is in none of the packages.
    pub(crate) fn select(&self, paths: &[&str], part: &str) -> Result<Selection, BuildError> {
        let mut selection = Selection::default();
        let mut pending: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        while let Some(path) = pending.pop() {
            let missing = || BuildError::content(part, format!("none of the packages holds {path}"));
            let (file, links) = self.tree.resolve(&path).ok_or_else(missing)?;
            for link in links {
                self.take(&link, &mut selection);
            }
            if selection.tree.get(&file).is_some() {
                continue;
            }
            self.take(&file, &mut selection);
            match &self.tree.get(&file).ok_or_else(missing)?.node {
                Node::Folder => pending.extend(self.tree.below(&file).map(|(path, _)| path.to_owned())),
                Node::HardLink(target) => pending.push(target.clone()),
                Node::File(Bytes::Memory(bytes)) => pending.extend(self.libraries(bytes, &file, part)?),
                Node::File(Bytes::File(_)) | Node::Link(_) => {}
            }
        }
        let copyrights: Vec<_> = selection
            .packages
            .iter()
            .map(|package| format!("usr/share/doc/{}/copyright", package.name))
            .collect();
        for path in copyrights {
            self.take_copyright(&path, &mut selection);
        }
        Ok(selection)
    }

    /// The copyright file must come along, but what it links to need not.
    fn take_copyright(&self, path: &str, selection: &mut Selection) {
        if let Some((file, _)) = self.tree.resolve(path)
            && let Some(entry) = self.tree.get(&file)
        {
            selection.tree.insert(path, entry.clone());
        }
    }

    fn take(&self, path: &str, selection: &mut Selection) {
        if let Some(entry) = self.tree.get(path) {
            selection.tree.insert(path, entry.clone());
        }
        if let Some(owner) = self.owners.get(path) {
            selection.packages.insert(owner.clone());
        }
    }

    fn libraries(&self, bytes: &[u8], file: &str, part: &str) -> Result<Vec<String>, BuildError> {
        let Some(needs) = elf::needs(bytes) else {
            return Ok(Vec::new());
        };
        let mut paths: Vec<String> = needs.interpreter.into_iter().collect();
        for library in needs.libraries {
            let path = self
                .library_folders()
                .map(|folder| format!("{folder}/{library}"))
                .find(|path| self.tree.get(path).is_some());
            paths.push(path.ok_or_else(|| {
                BuildError::content(part, format!("{file} needs {library}, which no package holds"))
            })?);
        }
        Ok(paths)
    }

    fn library_folders(&self) -> impl Iterator<Item = String> {
        let triplet = self.architecture.gnu_triplet();
        [
            format!("usr/lib/{triplet}"),
            "usr/lib".to_owned(),
            format!("usr/lib/{triplet}/systemd"),
        ]
        .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of two packages and an `apt-get` that serves it, without a network.
    struct Archive {
        folder: tempfile::TempDir,
    }

    impl Archive {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let archive = Self { folder };
            fs::create_dir(archive.path("pool")).unwrap();
            fs::create_dir(archive.path("cache")).unwrap();
            for name in WANTED {
                archive.publish(name, "1", "first");
            }
            let script = format!(
                "#!/bin/sh\npool={pool}\necho \"$*\" >> {log}\ncase $* in\n*print-uris*) cat {list} ;;\n*download*)\n\
                 while [ \"$1\" != download ]; do shift; done; shift\nfor word; do name=${{word%%=*}} version=${{word#*=}}\n\
                 file=${{name}}_${{version}}_amd64.deb\n\
                 [ -e \"$pool/$file\" ] || {{ echo \"E: Version '$version' for '$name' was not found\" >&2; exit 100; }}\n\
                 cp \"$pool/$file\" .; done ;;\nesac\n",
                pool = archive.path("pool").display(),
                log = archive.path("log").display(),
                list = archive.path("list").display(),
            );
            crate::process::write_script(&archive.path("apt-get"), &script);
            archive
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Makes this the only version of the package.
        fn publish(&self, name: &str, version: &str, content: &str) {
            for entry in fs::read_dir(self.path("pool")).unwrap() {
                let path = entry.unwrap().path();
                if path
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(&format!("{name}_"))
                {
                    fs::remove_file(path).unwrap();
                }
            }
            fs::write(
                self.path("pool").join(format!("{name}_{version}_amd64.deb")),
                format!("{name} {content}"),
            )
            .unwrap();
            let mut list = String::new();
            for entry in fs::read_dir(self.path("pool")).unwrap() {
                let path = entry.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                let file = path.file_name().unwrap().to_string_lossy().into_owned();
                let sum = Digest::of(&bytes).hex();
                list.push_str(&format!(
                    "'http://archive/{file}' {file} {} SHA256:{sum}\n",
                    bytes.len()
                ));
            }
            fs::write(self.path("list"), list).unwrap();
        }

        fn supply(&self, relock: bool) -> Result<Vec<Locked>, BuildError> {
            let release = Release::bundled("1.36").unwrap();
            let (lock_file, cache, apt_get) =
                (self.path("debian.lock"), self.path("cache"), self.path("apt-get"));
            let supplier = Supplier {
                release: &release,
                lock_file: &lock_file,
                relock,
                cache: &cache,
                apt_get: &apt_get,
            };
            let cancel = std::sync::atomic::AtomicBool::new(false);
            supplier.supply(
                &[Architecture::Amd64],
                &Runner {
                    part: "test",
                    cancel: &cancel,
                    progress: &|_| {},
                },
            )
        }

        fn calls(&self) -> usize {
            fs::read_to_string(self.path("log")).unwrap().lines().count()
        }
    }

    #[test]
    fn locked_packages_stay_and_nothing_is_asked_twice() {
        let archive = Archive::new();
        let first = archive.supply(false).unwrap();
        assert_eq!(first[0].version("iptables"), Some("1"));
        let (lock, calls) = (fs::read(archive.path("debian.lock")).unwrap(), archive.calls());
        archive.publish("iptables", "2", "newer");
        assert_eq!(archive.supply(false).unwrap()[0].version("iptables"), Some("1"));
        assert_eq!(
            (fs::read(archive.path("debian.lock")).unwrap(), archive.calls()),
            (lock, calls)
        );
        assert_eq!(archive.supply(true).unwrap()[0].version("iptables"), Some("2"));
    }

    #[test]
    fn a_lock_without_a_package_that_is_new_gets_it_and_keeps_the_others() {
        let archive = Archive::new();
        archive.supply(false).unwrap();
        let path = archive.path("debian.lock");
        let text = fs::read_to_string(&path).unwrap();
        let mut earlier = toml::from_str::<toml::Table>(&text).unwrap();
        let without = |list: &mut toml::Value, is_new: fn(&toml::Value) -> bool| {
            list.as_array_mut().unwrap().retain(|item| !is_new(item));
        };
        without(&mut earlier["wanted"], |name| name.as_str() == Some("keepalived"));
        without(&mut earlier["packages"]["amd64"], |package| {
            package["name"].as_str() == Some("keepalived")
        });
        fs::write(&path, toml::to_string(&earlier).unwrap()).unwrap();
        archive.publish("iptables", "2", "newer");
        archive.publish("keepalived", "2", "new");
        let locked = archive.supply(false).unwrap();
        assert_eq!(locked[0].version("keepalived"), Some("2"));
        assert_eq!(locked[0].version("iptables"), Some("1"));
        assert_eq!(
            Lock::read(&path, "bookworm", &WANTED).unwrap().unwrap().wanted,
            WANTED
        );
    }

    #[test]
    fn a_vanished_package_is_named() {
        let archive = Archive::new();
        archive.supply(false).unwrap();
        fs::remove_dir_all(archive.path("cache/debian")).unwrap();
        archive.publish("iptables", "2", "newer");
        let error = archive.supply(false).unwrap_err();
        assert_eq!(error.code(), "IEC2007");
        assert!(error.to_string().contains("iptables 1 (amd64)"), "{error}");
    }

    #[test]
    fn a_package_that_changed_under_its_version_is_named_and_not_kept() {
        let archive = Archive::new();
        archive.supply(false).unwrap();
        fs::remove_dir_all(archive.path("cache/debian")).unwrap();
        archive.publish("nginx", "1", "something else");
        let error = archive.supply(false).unwrap_err();
        assert_eq!(error.code(), "IEC2008");
        assert!(error.to_string().contains("nginx 1"), "{error}");
    }

    #[test]
    fn what_no_recipe_uses_is_not_locked() {
        for name in [
            "perl",
            "perl-base",
            "perl-modules-5.36",
            "libtext-glob-perl",
            "dpkg",
            "usrmerge",
            "libgdbm6",
        ] {
            assert!(is_unused(name), "{name}");
        }
        for name in ["iptables", "libc6", "coreutils", "libxtables12", "libpcre2-8-0"] {
            assert!(!is_unused(name), "{name}");
        }
    }

    #[test]
    fn a_selection_takes_links_and_needed_libraries_and_nothing_else() {
        let shell = fs::read("/bin/sh").unwrap();
        let needs = elf::needs(&shell).unwrap();
        let mut tree = Tree::default();
        tree.file("/usr/bin/dash", 0o755, shell)
            .link("/usr/bin/sh", "dash")
            .file("/usr/bin/other", 0o755, "x");
        for library in &needs.libraries {
            tree.file(&format!("/usr/lib/x86_64-linux-gnu/{library}"), 0o644, "library");
        }
        tree.file(&needs.interpreter.unwrap(), 0o755, "loader");
        let owner = DebianPackage {
            name: "dash".into(),
            version: "1".into(),
            sha256: "00".into(),
        };
        let owners = [("usr/bin/dash".to_owned(), owner.clone())].into();
        let packages = Packages {
            architecture: Architecture::Amd64,
            tree,
            owners,
        };
        let selection = packages.select(&["/bin/sh"], "test").unwrap();
        assert!(selection.tree.get("usr/bin/sh").is_some() && selection.tree.get("usr/bin/dash").is_some());
        assert!(selection.tree.get("usr/bin/other").is_none());
        assert_eq!(
            selection
                .tree
                .iter()
                .filter(|(path, _)| path.contains("libc.so"))
                .count(),
            1
        );
        assert_eq!(
            selection.origin(),
            Origin::Debian {
                packages: vec![owner]
            }
        );
        let error = packages.select(&["/usr/bin/absent"], "test").unwrap_err();
        assert!(error.to_string().contains("/usr/bin/absent"), "{error}");
    }
}
