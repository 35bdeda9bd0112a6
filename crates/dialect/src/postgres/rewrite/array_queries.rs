//! `ARRAY(SELECT …)`.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, OrderByExpr, OrderByKind, Query,
    SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, Visitor,
};
use lakegate_error::Error;
use lakegate_sql::walk::{walk, walk_expressions};

use super::expressions::number;
use super::{build, conditions, folded};

/// Rewrites `ARRAY(SELECT …)`.
pub(super) fn array_of(mut query: Query) -> Result<Expr, Error> {
    let order = match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(keys)) => keys.clone(),
        _ => vec![],
    };
    let limited = query.limit_clause.is_some() || query.fetch.is_some();
    let plain = match query.body.as_mut() {
        SetExpr::Select(select)
            if !limited
                && select.distinct.is_none()
                && select.having.is_none()
                && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty()) =>
        {
            let tables = conditions::names(&select.from);
            let is_plain = |item: &Expr| !calls(item) && !reads_outer_columns(item, &tables);
            match select.projection.as_mut_slice() {
                [SelectItem::UnnamedExpr(item)] if is_plain(item) => Some((item, None)),
                [SelectItem::ExprWithAlias { expr: item, alias }] if is_plain(item) => {
                    Some((item, Some(&*alias)))
                }
                _ => None,
            }
        }
        _ => None,
    };
    let query = match plain {
        Some((item, alias)) => {
            let mut order = order;
            for key in &mut order {
                if is_item(&key.expr, item, alias) {
                    key.expr = item.clone();
                }
            }
            *item = array_agg(item.clone(), order, item);
            query.order_by = None;
            query
        }
        None => wrapped(query, order)?,
    };
    Ok(build::call(
        "array_or_empty",
        vec![Expr::Subquery(Box::new(query))],
    ))
}

/// Returns whether an expression contains a call that is not allowed in an aggregate: another
/// aggregate, or a set-returning function.
fn calls(expr: &Expr) -> bool {
    struct Found;
    impl Visitor for Found {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) => {
                    let name = function.name.to_string().to_lowercase();
                    let scalar = name.starts_with("pg_")
                        || name.starts_with("array_to_string")
                        || name.ends_with("_in");
                    if scalar {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    walk(expr, &mut Found).is_break()
}

/// Returns whether an expression reads columns, but none of the tables of its own FROM: an aggregate
/// function of them would be one of the outer query.
fn reads_outer_columns(expr: &Expr, tables: &BTreeSet<String>) -> bool {
    let mut found = false;
    let walked = walk_expressions(expr, |part| {
        let is_own = match part {
            Expr::Identifier(_) => !tables.is_empty(),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [.., table, _] => tables.contains(&folded(table)),
                _ => false,
            },
            _ => return ControlFlow::Continue(()),
        };
        found = true;
        match is_own {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    found && walked.is_continue()
}

/// Builds `array_agg(item ORDER BY …)`, with ordinals and names of the item resolved.
pub(super) fn array_agg(item: Expr, mut order: Vec<OrderByExpr>, first: &Expr) -> Expr {
    for key in &mut order {
        if number(&key.expr) == Some(1) {
            key.expr = first.clone();
        }
    }
    let clauses = if order.is_empty() {
        vec![]
    } else {
        vec![FunctionArgumentClause::OrderBy(order)]
    };
    let args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(item))];
    let mut aggregate = build::call("array_agg", vec![]);
    if let Expr::Function(function) = &mut aggregate {
        function.args = FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None::<DuplicateTreatment>,
            args,
            clauses,
        });
    }
    aggregate
}

/// Returns whether a key of the order is the only item of a list: by its number, by its name or by
/// the same expression.
fn is_item(key: &Expr, item: &Expr, alias: Option<&Ident>) -> bool {
    let of_column = match item {
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    };
    let has_name = match (key, alias.or(of_column)) {
        (Expr::Identifier(key), Some(name)) => folded(key) == folded(name),
        _ => false,
    };
    has_name || number(key) == Some(1) || key == item
}

