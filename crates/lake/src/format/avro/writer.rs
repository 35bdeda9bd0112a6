//! One Avro file on its way to the store.
//!
//! Columns are optional: a union of null and their type. Timestamps are written in microseconds of
//! UTC (`timestamp-micros`), whole numbers of fewer than four bytes as `int`.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast_with_options;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow_avro::compression::CompressionCodec;
use arrow_avro::writer::format::AvroOcfFormat;
use arrow_avro::writer::{AvroWriter, WriterBuilder};
use async_trait::async_trait;
use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;

use crate::format::columns::bytes_of;
use crate::format::parquet::caught;
use crate::format::upload::{Upload, failed};
use crate::format::{ClosedFile, Codec, Codecs, FileWriter, NewFile};
use crate::leaves::with_leaves;
use crate::{STRICT, type_name};

/// Rows of a block at most, and their bytes in memory, about.
const BLOCK_ROWS: usize = 8192;
const BLOCK_BYTES: usize = 1024 * 1024;

/// Zstandard has the crate's level, which is the default one.
pub(super) const CODECS: Codecs = Codecs {
    format: "Avro",
    properties: &["avro.compression", "write.compression"],
    default: Codec::Deflate,
    all: &[
        Codec::Deflate,
        Codec::Snappy,
        Codec::ZSTD,
        Codec::Bzip2,
        Codec::Uncompressed,
    ],
};

pub(super) struct AvroFileWriter {
    writer: AvroWriter<Encoded>,
    encoded: Encoded,
    /// The columns as they are encoded.
    schema: SchemaRef,
    upload: Upload,
}

impl fmt::Debug for AvroFileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AvroFileWriter")
            .field("upload", &self.upload)
            .finish_non_exhaustive()
    }
}

/// Bytes of the file that are not sent yet.
#[derive(Debug, Clone, Default)]
struct Encoded(Arc<Mutex<Vec<u8>>>);

impl Write for Encoded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AvroFileWriter {
    /// # Errors
    /// A column whose name or type Avro does not have; a codec that the format does not have.
    pub(super) fn create(file: NewFile<'_>) -> Result<Self> {
        let fields = file.schema.fields().iter();
        let fields = fields
            .map(|field| written(field))
            .collect::<Result<Vec<_>>>()?;
        let schema = Schema::new(fields);
        let encoded = Encoded::default();
        let upload = Upload::begin(&file);
        let writer = WriterBuilder::new(schema.clone())
            .with_compression(compression(file.codec)?)
            .build::<_, AvroOcfFormat>(encoded.clone())
            .map_err(|error| cannot(&upload, error))?;
        Ok(Self {
            writer,
            encoded,
            schema: Arc::new(schema),
            upload,
        })
    }

    async fn send(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut *self.encoded.0.lock());
        match bytes.is_empty() {
            true => Ok(()),
            false => {
                let sent = self.upload.put(bytes.into()).await;
                sent.map_err(|error| failed(self.upload.url(), error))
            }
        }
    }

    fn block(&mut self, rows: &RecordBatch) -> Result<()> {
        let columns = rows.columns().iter().zip(self.schema.fields());
        let columns = columns
            .map(|(column, field)| with_leaves(column, field.data_type(), &leaf))
            .collect::<std::result::Result<Vec<_>, _>>();
        let batch = columns
            .and_then(|columns| RecordBatch::try_new(Arc::clone(&self.schema), columns))
            .map_err(|error| cannot(&self.upload, error))?;
        let writer = &mut self.writer;
        let wrote = caught(|| writer.write(&batch).map_err(|error| error.to_string()));
        wrote
            .unwrap_or_else(Err)
            .map_err(|what| cannot(&self.upload, what))
    }
}

fn cannot(upload: &Upload, what: impl fmt::Display) -> Error {
    Error::new(
        Code::BadData,
        format!("cannot write {} as Avro: {what}", upload.url()),
    )
}

