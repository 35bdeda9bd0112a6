//! A catalog table with its columns and partitions in the engine's types.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::logical_expr::Expr;
use lakegate_catalog::model::{StorageDescriptor, Table, TableStatistics};
use lakegate_error::{Error, Result, from_engine};

use super::bucket_pruning::WantedBuckets;
use super::file_index::FileIndex;
use super::hidden_columns::HiddenColumns;
use super::projected::Projected;
use super::prune;
use super::snapshot::{Pruned, SnapshotPartition};
use super::symlinks;
use crate::format::{Places, TableFormat};
use crate::roots::Roots;
use crate::sight::Sight;

/// A catalog table, with its columns as the engine types them: all of them, or those that a
/// principal may select.
#[derive(Debug, Clone)]
pub struct LakeTable {
    pub table: Arc<Table>,
    /// The data columns, in the catalog's order.
    pub file_schema: SchemaRef,
    /// The partition keys.
    pub keys: SchemaRef,
    /// The columns of files, for a query that names one of them.
    pub hidden: Option<HiddenColumns>,
    /// The data columns, then the keys, then the hidden columns.
    pub schema: SchemaRef,
    pub partitions: PartitionSource,
    /// Where in a line of text the data columns are.
    pub places: Places,
    /// Where the files of the partitions are known from.
    pub index: Arc<dyn FileIndex>,
    /// What may be reported of the files.
    pub sight: Sight,
    /// What ANALYZE found, of all columns of the catalog table: to be used for those of `schema`
    /// only.
    pub statistics: Option<Arc<TableStatistics>>,
    /// The same of registered partitions, by their rows in [`PartitionSource::Registered`].
    pub partition_statistics: Arc<HashMap<usize, Arc<TableStatistics>>>,
}

/// The values that the statistics of one column count as.
const STATISTICS_WEIGHT: usize = 4;

/// Where a table's partitions come from.
#[derive(Debug, Clone)]
pub enum PartitionSource {
    /// The table's folder is its one partition.
    Unpartitioned,
    /// Registered partitions, and their values as a batch of the same order.
    Registered {
        partitions: Arc<lakegate_catalog::partition::Partitions>,
        values: RecordBatch,
    },
    /// Partitions that follow from the table's properties.
    Projected(Projected),
}

