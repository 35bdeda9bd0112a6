//! `sequence`: integers, dates and timestamps from a start to a stop.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use chrono::{DateTime, Days, Months, NaiveDate};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use super::lists::Ends;
use super::types::{common, conformed, items, list_type, mismatch};
use super::{SECTION, field_type, invalid};
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static SEQUENCE: Page = Page {
    name: "sequence",
    section: SECTION,
    syntax: "sequence(start, stop[, step])",
    sentence: "Returns integers, dates or timestamps from a start to a stop, at most 10,000.",
    example: "sequence(5, 1, -2)",
    result: "[5, 3, 1]",
};

/// The most items of a sequence.
const MAX_ITEMS: i64 = 10_000;
const DAY_NANOS: i64 = 86_400_000_000_000;

pub(super) fn entries() -> Vec<Entry> {
    vec![Entry::scalar(Kernel::new(
        &SEQUENCE,
        vec![TypeSignature::Any(2), TypeSignature::Any(3)],
        Returns::From(returns),
        sequence,
    ))]
}

fn returns(types: &[DataType]) -> Result<DataType> {
    let bad = |data_type: &DataType| {
        Err(mismatch(
            "sequence",
            "integers, dates or timestamps, and an interval as the step of times",
            data_type,
        ))
    };
    let (start, stop, step) = match types {
        [start, stop] => (start, stop, None),
        [start, stop, step] => (start, stop, Some(step)),
        _ => return bad(&DataType::Null),
    };
    let item = common("sequence", start, stop)?;
    let is_interval = |of: &DataType| matches!(of, DataType::Interval(_)) || of.is_null();
    match (&item, step) {
        (DataType::Null, _) => Ok(list_type(DataType::Int64)),
        (item, None) if item.is_integer() => Ok(list_type(DataType::Int64)),
        (item, Some(step)) if item.is_integer() && (step.is_integer() || step.is_null()) => {
            Ok(list_type(DataType::Int64))
        }
        (DataType::Date32, None) => Ok(list_type(item)),
        (DataType::Date32 | DataType::Timestamp(_, None), Some(step)) if is_interval(step) => {
            Ok(list_type(item))
        }
        (_, Some(step)) if item.is_integer() => bad(step),
        _ => bad(&item),
    }
}

/// How a sequence goes on.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// By so many of the item's units; `None` is one towards the stop.
    Units(Option<i64>),
    Months(i32),
}

fn sequence(call: &Call<'_>) -> Result<ArrayRef> {
    let item = items(call.returns).cloned().unwrap_or(DataType::Null);
    let starts = Whole::of(&call.columns[0], &item)?;
    let stops = Whole::of(&call.columns[1], &item)?;
    let steps = call
        .optional(2)
        .map(|column| Steps::of(column, field_type(call, 2), &item));
    let steps = steps.transpose()?;
    let mut values: Vec<i64> = Vec::new();
    let mut ends = Ends::new(call.rows);
    for row in 0..call.rows {
        let step = match &steps {
            None => Some(Step::Units(None)),
            Some(steps) => steps.get(row)?,
        };
        let (Some(start), Some(stop), Some(step)) = (starts.get(row), stops.get(row), step) else {
            call.work.step()?;
            ends.end_null();
            continue;
        };
        match step {
            Step::Units(step) => {
                let step = step.unwrap_or(if stop >= start { 1 } else { -1 });
                check_step(start, stop, step)?;
                let count = count(start, stop, step)?;
                call.work.builds(8 * count)?;
                // The last item is between the start and the stop, so that none overflows.
                values.extend((0..count as i64).map(|place| start + place * step));
            }
            Step::Months(months) => {
                check_step(start, stop, i64::from(months))?;
                let all = if start <= stop {
                    months_between(start, stop, &item)
                } else {
                    months_between(stop, start, &item)
                };
                let steps = all / i64::from(months.unsigned_abs());
                let count = limited(i128::from(steps) + 1)?;
                call.work.builds(8 * count)?;
                for place in 0..count as i64 {
                    let months = place * i64::from(months);
                    values.push(after_months(start, months, &item).ok_or_else(|| {
                        invalid("a time of the sequence is out of range".to_owned())
                    })?);
                }
            }
        }
        ends.end(values.len())?;
    }
    let values: ArrayRef = Arc::new(Int64Array::from(values));
    let values = match &item {
        DataType::Date32 => cast(&cast(&values, &DataType::Int32)?, &item)?,
        _ => cast(&values, &item)?,
    };
    ends.lists(&values, call.returns)
}

fn check_step(start: i64, stop: i64, step: i64) -> Result<()> {
    if step == 0 {
        return Err(invalid("step must not be zero".to_owned()));
    }
    match (step > 0 && stop >= start) || (step < 0 && stop <= start) {
        true => Ok(()),
        false => Err(invalid(
            "sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start"
                .to_owned(),
        )),
    }
}

