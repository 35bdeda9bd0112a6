//! What the clocks of a time zone show, as in PostgreSQL.
//!
//! ```text
//! shown twice          the second: 2024-11-03 01:30 in New York is 01:30-05
//! never shown          by the offset before: 2024-03-10 02:30 is 02:30-05, which is 03:30-04
//! after zone tables    the rules of the last years of the tables
//! ```

use chrono::{DateTime, Datelike, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{OffsetName, Tz};
use lakegate_error::{Code, Error};

use super::SECOND;
use super::abbreviations::ABBREVIATIONS;

const DAY: i64 = 86_400 * SECOND;

/// Days of 400 years, after which the calendar repeats.
const CYCLE: i64 = 146_097;

/// The zone tables end in 2100. Every calendar occurs in the 28 years before this one.
const TABLES_END: i32 = 2090;

/// The largest offset from UTC, in seconds: PostgreSQL accepts up to 15:59:59.
const MAX_OFFSET: i32 = 16 * 3600;

/// A time zone. Times are in microseconds since 1970, either in UTC or as the clock shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Clock {
    /// Seconds east of UTC.
    Fixed(i32),
    Named(Tz),
}

impl Clock {
    /// The clock of UTC.
    pub const UTC: Self = Self::Fixed(0);

    /// Returns the zone of a type: an IANA name, or an offset such as `+02:00`.
    ///
    /// # Errors
    ///
    /// Returns an error if `zone` is neither.
    pub fn of(zone: &str) -> Result<Self, Error> {
        offset(zone)
            .map(Self::Fixed)
            .or_else(|| named(zone))
            .ok_or_else(|| unknown(zone))
    }

    /// Returns the zone of a type that may have none. Without one, it is UTC.
    ///
    /// # Errors
    ///
    /// Returns an error if the zone is unknown.
    pub fn of_type(zone: Option<&str>) -> Result<Self, Error> {
        zone.map_or(Ok(Self::UTC), Self::of)
    }

    /// Returns a zone by the name that `AT TIME ZONE` takes: an IANA name in any case, an
    /// abbreviation, or a POSIX name such as `UTC+3`, whose offset counts west.
    ///
    /// # Errors
    ///
    /// Returns an error if the zone is unknown.
    pub fn by_name(name: &str) -> Result<Self, Error> {
        Self::in_text(name).ok_or_else(|| unknown(name))
    }

    /// Returns a zone by its name in the text of a time.
    pub(crate) fn in_text(name: &str) -> Option<Self> {
        abbreviation(name)
            .or_else(|| named(name))
            .or_else(|| posix(name).map(|west| Self::Fixed(-west)))
    }

    /// Returns whether the clock always shows UTC.
    pub fn is_utc(self) -> bool {
        matches!(self, Self::Fixed(0) | Self::Named(Tz::UTC | Tz::Etc__UTC))
    }

    /// Returns the seconds east of UTC at an instant.
    pub fn offset_at(self, instant: i64) -> i32 {
        match self {
            Self::Fixed(seconds) => seconds,
            Self::Named(zone) => {
                let time = within_tables(instant, zone);
                zone.offset_from_utc_datetime(&time).fix().local_minus_utc()
            }
        }
    }

    /// Returns the zone's abbreviation at an instant, such as `CEST`, or `+02` if it has none.
    pub fn abbreviation_at(self, instant: i64) -> String {
        let seconds = self.offset_at(instant);
        let named = match self {
            Self::Fixed(_) => None,
            Self::Named(zone) => {
                let time = within_tables(instant, zone);
                let offset = zone.offset_from_utc_datetime(&time);
                offset.abbreviation().map(str::to_owned)
            }
        };
        named.unwrap_or_else(|| {
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.unsigned_abs() / 60;
            match (seconds, minutes % 60) {
                (0, _) => "UTC".to_owned(),
                (_, 0) => format!("{sign}{:02}", minutes / 60),
                (_, rest) => format!("{sign}{:02}{rest:02}", minutes / 60),
            }
        })
    }

