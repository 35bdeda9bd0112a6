//! Expressions with values of `time with time zone`, other than operators.
//!
//! ```text
//! t IN ('12:00', …)             $timetz_key(t) IN ($timetz_key('12:00'), …)
//! t IN (SELECT u …)             $timetz_key(t) IN (SELECT $timetz_key(u) …)
//! t = ANY (array)               compare_any('=', $timetz_key(t), $timetz_keys(array))
//! CASE t WHEN u THEN x END      CASE $timetz_key(t) WHEN $timetz_key(u) THEN x END
//! CASE WHEN b THEN t END        $timetz_in(CASE WHEN b THEN $timetz_in(t) END)
//! coalesce(t, '12:00')          $timetz_in(coalesce($timetz_in(t), $timetz_in('12:00')))
//! extract(hour FROM t)          CAST($timetz_part('hour', t) AS integer)
//! t AT TIME ZONE 'CET'          $timetz_at('CET', t)
//! ```
//!
//! An analyzer rule before type coercion, which would make texts of all of them.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Between, InList, InSubquery, ScalarFunction, SetComparison};
use datafusion::logical_expr::{
    BinaryExpr, Case, Cast, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, binary_expr,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::quantified::{ALL, ANY};
use lakegate_engine::time::AT_TIME_ZONE;
use lakegate_engine::{has_values, retyped, written_name};
use lakegate_error::Error;

use super::{Kind, becomes_timetz, call, is_of_timetz, is_timetz, keys, written};
use crate::postgres::cell::drops_marks;
use crate::postgres::functions::extract;

/// Functions of the least and greatest value, which the engine takes for texts.
const EXTREMES: [&str; 2] = ["min", "max"];

/// Window functions whose result is the value of another row. The engine's aggregate `first_value`
/// stands for a group's value, and is not one of them.
const OF_ROWS: [&str; 5] = ["first_value", "lag", "last_value", "lead", "nth_value"];

#[derive(Debug)]
struct TimetzValues;

/// Returns the rule to add.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(TimetzValues)
}

impl AnalyzerRule for TimetzValues {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_call = |expr: &Expr| match expr {
            Expr::ScalarFunction(call) => call.func.name().starts_with("$timetz"),
            _ => false,
        };
        if !has_values(&plan, is_timetz, is_call)? {
            return Ok(plan);
        }
        retyped(plan, &rewritten, &|_: &LogicalPlan| Ok(None))
    }

    fn name(&self) -> &str {
        "timetz_values"
    }
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let expr = match unmarked(expr, schema) {
        cast if cast.transformed => return Ok(cast),
        Transformed { data, .. } => data,
    };
    let rewritten = match &expr {
        Expr::Case(case) => of_case(case, schema)?,
        Expr::ScalarFunction(call) => called(call, schema)?,
        Expr::AggregateFunction(call) => {
            check_function(&EXTREMES, call.func.name(), &call.params.args, schema)?;
            None
        }
        Expr::WindowFunction(window) => {
            let (name, args) = (written_name(window.fun.name()), &window.params.args);
            check_function(&EXTREMES, name, args, schema)?;
            check_function(&OF_ROWS, name, args, schema)?;
            None
        }
        other => compared(other, schema)?,
    };
    Ok(changed(expr, rewritten))
}

fn changed(expr: Expr, new: Option<Expr>) -> Transformed<Expr> {
    match new {
        Some(new) => Transformed::yes(new),
        None => Transformed::no(expr),
    }
}

/// Returns a cast of a value without the mark of its operand.
fn unmarked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::Cast(mut cast) if is_of_timetz(&cast.expr, schema) => {
            let changed = drops_marks(&mut cast.field);
            Transformed::new_transformed(Expr::Cast(cast), changed)
        }
        Expr::TryCast(mut cast) if is_of_timetz(&cast.expr, schema) => {
            let changed = drops_marks(&mut cast.field);
            Transformed::new_transformed(Expr::TryCast(cast), changed)
        }
        expr => Transformed::no(expr),
    }
}

