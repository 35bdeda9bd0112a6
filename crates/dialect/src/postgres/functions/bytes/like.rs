//! `LIKE` of bytes.

use std::sync::Arc;

use arrow::array::{Array, BooleanBuilder};
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_engine::stop;
use lakegate_error::{Code, Error};

use super::evaluated;
use super::parts::bytes_of;

/// How many steps a match takes between checks whether to stop.
const STEPS: usize = 1 << 16;

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Exactly(u8),
    /// An escape character that ends the pattern.
    Unfinished,
}

/// Reads a pattern, whose escape character is `\`.
fn pattern(text: &[u8]) -> Vec<Part> {
    let mut bytes = text.iter();
    let mut parts = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        parts.push(match byte {
            b'%' => Part::Any,
            b'_' => Part::One,
            b'\\' => bytes
                .next()
                .map_or(Part::Unfinished, |byte| Part::Exactly(*byte)),
            byte => Part::Exactly(*byte),
        });
    }
    parts
}

/// Returns whether bytes match a pattern. It backtracks only to the last `%`, so the time is
/// bounded by the product of the lengths.
///
/// # Errors
///
/// The pattern ends with its escape character, or the query must stop.
fn is_like(parts: &[Part], value: &[u8]) -> Result<bool> {
    let (mut at, mut place, mut steps) = (0, 0, 0_usize);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(byte) = value.get(place) {
        steps += 1;
        if steps >= STEPS {
            stop::check()?;
            steps = 0;
        }
        match parts.get(at) {
            Some(Part::Any) => {
                at += 1;
                retry = Some((at, place));
            }
            Some(part) if *part == Part::One || *part == Part::Exactly(*byte) => {
                at += 1;
                place += 1;
            }
            Some(Part::Unfinished) => {
                let message = "LIKE pattern must not end with escape character";
                return Err(Error::new(Code::InvalidEscape, message).into());
            }
            _ => match retry {
                None => return Ok(false),
                Some((after, taken)) => {
                    retry = Some((after, taken + 1));
                    (at, place) = (after, taken + 1);
                }
            },
        }
    }
    let mut rest = parts.get(at..).unwrap_or_default().iter();
    Ok(rest.all(|part| *part == Part::Any))
}

/// `LIKE` of bytes.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ByteLike {
    signature: Signature,
}

/// Returns a call of it, with the value and the pattern.
pub(super) fn matches(args: Vec<Expr>) -> Expr {
    let function = ByteLike {
        signature: Signature::any(2, Volatility::Immutable),
    };
    ScalarUDF::new_from_impl(function).call(args)
}

impl ScalarUDFImpl for ByteLike {
    fn name(&self) -> &str {
        "$bytea_like"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        evaluated("like", &args, |columns, rows| {
            let [values, patterns] = columns else {
                return Err(DataFusionError::Internal("LIKE of one value".to_owned()));
            };
            let (values, patterns) = (bytes_of(values)?, bytes_of(patterns)?);
            let mut known: Option<(&[u8], Vec<Part>)> = None;
            let mut made = BooleanBuilder::with_capacity(rows);
            for row in 0..rows {
                stop::check()?;
                if values.is_null(row) || patterns.is_null(row) {
                    made.append_null();
                    continue;
                }
                let text = patterns.value(row);
                let parts = match known.take() {
                    Some((of, parts)) if of == text => parts,
                    _ => pattern(text),
                };
                made.append_value(is_like(&parts, values.value(row))?);
                known = Some((text, parts));
            }
            Ok(Arc::new(made.finish()))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn like(value: &[u8], text: &[u8]) -> bool {
        is_like(&pattern(text), value).unwrap()
    }

    #[test]
    fn bytes_match_patterns() {
        assert!(like(b"abc", b"a%") && like(b"abc", b"a_c") && like(b"", b"%"));
        assert!(like(b"a\x00\xff", b"a%") && like(b"\xff\x00", b"_\x00"));
        assert!(like(b"a%", b"a\\%") && !like(b"ab", b"a\\%"));
        assert!(!like(b"abc", b"b%") && !like(b"abc", b"ab") && !like(b"", b"_"));
        assert!(!like(b"a", b"a\\") && is_like(&pattern(b"a\\"), b"ab").is_err());
    }
}
