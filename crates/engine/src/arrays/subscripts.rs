//! Array subscripts: `a[i]` is NULL where the array has no such item, and `a[i:j]` returns the
//! items within the bounds.
//!
//! The engine counts a subscript below 1 from the end (`datafusion-functions-nested`,
//! `extract.rs`, 55.2); its functions `array_element` and `array_slice` still do. It returns no
//! items for a slice that begins before the first item.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::function::{ArrayFunction, Definition, Lists, item_type, list_of, mismatch};
use super::keys::is_array;
use crate::limits::stop::check;
use crate::plans::expressions;

/// Plans array subscripts, and `||` of an array and an untyped NULL. Runs before the engine's own
/// planners.
#[derive(Debug)]
pub(crate) struct Subscripts;

static ITEM: Definition = Definition {
    names: &["array_item"],
    arguments: &[
        ("array", "The array."),
        ("place", "Which item; 1 is the first."),
    ],
    needs: 2,
    description: "An item, NULL where there is none.",
    coerced: with_places,
    returns: |types| item_type("array_item", types.first().unwrap_or(&DataType::Null)),
    body: |columns, _| item(columns),
};

static RANGE: Definition = Definition {
    names: &["array_range"],
    arguments: &[
        ("array", "The array."),
        ("first", "The first item."),
        ("last", "The last item."),
    ],
    needs: 3,
    description: "The items from one to another, as many as there are.",
    coerced: with_places,
    returns: |types| Ok(types.first().cloned().unwrap_or(DataType::Null)),
    body: |columns, _| range(columns),
};

/// Returns the item of an array at a place, which is NULL where there is none.
pub fn item_of(array: Expr, place: Expr) -> Expr {
    expressions::call(ArrayFunction::new(&ITEM), vec![array, place])
}

impl ExprPlanner for Subscripts {
    /// Plans `||` of an array and an untyped NULL, which is a NULL array and adds nothing. The
    /// engine would append it as an item.
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_null = |expr: &Expr| matches!(expr, Expr::Literal(ScalarValue::Null, _));
        let is_list = |expr: &Expr| expr.get_type(schema).is_ok_and(|of| is_array(&of));
        Ok(match expr.op {
            BinaryOperator::StringConcat if is_null(&expr.left) && is_list(&expr.right) => {
                PlannerResult::Planned(expr.right)
            }
            BinaryOperator::StringConcat if is_null(&expr.right) && is_list(&expr.left) => {
                PlannerResult::Planned(expr.left)
            }
            _ => PlannerResult::Original(expr),
        })
    }

    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let RawFieldAccessExpr { field_access, expr } = access;
        let of_array = expr.get_type(schema).is_ok_and(|of| is_array(&of));
        let planned = |call| Ok(PlannerResult::Planned(call));
        match field_access {
            GetFieldAccess::ListIndex { key } if of_array && !is_nth(&expr, &key) => {
                planned(item_of(expr, counted(*key)))
            }
            GetFieldAccess::ListRange {
                start,
                stop,
                stride,
            } if of_array && is_one(&stride) => {
                let range = ArrayFunction::new(&RANGE);
                let args = vec![expr, counted(*start), counted(*stop)];
                planned(expressions::call(range, args))
            }
            field_access => Ok(PlannerResult::Original(RawFieldAccessExpr {
                field_access,
                expr,
            })),
        }
    }
}

/// Returns a subscript, which is an integer if it is a parameter of no other type.
fn counted(place: Expr) -> Expr {
    match place {
        Expr::Placeholder(Placeholder { id, field: None }) => {
            let field = Arc::new(Field::new("", DataType::Int32, true));
            Expr::Placeholder(Placeholder::new_with_field(id, Some(field)))
        }
        place => place,
    }
}

fn is_one(stride: &Expr) -> bool {
    matches!(stride, Expr::Literal(ScalarValue::Int64(Some(1)), _))
}

/// Returns whether this is an item of `array_agg(…)`, which the engine finds without building the
/// array.
fn is_nth(expr: &Expr, key: &Expr) -> bool {
    matches!(expr, Expr::AggregateFunction(call) if call.func.name() == "array_agg")
        && matches!(key, Expr::Literal(ScalarValue::Int64(Some(place)), _) if *place > 0)
}

fn with_places(function: &str, types: &[DataType]) -> Result<Vec<DataType>> {
    let array = types.first().unwrap_or(&DataType::Null);
    let mut coerced = vec![list_of(item_type(function, array)?)];
    for place in types.iter().skip(1) {
        if !place.is_integer() && !place.is_null() {
            return Err(mismatch(format!(
                "a subscript of an array is a whole number, not a value of type {place}"
            )));
        }
        coerced.push(DataType::Int64);
    }
    Ok(coerced)
}

/// Returns the subscript of a row; `None` for NULL. Callers bound the value.
fn place(column: Option<&ArrayRef>, row: usize) -> Option<i64> {
    let column = column?.as_primitive_opt::<Int64Type>()?;
    column.is_valid(row).then(|| column.value(row))
}

fn item(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::of("array_item", columns.first())?;
    let places = (0..lists.rows()).map(|row| {
        let items = lists.items(row)?;
        let before = usize::try_from(place(columns.get(1), row)?.checked_sub(1)?).ok()?;
        (before < items.len()).then_some((items.start + before) as u64)
    });
    let places: UInt64Array = places.collect();
    Ok(take(lists.list.values(), &places, None)?)
}

fn range(columns: &[ArrayRef]) -> Result<ArrayRef> {
    let lists = Lists::of("array_range", columns.first())?;
    let mut kept: Vec<u64> = Vec::new();
    let mut lengths = Vec::with_capacity(lists.rows());
    let mut valid = Vec::with_capacity(lists.rows());
    for row in 0..lists.rows() {
        check()?;
        let bounds = place(columns.get(1), row).zip(place(columns.get(2), row));
        let within = lists.items(row).zip(bounds).map(|(items, (first, last))| {
            let skipped = usize::try_from(first.saturating_sub(1)).unwrap_or(0);
            let end = usize::try_from(last).unwrap_or(0).min(items.len());
            let start = items.start + skipped.min(end);
            start..items.start + end
        });
        valid.push(within.is_some());
        let within = within.unwrap_or(0..0);
        lengths.push(within.len());
        kept.extend(within.map(|item| item as u64));
    }
    let items = take(lists.list.values(), &UInt64Array::from(kept), None)?;
    let DataType::List(field) = lists.list.data_type() else {
        return Err(mismatch("a slice of what is no array".to_owned()));
    };
    let field: FieldRef = Arc::clone(field);
    Ok(Arc::new(ListArray::try_new(
        field,
        OffsetBuffer::from_lengths(lengths),
        items,
        Some(NullBuffer::from(valid)),
    )?))
}
