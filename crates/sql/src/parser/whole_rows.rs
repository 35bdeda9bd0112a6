//! `t.*` as a value, which sqlparser reads in parentheses only.
//!
//! ```text
//! t.*::text, t.* IS NOT NULL     (t.*)::text, (t.*) IS NOT NULL
//! d.t.* = u.*                    (d.t.*) = (u.*)
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::places;
use super::query::is_word;

/// Puts parentheses around each `t.*` that has a cast, or is an operand.
pub(super) fn enclosed(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let found = rows(&tokens);
    if found.is_empty() {
        return tokens;
    }
    let mut found = found.into_iter().peekable();
    let mut last = None;
    let mut out = Vec::with_capacity(tokens.len());
    for (place, token) in tokens.into_iter().enumerate() {
        if let Some((_, end)) = found.next_if(|(first, _)| *first == place) {
            out.push(TokenWithSpan::wrap(Token::LParen));
            last = Some(end);
        }
        out.push(token);
        if last == Some(place) {
            out.push(TokenWithSpan::wrap(Token::RParen));
        }
    }
    out
}

/// Returns the first and the last token of each of them, in their order.
fn rows(tokens: &[TokenWithSpan]) -> Vec<(usize, usize)> {
    let places = places(tokens);
    let of = |at: usize| Some(&tokens.get(*places.get(at)?)?.token);
    let is_name = |at: usize| matches!(of(at), Some(Token::Word(_)));
    let is_period = |at: usize| of(at) == Some(&Token::Period);
    let is_comparison = |token: Option<&Token>| matches!(token, Some(Token::Eq | Token::Neq));
    let mut found = Vec::new();
    for at in 2..places.len() {
        if of(at) != Some(&Token::Mul) || !is_period(at - 1) || !is_name(at - 2) {
            continue;
        }
        let mut first = at - 2;
        while first >= 2 && is_period(first - 1) && is_name(first - 2) {
            first -= 2;
        }
        let (before, after) = (first.checked_sub(1).and_then(of), of(at + 1));
        let is_value = is_comparison(before)
            || is_comparison(after)
            || after == Some(&Token::DoubleColon)
            || after.is_some_and(|token| is_word(token, "IS"));
        if is_value && let (Some(start), Some(end)) = (places.get(first), places.get(at)) {
            found.push((*start, *end));
        }
    }
    found
}
