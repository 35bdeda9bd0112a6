//! The benchmark databases: TPC-H and TPC-DS tables, generated a batch at a time.
//!
//! The split of a table into files depends on its size only, so the files are the same on any
//! number of cores. Memory is bounded by one row group per thread (and the 300 MB of text that
//! TPC-H's comments are taken from).

mod tpcds;
mod tpch;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::{DemoOptions, Progress, error::Result};

/// A generated table, for registering it.
#[derive(Debug, Clone)]
pub struct TpcTable {
    pub name: &'static str,
    /// As readers see the files: text is `Utf8`.
    pub schema: SchemaRef,
}

pub use tpcds::tables as tpcds_tables;
pub use tpch::tables as tpch_tables;

pub(crate) fn write(options: &DemoOptions, progress: &mut dyn FnMut(Progress)) -> Result<()> {
    if let Some(scale) = options.tpch {
        tpch::write(scale, &options.dir.join("tpch"), progress)?;
    }
    if let Some(scale) = options.tpcds {
        tpcds::write(scale, &options.dir.join("tpcds"), progress)?;
    }
    Ok(())
}

/// About a million rows a file, and up to four files for tables of 50,000 rows and more.
fn file_count(rows: u64) -> u64 {
    rows.div_ceil(1_000_000).max((rows / 50_000).min(4)).max(1)
}

fn file_name(part: u64) -> String {
    format!("part-{part:05}.parquet")
}

/// The generators' view columns are plain text in the files.
fn readers_schema(generated: &Schema) -> SchemaRef {
    let fields = generated
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8View => Field::new(field.name(), DataType::Utf8, field.is_nullable()),
            _ => field.as_ref().clone(),
        });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn big_tables_have_several_files_and_small_ones_one() {
        let rows = [5, 60_000, 150_000, 600_000, 6_001_215];
        assert_eq!(rows.map(file_count), [1, 1, 3, 4, 7]);
    }
}
