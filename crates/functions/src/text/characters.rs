//! `codepoint`, `length`, `lower`, `upper`, `reverse` and `char2hexint`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Array, Int64Builder, StringArray, StringBuilder,
};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::functions_nested::reverse::array_reverse_udf;
use datafusion::logical_expr::TypeSignature;
use lakegate_error::Error;

use super::SECTION;
use super::arguments::{Bytes, Texts, argument, bytes, invalid, quoted, takes, text};
use super::delegate::called;
use super::scans::{self, characters};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static CODEPOINT: Page = Page {
    name: "codepoint",
    section: SECTION,
    syntax: "codepoint(text)",
    sentence: "Returns the Unicode code point of a text of one character.",
    example: "codepoint('é')",
    result: "233",
};

static LENGTH: Page = Page {
    name: "length",
    section: SECTION,
    syntax: "length(text)",
    sentence: "Returns the number of characters of a text, or of bytes of a varbinary.",
    example: "length('naïve')",
    result: "5",
};

static LOWER: Page = Page {
    name: "lower",
    section: SECTION,
    syntax: "lower(text)",
    sentence: "Returns a text in lower case, character by character.",
    example: "lower('ÉTÉ')",
    result: "été",
};

static UPPER: Page = Page {
    name: "upper",
    section: SECTION,
    syntax: "upper(text)",
    sentence: "Returns a text in upper case, character by character.",
    example: "upper('straße')",
    result: "STRAßE",
};

static REVERSE: Page = Page {
    name: "reverse",
    section: SECTION,
    syntax: "reverse(value)",
    sentence: "Returns a text, a varbinary or an array from its end to its start.",
    example: "reverse('abc')",
    result: "cba",
};

static CHAR2HEXINT: Page = Page {
    name: "char2hexint",
    section: SECTION,
    syntax: "char2hexint(text)",
    sentence: "Returns the UTF-16 of a text in hexadecimal digits.",
    example: "char2hexint('123')",
    result: "003100320033",
};

pub(super) fn entries() -> Vec<Entry> {
    let one_text = || vec![takes([text()])];
    let utf8 = || Returns::Type(DataType::Utf8);
    vec![
        Entry::scalar(Kernel::new(
            &CODEPOINT,
            one_text(),
            Returns::Type(DataType::Int32),
            codepoint,
        )),
        // PostgreSQL's is an integer.
        Entry::scalar(Kernel::new(
            &LENGTH,
            vec![takes([text()]), takes([bytes()])],
            Returns::Type(DataType::Int64),
            length,
        ))
        .in_trino(),
        // PostgreSQL's returns texts of the argument's type.
        Entry::scalar(Kernel::new(&LOWER, one_text(), utf8(), |call| {
            cased(call, str::make_ascii_lowercase, lower)
        }))
        .in_trino(),
        Entry::scalar(Kernel::new(&UPPER, one_text(), utf8(), |call| {
            cased(call, str::make_ascii_uppercase, upper)
        }))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &REVERSE,
            vec![TypeSignature::Any(1)],
            Returns::From(reversed_type),
            reverse,
        )),
        Entry::scalar(Kernel::new(&CHAR2HEXINT, one_text(), utf8(), char2hexint)),
    ]
}

fn codepoint(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let mut points = Int32Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(4)?;
        let Some(text) = texts.get(row) else {
            points.append_null();
            continue;
        };
        let mut characters = text.chars();
        let (Some(only), None) = (characters.next(), characters.next()) else {
            return Err(invalid(format!(
                "codepoint takes a text of one character, not {}",
                quoted(text)
            )));
        };
        points.append_option(i32::try_from(u32::from(only)).ok());
    }
    Ok(Arc::new(points.finish()))
}

fn length(call: &Call<'_>) -> Result<ArrayRef> {
    call.work.builds(call.rows.saturating_mul(8))?;
    let long = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    if is_bytes(argument(call, 0)?.array.data_type()) {
        let values = Bytes::of(call, 0)?;
        let mut lengths = Int64Builder::with_capacity(call.rows);
        for row in 0..call.rows {
            call.work.step()?;
            lengths.append_option(values.get(row).map(|bytes| long(bytes.len())));
        }
        return Ok(Arc::new(lengths.finish()));
    }
    let texts = Texts::of(call, 0)?;
    let mut lengths = Vec::with_capacity(call.rows);
    texts.each(call.rows, |_, text| {
        call.work.step()?;
        lengths.push(text.map_or(0, |text| long(characters(text))));
        Ok(())
    })?;
    let nulls = texts.nulls(call.rows);
    Ok(Arc::new(Int64Array::try_new(lengths.into(), nulls)?))
}

/// Whether a type is `varbinary`.
pub(super) fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

/// Whether a type is `varchar`, or that of an untyped NULL.
pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
    )
}

