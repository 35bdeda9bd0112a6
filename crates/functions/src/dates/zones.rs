//! Time zones by Trino's names, and when their clocks show a time, as in Java.
//!
//! ```text
//! shown twice      the first: 2024-11-03 01:30 in New York is 01:30-04
//! never shown      by the offset before: 2024-03-10 02:30 is 02:30-05, which is 03:30-04
//! ```

use std::sync::Arc;

use datafusion::error::Result;
use lakegate_engine::time::Clock;
use lakegate_error::{Code, Error};

use super::calendar::{DAY, Local, SECOND, out_of_range};
use super::values::shortened;

/// The largest offset from UTC, in minutes.
const MOST_MINUTES: i64 = 14 * 60;

/// Names of UTC.
const NAMES_OF_UTC: &[&str] = &[
    "Z", "UT", "GMT", "UTC", "Etc/UT", "Etc/GMT", "Etc/UTC", "Zulu",
];

/// Prefixes of an offset; in the first one it counts west.
const PREFIXES: &[&str] = &["Etc/GMT", "Etc/UTC", "Etc/UT", "GMT", "UTC", "UT"];

/// Returns a zone by its name, such as `Europe/Berlin`, `+02:00` or `UTC`.
///
/// # Errors
///
/// There is no such zone.
pub(super) fn named(name: &str) -> Result<Clock> {
    if NAMES_OF_UTC.contains(&name) {
        return Ok(Clock::UTC);
    }
    if let Ok(zone) = name.parse() {
        return Ok(Clock::Named(zone));
    }
    for (place, prefix) in PREFIXES.iter().enumerate() {
        if let Some(offset) = name.strip_prefix(prefix)
            && let Some(minutes) = of_offset(offset)
        {
            let minutes = if place == 0 { -minutes } else { minutes };
            return at_offset(minutes);
        }
    }
    match of_offset(name) {
        Some(minutes) => at_offset(minutes),
        None if name.starts_with(['+', '-']) => Err(unknown(name).into()),
        None => Clock::of(name).map_err(|_| unknown(name).into()),
    }
}

/// Returns the zone of a type or of the session.
///
/// # Errors
///
/// The zone is unknown.
pub(super) fn of_type(zone: &str) -> Result<Clock> {
    let clock = Clock::of(zone)?;
    // UTC without a look at tables.
    Ok(if clock.is_utc() { Clock::UTC } else { clock })
}

fn unknown(name: &str) -> Error {
    Error::new(
        Code::InvalidParameter,
        format!("'{}' is not a time zone", shortened(name)),
    )
    .with_hint("name one as 'Europe/Berlin' or '+02:00'")
}

/// Parses `+2`, `+02`, `+0230` and `+02:30` into minutes east.
fn of_offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    let number = |text: &str| -> Option<i64> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        (digits && (1..=2).contains(&text.len())).then(|| text.parse().ok())?
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some((hours, minutes)), _) => (number(hours)?, number(minutes)?),
        (None, 4) => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        (None, _) => (number(digits)?, 0),
    };
    (minutes < 60).then_some(sign * (hours * 60 + minutes))
}

/// Returns the zone some minutes east of UTC.
///
/// # Errors
///
/// The offset is more than 14 hours.
pub(super) fn at_offset(minutes: i64) -> Result<Clock> {
    match i32::try_from(minutes) {
        Ok(offset) if minutes.abs() <= MOST_MINUTES => Ok(Clock::Fixed(offset * 60)),
        _ => Err(Error::new(
            Code::InvalidParameter,
            format!("the offset of {minutes} minutes is not one of a time zone"),
        )
        .with_hint("offsets are at most 14 hours")
        .into()),
    }
}

/// Returns the zone's name, which [`named`] and Arrow read.
pub(super) fn id(clock: Clock) -> Arc<str> {
    match clock {
        Clock::Named(zone) => zone.name().into(),
        Clock::Fixed(0) => "UTC".into(),
        Clock::Fixed(seconds) => {
            let minutes = seconds.unsigned_abs() / 60;
            let sign = if seconds < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60).into()
        }
    }
}

/// Returns what the clock shows at an instant.
pub(super) fn shown(clock: Clock, instant: i64) -> Local {
    Local::of(instant).later(offset(clock, instant))
}

