//! PostgreSQL's operators and literals that sqlparser does not parse.
//!
//! ```text
//! INTERVAL(2) '1.567 s'              '1.567 s'::INTERVAL(2)
//! x ISNULL                           x IS NULL
//! x BETWEEN ASYMMETRIC a AND b       x BETWEEN a AND b
//! x BETWEEN SYMMETRIC a AND b        (x BETWEEN a AND b OR x BETWEEN b AND a)
//! x NOT BETWEEN SYMMETRIC a AND b    (x NOT BETWEEN a AND b AND x NOT BETWEEN b AND a)
//! x LIKE p ESCAPE e                  x LIKE like_escape(p, e)
//! f(x, VARIADIC a)                   f(x, "$variadic"(a))
//! x = (VALUES (1)), (TABLE t)        the queries in the place of values
//! x IS JSON                          "$is_json"(x, 'value', false)
//! x IS NOT JSON ARRAY WITH UNIQUE    NOT "$is_json"(x, 'array', true)
//! ```

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::enclosed;
use crate::trino::call;
use crate::walk::walk_expressions;
use crate::words;

/// The name of the call that stands for the last argument of a call with `VARIADIC`. Its argument is
/// the array.
pub const VARIADIC: &str = "$variadic";

/// What the text begins with that is a key of a window's partition and says which rows the frame
/// excludes: `CURRENT ROW`, `GROUP` or `TIES` follows.
pub const FRAME_EXCLUSION: &str = "\u{1}exclude ";

/// The table function that stands for `ROWS FROM (…)`. Its arguments are calls of functions, and
/// its alias names all columns; those of records have their types there.
pub const ROWS_FROM: &str = "$rows_from";

/// What the last name in USING begins with if it is the alias of the common columns:
/// `USING (k) AS x` is `USING (k, "$as x")`.
pub const USING_ALIAS: &str = "$as ";

/// The function of `x IS JSON`, of the text, the kind of value that it must be, and whether the keys
/// of an object must differ.
pub const IS_JSON: &str = "$is_json";

/// How many BETWEENs the operands of BETWEEN SYMMETRIC may have.
const MOST_RANGES: usize = 8;

/// Words that follow a column named `variadic`, which Trino has.
const AFTER_COLUMN: [&str; 15] = [
    "AND", "AS", "ASC", "AT", "BETWEEN", "COLLATE", "DESC", "FROM", "ILIKE", "IN", "IS", "LIKE",
    "NOT", "OR", "ORDER",
];

/// Returns whether the next token is the operator `ISNULL`, which sqlparser takes for a name.
pub(crate) fn is_null_test(parser: &Parser<'_>) -> bool {
    is_word(parser, 0, "ISNULL")
}

/// Parses an expression that begins with these words; `None` if the next tokens are none.
pub(crate) fn prefix(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    sized_interval(parser)
        .or_else(|| variadic(parser))
        .or_else(|| query_without_select(parser))
        .or_else(|| enclosed::prefix(parser))
}

/// Parses `(VALUES (1))` or `(TABLE t)` in the place of a value; `None` if the next tokens are
/// neither.
fn query_without_select(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    if parser.peek_token_ref().token != Token::LParen {
        return None;
    }
    let after = &parser.peek_nth_token_ref(2).token;
    // Trino's rows of one value need no parentheses.
    let begins_row = matches!(
        after,
        Token::LParen | Token::Number(..) | Token::SingleQuotedString(_)
    );
    let begins_query = (is_word(parser, 1, "VALUES") && begins_row)
        || (is_word(parser, 1, "TABLE") && matches!(after, Token::Word(_)));
    if !begins_query {
        return None;
    }
    parser.advance_token();
    let parsed = parser.parse_query();
    Some(parsed.and_then(|query| {
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::Subquery(query))
    }))
}

