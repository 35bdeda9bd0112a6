//! The functions that search a text for a pattern.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Int32Builder, Int64Builder, ListBuilder,
    StringBuilder,
};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use lakegate_error::Error;

use super::pattern::{Pattern, Patterns, after};
use super::template::Template;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::text::arguments::{Texts, bigint, takes, text};

const SECTION: &str = "Regular expression";

/// Bytes that an item of a list takes beside its text.
const ITEM: usize = 5;

static LIKE: Page = Page {
    name: "regexp_like",
    section: SECTION,
    syntax: "regexp_like(text, pattern)",
    sentence: "Returns whether a regular expression matches a part of a text.",
    example: r"regexp_like('1a 2b 14m', '\d+b')",
    result: "true",
};

static COUNT: Page = Page {
    name: "regexp_count",
    section: SECTION,
    syntax: "regexp_count(text, pattern)",
    sentence: "Returns how often a regular expression matches in a text.",
    example: r"regexp_count('1a 2b 14m', '\s*[a-z]+\s*')",
    result: "3",
};

static POSITION: Page = Page {
    name: "regexp_position",
    section: SECTION,
    syntax: "regexp_position(text, pattern[, start[, occurrence]])",
    sentence: "Returns the place of a match of a regular expression, counted from 1, and -1 if there is none.",
    example: r"regexp_position('I have 23 apples, 5 pears and 13 oranges', '\b\d+\b', 12)",
    result: "19",
};

static EXTRACT: Page = Page {
    name: "regexp_extract",
    section: SECTION,
    syntax: "regexp_extract(text, pattern[, group])",
    sentence: "Returns the first match of a regular expression, or a group of it.",
    example: r"regexp_extract('1a 2b 14m', '(\d+)([a-z]+)', 2)",
    result: "a",
};

static EXTRACT_ALL: Page = Page {
    name: "regexp_extract_all",
    section: SECTION,
    syntax: "regexp_extract_all(text, pattern[, group])",
    sentence: "Returns all matches of a regular expression, or a group of each.",
    example: r"regexp_extract_all('1a 2b 14m', '\d+')",
    result: "[1, 2, 14]",
};

static SPLIT: Page = Page {
    name: "regexp_split",
    section: SECTION,
    syntax: "regexp_split(text, pattern)",
    sentence: "Returns the parts of a text between the matches of a regular expression.",
    example: r"regexp_split('1a 2b 14', '\s*[a-z]+\s*')",
    result: "[1, 2, 14]",
};

static REPLACE: Page = Page {
    name: "regexp_replace",
    section: SECTION,
    syntax: "regexp_replace(text, pattern[, replacement])",
    sentence: "Replaces or removes all matches of a regular expression; $1 and ${name} are its groups.",
    example: r"regexp_replace('1a 2b 14m', '(\d+)([ab]) ', '3c$2 ')",
    result: "3ca 3cb 14m",
};

pub(crate) fn entries() -> Vec<Entry> {
    let exact = |more: &[DataType]| {
        let mut types = vec![DataType::Utf8, DataType::Utf8];
        types.extend_from_slice(more);
        TypeSignature::Exact(types)
    };
    // Texts that are read as they are, views too; others become texts first.
    let two = || vec![takes([text(), text()]), exact(&[])];
    let with_group = || {
        let numbered = [takes([text(), text(), bigint()]), exact(&[DataType::Int64])];
        [two(), numbered.into()].concat()
    };
    let of = Returns::Type;
    let texts = || DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let kernels = [
        Kernel::new(&EXTRACT, with_group(), of(DataType::Utf8), extract),
        Kernel::new(&EXTRACT_ALL, with_group(), of(texts()), extract_all),
        Kernel::new(&SPLIT, two(), of(texts()), split),
        Kernel::new(
            &POSITION,
            vec![
                exact(&[]),
                exact(&[DataType::Int64]),
                exact(&[DataType::Int64, DataType::Int64]),
            ],
            of(DataType::Int32),
            position,
        ),
    ];
    let in_trino = [
        Kernel::new(&LIKE, two(), of(DataType::Boolean), like),
        Kernel::new(&COUNT, two(), of(DataType::Int64), count),
        Kernel::new(
            &REPLACE,
            [
                two(),
                vec![takes([text(), text(), text()]), exact(&[DataType::Utf8])],
            ]
            .concat(),
            of(DataType::Utf8),
            replace,
        ),
    ];
    let everywhere = kernels.into_iter().map(Entry::scalar);
    let in_trino = in_trino.into_iter().map(Entry::scalar);
    everywhere.chain(in_trino.map(Entry::in_trino)).collect()
}

