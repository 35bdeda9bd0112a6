//! Which partitions can match a query's predicate, evaluated over the partitions' values as a
//! batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use lakegate_catalog::partition::HIVE_DEFAULT_PARTITION;
use lakegate_error::{Code, Error, Result};

/// Whether a filter can be decided from the partition keys alone, so that nothing is left of it
/// after pruning.
///
/// One without any column is not: the optimizer pushes `'s' = 'w'` into a branch of a UNION, and a
/// table without partitions has nothing that could decide it.
pub fn decided_by_partitions(filter: &Expr, keys: &Schema) -> bool {
    if filter.is_volatile() {
        return false;
    }
    let mut decided = !filter.column_refs().is_empty();
    let walked = filter.apply(|expr| {
        match expr {
            Expr::Column(column) if keys.field_with_name(&column.name).is_err() => decided = false,
            Expr::ScalarSubquery(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::Placeholder(_)
            | Expr::AggregateFunction(_)
            | Expr::WindowFunction(_) => decided = false,
            _ => {}
        }
        Ok(if decided {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    });
    walked.is_ok() && decided
}

/// Whether a filter is true or not for all rows.
///
/// A filter that was decided here may be simplified afterwards, in the scan: `key NOT IN ('a',
/// NULL)` is then `key <> 'a'` and NULL, of which the engine applies neither.
fn is_constant(filter: &Expr) -> bool {
    matches!(filter, Expr::Literal(..))
}

/// What a filter says about the partition keys alone: a condition that every matching row's
/// partition fulfils.
///
/// Under AND and OR, not under NOT, the part that needs other columns is taken to be true.
fn partition_part(filter: &Expr, keys: &Schema) -> Option<Expr> {
    if is_constant(filter) || decided_by_partitions(filter, keys) {
        return Some(filter.clone());
    }
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else {
        return None;
    };
    let parts = (partition_part(left, keys), partition_part(right, keys));
    match (op, parts) {
        (Operator::And, (Some(left), Some(right))) => Some(left.and(right)),
        (Operator::And, (Some(part), None) | (None, Some(part))) => Some(part),
        (Operator::Or, (Some(left), Some(right))) => Some(left.or(right)),
        _ => None,
    }
}

/// The values of all partitions of a table, a row each, a column a key.
///
/// # Errors
/// A value that is not of its key's type.
pub fn partition_batch<'a, S: AsRef<str> + 'a>(
    keys: &SchemaRef,
    partitions: impl ExactSizeIterator<Item = &'a [S]> + Clone,
) -> Result<RecordBatch> {
    let rows = partitions.len();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(keys.fields().len());
    for (index, key) in keys.fields().iter().enumerate() {
        let text = partitions.clone().map(|values| {
            values
                .get(index)
                .map(AsRef::as_ref)
                .filter(|value| *value != HIVE_DEFAULT_PARTITION)
        });
        let text: ArrayRef = Arc::new(arrow::array::StringArray::from_iter(text));
        columns.push(crate::cast_strictly(&text, key.data_type()).map_err(|e| {
            Error::new(
                Code::BadData,
                format!(
                    "partition key '{}' holds a value that is no {}: {e}",
                    key.name(),
                    key.data_type()
                ),
            )
        })?);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(keys), columns, &options)
        .map_err(|e| Error::internal(format!("partition values do not form a batch: {e}")))
}

/// The value of one partition key as the engine's scalar.
///
/// # Errors
/// A type without scalars, which is not a partition key's.
pub(crate) fn partition_value(batch: &RecordBatch, row: usize, key: usize) -> Result<ScalarValue> {
    ScalarValue::try_from_array(batch.column(key), row)
        .map_err(|e| Error::internal(format!("partition value cannot be read: {e}")))
}

/// Rows of `partitions` that can hold matching rows.
///
/// # Errors
/// An expression over the keys that fails, such as a division by zero, as the query itself would.
pub fn matching(filters: &[Expr], partitions: &RecordBatch) -> Result<Vec<usize>> {
    let keys = partitions.schema();
    let mut keep = BooleanArray::from(vec![true; partitions.num_rows()]);
    let schema =
        DFSchema::try_from(Arc::clone(&keys)).map_err(|e| Error::internal(e.to_string()))?;
    for filter in filters {
        let Some(part) = partition_part(filter, &keys) else {
            continue;
        };
        let exact = is_constant(filter) || decided_by_partitions(filter, &keys);
        match evaluate(part, &schema, partitions) {
            Ok(matches) => {
                // NULL is not a match.
                let matches = match matches.nulls() {
                    Some(_) => arrow::compute::prep_null_mask_filter(&matches),
                    None => matches,
                };
                keep = arrow::compute::and(&keep, &matches)
                    .map_err(|e| Error::internal(e.to_string()))?;
            }
            // A relaxed condition only saves work: the engine still applies the whole filter.
            Err(_) if !exact => {}
            Err(error) => return Err(lakegate_error::from_engine(error)),
        }
    }
    Ok(keep
        .iter()
        .enumerate()
        .filter(|(_, keep)| *keep == Some(true))
        .map(|(row, _)| row)
        .collect())
}

fn evaluate(
    filter: Expr,
    schema: &DFSchema,
    batch: &RecordBatch,
) -> datafusion::error::Result<BooleanArray> {
    let physical = physical(filter, schema)?;
    let result = physical.evaluate(batch)?.into_array(batch.num_rows())?;
    Ok(datafusion::common::cast::as_boolean_array(&result)?.clone())
}

/// A filter as the engine evaluates it, over columns that are not qualified.
pub(super) fn physical(
    filter: Expr,
    schema: &DFSchema,
) -> datafusion::error::Result<Arc<dyn PhysicalExpr>> {
    create_physical_expr(
        &unqualified(filter)?,
        schema,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )
}

/// Returns a filter without the names of tables at its columns.
pub(super) fn unqualified(filter: Expr) -> datafusion::error::Result<Expr> {
    let unqualified = filter.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => {
                Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(unqualified.data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field};
    use datafusion::logical_expr::{Case, col, lit, not};

    use super::*;

    fn days() -> RecordBatch {
        let keys = Arc::new(Schema::new(vec![
            Field::new("day", DataType::Date32, true),
            Field::new("region", DataType::Utf8, true),
        ]));
        let values: Vec<Vec<String>> = [
            ["2024-01-01", "eu"],
            ["2024-01-02", "us"],
            ["2024-02-01", "eu"],
            [HIVE_DEFAULT_PARTITION, "eu"],
        ]
        .iter()
        .map(|row| row.iter().map(ToString::to_string).collect())
        .collect();
        partition_batch(&keys, values.iter().map(Vec::as_slice)).unwrap()
    }

    fn day(text: &str) -> Expr {
        lit(ScalarValue::try_from_string(text.into(), &DataType::Date32).unwrap())
    }

    #[test]
    fn filter_without_columns_is_left_to_the_engine() {
        let keys = days().schema();
        assert!(decided_by_partitions(
            &col("day").eq(day("2024-01-02")),
            &keys
        ));
        assert!(!decided_by_partitions(&lit("w").eq(lit("s")), &keys));
        assert!(!decided_by_partitions(&lit(false), &keys));
        assert!(!decided_by_partitions(&lit(false), &Schema::empty()));
    }

    #[test]
    fn predicates_of_every_kind_prune() {
        let batch = days();
        let rows = |filter: Expr| matching(&[filter], &batch).unwrap();
        assert_eq!(rows(col("day").eq(day("2024-01-02"))), [1]);
        assert_eq!(rows(col("t.day").not_eq(day("2024-01-02"))), [0, 2]);
        assert_eq!(
            rows(col("day").between(day("2024-01-01"), day("2024-01-31"))),
            [0, 1]
        );
        assert_eq!(
            rows(col("day").in_list(vec![day("2024-02-01"), day("2030-01-01")], false)),
            [2]
        );
        assert_eq!(rows(col("region").like(lit("u%"))), [1]);
        assert_eq!(rows(col("day").is_null()), [3]);
        assert_eq!(rows(not(col("region").eq(lit("eu")))), [1]);
        assert_eq!(
            rows(col("region").eq(lit("us")).or(col("day").is_null())),
            [1, 3]
        );
        let case = Expr::Case(Case::new(
            None,
            vec![(Box::new(col("region").eq(lit("us"))), Box::new(lit(true)))],
            Some(Box::new(lit(false))),
        ));
        assert_eq!(rows(case), [1]);
    }

    #[test]
    fn what_a_decided_filter_was_simplified_to_is_decided_too() {
        let batch = days();
        let null = lit(ScalarValue::Boolean(None));
        let other = col("region").not_eq(lit("us"));
        for constant in [null, lit(false)] {
            let filters = [other.clone(), constant.clone()];
            assert_eq!(matching(&filters, &batch).unwrap(), [0usize; 0]);
            let both = other.clone().and(constant);
            assert_eq!(matching(&[both], &batch).unwrap(), [0usize; 0]);
        }
        assert_eq!(matching(&[lit(true)], &batch).unwrap(), [0, 1, 2, 3]);
    }

    #[test]
    fn undecided_parts_are_taken_to_be_true() {
        let batch = days();
        let other = col("quantity").gt(lit(1));
        assert_eq!(
            matching(std::slice::from_ref(&other), &batch)
                .unwrap()
                .len(),
            4
        );
        assert_eq!(
            matching(&[col("region").eq(lit("us")).and(other.clone())], &batch).unwrap(),
            [1]
        );
        let either = col("region")
            .eq(lit("us"))
            .and(other.clone())
            .or(col("day").is_null());
        assert_eq!(matching(&[either], &batch).unwrap(), [1, 3]);
        assert_eq!(
            matching(&[col("region").eq(lit("us")).or(other.clone())], &batch)
                .unwrap()
                .len(),
            4
        );
        let negated = not(col("region").eq(lit("us")).and(other.clone()));
        assert_eq!(matching(&[negated], &batch).unwrap().len(), 4);
        // Both sides of an AND have a part that is decided.
        let first = col("day").eq(day("2024-01-01")).and(other.clone());
        let both = first.and(col("region").eq(lit("eu")).and(other));
        assert_eq!(matching(&[both], &batch).unwrap(), [0]);
    }

    #[test]
    fn filter_that_fails_is_an_error_where_the_engine_does_not_apply_it_again() {
        let batch = days();
        let fails = (lit(1) / (lit(1) - lit(1))).eq(lit(1));
        let exact = col("region").eq(lit("eu")).and(fails.clone());
        assert!(matching(std::slice::from_ref(&exact), &batch).is_err());
        let part = exact.and(col("quantity").gt(lit(1)));
        assert_eq!(matching(&[part], &batch).unwrap().len(), 4);
    }

    #[test]
    fn only_what_the_keys_alone_decide_is_decided() {
        use datafusion::logical_expr::{
            LogicalPlanBuilder, exists, in_subquery, placeholder, scalar_subquery,
        };
        let keys = days().schema();
        let rows = || Arc::new(LogicalPlanBuilder::empty(true).build().unwrap());
        let region = || col("region");
        for undecided in [
            region().eq(scalar_subquery(rows())),
            region().is_null().or(exists(rows())),
            in_subquery(region(), rows()),
            region().eq(placeholder("$1")),
            region().eq(col("name")),
        ] {
            assert!(!decided_by_partitions(&undecided, &keys), "{undecided}");
        }
    }
}
