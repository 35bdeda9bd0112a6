//! A principal's view of the catalog: the granted databases, tables and columns, and nothing else.
//!
//! Names are resolved here and nowhere else, so `SELECT *`, listings, DESCRIBE, EXPLAIN and error
//! messages agree. Invariant: no plan holds a column that its principal may not select, or a table
//! that did not pass its policy.

mod catalog;
mod origins;
mod partitions_table;
mod path;
pub mod snapshots;
mod sql_view;
mod table;
mod temporary;
mod temporary_table;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use catalog::{PolicyCatalogs, SystemTables};
use lakegate_catalog::access::{Access, ColumnSelection, Privilege, TableAccess};
use lakegate_catalog::model::names::{TEMPORARY_SCHEMA, is_temporary};
use lakegate_catalog::model::{Database, Table};
use lakegate_catalog::store::{Control, Metastore};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::sight::Sight;
use lakegate_lake::table::LakeTables;
use lakegate_lake::table::folders::Folders;
pub use origins::{ColumnOrigin, column_origins};
pub use path::SearchPath;
pub use sql_view::{PolicyView, ViewQueries};
pub use table::PolicyTable;
pub use temporary::{AtCommit, TEMPORARY_DATABASE, Temporary, TemporaryRelation};
pub use temporary_table::{TemporaryPart, TemporaryRows};

/// The catalog as one principal sees it at one moment.
#[derive(Debug, Clone)]
pub struct View {
    pub access: Arc<Access>,
    pub metastore: Arc<dyn Metastore>,
    /// Queried for vacated folders, as of now.
    pub control: Arc<dyn Control>,
    pub tables: LakeTables,
    pub folders: Folders,
    /// The view whose query these tables are read for, if the principal of the session is not to
    /// learn about them.
    pub sealed_by: Option<Arc<str>>,
    /// The temporary tables and views of the session, as far as the statement sees them.
    pub temporary: Arc<Temporary>,
}

/// A table and what the principal may do with it.
#[derive(Debug, Clone)]
pub struct Visible {
    pub table: Arc<Table>,
    /// The effective access: the grants on this table, limited by the access to the other tables
    /// that some of its files belong to.
    pub access: TableAccess,
    /// The grants on this table alone, if other tables limit `access`.
    granted: Option<TableAccess>,
    /// Whether some of its files belong, or belonged, to another table that the principal may not
    /// read in full.
    pub withheld: bool,
}

impl Visible {
    /// Returns whether a privilege is granted on the table but has no effect, because the principal
    /// lacks it on a table that its files belong to.
    pub fn lacks(&self, privilege: Privilege) -> bool {
        let holds = |access: &TableAccess| match privilege {
            Privilege::Select => access.select != ColumnSelection::None,
            Privilege::Insert => access.insert,
            Privilege::Delete => access.delete,
            Privilege::Alter => access.alter,
            _ => true,
        };
        self.granted.as_ref().is_some_and(holds) && !holds(&self.access)
    }
}

impl Visible {
    /// Returns whether the table or view belongs to the session, and is not in the catalog.
    pub fn is_temporary(&self) -> bool {
        self.table.database_name == TEMPORARY_SCHEMA
    }

    /// Returns whether the principal may read the query of a view, which may name tables and
    /// columns that are not granted to it: the privilege to change the view is needed.
    pub fn shows_definition(&self) -> bool {
        let mut columns = self.table.columns();
        self.access.alter && columns.all(|column| self.access.is_visible(&column.name))
    }

    /// Returns what the principal may learn about the table's files and partitions: everything if
    /// every column and partition key may be selected.
    pub fn sight(&self) -> Sight {
        let name = self.table.full_name();
        let selected = self.access.selected_columns();
        let mut columns = self.table.columns();
        if columns.all(|column| selected.contains(column.name.as_str())) {
            Sight::whole(name)
        } else {
            Sight::part(name)
        }
    }
}

impl View {
    /// Returns the databases visible to the principal, by name.
    ///
    /// # Errors
    ///
    /// The metastore fails.
    pub async fn databases(&self) -> Result<Vec<Arc<Database>>> {
        let mut databases = self.metastore.databases().await?;
        databases.retain(|database| self.access.database_visible(&database.name));
        Ok(databases)
    }

    /// Returns a database; `None` if it does not exist or is not visible to the principal.
    ///
    /// # Errors
    ///
    /// The metastore fails.
    pub async fn database(&self, name: &str) -> Result<Option<Arc<Database>>> {
        if !self.access.database_visible(name) {
            return Ok(None);
        }
        Ok(self.metastore.database(name).await?)
    }

    /// Returns a database that must exist.
    ///
    /// # Errors
    ///
    /// The database does not exist, or is not visible to this principal.
    pub async fn require_database(&self, name: &str) -> Result<Arc<Database>> {
        self.database(name)
            .await?
            .ok_or_else(|| database_not_found(name))
    }

    /// Returns the tables and views of a database that are visible to the principal, by name.
    ///
    /// # Errors
    ///
    /// The database does not exist for the principal, or the metastore fails.
    pub async fn tables(&self, database: &str) -> Result<Vec<Visible>> {
        self.tables_where(database, &|_| true).await
    }

