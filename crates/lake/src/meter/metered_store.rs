//! A root's store as one query sees it: each read is counted, stopped at the cutoff, and bound to
//! the state of the file that the caller names. It is read-only: writers use the root's own store.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    coalesce_ranges,
};
use parking_lot::Mutex;

use super::QueryMeter;
use super::local_reads::{OpenFile, blocking, buffers, file_stream};
use crate::roots::Root;
use crate::roots::root_store::RootStore;

/// Ranges of a remote object that lie closer than this many bytes are fetched as one.
const COALESCE: u64 = 1024 * 1024;

/// A root's store as one query sees it.
#[derive(Debug)]
pub struct MeteredStore {
    inner: Arc<RootStore>,
    meter: Arc<QueryMeter>,
    /// The only object that this store reads, in the state that the plan has of it.
    bound: Option<ObjectMeta>,
    /// The local file that was read last: a reader asks for one row group of a file after the
    /// other.
    opened: Mutex<Option<OpenFile>>,
}

impl MeteredStore {
    /// A store that leaves the check of a file's state to each request (`if_match`).
    pub fn new(root: &Root, meter: Arc<QueryMeter>) -> Self {
        Self::over(Arc::clone(root.root_store()), meter)
    }

    /// A store of one object. Reads fail once its ETag is not the one of `file`, and reads of other
    /// objects are refused. For readers that ask for ranges, which carry no conditions.
    pub fn of_file(root: &Root, file: ObjectMeta, meter: Arc<QueryMeter>) -> Self {
        Self {
            bound: Some(file),
            ..Self::new(root, meter)
        }
    }

    pub(crate) fn over(inner: Arc<RootStore>, meter: Arc<QueryMeter>) -> Self {
        Self {
            inner,
            meter,
            bound: None,
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
        let options = self.conditional(location, GetOptions::default())?;
        let size = match (&known, &self.bound) {
            (Some(opened), _) => opened.state.size,
            (None, Some(file)) => file.size,
            // The thread that reads finds out, and allocates.
            (None, None) => 0,
        };
        let mut pieces = buffers(ranges, size)?;
        let (root, location, ranges) = (Arc::clone(&self.inner), location.clone(), ranges.to_vec());
        let read = blocking(move || {
            if let Some(opened) = known
                && opened.read(&ranges, &mut pieces)?
            {
                return Ok((opened, Some(pieces)));
            }
            // Not open, or changed since: the plan's ETag decides whether it may be read.
            let (file, state) = root.open_file(&location)?;
            options.check_preconditions(&state)?;
            let opened = OpenFile {
                file: Arc::new(file),
                state,
            };
            let is_same = opened.read(&ranges, &mut pieces)?;
            Ok((opened, is_same.then_some(pieces)))
        });
        let (opened, pieces) = read.await?;
        *self.opened.lock() = Some(opened);
        Ok(pieces.map(|pieces| pieces.into_iter().map(Bytes::from).collect()))
    }

    /// The options with the condition that the object is as the plan has it.
    fn conditional(
        &self,
        location: &Path,
        mut options: GetOptions,
    ) -> object_store::Result<GetOptions> {
        let Some(file) = &self.bound else {
            return Ok(options);
        };
        if file.location != *location {
            return Err(object_store::Error::NotSupported {
                source: format!(
                    "object '{location}' is read through the store of '{}'",
                    file.location
                )
                .into(),
            });
        }
        if options.if_match.is_none() {
            options.if_match.clone_from(&file.e_tag);
        }
        Ok(options)
    }
}

/// Refuses a request that would change the lake. `what`: the request, such as `put`.
fn read_only(what: &str, location: &Path) -> object_store::Error {
    object_store::Error::NotSupported {
        source: format!("a query's store is read-only: {what} of '{location}' is refused").into(),
    }
}

impl fmt::Display for MeteredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metered {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for MeteredStore {
    async fn put_opts(
        &self,
        location: &Path,
        _payload: PutPayload,
        _opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        Err(read_only("put", location))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Err(read_only("multipart upload", location))
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let head = options.head;
        let mut result = self
            .inner
            .get_opts(location, self.conditional(location, options)?)
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
                    .get_opts(location, self.conditional(location, options)?)
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
        locations
            .map(|location| Err(read_only("delete", &location?)))
            .boxed()
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
        _to: &Path,
        _options: CopyOptions,
    ) -> object_store::Result<()> {
        Err(read_only("copy", from))
    }

