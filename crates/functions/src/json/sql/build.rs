//! `json_array`, `json_object` and FORMAT JSON.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use datafusion::error::Result;
use lakegate_error::Error;

use super::missing;
use crate::json::canonical::{Members, Writer};
use crate::json::scan::Scanner;
use crate::json::source::Source;
use crate::json::{not_json, strings, types};
use crate::kernel::Call;

/// Returns whether a flag that all rows have is set.
fn flag(call: &Call<'_>, index: usize) -> Result<bool> {
    let column = call.optional(index).ok_or_else(|| missing(call.name))?;
    match column.array.as_boolean_opt() {
        Some(flags) if column.constant && flags.is_valid(0) => Ok(flags.value(0)),
        Some(flags) if flags.is_empty() => Ok(false),
        _ => Err(Error::invalid(format!("a clause of {} is no constant", call.name)).into()),
    }
}

/// The argument at an index, as a source of JSON.
fn argument(call: &Call<'_>, index: usize) -> Result<(Source, bool)> {
    match (call.optional(index), call.fields.get(index)) {
        (Some(column), Some(field)) => Ok((Source::of(&column.array, field)?, column.constant)),
        _ => Err(missing(call.name)),
    }
}

pub(super) fn array(call: &Call<'_>) -> Result<ArrayRef> {
    let absent_on_null = flag(call, 0)?;
    let values = (1..call.columns.len()).map(|index| argument(call, index));
    let values = values.collect::<Result<Vec<_>>>()?;
    let mut json = String::new();
    let mut results = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(2)?;
        json.clear();
        json.push('[');
        for (value, constant) in &values {
            let row = if *constant { 0 } else { row };
            if absent_on_null && value.is_null(row) {
                continue;
            }
            if json.len() > 1 {
                json.push(',');
            }
            value.write(row, &mut json, &call.work)?;
        }
        json.push(']');
        results.append_value(&json);
    }
    Ok(Arc::new(results.finish()))
}

pub(super) fn object(call: &Call<'_>) -> Result<ArrayRef> {
    let (absent_on_null, unique) = (flag(call, 0)?, flag(call, 1)?);
    let mut members = Vec::new();
    for index in (2..call.columns.len()).step_by(2) {
        let key = call.optional(index).ok_or_else(|| missing(call.name))?;
        members.push((types::as_texts(key)?, argument(call, index + 1)?));
    }
    let mut json = String::new();
    let mut results = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(2)?;
        json.clear();
        json.push('{');
        let mut keys: Vec<&str> = Vec::new();
        for (key, (value, constant)) in &members {
            let Some(key) = key.texts().get(row) else {
                return Err(Error::invalid("a key of json_object is NULL").into());
            };
            let row = if *constant { 0 } else { row };
            if absent_on_null && value.is_null(row) {
                continue;
            }
            if unique {
                call.work.step()?;
                if keys.contains(&key) {
                    let message = "a key is passed twice to json_object WITH UNIQUE KEYS";
                    return Err(Error::invalid(message).into());
                }
                keys.push(key);
            }
            call.work.builds(key.len())?;
            if json.len() > 1 {
                json.push(',');
            }
            strings::encode(key, &mut json);
            json.push(':');
            value.write(row, &mut json, &call.work)?;
        }
        json.push('}');
        results.append_value(&json);
    }
    Ok(Arc::new(results.finish()))
}

/// Marks texts as JSON values. The second argument says whether they are checked and written anew;
/// the paths that an unchecked value is passed to report it by their own clauses.
pub(super) fn text(call: &Call<'_>) -> Result<ArrayRef> {
    let checked = flag(call, 1)?;
    let column = call.optional(0).ok_or_else(|| missing(call.name))?;
    let column = types::as_texts(column)?;
    let texts = column.texts();
    let mut writer = Writer::default();
    let mut json = String::new();
    let mut results = StringBuilder::new();
    for row in 0..call.rows {
        let Some(text) = texts.get(row) else {
            call.work.builds(0)?;
            results.append_null();
            continue;
        };
        call.work.builds(text.len())?;
        if !checked {
            results.append_value(text);
            continue;
        }
        json.clear();
        let mut scanner = Scanner::new(text);
        scanner.space();
        writer
            .write(&mut scanner, Members::AsWritten, &mut json, &call.work)
            .and_then(|()| scanner.end())
            .map_err(|fault| fault.error(|| not_json(text)))?;
        results.append_value(&json);
    }
    Ok(Arc::new(results.finish()))
}
