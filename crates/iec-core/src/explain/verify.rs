//! Codes of the Kubernetes API: `IEC50…`. Those of a report's rows are explained by [`crate::check`] itself.

use super::{Explanation, row};

/// What keeps the cluster from being asked.
pub(super) const ROWS: &[Explanation] = &[
    row(
        "IEC5001",
        "the kubeconfig cannot be used",
        "It cannot be read, or lacks what a kubeconfig has.",
        "Fetch /etc/kubernetes/admin.conf from a control plane again, or run `iec apply`, which writes it.",
        "",
    ),
    row(
        "IEC5002",
        "the kubeconfig's credentials cannot be used",
        "Its certificate and key do not make a client.",
        "Compare the certificates in the kubeconfig with those of the site's secrets file.",
        "",
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
        "The message has what came back. With 401 or 403 the kubeconfig belongs to another cluster.",
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
];
