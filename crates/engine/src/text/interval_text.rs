//! Intervals as PostgreSQL writes them.

use std::fmt::{Result, Write};

/// How intervals are written: PostgreSQL's setting `IntervalStyle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntervalStyle {
    /// `1 year 2 mons -3 days +04:05:06`
    #[default]
    Postgres,
    /// `@ 1 year 2 mons -3 days 4 hours 5 mins 6 secs`
    Verbose,
    /// `+1-2 -3 +4:05:06`
    SqlStandard,
    /// `P1Y2M-3DT4H5M6S`
    Iso,
}

impl IntervalStyle {
    /// Returns the style that a value of the setting names; any other is `postgres`.
    pub fn of_name(name: &str) -> Self {
        match name {
            "postgres_verbose" => Self::Verbose,
            "sql_standard" => Self::SqlStandard,
            "iso_8601" => Self::Iso,
            _ => Self::Postgres,
        }
    }

    /// Writes an interval in this style.
    ///
    /// # Errors
    ///
    /// Returns an error if `out` does.
    pub fn write(self, out: &mut impl Write, months: i32, days: i32, micros: i64) -> Result {
        match self {
            Self::Postgres => write_interval(out, months, days, micros),
            Self::Verbose => Parts::of(months, days, micros).write_verbose(out),
            Self::SqlStandard => Parts::of(months, days, micros).write_sql_standard(out),
            Self::Iso => Parts::of(months, days, micros).write_iso(out),
        }
    }
}

/// The fields of an interval, each with its own sign.
#[derive(Debug, Clone, Copy)]
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    seconds: i64,
    micros: i64,
}

impl Parts {
    fn of(months: i32, days: i32, micros: i64) -> Self {
        let (months, seconds) = (i64::from(months), micros / 1_000_000);
        Self {
            years: months / 12,
            months: months % 12,
            days: i64::from(days),
            hours: seconds / 3600,
            minutes: seconds / 60 % 60,
            seconds: seconds % 60,
            micros: micros % 1_000_000,
        }
    }

    fn all(self) -> [i64; 7] {
        [
            self.years,
            self.months,
            self.days,
            self.hours,
            self.minutes,
            self.seconds,
            self.micros,
        ]
    }

    fn has_time(self) -> bool {
        [self.hours, self.minutes, self.seconds, self.micros]
            .iter()
            .any(|part| *part != 0)
    }

    /// Writes the seconds without their sign, at least `width` digits before the point.
    fn write_seconds(self, out: &mut impl Write, width: usize) -> Result {
        write!(out, "{:0width$}", self.seconds.unsigned_abs())?;
        match self.micros.unsigned_abs() {
            0 => Ok(()),
            rest => write!(out, ".{}", format!("{rest:06}").trim_end_matches('0')),
        }
    }

    /// Writes the fields after `@`. The first decides whether the interval is `ago`; then the
    /// others have the opposite sign.
    fn write_verbose(self, out: &mut impl Write) -> Result {
        out.write_char('@')?;
        let mut is_ago = None;
        let parts = [
            (self.years, "year"),
            (self.months, "mon"),
            (self.days, "day"),
            (self.hours, "hour"),
            (self.minutes, "min"),
        ];
        for (value, unit) in parts.into_iter().filter(|(value, _)| *value != 0) {
            let value = match *is_ago.get_or_insert(value < 0) {
                true => -value,
                false => value,
            };
            let plural = if value == 1 { "" } else { "s" };
            write!(out, " {value} {unit}{plural}")?;
        }
        if self.seconds != 0 || self.micros != 0 {
            let negative = self.seconds < 0 || self.micros < 0;
            out.write_char(' ')?;
            if *is_ago.get_or_insert(negative) != negative {
                out.write_char('-')?;
            }
            self.write_seconds(out, 1)?;
            let is_one = self.seconds.unsigned_abs() == 1 && self.micros == 0;
            out.write_str(if is_one { " sec" } else { " secs" })?;
        }
        match is_ago {
            None => out.write_str(" 0"),
            Some(true) => out.write_str(" ago"),
            Some(false) => Ok(()),
        }
    }

    /// Writes the forms of the SQL standard, and one with all fields and signs for an interval that
    /// has none of them.
    fn write_sql_standard(self, out: &mut impl Write) -> Result {
        let negative = self.all().iter().any(|part| *part < 0);
        let positive = self.all().iter().any(|part| *part > 0);
        if !negative && !positive {
            return out.write_char('0');
        }
        let has_months = self.years != 0 || self.months != 0;
        let has_days = self.days != 0;
        let (years, months, days) = (
            self.years.unsigned_abs(),
            self.months.unsigned_abs(),
            self.days.unsigned_abs(),
        );
        let (hours, minutes) = (self.hours.unsigned_abs(), self.minutes.unsigned_abs());
        if negative && positive || has_months && (has_days || self.has_time()) {
            let sign = |negative| if negative { '-' } else { '+' };
            let time = [self.hours, self.minutes, self.seconds, self.micros];
            let (of_months, of_days, of_time) = (
                sign(self.years < 0 || self.months < 0),
                sign(self.days < 0),
                sign(time.iter().any(|part| *part < 0)),
            );
            write!(
                out,
                "{of_months}{years}-{months} {of_days}{days} {of_time}{hours}:{minutes:02}:"
            )?;
            return self.write_seconds(out, 2);
        }
        if negative {
            out.write_char('-')?;
        }
        if has_months {
            return write!(out, "{years}-{months}");
        }
        if has_days {
            write!(out, "{days} ")?;
        }
        write!(out, "{hours}:{minutes:02}:")?;
        self.write_seconds(out, 2)
    }

