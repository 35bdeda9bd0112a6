//! Writes whose rows take the place of a table's: in a new folder, so that readers of the old files
//! are not disturbed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use arrow::datatypes::Schema;
use lakegate_catalog::access::Privilege;
use lakegate_catalog::model::Table;
use lakegate_catalog::partition::projection;
use lakegate_catalog::store::{Discarded, Metastore, WriteId, WriteLog};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::roots::Roots;
use lakegate_lake::table::folders::Folders;
use lakegate_lake::write::{check_append, sweep};
use lakegate_policy::Visible;

use super::create::{NewTable, fresh};
use super::{WritePlan, version_of};
use crate::StatementContext;
use crate::rights::sees_all_columns;

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

    /// Plans to put rows in the place of those of a table, or of the partitions that get rows. Its
    /// definition stays.
    ///
    /// # Errors
    ///
    /// DELETE is not granted, or a column is hidden; partitions are projected; files of the table's
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
            return self.plan_overwrite_partitions(found, rows).await;
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

    /// Plans to replace the partitions that get rows, by ones in new folders below the table's.
    async fn plan_overwrite_partitions(&self, found: &Visible, rows: &Schema) -> Result<WritePlan> {
        let old = &found.table;
        if projection::is_enabled(&old.parameters) {
            return Err(Error::not_supported(format!(
                "INSERT OVERWRITE does not replace projected partitions, whose folders table {} fixes by its properties",
                old.full_name()
            ))
            .with_hint("INSERT INTO adds rows; CREATE TABLE .. AS with all rows makes another table"));
        }
        let mut plan = self.plan_append(found, rows).await?;
        if let Some(partitions) = &plan.target.partitions {
            // Those that are replaced may lie outside of the table's folder, which it keeps.
            let home = old.storage_descriptor.location.as_deref();
            let outside = partitions
                .items
                .iter()
                .filter(|partition| !home.is_some_and(|home| partition.is_below(home)))
                .map(|partition| partition.location(&partitions.keys));
            let outside: Vec<String> = outside.collect();
            if !outside.is_empty() {
                self.leave(old, Some(outside)).await?;
            }
        }
        plan.target.replaces = true;
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

/// Deletes the files that Lakegate wrote to a table, or to partitions, that have been replaced,
/// except in folders that are in use again.
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
    // Of tables by their ids: they are the same for all folders, of which there may be thousands.
    let mut partitions = HashMap::new();
    'folders: for location in &discarded.locations {
        let folder = roots.locate(location)?;
        let url = folder.folder()?;
        let around = index.overlapping(&url);
        let around: Vec<Arc<Table>> = around.map(|(table, _)| Arc::clone(table)).collect();
        for table in &around {
            let known = match partitions.entry(table.id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(Shown::of(metastore, roots, table).await?),
            };
            if known.shows(&url) {
                tracing::warn!(
                    location,
                    table = table.full_name(),
                    "replaced files stay: a table is in their folder"
                );
                continue 'folders;
            }
        }
        let files = sweep::remove_written(&folder, &discarded.files).await?;
        tracing::info!(location, files, "replaced files are deleted");
    }
    write_log.forget_discarded(discarded.id).await?;
    Ok(())
}

/// The folders whose files a table shows, or may show once they are registered.
#[derive(Debug)]
struct Shown {
    /// The table's own. Of a partitioned table it shows nothing by itself.
    home: Option<String>,
    /// Those of partitions, in order; `None`: it shows every file in its folder.
    partitions: Option<BTreeSet<String>>,
}

impl Shown {
    /// # Errors
    ///
    /// The catalog failed.
    async fn of(metastore: &dyn Metastore, roots: &Roots, table: &Table) -> Result<Self> {
        let (database, name) = (&table.database_name, &table.name);
        let is_registered =
            !table.partition_keys.is_empty() && !projection::is_enabled(&table.parameters);
        let registered = match is_registered {
            true => Some(metastore.partitions(database, name).await?),
            false => None,
        };
        // What lies under no root cannot be read.
        let url = |location: &str| roots.locate(location).and_then(|found| found.folder()).ok();
        let partitions = registered.map(|all| {
            let locations = all.items.iter();
            let locations = locations.map(|partition| partition.location(&all.keys));
            locations.filter_map(|location| url(&location)).collect()
        });
        let home = table.storage_descriptor.location.as_deref().and_then(url);
        Ok(Self { home, partitions })
    }

    /// Whether the table, which has a folder around this one or within it, shows files there. A
    /// partition in a new folder below the one that it had before does not: it has none of the old
    /// files.
    fn shows(&self, url: &str) -> bool {
        let (Some(home), Some(partitions)) = (&self.home, &self.partitions) else {
            return true;
        };
        // A table that was made over the folder may register its partitions yet.
        if home.starts_with(url) {
            return true;
        }
        let mut holders = url.match_indices('/').filter_map(|(at, _)| url.get(..=at));
        if holders.any(|holder| partitions.contains(holder)) {
            return true;
        }
        let from = (Bound::Excluded(url), Bound::Unbounded);
        let within = partitions.range::<str, _>(from);
        let mut within = within.take_while(|other| other.starts_with(url));
        within.any(|other| !is_of_overwrite(other, url))
    }
}

/// Whether a folder is one that an overwrite made within that of the same partition.
fn is_of_overwrite(folder: &str, of: &str) -> bool {
    let name = folder
        .strip_prefix(of)
        .map(|rest| rest.trim_end_matches('/'));
    name.is_some_and(|name| WriteId::of_file(&format!("lakegate-{name}-")).is_some())
}
