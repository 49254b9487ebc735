//! What a verification or a status found: rows that say the truth, a verdict, and its plain renderings.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cause::{Cause, causes};

/// The version of the JSON form. It grows when a field changes its meaning or goes; new fields do not change it.
pub const REPORT_SCHEMA: u32 = 1;

/// What a row speaks about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Scope {
    /// The cluster as a whole.
    Cluster,
    /// One host of the site, by its name.
    Host {
        /// The host's name in the site file.
        host: String,
    },
    /// The way from one host to another; the opposite way is a row of its own.
    Pair {
        /// Where the request starts.
        from: String,
        /// Where it goes to.
        to: String,
    },
}

impl Scope {
    /// The scope of one host.
    pub fn host(host: impl Into<String>) -> Self {
        Self::Host { host: host.into() }
    }

    /// The scope of the way from one host to another.
    pub fn pair(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self::Pair {
            from: from.into(),
            to: to.into(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => formatter.write_str("cluster"),
            Self::Host { host } => formatter.write_str(host),
            Self::Pair { from, to } => write!(formatter, "{from} -> {to}"),
        }
    }
}

/// What came out of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was exercised, and it is as it should be.
    Passed,
    /// It was exercised, and it is not as it should be.
    Failed(Failure),
    /// It could not be exercised, so nothing is known about it.
    CouldNotTell {
        /// Why not.
        reason: String,
    },
    /// This site has nothing to exercise here, for example pairs on a single host.
    NotApplicable {
        /// Why not.
        reason: String,
    },
}

/// Why a row failed, with what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The stable code (`IEC5` and three digits) that the manual explains.
    pub code: String,
    /// What should have been there.
    pub expected: String,
    /// What was there instead.
    pub found: String,
    /// What else was seen, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The next thing to do.
    pub next: String,
}

/// One check on one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The check's stable id, such as `node.ready`; together with the scope it is unique in a report.
    pub id: String,
    /// The check in words, true when it passes.
    pub title: String,
    /// What it speaks about.
    pub scope: Scope,
    /// What came out.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Something worth knowing that does not change the outcome, such as restart counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A standing warning that no row can take away, such as a pair of versions that upstream has not tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// The stable code, if the warning has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The warning in one sentence.
    pub text: String,
}

/// What the rows mean together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every row that the site can exercise passed, and there is at least one.
    Passed,
    /// At least one row failed.
    Failed,
    /// No row failed, but not everything is known.
    CouldNotTell,
}

impl Verdict {
    /// The exit code of a command that ends with this verdict: 0, 3 or 4.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 3,
            Self::CouldNotTell => 4,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::CouldNotTell => "could not tell",
        })
    }
}

/// How many rows came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Rows that passed.
    pub passed: usize,
    /// Rows that failed.
    pub failed: usize,
    /// Rows that could not be exercised.
    pub could_not_tell: usize,
    /// Rows that the site has nothing for.
    pub not_applicable: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} passed, {} failed, {} could not tell, {} not applicable",
            self.passed, self.failed, self.could_not_tell, self.not_applicable
        )
    }
}

/// All rows of one verification or status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The site's name.
    pub site: String,
    /// The release that the site asks for, such as `1.36`.
    pub release: String,
    /// When it began, as RFC 3339 in UTC.
    pub started: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether the user stopped it before its end.
    #[serde(default)]
    pub stopped: bool,
    /// Standing warnings.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// What lowers the support of the site, and the site file accepts.
    #[serde(default)]
    pub notes: Vec<Warning>,
    /// The rows, in reading order.
    pub rows: Vec<Row>,
}

/// The JSON form: the report with what follows from it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReportDocument<'a> {
    schema: u32,
    verdict: Verdict,
    exit_code: u8,
    counts: Counts,
    /// The failed rows that nothing else explains, each with those that follow from it.
    causes: Vec<Cause>,
    #[serde(flatten)]
    report: &'a Report,
}

