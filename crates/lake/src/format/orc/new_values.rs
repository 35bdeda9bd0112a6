//! The values of one column of a new stripe, as streams.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::emit::{Bits, Integers, Position, Runs, end_of, folded_wide, varint};
use super::encode::Held;
use super::new_texts::Dictionary;
use super::stripe::{DATA, DICTIONARY, Encoding, LENGTH, SECONDARY};
use super::summary::Bounds;

type Result<T, E = ArrowError> = std::result::Result<T, E>;

/// From 1970 to 2015, where the times of the format begin, in seconds.
const BASE: i64 = 1_420_070_400;
const MICROS: i64 = 1_000_000;

/// Encodings by their numbers.
const DIRECT: u64 = 0;
const DIRECT_V2: u64 = 2;
const DICTIONARY_V2: u64 = 3;

/// The values of a column, NULLs left out.
#[derive(Debug)]
pub(super) enum Values<'a> {
    Booleans(Bits),
    Bytes(Runs),
    Integers(Integers),
    /// Dates, as days.
    Days(Integers),
    Floats(Vec<u8>),
    Texts(Vec<u8>, Integers),
    /// Texts, as their places in a dictionary.
    Words(Dictionary<'a>, Integers),
    Binaries(Vec<u8>, Integers),
    Decimals(Vec<u8>, Integers),
    Times(Integers, Integers),
    /// Lists, and maps.
    Lengths(Integers),
    Struct,
}

pub(super) fn unknown(data_type: &DataType) -> ArrowError {
    ArrowError::NotYetImplemented(format!("values of type {data_type} are not encoded"))
}

impl Values<'_> {
    pub(super) fn encoding(&self) -> Encoding {
        let (kind, dictionary) = match self {
            Self::Booleans(_) | Self::Bytes(_) | Self::Floats(_) | Self::Struct => (DIRECT, 0),
            Self::Words(dictionary, _) => (DICTIONARY_V2, dictionary.len() as u64),
            _ => (DIRECT_V2, 0),
        };
        Encoding { kind, dictionary }
    }

    pub(super) fn positions(&mut self) -> Vec<Position> {
        match self {
            Self::Booleans(bits) => vec![bits.position()],
            Self::Bytes(runs) => vec![runs.position()],
            Self::Integers(integers) | Self::Days(integers) | Self::Lengths(integers) => {
                vec![integers.position()]
            }
            Self::Floats(bytes) => vec![end_of(bytes)],
            Self::Words(_, places) => vec![places.position()],
            Self::Texts(bytes, others)
            | Self::Binaries(bytes, others)
            | Self::Decimals(bytes, others) => vec![end_of(bytes), others.position()],
            Self::Times(seconds, nanos) => vec![seconds.position(), nanos.position()],
            Self::Struct => Vec::new(),
        }
    }

    /// The streams, in the order of their positions; those without positions last.
    pub(super) fn finish(self) -> Vec<(u64, Vec<u8>)> {
        match self {
            Self::Booleans(bits) => vec![(DATA, bits.finish())],
            Self::Bytes(runs) => vec![(DATA, runs.finish())],
            Self::Integers(integers) | Self::Days(integers) => vec![(DATA, integers.finish())],
            Self::Lengths(lengths) => vec![(LENGTH, lengths.finish())],
            Self::Floats(bytes) => vec![(DATA, bytes)],
            Self::Texts(bytes, lengths) | Self::Binaries(bytes, lengths) => {
                vec![(DATA, bytes), (LENGTH, lengths.finish())]
            }
            Self::Words(dictionary, places) => {
                let (bytes, lengths) = dictionary.streams();
                let places = places.finish();
                vec![(DATA, places), (DICTIONARY, bytes), (LENGTH, lengths)]
            }
            Self::Decimals(bytes, scales) => vec![(DATA, bytes), (SECONDARY, scales.finish())],
            Self::Times(seconds, nanos) => {
                vec![(DATA, seconds.finish()), (SECONDARY, nanos.finish())]
            }
            Self::Struct => Vec::new(),
        }
    }

    /// Appends the lengths of lists, and returns which values are in them.
    ///
    /// # Errors
    /// The values are not lists.
    pub(super) fn lengths(
        &mut self,
        offsets: &OffsetBuffer<i32>,
        array: &ArrayRef,
        bounds: &mut Bounds,
    ) -> Result<Held> {
        let Self::Lengths(lengths) = self else {
            return Err(unknown(array.data_type()));
        };
        let ends = offsets.iter().zip(offsets.iter().skip(1)).enumerate();
        let valid = ends.filter(|(index, _)| array.is_valid(*index));
        let place = |offset: &i32| usize::try_from(*offset).unwrap_or_default();
        let mut ranges: Vec<(usize, usize)> = valid
            .map(|(_, (start, end))| (place(start), place(end)))
            .collect();
        for (start, end) in &ranges {
            let length = end - start;
            lengths.push(length as i64);
            bounds.add(Bounds::Lengths(length as u64, length as u64, length as u64));
        }
        ranges.retain(|(start, end)| start < end);
        Ok(Held::of(&ranges))
    }

    /// Appends values that have none inside of them.
    ///
    /// # Errors
    /// They are of another type.
    pub(super) fn add(&mut self, array: &ArrayRef, bounds: &mut Bounds) -> Result<()> {
        match (self, array.data_type()) {
            (Self::Booleans(bits), DataType::Boolean) => {
                for value in array.as_boolean().iter().flatten() {
                    bits.push(value);
                    bounds.add(Bounds::Booleans(u64::from(value)));
                }
            }
            (Self::Bytes(runs), DataType::Int8) => each::<Int8Type>(array, |value| {
                runs.push(value.cast_unsigned());
                bounds.add_integer(i64::from(value));
            }),
            (Self::Integers(integers), DataType::Int16) => each::<Int16Type>(array, |value| {
                integers.push(i64::from(value));
                bounds.add_integer(i64::from(value));
            }),
            (Self::Integers(integers), DataType::Int32) => each::<Int32Type>(array, |value| {
                integers.push(i64::from(value));
                bounds.add_integer(i64::from(value));
            }),
            (Self::Integers(integers), DataType::Int64) => each::<Int64Type>(array, |value| {
                integers.push(value);
                bounds.add_integer(value);
            }),
            (Self::Days(integers), DataType::Date32) => each::<Date32Type>(array, |value| {
                let value = i64::from(value);
                integers.push(value);
                bounds.add(Bounds::Days(value, value));
            }),
            (Self::Floats(bytes), DataType::Float32) => each::<Float32Type>(array, |value| {
                bytes.extend(value.to_le_bytes());
                bounds.add_float(f64::from(value));
            }),
            (Self::Floats(bytes), DataType::Float64) => each::<Float64Type>(array, |value| {
                bytes.extend(value.to_le_bytes());
                bounds.add_float(value);
            }),
            (Self::Texts(bytes, lengths), DataType::Utf8) => {
                for text in array.as_string::<i32>().iter().flatten() {
                    bytes.extend_from_slice(text.as_bytes());
                    lengths.push(text.len() as i64);
                    bounds.add_text(text.as_bytes());
                }
            }
            (Self::Words(dictionary, places), DataType::Utf8) => {
                for text in array.as_string::<i32>().iter().flatten() {
                    places.push(dictionary.place(text)?);
                    bounds.add_text(text.as_bytes());
                }
            }
            (Self::Binaries(bytes, lengths), DataType::Binary) => {
                for value in array.as_binary::<i32>().iter().flatten() {
                    bytes.extend_from_slice(value);
                    lengths.push(value.len() as i64);
                    bounds.add(Bounds::Bytes(Some(value.len() as i64)));
                }
            }
            (Self::Decimals(bytes, scales), DataType::Decimal128(precision, scale)) => {
                let digits = (*precision, *scale);
                each::<Decimal128Type>(array, |value| {
                    varint(folded_wide(value), bytes);
                    scales.push(i64::from(digits.1));
                    bounds.add(Bounds::Decimals(value, value, digits));
                });
            }
            (Self::Times(seconds, nanos), DataType::Timestamp(..)) => {
                each::<TimestampMicrosecondType>(array, |value| {
                    let (second, rest) = time(value);
                    seconds.push(second);
                    nanos.push(rest);
                    bounds.add(Bounds::Times(value, value));
                });
            }
            (_, other) => return Err(unknown(other)),
        }
        Ok(())
    }
}

