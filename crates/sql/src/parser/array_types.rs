//! The SQL standard's names of array types, which sqlparser does not parse.
//!
//! ```text
//! CAST(x AS varchar(3) ARRAY)                CAST(x AS varchar(3) [])
//! x::timestamp with time zone ARRAY[4]       x::timestamp with time zone [4]
//! ```

use std::collections::HashMap;

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::places;
use super::query::is_word;

/// Words that a type's name goes on with after its first word, or after its length.
const CONTINUATIONS: [&str; 7] = [
    "PRECISION",
    "VARYING",
    "WITH",
    "WITHOUT",
    "LOCAL",
    "TIME",
    "ZONE",
];

/// The longest list of a type's lengths, in tokens.
const MAX_LENGTHS: usize = 3;

/// Replaces ARRAY by brackets behind the type of a cast.
pub(super) fn plain(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "ARRAY")) {
        return tokens;
    }
    let places = places(&tokens);
    let words = Words {
        tokens: &tokens,
        places: &places,
    };
    let found: HashMap<usize, bool> = (2..places.len())
        .filter(|at| words.is_type(*at))
        .filter_map(|at| {
            let has_length = words.of(at + 1) == Some(&Token::LBracket);
            Some((*places.get(at)?, has_length))
        })
        .collect();
    if found.is_empty() {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + found.len());
    for (place, token) in tokens.into_iter().enumerate() {
        match found.get(&place) {
            None => out.push(token),
            Some(true) => {}
            Some(false) => {
                let brackets = [Token::LBracket, Token::RBracket];
                out.extend(brackets.map(|bracket| TokenWithSpan::new(bracket, token.span)));
            }
        }
    }
    out
}

/// Tokens that are not blank.
struct Words<'a> {
    tokens: &'a [TokenWithSpan],
    places: &'a [usize],
}

impl Words<'_> {
    fn of(&self, at: usize) -> Option<&Token> {
        let token = self.tokens.get(*self.places.get(at)?)?;
        Some(&token.token)
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.of(at).is_some_and(|token| is_word(token, word))
    }

    /// Returns whether a token is the ARRAY behind the type of a cast.
    fn is_type(&self, at: usize) -> bool {
        if !self.is(at, "ARRAY") {
            return false;
        }
        let Some(first) = self.start_of_type(at) else {
            return false;
        };
        let before = first.checked_sub(1).and_then(|before| self.of(before));
        match before {
            Some(Token::DoubleColon) => true,
            Some(token) if is_word(token, "AS") => self.ends_cast(at + 1),
            _ => false,
        }
    }

    /// Returns whether `)` follows, or a length and `)`.
    fn ends_cast(&self, at: usize) -> bool {
        let close = match self.of(at) {
            Some(Token::LBracket) => at + 3,
            _ => at,
        };
        self.of(close) == Some(&Token::RParen)
    }

    /// Returns the first token of the type in front of a token.
    fn start_of_type(&self, end: usize) -> Option<usize> {
        let mut at = self.before_continuations(end.checked_sub(1)?)?;
        if self.of(at) == Some(&Token::RParen) {
            let opens = |back: &usize| self.of(*back) == Some(&Token::LParen);
            let lengths = at.saturating_sub(MAX_LENGTHS + 1)..at;
            let open = lengths.rev().find(opens)?;
            at = self.before_continuations(open.checked_sub(1)?)?;
        }
        let is_name = matches!(self.of(at), Some(Token::Word(_))) && !self.is(at, "SELECT");
        if !is_name {
            return None;
        }
        match at.checked_sub(2) {
            Some(schema) if self.of(at - 1) == Some(&Token::Period) => Some(schema),
            _ => Some(at),
        }
    }

    /// Returns the place of the last token that is not a continuation of a type's name, unless it is AS or
    /// `::`: then the word behind it is the type, such as `time`.
    fn before_continuations(&self, mut at: usize) -> Option<usize> {
        while CONTINUATIONS.iter().any(|word| self.is(at, word)) {
            let before = at.checked_sub(1)?;
            if self.is(before, "AS") || self.of(before) == Some(&Token::DoubleColon) {
                break;
            }
            at = before;
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn written(sql: &str) -> String {
        let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql);
        let tokens = plain(tokens.tokenize_with_location().unwrap());
        tokens.iter().map(|token| token.token.to_string()).collect()
    }

    #[test]
    fn types_of_casts_get_brackets() {
        for (sql, expected) in [
            (
                "SELECT cast(x AS varchar ARRAY), cast(x as decimal(3, 1) array[4])",
                "SELECT cast(x AS varchar []), cast(x as decimal(3, 1) [4])",
            ),
            (
                "SELECT x::time ARRAY, y::timestamp(3) with time zone array [2], z::d.t ARRAY",
                "SELECT x::time [], y::timestamp(3) with time zone  [2], z::d.t []",
            ),
            (
                "SELECT cast(x AS double precision ARRAY), cast(x AS character varying(3) ARRAY)",
                "SELECT cast(x AS double precision []), cast(x AS character varying(3) [])",
            ),
        ] {
            assert_eq!(written(sql), expected);
        }
    }

    #[test]
    fn other_arrays_stay() {
        for sql in [
            "SELECT ARRAY[1], x AS array, (SELECT 1 AS a UNION SELECT ARRAY[2])",
            "CREATE TABLE t AS SELECT ARRAY[1]",
            "SELECT f(ARRAY(SELECT 1 AS x)), x = ANY (ARRAY[1])",
            "array",
        ] {
            assert_eq!(written(sql), sql);
        }
    }
}
