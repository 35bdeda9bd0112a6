//! `to_utf8` and `from_utf8`.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;

use super::{SECTION, each};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::text::arguments::{
    Bigints, Bytes, Texts, argument, bigint, bytes, invalid, quoted, takes, text,
};

static TO_UTF8: Page = Page {
    name: "to_utf8",
    section: SECTION,
    syntax: "to_utf8(text)",
    sentence: "Returns the UTF-8 of a text as a varbinary.",
    example: "to_utf8('é')",
    result: "c3 a9",
};

static FROM_UTF8: Page = Page {
    name: "from_utf8",
    section: SECTION,
    syntax: "from_utf8(varbinary[, replacement])",
    sentence: "Returns the text of UTF-8, with a replacement in place of what is not UTF-8.",
    example: "from_utf8(from_hex('c3a9ff'), '?')",
    result: "é?",
};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::scalar(Kernel::new(
            &TO_UTF8,
            vec![takes([text()])],
            Returns::Type(DataType::Binary),
            |call| {
                each(
                    call,
                    |length| length,
                    |value, out| {
                        out.extend_from_slice(value);
                        Ok(())
                    },
                )
            },
        )),
        Entry::scalar(Kernel::new(
            &FROM_UTF8,
            vec![
                takes([bytes()]),
                takes([bytes(), text()]),
                takes([bytes(), bigint()]),
            ],
            Returns::Type(DataType::Utf8),
            from_utf8,
        )),
    ]
}

/// What takes the place of bytes that are not UTF-8.
enum Replacements {
    Default,
    Texts(Texts),
    Points(Bigints),
}

impl Replacements {
    /// `None` if the row's replacement is NULL; `Some(None)` if it is nothing.
    fn get(&self, row: usize) -> Result<Option<Option<char>>> {
        match self {
            Self::Default => Ok(Some(Some(char::REPLACEMENT_CHARACTER))),
            Self::Texts(texts) => {
                let Some(text) = texts.get(row) else {
                    return Ok(None);
                };
                let mut characters = text.chars();
                match (characters.next(), characters.next()) {
                    (one, None) => Ok(Some(one)),
                    _ => Err(invalid(format!(
                        "the replacement of from_utf8 must be one character or none, not {}",
                        quoted(text)
                    ))),
                }
            }
            Self::Points(points) => {
                let Some(point) = points.get(row) else {
                    return Ok(None);
                };
                let character = u32::try_from(point).ok().and_then(char::from_u32);
                match character {
                    Some(character) => Ok(Some(Some(character))),
                    None => Err(invalid(format!(
                        "the replacement of from_utf8 must be a code point, not {point}"
                    ))),
                }
            }
        }
    }
}

fn from_utf8(call: &Call<'_>) -> Result<ArrayRef> {
    let values = Bytes::of(call, 0)?;
    let replacements = match call.optional(1) {
        None => Replacements::Default,
        Some(_) => match argument(call, 1)?.array.data_type().is_integer() {
            true => Replacements::Points(Bigints::of(call, 1)?),
            false => Replacements::Texts(Texts::of(call, 1)?),
        },
    };
    let mut texts = StringBuilder::new();
    let mut buffer = String::new();
    for row in 0..call.rows {
        let replacement = replacements.get(row)?;
        let Some((value, replacement)) = values.get(row).zip(replacement) else {
            call.work.step()?;
            texts.append_null();
            continue;
        };
        call.work.builds(value.len())?;
        if let Ok(text) = std::str::from_utf8(value) {
            texts.append_value(text);
            continue;
        }
        // A byte may become a character of four.
        call.work.builds(value.len().saturating_mul(3))?;
        buffer.clear();
        let mut rest = value;
        while !rest.is_empty() {
            let valid = match std::str::from_utf8(rest) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let (text, after) = rest.split_at(valid);
            buffer.push_str(std::str::from_utf8(text).unwrap_or_default());
            if after.is_empty() {
                break;
            }
            buffer.extend(replacement);
            rest = after.get(wrong(after)..).unwrap_or_default();
        }
        texts.append_value(&buffer);
    }
    Ok(Arc::new(texts.finish()))
}

/// The number of bytes that are replaced together, at the start of bytes that are not UTF-8: a first
/// byte with those that may follow it, even if the sequence is too long or means no character.
fn wrong(bytes: &[u8]) -> usize {
    let length = match bytes.first() {
        Some(0xc0..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf7) => 4,
        Some(0xf8..=0xfb) => 5,
        Some(0xfc..=0xfd) => 6,
        _ => 1,
    };
    let following = bytes.iter().take(length).skip(1);
    1 + following.take_while(|byte| **byte & 0xc0 == 0x80).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn texts_become_bytes_and_back() {
        let query = "SELECT from_utf8(to_utf8(x)) FROM (VALUES ('é😀'), (''), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["é😀", "", "NULL"]);
        assert_eq!(value("to_utf8(NULL)").await.unwrap(), "NULL");
        assert!(error("from_utf8('text')").await.contains("from_utf8"));
    }

    #[tokio::test]
    async fn what_is_no_utf_8_is_replaced() {
        let query = "SELECT from_utf8(from_hex(x), '#') FROM (VALUES ('58BF'), ('58DF'), ('58F7'), ('58E0A0'), ('EDA08041'), ('F88080808041'), ('C080'), ('80BF'), (NULL)) t(x)";
        let expected = ["X#", "X#", "X#", "X#", "#A", "#A", "#", "##", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert_eq!(
            value("from_utf8(from_hex('58BF'))").await.unwrap(),
            "X\u{fffd}"
        );
        assert_eq!(
            value("from_utf8(from_hex('58BF41'), '')").await.unwrap(),
            "XA"
        );
        assert_eq!(
            value("from_utf8(from_hex('58BF'), 233)").await.unwrap(),
            "Xé"
        );
        assert_eq!(
            value("from_utf8(from_hex('58'), NULL)").await.unwrap(),
            "NULL"
        );
        assert!(
            error("from_utf8(from_hex('58'), 'ab')")
                .await
                .contains("one character")
        );
        assert!(
            error("from_utf8(from_hex('58'), 55296)")
                .await
                .contains("code point")
        );
    }
}
