//! Constants in a plan take memory once for each row of a batch: where they are large, batches have fewer rows.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::ExecutionPlan;

/// Bytes that the constants of a plan may take in one batch.
const BATCH_BYTES: usize = 64 * 1024 * 1024;

/// Constants that are no larger than this are not counted.
const SMALL: usize = 4 * 1024;

/// Rows of a batch for constants of so many bytes, `most` at most.
fn rows(bytes: usize, most: usize) -> usize {
    match bytes {
        0 => most,
        bytes => (BATCH_BYTES / bytes).clamp(1, most.max(1)),
    }
}

/// Rows of a batch in which the constants of a plan take no more memory than they may, `most` at most.
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

/// The same of a plan that is about to run.
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
