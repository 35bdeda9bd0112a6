//! One Parquet file on its way to the store.
//!
//! ```text
//!  batches ─▶ RowGroup ─ when it is large enough ─▶ SerializedFileWriter ─▶ Parts ─ a part when it is full ─▶ Upload ─▶ store
//! ```
//!
//! Rows are written in the order that they come in. What they come sorted by is recorded in each
//! row group.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use lakegate_error::Result;
use parking_lot::Mutex;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::SchemaDescriptor;

use super::row_group::{Encoders, Ending, RowGroup};
use crate::format::upload::{PART_BYTES, Upload, failed};
use crate::format::{ClosedFile, Codec, Codecs, FileWriter, NewFile, SortKey, not_writable};

/// Athena's own default for new tables is GZIP; Snappy is read faster, and every reader has it.
pub(super) const CODECS: Codecs = Codecs {
    format: "Parquet",
    properties: &[
        "parquet.compression",
        "parquet.compress",
        "write.compression",
    ],
    default: Codec::Snappy,
    all: &[
        Codec::Snappy,
        Codec::Gzip,
        Codec::ZSTD,
        Codec::Lz4,
        Codec::Brotli,
        Codec::Uncompressed,
    ],
};

/// Bytes of a row group, as far as they are known before it is ended.
const ROW_GROUP_BYTES: usize = 128 * 1024 * 1024;
/// Rows that a column's encoder takes at once; whether a page is full is looked at after each.
const WRITE_BATCH_ROWS: usize = 4096;
/// Rows of a row group.
const ROW_GROUP_ROWS: usize = 1024 * 1024;

pub(super) struct ParquetFileWriter {
    /// Writes what is encoded into `parts`.
    writer: SerializedFileWriter<Parts>,
    parts: Parts,
    encoders: Encoders,
    /// Which is not in the file yet.
    row_group: Option<RowGroup>,
    /// The one before.
    ending: Option<Ending>,
    upload: Upload,
}

impl fmt::Debug for ParquetFileWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetFileWriter")
            .field("url", &self.upload.url())
            .finish_non_exhaustive()
    }
}

/// Bytes of a file that are not sent yet, in parts.
#[derive(Debug, Clone, Default)]
struct Parts(Arc<Mutex<Unsent>>);

