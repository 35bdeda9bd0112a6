//! `strpos`, `substr`, `lpad`, `rpad` and `replace`.

#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Int64Builder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use lakegate_error::Error;
use memchr::memmem::{self, Finder};

use super::SECTION;
use super::arguments::{Bigints, Bytes, Texts, bigint, bytes, invalid, takes, text};
use super::replacing::replace;
use super::scans::characters;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static STRPOS: Page = Page {
    name: "strpos",
    section: SECTION,
    syntax: "strpos(text, part[, instance])",
    sentence: "Returns the place, from 1, of the nth occurrence of a part, counted from the end if n is negative, or 0.",
    example: "strpos('banana', 'an', -1)",
    result: "4",
};

static INDEX: Page = Page {
    name: "index",
    section: "Teradata",
    syntax: "index(text, part)",
    sentence: "Returns the place, from 1, of the first occurrence of a part, or 0.",
    example: "index('banana', 'an')",
    result: "2",
};

static SUBSTR: Page = Page {
    name: "substr",
    section: SECTION,
    syntax: "substr(text, start[, length])",
    sentence: "Returns the part of a text or a varbinary from a place on, counted from 1, or from the end if it is negative.",
    example: "substr('hello', 2, 3)",
    result: "ell",
};

static LPAD: Page = Page {
    name: "lpad",
    section: SECTION,
    syntax: "lpad(text, length, padding)",
    sentence: "Fills a text or a varbinary on the left, or cuts it, to a length.",
    example: "lpad('7', 3, '0')",
    result: "007",
};

static RPAD: Page = Page {
    name: "rpad",
    section: SECTION,
    syntax: "rpad(text, length, padding)",
    sentence: "Fills a text or a varbinary on the right, or cuts it, to a length.",
    example: "rpad('7', 3, '.')",
    result: "7..",
};

static REPLACE: Page = Page {
    name: "replace",
    section: SECTION,
    syntax: "replace(text, part[, replacement])",
    sentence: "Replaces or removes all occurrences of a part.",
    example: "replace('banana', 'an')",
    result: "ba",
};

pub(super) fn entries() -> Vec<Entry> {
    let utf8 = || Returns::Type(DataType::Utf8);
    let padded = || {
        vec![
            takes([text(), bigint(), text()]),
            takes([bytes(), bigint(), bytes()]),
        ]
    };
    let all = [
        Kernel::new(
            &STRPOS,
            vec![takes([text(), text()]), takes([text(), text(), bigint()])],
            Returns::Type(DataType::Int64),
            strpos,
        ),
        Kernel::new(
            &SUBSTR,
            vec![
                takes([text(), bigint()]),
                takes([text(), bigint(), bigint()]),
                takes([bytes(), bigint()]),
                takes([bytes(), bigint(), bigint()]),
            ],
            Returns::From(text_or_bytes),
            substr,
        )
        .also(&["substring"]),
        Kernel::new(&LPAD, padded(), Returns::From(text_or_bytes), |call| {
            pad(call, Side::Left)
        }),
        Kernel::new(&RPAD, padded(), Returns::From(text_or_bytes), |call| {
            pad(call, Side::Right)
        }),
        Kernel::new(
            &REPLACE,
            vec![takes([text(), text()]), takes([text(), text(), text()])],
            utf8(),
            replace,
        ),
    ];
    let index = Kernel::new(
        &INDEX,
        vec![takes([text(), text()])],
        Returns::Type(DataType::Int64),
        strpos,
    );
    let all = all
        .into_iter()
        .map(|kernel| Entry::scalar(kernel).in_trino());
    all.chain([Entry::scalar(index)]).collect()
}

/// `varbinary` if the first argument is, else `varchar`.
fn text_or_bytes(types: &[DataType]) -> Result<DataType> {
    Ok(match types.first() {
        Some(data_type) if super::characters::is_bytes(data_type) => DataType::Binary,
        _ => DataType::Utf8,
    })
}

fn strpos(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, parts) = (Texts::of(call, 0)?, Texts::of(call, 1)?);
    let instances = Bigints::optional(call, 2)?;
    call.work.builds(call.rows.saturating_mul(8))?;
    let mut places = Int64Builder::with_capacity(call.rows);
    if let (Some(part), None) = (parts.only(), &instances) {
        let finder = Finder::new(part);
        texts.each(call.rows, |_, text| {
            call.work.step()?;
            places.append_option(text.map(|text| place(text, finder.find(text.as_bytes()))));
            Ok(())
        })?;
        return Ok(Arc::new(places.finish()));
    }
    for row in 0..call.rows {
        call.work.step()?;
        let instance = match &instances {
            None => Some(1),
            Some(instances) => instances.get(row),
        };
        let (Some(text), Some(part), Some(instance)) = (texts.get(row), parts.get(row), instance)
        else {
            places.append_null();
            continue;
        };
        let found = match instance {
            0 => return Err(invalid("the instance of strpos must not be 0")),
            _ if part.is_empty() => Some(0),
            1 => memmem::find(text.as_bytes(), part.as_bytes()),
            2.. => nth(call, text, part, instance.unsigned_abs())?,
            _ => nth_from_end(call, text, part, instance.unsigned_abs())?,
        };
        places.append_value(place(text, found));
    }
    Ok(Arc::new(places.finish()))
}

