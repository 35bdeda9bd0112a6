//! Rewrites what sqlparser cannot parse in the frames of windows to an equivalent that it can.
//!
//! ```text
//! (ORDER BY x ROWS 1 PRECEDING EXCLUDE NO OTHERS)      (ORDER BY x ROWS 1 PRECEDING)
//! (ORDER BY x ROWS 1 PRECEDING EXCLUDE TIES)           (PARTITION BY 'mark TIES' ORDER BY x ROWS 1 PRECEDING)
//! (w ROWS 1 PRECEDING EXCLUDE TIES)                    (w PARTITION BY 'mark TIES' ROWS 1 PRECEDING)
//! (ORDER BY x RANGE '1 day'::interval PRECEDING)       (ORDER BY x RANGE '1 day' PRECEDING)
//! ```

use std::collections::{HashMap, HashSet};

use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use super::lists::{places, without};
use super::query::is_word;
use crate::postgres::FRAME_EXCLUSION;

/// Rewrites the tokens of a query.
pub(super) fn plain(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let concerns = |token: &TokenWithSpan| {
        let mut words = ["EXCLUDE"].iter().chain(&BOUNDS);
        words.any(|word| is_word(&token.token, word))
    };
    if !tokens.iter().any(concerns) {
        return tokens;
    }
    without_casts_of_bounds(with_marked_exclusions(without_exclusion_of_none(tokens)))
}

/// What a window frame may exclude.
pub(super) const EXCLUSIONS: [&str; 3] = ["CURRENT ROW", "GROUP", "TIES"];

/// Words that begin a window frame.
pub(super) const FRAMES: [&str; 3] = ["ROWS", "RANGE", "GROUPS"];

/// Words that a window begins with, if it does not begin with the name of another one.
pub(super) const CLAUSES: [&str; 5] = ["PARTITION", "ORDER", "ROWS", "RANGE", "GROUPS"];

/// Words behind the bound of a window frame.
const BOUNDS: [&str; 2] = ["PRECEDING", "FOLLOWING"];

fn without_exclusion_of_none(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |place: &usize| tokens.get(*place).map(|token| &token.token);
    let found: HashSet<usize> = places
        .windows(4)
        .filter(|window| {
            let words = ["EXCLUDE", "NO", "OTHERS"].iter();
            let said = words
                .zip(window.iter())
                .all(|(word, place)| of(place).is_some_and(|token| is_word(token, word)));
            said && window.last().and_then(of) == Some(&Token::RParen)
        })
        .flat_map(|window| window.iter().take(3).copied())
        .collect();
    without(tokens, &found)
}

/// Makes what the frame of a window excludes a key of its partition, a text with a mark.
fn with_marked_exclusions(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| places.get(at).and_then(|place| tokens.get(*place));
    let is = |at: usize, word: &str| of(at).is_some_and(|token| is_word(&token.token, word));
    let is_one_of = |at: usize, words: &[&str]| words.iter().any(|word| is(at, word));
    let mut removed: HashSet<usize> = HashSet::new();
    // What follows a token, by its place.
    let mut marks: HashMap<usize, Vec<Token>> = HashMap::new();
    // Of each open parenthesis: which token it is, and whether a frame follows it.
    let mut open: Vec<(usize, bool)> = Vec::new();
    for at in 0..places.len() {
        match of(at).map(|token| &token.token) {
            Some(Token::LParen) => open.push((at, false)),
            Some(Token::RParen) => {
                let Some((opened, true)) = open.pop() else {
                    continue;
                };
                let found = EXCLUSIONS.iter().find_map(|said| {
                    let first = at.checked_sub(said.split(' ').count() + 1)?;
                    let mut words = said.split(' ').enumerate();
                    let is_said = is(first, "EXCLUDE")
                        && words.all(|(place, word)| is(first + 1 + place, word));
                    is_said.then_some((first, *said))
                });
                // A window may begin with the name of another one.
                let is_named = matches!(
                    of(opened + 1).map(|token| &token.token),
                    Some(Token::Word(_))
                );
                let clause = match is_one_of(opened + 1, &CLAUSES) {
                    true => Some(opened + 1),
                    false => {
                        Some(opened + 2).filter(|second| is_named && is_one_of(*second, &CLAUSES))
                    }
                };
                let (Some((first, said)), Some(clause)) = (found, clause) else {
                    continue;
                };
                removed.extend(places.get(first..at).unwrap_or_default());
                let text = Token::SingleQuotedString(format!("{FRAME_EXCLUSION}{said}"));
                // In parentheses: the planner drops the keys of a partition that are bare constants.
                let key = [Token::LParen, text, Token::RParen];
                let space = || Token::Whitespace(Whitespace::Space);
                let word = |word: &str| Token::make_word(word, None);
                let (behind, mark) = match is(clause, "PARTITION") {
                    true => {
                        let key = std::iter::once(space()).chain(key);
                        (clause + 1, key.chain([Token::Comma]).collect())
                    }
                    false => {
                        let words = [word("PARTITION"), space(), word("BY"), space()];
                        let mark = words.into_iter().chain(key).chain([space()]);
                        let behind_name = (clause > opened + 1).then(space);
                        (clause - 1, behind_name.into_iter().chain(mark).collect())
                    }
                };
                if let Some(place) = places.get(behind) {
                    marks.insert(*place, mark);
                }
            }
            _ if is_one_of(at, &FRAMES) => {
                if let Some((_, has_frame)) = open.last_mut() {
                    *has_frame = true;
                }
            }
            _ => {}
        }
    }
    if marks.is_empty() {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 8 * marks.len());
    for (place, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        if !removed.contains(&place) {
            out.push(token);
        }
        let mark = marks.remove(&place).unwrap_or_default();
        out.extend(
            mark.into_iter()
                .map(|token| TokenWithSpan::new(token, span)),
        );
    }
    out
}

