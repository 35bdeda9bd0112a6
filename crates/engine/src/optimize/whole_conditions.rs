//! Keeps the parts of a join's condition that a CASE guards within it.
//!
//! DataFusion calculates each part of the condition of a nested loop join that reads one side only
//! for all rows of that side (`JoinFilterRewriter` of `datafusion-physical-optimizer`, 55.2). So
//! what a CASE was written to avoid is an error:
//!
//! ```text
//! FROM t JOIN u ON CASE WHEN x = 0 THEN true ELSE 1 / x > u.k END
//!     DataFusion: 1 / x for all rows of t, which divides by zero
//! ```
//!
//! [`guarded_logic`](crate::logic::guarded_logic) makes a CASE of an OR whose operands may fail. While
//! the rule runs, such a condition is one expression without parts. Delete this when the rule leaves
//! the branches of a CASE where they are.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::JoinSide;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::CaseExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{NestedLoopJoinExec, NestedLoopJoinExecBuilder};

use super::rules::Operator;

use crate::plans::conditions::{as_written, typed_as_written};

/// Runs a rule over a plan in which conditions with a CASE of both sides have no parts.
///
/// # Errors
///
/// Returns the errors of the rule and of rebuilding operators.
pub(super) fn within(
    plan: Operator,
    rule: impl FnOnce(Operator) -> Result<Operator>,
) -> Result<Operator> {
    let closed = plan.transform_up(|node| with_condition(node, close))?;
    let plan = rule(closed.data)?;
    match closed.transformed {
        true => plan.transform_up(|node| with_condition(node, open)).data(),
        false => Ok(plan),
    }
}

/// Replaces the condition of a nested loop join; `replace` returns `None` to keep it.
fn with_condition(
    node: Operator,
    replace: fn(&JoinFilter) -> Option<Arc<dyn PhysicalExpr>>,
) -> Result<Transformed<Operator>> {
    let changed = match node.downcast_ref::<NestedLoopJoinExec>() {
        Some(join) => replaced(join, replace)?,
        None => None,
    };
    Ok(changed.map_or_else(|| Transformed::no(node), Transformed::yes))
}

fn replaced(
    join: &NestedLoopJoinExec,
    replace: fn(&JoinFilter) -> Option<Arc<dyn PhysicalExpr>>,
) -> Result<Option<Operator>> {
    let Some(filter) = join.filter() else {
        return Ok(None);
    };
    let Some(condition) = replace(filter) else {
        return Ok(None);
    };
    let filter = JoinFilter::new(
        condition,
        filter.column_indices().to_vec(),
        Arc::clone(filter.schema()),
    );
    let join = NestedLoopJoinExecBuilder::from(join)
        .with_filter(Some(filter))
        .build()?;
    Ok(Some(Arc::new(join)))
}

/// Returns the condition without parts, if it has a CASE of which parts would be taken.
fn close(filter: &JoinFilter) -> Option<Arc<dyn PhysicalExpr>> {
    let condition = filter.expression();
    let is_taken_from = |part: &Arc<dyn PhysicalExpr>| {
        Ok(part.downcast_ref::<CaseExpr>().is_some() && reads_both_sides(part, filter))
    };
    // The closure returns no errors.
    condition.exists(is_taken_from).unwrap_or(true).then(|| {
        Arc::new(Whole {
            written: Arc::clone(condition),
        }) as Arc<dyn PhysicalExpr>
    })
}

fn reads_both_sides(part: &Arc<dyn PhysicalExpr>, filter: &JoinFilter) -> bool {
    let columns = collect_columns(part);
    let reads = |side: JoinSide| {
        columns.iter().any(|column| {
            let index = filter.column_indices().get(column.index());
            index.is_some_and(|index| index.side == side)
        })
    };
    reads(JoinSide::Left) && reads(JoinSide::Right)
}

fn open(filter: &JoinFilter) -> Option<Arc<dyn PhysicalExpr>> {
    let whole = filter.expression().downcast_ref::<Whole>();
    whole.map(|whole| Arc::clone(&whole.written))
}

/// A condition that shows no parts.
#[derive(Debug)]
struct Whole {
    written: Arc<dyn PhysicalExpr>,
}

as_written!(Whole);

impl PhysicalExpr for Whole {
    typed_as_written!();

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.written.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use crate::optimize::physical_rules;

    #[tokio::test]
    async fn what_a_case_guards_is_not_evaluated_before_the_join() {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_physical_optimizer_rules(physical_rules())
            .build();
        let context = SessionContext::new_with_state(state);
        for join in ["JOIN", "LEFT JOIN", "FULL JOIN"] {
            let sql = format!(
                "SELECT count(*) FROM (VALUES (0), (1), (3)) t(x) {join} (VALUES (0), (1)) u(k)
                 ON CASE WHEN x = 0 THEN 1 ELSE 3 / x - k END > 1"
            );
            let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
            let shown = arrow::util::pretty::pretty_format_batches(&batches).unwrap();
            let count = if join == "JOIN" { "| 2 " } else { "| 4 " };
            assert!(shown.to_string().contains(count), "{join}\n{shown}");
        }
    }
}
