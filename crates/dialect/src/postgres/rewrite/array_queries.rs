//! `ARRAY(SELECT …)`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, OrderByExpr, OrderByKind, Query,
    SelectItem, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins, Visitor,
};
use lakegate_error::Error;
use lakegate_sql::walk::walk;

use super::build;
use super::expressions::number;

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
            match select.projection.as_mut_slice() {
                [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }]
                    if !calls(item) =>
                {
                    Some(item)
                }
                _ => None,
            }
        }
        _ => None,
    };
    let query = match plain {
        Some(item) => {
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

/// Builds `SELECT array_agg(item) FROM (query) AS q(item)`.
fn wrapped(mut query: Query, mut order: Vec<OrderByExpr>) -> Result<Query, Error> {
    // An order by the item itself survives the wrapping; any other must be the inner query's.
    order.retain(|key| number(&key.expr) == Some(1));
    if !order.is_empty() && query.limit_clause.is_none() && query.fetch.is_none() {
        query.order_by = None;
    }
    let item = Expr::Identifier(Ident::new("item"));
    let mut outer = build::select(vec![SelectItem::UnnamedExpr(array_agg(
        item.clone(),
        order,
        &item,
    ))])?;
    if let SetExpr::Select(select) = outer.body.as_mut() {
        let alias = TableAlias {
            explicit: true,
            name: Ident::new("array_items"),
            columns: vec![TableAliasColumnDef::from_name("item")],
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
