//! Intervals in the forms of ISO 8601: numbers before letters, in any order, or the places of a date and
//! a time.
//!
//! ```text
//! P1Y2M3DT4H5M6.5S          P12D100Y, P-1.5M, P1e2D
//! P0001-02-03T04:05:06      P1-2, P1, P1T2, PT4:5
//! P00010203T040506
//! ```
//!
//! Of `P1Y2M`, each part before and after `T` is in one of the two forms. Hexadecimal numbers, which
//! PostgreSQL reads, are errors.

use super::super::moment::Fault;
use super::{Number, Period, Unit};

/// Digits of a date and of a time without separators.
const DATE_DIGITS: usize = 8;
const TIME_DIGITS: usize = 6;

/// Larger numbers are out of range.
const LARGEST: f64 = 1e15;

/// Adds what follows `P`.
///
/// # Errors
///
/// The text has another form, or a number is out of range.
pub(super) fn read(text: &str, period: &mut Period) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(Fault::Syntax);
    }
    let mut rest = text;
    let mut is_time = false;
    let mut has_letters = false;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            (is_time, has_letters, rest) = (true, false, time);
            continue;
        }
        let start = rest;
        let number = taken_number(&mut rest)?;
        if let Some(unit) = rest.chars().next().and_then(|c| unit_of(c, is_time)) {
            period.add(number, unit)?;
            rest = rest.get(1..).unwrap_or_default();
            has_letters = true;
            continue;
        }
        if has_letters {
            return Err(Fault::Syntax);
        }
        let is_single = rest.is_empty() || (!is_time && rest.starts_with('T'));
        let digits = if is_time { TIME_DIGITS } else { DATE_DIGITS };
        match is_single && width(start) == digits {
            true => compact(number, is_time, period)?,
            false => places(number, &mut rest, is_time, period)?,
        }
        if !rest.is_empty() && (is_time || !rest.starts_with('T')) {
            return Err(Fault::Syntax);
        }
    }
    Ok(())
}

fn unit_of(letter: char, is_time: bool) -> Option<Unit> {
    Some(match (is_time, letter) {
        (false, 'Y') => Unit::Year,
        (false, 'M') => Unit::Month,
        (false, 'W') => Unit::Week,
        (false, 'D') => Unit::Day,
        (true, 'H') => Unit::Hour,
        (true, 'M') => Unit::Minute,
        (true, 'S') => Unit::Second,
        _ => return None,
    })
}

/// Adds the places of a date or a time, of which `first` is the first one, up to three.
fn places(first: Number, rest: &mut &str, is_time: bool, period: &mut Period) -> Result<(), Fault> {
    let (separator, units) = match is_time {
        true => (':', [Unit::Hour, Unit::Minute, Unit::Second]),
        false => ('-', [Unit::Year, Unit::Month, Unit::Day]),
    };
    let [unit, others @ ..] = units;
    period.add(first, unit)?;
    for unit in others {
        let Some(after) = rest.strip_prefix(separator) else {
            break;
        };
        *rest = after;
        period.add(taken_number(rest)?, unit)?;
    }
    Ok(())
}

/// Adds a date or a time without separators. PostgreSQL drops the fraction of such a time.
fn compact(number: Number, is_time: bool, period: &mut Period) -> Result<(), Fault> {
    let units = match is_time {
        true => [Unit::Hour, Unit::Minute, Unit::Second],
        false => [Unit::Year, Unit::Month, Unit::Day],
    };
    let [first, second, third] = units;
    let whole = |whole: i64| Number {
        whole,
        fraction: 0.0,
    };
    period.add(whole(number.whole / 10_000), first)?;
    period.add(whole(number.whole / 100 % 100), second)?;
    let last = Number {
        whole: number.whole % 100,
        fraction: if is_time { 0.0 } else { number.fraction },
    };
    period.add(last, third)
}

/// Returns how many digits a number begins with.
fn width(text: &str) -> usize {
    let digits = text.strip_prefix('-').unwrap_or(text);
    count_digits(digits)
}

fn count_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Parses the next number. Its fraction is that of the nearest double: 8.6 has 0.5999999999999996.
fn taken_number(rest: &mut &str) -> Result<Number, Fault> {
    let text = *rest;
    let whole = width(text);
    let mut end = whole + usize::from(text.starts_with('-'));
    let after = text.get(end..).unwrap_or_default();
    let fraction = after.strip_prefix('.').map(count_digits);
    end += fraction.map_or(0, |digits| digits + 1);
    if whole + fraction.unwrap_or(0) == 0 {
        return Err(Fault::Syntax);
    }
    let after = text.get(end..).unwrap_or_default();
    if let Some(exponent) = after.strip_prefix(['e', 'E']) {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        let count = count_digits(digits);
        if count > 0 {
            end += after.len() - digits.len() + count;
        }
    }
    let (number, after) = text.split_at_checked(end).ok_or(Fault::Syntax)?;
    let number: f64 = number.parse().map_err(|_| Fault::Syntax)?;
    if number.is_infinite() {
        return Err(Fault::Syntax);
    }
    if number.abs() > LARGEST {
        return Err(Fault::Range);
    }
    *rest = after;
    Ok(Number {
        whole: number.trunc() as i64,
        fraction: number.fract(),
    })
}
