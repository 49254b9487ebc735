//! Makes a seed: a native containerd with a root of its own imports images for another platform, and its data is packed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use iec_core::architecture::Architecture;
use iec_core::content::{Digest, ImageItem, Kind, OCI_LAYOUT, index_json};
use iec_core::seed::{CONTENT, FOLDERS, LABEL_FILE, LONGEST_LABEL, Seed, SeedLabel};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::bundle::Bundle;
use crate::found::{Found, hashed};
use crate::problem::BundleError;
use crate::trust::Trust;

/// How long containerd may take to answer.
const STARTING: Duration = Duration::from_secs(60);
/// How long it has to end by itself after it was asked to.
const ENDING: Duration = Duration::from_secs(10);
/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(50);
/// What the names of working folders begin with.
const PREFIX: &str = "seed-";
/// The namespace in which Kubernetes looks for images.
const NAMESPACE: &str = "k8s.io";
/// By what a seed is compressed: every Debian has gzip, and a host that is slow is slow at anything better.
const COMPRESSION: &str = "--use-compress-program=gzip --no-name -3";
/// The longest end of a program's words that an error repeats, in bytes.
const LONGEST_WORDS: usize = 2000;

/// Which seed is to be made.
#[derive(Debug)]
pub struct SeedRequest<'a> {
    /// The bundle with the images, and with containerd for this machine.
    pub bundle: &'a Bundle,
    /// What the seed says of itself.
    pub label: &'a SeedLabel,
    /// The folder in which a working folder is made, and removed again.
    pub work: &'a Path,
    /// Where the archive goes. A file that is there is replaced when the new one is whole.
    pub out: &'a Path,
    /// Set to stop.
    pub cancel: &'a AtomicBool,
}

