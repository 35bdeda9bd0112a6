//! Set-returning functions beside `DISTINCT ON` or ORDER BY that nothing is sorted by or distinct in:
//! PostgreSQL calls them for the rows that are left, in the order of these.
//!
//! ```text
//! SELECT DISTINCT ON (x) x, unnest(a) AS u FROM t ORDER BY x, y LIMIT 3
//!     SELECT "__sets"."c1" AS x, unnest("__sets"."c2") AS u
//!     FROM (SELECT DISTINCT ON (x) x, a FROM t ORDER BY x, y) AS "__sets" ("c1", "c2") LIMIT 3
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Ident, OrderByKind, Query, SelectItem, SetExpr, VisitorMut,
};
use lakegate_error::Error;
use lakegate_sql::walk::{walk_mut, walk_own_expressions};

use super::{ALIAS, Columns, Item, build, calls_set, place_of};

/// Puts what the functions are called for into a subquery.
///
/// # Errors
///
/// An item has a form that cannot be divided, or a key is a number.
pub(super) fn rewrite(query: &mut Query, items: &[Item]) -> Result<(), Error> {
    if has_undivided(items) {
        return Err(refused());
    }
    let mut inputs = Inputs::default();
    let mut shown = Vec::with_capacity(items.len());
    for item in items {
        let mut expr = item.expr.clone();
        let _ = walk_mut(&mut expr, &mut inputs);
        let name = Ident::with_quote('"', item.name.clone());
        shown.push(build::aliased(expr, name));
    }
    // A list is not empty.
    if inputs.exprs.is_empty() {
        inputs.exprs.push(build::integer(1));
    }
    let mut inner = build::select(vec![])?;
    std::mem::swap(&mut inner.body, &mut query.body);
    inner.order_by = query.order_by.take();
    if let Some(order) = &mut inner.order_by
        && let OrderByKind::Expressions(keys) = &mut order.kind
    {
        for key in keys {
            key.expr = written_out(&key.expr, items)?;
        }
    }
    let names: Vec<String> = (0..inputs.exprs.len()).map(Columns::name).collect();
    if let SetExpr::Select(select) = inner.body.as_mut() {
        if let Some(Distinct::On(on)) = &mut select.distinct {
            for key in on {
                *key = written_out(key, items)?;
            }
        }
        let columns = inputs.exprs.into_iter().map(SelectItem::UnnamedExpr);
        select.projection = columns.collect();
    }
    let mut outer = build::select_from(inner, ALIAS, &names)?;
    if let SetExpr::Select(select) = outer.body.as_mut() {
        select.projection = shown;
    }
    query.body = outer.body;
    Ok(())
}

/// Returns a key by its expression: the numbers and names of the list mean other columns within.
fn written_out(key: &Expr, items: &[Item]) -> Result<Expr, Error> {
    let item = place_of(key, items).and_then(|place| items.get(place));
    let key = item.map_or(key, |item| &item.expr);
    match key {
        Expr::Value(_) => Err(refused()),
        key => Ok(key.clone()),
    }
}

/// Returns whether an item has a form that cannot be divided.
pub(super) fn has_undivided(items: &[Item]) -> bool {
    items.iter().any(|item| is_undivided(&item.expr))
}

/// Returns whether an expression with a set-returning function has names that are not columns.
fn is_undivided(expr: &Expr) -> bool {
    let names = walk_own_expressions(expr, |part| match part {
        Expr::CompoundFieldAccess { .. } | Expr::Lambda(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    calls_set(expr) && names.is_break()
}

fn refused() -> Error {
    Error::not_supported(
        "set-returning functions beside DISTINCT ON that ORDER BY does not sort by are not supported in this form",
    )
    .with_hint("call the function over a subquery: SELECT unnest(a) FROM (SELECT DISTINCT ON …) t")
}

/// What is evaluated before the functions are called. Replaces it by columns.
#[derive(Default)]
struct Inputs {
    exprs: Vec<Expr>,
}

impl VisitorMut for Inputs {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if calls_set(expr) || matches!(expr, Expr::Value(_)) {
            return ControlFlow::Continue(());
        }
        let known = self.exprs.iter().position(|known| known == expr);
        let place = known.unwrap_or_else(|| {
            self.exprs.push(expr.clone());
            self.exprs.len() - 1
        });
        *expr = build::column(ALIAS, &Columns::name(place));
        ControlFlow::Continue(())
    }
}
