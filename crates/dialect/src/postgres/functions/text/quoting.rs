//! Names and texts in quotes.

use crate::postgres::pg_catalog;

/// Quotes an identifier for SQL where necessary.
pub fn quote_ident(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !is_reserved(name);
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Returns whether a word is a keyword of PostgreSQL, or of the parser, that is not a name.
fn is_reserved(name: &str) -> bool {
    use datafusion::sql::sqlparser::keywords::{
        ALL_KEYWORDS, ALL_KEYWORDS_INDEX, RESERVED_FOR_COLUMN_ALIAS, RESERVED_FOR_TABLE_ALIAS,
    };
    let upper = name.to_uppercase();
    ALL_KEYWORDS
        .binary_search(&upper.as_str())
        .is_ok_and(|index| {
            let keyword = &ALL_KEYWORDS_INDEX[index];
            RESERVED_FOR_COLUMN_ALIAS.contains(keyword)
                || RESERVED_FOR_TABLE_ALIAS.contains(keyword)
        })
        || pg_catalog::is_reserved(name)
}

/// Quotes a string for SQL.
pub(in crate::postgres::functions) fn quote_literal(text: &str) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    if text.contains('\\') {
        format!("E{}", quoted.replace('\\', "\\\\"))
    } else {
        quoted
    }
}

/// Returns the parts of a qualified name: `curated."Orders"`. White space around them does not count.
pub fn split_name(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut chars = name.trim().chars().peekable();
    loop {
        let mut part = String::new();
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next_if_eq(&'"').is_some() {
            loop {
                match chars.next()? {
                    '"' if chars.next_if_eq(&'"').is_some() => part.push('"'),
                    '"' => break,
                    c => part.push(c),
                }
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != '.' && *c != '"') {
                part.extend(c.to_lowercase());
            }
            part = part.trim().to_owned();
        }
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        match chars.next() {
            None => return Some(parts),
            Some('.') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn identifiers_and_literals_are_quoted_only_where_they_must_be() {
        assert_eq!(quote_ident("orders"), "orders");
        assert_eq!(quote_ident("Orders"), "\"Orders\"");
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_ident("select"), "\"select\"");
        assert_eq!(quote_ident("1a"), "\"1a\"");
        for reserved in ["all", "default", "position", "time", "user", "when"] {
            assert_eq!(quote_ident(reserved), format!("\"{reserved}\""));
        }
        for name in ["name", "text", "value", "json", "record", "pg_class"] {
            assert_eq!(quote_ident(name), name);
        }
        assert_eq!(quote_literal("it's"), "'it''s'");
    }

    #[test]
    fn names_split_at_dots_outside_quotes() {
        assert_eq!(split_name("Curated.\"My.T\"").unwrap(), ["curated", "My.T"]);
        assert_eq!(
            split_name(" \"curated\" . \"My T\"\n. x ").unwrap(),
            ["curated", "My T", "x"]
        );
        for bad in [
            "a.",
            "",
            "\"a",
            "a . ",
            ". a",
            "\"a\" \"b\"",
            "a \"b\"",
            "a..b",
        ] {
            assert_eq!(split_name(bad), None, "{bad}");
        }
    }
}
