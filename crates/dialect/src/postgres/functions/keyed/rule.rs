//! Expressions with values of these types, other than operators.
//!
//! ```text
//! t IN ('12:00', …)             $timetz_key(t) IN ($timetz_key('12:00'), …)
//! t IN (SELECT u …)             $timetz_key(t) IN (SELECT $timetz_key(u) …)
//! t = ANY (array)               compare_any('=', $timetz_key(t), $timetz_keys(array))
//! CASE t WHEN u THEN x END      CASE $timetz_key(t) WHEN $timetz_key(u) THEN x END
//! CASE WHEN b THEN t END        $timetz_in(CASE WHEN b THEN $timetz_in(t) END)
//! coalesce(t, '12:00')          $timetz_in(coalesce($timetz_in(t), $timetz_in('12:00')))
//! extract(hour FROM t)          CAST($timetz_part('hour', t) AS numeric(10,0))
//! t AT TIME ZONE 'CET'          $timetz_at('CET', t)
//! address::text                 $inet_text(address)::text
//! address::cidr                 network(address)
//! bits::integer                 see bits.rs
//! lower(range)                  see ranges.rs
//! ```
//!
//! An analyzer rule before type coercion, which would make texts of all of them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{InSubquery, ScalarFunction, SetComparison};
use datafusion::logical_expr::{Case, Cast, Expr, LogicalPlan, Subquery};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::quantified::{ALL, ANY};
use lakegate_engine::time::{AT_TIME_ZONE, extracted_type};
use lakegate_engine::{has_values, retyped, written_name};
use lakegate_error::Error;

use super::{
    Act, Keyed, bits, check_beside, common, extremes, keys, of_expr, ranges, results_of,
    text_types, uncompared, written,
};
use crate::postgres::cell::drops_marks;
use crate::postgres::functions::coalesce::ARRAY;
use crate::postgres::functions::compared::{
    case_with_operands, operands, operands_of_case, returning, with_operands,
};
use crate::postgres::functions::extract::EXTRACT;
use crate::postgres::functions::{extract, networks, timetz};

/// Units of a time of day have the digits that they have with a zone.
const TIME_OF_DAY: DataType = DataType::Time64(TimeUnit::Microsecond);

/// Functions of the least and greatest value, which the engine takes for texts.
const EXTREMES: [&str; 2] = ["min", "max"];

/// Window functions whose result is the value of another row. The engine's aggregate `first_value`
/// stands for a group's value, and is not one of them.
const OF_ROWS: [&str; 5] = ["first_value", "lag", "last_value", "lead", "nth_value"];

#[derive(Debug)]
struct KeyedValues;

/// Returns the rule to add.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(KeyedValues)
}

impl AnalyzerRule for KeyedValues {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_call = |expr: &Expr| match expr {
            Expr::ScalarFunction(call) => {
                let name = call.func.name();
                name.starts_with("$timetz") || text_types::returns_one(name)
            }
            _ => false,
        };
        let is_keyed = |field: &Field| Keyed::of_field(field).is_some();
        if !has_values(&plan, is_keyed, is_call)? {
            return Ok(plan);
        }
        let checked = |node: &LogicalPlan| -> Result<Option<LogicalPlan>> {
            uncompared::check_operator(node)?;
            Ok(None)
        };
        retyped(plan, &rewritten, &checked)
    }

    fn name(&self) -> &str {
        "keyed_values"
    }
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    bits::check(&expr, schema)?;
    uncompared::check_order(&expr, schema)?;
    let expr = match unmarked(expr, schema) {
        cast if cast.transformed => return Ok(cast),
        Transformed { data, .. } => data,
    };
    let rewritten = match &expr {
        Expr::Case(case) => of_case(case, schema)?,
        Expr::ScalarFunction(call) => called(call, schema)?,
        Expr::AggregateFunction(call) => match extremes::settled(call, schema) {
            Some(settled) => Some(settled),
            None => {
                let (name, args) = (call.func.name(), &call.params.args);
                check_function(&EXTREMES, name, args, schema)?;
                bits::check_aggregate(name, args, schema)?;
                None
            }
        },
        Expr::WindowFunction(window) => {
            let (name, args) = (written_name(window.fun.name()), &window.params.args);
            check_function(&EXTREMES, name, args, schema)?;
            check_function(&OF_ROWS, name, args, schema)?;
            bits::check_aggregate(name, args, schema)?;
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
        Expr::Cast(mut cast) => match of_expr(&cast.expr, schema) {
            Some(of) => {
                if let Some(number) = bits::as_number(&cast, of) {
                    return Transformed::yes(number);
                }
                let is_unmarked = drops_marks(&mut cast.field);
                let is_text = of == Keyed::Inet
                    && cast.field.data_type().is_string()
                    && Keyed::of_field(&cast.field).is_none();
                if is_text {
                    cast.expr = Box::new(text_types::text_of_address(*cast.expr));
                }
                Transformed::new_transformed(Expr::Cast(cast), is_unmarked || is_text)
            }
            None => Transformed::no(Expr::Cast(cast)),
        },
        Expr::TryCast(mut cast) if of_expr(&cast.expr, schema).is_some() => {
            let changed = drops_marks(&mut cast.field);
            Transformed::new_transformed(Expr::TryCast(cast), changed)
        }
        expr => Transformed::no(expr),
    }
}

