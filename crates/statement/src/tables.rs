//! CREATE EXTERNAL TABLE, DROP TABLE and RENAME TO.

use std::collections::HashSet;

use lakegate_catalog::access::Privilege;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Column, Database, EXTERNAL_TABLE, Parameters, Table, TableInput};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::format::TableFormat;
use lakegate_lake::table::symlinks;
use lakegate_policy::Visible;
use lakegate_sql::ast::{
    AlterTableRename, CreateTable, DropTable, StorageFormat, StoredAs, TableName,
};

use super::grants::check_owners;
use super::locations::For;
use super::postgres_types::hive_type;
use super::projections::check_projection;
use super::rights::{resource, table_not_found};
use super::views::require_view;
use super::{Output, StatementContext, storage};

pub(super) async fn create(context: &StatementContext, create: &CreateTable) -> Result<Output> {
    let (database, _) = context.new_table_name(&create.name)?;
    let database = context.view.require_database(database).await?;
    context.require_on_database(&database.name, Privilege::CreateTable)?;
    if !create.external && create.location.is_none() && !is_iceberg(create) {
        return create_in_free_folder(context, create, &database).await;
    }
    let location = external_location(create)?;
    check_properties(&create.properties)?;
    let exposed = match storage::is_of_manifests(create) {
        true => symlinks::exposed(location),
        false => location,
    };
    context.register(exposed, For::NewTable(&database)).await?;
    if !create.if_not_exists {
        let name = &create.name.table;
        context.check_free(&database.name, name).await?;
    }
    let input = definition(context, create, location)?;
    context
        .create_defined(&database, input, create.if_not_exists)
        .await
}

/// Creates a table in an empty folder of its database, as CREATE TABLE AS does. Its columns may have
/// PostgreSQL's types.
async fn create_in_free_folder(
    context: &StatementContext,
    create: &CreateTable,
    database: &Database,
) -> Result<Output> {
    check_properties(&create.properties)?;
    let name = &create.name.table;
    if !create.if_not_exists {
        context.check_free(&database.name, name).await?;
    }
    let mut create = create.clone();
    for column in create.columns.iter_mut().chain(&mut create.partitioned_by) {
        column.data_type = hive_type(&column.name, &column.data_type)?;
    }
    if create.stored_as.is_none() && create.row_format.is_none() {
        create.stored_as = Some(StoredAs::Format(StorageFormat::Parquet));
    }
    if create.columns.is_empty() {
        return Err(Error::new(
            Code::InvalidTable,
            format!("table \"{name}\" would have no columns; name at least one"),
        ));
    }
    let location = context.free_folder(database, name).await?;
    let input = definition(context, &create, &location)?;
    context
        .create_defined(database, input, create.if_not_exists)
        .await
}

impl StatementContext {
    /// Creates a table whose folder may be used, and is the principal's to register.
    ///
    /// # Errors
    ///
    /// A partition projection that cannot be used, or whose folder may not be; the table exists.
    pub(super) async fn create_defined(
        &self,
        database: &Database,
        input: TableInput,
        if_not_exists: bool,
    ) -> Result<Output> {
        check_projection(&database.name, &input)?;
        self.register_projected(&input, For::NewTable(database))
            .await?;
        let by = self.access().by();
        self.coordinator
            .create_table_by(&database.name, input, if_not_exists, by)
            .await?;
        Ok(Output::Command)
    }

    /// # Errors
    ///
    /// The name is taken by a table or view that does not exist for the principal.
    pub(super) async fn check_free(&self, database: &str, name: &str) -> Result<()> {
        let metastore = &self.view.metastore;
        let hidden = match metastore.table(database, name).await? {
            Some(table) => self.view.visible(table).await?.is_none(),
            None => false,
        };
        match hidden {
            true => Err(self.name_taken("table", &format!("{database}.{name}"))),
            false => Ok(()),
        }
    }
}

