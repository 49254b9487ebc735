//! `Program`: the closed list of programs that IEC calls on a host.

use std::fmt;

macro_rules! programs {
    ($($variant:ident => $name:literal, $doc:literal;)*) => {
        /// A program that IEC may call on a host. The list is closed: a plan's programs can be listed and checked beforehand.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Program { $(#[doc = $doc] $variant,)* }

        impl Program {
            /// Every program, in the order of their names.
            pub const ALL: &'static [Program] = &[$(Program::$variant,)*];

            /// The name under which the shell finds it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Program::$variant => $name,)* }
            }
        }
    };
}

programs! {
    Awk => "awk", "Reads columns.";
    Base64 => "base64", "Encodes bytes as text.";
    Cat => "cat", "Prints files.";
    Chmod => "chmod", "Sets modes.";
    Chown => "chown", "Sets owners.";
    Cmp => "cmp", "Compares bytes.";
    Comm => "comm", "Compares sorted lists.";
    Cp => "cp", "Copies files.";
    Ctr => "ctr", "containerd's own client.";
    Cut => "cut", "Cuts columns.";
    Date => "date", "The clock.";
    Env => "env", "Runs a program with other variables.";
    Find => "find", "Walks folders.";
    Getent => "getent", "Asks the system's databases.";
    Grep => "grep", "Searches lines.";
    Helm => "helm", "Helm.";
    Hostname => "hostname", "The host's own name.";
    Id => "id", "Users and groups.";
    IecServiceNetwork => "iec-service-network", "IEC's own guard of the service network.";
    Install => "install", "Writes a file with owner and mode.";
    Ip => "ip", "iproute2.";
    Ip6tablesLegacyRestore => "ip6tables-legacy-restore", "Writes the IPv6 packet filter, old interface.";
    Ip6tablesLegacySave => "ip6tables-legacy-save", "Prints the IPv6 packet filter, old interface.";
    Ip6tablesNftRestore => "ip6tables-nft-restore", "Writes the IPv6 packet filter, new interface.";
    Ip6tablesNftSave => "ip6tables-nft-save", "Prints the IPv6 packet filter, new interface.";
    Ipset => "ipset", "Sets of the packet filter.";
    Iptables => "iptables", "The packet filter.";
    IptablesLegacyRestore => "iptables-legacy-restore", "Writes the packet filter, old interface.";
    IptablesLegacySave => "iptables-legacy-save", "Prints the packet filter, old interface.";
    IptablesNftRestore => "iptables-nft-restore", "Writes the packet filter, new interface.";
    IptablesNftSave => "iptables-nft-save", "Prints the packet filter, new interface.";
    Journalctl => "journalctl", "What programs have said.";
    Kubeadm => "kubeadm", "kubeadm.";
    Kubectl => "kubectl", "kubectl.";
    Ln => "ln", "Links.";
    Mkdir => "mkdir", "Makes folders.";
    Modprobe => "modprobe", "Loads kernel modules.";
    Mount => "mount", "Mounts.";
    Mountpoint => "mountpoint", "Says whether a folder is a mount point.";
    Mv => "mv", "Renames.";
    Nft => "nft", "The packet filter of the kernel, as it is.";
    Openssl => "openssl", "Reads certificates.";
    Printf => "printf", "Prints words.";
    Readlink => "readlink", "Reads a link.";
    Rm => "rm", "Removes files.";
    Rmdir => "rmdir", "Removes an empty folder.";
    Sed => "sed", "Edits lines.";
    Sha256sum => "sha256sum", "SHA-256 of files.";
    Sleep => "sleep", "Waits.";
    Sort => "sort", "Sorts lines.";
    Stat => "stat", "Size, mode, owner of files.";
    Swapoff => "swapoff", "Turns swap off.";
    Swapon => "swapon", "Turns swap on.";
    Sync => "sync", "Writes caches to the disk.";
    Systemctl => "systemctl", "systemd's units.";
    Tail => "tail", "The end of files.";
    Tar => "tar", "Archives.";
    Tee => "tee", "Copies its input to files.";
    Test => "test", "Asks about files and strings.";
    Timeout => "timeout", "Runs a program with a deadline.";
    Touch => "touch", "Makes an empty file.";
    Tr => "tr", "Replaces characters.";
    True => "true", "Does nothing.";
    Umount => "umount", "Takes mounts away.";
    Uname => "uname", "Kernel and architecture.";
    Wc => "wc", "Counts lines.";
    Xargs => "xargs", "Calls a program with words from its input.";
}

impl fmt::Display for Program {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Program;

    #[test]
    fn names_need_no_quotes() {
        for program in Program::ALL {
            assert!(
                program
                    .name()
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{program}"
            );
        }
    }
}
