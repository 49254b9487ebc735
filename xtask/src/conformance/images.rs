//! The images that conformance tests run, made of programs that were built here: they are to be had from a registry only.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use iec_core::content::Digest;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

/// Where the programs are found by in an image.
const SEARCH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The web server's only site.
const SITE: &str = "server { listen 80; root /usr/share/nginx/html; }\n";

/// The user and the group that agnhost's image is tested for.
const USER: &str = "user-defined-in-image:x:1000:1000::/:/bin/sh\n";
const GROUPS: &str = "user-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n";

/// Where what images are made of is.
pub(super) struct Sources {
    /// A Debian root file system with the tools that tests call, as a tar archive.
    pub(super) root: PathBuf,
    /// The folder of the programs that were built.
    pub(super) programs: PathBuf,
    /// Kubernetes' own `test/images`.
    pub(super) upstream: PathBuf,
}

/// What an image has above the root, and how it starts.
#[derive(Default)]
struct Image {
    files: Vec<(String, u32, Vec<u8>)>,
    links: Vec<(&'static str, &'static str)>,
    folders: Vec<&'static str>,
    config: Value,
}

/// The images of this list that can be made here, as one archive; gives how many those are.
///
/// # Errors
/// When something that they are made of cannot be read, or the archive cannot be written.
pub(super) fn write(names: &[&str], sources: &Sources, path: &Path) -> anyhow::Result<usize> {
    let root = fs::read(&sources.root).context("the images' root cannot be read")?;
    let root_layer = format!("{}.tar", Digest::of(&root).hex());
    let mut archive = Builder::new(fs::File::create(path)?);
    put(&mut archive, &root_layer, 0o644, &root)?;
    let mut manifest = Vec::new();
    for name in names {
        let Some(image) = image(name, sources)? else {
            continue;
        };
        let layer = image.layer()?;
        let layer_name = format!("{}.tar", Digest::of(&layer).hex());
        put(&mut archive, &layer_name, 0o644, &layer)?;
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": image.config,
            "history": [{}, {}],
            "rootfs": {
                "type": "layers",
                "diff_ids": [Digest::of(&root).to_string(), Digest::of(&layer).to_string()],
            },
        });
        let config = serde_json::to_vec(&config)?;
        let config_name = format!("{}.json", Digest::of(&config).hex());
        put(&mut archive, &config_name, 0o644, &config)?;
        manifest.push(json!({
            "Config": config_name,
            "RepoTags": [name],
            "Layers": [root_layer, layer_name],
        }));
    }
    put(
        &mut archive,
        "manifest.json",
        0o644,
        &serde_json::to_vec(&manifest)?,
    )?;
    archive.finish()?;
    Ok(manifest.len())
}