    /// Returns what the clock shows at an instant; `None` after the last time.
    pub fn shown(self, instant: i64) -> Option<i64> {
        instant.checked_add(i64::from(self.offset_at(instant)) * SECOND)
    }

    /// Returns the seconds east of UTC when the clock shows a time.
    pub fn offset_when(self, shown: i64) -> i32 {
        let zone = match self {
            Self::Fixed(seconds) => return seconds,
            Self::Named(zone) => zone,
        };
        let time = within_tables(shown, zone);
        match zone.offset_from_local_datetime(&time) {
            MappedLocalTime::Single(offset) => offset.fix().local_minus_utc(),
            MappedLocalTime::Ambiguous(_, second) => second.fix().local_minus_utc(),
            // A clock is set forward by at most a day.
            MappedLocalTime::None => self.offset_at(shown.saturating_sub(DAY)),
        }
    }

    /// Returns the instant at which the clock shows a time; `None` after the last time.
    pub fn instant(self, shown: i64) -> Option<i64> {
        shown.checked_sub(i64::from(self.offset_when(shown)) * SECOND)
    }
}

/// Maps a time to one with the same offset that the zone tables cover.
fn within_tables(time: i64, zone: Tz) -> NaiveDateTime {
    let last = NaiveDate::from_ymd_opt(TABLES_END, 1, 1)
        .unwrap_or_default()
        .and_time(chrono::NaiveTime::MIN);
    let last_micros = last.and_utc().timestamp_micros();
    if time < last_micros {
        // No clock was changed before the first date that `chrono` represents.
        let time = DateTime::from_timestamp_micros(time)
            .map_or(NaiveDateTime::MIN, |time| time.naive_utc());
        return time.max(first());
    }
    let offset = |time: NaiveDateTime| zone.offset_from_utc_datetime(&time).fix().local_minus_utc();
    let before = last - chrono::TimeDelta::days(1);
    let summer = last - chrono::TimeDelta::days(180);
    if offset(before) == offset(summer) {
        return before;
    }
    // The same day of a year with the same calendar.
    let since = (time - last_micros).rem_euclid(CYCLE * DAY);
    let time = last + chrono::TimeDelta::microseconds(since);
    let alike = (TABLES_END - 28..TABLES_END).find(|year| {
        let of =
            |year| NaiveDate::from_ymd_opt(year, 1, 1).map(|day| (day.weekday(), day.leap_year()));
        of(*year) == of(time.year())
    });
    let year = alike.unwrap_or(TABLES_END - 28);
    time.with_year(year).unwrap_or(before)
}

/// Returns the first time that `chrono` can still shift by an offset.
fn first() -> NaiveDateTime {
    NaiveDateTime::MIN + chrono::TimeDelta::days(2)
}

pub(super) fn unknown(name: &str) -> Error {
    Error::new(
        Code::InvalidParameter,
        format!("time zone \"{name}\" not recognized"),
    )
    .with_hint("name one as 'Europe/Berlin', or an abbreviation such as 'UTC' or 'CET'")
}

fn named(name: &str) -> Option<Clock> {
    let exact = name.parse().ok();
    let zone = exact.or_else(|| {
        let mut all = chrono_tz::TZ_VARIANTS.iter().copied();
        all.find(|zone| zone.name().eq_ignore_ascii_case(name))
    });
    zone.map(Clock::Named)
}

/// Parses `+02`, `+02:00`, `-0530` and `+02:00:30` into seconds. Hours have one or two digits.
pub(super) fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, text.get(1..)?),
        b'-' => (-1, text.get(1..)?),
        _ => return None,
    };
    Some(sign * unsigned_offset(digits)?)
}

