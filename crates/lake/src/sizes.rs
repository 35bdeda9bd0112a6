//! Sizes of rows in bytes: of a slice only its own rows, not the buffers that it shares.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};

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
