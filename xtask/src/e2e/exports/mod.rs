//! What `iec render` writes for other tools, read by programs that read it there: an API server, kubeadm, cloud-init.

mod api_server;
mod bootstrap;
mod programs;
mod schemas;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use iec_core::architecture::Architecture;

use self::api_server::ApiServer;
use self::programs::Programs;
use super::machine::Machine;
use super::steps::Steps;
use crate::workspace;

/// What the scenario is called.
pub(super) const NAME: &str = "exports";

/// Every example site: rendered, taken by an API server, its configurations by kubeadm, its first boots by cloud-init.
///
/// # Errors
/// When one of them takes something not.
pub(super) fn steps(machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let programs = steps.run("the programs come out of the bundle", || Programs::of(machine))?;
    let server = steps.run("an API server and its etcd start", || {
        ApiServer::start(machine, &programs)
    })?;
    steps.run("it knows the kinds", || schemas::apply(machine, &server))?;
    let sites = workspace::root().join("sites");
    let mut names: Vec<String> = fs::read_dir(&sites)?
        .filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.is_dir()))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    for name in &names {
        let desk = Desk::of(machine, &sites.join(name), name)?;
        steps.run(&format!("{name}: the API server takes every object"), || {
            desk.objects(machine, &server)
        })?;
        steps.run(
            &format!("{name}: kubeadm and cloud-init take what machines get"),
            || {
                let objects = server.objects(&desk.namespace(&server)?)?;
                bootstrap::check(machine, &programs, name, &objects)
            },
        )?;
        steps.run(&format!("{name}: cloud-init takes its first boots"), || {
            desk.first_boots(machine)
        })?;
    }
    ensure!(!names.is_empty(), "there are no example sites");
    Ok(())
}

/// A copy of an example site, made from the bundle of the test, beside which IEC puts secrets.
struct Desk {
    name: String,
    folder: PathBuf,
    site: PathBuf,
}

impl Desk {
    fn of(machine: &Machine, example: &Path, name: &str) -> anyhow::Result<Self> {
        let folder = machine.logs.join(name);
        fs::create_dir_all(&folder)?;
        let text = fs::read_to_string(example.join("site.yaml"))?;
        let bundle = machine.bundle_folder()?;
        let bundle = bundle.to_str().context("the bundle's path is no plain text")?;
        let site = folder.join("site.yaml");
        fs::write(&site, with_bundle(&text, bundle))?;
        for chart in charts(&text) {
            let chart_folder = folder.join(&chart.path);
            fs::create_dir_all(&chart_folder)?;
            let text = format!(
                "apiVersion: v2\nname: {}\nversion: {}\n",
                chart.name, chart.version
            );
            fs::write(chart_folder.join("Chart.yaml"), text)?;
        }
        Ok(Self {
            name: name.to_owned(),
            folder,
            site,
        })
    }

