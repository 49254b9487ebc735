//! Helm and the site's releases.

use crate::content::Digest;
use crate::diagnostic::Diagnostic;
use crate::plan::document;
use crate::plan::op::{HelmOp, Op, ProgramOwner};
use crate::plan::part::PartBuilder;
use crate::plan::step::Phase;

pub(in crate::plan) fn helm(part: &mut PartBuilder<'_>) {
    let programs: Vec<_> = part.binary("helm", "/usr/local/bin/helm").into_iter().collect();
    let why = "Charts of applications are installed by it.";
    part.step(
        Phase::Helm,
        "program",
        "Install Helm",
        why,
        1,
        Op::Programs {
            programs,
            owner: ProgramOwner::Iec,
        },
    );
    for release in part.inputs.site.helm() {
        let name = release.name().as_str();
        let Some(&(chart, size)) = part.inputs.charts.get(name) else {
            let problem = format!(
                "the chart {} of Helm release {name} was not read",
                release.chart()
            );
            part.problem(Diagnostic::error("IEC3005", problem));
            continue;
        };
        part.blob(chart, size, name);
        let values = document::documents(&[serde_json::Value::Object(release.values().clone())]);
        let path = format!("/etc/iec/helm/{name}.yaml");
        let digest = Digest::of(format!("{chart}{values}").as_bytes());
        // Values may hold what only root should read.
        part.file(
            Phase::Helm,
            &format!("{name}-values"),
            &path,
            0o600,
            "The values that the site gives the chart.",
            values,
        );
        let op = Op::HelmRelease(HelmOp {
            name: name.to_owned(),
            namespace: release.namespace().to_string(),
            chart,
            values: path,
            digest,
        });
        part.step(
            Phase::Helm,
            name,
            format!("Install Helm release {name}"),
            "The site asks for it.",
            20,
            op,
        );
    }
}
