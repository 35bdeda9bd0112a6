//! A table as one query reads it: exactly these partitions and files, of these sizes and ETags.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use lakegate_catalog::model::TableStatistics;
use lakegate_catalog::store::OpenWrites;
use lakegate_error::Result;
use sha2::{Digest, Sha256};

use super::DataFile;
use super::bucket_pruning::WantedBuckets;
use super::file_index::{FileIndex, ListRequest};
use super::hidden_columns::HiddenColumns;
use super::symlinks;
use crate::format::TableFormat;
use crate::meter::QueryMeter;
use crate::roots::Location;
use crate::sight::Sight;

/// Two writes to a file that are closer than this may have the same modification time.
const CLOCK_RESOLUTION: Duration = Duration::from_secs(2);

/// One partition that can hold matching rows.
#[derive(Debug)]
pub struct SnapshotPartition {
    /// A value for each key.
    pub values: Vec<ScalarValue>,
    /// `key=value/key=value`, for messages.
    pub name: Arc<str>,
    pub location: Location,
    pub format: TableFormat,
    pub files: Vec<DataFile>,
    /// What ANALYZE found of the partition, of all columns of the catalog table.
    pub statistics: Option<Arc<TableStatistics>>,
}

/// The partitions and files that a query reads of a table, as they were when they were listed.
#[derive(Debug)]
pub struct TableSnapshot {
    pub partitions_total: usize,
    pub partitions: Vec<SnapshotPartition>,
    pub list_requests: usize,
    listed_at: SystemTime,
    /// Whether rows hold when their file was modified.
    shows_times: bool,
    /// The files that a scan opens. Not set: no scan is planned yet.
    opened: OnceLock<OpenedFiles>,
    /// Bytes of manifests that have been read and not been charged.
    manifests: AtomicU64,
}

/// Files that a scan opens: those that neither their footers nor a limit ruled out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenedFiles {
    pub files: usize,
    /// Their sizes, in bytes.
    pub bytes: u64,
}

/// The partitions that can hold rows of a query, none listed yet.
#[derive(Debug)]
pub struct Pruned {
    /// How many partitions the table has.
    pub(super) total: usize,
    pub(super) partitions: Vec<SnapshotPartition>,
    pub(super) table_folder: Option<Location>,
    pub(super) index: Arc<dyn FileIndex>,
    pub(super) sight: Sight,
    /// The files in the folders of the partitions are manifests.
    pub(super) has_manifests: bool,
    /// `None`: every bucket can hold matching rows.
    pub(super) buckets: Option<WantedBuckets>,
    /// The hidden columns of the table, and the query's filters.
    pub(super) hidden: Option<(HiddenColumns, Vec<Expr>)>,
}

impl Pruned {
    /// Feeds a digest with what decides which partitions are read, whatever files are in them.
    pub fn digest(&self, digest: &mut Sha256) {
        for partition in &self.partitions {
            digest.update(partition.location.root.url());
            digest.update([0]);
            digest.update(partition.location.path.as_ref());
            digest.update([0]);
            digest.update(partition.name.as_bytes());
            digest.update([0]);
            partition.format.digest(digest);
        }
    }

    /// Lists the files of the partitions, without those of `writes`, which must have been taken
    /// before.
    ///
    /// # Errors
    /// The store.
    pub async fn list(self, writes: &OpenWrites) -> Result<TableSnapshot> {
        let sight = self.sight.clone();
        let listed = self.listed(writes).await;
        listed.map_err(|error| sight.of_table(error))
    }

    async fn listed(mut self, writes: &OpenWrites) -> Result<TableSnapshot> {
        let wanted: Vec<Location> = self
            .partitions
            .iter()
            .map(|partition| partition.location.clone())
            .collect();
        let request = ListRequest {
            table: self.table_folder.as_ref(),
            partitions: &wanted,
            total: self.total,
            writes,
        };
        let listing = self.index.list(request).await?;
        for (partition, files) in self.partitions.iter_mut().zip(listing.files) {
            partition.files = files;
        }
        let mut manifests = 0;
        if self.has_manifests {
            manifests = symlinks::resolve(&mut self.partitions).await?;
        }
        if let Some((hidden, filters)) = &self.hidden {
            hidden.retain_files(filters, &mut self.partitions).await?;
        }
        if let Some(buckets) = &self.buckets {
            buckets.retain_files(&mut self.partitions);
        }
        Ok(TableSnapshot {
            partitions_total: self.total,
            partitions: self.partitions,
            list_requests: listing.requests,
            listed_at: listing.listed_at,
            shows_times: self.hidden.is_some(),
            opened: OnceLock::new(),
            manifests: AtomicU64::new(manifests),
        })
    }
}

impl TableSnapshot {
    pub fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.partitions
            .iter()
            .flat_map(|partition| &partition.files)
    }

    /// The files that the scan opens; all files until a scan is planned.
    pub fn opened(&self) -> OpenedFiles {
        self.opened.get().copied().unwrap_or_else(|| OpenedFiles {
            files: self.files().count(),
            bytes: self.files().map(|file| file.size).sum(),
        })
    }

    /// Records that a scan of the snapshot is planned. If two scans are, the first counts.
    pub(crate) fn will_open(&self, opened: OpenedFiles) {
        self.opened.get_or_init(|| opened);
    }

    /// Charges a query, once, for the manifests that were read for its listing.
    ///
    /// # Errors
    /// The cutoff.
    pub(crate) fn charge(&self, meter: &QueryMeter) -> Result<()> {
        match self.manifests.swap(0, Ordering::Relaxed) {
            0 => Ok(()),
            bytes => {
                meter.reserve(bytes)?;
                meter.add_fetched(bytes);
                Ok(())
            }
        }
    }

    /// Whether an unchanged listing proves unchanged files: no file was written just before the
    /// listing.
    pub fn is_stable(&self) -> bool {
        let listed: DateTime<Utc> = self.listed_at.into();
        self.files().all(|file| {
            listed
                .signed_duration_since(file.modified)
                .to_std()
                .is_ok_and(|age| age >= CLOCK_RESOLUTION)
        })
    }

    /// Feeds a digest with the partitions and the state of each file: equal digests mean that the
    /// same bytes are read.
    pub fn digest(&self, digest: &mut Sha256) {
        for partition in &self.partitions {
            digest.update(partition.location.root.url());
            digest.update([0]);
            digest.update(partition.name.as_bytes());
            digest.update([0]);
            partition.format.digest(digest);
            digest.update(format!("{}\0", partition.files.len()));
            for file in &partition.files {
                digest.update(file.path.as_ref());
                digest.update(format!("\0{}\0{}\0", file.size, file.version()));
                if self.shows_times {
                    // An ETag stays the same where the same bytes are written again.
                    digest.update(file.modified.timestamp_micros().to_be_bytes());
                }
            }
        }
    }
}
