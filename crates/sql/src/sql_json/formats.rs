//! `FORMAT JSON`, and the types of JSON texts.

use sqlparser::ast::{CastKind, CharacterLength, DataType, Expr, Value};
use sqlparser::parser::Parser;

use super::{Parsed, eat, is_limited};
use crate::trino::{call, data_type};

/// Reads a text of 16 or 32 bits a unit, and writes one.
const DECODED: &str = "$json_decoded";
const ENCODED: &str = "$json_encoded";

/// How bytes are a JSON text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Utf8,
    Utf16,
    Utf32,
}

impl Format {
    /// The bits of a unit, unless they are those of UTF-8.
    fn bits(self) -> Option<Expr> {
        let bits = match self {
            Self::Utf8 => return None,
            Self::Utf16 => "16",
            Self::Utf32 => "32",
        };
        let bits = Value::Number(bits.to_owned(), false);
        Some(Expr::Value(bits.with_empty_span()))
    }
}

/// `FORMAT JSON [ENCODING encoding]`, if it is there.
pub(super) fn format(parser: &mut Parser<'_>) -> Parsed<Option<Format>> {
    if !eat(parser, &["FORMAT", "JSON"]) {
        return Ok(None);
    }
    if !eat(parser, &["ENCODING"]) {
        return Ok(Some(Format::Utf8));
    }
    let known = [Format::Utf8, Format::Utf16, Format::Utf32];
    let words = ["UTF8", "UTF16", "UTF32"];
    let mut named = words.iter().zip(known);
    match named.find(|(word, _)| eat(parser, &[word])) {
        Some((_, format)) => Ok(Some(format)),
        None => parser.expected("UTF8, UTF16 or UTF32", parser.peek_token()),
    }
}

pub(super) fn decoded(value: Expr, format: Option<Format>) -> Expr {
    match format.and_then(Format::bits) {
        Some(bits) => call(DECODED, vec![value, bits]),
        None => value,
    }
}

/// The type of a JSON text.
pub(super) enum Returning {
    Text,
    Limited(DataType),
    Binary(Format),
}

impl Returning {
    pub(super) fn of(self, expr: Expr) -> Expr {
        match self {
            Self::Text => expr,
            Self::Limited(data_type) => Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(expr),
                data_type,
                array: false,
                format: None,
            },
            Self::Binary(format) => match format.bits() {
                Some(bits) => call(ENCODED, vec![expr, bits]),
                None => call("to_utf8", vec![expr]),
            },
        }
    }
}

/// `RETURNING type [FORMAT JSON [ENCODING encoding]]`, if it is there.
pub(super) fn returning_text(parser: &mut Parser<'_>) -> Parsed<Returning> {
    if !eat(parser, &["RETURNING"]) {
        return Ok(Returning::Text);
    }
    let at = parser.peek_token();
    let returning = match data_type(parser)?.0 {
        DataType::Varchar(None | Some(CharacterLength::Max))
        | DataType::CharVarying(None)
        | DataType::CharacterVarying(None)
        | DataType::Text
        | DataType::String(None) => Returning::Text,
        DataType::Varbinary(_) | DataType::Bytea => Returning::Binary(Format::Utf8),
        other if is_limited(&other) => Returning::Limited(other),
        _ => return parser.expected("varchar, char or varbinary", at),
    };
    let at = parser.peek_token();
    Ok(match (returning, format(parser)?) {
        (Returning::Binary(_), Some(format)) => Returning::Binary(format),
        (_, Some(Format::Utf16 | Format::Utf32)) => {
            return parser.expected("UTF8, the encoding of texts", at);
        }
        (returning, _) => returning,
    })
}
