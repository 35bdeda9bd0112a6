//! Turns computed inputs of windows into columns below the window, for two reasons.
//!
//! A window over whole partitions evaluates its arguments, its filter and its keys for all rows of
//! a partition in one call. A function of millions of rows does not stop for seconds, and its
//! results count as those of one batch. A projection below evaluates it batch by batch.
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
//!     WindowAggr: rank() PARTITION BY [__window_input_0] … AS rank() PARTITION BY [length(s) > 5] …
//!       Projection: s, x, length(s) > 5 AS __window_input_0
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
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Operator, Window};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions::until;

/// The analyzer rule that runs last.
#[derive(Debug)]
pub(crate) struct WindowInputs;

impl AnalyzerRule for WindowInputs {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut found = false;
        plan.apply_with_subqueries(|node| {
            if let LogicalPlan::Window(window) = node {
                found = is_computed(window)?;
            }
            Ok(until(found))
        })?;
        if !found {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(rewritten).data()
    }

    fn name(&self) -> &str {
        "window_inputs"
    }
}

/// Returns whether any input of the window must become a column.
fn is_computed(window: &Window) -> Result<bool> {
    let mut found = false;
    for expr in &window.window_expr {
        expr.apply(|part| {
            if let Expr::WindowFunction(function) = part {
                let params = &function.params;
                let order = params.order_by.iter().map(|sort| &sort.expr);
                let mut keys = params.partition_by.iter().chain(order);
                let mut values = params.args.iter().chain(params.filter.as_deref());
                found |= keys.any(|key| is_unclear(key) || may_take_long(key))
                    || values.any(may_take_long);
            }
            Ok(until(found))
        })?;
    }
    Ok(found)
}

/// Returns whether the expression calls a function, or searches, for each row.
fn may_take_long(expr: &Expr) -> bool {
    use Operator as O;
    let mut calls = false;
    let walked = expr.apply(|part| {
        calls = match part {
            Expr::ScalarFunction(_) | Expr::Like(_) | Expr::SimilarTo(_) => true,
            Expr::BinaryExpr(binary) => matches!(
                binary.op,
                O::RegexMatch | O::RegexIMatch | O::RegexNotMatch | O::RegexNotIMatch
            ),
            _ => false,
        };
        Ok(until(calls))
    });
    walked.is_ok() && calls && !expr.column_refs().is_empty() && !expr.contains_outer()
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
    if !is_computed(&window)? {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    let Window {
        input,
        window_expr,
        schema,
    } = window;
    let mut inputs = Inputs::default();
    let names = NamePreserver::new_for_projection();
    let windows = window_expr.into_iter().map(|expr| {
        let name = names.save(&expr);
        let expr = expr
            .transform_down(|part| Ok(inputs.taken_from(part)))
            .data()?;
        Ok(name.restore(expr))
    });
    let windows = windows.collect::<Result<Vec<_>>>()?;

    let below = input.schema().iter().map(Expr::from);
    let below: Vec<Expr> = below.chain(inputs.columns()).collect();
    let input = LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(below)?;
    let window = Window::try_new(windows, Arc::new(input.build()?))?;
    LogicalPlanBuilder::from(LogicalPlan::Window(window))
        .project(schema.iter().map(Expr::from))?
        .build()
        .map(Transformed::yes)
}

/// Inputs that become columns.
#[derive(Default)]
struct Inputs(Vec<Expr>);

impl Inputs {
    /// Returns the window function over columns for its computed inputs.
    fn taken_from(&mut self, expr: Expr) -> Transformed<Expr> {
        let Expr::WindowFunction(mut function) = expr else {
            return Transformed::no(expr);
        };
        let WindowFunction { params, .. } = function.as_mut();
        let order = params.order_by.iter_mut().map(|sort| &mut sort.expr);
        for key in params.partition_by.iter_mut().chain(order) {
            if is_unclear(key) || may_take_long(key) {
                *key = self.column(std::mem::take(key));
            }
        }
        for value in params.args.iter_mut().chain(params.filter.as_deref_mut()) {
            if may_take_long(value) {
                *value = self.column(std::mem::take(value));
            }
        }
        Transformed::new(
            Expr::WindowFunction(function),
            true,
            TreeNodeRecursion::Jump,
        )
    }

    /// Returns the column for an input. A volatile function has a column for each of its calls.
    fn column(&mut self, input: Expr) -> Expr {
        let known = self.0.iter().position(|known| *known == input);
        let index = known.filter(|_| !input.is_volatile()).unwrap_or_else(|| {
            self.0.push(input);
            self.0.len() - 1
        });
        Expr::Column(Column::new_unqualified(name(index)))
    }

    fn columns(self) -> impl Iterator<Item = Expr> {
        let inputs = self.0.into_iter().enumerate();
        inputs.map(|(index, input)| input.alias(name(index)))
    }
}

fn name(index: usize) -> String {
    format!("__window_input_{index}")
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
            .with_analyzer_rule(Arc::new(WindowInputs))
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
    async fn arguments_and_filters_may_call_functions() {
        for (window, values) in [
            ("sum(length(s)) OVER (ORDER BY x)", ["1", "3", "5", "5"]),
            (
                "count(*) FILTER (WHERE s LIKE 'b%') OVER ()",
                ["2", "2", "2", "2"],
            ),
            (
                "sum(x) FILTER (WHERE upper(s) ~ 'B') OVER (ORDER BY x ROWS 1 PRECEDING)",
                ["", "2", "3", "5"],
            ),
            (
                "lag(upper(s), 1, lower('X')) OVER (ORDER BY x)",
                ["A", "BB", "BB", "x"],
            ),
            (
                "first_value(upper(s)) OVER (PARTITION BY upper(s) ORDER BY abs(x))",
                ["", "A", "BB", "BB"],
            ),
            (
                "sum(abs(x)) OVER (PARTITION BY x % 2 ORDER BY abs(x)) + max(abs(x)) OVER ()",
                ["5", "6", "8", "10"],
            ),
        ] {
            let sql = format!("SELECT {window} FROM {ROWS}");
            let mut values = values.to_vec();
            values.sort();
            assert_eq!(column(&sql).await, values, "{sql}");
        }
    }

    #[tokio::test]
    async fn functions_are_evaluated_below_the_window() {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rule(Arc::new(WindowInputs))
            .build();
        let sql = format!("SELECT sum(length(md5(s))) OVER () FROM {ROWS}");
        let frame = SessionContext::new_with_state(state).sql(&sql).await;
        let plan = frame.unwrap().into_optimized_plan().unwrap().to_string();
        let (_, window) = plan.split_once("WindowAggr").unwrap();
        assert!(window.contains("sum(__window_input_0)"), "{plan}");
        let (_, below) = window.split_once("Projection").unwrap();
        assert!(below.contains("length(md5(t.s))"), "{plan}");
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
