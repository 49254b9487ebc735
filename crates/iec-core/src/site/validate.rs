//! From what the user wrote to what IEC accepts: runs every rule, and reports everything that is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::rule::addressing::Addressing;
use super::rule::host::Seen;
use super::rule::{
    self, addons, cluster, cni, component, document, endpoint, facility, fleet, helm, host, network,
    virtual_address,
};
use super::{ControlPlane, Dns, Facility, KubeProxy, Kubelet, Network, Runtime, Site, SiteHost};
use crate::diagnostic::{Diagnostics, Place};
use crate::name::SiteName;
use crate::spec::{
    self, ComponentSpec, ContentSpec, ControlPlaneSpec, Field, NetworkSpec, SiteSpec, Spanned, Spec,
};

/// The site that a site file describes, with warnings; `file` is what diagnostics call it.
///
/// This reports what cannot be read and what breaks a rule together, where [`spec::parse`] followed by
/// [`validate`] would report the first kind alone.
///
/// # Errors
///
/// Every problem of the file.
pub fn load(text: &str, file: &str) -> Result<(Site, Diagnostics), Diagnostics> {
    validate(&spec::parse_leniently(text, file)?)
}

/// The site that a spec describes, with warnings.
///
/// # Errors
///
/// Every problem, if one of them is an error.
pub fn validate(spec: &Spec) -> Result<(Site, Diagnostics), Diagnostics> {
    let mut problems = spec.problems().clone();
    let site = site(spec, &mut problems);
    // A value of the wrong type that would break a rule in quotes too: what the rule says is what is to be done.
    let problems = problems.settled(&["IEC0005", "IEC0006"]);
    match site {
        Some(site) => problems.accept(site),
        None => {
            debug_assert!(
                problems.has_errors(),
                "a spec without a site, and no reason for it"
            );
            Err(problems)
        }
    }
}

fn site(spec: &Spec, problems: &mut Diagnostics) -> Option<Site> {
    let document = spec.document();
    document::check_format(document, spec.place(), problems);
    let name = document::site_name(document, spec.place(), problems);
    let body = rule::required(&document.spec, "spec", spec.place(), problems)?;
    let SiteSpec {
        release,
        content,
        access,
        hosts,
        runtime,
        kubelet,
        helm,
        facility,
        accept,
        ..
    } = &body.value;
    let release = rule::required(release, "release", &body.place, problems)
        .and_then(|given| document::release(given, problems));
    let content = rule::optional(content, None, |given| bundle(&given.value, problems));
    let access = rule::required(access, "access", &body.place, problems)
        .and_then(|given| cluster::access(given, problems));
    let hosts = rule::required(hosts, "hosts", &body.place, problems).map(|given| all_hosts(given, problems));
    let kubelet = rule::optional(kubelet, cluster::default_kubelet(), |given| {
        cluster::kubelet(&given.value, problems)
    });
    let seen = hosts.as_ref().map(|hosts| &hosts.seen[..]);
    let control_plane = control_plane(&body.value, name.as_ref(), seen, problems);
    if let Some(hosts) = &hosts {
        let schedulable = control_plane
            .as_ref()
            .map(|control_plane| control_plane.schedulable);
        let usual_port = access.as_ref().and_then(|access| access.port);
        fleet::check_unique(&hosts.seen, usual_port, problems);
        fleet::check_quorum(&hosts.seen, hosts.complete, schedulable, hosts.place, problems);
    }
    let (seen_networks, facility) = match facility {
        Field::Absent => (Vec::new(), Some(Facility::default())),
        Field::Broken => (Vec::new(), None),
        Field::Given(given) => facility::facility(&given.value, problems),
    };
    let given_hosts = body.value.hosts.value().map_or(&[][..], |list| &list.items);
    let addressing = Addressing::new(seen.unwrap_or_default(), given_hosts, &seen_networks);
    addressing.check(problems);
    let network = all_networks(
        &body.value.network,
        hosts.as_ref(),
        &addressing,
        kubelet.as_ref(),
        problems,
    );
    let given_control_plane = body.value.control_plane.value();
    if let (Some(given), Some(network)) = (
        given_control_plane.and_then(|given| given.virtual_address.given()),
        &network,
    ) {
        virtual_address::check_networks(given, network, problems);
    }
    let given_endpoint = given_control_plane.and_then(|given| given.endpoint.given());
    if let (Some(given), Some(control_plane)) = (given_endpoint, &control_plane) {
        let calico = network.as_ref().and_then(|network| network.cni().calico());
        let datastore = calico.map(super::Calico::datastore);
        endpoint::check_calico_etcd(given, control_plane.endpoint().port(), datastore, problems);
    }
    let runtime = rule::optional(runtime, Runtime { take_over: false }, |given| {
        rule::optional(&given.value.take_over, false, |given| Some(given.value))
            .map(|take_over| Runtime { take_over })
    });
    let helm = rule::optional(helm, Vec::new(), |given| helm::releases(&given.value, problems));
    let accept = rule::optional(accept, BTreeSet::new(), |given| {
        cluster::accepted(&given.value, problems)
    });
    Some(Site {
        name: name?,
        release: release?,
        content: content?,
        access: access?,
        hosts: hosts?.whole?,
        control_plane: control_plane?,
        network: network?,
        runtime: runtime?,
        kubelet: kubelet?,
        helm: helm?,
        facility: facility?,
        accept: accept?,
    })
}

