//! What bit strings are read as, and what is computed of them. All of them are texts of the digits 0 and
//! 1, the first bit first.

use lakegate_error::{Code, Error};

/// The bits of a `bigint`.
const WIDTH: usize = 64;

/// The bits of each hexadecimal digit.
const NIBBLES: [&str; 16] = [
    "0000", "0001", "0010", "0011", "0100", "0101", "0110", "0111", "1000", "1001", "1010", "1011",
    "1100", "1101", "1110", "1111",
];

/// Reads the text form of a bit string: `101`, `b101` or `x1F`, of which each digit is four bits.
///
/// # Errors
///
/// A character is no digit of its base (`InvalidCast`).
pub(in crate::postgres::functions) fn read(text: &str) -> Result<String, Error> {
    let digits = text.get(1..).unwrap_or_default();
    match text.as_bytes().first() {
        Some(b'x' | b'X') => of_hexadecimal(digits),
        Some(b'b' | b'B') => of_binary(digits),
        _ => of_binary(text),
    }
}

fn of_binary(digits: &str) -> Result<String, Error> {
    match digits.chars().find(|digit| !matches!(digit, '0' | '1')) {
        Some(other) => Err(no_digit(other, "binary")),
        None => Ok(digits.to_owned()),
    }
}

fn of_hexadecimal(digits: &str) -> Result<String, Error> {
    let bits = digits.chars().map(|digit| {
        let value = digit
            .to_digit(16)
            .and_then(|value| usize::try_from(value).ok());
        let bits = value.and_then(|value| NIBBLES.get(value));
        bits.copied().ok_or_else(|| no_digit(digit, "hexadecimal"))
    });
    bits.collect()
}

fn no_digit(other: char, base: &str) -> Error {
    let message = format!("\"{other}\" is not a valid {base} digit");
    Error::new(Code::InvalidCast, message)
}

/// Returns the first bits, followed by zeros if there are fewer than `length`.
pub(super) fn resized(bits: &str, length: usize) -> String {
    let mut resized = shortened(bits, length).to_owned();
    let missing = length.saturating_sub(resized.len());
    resized.extend(std::iter::repeat_n('0', missing));
    resized
}

/// Returns the first bits, at most `length`.
pub(super) fn shortened(bits: &str, length: usize) -> &str {
    bits.get(..length).unwrap_or(bits)
}

/// Returns the lowest `length` bits of a number in two's complement.
pub(super) fn of_integer(number: i64, length: usize) -> String {
    let digits = format!("{number:064b}");
    match WIDTH.checked_sub(length) {
        Some(skipped) => digits.get(skipped..).unwrap_or_default().to_owned(),
        None => {
            let sign = if number < 0 { '1' } else { '0' };
            let mut extended: String = std::iter::repeat_n(sign, length - WIDTH).collect();
            extended.push_str(&digits);
            extended
        }
    }
}

/// Returns the `integer` that bits are: in two's complement if they are 32, otherwise positive.
///
/// # Errors
///
/// There are more bits (`NumericOutOfRange`).
pub(super) fn to_integer(bits: &str) -> Result<i64, Error> {
    let number = unsigned(bits, 32, "integer")?;
    let number = u32::try_from(number).unwrap_or_default();
    Ok(i64::from(number.cast_signed()))
}

/// Returns the `bigint` that bits are: in two's complement if they are 64, otherwise positive.
///
/// # Errors
///
/// There are more bits (`NumericOutOfRange`).
pub(super) fn to_bigint(bits: &str) -> Result<i64, Error> {
    Ok(unsigned(bits, WIDTH, "bigint")?.cast_signed())
}

fn unsigned(bits: &str, most: usize, pg_type: &str) -> Result<u64, Error> {
    if bits.len() > most {
        let message = format!("{pg_type} out of range");
        return Err(Error::new(Code::NumericOutOfRange, message));
    }
    let digits = bits.bytes().map(|digit| u64::from(digit == b'1'));
    Ok(digits.fold(0, |number, bit| (number << 1) | bit))
}

