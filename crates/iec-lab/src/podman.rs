//! The podman commands that a lab needs, with what they answer.

use std::ffi::OsString;
use std::path::Path;

use ipnet::Ipv4Net;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{LabError, at};
use crate::places::Folder;
use crate::program::{Answer, Input, Invocation, Programs};
use crate::record::{LabHost, LabNetwork};
use crate::request::Limits;
use crate::subnet;

/// The label that says which lab something belongs to.
const LABEL_NAME: &str = "dev.iec.lab";
/// The label that says where this lab's folder is: `down` goes by it, so that a lab of the same name in another
/// folder of labs is never touched.
const LABEL_FOLDER: &str = "dev.iec.lab.folder";

/// Whether a host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// It runs.
    Running,
    /// It is switched off.
    Stopped,
    /// podman does not know it.
    Gone,
}

impl HostState {
    /// The state as a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        }
    }
}

/// A container that podman knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) state: HostState,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerAnswer {
    names: Vec<String>,
    state: String,
}

/// A network that podman knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) name: String,
    pub(crate) subnets: Vec<Ipv4Net>,
    /// The link on this machine that joins what is on the network.
    pub(crate) bridge: String,
}

#[derive(Deserialize)]
struct NetworkAnswer {
    name: String,
    #[serde(default)]
    subnets: Vec<SubnetAnswer>,
    #[serde(default)]
    network_interface: String,
}

#[derive(Deserialize)]
struct SubnetAnswer {
    subnet: String,
}

/// What podman says about this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) network_backend: String,
    pub(crate) cgroup_v1: bool,
}

#[derive(Deserialize)]
struct InfoAnswer {
    host: InfoHost,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InfoHost {
    #[serde(default)]
    network_backend: String,
    cgroup_version: String,
}

/// The highest number of open files and of processes that a host may be given.
///
/// podman's own defaults can be higher than what this machine lets its root have, and then nothing starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ulimits {
    pub(crate) open_files: u64,
    pub(crate) processes: u64,
}

impl Ulimits {
    /// The hard limits of this process, at most 1 048 576 each, as a machine of its own has them.
    ///
    /// podman lowers its own limit of processes to the kernel's highest process number, and what it starts cannot be
    /// given more.
    pub(crate) fn of_this_process() -> Result<Self, LabError> {
        use rustix::process::{Resource, getrlimit};
        let hard = |resource| getrlimit(resource).maximum.unwrap_or(u64::MAX).min(1 << 20);
        let path = Path::new("/proc/sys/kernel/pid_max");
        let text = std::fs::read_to_string(path).map_err(at("read", path))?;
        let highest = text.trim().parse().unwrap_or(u64::MAX);
        Ok(Self {
            open_files: hard(Resource::Nofile),
            processes: hard(Resource::Nproc).min(highest),
        })
    }
}

impl Ulimits {
    fn words(self) -> [String; 2] {
        let Self {
            open_files,
            processes,
        } = self;
        [
            format!("--ulimit=nofile={open_files}:{open_files}"),
            format!("--ulimit=nproc={processes}:{processes}"),
        ]
    }
}

/// podman, called for one purpose after another.
pub(crate) struct Podman<'a> {
    programs: &'a Programs<'a>,
}

impl<'a> Podman<'a> {
    pub(crate) fn new(programs: &'a Programs<'a>) -> Self {
        Self { programs }
    }

    fn must<A: Into<OsString>>(
        &self,
        doing: &str,
        words: impl IntoIterator<Item = A>,
    ) -> Result<Vec<u8>, LabError> {
        self.programs.must(doing, Invocation::new("podman", words))
    }

    /// What podman says about this machine.
    pub(crate) fn machine(&self) -> Result<Machine, LabError> {
        let answer: InfoAnswer =
            read(&self.must("asking podman about this machine", ["info", "--format", "json"])?)?;
        Ok(Machine {
            // podman 5 has netavark only and does not always say so.
            network_backend: Some(answer.host.network_backend)
                .filter(|backend| !backend.is_empty())
                .unwrap_or_else(|| "netavark".to_owned()),
            cgroup_v1: answer.host.cgroup_version == "v1",
        })
    }

