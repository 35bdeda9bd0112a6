//! One Parquet file on its way to the store.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::async_writer::{AsyncArrowWriter, AsyncFileWriter};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use crate::error::{Code, Error, Result};
use crate::lake::roots::Location;

/// Bytes that are sent in one part; what is smaller is sent whole at its end. S3 takes 10,000 parts of at least 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one file that are sent at once.
const PARALLEL_PARTS: usize = 4;

pub(super) struct OpenFile {
    writer: AsyncArrowWriter<Upload>,
    upload: Arc<Mutex<BufWriter>>,
    /// The file's own.
    location: Location,
    /// For messages.
    url: String,
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The encoder's way to the store, which is stopped from outside.
#[derive(Debug)]
struct Upload(Arc<Mutex<BufWriter>>);

impl AsyncFileWriter for Upload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, parquet::errors::Result<()>> {
        Box::pin(async {
            let mut upload = self.0.lock().await;
            upload
                .put(bytes)
                .await
                .map_err(|error| ParquetError::External(Box::new(error)))
        })
    }

    fn complete(&mut self) -> BoxFuture<'_, parquet::errors::Result<()>> {
        Box::pin(async {
            let mut upload = self.0.lock().await;
            upload
                .shutdown()
                .await
                .map_err(|error| ParquetError::External(Box::new(error)))
        })
    }
}

impl OpenFile {
    /// Errors: the schema has no Parquet form.
    pub fn create(
        folder: &Location,
        name: &str,
        schema: SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self> {
        let path: Path = folder.path.parts().chain([name.into()]).collect();
        let url = folder.root.display_path(&path);
        let store: Arc<dyn ObjectStore> = folder.root.store();
        let upload = BufWriter::with_capacity(store, path.clone(), PART_BYTES)
            .with_max_concurrency(PARALLEL_PARTS);
        let upload = Arc::new(Mutex::new(upload));
        // Parquet's own types say what the columns are, to every reader alike.
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let writer =
            AsyncArrowWriter::try_new_with_options(Upload(Arc::clone(&upload)), schema, options)
                .map_err(|error| failed(&url, error))?;
        Ok(Self {
            writer,
            upload,
            location: Location {
                root: Arc::clone(&folder.root),
                path,
            },
            url,
        })
    }

    /// Ends the row group where it has become as large as `row_group` bytes.
    pub async fn write(&mut self, rows: &RecordBatch, row_group: usize) -> Result<()> {
        let written = async {
            self.writer.write(rows).await?;
            if self.writer.in_progress_size() >= row_group {
                self.writer.flush().await?;
            }
            Ok(())
        };
        written.await.map_err(|error| failed(&self.url, error))
    }

    /// Of the file so far, with what is not encoded to its end yet.
    pub fn bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// Bytes that are held in memory: those being encoded, and those that wait for the next part to be full.
    pub fn memory(&self) -> usize {
        self.writer.memory_size() + self.writer.bytes_written().min(PART_BYTES)
    }

    /// Where the file is then, and its bytes. It need not be on disk yet.
    pub async fn close(mut self) -> Result<(Location, u64)> {
        let closed = self.writer.finish().await;
        closed.map_err(|error| failed(&self.url, error))?;
        Ok((self.location, self.writer.bytes_written() as u64))
    }

    /// Stops sending. What was sent whole already stays.
    pub async fn abort(self) {
        let mut upload = self.upload.lock().await;
        if let Err(error) = upload.abort().await {
            tracing::debug!(file = self.url, %error, "an upload that is given up was not stopped");
        }
    }
}

fn failed(url: &str, error: ParquetError) -> Error {
    if let Some(error) = crate::error::find(&error) {
        return error;
    }
    Error::new(Code::Storage, format!("cannot write {url}: {error}"))
}