/// Refuses functions whose result would be a text, which compares as one.
fn check_function(refused: &[&str], name: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    match refused.contains(&name) && args.iter().any(|arg| is_of_timetz(arg, schema)) {
        true => Err(Error::not_supported(format!(
            "{name} of time with time zone is not supported"
        ))
        .with_hint("cast it to time, or order by it and take the first row")
        .into()),
        false => Ok(()),
    }
}

/// Returns the symbol of a comparison.
fn symbol(op: Operator) -> Option<&'static str> {
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

/// Returns a comparison of keys; `None` for expressions that compare no such values.
fn compared(expr: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Some(symbol) = symbol(*op) else {
                return Ok(None);
            };
            let keys = keys([left.as_ref(), right.as_ref()], symbol, schema)?;
            Ok(keys.and_then(|mut keys| Some(binary_expr(keys.next()?, *op, keys.next()?))))
        }
        Expr::Between(between) => {
            let parts = [
                between.expr.as_ref(),
                between.low.as_ref(),
                between.high.as_ref(),
            ];
            let keys = keys(parts, ">=", schema)?;
            Ok(keys.and_then(|mut keys| {
                Some(Expr::Between(Between::new(
                    Box::new(keys.next()?),
                    between.negated,
                    Box::new(keys.next()?),
                    Box::new(keys.next()?),
                )))
            }))
        }
        Expr::InList(within) => {
            let parts = std::iter::once(within.expr.as_ref()).chain(&within.list);
            let keys = keys(parts, "=", schema)?;
            Ok(keys.and_then(|mut keys| {
                let value = Box::new(keys.next()?);
                let list = keys.collect();
                Some(Expr::InList(InList::new(value, list, within.negated)))
            }))
        }
        Expr::InSubquery(of) => {
            let found = within(&of.expr, &of.subquery, schema)?;
            Ok(found.map(|(value, subquery)| {
                Expr::InSubquery(InSubquery::new(Box::new(value), subquery, of.negated))
            }))
        }
        Expr::SetComparison(set) => {
            let found = within(&set.expr, &set.subquery, schema)?;
            Ok(found.map(|(value, subquery)| {
                Expr::SetComparison(SetComparison::new(
                    Box::new(value),
                    subquery,
                    set.op,
                    set.quantifier,
                ))
            }))
        }
        _ => Ok(None),
    }
}

/// Returns the key of a value, and a subquery that returns keys.
fn within(
    value: &Expr,
    subquery: &Subquery,
    schema: &DFSchema,
) -> Result<Option<(Expr, Subquery)>> {
    let plan = &subquery.subquery;
    let Ok([column]) = <[Column; 1]>::try_from(plan.schema().columns()) else {
        return Ok(None);
    };
    let column = Expr::Column(column);
    let inner = plan.schema().as_ref();
    let is_of = is_of_timetz(&column, inner) || is_of_timetz(value, schema);
    if !is_of {
        return Ok(None);
    }
    // Each is of the type, or becomes one beside the other.
    for (one, of) in [(&column, inner), (value, schema)] {
        if !is_of_timetz(one, of) && !becomes_timetz(written(one), of) {
            return Err(super::no_operator("=", one, of).into());
        }
    }
    let key = |value: &Expr| call(Kind::Key, vec![written(value).clone()]);
    let keys = LogicalPlanBuilder::from(LogicalPlan::clone(plan))
        .project([key(&column).alias("__timetz_key")])?
        .build()?;
    let subquery = Subquery {
        subquery: Arc::new(keys),
        outer_ref_columns: subquery.outer_ref_columns.clone(),
        spans: subquery.spans.clone(),
    };
    Ok(Some((key(value), subquery)))
}

