//! `||` of an array and a literal that is the text of one, which the engine would append as an item:
//!
//! ```text
//! tags || '{a,b}'      tags || CAST('{a,b}' AS text[])
//! ```
//!
//! Other literals are items, as in Trino; in PostgreSQL they are an error.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Returns the planner to register.
pub(crate) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(JoinedArrays)
}

#[derive(Debug)]
struct JoinedArrays;

impl ExprPlanner for JoinedArrays {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let RawBinaryExpr {
            op,
            mut left,
            mut right,
        } = expr;
        if let Some(array) = array_beside(&right, &left, schema) {
            right = cast(right, array);
        } else if let Some(array) = array_beside(&left, &right, schema) {
            left = cast(left, array);
        }
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// Returns the type of the array beside a literal that is the text of one; `None` for others.
fn array_beside(literal: &Expr, other: &Expr, schema: &DFSchema) -> Option<DataType> {
    let Expr::Literal(value, _) = literal else {
        return None;
    };
    let text = value.try_as_str().flatten()?;
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let of = other.get_type(schema).ok()?;
    matches!(of, DataType::List(_)).then_some(of)
}
