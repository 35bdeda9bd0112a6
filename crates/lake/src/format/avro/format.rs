//! Avro as a format of a table's files.

use std::sync::Arc;

use async_trait::async_trait;
use lakegate_error::{Error, Result};

use super::columns::schema_of;
use super::reader::AvroReader;
use super::schema::Schema;
use super::writer::{AvroFileWriter, CODECS};
use crate::format::encoding::Encoding;
use crate::format::files::LakeFiles;
use crate::format::{
    Codec, Codecs, FileScan, FileWriter, NewFile, Properties, ScanSource, TableFileFormat,
};

/// Avro files, whose fields are found by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AvroFormat {
    /// `avro.schema.literal`: what files are read with, with its defaults and aliases.
    pub literal: Option<Arc<str>>,
}

impl AvroFormat {
    pub(in crate::format) fn encode(&self, encoding: &mut Encoding<'_>) {
        encoding.option(self.literal.as_deref(), Encoding::text);
    }

    /// The literal's schema. It was read when the format was detected.
    fn schema(&self) -> Option<Arc<Schema>> {
        let literal = self.literal.as_deref()?;
        schema_of(literal).ok().map(Arc::new)
    }
}

#[async_trait]
impl TableFileFormat for AvroFormat {
    fn detect(class: &str, properties: &Properties<'_>) -> Result<Option<Self>> {
        if class != "org.apache.hadoop.hive.serde2.avro.AvroSerDe" {
            return Ok(None);
        }
        let given = |key: &str| {
            let value = properties.get(key).map(str::trim);
            value.filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("none"))
        };
        let literal = given("avro.schema.literal");
        if literal.is_none() && given("avro.schema.url").is_some() {
            return Err(Error::not_supported(
                "property 'avro.schema.url' is not supported; put the schema itself into 'avro.schema.literal'",
            ));
        }
        if let Some(literal) = literal {
            schema_of(literal)?;
        }
        Ok(Some(Self {
            literal: literal.map(Into::into),
        }))
    }

    fn input_format(&self) -> &'static str {
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat"
    }

    fn accepts_input_format(&self, name: &str) -> bool {
        name == "avrocontainerinputformat"
    }

    fn reads_views(&self) -> bool {
        false
    }

    fn source(&self, scan: &FileScan<'_>) -> ScanSource {
        let reader = AvroReader {
            literal: self.schema(),
        };
        ScanSource {
            source: Arc::new(LakeFiles::of(Arc::new(reader), scan)),
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
        "avro".to_owned()
    }

    fn create(&self, file: NewFile<'_>) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(AvroFileWriter::create(file)?))
    }
}