/// Parses a literal interval whose type has digits, which sqlparser drops; `None` if the next tokens
/// are none.
fn sized_interval(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    if !is_word(parser, 0, "INTERVAL") {
        return None;
    }
    let [_, open, digits, close, text] = parser.peek_tokens_ref::<5>();
    let (Token::LParen, Token::Number(digits, _), Token::RParen, Token::SingleQuotedString(_)) =
        (&open.token, &digits.token, &close.token, &text.token)
    else {
        return None;
    };
    let precision: u64 = digits.parse().ok()?;
    (0..4).for_each(|_| parser.advance_token());
    Some(parser.parse_value().map(|value| Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(Expr::Value(value)),
        data_type: DataType::Interval {
            fields: None,
            precision: Some(precision),
        },
        array: false,
        format: None,
    }))
}

/// Parses the last argument of a call with `VARIADIC`; `None` if the next tokens are none.
fn variadic(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    if !is_word(parser, 0, "VARIADIC") {
        return None;
    }
    let is_argument = matches!(
        parser.get_current_token().token,
        Token::LParen | Token::Comma
    );
    let begins_array = match &parser.peek_nth_token_ref(1).token {
        Token::SingleQuotedString(_) | Token::Placeholder(_) => true,
        Token::Word(word) => {
            word.quote_style.is_some()
                || !AFTER_COLUMN.contains(&word.value.to_ascii_uppercase().as_str())
        }
        _ => false,
    };
    if !is_argument || !begins_array {
        return None;
    }
    parser.advance_token();
    let array = parser.parse_expr();
    Some(array.map(|array| call(VARIADIC, vec![array])))
}

/// Parses an operator after its left operand; `None` if the next tokens are none of these.
///
/// `precedence` is that of the operator.
pub(crate) fn infix(
    parser: &mut Parser<'_>,
    left: &Expr,
    precedence: u8,
) -> Option<Result<Expr, ParserError>> {
    if is_null_test(parser) {
        parser.advance_token();
        return Some(Ok(Expr::IsNull(Box::new(left.clone()))));
    }
    // sqlparser reads it after an operand, but not after `::` or an index.
    if is_word(parser, 0, "COLLATE") {
        parser.advance_token();
        let collation = parser.parse_object_name(false);
        return Some(collation.map(|collation| Expr::Collate {
            expr: Box::new(left.clone()),
            collation,
        }));
    }
    if is_word(parser, 0, "IS") {
        return is_json(parser, left);
    }
    let negated = is_word(parser, 0, "NOT");
    let at = usize::from(negated);
    if is_word(parser, at, "LIKE") || is_word(parser, at, "ILIKE") {
        return like(parser, left, negated, precedence);
    }
    if is_word(parser, at, "IN") {
        return enclosed::list(parser, left, negated, at + 1);
    }
    // `x BETWEEN symmetric AND y` names a column.
    if !is_word(parser, at, "BETWEEN") || is_word(parser, at + 2, "AND") {
        return None;
    }
    let symmetric = match is_word(parser, at + 1, "SYMMETRIC") {
        true => true,
        false if is_word(parser, at + 1, "ASYMMETRIC") => false,
        false => return None,
    };
    (0..at + 2).for_each(|_| parser.advance_token());
    let range = bounds(parser, precedence);
    Some(range.and_then(|(low, high)| between(parser, left, (low, high), negated, symmetric)))
}

/// Parses LIKE and its pattern, whose ESCAPE may be any expression: `x LIKE p ESCAPE e` is
/// `x LIKE like_escape(p, e)` unless `e` is a literal or a parameter. `None` for lists of patterns.
fn like(
    parser: &mut Parser<'_>,
    left: &Expr,
    negated: bool,
    precedence: u8,
) -> Option<Result<Expr, ParserError>> {
    let at = usize::from(negated);
    let of_list = ["ANY", "ALL", "SOME"];
    if of_list.iter().any(|word| is_word(parser, at + 1, word)) {
        return None;
    }
    let is_like = is_word(parser, at, "LIKE");
    (0..=at).for_each(|_| parser.advance_token());
    Some(pattern(parser, precedence).map(|(pattern, escape_char)| {
        let (expr, pattern) = (Box::new(left.clone()), Box::new(pattern));
        match is_like {
            true => Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            },
            false => Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            },
        }
    }))
}

