//! Time zones as SET takes them.

use std::borrow::Cow;

use lakegate_engine::time::interval_of_text;

/// PostgreSQL's bound of the hours of an offset.
const MOST_HOURS: f64 = 168.0;

/// The most seconds that a zone of the engine is away from UTC.
const MOST_ENGINE_SECONDS: u32 = 16 * 3600 - 1;

/// Checks the value of `TimeZone`. Returns the form in which it is shown: an IANA name in its
/// canonical spelling, an offset as `+hh:mm`, or a zone as POSIX writes it.
///
/// # Errors
///
/// There is no such zone; the detail of PostgreSQL's error, if it has one.
pub(super) fn time_zone(value: &str) -> Result<String, Option<&'static str>> {
    let value = value.trim().trim_matches('\'');
    if let Some(name) = iana(value) {
        return Ok(name.to_owned());
    }
    if let Some(interval) = value.strip_prefix("INTERVAL ") {
        return of_interval(interval);
    }
    // `+hh:mm` is east of UTC here, and hours as a number are in PostgreSQL too.
    if let Some((hours, minutes)) = value.split_once(':')
        && let Some((sign, hours)) = signed(hours)
        && let Some(seconds) = clock(hours, Some(minutes))
        && seconds <= MOST_ENGINE_SECONDS
    {
        return Ok(shown(sign, seconds));
    }
    if let Ok(hours) = value.parse::<f64>()
        && value.ends_with(|c: char| c.is_ascii_digit() || c == '.')
    {
        if hours.abs() >= MOST_HOURS {
            return Err(Some("UTC timezone offset is out of range."));
        }
        let seconds = (hours.abs() * 3600.0) as u32;
        let sign = if hours < 0.0 { '-' } else { '+' };
        return match seconds <= MOST_ENGINE_SECONDS {
            true => Ok(shown(sign, seconds)),
            false => Err(None),
        };
    }
    match posix(value) {
        Some(_) => Ok(value.to_uppercase()),
        None => Err(None),
    }
}

/// Returns the zone of a value that [`time_zone`] returned, as the engine has it: an IANA name or an
/// offset such as `+05:30`.
pub(super) fn engine_zone(shown: &str) -> Cow<'_, str> {
    // Most names have no digits.
    let has_digits = shown.bytes().any(|byte| byte.is_ascii_digit());
    if !has_digits || shown.starts_with(['+', '-']) || iana(shown).is_some() {
        return Cow::Borrowed(shown);
    }
    match posix(shown) {
        Some(offset) => Cow::Owned(offset),
        None => Cow::Borrowed(shown),
    }
}

fn iana(value: &str) -> Option<&'static str> {
    let mut zones = chrono_tz::TZ_VARIANTS.iter();
    zones
        .find(|zone| zone.name().eq_ignore_ascii_case(value))
        .map(|zone| zone.name())
}

/// Reads a zone as POSIX writes one without daylight saving time: letters or a name in brackets, and
/// hours west of UTC. `UTC-2` and `<+02>-2` are two hours ahead.
fn posix(value: &str) -> Option<String> {
    let offset = match value.strip_prefix('<') {
        Some(rest) => {
            let (name, offset) = rest.split_once('>')?;
            let is_name = |c: char| c.is_ascii_alphanumeric() || "+-".contains(c);
            (!name.is_empty() && name.chars().all(is_name)).then_some(offset)?
        }
        None => {
            let offset = value.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            // Abbreviations have at least three letters.
            (value.len() - offset.len() >= 3).then_some(offset)?
        }
    };
    let (sign, rest) = signed(offset)?;
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) => (hours, Some(minutes)),
        None => (rest, None),
    };
    let seconds = clock(hours, minutes).filter(|seconds| *seconds <= MOST_ENGINE_SECONDS)?;
    let east = if sign == '-' { '+' } else { '-' };
    Some(shown(east, seconds))
}