    /// The containers with a label; the label of one lab or of all labs.
    fn containers(&self, label: String) -> Result<Vec<Container>, LabError> {
        let filter = format!("label={label}");
        let words = ["ps", "--all", "--format", "json", "--filter", &filter];
        let answers: Vec<ContainerAnswer> = read(&self.must("listing the labs' containers", words)?)?;
        let container = |answer: ContainerAnswer| {
            let state = if answer.state == "running" {
                HostState::Running
            } else {
                HostState::Stopped
            };
            answer
                .names
                .into_iter()
                .next()
                .map(|name| Container { name, state })
        };
        Ok(answers.into_iter().filter_map(container).collect())
    }

    /// The containers of all labs.
    pub(crate) fn all_containers(&self) -> Result<Vec<Container>, LabError> {
        self.containers(LABEL_NAME.to_owned())
    }

    /// The containers of the lab in this folder.
    pub(crate) fn containers_of(&self, folder: &Folder) -> Result<Vec<Container>, LabError> {
        self.containers(format!("{LABEL_FOLDER}={}", folder.path.display()))
    }

    /// The words by which the containers of all labs were made, one a line.
    pub(crate) fn create_commands(&self) -> Result<String, LabError> {
        let filter = format!("label={LABEL_NAME}");
        let words = ["ps", "--all", "--quiet", "--filter", &filter];
        let all = self.must("listing the labs' containers", words)?;
        let all = String::from_utf8_lossy(&all).into_owned();
        if all.trim().is_empty() {
            return Ok(String::new());
        }
        let format = "{{range .Config.CreateCommand}}{{println .}}{{end}}";
        let words = ["container", "inspect", "--format", format];
        let words = words.into_iter().chain(all.split_whitespace());
        let answer = self.must("asking how the labs' containers were made", words)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// All networks on this machine that podman knows.
    pub(crate) fn networks(&self) -> Result<Vec<Network>, LabError> {
        read_networks(&self.must("listing podman's networks", ["network", "ls", "--format", "json"])?)
    }

    /// The networks of the lab in this folder.
    pub(crate) fn networks_of(&self, folder: &Folder) -> Result<Vec<Network>, LabError> {
        let filter = format!("label={LABEL_FOLDER}={}", folder.path.display());
        let words = ["network", "ls", "--format", "json", "--filter", &filter];
        read_networks(&self.must("listing the lab's networks", words)?)
    }

    /// Makes a network without name service: a lab's hosts use the machine's own resolvers, as hosts of a site
    /// use theirs, and podman's one speaks UDP only.
    pub(crate) fn create_network(
        &self,
        folder: &Folder,
        lab: &str,
        network: &LabNetwork,
        chosen: Ipv4Net,
    ) -> Result<(), LabError> {
        let mut words: Vec<String> = ["network", "create", "--driver", "bridge", "--disable-dns"]
            .map(str::to_owned)
            .into();
        if network.internal {
            words.push("--internal".to_owned());
        }
        words.extend(["--subnet".to_owned(), chosen.to_string()]);
        words.extend(["--gateway".to_owned(), subnet::gateway(chosen).to_string()]);
        words.extend(labels(folder, lab));
        words.push(network.name.clone());
        self.must("making the lab's network", words).map(drop)
    }

    /// Starts a host for the first time.
    pub(crate) fn run_host(&self, folder: &Folder, new: &NewHost<'_>) -> Result<(), LabError> {
        self.must("switching the host on", run_words(folder, new))
            .map(drop)
    }

    /// Starts the container that keeps the lab's bridges and their way out while no host is a container.
    ///
    /// podman makes a bridge with the first container on a network and removes it with the last one. This one does
    /// nothing but sleep, by this machine's own program.
    pub(crate) fn run_switch(
        &self,
        folder: &Folder,
        lab: &str,
        networks: &[LabNetwork],
        ulimits: Ulimits,
    ) -> Result<(), LabError> {
        let mut words: Vec<String> = [
            "--runtime=runc",
            "run",
            "--detach",
            "--cgroupns=private",
            "--no-hosts",
            "--dns=none",
            "--volume=/usr:/usr:ro",
        ]
        .map(str::to_owned)
        .into();
        words.extend(ulimits.words());
        words.push(format!("--name={}", switch_name(lab)));
        words.extend(
            networks
                .iter()
                .map(|network| format!("--network={}", network.name)),
        );
        words.extend(labels(folder, lab));
        words.push("--rootfs".to_owned());
        words.push(folder.switch().display().to_string());
        words.extend(["/usr/bin/sleep", "infinity"].map(str::to_owned));
        self.must("making the lab's switch", words).map(drop)
    }

    /// Removes containers, at once.
    pub(crate) fn remove_containers(&self, names: &[String]) -> Result<(), LabError> {
        let words = ["rm", "--force", "--time", "0"]
            .into_iter()
            .chain(names.iter().map(String::as_str));
        self.must("removing the hosts' containers", words).map(drop)
    }

    /// Removes a network.
    pub(crate) fn remove_network(&self, name: &str) -> Result<(), LabError> {
        self.must("removing the lab's network", ["network", "rm", name])
            .map(drop)
    }

    /// Kills all processes of a host at once, and waits until podman has put its network away.
    pub(crate) fn kill(&self, container: &str) -> Result<(), LabError> {
        self.must(
            "cutting the host's power",
            ["kill", "--signal", "KILL", container],
        )?;
        self.must("waiting for the host's end", ["wait", container])
            .map(drop)
    }

    /// Lets a host's systemd shut it down; kills what is left of it after the time that systemd gives its units.
    pub(crate) fn stop(&self, container: &str) -> Result<(), LabError> {
        self.must("shutting the host down", ["stop", "--time", "90", container])
            .map(drop)
    }

    /// Holds all processes of a host where they are, until [`Podman::unpause`].
    pub(crate) fn pause(&self, container: &str) -> Result<(), LabError> {
        self.must("holding the host", ["pause", container]).map(drop)
    }

    /// Lets a held host go on.
    pub(crate) fn unpause(&self, container: &str) -> Result<(), LabError> {
        self.must("letting the host go on", ["unpause", container])
            .map(drop)
    }

    /// Starts a host that was there before, on its own disk.
    pub(crate) fn start(&self, container: &str) -> Result<(), LabError> {
        self.must("switching the host on", ["start", container]).map(drop)
    }

    /// Runs a command in a host.
    pub(crate) fn exec(
        &self,
        container: &str,
        user: &str,
        command: &[String],
        input: &[u8],
    ) -> Result<Answer, LabError> {
        let mut words: Vec<&str> = vec!["exec", "--interactive", "--user", user, container];
        words.extend(command.iter().map(String::as_str));
        let invocation = Invocation::new("podman", words).input(Input::Bytes(input.to_vec()));
        self.programs.ask("running a command in the host", invocation)
    }
}

/// The name of the container that keeps a lab's bridges.
pub(crate) fn switch_name(lab: &str) -> String {
    format!("iec.{lab}.switch")
}

/// What is needed to start a host for the first time.
pub(crate) struct NewHost<'a> {
    pub(crate) lab: &'a str,
    pub(crate) host: &'a LabHost,
    /// The base root, whose `/usr` all hosts share below their own changes.
    pub(crate) base: &'a Path,
    pub(crate) networks: &'a [LabNetwork],
    pub(crate) limits: Limits,
    pub(crate) ulimits: Ulimits,
}

