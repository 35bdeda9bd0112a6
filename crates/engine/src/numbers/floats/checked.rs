//! Arithmetic of floating-point numbers that fails where PostgreSQL's does (`float.h` of
//! PostgreSQL). The engine's results are infinite, NaN or 0 there, as Trino's are.
//!
//! ```text
//! x / 0              division by zero, also for 0 and infinite numbers; NaN / 0 is NaN
//! 1e308 * 10         overflow: an infinite result of finite numbers
//! 1e-308 * 1e-308    underflow: a result of 0 that is not exact
//! 1e300::real        both, too
//! ```
//!
//! An analyzer rule of PostgreSQL's sessions, after all others:
//!
//! ```text
//! a + b - c          +-(a, b, c)      one function for a whole chain, so that long chains do not nest
//! x::real            real(x)          for a double
//! x::real            read_real(x)     for a text, see [`spelled`](super::spelled)
//! ```
//!
//! A function is what may fail to rules and operators that keep the parts of an expression from
//! rows that do not reach them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum};
use arrow::compute::cast;
use arrow::compute::kernels::numeric::{add, div, mul, rem, sub};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use arrow::error::ArrowError;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ExprSchema};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    BinaryExpr, Cast, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

use super::extremes::Float;
use super::spelled;
use crate::numbers::chains;
use crate::plans::expressions;

/// Replaces operators of floating-point numbers by [chains], casts to `real` by [`Real`], and those of
/// texts by [`spelled`]. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct CheckedFloats;

impl AnalyzerRule for CheckedFloats {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let concerns = |expr: &Expr| match expr {
            Expr::BinaryExpr(binary) => expressions::is_arithmetic(binary.op),
            expr => is_to_float(expr),
        };
        expressions::rewritten(plan, concerns, checked)
    }

    fn name(&self) -> &str {
        "checked_floats"
    }
}

fn is_to_float(expr: &Expr) -> bool {
    matches!(expr, Expr::Cast(cast) if is_float(cast.field.data_type()))
}

fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

fn checked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let (left, op, right) = match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if expressions::is_arithmetic(op) => {
            (left, op, right)
        }
        Expr::Cast(Cast { expr, field })
            if *field.data_type() == DataType::Float32
                && float(&expr, schema) == Some(DataType::Float64) =>
        {
            return Transformed::yes(expressions::call(Real::new(), vec![*expr]));
        }
        Expr::Cast(Cast { expr, field })
            if is_float(field.data_type())
                && !spelled::is_known(&expr)
                && chains::type_of(&expr, schema).is_some_and(|of| of.is_string()) =>
        {
            return Transformed::yes(spelled::call(*expr, field.data_type()));
        }
        expr => return Transformed::no(expr),
    };
    // The left operand may be a long chain, and to get its type takes a walk.
    let data_type = float(&right, schema).filter(|of| float(&left, schema).as_ref() == Some(of));
    let Some(data_type) = data_type else {
        return Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right }));
    };
    Transformed::yes(chains::call(*left, op, *right, data_type))
}

/// Returns the type of an expression, if it is a floating-point number.
fn float(expr: &Expr, schema: &dyn ExprSchema) -> Option<DataType> {
    chains::type_of(expr, schema).filter(is_float)
}

/// Calculates with floating-point numbers of one type.
///
/// # Errors
///
/// Returns an error where PostgreSQL does, or if the operands have different types.
pub(crate) fn calculated(
    op: Operator,
    left: &ColumnarValue,
    right: &ColumnarValue,
) -> Result<ColumnarValue> {
    apply(left, right, |left: &dyn Datum, right: &dyn Datum| {
        let results = match op {
            Operator::Plus => add(left, right),
            Operator::Minus => sub(left, right),
            Operator::Multiply => mul(left, right),
            Operator::Divide => div(left, right),
            _ => rem(left, right),
        }?;
        match results.data_type() {
            DataType::Float64 => check::<Float64Type>(op, left, right, &results)?,
            DataType::Float32 => check::<Float32Type>(op, left, right, &results)?,
            _ => {}
        }
        Ok(results)
    })
}

fn check<T: Float>(
    op: Operator,
    left: &dyn Datum,
    right: &dyn Datum,
    results: &ArrayRef,
) -> Result<(), ArrowError> {
    let results = results.as_primitive::<T>();
    // Every error has such a result. The slots of NULLs may have it, too.
    let may_underflow = matches!(op, Operator::Multiply | Operator::Divide);
    let odd = results.values().iter().fold(false, |odd, result| {
        let result = T::widened(*result);
        odd | !result.is_finite() | (may_underflow & (result == 0.0))
    });
    if !odd {
        return Ok(());
    }
    let ((left, one_left), (right, one_right)) = (left.get(), right.get());
    let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
    for row in 0..results.len() {
        if results.is_valid(row) {
            let left = T::widened(left.value(if one_left { 0 } else { row }));
            let right = T::widened(right.value(if one_right { 0 } else { row }));
            fails(op, left, right, T::widened(results.value(row)))?;
        }
    }
    Ok(())
}

fn fails(op: Operator, left: f64, right: f64, result: f64) -> Result<(), ArrowError> {
    let is_overflow = result.is_infinite() && !left.is_infinite();
    match op {
        Operator::Divide | Operator::Modulo if right == 0.0 && !left.is_nan() => {
            Err(ArrowError::DivideByZero)
        }
        Operator::Divide if is_overflow => Err(overflow()),
        Operator::Divide if result == 0.0 && left != 0.0 && !right.is_infinite() => {
            Err(underflow())
        }
        Operator::Plus | Operator::Minus | Operator::Multiply
            if is_overflow && !right.is_infinite() =>
        {
            Err(overflow())
        }
        Operator::Multiply if result == 0.0 && left != 0.0 && right != 0.0 => Err(underflow()),
        _ => Ok(()),
    }
}

