//! Forms of `substring` that sqlparser does not parse.
//!
//! ```text
//! substring(x SIMILAR p ESCAPE e)    substring(x FROM p FOR e), of texts
//! substring(x FOR 2 FROM 3)          substring(x FROM 3 FOR 2)
//! ```

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
pub(super) fn plain(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    from_first(similar(tokens))
}

/// Writes SIMILAR and ESCAPE as FROM and FOR.
fn similar(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
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

/// A call of `substring` that is open: the places of its FOR and of the FROM behind it.
#[derive(Default)]
struct Call {
    count: Option<usize>,
    start: Option<usize>,
}

/// Writes FROM before FOR.
fn from_first(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let has = |word: &str| tokens.iter().any(|token| is_word(&token.token, word));
    if !has("SUBSTRING") || !has("FOR") {
        return tokens;
    }
    // A call within another one comes first, and its tokens stay where the other one has them.
    for (count, start, close) in reversed(&tokens) {
        if let Some(clauses) = tokens.get_mut(count..close) {
            clauses.rotate_left(start - count);
        }
    }
    tokens
}

/// Returns the places of FOR, of FROM and of the closing parenthesis of the calls in which FOR comes
/// first.
fn reversed(tokens: &[TokenWithSpan]) -> Vec<(usize, usize, usize)> {
    let places = places(tokens);
    let mut found = Vec::new();
    // `None` for parentheses of something else.
    let mut open: Vec<Option<Call>> = Vec::new();
    let mut before: Option<&Token> = None;
    for place in places {
        let Some(TokenWithSpan { token, .. }) = tokens.get(place) else {
            continue;
        };
        let follows = |word: &str| before.is_some_and(|before| is_word(before, word));
        match token {
            Token::LParen => open.push(follows("SUBSTRING").then(Call::default)),
            Token::RParen => {
                if let Some(Some(Call {
                    count: Some(count),
                    start: Some(start),
                })) = open.pop()
                {
                    found.push((count, start, place));
                }
            }
            word => {
                if let Some(Some(call)) = open.last_mut() {
                    // `IS DISTINCT FROM` is an operator.
                    let is_from = is_word(word, "FROM") && !follows("DISTINCT");
                    if is_word(word, "FOR") && call.count.is_none() {
                        call.count = Some(place);
                    } else if is_from && call.count.is_some() && call.start.is_none() {
                        call.start = Some(place);
                    }
                }
            }
        }
        before = Some(token);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::rewritten;

    #[test]
    fn counts_follow_starts() {
        for (sql, expected) in [
            ("substring(x FOR 2 FROM 3)", "substring(x FROM 3FOR 2 )"),
            (
                "Substring (substring(x FOR 2 FROM 3) for y from f(z from 1))",
                "Substring (substring(x FROM 3FOR 2 ) from f(z from 1)for y )",
            ),
            ("substring(x FROM 3 FOR 2)", "substring(x FROM 3 FOR 2)"),
            ("substring(x FOR 2)", "substring(x FOR 2)"),
            ("f(x FOR 2 FROM 3)", "f(x FOR 2 FROM 3)"),
            (
                "substring(x FOR (a IS DISTINCT FROM b)::int)",
                "substring(x FOR (a IS DISTINCT FROM b)::int)",
            ),
        ] {
            assert_eq!(rewritten(sql, plain), expected);
        }
    }

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
            assert_eq!(rewritten(sql, plain), expected);
        }
    }
}
