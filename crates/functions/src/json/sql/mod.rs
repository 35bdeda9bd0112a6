//! `json_exists`, `json_query`, `json_value`, `json_array` and `json_object`, whose clauses are
//! arguments here: a rewrite of their syntax calls these functions.
//!
//! Variables of a path follow as pairs of a name and a value.

mod build;
mod encodings;
mod query;
mod value;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use lakegate_error::{Code, Error};

use super::path::{Failure, Item, Num, Path, Row, evaluate};
use super::scan::too_deep;
use super::sink::Sink;
use super::{source, types};
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Body, Call, Kernel, Returns};
use crate::work::Work;

static EXISTS: Page = Page {
    name: "$json_exists",
    section: super::SECTION,
    syntax: "$json_exists(json, path, on_error[, name, value, ...])",
    sentence: "Returns whether a JSON value has an item at a path.",
    example: "\"$json_exists\"('{\"a\": [8, 11]}', 'lax $.a[*]?(@ > 10)', 'FALSE')",
    result: "true",
};

static QUERY: Page = Page {
    name: "$json_query",
    section: super::SECTION,
    syntax: "$json_query(json, path, wrapper, quotes, on_empty, on_error[, name, value, ...])",
    sentence: "Returns the JSON value at a path.",
    example: "\"$json_query\"('{\"a\": [8, 11]}', 'lax $.a', 'WITHOUT', 'KEEP', 'NULL', 'NULL')",
    result: "[8,11]",
};

static ITEMS: Page = Page {
    name: "$json_items",
    section: super::SECTION,
    syntax: "$json_items(json, path, on_error[, name, value, ...])",
    sentence: "Returns the items at a path as an array of JSON texts.",
    example: "\"$json_items\"('{\"a\": [8, 11]}', 'lax $.a[*]', 'EMPTY')",
    result: "[8, 11]",
};

static VALUE: Page = Page {
    name: "$json_value",
    section: super::SECTION,
    syntax: "$json_value(json, path, type, on_empty, default, on_error, default[, name, value, ...])",
    sentence: "Returns the scalar at a path as a value of a type.",
    example: "\"$json_value\"('{\"a\": [8, 11]}', 'lax $.a[last]', CAST(NULL AS BIGINT), 'NULL', NULL, 'NULL', NULL)",
    result: "11",
};

static ARRAY: Page = Page {
    name: "$json_array",
    section: super::SECTION,
    syntax: "$json_array(absent_on_null[, value, ...])",
    sentence: "Returns the text of a JSON array of values.",
    example: "\"$json_array\"(true, true, NULL, 'text')",
    result: "[true,\"text\"]",
};

static OBJECT: Page = Page {
    name: "$json_object",
    section: super::SECTION,
    syntax: "$json_object(absent_on_null, unique_keys[, key, value, ...])",
    sentence: "Returns the text of a JSON object of keys and values.",
    example: "\"$json_object\"(false, false, 'x', 1, 'y', NULL)",
    result: "{\"x\":1,\"y\":null}",
};

static TEXT: Page = Page {
    name: "$json_text",
    section: super::SECTION,
    syntax: "$json_text(text, checked)",
    sentence: "Returns the JSON value that a text is, with its members in their order.",
    example: "\"$json_text\"('{\"b\": 1, \"a\": 2}', true)",
    result: "{\"b\":1,\"a\":2}",
};

static DECODED: Page = Page {
    name: "$json_decoded",
    section: super::SECTION,
    syntax: "$json_decoded(bytes, bits)",
    sentence: "Returns the text that bytes in UTF-16 or UTF-32 are, the least byte first.",
    example: "\"$json_decoded\"(from_hex('5B0035005D00'), 16)",
    result: "[5]",
};

static ENCODED: Page = Page {
    name: "$json_encoded",
    section: super::SECTION,
    syntax: "$json_encoded(text, bits)",
    sentence: "Returns a text in UTF-16 or UTF-32, the least byte first.",
    example: "\"$json_encoded\"('[5]', 16)",
    result: "5b 00 35 00 5d 00",
};

