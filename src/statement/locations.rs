//! Which LOCATION a principal may register.

use lakegate_catalog::model::Table;

use super::StatementContext;
use crate::error::{Code, Error, Result};
use crate::lake::roots::Location;

impl StatementContext {
    /// Finds a LOCATION under the lake roots, and sees to it that registering it is no way around a grant: data of a table belongs to
    /// those who may select all of that table.
    ///
    /// `own`: the id of the table that the location is for. Administrators may register whatever lies under a root.
    ///
    /// Errors: the location is under no root, or overlaps that of a table which the principal may not read in full.
    pub(super) async fn locate(&self, location: &str, own: Option<i64>) -> Result<Location> {
        let wanted = self.roots.locate(location)?;
        if self.access().is_administrator() {
            return Ok(wanted);
        }
        for database in self.view.metastore.databases().await? {
            for table in self.view.metastore.tables(&database.name).await? {
                if Some(table.id) != own
                    && self.overlaps(&wanted, &table)
                    && !self.reads_all(&table)
                {
                    // The table is not named: it may be one that does not exist for the principal.
                    return Err(Error::new(
                        Code::PermissionDenied,
                        format!("permission denied for location '{location}': data of a table lies there that you may not read in full"),
                    )
                    .with_hint("an administrator can register it, or grant SELECT on the table whose data it is"));
                }
            }
        }
        Ok(wanted)
    }

    /// Whether one of the two folders holds the other.
    fn overlaps(&self, wanted: &Location, table: &Table) -> bool {
        let Some(location) = table.storage_descriptor.location.as_deref() else {
            return false;
        };
        // What lies under no root (any more) cannot be read through the new table either.
        let Ok(other) = self.roots.locate(location) else {
            return false;
        };
        let (wanted, other) = (folder(wanted), folder(&other));
        wanted.starts_with(&other) || other.starts_with(&wanted)
    }

    fn reads_all(&self, table: &Table) -> bool {
        self.access()
            .table(&table.database_name, &table.name, &table.column_names())
            .is_some_and(|access| access.selects_all())
    }
}

/// The URL of a folder, the same for every way to write it.
fn folder(location: &Location) -> String {
    let url = location.root.display_path(&location.path);
    format!("{}/", url.trim_end_matches('/'))
}
