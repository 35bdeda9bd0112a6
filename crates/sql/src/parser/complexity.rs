//! Bounds on a query before it is parsed.
//!
//! A chain such as `1+1+1+..` becomes a tree as deep as the chain is long, and dropping or walking
//! it takes stack in proportion. sqlparser bounds its own recursion, but neither such chains nor
//! nested types, so they are counted here, on the tokens.

use crate::walk::walk;
use std::ops::ControlFlow;

use sqlparser::ast::{self, Visitor};

use super::cursor::{Cursor, Result};
use crate::lexer::{Token, TokenKind};

/// Nested parentheses and brackets.
const MAX_PARENTHESES: usize = 100;
/// Operators in one chain.
const MAX_OPERATORS: usize = 2_000;
/// Operators in a chain and in those within its parentheses: the tree is as deep as they are together.
const MAX_NESTED_OPERATORS: usize = 4_000;
/// Dots in a name; sqlparser takes quadratic time over them.
const MAX_DOTS: usize = 500;
/// Set operations, and tables joined, in one query.
const MAX_RELATIONS: usize = 500;
/// Nesting of `array<array<..`, and repetitions of the same prefix keyword.
const MAX_PREFIXES: usize = 32;

/// Relations and SELECTs in a whole query. Each may be nested in the previous one, as in a chain of
/// WITH or a list after FROM.
const MAX_PARTS: usize = 2_000;

/// Words that end one expression and begin another.
const CLAUSES: [&str; 16] = [
    "SELECT", "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "ON", "WHEN", "THEN",
    "ELSE", "VALUES", "WITH", "QUALIFY", "WINDOW",
];
const OPERATORS: [&str; 23] = [
    "AND", "OR", "NOT", "XOR", "IS", "IN", "LIKE", "ILIKE", "RLIKE", "REGEXP", "SIMILAR",
    "BETWEEN", "DIV", "COLLATE", "AT", "OPERATOR", "OVERLAPS", "NOTNULL", "ISNULL", "ESCAPE",
    "MEMBER", "MATCH", "PRIOR",
];
const RELATIONS: [&str; 13] = [
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "MINUS",
    "JOIN",
    "PIVOT",
    "UNPIVOT",
    "MATCH_RECOGNIZE",
    "APPLY",
    "LATERAL",
    "TABLESAMPLE",
    "NATURAL",
    "UNNEST",
];
const NESTING_TYPES: [&str; 7] = ["ARRAY", "MAP", "STRUCT", "ROW", "NESTED", "TUPLE", "UNION"];

#[derive(Default)]
struct Level {
    operators: usize,
    /// The most nested operators within the parentheses of the chain.
    inner: usize,
    /// The most nested operators of the chains before it.
    deepest: usize,
    relations: usize,
    is_case: bool,
}

impl Level {
    /// Begins another chain.
    fn begin(&mut self) {
        self.deepest = self.depth();
        (self.operators, self.inner) = (0, 0);
    }

    /// Returns the most nested operators of its chains.
    fn depth(&self) -> usize {
        self.deepest.max(self.operators + self.inner)
    }
}

/// Ends the last level. Returns whether it was a CASE.
fn end(levels: &mut Vec<Level>) -> bool {
    let Some(ended) = levels.pop() else {
        return false;
    };
    if let Some(outer) = levels.last_mut() {
        outer.inner = outer.inner.max(ended.depth());
    }
    ended.is_case
}

