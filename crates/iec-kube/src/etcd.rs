//! The members of an etcd, the cluster's or Calico's own, as they know each other, and what each of them says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use iec_core::plan::EtcdStore;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::within;
use crate::exec;
use crate::expected::Expected;
use crate::judge::{EtcdMember, EtcdStatus, is_pod_ready};
use crate::survey::{Read, SYSTEM};

/// How `etcdctl` is asked.
const OPTIONS: [&str; 3] = ["--command-timeout=5s", "-w", "json"];

/// What an etcd says.
pub(crate) struct EtcdData {
    /// Its members, as one of them knows them.
    pub(crate) members: Read<Vec<EtcdMember>>,
    /// What each control plane's own says of itself, by the name of the host.
    pub(crate) statuses: BTreeMap<String, Read<EtcdStatus>>,
}

/// The answer to `member list`.
#[derive(Deserialize)]
struct Members {
    members: Vec<EtcdMember>,
}

/// The answer to `endpoint status`, of one endpoint.
#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Status")]
    status: EtcdStatus,
}

impl EtcdData {
    /// Asks each control plane's etcd about itself, and the first that answers about all members.
    pub(crate) async fn read(
        client: &Client,
        expected: &Expected,
        store: EtcdStore,
        deadline: Duration,
    ) -> Self {
        let pods: Api<Pod> = Api::namespaced(client.clone(), SYSTEM);
        let own = ListParams::default().labels(&format!("component={}", store.pod()));
        let listed = match within(deadline, "listing the pods of etcd", pods.list(&own)).await {
            Ok(listed) => listed.items,
            Err(error) => {
                let reason = error.chain();
                let names = expected.control_planes().map(|node| node.name.clone());
                return Self {
                    statuses: names.map(|name| (name, Err(reason.clone()))).collect(),
                    members: Err(reason),
                };
            }
        };
        let is_ready = |pod: &str| {
            listed
                .iter()
                .any(|each| each.name_any() == pod && is_pod_ready(each))
        };
        let asked = expected.control_planes().map(|node| {
            let (pods, pod) = (&pods, format!("{}-{}", store.pod(), node.name));
            let is_ready = is_ready(&pod);
            async move {
                let status = if is_ready {
                    let words = ["endpoint", "status"];
                    let status = ask::<Vec<Endpoint>>(store, pods, &pod, &words, deadline).await;
                    status.and_then(|mut all| match all.pop() {
                        Some(endpoint) => Ok(endpoint.status),
                        None => Err("its etcd said nothing of itself".to_owned()),
                    })
                } else {
                    Err(format!("pod {pod} is not ready"))
                };
                (node.name.clone(), status)
            }
        });
        let statuses: BTreeMap<String, Read<EtcdStatus>> = join_all(asked).await.into_iter().collect();
        let answers = statuses.iter().find(|(_, status)| status.is_ok());
        let members = match answers {
            Some((name, _)) => {
                let pod = format!("{}-{name}", store.pod());
                let members = ask::<Members>(store, &pods, &pod, &["member", "list"], deadline).await;
                members.map(|list| list.members)
            }
            None => Err("no etcd answers".to_owned()),
        };
        Self { members, statuses }
    }
}

async fn ask<T: DeserializeOwned>(
    store: EtcdStore,
    pods: &Api<Pod>,
    pod: &str,
    words: &[&str],
    deadline: Duration,
) -> Read<T> {
    let words = OPTIONS.iter().chain(words).map(|&word| word.to_owned());
    let command: Vec<String> = store.etcdctl().into_iter().chain(words).collect();
    let said = exec::run(pods, pod, &command, deadline).await;
    let said = said.map_err(|error| error.chain())?;
    serde_json::from_str(&said)
        .map_err(|error| format!("what the etcd of {pod} said cannot be read: {error}"))
}
