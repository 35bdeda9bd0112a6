//! Keeps casts in conditions from being treated as reversible; see [`casts`](lakegate_lake::casts).
//!
//! Differences of dates are hidden too. They are numbers of days, but their bounds, which DataFusion
//! estimates the rows of a filter with, are durations that it cannot compare with numbers
//! (`interval_arithmetic.rs` of `datafusion-expr-common`, 55.2).
//!
//! Casts that change the order of values are hidden in lists, groups, sorts and the keys of joins too.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator};
use lakegate_lake::casts::{self, is_reversible, lasting, opaque, reorders};

use crate::plans::expressions;

/// Makes the arguments of such casts, and differences of dates, opaque, in filters and in join
/// conditions other than the keys, and those of casts that change the order in all operators but
/// scans. Call it after all other optimization, so that scans get their conditions unchanged.
///
/// # Errors
///
/// Returns an error if the rewritten plan is invalid.
pub(crate) fn with_opaque_casts(plan: LogicalPlan) -> Result<LogicalPlan> {
    let concerns = |expr: &Expr| match expr {
        Expr::BinaryExpr(binary) => binary.op == Operator::Minus,
        expr => is_cast(expr),
    };
    if !expressions::has(&plan, concerns)? {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Filter(mut filter) => {
            let schema = DFSchemaRef::clone(filter.input.schema());
            let predicate = condition(filter.predicate, &schema)?;
            filter.predicate = predicate.data;
            let node = LogicalPlan::Filter(filter);
            Ok(Transformed::new(node, predicate.transformed, predicate.tnr))
        }
        LogicalPlan::Join(mut join) => {
            let mut changed = false;
            for (left, right) in &mut join.on {
                for (key, side) in [(left, &join.left), (right, &join.right)] {
                    let hidden = |expr| Ok(with_lasting_cast(expr, side.schema(), false));
                    let made = std::mem::take(key).transform_up(hidden)?;
                    changed |= made.transformed;
                    *key = made.data;
                }
            }
            if let Some(filter) = join.filter.take() {
                let sides = merge_schema(&[&join.left, &join.right]);
                let filter = condition(filter, &sides)?;
                changed |= filter.transformed;
                join.filter = Some(filter.data);
            }
            Ok(Transformed::new_transformed(
                LogicalPlan::Join(join),
                changed,
            ))
        }
        node @ (LogicalPlan::Projection(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_)) => {
            // Only the bounds of lists are read, and casts of texts are known to change the order.
            let of_texts = matches!(node, LogicalPlan::Projection(_));
            expressions::of_node(node, is_cast, |expr, schema| {
                with_lasting_cast(expr, schema, of_texts)
            })
        }
        node => Ok(Transformed::no(node)),
    })
    .data()
}

/// Returns the expression, whose argument is hidden from scans too if it is a cast that changes the
/// order. `of_texts`: also if it is one from or to texts.
fn with_lasting_cast(expr: Expr, schema: &DFSchema, of_texts: bool) -> Transformed<Expr> {
    let Expr::Cast(Cast { expr: inner, field }) = &expr else {
        return Transformed::no(expr);
    };
    let to = field.data_type();
    let hides = |from: DataType| {
        let is_of_texts = from.is_string() || to.is_string();
        reorders(&from, to) && (of_texts || !is_of_texts)
    };
    if casts::is_settled(inner) || !inner.get_type(schema).is_ok_and(hides) {
        return Transformed::no(expr);
    }
    Transformed::yes(casts::with_argument(expr, lasting))
}

fn is_cast(expr: &Expr) -> bool {
    casts::parts(expr).is_some()
}

fn condition(condition: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    condition.transform_up(|expr| {
        if is_difference_of_dates(&expr, schema)? {
            return Ok(Transformed::yes(opaque(expr)));
        }
        let Some((inner, to)) = casts::parts(&expr) else {
            return Ok(Transformed::no(expr));
        };
        let from = inner.get_type(schema)?;
        // Scans do not conclude anything through casts from and to texts.
        let lasts = reorders(&from, to) && from.is_string() == to.is_string();
        let tries = matches!(expr, Expr::TryCast(_));
        if !is_clear(inner) || is_reversible(&from, to) || (tries && !lasts) {
            return Ok(Transformed::no(expr));
        }
        let hidden = if lasts { lasting } else { opaque };
        Ok(Transformed::yes(casts::with_argument(expr, hidden)))
    })
}

fn is_difference_of_dates(expr: &Expr, schema: &DFSchema) -> Result<bool> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else {
        return Ok(false);
    };
    Ok(*op == Operator::Minus
        && left.get_type(schema)? == DataType::Date32
        && right.get_type(schema)? == DataType::Date32)
}

/// Returns whether an argument is not opaque. Function calls are opaque already.
fn is_clear(argument: &Expr) -> bool {
    !matches!(argument, Expr::ScalarFunction(_) | Expr::Literal(..))
}
