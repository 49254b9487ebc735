//! Codes of the Kubernetes API: `IEC50…`. Those of a report's rows are explained by [`crate::check`] itself.

use super::{Explanation, row};

/// What keeps the cluster from being asked.
pub(super) const ROWS: &[Explanation] = &[
    row(
        "IEC5002",
        "the credentials for the cluster cannot be used",
        "The certificate and key that the site's authority issued for this run do not make a client.",
        "See whether the secrets file was changed by hand.",
        "iec credentials recover --force",
    ),
    row(
        "IEC5003",
        "the site has no control plane to ask",
        "Verification asks the API server of a control plane.",
        "Declare a host with `role: control-plane` in the site file.",
        "",
    ),
    row(
        "IEC5004",
        "the API server did not answer in time",
        "The control plane is overloaded, or out of reach.",
        "See whether it is, then try again.",
        "",
    ),
    row(
        "IEC5005",
        "the API server could not be asked, or said no",
        "The message has what came back. With 401 or 403 the secrets file belongs to another cluster.",
        "Remove the cause that the message names.",
        "",
    ),
    row(
        "IEC5006",
        "a command in a pod did not run",
        "The API server passes such commands on to the kubelet of the pod's host.",
        "See whether the API server reaches the kubelets on TCP 10250.",
        "",
    ),
    row(
        "IEC5007",
        "the release has no image to prove a site with",
        "A site is proven by a real nginx from the bundle.",
        "Report this as a bug of IEC.",
        "",
    ),
    row(
        "IEC5008",
        "the site is not as it should be",
        "At least one row of the report failed; each says what was expected, what was found and what to do.",
        "Put right what the rows name, then verify again.",
        "iec verify",
    ),
    row(
        "IEC5009",
        "the verification was stopped",
        "It was stopped before its end, so nothing is known about the rest. What it had made was removed.",
        "Run it again.",
        "iec verify",
    ),
    row(
        "IEC5010",
        "not everything could be told",
        "No row failed, but some could not be exercised; each says why.",
        "Remove what kept them from it, then verify again.",
        "iec verify",
    ),
    row(
        "IEC5011",
        "a certificate ends within two months",
        "Certificates last one year. Those of Calico's own etcd are issued anew by any `iec apply` in their last three months, the kubelet renews its own; the others are kubeadm's.",
        "Plan the renewal of kubeadm's certificates: afterwards the static pods of that host are restarted.",
        "sudo kubeadm certs renew all",
    ),
];
