//! Whether a `jsonb` value has keys, or contains another value.

use lakegate_error::Error;

use super::read::{Answer, named};
use super::value::{Json, Node, parse};
use super::write::{plain_number, sorted};
use super::{Body, Cell, Form, Job, JsonFunction, Returns, document, path};

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

pub(super) fn functions() -> Vec<JsonFunction> {
    let about = |name: &'static str, body: Body| {
        JsonFunction::new(name, 2..=2, Form::Binary, Returns::Boolean, body)
    };
    vec![
        about("jsonb_exists", exists),
        about("jsonb_exists_any", exists_any),
        about("jsonb_exists_all", exists_all),
        about("jsonb_contains", contains),
        about("jsonb_contained", contained),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
            let job = Job {
                name: "contains",
                binary: true,
                nested: false,
                clock: None,
            };
            let found = contains(job, &[Cell::text(whole), Cell::text(part)]).unwrap();
            assert_eq!(found, Cell::Bool(expected), "{whole} @> {part}");
        }
    }
}
