//! Which locations a principal may register.
//!
//! A table gives access to the files in its folders. Registering a folder therefore needs
//! DATA_LOCATION on it, and files that are already in a table's folder stay subject to the grants
//! on the table that had them first ([`lakegate_lake::table::folders`]).

use std::sync::Arc;

use lakegate_catalog::access::{Privilege, Resource};
use lakegate_catalog::model::{Database, Table};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::roots::Location;
use lakegate_lake::table::folders::FolderIndex;

use super::StatementContext;

/// What a LOCATION is registered for.
#[derive(Debug, Clone, Copy)]
pub(super) enum For<'a> {
    Database,
    /// A new table of a database.
    NewTable(&'a Database),
    /// A new location of an existing table.
    Table(&'a Table, &'a Database),
    /// A partition of a table.
    Partition(&'a Table),
    /// Files of no table.
    Unload,
}

impl StatementContext {
    /// Resolves a LOCATION under the lake roots, and checks that the principal may register it.
    /// Administrators may register any. Others need DATA_LOCATION on it, except below the location
    /// of a database in which they may create tables, and, for a partition, in its table's folder.
    ///
    /// # Errors
    ///
    /// The location is under no root; the principal may not use it; it overlaps the data of a table
    /// that the principal may not read in full.
    pub(super) async fn register(&self, location: &str, target: For<'_>) -> Result<Location> {
        let wanted = self.roots.locate(location)?;
        if self.access().is_administrator() {
            return Ok(wanted);
        }
        let folder = wanted.folder()?;
        let granted = self.access().can_use_location(&folder);
        // Before the vacated folders: a table that is not in the index any more is among them.
        let index = self.folders().await?;
        if !granted && !self.is_own(&folder, target) {
            return Err(self.location_denied(location));
        }
        let own = match target {
            For::Table(table, _) | For::Partition(table) => Some(table.id),
            For::Database | For::NewTable(_) | For::Unload => None,
        };
        for (table, _) in index.overlapping(&folder) {
            if Some(table.id) == own || self.reads_all(table).await? {
                continue;
            }
            if !granted {
                return Err(self.location_denied(location));
            }
            // The error does not name the table: it may not exist for the principal.
            return Err(Error::new(
                Code::PermissionDenied,
                format!("permission denied for location '{location}': data of a table lies there that you may not read in full"),
            )
            .with_hint("an administrator can register it, or grant SELECT on the table whose data it is"));
        }
        Ok(wanted)
    }

    fn location_denied(&self, location: &str) -> Error {
        let asked = format!("{}/", location.trim_end_matches('/'));
        self.denied(Privilege::DataLocation, &Resource::Location(asked))
    }

    /// Whether a folder needs no DATA_LOCATION. It is below the folder of a database in which the
    /// principal may create tables, and no table was removed from it by a user who could not read
    /// that table; or it is in the folder of the partition's own table.
    fn is_own(&self, folder: &str, target: For<'_>) -> bool {
        let within = |location: Option<&String>| {
            let located = location.map(|location| self.roots.locate(location));
            let holder = located.and_then(|located| located.and_then(|l| l.folder()).ok());
            holder.is_some_and(|holder| folder != holder && folder.starts_with(&holder))
        };
        match target {
            For::Database | For::Unload => false,
            For::Partition(table) => within(table.storage_descriptor.location.as_ref()),
            For::NewTable(database) | For::Table(_, database) => {
                let location = database.location_uri.as_ref();
                let vacated = self.control.vacated();
                let overlaps = |old: &String| old.starts_with(folder) || folder.starts_with(old);
                self.access().can_create_table(&database.name)
                    && within(location.filter(|location| !location.is_empty()))
                    && !vacated.keys().any(overlaps)
            }
        }
    }

    /// Whether the principal may read all of a table's rows and columns.
    pub(super) async fn reads_all(&self, table: &Arc<Table>) -> Result<bool> {
        let visible = self.view.visible(Arc::clone(table)).await?;
        Ok(visible.is_some_and(|visible| visible.access.selects_all()))
    }

    /// The index of the folders of all tables.
    pub(super) async fn folders(&self) -> Result<Arc<FolderIndex>> {
        let metastore = self.view.metastore.as_ref();
        self.view.folders.index(metastore).await
    }

    /// Called before a table gives up folders (`None`: all of its own). If the principal cannot
    /// read the table, the folders are recorded as vacated: otherwise anybody who may create tables
    /// there could read the data that was hidden from them.
    pub(super) async fn leave(
        &self,
        table: &Arc<Table>,
        locations: Option<Vec<String>>,
    ) -> Result<()> {
        if self.reads_all(table).await? {
            return Ok(());
        }
        let folders: Vec<String> = match locations {
            None => {
                let index = self.folders().await?;
                index
                    .of(table)
                    .iter()
                    .map(|folder| folder.url.to_string())
                    .collect()
            }
            // A folder under no configured root cannot be registered anyway.
            Some(locations) => locations
                .iter()
                .filter_map(|location| self.roots.locate(location).and_then(|l| l.folder()).ok())
                .collect(),
        };
        if !folders.is_empty() {
            self.control.vacate(folders).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
