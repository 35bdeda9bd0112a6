//! Dates and times as casts write them as texts and read them from texts.
//!
//! ```text
//! date                        2020-01-02
//! timestamp                   2020-01-02 03:04:05.000            6 digits where 3 do not suffice
//! timestamp with time zone    2020-01-02 03:04:05.000 Europe/Berlin
//! time                        03:04:05.000
//! interval day to second      3 00:00:00.000
//! interval year to month      1-2
//! ```

use lakegate_engine::time::Clock;

use super::calendar::{DAY, HOUR, Local, MILLI, MINUTE, SECOND, date_of, days_in_month, days_of};
use super::values::push_padded;
use super::zones;

/// Digits after the point that are read.
const MOST_DIGITS: usize = 12;
/// Digits of microseconds.
const MICRO_DIGITS: usize = 6;
/// Digits of the year of a date that is in range.
const MOST_YEAR_DIGITS: usize = 9;

/// Appends a day.
pub(crate) fn write_date(day: i64, text: &mut String) {
    let (year, month, day) = date_of(day);
    push_padded(text, year, 4);
    text.push('-');
    push_padded(text, month, 2);
    text.push('-');
    push_padded(text, day, 2);
}

/// Appends a time of day in microseconds, which may have more than 24 hours.
pub(crate) fn write_time(micros: i64, text: &mut String) {
    for (place, unit) in [HOUR, MINUTE, SECOND].into_iter().enumerate() {
        if place > 0 {
            text.push(':');
        }
        let of = if place == 0 {
            micros
        } else {
            micros % (60 * unit)
        };
        push_padded(text, of / unit, 2);
    }
    text.push('.');
    let part = micros % SECOND;
    match part % MILLI {
        0 => push_padded(text, part / MILLI, 3),
        _ => push_padded(text, part, MICRO_DIGITS),
    }
}

fn write_local(local: Local, text: &mut String) {
    write_date(local.day, text);
    text.push(' ');
    write_time(local.time, text);
}

/// Appends microseconds since 1970.
pub(crate) fn write_timestamp(micros: i64, text: &mut String) {
    write_local(Local::of(micros), text);
}

/// Appends an instant by the clock of a zone, and the zone's name.
pub(crate) fn write_instant(instant: i64, clock: Clock, text: &mut String) {
    write_local(zones::shown(clock, instant), text);
    text.push(' ');
    text.push_str(&zones::id(clock));
}

/// Appends an interval: years and months, or days and times. An interval of both, which Trino does
/// not have, is written as both.
pub(crate) fn write_interval(months: i64, days: i64, micros: i64, text: &mut String) {
    if months != 0 {
        if months < 0 {
            text.push('-');
        }
        push_padded(text, months.abs() / 12, 1);
        text.push('-');
        push_padded(text, months.abs() % 12, 1);
        if days == 0 && micros == 0 {
            return;
        }
        text.push(' ');
    }
    // Up to 2^31 days fit.
    let total = i128::from(days) * i128::from(DAY) + i128::from(micros);
    if total < 0 {
        text.push('-');
    }
    let total = total.unsigned_abs();
    let day = u128::from(DAY.unsigned_abs());
    push_padded(text, i64::try_from(total / day).unwrap_or(i64::MAX), 1);
    text.push(' ');
    write_time(i64::try_from(total % day).unwrap_or(0), text);
}

/// Returns the clock of a zone that a type names; `None` if it is unknown.
pub(crate) fn clock_of(zone: &str) -> Option<Clock> {
    zones::of_type(zone).ok()
}

/// Returns the days since 1970 of a text such as `2020-01-02`; blanks around it are skipped.
pub(crate) fn read_date(text: &str) -> Option<i32> {
    let mut rest = Rest(text.trim_matches(' '));
    let day = rest.date()?;
    rest.0.is_empty().then_some(())?;
    i32::try_from(day).ok()
}

