//! One ORC file on its way to the store.
//!
//! ```text
//!  batches ─ when there are enough ─▶ a stripe, column by column ─▶ store
//!                at the end: statistics of stripes, types, stripes ─▶ store
//! ```
//!
//! Values are encoded directly, without dictionaries. Times are written in UTC.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast_with_options;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use async_trait::async_trait;
use lakegate_error::{Code, Error, Result};

use super::new_stripe::{GROUP_ROWS, Groups, NewStripe};
use super::pack::{MAX_BLOCK, Packer};
use super::summary::Summary;
use super::tail::Stripe;
use super::wire::Message;
use crate::format::columns::bytes_of;
use crate::format::upload::{Upload, failed};
use crate::format::{ClosedFile, Codec, Codecs, FileWriter, NewFile};
use crate::leaves::with_leaves;
use crate::{STRICT, type_name};

/// Bytes of rows that become one stripe, as they are in memory.
const STRIPE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that an array takes beside its values, about.
const ARRAY_BYTES: usize = 256;

const MAGIC: &[u8] = b"ORC";

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
    packer: Packer,
    /// Rows that are in no stripe yet, and their bytes.
    rows: Vec<RecordBatch>,
    waiting: usize,
    stripes: Vec<Stripe>,
    /// The statistics of the stripes.
    metadata: Message,
    /// The messages of the types, that of the row first.
    types: Vec<Vec<u8>>,
    /// Of all rows, for each of the types.
    summaries: Vec<Summary>,
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
        let packer = Packer::new(file.codec).ok_or_else(|| {
            Error::not_supported(format!(
                "ORC files have no compression {}; use ZLIB, SNAPPY, LZ4, ZSTD or NONE",
                file.codec.name()
            ))
        })?;
        let fields = file.schema.fields().iter();
        let fields = fields
            .map(|field| encoded(field))
            .collect::<Result<Vec<_>>>()?;
        let schema = Schema::new(fields);
        let mut types = Vec::new();
        describe(&DataType::Struct(schema.fields().clone()), &mut types);
        Ok(Self {
            upload: Upload::begin(&file),
            schema: Arc::new(schema),
            packer,
            rows: Vec::new(),
            waiting: 0,
            stripes: Vec::new(),
            metadata: Message::default(),
            summaries: vec![Summary::default(); types.len()],
            types,
        })
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::new(
            Code::BadData,
            format!("cannot write {} as ORC: {what}", self.upload.url()),
        )
    }

    /// Encodes the waiting rows as one stripe and sends it. Other tasks have their turn between the
    /// columns.
    async fn end_stripe(&mut self) -> Result<()> {
        let batches = std::mem::take(&mut self.rows);
        let rows: u64 = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        if rows == 0 {
            self.waiting = 0;
            return Ok(());
        }
        let groups = Groups::new(batches);
        let mut stripe = NewStripe::new(self.packer);
        let added = stripe.add(groups.row());
        added.map_err(|error| self.damaged(error))?;
        let schema = Arc::clone(&self.schema);
        for (place, field) in schema.fields().iter().enumerate() {
            let columns = groups.column(place, field.data_type());
            for column in columns.map_err(|error| self.damaged(error))? {
                let added = stripe.add(column);
                added.map_err(|error| self.damaged(error))?;
            }
            tokio::task::yield_now().await;
        }
        drop(groups);
        self.waiting = 0;
        let mut statistics = Message::default();
        for (whole, summary) in self.summaries.iter_mut().zip(&stripe.summaries) {
            statistics.bytes(1, &summary.message());
            whole.add(summary);
        }
        self.metadata.bytes(1, &statistics.0);
        if self.upload.bytes() == 0 {
            self.send(MAGIC.to_vec()).await?;
        }
        let finished = stripe.finish(self.upload.bytes(), rows);
        let (parts, stripe) = finished.map_err(|error| self.damaged(error))?;
        self.stripes.push(stripe);
        for part in parts {
            self.send(part).await?;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        let sent = self.upload.put(bytes.into()).await;
        sent.map_err(|error| failed(self.upload.url(), error))
    }

    /// The statistics of the stripes, as the file has them, and what follows them.
    fn tail(&mut self) -> Result<[Vec<u8>; 2]> {
        let metadata = std::mem::take(&mut self.metadata);
        let metadata = self.packer.pack(metadata.0);
        let metadata = metadata.map_err(|error| self.damaged(error))?.bytes;
        let footer = self.packer.pack(self.footer().0);
        let mut tail = footer.map_err(|error| self.damaged(error))?.bytes;
        let mut postscript = Message::default();
        postscript.number(1, tail.len() as u64);
        postscript.number(2, self.packer.number());
        if self.packer != Packer::Plain {
            postscript.number(3, MAX_BLOCK as u64);
        }
        // The version of the format.
        postscript.packed(4, &[0, 12]);
        postscript.number(5, metadata.len() as u64);
        // The version of the first writer whose times do not depend on its time zone.
        postscript.number(6, 6);
        postscript.bytes(8000, MAGIC);
        tail.extend_from_slice(&postscript.0);
        let length = u8::try_from(postscript.0.len())
            .map_err(|_| Error::internal("the postscript of an ORC file is too long"))?;
        tail.push(length);
        Ok([metadata, tail])
    }

    fn footer(&self) -> Message {
        let mut footer = Message::default();
        footer.number(1, MAGIC.len() as u64);
        footer.number(2, self.upload.bytes());
        let mut rows = 0;
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
        for summary in &self.summaries {
            footer.bytes(7, &summary.message());
        }
        footer.number(8, GROUP_ROWS as u64);
        footer
    }
}

