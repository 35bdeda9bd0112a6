//! `array_join`: the items as one text.

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

static JOIN: Page = Page {
    name: "array_join",
    section: SECTION,
    syntax: "array_join(array, delimiter[, for_null])",
    sentence: "Joins the items to a text with a delimiter; NULLs are left out or replaced.",
    example: "array_join(ARRAY[1, NULL, 2], ', ', '?')",
    result: "1, ?, 2",
};

pub(super) fn entries() -> Vec<Entry> {
    vec![Entry::scalar(Kernel::new(
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
    ))]
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
