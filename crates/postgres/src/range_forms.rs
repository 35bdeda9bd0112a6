//! The binary form of ranges, as PostgreSQL's `range_send` writes it and `range_recv` reads it: a byte
//! of flags, and each bound with its length, in the binary form of its type.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use lakegate_gateway::values::{RangeBound, RangeNumber, RangePoint, RangeType, RangeValue};

use super::forms::put_numeric;
use super::types::{self, oid};

/// The range has no values, and no bounds follow.
const EMPTY: u8 = 1;
/// It includes its lower or upper bound.
const LOWER_INCLUSIVE: u8 = 2;
const UPPER_INCLUSIVE: u8 = 4;
/// It has no lower or no upper bound.
const NO_LOWER: u8 = 8;
const NO_UPPER: u8 = 16;

/// 2000-01-01, in days and in microseconds since 1970.
const FIRST_DAY: i64 = 10_957;
const FIRST_MICROS: i64 = FIRST_DAY * 86_400_000_000;

/// Returns the type of ranges that a number stands for.
fn range_type(type_oid: u32) -> Option<RangeType> {
    match type_oid {
        oid::INT4RANGE
        | oid::INT8RANGE
        | oid::NUMRANGE
        | oid::TSRANGE
        | oid::TSTZRANGE
        | oid::DATERANGE => RangeType::named(&types::type_name(type_oid)),
        _ => None,
    }
}

/// Appends the form of a range; `None` if the text is none of the type.
pub(crate) fn put(out: &mut BytesMut, type_oid: u32, text: &str) -> Option<()> {
    let of = range_type(type_oid)?;
    let range = RangeValue::read(of, text).ok()?;
    let RangeValue::Span { lower, upper } = range else {
        out.put_u8(EMPTY);
        return Some(());
    };
    let flag = |bound: Option<&RangeBound>, inclusive: u8, missing: u8| match bound {
        Some(bound) if bound.is_inclusive => inclusive,
        Some(_) => 0,
        None => missing,
    };
    let of_lower = flag(lower.as_ref(), LOWER_INCLUSIVE, NO_LOWER);
    let of_upper = flag(upper.as_ref(), UPPER_INCLUSIVE, NO_UPPER);
    out.put_u8(of_lower | of_upper);
    for bound in [lower, upper].into_iter().flatten() {
        let mut point = BytesMut::new();
        put_point(&mut point, of, &bound.point)?;
        out.put_i32(i32::try_from(point.len()).ok()?);
        out.put_slice(&point);
    }
    Some(())
}

fn put_point(out: &mut BytesMut, of: RangeType, point: &RangePoint) -> Option<()> {
    let whole = match point {
        RangePoint::Number(number) => return put_numeric(out, number.text()),
        RangePoint::Whole(whole) => *whole,
    };
    match (of, whole) {
        (RangeType::Int4, whole) => out.put_i32(i32::try_from(whole).ok()?),
        (RangeType::Date, i64::MIN) => out.put_i32(i32::MIN),
        (RangeType::Date, i64::MAX) => out.put_i32(i32::MAX),
        (RangeType::Date, days) => out.put_i32(i32::try_from(days - FIRST_DAY).ok()?),
        (RangeType::Ts | RangeType::Tstz, micros @ (i64::MIN | i64::MAX)) => out.put_i64(micros),
        (RangeType::Ts | RangeType::Tstz, micros) => {
            out.put_i64(micros.checked_sub(FIRST_MICROS)?);
        }
        (RangeType::Int8 | RangeType::Num, whole) => out.put_i64(whole),
    }
    Some(())
}

/// Reads a parameter of one of these types into its text. The outer `None` stands for another type,
/// the inner one for bytes that are no value of it.
pub(crate) fn read(type_oid: u32, bytes: &[u8]) -> Option<Option<String>> {
    Some(text(range_type(type_oid)?, bytes))
}

fn text(of: RangeType, bytes: &[u8]) -> Option<String> {
    let (flags, mut rest) = bytes.split_first()?;
    let range = match flags & EMPTY != 0 {
        true => RangeValue::Empty,
        false => {
            let lower = bound(of, &mut rest, *flags, LOWER_INCLUSIVE, NO_LOWER)?;
            let upper = bound(of, &mut rest, *flags, UPPER_INCLUSIVE, NO_UPPER)?;
            RangeValue::new(of, lower, upper).ok()?
        }
    };
    match rest.is_empty() {
        true => range.text(of).ok(),
        false => None,
    }
}

