//! PARTITION of ANALYZE: the partitions that are measured, each by itself.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use lakegate_catalog::error::CatalogError;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Table, TableStatistics};
use lakegate_catalog::partition::{HIVE_DEFAULT_PARTITION, Partition, PartitionKey, canonical_key};
use lakegate_error::Result;
use lakegate_sql::ast::PartitionSpec;

use super::values::Values;
use super::{AnalyzePlan, quoted};
use crate::StatementContext;
use crate::partition_filter::unknown_key;
use crate::partitions::{one_partition, values_of};

/// The partitions that are measured.
#[derive(Debug, Clone)]
pub(super) struct MeasuredPartitions {
    keys: Arc<[PartitionKey]>,
    found: Vec<Arc<Partition>>,
    /// The conditions of their rows.
    conditions: Vec<String>,
}

impl MeasuredPartitions {
    /// The partitions of a table with the values of a spec; the keys in `open` have any.
    ///
    /// # Errors
    ///
    /// As of [`one_partition`], if no key is open; a key that is neither in the spec nor open, or in
    /// both.
    pub(super) async fn find(
        context: &StatementContext,
        table: &Table,
        spec: &PartitionSpec,
        open: &[String],
    ) -> Result<Self> {
        if open.is_empty() || table.partition_keys.is_empty() {
            let found = one_partition(context, table, spec).await?;
            return Ok(Self::new(found.keys, vec![found.partition], spec));
        }
        let keys = PartitionKey::of_table(table)?;
        let values = values_of(&keys, spec)?;
        check_keys(&keys, spec, open)?;
        let metastore = &context.view.metastore;
        let partitions = metastore
            .partitions_matching(&table.database_name, &table.name, &values.predicate())
            .await?;
        let found = partitions.matching(&values).cloned().collect();
        Ok(Self::new(keys, found, spec))
    }

    /// `found`: the partitions with the values of `spec`.
    fn new(keys: Arc<[PartitionKey]>, found: Vec<Arc<Partition>>, spec: &PartitionSpec) -> Self {
        let mut conditions = Vec::with_capacity(spec.values.len());
        for (place, key) in keys.iter().enumerate() {
            let mut given = spec.values.iter();
            let Some(given) = given.find(|given| given.key == key.name) else {
                continue;
            };
            // As it is registered, if it is.
            let registered = found.first().and_then(|first| first.values.get(place));
            let value = match registered {
                Some(registered) => registered.as_ref(),
                None => given.value.as_deref().unwrap_or(HIVE_DEFAULT_PARTITION),
            };
            conditions.push(condition(key, value));
        }
        Self {
            keys,
            found,
            conditions,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// The last columns of the query: the values of the keys, as texts.
    pub(super) fn columns(&self) -> String {
        let keys = self.keys.iter().enumerate();
        keys.map(|(place, key)| format!(", CAST({} AS varchar) AS k{place}", quoted(&key.name)))
            .collect()
    }

    /// What follows on the table in the query.
    pub(super) fn groups(&self) -> String {
        let filter = match self.conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", self.conditions.join(" AND ")),
        };
        let keys: Vec<String> = self.keys.iter().map(|key| quoted(&key.name)).collect();
        format!("{filter} GROUP BY {}", keys.join(", "))
    }
}

impl AnalyzePlan {
    /// What the rows of the query say of each partition, by its values as they are registered.
    /// `file_bytes`: the size of the files of a partition, by its name.
    ///
    /// # Errors
    ///
    /// The rows are not those of the query, which is an internal error.
    pub fn statistics_of_partitions(
        &self,
        rows: &[RecordBatch],
        file_bytes: &HashMap<Arc<str>, u64>,
    ) -> Result<Vec<(Vec<String>, TableStatistics)>> {
        let Some(MeasuredPartitions { keys, found, .. }) = &self.partitions else {
            return Ok(Vec::new());
        };
        // All spellings of the same values are one group of rows.
        let mut groups: Vec<String> = Vec::with_capacity(found.len());
        let mut bytes: HashMap<String, u64> = HashMap::with_capacity(found.len());
        for partition in found {
            let own = file_bytes.get(partition.name(keys).as_str());
            let group = canonical_key(keys, &partition.values)?;
            *bytes.entry(group.clone()).or_default() += own.copied().unwrap_or(0);
            groups.push(group);
        }
        let mut measured: HashMap<String, TableStatistics> = HashMap::with_capacity(found.len());
        for batch in rows {
            for place in 0..batch.num_rows() {
                let row = batch.slice(place, 1);
                let mut values = Values::of_row(&row);
                let mut statistics = self.measured(&mut values, 0)?;
                let mut texts = Vec::with_capacity(keys.len());
                for _ in keys.iter() {
                    let text = values.text()?;
                    texts.push(text.unwrap_or_else(|| HIVE_DEFAULT_PARTITION.to_owned()));
                }
                let key = canonical_key(keys, &texts)?;
                statistics.file_bytes = bytes.get(&key).copied().unwrap_or(0);
                measured.insert(key, statistics);
            }
        }
        let mut all = Vec::with_capacity(found.len());
        for (partition, group) in found.iter().zip(&groups) {
            let statistics = match measured.get(group) {
                Some(statistics) => statistics.clone(),
                None => {
                    let bytes = bytes.get(group).copied().unwrap_or(0);
                    self.measured(&mut Values::of_no_rows(), bytes)?
                }
            };
            let values = partition.values.iter().map(ToString::to_string).collect();
            all.push((values, statistics));
        }
        Ok(all)
    }
}

/// Checks that each key is either in the spec or open.
///
/// # Errors
///
/// It is in neither or in both, or an open key is none of the table's.
fn check_keys(keys: &[PartitionKey], spec: &PartitionSpec, open: &[String]) -> Result<()> {
    for name in open {
        if !keys.iter().any(|key| key.name == *name) {
            let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
            return Err(unknown_key(name, &known));
        }
    }
    for PartitionKey { name, .. } in keys {
        let given = spec.values.iter().filter(|given| given.key == *name);
        let times = given.count() + open.iter().filter(|open| *open == name).count();
        let wrong = match times {
            0 => "has no value; give it one, or name it alone for all partitions",
            1 => continue,
            _ => "is given twice",
        };
        return Err(CatalogError::invalid(format!("partition key \"{name}\" {wrong}")).into());
    }
    Ok(())
}

/// The condition of the rows of a partition, for one of its keys.
fn condition(key: &PartitionKey, value: &str) -> String {
    let name = quoted(&key.name);
    if value == HIVE_DEFAULT_PARTITION {
        return format!("{name} IS NULL");
    }
    let text = format!("'{}'", value.replace('\'', "''"));
    let data_type = match &key.data_type {
        HiveType::Boolean => "boolean",
        HiveType::TinyInt | HiveType::SmallInt => "smallint",
        HiveType::Int => "integer",
        HiveType::BigInt => "bigint",
        HiveType::Float => "real",
        HiveType::Double => "double precision",
        HiveType::Decimal(precision, scale) => {
            return format!("{name} = CAST({text} AS decimal({precision}, {scale}))");
        }
        HiveType::Date => "date",
        HiveType::Timestamp => "timestamp",
        _ => return format!("{name} = {text}"),
    };
    format!("{name} = CAST({text} AS {data_type})")
}