fn leaf(
    array: &ArrayRef,
    target: &DataType,
) -> std::result::Result<ArrayRef, arrow::error::ArrowError> {
    cast_with_options(array, target, &STRICT)
}

fn compression(codec: Codec) -> Result<Option<CompressionCodec>> {
    Ok(match codec {
        Codec::Uncompressed => None,
        Codec::Snappy => Some(CompressionCodec::Snappy),
        Codec::Deflate => Some(CompressionCodec::Deflate),
        Codec::Zstd(level) => {
            CODECS.check_level(level)?;
            Some(CompressionCodec::ZStandard)
        }
        Codec::Bzip2 => Some(CompressionCodec::Bzip2),
        other => {
            return Err(Error::not_supported(format!(
                "Avro files have no compression {}; use DEFLATE, SNAPPY, ZSTD, BZIP2 or NONE",
                other.name()
            )));
        }
    })
}

/// The column as it is written.
fn written(field: &Field) -> Result<Field> {
    let name = field.name();
    let mut letters = name.chars();
    let is_name = letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !is_name {
        return Err(Error::not_supported(format!(
            "column '{name}' is not written as Avro, whose names have letters, digits and '_'"
        ))
        .with_hint("rename the column, or write the table as PARQUET"));
    }
    let data_type = written_type(field.data_type()).ok_or_else(|| {
        Error::not_supported(format!(
            "column '{name}' has type {}, which is not written as Avro",
            type_name(field.data_type())
        ))
        .with_hint("write the table as PARQUET")
    })?;
    Ok(Field::new(name, data_type, true))
}

fn written_type(data_type: &DataType) -> Option<DataType> {
    use DataType as T;
    let inner = |field: &FieldRef| {
        let data_type = written_type(field.data_type())?;
        Some(Arc::new(field.as_ref().clone().with_data_type(data_type)))
    };
    Some(match data_type {
        simple @ (T::Boolean
        | T::Int32
        | T::Int64
        | T::Float32
        | T::Float64
        | T::Date32
        | T::Decimal128(..)) => simple.clone(),
        T::Int8 | T::Int16 => T::Int32,
        T::Utf8 | T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Timestamp(..) => T::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        T::List(item) => T::List(inner(item)?),
        T::Map(entries, sorted) => {
            let T::Struct(pair) = entries.data_type() else {
                return None;
            };
            if !pair.first().is_some_and(|key| key.data_type().is_string()) {
                return None;
            }
            T::Map(inner(entries)?, *sorted)
        }
        T::Struct(fields) => {
            T::Struct(fields.iter().map(inner).collect::<Option<Vec<_>>>()?.into())
        }
        _ => return None,
    })
}

#[async_trait]
impl FileWriter for AvroFileWriter {
    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let count = rows.num_rows();
        let of_one = bytes_of(rows) / count.max(1);
        let step = (BLOCK_BYTES / of_one.max(1)).clamp(1, BLOCK_ROWS);
        let mut from = 0;
        while from < count {
            let some = step.min(count - from);
            self.block(&rows.slice(from, some))?;
            self.send().await?;
            from += some;
        }
        Ok(())
    }

    async fn encode(&mut self) -> Result<()> {
        Ok(())
    }

    fn bytes(&self) -> usize {
        usize::try_from(self.upload.bytes()).unwrap_or(usize::MAX)
    }

    fn memory(&self) -> usize {
        self.encoded.0.lock().capacity() + self.upload.memory()
    }

    async fn close(mut self: Box<Self>) -> Result<ClosedFile> {
        let finished = self.writer.finish();
        finished.map_err(|error| cannot(&self.upload, error))?;
        self.send().await?;
        let url = self.upload.url().to_owned();
        let closed = self.upload.finish().await;
        closed.map_err(|error| failed(&url, error))
    }

    async fn abort(self: Box<Self>) {
        self.upload.abort().await;
    }
}