impl Report {
    /// How many rows came out how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in &self.rows {
            match row.outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Failed(_) => counts.failed += 1,
                Outcome::CouldNotTell { .. } => counts.could_not_tell += 1,
                Outcome::NotApplicable { .. } => counts.not_applicable += 1,
            }
        }
        counts
    }

    /// What the rows mean together. A report without a single passed row has proven nothing, and one that was
    /// stopped does not know the rest: neither is ever `Passed`.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let counts = self.counts();
        if counts.failed > 0 {
            Verdict::Failed
        } else if counts.could_not_tell > 0 || counts.passed == 0 || self.stopped {
            Verdict::CouldNotTell
        } else {
            Verdict::Passed
        }
    }

    /// The versioned JSON form, with verdict, exit code and counts.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let document = ReportDocument {
            schema: REPORT_SCHEMA,
            verdict: self.verdict(),
            exit_code: self.verdict().exit_code(),
            counts: self.counts(),
            causes: causes(self),
            report: self,
        };
        serde_json::to_value(document).expect("a report holds only strings, numbers and lists of them")
    }

    /// The JSON Schema of [`Report::to_json`].
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(ReportDocument<'_>).to_value()
    }

    /// A plain table: passed rows of one check are one line, everything else is shown in full.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{} (release {})\n\n", self.site, self.release);
        let id_width = self.rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
        let mut rest = self.rows.as_slice();
        while let Some(first) = rest.first() {
            let run = rest
                .iter()
                .take_while(|row| first.collapses_with(row))
                .count()
                .max(1);
            text.push_str(&group_text(&rest[..run], id_width));
            rest = &rest[run..];
        }
        for warning in &self.warnings {
            let code = warning
                .code
                .as_ref()
                .map(|code| format!(" ({code})"))
                .unwrap_or_default();
            let _ = write!(text, "\nwarning: {}{code}", warning.text);
        }
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        for note in &self.notes {
            let code = note
                .code
                .as_ref()
                .map(|code| format!(" ({code})"))
                .unwrap_or_default();
            let _ = write!(text, "\nnote: {}{code}", note.text);
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.causes_text());
        let stopped = if self.stopped {
            ", stopped before its end"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "\n{}: {} in {:.1} s{stopped}",
            self.verdict(),
            self.counts(),
            self.seconds
        );
        text
    }
}

impl Report {
    /// What probably is behind what failed, where it is more than the rows say one by one.
    fn causes_text(&self) -> String {
        let causes = causes(self);
        if causes.iter().all(|cause| cause.follows.is_empty()) {
            return String::new();
        }
        let mut text = String::new();
        for cause in &causes {
            let row = self
                .rows
                .iter()
                .find(|row| row.id == cause.id && row.scope == cause.scope);
            let Some(Outcome::Failed(failure)) = row.map(|row| &row.outcome) else {
                continue;
            };
            let _ = writeln!(
                text,
                "\nlikely cause: {} [{}]: {}\n  next: {}",
                cause.id, cause.scope, failure.found, failure.next
            );
            let mut following: BTreeMap<&str, usize> = BTreeMap::new();
            for row in &cause.follows {
                *following.entry(row.id.as_str()).or_default() += 1;
            }
            if !following.is_empty() {
                let rows: Vec<String> = following
                    .iter()
                    .map(|(id, count)| format!("{id} ({count})"))
                    .collect();
                let _ = writeln!(text, "  what follows from it: {}", rows.join(", "));
            }
        }
        text
    }
}

/// The width of the first column: `could not tell` and `not applicable` have 14 characters.
const OUTCOME_WIDTH: usize = 14;

impl Row {
    /// The row as one line, followed by its details where it did not pass: for a log that grows as rows finish.
    #[must_use]
    pub fn to_text(&self) -> String {
        group_text(std::slice::from_ref(self), self.id.len())
    }

    /// What was found, or why nothing was; empty for a row that passed.
    #[must_use]
    pub fn found(&self) -> &str {
        match &self.outcome {
            Outcome::Passed => "",
            Outcome::Failed(failure) => &failure.found,
            Outcome::CouldNotTell { reason } | Outcome::NotApplicable { reason } => reason,
        }
    }

    fn collapses_with(&self, other: &Self) -> bool {
        let passed = |row: &Self| row.outcome == Outcome::Passed;
        passed(self) && passed(other) && self.id == other.id && self.note == other.note
    }

    fn details(&self) -> Vec<(&'static str, String)> {
        let mut details = Vec::new();
        match &self.outcome {
            Outcome::Passed => {}
            Outcome::Failed(failure) => {
                details.push(("expected", failure.expected.clone()));
                details.push(("found", failure.found.clone()));
                details.extend(failure.evidence.iter().map(|line| ("evidence", line.clone())));
                details.push(("next", format!("{} ({})", failure.next, failure.code)));
            }
            Outcome::CouldNotTell { reason } | Outcome::NotApplicable { reason } => {
                details.push(("reason", reason.clone()));
            }
        }
        details.extend(self.note.iter().map(|note| ("note", note.clone())));
        details
    }
}

/// How many hosts a line names that have one note; of more it gives the number.
const MOST_NAMED: usize = 8;

