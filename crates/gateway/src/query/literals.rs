//! Literals as values of EXECUTE's parameters.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use lakegate_engine::exact_decimal;
use lakegate_error::{Error, Result};
use sqlparser::ast::{self, Expr, Value};

use crate::query::parameters::{fitted, sql_type};

/// Decimal digits that any `double precision` number keeps.
const FLOAT_DIGITS: usize = 15;

/// Evaluates a parameter expression of EXECUTE: a literal, possibly negated, cast or in parentheses,
/// or a typed string such as `DATE '2025-01-31'`.
///
/// # Errors
/// The expression is not a literal, or not of its type.
pub(crate) fn literal(expr: &Expr) -> Result<ScalarValue> {
    let invalid = || Error::invalid(format!("parameter {expr} is no literal"));
    Ok(match expr {
        Expr::Value(value) => match &value.value {
            Value::Null => ScalarValue::Null,
            Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
            Value::SingleQuotedString(text) => ScalarValue::Utf8(Some(text.clone())),
            Value::Number(text, _) => numeric(text).ok_or_else(invalid)?,
            _ => return Err(invalid()),
        },
        Expr::UnaryOp {
            op: ast::UnaryOperator::Minus,
            expr: inner,
        } => literal(inner)?.arithmetic_negate().map_err(|_| invalid())?,
        Expr::Nested(inner) => literal(inner)?,
        Expr::Cast {
            kind: ast::CastKind::Cast | ast::CastKind::DoubleColon,
            expr: inner,
            data_type,
            ..
        } => {
            let data_type = type_of(data_type).ok_or_else(invalid)?;
            fitted(literal(inner)?, &data_type)?
        }
        Expr::TypedString(typed) => {
            let Value::SingleQuotedString(text) = &typed.value.value else {
                return Err(invalid());
            };
            match &typed.data_type {
                ast::DataType::Decimal(ast::ExactNumberInfo::None)
                | ast::DataType::Numeric(ast::ExactNumberInfo::None) => {
                    exact_decimal(text).ok_or_else(invalid)?
                }
                data_type => {
                    let data_type = type_of(data_type).ok_or_else(invalid)?;
                    let value = ScalarValue::try_from_string(text.clone(), &data_type);
                    value.map_err(|_| invalid())?
                }
            }
        }
        _ => return Err(invalid()),
    })
}

/// Returns a cast of a parameter of EXECUTE that is a text to the parameter's type, if the session
/// reads texts of the type that the engine does not, as `'{1,2}'` and `'\x01'`; `None` for others.
pub(crate) fn text_of_type(expr: &Expr, data_type: &DataType) -> Option<Expr> {
    let is_text = matches!(
        expr,
        Expr::Value(value) if matches!(
            value.value,
            Value::SingleQuotedString(_) | Value::EscapedStringLiteral(_)
        )
    );
    let is_plain =
        data_type.is_string() || data_type.is_numeric() || *data_type == DataType::Boolean;
    if !is_text || is_plain {
        return None;
    }
    Some(Expr::Cast {
        kind: ast::CastKind::Cast,
        expr: Box::new(expr.clone()),
        data_type: sql_type(data_type)?,
        array: false,
        format: None,
    })
}

/// Returns the type that a parameter of EXECUTE is written with; `None` for types whose texts the
/// session reads, such as nested ones and times with a zone.
fn type_of(sql_type: &ast::DataType) -> Option<DataType> {
    use ast::DataType as T;
    Some(match sql_type {
        T::Boolean | T::Bool => DataType::Boolean,
        T::TinyInt(None) => DataType::Int8,
        T::SmallInt(None) => DataType::Int16,
        T::Int(None) | T::Integer(None) => DataType::Int32,
        T::BigInt(None) => DataType::Int64,
        T::Real => DataType::Float32,
        T::Double(ast::ExactNumberInfo::None) | T::DoublePrecision => DataType::Float64,
        T::Varchar(None) | T::Text => DataType::Utf8,
        T::Date => DataType::Date32,
        T::Timestamp(_, ast::TimezoneInfo::None | ast::TimezoneInfo::WithoutTimeZone) => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        T::Decimal(ast::ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
            let precision = u8::try_from(*precision).ok()?;
            DataType::Decimal128(precision, i8::try_from(*scale).ok()?)
        }
        _ => return None,
    })
}

fn numeric(text: &str) -> Option<ScalarValue> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(ScalarValue::Int64(Some(whole)));
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits > FLOAT_DIGITS
        && !text.contains(['e', 'E'])
        && let Some(exact) = exact_decimal(text)
    {
        return Some(exact);
    }
    text.parse::<f64>()
        .ok()
        .map(|number| ScalarValue::Float64(Some(number)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use lakegate_sql::Statement;

    use super::*;

    #[test]
    fn texts_are_cast_to_types_that_the_session_reads() {
        let text = Expr::Value(Value::SingleQuotedString("{1}".to_owned()).into());
        let items = DataType::new_list(DataType::Int32, true);
        let cast = text_of_type(&text, &items).unwrap();
        assert_eq!(cast.to_string(), "CAST('{1}' AS INT[])");
        let cast = text_of_type(&text, &DataType::Binary).unwrap();
        assert_eq!(cast.to_string(), "CAST('{1}' AS BYTEA)");
        for plain in [DataType::Utf8, DataType::Int64, DataType::Boolean] {
            assert_eq!(text_of_type(&text, &plain), None);
        }
        let null = Expr::Value(Value::Null.into());
        assert_eq!(text_of_type(&null, &items), None);
    }

    #[test]
    fn literals_may_be_cast() {
        let of = |sql: &str| match lakegate_sql::parse(&format!("EXECUTE p USING {sql}")) {
            Ok(mut parsed) => match parsed.remove(0).statement {
                Statement::Execute(execute) => literal(&execute.parameters[0]),
                other => panic!("{other:?}"),
            },
            Err(error) => panic!("{sql}: {error:?}"),
        };
        assert_eq!(of("CAST('7' AS integer)").unwrap(), ScalarValue::from(7));
        assert_eq!(
            of("DECIMAL '1.50'").unwrap(),
            ScalarValue::Decimal128(Some(15), 2, 1)
        );
        assert_eq!(of("0.25").unwrap(), ScalarValue::from(0.25));
        assert_eq!(
            of("-1234567890123456789.5").unwrap(),
            ScalarValue::Decimal128(Some(-12_345_678_901_234_567_895), 20, 1)
        );
        assert_eq!(
            of("DATE '1970-01-02'").unwrap(),
            ScalarValue::Date32(Some(1))
        );
        for sql in ["x", "f(1)", "CAST(x AS integer)", "CAST('x' AS integer)"] {
            assert!(of(sql).is_err(), "{sql}");
        }
    }
}
