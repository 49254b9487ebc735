//! The command line of QEMU for a host of a lab.

use std::ffi::OsString;

use iec_core::architecture::Architecture;

use super::{Accelerator, Files, Hardware, MEMORY_MIB, medium, tap};
use crate::places::Folder;
use crate::record::LabHost;
use crate::request::DiskCache;

/// The program that runs machines of an architecture.
pub(crate) fn program(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "qemu-system-x86_64",
        Architecture::Arm64 => "qemu-system-aarch64",
    }
}

/// The board that an architecture's machines have.
pub(crate) fn board(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "q35",
        Architecture::Arm64 => "virt,gic-version=3",
    }
}

/// The kernel's name of the first serial port.
pub(super) fn serial(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "ttyS0",
        Architecture::Arm64 => "ttyAMA0",
    }
}

/// The words after the program that switch a machine on, in the background.
pub(crate) fn words(files: &Files, lab: &Folder, host: &LabHost, machine: &Hardware<'_>) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut option = |name: &str, value: OsString| {
        words.push(format!("-{name}").into());
        words.push(value);
    };
    option("name", host.container.clone().into());
    option("machine", board(machine.architecture).into());
    let (accelerator, processor) = match (machine.accelerator, machine.architecture) {
        (Accelerator::Kvm, _) => ("kvm", "host"),
        // One thread per processor, and room for what was translated: without it a busy machine translates again and again.
        (Accelerator::Emulation, Architecture::Amd64) => ("tcg,thread=multi,tb-size=512", "max"),
        (Accelerator::Emulation, Architecture::Arm64) => ("tcg,thread=multi,tb-size=512", "cortex-a72"),
    };
    option("accel", accelerator.into());
    option("cpu", processor.into());
    option("smp", processors(machine).to_string().into());
    option(
        "m",
        format!("{}M", machine.limits.memory_mib.unwrap_or(MEMORY_MIB)).into(),
    );
    option("kernel", files.kernel().into());
    option("initrd", files.initrd().into());
    option("append", kernel_line(machine).into());
    option("drive", drive(files, machine.disk_cache));
    option("device", "virtio-blk-pci,drive=disk".into());
    if files.second_disk().exists() {
        let mut second = OsString::from("if=none,id=second,format=raw,cache=writeback,discard=unmap,file=");
        second.push(files.second_disk());
        option("drive", second);
        option("device", "virtio-blk-pci,drive=second".into());
    }
    for card in 0..machine.networks.len() {
        let link = tap::name(lab, &host.name, card);
        option(
            "netdev",
            format!("tap,id=nic{card},ifname={link},script=no,downscript=no").into(),
        );
        option(
            "device",
            format!(
                "virtio-net-pci,netdev=nic{card},mac={},romfile=",
                tap::hardware_address(lab, &host.name, card)
            )
            .into(),
        );
    }
    option("device", "virtio-serial-pci".into());
    let mut agent = OsString::from("socket,id=agent,server=on,wait=off,path=");
    agent.push(files.agent());
    option("chardev", agent);
    option(
        "device",
        "virtserialport,chardev=agent,name=org.qemu.guest_agent.0".into(),
    );
    option("device", "virtio-rng-pci".into());
    let mut console = OsString::from("file,id=console,append=on,path=");
    console.push(files.console());
    option("chardev", console);
    option("serial", "chardev:console".into());
    let mut monitor = OsString::from("socket,id=monitor,server=on,wait=off,path=");
    monitor.push(files.monitor());
    option("chardev", monitor);
    option("mon", "chardev=monitor,mode=control".into());
    option("pidfile", files.process().into());
    option("display", "none".into());
    words.extend(medium::words(files));
    words.extend(["-nodefaults", "-no-user-config", "-daemonize"].map(OsString::from));
    words
}