/// Rows of one check that read as one line: a single row of any outcome, or several that passed with the same note.
fn group_text(rows: &[Row], id_width: usize) -> String {
    let [first, ..] = rows else { return String::new() };
    let outcome = match first.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "FAILED",
        Outcome::CouldNotTell { .. } => "could not tell",
        Outcome::NotApplicable { .. } => "not applicable",
    };
    let subject = match (rows, &first.scope) {
        ([_], scope) => scope.to_string(),
        (_, Scope::Host { .. }) if first.note.is_some() && rows.len() <= MOST_NAMED => {
            let names: Vec<String> = rows.iter().map(|row| row.scope.to_string()).collect();
            names.join(", ")
        }
        (_, Scope::Cluster) => format!("{} times", rows.len()),
        (_, Scope::Host { .. }) => format!("{} hosts", rows.len()),
        (_, Scope::Pair { .. }) => format!("{} pairs", rows.len()),
    };
    let longest = rows.iter().map(|row| row.seconds).fold(0.0, f64::max);
    let mut text = format!(
        "{outcome:<OUTCOME_WIDTH$}  {:<id_width$}  {}  [{subject}]  {longest:.2} s\n",
        first.id, first.title
    );
    for (name, value) in first.details() {
        let mut lines = value.lines();
        let _ = writeln!(
            text,
            "{:OUTCOME_WIDTH$}  {name:<8}  {}",
            "",
            lines.next().unwrap_or_default()
        );
        for line in lines {
            let _ = writeln!(text, "{:OUTCOME_WIDTH$}  {:8}  {line}", "", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, scope: Scope, outcome: Outcome) -> Row {
        Row {
            id: id.into(),
            title: format!("{id} holds"),
            scope,
            outcome,
            note: None,
            seconds: 0.25,
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed(Failure {
            code: "IEC5405".into(),
            expected: "nginx's page".into(),
            found: "no answer".into(),
            evidence: vec!["curl: (28) Resolving timed out".into(), "two\nlines".into()],
            next: "look at CoreDNS".into(),
        })
    }

    fn could_not_tell() -> Outcome {
        Outcome::CouldNotTell {
            reason: "edge-2 cannot be reached".into(),
        }
    }

    fn not_applicable() -> Outcome {
        Outcome::NotApplicable {
            reason: "one host has no pairs".into(),
        }
    }

    #[test]
    fn hosts_with_the_same_note_share_a_line_that_names_them() {
        let noted = |host: &str, note: &str| Row {
            note: Some(note.into()),
            ..row("node.architecture", Scope::host(host), Outcome::Passed)
        };
        let mut report = report(vec![]);
        report.rows = vec![noted("a", "amd64"), noted("b", "arm64"), noted("c", "arm64")];
        let text = report.to_text();
        let has = |subject: &str, note: &str| {
            let mut lines = text.lines();
            lines.any(|line| line.contains(subject)) && lines.next().is_some_and(|line| line.ends_with(note))
        };
        assert!(
            has("[a]", "note      amd64") && has("[b, c]", "note      arm64"),
            "{text}"
        );
    }

    fn report(outcomes: Vec<Outcome>) -> Report {
        let rows = outcomes
            .into_iter()
            .enumerate()
            .map(|(index, outcome)| row("node.ready", Scope::host(format!("edge-{index}")), outcome))
            .collect();
        Report {
            site: "store-0417".into(),
            release: "1.36".into(),
            started: "2026-11-23T18:00:00Z".into(),
            seconds: 1.5,
            stopped: false,
            warnings: Vec::new(),
            notes: Vec::new(),
            rows,
        }
    }

    #[test]
    fn verdicts_and_exit_codes() {
        let cases = [
            (vec![Outcome::Passed, Outcome::Passed], Verdict::Passed, 0),
            (vec![Outcome::Passed, not_applicable()], Verdict::Passed, 0),
            (vec![Outcome::Passed, failed()], Verdict::Failed, 3),
            (
                vec![could_not_tell(), failed(), Outcome::Passed],
                Verdict::Failed,
                3,
            ),
            (vec![Outcome::Passed, could_not_tell()], Verdict::CouldNotTell, 4),
            (vec![not_applicable()], Verdict::CouldNotTell, 4),
            (vec![], Verdict::CouldNotTell, 4),
        ];
        for (outcomes, verdict, exit_code) in cases {
            let report = report(outcomes);
            assert_eq!(report.verdict(), verdict, "{report:?}");
            assert_eq!(report.verdict().exit_code(), exit_code);
        }
    }

    #[test]
    fn a_stopped_report_never_passes() {
        let mut stopped = report(vec![Outcome::Passed]);
        stopped.stopped = true;
        assert_eq!(stopped.verdict(), Verdict::CouldNotTell);
        stopped.rows.push(row("dns.name", Scope::Cluster, failed()));
        assert_eq!(stopped.verdict(), Verdict::Failed);
    }

    #[test]
    fn json_carries_what_follows_from_the_rows_and_reads_back() {
        let mut report = report(vec![
            Outcome::Passed,
            failed(),
            could_not_tell(),
            not_applicable(),
        ]);
        report.warnings.push(Warning {
            code: None,
            text: "untested by upstream".into(),
        });
        let json = report.to_json();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["verdict"], "failed");
        assert_eq!(json["exitCode"], 3);
        assert_eq!(json["counts"]["couldNotTell"], 1);
        assert_eq!(json["rows"][0]["result"], "passed");
        assert_eq!(json["rows"][1]["result"], "failed");
        assert_eq!(json["rows"][1]["code"], "IEC5405");
        assert_eq!(json["rows"][1]["scope"]["host"], "edge-1");
        assert_eq!(json["rows"][3]["result"], "not-applicable");
        let back: Report = serde_json::from_value(json).expect("the JSON form reads back");
        assert_eq!(back, report);
    }

    #[test]
    fn the_schema_names_the_fields_of_the_json_form() {
        let schema = Report::json_schema();
        let properties = schema["properties"].as_object().expect("an object schema");
        let json = report(vec![Outcome::Passed]).to_json();
        for key in json.as_object().expect("an object").keys() {
            assert!(
                properties.contains_key(key),
                "{key} is missing in the schema: {schema}"
            );
        }
    }

    #[test]
    fn text_collapses_what_passed_and_spells_out_the_rest() {
        let mut report = report(vec![Outcome::Passed, Outcome::Passed, failed(), Outcome::Passed]);
        report
            .rows
            .push(row("pod.pair", Scope::pair("a", "b"), not_applicable()));
        report.warnings.push(Warning {
            code: Some("IEC3001".into()),
            text: "untested by upstream".into(),
        });
        let expected = "\
store-0417 (release 1.36)

passed          node.ready  node.ready holds  [2 hosts]  0.25 s
FAILED          node.ready  node.ready holds  [edge-2]  0.25 s
                expected  nginx's page
                found     no answer
                evidence  curl: (28) Resolving timed out
                evidence  two
                          lines
                next      look at CoreDNS (IEC5405)
passed          node.ready  node.ready holds  [edge-3]  0.25 s
not applicable  pod.pair    pod.pair holds  [a -> b]  0.25 s
                reason    one host has no pairs

warning: untested by upstream (IEC3001)

failed: 3 passed, 1 failed, 0 could not tell, 1 not applicable in 1.5 s
";
        assert_eq!(report.to_text(), expected);
    }

    #[test]
    fn text_ends_with_the_likely_cause_and_what_follows_from_it() {
        let mut report = report(vec![failed()]);
        report.rows.extend([
            row("workload.probe", Scope::host("edge-0"), failed()),
            row("pod.pair", Scope::pair("edge-0", "edge-1"), failed()),
            row("pod.pair", Scope::pair("edge-1", "edge-0"), failed()),
        ]);
        report.notes.push(Warning {
            code: Some("IEC3102".into()),
            text: "edge-0: the host is itself a container".into(),
        });
        let text = report.to_text();
        let (_, end) = text.split_once("\n\nnote: ").expect("a note");
        assert_eq!(
            end,
            "edge-0: the host is itself a container (IEC3102)\n\n\
             likely cause: node.ready [edge-0]: no answer\n  next: look at CoreDNS\n  \
             what follows from it: pod.pair (2), workload.probe (1)\n\n\
             failed: 0 passed, 4 failed, 0 could not tell, 0 not applicable in 1.5 s\n"
        );
        let json = report.to_json();
        assert_eq!(json["causes"][0]["id"], "node.ready");
        assert_eq!(json["causes"][0]["follows"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn a_note_keeps_a_passed_row_on_a_line_of_its_own() {
        let mut report = report(vec![Outcome::Passed, Outcome::Passed]);
        report.rows[0].note = Some("3 restarts".into());
        let text = report.to_text();
        assert!(
            text.contains("[edge-0]") && text.contains("note      3 restarts"),
            "{text}"
        );
        assert!(text.contains("[edge-1]"), "{text}");
    }

    #[test]
    fn found_is_what_a_row_saw_or_why_it_saw_nothing() {
        let found = |outcome| row("pod.pair", Scope::Cluster, outcome).found().to_owned();
        assert_eq!(found(Outcome::Passed), "");
        assert_eq!(found(failed()), "no answer");
        assert_eq!(found(could_not_tell()), "edge-2 cannot be reached");
        assert_eq!(found(not_applicable()), "one host has no pairs");
    }
}
