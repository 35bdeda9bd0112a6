//! Literals of types that sqlparser takes for names of columns, and operators of networks, which it
//! reads as two.
//!
//! ```text
//! pg_lsn '0/0', inet '::1'     CAST('0/0' AS pg_lsn), CAST('::1' AS inet)
//! pg_catalog.int4 '3'          CAST('3' AS pg_catalog.int4)
//! x <<= y, x >>= y             operators of their own
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::query::is_word;
use crate::words::is_blank;

/// The types. A column has none of these names before a text: PostgreSQL's aliases are not texts.
const TYPES: [&str; 9] = [
    "cidr", "inet", "macaddr", "oid", "pg_lsn", "regclass", "regproc", "regtype", "xid",
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
    let concerns = |token: &Token| is_type(token) || is_shift(token) || is_word(token, SCHEMA);
    match tokens.iter().any(|token| concerns(&token.token)) {
        true => rewritten(&tokens),
        false => tokens,
    }
}

fn is_type(token: &Token) -> bool {
    let mut names = TYPES.iter().chain(&FURTHER);
    names.any(|name| is_word(token, name))
}

fn is_shift(token: &Token) -> bool {
    matches!(token, Token::ShiftLeft | Token::ShiftRight)
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

fn rewritten(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 8);
    let mut before: Option<&Token> = None;
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
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
        let equals = after
            .first()
            .filter(|next| next.token == Token::Eq && next.span.start == token.span.end);
        if let (true, Some(equals)) = (is_shift(&token.token), equals) {
            let symbol = match token.token {
                Token::ShiftLeft => "<<=",
                _ => ">>=",
            };
            let mut operator = token.clone();
            operator.token = Token::CustomBinaryOperator(symbol.to_owned());
            operator.span.end = equals.span.end;
            out.push(operator);
            rest = after.get(1..).unwrap_or_default();
            before = Some(&equals.token);
            continue;
        }
        if !is_blank(&token.token) {
            before = Some(&token.token);
        }
        out.push(token.clone());
    }
    out
}
