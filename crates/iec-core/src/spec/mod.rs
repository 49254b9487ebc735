//! The site file as the user wrote it: every value with its place, no rule applied, no default filled in.
//!
//! Field names are those of the file (`nodeAddress` is `node_address`); the documentation of a field is
//! the documentation of the key, in the JSON Schema and in the reference manual.

mod addons;
mod change;
mod cluster;
mod control_plane;
mod field;
mod hardware;
mod host;
mod json;
mod key;
mod network;
pub(crate) mod read;
pub mod scalar;
pub mod source;
pub mod tree;

use schemars::JsonSchema;

pub use addons::{DnsSpec, DnsZoneSpec, KubeProxySpec};
pub use change::{OnChange, on_change};
pub use cluster::{
    AccessSpec, ContentSpec, EvictionHardSpec, HelmReleaseSpec, HelmSpec, KubeletSpec, RuntimeSpec,
    SystemReservedSpec,
};
pub use control_plane::{ComponentSpec, ControlPlaneSpec};
pub use field::{Entries, Field, List, Spanned};
pub use hardware::{
    DiskSpec, FacilityNetworkSpec, FacilitySpec, HardwareSpec, InterfaceSpec, ManagementSpec,
};
pub use host::{AssumeSpec, HostSpec, TaintSpec};
pub use network::{CalicoSpec, CniSpec, FelixSpec, NetworkSpec, NodeAddressSpec};

use crate::diagnostic::{Diagnostics, Place};
use read::{Read, Reader, read_mapping};
pub(crate) use scalar::is_safe_plain;
use source::Source;

/// A site file as the user wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    document: Document,
    place: Place,
    problems: Diagnostics,
}

impl Spec {
    /// What the file says.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Where the document begins.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What could not be read; empty in a spec that [`parse`] returned.
    #[must_use]
    pub fn problems(&self) -> &Diagnostics {
        &self.problems
    }
}

/// Reads the text of a site file; `file` is what diagnostics call it.
///
/// # Errors
///
/// Everything in the text that is no YAML, no known key, or of the wrong type.
pub fn parse(text: &str, file: &str) -> Result<Spec, Diagnostics> {
    let spec = parse_leniently(text, file)?;
    if spec.problems.is_empty() {
        Ok(spec)
    } else {
        Err(spec.problems)
    }
}

/// Reads what can be read of a site file, so that the rules can be applied to it in the same run.
///
/// # Errors
///
/// When there is nothing to which a rule could be applied.
pub fn parse_leniently(text: &str, file: &str) -> Result<Spec, Diagnostics> {
    let mut problems = Diagnostics::new();
    let source = Source::new(text, file);
    let document = tree::parse(&source, tree::SITE, &mut problems).and_then(|root| {
        Some((
            Document::read(&root, &mut Reader::new(&mut problems))?,
            root.place.clone(),
        ))
    });
    match document {
        Some((document, place)) => Ok(Spec {
            document,
            place,
            problems,
        }),
        None => Err(problems),
    }
}

/// A site: the hosts of one edge cloud, and what is to be installed on them.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Site", rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// The version of this format.
    #[schemars(extend("enum" = ["iec.dev/v1alpha1"]))]
    pub api_version: Field<String>,
    /// What the document describes.
    #[schemars(extend("enum" = ["Site"]))]
    pub kind: Field<String>,
    /// What the site is called.
    pub metadata: Field<MetadataSpec>,
    /// What the site should be.
    pub spec: Field<SiteSpec>,
}

read_mapping! { Document { api_version: "apiVersion", kind: "kind", metadata: "metadata", spec: "spec" } }

/// What the site is called.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "Metadata", rename_all = "camelCase", deny_unknown_fields)]
pub struct MetadataSpec {
    /// The name of the site: small letters, digits and `-`, at most 40 characters.
    #[schemars(extend("pattern" = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"))]
    pub name: Field<String>,
}

read_mapping! { MetadataSpec { name: "name" } }

