//! `regexp_replace` with a lambda, which makes a match's replacement of its groups.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;

use super::SECTION;
use super::call::{Call, Definition, Parameter, Parameters, entry};
use super::items::first;
use crate::arrays::types::{conformed, list_type, mismatch};
use crate::docs::Page;
use crate::entry::Entry;
use crate::regexps::{Patterns, after};

static REPLACE: Definition = Definition {
    page: &Page {
        name: "$regexp_replace",
        section: SECTION,
        syntax: "$regexp_replace(text, pattern, groups -> replacement)",
        sentence: "Replaces all matches of a pattern by what a lambda makes of their groups.",
        example: r#""$regexp_replace"('new york', '(\w)(\w*)', x -> concat(upper(x[1]), x[2]))"#,
        result: "New York",
    },
    takes: "vvl",
    coerced: |name, types| {
        let text = |of: &DataType| match of.is_string() || of.is_null() {
            true => Ok(DataType::Utf8),
            false => Err(mismatch(name, "texts", of)),
        };
        types.iter().map(text).collect()
    },
    parameters: |_, _| Ok(Parameters::All(vec![vec![list_type(DataType::Utf8)]])),
    returns: |name, _, lambdas| match first(lambdas) {
        text if text.is_string() || text.is_null() => Ok(DataType::Utf8),
        other => Err(mismatch(name, "a lambda that returns a text", &other)),
    },
    body: replace,
};

pub(super) fn entries() -> Vec<Entry> {
    // The name without the sign is the scalar function's.
    vec![entry(&REPLACE).unlisted()]
}

fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (text, pattern) = (&call.values[0], &call.values[1]);
    let texts = conformed(&text.array, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let patterns = conformed(&pattern.array, &DataType::Utf8)?;
    let patterns = patterns.as_string::<i32>();
    let get = |row: usize| {
        let (text, pattern) = (text.at(row), pattern.at(row));
        let both = texts.is_valid(text) && patterns.is_valid(pattern);
        both.then(|| (texts.value(text), patterns.value(pattern)))
    };

    let mut known = Patterns::default();
    let mut groups = ListBuilder::new(StringBuilder::new());
    let mut rows: Vec<u32> = Vec::new();
    let mut matches: Vec<Range<usize>> = Vec::new();
    for row in 0..call.rows {
        let Some((text, pattern)) = get(row) else {
            call.work.step()?;
            continue;
        };
        let pattern = known.get(pattern)?;
        let mut next = 0;
        while let Some(found) = pattern.captures(text, next)? {
            for group in 1..=pattern.groups() {
                let part = found.get(group).and_then(|range| text.get(range));
                call.work.builds(4 + part.map_or(0, str::len))?;
                groups.values().append_option(part);
            }
            call.work.builds(24)?;
            groups.append(true);
            rows.push(row as u32);
            let whole = found.whole();
            next = after(text, &whole);
            matches.push(whole);
        }
    }
    let groups: ArrayRef = Arc::new(groups.finish());
    let groups = conformed(&groups, &list_type(DataType::Utf8))?;
    let lambda = call.lambda(0, &DataType::Utf8)?;
    let made = lambda.evaluate(&rows, &[Parameter::Each(&groups)])?;
    let made = made.as_string::<i32>();

    let mut results = StringBuilder::with_capacity(call.rows, 0);
    let mut buffer = String::new();
    let mut place = 0;
    for row in 0..call.rows {
        let Some((text, _)) = get(row) else {
            results.append_null();
            continue;
        };
        call.work.builds(text.len())?;
        buffer.clear();
        let (mut end, mut unknown) = (0, false);
        while rows.get(place).is_some_and(|of| *of as usize == row) {
            let found = matches.get(place).cloned().unwrap_or(end..end);
            buffer.push_str(text.get(end..found.start).unwrap_or_default());
            match made.is_valid(place) {
                true => {
                    call.work.builds(made.value(place).len())?;
                    buffer.push_str(made.value(place));
                }
                false => unknown = true,
            }
            end = found.end;
            place += 1;
        }
        buffer.push_str(text.get(end..).unwrap_or_default());
        // One unknown part makes the text unknown.
        match unknown {
            true => results.append_null(),
            false => results.append_value(&buffer),
        }
    }
    Ok(Arc::new(results.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows};

    #[tokio::test]
    async fn matches_are_replaced_by_their_groups() {
        let query = r#"SELECT "$regexp_replace"(x, '(\w)(\d)?', g -> concat(y, coalesce(g[2], '-'))) FROM (VALUES ('a1 b', '<'), ('', '<'), (NULL, '<'), ('é', '<'), ('a', NULL)) t(x, y)"#;
        let expected = ["<1 <-", "", "NULL", "é", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        let call = r#""$regexp_replace"('a', '(', g -> 'x')"#;
        assert!(error(call).await.contains("not valid"));
    }
}
