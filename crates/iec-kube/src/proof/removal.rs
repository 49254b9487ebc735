//! Removing a namespace, for certain: asked for, waited for, and what is in the way if it does not go.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};

use crate::cluster::{Cluster, within};
use crate::error::KubeError;
use crate::expected::Expected;

/// How long a namespace may take to go, on hosts of ordinary speed.
const REMOVAL: Duration = Duration::from_secs(60);
/// How long to wait before asking again.
const PAUSE: Duration = Duration::from_millis(150);

/// Why a namespace is not gone.
#[derive(Debug)]
pub(super) enum Stuck {
    /// It is there, and Kubernetes says what holds it.
    Held(Vec<String>),
    /// The API server did not say, or does not allow to ask.
    Unknown(String),
}

/// Deletes a namespace and waits until it is gone; otherwise what is in the way.
pub(super) async fn remove(
    cluster: &Cluster,
    client: &Client,
    expected: &Expected,
    name: &str,
) -> Result<(), Stuck> {
    let start = Instant::now();
    let patience = cluster.patient(REMOVAL);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut state = ask_to_delete(cluster, client, expected, name).await;
    loop {
        let over = start.elapsed() >= patience;
        match state {
            Ok(None) => return Ok(()),
            Ok(Some(namespace)) if over => return Err(Stuck::Held(what_remains(&namespace))),
            Err(error) if over || error.is_denied() => return Err(Stuck::Unknown(error.chain())),
            Ok(Some(_)) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
        let reading = namespaces.get_opt(name);
        state = match within(cluster.call_deadline(), "reading the namespace", reading).await {
            // The first request may have been lost on its way.
            Ok(Some(namespace)) if namespace.metadata.deletion_timestamp.is_none() => {
                ask_to_delete(cluster, client, expected, name).await
            }
            state => state,
        };
    }
}

/// Asks for the namespace's deletion. Gives what is left of it, or nothing if it does not exist.
///
/// Kubernetes waits five seconds before it looks into a namespace that shall go, and looks again later if
/// there are pods. Pods that are deleted here at once are gone by its first look; none can be made any more.
/// A pod on a host that is away goes without its kubelet, which ends what runs there when it is back: it holds nothing.
async fn ask_to_delete(
    cluster: &Cluster,
    client: &Client,
    expected: &Expected,
    name: &str,
) -> Result<Option<Namespace>, KubeError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let parameters = DeleteParams::background();
    let deletion = namespaces.delete(name, &parameters);
    match within(cluster.call_deadline(), "deleting the namespace", deletion).await {
        Ok(answer) => {
            let pods: Api<Pod> = Api::namespaced(client.clone(), name);
            delete_pods(cluster, &pods, &parameters, &ListParams::default()).await;
            for node in expected.nodes.iter().filter(|node| node.is_away()) {
                let there = ListParams::default().fields(&format!("spec.nodeName={}", node.name));
                delete_pods(cluster, &pods, &parameters.clone().grace_period(0), &there).await;
            }
            Ok(answer.left())
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deletes those of the pods that are meant.
async fn delete_pods(cluster: &Cluster, pods: &Api<Pod>, how: &DeleteParams, which: &ListParams) {
    let deletion = pods.delete_collection(how, which);
    if let Err(error) = within(cluster.call_deadline(), "deleting the pods", deletion).await {
        tracing::debug!(
            error = error.chain(),
            "the namespace controller deletes the pods later"
        );
    }
}

fn what_remains(namespace: &Namespace) -> Vec<String> {
    let conditions = namespace
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let holding: Vec<String> = conditions
        .into_iter()
        .flatten()
        .filter(|condition| condition.status == "True")
        .map(|condition| {
            format!(
                "{}: {}",
                condition.type_,
                condition.message.as_deref().unwrap_or_default()
            )
        })
        .collect();
    if holding.is_empty() {
        vec!["Kubernetes does not say why".to_owned()]
    } else {
        holding
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_that_does_not_go_says_what_holds_it() {
        let namespace: Namespace = serde_json::from_value(json!({"status": {"conditions": [
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "all fine"},
            {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1 resource instances"},
        ]}}))
        .expect("a namespace");
        assert_eq!(
            what_remains(&namespace),
            ["NamespaceContentRemaining: pods. has 1 resource instances"]
        );
        assert_eq!(
            what_remains(&Namespace::default()),
            ["Kubernetes does not say why"]
        );
    }
}