/// Builds `SELECT array_agg(item ORDER BY key …) FROM (query) AS q(item, key, …)`. Where the keys
/// cannot be named, the items follow the order of the subquery.
fn wrapped(mut query: Query, order: Vec<OrderByExpr>) -> Result<Query, Error> {
    let item = Expr::Identifier(Ident::new("item"));
    let mut names = vec!["item".to_owned()];
    let mut keys = Vec::with_capacity(order.len());
    for mut key in order {
        match column_of(&key.expr, query.body.as_mut(), names.len()) {
            Some(name) => {
                key.expr = Expr::Identifier(Ident::new(name.clone()));
                if name != "item" {
                    names.push(name);
                }
                keys.push(key);
            }
            // Only the query itself can sort by it.
            None => {
                keys.clear();
                break;
            }
        }
    }
    if !keys.is_empty() && query.limit_clause.is_none() && query.fetch.is_none() {
        query.order_by = None;
    }
    let mut outer = build::select(vec![SelectItem::UnnamedExpr(array_agg(
        item.clone(),
        keys,
        &item,
    ))])?;
    if let SetExpr::Select(select) = outer.body.as_mut() {
        let columns = names.into_iter().map(TableAliasColumnDef::from_name);
        let alias = TableAlias {
            explicit: true,
            name: Ident::new("array_items"),
            columns: columns.collect(),
            at: None,
        };
        let relation = TableFactor::Derived {
            lateral: false,
            subquery: Box::new(query),
            alias: Some(alias),
            sample: None,
        };
        select.from = vec![TableWithJoins {
            relation,
            joins: vec![],
        }];
    }
    Ok(outer)
}

/// Returns the name of the column that has a key of the order, behind `before` others. Adds it to
/// the list of a SELECT without DISTINCT, unless it is the item.
fn column_of(key: &Expr, body: &mut SetExpr, before: usize) -> Option<String> {
    let SetExpr::Select(select) = body else {
        // The only column of a set operation has any name that is allowed here.
        let is_column = number(key) == Some(1) || matches!(key, Expr::Identifier(_));
        return is_column.then(|| "item".to_owned());
    };
    let is_item = match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(item), ..] => is_item(key, item, None),
        [SelectItem::ExprWithAlias { expr, alias }, ..] => is_item(key, expr, Some(alias)),
        _ => number(key) == Some(1),
    };
    if is_item {
        return Some("item".to_owned());
    }
    if select.distinct.is_some() {
        return None;
    }
    let name = format!("key_{before}");
    let key = build::aliased(key.clone(), Ident::new(name.clone()));
    select.projection.push(key);
    Some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn of(sql: &str) -> String {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let Statement::Query(query) = statements.remove(0) else {
            panic!("{sql}")
        };
        array_of(*query).unwrap().to_string()
    }

    #[test]
    fn the_array_has_the_order_of_the_query() {
        for (query, expected) in [
            (
                "SELECT a AS b FROM t ORDER BY b DESC",
                "SELECT array_agg(a ORDER BY a DESC) AS b FROM t",
            ),
            (
                "SELECT t.a FROM t ORDER BY a, c",
                "SELECT array_agg(t.a ORDER BY t.a, c) FROM t",
            ),
            (
                "SELECT sum(a) AS s FROM t GROUP BY b ORDER BY s",
                "SELECT array_agg(item ORDER BY item) FROM (SELECT sum(a) AS s FROM t GROUP BY b) AS array_items (item)",
            ),
            (
                "SELECT sum(a) AS s FROM t GROUP BY b ORDER BY b, s DESC",
                "SELECT array_agg(item ORDER BY key_1, item DESC) FROM (SELECT sum(a) AS s, b AS key_1 FROM t GROUP BY b) AS array_items (item, key_1)",
            ),
            (
                "SELECT u.a + 1 FROM t WHERE t.b = u.b ORDER BY c",
                "SELECT array_agg(item ORDER BY key_1) FROM (SELECT u.a + 1, c AS key_1 FROM t WHERE t.b = u.b) AS array_items (item, key_1)",
            ),
            (
                "SELECT u.a + t.a FROM t",
                "SELECT array_agg(u.a + t.a) FROM t",
            ),
            (
                "SELECT a FROM t UNION SELECT 1 ORDER BY a",
                "SELECT array_agg(item ORDER BY item) FROM (SELECT a FROM t UNION SELECT 1) AS array_items (item)",
            ),
            (
                "SELECT a FROM t ORDER BY b LIMIT 2",
                "SELECT array_agg(item ORDER BY key_1) FROM (SELECT a, b AS key_1 FROM t ORDER BY b LIMIT 2) AS array_items (item, key_1)",
            ),
        ] {
            assert_eq!(of(query), format!("array_or_empty(({expected}))"));
        }
    }
}
