//! `trim`, `ltrim` and `rtrim`.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;

use super::SECTION;
use super::arguments::{Texts, takes, text};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static TRIM: Page = Page {
    name: "trim",
    section: SECTION,
    syntax: "trim(text[, characters])",
    sentence: "Removes white space, or the given characters, from both ends of a text.",
    example: "trim('  a b ')",
    result: "a b",
};

static LTRIM: Page = Page {
    name: "ltrim",
    section: SECTION,
    syntax: "ltrim(text[, characters])",
    sentence: "Removes white space, or the given characters, from the start of a text.",
    example: "ltrim('xxa', 'x')",
    result: "a",
};

static RTRIM: Page = Page {
    name: "rtrim",
    section: SECTION,
    syntax: "rtrim(text[, characters])",
    sentence: "Removes white space, or the given characters, from the end of a text.",
    example: "rtrim('axx', 'x')",
    result: "a",
};

pub(super) fn entries() -> Vec<Entry> {
    let one_or_two = || vec![takes([text()]), takes([text(), text()])];
    let utf8 = || Returns::Type(DataType::Utf8);
    let all = [
        // `btrim` is what the planner calls for `TRIM(BOTH …)`.
        Kernel::new(&TRIM, one_or_two(), utf8(), |call| trim(call, true, true)).also(&["btrim"]),
        Kernel::new(&LTRIM, one_or_two(), utf8(), |call| trim(call, true, false)),
        Kernel::new(&RTRIM, one_or_two(), utf8(), |call| trim(call, false, true)),
    ];
    let all = all
        .into_iter()
        .map(|kernel| Entry::scalar(kernel).in_trino());
    all.collect()
}

/// Whether Java calls a character white space: the spaces of Unicode without those that do not
/// break, and the controls that separate.
fn is_space(character: char) -> bool {
    match character {
        '\u{9}'..='\u{d}' | '\u{1c}'..='\u{20}' => true,
        '\u{a0}' | '\u{2007}' | '\u{202f}' => false,
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{205f}' => true,
        '\u{3000}' => true,
        _ => false,
    }
}

fn trim(call: &Call<'_>, start: bool, end: bool) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let sets = Texts::optional(call, 1)?;
    let mut trimmed = StringBuilder::new();
    let mut set: Vec<char> = Vec::new();
    let mut set_of = None;
    for row in 0..call.rows {
        let Some(mut text) = texts.get(row) else {
            call.work.step()?;
            trimmed.append_null();
            continue;
        };
        match &sets {
            None => {
                if start {
                    text = text.trim_start_matches(is_space);
                }
                if end {
                    text = text.trim_end_matches(is_space);
                }
            }
            Some(sets) => {
                let Some(characters) = sets.get(row) else {
                    call.work.step()?;
                    trimmed.append_null();
                    continue;
                };
                if set_of != Some(characters) {
                    call.work.builds(characters.len().saturating_mul(4))?;
                    set.clear();
                    set.extend(characters.chars());
                    set.sort_unstable();
                    set.dedup();
                    set_of = Some(characters);
                }
                let is_removed = |character: char| match set.as_slice() {
                    [one] => character == *one,
                    set => set.binary_search(&character).is_ok(),
                };
                if start {
                    text = text.trim_start_matches(is_removed);
                }
                if end {
                    text = text.trim_end_matches(is_removed);
                }
            }
        }
        call.work.builds(text.len())?;
        trimmed.append_value(text);
    }
    Ok(Arc::new(trimmed.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{rows, value};

    #[tokio::test]
    async fn white_space_or_given_characters_are_trimmed() {
        let query = "SELECT concat('[', trim(x), ']') FROM (VALUES (' a b '), (chr(9) || 'a' || chr(12288)), (chr(160) || 'a '), (''), ('  ')) t(x)";
        let expected = ["[a b]", "[a]", "[\u{a0}a]", "[]", "[]"];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert_eq!(value("ltrim(' a ') || '|'").await.unwrap(), "a |");
        assert_eq!(value("rtrim(' a ') || '|'").await.unwrap(), " a|");
        let query = "SELECT trim(x, c) FROM (VALUES ('xyéax', 'éxy'), ('aa', 'a'), ('a', ''), (NULL, 'a'), ('a', NULL)) t(x, c)";
        assert_eq!(rows(query).await.unwrap(), ["a", "", "a", "NULL", "NULL"]);
        assert_eq!(value("trim(BOTH 'x' FROM 'xax')").await.unwrap(), "a");
        assert_eq!(value("trim(LEADING 'x' FROM 'xax')").await.unwrap(), "ax");
        assert_eq!(
            value("trim(TRAILING 'x' FROM 'xax') || '|'").await.unwrap(),
            "xa|"
        );
    }
}