/// Reads a bound; the inner `None` stands for a range without it.
fn bound(
    of: RangeType,
    rest: &mut &[u8],
    flags: u8,
    inclusive: u8,
    missing: u8,
) -> Option<Option<RangeBound>> {
    if flags & missing != 0 {
        return Some(None);
    }
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
    let (value, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(Some(RangeBound {
        point: point(of, value)?,
        is_inclusive: flags & inclusive != 0,
    }))
}

fn point(of: RangeType, bytes: &[u8]) -> Option<RangePoint> {
    let short = || Some(i32::from_be_bytes(bytes.try_into().ok()?));
    let long = || Some(i64::from_be_bytes(bytes.try_into().ok()?));
    Some(RangePoint::Whole(match of {
        RangeType::Num => return Some(RangePoint::Number(number(bytes)?)),
        RangeType::Int4 => i64::from(short()?),
        RangeType::Int8 => long()?,
        RangeType::Date => match short()? {
            i32::MIN => i64::MIN,
            i32::MAX => i64::MAX,
            days => i64::from(days) + FIRST_DAY,
        },
        RangeType::Ts | RangeType::Tstz => match long()? {
            micros @ (i64::MIN | i64::MAX) => micros,
            micros => micros.checked_add(FIRST_MICROS)?,
        },
    }))
}

/// Reads a `numeric`. It claims 131072 digits before the point and 16383 after it at most.
fn number(bytes: &[u8]) -> Option<RangeNumber> {
    let (head, groups) = bytes.split_first_chunk::<8>()?;
    let [count, weight, sign, scale] = [0, 2, 4, 6].map(|at| {
        let word = [head.get(at), head.get(at + 1)];
        u16::from_be_bytes(word.map(|byte| byte.copied().unwrap_or_default()))
    });
    if groups.len() != 2 * usize::from(count) {
        return None;
    }
    let sign = match sign {
        0 => "",
        0x4000 => "-",
        0xc000 => return RangeNumber::read("NaN").ok(),
        0xd000 => return RangeNumber::read("Infinity").ok(),
        0xf000 => return RangeNumber::read("-Infinity").ok(),
        _ => return None,
    };
    let groups = groups.chunks_exact(2).map(|group| match group {
        [high, low] => Some(u16::from_be_bytes([*high, *low])).filter(|group| *group <= 9999),
        _ => None,
    });
    let groups: Vec<u16> = groups.collect::<Option<_>>()?;
    // The first group is at 10000 to the power of the weight; those that are not sent are zero.
    let weight = i32::from(weight.cast_signed());
    let group = |at: i32| {
        let found = usize::try_from(at).ok().and_then(|at| groups.get(at));
        found.copied().unwrap_or_default()
    };
    let mut text = format!("{sign}0");
    for at in 0..=weight {
        write!(text, "{:04}", group(at)).ok()?;
    }
    let scale = usize::from(scale);
    if scale > 0 {
        text.push('.');
        let start = text.len();
        let mut at = weight + 1;
        while text.len() < start + scale {
            write!(text, "{:04}", group(at)).ok()?;
            at += 1;
        }
        text.truncate(start + scale);
    }
    RangeNumber::read(&text).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digits: Vec<char> = hexadecimal.chars().collect();
        let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
        pairs
            .map(|pair| u8::from_str_radix(&pair, 16).unwrap())
            .collect()
    }

    // The bytes are those of PostgreSQL 15's send functions.
    #[test]
    fn forms_are_those_of_postgres() {
        for (type_oid, text, form) in [
            (
                oid::INT4RANGE,
                "[1,10)",
                "020000000400000001000000040000000a",
            ),
            (oid::INT4RANGE, "(,)", "18"),
            (oid::INT4RANGE, "empty", "01"),
            (oid::INT8RANGE, "[1,)", "12000000080000000000000001"),
            (
                oid::NUMRANGE,
                "[1.50,2]",
                "060000000c0002000000000002000113880000000a00010000000000000002",
            ),
            (oid::NUMRANGE, "(-10000,)", "100000000a00010001400000000001"),
            (
                oid::NUMRANGE,
                "[NaN,NaN]",
                "060000000800000000c00000000000000800000000c0000000",
            ),
            (
                oid::NUMRANGE,
                "[0.00001,10000000000)",
                "020000000a0001fffe0000000503e80000000a00010002000000000064",
            ),
            (
                oid::DATERANGE,
                "[2024-01-01,2024-02-01)",
                "02000000040000223e000000040000225d",
            ),
            (
                oid::DATERANGE,
                "[2024-01-01,infinity)",
                "02000000040000223e000000047fffffff",
            ),
            (
                oid::TSRANGE,
                "[\"2024-01-01 10:00:00\",\"2024-01-02 00:00:00\"]",
                "06000000080002b0de36ada800000000080002b0e9f2c0a000",
            ),
            (
                oid::TSTZRANGE,
                "(,\"2024-01-01 08:00:00+00\"]",
                "0c000000080002b0dc89866000",
            ),
            (oid::TSTZRANGE, "(,infinity]", "0c000000087fffffffffffffff"),
        ] {
            let mut out = BytesMut::new();
            put(&mut out, type_oid, text).unwrap();
            assert_eq!(&out[..], bytes(form), "{text}");
            assert_eq!(read(type_oid, &out), Some(Some(text.to_owned())));
        }
    }

    #[test]
    fn other_bytes_are_refused() {
        assert_eq!(read(oid::TEXT, b"a"), None);
        for (type_oid, form) in [
            (oid::INT4RANGE, ""),
            (oid::INT4RANGE, "0100"),
            (oid::INT4RANGE, "02"),
            (oid::INT4RANGE, "020000000400000001"),
            (oid::INT4RANGE, "02000000030000010000000400000002"),
            (oid::INT4RANGE, "02ffffffff0000000400000002"),
            (oid::INT4RANGE, "027fffffff00000001"),
            (oid::INT4RANGE, "020000000400000000000000040000000101"),
            // Its lower bound is greater than its upper one.
            (oid::INT4RANGE, "0200000004000000020000000400000001"),
            (oid::NUMRANGE, "120000000a00020000000000000002"),
            (oid::NUMRANGE, "120000000a00010000000000002710"),
            (oid::NUMRANGE, "120000000a00010000123400000001"),
        ] {
            assert_eq!(read(type_oid, &bytes(form)), Some(None), "{form}");
        }
    }
}
