//! Columns of a SELECT list with equal names, which Postgres accepts and the engine does not.

use lakegate_sql::walk::{walk_expressions, walk_mut};
use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, ObjectNamePart,
    OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TrimWhereField, VisitorMut,
};
use lakegate_engine::apart;

use super::{build, folded};

/// Gives every column of a SELECT list that equals an earlier one a unique name.
pub(super) fn tell_apart(statement: &mut Statement) {
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut TellApart);
}

/// Renames a column of a SELECT list that has the name of a table's column, which the engine
/// considers ambiguous: `SELECT t.a, upper(t.b) AS a`, `SELECT *, 1 AS a`, `SELECT upper(t.a) AS a
/// FROM t ORDER BY t.a`, `SELECT t.a, (SELECT u.a FROM u)`. ORDER BY on the name still sorts by
/// that column. Returns whether there is one.
pub fn name_outputs(statement: &mut Statement, column: &str) -> bool {
    let mut outermost = false;
    if let Statement::Query(query) = statement {
        outermost = name_output(query, column);
    }
    let mut names = NameOutputs {
        column,
        found: outermost,
    };
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut names);
    names.found
}

/// Renames the column in the list of this query, without its subqueries.
fn name_output(query: &mut Query, column: &str) -> bool {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return false;
    };
    let mut items = select.projection.iter_mut().enumerate();
    let named = items.find(|(_, item)| match item {
        SelectItem::ExprWithAlias { alias, .. } => folded(alias) == column,
        SelectItem::UnnamedExpr(expr) => subquery_name(expr).is_some_and(|name| name == column),
        _ => false,
    });
    let Some((position, item)) = named else {
        return false;
    };
    let own = Ident::with_quote('"', apart(column, position));
    match item {
        SelectItem::ExprWithAlias { alias, .. } => *alias = own.clone(),
        SelectItem::UnnamedExpr(expr) => {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: own.clone(),
            };
        }
        _ => {}
    }
    if let Some(order) = &mut query.order_by
        && let OrderByKind::Expressions(keys) = &mut order.kind
    {
        for key in keys {
            if matches!(&key.expr, Expr::Identifier(name) if folded(name) == column) {
                key.expr = Expr::Identifier(own.clone());
            }
        }
    }
    true
}

/// Returns the name of a scalar subquery, which the engine gives a cast of it too: that of its
/// column, if this is a plain column or has an alias. `None` for other expressions.
fn subquery_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => subquery_name(inner),
        Expr::Subquery(query) => name_of(&query.body),
        _ => None,
    }
}

fn name_of(body: &SetExpr) -> Option<String> {
    let select = match body {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { left, .. } => return name_of(left),
        SetExpr::Query(query) => return name_of(&query.body),
        _ => return None,
    };
    match select.projection.as_slice() {
        [SelectItem::ExprWithAlias { alias, .. }] => Some(folded(alias)),
        [item] => column_name(item),
        _ => None,
    }
}

/// Renames the outputs of every query whose list also contains a `*` or the column itself.
struct NameOutputs<'a> {
    column: &'a str,
    found: bool,
}

impl VisitorMut for NameOutputs<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let beside = match query.body.as_ref() {
            SetExpr::Select(select) => select
                .projection
                .iter()
                .any(|item| is_star(item) || column_name(item).as_deref() == Some(self.column)),
            _ => false,
        };
        self.found |= beside && name_output(query, self.column);
        ControlFlow::Continue(())
    }
}

fn is_star(item: &SelectItem) -> bool {
    matches!(
        item,
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
    )
}

/// Returns the name of a column that is used unchanged.
fn column_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(folded),
        _ => None,
    }
}

/// Returns the name of a column whose alias is that name, which the engine leaves out.
fn unchanged_name(item: &SelectItem) -> Option<String> {
    let SelectItem::ExprWithAlias { expr, alias } = item else {
        return None;
    };
    let name = match expr {
        Expr::Identifier(name) => folded(name),
        Expr::CompoundIdentifier(parts) => folded(parts.last()?),
        _ => return None,
    };
    (folded(alias) == name).then_some(name)
}

/// Gives a unique name to each column that occurs twice in a list: `SELECT a, t.a`, `SELECT a, *`,
/// `SELECT t.a AS a, t.*`. Returns whether there are any.
pub fn name_columns(statement: &mut Statement) -> bool {
    let mut names = NameColumns { found: false };
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut names);
    names.found
}

struct NameColumns {
    found: bool,
}

