//! A time of day with an offset from UTC: PostgreSQL's `time with time zone`.

use std::fmt;

use arrow::datatypes::IntervalMonthDayNano;

use super::SECOND;
use super::calendar::{DAY, at, split};
use super::clock::Clock;
use super::date_order::DateOrder;
use super::input::MAX_DIGITS;
use super::moment::{Fault, Moment};

/// Seconds per minute and per hour.
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

/// Bits of a key that hold an offset.
const OFFSET_BITS: u32 = 18;

/// A time of day, and its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZonedTime {
    /// Microseconds since midnight there, at most a whole day.
    pub micros: i64,
    /// Seconds east of UTC, fewer than 16 hours.
    pub offset: i32,
}

/// Why a text is not a time with a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoZonedTime {
    Syntax,
    Range,
    /// Its offset from UTC is out of range.
    Zone,
}

impl ZonedTime {
    /// Parses a text. Without a zone in it, the time has the offset of `clock` on the text's date, or
    /// else on the day of `now`, in microseconds since 1970.
    ///
    /// # Errors
    ///
    /// The text is not such a time.
    pub fn read(text: &str, clock: Clock, now: i64) -> Result<Self, NoZonedTime> {
        let fault = |fault| match fault {
            Fault::Range => NoZonedTime::Range,
            Fault::Zone => NoZonedTime::Zone,
            Fault::Syntax | Fault::EndOfDay => NoZonedTime::Syntax,
        };
        let moment = Moment::read(text, MAX_DIGITS, DateOrder::Mdy).map_err(fault)?;
        let micros = moment.time_of_day().map_err(fault)?;
        let today = || clock.shown(now).map(|shown| split(shown).0);
        let offset = match (moment.zone, moment.day) {
            (Some(Clock::Fixed(offset)), _) => offset,
            (zone, day) => {
                let day = day.or_else(today).ok_or(NoZonedTime::Range)?;
                let shown = at(day, micros).ok_or(NoZonedTime::Range)?;
                zone.unwrap_or(clock).offset_when(shown)
            }
        };
        Ok(Self { micros, offset })
    }

    /// Returns a number by which times compare: by their instants of a day, and equal ones by their
    /// offsets, the most eastern first.
    pub fn key(self) -> i64 {
        let offset = i64::from(self.offset);
        // Fewer than 2^39 microseconds, and offsets of less than 2^16 seconds.
        ((self.micros - offset * SECOND) << OFFSET_BITS) - offset
    }

    /// Returns the same time with another offset.
    #[must_use]
    pub fn at_offset(self, offset: i32) -> Self {
        let moved = self.micros + (i64::from(offset) - i64::from(self.offset)) * SECOND;
        Self {
            micros: moved.rem_euclid(DAY),
            offset,
        }
    }

    /// Returns the time `sign` times an interval later, without its days and months.
    #[must_use]
    pub fn later(self, by: IntervalMonthDayNano, sign: i64) -> Self {
        let by = sign * (by.nanoseconds / 1000).rem_euclid(DAY);
        Self {
            micros: (self.micros + by).rem_euclid(DAY),
            ..self
        }
    }

    /// Returns the time rounded to so many digits of a second, halves up.
    #[must_use]
    pub fn rounded(self, digits: u8) -> Self {
        let dropped = u32::from(MAX_DIGITS.saturating_sub(digits));
        let unit = 10i64.pow(dropped);
        Self {
            micros: (self.micros + unit / 2) / unit * unit,
            ..self
        }
    }

    /// Returns a field as `extract` names it; `None` if the type has no such field.
    pub fn field(self, unit: &str) -> Option<f64> {
        let (seconds, offset) = (self.micros / SECOND, i64::from(self.offset));
        let of_minute = self.micros % (MINUTE * SECOND);
        // All are far below 2^53.
        Some(match unit {
            "microsecond" | "microseconds" | "usec" | "usecs" | "us" => of_minute as f64,
            "millisecond" | "milliseconds" | "msec" | "msecs" | "ms" => of_minute as f64 / 1e3,
            "second" | "seconds" | "sec" | "secs" | "s" => of_minute as f64 / 1e6,
            "minute" | "minutes" | "min" | "mins" | "m" => (seconds / MINUTE % 60) as f64,
            "hour" | "hours" | "hr" | "hrs" | "h" => (seconds / HOUR) as f64,
            "epoch" => (self.micros - offset * SECOND) as f64 / 1e6,
            "timezone" => offset as f64,
            "timezone_hour" | "timezone_h" => (offset / HOUR) as f64,
            "timezone_minute" | "timezone_m" => (offset / MINUTE % 60) as f64,
            _ => return None,
        })
    }
}

