//! ALTER TABLE: columns, properties, SerDe and location, of a table or of one partition.

use std::sync::Arc;

use lakegate_catalog::error::CatalogError;
use lakegate_catalog::model::{BUCKETING_VERSION, SerDeInfo, StorageDescriptor, Table, TableInput};
use lakegate_catalog::partition::PartitionInput;
use lakegate_error::{Code, Error, Result};
use lakegate_lake::format::TableFormat;
use lakegate_lake::table::symlinks;
use lakegate_sql::ast::{
    AlterTableAddColumns, AlterTableIfExists, AlterTableReplaceColumns, AlterTableSetLocation,
    AlterTableSetProperties, AlterTableSetSerdeProperties, AlterTableUnsetProperties,
    PartitionSpec, TableName,
};

use super::locations::For;
use super::partitions::one_partition;
use super::postgres_types::hive_type;
use super::projections::check_projection;
use super::rights::require_table;
use super::tables::{check_names, check_properties};
use super::{Output, StatementContext, storage};

/// How often a change is retried after a concurrent change of the same table.
const ATTEMPTS: usize = 8;

/// Succeeds without a change if the table does not exist, or does not exist for the principal.
pub(super) async fn if_exists(
    context: &StatementContext,
    alter: &AlterTableIfExists,
) -> Result<Output> {
    if context.find_table(&alter.table).await?.is_none() {
        return Ok(Output::Command);
    }
    // Boxed: this recurses through the dispatch that led here.
    Box::pin(super::execute(context, &alter.change)).await
}

pub(super) async fn add_columns(
    context: &StatementContext,
    alter: &AlterTableAddColumns,
) -> Result<Output> {
    let mut added: Vec<_> = alter.columns.iter().map(storage::column).collect();
    if alter.sql_types {
        for column in &mut added {
            column.data_type = hive_type(&column.name, &column.data_type)?;
        }
    }
    if alter.if_not_exists {
        let visible = context.table_to_alter(&alter.table).await?;
        let mut added = added.iter();
        if added.all(|column| has_column(&visible.table, &column.name)) {
            return Ok(Output::Command);
        }
    }
    change_storage(
        context,
        &alter.table,
        alter.partition.as_ref(),
        |table, descriptor| {
            let new = added
                .iter()
                .filter(|column| !alter.if_not_exists || !has_column(table, &column.name));
            descriptor.columns.extend(new.cloned());
            check_names(&descriptor.columns, &table.partition_keys)
        },
    )
    .await
}

fn has_column(table: &Table, name: &str) -> bool {
    table.columns().any(|column| column.name == name)
}

pub(super) async fn replace_columns(
    context: &StatementContext,
    alter: &AlterTableReplaceColumns,
) -> Result<Output> {
    let columns: Vec<_> = alter.columns.iter().map(storage::column).collect();
    if columns.is_empty() {
        return Err(Error::new(
            Code::InvalidTable,
            "REPLACE COLUMNS needs at least one column",
        ));
    }
    change_storage(
        context,
        &alter.table,
        alter.partition.as_ref(),
        |table, descriptor| {
            check_names(&columns, &table.partition_keys)?;
            descriptor.columns.clone_from(&columns);
            let kept = |name: &String| columns.iter().any(|column| column.name == *name);
            if descriptor.bucket_columns.iter().all(kept)
                && descriptor
                    .sort_columns
                    .iter()
                    .all(|sorted| kept(&sorted.column))
            {
                return Ok(());
            }
            Err(Error::new(
                Code::InvalidTable,
                format!(
                    "table {} is clustered by columns that the new list leaves out; keep them",
                    table.full_name()
                ),
            ))
        },
    )
    .await
}

pub(super) async fn set_serde(
    context: &StatementContext,
    alter: &AlterTableSetSerdeProperties,
) -> Result<Output> {
    change_storage(
        context,
        &alter.table,
        alter.partition.as_ref(),
        |_, descriptor| {
            let serde = descriptor.serde_info.get_or_insert_with(SerDeInfo::default);
            if let Some(class) = &alter.class {
                serde.serialization_library = Some(class.clone());
            }
            serde.parameters.extend(alter.properties.iter().cloned());
            Ok(())
        },
    )
    .await
}

