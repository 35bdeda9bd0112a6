//! Sizes of arrays by the buffers that they keep in memory.

use std::collections::HashSet;

use arrow::array::{Array, ArrayData};
use arrow::datatypes::DataType;

/// Buffers kept in memory. Each is counted once, however many arrays share it.
#[derive(Debug, Default)]
pub(crate) struct Pinned {
    seen: HashSet<usize>,
    /// Bytes added since it was last empty.
    bytes: usize,
}

impl Pinned {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds the buffers of an array that are not counted yet. Returns their bytes.
    pub(crate) fn add(&mut self, array: &dyn Array) -> usize {
        self.add_data(&array.to_data(), false)
    }

    /// Adds only the text behind an array's views, which the size of a slice leaves out. Returns
    /// its bytes.
    pub(super) fn add_viewed(&mut self, array: &dyn Array) -> usize {
        if !has_views(array.data_type()) {
            return 0;
        }
        self.add_data(&array.to_data(), true)
    }

    fn add_data(&mut self, data: &ArrayData, viewed_only: bool) -> usize {
        let before = self.bytes;
        let views = matches!(data.data_type(), DataType::Utf8View | DataType::BinaryView);
        let passed_over = usize::from(viewed_only && views);
        if !viewed_only || views {
            for buffer in data.buffers().iter().skip(passed_over) {
                self.add_buffer(buffer.data_ptr().as_ptr() as usize, buffer.capacity());
            }
        }
        if let (false, Some(nulls)) = (viewed_only, data.nulls()) {
            let buffer = nulls.buffer();
            self.add_buffer(buffer.data_ptr().as_ptr() as usize, buffer.capacity());
        }
        for child in data.child_data() {
            self.add_data(child, viewed_only);
        }
        self.bytes - before
    }

    fn add_buffer(&mut self, address: usize, bytes: usize) {
        if bytes > 0 && self.seen.insert(address) {
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }

    /// Scales the count down to `rows` of `of` rows.
    pub(super) fn keep(&mut self, rows: usize, of: usize) {
        self.bytes = part(self.bytes, rows, of);
        if rows == 0 {
            self.seen.clear();
        }
    }
}

/// Returns the share of `bytes` that `rows` of `of` rows have.
pub(super) fn part(bytes: usize, rows: usize, of: usize) -> usize {
    let part = bytes as u128 * rows as u128 / (of as u128).max(1);
    usize::try_from(part).unwrap_or(usize::MAX).min(bytes)
}

fn has_views(data_type: &DataType) -> bool {
    use DataType as T;
    match data_type {
        T::Utf8View | T::BinaryView => true,
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) | T::Map(item, _) => {
            has_views(item.data_type())
        }
        T::Struct(fields) => fields.iter().any(|field| has_views(field.data_type())),
        T::Dictionary(_, values) => has_views(values),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn buffers_are_counted_once_and_texts_of_views_are_counted() {
        let text = "a text that is not kept in its view ".repeat(100);
        let texts = StringViewArray::from_iter_values((0..10).map(|_| text.as_str()));
        let mut pinned = Pinned::default();
        let bytes = pinned.add(&texts);
        assert!(bytes >= 10 * text.len(), "{bytes}");
        assert_eq!(pinned.add(&texts.slice(2, 3)), 0);
        assert_eq!(pinned.bytes(), bytes);
        let mut viewed = Pinned::default();
        assert!((10 * text.len()..bytes).contains(&viewed.add_viewed(&texts)));
        assert_eq!(viewed.add_viewed(&Int64Array::from(vec![1; 1000])), 0);
        pinned.keep(1, 4);
        assert_eq!(pinned.bytes(), bytes / 4);
    }
}
