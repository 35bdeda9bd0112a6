//! Kept texts and bytes, one after the other.
//!
//! ```text
//!  views     16 bytes for each row ─▶ text          kept: 4 bytes for each row, where its text ends
//! ```
//!
//! A comment of 50 bytes takes a fifth less than behind a view. The views of rows that are returned are made
//! anew, which takes some nanoseconds for each, and point into what is kept.
//!
//! The texts of a batch are too few for memory of their own: the allocator would have them in pages of 4 MiB
//! beside what queries work with, and 50 MiB of TPC-H's texts kept as much in such pages. So those of several
//! batches share a piece, as numbers do (`packed.rs`).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, GenericByteViewArray,
    StringArray, StringViewArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::filter;
use arrow::datatypes::ByteViewType;
use arrow::error::ArrowError;

use super::narrow::Chunk;
use super::packed::{aligned, append};
use super::texts::Texts;

/// Bytes of a view.
const VIEW: usize = size_of::<u128>();

/// Bytes that are saved for each row at least, on average.
const SAVED: usize = 8;

/// Bytes from which on a piece is large enough: the allocator has no pages with several blocks for more. Rows
/// that are returned are counted with the piece that they point into, so it is not much larger.
const PIECE: usize = (512 << 10) + 1;

/// Texts of rows.
#[derive(Debug)]
pub(super) struct Listed {
    /// Of texts or bytes with offsets of 32 bits, all in the memory of `parts`.
    texts: ArrayRef,
    /// The offsets, which rows are not NULL unless none is, and the texts.
    parts: Buffer,
    /// Bytes of the second part.
    of_nulls: usize,
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
        Self::over(Buffer::from(piece), rows, of_nulls, T::IS_UTF8).map(Some)
    }

    /// `parts`: begins at a multiple of the bytes of an offset.
    fn over(
        parts: Buffer,
        rows: usize,
        of_nulls: usize,
        is_text: bool,
    ) -> Result<Self, ArrowError> {
        let of_offsets = (rows + 1) * size_of::<i32>();
        let offsets = OffsetBuffer::new(ScalarBuffer::new(parts.clone(), 0, rows + 1));
        let nulls = (of_nulls > 0).then(|| {
            let bits = parts.slice_with_length(of_offsets, of_nulls);
            NullBuffer::new(BooleanBuffer::new(bits, 0, rows))
        });
        let texts = parts.slice(of_offsets + of_nulls);
        let texts: ArrayRef = match is_text {
            true => Arc::new(StringArray::try_new(offsets, texts, nulls)?),
            false => Arc::new(BinaryArray::try_new(offsets, texts, nulls)?),
        };
        Ok(Self {
            texts,
            parts,
            of_nulls,
        })
    }

    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        aligned(self.parts.len()) + size_of::<StringArray>()
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

/// Moves the texts of a column into pieces of memory, one after the other.
pub(super) fn pack(column: &mut [Chunk]) {
    let listed = column.iter_mut().filter_map(|chunk| match chunk {
        Chunk::Texts(Texts::Listed(listed)) => Some(listed),
        _ => None,
    });
    let mut listed: Vec<&mut Listed> = listed.collect();
    let mut left = listed.as_mut_slice();
    while !left.is_empty() {
        let mut bytes = 0;
        let last = left.iter().position(|listed| {
            bytes += listed.parts.len();
            bytes >= PIECE
        });
        let count = last.map_or(left.len(), |last| last + 1);
        let (of_piece, others) = std::mem::take(&mut left).split_at_mut(count);
        if count > 1 {
            move_together(of_piece);
        }
        left = others;
    }
}

fn move_together(of_piece: &mut [&mut Listed]) {
    let bytes = of_piece.iter().map(|listed| aligned(listed.parts.len()));
    let mut piece = MutableBuffer::with_capacity(bytes.sum());
    for listed in of_piece.iter() {
        append(&listed.parts, &mut piece);
    }
    let piece = Buffer::from(piece);
    let mut at = 0;
    for listed in of_piece {
        let length = listed.parts.len();
        let parts = piece.slice_with_length(at, length);
        at += aligned(length);
        let is_text = listed.texts.as_string_opt::<i32>().is_some();
        // What was good is good in other memory.
        if let Ok(moved) = Listed::over(parts, listed.len(), listed.of_nulls, is_text) {
            **listed = moved;
        }
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
    fn column_in_pieces_has_the_same_rows() {
        let arrays = (0..40_usize).map(|number| {
            let rows = (0..300).map(|row| match (row + number) % 7 {
                0 if number % 3 == 0 => None,
                _ => Some(format!("{row} {}", "ä text".repeat(number + row % 9))),
            });
            rows.collect::<StringViewArray>()
        });
        let arrays: Vec<StringViewArray> = arrays.collect();
        let chunks = arrays.iter().map(|array| match listed(array) {
            Some(listed) => Chunk::Texts(Texts::Listed(listed)),
            None => Chunk::Plain(Arc::new(array.clone())),
        });
        let mut chunks: Vec<Chunk> = chunks.collect();
        let bytes: usize = chunks.iter().map(Chunk::bytes).sum();
        assert!(bytes > 3 * PIECE);
        pack(&mut chunks);
        assert_eq!(chunks.iter().map(Chunk::bytes).sum::<usize>(), bytes);
        let mut pieces = Vec::new();
        for (chunk, array) in chunks.iter().zip(&arrays) {
            assert_eq!(chunk.rows(0, 300).unwrap().as_string_view(), array);
            assert_eq!(
                chunk.rows(7, 9).unwrap().as_string_view(),
                &array.slice(7, 9)
            );
            if let Chunk::Texts(Texts::Listed(listed)) = chunk {
                pieces.push(listed.parts.data_ptr());
            }
        }
        assert!(pieces.len() > 30);
        pieces.dedup();
        assert!(pieces.len() < 10);
        pack(&mut []);
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
