//! Intervals in the alternative forms of ISO 8601, which have the places of a date and a time instead of
//! letters.
//!
//! ```text
//! P0001-02-03T04:05:06      P1-2, P1, P1T2, PT4:5
//! P00010203T040506
//! ```
//!
//! PostgreSQL also reads signs and fractions of all fields; here they are errors.

use super::super::moment::Fault;
use super::{HOUR, MINUTE};

/// Months, days and microseconds.
type Parts = (i64, i64, i64);

/// Digits of a date and of a time without separators.
const DATE_DIGITS: usize = 8;
const TIME_DIGITS: usize = 6;

/// Parses what follows `P`; `None` if it has another form.
pub(super) fn read(text: &str) -> Option<Result<Parts, Fault>> {
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    let has_form = |part: &str, separator: char| {
        part.chars()
            .all(|c| c.is_ascii_digit() || c == '.' || c == separator)
    };
    if text.is_empty() || text == "T" || !has_form(date, '-') || !has_form(time, ':') {
        return None;
    }
    Some(parts(date, time))
}

fn parts(date: &str, time: &str) -> Result<Parts, Fault> {
    let [years, months, days] = fields(date, '-', DATE_DIGITS, [4, 2, 2])?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    if !fraction.is_empty() && time.matches(':').count() != 2 {
        return Err(Fault::Syntax);
    }
    let [hours, minutes, seconds] = fields(time, ':', TIME_DIGITS, [2, 2, 2])?;
    let part: f64 = format!("0.{fraction}0")
        .parse()
        .map_err(|_| Fault::Syntax)?;
    let months = years.checked_mul(12).and_then(|of| of.checked_add(months));
    let micros = hours.checked_mul(HOUR).and_then(|of_hours| {
        let of_minutes = minutes.checked_mul(MINUTE)?;
        let of_seconds = seconds.checked_mul(1_000_000)?;
        of_hours
            .checked_add(of_minutes)?
            .checked_add(of_seconds)?
            .checked_add((part * 1e6).round_ties_even() as i64)
    });
    Ok((
        months.ok_or(Fault::Range)?,
        days,
        micros.ok_or(Fault::Range)?,
    ))
}

/// Returns up to three numbers between separators, or those of a text of `digits` digits that has
/// none. Those that are missing are 0.
fn fields(
    text: &str,
    separator: char,
    digits: usize,
    widths: [usize; 3],
) -> Result<[i64; 3], Fault> {
    let mut found = [0; 3];
    if text.is_empty() {
        return Ok(found);
    }
    let number = |digits: &str| match digits.is_empty() || digits.contains('.') {
        true => Err(Fault::Syntax),
        false => digits.parse::<i64>().map_err(|_| Fault::Range),
    };
    if text.len() == digits && !text.contains(separator) {
        let mut rest = text;
        for (place, width) in found.iter_mut().zip(widths) {
            let (field, after) = rest.split_at_checked(width).ok_or(Fault::Syntax)?;
            *place = number(field)?;
            rest = after;
        }
        return Ok(found);
    }
    let mut written = text.split(separator);
    for place in &mut found {
        match written.next() {
            Some(field) => *place = number(field)?,
            None => break,
        }
    }
    match written.next() {
        Some(_) => Err(Fault::Syntax),
        None => Ok(found),
    }
}
