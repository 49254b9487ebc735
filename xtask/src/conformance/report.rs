//! What ginkgo reports of a run: how many tests passed, and which did not.

use std::fmt;

use anyhow::ensure;
use serde::Deserialize;

/// A suite, as ginkgo's JSON report has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Suite {
    spec_reports: Vec<Spec>,
}

/// A test in it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Spec {
    #[serde(default)]
    container_hierarchy_texts: Option<Vec<String>>,
    leaf_node_type: String,
    leaf_node_text: String,
    state: String,
}

/// What came of the tests.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Report {
    passed: usize,
    failed: Vec<String>,
}

impl Report {
    /// Reads ginkgo's JSON.
    ///
    /// # Errors
    /// When it is none, or no test ran.
    pub(super) fn read(text: &str) -> anyhow::Result<Self> {
        let suites: Vec<Suite> = serde_json::from_str(text)?;
        let mut report = Self {
            passed: 0,
            failed: Vec::new(),
        };
        for spec in suites.into_iter().flat_map(|suite| suite.spec_reports) {
            match spec.state.as_str() {
                "passed" if spec.leaf_node_type == "It" => report.passed += 1,
                "passed" | "skipped" | "pending" => {}
                _ => report.failed.push(spec.name()),
            }
        }
        ensure!(report.passed + report.failed.len() > 0, "no test ran");
        report.failed.sort();
        Ok(report)
    }

    /// Whether no test failed.
    pub(super) fn is_good(&self) -> bool {
        self.failed.is_empty()
    }
}

impl Spec {
    fn name(self) -> String {
        let mut words = self.container_hierarchy_texts.unwrap_or_default();
        words.push(self.leaf_node_text);
        words.join(" ")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.passed + self.failed.len();
        write!(formatter, "{} of {all} passed", self.passed)?;
        if !self.failed.is_empty() {
            write!(formatter, "; **failed**: {}", self.failed.join("; "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_and_failures_are_named() {
        let report = Report::read(
            r#"[{"SpecReports": [
                {"ContainerHierarchyTexts": null, "LeafNodeType": "SynchronizedBeforeSuite", "LeafNodeText": "", "State": "passed"},
                {"ContainerHierarchyTexts": ["DNS"], "LeafNodeType": "It", "LeafNodeText": "answers", "State": "passed"},
                {"ContainerHierarchyTexts": ["DNS"], "LeafNodeType": "It", "LeafNodeText": "is slow", "State": "timedout"},
                {"ContainerHierarchyTexts": ["Pods"], "LeafNodeType": "It", "LeafNodeText": "run", "State": "skipped"}
            ]}]"#,
        )
        .expect("a report");
        assert_eq!(report.to_string(), "1 of 2 passed; **failed**: DNS is slow");
        assert!(!report.is_good());
    }

    #[test]
    fn a_run_without_tests_is_no_result() {
        assert!(Report::read(r#"[{"SpecReports": []}]"#).is_err());
        assert!(Report::read("[]").is_err());
    }
}