fn count(start: i64, stop: i64, step: i64) -> Result<usize> {
    let distance = i128::from(stop) - i128::from(start);
    limited(distance / i128::from(step) + 1)
}

fn limited(count: i128) -> Result<usize> {
    match usize::try_from(count) {
        Ok(fits) if count <= i128::from(MAX_ITEMS) => Ok(fits),
        _ => Err(invalid(format!(
            "result of sequence function must not have more than {MAX_ITEMS} entries"
        ))),
    }
}

/// Integers, days, or units of timestamps.
struct Whole {
    array: Int64Array,
    constant: bool,
}

impl Whole {
    fn of(column: &Column, item: &DataType) -> Result<Self> {
        let array = conformed(&column.array, item)?;
        let array = cast(&array, &DataType::Int64)?;
        Ok(Self {
            array: array.as_primitive::<Int64Type>().clone(),
            constant: column.constant,
        })
    }

    fn get(&self, row: usize) -> Option<i64> {
        let at = if self.constant { 0 } else { row };
        self.array.is_valid(at).then(|| self.array.value(at))
    }
}

enum Steps {
    Whole(Whole),
    Intervals {
        array: PrimitiveArray<IntervalMonthDayNanoType>,
        constant: bool,
        item: DataType,
    },
}

impl Steps {
    fn of(column: &Column, data_type: &DataType, item: &DataType) -> Result<Self> {
        if !matches!(data_type, DataType::Interval(_)) {
            return Ok(Self::Whole(Whole::of(column, &DataType::Int64)?));
        }
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        let array = conformed(&column.array, &interval)?;
        Ok(Self::Intervals {
            array: array.as_primitive::<IntervalMonthDayNanoType>().clone(),
            constant: column.constant,
            item: item.clone(),
        })
    }

    /// # Errors
    ///
    /// An interval has months and days, or is none of whole days for dates.
    fn get(&self, row: usize) -> Result<Option<Step>> {
        match self {
            Self::Whole(steps) => Ok(steps.get(row).map(|step| Step::Units(Some(step)))),
            Self::Intervals {
                array,
                constant,
                item,
            } => {
                let at = if *constant { 0 } else { row };
                match array.is_valid(at) {
                    true => of_interval(array.value(at), item).map(Some),
                    false => Ok(None),
                }
            }
        }
    }
}

fn of_interval(interval: IntervalMonthDayNano, item: &DataType) -> Result<Step> {
    let nanos =
        i128::from(interval.days) * i128::from(DAY_NANOS) + i128::from(interval.nanoseconds);
    if interval.months != 0 {
        return match nanos {
            0 => Ok(Step::Months(interval.months)),
            _ => Err(invalid(
                "the step of a sequence is an interval of months or one of days, not of both"
                    .to_owned(),
            )),
        };
    }
    let unit = match item {
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1,
        _ => i128::from(DAY_NANOS),
    };
    if nanos % unit != 0 {
        return Err(invalid(
            match item {
                DataType::Date32 => {
                    "sequence step must be a day interval if start and end values are dates"
                }
                _ => "the step of the sequence is finer than its timestamps",
            }
            .to_owned(),
        ));
    }
    let units = i64::try_from(nanos / unit);
    let units = units.map_err(|_| invalid("the step of the sequence is too long".to_owned()))?;
    Ok(Step::Units(Some(units)))
}

/// The units of a day.
fn day(item: &DataType) -> i64 {
    match item {
        DataType::Timestamp(TimeUnit::Second, _) => 86_400,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 86_400_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 86_400_000_000,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => DAY_NANOS,
        _ => 1,
    }
}

fn date(days: i64) -> Option<NaiveDate> {
    let epoch = DateTime::UNIX_EPOCH.date_naive();
    match u64::try_from(days) {
        Ok(days) => epoch.checked_add_days(Days::new(days)),
        Err(_) => epoch.checked_sub_days(Days::new(days.unsigned_abs())),
    }
}

/// A time so many months later, on the last day of a month that is shorter.
fn after_months(time: i64, months: i64, item: &DataType) -> Option<i64> {
    let day = day(item);
    let (days, rest) = (time.div_euclid(day), time.rem_euclid(day));
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let date = match months >= 0 {
        true => date(days)?.checked_add_months(count),
        false => date(days)?.checked_sub_months(count),
    }?;
    let days = date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive());
    days.num_days().checked_mul(day)?.checked_add(rest)
}

/// The most months by which the earlier time can be moved without passing the later one.
fn months_between(earlier: i64, later: i64, item: &DataType) -> i64 {
    let day = day(item);
    let month = |time: i64| {
        use chrono::Datelike;
        let date = date(time.div_euclid(day));
        date.map_or(0, |date| {
            i64::from(date.year()) * 12 + i64::from(date.month0())
        })
    };
    let months = month(later) - month(earlier);
    match after_months(earlier, months, item) {
        Some(time) if time <= later => months,
        _ => (months - 1).max(0),
    }
}
