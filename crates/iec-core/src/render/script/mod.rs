//! A POSIX script for each host, with the very steps that `apply` runs, and what they need beside them.

use iec_sh::Mode;

use super::{File, Files, Options, Subject};

/// The scripts, the blobs that they install from, and the secrets of each host.
pub(super) fn files(subject: &Subject<'_>, options: &Options) -> Files {
    let mut files = super::carried(subject, options);
    for part in &subject.plan.hosts {
        let owner = format!("install-{}.sh rendered by {}", part.host, subject.who);
        let script = part.script(&owner, subject.run, Mode::Apply);
        files.insert(
            format!("install-{}.sh", part.host),
            File::script(format!("#!/bin/sh\n{script}")),
        );
    }
    files
}
