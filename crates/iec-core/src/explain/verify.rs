//! Codes of verification: `IEC5…`.

use super::Explanation;

/// In ascending order.
pub(super) const ROWS: &[Explanation] = &[];
