//! Reading of JSON values: members, paths, and what a value is.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use lakegate_error::{Code, Error};
use lakegate_sql::IS_JSON;

use super::value::{Json, Node, parse, type_of};
use super::{Body, Cell, Form, Job, JsonFunction, Returns, document, path};

pub(super) type Answer = Result<Cell<'static>, Error>;

pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidParameter, message.into())
}

/// Returns the place in a list that an index names; a negative one counts from the end.
fn place(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => Some(index).filter(|index| *index < length),
        Err(_) => {
            let back = usize::try_from(index.unsigned_abs()).ok()?;
            length.checked_sub(back)
        }
    }
}

/// Returns the member of an object, or the item of an array.
pub(super) fn member<'n, 'a>(node: &'n Node<'a>, key: &Cell<'static>) -> Option<&'n Node<'a>> {
    match (&node.value, key) {
        (Json::Array(items), Cell::Int(index)) => items.get(place(*index, items.len())?),
        (Json::Object(pairs), Cell::Text(key)) => named(pairs, key),
        _ => None,
    }
}

/// Of equal keys, the last counts.
pub(super) fn named<'n, 'a>(pairs: &'n [(String, Node<'a>)], key: &str) -> Option<&'n Node<'a>> {
    let mut found = pairs.iter().rev().filter(|(name, _)| name == key);
    found.next().map(|(_, value)| value)
}

fn along<'n, 'a>(node: &'n Node<'a>, path: &[String]) -> Option<&'n Node<'a>> {
    let mut node = node;
    for step in path {
        node = match &node.value {
            Json::Array(items) => {
                let index: i64 = step.trim().parse().ok()?;
                items.get(place(index, items.len())?)?
            }
            Json::Object(pairs) => named(pairs, step)?,
            _ => return None,
        };
    }
    Some(node)
}

/// Returns a value as JSON.
pub(super) fn as_json(job: Job, node: Option<&Node<'_>>) -> Answer {
    match node {
        Some(node) => job.text(node).map(Cell::text),
        None => Ok(Cell::Null),
    }
}

/// Returns a value as text: a string without its quotes, and NULL for `null`.
pub(super) fn as_text(job: Job, node: Option<&Node<'_>>) -> Answer {
    match node.map(|node| (&node.value, node)) {
        None | Some((Json::Null, _)) => Ok(Cell::Null),
        Some((Json::String(text), _)) => Ok(Cell::text(text.clone())),
        Some((_, node)) => job.text(node).map(Cell::text),
    }
}

/// Returns what the operators `->` and `->>` find. To PostgreSQL, a scalar of type `jsonb` is an
/// array that has it.
fn got<'n, 'a>(job: Job, node: &'n Node<'a>, key: &Cell<'static>) -> Option<&'n Node<'a>> {
    match (&node.value, key) {
        (Json::Array(_) | Json::Object(_), key) => member(node, key),
        (_, Cell::Int(0 | -1)) if job.binary => Some(node),
        _ => None,
    }
}

fn get(job: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    as_json(job, args.get(1).and_then(|key| got(job, &node, key)))
}

fn get_text(job: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    as_text(job, args.get(1).and_then(|key| got(job, &node, key)))
}

/// The function of a subscript.
pub(super) const SUBSCRIPT: &str = "$json_subscript";

