//! `x::bit(8)::integer`: the lowest bits of an integer, as tools read flags. Bit strings themselves do
//! not exist here.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, Value};

use super::build;

/// The most bits of which no integer is negative.
const MOST: u64 = 31;

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
