//! Reads Ion files for the engine's scans, value by value.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::error::DataFusionError;
use futures::StreamExt;
use futures::stream::BoxStream;
use lakegate_error::{Code, Error, Result, from_engine};
use object_store::ObjectStore;

use super::decode::Decoder;
use super::options::IonFormat;
use super::stream::Stream;
use crate::format::files::{BATCH_BYTES, Batches, FileReader, OpenedFile, damaged};
use crate::format::text::input::{self, Compression, Input, PlannedFile};
use crate::format::text::rows::{MAX_CELLS, Rows};

const NAME: &str = "Ion";

#[derive(Debug, Clone)]
pub(super) struct IonReader {
    pub format: IonFormat,
    /// The longest value, in bytes after decompression.
    pub max_row_bytes: usize,
}

#[async_trait]
impl FileReader for IonReader {
    fn name(&self) -> &'static str {
        NAME
    }

    /// What a value means depends on the tables of symbols before it.
    fn splits_files(&self) -> bool {
        false
    }

    async fn open(&self, file: OpenedFile) -> Result<Batches> {
        let store = Arc::clone(&file.store) as Arc<dyn ObjectStore>;
        let planned = PlannedFile {
            store,
            path: file.meta.location.clone(),
            size: file.meta.size,
            e_tag: file.meta.e_tag.clone(),
        };
        let opened = input::open(planned, None).await;
        let Input {
            pieces,
            compression,
            ..
        } = opened.map_err(|error| from_engine(DataFusionError::ObjectStore(Box::new(error))))?;
        if let Compression::Other(name) = compression {
            return Err(Error::not_supported(format!(
                "file {} is compressed with {name}, which is not supported for Ion",
                file.url
            ))
            .of_a_file(format!(
                " is compressed with {name}, which is not supported for Ion"
            ))
            .with_hint(
                "unpack the files, or compress them with gzip, zstd, bzip2, snappy or lz4",
            ));
        }
        let rows = Rows::new(&file.schema)?;
        let scan = Scan {
            decoder: Decoder::new(rows, &self.format),
            stream: Stream::new(self.max_row_bytes),
            pieces,
            compression,
            file,
            is_done: false,
        };
        let batches = futures::stream::try_unfold(scan, |mut scan| async move {
            Ok::<_, Error>(scan.next().await?.map(|batch| (batch, scan)))
        });
        Ok(batches.boxed())
    }
}

/// One file while it is read.
struct Scan {
    file: OpenedFile,
    pieces: BoxStream<'static, std::io::Result<Bytes>>,
    compression: Compression,
    stream: Stream,
    decoder: Decoder,
    is_done: bool,
}

impl Scan {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut bytes = 0_u64;
        while !self.is_done {
            let next = self.stream.advance();
            match next.map_err(|fault| fault.of(NAME, &self.file.url))? {
                Some(value) => {
                    let length = value.len();
                    let read = self.decoder.decode(self.stream.cursor(value), length);
                    read.map_err(|bad| self.bad_row(&bad.to_string(), bad.of_a_column()))?;
                    bytes += length.max(self.decoder.text_bytes) as u64;
                    let rows = &self.decoder.rows;
                    let is_large = bytes >= BATCH_BYTES || rows.cells >= MAX_CELLS;
                    if is_large || rows.count >= self.file.batch_size {
                        break;
                    }
                }
                None if self.stream.is_ended() => self.is_done = true,
                None => self.more().await?,
            }
        }
        match self.decoder.rows.count {
            0 => Ok(None),
            _ => {
                let batch = self.decoder.rows.flush();
                batch.map(Some).map_err(|error| from_engine(error.into()))
            }
        }
    }

    async fn more(&mut self) -> Result<()> {
        match self.pieces.next().await {
            Some(piece) => {
                let piece = piece.map_err(|error| self.read_error(error))?;
                self.stream.push(&piece);
            }
            None => self.stream.end(),
        }
        // A store in memory is always ready: others must have their turn.
        tokio::task::consume_budget().await;
        Ok(())
    }

    /// `reported`: what shows nothing but a column that is read.
    fn bad_row(&self, what: &str, reported: Option<&str>) -> Error {
        let number = self.stream.number();
        let reported = reported.unwrap_or("it is malformed");
        let message = format!("file {} value {number}: {what}", self.file.url);
        Error::new(Code::BadData, message).of_a_file(format!(" value {number}: {reported}"))
    }

    /// An error of the store comes back as what it was; others are the decompressor's.
    fn read_error(&self, error: std::io::Error) -> Error {
        match error.downcast::<object_store::Error>() {
            Ok(store) => from_engine(DataFusionError::ObjectStore(Box::new(store))),
            Err(error) => {
                let what = format!(
                    "it cannot be decompressed as {}: {error}; it is damaged or cut short",
                    self.compression.name()
                );
                damaged(NAME, &self.file.url, what)
            }
        }
    }
}