fn subscript(job: Job, args: &[Cell<'static>]) -> Answer {
    let Some(step) = args.get(1).and_then(Cell::to_text) else {
        return Ok(Cell::Null);
    };
    let text = document(args);
    as_json(job, along(&parse(&text)?, &[step]))
}

/// Returns the path of a call: an array, or one text for each step.
fn steps(args: &[Cell<'static>]) -> Result<Option<Vec<String>>, Error> {
    match args.get(1..).unwrap_or_default() {
        [one @ Cell::List(_)] => path(Some(one)),
        texts => Ok(texts.iter().map(Cell::to_text).collect()),
    }
}

fn get_path(job: Job, args: &[Cell<'static>]) -> Answer {
    let Some(path) = path(args.get(1))? else {
        return Ok(Cell::Null);
    };
    let text = document(args);
    as_json(job, along(&parse(&text)?, &path))
}

fn get_path_text(job: Job, args: &[Cell<'static>]) -> Answer {
    let Some(path) = path(args.get(1))? else {
        return Ok(Cell::Null);
    };
    let text = document(args);
    as_text(job, along(&parse(&text)?, &path))
}

fn extract(job: Job, args: &[Cell<'static>]) -> Answer {
    let Some(path) = steps(args)? else {
        return Ok(Cell::Null);
    };
    let text = document(args);
    as_json(job, along(&parse(&text)?, &path))
}

fn extract_text(job: Job, args: &[Cell<'static>]) -> Answer {
    let Some(path) = steps(args)? else {
        return Ok(Cell::Null);
    };
    let text = document(args);
    as_text(job, along(&parse(&text)?, &path))
}

/// `x IS JSON`: whether a text is a value of a kind.
fn is_json(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = match parse(&text) {
        Ok(node) => node,
        Err(error) if error.code() == Code::InvalidCast => return Ok(Cell::Bool(false)),
        Err(error) => return Err(error),
    };
    let is_kind = match args.get(1).and_then(Cell::as_str) {
        Some("array") => matches!(node.value, Json::Array(_)),
        Some("object") => matches!(node.value, Json::Object(_)),
        Some("scalar") => !matches!(node.value, Json::Array(_) | Json::Object(_)),
        _ => true,
    };
    let unique = args.get(2).and_then(Cell::as_bool) == Some(true);
    Ok(Cell::Bool(is_kind && (!unique || has_unique_keys(&node))))
}

/// Returns whether the keys of each object differ.
fn has_unique_keys(node: &Node<'_>) -> bool {
    match &node.value {
        Json::Array(items) => items.iter().all(has_unique_keys),
        Json::Object(pairs) => {
            let mut known = HashSet::new();
            pairs
                .iter()
                .all(|(key, value)| known.insert(key) && has_unique_keys(value))
        }
        _ => true,
    }
}

fn array_length(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    match parse(&text)?.value {
        Json::Array(items) => Ok(Cell::Int(i64::try_from(items.len()).unwrap_or(i64::MAX))),
        Json::Object(_) => Err(wrong("cannot get array length of a non-array")),
        _ => Err(wrong("cannot get array length of a scalar")),
    }
}

fn type_name(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    Ok(Cell::text(type_of(&parse(&text)?.value)))
}

/// A function of `json` and its twin of `jsonb`.
pub(super) fn twins(
    names: [&'static str; 2],
    arity: RangeInclusive<usize>,
    returns: Returns,
    body: Body,
) -> [JsonFunction; 2] {
    let [text, binary] = names;
    [
        JsonFunction::new(text, arity.clone(), Form::Text, returns, body),
        JsonFunction::new(binary, arity, Form::Binary, returns, body),
    ]
}

pub(super) fn functions() -> Vec<JsonFunction> {
    let of_first = |name: &'static str, returns: Returns, body: Body| {
        JsonFunction::new(name, 2..=2, Form::OfFirst, returns, body)
    };
    let mut all = vec![
        of_first("$json_get", Returns::Json, get),
        of_first(SUBSCRIPT, Returns::Json, subscript),
        of_first("$json_get_text", Returns::Text, get_text),
        of_first("$json_get_path", Returns::Json, get_path),
        of_first("$json_get_path_text", Returns::Text, get_path_text),
        JsonFunction::new(IS_JSON, 3..=3, Form::Text, Returns::Boolean, is_json),
    ];
    let twice = [
        twins(
            ["json_array_length", "jsonb_array_length"],
            1..=1,
            Returns::Integer,
            array_length,
        ),
        twins(
            ["json_typeof", "jsonb_typeof"],
            1..=1,
            Returns::Text,
            type_name,
        ),
        twins(
            ["json_extract_path", "jsonb_extract_path"],
            1..=16,
            Returns::Json,
            extract,
        ),
        twins(
            ["json_extract_path_text", "jsonb_extract_path_text"],
            1..=16,
            Returns::Text,
            extract_text,
        ),
    ];
    all.extend(twice.into_iter().flatten());
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(body: Body, binary: bool, args: &[Cell<'static>]) -> Cell<'static> {
        let job = Job {
            name: "asked",
            binary,
            nested: false,
            clock: None,
        };
        body(job, args).unwrap()
    }

    #[test]
    fn members_keep_their_text_as_json_and_not_as_jsonb() {
        let document = Cell::text(r#"{"a": {"c":1.0,"b":[1,"x",null]}, "a2": "y"}"#);
        let get_of = |binary: bool, key: &'static str| {
            asked(get, binary, &[document.clone(), Cell::text(key)])
        };
        assert_eq!(
            get_of(false, "a"),
            Cell::text(r#"{"c":1.0,"b":[1,"x",null]}"#)
        );
        assert_eq!(
            get_of(true, "a"),
            Cell::text(r#"{"b": [1, "x", null], "c": 1.0}"#)
        );
        assert_eq!(get_of(true, "a2"), Cell::text("\"y\""));
        assert_eq!(get_of(true, "none"), Cell::Null);
        let at =
            |path: &'static str| asked(get_path_text, false, &[document.clone(), Cell::text(path)]);
        assert_eq!(at("{a,b,1}"), Cell::text("x"));
        assert_eq!(at("{a,b,-1}"), Cell::Null);
        assert_eq!(at("{a,b,-3}"), Cell::text("1"));
        assert_eq!(at("{a,b,-4}"), Cell::Null);
        assert_eq!(at("{a,b,x}"), Cell::Null);
    }
}
