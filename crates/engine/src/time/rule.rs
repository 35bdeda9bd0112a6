//! The analyzer rule that runs after type coercion, which casts times to nanoseconds in
//! comparisons, unions and arguments.

use std::sync::Arc;

use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL128_MAX_SCALE, DataType, Field, IntervalUnit, TimeUnit,
};
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, Placeholder, ScalarFunction, TryCast, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Projection, Union, Values, WindowFrame,
    WindowFrameBound, WindowFrameUnits,
};
use datafusion::optimizer::AnalyzerRule;

use super::ages::AGE;
use super::date_order::{DateOrder, order_of};
use super::input::{MAX_DIGITS, TimeOfText, is_read};
use super::types::{in_microseconds, with_texts};
use super::{
    day_times, extremes, fields, length, parts, precision, reach, shifted_days, zoned, zones,
};
use crate::{plans::expressions, text::texts};

/// Replaces DataFusion's nanoseconds with microseconds, and writes times as text as PostgreSQL
/// does.
#[derive(Debug)]
pub struct Microseconds;

impl AnalyzerRule for Microseconds {
    fn analyze(&self, plan: LogicalPlan, options: &ConfigOptions) -> Result<LogicalPlan> {
        if !concerns(&plan)? {
            return Ok(plan);
        }
        let order = order_of(options);
        let of = |node, is_changed| rewritten(node, is_changed, order);
        expressions::each_operator(plan, &of).data()
    }

    fn name(&self) -> &str {
        "microseconds"
    }
}

/// Orders windows over intervals by their lengths. Runs before type coercion, which checks the type
/// of RANGE.
#[derive(Debug)]
pub struct WindowsByLength;

impl AnalyzerRule for WindowsByLength {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_window = |expr: &Expr| matches!(expr, Expr::WindowFunction(_));
        expressions::rewritten(plan, is_window, |expr, schema| match &expr {
            Expr::WindowFunction(window) if !has_offset(&window.params.window_frame) => {
                match length::ordered(&expr, schema) {
                    Some(by_length) => Transformed::yes(by_length),
                    None => by_peers(expr, schema),
                }
            }
            Expr::WindowFunction(window) => {
                let wider = of_timestamps(window, schema)
                    .or_else(|| of_wider(window, schema))
                    .or_else(|| of_exact(window, schema))
                    .or_else(|| reach::checked(window, schema));
                match wider {
                    Some(window) => Transformed::yes(Expr::WindowFunction(Box::new(window))),
                    None => Transformed::no(expr),
                }
            }
            _ => Transformed::no(expr),
        })
    }

    fn name(&self) -> &str {
        "windows_by_length"
    }
}

/// Turns a RANGE frame without offsets into a GROUPS frame. Both end with the peers of a row, but
/// DataFusion accepts any type for GROUPS.
fn by_peers(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::WindowFunction(mut window) = expr else {
        return Transformed::no(expr);
    };
    let key = window.params.order_by.first();
    let of = key.and_then(|key| key.expr.get_type(schema).ok());
    let frame = &mut window.params.window_frame;
    let has_range = of.is_none_or(|of| {
        of.is_numeric()
            || of.is_string()
            || of.is_null()
            || of.is_list()
            || matches!(
                of,
                DataType::Boolean
                    | DataType::Dictionary(..)
                    | DataType::Date32
                    | DataType::Date64
                    | DataType::Timestamp(..)
            )
    });
    if frame.units != WindowFrameUnits::Range || has_range {
        return Transformed::no(Expr::WindowFunction(window));
    }
    let bound = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(_) => WindowFrameBound::Preceding(ScalarValue::UInt64(None)),
        WindowFrameBound::Following(_) => WindowFrameBound::Following(ScalarValue::UInt64(None)),
        WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
    };
    let (start, end) = (bound(&frame.start_bound), bound(&frame.end_bound));
    *frame = WindowFrame::new_bounds(WindowFrameUnits::Groups, start, end);
    Transformed::yes(Expr::WindowFunction(window))
}

/// Returns whether a frame has a RANGE offset, whose type depends on that of the order key.
fn has_offset(frame: &WindowFrame) -> bool {
    let goes_far = |bound: &WindowFrameBound| match bound {
        WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) => !by.is_null(),
        WindowFrameBound::CurrentRow => false,
    };
    frame.units == WindowFrameUnits::Range
        && (goes_far(&frame.start_bound) || goes_far(&frame.end_bound))
}

