//! Rewrites what sqlparser does not parse to an equivalent that it does.
//!
//! ```text
//! COLLATION FOR (x)                  pg_collation_for(x)
//! FETCH FIRST (n + 1) ROWS ONLY      LIMIT (n + 1)
//! FETCH FIRST (n) ROWS WITH TIES     LIMIT "/with ties"(n)
//! x LIKE ALL (SELECT p FROM t)       x ~~ ALL (SELECT p FROM t)
//! x NOT ILIKE ANY (SELECT p FROM t)  x !~~* ANY (SELECT p FROM t)
//! x OPERATOR(pg_catalog.=) ANY (a)   x = ANY (a)
//! FROM d.t * WHERE …                 FROM d.t WHERE …
//! ROW(t.*)::text, ROW(t.*) IS NULL   (t.*)::text, (t.*) IS NULL
//! ```

use std::collections::HashMap;

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::places;
use super::only::ends_table;
use super::query::is_word;
use super::ties;

/// Words without which nothing is rewritten.
const CONCERNS: [&str; 8] = [
    "COLLATION",
    "FETCH",
    "LIKE",
    "ILIKE",
    "OPERATOR",
    "FROM",
    "JOIN",
    "ROW",
];

/// The longest count of FETCH, in tokens: a search for its end takes no longer.
const MAX_COUNT: usize = 1000;

/// Rewrites the tokens of a query.
pub(super) fn plain(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let concerns = |token: &TokenWithSpan| CONCERNS.iter().any(|word| is_word(&token.token, word));
    if !tokens.iter().any(concerns) {
        return tokens;
    }
    let places = places(&tokens);
    let words = Words {
        tokens: &tokens,
        places: &places,
    };
    let mut changes = Vec::new();
    for at in 0..places.len() {
        words.collation(at, &mut changes);
        words.count(at, &mut changes);
        words.pattern(at, &mut changes);
        words.operator(at, &mut changes);
        words.descendants(at, &mut changes);
        words.whole_row(at, &mut changes);
    }
    let changes: HashMap<usize, Option<Token>> = changes
        .into_iter()
        .filter_map(|(at, token)| Some((*places.get(at)?, token)))
        .collect();
    changed(tokens, changes)
}

/// Tokens that are replaced, or removed, by their places among those that are not blank.
type Changes = Vec<(usize, Option<Token>)>;

fn changed(
    tokens: Vec<TokenWithSpan>,
    mut changes: HashMap<usize, Option<Token>>,
) -> Vec<TokenWithSpan> {
    let tokens = tokens.into_iter().enumerate();
    let kept = tokens.filter_map(|(place, mut token)| match changes.remove(&place) {
        None => Some(token),
        Some(other) => {
            token.token = other?;
            Some(token)
        }
    });
    kept.collect()
}

/// Tokens that are not blank.
struct Words<'a> {
    tokens: &'a [TokenWithSpan],
    places: &'a [usize],
}

