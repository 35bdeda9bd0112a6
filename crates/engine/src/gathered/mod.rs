//! What aggregate and window functions gather is counted, and their work can be stopped.
//!
//! ```text
//!  aggregates.rs   each aggregate function: its accumulators ask whether the query is still wanted
//!  lists.rs        those of array_agg, which keep the arrays that they are given, and say how large these are
//!  windows.rs      the same for functions that are for windows only
//!  kept.rs         memory of the pool for what a window keeps and makes, which the engine does not count
//!  pinned.rs       sizes of arrays by the buffers that they keep
//! ```
//!
//! Within one call, a window evaluates its function for each row of a partition, and puts the values in one array. Of functions whose
//! values grow with the frame, such as array_agg, that array has the square of the rows.

mod aggregates;
mod kept;
mod lists;
mod pinned;
mod windows;

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::expr::WindowFunctionDefinition;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
pub use kept::{Entered, Kept, given};

use super::expressions;

/// Wraps the aggregate and the window functions of a session. Comes after all of them are registered.
pub fn register(state: &mut SessionState) -> Result<()> {
    let aggregates: Vec<_> = state.aggregate_functions().values().cloned().collect();
    for function in aggregates {
        state.register_udaf(aggregates::gathered(function))?;
    }
    let windows: Vec<_> = state.window_functions().values().cloned().collect();
    for function in windows {
        state.register_udwf(windows::gathered(function))?;
    }
    state.add_analyzer_rule(Arc::new(FilteredWindows));
    Ok(())
}

/// Tells the aggregate functions of windows that there are rows which they are not given.
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
    let told = match &window.fun {
        WindowFunctionDefinition::AggregateUDF(function) if window.params.filter.is_some() => {
            aggregates::filtered(function)
        }
        _ => None,
    };
    match told {
        Some(function) => {
            window.fun = WindowFunctionDefinition::AggregateUDF(function);
            Transformed::yes(Expr::WindowFunction(window))
        }
        None => Transformed::no(Expr::WindowFunction(window)),
    }
}

#[cfg(test)]
mod tests;
