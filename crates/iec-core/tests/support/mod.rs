//! What plans in tests are made from: an example site, facts of plain hosts, a bundle that names everything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use iec_core::architecture::Architecture;
use iec_core::content::{Digest, Manifest};
use iec_core::credentials::{Credentials, KeyPair, ServiceAccountKeys};
use iec_core::diagnostic::Diagnostics;
use iec_core::facts::{Ability, Fact, Facts, HostAnswer, HostFacts};
use iec_core::name::HostName;
use iec_core::plan::{Inputs, Plan, TOKEN_LIFE, plan};
use iec_core::release::Release;
use iec_core::secret::Secret;
use iec_core::seed::Seed;
use iec_core::site::{Site, SiteHost};
use iec_core::unbundled::unbundled;

/// A text that no plan, script or event may show.
pub(crate) const SEEDED_SECRET: &str = "seeded-secret-7f3a9c";

/// The names of the example sites, each a folder below `sites/`.
pub(crate) fn site_names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(sites())
        .expect("the folder of example sites")
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The folder of example sites.
pub(crate) fn sites() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sites")
}

/// The example site of this name.
pub(crate) fn site(name: &str) -> Site {
    let text = std::fs::read_to_string(sites().join(name).join("site.yaml")).expect("an example site");
    parse(&text)
}

