//! One column of a new stripe, with those inside of it: from arrays to streams.
//!
//! A column has values only where the one around it has: those of a NULL struct are left out, and
//! so are values between lists.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder};
use arrow::compute::filter;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::emit::{Bits, Integers, Position, Runs};
use super::new_texts::Dictionary;
use super::new_values::{Values, unknown};
use super::stripe::{Encoding, PRESENT};
use super::summary::Summary;

type Result<T, E = ArrowError> = std::result::Result<T, E>;

/// A column of which rows are encoded.
#[derive(Debug)]
pub(super) struct Column<'a> {
    present: Bits,
    values: Values<'a>,
    inner: Vec<Column<'a>>,
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

/// An encoded column.
#[derive(Debug)]
pub(super) struct Encoded {
    pub encoding: Encoding,
    /// By their kinds. The first is that of NULLs where there is one.
    pub streams: Vec<(u64, Vec<u8>)>,
    /// For each group of rows, where it begins in each of the streams, and what it has.
    pub groups: Vec<(Vec<Position>, Summary)>,
}

impl<'a> Column<'a> {
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

    /// The column, of texts, with a dictionary that has all of them.
    pub(super) fn with(mut self, dictionary: Dictionary<'a>) -> Self {
        if let Values::Texts(..) = self.values {
            self.values = Values::Words(dictionary, Integers::unsigned());
            self.begin = self.here();
        }
        self
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
pub(super) struct Held {
    start: usize,
    length: usize,
    /// Among those; `None`: all are.
    some: Option<BooleanArray>,
}

impl Held {
    /// `ranges`: in their order, none of them empty.
    pub(super) fn of(ranges: &[(usize, usize)]) -> Self {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Int32Array, ListArray, StructArray};
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::Field;

    use super::super::runs;
    use super::super::summary::Bounds;
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