/// Turns a RANGE window over dates into one over timestamps: DataFusion ignores the hours of an
/// interval that it subtracts from a date.
fn of_timestamps(window: &WindowFunction, schema: &DFSchema) -> Option<WindowFunction> {
    let mut window = window.clone();
    let [key] = window.params.order_by.as_mut_slice() else {
        return None;
    };
    if !matches!(key.expr.get_type(schema), Ok(DataType::Date32)) {
        return None;
    }
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
    let date = Box::new(std::mem::take(&mut key.expr));
    key.expr = Expr::Cast(Cast::new(date, timestamp));
    Some(window)
}

/// Turns a RANGE window over integers into one over wider numbers. Where a key with its offset is
/// out of range, DataFusion takes all rows up to the last, which may have NULL as their key
/// (`WindowFrameStateRange` of `datafusion-expr`, 55.2).
fn of_wider(window: &WindowFunction, schema: &DFSchema) -> Option<WindowFunction> {
    let mut window = window.clone();
    let frame = &window.params.window_frame;
    let [start, end] = [&frame.start_bound, &frame.end_bound].map(|bound| match bound {
        WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) if !by.is_null() => {
            by.to_string().parse::<i64>().ok()
        }
        _ => Some(0),
    });
    let are_small = [start?, end?].map(|offset| i32::try_from(offset).is_ok());
    let [key] = window.params.order_by.as_mut_slice() else {
        return None;
    };
    let wider = match key.expr.get_type(schema).ok()? {
        DataType::Int8 | DataType::Int16 | DataType::Int32 if are_small == [true, true] => {
            DataType::Int64
        }
        of if of.is_signed_integer() => DataType::Decimal128(20, 0),
        _ => return None,
    };
    let integer = Box::new(std::mem::take(&mut key.expr));
    key.expr = Expr::Cast(Cast::new(integer, wider));
    Some(window)
}

/// Turns a RANGE window over `real` into one over doubles, and one over decimals into one that holds
/// all digits of its offsets: DataFusion rounds an offset to the type of the key.
fn of_exact(window: &WindowFunction, schema: &DFSchema) -> Option<WindowFunction> {
    let mut window = window.clone();
    let frame = &window.params.window_frame;
    let [start, end] = [&frame.start_bound, &frame.end_bound].map(|bound| match bound {
        WindowFrameBound::Preceding(by) | WindowFrameBound::Following(by) => {
            by.try_as_str().flatten().map_or(0, digits_after_point)
        }
        WindowFrameBound::CurrentRow => 0,
    });
    let [key] = window.params.order_by.as_mut_slice() else {
        return None;
    };
    let exact = match key.expr.get_type(schema).ok()? {
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        DataType::Decimal128(precision, scale) if start.max(end) > scale => {
            let digits = start.max(end).min(DECIMAL128_MAX_SCALE);
            let more = u8::try_from(digits.checked_sub(scale)?).ok()?;
            let precision = precision.saturating_add(more).min(DECIMAL128_MAX_PRECISION);
            DataType::Decimal128(precision, digits)
        }
        _ => return None,
    };
    let number = Box::new(std::mem::take(&mut key.expr));
    key.expr = Expr::Cast(Cast::new(number, exact));
    Some(window)
}

/// Returns the number of digits after the point of a number's text.
fn digits_after_point(text: &str) -> i8 {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let part = mantissa.split_once('.').map_or("", |(_, part)| part);
    let digits = i64::try_from(part.trim_end().trim_end_matches('0').len()).unwrap_or(i64::MAX);
    let exponent: i64 = exponent.trim_end().parse().unwrap_or(0);
    i8::try_from(digits.saturating_sub(exponent).max(0)).unwrap_or(i8::MAX)
}

/// Returns whether a plan may have nanoseconds, intervals that are made of other values, or casts that
/// are evaluated here.
fn concerns(plan: &LogicalPlan) -> Result<bool> {
    let has_columns = |node: &LogicalPlan| match node {
        LogicalPlan::TableScan(scan) => has_nanoseconds(&scan.projected_schema),
        _ => false,
    };
    expressions::has_any(plan, &has_columns, &is_done_here)
}

fn is_done_here(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            let target = field.data_type();
            target.is_string() || with_texts(target).is_some() || target.is_temporal()
        }
        Expr::Literal(value, _) => {
            let data_type = value.data_type();
            matches!(data_type, DataType::Interval(_)) || in_microseconds(&data_type).is_some()
        }
        Expr::ScalarFunction(call) => {
            is_asked_for(call) || matches!(call.func.name(), "date_part" | AGE)
        }
        Expr::BinaryExpr(binary) => matches!(binary.op, Operator::Plus | Operator::Minus),
        _ => false,
    }
}

/// Returns whether a call may name nanoseconds: `arrow_cast(x, 'Timestamp(ns)')`.
fn is_asked_for(call: &ScalarFunction) -> bool {
    matches!(call.func.name(), "arrow_cast" | "arrow_try_cast")
}

