//! The order of `jsonb`, as PostgreSQL has it: NULL, strings, numbers, booleans, arrays, objects;
//! arrays and objects with fewer parts come first.
//!
//! A value becomes a text whose bytes have this order, and which is the same for equal values.
//! Comparisons, `ORDER BY`, groups and joins compare it (`comparisons.rs`).

use std::cmp::Ordering;

use lakegate_engine::bounded;
use lakegate_error::{Error, from_engine};

use super::made::list;
use super::value::{Json, Node, parse};
use super::write::{plain_number, sorted};
use super::{Cell, Form, Job, JsonFunction, Returns, document};

/// The function that returns the text.
pub(super) const KEY: &str = "$jsonb_key";
/// The function that returns the texts of the items of an array.
pub(super) const KEYS: &str = "$jsonb_keys";
/// `greatest` and `least` of `jsonb`.
pub(super) const GREATEST: &str = "$jsonb_greatest";
pub(super) const LEAST: &str = "$jsonb_least";

type Answer = Result<Cell<'static>, Error>;

pub(super) fn key_functions() -> Vec<JsonFunction> {
    let extreme = |name: &'static str, body: super::Body| {
        JsonFunction::new(name, 1..=1, Form::Binary, Returns::Json, body)
            .of_many()
            .called_on_null()
    };
    vec![
        JsonFunction::new(KEY, 1..=1, Form::Text, Returns::Text, key),
        JsonFunction::new(KEYS, 1..=1, Form::Text, Returns::Texts, keys),
        extreme(GREATEST, greatest),
        extreme(LEAST, least),
    ]
}

