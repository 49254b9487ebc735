//! Real labs on this machine: up, SSH, power cut, down, and nothing left over.
//!
//! They run where root, podman and the rest are there, and say so where they are not; with `IEC_LAB_TESTS=1` in the
//! environment a machine that lacks something fails them.

#![expect(
    clippy::disallowed_methods,
    reason = "a test is told by its environment what it must insist on"
)]
#![expect(clippy::print_stderr, reason = "a test that does not run must say so")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use iec_lab::{ExecUser, HostState, Lab, LabError, LabEvent, LabState, Labs, Nics, Places, UpRequest};

/// Labs in a folder of their own, with the machine's own cache of base roots; taken down however the test ends.
struct Bench {
    root: tempfile::TempDir,
    places: Places,
    name: String,
}

impl Bench {
    /// `None` where labs cannot be made, unless the environment insists.
    fn new(purpose: &str) -> Option<Self> {
        let insist = std::env::var_os("IEC_LAB_TESTS").is_some_and(|value| value == "1");
        let root = tempfile::tempdir().expect("a temporary folder");
        let cache = Places::from_environment(|name| std::env::var_os(name).map(PathBuf::from)).cache;
        let places = Places {
            labs: root.path().join("labs"),
            cache,
        };
        match Labs::new(places.clone()).check_machine(&[]) {
            Ok(()) => Some(Self {
                root,
                places,
                name: format!("test-{purpose}-{}", std::process::id()),
            }),
            Err(error) if insist => panic!("{}: {error}; {}", error.code(), error.help()),
            Err(error) => {
                eprintln!("not run: {error}");
                None
            }
        }
    }

    fn labs(&self) -> Labs {
        Labs::new(self.places.clone())
    }

    fn request(&self) -> UpRequest {
        UpRequest {
            hosts: 2,
            ..UpRequest::new(&self.name)
        }
    }

    /// What of this machine a lab could leave behind, as far as it concerns this lab.
    fn traces(&self) -> BTreeSet<String> {
        let mut traces = BTreeSet::new();
        let mut note =
            |kind: &str, text: &str| traces.extend(text.lines().map(|line| format!("{kind}: {line}")));
        note(
            "container",
            &said(&["podman", "ps", "--all", "--format", "{{.Names}}"], &self.name),
        );
        note(
            "network",
            &said(&["podman", "network", "ls", "--format", "{{.Name}}"], &self.name),
        );
        let folder = self.places.labs.display().to_string();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts can be read");
        mounts
            .lines()
            .filter(|line| line.contains(&folder))
            .for_each(|line| note("mount", line));
        for entry in std::fs::read_dir(&self.places.labs).into_iter().flatten() {
            note("folder", &entry.expect("an entry").file_name().to_string_lossy());
        }
        note("process", &said(&["pgrep", "--list-full", "--full", &folder], ""));
        traces
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A second removal after the test's own one finds nothing; after a panic it is the only one.
        if let Err(error) = self.labs().down(&self.name, &mut |_| {}) {
            eprintln!(
                "could not clean up {} in {}: {error}",
                self.name,
                self.root.path().display()
            );
        }
    }
}

