//! Dates and times that `datetime()` reads, as in PostgreSQL 15.
//!
//! ```text
//! 2024-02-29                    a date
//! 12:34:56.789                  a time; 12:34:56+05:30 with a zone
//! 2024-02-29 12:34:56           a timestamp, also with a T; 2024-02-29 12:34:56+02 with a zone
//! ```

use std::cmp::Ordering;
use std::fmt::Write;

use chrono::{DateTime, Datelike, NaiveDate};
use lakegate_engine::time::Clock;

/// Microseconds per second and day.
pub(super) const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;

/// The last year of a timestamp.
pub(super) const LAST_YEAR: i32 = 294_246;

/// Digits that a number may have.
const MAX_DIGITS: usize = 7;

/// Offsets are in seconds east of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::json) enum Datetime {
    /// Days since 1970.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since midnight there, and the offset.
    ZonedTime(i64, i64),
    /// Microseconds since 1970 by a clock.
    Timestamp(i64),
    /// Microseconds since 1970 in UTC, and the offset that it was written with.
    Instant(i64, i64),
}

/// The types of two values that cannot be compared without a time zone.
pub(super) type NeedsZone = (&'static str, &'static str);

impl Datetime {
    /// Reads a text; `None` if it has no form of the standard's.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut rest = Rest(text.trim_matches(|c: char| c.is_ascii_whitespace()));
        let first = rest.number()?;
        if rest.take(':') {
            let time = rest.time(first)?;
            return Some(match rest.offset()? {
                None => Self::Time(time),
                Some(offset) => Self::ZonedTime(time, offset),
            });
        }
        let date = rest.date(first)?;
        let days = date.to_epoch_days();
        if rest.0.is_empty() {
            return Some(Self::Date(days));
        }
        if !rest.take('T') && !rest.blanks() {
            return None;
        }
        let hour = rest.number()?;
        let time = match rest.take(':') {
            true => rest.time(hour)?,
            false => return None,
        };
        let offset = rest.offset()?;
        if date.year() > LAST_YEAR {
            return None;
        }
        let shown = i64::from(days) * DAY + time;
        Some(match offset {
            None => Self::Timestamp(shown),
            Some(offset) => Self::Instant(shown - offset * SECOND, offset),
        })
    }

    /// Returns the name that `type()` gives.
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Date(_) => "date",
            Self::Time(_) => "time without time zone",
            Self::ZonedTime(..) => "time with time zone",
            Self::Timestamp(_) => "timestamp without time zone",
            Self::Instant(..) => "timestamp with time zone",
        }
    }

    /// Compares two values; `None` if no order is between their types. `clock`: that of values
    /// without a zone.
    ///
    /// # Errors
    ///
    /// One of them has a zone, the other has none, and there is no clock. Times of day with and
    /// without a zone are not compared: the offset of a zone depends on the day.
    pub(super) fn compare(
        self,
        other: Self,
        clock: Option<Clock>,
    ) -> Result<Option<Ordering>, NeedsZone> {
        let midnight = |days: i32| i64::from(days) * DAY;
        let instant = |shown: i64, of: &'static str| match clock {
            Some(clock) => Ok(clock.instant(shown)),
            None => Err((of, "timestamptz")),
        };
        Ok(Some(match (self, other) {
            (Self::Date(a), Self::Date(b)) => a.cmp(&b),
            (Self::Date(a), Self::Timestamp(b)) => midnight(a).cmp(&b),
            (Self::Timestamp(a), Self::Date(b)) => a.cmp(&midnight(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) | (Self::Time(a), Self::Time(b)) => a.cmp(&b),
            (Self::Instant(a, _), Self::Instant(b, _)) => a.cmp(&b),
            // Of equal instants, the one further in the east is first.
            (Self::ZonedTime(a, of_a), Self::ZonedTime(b, of_b)) => {
                let key = |time: i64, offset: i64| (time - offset * SECOND, -offset);
                key(a, of_a).cmp(&key(b, of_b))
            }
            (Self::Date(a), Self::Instant(b, _)) => {
                return Ok(instant(midnight(a), "date")?.map(|a| a.cmp(&b)));
            }
            (Self::Instant(a, _), Self::Date(b)) => {
                return Ok(instant(midnight(b), "date")?.map(|b| a.cmp(&b)));
            }
            (Self::Timestamp(a), Self::Instant(b, _)) => {
                return Ok(instant(a, "timestamp")?.map(|a| a.cmp(&b)));
            }
            (Self::Instant(a, _), Self::Timestamp(b)) => {
                return Ok(instant(b, "timestamp")?.map(|b| a.cmp(&b)));
            }
            (Self::Time(_), Self::ZonedTime(..)) | (Self::ZonedTime(..), Self::Time(_)) => {
                return Err(("time", "timetz"));
            }
            _ => return Ok(None),
        }))
    }

    /// Returns the value as PostgreSQL's JSON has it.
    pub(in crate::json) fn shown(self) -> String {
        let mut out = String::new();
        let year = match self {
            Self::Date(days) => push_date(&mut out, NaiveDate::from_epoch_days(days)),
            Self::Time(time) | Self::ZonedTime(time, _) => {
                push_time(&mut out, time);
                None
            }
            Self::Timestamp(shown) => push_timestamp(&mut out, shown),
            Self::Instant(utc, offset) => push_timestamp(&mut out, utc + offset * SECOND),
        };
        if let Self::ZonedTime(_, offset) | Self::Instant(_, offset) = self {
            let sign = if offset < 0 { '-' } else { '+' };
            let minutes = offset.unsigned_abs() / 60;
            // Cannot fail: the text grows.
            let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
        if year.is_some_and(|year| year < 1) {
            out.push_str(" BC");
        }
        out
    }
}

