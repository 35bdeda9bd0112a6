//! Names behind a period that sqlparser reads as keywords.
//!
//! ```text
//! pg_catalog.substring(x, 'b')     pg_catalog."substring"(x, 'b')
//! t.true, t.NULL                   t."true", t."null"
//! ```

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::places;

/// Words that are values, unless they are behind a period.
const VALUES: [&str; 3] = ["true", "false", "null"];

/// Quotes such names.
pub(super) fn quoted(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| Some(&tokens.get(*places.get(at)?)?.token);
    let is_plain = |at: usize, wanted: &str| {
        matches!(of(at), Some(Token::Word(word))
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted))
    };
    let found: Vec<(usize, &str)> = (2..places.len())
        .filter(|at| of(at - 1) == Some(&Token::Period))
        .filter_map(|at| {
            let is_schema = is_plain(at - 2, "pg_catalog");
            let name = match is_schema && is_plain(at, "substring") {
                true => "substring",
                false => VALUES.into_iter().find(|value| is_plain(at, value))?,
            };
            Some((*places.get(at)?, name))
        })
        .collect();
    for (place, name) in found {
        if let Some(token) = tokens.get_mut(place) {
            token.token = Token::make_word(name, Some('"'));
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
    fn only_names_behind_periods_are_quoted() {
        let sql =
            "SELECT pg_catalog . Substring(x, 1), substring(x FROM 1), t.substring, t.True, true";
        let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql);
        let tokens = quoted(tokens.tokenize_with_location().unwrap());
        let written: String = tokens.iter().map(|token| token.token.to_string()).collect();
        assert_eq!(
            written,
            "SELECT pg_catalog . \"substring\"(x, 1), substring(x FROM 1), t.substring, t.\"true\", true"
        );
    }
}