/// Removes casts of constants to intervals and integers in the bounds of window frames: the place
/// gives them the type, and the planner of frames takes constants only.
fn without_casts_of_bounds(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const INTEGERS: [&str; 6] = ["INT", "INTEGER", "BIGINT", "INT2", "INT4", "INT8"];
    let places = places(&tokens);
    let token = |at: Option<usize>| {
        let place = at.and_then(|at| places.get(at));
        place
            .and_then(|place| tokens.get(*place))
            .map(|token| &token.token)
    };
    let is = |at: Option<usize>, words: &[&str]| {
        token(at).is_some_and(|token| words.iter().any(|word| is_word(token, word)))
    };
    let begins = |at: Option<usize>| is(at, &["BETWEEN", "AND", "ROWS", "RANGE", "GROUPS"]);
    let mut found: HashSet<usize> = HashSet::new();
    for at in 0..places.len() {
        if !is(Some(at), &BOUNDS) {
            continue;
        }
        let before = |count: usize| at.checked_sub(count);
        let is_colons = token(before(2)) == Some(&Token::DoubleColon) && begins(before(4));
        let is_plain = match token(before(3)) {
            Some(Token::SingleQuotedString(_)) => is(before(1), &["INTERVAL"]),
            Some(Token::Number(..)) => is(before(1), &INTEGERS),
            _ => false,
        };
        // CAST ('1 day' AS interval)
        let is_cast = token(before(1)) == Some(&Token::RParen)
            && is(before(2), &["INTERVAL"])
            && is(before(3), &["AS"])
            && matches!(token(before(4)), Some(Token::SingleQuotedString(_)))
            && token(before(5)) == Some(&Token::LParen)
            && is(before(6), &["CAST"])
            && begins(before(7));
        let cast: &[usize] = match (is_colons && is_plain, is_cast) {
            (true, _) => &[1, 2],
            (false, true) => &[1, 2, 3, 5, 6],
            (false, false) => &[],
        };
        found.extend(
            cast.iter()
                .filter_map(|count| places.get(before(*count)?).copied()),
        );
    }
    without(tokens, &found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::rewritten;

    #[test]
    fn frames_are_plain() {
        for (sql, expected) in [
            ("(ORDER BY x EXCLUDE NO OTHERS)", "(ORDER BY x   )"),
            ("(ORDER BY x EXCLUDE TIES)", "(ORDER BY x EXCLUDE TIES)"),
            (
                "(ORDER BY x ROWS 1 PRECEDING EXCLUDE TIES)",
                "(PARTITION BY ('\u{1}exclude TIES') ORDER BY x ROWS 1 PRECEDING  )",
            ),
            (
                "(PARTITION BY f(y) ORDER BY x GROUPS CURRENT ROW EXCLUDE CURRENT ROW)",
                "(PARTITION BY ('\u{1}exclude CURRENT ROW'), f(y) ORDER BY x GROUPS CURRENT ROW   )",
            ),
            (
                "(w ROWS 1 PRECEDING EXCLUDE GROUP)",
                "(w PARTITION BY ('\u{1}exclude GROUP')  ROWS 1 PRECEDING  )",
            ),
            (
                "(\"W\" PARTITION BY y ROWS 1 PRECEDING EXCLUDE GROUP)",
                "(\"W\" PARTITION BY ('\u{1}exclude GROUP'), y ROWS 1 PRECEDING  )",
            ),
            (
                "(w x ROWS 1 PRECEDING EXCLUDE GROUP)",
                "(w x ROWS 1 PRECEDING EXCLUDE GROUP)",
            ),
            ("(ROWS EXCLUDE TIES", "(ROWS EXCLUDE TIES"),
            (
                "(RANGE BETWEEN '1 day'::interval PRECEDING AND 2::int8 FOLLOWING)",
                "(RANGE BETWEEN '1 day' PRECEDING AND 2 FOLLOWING)",
            ),
            (
                "(RANGE CAST('1 day' AS INTERVAL) PRECEDING)",
                "(RANGE '1 day'   PRECEDING)",
            ),
            (
                "SELECT '1 day'::interval preceding, x + 1::int following",
                "SELECT '1 day'::interval preceding, x + 1::int following",
            ),
        ] {
            assert_eq!(rewritten(sql, plain), expected);
        }
    }
}