/// Combines two bit strings bit by bit. `word`: the operator's, in messages.
///
/// # Errors
///
/// They are of different lengths (`LengthMismatch`).
pub(super) fn combined(
    left: &str,
    right: &str,
    word: &str,
    op: fn(bool, bool) -> bool,
) -> Result<String, Error> {
    if left.len() != right.len() {
        let message = format!("cannot {word} bit strings of different sizes");
        return Err(Error::new(Code::LengthMismatch, message));
    }
    let pairs = left.bytes().zip(right.bytes());
    Ok(pairs
        .map(|(one, other)| digit(op(one == b'1', other == b'1')))
        .collect())
}

pub(super) fn inverted(bits: &str) -> String {
    bits.bytes().map(|bit| digit(bit != b'1')).collect()
}

fn digit(bit: bool) -> char {
    if bit { '1' } else { '0' }
}

/// Shifts bits to the left, to the right if `by` is negative. The length stays.
pub(super) fn shifted(bits: &str, by: i64) -> String {
    let places = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX);
    let places = places.min(bits.len());
    let mut zeros = "0".repeat(places);
    if by < 0 {
        zeros.push_str(bits.get(..bits.len() - places).unwrap_or_default());
        return zeros;
    }
    let mut kept = bits.get(places..).unwrap_or_default().to_owned();
    kept.push_str(&zeros);
    kept
}

/// Returns the bytes that so many bits take.
pub(super) fn octets(bits: &str) -> usize {
    bits.len().div_ceil(8)
}

/// Returns how many bits are 1.
pub(super) fn ones(bits: &str) -> i64 {
    let ones = bits.bytes().filter(|bit| *bit == b'1').count();
    i64::try_from(ones).unwrap_or(i64::MAX)
}

/// Returns the bit at a place, from 0.
///
/// # Errors
///
/// There is no such bit (`ArraySubscript`).
pub(super) fn bit_at(bits: &str, index: i64) -> Result<i64, Error> {
    let place = place(bits, index)?;
    Ok(i64::from(bits.as_bytes().get(place) == Some(&b'1')))
}

/// Returns the bits with another one at a place, from 0.
///
/// # Errors
///
/// There is no such bit (`ArraySubscript`), or the new one is neither 0 nor 1 (`InvalidParameter`).
pub(super) fn replaced(bits: &str, index: i64, bit: i64) -> Result<String, Error> {
    let place = place(bits, index)?;
    let new = match bit {
        0 => "0",
        1 => "1",
        _ => {
            let message = "new bit must be 0 or 1";
            return Err(Error::new(Code::InvalidParameter, message));
        }
    };
    let mut replaced = bits.to_owned();
    replaced.replace_range(place..=place, new);
    Ok(replaced)
}

fn place(bits: &str, index: i64) -> Result<usize, Error> {
    let place = usize::try_from(index).ok();
    place.filter(|place| *place < bits.len()).ok_or_else(|| {
        let last = i64::try_from(bits.len()).unwrap_or(i64::MAX) - 1;
        let message = format!("bit index {index} out of valid range (0..{last})");
        Error::new(Code::ArraySubscript, message)
    })
}

