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
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, Literal,
    NotExpr,
};
use datafusion::physical_plan::PhysicalExpr;

use super::decode::Footer;

/// Rows of a row group whose rows are filtered, at most. Writers make groups of a million rows.
const MOST_ROWS: i64 = 2 << 20;

/// Bytes of decoded columns that one decoder keeps, so that a column which is both filtered and
/// returned is decoded once.
const KEPT_BYTES: usize = 8 << 20;

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
