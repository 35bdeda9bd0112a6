//! asyncpg's query about types, which it sends before it reads a value of any array type but `text[]`
//! and `oid[]`.
//!
//! Its own columns must not be of such a type: asyncpg would ask about that one first, without end.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SetExpr, Statement, VisitorMut};
use lakegate_sql::walk::walk_mut;

use super::{build, folded};

/// The function that shows a list of numbers as `oid[]`.
const OID_LIST: &str = "$oid_list";

/// Rewrites the query, which is known by its common table expressions.
pub(super) fn rewrite(statement: &mut Statement, common_tables: &BTreeSet<String>) {
    if !common_tables.contains("typeinfo_tree") {
        return;
    }
    let _ = walk_mut(statement, &mut Introspection);
}

struct Introspection;

impl VisitorMut for Introspection {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Subquery(query) => {
                if let Some(base) = base_type(query) {
                    *expr = base;
                }
            }
            Expr::Case { .. } if collects_types(expr) => {
                let case = std::mem::replace(expr, build::integer(0));
                *expr = build::call(OID_LIST, vec![case]);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Returns the base type of a domain, which the recursive subquery looks for. It reads the outer
/// row, which the engine has no plan for; no domain is over another one here.
fn base_type(query: &Query) -> Option<Expr> {
    let with = query.with.as_ref().filter(|with| with.recursive)?;
    let [table] = with.cte_tables.as_slice() else {
        return None;
    };
    if folded(&table.alias.name) != "typebases" {
        return None;
    }
    let SetExpr::SetOperation { left, .. } = table.query.body.as_ref() else {
        return None;
    };
    let SetExpr::Select(select) = left.as_ref() else {
        return None;
    };
    let Some(Expr::BinaryOp { right, .. }) = &select.selection else {
        return None;
    };
    let Expr::CompoundIdentifier(parts) = right.as_ref() else {
        return None;
    };
    let outer = parts.first()?.clone();
    Some(Expr::CompoundIdentifier(vec![
        outer,
        Ident::new("typbasetype"),
    ]))
}

/// Whether the expression collects the types of a row type's columns.
fn collects_types(expr: &Expr) -> bool {
    let text = expr.to_string().to_lowercase();
    text.contains("array_agg(") && text.contains("atttypid")
}
