//! Casts to PostgreSQL's types of numbers and of times of day that the engine carries out otherwise.
//!
//! ```text
//! '1e400'::float8                      an error; the engine has Infinity
//! 9223372036854775807.4::int8          '9223372036854775807.4'::numeric(20,1)::int8
//! now()::time(3)                       see to_precision
//! x::numeric(1000, 15)                 x::numeric(38, 15)
//! ```

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, ExactNumberInfo, Expr, TimezoneInfo, Value,
};
use lakegate_error::{Code, Error};

use super::{build, calls, casts, times};

/// Decimal digits that survive a round trip through a double.
const FLOAT_DIGITS: usize = 15;
/// Digits of the widest decimal.
const MAX_DIGITS: usize = 38;
/// Digits of the widest decimal that the engine has for the numbers of aggregate functions.
const WIDEST: u64 = 76;
/// Digits before the point that a narrowed `numeric` keeps at least.
const WHOLE_DIGITS: i64 = 10;

/// Rewrites a cast, or a literal with the name of its type.
///
/// # Errors
///
/// A literal is out of the range of its type, or a type has more digits than PostgreSQL's.
pub(super) fn rewrite(expr: &mut Expr) -> Result<(), Error> {
    if let Expr::Cast { data_type, .. } = expr {
        narrow(data_type)?;
        casts::check_length(data_type)?;
    }
    if let Expr::TypedString(typed) = expr {
        narrow(&mut typed.data_type)?;
        casts::check_length(&typed.data_type)?;
        if let Value::SingleQuotedString(text) = &typed.value.value {
            check_range(text, &typed.data_type)?;
        }
        if matches!(typed.data_type, DataType::Time(Some(_), _)) {
            let literal = Expr::Value(typed.value.clone());
            *expr = build::cast(literal, typed.data_type.clone());
            to_precision(expr);
        } else if casts::has_length(&typed.data_type) {
            let literal = Expr::Value(typed.value.clone());
            *expr = build::cast(literal, typed.data_type.clone());
        }
        return Ok(());
    }
    let Expr::Cast {
        kind: CastKind::Cast | CastKind::DoubleColon,
        expr: inner,
        data_type,
        ..
    } = expr
    else {
        return Ok(());
    };
    if let Some(text) = written(inner) {
        check_range(text, data_type)?;
    }
    if is_integer(data_type)
        && let Some(exact) = exactly(inner)
    {
        **inner = exact;
    }
    to_precision(expr);
    Ok(())
}

/// Gives a `numeric` of more digits than the engine has those that it has. Numbers with more digits
/// are an error then, as they are for a `numeric` without a precision.
fn narrow(data_type: &mut DataType) -> Result<(), Error> {
    let size = match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => return narrow(item),
        DataType::Numeric(size) | DataType::Decimal(size) | DataType::Dec(size) => size,
        _ => return Ok(()),
    };
    let (precision, scale) = match *size {
        ExactNumberInfo::None => return Ok(()),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    if !(1..=1000).contains(&precision) {
        let message = format!("NUMERIC precision {precision} must be between 1 and 1000");
        return Err(Error::new(Code::InvalidParameter, message));
    }
    if precision > WIDEST {
        let digits = MAX_DIGITS as u64;
        let has_room = scale <= MAX_DIGITS as i64 - WHOLE_DIGITS;
        let precision = if has_room { digits } else { WIDEST };
        *size = ExactNumberInfo::PrecisionAndScale(precision, scale);
    }
    Ok(())
}

/// Returns the text of a literal.
fn written(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => Some(number),
            _ => calls::text_of(expr),
        },
        _ => calls::text_of(expr),
    }
}

/// Returns whether a type is one of integers.
pub(super) fn is_integer(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::SmallInt(_)
            | DataType::Int(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::Int2(_)
            | DataType::Int4(_)
            | DataType::Int8(_)
    )
}

/// Checks that a floating-point type has a value near the number; there is none beyond the largest
/// and below the smallest ones.
fn check_range(text: &str, data_type: &DataType) -> Result<(), Error> {
    let number = text.trim();
    let (name, read) = match data_type {
        DataType::Real | DataType::Float4 | DataType::Float(ExactNumberInfo::Precision(1..=24)) => {
            ("real", number.parse::<f32>().map(f64::from))
        }
        DataType::DoublePrecision | DataType::Double(_) | DataType::Float8 | DataType::Float(_) => {
            ("double precision", number.parse::<f64>())
        }
        _ => return Ok(()),
    };
    let mantissa = number.split(['e', 'E']).next().unwrap_or(number);
    let has_digits = mantissa.contains(|digit: char| digit.is_ascii_digit());
    let is_zero = !mantissa.contains(|digit: char| matches!(digit, '1'..='9'));
    match read {
        // Words such as Infinity are values themselves, and other texts have their own errors.
        Ok(read) if has_digits && (read.is_infinite() || (read == 0.0 && !is_zero)) => {
            let message = format!("\"{text}\" is out of range for type {name}");
            Err(Error::new(Code::NumericOutOfRange, message))
        }
        _ => Ok(()),
    }
}