impl LakeTable {
    /// `database.table`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.table.database_name, self.table.name)
    }

    /// The number of columns and of partition values that are held in memory. Statistics of a column
    /// count as some values.
    pub fn held_values(&self) -> usize {
        let partitions = match &self.partitions {
            PartitionSource::Unpartitioned => 0,
            PartitionSource::Registered { values, .. } => values.num_rows(),
            PartitionSource::Projected(projected) => projected.held_values(),
        };
        let analyzed = self.partition_statistics.values();
        let analyzed: usize = analyzed.map(|known| known.columns.len() + 1).sum();
        partitions + self.schema.fields().len() + analyzed * STATISTICS_WEIGHT
    }

    /// The table restricted to some of the columns, as for a principal that may select no others.
    /// Hidden columns are neither read nor mentioned in plans, statistics or errors.
    ///
    /// `columns`: indices into [`Self::schema`], ascending.
    ///
    /// # Errors
    /// An index beyond the table's columns.
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
            PartitionSource::Projected(projected) => {
                PartitionSource::Projected(projected.granted(&keys))
            }
        };
        Ok(Self {
            table: Arc::clone(&self.table),
            file_schema: projected(&self.file_schema, &data)?,
            keys: projected(&self.keys, &keys)?,
            hidden: None,
            schema: projected(&self.schema, columns)?,
            partitions,
            places: Places::some(data, width),
            index: Arc::clone(&self.index),
            sight: Sight::part(self.name()),
            statistics: self.statistics.clone(),
            partition_statistics: Arc::clone(&self.partition_statistics),
        })
    }

    /// The table, with another limit to what may be reported of its files.
    #[must_use]
    pub fn with_sight(&self, sight: Sight) -> Self {
        Self {
            sight,
            ..self.clone()
        }
    }

    /// The table with its hidden columns, the last ones of its schema. `None`: what is known of its
    /// files must not be seen.
    ///
    /// `zone`: the session's time zone.
    pub fn with_hidden_columns(&self, zone: &str) -> Option<Self> {
        if !self.sight.is_whole() {
            return None;
        }
        let buckets = self.table.storage_descriptor.number_of_buckets;
        let hidden = HiddenColumns::of(&self.schema, &self.keys, buckets, zone);
        let fields = self.schema.fields().iter().chain(hidden.fields()).cloned();
        Some(Self {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            hidden: Some(hidden),
            ..self.clone()
        })
    }

    /// The columns that are constant within a file: the partition keys and the hidden columns.
    pub fn constants(&self) -> &SchemaRef {
        match &self.hidden {
            Some(hidden) => hidden.constants(),
            None => &self.keys,
        }
    }

    /// Prunes the partitions by the query's filters.
    ///
    /// # Errors
    /// A LOCATION outside the lake roots, an unknown SerDe.
    pub fn pruned(&self, roots: &Roots, filters: &[Expr]) -> Result<Pruned> {
        let pruned = self.matching(roots, filters);
        pruned.map_err(|error| self.sight.of_table(error))
    }

    fn matching(&self, roots: &Roots, filters: &[Expr]) -> Result<Pruned> {
        let table_location = match &self.partitions {
            PartitionSource::Projected(projected) => Some(projected.folder()),
            _ => self.table.storage_descriptor.location.as_deref(),
        };
        let mut table_folder = table_location
            .map(|location| roots.locate(location))
            .transpose();
        let mut partitions = Vec::new();
        let total;
        match &self.partitions {
            PartitionSource::Unpartitioned => {
                total = 1;
                let location = table_folder.clone()?.ok_or_else(|| {
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
                    files: Vec::new(),
                    statistics: None,
                });
            }
            PartitionSource::Registered {
                partitions: registered,
                values,
            } => {
                total = values.num_rows();
                for row in self.matching_rows(filters, registered, values)? {
                    let partition = self.partition(roots, registered, values, row)?;
                    if let Ok(Some(home)) = &table_folder
                        && home.path != partition.location.path
                        && partition.location.path.prefix_matches(&home.path)
                    {
                        home.check_below(std::iter::once(&partition.location.path))?;
                    }
                    partitions.push(partition);
                }
            }
            PartitionSource::Projected(projected) => {
                (partitions, total) = self.projected_partitions(roots, projected, filters)?;
                if !projected.may_list_all(partitions.len()) {
                    table_folder = Ok(None);
                }
            }
        }
        Ok(Pruned {
            total,
            partitions,
            table_folder: table_folder.ok().flatten(),
            index: Arc::clone(&self.index),
            sight: self.sight.clone(),
            has_manifests: symlinks::is_symlink(&self.table.storage_descriptor),
            buckets: WantedBuckets::of(&self.table, &self.partitions, filters),
            hidden: self.hidden.clone().map(|hidden| (hidden, filters.to_vec())),
        })
    }

    /// The partitions that can hold matching rows.
    fn matching_rows(
        &self,
        filters: &[Expr],
        registered: &lakegate_catalog::partition::Partitions,
        values: &RecordBatch,
    ) -> Result<Vec<usize>> {
        let rows = prune::matching(filters, values)?;
        let Some(hidden) = &self.hidden else {
            return Ok(rows);
        };
        hidden.matching_partitions(filters, values, rows, |row| {
            let partition = registered.items.get(row);
            partition.map_or_else(String::new, |known| known.name(&registered.keys))
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
        let of_table = symlinks::is_symlink(&self.table.storage_descriptor);
        if symlinks::is_symlink(&partition.storage_descriptor) != of_table {
            return Err(Error::not_supported(format!(
                "table {} has partitions of SymlinkTextInputFormat and others; register them in two tables",
                self.name()
            )));
        }
        Ok(SnapshotPartition {
            values: (0..values.num_columns())
                .map(|key| prune::partition_value(values, row, key))
                .collect::<Result<_>>()?,
            name: partition.name(&registered.keys).into(),
            location: roots.locate(&partition.location(&registered.keys))?,
            format: self.format(&partition.storage_descriptor)?,
            files: Vec::new(),
            statistics: self.partition_statistics.get(&row).cloned(),
        })
    }

    pub(super) fn format(&self, descriptor: &StorageDescriptor) -> Result<TableFormat> {
        TableFormat::detect(descriptor, &self.table.parameters)
            .map_err(|e| Error::new(e.code(), format!("table {}: {}", self.name(), e.message())))
    }
}
