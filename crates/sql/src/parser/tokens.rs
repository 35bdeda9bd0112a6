//! Rewrites tokens that sqlparser reads as something else.
//!
//! ```text
//! 0xFF, 0b101, 0o17            255, 5, 15
//! X'00 ff'                     X'00ff'
//! FROM JSON_TABLE(…) AS t      FROM UNNEST(JSON_TABLE(…)) AS t
//! x > ALL (VALUES (1), (2))    x > ALL (SELECT * FROM (VALUES (1), (2)) AS "values")
//! UNION ALL CORRESPONDING      UNION ALL BY NAME
//! ORDER BY x USING >           ORDER BY x DESC, also USING OPERATOR(pg_catalog.>)
//! FETCH FIRST ROW ONLY OFFSET 1    OFFSET 1 FETCH FIRST ROW ONLY
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use super::lists::words;
use super::query::is_word;
use crate::words::is_blank;

/// Replaces the digits of numbers in other bases by decimal ones, and removes the blanks of
/// binary strings.
pub(super) fn decimal_numbers(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for mut token in tokens {
        match &token.token {
            Token::HexStringLiteral(digits) => {
                // X'FF' has two quotes more.
                let (start, end) = (token.span.start, token.span.end);
                let length = end.column.saturating_sub(start.column);
                let is_number = start.line == end.line
                    && u64::try_from(digits.len() + 2).is_ok_and(|expected| expected == length);
                if is_number && let Ok(number) = u128::from_str_radix(&digits.replace('_', ""), 16)
                {
                    token.token = Token::Number(number.to_string(), false);
                } else if digits.contains(char::is_whitespace) {
                    let digits = digits.split_whitespace().collect();
                    token.token = Token::HexStringLiteral(digits);
                }
            }
            Token::Word(word) if word.quote_style.is_none() => {
                let base = match word.value.as_bytes().first() {
                    Some(b'b' | b'B') => 2,
                    Some(b'o' | b'O') => 8,
                    // The tokenizer knows `0x` only.
                    Some(b'X') => 16,
                    _ => 0,
                };
                let digits = word.value.get(1..).unwrap_or_default().replace('_', "");
                if base > 0
                    && let Some(before) = out.last_mut()
                    && before.token == Token::Number("0".to_owned(), false)
                    && before.span.end == token.span.start
                    && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
                    && let Ok(number) = u128::from_str_radix(&digits, base)
                {
                    before.token = Token::Number(number.to_string(), false);
                    before.span.end = token.span.end;
                    continue;
                }
            }
            _ => {}
        }
        out.push(token);
    }
    out
}

/// Makes each JSON_TABLE the argument of an UNNEST, whose alias follows already.
pub(super) fn json_tables(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_table = |token: &Token| is_word(token, "JSON_TABLE");
    if !tokens.iter().any(|token| is_table(&token.token)) {
        return tokens;
    }
    let blank = |token: &&TokenWithSpan| is_blank(&token.token);
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut depth = 0usize;
    // The depths at which the arguments of tables end.
    let mut opened: Vec<usize> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let added = |token: Token, of: &TokenWithSpan| TokenWithSpan::new(token, of.span);
        let mut after = tokens.iter().skip(at + 1).skip_while(blank);
        let closes = token.token == Token::RParen && opened.last() == Some(&depth);
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            word if is_table(word)
                && after.next().is_some_and(|next| next.token == Token::LParen) =>
            {
                out.push(added(Token::make_keyword("UNNEST"), token));
                out.push(added(Token::LParen, token));
                opened.push(depth + 1);
            }
            _ => {}
        }
        out.push(token.clone());
        if closes {
            opened.pop();
            out.push(added(Token::RParen, token));
        }
    }
    out
}

