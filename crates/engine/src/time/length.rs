//! Compares and orders intervals by their length, as in PostgreSQL: a month has 30 days, a day 24
//! hours. DataFusion compares months, then days, then nanoseconds, so that 25 hours are less than a
//! day. For grouping and joins by intervals see `equal_keys/`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, ListArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationNanosecondType, FieldRef, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit,
};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Between, Cast, InList, Sort};
use datafusion::logical_expr::{
    BinaryExpr, Case, ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};

use crate::plans::expressions;

/// Nanoseconds per day.
const DAY: i128 = 86_400_000_000_000;

/// Orders a window, an aggregate, `min` or `max` by the lengths of intervals; `None` for other
/// types.
pub(super) fn ordered(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    match expr {
        Expr::WindowFunction(window) => {
            let mut window = window.clone();
            let params = &mut window.params;
            let keys = params.partition_by.iter_mut();
            let orders = params.order_by.iter_mut().map(|sort| &mut sort.expr);
            let mut changed = false;
            for key in keys.chain(orders) {
                changed |= by_length(key, schema);
            }
            changed.then_some(Expr::WindowFunction(window))
        }
        Expr::AggregateFunction(call) => {
            let descending = match call.func.name() {
                "min" => Some(false),
                "max" => Some(true),
                _ => None,
            };
            if let (Some(descending), [arg]) = (descending, call.params.args.as_slice()) {
                let order_by = vec![Sort::new(length(arg, schema)?, !descending, false)];
                let params = &call.params;
                return Some(Expr::AggregateFunction(AggregateFunction::new_udf(
                    first_value_udaf(),
                    vec![arg.clone()],
                    false,
                    params.filter.clone(),
                    order_by,
                    None,
                )));
            }
            // With DISTINCT, the order must be by the argument itself.
            if call.params.distinct {
                return None;
            }
            let mut call = call.clone();
            let mut changed = false;
            for sort in &mut call.params.order_by {
                changed |= by_length(&mut sort.expr, schema);
            }
            changed.then_some(Expr::AggregateFunction(call))
        }
        _ => None,
    }
}

/// Replaces a sort key by its length if it is an interval. Returns whether it did.
pub(super) fn by_length(key: &mut Expr, schema: &DFSchema) -> bool {
    match length(key, schema) {
        Some(length) => {
            *key = length;
            true
        }
        None => false,
    }
}

/// Turns a comparison of intervals into one of their lengths; `None` for other types.
pub(super) fn compared(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if expressions::is_comparison(*op) => {
            let (left, right) = (length(left, schema)?, length(right, schema)?);
            Some(Expr::BinaryExpr(BinaryExpr::new(
                Box::new(left),
                *op,
                Box::new(right),
            )))
        }
        Expr::Between(Between {
            expr,
            negated,
            low,
            high,
        }) => Some(Expr::Between(Between {
            expr: Box::new(length(expr, schema)?),
            negated: *negated,
            low: Box::new(length(low, schema)?),
            high: Box::new(length(high, schema)?),
        })),
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => {
            let items: Option<Vec<Expr>> = list.iter().map(|item| length(item, schema)).collect();
            let expr = Box::new(length(expr, schema)?);
            Some(Expr::InList(InList::new(expr, items?, *negated)))
        }
        Expr::Case(Case {
            expr: Some(operand),
            when_then_expr,
            else_expr,
        }) => {
            let operand = Box::new(length(operand, schema)?);
            let whens = when_then_expr.iter().map(|(when, then)| {
                let when = length(when, schema)?;
                Some((Box::new(when), then.clone()))
            });
            let whens = whens.collect::<Option<Vec<_>>>()?;
            let case = Case::new(Some(operand), whens, else_expr.clone());
            Some(Expr::Case(case))
        }
        Expr::ScalarFunction(call) if call.func.name() == "nullif" => {
            let [value, other] = call.args.as_slice() else {
                return None;
            };
            let equal = length(value, schema)?.eq(length(other, schema)?);
            let null = Expr::Literal(
                ScalarValue::try_from(value.get_type(schema).ok()?).ok()?,
                None,
            );
            let whens = vec![(Box::new(equal), Box::new(null))];
            Some(Expr::Case(Case::new(
                None,
                whens,
                Some(Box::new(value.clone())),
            )))
        }
        _ => None,
    }
}

