//! `up`: makes a lab, every intent recorded before it is carried out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use iec_core::architecture::Architecture;
use ipnet::Ipv4Net;

use crate::disk::{self, Identity};
use crate::error::{LabError, at};
use crate::event::LabEvent;
use crate::places::{Folder, create_private_folder, take_lock, write_atomically};
use crate::podman::{NewHost, Podman, Ulimits};
use crate::program::{Invocation, Programs};
use crate::ready::{self, Goal};
use crate::record::{Lab, LabHost, LabState, Record, lab_names};
use crate::request::{HostKind, UpRequest};
use crate::site::{self, SiteFacts};
use crate::vm::{self, Accelerator, Hardware, NewMachine};
use crate::{Labs, base, down, subnet};

/// How often another network is tried when somebody else takes the chosen one at the same moment.
const NETWORK_TRIES: usize = 5;

impl Labs {
    /// Makes a lab: hosts that run, answer by SSH and have nothing on them but a bare Debian.
    ///
    /// When it fails, what was made is taken back. When this process is killed, [`Labs::down`] does that.
    ///
    /// # Errors
    /// [`LabError::NotRoot`], [`LabError::MissingPrograms`], a refused request, [`LabError::Exists`], or what went
    /// wrong on the way.
    pub fn up(&self, request: &UpRequest, on_event: &mut dyn FnMut(LabEvent)) -> Result<Lab, LabError> {
        let start = Instant::now();
        request.validate()?;
        self.check_machine(&request.machine_architectures())?;
        let programs = &Programs::new(self.runner());
        let machine = Podman::new(programs).machine()?;
        if machine.network_backend != "netavark" {
            return Err(LabError::NetworkBackend {
                found: machine.network_backend,
            });
        }
        let folder = self.places().lab(&request.name);
        for place in [&self.places().labs, &self.places().cache] {
            check_place(place)?;
        }
        self.claim(programs, &folder, &request.name)?;
        let made = (|| {
            let lock = take_lock(&folder.lock(), &request.name, Duration::ZERO)?;
            let work = Work {
                labs: self,
                folder: &folder,
                programs: programs.holding(&lock),
                start,
            };
            work.make(request, machine.cgroup_v1, on_event)
        })();
        made.map_err(|first| {
            on_event(LabEvent::TakingBack {
                because: first.to_string(),
            });
            match down::remove(self, &folder, &request.name, on_event) {
                Ok(_) => first,
                Err(second) => LabError::NotTakenBack {
                    name: request.name.clone(),
                    first: Box::new(first),
                    second: Box::new(second),
                },
            }
        })
    }

    /// Takes the name: by making the lab's folder, which only one process can do.
    fn claim(&self, programs: &Programs<'_>, folder: &Folder, name: &str) -> Result<(), LabError> {
        create_private_folder(&self.places().labs)?;
        let exists = |folder: String| {
            Err(LabError::Exists {
                name: name.to_owned(),
                folder,
            })
        };
        let intended = Record::intended(&UpRequest::new(name)).networks.remove(0).name;
        match fs::create_dir(&folder.path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return exists(folder.path.display().to_string());
            }
            Err(error) => return Err(at("create", &folder.path)(error)),
        }
        // The names in podman are this machine's, but folders of labs may be several.
        let taken = Podman::new(programs)
            .networks()
            .map(|all| all.iter().any(|network| network.name == intended));
        if !matches!(taken, Ok(false)) {
            fs::remove_dir(&folder.path).map_err(at("remove", &folder.path))?;
            taken?;
            return exists(format!(
                "another folder of labs: podman has its network {intended}"
            ));
        }
        Ok(())
    }
}

/// What hosts begin with: the root of containers, and each architecture's bootable base with what runs it.
#[derive(Default)]
struct Bases {
    container: Option<PathBuf>,
    machines: BTreeMap<Architecture, (PathBuf, Accelerator)>,
}

/// One `up` under way.
struct Work<'a> {
    labs: &'a Labs,
    folder: &'a Folder,
    programs: Programs<'a>,
    start: Instant,
}