/// Writes CORRESPONDING after UNION, INTERSECT and EXCEPT as `BY NAME`.
pub(super) fn corresponding(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is = |token: Option<&Token>, words: &[&str]| {
        token.is_some_and(|token| words.iter().any(|word| is_word(token, word)))
    };
    if !tokens
        .iter()
        .any(|token| is(Some(&token.token), &["CORRESPONDING"]))
    {
        return tokens;
    }
    let operations = ["UNION", "INTERSECT", "EXCEPT"];
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 2);
    // The last word or sign, and that before it.
    let (mut last, mut earlier): (Option<Token>, Option<Token>) = (None, None);
    for token in tokens {
        if is_blank(&token.token) {
            out.push(token);
            continue;
        }
        let combines = is(last.as_ref(), &operations)
            || is(last.as_ref(), &["ALL", "DISTINCT"]) && is(earlier.as_ref(), &operations);
        earlier = last.replace(token.token.clone());
        if combines && is(Some(&token.token), &["CORRESPONDING"]) {
            let words = [
                Token::make_keyword("BY"),
                Token::Whitespace(Whitespace::Space),
                Token::make_keyword("NAME"),
            ];
            let words = words.into_iter();
            out.extend(words.map(|word| TokenWithSpan::new(word, token.span)));
        } else {
            out.push(token);
        }
    }
    out
}

/// Writes the operators `USING <` and `USING >` of ORDER BY as ASC and DESC, also those that are written
/// `OPERATOR(pg_catalog.<)`.
pub(super) fn sort_operators(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "USING")) {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((token, after)) = rest.split_first() {
        let operator = match is_word(&token.token, "USING") {
            true => sort_direction(after),
            false => None,
        };
        match operator {
            Some((direction, length)) => {
                let direction = Token::make_keyword(direction);
                out.push(TokenWithSpan::new(direction, token.span));
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                out.push(token.clone());
                rest = after;
            }
        }
    }
    out
}

/// Returns the direction in which the operator at the start of some tokens sorts, and the number of
/// its tokens; `None` if there is no such operator.
fn sort_direction(tokens: &[TokenWithSpan]) -> Option<(&'static str, usize)> {
    let mut words = words(tokens);
    let (mut last, mut token) = words.next()?;
    let is_named = is_word(&token.token, "OPERATOR");
    if is_named {
        words
            .next()
            .filter(|(_, token)| token.token == Token::LParen)?;
        (last, token) = words.next()?;
        if is_word(&token.token, "pg_catalog") {
            words
                .next()
                .filter(|(_, token)| token.token == Token::Period)?;
            (last, token) = words.next()?;
        }
    }
    let direction = match token.token {
        Token::Lt => "ASC",
        Token::Gt => "DESC",
        _ => return None,
    };
    if is_named {
        let (close, _) = words
            .next()
            .filter(|(_, token)| token.token == Token::RParen)?;
        last = close;
    }
    Some((direction, last + 1))
}

/// The maximum number of tokens of FETCH before an OFFSET, without blanks.
const MAX_FETCH: usize = 8;
/// The maximum number of tokens of an OFFSET that is moved.
const MAX_OFFSET: usize = 128;

/// Writes OFFSET before FETCH, the only order that sqlparser knows.
pub(super) fn offset_first(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "FETCH")) {
        return tokens;
    }
    let places = super::lists::places(&tokens);
    // From the last one, because an OFFSET may contain a query with another.
    for (at, start) in places.iter().enumerate().rev() {
        let Some(fetch) = fetch_before(&tokens, &places, at) else {
            continue;
        };
        if let Some(end) = end_of_offset(&tokens, *start)
            && let Some(clauses) = tokens.get_mut(fetch..end)
        {
            clauses.rotate_left(start - fetch);
        }
    }
    tokens
}

/// The place of the FETCH that ends before the OFFSET at `offset`, an index of `places`.
fn fetch_before(tokens: &[TokenWithSpan], places: &[usize], offset: usize) -> Option<usize> {
    let is_at = |at: usize, word: &str| {
        let token = places.get(at).and_then(|place| tokens.get(*place));
        token.is_some_and(|token| is_word(&token.token, word))
    };
    let last = offset.checked_sub(1)?;
    if !is_at(offset, "OFFSET") || !(is_at(last, "ONLY") || is_at(last, "TIES")) {
        return None;
    }
    let begins =
        |at: &usize| is_at(*at, "FETCH") && (is_at(*at + 1, "FIRST") || is_at(*at + 1, "NEXT"));
    let fetch = (last.saturating_sub(MAX_FETCH)..last).rev().find(begins)?;
    places.get(fetch).copied()
}

