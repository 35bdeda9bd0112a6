//! Bytes are counted here, at the object store, once per query, for every format.
//!
//! `bytes_scanned` is what the query asked for and does not depend on caches; `bytes_fetched` is what was
//! read from the store. A ranged read is reserved before it is sent, so that a cutoff stops before the read.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use object_store::path::Path;
use parking_lot::{Mutex, RwLock};

use crate::error::{Code, Error, Result};

/// An object: the URL of its root and its key.
pub type ObjectId = (Arc<str>, Path);

/// Counts one query's bytes and stops it at its cutoff.
#[derive(Debug, Default)]
pub struct QueryMeter {
    scanned: AtomicU64,
    fetched: AtomicU64,
    cutoff: Option<Cutoff>,
    exceeded: AtomicBool,
    pins: RwLock<HashMap<ObjectId, String>>,
    footers: Mutex<HashSet<ObjectId>>,
}

/// The most that one query may scan, and who says so.
#[derive(Debug, Clone)]
pub struct Cutoff {
    pub workgroup: String,
    /// Bytes.
    pub limit: u64,
}

impl QueryMeter {
    pub fn new(cutoff: Option<Cutoff>) -> Self {
        Self {
            cutoff,
            ..Self::default()
        }
    }

    /// Bytes the query asked for so far.
    pub fn scanned(&self) -> u64 {
        self.scanned.load(Ordering::Relaxed)
    }

    /// Bytes that were read from a store so far.
    pub fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::Relaxed)
    }

    pub fn cutoff_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::Relaxed)
    }

    /// Reads of this object succeed only while it has this ETag.
    pub fn pin(&self, files: impl IntoIterator<Item = (ObjectId, String)>) {
        self.pins.write().extend(files);
    }

    /// Says whether so many bytes could be charged, without charging them: for what is charged by what it turns out to be.
    ///
    /// # Errors
    /// The query's cutoff would be passed.
    pub fn admit(&self, bytes: u64) -> Result<()> {
        let (scanned, limit) = (self.scanned(), self.limit());
        match scanned.checked_add(bytes) {
            Some(total) if total <= limit => Ok(()),
            _ => Err(self.exceeded(scanned, bytes)),
        }
    }

    fn limit(&self) -> u64 {
        self.cutoff.as_ref().map_or(u64::MAX, |cutoff| cutoff.limit)
    }

    fn exceeded(&self, scanned: u64, bytes: u64) -> Error {
        self.exceeded.store(true, Ordering::Relaxed);
        let limit = self.limit();
        let workgroup = self
            .cutoff
            .as_ref()
            .map_or("", |cutoff| cutoff.workgroup.as_str());
        Error::new(
            Code::BytesScannedCutoff,
            format!(
                "bytes scanned limit was exceeded: the query has scanned {scanned} bytes and would read \
                 {bytes} more, workgroup '{workgroup}' allows {limit} bytes per query"
            ),
        )
        .with_hint("filter on partition columns, select fewer columns, or use a workgroup with a higher limit")
    }

    /// Charges bytes that a cache serves, or that are about to be read.
    ///
    /// Errors: the query's cutoff would be passed; nothing is charged then.
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        let limit = self.limit();
        let charged = self
            .scanned
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |scanned| {
                scanned.checked_add(bytes).filter(|total| *total <= limit)
            });
        match charged {
            Ok(_) => Ok(()),
            Err(scanned) => Err(self.exceeded(scanned, bytes)),
        }
    }

    /// Charges the footer of a file, the first time this query meets it.
    pub fn charge_footer(&self, file: ObjectId, bytes: u64) -> Result<()> {
        if self.footers.lock().insert(file) {
            self.reserve(bytes)
        } else {
            Ok(())
        }
    }

    pub fn add_fetched(&self, bytes: u64) {
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn reserve_store(&self, bytes: u64) -> object_store::Result<()> {
        self.reserve(bytes).map_err(store_error)
    }

    /// The ETag that reads of this object ask for.
    pub(super) fn pinned(&self, file: &ObjectId) -> Option<String> {
        self.pins.read().get(file).cloned()
    }
}

/// Wraps our error so that it comes back whole from under the engine.
pub fn store_error(error: Error) -> object_store::Error {
    object_store::Error::Generic {
        store: "lake",
        source: Box::new(error),
    }
}
