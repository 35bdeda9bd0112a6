//! [`Metastore`] on the file. A change also keeps the grants in step, which are in the same file:
//! it is the [`Coordinator`](crate::store::Coordinator)'s, made by an administrator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::SqliteStore;
use crate::access::By;
use crate::error::{Kind, Result};
use crate::model::names::{normalize, normalize_database};
use crate::model::{Database, DatabaseInput, Table, TableInput, TableStatistics};
use crate::partition::{PartitionInput, PartitionPredicate, Partitions};
use crate::store::{AddedPartitions, Coordinator, Created, Metastore, TableVersion};

#[async_trait]
impl Metastore for SqliteStore {
    fn catalog_version(&self) -> u64 {
        self.state().version
    }

    async fn databases(&self) -> Result<Vec<Arc<Database>>> {
        let state = self.state();
        let entries = state.databases.values();
        Ok(entries.map(|entry| Arc::clone(&entry.database)).collect())
    }

    async fn database(&self, name: &str) -> Result<Option<Arc<Database>>> {
        let state = self.state();
        let entry = state.databases.get(&name.to_lowercase());
        Ok(entry.map(|entry| Arc::clone(&entry.database)))
    }

    async fn create_database(
        &self,
        input: DatabaseInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Database>>> {
        self.create_database_by(input, if_not_exists, By::Administrator, None)
            .await
    }

    async fn update_database(&self, mut input: DatabaseInput) -> Result<Arc<Database>> {
        normalize_database(&mut input)?;
        self.change(move |write| write.update_database(input)).await
    }

    async fn drop_database(&self, name: &str, if_exists: bool, cascade: bool) -> Result<bool> {
        self.drop_database_and_grants(name, if_exists, cascade)
            .await
    }

    async fn tables(&self, database: &str) -> Result<Vec<Arc<Table>>> {
        let state = self.state();
        let entries = state.database(&database.to_lowercase())?.tables.values();
        Ok(entries.map(|entry| Arc::clone(&entry.table)).collect())
    }

    async fn table(&self, database: &str, name: &str) -> Result<Option<Arc<Table>>> {
        let state = self.state();
        let table = state.table(&database.to_lowercase(), &name.to_lowercase());
        Ok(table.cloned())
    }

    async fn tables_of_ids(&self, ids: &BTreeSet<i64>) -> Result<Vec<Arc<Table>>> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.table_of_id(*id));
        Ok(found.cloned().collect())
    }

    async fn table_version(&self, database: &str, name: &str) -> Result<Option<TableVersion>> {
        let state = self.state();
        let entry = state.entry(&database.to_lowercase(), &name.to_lowercase());
        Ok(entry.map(|entry| entry.version()))
    }

    async fn create_table(
        &self,
        database: &str,
        input: TableInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Table>>> {
        self.create_table_by(database, input, if_not_exists, By::Administrator)
            .await
    }

    async fn update_table(
        &self,
        database: &str,
        input: TableInput,
        expected_version: Option<u64>,
    ) -> Result<Arc<Table>> {
        self.update_table_by(database, input, expected_version, By::Administrator)
            .await
    }

    async fn rename_table(
        &self,
        table: &Table,
        new_database: &str,
        new_name: &str,
    ) -> Result<Arc<Table>> {
        let table = table.clone();
        let new_database = new_database.to_lowercase();
        let new_name = normalize(Kind::Table, new_name)?;
        self.change(move |write| {
            let table = write.rename_table(&table, &new_database, new_name)?;
            write.renamed(table.id)?;
            Ok(table)
        })
        .await
    }

    async fn drop_table(&self, database: &str, name: &str, if_exists: bool) -> Result<bool> {
        let table = (database.to_owned(), name.to_owned());
        let dropped = self.drop_tables_and_grants(vec![table], if_exists).await?;
        Ok(dropped > 0)
    }

    async fn table_versions(&self, database: &str, name: &str) -> Result<Vec<Arc<Table>>> {
        let (database, name) = (database.to_lowercase(), name.to_lowercase());
        self.change(move |write| write.versions(&database, &name))
            .await
    }

    async fn table_statistics(&self, table: &Table) -> Result<Option<Arc<TableStatistics>>> {
        let state = self.state();
        let entry = state.entry(&table.database_name, &table.name);
        let entry = entry.filter(|entry| entry.table.id == table.id);
        Ok(entry.and_then(|entry| entry.statistics.clone()))
    }

    async fn update_table_statistics(
        &self,
        table: &Table,
        statistics: TableStatistics,
    ) -> Result<()> {
        let table = table.clone();
        self.change(move |write| write.add_statistics(&table, statistics))
            .await
    }

    async fn partition_statistics(
        &self,
        table: &Table,
        values: &[String],
    ) -> Result<Option<TableStatistics>> {
        self.read_partition_statistics(table, values).await
    }

    async fn all_partition_statistics(
        &self,
        table: &Table,
        most: usize,
    ) -> Result<BTreeMap<String, TableStatistics>> {
        self.read_all_partition_statistics(table.id, most).await
    }

    async fn update_partition_statistics(
        &self,
        table: &Table,
        statistics: Vec<(Vec<String>, TableStatistics)>,
    ) -> Result<()> {
        let table = table.clone();
        self.change(move |write| write.add_partition_statistics(&table, statistics))
            .await
    }

    async fn partitions_matching(
        &self,
        database: &str,
        table: &str,
        predicate: &PartitionPredicate,
    ) -> Result<Arc<Partitions>> {
        let all = self
            .read_partitions(database.to_lowercase(), table.to_lowercase())
            .await?;
        predicate.filter(&all)
    }

    async fn add_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
    ) -> Result<AddedPartitions> {
        let by = By::Administrator;
        self.add_partitions_by(database, table, partitions, if_not_exists, by)
            .await
    }

    async fn change_partitions(
        &self,
        database: &str,
        table: &str,
        dropped: &[Vec<String>],
        added: Vec<PartitionInput>,
    ) -> Result<(usize, AddedPartitions)> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        let values = dropped.to_vec();
        self.change(move |write| {
            let dropped = write.drop_partitions(&database, &table, &values, true)?;
            if added.is_empty() {
                return Ok((dropped, AddedPartitions::default()));
            }
            let by = By::Administrator;
            let added = write.add_partitions(&database, &table, added, true, by)?;
            Ok((dropped, added))
        })
        .await
    }

    async fn drop_partitions(
        &self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
        if_exists: bool,
    ) -> Result<usize> {
        let (database, table, values) = (
            database.to_lowercase(),
            table.to_lowercase(),
            values.to_vec(),
        );
        self.change(move |write| write.drop_partitions(&database, &table, &values, if_exists))
            .await
    }

    async fn rename_partition(
        &self,
        database: &str,
        table: &str,
        from: &[String],
        to: &[String],
    ) -> Result<()> {
        let (database, table) = (database.to_lowercase(), table.to_lowercase());
        let (from, to) = (from.to_vec(), to.to_vec());
        self.change(move |write| write.rename_partition(&database, &table, &from, to))
            .await
    }

    async fn update_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
    ) -> Result<()> {
        self.update_partitions_by(database, table, partitions, By::Administrator)
            .await
    }
}
