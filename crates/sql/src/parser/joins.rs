//! Joins whose conditions follow all their tables, `a JOIN b LEFT JOIN c ON … ON …`, and aliases of
//! common columns.

use std::collections::{HashMap, HashSet};

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists;
use super::query::is_word;
use crate::USING_ALIAS;

/// Writes the alias of `USING (k) AS x` as the last name in the parentheses, see [`USING_ALIAS`].
pub(super) fn named_columns(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "USING")) {
        return tokens;
    }
    let places = lists::places(&tokens);
    let of = |at: usize| Some(&tokens.get(*places.get(at)?)?.token);
    let is = |at: usize, word: &str| of(at).is_some_and(|token| is_word(token, word));
    // The aliases, by the place of the parenthesis that closes the list.
    let mut aliases: HashMap<usize, String> = HashMap::new();
    let mut removed: HashSet<usize> = HashSet::new();
    for at in 0..places.len() {
        if !is(at, "USING") || of(at + 1) != Some(&Token::LParen) {
            continue;
        }
        let in_list = |next: &usize| matches!(of(*next), Some(Token::Word(_) | Token::Comma));
        let names = (at + 2..places.len()).take_while(in_list).count();
        let close = at + 2 + names;
        if of(close) != Some(&Token::RParen) || !is(close + 1, "AS") {
            continue;
        }
        let Some(Token::Word(alias)) = of(close + 2) else {
            continue;
        };
        let name = match alias.quote_style {
            Some(_) => alias.value.clone(),
            None => alias.value.to_lowercase(),
        };
        if let Some(close_place) = places.get(close) {
            aliases.insert(*close_place, name);
            removed.extend(places.get(close + 1..close + 3).unwrap_or_default());
        }
    }
    if aliases.is_empty() {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + aliases.len());
    for (place, token) in tokens.into_iter().enumerate() {
        if removed.contains(&place) {
            continue;
        }
        if let Some(alias) = aliases.get(&place) {
            let name = Token::make_word(&format!("{USING_ALIAS}{alias}"), Some('"'));
            let added = [Token::Comma, name];
            out.extend(added.map(|added| TokenWithSpan::new(added, token.span)));
        }
        out.push(token);
    }
    out
}

/// Returns whether a join follows one that has no condition yet.
///
/// sqlparser reads such joins in a mode of its own, in which the tables behind NATURAL would nest
/// too. A statement with NATURAL therefore has none.
pub(super) fn are_nested(tokens: &[TokenWithSpan]) -> bool {
    // Whether a join waits for its condition, for each open parenthesis.
    let mut waiting = vec![false];
    let mut before = &Token::EOF;
    let mut found = false;
    for TokenWithSpan { token, .. } in tokens {
        match token {
            Token::Whitespace(_) => continue,
            Token::LParen => waiting.push(false),
            Token::RParen => {
                waiting.pop();
            }
            word if is_word(word, "NATURAL") => return false,
            word if is_word(word, "JOIN") && !is_word(before, "CROSS") => {
                if let Some(waits) = waiting.last_mut() {
                    found |= *waits;
                    *waits = true;
                }
            }
            word if is_word(word, "ON") || is_word(word, "USING") => {
                if let Some(waits) = waiting.last_mut() {
                    *waits = false;
                }
            }
            _ => {}
        }
        before = token;
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::Statement;

    #[test]
    fn joins_nest_where_their_conditions_do() {
        for (from, expected) in [
            (
                "a JOIN b LEFT JOIN c ON b.x = c.x ON a.x = b.x",
                "a JOIN (b LEFT JOIN c ON b.x = c.x) ON a.x = b.x",
            ),
            (
                "a LEFT JOIN b JOIN c ON b.x = c.x JOIN d USING(x) ON a.x = b.x JOIN e ON true",
                "a LEFT JOIN (b JOIN c ON b.x = c.x JOIN d USING(x)) ON a.x = b.x JOIN e ON true",
            ),
            (
                "a JOIN b ON true CROSS JOIN c JOIN d ON true",
                "a JOIN b ON true CROSS JOIN c JOIN d ON true",
            ),
            (
                "a JOIN (b JOIN c ON true) ON true",
                "a JOIN (b JOIN c ON true) ON true",
            ),
            (
                "a NATURAL JOIN b JOIN c ON true",
                "a NATURAL JOIN b JOIN c ON true",
            ),
        ] {
            let sql = format!("SELECT 1 FROM {from}");
            match crate::parse(&sql).unwrap().remove(0).statement {
                Statement::Query(query) => {
                    assert_eq!(query.to_string(), format!("SELECT 1 FROM {expected}"));
                }
                other => panic!("no query: {other:?}"),
            }
        }
    }

    #[test]
    fn an_alias_of_common_columns_is_the_last_of_them() {
        for (from, expected) in [
            (
                "a JOIN b USING (x, \"y\") AS J LEFT JOIN c USING (z) as k",
                "a JOIN b USING(x, \"y\", \"$as j\") LEFT JOIN c USING(z, \"$as k\")",
            ),
            ("a JOIN b USING (x) WHERE y", "a JOIN b USING(x) WHERE y"),
        ] {
            match crate::parse(&format!("SELECT 1 FROM {from}"))
                .unwrap()
                .remove(0)
                .statement
            {
                Statement::Query(query) => {
                    assert_eq!(query.to_string(), format!("SELECT 1 FROM {expected}"));
                }
                other => panic!("no query: {other:?}"),
            }
        }
    }

    #[test]
    fn a_condition_belongs_to_one_join() {
        for from in [
            "a JOIN b ON true ON true",
            "a NATURAL JOIN b JOIN c JOIN d ON true ON true",
        ] {
            assert!(
                crate::parse(&format!("SELECT 1 FROM {from}")).is_err(),
                "{from}"
            );
        }
    }
}
