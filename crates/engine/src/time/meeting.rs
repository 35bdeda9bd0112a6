//! Where times with a zone meet times without one, or dates, all get the zone, as in PostgreSQL: a
//! time without a zone is what the session's clock shows. DataFusion uses its own common type and
//! drops the zone, or takes a time without a zone for one of the other's zone.
//!
//! ```text
//! timestamptz < timestamp        timestamptz < CAST(timestamp AS timestamptz)
//!                                    likewise -, BETWEEN, IN, CASE, UNION
//! coalesce(timestamptz, date)    coalesce(timestamptz, CAST(date AS timestamptz))
//!                                    likewise greatest, least, nullif …
//! SELECT submitted_at            CAST(submitted_at AS timestamptz)
//!                                    the session's zone in place of the table's
//! ```
//!
//! Runs before type coercion, which decides on common types. Delete this when DataFusion decides as
//! PostgreSQL does.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Case, Expr, ExprSchemable, Join, LogicalPlan, Operator, Projection, Union, Values,
};
use datafusion::optimizer::AnalyzerRule;

use super::at_zone::AT_TIME_ZONE;
use super::instants::{CLOCK_TIMESTAMP, STATEMENT_TIMESTAMP};
use super::truncated_dates;
use super::zones::is_utc;
use crate::joins::set_operations::is_set_operation;
use crate::plans::expressions;

/// Functions whose arguments all have the same type.
const OF_ONE_TYPE: &[&str] = &[
    "age_between",
    "coalesce",
    "generate_series",
    "greatest",
    "ifnull",
    "least",
    "make_array",
    "nvl",
    "range",
];

/// Casts times to the session's zone if they meet one with a zone.
#[derive(Debug)]
pub struct MeetingZones;

impl AnalyzerRule for MeetingZones {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let session = config.execution.time_zone.as_deref().unwrap_or("UTC");
        if !concerns(&plan)? {
            return Ok(plan);
        }
        let session: Arc<str> = session.into();
        let of = |node: LogicalPlan, is_changed: bool| node_of(node, is_changed, &session);
        expressions::each_operator(plan, &of).data()
    }

    fn name(&self) -> &str {
        "meeting_zones"
    }
}

/// Returns whether any column or expression of a plan may have a zone.
fn concerns(plan: &LogicalPlan) -> Result<bool> {
    expressions::has_values(plan, |field| has_zone(field.data_type()), makes_zoned)
}

fn makes_zoned(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(cast) => has_zone(cast.field.data_type()),
        Expr::TryCast(cast) => has_zone(cast.field.data_type()),
        Expr::Literal(value, _) => has_zone(&value.data_type()),
        // The results of others have a zone only if an argument has, and arguments are checked
        // themselves.
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            // Such as the time at which the server began.
            let is_zoned = || call.func.return_type(&[]).is_ok_and(|of| has_zone(&of));
            name.starts_with("to_timestamp")
                || (call.args.is_empty() && is_zoned())
                || matches!(
                    name,
                    "now"
                        | "make_timestamptz"
                        | truncated_dates::NAME
                        | STATEMENT_TIMESTAMP
                        | CLOCK_TIMESTAMP
                        | "timezone"
                        | "from_unixtime"
                        | "from_unixtime_nanos"
                        | "from_iso8601_timestamp"
                        | "from_iso8601_timestamp_nanos"
                        | "parse_datetime"
                        | "at_timezone"
                        | "with_timezone"
                        | "arrow_cast"
                )
        }
        _ => false,
    }
}

fn has_zone(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, Some(_)))
}

/// `is_changed`: whether what is below the operator changed, so that its columns may have other
/// types.
fn node_of(
    node: LogicalPlan,
    is_changed: bool,
    session: &Arc<str>,
) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::TableScan(_) => in_session_zone(node, session),
        LogicalPlan::Union(union) => union_of(union, session).map(Transformed::yes),
        LogicalPlan::Values(values) => values_of(values, session).map(Transformed::yes),
        LogicalPlan::EmptyRelation(_) => Ok(Transformed::no(node)),
        LogicalPlan::Join(join) if is_set_operation(&join) => {
            let join = set_operation(join, session)?.recompute_schema();
            join.map(Transformed::yes)
        }
        node => {
            let schema = expressions::schema_of_inputs(&node);
            let names = NamePreserver::new(&node);
            let node = node.map_expressions(|expr| {
                expressions::named(expr, &names, &|expr| met(expr, &schema, session))
            })?;
            match is_changed || node.transformed {
                true => node.data.recompute_schema().map(Transformed::yes),
                false => Ok(node),
            }
        }
    }
}