/// Splits a sign off; without one it is positive.
fn signed(text: &str) -> Option<(char, &str)> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => ('+', rest),
        ("-", rest) => ('-', rest),
        _ => ('+', text),
    };
    let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
    is_number.then_some((sign, rest))
}

/// Returns the seconds of hours and minutes.
fn clock(hours: &str, minutes: Option<&str>) -> Option<u32> {
    let number = |text: &str| {
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse::<u32>().ok()).flatten()
    };
    let minutes = minutes.map_or(Some(0), number)?;
    (minutes < 60).then_some(number(hours)? * 3600 + minutes * 60)
}

fn shown(sign: char, seconds: u32) -> String {
    let minutes = seconds / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Reads the interval of `SET TIME ZONE INTERVAL '…'` in quotes: a time, or an amount of one unit.
fn of_interval(quoted: &str) -> Result<String, Option<&'static str>> {
    let text = quoted.trim_matches('\'');
    let Some(interval) = interval_of_text(text) else {
        return Err(None);
    };
    if interval.months != 0 {
        return Err(Some("Cannot specify months in time zone interval."));
    }
    if interval.days != 0 {
        return Err(Some("Cannot specify days in time zone interval."));
    }
    let seconds = u32::try_from(interval.nanoseconds.unsigned_abs() / 1_000_000_000)
        .ok()
        .filter(|seconds| *seconds <= MOST_ENGINE_SECONDS)
        .ok_or(Some("UTC timezone offset is out of range."))?;
    let sign = if interval.nanoseconds < 0 { '-' } else { '+' };
    Ok(shown(sign, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_of_java_and_posix_have_the_opposite_sign() {
        for (text, shown, zone) in [
            ("GMT-01:00", "GMT-01:00", "+01:00"),
            ("gmt+3", "GMT+3", "-03:00"),
            ("UTC+05:30", "UTC+05:30", "-05:30"),
            ("EST5", "EST5", "-05:00"),
            ("<+03>-3", "<+03>-3", "+03:00"),
            ("GMT", "GMT", "GMT"),
            ("est5edt", "EST5EDT", "EST5EDT"),
        ] {
            assert_eq!(time_zone(text).as_deref(), Ok(shown), "{text}");
            assert_eq!(engine_zone(shown), zone, "{text}");
        }
        for text in [
            "GMTx",
            "UTC+",
            "GMT--1",
            "GMT-+1",
            "UTC+16",
            "Foo/Bar",
            "FOO",
            "",
            "Z",
            "ab1",
            "<+03>",
            "<>-3",
            "<é>-3",
            "EST5EDT,M3.2.0,M11.1.0",
            "local",
            "default",
        ] {
            assert_eq!(time_zone(text), Err(None), "{text}");
        }
    }

    #[test]
    fn offsets_are_east_of_utc() {
        for (text, zone) in [
            ("+02:00", "+02:00"),
            ("-3:30", "-03:30"),
            ("5", "+05:00"),
            ("5.5", "+05:30"),
            ("-7", "-07:00"),
            ("0", "+00:00"),
            ("1e1", "+10:00"),
            ("INTERVAL '-08:00'", "-08:00"),
            ("INTERVAL '90 minutes'", "+01:30"),
        ] {
            assert_eq!(time_zone(text).as_deref(), Ok(zone), "{text}");
            assert_eq!(engine_zone(zone), zone, "{text}");
        }
        // Expected details: PostgreSQL 15.
        for (text, detail) in [
            ("168", Some("UTC timezone offset is out of range.")),
            ("-200", Some("UTC timezone offset is out of range.")),
            ("17", None),
            (
                "INTERVAL '1 month'",
                Some("Cannot specify months in time zone interval."),
            ),
            (
                "INTERVAL '1 day'",
                Some("Cannot specify days in time zone interval."),
            ),
        ] {
            assert_eq!(time_zone(text), Err(detail), "{text}");
        }
    }
}
