//! Sums and averages of intervals.

use arrow::datatypes::{IntervalMonthDayNano, i256};
use datafusion::error::Result;
use lakegate_error::{Code, Error};

const NANOS_OF_MILLI: i128 = 1_000_000;
const NANOS_OF_DAY: i128 = 86_400_000_000_000;

/// A sum of intervals. Days have 24 hours.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Period {
    pub months: i64,
    pub nanos: i128,
}

impl Period {
    pub(super) fn of(value: IntervalMonthDayNano) -> Self {
        Self {
            months: value.months.into(),
            nanos: i128::from(value.days) * NANOS_OF_DAY + i128::from(value.nanoseconds),
        }
    }

    /// Reads a sum from the columns of a state.
    pub(super) fn of_state(months: i64, nanos: i256) -> Self {
        Self {
            months,
            // It was written from as many bits.
            nanos: nanos.as_i128(),
        }
    }

    /// Adds a sum; with `times` = -1, removes it.
    pub(super) fn add(&mut self, other: Self, times: i8) {
        self.months += other.months * i64::from(times);
        self.nanos += other.nanos * i128::from(times);
    }

    /// Returns the average, rounded to months and to milliseconds.
    ///
    /// # Errors
    ///
    /// The average has more days than an interval.
    pub(super) fn average(self, count: i64) -> Result<IntervalMonthDayNano> {
        let count = i128::from(count);
        let months = half_up(self.months.into(), count);
        let nanos = half_up(self.nanos, count * NANOS_OF_MILLI) * NANOS_OF_MILLI;
        let (days, nanos) = (nanos / NANOS_OF_DAY, nanos % NANOS_OF_DAY);
        let parts = (months.try_into(), days.try_into(), nanos.try_into());
        match parts {
            (Ok(months), Ok(days), Ok(nanos)) => Ok(IntervalMonthDayNano::new(months, days, nanos)),
            _ => {
                let message = "the average is out of range for type interval";
                Err(Error::new(Code::NumericOutOfRange, message).into())
            }
        }
    }
}

/// Returns the whole number nearest to `sum / count`; halves are rounded up.
fn half_up(sum: i128, count: i128) -> i128 {
    (2 * sum + count).div_euclid(2 * count)
}
