//! Codes of runs: `IEC4…`.

use super::Explanation;

/// In ascending order.
pub(super) const ROWS: &[Explanation] = &[];
