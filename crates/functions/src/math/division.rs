//! `mod`, and Trino's operators `/` and `%` as functions, which the planner calls.

use arrow::array::{ArrayRef, ArrowNativeTypeOp};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, i256,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use lakegate_error::{Code, Error};

use super::SECTION;
use super::numbers::{MAX_PRECISION, as_decimal, binary, cast_column, number, out_of_range};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static MOD: Page = Page {
    name: "mod",
    section: SECTION,
    syntax: "mod(n, m)",
    sentence: "Returns the remainder of n divided by m, with the sign of n.",
    example: "mod(-7, 3)",
    result: "-1",
};

static DIVIDE: Page = Page {
    name: "$divide",
    section: SECTION,
    syntax: "$divide(a, b)",
    sentence: "Divides as the operator / does.",
    example: r#""$divide"(-7, 2)"#,
    result: "-3",
};

static MULTIPLY: Page = Page {
    name: "$multiply",
    section: SECTION,
    syntax: "$multiply(a, b)",
    sentence: "Multiplies as the operator * does.",
    example: r#""$multiply"(CAST('1.50' AS DECIMAL(3,2)), 2)"#,
    result: "3.00",
};

static MODULUS: Page = Page {
    name: "$modulus",
    section: SECTION,
    syntax: "$modulus(a, b)",
    sentence: "Returns the remainder as the operator % does.",
    example: r#""$modulus"(7.5e0, 2)"#,
    result: "1.5",
};

pub(super) fn entries() -> Vec<Entry> {
    let any = || vec![TypeSignature::Any(2)];
    let remainder = |page| {
        let returns = Returns::From(|types| result(types, "%", remainder_type));
        Kernel::new(page, any(), returns, modulus)
    };
    let quotient = Returns::From(|types| result(types, "/", quotient_type));
    let product = Returns::From(|types| match result(types, "*", product_type)? {
        DataType::Decimal128(_, scale) if scale > MAX_SCALE => Err(DataFusionError::Plan(format!(
            "the product has a scale of {scale}, and decimals have at most {MAX_SCALE}"
        ))),
        other => Ok(other),
    });
    vec![
        Entry::scalar(remainder(&MOD)).in_trino(),
        Entry::scalar(remainder(&MODULUS)).in_trino().unlisted(),
        Entry::scalar(Kernel::new(&MULTIPLY, any(), product, multiply))
            .in_trino()
            .unlisted(),
        Entry::scalar(Kernel::new(&DIVIDE, any(), quotient, divide))
            .in_trino()
            .unlisted(),
    ]
}

/// Returns the type of a result: of decimals by `decimals`, else the wider type.
fn result(
    types: &[DataType],
    operator: &str,
    decimals: fn((u8, i8), (u8, i8)) -> DataType,
) -> Result<DataType> {
    let [left, right] = types else {
        return Err(DataFusionError::Plan(format!(
            "{operator} takes two numbers"
        )));
    };
    // A NULL has the type of the other argument.
    let (left, right) = match (left, right) {
        (DataType::Null, other) | (other, DataType::Null) => (other, other),
        both => both,
    };
    let (left, right) = (number(operator, left)?, number(operator, right)?);
    let has = |data_type: &DataType| left == *data_type || right == *data_type;
    for wider in [DataType::Float64, DataType::Float32] {
        if has(&wider) {
            return Ok(wider);
        }
    }
    if left.is_integer() && right.is_integer() {
        for wider in [DataType::Int64, DataType::Int32, DataType::Int16] {
            if has(&wider) {
                return Ok(wider);
            }
        }
        return Ok(DataType::Int8);
    }
    match (as_decimal(&left), as_decimal(&right)) {
        (Some(left), Some(right)) => Ok(decimals(left, right)),
        _ => Err(DataFusionError::Plan(format!(
            "{operator} does not take {left} and {right}"
        ))),
    }
}

/// Digits after the point that a decimal may have.
const MAX_SCALE: i8 = 38;

fn product_type((left, scale): (u8, i8), (right, of): (u8, i8)) -> DataType {
    let precision = left.saturating_add(right).min(MAX_PRECISION);
    DataType::Decimal128(precision, scale.saturating_add(of))
}

fn quotient_type((digits, scale): (u8, i8), (_, of): (u8, i8)) -> DataType {
    let more = i32::from(of) + (i32::from(of) - i32::from(scale)).max(0);
    let precision = (i32::from(digits) + more).min(i32::from(MAX_PRECISION));
    let precision = u8::try_from(precision).unwrap_or(MAX_PRECISION);
    DataType::Decimal128(precision, scale.max(of))
}

