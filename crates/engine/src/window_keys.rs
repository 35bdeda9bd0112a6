//! Turns computed keys of windows into columns below the window.
//!
//! To find an expression in an order, DataFusion computes the range of each of its parts. It knows
//! none for a function, a CASE or an equality, not even a type. To compare or combine such a part
//! is an error, for which the whole expression counts as unordered (`get_expr_properties` of
//! `datafusion-physical-expr`, 55.2). A sort by it then does not satisfy the window above:
//!
//! ```text
//! rank() OVER (PARTITION BY length(s) > 5 ORDER BY x)
//!     DataFusion: "does not satisfy order requirements"
//!
//!   Projection: s, x, rank() PARTITION BY [length(s) > 5] …
//!     WindowAggr: rank() PARTITION BY [__window_key_0] … AS rank() PARTITION BY [length(s) > 5] …
//!       Projection: s, x, length(s) > 5 AS __window_key_0
//! ```
//!
//! An analyzer rule that runs after those that change expressions. Delete it when the plans of the
//! test pass without it.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Between, BinaryExpr, Cast, TryCast, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Window};
use datafusion::optimizer::AnalyzerRule;

use super::expressions::until;

/// The analyzer rule that runs last.
#[derive(Debug)]
pub struct WindowKeys;

impl AnalyzerRule for WindowKeys {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut found = false;
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::Window(window) = node {
                found = has_unclear_key(window)?;
            }
            Ok(until(found))
        })?;
        if !found {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(rewritten).data()
    }

    fn name(&self) -> &str {
        "window_keys"
    }
}

fn has_unclear_key(window: &Window) -> Result<bool> {
    let mut found = false;
    for expr in &window.window_expr {
        expr.apply(|part| {
            if let Expr::WindowFunction(function) = part {
                let order = function.params.order_by.iter().map(|sort| &sort.expr);
                let mut keys = function.params.partition_by.iter().chain(order);
                found |= keys.any(is_unclear);
            }
            Ok(until(found))
        })?;
    }
    Ok(found)
}

/// Returns whether the key compares or combines computed values.
fn is_unclear(key: &Expr) -> bool {
    let mut found = false;
    let walked = key.apply(|part| {
        found = match part {
            Expr::BinaryExpr(BinaryExpr { left, right, .. }) => !is_plain(left) || !is_plain(right),
            Expr::Between(Between {
                expr, low, high, ..
            }) => !is_plain(expr) || !is_plain(low) || !is_plain(high),
            // A short list becomes equalities joined by OR.
            Expr::InList(_) => true,
            _ => false,
        };
        Ok(until(found))
    });
    found || walked.is_err()
}

/// Returns whether DataFusion knows the range of the expression, if only from its type.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) | Expr::Placeholder(_) => true,
        Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. }) => is_plain(expr),
        _ => false,
    }
}

fn rewritten(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Window(window) = node else {
        return Ok(Transformed::no(node));
    };
    if !has_unclear_key(&window)? {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    let Window {
        input,
        window_expr,
        schema,
    } = window;
    let mut keys = Keys::default();
    let names = NamePreserver::new_for_projection();
    let windows = window_expr.into_iter().map(|expr| {
        let name = names.save(&expr);
        let expr = expr
            .transform_down(|part| Ok(keys.taken_from(part)))
            .data()?;
        Ok(name.restore(expr))
    });
    let windows = windows.collect::<Result<Vec<_>>>()?;

    let below = input.schema().iter().map(Expr::from);
    let below: Vec<Expr> = below.chain(keys.columns()).collect();
    let input = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(below)?;
    let window = Window::try_new(windows, Arc::new(input.build()?))?;
    LogicalPlanBuilder::from(LogicalPlan::Window(window))
        .project(schema.iter().map(Expr::from))?
        .build()
        .map(Transformed::yes)
}

/// Keys that become columns.
#[derive(Default)]
struct Keys(Vec<Expr>);

impl Keys {
    fn taken_from(&mut self, expr: Expr) -> Transformed<Expr> {
        let Expr::WindowFunction(mut function) = expr else {
            return Transformed::no(expr);
        };
        let WindowFunction { params, .. } = function.as_mut();
        let order = params.order_by.iter_mut().map(|sort| &mut sort.expr);
        for key in params.partition_by.iter_mut().chain(order) {
            if is_unclear(key) {
                *key = self.column(std::mem::take(key));
            }
        }
        Transformed::new(
            Expr::WindowFunction(function),
            true,
            TreeNodeRecursion::Jump,
        )
    }

    /// Returns the column for a key.
    fn column(&mut self, key: Expr) -> Expr {
        let place = self.0.iter().position(|known| *known == key);
        let place = place.unwrap_or_else(|| {
            self.0.push(key);
            self.0.len() - 1
        });
        Expr::Column(Column::new_unqualified(name(place)))
    }

    fn columns(self) -> impl Iterator<Item = Expr> {
        let keys = self.0.into_iter().enumerate();
        keys.map(|(place, key)| key.alias(name(place)))
    }
}

fn name(place: usize) -> String {
    format!("__window_key_{place}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    async fn column(sql: &str) -> Vec<String> {
        let state = SessionStateBuilder::new()
            .with_config(SessionConfig::new().with_target_partitions(2))
            .with_default_features()
            .with_analyzer_rule(Arc::new(WindowKeys))
            .build();
        let frame = SessionContext::new_with_state(state)
            .sql(sql)
            .await
            .unwrap();
        let mut cells = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let column = batch.column(0);
            cells.extend(
                (0..batch.num_rows()).map(|row| array_value_to_string(column, row).unwrap()),
            );
        }
        cells.sort();
        cells
    }

    const ROWS: &str = "(VALUES (1, 'a'), (2, 'bb'), (3, 'bb'), (4, NULL)) t(x, s)";

    #[tokio::test]
    async fn keys_may_be_calculated() {
        for (key, ranks) in [
            ("length(s) > 1", ["1", "1", "1", "2"]),
            (
                "CASE WHEN x > 1 THEN 2 ELSE 3 END > 2",
                ["1", "1", "2", "3"],
            ),
            ("x IN (1, 2, 7)", ["1", "1", "2", "2"]),
            ("x = 1 OR x = 2", ["1", "1", "2", "2"]),
            ("x + abs(x) BETWEEN 3 AND 7", ["1", "1", "2", "2"]),
            ("s IS NULL AND x > 1", ["1", "1", "2", "3"]),
            ("x > 1, upper(s) = 'A'", ["1", "1", "1", "2"]),
        ] {
            let sql = format!("SELECT rank() OVER (PARTITION BY {key} ORDER BY x) FROM {ROWS}");
            assert_eq!(column(&sql).await, ranks, "{sql}");
        }
        let sql = format!("SELECT rank() OVER (ORDER BY length(s) > 1 NULLS LAST) FROM {ROWS}");
        assert_eq!(column(&sql).await, ["1", "2", "2", "4"]);
    }

    #[tokio::test]
    async fn columns_keep_their_names_and_places() {
        let window = "rank() OVER (PARTITION BY length(s) > 1 ORDER BY x) AS r";
        let sql = format!(
            "SELECT r + sum(x) OVER (PARTITION BY length(s) > 1, r > abs(r) ORDER BY x) FROM (SELECT *, {window} FROM {ROWS}) q WHERE r < 3"
        );
        assert_eq!(column(&sql).await, ["2", "3", "5", "7"]);
        let sql = format!("SELECT * FROM (SELECT *, {window} FROM {ROWS}) q");
        assert_eq!(column(&sql).await, ["1", "2", "3", "4"]);
    }
}