/// What the image of this name is made of, where it can be made here.
fn image(name: &str, sources: &Sources) -> anyhow::Result<Option<Image>> {
    let Some((short, _)) = name
        .strip_prefix("registry.k8s.io/e2e-test-images/")
        .and_then(|name| name.split_once(':'))
    else {
        return Ok(None);
    };
    let mut image = Image::default();
    match short {
        "agnhost" => agnhost(&mut image, sources)?,
        // A test reads the errors of busybox's shell, by its path. It drops variables whose names are no names of a
        // shell, as Debian's own does; the test that looks for them finds `sh` on the search path.
        "busybox" => {
            image.links = vec![
                ("usr/bin/sh", "busybox"),
                ("usr/local/bin/sh", "../../bin/bash-static"),
                ("usr/bin/wget", "busybox"),
                ("usr/bin/nc", "busybox"),
                ("usr/bin/sysctl", "../sbin/sysctl"),
            ];
            image.config = json!({"Cmd": ["sh"], "Env": [SEARCH]});
        }
        "glibc-dns-testing" => image.config = json!({"Cmd": ["sh"], "Env": [SEARCH]}),
        "nginx" => {
            image.file("etc/nginx/sites-enabled/default", 0o644, SITE);
            image.config = json!({"Cmd": ["nginx", "-g", "daemon off;"], "Env": [SEARCH]});
        }
        "kitten" | "nautilus" => {
            image.program(sources, "agnhost")?;
            image.below(&sources.upstream.join(short).join("html"))?;
            image.config = json!({"Entrypoint": ["/agnhost", "test-webserver"], "Env": [SEARCH]});
        }
        "nonewprivs" => {
            let program = fs::read(sources.programs.join("nonewprivs"))?;
            // Who runs it becomes root, unless a pod may not gain privileges: that is what its test is about.
            image.file("usr/local/bin/nnp", 0o6755, program);
            image.config = json!({"Cmd": ["nnp"], "Env": [SEARCH]});
        }
        "nonroot" => image.config = json!({"User": "1234", "Cmd": ["id"], "Env": [SEARCH]}),
        "sample-apiserver" => {
            image.program(sources, "sample-apiserver")?;
            image.config = json!({"Entrypoint": ["/sample-apiserver"], "Env": [SEARCH]});
        }
        _ => return Ok(None),
    }
    Ok(Some(image))
}

fn agnhost(image: &mut Image, sources: &Sources) -> anyhow::Result<()> {
    image.program(sources, "agnhost")?;
    image.links = vec![
        ("agnhost-2", "agnhost"),
        ("usr/bin/sh", "bash-static"),
        ("usr/bin/wget", "busybox"),
    ];
    image.folders = vec!["uploads"];
    for name in ["localhost.crt", "localhost.key"] {
        let bytes = fs::read(sources.upstream.join("agnhost/porter").join(name))?;
        image.file(name, 0o644, bytes);
    }
    for (path, more) in [("etc/passwd", USER), ("etc/group", GROUPS)] {
        let mut text = of_root(&sources.root, path)?;
        text.push_str(more);
        image.file(path, 0o644, text);
    }
    image.config = json!({"Entrypoint": ["/agnhost"], "Cmd": ["pause"], "Env": [SEARCH]});
    Ok(())
}

/// A text of the root.
fn of_root(root: &Path, path: &str) -> anyhow::Result<String> {
    let mut archive = tar::Archive::new(fs::File::open(root)?);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry
            .path()?
            .strip_prefix("./")
            .is_ok_and(|found| found == Path::new(path))
        {
            return std::io::read_to_string(entry).map_err(Into::into);
        }
    }
    anyhow::bail!("the images' root has no {path}")
}

impl Image {
    fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.files.push((path.to_owned(), mode, bytes.into()));
    }

    fn program(&mut self, sources: &Sources, name: &str) -> anyhow::Result<()> {
        let bytes = fs::read(sources.programs.join(name))?;
        self.file(name, 0o755, bytes);
        Ok(())
    }

    /// The files of a folder, in the root folder of the image.
    fn below(&mut self, folder: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name
                .to_str()
                .context("upstream's files have names of plain text")?;
            self.file(name, 0o644, fs::read(entry.path())?);
        }
        Ok(())
    }

    fn layer(&self) -> anyhow::Result<Vec<u8>> {
        let mut archive = Builder::new(Vec::new());
        for name in &self.folders {
            let mut header = header(EntryType::Directory, 0o777, 0);
            archive.append_data(&mut header, name, std::io::empty())?;
        }
        for (path, mode, bytes) in &self.files {
            put(&mut archive, path, *mode, bytes)?;
        }
        for (path, to) in &self.links {
            archive.append_link(&mut header(EntryType::Symlink, 0o777, 0), path, to)?;
        }
        Ok(archive.into_inner()?)
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}

fn put(archive: &mut Builder<impl Write>, path: &str, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = header(EntryType::Regular, mode, bytes.len() as u64);
    archive.append_data(&mut header, path, bytes)
}
