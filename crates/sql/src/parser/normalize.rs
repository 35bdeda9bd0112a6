//! Folds the names in queries as Athena does: to lower case, quoted or not.
//!
//! Table names always fold. A quoted column folds unless the statement itself declares an alias of
//! that spelling: then the alias is meant, and an alias keeps its spelling in the result; columns of
//! tables fold anyway. Unquoted names are left to DataFusion, which folds them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Fetch, Ident, JoinConstraint, LimitClause, ObjectName, ObjectNamePart, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, Value,
    ValueWithSpan, VisitorMut, WildcardAdditionalOptions,
};

use super::query::{refused_lock, refused_write};
use super::{grouping, recursive, row_fields, rows_from, sample, search, table_columns, ties};
use crate::ast::Unsupported;
use crate::join_constraint_mut;
use crate::walk::walk_mut;

/// Folds the names of a query.
///
/// # Errors
///
/// The query writes, or has a clause that would be ignored.
pub(super) fn query(query: &mut Query) -> Result<(), Unsupported> {
    let mut aliases = Aliases::default();
    if let ControlFlow::Break(refused) = walk_mut(query, &mut aliases) {
        return Err(refused);
    }
    for alias in table_columns::fold(query, &aliases.declared) {
        aliases.declare(&alias);
    }
    let mut fold = Fold {
        declared: aliases.declared,
    };
    let _: ControlFlow<()> = walk_mut(query, &mut fold);
    Ok(())
}

/// Folds the names of standalone expressions.
pub(super) fn expressions(expressions: &mut Vec<Expr>) {
    let mut fold = Fold {
        declared: HashMap::new(),
    };
    let _: ControlFlow<()> = walk_mut(expressions, &mut fold);
}

/// Whether folding changes the name, and DataFusion would not fold it.
pub(super) fn is_spelled(ident: &Ident) -> bool {
    ident.quote_style.is_some() && ident.value.chars().any(char::is_uppercase)
}

pub(super) fn fold_ident(ident: &mut Ident) {
    if is_spelled(ident) {
        ident.value = ident.value.to_lowercase();
    }
}

fn idents(name: &mut ObjectName) -> impl Iterator<Item = &mut Ident> {
    name.0.iter_mut().filter_map(|part| match part {
        ObjectNamePart::Identifier(ident) => Some(ident),
        ObjectNamePart::Function(_) => None,
    })
}

/// Takes the columns of a table in a list out of their parentheses: `(t.*)` is `t.*` there.
fn take_out_star(item: &mut SelectItem) {
    fn starred(expr: &Expr) -> Option<&ObjectName> {
        let Expr::Nested(inner) = expr else {
            return None;
        };
        match inner.as_ref() {
            Expr::QualifiedWildcard(table, _) => Some(table),
            inner => starred(inner),
        }
    }
    if let SelectItem::UnnamedExpr(expr) = item
        && let Some(table) = starred(expr)
    {
        *item = SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(table.clone()),
            WildcardAdditionalOptions::default(),
        );
    }
}

/// First pass: the quoted spellings that the statement declares, with counts; and whether it
/// writes.
#[derive(Default)]
struct Aliases {
    declared: HashMap<String, usize>,
}

impl Aliases {
    fn declare(&mut self, ident: &Ident) {
        if is_spelled(ident) {
            *self.declared.entry(ident.value.clone()).or_default() += 1;
        }
    }

    fn declare_columns(&mut self, alias: &TableAlias) {
        for column in &alias.columns {
            self.declare(&column.name);
        }
    }
}

impl VisitorMut for Aliases {
    type Break = Unsupported;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Unsupported> {
        if let Some(what) = write_in(&query.body) {
            return ControlFlow::Break(refused_write(what));
        }
        // The engine would ignore it.
        if let Some(lock) = query.locks.first() {
            let what = format!("FOR {}", lock.lock_type);
            return ControlFlow::Break(refused_lock(&what));
        }
        if let Err(refused) = query.with.as_mut().map_or(Ok(()), search::expand) {
            return ControlFlow::Break(refused);
        }
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.declare_columns(&cte.alias);
        }
        let enclosed = query.with.as_mut().map_or(Ok(()), recursive::enclose);
        if let Err(refused) = enclosed.and_then(|()| ties::expand(query)) {
            return ControlFlow::Break(refused);
        }
        limit_of_fetch(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Unsupported> {
        if select.into.is_some() {
            return ControlFlow::Break(refused_write("SELECT INTO"));
        }
        select.projection.iter_mut().for_each(take_out_star);
        own_aliases(select).for_each(|alias| self.declare(alias));
        match grouping::distinct(select).and_then(|()| row_fields::called(select)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(refused) => ControlFlow::Break(refused),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Unsupported> {
        match row_fields::refused(expr) {
            Some(refused) => ControlFlow::Break(refused),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Unsupported> {
        if let Err(refused) = rows_from::name_columns(factor) {
            return ControlFlow::Break(refused);
        }
        if let Some(alias) = alias_of(factor) {
            self.declare(&alias.name);
            self.declare_columns(alias);
        }
        if let Err(refused) = sample::expand(factor) {
            return ControlFlow::Break(refused);
        }
        match ignored_by_datafusion(factor) {
            Some(refused) => ControlFlow::Break(refused),
            None => ControlFlow::Continue(()),
        }
    }
}

/// Table clauses that DataFusion would silently ignore, so that it would answer a different query.
fn ignored_by_datafusion(factor: &TableFactor) -> Option<Unsupported> {
    let (what, nearest) = match factor {
        TableFactor::Table {
            version: Some(_), ..
        } => (
            "FOR SYSTEM_TIME AS OF",
            "a table of its own for each version",
        ),
        _ => return None,
    };
    Some(Unsupported {
        what: what.to_owned(),
        nearest: Some(nearest.to_owned()),
    })
}

fn own_aliases(select: &Select) -> impl Iterator<Item = &Ident> {
    select.projection.iter().flat_map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => std::slice::from_ref(alias),
        SelectItem::ExprWithAliases { aliases, .. } => aliases.as_slice(),
        _ => &[],
    })
}

pub(super) fn alias_of(factor: &TableFactor) -> Option<&TableAlias> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. }
        | TableFactor::Pivot { alias, .. }
        | TableFactor::Unpivot { alias, .. }
        | TableFactor::MatchRecognize { alias, .. } => alias.as_ref(),
        _ => None,
    }
}