impl Work<'_> {
    fn make(
        &self,
        request: &UpRequest,
        cgroup_v1: bool,
        on_event: &mut dyn FnMut(LabEvent),
    ) -> Result<Lab, LabError> {
        let folder = self.folder;
        let mut record = Record::intended(request);
        record.write(folder)?;
        let bases = self.bases(request, on_event)?;
        self.networks(&mut record, on_event)?;
        let authorized_key = disk::generate_key(
            &self.programs,
            &folder.identity(),
            &format!("iec-lab-{}", request.name),
        )?;
        self.hosts(&mut record, &bases, &authorized_key, on_event)?;
        let facts = SiteFacts {
            identity: &folder.identity(),
            cgroup_v1,
            restricted: site::root_is_restricted(),
        };
        write_atomically(&folder.site(), site::text(&record, &facts).as_bytes(), 0o644)?;
        let lab = Lab::of(folder, record.clone());
        self.await_hosts(&lab, on_event)?;
        record.state = LabState::Ready;
        record.write(folder)?;
        on_event(LabEvent::LabReady {
            elapsed: self.start.elapsed(),
        });
        Ok(Lab::of(folder, record))
    }

    /// What the hosts begin with, from the cache or built now.
    fn bases(&self, request: &UpRequest, on_event: &mut dyn FnMut(LabEvent)) -> Result<Bases, LabError> {
        let mut bases = Bases::default();
        if request.has_containers() {
            bases.container = Some(base::ensure(
                &self.programs,
                self.labs.places(),
                request,
                on_event,
            )?);
        }
        for architecture in request.machine_architectures() {
            let image = vm::ensure_image(
                &self.programs,
                self.labs.places(),
                request,
                architecture,
                on_event,
            )?;
            let accelerator = Accelerator::find(&self.programs, architecture, &vm::image_kernel(&image))?;
            on_event(LabEvent::Accelerated {
                architecture,
                accelerator,
            });
            bases.machines.insert(architecture, (image, accelerator));
        }
        Ok(bases)
    }

    /// Chooses the networks, records them, and makes them.
    fn networks(&self, record: &mut Record, on_event: &mut dyn FnMut(LabEvent)) -> Result<(), LabError> {
        let podman = Podman::new(&self.programs);
        let mut tries = 0;
        loop {
            tries += 1;
            let chosen = subnet::free(&self.taken(&record.request.name)?, record.networks.len())?;
            record.set_subnets(&chosen);
            record.write(self.folder)?;
            let lab = record.request.name.as_str();
            let mut pairs = record.networks.iter().zip(&chosen);
            match pairs
                .try_for_each(|(network, subnet)| podman.create_network(self.folder, lab, network, *subnet))
            {
                Ok(()) => break,
                Err(error) => {
                    for made in podman.networks_of(self.folder)? {
                        podman.remove_network(&made.name)?;
                    }
                    // Another lab may have taken the same network between our look and our step.
                    let taken = self.taken(lab)?;
                    let lost = chosen
                        .iter()
                        .any(|mine| taken.iter().any(|other| subnet::overlap(mine, other)));
                    if !lost || tries == NETWORK_TRIES {
                        return Err(error);
                    }
                }
            }
        }
        self.bridges(record)?;
        for network in &record.networks {
            let subnet = network
                .subnet
                .map(|subnet| subnet.to_string())
                .unwrap_or_default();
            on_event(LabEvent::NetworkReady {
                network: network.name.clone(),
                subnet,
            });
        }
        Ok(())
    }

    /// Records the links that join the hosts, and makes them stay where virtual machines are joined to them too.
    fn bridges(&self, record: &mut Record) -> Result<(), LabError> {
        let podman = Podman::new(&self.programs);
        let known = podman.networks()?;
        for network in &mut record.networks {
            let found = known.iter().find(|other| other.name == network.name);
            network.bridge = found.map(|found| found.bridge.clone()).unwrap_or_default();
        }
        record.write(self.folder)?;
        if record.request.machine_architectures().is_empty() {
            return Ok(());
        }
        create_switch_root(&self.folder.switch())?;
        podman.run_switch(
            self.folder,
            &record.request.name,
            &record.networks,
            Ulimits::of_this_process()?,
        )
    }

    /// What is taken: routes of this machine, networks of podman, and what other labs have chosen.
    fn taken(&self, own: &str) -> Result<Vec<Ipv4Net>, LabError> {
        let words = ["-json", "-4", "route", "show", "table", "all"];
        let mut taken = subnet::routed(
            &self
                .programs
                .must("reading this machine's routes", Invocation::new("ip", words))?,
        )?;
        taken.extend(
            Podman::new(&self.programs)
                .networks()?
                .into_iter()
                .flat_map(|network| network.subnets),
        );
        for name in lab_names(self.labs.places())?
            .into_iter()
            .filter(|name| name != own)
        {
            // A record that cannot be read belongs to a lab that somebody must take down; it is not our concern here.
            if let Ok(Some(other)) = Record::read(&self.labs.places().lab(&name)) {
                taken.extend(other.networks.into_iter().filter_map(|network| network.subnet));
            }
        }
        Ok(taken)
    }

    /// Makes all disks at once and switches each host on as soon as it has its own.
    fn hosts(
        &self,
        record: &mut Record,
        bases: &Bases,
        authorized_key: &str,
        on_event: &mut dyn FnMut(LabEvent),
    ) -> Result<(), LabError> {
        let resolvers = resolvers();
        let ulimits = Ulimits::of_this_process()?;
        let Record {
            request,
            networks,
            hosts,
            ..
        } = &*record;
        let keys = in_parallel(hosts, on_event, |host, tell| {
            let disk_ready = || {
                tell(LabEvent::DiskReady {
                    host: host.name.clone(),
                    elapsed: self.start.elapsed(),
                });
            };
            let identity = Identity {
                name: &host.name,
                authorized_key,
                resolvers: &resolvers,
            };
            let host_key = match host.kind {
                HostKind::Container => {
                    let base = bases.container.as_deref().expect("there are containers");
                    let new = NewHost {
                        lab: &request.name,
                        host,
                        base,
                        networks,
                        limits: request.limits,
                        ulimits,
                    };
                    self.container(&new, &identity, &disk_ready)?
                }
                HostKind::VirtualMachine(architecture) => {
                    let (image, accelerator) = &bases.machines[&architecture];
                    let hardware = Hardware {
                        architecture,
                        accelerator: *accelerator,
                        networks,
                        limits: request.limits,
                        disk_cache: request.disk_cache,
                    };
                    self.machine(host, &hardware, image, &identity, &disk_ready)?
                }
            };
            tell(LabEvent::HostStarted {
                host: host.name.clone(),
                elapsed: self.start.elapsed(),
            });
            Ok(host_key)
        })?;
        for (host, key) in record.hosts.iter_mut().zip(keys) {
            host.host_key = key;
        }
        record.write(self.folder)?;
        write_atomically(
            &self.folder.known_hosts(),
            known_hosts(&record.hosts).as_bytes(),
            0o644,
        )
    }

    /// Makes a container's disk and switches it on; gives its host key.
    fn container(
        &self,
        new: &NewHost<'_>,
        identity: &Identity<'_>,
        disk_ready: &dyn Fn(),
    ) -> Result<String, LabError> {
        let disk = self.folder.disk(&new.host.name);
        let host_key = disk::create(&self.programs, new.base, &disk, identity)?;
        let (upper, work) = self.folder.usr_overlay(&new.host.name);
        disk::create_folder(&upper)?;
        disk::create_folder(&work)?;
        disk_ready();
        Podman::new(&self.programs).run_host(self.folder, new)?;
        Ok(host_key)
    }

    /// Makes a virtual machine's disk and switches it on; gives its host key.
    fn machine(
        &self,
        host: &LabHost,
        hardware: &Hardware<'_>,
        image: &Path,
        identity: &Identity<'_>,
        disk_ready: &dyn Fn(),
    ) -> Result<String, LabError> {
        let new = NewMachine {
            host,
            networks: hardware.networks,
            image,
            identity,
            disk_gib: hardware.limits.disk_gib,
            second_disk_gib: hardware.limits.second_disk_gib,
            disk_cache: hardware.disk_cache,
        };
        let host_key = vm::create(&self.programs, self.folder, &new)?;
        disk_ready();
        vm::start(&self.programs, self.folder, host, hardware)?;
        Ok(host_key)
    }

    fn await_hosts(&self, lab: &Lab, on_event: &mut dyn FnMut(LabEvent)) -> Result<(), LabError> {
        in_parallel(&lab.hosts, on_event, |host, tell| {
            ready::wait(&self.programs, lab, host, Goal::Running)?;
            tell(LabEvent::HostReady {
                host: host.name.clone(),
                elapsed: self.start.elapsed(),
            });
            Ok(())
        })
        .map(drop)
    }
}

