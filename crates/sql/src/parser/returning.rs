//! The RETURNING clause of INSERT, and the WHERE clause of COPY: a query over the rows that are written.
//!
//! ```text
//! INSERT INTO d.t AS x … RETURNING x.a, b + 1    SELECT x.a, b + 1 FROM pg_temp_1."returning" AS "x"
//! INSERT INTO d.t … RETURNING d.t.a              SELECT t.a FROM pg_temp_1."returning" AS "t"
//! COPY d.t FROM STDIN WHERE a > 1                SELECT a > 1 FROM pg_temp_1."returning" AS "t"
//! ```

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, ObjectName, Query, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    TableFactor, Value, VisitorMut,
};

use super::cursor::{Cursor, Result};
use super::query;
use super::write::Subqueries;
use crate::ast::{RETURNED, Statement, TEMPORARY_SCHEMA, TableName, Unsupported};
use crate::lexer::TokenKind;
use crate::walk::{walk, walk_expressions, walk_mut};

/// Returns what precedes the last RETURNING that is in no parentheses, and what follows it. The word
/// may also be a name.
pub(super) fn split<'a>(cursor: &Cursor<'a>) -> Option<(Cursor<'a>, Cursor<'a>)> {
    let mut depth = 0_usize;
    let mut found = None;
    for (at, token) in cursor.rest().iter().enumerate() {
        match token.kind {
            TokenKind::Sign('(') => depth += 1,
            TokenKind::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && cursor.is_word_at(at, "RETURNING") {
            found = Some(at);
        }
    }
    let at = found?;
    let mut list = *cursor;
    (0..=at).for_each(|_| list.advance());
    Some((cursor.limited(at), list))
}

/// Returns the query of a list that extends to the end of the cursor, or the reason to refuse it.
///
/// `alias`: that of the table, in lower case.
///
/// # Errors
///
/// The list does not parse.
pub(super) fn query(
    list: &Cursor<'_>,
    table: &TableName,
    alias: Option<&str>,
) -> Result<Statement> {
    let items = query::select_items(list)?;
    if walk(&items, &mut Subqueries).is_break() {
        return Ok(Statement::Unsupported(Unsupported {
            what: "a subquery in RETURNING".to_owned(),
            nearest: Some("SELECT after the INSERT".to_owned()),
        }));
    }
    // They are numbered from the start of the statement, and the list is read by itself.
    if has_questions(list) && has_parameters(&items) {
        return Ok(Statement::Unsupported(Unsupported {
            what: "the parameter ? in RETURNING".to_owned(),
            nearest: Some("$1, $2 .. in the whole statement".to_owned()),
        }));
    }
    let rows = over_rows(items, table, alias)?;
    query::finished(list, rows)
}

/// Returns the query of a condition that extends to the end of the cursor, whose only column it is, or
/// the reason to refuse it.
///
/// # Errors
///
/// The condition does not parse.
pub(super) fn condition(condition: &Cursor<'_>, table: &TableName) -> Result<Statement> {
    let items = query::select_items(condition)?;
    if !matches!(items.as_slice(), [SelectItem::UnnamedExpr(_)]) {
        return Err(condition.expected("a condition"));
    }
    if walk(&items, &mut Subqueries).is_break() {
        return Ok(Statement::Unsupported(Unsupported {
            what: "a subquery in COPY .. FROM .. WHERE".to_owned(),
            nearest: Some("a temporary table, and INSERT of its rows".to_owned()),
        }));
    }
    let rows = over_rows(items, table, None)?;
    query::finished(condition, rows)
}

/// Returns the query of items over the rows that are written to a table.
fn over_rows(items: Vec<SelectItem>, table: &TableName, alias: Option<&str>) -> Result<Box<Query>> {
    let mut rows = query::of_text(&format!(
        "SELECT 1 FROM {TEMPORARY_SCHEMA}.\"{RETURNED}\" AS x"
    ))?;
    if let SetExpr::Select(select) = rows.body.as_mut() {
        select.projection = items;
        for from in &mut select.from {
            if let TableFactor::Table {
                alias: Some(named), ..
            } = &mut from.relation
            {
                named.name = Ident::with_quote('"', alias.unwrap_or(&table.table));
            }
        }
        if alias.is_none() {
            let mut shortened = Shortened { table };
            // The visitor never breaks.
            let _: ControlFlow<()> = walk_mut(&mut select.projection, &mut shortened);
            for item in &mut select.projection {
                if let SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) = item
                {
                    shortened.wildcard(name);
                }
            }
        }
    }
    Ok(rows)
}

fn has_questions(list: &Cursor<'_>) -> bool {
    let mut tokens = list.rest().iter();
    tokens.any(|token| token.kind == TokenKind::Parameter && list.text_of(*token) == "?")
}

fn has_parameters(items: &[SelectItem]) -> bool {
    let has_one = |item: &SelectItem| {
        let walked = walk_expressions(item, |expr| match expr {
            Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        walked.is_break()
    };
    items.iter().any(has_one)
}

/// Leaves out the qualifiers of a table's name: the rows that are written have none.
struct Shortened<'a> {
    table: &'a TableName,
}

impl Shortened<'_> {
    /// Returns how many of the parts qualify the table's name, which follows them.
    fn qualifiers(&self, parts: &[&Ident]) -> usize {
        let table = self.table;
        let names = [&table.catalog, &table.database];
        let names: Vec<&String> = names.into_iter().flatten().collect();
        let is_named = |qualifiers: &[&String]| {
            let whole = qualifiers.iter().copied().chain([&table.table]);
            let mut places = whole.enumerate();
            parts.len() > qualifiers.len()
                && places.all(|(at, name)| {
                    parts
                        .get(at)
                        .is_some_and(|part| part.value.to_lowercase() == *name)
                })
        };
        // From the longest name to the shortest.
        let starts = 0..names.len();
        let mut lists = starts.filter_map(|start| names.get(start..));
        lists
            .find(|qualifiers| is_named(qualifiers))
            .map_or(0, <[&String]>::len)
    }

    fn wildcard(&self, name: &mut ObjectName) {
        let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        if parts.len() == name.0.len() {
            let count = self.qualifiers(&parts);
            name.0.drain(..count);
        }
    }
}

impl VisitorMut for Shortened<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr {
            let named: Vec<&Ident> = parts.iter().collect();
            // The column follows the table.
            let count = named
                .split_last()
                .map_or(0, |(_, table)| self.qualifiers(table));
            parts.drain(..count);
        }
        ControlFlow::Continue(())
    }
}