/// Why there is no seed.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// Layers can only be unpacked by root.
    #[error("images can only be unpacked by root: their files belong to other users")]
    NotRoot,
    /// The bundle has nothing that could unpack them here.
    #[error("the bundle has no {program} for {architecture}, which is this machine's architecture")]
    NoRuntime {
        /// The program that it lacks.
        program: &'static str,
        /// This machine's architecture.
        architecture: String,
    },
    /// The bundle has no such image.
    #[error("the bundle has no image {reference} with the digest that the seed names")]
    NoImage {
        /// Its reference.
        reference: String,
    },
    /// The bundle is not what was built.
    #[error("the bundle cannot be used")]
    Bundle(#[source] BundleError),
    /// A program did not do its work.
    #[error("{program} {outcome}: {said}")]
    Program {
        /// The program.
        program: &'static str,
        /// How it ended.
        outcome: String,
        /// The last that it said.
        said: String,
    },
    /// What was unpacked is not what was asked for.
    #[error("containerd did not unpack {what}")]
    Incomplete {
        /// The image, or the layer.
        what: String,
    },
    /// The file is no seed.
    #[error("{} is no seed: {reason}", path.display())]
    NoSeed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The user wants it to stop.
    #[error("stopped before the seed was made")]
    Cancelled,
    /// A file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl SeedError {
    /// The stable code that the manual explains.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRoot | Self::NoRuntime { .. } => "IEC2030",
            Self::NoImage { .. } | Self::Program { .. } | Self::Incomplete { .. } => "IEC2031",
            Self::Bundle(error) => error.code(),
            Self::NoSeed { .. } => "IEC2032",
            Self::Cancelled => "IEC2011",
            Self::Io { .. } => "IEC2013",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn next_action(&self) -> String {
        match self {
            Self::NotRoot => "run it as root; or let the host unpack them: `iec apply` does so by itself".to_owned(),
            Self::NoRuntime { architecture, .. } => {
                format!("iec bundle build --arch amd64,arm64   # with {architecture} among them")
            }
            Self::NoImage { .. } => "iec bundle verify".to_owned(),
            Self::Bundle(error) => error.next_action(),
            Self::Program { .. } | Self::Incomplete { .. } => {
                "the folder of the cache must be on a disk's own file system, not on an overlay; or let the host unpack them"
                    .to_owned()
            }
            Self::NoSeed { .. } => "iec bundle seed --host HOST --out FILE makes one".to_owned(),
            Self::Cancelled => "start it again".to_owned(),
            Self::Io { .. } => "check the path, its permissions and the free space".to_owned(),
        }
    }

    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Makes a seed. Nothing of it stays but the archive: the working folder goes, and so do the mounts, which only a
/// namespace of its own has.
///
/// # Errors
/// When this machine cannot make one, when the bundle lacks something, or when writing fails.
pub fn make_seed(request: &SeedRequest<'_>, trust: &mut Trust) -> Result<Seed, SeedError> {
    if !rustix::process::geteuid().is_root() {
        return Err(SeedError::NotRoot);
    }
    let images = images(request)?;
    let programs = ["containerd", "ctr"].map(|name| program(request.bundle, name));
    let [containerd, ctr] = programs;
    let (containerd, ctr) = (containerd?, ctr?);
    let blobs = images.iter().flat_map(ImageItem::blobs).map(|blob| blob.digest);
    let needed = blobs.chain([containerd, ctr]).collect();
    request.bundle.check(&needed, trust).map_err(SeedError::Bundle)?;

    fs::create_dir_all(request.work).map_err(SeedError::io("create", request.work))?;
    let _lock = sweep(request.work)?;
    let folder = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(request.work)
        .map_err(SeedError::io("create a folder in", request.work))?;
    let place = Workplace {
        folder: folder.path(),
    };
    place.install(request.bundle, &containerd, "containerd")?;
    place.install(request.bundle, &ctr, "ctr")?;
    let runtime = Runtime::start(&place, request.cancel)?;
    import(&place, request, &images)?;
    let unpacked = is_whole(&place, request, &images);
    runtime.stop();
    unpacked?;
    pack(&place, request, &images)
}

/// What a seed file says of itself, with its digest.
///
/// # Errors
/// When the file cannot be read, or is no seed.
pub fn read_seed(path: &Path) -> Result<Seed, SeedError> {
    let no_seed = |reason: &str| SeedError::NoSeed {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let file = File::open(path).map_err(SeedError::io("read", path))?;
    let mut archive = tar::Archive::new(GzDecoder::new(io::BufReader::new(file)));
    let mut entries = archive.entries().map_err(SeedError::io("read", path))?;
    let first = entries.next().ok_or_else(|| no_seed("it is empty"))?;
    let first = first.map_err(|error| no_seed(&format!("it is no archive ({error})")))?;
    if first.path_bytes().as_ref() != LABEL_FILE.as_bytes() {
        return Err(no_seed(&format!("it does not begin with {LABEL_FILE}")));
    }
    let mut text = String::new();
    first
        .take(LONGEST_LABEL)
        .read_to_string(&mut text)
        .map_err(SeedError::io("read", path))?;
    let label =
        serde_json::from_str(&text).map_err(|error| no_seed(&format!("its label is none ({error})")))?;
    match hashed(path).map_err(SeedError::io("read", path))? {
        Found::File(file) => Ok(Seed {
            label,
            digest: file.digest,
            size: file.size,
        }),
        Found::Other(_) | Found::Nothing => Err(no_seed("it is no file")),
    }
}

/// Takes the lock of the folder, and removes what runs that were killed have left there.
fn sweep(work: &Path) -> Result<File, SeedError> {
    let path = work.join("seed.lock");
    let lock = File::create(&path).map_err(SeedError::io("create", &path))?;
    lock.lock().map_err(SeedError::io("lock", &path))?;
    let entries = fs::read_dir(work).map_err(SeedError::io("read", work))?;
    for entry in entries.filter_map(Result::ok) {
        let is_left = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_left && entry.path().is_dir() {
            fs::remove_dir_all(entry.path()).map_err(SeedError::io("remove", &entry.path()))?;
        }
    }
    Ok(lock)
}

fn images(request: &SeedRequest<'_>) -> Result<Vec<ImageItem>, SeedError> {
    let SeedLabel {
        images, architecture, ..
    } = request.label;
    let found = images.iter().map(|(reference, digest)| {
        let mut items = request.bundle.manifest.items.iter();
        let image = items.find_map(|item| match &item.kind {
            Kind::Image(image)
                if item.architecture == Some(*architecture)
                    && image.reference == *reference
                    && image.manifest.digest == *digest =>
            {
                Some(image.clone())
            }
            _ => None,
        });
        image.ok_or_else(|| SeedError::NoImage {
            reference: reference.clone(),
        })
    });
    found.collect()
}

fn program(bundle: &Bundle, program: &'static str) -> Result<Digest, SeedError> {
    let machine = std::env::consts::ARCH;
    let here = Architecture::from_uname(machine);
    let item = here.and_then(|here| bundle.manifest.binary(program, here));
    item.map(|item| item.digest).ok_or_else(|| SeedError::NoRuntime {
        program,
        architecture: here.map_or(machine, Architecture::go_name).to_owned(),
    })
}

/// The folder in which all of it happens.
struct Workplace<'a> {
    folder: &'a Path,
}

impl Workplace<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Puts a program of the bundle there. A blob is no program: nobody may run it where it lies.
    fn install(&self, bundle: &Bundle, digest: &Digest, name: &str) -> Result<(), SeedError> {
        let path = self.path(name);
        fs::copy(bundle.path_of(digest), &path).map_err(SeedError::io("write", &path))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).map_err(SeedError::io("write", &path))
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new(self.path("ctr"));
        command.arg("--address").arg(self.path("socket"));
        command.args(["--namespace", NAMESPACE]);
        command
    }

    /// containerd's configuration: what unpacks images and nothing else, so no network, no runtime, no folder of the
    /// machine's own.
    fn configuration(&self) -> String {
        let disabled = [
            "io.containerd.cri.v1.images",
            "io.containerd.cri.v1.runtime",
            "io.containerd.grpc.v1.cri",
            "io.containerd.nri.v1.nri",
            "io.containerd.internal.v1.opt",
            "io.containerd.internal.v1.restart",
            "io.containerd.monitor.task.v1.cgroups",
        ];
        let path = |name: &str| self.path(name).display().to_string();
        format!(
            "version = 3\nroot = {:?}\nstate = {:?}\ndisabled_plugins = {disabled:?}\n[grpc]\naddress = {:?}\n[ttrpc]\naddress = {:?}\n",
            path("root"),
            path("state"),
            path("socket"),
            path("socket.ttrpc"),
        )
    }
}