pub(super) fn entries() -> Vec<Entry> {
    let encoding = |page, from: DataType, to: DataType, body: Body| {
        let takes = vec![TypeSignature::Exact(vec![from, DataType::Int64])];
        Entry::scalar(Kernel::new(page, takes, Returns::Type(to), body)).unlisted()
    };
    let (text, bytes) = (DataType::Utf8, DataType::Binary);
    let entry = |page, returns, body: Body| {
        let takes = vec![TypeSignature::VariadicAny];
        Entry::scalar(Kernel::new(page, takes, returns, body)).unlisted()
    };
    vec![
        entry(
            &EXISTS,
            Returns::Field(|fields| {
                readable(fields)?;
                Ok(Arc::new(Field::new("exists", DataType::Boolean, true)))
            }),
            query::exists,
        ),
        entry(
            &QUERY,
            Returns::Field(|fields| {
                readable(fields)?;
                Ok(Arc::new(Field::new("json", DataType::Utf8, true)))
            }),
            query::query,
        ),
        entry(
            &ITEMS,
            Returns::Field(|fields| {
                readable(fields)?;
                let items = DataType::new_list(DataType::Utf8, true);
                Ok(Arc::new(Field::new("items", items, true)))
            }),
            query::items,
        ),
        entry(
            &VALUE,
            Returns::Field(|fields| {
                let target = fields.get(2).ok_or_else(|| missing("$json_value"))?;
                readable(fields)?;
                Sink::of(target)?;
                Ok(Arc::new(target.as_ref().clone().with_nullable(true)))
            }),
            value::value,
        ),
        entry(&ARRAY, Returns::Field(built), build::array),
        entry(&OBJECT, Returns::Field(built), build::object),
        entry(
            &TEXT,
            Returns::Field(|fields| {
                readable(fields)?;
                Ok(types::json_field())
            }),
            build::text,
        ),
        encoding(&DECODED, bytes.clone(), text.clone(), encodings::decoded),
        encoding(&ENCODED, text, bytes, encodings::encoded),
    ]
}

/// Checks that the first argument may be read as JSON.
fn readable(fields: &[FieldRef]) -> Result<()> {
    let Some(field) = fields.first() else {
        return Err(Error::invalid("a JSON text is expected").into());
    };
    match field.data_type() {
        DataType::Null | DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Ok(()),
        other if types::is_text(other) => Ok(()),
        _ => {
            let message = format!("a value of type {} is no JSON text", types::name(field));
            Err(Error::new(Code::TypeMismatch, message)
                .with_hint("texts and varbinary are read as JSON")
                .into())
        }
    }
}

/// The result of a function that builds JSON of values.
fn built(fields: &[FieldRef]) -> Result<FieldRef> {
    fields.iter().try_for_each(|field| source::check(field))?;
    Ok(Arc::new(Field::new("json", DataType::Utf8, true)))
}

fn missing(name: &str) -> DataFusionError {
    Error::invalid(format!("{name} has too few arguments")).into()
}

/// Returns a word that an argument has in all rows.
fn word(call: &Call<'_>, index: usize) -> Result<String> {
    let column = call.optional(index).ok_or_else(|| missing(call.name))?;
    let texts = types::as_texts(column)?;
    match texts.texts().get(0) {
        Some(word) => Ok(word.to_owned()),
        None if column.array.is_empty() => Ok(String::new()),
        None => Err(Error::invalid(format!("a clause of {} is NULL", call.name)).into()),
    }
}

/// The values that are passed to a path for one variable.
#[derive(Debug)]
struct Variable {
    column: Column,
    is_json: bool,
}

/// Values and paths of a call.
#[derive(Debug)]
struct Input {
    json: Column,
    paths: Column,
    names: Vec<String>,
    variables: Vec<Variable>,
}

impl Input {
    /// `from`: the index of the first variable's name.
    fn of(call: &Call<'_>, from: usize) -> Result<Self> {
        let column = |index: usize| {
            let column = call.optional(index).ok_or_else(|| missing(call.name))?;
            types::as_texts(column)
        };
        let (mut names, mut variables) = (Vec::new(), Vec::new());
        for index in (from..call.columns.len()).step_by(2) {
            names.push(word(call, index)?);
            let passed = call.optional(index + 1).ok_or_else(|| missing(call.name))?;
            let field = call.fields.get(index + 1);
            let data_type = passed.array.data_type();
            let as_type = match data_type {
                DataType::Boolean | DataType::Null | DataType::Decimal128(..) => data_type.clone(),
                DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                    DataType::Decimal128(*precision, *scale)
                }
                other if other.is_integer() => DataType::Int64,
                other if other.is_floating() => DataType::Float64,
                // Dates and others are passed as texts.
                _ => DataType::Utf8,
            };
            variables.push(Variable {
                column: Column {
                    array: cast(&passed.array, &as_type)?,
                    constant: passed.constant,
                },
                is_json: field.is_some_and(|field| types::is_json(field)),
            });
        }
        Ok(Self {
            json: column(0)?,
            paths: column(1)?,
            names,
            variables,
        })
    }
}