pub(super) async fn set_location(
    context: &StatementContext,
    alter: &AlterTableSetLocation,
) -> Result<Output> {
    let visible = context.table_to_alter(&alter.table).await?;
    let table = &visible.table;
    let left = match &alter.partition {
        None => {
            let database = context.view.require_database(&table.database_name).await?;
            let target = For::Table(table, &database);
            let exposed = symlinks::exposed_by(&table.storage_descriptor, &alter.location);
            context.register(exposed, target).await?;
            let left = table.storage_descriptor.location.as_deref();
            left.map(|left| symlinks::exposed_by(&table.storage_descriptor, left).to_owned())
        }
        Some(spec) => {
            let exposed = symlinks::exposed_by_partition(table, &alter.location);
            context.register(exposed, For::Partition(table)).await?;
            let found = one_partition(context, table, spec).await?;
            let left = found.partition.location(&found.keys);
            Some(symlinks::exposed_by_partition(table, &left).to_owned())
        }
    };
    context
        .leave(table, Some(left.into_iter().collect()))
        .await?;
    change_storage(
        context,
        &alter.table,
        alter.partition.as_ref(),
        |_, descriptor| {
            descriptor.location = Some(alter.location.clone());
            Ok(())
        },
    )
    .await
}

pub(super) async fn set_properties(
    context: &StatementContext,
    alter: &AlterTableSetProperties,
) -> Result<Output> {
    check_properties(&alter.properties)?;
    change_table(context, &alter.table, |table, input| {
        input.parameters.extend(alter.properties.iter().cloned());
        if alter.properties.iter().any(|(key, _)| key == "comment") {
            input.description = input.parameters.get("comment").cloned();
        }
        check_projection(&table.database_name, input)
    })
    .await
}

pub(super) async fn unset_properties(
    context: &StatementContext,
    alter: &AlterTableUnsetProperties,
) -> Result<Output> {
    change_table(context, &alter.table, |table, input| {
        for key in &alter.keys {
            if key == "EXTERNAL" {
                return Err(Error::new(
                    Code::InvalidTable,
                    "table property 'EXTERNAL' cannot be unset; every table is external",
                ));
            }
            if input.parameters.remove(key).is_none() && !alter.if_exists {
                return Err(Error::new(
                    Code::UndefinedObject,
                    format!(
                        "table {} has no property '{key}'; use IF EXISTS to pass over it",
                        table.full_name()
                    ),
                ));
            }
        }
        if alter.keys.iter().any(|key| key == "comment") {
            input.description = None;
        }
        check_projection(&table.database_name, input)
    })
    .await
}

/// Changes the storage descriptor of a table or of one of its partitions. The new descriptor must
/// be readable.
pub(super) async fn change_storage(
    context: &StatementContext,
    name: &TableName,
    partition: Option<&PartitionSpec>,
    change: impl Fn(&Table, &mut StorageDescriptor) -> Result<()>,
) -> Result<Output> {
    let Some(spec) = partition else {
        return change_table(context, name, |table, input| {
            change(table, &mut input.storage_descriptor)?;
            forget_hashes(&table.storage_descriptor, input);
            Ok(())
        })
        .await;
    };
    let visible = context.table_to_alter(name).await?;
    let table = &visible.table;
    let found = one_partition(context, table, spec).await?;
    let mut descriptor = found.partition.full_storage_descriptor(&found.keys);
    change(table, &mut descriptor)?;
    check_storage(
        &descriptor,
        &TableInput {
            parameters: table.parameters.clone(),
            ..TableInput::default()
        },
    )?;
    let input = PartitionInput {
        values: found
            .partition
            .values
            .iter()
            .map(|value| value.to_string())
            .collect(),
        location: descriptor.location.clone(),
        storage_descriptor: Some(Arc::new(descriptor)),
        parameters: found
            .partition
            .parameters
            .as_deref()
            .cloned()
            .unwrap_or_default(),
    };
    context
        .coordinator
        .update_partitions_by(
            &table.database_name,
            &table.name,
            vec![input],
            context.access().by(),
        )
        .await?;
    Ok(Output::Command)
}

/// Forgets by which function rows were divided into buckets, if a bucketing column may have other
/// values than those that it was written with: a new type, name or place, or another SerDe. Queries
/// would look for these values in other buckets.
fn forget_hashes(before: &StorageDescriptor, input: &mut TableInput) {
    let after = &input.storage_descriptor;
    if before.bucketing() != after.bucketing() || before.serde_info != after.serde_info {
        input.parameters.remove(BUCKETING_VERSION);
    }
}

