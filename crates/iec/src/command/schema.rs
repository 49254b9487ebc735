//! `iec schema`: the JSON Schema of the site file.

use iec_core::schema::json_schema;

use crate::error::{CliError, Outcome};
use crate::ui::Ui;

/// Prints the schema, which is a document of its own in both formats.
pub(super) fn run(ui: &Ui) -> Result<Outcome, CliError> {
    let mut schema = json_schema();
    if !schema.ends_with('\n') {
        schema.push('\n');
    }
    ui.raw(&schema);
    Ok(Outcome::Done)
}