    fn write_iso(self, out: &mut impl Write) -> Result {
        if self.all().iter().all(|part| *part == 0) {
            return out.write_str("PT0S");
        }
        out.write_char('P')?;
        for (value, unit) in [(self.years, 'Y'), (self.months, 'M'), (self.days, 'D')] {
            write_letter(out, value, unit)?;
        }
        if !self.has_time() {
            return Ok(());
        }
        out.write_char('T')?;
        write_letter(out, self.hours, 'H')?;
        write_letter(out, self.minutes, 'M')?;
        if self.seconds == 0 && self.micros == 0 {
            return Ok(());
        }
        if self.seconds < 0 || self.micros < 0 {
            out.write_char('-')?;
        }
        self.write_seconds(out, 1)?;
        out.write_char('S')
    }
}

fn write_letter(out: &mut impl Write, value: i64, unit: char) -> Result {
    match value {
        0 => Ok(()),
        value => write!(out, "{value}{unit}"),
    }
}

/// Writes an interval in the style `postgres`, such as `1 year 2 mons -3 days +04:05:06.7`.
///
/// # Errors
///
/// Returns an error if `out` does.
pub fn write_interval(out: &mut impl Write, months: i32, days: i32, micros: i64) -> Result {
    let mut first = true;
    let mut before = false;
    let parts = [(months / 12, "year"), (months % 12, "mon"), (days, "day")];
    for (value, unit) in parts.into_iter().filter(|(value, _)| *value != 0) {
        if !first {
            out.write_char(' ')?;
        }
        if before && value > 0 {
            out.write_char('+')?;
        }
        write!(out, "{value} {unit}")?;
        if value != 1 {
            out.write_char('s')?;
        }
        before = value < 0;
        first = false;
    }
    if !first && micros == 0 {
        return Ok(());
    }
    if !first {
        out.write_char(' ')?;
    }
    if micros < 0 {
        out.write_char('-')?;
    } else if before {
        out.write_char('+')?;
    }
    let micros = micros.unsigned_abs();
    let seconds = micros / 1_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    write!(out, "{hours:02}:{minutes:02}:{:02}", seconds % 60)?;
    match micros % 1_000_000 {
        0 => Ok(()),
        rest => write!(out, ".{}", format!("{rest:06}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Expected texts: PostgreSQL 15.
    #[test]
    fn each_style_writes_as_postgres_does() {
        const MINUTE: i64 = 60_000_000;
        let time = 4 * 60 * MINUTE + 5 * MINUTE + 6_000_000;
        for (months, days, micros, expected) in [
            (
                14,
                -3,
                time,
                [
                    "@ 1 year 2 mons -3 days 4 hours 5 mins 6 secs",
                    "+1-2 -3 +4:05:06",
                    "P1Y2M-3DT4H5M6S",
                ],
            ),
            (
                0,
                -1,
                -1_500_000,
                ["@ 1 day 1.5 secs ago", "-1 0:00:01.5", "P-1DT-1.5S"],
            ),
            (0, 0, 0, ["@ 0", "0", "PT0S"]),
            (14, 0, 0, ["@ 1 year 2 mons", "1-2", "P1Y2M"]),
            (
                0,
                3,
                time,
                ["@ 3 days 4 hours 5 mins 6 secs", "3 4:05:06", "P3DT4H5M6S"],
            ),
            (
                12,
                0,
                60 * MINUTE,
                ["@ 1 year 1 hour", "+1-0 +0 +1:00:00", "P1YT1H"],
            ),
            (
                0,
                -1,
                1_000_000,
                ["@ 1 day -1 sec ago", "+0-0 -1 +0:00:01", "P-1DT1S"],
            ),
        ] {
            let written = [
                IntervalStyle::Verbose,
                IntervalStyle::SqlStandard,
                IntervalStyle::Iso,
            ]
            .map(|style| {
                let mut text = String::new();
                style.write(&mut text, months, days, micros).unwrap();
                text
            });
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn extremes_are_written() {
        for style in ["postgres", "postgres_verbose", "sql_standard", "iso_8601"] {
            let style = IntervalStyle::of_name(style);
            let mut text = String::new();
            style
                .write(&mut text, i32::MIN, i32::MIN, i64::MIN)
                .unwrap();
            assert!(text.contains("178956970"), "{text}");
        }
    }
}