/// The place, from 1, of the character at a byte; 0 for none.
#[inline]
fn place(text: &str, found: Option<usize>) -> i64 {
    found.and_then(|at| text.get(..at)).map_or(0, |before| {
        i64::try_from(characters(before)).map_or(i64::MAX, |before| before + 1)
    })
}

/// The byte at which the nth occurrence begins; occurrences may overlap.
fn nth(call: &Call<'_>, text: &str, part: &str, instance: u64) -> Result<Option<usize>> {
    let mut from = 0;
    let mut seen = 0;
    loop {
        call.work.step()?;
        let Some(at) = text.get(from..).and_then(|rest| rest.find(part)) else {
            return Ok(None);
        };
        seen += 1;
        if seen == instance {
            return Ok(Some(from + at));
        }
        from = text.ceil_char_boundary(from + at + 1);
    }
}

/// [`nth`], counted from the end.
fn nth_from_end(call: &Call<'_>, text: &str, part: &str, instance: u64) -> Result<Option<usize>> {
    let mut end = text.len();
    let mut seen = 0;
    loop {
        call.work.step()?;
        let Some(at) = text.get(..end).and_then(|rest| rest.rfind(part)) else {
            return Ok(None);
        };
        seen += 1;
        if seen == instance {
            return Ok(Some(at));
        }
        end = text.floor_char_boundary(at + part.len() - 1);
    }
}

/// The byte at which a character begins; `None` if the text has no more than `characters`.
fn offset(text: &str, characters: usize) -> Option<usize> {
    match text.as_bytes().get(..characters) {
        // One byte for each character before.
        Some(before) if before.is_ascii() => (characters < text.len()).then_some(characters),
        Some(_) => text.char_indices().nth(characters).map(|(at, _)| at),
        None => None,
    }
}

fn substr(call: &Call<'_>) -> Result<ArrayRef> {
    let starts = Bigints::of(call, 1)?;
    let lengths = Bigints::optional(call, 2)?;
    let range = |row: usize| -> Option<(i64, i64)> {
        let length = match &lengths {
            None => i64::MAX,
            Some(lengths) => lengths.get(row)?,
        };
        Some((starts.get(row)?, length))
    };
    let constant = starts.constant && lengths.as_ref().is_none_or(|lengths| lengths.constant);
    let only = if constant { range(0) } else { None };
    let range = |row: usize| only.or_else(|| range(row));
    if call.returns == &DataType::Binary {
        let values = Bytes::of(call, 0)?;
        let mut parts = BinaryBuilder::new();
        for row in 0..call.rows {
            let part = values
                .get(row)
                .zip(range(row))
                .map(|(value, (start, length))| {
                    let (start, end) = bounds(value.len(), start, length);
                    value.get(start..end).unwrap_or_default()
                });
            call.work.builds(part.map_or(0, <[u8]>::len))?;
            parts.append_option(part);
        }
        return Ok(Arc::new(parts.finish()));
    }
    let values = Texts::of(call, 0)?;
    let mut parts = StringBuilder::with_capacity(call.rows, call.rows);
    values.each(call.rows, |row, text| {
        match (text, range(row)) {
            (Some(text), Some((start, length))) => {
                let part = part(text, start, length);
                call.work.builds(part.len())?;
                parts.append_value(part);
            }
            _ => {
                call.work.step()?;
                parts.append_null();
            }
        }
        Ok(())
    })?;
    Ok(Arc::new(parts.finish()))
}

/// The places, from 0, of a part of something of `total` characters.
fn bounds(total: usize, start: i64, length: i64) -> (usize, usize) {
    let distance = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
    let start = match start {
        1.. => distance - 1,
        0 => return (0, 0),
        // Before the start there is nothing.
        _ => match total.checked_sub(distance) {
            Some(start) => start,
            None => return (0, 0),
        },
    };
    let length = usize::try_from(length.max(0)).unwrap_or(usize::MAX);
    let start = start.min(total);
    (start, start.saturating_add(length).min(total))
}

