//! A table as one query reads it: exactly these partitions and files, of these sizes and ETags.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use lakegate_catalog::model::{StorageDescriptor, Table};
use lakegate_catalog::store::OpenWrites;
use lakegate_error::{Error, Result, from_engine};
use object_store::ObjectMeta;
use sha2::{Digest, Sha256};

use super::format::{Places, TableFormat};
use super::listing::{self, Files};
use super::parquet::version_of;
use super::prune;
use super::roots::{Location, Roots};
use super::sight::Sight;

/// A file's clock cannot tell two writes apart that lie closer than this.
const CLOCK_RESOLUTION: Duration = Duration::from_secs(2);

/// A catalog table, with its columns as the engine types them: all of them, or those that a principal may select.
#[derive(Debug)]
pub struct LakeTable {
    pub table: Arc<Table>,
    /// The data columns, in the catalog's order.
    pub file_schema: SchemaRef,
    /// The partition keys.
    pub keys: SchemaRef,
    /// The data columns and then the keys.
    pub schema: SchemaRef,
    pub partitions: PartitionSource,
    /// Where in a line of text the data columns are.
    pub places: Places,
    /// What of the files may be told.
    pub sight: Sight,
}

/// Where a table's partitions come from.
#[derive(Debug)]
pub enum PartitionSource {
    /// The table's folder is its one partition.
    Unpartitioned,
    /// Registered partitions, and their values as a batch of the same order.
    Registered {
        partitions: Arc<lakegate_catalog::partition::Partitions>,
        values: RecordBatch,
    },
}

/// One partition that can hold matching rows.
#[derive(Debug)]
pub struct SnapshotPartition {
    /// A value for each key.
    pub values: Vec<ScalarValue>,
    /// `key=value/key=value`, for messages.
    pub name: Arc<str>,
    pub location: Location,
    pub format: TableFormat,
    pub files: Files,
}

#[derive(Debug)]
pub struct TableSnapshot {
    pub partitions_total: usize,
    pub partitions: Vec<SnapshotPartition>,
    pub list_requests: usize,
    listed_at: SystemTime,
    /// What is left of the files once a scan of them is planned. Not set: nobody has planned one.
    opened: OnceLock<Opened>,
}

/// Files that a scan opens: those that neither their footers nor a limit ruled out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opened {
    pub files: usize,
    /// Their sizes, in bytes.
    pub bytes: u64,
}

/// The partitions that can hold rows of a query, none listed yet.
#[derive(Debug)]
pub struct Pruned {
    total: usize,
    partitions: Vec<SnapshotPartition>,
    root_folder: Option<Location>,
    sight: Sight,
}

impl Pruned {
    /// What two queries must have in common to read the same partitions, whatever files are in them.
    pub fn digest(&self, digest: &mut Sha256) {
        for partition in &self.partitions {
            digest.update(partition.location.root.url());
            digest.update([0]);
            digest.update(partition.location.path.as_ref());
            digest.update([0]);
            digest.update(partition.name.as_bytes());
            digest.update(format!("\0{:?}\0", partition.format));
        }
    }

    /// Lists the partitions, but for files of `writes`, which was taken before.
    ///
    /// Errors: the store.
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
        let listing = listing::list(self.root_folder.as_ref(), &wanted, self.total).await?;
        for (partition, mut files) in self.partitions.iter_mut().zip(listing.files) {
            files.retain(|file| {
                let name = file.location.filename();
                !name.is_some_and(|name| writes.hides(name))
            });
            partition.files = files;
        }
        Ok(TableSnapshot {
            partitions_total: self.total,
            partitions: self.partitions,
            list_requests: listing.requests,
            listed_at: listing.listed_at,
            opened: OnceLock::new(),
        })
    }
}

