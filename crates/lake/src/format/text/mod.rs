//! Text formats: one row a line, as JSON, CSV or delimited text.
//!
//! ```text
//!  object store ─▶ input ─▶ framing ─▶ RowDecoder (json, open_csv, lazy_simple) ─▶ columns ─▶ RecordBatch
//!                  decompress  lines     projected columns only
//! ```

mod columns;
mod decoder;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod input;
mod json;
mod lazy_simple;
mod open_csv;
mod patterns;
mod properties;
mod reader;
mod rows;
mod scalars;
mod source;
mod times;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Statistics;
use datafusion::datasource::listing::PartitionedFile;
use lakegate_error::Result;

pub use self::properties::{JsonOptions, LazySimpleOptions, OpenCsvOptions, TextFormat, TextSerDe};
pub use self::rows::Places;
pub use self::source::TextSource;
use super::{FileScan, FileWriter, NewFile, Properties, ScanSource, TableFileFormat, not_writable};

/// The longest row of a text file, in bytes after decompression, where nothing else is configured:
/// Athena's bound.
pub const MAX_ROW_BYTES: usize = 32 * 1024 * 1024;

#[async_trait]
impl TableFileFormat for TextFormat {
    fn detect(class: &str, properties: &Properties<'_>) -> Result<Option<Self>> {
        let serde = match class {
            "org.openx.data.jsonserde.JsonSerDe" => TextSerDe::OpenxJson(properties.json()?),
            "org.apache.hive.hcatalog.data.JsonSerDe"
            | "org.apache.hadoop.hive.serde2.JsonSerDe" => TextSerDe::HiveJson(properties.json()?),
            "org.apache.hadoop.hive.serde2.OpenCSVSerde" => {
                TextSerDe::OpenCsv(properties.open_csv()?)
            }
            "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe" => {
                TextSerDe::LazySimple(properties.lazy_simple()?)
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            serde,
            header_lines: properties.header_lines()?,
        }))
    }

    fn input_format(&self) -> &'static str {
        "org.apache.hadoop.mapred.TextInputFormat"
    }

    fn accepts_input_format(&self, name: &str) -> bool {
        name.ends_with("textinputformat")
    }

    fn reads_views(&self) -> bool {
        false
    }

    fn has_statistics(&self) -> bool {
        false
    }

    async fn statistics(&self, scan: &FileScan<'_>, _file: &PartitionedFile) -> Result<Statistics> {
        Ok(Statistics::new_unknown(scan.table_schema.file_schema()))
    }

    fn source(&self, scan: &FileScan<'_>) -> ScanSource {
        ScanSource {
            source: Arc::new(TextSource::of(self, scan)),
            adapters: None,
        }
    }

    fn is_writable(&self) -> bool {
        false
    }

    fn create(&self, file: NewFile<'_>) -> Result<Box<dyn FileWriter>> {
        let folder = file.folder.root.display_path(&file.folder.path);
        Err(not_writable(&format!("location '{folder}'")))
    }
}