    async fn rename_opts(
        &self,
        from: &Path,
        _to: &Path,
        _options: RenameOptions,
    ) -> object_store::Result<()> {
        Err(read_only("rename", from))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use futures::TryStreamExt;
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
    async fn writes_are_refused_and_change_nothing() {
        for (store, _, _dir) in both_kinds().await {
            let before = store.head(&Path::from("f")).await.unwrap();
            let meter = Arc::new(QueryMeter::new(None));
            let metered = MeteredStore::over(Arc::clone(&store), meter);
            let (f, g) = (Path::from("f"), Path::from("g"));
            let refused = [
                metered.put(&g, "x".into()).await.map(|_| ()),
                metered.put(&f, "x".into()).await.map(|_| ()),
                metered.put_multipart(&g).await.map(|_| ()),
                metered.delete(&f).await,
                metered.copy(&f, &g).await,
                metered.copy_if_not_exists(&f, &g).await,
                metered.rename(&f, &g).await,
                metered.rename_if_not_exists(&f, &g).await,
            ];
            for result in refused {
                let error = result.unwrap_err();
                assert!(
                    matches!(error, object_store::Error::NotSupported { .. }),
                    "{error}"
                );
            }
            let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
            assert_eq!(listed, [before]);
        }
    }

    #[tokio::test]
    async fn store_of_one_file_reads_no_other() {
        for (store, _, _dir) in both_kinds().await {
            store.put(&Path::from("g"), "x".into()).await.unwrap();
            let planned = store.head(&Path::from("f")).await.unwrap();
            let metered = MeteredStore {
                bound: Some(planned),
                ..MeteredStore::over(store, Arc::new(QueryMeter::new(None)))
            };
            let read = |name: &str| {
                let path = Path::from(name);
                let metered = &metered;
                async move {
                    metered
                        .get_ranges(&path, std::slice::from_ref(&(0..1)))
                        .await
                }
            };
            assert!(read("f").await.is_ok());
            assert!(read("g").await.is_err());
            assert!(metered.get(&Path::from("g")).await.is_err());
        }
    }

    #[tokio::test]
    async fn whole_reads_and_ranges_are_counted_alike_on_files_and_streams() {
        for (store, _, _dir) in both_kinds().await {
            let meter = Arc::new(QueryMeter::new(None));
            let metered = MeteredStore::over(store, Arc::clone(&meter));
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
            let metered = MeteredStore::over(Arc::clone(&store), Arc::clone(&meter));
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
            let planned = store.head(&path).await.unwrap();
            let reader = || MeteredStore {
                bound: Some(planned.clone()),
                ..MeteredStore::over(Arc::clone(&store), Arc::clone(&meter))
            };
            let first = reader();
            let ranges = std::slice::from_ref(&range);
            let before = first.get_ranges(&path, ranges).await.unwrap();
            store.put(&path, vec![8u8; 3].into()).await.unwrap();
            let error = reader().get_ranges(&path, ranges).await.unwrap_err();
            assert!(
                matches!(error, object_store::Error::Precondition { .. }),
                "{error}"
            );
            // An open local file is still the one that was planned for; of a remote one there is
            // nothing open.
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
        let planned = store.head(&path).await.unwrap();
        let metered = MeteredStore {
            bound: Some(planned),
            ..MeteredStore::over(store, meter)
        };
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
        let metered = MeteredStore::over(store, meter);
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
