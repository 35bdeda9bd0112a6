//! `make_date(year, month, day)`, which counts years as PostgreSQL does: the one before 1 is -1.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use lakegate_error::{Code, Error};

use super::calendar::{date_of, days_of};
use crate::plans::expressions;

/// The name of the function.
pub(super) const NAME: &str = "make_date";

/// The first year, as dates count them: 4714 BC.
const FIRST_YEAR: i64 = -4713;

/// The last year of the engine's dates.
const LAST_YEAR: i64 = 262_142;

/// Wraps DataFusion's function, which has the year 0.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MakeDate {
    pub inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for MakeDate {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args
            .args
            .iter()
            .map(|arg| Ok(cast(&arg.to_array(rows)?, &DataType::Int32)?))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let [years, months, days] = columns.as_slice() else {
            return Err(Error::internal("make_date without three arguments").into());
        };
        let years = years.as_primitive::<Int32Type>();
        let months = months.as_primitive::<Int32Type>();
        let days = days.as_primitive::<Int32Type>();
        let dates = (0..rows).map(|row| {
            if years.is_null(row) || months.is_null(row) || days.is_null(row) {
                return Ok(None);
            }
            made(years.value(row), months.value(row), days.value(row)).map(Some)
        });
        let dates = dates.collect::<Result<Vec<Option<i32>>, Error>>()?;
        expressions::made(Arc::new(Date32Array::from(dates)), constant)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// Returns the days since 1970-01-01 of a date.
///
/// # Errors
///
/// There is no such date, or it is out of range.
fn made(year: i32, month: i32, day: i32) -> Result<i32, Error> {
    let outside = || {
        Error::new(
            Code::DatetimeOutOfRange,
            format!("date field value out of range: {year}-{month:02}-{day:02}"),
        )
    };
    let counted = match i64::from(year) {
        0 => return Err(outside()),
        year if year < 0 => year + 1,
        year => year,
    };
    let (month_of_year, day_of_month) = (i64::from(month), i64::from(day));
    let is_possible = (FIRST_YEAR..=LAST_YEAR).contains(&counted)
        && (1..=12).contains(&month_of_year)
        && (1..=31).contains(&day_of_month);
    if !is_possible {
        return Err(outside());
    }
    let days = days_of(counted, month_of_year, day_of_month);
    // A day that the month does not have would be one of the next month.
    if date_of(days) != (counted, month_of_year, day_of_month) {
        return Err(outside());
    }
    i32::try_from(days).map_err(|_| outside())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Expected dates: PostgreSQL 15.
    #[test]
    fn the_year_before_the_first_is_minus_one() {
        assert_eq!(made(1970, 1, 1).unwrap(), 0);
        assert_eq!(made(2024, 2, 29).unwrap(), 19_782);
        assert_eq!(made(1, 1, 1).unwrap() - made(-1, 12, 31).unwrap(), 1);
        // 1 BC is a leap year.
        assert!(made(-1, 2, 29).is_ok());
        assert!(made(-2, 2, 29).is_err());
    }

    #[test]
    fn dates_that_do_not_exist_are_errors() {
        for (year, month, day) in [
            (0, 1, 1),
            (2023, 2, 29),
            (2023, 13, 1),
            (2023, 0, 1),
            (2024, -1, 1),
            (2024, 4, 31),
            (-5000, 1, 1),
            (i32::MIN, 1, 1),
            (i32::MAX, i32::MAX, i32::MIN),
        ] {
            let error = made(year, month, day).unwrap_err();
            assert_eq!(
                error.code(),
                Code::DatetimeOutOfRange,
                "{year} {month} {day}"
            );
        }
    }
}
