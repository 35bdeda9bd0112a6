//! The operators `?`, `?|` and `?&` of jsonb, which the tokenizer reads as parameters.
//!
//! ```text
//! x ? 'a', x ?| ARRAY['a'], x ? y      operators
//! LIMIT ?, a = ?, b IN (?)             parameters
//! ```

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::query::is_word;
use crate::words::is_blank;

/// Makes `?`, `?|` and `?&` operators where no parameter can be: between operands, or after what may
/// be a keyword, and before a text, an array or a parameter.
pub(super) fn spelled(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_question = |token: &Token| matches!(token, Token::Placeholder(name) if name == "?");
    if !tokens.iter().any(|token| is_question(&token.token)) {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    let (mut after_operand, mut is_certain) = (false, false);
    let mut before: Option<&Token> = None;
    while let Some((token, after)) = rest.split_first() {
        rest = after;
        if !is_question(&token.token) {
            if !is_blank(&token.token) {
                after_operand = ends_operand(&token.token);
                is_certain = after_operand && is_no_keyword(&token.token, before);
                before = Some(&token.token);
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
        let has_key = behind_blanks.next().is_some_and(|next| {
            begins_key(&next.token)
                || is_certain && matches!(next.token, Token::Word(_) | Token::LParen)
        });
        if after_operand && has_key {
            out.push(TokenWithSpan::new(operator, token.span));
            rest = behind;
            after_operand = false;
        } else {
            out.push(token.clone());
            after_operand = true;
        }
        is_certain = false;
        before = None;
    }
    out
}

/// Returns whether a token that may end an operand is not a keyword, which parameters follow. A type
/// behind `::` and a name behind a point may be spelled as one.
fn is_no_keyword(token: &Token, before: Option<&Token>) -> bool {
    match token {
        Token::Word(word) => {
            word.keyword == Keyword::NoKeyword
                || matches!(before, Some(Token::DoubleColon | Token::Period))
        }
        token => !matches!(token, Token::Placeholder(_)),
    }
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