#[derive(Debug, Default)]
struct Unsent {
    /// Of [`PART_BYTES`] each.
    full: Vec<Bytes>,
    last: Vec<u8>,
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut unsent = self.0.lock();
        let taken = bytes.len().min(PART_BYTES - unsent.last.len());
        unsent.last.extend_from_slice(&bytes[..taken]);
        if unsent.last.len() == PART_BYTES {
            let part = std::mem::take(&mut unsent.last);
            unsent.full.push(part.into());
            // Most files have more than one part, and the buffer of a part does not grow step by
            // step then.
            unsent.last.reserve_exact(PART_BYTES);
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Parts {
    async fn send_full(&self, upload: &mut Upload) -> Result<(), ParquetError> {
        let full = std::mem::take(&mut self.0.lock().full);
        for part in full {
            upload.put(part).await?;
        }
        Ok(())
    }

    fn take_last(&self) -> Bytes {
        std::mem::take(&mut self.0.lock().last).into()
    }

    fn bytes(&self) -> usize {
        let unsent = self.0.lock();
        unsent.full.len() * PART_BYTES + unsent.last.capacity()
    }
}

impl ParquetFileWriter {
    /// # Errors
    /// The schema has no Parquet form.
    pub(super) fn create(file: NewFile<'_>) -> Result<Self> {
        let upload = Upload::begin(&file);
        let NewFile {
            schema,
            codec,
            sorted_by,
            ..
        } = file;
        let compression = compression(codec)
            .ok_or_else(|| not_writable(&format!("{} of {}", codec.name(), upload.url())))?;
        // With statistics of pages come the column index and the offset index.
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_coerce_types(true)
            .set_write_batch_size(WRITE_BATCH_ROWS)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_created_by(format!("lakegate version {}", env!("CARGO_PKG_VERSION")));
        let parts = Parts::default();
        // Parquet's own types say what the columns are, to every reader alike: there is no Arrow
        // schema beside them.
        let (writer, encoders) = ArrowSchemaConverter::new()
            .with_coerce_types(true)
            .convert(&schema)
            .and_then(|columns| {
                let properties = properties.set_sorting_columns(sorting(sorted_by, &columns));
                let encoders = Encoders {
                    schema,
                    columns: columns.root_schema_ptr(),
                    properties: Arc::new(properties.build()),
                    most_rows: ROW_GROUP_ROWS,
                };
                let columns = Arc::clone(&encoders.columns);
                let properties = Arc::clone(&encoders.properties);
                let writer = SerializedFileWriter::new(parts.clone(), columns, properties)?;
                Ok((writer, encoders))
            })
            .map_err(|error| failed(upload.url(), error))?;
        Ok(Self {
            writer,
            encoders,
            parts,
            row_group: None,
            ending: None,
            upload,
        })
    }

    /// Appends rows. A row group ends at `max_bytes` of encoded values, or at `max_rows`.
    async fn append(
        &mut self,
        rows: &RecordBatch,
        max_bytes: usize,
        max_rows: usize,
    ) -> Result<(), ParquetError> {
        let mut from = 0;
        while from < rows.num_rows() {
            let open = match &mut self.row_group {
                Some(open) => open,
                None => self.row_group.insert(RowGroup::begin(&self.encoders)),
            };
            let room = max_rows.saturating_sub(open.rows()).max(1);
            let some = room.min(rows.num_rows() - from);
            open.write(rows.slice(from, some)).await?;
            from += some;
            if open.rows() >= max_rows || open.bytes() >= max_bytes {
                self.end_row_group().await?;
            }
        }
        Ok(())
    }

    /// Begins to end the row group, which goes on while the next one gets its first rows.
    async fn end_row_group(&mut self) -> Result<(), ParquetError> {
        self.ended_row_group().await?;
        if let Some(row_group) = self.row_group.take() {
            self.ending = Some(row_group.end().await?);
        }
        Ok(())
    }

    /// Writes the row group that was ended, if there is one.
    async fn ended_row_group(&mut self) -> Result<(), ParquetError> {
        let Some(Ending { columns, .. }) = self.ending.take() else {
            return Ok(());
        };
        let mut writer = self.writer.next_row_group()?;
        for column in columns {
            let column = column.ended().await?;
            column.append_to_row_group(&mut writer)?;
            self.parts.send_full(&mut self.upload).await?;
        }
        writer.close()?;
        Ok(())
    }

    async fn end(&mut self) -> Result<(), ParquetError> {
        self.end_row_group().await?;
        self.ended_row_group().await?;
        self.writer.finish()?;
        self.parts.send_full(&mut self.upload).await?;
        self.upload.put(self.parts.take_last()).await?;
        Ok(())
    }
}

#[async_trait]
impl FileWriter for ParquetFileWriter {
    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let written = self.append(rows, ROW_GROUP_BYTES, ROW_GROUP_ROWS).await;
        written.map_err(|error| failed(self.upload.url(), error))
    }

    async fn encode(&mut self) -> Result<()> {
        let ended = self.ended_row_group().await;
        let encoded = match (ended, &mut self.row_group) {
            (Ok(()), Some(row_group)) => row_group.encode().await,
            (ended, _) => ended,
        };
        encoded.map_err(|error| failed(self.upload.url(), error))
    }

    async fn flush(&mut self) -> Result<()> {
        let ended = self.end_row_group().await;
        ended.map_err(|error| failed(self.upload.url(), error))
    }

    fn bytes(&self) -> usize {
        let row_group = self.row_group.as_ref().map_or(0, RowGroup::bytes);
        let ending = self.ending.as_ref().map_or(0, |ending| ending.bytes);
        self.writer.bytes_written() + ending + row_group
    }

    /// Bytes of values being encoded, and of parts that are not sent yet.
    fn memory(&self) -> usize {
        let waiting = self.writer.bytes_written().min(PART_BYTES);
        let encoding = self.row_group.as_ref().map_or(0, RowGroup::memory);
        let ending = self.ending.as_ref().map_or(0, |ending| ending.memory);
        encoding + ending + waiting.max(self.parts.bytes())
    }

    async fn close(mut self: Box<Self>) -> Result<ClosedFile> {
        let ended = self.end().await;
        ended.map_err(|error| failed(self.upload.url(), error))?;
        let url = self.upload.url().to_owned();
        let closed = self.upload.finish().await;
        closed.map_err(|error| failed(&url, error))
    }

    async fn abort(self: Box<Self>) {
        self.upload.abort().await;
    }
}

/// What the row groups say of their order; `None` if they have none. Parquet counts the leaves of
/// columns.
fn sorting(sorted_by: &[SortKey], columns: &SchemaDescriptor) -> Option<Vec<SortingColumn>> {
    let keys = sorted_by.iter().map_while(|key| {
        let mut leaves = 0..columns.num_columns();
        let leaf = leaves.find(|leaf| columns.get_column_root_idx(*leaf) == key.column)?;
        Some(SortingColumn {
            column_idx: i32::try_from(leaf).ok()?,
            descending: key.descending,
            nulls_first: key.nulls_first(),
        })
    });
    let keys: Vec<SortingColumn> = keys.collect();
    (!keys.is_empty()).then_some(keys)
}

/// `None`: Parquet has no such codec.
fn compression(codec: Codec) -> Option<Compression> {
    Some(match codec {
        Codec::Uncompressed => Compression::UNCOMPRESSED,
        Codec::Snappy => Compression::SNAPPY,
        Codec::Gzip => Compression::GZIP(Default::default()),
        Codec::Zstd(level) => {
            Compression::ZSTD(ZstdLevel::try_new(i32::from(level.get())).unwrap_or_default())
        }
        Codec::Lz4 => Compression::LZ4_RAW,
        Codec::Brotli => Compression::BROTLI(Default::default()),
        Codec::Bzip2 | Codec::Deflate => return None,
    })
}

#[cfg(test)]
mod tests;
