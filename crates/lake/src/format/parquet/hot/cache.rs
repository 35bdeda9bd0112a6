//! Decoded columns of row groups, bounded in bytes, and which columns were read lately.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arrow::datatypes::DataType;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use object_store::ObjectMeta;
use parquet::file::metadata::ParquetMetaData;

use super::super::names::ColumnNames;
use super::column::KeptColumn;
use crate::meter::QueryMeter;
use crate::roots::{ObjectId, Root, object_version};

/// The share of the cache that columns take which are being decoded and are not kept yet, as a
/// divisor.
const BEING_FILLED: u64 = 4;

/// The share of the cache that indexes of pages take, as a divisor.
const INDEXES: u64 = 16;

/// The share of the cache that one column of a row group takes at most, as a divisor.
const LARGEST: u64 = 16;

/// Columns of files of which it is known that they were read.
const READ_COLUMNS: u64 = 32 * 1024;

/// How long it is known that a column was read.
const READ_FOR: Duration = Duration::from_secs(600);

/// How long a column is kept that no query reads: longer than most dashboards wait between two readings.
const KEPT_FOR: Duration = Duration::from_secs(2 * 3600);

/// Columns of row groups of which it is known that the cache has no place for them.
const REFUSED_COLUMNS: u64 = 32 * 1024;

/// How long a column is not tried again for which there was no place: it would be copied in vain.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// The age from which on a file is not written to any more in the same tick of its store's clock.
const SETTLED: chrono::TimeDelta = chrono::TimeDelta::seconds(2);

/// A column that more than one query has read, in place of the query.
const SEVERAL: u64 = 0;

/// Decoded columns of Parquet files. Shared by all queries; clones are of the same cache.
#[derive(Clone)]
pub struct ColumnCache {
    inner: Arc<Inner>,
}

struct Inner {
    columns: Cache<ColumnKey, Arc<KeptColumn>>,
    indexes: Cache<IndexKey, Arc<PageIndex>>,
    /// By a hash of the file and the column: the query that read the column first.
    read: Cache<u64, u64>,
    /// By [`ColumnKey::number`]: columns for which there was no place lately.
    refused: Cache<u64, ()>,
    /// Bytes; 0: nothing is kept.
    capacity: u64,
    /// Whether scans test conditions before they decode other columns.
    tests_early: bool,
    /// Bytes of what is being filled.
    filling: AtomicUsize,
    hits: AtomicU64,
}

/// A file in one state.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct FileState {
    object: ObjectId,
    /// ETag, or size and modification time where a store has none.
    version: String,
}

impl FileState {
    /// `None`: the file may still be written to without a change of its version.
    pub(super) fn of(root: &Root, file: &ObjectMeta) -> Option<Self> {
        // Versions of local files and those without ETags are times.
        let is_sure = file.e_tag.is_some() && !root.is_local();
        if !is_sure && chrono::Utc::now().signed_duration_since(file.last_modified) < SETTLED {
            return None;
        }
        Some(Self {
            object: root.object_id(&file.location),
            version: object_version(file),
        })
    }
}

/// A file whose columns have these names: its metadata has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct IndexKey {
    pub file: Arc<FileState>,
    pub names: ColumnNames,
}

/// The metadata of a file with the index of its pages.
#[derive(Debug)]
pub(super) struct PageIndex {
    pub metadata: Arc<ParquetMetaData>,
    /// Bytes of each read that the index took.
    pub reads: Vec<u64>,
}

/// A column of a row group, as it was decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ColumnKey {
    pub file: Arc<FileState>,
    pub group: usize,
    /// The number of the column among the roots of the file's schema.
    pub root: usize,
    pub data_type: DataType,
}

