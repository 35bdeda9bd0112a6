//! Joins that would wait for a partition that is never read.
//!
//! A join with one build side for all partitions of its probe side makes its filter when each of
//! them has asked for the build side, and none returns a row before. A join above it, whose sides are
//! divided by the keys, does not read a partition of its probe side if it has no rows to match it
//! with. That partition asks for nothing, and the others wait without end:
//!
//! ```text
//! HashJoinExec: mode=Partitioned          partition 1: no rows on the left, reads no more
//!   RepartitionExec: Hash
//!   HashJoinExec: mode=CollectLeft        partition 0: waits for partition 1
//! ```
//!
//! A partition that is dropped counts as one that has asked only in joins whose build sides are
//! divided (`BuildReportHandle::cancel_pending` of `datafusion-physical-plan`, 55.2). So such a join
//! makes no filter, unless an operator between the two reads all partitions. Delete this when
//! DataFusion counts dropped partitions of all joins.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode, SortMergeJoinExec};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

type Operator = Arc<dyn ExecutionPlan>;

/// Returns a plan of the same rows in which no join waits for a partition that is never read.
///
/// # Errors
///
/// Returns an error if an operator cannot be rebuilt.
pub(crate) fn without_waiting(plan: Operator) -> Result<Operator> {
    with_all_read(plan, true)
}

/// `is_read`: whether each partition of `plan` is read if one is.
fn with_all_read(plan: Operator, is_read: bool) -> Result<Operator> {
    let join = plan.downcast_ref::<HashJoinExec>();
    let mode = join.map(HashJoinExec::partition_mode);
    let reads_all = plan.is::<RepartitionExec>();
    let may_end_early = mode == Some(&PartitionMode::Partitioned) || plan.is::<SortMergeJoinExec>();
    let mut changed = false;
    let mut children = Vec::new();
    for (side, child) in plan.children().into_iter().enumerate() {
        let is_divided = child.output_partitioning().partition_count() > 1;
        let is_shared = side == 0 && mode == Some(&PartitionMode::CollectLeft);
        let child_is_read = !is_divided || is_shared || reads_all || (is_read && !may_end_early);
        let with_all = with_all_read(Arc::clone(child), child_is_read)?;
        changed |= !Arc::ptr_eq(&with_all, child);
        children.push(with_all);
    }
    let waits = !is_read
        && mode == Some(&PartitionMode::CollectLeft)
        && !plan.dynamic_expressions_produced().is_empty();
    let plan = match changed {
        true => {
            let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            plan.replace_children(children, keep)?
        }
        false => plan,
    };
    match waits {
        // A join without state makes no filter.
        true => plan.reset_state(),
        false => Ok(plan),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    use datafusion::common::{JoinType, NullEquality};
    use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr, lit};
    use datafusion::physical_expr::{Partitioning, PhysicalExpr};
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::filter::FilterExec;

    use super::*;

    fn key() -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new("k", 0))
    }

    fn table(partitions: usize) -> Operator {
        let schema = Schema::new(vec![Field::new("k", DataType::Int64, true)]);
        Arc::new(EmptyExec::new(Arc::new(schema)).with_partitions(partitions))
    }

    fn by_key(input: Operator) -> Operator {
        let hashed = Partitioning::Hash(vec![key()], 2);
        Arc::new(RepartitionExec::try_new(input, hashed).unwrap())
    }

    /// Returns the join of `left` with a filtered `right`, whose filter it makes.
    fn joined(left: Operator, right: Operator, mode: PartitionMode) -> Operator {
        let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![key()], lit(true)));
        let predicate = Arc::<DynamicFilterPhysicalExpr>::clone(&filter);
        let join = HashJoinExec::try_new(
            left,
            Arc::new(FilterExec::try_new(predicate, right).unwrap()),
            vec![(key(), key())],
            None,
            &JoinType::Inner,
            Some(vec![0]),
            mode,
            NullEquality::NullEqualsNothing,
            false,
        );
        Arc::new(join.unwrap().with_dynamic_filter_expr(filter).unwrap())
    }

    /// Returns whether each join of a plan makes a filter, from the top.
    fn filters(plan: &Operator) -> Vec<bool> {
        let mut filters = Vec::new();
        plan.apply(|node| {
            if node.is::<HashJoinExec>() {
                filters.push(!node.dynamic_expressions_produced().is_empty());
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        filters
    }

    #[test]
    fn shared_build_side_below_a_divided_join_makes_no_filter() {
        let (whole, divided) = (PartitionMode::CollectLeft, PartitionMode::Partitioned);
        let shared = |probe: Operator| joined(table(1), probe, whole);
        for (plan, expected) in [
            (
                joined(by_key(table(1)), shared(by_key(table(2))), divided),
                [true, false],
            ),
            (
                joined(shared(by_key(table(2))), by_key(table(1)), divided),
                [true, false],
            ),
            // Each partition is read.
            (
                joined(by_key(table(1)), by_key(shared(table(2))), divided),
                [true, true],
            ),
            (joined(table(1), shared(table(2)), whole), [true, true]),
            // Nothing waits where there is one partition.
            (joined(table(1), shared(table(1)), divided), [true, true]),
            // What is shared is read by any of the partitions.
            (
                joined(shared(table(1)), by_key(table(2)), whole),
                [true, true],
            ),
        ] {
            let plan = without_waiting(plan).unwrap();
            assert_eq!(filters(&plan), expected, "{plan:?}");
        }
        let three = joined(by_key(table(1)), shared(shared(by_key(table(2)))), divided);
        assert_eq!(
            filters(&without_waiting(three).unwrap()),
            [true, false, false]
        );
    }
}
