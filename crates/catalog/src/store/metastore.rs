//! The trait of what is in the lake.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::model::{Database, DatabaseInput, Table, TableInput, TableStatistics};
use crate::partition::{PartitionInput, PartitionPredicate, Partitions};

/// What `IF NOT EXISTS` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created<T> {
    /// The new resource, or the one that existed.
    pub value: T,
    /// `false`: it existed already and is unchanged.
    pub created: bool,
}

/// What adding partitions did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddedPartitions {
    pub added: usize,
    /// Positions in the input of partitions that existed already (or stand earlier in the input).
    pub existing: Vec<usize>,
}

/// The version of one table. Two equal versions of one opening of a store are the same definition,
/// the same partitions and the same statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableVersion {
    /// [`Table::id`].
    pub id: i64,
    /// [`Table::version_id`].
    pub table: u64,
    /// [`Partitions::version`].
    pub partitions: u64,
    /// Changes with each ANALYZE of the table or of a partition; not kept across restarts.
    pub analyzed: u64,
}

/// Databases, tables and partitions in Glue's shapes, and nothing else: no grants, no writes. Names
/// are checked and lower-cased on the way in. A change is durable before it returns, and a failed
/// one changed nothing.
///
/// Ids of databases and tables are never used again, also not after a drop: grants are kept by
/// them.
///
/// Rights are not checked here; that is the policy's and the statements' part. Statements change a
/// catalog through its [`Coordinator`](super::Coordinator), which keeps grants and the write log in
/// step.
#[async_trait]
pub trait Metastore: Debug + Send + Sync {
    /// One more with every change of anything here, across restarts.
    fn catalog_version(&self) -> u64;

    /// All databases in order of name.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn databases(&self) -> Result<Vec<Arc<Database>>>;

    /// A database, or `None`.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn database(&self, name: &str) -> Result<Option<Arc<Database>>>;