impl ColumnKey {
    /// A hash of the key.
    fn number(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl FileState {
    /// Memory of an entry of the file, in bytes, about. It is shared by entries, and is counted for
    /// each of them.
    fn bytes(&self) -> usize {
        256 + self.object.1.as_ref().len() + self.version.len()
    }
}

impl fmt::Debug for ColumnCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnCache")
            .field("capacity", &self.inner.capacity)
            .field("columns", &self.inner.columns.entry_count())
            .field("bytes", &self.inner.columns.weighted_size())
            .field("hits", &self.hits())
            .finish_non_exhaustive()
    }
}

impl ColumnCache {
    /// `capacity`: bytes of decoded columns, those that are being decoded included. 0: none is
    /// kept.
    pub fn new(capacity: u64) -> Self {
        Self::with(capacity, true)
    }

    /// Nothing is kept, and all files are read by DataFusion's decoder.
    #[cfg(test)]
    pub(in crate::format::parquet) fn none() -> Self {
        Self::with(0, false)
    }

    fn with(capacity: u64, tests_early: bool) -> Self {
        let columns = Cache::builder()
            .max_capacity(capacity - capacity / BEING_FILLED - capacity / INDEXES)
            .weigher(|key: &ColumnKey, column: &Arc<KeptColumn>| {
                u32::try_from(key.file.bytes() + column.bytes()).unwrap_or(u32::MAX)
            })
            .time_to_idle(KEPT_FOR)
            .build();
        let indexes = Cache::builder()
            .max_capacity(capacity / INDEXES)
            .weigher(|key: &IndexKey, index: &Arc<PageIndex>| {
                let of_key = key.file.bytes() + key.names.bytes();
                let bytes = of_key + index.metadata.memory_size();
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .time_to_idle(KEPT_FOR)
            .build();
        let read = Cache::builder()
            .max_capacity(if capacity == 0 { 0 } else { READ_COLUMNS })
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(READ_FOR)
            .build();
        let refused = Cache::builder()
            .max_capacity(if capacity == 0 { 0 } else { REFUSED_COLUMNS })
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(REFUSED_FOR)
            .build();
        Self {
            inner: Arc::new(Inner {
                columns,
                indexes,
                read,
                refused,
                capacity,
                tests_early,
                filling: AtomicUsize::new(0),
                hits: AtomicU64::new(0),
            }),
        }
    }

    /// Whether anything is ever kept.
    pub fn is_on(&self) -> bool {
        self.inner.capacity > 0
    }

    /// Whether conditions are tested before other columns are decoded, where nothing is kept.
    pub(super) fn tests_early(&self) -> bool {
        self.inner.tests_early
    }

    /// Bytes of the columns that are kept, and of indexes of pages.
    pub fn bytes(&self) -> u64 {
        self.inner.columns.run_pending_tasks();
        self.inner.indexes.run_pending_tasks();
        self.inner.columns.weighted_size() + self.inner.indexes.weighted_size()
    }

    /// Columns of row groups that were asked for since the start and found.
    pub fn hits(&self) -> u64 {
        self.inner.hits.load(Ordering::Relaxed)
    }

    /// Lets go of all columns. Queries that read some at the moment hold those until they are done.
    pub fn clear(&self) {
        self.inner.columns.invalidate_all();
        self.inner.columns.run_pending_tasks();
        self.inner.indexes.invalidate_all();
        self.inner.indexes.run_pending_tasks();
    }

    /// Lets go of what no query has read for long, and returns whether there was any. Without that, it is
    /// kept until another query reads a column.
    pub fn let_go_of_unread(&self) -> bool {
        let inner = &self.inner;
        let before = inner.columns.weighted_size() + inner.indexes.weighted_size();
        self.bytes() < before
    }

    /// The index of a file's pages, if it is kept.
    pub(super) fn index(&self, key: &IndexKey) -> Option<Arc<PageIndex>> {
        self.inner.indexes.get(key)
    }

    pub(super) fn keep_index(&self, key: IndexKey, index: &Arc<PageIndex>) {
        if !self.is_on() {
            return;
        }
        let indexes = &self.inner.indexes;
        indexes.insert(key, Arc::clone(index));
        indexes.run_pending_tasks();
    }

    /// Notes that a query reads a column of a file, and returns whether another query read it
    /// lately. `query`: the meter of the query, which tells queries apart.
    pub(super) fn was_read(&self, file: &FileState, column: &str, query: &QueryMeter) -> bool {
        let mut hasher = DefaultHasher::new();
        file.hash(&mut hasher);
        column.hash(&mut hasher);
        let key = hasher.finish();
        let query = query.number();
        match self.inner.read.get(&key) {
            None => {
                self.inner.read.insert(key, query);
                false
            }
            Some(SEVERAL) => true,
            Some(first) if first == query => false,
            Some(_) => {
                self.inner.read.insert(key, SEVERAL);
                true
            }
        }
    }

    /// The column, if it is kept.
    pub(super) fn get(&self, key: &ColumnKey) -> Option<Arc<KeptColumn>> {
        let found = self.inner.columns.get(key);
        if found.is_some() {
            self.inner.hits.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// Whether the column is kept. This does not count as a hit.
    pub(super) fn has(&self, key: &ColumnKey) -> bool {
        self.inner.columns.contains_key(key)
    }

    /// Room for a column that is being decoded; none is taken yet. `None`: there was no place for
    /// the column lately.
    pub(super) fn room(&self, key: &ColumnKey) -> Option<Room> {
        let column = key.number();
        (!self.inner.refused.contains_key(&column)).then(|| Room {
            cache: self.clone(),
            column,
            bytes: 0,
        })
    }

    /// Keeps a column, if there is a place for it, and returns it. `room`: what was taken for it
    /// while it was decoded.
    pub(super) fn keep(&self, key: ColumnKey, column: KeptColumn, room: Room) -> Arc<KeptColumn> {
        let column = Arc::new(column);
        self.inner.columns.insert(key.clone(), Arc::clone(&column));
        // What has no place any more is to be gone before others take the room.
        self.inner.columns.run_pending_tasks();
        // Those that are kept are read more often.
        if !self.has(&key) {
            room.refuse();
        }
        drop(room);
        column
    }
}

/// A part of the cache that a column takes while it is decoded. Given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    cache: ColumnCache,
    /// The number of the column's key.
    column: u64,
    bytes: usize,
}

impl Room {
    /// Takes more bytes. `false`: the column is too large, or too much is being decoded; nothing
    /// is taken then.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let inner = &self.cache.inner;
        let most = |divisor: u64| usize::try_from(inner.capacity / divisor).unwrap_or(usize::MAX);
        // The weight of a column is a number of 32 bits.
        let largest = most(LARGEST).min(u32::MAX as usize / 2);
        let all = self.bytes.saturating_add(bytes);
        if all > largest {
            self.refuse();
            return false;
        }
        let taken = inner
            .filling
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |filling| {
                let filling = filling.checked_add(bytes)?;
                (filling <= most(BEING_FILLED)).then_some(filling)
            });
        if taken.is_err() {
            return false;
        }
        self.bytes = all;
        true
    }

    /// Notes that there is no place for the column.
    fn refuse(&self) {
        self.cache.inner.refused.insert(self.column, ());
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let filling = &self.cache.inner.filling;
        filling.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array};
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::super::narrow::Chunk;
    use super::*;
    use crate::roots::{Backing, Roots};

    fn root() -> Arc<Root> {
        let backing = Backing::Remote {
            store: Arc::new(InMemory::new()),
            place: "memory".to_owned(),
            prefix: Path::default(),
        };
        let roots = Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap();
        Arc::clone(roots.iter().next().unwrap())
    }

    fn meta(e_tag: Option<&str>, age: i64) -> ObjectMeta {
        ObjectMeta {
            location: Path::from("f.parquet"),
            last_modified: chrono::Utc::now() - chrono::TimeDelta::seconds(age),
            size: 10,
            e_tag: e_tag.map(ToOwned::to_owned),
            version: None,
        }
    }

    fn key(group: usize) -> ColumnKey {
        ColumnKey {
            file: Arc::new(FileState::of(&root(), &meta(Some("1"), 0)).unwrap()),
            group,
            root: 0,
            data_type: DataType::Int64,
        }
    }

    fn column(rows: i64) -> KeptColumn {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        KeptColumn::new(vec![Chunk::Plain(values)])
    }

    #[test]
    fn files_without_a_sure_version_are_not_known() {
        let root = root();
        assert!(FileState::of(&root, &meta(None, 0)).is_none());
        assert!(FileState::of(&root, &meta(None, 10)).is_some());
        let [one, two] = ["1", "2"].map(|tag| FileState::of(&root, &meta(Some(tag), 0)).unwrap());
        assert_ne!(one, two);
    }

    #[test]
    fn column_is_hot_once_two_queries_have_read_it() {
        let cache = ColumnCache::new(1 << 20);
        let file = FileState::of(&root(), &meta(Some("1"), 0)).unwrap();
        let other = FileState::of(&root(), &meta(Some("2"), 0)).unwrap();
        let [a, b] = [0, 1].map(|_| QueryMeter::new(None));
        assert!(!cache.was_read(&file, "x", &a));
        assert!(!cache.was_read(&file, "x", &a));
        assert!(!cache.was_read(&file, "y", &b));
        assert!(!cache.was_read(&other, "x", &b));
        assert!(cache.was_read(&file, "x", &b));
        assert!(cache.was_read(&file, "x", &a));
    }

    #[test]
    fn columns_take_no_more_than_the_capacity() {
        let capacity: u64 = 1 << 20;
        let cache = ColumnCache::new(capacity);
        for group in 0..200 {
            let column = column(4000);
            let mut room = cache.room(&key(group)).unwrap();
            assert!(room.take(column.bytes()));
            cache.keep(key(group), column, room);
            assert!(cache.bytes() <= capacity - capacity / BEING_FILLED);
            // Read often, so that it is worth a place.
            for _ in 0..3 {
                cache.get(&key(group));
            }
        }
        assert!(cache.bytes() > capacity / 4);
        assert!(cache.hits() > 0);
        cache.clear();
        assert_eq!(cache.bytes(), 0);
        assert!(cache.get(&key(199)).is_none());
    }

    #[test]
    fn room_is_bounded_and_given_back() {
        let cache = ColumnCache::new(1600);
        let mut large = cache.room(&key(0)).unwrap();
        assert!(large.take(100));
        assert!(!large.take(1));
        let mut rooms: Vec<Room> = (1..4).filter_map(|group| cache.room(&key(group))).collect();
        assert!(rooms.iter_mut().all(|room| room.take(100)));
        assert!(!cache.room(&key(4)).unwrap().take(1));
        drop(large);
        assert!(cache.room(&key(4)).unwrap().take(1));
        drop(rooms);
        assert_eq!(cache.inner.filling.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn column_without_a_place_is_not_tried_again_at_once() {
        let cache = ColumnCache::new(1 << 20);
        let refused = (0..200).find(|group| {
            let column = column(4000);
            let mut room = cache.room(&key(*group)).unwrap();
            assert!(room.take(column.bytes()));
            cache.keep(key(*group), column, room);
            !cache.has(&key(*group))
        });
        assert!(cache.room(&key(refused.unwrap())).is_none());
        // Nor is one that is too large.
        let mut large = cache.room(&key(500)).unwrap();
        assert!(!large.take(1 << 20));
        assert!(cache.room(&key(500)).is_none());
        assert!(cache.room(&key(501)).is_some());
    }

    #[test]
    fn nothing_is_kept_without_capacity() {
        let cache = ColumnCache::new(0);
        assert!(!cache.is_on());
        assert!(!cache.room(&key(0)).unwrap().take(1));
    }
}
