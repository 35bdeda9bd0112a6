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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

    async fn lake() -> Lake {
        let lake = Lake::new().await;
        lake.ok("CREATE EXTERNAL TABLE t (a INT) PARTITIONED BY (year INT, city STRING) STORED AS PARQUET LOCATION 's3://lake/t/'").await;
        lake
    }

    #[tokio::test]
    async fn partitions_are_added_all_or_none() {
        let lake = lake().await;
        lake.ok("ALTER TABLE t ADD PARTITION (year = 2023, city = 'Ulm') PARTITION (city = 'Bonn', year = 2024) LOCATION 's3://lake/bonn/'").await;
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t").await,
            "year=2023/city=Ulm\nyear=2024/city=Bonn"
        );
        let again =
            "ADD PARTITION (year = 2025, city = 'Kiel') PARTITION (year = 2023, city = 'Ulm')";
        assert_eq!(
            lake.fails("admin", &format!("ALTER TABLE t {again}"))
                .await
                .code(),
            Code::DuplicateObject
        );
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t PARTITION (year = 2025)")
                .await,
            ""
        );
        lake.ok(&format!(
            "ALTER TABLE t {}",
            again.replace("ADD", "ADD IF NOT EXISTS")
        ))
        .await;
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t PARTITION (year = 2025)")
                .await,
            "year=2025/city=Kiel"
        );
        lake.ok("ALTER TABLE t ADD PARTITION (year = NULL, city = 'a b:c')")
            .await;
        assert!(
            lake.text("admin", "SHOW PARTITIONS t")
                .await
                .contains("year=__HIVE_DEFAULT_PARTITION__/city=a b%3Ac")
        );
    }

    #[tokio::test]
    async fn values_that_are_not_of_their_keys_type_are_refused() {
        let lake = lake().await;
        for (spec, part) in [
            ("year = 'soon', city = 'Ulm'", "soon"),
            ("year = 99999999999, city = 'Ulm'", "int"),
            ("year = 2024", "city"),
            ("year = 2024, city = 'Ulm', month = 1", "month"),
            ("year = 2024, year = 2024, city = 'Ulm'", "twice"),
            ("year = 2024, city = ''", "empty"),
        ] {
            let error = lake
                .fails("admin", &format!("ALTER TABLE t ADD PARTITION ({spec})"))
                .await;
            assert!(error.message().contains(part), "{spec}: {error}");
        }
        let error = lake
            .fails("admin", "ALTER TABLE t DROP PARTITION (year > 'soon')")
            .await;
        assert!(error.message().contains("soon"), "{error}");
        lake.ok("CREATE EXTERNAL TABLE plain (a INT) STORED AS PARQUET LOCATION 's3://lake/p/'")
            .await;
        for sql in [
            "ALTER TABLE plain ADD PARTITION (a = 1)",
            "ALTER TABLE plain DROP PARTITION (a = 1)",
            "SHOW PARTITIONS plain",
        ] {
            let error = lake.fails("admin", sql).await;
            assert!(
                error.message().contains("not partitioned"),
                "{sql}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn partitions_are_dropped_by_typed_comparison() {
        let lake = lake().await;
        lake.ok("ALTER TABLE t ADD PARTITION (year = 9, city = 'a') PARTITION (year = 10, city = 'b') PARTITION (year = 100, city = 'c')
                 PARTITION (year = NULL, city = 'd') PARTITION (year = 7, city = NULL)").await;
        // Compared as text, 10 and 100 would be less than 9.
        assert_eq!(
            lake.text(
                "admin",
                "SHOW PARTITIONS t PARTITION (year >= 9, city <> 'c')"
            )
            .await,
            "year=10/city=b\nyear=9/city=a"
        );
        assert_eq!(
            lake.text(
                "admin",
                "SHOW PARTITIONS t PARTITION (year <> NULL, city = NULL)"
            )
            .await,
            "year=7/city=__HIVE_DEFAULT_PARTITION__"
        );
        assert_eq!(
            lake.fails("admin", "ALTER TABLE t DROP PARTITION (year < 7)")
                .await
                .code(),
            Code::UndefinedObject
        );
        lake.ok("ALTER TABLE t DROP IF EXISTS PARTITION (year < 7)")
            .await;
        // All or nothing: the second spec names no partition.
        lake.fails(
            "admin",
            "ALTER TABLE t DROP PARTITION (year = 9), PARTITION (year = 11)",
        )
        .await;
        lake.ok("ALTER TABLE t DROP PARTITION (year > 9, year < 100), PARTITION (city = 'd'), PARTITION (year = '009')").await;
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t").await,
            "year=100/city=c\nyear=7/city=__HIVE_DEFAULT_PARTITION__"
        );
        let error = lake
            .fails("admin", "ALTER TABLE t DROP PARTITION (month = 1)")
            .await;
        assert!(error.message().contains("year, city"), "{error}");
    }

    #[tokio::test]
    async fn spellings_of_one_value_are_partitions_of_their_own_and_are_named_together() {
        let lake = lake().await;
        lake.ok("ALTER TABLE t ADD PARTITION (year = '07', city = 'a') PARTITION (year = '7', city = 'a') PARTITION (year = '007', city = 'b')").await;
        let all = "year=7/city=a\nyear=07/city=a\nyear=007/city=b";
        assert_eq!(lake.text("admin", "SHOW PARTITIONS t").await, all);
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t PARTITION (year = 7)")
                .await,
            all
        );
        for (spelled, folder) in [("07", "07"), ("7", "7"), ("0007", "7")] {
            let described = lake
                .text(
                    "admin",
                    &format!("DESCRIBE FORMATTED t PARTITION (year = '{spelled}', city = 'a')"),
                )
                .await;
            let location = format!("s3://lake/t/year={folder}/city=a/");
            assert!(described.contains(&location), "{spelled}: {described}");
        }
        lake.ok("ALTER TABLE t PARTITION (year = '07', city = 'a') RENAME TO PARTITION (year = 8, city = 'a')").await;
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t").await,
            "year=7/city=a\nyear=007/city=b\nyear=8/city=a"
        );
        lake.ok("ALTER TABLE t DROP PARTITION (year = 7)").await;
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t").await,
            "year=8/city=a"
        );
    }

    #[tokio::test]
    async fn renamed_partition_keeps_its_place() {
        let lake = lake().await;
        lake.ok("ALTER TABLE t ADD PARTITION (year = 1, city = 'a') PARTITION (year = 2, city = 'b');
                 ALTER TABLE t PARTITION (year = 1, city = 'a') RENAME TO PARTITION (year = 3, city = 'c')").await;
        assert_eq!(
            lake.text("admin", "SHOW PARTITIONS t").await,
            "year=2/city=b\nyear=3/city=c"
        );
        let described = lake
            .text(
                "admin",
                "DESCRIBE FORMATTED t PARTITION (year = 3, city = 'c')",
            )
            .await;
        assert!(
            described.contains("s3://lake/t/year=1/city=a/"),
            "{described}"
        );
        for sql in [
            "PARTITION (year = 3, city = 'c') RENAME TO PARTITION (year = 2, city = 'b')",
            "PARTITION (year = 9, city = 'c') RENAME TO PARTITION (year = 8, city = 'b')",
        ] {
            lake.fails("admin", &format!("ALTER TABLE t {sql}")).await;
        }
    }

    #[tokio::test]
    async fn values_of_a_hidden_key_do_not_show() {
        let lake = lake().await;
        lake.ok("ALTER TABLE t ADD PARTITION (year = 2024, city = 'secret'); GRANT SELECT (a, year) ON TABLE t TO ann").await;
        lake.ok("ALTER TABLE t ADD PARTITION (year = 2024, city = 'other') PARTITION (year = 2023, city = 'zz')").await;
        assert_eq!(
            lake.text("ann", "SHOW PARTITIONS sales.t").await,
            "year=2023\nyear=2024"
        );
        let hidden = "SHOW PARTITIONS sales.t PARTITION (city = 'secret')";
        let missing = hidden.replace("city", "town");
        assert_eq!(
            lake.fails("ann", hidden).await.message(),
            lake.fails("ann", &missing)
                .await
                .message()
                .replace("town", "city")
        );
        let error = lake
            .fails(
                "ann",
                "DESCRIBE sales.t PARTITION (year = 2024, city = 'secret')",
            )
            .await;
        assert_eq!(error.code(), Code::PermissionDenied);
        assert!(!error.to_string().contains("city"), "{error}");
        // Without any visible key, the table looks unpartitioned.
        lake.ok("GRANT SELECT (a) ON TABLE t TO ben").await;
        lake.ok("CREATE EXTERNAL TABLE plain (a INT, b INT) STORED AS PARQUET LOCATION 's3://lake/p/'; GRANT SELECT (a) ON TABLE plain TO ben").await;
        for sql in [
            "SHOW PARTITIONS sales.t",
            "DESCRIBE sales.t PARTITION (year = 2024)",
            "DESCRIBE FORMATTED sales.t PARTITION (year = 2024)",
        ] {
            assert_eq!(
                lake.fails("ben", sql).await.to_string(),
                lake.fails("ben", &sql.replace(".t", ".plain"))
                    .await
                    .to_string()
                    .replace("sales.plain", "sales.t"),
                "{sql}"
            );
        }
        lake.ok("ALTER TABLE t DROP PARTITION (city = 'other'), PARTITION (city = 'zz')")
            .await;
        lake.ok("GRANT SELECT (city) ON TABLE t TO ann").await;
        assert_eq!(
            lake.text("ann", "SHOW PARTITIONS sales.t").await,
            "year=2024/city=secret"
        );
    }
}
