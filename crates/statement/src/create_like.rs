//! CREATE TABLE LIKE: a table with the columns and the format of another, and none of its files and
//! grants.

use lakegate_catalog::access::Privilege;
use lakegate_catalog::model::{
    EXTERNAL_TABLE, Parameters, SerDeInfo, StorageDescriptor, TableInput,
};
use lakegate_error::{Error, Result};
use lakegate_lake::format::TableFormat;
use lakegate_lake::table::symlinks;
use lakegate_policy::Visible;
use lakegate_sql::ast::CreateTableLike;

use super::locations::For;
use super::rights::{require_lasting, sees_all_columns};
use super::tables::check_properties;
use super::{Output, StatementContext, properties};

/// Table properties that decide how files are read and written: copied also where properties are
/// not.
const OF_FORMATS: [&str; 10] = [
    "avro.schema.literal",
    "classification",
    "compressionType",
    "orc.compress",
    "parquet.compression",
    "serialization.null.format",
    "skip.footer.line.count",
    "skip.header.line.count",
    "timestamp.formats",
    "write.compression",
];

/// Table properties that tell of the files of the source, or name folders.
const OF_FILES: [&str; 13] = [
    "averageRecordSize",
    "COLUMN_STATS_ACCURATE",
    "last_modified_by",
    "last_modified_time",
    "numFiles",
    "numPartitions",
    "numRows",
    "objectCount",
    "rawDataSize",
    "recordCount",
    "storage.location.template",
    "totalSize",
    "transient_lastDdlTime",
];

pub(super) async fn create(context: &StatementContext, create: &CreateTableLike) -> Result<Output> {
    let (database, name) = context.new_table_name(&create.name)?;
    let database = context.view.require_database(database).await?;
    context.require_on_database(&database.name, Privilege::CreateTable)?;
    let source = context.table(&create.source).await?;
    require_lasting(&source)?;
    if source.table.is_view() {
        return Err(Error::not_supported(format!(
            "{} is a view, which has no format; use CREATE TABLE .. AS SELECT .. WHERE false",
            source.table.full_name()
        )));
    }
    check_properties(&create.properties)?;
    let mut input = copied(context, create, &source);
    if let Some(location) = &create.location {
        let exposed = symlinks::exposed_by(&input.storage_descriptor, location);
        context.register(exposed, For::NewTable(&database)).await?;
    }
    if !create.if_not_exists {
        context.check_free(&database.name, name).await?;
    }
    let location = match &create.location {
        Some(location) => location.clone(),
        None => context.free_folder(&database, name).await?,
    };
    input.storage_descriptor.location = Some(location);
    let width = input.storage_descriptor.columns.len();
    TableFormat::detect(&input.storage_descriptor, &input.parameters)?.check(width)?;
    context
        .create_defined(&database, input, create.if_not_exists)
        .await
}

