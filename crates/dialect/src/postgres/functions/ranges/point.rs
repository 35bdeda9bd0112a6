//! The values of bounds.

use std::cmp::Ordering;
use std::num::IntErrorKind;

use datafusion::config::ConfigOptions;
use lakegate_engine::time::{
    Clock, DateOrder, date_of_text, instant_of_text, order_of, timestamp_of_text, write_date,
};
use lakegate_error::{Code, Error};
use lakegate_lake::timestamp_text::write_timestamp;

use super::RangeNumber;
use super::kind::RangeType;

/// PostgreSQL's last date, 5874897-12-31, in days since 1970.
const LAST_DAY: i64 = 2_145_042_905;

/// The value of a bound.
#[derive(Debug, Clone)]
pub enum RangePoint {
    /// An integer, days since 1970, or microseconds since 1970. The least and the greatest of days and
    /// microseconds are infinite.
    Whole(i64),
    Number(RangeNumber),
}

/// How texts of times are read and written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    clock: Clock,
    order: DateOrder,
}

impl Reading {
    /// The one of ranges that have been read: they have offsets from UTC, and years before months.
    pub(super) const WRITTEN: Self = Self {
        clock: Clock::UTC,
        order: DateOrder::Mdy,
    };

    /// Returns the session's.
    ///
    /// # Errors
    ///
    /// The zone of the session is unknown.
    pub(super) fn of(options: &ConfigOptions) -> Result<Self, Error> {
        let zone = options.execution.time_zone.as_deref();
        Ok(Self {
            clock: Clock::of_type(zone)?,
            order: order_of(options),
        })
    }
}

impl RangePoint {
    /// Reads a value of the bounds of a type.
    ///
    /// # Errors
    ///
    /// The text is not one, or out of range.
    pub(super) fn read(of: RangeType, text: &str, reading: Reading) -> Result<Self, Error> {
        let whole = match of {
            RangeType::Num => return Ok(Self::Number(RangeNumber::read(text)?)),
            RangeType::Int4 | RangeType::Int8 => integer(of, text)?,
            _ if infinite(text).is_some() => infinite(text).unwrap_or_default(),
            RangeType::Date => i64::from(date_of_text(text, reading.order)?),
            RangeType::Ts => timestamp_of_text(text, reading.order)?,
            RangeType::Tstz => instant_of_text(text, reading.clock, reading.order)?,
        };
        Ok(Self::Whole(whole))
    }

    /// Returns the value as PostgreSQL writes it.
    ///
    /// # Errors
    ///
    /// A time is out of range.
    pub(super) fn text(&self, of: RangeType, reading: Reading) -> Result<String, Error> {
        let whole = match self {
            Self::Number(number) => return Ok(number.text().to_owned()),
            Self::Whole(whole) => *whole,
        };
        let mut text = String::new();
        match (of, whole) {
            (RangeType::Int4 | RangeType::Int8 | RangeType::Num, whole) => {
                return Ok(whole.to_string());
            }
            (_, i64::MIN) => text.push_str("-infinity"),
            (_, i64::MAX) => text.push_str("infinity"),
            (RangeType::Date, days) => {
                let days = i32::try_from(days).map_err(|_| out_of_range(of))?;
                write_date(&mut text, days).map_err(|_| out_of_range(of))?;
            }
            (RangeType::Ts, micros) => {
                write_timestamp(&mut text, micros, None).ok_or_else(|| out_of_range(of))?;
            }
            (RangeType::Tstz, micros) => {
                let offset = reading.clock.offset_at(micros);
                write_timestamp(&mut text, micros, Some(offset)).ok_or_else(|| out_of_range(of))?;
            }
        }
        Ok(text)
    }

    /// Returns the next value of a type in which each has one; the value itself if it is infinite.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(super) fn next(&self, of: RangeType) -> Result<Self, Error> {
        let Self::Whole(whole) = self else {
            return Ok(self.clone());
        };
        let last = match of {
            RangeType::Int4 => i64::from(i32::MAX),
            RangeType::Date => LAST_DAY,
            _ => i64::MAX,
        };
        match *whole < last {
            true => Ok(Self::Whole(whole + 1)),
            false => Err(out_of_range(of)),
        }
    }

    /// Returns whether it is the first or the last value of a type of times, which no other is.
    pub(super) fn is_infinite(&self, of: RangeType) -> bool {
        of.is_of_times() && matches!(self, Self::Whole(i64::MIN | i64::MAX))
    }

    /// Returns a text that compares as the value does. None begins another one.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Whole(whole) => format!("{:016x}", whole.cast_unsigned() ^ (1 << 63)),
            Self::Number(number) => number.key().to_owned(),
        }
    }
}

impl Ord for RangePoint {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Whole(one), Self::Whole(other)) => one.cmp(other),
            (Self::Number(one), Self::Number(other)) => one.key().cmp(other.key()),
            (Self::Whole(_), Self::Number(_)) => Ordering::Less,
            (Self::Number(_), Self::Whole(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for RangePoint {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for RangePoint {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for RangePoint {}

fn out_of_range(of: RangeType) -> Error {
    let code = match of.is_of_times() {
        true => Code::DatetimeOutOfRange,
        false => Code::NumericOutOfRange,
    };
    let name = match of {
        RangeType::Ts | RangeType::Tstz => "timestamp",
        of => of.bound_name(),
    };
    Error::new(code, format!("{name} out of range"))
}

/// # Errors
///
/// The text is not an integer, or it needs more bytes than the type has.
fn integer(of: RangeType, text: &str) -> Result<i64, Error> {
    let name = of.bound_name();
    let shown: String = text.chars().take(100).collect();
    let too_large = || {
        let message = format!("value \"{shown}\" is out of range for type {name}");
        Error::new(Code::NumericOutOfRange, message)
    };
    match text.trim().parse::<i64>() {
        Ok(value) if of == RangeType::Int4 && i32::try_from(value).is_err() => Err(too_large()),
        Ok(value) => Ok(value),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Err(too_large()),
            _ => {
                let message = format!("invalid input syntax for type {name}: \"{shown}\"");
                Err(Error::new(Code::InvalidCast, message))
            }
        },
    }
}

/// Returns the first or the last value of a type of times, if a text is one of them.
fn infinite(text: &str) -> Option<i64> {
    let text = text.trim();
    let (name, value) = match text.strip_prefix('-') {
        Some(name) => (name, i64::MIN),
        None => (text, i64::MAX),
    };
    name.eq_ignore_ascii_case("infinity").then_some(value)
}
