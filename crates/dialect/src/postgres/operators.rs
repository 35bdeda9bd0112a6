//! Operators on a quoted literal, which in Postgres takes the type of the other operand.

use std::sync::Arc;

use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions_nested::expr_fn::array_has_all;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_error::{Code, Error};

use super::array_text::{ArrayItem, parse_array};
use super::cell::{Cell, build_array};

/// Converts `'16384'` to the type of the column that it is compared with.
#[derive(Debug, Default)]
pub(super) struct UntypedLiterals;

fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator::*;
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | Spaceship)
}

fn contains(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::AtArrow | BinaryOperator::ArrowAt)
}

/// Returns whether one of two expressions is a list.
fn has_list(left: &Expr, right: &Expr, schema: &DFSchema) -> bool {
    [left, right].into_iter().any(|expr| {
        let data_type = expr.get_type(schema);
        data_type.is_ok_and(|data_type| matches!(data_type, DataType::List(_)))
    })
}

/// Returns the text of a quoted literal that has no type yet.
fn untyped(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        Expr::Alias(Alias { expr, .. }) => untyped(expr),
        _ => None,
    }
}

fn typed(text: &str, data_type: &DataType) -> Result<Option<Expr>> {
    let wrong = |name: &str| {
        Error::new(
            Code::InvalidCast,
            format!("invalid input syntax for type {name}: \"{text}\""),
        )
    };
    let value = match data_type {
        data_type if data_type.is_integer() => {
            ScalarValue::Int64(Some(text.trim().parse().map_err(|_| wrong("integer"))?))
        }
        DataType::Boolean => match Cell::text(text.to_ascii_lowercase()).as_bool() {
            Some(value) => ScalarValue::Boolean(Some(value)),
            None => return Err(wrong("boolean").into()),
        },
        DataType::List(item) => {
            let items = parse_array(text)?.into_iter().map(ArrayItem::into_cell);
            let items: Vec<Cell<'static>> = items.collect();
            // A nested array does not compare with one that is flat.
            if items.iter().any(|item| matches!(item, Cell::List(_))) {
                return Ok(None);
            }
            let items = cast(
                &build_array(&DataType::Utf8, items.into_iter())?,
                item.data_type(),
            )?;
            let scalars = (0..items.len())
                .map(|row| ScalarValue::try_from_array(&items, row))
                .collect::<Result<Vec<_>>>()?;
            ScalarValue::List(ScalarValue::new_list_nullable(&scalars, item.data_type()))
        }
        _ => return Ok(None),
    };
    Ok(Some(Expr::Literal(value, None)))
}

impl ExprPlanner for UntypedLiterals {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr {
            op,
            mut left,
            mut right,
        } = expr;
        // Other operands of these operators are JSON values.
        let contains = contains(&op) && has_list(&left, &right, schema);
        if compares(&op) || contains {
            if let Some(text) = untyped(&right)
                && let Ok(data_type) = left.get_type(schema)
            {
                right = typed(text, &data_type)?.unwrap_or(right);
            } else if let Some(text) = untyped(&left)
                && let Ok(data_type) = right.get_type(schema)
            {
                left = typed(text, &data_type)?.unwrap_or(left);
            }
        }
        Ok(match op {
            // The planner for lists has seen a text, and is not asked again.
            BinaryOperator::AtArrow if contains => {
                PlannerResult::Planned(array_has_all(left, right))
            }
            BinaryOperator::ArrowAt if contains => {
                PlannerResult::Planned(array_has_all(right, left))
            }
            op => PlannerResult::Original(RawBinaryExpr { op, left, right }),
        })
    }
}

/// Returns the planner to register.
pub fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(UntypedLiterals)
}
