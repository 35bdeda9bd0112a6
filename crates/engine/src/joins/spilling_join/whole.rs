//! The rows of a build side in one batch.
//!
//! DataFusion's join makes its table of the batches of a build side, and then one batch of them, so
//! that all rows are in memory twice beside the table (`collect_left_input` of
//! `datafusion-physical-plan`, 55.2). Of one batch it makes no other:
//!
//! ```text
//!  column 1 ▐▐▐▐▐▐ ─▶ ██████       freed once it is copied
//!  column 2 ▐▐▐▐▐▐ ─▶ ██████
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch, RecordBatchOptions,
};
use arrow::compute::concat;
use arrow::datatypes::{ByteViewType, DataType, SchemaRef};
use datafusion::error::Result;
use lakegate_lake::sizes::{viewed, views};

use crate::limits::stop;

/// Bytes of a row from which on it is worth it: of one batch DataFusion hashes all keys at once, which
/// takes 8 bytes of each row. A key of 8 bytes beside a date is wide enough.
const WIDE: usize = 12;

/// Bytes of a build side that may be in memory twice.
const SMALL: usize = 1 << 20;

/// How many times the bytes of its texts a column may hold. Views show parts of the pages of a file,
/// which stay in memory as long as one of their texts is needed.
const SPARSE: usize = 4;

/// Returns the same rows in one batch if that takes less memory. `bytes`: of the batches.
///
/// # Errors
///
/// Returns an error if a column has too many bytes of texts, or if the query must stop.
pub(super) fn whole(
    batches: Vec<RecordBatch>,
    bytes: usize,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let is_small = bytes < SMALL || bytes / WIDE < rows;
    if is_small || batches.len() < 2 || schema.fields().is_empty() {
        return Ok(batches);
    }
    let mut columns: Vec<Vec<ArrayRef>> = Vec::new();
    columns.resize_with(schema.fields().len(), || Vec::with_capacity(batches.len()));
    for batch in batches {
        let (_, arrays, _) = batch.into_parts();
        for (column, array) in columns.iter_mut().zip(arrays) {
            column.push(array);
        }
    }
    let mut arrays = Vec::with_capacity(columns.len());
    for column in columns {
        stop::check()?;
        let parts: Vec<&dyn Array> = column.iter().map(AsRef::as_ref).collect();
        let all = concat(&parts)?;
        drop(column);
        arrays.push(without_pages(all));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let schema = Arc::clone(schema);
    let whole = RecordBatch::try_new_with_options(schema, arrays, &options)?;
    Ok(vec![whole])
}

/// Returns a column of views with its texts in memory of their own, if they are a small part of what
/// it holds.
fn without_pages(column: ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => owned(column.as_string_view(), &column),
        DataType::BinaryView => owned(column.as_binary_view(), &column),
        _ => column,
    }
}

fn owned<T: ByteViewType>(array: &GenericByteViewArray<T>, column: &ArrayRef) -> ArrayRef {
    let buffers = array.data_buffers().iter();
    // Batches share pages.
    let held: HashMap<_, usize> = buffers
        .map(|buffer| (buffer.data_ptr(), buffer.capacity()))
        .collect();
    let held: usize = held.values().sum();
    let shown = views(column).map_or(held, viewed);
    match held / SPARSE > shown {
        true => Arc::new(array.gc()),
        false => Arc::clone(column),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(from: i64, rows: i64, texts: ArrayRef) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("a", DataType::Int64, false),
            Field::new("b", DataType::Int64, false),
            Field::new("t", DataType::Utf8View, true),
        ]);
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + rows));
        let columns = vec![Arc::clone(&numbers), numbers, texts];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn texts(from: i64, rows: i64) -> ArrayRef {
        let texts = (from..from + rows).map(|row| (row % 7 != 0).then(|| format!("{row:>30}")));
        Arc::new(texts.collect::<StringViewArray>())
    }

    #[test]
    fn batches_become_one_with_the_same_rows() {
        let rows = 20_000;
        let batches: Vec<RecordBatch> = [0, rows, 2 * rows]
            .map(|from| batch(from, rows, texts(from, rows)))
            .to_vec();
        let schema = batches[0].schema();
        let expected = arrow::compute::concat_batches(&schema, &batches).unwrap();
        let made = whole(batches.clone(), 3 << 20, &schema).unwrap();
        assert_eq!(made, [expected]);
        // Not worth it: narrow rows, few bytes, one batch.
        assert_eq!(
            whole(batches.clone(), 11 * 60_000, &schema).unwrap(),
            batches
        );
        assert_eq!(whole(batches.clone(), 1000, &schema).unwrap(), batches);
        let one = vec![batches[0].clone()];
        assert_eq!(whole(one.clone(), 3 << 20, &schema).unwrap(), one);
        assert!(whole(Vec::new(), 0, &schema).unwrap().is_empty());
    }

    #[test]
    fn pages_of_which_little_is_shown_are_let_go() {
        let page = texts(0, 40_000);
        let rows = 100;
        // The same page, three times.
        let batches: Vec<RecordBatch> = [0, 500, 39_900]
            .map(|from| batch(from, rows, page.slice(from as usize, rows as usize)))
            .to_vec();
        let schema = batches[0].schema();
        let expected = arrow::compute::concat_batches(&schema, &batches).unwrap();
        assert!(expected.get_array_memory_size() > 1_000_000);
        let made = whole(batches, 3 << 20, &schema).unwrap();
        assert!(made[0].get_array_memory_size() < 50_000);
        assert_eq!(made, [expected]);
        // All of it is shown.
        let batches = vec![batch(0, 40_000, Arc::clone(&page)); 2];
        let made = whole(batches, 3 << 20, &schema).unwrap();
        let shown = made[0].column(2).as_string_view();
        let all = page.as_string_view();
        assert!(shown.data_buffers()[0].ptr_eq(&all.data_buffers()[0]));
    }
}
