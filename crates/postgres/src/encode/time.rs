//! Dates, times, timestamps and intervals in Postgres' ISO style and binary form.
//!
//! Everything is computed in the proleptic Gregorian calendar in `i64`, over Postgres' whole range
//! (4713 BC to 294276 AD). A value outside it is an error: a client would read it as `infinity` or
//! as another time.

use std::str::FromStr;

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, TimeZone};
use chrono_tz::OffsetName;
use datafusion::arrow::datatypes::TimeUnit;
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::values::IntervalStyle;
use lakegate_gateway::values::time::Clock;

use super::number::{ASCII_ZEROS, eight_digits, put_start, put_uint, two_digits};

pub(super) const DAY_MICROS: i64 = 86_400_000_000;
/// Days from 1970-01-01 to 2000-01-01, where Postgres' binary dates begin.
pub(crate) const EPOCH_DAYS: i64 = 10_957;
pub(crate) const EPOCH_MICROS: i64 = EPOCH_DAYS * DAY_MICROS;
/// `MIN_TIMESTAMP` and `END_TIMESTAMP` of Postgres' `datatype/timestamp.h`, in microseconds since
/// 2000.
const MIN_TIMESTAMP: i64 = -211_813_488_000_000_000;
const END_TIMESTAMP: i64 = 9_223_371_331_200_000_000;
/// Julian day 0 and the first day past Postgres' dates, in days since 2000.
const MIN_DATE: i64 = -2_451_545;
const END_DATE: i64 = 2_147_483_494 + MIN_DATE;

/// The session's TimeZone, for timestamps with a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    Fixed(i32),
    Named(chrono_tz::Tz),
}

impl Zone {
    pub(crate) const UTC: Zone = Zone::Fixed(0);

    /// Parses an IANA name (any case) or an offset such as `+05:30`; anything else is UTC.
    pub(crate) fn parse(name: &str) -> Zone {
        let name = name.trim();
        if name.eq_ignore_ascii_case("utc")
            || name.eq_ignore_ascii_case("gmt")
            || name.eq_ignore_ascii_case("z")
        {
            return Zone::UTC;
        }
        if let Ok(zone) = chrono_tz::Tz::from_str(name).or_else(|_| any_case(name).ok_or(())) {
            return Zone::Named(zone);
        }
        chrono::FixedOffset::from_str(name)
            .map_or(Zone::UTC, |offset| Zone::Fixed(offset.local_minus_utc()))
    }

    /// Returns the same zone as the engine's type.
    pub(crate) fn clock(self) -> Clock {
        match self {
            Zone::Fixed(seconds) => Clock::Fixed(seconds),
            Zone::Named(zone) => Clock::Named(zone),
        }
    }

    /// Returns the seconds east of UTC at a moment, in microseconds since 1970.
    pub(crate) fn offset_at(self, micros: i64) -> i32 {
        self.clock().offset_at(micros)
    }

    /// Returns the name of the zone's clock at a moment, in microseconds since 1970: `CET`; `None`
    /// if it has none.
    pub(super) fn name_at(self, micros: i64) -> Option<String> {
        let Zone::Named(zone) = self else {
            return None;
        };
        let at = DateTime::from_timestamp_micros(micros)?;
        let offset = zone.offset_from_utc_datetime(&at.naive_utc());
        offset.abbreviation().map(str::to_owned)
    }

    /// Returns the seconds east of UTC at a local time, in microseconds since 1970, as the engine
    /// resolves it.
    pub(crate) fn offset_at_local(self, micros: i64) -> i32 {
        self.clock().offset_when(micros)
    }
}

fn any_case(name: &str) -> Option<chrono_tz::Tz> {
    chrono_tz::TZ_VARIANTS
        .iter()
        .copied()
        .find(|zone| zone.name().eq_ignore_ascii_case(name))
}

fn out_of_range(what: &str) -> Error {
    Error::new(
        Code::DatetimeOutOfRange,
        format!("{what} out of range: Postgres holds 4713 BC to 294276 AD"),
    )
}

/// Converts a count of `unit` to microseconds; finer parts are rounded towards the past.
pub(super) fn micros(value: i64, unit: TimeUnit, what: &str) -> Result<i64> {
    match unit {
        TimeUnit::Second => value.checked_mul(1_000_000),
        TimeUnit::Millisecond => value.checked_mul(1000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value.div_euclid(1000)),
    }
    .ok_or_else(|| out_of_range(what))
}