impl VisitorMut for NameColumns {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let has_star = select.projection.iter().any(is_star);
        let mut seen = HashSet::new();
        for (position, item) in select.projection.iter_mut().enumerate() {
            let Some(name) = column_name(item).or_else(|| unchanged_name(item)) else {
                continue;
            };
            if !seen.insert(name.clone()) || has_star {
                set_alias(item, &name, position);
                self.found = true;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Gives a unique name to each column that is no plain column and has none: the engine may name
/// expressions alike that are written differently, such as `a || b` and `concat(a, b)`. Returns
/// whether there are any.
pub fn name_expressions(statement: &mut Statement) -> bool {
    let mut names = NameExpressions { found: false };
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut names);
    names.found
}

struct NameExpressions {
    found: bool,
}

impl VisitorMut for NameExpressions {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for (position, item) in select.projection.iter_mut().enumerate() {
            if column_name(item).is_some() {
                continue;
            }
            if let SelectItem::UnnamedExpr(expr) = item {
                let name = expr.to_string();
                set_alias(item, &name, position);
                self.found = true;
            }
        }
        ControlFlow::Continue(())
    }
}

struct TellApart;

impl VisitorMut for TellApart {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let grouped_by_several = grouped_by_several(select);
        let mut seen: HashSet<String> = HashSet::new();
        for (position, item) in select.projection.iter_mut().enumerate() {
            let name = match item {
                // The engine names a subquery without its contents, and an interval by its length.
                SelectItem::UnnamedExpr(expr) if is_named_otherwise(expr) => OTHERWISE.to_owned(),
                SelectItem::UnnamedExpr(expr) => uncast(expr),
                SelectItem::ExprWithAlias { alias, .. } => folded(alias),
                _ => continue,
            };
            if seen.insert(name.clone()) && !grouped_by_several.contains(&name) {
                continue;
            }
            set_alias(item, &name, position);
        }
        ControlFlow::Continue(())
    }
}

/// Gives an expression at a place of a list a name that no other has; it is shown as `name`.
fn set_alias(item: &mut SelectItem, name: &str, position: usize) {
    let own = Ident::with_quote('"', apart(name, position));
    match item {
        SelectItem::UnnamedExpr(expr) => {
            let expr = build::taken(expr);
            *item = SelectItem::ExprWithAlias { expr, alias: own };
        }
        SelectItem::ExprWithAlias { alias, .. } => *alias = own,
        _ => {}
    }
}

/// Returns the names in GROUP BY that several columns of the list have: such a name refers to none
/// of them, only to a column of a table.
fn grouped_by_several(select: &Select) -> HashSet<String> {
    let GroupByExpr::Expressions(keys, _) = &select.group_by else {
        return HashSet::new();
    };
    let names = keys.iter().filter_map(|key| match key {
        Expr::Identifier(name) => Some(folded(name)),
        _ => None,
    });
    let aliased = |name: &String| {
        let items = select.projection.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if folded(alias) == *name => Some(expr),
            _ => None,
        });
        let exprs: HashSet<String> = items.map(ToString::to_string).collect();
        exprs.len() > 1
    };
    names.filter(aliased).collect()
}

/// Represents the name of any expression that contains a subquery or an interval.
const OTHERWISE: &str = "<otherwise>";

fn is_named_otherwise(expr: &Expr) -> bool {
    walk_expressions(expr, |part| match part {
        Expr::Exists { .. } | Expr::InSubquery { .. } | Expr::Subquery(_) | Expr::Interval(_) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Returns the text of an expression without casts, since the engine names a cast after its operand,
/// at any depth. Calls are written as the engine names them.
fn uncast(expr: &Expr) -> String {
    let mut bare = expr.clone();
    // The visitor never breaks.
    let _ = walk_mut(&mut bare, &mut Uncast);
    bare.to_string()
}

struct Uncast;

impl VisitorMut for Uncast {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let inner = match expr {
            Expr::Cast { expr, .. } | Expr::Nested(expr) => build::taken(expr),
            Expr::TypedString(typed) => Expr::Value(typed.value.clone()),
            Expr::AtTimeZone { timestamp, .. } => build::taken(timestamp),
            Expr::Position { expr, r#in } => {
                build::call("strpos", vec![build::taken(r#in), build::taken(expr)])
            }
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let bounds = [substring_from, substring_for].into_iter().flatten();
                let args = std::iter::once(expr)
                    .chain(bounds)
                    .map(|arg| build::taken(arg));
                build::call("substr", args.collect())
            }
            Expr::Trim {
                trim_where,
                trim_what,
                expr,
                ..
            } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    Some(TrimWhereField::Both) | None => "btrim",
                };
                let args = std::iter::once(expr)
                    .chain(trim_what)
                    .map(|arg| build::taken(arg));
                build::call(name, args.collect())
            }
            Expr::Ceil { expr, .. } => build::call("ceil", vec![build::taken(expr)]),
            Expr::Floor { expr, .. } => build::call("floor", vec![build::taken(expr)]),
            Expr::Function(function) => {
                for part in &mut function.name.0 {
                    if let ObjectNamePart::Identifier(name) = part {
                        name.value = folded(name);
                    }
                }
                if let FunctionArguments::List(list) = &mut function.args {
                    list.args.iter_mut().for_each(count_rows);
                }
                return ControlFlow::Continue(());
            }
            _ => return ControlFlow::Continue(()),
        };
        *expr = inner;
        ControlFlow::Continue(())
    }
}

/// Makes `count(1)` of `count(*)`, which the engine has the same name for.
fn count_rows(arg: &mut FunctionArg) {
    if matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Wildcard)) {
        *arg = FunctionArg::Unnamed(FunctionArgExpr::Expr(build::integer(1)));
    }
}

#[cfg(test)]
mod tests;
