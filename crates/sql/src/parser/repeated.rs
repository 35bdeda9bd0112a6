//! Bounds on what the planner writes out wherever it is named: an item of the SELECT list that GROUP
//! BY, ORDER BY, HAVING or QUALIFY refers to by its number or alias, a key that is in several
//! grouping sets, and a window of the WINDOW clause.
//!
//! ```text
//! SELECT a + a + … FROM t GROUP BY 1, 1, 1, …
//! SELECT sum(a) OVER w, sum(a) OVER w, … FROM t WINDOW w AS (PARTITION BY a + a + …)
//! ```

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, GroupByExpr, NamedWindowExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Value,
    Visitor, WindowSpec, WindowType,
};

use super::cursor::{Cursor, Result};
use crate::walk::{Tree, walk, walk_expressions, walk_own_expressions};

/// Parts that may be written for each list of keys and for the windows of a SELECT.
const MAX_PARTS: usize = 100_000;
/// Of what is longer, how many times the parts of its SELECT list may be written.
const MAX_USES: usize = 4;

/// Checks a query and its subqueries.
///
/// # Errors
///
/// Long expressions are named too often.
pub(super) fn check(cursor: &Cursor<'_>, query: &Query) -> Result<()> {
    match walk(query, &mut Repeated) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            let mut error = cursor.error(format!(
                "a query has expressions of more than {MAX_PARTS} parts when they are written out wherever they are named"
            ));
            error.hint = Some(
                "name each item of the SELECT list once in GROUP BY and ORDER BY, or compute it in a subquery"
                    .to_owned(),
            );
            Err(error)
        }
    }
}

struct Repeated;

impl Visitor for Repeated {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let (SetExpr::Select(select), Some(order)) = (query.body.as_ref(), &query.order_by) else {
            return ControlFlow::Continue(());
        };
        let OrderByKind::Expressions(keys) = &order.kind else {
            return ControlFlow::Continue(());
        };
        let keys: Vec<&Expr> = keys.iter().map(|key| &key.expr).collect();
        windows(select, &keys)?;
        if keys.len() < 2 {
            return ControlFlow::Continue(());
        }
        let items = Items::of(select);
        let written = keys.iter().map(|key| items.written(key));
        bounded(total(written), select)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        windows(select, &[])?;
        let GroupByExpr::Expressions(keys, _) = &select.group_by else {
            return ControlFlow::Continue(());
        };
        let are_sets =
            |key: &Expr| matches!(key, Expr::Cube(_) | Expr::Rollup(_) | Expr::GroupingSets(_));
        let conditions: Vec<&Expr> = select.having.iter().chain(&select.qualify).collect();
        if keys.len() < 2 && conditions.is_empty() && !keys.iter().any(are_sets) {
            return ControlFlow::Continue(());
        }
        let items = Items::of(select);
        let conditions = conditions.into_iter().map(|expr| items.written(expr));
        bounded(total(conditions), select)?;
        bounded(grouped(keys, &items), select)
    }
}

fn total(parts: impl Iterator<Item = usize>) -> usize {
    parts.fold(0, usize::saturating_add)
}

/// Returns the number of expressions in a tree.
fn size(tree: &(impl Tree + ?Sized)) -> usize {
    let mut parts = 0usize;
    let _ = walk_expressions(tree, |_| {
        parts += 1;
        ControlFlow::<()>::Continue(())
    });
    parts
}

/// Breaks if so many parts are too many for a SELECT.
fn bounded(written: usize, select: &Select) -> ControlFlow<()> {
    if written <= MAX_PARTS || written <= size(select).saturating_mul(MAX_USES) {
        return ControlFlow::Continue(());
    }
    ControlFlow::Break(())
}

/// Returns the parts of the keys in all grouping sets.
fn grouped(keys: &[Expr], items: &Items) -> usize {
    // The parts of each key, and the sets that it makes.
    let keys = keys.iter().map(|key| {
        let of = |lists: &[Vec<Expr>]| total(lists.iter().flatten().map(|key| items.written(key)));
        match key {
            Expr::Cube(lists) => {
                let sets = u32::try_from(lists.len()).ok();
                let sets = sets.and_then(|count| 1usize.checked_shl(count));
                let sets = sets.unwrap_or(usize::MAX);
                (of(lists).saturating_mul(sets / 2), sets)
            }
            Expr::Rollup(lists) => {
                let sets = lists.len().saturating_add(1);
                (of(lists).saturating_mul(sets), sets)
            }
            Expr::GroupingSets(lists) => (of(lists), lists.len()),
            key => (items.written(key), 1),
        }
    });
    let keys: Vec<(usize, usize)> = keys.collect();
    let sets = keys.iter().map(|(_, sets)| (*sets).max(1));
    let sets = sets.fold(1, usize::saturating_mul);
    total(
        keys.iter()
            .map(|(parts, own)| parts.saturating_mul(sets / (*own).max(1))),
    )
}

/// The items of a SELECT list, with their parts.
struct Items {
    parts: Vec<usize>,
    by_alias: HashMap<String, usize>,
    /// The parts of the largest, if the list has a `*`, with which numbers are those of other items.
    largest: Option<usize>,
}

