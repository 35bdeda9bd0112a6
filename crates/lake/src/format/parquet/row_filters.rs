//! Conditions that are evaluated while a file is decoded: of a row that fails them, no other column
//! is decoded.
//!
//! The decoder can evaluate the whole predicate of a scan in this way, or nothing of it
//! (`row_filter.rs` of `datafusion-datasource-parquet`, 55.2). It leaves out parts that it cannot
//! evaluate, without a word, and an error of a condition loses its code. So
//!
//! - operators above apply all conditions again, for which few rows are left;
//! - [`is_plain`] accepts conditions that fail for no row and cost little for each;
//! - [`fits`] accepts files whose values are compared as they are, without casts that may fail. As
//!   the decoder filters a row group within one poll, and keeps a list of runs of rows meanwhile,
//!   the row groups of such files are not too large.
//!
//! A scan whose conditions are not all plain, and a file that does not fit, are read without row
//! filters. Their conditions leave out files, row groups and pages in any case.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::{FileSource, ParquetSource};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
    NotExpr,
};
use datafusion::physical_expr::{conjunction, split_conjunction};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::joins::HashTableLookupExpr;

use super::decode::Footer;
use crate::key_set::KeyLookup;

/// Rows of a row group whose rows are filtered, at most. Writers make groups of a million rows.
const MOST_ROWS: i64 = 2 << 20;

/// Bytes of decoded columns that one decoder keeps, so that a column which is both filtered and
/// returned is decoded once.
const KEPT_BYTES: usize = 8 << 20;

/// The share of rows that is few: below it, rows are filtered.
const FEW_ROWS: f64 = 0.2;

/// Keys that a filter is tried with.
const TRIED: u64 = 1024;

/// When the conditions of a scan are evaluated on rows.
#[derive(Debug, Clone, PartialEq)]
pub enum FilterRows {
    Always,
    /// If one of these filters leaves few rows.
    IfFewKeys(Vec<KeyFilter>),
}

/// A dynamic filter of keys, which a join fills with the keys of its build side before the first
/// file of the scan is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyFilter {
    /// The id of the filter.
    pub id: u64,
    /// Distinct keys of the scan, at least.
    pub keys: f64,
    /// The least and the greatest key of the scan, if most numbers between them are its keys.
    pub range: Option<(i64, i64)>,
    /// The share of rows that estimates say it leaves; 1 if they do not tell.
    pub share: f64,
}

impl fmt::Display for FilterRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "always",
            Self::IfFewKeys(_) => "if_few_keys",
        })
    }
}

impl FilterRows {
    /// Returns whether the conditions that a scan has now are to be evaluated on rows. `table`: the
    /// columns of its files.
    pub(super) fn is_now(&self, condition: &Arc<dyn PhysicalExpr>, table: &Schema) -> bool {
        let Self::IfFewKeys(filters) = self else {
            return true;
        };
        split_conjunction(condition).into_iter().any(|part| {
            let id = part.expression_id();
            let mut known = filters.iter().filter(|filter| Some(filter.id) == id);
            known.any(|filter| filter.is_selective(part, table))
        })
    }

    /// Returns a condition with the filters of keys before its other parts, because of these rows few
    /// are left: first those that are expected to leave the fewest. Parts are evaluated one after the
    /// other, and each decodes columns for the rows that are left.
    fn keys_first(&self, condition: &Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        let Self::IfFewKeys(filters) = self else {
            return Arc::clone(condition);
        };
        let share = |part: &Arc<dyn PhysicalExpr>| {
            let id = part.expression_id();
            let known = filters.iter().find(|filter| Some(filter.id) == id);
            known.map_or(f64::INFINITY, |filter| filter.share)
        };
        let parts = split_conjunction(condition).into_iter();
        let mut parts: Vec<Arc<dyn PhysicalExpr>> = parts.map(Arc::clone).collect();
        parts.sort_by(|one, other| share(one).total_cmp(&share(other)));
        conjunction(parts)
    }
}

