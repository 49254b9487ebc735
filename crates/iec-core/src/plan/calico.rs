//! Calico's own manifest from the bundle, changed by typed patches.

use serde_json::{Map, Value, json};

use crate::content::Digest;
use crate::pace::Pace;
use crate::plan::{calico_etcd, document};
use crate::site::{Calico, Datastore, Site};

/// The group and user that Calico's controllers run as, in upstream's image and in the bundle's.
const CONTROLLERS_GROUP: u32 = 999;

/// The annotation of pods with the digest of the configuration that they were started with.
pub(super) const CONFIGURATION: &str = "iec.dev/configuration";

/// The pool from which pods have their addresses, as calico-node calls the one that it makes where there is none.
pub(super) const POOL: &str = "default-ipv4-ippool";
/// The object with Felix' settings for all hosts.
const FELIX: &str = "default";

/// What the site sets in Calico's own kinds, as YAML. calico-node reads its environment for a pool only where there is none;
/// these are what it has now. Each field that is named here is the site's, all others are Calico's or whoever's.
#[must_use]
pub(super) fn settings(site: &Site, calico: &Calico) -> String {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        })
    };
    let pool = json!({
        "cidr": site.network().pods(),
        "blockSize": calico.block_size(),
        "vxlanMode": calico.encapsulation().vxlan_mode(),
        "ipipMode": "Never",
        "natOutgoing": true,
        "disabled": false,
        "nodeSelector": "all()",
        "allowedUses": ["Workload", "Tunnel"],
    });
    // Without a setting of the site it owns no field, and gives up those that it had.
    let felix = object("FelixConfiguration", FELIX, felix(calico));
    document::documents(&[object("IPPool", POOL, pool), felix])
}

/// The settings of Felix that the site decides, by their names in Calico's FelixConfiguration.
#[must_use]
pub fn felix(calico: &Calico) -> Value {
    let settings = calico.felix();
    let all = [
        ("wireguardEnabled", calico.wireguard().then(|| json!(true))),
        (
            "logSeverityScreen",
            settings.log_severity().map(|word| json!(word)),
        ),
        (
            "prometheusMetricsEnabled",
            settings.prometheus_metrics().map(|is_on| json!(is_on)),
        ),
        (
            "chainInsertMode",
            settings.chain_insert_mode().map(|word| json!(word)),
        ),
    ];
    let given = all
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect())
}

/// Why the bundle's manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum CalicoError {
    /// It is not YAML.
    #[error("Calico's manifest in the bundle is not YAML: {0}")]
    Syntax(String),
    /// Something that a patch changes is not in it.
    #[error("Calico's manifest in the bundle has no {0}")]
    Missing(&'static str),
}

/// What the patches put into the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patch {
    /// Environment variables of calico-node.
    pub(super) environment: Vec<(&'static str, String)>,
    /// The largest packet of pods' links in bytes; 0 lets Calico find it.
    pub(super) mtu: u32,
    /// Seconds between probes and until they give up, on slow hosts.
    pub(super) probe_seconds: Option<u32>,
    /// Where the members of Calico's own etcd are, if it has one, with commas between them.
    pub(super) etcd: Option<String>,
}

impl Patch {
    /// What the site and the slowest of its hosts ask for. `mtu` is the largest packet of pods, where it is known.
    #[must_use]
    pub(super) fn new(site: &Site, calico: &Calico, mtu: Option<u32>, pace: Pace) -> Self {
        let network = site.network();
        Self {
            environment: vec![
                ("CALICO_IPV4POOL_CIDR", network.pods().to_string()),
                (
                    "CALICO_IPV4POOL_VXLAN",
                    calico.encapsulation().vxlan_mode().to_owned(),
                ),
                ("CALICO_IPV4POOL_BLOCK_SIZE", calico.block_size().to_string()),
                ("IP_AUTODETECTION_METHOD", calico.node_address().to_string()),
                // IPv6 is refused by the site's rules.
                ("CALICO_IPV6POOL_VXLAN", "Never".to_owned()),
            ],
            mtu: mtu.unwrap_or_default(),
            probe_seconds: pace.calico_probe_seconds(),
            etcd: (calico.datastore() == Datastore::Etcd).then(|| calico_etcd::endpoints(site)),
        }
    }

