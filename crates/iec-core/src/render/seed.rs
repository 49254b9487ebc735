//! A medium that installs whichever host of the site it is put into: scripts, content, and what starts them by itself.

use iec_sh::CarriedAutorun;

use super::script;
use super::{File, Files, Options, Subject};
use crate::plan::marks::Marks;

/// The label of the medium's file system.
pub(super) const LABEL: &str = "IEC-SEED";

/// The scripts and what they install, the script that finds the role of a host, and the unit that starts it.
pub(super) fn files(subject: &Subject<'_>, options: &Options) -> Files {
    let mut files = script::files(subject, options);
    let about = [
        format!(
            "Site {}, IEC release {}. Rendered {} by {} as run {}.",
            subject.site.name(),
            subject.release.name,
            subject.moment,
            subject.who,
            subject.run
        ),
        "Installs the host on which it is started; iec-seed.service beside it starts it at boot.".to_owned(),
    ];
    let hosts: Vec<(String, Vec<String>)> = subject
        .site
        .present_hosts()
        .map(|host| {
            let marks = Marks::of(subject.site, subject.facts, host);
            (host.name().to_string(), marks.all())
        })
        .collect();
    let autorun = CarriedAutorun {
        site: subject.site.name().as_str(),
        about: &about,
        hosts: &hosts,
    };
    files.insert("autorun.sh".to_owned(), File::script(autorun.text()));
    files.insert("iec-seed.service".to_owned(), File::text(unit()));
    files
}

/// The unit for the image of the hosts: it waits for the medium, and installs.
fn unit() -> String {
    format!(
        "# Put this into /etc/systemd/system of the hosts' image and enable it. Copy the folder to a medium\n\
         # whose file system has the label {LABEL}, or take the image seed.iso as one. A host that is installed is left as it is.\n\
         [Unit]\n\
         Description=Install this host from the medium {LABEL}\n\
         ConditionPathExists=/dev/disk/by-label/{LABEL}\n\
         After=network-online.target\n\
         Wants=network-online.target\n\n\
         [Service]\n\
         Type=oneshot\n\
         ExecStartPre=/bin/mkdir -p /run/iec/seed\n\
         ExecStartPre=/bin/mount -o ro /dev/disk/by-label/{LABEL} /run/iec/seed\n\
         ExecStart=/bin/sh /run/iec/seed/autorun.sh\n\
         ExecStopPost=-/bin/umount /run/iec/seed\n\
         TimeoutStartSec=infinity\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}