fn bundle(content: &ContentSpec, problems: &mut Diagnostics) -> Option<Option<String>> {
    rule::optional(&content.bundle, None, |given| {
        rule::line(given, "bundle", problems).map(Some)
    })
}

/// The hosts of a site, as far as they could be read.
struct Hosts<'s> {
    seen: Vec<Seen<'s>>,
    /// Whether `seen` has every entry of the list.
    complete: bool,
    /// All hosts, if nothing about any of them is wrong by itself.
    whole: Option<Vec<SiteHost>>,
    place: &'s Place,
}

fn all_hosts<'s>(given: &'s Spanned<spec::List<spec::HostSpec>>, problems: &mut Diagnostics) -> Hosts<'s> {
    let (seen, whole): (Vec<_>, Vec<_>) = given
        .value
        .items
        .iter()
        .map(|item| host::host(item, problems))
        .unzip();
    let whole = whole
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .filter(|_| given.value.complete);
    Hosts {
        seen,
        complete: given.value.complete,
        whole,
        place: &given.place,
    }
}

fn control_plane(
    body: &SiteSpec,
    site: Option<&SiteName>,
    hosts: Option<&[Seen<'_>]>,
    problems: &mut Diagnostics,
) -> Option<ControlPlane> {
    let given = match &body.control_plane {
        Field::Broken => return None,
        field => field.value(),
    };
    let endpoint = match given.map(|given| &given.endpoint) {
        None | Some(Field::Absent) => site.map(endpoint::default_endpoint),
        Some(Field::Broken) => None,
        Some(Field::Given(given)) => endpoint::endpoint(given, hosts, problems),
    };
    let schedulable = given.map_or(Some(true), |given| {
        rule::optional(&given.schedulable, true, |given| Some(given.value))
    });
    let names = given.map_or(Some(BTreeSet::new()), |given| {
        component::certificate_names(&given.certificate_names, problems)
    });
    let virtual_address = given.map_or(Some(None), |given| {
        rule::optional(&given.virtual_address, None, |given| {
            virtual_address::virtual_address(given, hosts.unwrap_or_default(), problems).map(Some)
        })
    });
    let mut arguments = |field: fn(&ControlPlaneSpec) -> &Field<ComponentSpec>| {
        given.map_or(Some(BTreeMap::new()), |given| {
            component::arguments(field(given), problems)
        })
    };
    let api_server = arguments(|given| &given.api_server);
    let controller_manager = arguments(|given| &given.controller_manager);
    let scheduler = arguments(|given| &given.scheduler);
    Some(ControlPlane {
        endpoint: endpoint?,
        schedulable: schedulable?,
        certificate_names: names?,
        virtual_address: virtual_address?,
        api_server: api_server?,
        controller_manager: controller_manager?,
        scheduler: scheduler?,
    })
}

/// The networks where a site gives none.
pub(super) const DEFAULT_PODS: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16);
pub(super) const DEFAULT_SERVICES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 1, 0), 24);

