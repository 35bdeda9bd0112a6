//! Text formats: one row a line, as JSON, CSV, delimited text or what a pattern finds.
//!
//! ```text
//!  object store ─▶ input ─▶ framing ─▶ RowDecoder (json, open_csv, lazy_simple, matching) ─▶ columns ─▶ RecordBatch
//!                  decompress  lines,    projected columns only
//!                              records
//! ```

mod blocks;
pub(in crate::format) mod columns;
mod decoder;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(in crate::format) mod input;
mod json;
mod lazy_simple;
mod matching;
mod open_csv;
mod patterns;
mod properties;
mod reader;
mod records;
pub(in crate::format) mod rows;
pub(in crate::format) mod scalars;
mod source;
pub(in crate::format) mod times;
pub(in crate::format) mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use lakegate_error::Result;

pub use self::matching::{GrokOptions, RegexOptions};
pub use self::properties::{JsonOptions, LazySimpleOptions, OpenCsvOptions, TextFormat, TextSerDe};
pub use self::rows::Places;
pub use self::source::TextSource;
use super::{
    Codec, Codecs, FileScan, FileWriter, NewFile, Properties, ScanSource, TableFileFormat,
};

/// The longest row of a text file, in bytes after decompression, where nothing else is configured:
/// Athena's bound.
pub const MAX_ROW_BYTES: usize = 32 * 1024 * 1024;

impl TextFormat {
    /// `name`: of the class without its package, in lower case.
    pub(in crate::format) fn with_input_format(self, name: &str) -> Self {
        match self.serde {
            TextSerDe::HiveJson(options) | TextSerDe::OpenxJson(options)
                if name == CLOUD_TRAIL_INPUT =>
            {
                Self {
                    serde: TextSerDe::CloudTrail(options),
                    ..self
                }
            }
            _ => self,
        }
    }

    fn is_of_records(&self) -> bool {
        matches!(self.serde, TextSerDe::CloudTrail(_))
    }

    /// Checks what takes long, once where a table is defined: its expressions are compiled.
    /// `width`: the columns of the table, without its partition keys.
    ///
    /// # Errors
    /// An expression that is not valid or too large; one that has not a group for each column.
    pub fn check(&self, width: usize) -> Result<()> {
        match &self.serde {
            TextSerDe::Regex(options) => {
                let pattern = matching::regex_pattern(options)?;
                matching::check_width(pattern.groups(), width)
            }
            TextSerDe::Grok(options) => matching::check_grok(options),
            _ => Ok(()),
        }
    }
}

/// CloudTrail's input format, as [`TableFileFormat::accepts_input_format`] has names.
const CLOUD_TRAIL_INPUT: &str = "cloudtrailinputformat";

#[async_trait]
impl TableFileFormat for TextFormat {
    fn detect(class: &str, properties: &Properties<'_>) -> Result<Option<Self>> {
        let serde = match class {
            "org.openx.data.jsonserde.JsonSerDe" => TextSerDe::OpenxJson(properties.json()?),
            "org.apache.hive.hcatalog.data.JsonSerDe"
            | "org.apache.hadoop.hive.serde2.JsonSerDe" => TextSerDe::HiveJson(properties.json()?),
            "com.amazon.emr.hive.serde.CloudTrailSerde" => {
                TextSerDe::CloudTrail(properties.json()?)
            }
            "org.apache.hadoop.hive.serde2.OpenCSVSerde" => {
                TextSerDe::OpenCsv(properties.open_csv()?)
            }
            "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe" => {
                TextSerDe::LazySimple(properties.lazy_simple()?)
            }
            "org.apache.hadoop.hive.serde2.RegexSerDe"
            | "org.apache.hadoop.hive.contrib.serde2.RegexSerDe" => {
                TextSerDe::Regex(properties.regex()?)
            }
            "com.amazonaws.glue.serde.GrokSerDe" => TextSerDe::Grok(properties.grok()?),
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
        match self.serde {
            TextSerDe::CloudTrail(_) => name == CLOUD_TRAIL_INPUT || name == "textinputformat",
            _ => name.ends_with("textinputformat"),
        }
    }

    fn reads_views(&self) -> bool {
        false
    }

    fn source(&self, scan: &FileScan<'_>) -> ScanSource {
        ScanSource {
            source: Arc::new(TextSource::of(self, scan)),
            adapters: None,
        }
    }

    fn is_writable(&self) -> bool {
        write::is_written(&self.serde)
    }

    fn codecs(&self) -> &'static Codecs {
        &write::CODECS
    }

    fn extension(&self, codec: Codec) -> String {
        write::extension(self, codec)
    }

    fn create(&self, file: NewFile<'_>) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(write::create(self, &file)?))
    }
}
