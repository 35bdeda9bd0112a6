//! Whether a `jsonb` value has keys, or contains another value.

use std::collections::HashSet;

use lakegate_error::Error;

use super::read::{Answer, named};
use super::value::{Json, Node, parse};
use super::write::{by_length, plain_number, sorted};
use super::{Body, Cell, Form, Job, JsonFunction, Returns, document, path};

/// Members that are looked up in another object without sorting that one.
const FEW: usize = 8;

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

/// Returns the keys of an object, the texts of an array, or the text that a value is.
fn keys<'n>(node: &'n Node<'_>) -> HashSet<&'n str> {
    let text = |node: &'n Node<'_>| match &node.value {
        Json::String(text) => Some(text.as_str()),
        _ => None,
    };
    match &node.value {
        Json::Object(pairs) => pairs.iter().map(|(key, _)| key.as_str()).collect(),
        Json::Array(items) => items.iter().filter_map(text).collect(),
        _ => text(node).into_iter().collect(),
    }
}

fn exists_any(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    let keys = keys(&node);
    let mut wanted = wanted(args)?.into_iter();
    Ok(Cell::Bool(wanted.any(|key| keys.contains(key.as_str()))))
}

fn exists_all(_: Job, args: &[Cell<'static>]) -> Answer {
    let text = document(args);
    let node = parse(&text)?;
    let keys = keys(&node);
    let mut wanted = wanted(args)?.into_iter();
    Ok(Cell::Bool(wanted.all(|key| keys.contains(key.as_str()))))
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
            let part = sorted(part);
            let by_name = (part.len() > FEW).then(|| sorted(whole));
            for (key, value) in part {
                let found = match &by_name {
                    None => named(whole, key),
                    Some(all) => {
                        let place = all.binary_search_by(|(known, _)| by_length(known, key));
                        let found = place.ok().and_then(|place| all.get(place));
                        found.map(|(_, value)| value)
                    }
                };
                let Some(found) = found else {
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

    const JOB: Job = Job {
        name: "contains",
        binary: true,
        nested: false,
        clock: None,
    };

    #[test]
    fn members_of_large_objects_are_found_in_linear_time() {
        let members = |from: u32| {
            let members = (from..from + 150_000).map(|key| format!("\"k{key}\":1"));
            format!("{{{},\"k9\":1}}", members.collect::<Vec<_>>().join(","))
        };
        let keys = |from: u32| {
            let keys = (from..from + 150_000).map(|key| Cell::text(format!("k{key}")));
            Cell::List(keys.collect())
        };
        let (whole, part) = (Cell::text(members(1)), Cell::text(members(2)));
        let about = |body: Body, args: &[Cell<'static>]| body(JOB, args).unwrap();
        let [yes, no] = [true, false].map(Cell::Bool);
        let same = [whole.clone(), whole.clone()];
        assert_eq!(about(contains, &same), yes);
        assert_eq!(about(contains, &[whole.clone(), part.clone()]), no);
        assert_eq!(about(exists_all, &[whole.clone(), keys(1)]), yes);
        assert_eq!(about(exists_all, &[whole.clone(), keys(2)]), no);
        assert_eq!(about(exists_any, &[whole, keys(500_000)]), no);
    }

    #[test]
    fn values_have_the_keys_of_their_kind() {
        let wanted = || Cell::List(vec![Cell::text("a"), Cell::text("b"), Cell::Null]);
        for (json, any, all) in [
            ("{\"a\":1,\"b\":2}", true, true),
            ("{\"a\":1,\"c\":\"b\"}", true, false),
            ("[\"b\",\"a\",1]", true, true),
            ("[[\"a\"],\"b\"]", true, false),
            ("\"a\"", true, false),
            ("1", false, false),
        ] {
            let args = [Cell::text(json), wanted()];
            assert_eq!(exists_any(JOB, &args).unwrap(), Cell::Bool(any), "{json}");
            assert_eq!(exists_all(JOB, &args).unwrap(), Cell::Bool(all), "{json}");
        }
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
            (
                "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":[9,1],\"a\":2}",
                "{\"i\":[9],\"h\":8,\"g\":7,\"f\":6,\"e\":5,\"d\":4,\"c\":3,\"b\":2,\"a\":2}",
                true,
            ),
            (
                "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"a\":2}",
                "{\"i\":9,\"h\":8,\"g\":7,\"f\":6,\"e\":5,\"d\":4,\"c\":3,\"b\":2,\"a\":1}",
                false,
            ),
            ("[]", "[]", true),
            ("1", "1.00", true),
        ] {
            let found = contains(JOB, &[Cell::text(whole), Cell::text(part)]).unwrap();
            assert_eq!(found, Cell::Bool(expected), "{whole} @> {part}");
        }
    }
}