/// The disk. Where its cache is kept, flushes are not passed on to this machine's own: what was written is this machine's,
/// which goes on when the power of the virtual one is cut.
fn drive(files: &Files, cache: DiskCache) -> OsString {
    let (mode, file) = match cache {
        DiskCache::Kept => ("format=raw,cache=unsafe", files.disk()),
        DiskCache::Lost => ("format=qcow2,cache=writeback", files.written()),
    };
    let mut drive = OsString::from(format!("if=none,id=disk,{mode},discard=unmap,file="));
    drive.push(file);
    drive
}

/// Whole processors: a part of one is still one, which the lab's other hosts share.
fn processors(machine: &Hardware<'_>) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a checked request has a small positive number"
    )]
    machine.limits.cpus.map_or(2, |cpus| cpus.ceil() as u32)
}

/// What the kernel is told: its disk, its console, and names of interfaces that count from zero, as container hosts have.
///
/// Where it is emulated, there is no processor that could be made to guess wrong, and what the kernel does against that
/// costs most of the time: an arm64 kernel changes its page tables with each system call, and each time QEMU forgets what
/// it knew of the memory. A system call takes ten times as long by that.
fn kernel_line(machine: &Hardware<'_>) -> String {
    let more = match machine.accelerator {
        Accelerator::Kvm => "",
        Accelerator::Emulation => " mitigations=off",
    };
    format!(
        "root=/dev/vda rw console={} net.ifnames=0 systemd.show_status=true{more}",
        serial(machine.architecture)
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::record::Record;
    use crate::request::{HostKind, Limits, UpRequest};

    #[test]
    fn a_machine_has_its_own_disk_links_and_console() {
        let record = Record::intended(&UpRequest {
            kinds: vec![HostKind::VirtualMachine(Architecture::Arm64)],
            hosts: 1,
            ..UpRequest::new("demo")
        });
        let lab = Folder {
            path: PathBuf::from("/labs/demo"),
        };
        let hardware = Hardware {
            architecture: Architecture::Arm64,
            accelerator: Accelerator::Emulation,
            networks: &record.networks,
            limits: Limits {
                memory_mib: Some(2048),
                cpus: Some(1.5),
                disk_gib: None,
                second_disk_gib: None,
            },
            disk_cache: DiskCache::Kept,
        };
        let files = Files::of(&lab, "edge-1");
        let line = words(&files, &lab, &record.hosts[0], &hardware)
            .join(&OsString::from(" "))
            .into_string()
            .expect("text");
        let kernel_line_by_kvm = kernel_line(&Hardware {
            accelerator: Accelerator::Kvm,
            ..hardware.clone()
        });
        assert!(
            !kernel_line_by_kvm.contains("mitigations"),
            "{kernel_line_by_kvm}"
        );
        for part in [
            "-name iec.demo.edge-1 -machine virt,gic-version=3 -accel tcg,thread=multi,tb-size=512 -cpu cortex-a72 ",
            " -smp 2 -m 2048M -kernel /labs/demo/hosts/edge-1/vmlinuz -initrd /labs/demo/hosts/edge-1/initrd.img ",
            " -append root=/dev/vda rw console=ttyAMA0 net.ifnames=0 systemd.show_status=true mitigations=off -drive ",
            " -drive if=none,id=disk,format=raw,cache=unsafe,discard=unmap,file=/labs/demo/hosts/edge-1/disk.raw ",
            " -serial chardev:console ",
            " -mon chardev=monitor,mode=control -pidfile /labs/demo/hosts/edge-1/qemu.pid ",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }

    #[test]
    fn a_cache_that_is_lost_with_the_power_is_flushed_to_this_machines_disk() {
        let lab = Folder {
            path: PathBuf::from("/labs/demo"),
        };
        let drive = drive(&Files::of(&lab, "edge-1"), DiskCache::Lost);
        assert_eq!(
            drive.to_str(),
            Some(
                "if=none,id=disk,format=qcow2,cache=writeback,discard=unmap,file=/labs/demo/hosts/edge-1/disk.qcow2"
            )
        );
    }
}