fn remainder_type((left, scale): (u8, i8), (right, of): (u8, i8)) -> DataType {
    let whole = |digits: u8, scale: i8| i32::from(digits) - i32::from(scale);
    let whole = whole(left, scale).min(whole(right, of));
    let precision = (whole + i32::from(scale.max(of))).clamp(1, i32::from(MAX_PRECISION));
    let precision = u8::try_from(precision).unwrap_or(MAX_PRECISION);
    DataType::Decimal128(precision, scale.max(of))
}

fn by_zero() -> DataFusionError {
    Error::new(Code::DivisionByZero, "division by zero").into()
}

fn overflow() -> DataFusionError {
    out_of_range("the result of the division is out of range")
}

fn multiply(call: &Call<'_>) -> Result<ArrayRef> {
    match call.returns {
        DataType::Int8 => integers::<Int8Type>(call, product::<i8>),
        DataType::Int16 => integers::<Int16Type>(call, product::<i16>),
        DataType::Int32 => integers::<Int32Type>(call, product::<i32>),
        DataType::Int64 => integers::<Int64Type>(call, product::<i64>),
        DataType::Float32 => integers::<Float32Type>(call, |left, right| Ok(left * right)),
        DataType::Float64 => integers::<Float64Type>(call, |left, right| Ok(left * right)),
        _ => decimals(call, product_of_decimals),
    }
}

fn product<N: ArrowNativeTypeOp>(left: N, right: N) -> Result<N> {
    left.mul_checked(right)
        .map_err(|_| out_of_range("the product is out of range"))
}

fn product_of_decimals(left: i128, right: i128, scales: Scales) -> Result<i128> {
    let limit = 10u128.pow(u32::from(scales.precision));
    left.checked_mul(right)
        .filter(|product| product.unsigned_abs() < limit)
        .ok_or_else(|| {
            let hint = "cast to DOUBLE, or to decimals of fewer digits";
            let error = Error::new(Code::NumericOutOfRange, "the product is out of range");
            error.with_hint(hint).into()
        })
}

fn divide(call: &Call<'_>) -> Result<ArrayRef> {
    match call.returns {
        DataType::Int8 => integers::<Int8Type>(call, quotient::<i8>),
        DataType::Int16 => integers::<Int16Type>(call, quotient::<i16>),
        DataType::Int32 => integers::<Int32Type>(call, quotient::<i32>),
        DataType::Int64 => integers::<Int64Type>(call, quotient::<i64>),
        DataType::Float32 => integers::<Float32Type>(call, |left, right| Ok(left / right)),
        DataType::Float64 => integers::<Float64Type>(call, |left, right| Ok(left / right)),
        _ => decimals(call, quotient_of_decimals),
    }
}

fn modulus(call: &Call<'_>) -> Result<ArrayRef> {
    match call.returns {
        DataType::Int8 => integers::<Int8Type>(call, remainder::<i8>),
        DataType::Int16 => integers::<Int16Type>(call, remainder::<i16>),
        DataType::Int32 => integers::<Int32Type>(call, remainder::<i32>),
        DataType::Int64 => integers::<Int64Type>(call, remainder::<i64>),
        DataType::Float32 => integers::<Float32Type>(call, |left, right| Ok(left % right)),
        DataType::Float64 => integers::<Float64Type>(call, |left, right| Ok(left % right)),
        _ => decimals(call, remainder_of_decimals),
    }
}

/// Casts both arguments to the type of the result.
fn integers<T: ArrowPrimitiveType>(
    call: &Call<'_>,
    function: impl Fn(T::Native, T::Native) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let left = cast_column(&call.columns[0], call.returns)?;
    let right = cast_column(&call.columns[1], call.returns)?;
    binary::<T, T, T>(call, &left, &right, function)
}

fn quotient<N: ArrowNativeTypeOp>(left: N, right: N) -> Result<N> {
    if right.is_zero() {
        return Err(by_zero());
    }
    left.div_checked(right).map_err(|_| overflow())
}

/// The remainder of the lowest number by -1 is 0.
fn remainder<N: ArrowNativeTypeOp>(left: N, right: N) -> Result<N> {
    if right.is_zero() {
        return Err(by_zero());
    }
    Ok(left.mod_wrapping(right))
}

/// The fractional digits of the arguments and the result, and the digits of the result.
#[derive(Debug, Clone, Copy)]
struct Scales {
    left: i8,
    right: i8,
    result: i8,
    precision: u8,
}

