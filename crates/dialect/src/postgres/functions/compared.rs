//! Comparisons of values that do not compare as their bytes do, as comparisons of their keys.

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr,
};

/// Returns the symbol of a comparison.
pub(super) fn symbol(op: Operator) -> Option<&'static str> {
    Some(match op {
        Operator::Eq | Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => "=",
        Operator::NotEq => "<>",
        Operator::Lt => "<",
        Operator::LtEq => "<=",
        Operator::Gt => ">",
        Operator::GtEq => ">=",
        _ => return None,
    })
}

/// Returns the values that an operator, BETWEEN or a list compares, and the symbol of the comparison;
/// `None` for other expressions.
pub(super) fn operands(expr: &Expr) -> Option<(Vec<&Expr>, &'static str)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            Some((vec![left.as_ref(), right.as_ref()], symbol(*op)?))
        }
        Expr::Between(between) => {
            let (value, low, high) = (&between.expr, &between.low, &between.high);
            Some((vec![value.as_ref(), low.as_ref(), high.as_ref()], ">="))
        }
        Expr::InList(within) => {
            let values = std::iter::once(within.expr.as_ref()).chain(&within.list);
            Some((values.collect(), "="))
        }
        _ => None,
    }
}

/// Returns the comparison with other [`operands`], of the same number.
pub(super) fn with_operands(expr: &Expr, mut others: impl Iterator<Item = Expr>) -> Option<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => {
            Some(binary_expr(others.next()?, *op, others.next()?))
        }
        Expr::Between(between) => Some(Expr::Between(Between::new(
            Box::new(others.next()?),
            between.negated,
            Box::new(others.next()?),
            Box::new(others.next()?),
        ))),
        Expr::InList(within) => {
            let value = Box::new(others.next()?);
            let list = others.collect();
            Some(Expr::InList(InList::new(value, list, within.negated)))
        }
        _ => None,
    }
}

/// Returns the operand of a CASE and the values that it is compared with; `None` if it has none.
pub(super) fn operands_of_case(case: &Case) -> Option<Vec<&Expr>> {
    let operand = case.expr.as_deref()?;
    let whens = case.when_then_expr.iter().map(|(when, _)| when.as_ref());
    Some(std::iter::once(operand).chain(whens).collect())
}

/// Returns the CASE with other [`operands_of_case`], of the same number.
pub(super) fn case_with_operands(
    case: &Case,
    mut others: impl Iterator<Item = Expr>,
) -> Option<Case> {
    let operand = Box::new(others.next()?);
    let thens = case.when_then_expr.iter().map(|(_, then)| then.clone());
    let whens = others.map(Box::new).zip(thens).collect();
    Some(Case::new(Some(operand), whens, case.else_expr.clone()))
}

/// Returns a subquery that returns this for each row.
///
/// # Errors
///
/// Returns an error if `row` is of no column of the subquery.
pub(super) fn returning(subquery: &Subquery, row: Expr) -> Result<Subquery> {
    let plan = LogicalPlanBuilder::from(LogicalPlan::clone(&subquery.subquery))
        .project([row])?
        .build()?;
    Ok(Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns: subquery.outer_ref_columns.clone(),
        spans: subquery.spans.clone(),
    })
}
