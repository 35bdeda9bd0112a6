//! A root's store as one query sees it: each read is counted, stopped at the cutoff, and bound to the state of
//! the file that the query was planned against.

use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::StreamExt;
use futures::stream::BoxStream;
use lakegate_error::{Code, Error};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    coalesce_ranges,
};
use parking_lot::Mutex;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};
use url::Url;

use super::meter::QueryMeter;
use super::root_store::RootStore;
use super::roots::Roots;

/// Reads of a local file travel in pieces of this many bytes: large enough to be cheap, small enough for a cutoff.
const FILE_CHUNK: u64 = 512 * 1024;

/// Ranges of a remote object that lie closer than this many bytes are fetched as one.
const COALESCE: u64 = 1024 * 1024;

/// A root's store as one query sees it.
#[derive(Debug)]
pub struct MeteredStore {
    inner: Arc<RootStore>,
    meter: Arc<QueryMeter>,
    /// The root's URL.
    root: Arc<str>,
    /// The local file that was read last: a reader asks for one row group of a file after the other.
    opened: Mutex<Option<Opened>>,
}

/// A local file, and its state when it was opened, which is the one that its ETag was compared in.
#[derive(Debug, Clone)]
struct Opened {
    file: Arc<File>,
    state: ObjectMeta,
}

impl Opened {
    /// The ranges of the file; `None` if it is not as it was any more.
    fn read(&self, ranges: &[Range<u64>]) -> object_store::Result<Option<Vec<Bytes>>> {
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

impl MeteredStore {
    pub fn new(inner: Arc<RootStore>, root: Arc<str>, meter: Arc<QueryMeter>) -> Self {
        Self {
            inner,
            meter,
            root,
            opened: Mutex::default(),
        }
    }

    /// Ranges of a local file; `None` if it is written to.
    async fn local_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Option<Vec<Bytes>>> {
        let known = self.opened.lock().clone();
        let known = known.filter(|opened| opened.state.location == *location);
        let options = self.pinned(location, GetOptions::default());
        let (root, location, ranges) = (Arc::clone(&self.inner), location.clone(), ranges.to_vec());
        let read = blocking(move || {
            if let Some(opened) = known
                && let Some(pieces) = opened.read(&ranges)?
            {
                return Ok((opened, Some(pieces)));
            }
            // Not open, or changed since: what was pinned decides whether it may be read.
            let (file, state) = root.open_file(&location)?;
            options.check_preconditions(&state)?;
            let opened = Opened {
                file: Arc::new(file),
                state,
            };
            let pieces = opened.read(&ranges)?;
            Ok((opened, pieces))
        });
        let (opened, pieces) = read.await?;
        *self.opened.lock() = Some(opened);
        Ok(pieces)
    }

    fn pinned(&self, location: &Path, mut options: GetOptions) -> GetOptions {
        if options.if_match.is_none() {
            options.if_match = self
                .meter
                .pinned(&(Arc::clone(&self.root), location.clone()));
        }
        options
    }
}

impl fmt::Display for MeteredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metered {}", self.inner)
    }
}

/// Pieces of an open local file, each reserved before it is read; an error once the file is not as it was when it was
/// opened, so that no stream mixes two states of it.
fn file_stream(
    file: File,
    state: ObjectMeta,
    range: Range<u64>,
    meter: Arc<QueryMeter>,
) -> BoxStream<'static, object_store::Result<Bytes>> {
    let opened = Opened {
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

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> object_store::Result<T> + Send + 'static,
) -> object_store::Result<T> {
    // As the engine spawns, so that it is charged to the query.
    SpawnedTask::spawn_blocking(work).await.map_err(io_error)?
}