/// Calls `each` for the values that are not NULL.
fn each<T: ArrowPrimitiveType>(array: &ArrayRef, each: impl FnMut(T::Native)) {
    let array: &PrimitiveArray<T> = array.as_primitive();
    array.iter().flatten().for_each(each);
}

/// Seconds from 2015 and nanoseconds, as the format has them, of microseconds from 1970.
///
/// Readers take a second from times before 1970 that have more than 999,999 nanoseconds, so that no
/// time within the last second before 1970 could have those: its nanoseconds are below zero, as the
/// C++ library writes them.
fn time(micros: i64) -> (i64, i64) {
    let (mut seconds, mut rest) = (micros.div_euclid(MICROS), micros.rem_euclid(MICROS));
    if seconds < 0 && rest > 999 {
        seconds += 1;
        if seconds == 0 {
            rest -= MICROS;
        }
    }
    (seconds - BASE, short(rest * 1000))
}

/// Nanoseconds whose last zeros are counted in the last three bits, where there are two and more.
fn short(mut nanos: i64) -> i64 {
    if nanos == 0 || nanos % 100 != 0 {
        return nanos << 3;
    }
    nanos /= 100;
    let mut zeros = 1;
    while nanos % 10 == 0 && zeros < 7 {
        nanos /= 10;
        zeros += 1;
    }
    (nanos << 3) | zeros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_from_2015_and_nanoseconds() {
        for (micros, seconds, nanos) in [
            (0, 0, 0),
            (1, 0, 1 << 3 | 2),
            (-3_000_000, -3, 0),
            (-1, 0, -(1 << 3) | 2),
            (-500_000, 0, -5 << 3 | 7),
            (-999_500, -1, 5 << 3 | 4),
            (-1_500_000, -1, 5 << 3 | 7),
            (-1_999_001, -2, 999 << 3 | 2),
        ] {
            assert_eq!(time(micros), (seconds - BASE, nanos), "{micros}");
        }
    }
}
