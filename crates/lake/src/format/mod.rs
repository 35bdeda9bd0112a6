//! Formats of a table's files: which one a storage descriptor names, and what each can do.
//!
//! ```text
//!  StorageDescriptor ─ detect ─▶ TableFormat ─ file_format ─▶ dyn TableFileFormat ─┬─▶ source: the scan's
//!                                (a key: Ord, Hash, digest)     parquet/, orc/, …   ├─▶ statistics of a file
//!                                                                                  └─▶ a writer, or none
//! ```
//!
//! A new format is an implementation of [`TableFileFormat`], a variant of [`TableFormat`] and a
//! line in [`TableFormat::detect`]; nothing else asks which format a file has.
//!
//! What never happens: a row longer than the configured bound is held in memory, a file's bytes are
//! read past the store that the engine gave, two queries on one file differ because they select
//! different columns.

pub mod avro;
mod columns;
mod detect;
pub(crate) mod encoding;
mod fault;
mod files;
pub mod ion;
pub mod orc;
pub mod parquet;
mod properties;
pub mod text;
mod unpack;
mod upload;
mod writer;

use std::fmt::{self, Debug};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::common::Statistics;
use datafusion::config::ConfigOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileSource;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr_adapter::PhysicalExprAdapterFactory;
use lakegate_error::{Error, Result};
use sha2::Sha256;

use self::avro::AvroFormat;
use self::encoding::Encoding;
pub use self::files::LakeFiles;
use self::ion::IonFormat;
use self::orc::OrcFormat;
use self::parquet::{ColumnCache, FooterCache, ParquetFiles, ParquetFormat};
pub use self::properties::Properties;
use self::text::TextSerDe;
pub use self::text::{MAX_ROW_BYTES, Places, TextFormat, TextSource};
pub use self::writer::{ClosedFile, Codec, Codecs, FileWriter, NewFile, SortKey, ZstdLevel};
use crate::meter::QueryMeter;
use crate::roots::Root;
use crate::sight::Sight;

/// Which format the files of a table or a partition have, with its properties: files are read alike
/// if and only if their formats are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableFormat {
    Parquet(ParquetFormat),
    Text(TextFormat),
    Orc(OrcFormat),
    Avro(AvroFormat),
    Ion(IonFormat),
}

impl TableFormat {
    /// What the format can do.
    pub(crate) fn file_format(&self) -> &dyn TableFileFormat {
        match self {
            Self::Parquet(format) => format,
            Self::Text(format) => format,
            Self::Orc(format) => format,
            Self::Avro(format) => format,
            Self::Ion(format) => format,
        }
    }

    /// Whether a value belongs to a column by its place in the row, not by the column's name.
    pub fn has_columns_by_place(&self) -> bool {
        match self {
            Self::Avro(_) | Self::Ion(_) => false,
            Self::Parquet(format) => format.by_place,
            Self::Orc(format) => format.by_place,
            Self::Text(format) => match &format.serde {
                TextSerDe::OpenxJson(_) | TextSerDe::HiveJson(_) | TextSerDe::CloudTrail(_) => {
                    false
                }
                TextSerDe::OpenCsv(_)
                | TextSerDe::LazySimple(_)
                | TextSerDe::Regex(_)
                | TextSerDe::Grok(_) => true,
            },
        }
    }

    /// Feeds the format to a digest, in an encoding that stays the same between versions of
    /// Lakegate as long as files are read alike.
    pub fn digest(&self, digest: &mut Sha256) {
        let mut encoding = Encoding(digest);
        match self {
            Self::Parquet(ParquetFormat { by_place: false }) => encoding.tag(0),
            Self::Parquet(ParquetFormat { by_place: true }) => encoding.tag(5),
            Self::Text(format) => {
                encoding.tag(1);
                format.encode(&mut encoding);
            }
            Self::Orc(format) => {
                encoding.tag(2);
                format.encode(&mut encoding);
            }
            Self::Avro(format) => {
                encoding.tag(3);
                format.encode(&mut encoding);
            }
            Self::Ion(format) => {
                encoding.tag(4);
                format.encode(&mut encoding);
            }
        }
    }
}