pub(super) fn check(cursor: &Cursor<'_>) -> Result<()> {
    let mut place = *cursor;
    let mut levels = vec![Level::default()];
    let mut parentheses = 0usize;
    let mut prefixes = 0usize;
    let mut dots = 0usize;
    let mut before: Option<Token> = None;
    while let Some(token) = place.token() {
        let Some(level) = levels.last_mut() else {
            break;
        };
        let text = place.text_of(token);
        match token.kind {
            TokenKind::Sign('(' | '[' | '{') => {
                level.operators += 1;
                parentheses += 1;
                levels.push(Level::default());
            }
            TokenKind::Sign(')' | ']' | '}') => {
                while levels.len() > 1 && end(&mut levels) {}
                parentheses = parentheses.saturating_sub(1);
            }
            TokenKind::Sign(',') => level.begin(),
            TokenKind::Sign('.') => {}
            TokenKind::Sign(_) => level.operators += 1,
            TokenKind::Word if is(text, &["CASE"]) => levels.push(Level {
                is_case: true,
                ..Level::default()
            }),
            TokenKind::Word if level.is_case && is(text, &["END"]) => {
                end(&mut levels);
            }
            TokenKind::Word if is(text, &CLAUSES) => level.begin(),
            TokenKind::Word if is(text, &OPERATORS) => level.operators += 1,
            TokenKind::Word if is(text, &RELATIONS) => level.relations += 1,
            _ => {}
        }
        dots = match token.kind {
            TokenKind::Sign('.') => dots + 1,
            TokenKind::Word | TokenKind::Double { .. } | TokenKind::Backtick => dots,
            _ => 0,
        };
        if dots > MAX_DOTS {
            return Err(place.error(format!("a name has more than {MAX_DOTS} parts")));
        }
        prefixes = match before {
            Some(last) if nests(&place, last, token) => prefixes + 1,
            _ if token.kind == TokenKind::Sign('>') => prefixes.saturating_sub(1),
            _ => prefixes,
        };
        too_complex(
            &place,
            levels.last(),
            levels.len().max(parentheses),
            prefixes,
        )?;
        before = Some(token);
        place.advance();
    }
    Ok(())
}

/// # Errors
///
/// The query has more relations and SELECTs than the stack allows a plan to have.
pub(super) fn check_relations(cursor: &Cursor<'_>, query: &ast::Query) -> Result<()> {
    struct Parts(usize);
    impl Visitor for Parts {
        type Break = ();

        fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
            self.0 += 1;
            let tables = query.with.as_ref().map_or(0, |with| with.cte_tables.len());
            self.add(tables)
        }

        fn pre_visit_select(&mut self, _: &ast::Select) -> ControlFlow<()> {
            self.add(1)
        }

        fn pre_visit_table_factor(&mut self, _: &ast::TableFactor) -> ControlFlow<()> {
            self.add(1)
        }
    }
    impl Parts {
        fn add(&mut self, parts: usize) -> ControlFlow<()> {
            self.0 += parts;
            match self.0 > MAX_PARTS {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    match walk(query, &mut Parts(0)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let mut error = cursor.error(format!(
                "a query has more than {MAX_PARTS} tables and subqueries in all"
            ));
            error.hint = Some("split it into several queries".to_owned());
            Err(error)
        }
    }
}

/// Whether two adjacent tokens open a nested type, or repeat a keyword that takes what follows as
/// its operand.
fn nests(place: &Cursor<'_>, last: Token, token: Token) -> bool {
    if last.kind != TokenKind::Word {
        return false;
    }
    let word = place.text_of(last);
    if token.kind == TokenKind::Sign('<') {
        return is(word, &NESTING_TYPES);
    }
    token.kind == TokenKind::Word && word.eq_ignore_ascii_case(place.text_of(token))
}

fn is(word: &str, words: &[&str]) -> bool {
    words.iter().any(|w| w.eq_ignore_ascii_case(word))
}

fn too_complex(
    place: &Cursor<'_>,
    level: Option<&Level>,
    depth: usize,
    prefixes: usize,
) -> Result<()> {
    let (operators, relations) = level.map_or((0, 0), |level| (level.operators, level.relations));
    let nested_operators = level.map_or(0, Level::depth);
    let (message, hint) = if depth > MAX_PARENTHESES {
        (
            format!(
                "the statement is nested too deeply: at most {MAX_PARENTHESES} parentheses in one another"
            ),
            "split it with WITH",
        )
    } else if operators > MAX_OPERATORS {
        (
            format!("an expression has more than {MAX_OPERATORS} operators in a row"),
            "write a list of values with IN (..), or join with a table",
        )
    } else if nested_operators > MAX_NESTED_OPERATORS {
        (
            format!(
                "the statement is nested too deeply: at most {MAX_NESTED_OPERATORS} operators in one another"
            ),
            "split it with WITH",
        )
    } else if relations > MAX_RELATIONS {
        (
            format!("a query has more than {MAX_RELATIONS} joins or set operations"),
            "split it with WITH",
        )
    } else if prefixes > MAX_PREFIXES {
        (
            format!(
                "the statement is nested too deeply: at most {MAX_PREFIXES} types in one another"
            ),
            "use fewer",
        )
    } else {
        return Ok(());
    };
    let mut error = place.error(message);
    error.hint = Some(hint.to_owned());
    Err(error)
}
