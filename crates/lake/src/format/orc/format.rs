//! ORC as a format of a table's files.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Statistics;
use datafusion::datasource::listing::PartitionedFile;
use lakegate_error::Result;

use super::reader::OrcReader;
use super::statistics::of_file;
use super::writer::{CODECS, OrcFileWriter};
use crate::format::encoding::Encoding;
use crate::format::files::LakeFiles;
use crate::format::{
    Codec, Codecs, FileScan, FileWriter, NewFile, Properties, ScanSource, TableFileFormat,
};

/// ORC files, whose columns are found by their places, or by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrcFormat {
    /// `orc.column.index.access`, which Athena has on where it is not set.
    pub by_place: bool,
}

impl OrcFormat {
    pub(in crate::format) fn encode(self, encoding: &mut Encoding<'_>) {
        encoding.flag(self.by_place);
    }

    fn reader(self, scan: &FileScan<'_>) -> OrcReader {
        OrcReader {
            by_place: self.by_place,
            places: scan.places.clone(),
        }
    }
}

#[async_trait]
impl TableFileFormat for OrcFormat {
    fn detect(class: &str, properties: &Properties<'_>) -> Result<Option<Self>> {
        if class != "org.apache.hadoop.hive.ql.io.orc.OrcSerde" {
            return Ok(None);
        }
        let by_place = properties.flag("orc.column.index.access", true)?;
        Ok(Some(Self { by_place }))
    }

    fn input_format(&self) -> &'static str {
        "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat"
    }

    fn accepts_input_format(&self, name: &str) -> bool {
        name == "orcinputformat"
    }

    fn reads_views(&self) -> bool {
        false
    }

    fn has_statistics(&self) -> bool {
        true
    }

    /// Reads the file's tail.
    async fn statistics(&self, scan: &FileScan<'_>, file: &PartitionedFile) -> Result<Statistics> {
        let object = &file.object_meta;
        let tail = scan.footers.tail(scan.root, object, scan.meter).await?;
        let schema = scan.table_schema.file_schema();
        let found = self.reader(scan).found(&tail.types, schema);
        Ok(of_file(&tail, schema, &found))
    }

    fn source(&self, scan: &FileScan<'_>) -> ScanSource {
        ScanSource {
            source: Arc::new(LakeFiles::of(Arc::new(self.reader(scan)), scan)),
            adapters: None,
        }
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn codecs(&self) -> &'static Codecs {
        &CODECS
    }

    fn extension(&self, _codec: Codec) -> String {
        "orc".to_owned()
    }

    fn create(&self, file: NewFile<'_>) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(OrcFileWriter::create(file)?))
    }
}
