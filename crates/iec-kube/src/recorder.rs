//! Collecting rows as they finish, and passing each on at once.

use std::sync::{Mutex, PoisonError};

use iec_core::report::{Row, Scope};

use crate::check::{Check, reading_order};

/// Who is told of each row as it finishes.
pub type RowSink<'a> = &'a (dyn Fn(&Row) + Send + Sync);

/// Rows so far. Checks that run at the same time share one.
pub(crate) struct Recorder<'a> {
    rows: Mutex<Vec<Row>>,
    sink: RowSink<'a>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(sink: RowSink<'a>) -> Self {
        Self {
            rows: Mutex::new(Vec::new()),
            sink,
        }
    }

    pub(crate) fn record(&self, row: Row) {
        (self.sink)(&row);
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    }

    /// Whether there is a row of this check on this subject already.
    pub(crate) fn has(&self, check: &Check, scope: &Scope) -> bool {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.iter().any(|row| row.id == check.id && row.scope == *scope)
    }

    /// All rows, in reading order.
    pub(crate) fn into_rows(self) -> Vec<Row> {
        let mut rows = self.rows.into_inner().unwrap_or_else(PoisonError::into_inner);
        rows.sort_by_key(reading_order);
        rows
    }
}
