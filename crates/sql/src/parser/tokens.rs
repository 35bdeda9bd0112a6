//! Rewrites tokens that sqlparser reads as something else.
//!
//! ```text
//! 0xFF, 0b101, 0o17            255, 5, 15
//! x > ALL (VALUES (1), (2))    x > ALL (SELECT * FROM (VALUES (1), (2)) AS "values")
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use super::query::is_word;

/// Replaces the digits of numbers in other bases by decimal ones.
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
                }
            }
            Token::Word(word) if word.quote_style.is_none() => {
                let base = match word.value.as_bytes().first() {
                    Some(b'b' | b'B') => 2,
                    Some(b'o' | b'O') => 8,
                    _ => 0,
                };
                let digits = word.value.get(1..).unwrap_or_default();
                if base > 0
                    && let Some(before) = out.last_mut()
                    && before.token == Token::Number("0".to_owned(), false)
                    && before.span.end == token.span.start
                    && digits.bytes().all(|byte| byte.is_ascii_digit())
                    && let Ok(number) = u128::from_str_radix(digits, base)
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

/// Makes the VALUES after ANY, SOME and ALL subqueries.
pub(super) fn quantified_values(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "VALUES")) {
        return tokens;
    }
    let blank = |token: &Token| matches!(token, Token::Whitespace(_));
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
        if !blank(&token.token) {
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
    #![allow(clippy::unwrap_used)]
    use sqlparser::tokenizer::Tokenizer;

    use super::*;
    use crate::dialect::AthenaDialect;

    #[test]
    fn tokens_are_those_of_sqlparser() {
        for (sql, expected) in [
            ("0xFF + 0b101 - 0o17", "255 + 5 - 15"),
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
        ] {
            let tokens = Tokenizer::new(&AthenaDialect::default(), sql)
                .tokenize_with_location()
                .unwrap();
            let tokens = quantified_values(decimal_numbers(tokens));
            let text: Vec<String> = tokens.iter().map(|token| token.token.to_string()).collect();
            assert_eq!(text.concat().trim_end_matches("EOF"), expected, "{sql}");
        }
    }
}