/// Converts days since 1970 to days since 2000, and checks the range.
pub(super) fn pg_date(days: i64) -> Result<i32> {
    let days = days - EPOCH_DAYS;
    match i32::try_from(days) {
        Ok(in_range) if (MIN_DATE..END_DATE).contains(&days) => Ok(in_range),
        _ => Err(out_of_range("date")),
    }
}

/// Converts microseconds since 1970 to microseconds since 2000, and checks the range.
pub(super) fn pg_timestamp(micros: i64) -> Result<i64> {
    micros
        .checked_sub(EPOCH_MICROS)
        .filter(|t| (MIN_TIMESTAMP..END_TIMESTAMP).contains(t))
        .ok_or_else(|| out_of_range("timestamp"))
}

pub(super) fn pg_time(micros: i64) -> Result<i64> {
    if (0..=DAY_MICROS).contains(&micros) {
        Ok(micros)
    } else {
        Err(Error::new(
            Code::NumericOutOfRange,
            "time of day out of range: it is 00:00:00 to 24:00:00",
        ))
    }
}

/// Returns the year (0 is 1 BC), month and day of days since 1970.
pub(super) fn civil(days: i64) -> (i64, u32, u32) {
    near_civil(days).unwrap_or_else(|| any_civil(days))
}

/// As [`civil`], of the years from -32800 to 2,900,000 and in 32 bits: C. Neri and L. Schneider,
/// "Euclidean affine functions and their application to calendar algorithms".
#[inline]
fn near_civil(days: i64) -> Option<(i64, u32, u32)> {
    /// Eras of 400 years, from March of year 0, that are added so that no number is negative.
    const ERAS: i64 = 82;
    let shifted = u32::try_from(days + 719_468 + 146_097 * ERAS).ok()?;
    if shifted >= 1 << 30 {
        return None;
    }
    let of_century = 4 * shifted + 3;
    let century = of_century / 146_097;
    let of_year = 4 * (of_century % 146_097 / 4) + 3;
    // The quotient and the remainder of `of_year / 1461` are the halves of a product.
    let product = 2_939_745 * u64::from(of_year);
    let year_of_century = (product >> 32) as u32;
    let day_of_year = product as u32 / 2_939_745 / 4;
    let of_month = 2141 * day_of_year + 197_913;
    let (month, day) = (of_month / 65_536, of_month % 65_536 / 2141 + 1);
    // Years begin in March here.
    let is_next = day_of_year >= 306;
    let year = i64::from(100 * century + year_of_century) - 400 * ERAS + i64::from(is_next);
    Some((year, if is_next { month - 12 } else { month }, day))
}

fn any_civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Returns the days since 1970 of a date; the inverse of [`civil`].
#[cfg(test)]
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Returns the digits `YYYYMMDD` of a date, given in days since 1970, the first in the lowest byte;
/// `None` if its year does not have four digits.
pub(super) fn day_digits(days: i64) -> Option<u64> {
    let (year, month, day) = near_civil(days)?;
    let year = u32::try_from(year).ok();
    let year = year.filter(|year| (1..=9999).contains(year))?;
    Some(eight_digits(year * 10_000 + month * 100 + day) | ASCII_ZEROS)
}

/// Writes `YYYY-MM-DD`; returns whether the year is BC, which is written after the whole value.
fn put_day(out: &mut BytesMut, days: i64) -> bool {
    let (year, month, day) = civil(days);
    let shown = if year > 0 { year } else { 1 - year } as u64;
    // Only years of more than four digits need a variable length.
    if shown > 9999 {
        put_uint(out, shown / 10_000);
    }
    let last = (shown % 10_000) as u32;
    let digits = eight_digits(last * 10_000 + month * 100 + day) | ASCII_ZEROS;
    let [a, b, c, d, e, f, g, h] = digits.to_le_bytes();
    out.extend_from_slice(&[a, b, c, d, b'-', e, f, b'-', g, h]);
    year <= 0
}

pub(super) fn put_clock(out: &mut BytesMut, micros: i64) {
    // At most 24 hours.
    let seconds = (micros / 1_000_000) as u32;
    let clock = seconds / 3600 * 10_000 + seconds / 60 % 60 * 100 + seconds % 60;
    let [_, _, a, b, c, d, e, f] = (eight_digits(clock) | ASCII_ZEROS).to_le_bytes();
    out.extend_from_slice(&[a, b, b':', c, d, b':', e, f]);
    put_fraction(out, (micros % 1_000_000) as u32);
}

