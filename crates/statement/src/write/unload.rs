//! Planning of UNLOAD: which folder the rows of a query go to, as files of no table.

use arrow::datatypes::Schema;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_catalog::store::WriteId;
use lakegate_error::{Error, Result};
use lakegate_lake::write::columns::Mapping;
use lakegate_lake::write::{Destination, Target, location, sweep};
use lakegate_policy::View;
use lakegate_sql::ast::Unload;

use super::create::{NewTable, holds_files};
use super::new_columns::check_new_columns;
use super::properties::Stored;
use crate::StatementContext;
use crate::locations::For;

/// The name that messages call the rows of UNLOAD by.
const NAME: &str = "unload";

/// An UNLOAD that the principal is allowed to do.
#[derive(Debug, Clone)]
pub struct UnloadPlan {
    /// A table that is in no catalog: it has the folder, the format and the partition keys.
    target: Target,
    pub mapping: Mapping,
    /// The folder as the storage has it.
    folder: String,
}

impl UnloadPlan {
    /// The URL of the folder.
    ///
    /// # Errors
    ///
    /// There is none, which is an internal error.
    pub fn location(&self) -> Result<&str> {
        location(&self.target.table)
    }

    /// Where the rows of a write go.
    ///
    /// # Errors
    ///
    /// As [`Target::destination`].
    pub fn destination(&self, write: WriteId) -> Result<Destination> {
        let destination = self.target.destination(write)?;
        Ok(Destination {
            label: format!("the folder '{}'", destination.url),
            table: None,
            ..destination
        })
    }

    /// Checks that no file is in the folder, and no other write is on its way to it.
    ///
    /// `write`: the own write, which has begun.
    ///
    /// # Errors
    ///
    /// There is one; the store or the catalog.
    pub async fn check_empty(&self, write: WriteId) -> Result<()> {
        let location = self.location()?;
        let found = self.target.roots.locate(location)?;
        for other in self.target.write_log.unfinished_writes().await? {
            let folders = other.locations.iter();
            let mut folders =
                folders.filter_map(|url| self.target.roots.locate(url).ok()?.folder().ok());
            let overlaps = |folder: String| {
                folder.starts_with(&self.folder) || self.folder.starts_with(&folder)
            };
            // Of two that begin at once, the later one gives way.
            if other.id < write && folders.any(overlaps) {
                return Err(not_empty(location));
            }
        }
        // Last, for the files of a write that has ended meanwhile.
        match sweep::is_empty(&found).await? {
            true => Ok(()),
            false => Err(not_empty(location)),
        }
    }

    /// Whether the principal may still write to the folder.
    pub fn may(&self, view: &View) -> bool {
        view.access.can_use_location(&self.folder)
    }
}

fn not_empty(location: &str) -> Error {
    holds_files(location).with_hint("name an empty folder")
}

impl StatementContext {
    /// Checks the folder of an UNLOAD, and defines its files from the columns of the rows.
    ///
    /// # Errors
    ///
    /// The properties; a folder under no lake root, or with files in it; DATA_LOCATION is not
    /// granted on it, or it is the folder of a table to which the principal may not add rows;
    /// columns that the format does not have.
    pub fn plan_unload<'a>(
        &'a self,
        unload: &'a Unload,
        rows: &'a Schema,
    ) -> BoxFuture<'a, Result<UnloadPlan>> {
        async move {
            let stored = Stored::of_unload(&unload.properties, &unload.location)?;
            let Some(url) = stored.location.clone() else {
                return Err(Error::internal("an UNLOAD has no folder"));
            };
            let found = self.register(&unload.location, For::Unload).await?;
            self.check_writable(&unload.location, &found, None).await?;
            let folder = found.folder()?;
            if !sweep::is_empty(&found).await? {
                return Err(not_empty(&unload.location));
            }
            let rows = check_new_columns(&[], &stored.partitioned_by, rows)?;
            let new = NewTable {
                stored,
                comment: None,
            };
            let input = self.define(&new, NAME, &rows, &url)?;
            let (target, mapping) = self.new_target(input, "", &rows)?;
            Ok(UnloadPlan {
                target,
                mapping,
                folder,
            })
        }
        .boxed()
    }
}
