//! `json_exists`, `json_query` and the items of `json_table`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, ListBuilder, StringBuilder};
use datafusion::error::Result;

use super::{Found, Input, each_row, failed, unknown_clause, word};
use crate::json::canonical::{Members, Writer};
use crate::json::path::Item;
use crate::json::scan::{Number, Scanner, too_deep};
use crate::json::strings;
use crate::kernel::Call;

pub(super) fn exists(call: &Call<'_>) -> Result<ArrayRef> {
    let on_error = word(call, 2)?;
    if !matches!(
        on_error.as_str(),
        "TRUE" | "FALSE" | "UNKNOWN" | "ERROR" | ""
    ) {
        return Err(unknown_clause(call, &on_error));
    }
    let input = Input::of(call, 3)?;
    let mut results = Vec::new();
    each_row(call, &input, |_, found| {
        results.push(match found {
            Found::Null => None,
            Found::Items(items) => Some(!items.is_empty()),
            Found::Error(why) => match on_error.as_str() {
                "TRUE" => Some(true),
                "FALSE" => Some(false),
                "UNKNOWN" => None,
                _ => return Err(failed(call.name, &why)),
            },
        });
        Ok(())
    })?;
    Ok(Arc::new(BooleanArray::from(results)))
}

/// What stands for a missing result of `json_query`; `None` is an error.
fn instead(call: &Call<'_>, index: usize) -> Result<Option<Option<&'static str>>> {
    let clause = word(call, index)?;
    Ok(match clause.as_str() {
        "NULL" | "" => Some(None),
        "EMPTY ARRAY" => Some(Some("[]")),
        "EMPTY OBJECT" => Some(Some("{}")),
        "ERROR" => None,
        _ => return Err(unknown_clause(call, &clause)),
    })
}

pub(super) fn query(call: &Call<'_>) -> Result<ArrayRef> {
    let (wrapper, quotes) = (word(call, 2)?, word(call, 3)?);
    let (on_empty, on_error) = (instead(call, 4)?, instead(call, 5)?);
    if !matches!(
        wrapper.as_str(),
        "WITHOUT" | "CONDITIONAL" | "UNCONDITIONAL" | ""
    ) {
        return Err(unknown_clause(call, &wrapper));
    }
    let omit_quotes = match quotes.as_str() {
        "OMIT" => true,
        "KEEP" | "" => false,
        _ => return Err(unknown_clause(call, &quotes)),
    };
    let input = Input::of(call, 6)?;
    let mut writer = Writer::default();
    let mut json = String::new();
    let mut results = StringBuilder::new();
    each_row(call, &input, |_, found| {
        let otherwise = |instead: Option<Option<&'static str>>, why: &str| {
            instead.ok_or_else(|| failed(call.name, why))
        };
        let items = match found {
            Found::Items(items) => items,
            Found::Null => {
                results.append_null();
                return Ok(());
            }
            Found::Error(why) => {
                results.append_option(otherwise(on_error, &why)?);
                return Ok(());
            }
        };
        let wrapped = match (wrapper.as_str(), items.as_slice()) {
            (_, []) => {
                results.append_option(otherwise(on_empty, "the path finds no items")?);
                return Ok(());
            }
            ("UNCONDITIONAL", _) => true,
            ("CONDITIONAL", [Item::Array(_) | Item::Object(_) | Item::Entry(_)]) => false,
            ("CONDITIONAL", _) => true,
            (_, [_]) => false,
            _ => {
                results.append_option(otherwise(on_error, "the path finds several items")?);
                return Ok(());
            }
        };
        json.clear();
        if wrapped {
            json.push('[');
        }
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            match item {
                Item::Text(text) if omit_quotes && !wrapped => {
                    call.work.builds(text.len())?;
                    json.push_str(text);
                }
                item => write(item, &mut writer, &mut json, call)?,
            }
        }
        if wrapped {
            json.push(']');
        }
        results.append_value(&json);
        Ok(())
    })?;
    Ok(Arc::new(results.finish()))
}

/// The items at a path, each as a JSON text; for `json_table`.
pub(super) fn items(call: &Call<'_>) -> Result<ArrayRef> {
    let on_error = word(call, 2)?;
    if !matches!(on_error.as_str(), "ERROR" | "EMPTY" | "") {
        return Err(unknown_clause(call, &on_error));
    }
    let input = Input::of(call, 3)?;
    let mut writer = Writer::default();
    let mut json = String::new();
    let mut lists = ListBuilder::new(StringBuilder::new());
    each_row(call, &input, |_, found| {
        match found {
            Found::Null => lists.append_null(),
            Found::Error(why) if on_error == "ERROR" => return Err(failed(call.name, &why)),
            Found::Error(_) => lists.append(true),
            Found::Items(items) => {
                for item in &items {
                    json.clear();
                    write(item, &mut writer, &mut json, call)?;
                    lists.values().append_value(&json);
                }
                lists.append(true);
            }
        }
        Ok(())
    })?;
    Ok(Arc::new(lists.finish()))
}

/// Appends an item as JSON.
fn write(item: &Item<'_>, writer: &mut Writer, out: &mut String, call: &Call<'_>) -> Result<()> {
    call.work.builds(8)?;
    match item {
        Item::Null => out.push_str("null"),
        Item::Boolean(boolean) => out.push_str(if *boolean { "true" } else { "false" }),
        Item::Number(number) => number.write(out),
        Item::Text(text) => {
            call.work.builds(text.len())?;
            let before = out.len();
            strings::encode(text, out);
            let made = out.len() - before;
            call.work.builds(made.saturating_sub(text.len()))?;
        }
        Item::Time(time) => strings::encode(&time.shown(), out),
        Item::Written(Number { text, .. }) | Item::Array(text) | Item::Object(text) => {
            call.work.builds(text.len())?;
            let mut scanner = Scanner::new(text);
            let written = writer.write(&mut scanner, Members::AsWritten, out, &call.work);
            written.map_err(|fault| fault.error(too_deep))?;
        }
        Item::Entry(entry) => {
            call.work.builds(entry.name.len() + 32)?;
            out.push_str("{\"name\":");
            strings::encode(&entry.name, out);
            out.push_str(",\"value\":");
            // It comes from the input, and is never an entry itself.
            write(&entry.value, writer, out, call)?;
            out.push_str(&format!(",\"id\":{}}}", entry.id));
        }
    }
    Ok(())
}
