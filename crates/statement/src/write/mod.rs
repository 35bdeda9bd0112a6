//! Planning of writes: which table rows are appended to, created in or replace, and whether the
//! principal may do it.
//!
//! ```text
//! query.rs       CREATE TABLE AS, INSERT: the query's columns and the table's
//! types.rs       which types are stored in which
//! create.rs      the tables that writes create; properties.rs: what WITH says of them
//! replace.rs     tables and partitions in new folders
//! removal.rs     DELETE and TRUNCATE; delete.rs: the query that counts the rows
//! unload.rs      UNLOAD, files without a table
//! returning.rs   RETURNING of an INSERT
//! ```

mod create;
mod delete;
pub(crate) mod new_columns;
pub(crate) mod properties;
pub(crate) mod query;
mod removal;
mod replace;
mod returning;
pub(crate) mod types;
mod unload;

use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::Schema;
use lakegate_catalog::access::{By, Privilege};
use lakegate_catalog::model::{Table, TableInput};
use lakegate_catalog::partition::{PartitionInput, canonical_key, new_location};
use lakegate_catalog::store::{CommitWrite, ExpectedTable, RetiredFolders, WriteId};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::table::table_schema;
use lakegate_lake::write::columns::Mapping;
use lakegate_lake::write::{Layout, RowOrder, Target, Written, check_append, location};
use lakegate_policy::{View, Visible};
use lakegate_sql::ast::TableName;

use self::create::NewTable;
pub use self::query::QueryWrite;
pub use self::removal::{Found, RemovalPlan};
pub use self::replace::clear_discarded;
pub use self::returning::ReturnedRows;
pub use self::unload::UnloadPlan;
use crate::StatementContext;
use crate::rights::{require_lasting, require_partition_keys, sees_all_columns, table_not_found};

/// What to do if the table does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    Fail,
    Create,
}

/// What to do if the table exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    Fail,
    Append,
    /// The table is redefined by the written rows, in a folder of its own. The old files are
    /// deleted after the commit.
    Replace,
}

/// The target of a write.
#[derive(Debug, Clone)]
pub struct WriteRequest {
    pub table: TableName,
    pub if_missing: IfMissing,
    pub if_exists: IfExists,
    /// Columns that a new table is partitioned by, in order.
    pub partitioned_by: Vec<String>,
    /// The folder of a new table; `None` for one in its database's folder.
    pub location: Option<String>,
}

/// A write that the principal is allowed to do.
#[derive(Debug, Clone)]
pub struct WritePlan {
    pub target: Target,
    pub mapping: Mapping,
    expected: Option<ExpectedTable>,
    definition: Option<TableInput>,
    discard: Vec<String>,
    /// Of a write that replaces partitions: those that it empties even if no row is theirs.
    pub(super) emptied: Vec<Vec<String>>,
    /// All other partitions are emptied as well, those included that are registered until the commit.
    pub(super) empties_rest: bool,
    /// The definition changes only where the files are.
    pub(super) keeps_columns: bool,
    /// No rows are written: the table's go, for which INSERT is not needed.
    pub(super) only_empties: bool,
}

impl WritePlan {
    /// The commit of the write `id`, which makes the written rows visible. The creator of a table is
    /// granted everything on it in the same commit.
    ///
    /// # Errors
    ///
    /// A partition that is emptied has a value that is not of its key's type.
    pub fn commit(&self, id: WriteId, written: Written, by: By) -> Result<CommitWrite> {
        let table = &self.target.table;
        let mut partitions = written.partitions;
        let mut replaces = Vec::new();
        if self.target.replaces {
            let empty = self.left_empty(id, &partitions)?;
            partitions.extend(empty);
            replaces.clone_from(&self.emptied);
            let new = partitions.iter();
            replaces.extend(new.map(|partition| partition.values.clone()));
            replaces.sort_unstable();
            replaces.dedup();
        }
        Ok(CommitWrite {
            database: table.database_name.clone(),
            table: table.name.clone(),
            expected: self.expected,
            definition: self.definition.clone(),
            partitions,
            files: written.files,
            discard: self.discard.clone(),
            replaces,
            empties_rest: self.empties_rest,
            by,
        })
    }

    /// The partitions that the write empties and has no row for, with new folders. `written`: those
    /// that it has rows for.
    fn left_empty(&self, id: WriteId, written: &[PartitionInput]) -> Result<Vec<PartitionInput>> {
        let Some(known) = &self.target.partitions else {
            return Ok(Vec::new());
        };
        let keys = &known.keys;
        let home = location(&self.target.table)?;
        let mut filled = HashSet::with_capacity(written.len());
        for partition in written {
            filled.insert(canonical_key(keys, &partition.values)?);
        }
        let mut empty = Vec::with_capacity(self.emptied.len());
        for values in &self.emptied {
            if filled.is_empty() || !filled.contains(&canonical_key(keys, values)?) {
                let folder = new_location(home, keys, values, id);
                empty.push(PartitionInput::at(values.iter().cloned(), folder));
            }
        }
        Ok(empty)
    }

    /// The order that the rows have to come in; `None`: any.
    pub fn order(&self) -> Option<RowOrder> {
        RowOrder::new(&self.target.layout, &self.mapping)
    }

