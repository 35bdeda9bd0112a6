//! The casts that a statement has to decimals of so many digits. Values of one type get the same casts
//! from the engine, which do not change the digits that PostgreSQL shows:
//!
//! ```text
//! coalesce(x::numeric(4,2), 1.125)     CAST(CAST(x AS DECIMAL(4,2)) AS DECIMAL(5,3)), of which the inner
//!                                      one is the statement's
//! ```
//!
//! So those of the statement have a mark before types are coerced: the name of their field.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{Cast, Expr, LogicalPlan};

use crate::numbers::quotients::PLACES;
use crate::plans::expressions;

/// The name of the field of a cast that the statement has.
const STATED: &str = "$stated";

/// Returns a plan that is not analysed yet with a mark on the statement's casts to decimals. Those of
/// literals have none: they are read as the numbers that are written. Nor have those in VALUES, where the
/// planner has its own.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub fn with_stated_casts(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !expressions::has(&plan, is_unmarked)? {
        return Ok(plan);
    }
    let marked = |expr: Expr| {
        Ok(match expr {
            expr if !is_unmarked(&expr) => Transformed::no(expr),
            Expr::Cast(Cast { expr, field }) => {
                let field = Field::clone(&field).with_name(STATED);
                Transformed::yes(Expr::Cast(Cast::new_from_field(expr, Arc::new(field))))
            }
            expr => Transformed::no(expr),
        })
    };
    let plan = plan.transform_up_with_subqueries(|node| match node {
        node @ LogicalPlan::Values(_) => Ok(Transformed::no(node)),
        node => node.map_expressions(|expr| expr.transform_up(marked)),
    });
    plan.data()
}

/// Returns whether a cast is one of the statement.
pub(super) fn is_stated(target: &Field) -> bool {
    target.name() == STATED
}

/// Returns whether an expression that the planner made is a cast of the statement to decimals with
/// fractional digits. Decimals as long as quotients are those of the engine.
fn is_unmarked(expr: &Expr) -> bool {
    let Expr::Cast(Cast { expr, field }) = expr else {
        return false;
    };
    let is_of_statement = match field.data_type() {
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, places) => (1..PLACES).contains(places),
        DataType::Decimal128(_, places) => *places > 0,
        _ => false,
    };
    is_of_statement && field.name().is_empty() && !matches!(expr.as_ref(), Expr::Literal(..))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::logical_expr::{LogicalPlanBuilder, cast, lit};
    use datafusion::prelude::col;

    use super::*;

    #[test]
    fn casts_of_the_statement_have_a_mark() {
        let number = |value: &'static str| cast(lit(value), DataType::Decimal128(4, 2));
        let plan = LogicalPlanBuilder::values(vec![vec![number("1.50")]])
            .unwrap()
            .project(vec![
                cast(col("column1"), DataType::Decimal128(6, 3)).alias("a"),
                number("2.5").alias("b"),
                cast(col("column1"), DataType::Decimal128(38, 0)).alias("c"),
                cast(col("column1"), DataType::Decimal128(38, 16)).alias("d"),
            ])
            .unwrap()
            .build()
            .unwrap();
        let marked = with_stated_casts(plan).unwrap();
        let are_stated: Vec<bool> = marked
            .expressions()
            .iter()
            .map(|expr| match expressions::without_alias(expr) {
                Expr::Cast(cast) => is_stated(&cast.field),
                _ => false,
            })
            .collect();
        assert_eq!(are_stated, [true, false, false, false]);
    }
}
