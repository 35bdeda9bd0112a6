//! Comparisons with `infinity`, which is after all times, and `-infinity`, which is before them. The
//! engine's times are finite, so that the result depends only on whether the other operand is NULL.
//!
//! ```text
//! x < 'infinity'                     x IS NOT NULL OR NULL
//! x = 'infinity'                     x IS NULL AND NULL
//! x < coalesce(y, 'infinity')        coalesce(x < y, x < 'infinity')
//! x < CASE WHEN c THEN y ELSE 'infinity' END
//!                                    CASE WHEN c THEN x < y ELSE x < 'infinity' END
//!                                    likewise all comparisons, BETWEEN, IN, IS DISTINCT FROM
//! isfinite(coalesce(y, 'infinity'))  … <> 'infinity' AND … <> '-infinity'
//! ```
//!
//! Only where `x` is a date or a timestamp: the literal is a text beside texts, and a number beside
//! numbers. Infinite values elsewhere are an error when they are evaluated.
//!
//! An analyzer rule of PostgreSQL's sessions, which runs before type coercion, after text literals
//! have taken the types of the values beside them.

use std::cell::Cell;
use std::cmp::Ordering;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, Case, Expr, ExprSchemable, LogicalPlan, Operator, binary_expr, cast, lit,
};
use datafusion::optimizer::AnalyzerRule;

use super::input::is_infinite;
use crate::plans::expressions;

/// How deep choices between values are compared. Each copies the value that it is compared with.
const MAX_DEPTH: usize = 5;

/// How many parts all expressions have together that are compared in the place of two.
const MAX_PARTS: usize = 20_000;

/// Functions that return their first argument that is not NULL.
const FIRST_VALUE: [&str; 3] = ["coalesce", "ifnull", "nvl"];

/// Compares times with infinite ones.
#[derive(Debug)]
pub(crate) struct InfiniteTimes;

impl AnalyzerRule for InfiniteTimes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let has_end = |expr: &Expr| end_of(expr).is_some();
        expressions::rewritten(plan, has_end, |expr, schema| {
            match of_expression(&expr, schema) {
                Some(compared) => Transformed::yes(compared),
                None => Transformed::no(expr),
            }
        })
    }

    fn name(&self) -> &str {
        "infinite_times"
    }
}

/// Where an infinite value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    First,
    Last,
}

/// Returns which end of time a literal is, with or without a type; `None` for other expressions.
fn end_of(expr: &Expr) -> Option<End> {
    let literal = match expr {
        Expr::Cast(cast) if is_time(cast.field.data_type()) => cast.expr.as_ref(),
        expr => expr,
    };
    let Expr::Literal(value, _) = literal else {
        return None;
    };
    let text = value.try_as_str().flatten()?;
    if !is_infinite(text) {
        return None;
    }
    Some(match text.trim_start().starts_with('-') {
        true => End::First,
        false => End::Last,
    })
}

/// Returns whether an expression is cast to a type that has infinite values.
fn is_typed(expr: &Expr) -> bool {
    expressions::cast_type(expr).is_some_and(is_time)
}

fn is_time(of: &DataType) -> bool {
    matches!(of, DataType::Date32 | DataType::Timestamp(..))
}

/// Returns a finite value that is compared with an infinite one: a time, NULL, or a text literal that
/// takes the type of the infinite value. `None` for other values.
fn finite(value: &Expr, infinite: &Expr, schema: &DFSchema) -> Option<Expr> {
    if let (Expr::Literal(literal, _), Some(of)) = (value, expressions::cast_type(infinite))
        && literal.try_as_str().is_some()
    {
        return Some(cast(value.clone(), of.clone()));
    }
    // An infinite value deeper in it is an error when the value is evaluated.
    let has_end = value.exists(|part| Ok(end_of(part).is_some())).ok()?;
    let of = value.get_type(schema).ok()?;
    (!has_end && (is_time(&of) || of.is_null())).then(|| value.clone())
}

