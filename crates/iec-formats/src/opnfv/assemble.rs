//! What two descriptors say, put together, checked against each other, and written as a site file.

use std::net::Ipv4Addr;

use iec_core::architecture::Architecture;
use iec_core::diagnostic::{Diagnostic, Diagnostics, Place};
use iec_core::name::{HostName, SiteName};
use iec_core::site::unwritten::{self, Origins};
use iec_core::site::{Example, ExampleHost, Facility, Hardware, Management, Role, example};
use iec_core::site::{printable, tamed};
use iec_core::spec::Spanned;
use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use super::idf::Idf;
use super::management::Password;
use super::pdf::{Pdf, PdfNode};
use super::roles::roles;
use super::wanted::{Wanted, check_choices, choice_of};
use super::{Dialect, check};

/// A host, once everything about it is decided.
struct Host {
    name: String,
    address: String,
    node_address: Option<Ipv4Addr>,
    role: Role,
    architecture: Option<Architecture>,
    distribution: Option<String>,
    hardware: Hardware,
}

/// The text of the site file and the site's name; problems say what is wrong and what was decided.
pub(super) fn assemble(
    pdf: Pdf,
    idf: &Idf,
    dialect: Dialect,
    wanted: &Wanted<'_>,
    problems: &mut Diagnostics,
) -> (String, String) {
    check::counts(&pdf, idf, problems);
    check::outside_cluster(&pdf, idf, problems);
    check::indices(&pdf, idf, problems);
    check::hardware_addresses(&pdf, problems);
    check::networks(idf, dialect, problems);
    let mut facility = pdf.facility.clone();
    facility.networks = idf
        .networks
        .iter()
        .map(|network| network.network.clone())
        .collect();
    check::addresses(&pdf, &facility, dialect, problems);
    let name = site_name(idf, wanted, problems);
    let names = host_names(&pdf, idf, problems);
    check_choices(&pdf, &names, wanted, problems);
    let roles = roles(&pdf, idf, &names, wanted, problems);
    let origins = origins(&pdf, idf, wanted, &names);
    let hosts: Vec<Host> = pdf
        .nodes
        .into_iter()
        .enumerate()
        .map(|(index, node)| {
            host(
                index,
                node,
                &names[index],
                roles[index],
                &facility,
                idf,
                wanted,
                problems,
            )
        })
        .collect();
    let text = text(&name, &hosts, &facility, idf, wanted);
    // Nobody can look into a site file that is not written: what would be wrong with it is told at its origin.
    if !problems.has_errors() {
        let faults = unwritten::faults(&text, &origins);
        problems.extend(faults.into_iter().filter(|fault| fault.place.is_some()));
    }
    (text, name)
}

/// Where the values of the site file come from.
fn origins(pdf: &Pdf, idf: &Idf, wanted: &Wanted<'_>, names: &[String]) -> Origins {
    let mut origins = Origins::default();
    for (index, node) in pdf.nodes.iter().enumerate() {
        let host = format!("spec.hosts[{index}]");
        origins.note(host.clone(), &node.name.place);
        let known = node.addresses.iter().flatten().next();
        if choice_of(node, &names[index], wanted).is_some() {
            origins.note_nowhere(format!("{host}.address"));
        } else if let Some(first) = known {
            origins.note(format!("{host}.address"), &first.place);
        }
        if let Some(place) = &node.management_place {
            origins.note(format!("{host}.hardware.management"), place);
        }
        for (card, address) in node.addresses.iter().enumerate() {
            if let Some(address) = address {
                origins.note(format!("{host}.hardware.interfaces[{card}]"), &address.place);
            }
        }
    }
    for (index, network) in idf.networks.iter().enumerate() {
        let path = format!("spec.facility.networks[{index}]");
        for (key, place) in [
            ("cidr", &network.cidr_place),
            ("gateway", &network.gateway_place),
            ("range", &network.range_place),
        ] {
            if let Some(place) = place {
                origins.note(format!("{path}.{key}"), place);
            }
        }
        origins.note(path, &network.place);
    }
    for (key, given) in [("pods", &idf.pods), ("services", &idf.services)] {
        if let Some(given) = given {
            origins.note(format!("spec.network.{key}"), &given.place);
        }
    }
    origins
}

fn site_name(idf: &Idf, wanted: &Wanted<'_>, problems: &mut Diagnostics) -> String {
    if let Some(name) = wanted.name {
        return name.to_owned();
    }
    let own = idf.pod_name.as_deref().map(tamed);
    let own = own.filter(|name| SiteName::new(name.as_str()).is_ok());
    let why = if own.is_some() {
        "as `engine` calls the pod"
    } else {
        "after its folder, for the descriptors have no name for it"
    };
    let name = own.unwrap_or_else(|| wanted.usual_name.to_owned());
    problems.push(
        Diagnostic::warning(
            "IEC0819",
            format!("the site is called {}, {why}", printable(&name)),
        )
        .hint("type --name to call it otherwise"),
    );
    name
}