/// What a host starts with: systemd, which sees its own part of every tree of control groups.
///
/// With control groups of version 1, podman lays systemd's tree of this whole machine over the one that belongs to the
/// container (`setupSystemd` in libpod). All hosts would share it, and each kubelet would take the others' pods for left
/// over and remove their groups while they start.
const INIT: &str = "\
while read -r _ _ _ root place _; do
  case $root:$place in
  /..*:/sys/fs/cgroup/systemd)
    umount /sys/fs/cgroup/systemd/release_agent 2>/dev/null
    umount /sys/fs/cgroup/systemd ;;
  esac
done </proc/self/mountinfo
exec /sbin/init";

/// The words after `podman` that start a host.
fn run_words(folder: &Folder, new: &NewHost<'_>) -> Vec<OsString> {
    let mut words: Vec<OsString> = [
        // crun refuses machines with cgroup v1 and v2 side by side.
        "--runtime=runc",
        "run",
        "--detach",
        "--systemd=always",
        // A kubelet and a calico-node write to /proc/sys, mount, and load rules.
        "--privileged",
        // Without its own cgroup namespace a host would see this machine's tree, and no pod would start in it.
        "--cgroupns=private",
        "--pids-limit=-1",
        // /etc/hosts and /etc/resolv.conf are plain files of the host's disk, not podman's mounts over them:
        // those could not be replaced by a rename.
        "--no-hosts",
        "--dns=none",
        "--log-opt=max-size=1mb",
    ]
    .map(Into::into)
    .into();
    words.extend(new.ulimits.words().map(OsString::from));
    words.push(format!("--name={}", new.host.container).into());
    words.push(format!("--hostname={}", new.host.name).into());
    for (index, (network, address)) in new.networks.iter().zip(&new.host.addresses).enumerate() {
        words.push(
            format!(
                "--network={}:ip={address},interface_name=eth{index}",
                network.name
            )
            .into(),
        );
    }
    if let Some(memory) = new.limits.memory_mib {
        words.push(format!("--memory={memory}m").into());
        words.push(format!("--memory-swap={memory}m").into());
    }
    if let Some(cpus) = new.limits.cpus {
        words.push(format!("--cpus={cpus}").into());
    }
    words.extend(labels(folder, new.lab).into_iter().map(OsString::from));
    let (upper, work) = folder.usr_overlay(&new.host.name);
    let options = format!("O,upperdir={},workdir={}", upper.display(), work.display());
    words.push(format!("--volume={}:/usr:{options}", new.base.join("usr").display()).into());
    words.push("--rootfs".into());
    words.push(folder.disk(&new.host.name).into());
    words.extend(["/bin/sh", "-c", INIT].map(OsString::from));
    words
}

