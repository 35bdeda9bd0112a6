//! The rows that subqueries are joined with.

use datafusion::logical_expr::LogicalPlan;

use crate::shared::once;

/// The rows that subqueries are joined with.
pub(super) struct Target {
    /// The outer rows, from which domains are taken.
    pub rows: LogicalPlan,
    /// The same rows with the values of subqueries.
    pub joined: LogicalPlan,
}

impl Target {
    pub(super) fn new(rows: LogicalPlan) -> Self {
        Self {
            joined: rows.clone(),
            rows,
        }
    }

    /// Makes the rows those of one run for all of their readers.
    pub(super) fn compute_once(&mut self) {
        self.rows = once(self.joined.clone());
        self.joined = self.rows.clone();
    }
}
