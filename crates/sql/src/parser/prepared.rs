//! PREPARE, EXECUTE, EXECUTE IMMEDIATE and DEALLOCATE.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Value, VisitorMut};

use super::cursor::{Cursor, Result, unterminated};
use super::{names, parenthesized, query};
use crate::ast::{Deallocate, Execute, Prepare, Statement, Unsupported};
use crate::walk::walk_mut;
use crate::{MAX_TEXT_CHARS, lexer};

pub(super) fn prepare(cursor: &mut Cursor<'_>, depth: usize) -> Result<Statement> {
    cursor.expect("PREPARE")?;
    if cursor.is_word("TRANSACTION") && cursor.is_string_at(1) {
        return Ok(Statement::Unsupported(Unsupported {
            what: "PREPARE TRANSACTION".to_owned(),
            nearest: Some("COMMIT or ROLLBACK".to_owned()),
        }));
    }
    let name = names::folded(cursor, "a prepared statement's name")?;
    let types = if cursor.is_sign('(') {
        query::data_types(&parenthesized(cursor)?)?
    } else {
        Vec::new()
    };
    if !cursor.eat_any(&["AS", "FROM"]) {
        return Err(cursor.expected("AS or FROM and a statement"));
    }
    let text = cursor.rest_text().to_owned();
    let start = *cursor;
    let statement = super::statement(start, depth + 1)?;
    cursor.skip_rest();
    match &statement {
        Statement::Query(_) => {}
        Statement::Unsupported(_) => return Ok(statement),
        writes if writes.written_query().is_some() => {}
        // As in Postgres, nothing else can be prepared: a prepared EXECUTE could execute itself.
        _ => return Err(start.expected("a query, INSERT, DELETE, CREATE TABLE AS or UNLOAD")),
    }
    Ok(Statement::Prepare(Prepare {
        name,
        types,
        statement: Box::new(statement),
        text,
    }))
}

pub(super) fn execute(cursor: &mut Cursor<'_>, depth: usize) -> Result<Statement> {
    cursor.expect("EXECUTE")?;
    if cursor.is_word("IMMEDIATE") && cursor.is_string_at(1) {
        return immediate(cursor, depth);
    }
    let name = names::folded(cursor, "a prepared statement's name")?;
    let parameters = if cursor.is_sign('(') {
        let inner = parenthesized(cursor)?;
        if inner.at_end() {
            Vec::new()
        } else {
            query::expressions(&inner)?
        }
    } else if cursor.eat("USING") {
        let parameters = query::expressions(cursor)?;
        cursor.skip_rest();
        parameters
    } else {
        Vec::new()
    };
    Ok(Statement::Execute(Execute { name, parameters }))
}

/// `EXECUTE IMMEDIATE 'query' [USING value, …]`: the query, or the write of one, with the values in
/// place of its parameters.
fn immediate(cursor: &mut Cursor<'_>, depth: usize) -> Result<Statement> {
    cursor.expect("IMMEDIATE")?;
    let at = *cursor;
    let text = cursor.string("a query in a string")?;
    let mut values = Vec::new();
    if cursor.eat("USING") {
        values = query::expressions(cursor)?;
        cursor.skip_rest();
    }
    let statements = lexer::split(&text);
    let mut statements = statements.iter().filter(|raw| raw.span().is_some());
    let (Some(raw), None) = (statements.next(), statements.next()) else {
        return Err(at.expected("one query in the string"));
    };
    // Positions in the string are not those of the statement.
    let inside = |message: &str| at.error(format!("in EXECUTE IMMEDIATE: {message}"));
    if let Some(open) = raw.tokens.iter().find(|token| token.unterminated) {
        return Err(inside(&unterminated(&text, *open).said()));
    }
    let statement = super::statement(Cursor::new(&text, &raw.tokens), depth + 1);
    let mut statement = statement.map_err(|error| inside(&error.said()))?;
    if let Some(query) = statement.query_mut() {
        fill(query, values).map_err(|message| inside(&message))?;
        return Ok(statement);
    }
    match statement {
        Statement::Unsupported(refused) => Ok(Statement::Unsupported(refused)),
        _ => Ok(Statement::Unsupported(Unsupported {
            what: "EXECUTE IMMEDIATE of a statement without a query".to_owned(),
            nearest: Some("the statement itself".to_owned()),
        })),
    }
}

