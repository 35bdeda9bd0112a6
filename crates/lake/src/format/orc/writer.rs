//! One ORC file on its way to the store.
//!
//! ```text
//!  batches ─ when there are enough ─▶ orc-rust: a file of one stripe ─▶ the stripe's bytes ─▶ store
//!                                                              at the end: types, stripes ─▶ store
//! ```
//!
//! The crate's writer cannot leave its thread, so it lives for one stripe. It writes neither nested
//! columns nor decimals.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast_with_options;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use lakegate_error::{Code, Error, Result};
use orc_rust::ArrowWriterBuilder;
use orc_rust::compression::CompressionType;

use super::tail::{Stripe, of_bytes};
use super::wire::Message;
use crate::format::columns::bytes_of;
use crate::format::parquet::caught;
use crate::format::upload::{Upload, failed};
use crate::format::{ClosedFile, Codec, Codecs, FileWriter, NewFile};
use crate::{STRICT, type_name};

/// Bytes of rows that become one stripe, as they are in memory.
const STRIPE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a compressed block's header, and of a block at most.
const HEADER: usize = 3;
const MAX_BLOCK: usize = 256 * 1024;

const MAGIC: &[u8] = b"ORC";

/// Zstandard has the crate's level, which is the default one.
pub(super) const CODECS: Codecs = Codecs {
    format: "ORC",
    properties: &["orc.compress", "write.compression"],
    default: Codec::Deflate,
    all: &[
        Codec::Deflate,
        Codec::Snappy,
        Codec::Lz4,
        Codec::ZSTD,
        Codec::Uncompressed,
    ],
};

pub(super) struct OrcFileWriter {
    upload: Upload,
    /// The columns as they are encoded.
    schema: SchemaRef,
    compression: Option<CompressionType>,
    /// Rows that are in no stripe yet, and their bytes.
    rows: Vec<RecordBatch>,
    waiting: usize,
    stripes: Vec<Stripe>,
    /// The messages of the types, once there is a stripe.
    types: Vec<Vec<u8>>,
}

impl std::fmt::Debug for OrcFileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrcFileWriter")
            .field("upload", &self.upload)
            .finish_non_exhaustive()
    }
}

impl OrcFileWriter {
    /// # Errors
    /// A column of a type that is not written; a codec that the format does not have.
    pub(super) fn create(file: NewFile<'_>) -> Result<Self> {
        let compression = compression(file.codec)?;
        let fields = file.schema.fields().iter();
        let fields = fields
            .map(|field| encoded(field))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            upload: Upload::begin(&file),
            schema: Arc::new(Schema::new(fields)),
            compression,
            rows: Vec::new(),
            waiting: 0,
            stripes: Vec::new(),
            types: Vec::new(),
        })
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::new(
            Code::BadData,
            format!("cannot write {} as ORC: {what}", self.upload.url()),
        )
    }

    /// Encodes the waiting rows as one stripe. `None`: there are none.
    fn stripe(&mut self) -> Result<Option<Vec<u8>>> {
        let rows = std::mem::take(&mut self.rows);
        self.waiting = 0;
        if rows.is_empty() && !self.types.is_empty() {
            return Ok(None);
        }
        let file = caught(|| self.file_of(&rows)).unwrap_or_else(Err);
        let file = file.map_err(|what| self.damaged(what))?;
        let tail = of_bytes(&file).map_err(|fault| self.damaged(fault))?;
        self.types = (0..tail.types.len())
            .filter_map(|id| tail.types.message(u32::try_from(id).ok()?, |id| id))
            .collect();
        let Some(stripe) = tail.stripes.into_iter().next() else {
            return Ok(None);
        };
        let slice = |range: std::ops::Range<u64>| {
            let start = usize::try_from(range.start).ok()?;
            file.get(start..usize::try_from(range.end).ok()?)
        };
        let bytes = slice(stripe.offset..stripe.footer().end);
        let bytes = bytes.ok_or_else(|| self.damaged("a stripe is cut short"))?;
        Ok(Some(self.placed(stripe, bytes)))
    }

    /// The bytes of a stripe as they follow the file so far.
    fn placed(&mut self, stripe: Stripe, bytes: &[u8]) -> Vec<u8> {
        let before = match self.upload.bytes() {
            0 => MAGIC,
            _ => b"",
        };
        let offset = self.upload.bytes() + before.len() as u64;
        self.stripes.push(Stripe { offset, ..stripe });
        [before, bytes].concat()
    }

    /// A whole file with these rows.
    fn file_of(&self, rows: &[RecordBatch]) -> Result<Vec<u8>, String> {
        let mut file = Vec::new();
        let mut builder = ArrowWriterBuilder::new(&mut file, Arc::clone(&self.schema))
            .with_batch_size(8192)
            .with_stripe_byte_size(usize::MAX);
        if let Some(compression) = self.compression {
            builder = builder
                .with_compression(compression)
                .with_compression_block_size(MAX_BLOCK);
        }
        let text = |error: orc_rust::error::OrcError| error.to_string();
        let mut writer = builder.try_build().map_err(text)?;
        for batch in rows {
            writer.write(batch).map_err(text)?;
        }
        writer.close().map_err(text)?;
        Ok(file)
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        let sent = self.upload.put(bytes.into()).await;
        sent.map_err(|error| failed(self.upload.url(), error))
    }

    async fn end_stripe(&mut self) -> Result<()> {
        match self.stripe()? {
            Some(bytes) => self.send(bytes).await,
            None => Ok(()),
        }
    }

    /// What follows the last stripe.
    fn tail(&self) -> Result<Vec<u8>> {
        let mut tail = match self.upload.bytes() {
            0 => MAGIC.to_vec(),
            _ => Vec::new(),
        };
        let mut footer = Message::default();
        let mut rows = 0;
        footer.number(1, MAGIC.len() as u64);
        footer.number(2, self.upload.bytes());
        for stripe in &self.stripes {
            let mut place = Message::default();
            place.number(1, stripe.offset);
            place.number(2, stripe.index);
            place.number(3, stripe.data);
            place.number(4, stripe.footer);
            place.number(5, stripe.rows);
            footer.bytes(3, &place.0);
            rows += stripe.rows;
        }
        for message in &self.types {
            footer.bytes(4, message);
        }
        footer.number(6, rows);
        let footer = match self.compression {
            Some(_) => blocks(&footer.0),
            None => footer.0,
        };
        tail.extend_from_slice(&footer);
        let mut postscript = Message::default();
        postscript.number(1, footer.len() as u64);
        postscript.number(2, kind(self.compression));
        if self.compression.is_some() {
            postscript.number(3, MAX_BLOCK as u64);
        }
        // The version of the format.
        postscript.number(4, 0);
        postscript.number(4, 12);
        postscript.number(5, 0);
        // The version of the first writer whose times do not depend on its time zone.
        postscript.number(6, 6);
        postscript.bytes(8000, MAGIC);
        tail.extend_from_slice(&postscript.0);
        let length = u8::try_from(postscript.0.len())
            .map_err(|_| Error::internal("the postscript of an ORC file is too long"))?;
        tail.push(length);
        Ok(tail)
    }
}

