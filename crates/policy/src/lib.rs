//! A principal's view of the catalog: the databases, tables and columns that were granted, and nothing else.
//!
//! Names are resolved here and nowhere else, so that `SELECT *`, listings, DESCRIBE, EXPLAIN and error texts
//! agree without each being taught. What never happens: a plan that holds a column its principal may not
//! select, or a table that its policy has not passed.

mod catalog;

mod path;

pub mod snapshots;
mod table;

use std::sync::Arc;

pub use catalog::{PolicyCatalogs, SystemTables};
use lakegate_catalog::access::{Access, ColumnSelection, Privilege, TableAccess};
use lakegate_catalog::model::{Database, Table};
use lakegate_catalog::store::{Control, Metastore};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::folders::Folders;
use lakegate_lake::sight::Sight;
use lakegate_lake::tables::LakeTables;
pub use path::SearchPath;
pub use table::PolicyTable;

/// The catalog as one principal sees it at one moment.
#[derive(Debug, Clone)]
pub struct View {
    pub access: Arc<Access>,
    pub metastore: Arc<dyn Metastore>,
    /// Asked for vacated folders, as of now.
    pub control: Arc<dyn Control>,
    pub tables: LakeTables,
    pub folders: Folders,
}

/// A table and what the principal may do with it.
#[derive(Debug, Clone)]
pub struct Visible {
    pub table: Arc<Table>,
    /// What is granted, and of that what the tables allow to which files of this one belong.
    pub access: TableAccess,
    /// Where files of it belong to another table: what is granted on this one alone.
    granted: Option<TableAccess>,
    /// Files of it belong to another table of which the principal may not read all.
    pub withheld: bool,
}

impl Visible {
    /// Whether a privilege is granted on the table, and of no use for want of the same on one that its files belong to.
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

    /// Whether files of a table belonged to another one that went by the hand of a user who could not read it: they are not this one's
    /// for that. Administrators decide who may use the folder.
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

    /// The other tables that files of a table may belong to.
    pub async fn owners(&self, table: &Table) -> Result<Vec<Arc<Table>>> {
        let index = self.folders.index(self.metastore.as_ref()).await?;
        Ok(index.owners(table))
    }

    fn granted(&self, table: &Table) -> Option<TableAccess> {
        self.access.on_table(table)
    }
}

/// The error of a right that is granted on a table, and is missing on one that its files belong to. That one is not named: it may be
/// one that does not exist for the principal.
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

/// The same words for a database that is not there and one that is not granted.
pub fn database_not_found(name: &str) -> Error {
    Error::new(
        Code::SchemaNotFound,
        format!("schema \"{name}\" does not exist"),
    )
    .with_hint("SHOW DATABASES lists those you may see")
}