/// What the site should be.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(rename = "SiteSpec", rename_all = "camelCase", deny_unknown_fields)]
pub struct SiteSpec {
    /// The release of IEC's content: a Kubernetes minor version, in quotes.
    pub release: Field<String>,
    /// Where the parts come from.
    #[schemars(default)]
    pub content: Field<ContentSpec>,
    /// How IEC logs in to the hosts.
    pub access: Field<AccessSpec>,
    /// The hosts of the site. One of them is a control plane.
    #[schemars(extend("minItems" = 1))]
    pub hosts: Field<List<HostSpec>>,
    /// What the control planes have in common.
    #[schemars(default)]
    pub control_plane: Field<ControlPlaneSpec>,
    /// The networks of the cluster.
    #[schemars(default)]
    pub network: Field<NetworkSpec>,
    /// What to do about a container runtime that is already there.
    #[schemars(default)]
    pub runtime: Field<RuntimeSpec>,
    /// What is asked of every kubelet.
    #[schemars(default)]
    pub kubelet: Field<KubeletSpec>,
    /// What Helm installs once the cluster stands.
    #[schemars(default)]
    pub helm: Field<HelmSpec>,
    /// What installers of whole machines must know about the place. IEC keeps it for `iec render`; installing over SSH needs none of it.
    #[schemars(default)]
    pub facility: Field<FacilitySpec>,
    /// What lowers support, and is accepted nevertheless.
    #[schemars(default, extend("items" = {"type": "string", "enum": ["cgroup-v1", "container-host", "restricted-capabilities", "small-host"]}))]
    pub accept: Field<List<String>>,
}

read_mapping! { SiteSpec { release: "release", content: "content", access: "access", hosts: "hosts", control_plane: "controlPlane", network: "network", runtime: "runtime", kubelet: "kubelet", helm: "helm", facility: "facility", accept: "accept" } }

#[cfg(test)]
mod tests {
    use super::read::Mapping;
    use super::*;

    /// Whether the keys that are read are those of the schema; a key that is only in one of them is a mistake.
    fn agree<T: Mapping + JsonSchema>() {
        let schema = schemars::schema_for!(T);
        let properties = schema
            .get("properties")
            .and_then(|properties| properties.as_object());
        let mut described: Vec<&str> = properties
            .expect("a mapping has keys")
            .keys()
            .map(String::as_str)
            .collect();
        let mut read = T::KEYS.to_vec();
        described.sort_unstable();
        read.sort_unstable();
        assert_eq!(described, read, "{}", T::schema_name());
    }

    #[test]
    fn the_schema_has_the_keys_that_are_read() {
        agree::<Document>();
        agree::<MetadataSpec>();
        agree::<SiteSpec>();
        agree::<ContentSpec>();
        agree::<AccessSpec>();
        agree::<HostSpec>();
        agree::<TaintSpec>();
        agree::<AssumeSpec>();
        agree::<ControlPlaneSpec>();
        agree::<ComponentSpec>();
        agree::<NetworkSpec>();
        agree::<CalicoSpec>();
        agree::<RuntimeSpec>();
        agree::<KubeletSpec>();
        agree::<EvictionHardSpec>();
        agree::<SystemReservedSpec>();
        agree::<HelmSpec>();
        agree::<HelmReleaseSpec>();
        agree::<FacilitySpec>();
        agree::<FacilityNetworkSpec>();
        agree::<HardwareSpec>();
        agree::<ManagementSpec>();
        agree::<DiskSpec>();
        agree::<InterfaceSpec>();
    }

    #[test]
    fn what_cannot_be_read_is_no_spec() {
        let problems = parse("kind: 1\nkimd: Site\n", "site.yaml").expect_err("two problems");
        assert_eq!(
            problems.iter().map(|problem| problem.code).collect::<Vec<_>>(),
            ["IEC0005", "IEC0003"]
        );
        let spec = parse_leniently("kind: [1]\n", "site.yaml").expect("something can be read");
        assert!(spec.document().kind.is_broken() && spec.document().metadata.is_absent());
    }
}