/// Replaces `length` bits from the place `start`, from 1. A negative length repeats bits before it.
///
/// # Errors
///
/// The place is before the first (`InvalidSubstring`); the end is no `integer` (`NumericOutOfRange`).
pub(super) fn overlaid(bits: &str, with: &str, start: i64, length: i64) -> Result<String, Error> {
    if start <= 0 {
        let message = "negative substring length not allowed";
        return Err(Error::new(Code::InvalidSubstring, message));
    }
    let end = start.checked_add(length);
    let end = end
        .and_then(|end| i32::try_from(end).ok())
        .ok_or_else(|| Error::new(Code::NumericOutOfRange, "integer out of range"))?;
    let place = |from_one: i64| {
        let place = usize::try_from(from_one.saturating_sub(1).max(0));
        place.unwrap_or(usize::MAX).min(bits.len())
    };
    let before = bits.get(..place(start)).unwrap_or_default();
    let after = bits.get(place(i64::from(end))..).unwrap_or_default();
    Ok([before, with, after].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // The expected values of all tests are PostgreSQL 15's.

    #[test]
    fn texts_are_read() {
        for (text, expected) in [
            ("101", Ok("101")),
            ("", Ok("")),
            ("b0101", Ok("0101")),
            ("B", Ok("")),
            ("x1F", Ok("00011111")),
            ("XaB", Ok("10101011")),
            ("x", Ok("")),
            ("102", Err("\"2\" is not a valid binary digit")),
            (" 101", Err("\" \" is not a valid binary digit")),
            ("é", Err("\"é\" is not a valid binary digit")),
            ("x1g", Err("\"g\" is not a valid hexadecimal digit")),
            ("xé", Err("\"é\" is not a valid hexadecimal digit")),
        ] {
            let read = read(text).map_err(|error| error.message().to_owned());
            assert_eq!(read.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn lengths_are_made() {
        assert_eq!(resized("101", 5), "10100");
        assert_eq!(resized("10111", 3), "101");
        assert_eq!(resized("", 2), "00");
        assert_eq!(shortened("10101", 3), "101");
        assert_eq!(shortened("1", 3), "1");
    }

    #[test]
    fn integers_become_bits_and_back() {
        assert_eq!(of_integer(5, 3), "101");
        assert_eq!(of_integer(5, 8), "00000101");
        assert_eq!(of_integer(300, 8), "00101100");
        assert_eq!(of_integer(-1, 4), "1111");
        let long = of_integer(-5, 70);
        assert_eq!((long.len(), long.ends_with("1011")), (70, true));
        assert_eq!(ones(&long), 69);
        assert_eq!(of_integer(6, 66).trim_start_matches('0'), "110");
        let all = "1".repeat(64);
        assert_eq!(to_integer("101").unwrap(), 5);
        assert_eq!(to_integer("").unwrap(), 0);
        assert_eq!(to_integer(shortened(&all, 32)).unwrap(), -1);
        assert_eq!(
            to_integer(shortened(&all, 31)).unwrap(),
            i64::from(i32::MAX)
        );
        assert_eq!(to_bigint(&all).unwrap(), -1);
        let error = to_integer(shortened(&all, 33)).unwrap_err();
        assert_eq!(error.code(), Code::NumericOutOfRange);
        let error = to_bigint(&"0".repeat(65)).unwrap_err();
        assert_eq!(error.message(), "bigint out of range");
    }

    #[test]
    fn operators_keep_the_length() {
        let and = |one: bool, other: bool| one && other;
        assert_eq!(combined("1100", "1010", "AND", and).unwrap(), "1000");
        let error = combined("11", "1", "AND", and).unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (
                Code::LengthMismatch,
                "cannot AND bit strings of different sizes"
            )
        );
        assert_eq!(inverted("1100"), "0011");
        for (bits, by, expected) in [
            ("10001", 3, "01000"),
            ("10001", -2, "00100"),
            ("101", 5, "000"),
            ("101", -100, "000"),
            ("101", i64::MIN, "000"),
            ("101", 0, "101"),
            ("", 1, ""),
        ] {
            assert_eq!(shifted(bits, by), expected, "{bits} {by}");
        }
    }

    #[test]
    fn bits_have_places() {
        assert_eq!(bit_at("101", 0).unwrap(), 1);
        assert_eq!(bit_at("101", 1).unwrap(), 0);
        assert_eq!(replaced("101", 1, 1).unwrap(), "111");
        for (error, expected) in [
            (
                bit_at("101", 3).unwrap_err(),
                "bit index 3 out of valid range (0..2)",
            ),
            (
                bit_at("", -1).unwrap_err(),
                "bit index -1 out of valid range (0..-1)",
            ),
            (replaced("1", 0, 2).unwrap_err(), "new bit must be 0 or 1"),
        ] {
            assert_eq!(error.message(), expected);
        }
        assert_eq!(octets("10101010"), 1);
        assert_eq!(octets("101010101"), 2);
        assert_eq!(octets(""), 0);
    }

    #[test]
    fn parts_are_replaced() {
        let bits = "0101011100";
        assert_eq!(overlaid(bits, "001", 2, 3).unwrap(), "0001011100");
        assert_eq!(overlaid(bits, "1", 20, 3).unwrap(), "01010111001");
        assert_eq!(overlaid("101", "0", 2, -5).unwrap(), "10101");
        assert_eq!(
            overlaid(bits, "1", 0, 1).unwrap_err().code(),
            Code::InvalidSubstring
        );
        assert_eq!(
            overlaid(bits, "1", 1, i64::MAX).unwrap_err().code(),
            Code::NumericOutOfRange
        );
    }
}
