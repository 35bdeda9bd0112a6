//! `array_join`: the items as one text. And `$listagg`, one of a bounded length.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::FormatOptions;
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use super::lists::Lists;
use super::types::{conformed, item_type, mismatch};
use super::{SECTION, field_type};
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::text::arguments::Texts;

static JOIN: Page = Page {
    name: "array_join",
    section: SECTION,
    syntax: "array_join(array, delimiter[, for_null])",
    sentence: "Joins the items to a text with a delimiter; NULLs are left out or replaced.",
    example: "array_join(ARRAY[1, NULL, 2], ', ', '?')",
    result: "1, ?, 2",
};

static LISTAGG: Page = Page {
    name: "$listagg",
    section: SECTION,
    syntax: "$listagg(array, separator, filler, with_count)",
    sentence: "Joins texts to one of at most 1 MiB, with a filler in place of those that do not fit.",
    example: "\"$listagg\"(ARRAY['a', 'b'], ',', '...', true)",
    result: "a,b",
};

/// Bytes of the texts that `$listagg` joins, at most, as in Trino.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn entries() -> Vec<Entry> {
    vec![join_entry(), listagg_entry()]
}

fn listagg_entry() -> Entry {
    Entry::scalar(Kernel::new(
        &LISTAGG,
        vec![TypeSignature::Any(4)],
        Returns::From(|types| {
            let item = item_type("listagg", &types[0])?;
            match item.is_string() || item.is_null() {
                true => Ok(DataType::Utf8),
                false => Err(mismatch("listagg", "texts", &item)),
            }
        }),
        shortened,
    ))
    .unlisted()
}

/// The count of the texts that are left out follows the filler if the last argument is true.
fn shortened(call: &Call<'_>) -> Result<ArrayRef> {
    let lists = Lists::of(&call.columns[0], &DataType::Utf8)?;
    let values = lists.values.as_string::<i32>();
    let separators = Texts::of(call, 1)?;
    let fillers = Texts::of(call, 2)?;
    let counts = conformed(&call.columns[3].array, &DataType::Boolean)?;
    let counts = counts.as_boolean();
    let mut joined = StringBuilder::new();
    let mut buffer = String::new();
    for row in 0..call.rows {
        call.work.step()?;
        let (Some(range), Some(separator), Some(filler)) =
            (lists.range(row), separators.get(row), fillers.get(row))
        else {
            joined.append_null();
            continue;
        };
        buffer.clear();
        let total = range.len();
        let mut count = 0;
        for item in range {
            let text = values.value(item);
            let before = if count > 0 { separator } else { "" };
            let more = before.len() + text.len();
            if buffer.len() + more > MOST_BYTES {
                break;
            }
            call.work.builds(more)?;
            buffer.push_str(before);
            buffer.push_str(text);
            count += 1;
        }
        if count < total {
            if count > 0 {
                buffer.push_str(separator);
            }
            buffer.push_str(filler);
            if counts.value(call.columns[3].at(row)) {
                // Writing to memory does not fail.
                let _ = write!(buffer, "({})", total - count);
            }
        }
        joined.append_value(&buffer);
    }
    Ok(Arc::new(joined.finish()))
}

fn join_entry() -> Entry {
    Entry::scalar(Kernel::new(
        &JOIN,
        vec![TypeSignature::Any(2), TypeSignature::Any(3)],
        Returns::From(|types| {
            let item = item_type("array_join", &types[0])?;
            if item.is_nested() || item.is_binary() {
                return Err(mismatch(
                    "array_join",
                    "an array of simple values",
                    &types[0],
                ));
            }
            for other in types.iter().skip(1) {
                if !other.is_string() && !other.is_null() {
                    return Err(mismatch("array_join", "texts as delimiters", other));
                }
            }
            Ok(DataType::Utf8)
        }),
        join,
    ))
}

fn join(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, field_type(call, 0))?;
    let lists = Lists::of(&call.columns[0], &item)?;
    let values = texts(&lists.values)?;
    let values = values.as_string::<i32>();
    let text = |index: usize| -> Result<Option<(ArrayRef, &Column)>> {
        match call.optional(index) {
            Some(column) => Ok(Some((conformed(&column.array, &DataType::Utf8)?, column))),
            None => Ok(None),
        }
    };
    let (delimiters, replacements) = (text(1)?, text(2)?);
    let mut joined = StringBuilder::with_capacity(call.rows, values.value_data().len());
    let mut buffer = String::new();
    for row in 0..call.rows {
        let (Some(range), Some(Some(delimiter)), Some(replacement)) = (
            lists.range(row),
            get(&delimiters, row),
            get(&replacements, row),
        ) else {
            call.work.step()?;
            joined.append_null();
            continue;
        };
        buffer.clear();
        let mut first = true;
        for item in range {
            let text = match (values.is_valid(item), replacement) {
                (true, _) => values.value(item),
                (false, Some(replacement)) => replacement,
                (false, None) => {
                    call.work.step()?;
                    continue;
                }
            };
            call.work.builds(text.len() + delimiter.len())?;
            if !first {
                buffer.push_str(delimiter);
            }
            first = false;
            buffer.push_str(text);
        }
        call.work.step()?;
        joined.append_value(&buffer);
    }
    Ok(Arc::new(joined.finish()))
}

/// A text argument in a row: `None` if it is NULL, `Some(None)` if the call has none.
fn get<'a>(texts: &'a Option<(ArrayRef, &Column)>, row: usize) -> Option<Option<&'a str>> {
    let Some((texts, column)) = texts else {
        return Some(None);
    };
    let texts = texts.as_string::<i32>();
    let at = column.at(row);
    texts.is_valid(at).then(|| Some(texts.value(at)))
}

/// The items as texts; timestamps have at least three digits of a second.
fn texts(values: &ArrayRef) -> Result<ArrayRef> {
    let format = match values.data_type() {
        DataType::Timestamp(_, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let micros = cast(values, &micros)?;
            let micros = micros.as_primitive::<TimestampMicrosecondType>();
            match micros.iter().flatten().all(|time| time % 1_000 == 0) {
                true => "%Y-%m-%d %H:%M:%S%.3f",
                false => "%Y-%m-%d %H:%M:%S%.6f",
            }
        }
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    let zoned = format!("{format} %Z");
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default()
            .with_timestamp_format(Some(format))
            .with_timestamp_tz_format(Some(&zoned)),
    };
    Ok(cast_with_options(values, &DataType::Utf8, &options)?)
}