#[async_trait]
impl ObjectStore for MeteredStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let head = options.head;
        let mut result = self
            .inner
            .get_opts(location, self.pinned(location, options))
            .await?;
        if head {
            return Ok(result);
        }
        let meter = Arc::clone(&self.meter);
        result.payload = GetResultPayload::Stream(match result.payload {
            GetResultPayload::File(file, _) => {
                file_stream(file, result.meta.clone(), result.range.clone(), meter)
            }
            GetResultPayload::Stream(stream) => stream
                .map(move |piece| {
                    let piece = piece?;
                    meter.add_fetched(piece.len() as u64);
                    meter.reserve_store(piece.len() as u64)?;
                    Ok(piece)
                })
                .boxed(),
        });
        Ok(result)
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        let asked = ranges
            .iter()
            .map(|range| range.end.saturating_sub(range.start))
            .sum();
        self.meter.reserve_store(asked)?;
        if self.inner.is_local()
            && let Some(pieces) = self.local_ranges(location, ranges).await?
        {
            self.meter.add_fetched(asked);
            return Ok(pieces);
        }
        coalesce_ranges(
            ranges,
            |range| async move {
                let options = GetOptions {
                    range: Some(GetRange::Bounded(range)),
                    ..GetOptions::default()
                };
                let bytes = self
                    .inner
                    .get_opts(location, self.pinned(location, options))
                    .await?
                    .bytes()
                    .await?;
                self.meter.add_fetched(bytes.len() as u64);
                Ok::<_, object_store::Error>(bytes)
            },
            COALESCE,
        )
        .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// The engine's registry of one query: knows the lake's roots and nothing else.
#[derive(Debug)]
pub struct QueryStores {
    roots: Arc<Roots>,
    meter: Arc<QueryMeter>,
}

impl QueryStores {
    pub fn new(roots: Arc<Roots>, meter: Arc<QueryMeter>) -> Self {
        Self { roots, meter }
    }

    /// Knows no store, for where nothing is to be read yet.
    pub fn none() -> Self {
        Self::new(Arc::default(), Arc::new(QueryMeter::new(None)))
    }
}

