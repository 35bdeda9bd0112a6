//! Joins whose condition checks whether the query is still wanted.
//!
//! Within one poll, a join pairs a batch with all rows of the other side, and returns only when
//! enough pairs have matched.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{JoinType, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::lit;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    HashJoinExec, HashJoinExecBuilder, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
};

use crate::plans::conditions::{as_written, typed_as_written};

/// Returns the same join with a condition that can be stopped; `None` for other operators and joins
/// that do not need one.
///
/// # Errors
///
/// Returns an error if the join cannot be rebuilt.
pub(super) fn interruptible(plan: &dyn ExecutionPlan) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        let condition = match join.filter() {
            Some(condition) => asking(condition),
            None => always(),
        };
        let join = NestedLoopJoinExecBuilder::from(join)
            .with_filter(Some(condition))
            .build()?;
        return Ok(Some(Arc::new(join)));
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let condition = match join.filter() {
            Some(condition) => asking(condition),
            // It returns each matching pair, and so a batch after a bounded number of them.
            None if gives_pairs(*join.join_type()) => return Ok(None),
            None => always(),
        };
        let join = HashJoinExecBuilder::from(join)
            .with_filter(Some(condition))
            .build()?;
        return Ok(Some(Arc::new(join)));
    }
    Ok(None)
}

/// Returns whether a join without a condition returns all matching pairs.
pub(super) fn gives_pairs(join: JoinType) -> bool {
    matches!(
        join,
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
    )
}

fn asking(condition: &JoinFilter) -> JoinFilter {
    JoinFilter::new(
        Asking::before(Arc::clone(condition.expression())),
        condition.column_indices().to_vec(),
        Arc::clone(condition.schema()),
    )
}

/// Returns a condition over no columns that is always true.
fn always() -> JoinFilter {
    let always = lit(ScalarValue::Boolean(Some(true)));
    JoinFilter::new(
        Asking::before(always),
        Vec::new(),
        Arc::new(Schema::empty()),
    )
}

/// An expression that fails if the work that evaluates it must stop.
#[derive(Debug, Clone)]
struct Asking {
    written: Arc<dyn PhysicalExpr>,
}

impl Asking {
    fn before(written: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        Arc::new(Self { written })
    }
}

as_written!(Asking);

impl PhysicalExpr for Asking {
    typed_as_written!();

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        super::check()?;
        self.written.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.written]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(children
            .into_iter()
            .next()
            .map_or(self as Arc<dyn PhysicalExpr>, Self::before))
    }
}
