//! Values of any types, kept row by row and owned, and an index that finds equal ones.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, LargeListArray, ListArray, MapArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::row::{Row, RowConverter, Rows, SortField};
use datafusion::error::Result;
use lakegate_engine::stop;
use lakegate_error::{Code, Error};

use super::function::too_large;

/// Rows between two looks at the query's stop.
const STRIDE: usize = 8192;

/// Rows of one or more columns.
#[derive(Debug)]
pub(crate) struct Kept {
    name: &'static str,
    types: Vec<DataType>,
    converter: RowConverter,
    rows: Rows,
}

impl Kept {
    pub(crate) fn new(name: &'static str, types: &[DataType]) -> Result<Self> {
        let fields = types.iter().cloned().map(SortField::new).collect();
        let converter = RowConverter::new(fields)?;
        Ok(Self {
            name,
            types: types.to_vec(),
            rows: converter.empty_rows(0, 0),
            converter,
        })
    }

    pub(crate) fn encode(&self, columns: &[ArrayRef]) -> Result<Rows> {
        Ok(self.converter.convert_columns(columns)?)
    }

    pub(crate) fn push(&mut self, row: Row<'_>) {
        self.rows.push(row);
    }

    pub(crate) fn row(&self, index: usize) -> Row<'_> {
        self.rows.row(index)
    }

    pub(crate) fn size(&self) -> usize {
        self.rows.size()
    }

    /// Returns rows as columns, in this order.
    ///
    /// # Errors
    ///
    /// The columns would be larger than an array can be, or the query was stopped.
    pub(crate) fn decode(&self, indexes: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut bytes = 0usize;
        for (done, &index) in indexes.iter().enumerate() {
            if done % STRIDE == 0 {
                stop::check()?;
            }
            bytes = bytes.saturating_add(self.rows.row(index as usize).as_ref().len());
        }
        if i32::try_from(bytes).is_err() {
            return Err(too_large(self.name));
        }
        let rows = indexes.iter().map(|&index| self.rows.row(index as usize));
        let columns = self.converter.convert_rows(rows)?;
        of_types(columns, &self.types)
    }

    /// Keeps only these rows, in this order.
    pub(crate) fn keep(&mut self, indexes: &[u32]) {
        let mut rows = self.converter.empty_rows(indexes.len(), 0);
        for &index in indexes {
            rows.push(self.rows.row(index as usize));
        }
        self.rows = rows;
    }
}

/// Returns the columns in these types: arrow's rows do not keep encodings.
pub(crate) fn of_types(columns: Vec<ArrayRef>, types: &[DataType]) -> Result<Vec<ArrayRef>> {
    let typed = columns.into_iter().zip(types).map(|(column, data_type)| {
        match column.data_type() == data_type {
            true => Ok(column),
            false => Ok(cast(&column, data_type)?),
        }
    });
    typed.collect()
}

/// Finds entries by hash. Entries are numbered in the order in which they are added.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The number of an entry plus 1, or 0. The length is a power of two.
    slots: Vec<u32>,
    hashes: Vec<u64>,
}

impl Index {
    pub(crate) fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = spread(hash) & mask;
        loop {
            let entry = (self.slots[slot] as usize).checked_sub(1)?;
            if self.hashes[entry] == hash && is(entry) {
                return Some(entry);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Adds an entry that is not there, and returns its number.
    ///
    /// # Errors
    ///
    /// There are more than 2^31 entries.
    pub(crate) fn add(&mut self, hash: u64) -> Result<usize> {
        let entry = self.hashes.len();
        if entry >= i32::MAX as usize {
            let message = "an aggregate keeps more than 2147483647 values";
            return Err(Error::new(Code::ResultTooLarge, message).into());
        }
        self.hashes.push(hash);
        // Half of the slots stay empty, so that a search ends.
        if (entry + 1) * 2 > self.slots.len() {
            self.slots = vec![0; (self.slots.len() * 2).max(16)];
            for entry in 0..=entry {
                self.place(entry);
            }
        } else {
            self.place(entry);
        }
        Ok(entry)
    }

    fn place(&mut self, entry: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = spread(self.hashes[entry]) & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = entry as u32 + 1;
    }

    /// Keeps only these entries, in this order.
    pub(crate) fn keep(&mut self, entries: &[u32], of: impl Fn(u64, usize) -> u64) {
        let kept = entries.iter().enumerate();
        self.hashes = kept
            .map(|(index, &entry)| of(self.hashes[entry as usize], index))
            .collect();
        let slots = (self.hashes.len() * 2).next_power_of_two().max(16);
        self.slots = vec![0; slots];
        for entry in 0..self.hashes.len() {
            self.place(entry);
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.slots.capacity() * size_of::<u32>() + self.hashes.capacity() * size_of::<u64>()
    }
}

/// The bits of a hash that are best spread over a table's slots.
fn spread(hash: u64) -> usize {
    (hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) as usize
}

/// Returns the hash of a value in a group.
pub(crate) fn in_group(hash: u64, group: u32) -> u64 {
    hash ^ u64::from(group).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// Returns the array with one form of each number: 0 for -0, and one NaN. Values that are equal are
/// then the same bytes.
pub(crate) fn canonical(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|x| if x.is_nan() { f64::NAN } else { x + 0.0 }),
        ),
        DataType::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|x| if x.is_nan() { f32::NAN } else { x + 0.0 }),
        ),
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            Arc::new(ListArray::try_new(
                Arc::clone(field),
                list.offsets().clone(),
                canonical(list.values())?,
                list.nulls().cloned(),
            )?)
        }
        DataType::LargeList(field) => {
            let list = array.as_list::<i64>();
            Arc::new(LargeListArray::try_new(
                Arc::clone(field),
                list.offsets().clone(),
                canonical(list.values())?,
                list.nulls().cloned(),
            )?)
        }
        DataType::FixedSizeList(field, length) => {
            let list = array.as_fixed_size_list();
            Arc::new(FixedSizeListArray::try_new(
                Arc::clone(field),
                *length,
                canonical(list.values())?,
                list.nulls().cloned(),
            )?)
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let row = array.as_struct();
            let columns = row.columns().iter().map(canonical);
            Arc::new(StructArray::try_new(
                fields.clone(),
                columns.collect::<Result<Vec<_>>>()?,
                row.nulls().cloned(),
            )?)
        }
        DataType::Map(field, sorted) => {
            let map = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            Arc::new(MapArray::try_new(
                Arc::clone(field),
                map.offsets().clone(),
                canonical(&entries)?.as_struct().clone(),
                map.nulls().cloned(),
                *sorted,
            )?)
        }
        _ => Arc::clone(array),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Float64Array;

    use super::*;

    #[test]
    fn an_index_finds_each_entry_after_it_grew() {
        let mut index = Index::default();
        for entry in 0..1000usize {
            // Only few hashes, so that entries meet.
            let hash = (entry % 7) as u64;
            assert_eq!(index.find(hash, |found| found == entry), None);
            assert_eq!(index.add(hash).unwrap(), entry);
        }
        for entry in 0..1000usize {
            let found = index.find((entry % 7) as u64, |found| found == entry);
            assert_eq!(found, Some(entry));
        }
    }

    #[test]
    fn equal_numbers_become_the_same_bytes() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![
            -0.0,
            f64::from_bits(0xFFF8_0000_0000_0001),
        ]));
        let same = canonical(&numbers).unwrap();
        let same = same.as_primitive::<Float64Type>();
        assert_eq!(same.value(0).to_bits(), 0);
        assert_eq!(same.value(1).to_bits(), f64::NAN.to_bits());
    }
}
