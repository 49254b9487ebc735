//! `iec status`: what the cluster is now, and what hosts that left it still owe, without making anything.

use std::fmt::Write as _;
use std::time::Duration;

use iec_core::report::Report;
use iec_core::site::Role;
use iec_kube::{ClusterStatus, NodeStatus, status};
use serde_json::json;

use super::certificates::{Certificates, certificates};
use super::control_plane_health::control_plane_rows;
use super::operation::operator_line;
use super::owed::{self, Owed};
use super::reach::{block_on, fleet};
use super::{bundle, cluster, site_file, verify};
use crate::cli::Status;
use crate::error::{CliError, Outcome};
use crate::settings::Settings;
use crate::ui::{Document, Ui};

/// Reads the cluster once.
pub(super) fn run(arguments: &Status, settings: &Settings, ui: &Ui) -> Result<Outcome, CliError> {
    let file = site_file::read(&arguments.site)?;
    let release = bundle::release(file.site.release())?;
    let fleet = fleet(&file.site, &arguments.reach, settings)?;
    let ((cluster, mut report), owed, certificates, control_planes) = block_on(async {
        let reached = cluster::open(&file, &release, &fleet, 1.0).await?;
        let owed = owed::owed(&file.site, &fleet);
        let found = status(&reached.cluster, &reached.expected, &|_| {});
        let certificates = certificates(&file.site, &fleet);
        let control_planes = control_plane_rows(&file.site, &fleet, Duration::ZERO);
        Ok(tokio::join!(found, owed, certificates, control_planes))
    })?;
    certificates.complete(&mut report);
    report.rows.extend(control_planes);
    let debts: Vec<_> = owed.iter().map(Owed::json).collect();
    ui.result(
        Document::Status,
        &json!({
            "cluster": cluster, "owed": debts, "certificates": certificates.hosts, "report": report.to_json(),
        }),
        || text(&cluster, &owed, &certificates, &report),
    );
    verify::finish(&report)
}

fn text(cluster: &ClusterStatus, owed: &[Owed], certificates: &Certificates, report: &Report) -> String {
    let version = cluster.version.as_deref().unwrap_or("of an unknown version");
    let mut text = format!("The cluster of {} is Kubernetes {version}.\n\n", report.site);
    if let Some(operator) = &cluster.operator {
        let _ = writeln!(text, "  {}\n", operator_line(operator));
    }
    let width = cluster
        .nodes
        .iter()
        .map(|node| node.name.len())
        .max()
        .unwrap_or(0);
    for node in &cluster.nodes {
        let _ = writeln!(text, "  {}", node_text(node, width));
    }
    for server in &cluster.servers {
        let until = server.certificate_until.as_deref().unwrap_or("an unknown time");
        let _ = writeln!(
            text,
            "  The API server of {} at {} has a certificate until {until}.",
            server.host, server.address
        );
    }
    for host in &certificates.hosts {
        if let Some(first) = host.first() {
            let _ = writeln!(
                text,
                "  Of the certificates on {}, the first to end is {first}.",
                host.host
            );
        }
    }
    let waiting: Vec<_> = cluster.system_pods.iter().filter(|pod| !pod.ready).collect();
    let _ = writeln!(
        text,
        "  {} of {} pods of kube-system are ready.",
        cluster.system_pods.len() - waiting.len(),
        cluster.system_pods.len()
    );
    for pod in waiting {
        let _ = writeln!(
            text,
            "    {}: {}",
            pod.name,
            pod.trouble.as_deref().unwrap_or("not ready")
        );
    }
    for owed in owed {
        let _ = writeln!(text, "  {}", owed.text());
    }
    let _ = write!(text, "\n{}", report.to_text());
    text
}

fn node_text(node: &NodeStatus, width: usize) -> String {
    let role = match node.role {
        Role::ControlPlane => "control-plane",
        Role::Worker => "worker",
    };
    let state = match (node.ready, node.cordoned) {
        (true, false) => "Ready",
        (true, true) => "Ready, closed",
        (false, _) => "NOT READY",
    };
    format!(
        "{:width$}  {role:13}  {state:13}  {:15}  {}  {}  {}, {} {}",
        node.name,
        node.address.as_deref().unwrap_or("no address"),
        node.kubelet,
        node.runtime,
        node.system,
        node.kernel,
        node.architecture
    )
}
