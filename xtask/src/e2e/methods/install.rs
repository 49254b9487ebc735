//! How each method takes bare hosts to a site, as its user would.

use crate::e2e::lab::{Lab, Machine};
use crate::e2e::main_job;

/// `iec apply`, over SSH.
pub(super) fn apply(machine: &Machine, lab: &Lab) -> anyhow::Result<()> {
    main_job::apply(machine, "apply", lab.site(), true)
}
