//! Batches as they are kept: texts and bytes by themselves, without the buffers that they are views of.
//!
//! The engine's views point into pages of files and into batches that a filter has left little of; kept so, a small result holds
//! what it was read from. Written out once, a result is as large as it says, and is sent each time as it lies there.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};

/// The batch with its columns of views written out. One of more than 2 GiB, which is no array then, stays as it is.
pub(super) fn plain(batch: RecordBatch) -> RecordBatch {
    let schema = batch.schema();
    if !schema.fields().iter().any(|f| target(f).is_some()) {
        return batch;
    }
    let (fields, columns): (Vec<Arc<Field>>, Vec<ArrayRef>) = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            let target = target(field);
            let written = target.and_then(|target| cast(column, &target).ok());
            match written {
                Some(written) => {
                    let field = field.as_ref().clone();
                    let field = field.with_data_type(written.data_type().clone());
                    (Arc::new(field), written)
                }
                None => (Arc::clone(field), Arc::clone(column)),
            }
        })
        .unzip();
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &rows).unwrap_or(batch)
}

fn target(field: &Field) -> Option<DataType> {
    match field.data_type() {
        DataType::Utf8View => Some(DataType::Utf8),
        DataType::BinaryView => Some(DataType::Binary),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Array, AsArray, BinaryViewArray, Int64Array, StringViewArray};

    #[test]
    fn views_are_written_out_and_let_go_of_what_they_were_taken_from() {
        let long = (0..1000).map(|number| format!("{number} {}", "x".repeat(1000)));
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(long));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1000));
        let bytes: ArrayRef =
            Arc::new(BinaryViewArray::from_iter((0..1000).map(|n| {
                (n % 2 == 0).then_some(b"a value of more than twelve bytes".as_slice())
            })));
        let all = RecordBatch::try_from_iter([("t", texts), ("n", numbers), ("b", bytes)]).unwrap();
        let few = all.slice(500, 2);
        assert!(few.get_array_memory_size() > 1_000_000);
        let plain = plain(few);
        assert!(plain.column(0).get_array_memory_size() < 10_000);
        assert_eq!(plain.schema().field(0).data_type(), &DataType::Utf8);
        assert!(
            plain
                .column(0)
                .as_string::<i32>()
                .value(1)
                .starts_with("501 x")
        );
        assert_eq!(
            plain.column(1).as_ref(),
            all.slice(500, 2).column(1).as_ref()
        );
        assert_eq!(plain.schema().field(2).data_type(), &DataType::Binary);
        assert!(plain.column(2).is_valid(0) && plain.column(2).is_null(1));
    }

    #[test]
    fn what_holds_no_views_is_the_same() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let schema = batch.schema();
        assert!(Arc::ptr_eq(&plain(batch).schema(), &schema));
    }
}
