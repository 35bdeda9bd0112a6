//! One column of a new stripe, with those inside of it: from arrays to streams.
//!
//! A column has values only where the one around it has: those of a NULL struct are left out, and
//! so are values between lists.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, BooleanBufferBuilder,
    PrimitiveArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::filter;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::emit::{Bits, Integers, Position, Runs, end_of, folded_wide, varint};
use super::stripe::{DATA, LENGTH, PRESENT, SECONDARY};
use super::summary::{Bounds, Summary};

type Result<T, E = ArrowError> = std::result::Result<T, E>;

/// From 1970 to 2015, where the times of the format begin, in seconds.
const BASE: i64 = 1_420_070_400;
const MICROS: i64 = 1_000_000;

/// Encodings by their numbers.
pub(super) const DIRECT: u64 = 0;
const DIRECT_V2: u64 = 2;

/// A column of which rows are encoded.
#[derive(Debug)]
pub(super) struct Column {
    present: Bits,
    values: Values,
    inner: Vec<Column>,
    /// Of the group of rows that is not ended yet, and where it begins.
    summary: Summary,
    begin: Begin,
    groups: Vec<(Begin, Summary)>,
}

/// Where in the streams of a column a group of rows begins.
#[derive(Debug, Default)]
pub(super) struct Begin {
    present: Option<Position>,
    /// Of the other streams, in their order.
    others: Vec<Position>,
}

/// The values of a column, NULLs left out.
#[derive(Debug)]
enum Values {
    Booleans(Bits),
    Bytes(Runs),
    Integers(Integers),
    /// Dates, as days.
    Days(Integers),
    Floats(Vec<u8>),
    Texts(Vec<u8>, Integers),
    Binaries(Vec<u8>, Integers),
    Decimals(Vec<u8>, Integers),
    Times(Integers, Integers),
    /// Lists, and maps.
    Lengths(Integers),
    Struct,
}

/// An encoded column.
#[derive(Debug)]
pub(super) struct Encoded {
    pub encoding: u64,
    /// By their kinds. The first is that of NULLs where there is one.
    pub streams: Vec<(u64, Vec<u8>)>,
    /// For each group of rows, where it begins in each of the streams, and what it has.
    pub groups: Vec<(Vec<Position>, Summary)>,
}

impl Column {
    /// # Errors
    /// Values of such a type are not encoded.
    pub(super) fn new(data_type: &DataType) -> Result<Self> {
        use DataType as T;
        let mut inner = Vec::new();
        let values = match data_type {
            T::Boolean => Values::Booleans(Bits::default()),
            T::Int8 => Values::Bytes(Runs::default()),
            T::Int16 | T::Int32 | T::Int64 => Values::Integers(Integers::signed()),
            T::Date32 => Values::Days(Integers::signed()),
            T::Float32 | T::Float64 => Values::Floats(Vec::new()),
            T::Utf8 => Values::Texts(Vec::new(), Integers::unsigned()),
            T::Binary => Values::Binaries(Vec::new(), Integers::unsigned()),
            T::Decimal128(..) => Values::Decimals(Vec::new(), Integers::signed()),
            T::Timestamp(..) => Values::Times(Integers::signed(), Integers::unsigned()),
            T::List(item) => {
                inner.push(Self::new(item.data_type())?);
                Values::Lengths(Integers::unsigned())
            }
            T::Map(entries, _) => {
                let T::Struct(pair) = entries.data_type() else {
                    return Err(unknown(data_type));
                };
                for field in pair {
                    inner.push(Self::new(field.data_type())?);
                }
                Values::Lengths(Integers::unsigned())
            }
            T::Struct(fields) => {
                for field in fields {
                    inner.push(Self::new(field.data_type())?);
                }
                Values::Struct
            }
            other => return Err(unknown(other)),
        };
        let mut column = Self {
            present: Bits::default(),
            values,
            inner,
            summary: Summary::default(),
            begin: Begin::default(),
            groups: Vec::new(),
        };
        column.begin = column.here();
        Ok(column)
    }

    fn here(&mut self) -> Begin {
        Begin {
            present: Some(self.present.position()),
            others: self.values.positions(),
        }
    }

