//! The bytes of a new file on their way to the store, in parts.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use lakegate_error::{Code, Error};
use object_store::path::Path;
use object_store::{
    MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutPayloadMut,
};
use tokio::task::JoinSet;

use super::writer::{ClosedFile, NewFile};
use crate::roots::Location;

/// Bytes that are sent in one part; what is smaller is sent whole at its end. S3 takes 10,000 parts
/// of at least 5 MiB.
pub(crate) const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one file that are sent at once.
const PARALLEL_PARTS: usize = 4;

/// Sends a file. Dropped before [`Upload::finish`], it leaves no file, and its parts are deleted
/// soon after; those of a process that ends stay until the store clears them.
pub(crate) struct Upload {
    store: Arc<dyn ObjectStore>,
    /// The part that is not full yet.
    part: PutPayloadMut,
    /// `None`: no part is full yet.
    parts: Option<Parts>,
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

/// Parts under way.
struct Parts {
    upload: Box<dyn MultipartUpload>,
    sending: JoinSet<object_store::Result<()>>,
}

impl Parts {
    /// Waits until at most `most` parts are under way.
    async fn wait(&mut self, most: usize) -> object_store::Result<()> {
        while self.sending.len() > most {
            match self.sending.join_next().await {
                Some(Ok(sent)) => sent?,
                Some(Err(error)) => {
                    return Err(object_store::Error::Generic {
                        store: "upload",
                        source: Box::new(error),
                    });
                }
                None => break,
            }
        }
        Ok(())
    }

    async fn send(&mut self, part: PutPayload) -> object_store::Result<()> {
        self.wait(PARALLEL_PARTS - 1).await?;
        self.sending.spawn(self.upload.put_part(part));
        Ok(())
    }

    /// Deletes the parts. `url`: of the file.
    async fn abort(mut self, url: String) {
        // A part that arrives after the others were deleted would stay.
        self.sending.shutdown().await;
        if let Err(error) = self.upload.abort().await {
            tracing::debug!(file = url, %error, "an upload that is given up was not stopped");
        }
    }
}

impl Upload {
    pub(crate) fn begin(file: &NewFile<'_>) -> Self {
        let root = &file.folder.root;
        let name = file.name.into();
        let path: Path = file.folder.path.parts().chain([name]).collect();
        Self {
            store: root.store(),
            part: PutPayloadMut::new(),
            parts: None,
            url: root.display_path(&path),
            location: Location {
                root: Arc::clone(root),
                path,
            },
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
    pub(crate) async fn put(&mut self, mut bytes: Bytes) -> object_store::Result<()> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = PART_BYTES.saturating_sub(self.part.content_length());
            if bytes.len() < room {
                self.part.push(bytes);
                return Ok(());
            }
            self.part.push(bytes.split_to(room));
            let part = std::mem::take(&mut self.part).freeze();
            self.send(part).await?;
        }
        Ok(())
    }

    async fn send(&mut self, part: PutPayload) -> object_store::Result<()> {
        if let Some(parts) = &mut self.parts {
            return parts.send(part).await;
        }
        let options = PutMultipartOptions::default();
        let path = &self.location.path;
        let upload = self.store.put_multipart_opts(path, options).await?;
        let parts = self.parts.insert(Parts {
            upload,
            sending: JoinSet::new(),
        });
        parts.send(part).await
    }

    /// Sends what is left. The file is in the store then.
    ///
    /// # Errors
    /// The store. No part stays then, if the store can still be asked to delete them.
    pub(crate) async fn finish(mut self) -> object_store::Result<ClosedFile> {
        if let Err(error) = self.complete().await {
            self.abort().await;
            return Err(error);
        }
        self.parts = None;
        Ok(ClosedFile {
            location: self.location.clone(),
            bytes: self.bytes,
        })
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        let rest = std::mem::take(&mut self.part).freeze();
        let Some(parts) = &mut self.parts else {
            let path = &self.location.path;
            let put = self.store.put_opts(path, rest, PutOptions::default());
            return put.await.map(|_| ());
        };
        if rest.content_length() > 0 {
            parts.send(rest).await?;
        }
        parts.wait(0).await?;
        parts.upload.complete().await.map(|_| ())
    }

    /// Stops the upload.
    pub(crate) async fn abort(mut self) {
        if let Some(parts) = self.parts.take() {
            parts.abort(self.url.clone()).await;
        }
    }
}

impl Drop for Upload {
    /// Stops an upload that was neither finished nor stopped, such as one that failed.
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(parts.abort(std::mem::take(&mut self.url)));
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
