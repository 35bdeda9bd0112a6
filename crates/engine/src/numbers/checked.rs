//! Integer overflow is an error, as in Athena and PostgreSQL; the engine's own operators wrap
//! silently. So is a decimal of more than 38 digits, of which the engine keeps as many as 128 bits
//! hold.
//!
//! An analyzer rule that runs after type coercion, so that constant folding finds the errors in
//! constants too.
//!
//! ```text
//! a + b - 1      +-(a, b, 1)      one function for a whole chain, so that long chains do not nest
//! -a             0 - a            with `-` checked, for integers
//! x * y          *(x, y)          for decimals whose result has all 38 digits
//! x * (1 - y)    *(x, -(1, y))    likewise, with the sums that are multiplied
//! x % 1          %(x, 1)          for decimals, whose rest is not always 0
//! ```

use arrow::array::AsArray;
use arrow::compute::kernels::numeric::{add, div, mul, rem, sub};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type};
use arrow::error::ArrowError;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ExprSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;
use lakegate_error::{Code, Error};

use super::{chains, small_decimals};
use crate::plans::expressions;

/// Replaces `+`, `-` and `*` of integers by [chains], and the operators of wide decimals by
/// [`Decimals`].
#[derive(Debug)]
pub(crate) struct CheckedIntegers;

impl AnalyzerRule for CheckedIntegers {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let calculates = |expr: &Expr| match expr {
            Expr::BinaryExpr(binary) => expressions::is_arithmetic(binary.op),
            expr => matches!(expr, Expr::Negative(_)),
        };
        expressions::rewritten(plan, calculates, checked)
    }

    fn name(&self) -> &str {
        "checked_integers"
    }
}

fn checked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let (left, op, right) = match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => (left, op, right),
        Expr::Negative(inner) => match negated(&inner, schema) {
            Some(zero) => (Box::new(zero), Operator::Minus, inner),
            None => return Transformed::no(Expr::Negative(inner)),
        },
        expr => return Transformed::no(expr),
    };
    let types = match op {
        Operator::Plus | Operator::Minus | Operator::Multiply => {
            integer(&left, schema).zip(integer(&right, schema))
        }
        _ => None,
    };
    let data_type = match types {
        Some((left, right)) if left == right => left,
        _ => {
            let binary = Expr::BinaryExpr(BinaryExpr { left, op, right });
            return match wide_decimal(&binary, schema) {
                Some(data_type) => {
                    let binary = with_sums(binary, schema);
                    Transformed::yes(Decimals::call(binary, data_type))
                }
                None => Transformed::no(binary),
            };
        }
    };
    Transformed::yes(chains::call(*left, op, *right, data_type))
}

/// Returns the zero that a value is subtracted from to negate it, if the smallest value of its type
/// has no opposite. `None` for constants: the planner folds them, and sees their sign.
fn negated(value: &Expr, schema: &DFSchema) -> Option<Expr> {
    let data_type = value.get_type(schema).ok()?;
    let signed = matches!(
        data_type,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64
    );
    (signed && !matches!(value, Expr::Literal(..)))
        .then(|| {
            ScalarValue::new_zero(&data_type)
                .ok()
                .map(|zero| Expr::Literal(zero, None))
        })
        .flatten()
}

/// Returns the type of an operation on decimals, if its result may have more digits than a decimal
/// holds, or is the rest of a division: the engine simplifies `x % 1` to 0 (`expr_simplifier.rs` of
/// `datafusion-optimizer`, 55.2), also if `x` has a fraction.
fn wide_decimal(binary: &Expr, schema: &DFSchema) -> Option<DataType> {
    let Expr::BinaryExpr(BinaryExpr { left, op, .. }) = binary else {
        return None;
    };
    if !expressions::is_arithmetic(*op) || !left.get_type(schema).ok()?.is_decimal() {
        return None;
    }
    let is_rest = *op == Operator::Modulo;
    match binary.get_type(schema).ok()? {
        of @ DataType::Decimal128(DECIMAL128_MAX_PRECISION, _) => Some(of),
        of @ DataType::Decimal128(..) if is_rest => Some(of),
        _ => None,
    }
}

