//! Joins whose conditions follow all their tables: `a JOIN b LEFT JOIN c ON … ON …`.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::query::is_word;

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