impl ObjectStoreRegistry for QueryStores {
    /// Nothing can be added: a store that is not a root has no way in.
    fn register_store(
        &self,
        _url: &Url,
        _store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> datafusion::error::Result<Arc<dyn ObjectStore>> {
        let root = self.roots.by_engine_url(url.as_str()).ok_or_else(|| {
            DataFusionError::from(Error::new(
                Code::LocationRefused,
                format!("'{url}' is not a configured lake root"),
            ))
        })?;
        Ok(root.metered(&self.meter))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;
    use crate::meter::Cutoff;
    use crate::roots::Backing;

    fn cutoff(limit: u64) -> Option<Cutoff> {
        Some(Cutoff {
            workgroup: "w".into(),
            limit,
        })
    }

    async fn both_kinds() -> Vec<(Arc<RootStore>, bool, tempfile::TempDir)> {
        let dir = tempfile::tempdir().unwrap();
        let local = Backing::Directory {
            path: dir.path().to_owned(),
            excluded: Vec::new(),
        };
        let remote = Backing::Remote {
            store: Arc::new(InMemory::new()),
            place: "b".to_owned(),
            prefix: Path::default(),
        };
        let [local, remote] =
            [local, remote].map(|backing| Arc::new(RootStore::open("s3://b/", backing).unwrap()));
        for store in [&local, &remote] {
            store
                .put(&Path::from("f"), vec![7u8; 2_000_000].into())
                .await
                .unwrap();
        }
        vec![
            (local, true, dir),
            (remote, false, tempfile::tempdir().unwrap()),
        ]
    }

    #[tokio::test]
    async fn whole_reads_and_ranges_are_counted_alike_on_files_and_streams() {
        for (store, _, _dir) in both_kinds().await {
            let meter = Arc::new(QueryMeter::new(None));
            let metered = MeteredStore::new(store, "s3://b/".into(), Arc::clone(&meter));
            let all = metered
                .get(&Path::from("f"))
                .await
                .unwrap()
                .bytes()
                .await
                .unwrap();
            assert_eq!((all.len() as u64, meter.scanned()), (2_000_000, 2_000_000));
            let pieces = metered
                .get_ranges(&Path::from("f"), &[0..10, 1_000_000..1_000_020])
                .await
                .unwrap();
            assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [10, 20]);
            assert_eq!(meter.scanned(), 2_000_030);
        }
    }

    #[tokio::test]
    async fn open_file_has_the_state_that_the_store_tells() {
        let (store, _, _dir) = both_kinds().await.into_iter().find(|kind| kind.1).unwrap();
        let path = Path::from("f");
        let (_, state) = store.open_file(&path).unwrap();
        assert_eq!(state, store.head(&path).await.unwrap());
        let error = store.open_file(&Path::from("g")).unwrap_err();
        assert!(
            matches!(error, object_store::Error::NotFound { .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn cutoff_stops_before_a_range_and_within_a_stream() {
        for (store, _, _dir) in both_kinds().await {
            let meter = Arc::new(QueryMeter::new(cutoff(1000)));
            let metered =
                MeteredStore::new(Arc::clone(&store), "s3://b/".into(), Arc::clone(&meter));
            assert!(
                metered
                    .get_ranges(&Path::from("f"), std::slice::from_ref(&(0..600)))
                    .await
                    .is_ok()
            );
            assert!(
                metered
                    .get_ranges(&Path::from("f"), std::slice::from_ref(&(0..600)))
                    .await
                    .is_err()
            );
            assert_eq!(meter.scanned(), 600);
            assert!(
                metered
                    .get(&Path::from("f"))
                    .await
                    .unwrap()
                    .bytes()
                    .await
                    .is_err()
            );
            assert!(meter.cutoff_exceeded());
        }
    }

    #[tokio::test]
    async fn replaced_file_is_not_read() {
        for (store, local, _dir) in both_kinds().await {
            let meter = Arc::new(QueryMeter::new(None));
            let (path, range) = (Path::from("f"), 0..2);
            let etag = store.head(&path).await.unwrap().e_tag.unwrap();
            meter.pin([(("s3://b/".into(), path.clone()), etag)]);
            let reader = || MeteredStore::new(Arc::clone(&store), "s3://b/".into(), meter.clone());
            let first = reader();
            let ranges = std::slice::from_ref(&range);
            let before = first.get_ranges(&path, ranges).await.unwrap();
            store.put(&path, vec![8u8; 3].into()).await.unwrap();
            let error = reader().get_ranges(&path, ranges).await.unwrap_err();
            assert!(
                matches!(error, object_store::Error::Precondition { .. }),
                "{error}"
            );
            // An open local file is still the one that was planned for; of a remote one there is nothing open.
            match first.get_ranges(&path, ranges).await {
                Ok(after) => assert!(local && after == before),
                Err(object_store::Error::Precondition { .. }) => assert!(!local),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn file_that_is_written_over_in_place_is_not_read() {
        let (store, _, dir) = both_kinds().await.into_iter().find(|kind| kind.1).unwrap();
        let meter = Arc::new(QueryMeter::new(None));
        let (path, range) = (Path::from("f"), 0..2);
        let etag = store.head(&path).await.unwrap().e_tag.unwrap();
        meter.pin([(("s3://b/".into(), path.clone()), etag)]);
        let metered = MeteredStore::new(store, "s3://b/".into(), meter);
        let ranges = std::slice::from_ref(&range);
        assert!(metered.get_ranges(&path, ranges).await.is_ok());
        std::fs::write(dir.path().join("f"), "other").unwrap();
        let error = metered.get_ranges(&path, ranges).await.unwrap_err();
        assert!(
            matches!(error, object_store::Error::Precondition { .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn file_that_is_written_over_while_it_streams_fails() {
        let (store, _, dir) = both_kinds().await.into_iter().find(|kind| kind.1).unwrap();
        let meter = Arc::new(QueryMeter::new(None));
        let metered = MeteredStore::new(store, "s3://b/".into(), meter);
        let mut stream = metered.get(&Path::from("f")).await.unwrap().into_stream();
        let first = stream.next().await.unwrap().unwrap();
        assert_eq!(first, vec![7; first.len()]);
        // Of the same length, in the same place.
        std::fs::write(dir.path().join("f"), vec![8; 2_000_000]).unwrap();
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(
            matches!(error, object_store::Error::Precondition { .. }),
            "{error}"
        );
    }
}