    /// Whether the principal still holds the privileges that the write was planned with.
    ///
    /// # Errors
    ///
    /// The catalog failed.
    pub async fn may(&self, view: &View) -> Result<bool> {
        let table = &self.target.table;
        let (database, name) = (&table.database_name, &table.name);
        if self.expected.is_none() {
            return Ok(view.access.can_create_table(database));
        }
        let found = view.table(database, name).await?;
        Ok(found.is_some_and(|found| {
            let access = &found.access;
            let replaces = access.delete && (self.keeps_columns || access.alter);
            let appends = self.definition.is_none() && !self.target.replaces;
            let adds = access.insert || (self.only_empties && sees_all_columns(&found));
            adds && (appends || replaces)
        }))
    }
}

impl StatementContext {
    /// Finds the table of a write, or defines it from the columns of the rows.
    ///
    /// # Errors
    ///
    /// The table exists or does not, contrary to the request; it is a view, or not Parquet; a
    /// missing privilege; columns that the table does not have, or of other types; no folder for a
    /// new table.
    pub fn plan_write<'a>(
        &'a self,
        request: &'a WriteRequest,
        rows: &'a Schema,
    ) -> BoxFuture<'a, Result<WritePlan>> {
        async move {
            let found = self.find_table(&request.table).await?;
            found.as_ref().map_or(Ok(()), require_lasting)?;
            match found {
                None if request.if_missing == IfMissing::Fail => {
                    Err(table_not_found(&request.table))
                }
                None => {
                    let new = NewTable::of(request);
                    self.plan_create(&request.table, &new, rows).await
                }
                Some(found) if request.if_exists == IfExists::Fail => {
                    Err(table_exists(&found.table)
                        .with_hint("append to it, replace it, or choose another name"))
                }
                Some(found) if request.if_exists == IfExists::Append => {
                    self.require_insert(&found)?;
                    self.plan_append(&found, rows).await
                }
                Some(found) => {
                    let new = NewTable::of(request);
                    self.plan_replace(&new, &found, rows).await
                }
            }
        }
        .boxed()
    }

    /// # Errors
    ///
    /// The relation is a view; INSERT is not granted.
    pub(super) fn require_insert(&self, found: &Visible) -> Result<()> {
        let table = &found.table;
        if table.is_view() {
            return Err(Error::not_supported(format!(
                "{} is a view; rows are written to tables only",
                table.full_name()
            )));
        }
        match found.access.insert {
            true => Ok(()),
            false => Err(self.denied_on(found, Privilege::Insert)),
        }
    }

    /// Plans to add rows to a table, whose columns they have by name.
    ///
    /// # Errors
    ///
    /// A partition key is hidden; files of the table's format are not written; columns that the
    /// table does not have, or of other types.
    pub(super) async fn plan_append(&self, found: &Visible, rows: &Schema) -> Result<WritePlan> {
        let table = Arc::clone(&found.table);
        require_partition_keys(found)?;
        check_append(&table)?;
        let name = table.full_name();
        let layout = Layout::of_table(&table).map_err(|error| match sees_all_columns(found) {
            true => error,
            // It may name a hidden column.
            false => Error::not_supported(format!(
                "rows cannot be sorted as table {name} asks for, so none are added to it"
            )),
        })?;
        let schema = table_schema(&table)?;
        let mut mapping = Mapping::new(&name, &schema, rows, |column| {
            found.access.is_visible(column)
        })?;
        let is_hidden = |column: &str| !found.access.is_visible(column);
        if (table.columns()).any(|column| column.is_required() && is_hidden(&column.name)) {
            // The error of a row would name it.
            return Err(Error::not_supported(format!(
                "rows cannot be complete as table {name} asks for, so none are added to it"
            )));
        }
        constrain(&mut mapping, &table);
        let (partitions, retired) = if table.partition_keys.is_empty() {
            (None, RetiredFolders::default())
        } else {
            let metastore = &self.view.metastore;
            let known = metastore.partitions(&table.database_name, &table.name);
            (Some(known.await?), self.write_log.retired_folders().await?)
        };
        Ok(WritePlan {
            expected: Some(version_of(&table)),
            definition: None,
            discard: Vec::new(),
            emptied: Vec::new(),
            empties_rest: false,
            keeps_columns: true,
            only_empties: false,
            mapping,
            target: Target {
                table,
                partitions,
                roots: Arc::clone(&self.roots),
                retired: Arc::new(retired),
                replaces: false,
                write_log: Arc::clone(&self.write_log),
                layout: Arc::new(layout),
            },
        })
    }

    pub(super) fn new_table(
        &self,
        database: &str,
        input: TableInput,
        rows: &Schema,
        expected: Option<ExpectedTable>,
        discard: Vec<String>,
    ) -> Result<WritePlan> {
        let (target, mapping) = self.new_target(input.clone(), database, rows)?;
        Ok(WritePlan {
            target,
            mapping,
            expected,
            definition: Some(input),
            discard,
            emptied: Vec::new(),
            empties_rest: false,
            keeps_columns: false,
            only_empties: false,
        })
    }
}

/// Makes rows errors that the columns of a table do not allow: those without a value where it is NOT
/// NULL, and with texts and decimals that are longer than its type.
pub(super) fn constrain(mapping: &mut Mapping, table: &Table) {
    let columns = table.columns().enumerate();
    let required = columns.filter(|(_, column)| column.is_required());
    mapping.require(&table.name, required.map(|(place, _)| place).collect());
    mapping.declare(table.columns().map(|column| column.data_type.parse().ok()));
}

/// The error for a table that is to be created and exists.
pub(super) fn table_exists(table: &Table) -> Error {
    Error::new(
        Code::DuplicateTable,
        format!("table \"{}\" already exists", table.full_name()),
    )
}

pub(super) fn version_of(table: &Table) -> ExpectedTable {
    ExpectedTable {
        id: table.id,
        version: table.version_id,
    }
}
