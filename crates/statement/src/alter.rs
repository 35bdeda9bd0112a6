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
        let name = &alter.table.table;
        context.notices.skips_missing("relation", name);
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
mod tests;