/// What a path finds for a row.
#[derive(Debug)]
enum Found<'a> {
    /// The value or the path is NULL.
    Null,
    Items(Vec<Item<'a>>),
    /// The value does not fit the path.
    Error(Cow<'static, str>),
}

/// Evaluates a row's path, and what is done with the items.
fn each_row(
    call: &Call<'_>,
    input: &Input,
    mut of: impl FnMut(usize, Found<'_>) -> Result<()>,
) -> Result<()> {
    let (texts, paths) = (input.json.texts(), input.paths.texts());
    let mut last: Option<(&str, Path)> = None;
    for row in 0..call.rows {
        call.work.builds(1)?;
        let path = paths.get(row);
        if let Some(path) = path
            && last.as_ref().is_none_or(|(last, _)| *last != path)
        {
            last = Some((path, Path::parse(path)?));
        }
        let (Some(json), Some(_), Some((_, path))) = (texts.get(row), path, &last) else {
            of(row, Found::Null)?;
            continue;
        };
        let mut variables = Vec::new();
        let mut malformed = false;
        for (name, variable) in input.names.iter().zip(&input.variables) {
            let item = variable.item(row, &call.work);
            match item {
                Ok(item) => variables.push((name.clone(), item)),
                Err(Failure::Value(..)) => malformed = true,
                Err(Failure::Fault(fault)) => return Err(fault.error(too_deep)),
            }
        }
        if malformed {
            of(
                row,
                Found::Error("a value passed to the path is not valid JSON".into()),
            )?;
            continue;
        }
        let row_of = Row {
            json,
            variables: &variables,
            clock: None,
            work: &call.work,
        };
        let found = match evaluate(path, &row_of) {
            Ok(items) => Found::Items(items),
            Err(Failure::Value(why, _)) => Found::Error(why),
            Err(Failure::Fault(fault)) => return Err(fault.error(too_deep)),
        };
        of(row, found)?;
    }
    Ok(())
}

impl Variable {
    /// A row's value; `None` is an empty sequence.
    fn item(&self, row: usize, work: &Work) -> Result<Option<Item<'_>>, Failure> {
        let column = &self.column;
        if column.array.data_type() == &DataType::Null || column.is_null(row) {
            return Ok((!self.is_json).then_some(Item::Null));
        }
        let index = column.at(row);
        Ok(Some(match column.array.data_type() {
            DataType::Boolean => Item::Boolean(column.array.as_boolean().value(index)),
            DataType::Int64 => {
                let number = column.array.as_primitive::<Int64Type>().value(index);
                Item::Number(Num::Whole(number, true))
            }
            DataType::Float64 => {
                let number = column.array.as_primitive::<Float64Type>().value(index);
                Item::Number(Num::Double(number))
            }
            DataType::Decimal128(_, scale) => {
                let unscaled = column.array.as_primitive::<Decimal128Type>().value(index);
                let scale = u32::try_from(*scale).unwrap_or(0);
                Item::Number(Num::Decimal(unscaled, scale))
            }
            _ => {
                let text = column.array.as_string::<i32>().value(index);
                if !self.is_json {
                    return Ok(Some(Item::Text(Cow::Borrowed(text))));
                }
                let row = Row {
                    json: text,
                    variables: &[],
                    clock: None,
                    work,
                };
                let path = Path::context();
                return Ok(evaluate(&path, &row)?.pop());
            }
        }))
    }
}

/// The error of a row, where a clause asks for one.
fn failed(name: &str, why: &str) -> DataFusionError {
    let name = name.trim_start_matches('$');
    Error::invalid(format!("{name} has no result: {why}"))
        .with_hint("NULL ON ERROR and NULL ON EMPTY give NULL instead")
        .into()
}

fn unknown_clause(call: &Call<'_>, word: &str) -> DataFusionError {
    Error::invalid(format!("{} has no clause '{word}'", call.name)).into()
}