    /// The bundle's manifest with this patch, as YAML.
    ///
    /// # Errors
    /// When the manifest is not one that the patch fits.
    pub(super) fn apply(&self, manifest: &str) -> Result<String, CalicoError> {
        let mut objects: Vec<Value> =
            serde_saphyr::from_multiple(manifest).map_err(|error| CalicoError::Syntax(error.to_string()))?;
        objects.retain(|object| !object.is_null());
        let config = find(&mut objects, "ConfigMap", "calico-config")
            .ok_or(CalicoError::Missing("ConfigMap calico-config"))?;
        config["data"]["veth_mtu"] = json!(self.mtu.to_string());
        if let Some(endpoints) = &self.etcd {
            configure_etcd(config, endpoints);
        }
        let configuration = Digest::of(config["data"].to_string().as_bytes());
        let daemon_set = find(&mut objects, "DaemonSet", "calico-node")
            .ok_or(CalicoError::Missing("DaemonSet calico-node"))?;
        // It reads its configuration when it starts: another one has to start it anew.
        daemon_set["spec"]["template"]["metadata"]["annotations"][CONFIGURATION] =
            json!(configuration.short());
        let container = daemon_set["spec"]["template"]["spec"]["containers"]
            .as_array_mut()
            .and_then(|containers| {
                containers
                    .iter_mut()
                    .find(|container| container["name"] == "calico-node")
            })
            .and_then(Value::as_object_mut)
            .ok_or(CalicoError::Missing("container calico-node"))?;
        self.patch_container(container)?;
        if self.etcd.is_some() {
            without_bird(container)?;
            let controllers = find(&mut objects, "Deployment", "calico-kube-controllers")
                .ok_or(CalicoError::Missing("Deployment calico-kube-controllers"))?;
            // The controllers do not run as root, and a Secret's files belong to root unless a group is named.
            controllers["spec"]["template"]["spec"]["securityContext"] =
                json!({"fsGroup": CONTROLLERS_GROUP});
            // The empty one of the manifest would take the keys away again.
            objects.retain(|object| !is(object, "Secret", calico_etcd::SECRET));
        }
        Ok(document::documents(&objects))
    }