/// Returns an expression without comparisons with infinite values; `None` if it has none itself.
fn of_expression(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let rest = Cell::new(MAX_PARTS);
    let compared = |left: &Expr, op: Operator, right: &Expr| {
        compare(left, op, right, schema, MAX_DEPTH, &rest)
    };
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if expressions::is_comparison(*op) => {
            compared(left, *op, right)
        }
        Expr::Between(between) => {
            let (after, before) = match between.negated {
                false => (Operator::GtEq, Operator::LtEq),
                true => (Operator::Lt, Operator::Gt),
            };
            let (value, low, high) = (&between.expr, &between.low, &between.high);
            let (from, to) = match (compared(value, after, low), compared(value, before, high)) {
                (None, None) => return None,
                (from, to) => (
                    from.unwrap_or_else(|| plain(value, after, low)),
                    to.unwrap_or_else(|| plain(value, before, high)),
                ),
            };
            Some(match between.negated {
                false => from.and(to),
                true => from.or(to),
            })
        }
        Expr::InList(within) => {
            let op = match within.negated {
                false => Operator::Eq,
                true => Operator::NotEq,
            };
            let mut others = Vec::with_capacity(within.list.len());
            let mut parts = Vec::new();
            // The ends that are in the list, and whether they are compared.
            let mut ends: Vec<((End, Option<&DataType>), bool)> = Vec::new();
            for item in &within.list {
                let Some(end) = end_of(item) else {
                    others.push(item.clone());
                    continue;
                };
                let end = (end, expressions::cast_type(item));
                let known = ends.iter().find(|(known, _)| *known == end);
                let known = known.map(|(_, is_compared)| *is_compared);
                let is_compared = known.unwrap_or_else(|| {
                    let part = compared(&within.expr, op, item);
                    ends.push((end, part.is_some()));
                    let is_compared = part.is_some();
                    parts.extend(part);
                    is_compared
                });
                if !is_compared {
                    others.push(item.clone());
                }
            }
            if parts.is_empty() {
                return None;
            }
            if !others.is_empty() {
                let rest = InList::new(within.expr.clone(), others, within.negated);
                parts.push(Expr::InList(rest));
            }
            parts.into_iter().reduce(|one, other| match within.negated {
                false => one.or(other),
                true => one.and(other),
            })
        }
        Expr::ScalarFunction(call) if call.func.name() == "isfinite" => {
            let [value] = call.args.as_slice() else {
                return None;
            };
            let of = value.get_type(schema).ok().filter(is_time)?;
            let has_end = value.exists(|part| Ok(end_of(part).is_some())).ok()?;
            if !has_end {
                return None;
            }
            let differs = |end: &str| {
                let end = cast(lit(end), of.clone());
                compared(value, Operator::NotEq, &end)
            };
            Some(differs("infinity")?.and(differs("-infinity")?))
        }
        _ => None,
    }
}

/// Takes the parts of an expression from those that are left; `None` if there are not as many.
fn spend(rest: &Cell<usize>, expr: &Expr) -> Option<()> {
    let mut left = rest.get();
    let mut is_within = true;
    expr.apply(|_| {
        is_within = left > 0;
        left = left.saturating_sub(1);
        Ok(match is_within {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Stop,
        })
    })
    .ok()?;
    rest.set(left);
    is_within.then_some(())
}

/// Returns the comparison of two values of which one may be infinite; `None` if none is, if it is no
/// comparison of times, or if it would be too large.
fn compare(
    left: &Expr,
    op: Operator,
    right: &Expr,
    schema: &DFSchema,
    depth: usize,
    rest: &Cell<usize>,
) -> Option<Expr> {
    spend(rest, left)?;
    spend(rest, right)?;
    let depth = depth.checked_sub(1)?;
    let either = |one: &Expr, other: &Expr| {
        let made = compare(one, op, other, schema, depth, rest);
        let has_end = || end_of(one).is_some() || end_of(other).is_some();
        let is_plain = made.is_none() && rest.get() > 0 && !has_end();
        made.or_else(|| is_plain.then(|| plain(one, op, other)))
    };
    if let Some(made) = chosen(right, op, schema, &|value| either(left, value)) {
        return Some(made);
    }
    if let Some(made) = chosen(left, op, schema, &|value| either(value, right)) {
        return Some(made);
    }
    match (end_of(left), end_of(right)) {
        // Two texts are compared as texts.
        (Some(one), Some(other)) => {
            let are_times = is_typed(left) || is_typed(right);
            are_times.then(|| lit(holds(op, one.cmp(&other))))
        }
        (None, Some(end)) => Some(beside(finite(left, right, schema)?, op, end)),
        (Some(end), None) => {
            // IS DISTINCT FROM is the same in both orders.
            let op = op.swap().unwrap_or(op);
            Some(beside(finite(right, left, schema)?, op, end))
        }
        (None, None) => None,
    }
}

