//! Partition projection where tables are defined: its properties must be usable, and the folder
//! that holds the projected partitions is registered like a LOCATION.

use std::sync::Arc;

use lakegate_catalog::model::{Table, TableInput};
use lakegate_catalog::partition::projection::{self, Projection};
use lakegate_error::{Code, Error, Result};

use super::StatementContext;
use super::locations::For;

/// # Errors
///
/// A partition projection that cannot be used; the error names the property and its value.
pub(super) fn check_projection(database: &str, input: &TableInput) -> Result<()> {
    Projection::check(database, input)
        .map_err(|error| Error::new(Code::InvalidTable, error.to_string()))
}

impl StatementContext {
    /// Checks that the principal may register the folder that holds the projected partitions of a
    /// table, unless it lies in the table's own folder.
    ///
    /// # Errors
    ///
    /// As of [`Self::register`].
    pub(super) async fn register_projected(
        &self,
        input: &TableInput,
        target: For<'_>,
    ) -> Result<()> {
        let Some(folder) = projection::template_folder(&input.parameters) else {
            return Ok(());
        };
        let wanted = self.roots.locate(&folder)?.folder()?;
        let home = input.storage_descriptor.location.as_deref();
        let home = home.map(|home| self.roots.locate(home).and_then(|home| home.folder()));
        match home {
            Some(Ok(home)) if wanted.starts_with(&home) => Ok(()),
            _ => self.register(&folder, target).await.map(|_| ()),
        }
    }

