//! The operators `?`, `?|` and `?&` of jsonb, which the tokenizer takes for parameters.
//!
//! ```text
//! x ? 'a', x ?| ARRAY['a'], x ? k     operators
//! WHERE ?, a = ?, LIMIT ? OFFSET ?    parameters
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::query::is_word;

/// Words after which `?` is a parameter, even if an operand follows it: `KEY ? VALUE x`. Other words
/// are columns.
const BEFORE_PARAMETERS: &str = "\
    ALL AND ANY ARRAY AS ASYMMETRIC BEFORE BETWEEN BOTH BY CASE COLLATE DATE DEFAULT \
    DISTINCT DIV ELSE ESCAPE EXCEPT EXECUTE EXISTS FETCH FIRST FOR FROM GLOB GROUPS \
    HAVING ILIKE IN INTERSECT INTERVAL IS KEY LEADING LIKE LIMIT MOD NEXT NOT OF OFFSET \
    ON OR OVERLAPS PASSING PLACING PREPARE QUALIFY RANGE REGEXP RETURNING RLIKE ROW ROWS \
    SELECT SET SIMILAR SOME SYMMETRIC THEN TIME TIMESTAMP TO TRAILING UNION USING VALUE \
    VALUES VERSION WHEN WHERE XOR ZONE";

/// Makes `?`, `?|` and `?&` operators where no parameter can be: after an operand, and before a
/// text, an array or a parameter; before any operand after one that is no word with a meaning.
pub(super) fn told(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_question = |token: &Token| matches!(token, Token::Placeholder(name) if name == "?");
    if !tokens.iter().any(|token| is_question(&token.token)) {
        return tokens;
    }
    let is_blank = |token: &Token| matches!(token, Token::Whitespace(_));
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    let mut after_operand = false;
    // Whether no parameter can be here.
    let mut after_value = false;
    let mut after_name = false;
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        if !is_question(&token.token) {
            if !is_blank(&token.token) {
                after_operand = ends_operand(&token.token);
                after_value = after_operand && (after_name || !expects(&token.token));
                // What follows names a column or a type.
                after_name = matches!(token.token, Token::Period | Token::DoubleColon);
            }
            out.push(token.clone());
            continue;
        }
        let (operator, taken) = match after.first().map(|next| &next.token) {
            Some(Token::Pipe) => (Token::QuestionPipe, 1),
            Some(Token::Ampersand) => (Token::QuestionAnd, 1),
            _ => (Token::Question, 0),
        };
        let behind = after.get(taken..).unwrap_or_default();
        let mut behind_blanks = behind.iter().skip_while(|next| is_blank(&next.token));
        let next = behind_blanks.next().map(|next| &next.token);
        let has_key = next.is_some_and(begins_key);
        let has_operand = next.is_some_and(begins_operand);
        if after_operand && has_key || after_value && has_operand {
            out.push(TokenWithSpan::new(operator, token.span));
            rest = behind;
            after_operand = false;
        } else {
            out.push(token.clone());
            after_operand = true;
        }
        (after_value, after_name) = (false, false);
    }
    out
}

/// Returns whether an operand may end with a token.
fn ends_operand(token: &Token) -> bool {
    matches!(
        token,
        Token::Word(_)
            | Token::RParen
            | Token::RBracket
            | Token::Number(..)
            | Token::Placeholder(_)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
    )
}

/// Returns whether a token is a word that a parameter may follow.
fn expects(token: &Token) -> bool {
    BEFORE_PARAMETERS
        .split(' ')
        .any(|word| is_word(token, word))
}

/// Returns whether an operand may begin with a token.
fn begins_operand(token: &Token) -> bool {
    matches!(
        token,
        Token::Word(_) | Token::LParen | Token::Number(..) | Token::NationalStringLiteral(_)
    )
}

/// Returns whether the keys of such an operator may begin with a token that cannot follow an
/// operand.
fn begins_key(token: &Token) -> bool {
    matches!(
        token,
        Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::Placeholder(_)
    ) || is_word(token, "ARRAY")
}
