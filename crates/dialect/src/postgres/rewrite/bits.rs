//! `x::bit(8)::integer`: the lowest bits of an integer, as tools read flags, and the first bits of a
//! number in hexadecimal digits, as Looker makes numbers of hashes. Bit strings themselves do not exist
//! here.
//!
//! ```text
//! x::bit(8)::integer                     ((x) & 255)::integer
//! ('x' || md5(k))::bit(64)::bigint       from_big_endian_64(decode(lpad(rpad(md5(k), 16, '0'), 16, '0'), 'hex'))::bigint
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, Value};
use lakegate_error::Error;

use super::build;

/// The most bits of which no integer is negative.
const MOST: u64 = 31;

/// Refuses casts to bits in the dialects of Athena and Trino. `TABLESAMPLE … REPEATABLE` is made of
/// them.
///
/// # Errors
///
/// The expression is such a cast.
pub(super) fn refuse(expr: &Expr) -> Result<(), Error> {
    match expr {
        Expr::Cast {
            data_type: DataType::Bit(_),
            ..
        } => Err(Error::not_supported(
            "REPEATABLE in TABLESAMPLE, and bit strings, are not supported in this dialect",
        )
        .with_hint("leave REPEATABLE out, or SET dialect = 'postgres'")),
        _ => Ok(()),
    }
}

/// Rewrites a cast to an integer of a cast to bits, to `x & 255`.
pub(super) fn rewrite(expr: &mut Expr) {
    let Expr::Cast {
        expr: inner,
        data_type,
        ..
    } = expr
    else {
        return;
    };
    if !is_integer(data_type) {
        return;
    }
    if let Some(number) = first_bits(inner, is_wide(data_type)) {
        **inner = number;
        return;
    }
    let Some((number, bits)) = lowest_bits(inner) else {
        return;
    };
    let mask = build::integer((1_i64 << bits) - 1);
    let number = build::nested(number);
    **inner = build::nested(build::binary(number, BinaryOperator::BitwiseAnd, mask));
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

/// Returns what is cast to bits, and how many. A text would be the bits themselves.
fn lowest_bits(expr: &Expr) -> Option<(Expr, u64)> {
    match expr {
        Expr::Nested(inner) => lowest_bits(inner),
        Expr::Cast {
            expr: number,
            data_type: DataType::Bit(bits),
            ..
        } => {
            let is_text = matches!(
                number.as_ref(),
                Expr::Value(value) if !matches!(value.value, Value::Number(..))
            );
            let bits = bits.unwrap_or(1);
            let is_read = !is_text && (1..=MOST).contains(&bits);
            is_read.then(|| (number.as_ref().clone(), bits))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::SelectItem;

    use super::super::testing::with_select;
    use super::*;

    #[test]
    fn bits_are_those_of_integers_and_of_hexadecimal_digits() {
        for (sql, rewritten) in [
            ("SELECT x::bit(8)::INT", "SELECT ((x) & 255)::INT"),
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
        ] {
            let text = with_select(same, |select| {
                if let Some(SelectItem::UnnamedExpr(expr)) = select.projection.first_mut() {
                    rewrite(expr);
                }
            });
            assert_eq!(text, same);
        }
    }
}
