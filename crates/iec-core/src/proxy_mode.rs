//! By what kube-proxy makes services of pods on each host, as it says itself, against what the site asks for.

use crate::check;
use crate::facts::Facts;
use crate::report::{Row, Scope};
use crate::site::Site;

/// A row for each host whose facts are known.
#[must_use]
pub fn judge(site: &Site, facts: &Facts) -> Vec<Row> {
    let wanted = site.network().kube_proxy().mode().word();
    let known = site.present_hosts().filter_map(|host| {
        let name = host.name().as_str();
        Some((name, facts.host(name)?))
    });
    known
        .map(|(name, facts)| {
            let scope = Scope::host(name);
            match &facts.cluster.proxy_mode {
                Some(mode) => check::PROXY_MODE.compare(scope, wanted, mode, vec![]),
                None => check::PROXY_MODE.could_not_tell(scope, "kube-proxy on the host does not answer"),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::facts::{Facts, HostAnswer, HostFacts};
    use crate::report::Outcome;
    use crate::site;

    const SITE: &str = "apiVersion: iec.dev/v1alpha1\nkind: Site\nmetadata: {name: store-0417}\nspec:\n  release: \"1.36\"\n  \
                        content: {bundle: ./bundle}\n  access: {user: edge}\n  \
                        hosts: [{name: edge-1, address: 10.0.0.11, role: control-plane}]\n";

    #[test]
    fn another_mode_fails_and_silence_is_not_known() {
        let (site, _) = site::load(SITE, "site.yaml").expect("a site");
        let judged = |mode: Option<&str>| {
            let mut host_facts = HostFacts::default();
            host_facts.cluster.value_mut().proxy_mode = mode.map(str::to_owned);
            let mut facts = Facts::new(None);
            facts.insert("edge-1", HostAnswer::Known(Box::new(host_facts)));
            judge(&site, &facts).remove(0).outcome
        };
        assert_eq!(judged(Some("iptables")), Outcome::Passed);
        assert!(matches!(judged(Some("nftables")), Outcome::Failed(failure) if failure.found == "nftables"));
        assert!(matches!(judged(None), Outcome::CouldNotTell { .. }));
    }
}
