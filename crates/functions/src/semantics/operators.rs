//! Arithmetic of decimals: precision, scale and rounding as in Trino's "Decimal functions and
//! operators".
//!
//! ```text
//! d + i      d + CAST(i AS DECIMAL(19,0))      decimals of an integer's digits: 10, 19 for a bigint
//! d * e      "$multiply"(d, e)                 precision p + q, scale s + t
//! d / e      "$divide"(d, e)                   scale max(s, t), rounded half away from zero
//! d % e      "$modulus"(d, e)
//! d + x      CAST(d AS DOUBLE) + x             with a double or a real
//! ```
//!
//! A planner sees the operators first, so that all that is planned above knows their types. The
//! rule sees those whose operands were parameters.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, ScalarValue, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, Operator, ScalarUDF, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::rule::function;
use super::{fields, one_type};

/// Digits of the integers that an integer literal may be.
const INTEGER_DIGITS: u8 = 10;

/// The functions of operators of decimals.
#[derive(Debug)]
pub(crate) struct Operators {
    multiply: Arc<ScalarUDF>,
    divide: Arc<ScalarUDF>,
    modulus: Arc<ScalarUDF>,
}

/// An operator with its operands.
pub(super) enum Planned {
    /// A call.
    Call(Expr),
    /// The same operator of other operands.
    Operands(Expr, Expr),
}

impl Operators {
    /// Returns `None` if the library lacks one of the functions.
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            multiply: function("$multiply")?,
            divide: function("$divide")?,
            modulus: function("$modulus")?,
        })
    }

    /// Plans an operator of decimals; `None` if the engine's operator means the same.
    pub(super) fn planned(
        &self,
        left: &Expr,
        op: Operator,
        right: &Expr,
        schema: &DFSchema,
    ) -> Option<Planned> {
        let function = match op {
            Operator::Plus | Operator::Minus => None,
            Operator::Multiply => Some(&self.multiply),
            Operator::Divide => Some(&self.divide),
            Operator::Modulo => Some(&self.modulus),
            _ => return None,
        };
        // A parameter may have no type yet.
        let types = (left.get_type(schema).ok()?, right.get_type(schema).ok()?);
        let (of_left, of_right) = &types;
        if !of_left.is_numeric() || !of_right.is_numeric() {
            return None;
        }
        let is_decimal = |of: &DataType| matches!(of, DataType::Decimal128(..));
        if !is_decimal(of_left) && !is_decimal(of_right) {
            return None;
        }
        let wider = [DataType::Float64, DataType::Float32];
        let float = wider
            .iter()
            .find(|wider| [of_left, of_right].contains(wider));
        if let Some(float) = float {
            let to = |expr: &Expr, of: &DataType| match of == float {
                true => expr.clone(),
                false => cast(expr.clone(), float.clone()),
            };
            return Some(Planned::Operands(to(left, of_left), to(right, of_right)));
        }
        let left = decimal(left, of_left)?;
        let right = decimal(right, of_right)?;
        Some(match function {
            Some(function) => Planned::Call(Expr::ScalarFunction(ScalarFunction {
                func: Arc::clone(function),
                args: vec![left, right],
            })),
            None => Planned::Operands(left, right),
        })
    }
}

/// Returns a number as a decimal with the digits of its type.
fn decimal(expr: &Expr, of: &DataType) -> Option<Expr> {
    let digits = match of {
        DataType::Decimal128(..) => return Some(expr.clone()),
        DataType::Int8 => 3,
        DataType::Int16 => 5,
        DataType::Int32 => INTEGER_DIGITS,
        DataType::Int64 => {
            if let Expr::Literal(ScalarValue::Int64(Some(value)), _) = expr
                && i32::try_from(*value).is_ok()
            {
                let value = Some(i128::from(*value));
                let literal = ScalarValue::Decimal128(value, INTEGER_DIGITS, 0);
                return Some(Expr::Literal(literal, None));
            }
            19
        }
        _ => return None,
    };
    Some(cast(expr.clone(), DataType::Decimal128(digits, 0)))
}

