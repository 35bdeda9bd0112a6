//! An interval from a text, parsed as PostgreSQL does.
//!
//! ```text
//! 1 year 2 mons -3 days 04:05:06.789       1.5 months (1 month 15 days)
//! 1-2 3 4:05                               100 (seconds)
//! @ 1 day ago                              2 hours, 1 min
//! P1Y2M3DT4H5M6.5S                         P0001-02-03T04:05:06, see iso_8601.rs
//! ```

mod iso_8601;
#[cfg(test)]
mod tests;

use arrow::datatypes::IntervalMonthDayNano;

use super::interval_fields::LastField;
use super::moment::Fault;

const SECOND: f64 = 1e6;
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Parses an interval.
///
/// # Errors
///
/// Returns an error if the text is not an interval.
pub(super) fn read(text: &str) -> Result<IntervalMonthDayNano, Fault> {
    read_to(text, None)
}

/// Parses an interval whose type has fields, and drops what is smaller than the last of them.
///
/// # Errors
///
/// As of [`read`].
pub(super) fn read_to(text: &str, last: Option<LastField>) -> Result<IntervalMonthDayNano, Fault> {
    let given = text;
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let mut period = Period {
        last,
        ..Period::default()
    };
    match text.strip_prefix('P') {
        // Forms of ISO 8601 have no spaces.
        Some(_) if text.len() < given.len() => return Err(Fault::Syntax),
        Some(iso) => iso_8601::read(iso, &mut period)?,
        None => period.spoken(text)?,
    }
    let value = period.value()?;
    Ok(last.map_or(value, |last| last.truncated(value)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Millennium,
    Century,
    Decade,
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl Unit {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "millennium" | "millennia" | "mil" | "mils" => Self::Millennium,
            "century" | "centuries" | "cent" | "c" => Self::Century,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "year" | "years" | "yr" | "yrs" | "y" => Self::Year,
            "month" | "months" | "mon" | "mons" => Self::Month,
            "week" | "weeks" | "w" => Self::Week,
            "day" | "days" | "d" => Self::Day,
            "hour" | "hours" | "hr" | "hrs" | "h" => Self::Hour,
            "minute" | "minutes" | "min" | "mins" | "m" => Self::Minute,
            "second" | "seconds" | "sec" | "secs" | "s" => Self::Second,
            "millisecond" | "milliseconds" | "msec" | "msecs" | "ms" => Self::Millisecond,
            "microsecond" | "microseconds" | "usec" | "usecs" | "us" => Self::Microsecond,
            _ => return None,
        })
    }
}

/// Seconds and the units that they consist of.
const SECONDS: [Unit; 3] = [Unit::Second, Unit::Millisecond, Unit::Microsecond];

/// A number whose integer part and fraction have the same sign.
#[derive(Debug, Clone, Copy)]
struct Number {
    whole: i64,
    fraction: f64,
}

/// The interval parsed so far.
#[derive(Debug, Default)]
struct Period {
    months: i64,
    days: i64,
    micros: i64,
    /// The units so far. Each may occur once.
    named: Vec<Unit>,
    /// Whether there was a time such as `04:05`.
    has_clock: bool,
    /// The last field of the type.
    last: Option<LastField>,
}

impl Period {
    fn value(&self) -> Result<IntervalMonthDayNano, Fault> {
        let range = |_| Fault::Range;
        Ok(IntervalMonthDayNano::new(
            i32::try_from(self.months).map_err(range)?,
            i32::try_from(self.days).map_err(range)?,
            self.micros.checked_mul(1000).ok_or(Fault::Range)?,
        ))
    }

    fn once(&mut self, units: &[Unit]) -> Result<(), Fault> {
        for unit in units {
            if self.named.contains(unit) {
                return Err(Fault::Syntax);
            }
            self.named.push(*unit);
        }
        Ok(())
    }

    fn add_months(&mut self, months: Option<i64>) -> Result<(), Fault> {
        let sum = months.and_then(|months| self.months.checked_add(months));
        self.months = sum.ok_or(Fault::Range)?;
        Ok(())
    }

    fn add_days(&mut self, days: Option<i64>) -> Result<(), Fault> {
        let sum = days.and_then(|days| self.days.checked_add(days));
        self.days = sum.ok_or(Fault::Range)?;
        Ok(())
    }

    fn add_micros(&mut self, micros: Option<i64>) -> Result<(), Fault> {
        let sum = micros.and_then(|micros| self.micros.checked_add(micros));
        self.micros = sum.ok_or(Fault::Range)?;
        Ok(())
    }

    /// Adds a fraction of a unit of `length` microseconds. Exactly half a microsecond is dropped.
    fn add_part(&mut self, part: f64, length: i64) -> Result<(), Fault> {
        let micros = part * length as f64;
        let whole = micros.trunc();
        let rest = micros - whole;
        let rounded = match rest {
            rest if rest > 0.5 => whole + 1.0,
            rest if rest < -0.5 => whole - 1.0,
            _ => whole,
        };
        self.add_micros(Some(rounded as i64))
    }

