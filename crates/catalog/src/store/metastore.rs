//! The trait of what is in the lake.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::access::By;
use crate::error::Result;
use crate::model::{Database, DatabaseInput, Table, TableInput};
use crate::partition::{PartitionInput, Partitions};
use crate::store::{CommitWrite, Committed, Discarded, OpenWrites, UnfinishedWrite, WriteId};

/// What `IF NOT EXISTS` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created<T> {
    /// The new thing, or the one that was there.
    pub value: T,
    /// `false`: it was there already and stays as it was.
    pub created: bool,
}

/// What adding partitions did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddedPartitions {
    pub added: usize,
    /// Positions in the input of partitions that were there already (or earlier in the same input).
    pub existing: Vec<usize>,
}

/// Databases, tables and partitions. Names are checked and lower-cased on the way in. A change is
/// durable before it returns, and a failed one changed nothing.
///
/// Nothing here asks whether the caller may: that is the view's and the statements' part.
#[async_trait]
pub trait Metastore: Debug + Send + Sync {
    /// One more with every change of anything here, across restarts.
    fn catalog_version(&self) -> u64;

    /// All databases in order of name.
    async fn databases(&self) -> Result<Vec<Arc<Database>>>;

    /// A database, or `None`.
    async fn database(&self, name: &str) -> Result<Option<Arc<Database>>>;

    /// # Errors
    /// `AlreadyExists` unless `if_not_exists`; `InvalidInput` for a bad or reserved name.
    async fn create_database(
        &self,
        input: DatabaseInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Database>>> {
        let by = By::Administrator;
        self.create_database_by(input, if_not_exists, by, None)
            .await
    }

    /// [`Metastore::create_database`]. A user gets everything on the new database in the same commit, and, as long as the database is
    /// there, DATA_LOCATION on `folder`, which is its own as [`Resource::Location`](crate::access::Resource::Location) has it.
    async fn create_database_by(
        &self,
        input: DatabaseInput,
        if_not_exists: bool,
        by: By,
        folder: Option<String>,
    ) -> Result<Created<Arc<Database>>>;

    /// Replaces everything but the name.
    async fn update_database(&self, input: DatabaseInput) -> Result<Arc<Database>>;

    /// Drops a database with its grants, and with `cascade` its tables. `false` if there was none
    /// and `if_exists`.
    ///
    /// # Errors
    /// `NotEmpty` if it has tables and not `cascade`.
    async fn drop_database(&self, name: &str, if_exists: bool, cascade: bool) -> Result<bool>;

    /// All tables and views of a database in order of name.
    ///
    /// # Errors
    /// `NotFound` for the database.
    async fn tables(&self, database: &str) -> Result<Vec<Arc<Table>>>;

    /// A table or view, or `None` (also if the database does not exist).
    async fn table(&self, database: &str, name: &str) -> Result<Option<Arc<Table>>>;

    /// # Errors
    /// `NotFound` for the database; `AlreadyExists` unless `if_not_exists`; `InvalidInput` for bad
    /// names, types or columns.
    async fn create_table(
        &self,
        database: &str,
        input: TableInput,
        if_not_exists: bool,
    ) -> Result<Created<Arc<Table>>> {
        self.create_table_by(database, input, if_not_exists, By::Administrator)
            .await
    }

    /// [`Metastore::create_table`]. A user gets everything on the new table in the same commit.
    async fn create_table_by(
        &self,
        database: &str,
        input: TableInput,
        if_not_exists: bool,
        by: By,
    ) -> Result<Created<Arc<Table>>>;

    /// Replaces everything but name, id and creation time; the former version is archived.
    /// Partitions keep what they have. Grants on columns that the table has no more end.
    ///
    /// # Errors
    /// `Conflict` if `expected_version` is given and is not the current one; `InvalidInput` if
    /// names or types of partition keys change while there are partitions.
    async fn update_table(
        &self,
        database: &str,
        input: TableInput,
        expected_version: Option<u64>,
    ) -> Result<Arc<Table>> {
        self.update_table_by(database, input, expected_version, By::Administrator)
            .await
    }

    /// [`Metastore::update_table`], which records the user that moved the table.
    async fn update_table_by(
        &self,
        database: &str,
        input: TableInput,
        expected_version: Option<u64>,
        by: By,
    ) -> Result<Arc<Table>>;

    /// Gives a table another name in its database. Its id, partitions and grants stay; the former version is archived.
    ///
    /// # Errors
    /// `NotFound` for the table; `AlreadyExists` for the new name; `InvalidInput` for a bad one.
    async fn rename_table(&self, database: &str, name: &str, new_name: &str) -> Result<Arc<Table>>;

    /// Drops a table with its partitions, versions and grants. `false` if there was none and
    /// `if_exists`.
    async fn drop_table(&self, database: &str, name: &str, if_exists: bool) -> Result<bool>;

    /// The current and the archived versions of a table, newest first (the last 100).
    async fn table_versions(&self, database: &str, name: &str) -> Result<Vec<Arc<Table>>>;

    /// All partitions of a table, in order. From memory after the first use.
    async fn partitions(&self, database: &str, table: &str) -> Result<Arc<Partitions>>;

    /// Adds all these partitions in one transaction, or none.
    ///
    /// # Errors
    /// `InvalidInput` if values do not fit the keys (the message names key, value and type);
    /// `AlreadyExists` unless `if_not_exists`.
    async fn add_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
    ) -> Result<AddedPartitions> {
        self.add_partitions_by(
            database,
            table,
            partitions,
            if_not_exists,
            By::Administrator,
        )
        .await
    }

