//! Views of texts and bytes, which are copied less than values.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;

/// The type of views of texts or bytes; `None`: values are of another type.
pub(super) fn viewed(values: &DataType) -> Option<DataType> {
    match values {
        DataType::Utf8 => Some(DataType::Utf8View),
        DataType::Binary => Some(DataType::BinaryView),
        _ => None,
    }
}

/// Copies the values of views that would keep much larger buffers in memory.
pub(super) fn compact(column: &ArrayRef) -> ArrayRef {
    if let Some(texts) = column.as_string_view_opt() {
        let kept: usize = texts.data_buffers().iter().map(Buffer::len).sum();
        if kept > 2 * texts.total_buffer_bytes_used() {
            return Arc::new(texts.gc());
        }
    } else if let Some(bytes) = column.as_binary_view_opt() {
        let kept: usize = bytes.data_buffers().iter().map(Buffer::len).sum();
        if kept > 2 * bytes.total_buffer_bytes_used() {
            return Arc::new(bytes.gc());
        }
    }
    Arc::clone(column)
}
