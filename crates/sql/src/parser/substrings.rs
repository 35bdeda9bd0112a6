//! `substring(x SIMILAR p ESCAPE e)`, which sqlparser does not parse, is `substring(x FROM p FOR e)` of
//! texts.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::places;
use super::query::is_word;

/// What an open parenthesis began.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Other,
    /// The text of a call of `substring`.
    Text,
    /// The pattern of such a call.
    Pattern,
}

/// Rewrites the tokens of a query.
pub(super) fn similar(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let has_word = |token: &TokenWithSpan| is_word(&token.token, "SIMILAR");
    if !tokens.iter().any(has_word) {
        return tokens;
    }
    let places = places(&tokens);
    let token = |at: usize| {
        let place = places.get(at)?;
        Some(&tokens.get(*place)?.token)
    };
    let is = |at: usize, word: &str| token(at).is_some_and(|token| is_word(token, word));
    let mut found: Vec<(usize, &str)> = Vec::new();
    let mut open: Vec<Inside> = Vec::new();
    for (at, place) in places.iter().enumerate() {
        match token(at) {
            Some(Token::LParen) => {
                let is_call = at.checked_sub(1).is_some_and(|name| is(name, "SUBSTRING"));
                open.push(if is_call { Inside::Text } else { Inside::Other });
            }
            Some(Token::RParen) => {
                open.pop();
            }
            _ => {
                let Some(inside) = open.last_mut() else {
                    continue;
                };
                match inside {
                    Inside::Text if is(at, "SIMILAR") && !is(at + 1, "TO") => {
                        found.push((*place, "FROM"));
                        *inside = Inside::Pattern;
                    }
                    Inside::Pattern if is(at, "ESCAPE") => {
                        found.push((*place, "FOR"));
                        *inside = Inside::Other;
                    }
                    _ => {}
                }
            }
        }
    }
    for (place, word) in found {
        if let Some(token) = tokens.get_mut(place) {
            token.token = Token::make_word(word, None);
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::rewritten;

    #[test]
    fn patterns_of_substrings_are_parsed() {
        for (sql, expected) in [
            (
                "substring(x SIMILAR '%' ESCAPE '#')",
                "substring(x FROM '%' FOR '#')",
            ),
            (
                "SUBSTRING (f(a, b) similar p escape lower('A'))",
                "SUBSTRING (f(a, b) FROM p FOR lower('A'))",
            ),
            ("x SIMILAR TO 'a' ESCAPE '#'", "x SIMILAR TO 'a' ESCAPE '#'"),
            (
                "substring((x SIMILAR TO 'a' ESCAPE '#')::text, 1)",
                "substring((x SIMILAR TO 'a' ESCAPE '#')::text, 1)",
            ),
            ("f(x SIMILAR y)", "f(x SIMILAR y)"),
        ] {
            assert_eq!(rewritten(sql, similar), expected);
        }
    }
}