/// Writes `.ffffff` without trailing zeros; nothing for zero.
fn put_fraction(out: &mut BytesMut, micros: u32) {
    if micros == 0 {
        return;
    }
    let ([a, b], [c, d]) = (two_digits(micros / 10_000), two_digits(micros / 100));
    let [e, f] = two_digits(micros);
    let text = [b'.', a, b, c, d, e, f];
    let zeros = text
        .iter()
        .rev()
        .take_while(|digit| **digit == b'0')
        .count();
    put_start(out, &text, text.len() - zeros);
}

pub(super) fn put_date(out: &mut BytesMut, days: i64) -> Result<()> {
    pg_date(days)?;
    if put_day(out, days) {
        out.put_slice(b" BC");
    }
    Ok(())
}

pub(super) fn put_time(out: &mut BytesMut, micros: i64) -> Result<()> {
    put_clock(out, pg_time(micros)?);
    Ok(())
}

/// Writes `2024-01-31 23:59:59.5`, with `separator` between date and time (JSON has `T`); with a
/// zone, its offset follows.
pub(super) fn put_timestamp(
    out: &mut BytesMut,
    micros: i64,
    zone: Option<Zone>,
    separator: u8,
) -> Result<()> {
    pg_timestamp(micros)?;
    let offset = zone.map(|zone| zone.offset_at(micros));
    let local = micros
        .checked_add(i64::from(offset.unwrap_or(0)) * 1_000_000)
        .ok_or_else(|| out_of_range("timestamp"))?;
    let before_christ = put_day(out, local.div_euclid(DAY_MICROS));
    out.extend_from_slice(&[separator]);
    put_clock(out, local.rem_euclid(DAY_MICROS));
    if let Some(offset) = offset {
        put_offset(out, offset, separator == b'T');
    }
    if before_christ {
        out.put_slice(b" BC");
    }
    Ok(())
}

/// Returns what a clock of the zone shows at a moment, both in microseconds since 1970.
///
/// # Errors
///
/// It is out of range.
pub(super) fn local(micros: i64, zone: Option<Zone>) -> Result<i64> {
    let offset = zone.map_or(0, |zone| zone.offset_at(micros));
    micros
        .checked_add(i64::from(offset) * 1_000_000)
        .ok_or_else(|| out_of_range("timestamp"))
}

pub(super) fn put_offset(out: &mut BytesMut, seconds: i32, with_minutes: bool) {
    let sign = if seconds < 0 { b'-' } else { b'+' };
    let seconds = seconds.unsigned_abs();
    // Less than a day.
    let [a, b] = two_digits(seconds / 3600);
    out.extend_from_slice(&[sign, a, b]);
    if with_minutes || !seconds.is_multiple_of(3600) {
        out.put_u8(b':');
        out.put_slice(&two_digits(seconds / 60 % 60));
    }
    if !seconds.is_multiple_of(60) {
        out.put_u8(b':');
        out.put_slice(&two_digits(seconds % 60));
    }
}

/// An interval's three parts, which do not convert into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

impl Interval {
    pub(super) fn put_binary(self, out: &mut BytesMut) {
        out.put_i64(self.micros);
        out.put_i32(self.days);
        out.put_i32(self.months);
    }