/// Puts values in place of the parameters of a query.
fn fill(query: &mut Query, values: Vec<Expr>) -> std::result::Result<(), String> {
    let sizes = values.iter().map(|value| value.to_string().len()).collect();
    let mut filled = Filled {
        used: vec![false; values.len()],
        sizes,
        values,
        size: 0,
    };
    if let ControlFlow::Break(message) = walk_mut(query, &mut filled) {
        return Err(message);
    }
    match filled.used.iter().all(|used| *used) {
        true => Ok(()),
        false => Err("there are more values than parameters".to_owned()),
    }
}

struct Filled {
    values: Vec<Expr>,
    used: Vec<bool>,
    /// Sizes of the values as text, in bytes.
    sizes: Vec<usize>,
    /// The size of the values that were put into the query.
    size: usize,
}

impl VisitorMut for Filled {
    type Break = String;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        let Expr::Value(value) = expr else {
            return ControlFlow::Continue(());
        };
        let Value::Placeholder(name) = &value.value else {
            return ControlFlow::Continue(());
        };
        let place = name
            .strip_prefix('$')
            .and_then(|number| number.parse::<usize>().ok()?.checked_sub(1));
        let Some((place, value)) = place.and_then(|place| Some((place, self.values.get(place)?)))
        else {
            return ControlFlow::Break(format!("there is no value for the parameter {name}"));
        };
        self.size += self.sizes.get(place).copied().unwrap_or_default();
        if self.size > MAX_TEXT_CHARS {
            return ControlFlow::Break("the query with its values is too long".to_owned());
        }
        if let Some(used) = self.used.get_mut(place) {
            *used = true;
        }
        *expr = match value {
            Expr::Value(_) => value.clone(),
            value => Expr::Nested(Box::new(value.clone())),
        };
        ControlFlow::Continue(())
    }
}

pub(super) fn deallocate(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("DEALLOCATE")?;
    if cursor.rest().len() > 1 {
        cursor.eat("PREPARE");
    }
    let name = if cursor.eat("ALL") {
        None
    } else {
        Some(names::folded(cursor, "a prepared statement's name")?)
    };
    Ok(Statement::Deallocate(Deallocate { name }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::Statement;

    fn immediate(sql: &str) -> String {
        match crate::parse(sql).unwrap().remove(0).statement {
            Statement::Query(query) => query.to_string(),
            other => panic!("no query: {other:?}"),
        }
    }

    #[test]
    fn values_take_the_place_of_parameters() {
        for (sql, expected) in [
            ("EXECUTE IMMEDIATE 'SELECT 1;'", "SELECT 1"),
            (
                "EXECUTE IMMEDIATE 'SELECT ''a'', ? * ? LIMIT ?' USING 1 + 2, x, 5",
                "SELECT 'a', (1 + 2) * (x) LIMIT 5",
            ),
            (
                "execute immediate 'SELECT $2, $1, $2' using 'a', -1",
                "SELECT (-1), 'a', (-1)",
            ),
        ] {
            assert_eq!(immediate(sql), expected);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for sql in [
            "EXECUTE IMMEDIATE ''",
            "EXECUTE IMMEDIATE 'SELECT 1; SELECT 2'",
            "EXECUTE IMMEDIATE 'SELEC 1'",
            "EXECUTE IMMEDIATE 'SELECT ''x'",
            "EXECUTE IMMEDIATE 'SELECT ?'",
            "EXECUTE IMMEDIATE 'SELECT 1' USING 2",
            "EXECUTE IMMEDIATE $a$EXECUTE IMMEDIATE $b$EXECUTE IMMEDIATE $c$EXECUTE IMMEDIATE \
             $d$EXECUTE IMMEDIATE $e$SELECT 1$e$$d$$c$$b$$a$",
        ] {
            assert!(crate::parse(sql).is_err(), "{sql}");
        }
        let parsed = crate::parse("EXECUTE IMMEDIATE 'DROP TABLE t'").unwrap();
        let parsed = parsed.into_iter().next().unwrap().statement;
        assert!(matches!(parsed, Statement::Unsupported(_)));
    }

    #[test]
    fn values_are_bounded() {
        let value = "x".repeat(1000);
        let parameters = vec!["$1"; 1000].join(", ");
        let sql = format!("EXECUTE IMMEDIATE 'SELECT {parameters}' USING '{value}'");
        assert!(crate::parse(&sql).is_err());
    }
}
