//! Questions put to the network, and judging their answers.

use std::collections::BTreeMap;

use iec_core::report::{Row, Scope};

use super::objects::LARGE_FILE_BYTES;
use crate::check::{self, Check};
use crate::fetch::{Answer, Fetched};

/// How many fetches a question has at least when it is asked again.
const FEWEST_AGAIN: usize = 4;

/// What the answers to a question must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Each is nginx's own page.
    NginxPage,
    /// In turn, nginx's own page from the named pod and the large file, whole.
    PageAndLargeFile {
        /// The pod that must have answered.
        pod: String,
    },
    /// The API server answered at all, over TLS with a certificate of the cluster.
    ApiServer,
    /// The connection is refused: nobody is there, and whoever asks is told so.
    Refusal,
    /// Nobody answers, whether whoever asks is told so or not: the kernel may spare its message.
    Nobody,
}

/// One question: some fetches that make one row.
#[derive(Debug, Clone)]
pub(crate) struct Question<Target> {
    pub(crate) check: &'static Check,
    pub(crate) scope: Scope,
    pub(crate) targets: Vec<Target>,
    pub(crate) wanted: Wanted,
    is_harder: bool,
}

impl<Target> Question<Target> {
    /// A question that makes a row of this check on this subject.
    pub(crate) fn new(check: &'static Check, scope: Scope, targets: Vec<Target>, wanted: Wanted) -> Self {
        Self {
            check,
            scope,
            targets,
            wanted,
            is_harder: false,
        }
    }

    /// The row that follows from the answers, one for each target.
    pub(crate) fn judge(&self, answers: &[Fetched]) -> Row {
        let right: Vec<bool> = answers
            .iter()
            .enumerate()
            .map(|(index, each)| self.is_right(index, each))
            .collect();
        let wrong = || {
            answers
                .iter()
                .zip(&right)
                .filter(|(_, right)| !**right)
                .map(|(answer, _)| answer)
        };
        let mut row = if answers.is_empty() {
            self.check
                .could_not_tell(self.scope.clone(), "nothing was fetched")
        } else if wrong().next().is_none() {
            self.check.passed(self.scope.clone())
        } else if let Some(reason) = all_unknown(wrong()) {
            self.check.could_not_tell(self.scope.clone(), reason)
        } else {
            let count = wrong().count();
            let found = format!(
                "{count} of {} fetches: {}",
                answers.len(),
                self.first_wrong(wrong())
            );
            self.check
                .failed(self.scope.clone(), self.expectation(), found, tally(answers))
        };
        row.seconds = answers.iter().map(|answer| answer.seconds).fold(0.0, f64::max);
        row
    }

    /// The same question, asked harder, once: a fetch that succeeds now and then must not pass by being asked again.
    pub(crate) fn harder(mut self) -> Self
    where
        Target: Clone,
    {
        if !self.is_harder {
            let times = FEWEST_AGAIN.div_ceil(self.targets.len().max(1)).max(2);
            self.targets = std::iter::repeat_n(self.targets, times).flatten().collect();
            self.is_harder = true;
        }
        self
    }

    /// Whether all that is wrong is that connections were refused, as by a host that has no rules for a new service.
    pub(crate) fn is_merely_refused(&self, answers: &[Fetched]) -> bool {
        let mut wrong = answers
            .iter()
            .enumerate()
            .filter(|(index, answer)| !self.is_right(*index, answer));
        wrong.all(|(_, answer)| answer.is_refused())
    }

    /// Whether the answers tell which replicas the service leads to.
    pub(crate) fn goes_through_the_service(&self) -> bool {
        [check::SERVICE_CLUSTER_IP.id, check::SERVICE_FROM_POD.id].contains(&self.check.id)
    }

    fn is_right(&self, index: usize, answer: &Fetched) -> bool {
        match (&self.wanted, index) {
            (Wanted::NginxPage, _) => answer.is_nginx(),
            (Wanted::PageAndLargeFile { pod }, index) if index % 2 == 0 => {
                answer.is_nginx()
                    && answer
                        .page()
                        .is_some_and(|page| page.served_by.as_deref() == Some(pod))
            }
            (Wanted::PageAndLargeFile { .. }, _) => answer
                .page()
                .is_some_and(|page| page.status == 200 && page.bytes == LARGE_FILE_BYTES),
            // An API server that asks who is there has been reached just as well.
            (Wanted::ApiServer, _) => answer
                .page()
                .is_some_and(|page| matches!(page.status, 200 | 401 | 403)),
            (Wanted::Refusal, _) => answer.is_refused(),
            (Wanted::Nobody, _) => answer.is_blocked(),
        }
    }

