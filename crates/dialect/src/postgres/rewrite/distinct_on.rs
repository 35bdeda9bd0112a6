//! The order of the keys of DISTINCT ON, which is that of ORDER BY for the engine, and any for
//! PostgreSQL.
//!
//! ```text
//! SELECT DISTINCT ON (a, b) … ORDER BY b, a, c     SELECT DISTINCT ON (b, a) … ORDER BY b, a, c
//! SELECT DISTINCT ON (a, b) … ORDER BY b           SELECT DISTINCT ON (b, a) … ORDER BY b, a
//! SELECT DISTINCT ON (a, b) … ORDER BY a, a, b     SELECT DISTINCT ON (a, b) … ORDER BY a, b
//! ```

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, OrderByExpr, OrderByOptions, Select, SelectItem,
};
use lakegate_error::Error;

use super::clauses::numbered;
use super::folded;
use super::order_keys::{are_one_column, column_of, plain};

/// A key of DISTINCT ON.
struct Key {
    expr: Expr,
    /// The expression of the list that it names, or its own, to compare it with others.
    meant: Expr,
}

impl Key {
    fn is(&self, other: &Expr) -> bool {
        self.meant == *other || are_one_column(&self.meant, other)
    }
}

/// Brings the keys of DISTINCT ON and of ORDER BY into one order.
///
/// # Errors
///
/// Several columns of the list have the name of a key.
pub(super) fn in_one_order(keys: &mut Vec<OrderByExpr>, select: &mut Select) -> Result<(), Error> {
    // The engine requires the same expressions as in ON, so they are written out.
    for key in keys.iter_mut() {
        if let Some(item) = written_out(&key.expr, select)? {
            key.expr = item;
        }
    }
    let Some(Distinct::On(on)) = select.distinct.take() else {
        return Ok(());
    };
    let mut others = Vec::with_capacity(on.len());
    for key in on {
        let expr = written_out(&key, select)?.unwrap_or(key);
        let meant = meant(&expr, select);
        others.push(Key { expr, meant });
    }
    let mut ordered: Vec<Key> = Vec::with_capacity(others.len());
    let mut sorted = Vec::with_capacity(keys.len());
    let mut are_initial = true;
    for key in std::mem::take(keys) {
        if are_initial {
            let wanted = meant(&key.expr, select);
            let (found, rest): (Vec<Key>, Vec<Key>) =
                others.into_iter().partition(|other| other.is(&wanted));
            others = rest;
            if let Some(first) = found.into_iter().next() {
                ordered.push(first);
            } else if ordered.iter().any(|known| known.is(&wanted)) {
                // It sorts nothing more.
                continue;
            } else {
                are_initial = false;
            }
        }
        sorted.push(key);
    }
    for other in others {
        if ordered.iter().any(|known| known.is(&other.meant)) {
            continue;
        }
        // Otherwise they do not match, and the engine refuses them.
        if are_initial {
            sorted.push(OrderByExpr {
                expr: other.expr.clone(),
                options: OrderByOptions::default(),
                with_fill: None,
            });
        }
        ordered.push(other);
    }
    *keys = sorted;
    let ordered = ordered.into_iter().map(|key| key.expr);
    select.distinct = Some(Distinct::On(ordered.collect()));
    Ok(())
}

/// Returns the item of the list that a number refers to, or a name that the engine would not find.
fn written_out(key: &Expr, select: &mut Select) -> Result<Option<Expr>, Error> {
    let column = match key {
        Expr::Identifier(_) => column_of(key, select)?,
        number => Some(number.clone()),
    };
    Ok(column.and_then(|column| numbered(&column, &select.projection)))
}

/// Returns what a key is in a form that can be compared.
fn meant(key: &Expr, select: &Select) -> Expr {
    let named = match key {
        Expr::Identifier(name) => select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if folded(alias) == folded(name) => {
                Some(expr)
            }
            _ => None,
        }),
        _ => None,
    };
    plain(named.unwrap_or(key), select)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::ast::{OrderByKind, SetExpr, Statement};

    use super::super::testing::with_statement;
    use super::*;

    fn ordered(sql: &str) -> String {
        with_statement(sql, |statement| {
            let Statement::Query(query) = statement else {
                unreachable!("{sql}");
            };
            let Some(order) = &mut query.order_by else {
                unreachable!("{sql}");
            };
            if let (SetExpr::Select(select), OrderByKind::Expressions(keys)) =
                (query.body.as_mut(), &mut order.kind)
            {
                in_one_order(keys, select).unwrap();
            }
        })
    }

    #[test]
    fn keys_have_the_order_of_order_by() {
        for (sql, expected) in [
            (
                "SELECT DISTINCT ON (a, b) a, b FROM t ORDER BY b DESC, a, c",
                "SELECT DISTINCT ON (b, a) a, b FROM t ORDER BY b DESC, a, c",
            ),
            (
                "SELECT DISTINCT ON (a, b) a, b FROM t ORDER BY t.b",
                "SELECT DISTINCT ON (b, a) a, b FROM t ORDER BY t.b, a",
            ),
            (
                "SELECT DISTINCT ON (2, a) a, b + 1 AS x FROM t ORDER BY a, a, x",
                "SELECT DISTINCT ON (a, b + 1) a, b + 1 AS x FROM t ORDER BY a, x",
            ),
            // The engine refuses these.
            (
                "SELECT DISTINCT ON (a, b) a FROM t ORDER BY a, c, b",
                "SELECT DISTINCT ON (a, b) a FROM t ORDER BY a, c, b",
            ),
        ] {
            assert_eq!(ordered(sql), expected);
        }
    }
}
