//! Parsing of `bytea` from text, in Postgres' two formats.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

/// The number of characters of a text that an error shows.
const SHOWN: usize = 60;

/// Decodes `\x6869` (blanks between the pairs are ignored), or the older escape format (`\\` and
/// `\ooo`). `None` if the text is neither.
pub fn decode_bytea(text: &str) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x") {
        return decode_hex(hex).ok();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                after
            }
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                after
            }
            (b'\\', _) => return None,
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    Some(bytes)
}

/// Decodes pairs of hex digits. Blanks may stand between the pairs.
///
/// # Errors
///
/// A character is not a digit, or a digit is missing. The error shows the character.
pub(super) fn decode_hex(text: &str) -> Result<Vec<u8>, Error> {
    let digit = |of: char| {
        let digit = of.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digit.ok_or_else(|| {
            let message = format!("invalid hexadecimal digit: \"{of}\"");
            Error::new(Code::InvalidParameter, message)
        })
    };
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut rest = text.chars();
    while let Some(first) = rest.next() {
        if first.is_ascii_whitespace() {
            continue;
        }
        let high = digit(first)?;
        let second = rest.next().ok_or_else(|| {
            let message = "invalid hexadecimal data: odd number of digits";
            Error::new(Code::InvalidParameter, message)
        })?;
        bytes.push(high << 4 | digit(second)?);
    }
    Ok(bytes)
}

/// Decodes like [`decode_bytea`].
///
/// # Errors
///
/// The text is in neither format.
pub(super) fn bytea_of(text: &str) -> Result<Vec<u8>, Error> {
    if let Some(hex) = text.strip_prefix("\\x") {
        return decode_hex(hex);
    }
    decode_bytea(text).ok_or_else(|| {
        let shown: String = text.chars().take(SHOWN).collect();
        let more = if shown.len() < text.len() { "..." } else { "" };
        Error::new(
            Code::InvalidCast,
            format!("invalid input syntax for type bytea: \"{shown}{more}\""),
        )
        .with_hint(
            "bytes are written in hex, as in '\\x01ff'; in other text a backslash is written twice",
        )
    })
}

/// `bytea_in(x)`, which a cast to `bytea` is rewritten to: text is decoded, bytes are unchanged.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ByteaIn {
    signature: Signature,
}

impl ByteaIn {
    pub(super) fn udf() -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(ByteaIn {
            signature: Signature::any(1, Volatility::Immutable),
        }))
    }
}

impl ScalarUDFImpl for ByteaIn {
    fn name(&self) -> &str {
        "bytea_in"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = matches!(args.args.as_slice(), [ColumnarValue::Scalar(_)]);
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let decoded = match arrays.first() {
            Some(array) if is_text(array.data_type()) => decoded(array)?,
            // The cast rejects what cannot be bytes at all, such as a number.
            Some(array) => cast(array, &DataType::Binary)?,
            None => return Err(super::invalid("bytea_in without an argument")),
        };
        Ok(match constant {
            true => ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(
                &decoded, 0,
            )?),
            false => ColumnarValue::Array(decoded),
        })
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Decodes texts as [`bytea_of`] does.
///
/// # Errors
///
/// A text is in neither format.
pub(super) fn decoded(array: &ArrayRef) -> Result<ArrayRef> {
    let texts = cast(array, &DataType::Utf8)?;
    let mut bytes = BinaryBuilder::new();
    for text in texts.as_string::<i32>() {
        match text {
            Some(text) => bytes.append_value(bytea_of(text)?),
            None => bytes.append_null(),
        }
    }
    Ok(Arc::new(bytes.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_formats_are_read() {
        for (text, bytes) in [
            ("\\x01ff", &[0x01, 0xff][..]),
            ("\\x 01 FF ", &[0x01, 0xff]),
            ("\\x", &[]),
            ("", &[]),
            ("ab", b"ab"),
            ("a\\\\b\\000\\377", &[b'a', b'\\', b'b', 0, 255]),
            ("é", "é".as_bytes()),
        ] {
            assert_eq!(bytea_of(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_in_neither_format_is_named() {
        for text in ["a\\b", "\\400", "\\"] {
            let error = bytea_of(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidCast, "{text}");
            assert_eq!(
                error.message(),
                format!("invalid input syntax for type bytea: \"{text}\"")
            );
        }
        // PostgreSQL 15.
        for (text, message) in [
            ("\\x0", "invalid hexadecimal data: odd number of digits"),
            ("\\x0g", "invalid hexadecimal digit: \"g\""),
            ("\\x0 1", "invalid hexadecimal digit: \" \""),
        ] {
            let error = bytea_of(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidParameter, "{text}");
            assert_eq!(error.message(), message);
        }
        let long = format!("a\\{}", "z".repeat(10_000));
        assert!(bytea_of(&long).unwrap_err().message().len() < 200);
    }
}