/// Returns the error for a result that is too large.
pub(crate) fn overflow() -> ArrowError {
    ArrowError::ArithmeticOverflow("value out of range: overflow".to_owned())
}

/// Returns the error for a result that is too small to be told from 0.
pub(super) fn underflow() -> ArrowError {
    ArrowError::ArithmeticOverflow("value out of range: underflow".to_owned())
}

/// A `double precision` as a `real`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Real {
    signature: Signature,
}

impl Real {
    fn new() -> Self {
        Self {
            signature: Signature::exact(vec![DataType::Float64], Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Real {
    fn name(&self) -> &str {
        "real"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float32)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(
            self.name(),
            DataType::Float32,
            nullable,
        )))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |given| {
            let made = cast(given, &DataType::Float32)?;
            let rows = given.as_primitive::<Float64Type>().iter();
            for (given, made) in rows.zip(made.as_primitive::<Float32Type>()) {
                let (Some(given), Some(made)) = (given, made) else {
                    continue;
                };
                if made.is_infinite() && !given.is_infinite() {
                    return Err(overflow().into());
                }
                if made == 0.0 && given != 0.0 {
                    return Err(underflow().into());
                }
            }
            Ok(made)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;
    use lakegate_error::Code;

    use super::*;

    const ROWS: &str = "(SELECT i, CAST(x AS DOUBLE) AS x, CAST(y AS DOUBLE) AS y FROM
        (VALUES (1, '1.5', '0'), (2, '-Infinity', 'Infinity'), (3, 'NaN', '0'), (4, NULL, '0'),
            (5, '0', NULL), (6, '1e308', '2')) t(i, x, y)) t";

    /// Returns the values of the only column.
    async fn values(sql: &str) -> Result<Vec<Option<f64>>> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rule(Arc::new(CheckedFloats))
            .build();
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            let column = cast(batch.column(0), &DataType::Float64)?;
            values.extend(column.as_primitive::<Float64Type>().iter());
        }
        Ok(values)
    }

    #[tokio::test]
    async fn results_that_postgresql_has_are_kept() {
        let sql = format!("SELECT x / y FROM {ROWS} WHERE i > 1 ORDER BY i");
        let quotients = values(&sql).await.unwrap();
        let expected = "[Some(NaN), Some(NaN), None, None, Some(5e307)]";
        assert_eq!(format!("{quotients:?}"), expected);
        let sql = format!("SELECT x * y FROM {ROWS} WHERE i < 6 ORDER BY i");
        let products = values(&sql).await.unwrap();
        let expected = "[Some(0.0), Some(-inf), Some(NaN), None, None]";
        assert_eq!(format!("{products:?}"), expected);
        for (expression, expected) in [
            ("1e0 / CAST('Infinity' AS DOUBLE)", Some(0.0)),
            (
                "CAST('Infinity' AS DOUBLE) * 2e0 + 1e0 - 5e0",
                Some(f64::INFINITY),
            ),
            ("0e0 * 5e-324", Some(0.0)),
            ("1e-200 * 1e-120", Some(1e-200 * 1e-120)),
            ("5e0 % 3e0 - 1e0", Some(1.0)),
            (
                "CAST(CAST('Infinity' AS DOUBLE) AS REAL)",
                Some(f64::INFINITY),
            ),
            ("CAST(0e0 AS REAL)", Some(0.0)),
            ("CAST(NULL AS DOUBLE) / 0e0", None),
        ] {
            let shown = values(&format!("SELECT {expression}")).await.unwrap();
            assert_eq!(shown, [expected], "{expression}");
        }
    }

    #[tokio::test]
    async fn other_results_are_errors() {
        const OVERFLOW: &str = "value out of range: overflow";
        const UNDERFLOW: &str = "value out of range: underflow";
        for (expression, message) in [
            ("x / y", "division by zero"),
            ("1e0 / (x - x)", "division by zero"),
            ("x % y", "division by zero"),
            ("x * 1e308 * 1e308", OVERFLOW),
            ("x + 1e308 + 1e308", OVERFLOW),
            ("-1e308 - 1e308 - x", OVERFLOW),
            ("x * 1e-300 * 1e-300", UNDERFLOW),
            ("x / 1e300 / 1e300", UNDERFLOW),
            ("x * 1e300 / 1e-300", OVERFLOW),
            ("CAST(x * 1e200 AS REAL)", OVERFLOW),
            ("CAST(x * 1e-200 AS REAL)", UNDERFLOW),
            ("CAST(x * 1e38 AS REAL) * CAST(10 AS REAL)", OVERFLOW),
        ] {
            for sql in [
                format!("SELECT {expression} FROM {ROWS} WHERE i = 1"),
                format!("SELECT count(*) FROM {ROWS} WHERE i = 1 AND {expression} > 5"),
            ] {
                let error = lakegate_error::from_engine(values(&sql).await.unwrap_err());
                let code = match message {
                    "division by zero" => Code::DivisionByZero,
                    _ => Code::NumericOutOfRange,
                };
                assert_eq!(error.code(), code, "{sql}: {error}");
                assert_eq!(error.message(), message, "{sql}");
            }
        }
    }
}
