//! Footers: read once for all queries, and charged to each query.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::error::DataFusionError;
use lakegate_error::{Error, Result, from_engine};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parquet::file::metadata::FooterTail;

use super::damaged;
use super::decode::{Footer, decode};
use super::names::ColumnNames;
use super::statistics::KnownColumns;
use crate::format::orc;
use crate::meter::{MeteredStore, QueryMeter};
use crate::roots::{ObjectId, Root, object_version};

/// The last bytes of a file that are fetched in one request, in the hope that they hold the whole
/// footer.
const FOOTER_HINT: u64 = 64 * 1024;

/// A footer larger than this is refused: a file can claim any length.
const MAX_FOOTER: u64 = 256 * 1024 * 1024;

/// A file begins with its magic bytes.
const HEAD: u64 = 4;

/// It ends with the length of its footer and the magic bytes.
const TAIL: usize = 8;

/// Footers by store, path and ETag, bounded in bytes for each format. Shared by all queries.
#[derive(Clone)]
pub struct FooterCache {
    footers: moka::future::Cache<FooterKey, Arc<Footer>>,
    /// Of ORC files.
    tails: moka::future::Cache<FooterKey, Arc<orc::Tail>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FooterKey {
    object: ObjectId,
    /// ETag, or size and modification time where a store has none.
    version: String,
    names: ColumnNames,
}

impl fmt::Debug for FooterCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FooterCache")
            .field("entries", &self.footers.entry_count())
            .finish()
    }
}

impl FooterCache {
    /// `capacity`: bytes of decoded footers.
    pub fn new(capacity: u64) -> Self {
        let footers = moka::future::Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &FooterKey, footer: &Arc<Footer>| {
                let fields = footer.schema.fields();
                let known = KnownColumns::bytes(fields.len());
                let decoded = footer.metadata.memory_size() + fields.size() + known;
                let key = key.object.1.as_ref().len() + key.names.bytes() + 128;
                u32::try_from(decoded + key).unwrap_or(u32::MAX)
            })
            .build();
        let tails = moka::future::Cache::builder()
            .max_capacity(capacity)
            .weigher(|key: &FooterKey, tail: &Arc<orc::Tail>| {
                let decoded = tail.memory + key.object.1.as_ref().len() + 128;
                u32::try_from(decoded).unwrap_or(u32::MAX)
            })
            .build();
        Self { footers, tails }
    }

    /// The tail of one ORC file, as of [`FooterCache::footer`].
    ///
    /// # Errors
    /// The file is no ORC file or its tail is damaged; the cutoff; the store.
    pub(in crate::format) async fn tail(
        &self,
        root: &Root,
        file: &ObjectMeta,
        meter: &Arc<QueryMeter>,
    ) -> Result<Arc<orc::Tail>> {
        let object = root.object_id(&file.location);
        let key = FooterKey {
            object: object.clone(),
            version: object_version(file),
            names: ColumnNames::Own,
        };
        if let Some(tail) = self.tails.get(&key).await {
            meter.charge_footer(object, tail.bytes)?;
            return Ok(tail);
        }
        meter.reserve(0)?;
        let unmetered = Arc::new(QueryMeter::new(None));
        let store = MeteredStore::of_file(root, file.clone(), Arc::clone(&unmetered));
        let loaded = orc::load_tail(root, file, &store, meter).await;
        meter.add_fetched(unmetered.fetched());
        let tail = Arc::new(loaded?);
        meter.charge_footer(object, tail.bytes)?;
        self.tails.insert(key, Arc::clone(&tail)).await;
        Ok(tail)
    }

    /// The footer of one file, from the cache or the store, charged to the query once either way.
    /// `names`: what its columns are called.
    ///
    /// # Errors
    /// The file is no Parquet file or its footer is damaged; the cutoff; the store.
    pub async fn footer(
        &self,
        root: &Root,
        file: &ObjectMeta,
        meter: &Arc<QueryMeter>,
        names: &ColumnNames,
    ) -> Result<Arc<Footer>> {
        let object = root.object_id(&file.location);
        let key = FooterKey {
            object: object.clone(),
            version: object_version(file),
            names: names.clone(),
        };
        if let Some(footer) = self.footers.get(&key).await {
            meter.charge_footer(object, footer.bytes)?;
            return Ok(footer);
        }
        // Fetched past the meter's account of scanned bytes: the charge below is the same with a
        // cold cache. What is fetched before the cutoff applies is bounded: [`FOOTER_HINT`] for
        // each footer that is being read, and the rest of one only when the query may scan that
        // much.
        meter.reserve(0)?;
        let unmetered = Arc::new(QueryMeter::new(None));
        let store = MeteredStore::of_file(root, file.clone(), Arc::clone(&unmetered));
        let loaded = load(root, file, &store, meter, names).await;
        meter.add_fetched(unmetered.fetched());
        let footer = Arc::new(loaded?);
        meter.charge_footer(object, footer.bytes)?;
        self.footers.insert(key, Arc::clone(&footer)).await;
        Ok(footer)
    }
}

