//! Rewrites what sqlparser cannot parse in lists of VALUES, GROUP BY and ROLLUP to an equivalent that
//! it can.
//!
//! ```text
//! VALUES 1, (2)                          VALUES (1), (2)
//! GROUP BY ALL a, b                      GROUP BY a, b        also DISTINCT without grouping sets
//! GROUP BY DISTINCT ROLLUP (a)           GROUP BY mark, ROLLUP (a)
//! ROLLUP ((a) + 1, b)                    ROLLUP (((a) + 1), b)
//! GROUPING SETS (a, GROUPING SETS (b))   GROUPING SETS (a, b)
//! ```

use std::collections::HashSet;

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::grouping;
use super::query::{MAX_DEPTH, is_word};
use crate::words::{continues_query, is_blank};

/// Rewrites the tokens of a query.
pub(super) fn plain(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let concerns = |token: &TokenWithSpan| {
        let words = ["ROLLUP", "CUBE", "SETS", "VALUES", "GROUP"];
        words.iter().any(|word| is_word(&token.token, word))
    };
    if !tokens.iter().any(concerns) {
        return tokens;
    }
    let tokens = without_quantifier(without_nested_sets(tokens));
    enclosed(rows(tokens))
}

/// Returns whether a token ends a list of VALUES, within no parentheses of its own.
fn ends_values(token: &Token) -> bool {
    continues_query(token) || is_word(token, "FOR")
}

/// Adds parentheses around the rows of VALUES that have none.
fn rows(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| places.get(at).and_then(|place| tokens.get(*place));
    // A column or a table may have this name.
    let is_name = |before: Option<&TokenWithSpan>, after: Option<&TokenWithSpan>| {
        let (before, after) = (
            before.map(|token| &token.token),
            after.map(|token| &token.token),
        );
        let is_before = |words: &[&str]| {
            before.is_some_and(|token| words.iter().any(|word| is_word(token, word)))
        };
        let is_after = |word: &str| after.is_some_and(|token| is_word(token, word));
        match (before, after) {
            (Some(Token::Period), _) | (Some(_), Some(Token::Period)) => true,
            (Some(Token::Comma), _) => is_after("AS"),
            _ if is_before(&["AS"]) => match after {
                None | Some(Token::EOF | Token::SemiColon | Token::Comma | Token::RParen) => true,
                Some(_) => is_after("FROM"),
            },
            _ if is_before(&["WITH", "RECURSIVE"]) => is_after("AS"),
            _ => is_before(&["FROM", "JOIN"]) && after != Some(&Token::LParen),
        }
    };
    let mut opened = vec![0usize; tokens.len()];
    let mut closed = vec![0usize; tokens.len()];
    for at in 0..places.len() {
        let begins = of(at).is_some_and(|token| is_word(&token.token, "VALUES"));
        if !begins || at > 0 && is_name(of(at - 1), of(at + 1)) {
            continue;
        }
        let (mut depth, mut start, mut encloses) = (0usize, at + 1, true);
        for next in at + 1.. {
            let token = of(next).map(|token| &token.token);
            let ends_list = match token {
                None | Some(Token::EOF | Token::SemiColon) => true,
                Some(Token::RParen) => depth == 0,
                Some(word) => depth == 0 && ends_values(word),
            };
            if ends_list || depth == 0 && token == Some(&Token::Comma) {
                if !encloses
                    && start < next
                    && let (Some(from), Some(to)) = (places.get(start), places.get(next - 1))
                    && let (Some(open), Some(close)) = (opened.get_mut(*from), closed.get_mut(*to))
                {
                    *open += 1;
                    *close += 1;
                }
                (start, encloses) = (next + 1, true);
                if ends_list {
                    break;
                }
                continue;
            }
            // A row is enclosed if its first parenthesis closes at its end, also after ROW.
            let is_row = next == start && token.is_some_and(|token| is_word(token, "ROW"));
            match token {
                Some(Token::LParen) => {
                    let first = next == start
                        || next == start + 1
                            && of(start).is_some_and(|token| is_word(&token.token, "ROW"));
                    encloses &= depth > 0 || first;
                    depth += 1;
                }
                Some(Token::LBracket | Token::LBrace) => {
                    encloses &= depth > 0;
                    depth += 1;
                }
                Some(Token::RParen | Token::RBracket | Token::RBrace) => {
                    depth = depth.saturating_sub(1);
                }
                _ => encloses &= depth > 0 || is_row,
            }
        }
    }
    with_parentheses(tokens, &opened, &closed)
}

