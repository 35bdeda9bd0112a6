//! Catalog tables with their columns and partition values in the engine's types, kept while they do
//! not change.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Column, MAX_COLUMNS_OF_PARTITIONS, Table, TableStatistics};
use lakegate_catalog::partition::{Partitions, identity_key, projection};
use lakegate_catalog::store::Metastore;
use lakegate_error::{Code, Error, Result};

use super::file_index::FolderListing;
use super::lake_table::{LakeTable, PartitionSource};
use super::projected::Projected;
use super::prune;
use crate::format::{Places, TableFormat};
use crate::sight::Sight;

/// Tables by id, version, version of the partitions and time of the last ANALYZE, bounded in
/// partitions.
#[derive(Clone)]
pub struct LakeTables {
    tables: moka::sync::Cache<(i64, u64, u64, Option<i64>), Arc<LakeTable>>,
}

/// Partition values, column definitions and statistics that are kept typed, over all tables.
const MAX_KEPT: u64 = 4_000_000;

impl fmt::Debug for LakeTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeTables")
            .field("tables", &self.tables.entry_count())
            .finish()
    }
}

impl Default for LakeTables {
    fn default() -> Self {
        let tables = moka::sync::Cache::builder()
            .max_capacity(MAX_KEPT)
            .weigher(|_, table: &Arc<LakeTable>| {
                u32::try_from(table.held_values()).unwrap_or(u32::MAX)
            })
            .build();
        Self { tables }
    }
}

impl LakeTables {
    /// The table in the engine's types, from the cache if its versions are unchanged.
    ///
    /// # Errors
    /// A type that is no Hive type, a partition value that is not of its key's type, a partition
    /// projection that cannot be used, the store.
    pub async fn load(
        &self,
        metastore: &dyn Metastore,
        table: &Arc<Table>,
    ) -> Result<Arc<LakeTable>> {
        let (database, name) = (&table.database_name, &table.name);
        let statistics = metastore.table_statistics(table).await?;
        let analyzed = statistics.as_ref();
        let analyzed = analyzed.map(|known| known.analyzed_time.timestamp_millis());
        let key = |partitions| (table.id, table.version_id, partitions, analyzed);
        // Registered partitions of a table whose partitions are projected do not count.
        let registered =
            !table.partition_keys.is_empty() && !projection::is_enabled(&table.parameters);
        let version = if registered {
            let version = metastore.table_version(database, name).await?;
            let version = version.filter(|version| version.id == table.id);
            version.map(|version| version.partitions)
        } else {
            Some(0)
        };
        if let Some(loaded) = version.and_then(|version| self.tables.get(&key(version))) {
            return Ok(loaded);
        }
        let partitions = if registered {
            Some(metastore.partitions(database, name).await?)
        } else {
            None
        };
        let key = key(partitions.as_ref().map_or(0, |all| all.version));
        if let Some(loaded) = self.tables.get(&key) {
            return Ok(loaded);
        }
        let partition_statistics = match &partitions {
            None => HashMap::new(),
            Some(partitions) => of_partitions(metastore, table, partitions).await?,
        };
        let loaded = Arc::new(LakeTable {
            statistics,
            partition_statistics: Arc::new(partition_statistics),
            ..typed(table, partitions)?
        });
        self.tables.insert(key, Arc::clone(&loaded));
        Ok(loaded)
    }

    /// Forgets a table, after an ANALYZE of partitions, which changes no version.
    pub fn forget(&self, table_id: i64) {
        for (key, _) in &self.tables {
            if key.0 == table_id {
                self.tables.invalidate(&*key);
            }
        }
    }
}

/// What ANALYZE found of partitions, by their places.
///
/// # Errors
/// The store.
async fn of_partitions(
    metastore: &dyn Metastore,
    table: &Table,
    partitions: &Partitions,
) -> Result<HashMap<usize, Arc<TableStatistics>>> {
    let columns = table.storage_descriptor.columns.len().max(1);
    let most = MAX_COLUMNS_OF_PARTITIONS / columns;
    let mut known = metastore.all_partition_statistics(table, most).await?;
    let mut found = HashMap::with_capacity(known.len());
    if known.is_empty() {
        return Ok(found);
    }
    for (row, partition) in partitions.items.iter().enumerate() {
        let key = identity_key(&partitions.keys, &partition.values)?;
        if let Some(statistics) = known.remove(&key) {
            found.insert(row, Arc::new(statistics));
        }
    }
    Ok(found)
}

/// A table with its columns and partition values in the engine's types.
pub(crate) fn typed(table: &Arc<Table>, partitions: Option<Arc<Partitions>>) -> Result<LakeTable> {
    let format = TableFormat::detect(&table.storage_descriptor, &table.parameters);
    let views = format.is_ok_and(|format| format.file_format().reads_views());
    let name = table.full_name();
    let data = fields(&name, &table.storage_descriptor.columns, views)?;
    let keys = Arc::new(Schema::new(fields(&name, &table.partition_keys, false)?));
    let schema = Arc::new(Schema::new(
        data.iter()
            .cloned()
            .chain(keys.fields().iter().map(|f| f.as_ref().clone()))
            .collect::<Vec<_>>(),
    ));
    let partitions = match (Projected::of(table)?, partitions) {
        (Some(projected), _) => PartitionSource::Projected(projected),
        (None, None) => PartitionSource::Unpartitioned,
        (None, Some(partitions)) => {
            let values = prune::partition_batch(
                &keys,
                partitions
                    .items
                    .iter()
                    .map(|partition| partition.values.as_ref()),
            )
            .map_err(|e| Error::new(e.code(), format!("table {name}: {}", e.message())))?;
            PartitionSource::Registered { partitions, values }
        }
    };
    Ok(LakeTable {
        table: Arc::clone(table),
        file_schema: Arc::new(Schema::new(data)),
        keys,
        hidden: None,
        schema,
        partitions,
        places: Places::default(),
        index: Arc::new(FolderListing),
        sight: Sight::whole(name),
        statistics: None,
        partition_statistics: Arc::default(),
    })
}

/// The columns as the engine types them. With `views`, text and bytes are read as views, which
/// Parquet decodes without copying.
fn fields(table: &str, columns: &[Column], views: bool) -> Result<Vec<Field>> {
    columns
        .iter()
        .map(|column| {
            let hive: HiveType = column.data_type.parse().map_err(|e| {
                Error::new(
                    Code::InvalidTable,
                    format!("column '{}' of table {table}: {e}", column.name),
                )
            })?;
            let data_type = match hive.to_arrow() {
                DataType::Utf8 if views => DataType::Utf8View,
                DataType::Binary if views => DataType::BinaryView,
                other => other,
            };
            Ok(Field::new(&column.name, data_type, true))
        })
        .collect()
}

/// All columns of a catalog table in the engine's types, partition keys last, as listings show
/// them.
///
/// # Errors
/// A type that is no Hive type.
pub fn table_schema(table: &Table) -> Result<SchemaRef> {
    let columns: Vec<Column> = table.columns().cloned().collect();
    Ok(Arc::new(Schema::new(fields(
        &table.full_name(),
        &columns,
        false,
    )?)))
}