    /// Adds a fraction of a unit of `length` days.
    fn add_part_of_days(&mut self, part: f64, length: i64) -> Result<(), Fault> {
        let days = part * length as f64;
        self.add_days(Some(days.trunc() as i64))?;
        self.add_part(days - days.trunc(), DAY)
    }

    fn add(&mut self, number: Number, unit: Unit) -> Result<(), Fault> {
        let Number { whole, fraction } = number;
        let months = |length: i64| {
            let part = (fraction * length as f64).round_ties_even() as i64;
            whole
                .checked_mul(length)
                .and_then(|months| months.checked_add(part))
        };
        match unit {
            Unit::Millennium => self.add_months(months(12_000)),
            Unit::Century => self.add_months(months(1200)),
            Unit::Decade => self.add_months(months(120)),
            Unit::Year => self.add_months(months(12)),
            Unit::Month => {
                self.add_months(Some(whole))?;
                self.add_part_of_days(fraction, 30)
            }
            Unit::Week => {
                self.add_days(whole.checked_mul(7))?;
                self.add_part_of_days(fraction, 7)
            }
            Unit::Day => {
                self.add_days(Some(whole))?;
                self.add_part(fraction, DAY)
            }
            Unit::Hour => self.add_time(number, HOUR),
            Unit::Minute => self.add_time(number, MINUTE),
            Unit::Second => self.add_time(number, SECOND as i64),
            Unit::Millisecond => self.add_time(number, 1000),
            Unit::Microsecond => self.add_time(number, 1),
        }
    }

    fn add_time(&mut self, number: Number, length: i64) -> Result<(), Fault> {
        self.add_micros(number.whole.checked_mul(length))?;
        self.add_part(number.fraction, length)
    }

    /// Parses numbers and their units.
    fn spoken(&mut self, text: &str) -> Result<(), Fault> {
        let mut rest = text;
        if let Some(after) = rest.strip_prefix('@') {
            rest = after.trim_start();
        }
        let mut any = false;
        while !rest.is_empty() {
            let word = rest.trim_end();
            if any && word.eq_ignore_ascii_case("ago") {
                return self.turned();
            }
            if !any_number(rest) {
                return Err(Fault::Syntax);
            }
            self.field(&mut rest)?;
            any = true;
            rest = rest.trim_start();
        }
        match any {
            true => Ok(()),
            false => Err(Fault::Syntax),
        }
    }

    /// Returns the unit of a number at the end that has none.
    fn bare_unit(&self) -> Unit {
        match self.last {
            Some(LastField::Year) => Unit::Year,
            Some(LastField::Month) => Unit::Month,
            Some(LastField::Day) => Unit::Day,
            Some(LastField::Hour) => Unit::Hour,
            Some(LastField::Minute) => Unit::Minute,
            Some(LastField::Second | LastField::MinuteToSecond) | None => Unit::Second,
        }
    }

