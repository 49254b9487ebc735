//! What must be installed on this machine to make labs, and how it is installed.

use std::path::{Path, PathBuf};

use iec_core::architecture::Architecture;

use crate::error::LabError;
use crate::event::LabEvent;
use crate::program::{Invocation, Programs};

/// Where programs are, beside what `PATH` says: root's `PATH` lacks `sbin` after a plain `su`.
const PROGRAM_FOLDERS: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Something that must be there: any one of `anywhere`, and the Debian package that brings it.
struct Requirement {
    what: &'static str,
    /// Names of programs, or absolute paths of files.
    anywhere: &'static [&'static str],
    package: &'static str,
}

const REQUIREMENTS: [Requirement; 9] = [
    Requirement {
        what: "podman",
        anywhere: &["podman"],
        package: "podman",
    },
    Requirement {
        what: "runc",
        anywhere: &["runc"],
        package: "runc",
    },
    Requirement {
        what: "netavark",
        anywhere: &[
            "/usr/lib/podman/netavark",
            "/usr/libexec/podman/netavark",
            "/usr/local/libexec/podman/netavark",
        ],
        package: "netavark",
    },
    Requirement {
        what: "iptables",
        anywhere: &["iptables"],
        package: "iptables",
    },
    Requirement {
        what: "mmdebstrap",
        anywhere: &["mmdebstrap"],
        package: "mmdebstrap",
    },
    Requirement {
        what: "the keys of Debian's archive",
        anywhere: &["/usr/share/keyrings/debian-archive-keyring.gpg"],
        package: "debian-archive-keyring",
    },
    Requirement {
        what: "ssh",
        anywhere: &["ssh"],
        package: "openssh-client",
    },
    Requirement {
        what: "ssh-keygen",
        anywhere: &["ssh-keygen"],
        package: "openssh-client",
    },
    Requirement {
        what: "ip",
        anywhere: &["ip"],
        package: "iproute2",
    },
];

/// A fresh machine installs its own updates for some minutes after its first boot: apt-get waits so long for the lock
/// that it needs, in seconds (`DPkg::Lock::Timeout` of apt.conf(5), apt 1.9.11 and later; older ones ignore it).
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=300";

/// What virtual machines of an architecture need beside that, and their base where this machine is of another one.
fn of_machines(architecture: Architecture) -> Vec<Requirement> {
    let one = |what, anywhere: &'static [&'static str], package| Requirement {
        what,
        anywhere,
        package,
    };
    let (machine, process) = match architecture {
        Architecture::Amd64 => (
            one("qemu-system-x86_64", &["qemu-system-x86_64"], "qemu-system-x86"),
            one("qemu-x86_64-static", &["qemu-x86_64-static"], "qemu-user-static"),
        ),
        Architecture::Arm64 => (
            one("qemu-system-aarch64", &["qemu-system-aarch64"], "qemu-system-arm"),
            one(
                "qemu-aarch64-static",
                &["qemu-aarch64-static"],
                "qemu-user-static",
            ),
        ),
    };
    let mut all = vec![
        machine,
        one("qemu-img", &["qemu-img"], "qemu-utils"),
        one("mkfs.ext4", &["mkfs.ext4"], "e2fsprogs"),
        one("debugfs", &["debugfs"], "e2fsprogs"),
        one("resize2fs", &["resize2fs"], "e2fsprogs"),
    ];
    if architecture.uname() != std::env::consts::ARCH {
        all.push(process);
        all.push(one("update-binfmts", &["update-binfmts"], "binfmt-support"));
        // mmdebstrap asks it whether programs of another architecture run here.
        all.push(one("arch-test", &["arch-test"], "arch-test"));
    }
    all
}

