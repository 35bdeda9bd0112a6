//! `PARTITION (year >= 2024, month <> '07')`: the partitions that satisfy all conditions, compared
//! as values of the keys' types.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, Scalar};
use arrow::compute::kernels::cmp;
use arrow::compute::{is_not_null, is_null};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use lakegate_catalog::error::CatalogError;
use lakegate_catalog::model::Table;
use lakegate_catalog::partition::{HIVE_DEFAULT_PARTITION, Partitions, canonical_value};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::table::prune::partition_batch;
use lakegate_lake::table::table_schema;
use lakegate_sql::ast::{CompareOp, PartitionCondition, PartitionFilter};

/// The indexes of the partitions that satisfy every condition. A NULL key satisfies `= NULL` only.
///
/// # Errors
///
/// A key that the table does not have, a value that is not of its key's type.
pub(super) fn matching(
    table: &Table,
    partitions: &Partitions,
    filter: &PartitionFilter,
) -> Result<Vec<usize>> {
    let schema = key_schema(table)?;
    let values = partition_batch(
        &schema,
        partitions
            .items
            .iter()
            .map(|partition| partition.values.as_ref()),
    )?;
    let mut keep = vec![true; partitions.len()];
    for condition in &filter.conditions {
        let fulfilled = evaluate(partitions, &schema, &values, condition)?;
        for (keep, fulfilled) in keep.iter_mut().zip(&fulfilled) {
            *keep &= fulfilled == Some(true);
        }
    }
    let rows = keep.iter().enumerate().filter(|(_, keep)| **keep);
    Ok(rows.map(|(row, _)| row).collect())
}

/// `known`: the keys that exist for the principal.
pub(super) fn unknown_key(key: &str, known: &[&str]) -> Error {
    CatalogError::invalid(format!(
        "\"{key}\" is no partition key; the keys are {}",
        known.join(", ")
    ))
    .into()
}

fn evaluate(
    partitions: &Partitions,
    schema: &SchemaRef,
    values: &RecordBatch,
    condition: &PartitionCondition,
) -> Result<BooleanArray> {
    let keys = &partitions.keys;
    let Some(at) = keys.iter().position(|key| key.name == condition.key) else {
        let known: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
        return Err(unknown_key(&condition.key, &known));
    };
    let column = values.column(at);
    let wanted = condition
        .value
        .as_deref()
        .filter(|value| *value != HIVE_DEFAULT_PARTITION);
    let Some(wanted) = wanted else {
        return match condition.op {
            CompareOp::Eq => is_null(column).map_err(failed),
            CompareOp::NotEq => is_not_null(column).map_err(failed),
            other => Err(Error::new(
                Code::InvalidQuery,
                format!(
                    "partition key \"{}\" {other} NULL is never true; use = or <>",
                    condition.key
                ),
            )),
        };
    };
    if let Some(key) = keys.get(at) {
        canonical_value(key, wanted)?;
    }
    let wanted = Scalar::new(constant(schema, at, wanted)?);
    let compared = match condition.op {
        CompareOp::Eq => cmp::eq(column, &wanted),
        CompareOp::NotEq => cmp::neq(column, &wanted),
        CompareOp::Lt => cmp::lt(column, &wanted),
        CompareOp::LtEq => cmp::lt_eq(column, &wanted),
        CompareOp::Gt => cmp::gt(column, &wanted),
        CompareOp::GtEq => cmp::gt_eq(column, &wanted),
    };
    compared.map_err(failed)
}

/// The value of a key as an array of one row; `None` is NULL.
///
/// # Errors
///
/// A key that the table does not have, a value that is not of its type.
pub(super) fn key_value(table: &Table, key: &str, value: Option<&str>) -> Result<ArrayRef> {
    let schema = key_schema(table)?;
    let Ok(at) = schema.index_of(key) else {
        let known: Vec<&str> = schema
            .fields()
            .iter()
            .map(|key| key.name().as_str())
            .collect();
        return Err(unknown_key(key, &known));
    };
    constant(&schema, at, value.unwrap_or(HIVE_DEFAULT_PARTITION))
}

/// The value of one key as an array of one row.
fn constant(schema: &SchemaRef, at: usize, value: &str) -> Result<ArrayRef> {
    let field = schema.field(at).clone();
    let schema = Arc::new(Schema::new(vec![field]));
    let row = [value];
    let batch = partition_batch(&schema, [row.as_slice()].into_iter())?;
    Ok(Arc::clone(batch.column(0)))
}

/// The partition keys with the engine's types.
pub(super) fn key_schema(table: &Table) -> Result<SchemaRef> {
    let all = table_schema(table)?;
    let first = all
        .fields()
        .len()
        .saturating_sub(table.partition_keys.len());
    let keys: Vec<_> = all.fields().iter().skip(first).cloned().collect();
    Ok(Arc::new(Schema::new(keys)))
}

fn failed(error: ArrowError) -> Error {
    Error::internal(format!("partition values cannot be compared: {error}"))
}