/// The names of the hosts, in the order of the nodes.
fn host_names(pdf: &Pdf, idf: &Idf, problems: &mut Diagnostics) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for node in &pdf.nodes {
        let given = idf.hostnames.get(&node.name.value).unwrap_or(&node.name);
        let name = tamed(&given.value);
        if HostName::new(name.as_str()).is_err() || name == "localhost" {
            let message = format!("`{}` cannot be the name of a host", printable(&given.value));
            problems.push(Diagnostic::error("IEC0102", message).at(&given.place).hint(
                "small letters, digits and `-` are allowed; `hostnames` of the IDF can give another name",
            ));
        } else if names.contains(&name) {
            let message = format!("two nodes would be called `{name}`");
            problems.push(
                Diagnostic::error("IEC0201", message)
                    .at(&given.place)
                    .hint("give each node a name of its own"),
            );
        } else if name != given.value {
            let message = format!("the node `{}` becomes the host `{name}`", printable(&given.value));
            problems.push(
                Diagnostic::warning("IEC0819", message)
                    .at(&given.place)
                    .hint("hosts have small letters, digits and `-` in their names"),
            );
        }
        names.push(name);
    }
    names
}

#[expect(
    clippy::too_many_arguments,
    reason = "a host is where everything that was read comes together"
)]
fn host(
    index: usize,
    node: PdfNode,
    name: &str,
    role: Role,
    facility: &Facility,
    idf: &Idf,
    wanted: &Wanted<'_>,
    problems: &mut Diagnostics,
) -> Host {
    let choice = choice_of(&node, name, wanted);
    let PdfNode {
        name: given,
        architecture,
        os,
        mut hardware,
        management_place,
        addresses,
        password,
        ..
    } = node;
    for (interface, card) in hardware
        .interfaces
        .iter_mut()
        .zip(idf.interfaces.get(index).into_iter().flatten())
    {
        interface.name = card.name.clone().or_else(|| interface.name.take());
        interface.bus_address.clone_from(&card.bus_address);
    }
    move_password_out(
        name,
        &mut hardware,
        password.as_ref(),
        management_place.as_ref(),
        problems,
    );
    let cards: Vec<Option<Ipv4Addr>> = addresses
        .iter()
        .map(|address| Some(address.as_ref()?.value.address))
        .collect();
    let own: Vec<Ipv4Addr> = cards.iter().copied().flatten().collect();
    let by_use = |uses: &[&str]| address_for(uses, &cards, facility, idf);
    let address = choice.map(|choice| choice.address.to_owned()).or_else(|| {
        let first = by_use(&["net_admin", "admin", "net_mgmt", "mgmt", "net_public", "public"]);
        first.or(own.first().copied()).map(|address| address.to_string())
    });
    let address = address.unwrap_or_else(|| {
        let message = format!("the descriptors have no address of {}", printable(&given.value));
        problems.push(
            Diagnostic::error("IEC0818", message)
                .at(&given.place)
                .hint(format!(
                    "add `address` to one of its interfaces, or type --host {name}=ADDRESS"
                )),
        );
        String::new()
    });
    let node_address = by_use(&["net_mgmt", "mgmt"]).filter(|found| found.to_string() != address);
    Host {
        name: name.to_owned(),
        address,
        node_address,
        role,
        architecture: architecture.and_then(Architecture::from_uname),
        distribution: os.and_then(|os| distribution(&os, problems)),
        hardware,
    }
}

/// The address in the first of these networks in which there is one. A network without addresses of its own is known by
/// the card that is on it.
fn address_for(
    uses: &[&str],
    cards: &[Option<Ipv4Addr>],
    facility: &Facility,
    idf: &Idf,
) -> Option<Ipv4Addr> {
    uses.iter().find_map(|name| {
        let name = idf.mapping.get(*name).map_or(*name, String::as_str);
        let network = facility.networks.iter().find(|network| network.name == name)?;
        let of_card = || cards.get(network.interface?).copied().flatten();
        match network.cidr {
            None => of_card(),
            Some(_) => cards.iter().flatten().copied().find(|address| {
                let found = facility.network_of(*address);
                found.is_some_and(|found| found.name == name)
            }),
        }
    })
}

/// Gives the password a name, and says where it stood.
fn move_password_out(
    name: &str,
    hardware: &mut Hardware,
    password: Option<&Password>,
    management: Option<&Place>,
    problems: &mut Diagnostics,
) {
    let Some(password) = password else { return };
    let reference = format!("{name}-bmc");
    // Without a place: what is drawn there would be the password itself.
    let named = match hardware.management {
        Some(_) => format!("; the site file names it `{reference}`"),
        None => ", nor is the controller".to_owned(),
    };
    let message = format!("the password of {name}'s management controller is not taken over{named}");
    let form = if password.is_encrypted {
        "encrypted"
    } else {
        "as plain text"
    };
    let Place { file, line, .. } = &password.place;
    let mut problem =
        Diagnostic::warning("IEC0816", message).evidence(format!("it stands in {file}, line {line}, {form}"));
    if let Some(place) = management {
        problem = problem.evidence(format!("the controller is in line {}", place.line));
    }
    let advice = if password.is_encrypted {
        ""
    } else {
        ", and change it if others could read the descriptor"
    };
    problems.push(problem.hint(format!(
        "keep it where passwords are kept, under the name {reference}{advice}"
    )));
    if let Some(management) = &mut hardware.management {
        management.credentials = Some(reference);
    }
}

