//! Where an operator is in a plan.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;

use super::owned::keeps_rows;
use super::pace::Pace;
use crate::aggregation::first_steps;

/// What reads an operator's rows, and what it reads beside its inputs.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The pace at which the parent gets the batches.
    pub pace: Option<Arc<Pace>>,
    /// The subqueries whose results the operator and its inputs read.
    pub beside: Option<Arc<dyn ExecutionPlan>>,
    /// Whether the parent keeps the rows, and counts the memory that they hold.
    pub is_kept: bool,
    /// Whether the last step of an aggregation reads the rows.
    pub is_merged: bool,
}

impl Place {
    /// Returns the place of an input of an operator. `paced`: the input that gets a pace, and its pace.
    pub(super) fn of_input(
        &self,
        parent: &Arc<dyn ExecutionPlan>,
        index: usize,
        paced: Option<&(usize, Arc<Pace>)>,
    ) -> Self {
        let paced = paced.filter(|(input, _)| *input == index);
        // The input of subqueries comes before them, and reads their results.
        let reads = index == 0 && parent.is::<ScalarSubqueryExec>();
        Self {
            pace: paced.map(|(_, pace)| Arc::clone(pace)),
            beside: reads.then(|| Arc::clone(parent)),
            is_kept: keeps_rows(parent.as_ref()),
            is_merged: first_steps::is_merged_by(parent.as_ref(), self.is_merged),
        }
    }
}
