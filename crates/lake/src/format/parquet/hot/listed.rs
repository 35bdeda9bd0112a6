//! Kept texts and bytes, one after the other.
//!
//! ```text
//!  views     16 bytes for each row ─▶ text          kept: 4 bytes for each row, where its text ends
//! ```
//!
//! A comment of 50 bytes takes a fifth less than behind a view. The views of rows that are returned are made
//! anew, which takes some nanoseconds for each, and point into what is kept.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, GenericByteViewArray,
    StringArray, StringViewArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::filter;
use arrow::datatypes::ByteViewType;
use arrow::error::ArrowError;

/// Bytes of a view.
const VIEW: usize = size_of::<u128>();

/// Bytes that are saved for each row at least, on average.
const SAVED: usize = 8;

/// Texts of rows.
#[derive(Debug)]
pub(super) struct Listed {
    /// Of texts or bytes with offsets of 32 bits, all in one piece of memory.
    texts: ArrayRef,
    /// Of the piece.
    bytes: usize,
}

impl Listed {
    /// `long`: bytes that views of the texts would point to. `None`: as views, the texts take little more.
    ///
    /// # Errors
    /// A text is no UTF-8, which an array of texts never has.
    pub(super) fn of<T: ByteViewType>(
        array: &GenericByteViewArray<T>,
        long: usize,
    ) -> Result<Option<Self>, ArrowError> {
        let all: usize = array.iter().flatten().map(|text| bytes(text).len()).sum();
        let rows = array.len();
        let as_views = rows.saturating_mul(VIEW).saturating_add(long);
        let as_list = rows.saturating_mul(size_of::<i32>() + SAVED);
        let is_smaller = long > 0 && as_list.saturating_add(all) <= as_views;
        if !is_smaller || i32::try_from(all).is_err() {
            return Ok(None);
        }
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let nulls = nulls.map(|nulls| nulls.inner().sliced());
        let of_nulls = nulls.as_ref().map_or(0, Buffer::len);
        let of_offsets = (rows + 1) * size_of::<i32>();

        let mut piece = MutableBuffer::with_capacity(of_offsets + of_nulls + all);
        let mut end: usize = 0;
        piece.push(0_i32);
        for text in array.iter() {
            end += text.map_or(0, |text| bytes(text).len());
            // No greater than the last one.
            piece.push(end as i32);
        }
        if let Some(nulls) = &nulls {
            piece.extend_from_slice(nulls.as_slice());
        }
        for text in array.iter().flatten() {
            piece.extend_from_slice(bytes(text));
        }
        let piece = Buffer::from(piece);
        let offsets = OffsetBuffer::new(ScalarBuffer::new(piece.clone(), 0, rows + 1));
        let nulls = nulls.map(|_| {
            let bits = piece.slice_with_length(of_offsets, of_nulls);
            NullBuffer::new(BooleanBuffer::new(bits, 0, rows))
        });
        let texts = piece.slice_with_length(of_offsets + of_nulls, all);
        let texts: ArrayRef = match T::IS_UTF8 {
            true => Arc::new(StringArray::try_new(offsets, texts, nulls)?),
            false => Arc::new(BinaryArray::try_new(offsets, texts, nulls)?),
        };
        Ok(Some(Self {
            texts,
            bytes: piece.capacity(),
        }))
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + size_of::<StringArray>()
    }

    /// Rows from `from` on; there are as many as `count`.
    pub(super) fn rows(&self, from: usize, count: usize) -> ArrayRef {
        views(&self.texts.slice(from, count))
    }

    /// Of the rows from `from` on, those for which `chosen`, which has no NULLs, is true, in memory of
    /// their own.
    pub(super) fn chosen(
        &self,
        from: usize,
        chosen: &BooleanArray,
    ) -> Result<ArrayRef, ArrowError> {
        let texts = filter(&self.texts.slice(from, chosen.len()), chosen)?;
        Ok(views(&texts))
    }
}

/// Views of texts or bytes, which are not copied.
fn views(texts: &ArrayRef) -> ArrayRef {
    match texts.as_string_opt::<i32>() {
        Some(texts) => Arc::new(StringViewArray::from(texts)),
        None => Arc::new(BinaryViewArray::from(texts.as_binary::<i32>())),
    }
}

fn bytes<N: AsRef<[u8]> + ?Sized>(text: &N) -> &[u8] {
    text.as_ref()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn listed<T: ByteViewType>(array: &GenericByteViewArray<T>) -> Option<Listed> {
        let long = array.iter().flatten().map(|text| bytes(text).len());
        let long = long.filter(|length| *length > 12).sum();
        Listed::of(array, long).unwrap()
    }

    #[test]
    fn rows_are_those_of_the_array() {
        let text =
            |row: usize| (!row.is_multiple_of(5)).then(|| format!("an umlaut, ä, and {row:>20}"));
        let texts: StringViewArray = (0..1000).map(text).collect();
        let texts = texts.slice(3, 990);
        let kept = listed(&texts).unwrap();
        let texts: ArrayRef = Arc::new(texts);
        assert_eq!(kept.len(), 990);
        for (from, count) in [(0, 990), (1, 989), (500, 3), (990, 0)] {
            assert_eq!(&kept.rows(from, count), &texts.slice(from, count));
            let chosen: BooleanArray = (0..count).map(|row| Some(row % 3 == 0)).collect();
            let expected = filter(&texts.slice(from, count), &chosen).unwrap();
            assert_eq!(&kept.chosen(from, &chosen).unwrap(), &expected);
        }
        // Offsets, bits of NULLs and texts, in place of the views.
        let shown = (0..1000).skip(3).take(990).filter_map(text);
        let shown: usize = shown.map(|text| text.len()).sum();
        assert!(kept.bytes() < 4 * 991 + 124 + shown + 64 + size_of::<StringArray>());
    }

    #[test]
    fn bytes_stay_bytes() {
        let blobs = (0..100_u8).map(|row| [&[0xFF, row][..], &[row; 30]].concat());
        let blobs = BinaryViewArray::from_iter_values(blobs);
        let kept = listed(&blobs).unwrap();
        assert_eq!(kept.rows(0, 100).as_binary_view(), &blobs);
    }

    #[test]
    fn short_texts_and_those_that_repeat_stay_views() {
        let short = StringViewArray::from_iter_values((0..100).map(|row| format!("{row}")));
        assert!(listed(&short).is_none());
        assert!(listed(&StringViewArray::from_iter_values([""; 0])).is_none());
        assert!(listed(&StringViewArray::new_null(9)).is_none());
        // As views, both rows of a text point to the same bytes.
        let twice = (0..100).map(|row| format!("a text that is not short {}", row / 2));
        let twice = StringViewArray::from_iter_values(twice);
        assert!(Listed::of(&twice, 50 * 27).unwrap().is_none());
    }
}