/// Returns the length of an interval or a duration, or the lengths of those in an array. For a
/// duration cast to an interval, the length of the duration.
pub(crate) fn length(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    let data_type = expr.get_type(schema).ok()?;
    let scalar = matches!(data_type, DataType::Interval(_) | DataType::Duration(_));
    if !scalar && !are_lists(&data_type) {
        return None;
    }
    let value = match expr {
        Expr::Cast(Cast { expr, .. })
            if matches!(expr.get_type(schema), Ok(DataType::Duration(_))) =>
        {
            expr.as_ref().clone()
        }
        expr => expr.clone(),
    };
    let function = Length {
        signature: Signature::any(1, Volatility::Immutable),
    };
    Some(expressions::call(function, vec![value]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Length {
    signature: Signature,
}

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().map_or(LENGTH, type_of_lengths))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), nested_lengths)
    }
}

/// The type of a length in nanoseconds.
const LENGTH: DataType = DataType::Decimal128(38, 0);

/// Returns whether values are arrays of intervals, at any depth of arrays.
pub(crate) fn are_lists(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) => {
            matches!(item.data_type(), DataType::Interval(_)) || are_lists(item.data_type())
        }
        _ => false,
    }
}

fn type_of_lengths(of: &DataType) -> DataType {
    match of {
        DataType::List(item) => DataType::List(item_of_lengths(item)),
        _ => LENGTH,
    }
}

fn item_of_lengths(item: &FieldRef) -> FieldRef {
    let of = type_of_lengths(item.data_type());
    Arc::new(item.as_ref().clone().with_data_type(of))
}

fn nested_lengths(values: &ArrayRef) -> Result<ArrayRef> {
    let DataType::List(item) = values.data_type() else {
        return Ok(Arc::new(lengths(values)?));
    };
    let list = values.as_list::<i32>();
    let items = nested_lengths(list.values())?;
    Ok(Arc::new(ListArray::try_new(
        item_of_lengths(item),
        list.offsets().clone(),
        items,
        list.nulls().cloned(),
    )?))
}

/// Returns the lengths of intervals or durations, in nanoseconds.
///
/// # Errors
///
/// Returns an error for values of another type.
pub(crate) fn lengths(values: &ArrayRef) -> Result<Decimal128Array> {
    let lengths: Decimal128Array = match values.data_type() {
        DataType::Duration(unit) => {
            let nanoseconds = match unit {
                TimeUnit::Second => 1_000_000_000,
                TimeUnit::Millisecond => 1_000_000,
                TimeUnit::Microsecond => 1000,
                TimeUnit::Nanosecond => 1,
            };
            // Keeps the counts, whatever their unit.
            let counts = values.to_data().into_builder();
            let counts = counts.data_type(DataType::Duration(TimeUnit::Nanosecond));
            let counts = arrow::array::make_array(counts.build()?);
            counts
                .as_primitive::<DurationNanosecondType>()
                .iter()
                .map(|count| count.map(|count| i128::from(count) * nanoseconds))
                .collect()
        }
        _ => cast(values, &DataType::Interval(IntervalUnit::MonthDayNano))?
            .as_primitive::<IntervalMonthDayNanoType>()
            .iter()
            .map(|value| value.map(length_of))
            .collect(),
    };
    Ok(lengths.with_precision_and_scale(38, 0)?)
}

/// Returns the length of an interval in nanoseconds, by which intervals are equal.
pub fn length_of(value: IntervalMonthDayNano) -> i128 {
    let days = i128::from(value.months) * 30 + i128::from(value.days);
    days * DAY + i128::from(value.nanoseconds)
}
