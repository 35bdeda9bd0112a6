//! ORDER BY keys as PostgreSQL resolves them: a bare name is first an output of the list, then a
//! column; within an expression all names are columns. The engine looks up outputs in both cases,
//! and sorts a DISTINCT only by outputs.
//!
//! ```text
//! SELECT a::text FROM t ORDER BY a                 … ORDER BY 1
//! SELECT DISTINCT a AS b FROM t ORDER BY t.a       … ORDER BY 1
//! SELECT sum(a) AS a FROM t ORDER BY sum(a)        … ORDER BY 1
//! SELECT DISTINCT *, a + 1 FROM t ORDER BY a + 1   SELECT DISTINCT *, a + 1 AS "key:1" … ORDER BY "key:1"
//! SELECT -a AS a FROM t ORDER BY a + 1, a          SELECT -a AS "a:0" FROM t ORDER BY a + 1, "a:0"
//! ```

use lakegate_sql::walk::{walk, walk_expressions, walk_mut};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, Distinct, Expr, GroupByExpr, Ident, ObjectNamePart, OrderByExpr, OrderByKind, Query,
    Select, SelectItem, SetExpr, Statement, TableFactor, Visitor, VisitorMut,
};
use lakegate_engine::{Names, apart, is_apart, shown};
use lakegate_error::{Code, Error};

use super::clauses::numbered as numbered_item;
use super::{build, distinct_keys, distinct_on, folded, parts};
use crate::postgres::output_names::{item_name, output_names};

