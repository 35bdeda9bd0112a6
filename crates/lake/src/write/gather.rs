//! Rows of several batches in another order, as one.
//!
//! A column is gathered after the other: what it is gathered from stays in the processor's caches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ByteView, GenericByteArray, MAX_INLINE_VIEW_LEN,
    PrimitiveArray, RecordBatch, RecordBatchOptions,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::compute::{concat_batches, interleave};
use arrow::datatypes::{
    BinaryType, BinaryViewType, ByteArrayType, ByteViewType, DataType, Decimal32Type,
    Decimal64Type, Decimal128Type, Field, Schema, SchemaRef, StringViewType, Utf8Type,
};
use arrow::error::ArrowError;

use crate::sizes::viewed;

/// A row: the number of its batch, and its number there.
pub(super) type Place = (usize, usize);

/// The columns of gathered rows, which wait for their file and so are to be small. Texts and bytes
/// are values and not views: rows of one partition then take up no memory of others. `narrow`:
/// decimals have no more bits than their precision needs.
pub(super) fn schema(columns: &Schema, narrow: bool) -> Schema {
    let fields = columns.fields().iter().map(|field| {
        let plain = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            // As Parquet has them: of one digit in 64 bits (`parquet` 59).
            DataType::Decimal128(precision @ 2..=9, scale) if narrow => {
                DataType::Decimal32(*precision, *scale)
            }
            DataType::Decimal128(precision @ ..=18, scale) if narrow => {
                DataType::Decimal64(*precision, *scale)
            }
            _ => return Arc::clone(field),
        };
        Arc::new(Field::clone(field).with_data_type(plain))
    });
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), columns.metadata().clone())
}

