//! Records, decoded by `arrow-avro`.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::AvroSchema;

use super::schema::Schema;
use super::skim::put_long;
use super::{Result, broken};
use crate::format::parquet::{FORM, UUID};

/// The mark between blocks of files that are made here.
const SYNC: [u8; 16] = *b"lakegate-records";

/// Decodes some fields of the records of one file.
#[derive(Debug)]
pub(super) struct Decoder {
    /// A file without blocks.
    header: Vec<u8>,
    /// What values are read with.
    read: String,
    /// The fields as they are decoded.
    pub fields: Vec<Field>,
}

impl Decoder {
    /// `read`: the schema to read with, whose `fields`, by their places, are decoded; at least one.
    ///
    /// # Errors
    /// The file's schema cannot be read with the other.
    pub(super) fn new(written: &Schema, read: &Schema, fields: &[usize]) -> Result<Self> {
        let mut header = b"Obj\x01".to_vec();
        // One entry.
        put_long(1, &mut header);
        for part in ["avro.schema", &written.json()] {
            put_long(i64::try_from(part.len()).unwrap_or(i64::MAX), &mut header);
            header.extend_from_slice(part.as_bytes());
        }
        put_long(0, &mut header);
        header.extend_from_slice(&SYNC);
        let mut decoder = Self {
            header,
            read: read.json_to_read(fields, written),
            fields: Vec::new(),
        };
        let reader = decoder
            .builder()
            .build(decoder.header.as_slice())
            .map_err(|error| broken(format!("its schema cannot be read: {error}")))?;
        let decoded = reader.schema();
        if decoded.fields().len() != fields.len() {
            return Err(broken("its schema has other fields once it is read"));
        }
        decoder.fields = decoded.fields().iter().map(|field| marked(field)).collect();
        Ok(decoder)
    }

    fn builder(&self) -> ReaderBuilder {
        ReaderBuilder::new().with_reader_schema(AvroSchema::new(self.read.clone()))
    }

    /// Decodes `rows` records, of which at least one has bytes.
    ///
    /// # Errors
    /// Values that the fields do not hold.
    pub(super) fn decode(&self, records: &[u8], rows: usize) -> Result<Vec<ArrayRef>> {
        let mut head = Vec::with_capacity(20);
        put_long(i64::try_from(rows).unwrap_or(i64::MAX), &mut head);
        put_long(i64::try_from(records.len()).unwrap_or(i64::MAX), &mut head);
        let file = self.header.as_slice().chain(head.as_slice());
        let file = file.chain(records).chain(SYNC.as_slice());
        let mut reader = self.builder().with_batch_size(rows).build(file)?;
        let batch: Option<RecordBatch> = reader.next().transpose()?;
        match batch {
            Some(batch) if batch.num_rows() == rows => Ok(batch.columns().to_vec()),
            _ => Err(broken("a block has other records than it claims")),
        }
    }
}

/// The field with what its bytes are.
fn marked(field: &Field) -> Field {
    let inner = |field: &FieldRef| Arc::new(marked(field));
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(inner(item)),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        other => other.clone(),
    };
    let is_uuid = field.metadata().get("logicalType").map(String::as_str) == Some("uuid");
    let metadata = match is_uuid {
        true => HashMap::from([(FORM.to_owned(), UUID.to_owned())]),
        false => HashMap::new(),
    };
    Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata)
}
