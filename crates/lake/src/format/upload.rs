//! The bytes of a new file on their way to the store, in parts.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use lakegate_error::{Code, Error};
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;

use super::writer::{ClosedFile, NewFile};
use crate::roots::Location;

/// Bytes that are sent in one part; what is smaller is sent whole at its end. S3 takes 10,000 parts
/// of at least 5 MiB.
pub(crate) const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one file that are sent at once.
const PARALLEL_PARTS: usize = 4;

/// Sends a file. Dropped before [`Upload::finish`], it leaves no file, but parts may stay until the
/// store clears them.
pub(crate) struct Upload {
    writer: BufWriter,
    location: Location,
    url: String,
    bytes: u64,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("url", &self.url)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Upload {
    pub(crate) fn begin(file: &NewFile<'_>) -> Self {
        let root = &file.folder.root;
        let name = file.name.into();
        let path: Path = file.folder.path.parts().chain([name]).collect();
        let url = root.display_path(&path);
        let store: Arc<dyn ObjectStore> = root.store();
        let writer = BufWriter::with_capacity(store, path.clone(), PART_BYTES)
            .with_max_concurrency(PARALLEL_PARTS);
        Self {
            writer,
            location: Location {
                root: Arc::clone(root),
                path,
            },
            url,
            bytes: 0,
        }
    }

    /// The file's URL, for messages.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Bytes that were put.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of the part that is not full yet.
    pub(crate) fn memory(&self) -> usize {
        usize::try_from(self.bytes).map_or(PART_BYTES, |bytes| bytes.min(PART_BYTES))
    }

    /// Appends bytes. Waits while too many parts are under way.
    ///
    /// # Errors
    /// The store.
    pub(crate) async fn put(&mut self, bytes: Bytes) -> object_store::Result<()> {
        self.bytes += bytes.len() as u64;
        self.writer.put(bytes).await
    }

    /// Sends what is left. The file is in the store then.
    ///
    /// # Errors
    /// The store.
    pub(crate) async fn finish(mut self) -> std::io::Result<ClosedFile> {
        self.writer.shutdown().await?;
        Ok(ClosedFile {
            location: self.location,
            bytes: self.bytes,
        })
    }

    /// Stops the upload.
    pub(crate) async fn abort(mut self) {
        if let Err(error) = self.writer.abort().await {
            tracing::debug!(file = self.url, %error, "an upload that is given up was not stopped");
        }
    }
}

/// The error of a file that cannot be written.
pub(crate) fn failed(url: &str, error: impl std::error::Error + 'static) -> Error {
    match lakegate_error::find(&error) {
        Some(error) => error,
        None => Error::new(Code::Storage, format!("cannot write {url}: {error}")),
    }
}
