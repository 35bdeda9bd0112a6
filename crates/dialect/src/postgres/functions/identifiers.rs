//! `parse_ident`, which splits a qualified name.

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction};

pub(super) fn functions() -> Vec<PgFunction> {
    let parts = DataType::new_list(DataType::Utf8, true);
    let parse_ident = PgFunction::new("parse_ident", 1..=2, parts, |args| {
        let text = args.first().and_then(Cell::to_text).unwrap_or_default();
        let strict = args
            .get(1)
            .is_none_or(|strict| strict.as_bool() != Some(false));
        let parts = parse(&text, strict).ok_or_else(|| {
            let message = format!("string is not a valid identifier: \"{text}\"");
            Error::new(Code::InvalidParameter, message)
        })?;
        Ok(Cell::texts(parts))
    });
    vec![parse_ident.immutable()]
}

/// Returns the parts of a name, in lower case unless they are quoted; `None` if it is not a name.
/// `strict`: nothing else may follow it.
fn parse(text: &str, strict: bool) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted)?,
            None => plain_part(rest)?,
        };
        parts.push(part);
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() || !strict => return Some(parts),
            None => return None,
        }
    }
}

/// Returns a part without its quotes, and what follows it.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                part.push('"');
                rest = next;
            }
            None => return (!part.is_empty()).then_some((part, after)),
        }
    }
}

/// Returns a part that begins with a letter, and what follows it.
fn plain_part(text: &str) -> Option<(String, &str)> {
    let begins = |first: char| first.is_ascii_alphabetic() || first == '_' || !first.is_ascii();
    let continues = |next: char| begins(next) || next.is_ascii_digit() || next == '$';
    if !text.starts_with(begins) {
        return None;
    }
    let end = text.find(|next: char| !continues(next));
    let (part, rest) = text.split_at(end.unwrap_or(text.len()));
    Some((part.to_ascii_lowercase(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_their_points() {
        for (text, strict, parts) in [
            ("A.b", true, Some("a|b")),
            (" \"A\" . \"b\"\"c.d\" ", true, Some("A|b\"c.d")),
            ("a$1._b.AÉ", true, Some("a$1|_b|aÉ")),
            ("a.b[]", false, Some("a|b")),
            ("a.b[]", true, None),
            ("a b", true, None),
            ("a.", false, None),
            ("a.1", false, None),
            (".a", true, None),
            ("1", true, None),
            ("", true, None),
            ("\"\"", true, None),
            ("\"a", true, None),
        ] {
            let found = parse(text, strict).map(|parts| parts.join("|"));
            assert_eq!(found.as_deref(), parts, "{text}");
        }
    }
}
