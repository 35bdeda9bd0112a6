//! What statistics tell of the rows of an operator.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::error::Result;
use datafusion::physical_expr::intervals::utils::check_support;
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};

use super::Operator;
use super::among::Among;
use super::conditions::percent;
use crate::optimize::remembering_statistics;

/// Conditions of a filter that are estimated one by one. Each is an operator for a moment.
const MOST_CONDITIONS: usize = 16;

/// Operators below joins whose filters are split. An estimate of more takes long, and says little.
const MOST_OPERATORS: usize = 128;

/// Bytes of a value whose width nothing tells.
const TEXT: f64 = 24.0;

/// What is known of the rows of an operator.
#[derive(Debug, Clone)]
pub(crate) struct Estimate {
    pub rows: f64,
    /// Rows before filters.
    pub whole: f64,
    pub columns: Vec<Values>,
}

/// What is known of the values of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values {
    /// Bytes of a value.
    pub width: f64,
    /// The share of rows that are not NULL.
    pub present: f64,
    /// Distinct values at most.
    pub distinct: f64,
    /// Whether `distinct` comes from more than the number of rows.
    pub is_known: bool,
    /// Distinct values at most, if the filters of the operator were not.
    pub domain: f64,
    /// The least and the greatest value, for types of whole numbers.
    pub range: Option<(i128, i128)>,
}

impl Estimate {
    /// Returns what is known of an operator; `None` if not even the number of rows is.
    pub(crate) fn of(plan: &Operator) -> Option<Self> {
        let separate = by_condition(plan).ok().flatten();
        // Each of the operators lives as long as the context, which knows them by their addresses.
        let context = StatisticsContext::new();
        let statistics = |plan: &Operator| {
            let known = context.compute(plan.as_ref(), &StatisticsArgs::new());
            known.ok()
        };
        let known = separate.as_ref().and_then(&statistics);
        let known = known.or_else(|| statistics(plan))?;
        let rows = rows(&known)?;
        let unfiltered = unfiltered(plan);
        let whole = match Arc::ptr_eq(unfiltered, plan) {
            true => rows,
            false => statistics(unfiltered)
                .and_then(|known| self::rows(&known))
                .map_or(rows, |whole| whole.max(rows)),
        };
        let schema = plan.schema();
        Some(Self::of_columns(
            &schema,
            &known.column_statistics,
            rows,
            whole,
        ))
    }

    /// Returns what is known of an operator of joins, by the conditions of their inputs; `None` if
    /// not even the number of rows is.
    pub(crate) fn through(plan: &Operator) -> Option<Self> {
        let mut left = MOST_OPERATORS;
        let separate = inputs_by_condition(plan, &mut left).ok().flatten();
        Self::of(separate.as_ref().unwrap_or(plan))
    }

    /// Returns what is known of rows with these statistics and columns, of which no filter took
    /// any; `None` if not even their number is.
    pub(crate) fn unfiltered(known: &Statistics, schema: &Schema) -> Option<Self> {
        let rows = rows(known)?;
        Some(Self::of_columns(
            schema,
            &known.column_statistics,
            rows,
            rows,
        ))
    }

    /// Returns the estimate of an operator of which nothing is known, with so many rows.
    pub(crate) fn unknown(plan: &Operator, rows: f64) -> Self {
        Self::of_columns(&plan.schema(), &[], rows, rows)
    }

    fn of_columns(schema: &Schema, known: &[ColumnStatistics], rows: f64, whole: f64) -> Self {
        let unknown = ColumnStatistics::new_unknown();
        let columns = schema.fields().iter().enumerate().map(|(place, field)| {
            let column = known.get(place).unwrap_or(&unknown);
            Values::of(column, field.data_type(), rows, whole)
        });
        Self {
            rows,
            whole,
            columns: columns.collect(),
        }
    }
}

impl Values {
    fn of(known: &ColumnStatistics, data_type: &DataType, rows: f64, whole: f64) -> Self {
        let count = |count: Option<&usize>| count.map(|count| *count as f64);
        let nulls = count(known.null_count.get_value()).unwrap_or(0.0);
        let present = (1.0 - nulls / rows).clamp(0.0, 1.0);
        let range = known
            .min_value
            .get_value()
            .and_then(number)
            .zip(known.max_value.get_value().and_then(number))
            .filter(|(least, greatest)| least <= greatest);
        let span = range.map(span);
        let counted = count(known.distinct_count.get_value());
        let distinct = [span, counted]
            .into_iter()
            .flatten()
            .fold(rows * present, f64::min);
        // The count of a filtered column is the number of rows that are left, where it is not less.
        let all = counted.filter(|counted| *counted < rows).unwrap_or(whole);
        let width = count(known.byte_size.get_value()).map(|bytes| bytes / rows);
        let width = data_type
            .primitive_width()
            .map(|width| width as f64)
            .or(width);
        Self {
            width: width.unwrap_or(TEXT),
            present,
            distinct: distinct.max(1.0),
            is_known: span.is_some() || counted.is_some(),
            domain: span.map_or(all, |span| span.min(all)).max(1.0),
            range,
        }
    }
}