fn unsigned_offset(text: &str) -> Option<i32> {
    let number = |text: &str, bound: i32| -> Option<i32> {
        let is_number =
            (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let value = is_number.then(|| text.parse::<i32>().ok())??;
        (value < bound).then_some(value)
    };
    let mut parts = text.split(':');
    let hours = parts.next()?;
    let (hours, minutes) = match hours.len() {
        3 | 4 => hours
            .split_at_checked(hours.len() - 2)
            .map(|(hours, minutes)| (hours, Some(minutes)))?,
        _ => (hours, None),
    };
    let minutes = match minutes {
        Some(minutes) => minutes,
        None => parts.next().unwrap_or("0"),
    };
    let seconds = parts.next().unwrap_or("0");
    if parts.next().is_some() {
        return None;
    }
    let total = number(hours, 16)? * 3600 + number(minutes, 60)? * 60 + number(seconds, 60)?;
    (total < MAX_OFFSET).then_some(total)
}

/// Parses `UTC+3`, `<+03>-3` and `-3` into seconds west: a name without meaning, and an offset.
fn posix(text: &str) -> Option<i32> {
    let rest = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?.1,
        None => text.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    match rest.as_bytes().first()? {
        b'+' | b'-' => offset(rest),
        b'0'..=b'9' => unsigned_offset(rest),
        _ => None,
    }
}

/// Returns the abbreviations of PostgreSQL's default set whose meaning does not change.
fn abbreviation(name: &str) -> Option<Clock> {
    let name = name.to_ascii_lowercase();
    let found = ABBREVIATIONS.binary_search_by_key(&name.as_str(), |(name, _)| name);
    let (_, seconds) = ABBREVIATIONS.get(found.ok()?)?;
    Some(Clock::Fixed(*seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn micros(text: &str) -> i64 {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
        time.and_utc().timestamp_micros()
    }

    #[test]
    fn offsets_are_those_of_postgres() {
        for (zone, shown, seconds) in [
            ("America/New_York", "2024-07-01 08:00:00", -4 * 3600),
            ("America/New_York", "2024-11-03 01:30:00", -5 * 3600),
            ("America/New_York", "2024-03-10 02:30:00", -5 * 3600),
            ("America/New_York", "1850-01-01 00:00:00", -17_762),
            ("Europe/Berlin", "2500-07-01 20:00:00", 7200),
            ("Europe/Berlin", "2500-03-28 02:30:00", 3600),
            ("Europe/Berlin", "2500-03-28 03:00:00", 7200),
            ("Europe/Berlin", "9999-12-31 23:59:59", 3600),
            ("Asia/Kolkata", "9999-07-01 00:00:00", 19_800),
            ("Pacific/Apia", "2011-12-30 12:00:00", -10 * 3600),
            ("+02:00", "2024-07-01 08:00:00", 7200),
        ] {
            let clock = Clock::of(zone).unwrap();
            assert_eq!(clock.offset_when(micros(shown)), seconds, "{zone} {shown}");
        }
        let berlin = Clock::of("Europe/Berlin").unwrap();
        for time in [
            i64::MIN,
            i64::MIN / 2,
            -62_135_596_800 * SECOND,
            i64::MAX / 2,
            i64::MAX,
        ] {
            let _ = (berlin.shown(time), berlin.instant(time));
        }
    }

    #[test]
    fn zones_have_names_abbreviations_and_offsets() {
        for (name, seconds) in [
            ("utc", 0),
            ("EST", -5 * 3600),
            ("cest", 7200),
            ("UTC+3", -3 * 3600),
            ("<+03>-3", 3 * 3600),
            ("+02:00", -7200),
            ("2", -7200),
            ("asia/kolkata", 19_800),
        ] {
            let clock = Clock::by_name(name).unwrap();
            assert_eq!(clock.offset_at(0), seconds, "{name}");
        }
        for name in ["", "nowhere", " UTC", "UTC+", "+16", "EST5XYZ", "+1:2:3:4"] {
            assert!(Clock::by_name(name).is_err(), "{name}");
        }
        assert_eq!(offset("+0530"), Some(19_800));
        assert_eq!(offset("-02:00:30"), Some(-7230));
        assert!(ABBREVIATIONS.is_sorted());
    }
}
