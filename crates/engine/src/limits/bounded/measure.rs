//! Sizes of arguments, per row and in total.

use std::cell::OnceCell;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt64Type};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;

/// An argument of a call, read row by row.
pub(super) struct Argument {
    /// One row for a constant, otherwise all rows of the batch.
    array: ArrayRef,
    constant: bool,
    /// The values as 64-bit integers, cast on first use; `None` if they are not integers.
    numbers: OnceCell<Option<ArrayRef>>,
}

impl Argument {
    pub(super) fn of(value: &ColumnarValue) -> Result<Self> {
        Ok(match value {
            ColumnarValue::Array(array) => Self::new(ArrayRef::clone(array), false),
            ColumnarValue::Scalar(scalar) => Self::new(scalar.to_array_of_size(1)?, true),
        })
    }

    fn new(array: ArrayRef, constant: bool) -> Self {
        Self {
            array,
            constant,
            numbers: OnceCell::new(),
        }
    }

    /// Returns whether all rows have the same value.
    pub(super) fn is_constant(&self) -> bool {
        self.constant
    }

    fn row(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }

    pub(super) fn is_null(&self, row: usize) -> bool {
        let row = self.row(row);
        row >= self.array.len() || self.array.is_null(row)
    }

    /// Returns a row's count; 0 for NULL, for negative numbers and for values that are not
    /// integers.
    pub(super) fn count(&self, row: usize) -> u64 {
        if self.is_null(row) {
            return 0;
        }
        let row = self.row(row);
        let data_type = self.array.data_type();
        if *data_type == DataType::UInt64 {
            return self.array.as_primitive::<UInt64Type>().value(row);
        }
        let numbers = self.numbers.get_or_init(|| {
            let whole = data_type.is_integer();
            whole
                .then(|| cast(&self.array, &DataType::Int64).ok())
                .flatten()
        });
        match numbers {
            Some(numbers) => {
                u64::try_from(numbers.as_primitive::<Int64Type>().value(row)).unwrap_or(0)
            }
            None => 0,
        }
    }

    /// Returns the text of a row; `None` for NULL and for values that are not text.
    pub(super) fn text(&self, row: usize) -> Option<&str> {
        if self.is_null(row) {
            return None;
        }
        let row = self.row(row);
        match self.array.data_type() {
            DataType::Utf8 => Some(self.array.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => Some(self.array.as_string::<i64>().value(row)),
            DataType::Utf8View => Some(self.array.as_string_view().value(row)),
            _ => None,
        }
    }

    /// Returns the bytes of a row's value; 0 for NULL.
    pub(super) fn bytes(&self, row: usize) -> u64 {
        if self.is_null(row) {
            return 0;
        }
        value_bytes(&self.array, self.row(row))
    }

    /// Returns the number of items of a row's list; 0 for NULL and for values that are not lists.
    pub(super) fn items(&self, row: usize) -> u64 {
        if self.is_null(row) {
            return 0;
        }
        items(&self.array, self.row(row))
    }

    /// Returns whether the items of the list are nested.
    pub(super) fn is_list_of_lists(&self) -> bool {
        match self.array.data_type() {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                item.data_type().is_nested()
            }
            _ => false,
        }
    }

    /// Returns the bytes of the values of `rows` rows.
    pub(super) fn total(&self, rows: usize) -> u64 {
        match self.constant {
            true => self.bytes(0).saturating_mul(rows as u64),
            false => array_bytes(&self.array),
        }
    }
}

fn items(array: &dyn Array, row: usize) -> u64 {
    let items = match array.data_type() {
        DataType::List(_) => i64::from(array.as_list::<i32>().value_length(row)),
        DataType::LargeList(_) => array.as_list::<i64>().value_length(row),
        DataType::FixedSizeList(_, length) => i64::from(*length),
        DataType::Map(..) => i64::from(array.as_map().value_length(row)),
        _ => 0,
    };
    u64::try_from(items).unwrap_or(0)
}

/// Returns the bytes of one value, including nested values.
pub(crate) fn value_bytes(array: &dyn Array, row: usize) -> u64 {
    let bytes = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).len(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).len(),
        DataType::Utf8View => array.as_string_view().value(row).len(),
        DataType::Binary => array.as_binary::<i32>().value(row).len(),
        DataType::LargeBinary => array.as_binary::<i64>().value(row).len(),
        DataType::BinaryView => array.as_binary_view().value(row).len(),
        other => match other.primitive_width() {
            Some(width) => width,
            None => return array_bytes(&array.slice(row, 1)),
        },
    };
    bytes as u64
}

/// Returns the bytes of an array's values, without parts of its buffers that it does not use. A
/// view counts as the value that it refers to, because a copy holds all of it.
pub(super) fn array_bytes(array: &dyn Array) -> u64 {
    match array.data_type() {
        DataType::Utf8View => {
            let lengths = array.as_string_view().views().iter();
            lengths.map(|view| u64::from(*view as u32)).sum()
        }
        DataType::BinaryView => {
            let lengths = array.as_binary_view().views().iter();
            lengths.map(|view| u64::from(*view as u32)).sum()
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns().iter();
            columns.map(|column| array_bytes(column)).sum()
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let ends = list.value_offsets();
            let (first, last) = (ends.first(), ends.last());
            match (first, last) {
                (Some(first), Some(last)) => {
                    let (start, end) = (*first as usize, *last as usize);
                    array_bytes(&list.values().slice(start, end.saturating_sub(start)))
                        + 4 * array.len() as u64
                }
                _ => 0,
            }
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let ends = map.value_offsets();
            match (ends.first(), ends.last()) {
                (Some(first), Some(last)) => {
                    let (start, end) = (*first as usize, *last as usize);
                    array_bytes(&map.entries().slice(start, end.saturating_sub(start)))
                        + 4 * array.len() as u64
                }
                _ => 0,
            }
        }
        _ => {
            let bytes = array.to_data().get_slice_memory_size();
            bytes.unwrap_or_else(|_| array.get_array_memory_size()) as u64
        }
    }
}
