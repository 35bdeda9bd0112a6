//! The order of `jsonb`, as PostgreSQL has it: NULL, strings, numbers, booleans, arrays, objects;
//! arrays and objects with fewer parts come first.
//!
//! A value becomes a text whose bytes have this order, by which comparisons and `ORDER BY` compare.

use std::sync::{Arc, LazyLock};

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::bounded;
use lakegate_error::{Error, from_engine};

use super::operators::is_of_jsonb;
use super::value::{Json, Node, parse};
use super::write::{plain_number, sorted};
use super::{Cell, Form, Job, JsonFunction, Returns, document, functions};

/// The function that returns the text.
pub(super) const KEY: &str = "$jsonb_key";

pub(super) fn key_functions() -> Vec<JsonFunction> {
    vec![JsonFunction::new(
        KEY,
        1..=1,
        Form::Text,
        Returns::Text,
        key,
    )]
}

fn key(_: Job, args: &[Cell<'static>]) -> Result<Cell<'static>, Error> {
    let text = document(args);
    let node = parse(&text)?;
    let mut out = String::new();
    match &node.value {
        // PostgreSQL has an empty array before all other values, if it is not within another.
        Json::Array(items) if items.is_empty() => out.push('0'),
        _ => put(&mut out, &node)?,
    }
    Ok(Cell::text(out))
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

/// Sorts by the order of `jsonb`.
#[derive(Debug)]
struct JsonbOrder {
    key: Arc<ScalarUDF>,
}

impl AnalyzerRule for JsonbOrder {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> EngineResult<LogicalPlan> {
        let sorted = plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Sort(mut sort) => {
                let mut changed = false;
                for by in &mut sort.expr {
                    if is_of_jsonb(&by.expr, sort.input.schema().as_ref()) {
                        let value =
                            std::mem::replace(&mut by.expr, Expr::Literal(ScalarValue::Null, None));
                        by.expr = self.key.call(vec![value]);
                        changed = true;
                    }
                }
                let node = LogicalPlan::Sort(sort);
                Ok(match changed {
                    true => Transformed::yes(node),
                    false => Transformed::no(node),
                })
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(sorted.data)
    }

    fn name(&self) -> &str {
        "jsonb_order"
    }
}

/// Returns the rule to add; `None` if its function is missing.
pub(in crate::postgres) fn rule() -> Option<Arc<dyn AnalyzerRule + Send + Sync>> {
    static MADE: LazyLock<Option<Arc<JsonbOrder>>> = LazyLock::new(|| {
        let mut all = functions().into_iter();
        let key = all.find(|function| function.name() == KEY)?;
        Some(Arc::new(JsonbOrder { key }))
    });
    let rule = MADE.clone()?;
    Some(rule)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key_of(text: &str) -> String {
        let job = Job {
            name: KEY,
            binary: true,
            nested: false,
        };
        let key = key(job, &[Cell::text(text.to_owned())]).unwrap();
        key.as_str().unwrap().to_owned()
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
