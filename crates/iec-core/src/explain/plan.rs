//! Codes of plans, and of the credentials that belong to a site: `IEC3…`.

use super::{Explanation, row};

/// 00 plan, 09 credentials.
pub(super) const ROWS: &[Explanation] = &[
    row(
        "IEC3001",
        "nothing is known about a host",
        "A plan follows the facts of each host, and there are none about this one.",
        "Probe the hosts, or take a facts file that has all of them.",
        "iec check --probe --facts-out facts.json",
    ),
    row(
        "IEC3002",
        "the architecture of a host is neither known nor supported",
        "The content is chosen by architecture; IEC has it for amd64 and arm64.",
        "Say `assume: {architecture: arm64}` for the host where it cannot be asked; other architectures cannot be part of a site.",
        "",
    ),
    row(
        "IEC3003",
        "the bundle lacks something for a host",
        "The bundle was built for other architectures than the site's hosts have, or from another release.",
        "Build the bundle for all architectures of the site.",
        "iec bundle build --arch amd64,arm64",
    ),
    row(
        "IEC3004",
        "Calico's manifest in the bundle cannot be used",
        "IEC changes the manifest at fixed places, and one of them is not there.",
        "Run `iec bundle verify`; build the bundle again if it is damaged.",
        "",
    ),
    row(
        "IEC3005",
        "a chart was not given to the plan",
        "The site asks for a Helm release whose chart could not be read beside the site file.",
        "Put the chart where the site file says, relative to that file.",
        "",
    ),
    row(
        "IEC3901",
        "the secrets file can be read by others",
        "Who reads it can make certificates for the cluster.",
        "Take the rights away from others, and think about who may have read it.",
        "chmod 600 store-0417.secrets.yaml",
    ),
    row(
        "IEC3902",
        "the secrets file belongs to another site",
        "Certificates made from it would be for another cluster.",
        "Put the right file beside the site file.",
        "",
    ),
    row(
        "IEC3903",
        "the secrets file is damaged",
        "It is not what IEC wrote.",
        "Put back a copy, or run `iec credentials recover` where a control plane is left.",
        "",
    ),
    row(
        "IEC3905",
        "the secrets file cannot be read",
        "The operating system refused; the message says why.",
        "Give the account that runs IEC the right to read the file.",
        "",
    ),
    row(
        "IEC3906",
        "the credentials cannot be made",
        "The machine gave no random numbers, or a key could not be made from them.",
        "Try again; on a small machine, wait until it has gathered randomness after its start.",
        "",
    ),
    row(
        "IEC3907",
        "the secrets file cannot be written",
        "The operating system refused, or a file is there already; the message says why.",
        "Make room, or give the account that runs IEC the right to write in the folder of the site file.",
        "",
    ),
];
