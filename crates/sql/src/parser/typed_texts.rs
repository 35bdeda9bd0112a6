//! Literals of types that sqlparser takes for names of columns, and operators of networks and ranges,
//! which it reads as several.
//!
//! ```text
//! pg_lsn '0/0', inet '::1'     CAST('0/0' AS pg_lsn), CAST('::1' AS inet)
//! pg_catalog.int4 '3'          CAST('3' AS pg_catalog.int4)
//! x <<= y, x -|- y             operators of their own
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::query::is_word;
use crate::words::is_blank;

/// The types. A column has none of these names before a text: PostgreSQL's aliases are not texts.
const TYPES: [&str; 15] = [
    "cidr",
    "daterange",
    "inet",
    "int4range",
    "int8range",
    "macaddr",
    "numrange",
    "oid",
    "pg_lsn",
    "regclass",
    "regproc",
    "regtype",
    "tsrange",
    "tstzrange",
    "xid",
];

/// The operators, with what sqlparser reads them as.
const OPERATORS: [(&str, &[Token]); 5] = [
    ("<<=", &[Token::ShiftLeft, Token::Eq]),
    (">>=", &[Token::ShiftRight, Token::Eq]),
    ("&<", &[Token::Ampersand, Token::Lt]),
    ("&>", &[Token::Ampersand, Token::Gt]),
    ("-|-", &[Token::Minus, Token::Pipe, Token::Minus]),
];

/// Further ones. `path` is not among them: it precedes texts in `JSON_TABLE`.
const FURTHER: [&str; 9] = [
    "box",
    "circle",
    "line",
    "lseg",
    "macaddr8",
    "pg_snapshot",
    "point",
    "polygon",
    "refcursor",
];

/// The schema of types that may be written before any of their names.
const SCHEMA: &str = "pg_catalog";

/// Writes these in sqlparser's words.
pub(super) fn spelled(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let concerns = |token: &Token| is_type(token) || is_sign(token) || is_word(token, SCHEMA);
    match tokens.iter().any(|token| concerns(&token.token)) {
        true => rewritten(&tokens),
        false => tokens,
    }
}

fn is_type(token: &Token) -> bool {
    let mut names = TYPES.iter().chain(&FURTHER);
    names.any(|name| is_word(token, name))
}

/// Returns whether a token is in one of the operators, and not in most queries.
fn is_sign(token: &Token) -> bool {
    matches!(
        token,
        Token::ShiftLeft | Token::ShiftRight | Token::Ampersand | Token::Pipe
    )
}

/// Returns the operator that tokens begin with, and how many of them it has.
fn operator(tokens: &[TokenWithSpan]) -> Option<(&'static str, usize)> {
    OPERATORS.iter().find_map(|(symbol, parts)| {
        let own = tokens.get(..parts.len())?;
        let are_parts = own
            .iter()
            .zip(parts.iter())
            .all(|(token, part)| token.token == *part);
        let mut nexts = own.iter().zip(own.iter().skip(1));
        let are_joined = nexts.all(|(token, next)| next.span.start == token.span.end);
        (are_parts && are_joined).then_some((*symbol, parts.len()))
    })
}

fn is_text(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_)
    )
}

/// Returns whether a name after a token is not a type of a literal.
fn precedes_name(token: &Token) -> bool {
    matches!(token, Token::Period | Token::DoubleColon) || is_word(token, "AS")
}

/// Returns the text that follows a type: the rest of the type's name, the text, and what is after it.
fn typed_text<'a>(
    token: &TokenWithSpan,
    after: &'a [TokenWithSpan],
) -> Option<(&'a [TokenWithSpan], &'a TokenWithSpan, &'a [TokenWithSpan])> {
    let (name, after) = match after {
        [dot, name, ..]
            if is_word(&token.token, SCHEMA)
                && dot.token == Token::Period
                && matches!(name.token, Token::Word(_)) =>
        {
            after.split_at_checked(2)?
        }
        _ if is_type(&token.token) => (Default::default(), after),
        _ => return None,
    };
    let blanks = after.iter().take_while(|next| is_blank(&next.token));
    let (literal, end) = after.get(blanks.count()..)?.split_first()?;
    is_text(&literal.token).then_some((name, literal, end))
}

/// Returns the last of so many tokens, and what is after them.
fn split_after(
    tokens: &[TokenWithSpan],
    count: usize,
) -> Option<(&TokenWithSpan, &[TokenWithSpan])> {
    let (own, end) = tokens.split_at_checked(count)?;
    Some((own.last()?, end))
}

fn rewritten(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 8);
    let mut before: Option<&Token> = None;
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        let own = operator(rest);
        rest = after;
        let literal = match before.is_some_and(precedes_name) {
            true => None,
            false => typed_text(token, after),
        };
        if let Some((name, literal, end)) = literal {
            let added = |added: Token| TokenWithSpan::new(added, token.span);
            out.push(added(Token::make_keyword("CAST")));
            out.push(added(Token::LParen));
            out.push(literal.clone());
            out.push(added(Token::make_keyword("AS")));
            out.push(token.clone());
            out.extend_from_slice(name);
            out.push(TokenWithSpan::new(Token::RParen, literal.span));
            before = Some(&literal.token);
            rest = end;
            continue;
        }
        if let Some((symbol, count)) = own
            && let Some((last, end)) = split_after(after, count - 1)
        {
            let mut operator = token.clone();
            operator.token = Token::CustomBinaryOperator(symbol.to_owned());
            operator.span.end = last.span.end;
            out.push(operator);
            before = Some(&last.token);
            rest = end;
            continue;
        }
        if !is_blank(&token.token) {
            before = Some(&token.token);
        }
        out.push(token.clone());
    }
    out
}
