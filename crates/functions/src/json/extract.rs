//! The paths of `json_extract`, `json_extract_scalar` and `json_size`.

use datafusion::error::Result;
use lakegate_error::Error;

use super::scan::{Fault, Raw, Scan, Scanner};
use super::strings;
use crate::work::Work;

/// A path such as `$.store.book[0]["a b"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

/// The name of a member, which may also be the index of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    name: String,
    index: Option<usize>,
}

impl Path {
    /// # Errors
    ///
    /// The text is not a path.
    pub(super) fn parse(text: &str) -> Result<Self> {
        steps(text).map(Self).ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            Error::invalid(format!("invalid JSON path: '{shown}'"))
                .with_hint(
                    "a path is like $.store.book[0][\"a name\"]; json_query has more of them",
                )
                .into()
        })
    }
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (name, after) = if let Some(after) = rest.strip_prefix('.') {
            unquoted(after, |char| is_name(char) || char == ':')?
        } else {
            let after = rest.strip_prefix('[')?;
            let (name, after) = match after.strip_prefix('"') {
                Some(after) => quoted(after)?,
                None => unquoted(after, is_name)?,
            };
            (name, after.strip_prefix(']')?)
        };
        rest = after;
        // As in Java, an index may have a sign; a negative one is never found.
        let index = name.parse::<i32>().ok();
        let index = index.and_then(|index| usize::try_from(index).ok());
        steps.push(Step { name, index });
    }
    Some(steps)
}

/// Letters and digits of Unicode's first plane, and `_`.
fn is_name(char: char) -> bool {
    char == '_' || (char.is_alphanumeric() && u32::from(char) <= 0xffff)
}

fn unquoted(text: &str, allowed: impl Fn(char) -> bool) -> Option<(String, &str)> {
    let end = text.find(|char| !allowed(char)).unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    (!name.is_empty()).then(|| (name.to_owned(), after))
}

/// Takes a name to its closing quote; a backslash escapes a quote or another backslash.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((name, chars.as_str())),
            '\\' => name.push(chars.next().filter(|char| matches!(char, '"' | '\\'))?),
            char => name.push(char),
        }
    }
}

/// Moves to the value of a path. Returns whether there is one.
///
/// What comes after the value in the text is not read.
pub(super) fn find(scanner: &mut Scanner<'_>, path: &Path, work: &Work) -> Scan<bool> {
    scanner.space();
    for step in &path.0 {
        let found = match scanner.peek() {
            Some(b'{') => member(scanner, &step.name, work)?,
            Some(b'[') => element(scanner, step.index, work)?,
            _ => false,
        };
        if !found {
            return Ok(false);
        }
    }
    match scanner.peek() {
        Some(_) => Ok(true),
        None => Err(Fault::Malformed),
    }
}

/// Moves from an object to the value of its first member of a name.
fn member(scanner: &mut Scanner<'_>, name: &str, work: &Work) -> Scan<bool> {
    let mut more = scanner.enter(b'}');
    while more {
        work.step()?;
        let key: Raw<'_> = scanner.key()?;
        if strings::equals(key, name) {
            return Ok(true);
        }
        scanner.skip(work)?;
        more = scanner.next(b'}')?;
    }
    Ok(false)
}

/// Moves from an array to an element of it.
pub(super) fn element(scanner: &mut Scanner<'_>, index: Option<usize>, work: &Work) -> Scan<bool> {
    let Some(index) = index else {
        return Ok(false);
    };
    let mut more = scanner.enter(b']');
    for _ in 0..index {
        if !more {
            return Ok(false);
        }
        work.step()?;
        scanner.skip(work)?;
        more = scanner.next(b']')?;
    }
    Ok(more)
}

/// Counts the items of the container at the scanner's place, and moves past it; `None` if there is
/// none.
pub(super) fn count(scanner: &mut Scanner<'_>, work: &Work) -> Scan<Option<usize>> {
    let object = match scanner.peek() {
        Some(b'{') => true,
        Some(b'[') => false,
        _ => return Ok(None),
    };
    let close = if object { b'}' } else { b']' };
    let mut items = 0;
    let mut more = scanner.enter(close);
    while more {
        work.step()?;
        if object {
            scanner.key()?;
        }
        scanner.skip(work)?;
        items += 1;
        more = scanner.next(close)?;
    }
    Ok(Some(items))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(path: &str) -> Option<Vec<String>> {
        Some(steps(path)?.into_iter().map(|step| step.name).collect())
    }

    #[test]
    fn paths_have_the_steps_of_trino() {
        for (path, expected) in [
            ("$", vec![]),
            ("$.foo", vec!["foo"]),
            ("$[\"foo.bar\"]", vec!["foo.bar"]),
            ("$[42]", vec!["42"]),
            ("$.foo.42.bar.63", vec!["foo", "42", "bar", "63"]),
            ("$.x[\"foo\"][y]", vec!["x", "foo", "y"]),
            ("$.foo_42._bar63", vec!["foo_42", "_bar63"]),
            ("$.foo:42.:bar63", vec!["foo:42", ":bar63"]),
            ("$[\"!@#$%^&*()[]{}/?'\"]", vec!["!@#$%^&*()[]{}/?'"]),
            ("$[\"a\\\\b\\\"\"]", vec!["a\\b\""]),
            ("$[\"\"]", vec![""]),
            ("$.größe", vec!["größe"]),
        ] {
            assert_eq!(names(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn other_paths_are_invalid() {
        for path in [
            "",
            " ",
            "a",
            " $.x",
            "$. x",
            "$ .x",
            "$.x [42]",
            "$.x[ 42]",
            "$.x[42 ]",
            "$.x[ \"foo\"]",
            "$.x[\"foo\" ]",
            "$[\"a\\ \"]",
            "$[\"a\\",
            "$[\"a",
            "$[foo:bar]",
            "$.*",
            "$[*]",
            "$..a",
            "$.",
            "$$",
            "$.bar[2][-1]",
            "$.a-b",
            "$.😀",
        ] {
            assert_eq!(names(path), None, "{path}");
        }
    }

    fn found(text: &str, path: &str) -> Option<String> {
        let work = Work::new("test", true);
        let mut scanner = Scanner::new(text);
        let found = find(&mut scanner, &Path::parse(path).unwrap(), &work).ok()?;
        found.then(|| scanner.value(&work).ok().map(str::to_owned))?
    }

    #[test]
    fn values_are_found() {
        for (text, path, value) in [
            ("{\"a\":{\"b\":[1,[2,3]]}}", "$.a.b[1][0]", Some("2")),
            ("[0, 1, 2]", "$.1", Some("1")),
            ("[0, 1, 2]", "$[\"1\"]", Some("1")),
            ("[0, 1, 2]", "$[3]", None),
            ("[0, 1, 2]", "$.a", None),
            ("{\"0\" : 0, \"1\" : 1, }", "$[1]", Some("1")),
            ("{\"a\":1,\"a\":2}", "$.a", Some("1")),
            ("{\"\\u0061\":1}", "$.a", Some("1")),
            ("{\"a\":1}", "$.b", None),
            ("1", "$.a", None),
            ("1", "$", Some("1")),
            ("{\"b\": [1 2], \"a\": 1}", "$.a", None),
            ("{\"a\": 1, broken", "$.a", Some("1")),
            ("", "$", None),
            ("{\"a\":", "$.a", None),
        ] {
            assert_eq!(found(text, path).as_deref(), value, "{text} {path}");
        }
    }
}