    /// Called before a change of a table: if it puts the projected partitions into another folder,
    /// the principal must be allowed to register that one, and leaves the old one.
    ///
    /// # Errors
    ///
    /// As of [`Self::register`]; the catalog failed.
    pub(super) async fn move_projected(
        &self,
        table: &Arc<Table>,
        input: &TableInput,
    ) -> Result<()> {
        let old = projection::template_folder(&table.parameters);
        if old == projection::template_folder(&input.parameters) {
            return Ok(());
        }
        let database = self.view.require_database(&table.database_name).await?;
        self.register_projected(input, For::Table(table, &database))
            .await?;
        match old {
            Some(old) => self.leave(table, Some(vec![old])).await,
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

    const DAYS: &str = "'projection.enabled' = 'true', 'projection.day.type' = 'date', 'projection.day.format' = 'yyyy-MM-dd', 'projection.day.range' = '2024-01-01,NOW'";

    fn create(name: &str, location: &str, template: &str) -> String {
        format!(
            "CREATE EXTERNAL TABLE {name} (a INT) PARTITIONED BY (day STRING) STORED AS PARQUET LOCATION '{location}' TBLPROPERTIES ({DAYS}, 'storage.location.template' = '{template}')"
        )
    }

    #[tokio::test]
    async fn bad_properties_are_refused_where_they_are_given() {
        let lake = Lake::with_orders().await;
        let set =
            |properties: &str| format!("ALTER TABLE sales.orders SET TBLPROPERTIES ({properties})");
        let error = lake
            .fails("admin", &set("'projection.enabled' = 'TRUE'"))
            .await;
        assert_eq!(error.code(), Code::InvalidTable);
        assert_eq!(
            error.message(),
            "Table sales.orders is configured for partition projection, but the following partition columns are missing projection configuration: [day] (table sales.orders)"
        );
        lake.ok(&set(DAYS)).await;
        for (sql, why) in [
            (
                set("'projection.day.range' = 'yesterday,NOW'"),
                "'projection.day.range' is 'yesterday,NOW'",
            ),
            (
                set("'storage.location.template' = 's3://lake/x/'"),
                "lacks ${day}",
            ),
            (
                set("'storage.location.template' = 's3://elsewhere/${day}/'"),
                "not under a configured lake root",
            ),
            (
                "ALTER TABLE sales.orders UNSET TBLPROPERTIES ('projection.day.format')".to_owned(),
                "'projection.day.format' is missing",
            ),
        ] {
            let error = lake.fails("admin", &sql).await;
            assert!(error.message().contains(why), "{sql}: {error}");
        }
        // What is off is not checked.
        lake.ok(&set(
            "'projection.enabled' = 'false', 'projection.day.range' = 'x'",
        ))
        .await;
        lake.ok("CREATE EXTERNAL TABLE sales.plain (a INT) STORED AS PARQUET LOCATION 's3://lake/plain/'").await;
        let error = lake
            .fails(
                "admin",
                "ALTER TABLE sales.plain SET TBLPROPERTIES ('projection.enabled' = 'true')",
            )
            .await;
        assert!(error.message().contains("no partition columns"), "{error}");
    }

    #[tokio::test]
    async fn template_leads_only_where_its_principal_may_register() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE lab LOCATION 's3://lake/lab/'; GRANT CREATE TABLE ON DATABASE lab TO ann; GRANT DATA_LOCATION ON 's3://lake/free/' TO ann").await;
        for taken in [
            "s3://lake/orders/${day}/",
            "s3://lake/ord${day}/",
            "s3://lake/${day}/",
            "s3://lake/else/${day}/",
        ] {
            let sql = create("lab.spy", "s3://lake/lab/spy/", taken);
            let error = lake.fails("ann", &sql).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{taken}: {error}");
        }
        lake.ok_as(
            "ann",
            &create(
                "lab.inside",
                "s3://lake/lab/inside/",
                "s3://lake/lab/inside/x/${day}/",
            ),
        )
        .await;
        lake.ok_as(
            "ann",
            &create(
                "lab.outside",
                "s3://lake/lab/outside/",
                "s3://lake/free/${day}/",
            ),
        )
        .await;
        // Nor afterwards, in parts.
        let set = |table: &str, properties: &str| {
            format!("ALTER TABLE lab.{table} SET TBLPROPERTIES ({properties})")
        };
        let orders = "'storage.location.template' = 's3://lake/orders/day=${day}/'";
        let error = lake.fails("ann", &set("inside", orders)).await;
        assert_eq!(error.code(), Code::PermissionDenied);
        lake.ok_as("ann", &set("inside", "'projection.enabled' = 'false'"))
            .await;
        lake.ok_as("ann", &set("inside", orders)).await;
        let error = lake
            .fails("ann", &set("inside", "'projection.enabled' = 'true'"))
            .await;
        assert_eq!(error.code(), Code::PermissionDenied);
    }

    #[tokio::test]
    async fn template_over_the_files_of_another_table_gives_no_more_than_that_one_does() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE lab LOCATION 's3://lake/lab/'; GRANT CREATE TABLE ON DATABASE lab TO ann; GRANT DATA_LOCATION ON 's3://lake/orders/' TO ann; GRANT SELECT ON TABLE sales.orders TO ann").await;
        let template = "s3://lake/orders/day=${day}/";
        lake.ok_as("ann", &create("lab.mine", "s3://lake/lab/mine/", template))
            .await;
        let selects = async || {
            let view = lake.context("ann").await.view;
            let mine = view.table("lab", "mine").await.unwrap().unwrap();
            mine.access.selects_all()
        };
        assert!(selects().await);
        lake.ok("REVOKE SELECT ON TABLE sales.orders FROM ann")
            .await;
        assert!(!selects().await);
        // Nor does a template that an older table is given later.
        lake.ok("GRANT SELECT ON TABLE sales.orders TO ann").await;
        lake.ok_as(
            "ann",
            "CREATE EXTERNAL TABLE lab.old (a INT) PARTITIONED BY (day STRING) STORED AS PARQUET LOCATION 's3://lake/lab/old/'",
        )
        .await;
        lake.ok("CREATE EXTERNAL TABLE sales.new (a INT) STORED AS PARQUET LOCATION 's3://lake/new/'; GRANT DATA_LOCATION ON 's3://lake/new/' TO ann")
            .await;
        let sql = format!(
            "ALTER TABLE lab.old SET TBLPROPERTIES ({DAYS}, 'storage.location.template' = 's3://lake/new/${{day}}/')"
        );
        let error = lake.fails("ann", &sql).await;
        assert_eq!(error.code(), Code::PermissionDenied);
        lake.ok("GRANT SELECT ON TABLE sales.new TO ann").await;
        lake.ok_as("ann", &sql).await;
        lake.ok("REVOKE SELECT ON TABLE sales.new FROM ann").await;
        let view = lake.context("ann").await.view;
        let old = view.table("lab", "old").await.unwrap().unwrap();
        assert!(!old.access.selects_all());
    }
}