/// Refuses functions whose result would be a text, which compares as one.
fn check_function(refused: &[&str], name: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    if !refused.contains(&name) {
        return Ok(());
    }
    match args.iter().find_map(|arg| of_expr(arg, schema)) {
        Some(of) if !of.compares() => Err(uncompared::without_function(of, name).into()),
        Some(of) => {
            let message = format!("{name} of {} is not supported", of.name());
            let hint = match of {
                Keyed::Timetz => "cast it to time, or order by it and take the first row",
                _ => "order by it and take the first row",
            };
            Err(Error::not_supported(message).with_hint(hint).into())
        }
        None => Ok(()),
    }
}

/// Returns a comparison of keys; `None` for expressions that compare no such values.
fn compared(expr: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    match expr {
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
        expr => {
            let Some((values, symbol)) = operands(expr) else {
                return Ok(None);
            };
            let keys = keys(values, symbol, schema)?;
            Ok(keys.and_then(|keys| with_operands(expr, keys)))
        }
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
    let Some(of) = of_expr(&column, inner).or_else(|| of_expr(value, schema)) else {
        return Ok(None);
    };
    uncompared::check_named(of, "=")?;
    // Each is of the type, or becomes one beside the other.
    for (one, within) in [(&column, inner), (value, schema)] {
        check_beside(of, written(one), "=", within)?;
    }
    let key = |value: &Expr| of.call(Act::Key, vec![written(value).clone()]);
    let keys = returning(subquery, key(&column).alias("__key"))?;
    Ok(Some((key(value), keys)))
}

/// Returns a CASE that compares keys, and whose results have the type; `None` for others.
fn of_case(case: &Case, schema: &DFSchema) -> Result<Option<Expr>> {
    let keys = match operands_of_case(case) {
        Some(operands) => keys(operands, "=", schema)?,
        None => None,
    };
    let of_keys = keys.and_then(|keys| case_with_operands(case, keys));
    let of_results = common(results_of(case), schema);
    let mut case = match of_keys {
        Some(case) => case,
        None if of_results.is_some() => case.clone(),
        None => return Ok(None),
    };
    let Some(of) = of_results else {
        return Ok(Some(Expr::Case(case)));
    };
    for (_, then) in &mut case.when_then_expr {
        **then = read(of, then);
    }
    if let Some(other) = &mut case.else_expr {
        **other = read(of, other);
    }
    Ok(Some(of.call(Act::In, vec![Expr::Case(case)])))
}

/// Returns a value that becomes one of the type. Times of day have the session's zone then.
fn read(of: Keyed, value: &Expr) -> Expr {
    of.call(Act::In, vec![written(value).clone()])
}

/// Returns the type of the items of `ARRAY[…]`.
fn of_items(list: &Expr, schema: &DFSchema) -> Option<Keyed> {
    match list {
        Expr::ScalarFunction(call) if call.func.name() == ARRAY => common(&call.args, schema),
        _ => None,
    }
}

fn called(function: &ScalarFunction, schema: &DFSchema) -> Result<Option<Expr>> {
    if let Some(of_bits) = bits::called(function, schema) {
        return Ok(Some(of_bits));
    }
    if let Some(of_ranges) = ranges::called(function, schema)? {
        return Ok(Some(of_ranges));
    }
    let args = function.args.as_slice();
    Ok(match (function.func.name(), args) {
        ("nullif", [value, other]) => {
            let of = of_expr(value, schema).or_else(|| of_expr(other, schema));
            let keys = keys([value, other], "=", schema)?;
            of.zip(keys).and_then(|(of, mut keys)| {
                let equal = keys.next()?.eq(keys.next()?);
                let null = Expr::Literal(ScalarValue::Utf8(None), None);
                let value = Case::new(
                    None,
                    vec![(Box::new(equal), Box::new(null))],
                    Some(Box::new(written(value).clone())),
                );
                Some(of.call(Act::In, vec![Expr::Case(value)]))
            })
        }
        ("greatest", args) => extreme(Act::Greatest, args, schema)?,
        ("least", args) => extreme(Act::Least, args, schema)?,
        ("coalesce", args) => common(args, schema).map(|of| {
            let texts = args.iter().map(|arg| read(of, arg)).collect();
            of.call(Act::In, vec![function.func.call(texts)])
        }),
        ("date_part", [unit, time]) if of_expr(time, schema) == Some(Keyed::Timetz) => {
            let part = timetz::function(timetz::Kind::Part);
            let part = part.call(vec![unit.clone(), time.clone()]);
            Some(match unit {
                Expr::Literal(name, _) if is_whole(name) => {
                    Expr::Cast(Cast::new(Box::new(part), DataType::Int32))
                }
                _ => part,
            })
        }
        (EXTRACT, [unit, time]) if of_expr(time, schema) == Some(Keyed::Timetz) => {
            let part = timetz::function(timetz::Kind::Part);
            let part = part.call(vec![unit.clone(), time.clone()]);
            let name = unit
                .as_literal()
                .and_then(|unit| unit.try_as_str().flatten());
            let returns = extracted_type(name.unwrap_or_default(), &TIME_OF_DAY);
            Some(Expr::Cast(Cast::new(Box::new(part), returns)))
        }
        (AT_TIME_ZONE, [zone, time]) if of_expr(time, schema) == Some(Keyed::Timetz) => {
            let at = timetz::function(timetz::Kind::At);
            Some(at.call(vec![zone.clone(), time.clone()]))
        }
        (ANY | ALL, [op, value, list]) => {
            let value = written(value);
            let beside = || of_items(list, schema).filter(|of| of.takes(value, schema));
            let of = of_expr(value, schema).or_else(beside);
            if let Some(of) = of {
                let symbol = op.as_literal().and_then(|op| op.try_as_str().flatten());
                uncompared::check_named(of, symbol.unwrap_or("="))?;
            }
            of.map(|of| {
                let keys = of.call(Act::Keys, vec![list.clone()]);
                let key = of.call(Act::Key, vec![value.clone()]);
                function.func.call(vec![op.clone(), key, keys])
            })
        }
        // A cast of an address, which has been given its text. Bits that are not of its network
        // become zeros.
        ("$cidr_in", [Expr::Cast(cast)]) => {
            let address = text_types::address_of(&cast.expr).cloned();
            address.map(|address| networks::function(networks::NETWORK).call(vec![address]))
        }
        // Here bits are no longer of it.
        ("set_masklen", [network, _]) if of_expr(network, schema) == Some(Keyed::Cidr) => {
            let moved = Expr::ScalarFunction(function.clone());
            Some(networks::function(networks::NETWORK).call(vec![moved]))
        }
        _ => None,
    })
}

/// Returns the greatest or the least of values; `None` for values of other types.
fn extreme(act: Act, args: &[Expr], schema: &DFSchema) -> Result<Option<Expr>> {
    let Some(of) = common(args, schema) else {
        return Ok(None);
    };
    uncompared::check_has(of, "a comparison function")?;
    Ok(Some(of.call(act, plain(args))))
}

fn plain(values: &[Expr]) -> Vec<Expr> {
    values.iter().map(|value| written(value).clone()).collect()
}

/// Returns whether the values of a unit are whole numbers.
fn is_whole(unit: &ScalarValue) -> bool {
    let unit = unit.try_as_str().flatten().map(extract::unit_of);
    unit.is_some_and(|unit| extract::is_whole(&unit))
}
