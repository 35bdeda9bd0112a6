//! Literal numbers whose digits are kept as they are written.

use datafusion::sql::sqlparser::ast::{DataType, ExactNumberInfo, Expr, UnaryOperator, Value};

use super::super::build;

/// Decimal digits that survive a round trip through a double.
const FLOAT_DIGITS: usize = 15;

/// Digits of the widest decimal.
const MAX_DIGITS: u64 = 38;

/// Quotes a literal number that is cast to a decimal, so that it keeps the digits as written, not
/// those of the nearest float.
pub(super) fn exactly(inner: &mut Expr, data_type: &DataType) {
    let is_decimal = matches!(
        data_type,
        DataType::Decimal(_) | DataType::Numeric(_) | DataType::Dec(_)
    );
    if is_decimal && let Some(number) = number_text(inner) {
        *inner = build::text(number);
    }
}

/// Returns the text of a literal number as written; `None` with an exponent, which no text of a decimal
/// has.
pub(in super::super) fn number_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) if !number.contains(['e', 'E']) => Some(number.clone()),
            _ => None,
        },
        Expr::Nested(inner) => number_text(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => number_text(expr).map(|number| match number.strip_prefix('-') {
            Some(number) => number.to_owned(),
            None => format!("-{number}"),
        }),
        _ => None,
    }
}

/// Rewrites a literal with more digits than a float holds to a decimal, as in PostgreSQL and Athena.
/// A literal with an exponent, or with more digits than a decimal holds, stays a float.
pub(in super::super) fn long_number(expr: &mut Expr) {
    let Expr::Value(value) = expr else { return };
    let Value::Number(number, _) = &value.value else {
        return;
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return;
    }
    let significant = format!("{whole}{fraction}");
    let significant = significant.trim_start_matches('0').len();
    // Whole numbers of 64 bits are exact, the least of which has the digits of 2^63.
    let is_exact =
        fraction.is_empty() && whole.parse::<u64>().is_ok_and(|number| number <= 1 << 63);
    if is_exact || significant <= FLOAT_DIGITS {
        return;
    }
    let precision = significant.max(fraction.len());
    let (Ok(precision @ ..=MAX_DIGITS), Ok(scale)) =
        (u64::try_from(precision), i64::try_from(fraction.len()))
    else {
        return;
    };
    let size = ExactNumberInfo::PrecisionAndScale(precision, scale);
    *expr = build::cast(build::text(number.clone()), DataType::Numeric(size));
}