/// Maps each character to one. `ascii` maps a text of ASCII in its place, `other` a character that
/// is not of ASCII.
fn cased(
    call: &Call<'_>,
    ascii: impl Fn(&mut str) + Copy,
    other: impl Fn(char) -> char + Copy,
) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    if let Some(texts) = texts.as_ascii() {
        return cased_ascii(call, texts.clone(), ascii);
    }
    let mut mapped = StringBuilder::with_capacity(call.rows, texts.reserve());
    let mut buffer = String::new();
    texts.each(call.rows, |_, text| {
        let Some(text) = text else {
            call.work.step()?;
            mapped.append_null();
            return Ok(());
        };
        // A character of two bytes may become one of three.
        call.work.builds(text.len().saturating_mul(3) / 2)?;
        buffer.clear();
        push_cased(&mut buffer, text, ascii, other);
        mapped.append_value(&buffer);
        Ok(())
    })?;
    Ok(Arc::new(mapped.finish()))
}

/// Appends a text whose characters are mapped, those of ASCII many at once.
#[inline]
fn push_cased(
    buffer: &mut String,
    text: &str,
    ascii: impl Fn(&mut str),
    other: impl Fn(char) -> char,
) {
    let mut rest = text;
    loop {
        let (plain, after) = rest.split_at(scans::ascii(rest));
        let from = buffer.len();
        buffer.push_str(plain);
        if let Some(pushed) = buffer.get_mut(from..) {
            ascii(pushed);
        }
        let mut characters = after.chars();
        let Some(character) = characters.next() else {
            return;
        };
        buffer.push(other(character));
        rest = characters.as_str();
    }
}

/// Maps all texts at once: their places do not change.
fn cased_ascii(call: &Call<'_>, texts: StringArray, ascii: impl Fn(&mut str)) -> Result<ArrayRef> {
    call.work.builds(texts.value_data().len())?;
    let (offsets, values, nulls) = texts.into_parts();
    let values = String::from_utf8(values.to_vec());
    let mut values = values.map_err(|_| Error::internal("a text is not UTF-8"))?;
    ascii(&mut values);
    Ok(Arc::new(StringArray::try_new(
        offsets,
        Buffer::from_vec(values.into_bytes()),
        nulls,
    )?))
}

/// Unicode's simple mapping to lower case.
pub fn lower(character: char) -> char {
    let mut mapped = character.to_lowercase();
    match (mapped.next(), mapped.next(), character) {
        (Some(one), None, _) => one,
        // The only character whose full mapping has two characters.
        (_, _, 'İ') => 'i',
        _ => character,
    }
}

/// Unicode's simple mapping to upper case.
pub fn upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        // Greek letters with an iota below have a simple mapping beside the full one.
        _ => match character {
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                moved(character, 8)
            }
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => moved(character, 9),
            _ => character,
        },
    }
}

fn moved(character: char, by: u32) -> char {
    char::from_u32(u32::from(character) + by).unwrap_or(character)
}

fn reversed_type(types: &[DataType]) -> Result<DataType> {
    match types {
        [data_type] if is_text(data_type) => Ok(DataType::Utf8),
        [data_type] if is_bytes(data_type) => Ok(DataType::Binary),
        [list @ (DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))] => {
            array_reverse_udf().return_type(std::slice::from_ref(list))
        }
        _ => Err(invalid("reverse takes a text, a varbinary or an array")),
    }
}

fn reverse(call: &Call<'_>) -> Result<ArrayRef> {
    match call.returns {
        DataType::Utf8 => {
            let texts = Texts::of(call, 0)?;
            let mut reversed = StringBuilder::new();
            let mut buffer = String::new();
            for row in 0..call.rows {
                let text = texts.get(row);
                call.work.builds(text.map_or(0, str::len))?;
                reversed.append_option(text.map(|text| {
                    buffer.clear();
                    buffer.extend(text.chars().rev());
                    buffer.as_str()
                }));
            }
            Ok(Arc::new(reversed.finish()))
        }
        DataType::Binary => {
            let values = Bytes::of(call, 0)?;
            let mut reversed = BinaryBuilder::new();
            let mut buffer = Vec::new();
            for row in 0..call.rows {
                let value = values.get(row);
                call.work.builds(value.map_or(0, <[u8]>::len))?;
                reversed.append_option(value.map(|value| {
                    buffer.clear();
                    buffer.extend(value.iter().rev());
                    buffer.as_slice()
                }));
            }
            Ok(Arc::new(reversed.finish()))
        }
        _ => {
            let array = &argument(call, 0)?.array;
            call.work.builds(array.get_buffer_memory_size())?;
            called(call, &array_reverse_udf())
        }
    }
}

