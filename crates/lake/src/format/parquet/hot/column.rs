//! A decoded column of a row group, cut as the decoder gave it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericByteViewArray, GenericByteViewBuilder, RecordBatch,
};
use arrow::compute::concat;
use arrow::datatypes::{BinaryViewType, ByteViewType, DataType, SchemaRef, StringViewType};
use arrow::error::ArrowError;

/// A column of a row group.
#[derive(Debug)]
pub(super) struct KeptColumn {
    /// In order, none without rows.
    chunks: Vec<ArrayRef>,
    /// The row that each chunk begins with.
    starts: Vec<usize>,
    bytes: usize,
}

impl KeptColumn {
    /// `chunks`: arrays that [own](owned) their memory.
    pub(super) fn new(mut chunks: Vec<ArrayRef>) -> Self {
        chunks.retain(|chunk| !chunk.is_empty());
        let mut rows = 0;
        let starts = chunks.iter().map(|chunk| {
            let start = rows;
            rows += chunk.len();
            start
        });
        let starts = starts.collect();
        Self {
            bytes: chunks.iter().map(memory).sum(),
            chunks,
            starts,
        }
    }

    /// Memory that it holds, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Rows from `from` on, as many as `count`.
    ///
    /// # Errors
    /// The column has fewer rows.
    pub(super) fn rows(&self, from: usize, count: usize) -> Result<ArrayRef, ArrowError> {
        let mut at = self.starts.partition_point(|start| *start <= from).max(1) - 1;
        let mut within = from - self.starts.get(at).copied().unwrap_or(0);
        let mut left = count;
        let mut pieces: Vec<ArrayRef> = Vec::new();
        while left > 0 {
            let chunk = self.chunks.get(at).filter(|chunk| within < chunk.len());
            let Some(chunk) = chunk else {
                return Err(ArrowError::InvalidArgumentError(format!(
                    "a kept column has no rows {from} to {}",
                    from.saturating_add(count)
                )));
            };
            let taken = left.min(chunk.len() - within);
            pieces.push(if taken == chunk.len() {
                Arc::clone(chunk)
            } else {
                chunk.slice(within, taken)
            });
            left -= taken;
            within = 0;
            at += 1;
        }
        match (pieces.len(), self.chunks.first()) {
            (1, _) => Ok(pieces.remove(0)),
            (0, Some(chunk)) => Ok(chunk.slice(0, 0)),
            _ => {
                let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
                concat(&pieces)
            }
        }
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

/// Memory of an array, in bytes.
pub(super) fn memory(array: &ArrayRef) -> usize {
    array.get_array_memory_size() + size_of::<ArrayRef>()
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

/// Returns the array without memory that it shares with others: views point into pages of a file.
///
/// # Errors
/// A value of more than 4 GiB.
pub(super) fn owned(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::Utf8View => Arc::new(views::<StringViewType>(array.as_string_view())?),
        DataType::BinaryView => Arc::new(views::<BinaryViewType>(array.as_binary_view())?),
        _ => Arc::clone(array),
    })
}

fn views<T: ByteViewType>(
    array: &GenericByteViewArray<T>,
) -> Result<GenericByteViewArray<T>, ArrowError> {
    // Values that repeat were one value of a dictionary.
    let copied = GenericByteViewBuilder::<T>::with_capacity(array.len());
    let mut copied = copied.with_deduplicate_strings();
    for value in array.iter() {
        match value {
            Some(value) => copied.try_append_value(value)?,
            None => copied.append_null(),
        }
    }
    Ok(copied.finish())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{BinaryViewArray, Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn any_rows_are_found_in_the_chunks_that_have_them() {
        let cuts = [0..5_i64, 5..5, 5..6, 6..20];
        let chunks = cuts.map(|cut| Arc::new(Int64Array::from_iter_values(cut)) as ArrayRef);
        let column = KeptColumn::new(chunks.to_vec());
        for from in 0..=20 {
            for count in 0..=(20 - from) {
                let rows = column.rows(from, count).unwrap();
                let expected = (from as i64)..((from + count) as i64);
                let expected: ArrayRef = Arc::new(Int64Array::from_iter_values(expected));
                assert_eq!(&rows, &expected, "{from} {count}");
            }
            assert!(column.rows(from, 21 - from).is_err());
        }
    }

    #[test]
    fn views_own_what_they_show() {
        let long = (0..1000).map(|n| Some(format!("{n} {}", "x".repeat(1000))));
        let shown: StringViewArray = long.chain([None, Some("short".to_owned())]).collect();
        let few: ArrayRef = Arc::new(shown.slice(998, 4));
        let kept = owned(&few).unwrap();
        assert_eq!(&kept, &few);
        assert!(memory(&few) > 1_000_000);
        assert!(memory(&kept) < 100_000, "{}", memory(&kept));
        let bytes = vec![Some(&[7_u8; 100][..]); 5000];
        let bytes: ArrayRef = Arc::new(BinaryViewArray::from(bytes));
        let kept = owned(&bytes).unwrap();
        assert_eq!(&kept, &bytes);
        assert!(memory(&kept) < 200_000, "{}", memory(&kept));
    }
}
