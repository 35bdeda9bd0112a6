//! Keeps casts in conditions from being treated as reversible; see [`casts`](lakegate_lake::casts).
//!
//! Differences of dates are hidden too. They are numbers of days, but their bounds, which DataFusion
//! estimates the rows of a filter with, are durations that it cannot compare with numbers
//! (`interval_arithmetic.rs` of `datafusion-expr-common`, 55.2).

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator};
use lakegate_lake::casts::{is_reversible, opaque};

use crate::plans::expressions;

/// Makes the arguments of such casts, and differences of dates, opaque, in filters and in join
/// conditions other than the keys. Call it after all other optimization, so that scans get their
/// conditions unchanged.
///
/// # Errors
///
/// Returns an error if the rewritten plan is invalid.
pub(crate) fn with_opaque_casts(plan: LogicalPlan) -> Result<LogicalPlan> {
    let concerns = |expr: &Expr| match expr {
        Expr::BinaryExpr(binary) => binary.op == Operator::Minus,
        Expr::Cast(Cast { expr, .. }) => is_clear(expr),
        _ => false,
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
            let Some(filter) = join.filter.take() else {
                return Ok(Transformed::no(LogicalPlan::Join(join)));
            };
            let sides = merge_schema(&[&join.left, &join.right]);
            let filter = condition(filter, &sides)?;
            join.filter = Some(filter.data);
            let node = LogicalPlan::Join(join);
            Ok(Transformed::new(node, filter.transformed, filter.tnr))
        }
        node => Ok(Transformed::no(node)),
    })
    .data()
}

fn condition(condition: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    condition.transform_up(|expr| {
        if is_difference_of_dates(&expr, schema)? {
            return Ok(Transformed::yes(opaque(expr)));
        }
        let Expr::Cast(Cast { expr: inner, field }) = expr else {
            return Ok(Transformed::no(expr));
        };
        let hides = is_clear(&inner) && !is_reversible(&inner.get_type(schema)?, field.data_type());
        let expr = if hides {
            Box::new(opaque(*inner))
        } else {
            inner
        };
        let cast = Expr::Cast(Cast { expr, field });
        Ok(Transformed::new_transformed(cast, hides))
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