fn all_networks(
    field: &Field<NetworkSpec>,
    hosts: Option<&Hosts<'_>>,
    addressing: &Addressing<'_>,
    kubelet: Option<&Kubelet>,
    problems: &mut Diagnostics,
) -> Option<Network> {
    let absent = NetworkSpec::default();
    let given = match field {
        Field::Absent => &absent,
        Field::Broken => return None,
        Field::Given(given) => &given.value,
    };
    let (pods_field, services_field) = (&given.pods, &given.services);
    let pods = rule::optional(pods_field, DEFAULT_PODS, |given| {
        network::network(given, "pods", problems)
    });
    let services = rule::optional(services_field, DEFAULT_SERVICES, |given| {
        network::network(given, "services", problems)
    });
    let named =
        |key, network: Option<Ipv4Net>, place| network.map(|network| network::Named { key, network, place });
    let named_pods = named("pods", pods, pods_field.place());
    let named_services = named("services", services, services_field.place());
    for named in [named_pods, named_services].into_iter().flatten() {
        network::check_range(named.network, named.key, named.place, problems);
    }
    if let Some(services) = named_services {
        network::check_service_size(services.network, services.place, problems);
    }
    if let (Some(pods), Some(services)) = (named_pods, named_services) {
        network::check_overlap(pods, services, problems);
    }
    for (named, other) in [(named_pods, services), (named_services, pods)] {
        if let Some(named) = named {
            addressing.check_hidden(named, other, problems);
        }
    }
    let cni = cni::cni(&given.cni, hosts.map(|hosts| &hosts.seen[..]), problems);
    if let Some(hosts) = hosts {
        let mut addresses = addresses(&hosts.seen);
        addresses.extend(addressing.further_addresses());
        for (named, other) in [(named_pods, services), (named_services, pods)] {
            if let Some(named) = named {
                network::check_hosts_outside(named, other, &addresses, problems);
            }
        }
        let calico = cni.as_ref().and_then(super::Cni::calico);
        if let (Some(pods), Some(calico), Some(kubelet), true) = (named_pods, calico, kubelet, hosts.complete)
        {
            let present = hosts.seen.iter().filter(|host| host.is_present()).count();
            cni::check_blocks(pods, calico.block_size, present, kubelet.max_pods, problems);
        }
    }
    let kube_proxy = rule::optional(&given.kube_proxy, KubeProxy::default(), |given| {
        addons::kube_proxy(given, problems)
    });
    let dns = rule::optional(&given.dns, Dns::default(), |given| {
        addons::dns(given, services, problems)
    });
    Some(Network {
        pods: pods?,
        services: services?,
        cni: cni?,
        kube_proxy: kube_proxy?,
        dns: dns?,
        pods_place: pods_field.place().cloned(),
        services_place: services_field.place().cloned(),
    })
}

/// Every address of every host, with what it is.
fn addresses<'s>(hosts: &[Seen<'s>]) -> Vec<(Ipv4Addr, String, &'s Place)> {
    let mut addresses = Vec::new();
    for host in hosts {
        let called = host.called();
        if let Some((address, place)) = host.address {
            addresses.push((address, format!("the address of {called}"), place));
        }
        if let Some((node_address, place)) = host.node_address
            && host.address.is_none_or(|(address, _)| address != node_address)
        {
            addresses.push((node_address, format!("the node address of {called}"), place));
        }
    }
    addresses
}
