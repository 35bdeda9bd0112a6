//! `split`, `split_part`, and maps from texts such as `a=1&b=2`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::error::Result;
use memchr::memchr;
use memchr::memmem::Finder;

use super::SECTION;
use super::arguments::{Bigints, Texts, bigint, invalid, quoted, takes, text};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static SPLIT: Page = Page {
    name: "split",
    section: SECTION,
    syntax: "split(text, delimiter[, limit])",
    sentence: "Returns the parts of a text between delimiters as an array of at most `limit` items.",
    example: "split('a-b-c', '-')",
    result: "[a, b, c]",
};

static SPLIT_PART: Page = Page {
    name: "split_part",
    section: SECTION,
    syntax: "split_part(text, delimiter, index)",
    sentence: "Returns one of the parts of a text between delimiters, counted from 1, or NULL if there are fewer.",
    example: "split_part('a-b-c', '-', 2)",
    result: "b",
};

static SPLIT_TO_MAP: Page = Page {
    name: "split_to_map",
    section: SECTION,
    syntax: "split_to_map(text, entry_delimiter, key_value_delimiter)",
    sentence: "Returns the entries of a text as a map; a key must be there once.",
    example: "split_to_map('a=1&b=2', '&', '=')",
    result: "{a=1, b=2}",
};

static SPLIT_TO_MULTIMAP: Page = Page {
    name: "split_to_multimap",
    section: SECTION,
    syntax: "split_to_multimap(text, entry_delimiter, key_value_delimiter)",
    sentence: "Returns the entries of a text as a map with an array of values for each key.",
    example: "split_to_multimap('a=1&b=2&a=3', '&', '=')",
    result: "{a=[1, 3], b=[2]}",
};

/// Bytes of an item beside its text.
const ITEM: usize = 8;

pub(super) fn entries() -> Vec<Entry> {
    let strings = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    vec![
        Entry::scalar(Kernel::new(
            &SPLIT,
            vec![takes([text(), text()]), takes([text(), text(), bigint()])],
            Returns::Type(strings),
            split,
        )),
        Entry::scalar(Kernel::new(
            &SPLIT_PART,
            vec![takes([text(), text(), bigint()])],
            Returns::Type(DataType::Utf8),
            split_part,
        ))
        .in_trino(),
        Entry::scalar(Kernel::new(
            &SPLIT_TO_MAP,
            vec![takes([text(), text(), text()])],
            Returns::From(|_| Ok(map_type(DataType::Utf8))),
            split_to_map,
        )),
        Entry::scalar(Kernel::new(
            &SPLIT_TO_MULTIMAP,
            vec![takes([text(), text(), text()])],
            Returns::From(|_| {
                let strings = Field::new_list_field(DataType::Utf8, true);
                Ok(map_type(DataType::List(Arc::new(strings))))
            }),
            split_to_multimap,
        )),
    ]
}

/// The type of a map of texts, with the engine's names of its fields.
fn map_type(value: DataType) -> DataType {
    let fields = vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", value, true),
    ];
    let entries = Field::new("entries", DataType::Struct(fields.into()), false);
    DataType::Map(Arc::new(entries), false)
}

fn field_names() -> MapFieldNames {
    MapFieldNames {
        entry: "entries".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    }
}

/// The only character of a text, which is found faster than a text.
fn only_character(text: &str) -> Option<char> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (only, None) => only,
        _ => None,
    }
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, delimiters) = (Texts::of(call, 0)?, Texts::of(call, 1)?);
    let limits = Bigints::optional(call, 2)?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        call.work.builds(ITEM)?;
        let limit = match &limits {
            None => Some(usize::MAX),
            Some(limits) => limits.get(row).map(limit).transpose()?,
        };
        let (Some(text), Some(delimiter), Some(limit)) =
            (texts.get(row), delimiters.get(row), limit)
        else {
            lists.append_null();
            continue;
        };
        if delimiter.is_empty() {
            return Err(invalid("the delimiter of split must not be empty"));
        }
        match only_character(delimiter) {
            Some(one) => append(call, text.splitn(limit, one), &mut lists)?,
            None => append(call, text.splitn(limit, delimiter), &mut lists)?,
        }
    }
    Ok(Arc::new(lists.finish()))
}

fn append<'a>(
    call: &Call<'_>,
    parts: impl Iterator<Item = &'a str>,
    lists: &mut ListBuilder<StringBuilder>,
) -> Result<()> {
    for part in parts {
        call.work.builds(part.len() + ITEM)?;
        lists.values().append_value(part);
    }
    lists.append(true);
    Ok(())
}

