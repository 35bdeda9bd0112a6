//! NaN in comparisons as in Trino: it equals nothing and is neither less nor greater than anything.
//! `IS DISTINCT FROM`, groups, sorting and IN over a subquery treat it as one value, the greatest,
//! as the engine does in all comparisons.
//!
//! ```text
//! a = b        a = b AND (a <= Infinity OR b IS NULL)
//! a > b        a > b AND (a <= Infinity OR b IS NULL)       a < b checks b
//! a <> b       a <> b OR (a > Infinity AND b IS NOT NULL)
//! a < 5        the same: only `a > 5`, `a >= 5` take a NaN for a number
//! ```
//!
//! A condition of a filter or a join needs no test for NULL, and its parts can be pushed down and
//! prune. `greatest_numbers` makes `max` ignore NaN beside numbers.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, NullEquality, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Alias, Between, InList, ScalarFunction};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Case, Cast, Expr, ExprSchemable, Filter, LogicalPlan,
    LogicalPlanBuilder, Operator, Window, WindowFunctionDefinition,
};
use lakegate_engine::complexity::check_copies;

/// Rewrites a comparison of floating-point numbers.
///
/// # Errors
///
/// Returns an error if its operands are too long to be written several times.
pub(super) fn compared(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let changed = match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => comparison(left, *op, right, schema),
        Expr::Between(between) => within(between, schema),
        Expr::InList(list) => items(list, schema)?,
        Expr::Case(Case {
            expr: Some(operand),
            when_then_expr,
            else_expr,
        }) => cases(operand, when_then_expr, schema)?
            .map(|cases| Expr::Case(Case::new(None, cases, else_expr.clone()))),
        Expr::ScalarFunction(call) if call.func.name() == "nullif" => absent(call, schema),
        _ => None,
    };
    match changed {
        Some(changed) => {
            check_copies(&expr, 2)?;
            Ok(Transformed::yes(changed))
        }
        None => Ok(Transformed::no(expr)),
    }
}

/// Returns what a comparison means; `None` if the engine's means the same.
fn comparison(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (checked, other) = match op {
        // Of two equal values one is enough. One of the inner query can be pushed down.
        Operator::Eq | Operator::NotEq => {
            if !may_be_nan(left, schema) || !may_be_nan(right, schema) {
                return None;
            }
            match left.contains_outer() {
                true => (right, left),
                false => (left, right),
            }
        }
        Operator::Gt | Operator::GtEq => (left, right),
        Operator::Lt | Operator::LtEq => (right, left),
        _ => return None,
    };
    if !may_be_nan(checked, schema) || checked.is_volatile() || other.is_volatile() {
        return None;
    }
    let infinity = infinity(checked, schema)?;
    let plain = binary(left.clone(), op, right.clone());
    let may_be_null = !is_number(other) && other.nullable(schema).unwrap_or(true);
    let other = other.clone();
    Some(match (op, may_be_null) {
        (Operator::NotEq, true) => {
            let is_nan = binary(checked.clone(), Operator::Gt, infinity);
            plain.or(is_nan.and(other.is_not_null()))
        }
        (Operator::NotEq, false) => plain.or(binary(checked.clone(), Operator::Gt, infinity)),
        (_, true) => {
            let is_number = binary(checked.clone(), Operator::LtEq, infinity);
            plain.and(is_number.or(other.is_null()))
        }
        (_, false) => plain.and(binary(checked.clone(), Operator::LtEq, infinity)),
    })
}

/// Returns whether `left op right` changes, and what it is then.
fn settled(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> (bool, Expr) {
    let changed = comparison(left, op, right, schema);
    let is_changed = changed.is_some();
    let plain = || binary(left.clone(), op, right.clone());
    (is_changed, changed.unwrap_or_else(plain))
}

/// Rewrites BETWEEN. What is not greater than a number is no NaN.
fn within(between: &Between, schema: &DFSchema) -> Option<Expr> {
    if is_number(&between.high) {
        return None;
    }
    let (low_changes, low) = settled(&between.expr, Operator::GtEq, &between.low, schema);
    let (high_changes, high) = settled(&between.expr, Operator::LtEq, &between.high, schema);
    let within = low.and(high);
    (low_changes || high_changes).then(|| match between.negated {
        true => !within,
        false => within,
    })
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// Whether an expression is a literal number.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Float64(value), _) => value.is_some_and(|value| !value.is_nan()),
        Expr::Literal(ScalarValue::Float32(value), _) => value.is_some_and(|value| !value.is_nan()),
        Expr::Literal(value, _) => !value.is_null() && value.data_type().is_numeric(),
        Expr::Cast(Cast { expr, field }) => field.data_type().is_numeric() && is_number(expr),
        Expr::Negative(expr) => is_number(expr),
        _ => false,
    }
}

fn is_float(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|of| of.is_floating())
}

fn may_be_nan(expr: &Expr, schema: &DFSchema) -> bool {
    !is_number(expr) && is_float(expr, schema)
}

