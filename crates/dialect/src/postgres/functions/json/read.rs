//! Reading of JSON values: members, paths, containment, and the parts of arrays and objects.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use lakegate_error::{Code, Error};
use lakegate_sql::IS_JSON;

use super::value::{Json, Node, parse, type_of};
use super::write::{plain_number, sorted};
use super::{Body, Cell, Form, Job, JsonFunction, Returns, document, path};
use crate::postgres::{ArrayItem, parse_array};

type Answer = Result<Cell<'static>, Error>;

fn wrong(message: impl Into<String>) -> Error {
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
fn member<'n, 'a>(node: &'n Node<'a>, key: &Cell<'static>) -> Option<&'n Node<'a>> {
    match (&node.value, key) {
        (Json::Array(items), Cell::Int(index)) => items.get(place(*index, items.len())?),
        (Json::Object(pairs), Cell::Text(key)) => named(pairs, key),
        _ => None,
    }
}

/// Of equal keys, the last counts.
fn named<'n, 'a>(pairs: &'n [(String, Node<'a>)], key: &str) -> Option<&'n Node<'a>> {
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
fn as_json(job: Job, node: Option<&Node<'_>>) -> Answer {
    match node {
        Some(node) => job.text(node).map(Cell::text),
        None => Ok(Cell::Null),
    }
}

/// Returns a value as text: a string without its quotes, and NULL for `null`.
fn as_text(job: Job, node: Option<&Node<'_>>) -> Answer {
    match node.map(|node| (&node.value, node)) {
        None | Some((Json::Null, _)) => Ok(Cell::Null),
        Some((Json::String(text), _)) => Ok(Cell::text(text.clone())),
        Some((_, node)) => job.text(node).map(Cell::text),
    }
}

fn get(job: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    as_json(job, args.get(1).and_then(|key| member(&node, key)))
}

fn get_text(job: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    as_text(job, args.get(1).and_then(|key| member(&node, key)))
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

/// Returns whether a text is a key of an object, or a string of an array.
fn has(node: &Node<'_>, key: &str) -> bool {
    let is_key = |node: &Node<'_>| matches!(&node.value, Json::String(text) if text == key);
    match &node.value {
        Json::Object(pairs) => named(pairs, key).is_some(),
        Json::Array(items) => items.iter().any(is_key),
        _ => is_key(node),
    }
}

fn exists(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let key = args.get(1).and_then(Cell::to_text).unwrap_or_default();
    Ok(Cell::Bool(has(&parse(&text)?, &key)))
}

/// Returns the texts of an array, without the NULLs.
fn wanted(args: &[Cell<'static>]) -> Result<Vec<String>, Error> {
    match args.get(1) {
        Some(Cell::List(items)) => Ok(items.iter().filter_map(Cell::to_text).collect()),
        other => Ok(path(other)?.unwrap_or_default()),
    }
}

fn exists_any(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    Ok(Cell::Bool(wanted(args)?.iter().any(|key| has(&node, key))))
}

fn exists_all(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    Ok(Cell::Bool(wanted(args)?.iter().all(|key| has(&node, key))))
}

/// Returns whether two values that are not arrays or objects are equal.
fn same(a: &Json<'_>, b: &Json<'_>) -> bool {
    match (a, b) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(a), Json::Bool(b)) => a == b,
        (Json::String(a), Json::String(b)) => a == b,
        (Json::Number(a), Json::Number(b)) => {
            let shortest = |number: &str| {
                let text = plain_number(number).ok()?.into_owned();
                Some(match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => text,
                })
            };
            shortest(a).is_some_and(|a| shortest(b).is_some_and(|b| a == b))
        }
        _ => false,
    }
}

/// Returns whether an array or object contains another of its kind.
fn holds(whole: &Node<'_>, part: &Node<'_>) -> Result<bool, Error> {
    lakegate_engine::stop::check().map_err(lakegate_error::from_engine)?;
    match (&whole.value, &part.value) {
        (Json::Object(whole), Json::Object(part)) => {
            for (key, value) in sorted(part) {
                let Some(found) = named(whole, key) else {
                    return Ok(false);
                };
                if !same(&found.value, &value.value) && !holds(found, value)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Json::Array(whole), Json::Array(part)) => {
            for item in part {
                let mut found = false;
                for candidate in whole {
                    found = same(&candidate.value, &item.value) || holds(candidate, item)?;
                    if found {
                        break;
                    }
                }
                if !found {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn contains(_: Job, args: &[Cell<'static>]) -> Answer {
    let (whole, part) = (
        document(args),
        args.get(1).and_then(Cell::to_text).unwrap_or_default(),
    );
    let (whole, part) = (parse(&whole)?, parse(&part)?);
    let is_scalar = |node: &Node<'_>| !matches!(node.value, Json::Array(_) | Json::Object(_));
    let found = match &whole.value {
        // An array contains a value that is one of its items.
        Json::Array(items) if is_scalar(&part) => {
            items.iter().any(|item| same(&item.value, &part.value))
        }
        _ => same(&whole.value, &part.value) || holds(&whole, &part)?,
    };
    Ok(Cell::Bool(found))
}

fn contained(job: Job, args: &[Cell<'static>]) -> Answer {
    match args {
        [part, whole] => contains(job, &[whole.clone(), part.clone()]),
        _ => Ok(Cell::Null),
    }
}

/// A function of `json` and its twin of `jsonb`.
fn twins(
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
    let about = |name: &'static str, body: Body| {
        JsonFunction::new(name, 2..=2, Form::Binary, Returns::Boolean, body)
    };
    let mut all = vec![
        of_first("$json_get", Returns::Json, get),
        of_first(SUBSCRIPT, Returns::Json, subscript),
        of_first("$json_get_array", Returns::Texts, get_array),
        of_first("$json_get_text", Returns::Text, get_text),
        of_first("$json_get_path", Returns::Json, get_path),
        of_first("$json_get_path_text", Returns::Text, get_path_text),
        JsonFunction::new(IS_JSON, 3..=3, Form::Text, Returns::Boolean, is_json),
        about("jsonb_exists", exists),
        about("jsonb_exists_any", exists_any),
        about("jsonb_exists_all", exists_all),
        about("jsonb_contains", contains),
        about("jsonb_contained", contained),
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

    #[test]
    fn containment_is_of_parts_at_any_depth() {
        for (whole, part, expected) in [
            ("{\"a\":1,\"b\":2}", "{\"b\":2.0}", true),
            (
                "{\"a\":[1,2,{\"x\":1,\"y\":2}]}",
                "{\"a\":[{\"y\":2}]}",
                true,
            ),
            ("[1,2,[1,3]]", "[1,3]", false),
            ("[1,2,[1,3]]", "[[1,3]]", true),
            ("[\"foo\",\"bar\"]", "\"bar\"", true),
            ("\"bar\"", "[\"bar\"]", false),
            ("{}", "{\"a\":null}", false),
            ("[]", "[]", true),
            ("1", "1.00", true),
        ] {
            let found = asked(contains, true, &[Cell::text(whole), Cell::text(part)]);
            assert_eq!(found, Cell::Bool(expected), "{whole} @> {part}");
        }
    }
}
