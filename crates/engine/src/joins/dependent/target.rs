//! The rows that subqueries are joined with.

use datafusion::common::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::plans::expressions;
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

    /// Makes the rows those of one run for all of their readers. Returns whether they are.
    ///
    /// Rows of volatile functions are not.
    ///
    /// # Errors
    ///
    /// Returns an error if the plan cannot be walked.
    pub(super) fn compute_once(&mut self) -> Result<bool> {
        if expressions::has(&self.joined, Expr::is_volatile_node)? {
            return Ok(false);
        }
        self.rows = once(self.joined.clone());
        self.joined = self.rows.clone();
        Ok(true)
    }
}