/// `meter`: a footer that it has no room for is not read to its beginning, and not decoded.
async fn load(
    root: &Root,
    file: &ObjectMeta,
    store: &dyn ObjectStore,
    meter: &QueryMeter,
    names: &ColumnNames,
) -> Result<Footer> {
    let url = root.display_path(&file.location);
    let bad = |what: String| damaged(&url, what);
    let read = async |range: Range<u64>| ranges(store, &file.location, &url, &[range]).await;
    let size = file.size;
    let tail_start = size.saturating_sub(FOOTER_HINT);
    let tail = read(tail_start..size).await?.remove(0);
    let length = match tail.last_chunk::<TAIL>().map(FooterTail::try_new) {
        Some(Ok(end)) if end.is_encrypted_footer() => {
            return Err(Error::not_supported(format!(
                "file {url} is encrypted, which is not supported"
            ))
            .of_a_file(" is encrypted, which is not supported"));
        }
        Some(Ok(end)) => end.metadata_length() as u64,
        _ => return Err(bad("it does not end as such files do".to_owned())),
    };
    if length > MAX_FOOTER {
        return Err(bad(format!(
            "its footer claims {length} bytes, of at most {MAX_FOOTER}"
        )));
    }
    let end = size - TAIL as u64;
    let Some(start) = end.checked_sub(length).filter(|start| *start >= HEAD) else {
        return Err(bad(format!(
            "its footer claims {length} bytes, the file has {size}"
        )));
    };
    meter.has_room_for_footer(&root.object_id(&file.location), size - start)?;
    let bytes = match start.checked_sub(tail_start).map(usize::try_from) {
        Some(Ok(within)) => tail.slice(within..tail.len() - TAIL),
        _ => read(start..end).await?.remove(0),
    };
    decode(&bytes, size, names).map_err(|e| damaged(&url, e))
}

/// Reads ranges of a file, each whole.
///
/// # Errors
/// The store; the file was replaced; it is shorter than the ranges.
pub(super) async fn ranges(
    store: &dyn ObjectStore,
    path: &Path,
    url: &str,
    ranges: &[Range<u64>],
) -> Result<Vec<Bytes>> {
    let pieces = whole_ranges(store, path, ranges).await?;
    pieces.ok_or_else(|| damaged(url, "it is shorter than it should be"))
}

/// As [`ranges`]. `None`: the file is shorter than they are.
///
/// # Errors
/// The store; the file was replaced.
pub(in crate::format) async fn whole_ranges(
    store: &dyn ObjectStore,
    path: &Path,
    ranges: &[Range<u64>],
) -> Result<Option<Vec<Bytes>>> {
    let pieces = store
        .get_ranges(path, ranges)
        .await
        .map_err(|e| from_engine(DataFusionError::ObjectStore(Box::new(e))))?;
    let whole = pieces.len() == ranges.len()
        && pieces
            .iter()
            .zip(ranges)
            .all(|(piece, range)| piece.len() as u64 == range.end.saturating_sub(range.start));
    Ok(whole.then_some(pieces))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_error::Code;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;
    use crate::meter::Cutoff;
    use crate::roots::{Backing, Roots};

    #[tokio::test]
    async fn footer_that_a_query_has_no_room_for_is_not_read() {
        let store = Arc::new(InMemory::new());
        let mut file = b"PAR1".to_vec();
        file.extend([0; 200_000]);
        file.extend(200_000_u32.to_le_bytes());
        file.extend(b"PAR1");
        let path = Path::from("f.parquet");
        store.put(&path, file.into()).await.unwrap();
        let meta = store.head(&path).await.unwrap();
        let backing = Backing::Remote {
            place: "memory".to_owned(),
            store,
            prefix: Path::default(),
        };
        let roots = Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap();
        let root = roots.iter().next().unwrap();
        let footers = FooterCache::new(1 << 20);
        let read = async |limit: u64| {
            let workgroup = "small".to_owned();
            let meter = Arc::new(QueryMeter::new(Some(Cutoff { workgroup, limit })));
            let error = footers.footer(root, &meta, &meter, &ColumnNames::Own).await;
            let error = error.err().unwrap();
            (error.code(), meter.fetched())
        };
        assert_eq!(read(200_007).await, (Code::BytesScannedCutoff, FOOTER_HINT));
        // Where there is room it is read, and is not a footer.
        let (code, fetched) = read(200_008).await;
        assert_eq!(code, Code::BadData);
        assert!(fetched > 200_000);
    }
}