    /// Returns whether a number of hours without a unit follows.
    fn is_before_hours(&self, after: &str) -> bool {
        let number = after.trim_start_matches(['+', '-']);
        self.last == Some(LastField::Hour)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn turned(&mut self) -> Result<(), Fault> {
        let turned = |value: i64| value.checked_neg().ok_or(Fault::Range);
        self.months = turned(self.months)?;
        self.days = turned(self.days)?;
        self.micros = turned(self.micros)?;
        Ok(())
    }

    /// Parses one number and its unit.
    fn field(&mut self, rest: &mut &str) -> Result<(), Fault> {
        let start = *rest;
        let sign = taken_sign(rest);
        // PostgreSQL reads `.5`, and `-0.5`, but not `-.5`.
        if rest.len() < start.len() && rest.starts_with('.') {
            return Err(Fault::Syntax);
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        match rest.as_bytes().get(digits) {
            Some(b':') => return self.clock(rest, sign),
            Some(b'-') if digits > 0 => return self.years_and_months(rest, sign),
            _ => {}
        }
        *rest = start;
        let number = taken_number(rest).ok_or(Fault::Syntax)?;
        let spaced = rest.starts_with(|c: char| c.is_ascii_whitespace());
        let read = start.len() - rest.len();
        let ends_with_point = start
            .get(..read)
            .is_some_and(|number| number.ends_with('.'));
        if ends_with_point && !spaced && !rest.is_empty() {
            return Err(Fault::Syntax);
        }
        let after = rest.trim_start();
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, following) = after.split_at_checked(letters).unwrap_or((after, ""));
        let unit = match word {
            // A number without a unit counts seconds at the end, and days before a time.
            "" if after.is_empty() => self.bare_unit(),
            "" if spaced && (is_clock(after) || self.is_before_hours(after)) => Unit::Day,
            word => {
                let is_number = |c: char| c.is_ascii_digit() || c == '+';
                let ends = following.is_empty()
                    || following.starts_with(|c: char| c.is_ascii_whitespace() || c == ',')
                    || may_touch_numbers(word) && following.starts_with(is_number);
                let unit = Unit::named(word).filter(|_| ends).ok_or(Fault::Syntax)?;
                *rest = following.strip_prefix(',').unwrap_or(following);
                unit
            }
        };
        let number = number.ok_or(Fault::Range)?;
        // PostgreSQL loses the hours of a fraction of days that follows a time.
        let has_part =
            matches!(unit, Unit::Day | Unit::Week | Unit::Month) && number.fraction != 0.0;
        if has_part && self.has_clock {
            return Err(Fault::Syntax);
        }
        // Seconds with a fraction also count as milliseconds and microseconds.
        match unit {
            Unit::Second if number.fraction != 0.0 => self.once(&SECONDS)?,
            unit => self.once(&[unit])?,
        }
        self.add(number, unit)
    }

    /// Parses `4:05` and `4:05:06.789`; `4:05.5` is minutes and seconds.
    fn clock(&mut self, rest: &mut &str, sign: i64) -> Result<(), Fault> {
        self.once(&[Unit::Hour, Unit::Minute])?;
        self.has_clock = true;
        self.once(&SECONDS)?;
        let end = rest.find(|c: char| c.is_ascii_whitespace() || c.is_ascii_alphabetic());
        let (time, after) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, ""));
        *rest = after;
        let mut parts = time.split(':');
        let (first, second, third) = (parts.next(), parts.next(), parts.next());
        let (Some(first), Some(second), None) = (first, second, parts.next()) else {
            return Err(Fault::Syntax);
        };
        let (hours, minutes, seconds) = match third {
            Some(seconds) => (first, second, seconds),
            None if second.contains('.') || self.last == Some(LastField::MinuteToSecond) => {
                ("0", first, second)
            }
            None => (first, second, "0"),
        };
        let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
        let (hours, minutes, seconds) = (whole(hours)?, whole(minutes)?, whole(seconds)?);
        if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fault::Syntax);
        }
        let fraction: f64 = format!("0.{fraction}0")
            .parse()
            .map_err(|_| Fault::Syntax)?;
        if minutes > 59 || seconds > 60 {
            return Err(Fault::Range);
        }
        let micros = (fraction * SECOND).round_ties_even() as i64;
        let of_hours = hours.checked_mul(HOUR);
        let time = of_hours
            .and_then(|time| time.checked_add(minutes * MINUTE + seconds * 1_000_000 + micros));
        self.add_micros(time.and_then(|time| time.checked_mul(sign)))
    }

    /// Parses `1-2`.
    fn years_and_months(&mut self, rest: &mut &str, sign: i64) -> Result<(), Fault> {
        self.once(&[Unit::Year, Unit::Month])?;
        let end = rest
            .find(|c: char| c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        *rest = after;
        let (years, months) = text.split_once('-').ok_or(Fault::Syntax)?;
        let (years, months) = (whole(years)?, whole(months)?);
        if months > 11 {
            return Err(Fault::Range);
        }
        let sum = years
            .checked_mul(12)
            .and_then(|years| years.checked_add(months));
        self.add_months(sum.and_then(|months| months.checked_mul(sign)))
    }
}

/// Parses a number that consists of digits only.
fn whole(text: &str) -> Result<i64, Fault> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match is_number {
        true => text.parse().map_err(|_| Fault::Range),
        false => Err(Fault::Syntax),
    }
}

/// Returns whether a number follows.
fn any_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
}

/// Returns whether a number may follow the name of a unit without a space. PostgreSQL reads others as
/// dates, such as `day2` of `1day2hours`.
fn may_touch_numbers(unit: &str) -> bool {
    let units = ["y", "mon", "m", "d", "h", "s", "dec"];
    units.iter().any(|one| one.eq_ignore_ascii_case(unit))
}

/// Returns whether a time such as `4:05` follows.
fn is_clock(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    count > 0 && digits.as_bytes().get(count) == Some(&b':')
}

fn taken_sign(rest: &mut &str) -> i64 {
    let sign = match rest.as_bytes().first() {
        Some(b'-') => -1,
        Some(b'+') => 1,
        _ => return 1,
    };
    *rest = rest.get(1..).unwrap_or_default().trim_start();
    sign
}

/// Parses the next number. `Some(None)` if it is out of range.
fn taken_number(rest: &mut &str) -> Option<Option<Number>> {
    let sign = taken_sign(rest);
    let whole = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, after) = rest.split_at_checked(whole)?;
    let (fraction, after) = match after.strip_prefix('.') {
        Some(after) => {
            let length = after.bytes().take_while(u8::is_ascii_digit).count();
            after.split_at_checked(length)?
        }
        None => ("", after),
    };
    if digits.is_empty() && fraction.is_empty() {
        return None;
    }
    *rest = after;
    let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
    let whole: Option<i64> = match digits {
        "" => Some(0),
        digits => digits.parse().ok(),
    };
    Some(whole.map(|whole| Number {
        whole: sign * whole,
        fraction: sign as f64 * fraction,
    }))
}
