//! `pg_catalog.substring(x, 'b')`: sqlparser reads SUBSTRING as a keyword also after a schema, where
//! it is the name of a function.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::places;

/// Quotes such a name.
pub(super) fn quoted(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| Some(&tokens.get(*places.get(at)?)?.token);
    let is_plain = |at: usize, wanted: &str| {
        matches!(of(at), Some(Token::Word(word))
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted))
    };
    let found: Vec<usize> = (2..places.len())
        .filter(|at| is_plain(*at, "substring") && of(at - 1) == Some(&Token::Period))
        .filter(|at| is_plain(at - 2, "pg_catalog"))
        .filter_map(|at| places.get(at).copied())
        .collect();
    for place in found {
        if let Some(token) = tokens.get_mut(place) {
            token.token = Token::make_word("substring", Some('"'));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    #[test]
    fn only_the_name_after_its_schema_is_quoted() {
        let sql = "SELECT pg_catalog . Substring(x, 1), substring(x FROM 1), t.substring";
        let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql);
        let tokens = quoted(tokens.tokenize_with_location().unwrap());
        let written: String = tokens.iter().map(|token| token.token.to_string()).collect();
        assert_eq!(
            written,
            "SELECT pg_catalog . \"substring\"(x, 1), substring(x FROM 1), t.substring"
        );
    }
}
