//! Codes of hosts: `IEC1…`.

use super::{Explanation, row};

/// 00 probe and facts, 06 files in the way, 07 admission.
pub(super) const ROWS: &[Explanation] = &[
    row(
        "IEC1010",
        "the host's answer did not begin",
        "The probe ran, but what came back does not begin as its answer does: the login shell printed something else, or never ran the probe.",
        "Log in by hand and look at what is printed; let the shell's start files print nothing where there is no terminal.",
        "",
    ),
    row(
        "IEC1011",
        "the host's answer broke off",
        "The answer began and has no end: the connection was cut, or the probe was killed.",
        "Try again; if it repeats, look at the host's memory and its journal.",
        "journalctl -e",
    ),
    row(
        "IEC1012",
        "the probe did not run as root",
        "Much of what matters about a host can be seen by root alone.",
        "Let the account use sudo without a password, or log in as root.",
        "edge ALL=(ALL) NOPASSWD: ALL",
    ),
    row(
        "IEC1090",
        "not a facts file",
        "The file is no JSON, or lacks what every facts file has.",
        "Write one with `iec check --probe --facts-out FILE`.",
        "",
    ),
    row(
        "IEC1091",
        "a facts file of another format",
        "Another version of IEC wrote the file, and this one does not read its format.",
        "Probe the hosts again with this version.",
        "",
    ),
    row(
        "IEC1601",
        "a symbolic link is in the way",
        "IEC writes a file at this path. Through a link it would change another file, which it does not own.",
        "Find out who made the link (`readlink -f PATH`) and remove it, then run `iec apply` again.",
        "",
    ),
    row(
        "IEC1701",
        "another host than the one that was planned",
        "The machine-id of the host differs from the one in the facts: the address now belongs to another machine, or the machine was installed anew.",
        "Check the address in the site file; if the machine is the right one, make a new plan.",
        "",
    ),
    row(
        "IEC1702",
        "the clock is wrong",
        "The host's clock is before the day on which the content was made, so that no certificate would be valid yet.",
        "Set the clock, and let systemd-timesyncd or chrony keep it right.",
        "timedatectl set-time '2026-11-23 12:00:00'",
    ),
    row(
        "IEC1703",
        "the host belongs to another Kubernetes cluster",
        "It has a certificate authority of Kubernetes that is not this site's. IEC does not touch what others run.",
        "Remove the host from the other cluster first, with the tool that installed it.",
        "",
    ),
    row(
        "IEC1704",
        "the host belongs to another site",
        "Another site of IEC has marked it as its own.",
        "Run `iec reset` with the other site's file, or correct the address in this one.",
        "",
    ),
];
