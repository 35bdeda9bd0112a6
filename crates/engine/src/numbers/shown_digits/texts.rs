//! Texts of numbers within expressions, such as `(a / b)::text || '%'`: a cast of a number to a text has
//! the digits of the number.
//!
//! Texts in conditions, and of functions that make JSON and arrays, are those of the decimals.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Aggregate, Cast, Expr, ExprSchemable, LogicalPlan, Projection};

use super::function;
use super::place::{Finder, may_differ};
use crate::plans::expressions;

/// Returns an analysed plan whose projections and aggregate functions read the texts that numbers have in
/// PostgreSQL, as far as these are known.
///
/// # Errors
///
/// Returns an error if a projection cannot be planned.
pub(super) fn with_shown_texts(plan: LogicalPlan, finder: &mut Finder<'_>) -> Result<LogicalPlan> {
    if !expressions::has(&plan, |expr| text_of(expr).is_some())? {
        return Ok(plan);
    }
    let shown = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Projection(projection) => in_projection(projection, finder),
        LogicalPlan::Aggregate(aggregate) => in_aggregate(aggregate, finder),
        node => Ok(Transformed::no(node)),
    });
    shown.data()
}

/// Returns what is cast to a text, and the field of the text.
fn text_of(expr: &Expr) -> Option<(&Expr, &FieldRef)> {
    match expr {
        Expr::Cast(Cast { expr, field }) if field.data_type().is_string() => {
            Some((expr.as_ref(), field))
        }
        _ => None,
    }
}

fn in_projection(
    projection: Projection,
    finder: &mut Finder<'_>,
) -> Result<Transformed<LogicalPlan>> {
    let mut input = Arc::clone(&projection.input);
    let names = projection.schema.iter();
    let names = names.map(|(qualifier, field)| (qualifier, field.name().as_str()));
    Ok(
        match all_shown(&projection.expr, names, &mut input, finder)? {
            Some(exprs) => {
                Transformed::yes(LogicalPlan::Projection(Projection::try_new(exprs, input)?))
            }
            None => Transformed::no(LogicalPlan::Projection(projection)),
        },
    )
}

fn in_aggregate(aggregate: Aggregate, finder: &mut Finder<'_>) -> Result<Transformed<LogicalPlan>> {
    let width = aggregate.schema.fields().len();
    let Some(keys) = width.checked_sub(aggregate.aggr_expr.len()) else {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    };
    let mut input = Arc::clone(&aggregate.input);
    let names = aggregate.schema.fields().iter().skip(keys);
    let names = names.map(|field| (None, field.name().as_str()));
    let exprs = all_shown(&aggregate.aggr_expr, names, &mut input, finder)?;
    let Some(exprs) = exprs else {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    };
    let aggregate = Aggregate::try_new(input, aggregate.group_expr.clone(), exprs)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

/// Returns expressions as [`shown`] does, under the names that they have; `None` if none of them changes.
fn all_shown<'a>(
    exprs: &[Expr],
    names: impl Iterator<Item = (Option<&'a TableReference>, &'a str)>,
    input: &mut Arc<LogicalPlan>,
    finder: &mut Finder<'_>,
) -> Result<Option<Vec<Expr>>> {
    let mut all = Vec::with_capacity(exprs.len());
    let mut is_changed = false;
    for (expr, (qualifier, name)) in exprs.iter().zip(names) {
        let shown = shown(expr, input, finder)?;
        is_changed |= shown.is_some();
        all.push(match shown {
            Some(shown @ Expr::Alias(_)) => shown,
            Some(shown) => shown.alias_qualified(qualifier.cloned(), name),
            None => expr.clone(),
        });
    }
    Ok(is_changed.then_some(all))
}

/// Returns an expression in which texts of numbers are those of PostgreSQL; `None` if
/// it has none whose digits are known to differ. `input`: the plan of its columns, which may get more.
fn shown(
    expr: &Expr,
    input: &mut Arc<LogicalPlan>,
    finder: &mut Finder<'_>,
) -> Result<Option<Expr>> {
    if !expr.exists(|part| Ok(text_of(part).is_some()))? {
        return Ok(None);
    }
    let shown = expr.clone().transform_down(|part| {
        let Some(text) = of_number(&part, input, finder) else {
            return Ok(Transformed::no(part));
        };
        Ok(Transformed::new(text, true, TreeNodeRecursion::Jump))
    })?;
    Ok(shown.transformed.then_some(shown.data))
}

/// Returns the text of a number with its own digits; `None` of other expressions, and if they are those of
/// its type.
fn of_number(expr: &Expr, input: &mut Arc<LogicalPlan>, finder: &mut Finder<'_>) -> Option<Expr> {
    let (number, field) = text_of(expr)?;
    if !may_differ(&number.get_type(input.schema()).ok()?) {
        return None;
    }
    let (tree, leaves) = finder.differing(number, input)?;
    let text = Box::new(function::text(tree, leaves));
    Some(Expr::Cast(Cast::new_from_field(text, Arc::clone(field))))
}
