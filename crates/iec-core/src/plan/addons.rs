//! What the site asks of CoreDNS and kube-proxy beyond what kubeadm makes of its own configuration.

use std::fmt::Write as _;

use serde_json::json;

use crate::content::Digest;
use crate::plan::{Inputs, document, kubeadm};
use crate::site::{Dns, Forwarder};

/// What CoreDNS and kube-proxy are beyond what kubeadm makes of its configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addons {
    /// The digest of kube-proxy's configuration, which its pods carry: another one starts them anew.
    pub proxy: String,
    /// How many pods of CoreDNS there are, where the site decides it.
    pub dns_replicas: Option<u16>,
    /// The `ConfigMap` of CoreDNS, where the site decides what is in it.
    pub dns_configuration: Option<String>,
}

/// The first words of a Corefile that IEC wrote: by them it knows its own when the site no longer decides.
pub(in crate::plan) const OWN_COREFILE: &str = "# IEC:";

impl Addons {
    /// What this site asks for.
    #[must_use]
    pub(in crate::plan) fn of(inputs: &Inputs<'_>) -> Self {
        let proxy = document::documents(&[kubeadm::proxy_configuration(inputs)]);
        let dns = inputs.site.network().dns();
        Self {
            proxy: Digest::of(proxy.as_bytes()).short(),
            dns_replicas: dns.replicas(),
            dns_configuration: dns.decides_names().then(|| {
                document::documents(&[json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "coredns", "namespace": "kube-system"},
                    "data": {"Corefile": corefile(dns)},
                })])
            }),
        }
    }
}

/// kubeadm's Corefile with the site's name servers. CoreDNS reads it anew within a minute and a half, by `reload`.
#[must_use]
pub fn corefile(dns: &Dns) -> String {
    let names =
        |servers: &[Forwarder]| -> String { servers.iter().map(|server| format!(" {server}")).collect() };
    let outside = match dns.forwarders() {
        [] => " /etc/resolv.conf".to_owned(),
        servers => names(servers),
    };
    let mut text = format!(
        "{OWN_COREFILE} as `network.dns` of the site file says.\n\
         .:53 {{\n    errors\n    health {{\n       lameduck 5s\n    }}\n    ready\n    \
         kubernetes cluster.local in-addr.arpa ip6.arpa {{\n       pods insecure\n       \
         fallthrough in-addr.arpa ip6.arpa\n       ttl 30\n    }}\n    prometheus :9153\n    \
         forward .{outside} {{\n       max_concurrent 1000\n    }}\n    cache 30 {{\n       \
         disable success cluster.local\n       disable denial cluster.local\n    }}\n    loop\n    reload\n    \
         loadbalance\n}}\n"
    );
    for zone in dns.zones() {
        let servers = names(zone.forwarders());
        let _ = write!(
            text,
            "{}:53 {{\n    errors\n    forward .{servers} {{\n       max_concurrent 1000\n    }}\n    cache 30\n    \
             loadbalance\n}}\n",
            zone.name()
        );
    }
    text
}