impl Words<'_> {
    fn token(&self, at: usize) -> Option<&Token> {
        let place = self.places.get(at)?;
        self.tokens.get(*place).map(|token| &token.token)
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        let is_one = |token: &Token| words.iter().any(|word| is_word(token, word));
        self.token(at).is_some_and(is_one)
    }

    fn opens(&self, at: usize) -> bool {
        self.token(at) == Some(&Token::LParen)
    }

    /// `COLLATION FOR (`.
    fn collation(&self, at: usize, changes: &mut Changes) {
        if self.is(at, &["COLLATION"]) && self.is(at + 1, &["FOR"]) && self.opens(at + 2) {
            let function = Token::make_word("pg_collation_for", None);
            changes.extend([(at, Some(function)), (at + 1, None)]);
        }
    }

    /// `FETCH FIRST (n) ROWS ONLY`, and WITH TIES.
    fn count(&self, at: usize, changes: &mut Changes) {
        let begins = self.is(at, &["FETCH"]) && self.is(at + 1, &["FIRST", "NEXT"]);
        if !begins || !self.opens(at + 2) {
            return;
        }
        let Some(close) = self.close_of(at + 2) else {
            return;
        };
        if !self.is(close + 1, &["ROW", "ROWS"]) {
            return;
        }
        let limit = Some(Token::make_keyword("LIMIT"));
        if self.is(close + 2, &["ONLY"]) {
            let others = [at + 1, close + 1, close + 2].map(|other| (other, None));
            changes.push((at, limit));
            changes.extend(others);
        } else if self.is(close + 2, &["WITH"]) && self.is(close + 3, &["TIES"]) {
            let others = [close + 1, close + 2, close + 3].map(|other| (other, None));
            let count = Token::make_word(ties::COUNT, Some('"'));
            changes.extend([(at, limit), (at + 1, Some(count))]);
            changes.extend(others);
        }
    }

    /// `ROW(t.*)` before an operator. As an item of a list, `(t.*)` is several columns.
    fn whole_row(&self, at: usize, changes: &mut Changes) {
        if !self.is(at, &["ROW"]) || !self.opens(at + 1) {
            return;
        }
        let is_name = |at: usize| matches!(self.token(at), Some(Token::Word(_)));
        let mut star = at + 2;
        while is_name(star) && self.token(star + 1) == Some(&Token::Period) {
            star += 2;
        }
        let is_star = star > at + 2 && self.token(star) == Some(&Token::Mul);
        if !is_star || self.token(star + 1) != Some(&Token::RParen) {
            return;
        }
        let is_operand = match self.token(star + 2) {
            Some(
                Token::DoubleColon
                | Token::Eq
                | Token::Neq
                | Token::Lt
                | Token::Gt
                | Token::LtEq
                | Token::GtEq,
            ) => true,
            _ => self.is(star + 2, &["IS"]),
        };
        if is_operand {
            changes.push((at, None));
        }
    }

    /// Returns the place of the parenthesis that closes the one at `open`.
    fn close_of(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        let mut places = (open..self.places.len()).take(MAX_COUNT);
        places.find(|at| {
            match self.token(*at) {
                Some(Token::LParen) => depth += 1,
                Some(Token::RParen) => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })
    }

    /// `LIKE ALL (SELECT`.
    fn pattern(&self, at: usize, changes: &mut Changes) {
        let is_like = self.is(at, &["LIKE", "ILIKE"]);
        let is_quantified = self.is(at + 1, &["ALL", "ANY", "SOME"]) && self.opens(at + 2);
        if !is_like || !is_quantified || !self.is(at + 3, &["SELECT", "WITH", "VALUES"]) {
            return;
        }
        let before = at.checked_sub(1).filter(|at| self.is(*at, &["NOT"]));
        let operator = match (self.is(at, &["ILIKE"]), before) {
            (false, None) => Token::DoubleTilde,
            (false, Some(_)) => Token::ExclamationMarkDoubleTilde,
            (true, None) => Token::DoubleTildeAsterisk,
            (true, Some(_)) => Token::ExclamationMarkDoubleTildeAsterisk,
        };
        changes.push((at, Some(operator)));
        changes.extend(before.map(|not| (not, None)));
    }

    /// `OPERATOR(pg_catalog.=) ANY (`: sqlparser reads the operator, but not what follows it.
    fn operator(&self, at: usize, changes: &mut Changes) {
        if !self.is(at, &["OPERATOR"]) || !self.opens(at + 1) {
            return;
        }
        let is_qualified =
            self.is(at + 2, &["pg_catalog"]) && self.token(at + 3) == Some(&Token::Period);
        let name = at + if is_qualified { 4 } else { 2 };
        let is_quantified = self.is(name + 2, &["ALL", "ANY", "SOME"]) && self.opens(name + 3);
        if is_quantified && self.token(name + 1) == Some(&Token::RParen) {
            let others = (at..name).chain([name + 1]);
            changes.extend(others.map(|other| (other, None)));
        }
    }

    /// `FROM d.t *`, which also reads the tables that inherit from `t`: there are none.
    fn descendants(&self, at: usize, changes: &mut Changes) {
        let is_distinct = at
            .checked_sub(1)
            .is_some_and(|at| self.is(at, &["DISTINCT"]));
        if !self.is(at, &["FROM", "JOIN"]) || is_distinct {
            return;
        }
        let is_name = |at: usize| matches!(self.token(at), Some(Token::Word(_)));
        let mut last = at + 1;
        while is_name(last) && self.token(last + 1) == Some(&Token::Period) {
            last += 2;
        }
        if !is_name(last) || self.token(last + 1) != Some(&Token::Mul) {
            return;
        }
        let ends = match self.token(last + 2) {
            None | Some(Token::EOF | Token::SemiColon | Token::Comma | Token::RParen) => true,
            // `EXTRACT(year FROM a * left(b, 1))`
            Some(_) if self.is(last + 2, &["LEFT", "RIGHT"]) => !self.opens(last + 3),
            Some(after) => ends_table(after),
        };
        if ends {
            changes.push((last + 1, None));
        }
    }
}
