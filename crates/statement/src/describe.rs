//! DESCRIBE: columns and partition keys; EXTENDED and FORMATTED add location and storage details.

use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Column, ColumnStatistics, StorageDescriptor, Table};
use lakegate_error::{Error, Result, column_not_found};
use lakegate_policy::Visible;
use lakegate_sql::Statement;
use lakegate_sql::ast::{Describe, DescribeDetail};

use super::partitions::one_partition;
use super::rights::{require_all_columns, require_partition_names, sees_all_columns};
use super::{Output, StatementContext, properties, rows, show_stats};

/// Hive's bucket count for a table without buckets.
const NOT_BUCKETED: i32 = -1;

/// `col_name`, `data_type`, `comment`.
type Row = [Option<String>; 3];

pub(super) async fn describe(
    context: &StatementContext,
    statement: &Statement,
    describe: &Describe,
) -> Result<Output> {
    let visible = context.table(&describe.table).await?;
    let table = &visible.table;
    let partition = match &describe.partition {
        None => None,
        Some(spec) => {
            require_partition_names(&visible)?;
            require_all_columns(&visible)?;
            let found = one_partition(context, table, spec).await?;
            let values = found.partition.values.iter();
            let values: Vec<String> = values.map(ToString::to_string).collect();
            let metastore = &context.view.metastore;
            // A column that is visible need not be one that may be selected.
            let known = match context.selectable(&visible) {
                Ok(_) => metastore.partition_statistics(table, &values).await?,
                Err(_) => None,
            };
            Some((
                found.partition.full_storage_descriptor(&found.keys),
                found.partition.name(&found.keys),
                known,
            ))
        }
    };
    let descriptor = match &partition {
        Some((descriptor, ..)) => descriptor,
        None => &table.storage_descriptor,
    };
    let mut described = Vec::new();
    if let Some((name, fields)) = describe.column.split_first() {
        described.push(one_column(&visible, descriptor, name, fields)?);
        if let Some((_, _, Some(known))) = &partition
            && describe.detail != DescribeDetail::Plain
            && fields.is_empty()
            && visible.access.can_select(name)
            && let Some(known) = known.column(name)
        {
            column_statistics(known, &mut described);
        }
    } else {
        columns(&visible, descriptor, &mut described);
        if describe.detail != DescribeDetail::Plain {
            let all = sees_all_columns(&visible);
            table_details(table, all, &mut described);
            if let Some((_, name, known)) = &partition {
                heading("# Detailed Partition Information", &mut described);
                detail("Partition", name, &mut described);
                if let Some(known) = known {
                    let bytes = known.file_bytes.to_string();
                    described.push([Some("Partition Parameters:".to_owned()), None, None]);
                    property("numRows", &known.row_count.to_string(), &mut described);
                    property("totalSize", &bytes, &mut described);
                }
            }
            storage_details(&visible, descriptor, all, &mut described);
        }
    }
    let column = |at: usize| {
        rows::strings(
            described
                .iter()
                .map(move |row| row.get(at).and_then(Option::as_ref)),
        )
    };
    rows::answer(statement, vec![column(0)?, column(1)?, column(2)?])
}

fn shown(column: &Column) -> Row {
    [
        Some(column.name.clone()),
        Some(column.data_type.clone()),
        column.comment.clone(),
    ]
}

/// All columns, partition keys included; then the keys again under their own heading, as in Hive.
fn columns(visible: &Visible, descriptor: &StorageDescriptor, rows: &mut Vec<Row>) {
    let seen = |column: &&Column| visible.access.is_visible(&column.name);
    let keys: Vec<&Column> = visible.table.partition_keys.iter().filter(seen).collect();
    rows.extend(descriptor.columns.iter().filter(seen).map(shown));
    rows.extend(keys.iter().map(|key| shown(key)));
    if keys.is_empty() {
        return;
    }
    heading("# Partition Information", rows);
    rows.push(["# col_name", "data_type", "comment"].map(|text| Some(text.to_owned())));
    rows.extend(keys.iter().map(|key| shown(key)));
}

/// A column, or a field within it. Hidden and missing columns give the same error.
fn one_column(
    visible: &Visible,
    descriptor: &StorageDescriptor,
    name: &str,
    fields: &[String],
) -> Result<Row> {
    let column = descriptor
        .columns
        .iter()
        .chain(&visible.table.partition_keys)
        .find(|column| column.name == name && visible.access.is_visible(name))
        .ok_or_else(|| column_not_found(name))?;
    let mut hive: HiveType = column
        .data_type
        .parse()
        .map_err(|error| Error::invalid(format!("column \"{name}\": {error}")))?;
    let mut path = name.to_owned();
    for field in fields {
        let within = match (hive, field.as_str()) {
            (HiveType::Array(item), "$elem$") => Some(*item),
            (HiveType::Map(key, _), "$key$") => Some(*key),
            (HiveType::Map(_, value), "$value$") => Some(*value),
            (HiveType::Struct(fields), name) => fields
                .into_iter()
                .find(|field| field.name == name)
                .map(|field| field.data_type),
            _ => None,
        };
        path = format!("{path}.{field}");
        hive = within.ok_or_else(|| column_not_found(&path))?;
    }
    let (shown_name, comment) = match fields.last() {
        None => (name, column.comment.clone()),
        Some(field) => (field.as_str(), None),
    };
    Ok([Some(shown_name.to_owned()), Some(hive.to_string()), comment])
}

fn heading(text: &str, rows: &mut Vec<Row>) {
    rows.push([Some(String::new()), None, None]);
    rows.push([Some(text.to_owned()), None, None]);
}