/// Calls `each` for each row whose text and pattern are not NULL, and `none` for the others.
fn searched<B>(
    call: &Call<'_>,
    results: &mut B,
    each: impl Fn(&mut B, usize, &str, &Pattern) -> Result<()>,
    none: impl Fn(&mut B),
) -> Result<()> {
    let (texts, patterns) = (Texts::of(call, 0)?, Texts::of(call, 1)?);
    let only = patterns.only();
    let mut known = Patterns::default();
    texts.each(call.rows, |row, text| {
        match (text, only.or_else(|| patterns.get(row))) {
            (Some(text), Some(pattern)) => each(results, row, text, known.get(pattern)?),
            _ => {
                call.work.builds(1)?;
                none(results);
                Ok(())
            }
        }
    })
}

fn like(call: &Call<'_>) -> Result<ArrayRef> {
    let mut found = BooleanBuilder::with_capacity(call.rows);
    searched(
        call,
        &mut found,
        |found, _, text, pattern| {
            call.work.builds(1)?;
            found.append_value(pattern.is_match(text)?);
            Ok(())
        },
        BooleanBuilder::append_null,
    )?;
    Ok(Arc::new(found.finish()))
}

fn count(call: &Call<'_>) -> Result<ArrayRef> {
    let mut counts = Int64Builder::with_capacity(call.rows);
    searched(
        call,
        &mut counts,
        |counts, _, text, pattern| {
            call.work.builds(8)?;
            let (mut count, mut next) = (0, 0);
            while let Some(found) = pattern.find(text, next)? {
                call.work.step()?;
                count += 1;
                next = after(text, &found);
            }
            counts.append_value(count);
            Ok(())
        },
        Int64Builder::append_null,
    )?;
    Ok(Arc::new(counts.finish()))
}

/// Returns the byte of a character, counted from 1; `None` if the text is shorter.
fn byte_of(text: &str, character: i64) -> Option<usize> {
    let before = usize::try_from(character.checked_sub(1)?).ok()?;
    text.char_indices().nth(before).map(|(byte, _)| byte)
}

fn position(call: &Call<'_>) -> Result<ArrayRef> {
    let start = call
        .optional(2)
        .map(|start| start.primitives::<Int64Type>());
    let occurrence = call.optional(3).map(|nth| nth.primitives::<Int64Type>());
    let mut places = Int32Builder::with_capacity(call.rows);
    searched(
        call,
        &mut places,
        |places, row, text, pattern| {
            call.work.builds(4)?;
            let start = start.as_ref().map_or(Some(1), |start| start.get(row));
            let occurrence = occurrence.as_ref().map_or(Some(1), |nth| nth.get(row));
            let (Some(start), Some(mut left)) = (start, occurrence) else {
                places.append_null();
                return Ok(());
            };
            if start < 1 || left < 1 {
                return Err(Error::invalid(format!(
                    "regexp_position counts from 1: start is {start}, occurrence {left}"
                ))
                .into());
            }
            let mut place = -1;
            let mut next = byte_of(text, start);
            while let Some(from) = next
                && let Some(found) = pattern.find(text, from)?
            {
                call.work.step()?;
                left -= 1;
                if left == 0 {
                    let before = text.get(..found.start).unwrap_or_default().chars().count();
                    place = i32::try_from(before + 1).unwrap_or(i32::MAX);
                    break;
                }
                next = Some(after(text, &found));
            }
            places.append_value(place);
            Ok(())
        },
        Int32Builder::append_null,
    )?;
    Ok(Arc::new(places.finish()))
}

/// Returns the group that a row asks for, 0 for the match; `None` for NULL.
///
/// # Errors
///
/// The pattern lacks the group.
fn group(call: &Call<'_>, row: usize, pattern: &Pattern) -> Result<Option<usize>> {
    let Some(groups) = call.optional(2) else {
        return Ok(Some(0));
    };
    // A NULL without a type has no numbers.
    let numbers = groups.array.as_primitive_opt::<Int64Type>();
    let numbers = numbers.filter(|numbers| numbers.is_valid(groups.at(row)));
    let Some(group) = numbers.map(|numbers| numbers.value(groups.at(row))) else {
        return Ok(None);
    };
    let number = usize::try_from(group).ok();
    match number.filter(|number| *number <= pattern.groups()) {
        Some(number) => Ok(Some(number)),
        None => Err(Error::invalid(format!(
            "the pattern has {} groups; there is no group {group}",
            pattern.groups()
        ))
        .into()),
    }
}

fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let mut parts = StringBuilder::with_capacity(call.rows, call.rows);
    searched(
        call,
        &mut parts,
        |parts, row, text, pattern| {
            let found = match group(call, row, pattern)? {
                None => None,
                Some(0) => pattern.find(text, 0)?,
                Some(group) => pattern
                    .captures(text, 0)?
                    .and_then(|groups| groups.get(group)),
            };
            let part = found.and_then(|range| text.get(range));
            call.work.builds(4 + part.map_or(0, str::len))?;
            parts.append_option(part);
            Ok(())
        },
        StringBuilder::append_null,
    )?;
    Ok(Arc::new(parts.finish()))
}

