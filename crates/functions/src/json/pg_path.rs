//! Paths of PostgreSQL's type `jsonpath`, which its dialect evaluates.

use datafusion::error::Result;
use lakegate_engine::time::Clock;
use lakegate_error::Error;

use super::path::{Failure, Item, JsonMisfit, Path, Row, evaluate};
use super::scan::{Number, too_deep};
use super::strings;
use crate::work::Work;

/// A path.
#[derive(Debug)]
pub struct JsonPath(Path);

/// What a path finds in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonPathItems {
    /// The items, each as a JSON text.
    Found(Vec<String>),
    /// The value does not fit the path, for this reason.
    Misfit(JsonMisfit, String),
}

impl JsonPath {
    /// Parses a path.
    ///
    /// # Errors
    ///
    /// The text is not a path, or has what is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        Path::parse_of_postgres(text).map(Self)
    }

    /// Returns the items of a JSON text. `variables` is an object with the values of variables;
    /// `clock` is that of dates and times without a zone.
    ///
    /// # Errors
    ///
    /// The variables are not an object, a variable has no value, the items are too large, or the
    /// query must stop.
    pub fn find(&self, json: &str, variables: &str, clock: Option<Clock>) -> Result<JsonPathItems> {
        let work = Work::new("jsonb_path_query", true);
        let values = match variables.trim() {
            "" | "{}" => Vec::new(),
            object => values_of(object, &work)?,
        };
        let row = Row {
            json,
            variables: &values,
            clock,
            work: &work,
        };
        let items = match evaluate(&self.0, &row) {
            Ok(items) => items,
            Err(Failure::Value(why, kind)) => {
                return Ok(JsonPathItems::Misfit(kind, why.into_owned()));
            }
            Err(Failure::Fault(fault)) => return Err(fault.error(too_deep)),
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in &items {
            let mut text = String::new();
            push(item, &mut text, &work)?;
            texts.push(text);
        }
        Ok(JsonPathItems::Found(texts))
    }
}

/// Returns the members of an object by name.
fn values_of<'a>(object: &'a str, work: &Work) -> Result<Vec<(String, Option<Item<'a>>)>> {
    let no_object = || Error::invalid("\"vars\" argument is not an object");
    let members = Path::parse("strict $.keyvalue()")?;
    let row = Row {
        json: object,
        variables: &[],
        clock: None,
        work,
    };
    let items = match evaluate(&members, &row) {
        Ok(items) => items,
        Err(Failure::Value(..)) => return Err(no_object().into()),
        Err(Failure::Fault(fault)) => return Err(fault.error(too_deep)),
    };
    let members = items.into_iter().filter_map(|item| match item {
        Item::Entry(entry) => Some((entry.name.into_owned(), Some(entry.value))),
        _ => None,
    });
    Ok(members.collect())
}

