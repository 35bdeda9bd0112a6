//! JSON values made of others: casts, `to_json`, builders, and the aggregates' last step.

use std::ops::RangeInclusive;

use lakegate_engine::bounded;
use lakegate_error::{Code, Error, from_engine};

use super::super::text::cast_text;
use super::value::parse;
use super::write::write_string;
use super::{Arguments, Body, Cell, Form, Job, JsonFunction, ROW, Returns, document};
use crate::postgres::{ArrayItem, parse_array};

type Answer = Result<Cell<'static>, Error>;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidParameter, message.into())
}

/// The cast of text. `json` keeps the text as it is.
fn cast(job: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    match job.binary {
        true => job.text(&node).map(Cell::text),
        false => Ok(Cell::text(text)),
    }
}

/// Marks a text that is JSON already.
fn kept(_: Job, args: &[Cell<'static>]) -> Answer {
    Ok(args.first().cloned().unwrap_or(Cell::Null))
}

fn made(job: Job, args: &[Cell<'static>]) -> Answer {
    job.shown(document(args)).map(Cell::text)
}

/// Returns a value as an item of an aggregate. Arrays and rows begin a line, as in PostgreSQL.
fn item(job: Job, args: &[Cell<'static>]) -> Answer {
    Ok(match args.first() {
        None | Some(Cell::Null) => Cell::text("null"),
        Some(value) if job.nested => {
            let text = value.to_text().unwrap_or_default();
            Cell::text(format!("{LINE}{text}"))
        }
        Some(value) => value.clone(),
    })
}

const LINE: &str = "\n ";

pub(super) fn build_array(job: Job, args: &[Cell<'static>]) -> Answer {
    let mut out = "[".to_owned();
    for (place, value) in args.iter().enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        out.push_str(value.as_str().unwrap_or("null"));
        bounded::check_value(job.name, out.len()).map_err(from_engine)?;
    }
    out.push(']');
    job.shown(out).map(Cell::text)
}

/// Writes an object of keys and values that are JSON, the values NULL for `null`.
fn object<'p>(
    job: Job,
    edges: [&str; 2],
    pairs: impl Iterator<Item = (String, Option<&'p str>)>,
) -> Answer {
    let [open, close] = edges;
    let mut out = open.to_owned();
    for (place, (key, value)) in pairs.enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        write_string(&mut out, &key);
        out.push_str(" : ");
        out.push_str(value.unwrap_or("null"));
        bounded::check_value(job.name, out.len()).map_err(from_engine)?;
    }
    out.push_str(close);
    job.shown(out).map(Cell::text)
}

pub(super) fn build_object(job: Job, args: &[Cell<'static>]) -> Answer {
    if !args.len().is_multiple_of(2) {
        return Err(
            wrong("argument list must have even number of elements").with_hint(format!(
                "The arguments of {}() must consist of alternating keys and values.",
                job.name
            )),
        );
    }
    let mut pairs = Vec::with_capacity(args.len() / 2);
    for (place, pair) in args.chunks(2).enumerate() {
        let [name, value] = pair else { continue };
        if matches!(name, Cell::List(_)) {
            return Err(wrong(
                "key value must be scalar, not array, composite, or json",
            ));
        }
        let name = cast_text(name)
            .ok_or_else(|| wrong(format!("argument {} cannot be null", place * 2 + 1)))?;
        pairs.push((name, value.as_str()));
    }
    object(job, ["{", "}"], pairs.into_iter())
}

/// Returns a row as an object, of the names of its fields and their values in turn. A last argument
/// of its own says whether the row is there.
fn row(_: Job, args: &[Cell<'static>]) -> Answer {
    if !args.len().is_multiple_of(2) && args.last() != Some(&Cell::Bool(true)) {
        return Ok(Cell::Null);
    }
    let mut out = "{".to_owned();
    for (place, pair) in args.chunks(2).enumerate() {
        let [name, value] = pair else { continue };
        if place > 0 {
            out.push(',');
        }
        write_string(&mut out, name.as_str().unwrap_or_default());
        out.push(':');
        out.push_str(value.as_str().unwrap_or("null"));
        bounded::check_value("row_to_json", out.len()).map_err(from_engine)?;
    }
    out.push('}');
    Ok(Cell::text(out))
}

/// The items of an array argument.
pub(super) fn list(cell: Option<&Cell<'static>>) -> Result<Vec<Option<String>>, Error> {
    match cell {
        Some(Cell::List(items)) => Ok(items.iter().map(cast_text).collect()),
        Some(other) => {
            let text = other.to_text().unwrap_or_default();
            let items = parse_array(&text)?.into_iter().map(ArrayItem::into_cell);
            Ok(items.map(|item| item.to_text()).collect())
        }
        None => Ok(Vec::new()),
    }
}

/// `json_object(keys and values in turn)`, and `json_object(keys, values)`.
fn of_texts(job: Job, args: &[Cell<'static>]) -> Answer {
    let first = list(args.first())?;
    let (keys, values): (Vec<_>, Vec<_>) = match args.get(1) {
        None => {
            if !first.len().is_multiple_of(2) {
                return Err(Error::new(
                    Code::ArraySubscript,
                    "array must have even number of elements",
                ));
            }
            let mut items = first.into_iter();
            let mut pairs = Vec::new();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                pairs.push((key, value));
            }
            pairs.into_iter().unzip()
        }
        Some(values) => {
            let values = list(Some(values))?;
            if first.len() != values.len() {
                return Err(wrong("mismatched array dimensions"));
            }
            (first, values)
        }
    };
    let keys = keys
        .into_iter()
        .map(|key| key.ok_or_else(|| wrong("null value not allowed for object key")))
        .collect::<Result<Vec<String>, Error>>()?;
    let values: Vec<Option<String>> = values
        .into_iter()
        .map(|value| {
            value.map(|value| {
                let mut out = String::new();
                write_string(&mut out, &value);
                out
            })
        })
        .collect();
    let pairs = keys.into_iter().zip(values.iter().map(Option::as_deref));
    object(job, ["{", "}"], pairs)
}

/// The last step of `json_agg`, from the list of its items.
fn aggregated(job: Job, args: &[Cell<'static>]) -> Answer {
    joined(job, args, ", ")
}

/// `array_to_json` of a list of JSON texts.
fn listed(job: Job, args: &[Cell<'static>]) -> Answer {
    joined(job, args, ",")
}

fn joined(job: Job, args: &[Cell<'static>], between: &str) -> Answer {
    let Some(Cell::List(items)) = args.first() else {
        return Ok(Cell::Null);
    };
    let mut out = "[".to_owned();
    for (place, item) in items.iter().enumerate() {
        let text = item.as_str().unwrap_or("null");
        match place {
            0 => out.push_str(text.strip_prefix(LINE).unwrap_or(text)),
            _ => {
                out.push_str(between);
                out.push_str(text);
            }
        }
        bounded::check_value(job.name, out.len()).map_err(from_engine)?;
    }
    out.push(']');
    job.shown(out).map(Cell::text)
}

/// The last step of `json_object_agg`, from the lists of its keys and values.
fn object_aggregated(job: Job, args: &[Cell<'static>]) -> Answer {
    let [Cell::List(keys), Cell::List(values)] = args else {
        return Ok(Cell::Null);
    };
    let keys = keys
        .iter()
        .map(|name| cast_text(name).ok_or_else(|| wrong("field name must not be null")))
        .collect::<Result<Vec<String>, Error>>()?;
    let values = values.iter().map(|value| {
        let text = value.as_str();
        text.map(|text| text.strip_prefix(LINE).unwrap_or(text))
    });
    let pairs = keys.into_iter().zip(values);
    object(job, ["{ ", " }"], pairs)
}

pub(super) fn twins(
    names: [&'static str; 2],
    arity: RangeInclusive<usize>,
    arguments: Arguments,
    body: Body,
) -> [JsonFunction; 2] {
    let [text, binary] = names;
    [(text, Form::Text), (binary, Form::Binary)].map(|(name, form)| {
        JsonFunction::new(name, arity.clone(), form, Returns::Json, body).of(arguments)
    })
}

/// The most arguments of a builder.
const MOST: usize = 100;

pub(super) fn functions() -> Vec<JsonFunction> {
    let built = [
        twins(
            ["json_build_object", "jsonb_build_object"],
            0..=MOST,
            Arguments::Pairs,
            build_object,
        ),
        twins(
            ["json_build_array", "jsonb_build_array"],
            0..=MOST,
            Arguments::Values,
            build_array,
        ),
        twins(
            ["$json_item", "$jsonb_item"],
            1..=1,
            Arguments::Values,
            item,
        ),
    ];
    let strict = [
        twins(["$json_in", "$jsonb_in"], 1..=1, Arguments::Plain, cast),
        twins(["$json_kept", "$jsonb_kept"], 1..=1, Arguments::Plain, kept),
        twins(["to_json", "to_jsonb"], 1..=1, Arguments::Values, made),
        twins(
            ["json_object", "jsonb_object"],
            1..=2,
            Arguments::Plain,
            of_texts,
        ),
        twins(
            ["$json_agg", "$jsonb_agg"],
            1..=1,
            Arguments::Plain,
            aggregated,
        ),
        twins(
            ["$json_object_agg", "$jsonb_object_agg"],
            2..=2,
            Arguments::Plain,
            object_aggregated,
        ),
    ];
    let of_values = |name: &'static str| {
        JsonFunction::new(name, 1..=1, Form::Text, Returns::Json, made).of(Arguments::Values)
    };
    let of_row = JsonFunction::new(ROW, 2..=2, Form::Text, Returns::Json, row)
        .of(Arguments::Pairs)
        .of_many()
        .called_on_null();
    let of_list = JsonFunction::new("$json_list", 1..=1, Form::Text, Returns::Json, listed)
        .of(Arguments::Plain);
    let mut all = vec![
        of_values("row_to_json"),
        of_values("array_to_json"),
        of_row,
        of_list,
    ];
    let built = built.into_iter().flatten();
    all.extend(built.map(JsonFunction::called_on_null));
    all.extend(strict.into_iter().flatten());
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn job(binary: bool) -> Job {
        Job {
            name: "asked",
            binary,
            nested: false,
            clock: None,
        }
    }

    #[test]
    fn items_of_a_list_are_json_already() {
        let items = || vec![Cell::text("{\"a\":1}"), Cell::Null, Cell::text("2")];
        assert_eq!(
            listed(job(false), &[Cell::List(items())]).unwrap(),
            Cell::text("[{\"a\":1},null,2]")
        );
        assert_eq!(
            aggregated(job(true), &[Cell::List(items())]).unwrap(),
            Cell::text("[{\"a\": 1}, null, 2]")
        );
    }

    #[test]
    fn builders_write_blanks_as_postgres_does() {
        let args = [
            Cell::text("b"),
            Cell::text("1.50"),
            Cell::Int(1),
            Cell::Null,
        ];
        assert_eq!(
            build_object(job(false), &args).unwrap(),
            Cell::text("{\"b\" : 1.50, \"1\" : null}")
        );
        assert_eq!(
            build_object(job(true), &args).unwrap(),
            Cell::text("{\"1\": null, \"b\": 1.50}")
        );
        let null = [Cell::Null, Cell::text("1")];
        let error = build_object(job(false), &null).unwrap_err();
        assert_eq!(error.message(), "argument 1 cannot be null");
        assert_eq!(
            build_array(job(false), &[Cell::text("1"), Cell::Null]).unwrap(),
            Cell::text("[1, null]")
        );
        assert_eq!(
            of_texts(job(false), &[Cell::text("{a,1,b,NULL}")]).unwrap(),
            Cell::text("{\"a\" : \"1\", \"b\" : null}")
        );
    }

    #[test]
    fn rows_are_written_without_blanks() {
        let args = [
            Cell::text("a\""),
            Cell::text("[1, 2]"),
            Cell::text("b"),
            Cell::Null,
        ];
        assert_eq!(
            row(job(false), &args).unwrap(),
            Cell::text("{\"a\\\"\":[1, 2],\"b\":null}")
        );
        let with = |is_there: bool| [Cell::text("a"), Cell::Null, Cell::Bool(is_there)];
        assert_eq!(
            row(job(false), &with(true)).unwrap(),
            Cell::text("{\"a\":null}")
        );
        assert_eq!(row(job(false), &with(false)).unwrap(), Cell::Null);
        let array = [Cell::texts(["a"]), Cell::text("1")];
        let error = build_object(job(false), &array).unwrap_err();
        assert_eq!(
            error.message(),
            "key value must be scalar, not array, composite, or json"
        );
    }

    #[test]
    fn aggregated_rows_are_on_lines_of_their_own() {
        let items = Cell::texts(["\n {\"a\":1}", "\n {\"a\":2}", "null"]);
        assert_eq!(
            aggregated(job(false), &[items]).unwrap(),
            Cell::text("[{\"a\":1}, \n {\"a\":2}, null]")
        );
        let pairs = [Cell::texts(["a", "b"]), Cell::texts(["1", "\n [2]"])];
        assert_eq!(
            object_aggregated(job(false), &pairs).unwrap(),
            Cell::text("{ \"a\" : 1, \"b\" : [2] }")
        );
    }
}
