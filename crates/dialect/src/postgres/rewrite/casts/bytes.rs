//! Casts to `bytea`.

use datafusion::sql::sqlparser::ast::{CastKind, Expr, Value};
use lakegate_error::{Code, Error};

use super::super::build;
use crate::postgres::bytea::bytea_of;

/// Returns the replacement of a cast of an expression to `bytea`: text is decoded. `None` if it
/// stays a cast.
pub(super) fn bytea(kind: &CastKind, inner: &mut Expr) -> Result<Option<Expr>, Error> {
    let strict = matches!(kind, CastKind::Cast | CastKind::DoubleColon);
    if let Expr::Value(value) = inner {
        let text = match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text,
            Value::DollarQuotedString(text) => &text.value,
            Value::Number(digits, _) => {
                let of = match digits.bytes().all(|digit| digit.is_ascii_digit()) {
                    true => "integer",
                    false => "numeric",
                };
                let message = format!("cannot cast type {of} to bytea");
                return Err(Error::new(Code::CannotCoerce, message));
            }
            // A parameter has the type of its cast, and its value is already bytes.
            _ => return Ok(None),
        };
        let literal = match bytea_of(text) {
            Ok(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                Value::HexStringLiteral(hex)
            }
            Err(_) if !strict => Value::Null,
            Err(error) => return Err(error),
        };
        *inner = Expr::Value(literal.into());
        return Ok(None);
    }
    if !strict {
        return Ok(None);
    }
    let argument = build::taken(inner);
    Ok(Some(build::call("bytea_in", vec![argument])))
}
