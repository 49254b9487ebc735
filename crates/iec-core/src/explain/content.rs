//! Codes of content, of bundles and what they are built from: `IEC2…`.

use super::Explanation;

/// In ascending order.
pub(super) const ROWS: &[Explanation] = &[];
