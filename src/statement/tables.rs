//! CREATE EXTERNAL TABLE, DROP TABLE and RENAME TO.

use std::collections::HashSet;

use lakegate_catalog::access::Privilege;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Column, EXTERNAL_TABLE, Parameters, TableInput};
use lakegate_sql::ast::{AlterTableRename, CreateTable, DropTable};

use super::rights::resource;
use super::{Output, StatementContext, storage};
use crate::error::{Code, Error, Result};
use crate::lake::format::TableFormat;
use crate::view::table_not_found;

pub(super) async fn create(context: &StatementContext, create: &CreateTable) -> Result<Output> {
    let (database, name) = context.table_name(&create.name)?;
    let database = context.view.require_database(database).await?;
    context.require_on_database(&database.name, Privilege::CreateTable)?;
    let location = external_location(create)?;
    check_properties(&create.properties)?;
    context.locate(location, None).await?;

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
    TableFormat::detect(&descriptor, &parameters)?;

    let input = TableInput {
        name: name.to_owned(),
        description: parameters.get("comment").cloned(),
        owner: Some(context.access().user().to_owned()),
        storage_descriptor: descriptor,
        partition_keys,
        table_type: Some(EXTERNAL_TABLE.to_owned()),
        parameters,
        ..TableInput::default()
    };
    let metastore = &context.view.metastore;
    let created = metastore
        .create_table(&database.name, input, create.if_not_exists)
        .await?;
    if created.created {
        super::grants::to_creator(context, resource(&created.value)).await?;
    }
    Ok(Output::Command)
}

/// The LOCATION of an external table. Errors: what is asked for is no external table, or it has none.
fn external_location(create: &CreateTable) -> Result<&str> {
    let iceberg = create.properties.iter().any(|(key, value)| {
        key.eq_ignore_ascii_case("table_type") && value.eq_ignore_ascii_case("iceberg")
    });
    if iceberg {
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
            "CREATE TABLE without EXTERNAL makes Iceberg tables, which are not supported yet; use CREATE EXTERNAL TABLE",
        ));
    }
    Ok(location)
}

/// Errors: a table property that would change what the table is, or that asks for what is not there yet.
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
            // Ignored, it would give queries that silently find nothing.
            "projection.enabled" if value.eq_ignore_ascii_case("true") => {
                return Err(Error::not_supported(
                    "partition projection is not supported yet; leave 'projection.enabled' out and register partitions with MSCK REPAIR TABLE or ALTER TABLE … ADD PARTITION",
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Errors: a column that is named twice, or that is also a partition key.
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

/// Drops what is in the catalog; files stay, as the tables are external.
pub(super) async fn drop(context: &StatementContext, drop: &DropTable) -> Result<Output> {
    let (database, name) = context.table_name(&drop.name)?;
    let Some(visible) = context.view.table(database, name).await? else {
        return match drop.if_exists {
            true => Ok(Output::Command),
            false => Err(table_not_found(database, name)),
        };
    };
    if !visible.access.drop {
        return Err(context.denied(Privilege::Drop, &resource(&visible.table)));
    }
    let metastore = &context.view.metastore;
    metastore.drop_table(database, name, drop.if_exists).await?;
    Ok(Output::Command)
}

pub(super) async fn rename(
    context: &StatementContext,
    rename: &AlterTableRename,
) -> Result<Output> {
    let visible = context.table_to_alter(&rename.table).await?;
    let table = &visible.table;
    let mut target = rename.new_name.clone();
    target
        .database
        .get_or_insert_with(|| table.database_name.clone());
    let (database, new_name) = context.table_name(&target)?;
    if database != table.database_name {
        // Whoever holds more on the other database would win rights on the table by moving it there.
        return Err(Error::not_supported(format!(
            "a table cannot be moved to another database; create {database}.{new_name} over the same LOCATION and drop {}",
            table.full_name()
        )));
    }
    context.require_on_database(&table.database_name, Privilege::CreateTable)?;
    let metastore = &context.view.metastore;
    metastore
        .rename_table(&table.database_name, &table.name, new_name)
        .await?;
    Ok(Output::Command)
}
