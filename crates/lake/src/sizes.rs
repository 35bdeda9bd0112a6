//! Sizes of rows in bytes: of a slice only its own rows, not the buffers that it shares.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;

/// What an array takes beside its values.
const ARRAY_BYTES: usize = 256;

/// Bytes that the rows of a batch take in memory: the values, and the arrays that they are in, which
/// are the larger part of a batch of few rows.
pub fn held_by(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let arrays: usize = columns.map(|column| arrays_of(column.data_type())).sum();
    bytes_in(batch) + arrays * ARRAY_BYTES
}

/// The arrays that a column is made of.
fn arrays_of(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| arrays_of(field.data_type()));
            1 + fields.sum::<usize>()
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => 1 + arrays_of(item.data_type()),
        _ => 1,
    }
}

/// Bytes of the values of a batch, before they are compressed.
pub fn bytes_in(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(bytes_of).sum()
}

/// Bytes of the values of a column, before they are compressed.
pub fn bytes_of(column: &ArrayRef) -> usize {
    if let Some(views) = views(column) {
        return viewed(views) + std::mem::size_of_val(views);
    }
    // Of views inside of others, no part of the buffers belongs to some rows alone.
    let sliced = column.to_data().get_slice_memory_size();
    sliced.unwrap_or_else(|_| column.get_buffer_memory_size())
}

/// The views of a column of texts or bytes that is made of views.
pub fn views(column: &ArrayRef) -> Option<&[u128]> {
    let text = column.as_string_view_opt().map(|text| &text.views()[..]);
    text.or_else(|| column.as_binary_view_opt().map(|bytes| &bytes.views()[..]))
}

/// Bytes of the values that the views show.
pub fn viewed(views: &[u128]) -> usize {
    // The low half of a view is the length of its value.
    views.iter().map(|view| *view as u32 as usize).sum()
}
