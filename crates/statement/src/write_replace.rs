//! Writes whose rows take the place of a table's: in a new folder, so that readers of the old files
//! are not disturbed.

use std::sync::Arc;

use arrow::datatypes::Schema;
use lakegate_catalog::access::Privilege;
use lakegate_catalog::model::Table;
use lakegate_catalog::store::{Discarded, Metastore, WriteLog};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::roots::Roots;
use lakegate_lake::table::folders::Folders;
use lakegate_lake::write::{check_append, sweep};
use lakegate_policy::Visible;

use super::StatementContext;
use super::rights::sees_all_columns;
use super::write::{NewTable, WritePlan, fresh, version_of};

impl StatementContext {
    /// Plans to redefine a table by the columns of the rows that take the place of its own.
    ///
    /// # Errors
    ///
    /// It is a view; a missing privilege; a location is asked for; files of another table lie in
    /// its folder; columns that tables do not have.
    pub(super) async fn plan_replace(
        &self,
        new: &NewTable,
        found: &Visible,
        rows: &Schema,
    ) -> Result<WritePlan> {
        self.require_insert(found)?;
        if !found.access.delete {
            return Err(self.denied_on(found, Privilege::Delete));
        }
        if !found.access.alter || !sees_all_columns(found) {
            return Err(self.denied_on(found, Privilege::Alter));
        }
        if let Some(location) = &new.stored.location {
            return Err(Error::not_supported(format!(
                "a table that is replaced gets a folder of its own, and location '{location}' is asked for; leave it out"
            )));
        }
        let old = &found.table;
        let (location, discard) = self.new_home(old).await?;
        let mut input = self.define(new, &old.name, rows, &location)?;
        if new.comment.is_none() {
            input.description = old.description.clone();
        }
        input.owner = old.owner.clone();
        let expected = Some(version_of(old));
        self.new_table(&old.database_name, input, rows, expected, discard)
    }

    /// Plans to put rows in the place of those of a table without partition keys. Its definition
    /// stays.
    ///
    /// # Errors
    ///
    /// The table has partition keys; DELETE is not granted, or a column is hidden; files of its
    /// format are not written, or those of another table lie in its folder; the rows do not fit.
    pub(super) async fn plan_overwrite(&self, found: &Visible, rows: &Schema) -> Result<WritePlan> {
        let old = &found.table;
        if !found.access.delete {
            return Err(self.denied_on(found, Privilege::Delete));
        }
        if !sees_all_columns(found) {
            return Err(self.denied_on(found, Privilege::Select));
        }
        if !old.partition_keys.is_empty() {
            return Err(Error::not_supported(format!(
                "INSERT OVERWRITE of a partitioned table is not supported, and {} is partitioned",
                old.full_name()
            ))
            .with_hint("drop the partitions and INSERT INTO, or CREATE OR REPLACE TABLE .. AS with all rows"));
        }
        check_append(old)?;
        let (location, discard) = self.new_home(old).await?;
        let mut input = old.to_input();
        input.storage_descriptor.location = Some(location);
        let expected = Some(version_of(old));
        let mut plan = self.new_table(&old.database_name, input, rows, expected, discard)?;
        plan.keeps_columns = true;
        Ok(plan)
    }

    /// A new folder for a table whose rows are replaced, and its folders until now.
    ///
    /// # Errors
    ///
    /// Files of another table lie in its folder; the new one would be in the folder of a table that
    /// the principal may not write.
    async fn new_home(&self, old: &Arc<Table>) -> Result<(String, Vec<String>)> {
        let index = self.folders().await?;
        let folders: Vec<String> = index
            .of(old)
            .iter()
            .map(|folder| folder.url.to_string())
            .collect();
        if !self.view.owners(old).await?.is_empty() {
            return Err(Error::new(
                Code::InvalidTable,
                format!("table {} cannot be replaced: files of another table lie in its folder or around it", old.full_name()),
            )
            .with_hint("drop it, which leaves all files where they are, and create it anew"));
        }
        // Files that Lakegate did not write stay in place.
        self.leave(old, None).await?;
        let database = self.view.require_database(&old.database_name).await?;
        let base = self.base(&database.name, database.location_uri.as_deref())?;
        let location = fresh(&base, &old.name);
        let found = self.roots.locate(&location)?;
        self.check_writable(&base, &found, Some(old.id)).await?;
        Ok((location, folders))
    }
}

/// Deletes the files that Lakegate wrote to a table that has been replaced, except in folders that
/// are in use again.
///
/// # Errors
///
/// The store or the catalog failed; the call can be repeated.
pub async fn clear_discarded(
    metastore: &dyn Metastore,
    write_log: &dyn WriteLog,
    folders: &Folders,
    roots: &Roots,
    discarded: &Discarded,
) -> Result<()> {
    let index = folders.index(metastore).await?;
    for location in &discarded.locations {
        let folder = roots.locate(location)?;
        match index.overlapping(&folder.folder()?).next() {
            Some((table, _)) => tracing::warn!(
                location,
                table = table.full_name(),
                "the files of a replaced table stay: another table is in their folder"
            ),
            None => {
                let files = sweep::remove_written(&folder, &discarded.files).await?;
                tracing::info!(location, files, "the files of a replaced table are deleted");
            }
        }
    }
    write_log.forget_discarded(discarded.id).await?;
    Ok(())
}
