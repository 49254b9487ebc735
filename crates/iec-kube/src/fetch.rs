//! One HTTP fetch and what came of it, whoever made it: a pod, or a host through the caller's own means.

use std::future::Future;
use std::pin::Pin;

use iec_core::reach::{HostAnswer, HostRequest};

use crate::proof::SERVED_BY;

/// What nginx's own page says, in every distribution of it.
const NGINX_PAGE: &str = "Welcome to nginx!";
/// How much of a body is kept as evidence.
const HEAD: usize = 80;

/// Fetches from hosts of the site. The caller of a verification implements it with its own way onto the hosts:
/// it runs [`iec_core::reach::script`] there and reads the answer with [`iec_core::reach::read`].
pub trait HostFetch: Send + Sync {
    /// Makes all `requests` from the host named `host`, at most once each, best in one go and a few at a time.
    /// Gives one answer for each request, in their order.
    fn fetch<'a>(
        &'a self,
        host: &'a str,
        requests: &'a [HostRequest],
    ) -> Pin<Box<dyn Future<Output = Vec<HostAnswer>> + Send + 'a>>;
}

/// What came of one fetch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fetched {
    pub(crate) answer: Answer,
    pub(crate) seconds: f64,
}

/// How a fetch ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// An HTTP answer.
    Http(Page),
    /// The fetch ran and got none.
    None { how: NoAnswer, evidence: String },
    /// Nothing is known.
    Unknown { reason: String },
}

/// In which way there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The connection was refused: nobody listens, a rule rejects, or a host has no rules for a new service yet.
    Refused,
    /// Nothing came back in time, as when a policy or a firewall drops packets.
    TimedOut,
    /// Something else, such as a name that does not resolve.
    Other,
}

/// An HTTP answer, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) bytes: usize,
    /// Which pod answered, if it says so.
    pub(crate) served_by: Option<String>,
    /// Whether the body is nginx's own page.
    pub(crate) is_nginx: bool,
    /// The body's first characters.
    pub(crate) head: String,
}

impl Fetched {
    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self {
            answer: Answer::Unknown {
                reason: reason.into(),
            },
            seconds: 0.0,
        }
    }

    pub(crate) fn page(&self) -> Option<&Page> {
        match &self.answer {
            Answer::Http(page) => Some(page),
            _ => None,
        }
    }

    /// Whether the connection was refused.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(
            self.answer,
            Answer::None {
                how: NoAnswer::Refused,
                ..
            }
        )
    }

    /// Whether a policy may have been at work: refused, or without an answer in time.
    pub(crate) fn is_blocked(&self) -> bool {
        matches!(
            self.answer,
            Answer::None {
                how: NoAnswer::Refused | NoAnswer::TimedOut,
                ..
            }
        )
    }

    /// Whether nginx's own page came.
    pub(crate) fn is_nginx(&self) -> bool {
        self.page()
            .is_some_and(|page| page.status == 200 && page.is_nginx)
    }

    /// What was seen, in a few words.
    pub(crate) fn describe(&self) -> String {
        match &self.answer {
            Answer::Http(page) => {
                format!(
                    "status {}, {} bytes: {}",
                    page.status,
                    page.bytes,
                    page.head.trim_end()
                )
            }
            Answer::None { evidence, .. } => format!("no answer: {evidence}"),
            Answer::Unknown { reason } => format!("could not tell: {reason}"),
        }
    }
}

impl From<HostAnswer> for Fetched {
    fn from(answer: HostAnswer) -> Self {
        match answer {
            HostAnswer::Response { raw, seconds } => Self {
                answer: answer_of(&raw),
                seconds,
            },
            HostAnswer::NoAnswer { evidence, seconds } => {
                let how = if evidence.contains("refused") {
                    NoAnswer::Refused
                } else {
                    NoAnswer::TimedOut
                };
                Self {
                    answer: Answer::None { how, evidence },
                    seconds,
                }
            }
            HostAnswer::CouldNotTell { reason } => Self::unknown(reason),
        }
    }
}

/// Reads an HTTP/1 answer. What is not one is no answer: something else listens there.
fn answer_of(raw: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(raw);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let status_line = lines.next().unwrap_or_default();
    let status = status_line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    let Some(status) = status else {
        let evidence = format!("not an HTTP answer: {}", printable(&text));
        return Answer::None {
            how: NoAnswer::Other,
            evidence,
        };
    };
    let served_by = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case(SERVED_BY))
        .map(|(_, value)| value.trim().to_owned());
    Answer::Http(Page {
        status,
        bytes: body.len(),
        served_by,
        is_nginx: body.contains(NGINX_PAGE),
        head: printable(body),
    })
}

/// The first characters of a text, for one line.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .take(HEAD)
        .map(|each| if each.is_control() { ' ' } else { each })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nx-iec-served-by:  nginx-abcde\r\n\r\n\
        <!DOCTYPE html>\n<title>Welcome to nginx!</title>\n";

    fn fetched(raw: &str) -> Fetched {
        Fetched::from(HostAnswer::Response {
            raw: raw.as_bytes().to_vec(),
            seconds: 0.01,
        })
    }

    #[test]
    fn nginx_page_is_known_with_the_pod_that_served_it() {
        let fetched = fetched(PAGE);
        assert!(fetched.is_nginx());
        let page = fetched.page().expect("a page");
        assert_eq!(page.served_by.as_deref(), Some("nginx-abcde"));
        assert_eq!(page.bytes, 49);
        assert_eq!(page.head, "<!DOCTYPE html> <title>Welcome to nginx!</title> ");
    }

    #[test]
    fn other_answers_are_not_nginx_page() {
        let cases = [
            "HTTP/1.1 404 Not Found\r\n\r\nWelcome to nginx!",
            "HTTP/1.0 200 OK\r\n\r\n<h1>It works!</h1>",
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "",
        ];
        for raw in cases {
            assert!(!fetched(raw).is_nginx(), "{raw}");
        }
    }

    #[test]
    fn what_is_not_http_is_no_answer_but_not_blocked_either() {
        let fetched = fetched("SSH-2.0-OpenSSH_9.2\r\n");
        assert!(!fetched.is_blocked() && !fetched.is_refused());
        assert!(fetched.describe().contains("SSH-2.0"), "{}", fetched.describe());
    }

    #[test]
    fn the_kinds_of_answer_stay_apart() {
        let none = |evidence: &str| {
            Fetched::from(HostAnswer::NoAnswer {
                evidence: evidence.into(),
                seconds: 1.0,
            })
        };
        let refused = none("Connection refused");
        assert!(refused.is_refused() && refused.is_blocked());
        assert_eq!(refused.describe(), "no answer: Connection refused");
        let late = none("no answer within 4.0 s");
        assert!(!late.is_refused() && late.is_blocked());
        let unknown = Fetched::from(HostAnswer::CouldNotTell {
            reason: "no route to the host".into(),
        });
        assert!(matches!(unknown.answer, Answer::Unknown { .. }) && !unknown.is_blocked());
    }
}
