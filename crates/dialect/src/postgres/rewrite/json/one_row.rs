//! Rows that a subquery makes of values around it: `(SELECT e FROM (SELECT s.x AS a) AS e)`. Hasura has
//! one in each query.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Query, Select, SelectItem, SetExpr, TableFactor,
};

use crate::postgres::rewrite::{build, folded};

/// Returns the names of the fields of such a row and their values in turn.
pub(super) fn fields(row: &Expr) -> Option<Vec<Expr>> {
    let query = match row {
        Expr::Nested(inner) => return fields(inner),
        Expr::Subquery(query) => query,
        _ => return None,
    };
    let outer = plain(query)?;
    let [SelectItem::UnnamedExpr(Expr::Identifier(name))] = outer.projection.as_slice() else {
        return None;
    };
    let [table] = outer.from.as_slice() else {
        return None;
    };
    let TableFactor::Derived {
        subquery,
        alias: Some(alias),
        ..
    } = &table.relation
    else {
        return None;
    };
    let name = folded(name);
    let is_of_alias = folded(&alias.name) == name && alias.columns.is_empty();
    let inner = plain(subquery)?;
    if !table.joins.is_empty() || !is_of_alias || !inner.from.is_empty() {
        return None;
    }
    let mut all = Vec::with_capacity(inner.projection.len() * 2);
    for item in &inner.projection {
        let (field, value) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (folded(alias), expr),
            SelectItem::UnnamedExpr(expr @ Expr::Identifier(name)) => (folded(name), expr),
            SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(names)) => {
                (names.last().map(folded)?, expr)
            }
            _ => return None,
        };
        // A column comes before a row of the same name.
        if field == name || !is_value(value) {
            return None;
        }
        all.extend([build::text(field), value.clone()]);
    }
    Some(all)
}

/// Returns the SELECT of a query that has no clauses but FROM.
fn plain(query: &Query) -> Option<&Select> {
    let Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        ..
    } = query
    else {
        return None;
    };
    let SetExpr::Select(select) = body.as_ref() else {
        return None;
    };
    let is_grouped =
        !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let is_filtered = select.selection.is_some() || select.having.is_some();
    let is_plain = select.distinct.is_none() && select.qualify.is_none() && select.into.is_none();
    (is_plain && !is_grouped && !is_filtered).then_some(select)
}

/// Returns whether an expression is a column or a constant: one value, wherever it is written.
fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) => true,
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => is_value(inner),
        _ => false,
    }
}
