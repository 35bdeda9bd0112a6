//! Which LOCATION a principal may register.

use std::sync::Arc;

use lakegate_catalog::error::CatalogError;
use lakegate_catalog::model::Table;
use lakegate_catalog::store::Metastore;

use super::StatementContext;
use crate::error::{Code, Error, Result};
use crate::lake::roots::{Location, Roots};

impl StatementContext {
    /// Finds a LOCATION under the lake roots, and sees to it that registering it is no way around a grant: data of a table belongs to
    /// those who may select all of that table. Its data is what lies in its folder, and in the folders of its partitions,
    /// which may be anywhere.
    ///
    /// `own`: the id of the table that the location is for. Administrators may register whatever lies under a root.
    ///
    /// Errors: the location is under no root, or overlaps data of a table which the principal may not read in full.
    pub(super) async fn locate(&self, location: &str, own: Option<i64>) -> Result<Location> {
        let wanted = self.roots.locate(location)?;
        if self.access().is_administrator() {
            return Ok(wanted);
        }
        let unreadable = |table: &Table| Some(table.id) != own && !self.reads_all(table);
        let folder = [folder(&wanted)];
        if owner(
            self.view.metastore.as_ref(),
            &self.roots,
            &folder,
            unreadable,
        )
        .await?
        .is_some()
        {
            // The table is not named: it may be one that does not exist for the principal.
            return Err(Error::new(
                Code::PermissionDenied,
                format!("permission denied for location '{location}': data of a table lies there that you may not read in full"),
            )
            .with_hint("an administrator can register it, or grant SELECT on the table whose data it is"));
        }
        Ok(wanted)
    }

    fn reads_all(&self, table: &Table) -> bool {
        self.access()
            .table(&table.database_name, &table.name, &table.column_names())
            .is_some_and(|access| access.selects_all())
    }
}

/// The first table, among those that are asked about, whose data lies in one of these folders or around it.
pub(super) async fn owner(
    metastore: &dyn Metastore,
    roots: &Roots,
    folders: &[String],
    asked: impl Fn(&Table) -> bool,
) -> Result<Option<Arc<Table>>> {
    for database in metastore.databases().await? {
        let tables = match metastore.tables(&database.name).await {
            Ok(tables) => tables,
            // Dropped meanwhile.
            Err(CatalogError::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        for table in tables.into_iter().filter(|table| asked(table)) {
            let home = table.storage_descriptor.location.as_deref();
            if home.is_some_and(|home| overlap(roots, folders, home))
                || outer_partitions(metastore, &table)
                    .await?
                    .iter()
                    .any(|location| overlap(roots, folders, location))
            {
                return Ok(Some(table));
            }
        }
    }
    Ok(None)
}

/// The locations of partitions that lie outside of their table's folder: those inside are the folder's.
pub(super) async fn outer_partitions(
    metastore: &dyn Metastore,
    table: &Table,
) -> Result<Vec<String>> {
    if table.partition_keys.is_empty() {
        return Ok(Vec::new());
    }
    let partitions = match metastore
        .partitions(&table.database_name, &table.name)
        .await
    {
        Ok(partitions) => partitions,
        // Dropped meanwhile.
        Err(CatalogError::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let home = table.storage_descriptor.location.as_deref();
    let home = home.map(|home| format!("{}/", home.trim_end_matches('/')));
    let mut locations: Vec<String> = partitions
        .items
        .iter()
        .map(|partition| partition.location(&partitions.keys))
        .collect();
    locations.retain(|location| !home.as_ref().is_some_and(|home| location.starts_with(home)));
    Ok(locations)
}

/// Whether a location is one of these folders, lies in one of them, or holds one.
fn overlap(roots: &Roots, folders: &[String], location: &str) -> bool {
    // What lies under no root (any more) cannot be read through another table either.
    let Ok(other) = roots.locate(location) else {
        return false;
    };
    let other = folder(&other);
    folders
        .iter()
        .any(|wanted| wanted.starts_with(&other) || other.starts_with(wanted))
}

/// The URL of a folder, the same for every way to write it; ends in `/`.
pub(super) fn folder(location: &Location) -> String {
    let url = location.root.display_path(&location.path);
    format!("{}/", url.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::testing::Lake;
    use crate::error::Code;

    fn create(name: &str, location: &str) -> String {
        format!(
            "CREATE EXTERNAL TABLE {name} (a INT) PARTITIONED BY (b INT) STORED AS PARQUET LOCATION '{location}'"
        )
    }

    #[tokio::test]
    async fn data_of_a_table_that_may_not_be_read_is_not_registered_anew() {
        let lake = Lake::with_orders().await;
        lake.ok("ALTER TABLE orders ADD PARTITION (day = '2024-01-01');
                 ALTER TABLE orders ADD PARTITION (day = '2024-01-02') LOCATION 's3://lake/elsewhere/second/';
                 ALTER TABLE orders SET LOCATION 's3://lake/moved/';
                 GRANT CREATE TABLE ON DATABASE sales TO ann")
            .await;
        lake.ok_as("ann", &create("mine", "s3://lake/free/")).await;
        for taken in [
            // The table's folder, what is in it, and what holds it.
            "s3://lake/moved/",
            "s3://lake/moved/day=2024-01-03/",
            "s3://lake/",
            // A partition that was left behind as its table moved.
            "s3://lake/orders/",
            "s3://lake/orders/day=2024-01-01/",
            // A partition at a place of its own.
            "s3://lake/elsewhere/",
            "s3://lake/elsewhere/second",
            "s3://lake/elsewhere/second/part/",
        ] {
            for sql in [
                create("theirs", taken),
                format!("ALTER TABLE mine SET LOCATION '{taken}'"),
                format!("ALTER TABLE mine ADD PARTITION (b = 1) LOCATION '{taken}'"),
            ] {
                let error = lake.fails("ann", &sql).await;
                assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
                assert!(error.message().contains("may not read in full"), "{error}");
            }
        }
        for free in ["s3://lake/elsewhere/seconds/", "s3://lake/order/"] {
            lake.ok_as("ann", &format!("ALTER TABLE mine SET LOCATION '{free}'"))
                .await;
        }
        // Of some columns only is not of all of the data.
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ann").await;
        let error = lake
            .fails("ann", &create("theirs", "s3://lake/elsewhere/"))
            .await;
        assert_eq!(error.code(), Code::PermissionDenied);
        lake.ok("GRANT SELECT ON TABLE orders TO ann").await;
        lake.ok_as("ann", &create("theirs", "s3://lake/elsewhere/"))
            .await;
    }
}