/// The definition without a location: of the source, what the principal sees.
fn copied(context: &StatementContext, create: &CreateTableLike, source: &Visible) -> TableInput {
    let table = &source.table;
    let all = sees_all_columns(source);
    let mut parameters: Parameters = properties::of_table(table, all)
        .filter(|(key, _)| !OF_FILES.contains(&key.as_str()))
        .filter(|(key, _)| create.with_properties || OF_FORMATS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let comment = table
        .parameters
        .get("comment")
        .or(table.description.as_ref());
    if let Some(comment) = create.comment.as_ref().or(comment) {
        parameters.insert("comment".to_owned(), comment.clone());
    }
    parameters.extend(create.properties.iter().cloned());
    parameters.insert("EXTERNAL".to_owned(), "TRUE".to_owned());
    let keys = table.partition_keys.iter();
    let keys = keys.filter(|key| source.access.is_visible(&key.name));
    TableInput {
        name: create.name.table.clone(),
        description: parameters.get("comment").cloned(),
        owner: Some(context.access().user().to_owned()),
        storage_descriptor: descriptor(source, all),
        partition_keys: keys.cloned().collect(),
        table_type: Some(EXTERNAL_TABLE.to_owned()),
        parameters,
        ..TableInput::default()
    }
}

/// Columns, format and buckets, as far as they name no hidden column.
fn descriptor(source: &Visible, all: bool) -> StorageDescriptor {
    let own = &source.table.storage_descriptor;
    let seen = |name: &String| source.access.is_visible(name);
    let columns = own.columns.iter().filter(|column| seen(&column.name));
    let serde_info = own.serde_info.as_ref().map(|serde| SerDeInfo {
        parameters: properties::of_serde(own, all)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        ..serde.clone()
    });
    let mut copied = StorageDescriptor {
        columns: columns.cloned().collect(),
        input_format: own.input_format.clone(),
        output_format: own.output_format.clone(),
        compressed: own.compressed,
        // Glue's value for a table without buckets.
        number_of_buckets: -1,
        serde_info,
        ..StorageDescriptor::default()
    };
    let mut sorted = own.sort_columns.iter().map(|sorted| &sorted.column);
    if own.bucket_columns.iter().all(seen) && sorted.all(seen) {
        copied.number_of_buckets = own.number_of_buckets;
        copied.bucket_columns.clone_from(&own.bucket_columns);
        copied.sort_columns.clone_from(&own.sort_columns);
    }
    copied
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn columns_keys_comments_and_format_are_copied() {
        let lake = Lake::new().await;
        lake.ok("CREATE EXTERNAL TABLE source (a STRING COMMENT 'first', b INT) COMMENT 'ours' PARTITIONED BY (day DATE COMMENT 'of it')
                   ROW FORMAT DELIMITED FIELDS TERMINATED BY '|' LOCATION 's3://lake/source/'
                   TBLPROPERTIES ('skip.header.line.count' = '1', 'owner' = 'tests', 'numRows' = '5');
                 ALTER TABLE source ADD PARTITION (day = '2024-01-01');
                 GRANT SELECT ON TABLE source TO ann;
                 CREATE TABLE hive LIKE source;
                 CREATE TABLE trino (LIKE sales.source) COMMENT 'mine';
                 CREATE TABLE whole (LIKE source INCLUDING PROPERTIES) WITH (external_location = 's3://lake/whole/');
                 CREATE EXTERNAL TABLE IF NOT EXISTS whole LIKE source LOCATION 's3://lake/other/'")
            .await;
        let source = lake.table("source").await;
        for (name, comment, owner, location) in [
            ("hive", "ours", true, "s3://lake/sales/hive/"),
            ("trino", "mine", false, "s3://lake/sales/trino/"),
            ("whole", "ours", true, "s3://lake/whole/"),
        ] {
            let table = lake.table(name).await;
            let (copy, of) = (&table.storage_descriptor, &source.storage_descriptor);
            assert_eq!(copy.columns, of.columns, "{name}");
            assert_eq!(table.partition_keys, source.partition_keys, "{name}");
            assert_eq!(copy.serde_info, of.serde_info, "{name}");
            assert_eq!(copy.input_format, of.input_format, "{name}");
            assert_eq!(copy.location.as_deref(), Some(location), "{name}");
            assert_eq!(table.description.as_deref(), Some(comment), "{name}");
            assert_eq!(table.parameters["skip.header.line.count"], "1", "{name}");
            assert_eq!(table.parameters.contains_key("owner"), owner, "{name}");
            assert!(!table.parameters.contains_key("numRows"), "{name}");
            assert_eq!(
                lake.text("admin", &format!("SHOW PARTITIONS {name}")).await,
                ""
            );
        }
        let hidden = lake.fails("ann", "DESCRIBE sales.hive").await;
        assert_eq!(hidden.code(), Code::TableNotFound);
        let taken = lake.fails("admin", "CREATE TABLE hive LIKE source").await;
        assert_eq!(taken.code(), Code::DuplicateTable);
        let missing = lake.fails("admin", "CREATE TABLE t LIKE nothing").await;
        assert_eq!(missing.code(), Code::TableNotFound);
    }

    #[tokio::test]
    async fn what_a_principal_does_not_see_is_not_copied() {
        let lake = Lake::with_orders().await;
        lake.ok("ALTER TABLE orders SET TBLPROPERTIES ('about' = 'email');
                 CREATE DATABASE lab; GRANT CREATE_TABLE, DESCRIBE ON DATABASE lab TO ann")
            .await;
        let like = "CREATE TABLE lab.t (LIKE sales.orders INCLUDING ALL)";
        let hidden = lake.fails("ann", like).await;
        assert_eq!(hidden.code(), Code::TableNotFound);
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ann").await;
        let elsewhere = format!("{like} LOCATION 's3://lake/orders/'");
        let denied = lake.fails("ann", &elsewhere).await;
        assert_eq!(denied.code(), Code::PermissionDenied);
        lake.ok_as("ann", like).await;
        let shown = lake.text("ann", "SHOW CREATE TABLE lab.t").await;
        assert!(shown.contains("`id` int"), "{shown}");
        assert!(
            !shown.contains("email") && !shown.contains("day"),
            "{shown}"
        );
        let error = lake
            .fails("ann", "CREATE TABLE sales.t (LIKE sales.orders)")
            .await;
        assert_eq!(error.code(), Code::PermissionDenied);
    }
}