impl fmt::Display for ZonedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, fraction) = (self.micros / SECOND, self.micros % SECOND);
        let (hour, minute, second) = (seconds / HOUR, seconds / MINUTE % 60, seconds % MINUTE);
        write!(f, "{hour:02}:{minute:02}:{second:02}")?;
        if fraction > 0 {
            let digits = format!("{fraction:06}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        let sign = if self.offset < 0 { '-' } else { '+' };
        let offset = i64::from(self.offset.unsigned_abs());
        let (hours, minutes, seconds) = (offset / HOUR, offset / MINUTE % 60, offset % MINUTE);
        write!(f, "{sign}{hours:02}")?;
        if minutes > 0 || seconds > 0 {
            write!(f, ":{minutes:02}")?;
        }
        if seconds > 0 {
            write!(f, ":{seconds:02}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 2024-01-15 00:00 in UTC.
    const NOW: i64 = 1_705_276_800 * SECOND;

    fn read(text: &str) -> Result<ZonedTime, NoZonedTime> {
        ZonedTime::read(text, Clock::of("Europe/Berlin").unwrap(), NOW)
    }

    // PostgreSQL 15's answers.
    #[test]
    fn texts_are_times_with_an_offset() {
        for (text, expected) in [
            ("12:00", "12:00:00+01"),
            ("2024-07-01 12:00", "12:00:00+02"),
            ("2024-07-01 12:00:00-05:30", "12:00:00-05:30"),
            ("2024-07-01 12:00 Europe/Berlin", "12:00:00+02"),
            ("12:00 PST", "12:00:00-08"),
            ("24:00+02", "24:00:00+02"),
            ("12:00:00.123456789+02", "12:00:00.123457+02"),
            ("12:00:00+15:59:59", "12:00:00+15:59:59"),
            ("12:00:00-00:00:30", "12:00:00-00:00:30"),
            ("allballs", "00:00:00+00"),
        ] {
            let time = read(text).unwrap();
            assert_eq!(time.to_string(), expected, "{text}");
            assert_eq!(read(expected), Ok(time), "{text}");
        }
        assert_eq!(read("12:00 Europe/Berlin"), Err(NoZonedTime::Syntax));
        assert_eq!(read("x"), Err(NoZonedTime::Syntax));
        assert_eq!(read("25:00+02"), Err(NoZonedTime::Range));
    }

    #[test]
    fn keys_have_the_order_of_times() {
        let ascending = [
            "00:00+15:59:59",
            "09:00+00",
            "12:00+02",
            "10:00+00",
            "05:00-05",
            "23:00+12",
            "24:00-15:59:59",
        ];
        for pair in ascending.windows(2) {
            let [before, after] = pair else { continue };
            let key = |text| read(text).unwrap().key();
            assert!(key(before) < key(after), "{before} {after}");
        }
        assert_eq!(
            read("12:00+02").unwrap().key(),
            read("12:00:00+02:00").unwrap().key()
        );
    }

    #[test]
    fn times_move_within_their_day() {
        let hours =
            |days, hours: i64| IntervalMonthDayNano::new(0, days, hours * 3_600_000_000_000);
        let time = read("12:00+02").unwrap();
        assert_eq!(time.later(hours(0, 13), 1).to_string(), "01:00:00+02");
        assert_eq!(time.later(hours(1, 13), -1).to_string(), "23:00:00+02");
        assert_eq!(time.at_offset(0).to_string(), "10:00:00+00");
        let early = read("01:00+05").unwrap();
        assert_eq!(early.at_offset(0).to_string(), "20:00:00+00");
        let half = read("23:59:59.5+02").unwrap();
        assert_eq!(half.rounded(0).to_string(), "24:00:00+02");
        assert_eq!(half.rounded(6), half);
    }

    #[test]
    fn fields_are_those_of_the_type() {
        let time = read("12:34:56.5-05:30").unwrap();
        for (unit, expected) in [
            ("hour", 12.0),
            ("minute", 34.0),
            ("second", 56.5),
            ("milliseconds", 56_500.0),
            ("epoch", 65_096.5),
            ("timezone", -19_800.0),
            ("timezone_hour", -5.0),
            ("timezone_minute", -30.0),
        ] {
            assert_eq!(time.field(unit), Some(expected), "{unit}");
        }
        assert_eq!(time.field("day"), None);
    }
}