/// Appends an item as JSON. What comes from the value stays as it is written there.
fn push(item: &Item<'_>, out: &mut String, work: &Work) -> Result<()> {
    work.builds(8)?;
    match item {
        Item::Null => out.push_str("null"),
        Item::Boolean(boolean) => out.push_str(if *boolean { "true" } else { "false" }),
        Item::Number(number) => number.write(out),
        Item::Text(text) => {
            work.builds(text.len())?;
            strings::encode(text, out);
        }
        Item::Time(time) => strings::encode(&time.shown(), out),
        Item::Written(Number { text, .. }) | Item::Array(text) | Item::Object(text) => {
            work.builds(text.len())?;
            out.push_str(text);
        }
        Item::Entry(entry) => {
            work.builds(entry.name.len())?;
            out.push_str(&format!("{{\"id\":{},\"key\":", entry.id));
            strings::encode(&entry.name, out);
            out.push_str(",\"value\":");
            // It comes from the input, and is never an entry itself.
            push(&entry.value, out, work)?;
            out.push('}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(path: &str, json: &str, variables: &str) -> JsonPathItems {
        JsonPath::parse(path)
            .unwrap()
            .find(json, variables, None)
            .unwrap()
    }

    #[test]
    fn paths_need_no_mode_and_may_be_predicates() {
        let items = |items: &[&str]| {
            JsonPathItems::Found(items.iter().map(|item| (*item).to_owned()).collect())
        };
        let json = r#"{"a": [1, 2, 3], "b": "x"}"#;
        assert_eq!(found("$.a[*] ? (@ > 1)", json, ""), items(&["2", "3"]));
        assert_eq!(
            found("$.a[*] ? (@ > $least)", json, r#"{"least": 2}"#),
            items(&["3"])
        );
        assert_eq!(found("$.a[*] > 2", json, "{}"), items(&["true"]));
        assert_eq!(found("$.b > 2", json, "{}"), items(&["null"]));
        assert_eq!(found("exists($.c)", json, ""), items(&["false"]));
        assert_eq!(found("$.c", json, ""), items(&[]));
        assert_eq!(
            found("$.keyvalue().key", json, ""),
            items(&["\"a\"", "\"b\""])
        );
        assert_eq!(
            found("$.keyvalue() ? (@.key == \"b\").value", json, ""),
            items(&["\"x\""])
        );
        assert_eq!(
            found(r#"$ ? (@.b == "\u0078").b"#, json, ""),
            items(&["\"x\""])
        );
        assert!(matches!(
            found("strict $.c", json, ""),
            JsonPathItems::Misfit(..)
        ));
    }

    #[test]
    fn numbers_are_exact_and_one_true_comparison_decides() {
        for (path, json, expected) in [
            ("$[*].floor()", "[1.5, -3.4, 2]", &["1", "-4", "2"][..]),
            ("$[*].ceiling().abs()", "[-3.4]", &["3"]),
            ("$.a + $.b", r#"{"a": 0.1, "b": 0.2}"#, &["0.3"]),
            ("$ / 2", "7", &["3.5000000000000000"]),
            ("$ * 3", "3000000000", &["9000000000"]),
            ("$[*] ? (2 / @ > 0)", "[1, 2, 0, 3]", &["1", "2", "3"]),
            ("$[0.9]", "[1, 2]", &["1"]),
            (
                "$ ? (@[*] starts with \"a\")[1]",
                r#"[[null, "ab"]]"#,
                &["\"ab\""],
            ),
            (
                "$ ? (@.a[*] >= @.b[*]).b[2]",
                r#"{"a": [1, 2, 3], "b": [3, 4, "5"]}"#,
                &["\"5\""],
            ),
        ] {
            let expected = expected.iter().map(|item| (*item).to_owned());
            assert_eq!(
                found(path, json, ""),
                JsonPathItems::Found(expected.collect()),
                "{path}"
            );
        }
        let far = found("$[10000000000]", "[1]", "");
        assert!(matches!(far, JsonPathItems::Misfit(..)));
    }

    // PostgreSQL 15's answers.
    #[test]
    fn misfits_have_a_kind() {
        for (path, json, kind, what) in [
            (
                "strict $.a",
                "{}",
                JsonMisfit::Member,
                "JSON object does not contain key \"a\"",
            ),
            (
                "strict $.a",
                "1",
                JsonMisfit::Member,
                "jsonpath member accessor can only be applied to an object",
            ),
            (
                "strict $.*",
                "1",
                JsonMisfit::Object,
                "jsonpath wildcard member accessor can only be applied to an object",
            ),
            (
                "strict $[*]",
                "1",
                JsonMisfit::Array,
                "jsonpath wildcard array accessor can only be applied to an array",
            ),
            (
                "strict $[5]",
                "[1]",
                JsonMisfit::Subscript,
                "jsonpath array subscript is out of bounds",
            ),
            (
                "$[\"x\"]",
                "[1]",
                JsonMisfit::Subscript,
                "jsonpath array subscript is not a single numeric value",
            ),
            (
                "$ + 1",
                "[]",
                JsonMisfit::Single,
                "left operand of jsonpath operator + is not a single numeric value",
            ),
            (
                "2 * $",
                "\"x\"",
                JsonMisfit::Single,
                "right operand of jsonpath operator * is not a single numeric value",
            ),
            (
                "-$",
                "\"x\"",
                JsonMisfit::Operand,
                "operand of unary jsonpath operator - is not a numeric value",
            ),
            (
                "$.abs()",
                "\"x\"",
                JsonMisfit::Argument,
                "jsonpath item method .abs() can only be applied to a numeric value",
            ),
            ("1 / $", "0", JsonMisfit::DivisionByZero, "division by zero"),
        ] {
            let expected = JsonPathItems::Misfit(kind, what.to_owned());
            assert_eq!(found(path, json, ""), expected, "{path}");
        }
    }

    // PostgreSQL 15's answers.
    #[test]
    fn levels_and_patterns_find_items() {
        let json = r#"{"a": {"b": 1}, "c": [{"b": "x"}, 2]}"#;
        for (path, expected) in [
            (
                "$.**",
                &[
                    json,
                    r#"{"b": 1}"#,
                    "1",
                    r#"[{"b": "x"}, 2]"#,
                    r#"{"b": "x"}"#,
                    "\"x\"",
                    "2",
                ][..],
            ),
            ("$.**{1}", &[r#"{"b": 1}"#, r#"[{"b": "x"}, 2]"#]),
            ("$.**{2 to 3}", &["1", r#"{"b": "x"}"#, "\"x\"", "2"]),
            ("$.**{last}", &["1", "\"x\"", "2"]),
            ("$.**{3 to last}", &["\"x\""]),
            ("strict $.**.b", &["1", "\"x\""]),
            ("strict $.** ? (@.b == 1)", &[r#"{"b": 1}"#]),
        ] {
            let expected = expected.iter().map(|item| (*item).to_owned());
            let expected = JsonPathItems::Found(expected.collect());
            assert_eq!(found(path, json, ""), expected, "{path}");
        }
        let texts = r#"["abc", "xab", "A.c", 1, null]"#;
        for (filter, expected) in [
            ("@ like_regex \"^ab\"", &["\"abc\""][..]),
            ("@ like_regex \"^a.C\" flag \"i\"", &["\"abc\"", "\"A.c\""]),
            ("@ like_regex \"a.c\" flag \"iq\"", &["\"A.c\""]),
            ("!(@ like_regex \"a\")", &["\"A.c\""]),
        ] {
            let expected = expected.iter().map(|item| (*item).to_owned());
            let expected = JsonPathItems::Found(expected.collect());
            let path = format!("$[*] ? ({filter})");
            assert_eq!(found(&path, texts, ""), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_or_no_object_is_refused() {
        for path in [
            "bad path",
            "$.",
            "$.a ? (@",
            "",
            "$.a ? (@ like_regex \"x\" flag \"x\")",
            "$.a ? (@ like_regex $b)",
            "$.**{a}",
        ] {
            assert!(JsonPath::parse(path).is_err(), "{path}");
        }
        let path = JsonPath::parse("$.a").unwrap();
        assert!(path.find("{}", "[1]", None).is_err());
        let path = JsonPath::parse("$missing").unwrap();
        assert!(path.find("{}", "", None).is_err());
    }
}
