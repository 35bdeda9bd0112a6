//! Between which numbers all values of an expression are, by the statistics of files.
//!
//! These bounds are not estimates: a footer that gives others than those of its file is wrong. So an
//! expression whose steps stay within the range of their type fails for no row of the files:
//!
//! ```text
//! cs_ship_date_sk - cs_sold_date_sk     of 2450815..2452744 and 2450815..2452654
//!                                       no difference is out of the range of a bigint
//! ```

use arrow::datatypes::DataType;
use datafusion::common::stats::Precision;
use datafusion::common::{JoinSide, ScalarValue, Statistics};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::{CastExpr, Column, Literal};
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr::{PhysicalExprRef, ScalarFunctionExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use lakegate_lake::scanned::files_of;

use super::Operator;
use super::way::origin;
use crate::numbers::chains;
use crate::plans::estimates::number;

/// The least and the greatest number.
type Bounds = (i128, i128);

/// Operators and parts of expressions that are looked at.
const MOST_STEPS: usize = 256;

/// Returns bounds of the values of an expression of whole numbers that are not NULL; `None` if they
/// are not known, or if the expression may fail. `rows`: what it reads.
pub(super) fn bounds(expression: &PhysicalExprRef, rows: &Operator) -> Option<Bounds> {
    let mut left = MOST_STEPS;
    of_expression(expression, rows, &mut left)
}

/// `left`: steps that may yet be taken.
fn of_expression(
    expression: &PhysicalExprRef,
    rows: &Operator,
    left: &mut usize,
) -> Option<Bounds> {
    *left = left.checked_sub(1)?;
    if let Some(column) = expression.downcast_ref::<Column>() {
        return of_column(rows, column.index(), left);
    }
    if let Some(literal) = expression.downcast_ref::<Literal>() {
        let value = literal.value();
        let value = number(value).filter(|_| value.data_type().is_integer())?;
        return Some((value, value));
    }
    if let Some(cast) = expression.downcast_ref::<CastExpr>() {
        let (least, greatest) = of_expression(cast.expr(), rows, left)?;
        let range = chains::range(cast.cast_type())?;
        return (range.0 <= least && greatest <= range.1).then_some((least, greatest));
    }
    let call = expression.downcast_ref::<ScalarFunctionExpr>()?;
    chains::bounds(call, &mut |operand| of_expression(operand, rows, left))
}

fn of_column(rows: &Operator, column: usize, left: &mut usize) -> Option<Bounds> {
    let (mut rows, mut column) = (rows, column);
    loop {
        *left = left.checked_sub(1)?;
        if let Some(projection) = rows.downcast_ref::<ProjectionExec>() {
            let shown = projection.expr().get(column)?;
            return of_expression(&shown.expr, projection.input(), left);
        }
        if let Some(filter) = rows.downcast_ref::<FilterExec>() {
            if let Some(columns) = filter.projection() {
                column = columns.get(column).copied()?;
            }
            rows = filter.input();
        } else if let Some(join) = rows.downcast_ref::<HashJoinExec>() {
            // An outer join adds NULLs only.
            let (side, of_side) = origin(join, column)?;
            column = of_side;
            rows = match side {
                JoinSide::Left => join.left(),
                JoinSide::Right => join.right(),
                JoinSide::None => return None,
            };
        } else if rows.is::<CoalescePartitionsExec>() || rows.is::<RepartitionExec>() {
            rows = rows.children().into_iter().next()?;
        } else {
            return of_scan(rows.downcast_ref::<DataSourceExec>()?, column);
        }
    }
}

/// Returns the bounds of a column of all files of a scan.
fn of_scan(scan: &DataSourceExec, column: usize) -> Option<Bounds> {
    let config = files_of(scan)?;
    let source = config.file_source();
    let column = match source.projection() {
        Some(shown) => {
            let shown: &[ProjectionExpr] = shown.as_ref();
            shown.get(column)?.expr.downcast_ref::<Column>()?.index()
        }
        None => column,
    };
    let field = source.table_schema().table_schema().fields().get(column)?;
    let of = field.data_type();
    if !of.is_integer() {
        return None;
    }
    let mut all: Option<Bounds> = None;
    let files = config.file_groups.iter().flat_map(|group| group.files());
    for file in files {
        let Some((least, greatest)) = of_file(file.statistics.as_deref()?, column, of)? else {
            continue;
        };
        all = Some(match all {
            Some(others) => (others.0.min(least), others.1.max(greatest)),
            None => (least, greatest),
        });
    }
    all
}

/// Returns the bounds of a column of a file, which are `Some(None)` if the file has no values of it.
fn of_file(known: &Statistics, column: usize, of: &DataType) -> Option<Option<Bounds>> {
    let rows = known.num_rows;
    let known = known.column_statistics.get(column)?;
    let bound = |value: &Precision<ScalarValue>| {
        let value = value.get_value()?;
        number(value).filter(|_| value.data_type() == *of)
    };
    match bound(&known.min_value).zip(bound(&known.max_value)) {
        Some((least, greatest)) if least <= greatest => Some(Some((least, greatest))),
        _ => {
            let is_empty = matches!(rows, Precision::Exact(_)) && known.null_count == rows;
            is_empty.then_some(None)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Field, Schema};
    use datafusion::common::ColumnStatistics;

    use super::*;

    fn file(rows: usize, nulls: usize, bounds: Option<(ScalarValue, ScalarValue)>) -> Statistics {
        let schema = Schema::new(vec![Field::new("a", DataType::Int32, true)]);
        let mut known = Statistics::new_unknown(&schema);
        known.num_rows = Precision::Exact(rows);
        let mut column = ColumnStatistics::new_unknown();
        column.null_count = Precision::Exact(nulls);
        if let Some((least, greatest)) = bounds {
            column.min_value = Precision::Exact(least);
            column.max_value = Precision::Exact(greatest);
        }
        known.column_statistics = vec![column];
        known
    }

    #[test]
    fn bounds_of_a_file_are_those_of_the_type_or_none() {
        let of = |known: &Statistics| of_file(known, 0, &DataType::Int32);
        let int = |value: i32| ScalarValue::Int32(Some(value));
        let known = file(3, 1, Some((int(i32::MIN), int(7))));
        assert_eq!(of(&known), Some(Some((i128::from(i32::MIN), 7))));
        assert_eq!(of(&file(3, 1, Some((int(8), int(7))))), None);
        let wide = |value: i64| ScalarValue::Int64(Some(value));
        assert_eq!(of(&file(3, 1, Some((wide(0), wide(7))))), None);
        assert_eq!(of(&file(3, 1, None)), None);
        // No row has a value.
        assert_eq!(of(&file(3, 3, None)), Some(None));
        assert_eq!(of(&file(0, 0, None)), Some(None));
        let null = ScalarValue::Int32(None);
        assert_eq!(of(&file(3, 0, Some((null.clone(), null)))), None);
        assert_eq!(of_file(&known, 1, &DataType::Int32), None);
        let mut estimated = file(3, 3, None);
        estimated.num_rows = Precision::Inexact(3);
        assert_eq!(of(&estimated), None);
    }
}