/// Refuses places that podman could not be told of: its options take colons and commas apart.
fn check_place(path: &Path) -> Result<(), LabError> {
    let text = path
        .to_str()
        .filter(|text| path.is_absolute() && !text.contains([':', ',', '\n']));
    text.map(drop).ok_or_else(|| {
        let reason = "it must be an absolute path of text without colons and commas";
        LabError::InvalidRequest(format!("its files cannot be in {}: {reason}", path.display()))
    })
}

/// Makes the root of the container that keeps the bridges: nothing but places for this machine's own programs.
fn create_switch_root(root: &Path) -> Result<(), LabError> {
    disk::create_folder(&root.join("usr"))?;
    for name in ["bin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name))
            .map_err(at("create", root.join(name)))?;
    }
    Ok(())
}

/// The lines of `known_hosts`: each host by its addresses and its name.
fn known_hosts(hosts: &[LabHost]) -> String {
    let line = |host: &LabHost| {
        let mut names: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
        names.push(host.name.clone());
        format!("{} {}\n", names.join(","), host.host_key)
    };
    hosts.iter().map(line).collect()
}

/// What this machine's own resolver configuration means for a host of a lab.
fn resolvers() -> String {
    let files = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];
    // A file that is not there has no name servers.
    disk::resolvers(&files.map(|file| fs::read_to_string(file).unwrap_or_default()))
}

