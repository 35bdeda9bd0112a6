//! Changes of `jsonb` values, which return a new value.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use lakegate_error::{Code, Error};

use super::value::{Json, Node, parse};
use super::write::{sorted, write_compact, write_jsonb, write_pretty};
use super::{Body, Cell, Form, Job, JsonFunction, Returns, document, path};

type Answer = Result<Cell<'static>, Error>;

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidParameter, message.into())
}

fn jsonb(node: &Node<'_>) -> Answer {
    let mut out = String::new();
    write_jsonb(&mut out, node)?;
    Ok(Cell::text(out))
}

/// What happens at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Set { creates: bool },
    Insert { after: bool },
    Delete,
}

/// Changes the part of a value at a path.
fn change<'a>(
    node: &mut Node<'a>,
    path: &[String],
    depth: usize,
    change_to: (&Node<'a>, Change),
) -> Result<(), Error> {
    let Some(step) = path.get(depth) else {
        return Ok(());
    };
    let (new, what) = change_to;
    let is_last = depth + 1 == path.len();
    match &mut node.value {
        Json::Object(pairs) => {
            let found = pairs.iter().rposition(|(key, _)| key == step);
            match (found, is_last, what) {
                (Some(place), false, _) => {
                    if let Some((_, inner)) = pairs.get_mut(place) {
                        change(inner, path, depth + 1, change_to)?;
                    }
                }
                (Some(_), true, Change::Insert { .. }) => {
                    return Err(wrong("cannot replace existing key")
                        .with_hint("Try using the function jsonb_set to replace key value."));
                }
                (Some(_), true, Change::Delete) => pairs.retain(|(key, _)| key != step),
                (Some(place), true, Change::Set { .. }) => {
                    if let Some((_, value)) = pairs.get_mut(place) {
                        *value = new.clone();
                    }
                }
                (None, true, Change::Set { creates: true } | Change::Insert { .. }) => {
                    pairs.push((step.clone(), new.clone()));
                }
                (None, _, _) => {}
            }
        }
        Json::Array(items) => {
            let index: i64 = step.trim().parse().map_err(|_| {
                Error::new(
                    Code::InvalidCast,
                    format!(
                        "path element at position {} is not an integer: \"{step}\"",
                        depth + 1
                    ),
                )
            })?;
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            // `None`: before the first item.
            let place = match index {
                0.. => Some(index.min(length)),
                _ => Some(index.saturating_add(length)).filter(|place| *place >= 0),
            };
            let place = place.and_then(|place| usize::try_from(place).ok());
            let found = place.filter(|place| *place < items.len());
            match (found, is_last, what) {
                (Some(place), false, _) => {
                    if let Some(inner) = items.get_mut(place) {
                        change(inner, path, depth + 1, change_to)?;
                    }
                }
                (Some(place), true, Change::Delete) => {
                    items.remove(place);
                }
                (Some(place), true, Change::Set { .. }) => {
                    if let Some(item) = items.get_mut(place) {
                        *item = new.clone();
                    }
                }
                (Some(place), true, Change::Insert { after }) => {
                    items.insert(place + usize::from(after), new.clone());
                }
                (None, true, Change::Set { creates: true } | Change::Insert { .. }) => {
                    match place {
                        Some(_) => items.push(new.clone()),
                        None => items.insert(0, new.clone()),
                    }
                }
                (None, _, _) => {}
            }
        }
        _ => {}
    }
    Ok(())
}

fn is_scalar(node: &Node<'_>) -> bool {
    !matches!(node.value, Json::Array(_) | Json::Object(_))
}

