//! `FROM ONLY t`, which leaves out the tables that inherit from `t`: there are none.
//!
//! ```text
//! FROM ONLY d.t JOIN ONLY u ON …    FROM d.t JOIN u ON …
//! FROM only AS t, FROM only         a table of this name
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::places;
use super::query::is_word;

/// Words that follow the name of a table.
const ENDS: &[&str] = &[
    "AS",
    "CROSS",
    "EXCEPT",
    "FETCH",
    "FOR",
    "FULL",
    "GROUP",
    "HAVING",
    "INNER",
    "INTERSECT",
    "JOIN",
    "LEFT",
    "LIMIT",
    "NATURAL",
    "OFFSET",
    "ON",
    "ORDER",
    "RIGHT",
    "TABLESAMPLE",
    "UNION",
    "USING",
    "WHERE",
    "WINDOW",
];

/// Leaves out the word.
pub(super) fn left_out(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "ONLY")) {
        return tokens;
    }
    let places = places(&tokens);
    let mut found = Vec::new();
    let at = |place: &usize| tokens.get(*place).map(|token| &token.token);
    for (index, window) in places.windows(3).enumerate() {
        let [before, only, after] = window else {
            continue;
        };
        let (Some(before), Some(word), Some(after)) = (at(before), at(only), at(after)) else {
            continue;
        };
        let is_table = is_word(before, "FROM") || is_word(before, "JOIN");
        let is_name =
            matches!(after, Token::Word(_)) && !ENDS.iter().any(|end| is_word(after, end));
        let is_compared = || {
            let first = index.checked_sub(1).and_then(|index| places.get(index));
            first
                .and_then(at)
                .is_some_and(|word| is_word(word, "DISTINCT"))
        };
        if is_table && is_word(word, "ONLY") && is_name && !is_compared() {
            found.push(*only);
        }
    }
    for place in found.into_iter().rev() {
        tokens.remove(place);
    }
    tokens
}
