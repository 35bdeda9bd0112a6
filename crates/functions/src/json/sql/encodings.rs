//! JSON texts in UTF-16 and UTF-32. Trino writes the least byte of a unit first, without a mark.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, StringBuilder};
use arrow::datatypes::Int64Type;
use datafusion::error::Result;

use crate::kernel::Call;

/// Whether the units of a row have 32 bits, and not 16.
fn is_wide(call: &Call<'_>, row: usize) -> Option<bool> {
    let bits = call.columns.get(1)?.primitives::<Int64Type>().get(row)?;
    Some(bits == 32)
}

/// What is not a character becomes the replacement character.
pub(super) fn decoded(call: &Call<'_>) -> Result<ArrayRef> {
    let column = &call.columns[0];
    let values = column.array.as_binary::<i32>();
    let mut texts = StringBuilder::new();
    let mut text = String::new();
    for row in 0..call.rows {
        let at = column.at(row);
        let Some(wide) = is_wide(call, row).filter(|_| values.is_valid(at)) else {
            call.work.step()?;
            texts.append_null();
            continue;
        };
        let bytes = values.value(at);
        call.work.builds(bytes.len())?;
        text.clear();
        match wide {
            true => {
                let units = bytes.chunks(4).map(|unit| match unit {
                    [a, b, c, d] => char::from_u32(u32::from_le_bytes([*a, *b, *c, *d])),
                    _ => None,
                });
                text.extend(units.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
            false => {
                let units = bytes.chunks(2).map(|unit| match unit {
                    [a, b] => u16::from_le_bytes([*a, *b]),
                    // Half of a pair is not a character.
                    _ => 0xD800,
                });
                let units = char::decode_utf16(units);
                text.extend(units.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
            }
        }
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

pub(super) fn encoded(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.columns[0].texts();
    let mut values = BinaryBuilder::new();
    let mut bytes = Vec::new();
    for row in 0..call.rows {
        let Some((text, wide)) = texts.get(row).zip(is_wide(call, row)) else {
            call.work.step()?;
            values.append_null();
            continue;
        };
        bytes.clear();
        match wide {
            true => bytes.extend(text.chars().flat_map(|char| u32::from(char).to_le_bytes())),
            false => bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
        }
        call.work.builds(bytes.len())?;
        values.append_value(&bytes);
    }
    Ok(Arc::new(values.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::value;

    #[tokio::test]
    async fn texts_are_read_as_they_are_written() {
        for bits in [16, 32] {
            let round = format!("\"$json_decoded\"(\"$json_encoded\"('\"é🙂\"', {bits}), {bits})");
            assert_eq!(value(&round).await.unwrap(), "\"é🙂\"", "{bits}");
        }
        let broken = "length(\"$json_decoded\"(from_hex('00d841'), 16))";
        assert_eq!(value(broken).await.unwrap(), "2");
    }
}
