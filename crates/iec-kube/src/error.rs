//! What can go wrong with the Kubernetes API itself, each with its code and the next thing to do.

use std::error::Error;
use std::io;
use std::time::Duration;

/// Why the cluster could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum KubeError {
    /// The kubeconfig cannot be used.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig {
        /// What is wrong with it.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// The credentials of the kubeconfig do not make a client.
    #[error("no client can be made from the kubeconfig's credentials")]
    Client {
        /// What is wrong with them.
        #[source]
        source: Box<kube::Error>,
    },
    /// The site has no control plane that could be asked.
    #[error("the site has no control plane to ask")]
    NoControlPlane,
    /// The API server gave no answer in time.
    #[error("{what}: no answer within {} s", .deadline.as_secs())]
    Deadline {
        /// What was asked.
        what: String,
        /// How long was waited.
        deadline: Duration,
    },
    /// The API server could not be asked, or said no.
    #[error("{what}")]
    Api {
        /// What was asked.
        what: String,
        /// What came back.
        #[source]
        source: Box<kube::Error>,
    },
    /// A command in a pod did not run, or did not end as it should.
    #[error("{what}: {reason}")]
    Exec {
        /// What was to run.
        what: String,
        /// What happened instead.
        reason: String,
    },
}

impl KubeError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Kubeconfig { .. } => "IEC5001",
            Self::Client { .. } => "IEC5002",
            Self::NoControlPlane => "IEC5003",
            Self::Deadline { .. } => "IEC5004",
            Self::Api { .. } => "IEC5005",
            Self::Exec { .. } => "IEC5006",
        }
    }

    /// The next thing to do.
    #[must_use]
    pub fn next(&self) -> &'static str {
        match self {
            Self::Kubeconfig { .. } => {
                "fetch /etc/kubernetes/admin.conf from a control plane again, or run `iec apply`, which writes it"
            }
            Self::Client { .. } => {
                "compare the certificates in the kubeconfig with those of the site's secrets file"
            }
            Self::NoControlPlane => "declare a host with `role: control-plane` in the site file",
            Self::Deadline { .. } => {
                "see whether the control plane is overloaded or out of reach, then try again"
            }
            Self::Api { .. } => "see the cause; with 401 or 403 the kubeconfig belongs to another cluster",
            Self::Exec { .. } => "see whether the API server reaches the kubelets on TCP 10250",
        }
    }

    /// Whether the API server said that the object does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(&**source, kube::Error::Api(status) if status.code == 404))
    }

    /// The error and all its causes, as one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// How an attempt to speak with an API server ended, when it did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Somebody answered and it is certain that something is wrong: refused, not the cluster's certificate, not allowed.
    Wrong(String),
    /// Nobody answered: nothing is known.
    Silent(String),
}

/// Tells what is certainly wrong from what is merely not known.
pub(crate) fn reach_of(error: &KubeError) -> Reach {
    let text = error.chain();
    let KubeError::Api { source, .. } = error else {
        return Reach::Silent(text);
    };
    if matches!(&**source, kube::Error::Api(_)) {
        return Reach::Wrong(text);
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(&**source);
    while let Some(error) = cause {
        if error.is::<rustls::Error>() {
            return Reach::Wrong(text);
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let inner_is_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            if inner_is_tls || error.kind() == io::ErrorKind::ConnectionRefused {
                return Reach::Wrong(text);
            }
        }
        cause = error.source();
    }
    Reach::Silent(text)
}

/// An error and its causes as one line, without saying the same twice: some libraries repeat a cause in their own text.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(source: kube::Error) -> KubeError {
        KubeError::Api {
            what: "asking for /readyz".into(),
            source: Box::new(source),
        }
    }

    fn service(error: io::Error) -> KubeError {
        api(kube::Error::Service(Box::new(error)))
    }

    #[test]
    fn refused_and_untrusted_are_certain_and_silence_is_not() {
        let certain = [
            service(io::ErrorKind::ConnectionRefused.into()),
            service(io::Error::new(
                io::ErrorKind::InvalidData,
                rustls::Error::DecryptError,
            )),
            api(kube::Error::Api(Box::new(
                kube::core::Status::failure("Forbidden", "no").with_code(403),
            ))),
        ];
        for error in certain {
            assert!(matches!(reach_of(&error), Reach::Wrong(_)), "{error:?}");
        }
        let silent = [
            service(io::ErrorKind::TimedOut.into()),
            service(io::ErrorKind::HostUnreachable.into()),
            KubeError::Deadline {
                what: "asking".into(),
                deadline: Duration::from_secs(5),
            },
        ];
        for error in silent {
            assert!(matches!(reach_of(&error), Reach::Silent(_)), "{error:?}");
        }
    }

    #[test]
    fn a_chain_says_each_thing_once() {
        let text = service(io::Error::other("the cable is out")).chain();
        assert_eq!(text.matches("the cable is out").count(), 1, "{text}");
        assert!(text.starts_with("asking for /readyz: "), "{text}");
    }

    #[test]
    fn only_a_404_is_not_found() {
        let status = |code| {
            api(kube::Error::Api(Box::new(
                kube::core::Status::failure("x", "y").with_code(code),
            )))
        };
        assert!(status(404).is_not_found());
        assert!(!status(403).is_not_found());
        assert!(!service(io::ErrorKind::TimedOut.into()).is_not_found());
    }
}