    /// Returns those of the tables and views that are `wanted`.
    ///
    /// # Errors
    ///
    /// As [`Self::tables`].
    pub async fn tables_where(
        &self,
        database: &str,
        wanted: &(dyn Fn(&Table) -> bool + Sync),
    ) -> Result<Vec<Visible>> {
        self.require_database(database).await?;
        let mut tables = self.metastore.tables(database).await?;
        tables.retain(|table| wanted(table));
        let mut visible = Vec::with_capacity(tables.len());
        for table in tables {
            visible.extend(self.visible(table).await?);
        }
        Ok(visible)
    }

    /// Returns those of the tables and views of these ids that are visible to the principal, in the
    /// order of their databases and names.
    ///
    /// # Errors
    ///
    /// The metastore fails.
    pub async fn tables_of_ids(&self, ids: &BTreeSet<i64>) -> Result<Vec<Visible>> {
        let mut tables = self.metastore.tables_of_ids(ids).await?;
        tables.retain(|table| self.access.database_visible(&table.database_name));
        tables.sort_by_cached_key(|table| (table.database_name.clone(), table.name.clone()));
        let mut visible = Vec::with_capacity(tables.len());
        for table in tables {
            visible.extend(self.visible(table).await?);
        }
        Ok(visible)
    }

    /// Returns a table with the principal's access; `None` if it does not exist or is not visible to
    /// the principal.
    ///
    /// # Errors
    ///
    /// The metastore fails.
    pub async fn table(&self, database: &str, name: &str) -> Result<Option<Visible>> {
        if is_temporary(database) {
            return Ok(self.temporary.visible(name));
        }
        match self.metastore.table(database, name).await? {
            Some(table) => self.visible(table).await,
            None => Ok(None),
        }
    }

    /// Returns the table with the principal's access, or `None` if it is not visible to the
    /// principal.
    ///
    /// # Errors
    ///
    /// The metastore fails.
    pub async fn visible(&self, table: Arc<Table>) -> Result<Option<Visible>> {
        let Some(access) = self.granted(&table) else {
            return Ok(None);
        };
        let mut visible = Visible {
            granted: None,
            withheld: false,
            access,
            table,
        };
        if self.access.is_administrator() {
            return Ok(Some(visible));
        }
        for owner in self.owners(&visible.table).await? {
            let of_owner = self.granted(&owner);
            let granted = visible.access.clone();
            visible.granted.get_or_insert(granted);
            visible.access.limit(of_owner.as_ref());
            visible.withheld |= !of_owner.is_some_and(|access| access.selects_all());
        }
        if self.was_vacated(&visible.table).await? {
            let granted = visible.access.clone();
            visible.granted.get_or_insert(granted);
            visible.access.limit(None);
            visible.withheld = true;
        }
        Ok(Some(visible))
    }

    /// Returns whether another table was removed from folders of this one by a user without the
    /// right to read it.
    /// Its files must not become readable through this table, unless an administrator registered
    /// the folder or the principal may use it.
    async fn was_vacated(&self, table: &Table) -> Result<bool> {
        let vacated = self.control.vacated();
        if vacated.is_empty() {
            return Ok(false);
        }
        let index = self.folders.index(self.metastore.as_ref()).await?;
        let mut guests = index.of(table).iter();
        Ok(guests.any(|folder| {
            !folder.claim.by_administrator
                && vacated.iter().any(|(url, since)| {
                    folder.claim.since <= *since
                        && (url.starts_with(&*folder.url) || folder.url.starts_with(url.as_str()))
                        && !self.access.can_use_location(url)
                })
        }))
    }

    /// Returns the other tables that files of a table may belong to.
    ///
    /// # Errors
    ///
    /// The metastore fails.
    pub async fn owners(&self, table: &Table) -> Result<Vec<Arc<Table>>> {
        let index = self.folders.index(self.metastore.as_ref()).await?;
        Ok(index.owners(table))
    }

    fn granted(&self, table: &Arc<Table>) -> Option<TableAccess> {
        self.access.on_table(table)
    }
}

/// Builds the error for a privilege that is granted on a table but missing on a table that its
/// files belong to. It does not name the latter, which may be hidden from the principal.
pub fn limited(table: &Table, privilege: Privilege) -> Error {
    Error::new(
        Code::PermissionDenied,
        format!(
            "permission denied for table {}: its files belong to another table, on which {privilege} is needed too",
            table.full_name()
        ),
    )
    .with_hint("an administrator can grant it on all of that table, or give this one a folder of its own")
}

/// Builds the error for a table or view of which no column may be selected.
fn no_column_is_granted(name: &str) -> Error {
    Error::new(
        Code::PermissionDenied,
        format!("permission denied for table {name}"),
    )
    .with_hint("SELECT has to be granted on the table or on columns of it")
}

/// Builds the error for a database that is missing or not granted; the message is the same.
pub fn database_not_found(name: &str) -> Error {
    Error::new(
        Code::SchemaNotFound,
        format!("schema \"{name}\" does not exist"),
    )
    .with_hint("SHOW DATABASES lists those you may see")
}