/// Returns how many whole numbers a range has.
pub(super) fn span((least, greatest): (i128, i128)) -> f64 {
    greatest.saturating_sub(least) as f64 + 1.0
}

/// Returns a value as a whole number; `None` for types that have no next value.
pub(crate) fn number(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::Int8(value) => value.map(i128::from),
        ScalarValue::Int16(value) => value.map(i128::from),
        ScalarValue::Int32(value) | ScalarValue::Date32(value) => value.map(i128::from),
        ScalarValue::Int64(value) => value.map(i128::from),
        ScalarValue::UInt8(value) => value.map(i128::from),
        ScalarValue::UInt16(value) => value.map(i128::from),
        ScalarValue::UInt32(value) => value.map(i128::from),
        ScalarValue::UInt64(value) => value.map(i128::from),
        ScalarValue::Decimal128(value, _, _) => *value,
        _ => None,
    }
}

/// Returns the number of rows. No rows are one row, so that estimates can be divided by it.
fn rows(known: &Statistics) -> Option<f64> {
    let rows = *known.num_rows.get_value()?;
    Some((rows as f64).max(1.0))
}

/// Returns what is below the filters of an operator.
fn unfiltered(plan: &Operator) -> &Operator {
    let mut below = plan;
    loop {
        below = if let Some(filter) = below.downcast_ref::<FilterExec>() {
            filter.input()
        } else if let Some(projection) = below.downcast_ref::<ProjectionExec>() {
            projection.input()
        } else {
            return below;
        };
    }
}

/// Splits the filters below the joins of an operator. Returns `None` if there are none.
///
/// `left`: operators that may yet be looked at.
///
/// # Errors
///
/// Returns an error if an operator cannot be built of other inputs.
fn inputs_by_condition(plan: &Operator, left: &mut usize) -> Result<Option<Operator>> {
    let Some(rest) = left.checked_sub(1) else {
        return Ok(None);
    };
    *left = rest;
    if plan.is::<FilterExec>() {
        return by_condition(plan);
    }
    // Other operators may depend on being one and the same, as those that are shared.
    if !plan.is::<HashJoinExec>() && !plan.is::<ProjectionExec>() {
        return Ok(None);
    }
    let mut inputs = Vec::new();
    let mut is_split = false;
    for input in plan.children() {
        let split = inputs_by_condition(input, left)?;
        is_split |= split.is_some();
        inputs.push(split.unwrap_or_else(|| Arc::clone(input)));
    }
    if !is_split {
        return Ok(None);
    }
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(plan).replace_children(inputs, options).map(Some)
}

/// Splits a filter into one of each condition. DataFusion takes a fifth of the rows for all
/// conditions together if it can estimate one of them not at all. Returns `None` for a single
/// condition that it estimates, and for other operators.
///
/// # Errors
///
/// Returns an error if a condition cannot be a filter by itself.
fn by_condition(plan: &Operator) -> Result<Option<Operator>> {
    let Some(filter) = plan.downcast_ref::<FilterExec>() else {
        return Ok(None);
    };
    let conditions = split_conjunction(filter.predicate());
    if conditions.len() > MOST_CONDITIONS {
        return Ok(None);
    }
    if let [condition] = conditions[..]
        && Among::of(condition).is_none()
        && check_support(condition, &filter.input().schema())
    {
        return Ok(None);
    }
    // Each filter computes the statistics of its input, for its own and for its properties.
    let mut filtered = remembering_statistics(Arc::clone(filter.input()));
    let last = conditions.len().saturating_sub(1);
    for (place, condition) in conditions.into_iter().enumerate() {
        let mut selectivity = percent(condition);
        if let Some(among) = Among::of(condition) {
            for bound in among.bounds() {
                let bounded = FilterExecBuilder::new(bound, filtered).build()?;
                filtered = remembering_statistics(Arc::new(bounded));
            }
            selectivity = among.percent();
        }
        let mut builder = FilterExecBuilder::new(Arc::clone(condition), filtered)
            .with_default_selectivity(selectivity);
        if place == last {
            builder = builder.apply_projection_by_ref(filter.projection().as_ref())?;
        }
        filtered = remembering_statistics(Arc::new(builder.build()?));
    }
    Ok(Some(filtered))
}
