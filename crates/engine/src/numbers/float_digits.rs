//! A `double precision` that is cast to `numeric` has 15 significant digits in PostgreSQL's sessions, and
//! a `real` has 6. What is `numeric` in PostgreSQL and a floating-point number here keeps its digits
//! ([`halves`]).
//!
//! ```text
//! CAST(d AS DECIMAL)       CAST(significant(d) AS DECIMAL)     0.1 + 0.2 is 0.3
//! CAST(i * 0.5 AS DECIMAL) unchanged
//! ```
//!
//! An analyzer rule that runs before type coercion, so that each cast is one of the statement.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::halves;
use crate::plans::expressions;

/// Whole numbers below these have no more digits.
const FLOAT64_WHOLE: f64 = 1e15;
const FLOAT32_WHOLE: f32 = 1e6;

/// Rounds floating-point numbers that become decimals. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct FloatDigits;

impl AnalyzerRule for FloatDigits {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::of_readers(plan, is_to_decimal, of_node)
    }

    fn name(&self) -> &str {
        "float_digits"
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let inputs: Vec<LogicalPlan> = node.inputs().into_iter().cloned().collect();
    expressions::of_node(node, is_to_decimal, |expr, schema| {
        if !is_to_decimal(&expr) {
            return Transformed::no(expr);
        }
        let is_float = |inner: &Expr| halves::is_float_value(inner, schema, &inputs);
        let rounded = |inner: Expr| significant(halves::as_float(inner, schema));
        expressions::with_operand(expr, is_float, rounded)
    })
}

fn is_to_decimal(expr: &Expr) -> bool {
    expressions::cast_type(expr).is_some_and(DataType::is_decimal)
}

fn significant(number: Expr) -> Expr {
    let function = Significant {
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![number])
}

/// Rounds a floating-point number to the digits that its type always holds.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Significant {
    signature: Signature,
}

fn of_double(number: f64) -> f64 {
    let is_short = number.fract() == 0.0 && number.abs() < FLOAT64_WHOLE;
    match is_short || !number.is_finite() {
        true => number,
        false => format!("{number:.14e}").parse().unwrap_or(number),
    }
}

fn of_real(number: f32) -> f32 {
    let is_short = number.fract() == 0.0 && number.abs() < FLOAT32_WHOLE;
    match is_short || !number.is_finite() {
        true => number,
        false => format!("{number:.5e}").parse().unwrap_or(number),
    }
}

impl ScalarUDFImpl for Significant {
    fn name(&self) -> &str {
        "significant"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(expressions::name_of_first(args))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(match args.arg_fields.first() {
            Some(field) => Field::new(self.name(), field.data_type().clone(), field.is_nullable()),
            None => Field::new(self.name(), DataType::Null, true),
        }))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| {
            let rounded: ArrayRef = match values.data_type() {
                DataType::Float64 => {
                    let numbers: Float64Array =
                        values.as_primitive::<Float64Type>().unary(of_double);
                    Arc::new(numbers)
                }
                DataType::Float32 => {
                    let numbers: Float32Array = values.as_primitive::<Float32Type>().unary(of_real);
                    Arc::new(numbers)
                }
                _ => Arc::clone(values),
            };
            Ok(rounded)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::optimizer::Analyzer;

    use super::*;
    use crate::numbers::rounding;

    // PostgreSQL 15.
    #[test]
    fn numbers_have_the_digits_that_their_type_holds() {
        for (number, expected) in [
            (0.1 + 0.2, 0.3),
            (1.0 / 3.0, 0.333_333_333_333_333),
            (1e15 / 7.0, 142_857_142_857_143.0),
            (123_456_789_012_345_678.0, 123_456_789_012_346_000.0),
            (-2.5, -2.5),
            (0.0, 0.0),
            (f64::INFINITY, f64::INFINITY),
        ] {
            assert!(of_double(number) == expected, "{number}");
        }
        assert!(of_double(f64::NAN).is_nan());
        for (number, expected) in [(16_777_217.0, 16_777_200.0), (1_524_148.1, 1_524_150.0)] {
            assert!(of_real(number) == expected, "{number}");
        }
    }

    #[tokio::test]
    async fn casts_of_floats_round_them() {
        let mut rules = Analyzer::new().rules;
        rules.insert(0, Arc::new(FloatDigits));
        let sql = "SELECT CAST(d + 0.2 AS DECIMAL(20,18)), CAST(r AS DECIMAL(12,2)), CAST(i * 0.5 AS DECIMAL(20,1)),
             CAST(coalesce(d, n) AS DECIMAL(4,1)), CAST(n AS DECIMAL(4,2)), TRY_CAST(d AS DECIMAL(4,1))
             FROM (VALUES (CAST(0.1 AS DOUBLE), CAST(1524148.13 AS REAL), 1000000000000001, CAST('1.5' AS DECIMAL(3,1)))) t(d, r, i, n)";
        let shown = rounding::tests::rounded(rules, sql).await;
        let expected = [
            "0.300000000000000000",
            "1524150.00",
            "500000000000000.5",
            "0.1",
            "1.50",
            "0.1",
        ];
        assert_eq!(shown, expected);
    }
}