fn has_nanoseconds(schema: &DFSchema) -> bool {
    schema
        .fields()
        .iter()
        .any(|field| in_microseconds(field.data_type()).is_some())
}

/// `is_changed`: whether what is below the operator changed, so that its columns may have other
/// types. `order`: of day, month and year in texts.
fn rewritten(
    node: LogicalPlan,
    is_changed: bool,
    order: DateOrder,
) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::TableScan(scan) = &node {
        return match has_nanoseconds(&scan.projected_schema) {
            true => cast_columns(node).map(Transformed::yes),
            false => Ok(Transformed::no(node)),
        };
    }
    let schema = expressions::schema_of_inputs(&node);
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expr| {
        expressions::named(expr, &names, &|expr| expression(expr, &schema, order))
    })?;
    let is_changed = is_changed || node.transformed;
    Ok(match node.data {
        LogicalPlan::Sort(mut sort) => {
            let mut is_changed = is_changed;
            for key in &mut sort.expr {
                is_changed |= length::by_length(&mut key.expr, &schema);
            }
            Transformed::new_transformed(LogicalPlan::Sort(sort), is_changed)
        }
        LogicalPlan::Union(union) => Transformed::yes(LogicalPlan::Union(Union {
            schema: converted(&union.schema)?,
            inputs: union.inputs,
        })),
        LogicalPlan::Values(values) => Transformed::yes(LogicalPlan::Values(Values {
            schema: converted(&values.schema)?,
            values: values.values,
        })),
        node if is_changed => Transformed::yes(node.recompute_schema()?),
        node => Transformed::no(node),
    })
}

/// Casts the columns of a table.
fn cast_columns(scan: LogicalPlan) -> Result<LogicalPlan> {
    let schema = Arc::clone(scan.schema());
    let columns = schema
        .iter()
        .map(|(qualifier, field)| {
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            match in_microseconds(field.data_type()) {
                Some(target) => Expr::Cast(Cast::new(Box::new(column), target))
                    .alias_qualified(qualifier.cloned(), field.name()),
                None => column,
            }
        })
        .collect();
    Projection::try_new(columns, Arc::new(scan)).map(LogicalPlan::Projection)
}

fn converted(schema: &DFSchemaRef) -> Result<DFSchemaRef> {
    if !has_nanoseconds(schema) {
        return Ok(Arc::clone(schema));
    }
    let fields = schema
        .iter()
        .map(|(qualifier, field)| (qualifier.cloned(), field_in_microseconds(field)))
        .collect();
    let converted = DFSchema::new_with_metadata(fields, schema.metadata().clone())?
        .with_functional_dependencies(schema.functional_dependencies().clone())?;
    Ok(Arc::new(converted))
}

fn field_in_microseconds(field: &Arc<Field>) -> Arc<Field> {
    match in_microseconds(field.data_type()) {
        Some(data_type) => Arc::new(field.as_ref().clone().with_data_type(data_type)),
        None => Arc::clone(field),
    }
}

fn expression(expr: Expr, schema: &DFSchema, order: DateOrder) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::Cast(Cast { expr, field }) => {
            Transformed::yes(cast(*expr, field, schema, true, order))
        }
        Expr::TryCast(TryCast { expr, field }) => {
            Transformed::yes(cast(*expr, field, schema, false, order))
        }
        Expr::Literal(value, metadata) => match in_microseconds(&value.data_type()) {
            Some(_) if matches!(value, ScalarValue::TimestampNanosecond(..)) => {
                Transformed::yes(Expr::Literal(literal(value), metadata))
            }
            Some(target) => Transformed::yes(Expr::Literal(value.cast_to(&target)?, metadata)),
            None => Transformed::no(Expr::Literal(value, metadata)),
        },
        Expr::OuterReferenceColumn(field, column) => Transformed::yes(Expr::OuterReferenceColumn(
            field_in_microseconds(&field),
            column,
        )),
        Expr::Placeholder(Placeholder { id, field }) => {
            Transformed::yes(Expr::Placeholder(Placeholder {
                id,
                field: field.as_ref().map(field_in_microseconds),
            }))
        }
        Expr::ScalarFunction(call) if is_asked_for(&call) => {
            let call = Expr::ScalarFunction(call);
            let asked = call.get_type(schema).ok();
            match asked.as_ref().and_then(in_microseconds) {
                Some(target) => Transformed::yes(Expr::Cast(Cast::new(Box::new(call), target))),
                None => Transformed::no(call),
            }
        }
        Expr::ScalarFunction(call) => {
            let other = precision::of_text(&call)
                .or_else(|| parts::of_period(&call, schema))
                .or_else(|| fields::of_time(&call, schema))
                .or_else(|| extremes::of_intervals(&call, schema));
            match other {
                Some(call) => Transformed::yes(call),
                None => {
                    let call = Expr::ScalarFunction(call);
                    match length::compared(&call, schema) {
                        Some(compared) => Transformed::yes(compared),
                        None => Transformed::no(call),
                    }
                }
            }
        }
        Expr::BinaryExpr(binary) if matches!(binary.op, Operator::Plus | Operator::Minus) => {
            let binary = same_unit(binary, schema);
            let shifted = zoned::arithmetic(&binary, schema)
                .or_else(|| shifted_days::arithmetic(&binary, schema));
            Transformed::yes(shifted.unwrap_or(Expr::BinaryExpr(binary)))
        }
        other => {
            let by_length = length::compared(&other, schema);
            match by_length.or_else(|| length::ordered(&other, schema)) {
                Some(by_length) => Transformed::yes(by_length),
                None => Transformed::no(other),
            }
        }
    })
}