/// The write in place of a query's body, `WITH x AS (..) INSERT ..`, also within set operations.
fn write_in(body: &SetExpr) -> Option<&'static str> {
    let mut bodies = vec![body];
    while let Some(body) = bodies.pop() {
        match body {
            SetExpr::Insert(_) => return Some("INSERT"),
            SetExpr::Update(_) => return Some("UPDATE"),
            SetExpr::Delete(_) => return Some("DELETE"),
            SetExpr::Merge(_) => return Some("MERGE"),
            SetExpr::SetOperation { left, right, .. } => {
                bodies.extend([left.as_ref(), right.as_ref()])
            }
            _ => {}
        }
    }
    None
}

/// Rewrites `FETCH FIRST n ROWS ONLY` to the LIMIT that DataFusion plans.
fn limit_of_fetch(query: &mut Query) {
    let takes_limit = match &query.limit_clause {
        None => true,
        Some(LimitClause::LimitOffset { limit, .. }) => limit.is_none(),
        Some(_) => false,
    };
    let plain = |fetch: &Fetch| !fetch.with_ties && !fetch.percent;
    if !takes_limit || !query.fetch.as_ref().is_some_and(plain) {
        return;
    }
    let Some(fetch) = query.fetch.take() else {
        return;
    };
    let count = fetch
        .quantity
        .unwrap_or_else(|| Expr::Value(Value::Number("1".to_owned(), false).with_empty_span()));
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit, .. }) => *limit = Some(count),
        clause => {
            *clause = Some(LimitClause::LimitOffset {
                limit: Some(count),
                offset: None,
                limit_by: Vec::new(),
            });
        }
    }
}

/// Second pass: folds.
struct Fold {
    /// Quoted spellings that are kept, with the number of their declarations.
    declared: HashMap<String, usize>,
}

impl Fold {
    fn column(&self, ident: &mut Ident) {
        if !self.declared.contains_key(&ident.value) {
            fold_ident(ident);
        }
    }
}

impl VisitorMut for Fold {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        idents(relation).for_each(fold_ident);
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
            fold_ident(&mut cte.alias.name);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        fold_own_names(&self.declared, select);
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                _,
            ) = item
            {
                idents(name).for_each(|ident| self.column(ident));
            }
        }
        for join in select.from.iter_mut().flat_map(|from| &mut from.joins) {
            if let Some(JoinConstraint::Using(columns)) = join_constraint_mut(join) {
                columns
                    .iter_mut()
                    .flat_map(idents)
                    .for_each(|ident| self.column(ident));
            }
        }
        ControlFlow::Continue(())
    }

    /// Kinds of strings that DataFusion does not support, or not everywhere, are plain strings once
    /// their escapes are resolved.
    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        let text = match &mut value.value {
            Value::UnicodeStringLiteral(text) | Value::NationalStringLiteral(text) => text,
            Value::DollarQuotedString(quoted) => &mut quoted.value,
            _ => return ControlFlow::Continue(()),
        };
        value.value = Value::SingleQuotedString(std::mem::take(text));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.column(ident),
            Expr::CompoundIdentifier(idents) => {
                idents.iter_mut().for_each(|ident| self.column(ident))
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// In `SELECT sum("Total") AS "Total" FROM t WHERE "Total" > 0` the inner names are the table's: a
/// select list and a WHERE do not see the aliases of that list. So spellings that only this select
/// list declares are folded there.
fn fold_own_names(declared: &HashMap<String, usize>, select: &mut Select) {
    if declared.is_empty() {
        return;
    }
    let mut outside = declared.clone();
    for alias in own_aliases(select) {
        if let Some(count) = outside.get_mut(&alias.value) {
            *count -= usize::from(is_spelled(alias)).min(*count);
        }
    }
    outside.retain(|_, count| *count > 0);
    if outside.len() == declared.len() {
        return;
    }
    let mut fold = Fold { declared: outside };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr)
        | SelectItem::ExprWithAlias { expr, .. }
        | SelectItem::ExprWithAliases { expr, .. } = item
        {
            let _: ControlFlow<()> = walk_mut(expr, &mut fold);
        }
    }
    if let Some(selection) = &mut select.selection {
        let _: ControlFlow<()> = walk_mut(selection, &mut fold);
    }
}
