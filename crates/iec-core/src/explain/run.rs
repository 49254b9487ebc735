//! Codes of runs: `IEC4…`.

use super::{Explanation, row};

/// In ascending order.
pub(super) const ROWS: &[Explanation] = &[
    row(
        "IEC4001",
        "a step failed",
        "A command of the step ended with an exit code other than 0. The host stopped there; other hosts went on.",
        "Read what the step printed, put right what it complains about, and run the same command again: it goes on at this step.",
        "iec log HOST",
    ),
    row(
        "IEC4002",
        "a step did not take effect",
        "Every command of the step succeeded, but its check, asked again, still finds work to do. Something on the host undoes or prevents it: another program that manages the same file, a service that does not come up.",
        "Find out what keeps the state from changing, then run the same command again.",
        "iec log HOST",
    ),
    row(
        "IEC4003",
        "a check could not tell",
        "A question of the step was answered neither with yes nor with no. IEC does not guess: nothing was changed by this step.",
        "Make the question answerable (a missing program, an unreadable file, a link in the way), then run the same command again.",
        "",
    ),
    row(
        "IEC4004",
        "the journal cannot be written",
        "A host whose journal cannot be written is not changed: nobody could take the change back.",
        "Make /var/lib/iec writable on the host, and free some space.",
        "df -h /var/lib/iec",
    ),
    row(
        "IEC4005",
        "what was sent could not be stored",
        "The host could not keep the files of the bundle: most often its disk is full or read-only.",
        "Free space under /var/lib/iec on the host, then run the same command again; what is there already is not sent again.",
        "df -h /var/lib/iec",
    ),
    row(
        "IEC4006",
        "somebody else works on the host",
        "Another run holds the host's lock. The message names its owner. Nothing was done, nothing was sent.",
        "Wait until the other run has ended, or ask its owner. A run whose operator's link broke goes on by itself and lets go of the lock at its end.",
        "",
    ),
    row(
        "IEC4007",
        "stopped on your wish",
        "The host ended between two steps, so nothing is half done.",
        "Run the same command again: it goes on at the next step.",
        "iec apply",
    ),
    row(
        "IEC4020",
        "a run is at work, and the secrets of the site are elsewhere",
        "Somebody else installs or changes the site just now: the message says who, on which host, and since when by that host's clock. The secrets file is on the machine where that run was begun, so nothing can be planned here, and no new one is made.",
        "Wait until that run has ended. Then take the secrets file from where it was begun, or rebuild it.",
        "iec credentials recover",
    ),
    row(
        "IEC4901",
        "the program cannot start its threads",
        "The operating system refused: too many processes of this user, or no memory.",
        "Close what is not needed, or raise the limit (`ulimit -u`).",
        "",
    ),
    row(
        "IEC4902",
        "there is no cluster on the control planes",
        "None of the site's control planes has an administrator's kubeconfig.",
        "Install the site.",
        "iec apply",
    ),
    row(
        "IEC4904",
        "the kubeconfig cannot be written",
        "The operating system refused to write the kubeconfig or its lock on this machine; the message says why.",
        "Name another place.",
        "iec apply --kubeconfig ~/kubeconfig",
    ),
    row(
        "IEC4905",
        "a line of a journal cannot be read",
        "The journal of the host was changed by hand, damaged, or written by a later version of IEC.",
        "Use the version of IEC that wrote it; look at /var/lib/iec/journal.jsonl on the host.",
        "",
    ),
];
