//! Columns that a footer describes with impossible values, beside others that can be read.
//!
//! A principal that may select the others alone must neither be stopped by the faults nor see them.
//! Such a column keeps its place in the file, with no bytes, so that code that visits all columns
//! of a row group, as the engine does to divide a file, finds no impossible value.

use std::collections::HashMap;

use arrow::datatypes::Schema;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Where the first page of any file lies at the earliest: behind the magic bytes.
const FIRST_PAGE: i64 = 4;

/// What is wrong, by the column's number among the leaves of the schema.
#[derive(Debug, Default)]
pub(super) struct Faults(HashMap<usize, String>);

impl Faults {
    /// The first that is found of a column counts.
    pub(super) fn add(&mut self, leaf: usize, fault: &ParquetError) {
        self.0.entry(leaf).or_insert_with(|| match fault {
            ParquetError::General(what) => what.clone(),
            other => other.to_string(),
        });
    }

    /// The metadata with nothing in the columns that are at fault.
    ///
    /// # Errors
    /// The Parquet crate cannot put it together.
    pub(super) fn emptied(&self, metadata: ParquetMetaData) -> Result<ParquetMetaData> {
        if self.0.is_empty() {
            return Ok(metadata);
        }
        let file = metadata.file_metadata().clone();
        let mut metadata = metadata.into_builder();
        let mut groups = Vec::new();
        for group in metadata.take_row_groups() {
            let rows = group.num_rows();
            let columns = group.columns().iter().enumerate();
            let columns = columns
                .map(|(leaf, column)| match self.0.contains_key(&leaf) {
                    true => empty(column, rows),
                    false => Ok(column.clone()),
                })
                .collect::<Result<_>>()?;
            let emptied = group.into_builder().set_column_metadata(columns);
            groups.push(emptied.build()?);
        }
        Ok(ParquetMetaData::new(file, groups))
    }

    /// What is wrong, by the name of the column in `schema`, as the table's columns are matched
    /// with it.
    pub(super) fn by_name(
        &self,
        metadata: &ParquetMetaData,
        schema: &Schema,
    ) -> HashMap<String, String> {
        let columns = metadata.file_metadata().schema_descr();
        let faults = self.0.iter().filter_map(|(leaf, fault)| {
            let field = schema.fields().get(columns.get_column_root_idx(*leaf))?;
            Some((field.name().clone(), fault.clone()))
        });
        faults.collect()
    }
}

/// A column chunk without a byte.
fn empty(column: &ColumnChunkMetaData, rows: i64) -> Result<ColumnChunkMetaData> {
    ColumnChunkMetaData::builder(column.column_descr_ptr())
        .set_num_values(rows)
        .set_data_page_offset(FIRST_PAGE)
        .set_total_compressed_size(0)
        .set_total_uncompressed_size(0)
        .build()
}
