//! Groups by keys of which some have one value only are hashed like any others.
//!
//! ```text
//! WHERE year = 2001 GROUP BY year, item     rows are ordered by `year`, which is 2001 in all
//! ```
//!
//! DataFusion takes that for an order of the input (`InputOrderMode::PartiallySorted`, 55.2). Ordered
//! groups are given out early, but here all of them end with the last row. The operator for ordered
//! input is slower: its first step keeps on grouping where few rows are equal.
//! Remove this when `AggregateExec` tells constants from orders.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::physical_plan::InputOrderMode;
use datafusion::physical_plan::aggregates::AggregateExec;

use super::restated::{Order, with_inputs};
use super::rules::Operator;

/// Returns an aggregate over rows without an order in the place of one whose rows are ordered by
/// constants only; `None` for other operators.
///
/// # Errors
///
/// Returns an error if DataFusion refuses the aggregate.
pub(crate) fn without_constant_order(plan: &Operator) -> Result<Option<Operator>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    let InputOrderMode::PartiallySorted(ordered) = aggregate.input_order_mode() else {
        return Ok(None);
    };
    let input = aggregate.input();
    let keys = aggregate.group_expr().input_exprs();
    let known = input.properties().equivalence_properties();
    let is_constant = |place: &usize| {
        let key = keys.get(*place);
        key.is_some_and(|key| known.is_expr_constant(key).is_some())
    };
    if !ordered.iter().all(is_constant) {
        return Ok(None);
    }
    let unordered = with_inputs(Arc::clone(plan), [Some(Order::Unknown)])?;
    Ok(Some(unordered.data))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods)]
    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
    use datafusion::physical_plan::collect;
    use datafusion::physical_plan::execution_plan::reset_plan_states;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    async fn session() -> SessionContext {
        let config = SessionConfig::new()
            .with_target_partitions(2)
            .with_batch_size(16);
        let context = SessionContext::new_with_config(config);
        let columns: [Vec<Option<i32>>; 3] = [
            (0..500).map(|row| Some(row % 3)).collect(),
            (0..500)
                .map(|row| (row % 5 != 0).then_some(row % 40))
                .collect(),
            (0..500).map(Some).collect(),
        ];
        let [a, b, c] = columns.map(|column| -> ArrayRef { Arc::new(Int32Array::from(column)) });
        let rows = RecordBatch::try_from_iter([("a", a), ("b", b), ("c", c)]).unwrap();
        context.register_batch("t", rows).unwrap();
        context
    }

    #[tokio::test]
    async fn groups_by_constants_and_others_are_the_same_without_an_order() {
        let context = session().await;
        for (sql, expected) in [
            ("SELECT a, b, sum(c) FROM t WHERE a = 1 GROUP BY a, b", true),
            (
                "SELECT b, a, count(*), min(c) FROM t WHERE a = 2 GROUP BY b, a",
                true,
            ),
            ("SELECT a, b, max(c) FROM t WHERE a = 7 GROUP BY a, b", true),
            ("SELECT a, b, sum(c) FROM t GROUP BY a, b", false),
            ("SELECT a, sum(c) FROM t WHERE a = 1 GROUP BY a", false),
            (
                "SELECT b, c % 2, count(*) FROM (SELECT * FROM t ORDER BY b LIMIT 400) s GROUP BY b, c % 2",
                false,
            ),
        ] {
            let plan = context.sql(sql).await.unwrap();
            let plan = plan.create_physical_plan().await.unwrap();
            let mut changed = false;
            let other = Arc::clone(&plan)
                .transform_up(|node| {
                    let Some(replaced) = without_constant_order(&node)? else {
                        return Ok(Transformed::no(node));
                    };
                    let aggregate = replaced.downcast_ref::<AggregateExec>().unwrap();
                    assert_eq!(aggregate.input_order_mode(), &InputOrderMode::Linear);
                    changed = true;
                    Ok(Transformed::yes(replaced))
                })
                .data()
                .unwrap();
            assert_eq!(changed, expected, "{sql}");
            let mut results = Vec::new();
            for plan in [plan, other] {
                // The plans have operators in common, which run once.
                let plan = reset_plan_states(plan).unwrap();
                let batches = collect(plan, context.task_ctx()).await.unwrap();
                let shown = pretty_format_batches(&batches).unwrap().to_string();
                let mut lines: Vec<String> = shown.lines().map(str::to_owned).collect();
                lines.sort();
                results.push(lines);
            }
            assert_eq!(results[0], results[1], "{sql}");
        }
    }
}