impl LakeTable {
    /// `database.table`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.table.database_name, self.table.name)
    }

    /// The table of some of the columns alone, as a principal meets it that may select no others. What is hidden is neither read nor
    /// told of, in plans, statistics or errors.
    ///
    /// `columns`: indices into [`Self::schema`], ascending.
    pub fn granted(&self, columns: &[usize]) -> Result<Self> {
        let width = self.file_schema.fields().len();
        let (data, keys): (Vec<usize>, Vec<usize>) =
            columns.iter().partition(|column| **column < width);
        let keys: Vec<usize> = keys.into_iter().map(|key| key - width).collect();
        let projected = |schema: &SchemaRef, columns: &[usize]| {
            let projected = schema.project(columns);
            projected.map(Arc::new).map_err(|e| from_engine(e.into()))
        };
        let partitions = match &self.partitions {
            PartitionSource::Unpartitioned => PartitionSource::Unpartitioned,
            PartitionSource::Registered { partitions, values } => PartitionSource::Registered {
                partitions: Arc::clone(partitions),
                values: values.project(&keys).map_err(|e| from_engine(e.into()))?,
            },
        };
        Ok(Self {
            table: Arc::clone(&self.table),
            file_schema: projected(&self.file_schema, &data)?,
            keys: projected(&self.keys, &keys)?,
            schema: projected(&self.schema, columns)?,
            partitions,
            places: Places::some(data, width),
            sight: Sight::part(self.name()),
        })
    }

    /// Prunes the partitions by the query's filters.
    ///
    /// Errors: a LOCATION outside the lake roots, an unknown SerDe.
    pub fn pruned(&self, roots: &Roots, filters: &[Expr]) -> Result<Pruned> {
        let pruned = self.matching(roots, filters);
        pruned.map_err(|error| self.sight.of_table(error))
    }

    fn matching(&self, roots: &Roots, filters: &[Expr]) -> Result<Pruned> {
        let table_location = self.table.storage_descriptor.location.as_deref();
        let root_folder = table_location
            .map(|location| roots.locate(location))
            .transpose();
        let mut partitions = Vec::new();
        let total;
        match &self.partitions {
            PartitionSource::Unpartitioned => {
                total = 1;
                let location = root_folder.clone()?.ok_or_else(|| {
                    Error::invalid(format!(
                        "table {} has no location; ALTER TABLE … SET LOCATION gives it one",
                        self.name()
                    ))
                })?;
                partitions.push(SnapshotPartition {
                    values: Vec::new(),
                    name: Arc::from(""),
                    location,
                    format: self.format(&self.table.storage_descriptor)?,
                    files: Files::new(),
                });
            }
            PartitionSource::Registered {
                partitions: registered,
                values,
            } => {
                total = values.num_rows();
                for row in prune::matching(filters, values)? {
                    let partition = self.partition(roots, registered, values, row)?;
                    if let Ok(Some(home)) = &root_folder
                        && home.path != partition.location.path
                        && partition.location.path.prefix_matches(&home.path)
                    {
                        home.check_below(std::iter::once(&partition.location.path))?;
                    }
                    partitions.push(partition);
                }
            }
        }
        Ok(Pruned {
            total,
            partitions,
            root_folder: root_folder.ok().flatten(),
            sight: self.sight.clone(),
        })
    }

    fn partition(
        &self,
        roots: &Roots,
        registered: &lakegate_catalog::partition::Partitions,
        values: &RecordBatch,
        row: usize,
    ) -> Result<SnapshotPartition> {
        let partition = registered.items.get(row).ok_or_else(|| {
            Error::internal(format!("partition {row} of {} is gone", self.name()))
        })?;
        Ok(SnapshotPartition {
            values: (0..values.num_columns())
                .map(|key| prune::partition_value(values, row, key))
                .collect::<Result<_>>()?,
            name: partition.name(&registered.keys).into(),
            location: roots.locate(&partition.location(&registered.keys))?,
            format: self.format(&partition.storage_descriptor)?,
            files: Files::new(),
        })
    }

    fn format(&self, descriptor: &StorageDescriptor) -> Result<TableFormat> {
        TableFormat::detect(descriptor, &self.table.parameters)
            .map_err(|e| Error::new(e.code(), format!("table {}: {}", self.name(), e.message())))
    }
}

impl TableSnapshot {
    pub fn files(&self) -> impl Iterator<Item = &ObjectMeta> {
        self.partitions
            .iter()
            .flat_map(|partition| &partition.files)
    }

    /// The files that the scan opens; all of them as long as none is planned.
    pub fn opened(&self) -> Opened {
        self.opened.get().copied().unwrap_or_else(|| Opened {
            files: self.files().count(),
            bytes: self.files().map(|file| file.size).sum(),
        })
    }

    /// A scan of the snapshot is planned. Of two of the same snapshot, the first counts.
    pub(super) fn will_open(&self, opened: Opened) {
        self.opened.get_or_init(|| opened);
    }

    /// Whether an unchanged listing proves unchanged files: none was written just before it was listed.
    pub fn is_stable(&self) -> bool {
        let listed: DateTime<Utc> = self.listed_at.into();
        self.files().all(|file| {
            listed
                .signed_duration_since(file.last_modified)
                .to_std()
                .is_ok_and(|age| age >= CLOCK_RESOLUTION)
        })
    }

    /// What two queries must have in common to have read the same table.
    pub fn digest(&self, digest: &mut Sha256) {
        for partition in &self.partitions {
            digest.update(partition.location.root.url());
            digest.update([0]);
            digest.update(partition.name.as_bytes());
            digest.update(format!(
                "\0{:?}\0{}\0",
                partition.format,
                partition.files.len()
            ));
            for file in &partition.files {
                digest.update(file.location.as_ref());
                digest.update(format!("\0{}\0{}\0", file.size, version_of(file)));
            }
        }
    }
}
