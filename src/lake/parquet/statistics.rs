//! What a footer says of a file's values, as far as it can be relied on.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::decode::{Footer, caught};

/// Statistics of one file in the table's columns: row count, and per column bounds and null counts. Unknown where
/// nothing can be made of what the footer says.
pub fn file_statistics(footer: &Footer, file_schema: &SchemaRef) -> Statistics {
    let known = caught(|| {
        DFParquetMetadata::statistics_from_parquet_metadata(&footer.metadata, file_schema)
    });
    let Ok(Ok(mut known)) = known else {
        return Statistics::new_unknown(file_schema);
    };
    let leaves = first_leaves(footer);
    let columns = file_schema.fields().iter();
    for (field, column) in columns.zip(&mut known.column_statistics) {
        forget_contradictions(column, known.num_rows);
        let leaf = leaves.get(field.name().as_str());
        if leaf.is_some_and(|leaf| !bounded_everywhere(&footer.metadata, *leaf)) {
            forget_bounds(column);
        }
    }
    known
}

/// The file's columns by name, each with the first of its leaves in the Parquet schema.
fn first_leaves(footer: &Footer) -> HashMap<&str, usize> {
    let schema = footer.metadata.file_metadata().schema_descr();
    let fields = footer.schema.fields();
    // Backwards, so that the first of a column's leaves is the one that stays.
    (0..schema.num_columns())
        .rev()
        .filter_map(|leaf| {
            let field = fields.get(schema.get_column_root_idx(leaf))?;
            Some((field.name().as_str(), leaf))
        })
        .collect()
}

/// Old writers compared text as signed bytes, and damaged footers hold anything: what contradicts itself says nothing,
/// and planning relies on it that bounds are bounds.
fn forget_contradictions(column: &mut ColumnStatistics, rows: Precision<usize>) {
    let (min, max) = (column.min_value.get_value(), column.max_value.get_value());
    let order = min.zip(max).and_then(|(min, max)| min.partial_cmp(max));
    if order == Some(Ordering::Greater) {
        forget_bounds(column);
    }
    for count in [&mut column.null_count, &mut column.distinct_count] {
        if count.get_value() > rows.get_value() {
            *count = Precision::Absent;
        }
    }
}

/// Writers leave out the bounds of a row group whose texts are long; the engine takes those of the others for the
/// whole file's.
fn bounded_everywhere(metadata: &ParquetMetaData, leaf: usize) -> bool {
    let mut chunks = metadata
        .row_groups()
        .iter()
        .filter_map(|group| group.columns().get(leaf));
    chunks.all(is_bounded)
}

fn is_bounded(chunk: &ColumnChunkMetaData) -> bool {
    let values = u64::try_from(chunk.num_values()).ok();
    match chunk.statistics() {
        Some(known) => {
            let bounded = known.min_bytes_opt().is_some() && known.max_bytes_opt().is_some();
            bounded || known.null_count_opt() == values
        }
        None => values == Some(0),
    }
}

fn forget_bounds(column: &mut ColumnStatistics) {
    column.min_value = Precision::Absent;
    column.max_value = Precision::Absent;
}
