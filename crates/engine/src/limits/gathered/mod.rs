//! Counts the memory that aggregate and window functions gather, and makes their work stoppable.
//!
//! ```text
//!  aggregates.rs   aggregate functions: their accumulators check whether the query is still wanted
//!  lists.rs        accumulators of array_agg, which keep their input arrays and report their size
//!  sorted_lists.rs accumulators of array_agg that sort what they keep
//!  distinct.rs     accumulators of count(DISTINCT …) of arrays, maps, rows and bytes
//!  distinct_texts.rs   the same of texts
//!  windows.rs      the same for functions that only exist as window functions
//!  kept.rs         pool memory for what a window keeps and produces, uncounted by DataFusion
//!  pinned.rs       sizes of arrays by the buffers that they keep in memory
//! ```
//!
//! Within one call, a window evaluates its function for each row of a partition and collects the
//! values in one array. If values grow with the frame, as those of array_agg do, that array is
//! quadratic in the number of rows.

mod aggregates;
mod distinct;
mod distinct_texts;
mod kept;
mod lists;
mod pinned;
mod sorted_lists;
mod windows;

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{Accumulator, AggregateUDF, Expr, LogicalPlan, WindowUDF};
use datafusion::optimizer::AnalyzerRule;
pub(crate) use kept::{Entered, Kept, given};
pub(crate) use pinned::Pinned;

use crate::plans::expressions;

/// Wraps the aggregate and window functions of a session. Call it after all of them are registered.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    gather(state)?;
    state.add_analyzer_rule(Arc::new(FilteredWindows));
    Ok(())
}

/// Wraps the functions that were registered after [`register`].
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(crate) fn gather(state: &mut SessionState) -> Result<()> {
    let aggregates: Vec<_> = state.aggregate_functions().values().cloned().collect();
    for function in aggregates {
        state.register_udaf(aggregates::gathered(function))?;
    }
    let windows: Vec<_> = state.window_functions().values().cloned().collect();
    for function in windows {
        state.register_udwf(windows::gathered(function))?;
    }
    Ok(())
}

/// Returns an aggregate function without its wrapping.
pub(crate) fn plain(function: &Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    aggregates::plain(function)
}

/// Returns an accumulator without its wrappings.
pub(crate) fn plain_accumulator<'a>(
    accumulator: &'a (dyn Accumulator + 'static),
) -> &'a (dyn Accumulator + 'static) {
    aggregates::plain_accumulator(accumulator)
}

/// Returns a window function without its wrapping.
pub(crate) fn plain_window(function: &Arc<WindowUDF>) -> Arc<WindowUDF> {
    windows::plain(function)
}

/// Returns an aggregate function that no session registers, wrapped.
pub(crate) fn of_aggregate(function: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    aggregates::gathered(function)
}

/// Returns a window function that no session registers, wrapped.
pub(crate) fn of_window(function: Arc<WindowUDF>) -> Arc<WindowUDF> {
    windows::gathered(function)
}

/// Marks the aggregate functions of windows with FILTER, which do not see all rows.
#[derive(Debug)]
struct FilteredWindows;

impl AnalyzerRule for FilteredWindows {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_window = |expr: &Expr| matches!(expr, Expr::WindowFunction(_));
        expressions::rewritten(plan, is_window, filtered)
    }

    fn name(&self) -> &str {
        "filtered_windows"
    }
}

fn filtered(expr: Expr, _: &DFSchema) -> Transformed<Expr> {
    let Expr::WindowFunction(mut window) = expr else {
        return Transformed::no(expr);
    };
    let replacement = match &window.fun {
        WindowFunctionDefinition::AggregateUDF(function) if window.params.filter.is_some() => {
            aggregates::filtered(function)
        }
        _ => None,
    };
    match replacement {
        Some(function) => {
            window.fun = WindowFunctionDefinition::AggregateUDF(function);
            Transformed::yes(Expr::WindowFunction(window))
        }
        None => Transformed::no(Expr::WindowFunction(window)),
    }
}

#[cfg(test)]
mod tests;
