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

use arrow::datatypes::Schema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
    NotExpr,
};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::joins::HashTableLookupExpr;

use super::decode::Footer;

/// Rows of a row group whose rows are filtered, at most. Writers make groups of a million rows.
const MOST_ROWS: i64 = 2 << 20;

/// Bytes of decoded columns that one decoder keeps, so that a column which is both filtered and
/// returned is decoded once.
const KEPT_BYTES: usize = 8 << 20;

/// When the conditions of a scan are evaluated on rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterRows {
    Always,
    /// If one of these dynamic filters, by id, lists at most so many values. This is known when the
    /// first file is opened, as a join reads its build side before.
    IfFewValues(Vec<(u64, usize)>),
}

impl fmt::Display for FilterRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "always",
            Self::IfFewValues(_) => "if_few_values",
        })
    }
}

impl FilterRows {
    /// Returns whether the conditions that a scan has now are to be evaluated on rows.
    pub(super) fn is_now(&self, condition: &Arc<dyn PhysicalExpr>) -> bool {
        let Self::IfFewValues(limits) = self else {
            return true;
        };
        split_conjunction(condition).into_iter().any(|part| {
            let id = part.expression_id();
            let limit = limits.iter().find(|(filter, _)| Some(*filter) == id);
            limit.is_some_and(|(_, most)| listed(part).is_some_and(|count| count <= *most))
        })
    }
}

/// Returns how many values a dynamic filter lists; `None` if it has none yet, or looks them up.
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

/// Returns the source with its predicate evaluated on rows.
pub(super) fn filtering(source: &ParquetSource) -> ParquetSource {
    let mut options = source.table_parquet_options().clone();
    options.global.pushdown_filters = true;
    options.global.max_predicate_cache_size = Some(KEPT_BYTES);
    source.clone().with_table_parquet_options(options)
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
