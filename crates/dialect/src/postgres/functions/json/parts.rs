//! The parts of JSON arrays and objects as lists: items, keys, members, and columns of record sets.

use lakegate_error::{Code, Error};

use super::read::{Answer, as_json, as_text, member, twins, wrong};
use super::value::{Json, Node, parse};
use super::write::sorted;
use super::{Cell, Form, Job, JsonFunction, Returns, document};
use crate::postgres::{ArrayItem, parse_array};

/// Calls a function for the items of an array.
fn items(job: Job, args: &[Cell<'static>], of: fn(Job, Option<&Node<'_>>) -> Answer) -> Answer {
    let text = document(args);
    let items = match (parse(&text)?.value, job.binary) {
        (Json::Array(items), _) => items,
        (Json::Object(_), true) => return Err(wrong("cannot extract elements from an object")),
        (_, true) => return Err(wrong("cannot extract elements from a scalar")),
        (Json::Object(_), false) => {
            return Err(wrong(format!("cannot call {} on a non-array", job.name)));
        }
        (_, false) => return Err(wrong(format!("cannot call {} on a scalar", job.name))),
    };
    let items = items.iter().map(|item| of(job, Some(item)));
    items.collect::<Result<Vec<_>, _>>().map(Cell::List)
}

fn elements(job: Job, args: &[Cell<'static>]) -> Answer {
    items(job, args, as_json)
}

fn elements_text(job: Job, args: &[Cell<'static>]) -> Answer {
    items(job, args, as_text)
}

/// Calls a function for the pairs of an object.
fn pairs(job: Job, args: &[Cell<'static>], of: fn(Job, &str, &Node<'_>) -> Answer) -> Answer {
    let text = document(args);
    let pairs = match parse(&text)?.value {
        Json::Object(pairs) => pairs,
        other => return Err(no_object(job, &other)),
    };
    let found: Vec<&(String, Node<'_>)> = match job.binary {
        true => sorted(&pairs),
        false => pairs.iter().collect(),
    };
    let found = found.into_iter().map(|(key, value)| of(job, key, value));
    found.collect::<Result<Vec<_>, _>>().map(Cell::List)
}

fn no_object(job: Job, value: &Json<'_>) -> Error {
    let is_array = matches!(value, Json::Array(_));
    wrong(match (job.name.strip_prefix('$'), is_array) {
        (None, true) => format!("cannot call {} on an array", job.name),
        (None, false) => format!("cannot call {} on a scalar", job.name),
        (Some(_), true) if !job.binary => "cannot deconstruct an array as an object".to_owned(),
        (Some(_), false) if !job.binary => "cannot deconstruct a scalar".to_owned(),
        (Some(name), _) => {
            let of_texts = name.ends_with("_text");
            let called = if of_texts {
                "jsonb_each_text"
            } else {
                "jsonb_each"
            };
            format!("cannot call {called} on a non-object")
        }
    })
}

fn keys(job: Job, args: &[Cell<'static>]) -> Answer {
    pairs(job, args, |_, key, _| Ok(Cell::text(key.to_owned())))
}

fn values(job: Job, args: &[Cell<'static>]) -> Answer {
    pairs(job, args, |job, _, value| as_json(job, Some(value)))
}

fn values_text(job: Job, args: &[Cell<'static>]) -> Answer {
    pairs(job, args, |job, _, value| as_text(job, Some(value)))
}

/// Returns a list of pairs of a key and a value.
fn entries(job: Job, args: &[Cell<'static>]) -> Answer {
    pairs(job, args, |job, key, value| {
        let value = as_json(job, Some(value))?;
        Ok(Cell::List(vec![Cell::text(key.to_owned()), value]))
    })
}

fn entries_text(job: Job, args: &[Cell<'static>]) -> Answer {
    pairs(job, args, |job, key, value| {
        let value = as_text(job, Some(value))?;
        Ok(Cell::List(vec![Cell::text(key.to_owned()), value]))
    })
}

/// Returns the member of each object of an array as text: a column of a record set.
fn column(job: Job, args: &[Cell<'static>]) -> Answer {
    let key = args.get(1).cloned().unwrap_or(Cell::Null);
    members(args, &key, |node| as_text(job, node))
}

/// Calls a function for the member of each object of an array.
fn members(
    args: &[Cell<'static>],
    key: &Cell<'static>,
    of: impl Fn(Option<&Node<'_>>) -> Answer,
) -> Answer {
    let text = document(args);
    let Json::Array(items) = parse(&text)?.value else {
        return Err(wrong("cannot call jsonb_to_recordset on a non-array"));
    };
    let items = items.iter().map(|item| match &item.value {
        Json::Object(_) => of(member(item, key)),
        _ => Err(wrong(
            "argument of jsonb_to_recordset must be an array of objects",
        )),
    });
    items.collect::<Result<Vec<_>, _>>().map(Cell::List)
}

/// Returns a member as the texts of an array's items: an array, or a string that spells one.
fn as_array(job: Job, node: Option<&Node<'_>>, key: &Cell<'static>) -> Answer {
    let nested = || {
        Error::not_supported("a column of a record is an array of one dimension")
            .with_hint("make it a column of type jsonb")
    };
    match node.map(|node| &node.value) {
        None | Some(Json::Null) => Ok(Cell::Null),
        Some(Json::Array(items)) => {
            if items
                .iter()
                .any(|item| matches!(item.value, Json::Array(_)))
            {
                return Err(nested());
            }
            let items = items.iter().map(|item| as_text(job, Some(item)));
            items.collect::<Result<Vec<_>, _>>().map(Cell::List)
        }
        Some(Json::String(text)) => {
            let items = parse_array(text)?.into_iter().map(ArrayItem::into_cell);
            let items: Vec<Cell<'static>> = items.collect();
            match items.iter().any(|item| matches!(item, Cell::List(_))) {
                true => Err(nested()),
                false => Ok(Cell::List(items)),
            }
        }
        Some(_) => {
            let key = key.to_text().unwrap_or_default();
            Err(Error::new(Code::InvalidCast, "expected JSON array")
                .with_hint(format!("See the value of key \"{key}\".")))
        }
    }
}

fn get_array(job: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    let key = args.get(1).cloned().unwrap_or(Cell::Null);
    as_array(job, member(&node, &key), &key)
}

/// Returns the member of each object of an array as an array: a column of a record set.
fn array_column(job: Job, args: &[Cell<'static>]) -> Answer {
    let key = args.get(1).cloned().unwrap_or(Cell::Null);
    members(args, &key, |node| as_array(job, node, &key))
}

pub(super) fn functions() -> Vec<JsonFunction> {
    let array = JsonFunction::new(
        "$json_get_array",
        2..=2,
        Form::OfFirst,
        Returns::Texts,
        get_array,
    );
    let twice = [
        twins(
            ["json_array_elements", "jsonb_array_elements"],
            1..=1,
            Returns::Texts,
            elements,
        ),
        twins(
            ["json_array_elements_text", "jsonb_array_elements_text"],
            1..=1,
            Returns::Texts,
            elements_text,
        ),
        twins(
            ["json_object_keys", "jsonb_object_keys"],
            1..=1,
            Returns::Texts,
            keys,
        ),
        twins(
            ["$json_values", "$jsonb_values"],
            1..=1,
            Returns::Texts,
            values,
        ),
        twins(
            ["$json_values_text", "$jsonb_values_text"],
            1..=1,
            Returns::Texts,
            values_text,
        ),
        twins(
            ["$json_entries", "$jsonb_entries"],
            1..=1,
            Returns::Entries,
            entries,
        ),
        twins(
            ["$json_entries_text", "$jsonb_entries_text"],
            1..=1,
            Returns::TextEntries,
            entries_text,
        ),
        twins(
            ["$json_column", "$jsonb_column"],
            2..=2,
            Returns::Texts,
            column,
        ),
        twins(
            ["$json_array_column", "$jsonb_array_column"],
            2..=2,
            Returns::TextLists,
            array_column,
        ),
    ];
    twice.into_iter().flatten().chain([array]).collect()
}