/// The catalog's definition of a new table.
///
/// # Errors
///
/// A format that is not supported, duplicate column names, keys that cannot be folder names.
pub(super) fn definition(
    context: &StatementContext,
    create: &CreateTable,
    location: &str,
) -> Result<TableInput> {
    let descriptor = storage::descriptor(create, location)?;
    let partition_keys: Vec<Column> = create.partitioned_by.iter().map(storage::column).collect();
    check_names(&descriptor.columns, &partition_keys)?;
    check_key_types(&partition_keys)?;
    let mut parameters: Parameters = create.properties.iter().cloned().collect();
    parameters.insert("EXTERNAL".to_owned(), "TRUE".to_owned());
    if let Some(comment) = &create.comment {
        parameters.insert("comment".to_owned(), comment.clone());
    }
    if let Some(classification) = storage::classification(&descriptor) {
        parameters
            .entry("classification".to_owned())
            .or_insert_with(|| classification.to_owned());
    }
    TableFormat::detect(&descriptor, &parameters)?.check(descriptor.columns.len())?;

    Ok(TableInput {
        name: create.name.table.clone(),
        description: parameters.get("comment").cloned(),
        owner: Some(context.access().user().to_owned()),
        storage_descriptor: descriptor,
        partition_keys,
        table_type: Some(EXTERNAL_TABLE.to_owned()),
        parameters,
        ..TableInput::default()
    })
}

fn is_iceberg(create: &CreateTable) -> bool {
    create.properties.iter().any(|(key, value)| {
        key.eq_ignore_ascii_case("table_type") && value.eq_ignore_ascii_case("iceberg")
    })
}

/// The LOCATION of an external table.
///
/// # Errors
///
/// The statement is not for an external table, or it has no LOCATION.
fn external_location(create: &CreateTable) -> Result<&str> {
    if is_iceberg(create) {
        return Err(Error::not_supported(
            "Iceberg tables are not supported yet; use CREATE EXTERNAL TABLE … STORED AS PARQUET LOCATION 's3://…'",
        ));
    }
    let Some(location) = create.location.as_deref() else {
        return Err(Error::new(
            Code::InvalidTable,
            "no location was specified for the table; add LOCATION 's3://bucket/folder/'",
        ));
    };
    if !create.external {
        return Err(Error::not_supported(
            "CREATE TABLE with LOCATION and without EXTERNAL makes Iceberg tables, which are not supported yet; use CREATE EXTERNAL TABLE, or leave LOCATION out",
        ));
    }
    Ok(location)
}

