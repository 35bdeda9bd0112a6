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
use crate::lake::sight::Sight;
use crate::lake::tables::LakeTables;

/// The catalog as one principal sees it at one moment.
#[derive(Debug, Clone)]
pub struct View {
    pub access: Arc<Access>,
    pub metastore: Arc<dyn Metastore>,
    pub tables: LakeTables,
}

/// A table and what the principal may do with it.
#[derive(Debug, Clone)]
pub struct Visible {
    pub table: Arc<Table>,
    pub access: TableAccess,
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
        Ok(tables
            .into_iter()
            .filter_map(|table| self.visible(table))
            .collect())
    }

    pub async fn table(&self, database: &str, name: &str) -> Result<Option<Visible>> {
        Ok(self
            .metastore
            .table(database, name)
            .await?
            .and_then(|table| self.visible(table)))
    }

    fn visible(&self, table: Arc<Table>) -> Option<Visible> {
        let access = self
            .access
            .table(&table.database_name, &table.name, &table.column_names())?;
        Some(Visible { table, access })
    }
}

/// The same words for a database that is not there and one that is not granted.
pub fn database_not_found(name: &str) -> Error {
    Error::new(
        Code::SchemaNotFound,
        format!("schema \"{name}\" does not exist"),
    )
    .with_hint("SHOW DATABASES lists those you may see")
}