/// Returns the greatest number of a value's type.
fn infinity(of: &Expr, schema: &DFSchema) -> Option<Expr> {
    let value = match of.get_type(schema).ok()? {
        DataType::Float64 => ScalarValue::Float64(Some(f64::INFINITY)),
        DataType::Float32 => ScalarValue::Float32(Some(f32::INFINITY)),
        _ => return None,
    };
    Some(Expr::Literal(value, None))
}

fn is_infinity(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Float64(value), _) => *value == Some(f64::INFINITY),
        Expr::Literal(ScalarValue::Float32(value), _) => *value == Some(f32::INFINITY),
        _ => false,
    }
}

/// Rewrites IN over a list: only literal numbers are compared as the engine does.
fn items(list: &InList, schema: &DFSchema) -> Result<Option<Expr>> {
    if !may_be_nan(&list.expr, schema) || list.expr.is_volatile() {
        return Ok(None);
    }
    let (numbers, others): (Vec<&Expr>, Vec<&Expr>) =
        list.list.iter().partition(|item| is_number(item));
    check_copies(&list.expr, others.len())?;
    let mut found = None;
    let mut is_changed = false;
    if !numbers.is_empty() {
        let numbers = numbers.into_iter().cloned().collect();
        let within = InList::new(list.expr.clone(), numbers, false);
        found = Some(Expr::InList(within));
    }
    for item in others {
        let (changes, equal) = settled(&list.expr, Operator::Eq, item, schema);
        is_changed |= changes;
        found = Some(match found {
            Some(found) => found.or(equal),
            None => equal,
        });
    }
    let found = found.filter(|_| is_changed);
    Ok(found.map(|found| match list.negated {
        true => !found,
        false => found,
    }))
}

type Whens = Vec<(Box<Expr>, Box<Expr>)>;

/// Returns the conditions of a CASE with an operand; `None` if the engine's comparison is right.
fn cases(
    operand: &Expr,
    whens: &[(Box<Expr>, Box<Expr>)],
    schema: &DFSchema,
) -> Result<Option<Whens>> {
    if !may_be_nan(operand, schema) {
        return Ok(None);
    }
    check_copies(operand, whens.len())?;
    let mut is_changed = false;
    let cases = whens.iter().map(|(when, then)| {
        let (changes, equal) = settled(operand, Operator::Eq, when, schema);
        is_changed |= changes;
        (Box::new(equal), then.clone())
    });
    let cases = cases.collect();
    Ok(is_changed.then_some(cases))
}

/// Rewrites `nullif`.
fn absent(call: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
    let [value, other] = call.args.as_slice() else {
        return None;
    };
    let equal = comparison(value, Operator::Eq, other, schema)?;
    let null = Expr::Literal(ScalarValue::Null, None);
    let cases = vec![(Box::new(equal), Box::new(null))];
    Some(Expr::Case(Case::new(
        None,
        cases,
        Some(Box::new(value.clone())),
    )))
}

/// Rewrites an operator: conditions need no tests for NULL, equal keys of joins are no NaN, and
/// `max` is a number if there is one.
pub(super) fn of_operator(node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    match node {
        LogicalPlan::Filter(filter) => {
            let Some(predicate) = without_null_tests(&filter.predicate) else {
                return Ok(None);
            };
            let filter = Filter::try_new(predicate, Arc::clone(&filter.input))?;
            Ok(Some(LogicalPlan::Filter(filter)))
        }
        LogicalPlan::Join(join) => {
            let condition = join.filter.as_ref();
            let simpler = condition.and_then(without_null_tests);
            let mut parts: Vec<Expr> = Vec::new();
            if join.null_equality == NullEquality::NullEqualsNothing {
                for (left, right) in &join.on {
                    if may_be_nan(right, join.right.schema())
                        && let Some(infinity) = infinity(left, join.left.schema())
                    {
                        parts.push(binary(left.clone(), Operator::LtEq, infinity));
                    }
                }
            }
            if simpler.is_none() && parts.is_empty() {
                return Ok(None);
            }
            parts.extend(simpler.or_else(|| condition.cloned()));
            let mut join = join.clone();
            join.filter = conjunction(parts);
            Ok(Some(LogicalPlan::Join(join)))
        }
        LogicalPlan::Aggregate(aggregate) => greatest_numbers(
            node,
            &aggregate.aggr_expr,
            aggregate.input.schema(),
            |more| {
                let all = [aggregate.aggr_expr.clone(), more].concat();
                Ok(LogicalPlan::Aggregate(Aggregate::try_new(
                    Arc::clone(&aggregate.input),
                    aggregate.group_expr.clone(),
                    all,
                )?))
            },
        ),
        LogicalPlan::Window(window) => {
            greatest_numbers(node, &window.window_expr, window.input.schema(), |more| {
                let all = [window.window_expr.clone(), more].concat();
                let input = Arc::clone(&window.input);
                Ok(LogicalPlan::Window(Window::try_new(all, input)?))
            })
        }
        _ => Ok(None),
    }
}

