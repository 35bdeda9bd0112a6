//! Limits the rows of a batch if constants are large, or the results of scalar subqueries: each may be
//! held once per row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{ColumnarValue, Expr, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;

/// Bytes that a plan's constants may take in one batch.
const BATCH_BYTES: usize = 64 * 1024 * 1024;

/// Bytes up to which a constant is not counted.
const SMALL: usize = 4 * 1024;

/// Returns the rows of a batch for constants of `bytes` bytes, at most `most`.
fn rows(bytes: usize, most: usize) -> usize {
    match bytes {
        0 => most,
        bytes => (BATCH_BYTES / bytes).clamp(1, most.max(1)),
    }
}

/// Returns the number of rows of a batch for which a plan's constants stay within [`BATCH_BYTES`],
/// at most `most`.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(super) fn rows_of_plan(plan: &LogicalPlan, most: usize) -> Result<usize> {
    let mut bytes = 0usize;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Literal(value, _) = expr {
                    bytes = bytes.saturating_add(counted(value.size()));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(rows(bytes, most))
}

/// Returns the same number as [`rows_of_plan`], for a physical plan.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(super) fn rows_of_execution(plan: &Arc<dyn ExecutionPlan>, most: usize) -> Result<usize> {
    let mut bytes = 0usize;
    plan.apply(|node| {
        node.apply_expressions(&mut |expr| {
            expr.apply(|expr: &Arc<dyn PhysicalExpr>| {
                if let Some(literal) = expr.downcast_ref::<Literal>() {
                    bytes = bytes.saturating_add(counted(literal.value().size()));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(rows(bytes, most))
}

/// Returns the number of rows for which the results of the scalar subqueries in an operator's
/// expressions stay within [`BATCH_BYTES`]; `usize::MAX` without large ones. They are known once the
/// operator is executed.
///
/// # Errors
///
/// Returns an error if the expressions cannot be walked.
pub(crate) fn rows_beside_subqueries(plan: &dyn ExecutionPlan) -> Result<usize> {
    let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
    let mut bytes = 0usize;
    plan.apply_expressions(&mut |root| {
        root.apply(|expr: &Arc<dyn PhysicalExpr>| {
            if let Some(subquery) = expr.downcast_ref::<ScalarSubqueryExpr>()
                && let Ok(ColumnarValue::Scalar(value)) = subquery.evaluate(&no_rows)
            {
                bytes = bytes.saturating_add(counted(value.size()));
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(rows(bytes, usize::MAX))
}

/// Returns the context of what reads the results of subqueries, which have ended: batches have few
/// rows if the results are large.
pub(crate) fn beside_results(
    subqueries: &ScalarSubqueryExec,
    context: Arc<TaskContext>,
) -> Arc<TaskContext> {
    let links = subqueries.subqueries().iter();
    let results = links.filter_map(|link| subqueries.results().get(link.index));
    let bytes = results.fold(0usize, |bytes, value| {
        bytes.saturating_add(counted(value.size()))
    });
    let most = context.session_config().batch_size();
    let fitting = rows(bytes, most);
    if fitting >= most {
        return context;
    }
    // The functions can stay empty: a plan holds those that it calls.
    Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        context.session_config().clone().with_batch_size(fitting),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        context.runtime_env(),
    ))
}

/// Returns whether an expression is a scalar subquery whose result may be large.
pub(crate) fn may_be_large(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<ScalarSubqueryExpr>()
        .is_some_and(|subquery| {
            let field = subquery.return_field(&Schema::empty());
            field.is_ok_and(|field| !field.data_type().is_primitive())
        })
}

fn counted(bytes: usize) -> usize {
    if bytes > SMALL { bytes } else { 0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;

    #[tokio::test]
    async fn large_constants_make_small_batches() {
        let context = SessionContext::new();
        for (sql, expected) in [
            ("SELECT 'x', v FROM generate_series(1, 10) t(v)", 8192),
            (
                "SELECT repeat('x', 4194304), v FROM generate_series(1, 10) t(v)",
                15,
            ),
            (
                "SELECT v FROM generate_series(1, 10) t(v) WHERE repeat('x', 4194304) > CAST(v AS varchar)",
                15,
            ),
            (
                "SELECT repeat('x', 100000000), v FROM generate_series(1, 10) t(v)",
                1,
            ),
        ] {
            let plan = context
                .sql(sql)
                .await
                .unwrap()
                .into_optimized_plan()
                .unwrap();
            assert_eq!(rows_of_plan(&plan, 8192).unwrap(), expected, "{sql}");
            let run = context.state().create_physical_plan(&plan).await.unwrap();
            assert_eq!(rows_of_execution(&run, 8192).unwrap(), expected, "{sql}");
        }
    }
}
