//! Feeds functions that depend on the order of their rows in the order of an ordered subquery, as
//! PostgreSQL does.
//!
//! ```text
//! SELECT array_agg(x) FROM (SELECT x FROM t ORDER BY y) s
//!
//!   Aggregate: array_agg(s.x)                  Aggregate: array_agg(s.x ORDER BY s.__order_1)
//!     SubqueryAlias: s                           SubqueryAlias: s
//!       Projection: t.x                            Projection: t.x, t.y AS __order_1
//!         Sort: t.y                                  Projection: t.x, t.y
//!           Projection: t.x, t.y
//! ```
//!
//! DataFusion's SQL planner drops the sorts of subqueries, unless `enable_subquery_sort_elimination`
//! is off as it is here, and its physical optimizer drops those that no operator requires. So these
//! get the keys of the sort as an ORDER BY of their own ([`origin`] finds them):
//!
//! - aggregates such as `array_agg(x)`, without DISTINCT, which has an order of its own;
//! - windows without ORDER BY, such as `row_number() OVER ()` and `sum(x) OVER (ROWS 1 PRECEDING)`,
//!   but not `rank()`: rows without keys are peers;
//! - `SELECT DISTINCT ON (k) x`, which takes the first row of each group, after its own ORDER BY.
//!
//! Rows of set-returning functions over an ordered subquery are in its order ([`sets`]).
//!
//! Then sorts are dropped whose order nothing shows ([`unused`]): those of a query's own rows and
//! of limits stay.

mod origin;
mod sets;
#[cfg(test)]
mod tests;
mod unused;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, LogicalPlan, LogicalPlanBuilder, SortExpr, Window,
    WindowFrameUnits, WindowFunctionDefinition,
};
use datafusion::optimizer::AnalyzerRule;

use self::origin::HiddenNames;
pub use self::origin::is_hidden_order;
use crate::plans::expressions::has_operator;

/// Aggregate functions whose result depends on the order of rows. The aggregates of JSON gather
/// with `array_agg`.
const AGGREGATES: &[&str] = &[
    "array_agg",
    "string_agg",
    "listagg",
    "first_value",
    "last_value",
    "nth_value",
];

/// Window functions that depend on the order of rows, but not on which of them are peers.
const WINDOWS: &[&str] = &[
    "row_number",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];

/// The analyzer rule. It runs before the rules that change keys of orders.
#[derive(Debug)]
pub(crate) struct InputOrder;

impl AnalyzerRule for InputOrder {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_ordered = |node: &LogicalPlan| {
            matches!(
                node,
                LogicalPlan::Sort(_) | LogicalPlan::Distinct(Distinct::On(_))
            )
        };
        if !has_operator(&plan, |node| Ok(is_ordered(node)))? {
            return Ok(plan);
        }
        let mut names = HiddenNames::default();
        let plan = match has_operator(&plan, |node| Ok(may_take_order(node)))? {
            true => {
                let plan = plan.transform_up_with_subqueries(|node| ordered(node, &mut names));
                plan.data()?
            }
            false => plan,
        };
        unused::removed(sets::in_order(plan, &mut names)?)
    }

    fn name(&self) -> &str {
        "input_order"
    }
}

/// Returns whether [`ordered`] may change an operator.
fn may_take_order(node: &LogicalPlan) -> bool {
    matches!(
        node,
        LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Distinct(Distinct::On(_))
    )
}

fn ordered(node: LogicalPlan, names: &mut HiddenNames) -> Result<Transformed<LogicalPlan>> {
    match node {
        LogicalPlan::Aggregate(aggregate) => of_aggregate(aggregate, names),
        LogicalPlan::Window(window) => of_window(window, names),
        LogicalPlan::Distinct(Distinct::On(distinct)) => of_distinct(distinct, names),
        node => Ok(Transformed::no(node)),
    }
}

fn of_aggregate(aggregate: Aggregate, names: &mut HiddenNames) -> Result<Transformed<LogicalPlan>> {
    let same = |aggregate| Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    if !has(&aggregate.aggr_expr, takes_order)? {
        return same(aggregate);
    }
    let Some(input) = origin::of(&aggregate.input, names)? else {
        return same(aggregate);
    };
    let Aggregate {
        group_expr,
        aggr_expr,
        ..
    } = aggregate;
    let functions = aggr_expr
        .into_iter()
        .map(|function| with_order(function, &input.keys));
    let functions = functions.collect::<Result<Vec<_>>>()?;
    let aggregate = Aggregate::try_new(Arc::new(input.plan), group_expr, functions)?;
    Ok(Transformed::yes(LogicalPlan::Aggregate(aggregate)))
}

