//! A catalog table with its columns and partitions in the engine's types.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::Expr;
use lakegate_catalog::model::{StorageDescriptor, Table};
use lakegate_error::{Error, Result, from_engine};

use super::file_index::FileIndex;
use super::prune;
use super::snapshot::{Pruned, SnapshotPartition};
use crate::format::{Places, TableFormat};
use crate::roots::Roots;
use crate::sight::Sight;

/// A catalog table, with its columns as the engine types them: all of them, or those that a
/// principal may select.
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
    /// Where the files of the partitions are known from.
    pub index: Arc<dyn FileIndex>,
    /// What may be reported of the files.
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

impl LakeTable {
    /// `database.table`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.table.database_name, self.table.name)
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
        };
        Ok(Self {
            table: Arc::clone(&self.table),
            file_schema: projected(&self.file_schema, &data)?,
            keys: projected(&self.keys, &keys)?,
            schema: projected(&self.schema, columns)?,
            partitions,
            places: Places::some(data, width),
            index: Arc::clone(&self.index),
            sight: Sight::part(self.name()),
        })
    }

    /// The table, with another limit to what may be reported of its files.
    #[must_use]
    pub fn with_sight(&self, sight: Sight) -> Self {
        Self {
            table: Arc::clone(&self.table),
            file_schema: Arc::clone(&self.file_schema),
            keys: Arc::clone(&self.keys),
            schema: Arc::clone(&self.schema),
            partitions: match &self.partitions {
                PartitionSource::Unpartitioned => PartitionSource::Unpartitioned,
                PartitionSource::Registered { partitions, values } => PartitionSource::Registered {
                    partitions: Arc::clone(partitions),
                    values: values.clone(),
                },
            },
            places: self.places.clone(),
            index: Arc::clone(&self.index),
            sight,
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
        let table_location = self.table.storage_descriptor.location.as_deref();
        let table_folder = table_location
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
                });
            }
            PartitionSource::Registered {
                partitions: registered,
                values,
            } => {
                total = values.num_rows();
                for row in prune::matching(filters, values)? {
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
        }
        Ok(Pruned {
            total,
            partitions,
            table_folder: table_folder.ok().flatten(),
            index: Arc::clone(&self.index),
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
            files: Vec::new(),
        })
    }

    fn format(&self, descriptor: &StorageDescriptor) -> Result<TableFormat> {
        TableFormat::detect(descriptor, &self.table.parameters)
            .map_err(|e| Error::new(e.code(), format!("table {}: {}", self.name(), e.message())))
    }
}
