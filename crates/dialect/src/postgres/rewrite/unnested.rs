//! Outputs beside `unnest` that have the name of a column that they read, in a subquery of FROM. The
//! engine takes them for that column (`datafusion-sql`, 55.2).
//!
//! ```text
//! FROM (SELECT unnest(a) AS n, upper(x) AS x FROM t) AS s
//!     FROM (SELECT unnest(a) AS n, upper(x) AS "x 2" FROM t) AS s(n, x)
//! ```
//!
//! Delete this when the engine plans them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, SelectItem, SetExpr, TableAliasColumnDef, TableFactor, Visitor,
};
use lakegate_sql::walk::walk;

use super::folded;

/// Gives such outputs names of their own within the subquery.
pub(super) fn rewrite(factor: &mut TableFactor) {
    let TableFactor::Derived {
        subquery,
        alias: Some(alias),
        ..
    } = factor
    else {
        return;
    };
    // ORDER BY may refer to outputs by their names.
    if !alias.columns.is_empty() || subquery.order_by.is_some() {
        return;
    }
    let SetExpr::Select(select) = subquery.body.as_mut() else {
        return;
    };
    if !select.projection.iter().any(unnests) {
        return;
    }
    let names = select
        .projection
        .iter()
        .map(name)
        .collect::<Option<Vec<Ident>>>();
    let Some(names) = names else { return };
    let different: BTreeSet<String> = names.iter().map(folded).collect();
    if different.len() < names.len() {
        return;
    }
    let mut found = false;
    for (place, item) in select.projection.iter_mut().enumerate() {
        if let SelectItem::ExprWithAlias { expr, alias } = item
            && !is_column(expr)
            && reads(expr, &folded(alias))
        {
            found = true;
            *alias = Ident::with_quote('"', format!("{} {}", alias.value, place + 1));
        }
    }
    if found {
        let columns = names.into_iter().map(|name| TableAliasColumnDef {
            name,
            data_type: None,
        });
        alias.columns = columns.collect();
    }
}

fn unnests(item: &SelectItem) -> bool {
    match item {
        SelectItem::UnnamedExpr(Expr::Function(function))
        | SelectItem::ExprWithAlias {
            expr: Expr::Function(function),
            ..
        } => function.name.to_string().eq_ignore_ascii_case("unnest"),
        _ => false,
    }
}

/// Returns the name of an output, if it does not depend on the planner.
fn name(item: &SelectItem) -> Option<Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
        _ => None,
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

/// Returns whether an expression reads a column of this name.
fn reads(expr: &Expr, column: &str) -> bool {
    struct Reads<'a>(&'a str);
    impl Visitor for Reads<'_> {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let name = match expr {
                Expr::Identifier(name) => Some(name),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            match name.is_some_and(|name| folded(name) == self.0) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    walk(expr, &mut Reads(column)).is_break()
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_select;
    use super::*;

    fn rewritten(sql: &str) -> String {
        with_select(sql, |select| {
            for table in &mut select.from {
                rewrite(&mut table.relation);
            }
        })
    }

    #[test]
    fn outputs_with_the_name_of_what_they_read_get_their_own() {
        assert_eq!(
            rewritten(
                "SELECT s.x FROM (SELECT unnest(a) AS n, upper(t.x) AS x, t.y, z + 1 AS w FROM t) AS s"
            ),
            "SELECT s.x FROM (SELECT unnest(a) AS n, upper(t.x) AS \"x 2\", t.y, z + 1 AS w FROM t) AS s (n, x, y, w)"
        );
        for same in [
            "SELECT s.x FROM (SELECT upper(x) AS x FROM t) AS s",
            "SELECT s.x FROM (SELECT unnest(a) AS n, x AS x FROM t) AS s",
            "SELECT s.x FROM (SELECT unnest(a) AS n, upper(y) AS x FROM t) AS s",
            "SELECT s.x FROM (SELECT unnest(a) AS n, *, upper(x) AS x FROM t) AS s",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