    /// Creates a database.
    ///
    /// # Errors
    /// `AlreadyExists` unless `if_not_exists`; `InvalidInput` for a bad or reserved name.
    async fn create_database(
        &self,
        input: DatabaseInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Database>>>;

    /// Replaces everything but the name.
    ///
    /// # Errors
    /// `NotFound` for the database.
    async fn update_database(&self, input: DatabaseInput) -> Result<Arc<Database>>;

    /// Drops a database, and with `cascade` its tables. `false` if it did not exist and
    /// `if_exists`.
    ///
    /// # Errors
    /// `NotFound` unless `if_exists`; `NotEmpty` if it has tables and not `cascade`.
    async fn drop_database(&self, name: &str, if_exists: bool, cascade: bool) -> Result<bool>;

    /// All tables and views of a database in order of name.
    ///
    /// # Errors
    /// `NotFound` for the database.
    async fn tables(&self, database: &str) -> Result<Vec<Arc<Table>>>;

    /// A table or view, or `None` (also if the database does not exist).
    ///
    /// # Errors
    /// The store cannot be read.
    async fn table(&self, database: &str, name: &str) -> Result<Option<Arc<Table>>>;

    /// The tables and views of these ids that exist, in no order.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn tables_of_ids(&self, ids: &BTreeSet<i64>) -> Result<Vec<Arc<Table>>>;

    /// The version of a table, which costs less than the table or its partitions; `None` if it does
    /// not exist.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn table_version(&self, database: &str, name: &str) -> Result<Option<TableVersion>>;

    /// Creates a table or view.
    ///
    /// # Errors
    /// `NotFound` for the database; `AlreadyExists` unless `if_not_exists`; `InvalidInput` for bad
    /// names, types or columns.
    async fn create_table(
        &self,
        database: &str,
        input: TableInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Table>>>;

    /// Replaces everything but name, id and creation time; the former version is archived.
    /// Partitions keep their own definition.
    ///
    /// # Errors
    /// `NotFound` for the table; `Conflict` if `expected_version` is given and is not the current
    /// one; `InvalidInput` if names or types of partition keys change while there are partitions.
    async fn update_table(
        &self,
        database: &str,
        input: TableInput,
        expected_version: Option<u64>,
    ) -> Result<Arc<Table>>;

    /// Renames a table in its database, or moves it to another one. Its id, folders, partitions and
    /// statistics stay; the former version is archived.
    ///
    /// # Errors
    /// `NotFound` for the new database, and for the table if its name is not that of its id any more; `AlreadyExists` for the new name;
    /// `InvalidInput` for a bad one.
    async fn rename_table(
        &self,
        table: &Table,
        new_database: &str,
        new_name: &str,
    ) -> Result<Arc<Table>>;

    /// Drops a table with its partitions and versions. `false` if it did not exist and `if_exists`.
    ///
    /// # Errors
    /// `NotFound` unless `if_exists`.
    async fn drop_table(&self, database: &str, name: &str, if_exists: bool) -> Result<bool>;

    /// The current and the archived versions of a table, newest first (the last 100).
    ///
    /// # Errors
    /// `NotFound` for the table.
    async fn table_versions(&self, database: &str, name: &str) -> Result<Vec<Arc<Table>>>;

    /// What the last ANALYZE found of a table, of the columns that it still has; `None` if there is
    /// nothing, or if the table of the name is another one by now.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn table_statistics(&self, table: &Table) -> Result<Option<Arc<TableStatistics>>>;

    /// Records what ANALYZE found of a table. Columns that it did not read keep what is known of
    /// them. Not a new version of the table.
    ///
    /// `table`: as it was read; statistics of another table of the name are not recorded.
    ///
    /// # Errors
    /// `NotFound` if the table does not exist any more.
    async fn update_table_statistics(
        &self,
        table: &Table,
        statistics: TableStatistics,
    ) -> Result<()>;

    /// What the last ANALYZE of a partition found; `None` if there is nothing, or if the table of the
    /// name is another one by now. `values`: as they are registered.
    ///
    /// # Errors
    /// The store cannot be read; values that do not fit the keys.
    async fn partition_statistics(
        &self,
        table: &Table,
        values: &[String],
    ) -> Result<Option<TableStatistics>>;

    /// What the last ANALYZE found of each partition of a table, as of
    /// [`Metastore::partition_statistics`], by the [identity](crate::partition::identity_key) of
    /// the partition. Nothing, if it is known of more than `most` partitions.
    ///
    /// # Errors
    /// The store cannot be read.
    async fn all_partition_statistics(
        &self,
        table: &Table,
        most: usize,
    ) -> Result<BTreeMap<String, TableStatistics>>;

    /// Records what ANALYZE found of partitions, of all or of none, as of
    /// [`Metastore::update_table_statistics`]. It is forgotten when the partition is dropped or
    /// gets other files, and when the table loses a column or changes the type of one. Not a new
    /// version of the partitions. `statistics`: by the values as they are registered.
    ///
    /// # Errors
    /// `NotFound` if the table or a partition does not exist any more.
    async fn update_partition_statistics(
        &self,
        table: &Table,
        statistics: Vec<(Vec<String>, TableStatistics)>,
    ) -> Result<()>;

    /// All partitions of a table, in order. The embedded store serves them from memory after the
    /// first use; a remote store should be asked by predicate.
    ///
    /// # Errors
    /// `NotFound` for the table.
    async fn partitions(&self, database: &str, table: &str) -> Result<Arc<Partitions>> {
        self.partitions_matching(database, table, &PartitionPredicate::all())
            .await
    }

    /// At least the partitions of a table that satisfy a predicate, in order. A store may return
    /// more of the table's partitions; callers that need exactness evaluate the predicate
    /// themselves.
    ///
    /// # Errors
    /// `NotFound` for the table; `InvalidInput` if the predicate names what is not a partition key of
    /// the table.
    async fn partitions_matching(
        &self,
        database: &str,
        table: &str,
        predicate: &PartitionPredicate,
    ) -> Result<Arc<Partitions>>;

    /// Adds all these partitions, or none.
    ///
    /// # Errors
    /// `NotFound` for the table; `InvalidInput` if values do not fit the keys (the message names
    /// key, value and type); `AlreadyExists` unless `if_not_exists`.
    async fn add_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
    ) -> Result<AddedPartitions>;

    /// Drops the partitions with these values and adds others (existing ones stay), all or nothing.
    /// Returns how many were dropped.
    ///
    /// # Errors
    /// As [`Metastore::add_partitions`].
    async fn change_partitions(
        &self,
        database: &str,
        table: &str,
        dropped: &[Vec<String>],
        added: Vec<PartitionInput>,
    ) -> Result<(usize, AddedPartitions)>;

    /// Drops the partitions with these values (one per key; typed comparison), all or none. Returns
    /// how many.
    ///
    /// # Errors
    /// `NotFound` for the table, and for a partition unless `if_exists`.
    async fn drop_partitions(
        &self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
        if_exists: bool,
    ) -> Result<usize>;

    /// Changes the values of a partition; its location stays.
    ///
    /// # Errors
    /// `NotFound` for `from`, `AlreadyExists` for `to`.
    async fn rename_partition(
        &self,
        database: &str,
        table: &str,
        from: &[String],
        to: &[String],
    ) -> Result<()>;

    /// Replaces storage descriptor, location and parameters of the partitions with these values, of
    /// all or of none.
    ///
    /// # Errors
    /// `NotFound` if one does not exist.
    async fn update_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
    ) -> Result<()>;
}
