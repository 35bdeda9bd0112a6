//! Times with nanoseconds below zero, as the C++ library writes those before 1970, rewritten with
//! nanoseconds that `orc-rust` reads: it takes them as unsigned.
//!
//! A time is seconds from 2015 and nanoseconds, whose last three bits count the zeros that are left
//! out. Readers take one second from times before 1970 with more than 999,999 nanoseconds, so that
//! no such time can be within the last second before 1970. Those are written here as nanoseconds
//! that come out 2^64 too large: a second in the year 2554, in which no other time may be.
//!
//! Of a writer in another time zone than UTC, the seconds are counted from where 2015 began there.
//! The zone's offset at the time is added, as Java's and the C++ reader do whose own zone is UTC: what
//! is read are the date and the time of day that the writer had. Whether a time is before 1970 is
//! decided before that, as the writers do.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::runs::Integers;
use super::stripe::{DATA, SECONDARY, Streams, StripeFooter};
use super::wire::folded;
use super::{Result, broken};

const NANOS: i128 = 1_000_000_000;
/// From 1970 to 2015, in UTC.
const BASE: i128 = 1_420_070_400;
/// What a time within the last second before 1970 has too much.
const WRAPPED: i128 = 1 << 64;
/// Values of one run at most, in both versions of the encoding.
const RUN: usize = 128;

/// The nanoseconds of a rewritten time, by those that the crate returns.
pub(super) fn read(nanos: i128) -> i128 {
    match (WRAPPED - NANOS..WRAPPED).contains(&nanos) {
        true => nanos - WRAPPED,
        false => nanos,
    }
}

/// Rewrites the times of a column. `values`: how many it has, NULLs left out. `zone`: the writer's,
/// in which they are local; they are rewritten as if it was UTC.
///
/// # Errors
/// The streams are damaged; a time is in the second that is needed, or has no offset in the zone.
pub(super) fn rewrite(
    column: u32,
    values: u64,
    zone: Option<Tz>,
    footer: &StripeFooter,
    streams: &mut Streams,
) -> Result<()> {
    let unreadable = || broken(format!("column {column} has a time that cannot be read"));
    let base = base(zone).ok_or_else(unreadable)?;
    let second = footer.encoding(column)?.is_second();
    let integers = |signed| Integers { second, signed };
    let mut seconds = Vec::new();
    let stream = streams.get(column, DATA).unwrap_or_default();
    integers(true).each(stream, values, |value| {
        seconds.push(value);
        Ok(())
    })?;
    let mut nanos = Vec::new();
    let stream = streams.get(column, SECONDARY).unwrap_or_default();
    integers(false).each(stream, values, |value| {
        nanos.push(value);
        Ok(())
    })?;
    let (mut data, mut secondary) = (Writer::new(second), Writer::new(second));
    for (seconds, nanos) in seconds.into_iter().zip(nanos) {
        let time = local(time(seconds, nanos, base), zone).and_then(encoded);
        let (seconds, nanos) = time.ok_or_else(unreadable)?;
        data.push(folded(seconds));
        secondary.push(nanos);
    }
    streams.replace(column, DATA, data.finish());
    streams.replace(column, SECONDARY, secondary.finish());
    Ok(())
}

/// Seconds from 1970 to where 2015 began in a zone.
fn base(zone: Option<Tz>) -> Option<i128> {
    let Some(zone) = zone else {
        return Some(BASE);
    };
    let begin = zone.with_ymd_and_hms(2015, 1, 1, 0, 0, 0).earliest()?;
    Some(i128::from(begin.timestamp()))
}

/// The nanoseconds from 1970 that clocks of a zone show at a time.
fn local(time: i128, zone: Option<Tz>) -> Option<i128> {
    let Some(zone) = zone else {
        return Some(time);
    };
    let seconds = i64::try_from(time.div_euclid(NANOS)).ok()?;
    let utc = DateTime::from_timestamp(seconds, 0)?.naive_utc();
    let offset = zone.offset_from_utc_datetime(&utc).fix();
    Some(time + i128::from(offset.local_minus_utc()) * NANOS)
}

/// Nanoseconds from 1970 of a time as it is in a file. `base`: as of [`base`].
fn time(seconds: i64, nanos: i64, base: i128) -> i128 {
    let zeros = match nanos & 7 {
        0 => 0,
        zeros => zeros as u32 + 1,
    };
    let nanos = i128::from(nanos >> 3) * 10_i128.pow(zeros);
    let seconds = i128::from(seconds) + base;
    let before = i128::from(seconds < 0 && nanos > 999_999);
    (seconds - before) * NANOS + nanos
}

/// Seconds from 2015 and nanoseconds, as `orc-rust` reads a time. `None`: there are none.
fn encoded(time: i128) -> Option<(i64, u64)> {
    if (WRAPPED - NANOS..WRAPPED).contains(&time) {
        return None;
    }
    let (mut seconds, nanos) = (time.div_euclid(NANOS), time.rem_euclid(NANOS));
    let mut raw = u64::try_from(nanos).ok()? << 3;
    if seconds < 0 && nanos > 999_999 {
        seconds += 1;
        if seconds == 0 {
            // Microseconds below zero, times 1,000 once they are read.
            let micros = i64::try_from(time.div_euclid(1000)).ok()?;
            raw = (micros << 3).cast_unsigned() | 2;
        }
    }
    Some((i64::try_from(seconds - BASE).ok()?, raw))
}