    /// Renders the site in this format; gives the folder.
    fn rendered(
        &self,
        machine: &Machine,
        format: &str,
        site: &Path,
        more: &[&str],
    ) -> anyhow::Result<PathBuf> {
        let out = self.folder.join(format);
        let plain = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .context("a path is no plain text")
        };
        let (site, folder) = (plain(site)?, plain(&out)?);
        let mut words = vec!["render", format, &site, "--out", &folder];
        words.extend(more);
        machine.iec_done(&format!("{}-{format}", self.name), &words)?;
        Ok(out)
    }

    fn objects(&self, machine: &Machine, server: &ApiServer) -> anyhow::Result<()> {
        for format in ["metal3", "clusterinstance"] {
            let out = self.rendered(machine, format, &self.site, &[])?;
            let mut files: Vec<PathBuf> = fs::read_dir(&out)?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect();
            files.sort();
            ensure!(!files.is_empty(), "{format} has no files");
            for file in files {
                server.apply(&file, &[])?;
            }
        }
        let namespace = self.namespace(server)?;
        // What Cluster API would apply to the new cluster; its own keys may keep a site's Calico out.
        if let Some(manifest) = server.text(
            &namespace,
            "configmap",
            &format!("{namespace}-calico"),
            "calico.yaml",
        )? {
            let file = self.folder.join("calico.yaml");
            fs::write(&file, manifest)?;
            server.apply(&file, &["--dry-run=server"])?;
        }
        Ok(())
    }

    /// The namespace of its objects.
    fn namespace(&self, server: &ApiServer) -> anyhow::Result<String> {
        let first = self.folder.join("metal3/1-hosts.yaml");
        let objects = server.parsed(&first)?;
        let name = objects.iter().find(|object| object["kind"] == "Namespace");
        let name = name.and_then(|object| object["metadata"]["name"].as_str());
        name.map(str::to_owned)
            .with_context(|| format!("{} has no namespace", first.display()))
    }

    /// Renders media of first boots, for hosts that the bundle is for, and has cloud-init look at each.
    fn first_boots(&self, machine: &Machine) -> anyhow::Result<()> {
        let own = Architecture::from_uname(std::env::consts::ARCH).context("an unknown architecture")?;
        let mut text = fs::read_to_string(&self.site)?;
        for other in [Architecture::Amd64, Architecture::Arm64] {
            text = text.replace(
                &format!("architecture: {}", other.debian_name()),
                &format!("architecture: {}", own.debian_name()),
            );
        }
        let site = self.folder.join("site-of-one-architecture.yaml");
        fs::write(&site, text)?;
        let more = ["--no-secrets", "--url", "http://content.example.invalid/iec"];
        let out = self.rendered(machine, "cloud-init", &site, &more)?;
        let mut seeds = 0;
        for entry in fs::read_dir(&out)? {
            let user_data = entry?.path().join("user-data");
            if user_data.is_file() {
                bootstrap::cloud_init(machine, &user_data)?;
                seeds += 1;
            }
        }
        ensure!(seeds > 0, "there is no user-data in {}", out.display());
        Ok(())
    }
}

/// The site file with this bundle in the place of its own.
fn with_bundle(text: &str, bundle: &str) -> String {
    let mut lines = Vec::new();
    let mut of_content = false;
    for line in text.lines() {
        of_content = line.starts_with("  content:") || (of_content && line.starts_with("    "));
        if !of_content {
            lines.push(line.to_owned());
        }
        if line == "spec:" {
            lines.push(format!("  content: {{bundle: \"{bundle}\"}}"));
        }
    }
    lines.join("\n") + "\n"
}

/// A chart that a site file names.
struct Chart {
    path: String,
    name: String,
    version: String,
}

/// The charts of the site file; the examples have none beside them.
fn charts(text: &str) -> Vec<Chart> {
    let value = |line: &str, key: &str| line.trim().strip_prefix(key).map(|value| value.trim().to_owned());
    let paths = text.lines().filter_map(|line| value(line, "chart:"));
    let versions = text.lines().filter_map(|line| value(line, "version:"));
    paths
        .zip(versions)
        .map(|(path, version)| {
            let file = path.rsplit('/').next().unwrap_or_default();
            let name = file.split(&format!("-{version}")).next().unwrap_or_default();
            Chart {
                name: name.to_owned(),
                path,
                version,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_gets_the_bundle_of_the_test_and_charts_to_read() {
        let text = "kind: Site\nspec:\n  release: \"1.36\"\n  content:\n    bundle: ./bundle\n\n  helm:\n    releases:\n      - name: a\n        chart: ./charts/telemetry-1.4.2.tgz\n        version: 1.4.2\n";
        let changed = with_bundle(text, "/b");
        assert_eq!(
            changed,
            "kind: Site\nspec:\n  content: {bundle: \"/b\"}\n  release: \"1.36\"\n\n  helm:\n    releases:\n      - name: a\n        chart: ./charts/telemetry-1.4.2.tgz\n        version: 1.4.2\n"
        );
        let charts = charts(text);
        assert_eq!(charts.len(), 1);
        assert_eq!(
            (&*charts[0].name, &*charts[0].version, &*charts[0].path),
            ("telemetry", "1.4.2", "./charts/telemetry-1.4.2.tgz")
        );
    }
}