/// Returns a product of decimals with the sums and differences that it multiplies as [`Decimals`],
/// too, which calculate faster with small numbers.
fn with_sums(binary: Expr, schema: &DFSchema) -> Expr {
    match binary {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ Operator::Multiply,
            right,
        }) => Expr::BinaryExpr(BinaryExpr {
            left: Box::new(sum(*left, schema)),
            op,
            right: Box::new(sum(*right, schema)),
        }),
        other => other,
    }
}

fn sum(expr: Expr, schema: &DFSchema) -> Expr {
    let Expr::BinaryExpr(binary) = &expr else {
        return expr;
    };
    if !matches!(binary.op, Operator::Plus | Operator::Minus) {
        return expr;
    }
    match expr.get_type(schema) {
        Ok(data_type @ DataType::Decimal128(..)) => Decimals::call(expr, data_type),
        _ => expr,
    }
}

/// Returns the type of an expression, if it is an integer.
fn integer(expr: &Expr, schema: &dyn ExprSchema) -> Option<DataType> {
    chains::type_of(expr, schema).filter(DataType::is_integer)
}

/// `a op b` of decimals, whose result has at most 38 digits. Small numbers are calculated without
/// checks ([`small_decimals`]).
#[derive(Debug, PartialEq, Eq, Hash)]
struct Decimals {
    /// The operator, as EXPLAIN shows it.
    name: String,
    op: Operator,
    data_type: DataType,
    signature: Signature,
}

impl Decimals {
    fn call(binary: Expr, data_type: DataType) -> Expr {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = binary else {
            return binary;
        };
        let function = Self {
            name: op.to_string(),
            op,
            data_type,
            signature: Signature::any(2, Volatility::Immutable),
        };
        expressions::call(function, vec![*left, *right])
    }
}

/// Returns the operator of decimals that a call is made for here.
pub(crate) fn operator_of(call: &ScalarFunction) -> Option<Operator> {
    let function = call.func.inner().downcast_ref::<Decimals>()?;
    Some(function.op)
}

/// Returns the error for a result that has too many digits for a type.
pub(crate) fn out_of_range(data_type: &DataType) -> Error {
    let name = match data_type {
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        other => other.to_string(),
    };
    Error::new(Code::NumericOutOfRange, format!("{name} out of range"))
        .with_hint("cast to DOUBLE, or to decimals of fewer digits")
}

impl ScalarUDFImpl for Decimals {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let args: Vec<String> = args
            .iter()
            .map(|arg| arg.schema_name().to_string())
            .collect();
        Ok(args.join(&format!(" {} ", self.op)))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(format!(
                "operator {} without two operands",
                self.name
            )));
        };
        if let Some(array) = small_decimals::calculated(self.op, left, right, &self.data_type) {
            return Ok(ColumnarValue::Array(array));
        }
        let kernel = match self.op {
            Operator::Plus => add,
            Operator::Minus => sub,
            Operator::Multiply => mul,
            Operator::Divide => div,
            _ => rem,
        };
        let value = apply(left, right, kernel).map_err(|error| match is_overflow(&error) {
            true => out_of_range(&self.data_type).into(),
            false => error,
        })?;
        let fits = match &value {
            ColumnarValue::Scalar(ScalarValue::Decimal128(value, ..)) => value.is_none_or(fits),
            ColumnarValue::Array(array) => match array.as_primitive_opt::<Decimal128Type>() {
                // The slots of NULLs may hold any number, so they are skipped if the quick check
                // fails.
                Some(array) => {
                    array.values().iter().all(|value| fits(*value))
                        || array.iter().flatten().all(fits)
                }
                None => true,
            },
            ColumnarValue::Scalar(_) => true,
        };
        match fits {
            true => Ok(value),
            false => Err(out_of_range(&self.data_type).into()),
        }
    }
}

/// Returns whether an operator failed because its result has too many digits.
pub(crate) fn is_overflow(error: &DataFusionError) -> bool {
    let DataFusionError::ArrowError(error, _) = error else {
        return false;
    };
    matches!(error.as_ref(), ArrowError::ArithmeticOverflow(_))
}

/// Returns whether a number has at most as many digits as a decimal holds.
pub(crate) fn fits(value: i128) -> bool {
    const BOUND: u128 = 10u128.pow(DECIMAL128_MAX_PRECISION as u32);
    value.unsigned_abs() < BOUND
}

