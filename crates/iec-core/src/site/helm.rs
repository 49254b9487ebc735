//! The Helm releases of a site.

use std::fmt;

use serde::Serialize;

use crate::name::{HelmReleaseName, NamespaceName};

/// A Helm release that the site asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HelmRelease {
    pub(in crate::site) name: HelmReleaseName,
    pub(in crate::site) namespace: NamespaceName,
    pub(in crate::site) chart: String,
    pub(in crate::site) version: Option<String>,
    pub(in crate::site) values: serde_json::Map<String, serde_json::Value>,
}

/// What tells a release from every other one: names are unique within a namespace only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReleaseId {
    namespace: NamespaceName,
    name: HelmReleaseName,
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

impl HelmRelease {
    /// What tells the release from every other one of the site.
    #[must_use]
    pub fn id(&self) -> ReleaseId {
        ReleaseId {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// The name of the release.
    #[must_use]
    pub fn name(&self) -> &HelmReleaseName {
        &self.name
    }

    /// The namespace into which it is installed; made if it is not there.
    #[must_use]
    pub fn namespace(&self) -> &NamespaceName {
        &self.namespace
    }

    /// The chart's archive or folder as the user wrote it: a path, relative to the site file.
    #[must_use]
    pub fn chart(&self) -> &str {
        &self.chart
    }

    /// The version that the chart must have.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The values that differ from the chart's own.
    #[must_use]
    pub fn values(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.values
    }
}
