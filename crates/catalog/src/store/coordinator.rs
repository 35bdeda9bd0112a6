//! The trait of changes that concern more than one of the three stores.
//!
//! ```text
//!                    Metastore             Control                      WriteLog
//!  create_table_by   the table             the owner's grant by its id
//!  update_table_by   the next version      no grants on dropped columns
//!  drop_…_and_grants without it            without grants on its id     without records of its id
//!  commit_writes     tables, partitions    the owner's grant            closed, files recorded
//! ```
//!
//! The embedded store has all three in one file, so each of these is one transaction: after a crash
//! there is all of it or nothing.
//!
//! A remote metastore cannot take part in a transaction. A coordinator over one keeps an order in
//! which each prefix is safe, and repairs the rest when it starts:
//!
//! - *Create*: record in the control store that the user will own `database.table`; create the
//!   table; turn the record into the grant on the table's id. If creating fails, remove the record.
//!   At the start, a record whose table exists becomes its grant, and others are removed.
//! - *Drop*: drop the table, then [`Control::forget`] and [`WriteLog::forget_table`]. What is kept
//!   for an id that is gone has no effect meanwhile.
//! - *Update*: end grants on columns that go first, restore them if the update fails.
//! - *Commit of a write*: change the table and its partitions, then close the write in the log.
//!   Files of an open write are hidden, so a crash in between shows a new definition without rows;
//!   recovery ends the write as it ends every other.
//!
//! Such a coordinator also keeps the ids of [`Metastore`], which Glue and Hive do not have, by
//! database, name and creation time.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{AddedPartitions, Control, Created, Discarded, Draft, Metastore, WriteId, WriteLog};
use crate::access::By;
use crate::error::{CatalogError, Result};
use crate::model::{Database, DatabaseInput, Table, TableInput};
use crate::partition::PartitionInput;

/// The stores of one catalog.
#[derive(Debug, Clone)]
pub struct Stores {
    pub metastore: Arc<dyn Metastore>,
    pub write_log: Arc<dyn WriteLog>,
    pub control: Arc<dyn Control>,
    pub coordinator: Arc<dyn Coordinator>,
}

/// What a commit makes of its table.
#[derive(Debug, Clone)]
pub struct CommitWrite {
    pub database: String,
    pub table: String,
    /// The table as it was when the write began; `None`: there was none, and there must be none
    /// now.
    pub expected: Option<ExpectedTable>,
    /// The next definition; `None`: it stays. With a definition the table loses the partitions that
    /// it had.
    pub definition: Option<TableInput>,
    /// All partitions that were written to, with their locations. New ones are registered.
    pub partitions: Vec<PartitionInput>,
    /// How many files the write made: `<prefix>00000.parquet` and so on.
    pub files: u64,
    /// The folders of a table that is replaced: what was written to it there is discarded.
    pub discard: Vec<String>,
    /// Values of partitions of a table whose definition stays, which lose their rows until now: they
    /// are not registered any more, in whatever spelling, unless `partitions` has them anew, and
    /// what was written to the table in their folders is discarded. Those that are not registered
    /// are left out.
    pub replaces: Vec<Vec<String>>,
    /// All other partitions lose their rows as well, those among them that were registered after
    /// the write was planned. They stay registered, each with a new folder.
    pub empties_rest: bool,
    /// The principal that writes. A user becomes the owner of a table that is created.
    pub by: By,
}

/// A table at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedTable {
    pub id: i64,
    pub version: u64,
}

/// What a commit did.
#[derive(Debug, Clone)]
pub struct Committed {
    pub table: Arc<Table>,
    pub partitions_added: usize,
    /// What it discards; `None`: nothing, or, in a draft, what the draft's commit returns.
    pub discarded: Option<Discarded>,
}

/// Changes of the catalog on behalf of a principal, in all stores that they concern: all or
/// nothing. Otherwise as the method of [`Metastore`] that is named alike.
///
/// Rights of the principal are not checked here; that is the statements' part.
#[async_trait]
pub trait Coordinator: Debug + Send + Sync {
    /// Creates a database. A user is granted everything on it with grant option, and, as long as
    /// the database exists, DATA_LOCATION on `folder`, which is the database's own as
    /// [`Resource::Location`](crate::access::Resource::Location) has it.
    ///
    /// # Errors
    /// As [`Metastore::create_database`]; `NotFound` for the user.
    async fn create_database_by(
        &self,
        input: DatabaseInput,
        if_not_exists: bool,
        by: By,
        folder: Option<String>,
    ) -> Result<Created<Arc<Database>>>;

    /// Drops a database with the grants on it and on its tables.
    ///
    /// # Errors
    /// As [`Metastore::drop_database`].
    async fn drop_database_and_grants(
        &self,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<bool>;

    /// Creates a table. A user is granted everything on it with grant option.
    ///
    /// # Errors
    /// As [`Metastore::create_table`]; `NotFound` for the user.
    async fn create_table_by(
        &self,
        database: &str,
        input: TableInput,
        if_not_exists: bool,
        by: By,
    ) -> Result<Created<Arc<Table>>>;

    /// Replaces the definition of a table, ends grants on columns that it does not have any more,
    /// and records the principal that moved it.
    ///
    /// # Errors
    /// As [`Metastore::update_table`].
    async fn update_table_by(
        &self,
        database: &str,
        input: TableInput,
        expected_version: Option<u64>,
        by: By,
    ) -> Result<Arc<Table>>;

    /// Drops tables, each given by its database and its name, with the grants on them and on their
    /// columns. Returns how many there were.
    ///
    /// # Errors
    /// As [`Metastore::drop_table`]; none is dropped then.
    async fn drop_tables_and_grants(
        &self,
        tables: Vec<(String, String)>,
        if_exists: bool,
    ) -> Result<usize>;

    /// Adds partitions, and records the principal that registered a folder outside of the table's.
    ///
    /// # Errors
    /// As [`Metastore::add_partitions`].
    async fn add_partitions_by(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        if_not_exists: bool,
        by: By,
    ) -> Result<AddedPartitions>;

    /// Replaces partitions, and records the principal that registered a folder outside of the
    /// table's.
    ///
    /// # Errors
    /// As [`Metastore::update_partitions`].
    async fn update_partitions_by(
        &self,
        database: &str,
        table: &str,
        partitions: Vec<PartitionInput>,
        by: By,
    ) -> Result<()>;

    /// Makes all files of writes visible at once, with their tables and partitions. The writes are
    /// closed afterwards. Returns what was done, in the order of the writes.
    ///
    /// # Errors
    /// `Conflict` or `NotFound` if a table is not the expected one any more, `AlreadyExists` for one
    /// that is to be created, `Changed` if a partition cannot be emptied that was registered
    /// meanwhile, `InvalidInput` if a partition has another location meanwhile, or if a write is not
    /// open. All writes stay open then.
    async fn commit_writes(&self, writes: Vec<(WriteId, CommitWrite)>) -> Result<Vec<Committed>>;

    /// Commits one write.
    ///
    /// # Errors
    /// As [`Self::commit_writes`].
    async fn commit_write(&self, id: WriteId, commit: CommitWrite) -> Result<Committed> {
        let mut committed = self.commit_writes(vec![(id, commit)]).await?;
        committed
            .pop()
            .ok_or_else(|| CatalogError::Storage("a commit did nothing".to_owned()))
    }

    /// A draft of changes, which has none yet.
    fn draft(&self) -> Arc<dyn Draft>;
}