fn of_window(window: Window, names: &mut HiddenNames) -> Result<Transformed<LogicalPlan>> {
    let same = |window| Ok(Transformed::no(LogicalPlan::Window(window)));
    if !has(&window.window_expr, takes_order)? {
        return same(window);
    }
    let Some(input) = origin::of(&window.input, names)? else {
        return same(window);
    };
    // All functions of an operator have the same keys.
    let (mut ordered, mut others) = (Vec::new(), Vec::new());
    for function in window.window_expr {
        match has(std::slice::from_ref(&function), takes_order)? {
            true => ordered.push(with_order(function, &input.keys)?),
            false => others.push(function),
        }
    }
    let mut plan = input.plan;
    if !others.is_empty() {
        plan = LogicalPlan::Window(Window::try_new(others, Arc::new(plan))?);
    }
    let plan = LogicalPlan::Window(Window::try_new(ordered, Arc::new(plan))?);
    LogicalPlanBuilder::from(plan)
        .project(window.schema.iter().map(Expr::from))?
        .build()
        .map(Transformed::yes)
}

/// Makes `DISTINCT ON` take the first row of each group in the order of its input, as far as its
/// own order leaves that open.
fn of_distinct(distinct: DistinctOn, names: &mut HiddenNames) -> Result<Transformed<LogicalPlan>> {
    let Some(input) = origin::of(&distinct.input, names)? else {
        let distinct = Distinct::On(distinct);
        return Ok(Transformed::no(LogicalPlan::Distinct(distinct)));
    };
    let groups = distinct.on_expr.iter().map(|group| {
        let key = input.keys.iter().find(|key| key.expr == *group);
        key.cloned()
            .unwrap_or_else(|| SortExpr::new(group.clone(), true, false))
    });
    let own = distinct.sort_expr.unwrap_or_else(|| groups.collect());
    let order = own.into_iter().chain(input.keys.iter().cloned());
    let distinct = DistinctOn::try_new(
        distinct.on_expr,
        distinct.select_expr,
        Some(order.collect()),
        Arc::new(input.plan),
    )?;
    let distinct = Distinct::On(distinct);
    Ok(Transformed::yes(LogicalPlan::Distinct(distinct)))
}

/// Returns whether any of the expressions has a part that `is` selects.
fn has(exprs: &[Expr], is: impl Fn(&Expr) -> bool) -> Result<bool> {
    for expr in exprs {
        if expr.exists(|part| Ok(is(part)))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether the function has no order, and a result that depends on it.
fn takes_order(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(call) => {
            let params = &call.params;
            AGGREGATES.contains(&call.func.name()) && params.order_by.is_empty() && !params.distinct
        }
        Expr::WindowFunction(call) => {
            let WindowFunction { fun, params } = call.as_ref();
            let frame = &params.window_frame;
            let of_all = frame.start_bound.is_unbounded() && frame.end_bound.is_unbounded();
            let depends = match fun {
                WindowFunctionDefinition::WindowUDF(function) => WINDOWS.contains(&function.name()),
                WindowFunctionDefinition::AggregateUDF(function) => {
                    !of_all || AGGREGATES.contains(&function.name())
                }
            };
            // Without keys, the other frames hold the whole partition.
            depends && params.order_by.is_empty() && frame.units == WindowFrameUnits::Rows
        }
        _ => false,
    }
}

/// Returns the expression with an order for its functions. Its name stays.
fn with_order(expr: Expr, keys: &[SortExpr]) -> Result<Expr> {
    let name = NamePreserver::new_for_projection().save(&expr);
    let expr = expr.transform_down(|part| {
        if !takes_order(&part) {
            return Ok(Transformed::no(part));
        }
        let part = match part {
            Expr::AggregateFunction(mut call) => {
                call.params.order_by = keys.to_vec();
                Expr::AggregateFunction(call)
            }
            Expr::WindowFunction(mut call) => {
                call.params.order_by = keys.to_vec();
                Expr::WindowFunction(call)
            }
            part => part,
        };
        Ok(Transformed::new(part, true, TreeNodeRecursion::Jump))
    });
    Ok(name.restore(expr.data()?))
}
