//! Helm and the site's releases.

use crate::content::Digest;
use crate::diagnostic::Diagnostic;
use crate::plan::document;
use crate::plan::op::{FileContent, FileOp, HelmOp, Op, ProgramOwner, ReleaseMark, SecretName};
use crate::plan::part::PartBuilder;
use crate::plan::step::{Phase, StepId};
use crate::secret::Secret;
use crate::site::HelmRelease;

/// The step that installs Helm itself.
const PROGRAM: &str = "program";
/// What the names of steps that write the values of plain releases end with.
const VALUES: &str = "-values";

/// What the steps of a release are called, each name once on a host.
struct Called {
    /// Its step and its files.
    release: String,
    /// The step that writes its values.
    values: String,
    /// How a title calls it.
    title: String,
}

impl Called {
    /// In the namespace `default` a release goes by its name, where that is no other step's. Elsewhere the namespace
    /// stands before it and the dots, which no name has, keep all of them apart.
    fn of(release: &HelmRelease) -> Self {
        let (name, namespace) = (release.name().as_str(), release.namespace().as_str());
        let is_default = namespace == "default";
        let title = if is_default {
            name.to_owned()
        } else {
            format!("{name} in namespace {namespace}")
        };
        if is_default && name != PROGRAM && !name.ends_with(VALUES) {
            return Self {
                release: name.to_owned(),
                values: format!("{name}{VALUES}"),
                title,
            };
        }
        Self {
            release: format!("{namespace}.{name}"),
            values: format!("{namespace}.{name}.values"),
            title,
        }
    }
}

/// Whether this is the step of a release itself, rather than of its values or of Helm.
pub(in crate::plan) fn is_release(step: &StepId) -> bool {
    let parts: Vec<&str> = step.as_str().split('.').collect();
    match parts.as_slice() {
        ["helm", name] => *name != PROGRAM && !name.ends_with(VALUES),
        ["helm", _, _] => true,
        _ => false,
    }
}

pub(in crate::plan) fn helm(part: &mut PartBuilder<'_>) {
    let programs: Vec<_> = part.binary("helm", "/usr/local/bin/helm").into_iter().collect();
    let why = "Charts of applications are installed by it.";
    part.step(
        Phase::Helm,
        PROGRAM,
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
        let called = Called::of(release);
        let Some(&(chart, size)) = part.inputs.charts.get(&release.id()) else {
            let problem = format!(
                "the chart {} of Helm release {name} was not read",
                release.chart()
            );
            let hint = "look at the path of the chart in the site file: it is relative to that file";
            part.problem(Diagnostic::error("IEC3005", problem).hint(hint));
            continue;
        };
        part.blob(chart, size, name);
        let values = document::documents(&[serde_json::Value::Object(release.values().clone())]);
        let path = format!("/etc/iec/helm/{}.yaml", called.release);
        // A digest of the values alone would let whoever reads a script try passwords until it fits.
        let key = part.inputs.credentials.cluster_ca.key_pem.clone();
        let keyed = |text: &str| Digest::of(format!("{}\n{text}", key.expose().trim_end()).as_bytes());
        let digest = keyed(&format!("{chart}{values}"));
        let secret = SecretName::HelmValues(ReleaseMark::of(&called.release));
        let content = FileContent::Changing {
            secret,
            digest: keyed(&values),
        };
        let file = FileOp {
            path: path.clone(),
            mode: 0o600,
            content,
        };
        part.step(
            Phase::Helm,
            &called.values,
            format!("Write {path}"),
            "The values that the site gives the chart; they may be passwords, so nothing shows them.",
            0,
            Op::File(file),
        );
        part.secret(secret, Secret::new(values));
        let op = Op::HelmRelease(HelmOp {
            name: name.to_owned(),
            namespace: release.namespace().to_string(),
            archive: format!("{}.tgz", called.release),
            chart,
            values: path,
            digest,
            sensitive: !release.values().is_empty(),
        });
        part.step(
            Phase::Helm,
            &called.release,
            format!("Install Helm release {}", called.title),
            "The site asks for it.",
            20,
            op,
        );
    }
}