fn limit(limit: i64) -> Result<usize> {
    match usize::try_from(limit) {
        Ok(limit) if limit > 0 && i32::try_from(limit).is_ok() => Ok(limit),
        _ => Err(invalid(format!(
            "the limit of split must be from 1 to {}, not {limit}",
            i32::MAX
        ))),
    }
}

fn split_part(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, delimiters) = (Texts::of(call, 0)?, Texts::of(call, 1)?);
    let indexes = Bigints::of(call, 2)?;
    let only = delimiters.only().filter(|delimiter| !delimiter.is_empty());
    let finder = only.map(Finder::new);
    let mut parts = StringBuilder::with_capacity(call.rows, call.rows);
    texts.each(call.rows, |row, text| {
        call.work.step()?;
        let delimiter = only.or_else(|| delimiters.get(row));
        let (Some(text), Some(delimiter), Some(index)) = (text, delimiter, indexes.get(row)) else {
            parts.append_null();
            return Ok(());
        };
        if index <= 0 {
            return Err(invalid(format!(
                "the index of split_part must be greater than 0, not {index}"
            )));
        }
        // A text has no part beyond the maximum of `usize`.
        let skipped = usize::try_from(index - 1).unwrap_or(usize::MAX);
        let part = if let Some(finder) = &finder {
            nth_part(text, finder, skipped)
        } else if delimiter.is_empty() {
            let mut starts = text.char_indices().map(|(start, _)| start);
            let start = starts.nth(skipped);
            let end = starts.next().unwrap_or(text.len());
            start.and_then(|start| text.get(start..end))
        } else {
            match only_character(delimiter) {
                Some(one) => text.split(one).nth(skipped),
                None => text.split(delimiter).nth(skipped),
            }
        };
        call.work.builds(part.map_or(0, str::len))?;
        parts.append_option(part);
        Ok(())
    })?;
    Ok(Arc::new(parts.finish()))
}

/// Returns the part of a text after so many delimiters, which are not empty.
#[inline]
fn nth_part<'a>(text: &'a str, delimiter: &Finder<'_>, skipped: usize) -> Option<&'a str> {
    let find = |text: &str| match delimiter.needle() {
        [one] => memchr(*one, text.as_bytes()),
        _ => delimiter.find(text.as_bytes()),
    };
    let mut rest = text;
    for _ in 0..skipped {
        rest = rest.get(find(rest)? + delimiter.needle().len()..)?;
    }
    match find(rest) {
        Some(end) => rest.get(..end),
        None => Some(rest),
    }
}

/// Calls `each` with the keys and values of a text's entries, in order.
fn for_each_entry<'a>(
    call: &Call<'_>,
    text: &'a str,
    entry_delimiter: &str,
    key_delimiter: &str,
    mut each: impl FnMut(&'a str, &'a str) -> Result<()>,
) -> Result<()> {
    if entry_delimiter.is_empty() || key_delimiter.is_empty() {
        return Err(invalid(format!(
            "the delimiters of {} must not be empty",
            call.name
        )));
    }
    if entry_delimiter == key_delimiter {
        return Err(invalid(format!(
            "the delimiters of {} must not be the same",
            call.name
        )));
    }
    let mut rest = Some(text);
    while let Some(left) = rest.filter(|left| !left.is_empty()) {
        let (entry, after) = match left.split_once(entry_delimiter) {
            Some((entry, after)) => (entry, Some(after)),
            None => (left, None),
        };
        let pair = entry.split_once(key_delimiter);
        let Some((key, value)) = pair.filter(|(_, value)| !value.contains(key_delimiter)) else {
            return Err(invalid(format!(
                "an entry must have the key-value delimiter exactly once: {}",
                quoted(entry)
            )));
        };
        call.work.builds(entry.len() + 2 * ITEM)?;
        each(key, value)?;
        rest = after;
    }
    Ok(())
}