    /// Writes it in a style: `1 year 2 mons -3 days +04:05:06.7`.
    pub(super) fn put_text(self, out: &mut BytesMut, style: IntervalStyle) {
        // Writing cannot fail: the buffer grows.
        let _ = style.write(out, self.months, self.days, self.micros);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn text(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn date(days: i64) -> String {
        text(|out| put_date(out, days).unwrap())
    }

    fn timestamp(micros: i64, zone: Option<Zone>) -> String {
        text(|out| put_timestamp(out, micros, zone, b' ').unwrap())
    }

    fn interval(months: i32, days: i32, micros: i64) -> String {
        text(|out| {
            Interval {
                months,
                days,
                micros,
            }
            .put_text(out, IntervalStyle::Postgres)
        })
    }

    #[test]
    fn calendar_goes_both_ways() {
        for days in (-800_000..800_000).step_by(97) {
            let (year, month, day) = civil(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }

    #[test]
    fn calendar_in_32_bits_is_the_same() {
        let first = days_from_civil(-32_800, 3, 1);
        let last = (1 << 30) - 719_468 - 146_097 * 82 - 1;
        let all = (first..last).step_by(9_973);
        let near = (-800_000..800_000).step_by(7);
        for days in all.chain(near).chain([first, last]) {
            assert_eq!(near_civil(days), Some(any_civil(days)), "{days}");
        }
        assert_eq!(near_civil(first - 1), None);
        assert_eq!(near_civil(last + 1), None);
    }

    #[test]
    fn dates_reach_from_bc_to_far_years() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(19_782), "2024-02-29");
        assert_eq!(date(days_from_civil(-43, 3, 15)), "0044-03-15 BC");
        assert_eq!(date(days_from_civil(0, 12, 31)), "0001-12-31 BC");
        assert_eq!(date(days_from_civil(1, 1, 1)), "0001-01-01");
        assert_eq!(date(days_from_civil(12345, 6, 7)), "12345-06-07");
        assert!(put_date(&mut BytesMut::new(), i64::from(i32::MIN)).is_err());
    }

    #[test]
    fn timestamps_drop_trailing_zeros() {
        assert_eq!(timestamp(0, None), "1970-01-01 00:00:00");
        assert_eq!(
            timestamp(1_704_067_199_500_000, None),
            "2023-12-31 23:59:59.5"
        );
        assert_eq!(timestamp(1_000_001, None), "1970-01-01 00:00:01.000001");
        assert_eq!(timestamp(-1, None), "1969-12-31 23:59:59.999999");
        assert_eq!(timestamp(10_000, None), "1970-01-01 00:00:00.01");
        assert!(put_timestamp(&mut BytesMut::new(), i64::MIN, None, b' ').is_err());
        // The latest 64-bit value since 1970 is within Postgres' range, which counts from 2000.
        assert_eq!(timestamp(i64::MAX, None), "294247-01-10 04:00:54.775807");
        assert!(
            put_timestamp(
                &mut BytesMut::new(),
                i64::MAX,
                Some(Zone::Fixed(3600)),
                b' '
            )
            .is_err()
        );
    }

    #[test]
    fn fractions_have_the_digits_of_the_microseconds() {
        for micros in (1..1_000_000)
            .step_by(7)
            .chain([10, 100_000, 999_999, 500_000])
        {
            let expected = format!("00:00:00.{micros:06}");
            let clock = text(|out| put_time(out, micros).unwrap());
            assert_eq!(clock, expected.trim_end_matches('0'));
        }
        assert_eq!(text(|out| put_time(out, DAY_MICROS).unwrap()), "24:00:00");
    }

    #[test]
    fn timestamps_with_zone_follow_the_sessions_zone() {
        let noon = 1_719_835_200_000_000;
        assert_eq!(timestamp(noon, Some(Zone::UTC)), "2024-07-01 12:00:00+00");
        assert_eq!(
            timestamp(noon, Some(Zone::parse("Europe/Berlin"))),
            "2024-07-01 14:00:00+02"
        );
        assert_eq!(
            timestamp(noon, Some(Zone::parse("asia/kolkata"))),
            "2024-07-01 17:30:00+05:30"
        );
        assert_eq!(
            timestamp(noon, Some(Zone::parse("-03:30"))),
            "2024-07-01 08:30:00-03:30"
        );
        assert_eq!(
            timestamp(noon, Some(Zone::parse("nowhere"))),
            "2024-07-01 12:00:00+00"
        );
        assert_eq!(
            timestamp(
                -3_000_000_000_000_000,
                Some(Zone::parse("America/New_York"))
            ),
            "1874-12-07 13:43:58-04:56:02"
        );
    }

    // Expected texts: PostgreSQL 15.18.
    #[test]
    fn intervals_are_in_postgres_style() {
        assert_eq!(interval(0, 0, 0), "00:00:00");
        assert_eq!(
            interval(14, 3, 14_706_789_000),
            "1 year 2 mons 3 days 04:05:06.789"
        );
        assert_eq!(
            interval(-14, 3, -14_706_000_000),
            "-1 years -2 mons +3 days -04:05:06"
        );
        assert_eq!(interval(0, -1, 1_000_000), "-1 days +00:00:01");
        assert_eq!(interval(1, 0, 0), "1 mon");
        assert_eq!(interval(0, 0, 360_000_000_000), "100:00:00");
        assert_eq!(interval(0, 0, -500_000), "-00:00:00.5");
    }

    #[test]
    fn units_come_down_to_microseconds() {
        assert_eq!(micros(-1, TimeUnit::Nanosecond, "timestamp").unwrap(), -1);
        assert_eq!(micros(1999, TimeUnit::Nanosecond, "timestamp").unwrap(), 1);
        assert_eq!(micros(2, TimeUnit::Second, "timestamp").unwrap(), 2_000_000);
        assert!(micros(i64::MAX, TimeUnit::Second, "timestamp").is_err());
    }
}