/// What a format of files can do: how they are detected, read and written.
#[async_trait]
pub trait TableFileFormat: Debug + Send + Sync {
    /// The format of a SerDe's class. `None`: the class is of another format.
    ///
    /// # Errors
    /// A property whose value is not valid, or not supported.
    fn detect(class: &str, properties: &Properties<'_>) -> Result<Option<Self>>
    where
        Self: Sized;

    /// The input format that goes with the SerDe, as error messages name it.
    fn input_format(&self) -> &'static str;

    /// Whether an input format goes with the SerDe. `name`: the class without its package, in lower
    /// case.
    fn accepts_input_format(&self, name: &str) -> bool;

    /// Whether texts and bytes of the rows are views into pages of the file, which the reader keeps
    /// instead of copying values.
    fn reads_views(&self) -> bool;

    /// Whether [`TableFileFormat::statistics`] knows something without reading the rows.
    fn has_statistics(&self) -> bool {
        false
    }

    /// What is known of a file's rows without reading them, for the columns of `scan.table_schema`
    /// that are in the file.
    ///
    /// # Errors
    /// The file is damaged or does not go with the table; the cutoff; the store.
    async fn statistics(&self, scan: &FileScan<'_>, _file: &PartitionedFile) -> Result<Statistics> {
        Ok(Statistics::new_unknown(scan.table_schema.file_schema()))
    }

    /// The engine's source of a scan.
    fn source(&self, scan: &FileScan<'_>) -> ScanSource;

    /// Whether [`TableFileFormat::create`] makes files.
    fn is_writable(&self) -> bool;

    /// Whether rows can be added to tables of the format. Athena makes some formats' files for new tables
    /// alone.
    fn takes_rows(&self) -> bool {
        self.is_writable()
    }

    /// Whether rows may be written in any form that holds the values of their columns: texts and bytes
    /// as views, decimals of 32 and 64 bits.
    fn takes_all_forms(&self) -> bool {
        false
    }

    /// How files that are written can be compressed.
    fn codecs(&self) -> &'static Codecs {
        &Codecs::NONE
    }

    /// What the names of files that are written end with, such as `parquet` or `json.gz`: one of
    /// those that [`lakegate_catalog::store::WriteId::file_number`] knows.
    fn extension(&self, _codec: Codec) -> String {
        "parquet".to_owned()
    }

    /// Begins a file.
    ///
    /// # Errors
    /// The format is not written; the columns have no form in it.
    fn create(&self, file: NewFile<'_>) -> Result<Box<dyn FileWriter>>;
}

/// A scan of files of one root and one format.
#[derive(Debug)]
pub struct FileScan<'a> {
    pub root: &'a Arc<Root>,
    /// `database.table`, for errors.
    pub table: String,
    /// The data columns of the table; its partition keys and hidden columns.
    pub table_schema: TableSchema,
    /// The data columns that the scan reads.
    pub columns: &'a SchemaRef,
    /// Where in a line of text the data columns are.
    pub places: &'a Places,
    /// The names of all data columns of the table, in its order; none where the format finds columns
    /// by their names.
    pub declared: Arc<[String]>,
    pub sight: &'a Sight,
    pub meter: &'a Arc<QueryMeter>,
    pub footers: &'a FooterCache,
    pub hot: &'a ColumnCache,
    /// The longest row of a text file, in bytes after decompression.
    pub max_row_bytes: usize,
    pub options: &'a ConfigOptions,
}

/// What a scan's configuration takes of a format.
pub struct ScanSource {
    pub source: Arc<dyn FileSource>,
    /// Casts a file's columns to the table's; `None`: the source reads them in the table's types.
    pub adapters: Option<Arc<dyn PhysicalExprAdapterFactory>>,
}

impl fmt::Debug for ScanSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanSource")
            .field("type", &self.source.file_type())
            .finish_non_exhaustive()
    }
}

/// The partition that a file belongs to, as `key=value/key=value`; empty where the table has none.
#[derive(Debug, Clone)]
pub struct PartitionName(pub Arc<str>);

/// What may be reported of the files of a scan. `None`: the source is not one of the lake's.
pub fn sight_of(source: &dyn FileSource) -> Option<&Sight> {
    let parquet = source.downcast_ref::<ParquetFiles>();
    parquet
        .map(ParquetFiles::sight)
        .or_else(|| source.downcast_ref::<TextSource>().map(TextSource::sight))
        .or_else(|| source.downcast_ref::<LakeFiles>().map(LakeFiles::sight))
}

/// The error for a table, or what else `what` names, whose files are not of a format that is
/// written.
pub(crate) fn not_writable(what: &str) -> Error {
    Error::not_supported(format!("{what} has files of a format that is not written")).with_hint(
        "write to a table of Parquet, ORC, Avro, JSON or delimited text (LazySimpleSerDe)",
    )
}

#[cfg(test)]
mod tests;
