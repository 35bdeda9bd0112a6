//! SHOW STATS of a table, and of columns of one table with a condition.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    TableAlias, TableFactor, Visitor, WildcardAdditionalOptions,
};

use super::cursor::{Cursor, Result};
use super::{names, query};
use crate::ast::{ShowStats, Statement, TableName, Unsupported};
use crate::walk::walk;

const FORM: &str = "SHOW STATS FOR (SELECT column, .. FROM table WHERE condition)";

/// After SHOW STATS: `FOR t`, `FOR (query)`.
pub(super) fn show_stats(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect("FOR")?;
    if !cursor.is_sign('(') {
        let table = names::table(cursor)?;
        return Ok(Statement::ShowStats(ShowStats { table, query: None }));
    }
    let parsed = query::statement(cursor)?;
    cursor.skip_rest();
    let Statement::Query(query) = parsed else {
        return Ok(parsed);
    };
    let query = without_parentheses(*query);
    Ok(match table_of(&query) {
        Ok(table) => Statement::ShowStats(ShowStats {
            table,
            query: Some(Box::new(query)),
        }),
        Err(what) => Statement::Unsupported(Unsupported {
            what: format!("SHOW STATS FOR a query with {what}"),
            nearest: Some(FORM.to_owned()),
        }),
    })
}

fn without_parentheses(mut query: Query) -> Query {
    loop {
        let is_bare = clause_of(&query).is_none();
        match *query.body {
            SetExpr::Query(inner) if is_bare => query = *inner,
            body => {
                query.body = Box::new(body);
                return query;
            }
        }
    }
}

/// What a query has beside its body; `None`: nothing.
fn clause_of(query: &Query) -> Option<&'static str> {
    if query.with.is_some() {
        return Some("WITH");
    }
    if query.order_by.is_some() {
        return Some("ORDER BY");
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Some("LIMIT");
    }
    let is_bare = query.locks.is_empty()
        && query.for_clause.is_none()
        && query.settings.is_none()
        && query.format_clause.is_none()
        && query.pipe_operators.is_empty();
    (!is_bare).then_some("other clauses")
}

/// The one table that a query reads.
///
/// # Errors
///
/// What it has that is not allowed.
fn table_of(query: &Query) -> std::result::Result<TableName, &'static str> {
    if let Some(clause) = clause_of(query) {
        return Err(clause);
    }
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err("more than a SELECT");
    };
    if select.distinct.is_some() {
        return Err("DISTINCT");
    }
    let is_grouped = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, modifiers) => !keys.is_empty() || !modifiers.is_empty(),
    };
    if is_grouped || select.having.is_some() {
        return Err("GROUP BY");
    }
    if !is_plain(select) {
        return Err("other clauses");
    }
    let [from] = select.from.as_slice() else {
        return Err("several tables, or none");
    };
    if !from.joins.is_empty() {
        return Err("joins");
    }
    let TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions,
        json_path: None,
        sample: None,
        index_hints,
    } = &from.relation
    else {
        return Err("anything but a table");
    };
    let has_columns = alias
        .as_ref()
        .is_some_and(|alias| !alias.columns.is_empty());
    if has_columns || !(with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty()) {
        return Err("anything but a table");
    }
    let table = table_name(name).ok_or("anything but a table")?;
    let mut columns = select.projection.iter();
    if !columns.all(|item| is_column(item, &table, alias.as_ref())) {
        return Err("anything but columns");
    }
    if select.selection.as_ref().is_some_and(has_subquery) {
        return Err("subqueries");
    }
    Ok(table)
}

fn is_plain(select: &Select) -> bool {
    select.top.is_none()
        && select.exclude.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && select.value_table_mode.is_none()
}

fn table_name(name: &ObjectName) -> Option<TableName> {
    let parts: Option<Vec<String>> = name.0.iter().map(part).collect();
    let mut parts = parts?.into_iter().rev();
    let found = TableName {
        table: parts.next()?,
        database: parts.next(),
        catalog: parts.next(),
    };
    parts.next().is_none().then_some(found)
}

fn part(part: &ObjectNamePart) -> Option<String> {
    part.as_ident().map(|ident| ident.value.to_lowercase())
}

/// Whether an item is a column of the table under its own name, or all of them.
fn is_column(item: &SelectItem, table: &TableName, alias: Option<&TableAlias>) -> bool {
    let is_table = |ident: &Ident| {
        let name = ident.value.to_lowercase();
        match alias {
            Some(alias) => name == alias.name.value.to_lowercase(),
            None => name == table.table,
        }
    };
    match item {
        SelectItem::Wildcard(options) => is_whole(options),
        SelectItem::UnnamedExpr(Expr::Identifier(_)) => true,
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => match parts.as_slice() {
            [of, _] => is_table(of),
            _ => false,
        },
        _ => false,
    }
}

fn is_whole(options: &WildcardAdditionalOptions) -> bool {
    options.opt_ilike.is_none()
        && options.opt_exclude.is_none()
        && options.opt_except.is_none()
        && options.opt_replace.is_none()
        && options.opt_rename.is_none()
        && options.opt_alias.is_none()
}

fn has_subquery(condition: &Expr) -> bool {
    struct Subqueries;

    impl Visitor for Subqueries {
        type Break = ();

        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }

    walk(condition, &mut Subqueries).is_break()
}