/// Returns the microseconds since midnight of a text such as `03:04:05.123`.
pub(crate) fn read_time(text: &str) -> Option<i64> {
    let mut rest = Rest(text.trim_matches(' '));
    let time = rest.time()?;
    (rest.0.is_empty() && time < DAY).then_some(time)
}

/// A text read as a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read<'a> {
    day: i64,
    /// Microseconds since midnight; a whole day where a fraction was rounded up.
    time: i64,
    zone: Option<&'a str>,
}

impl Read<'_> {
    /// Returns the microseconds since 1970 of a time without a zone; `None` if there is a zone, or
    /// the time is out of range.
    pub(crate) fn timestamp(self) -> Option<i64> {
        match self.zone {
            None => self.local().micros().ok(),
            Some(_) => None,
        }
    }

    /// Returns the instant. A time without a zone is what the session's clock shows. `None` if the
    /// zone is unknown or the instant is out of range.
    pub(crate) fn instant(self, session: Clock) -> Option<i64> {
        let clock = match self.zone {
            Some(zone) => zones::named(zone).ok()?,
            None => session,
        };
        zones::instant(clock, self.local())
            .ok()
            .map(|(instant, _)| instant)
    }

    fn local(self) -> Local {
        Local {
            day: self.day,
            time: 0,
        }
        .later(self.time)
    }
}

/// Reads a text such as `2020-01-02 03:04:05.123 Europe/Berlin`, of which all but the date may be
/// missing.
pub(crate) fn read_timestamp(text: &str) -> Option<Read<'_>> {
    let mut rest = Rest(text.trim_matches(' '));
    let day = rest.date()?;
    let mut read = Read {
        day,
        time: 0,
        zone: None,
    };
    if rest.0.is_empty() {
        return Some(read);
    }
    rest.byte(b' ')?;
    let mut timed = rest;
    if let Some(time) = timed.time() {
        read.time = time;
        rest = timed;
    }
    let zone = rest.0.trim_start();
    if !zone.is_empty() {
        read.zone = Some(zone);
    }
    Some(read)
}

