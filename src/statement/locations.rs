//! Which LOCATION a principal may register.

use lakegate_catalog::error::CatalogError;
use lakegate_catalog::model::Table;

use super::StatementContext;
use crate::error::{Code, Error, Result};
use crate::lake::roots::Location;

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
        let folder = folder(&wanted);
        for database in self.view.metastore.databases().await? {
            for table in self.view.metastore.tables(&database.name).await? {
                if Some(table.id) == own || self.reads_all(&table) {
                    continue;
                }
                if self.overlaps_table(&folder, &table)
                    || self.overlaps_partition(&folder, &table).await?
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

    fn overlaps_table(&self, wanted: &str, table: &Table) -> bool {
        let location = table.storage_descriptor.location.as_deref();
        location.is_some_and(|location| self.overlaps(wanted, location))
    }

    /// Whether a partition that lies outside of its table's folder overlaps: those inside are the folder's.
    async fn overlaps_partition(&self, wanted: &str, table: &Table) -> Result<bool> {
        if table.partition_keys.is_empty() {
            return Ok(false);
        }
        let metastore = &self.view.metastore;
        let partitions = match metastore
            .partitions(&table.database_name, &table.name)
            .await
        {
            Ok(partitions) => partitions,
            // Dropped meanwhile.
            Err(CatalogError::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let home = table.storage_descriptor.location.as_deref();
        let home = home.map(|home| format!("{}/", home.trim_end_matches('/')));
        Ok(partitions.items.iter().any(|partition| {
            let location = partition.location(&partitions.keys);
            let inside = home.as_ref().is_some_and(|home| location.starts_with(home));
            !inside && self.overlaps(wanted, &location)
        }))
    }

    /// Whether one of the two folders holds the other.
    fn overlaps(&self, wanted: &str, location: &str) -> bool {
        // What lies under no root (any more) cannot be read through the new table either.
        let Ok(other) = self.roots.locate(location) else {
            return false;
        };
        let other = folder(&other);
        wanted.starts_with(&other) || other.starts_with(wanted)
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
