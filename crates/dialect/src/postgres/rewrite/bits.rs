//! Literals of bit strings, and the first bits of a number in hexadecimal digits, as Looker makes numbers
//! of hashes.
//!
//! ```text
//! B'101', X'1F'                          $bit_in('b101'), $bit_in('x1F')
//! ('x' || md5(k))::bit(64)::bigint       from_big_endian_64(decode(lpad(rpad(md5(k), 16, '0'), 16, '0'), 'hex'))::bigint
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, Ident, ObjectName, Value};
use lakegate_error::Error;

use super::build;

/// The function that reads a text as a bit string of any length.
pub(super) const BIT_IN: &str = "$bit_in";

/// Refuses casts to bits in the dialects of Athena and Trino. `TABLESAMPLE … REPEATABLE` is made of
/// them.
///
/// # Errors
///
/// The expression is such a cast.
pub(super) fn refuse(expr: &Expr) -> Result<(), Error> {
    match expr {
        Expr::Cast {
            data_type: DataType::Bit(_) | DataType::BitVarying(_) | DataType::VarBit(_),
            ..
        } => Err(Error::not_supported(
            "REPEATABLE in TABLESAMPLE, and bit strings, are not supported in this dialect",
        )
        .with_hint("leave REPEATABLE out, or SET dialect = 'postgres'")),
        _ => Ok(()),
    }
}

/// Returns whether a literal is a bit string.
pub(super) fn is_literal(value: &Value) -> bool {
    matches!(
        value,
        Value::SingleQuotedByteStringLiteral(_) | Value::HexStringLiteral(_)
    )
}

/// Returns the call that reads a literal as a bit string; `None` for other literals.
pub(super) fn read(value: &Value) -> Option<Expr> {
    let text = match value {
        Value::SingleQuotedByteStringLiteral(digits) => build::text(format!("b{digits}")),
        Value::HexStringLiteral(digits) => build::text(format!("x{digits}")),
        _ => return None,
    };
    Some(build::call(BIT_IN, vec![text]))
}

/// Returns the type of literals beside a value of this type: a bit string of any length beside a bit
/// string, otherwise the type itself.
pub(super) fn type_beside(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Bit(_) => of_any_length(),
        DataType::BitVarying(_) | DataType::VarBit(_) => DataType::VarBit(None),
        other => other.clone(),
    }
}

/// Returns `bit` as the type of bit strings of any length: `x::bit` is one of a single bit.
pub fn of_any_length() -> DataType {
    let name = ObjectName::from(vec![Ident::with_quote('"', "bit")]);
    DataType::Custom(name, Vec::new())
}

/// Rewrites a cast to an integer of the bits of hexadecimal digits, whose parts must be as they are
/// written, to functions of bytes.
pub(super) fn rewrite(expr: &mut Expr) {
    let Expr::Cast {
        expr: inner,
        data_type,
        ..
    } = expr
    else {
        return;
    };
    if is_integer(data_type)
        && let Some(number) = first_bits(inner, is_wide(data_type))
    {
        **inner = number;
    }
}

fn is_integer(data_type: &DataType) -> bool {
    match data_type {
        DataType::Int(_)
        | DataType::Int4(_)
        | DataType::Integer(_)
        | DataType::BigInt(_)
        | DataType::Int8(_) => true,
        DataType::Custom(name, _) => matches!(
            name.to_string().to_lowercase().as_str(),
            "int4" | "int8" | "pg_catalog.int4" | "pg_catalog.int8"
        ),
        _ => false,
    }
}

/// Returns whether an integer type has 64 bits.
fn is_wide(data_type: &DataType) -> bool {
    match data_type {
        DataType::BigInt(_) | DataType::Int8(_) => true,
        DataType::Custom(name, _) => name.to_string().to_lowercase().ends_with("int8"),
        _ => false,
    }
}