/// Casts the columns of a table that have another zone. The instants stay the same.
fn in_session_zone(scan: LogicalPlan, session: &Arc<str>) -> Result<Transformed<LogicalPlan>> {
    let schema = Arc::clone(scan.schema());
    let same = |zone: &Arc<str>| zone == session || (is_utc(zone) && is_utc(session));
    let other = |data_type: &DataType| match data_type {
        DataType::Timestamp(unit, Some(zone)) if !same(zone) => {
            Some(DataType::Timestamp(*unit, Some(Arc::clone(session))))
        }
        _ => None,
    };
    if !schema
        .fields()
        .iter()
        .any(|field| other(field.data_type()).is_some())
    {
        return Ok(Transformed::no(scan));
    }
    let columns = schema
        .iter()
        .map(|(qualifier, field)| {
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            match other(field.data_type()) {
                Some(target) => Expr::Cast(Cast::new(Box::new(column), target))
                    .alias_qualified(qualifier.cloned(), field.name()),
                None => column,
            }
        })
        .collect();
    let list = Projection::try_new(columns, Arc::new(scan))?;
    Ok(Transformed::yes(LogicalPlan::Projection(list)))
}

/// Fixes VALUES with times with a zone and times without, or dates, in one column: DataFusion gives
/// the former the zone of the latter, and casts both to nanoseconds without a zone if there is a
/// date.
fn values_of(values: Values, session: &Arc<str>) -> Result<LogicalPlan> {
    let none = DFSchema::empty();
    let naive = DataType::Timestamp(TimeUnit::Nanosecond, None);
    // Whether DataFusion made the cast, and not the session.
    let is_made = |cast: &Cast| match cast.field.data_type() {
        DataType::Timestamp(_, Some(zone)) if zone != session => {
            cast.expr.get_type(&none).is_ok_and(|of| is_naive(&of))
        }
        other => *other == naive,
    };
    let concerns = |expr: &Expr| match expr {
        Expr::Cast(cast) if *cast.field.data_type() == naive => {
            cast.expr.get_type(&none).is_ok_and(|of| has_zone(&of))
        }
        Expr::Cast(cast) => is_made(cast),
        _ => false,
    };
    let zones: Vec<Option<DataType>> = (0..values.schema.fields().len())
        .map(|column| {
            let mut column = values.values.iter().filter_map(|row| row.get(column));
            column.any(concerns).then(|| zoned(session))
        })
        .collect();
    if zones.iter().all(Option::is_none) {
        return Ok(LogicalPlan::Values(values));
    }
    let cast = |(expr, target): (Expr, &Option<DataType>)| match (expr, target) {
        (Expr::Cast(cast), Some(target)) if is_made(&cast) => {
            Expr::Cast(Cast::new(cast.expr, target.clone()))
        }
        (expr, Some(target)) => Expr::Cast(Cast::new(Box::new(expr), target.clone())),
        (expr, None) => expr,
    };
    let rows = values.values.into_iter();
    let rows = rows.map(|row| row.into_iter().zip(&zones).map(cast).collect());
    let fields = values
        .schema
        .iter()
        .zip(&zones)
        .map(|((qualifier, field), zone)| {
            let field = match zone {
                Some(zone) => Arc::new(field.as_ref().clone().with_data_type(zone.clone())),
                None => Arc::clone(field),
            };
            (qualifier.cloned(), field)
        })
        .collect();
    let schema = DFSchema::new_with_metadata(fields, values.schema.metadata().clone())?;
    Ok(LogicalPlan::Values(Values {
        schema: Arc::new(schema),
        values: rows.collect(),
    }))
}

/// Gives the columns of an INTERSECT or EXCEPT a zone on both sides if they have one on either.
fn set_operation(mut join: Join, session: &Arc<str>) -> Result<LogicalPlan> {
    let left = join.left.schema().fields().iter();
    let right = join.right.schema().fields().iter();
    let zones: Vec<Option<DataType>> = left
        .zip(right)
        .map(|(left, right)| common([left.data_type(), right.data_type()].into_iter(), session))
        .collect();
    if zones.iter().any(Option::is_some) {
        join.left = cast_columns(join.left, &zones)?;
        join.right = cast_columns(join.right, &zones)?;
    }
    Ok(LogicalPlan::Join(join))
}