/// The site in this text.
pub(crate) fn parse(text: &str) -> Site {
    let spec = iec_core::spec::parse(text, "site.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    let (site, _) = iec_core::site::validate(&spec).unwrap_or_else(|problems| panic!("{problems}"));
    site
}

/// Facts of a host as a plain Debian machine with modules, iptables and control groups of version 2 has them.
pub(crate) fn plain_host(host: &SiteHost) -> HostFacts {
    let mut facts = HostFacts::default();
    facts.identity.value_mut().machine_id = format!("{:032x}", u32::from(host.address()));
    facts.identity.value_mut().hostname = host.name().to_string();
    facts.kernel.value_mut().machine = host
        .assume()
        .architecture()
        .unwrap_or(Architecture::Amd64)
        .uname()
        .to_owned();
    facts.kernel.value_mut().release = "6.1.0-40".to_owned();
    facts.kernel.value_mut().modprobe = true;
    facts.kernel.value_mut().module_files = true;
    facts.cgroup.value_mut().systemd = true;
    facts.privileges.value_mut().root = true;
    facts.privileges.value_mut().lower_oom_score = true;
    let tools = [
        "iptables",
        "ip6tables",
        "conntrack",
        "modprobe",
        "ethtool",
        "nft",
        "ipset",
    ];
    facts.software.value_mut().tools = tools.map(|tool| (tool.to_owned(), true)).into();
    facts.resolver.value_mut().nameservers = vec!["10.0.0.1".to_owned()];
    facts
        .features
        .value_mut()
        .tried
        .insert("vxlan".to_owned(), Ability::Works);
    facts.features.value_mut().writable_sysctls = vec!["net.netfilter.nf_conntrack_max".to_owned()];
    let login = facts.login.value_mut();
    login.user = "edge".to_owned();
    login.homes = [("root", "/root"), ("edge", "/home/edge")]
        .map(|(user, home)| (user.to_owned(), home.to_owned()))
        .into();
    observed(facts)
}

/// The same facts as if a host had told them.
fn observed(mut facts: HostFacts) -> HostFacts {
    macro_rules! observe {
        ($($section:ident)*) => { $(facts.$section = Fact::Observed(facts.$section.value_mut().clone());)* };
    }
    observe!(identity distribution kernel capacity storage swap cgroup privileges features network listeners resolver clock
        software cluster previous guards environment login);
    facts
}

/// Facts of all hosts of a site.
pub(crate) fn facts(site: &Site, host: impl Fn(&SiteHost) -> HostFacts) -> Facts {
    let mut facts = Facts::new(Some(1_800_000_000));
    for site_host in site.hosts() {
        facts.insert(
            site_host.name().to_string(),
            HostAnswer::Known(Box::new(host(site_host))),
        );
    }
    facts
}

/// Credentials whose secrets are all [`SEEDED_SECRET`].
pub(crate) fn credentials() -> Credentials {
    let pair = |name: &str| KeyPair {
        certificate_pem: format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n"),
        key_pem: Secret::new(format!("{SEEDED_SECRET} {name}")),
    };
    Credentials {
        site_id: "c0ffee00c0ffee00".to_owned(),
        generation: 1,
        cluster_ca: pair("cluster"),
        etcd_ca: pair("etcd"),
        front_proxy_ca: pair("frontproxy"),
        calico_etcd_ca: Some(pair("calicoetcd")),
        service_account: ServiceAccountKeys {
            public_pem: "-----BEGIN PUBLIC KEY-----\nsa\n-----END PUBLIC KEY-----\n".to_owned(),
            private_pem: Secret::new(format!("{SEEDED_SECRET} sa")),
        },
        token: Secret::new(format!("abcdef.{SEEDED_SECRET}")),
        token_id: "abcdef".to_owned(),
        discovery_hash: format!("sha256:{}", "0".repeat(64)),
    }
}

/// A bundle that has every item a plan may ask for, for both architectures, with made-up content.
pub(crate) fn manifest(release: &Release) -> Manifest {
    unbundled(release)
}

/// A manifest with what the patches change.
pub(crate) const CALICO: &str = "\
kind: ConfigMap
apiVersion: v1
metadata: {name: calico-config, namespace: kube-system}
data: {veth_mtu: \"0\"}
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
        - {name: CALICO_IPV4POOL_VXLAN, value: CrossSubnet}
        - {name: DATASTORE_TYPE, value: kubernetes}
        livenessProbe: {periodSeconds: 10, exec: {command: [/bin/calico-node, -felix-live]}}
        readinessProbe: {periodSeconds: 10, exec: {command: [/bin/calico-node, -felix-ready]}}
---
kind: Deployment
apiVersion: apps/v1
metadata: {name: calico-kube-controllers, namespace: kube-system}
spec: {template: {spec: {}}}
";

/// The plan for a site whose hosts have these facts; those that failed to say theirs are silent.
pub(crate) fn plan_of(site: &Site, facts: &Facts) -> Plan {
    try_plan_of(site, facts).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The same, or why there is none.
pub(crate) fn try_plan_of(site: &Site, facts: &Facts) -> Result<Plan, Diagnostics> {
    try_plan_from(site, facts, |_| {})
}

/// The same, with a bundle that was changed.
pub(crate) fn try_plan_from(
    site: &Site,
    facts: &Facts,
    change: impl FnOnce(&mut Manifest),
) -> Result<Plan, Diagnostics> {
    planned(site, facts, Some(CALICO), change)
}

/// The same, with this manifest of Calico, or none where there is no bundle.
pub(crate) fn planned(
    site: &Site,
    facts: &Facts,
    calico_manifest: Option<&str>,
    change: impl FnOnce(&mut Manifest),
) -> Result<Plan, Diagnostics> {
    planned_with(site, facts, calico_manifest, &BTreeMap::new(), change)
}

/// The same, with seeds for some of its hosts.
pub(crate) fn planned_with(
    site: &Site,
    facts: &Facts,
    calico_manifest: Option<&str>,
    seeds: &BTreeMap<HostName, Seed>,
    change: impl FnOnce(&mut Manifest),
) -> Result<Plan, Diagnostics> {
    let silent: BTreeSet<HostName> = facts
        .answers()
        .filter(|(_, answer)| matches!(answer, HostAnswer::Failed(_)))
        .map(|(name, _)| HostName::new(name).expect("a name"))
        .collect();
    let release = Release::bundled(site.release()).expect("a release of the program");
    let mut content = manifest(&release);
    change(&mut content);
    let credentials = credentials();
    let charts: BTreeMap<_, _> = site
        .helm()
        .iter()
        .map(|release| (release.id(), (Digest::of(release.chart().as_bytes()), 7)))
        .collect();
    let inputs = Inputs {
        site,
        facts,
        silent: &silent,
        release: &release,
        credentials: &credentials,
        content: &content,
        calico_manifest,
        seeds,
        charts: &charts,
        token_life: TOKEN_LIFE,
    };
    plan(&inputs)
}