/// Removes ALL and DISTINCT after GROUP BY. DISTINCT before grouping sets, where it means something,
/// becomes [`grouping::MARK`].
fn without_quantifier(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| places.get(at).and_then(|place| tokens.get(*place));
    let is = |at: usize, word: &str| of(at).is_some_and(|token| is_word(&token.token, word));
    let sets = tokens.iter().any(|token| {
        let words = ["ROLLUP", "CUBE", "SETS"];
        words.iter().any(|word| is_word(&token.token, word))
    });
    let ends = |at: usize| match of(at).map(|token| &token.token) {
        None | Some(Token::EOF | Token::RParen | Token::SemiColon) => true,
        Some(token) => {
            let words = ["HAVING", "WINDOW", "QUALIFY"];
            words.iter().any(|word| is_word(token, word)) || ends_values(token)
        }
    };
    let found: HashSet<usize> = (2..places.len())
        .filter(|at| is(at - 2, "GROUP") && is(at - 1, "BY"))
        // GROUP BY ALL alone groups by all plain columns, as in DuckDB.
        .filter(|at| is(*at, "ALL") && !ends(at + 1) || is(*at, "DISTINCT"))
        .filter_map(|at| places.get(at).copied())
        .collect();
    let is_distinct = |token: &TokenWithSpan| is_word(&token.token, "DISTINCT");
    let mut out = Vec::with_capacity(tokens.len());
    for (place, token) in tokens.drain(..).enumerate() {
        if !found.contains(&place) {
            out.push(token);
        } else if sets && is_distinct(&token) {
            let mark = Token::make_word(grouping::MARK, Some('"'));
            let marked = [mark, Token::Comma].map(|mark| TokenWithSpan::new(mark, token.span));
            out.extend(marked);
        }
    }
    out
}

/// Adds so many parentheses before and after each token.
fn with_parentheses(
    tokens: Vec<TokenWithSpan>,
    opened: &[usize],
    closed: &[usize],
) -> Vec<TokenWithSpan> {
    let mut out = Vec::with_capacity(tokens.len());
    for ((token, opened), closed) in tokens.into_iter().zip(opened).zip(closed) {
        let span = token.span;
        let sign = |sign: Token| TokenWithSpan::new(sign, span);
        out.extend(std::iter::repeat_n(sign(Token::LParen), *opened));
        out.push(token);
        out.extend(std::iter::repeat_n(sign(Token::RParen), *closed));
    }
    out
}

/// The tokens that are not blanks, with their indexes.
pub(super) fn words(tokens: &[TokenWithSpan]) -> impl Iterator<Item = (usize, &TokenWithSpan)> {
    let places = tokens.iter().enumerate();
    places.filter(|(_, token)| !is_blank(&token.token))
}

/// The indexes of the tokens that are not blanks.
pub(super) fn places(tokens: &[TokenWithSpan]) -> Vec<usize> {
    words(tokens).map(|(place, _)| place).collect()
}

/// Removes GROUPING SETS and its parentheses within another one, whose sets its own are.
fn without_nested_sets(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| places.get(at).and_then(|place| tokens.get(*place));
    let is = |at: Option<usize>, word: &str| {
        at.and_then(of)
            .is_some_and(|token| is_word(&token.token, word))
    };
    let mut found: HashSet<usize> = HashSet::new();
    // Of each open parenthesis: whether it is that of a list of sets, and whether it is removed.
    let mut open: Vec<(bool, bool)> = Vec::new();
    for (at, place) in places.iter().enumerate() {
        match of(at).map(|token| &token.token) {
            Some(Token::LParen) => {
                let lists = is(at.checked_sub(1), "SETS") && is(at.checked_sub(2), "GROUPING");
                let is_nested = lists && open.last().is_some_and(|(lists, _)| *lists);
                if is_nested {
                    found.extend(places.get(at.saturating_sub(2)..=at).unwrap_or_default());
                }
                open.push((lists, is_nested));
            }
            Some(Token::RParen) if open.pop().is_some_and(|(_, removed)| removed) => {
                found.insert(*place);
            }
            _ => {}
        }
    }
    without(tokens, &found)
}

/// Removes the tokens at these indexes.
pub(super) fn without(
    mut tokens: Vec<TokenWithSpan>,
    removed: &HashSet<usize>,
) -> Vec<TokenWithSpan> {
    let mut place = 0;
    tokens.retain(|_| {
        place += 1;
        !removed.contains(&(place - 1))
    });
    tokens
}

