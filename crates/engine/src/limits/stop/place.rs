//! Where an operator is in a plan.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;

use super::pace::Pace;

/// What reads an operator's rows, and what it reads beside its inputs.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The pace at which the parent gets the batches.
    pub pace: Option<Arc<Pace>>,
    /// The subqueries whose results the operator and its inputs read.
    pub beside: Option<Arc<dyn ExecutionPlan>>,
    /// Whether the parent keeps the rows, and counts the memory that they hold.
    pub is_kept: bool,
}
