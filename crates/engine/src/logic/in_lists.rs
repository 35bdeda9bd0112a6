//! Keeps DataFusion from merging IN lists over the same expression.
//!
//! DataFusion's simplifier treats the lists as sets of distinct, non-NULL values: expressions that
//! differ are treated as different values (`datafusion-optimizer`, `expr_simplifier.rs`,
//! `inlist_intersection` and `inlist_except`, 55.2):
//!
//! ```text
//! x IN (1, 2) AND x NOT IN (3, NULL)     DataFusion: x IN (1, 2); correct: never true
//! x IN (a, 1) AND x IN (b, 2)            DataFusion: false; correct: true where x = a = b
//! NOT (x IN (1, 2) AND x IN (3, 4))      DataFusion: true; correct: NULL where x is NULL
//! ```
//!
//! An analyzer rule wraps the tested expressions of such lists in [`Same`], so that the simplifier
//! sees lists over different expressions. Delete this when it handles NULLs and items that are not
//! constant.
//!
//! A second fix is for items that are wrongly treated as constants. The physical list evaluates
//! each item over no rows, and builds a set of the items if none returns an array
//! (`datafusion-physical-expr`, `in_list.rs`, `try_evaluate_constant_list`, 55.2). A CASE over no
//! rows returns NULL, so `x NOT IN (27, 55, 0, CASE y WHEN y THEN x ELSE 3 END)` is never true. In
//! the plan that runs, such an item is wrapped in [`Same`], which returns an array: [`by_rows`].
//! Delete this when the list checks which columns an item reads.

use std::cell::Cell;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    BinaryExpr, Cast, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDFImpl, Signature, TryCast, Volatility, binary_expr, lit,
};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Keeps IN lists of one AND or OR from being merged.
#[derive(Debug)]
pub(crate) struct SeparateInLists;

impl AnalyzerRule for SeparateInLists {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        // The numbers are the same for the same plan, because the plan is a key of the result
        // cache.
        let made = Cell::new(0);
        let lists = |expr: &Expr| match expr {
            Expr::BinaryExpr(binary) => binary.op == Operator::Or,
            expr => matches!(expr, Expr::InList(_)),
        };
        expressions::of_readers(plan, lists, |node| {
            // A column's expression may become part of a condition above, under NOT.
            let sense = match node {
                LogicalPlan::Filter(_) | LogicalPlan::Join(_) => Sense::AsWritten,
                _ => Sense::Either,
            };
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                expressions::named(expr, &names, &|expr| separated(expr, sense, &made))
            })
        })
    }

    fn name(&self) -> &str {
        "separate_in_lists"
    }
}

/// How the simplifier may see an AND or OR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    AsWritten,
    /// Perhaps under a NOT, which turns OR into AND and IN into NOT IN: `NOT p`, `p = false`,
    /// `CASE WHEN p THEN false ELSE true END`.
    Either,
}

/// Works from the inside out. On each side, one list over an expression stays as it was, so that
/// file statistics can use it.
fn separated(mut expr: Expr, sense: Sense, made: &Cell<u32>) -> Result<Transformed<Expr>> {
    if let Expr::InList(list) = &expr
        && is_literal(&list.expr)
        && !list.list.iter().all(is_literal)
    {
        return Ok(Transformed::yes(compared_with_each(list)));
    }
    if junction(&expr).is_some() {
        let changed = separate(&mut expr, sense, made);
        return Ok(Transformed::new_transformed(expr, changed));
    }
    // Any other parent may negate what is inside it.
    expr.map_children(|mut child| {
        let mut changed = false;
        let mut rest = vec![&mut child];
        while let Some(part) = rest.pop() {
            if junction(part).is_none() {
                continue;
            }
            changed |= separate(part, Sense::Either, made);
            if let Expr::BinaryExpr(BinaryExpr { left, right, .. }) = part {
                rest.push(left);
                rest.push(right);
            }
        }
        Ok(Transformed::new_transformed(child, changed))
    })
}

/// Rewrites a constant tested against columns, `3 IN (a, b)`, as `a = 3 OR b = 3`: a [`Same`]
/// around a constant would be folded.
fn compared_with_each(list: &InList) -> Expr {
    let (each, all) = match list.negated {
        true => (Operator::NotEq, Operator::And),
        false => (Operator::Eq, Operator::Or),
    };
    let items = list.list.iter().map(|item| {
        let tested = Expr::clone(&list.expr);
        binary_expr(item.clone(), each, tested)
    });
    let compared = items.reduce(|left, right| binary_expr(left, all, right));
    compared.unwrap_or_else(|| lit(list.negated))
}

/// Returns the operator, if the expression is an AND or OR.
fn junction(expr: &Expr) -> Option<Operator> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            op: op @ (Operator::And | Operator::Or),
            ..
        }) => Some(*op),
        _ => None,
    }
}

/// Makes the tested expressions of an AND or OR differ. Returns whether it changed any.
fn separate(expr: &mut Expr, sense: Sense, made: &Cell<u32>) -> bool {
    let Some(op) = junction(expr) else {
        return false;
    };
    let Expr::BinaryExpr(BinaryExpr { left, right, .. }) = expr else {
        return false;
    };
    // The right side is mostly one operand, so long chains are not walked over and over.
    if !operands(right, op).any(|operand| listed(operand, op, sense).is_some()) {
        return false;
    }
    let tested: Vec<&Expr> = operands(left, op)
        .filter_map(|operand| listed(operand, op, sense))
        .collect();
    let mut changed = false;
    let mut rest = vec![right.as_mut()];
    while let Some(operand) = rest.pop() {
        if listed(operand, op, sense).is_some_and(|one| tested.contains(&one)) {
            rename(operand, made);
            changed = true;
        } else if let Expr::BinaryExpr(binary) = operand
            && binary.op == op
        {
            rest.push(&mut binary.left);
            rest.push(&mut binary.right);
        }
    }
    changed
}

