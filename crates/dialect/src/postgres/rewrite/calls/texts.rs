//! Functions of texts and bytes.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr};
use lakegate_error::Error;

use super::super::build::{self, binary, cast, nested};
use super::super::{casts, copies, expressions};
use super::text_of;
use crate::postgres::functions::{BIT_COUNT, BIT_LENGTH};

/// Returns the replacement of a call; `None` if it stays unchanged, or is not about texts or bytes.
///
/// # Errors
///
/// A literal is not of its type, or a text is too long to be read twice.
pub(super) fn call(name: &str, args: &[Expr]) -> Result<Option<Expr>, Error> {
    Ok(match (name, args) {
        ("is_normalized", [text] | [text, _]) => {
            copies::check(text, 2)?;
            let form = args.get(1).cloned().unwrap_or_else(|| build::text("NFC"));
            let normal = build::call("normalize", vec![text.clone(), form]);
            Some(nested(binary(
                nested(text.clone()),
                BinaryOperator::Eq,
                normal,
            )))
        }
        // With two arguments, it is Athena's.
        ("bit_count", [bytes]) => Some(build::call(BIT_COUNT, vec![bytes.clone()])),
        ("bit_length", [x]) => Some(build::call(BIT_LENGTH, vec![x.clone()])),
        ("length", [bytes, encoding]) => {
            let text = decoded(bytes, encoding)?;
            Some(build::call("char_length", vec![text]))
        }
        ("convert", [bytes, from, to]) => {
            let text = decoded(bytes, from)?;
            Some(build::call("convert_to", vec![text, to.clone()]))
        }
        (
            "encode" | "convert_from" | "get_bit" | "get_byte" | "set_bit" | "set_byte" | "sha224"
            | "sha256" | "sha384" | "sha512",
            [bytes, others @ ..],
        ) if text_of(bytes).is_some_and(|text| text.contains('\\')) => {
            let mut bytes = cast(bytes.clone(), DataType::Bytea);
            casts::rewrite(&mut bytes)?;
            let args = std::iter::once(bytes).chain(others.iter().cloned());
            Some(build::call(name, args.collect()))
        }
        ("chr", [code]) if expressions::number(code) == Some(0) => {
            return Err(Error::invalid("null character not permitted"));
        }
        _ => None,
    })
}

/// Returns the text that bytes are in an encoding.
fn decoded(bytes: &Expr, encoding: &Expr) -> Result<Expr, Error> {
    let args = vec![bytes.clone(), encoding.clone()];
    let typed = call("convert_from", &args)?;
    Ok(typed.unwrap_or_else(|| build::call("convert_from", args)))
}
