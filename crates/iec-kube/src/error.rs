//! What can go wrong with the Kubernetes API itself, each with its code and the next thing to do.

use std::error::Error;
use std::io;
use std::time::Duration;

/// Why the cluster could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum KubeError {
    /// The credentials cannot be used.
    #[error("the credentials for the cluster have {0}")]
    Credentials(&'static str),
    /// The credentials do not make a client.
    #[error("no client can be made from the credentials for the cluster")]
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
            Self::Credentials(_) | Self::Client { .. } => "IEC5002",
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
            Self::Credentials(_) | Self::Client { .. } => {
                "see whether the secrets file was changed by hand; `iec credentials recover --force` writes it anew"
            }
            Self::NoControlPlane => "declare a host with `role: control-plane` in the site file",
            Self::Deadline { .. } => {
                "see whether the control plane is overloaded or out of reach, then try again"
            }
            Self::Api { .. } => "see the cause; with 401 or 403 the secrets file belongs to another cluster",
            Self::Exec { .. } => "see whether the API server reaches the kubelets on TCP 10250",
        }
    }

    /// Whether the API server said that the object does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(&**source, kube::Error::Api(status) if status.code == 404))
    }

    /// Whether the API server has answered that the caller may not do this.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(&**source, kube::Error::Api(status) if matches!(status.code, 401 | 403)))
    }

    /// Whether the API server said that somebody else has written the object meanwhile.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(&**source, kube::Error::Api(status) if status.code == 409))
    }

    /// Whether an API server has judged what was asked. One that has lost its etcd, say, has not: another one may.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(&**source, kube::Error::Api(status) if status.code < 500))
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
    let certain = causes(&**source).any(|cause| {
        let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        cause.is::<rustls::Error>() || cause.downcast_ref().is_some_and(refused)
    });
    if certain {
        Reach::Wrong(text)
    } else {
        Reach::Silent(text)
    }
}

/// An error and its causes as one line, without saying the same twice: some libraries repeat a cause in their own text.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let message = match of_kube(cause) {
            Some(kube::Error::Api(status)) if !status.message.is_empty() => {
                format!("{} (status {})", status.message, status.code)
            }
            // They add nothing but their own name to what their cause says.
            Some(kube::Error::Service(_) | kube::Error::HyperError(_)) => continue,
            _ => cause.to_string(),
        };
        if !text.contains(&message) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&message);
        }
        if matches!(of_kube(cause), Some(kube::Error::Api(_))) {
            break;
        }
    }
    text
}

/// The error of the client library, boxed or not.
fn of_kube<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e kube::Error> {
    error
        .downcast_ref()
        .or_else(|| error.downcast_ref::<Box<kube::Error>>().map(|boxed| &**boxed))
}

/// An error, then its causes. An [`io::Error`] that wraps another error names that one as its cause here, which its
/// own `source` passes over.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    })
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
        assert_eq!(text, "asking for /readyz: the cable is out");
        let status = kube::core::Status::failure("nodes is forbidden", "Forbidden").with_code(403);
        let text = api(kube::Error::Api(Box::new(status))).chain();
        assert_eq!(text, "asking for /readyz: nodes is forbidden (status 403)");
    }

    #[test]
    fn not_found_and_denied_are_told_from_the_rest() {
        let status = |code| {
            api(kube::Error::Api(Box::new(
                kube::core::Status::failure("x", "y").with_code(code),
            )))
        };
        assert!(status(404).is_not_found());
        assert!(!status(403).is_not_found());
        assert!(status(403).is_denied() && status(401).is_denied());
        assert!(!status(404).is_denied() && !service(io::ErrorKind::TimedOut.into()).is_denied());
        assert!(!service(io::ErrorKind::TimedOut.into()).is_not_found());
    }
}