/// Adds parentheses around list elements that begin with one and do not end there: sqlparser would
/// take the first for that of a row.
fn enclosed(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| places.get(at).and_then(|place| tokens.get(*place));
    let is = |at: usize, word: &str| of(at).is_some_and(|token| is_word(&token.token, word));
    let mut opened = vec![0usize; tokens.len()];
    let mut closed = vec![0usize; tokens.len()];
    for at in 0..places.len() {
        let lists = is(at, "ROLLUP")
            || is(at, "CUBE")
            || is(at, "SETS")
                && at
                    .checked_sub(1)
                    .is_some_and(|before| is(before, "GROUPING"));
        if !lists || of(at + 1).map(|token| &token.token) != Some(&Token::LParen) {
            continue;
        }
        let (mut depth, mut start, mut first_ends) = (1usize, at + 2, None);
        let mut next = start;
        while let Some(token) = of(next) {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            let ends = depth == 0 || depth == 1 && token.token == Token::Comma;
            if token.token == Token::RParen && depth == 1 && first_ends.is_none() {
                first_ends = Some(next);
            }
            if ends {
                let begins = of(start).is_some_and(|token| token.token == Token::LParen);
                if begins
                    && first_ends.is_some_and(|end| end + 1 < next)
                    && let (Some(from), Some(to)) = (places.get(start), places.get(next - 1))
                    && let (Some(open), Some(close)) = (opened.get_mut(*from), closed.get_mut(*to))
                {
                    *open += 1;
                    *close += 1;
                }
                (start, first_ends) = (next + 1, None);
            }
            if depth == 0 || depth > MAX_DEPTH {
                break;
            }
            next += 1;
        }
    }
    with_parentheses(tokens, &opened, &closed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::rewritten;

    #[test]
    fn elements_are_plain() {
        for (sql, expected) in [
            ("ROLLUP ((a) + 1, b)", "ROLLUP (((a) + 1), b)"),
            ("cube ((a, b), (c))", "cube ((a, b), (c))"),
            ("ROLLUP(b, (x)[1])", "ROLLUP(b, ((x)[1]))"),
            (
                "GROUPING SETS ((a), (b) || 'x', ROLLUP ((c) - 1))",
                "GROUPING SETS ((a), ((b) || 'x'), ROLLUP (((c) - 1)))",
            ),
            (
                "GROUPING SETS(a,GROUPING SETS((b),grouping sets((a, b)), CUBE(c)))",
                "GROUPING SETS(a, (b), (a, b), CUBE(c))",
            ),
            (
                "GROUPING SETS ((f(GROUPING SETS (a))))",
                "GROUPING SETS ((f(GROUPING SETS (a))))",
            ),
            ("GROUPING SETS (a, GROUPING SETS (", "GROUPING SETS (a,   "),
            ("ROLLUP (f(a, (b)), ((a)))", "ROLLUP (f(a, (b)), ((a)))"),
            ("ROLLUP ((a) + 1", "ROLLUP ((a) + 1"),
            ("VALUES 1, 2", "VALUES (1), (2)"),
            ("VALUES (1, 'a'), (2, 'b')", "VALUES (1, 'a'), (2, 'b')"),
            ("VALUES (1) + 1, f(2, 3)", "VALUES ((1) + 1), (f(2, 3))"),
            ("VALUES ROW(1, 2), ROW(3, 4)", "VALUES ROW(1, 2), ROW(3, 4)"),
            (
                "(VALUES 1, NULL) t(x) UNION VALUES ARRAY[1, 2] ORDER BY 1",
                "(VALUES (1), (NULL)) t(x) UNION VALUES (ARRAY[1, 2]) ORDER BY 1",
            ),
            ("VALUES (VALUES 1)", "VALUES (VALUES (1))"),
            ("VALUES", "VALUES"),
            (
                "(SELECT 1 AS values, t.values FROM t) AS VALUES",
                "(SELECT 1 AS values, t.values FROM t) AS VALUES",
            ),
            ("SELECT 1 AS values FROM t", "SELECT 1 AS values FROM t"),
            (
                "WITH values AS (SELECT 1 AS x) SELECT values.x FROM values JOIN t ON true",
                "WITH values AS (SELECT 1 AS x) SELECT values.x FROM values JOIN t ON true",
            ),
            (
                "WITH t AS (VALUES 1), values AS (VALUES 2) VALUES 3",
                "WITH t AS (VALUES (1)), values AS (VALUES (2)) VALUES (3)",
            ),
            ("CREATE TABLE t AS VALUES 1", "CREATE TABLE t AS VALUES (1)"),
            ("GROUP BY ALL a, b", "GROUP BY  a, b"),
            ("GROUP BY DISTINCT a", "GROUP BY  a"),
            ("GROUP BY ALL HAVING", "GROUP BY ALL HAVING"),
            (
                "GROUP BY DISTINCT ROLLUP (a)",
                "GROUP BY \"\u{1}distinct\", ROLLUP (a)",
            ),
        ] {
            assert_eq!(rewritten(sql, plain), expected);
        }
    }
}