impl Items {
    fn of(select: &Select) -> Self {
        let parts: Vec<usize> = select.projection.iter().map(size).collect();
        let mut by_alias: HashMap<String, usize> = HashMap::new();
        let mut has_star = false;
        for (item, parts) in select.projection.iter().zip(&parts) {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => {
                    let known = by_alias.entry(alias.value.to_lowercase()).or_default();
                    *known = (*known).max(*parts);
                }
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => has_star = true,
                _ => {}
            }
        }
        let largest = parts.iter().copied().max();
        Self {
            parts,
            by_alias,
            largest: largest.filter(|_| has_star),
        }
    }

    /// Returns the parts of an expression in which items are written out.
    fn written(&self, expr: &Expr) -> usize {
        if let Some(place) = number(expr) {
            let item = place.checked_sub(1).and_then(|place| self.parts.get(place));
            return self.largest.or(item.copied()).unwrap_or(1);
        }
        let mut written = 0usize;
        let _ = walk_own_expressions(expr, |part| {
            let item = match part {
                Expr::Identifier(name) if !self.by_alias.is_empty() => {
                    self.by_alias.get(&name.value.to_lowercase())
                }
                _ => None,
            };
            written = written.saturating_add(item.copied().unwrap_or(1));
            ControlFlow::<()>::Continue(())
        });
        written
    }
}

/// Returns the number of an item that a key is.
fn number(key: &Expr) -> Option<usize> {
    match key {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        Expr::Nested(key) => number(key),
        _ => None,
    }
}

/// Breaks if the windows that a SELECT defines are too long for their uses in its list, its QUALIFY
/// and these keys.
fn windows(select: &Select, keys: &[&Expr]) -> ControlFlow<()> {
    if select.named_window.is_empty() {
        return ControlFlow::Continue(());
    }
    let mut defined: HashMap<String, usize> = HashMap::new();
    let parts_of = |spec: &WindowSpec, defined: &HashMap<String, usize>| {
        let base = spec.window_name.as_ref();
        let base = base.and_then(|name| defined.get(&name.value.to_lowercase()));
        let order = spec.order_by.iter().map(|key| size(&key.expr));
        let own = size(&spec.partition_by).saturating_add(total(order));
        own.saturating_add(base.copied().unwrap_or_default())
    };
    let mut written = 0usize;
    for window in &select.named_window {
        let parts = match &window.1 {
            NamedWindowExpr::NamedWindow(base) => {
                let base = defined.get(&base.value.to_lowercase());
                base.copied().unwrap_or_default()
            }
            NamedWindowExpr::WindowSpec(spec) => parts_of(spec, &defined),
        };
        written = written.saturating_add(parts);
        defined.insert(window.0.value.to_lowercase(), parts);
    }
    let mut used = |expr: &Expr| {
        let name = match expr {
            Expr::Function(call) => match &call.over {
                Some(WindowType::NamedWindow(name)) => Some(name),
                Some(WindowType::WindowSpec(spec)) => spec.window_name.as_ref(),
                None => None,
            },
            _ => None,
        };
        let parts = name.and_then(|name| defined.get(&name.value.to_lowercase()));
        written = written.saturating_add(parts.copied().unwrap_or_default());
        ControlFlow::<()>::Continue(())
    };
    let _ = walk_own_expressions(&select.projection, &mut used);
    let _ = walk_own_expressions(&select.qualify, &mut used);
    for key in keys {
        let _ = walk_own_expressions(*key, &mut used);
    }
    bounded(written, select)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::parse;

    fn refused(sql: &str) -> bool {
        match parse(sql) {
            Ok(_) => false,
            Err(error) => {
                assert!(error.message.contains("written out wherever"), "{error:?}");
                true
            }
        }
    }

    #[test]
    fn what_is_named_often_is_short() {
        let sum = vec!["x"; 500].join(" + ");
        let many = |part: &str, count: usize| vec![part; count].join(", ");
        for (sql, is_refused) in [
            (format!("SELECT {sum} FROM t GROUP BY 1"), false),
            (
                format!("SELECT {sum} FROM t GROUP BY {}", many("1", 50)),
                false,
            ),
            (
                format!("SELECT {sum} FROM t GROUP BY {}", many("1", 500)),
                true,
            ),
            (
                format!("SELECT {sum} AS s FROM t GROUP BY {}", many("S", 500)),
                true,
            ),
            (
                format!("SELECT {sum} FROM t ORDER BY {}", many("1 DESC", 500)),
                true,
            ),
            (
                format!("SELECT *, {sum} FROM t ORDER BY {}", many("(7)", 500)),
                true,
            ),
            (
                format!(
                    "SELECT {sum} AS s FROM t HAVING {}",
                    vec!["s > 1"; 500].join(" AND ")
                ),
                true,
            ),
            (
                format!("SELECT x FROM t GROUP BY CUBE ({sum}, a, b, c, d, e, f, g)"),
                true,
            ),
            (
                format!("SELECT x FROM t GROUP BY CUBE ({})", many("x + 1", 10)),
                false,
            ),
            (
                format!(
                    "SELECT x FROM t GROUP BY GROUPING SETS ({}), ROLLUP (a, b), ROLLUP (c, d)",
                    many(&format!("({sum})"), 100)
                ),
                true,
            ),
            (
                format!(
                    "SELECT {} FROM t WINDOW w AS (PARTITION BY {sum})",
                    many("sum(x) OVER w", 500)
                ),
                true,
            ),
            (
                format!(
                    "SELECT {} FROM t WINDOW w AS (PARTITION BY x, y ORDER BY z)",
                    many("sum(x) OVER (w ROWS 1 PRECEDING)", 500)
                ),
                false,
            ),
            (
                format!(
                    "SELECT x FROM t WINDOW w AS (PARTITION BY {sum}) ORDER BY {}",
                    many("rank() OVER w", 500)
                ),
                true,
            ),
            // Each once.
            (
                format!(
                    "SELECT {} FROM t GROUP BY {}",
                    many(&sum, 100),
                    (1..=100)
                        .map(|place| place.to_string())
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
                false,
            ),
        ] {
            let start: String = sql.chars().rev().take(60).collect();
            assert_eq!(refused(&sql), is_refused, "{start}");
        }
    }
}