/// The part of a text as `substr` returns it.
#[inline]
fn part(text: &str, start: i64, length: i64) -> &str {
    // Up to the end of most parts, each character is a byte.
    if let (Ok(start @ 1..), Ok(length)) = (usize::try_from(start), usize::try_from(length)) {
        let end = (start - 1).saturating_add(length).min(text.len());
        let start = (start - 1).min(end);
        if text.as_bytes().get(..end).is_some_and(<[u8]>::is_ascii) {
            return text.get(start..end).unwrap_or_default();
        }
    }
    part_of_any(text, start, length)
}

/// [`part`] of a text of any characters.
fn part_of_any(text: &str, start: i64, length: i64) -> &str {
    if text.is_ascii() || start < 0 {
        let total = match text.is_ascii() {
            true => text.len(),
            false => characters(text),
        };
        let (start, end) = bounds(total, start, length);
        return between(text, start, end - start);
    }
    let (Ok(start), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else {
        return "";
    };
    match start {
        0 => "",
        start => between(text, start - 1, length),
    }
}

/// The characters of a text from the place `start`, counted from 0.
fn between(text: &str, start: usize, length: usize) -> &str {
    let rest = offset(text, start).and_then(|start| text.get(start..));
    let rest = rest.unwrap_or_default();
    match offset(rest, length) {
        Some(end) => rest.get(..end).unwrap_or_default(),
        None => rest,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Checks the arguments of `lpad` and `rpad`.
fn target(call: &Call<'_>, length: i64, has_padding: bool) -> Result<usize> {
    let target = i32::try_from(length).ok();
    let Some(target) = target.and_then(|length| usize::try_from(length).ok()) else {
        return Err(invalid(format!(
            "the length of {} must be from 0 to {}, not {length}",
            call.name,
            i32::MAX
        )));
    };
    if !has_padding {
        return Err(invalid(format!(
            "the padding of {} must not be empty",
            call.name
        )));
    }
    Ok(target)
}

fn pad(call: &Call<'_>, side: Side) -> Result<ArrayRef> {
    let lengths = Bigints::of(call, 1)?;
    if call.returns == &DataType::Binary {
        return pad_bytes(call, &lengths, side);
    }
    let (texts, paddings) = (Texts::of(call, 0)?, Texts::of(call, 2)?);
    let mut padded = StringBuilder::new();
    for row in 0..call.rows {
        call.work.step()?;
        let (Some(text), Some(length), Some(padding)) =
            (texts.get(row), lengths.get(row), paddings.get(row))
        else {
            padded.append_null();
            continue;
        };
        let target = target(call, length, !padding.is_empty())?;
        let missing = match target.checked_sub(text.chars().count()) {
            Some(missing) if missing > 0 => missing,
            _ => {
                let kept = between(text, 0, target);
                call.work.builds(kept.len())?;
                padded.append_value(kept);
                continue;
            }
        };
        let characters = padding.chars().count();
        let (times, rest) = (missing / characters, missing % characters);
        let rest = between(padding, 0, rest);
        let bytes = times.saturating_mul(padding.len());
        call.work
            .builds(bytes.saturating_add(rest.len()).saturating_add(text.len()))?;
        if side == Side::Right {
            write(&mut padded, text)?;
        }
        for _ in 0..times {
            call.work.step()?;
            write(&mut padded, padding)?;
        }
        write(&mut padded, rest)?;
        padded.append_value(if side == Side::Left { text } else { "" });
    }
    Ok(Arc::new(padded.finish()))
}

/// Adds to the value that the builder's next `append_value` ends.
#[inline]
pub(super) fn write(builder: &mut StringBuilder, text: &str) -> Result<()> {
    builder.write_str(text).map_err(|_| cannot_write())
}

fn cannot_write() -> DataFusionError {
    Error::internal("a text cannot be written").into()
}

fn pad_bytes(call: &Call<'_>, lengths: &Bigints, side: Side) -> Result<ArrayRef> {
    let (values, paddings) = (Bytes::of(call, 0)?, Bytes::of(call, 2)?);
    let mut padded = BinaryBuilder::new();
    let mut buffer = Vec::new();
    for row in 0..call.rows {
        call.work.step()?;
        let (Some(value), Some(length), Some(padding)) =
            (values.get(row), lengths.get(row), paddings.get(row))
        else {
            padded.append_null();
            continue;
        };
        let target = target(call, length, !padding.is_empty())?;
        call.work.builds(target)?;
        let kept = value.get(..target).unwrap_or(value);
        let filling = padding.iter().cycle().take(target - kept.len());
        buffer.clear();
        match side {
            Side::Left => {
                buffer.extend(filling);
                buffer.extend_from_slice(kept);
            }
            Side::Right => {
                buffer.extend_from_slice(kept);
                buffer.extend(filling);
            }
        }
        padded.append_value(&buffer);
    }
    Ok(Arc::new(padded.finish()))
}
