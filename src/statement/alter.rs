//! ALTER TABLE of columns, properties, SerDe and location: of a table, or of one partition.

use std::sync::Arc;

use lakegate_catalog::error::CatalogError;
use lakegate_catalog::model::{SerDeInfo, StorageDescriptor, Table, TableInput};
use lakegate_catalog::partition::PartitionInput;
use lakegate_sql::ast::{
    AlterTableAddColumns, AlterTableReplaceColumns, AlterTableSetLocation, AlterTableSetProperties,
    AlterTableSetSerdeProperties, AlterTableUnsetProperties, PartitionSpec, TableName,
};

use super::partitions::one_partition;
use super::tables::{check_names, check_properties};
use super::{Output, StatementContext, storage};
use crate::error::{Code, Error, Result};
use crate::lake::format::TableFormat;

/// How often a change is made anew because somebody else changed the table meanwhile.
const ATTEMPTS: usize = 8;

pub(super) async fn add_columns(
    context: &StatementContext,
    alter: &AlterTableAddColumns,
) -> Result<Output> {
    let added: Vec<_> = alter.columns.iter().map(storage::column).collect();
    change_storage(
        context,
        &alter.table,
        alter.partition.as_ref(),
        |table, descriptor| {
            descriptor.columns.extend(added.iter().cloned());
            check_names(&descriptor.columns, &table.partition_keys)
        },
    )
    .await
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
    context
        .locate(&alter.location, Some(visible.table.id))
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
    change_table(context, &alter.table, |_, input| {
        input.parameters.extend(alter.properties.iter().cloned());
        if alter.properties.iter().any(|(key, _)| key == "comment") {
            input.description = input.parameters.get("comment").cloned();
        }
        Ok(())
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
        Ok(())
    })
    .await
}

/// Changes the descriptor of a table, or of one of its partitions. The result must be one that can be read.
async fn change_storage(
    context: &StatementContext,
    name: &TableName,
    partition: Option<&PartitionSpec>,
    change: impl Fn(&Table, &mut StorageDescriptor) -> Result<()>,
) -> Result<Output> {
    let Some(spec) = partition else {
        return change_table(context, name, |table, input| {
            change(table, &mut input.storage_descriptor)
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
    let metastore = &context.view.metastore;
    metastore
        .update_partitions(&table.database_name, &table.name, vec![input])
        .await?;
    Ok(Output::Command)
}

/// Changes a table from its current version; made anew if somebody else was faster.
async fn change_table(
    context: &StatementContext,
    name: &TableName,
    change: impl Fn(&Table, &mut TableInput) -> Result<()>,
) -> Result<Output> {
    let mut attempt = 1;
    loop {
        let visible = context.table_to_alter(name).await?;
        let table = &visible.table;
        let mut input = table.to_input();
        change(table, &mut input)?;
        check_storage(&input.storage_descriptor, &input)?;
        let metastore = &context.view.metastore;
        let updated = metastore
            .update_table(&table.database_name, input, Some(table.version_id))
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
