//! ADD, DROP, RENAME PARTITION and SHOW PARTITIONS.

use std::collections::BTreeSet;
use std::sync::Arc;

use lakegate_catalog::error::{CatalogError, Kind};
use lakegate_catalog::model::Table;
use lakegate_catalog::partition::{
    HIVE_DEFAULT_PARTITION, Partition, PartitionInput, PartitionKey, PartitionSpec as Values,
    Partitions, partition_path,
};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::table::symlinks;
use lakegate_sql::Statement;
use lakegate_sql::ast::{
    AlterTableAddPartitions, AlterTableDropPartitions, AlterTableRenamePartition, PartitionFilter,
    PartitionSpec, ShowPartitions,
};

use super::locations::For;
use super::partition_filter::{matching, unknown_key};
use super::rights::require_partition_names;
use super::{Output, StatementContext, rows};

/// One partition of a table, and the table's keys.
pub(super) struct FoundPartition {
    pub partition: Arc<Partition>,
    pub keys: Arc<[PartitionKey]>,
}

pub(super) async fn add(
    context: &StatementContext,
    add: &AlterTableAddPartitions,
) -> Result<Output> {
    let visible = context.table_to_alter(&add.table).await?;
    let table = &visible.table;
    let keys = PartitionKey::of_table(table)?;
    let mut inputs = Vec::with_capacity(add.partitions.len());
    for new in &add.partitions {
        let values = values_of(&keys, &new.spec)?.complete_values()?;
        let mut input = PartitionInput::new(values);
        match &new.location {
            Some(location) => {
                let exposed = symlinks::exposed_by_partition(table, location);
                context.register(exposed, For::Partition(table)).await?;
                input.location = Some(location.clone());
            }
            // The partition's new folder must be readable too.
            None => {
                let path = partition_path(&keys, &input.values);
                context.roots.locate(&below(table, &path)?)?;
            }
        }
        inputs.push(input);
    }
    context
        .coordinator
        .add_partitions_by(
            &table.database_name,
            &table.name,
            inputs,
            add.if_not_exists,
            context.access().by(),
        )
        .await?;
    Ok(Output::Command)
}

pub(super) async fn drop(
    context: &StatementContext,
    drop: &AlterTableDropPartitions,
) -> Result<Output> {
    let visible = context.table_to_alter(&drop.table).await?;
    let table = &visible.table;
    let partitions = partitions_of(context, table).await?;
    let mut gone = vec![false; partitions.len()];
    for filter in &drop.filters {
        if filter.conditions.is_empty() {
            return Err(Error::new(
                Code::SyntaxError,
                "PARTITION () names no partition; give at least one condition on a partition key",
            ));
        }
        let rows = matching(table, &partitions, filter)?;
        if rows.is_empty() && !drop.if_exists {
            return Err(CatalogError::not_found(Kind::Partition, text_of(filter)).into());
        }
        for row in rows {
            if let Some(gone) = gone.get_mut(row) {
                *gone = true;
            }
        }
    }
    let values: Vec<Vec<String>> = partitions
        .items
        .iter()
        .zip(&gone)
        .filter(|(_, gone)| **gone)
        .map(|(partition, _)| {
            partition
                .values
                .iter()
                .map(|value| value.to_string())
                .collect()
        })
        .collect();
    let home = table.storage_descriptor.location.as_deref();
    let left = partitions
        .items
        .iter()
        .zip(&gone)
        .filter(|(partition, gone)| **gone && !home.is_some_and(|home| partition.is_below(home)))
        .map(|(partition, _)| partition.location(&partitions.keys));
    context.leave(table, Some(left.collect())).await?;
    let metastore = &context.view.metastore;
    // A partition dropped concurrently is gone, as requested.
    metastore
        .drop_partitions(&table.database_name, &table.name, &values, true)
        .await?;
    Ok(Output::Command)
}

pub(super) async fn rename(
    context: &StatementContext,
    rename: &AlterTableRenamePartition,
) -> Result<Output> {
    let visible = context.table_to_alter(&rename.table).await?;
    let table = &visible.table;
    let keys = PartitionKey::of_table(table)?;
    let from = values_of(&keys, &rename.from)?.complete_values()?;
    let to = values_of(&keys, &rename.to)?.complete_values()?;
    let metastore = &context.view.metastore;
    metastore
        .rename_partition(&table.database_name, &table.name, &from, &to)
        .await?;
    Ok(Output::Command)
}

