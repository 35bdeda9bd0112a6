//! Words and blanks among the tokens of sqlparser.

use sqlparser::tokenizer::Token;

/// Words that continue a query after its first part.
const CONTINUE: [&str; 7] = [
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
];

/// Returns whether a token is a word without quotes, in any case.
pub(crate) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// Returns whether a query that has ended, but for its operations and clauses, goes on with a token.
pub(crate) fn continues_query(token: &Token) -> bool {
    CONTINUE.iter().any(|word| is_word(token, word))
}

/// Returns whether a token is a blank or a comment.
pub(crate) fn is_blank(token: &Token) -> bool {
    matches!(token, Token::Whitespace(_))
}

#[cfg(test)]
pub(crate) mod testing {
    #![allow(clippy::unwrap_used)]
    use sqlparser::tokenizer::{TokenWithSpan, Tokenizer};

    use crate::dialect::AthenaDialect;

    /// Returns a text whose tokens were rewritten.
    pub(crate) fn rewritten(
        sql: &str,
        rewrite: impl FnOnce(Vec<TokenWithSpan>) -> Vec<TokenWithSpan>,
    ) -> String {
        let tokens = Tokenizer::new(&AthenaDialect::default(), sql)
            .tokenize_with_location()
            .unwrap();
        let text: Vec<String> = rewrite(tokens)
            .iter()
            .map(|token| token.token.to_string())
            .collect();
        text.concat().trim_end_matches("EOF").to_owned()
    }
}
