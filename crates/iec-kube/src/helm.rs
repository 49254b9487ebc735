//! Helm releases: what Helm keeps of each, and whether the objects that it made are there and ready.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::discovery::{self, Scope};
use kube::{Api, Client, ResourceExt as _};
use serde::Deserialize;
use serde_json::Value;

use crate::cluster::within;
use crate::expected::{Expected, ExpectedRelease};
use crate::judge::HelmRelease;
use crate::survey::Read;

/// The longest record of a release that is read; Helm itself cannot keep more than 1 MiB of it compressed.
const RECORD: u64 = 64 << 20;
/// How many objects are asked for at a time.
const AT_ONCE: usize = 8;

/// What Helm keeps of a release, as far as it matters here. The values in it are not read.
#[derive(Deserialize)]
struct Record {
    manifest: String,
}

/// An object that Helm made.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    api_version: String,
    kind: String,
    metadata: Name,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Name {
    name: String,
    namespace: Option<String>,
}

/// The site's releases as they are in the cluster, in the order of the site file.
pub(crate) async fn read(client: &Client, expected: &Expected, deadline: Duration) -> Read<Vec<HelmRelease>> {
    stream::iter(&expected.releases)
        .then(|release| read_release(client, release, deadline))
        .try_collect()
        .await
}

async fn read_release(client: &Client, release: &ExpectedRelease, deadline: Duration) -> Read<HelmRelease> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &release.namespace);
    let records = ListParams::default().labels(&format!("owner=helm,name={}", release.name));
    let what = format!("listing what Helm keeps of {release}");
    let records = within(deadline, what, secrets.list(&records))
        .await
        .map_err(|error| error.chain())?;
    let mut found = HelmRelease {
        name: release.to_string(),
        status: None,
        troubles: Vec::new(),
    };
    let revision = |secret: &Secret| secret.labels().get("version")?.parse::<u32>().ok();
    let Some(newest) = records.items.into_iter().max_by_key(revision) else {
        return Ok(found);
    };
    found.status = Some(newest.labels().get("status").cloned().unwrap_or_default());
    let record = newest.data.as_ref().and_then(|data| data.get("release"));
    let manifest = manifest_of(record.map_or(&[], |bytes| bytes.0.as_slice()))
        .map_err(|error| format!("reading what Helm keeps of {release}: {error}"))?;
    found.troubles = troubles(client, release, &objects_in(&manifest)?, deadline).await?;
    Ok(found)
}

/// The manifest in a record: JSON, compressed, in base64 (Helm's `pkg/storage/driver/util.go`).
fn manifest_of(record: &[u8]) -> Result<String, Box<dyn std::error::Error>> {
    let compressed = STANDARD.decode(record)?;
    let record: Record = serde_json::from_reader(GzDecoder::new(compressed.as_slice()).take(RECORD))?;
    Ok(record.manifest)
}

/// The objects of a manifest. A document with nothing in it is none.
fn objects_in(manifest: &str) -> Read<Vec<Made>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifest)
        .map_err(|error| format!("reading a manifest of Helm: {error}"))?;
    let documents = documents.into_iter().filter(|document| !document.is_null());
    documents
        .map(|document| {
            serde_json::from_value(document).map_err(|error| format!("reading a manifest of Helm: {error}"))
        })
        .collect()
}