/// Returns the comparison of what an expression chooses between a finite value and an infinite one;
/// `None` if it does not choose so, or if a comparison is `None`.
fn chosen(
    choice: &Expr,
    op: Operator,
    schema: &DFSchema,
    compared: &dyn Fn(&Expr) -> Option<Expr>,
) -> Option<Expr> {
    match choice {
        Expr::ScalarFunction(call) if FIRST_VALUE.contains(&call.func.name()) => {
            first_value(call, op, schema, compared)
        }
        Expr::Case(case) => {
            let thens = case.when_then_expr.iter().map(|(_, then)| then);
            let mut results = thens.chain(&case.else_expr);
            // A literal without a type may be a text.
            if !results.any(|result| is_typed(result) && end_of(result).is_some()) {
                return None;
            }
            let whens = case.when_then_expr.iter().map(|(when, then)| {
                let then = compared(then)?;
                Some((when.clone(), Box::new(then)))
            });
            let whens = whens.collect::<Option<Vec<_>>>()?;
            let otherwise = match &case.else_expr {
                Some(otherwise) => compared(otherwise)?,
                None => compared(&Expr::Literal(ScalarValue::Null, None))?,
            };
            let case = Case::new(case.expr.clone(), whens, Some(Box::new(otherwise)));
            Some(Expr::Case(case))
        }
        _ => None,
    }
}

/// Returns the comparison of the first value that is not NULL, of which the last one is infinite.
fn first_value(
    call: &ScalarFunction,
    op: Operator,
    schema: &DFSchema,
    compared: &dyn Fn(&Expr) -> Option<Expr>,
) -> Option<Expr> {
    let (last, others) = call.args.split_last()?;
    end_of(last)?;
    let first = match others {
        [] => return None,
        [value] => value.clone(),
        values if values.iter().any(|value| end_of(value).is_some()) => return None,
        values => call.func.call(values.to_vec()),
    };
    let of = first.get_type(schema).ok()?;
    if !is_time(&of) {
        return None;
    }
    let last = match is_typed(last) {
        true => last.clone(),
        false => cast(last.clone(), of),
    };
    let of_first = compared(&first)?;
    let of_last = compared(&last)?;
    match op {
        // Not NULL where the value is.
        Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => {
            if first.is_volatile() {
                return None;
            }
            let when = vec![(Box::new(first.is_not_null()), Box::new(of_first))];
            Some(Expr::Case(Case::new(None, when, Some(Box::new(of_last)))))
        }
        _ => Some(call.func.call(vec![of_first, of_last])),
    }
}

fn plain(left: &Expr, op: Operator, right: &Expr) -> Expr {
    binary_expr(left.clone(), op, right.clone())
}

/// Returns the comparison of a finite value, or of NULL, with an infinite one.
fn beside(value: Expr, op: Operator, end: End) -> Expr {
    let order = match end {
        End::First => Ordering::Greater,
        End::Last => Ordering::Less,
    };
    let unknown = Expr::Literal(ScalarValue::Boolean(None), None);
    match (op, holds(op, order)) {
        (Operator::IsDistinctFrom | Operator::IsNotDistinctFrom, is_true) => lit(is_true),
        (_, true) => value.is_not_null().or(unknown),
        (_, false) => value.is_null().and(unknown),
    }
}

/// Returns whether a comparison of values in this order is true.
fn holds(op: Operator, order: Ordering) -> bool {
    match op {
        Operator::Eq | Operator::IsNotDistinctFrom => order.is_eq(),
        Operator::Lt => order.is_lt(),
        Operator::LtEq => order.is_le(),
        Operator::Gt => order.is_gt(),
        Operator::GtEq => order.is_ge(),
        _ => order.is_ne(),
    }
}

#[cfg(test)]
mod tests;