/// The part of a text that is not read yet.
#[derive(Debug, Clone, Copy)]
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn byte(&mut self, byte: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(char::from(byte))?;
        Some(())
    }

    /// Returns the number of `least` to `most` digits.
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if count < least || count > most {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        digits.parse().ok()
    }

    fn date(&mut self) -> Option<i64> {
        let negative = self.0.starts_with('-');
        if negative || self.0.starts_with('+') {
            self.0 = self.0.get(1..)?;
        }
        let year = self.digits(4, MOST_YEAR_DIGITS)?;
        let year = if negative { -year } else { year };
        self.byte(b'-')?;
        let month = self.digits(1, 2)?;
        self.byte(b'-')?;
        let day = self.digits(1, 2)?;
        let valid = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        valid.then(|| days_of(year, month, day))
    }

    /// Returns the microseconds of `hours:minutes[:seconds[.digits]]`.
    fn time(&mut self) -> Option<i64> {
        let hour = self.digits(1, 2)?;
        self.byte(b':')?;
        let minute = self.digits(1, 2)?;
        let mut micros = hour * HOUR + minute * MINUTE;
        let mut second = 0;
        if self.byte(b':').is_some() {
            second = self.digits(1, 2)?;
            micros += second * SECOND;
            if self.byte(b'.').is_some() {
                micros += self.fraction()?;
            }
        }
        (hour < 24 && minute < 60 && second < 60).then_some(micros)
    }

    /// Returns the microseconds of digits after the point. The last one is rounded, unless that
    /// would change the value in milliseconds, to which most casts round next.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=MOST_DIGITS).contains(&count) {
            return None;
        }
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let kept: i64 = digits.get(..MICRO_DIGITS.min(count))?.parse().ok()?;
        let missing = u32::try_from(MICRO_DIGITS.saturating_sub(count)).ok()?;
        let micros = kept * 10i64.pow(missing);
        let up = digits
            .as_bytes()
            .get(MICRO_DIGITS)
            .is_some_and(|next| *next >= b'5');
        let halfway = micros % MILLI == MILLI / 2 - 1;
        Some(micros + i64::from(up && !halfway))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(write: impl Fn(&mut String)) -> String {
        let mut text = String::new();
        write(&mut text);
        text
    }

    #[test]
    fn times_are_written_with_milliseconds() {
        let micros = read_timestamp("2020-01-02 03:04:05")
            .unwrap()
            .timestamp()
            .unwrap();
        let shown = |micros| written(|text| write_timestamp(micros, text));
        assert_eq!(shown(micros), "2020-01-02 03:04:05.000");
        assert_eq!(shown(micros + 120_000), "2020-01-02 03:04:05.120");
        assert_eq!(shown(micros + 1), "2020-01-02 03:04:05.000001");
        assert_eq!(shown(-1), "1969-12-31 23:59:59.999999");
        let zone = clock_of("Europe/Berlin").unwrap();
        assert_eq!(
            written(|text| write_instant(micros, zone, text)),
            "2020-01-02 04:04:05.000 Europe/Berlin"
        );
        assert_eq!(written(|text| write_date(-719_529, text)), "-0001-12-31");
        assert_eq!(written(|text| write_time(DAY - 1, text)), "23:59:59.999999");
    }

    #[test]
    fn intervals_are_written_by_their_kind() {
        let shown =
            |months, days, micros| written(|text| write_interval(months, days, micros, text));
        assert_eq!(shown(0, 3, 0), "3 00:00:00.000");
        assert_eq!(shown(14, 0, 0), "1-2");
        assert_eq!(shown(-14, 0, 0), "-1-2");
        assert_eq!(shown(0, 0, -HOUR), "-0 01:00:00.000");
        assert_eq!(shown(0, 1, 25 * HOUR), "2 01:00:00.000");
        assert_eq!(shown(0, 0, 0), "0 00:00:00.000");
    }

    #[test]
    fn dates_and_times_are_read() {
        assert_eq!(read_date(" 1970-1-2 "), Some(1));
        for wrong in [
            "",
            "1970",
            "70-01-01",
            "1970-02-30",
            "1970-01-01x",
            "1970/01/01",
            "today",
        ] {
            assert_eq!(read_date(wrong), None, "{wrong}");
        }
        assert_eq!(read_time("01:02"), Some(HOUR + 2 * MINUTE));
        assert_eq!(read_time("1:2:3.5"), Some(HOUR + 2 * MINUTE + 3_500_000));
        for wrong in ["24:00", "1", "01:60", "01:02:03.", "01:02 x"] {
            assert_eq!(read_time(wrong), None, "{wrong}");
        }
        let micros = |text: &str| read_timestamp(text).and_then(Read::timestamp);
        assert_eq!(micros("1970-01-01"), Some(0));
        assert_eq!(micros("1970-01-01 00:01"), Some(MINUTE));
        assert_eq!(micros("1970-01-01 00:00:00.1234567"), Some(123_457));
        assert_eq!(micros("1970-01-01 00:00:00.0004997"), Some(499));
        assert_eq!(micros("1970-01-01 23:59:59.9999999"), Some(DAY));
        for wrong in [
            "1970-01-01T00:00:00",
            "1970-01-01 25:00",
            "1970-01-01 00:00 UTC",
        ] {
            assert_eq!(micros(wrong), None, "{wrong}");
        }
        let utc = clock_of("UTC").unwrap();
        let instant = |text: &str| read_timestamp(text).and_then(|read| read.instant(utc));
        assert_eq!(instant("1970-01-01 01:00:00 Europe/Berlin"), Some(0));
        assert_eq!(instant("1970-01-01 01:00 +01:00"), Some(0));
        assert_eq!(instant("1970-01-01 00:00:01"), Some(SECOND));
        assert_eq!(instant("1970-01-01 00:00:01 Nowhere"), None);
    }
}