impl ExprPlanner for Operators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let op = match expr.op {
            BinaryOperator::Plus => Operator::Plus,
            BinaryOperator::Minus => Operator::Minus,
            BinaryOperator::Multiply => Operator::Multiply,
            BinaryOperator::Divide => Operator::Divide,
            BinaryOperator::Modulo => Operator::Modulo,
            _ => return Ok(PlannerResult::Original(expr)),
        };
        Ok(match self.planned(&expr.left, op, &expr.right, schema) {
            Some(Planned::Call(call)) => PlannerResult::Planned(call),
            Some(Planned::Operands(left, right)) => PlannerResult::Original(RawBinaryExpr {
                op: expr.op,
                left,
                right,
            }),
            None => PlannerResult::Original(expr),
        })
    }

    fn plan_array_literal(
        &self,
        items: Vec<Expr>,
        _: &DFSchema,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(one_type::array().call(items)))
    }

    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let is_of_map = matches!(access.field_access, GetFieldAccess::NamedStructField { .. })
            && matches!(access.expr.get_type(schema), Ok(DataType::Map(..)));
        let refused = is_of_map.then(|| fields::of_value(access.expr.clone()));
        Ok(match refused.flatten() {
            Some(refused) => PlannerResult::Planned(refused),
            None => PlannerResult::Original(access),
        })
    }

    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(match fields::of_column(field, qualifier, names) {
            Some(refused) => PlannerResult::Planned(refused),
            None => PlannerResult::Original(Vec::new()),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::{error, rows, value};

    async fn of(expression: &str) -> String {
        let row = format!("CAST({expression} AS varchar) || ' ' || arrow_typeof({expression})");
        match value(&row).await {
            Ok(shown) => shown,
            Err(_) => error(&row).await,
        }
    }

    // Expected values and types: Trino's rules, and the tests of its decimal operators.
    #[tokio::test]
    async fn decimals_have_trinos_precision_and_scale() {
        for (expression, expected) in [
            ("1.5", "1.5 Decimal128(2, 1)"),
            ("-0.10", "-0.10 Decimal128(2, 2)"),
            ("37.7 + 17.1", "54.8 Decimal128(4, 1)"),
            ("1.50 - 2.5", "-1.00 Decimal128(4, 2)"),
            ("1.50 * 2.5", "3.750 Decimal128(5, 3)"),
            ("1.0 / 3", "0.3 Decimal128(2, 1)"),
            ("2 / 3.0", "0.7 Decimal128(12, 1)"),
            ("7.5 % 2", "1.5 Decimal128(2, 1)"),
            ("1.5 + 1", "2.5 Decimal128(12, 1)"),
            ("1.5 * 3000000000", "4500000000.0 Decimal128(21, 1)"),
            ("-(1.5)", "-1.5 Decimal128(2, 1)"),
        ] {
            assert_eq!(of(expression).await, expected, "{expression}");
        }
        assert_eq!(
            value("arrow_typeof(1.5 * DOUBLE '2')").await.unwrap(),
            "Float64"
        );
        assert_eq!(
            value("arrow_typeof(1.5 + REAL '2')").await.unwrap(),
            "Float32"
        );
        assert_eq!(value("1.5 * DOUBLE '2'").await.unwrap(), "3.0");
    }

    #[tokio::test]
    async fn decimals_by_zero_and_beyond_38_digits_are_errors() {
        assert!(error("1.0 / 0").await.contains("division by zero"));
        assert!(error("1.0 % 0.0").await.contains("division by zero"));
        let nines = format!("CAST('{}' AS DECIMAL(38,0))", "9".repeat(38));
        assert!(
            error(&format!("{nines} * 10.0"))
                .await
                .contains("out of range")
        );
        let query = "SELECT x / y FROM (VALUES (1.0, 3.0), (NULL, 1.0), (2.0, NULL)) t(x, y)";
        assert_eq!(rows(query).await.unwrap(), ["0.3", "NULL", "NULL"]);
        let small = format!("CAST('0.1' AS DECIMAL(38,{}))", 30);
        assert!(error(&format!("{small} * {small}")).await.contains("scale"));
    }
}