/// The place behind the OFFSET at `start`; `None` if it is too long.
fn end_of_offset(tokens: &[TokenWithSpan], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    let behind = tokens.iter().enumerate().skip(start + 1);
    for (place, token) in behind.take(MAX_OFFSET) {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return Some(place),
            Token::RParen => depth -= 1,
            word if depth == 0 && is_word(word, "FOR") => return Some(place),
            _ => {}
        }
    }
    (tokens.len() <= start + 1 + MAX_OFFSET).then_some(tokens.len())
}

/// Makes the VALUES after ANY, SOME and ALL subqueries.
pub(super) fn quantified_values(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "VALUES")) {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    // The last tokens that are not blanks, the latest first.
    let mut before: [Option<Token>; 3] = [None, None, None];
    let mut depth = 0usize;
    // The depths at which subqueries end.
    let mut opened: Vec<usize> = Vec::new();
    for token in tokens {
        let span = token.span;
        let add = |out: &mut Vec<TokenWithSpan>, added: &[Token]| {
            out.extend(
                added
                    .iter()
                    .map(|token| TokenWithSpan::new(token.clone(), span)),
            );
        };
        let space = Token::Whitespace(Whitespace::Space);
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                if opened.last() == Some(&depth) {
                    opened.pop();
                    let name = Token::make_word("values", Some('"'));
                    let alias = [Token::RParen, space, Token::make_keyword("AS")];
                    add(&mut out, &alias);
                    add(&mut out, &[Token::Whitespace(Whitespace::Space), name]);
                }
                depth = depth.saturating_sub(1);
            }
            word if is_word(word, "VALUES") && quantified(&before) => {
                opened.push(depth);
                let words = [
                    Token::make_keyword("SELECT"),
                    space.clone(),
                    Token::Mul,
                    space.clone(),
                    Token::make_keyword("FROM"),
                    space,
                    Token::LParen,
                ];
                add(&mut out, &words);
            }
            _ => {}
        }
        if !is_blank(&token.token) {
            before.rotate_right(1);
            before[0] = Some(token.token.clone());
        }
        out.push(token);
    }
    out
}

/// Whether the last tokens are a comparison, a quantifier and a parenthesis.
fn quantified(before: &[Option<Token>; 3]) -> bool {
    let [Some(Token::LParen), Some(word), Some(comparison)] = before else {
        return false;
    };
    let compares = matches!(
        comparison,
        Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq
    );
    compares && ["ANY", "SOME", "ALL"].iter().any(|any| is_word(word, any))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::testing::rewritten;

    #[test]
    fn tokens_are_those_of_sqlparser() {
        for (sql, expected) in [
            ("0xFF + 0b101 - 0o17", "255 + 5 - 15"),
            ("0XfF + 0b1_01", "255 + 5"),
            ("X'00 ff', X'1 2'", "X'00ff', X'12'"),
            ("X'FF', x'ff', 0 b1, 0b2, 10", "X'FF', X'ff', 0 b1, 0b2, 10"),
            (
                "a > ALL (VALUES (1), (f(2))) OR a = ANY (SELECT 1)",
                "a > ALL (SELECT * FROM (VALUES (1), (f(2))) AS \"values\") OR a = ANY (SELECT 1)",
            ),
            (
                "SELECT 1 UNION ALL (VALUES (1))",
                "SELECT 1 UNION ALL (VALUES (1))",
            ),
            ("a = ALL (VALUES", "a = ALL (SELECT * FROM (VALUES"),
            (
                "FROM JSON_TABLE (f(x), 'a' COLUMNS (b int)) t, json_table",
                "FROM UNNEST(JSON_TABLE (f(x), 'a' COLUMNS (b int))) t, json_table",
            ),
        ] {
            let text = rewritten(sql, |tokens| {
                json_tables(quantified_values(decimal_numbers(tokens)))
            });
            assert_eq!(text, expected, "{sql}");
        }
    }
}