/// Writes runs of integers as they are.
struct Writer {
    second: bool,
    run: Vec<u64>,
    bytes: Vec<u8>,
}

impl Writer {
    fn new(second: bool) -> Self {
        Self {
            second,
            run: Vec::with_capacity(RUN),
            bytes: Vec::new(),
        }
    }

    fn push(&mut self, value: u64) {
        self.run.push(value);
        if self.run.len() == RUN {
            self.end_run();
        }
    }

    fn end_run(&mut self) {
        // At most 128: the casts keep all bits.
        let length = self.run.len();
        if length == 0 {
            return;
        }
        if self.second {
            // Of 64 bits each.
            self.bytes.push(0x40 | (31 << 1));
            self.bytes.push((length - 1) as u8);
            let values = self.run.iter().flat_map(|value| value.to_be_bytes());
            self.bytes.extend(values);
        } else {
            self.bytes.push((256 - length) as u8);
            for value in &self.run {
                let mut rest = *value;
                while rest >= 0x80 {
                    self.bytes.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                self.bytes.push(rest as u8);
            }
        }
        self.run.clear();
    }

    fn finish(mut self) -> Vec<u8> {
        self.end_run();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What `orc-rust` makes of seconds and nanoseconds.
    fn decoded((seconds, raw): (i64, u64)) -> i128 {
        let mut nanos = raw >> 3;
        let zeros = (raw & 7) as u32;
        if zeros != 0 {
            nanos = nanos.wrapping_mul(10_u64.pow(zeros + 1));
        }
        let seconds = i128::from(seconds) + BASE;
        let before = i128::from(seconds < 0 && nanos > 999_999);
        (seconds - before) * NANOS + i128::from(nanos)
    }

    #[test]
    fn times_are_read_as_they_are() {
        for time in [
            0,
            1,
            -1,
            -999,
            -1000,
            -1_000_000,
            -1_000_001,
            -999_999_999,
            -1_000_000_000,
            -1_000_000_001,
            -3_000_003_000,
            -100_000_000_000_000_000_001,
            5_999_999_999,
            WRAPPED,
            WRAPPED - NANOS - 1,
        ] {
            let found = read(decoded(encoded(time).unwrap()));
            assert_eq!(found.div_euclid(1000), time.div_euclid(1000), "{time}");
        }
        assert_eq!(encoded(WRAPPED - 1), None);
        assert_eq!(encoded(i128::MAX), None);
    }

    #[test]
    fn nanoseconds_below_zero_are_added() {
        assert_eq!(time(-1_420_070_403, (-3 << 3) | 2, BASE), -3_000_003_000);
        assert_eq!(time(-1_420_070_400, -5 << 3, BASE), -5);
        assert_eq!(time(-1_420_070_402, 5_000_000 << 3, BASE), -2_995_000_000);
    }

    #[test]
    fn times_are_those_that_the_writer_s_clocks_showed() {
        let zone = chrono_tz::America::Los_Angeles;
        let base = base(Some(zone)).unwrap();
        assert_eq!(base, BASE + 8 * 3600);
        // 2015-01-01 00:00:00 there, less half a second of July 1969, when clocks were put forward.
        assert_eq!(local(time(0, 0, base), Some(zone)), Some(BASE * NANOS));
        let july = -15_552_000_i64;
        let seconds = july - i64::try_from(base).unwrap();
        let found = local(time(seconds, (-5 << 3) | 7, base), Some(zone));
        let clock = i128::from(july - 7 * 3600) * NANOS - 500_000_000;
        assert_eq!(found, Some(clock));
        // At the end of 1969 in UTC they were behind, and the time is before 1970 in both.
        let seconds = -1 - i64::try_from(base).unwrap();
        let found = local(time(seconds, 999_999_999 << 3, base), Some(zone));
        assert_eq!(found, Some(-8 * 3600 * NANOS - 1_000_000_001));
        assert_eq!(local(i128::MAX, Some(zone)), None);
        assert_eq!(local(i128::from(i64::MAX) * NANOS, Some(zone)), None);
    }

    #[test]
    fn runs_are_read_back() {
        let values: Vec<i64> = (0..300).map(|n| (n - 150) * 0x7fff_ffff_ffff).collect();
        for second in [false, true] {
            let mut writer = Writer::new(second);
            for value in &values {
                writer.push(folded(*value));
            }
            let stream = writer.finish();
            let mut found = Vec::new();
            let integers = Integers {
                second,
                signed: true,
            };
            integers
                .each(&stream, values.len() as u64, |value| {
                    found.push(value);
                    Ok(())
                })
                .unwrap();
            assert_eq!(found, values);
        }
    }
}
