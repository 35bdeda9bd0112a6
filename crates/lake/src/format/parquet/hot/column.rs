//! A decoded column of a row group, cut as the decoder gave it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{concat, filter};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::listed;
use super::narrow::Chunk;

/// A column of a row group.
#[derive(Debug)]
pub(super) struct KeptColumn {
    /// In order, none without rows.
    chunks: Vec<Chunk>,
    /// The row that each chunk begins with.
    starts: Vec<usize>,
    bytes: usize,
}

/// Rows that a chunk has of those that are asked for.
pub(super) struct Piece<'a> {
    pub chunk: &'a Chunk,
    /// The first one, in the chunk.
    pub from: usize,
    pub count: usize,
}

impl KeptColumn {
    pub(super) fn new(mut chunks: Vec<Chunk>) -> Self {
        chunks.retain(|chunk| chunk.len() > 0);
        chunks.shrink_to_fit();
        if chunks.len() > 1 {
            Chunk::pack(&mut chunks);
            listed::pack(&mut chunks);
        }
        let mut rows = 0;
        let starts = chunks.iter().map(|chunk| {
            let start = rows;
            rows += chunk.len();
            start
        });
        let starts = starts.collect();
        Self {
            bytes: chunks.iter().map(Chunk::bytes).sum(),
            chunks,
            starts,
        }
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows of the row group.
    pub(super) fn len(&self) -> usize {
        let last = self.starts.last().zip(self.chunks.last());
        last.map_or(0, |(start, chunk)| start + chunk.len())
    }

    /// The chunks that have the rows from `from` on, as many as `count`, in order.
    ///
    /// # Errors
    /// The column has fewer rows.
    pub(super) fn pieces(&self, from: usize, count: usize) -> Result<Vec<Piece<'_>>, ArrowError> {
        let (mut at, mut within) = self.place(from);
        let mut left = count;
        let mut pieces = Vec::new();
        while left > 0 {
            let chunk = self.chunks.get(at).filter(|chunk| within < chunk.len());
            let Some(chunk) = chunk else {
                return Err(ArrowError::InvalidArgumentError(format!(
                    "a kept column has no rows {from} to {}",
                    from.saturating_add(count)
                )));
            };
            let taken = left.min(chunk.len() - within);
            pieces.push(Piece {
                chunk,
                from: within,
                count: taken,
            });
            left -= taken;
            within = 0;
            at += 1;
        }
        Ok(pieces)
    }

    /// Rows from `from` on, as many as `count`.
    ///
    /// # Errors
    /// The column has fewer rows.
    pub(super) fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        let pieces = self.pieces(from, count)?.into_iter();
        let pieces = pieces.map(|piece| piece.chunk.rows(piece.from, piece.count));
        let mut pieces = pieces.collect::<Result<Vec<ArrayRef>, _>>()?;
        match (pieces.len(), self.chunks.first()) {
            (1, _) => Ok(pieces.remove(0)),
            (0, Some(chunk)) => chunk.rows(0, 0),
            _ => {
                let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
                concat(&pieces)
            }
        }
    }

    /// Of the rows from `from` on, those for which `chosen`, which has no NULLs, is true.
    ///
    /// # Errors
    /// The column has fewer rows.
    pub(super) fn chosen(
        &self,
        from: usize,
        chosen: &BooleanArray,
    ) -> Result<ArrayRef, ArrowError> {
        let (at, within) = self.place(from);
        match self.chunks.get(at) {
            Some(chunk) if chosen.len() <= chunk.len().saturating_sub(within) => {
                chunk.chosen(within, chosen)
            }
            _ => filter(&self.rows(from, chosen.len())?, chosen),
        }
    }

    /// The chunk that has a row, and the row of the chunk.
    fn place(&self, row: usize) -> (usize, usize) {
        let chunk = self.starts.partition_point(|start| *start <= row).max(1) - 1;
        (chunk, row - self.starts.get(chunk).copied().unwrap_or(0))
    }
}

/// Rows of kept columns, which have this schema.
///
/// # Errors
/// A column has fewer rows.
pub(super) fn batch<'a>(
    columns: impl Iterator<Item = &'a Arc<KeptColumn>>,
    schema: &SchemaRef,
    from: usize,
    count: usize,
) -> Result<RecordBatch, ArrowError> {
    let arrays = columns.map(|column| column.rows(from, count));
    RecordBatch::try_new(Arc::clone(schema), arrays.collect::<Result<_, _>>()?)
}

/// As [`batch`], of the rows for which `chosen`, which has no NULLs, is true: the others are not made.
///
/// # Errors
/// A column has fewer rows.
pub(super) fn chosen_batch<'a>(
    columns: impl Iterator<Item = &'a Arc<KeptColumn>>,
    schema: &SchemaRef,
    from: usize,
    chosen: &BooleanArray,
) -> Result<RecordBatch, ArrowError> {
    let arrays = columns.map(|column| column.chosen(from, chosen));
    RecordBatch::try_new(Arc::clone(schema), arrays.collect::<Result<_, _>>()?)
}

/// Whether columns of the type are kept: those whose arrays can be made to own their memory.
pub(super) fn is_kept(data_type: &DataType) -> bool {
    use DataType as T;
    data_type.is_primitive()
        || matches!(
            data_type,
            T::Boolean
                | T::Utf8
                | T::LargeUtf8
                | T::Utf8View
                | T::Binary
                | T::LargeBinary
                | T::BinaryView
                | T::FixedSizeBinary(_)
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn any_rows_are_found_in_the_chunks_that_have_them() {
        let cuts = [0..5_i64, 5..5, 5..6, 6..20];
        let chunks = cuts.map(|cut| {
            let values: ArrayRef = Arc::new(Int64Array::from_iter_values(cut));
            Chunk::of(&values).unwrap()
        });
        let column = KeptColumn::new(Vec::from(chunks));
        for from in 0..=20 {
            for count in 0..=(20 - from) {
                let rows = column.rows(from, count).unwrap();
                let all = (from as i64)..((from + count) as i64);
                let expected: ArrayRef = Arc::new(Int64Array::from_iter_values(all.clone()));
                assert_eq!(&rows, &expected, "{from} {count}");
                let even: BooleanArray = all.clone().map(|value| Some(value % 2 == 0)).collect();
                let chosen = column.chosen(from, &even).unwrap();
                let expected = all.filter(|value| value % 2 == 0);
                let expected: ArrayRef = Arc::new(Int64Array::from_iter_values(expected));
                assert_eq!(&chosen, &expected, "{from} {count}");
            }
            assert!(column.rows(from, 21 - from).is_err());
        }
        assert_eq!(column.len(), 20);
        assert_eq!(KeptColumn::new(Vec::new()).len(), 0);
    }
}
