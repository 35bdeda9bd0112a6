//! Dates and timestamps in text, as Hive writes them and as ISO 8601 does.

use chrono::{Datelike, NaiveDate};

/// Days from 0001-01-01 (day 1 of the common era) to the Unix epoch.
const EPOCH_DAY: i32 = 719_163;

pub(super) const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A moment by its parts; `offset` is in seconds east of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) struct Moment {
    pub year: i32,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micros: u32,
    pub offset: i32,
}

impl Moment {
    pub(in crate::format) const EPOCH: Moment = Moment {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        micros: 0,
        offset: 0,
    };

    /// Microseconds since the Unix epoch in UTC; `None` where a part is out of its range.
    pub(in crate::format) fn to_micros(self) -> Option<i64> {
        if self.hour > 23 || self.minute > 59 || self.second > 59 || self.micros > 999_999 {
            return None;
        }
        let days = i64::from(days(self.year, self.month, self.day)?);
        let of_day = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        let seconds = days * SECONDS_PER_DAY + of_day - i64::from(self.offset);
        Some(seconds * MICROS_PER_SECOND + i64::from(self.micros))
    }
}

/// Days since the Unix epoch of a date between the years 1 and 9999.
fn days(year: i32, month: u32, day: u32) -> Option<i32> {
    if !(1..=9999).contains(&year) {
        return None;
    }
    Some(NaiveDate::from_ymd_opt(year, month, day)?.num_days_from_ce() - EPOCH_DAY)
}

/// Reads `yyyy-MM-dd`, alone or in front of a time of day, which is left out. Days since the Unix
/// epoch.
pub(super) fn date(text: &str) -> Option<i32> {
    let moment = moment(text)?;
    days(moment.year, moment.month, moment.day)
}

/// Reads `yyyy-MM-dd`, `yyyy-MM-dd HH:mm[:ss[.f…]]` with a blank or a `T` between, and an optional
/// `Z`, `UTC` or offset (`+01:00`, `+0100`, `+01`) after it. Microseconds since the Unix epoch, in
/// UTC where a zone is given; digits below a microsecond are left out.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    moment(text)?.to_micros()
}

fn moment(text: &str) -> Option<Moment> {
    let mut at = Cursor {
        rest: text.trim().as_bytes(),
    };
    let year = i32::try_from(at.number(4, 4)?).ok()?;
    at.literal(b"-")?;
    let month = at.number(1, 2)?;
    at.literal(b"-")?;
    let mut moment = Moment {
        year,
        month,
        day: at.number(1, 2)?,
        ..Moment::EPOCH
    };
    if !at.rest.is_empty() {
        at.literal(b" ")
            .or_else(|| at.literal(b"T"))
            .or_else(|| at.literal(b"t"))?;
        moment.hour = at.number(1, 2)?;
        at.literal(b":")?;
        moment.minute = at.number(1, 2)?;
        if at.literal(b":").is_some() {
            moment.second = at.number(1, 2)?;
            if at.literal(b".").is_some() {
                moment.micros = at.fraction()?;
            }
        }
        let _ = at.literal(b" ");
        if !at.rest.is_empty() {
            moment.offset = at.zone()?;
        }
    }
    (at.rest.is_empty() && moment.to_micros().is_some()).then_some(moment)
}

/// Reads one text from left to right.
pub(in crate::format) struct Cursor<'a> {
    pub rest: &'a [u8],
}

impl Cursor<'_> {
    /// A number of `least` to `most` digits, at most 9.
    pub(in crate::format) fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self
            .rest
            .iter()
            .take(most.min(9))
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits < least {
            return None;
        }
        let (number, rest) = self.rest.split_at_checked(digits)?;
        self.rest = rest;
        Some(
            number
                .iter()
                .fold(0, |value, digit| value * 10 + u32::from(digit - b'0')),
        )
    }

    pub(in crate::format) fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    /// Like [`Self::literal`], in either case.
    pub(super) fn word(&mut self, word: &str) -> Option<()> {
        let (head, rest) = self.rest.split_at_checked(word.len())?;
        if !head.eq_ignore_ascii_case(word.as_bytes()) {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    /// The digits after a decimal point, in microseconds.
    pub(in crate::format) fn fraction(&mut self) -> Option<u32> {
        let digits = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (fraction, rest) = self.rest.split_at_checked(digits).filter(|_| digits > 0)?;
        self.rest = rest;
        let shown = fraction.iter().chain(b"000000").take(6);
        Some(shown.fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
    }

    /// `Z`, `UTC`, `GMT` or an offset; seconds east of UTC.
    pub(super) fn zone(&mut self) -> Option<i32> {
        if ["utc", "gmt", "z"]
            .iter()
            .any(|name| self.word(name).is_some())
        {
            return Some(0);
        }
        let sign = match self.rest.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.rest = self.rest.get(1..)?;
        let hours = self.number(1, 2)?;
        let colon = self.literal(b":").is_some();
        let minutes = match self.number(2, 2) {
            Some(minutes) => minutes,
            None if colon => return None,
            None => 0,
        };
        if hours > 18 || minutes > 59 {
            return None;
        }
        Some(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn timestamps_are_read_in_hives_and_isos_forms() {
        let noon = 1_704_196_800_000_000; // 2024-01-02 12:00:00 UTC
        for (text, micros) in [
            ("2024-01-02 12:00:00", noon),
            ("2024-01-02T12:00:00", noon),
            ("2024-1-2 12:00", noon),
            (" 2024-01-02T12:00:00Z ", noon),
            ("2024-01-02 12:00:00 UTC", noon),
            ("2024-01-02T13:30:00+01:30", noon),
            ("2024-01-02T11:00:00-0100", noon),
            ("2024-01-02T13:00:00+01", noon),
            ("2024-01-02 12:00:00.5", noon + 500_000),
            ("2024-01-02 12:00:00.123456789", noon + 123_456),
            ("2024-01-02", noon - 43_200_000_000),
            ("1969-12-31 23:59:59.999999", -1),
            ("0001-01-01 00:00:00", -62_135_596_800_000_000),
            ("9999-12-31 23:59:59", 253_402_300_799_000_000),
        ] {
            assert_eq!(timestamp(text), Some(micros), "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp_is_none() {
        for text in [
            "",
            "2024",
            "24-01-02",
            "2024-13-01",
            "2024-02-30",
            "2024-01-02 24:00:00",
            "2024-01-02 12:60:00",
            "2024-01-02 12:00:00.",
            "2024-01-02 12:00:00+",
            "2024-01-02 12:00:00+25:00",
            "2024-01-02 12:00:00+01:",
            "2024-01-02x",
            "2024-01-02 12:00:00 Mars",
            "0000-01-01",
            "20240-01-01",
            "２０２４-01-01",
            "2024-01-02 12",
        ] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn date_leaves_the_time_of_day_out() {
        assert_eq!(date("1970-01-02"), Some(1));
        assert_eq!(date("2024-02-29T23:00:00-05:00"), Some(19_782));
        assert_eq!(date("2023-02-29"), None);
        assert_eq!(date("2024-02-29 nonsense"), None);
    }
}
