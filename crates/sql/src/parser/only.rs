//! `FROM ONLY t`, which leaves out the tables that inherit from `t`: there are none.
//!
//! ```text
//! FROM ONLY d.t JOIN ONLY u ON …    FROM d.t JOIN u ON …
//! FROM ONLY (d.t)                   FROM d.t
//! FROM only AS t, FROM only         a table of this name
//! ```

use std::collections::HashSet;

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

/// Returns whether a token is a word that follows the name of a table.
pub(super) fn ends_table(token: &Token) -> bool {
    ENDS.iter().any(|end| is_word(token, end))
}

/// Returns the place of the parenthesis that closes the one before `first`, both among `places`, if
/// only the name of a table is between them.
fn close_of_name(tokens: &[TokenWithSpan], places: &[usize], first: usize) -> Option<usize> {
    let at = |at: usize| {
        let place = places.get(at)?;
        tokens.get(*place).map(|token| &token.token)
    };
    let mut name = first;
    loop {
        match (at(name)?, at(name + 1)?) {
            (Token::Word(_), Token::Period) => name += 2,
            (Token::Word(_), Token::RParen) => return Some(name + 1),
            _ => return None,
        }
    }
}

/// Leaves out the word.
pub(super) fn left_out(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "ONLY")) {
        return tokens;
    }
    let places = places(&tokens);
    let mut found = HashSet::new();
    let at = |place: &usize| tokens.get(*place).map(|token| &token.token);
    for (index, window) in places.windows(3).enumerate() {
        let [before, only, open] = window else {
            continue;
        };
        let (Some(before), Some(word), Some(after)) = (at(before), at(only), at(open)) else {
            continue;
        };
        let is_table = is_word(before, "FROM") || is_word(before, "JOIN");
        let is_name = matches!(after, Token::Word(_)) && !ends_table(after);
        let close = match after {
            Token::LParen => close_of_name(&tokens, &places, index + 3),
            _ => None,
        };
        let is_compared = || {
            let first = index.checked_sub(1).and_then(|index| places.get(index));
            first
                .and_then(at)
                .is_some_and(|word| is_word(word, "DISTINCT"))
        };
        let is_only = is_table && is_word(word, "ONLY") && !is_compared();
        if is_only && is_name {
            found.insert(*only);
        }
        if is_only && let Some(close) = close.and_then(|close| places.get(close)) {
            found.extend([*only, *open, *close]);
        }
    }
    let tokens = tokens.into_iter().enumerate();
    let kept = tokens.filter(|(place, _)| !found.contains(place));
    kept.map(|(_, token)| token).collect()
}