/// A containerd of this run. It ends with it, in whatever way that ends.
struct Runtime {
    child: Child,
    process: Option<rustix::process::Pid>,
}

impl Runtime {
    fn start(place: &Workplace<'_>, cancel: &AtomicBool) -> Result<Self, SeedError> {
        let configuration = place.path("config.toml");
        fs::write(&configuration, place.configuration()).map_err(SeedError::io("write", &configuration))?;
        let log = place.path("log");
        let output = File::create(&log).map_err(SeedError::io("write", &log))?;
        let errors = output.try_clone().map_err(SeedError::io("write", &log))?;
        // Mounts that only a namespace of its own has are gone with it, and the kernel ends it with this program.
        let child = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
            ])
            .arg("echo $$ >\"$1\"; exec \"$2\" --config \"$3\"")
            .arg("sh")
            .args([place.path("pid"), place.path("containerd"), configuration])
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| not_started("setpriv", &error))?;
        let mut runtime = Self { child, process: None };
        let start = Instant::now();
        loop {
            let ended = runtime.child.try_wait().ok().flatten();
            let mut version = place.ctr();
            version.arg("version").stdin(Stdio::null()).stdout(Stdio::null());
            let answers = version
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
            if answers {
                break;
            }
            if cancel.load(Ordering::Relaxed) {
                return Err(SeedError::Cancelled);
            }
            if ended.is_some() || start.elapsed() >= STARTING {
                return Err(SeedError::Program {
                    program: "containerd",
                    outcome: "does not answer".to_owned(),
                    said: last_words(&fs::read(&log).unwrap_or_default()),
                });
            }
            std::thread::sleep(POLL);
        }
        let process = fs::read_to_string(place.path("pid")).ok();
        runtime.process = process
            .and_then(|text| text.trim().parse().ok())
            .and_then(rustix::process::Pid::from_raw);
        Ok(runtime)
    }

    /// Lets it write what it knows, and end.
    fn stop(mut self) {
        if let Some(process) = self.process {
            // Where it has ended already there is nobody to ask, and dropping it waits for its end.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        let start = Instant::now();
        while start.elapsed() < ENDING && !matches!(self.child.try_wait(), Ok(Some(_))) {
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // Of one that has ended both fail, and that is the end that is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Hands all images to containerd as one archive, and pins them.
fn import(place: &Workplace<'_>, request: &SeedRequest<'_>, images: &[ImageItem]) -> Result<(), SeedError> {
    let platform = format!("linux/{}", request.label.architecture);
    let mut command = place.ctr();
    command.args(["images", "import", "--local", "--platform", &platform, "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_started("ctr", &error))?;
    let input = child.stdin.take().expect("standard input is piped");
    let sent = send(input, request, images);
    if request.cancel.load(Ordering::Relaxed) {
        // It has ended, or it ends now.
        let _ = child.kill();
    }
    let output = child
        .wait_with_output()
        .map_err(|error| not_started("ctr", &error))?;
    if request.cancel.load(Ordering::Relaxed) {
        return Err(SeedError::Cancelled);
    }
    if !output.status.success() {
        return Err(failed("ctr", output.status, &output.stderr));
    }
    sent?;
    for image in images {
        let mut label = place.ctr();
        let pinned = "io.cri-containerd.pinned=pinned";
        label.args(["images", "label", &image.reference, pinned]);
        run(label)?;
    }
    Ok(())
}

/// Writes an OCI layout with these images as a tar.
fn send(input: impl io::Write, request: &SeedRequest<'_>, images: &[ImageItem]) -> Result<(), SeedError> {
    let pipe = Path::new("ctr's standard input");
    let mut archive = tar::Builder::new(io::BufWriter::with_capacity(1 << 18, input));
    for (name, text) in [
        ("oci-layout", OCI_LAYOUT.to_owned()),
        ("index.json", index_json(images)),
    ] {
        let header = entry(text.len() as u64);
        append(&mut archive, header, name, text.as_bytes()).map_err(SeedError::io("write to", pipe))?;
    }
    let mut blobs: Vec<_> = images.iter().flat_map(ImageItem::blobs).collect();
    blobs.sort_by_key(|blob| blob.digest);
    blobs.dedup_by_key(|blob| blob.digest);
    for blob in blobs {
        if request.cancel.load(Ordering::Relaxed) {
            return Err(SeedError::Cancelled);
        }
        let path = request.bundle.path_of(&blob.digest);
        let file = File::open(&path).map_err(SeedError::io("read", &path))?;
        let header = entry(blob.size);
        let name = blob.digest.blob_path();
        append(&mut archive, header, &name, file).map_err(SeedError::io("send", &path))?;
    }
    let mut rest = archive.into_inner().map_err(SeedError::io("write to", pipe))?;
    rest.flush().map_err(SeedError::io("write to", pipe))
}

fn entry(size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

fn append(
    archive: &mut tar::Builder<impl io::Write>,
    mut header: tar::Header,
    name: &str,
    content: impl io::Read,
) -> io::Result<()> {
    archive.append_data(&mut header, name, content)
}

/// Whether containerd has each image and each layer of it unpacked.
fn is_whole(place: &Workplace<'_>, request: &SeedRequest<'_>, images: &[ImageItem]) -> Result<(), SeedError> {
    let mut list = place.ctr();
    list.args(["images", "ls", "--quiet"]);
    let known = run(list)?;
    let mut list = place.ctr();
    list.args(["snapshots", "ls"]);
    let unpacked = run(list)?;
    for image in images {
        let incomplete = |what: String| SeedError::Incomplete { what };
        if !known.lines().any(|line| line == image.reference) {
            return Err(incomplete(image.reference.clone()));
        }
        let path = request.bundle.path_of(&image.config.digest);
        let file = File::open(&path).map_err(SeedError::io("read", &path))?;
        let config: Value = serde_json::from_reader(file).unwrap_or_default();
        let layers = config["rootfs"]["diff_ids"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let layers: Vec<&str> = layers.iter().filter_map(Value::as_str).collect();
        let whole = chain_ids(&layers);
        let missing = whole.iter().find(|chain| {
            let is_it = |line: &str| {
                let mut words = line.split_whitespace();
                words.next() == Some(chain) && words.next_back() == Some("Committed")
            };
            !unpacked.lines().any(is_it)
        });
        if whole.len() != image.layers.len() || missing.is_some() {
            return Err(incomplete(format!("every layer of {}", image.reference)));
        }
    }
    Ok(())
}

/// What the OCI image specification calls the chain ids of these layers: each names a layer with all those below it.
fn chain_ids(diff_ids: &[&str]) -> Vec<String> {
    let mut chain: Vec<String> = Vec::new();
    for diff_id in diff_ids {
        let id = match chain.last() {
            None => (*diff_id).to_owned(),
            Some(below) => {
                let hash = Sha256::digest(format!("{below} {diff_id}").as_bytes());
                Digest::from_bytes(hash.into()).to_string()
            }
        };
        chain.push(id);
    }
    chain
}

/// Packs the label and containerd's data, without the files of the images: these are in the bundle, from which a host has
/// them already. The archive gets its name when it is whole, and the owner of its folder.
fn pack(place: &Workplace<'_>, request: &SeedRequest<'_>, images: &[ImageItem]) -> Result<Seed, SeedError> {
    let label = place.path(LABEL_FILE);
    fs::write(&label, request.label.to_json()).map_err(SeedError::io("write", &label))?;
    let out = request.out;
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let new = tempfile::Builder::new()
        .prefix(".iec-seed-")
        .tempfile_in(parent)
        .map_err(SeedError::io("write a file in", parent))?;
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=*",
        "--sort=name",
        COMPRESSION,
    ]);
    let files: BTreeSet<Digest> = images
        .iter()
        .flat_map(ImageItem::blobs)
        .map(|blob| blob.digest)
        .collect();
    tar.args(
        files
            .iter()
            .map(|digest| format!("--exclude={CONTENT}/{}", digest.hex())),
    );
    tar.arg("--file")
        .arg(new.path())
        .arg("--directory")
        .arg(place.folder)
        .arg(LABEL_FILE);
    tar.arg("--directory").arg(place.path("root")).args(FOLDERS);
    run(tar)?;
    let owner = fs::metadata(parent).map_err(SeedError::io("read", parent))?;
    chown(new.path(), Some(owner.uid()), Some(owner.gid())).map_err(SeedError::io("write", new.path()))?;
    new.as_file()
        .sync_all()
        .map_err(SeedError::io("write", new.path()))?;
    let Found::File(file) = hashed(new.path()).map_err(SeedError::io("read", new.path()))? else {
        return Err(SeedError::Incomplete {
            what: out.display().to_string(),
        });
    };
    new.persist(out)
        .map_err(|error| SeedError::io("write", out)(error.error))?;
    Ok(Seed {
        label: request.label.clone(),
        digest: file.digest,
        size: file.size,
    })
}

/// Runs a program to its end and gives what it says.
fn run(mut command: Command) -> Result<String, SeedError> {
    let program = if command.get_program() == "tar" {
        "tar"
    } else {
        "ctr"
    };
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started(program, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(program, output.status, &output.stderr))
    }
}

fn not_started(program: &'static str, error: &io::Error) -> SeedError {
    SeedError::Program {
        program,
        outcome: "could not be run".to_owned(),
        said: error.to_string(),
    }
}

fn failed(program: &'static str, status: std::process::ExitStatus, said: &[u8]) -> SeedError {
    SeedError::Program {
        program,
        outcome: format!("failed ({status})"),
        said: last_words(said),
    }
}

/// The end of what a program has said.
fn last_words(said: &[u8]) -> String {
    let end = &said[said.len().saturating_sub(LONGEST_WORDS)..];
    String::from_utf8_lossy(end).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn chain_ids_are_those_of_the_image_specification() {
        let ids = chain_ids(&["sha256:aa", "sha256:bb", "sha256:cc"]);
        let link = |below: &str, layer: &str| Digest::of(format!("{below} {layer}").as_bytes()).to_string();
        assert_eq!(ids[0], "sha256:aa");
        assert_eq!(ids[1], link("sha256:aa", "sha256:bb"));
        assert_eq!(ids[2], link(&ids[1], "sha256:cc"));
    }

    #[test]
    fn a_file_that_is_no_seed_is_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("seed.tar");
        let reason = || match read_seed(&path) {
            Err(SeedError::NoSeed { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        for no_archive in [String::new(), "x".repeat(2000)] {
            fs::write(&path, no_archive).expect("written");
            assert!(reason().starts_with("it is no archive"));
        }
        let compressed = |archive: tar::Builder<GzEncoder<Vec<u8>>>| {
            let compressed = archive.into_inner().and_then(GzEncoder::finish);
            fs::write(&path, compressed.expect("finished")).expect("written");
        };
        let new = || tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        compressed(new());
        assert_eq!(reason(), "it is empty");
        let tar = |name: &str, text: &str| {
            let mut archive = new();
            append(&mut archive, entry(text.len() as u64), name, text.as_bytes()).expect("written");
            compressed(archive);
        };
        tar("other", "{}");
        assert_eq!(reason(), "it does not begin with iec-seed.json");
        tar(LABEL_FILE, "{}");
        assert!(reason().starts_with("its label is none"));
        let label = r#"{"schema":1,"hosts":["a"],"architecture":"arm64","containerd":"2.4.2","images":{}}"#;
        tar(LABEL_FILE, label);
        let seed = read_seed(&path).expect("a seed");
        assert_eq!(seed.label.hosts, ["a"]);
        assert_eq!(seed.digest, Digest::of(&fs::read(&path).expect("there")));
    }
}