fn decimals(call: &Call<'_>, function: fn(i128, i128, Scales) -> Result<i128>) -> Result<ArrayRef> {
    let decimal = |index: usize| {
        let column = &call.columns[index];
        let of = number(call.name, column.array.data_type())?;
        let (precision, scale) = as_decimal(&of).unwrap_or((MAX_PRECISION, 0));
        let column = cast_column(column, &DataType::Decimal128(precision, scale))?;
        Ok::<_, DataFusionError>((column, scale))
    };
    let (left, left_scale) = decimal(0)?;
    let (right, right_scale) = decimal(1)?;
    let DataType::Decimal128(precision, result) = *call.returns else {
        return Err(DataFusionError::Plan(format!(
            "{} does not return {}",
            call.name, call.returns
        )));
    };
    let scales = Scales {
        left: left_scale,
        right: right_scale,
        result,
        precision,
    };
    binary::<Decimal128Type, Decimal128Type, Decimal128Type>(call, &left, &right, |left, right| {
        function(left, right, scales)
    })
}

/// Returns a number times a power of ten; `None` if it overflows.
fn scaled(number: i128, digits: i8) -> Option<i256> {
    let power = i256::from_i128(10)
        .pow_checked(u32::try_from(digits).ok()?)
        .ok()?;
    i256::from_i128(number).mul_checked(power).ok()
}

/// Rounds half away from zero.
fn quotient_of_decimals(left: i128, right: i128, scales: Scales) -> Result<i128> {
    if right == 0 {
        return Err(by_zero());
    }
    // The powers are at least 0: the result has at least as many fractional digits as each.
    let digits = scales.result - scales.left + scales.right;
    let limit = 10i128.pow(u32::from(scales.precision));
    if let Some(power) = 10i128.checked_pow(u32::try_from(digits).unwrap_or(u32::MAX))
        && let Some(dividend) = left.checked_mul(power)
    {
        let quotient = dividend / right;
        let rest = (dividend % right).unsigned_abs();
        let up = i128::from(rest >= right.unsigned_abs() - rest);
        let sign = if (left < 0) == (right < 0) { 1 } else { -1 };
        let rounded = quotient.checked_add(up * sign);
        return rounded
            .filter(|result| result.abs() < limit)
            .ok_or_else(overflow);
    }
    // A dividend that overflows 256 bits has a quotient of more than 38 digits.
    let dividend = scaled(left, digits).ok_or_else(overflow)?;
    let divisor = i256::from_i128(right);
    let quotient = dividend.div_checked(divisor).map_err(|_| overflow())?;
    let rest = dividend.mod_wrapping(divisor).wrapping_abs();
    let up = rest.wrapping_mul(i256::from_i128(2)) >= divisor.wrapping_abs();
    let sign = if (left < 0) == (right < 0) { 1 } else { -1 };
    let step = if up { sign } else { 0 };
    let rounded = quotient.wrapping_add(i256::from_i128(step)).to_i128();
    rounded
        .filter(|result| result.unsigned_abs() < limit.unsigned_abs())
        .ok_or_else(overflow)
}