/// Returns a literal with more digits than a float holds as a decimal; `None` for other expressions.
fn exactly(inner: &Expr) -> Option<Expr> {
    let number = casts::number_text(inner)?;
    let (whole, fraction) = number.trim_start_matches('-').split_once('.')?;
    let digits = whole.len() + fraction.len();
    if fraction.is_empty() || !(FLOAT_DIGITS + 1..=MAX_DIGITS).contains(&digits) {
        return None;
    }
    let size = ExactNumberInfo::PrecisionAndScale(
        u64::try_from(digits).ok()?,
        i64::try_from(fraction.len()).ok()?,
    );
    Some(build::cast(build::text(number), DataType::Numeric(size)))
}

/// Rounds a time of day, or an interval that is not a literal, to its precision, which no type of the
/// engine has.
fn to_precision(expr: &mut Expr) {
    if times::typed_interval(expr, true).is_some() {
        return;
    }
    let Expr::Cast {
        data_type:
            DataType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
            | DataType::Interval {
                fields: None,
                precision,
            },
        ..
    } = expr
    else {
        return;
    };
    let digits = precision.take();
    casts::to_precision(expr, digits);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn rewritten(sql: &str) -> Result<String, Error> {
        let parser = Parser::new(&PostgreSqlDialect {});
        let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
        rewrite(&mut expr)?;
        Ok(expr.to_string())
    }

    #[test]
    fn literals_keep_the_digits_that_a_float_lacks() {
        for (sql, expected) in [
            (
                "9223372036854775807.4::BIGINT",
                "'9223372036854775807.4'::NUMERIC(20,1)::BIGINT",
            ),
            ("2.5::INT", "2.5::INT"),
            (
                "(x + 0.12345678901234567)::INT",
                "(x + 0.12345678901234567)::INT",
            ),
            ("9223372036854775807::INT", "9223372036854775807::INT"),
        ] {
            assert_eq!(rewritten(sql).unwrap(), expected);
        }
    }

    #[test]
    fn numbers_have_the_digits_of_the_engine() {
        for (sql, expected) in [
            ("x::NUMERIC(1000,15)", "x::NUMERIC(38,15)"),
            ("x::NUMERIC(260)", "x::NUMERIC(38,0)"),
            ("CAST(x AS DECIMAL(77,40))", "CAST(x AS DECIMAL(76,40))"),
            ("x::NUMERIC(300,2)[]", "x::NUMERIC(38,2)[]"),
            ("x::DECIMAL(65,0)", "x::DECIMAL(65,0)"),
            ("x::NUMERIC", "x::NUMERIC"),
        ] {
            assert_eq!(rewritten(sql).unwrap(), expected);
        }
        for sql in ["x::NUMERIC(1001)", "x::NUMERIC(0)"] {
            let error = rewritten(sql).unwrap_err();
            assert_eq!(error.code(), Code::InvalidParameter, "{sql}");
        }
    }

    #[test]
    fn what_a_float_cannot_hold_is_an_error() {
        for (sql, name) in [
            ("'1e400'::DOUBLE PRECISION", "double precision"),
            ("' -1e400 '::FLOAT8", "double precision"),
            ("CAST('1e-400' AS DOUBLE PRECISION)", "double precision"),
            ("1e400::FLOAT8", "double precision"),
            ("'1e400'::FLOAT", "double precision"),
            ("'1e39'::REAL", "real"),
            ("'1e39'::FLOAT(24)", "real"),
            ("FLOAT4 '1e-50'", "real"),
        ] {
            let error = rewritten(sql).unwrap_err();
            assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}");
            let ending = format!("is out of range for type {name}");
            assert!(error.message().ends_with(&ending), "{sql}");
        }
        for sql in [
            "'Infinity'::FLOAT8",
            "'-inf'::REAL",
            "'0e-400'::FLOAT8",
            "'1e300'::FLOAT8",
            "'x'::FLOAT8",
            "'1e400'::TEXT",
            "TRY_CAST('1e400' AS FLOAT8)",
        ] {
            assert_eq!(rewritten(sql).unwrap(), sql);
        }
    }

    #[test]
    fn times_of_day_and_intervals_are_rounded() {
        for (sql, expected) in [
            ("x::TIME(3)", "timestamp_to_precision(x::TIME, 3)"),
            (
                "TIME(0) '10:00:00.5'",
                "timestamp_to_precision('10:00:00.5'::TIME, 0)",
            ),
            ("x::INTERVAL(1)", "timestamp_to_precision(x::INTERVAL, 1)"),
            ("'1.25'::INTERVAL(1)", "'1.25'::INTERVAL(1)"),
            ("x::INTERVAL(6)", "x::INTERVAL"),
            ("x::TIME(6)", "x::TIME"),
            ("x::TIME", "x::TIME"),
        ] {
            assert_eq!(rewritten(sql).unwrap(), expected);
        }
    }
}