fn detail(name: &str, value: impl ToString, rows: &mut Vec<Row>) {
    rows.push([Some(format!("{name}:")), Some(value.to_string()), None]);
}

/// What the last ANALYZE of a partition found of a column.
fn column_statistics(known: &ColumnStatistics, rows: &mut Vec<Row>) {
    let (low, high) = show_stats::bounds(known);
    let distinct = known.distinct_values().map(|count| count.to_string());
    for (name, value) in [
        ("min", low),
        ("max", high),
        ("num_nulls", Some(known.nulls().to_string())),
        ("distinct_count", distinct),
    ] {
        if let Some(value) = value {
            detail(name, value, rows);
        }
    }
}

fn property(key: &str, value: &str, rows: &mut Vec<Row>) {
    rows.push([None, Some(key.to_owned()), Some(value.to_owned())]);
}

fn table_details(table: &Table, all: bool, rows: &mut Vec<Row>) {
    heading("# Detailed Table Information", rows);
    detail("Database", &table.database_name, rows);
    if let Some(owner) = &table.owner {
        detail("Owner", owner, rows);
    }
    let time =
        |time: &chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    detail("CreateTime", time(&table.create_time), rows);
    detail("UpdateTime", time(&table.update_time), rows);
    if let Some(location) = &table.storage_descriptor.location {
        detail("Location", location, rows);
    }
    if let Some(kind) = &table.table_type {
        detail("Table Type", kind, rows);
    }
    rows.push([Some("Table Parameters:".to_owned()), None, None]);
    properties::of_table(table, all).for_each(|(key, value)| property(key, value, rows));
}

/// The lines do not depend on what is hidden: bucketing and sorting by a hidden column are shown as
/// none.
fn storage_details(
    visible: &Visible,
    descriptor: &StorageDescriptor,
    all: bool,
    rows: &mut Vec<Row>,
) {
    let is_seen = |column: &str| visible.access.is_visible(column);
    let buckets: &[String] = &descriptor.bucket_columns;
    let (buckets, count) = if buckets.iter().all(|column| is_seen(column)) {
        (buckets, descriptor.number_of_buckets)
    } else {
        (&[][..], NOT_BUCKETED)
    };
    // Sort columns after a hidden one are left out: they order rows only within its values.
    let sorted = descriptor.sort_columns.iter();
    let sorted: Vec<String> = sorted
        .take_while(|sorted| is_seen(&sorted.column))
        .map(|sorted| {
            let order = if sorted.sort_order == 0 {
                "DESC"
            } else {
                "ASC"
            };
            format!("{} {order}", sorted.column)
        })
        .collect();
    heading("# Storage Information", rows);
    if let Some(class) = super::storage::serde_class(descriptor) {
        detail("SerDe Library", class, rows);
    }
    if let Some(location) = &descriptor.location {
        detail("Location", location, rows);
    }
    if let Some(format) = &descriptor.input_format {
        detail("InputFormat", format, rows);
    }
    if let Some(format) = &descriptor.output_format {
        detail("OutputFormat", format, rows);
    }
    detail("Num Buckets", count, rows);
    detail("Bucket Columns", format!("[{}]", buckets.join(", ")), rows);
    detail("Sort Columns", format!("[{}]", sorted.join(", ")), rows);
    rows.push([Some("Storage Desc Params:".to_owned()), None, None]);
    properties::of_serde(descriptor, all).for_each(|(key, value)| property(key, value, rows));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn describe_tells_columns_and_partition_keys_in_athenas_layout() {
        let lake = Lake::with_orders().await;
        assert_eq!(
            lake.text("admin", "DESCRIBE orders").await,
            "id|int|NULL\nemail|string|of the customer\nday|date|NULL\n|NULL|NULL\n# Partition Information|NULL|NULL\n# col_name|data_type|comment\nday|date|NULL"
        );
        let formatted = lake.text("admin", "DESCRIBE FORMATTED sales.orders").await;
        for part in [
            "# Detailed Table Information",
            "Owner:|admin",
            "Table Type:|EXTERNAL_TABLE",
            "NULL|EXTERNAL|TRUE",
            "# Storage Information",
            "ParquetHiveSerDe",
            "Bucket Columns:|[]",
        ] {
            assert!(
                formatted.contains(part),
                "{part} is missing in\n{formatted}"
            );
        }
    }

    #[tokio::test]
    async fn describe_goes_into_nested_columns() {
        let lake = Lake::new().await;
        lake.ok("CREATE EXTERNAL TABLE t (items ARRAY<STRUCT<sku:STRING,sizes:MAP<STRING,INT>>>) STORED AS PARQUET LOCATION 's3://lake/t/'").await;
        assert_eq!(
            lake.text("admin", "DESCRIBE t items").await,
            "items|array<struct<sku:string,sizes:map<string,int>>>|NULL"
        );
        assert_eq!(
            lake.text("admin", "DESCRIBE t items.'$elem$'.sizes.'$value$'")
                .await,
            "$value$|int|NULL"
        );
        assert_eq!(
            lake.fails("admin", "DESCRIBE t items.sku").await.code(),
            Code::ColumnNotFound
        );
    }

    #[tokio::test]
    async fn hidden_column_gives_the_error_of_a_missing_one() {
        let lake = Lake::with_orders().await;
        lake.ok("GRANT SELECT (id) ON TABLE orders TO ann").await;
        let hidden = lake.fails("ann", "DESCRIBE orders email").await;
        let missing = lake.fails("ann", "DESCRIBE orders e_ail").await;
        assert_eq!(hidden.code(), Code::ColumnNotFound);
        assert_eq!(
            hidden.message().replace("email", "e_ail"),
            missing.message()
        );
    }
}
