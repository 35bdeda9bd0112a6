//! The sorts whose rows are numbered and filtered.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Operator as Sign;
use datafusion::physical_expr::expressions::{BinaryExpr, CastExpr, Column, Literal};
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, ReplaceChildrenOptions};

use super::exec::FirstRanksExec;
use super::{First, MOST, Operator, divides, orders};
use crate::windows::running_windows::{Number, number_of};

/// Returns a filter of which a condition bounds the numbers of rows, with fewer rows to number; `None`
/// for other operators.
///
/// # Errors
///
/// Returns an error if DataFusion refuses to rebuild an operator.
pub(super) fn with_first_ranks(node: &Operator) -> Result<Option<Operator>> {
    let Some(filter) = node.downcast_ref::<FilterExec>() else {
        return Ok(None);
    };
    for condition in split_conjunction(filter.predicate()) {
        let Some((column, most)) = bound(condition) else {
            continue;
        };
        if let Some(input) = numbered(filter.input(), column, most)? {
            return with_input(node, input).map(Some);
        }
    }
    Ok(None)
}

/// Returns the column of a condition that all its values above a number fail, and that number.
fn bound(condition: &Arc<dyn PhysicalExpr>) -> Option<(usize, usize)> {
    let comparison = condition.downcast_ref::<BinaryExpr>()?;
    let (left, right) = (comparison.left(), comparison.right());
    let (column, sign, number) = match (whole(left), whole(right)) {
        (None, Some(number)) => (column(left)?, *comparison.op(), number),
        (Some(number), None) => (column(right)?, comparison.op().swap()?, number),
        _ => return None,
    };
    let most = match sign {
        Sign::Lt => number.checked_sub(1)?,
        Sign::LtEq | Sign::Eq => number,
        _ => return None,
    };
    let most = usize::try_from(most).ok()?;
    (1..=MOST).contains(&most).then_some((column, most))
}

fn is_whole(of: &DataType) -> bool {
    of.is_integer() || matches!(of, DataType::Decimal128(_, 0))
}

/// Returns the value of a constant that is a whole number.
fn whole(expr: &Arc<dyn PhysicalExpr>) -> Option<i64> {
    let value = expr.downcast_ref::<Literal>()?.value();
    if !is_whole(&value.data_type()) {
        return None;
    }
    match value.cast_to(&DataType::Int64).ok()? {
        ScalarValue::Int64(number) => number,
        _ => None,
    }
}

/// Returns the place of a column, which may be cast to another type of whole numbers.
fn column(expr: &Arc<dyn PhysicalExpr>) -> Option<usize> {
    let cast = expr.downcast_ref::<CastExpr>();
    let cast = cast.filter(|cast| is_whole(cast.cast_type()));
    let of = cast.map_or(expr, |cast| cast.expr());
    of.downcast_ref::<Column>().map(Column::index)
}

/// Returns the rows of an operator without those whose numbers in a column are above `most`, as far as
/// they are dropped early; `None` if the column is not of such numbers.
fn numbered(node: &Operator, place: usize, most: usize) -> Result<Option<Operator>> {
    let below = if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        let expr = projection.expr().get(place);
        expr.and_then(|projected| column(&projected.expr))
    } else if is_exchange(node.as_ref()) {
        Some(place)
    } else {
        let Some(windows) = windows_of(node.as_ref()) else {
            return Ok(None);
        };
        return first(node, windows, place, most);
    };
    let children = node.children();
    let (Some(below), [input]) = (below, children.as_slice()) else {
        return Ok(None);
    };
    let input = numbered(input, below, most)?;
    input.map(|input| with_input(node, input)).transpose()
}

fn windows_of(node: &dyn ExecutionPlan) -> Option<&[Arc<dyn WindowExpr>]> {
    match node.downcast_ref::<BoundedWindowAggExec>() {
        Some(window) => Some(window.window_expr()),
        None => node
            .downcast_ref::<WindowAggExec>()
            .map(WindowAggExec::window_expr),
    }
}

/// Returns whether an operator returns all rows of its input, with the same columns.
fn is_exchange(node: &dyn ExecutionPlan) -> bool {
    let passes = node.is::<RepartitionExec>()
        || node.is::<CoalescePartitionsExec>()
        || node.is::<SortPreservingMergeExec>();
    passes && node.fetch().is_none()
}

/// Returns a window of which a function numbers rows in the column at a place, over fewer rows.
fn first(
    node: &Operator,
    windows: &[Arc<dyn WindowExpr>],
    place: usize,
    most: usize,
) -> Result<Option<Operator>> {
    let children = node.children();
    let [input] = children.as_slice() else {
        return Ok(None);
    };
    let schema = input.schema();
    let window = place.checked_sub(schema.fields().len());
    let Some(window) = window.and_then(|window| windows.get(window)) else {
        return Ok(None);
    };
    // The number of a row depends on those before it only. That of `dense_rank` may be small after many.
    let counts_rows = matches!(number_of(window), Some(Number::Row | Number::Rank));
    let are_numbers = windows.iter().all(|other| {
        number_of(other).is_some()
            && other.partition_by() == window.partition_by()
            && other.order_by() == window.order_by()
    });
    if !counts_rows || !are_numbers || !are_keys(window, &schema) {
        return Ok(None);
    }
    let first = Arc::new(First {
        most,
        partition_by: window.partition_by().to_vec(),
        order_by: window.order_by().to_vec(),
    });
    let input = before_sort(input, &first, false)?;
    input.map(|input| with_input(node, input)).transpose()
}

/// Returns whether the keys of a window are columns of types that are compared here.
fn are_keys(window: &Arc<dyn WindowExpr>, schema: &Schema) -> bool {
    let is_of = |key: &Arc<dyn PhysicalExpr>, fits: fn(&DataType) -> bool| {
        let column = key.downcast_ref::<Column>();
        let field = column.and_then(|column| schema.fields().get(column.index()));
        field.is_some_and(|field| fits(field.data_type()))
    };
    let mut order = window.order_by().iter();
    !window.order_by().is_empty()
        && order.all(|key| is_of(&key.expr, orders))
        && window.partition_by().iter().all(|key| is_of(key, divides))
}

/// Returns the sorted input of a window with fewer rows to sort; `None` if nothing is sorted.
fn before_sort(node: &Operator, first: &Arc<First>, is_sorted: bool) -> Result<Option<Operator>> {
    let sorts = node.is::<SortExec>() && node.fetch().is_none();
    if !sorts && !is_exchange(node.as_ref()) {
        return Ok(is_sorted.then(|| {
            let rows = Arc::clone(node);
            Arc::new(FirstRanksExec::new(rows, Arc::clone(first))) as Operator
        }));
    }
    let children = node.children();
    let [input] = children.as_slice() else {
        return Ok(None);
    };
    let input = before_sort(input, first, is_sorted || sorts)?;
    input.map(|input| with_input(node, input)).transpose()
}

/// Returns the same operator over an input with the same properties.
fn with_input(node: &Operator, input: Operator) -> Result<Operator> {
    let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
    Arc::clone(node).replace_children(vec![input], keep)
}
