//! Codes of what lets the operator into the cluster, on the operator's machine: `IEC395…` and `IEC396…`.

use super::{Explanation, row};

/// What keeps the site's entries from a kubeconfig, and the operator from the cluster.
pub(super) const ROWS: &[Explanation] = &[
    row(
        "IEC3950",
        "the kubeconfig cannot be read",
        "It is a folder, a device, a pipe or a link to nothing, it is far too long, or the operating system refused.",
        "Name a file, which need not be there yet.",
        "iec apply --kubeconfig ~/.kube/config",
    ),
    row(
        "IEC3951",
        "the file is no kubeconfig",
        "The cluster's entries are merged into what is there, and what is there is no kubeconfig that kubectl would read.",
        "Put it right, or name another file; IEC has not changed it.",
        "kubectl --kubeconfig FILE config view",
    ),
    row(
        "IEC3952",
        "the kubeconfig has entries of this name that are another's",
        "The entries of a site have its name. What has the name too, but another certificate authority or another way to log in, is somebody else's, or of an earlier site of this name.",
        "Name another file, or take the old entries out.",
        "kubectl config delete-context store-0417",
    ),
    row(
        "IEC3953",
        "the kubeconfig can be read by others",
        "It gets the key of an administrator of the cluster.",
        "Let its owner alone read it.",
        "chmod 600 ~/.kube/config",
    ),
    row(
        "IEC3954",
        "the kubeconfig is laid out in an unknown way",
        "IEC changes its own entries and keeps every other byte. Here it could not do the one without the other, for example where entries are references to each other.",
        "Name another file, or let kubectl write this one in the ordinary layout.",
        "kubectl config view --raw",
    ),
    row(
        "IEC3955",
        "another program is changing the kubeconfig",
        "A file of the same name with `.lock` at its end is there: kubectl makes one while it writes, and IEC keeps to it.",
        "Wait for the other program; remove the file if there is none.",
        "rm ~/.kube/config.lock",
    ),
    row(
        "IEC3956",
        "the kubeconfig is a list of files",
        "The variable KUBECONFIG may name several files, `--kubeconfig` names one.",
        "Name the one that is to get the entries.",
        "iec apply --kubeconfig ~/.kube/config",
    ),
    row(
        "IEC3957",
        "without the secrets file the cluster lets nobody in",
        "IEC logs in with a certificate that it issues by itself, from the authority in the secrets file. What a host has as its kubeconfig is not used: it could name programs for this machine to run.",
        "Put the secrets file back beside the site file, or rebuild it.",
        "iec credentials recover",
    ),
    row(
        "IEC3958",
        "the administrator's certificate cannot be issued",
        "The site's authority has ended, its certificate is damaged, or the operating system gave no random bytes; the message says which.",
        "Compare this machine's clock; put a copy of the secrets file back.",
        "",
    ),
    row(
        "IEC3960",
        "the cluster is still there after its journal was followed",
        "A control plane has no journal, or one that was changed, and still has the cluster's files or its running programs. While it does, its credentials are needed: the secrets file is not removed.",
        "Apply the site again: steps that are done are recorded again. Then reset.",
        "iec apply && iec reset",
    ),
];