    fn patch_container(&self, container: &mut Map<String, Value>) -> Result<(), CalicoError> {
        let environment = container
            .get_mut("env")
            .and_then(Value::as_array_mut)
            .ok_or(CalicoError::Missing("environment of calico-node"))?;
        let mut set = |name: &str, rest: Value| {
            environment.retain(|variable| variable["name"] != *name);
            let mut variable = json!({"name": name});
            if let (Some(variable), Value::Object(rest)) = (variable.as_object_mut(), rest) {
                variable.extend(rest);
            }
            environment.push(variable);
        };
        for (name, value) in &self.environment {
            set(name, json!({"value": value}));
        }
        if self.etcd.is_some() {
            // As the manifest for the Kubernetes datastore has them.
            set("DATASTORE_TYPE", json!({"value": "etcdv3"}));
            set("WAIT_FOR_DATASTORE", json!({"value": "true"}));
            set(
                "NODENAME",
                json!({"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}),
            );
            set("CALICO_IPV4POOL_IPIP", json!({"value": "Never"}));
        }
        if let Some(seconds) = self.probe_seconds {
            for probe in ["livenessProbe", "readinessProbe"] {
                let probe = container
                    .get_mut(probe)
                    .and_then(Value::as_object_mut)
                    .ok_or(CalicoError::Missing("probes of calico-node"))?;
                probe.insert("periodSeconds".to_owned(), json!(seconds));
                probe.insert("timeoutSeconds".to_owned(), json!(seconds));
            }
        }
        Ok(())
    }
}

/// Where Calico's etcd is and where its pods find their certificate; VXLAN, where upstream's manifest has IPIP and BGP,
/// for which the bundle has no BIRD.
fn configure_etcd(config: &mut Value, endpoints: &str) {
    let file = |name: &str| format!("/calico-secrets/{name}");
    for (key, value) in [
        ("etcd_endpoints", endpoints.to_owned()),
        ("etcd_ca", file("etcd-ca")),
        ("etcd_cert", file("etcd-cert")),
        ("etcd_key", file("etcd-key")),
        ("calico_backend", "vxlan".to_owned()),
    ] {
        config["data"][key] = json!(value);
    }
}

/// Takes the questions about BIRD out of the probes.
fn without_bird(container: &mut Map<String, Value>) -> Result<(), CalicoError> {
    for probe in ["livenessProbe", "readinessProbe"] {
        container
            .get_mut(probe)
            .and_then(|probe| probe.pointer_mut("/exec/command"))
            .and_then(Value::as_array_mut)
            .ok_or(CalicoError::Missing("commands in the probes of calico-node"))?
            .retain(|word| !word.as_str().is_some_and(|word| word.starts_with("-bird-")));
    }
    Ok(())
}

fn is(object: &Value, kind: &str, name: &str) -> bool {
    object["kind"] == kind && object["metadata"]["name"] == name
}

fn find<'a>(objects: &'a mut [Value], kind: &str, name: &str) -> Option<&'a mut Value> {
    objects.iter_mut().find(|object| is(object, kind, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What upstream's manifest for an etcd has where the patch changes it.
    const MANIFEST: &str = "\
kind: Secret
apiVersion: v1
metadata: {name: calico-etcd-secrets, namespace: kube-system}
data: null
---
kind: ConfigMap
apiVersion: v1
metadata: {name: calico-config, namespace: kube-system}
data: {etcd_endpoints: 'http://<ETCD_IP>:<ETCD_PORT>', etcd_ca: '', calico_backend: bird, veth_mtu: '0'}
---
kind: DaemonSet
apiVersion: apps/v1
metadata: {name: calico-node, namespace: kube-system}
spec:
  template:
    spec:
      containers:
      - name: calico-node
        env:
        - {name: CALICO_IPV4POOL_IPIP, value: Always}
        - {name: CALICO_IPV4POOL_VXLAN, value: Never}
        livenessProbe: {exec: {command: [/bin/calico-node, -felix-live, -bird-live]}}
        readinessProbe: {exec: {command: [/bin/calico-node, -felix-ready, -bird-ready]}}
---
kind: Deployment
apiVersion: apps/v1
metadata: {name: calico-kube-controllers, namespace: kube-system}
spec: {template: {spec: {hostNetwork: true}}}
";

    fn patched(etcd: Option<&str>) -> Vec<Value> {
        let patch = Patch {
            environment: vec![("CALICO_IPV4POOL_VXLAN", "Always".to_owned())],
            mtu: 1450,
            probe_seconds: None,
            etcd: etcd.map(str::to_owned),
        };
        let text = patch.apply(MANIFEST).expect("the patch fits");
        serde_saphyr::from_multiple(&text).expect("it is YAML")
    }

    #[test]
    fn with_its_own_etcd_calico_has_tls_vxlan_and_no_bird() {
        let mut objects = patched(Some("https://10.0.0.11:6666"));
        let config = find(&mut objects, "ConfigMap", "calico-config").expect("it stays");
        assert_eq!(
            config["data"],
            json!({
                "etcd_endpoints": "https://10.0.0.11:6666",
                "etcd_ca": "/calico-secrets/etcd-ca",
                "etcd_cert": "/calico-secrets/etcd-cert",
                "etcd_key": "/calico-secrets/etcd-key",
                "calico_backend": "vxlan",
                "veth_mtu": "1450",
            })
        );
        let node = find(&mut objects, "DaemonSet", "calico-node").expect("it stays");
        let container = &node["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(
            container["livenessProbe"]["exec"]["command"],
            json!(["/bin/calico-node", "-felix-live"])
        );
        assert_eq!(
            container["readinessProbe"]["exec"]["command"],
            json!(["/bin/calico-node", "-felix-ready"])
        );
        let variable = |name: &str| {
            let all = container["env"].as_array().expect("a list");
            let mut found = all.iter().filter(|variable| variable["name"] == name);
            let one = found.next().cloned().expect("it is set");
            assert!(found.next().is_none(), "{name} is there twice");
            one
        };
        assert_eq!(variable("CALICO_IPV4POOL_IPIP")["value"], "Never");
        assert_eq!(variable("CALICO_IPV4POOL_VXLAN")["value"], "Always");
        assert_eq!(variable("DATASTORE_TYPE")["value"], "etcdv3");
        assert_eq!(
            variable("NODENAME")["valueFrom"]["fieldRef"]["fieldPath"],
            "spec.nodeName"
        );
        let controllers = find(&mut objects, "Deployment", "calico-kube-controllers").expect("it stays");
        assert_eq!(
            controllers["spec"]["template"]["spec"]["securityContext"]["fsGroup"],
            CONTROLLERS_GROUP
        );
        assert!(
            find(&mut objects, "Secret", calico_etcd::SECRET).is_none(),
            "a step makes the Secret"
        );
    }

    #[test]
    fn without_it_the_patch_leaves_all_that_alone() {
        let mut objects = patched(None);
        assert!(find(&mut objects, "Secret", calico_etcd::SECRET).is_some());
        let config = find(&mut objects, "ConfigMap", "calico-config").expect("it stays");
        assert_eq!(config["data"]["calico_backend"], "bird");
    }

    #[test]
    fn a_manifest_that_does_not_fit_is_refused_by_what_it_lacks() {
        let patch = Patch {
            environment: vec![],
            mtu: 0,
            probe_seconds: None,
            etcd: Some("https://10.0.0.11:6666".to_owned()),
        };
        let without = MANIFEST.replace("calico-kube-controllers", "others");
        let error = patch.apply(&without).expect_err("the controllers are missing");
        assert!(
            error.to_string().ends_with("Deployment calico-kube-controllers"),
            "{error}"
        );
    }
}