type Lists = ListBuilder<StringBuilder>;

fn extract_all(call: &Call<'_>) -> Result<ArrayRef> {
    let mut lists = Lists::new(StringBuilder::new());
    searched(
        call,
        &mut lists,
        |lists, row, text, pattern| {
            call.work.builds(ITEM)?;
            let Some(group) = group(call, row, pattern)? else {
                lists.append_null();
                return Ok(());
            };
            let mut next = 0;
            loop {
                let (whole, part) = if group == 0 {
                    let Some(found) = pattern.find(text, next)? else {
                        break;
                    };
                    (found.clone(), Some(found))
                } else {
                    let Some(groups) = pattern.captures(text, next)? else {
                        break;
                    };
                    (groups.whole(), groups.get(group))
                };
                next = after(text, &whole);
                let part = part.and_then(|range| text.get(range));
                call.work.builds(ITEM + part.map_or(0, str::len))?;
                lists.values().append_option(part);
            }
            lists.append(true);
            Ok(())
        },
        Lists::append_null,
    )?;
    Ok(Arc::new(lists.finish()))
}

fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let mut lists = Lists::new(StringBuilder::new());
    searched(
        call,
        &mut lists,
        |lists, _, text, pattern| {
            call.work.builds(ITEM + text.len())?;
            let (mut next, mut end) = (0, 0);
            while let Some(found) = pattern.find(text, next)? {
                call.work.builds(ITEM)?;
                next = after(text, &found);
                let part = text.get(end..found.start).unwrap_or_default();
                lists.values().append_value(part);
                end = found.end;
            }
            call.work.builds(ITEM)?;
            lists
                .values()
                .append_value(text.get(end..).unwrap_or_default());
            lists.append(true);
            Ok(())
        },
        Lists::append_null,
    )?;
    Ok(Arc::new(lists.finish()))
}

/// The replacement of the last row, for its pattern.
struct LastTemplate {
    pattern: String,
    replacement: String,
    template: Result<Template, Error>,
}

impl LastTemplate {
    fn new(pattern: &Pattern, replacement: &str) -> Self {
        Self {
            pattern: pattern.text().to_owned(),
            replacement: replacement.to_owned(),
            template: Template::new(replacement, pattern),
        }
    }

    fn is_of(&self, pattern: &Pattern, replacement: &str) -> bool {
        self.pattern == pattern.text() && self.replacement == replacement
    }
}

fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let replacements = Texts::optional(call, 2)?;
    let mut results = (StringBuilder::new(), None::<LastTemplate>);
    searched(
        call,
        &mut results,
        |(results, last), row, text, pattern| {
            let Some(replacement) = replacements
                .as_ref()
                .map_or(Some(""), |column| column.get(row))
            else {
                call.work.builds(1)?;
                results.append_null();
                return Ok(());
            };
            call.work.builds(4 + text.len())?;
            let known = last.take();
            let known = known.filter(|last| last.is_of(pattern, replacement));
            let known = known.unwrap_or_else(|| LastTemplate::new(pattern, replacement));
            match &last.insert(known).template {
                Ok(template) => replace_all(call, text, pattern, template, results)?,
                // An error only if the pattern matches, as in Trino.
                Err(error) if pattern.is_match(text)? => return Err(error.clone().into()),
                Err(_) => results.append_value(text),
            }
            Ok(())
        },
        |(results, _)| results.append_null(),
    )?;
    Ok(Arc::new(results.0.finish()))
}

fn replace_all(
    call: &Call<'_>,
    text: &str,
    pattern: &Pattern,
    template: &Template,
    results: &mut StringBuilder,
) -> Result<()> {
    // Writing to a builder cannot fail; the value ends with `append_value`.
    let mut add = |part: &str| results.write_str(part).map_err(|_| too_long());
    let (mut next, mut end) = (0, 0);
    loop {
        let captured = match template.has_groups() {
            true => pattern.captures(text, next)?,
            false => None,
        };
        let found = match (&captured, template.has_groups()) {
            (Some(groups), _) => Some(groups.whole()),
            (None, true) => None,
            (None, false) => pattern.find(text, next)?,
        };
        let Some(found) = found else {
            break;
        };
        call.work.step()?;
        add(text.get(end..found.start).unwrap_or_default())?;
        let group = |number: usize| match &captured {
            Some(groups) => groups.get(number),
            None => Some(found.clone()),
        };
        template.each(text, group, |part| {
            call.work.builds(part.len())?;
            add(part)
        })?;
        end = found.end;
        next = after(text, &found);
    }
    add(text.get(end..).unwrap_or_default())?;
    results.append_value("");
    Ok(())
}

fn too_long() -> DataFusionError {
    Error::internal("a text could not be built").into()
}