fn labels(folder: &Folder, lab: &str) -> Vec<String> {
    vec![
        format!("--label={LABEL_NAME}={lab}"),
        format!("--label={LABEL_FOLDER}={}", folder.path.display()),
    ]
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, LabError> {
    // An empty list is `null` in some versions of podman and nothing in others.
    let text = match json.trim_ascii() {
        b"" | b"null" => b"[]",
        text => text,
    };
    serde_json::from_slice(text).map_err(|source| LabError::UnknownAnswer {
        program: "podman".to_owned(),
        source,
    })
}

fn read_networks(json: &[u8]) -> Result<Vec<Network>, LabError> {
    let answers: Vec<NetworkAnswer> = read(json)?;
    let network = |answer: NetworkAnswer| Network {
        name: answer.name,
        // IPv6 subnets do not parse as IPv4 ones, and a lab has none.
        subnets: answer
            .subnets
            .iter()
            .filter_map(|each| each.subnet.parse().ok())
            .collect(),
        bridge: answer.network_interface,
    };
    Ok(answers.into_iter().map(network).collect())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::PathBuf;

    use super::*;
    use crate::program::fake::Fake;
    use crate::record::Record;
    use crate::request::UpRequest;

    fn folder() -> Folder {
        Folder {
            path: PathBuf::from("/labs/demo"),
        }
    }

    #[test]
    fn containers_are_read_with_their_states() {
        let fake = Fake::default().says(
            "podman ps --all --format json --filter label=dev.iec.lab.folder=/labs/demo",
            r#"[{"AutoRemove":false,"Names":["iec.demo.edge-1"],"State":"running","Pid":4},
                {"Names":["iec.demo.edge-2"],"State":"exited"},{"Names":["iec.demo.edge-3"],"State":"created"}]"#,
        );
        let programs = Programs::new(&fake);
        let states: Vec<_> = Podman::new(&programs)
            .containers_of(&folder())
            .expect("read")
            .into_iter()
            .map(|each| each.state)
            .collect();
        assert_eq!(
            states,
            [HostState::Running, HostState::Stopped, HostState::Stopped]
        );
    }

    #[test]
    fn networks_are_read_and_none_is_no_error() {
        let fake = Fake::default()
            .says("podman network ls --format json --filter", "null\n")
            .says("podman network ls", r#"[{"name":"podman","driver":"bridge","network_interface":"podman0","subnets":[{"subnet":"10.88.0.0/16","gateway":"10.88.0.1"},{"subnet":"fd00::/64"}]}]"#);
        let programs = Programs::new(&fake);
        let podman = Podman::new(&programs);
        assert_eq!(podman.networks_of(&folder()).expect("none"), []);
        let subnets = vec!["10.88.0.0/16".parse().expect("a network")];
        assert_eq!(
            podman.networks().expect("one"),
            [Network {
                name: "podman".to_owned(),
                subnets,
                bridge: "podman0".to_owned(),
            }]
        );
    }

    #[test]
    fn the_machine_is_read() {
        let fake = Fake::default().says(
            "podman info",
            r#"{"host":{"arch":"amd64","cgroupVersion":"v1","networkBackend":"cni"},"store":{}}"#,
        );
        let machine = Podman::new(&Programs::new(&fake)).machine().expect("read");
        assert_eq!(
            machine,
            Machine {
                network_backend: "cni".to_owned(),
                cgroup_v1: true
            }
        );
    }

    #[test]
    fn a_host_is_started_with_limits_and_addresses() {
        let mut record = Record::intended(&UpRequest::new("demo"));
        record.hosts[0].addresses = vec![Ipv4Addr::new(10, 89, 70, 11)];
        let words = run_words(
            &folder(),
            &NewHost {
                lab: "demo",
                host: &record.hosts[0],
                base: Path::new("/cache/base/root"),
                networks: &record.networks,
                limits: Limits {
                    memory_mib: Some(1024),
                    cpus: Some(0.5),
                    disk_gib: None,
                    second_disk_gib: None,
                },
                ulimits: Ulimits {
                    open_files: 20_000,
                    processes: 4_096,
                },
            },
        );
        let line = words.join(&OsString::from(" ")).into_string().expect("text");
        assert!(
            line.starts_with("--runtime=runc run --detach --systemd=always --privileged --cgroupns=private "),
            "{line}"
        );
        assert!(
            line.contains(" --ulimit=nofile=20000:20000 --ulimit=nproc=4096:4096 "),
            "{line}"
        );
        assert!(
            line.contains(" --network=iec.demo.nic1:ip=10.89.70.11,interface_name=eth0 "),
            "{line}"
        );
        assert!(
            line.contains(" --memory=1024m --memory-swap=1024m --cpus=0.5 "),
            "{line}"
        );
        assert!(
            line.contains(" --label=dev.iec.lab=demo --label=dev.iec.lab.folder=/labs/demo "),
            "{line}"
        );
        let end = " --volume=/cache/base/root/usr:/usr:O,upperdir=/labs/demo/hosts/edge-1/usr,\
                   workdir=/labs/demo/hosts/edge-1/usr-work --rootfs /labs/demo/hosts/edge-1/disk /bin/sh -c ";
        let (before, init) = line.split_once(" -c while ").expect("what a host starts with");
        assert!(format!("{before} -c ").ends_with(end), "{line}");
        assert!(init.ends_with("\nexec /sbin/init"), "{line}");
    }

    #[test]
    fn a_second_network_has_no_way_out() {
        let fake = Fake::default().says("podman network create", "iec.demo.nic2\n");
        let network = LabNetwork {
            name: "iec.demo.nic2".to_owned(),
            subnet: None,
            internal: true,
            bridge: String::new(),
        };
        let chosen = "10.89.71.0/24".parse().expect("a network");
        let programs = Programs::new(&fake);
        Podman::new(&programs)
            .create_network(&folder(), "demo", &network, chosen)
            .expect("made");
        assert_eq!(
            fake.asked(),
            [
                "podman network create --driver bridge --disable-dns --internal --subnet 10.89.71.0/24 --gateway 10.89.71.1 \
              --label=dev.iec.lab=demo --label=dev.iec.lab.folder=/labs/demo iec.demo.nic2"
            ]
        );
    }
}