/// Returns a CASE that compares keys, and whose results have the type; `None` for others.
fn of_case(case: &Case, schema: &DFSchema) -> Result<Option<Expr>> {
    let mut of_keys = None;
    if let Some(operand) = &case.expr {
        let whens = case.when_then_expr.iter().map(|(when, _)| when.as_ref());
        let parts = std::iter::once(operand.as_ref()).chain(whens);
        if let Some(mut keys) = keys(parts, "=", schema)? {
            let operand = keys.next().map(Box::new);
            let thens = case.when_then_expr.iter().map(|(_, then)| then.clone());
            let whens = keys.map(Box::new).zip(thens).collect();
            of_keys = Some(Case::new(operand, whens, case.else_expr.clone()));
        }
    }
    let is_typed = are_timetz(results_of(case), schema);
    let mut case = match of_keys {
        Some(case) => case,
        None if is_typed => case.clone(),
        None => return Ok(None),
    };
    if !is_typed {
        return Ok(Some(Expr::Case(case)));
    }
    for (_, then) in &mut case.when_then_expr {
        **then = read(then);
    }
    if let Some(other) = &mut case.else_expr {
        **other = read(other);
    }
    Ok(Some(call(Kind::In, vec![Expr::Case(case)])))
}

/// Returns the values of which one is that of a CASE.
pub(in crate::postgres::functions) fn results_of(case: &Case) -> impl Iterator<Item = &Expr> {
    let thens = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
    thens.chain(case.else_expr.as_deref())
}

/// Returns a value that becomes one of the type. Times of day have the session's zone then.
fn read(value: &Expr) -> Expr {
    call(Kind::In, vec![written(value).clone()])
}

/// Returns whether values of which one becomes the result are of the type: one is, and the others are
/// or become of it.
pub(super) fn are_timetz<'e>(
    values: impl IntoIterator<Item = &'e Expr>,
    schema: &DFSchema,
) -> bool {
    let mut found = false;
    for value in values {
        let is_one = is_of_timetz(value, schema);
        if !is_one && !becomes_timetz(written(value), schema) {
            return false;
        }
        found |= is_one;
    }
    found
}

fn called(function: &ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    let args = function.args.as_slice();
    Ok(match (function.func.name(), args) {
        ("nullif", [value, other]) => {
            let keys = keys([value, other], "=", schema)?;
            keys.and_then(|mut keys| {
                let equal = keys.next()?.eq(keys.next()?);
                let null = Expr::Literal(ScalarValue::Utf8(None), None);
                let value = Case::new(
                    None,
                    vec![(Box::new(equal), Box::new(null))],
                    Some(Box::new(written(value).clone())),
                );
                Some(call(Kind::In, vec![Expr::Case(value)]))
            })
        }
        ("greatest", args) if are_timetz(args, schema) => Some(call(Kind::Greatest, plain(args))),
        ("least", args) if are_timetz(args, schema) => Some(call(Kind::Least, plain(args))),
        ("coalesce", args) if are_timetz(args, schema) => {
            let texts = args.iter().map(read).collect();
            Some(call(Kind::In, vec![function.func.call(texts)]))
        }
        ("date_part", [unit, time]) if is_of_timetz(time, schema) => {
            let part = call(Kind::Part, vec![unit.clone(), time.clone()]);
            Some(match unit {
                Expr::Literal(name, _) if is_whole(name) => {
                    Expr::Cast(Cast::new(Box::new(part), DataType::Int32))
                }
                _ => part,
            })
        }
        (AT_TIME_ZONE, [zone, time]) if is_of_timetz(time, schema) => {
            Some(call(Kind::At, vec![zone.clone(), time.clone()]))
        }
        (ANY | ALL, [op, value, list]) if is_of_timetz(value, schema) => {
            let keys = call(Kind::Keys, vec![list.clone()]);
            let args = vec![op.clone(), call(Kind::Key, vec![value.clone()]), keys];
            Some(function.func.call(args))
        }
        _ => None,
    })
}

fn plain(values: &[Expr]) -> Vec<Expr> {
    values.iter().map(|value| written(value).clone()).collect()
}

/// Returns whether the values of a unit are whole numbers.
fn is_whole(unit: &ScalarValue) -> bool {
    let unit = unit.try_as_str().flatten().map(super::unit_of);
    unit.is_some_and(|unit| extract::is_whole(&unit))
}