impl KeyFilter {
    fn is_selective(&self, filter: &Arc<dyn PhysicalExpr>, table: &Schema) -> bool {
        let are_few = |keys: usize| keys as f64 <= self.keys * FEW_ROWS;
        if let Some(listed) = listed(filter) {
            return are_few(listed);
        }
        if in_set(filter).is_some_and(are_few) {
            return true;
        }
        let share = self.range.and_then(|range| tried(filter, range, table));
        share.unwrap_or(self.share) <= FEW_ROWS
    }
}

/// Returns how many keys a filter lists; `None` if it has none yet, or looks them up.
fn listed(filter: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    let filter = filter.downcast_ref::<DynamicFilterPhysicalExpr>()?;
    let mut count = None;
    let mut looks_up = false;
    let walked = filter.current().ok()?.apply(|part| {
        if let Some(list) = part.downcast_ref::<InListExpr>() {
            count = Some(count.unwrap_or(0_usize).saturating_add(list.len()));
            return Ok(TreeNodeRecursion::Jump);
        }
        looks_up |= part.is::<HashTableLookupExpr>();
        Ok(TreeNodeRecursion::Continue)
    });
    count.filter(|_| walked.is_ok() && !looks_up)
}

/// Returns how many keys the set of a filter of one key has; `None` if it has no set.
fn in_set(filter: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    if filter.children().len() != 1 {
        return None;
    }
    let filter = filter.downcast_ref::<DynamicFilterPhysicalExpr>()?;
    let mut count = None;
    let walked = filter.current().ok()?.apply(|part| {
        let lookup = part.downcast_ref::<KeyLookup>();
        count = lookup.map(|lookup| lookup.set().count()).or(count);
        Ok(TreeNodeRecursion::Continue)
    });
    count.filter(|_| walked.is_ok())
}

/// Returns for which share of the numbers between these, both included, a filter of one key is
/// true, by trying some of them.
fn tried(
    filter: &Arc<dyn PhysicalExpr>,
    (least, greatest): (i64, i64),
    table: &Schema,
) -> Option<f64> {
    let [key] = <[_; 1]>::try_from(filter.children()).ok()?;
    let key = key.downcast_ref::<Column>()?;
    let data_type = table.field_with_name(key.name()).ok()?.data_type();
    let count = u64::try_from(greatest.checked_sub(least)?)
        .ok()?
        .checked_add(1)?;
    // The same numbers in no order, which do not follow a step that keys may have.
    let numbers = (1..=TRIED).map(|number| {
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        least.saturating_add_unsigned((mixed ^ (mixed >> 29)) % count)
    });
    let numbers: ArrayRef = match data_type {
        DataType::Int64 => Arc::new(Int64Array::from_iter_values(numbers)),
        DataType::Int32 => {
            let numbers = numbers.filter_map(|number| i32::try_from(number).ok());
            Arc::new(Int32Array::from_iter_values(numbers))
        }
        _ => return None,
    };
    let field = Field::new(key.name(), data_type.clone(), true);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![numbers]).ok()?;
    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(key.name(), 0));
    let filter = Arc::clone(filter).with_new_children(vec![column]).ok()?;
    let passed = filter
        .evaluate(&batch)
        .ok()?
        .into_array(batch.num_rows())
        .ok()?;
    let passed = as_boolean_array(&passed).ok()?.true_count();
    Some(passed as f64 / batch.num_rows().max(1) as f64)
}

/// Returns the source with its predicate evaluated on rows, in the order that `when` gives it.
pub(super) fn filtering(source: &ParquetSource, when: &FilterRows) -> ParquetSource {
    let mut options = source.table_parquet_options().clone();
    options.global.pushdown_filters = true;
    options.global.max_predicate_cache_size = Some(KEPT_BYTES);
    let filtering = source.clone().with_table_parquet_options(options);
    match source.filter() {
        Some(condition) => filtering.with_predicate(when.keys_first(&condition)),
        None => filtering,
    }
}