/// All rows in this order, with the first columns of the batches, which are those of `schema`.
///
/// # Errors
/// Batches of different columns; texts or bytes of a column that take more than 2 GiB; decimals
/// beyond their precision.
pub(super) fn gather(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    order: &[Place],
) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields().iter().enumerate();
    let columns = fields.map(|(column, field)| {
        let columns = batches.iter().map(|batch| batch.columns().get(column));
        let columns: Option<Vec<&dyn Array>> =
            columns.map(|column| Some(column?.as_ref())).collect();
        let columns = columns.ok_or_else(other_columns)?;
        gathered(&columns, field.data_type(), order)
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(order.len()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn gathered(
    columns: &[&dyn Array],
    to: &DataType,
    order: &[Place],
) -> Result<ArrayRef, ArrowError> {
    if columns.iter().all(|column| column.data_type() == to) {
        return interleave(columns, order);
    }
    Ok(match to {
        DataType::Decimal32(precision, scale) => {
            let values = narrowed::<Decimal32Type>(columns, order)?;
            Arc::new(values.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Decimal64(precision, scale) => {
            let values = narrowed::<Decimal64Type>(columns, order)?;
            Arc::new(values.with_precision_and_scale(*precision, *scale)?)
        }
        DataType::Utf8 => Arc::new(values::<StringViewType, Utf8Type>(columns, order)?),
        DataType::Binary => Arc::new(values::<BinaryViewType, BinaryType>(columns, order)?),
        _ => return Err(other_columns()),
    })
}

/// Decimals of fewer bits.
fn narrowed<T>(columns: &[&dyn Array], order: &[Place]) -> Result<PrimitiveArray<T>, ArrowError>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i128>,
{
    let wide = columns
        .iter()
        .map(|column| Some(&column.as_primitive_opt::<Decimal128Type>()?.values()[..]));
    let wide: Vec<&[i128]> = wide.collect::<Option<_>>().ok_or_else(other_columns)?;
    let nulls = nulls(columns, order)?;
    let mut values: Vec<T::Native> = Vec::with_capacity(order.len());
    for (index, value) in picked(&wide, order).enumerate() {
        values.push(match is_valid(nulls.as_ref(), index) {
            true => T::Native::try_from(value?).map_err(|_| {
                ArrowError::ComputeError("a decimal has more digits than its column".to_owned())
            })?,
            false => T::Native::default(),
        });
    }
    PrimitiveArray::try_new(values.into(), nulls)
}

/// The values of views, one after the other.
fn values<V, T>(columns: &[&dyn Array], order: &[Place]) -> Result<GenericByteArray<T>, ArrowError>
where
    V: ByteViewType,
    T: ByteArrayType<Offset = i32>,
{
    let arrays = columns.iter().map(|column| column.as_byte_view_opt::<V>());
    let arrays: Vec<_> = arrays.collect::<Option<_>>().ok_or_else(other_columns)?;
    let nulls = nulls(columns, order)?;
    // First the views alone: reads that do not wait for each other.
    let views: Vec<&[u128]> = arrays.iter().map(|array| &array.views()[..]).collect();
    let views: Vec<u128> = picked(&views, order).collect::<Result<_, _>>()?;
    let mut offsets: Vec<i32> = Vec::with_capacity(order.len() + 1);
    offsets.push(0);
    let mut values: Vec<u8> = Vec::with_capacity(viewed(&views));
    for (index, (view, (batch, _))) in views.iter().zip(order).enumerate() {
        if is_valid(nulls.as_ref(), index) {
            let buffers = arrays.get(*batch).map(|array| array.data_buffers());
            let inline = view.to_le_bytes();
            let bytes = bytes_of(*view, &inline, buffers.unwrap_or_default());
            values.extend_from_slice(bytes.ok_or_else(absent)?);
        }
        let end = i32::try_from(values.len());
        offsets.push(end.map_err(|_| ArrowError::OffsetOverflowError(values.len()))?);
    }
    GenericByteArray::try_new(OffsetBuffer::new(offsets.into()), values.into(), nulls)
}

/// The values of rows, in their order.
fn picked<'a, T: Copy>(
    columns: &'a [&[T]],
    order: &'a [Place],
) -> impl Iterator<Item = Result<T, ArrowError>> + 'a {
    order.iter().map(|(batch, row)| {
        let value = columns.get(*batch).and_then(|column| column.get(*row));
        value.copied().ok_or_else(absent)
    })
}

/// The bytes of a view, which has up to twelve itself, after their number.
fn bytes_of<'a>(view: u128, inline: &'a [u8; 16], buffers: &'a [Buffer]) -> Option<&'a [u8]> {
    let view = ByteView::from(view);
    let length = view.length as usize;
    if view.length <= MAX_INLINE_VIEW_LEN {
        return inline.get(4..4 + length);
    }
    let from = view.offset as usize;
    let buffer = buffers.get(view.buffer_index as usize)?;
    buffer.get(from..from + length)
}

/// Which of the gathered rows have a value; `None`: all.
fn nulls(columns: &[&dyn Array], order: &[Place]) -> Result<Option<NullBuffer>, ArrowError> {
    if columns.iter().all(|column| column.null_count() == 0) {
        return Ok(None);
    }
    let valid = order.iter().map(|(batch, row)| {
        let column = columns.get(*batch).ok_or_else(absent)?;
        Ok(column.is_valid(*row))
    });
    let valid: Vec<bool> = valid.collect::<Result<_, ArrowError>>()?;
    Ok(Some(NullBuffer::from(valid)))
}

fn is_valid(nulls: Option<&NullBuffer>, index: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(index))
}

fn absent() -> ArrowError {
    ArrowError::ComputeError("a row is in no batch".to_owned())
}

fn other_columns() -> ArrowError {
    ArrowError::SchemaError("batches of one write have different columns".to_owned())
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
    use arrow::array::{
        BinaryViewArray, Decimal128Array, Int64Array, StringArray, StringViewArray,
    };

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
        let schema = Arc::new(schema(&one.schema(), true));
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
        let schema = Arc::new(schema(&rows.schema(), true));
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

    #[test]
    fn decimals_have_the_bits_that_their_precision_needs() {
        let decimals = |values: [Option<i128>; 2], precision| {
            let values = Decimal128Array::from(values.to_vec());
            Arc::new(values.with_precision_and_scale(precision, 1).unwrap()) as ArrayRef
        };
        let columns = |values: [Option<i128>; 2]| {
            let columns = [1, 9, 10, 18, 19].map(|precision| decimals(values, precision));
            let names = ["a", "b", "c", "d", "e"];
            RecordBatch::try_from_iter_with_nullable(
                names
                    .into_iter()
                    .zip(columns)
                    .map(|(name, of)| (name, of, true)),
            )
            .unwrap()
        };
        let batches = [columns([Some(-7), None]), columns([Some(3), Some(9)])];
        let order = [(1, 1), (0, 1), (0, 0)];
        let narrow = Arc::new(schema(&batches[0].schema(), true));
        let types: Vec<_> = narrow
            .fields()
            .iter()
            .map(|of| of.data_type().clone())
            .collect();
        assert_eq!(types[0], DataType::Decimal64(1, 1));
        assert_eq!(types[1], DataType::Decimal32(9, 1));
        assert_eq!(types[2], DataType::Decimal64(10, 1));
        assert_eq!(types[3], DataType::Decimal64(18, 1));
        assert_eq!(types[4], DataType::Decimal128(19, 1));
        let rows = gather(&narrow, &batches, &order).unwrap();
        let wide = Arc::new(schema(&batches[0].schema(), false));
        let same = gather(&wide, &batches, &order).unwrap();
        for (column, of) in rows.columns().iter().zip(same.columns()) {
            assert_eq!(&arrow::compute::cast(column, of.data_type()).unwrap(), of);
        }
        // A value that its column does not hold.
        let batch = columns([Some(i128::from(i64::MAX) + 1), None]);
        assert!(gather(&narrow, &[batch], &[(0, 0)]).is_err());
    }
}