/// Appends a date, and returns its year, of which 0 is 1 BC.
fn push_date(out: &mut String, date: Option<NaiveDate>) -> Option<i32> {
    let date = date?;
    let year = date.year();
    let counted = if year < 1 { 1 - year } else { year };
    // Cannot fail: the text grows.
    let _ = write!(out, "{counted:04}-{:02}-{:02}", date.month(), date.day());
    Some(year)
}

fn push_time(out: &mut String, time: i64) {
    let (seconds, fraction) = (time / SECOND, time % SECOND);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Cannot fail: the text grows.
    let _ = write!(out, "{hour:02}:{minute:02}:{second:02}");
    if fraction > 0 {
        let digits = format!("{fraction:06}");
        out.push('.');
        out.push_str(digits.trim_end_matches('0'));
    }
}

fn push_timestamp(out: &mut String, shown: i64) -> Option<i32> {
    let date = DateTime::from_timestamp_micros(shown).map(|time| time.date_naive());
    let year = push_date(out, date);
    out.push('T');
    push_time(out, shown.rem_euclid(DAY));
    year
}

/// What is left of a text.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn take(&mut self, symbol: char) -> bool {
        let rest = self.0.strip_prefix(symbol);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Takes white space, and returns whether there was any.
    fn blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let any = rest.len() < self.0.len();
        self.0 = rest;
        any
    }

    fn digits(&mut self, most: usize) -> Option<&str> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=most).contains(&count) {
            return None;
        }
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(digits)
    }

    fn number(&mut self) -> Option<i64> {
        self.digits(MAX_DIGITS)?.parse().ok()
    }

    /// Takes a number up to `last`.
    fn part(&mut self, last: i64) -> Option<i64> {
        self.number().filter(|part| *part <= last)
    }

    /// Takes `-02-29` after a year.
    fn date(&mut self, year: i64) -> Option<NaiveDate> {
        let mut part = || match self.take('-') {
            // 0 is the first.
            true => self.number().map(|part| part.max(1)),
            false => None,
        };
        let (month, day) = (part()?, part()?);
        NaiveDate::from_ymd_opt(
            i32::try_from(year).ok()?,
            u32::try_from(month).ok()?,
            u32::try_from(day).ok()?,
        )
    }

    /// Takes `34:56.789` after an hour.
    fn time(&mut self, hour: i64) -> Option<i64> {
        let minute = self.part(59)?;
        if hour > 23 || !self.take(':') {
            return None;
        }
        let second = self.part(59)?;
        let micros = match self.take('.') {
            false => 0,
            true => {
                let digits = self.digits(6)?;
                format!("{digits:0<6}").parse::<i64>().ok()?
            }
        };
        Some(((hour * 60 + minute) * 60 + second) * SECOND + micros)
    }

    /// Takes `+05:30` and the end; the inner `None` if nothing is left.
    fn offset(&mut self) -> Option<Option<i64>> {
        if self.0.is_empty() {
            return Some(None);
        }
        self.blanks();
        let sign = match (self.take('+'), self.take('-')) {
            (true, false) => 1,
            (false, true) => -1,
            _ => return None,
        };
        let hours = self.part(15)?;
        let minutes = match self.take(':') {
            false => 0,
            true => {
                self.blanks();
                self.part(59)?
            }
        };
        let offset = sign * (hours * 60 + minutes) * 60;
        self.0.is_empty().then_some(Some(offset))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // PostgreSQL 15's answers.
    #[test]
    fn texts_have_the_forms_of_the_standard() {
        for (text, shown, type_name) in [
            ("2017-03-10", "2017-03-10", "date"),
            (" 2017-3-1 ", "2017-03-01", "date"),
            ("17-03-10", "0017-03-10", "date"),
            ("12017-003-10", "12017-03-10", "date"),
            ("0000-03-10", "0001-03-10 BC", "date"),
            ("2017-0-0", "2017-01-01", "date"),
            ("12:34:56", "12:34:56", "time without time zone"),
            ("2:3:4.50", "02:03:04.5", "time without time zone"),
            ("12:34:56.5+05", "12:34:56.5+05:00", "time with time zone"),
            ("12:34:56 +05:7", "12:34:56+05:07", "time with time zone"),
            (
                "2017-03-10  12:34:56.789",
                "2017-03-10T12:34:56.789",
                "timestamp without time zone",
            ),
            (
                "2017-03-10T1:2:3",
                "2017-03-10T01:02:03",
                "timestamp without time zone",
            ),
            (
                "2017-03-10 12:34:56 -03:10",
                "2017-03-10T12:34:56-03:10",
                "timestamp with time zone",
            ),
            (
                "0000-03-10T00:00:00+3",
                "0001-03-10T00:00:00+03:00 BC",
                "timestamp with time zone",
            ),
        ] {
            let read = Datetime::read(text).unwrap();
            assert_eq!(read.shown(), shown, "{text}");
            assert_eq!(read.type_name(), type_name, "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "x",
            "20170310",
            "2017/03/10",
            "2017-03-10x",
            "2017-02-30",
            "2017-13-01",
            "9999999-01-01",
            "300000-01-01 00:00:00",
            "2017-03-10 12:34",
            "2017-03-10t12:34:56",
            "2017-03-10 T12:34:56",
            "2017-03-10 24:00:00",
            "2017-03-10 12:34:56Z",
            "2017-03-10 12:34:56+16",
            "2017-03-10 12:34:56+15:60",
            "2017-03-10 12:34:56+0310",
            "12:34",
            "24:00:00",
            "12:60:00",
            "12:34:60",
            "12:34:56.",
            "12:34:56.1234567",
            "12:34:56+",
            "12:34:56+-5",
        ] {
            assert_eq!(Datetime::read(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_compared_by_what_they_are() {
        let compare = |one, other| {
            let read = |text| Datetime::read(text).unwrap();
            read(one).compare(read(other), None)
        };
        for (one, other, order) in [
            ("2017-03-10", "12017-03-10", Ordering::Less),
            ("2017-03-10", "2017-03-10 00:00:00", Ordering::Equal),
            ("2017-03-10T00:00:01", "2017-03-10", Ordering::Greater),
            (
                "2017-03-10 12:34:56+00",
                "2017-03-10 13:34:56+01",
                Ordering::Equal,
            ),
            ("12:00:00+00", "12:00:00+01", Ordering::Greater),
            ("12:00:00+00", "13:00:00+01", Ordering::Greater),
        ] {
            assert_eq!(compare(one, other), Ok(Some(order)), "{one} {other}");
        }
        assert_eq!(compare("2017-03-10", "12:00:00"), Ok(None));
        assert_eq!(compare("2017-03-10 12:00:00", "12:00:00"), Ok(None));
        assert_eq!(
            compare("2017-03-10T00:00:00+00", "2017-03-10"),
            Err(("date", "timestamptz"))
        );
        assert_eq!(compare("12:00:00", "12:00:00+00"), Err(("time", "timetz")));
        let berlin = Some(Clock::of("Europe/Berlin").unwrap());
        for (one, other) in [
            ("2017-03-10", "2017-03-10T00:00:00+01"),
            ("2017-07-01T12:00:00+02", "2017-07-01T12:00:00"),
        ] {
            let read = |text| Datetime::read(text).unwrap();
            let order = read(one).compare(read(other), berlin);
            assert_eq!(order, Ok(Some(Ordering::Equal)), "{one} {other}");
        }
    }
}