fn changed(args: &[Cell<'static>], what: Change) -> Answer {
    let Some(path) = path(args.get(1))? else {
        return Err(Error::new(
            Code::InvalidParameter,
            "a path element must not be null",
        ));
    };
    let text = document(args);
    let new = args.get(2).and_then(Cell::to_text).unwrap_or_default();
    let mut node = parse(&text)?;
    let new = match what {
        Change::Delete => Node::made(Json::Null),
        _ => parse(&new)?,
    };
    if is_scalar(&node) {
        return Err(wrong(match what {
            Change::Delete => "cannot delete path in scalar",
            _ => "cannot set path in scalar",
        }));
    }
    change(&mut node, &path, 0, (&new, what))?;
    jsonb(&node)
}

fn set(_: Job, args: &[Cell<'static>]) -> Answer {
    let creates = args.get(3).and_then(Cell::as_bool).unwrap_or(true);
    changed(args, Change::Set { creates })
}

/// `jsonb_set_lax(target, path, new, creates, null_value_treatment)`.
fn set_lax(job: Job, args: &[Cell<'static>]) -> Answer {
    let [target, path, new, rest @ ..] = args else {
        return Ok(Cell::Null);
    };
    if [target, path].into_iter().any(Cell::is_null) || rest.iter().any(Cell::is_null) {
        return Ok(Cell::Null);
    }
    if !new.is_null() {
        return set(job, args);
    }
    let treatment = rest.get(1).and_then(Cell::to_text);
    let with_null = |args: &[Cell<'static>]| {
        let mut args = args.to_vec();
        if let Some(new) = args.get_mut(2) {
            *new = Cell::text("null");
        }
        args
    };
    match treatment.as_deref().unwrap_or("use_json_null") {
        "use_json_null" => set(job, &with_null(args)),
        "return_target" => jsonb(&parse(&document(args))?),
        "delete_key" => changed(args, Change::Delete),
        "raise_exception" => Err(wrong("JSON value must not be null")),
        _ => Err(wrong(
            "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"",
        )),
    }
}

fn insert(_: Job, args: &[Cell<'static>]) -> Answer {
    let after = args.get(3).and_then(Cell::as_bool).unwrap_or(false);
    changed(args, Change::Insert { after })
}

fn delete_path(_: Job, args: &[Cell<'static>]) -> Answer {
    changed(args, Change::Delete)
}

/// `jsonb - key`, `jsonb - keys` and `jsonb - index`.
fn delete(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let mut node = parse(&text)?;
    if is_scalar(&node) {
        return Err(wrong("cannot delete from scalar"));
    }
    let keys: HashSet<String> = match args.get(1) {
        Some(Cell::Int(index)) => {
            match &mut node.value {
                Json::Array(items) => {
                    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                    let place = if *index < 0 { *index + length } else { *index };
                    if let Some(place) = usize::try_from(place).ok()
                        && place < items.len()
                    {
                        items.remove(place);
                    }
                }
                _ => return Err(wrong("cannot delete from object using integer index")),
            }
            return jsonb(&node);
        }
        Some(Cell::List(items)) => items.iter().filter_map(Cell::to_text).collect(),
        other => other.and_then(Cell::to_text).into_iter().collect(),
    };
    match &mut node.value {
        Json::Object(pairs) => pairs.retain(|(key, _)| !keys.contains(key)),
        Json::Array(items) => {
            items.retain(|item| !matches!(&item.value, Json::String(text) if keys.contains(text)))
        }
        _ => {}
    }
    jsonb(&node)
}

/// Returns the items of an array, or one value as the only item.
fn items_of(value: Json<'_>) -> Vec<Node<'_>> {
    match value {
        Json::Array(items) => items,
        value => vec![Node::made(value)],
    }
}

fn concat(_: Job, args: &[Cell<'static>]) -> Answer {
    let (left, right) = (
        document(args),
        args.get(1).and_then(Cell::to_text).unwrap_or_default(),
    );
    let (left, right) = (parse(&left)?, parse(&right)?);
    let value = match (left.value, right.value) {
        (Json::Object(mut pairs), Json::Object(more)) => {
            // Of equal keys, the last counts.
            pairs.extend(more);
            Json::Object(pairs)
        }
        (left, right) => {
            let mut all = items_of(left);
            all.extend(items_of(right));
            Json::Array(all)
        }
    };
    jsonb(&Node::made(value))
}

/// Removes the members that are null. In `jsonb`, only the last of equal keys counts.
fn without_nulls(node: Node<'_>, binary: bool) -> Node<'_> {
    let value = match node.value {
        Json::Object(pairs) => {
            let pairs: Vec<(String, Node<'_>)> = match binary {
                true => sorted(&pairs).into_iter().cloned().collect(),
                false => pairs,
            };
            Json::Object(
                pairs
                    .into_iter()
                    .filter(|(_, value)| !matches!(value.value, Json::Null))
                    .map(|(key, value)| (key, without_nulls(value, binary)))
                    .collect(),
            )
        }
        Json::Array(items) => Json::Array(
            items
                .into_iter()
                .map(|item| without_nulls(item, binary))
                .collect(),
        ),
        other => other,
    };
    Node::made(value)
}

fn strip_nulls(job: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = without_nulls(parse(&text)?, job.binary);
    if job.binary {
        return jsonb(&node);
    }
    let mut out = String::new();
    write_compact(&mut out, &node)?;
    Ok(Cell::text(out))
}

fn pretty(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let mut out = String::new();
    write_pretty(&mut out, &parse(&text)?, 0)?;
    Ok(Cell::text(out))
}

pub(super) fn functions() -> Vec<JsonFunction> {
    let binary = |name: &'static str, arity: RangeInclusive<usize>, body: Body| {
        JsonFunction::new(name, arity, Form::Binary, Returns::Json, body)
    };
    vec![
        binary("jsonb_set", 3..=4, set),
        binary("jsonb_set_lax", 3..=5, set_lax).called_on_null(),
        binary("jsonb_insert", 3..=4, insert),
        binary("jsonb_delete", 2..=2, delete),
        binary("jsonb_delete_path", 2..=2, delete_path),
        binary("jsonb_concat", 2..=2, concat),
        binary("jsonb_strip_nulls", 1..=1, strip_nulls),
        JsonFunction::new(
            "json_strip_nulls",
            1..=1,
            Form::Text,
            Returns::Json,
            strip_nulls,
        ),
        JsonFunction::new("jsonb_pretty", 1..=1, Form::Binary, Returns::Text, pretty),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked(body: Body, args: &[&'static str]) -> String {
        let job = Job {
            name: "asked",
            binary: true,
            nested: false,
            clock: None,
        };
        let args: Vec<Cell<'static>> = args.iter().map(|text| Cell::text(*text)).collect();
        body(job, &args).unwrap().to_text().unwrap()
    }

    #[test]
    fn values_are_set_where_the_path_leads() {
        for (args, expected) in [
            (["{\"a\":[1,2]}", "{a,-1}", "9"], "{\"a\": [1, 9]}"),
            (["{\"a\":[1,2]}", "{b,c}", "9"], "{\"a\": [1, 2]}"),
            (["{\"a\":[1,2]}", "{a,5}", "9"], "{\"a\": [1, 2, 9]}"),
            (["{\"a\":[1,2]}", "{a,-5}", "9"], "{\"a\": [9, 1, 2]}"),
            (["{\"a\":1}", "{b}", "[]"], "{\"a\": 1, \"b\": []}"),
        ] {
            assert_eq!(asked(set, &args), expected, "{args:?}");
        }
        let inserted = asked(insert, &["{\"a\":[0,1,2]}", "{a,1}", "\"n\""]);
        assert_eq!(inserted, "{\"a\": [0, \"n\", 1, 2]}");
        let deleted = asked(delete_path, &["[\"a\",{\"b\":[1,2]}]", "{1,b,1}"]);
        assert_eq!(deleted, "[\"a\", {\"b\": [1]}]");
    }

    #[test]
    fn objects_merge_and_arrays_grow() {
        for (args, expected) in [
            (["{\"a\":1,\"b\":2}", "{\"b\":3}"], "{\"a\": 1, \"b\": 3}"),
            (["[1]", "[2]"], "[1, 2]"),
            (["[1]", "{\"a\":2}"], "[1, {\"a\": 2}]"),
            (["1", "2"], "[1, 2]"),
            (["{\"a\":1}", "1"], "[{\"a\": 1}, 1]"),
        ] {
            assert_eq!(asked(concat, &args), expected, "{args:?}");
        }
    }
}
