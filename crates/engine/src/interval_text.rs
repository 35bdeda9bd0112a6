//! Intervals as PostgreSQL writes them with the IntervalStyle `postgres`.

use std::fmt::{Result, Write};

/// Writes an interval, such as `1 year 2 mons -3 days +04:05:06.7`.
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