    fn expectation(&self) -> String {
        match &self.wanted {
            Wanted::NginxPage => "nginx's own page, each time".to_owned(),
            Wanted::PageAndLargeFile { pod } => {
                format!("nginx's own page from {pod}, then a file of {LARGE_FILE_BYTES} bytes")
            }
            Wanted::ApiServer => "an answer of the API server".to_owned(),
            Wanted::Refusal => "a refusal".to_owned(),
            Wanted::Nobody => "no answer".to_owned(),
        }
    }

    fn first_wrong<'a>(&self, mut wrong: impl Iterator<Item = &'a Fetched>) -> String {
        let Some(answer) = wrong.next() else {
            return String::new();
        };
        match (&self.wanted, answer.page()) {
            (Wanted::PageAndLargeFile { pod }, Some(page)) if page.served_by.as_ref() != Some(pod) => {
                let other = page
                    .served_by
                    .as_deref()
                    .unwrap_or("something that does not name itself");
                format!("answered by {other}: {}", answer.describe())
            }
            _ => answer.describe(),
        }
    }
}

/// The reason, if nothing at all is known about any of the wrong answers.
fn all_unknown<'a>(wrong: impl Iterator<Item = &'a Fetched>) -> Option<String> {
    let mut first = None;
    for answer in wrong {
        match &answer.answer {
            Answer::Unknown { reason } => first = first.or(Some(reason.clone())),
            _ => return None,
        }
    }
    first
}

