//! A column of a table that is not in FROM.
//!
//! The engine reports the column; PostgreSQL, the table, and its alias if it has one.

use std::ops::ControlFlow;

use lakegate_dialect::postgres::folded;
use lakegate_error::{Code, Error};
use lakegate_sql::ast::Statement;
use lakegate_sql::walk::walk;
use lakegate_sql::{USING_ALIAS, join_constraint};
use sqlparser::ast::{
    Expr, Ident, JoinConstraint, ObjectNamePart, Query, Select, SetExpr, TableFactor,
    TableWithJoins, Visitor,
};

use crate::query::rewrites::twice_in_from::query_of;

/// Returns an error about a missing column as the error about its table, if no FROM around the column
/// has a table of that name.
pub(crate) fn reported(error: Error, statement: &Statement) -> Error {
    let name = error.missing_column().and_then(|name| {
        let (qualifier, column) = name.rsplit_once('.')?;
        let table = qualifier.rsplit('.').next()?;
        Some((table.to_owned(), column.to_owned()))
    });
    let (Some((table, column)), Some(query)) = (name, query_of(statement)) else {
        return error;
    };
    let mut search = Search {
        table,
        column,
        scopes: Vec::new(),
    };
    let ControlFlow::Break(alias) = walk(query, &mut search) else {
        return error;
    };
    let table = search.table;
    error.said_by(match alias {
        Some(alias) => {
            let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
            let hint = format!("Perhaps you meant to reference the table alias \"{alias}\".");
            Error::new(Code::TableNotFound, message).with_hint(hint)
        }
        None => {
            let message = format!("missing FROM-clause entry for table \"{table}\"");
            Error::new(Code::TableNotFound, message)
        }
    })
}

/// A relation of a FROM.
struct Entry {
    /// The name that columns are qualified with.
    name: String,
    /// The name of the table, which its alias hides.
    hidden: Option<String>,
}

/// Breaks at the first column of the table that no FROM around it has, with the alias of the table if
/// a FROM has it by another name.
struct Search {
    table: String,
    column: String,
    /// The relations of the queries around, outermost first; `None` if some have unknown names.
    scopes: Vec<Option<Vec<Entry>>>,
}

impl Visitor for Search {
    type Break = Option<String>;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.scopes.push(match query.body.as_ref() {
            // Its keys are sorted by columns of FROM.
            SetExpr::Select(select) => entries(select),
            _ => Some(Vec::new()),
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Self::Break> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        self.scopes.push(entries(select));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<Self::Break> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        let Expr::CompoundIdentifier(parts) = expr else {
            return ControlFlow::Continue(());
        };
        let [.., table, column] = parts.as_slice() else {
            return ControlFlow::Continue(());
        };
        let is = |part: &Ident, name: &str| folded(part).eq_ignore_ascii_case(name);
        if !is(table, &self.table) || !is(column, &self.column) {
            return ControlFlow::Continue(());
        }
        let mut alias = None;
        for scope in self.scopes.iter().rev() {
            let Some(scope) = scope else {
                return ControlFlow::Continue(());
            };
            for entry in scope {
                if entry.name.eq_ignore_ascii_case(&self.table) {
                    return ControlFlow::Continue(());
                }
                let hidden = entry.hidden.as_ref();
                if hidden.is_some_and(|hidden| hidden.eq_ignore_ascii_case(&self.table)) {
                    alias = alias.or_else(|| Some(entry.name.clone()));
                }
            }
        }
        ControlFlow::Break(alias)
    }
}

/// Returns the relations of a FROM; `None` if some have unknown names.
fn entries(select: &Select) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    let are_known = select.from.iter().all(|from| add(from, &mut entries));
    are_known.then_some(entries)
}

/// Adds relations. Returns whether all their names are known.
fn add(tables: &TableWithJoins, entries: &mut Vec<Entry>) -> bool {
    for join in &tables.joins {
        if let Some(JoinConstraint::Using(columns)) = join_constraint(join) {
            let last = columns.last().and_then(|name| name.0.last()?.as_ident());
            let alias = last.and_then(|last| last.value.strip_prefix(USING_ALIAS));
            entries.extend(alias.map(|alias| Entry {
                name: alias.to_owned(),
                hidden: None,
            }));
        }
    }
    let joined = tables.joins.iter().map(|join| &join.relation);
    let mut relations = std::iter::once(&tables.relation).chain(joined);
    relations.all(|relation| {
        let (alias, own) = match relation {
            TableFactor::Table { alias, name, .. } | TableFactor::Function { alias, name, .. } => {
                (alias, name.0.last().and_then(ObjectNamePart::as_ident))
            }
            TableFactor::Derived { alias, .. }
            | TableFactor::UNNEST {
                alias: alias @ Some(_),
                ..
            } => (alias, None),
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                if !add(table_with_joins, entries) {
                    return false;
                }
                (alias, None)
            }
            _ => return false,
        };
        let own = own.map(folded);
        match (alias, own) {
            (Some(alias), hidden) => entries.push(Entry {
                name: folded(&alias.name),
                hidden,
            }),
            (None, Some(name)) => entries.push(Entry { name, hidden: None }),
            (None, None) => {}
        }
        true
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_error::column_not_found;

    use super::*;

    #[test]
    fn the_table_is_named_if_no_from_around_the_column_has_it() {
        let said = |sql: &str| {
            let parsed = lakegate_sql::parse(sql).unwrap().remove(0);
            let error = reported(column_not_found("x.a"), &parsed.statement);
            let hint = error.hint().unwrap_or_default().to_owned();
            (error.code(), error.message().to_owned(), hint)
        };
        for sql in [
            "SELECT x.a",
            "SELECT x.a FROM t y",
            "SELECT 1 FROM t WHERE X.A = 1",
            "SELECT 1 FROM t ORDER BY x.a",
            "SELECT 1 FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = x.a)",
            "SELECT (SELECT 1 FROM x) FROM t GROUP BY x.a",
            "EXPLAIN SELECT count(x.a) FROM d.t JOIN u ON true",
        ] {
            let (code, message, hint) = said(sql);
            assert_eq!(code, Code::TableNotFound, "{sql}");
            assert_eq!(
                message, "missing FROM-clause entry for table \"x\"",
                "{sql}"
            );
            assert_eq!(hint, "", "{sql}");
        }
        let (code, message, hint) = said("SELECT x.a FROM d.x AS t, u");
        assert_eq!(code, Code::TableNotFound);
        assert!(message.starts_with("invalid reference to"), "{message}");
        assert!(hint.contains("\"t\""), "{hint}");
        for sql in [
            "SELECT x.a FROM x",
            "SELECT x.a FROM d.X",
            "SELECT x.a FROM (SELECT 1) AS x",
            "SELECT x.a FROM t CROSS JOIN (u JOIN x ON true)",
            "SELECT 1 FROM x WHERE EXISTS (SELECT x.a FROM t)",
            "SELECT x.a FROM x(1)",
            "SELECT 1 FROM t x ORDER BY x.a",
            "SELECT x.a FROM t JOIN u USING (b) AS x",
        ] {
            assert_eq!(said(sql).0, Code::ColumnNotFound, "{sql}");
        }
    }
}