/// The line that installs packages, as one types it.
pub(crate) fn apt_line(packages: &[String]) -> String {
    format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Checks that all that a lab with virtual machines of these architectures is made with is installed.
///
/// # Errors
/// [`LabError::MissingPrograms`] with all that is missing.
pub(crate) fn check(machines: &[Architecture]) -> Result<(), LabError> {
    check_with(machines, &|path| path.is_file())
}

fn check_with(machines: &[Architecture], is_there: &dyn Fn(&Path) -> bool) -> Result<(), LabError> {
    let found = |name: &&str| {
        let path = Path::new(name);
        if path.is_absolute() {
            return is_there(path);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "programs are looked for where they will be started from"
        )]
        let in_path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = std::env::split_paths(&in_path).chain(PROGRAM_FOLDERS.map(PathBuf::from));
        folders.any(|folder| is_there(&folder.join(path)))
    };
    let of_machines: Vec<Requirement> = machines.iter().copied().flat_map(of_machines).collect();
    let missing: Vec<&Requirement> = REQUIREMENTS
        .iter()
        .chain(&of_machines)
        .filter(|requirement| !requirement.anywhere.iter().any(found))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<String> = missing.iter().map(|each| each.package.to_owned()).collect();
    packages.dedup();
    Err(LabError::MissingPrograms {
        programs: missing.iter().map(|each| each.what.to_owned()).collect(),
        packages,
    })
}

/// Installs what [`check`] misses, with apt-get; gives the packages.
pub(crate) fn install(
    programs: &Programs<'_>,
    machines: &[Architecture],
    on_event: &mut dyn FnMut(LabEvent),
) -> Result<Vec<String>, LabError> {
    let packages = match check(machines) {
        Ok(()) => return Ok(Vec::new()),
        Err(LabError::MissingPrograms { packages, .. }) => packages,
        Err(other) => return Err(other),
    };
    install_packages(programs, &packages, on_event)?;
    check(machines)?;
    Ok(packages)
}

/// Installs Debian packages with apt-get.
pub(crate) fn install_packages(
    programs: &Programs<'_>,
    packages: &[String],
    on_event: &mut dyn FnMut(LabEvent),
) -> Result<(), LabError> {
    let apt = |words: Vec<String>| {
        Invocation::new("apt-get", words).environment("DEBIAN_FRONTEND", "noninteractive")
    };
    on_event(LabEvent::Installing {
        line: "apt-get update".to_owned(),
    });
    programs.must("reading the package lists", apt(vec!["update".to_owned()]))?;
    on_event(LabEvent::Installing {
        line: apt_line(packages),
    });
    let mut words: Vec<String> = ["-o", LOCK_TIMEOUT, "install", "-y", "--no-install-recommends"]
        .map(str::to_owned)
        .into();
    words.extend(packages.iter().cloned());
    programs.must("installing packages", apt(words)).map(drop)
}

/// Refuses a caller that is not root.
pub(crate) fn check_root() -> Result<(), LabError> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err(LabError::NotRoot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::fake::Fake;

    #[test]
    fn all_that_is_missing_is_named_at_once_and_each_package_once() {
        let only_podman = |path: &Path| path == Path::new("/usr/bin/podman") || path.ends_with("ip");
        let error = check_with(&[], &only_podman).expect_err("much is missing");
        assert_eq!(
            error.help(),
            "type: apt-get install -y --no-install-recommends runc netavark iptables mmdebstrap \
             debian-archive-keyring openssh-client"
        );
        assert_eq!(
            error.to_string(),
            "not installed on this machine: runc, netavark, iptables, mmdebstrap, the keys of Debian's archive, \
             ssh, ssh-keygen"
        );
    }

    #[test]
    fn another_apt_get_at_work_is_waited_for() {
        let fake = Fake::default().says("apt-get", "");
        let packages = ["podman".to_owned()];
        install_packages(&Programs::new(&fake), &packages, &mut |_| {}).expect("installed");
        assert_eq!(
            fake.asked(),
            [
                "apt-get update",
                "apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends podman"
            ]
        );
    }

    #[test]
    fn virtual_machines_need_their_own_programs() {
        let containers_only = |path: &Path| !path.to_string_lossy().contains("qemu");
        check_with(&[], &containers_only).expect("containers need no QEMU");
        let error = check_with(&Architecture::ALL, &containers_only).expect_err("QEMU is missing");
        let help = error.help();
        assert!(
            help.contains("qemu-system-x86 ") && help.contains("qemu-system-arm"),
            "{help}"
        );
        assert!(help.contains("qemu-user-static"), "{help}");
    }

    #[test]
    fn one_of_several_places_is_enough() {
        let everything_but = |path: &Path| path != Path::new("/usr/lib/podman/netavark");
        check_with(&[], &everything_but).expect("netavark is in another place");
    }
}
