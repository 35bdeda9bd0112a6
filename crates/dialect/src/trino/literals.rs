//! Literals and types that mean something else in Trino.
//!
//! ```text
//! 1.5e0                      CAST('1.5e0' AS DOUBLE)
//! 1234567890.0123456789      CAST('1234567890.0123456789' AS DECIMAL(20,10))     more digits than the parser keeps
//! CAST(x AS DECIMAL)         CAST(x AS DECIMAL(38,0))
//! CAST(x AS TIMESTAMP)       CAST(x AS TIMESTAMP(3))
//! CAST(x AS VARCHAR(3))      "$truncated"(CAST(x AS VARCHAR), 3)
//! CAST(x AS JSON)            "$json_of"(x), likewise UUID, IPADDRESS and sketches
//! ```

use datafusion::sql::sqlparser::ast::{
    CastKind, CharacterLength, DataType, ExactNumberInfo, Expr, ObjectName, UnaryOperator, Value,
    ValueWithSpan,
};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::trino::{call, tried_call};

use super::rewrite::taken;
use crate::postgres::folded;

/// Returns an address as text, in its shortest form.
pub(super) const ADDRESS: &str = "$ipaddress";
/// Returns a network as text.
const NETWORK: &str = "$ipprefix";
/// Returns the JSON value of any value.
const JSON: &str = "$json_of";
/// Returns a UUID as text, in lower case.
pub(super) const UUID: &str = "$uuid";
/// Truncates a text.
const TRUNCATED: &str = "$truncated";
/// Digits of a decimal that the planner reads exactly.
const EXACT_DIGITS: usize = 15;
/// Digits of the widest decimal.
const MAX_DIGITS: usize = 38;
/// Digits after the point of a timestamp whose type names none.
const TIMESTAMP_DIGITS: u64 = 3;
/// The absolute value of the smallest bigint, which is not a bigint itself.
const SMALLEST: &str = "9223372036854775808";

/// Rewrites the smallest bigint. Call it before the number without its sign is visited.
pub(super) fn negative(expr: &mut Expr) {
    if let Expr::UnaryOp {
        op: UnaryOperator::Minus,
        expr: number,
    } = expr
        && number_of(number) == Some(SMALLEST)
    {
        *expr = typed(format!("-{SMALLEST}"), DataType::BigInt(None));
    }
}

fn number_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan {
            value: Value::Number(number, _),
            ..
        }) => Some(number),
        _ => None,
    }
}

/// Rewrites a number.
///
/// # Errors
///
/// The number is out of the range of its type.
pub(super) fn number(expr: &mut Expr) -> Result<()> {
    let Some(written) = number_of(expr) else {
        return Ok(());
    };
    let number = written.replace('_', "");
    if number.contains(['e', 'E']) {
        *expr = typed(number, DataType::Double(ExactNumberInfo::None));
        return Ok(());
    }
    let Some((whole, fraction)) = number.split_once('.') else {
        return match number.bytes().all(|byte| byte.is_ascii_digit())
            && number.parse::<i64>().is_err()
        {
            true => Err(invalid(&number, "write DECIMAL and the number in quotes")),
            false => Ok(()),
        };
    };
    let digits = whole.trim_start_matches('0').len() + fraction.len();
    if digits > MAX_DIGITS {
        return Err(invalid(&number, "decimals have at most 38 digits"));
    }
    if digits > EXACT_DIGITS || fraction.is_empty() {
        let scale = fraction.len();
        let number = number.trim_end_matches('.').to_owned();
        *expr = typed(number, decimal(digits.max(1), scale));
    }
    Ok(())
}

fn invalid(number: &str, hint: &'static str) -> Error {
    let message = format!("invalid numeric literal: {number}");
    Error::new(Code::NumericOutOfRange, message).with_hint(hint)
}

fn decimal(precision: usize, scale: usize) -> DataType {
    let precision = u64::try_from(precision).unwrap_or(u64::MAX);
    let scale = i64::try_from(scale).unwrap_or(i64::MAX);
    DataType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale))
}

fn typed(text: String, data_type: DataType) -> Expr {
    let text = Value::SingleQuotedString(text);
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(text.with_empty_span())),
        data_type,
        array: false,
        format: None,
    }
}

/// Returns the function that a cast to a type is, if the engine does not have the type.
fn function_of(data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::JSON => Some(JSON),
        DataType::Uuid => Some(UUID),
        DataType::Custom(name, modifiers) => custom(name, modifiers),
        _ => None,
    }
}

fn custom(name: &ObjectName, modifiers: &[String]) -> Option<&'static str> {
    let [part] = name.0.as_slice() else {
        return None;
    };
    let modifiers: Vec<String> = modifiers.iter().map(|name| name.to_lowercase()).collect();
    let modifiers: Vec<&str> = modifiers.iter().map(String::as_str).collect();
    let name = folded(part.as_ident()?);
    Some(match (name.as_str(), modifiers.as_slice()) {
        ("ipaddress", _) => ADDRESS,
        ("ipprefix", _) => NETWORK,
        ("hyperloglog" | "p4hyperloglog", []) => "$hyperloglog",
        ("setdigest", []) => "$setdigest",
        ("tdigest", []) => "$tdigest",
        ("qdigest", ["bigint"]) => "$qdigest_bigint",
        ("qdigest", ["double"]) => "$qdigest_double",
        ("qdigest", ["real"]) => "$qdigest_real",
        _ => return None,
    })
}

/// Rewrites a cast by its type.
pub(super) fn cast(expr: &mut Expr) {
    let Expr::Cast {
        kind, data_type, ..
    } = expr
    else {
        return;
    };
    let tries = *kind == CastKind::TryCast;
    if let Some(function) = function_of(data_type) {
        if let Expr::Cast { expr: of, .. } = taken(expr) {
            let cast = call(function, vec![*of]);
            *expr = if tries { tried_call(cast) } else { cast };
        }
        return;
    }
    if !matches!(kind, CastKind::Cast | CastKind::TryCast) {
        return;
    }
    match data_type {
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info)
            if *info == ExactNumberInfo::None =>
        {
            *info = ExactNumberInfo::PrecisionAndScale(MAX_DIGITS as u64, 0);
        }
        DataType::Timestamp(digits @ None, _) => *digits = Some(TIMESTAMP_DIGITS),
        // The engine's planner knows the type by PostgreSQL's name.
        DataType::Varbinary(_) => *data_type = DataType::Bytea,
        DataType::Varchar(length @ Some(_))
        | DataType::CharacterVarying(length @ Some(_))
        | DataType::CharVarying(length @ Some(_)) => {
            let Some(CharacterLength::IntegerLength { length: most, .. }) = length.take() else {
                return;
            };
            let most = Value::Number(most.to_string(), false);
            let written = taken(expr);
            let cut = call(
                TRUNCATED,
                vec![written, Expr::Value(most.with_empty_span())],
            );
            *expr = if tries { tried_call(cut) } else { cut };
        }
        _ => {}
    }
}