pub(super) async fn show(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowPartitions,
) -> Result<Output> {
    let visible = context.table(&show.table).await?;
    require_partition_names(&visible)?;
    let table = &visible.table;
    let is_seen = |name: &str| visible.access.is_visible(name);
    // Hidden keys do not exist: not in names, not in conditions, and not in what distinguishes two
    // partitions.
    let keys = table.partition_keys.iter().map(|key| key.name.as_str());
    let seen: Vec<&str> = keys.filter(|key| is_seen(key)).collect();
    if seen.is_empty() {
        return Err(not_partitioned(table));
    }
    let conditions = show.filter.iter().flat_map(|filter| &filter.conditions);
    for condition in conditions {
        if !seen.contains(&condition.key.as_str()) {
            return Err(unknown_key(&condition.key, &seen));
        }
    }
    let partitions = partitions_of(context, table).await?;
    let rows: Vec<usize> = match &show.filter {
        None => (0..partitions.len()).collect(),
        Some(filter) => matching(table, &partitions, filter)?,
    };
    let shown = rows.into_iter().filter_map(|row| partitions.items.get(row));
    let names = if seen.len() == table.partition_keys.len() {
        shown
            .map(|partition| partition.name(&partitions.keys))
            .collect()
    } else {
        let names: BTreeSet<String> = shown
            .map(|partition| {
                let pairs = partitions.keys.iter().zip(partition.values.iter());
                let (keys, values): (Vec<PartitionKey>, Vec<&str>) = pairs
                    .filter(|(key, _)| is_seen(&key.name))
                    .map(|(key, value)| (key.clone(), value.as_ref()))
                    .unzip();
                partition_path(&keys, &values)
            })
            .collect();
        names.into_iter().collect()
    };
    rows::answer_lines(statement, names)
}

pub(super) fn not_partitioned(table: &Table) -> Error {
    Error::new(
        Code::InvalidTable,
        format!("table {} is not partitioned", table.full_name()),
    )
}

/// The one partition that a complete spec names.
///
/// # Errors
///
/// A key without a value, no such partition.
pub(super) async fn one_partition(
    context: &StatementContext,
    table: &Table,
    spec: &PartitionSpec,
) -> Result<FoundPartition> {
    if table.partition_keys.is_empty() {
        return Err(not_partitioned(table));
    }
    let spec = values_of(&PartitionKey::of_table(table)?, spec)?;
    let values = spec.complete_values()?;
    let metastore = &context.view.metastore;
    let partitions = metastore
        .partitions_matching(&table.database_name, &table.name, &spec.predicate())
        .await?;
    let partition = partitions
        .find(&values)?
        .cloned()
        .ok_or_else(|| spec.not_found())?;
    Ok(FoundPartition {
        partition,
        keys: Arc::clone(&partitions.keys),
    })
}

/// # Errors
///
/// The table is not partitioned.
async fn partitions_of(context: &StatementContext, table: &Table) -> Result<Arc<Partitions>> {
    if table.partition_keys.is_empty() {
        return Err(not_partitioned(table));
    }
    let metastore = &context.view.metastore;
    Ok(metastore
        .partitions(&table.database_name, &table.name)
        .await?)
}

/// The values of a spec, checked against the types of the keys.
pub(super) fn values_of(keys: &[PartitionKey], spec: &PartitionSpec) -> Result<Values> {
    let pairs: Vec<(&str, &str)> = spec
        .values
        .iter()
        .map(|pair| {
            (
                pair.key.as_str(),
                pair.value.as_deref().unwrap_or(HIVE_DEFAULT_PARTITION),
            )
        })
        .collect();
    Ok(Values::new(keys, &pairs)?)
}

/// A folder below a table's location.
///
/// # Errors
///
/// The table has no location.
pub(super) fn below(table: &Table, path: &str) -> Result<String> {
    let location = table
        .storage_descriptor
        .location
        .as_deref()
        .ok_or_else(|| {
            Error::new(
                Code::InvalidTable,
                format!(
                    "table {} has no location; give it one with ALTER TABLE … SET LOCATION",
                    table.full_name()
                ),
            )
        })?;
    Ok(format!("{}/{path}/", location.trim_end_matches('/')))
}

fn text_of(filter: &PartitionFilter) -> String {
    let conditions: Vec<String> = filter
        .conditions
        .iter()
        .map(|condition| {
            let value = condition.value.as_deref().unwrap_or("NULL");
            format!("{}{}{value}", condition.key, condition.op)
        })
        .collect();
    conditions.join("/")
}

#[cfg(test)]
mod tests;