/// Makes IN lists evaluate their items row by row if an item is not a literal. Call it after all
/// optimization.
///
/// # Errors
///
/// Returns an error if the rewritten plan is invalid.
pub(crate) fn by_rows(plan: LogicalPlan) -> Result<LogicalPlan> {
    let made = Cell::new(0);
    let mistaken = |expr: &Expr| matches!(expr, Expr::InList(list) if is_mistaken(list));
    expressions::rewritten(plan, mistaken, |expr, _| match expr {
        Expr::InList(mut list) if is_mistaken(&list) => {
            // One such item is enough.
            if let Some(item) = list.list.iter_mut().find(|item| !is_literal(item)) {
                *item = same(std::mem::take(item), &made);
            }
            Transformed::yes(Expr::InList(list))
        }
        expr => Transformed::no(expr),
    })
}

/// Returns whether a list may be treated as constant although an item is not. A column already
/// returns an array.
fn is_mistaken(InList { list, .. }: &InList) -> bool {
    let has_column = list.iter().any(|item| matches!(item, Expr::Column(_)));
    !has_column && !list.iter().all(is_literal)
}

fn is_literal(item: &Expr) -> bool {
    matches!(item, Expr::Literal(..))
}

/// Returns the operands of a chain of ANDs or ORs. Iterative, because there may be thousands.
fn operands(expr: &Expr, op: Operator) -> impl Iterator<Item = &Expr> {
    let mut rest = vec![expr];
    std::iter::from_fn(move || {
        loop {
            match rest.pop()? {
                Expr::BinaryExpr(binary) if binary.op == op => {
                    rest.push(&binary.right);
                    rest.push(&binary.left);
                }
                operand => return Some(operand),
            }
        }
    })
}

/// Returns the expression that an operand compares with a list, if the simplifier could merge the
/// operand wrongly with another. Under OR these are negated lists only. Under AND they include an
/// OR of equalities, which becomes a list; so does an AND of inequalities under NOT.
fn listed(operand: &Expr, op: Operator, sense: Sense) -> Option<&Expr> {
    let either = sense == Sense::Either;
    match operand {
        Expr::InList(list) if either || op == Operator::And || list.negated => {
            Some(uncast(&list.expr))
        }
        Expr::BinaryExpr(binary) => {
            let negated = match binary.op {
                Operator::Or if op == Operator::And => false,
                Operator::And if op == Operator::Or && either => true,
                _ => return None,
            };
            let mut parts = operands(operand, binary.op).map(|part| compared(part, negated));
            let first = parts.next()??;
            parts.all(|part| part == Some(first)).then_some(first)
        }
        _ => None,
    }
}

/// Returns the tested column of an equality or an IN list; if `negated`, of an inequality or a NOT
/// IN list.
fn compared(part: &Expr, negated: bool) -> Option<&Expr> {
    let compares = if negated {
        Operator::NotEq
    } else {
        Operator::Eq
    };
    match part {
        Expr::InList(list) if list.negated == negated => Some(uncast(&list.expr)),
        Expr::BinaryExpr(binary) if binary.op == compares => {
            let sides = [binary.left.as_ref(), binary.right.as_ref()];
            sides
                .into_iter()
                .map(uncast)
                .find(|side| matches!(side, Expr::Column(_)))
        }
        _ => None,
    }
}

/// Returns the expression without its casts, which the simplifier may move to the literals.
fn uncast(mut expr: &Expr) -> &Expr {
    while let Expr::Cast(Cast { expr: inner, .. }) | Expr::TryCast(TryCast { expr: inner, .. }) =
        expr
    {
        expr = inner;
    }
    expr
}

/// Wraps the tested expression of a list in [`Same`]; in an OR, that of the first equality, so that
/// no list results; likewise in an AND.
fn rename(mut operand: &mut Expr, made: &Cell<u32>) {
    while let Expr::BinaryExpr(binary) = operand {
        operand = match (binary.op, uncast(&binary.left)) {
            (Operator::Or | Operator::And, _)
            | (Operator::Eq | Operator::NotEq, Expr::Column(_)) => &mut binary.left,
            _ => &mut binary.right,
        };
    }
    let tested = match operand {
        Expr::InList(InList { expr, .. }) => expr.as_mut(),
        column => column,
    };
    let inner = std::mem::take(tested);
    *tested = same(inner, made);
}

fn same(expr: Expr, made: &Cell<u32>) -> Expr {
    made.set(made.get() + 1);
    let function = Same {
        number: made.get(),
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![expr])
}

/// Returns its argument as an array. The simplifier does not see that two of them have the same
/// argument.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Same {
    number: u32,
    signature: Signature,
}

impl ScalarUDFImpl for Same {
    fn name(&self) -> &str {
        "same"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(expressions::name_of_first(args))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = args.arg_fields.first().cloned();
        field.ok_or_else(|| DataFusionError::Internal("same of nothing".to_owned()))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let argument = args.args.into_iter().next();
        let argument =
            argument.ok_or_else(|| DataFusionError::Internal("same of nothing".to_owned()))?;
        argument
            .into_array(args.number_rows)
            .map(ColumnarValue::Array)
    }
}

#[cfg(test)]
mod tests;
