//! One ORC file on its way to the store.
//!
//! ```text
//!  batches ─ when there are enough ─▶ a stripe, column by column ─▶ store
//!                at the end: statistics of stripes, types, stripes ─▶ store
//! ```
//!
//! Texts of which many are the same have a dictionary; other values are encoded directly. Times are
//! written in UTC. Columns that the table declares `varchar` are such in the file, too.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast_with_options;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use async_trait::async_trait;
use lakegate_error::{Code, Error, Result};

use super::new_stripe::{GROUP_ROWS, Groups, NewStripe};
use super::new_texts::Dictionary;
use super::new_types::{encoded, messages};
use super::pack::{MAX_BLOCK, Packer};
use super::summary::Summary;
use super::tail::Stripe;
use super::wire::Message;
use crate::STRICT;
use crate::format::columns::bytes_of;
use crate::format::upload::{Upload, failed};
use crate::format::{ClosedFile, Codec, Codecs, FileWriter, NewFile};
use crate::leaves::with_leaves;

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
    /// Some of the columns may get dictionaries.
    has_texts: bool,
    packer: Packer,
    /// Rows that are in no stripe yet, their number and their bytes.
    rows: Vec<RecordBatch>,
    waiting_rows: usize,
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
        let has_texts = fields
            .iter()
            .any(|field| *field.data_type() == DataType::Utf8);
        let schema = Schema::new(fields);
        let types = messages(schema.fields(), file.declared);
        Ok(Self {
            upload: Upload::begin(&file),
            schema: Arc::new(schema),
            has_texts,
            packer,
            rows: Vec::new(),
            waiting_rows: 0,
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
        let rows = std::mem::take(&mut self.waiting_rows) as u64;
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
        self.waiting_rows += batch.num_rows();
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
        // Once the rows are encoded, the stripe takes no more than they do. One column has a
        // dictionary at a time.
        let dictionary = match self.has_texts {
            true => Dictionary::memory(self.waiting_rows),
            false => 0,
        };
        2 * self.waiting + dictionary + self.upload.memory()
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