/// Returns the condition without the tests that follow their comparisons; `None` if it has none.
fn without_null_tests(condition: &Expr) -> Option<Expr> {
    let parts = split_conjunction(condition);
    let mut is_changed = false;
    let mut kept: Vec<Expr> = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|before| parts.get(before));
        let test = before.and_then(|before| number_test(before, part));
        is_changed |= test.is_some();
        kept.push(test.unwrap_or(*part).clone());
    }
    let kept = is_changed.then_some(kept)?;
    conjunction(kept)
}

/// Returns `a <= Infinity` of `a <= Infinity OR b IS NULL` beside a comparison of a and b, which is
/// not true if b is NULL.
fn number_test<'e>(comparison: &Expr, part: &'e Expr) -> Option<&'e Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = comparison else {
        return None;
    };
    let Expr::BinaryExpr(BinaryExpr {
        left: test,
        op: Operator::Or,
        right: null,
    }) = part
    else {
        return None;
    };
    let (
        Expr::BinaryExpr(BinaryExpr {
            left: checked,
            op: Operator::LtEq,
            right: bound,
        }),
        Expr::IsNull(other),
    ) = (test.as_ref(), null.as_ref())
    else {
        return None;
    };
    let is_of = (checked == left && other == right) || (checked == right && other == left);
    let compares = op.supports_propagation() && *op != Operator::NotEq;
    (is_of && compares && is_infinity(bound)).then_some(test.as_ref())
}

/// Puts a projection on aggregates or windows in which `max` of floating-point numbers is that of
/// the numbers that are not NaN, if there are any. `made` returns the node with more expressions.
fn greatest_numbers(
    node: &LogicalPlan,
    computed: &[Expr],
    input: &DFSchema,
    made: impl FnOnce(Vec<Expr>) -> Result<LogicalPlan>,
) -> Result<Option<LogicalPlan>> {
    let numbers: Vec<Option<Expr>> = computed
        .iter()
        .map(|expr| of_numbers(expr, input))
        .collect();
    if numbers.iter().all(Option::is_none) {
        return Ok(None);
    }
    let name = |place: usize| format!("__numbers_{place}");
    let more = numbers.iter().enumerate().filter_map(|(place, numbers)| {
        let numbers = numbers.as_ref()?;
        Some(numbers.clone().alias(name(place)))
    });
    let made = made(more.collect())?;
    let schema = node.schema();
    let first = schema.fields().len().saturating_sub(computed.len());
    // grouping() is computed later, from this column of the aggregate itself.
    let columns = schema.iter().enumerate();
    let columns = columns.filter(|(_, (_, field))| field.name() != Aggregate::INTERNAL_GROUPING_ID);
    let columns = columns.map(|(at, (qualifier, field))| {
        let column = Expr::from((qualifier, field));
        let place = at.checked_sub(first);
        match place.filter(|place| numbers.get(*place).is_some_and(Option::is_some)) {
            Some(place) => {
                let number = Expr::Column(Column::new_unqualified(name(place)));
                let found = number.clone().is_not_null();
                let cases = vec![(Box::new(found), Box::new(number))];
                let case = Case::new(None, cases, Some(Box::new(column)));
                Expr::Case(case).alias_qualified(qualifier.cloned(), field.name().clone())
            }
            None => column,
        }
    });
    LogicalPlanBuilder::from(made)
        .project(columns.collect::<Vec<_>>())?
        .build()
        .map(Some)
}

/// Returns `max(x) FILTER (WHERE x <= Infinity)` for `max(x)`.
fn of_numbers(expr: &Expr, input: &DFSchema) -> Option<Expr> {
    let with_test = |arguments: &[Expr], filter: &mut Option<Box<Expr>>| {
        let [of] = arguments else {
            return None;
        };
        if !may_be_nan(of, input) || of.is_volatile() {
            return None;
        }
        let test = binary(of.clone(), Operator::LtEq, infinity(of, input)?);
        *filter = Some(Box::new(match filter.take() {
            Some(filter) => filter.and(test),
            None => test,
        }));
        Some(())
    };
    match expr {
        Expr::Alias(Alias { expr, .. }) => of_numbers(expr, input),
        Expr::AggregateFunction(call) if call.func.name() == "max" => {
            let mut call = call.clone();
            with_test(&call.params.args.clone(), &mut call.params.filter)?;
            Some(Expr::AggregateFunction(call))
        }
        Expr::WindowFunction(window) => {
            let mut window = window.clone();
            let is_max = matches!(&window.fun,
                WindowFunctionDefinition::AggregateUDF(function) if function.name() == "max");
            if !is_max {
                return None;
            }
            with_test(&window.params.args.clone(), &mut window.params.filter)?;
            Some(Expr::WindowFunction(window))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