/// Returns the number that the first bits of hexadecimal digits are. Digits that are missing are 0; as
/// many bits as the number has give it a sign.
fn first_bits(expr: &Expr, is_wide: bool) -> Option<Expr> {
    let (text, bits) = match expr {
        Expr::Nested(inner) => return first_bits(inner, is_wide),
        Expr::Cast {
            expr: text,
            data_type: DataType::Bit(bits),
            ..
        } => (text, (*bits)?),
        _ => return None,
    };
    let most = if is_wide { 64 } else { 32 };
    if bits == 0 || bits > most || !bits.is_multiple_of(4) {
        return None;
    }
    let padded = |function: &str, text: Expr, digits: u64| {
        let digits = Expr::Value(Value::Number(digits.to_string(), false).into());
        build::call(function, vec![text, digits, build::text("0")])
    };
    let (function, width) = match (is_wide, bits) {
        (false, 32) => ("from_big_endian_32", 8),
        _ => ("from_big_endian_64", 16),
    };
    let first = padded("rpad", hexadecimal(text)?, bits / 4);
    let bytes = build::call(
        "decode",
        vec![padded("lpad", first, width), build::text("hex")],
    );
    Some(build::call(function, vec![bytes]))
}

/// Returns the digits of `'x' || digits`.
fn hexadecimal(text: &Expr) -> Option<Expr> {
    match text {
        Expr::Nested(inner) => hexadecimal(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::StringConcat,
            right,
        } => match left.as_ref() {
            Expr::Value(value) => {
                let is_mark = matches!(&value.value, Value::SingleQuotedString(mark) if mark.eq_ignore_ascii_case("x"));
                is_mark.then(|| right.as_ref().clone())
            }
            left => {
                let first = hexadecimal(left)?;
                let right = right.as_ref().clone();
                let digits = build::binary(first, BinaryOperator::StringConcat, right);
                Some(build::nested(digits))
            }
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::SelectItem;

    use super::super::testing::with_select;
    use super::*;

    #[test]
    fn bits_are_those_of_hexadecimal_digits() {
        for (sql, rewritten) in [
            (
                "SELECT ('x' || md5(k))::bit(64)::BIGINT",
                "SELECT from_big_endian_64(decode(lpad(rpad(md5(k), 16, '0'), 16, '0'), 'hex'))::BIGINT",
            ),
            (
                "SELECT ('X' || a || b)::bit(32)::INT",
                "SELECT from_big_endian_32(decode(lpad(rpad((a || b), 8, '0'), 8, '0'), 'hex'))::INT",
            ),
        ] {
            let text = with_select(sql, |select| {
                for item in &mut select.projection {
                    if let SelectItem::UnnamedExpr(expr) = item {
                        rewrite(expr);
                    }
                }
            });
            assert_eq!(text, rewritten);
        }
        for same in [
            "SELECT ('x' || a)::BIT(64)::INT",
            "SELECT ('y' || a)::BIT(64)::BIGINT",
            "SELECT ('x' || a)::BIT(65)::BIGINT",
            "SELECT x::BIT(8)::INT",
        ] {
            let text = with_select(same, |select| {
                if let Some(SelectItem::UnnamedExpr(expr)) = select.projection.first_mut() {
                    rewrite(expr);
                }
            });
            assert_eq!(text, same);
        }
    }

    #[test]
    fn literals_are_read() {
        for (value, expected) in [
            (
                Value::SingleQuotedByteStringLiteral("101".to_owned()),
                Some("\"$bit_in\"('b101')"),
            ),
            (
                Value::HexStringLiteral("1F".to_owned()),
                Some("\"$bit_in\"('x1F')"),
            ),
            (Value::Null, None),
        ] {
            assert_eq!(is_literal(&value), expected.is_some());
            let read = read(&value).map(|read| read.to_string());
            assert_eq!(read.as_deref(), expected);
        }
    }

    #[test]
    fn literals_beside_bits_have_any_length() {
        for (of, expected) in [
            (DataType::Bit(Some(3)), "\"bit\""),
            (DataType::VarBit(Some(3)), "VARBIT"),
            (DataType::BitVarying(None), "VARBIT"),
            (DataType::Uuid, "UUID"),
        ] {
            assert_eq!(type_beside(&of).to_string(), expected);
        }
    }
}