    /// [`Metastore::add_partitions`], which records the user that registered a folder outside of the table's.
    async fn add_partitions_by(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
        by: By,
    ) -> Result<AddedPartitions>;

    /// Drops the partitions with these values and adds others (those that are there stay), in one transaction. Returns how many were
    /// dropped.
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

    /// Drops the partitions with these values (one per key; typed comparison) in one transaction,
    /// or none. Returns how many.
    ///
    /// # Errors
    /// `NotFound` unless `if_exists`.
    async fn drop_partitions(
        &self,
        database: &str,
        table: &str,
        values: &[Vec<String>],
        if_exists: bool,
    ) -> Result<usize>;

    /// Gives a partition other values; its location stays.
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

    /// Replaces storage descriptor, location and parameters of the partitions with these values, in
    /// one transaction, or of none.
    ///
    /// # Errors
    /// `NotFound` if one does not exist.
    async fn update_partitions(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
    ) -> Result<()> {
        self.update_partitions_by(database, table, partitions, By::Administrator)
            .await
    }

    /// [`Metastore::update_partitions`], which records the user that registered a folder outside of the table's.
    async fn update_partitions_by(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        by: By,
    ) -> Result<()>;

    /// Records that a user is about to take the table of these folders away without being allowed to read it: the right to make tables
    /// there does not give them to anybody, and neither does a table that is there already. Folders as
    /// [`Resource::Location`](crate::access::Resource::Location) has them; of very many, their parents are kept.
    async fn vacate(&self, folders: Vec<String>) -> Result<()>;

    /// All folders that were vacated, and when, in milliseconds since 1970.
    fn vacated(&self) -> Arc<BTreeMap<String, i64>>;

    /// The writes that are not committed now.
    fn open_writes(&self) -> OpenWrites;

    /// Begins a write to a table that is there or will be. Until it is committed or ended, files of its names are in no listing.
    ///
    /// `locations`: the folders that its files will lie in, which are looked through should the process die.
    async fn begin_write(
        &self,
        database: &str,
        table: &str,
        locations: Vec<String>,
    ) -> Result<WriteId>;

    /// More folders for the files of a write, before the first file is in them.
    async fn extend_write(&self, id: WriteId, locations: Vec<String>) -> Result<()>;

    /// Makes all files of a write visible at once, with its table and partitions. Afterwards the write is no more.
    ///
    /// # Errors
    /// `Conflict` or `NotFound` if the table is not the expected one any more, `AlreadyExists` for one that is to be made,
    /// `InvalidInput` if a partition has another location meanwhile, or if the write is not open. The write stays open then.
    async fn commit_write(&self, id: WriteId, commit: CommitWrite) -> Result<Committed>;

    /// Forgets a write that was not committed, once its files are deleted.
    async fn end_write(&self, id: WriteId) -> Result<()>;

    /// The writes that are open, those of a process that died among them.
    async fn unfinished_writes(&self) -> Result<Vec<UnfinishedWrite>>;

    /// What commits have discarded and nobody has deleted yet.
    async fn discarded(&self) -> Result<Vec<Discarded>>;

    /// Forgets what was discarded, once it is deleted.
    async fn forget_discarded(&self, id: i64) -> Result<()>;
}
