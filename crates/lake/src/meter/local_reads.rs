//! Reads of local files: each is bound to the state that the file had when it was opened.
//!
//! A thread that waits for a file allocates nothing of size. The allocator has pages for each thread, and
//! what others free of them goes back only when the thread works again or ends: twenty threads that had read
//! held 170 MiB. So the caller allocates the memory.

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
    /// Reads the ranges of the file, one into each buffer. `false`: the file has changed since it was
    /// opened.
    ///
    /// # Errors
    /// The file system.
    pub(super) fn read(
        &self,
        ranges: &[Range<u64>],
        buffers: &mut [Vec<u8>],
    ) -> object_store::Result<bool> {
        let size = self.state.size;
        // A footer may claim any range: what the file does not hold is never allocated.
        let pieces = ranges
            .iter()
            .zip(buffers)
            .try_for_each(|(range, buffer)| read_at(&self.file, within(range, size), buffer));
        // Afterwards: what is written while it is read shows then.
        if is_unchanged(&self.file, &self.state)? {
            pieces.map(|()| true)
        } else {
            Ok(false)
        }
    }
}

/// Returns memory for ranges of a file of this size, for [`OpenFile::read`].
///
/// # Errors
/// A range is larger than memory can be.
pub(super) fn buffers(ranges: &[Range<u64>], size: u64) -> object_store::Result<Vec<Vec<u8>>> {
    let buffers = ranges.iter().map(|range| {
        let length = length(&within(range, size))?;
        Ok(Vec::with_capacity(length))
    });
    buffers.collect()
}

/// The part of a range that a file of this size has.
fn within(range: &Range<u64>, size: u64) -> Range<u64> {
    range.start.min(size)..range.end.min(size)
}

fn length(range: &Range<u64>) -> object_store::Result<usize> {
    usize::try_from(range.end.saturating_sub(range.start)).map_err(io_error)
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
            let range = offset..offset + length;
            let mut pieces = buffers(std::slice::from_ref(&range), opened.state.size)?;
            let read = blocking(move || {
                let is_same = handle.read(std::slice::from_ref(&range), &mut pieces)?;
                Ok(is_same.then_some(pieces))
            });
            let bytes = read
                .await?
                .and_then(|mut pieces| pieces.pop())
                .filter(|bytes| bytes.len() as u64 == length)
                .map(Bytes::from)
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

fn read_at(file: &File, range: Range<u64>, buffer: &mut Vec<u8>) -> object_store::Result<()> {
    let length = length(&range)?;
    buffer.clear();
    // Not zeroed before it is read.
    buffer.reserve_exact(length);
    while buffer.len() < length {
        let at = range.start + buffer.len() as u64;
        match pread(file, spare_capacity(buffer), at) {
            Ok(0) => return Err(io_error(std::io::Error::from(ErrorKind::UnexpectedEof))),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(io_error(error)),
        }
    }
    buffer.truncate(length);
    Ok(())
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