/// Does `work` for all hosts at the same time; events are told in this thread, the first error in the order of hosts
/// is the result.
fn in_parallel<T: Send>(
    hosts: &[LabHost],
    on_event: &mut dyn FnMut(LabEvent),
    work: impl Fn(&LabHost, &dyn Fn(LabEvent)) -> Result<T, LabError> + Sync,
) -> Result<Vec<T>, LabError> {
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        let begin = |host| {
            let (sender, work) = (sender.clone(), &work);
            scope.spawn(move || {
                // Nobody listens any more only when this function has panicked.
                work(host, &|event| drop(sender.send(event)))
            })
        };
        let threads: Vec<_> = hosts.iter().map(begin).collect();
        drop(sender);
        receiver.into_iter().for_each(&mut *on_event);
        let results = threads
            .into_iter()
            .map(|thread| thread.join().expect("work on a host does not panic"));
        results.collect::<Vec<_>>().into_iter().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_hosts_have_every_address_and_the_name() {
        let request = UpRequest {
            hosts: 2,
            nics: crate::Nics::Two,
            ..UpRequest::new("demo")
        };
        let mut record = Record::intended(&request);
        record.set_subnets(&["10.89.70.0/24", "10.89.71.0/24"].map(|net| net.parse().expect("a network")));
        for host in &mut record.hosts {
            host.host_key = format!("ssh-ed25519 key-of-{}", host.name);
        }
        assert_eq!(
            known_hosts(&record.hosts),
            "10.89.70.11,10.89.71.11,edge-1 ssh-ed25519 key-of-edge-1\n\
             10.89.70.12,10.89.71.12,edge-2 ssh-ed25519 key-of-edge-2\n"
        );
    }

    #[test]
    fn places_that_podman_would_take_apart_are_refused() {
        check_place(Path::new("/var/lib/my labs")).expect("blanks are no trouble");
        for bad in ["relative", "/a:b", "/a,b"] {
            assert_eq!(check_place(Path::new(bad)).expect_err(bad).code(), "IEC1904");
        }
    }

    #[test]
    fn parallel_work_keeps_the_order_and_gives_the_first_error() {
        let hosts = Record::intended(&UpRequest::new("demo")).hosts;
        let mut told = 0;
        let names = in_parallel(&hosts, &mut |_| told += 1, |host, tell| {
            tell(LabEvent::Removed {
                what: host.name.clone(),
            });
            Ok(host.name.clone())
        });
        assert_eq!(names.expect("all well"), ["edge-1", "edge-2", "edge-3"]);
        assert_eq!(told, 3);
        let failed = in_parallel(&hosts, &mut |_| {}, |host, _| match host.name.as_str() {
            "edge-1" => Ok(()),
            other => Err(LabError::InvalidRequest(other.to_owned())),
        });
        assert_eq!(
            failed.expect_err("two fail").to_string(),
            "this lab cannot be made: edge-2"
        );
    }
}
