//! Ion as a format of a table's files.

use std::sync::Arc;

use async_trait::async_trait;
use lakegate_error::Result;

use super::options::{CLASS, IonFormat};
use super::reader::IonReader;
use super::writer;
use crate::format::files::LakeFiles;
use crate::format::text::write::members::Members;
use crate::format::{
    Codec, Codecs, FileScan, FileWriter, NewFile, Properties, ScanSource, TableFileFormat,
};

#[async_trait]
impl TableFileFormat for IonFormat {
    fn detect(class: &str, properties: &Properties<'_>) -> Result<Option<Self>> {
        match class == CLASS {
            true => Self::of(properties).map(Some),
            false => Ok(None),
        }
    }

    fn input_format(&self) -> &'static str {
        "com.amazon.ionhiveserde.formats.IonInputFormat"
    }

    fn accepts_input_format(&self, name: &str) -> bool {
        name == "ioninputformat"
    }

    fn reads_views(&self) -> bool {
        false
    }

    fn source(&self, scan: &FileScan<'_>) -> ScanSource {
        let reader = IonReader {
            format: self.clone(),
            max_row_bytes: scan.max_row_bytes,
        };
        ScanSource {
            source: Arc::new(LakeFiles::of(Arc::new(reader), scan)),
            adapters: None,
        }
    }

    fn is_writable(&self) -> bool {
        true
    }

    fn takes_rows(&self) -> bool {
        false
    }

    fn codecs(&self) -> &'static Codecs {
        &writer::CODECS
    }

    fn extension(&self, codec: Codec) -> String {
        Members::extension("ion", codec)
    }

    fn create(&self, file: NewFile<'_>) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(writer::create(self, &file)?))
    }
}
