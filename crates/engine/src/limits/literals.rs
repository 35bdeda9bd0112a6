//! Limits the rows of a batch if constants are large, or the results of scalar subqueries: each may be
//! held once per row, but where it is only compared with a column.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{ColumnarValue, Expr, LogicalPlan};
use datafusion::physical_expr::expressions::{BinaryExpr, Literal};
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;

use crate::limits::large_values::{constant_of, large_constant};
use crate::plans::expressions::is_comparison;

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
pub(crate) fn rows_of_plan(plan: &LogicalPlan, most: usize) -> Result<usize> {
    let mut constants = Constants::default();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                constants.add(bytes_of_literal(expr));
                if let Expr::BinaryExpr(binary) = expr
                    && is_comparison(binary.op)
                {
                    constants.spare(bytes_of_literal(&binary.left));
                    constants.spare(bytes_of_literal(&binary.right));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(rows(constants.per_row(), most))
}

fn bytes_of_literal(expr: &Expr) -> usize {
    match expr {
        Expr::Literal(value, _) => bytes_of(value),
        expr => large_constant(expr).map_or(0, bytes_of),
    }
}

/// Returns the same number as [`rows_of_plan`], for a physical plan.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(crate) fn rows_of_execution(plan: &Arc<dyn ExecutionPlan>, most: usize) -> Result<usize> {
    let mut constants = Constants::default();
    plan.apply(|node| node.apply_expressions(&mut |root| constants.take(root, bytes_of_constant)))?;
    Ok(rows(constants.per_row(), most))
}

fn bytes_of_constant(expr: &Arc<dyn PhysicalExpr>) -> usize {
    if let Some(literal) = expr.downcast_ref::<Literal>() {
        return bytes_of(literal.value());
    }
    let call = expr.downcast_ref::<ScalarFunctionExpr>();
    let value = call.and_then(|call| constant_of(call.fun()));
    value.map_or(0, bytes_of)
}

/// Returns the number of rows for which the results of the scalar subqueries in an operator's
/// expressions stay within [`BATCH_BYTES`]; `usize::MAX` without large ones. They are known once the
/// operator is executed.
///
/// # Errors
///
/// Returns an error if the expressions cannot be walked.
pub(crate) fn rows_beside_subqueries(plan: &dyn ExecutionPlan) -> Result<usize> {
    let mut constants = Constants::default();
    plan.apply_expressions(&mut |root| constants.take(root, bytes_of_result))?;
    Ok(rows(constants.per_row(), usize::MAX))
}

fn bytes_of_result(expr: &Arc<dyn PhysicalExpr>) -> usize {
    let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
    match expr
        .is::<ScalarSubqueryExpr>()
        .then(|| expr.evaluate(&no_rows))
    {
        Some(Ok(ColumnarValue::Scalar(value))) => bytes_of(&value),
        _ => 0,
    }
}

/// Returns the context of what reads the results of subqueries, which have ended: batches have few
/// rows if the results are large.
///
/// `reader`: the plan that reads them.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub(crate) fn beside_results(
    subqueries: &ScalarSubqueryExec,
    reader: &Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> Result<Arc<TaskContext>> {
    let most = context.session_config().batch_size();
    let links = subqueries.subqueries().iter();
    let results = links.filter_map(|link| subqueries.results().get(link.index));
    let all = results.fold(0usize, |all, value| all.saturating_add(bytes_of(&value)));
    if rows(all, most) >= most {
        return Ok(context);
    }
    let mut constants = Constants::default();
    reader
        .apply(|node| node.apply_expressions(&mut |root| constants.take(root, bytes_of_result)))?;
    // An operator may not show an expression.
    constants.all = constants.all.max(all);
    let fitting = rows(constants.per_row(), most);
    if fitting >= most {
        return Ok(context);
    }
    // The functions can stay empty: a plan holds those that it calls.
    Ok(Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        context.session_config().clone().with_batch_size(fitting),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        context.runtime_env(),
    )))
}

/// The large constants of a plan, in bytes.
#[derive(Debug, Default)]
struct Constants {
    all: usize,
    /// Those that are compared with something: the kernels of comparisons read them where they are.
    compared: usize,
}

impl Constants {
    fn add(&mut self, bytes: usize) {
        self.all = self.all.saturating_add(bytes);
    }

    fn spare(&mut self, bytes: usize) {
        self.compared = self.compared.saturating_add(bytes);
    }

    /// Bytes of those that may be held once per row.
    fn per_row(&self) -> usize {
        self.all.saturating_sub(self.compared)
    }

    /// Takes the constants of an expression. `bytes`: returns the bytes of a large constant, 0 for
    /// other expressions.
    fn take(
        &mut self,
        root: &Arc<dyn PhysicalExpr>,
        bytes: fn(&Arc<dyn PhysicalExpr>) -> usize,
    ) -> Result<TreeNodeRecursion> {
        root.apply(|expr: &Arc<dyn PhysicalExpr>| {
            self.add(bytes(expr));
            if let Some(binary) = expr.downcast_ref::<BinaryExpr>()
                && is_comparison(*binary.op())
            {
                self.spare(bytes(binary.left()));
                self.spare(bytes(binary.right()));
            }
            Ok(TreeNodeRecursion::Continue)
        })
    }
}

/// Returns whether an expression is a scalar subquery whose result may be large.
pub(crate) fn may_be_large(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<ScalarSubqueryExpr>()
        .is_some_and(|subquery| {
            let field = subquery.return_field(&Schema::empty());
            field.is_ok_and(|field| !field.data_type().is_primitive())
        })
}

/// Returns the bytes of a constant if it is large, else 0.
fn bytes_of(value: &ScalarValue) -> usize {
    Some(value.size())
        .filter(|bytes| *bytes > SMALL)
        .unwrap_or(0)
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
                8192,
            ),
            (
                "SELECT repeat('x', 4194304) = CAST(v AS varchar) FROM generate_series(1, 10) t(v)",
                8192,
            ),
            (
                "SELECT repeat('x', 4194304), v FROM generate_series(1, 10) t(v) WHERE repeat('x', 4194304) > CAST(v AS varchar)",
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