/// Returns whether a condition compares columns with columns and constants, or is a dynamic filter
/// of columns.
///
/// A dynamic filter compares its keys with constants, or looks them up. A projection below a join
/// puts expressions in the place of keys, such as `1 / x`; they may fail for rows that a filter
/// above the scan leaves out.
pub(super) fn is_plain(condition: &Arc<dyn PhysicalExpr>) -> bool {
    let mut open = vec![condition];
    while let Some(part) = open.pop() {
        if let Some(binary) = part.downcast_ref::<BinaryExpr>() {
            use Operator as O;
            match binary.op() {
                O::And | O::Or => open.extend([binary.left(), binary.right()]),
                O::Eq
                | O::NotEq
                | O::Lt
                | O::LtEq
                | O::Gt
                | O::GtEq
                | O::IsDistinctFrom
                | O::IsNotDistinctFrom
                    if is_value(binary.left()) && is_value(binary.right()) => {}
                _ => return false,
            }
        } else if let Some(not) = part.downcast_ref::<NotExpr>() {
            open.push(not.arg());
        } else {
            let plain = if part.is::<DynamicFilterPhysicalExpr>() {
                part.children().into_iter().all(|key| key.is::<Column>())
            } else if let Some(null) = part.downcast_ref::<IsNullExpr>() {
                null.arg().is::<Column>()
            } else if let Some(null) = part.downcast_ref::<IsNotNullExpr>() {
                null.arg().is::<Column>()
            } else if let Some(list) = part.downcast_ref::<InListExpr>() {
                let mut items = list.list().iter();
                list.expr().is::<Column>() && items.all(|item| item.is::<Literal>())
            } else {
                is_value(part)
            };
            if !plain {
                return false;
            }
        }
    }
    true
}

fn is_value(expression: &Arc<dyn PhysicalExpr>) -> bool {
    expression.is::<Column>() || expression.is::<Literal>()
}

/// Returns whether the rows of a file can be filtered by these columns of its table. Columns that
/// are no column of the files are constants.
pub(super) fn fits(footer: &Footer, columns: &HashSet<Column>, table: &Schema) -> bool {
    let mut groups = footer.metadata.row_groups().iter();
    let is_same = |column: &Column| {
        let Ok(declared) = table.field_with_name(column.name()) else {
            return true;
        };
        let Ok(held) = footer.schema.field_with_name(column.name()) else {
            return false;
        };
        let (held, declared) = (held.data_type(), declared.data_type());
        held == declared || (held.is_string() && declared.is_string())
    };
    groups.all(|group| group.num_rows() <= MOST_ROWS) && columns.iter().all(is_same)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::physical_expr::expressions::lit;

    use super::*;

    #[test]
    fn keys_are_tested_first() {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new("k", 0));
        let of_keys = || -> Arc<dyn PhysicalExpr> {
            Arc::new(DynamicFilterPhysicalExpr::new(
                vec![Arc::clone(&column)],
                lit(true),
            ))
        };
        let is_null: Arc<dyn PhysicalExpr> = Arc::new(IsNullExpr::new(Arc::clone(&column)));
        let [unknown, known, expected] = [of_keys(), of_keys(), of_keys()];
        let filter = |filter: &Arc<dyn PhysicalExpr>, share| KeyFilter {
            id: filter.expression_id().unwrap(),
            keys: 10.0,
            range: None,
            share,
        };
        let when = FilterRows::IfFewKeys(vec![filter(&known, 1.0), filter(&expected, 0.01)]);
        let parts = [&is_null, &unknown, &known, &expected].map(Arc::clone);
        let condition = conjunction(parts.clone());
        let places = |ordered: &Arc<dyn PhysicalExpr>| -> Vec<usize> {
            let ordered = split_conjunction(ordered).into_iter();
            let places = ordered.filter_map(|part| {
                let mut parts = parts.iter();
                parts.position(|given| Arc::ptr_eq(given, part))
            });
            places.collect()
        };
        assert_eq!(places(&when.keys_first(&condition)), [3, 2, 0, 1]);
        let always = FilterRows::Always.keys_first(&condition);
        assert_eq!(places(&always), [0, 1, 2, 3]);
    }
}
