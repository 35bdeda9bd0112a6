//! `x::bit(8)::integer`: the lowest bits of an integer, as tools read flags, and the first bits of a
//! number in hexadecimal digits, as Looker makes numbers of hashes. The bits may be masked by a bit
//! string, and compared with one. Bit strings themselves do not exist here.
//!
//! ```text
//! x::bit(8)::integer                     ((x) & 255)::integer
//! (x::bit(4) & B'0100')::integer         ((x) & 4)::integer
//! (x::bit(4) & B'0100') = B'0100'        ((x) & 4) = 4
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

/// Rewrites flags that are masked by bit strings and cast to an integer, or compared with a bit string
/// of as many bits, to integers. The parts of the expression must be as they are written.
pub(super) fn flagged(expr: &mut Expr) {
    match expr {
        Expr::Cast {
            expr: inner,
            data_type,
            ..
        } if is_integer(data_type) && lowest_bits(inner).is_none() => {
            if let Some((number, mask, _)) = flags(inner) {
                **inner = masked(number, mask);
            }
        }
        Expr::BinaryOp { left, op, right }
            if is_operator(op, &BinaryOperator::Eq, "=")
                || is_operator(op, &BinaryOperator::NotEq, "<>") =>
        {
            if let Some((number, mask, bits)) = flags(left)
                && let Some((value, length)) = bit_string(right)
                && bits == length
            {
                **left = masked(number, mask);
                **right = build::integer(value);
            }
        }
        _ => {}
    }
}

fn masked(number: Expr, mask: i64) -> Expr {
    let mask = build::integer(mask);
    let number = build::nested(number);
    build::nested(build::binary(number, BinaryOperator::BitwiseAnd, mask))
}

/// Returns the number that flags are read from, which of its bits are read, and the length of the bit
/// string that they are.
fn flags(expr: &Expr) -> Option<(Expr, i64, u64)> {
    match expr {
        Expr::Nested(inner) => flags(inner),
        Expr::BinaryOp { left, op, right } if is_operator(op, &BinaryOperator::BitwiseAnd, "&") => {
            let (number, mask, bits) = flags(left)?;
            let (other, length) = bit_string(right)?;
            (bits == length).then_some((number, mask & other, bits))
        }
        _ => {
            let (number, bits) = lowest_bits(expr)?;
            Some((number, (1_i64 << bits) - 1, bits))
        }
    }
}

/// Returns the number that `B'101'` writes, and how many bits it has.
fn bit_string(expr: &Expr) -> Option<(i64, u64)> {
    match expr {
        Expr::Nested(inner) => bit_string(inner),
        Expr::Value(value) => {
            let Value::SingleQuotedByteStringLiteral(text) = &value.value else {
                return None;
            };
            let length = u64::try_from(text.len()).ok()?;
            let is_read = length <= MOST && text.bytes().all(|digit| matches!(digit, b'0' | b'1'));
            let number = i64::from_str_radix(text, 2).ok()?;
            is_read.then_some((number, length))
        }
        _ => None,
    }
}

/// Returns whether an operator is this one, also as `OPERATOR(pg_catalog.&)`.
fn is_operator(op: &BinaryOperator, native: &BinaryOperator, symbol: &str) -> bool {
    match op {
        BinaryOperator::PGCustomBinaryOperator(path) => {
            path.last().is_some_and(|last| last == symbol)
        }
        op => op == native,
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
    **inner = masked(number, (1_i64 << bits) - 1);
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
    #[test]
    fn flags_are_read_as_integers() {
        let read = |sql: &str| {
            with_select(sql, |select| {
                if let Some(SelectItem::UnnamedExpr(expr)) = select.projection.first_mut() {
                    flagged(expr);
                }
            })
        };
        for (sql, rewritten) in [
            (
                "SELECT (x::bit(8) & B'00010000') = B'00010000'",
                "SELECT ((x) & 16) = 16",
            ),
            (
                "SELECT (f(x)::bit(4) OPERATOR(pg_catalog.&) b'0110') <> b'0000'",
                "SELECT ((f(x)) & 6) <> 0",
            ),
            ("SELECT x::bit(8) = B'00000101'", "SELECT ((x) & 255) = 5"),
            (
                "SELECT (x::INT::bit(7) & b'0000100')::INT",
                "SELECT ((x::INT) & 4)::INT",
            ),
        ] {
            assert_eq!(read(sql), rewritten);
        }
        for same in [
            "SELECT (x::BIT(8) & B'0001') = B'00000001'",
            "SELECT x::BIT(8) = B'101'",
            "SELECT x::BIT(8) = B'00000002'",
            "SELECT x::BIT(8) < B'00000001'",
            "SELECT x::BIT(32) = B'00000000000000000000000000000001'",
            "SELECT 'a'::BIT(1) = B'1'",
            "SELECT (x::BIT(7) & B'100')::INT",
            "SELECT (x::BIT(7) & B'0000100')::TEXT",
            "SELECT x::BIT(8)::INT",
        ] {
            assert_eq!(read(same), same);
        }
    }
}
