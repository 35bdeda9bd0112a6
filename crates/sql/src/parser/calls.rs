//! The names that a text calls as functions, found in its tokens. The parser and the dialects write
//! calls into the syntax tree that the text does not have, so the tree cannot tell them apart.

use super::cursor::char_position;
use super::literal;
use crate::lexer::{self, Token, TokenKind};

/// Words before a name with a list of columns in parentheses, which is not a call.
const BEFORE_LISTS: [&str; 8] = [
    "AS",
    "COPY",
    "EXISTS",
    "INTO",
    "OVERWRITE",
    "RECURSIVE",
    "VIEW",
    "WITH",
];

/// How many words may precede TABLE in CREATE TABLE: `CREATE OR REPLACE`.
const BEFORE_TABLE: usize = 3;

/// See [`crate::find_call`].
pub(crate) fn find(sql: &str, is_sought: impl Fn(&str) -> bool) -> Option<(String, usize)> {
    lexer::split(sql).iter().find_map(|statement| {
        let tokens = statement.tokens.as_slice();
        let mut pairs = tokens.iter().skip(1).zip(tokens).enumerate();
        pairs.find_map(|(at, (next, token))| {
            let name = called(sql, token, next).filter(|name| is_sought(name))?;
            let named = !follows_word_of_list(sql, tokens, at);
            named.then(|| (name, char_position(sql, token.start)))
        })
    })
}

/// Returns the name, in lower case, if a parenthesis follows it.
fn called(sql: &str, token: &Token, next: &Token) -> Option<String> {
    let is_name = matches!(
        token.kind,
        TokenKind::Word | TokenKind::Backtick | TokenKind::Double { .. }
    );
    if !is_name || next.kind != TokenKind::Sign('(') {
        return None;
    }
    let text = sql.get(token.start..token.end)?;
    Some(literal::name(text, token.kind).to_lowercase())
}

/// Returns whether the name at a place, with its qualifiers, is that of a relation or an alias.
fn follows_word_of_list(sql: &str, tokens: &[Token], at: usize) -> bool {
    let mut begins = at;
    while begins >= 2
        && tokens
            .get(begins - 1)
            .is_some_and(|token| token.kind == TokenKind::Sign('.'))
    {
        begins -= 2;
    }
    let word = |at: usize| {
        let token = tokens
            .get(at)
            .filter(|token| token.kind == TokenKind::Word)?;
        sql.get(token.start..token.end)
    };
    let Some(before) = begins.checked_sub(1) else {
        return false;
    };
    let is_word = |at: usize, expected: &str| {
        word(at).is_some_and(|word| word.eq_ignore_ascii_case(expected))
    };
    BEFORE_LISTS
        .iter()
        .any(|expected| is_word(before, expected))
        || before <= BEFORE_TABLE && is_word(before, "TABLE") && is_word(0, "CREATE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_by_name() {
        for (sql, found) in [
            ("SELECT \"$x\"(1)", Some(8)),
            ("SELECT 1; SELECT a.\"$X\" /* c */ (1)", Some(20)),
            ("SELECT * FROM `$x`(1) AS t(a)", Some(15)),
            ("TABLE \"$x\"(1)", Some(7)),
            ("CREATE VIEW v AS TABLE \"$x\"(1)", Some(24)),
            ("SELECT 'ä', hidden (1)", Some(13)),
            ("SELECT '\"$x\"(1)' -- \"$x\"(1)", None),
            ("SELECT \"$x\" FROM t WHERE \"$x\" IN (1)", None),
            ("SELECT * FROM t AS \"$x\"(a)", None),
            ("WITH \"$x\"(a) AS (SELECT 1) SELECT a FROM \"$x\"", None),
            ("INSERT INTO d.\"$x\" (a) VALUES (1)", None),
            ("CREATE EXTERNAL TABLE \"$x\" (a int)", None),
            ("CREATE TABLE IF NOT EXISTS \"$x\" (a int)", None),
        ] {
            let is_sought = |name: &str| name == "$x" || name == "hidden";
            let call = find(sql, is_sought).map(|(_, position)| position);
            assert_eq!(call, found, "{sql}");
        }
    }
}
