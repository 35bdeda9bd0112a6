//! Rows of several batches in another order, as one.
//!
//! A column is gathered after the other: what it is gathered from stays in the processor's caches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, GenericByteArray, RecordBatch, RecordBatchOptions,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat_batches, interleave};
use arrow::datatypes::{BinaryType, ByteArrayType, DataType, Field, Schema, SchemaRef, Utf8Type};
use arrow::error::ArrowError;

use crate::sizes::viewed;

/// A row: the number of its batch, and its number there.
pub(super) type Place = (usize, usize);

/// The columns of gathered rows. Their texts and bytes are values and not views: rows of one
/// partition then take up no memory of others, and less of their own.
pub(super) fn schema(columns: &Schema) -> Schema {
    let fields = columns.fields().iter().map(|field| {
        let plain = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            _ => return Arc::clone(field),
        };
        Arc::new(Field::clone(field).with_data_type(plain))
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), columns.metadata().clone())
}

/// All rows in this order, with the first columns of the batches, which are those of `schema`.
///
/// # Errors
/// Batches of different columns; texts or bytes of a column that take more than 2 GiB.
pub(super) fn gather(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    order: &[Place],
) -> Result<RecordBatch, ArrowError> {
    let columns = (0..schema.fields().len()).map(|column| {
        let columns = batches.iter().map(|batch| batch.columns().get(column));
        let columns: Option<Vec<&dyn Array>> =
            columns.map(|column| Some(column?.as_ref())).collect();
        let columns = columns.ok_or_else(|| {
            ArrowError::SchemaError("batches of one write have different columns".to_owned())
        })?;
        gathered(&columns, order)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(order.len()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn gathered(columns: &[&dyn Array], order: &[Place]) -> Result<ArrayRef, ArrowError> {
    let texts = columns.iter().map(|column| column.as_string_view_opt());
    if let Some(texts) = texts.collect::<Option<Vec<_>>>() {
        let bytes = texts.iter().map(|texts| viewed(texts.views())).sum();
        return Ok(Arc::new(values::<Utf8Type, _>(&texts, bytes, order)?));
    }
    let bytes = columns.iter().map(|column| column.as_binary_view_opt());
    if let Some(values_of) = bytes.collect::<Option<Vec<_>>>() {
        let bytes = values_of.iter().map(|bytes| viewed(bytes.views())).sum();
        return Ok(Arc::new(values::<BinaryType, _>(&values_of, bytes, order)?));
    }
    interleave(columns, order)
}

/// The values of views, one after the other, which take `bytes`, about.
fn values<'a, T, A>(
    columns: &[A],
    bytes: usize,
    order: &[Place],
) -> Result<GenericByteArray<T>, ArrowError>
where
    T: ByteArrayType<Offset = i32>,
    T::Native: 'a,
    A: ArrayAccessor<Item = &'a T::Native> + Copy,
{
    let absent = || ArrowError::ComputeError("a row is in no batch".to_owned());
    let has_nulls = columns.iter().any(|column| column.null_count() > 0);
    let mut valid: Vec<bool> = Vec::with_capacity(if has_nulls { order.len() } else { 0 });
    let mut offsets: Vec<i32> = Vec::with_capacity(order.len() + 1);
    offsets.push(0);
    let mut values: Vec<u8> = Vec::with_capacity(bytes);
    for (batch, row) in order {
        let column = columns.get(*batch).ok_or_else(absent)?;
        let is_valid = !has_nulls || column.is_valid(*row);
        if is_valid {
            values.extend_from_slice(column.value(*row).as_ref());
        }
        if has_nulls {
            valid.push(is_valid);
        }
        let end = i32::try_from(values.len());
        offsets.push(end.map_err(|_| ArrowError::OffsetOverflowError(values.len()))?);
    }
    let nulls = has_nulls.then(|| NullBuffer::from(valid));
    GenericByteArray::try_new(OffsetBuffer::new(offsets.into()), values.into(), nulls)
}

/// A copy of the rows of all batches as one, which keeps nothing of others in memory.
///
/// # Errors
/// Batches of different columns; texts or bytes of a column that take more than 2 GiB.
pub(super) fn copied(batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let Some(first) = batches.first() else {
        return Err(ArrowError::ComputeError("there are no batches".to_owned()));
    };
    // One batch alone would not be copied.
    let none = first.slice(0, 0);
    let all = batches.iter().chain(std::iter::once(&none));
    concat_batches(first.schema_ref(), all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{BinaryViewArray, Int64Array, StringArray, StringViewArray};

    use super::*;

    fn batch(texts: Vec<Option<&str>>, from: i64) -> RecordBatch {
        let bytes: Vec<Option<&[u8]>> = texts.iter().map(|t| t.map(str::as_bytes)).collect();
        let until = from + i64::try_from(texts.len()).unwrap();
        RecordBatch::try_from_iter_with_nullable([
            (
                "n",
                Arc::new(Int64Array::from_iter_values(from..until)) as _,
                true,
            ),
            ("bytes", Arc::new(BinaryViewArray::from(bytes)) as _, true),
            (
                "text",
                Arc::new(StringViewArray::from(texts)) as ArrayRef,
                true,
            ),
        ])
        .unwrap()
    }

    #[test]
    fn rows_of_batches_are_gathered_in_an_order_of_their_own() {
        let long = "a text that is longer than a view has room for";
        let one = batch(vec![Some("a"), None, Some(long)], 0);
        let other = batch(vec![Some(""), Some("b")], 10);
        let schema = Arc::new(schema(&one.schema()));
        let order = [(1, 1), (0, 2), (0, 1), (1, 0), (0, 2)];
        let rows = gather(&schema, &[one, other], &order).unwrap();
        let numbers = rows.column(0).as_primitive::<arrow::datatypes::Int64Type>();
        assert_eq!(&numbers.values()[..], [11, 2, 1, 10, 2]);
        let texts = [Some("b"), Some(long), None, Some(""), Some(long)];
        assert_eq!(
            rows.column(2).as_string::<i32>(),
            &StringArray::from(texts.to_vec())
        );
        let bytes: Vec<Option<&[u8]>> = rows.column(1).as_binary::<i32>().iter().collect();
        assert_eq!(bytes, texts.map(|text| text.map(str::as_bytes)));
    }

    #[test]
    fn copy_shares_no_memory() {
        let rows = batch(vec![Some("a"), Some("b"), Some("c")], 0);
        let schema = Arc::new(schema(&rows.schema()));
        let order: Vec<Place> = (0..3).map(|row| (0, row)).collect();
        let rows = gather(&schema, &[rows], &order).unwrap();
        let copy = copied(&[rows.slice(1, 1), rows.slice(2, 1)]).unwrap();
        assert_eq!(copy, rows.slice(1, 2));
        let one = copied(&[rows.slice(1, 1)]).unwrap();
        assert_eq!(one, rows.slice(1, 1));
        for column in 0..3 {
            let of = |rows: &RecordBatch| rows.column(column).to_data().buffers()[0].data_ptr();
            assert_ne!(of(&copy), of(&rows));
            assert_ne!(of(&one), of(&rows));
        }
    }
}