/// How often each thing was seen, where there was more than one.
fn tally(answers: &[Fetched]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for answer in answers {
        let by = answer.page().and_then(|page| page.served_by.as_deref());
        let by = by.map(|pod| format!("{pod}: ")).unwrap_or_default();
        *seen.entry(format!("{by}{}", answer.describe())).or_default() += 1;
    }
    if seen.len() < 2 {
        return Vec::new();
    }
    seen.into_iter()
        .map(|(what, count)| format!("{count} x {what}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;

    use super::*;
    use crate::fetch::{NoAnswer, Page};

    fn page(status: u16, bytes: usize, pod: &str, is_nginx: bool) -> Fetched {
        let page = Page {
            status,
            bytes,
            served_by: Some(pod.to_owned()),
            is_nginx,
            head: "<!DOCTYPE html>".into(),
        };
        Fetched {
            answer: Answer::Http(page),
            seconds: 0.002,
        }
    }

    fn nginx(pod: &str) -> Fetched {
        page(200, 615, pod, true)
    }

    fn none() -> Fetched {
        let evidence = "curl: (28) Connection timed out".to_owned();
        Fetched {
            answer: Answer::None {
                how: NoAnswer::TimedOut,
                evidence,
            },
            seconds: 4.0,
        }
    }

    fn question(wanted: Wanted) -> Question<()> {
        let targets = vec![(); 2];
        Question::new(&check::POD_PAIR, Scope::pair("a", "b"), targets, wanted)
    }

    fn kind(row: &Row) -> &'static str {
        match row.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::CouldNotTell { .. } => "could not tell",
            Outcome::NotApplicable { .. } => "not applicable",
        }
    }

    #[test]
    fn every_page_must_be_nginx_page() {
        let unknown = || Fetched::unknown("no exec");
        let cases = [
            (vec![nginx("a"), nginx("b")], "passed"),
            (vec![nginx("a"), none()], "failed"),
            (vec![nginx("a"), page(200, 45, "b", false)], "failed"),
            (vec![nginx("a"), page(502, 150, "b", true)], "failed"),
            (vec![nginx("a"), unknown()], "could not tell"),
            (vec![unknown(), none()], "failed"),
            (vec![], "could not tell"),
        ];
        for (answers, expected) in cases {
            let row = question(Wanted::NginxPage).judge(&answers);
            assert_eq!(kind(&row), expected, "{row:?}");
        }
    }

    #[test]
    fn a_pair_wants_the_right_pod_and_the_whole_large_file() {
        let question = question(Wanted::PageAndLargeFile {
            pod: "probe-b".into(),
        });
        let large = |bytes| page(200, bytes, "probe-b", false);
        let cases = [
            (vec![nginx("probe-b"), large(LARGE_FILE_BYTES)], "passed"),
            (vec![nginx("probe-c"), large(LARGE_FILE_BYTES)], "failed"),
            (vec![nginx("probe-b"), large(1400)], "failed"),
            (vec![nginx("probe-b"), none()], "failed"),
            (vec![none(), none()], "failed"),
            (
                vec![
                    nginx("probe-b"),
                    large(LARGE_FILE_BYTES),
                    nginx("probe-b"),
                    large(LARGE_FILE_BYTES),
                ],
                "passed",
            ),
            (
                vec![
                    nginx("probe-b"),
                    large(LARGE_FILE_BYTES),
                    nginx("probe-b"),
                    none(),
                ],
                "failed",
            ),
        ];
        for (answers, expected) in cases {
            let row = question.judge(&answers);
            assert_eq!(kind(&row), expected, "{row:?}");
        }
        let wrong_pod = question.judge(&[nginx("probe-c"), large(LARGE_FILE_BYTES)]);
        let Outcome::Failed(failure) = wrong_pod.outcome else {
            panic!("{wrong_pod:?}")
        };
        assert!(failure.found.contains("answered by probe-c"), "{}", failure.found);
    }

    #[test]
    fn refusals_among_right_answers_are_merely_refusals() {
        let refused = || {
            let evidence = "curl: (7) Failed to connect".to_owned();
            Fetched {
                answer: Answer::None {
                    how: NoAnswer::Refused,
                    evidence,
                },
                seconds: 0.1,
            }
        };
        let question = question(Wanted::NginxPage);
        assert!(question.is_merely_refused(&[nginx("a"), refused()]));
        assert!(!question.is_merely_refused(&[none(), refused()]));
    }

    #[test]
    fn asked_again_a_question_is_harder() {
        let with = |count: usize| {
            let targets = (0..count).collect();
            Question::new(&check::POD_PAIR, Scope::Cluster, targets, Wanted::NginxPage)
        };
        assert_eq!(with(1).harder().targets, [0, 0, 0, 0]);
        assert_eq!(with(2).harder().targets, [0, 1, 0, 1]);
        assert_eq!(with(8).harder().targets.len(), 16);
        assert_eq!(with(8).harder().harder().targets.len(), 16);
    }

    #[test]
    fn an_api_server_that_refuses_strangers_is_reached() {
        for (status, expected) in [(200, "passed"), (401, "passed"), (403, "passed"), (500, "failed")] {
            let row = question(Wanted::ApiServer).judge(&[page(status, 2, "", false)]);
            assert_eq!(kind(&row), expected, "{status}");
        }
        assert_eq!(kind(&question(Wanted::ApiServer).judge(&[none()])), "failed");
    }

    #[test]
    fn where_no_service_is_nobody_answers() {
        let refused = Fetched {
            answer: Answer::None {
                how: NoAnswer::Refused,
                evidence: "curl: (7) No route to host".to_owned(),
            },
            seconds: 0.1,
        };
        for (answer, refusal, nobody) in [
            (refused, "passed", "passed"),
            (none(), "failed", "passed"),
            (nginx("a"), "failed", "failed"),
            (Fetched::unknown("no exec"), "could not tell", "could not tell"),
        ] {
            let row = question(Wanted::Refusal).judge(std::slice::from_ref(&answer));
            assert_eq!(kind(&row), refusal, "{row:?}");
            let row = question(Wanted::Nobody).judge(&[answer]);
            assert_eq!(kind(&row), nobody, "{row:?}");
        }
    }

    #[test]
    fn a_failure_counts_what_was_seen() {
        let row = question(Wanted::NginxPage).judge(&[nginx("a"), none(), none(), nginx("a")]);
        let Outcome::Failed(failure) = row.outcome else {
            panic!("{row:?}")
        };
        assert_eq!(
            failure.found,
            "2 of 4 fetches: no answer: curl: (28) Connection timed out"
        );
        assert_eq!(
            failure.evidence,
            [
                "2 x a: status 200, 615 bytes: <!DOCTYPE html>",
                "2 x no answer: curl: (28) Connection timed out"
            ]
        );
        assert!((row.seconds - 4.0).abs() < f64::EPSILON);
    }
}