/// Gives a column of a union a zone in all inputs if it has one in any.
fn union_of(union: Union, session: &Arc<str>) -> Result<LogicalPlan> {
    let width = union.schema.fields().len();
    let types = |input: &LogicalPlan| -> Vec<DataType> {
        let fields = input.schema().fields().iter();
        fields.map(|field| field.data_type().clone()).collect()
    };
    let all: Vec<Vec<DataType>> = union.inputs.iter().map(|input| types(input)).collect();
    if all.iter().any(|types| types.len() != width) {
        return Ok(LogicalPlan::Union(union));
    }
    let zones: Vec<Option<DataType>> = (0..width)
        .map(|column| common(all.iter().filter_map(|types| types.get(column)), session))
        .collect();
    let unchanged = zones.iter().all(Option::is_none);
    let inputs = union
        .inputs
        .iter()
        .map(|input| match unchanged {
            true => Ok(Arc::clone(input)),
            false => cast_columns(Arc::clone(input), &zones),
        })
        .collect::<Result<Vec<_>>>()?;
    Union::try_new_with_loose_types(inputs).map(LogicalPlan::Union)
}

/// Casts columns to these types, where one is given.
fn cast_columns(plan: Arc<LogicalPlan>, types: &[Option<DataType>]) -> Result<Arc<LogicalPlan>> {
    let schema = Arc::clone(plan.schema());
    let columns = schema
        .iter()
        .zip(types)
        .map(|((qualifier, field), target)| {
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            match target {
                Some(target) if is_cast(field.data_type(), target) => {
                    Expr::Cast(Cast::new(Box::new(column), target.clone()))
                        .alias_qualified(qualifier.cloned(), field.name())
                }
                _ => column,
            }
        })
        .collect();
    Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(
        columns, plan,
    )?)))
}

fn is_naive(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, None) | DataType::Date32)
}

/// Returns the type of times with the session's zone.
fn zoned(session: &Arc<str>) -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(session)))
}

/// Returns whether values are cast to the common type: those without a zone, which have the
/// session's, and those with another one, whose instants stay the same.
fn is_cast(data_type: &DataType, target: &DataType) -> bool {
    is_naive(data_type) || (has_zone(data_type) && data_type != target)
}

/// Returns the common type with a zone; `None` if no type has a zone, or all have.
fn common<'a>(types: impl Iterator<Item = &'a DataType>, session: &Arc<str>) -> Option<DataType> {
    let (mut zone, mut naive) = (false, false);
    for data_type in types {
        zone |= has_zone(data_type);
        naive |= is_naive(data_type);
    }
    (zone && naive).then(|| zoned(session))
}

/// Casts the operands if some have a zone and some have none. Returns whether it did.
fn meet(operands: &mut [&mut Expr], schema: &DFSchema, session: &Arc<str>) -> bool {
    let types: Vec<Option<DataType>> = operands
        .iter()
        .map(|operand| operand.get_type(schema).ok())
        .collect();
    let Some(target) = common(types.iter().flatten(), session) else {
        return false;
    };
    for (operand, data_type) in operands.iter_mut().zip(&types) {
        if data_type.as_ref().is_some_and(|of| is_cast(of, &target)) {
            let naive = std::mem::take(*operand);
            **operand = Expr::Cast(Cast::new(Box::new(naive), target.clone()));
        }
    }
    true
}

/// Reads texts beside times with a zone by the session's clock. Returns whether there are any.
fn read_texts(operands: &mut [&mut Expr], schema: &DFSchema, session: &Arc<str>) -> bool {
    let is_zoned = |operand: &Expr| operand.get_type(schema).is_ok_and(|of| has_zone(&of));
    if !operands.iter().any(|operand| is_zoned(operand)) {
        return false;
    }
    let mut are_read = false;
    for operand in operands {
        if matches!(operand, Expr::Literal(value, _) if value.data_type().is_string()) {
            let text = std::mem::take(*operand);
            **operand = Expr::Cast(Cast::new(Box::new(text), zoned(session)));
            are_read = true;
        }
    }
    are_read
}

