//! When the first step of an aggregation gives up.
//!
//! From some row of a partition on, the first step passes rows on as groups of their own, if most of those
//! before were. DataFusion waits for 100,000 rows, with which ClickBench 17 takes a third more CPU time. Where
//! the last step reads the groups, it has to group the rows that are passed on, which costs little more, so the
//! first step gives up sooner. Where a join reads them
//! ([`eager_groups`](crate::aggregation::eager_groups)), it would join all the rows, so it waits as long.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

use crate::plans::operators::with_config;

/// DataFusion's number of rows.
const LATE: usize = 100_000;

/// Rows, where the last step reads the groups.
const SOON: usize = 32_768;

/// Returns whether the last step of an aggregation reads the rows of an input of an operator. `passed_on`:
/// whether it reads those of the operator.
pub(crate) fn is_merged_by(parent: &dyn ExecutionPlan, passed_on: bool) -> bool {
    if let Some(aggregate) = parent.downcast_ref::<AggregateExec>() {
        return matches!(
            aggregate.mode(),
            AggregateMode::Final | AggregateMode::FinalPartitioned
        );
    }
    let exchanges = parent.is::<RepartitionExec>()
        || parent.is::<CoalescePartitionsExec>()
        || parent.is::<SortPreservingMergeExec>();
    exchanges && passed_on
}

/// Returns the context to run an operator in, by which a first step gives up soon or late. `is_merged`:
/// whether the last step reads its groups. Other numbers of rows than these are left.
pub(crate) fn with_patience(
    plan: &dyn ExecutionPlan,
    is_merged: bool,
    context: Arc<TaskContext>,
) -> Arc<TaskContext> {
    let aggregate = plan.downcast_ref::<AggregateExec>();
    let is_first = aggregate.is_some_and(|aggregate| *aggregate.mode() == AggregateMode::Partial);
    let execution = &context.session_config().options().execution;
    let rows = execution.skip_partial_aggregation_probe_rows_threshold;
    let (wanted, other) = if is_merged {
        (SOON, LATE)
    } else {
        (LATE, SOON)
    };
    if !is_first || rows != other {
        return context;
    }
    let mut config = context.session_config().clone();
    let execution = &mut config.options_mut().execution;
    execution.skip_partial_aggregation_probe_rows_threshold = wanted;
    with_config(&context, config)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::RecordBatch;
    use datafusion::physical_plan::collect;
    use datafusion::physical_plan::metrics::MetricsSet;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;
    use crate::limits::stop::stoppable;

    /// Returns the first step of an aggregation.
    fn first_step(plan: &Arc<dyn ExecutionPlan>) -> Option<Arc<dyn ExecutionPlan>> {
        let aggregate = plan.downcast_ref::<AggregateExec>();
        if aggregate.is_some_and(|aggregate| *aggregate.mode() == AggregateMode::Partial) {
            return Some(Arc::clone(plan));
        }
        plan.children().into_iter().find_map(first_step)
    }

    /// Returns how many groups the first step returned of rows of which the first 70,000 are groups of their
    /// own, and the others of few, and the groups of the plan. `rows`: after which it gives up.
    async fn groups(rows: usize, is_whole: bool) -> (usize, usize) {
        let mut config = SessionConfig::new().with_target_partitions(2);
        let execution = &mut config.options_mut().execution;
        execution.skip_partial_aggregation_probe_rows_threshold = rows;
        let context = SessionContext::new_with_config(config);
        let sql = "SELECT k, count(*) AS c FROM (
                SELECT CASE WHEN value <= 70000 THEN value ELSE value % 10 + 90000 END AS k
                FROM generate_series(1, 190000)
            ) GROUP BY k";
        let plan = context.sql(sql).await.unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let plan = match is_whole {
            true => stoppable(plan).unwrap(),
            false => stoppable(first_step(&plan).unwrap()).unwrap(),
        };
        let first = first_step(&plan).unwrap();
        let batches = collect(plan, context.task_ctx()).await.unwrap();
        let metrics = first.metrics();
        let returned = metrics.as_ref().and_then(MetricsSet::output_rows).unwrap();
        (returned, batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[tokio::test]
    async fn first_steps_give_up_soon_if_the_last_one_reads_their_groups() {
        let (returned, groups_of_all) = groups(LATE, true).await;
        assert_eq!(groups_of_all, 70_010);
        assert!(returned > 150_000, "{returned}");
        // What is not read by a last step waits.
        let (returned, _) = groups(LATE, false).await;
        assert!(returned < 80_000, "{returned}");
        // Other numbers are left.
        let (returned, groups_of_all) = groups(90_000, true).await;
        assert_eq!(groups_of_all, 70_010);
        assert!(returned < 80_000, "{returned}");
    }
}
