//! Catalog tables with their columns and partition values in the engine's types, kept while they do
//! not change.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use lakegate_catalog::error::{CatalogError, Kind};
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Column, MAX_COLUMNS_OF_PARTITIONS, Table, TableStatistics};
use lakegate_catalog::partition::{Partitions, identity_key, projection};
use lakegate_catalog::store::{Metastore, TableVersion};
use lakegate_error::{Code, Error, Result};

use super::file_index::FolderListing;
use super::lake_table::{LakeTable, PartitionSource};
use super::projected::Projected;
use super::prune;
use crate::format::{Places, TableFormat};
use crate::sight::Sight;

/// Tables by their versions, bounded in partitions.
#[derive(Clone)]
pub struct LakeTables {
    tables: moka::sync::Cache<TableVersion, Arc<LakeTable>>,
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
        // Registered partitions of a table whose partitions are projected do not count.
        let registered =
            !table.partition_keys.is_empty() && !projection::is_enabled(&table.parameters);
        let version = metastore.table_version(database, name).await?;
        // `None`: it was renamed or dropped after it was looked up. It is read as it was, and not
        // kept.
        let version = version.filter(|version| version.id == table.id);
        let key = version.map(|version| TableVersion {
            table: table.version_id,
            partitions: if registered { version.partitions } else { 0 },
            ..version
        });
        if let Some(loaded) = key.and_then(|key| self.tables.get(&key)) {
            return Ok(loaded);
        }
        let partitions = if registered {
            let partitions = metastore.partitions(database, name).await?;
            // They are found by the name, which another table may have taken.
            let owner = metastore.table_version(database, name).await?;
            if owner.is_none_or(|owner| owner.id != table.id) {
                return Err(CatalogError::not_found(Kind::Table, table.full_name()).into());
            }
            Some(partitions)
        } else {
            None
        };
        // The partitions may be newer than the version. The statistics may be too, which are read
        // after it: others that ask for the version get them, and estimates that are newer do no
        // harm.
        let key = key.map(|key| TableVersion {
            partitions: partitions.as_ref().map_or(0, |all| all.version),
            ..key
        });
        if let Some(loaded) = key.and_then(|key| self.tables.get(&key)) {
            return Ok(loaded);
        }
        let statistics = metastore.table_statistics(table).await?;
        let partition_statistics = match &partitions {
            None => HashMap::new(),
            Some(partitions) => of_partitions(metastore, table, partitions).await?,
        };
        let loaded = Arc::new(LakeTable {
            statistics,
            partition_statistics: Arc::new(partition_statistics),
            ..typed(table, partitions)?
        });
        if let Some(key) = key {
            self.tables.insert(key, Arc::clone(&loaded));
        }
        Ok(loaded)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_catalog::model::{DatabaseInput, StorageDescriptor, TableInput, now};
    use lakegate_catalog::partition::PartitionInput;
    use lakegate_catalog::store::{Coordinator, SqliteStore};

    use super::*;

    async fn store() -> SqliteStore {
        let store = SqliteStore::in_memory().unwrap();
        let database = DatabaseInput {
            name: "d".to_owned(),
            ..DatabaseInput::default()
        };
        store.create_database(database, false).await.unwrap();
        let input = TableInput {
            name: "t".to_owned(),
            storage_descriptor: StorageDescriptor {
                columns: vec![Column::new("a", "int")],
                location: Some("s3://lake/t/".to_owned()),
                ..StorageDescriptor::default()
            },
            partition_keys: vec![Column::new("k", "int")],
            ..TableInput::default()
        };
        store.create_table("d", input, false).await.unwrap();
        let one = vec![PartitionInput::new(["1"])];
        store.add_partitions("d", "t", one, false).await.unwrap();
        store
    }

    fn counted(row_count: u64) -> TableStatistics {
        TableStatistics {
            row_count,
            file_bytes: 10,
            version: 0,
            analyzed_time: now(),
            columns: Vec::new(),
        }
    }

    async fn analyze_partition(store: &dyn Metastore, rows: u64) {
        let table = store.table("d", "t").await.unwrap().unwrap();
        let found = vec![(vec!["1".to_owned()], counted(rows))];
        let recorded = store.update_partition_statistics(&table, found);
        recorded.await.unwrap();
    }

    /// The rows of the table and of its partition, as estimates have them.
    async fn known(tables: &LakeTables, store: &dyn Metastore) -> (Option<u64>, Option<u64>) {
        let table = store.table("d", "t").await.unwrap().unwrap();
        let loaded = tables.load(store, &table).await.unwrap();
        (
            loaded.statistics.as_ref().map(|known| known.row_count),
            loaded
                .partition_statistics
                .get(&0)
                .map(|known| known.row_count),
        )
    }

    #[tokio::test]
    async fn a_kept_table_is_not_used_after_another_analyze() {
        let store = store().await;
        let tables = LakeTables::default();
        assert_eq!(known(&tables, &store).await, (None, None));
        analyze_partition(&store, 3).await;
        assert_eq!(known(&tables, &store).await, (None, Some(3)));
        let table = store.table("d", "t").await.unwrap().unwrap();
        for rows in [4, 5] {
            // Both within the milliseconds of a time.
            let recorded = store.update_table_statistics(&table, counted(rows));
            recorded.await.unwrap();
            assert_eq!(known(&tables, &store).await, (Some(rows), Some(3)));
        }
        let one = tables.load(&store, &table).await.unwrap();
        let again = tables.load(&store, &table).await.unwrap();
        assert!(Arc::ptr_eq(&one, &again));
    }

    #[tokio::test]
    async fn an_analyze_of_partitions_in_a_block_holds_after_its_commit() {
        let store = store().await;
        let tables = LakeTables::default();
        let draft = store.draft();
        analyze_partition(draft.stores().metastore.as_ref(), 3).await;
        assert_eq!(draft.changes(), 1);
        assert_eq!(known(&tables, &store).await, (None, None));
        draft.commit().await.unwrap();
        assert_eq!(known(&tables, &store).await, (None, Some(3)));
    }

    #[tokio::test]
    async fn partitions_of_another_table_of_the_name_are_not_read() {
        let store = store().await;
        let tables = LakeTables::default();
        let table = store.table("d", "t").await.unwrap().unwrap();
        let input = table.to_input();
        store.drop_table("d", "t", false).await.unwrap();
        store.create_table("d", input, false).await.unwrap();
        let refused = tables.load(&store, &table).await.unwrap_err();
        assert_eq!(refused.code(), Code::TableNotFound);
    }
}