/// The distribution and its version as a site file has them: `ubuntu-24.04`.
fn distribution(os: &Spanned<String>, problems: &mut Diagnostics) -> Option<String> {
    let text = os.value.to_ascii_lowercase();
    let known = ["debian", "ubuntu"].into_iter().find_map(|id| {
        let version = text.strip_prefix(id)?.trim_start_matches(['-', ' ', '_']);
        // Kuberef writes ubuntu1804.
        let dotted = match version {
            four if id == "ubuntu" && four.len() == 4 && four.bytes().all(|digit| digit.is_ascii_digit()) => {
                format!("{}.{}", &four[..2], &four[2..])
            }
            other => other.to_owned(),
        };
        let mut parts = dotted.split('.');
        let numbers = parts.clone().count() <= 2
            && parts.all(|part| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit()));
        numbers.then(|| format!("{id}-{dotted}"))
    });
    let reason = if text.contains("debian") || text.contains("ubuntu") {
        "its version is missing or in another form than `ubuntu-24.04` and `debian-12`"
    } else {
        "IEC installs on Debian and Ubuntu"
    };
    if known.is_none() && text != super::pdf::UNKNOWN {
        problems.push(
            Diagnostic::warning("IEC0817", format!("`os` is left out: {reason}"))
                .at(&os.place)
                .hint("`iec check --probe` asks the host itself"),
        );
    }
    known
}

fn text(name: &str, hosts: &[Host], facility: &Facility, idf: &Idf, wanted: &Wanted<'_>) -> String {
    let described = hosts;
    let hosts: Vec<ExampleHost<'_>> = hosts
        .iter()
        .map(|host| ExampleHost {
            name: &host.name,
            address: &host.address,
            role: host.role,
            host_key: None,
            further: further(host),
        })
        .collect();
    let avoid = taken(described, facility);
    let mut spec = Map::new();
    if !facility.is_empty() {
        spec.insert("facility".to_owned(), plain(facility));
    }
    let network = |given: &Option<Spanned<Ipv4Net>>| given.as_ref().map(|given| given.value.to_string());
    let (pods, services) = (network(&idf.pods), network(&idf.services));
    example(&Example {
        name,
        release: wanted.release,
        bundle: wanted.bundle,
        user: wanted.user,
        identity: wanted.identity,
        hosts: &hosts,
        pods: pods.as_deref(),
        services: services.as_deref(),
        avoid: &avoid,
        further: spec,
    })
}

/// What chosen networks of pods and services keep clear of: the networks of the place, and every address in it.
fn taken(hosts: &[Host], facility: &Facility) -> Vec<Ipv4Net> {
    let networks = facility.networks.iter();
    let asked = networks
        .clone()
        .flat_map(|network| network.gateway.iter().chain(&network.nameservers).copied());
    let machines = hosts.iter().flat_map(|host| {
        let cards = host.hardware.interfaces.iter().filter_map(|card| card.address);
        let controller = host.hardware.management.as_ref().and_then(Management::ip);
        cards.map(|given| given.address).chain(controller)
    });
    let addresses = asked.chain(machines).map(Ipv4Net::from);
    networks
        .filter_map(|network| network.cidr)
        .chain(addresses)
        .collect()
}

fn further(host: &Host) -> Map<String, Value> {
    let mut further = Map::new();
    if let Some(address) = host.node_address {
        further.insert("nodeAddress".to_owned(), json!(address));
    }
    let mut assume = Map::new();
    if let Some(architecture) = host.architecture {
        assume.insert("architecture".to_owned(), json!(architecture.go_name()));
    }
    if let Some(distribution) = &host.distribution {
        assume.insert("distribution".to_owned(), json!(distribution));
    }
    if let Some(memory) = host.hardware.memory.as_deref().and_then(mebibytes) {
        assume.insert("memoryMib".to_owned(), json!(memory));
    }
    if !assume.is_empty() {
        further.insert("assume".to_owned(), Value::Object(assume));
    }
    if !host.hardware.is_empty() {
        further.insert("hardware".to_owned(), plain(&host.hardware));
    }
    further
}

/// The value as the site file has it.
fn plain(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("what a site says has text keys only")
}

/// A size in MiB, if a site file takes it as the memory of a host.
fn mebibytes(size: &str) -> Option<u64> {
    let size = size.strip_suffix('B').unwrap_or(size);
    let unit = match size.chars().next_back()? {
        'M' => 1,
        'G' => 1024,
        _ => 1024 * 1024,
    };
    let number: u64 = size[..size.len() - 1].parse().ok()?;
    number
        .checked_mul(unit)
        .filter(|size| (256..=4_194_304).contains(size))
}