/// What is wrong with the objects, a line for each, in the order of the manifest.
async fn troubles(
    client: &Client,
    release: &ExpectedRelease,
    objects: &[Made],
    deadline: Duration,
) -> Read<Vec<String>> {
    let mut kinds: BTreeMap<(&str, &str), Option<(ApiResource, Scope)>> = BTreeMap::new();
    for object in objects {
        let key = (object.api_version.as_str(), object.kind.as_str());
        if let Entry::Vacant(vacant) = kinds.entry(key) {
            vacant.insert(kind(client, object, deadline).await?);
        }
    }
    let each = objects.iter().map(|object| {
        let kind = &kinds[&(object.api_version.as_str(), object.kind.as_str())];
        trouble(client, release, object, kind.as_ref(), deadline)
    });
    let found: Vec<Option<String>> = stream::iter(each).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// How the API server calls objects of this kind; none if it has no such kind (any more).
async fn kind(client: &Client, object: &Made, deadline: Duration) -> Read<Option<(ApiResource, Scope)>> {
    let (group, version) = object
        .api_version
        .split_once('/')
        .unwrap_or(("", &object.api_version));
    let kind = GroupVersionKind::gvk(group, version, &object.kind);
    let ask = async {
        match discovery::pinned_kind(client, &kind).await {
            Ok((resource, capabilities)) => Ok(Some((resource, capabilities.scope))),
            Err(kube::Error::Discovery(_)) => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    };
    within(deadline, format!("asking for the kind {}", object.kind), ask)
        .await
        .map_err(|error| error.chain())
}

async fn trouble(
    client: &Client,
    release: &ExpectedRelease,
    object: &Made,
    kind: Option<&(ApiResource, Scope)>,
    deadline: Duration,
) -> Read<Option<String>> {
    let name = &object.metadata.name;
    let Some((resource, scope)) = kind else {
        return Ok(Some(format!(
            "{} {name}: the cluster has no such kind",
            object.kind
        )));
    };
    let namespace = object.metadata.namespace.as_deref().unwrap_or(&release.namespace);
    let (api, place): (Api<DynamicObject>, _) = match scope {
        Scope::Cluster => (Api::all_with(client.clone(), resource), name.clone()),
        Scope::Namespaced => (
            Api::namespaced_with(client.clone(), namespace, resource),
            format!("{namespace}/{name}"),
        ),
    };
    let what = format!("reading {} {place}", object.kind);
    let found = within(deadline, what, api.get_opt(name))
        .await
        .map_err(|error| error.chain())?;
    let trouble = match found {
        None => Some("does not exist".to_owned()),
        Some(found) if found.metadata.deletion_timestamp.is_some() => Some("is being removed".to_owned()),
        Some(found) => unready(&object.kind, &found.data),
    };
    Ok(trouble.map(|trouble| format!("{} {place}: {trouble}", object.kind)))
}

/// What a workload lacks of being ready.
fn unready(kind: &str, object: &Value) -> Option<String> {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    let (wanted, ready) = match kind {
        "Deployment" | "StatefulSet" | "ReplicaSet" => (
            number("/spec/replicas").unwrap_or(1),
            number("/status/readyReplicas"),
        ),
        "DaemonSet" => (
            number("/status/desiredNumberScheduled").unwrap_or(0),
            number("/status/numberReady"),
        ),
        _ => return None,
    };
    let ready = ready.unwrap_or(0);
    (ready < wanted).then(|| format!("{ready} of {wanted} pods are ready"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_helm_keeps_is_read() {
        let manifest = "---\n# Source: shop\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: till}\n\
            ---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: prices\n  namespace: other\n---\n# nothing\n";
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        write!(
            encoder,
            "{}",
            json!({"config": {"password": "x"}, "manifest": manifest})
        )
        .expect("in memory");
        let record = STANDARD.encode(encoder.finish().expect("in memory"));
        let objects = objects_in(&manifest_of(record.as_bytes()).expect("a record")).expect("objects");
        let names: Vec<_> = objects
            .iter()
            .map(|each| {
                (
                    each.kind.as_str(),
                    each.metadata.name.as_str(),
                    each.metadata.namespace.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            names,
            [
                ("Deployment", "till", None),
                ("ConfigMap", "prices", Some("other"))
            ]
        );
        for bad in [&b"not base64!"[..], b"eA==", b""] {
            assert!(manifest_of(bad).is_err());
        }
        assert!(objects_in("kind: [").is_err());
    }

    #[test]
    fn a_workload_is_ready_when_all_its_pods_are() {
        let of = |kind, spec, status| unready(kind, &json!({"spec": spec, "status": status}));
        assert_eq!(
            of("Deployment", json!({"replicas": 2}), json!({"readyReplicas": 2})),
            None
        );
        assert_eq!(
            of("Deployment", json!({"replicas": 2}), json!({})).as_deref(),
            Some("0 of 2 pods are ready")
        );
        assert_eq!(of("StatefulSet", json!({"replicas": 0}), json!({})), None);
        assert_eq!(
            of(
                "DaemonSet",
                json!({}),
                json!({"desiredNumberScheduled": 3, "numberReady": 1})
            )
            .as_deref(),
            Some("1 of 3 pods are ready")
        );
        assert_eq!(of("Service", json!({}), json!({})), None);
    }
}