fn remainder_of_decimals(left: i128, right: i128, scales: Scales) -> Result<i128> {
    if right == 0 {
        return Err(by_zero());
    }
    let left = scaled(left, scales.result - scales.left).ok_or_else(overflow)?;
    let right = scaled(right, scales.result - scales.right).ok_or_else(overflow)?;
    left.mod_wrapping(right).to_i128().ok_or_else(overflow)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    async fn divided(left: &str, right: &str) -> String {
        let call = format!("\"$divide\"({left}, {right})");
        match value(&call).await {
            Ok(shown) => shown,
            Err(_) => error(&call).await,
        }
    }

    async fn rest(left: &str, right: &str) -> String {
        let call = format!("\"$modulus\"({left}, {right})");
        match value(&call).await {
            Ok(shown) => shown,
            Err(_) => error(&call).await,
        }
    }

    #[tokio::test]
    async fn integers_are_truncated_and_checked() {
        assert_eq!(divided("7", "2").await, "3");
        assert_eq!(divided("-7", "2").await, "-3");
        assert_eq!(divided("7", "NULL").await, "NULL");
        assert_eq!(divided("NULL", "0").await, "NULL");
        assert!(divided("7", "0").await.contains("division by zero"));
        assert!(
            divided("-9223372036854775807 - 1", "-1")
                .await
                .contains("out of range")
        );
        assert!(
            divided("CAST(-128 AS TINYINT)", "CAST(-1 AS TINYINT)")
                .await
                .contains("out of range")
        );
        assert_eq!(divided("CAST(-128 AS TINYINT)", "-1").await, "128");
        assert_eq!(rest("7", "-2").await, "1");
        assert_eq!(rest("-7", "2").await, "-1");
        assert_eq!(rest("-9223372036854775807 - 1", "-1").await, "0");
        assert!(rest("7", "0").await.contains("division by zero"));
        let kinds = "SELECT arrow_typeof(\"$divide\"(CAST(7 AS SMALLINT), CAST(2 AS INTEGER)))";
        assert_eq!(rows(kinds).await.unwrap(), ["Int32"]);
        let query = r#"SELECT "$divide"(x, y) FROM (VALUES (9, 2), (NULL, 1), (1, NULL), (NULL, 0)) t(x, y)"#;
        assert_eq!(rows(query).await.unwrap(), ["4", "NULL", "NULL", "NULL"]);
        let query = r#"SELECT "$divide"(100, y) FROM (VALUES (3), (NULL)) t(y)"#;
        assert_eq!(rows(query).await.unwrap(), ["33", "NULL"]);
        let query = r#"SELECT mod(x, 3) FROM (VALUES (8), (NULL)) t(x)"#;
        assert_eq!(rows(query).await.unwrap(), ["2", "NULL"]);
    }

    #[tokio::test]
    async fn doubles_divide_by_zero() {
        assert_eq!(divided("1e0", "0").await, "inf");
        assert_eq!(divided("-1e0", "0").await, "-inf");
        assert_eq!(divided("0e0", "0").await, "NaN");
        assert_eq!(divided("CAST(1 AS REAL)", "4").await, "0.25");
        assert_eq!(rest("5e0", "0").await, "NaN");
        assert_eq!(rest("-5.5e0", "2").await, "-1.5");
        assert_eq!(divided("CAST(1 AS DECIMAL(5,2))", "4e0").await, "0.25");
    }

    #[tokio::test]
    async fn decimals_round_half_away_from_zero() {
        let decimal = |text: &str, of: &str| format!("CAST({text} AS DECIMAL({of}))");
        for (left, right, expected) in [
            (decimal("1", "1,0"), decimal("3", "1,0"), "0"),
            (decimal("2", "1,0"), decimal("3", "1,0"), "1"),
            (decimal("1", "1,0"), decimal("2", "1,0"), "1"),
            (decimal("-1", "1,0"), decimal("2", "1,0"), "-1"),
            (decimal("1.0", "2,1"), decimal("3", "1,0"), "0.3"),
            (decimal("10", "2,0"), decimal("0.3", "2,1"), "33.3"),
            (decimal("-0.5", "2,1"), decimal("1", "1,0"), "-0.5"),
            (decimal("1.00", "3,2"), decimal("7", "1,0"), "0.14"),
            (decimal("1.25", "3,2"), decimal("10.0", "3,1"), "0.13"),
            (decimal("5", "1,0"), "2".to_owned(), "3"),
        ] {
            assert_eq!(divided(&left, &right).await, expected, "{left} / {right}");
        }
        let query =
            r#"SELECT arrow_typeof("$divide"(CAST(1 AS DECIMAL(5,1)), CAST(1 AS DECIMAL(9,3))))"#;
        assert_eq!(rows(query).await.unwrap(), ["Decimal128(10, 3)"]);
        let nines = "9".repeat(38);
        let wide = decimal(&format!("'{nines}'"), "38,0");
        let tiny = decimal("'0.00000000000000000001'", "20,20");
        assert!(divided(&wide, &tiny).await.contains("out of range"));
        assert_eq!(divided(&wide, &wide).await, "1");
        assert!(
            divided(&wide, &decimal("0", "1,0"))
                .await
                .contains("division by zero")
        );
        let third = decimal("'0.33333333333333333333333333333333333333'", "38,38");
        assert!(divided(&third, &third).await.contains("out of range"));
        let tenth = decimal("'0.1'", "38,37");
        assert_eq!(
            divided(&decimal("0", "1,0"), &tenth)
                .await
                .trim_end_matches('0'),
            "0."
        );
    }

    #[tokio::test]
    async fn remainders_of_decimals_have_the_sign_of_the_dividend() {
        let decimal = |text: &str, of: &str| format!("CAST({text} AS DECIMAL({of}))");
        assert_eq!(rest(&decimal("13", "9,0"), &decimal("9", "3,0")).await, "4");
        assert_eq!(
            rest(&decimal("-1.30", "9,2"), &decimal("0.9", "3,1")).await,
            "-0.40"
        );
        assert_eq!(rest(&decimal("5.0", "2,1"), "3").await, "2.0");
        assert!(
            rest(&decimal("5.0", "2,1"), "0")
                .await
                .contains("division by zero")
        );
        let query = r#"SELECT arrow_typeof(mod(CAST(1 AS DECIMAL(9,2)), CAST(1 AS DECIMAL(3,1))))"#;
        assert_eq!(rows(query).await.unwrap(), ["Decimal128(4, 2)"]);
        assert!(error("mod('a', 1)").await.contains("takes numbers"));
    }
}