/// Calculates with integers of a type.
///
/// # Errors
///
/// Returns an error if the result is out of the type's range, or if the operands have other types.
pub(crate) fn calculated(
    op: Operator,
    left: &ColumnarValue,
    right: &ColumnarValue,
    data_type: &DataType,
) -> Result<ColumnarValue> {
    let kernel = match op {
        Operator::Plus => add,
        Operator::Minus => sub,
        _ => mul,
    };
    apply(left, right, kernel).map_err(|error| {
        if !is_overflow(&error) {
            return error;
        }
        let name = match data_type {
            DataType::Int8 => "tinyint",
            DataType::Int16 => "smallint",
            DataType::Int32 => "integer",
            _ => "bigint",
        };
        Error::new(Code::NumericOutOfRange, format!("{name} out of range")).into()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::Arc;

    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn run(sql: &str) -> Result<String> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rule(Arc::new(CheckedIntegers))
            .build();
        let batches = SessionContext::new_with_state(state)
            .sql(sql)
            .await?
            .collect()
            .await?;
        Ok(pretty_format_batches(&batches)?.to_string())
    }

    #[tokio::test]
    async fn integers_out_of_range_are_an_error() {
        for (sql, data_type) in [
            ("SELECT 9223372036854775807 + 1", "bigint"),
            ("SELECT -9223372036854775807 - 2", "bigint"),
            ("SELECT 4611686018427387904 * 2", "bigint"),
            (
                "SELECT 1 + 9223372036854775807 - 9223372036854775807",
                "bigint",
            ),
            (
                "SELECT x + CAST(1 AS INT) FROM (VALUES (CAST(1 AS INT)), (CAST(2147483647 AS INT))) t(x)",
                "integer",
            ),
            (
                "SELECT CAST(100 AS TINYINT) + CAST(100 AS TINYINT)",
                "tinyint",
            ),
            (
                "SELECT count(*) FROM (VALUES (9223372036854775807)) t(x) WHERE x * 2 > 0",
                "bigint",
            ),
            (
                "SELECT sum(x * x) FROM (VALUES (9223372036854775807)) t(x) GROUP BY x - 1",
                "bigint",
            ),
        ] {
            let error = lakegate_error::from_engine(run(sql).await.unwrap_err());
            assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}: {error}");
            assert_eq!(
                error.message(),
                format!("{data_type} out of range"),
                "{sql}"
            );
        }
    }

    #[tokio::test]
    async fn decimals_have_a_rest_of_a_division_by_1() {
        for sql in [
            "SELECT x % 1 FROM (VALUES (CAST('1.5' AS DECIMAL(10,2)))) t(x)",
            "SELECT x % CAST(1 AS DECIMAL(3,2)) FROM (VALUES (CAST('1.5' AS DECIMAL(10,2)))) t(x)",
            "SELECT CAST(1.5 AS DECIMAL(10,2)) % 1",
            "SELECT x % y FROM (SELECT CAST(1.5 AS DECIMAL(10,2)) AS x, 1 AS y) t",
        ] {
            let shown = run(sql).await.unwrap();
            assert!(shown.contains("| 0.50 "), "{sql}: {shown}");
        }
    }

    #[tokio::test]
    async fn no_operator_wraps() {
        const MIN: &str = "(VALUES (CAST('-9223372036854775808' AS BIGINT))) t(x)";
        const WIDE: &str =
            "(VALUES (CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0)))) t(x)";
        for select in [
            format!("-x FROM {MIN}"),
            format!("-(x + 0) FROM {MIN}"),
            format!("abs(x) FROM {MIN}"),
            format!("x / -1 FROM {MIN}"),
            "-CAST(x AS TINYINT) FROM (VALUES (-128)) t(x)".to_owned(),
            format!("x + x FROM {WIDE}"),
            format!("x + 1 FROM {WIDE}"),
            format!("-x - 1 FROM {WIDE}"),
            format!("x * 2 FROM {WIDE}"),
            format!("x * x FROM {WIDE}"),
            format!("x / 0.0000001 FROM {WIDE}")
                .replace("0.0000001", "CAST('0.0000001' AS DECIMAL(10,7))"),
            "factorial(21)".to_owned(),
            "lcm(9223372036854775807, 9223372036854775806)".to_owned(),
            "CAST(DATE '2000-01-01' + INTERVAL '300000 years' AS VARCHAR)".to_owned(),
            "INTERVAL '2000000000 months' + INTERVAL '2000000000 months'".to_owned(),
        ] {
            let sql = format!("SELECT {select}");
            let error = lakegate_error::from_engine(match run(&sql).await {
                Ok(shown) => panic!("{sql}: {shown}"),
                Err(error) => error,
            });
            assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}: {error}");
        }
        let shown = run(&format!(
            "SELECT x % -1 AS r, -(x + 1) AS n, (SELECT x * 1 - x FROM {WIDE}) AS d FROM {MIN}"
        ))
        .await
        .unwrap();
        assert!(shown.contains("| 0 | 9223372036854775807 | 0 |"), "{shown}");
    }

    #[tokio::test]
    async fn sums_in_products_have_the_same_values() {
        const PRICES: &str =
            "(VALUES (CAST('1000.00' AS DECIMAL(15,2)), CAST('0.05' AS DECIMAL(15,2))),
            (NULL, CAST('0.01' AS DECIMAL(15,2)))) t(p, d)";
        let sql = format!(
            "SELECT p * (1 - d) AS a, p * (1 - d) * (1 + d) AS b, (p + d) * p AS c FROM {PRICES}"
        );
        let shown = run(&sql).await.unwrap();
        for value in ["| 950.0000 ", "| 997.500000 ", "| 1000050.0000 "] {
            assert!(shown.contains(value), "{shown}");
        }
        let large = "(VALUES (CAST('-9999999999999.99' AS DECIMAL(15,2)), CAST('9999999999999.99' AS DECIMAL(15,2)))) t(p, d)";
        let shown = run(&format!("SELECT p * (1 - d) AS a FROM {large}")).await;
        let expected = "| 99999999999989800000000000.0101 ";
        assert!(shown.unwrap().contains(expected));
        let shown = run(&format!("SELECT p * (1 - d) * (1 + d) AS b FROM {large}")).await;
        let error = lakegate_error::from_engine(shown.unwrap_err());
        assert_eq!(error.code(), Code::NumericOutOfRange, "{error}");
        let explain = format!("EXPLAIN SELECT p * (1 - d) AS a FROM {PRICES}");
        let shown = run(&explain).await.unwrap();
        assert!(shown.contains("-("));
    }

    #[tokio::test]
    async fn everything_else_is_as_before() {
        let shown = run(
            "SELECT x + 1, x - 2 * x + 3 AS y, 2.5 + x, x + NULL, CAST(1 AS INT) + x
             FROM (VALUES (1), (CAST(NULL AS BIGINT))) t(x) ORDER BY x + 1",
        )
        .await
        .unwrap();
        assert!(shown.contains("t.x + Int64(1)"), "{shown}");
        assert!(shown.contains("| 2 "), "{shown}");
        let day = run("SELECT DATE '2024-01-01' + INTERVAL '1' DAY")
            .await
            .unwrap();
        assert!(day.contains("2024-01-02"), "{day}");
        let grouped =
            run("SELECT x % 2 + 1, count(*) FROM (VALUES (1), (2), (3)) t(x) GROUP BY x % 2 + 1 HAVING count(*) + 1 > 2")
                .await
                .unwrap();
        assert!(grouped.contains("| 2 "), "{grouped}");
    }

    #[tokio::test]
    async fn keys_of_windows_are_checked_too() {
        let shown = run(
            "SELECT rank() OVER (ORDER BY x + 1), sum(x) OVER (PARTITION BY x - 1 ORDER BY x * 2 DESC) AS y FROM (VALUES (5)) t(x)",
        )
        .await
        .unwrap();
        assert!(shown.contains("| 1 ") && shown.contains("| 5 "), "{shown}");
        let error =
            run("SELECT rank() OVER (ORDER BY x + 1) FROM (VALUES (9223372036854775807)) t(x)");
        let error = lakegate_error::from_engine(error.await.unwrap_err());
        assert_eq!(error.code(), Code::NumericOutOfRange, "{error}");
    }

    #[tokio::test]
    async fn a_chain_is_one_function() {
        let chain = vec!["x"; 200].join(" + ");
        let sql = format!("SELECT {chain} AS y FROM (VALUES (1)) t(x)");
        assert!(run(&sql).await.unwrap().contains("200"));
        let shown = run("EXPLAIN SELECT x + 1 - x * 2 AS y FROM (VALUES (1)) t(x)")
            .await
            .unwrap();
        assert!(shown.contains("+-("), "{shown}");
    }
}
