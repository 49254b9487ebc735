//! A medium that installs whichever host of the site it is put into: scripts, content, and what starts them by itself.

use iec_sh::{CarriedAutorun, CarriedSeed};

use super::script;
use super::{File, Files, Options, Subject};
use crate::plan::HOME;
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
        "Installs the host on which it is started; iec-seed.service of the hosts' image starts it at boot."
            .to_owned(),
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
    files.insert(
        "iec-seed.sh".to_owned(),
        File::script(starter(subject, &options.medium_key)),
    );
    files.insert("iec-seed.service".to_owned(), File::text(unit()));
    files
}

/// The files that belong into the image of the hosts; nothing on a medium may take their place.
pub(super) const OF_IMAGE: [&str; 2] = ["iec-seed.service", "iec-seed.sh"];

/// The script for the image of the hosts: it knows the site's media by their signature.
fn starter(subject: &Subject<'_>, key: &str) -> String {
    let site = subject.site.name();
    let about = [
        format!("Site {site}. Put this into /usr/local/sbin of the hosts' image, with iec-seed.service."),
        format!(
            "It installs a host from a medium with the label {LABEL} that was rendered with this site's secrets, and from no other."
        ),
        "Later renderings of the site fit it too, until iec reset retires the site's credentials.".to_owned(),
    ];
    CarriedSeed {
        home: HOME,
        site: site.as_str(),
        label: LABEL,
        key,
        about: &about,
    }
    .text()
}

/// The unit for the image of the hosts: it waits for the medium, and installs.
fn unit() -> String {
    format!(
        "# Put this into /etc/systemd/system of the hosts' image and enable it; iec-seed.sh beside it goes into /usr/local/sbin.\n\
         # Copy the folder to a medium whose file system has the label {LABEL}, or take the image seed.iso as one.\n\
         # A medium of another site does nothing. Once the host is installed, the unit disables itself.\n\
         [Unit]\n\
         Description=Install this host from the medium {LABEL}\n\
         ConditionPathExists=/dev/disk/by-label/{LABEL}\n\
         After=network-online.target\n\
         Wants=network-online.target\n\n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart=/bin/sh /usr/local/sbin/iec-seed.sh\n\
         TimeoutStartSec=infinity\n\n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    )
}