fn met(mut expr: Expr, schema: &DFSchema, session: &Arc<str>) -> Result<Transformed<Expr>> {
    let changed = match &mut expr {
        Expr::BinaryExpr(binary)
            if expressions::is_comparison(binary.op) || binary.op == Operator::Minus =>
        {
            meet(&mut [&mut binary.left, &mut binary.right], schema, session)
        }
        Expr::Between(between) => meet(
            &mut [&mut between.expr, &mut between.low, &mut between.high],
            schema,
            session,
        ),
        Expr::InList(list) => {
            let mut operands = vec![list.expr.as_mut()];
            operands.extend(list.list.iter_mut());
            meet(&mut operands, schema, session)
        }
        Expr::Case(case) => {
            let mut results = Vec::new();
            let mut conditions = Vec::new();
            let has_operand = case.expr.is_some();
            conditions.extend(case.expr.as_mut().map(Box::as_mut));
            for (when, then) in &mut case.when_then_expr {
                if has_operand {
                    conditions.push(when.as_mut());
                }
                results.push(then.as_mut());
            }
            results.extend(case.else_expr.as_mut().map(Box::as_mut));
            let conditions = meet(&mut conditions, schema, session);
            meet(&mut results, schema, session) || conditions
        }
        Expr::ScalarFunction(call) if call.func.name() == "date_bin" => {
            let mut times: Vec<&mut Expr> = call.args.iter_mut().skip(1).collect();
            let are_read = read_texts(&mut times, schema, session);
            meet(&mut times, schema, session) || are_read
        }
        Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            let mut operands: Vec<&mut Expr> = call.args.iter_mut().collect();
            meet(&mut operands, schema, session)
        }
        Expr::ScalarFunction(call) if call.func.name() == "nullif" => {
            return nullif(expr, schema, session);
        }
        Expr::ScalarFunction(call) if call.func.name() == AT_TIME_ZONE => {
            match call.args.get_mut(1) {
                Some(time) if is_date_and_interval(time, schema) => {
                    let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
                    let date = std::mem::take(time);
                    *time = Expr::Cast(Cast::new(Box::new(date), naive));
                    true
                }
                _ => false,
            }
        }
        Expr::InSubquery(_) => return in_subquery(expr, schema, session),
        _ => false,
    };
    Ok(match changed {
        true => Transformed::yes(expr),
        false => Transformed::no(expr),
    })
}

/// Returns whether an expression adds a date and an interval: a date in Trino's dialects, which `AT
/// TIME ZONE` takes for a timestamp as in PostgreSQL.
fn is_date_and_interval(expr: &Expr, schema: &DFSchema) -> bool {
    let Expr::BinaryExpr(binary) = expr else {
        return false;
    };
    let is_interval = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Interval(_)));
    matches!(expr.get_type(schema), Ok(DataType::Date32))
        && (is_interval(&binary.left) || is_interval(&binary.right))
}

/// Rewrites `nullif`, which keeps the type of its first argument.
fn nullif(expr: Expr, schema: &DFSchema, session: &Arc<str>) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = &expr else {
        return Ok(Transformed::no(expr));
    };
    let [value, other] = call.args.as_slice() else {
        return Ok(Transformed::no(expr));
    };
    let (mut left, mut right) = (value.clone(), other.clone());
    if !meet(&mut [&mut left, &mut right], schema, session) {
        return Ok(Transformed::no(expr));
    }
    let null = Expr::Literal(ScalarValue::try_from(value.get_type(schema)?)?, None);
    let whens = vec![(Box::new(left.eq(right)), Box::new(null))];
    let case = Case::new(None, whens, Some(Box::new(value.clone())));
    Ok(Transformed::yes(Expr::Case(case)))
}

fn in_subquery(expr: Expr, schema: &DFSchema, session: &Arc<str>) -> Result<Transformed<Expr>> {
    let Expr::InSubquery(test) = expr else {
        return Ok(Transformed::no(expr));
    };
    let value = test.expr.get_type(schema).ok();
    let item = test.subquery.subquery.schema().fields().first();
    let item = item.map(|field| field.data_type().clone());
    let Some(target) = common(value.iter().chain(&item), session) else {
        return Ok(Transformed::no(Expr::InSubquery(test)));
    };
    let InSubquery {
        mut expr,
        mut subquery,
        negated,
    } = test;
    if value.is_some_and(|of| is_cast(&of, &target)) {
        expr = Box::new(Expr::Cast(Cast::new(expr, target.clone())));
    }
    subquery.subquery = cast_columns(Arc::clone(&subquery.subquery), &[Some(target)])?;
    Ok(Transformed::yes(Expr::InSubquery(InSubquery::new(
        expr, subquery, negated,
    ))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::error::DataFusionError;
    use datafusion::logical_expr::{
        ColumnarValue, LogicalPlanBuilder, Volatility, create_udf, lit,
    };

    use super::*;

    #[test]
    fn functions_without_arguments_make_times_with_a_zone() {
        let naive = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (of, is_concerned) in [(zoned(&"UTC".into()), true), (naive, false)] {
            let call = |_: &[ColumnarValue]| -> Result<ColumnarValue> {
                Err(DataFusionError::Internal("called".to_owned()))
            };
            let began = create_udf("began", Vec::new(), of, Volatility::Stable, Arc::new(call));
            let rows = LogicalPlanBuilder::empty(true);
            let later = rows.filter(began.call(Vec::new()).gt(lit("2024-01-01")));
            let later = later.unwrap().build().unwrap();
            assert_eq!(concerns(&later).unwrap(), is_concerned);
        }
    }
}