/// # Errors
///
/// A table property that would change what the table is, or that requests a feature that is not
/// available.
pub(super) fn check_properties(properties: &[(String, String)]) -> Result<()> {
    for (key, value) in properties {
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match key.as_str() {
            "external" if !value.eq_ignore_ascii_case("true") => {
                return Err(Error::new(
                    Code::InvalidTable,
                    format!(
                        "table property 'EXTERNAL' is '{value}'; every table is external, so it must be 'TRUE'"
                    ),
                ));
            }
            "table_type" if value.eq_ignore_ascii_case("iceberg") => {
                return Err(Error::not_supported(
                    "table property 'table_type' = 'ICEBERG' is not supported yet; leave it out",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// # Errors
///
/// A column that is named twice, or that is also a partition key.
pub(super) fn check_names(columns: &[Column], keys: &[Column]) -> Result<()> {
    let mut seen = HashSet::new();
    for column in columns {
        if !seen.insert(column.name.as_str()) {
            return Err(Error::new(
                Code::DuplicateColumn,
                format!("column \"{}\" is named twice; name it once", column.name),
            ));
        }
    }
    for key in keys {
        if !seen.insert(key.name.as_str()) {
            return Err(Error::new(
                Code::DuplicateColumn,
                format!(
                    "partition key \"{}\" is named twice, or is a column as well; name it once, in PARTITIONED BY",
                    key.name
                ),
            ));
        }
    }
    Ok(())
}

fn check_key_types(keys: &[Column]) -> Result<()> {
    for key in keys {
        let hive: HiveType = key.data_type.parse().map_err(|error| {
            Error::new(
                Code::InvalidTable,
                format!("partition key \"{}\": {error}", key.name),
            )
        })?;
        if hive.is_nested() {
            return Err(Error::new(
                Code::InvalidTable,
                format!(
                    "partition key \"{}\" has type {hive}; it must have a primitive type",
                    key.name
                ),
            ));
        }
    }
    Ok(())
}

/// Drops tables from the catalog, all or none. Their files stay: tables are external.
pub(super) async fn drop(context: &StatementContext, drop: &DropTable) -> Result<Output> {
    let dropped = to_drop(context, &drop.names, drop.if_exists).await?;
    for visible in &dropped {
        if !visible.access.drop {
            return Err(context.denied(Privilege::Drop, &resource(&visible.table)));
        }
        if visible.table.is_view() {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("\"{}\" is not a table", visible.table.full_name()),
            )
            .with_hint("it is a view; use DROP VIEW"));
        }
    }
    for visible in &dropped {
        context.leave(&visible.table, None).await?;
    }
    drop_all(context, &dropped, drop.if_exists).await
}

/// The tables and views that names refer to, each once, without those that do not exist.
///
/// # Errors
///
/// One does not exist, without IF EXISTS.
pub(super) async fn to_drop(
    context: &StatementContext,
    names: &[TableName],
    if_exists: bool,
) -> Result<Vec<Visible>> {
    let mut known = HashSet::new();
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        match context.find_table(name).await? {
            Some(visible) if known.insert(visible.table.id) => found.push(visible),
            None if !if_exists => return Err(table_not_found(name)),
            _ => {}
        }
    }
    Ok(found)
}

/// Drops tables and views in one change of the catalog.
///
/// # Errors
///
/// One was dropped meanwhile, without IF EXISTS; the catalog failed.
pub(super) async fn drop_all(
    context: &StatementContext,
    dropped: &[Visible],
    if_exists: bool,
) -> Result<Output> {
    if !dropped.is_empty() {
        let names = dropped.iter().map(|visible| {
            let table = &visible.table;
            (table.database_name.clone(), table.name.clone())
        });
        let names: Vec<(String, String)> = names.collect();
        let coordinator = &context.coordinator;
        coordinator.drop_tables_and_grants(names, if_exists).await?;
    }
    Ok(Output::Command)
}

pub(super) async fn rename(
    context: &StatementContext,
    rename: &AlterTableRename,
) -> Result<Output> {
    let visible = context.table(&rename.table).await?;
    context.require_alter(&visible)?;
    if rename.only_view {
        require_view(&visible)?;
    }
    let table = &visible.table;
    let mut target = rename.new_name.clone();
    target
        .database
        .get_or_insert_with(|| table.database_name.clone());
    let (database, new_name) = context.new_table_name(&target)?;
    if database != table.database_name {
        // Before anything else is said of a database that may be hidden.
        context.view.require_database(database).await?;
        require_movable(context, table).await?;
    }
    context.require_on_database(database, Privilege::CreateTable)?;
    context.check_free(database, new_name).await?;
    let metastore = &context.view.metastore;
    metastore.rename_table(table, database, new_name).await?;
    Ok(Output::Command)
}

/// A move to another database gives the table to the users with privileges on that database, the
/// principal among them, and takes it from those with privileges on the former one only. It is
/// therefore for those that could grant the same.
///
/// # Errors
///
/// The principal may not grant every privilege on the table.
async fn require_movable(context: &StatementContext, table: &Table) -> Result<()> {
    let moved = resource(table);
    if !context.access().can_grant(Privilege::All, &moved) {
        return Err(Error::new(
            Code::PermissionDenied,
            format!(
                "permission denied for {moved}: moving it to another database needs ALL on it with grant option"
            ),
        )
        .with_hint("an administrator can move it, or who holds ALL on it with grant option"));
    }
    check_owners(context, Privilege::All, &moved).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;
    use super::*;

    const PARQUET: &str = "STORED AS PARQUET LOCATION 's3://lake/t/'";

    #[tokio::test]
    async fn table_is_stored_as_athena_stores_it() {
        let lake = Lake::new().await;
        lake.ok("CREATE EXTERNAL TABLE Orders (Id STRING COMMENT 'key', total DECIMAL(10, 2), tags ARRAY<STRUCT<a:INT>>)
                 COMMENT 'all orders' PARTITIONED BY (day DATE)
                 CLUSTERED BY (id) SORTED BY (total DESC) INTO 8 BUCKETS
                 STORED AS PARQUET LOCATION 's3://lake/orders/' TBLPROPERTIES ('parquet.compression'='SNAPPY')")
            .await;
        let table = lake.table("orders").await;
        assert_eq!(table.table_type.as_deref(), Some(EXTERNAL_TABLE));
        assert_eq!(table.owner.as_deref(), Some("admin"));
        assert_eq!(table.description.as_deref(), Some("all orders"));
        let parameters: Vec<String> = table
            .parameters
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            parameters,
            [
                "EXTERNAL=TRUE",
                "classification=parquet",
                "comment=all orders",
                "parquet.compression=SNAPPY"
            ]
        );
        let descriptor = &table.storage_descriptor;
        assert_eq!(descriptor.location.as_deref(), Some("s3://lake/orders/"));
        let types: Vec<&str> = table
            .columns()
            .map(|column| column.data_type.as_str())
            .collect();
        assert_eq!(
            types,
            ["string", "decimal(10,2)", "array<struct<a:int>>", "date"]
        );
        assert_eq!(descriptor.number_of_buckets, 8);
        assert_eq!(descriptor.bucket_columns, ["id"]);
        assert_eq!(
            (
                descriptor.sort_columns[0].column.as_str(),
                descriptor.sort_columns[0].sort_order
            ),
            ("total", 0)
        );
        assert_eq!(
            TableFormat::detect(descriptor, &table.parameters).unwrap(),
            TableFormat::Parquet
        );
        assert_eq!(
            lake.fails(
                "admin",
                &format!("CREATE EXTERNAL TABLE orders (a INT) {PARQUET}")
            )
            .await
            .code(),
            Code::DuplicateTable
        );
        lake.ok(&format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS orders (a INT) {PARQUET}"
        ))
        .await;
        assert_eq!(lake.table("orders").await.version_id, 0);
    }

    #[tokio::test]
    async fn location_outside_the_lake_is_refused_wherever_one_is_given() {
        let lake = Lake::with_orders().await;
        for bad in [
            "file:///etc/",
            "s3://other/x/",
            "s3://lake/../x/",
            "http://lake/x/",
            "/etc",
        ] {
            for sql in [
                format!("CREATE DATABASE d LOCATION '{bad}'"),
                format!("CREATE EXTERNAL TABLE t (a INT) STORED AS PARQUET LOCATION '{bad}'"),
                format!("ALTER TABLE orders SET LOCATION '{bad}'"),
                format!("ALTER TABLE orders ADD PARTITION (day = '2024-01-01') LOCATION '{bad}'"),
            ] {
                let error = lake.fails("admin", &sql).await;
                assert_eq!(error.code(), Code::LocationRefused, "{sql}");
                assert!(error.message().contains(bad), "{sql}: {error}");
            }
        }
        assert_eq!(lake.text("admin", "SHOW TABLES").await, "orders");
        assert_eq!(lake.text("admin", "SHOW PARTITIONS orders").await, "");
    }

    #[tokio::test]
    async fn table_without_a_location_gets_a_folder_of_its_database() {
        let lake = Lake::new().await;
        lake.ok("CREATE TABLE plain (a BIGINT, b TEXT, c DOUBLE PRECISION, d TIMESTAMP(6) WITHOUT TIME ZONE NULL, e INTEGER[], f NUMERIC(10, 2), g BYTEA)")
            .await;
        let table = lake.table("plain").await;
        let types: Vec<&str> = table.columns().map(|column| &*column.data_type).collect();
        assert_eq!(
            types,
            [
                "bigint",
                "string",
                "double",
                "timestamp",
                "array<int>",
                "decimal(10,2)",
                "binary"
            ]
        );
        let descriptor = &table.storage_descriptor;
        assert_eq!(
            descriptor.location.as_deref(),
            Some("s3://lake/sales/plain/")
        );
        let format = descriptor.input_format.as_deref().unwrap_or_default();
        assert!(format.contains("parquet"), "{format}");
        let taken = lake.fails("admin", "CREATE TABLE plain (a INT)").await;
        assert_eq!(taken.code(), Code::DuplicateTable);
        lake.ok("CREATE TABLE IF NOT EXISTS plain (a INT)").await;
        for (sql, part) in [
            ("CREATE TABLE t (a TIMESTAMPTZ)", "no column of a table has"),
            ("CREATE TABLE t (a INTERVAL)", "no column of a table has"),
            ("CREATE TABLE t", "at least one"),
        ] {
            let error = lake.fails("admin", sql).await;
            assert!(error.message().contains(part), "{sql}: {error}");
        }
        let denied = lake.fails("ann", "CREATE TABLE sales.t (a INT)").await;
        assert!(
            matches!(denied.code(), Code::PermissionDenied | Code::SchemaNotFound),
            "{denied}"
        );
    }

    #[tokio::test]
    async fn what_is_no_external_table_is_refused_with_the_remedy() {
        let lake = Lake::new().await;
        for (sql, part) in [
            (
                "CREATE EXTERNAL TABLE t (a INT) STORED AS PARQUET",
                "LOCATION",
            ),
            (
                "CREATE TABLE t (a INT) LOCATION 's3://lake/t/'",
                "CREATE EXTERNAL TABLE",
            ),
            (
                "CREATE TABLE t (a INT) LOCATION 's3://lake/t/' TBLPROPERTIES ('table_type'='ICEBERG')",
                "Iceberg",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) STORED AS SEQUENCEFILE LOCATION 's3://lake/t/'",
                "PARQUET, ORC, AVRO, ION, TEXTFILE or JSONFILE",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe' LOCATION 's3://lake/t/'",
                "input.regex",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) STORED AS AVRO LOCATION 's3://lake/t/' TBLPROPERTIES ('avro.schema.literal'='{')",
                "avro.schema.literal",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) STORED AS AVRO LOCATION 's3://lake/t/' TBLPROPERTIES ('avro.schema.url'='s3://lake/a.avsc')",
                "avro.schema.literal",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS PARQUET LOCATION 's3://lake/t/'",
                "does not go with",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (d DATE) STORED AS PARQUET LOCATION 's3://lake/t/' TBLPROPERTIES ('projection.enabled'='true')",
                "missing projection configuration: [d]",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT, a STRING) STORED AS PARQUET LOCATION 's3://lake/t/'",
                "named twice",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (a INT) STORED AS PARQUET LOCATION 's3://lake/t/'",
                "partition key",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (b ARRAY<INT>) STORED AS PARQUET LOCATION 's3://lake/t/'",
                "primitive",
            ),
            (
                "CREATE EXTERNAL TABLE t (a NUMBER) STORED AS PARQUET LOCATION 's3://lake/t/'",
                "number",
            ),
            (
                "CREATE EXTERNAL TABLE t (a ARRAY<INT>) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://lake/t/'",
                "OpenCSVSerde",
            ),
            (
                "CREATE EXTERNAL TABLE t (a INT) CLUSTERED BY (b) INTO 4 BUCKETS STORED AS PARQUET LOCATION 's3://lake/t/'",
                "CLUSTERED BY",
            ),
        ] {
            let error = lake.fails("admin", sql).await;
            assert!(error.message().contains(part), "{sql}: {error}");
            assert_ne!(error.code(), Code::Internal, "{sql}");
        }
        assert_eq!(lake.text("admin", "SHOW TABLES").await, "");
    }

    #[tokio::test]
    async fn creating_needs_create_table_and_makes_the_table_the_creators() {
        let lake = Lake::new().await;
        let create = format!("CREATE EXTERNAL TABLE sales.t (a INT) {PARQUET}");
        assert_eq!(
            lake.fails("ann", &create).await.code(),
            Code::SchemaNotFound
        );
        lake.ok("GRANT SELECT ON DATABASE sales TO ann").await;
        let error = lake.fails("ann", &create).await;
        assert_eq!(error.code(), Code::PermissionDenied);
        assert!(error.message().contains("CREATE_TABLE"), "{error}");
        lake.ok(error.hint().unwrap().split_once("run: ").unwrap().1)
            .await;
        // The database has no folder of its own.
        let error = lake.fails("ann", &create).await;
        assert_eq!(
            error.message(),
            "permission denied for location 's3://lake/t/': DATA_LOCATION is needed"
        );
        lake.ok(error.hint().unwrap().split_once("run: ").unwrap().1)
            .await;
        lake.ok_as("ann", &create).await;
        lake.ok_as(
            "ann",
            "GRANT SELECT (a) ON TABLE sales.t TO ben; DROP TABLE sales.t",
        )
        .await;
        assert_eq!(lake.text("ben", "SHOW DATABASES").await, "");
    }

    #[tokio::test]
    async fn table_over_the_data_of_another_is_no_way_around_its_grants() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE lab; GRANT CREATE_TABLE, ALTER, SELECT ON DATABASE lab TO ann; GRANT SELECT (id) ON TABLE sales.orders TO ann;
                 GRANT DATA_LOCATION ON 's3://lake/' TO ann").await;
        for location in [
            "s3://lake/orders/",
            "s3://lake/orders/day=2024-01-01/",
            "s3://lake/",
            "S3A://lake//orders",
        ] {
            let error = lake.fails("ann", &format!("CREATE EXTERNAL TABLE lab.spy (email STRING) STORED AS PARQUET LOCATION '{location}'")).await;
            assert_eq!(error.code(), Code::PermissionDenied, "{location}");
            assert!(!error.to_string().contains("sales.orders"), "{error}");
        }
        lake.ok_as("ann", "CREATE EXTERNAL TABLE lab.own (email STRING) PARTITIONED BY (d INT) STORED AS PARQUET LOCATION 's3://lake/orders2/'").await;
        for sql in [
            "ALTER TABLE lab.own SET LOCATION 's3://lake/orders/'",
            "ALTER TABLE lab.own ADD PARTITION (d = 1) LOCATION 's3://lake/orders/day=2024-01-01/'",
        ] {
            assert_eq!(
                lake.fails("ann", sql).await.code(),
                Code::PermissionDenied,
                "{sql}"
            );
        }
        lake.ok("GRANT SELECT ON TABLE sales.orders TO ann").await;
        lake.ok_as(
            "ann",
            "ALTER TABLE lab.own SET LOCATION 's3://lake/orders/'",
        )
        .await;
    }

    #[tokio::test]
    async fn name_of_what_is_hidden_is_refused_in_one_way() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE stock; GRANT CREATE_DATABASE ON CATALOG TO ann; GRANT CREATE TABLE ON DATABASE sales TO ben; GRANT DATA_LOCATION ON 's3://lake/free/' TO ben").await;
        let error = lake.fails("ann", "CREATE DATABASE stock").await;
        assert_eq!(error.code(), Code::PermissionDenied, "{error}");
        let sql = "CREATE EXTERNAL TABLE sales.orders (a INT) STORED AS PARQUET LOCATION 's3://lake/free/'";
        let error = lake.fails("ben", sql).await;
        assert_eq!(error.code(), Code::PermissionDenied, "{error}");
        assert_eq!(
            error.message(),
            "permission denied: the name \"sales.orders\" cannot be used for a new table"
        );
        // With IF NOT EXISTS the answer does not depend on what exists, and reveals nothing.
        let sql = sql.replace("TABLE sales", "TABLE IF NOT EXISTS sales");
        lake.ok_as("ben", &sql).await;
        lake.ok_as("ann", "CREATE DATABASE IF NOT EXISTS stock")
            .await;
        assert_eq!(lake.text("ben", "SHOW TABLES IN sales").await, "");
        assert_eq!(lake.text("ann", "SHOW DATABASES").await, "");
        lake.ok_as(
            "ben",
            "CREATE EXTERNAL TABLE sales.own (a INT) STORED AS PARQUET LOCATION 's3://lake/free/'",
        )
        .await;
        let error = lake
            .fails("ben", "ALTER TABLE sales.own RENAME TO orders")
            .await;
        assert_eq!(error.code(), Code::PermissionDenied, "{error}");
        assert_eq!(lake.table("orders").await.version_id, 0);
    }

    #[tokio::test]
    async fn renamed_table_keeps_its_grants_and_partitions() {
        let lake = Lake::with_orders().await;
        lake.ok("ALTER TABLE orders ADD PARTITION (day = '2024-01-01'); GRANT SELECT (id) ON TABLE orders TO ann").await;
        let id = lake.table("orders").await.id;
        lake.ok("ALTER TABLE orders RENAME TO purchases").await;
        assert_eq!(lake.table("purchases").await.id, id);
        assert_eq!(
            lake.text("ann", "SHOW COLUMNS IN sales.purchases").await,
            "id"
        );
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS purchases").await,
            "day=2024-01-01"
        );
        assert_eq!(
            lake.fails("ann", "SHOW COLUMNS IN sales.orders")
                .await
                .code(),
            Code::TableNotFound
        );
        assert_eq!(
            lake.fails("admin", "ALTER TABLE purchases RENAME TO purchases")
                .await
                .code(),
            Code::DuplicateTable
        );
        lake.ok("GRANT ALTER, SELECT ON TABLE purchases TO ben")
            .await;
        let error = lake
            .fails("ben", "ALTER TABLE purchases RENAME TO mine")
            .await;
        assert!(error.message().contains("CREATE_TABLE"), "{error}");
    }

    #[tokio::test]
    async fn moved_table_keeps_its_own_grants_and_gets_those_on_its_new_database() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE shelf;
                 CREATE EXTERNAL TABLE shelf.taken (a INT) STORED AS PARQUET LOCATION 's3://lake/taken/';
                 ALTER TABLE orders ADD PARTITION (day = '2024-01-01');
                 GRANT SELECT (id) ON TABLE orders TO ann;
                 GRANT SELECT ON DATABASE sales TO ben").await;
        let old = lake.table("orders").await;
        for (name, code) in [
            ("shelf.taken", Code::DuplicateTable),
            ("none.orders", Code::SchemaNotFound),
        ] {
            let sql = format!("ALTER TABLE orders RENAME TO {name}");
            let error = lake.fails("admin", &sql).await;
            assert_eq!(error.code(), code, "{error}");
        }
        lake.ok("ALTER TABLE IF EXISTS orders RENAME TO shelf.kept")
            .await;
        let view = lake.context("admin").await.view;
        let found = view.metastore.table("shelf", "kept").await.unwrap();
        let kept = found.unwrap();
        assert_eq!(kept.id, old.id);
        assert_eq!(kept.storage_descriptor, old.storage_descriptor);
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS shelf.kept").await,
            "day=2024-01-01"
        );
        assert_eq!(lake.text("ann", "SHOW COLUMNS IN shelf.kept").await, "id");
        for gone in ["sales.orders", "shelf.kept"] {
            let error = lake.fails("ben", &format!("DESCRIBE {gone}")).await;
            assert_eq!(error.code(), Code::TableNotFound, "{gone}");
        }
        lake.ok("GRANT SELECT ON DATABASE shelf TO ben").await;
        assert_eq!(
            lake.text("ben", "SHOW COLUMNS IN shelf.kept").await,
            "id\nemail\nday"
        );
        // The database that it left can be dropped without it, and its new one not.
        lake.ok("DROP DATABASE sales").await;
        lake.fails("admin", "DROP DATABASE shelf").await;
    }

    #[tokio::test]
    async fn a_table_is_not_moved_to_a_database_to_get_at_it() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE own; CREATE DATABASE hidden;
                 CREATE EXTERNAL TABLE own.secret (a INT) STORED AS PARQUET LOCATION 's3://lake/secret/';
                 GRANT ALL ON DATABASE own TO ann WITH GRANT OPTION;
                 GRANT CREATE TABLE ON DATABASE own TO ben;
                 GRANT ALTER, DROP ON TABLE orders TO ben").await;
        let moving = "ALTER TABLE sales.orders RENAME TO own.mine";
        let hidden = lake.fails("ann", moving).await;
        assert_eq!(hidden.code(), Code::TableNotFound);
        for (grant, needed) in [
            ("SELECT (id)", "ALTER is needed"),
            ("ALTER", "some of its columns only"),
            ("SELECT", "with grant option"),
            ("ALL", "with grant option"),
        ] {
            lake.ok(&format!("GRANT {grant} ON TABLE orders TO ann"))
                .await;
            for statement in [moving, &moving.replace("TABLE", "TABLE IF EXISTS")] {
                let error = lake.fails("ann", statement).await;
                assert_eq!(error.code(), Code::PermissionDenied, "{grant}: {error}");
                assert!(error.message().contains(needed), "{grant}: {error}");
            }
        }
        // Without SELECT, and with every privilege but one to pass on.
        let error = lake.fails("ben", moving).await;
        assert!(error.message().contains("with grant option"), "{error}");
        lake.ok("GRANT SELECT, INSERT, DELETE, ALTER, DESCRIBE ON TABLE orders TO ben WITH GRANT OPTION").await;
        let error = lake.fails("ben", moving).await;
        assert!(error.message().contains("with grant option"), "{error}");
        lake.ok("GRANT ALL ON TABLE orders TO ben WITH GRANT OPTION")
            .await;
        // The other database is as it is for the user.
        for (target, code) in [
            ("hidden.mine", Code::SchemaNotFound),
            ("none.mine", Code::SchemaNotFound),
            ("own.secret", Code::PermissionDenied),
        ] {
            let sql = format!("ALTER TABLE sales.orders RENAME TO {target}");
            let error = lake.fails("ben", &sql).await;
            assert_eq!(error.code(), code, "{target}: {error}");
        }
        lake.ok("GRANT DESCRIBE ON DATABASE hidden TO ben").await;
        let error = lake
            .fails("ben", "ALTER TABLE sales.orders RENAME TO hidden.mine")
            .await;
        assert!(error.message().contains("CREATE_TABLE"), "{error}");
        assert_eq!(lake.table("orders").await.version_id, 0);
        lake.ok_as("ben", moving).await;
        assert_eq!(
            lake.text("ben", "SHOW COLUMNS IN own.mine").await,
            "id\nemail\nday"
        );
    }

    #[tokio::test]
    async fn a_table_over_the_files_of_another_is_moved_by_those_that_could_grant_both() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE lab; CREATE DATABASE own;
                 CREATE EXTERNAL TABLE lab.twin (id INT, email STRING) PARTITIONED BY (day DATE) STORED AS PARQUET LOCATION 's3://lake/orders/';
                 GRANT ALL ON TABLE lab.twin TO ann WITH GRANT OPTION;
                 GRANT ALL ON DATABASE own TO ann;
                 GRANT SELECT ON TABLE orders TO ann").await;
        let moving = "ALTER TABLE lab.twin RENAME TO own.twin";
        let error = lake.fails("ann", moving).await;
        assert_eq!(error.code(), Code::PermissionDenied, "{error}");
        assert!(
            error.message().contains("belong to another table"),
            "{error}"
        );
        lake.ok("GRANT ALL ON TABLE orders TO ann WITH GRANT OPTION")
            .await;
        lake.ok_as("ann", moving).await;
    }

    #[tokio::test]
    async fn unqualified_names_mean_the_first_database_of_the_path_that_has_the_table() {
        let lake = Lake::with_orders().await;
        lake.ok("CREATE DATABASE stock;
                 CREATE EXTERNAL TABLE stock.orders (a INT) STORED AS PARQUET LOCATION 's3://lake/a/';
                 CREATE EXTERNAL TABLE stock.items (a INT) STORED AS PARQUET LOCATION 's3://lake/b/'")
            .await;
        assert_eq!(lake.text("admin", "SHOW COLUMNS IN items").await, "a");
        assert_eq!(
            lake.text("admin", "SHOW COLUMNS IN orders").await,
            "id\nemail\nday"
        );
        // A new table is created in the first database.
        lake.ok(&format!("CREATE EXTERNAL TABLE items (b INT) {PARQUET}"))
            .await;
        assert_eq!(lake.text("admin", "SHOW COLUMNS IN items").await, "b");
        assert_eq!(lake.text("admin", "SHOW TABLES").await, "items\norders");
        lake.ok("DROP TABLE items; DROP TABLE items").await;
        assert_eq!(lake.text("admin", "SHOW TABLES IN stock").await, "orders");
        // For a user who sees nothing of the first database, it is created in the second.
        lake.ok("GRANT SELECT ON DATABASE stock TO ann").await;
        assert_eq!(lake.text("ann", "SHOW TABLES").await, "orders");
        assert_eq!(lake.text("ann", "SHOW COLUMNS IN orders").await, "a");
        assert_eq!(
            lake.fails("ben", "SHOW TABLES").await.code(),
            Code::SchemaNotFound
        );
        let missing = lake.fails("ben", "DESCRIBE orders").await;
        assert_eq!(missing.message(), "relation \"orders\" does not exist");
    }

    #[tokio::test]
    async fn dropping_needs_drop_and_hidden_tables_look_missing() {
        let lake = Lake::with_orders().await;
        let hidden = lake.fails("ann", "DROP TABLE sales.orders").await;
        let missing = lake.fails("ann", "DROP TABLE sales.orchid").await;
        assert_eq!(hidden.code(), Code::TableNotFound);
        assert_eq!(
            hidden.message().replace("orders", "orchid"),
            missing.message()
        );
        lake.ok_as("ann", "DROP TABLE IF EXISTS sales.orders").await;
        lake.ok("GRANT SELECT ON TABLE orders TO ann").await;
        assert_eq!(
            lake.fails("ann", "DROP TABLE sales.orders").await.code(),
            Code::PermissionDenied
        );
        lake.ok("GRANT DROP ON TABLE orders TO ann").await;
        lake.ok_as("ann", "DROP TABLE sales.orders").await;
        assert_eq!(lake.text("admin", "SHOW TABLES").await, "");
    }
}