    /// Appends values. `array`: of the type that the column was made for.
    ///
    /// # Errors
    /// It is of another type.
    pub(super) fn add(&mut self, array: &ArrayRef) -> Result<()> {
        let nulls = array.nulls();
        match nulls {
            Some(nulls) => nulls.iter().for_each(|valid| self.present.push(valid)),
            None => (0..array.len()).for_each(|_| self.present.push(true)),
        }
        let null_count = array.null_count();
        self.summary.has_null |= null_count > 0;
        self.summary.values += (array.len() - null_count) as u64;
        let bounds = &mut self.summary.bounds;
        let inner: Vec<ArrayRef> = match array.data_type() {
            DataType::Struct(_) => {
                let columns = array.as_struct().columns().iter();
                match nulls.filter(|nulls| nulls.null_count() > 0) {
                    None => columns.cloned().collect(),
                    Some(nulls) => {
                        let valid = BooleanArray::new(nulls.inner().clone(), None);
                        let filtered = columns.map(|column| filter(column, &valid));
                        filtered.collect::<Result<_>>()?
                    }
                }
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let held = self.values.lengths(list.offsets(), array, bounds)?;
                vec![held.values(list.values())?]
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let held = self.values.lengths(map.offsets(), array, bounds)?;
                let columns = map.entries().columns().iter();
                columns
                    .map(|column| held.values(column))
                    .collect::<Result<_>>()?
            }
            _ => {
                self.values.add(array, bounds)?;
                Vec::new()
            }
        };
        if inner.len() != self.inner.len() {
            return Err(unknown(array.data_type()));
        }
        let mut columns = self.inner.iter_mut().zip(&inner);
        columns.try_for_each(|(column, array)| column.add(array))
    }

    /// Ends a group of rows.
    pub(super) fn end_group(&mut self) {
        let here = self.here();
        let begin = std::mem::replace(&mut self.begin, here);
        let mut summary = std::mem::take(&mut self.summary);
        summary.end();
        self.groups.push((begin, summary));
        self.inner.iter_mut().for_each(Self::end_group);
    }

    /// Appends the column and those inside of it, in the order of their numbers.
    pub(super) fn finish(self, into: &mut Vec<Encoded>) {
        let has_nulls = self.groups.iter().any(|(_, summary)| summary.has_null);
        let encoding = self.values.encoding();
        let mut streams = self.values.finish();
        if has_nulls {
            streams.insert(0, (PRESENT, self.present.finish()));
        }
        let groups = self.groups.into_iter().map(|(begin, summary)| {
            let present = begin.present.filter(|_| has_nulls);
            (present.into_iter().chain(begin.others).collect(), summary)
        });
        into.push(Encoded {
            encoding,
            streams,
            groups: groups.collect(),
        });
        for column in self.inner {
            column.finish(into);
        }
    }
}

/// Which of the values below lists are in one.
#[derive(Debug, Default)]
struct Held {
    start: usize,
    length: usize,
    /// Among those; `None`: all are.
    some: Option<BooleanArray>,
}

impl Held {
    /// `ranges`: in their order, none of them empty.
    fn of(ranges: &[(usize, usize)]) -> Self {
        let (Some((start, _)), Some((_, end))) = (ranges.first(), ranges.last()) else {
            return Self::default();
        };
        let (start, length) = (*start, end - start);
        let count: usize = ranges.iter().map(|(start, end)| end - start).sum();
        let some = (count < length).then(|| {
            let mut held = BooleanBufferBuilder::new(length);
            for (from, to) in ranges {
                held.append_n(from - start - held.len(), false);
                held.append_n(to - from, true);
            }
            BooleanArray::new(held.finish(), None)
        });
        Self {
            start,
            length,
            some,
        }
    }

    fn values(&self, of: &ArrayRef) -> Result<ArrayRef> {
        let values = of.slice(self.start, self.length);
        match &self.some {
            None => Ok(values),
            Some(some) => filter(&values, some),
        }
    }
}

fn unknown(data_type: &DataType) -> ArrowError {
    ArrowError::NotYetImplemented(format!("values of type {data_type} are not encoded"))
}

impl Values {
    fn encoding(&self) -> u64 {
        match self {
            Self::Booleans(_) | Self::Bytes(_) | Self::Floats(_) | Self::Struct => DIRECT,
            _ => DIRECT_V2,
        }
    }