fn char2hexint(call: &Call<'_>) -> Result<ArrayRef> {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let texts = Texts::of(call, 0)?;
    let mut all = StringBuilder::new();
    let mut digits = String::new();
    for row in 0..call.rows {
        let text = texts.get(row);
        // A byte of UTF-8 becomes at most one unit of four digits.
        call.work
            .builds(text.map_or(0, |text| text.len().saturating_mul(4)))?;
        all.append_option(text.map(|text| {
            digits.clear();
            for unit in text.encode_utf16() {
                for shift in [12, 8, 4, 0] {
                    digits.extend(DIGITS.get(usize::from(unit >> shift & 0xf)));
                }
            }
            digits.as_str()
        }));
    }
    Ok(Arc::new(all.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn code_points_are_of_one_character() {
        let query = "SELECT codepoint(x) FROM (VALUES ('x'), ('😀'), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["120", "128512", "NULL"]);
        assert!(error("codepoint('xy')").await.contains("one character"));
        assert!(error("codepoint('')").await.contains("one character"));
        assert_eq!(value("chr(233)").await.unwrap(), "é");
    }

    #[tokio::test]
    async fn lengths_are_of_characters_and_of_bytes() {
        let query = "SELECT length(x) FROM (VALUES ('x'), ('é😀'), (''), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1", "2", "0", "NULL"]);
        let query = "SELECT length(to_utf8(x)) FROM (VALUES ('x'), ('é😀'), (''), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1", "6", "0", "NULL"]);
        assert_eq!(value("typeof(length('x'))").await.unwrap(), "bigint");
        assert_eq!(
            value("length(arrow_cast('é', 'Utf8View'))").await.unwrap(),
            "1"
        );
        assert_eq!(value("length(NULL)").await.unwrap(), "NULL");
        assert!(error("length(12)").await.contains("length"));
    }

    #[tokio::test]
    async fn case_is_mapped_character_by_character() {
        let query = "SELECT upper(x) FROM (VALUES ('abc'), ('ß'), ('ᾳ'), ('ŉ'), ('é😀'), (''), (NULL)) t(x)";
        let expected = ["ABC", "ß", "ᾼ", "ŉ", "É😀", "", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        let query = "SELECT lower(x) FROM (VALUES ('ABC'), ('ΑΣ'), ('İ'), (''), (NULL)) t(x)";
        let expected = ["abc", "ας".replace('ς', "σ").as_str(), "i", "", "NULL"].map(str::to_owned);
        assert_eq!(rows(query).await.unwrap(), expected);
        let query = "SELECT upper(x) FROM (VALUES ('abc'), (NULL), ('D')) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["ABC", "NULL", "D"]);
        assert_eq!(value("upper('x') || lower('Y')").await.unwrap(), "Xy");
    }

    #[test]
    fn many_characters_are_mapped_as_one_by_one() {
        let pieces = [
            "a",
            "Z",
            "é",
            "É",
            "ß",
            "İ",
            "Ⱥ",
            "ⱥ",
            "\u{212a}",
            "ᾳ",
            "😀",
            "Straße 12, ÄÖÜ",
            "@[`{",
        ];
        for first in pieces {
            for second in pieces {
                for length in 0..20 {
                    let text = format!("{first}{}{second}{first}", "Ab".repeat(length));
                    let mut mapped = String::from("x");
                    super::push_cased(&mut mapped, &text, str::make_ascii_lowercase, super::lower);
                    let plain: String = text.chars().map(super::lower).collect();
                    assert_eq!(mapped.strip_prefix('x').unwrap(), plain);
                    mapped.clear();
                    super::push_cased(&mut mapped, &text, str::make_ascii_uppercase, super::upper);
                    let plain: String = text.chars().map(super::upper).collect();
                    assert_eq!(mapped, plain);
                }
            }
        }
    }

    #[tokio::test]
    async fn views_are_read_as_texts_are() {
        let views = "(SELECT arrow_cast(x, 'Utf8View') AS x FROM (VALUES ('Éa of twelve bytes'), ('B'), (NULL)) t(x)) v";
        let query = format!("SELECT lower(x) FROM {views}");
        let expected = ["éa of twelve bytes", "b", "NULL"];
        assert_eq!(rows(&query).await.unwrap(), expected);
        let query = format!("SELECT length(x) FROM {views}");
        assert_eq!(rows(&query).await.unwrap(), ["18", "1", "NULL"]);
    }

    #[tokio::test]
    async fn texts_bytes_and_arrays_are_reversed() {
        let query = "SELECT reverse(x) FROM (VALUES ('abc'), ('é😀'), (''), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["cba", "😀é", "", "NULL"]);
        assert_eq!(value("reverse(to_utf8('abc'))").await.unwrap(), "63 62 61");
        assert_eq!(
            value("reverse(ARRAY[1, NULL, 3])").await.unwrap(),
            "[3, NULL, 1]"
        );
        let query = "SELECT reverse(x) FROM (VALUES (ARRAY[1, 2]), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["[2, 1]", "NULL"]);
        assert!(error("reverse(1)").await.contains("reverse"));
    }

    #[tokio::test]
    async fn utf_16_is_in_hexadecimal() {
        assert_eq!(value("char2hexint('😀')").await.unwrap(), "D83DDE00");
        assert_eq!(value("char2hexint('')").await.unwrap(), "");
        assert_eq!(value("char2hexint(NULL)").await.unwrap(), "NULL");
    }
}
