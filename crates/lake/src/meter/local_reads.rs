//! Reads of local files: each is bound to the state that the file had when it was opened.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use datafusion::common::runtime::SpawnedTask;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::ObjectMeta;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use super::QueryMeter;

/// Reads of a local file travel in pieces of this many bytes: large enough to be cheap, small
/// enough for a cutoff.
const FILE_CHUNK: u64 = 512 * 1024;

/// A local file, and its state when it was opened, which is the one that its ETag was compared in.
#[derive(Debug, Clone)]
pub(super) struct OpenFile {
    pub file: Arc<File>,
    pub state: ObjectMeta,
}

impl OpenFile {
    /// The ranges of the file; `None` if the file has changed since it was opened.
    ///
    /// # Errors
    /// The file system.
    pub(super) fn read(&self, ranges: &[Range<u64>]) -> object_store::Result<Option<Vec<Bytes>>> {
        let size = self.state.size;
        // A footer may claim any range: what the file does not hold is never allocated.
        let pieces = ranges
            .iter()
            .map(|range| read_at(&self.file, range.start.min(size)..range.end.min(size)))
            .collect::<object_store::Result<_>>();
        // Afterwards: what is written while it is read shows then.
        if is_unchanged(&self.file, &self.state)? {
            pieces.map(Some)
        } else {
            Ok(None)
        }
    }
}

/// Whether an open file is as it was when its state was taken.
fn is_unchanged(file: &File, state: &ObjectMeta) -> object_store::Result<bool> {
    let now = file.metadata().map_err(io_error)?;
    let modified: DateTime<Utc> = now.modified().map_err(io_error)?.into();
    Ok(now.len() == state.size && modified == state.last_modified)
}

/// Pieces of an open local file, each reserved before it is read; an error once the file is not as
/// it was when it was opened, so that no stream mixes two states of it.
pub(super) fn file_stream(
    file: File,
    state: ObjectMeta,
    range: Range<u64>,
    meter: Arc<QueryMeter>,
) -> BoxStream<'static, object_store::Result<Bytes>> {
    let opened = OpenFile {
        file: Arc::new(file),
        state,
    };
    futures::stream::try_unfold((opened, range.start), move |(opened, offset)| {
        let meter = Arc::clone(&meter);
        let end = range.end;
        async move {
            if offset >= end {
                return Ok(None);
            }
            let length = FILE_CHUNK.min(end - offset);
            meter.reserve_store(length)?;
            let handle = opened.clone();
            let read =
                blocking(move || handle.read(std::slice::from_ref(&(offset..offset + length))))
                    .await?;
            let bytes = read
                .and_then(|mut pieces| pieces.pop())
                .filter(|bytes| bytes.len() as u64 == length)
                .ok_or_else(|| replaced(&opened.state))?;
            meter.add_fetched(length);
            Ok(Some((bytes, (opened, offset + length))))
        }
    })
    .boxed()
}

fn replaced(state: &ObjectMeta) -> object_store::Error {
    object_store::Error::Precondition {
        path: state.location.to_string(),
        source: "the file was changed while it was read".into(),
    }
}

fn read_at(file: &File, range: Range<u64>) -> object_store::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io_error)?;
    // Not zeroed before it is read.
    let mut buffer: Vec<u8> = Vec::with_capacity(length);
    while buffer.len() < length {
        let at = range.start + buffer.len() as u64;
        match pread(file, spare_capacity(&mut buffer), at) {
            Ok(0) => return Err(io_error(std::io::Error::from(ErrorKind::UnexpectedEof))),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(io_error(error)),
        }
    }
    buffer.truncate(length);
    Ok(buffer.into())
}

fn io_error(error: impl std::error::Error + Send + Sync + 'static) -> object_store::Error {
    object_store::Error::Generic {
        store: "lake",
        source: Box::new(error),
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> object_store::Result<T> + Send + 'static,
) -> object_store::Result<T> {
    // As the engine spawns, so that it is charged to the query.
    SpawnedTask::spawn_blocking(work).await.map_err(io_error)?
}
