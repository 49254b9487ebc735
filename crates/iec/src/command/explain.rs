//! `iec explain`: what an error code means.

use std::fmt::Write as _;

use iec_core::explain::{self, Explanation};
use serde_json::{Value, json};

use crate::error::{CliError, Outcome};
use crate::ui::{Document, Ui};

/// Explains one code, or lists all of them.
pub(super) fn run(code: Option<&str>, ui: &Ui) -> Result<Outcome, CliError> {
    let Some(code) = code else {
        let all: Vec<Value> = sorted().into_iter().map(object).collect();
        ui.result(Document::Codes, &json!({ "codes": all }), table);
        return Ok(Outcome::Done);
    };
    let explanation = explain::explain(code).ok_or_else(|| {
        CliError::refused("IEC0904", format!("there is no code {code}")).next("iec explain lists all codes")
    })?;
    ui.result(Document::Code, &object(explanation), || explanation.to_string());
    Ok(Outcome::Done)
}

fn object(explanation: &Explanation) -> Value {
    json!({
        "code": explanation.code,
        "title": explanation.title,
        "cause": explanation.cause,
        "action": explanation.action,
        "example": explanation.example,
    })
}

fn table() -> String {
    let mut text = String::new();
    for explanation in sorted() {
        let _ = writeln!(text, "{}  {}", explanation.code, explanation.title);
    }
    text
}

/// Every code, in order.
fn sorted() -> Vec<&'static Explanation> {
    let mut all: Vec<&Explanation> = explain::all().collect();
    all.sort_by_key(|explanation| explanation.code);
    all
}
