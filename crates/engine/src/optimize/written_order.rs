//! Keeps conditions that may fail behind those that are written before them.
//!
//! ```text
//! WHERE t LIKE '1%' AND CAST(t AS INT) > 3
//!     DataFusion: CAST(t AS INT) > 3 AND t LIKE '1%', which fails for 'a'
//! ```
//!
//! DataFusion evaluates first what it takes for cheap: all but functions and patterns
//! (`reorder_predicates`, which `push_down_filter` calls, of `datafusion-optimizer`, 55.2). So casts
//! and divisors that may fail, behind a function or a pattern, get an [`opaque`] argument, which is
//! a function. Delete this when DataFusion keeps such conditions in their place.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, ExprSchemable, Filter, LogicalPlan, Operator,
};
use lakegate_lake::casts::opaque;

use crate::plans::expressions::narrows;

/// Makes what may fail in the conditions of a filter a function call, if a function or a pattern is
/// written before it.
///
/// # Errors
///
/// Returns an error if the rewritten filter is invalid.
pub(super) fn with_failures_in_place(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Filter(filter) = plan else {
        return Ok(plan);
    };
    let schema = filter.input.schema();
    let parts = split_conjunction(&filter.predicate);
    let moves = |part: &&Expr| !is_costly(part) && may_fail(part, schema);
    let Some(costly) = parts.iter().position(|part| is_costly(part)) else {
        return Ok(LogicalPlan::Filter(filter));
    };
    if !parts.iter().skip(costly).any(moves) {
        return Ok(LogicalPlan::Filter(filter));
    }
    let parts = split_conjunction_owned(filter.predicate.clone());
    let parts =
        parts
            .into_iter()
            .enumerate()
            .map(|(place, part)| match place > costly && moves(&&part) {
                true => in_place(part, schema),
                false => Ok(part),
            });
    let parts: Vec<Expr> = parts.collect::<Result<_>>()?;
    let predicate = conjunction(parts).unwrap_or_default();
    Filter::try_new(predicate, filter.input).map(LogicalPlan::Filter)
}

/// Returns whether DataFusion evaluates a condition after others.
fn is_costly(condition: &Expr) -> bool {
    use Operator as O;
    let costs = |part: &Expr| match part {
        Expr::Like(_) | Expr::ScalarFunction(_) | Expr::SimilarTo(_) => true,
        Expr::BinaryExpr(binary) => matches!(
            binary.op,
            O::LikeMatch
                | O::ILikeMatch
                | O::NotLikeMatch
                | O::NotILikeMatch
                | O::RegexMatch
                | O::RegexIMatch
                | O::RegexNotMatch
                | O::RegexNotIMatch
        ),
        _ => false,
    };
    condition.exists(|part| Ok(costs(part))).unwrap_or(true)
}

fn may_fail(condition: &Expr, schema: &DFSchema) -> bool {
    let found = condition.exists(|part| Ok(fails(part, schema)));
    found.unwrap_or(true)
}

/// Returns whether an operator or a cast may fail for some values of its operands.
fn fails(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) => {
            let divides = matches!(op, Operator::Divide | Operator::Modulo);
            divides && !matches!(right.as_ref(), Expr::Literal(..))
        }
        Expr::Cast(Cast { expr, field }) => {
            let from = expr.get_type(schema);
            from.is_ok_and(|from| narrows(&from, field.data_type()))
        }
        _ => false,
    }
}

/// Returns a condition with a function call for each part of it that may fail.
fn in_place(condition: Expr, schema: &DFSchema) -> Result<Expr> {
    condition
        .transform_up(|expr| {
            if !fails(&expr, schema) {
                return Ok(Transformed::no(expr));
            }
            Ok(Transformed::yes(match expr {
                Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                    let right = Box::new(opaque(*right));
                    Expr::BinaryExpr(BinaryExpr { left, op, right })
                }
                Expr::Cast(Cast { expr, field }) => {
                    let expr = Box::new(opaque(*expr));
                    Expr::Cast(Cast { expr, field })
                }
                expr => expr,
            }))
        })
        .data()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::logical_expr::{cast, col, lit, table_scan};

    use super::*;

    fn conditions(predicate: Expr) -> Vec<String> {
        let schema = Schema::new(vec![
            Field::new("t", DataType::Utf8, true),
            Field::new("x", DataType::Float64, true),
            Field::new("n", DataType::Int64, true),
        ]);
        let plan = table_scan(Some("r"), &schema, None).unwrap();
        let plan = plan.filter(predicate).unwrap().build().unwrap();
        let LogicalPlan::Filter(filter) = with_failures_in_place(plan).unwrap() else {
            panic!("the filter is gone");
        };
        let parts = split_conjunction(&filter.predicate).into_iter();
        parts.map(|part| part.to_string()).collect()
    }

    #[test]
    fn what_may_fail_is_a_function_behind_a_pattern() {
        let pattern = || col("t").like(lit("1%"));
        let number = || cast(col("t"), DataType::Int32).gt(lit(3));
        let all = conditions(pattern().and(number()).and(col("n").gt(lit(1))));
        assert!(all[1].contains("opaque("), "{all:?}");
        assert!(!all[2].contains("opaque("), "{all:?}");
        let all = conditions(pattern().and((lit(1.0) / col("x")).gt(lit(3.0))));
        assert!(all[1].contains("opaque("), "{all:?}");
        for predicate in [
            number().and(pattern()),
            number().and(col("n").gt(lit(1))),
            pattern().and(cast(col("n"), DataType::Float64).gt(lit(1.0))),
            pattern().and((col("n") / lit(2)).gt(lit(1))),
        ] {
            let written: Vec<String> = split_conjunction(&predicate)
                .into_iter()
                .map(ToString::to_string)
                .collect();
            let kept = conditions(predicate);
            assert_eq!(kept.len(), written.len());
            assert!(
                kept.iter().all(|part| !part.contains("opaque(")),
                "{kept:?}"
            );
        }
    }
}