/// Rewrites the keys of each query.
///
/// # Errors
///
/// Several columns of the list have the name of a key; in PostgreSQL's language, a key of a DISTINCT
/// is an expression that is not in the list.
pub(super) fn rewrite(statement: &mut Statement, functions: Names) -> Result<(), Error> {
    let mut keys = Keys {
        in_list: functions == Names::Postgres,
    };
    match walk_mut(statement, &mut keys) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Returns whether a statement sorts by an ordinal.
pub fn sorts_by_number(statement: &Statement) -> bool {
    walk(statement, &mut Numbers).is_break()
}

struct Numbers;

impl Visitor for Numbers {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(keys))
                if keys.iter().any(|key| matches!(key.expr, Expr::Value(_))) =>
            {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Undoes the rule that names in expressions are columns, for a name that is not a column. Returns
/// whether there was a name to restore.
pub fn restore(statement: &mut Statement, column: &str) -> bool {
    let mut restore = Restore {
        column,
        found: false,
    };
    // The visitor never breaks.
    let _ = walk_mut(statement, &mut restore);
    restore.found
}

struct Keys {
    /// Whether the keys of a DISTINCT must be in its list.
    in_list: bool,
}

impl VisitorMut for Keys {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        match keys_of(query, self.in_list) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn keys_of(query: &mut Query, in_list: bool) -> Result<(), Error> {
    let names = output_names(query);
    let Some(order) = &mut query.order_by else {
        return Ok(());
    };
    let OrderByKind::Expressions(keys) = &mut order.kind else {
        return Ok(());
    };
    match query.body.as_mut() {
        SetExpr::Select(select) if matches!(select.distinct, Some(Distinct::On(_))) => {
            distinct_on::in_one_order(keys, select)?;
        }
        SetExpr::Select(select) => {
            for key in keys.iter_mut() {
                if let Some(column) = column_of(&key.expr, select)? {
                    key.expr = column;
                }
            }
            if in_list && matches!(select.distinct, Some(Distinct::Distinct)) {
                distinct_keys::check(keys, select)?;
            }
            for key in keys.iter_mut() {
                if let Some(name) = of_groups(&key.expr, select) {
                    key.expr = name;
                }
            }
            hide_names(select, keys);
        }
        _ => {
            let names = names.unwrap_or_default();
            for key in keys {
                let Expr::Identifier(name) = &key.expr else {
                    continue;
                };
                let wanted = folded(name);
                if names.count(&wanted) > 1 {
                    return Err(ambiguous(name));
                }
                let place = names.first.iter().position(|name| *name == wanted);
                if let Some(number) = place.and_then(|place| i64::try_from(place + 1).ok()) {
                    key.expr = build::integer(number);
                }
            }
        }
    }
    Ok(())
}

fn ambiguous(name: &Ident) -> Error {
    Error::new(
        Code::AmbiguousColumn,
        format!("ORDER BY \"{}\" is ambiguous", folded(name)),
    )
    .with_hint(
        "several columns of the list have the name: write the number of one, or its expression",
    )
}

pub(super) fn expr_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    }
}

pub(super) fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// Returns the column of the list that a key refers to, if the engine would not find it.
pub(super) fn column_of(key: &Expr, select: &mut Select) -> Result<Option<Expr>, Error> {
    if let Expr::Identifier(name) = key {
        let wanted = folded(name);
        let list = select.projection.iter().enumerate();
        let called: Vec<usize> = list
            .filter(|(_, item)| item_name(item).as_deref() == Some(&wanted))
            .map(|(place, _)| place)
            .collect();
        if let [first, others @ ..] = called.as_slice() {
            let plain_of = |place: usize| {
                let expr = select.projection.get(place).and_then(expr_of);
                expr.map(|expr| plain(expr, select))
            };
            let differ = |other: &usize| match (plain_of(*first), plain_of(*other)) {
                (Some(one), Some(other)) => one != other && !are_one_column(&one, &other),
                _ => true,
            };
            if others.iter().any(differ) {
                return Err(ambiguous(name));
            }
            let found = match select.projection.get(*first) {
                Some(SelectItem::UnnamedExpr(expr)) => is_column(expr),
                _ => true,
            };
            return Ok(match found && others.is_empty() {
                true => None,
                false => numbered(*first, &mut select.projection),
            });
        }
    }
    let distinct = matches!(select.distinct, Some(Distinct::Distinct));
    if matches!(key, Expr::Value(_)) || is_column(key) && !distinct {
        return Ok(None);
    }
    let wanted = plain(key, select);
    let place = select.projection.iter().position(|item| {
        expr_of(item).is_some_and(|expr| {
            let item = plain(expr, select);
            item == wanted || are_one_column(&item, &wanted)
        })
    });
    Ok(place.and_then(|place| numbered(place, &mut select.projection)))
}

/// Returns a name for the column that an ordinal refers to, if the list is grouped: the engine
/// requires it to be one of the group's keys, or a named output.
fn of_groups(key: &Expr, select: &mut Select) -> Option<Expr> {
    let groups = match &select.group_by {
        GroupByExpr::Expressions(keys, _) => !keys.is_empty(),
        GroupByExpr::All(_) => true,
    };
    numbered_item(key, &select.projection).filter(|item| groups && !is_column(item))?;
    let place = usize::try_from(super::expressions::number(key)?.checked_sub(1)?).ok()?;
    match select.projection.get_mut(place)? {
        item @ SelectItem::UnnamedExpr(_) => Some(Expr::Identifier(named(item, place)?)),
        _ => None,
    }
}

/// Names an item of the list that has no name.
fn named(item: &mut SelectItem, place: usize) -> Option<Ident> {
    let alias = Ident::with_quote('"', apart("key", place));
    let expr = expr_of(item)?.clone();
    *item = build::aliased(expr, alias.clone());
    Some(alias)
}

/// Returns a reference to a column of the list: its number, or its name if a `*` before it makes
/// its number unknown.
fn numbered(place: usize, list: &mut [SelectItem]) -> Option<Expr> {
    let (before, rest) = list.split_at_mut(place);
    if before.iter().all(|item| expr_of(item).is_some()) {
        return Some(build::integer(i64::try_from(place).ok()? + 1));
    }
    let item = rest.first_mut()?;
    let alias = match item {
        SelectItem::ExprWithAlias { alias, .. } => alias.clone(),
        item => named(item, place)?,
    };
    Some(Expr::Identifier(alias))
}

/// Renames outputs whose name equals that of a column which a key reads in an expression.
fn hide_names(select: &mut Select, keys: &mut [OrderByExpr]) {
    for (place, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::ExprWithAlias { expr, alias } = item else {
            continue;
        };
        let name = folded(alias);
        let itself = match &*expr {
            Expr::Identifier(column) => folded(column) == name,
            Expr::CompoundIdentifier(parts) => parts.last().map(folded).as_ref() == Some(&name),
            _ => false,
        };
        let is_read = |key: &OrderByExpr| !is_column(&key.expr) && reads(&key.expr, &name);
        if itself || is_apart(&name) || !keys.iter().any(is_read) {
            continue;
        }
        let own = Ident::with_quote('"', apart(&name, place));
        *alias = own.clone();
        for key in keys.iter_mut() {
            if matches!(&key.expr, Expr::Identifier(key) if folded(key) == name) {
                key.expr = Expr::Identifier(own.clone());
            }
        }
    }
}

fn reads(expr: &Expr, name: &str) -> bool {
    walk_expressions(expr, |part| match part {
        Expr::Identifier(column) if folded(column) == name => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Returns the expression without purely syntactic differences. Columns of the only table have no
/// qualifier, and those of outer queries parentheses.
pub(super) fn plain(expr: &Expr, select: &Select) -> Expr {
    let mut plain = expr.clone();
    let mut walk = Plain {
        relation: only_relation(select),
    };
    // The visitor never breaks.
    let _ = walk_mut(&mut plain, &mut walk);
    plain
}

/// Returns the name of the table that a SELECT reads, if it reads only one.
fn only_relation(select: &Select) -> Option<String> {
    let [table] = select.from.as_slice() else {
        return None;
    };
    match &table.relation {
        _ if !table.joins.is_empty() => None,
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(folded(&alias.name)),
        TableFactor::Table { name, .. } => parts(name)?.pop(),
        _ => None,
    }
}

struct Plain {
    relation: Option<String>,
}

impl VisitorMut for Plain {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let as_compared = |ident: &Ident| Ident::with_quote('"', folded(ident));
        match expr {
            Expr::Nested(inner) => {
                let inner = std::mem::replace(inner.as_mut(), build::integer(0));
                *expr = inner;
            }
            Expr::Identifier(ident) => *ident = as_compared(ident),
            Expr::CompoundIdentifier(parts) => {
                for part in parts.iter_mut() {
                    *part = as_compared(part);
                }
                if let ([relation, column], Some(only)) = (parts.as_slice(), &self.relation) {
                    *expr = match relation.value == *only {
                        true => Expr::Identifier(column.clone()),
                        // A column of the outer query is none of the table's of the same name.
                        false => Expr::Nested(Box::new(expr.clone())),
                    };
                }
            }
            // `x::int` is `CAST(x AS int)`.
            Expr::Cast { kind, .. } if *kind == CastKind::DoubleColon => *kind = CastKind::Cast,
            Expr::Function(function) => {
                for part in &mut function.name.0 {
                    if let Some(ident) = part.as_ident() {
                        *part = ObjectNamePart::Identifier(as_compared(ident));
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Returns whether one expression is the other, qualified by its table.
pub(super) fn are_one_column(one: &Expr, other: &Expr) -> bool {
    match (one, other) {
        (Expr::Identifier(name), Expr::CompoundIdentifier(parts))
        | (Expr::CompoundIdentifier(parts), Expr::Identifier(name)) => parts.last() == Some(name),
        _ => false,
    }
}

struct Restore<'a> {
    column: &'a str,
    found: bool,
}

impl VisitorMut for Restore<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let SetExpr::Select(select) = query.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        let is_read = match query.order_by.as_ref().map(|order| &order.kind) {
            Some(OrderByKind::Expressions(keys)) => keys
                .iter()
                .any(|key| !is_column(&key.expr) && reads(&key.expr, self.column)),
            _ => false,
        };
        if !is_read {
            return ControlFlow::Continue(());
        }
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item
                && is_apart(&alias.value)
                && shown(&alias.value) == self.column
            {
                let own = std::mem::replace(alias, Ident::with_quote('"', self.column));
                if let Some(order) = &mut query.order_by
                    && let OrderByKind::Expressions(keys) = &mut order.kind
                {
                    for key in keys {
                        if matches!(&key.expr, Expr::Identifier(key) if *key == own) {
                            key.expr = Expr::Identifier(alias.clone());
                        }
                    }
                }
                self.found = true;
                break;
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn rewritten(sql: &str) -> Result<String, Error> {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let statement = statements.first_mut().unwrap();
        rewrite(statement, Names::Postgres)?;
        Ok(statement.to_string())
    }

    #[test]
    fn keys_are_columns_of_the_list() {
        for (sql, expected) in [
            (
                "SELECT DISTINCT b, A + (1) FROM t ORDER BY a + 1 DESC",
                "SELECT DISTINCT b, A + (1) FROM t ORDER BY 2 DESC",
            ),
            (
                "SELECT DISTINCT UPPER(x.s) FROM t AS x ORDER BY upper(s)",
                "SELECT DISTINCT UPPER(x.s) FROM t AS x ORDER BY 1",
            ),
            (
                "SELECT DISTINCT t.a AS b FROM t, u ORDER BY a",
                "SELECT DISTINCT t.a AS b FROM t, u ORDER BY 1",
            ),
            // The name is the output's first.
            (
                "SELECT DISTINCT a AS b, b AS a FROM t ORDER BY a",
                "SELECT DISTINCT a AS b, b AS a FROM t ORDER BY a",
            ),
            (
                "SELECT a::text, count(*) FROM t ORDER BY a, count",
                "SELECT a::TEXT, count(*) FROM t ORDER BY 1, 2",
            ),
            (
                "SELECT upper(a), b FROM t UNION SELECT 1, 2 ORDER BY upper, b DESC, c",
                "SELECT upper(a), b FROM t UNION SELECT 1, 2 ORDER BY 1, 2 DESC, c",
            ),
            (
                "SELECT DISTINCT *, a + 1 FROM t ORDER BY a + 1",
                "SELECT DISTINCT *, a + 1 AS \"key\u{2063}:1\" FROM t ORDER BY \"key\u{2063}:1\"",
            ),
            (
                "SELECT k, sum(a) AS a FROM t GROUP BY k ORDER BY sum(t.a), k",
                "SELECT k, sum(a) AS a FROM t GROUP BY k ORDER BY 2, k",
            ),
            (
                "SELECT upper(k), k FROM t GROUP BY k ORDER BY 1, 2, upper",
                "SELECT upper(k) AS \"key\u{2063}:0\", k FROM t GROUP BY k ORDER BY \"key\u{2063}:0\", 2, 1",
            ),
            (
                "SELECT -a AS a, b AS b FROM t ORDER BY a + b, a",
                "SELECT -a AS \"a\u{2063}:0\", b AS b FROM t ORDER BY a + b, \"a\u{2063}:0\"",
            ),
        ] {
            assert_eq!(rewritten(sql).unwrap(), expected);
        }
    }

    #[test]
    fn names_of_several_columns_are_ambiguous() {
        for sql in [
            "SELECT 1 AS a, 2 AS a ORDER BY a",
            "SELECT k, k FROM t UNION SELECT 1, 2 ORDER BY k",
            "SELECT t.a, u.a FROM t, u ORDER BY a",
        ] {
            let error = rewritten(sql).unwrap_err();
            assert_eq!(error.code(), Code::AmbiguousColumn, "{sql}");
        }
        assert!(rewritten("SELECT a, t.a, k AS x, k AS x FROM t ORDER BY a, x").is_ok());
    }

    #[test]
    fn a_name_in_an_expression_may_be_one_of_the_list_after_all() {
        let sql = "SELECT sum(a) AS total FROM t ORDER BY total + 1, total";
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let statement = statements.first_mut().unwrap();
        rewrite(statement, Names::Postgres).unwrap();
        assert!(restore(statement, "total"));
        assert!(!restore(statement, "total"));
        let expected = "SELECT sum(a) AS \"total\" FROM t ORDER BY total + 1, \"total\"";
        assert_eq!(statement.to_string(), expected);
    }
}
