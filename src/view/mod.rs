//! A principal's view of the catalog: the databases, tables and columns that were granted, and nothing else.
//!
//! Names are resolved here and nowhere else, so that `SELECT *`, listings, DESCRIBE, EXPLAIN and error texts
//! agree without each being taught. What never happens: a plan that holds a column its principal may not
//! select, or a table that its policy has not passed.

mod catalog;
pub mod information_schema;
mod path;
pub mod pg_catalog;
pub mod snapshots;
mod table;
pub mod visible;

use std::sync::Arc;

use lakegate_catalog::access::{Access, TableAccess};
use lakegate_catalog::model::{Database, Table};
use lakegate_catalog::store::Metastore;

pub use catalog::{SystemTables, ViewCatalogs};
pub use path::SearchPath;
pub use table::ViewTable;

use crate::error::{Code, Error, Result};
use crate::lake::folders::Folders;
use crate::lake::sight::Sight;
use crate::lake::tables::LakeTables;

/// The catalog as one principal sees it at one moment.
#[derive(Debug, Clone)]
pub struct View {
    pub access: Arc<Access>,
    pub metastore: Arc<dyn Metastore>,
    pub tables: LakeTables,
    pub folders: Folders,
}

/// A table and what the principal may do with it.
#[derive(Debug, Clone)]
pub struct Visible {
    pub table: Arc<Table>,
    /// What is granted, and of that what the tables allow to which files of this one belong.
    pub access: TableAccess,
    /// Files of it belong to another table, and for want of rights on that one something is not allowed that is granted on this.
    pub limited: bool,
}

impl Visible {
    /// What of the table's files and partitions the principal may be told: all of it where every column and partition key may be selected.
    pub fn sight(&self) -> Sight {
        let name = self.table.full_name();
        let mut columns = self.table.columns();
        if columns.all(|column| self.access.can_select(&column.name)) {
            Sight::whole(name)
        } else {
            Sight::part(name)
        }
    }
}

impl View {
    /// The databases that the principal may know of, by name.
    pub async fn databases(&self) -> Result<Vec<Arc<Database>>> {
        let mut databases = self.metastore.databases().await?;
        databases.retain(|database| self.access.database_visible(&database.name));
        Ok(databases)
    }

    pub async fn database(&self, name: &str) -> Result<Option<Arc<Database>>> {
        if !self.access.database_visible(name) {
            return Ok(None);
        }
        Ok(self.metastore.database(name).await?)
    }

    /// Errors: the database does not exist, or not for this principal.
    pub async fn require_database(&self, name: &str) -> Result<Arc<Database>> {
        self.database(name)
            .await?
            .ok_or_else(|| database_not_found(name))
    }

    /// The tables and views of a database that the principal may know of, by name.
    pub async fn tables(&self, database: &str) -> Result<Vec<Visible>> {
        self.require_database(database).await?;
        let tables = self.metastore.tables(database).await?;
        let mut visible = Vec::with_capacity(tables.len());
        for table in tables {
            visible.extend(self.visible(table).await?);
        }
        Ok(visible)
    }

    pub async fn table(&self, database: &str, name: &str) -> Result<Option<Visible>> {
        match self.metastore.table(database, name).await? {
            Some(table) => self.visible(table).await,
            None => Ok(None),
        }
    }

    /// `None`: for this principal the table does not exist.
    pub async fn visible(&self, table: Arc<Table>) -> Result<Option<Visible>> {
        let Some(mut access) = self.granted(&table) else {
            return Ok(None);
        };
        let mut limited = false;
        if !self.access.is_administrator() {
            for owner in self.owners(&table).await? {
                limited |= access.limit(self.granted(&owner).as_ref());
            }
        }
        Ok(Some(Visible {
            table,
            access,
            limited,
        }))
    }

    /// The other tables that files of a table may belong to.
    pub async fn owners(&self, table: &Table) -> Result<Vec<Arc<Table>>> {
        let index = self.folders.index(self.metastore.as_ref()).await?;
        Ok(index.owners(table))
    }

    fn granted(&self, table: &Table) -> Option<TableAccess> {
        let columns = table.column_names();
        self.access
            .table(&table.database_name, &table.name, &columns)
    }
}

/// The error of a right that is granted on a table, and is missing on one that files of it belong to. That one is not named: it may be
/// one that does not exist for the principal.
pub fn limited(table: &Table, privilege: &str) -> Error {
    Error::new(
        Code::PermissionDenied,
        format!(
            "permission denied for table {}: its files belong to another table, on which {privilege} is needed too",
            table.full_name()
        ),
    )
    .with_hint("an administrator can grant it on all of that table, or give this one a folder of its own")
}

/// The same words for a database that is not there and one that is not granted.
pub fn database_not_found(name: &str) -> Error {
    Error::new(
        Code::SchemaNotFound,
        format!("schema \"{name}\" does not exist"),
    )
    .with_hint("SHOW DATABASES lists those you may see")
}