/// Returns the microseconds east of UTC at an instant.
pub(super) fn offset(clock: Clock, instant: i64) -> i64 {
    i64::from(clock.offset_at(instant)) * SECOND
}

/// Returns the instant at which the clock shows a time, and whether it shows that at all.
///
/// # Errors
///
/// The instant is out of range.
pub(super) fn instant(clock: Clock, local: Local) -> Result<(i64, bool)> {
    let at = |offset: i64| local.later(-offset).micros();
    if let Clock::Fixed(seconds) = clock {
        return Ok((at(i64::from(seconds) * SECOND)?, true));
    }
    let estimate = local.micros()?;
    // A clock is set by at most a day.
    let before = offset(clock, estimate.saturating_sub(DAY));
    let first = at(before)?;
    if offset(clock, first) == before {
        return Ok((first, true));
    }
    let after = offset(clock, estimate.saturating_add(DAY));
    let second = at(after)?;
    match offset(clock, second) == after {
        true => Ok((second, true)),
        false => Ok((first, false)),
    }
}

/// Returns the instant at which the clock shows a time that was made from another one, which had
/// this offset: the offset stays if it can.
///
/// # Errors
///
/// The instant is out of range.
pub(super) fn instant_near(clock: Clock, local: Local, was: i64) -> Result<i64> {
    let same = local.later(-was).micros()?;
    match offset(clock, same) == was {
        true => Ok(same),
        false => Ok(instant(clock, local)?.0),
    }
}

/// # Errors
///
/// The instant is out of range.
pub(super) fn instant_of_local(clock: Clock, local: i64) -> Result<i64> {
    match clock {
        Clock::Fixed(seconds) => local
            .checked_sub(i64::from(seconds) * SECOND)
            .ok_or_else(|| out_of_range().into()),
        Clock::Named(_) => Ok(instant(clock, Local::of(local))?.0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::calendar::{HOUR, MINUTE, days_of};
    use super::*;

    fn local(date: (i64, i64, i64), hour: i64, minute: i64) -> Local {
        Local {
            day: days_of(date.0, date.1, date.2),
            time: hour * HOUR + minute * MINUTE,
        }
    }

    #[test]
    fn zones_have_names_and_offsets() {
        for (name, known) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("UTC", "UTC"),
            ("Z", "UTC"),
            ("+2", "+02:00"),
            ("-0530", "-05:30"),
            ("+14:00", "+14:00"),
            ("UTC+3", "+03:00"),
            ("GMT-7", "-07:00"),
            ("+00:00", "UTC"),
        ] {
            assert_eq!(id(named(name).unwrap()).as_ref(), known, "{name}");
        }
        assert_eq!(offset(named("Etc/GMT+5").unwrap(), 0), -5 * HOUR);
        for name in ["", "nowhere", "+15:00", "+1:2:3", "GMT7", "+02:60", "é"] {
            assert!(named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn clocks_are_set_forward_and_back() {
        for (zone, date, time, utc, exists) in [
            ("America/New_York", (2024, 3, 10), (2, 30), (7, 30), false),
            ("America/New_York", (2024, 11, 3), (1, 30), (5, 30), true),
            ("Europe/Berlin", (2024, 3, 31), (2, 30), (1, 30), false),
            ("Europe/Berlin", (2024, 10, 27), (2, 30), (0, 30), true),
            ("Europe/Berlin", (2024, 7, 1), (12, 0), (10, 0), true),
            ("+02:00", (2024, 7, 1), (12, 0), (10, 0), true),
        ] {
            let clock = named(zone).unwrap();
            let expected = local(date, utc.0, utc.1).micros().unwrap();
            let found = instant(clock, local(date, time.0, time.1)).unwrap();
            assert_eq!(found, (expected, exists), "{zone} {date:?}");
        }
        let berlin = named("Europe/Berlin").unwrap();
        let twice = local((2024, 10, 27), 2, 30);
        let second = instant_near(berlin, twice, HOUR).unwrap();
        assert_eq!(second, local((2024, 10, 27), 1, 30).micros().unwrap());
        for time in [i64::MIN, i64::MAX] {
            let _ = (instant(berlin, Local::of(time)), shown(berlin, time));
        }
    }
}