/// The column as it is encoded.
fn encoded(field: &Field) -> Result<Field> {
    let data_type = encoded_type(field.data_type()).ok_or_else(|| {
        Error::not_supported(format!(
            "column '{}' has type {}, which is not written as ORC",
            field.name(),
            type_name(field.data_type())
        ))
        .with_hint("write the table as PARQUET, or cast the column to double or string")
    })?;
    Ok(Field::new(field.name(), data_type, true))
}

fn encoded_type(data_type: &DataType) -> Option<DataType> {
    use DataType as T;
    let inner = |field: &FieldRef| {
        let data_type = encoded_type(field.data_type())?;
        Some(Arc::new(field.as_ref().clone().with_data_type(data_type)))
    };
    Some(match data_type {
        simple @ (T::Boolean
        | T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::Float32
        | T::Float64
        | T::Date32) => simple.clone(),
        T::Decimal128(precision, scale) if *scale >= 0 => T::Decimal128(*precision, *scale),
        T::Utf8 | T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Timestamp(_, None) => T::Timestamp(TimeUnit::Microsecond, None),
        T::Timestamp(_, Some(_)) => T::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        T::List(item) => T::List(inner(item)?),
        T::Map(entries, sorted) => T::Map(inner(entries)?, *sorted),
        T::Struct(fields) if !fields.is_empty() => {
            T::Struct(fields.iter().map(inner).collect::<Option<Vec<_>>>()?.into())
        }
        _ => return None,
    })
}

/// Appends the messages of a type and of all below it. `data_type`: as of [`encoded_type`].
fn describe(data_type: &DataType, into: &mut Vec<Vec<u8>>) {
    use DataType as T;
    let mut message = Message::default();
    let children: Vec<&FieldRef> = match data_type {
        T::List(item) => vec![item],
        T::Map(entries, _) => match entries.data_type() {
            T::Struct(pair) => pair.iter().collect(),
            _ => Vec::new(),
        },
        T::Struct(fields) => fields.iter().collect(),
        _ => Vec::new(),
    };
    message.number(
        1,
        match data_type {
            T::Boolean => 0,
            T::Int8 => 1,
            T::Int16 => 2,
            T::Int32 => 3,
            T::Int64 => 4,
            T::Float32 => 5,
            T::Float64 => 6,
            T::Utf8 => 7,
            T::Binary => 8,
            T::Timestamp(_, None) => 9,
            T::List(_) => 10,
            T::Map(..) => 11,
            T::Struct(_) => 12,
            T::Decimal128(..) => 14,
            T::Date32 => 15,
            // Times with a zone.
            _ => 18,
        },
    );
    let id = into.len();
    into.push(Vec::new());
    let mut numbers = Vec::with_capacity(children.len());
    for child in &children {
        numbers.push(into.len() as u64);
        describe(child.data_type(), into);
    }
    if !numbers.is_empty() {
        message.packed(2, &numbers);
    }
    if let T::Struct(fields) = data_type {
        for field in fields {
            message.bytes(3, field.name().as_bytes());
        }
    }
    if let T::Decimal128(precision, scale) = data_type {
        message.number(5, u64::from(*precision));
        message.number(6, u64::from(scale.unsigned_abs()));
    }
    if let Some(place) = into.get_mut(id) {
        *place = message.0;
    }
}

fn leaf(array: &ArrayRef, target: &DataType) -> std::result::Result<ArrayRef, ArrowError> {
    cast_with_options(array, target, &STRICT)
}

#[async_trait]
impl FileWriter for OrcFileWriter {
    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let columns = rows.columns().iter().zip(self.schema.fields());
        let columns = columns
            .map(|(column, field)| with_leaves(column, field.data_type(), &leaf))
            .collect::<std::result::Result<Vec<_>, _>>();
        let batch = columns
            .and_then(|columns| RecordBatch::try_new(Arc::clone(&self.schema), columns))
            .map_err(|error| self.damaged(error))?;
        self.waiting += bytes_of(&batch) + ARRAY_BYTES * batch.num_columns();
        self.rows.push(batch);
        match self.waiting >= STRIPE_BYTES {
            true => self.end_stripe().await,
            false => Ok(()),
        }
    }

    async fn encode(&mut self) -> Result<()> {
        self.end_stripe().await
    }

    fn bytes(&self) -> usize {
        // Encoded and compressed, rows take about a third.
        let sent = usize::try_from(self.upload.bytes()).unwrap_or(usize::MAX);
        sent.saturating_add(self.waiting / 3)
    }

    fn memory(&self) -> usize {
        // Once the rows are encoded, the stripe takes no more than they do.
        2 * self.waiting + self.upload.memory()
    }

    async fn close(mut self: Box<Self>) -> Result<ClosedFile> {
        self.end_stripe().await?;
        if self.upload.bytes() == 0 {
            self.send(MAGIC.to_vec()).await?;
        }
        for part in self.tail()? {
            self.send(part).await?;
        }
        let url = self.upload.url().to_owned();
        let finished = self.upload.finish().await;
        finished.map_err(|error| failed(&url, error))
    }

    async fn abort(self: Box<Self>) {
        self.upload.abort().await;
    }
}