/// Returns a literal in microseconds, rounded half up.
fn literal(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::TimestampNanosecond(nanos, zone) => {
            let micros = nanos.map(|nanos| {
                let micros = nanos.div_euclid(1000);
                micros + i64::from(nanos.rem_euclid(1000) >= 500)
            });
            ScalarValue::TimestampMicrosecond(micros, zone)
        }
        other => other,
    }
}

fn cast(expr: Expr, field: Arc<Field>, schema: &DFSchema, strict: bool, order: DateOrder) -> Expr {
    let field = field_in_microseconds(&field);
    let target = field.data_type();
    // A filter of a scan may refer to columns that are not in its schema. Then the cast stays.
    let from = expr.get_type(schema).ok();
    match (from, target) {
        (Some(from), target) if from == *target && with_texts(target).is_some() => return expr,
        (Some(from), target) if from.is_string() && is_read(target) => {
            return TimeOfText::call(expr, target.clone(), MAX_DIGITS, strict, order);
        }
        (Some(DataType::Duration(_)), DataType::Interval(IntervalUnit::MonthDayNano)) => {
            return zoned::of_duration(expr);
        }
        // Integers are seconds since 1970.
        (Some(from), DataType::Timestamp(TimeUnit::Microsecond, zone)) if from.is_integer() => {
            let seconds = DataType::Timestamp(TimeUnit::Second, zone.clone());
            let seconds = Expr::Cast(Cast::new(Box::new(expr), seconds));
            return again(seconds, field, strict);
        }
        (Some(from), target) if target.is_temporal() => {
            if let Some(casted) = day_times::casted(&expr, &from, target) {
                return casted;
            }
            if let Some(moved) = zones::by_the_clock(&expr, &from, target) {
                return moved;
            }
        }
        (Some(from), target) if target.is_string() && texts::is_written(&from) => {
            return texts::written(expr, target.clone());
        }
        _ => {}
    }
    again(expr, field, strict)
}

fn again(expr: Expr, field: Arc<Field>, strict: bool) -> Expr {
    let expr = Box::new(expr);
    match strict {
        true => Expr::Cast(Cast::new_from_field(expr, field)),
        false => Expr::TryCast(TryCast::new_from_field(expr, field)),
    }
}

/// Gives a time and a duration the same unit: coercion makes a duration of nanoseconds from a date
/// and a time of day.
fn same_unit(binary: BinaryExpr, schema: &DFSchema) -> BinaryExpr {
    let micros = |of: &DataType| matches!(of, DataType::Timestamp(TimeUnit::Microsecond, _));
    let is_long = |of: &DataType| matches!(of, DataType::Duration(TimeUnit::Nanosecond));
    let shortened = |duration: Box<Expr>| {
        let target = DataType::Duration(TimeUnit::Microsecond);
        Box::new(Expr::Cast(Cast::new(duration, target)))
    };
    let of = |expr: &Expr| expressions::type_of(expr, schema).ok();
    let BinaryExpr { left, op, right } = binary;
    // The left side may be a long chain.
    let of_right = of(&right).filter(|of| micros(of) || is_long(of));
    let types = of_right.and_then(|of_right| Some((of(&left)?, of_right)));
    match types {
        Some((one, other)) if micros(&one) && is_long(&other) => {
            let right = shortened(right);
            BinaryExpr { left, op, right }
        }
        Some((one, other)) if is_long(&one) && micros(&other) => {
            let left = shortened(left);
            BinaryExpr { left, op, right }
        }
        _ => BinaryExpr { left, op, right },
    }
}
