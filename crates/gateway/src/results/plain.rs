//! Batches as they are stored: string and binary columns own their bytes instead of being views.
//!
//! The engine's views point into file pages, and into batches of which a filter has left little.
//! Storing them would keep these buffers in memory. Written out once, a result takes as much memory
//! as its reported size, and can be sent any number of times without conversion.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use lakegate_lake::sizes::{viewed, views};

/// Returns the batch with its view columns written out. A column of more than `most` bytes stays a
/// view, and so does one of more than 2 GiB, which does not fit into an array with 32-bit offsets.
pub(crate) fn plain(batch: RecordBatch, most: usize) -> RecordBatch {
    let schema = batch.schema();
    if !batch.columns().iter().any(|c| views(c).is_some()) {
        return batch;
    }
    let most = most.min(i32::MAX as usize);
    let (fields, columns): (Vec<Arc<Field>>, Vec<ArrayRef>) = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| match written_out(column, most) {
            Some(written) => {
                let field = field.as_ref().clone();
                let field = field.with_data_type(written.data_type().clone());
                (Arc::new(field), written)
            }
            None => (Arc::clone(field), Arc::clone(column)),
        })
        .unzip();
    let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &rows).unwrap_or(batch)
}

fn written_out(column: &ArrayRef, most: usize) -> Option<ArrayRef> {
    let target = match column.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        _ => return None,
    };
    // Casting a larger column does not fail but panics.
    views(column).filter(|views| viewed(views) <= most)?;
    cast(column, &target).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Array as _, AsArray, BinaryViewArray, Int64Array, StringViewArray};

    use super::*;

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
        let plain = plain(few, usize::MAX);
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
    fn column_of_more_than_may_be_kept_stays_a_view() {
        let column = |text: &str| Arc::new(StringViewArray::from(vec![text; 3])) as ArrayRef;
        let columns = [("short", column("1234")), ("long", column("12345"))];
        let plain = plain(RecordBatch::try_from_iter(columns).unwrap(), 12);
        assert_eq!(plain.column(0).data_type(), &DataType::Utf8);
        assert_eq!(plain.column(1).data_type(), &DataType::Utf8View);
        assert_eq!(plain.schema().field(1).data_type(), &DataType::Utf8View);
    }

    #[test]
    fn what_holds_no_views_is_the_same() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let schema = batch.schema();
        assert!(Arc::ptr_eq(&plain(batch, usize::MAX).schema(), &schema));
    }
}