/// The lines of a program's output that contain `part`.
fn said(words: &[&str], part: &str) -> String {
    let output = Command::new(words[0])
        .args(&words[1..])
        .output()
        .expect("the program is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter(|line| line.contains(part))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The names of this machine's links.
fn links() -> BTreeSet<String> {
    std::fs::read_dir("/sys/class/net")
        .expect("links can be listed")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

/// Runs a command by the line that the lab gives for SSH.
fn ssh(lab: &Lab, host: &str, command: &str) -> Output {
    let words = lab.ssh_words(host).expect("the host has an address");
    Command::new(&words[0])
        .args(&words[1..])
        .arg(command)
        .output()
        .expect("ssh is installed")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// Reads a fact as root inside a host.
fn inside(labs: &Labs, lab: &Lab, host: &str, script: &str) -> String {
    let words = ["sh", "-c", script].map(str::to_owned);
    let output = labs.exec(lab, host, ExecUser::Root, &words, b"").expect("it ran");
    assert_eq!(output.code, 0, "{script}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_lab_lives_loses_power_and_goes_without_a_trace() {
    let Some(bench) = Bench::new("life") else { return };
    let labs = bench.labs();
    let mut events = Vec::new();
    let links_before = links();
    let request = UpRequest {
        nics: Nics::Two,
        ..bench.request()
    };
    let lab = labs
        .up(&request, &mut |event| events.push(event))
        .expect("the lab comes up");
    assert!(
        matches!(events.last(), Some(LabEvent::LabReady { .. })),
        "{events:?}"
    );
    assert_eq!(lab.state, LabState::Ready);
    let new_links: Vec<String> = links().difference(&links_before).cloned().collect();
    assert!(
        new_links.len() >= 2,
        "two networks have bridges on this machine: {new_links:?}"
    );

    hosts_are_bare_and_reachable(&labs, &lab);
    a_host_keeps_its_disk(&labs, &lab);

    let again = labs.up(&request, &mut |_| {}).expect_err("its name is taken");
    assert_eq!(again.code(), "IEC1905", "{again}");
    let removed = labs.down(&bench.name, &mut |_| {}).expect("it goes down");
    assert_eq!(
        (removed.containers.len(), removed.networks.len(), removed.folder),
        (2, 2, true),
        "{removed:?}"
    );
    assert_eq!(bench.traces(), BTreeSet::new());
    // Other labs may come and go meanwhile: only the links that came with this one count.
    let left: Vec<_> = new_links
        .into_iter()
        .filter(|link| links().contains(link))
        .collect();
    assert!(left.is_empty() || other_labs_run(), "links left over: {left:?}");
    assert!(
        labs.down(&bench.name, &mut |_| {})
            .expect("once more")
            .is_nothing()
    );
}

fn other_labs_run() -> bool {
    !said(&["podman", "ps", "--format", "{{.Names}}"], "").is_empty()
}

fn hosts_are_bare_and_reachable(labs: &Labs, lab: &Lab) {
    let mut machine_ids = BTreeSet::new();
    for host in &lab.hosts {
        let name = &host.name;
        let said = ssh(
            lab,
            name,
            "hostname; id -un; sudo -n id -un; cat /etc/machine-id; systemd-detect-virt -c",
        );
        let answer = text(&said.stdout);
        let lines: Vec<&str> = answer.lines().collect();
        assert_eq!(
            lines[..3],
            [name.as_str(), "edge", "root"],
            "{}",
            text(&said.stderr)
        );
        assert_eq!(lines[4], "podman");
        machine_ids.insert(lines[3].to_owned());
        assert_eq!(inside(labs, lab, name, "systemctl is-system-running"), "running");
        for absent in [
            "iptables",
            "curl",
            "kmod",
            "conntrack",
            "dbus-daemon",
            "wget",
            "containerd",
        ] {
            assert_eq!(
                inside(labs, lab, name, &format!("command -v {absent} || echo none")),
                "none",
                "{absent}"
            );
        }
        // kubelet needs a shared root; a file step replaces these by a rename.
        assert_eq!(inside(labs, lab, name, "findmnt -no PROPAGATION /"), "shared");
        for plain in ["/etc/hosts", "/etc/resolv.conf", "/etc/hostname"] {
            inside(
                labs,
                lab,
                name,
                &format!("cp {plain} {plain}.new && mv {plain}.new {plain}"),
            );
        }
        for address in &host.addresses {
            assert!(inside(labs, lab, name, "ip -4 -brief address").contains(&format!("{address}/24")));
        }
        // Where containerd keeps its layers, the kernel's overlay must work.
        inside(
            labs,
            lab,
            name,
            "mkdir -p /var/lib/o/a /var/lib/o/b /var/lib/o/c /var/lib/o/d && \
            mount -t overlay o -o lowerdir=/var/lib/o/a,upperdir=/var/lib/o/b,workdir=/var/lib/o/c /var/lib/o/d && \
            umount /var/lib/o/d && rm -r /var/lib/o",
        );
    }
    assert_eq!(machine_ids.len(), lab.hosts.len(), "machine ids differ");
    let second = lab.hosts[1].addresses[1];
    inside(
        labs,
        lab,
        "edge-1",
        &format!("timeout 5 bash -c 'exec 3<>/dev/tcp/{second}/22'"),
    );
    let site = std::fs::read_to_string(&lab.site_file).expect("a site file");
    for host in &lab.hosts {
        assert!(
            site.contains(&format!("nodeAddress: {}", host.addresses[1])),
            "{site}"
        );
        assert!(site.contains(&host.host_key), "{site}");
    }
}

fn a_host_keeps_its_disk(labs: &Labs, lab: &Lab) {
    let write = "echo kept > /var/lib/kept; echo kept > /usr/local/bin/kept; rm /usr/bin/w; echo lost > /run/lost; \
                 sleep 1000 >/dev/null 2>&1 & cat /proc/sys/kernel/random/boot_id >/dev/null; cat /etc/machine-id";
    let id = inside(labs, lab, "edge-2", write);
    let refused = labs.start_host(lab, "edge-2").expect_err("it runs");
    assert!(matches!(refused, LabError::HostState { .. }), "{refused}");
    labs.kill_host(lab, "edge-2").expect("power off");
    assert_eq!(labs.host_state(lab, "edge-2").expect("known"), HostState::Stopped);
    let words = ["true".to_owned()];
    let refused = labs
        .exec(lab, "edge-2", ExecUser::Root, &words, b"")
        .expect_err("it is off");
    assert_eq!(refused.code(), "IEC1917", "{refused}");
    labs.start_host(lab, "edge-2").expect("power on");
    let read =
        "cat /var/lib/kept /usr/local/bin/kept; ls /usr/bin/w /run/lost 2>/dev/null; cat /etc/machine-id";
    assert_eq!(
        inside(labs, lab, "edge-2", &format!("{{ {read}; }} | cat")),
        format!("kept\nkept\n{id}")
    );
    let address = lab.hosts[1].addresses[0];
    let said = ssh(lab, "edge-2", "ip -4 -brief address show eth0");
    assert!(
        text(&said.stdout).contains(&address.to_string()),
        "the pinned key still fits: {}",
        text(&said.stderr)
    );
}

/// The process of another test binary run that does nothing but `up`, to be killed.
fn up_in_a_process(bench: &Bench) -> Child {
    Command::new(std::env::current_exe().expect("this test has a file"))
        .args([
            "--exact",
            "only_up_for_the_killed_one",
            "--ignored",
            "--nocapture",
        ])
        .env("IEC_LAB_TEST_NAME", &bench.name)
        .env("IEC_LAB_TEST_LABS", &bench.places.labs)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

#[test]
#[ignore = "started as a process of its own by the test that kills it"]
fn only_up_for_the_killed_one() {
    let name = std::env::var("IEC_LAB_TEST_NAME").expect("the test that starts this sets it");
    let labs =
        PathBuf::from(std::env::var_os("IEC_LAB_TEST_LABS").expect("the test that starts this sets it"));
    let cache = Places::from_environment(|name| std::env::var_os(name).map(PathBuf::from)).cache;
    let lab = Labs::new(Places { labs, cache })
        .up(&UpRequest::new(name), &mut |_| {})
        .expect("up");
    assert_eq!(lab.hosts.len(), 3);
}

#[test]
fn an_up_that_was_killed_anywhere_is_taken_down() {
    let Some(bench) = Bench::new("cut") else { return };
    let labs = bench.labs();
    // The base root must be there, so that the cuts fall into the making of the lab and not into a build.
    labs.up(
        &UpRequest {
            hosts: 1,
            ..bench.request()
        },
        &mut |_| {},
    )
    .expect("up once");
    labs.down(&bench.name, &mut |_| {}).expect("down once");
    let folder = bench.places.labs.join(&bench.name);
    let reached: [(&str, &dyn Fn() -> bool); 4] = [
        ("its record is there", &|| folder.join("lab.json").exists()),
        ("its first disk has begun", &|| {
            folder.join("hosts/edge-1/disk/etc").exists()
        }),
        ("podman is at work on its hosts", &|| {
            folder.join("hosts/edge-1/usr-work").exists()
        }),
        ("a host runs", &|| {
            !said(&["podman", "ps", "--format", "{{.Names}}"], &bench.name).is_empty()
        }),
    ];
    for (moment, is_reached) in reached {
        let mut process = up_in_a_process(&bench);
        wait_for(moment, is_reached);
        process.kill().expect("SIGKILL");
        process.wait().expect("it ended");
        assert!(
            Path::new(&folder).exists(),
            "{moment}: it was cut off before its end"
        );
        let removed = labs
            .down(&bench.name, &mut |_| {})
            .unwrap_or_else(|error| panic!("{moment}: {error}"));
        assert!(removed.folder, "{moment}");
        assert_eq!(bench.traces(), BTreeSet::new(), "{moment}");
    }
}

fn wait_for(moment: &str, is_reached: &dyn Fn() -> bool) {
    let start = Instant::now();
    while !is_reached() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "not reached: {moment}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn two_labs_stand_side_by_side() {
    let (Some(one), Some(other)) = (Bench::new("one"), Bench::new("two")) else {
        return;
    };
    let request = |bench: &Bench| UpRequest {
        hosts: 1,
        ..bench.request()
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| one.labs().up(&request(&one), &mut |_| {}));
        let second = scope.spawn(|| other.labs().up(&request(&other), &mut |_| {}));
        (first.join().expect("no panic"), second.join().expect("no panic"))
    });
    let (first, second) = (first.expect("the first"), second.expect("the second"));
    assert_ne!(first.hosts[0].addresses, second.hosts[0].addresses);
    one.labs().down(&one.name, &mut |_| {}).expect("the first goes");
    assert_eq!(inside(&other.labs(), &second, "edge-1", "hostname"), "edge-1");
    let listed = other.labs().list().expect("a list");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].hosts, [("edge-1".to_owned(), HostState::Running)]);
}