/// Bytes as blocks that are not compressed, in a file whose streams are.
fn blocks(bytes: &[u8]) -> Vec<u8> {
    let mut blocks = Vec::with_capacity(bytes.len() + HEADER);
    for block in bytes.chunks(MAX_BLOCK) {
        let header = ((block.len() << 1) | 1).to_le_bytes();
        blocks.extend(header.into_iter().take(HEADER));
        blocks.extend_from_slice(block);
    }
    blocks
}

fn kind(compression: Option<CompressionType>) -> u64 {
    match compression {
        None => 0,
        Some(CompressionType::Zlib) => 1,
        Some(CompressionType::Snappy) => 2,
        Some(CompressionType::Lzo) => 3,
        Some(CompressionType::Lz4) => 4,
        Some(CompressionType::Zstd) => 5,
    }
}

fn compression(codec: Codec) -> Result<Option<CompressionType>> {
    Ok(match codec {
        Codec::Uncompressed => None,
        Codec::Snappy => Some(CompressionType::Snappy),
        Codec::Deflate => Some(CompressionType::Zlib),
        Codec::Zstd(level) => {
            CODECS.check_level(level)?;
            Some(CompressionType::Zstd)
        }
        Codec::Lz4 => Some(CompressionType::Lz4),
        other => {
            return Err(Error::not_supported(format!(
                "ORC files have no compression {}; use ZLIB, SNAPPY, LZ4, ZSTD or NONE",
                other.name()
            )));
        }
    })
}

/// The column as the crate encodes it.
fn encoded(field: &Field) -> Result<Field> {
    use DataType as T;
    let data_type = match field.data_type() {
        simple @ (T::Boolean
        | T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::Float32
        | T::Float64
        | T::Date32) => simple.clone(),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Timestamp(_, None) => T::Timestamp(TimeUnit::Microsecond, None),
        T::Timestamp(_, Some(_)) => T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        other => {
            return Err(Error::not_supported(format!(
                "column '{}' has type {}, which is not written as ORC",
                field.name(),
                type_name(other)
            ))
            .with_hint("write the table as PARQUET, or cast the column to double or string"));
        }
    };
    Ok(Field::new(field.name(), data_type, true))
}

#[async_trait]
impl FileWriter for OrcFileWriter {
    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let columns = rows.columns().iter().zip(self.schema.fields());
        let columns = columns
            .map(|(column, field)| cast_with_options(column, field.data_type(), &STRICT))
            .collect::<std::result::Result<Vec<_>, _>>();
        let batch = columns
            .and_then(|columns| RecordBatch::try_new(Arc::clone(&self.schema), columns))
            .map_err(|error| self.damaged(error))?;
        self.waiting += bytes_of(&batch);
        self.rows.push(batch);
        match self.waiting >= STRIPE_BYTES {
            true => self.end_stripe().await,
            false => Ok(()),
        }
    }

    async fn encode(&mut self) -> Result<()> {
        match self.rows.is_empty() {
            true => Ok(()),
            false => self.end_stripe().await,
        }
    }

    fn bytes(&self) -> usize {
        // Encoded and compressed, rows take about a third.
        let sent = usize::try_from(self.upload.bytes()).unwrap_or(usize::MAX);
        sent.saturating_add(self.waiting / 3)
    }

    fn memory(&self) -> usize {
        self.waiting + self.upload.memory()
    }

    async fn close(mut self: Box<Self>) -> Result<ClosedFile> {
        self.end_stripe().await?;
        let tail = self.tail()?;
        self.send(tail).await?;
        let url = self.upload.url().to_owned();
        let finished = self.upload.finish().await;
        finished.map_err(|error| failed(&url, error))
    }

    async fn abort(self: Box<Self>) {
        self.upload.abort().await;
    }
}