/// Changes a table, as [`change_relation`].
async fn change_table(
    context: &StatementContext,
    name: &TableName,
    change: impl Fn(&Table, &mut TableInput) -> Result<()>,
) -> Result<Output> {
    change_relation(context, name, |table, input| {
        require_table(table)?;
        change(table, input)
    })
    .await
}

/// Changes a table or view from its current version; retries after a concurrent change.
pub(super) async fn change_relation(
    context: &StatementContext,
    name: &TableName,
    change: impl Fn(&Table, &mut TableInput) -> Result<()>,
) -> Result<Output> {
    let mut attempt = 1;
    loop {
        let visible = context.table(name).await?;
        context.require_alter(&visible)?;
        let table = &visible.table;
        let mut input = table.to_input();
        change(table, &mut input)?;
        if !table.is_view() {
            check_storage(&input.storage_descriptor, &input)?;
            context.move_projected(table, &input).await?;
        }
        let updated = context
            .coordinator
            .update_table_by(
                &table.database_name,
                input,
                Some(table.version_id),
                context.access().by(),
            )
            .await;
        match updated {
            Ok(_) => return Ok(Output::Command),
            Err(CatalogError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

fn check_storage(descriptor: &StorageDescriptor, table: &TableInput) -> Result<()> {
    storage::check_column_types(descriptor)?;
    TableFormat::detect(descriptor, &table.parameters)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn if_exists_passes_over_a_table_that_is_not_there() {
        let lake = Lake::with_orders().await;
        for change in [
            "ADD COLUMNS (note STRING)",
            "REPLACE COLUMNS (id INT)",
            "SET TBLPROPERTIES ('a' = 'b')",
            "UNSET TBLPROPERTIES ('a')",
            "SET LOCATION 's3://lake/elsewhere/'",
            "SET SERDEPROPERTIES ('a' = 'b')",
            "ADD PARTITION (day = '2024-01-01')",
            "PARTITION (day = '2024-01-01') SET LOCATION 's3://lake/elsewhere/day/'",
            "PARTITION (day = '2024-01-01') RENAME TO PARTITION (day = '2024-01-02')",
            "DROP PARTITION (day = '2024-01-02')",
            "RENAME TO purchases",
        ] {
            for absent in ["absent", "absent.orders"] {
                lake.ok(&format!("ALTER TABLE IF EXISTS {absent} {change}"))
                    .await;
                let missing = lake
                    .fails("admin", &format!("ALTER TABLE {absent} {change}"))
                    .await;
                assert_eq!(missing.code(), Code::TableNotFound, "{absent} {change}");
            }
            // A hidden table is treated as missing.
            lake.ok_as("ann", &format!("ALTER TABLE IF EXISTS orders {change}"))
                .await;
            lake.ok(&format!("ALTER TABLE IF EXISTS orders {change}"))
                .await;
        }
        assert_eq!(
            lake.text("admin", "SHOW COLUMNS IN purchases").await,
            "id\nday"
        );
        // IF EXISTS hides no other error of a table that exists.
        let error = lake
            .fails(
                "admin",
                "ALTER TABLE IF EXISTS purchases ADD COLUMNS (id INT)",
            )
            .await;
        assert_eq!(error.code(), Code::DuplicateColumn);
    }

    #[tokio::test]
    async fn columns_are_added_and_replaced_but_keys_stay() {
        let lake = Lake::with_orders().await;
        lake.ok(
            "ALTER TABLE orders ADD COLUMNS (total DECIMAL(10,2) COMMENT 'gross', note STRING)",
        )
        .await;
        assert_eq!(
            lake.text("admin", "SHOW COLUMNS IN orders").await,
            "id\nemail\ntotal\nnote\nday"
        );
        lake.ok("ALTER TABLE orders REPLACE COLUMNS (id BIGINT, note STRING)")
            .await;
        assert_eq!(
            lake.text("admin", "DESCRIBE orders id").await,
            "id|bigint|NULL"
        );
        assert_eq!(
            lake.text("admin", "SHOW COLUMNS IN orders").await,
            "id\nnote\nday"
        );
        for sql in [
            "ALTER TABLE orders ADD COLUMNS (note INT)",
            "ALTER TABLE orders ADD COLUMNS (day INT)",
            "ALTER TABLE orders REPLACE COLUMNS (a INT, day DATE)",
        ] {
            assert_eq!(
                lake.fails("admin", sql).await.code(),
                Code::DuplicateColumn,
                "{sql}"
            );
        }
        assert_eq!(lake.table("orders").await.version_id, 2);
    }

    #[tokio::test]
    async fn single_columns_may_have_types_of_postgres_and_exist() {
        let lake = Lake::with_orders().await;
        lake.ok("ALTER TABLE orders ADD note text COLLATE \"C\" DEFAULT NULL, ADD COLUMN at timestamp(3) without time zone;
                 ALTER TABLE orders ADD COLUMN IF NOT EXISTS note int;
                 ALTER TABLE orders ADD COLUMN IF NOT EXISTS note int, ADD IF NOT EXISTS share float;
                 ALTER TABLE orders ALTER COLUMN note TYPE varchar")
            .await;
        assert_eq!(
            lake.text("admin", "SHOW COLUMNS IN orders").await,
            "id\nemail\nnote\nat\nshare\nday"
        );
        for (column, data_type) in [("note", "string"), ("at", "timestamp"), ("share", "double")] {
            assert_eq!(
                lake.text("admin", &format!("DESCRIBE orders {column}"))
                    .await,
                format!("{column}|{data_type}|NULL")
            );
        }
        for (sql, code) in [
            ("ADD COLUMN note int", Code::DuplicateColumn),
            ("ADD COLUMN at2 timestamptz", Code::InvalidTable),
            ("ADD COLUMN key int NOT NULL", Code::NotSupported),
            ("ADD COLUMN key int PRIMARY KEY", Code::NotSupported),
        ] {
            let error = lake
                .fails("admin", &format!("ALTER TABLE orders {sql}"))
                .await;
            assert_eq!(error.code(), code, "{sql}: {error}");
        }
        // A name that is hidden is no reason to succeed.
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ann; GRANT ALTER ON TABLE orders TO ann")
            .await;
        let sql = "ALTER TABLE sales.orders ADD COLUMN IF NOT EXISTS email int";
        assert_eq!(lake.fails("ann", sql).await.code(), Code::PermissionDenied);
    }

    #[tokio::test]
    async fn properties_are_set_and_unset() {
        let lake = Lake::with_orders().await;
        lake.ok(
            "ALTER TABLE orders SET TBLPROPERTIES ('comment'='ours', 'skip.header.line.count'='1')",
        )
        .await;
        assert_eq!(
            lake.table("orders").await.description.as_deref(),
            Some("ours")
        );
        assert_eq!(
            lake.text(
                "admin",
                "SHOW TBLPROPERTIES orders('skip.header.line.count')"
            )
            .await,
            "skip.header.line.count|1"
        );
        lake.ok("ALTER TABLE orders UNSET TBLPROPERTIES ('skip.header.line.count')")
            .await;
        lake.ok("ALTER TABLE orders UNSET TBLPROPERTIES IF EXISTS ('skip.header.line.count')")
            .await;
        assert_eq!(
            lake.text("admin", "SHOW TBLPROPERTIES orders").await,
            "EXTERNAL|TRUE\nclassification|parquet\ncomment|ours"
        );
        for (sql, code) in [
            (
                "ALTER TABLE orders UNSET TBLPROPERTIES ('nothing')",
                Code::UndefinedObject,
            ),
            (
                "ALTER TABLE orders SET TBLPROPERTIES ('EXTERNAL'='FALSE')",
                Code::InvalidTable,
            ),
            (
                "ALTER TABLE orders SET TBLPROPERTIES ('table_type'='iceberg')",
                Code::NotSupported,
            ),
            (
                "ALTER TABLE orders UNSET TBLPROPERTIES ('EXTERNAL')",
                Code::InvalidTable,
            ),
        ] {
            assert_eq!(lake.fails("admin", sql).await.code(), code, "{sql}");
        }
    }

    #[tokio::test]
    async fn format_and_location_change_for_the_table_or_one_partition() {
        let lake = Lake::new().await;
        lake.ok("CREATE EXTERNAL TABLE t (a STRING) PARTITIONED BY (p INT) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' LOCATION 's3://lake/t/';
                 ALTER TABLE t ADD PARTITION (p = 1) PARTITION (p = 2);
                 ALTER TABLE t SET SERDEPROPERTIES ('field.delim'=';');
                 ALTER TABLE t PARTITION (p = 1) SET SERDEPROPERTIES ('field.delim'='|');
                 ALTER TABLE t PARTITION (p = 01) SET LOCATION 's3://lake/elsewhere/';
                 ALTER TABLE t SET LOCATION 's3://lake/t2/'")
            .await;
        let detail = |text: &str, name: &str| {
            text.lines()
                .find(|line| line.contains(name))
                .unwrap_or_default()
                .to_owned()
        };
        let table = lake.text("admin", "DESCRIBE FORMATTED t").await;
        assert_eq!(detail(&table, "field.delim"), "NULL|field.delim|;");
        assert_eq!(detail(&table, "Location"), "Location:|s3://lake/t2/|NULL");
        let one = lake
            .text("admin", "DESCRIBE FORMATTED t PARTITION (p = 1)")
            .await;
        assert_eq!(detail(&one, "field.delim"), "NULL|field.delim||");
        assert!(one.contains("Location:|s3://lake/elsewhere/"), "{one}");
        let two = lake
            .text("admin", "DESCRIBE FORMATTED t PARTITION (p = 2)")
            .await;
        assert_eq!(detail(&two, "field.delim"), "NULL|field.delim|,");
        assert!(two.contains("Location:|s3://lake/t/p=2/"), "{two}");
        for sql in [
            "ALTER TABLE t SET SERDE 'com.example.Unknown'",
            "ALTER TABLE t PARTITION (p = 1) SET SERDE 'com.example.Unknown'",
        ] {
            let error = lake.fails("admin", sql).await;
            assert!(
                error.message().contains("com.example.Unknown"),
                "{sql}: {error}"
            );
        }
        assert_eq!(
            lake.fails(
                "admin",
                "ALTER TABLE t PARTITION (p = 3) SET LOCATION 's3://lake/x/'"
            )
            .await
            .code(),
            Code::UndefinedObject
        );
    }

    #[tokio::test]
    async fn changing_a_table_needs_alter_and_all_of_its_columns() {
        let lake = Lake::with_orders().await;
        let statements = [
            "ALTER TABLE sales.orders ADD COLUMNS (x INT)",
            "ALTER TABLE sales.orders REPLACE COLUMNS (x INT)",
            "ALTER TABLE sales.orders SET TBLPROPERTIES ('a'='b')",
            "ALTER TABLE sales.orders UNSET TBLPROPERTIES IF EXISTS ('a')",
            "ALTER TABLE sales.orders SET LOCATION 's3://lake/x/'",
            "ALTER TABLE sales.orders SET SERDEPROPERTIES ('a'='b')",
            "ALTER TABLE sales.orders RENAME TO x",
            "ALTER TABLE sales.orders ADD PARTITION (day = '2024-01-01')",
            "ALTER TABLE sales.orders DROP IF EXISTS PARTITION (day = '2024-01-01')",
            "ALTER TABLE sales.orders PARTITION (day = '2024-01-01') RENAME TO PARTITION (day = '2024-01-02')",
            "MSCK REPAIR TABLE sales.orders",
        ];
        for sql in statements {
            let hidden = lake.fails("ann", sql).await;
            assert_eq!(hidden.code(), Code::TableNotFound, "{sql}");
        }
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ann").await;
        for sql in statements {
            let error = lake.fails("ann", sql).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
            assert!(
                error.message().contains("ALTER is needed"),
                "{sql}: {error}"
            );
        }
        // ALTER does not reveal the columns that SELECT does not grant.
        lake.ok("GRANT ALTER ON TABLE orders TO ann").await;
        for sql in statements {
            let error = lake.fails("ann", sql).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{sql}");
            assert!(!error.to_string().contains("email"), "{sql}: {error}");
        }
        lake.ok("REVOKE SELECT (id) ON TABLE orders FROM ann").await;
        lake.ok_as("ann", "ALTER TABLE sales.orders ADD COLUMNS (x INT)")
            .await;
        assert_eq!(lake.table("orders").await.version_id, 1);
    }
}
