//! The operators of `jsonb` whose symbols other types have too: `||`, `-`, `@>`, `<@` and
//! comparisons.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, Operator, ScalarUDF, TryCast, binary_expr,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_error::{Code, Error};

use super::{functions, is_jsonb, order};
use crate::postgres::functions::coalesce::ARRAY;
use crate::postgres::functions::keyed::{OF_ONE_TYPE, is_parameter, is_range, results_of, written};

/// Aggregate functions that return one of the values.
const OF_ROWS: [&str; 4] = ["any_value", "first_value", "last_value", "nth_value"];

/// Plans an operator as a call of its function if one of its operands is `jsonb`.
#[derive(Debug)]
struct JsonOperators {
    concat: Arc<ScalarUDF>,
    delete: Arc<ScalarUDF>,
    contains: Arc<ScalarUDF>,
    contained: Arc<ScalarUDF>,
    /// Returns what two values are compared by.
    key: Arc<ScalarUDF>,
}

impl JsonOperators {
    fn of(&self, op: &BinaryOperator) -> Option<&Arc<ScalarUDF>> {
        match op {
            BinaryOperator::StringConcat => Some(&self.concat),
            BinaryOperator::Minus => Some(&self.delete),
            BinaryOperator::AtArrow => Some(&self.contains),
            BinaryOperator::ArrowAt => Some(&self.contained),
            _ => None,
        }
    }
}

/// Returns the operator of a comparison.
fn comparison(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    })
}

/// Returns whether an expression is of the type `jsonb`.
pub(super) fn is_of_jsonb(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        // Operators of the engine return other types; a chain of them can be long.
        Expr::BinaryExpr(_) | Expr::Literal(..) => false,
        // The engine takes over the mark of the operand.
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => is_jsonb(field),
        // The rule, which gives these their type, runs after operators are planned.
        Expr::Case(case) => are_of(results_of(case), schema, is_of_jsonb),
        Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            are_of(&call.args, schema, is_of_jsonb)
        }
        Expr::AggregateFunction(call) if OF_ROWS.contains(&call.func.name()) => {
            let mut args = call.params.args.iter();
            args.next().is_some_and(|value| is_of_jsonb(value, schema))
        }
        _ => expr
            .to_field(schema)
            .is_ok_and(|(_, field)| is_jsonb(&field)),
    }
}

/// Returns whether an expression is an array of the type `jsonb[]`, as far as the expression tells.
pub(super) fn are_in_list(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        Expr::ScalarFunction(call) if call.func.name() == ARRAY => {
            are_of(&call.args, schema, is_of_jsonb)
        }
        Expr::AggregateFunction(call) if call.func.name() == "array_agg" => {
            let mut args = call.params.args.iter();
            args.next().is_some_and(|item| is_of_jsonb(item, schema))
        }
        _ => false,
    }
}

/// Returns whether values of which one becomes the result are of a type: one `is_of` it, and the
/// others are or take it.
pub(super) fn are_of<'e>(
    values: impl IntoIterator<Item = &'e Expr>,
    schema: &DFSchema,
    is_of: fn(&Expr, &DFSchema) -> bool,
) -> bool {
    let mut found = false;
    for value in values {
        let is_one = is_of(value, schema);
        let value = written(value);
        if !is_one && !is_untyped(value) {
            return false;
        }
        found |= is_one;
    }
    found
}

/// Returns whether an expression is a quoted literal, NULL or a parameter, which take the other
/// operand's type.
pub(super) fn is_untyped(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.is_null() || value.try_as_str().is_some(),
        _ => is_parameter(expr),
    }
}

impl ExprPlanner for JsonOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let comparison = comparison(&expr.op);
        let function = self.of(&expr.op);
        if comparison.is_none() && function.is_none() {
            return Ok(PlannerResult::Original(expr));
        }
        let left = is_of_jsonb(&expr.left, schema);
        let found = match expr.op {
            BinaryOperator::Minus => left,
            // Text that is joined with `jsonb` is joined as text.
            _ => {
                let right = is_of_jsonb(&expr.right, schema);
                (left || is_untyped(&expr.left))
                    && (right || is_untyped(&expr.right))
                    && (left || right)
            }
        };
        Ok(match (comparison, function) {
            (Some(op), _) if found => {
                let [left, right] = [expr.left, expr.right].map(|value| self.key.call(vec![value]));
                PlannerResult::Planned(binary_expr(left, op, right))
            }
            (None, Some(function)) if found => {
                PlannerResult::Planned(function.call(vec![expr.left, expr.right]))
            }
            _ => {
                check_scalars(&expr, schema)?;
                PlannerResult::Original(expr)
            }
        })
    }
}

/// Refuses `@>` and `<@` of texts, numbers and the like, which the engine plans and cannot run.
fn check_scalars(expr: &RawBinaryExpr, schema: &DFSchema) -> Result<()> {
    let symbol = match expr.op {
        BinaryOperator::AtArrow => "@>",
        BinaryOperator::ArrowAt => "<@",
        _ => return Ok(()),
    };
    if is_range(&expr.left, schema) || is_range(&expr.right, schema) {
        return Ok(());
    }
    let types = (expr.left.get_type(schema), expr.right.get_type(schema));
    let (Ok(of_left), Ok(of_right)) = types else {
        return Ok(());
    };
    if [&of_left, &of_right]
        .iter()
        .any(|of| of.is_nested() || of.is_null())
    {
        return Ok(());
    }
    let name = |expr: &Expr, of: &DataType| match expr {
        expr if is_of_jsonb(expr, schema) => "jsonb".to_owned(),
        expr if is_untyped(expr) => "unknown".to_owned(),
        _ if of.is_string() => "text".to_owned(),
        _ => of.to_string(),
    };
    let (left, right) = (name(&expr.left, &of_left), name(&expr.right, &of_right));
    Err(Error::new(
        Code::FunctionNotFound,
        format!("operator does not exist: {left} {symbol} {right}"),
    )
    .with_hint("cast the texts to jsonb, or to arrays")
    .into())
}

/// Returns the planner to register; `None` if a function is missing.
pub(in crate::postgres) fn planner() -> Option<Arc<dyn ExprPlanner>> {
    static MADE: LazyLock<Option<Arc<dyn ExprPlanner>>> = LazyLock::new(made);
    MADE.clone()
}

fn made() -> Option<Arc<dyn ExprPlanner>> {
    let all = functions();
    let named = |name: &str| {
        let mut found = all.iter().filter(|function| function.name() == name);
        found.next().cloned()
    };
    Some(Arc::new(JsonOperators {
        concat: named("jsonb_concat")?,
        delete: named("jsonb_delete")?,
        contains: named("jsonb_contains")?,
        contained: named("jsonb_contained")?,
        key: named(order::KEY)?,
    }))
}