fn split_to_map(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let (entry_delimiters, key_delimiters) = (Texts::of(call, 1)?, Texts::of(call, 2)?);
    let (keys, values) = (StringBuilder::new(), StringBuilder::new());
    let mut maps = MapBuilder::new(Some(field_names()), keys, values);
    let mut seen = HashSet::new();
    for row in 0..call.rows {
        call.work.builds(ITEM)?;
        let (Some(text), Some(entry_delimiter), Some(key_delimiter)) = (
            texts.get(row),
            entry_delimiters.get(row),
            key_delimiters.get(row),
        ) else {
            maps.append(false)?;
            continue;
        };
        seen.clear();
        for_each_entry(call, text, entry_delimiter, key_delimiter, |key, value| {
            if !seen.insert(key) {
                return Err(invalid(format!("the key {} is there twice", quoted(key))));
            }
            maps.keys().append_value(key);
            maps.values().append_value(value);
            Ok(())
        })?;
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}

fn split_to_multimap(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let (entry_delimiters, key_delimiters) = (Texts::of(call, 1)?, Texts::of(call, 2)?);
    let values = ListBuilder::new(StringBuilder::new());
    let mut maps = MapBuilder::new(Some(field_names()), StringBuilder::new(), values);
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in 0..call.rows {
        call.work.builds(ITEM)?;
        let (Some(text), Some(entry_delimiter), Some(key_delimiter)) = (
            texts.get(row),
            entry_delimiters.get(row),
            key_delimiters.get(row),
        ) else {
            maps.append(false)?;
            continue;
        };
        places.clear();
        all.clear();
        for_each_entry(call, text, entry_delimiter, key_delimiter, |key, value| {
            let place = *places.entry(key).or_insert(all.len());
            match all.get_mut(place) {
                Some((_, values)) => values.push(value),
                None => all.push((key, vec![value])),
            }
            Ok(())
        })?;
        for (key, values) in &all {
            maps.keys().append_value(key);
            for value in values {
                maps.values().values().append_value(value);
            }
            maps.values().append(true);
        }
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn texts_are_split_at_delimiters() {
        let query =
            "SELECT split(x, ',') FROM (VALUES ('a,b'), (''), (','), ('é,😀,'), (NULL)) t(x)";
        let expected = ["[a, b]", "[]", "[, ]", "[é, 😀, ]", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert_eq!(
            value("split('a--b--c', '--', 2)").await.unwrap(),
            "[a, b--c]"
        );
        assert_eq!(value("split('a,b', ',', 1)").await.unwrap(), "[a,b]");
        assert_eq!(value("split('a,b', ',', 9)").await.unwrap(), "[a, b]");
        assert_eq!(value("cardinality(split('', ','))").await.unwrap(), "1");
        assert_eq!(value("split(NULL, ',')").await.unwrap(), "NULL");
        assert_eq!(value("split('a', ',', NULL)").await.unwrap(), "NULL");
        assert!(error("split('a', '')").await.contains("empty"));
        assert!(error("split('a', ',', 0)").await.contains("limit"));
        assert!(error("split('a', ',', -1)").await.contains("limit"));
        assert!(error("split(1, ',')").await.contains("split"));
    }

    #[tokio::test]
    async fn parts_past_the_end_are_null() {
        let query = "SELECT split_part(x, ',', n) FROM (VALUES ('a,b', 2), ('a,b', 3), ('', 1), ('é', 1), (NULL, 1), ('a', NULL)) t(x, n)";
        let expected = ["b", "NULL", "", "é", "NULL", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert_eq!(value("split_part('aé😀', '', 2)").await.unwrap(), "é");
        assert_eq!(value("split_part('aé😀', '', 3)").await.unwrap(), "😀");
        assert_eq!(value("split_part('aé😀', '', 4)").await.unwrap(), "NULL");
        assert_eq!(value("split_part('a--b', '--', 2)").await.unwrap(), "b");
        assert_eq!(
            value("split_part('a', ',', 9223372036854775807)")
                .await
                .unwrap(),
            "NULL"
        );
        assert!(
            error("split_part('a', ',', 0)")
                .await
                .contains("greater than 0")
        );
        assert!(
            error("split_part('a', ',', -1)")
                .await
                .contains("greater than 0")
        );
    }

    #[tokio::test]
    async fn entries_become_maps() {
        let query = "SELECT split_to_map(x, ',', '=>') FROM (VALUES ('a=>1,b=>'), (''), (NULL), ('=>2')) t(x)";
        let expected = ["{a=1, b=}", "{}", "NULL", "{=2}"];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert_eq!(
            value("split_to_map('a=1;', ';', '=')").await.unwrap(),
            "{a=1}"
        );
        assert!(
            error("split_to_map('a=1;a=2', ';', '=')")
                .await
                .contains("twice")
        );
        assert!(
            error("split_to_map('a', ';', '=')")
                .await
                .contains("exactly once")
        );
        assert!(
            error("split_to_map('a=1=2', ';', '=')")
                .await
                .contains("exactly once")
        );
        assert!(
            error("split_to_map('a', '=', '=')")
                .await
                .contains("the same")
        );
        assert!(error("split_to_map('a', '', '=')").await.contains("empty"));
        assert_eq!(
            value("split_to_map('a=1', ';', '=')['a']").await.unwrap(),
            "1"
        );
    }

    #[tokio::test]
    async fn keys_of_a_multimap_keep_all_values() {
        let query = "SELECT split_to_multimap(x, ',', ':') FROM (VALUES ('a:1,b:2,a:3'), (''), (NULL)) t(x)";
        let expected = ["{a=[1, 3], b=[2]}", "{}", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert!(
            error("split_to_multimap('a', ',', ':')")
                .await
                .contains("exactly once")
        );
    }
}