/// Parses a pattern and its escape character, which is a part of the pattern if it is computed.
fn pattern(
    parser: &mut Parser<'_>,
    precedence: u8,
) -> Result<(Expr, Option<ValueWithSpan>), ParserError> {
    let pattern = parser.parse_subexpr(precedence)?;
    if !is_word(parser, 0, "ESCAPE") {
        return Ok((pattern, None));
    }
    let is_computed = match &parser.peek_nth_token_ref(1).token {
        Token::LParen => true,
        Token::Word(word) => {
            !["NULL", "TRUE", "FALSE"]
                .iter()
                .any(|value| word.value.eq_ignore_ascii_case(value))
                || word.quote_style.is_some()
        }
        _ => false,
    };
    if !is_computed {
        return Ok((pattern, parser.parse_escape_char()?));
    }
    parser.advance_token();
    let escape = parser.parse_subexpr(precedence)?;
    Ok((call("like_escape", vec![pattern, escape]), None))
}

/// Parses `IS [NOT] JSON` and what follows; `None` if the next tokens are none.
fn is_json(parser: &mut Parser<'_>, left: &Expr) -> Option<Result<Expr, ParserError>> {
    let negated = is_word(parser, 1, "NOT");
    let at = 1 + usize::from(negated);
    if !is_word(parser, at, "JSON") {
        return None;
    }
    (0..=at).for_each(|_| parser.advance_token());
    let kinds = ["VALUE", "SCALAR", "ARRAY", "OBJECT"];
    let kind = kinds.into_iter().find(|kind| is_word(parser, 0, kind));
    if kind.is_some() {
        parser.advance_token();
    }
    let has_clause = is_word(parser, 1, "UNIQUE");
    let unique = has_clause && is_word(parser, 0, "WITH");
    if unique || has_clause && is_word(parser, 0, "WITHOUT") {
        (0..2).for_each(|_| parser.advance_token());
        if is_word(parser, 0, "KEYS") {
            parser.advance_token();
        }
    }
    let literal = |value: Value| Expr::Value(value.into());
    let arguments = vec![
        left.clone(),
        literal(Value::SingleQuotedString(
            kind.unwrap_or("VALUE").to_lowercase(),
        )),
        literal(Value::Boolean(unique)),
    ];
    let is_json = call(IS_JSON, arguments);
    Some(Ok(match negated {
        true => Expr::Nested(Box::new(Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(is_json),
        })),
        false => is_json,
    }))
}

/// Parses `low AND high`.
fn bounds(parser: &mut Parser<'_>, precedence: u8) -> Result<(Expr, Expr), ParserError> {
    let low = parser.parse_subexpr(precedence)?;
    parser.expect_keyword_is(Keyword::AND)?;
    Ok((low, parser.parse_subexpr(precedence)?))
}

/// Builds the comparison of `left` with its bounds.
fn between(
    parser: &Parser<'_>,
    left: &Expr,
    (low, high): (Expr, Expr),
    negated: bool,
    symmetric: bool,
) -> Result<Expr, ParserError> {
    let within = |low: &Expr, high: &Expr| Expr::Between {
        expr: Box::new(left.clone()),
        negated,
        low: Box::new(low.clone()),
        high: Box::new(high.clone()),
    };
    if !symmetric {
        return Ok(within(&low, &high));
    }
    // Each operand is written twice, so that nesting doubles the expression at each level.
    let inner: usize = [left, &low, &high].into_iter().map(ranges).sum();
    if inner > MOST_RANGES {
        let expected = "operands of BETWEEN SYMMETRIC with fewer BETWEENs";
        return parser.expected_ref(expected, parser.peek_token_ref());
    }
    Ok(Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(within(&low, &high)),
        op: match negated {
            true => BinaryOperator::And,
            false => BinaryOperator::Or,
        },
        right: Box::new(within(&high, &low)),
    })))
}

/// Counts the BETWEENs of an expression.
fn ranges(expr: &Expr) -> usize {
    let mut count = 0;
    let _ = walk_expressions(expr, |part| {
        count += usize::from(matches!(part, Expr::Between { .. }));
        match count > MOST_RANGES {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    count
}

/// Returns whether the token at a place, blanks not counted, is a word without quotes.
fn is_word(parser: &Parser<'_>, at: usize, expected: &str) -> bool {
    words::is_word(&parser.peek_nth_token_ref(at).token, expected)
}