fn key(_: Job, args: &[Cell<'static>]) -> Answer {
    key_of(&parse(&document(args))?).map(Cell::text)
}

fn keys(_: Job, args: &[Cell<'static>]) -> Answer {
    let items = list(args.first())?.into_iter();
    let keys = items.map(|item| match item {
        Some(text) => key_of(&parse(&text)?).map(Cell::text),
        None => Ok(Cell::Null),
    });
    keys.collect::<Result<Vec<_>, Error>>().map(Cell::List)
}

fn greatest(job: Job, args: &[Cell<'static>]) -> Answer {
    extreme(job, args, Ordering::Greater)
}

fn least(job: Job, args: &[Cell<'static>]) -> Answer {
    extreme(job, args, Ordering::Less)
}

/// Returns the value that compares with all others as `wanted`; NULLs do not count.
fn extreme(job: Job, args: &[Cell<'static>], wanted: Ordering) -> Answer {
    let mut best: Option<(String, String)> = None;
    for text in args.iter().filter_map(Cell::to_text) {
        let node = parse(&text)?;
        let key = key_of(&node)?;
        if best
            .as_ref()
            .is_none_or(|(known, _)| key.cmp(known) == wanted)
        {
            best = Some((key, job.text(&node)?));
        }
    }
    Ok(best.map_or(Cell::Null, |(_, text)| Cell::text(text)))
}

fn key_of(node: &Node<'_>) -> Result<String, Error> {
    let mut out = String::new();
    match &node.value {
        // PostgreSQL has an empty array before all other values, if it is not within another.
        Json::Array(items) if items.is_empty() => out.push('0'),
        _ => put(&mut out, node)?,
    }
    Ok(out)
}

fn put(out: &mut String, node: &Node<'_>) -> Result<(), Error> {
    bounded::check_value("jsonb", out.len()).map_err(from_engine)?;
    match &node.value {
        Json::Null => out.push('1'),
        Json::String(text) => {
            out.push('2');
            put_text(out, text);
        }
        Json::Number(number) => {
            out.push('3');
            put_number(out, &plain_number(number)?);
        }
        Json::Bool(value) => out.push_str(if *value { "41" } else { "40" }),
        Json::Array(items) => {
            out.push_str(&format!("5{:010}", items.len()));
            for item in items {
                put(out, item)?;
            }
        }
        Json::Object(pairs) => {
            let pairs = sorted(pairs);
            out.push_str(&format!("6{:010}", pairs.len()));
            for (name, value) in pairs {
                put_text(out, name);
                put(out, value)?;
            }
        }
    }
    Ok(())
}

/// Appends a text that ends before all that are longer. Texts of `jsonb` have no NUL.
fn put_text(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\0');
}

/// More than the digits that a number has before its point, or zeros after it.
const MIDDLE: i64 = 1_000_000;

/// Appends a number without an exponent: its sign, the place of its first digit, and its digits.
/// Those of a negative number are complements.
fn put_number(out: &mut String, number: &str) {
    let (is_negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let kept = all.trim_start_matches('0');
    let leading = all.len() - kept.len();
    let kept = kept.trim_end_matches('0');
    if kept.is_empty() {
        out.push('1');
        return;
    }
    let length = |length: usize| i64::try_from(length).unwrap_or(MIDDLE);
    let place = length(whole.len()) - length(leading) + MIDDLE;
    let written = format!("{place:07}{kept}");
    match is_negative {
        true => {
            out.push('0');
            let complement = |digit: u8| char::from(b'0' + b'9'.saturating_sub(digit));
            out.extend(written.bytes().map(complement));
            out.push('~');
        }
        false => {
            out.push('2');
            out.push_str(&written);
            out.push('!');
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const JOB: Job = Job {
        name: KEY,
        binary: true,
        nested: false,
        clock: None,
    };

    fn key_of(text: &str) -> String {
        let key = key(JOB, &[Cell::text(text.to_owned())]).unwrap();
        key.as_str().unwrap().to_owned()
    }

    #[test]
    fn the_extreme_values_are_those_of_the_order() {
        let values = ["2", "10", "{\"b\":1,\"a\":2}", "\"x\""].map(Cell::text);
        let args: Vec<Cell<'static>> = values.into_iter().chain([Cell::Null]).collect();
        let greatest = greatest(JOB, &args).unwrap();
        assert_eq!(greatest, Cell::text("{\"a\": 2, \"b\": 1}"));
        assert_eq!(least(JOB, &args).unwrap(), Cell::text("\"x\""));
        assert_eq!(least(JOB, &[Cell::Null]).unwrap(), Cell::Null);
    }

    #[test]
    fn keys_of_an_array_are_those_of_its_items() {
        let array = Cell::List(vec![Cell::text("1.0"), Cell::Null, Cell::text("[]")]);
        let expected = vec![Cell::text(key_of("1")), Cell::Null, Cell::text("0")];
        assert_eq!(keys(JOB, &[array]).unwrap(), Cell::List(expected));
    }

    #[test]
    fn keys_have_the_order_of_values() {
        let ascending = [
            "[]",
            "null",
            "\"\"",
            "\"a\"",
            "\"a\\u0001\"",
            "\"aa\"",
            "\"b\"",
            "-1e20",
            "-100",
            "-99.5",
            "-99",
            "-1.01",
            "-1",
            "-0.1",
            "-0.01",
            "0",
            "0.001",
            "0.01",
            "0.1",
            "0.11",
            "1",
            "1.5",
            "9",
            "10",
            "99.9",
            "100",
            "1e20",
            "false",
            "true",
            "[null]",
            "[1]",
            "[2]",
            "[10]",
            "[[]]",
            "[1, 1]",
            "[1, 2]",
            "{}",
            "{\"a\": 1}",
            "{\"a\": 2}",
            "{\"b\": 1}",
            "{\"a\": 1, \"b\": 2}",
        ];
        for pair in ascending.windows(2) {
            let [before, after] = pair else { continue };
            assert!(key_of(before) < key_of(after), "{before} < {after}");
        }
        for (one, other) in [
            ("1", "1.0"),
            ("-0", "0.00"),
            ("100", "1e2"),
            ("{\"b\":1,\"a\":2}", "{\"a\": 2, \"b\": 1}"),
        ] {
            assert_eq!(key_of(one), key_of(other), "{one} = {other}");
        }
    }
}
