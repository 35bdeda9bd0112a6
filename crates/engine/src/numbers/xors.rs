//! `x # x` is NULL where `x` is, and `x # y # y` where `y` is.
//!
//! DataFusion makes them 0 and `x` (rules for `BitwiseXor` in `expr_simplifier.rs` of
//! `datafusion-optimizer`, 55.2). So an analyzer rule hides the operands from it. Delete this when
//! the engine asks whether they may be NULL.

use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;
use lakegate_lake::casts::opaque;

use crate::plans::expressions;

/// The analyzer rule. It comes after type coercion.
#[derive(Debug)]
pub(crate) struct NullableXors;

impl AnalyzerRule for NullableXors {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(plan, is_xor, |expr, _| hidden(expr))
    }

    fn name(&self) -> &str {
        "nullable_xors"
    }
}

fn is_xor(expr: &Expr) -> bool {
    let is_literal = |operand: &Expr| matches!(operand, Expr::Literal(..));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            *op == Operator::BitwiseXor && !is_literal(left) && !is_literal(right)
        }
        _ => false,
    }
}

fn hidden(expr: Expr) -> Transformed<Expr> {
    if !is_xor(&expr) {
        return Transformed::no(expr);
    }
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            // Equal operands differ then.
            let (left, right) = (opaque(*left), opaque(opaque(*right)));
            let hidden = BinaryExpr::new(Box::new(left), op, Box::new(right));
            Transformed::yes(Expr::BinaryExpr(hidden))
        }
        expr => Transformed::no(expr),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Returns the values of the only column.
    async fn values(sql: &str) -> Vec<Option<i64>> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rule(Arc::new(NullableXors))
            .build();
        let context = SessionContext::new_with_state(state);
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let batches = batches.iter();
        batches
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>())
            .collect()
    }

    // PostgreSQL 15.
    #[tokio::test]
    async fn operands_that_are_null_count() {
        const ROWS: &str = "(VALUES (1, 5), (2, NULL), (NULL, 6), (NULL, NULL)) t(x, y)";
        for (expression, expected) in [
            ("x ^ x", [Some(0), Some(0), None, None]),
            ("x ^ y ^ y", [Some(1), None, None, None]),
            ("y ^ (x ^ y)", [Some(1), None, None, None]),
            ("z ^ z", [Some(0), None, None, None]),
            ("z ^ y", [Some(1), None, None, None]),
            ("5 ^ 3", [Some(6); 4]),
            ("x ^ 0", [Some(1), Some(2), None, None]),
        ] {
            let sql = format!(
                "SELECT {expression} FROM (SELECT x, y, x ^ y AS z FROM {ROWS}) s ORDER BY x NULLS LAST, y NULLS LAST"
            );
            assert_eq!(values(&sql).await, expected, "{expression}");
        }
    }
}
