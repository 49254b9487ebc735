//! The namespace of a management cluster that objects of a description are in.

use iec_core::render::Subject;
use serde_json::{Value, json};

/// The namespace, which has the name of the site.
pub(super) fn namespace(subject: &Subject<'_>) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": subject.site.name() } })
}
