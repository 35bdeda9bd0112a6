//! The fields that the type of an interval may have, such as those of `INTERVAL DAY TO MINUTE`.

use arrow::datatypes::IntervalMonthDayNano;

const MINUTE: i64 = 60_000_000_000;
const HOUR: i64 = 60 * MINUTE;

/// The last field of the type of an interval. A number without a unit counts this field, and what is
/// smaller is dropped. The first field decides nothing, except that `4:05` of `MINUTE TO SECOND` has
/// no hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastField {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    MinuteToSecond,
}

impl LastField {
    /// Returns an interval without the fields that are smaller.
    pub(super) fn truncated(self, of: IntervalMonthDayNano) -> IntervalMonthDayNano {
        let new = IntervalMonthDayNano::new;
        let to_unit = |unit: i64| new(of.months, of.days, of.nanoseconds / unit * unit);
        match self {
            Self::Year => new(of.months / 12 * 12, 0, 0),
            Self::Month => new(of.months, 0, 0),
            Self::Day => new(of.months, of.days, 0),
            Self::Hour => to_unit(HOUR),
            Self::Minute => to_unit(MINUTE),
            Self::Second | Self::MinuteToSecond => of,
        }
    }
}