    fn positions(&mut self) -> Vec<Position> {
        match self {
            Self::Booleans(bits) => vec![bits.position()],
            Self::Bytes(runs) => vec![runs.position()],
            Self::Integers(integers) | Self::Days(integers) | Self::Lengths(integers) => {
                vec![integers.position()]
            }
            Self::Floats(bytes) => vec![end_of(bytes)],
            Self::Texts(bytes, others)
            | Self::Binaries(bytes, others)
            | Self::Decimals(bytes, others) => vec![end_of(bytes), others.position()],
            Self::Times(seconds, nanos) => vec![seconds.position(), nanos.position()],
            Self::Struct => Vec::new(),
        }
    }

    /// The streams, in the order of their positions.
    fn finish(self) -> Vec<(u64, Vec<u8>)> {
        match self {
            Self::Booleans(bits) => vec![(DATA, bits.finish())],
            Self::Bytes(runs) => vec![(DATA, runs.finish())],
            Self::Integers(integers) | Self::Days(integers) => vec![(DATA, integers.finish())],
            Self::Lengths(lengths) => vec![(LENGTH, lengths.finish())],
            Self::Floats(bytes) => vec![(DATA, bytes)],
            Self::Texts(bytes, lengths) | Self::Binaries(bytes, lengths) => {
                vec![(DATA, bytes), (LENGTH, lengths.finish())]
            }
            Self::Decimals(bytes, scales) => vec![(DATA, bytes), (SECONDARY, scales.finish())],
            Self::Times(seconds, nanos) => {
                vec![(DATA, seconds.finish()), (SECONDARY, nanos.finish())]
            }
            Self::Struct => Vec::new(),
        }
    }

    /// Appends the lengths of lists, and returns which values are in them.
    fn lengths(
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

    fn add(&mut self, array: &ArrayRef, bounds: &mut Bounds) -> Result<()> {
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
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Int32Array, ListArray, StructArray};
    use arrow::buffer::NullBuffer;
    use arrow::datatypes::Field;

    use super::super::runs;
    use super::*;

    fn integers(stream: &[u8], count: u64, signed: bool) -> Vec<i64> {
        let mut found = Vec::new();
        let reader = runs::Integers {
            second: true,
            signed,
        };
        let read = reader.each(stream, count, |value| {
            found.push(value);
            Ok(())
        });
        read.unwrap();
        found
    }

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

    #[test]
    fn values_below_null_are_left_out() {
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        let values = Arc::new(Int32Array::from(vec![
            Some(9),
            Some(1),
            None,
            Some(9),
            Some(2),
            Some(9),
        ]));
        // The first value and the last are in no list; the second list, which is NULL, has one.
        let offsets = OffsetBuffer::new(vec![1, 3, 4, 4, 5].into());
        let nulls = NullBuffer::from(vec![true, false, true, true]);
        let list = ListArray::new(Arc::clone(&item), offsets, values, Some(nulls));
        let field = Arc::new(Field::new("a", list.data_type().clone(), true));
        let nulls = NullBuffer::from(vec![true, true, true, false]);
        let row = StructArray::new(vec![field].into(), vec![Arc::new(list)], Some(nulls));
        let row: ArrayRef = Arc::new(row);

        let mut column = Column::new(row.data_type()).unwrap();
        column.add(&row.slice(0, 2)).unwrap();
        column.add(&row.slice(2, 2)).unwrap();
        column.end_group();
        let mut encoded = Vec::new();
        column.finish(&mut encoded);
        let [of_struct, of_list, of_item] = encoded.as_slice() else {
            unreachable!("three columns");
        };
        assert_eq!(of_struct.streams, [(PRESENT, vec![0xff, 0b1110_0000])]);
        assert_eq!(of_struct.groups[0].1.values, 3);
        assert_eq!(of_list.streams[0], (PRESENT, vec![0xff, 0b1010_0000]));
        assert_eq!(integers(&of_list.streams[1].1, 2, false), [2, 0]);
        assert_eq!(of_item.streams[0], (PRESENT, vec![0xff, 0b1000_0000]));
        assert_eq!(integers(&of_item.streams[1].1, 1, true), [1]);
        assert!(matches!(
            of_item.groups[0].1.bounds,
            Bounds::Integers(1, 1, Some(1))
        ));
        // Without NULL there is no stream of them, in none of the groups.
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let mut column = Column::new(&DataType::Int32).unwrap();
        column.add(&numbers).unwrap();
        column.end_group();
        let mut encoded = Vec::new();
        column.finish(&mut encoded);
        assert_eq!(encoded[0].streams.len(), 1);
        assert_eq!(encoded[0].groups[0].0.len(), 1);
    }
}
