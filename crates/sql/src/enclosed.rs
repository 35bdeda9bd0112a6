//! Parentheses that begin with a query in parentheses of its own. sqlparser takes the first ones for a
//! value, and the last for a query.
//!
//! ```text
//! ((SELECT 1) UNION (SELECT 2))             a query in the place of a value
//! x = ANY ((SELECT 1) UNION (SELECT 2))
//! x IN ((SELECT 1), (SELECT 2) + 1)         a list of values
//! ```

use sqlparser::ast::Expr;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::words::{continues_query, is_blank, is_word};

/// What parentheses that begin with a query have in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// `SELECT 1`, or this in parentheses.
    Query,
    /// `(SELECT 1) UNION …`
    Continued,
    /// `(SELECT 1) + 1` or `(SELECT 1), 2`
    Values,
}

/// How many tokens are looked at. A parser that tries several readings may look at the same ones again.
const MOST_TOKENS: usize = 4096;

/// Parses a query in the place of a value; `None` if the next tokens are none of these queries.
pub(crate) fn prefix(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let next = after(parser, parser.index());
    if parser.token_at(next).token != Token::LParen {
        return None;
    }
    if let Some(open) = quantified(parser)
        && content(parser, open) == Some(Content::Continued)
    {
        // The operator has read the opening parenthesis, and expects the closing one.
        return Some(parser.parse_query().map(Expr::Subquery));
    }
    if content(parser, next) != Some(Content::Continued) {
        return None;
    }
    parser.advance_token();
    let parsed = parser.parse_query();
    Some(parsed.and_then(|query| {
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::Subquery(query))
    }))
}

/// Parses what follows `IN` if it is a list that begins with a query; `None` if it is not. `ahead`: the
/// number of tokens up to and with `IN`.
pub(crate) fn list(
    parser: &mut Parser<'_>,
    left: &Expr,
    negated: bool,
    ahead: usize,
) -> Option<Result<Expr, ParserError>> {
    let mut open = after(parser, parser.index());
    for _ in 0..ahead {
        open = after(parser, open + 1);
    }
    if parser.token_at(open).token != Token::LParen
        || content(parser, open) != Some(Content::Values)
    {
        return None;
    }
    (0..=ahead).for_each(|_| parser.advance_token());
    let list = parser.parse_comma_separated(Parser::parse_expr);
    Some(list.and_then(|list| {
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::InList {
            expr: Box::new(left.clone()),
            list,
            negated,
        })
    }))
}

/// Returns the place of the parenthesis after ANY, ALL or SOME if it was read last.
fn quantified(parser: &Parser<'_>) -> Option<usize> {
    let open = before(parser, parser.index())?;
    let word = before(parser, open)?;
    let is_word = |expected: &&str| is_word(&parser.token_at(word).token, expected);
    let is_quantified =
        parser.token_at(open).token == Token::LParen && ["ANY", "ALL", "SOME"].iter().any(is_word);
    is_quantified.then_some(open)
}

/// Returns what the parentheses that open at a place have in them; `None` if they do not begin with a
/// query, or do not end within [`MOST_TOKENS`].
fn content(parser: &Parser<'_>, open: usize) -> Option<Content> {
    let mut place = open;
    // The number of parentheses that are open, and of those that hold a query each.
    let mut depth = 0_usize;
    while parser.token_at(place).token == Token::LParen {
        depth += 1;
        place = after(parser, place + 1);
    }
    let first = &parser.token_at(place).token;
    if !is_word(first, "SELECT") && !is_word(first, "WITH") {
        return None;
    }
    if depth == 1 {
        return Some(Content::Query);
    }
    let mut queries = depth;
    let mut is_continued = false;
    for _ in 0..MOST_TOKENS {
        match &parser.token_at(place).token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            _ => {}
        }
        place = after(parser, place + 1);
        if depth >= queries {
            continue;
        }
        // The innermost of the queries has ended.
        queries -= 1;
        if queries == 0 {
            return Some(match is_continued {
                true => Content::Continued,
                false => Content::Query,
            });
        }
        let next = &parser.token_at(place).token;
        is_continued = continues_query(next);
        if !is_continued && *next != Token::RParen {
            return Some(Content::Values);
        }
    }
    None
}

/// Returns the place of the first token at a place or after it that is not blank.
fn after(parser: &Parser<'_>, place: usize) -> usize {
    let mut place = place;
    while is_blank(&parser.token_at(place).token) {
        place += 1;
    }
    place
}

/// Returns the place of the last token before a place that is not blank.
fn before(parser: &Parser<'_>, place: usize) -> Option<usize> {
    let mut places = (0..place).rev();
    places.find(|place| !is_blank(&parser.token_at(*place).token))
}
