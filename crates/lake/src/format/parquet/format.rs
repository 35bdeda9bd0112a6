//! Parquet as a format of a table's files.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Statistics;
use datafusion::config::TableParquetOptions;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetSource;
use lakegate_error::Result;

use super::writer::{CODECS, ParquetFileWriter};
use super::{
    ColumnChecks, ColumnNames, FileAdapters, LakeReaderFactory, ParquetFiles, file_statistics,
};
use crate::format::{
    Codec, Codecs, FileScan, FileWriter, NewFile, PartitionName, Properties, ScanSource,
    TableFileFormat,
};

/// Parquet files, whose columns are found by name, or by their places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParquetFormat {
    /// `parquet.column.index.access`, which Athena has off where it is not set. Fields of structs
    /// are found by name either way.
    pub by_place: bool,
}

impl ParquetFormat {
    fn names(self, scan: &FileScan<'_>) -> ColumnNames {
        match self.by_place {
            true => ColumnNames::ByPlace(Arc::clone(&scan.declared)),
            false => ColumnNames::Own,
        }
    }
}

#[async_trait]
impl TableFileFormat for ParquetFormat {
    fn detect(class: &str, properties: &Properties<'_>) -> Result<Option<Self>> {
        if class != "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" {
            return Ok(None);
        }
        let by_place = properties.flag("parquet.column.index.access", false)?;
        Ok(Some(Self { by_place }))
    }

    fn input_format(&self) -> &'static str {
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    }

    fn accepts_input_format(&self, name: &str) -> bool {
        name.contains("parquet")
    }

    fn reads_views(&self) -> bool {
        true
    }

    fn has_statistics(&self) -> bool {
        true
    }

    /// Reads the file's footer.
    async fn statistics(&self, scan: &FileScan<'_>, file: &PartitionedFile) -> Result<Statistics> {
        let object = &file.object_meta;
        let names = self.names(scan);
        let footer = scan
            .footers
            .footer(scan.root, object, scan.meter, &names)
            .await?;
        let partition = file
            .extension::<PartitionName>()
            .map_or("", |name| &*name.0);
        let url = scan.root.display_path(&object.location);
        checks(scan).check(&footer, partition, &url)?;
        Ok(file_statistics(&footer, scan.table_schema.file_schema()))
    }

    fn source(&self, scan: &FileScan<'_>) -> ScanSource {
        let mut options = TableParquetOptions::new();
        options.global = scan.options.execution.parquet.clone();
        let readers = Arc::new(LakeReaderFactory {
            root: Arc::clone(scan.root),
            footers: scan.footers.clone(),
            names: self.names(scan),
            meter: Arc::clone(scan.meter),
            checks: Arc::new(checks(scan)),
        });
        let source = ParquetSource::new(scan.table_schema.clone())
            .with_table_parquet_options(options)
            .with_parquet_file_reader_factory(Arc::clone(&readers) as _);
        ScanSource {
            source: Arc::new(ParquetFiles::new(source, readers, scan)),
            adapters: Some(Arc::new(FileAdapters)),
        }
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn takes_all_forms(&self) -> bool {
        true
    }

    fn codecs(&self) -> &'static Codecs {
        &CODECS
    }

    fn extension(&self, _codec: Codec) -> String {
        "parquet".to_owned()
    }

    fn create(&self, file: NewFile<'_>) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(ParquetFileWriter::create(file)?))
    }
}

fn checks(scan: &FileScan<'_>) -> ColumnChecks {
    ColumnChecks {
        table: scan.table.clone(),
        columns: Arc::clone(scan.columns),
        whole: scan.sight.is_whole(),
    }
}
