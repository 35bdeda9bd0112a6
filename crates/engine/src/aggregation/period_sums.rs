//! `sum` and `avg` of the time between two timestamps. In PostgreSQL this time is an interval of days
//! and hours, which are added up separately. Here it is a number of microseconds, and a sum of those
//! would be shown with all the days that it has.
//!
//! ```text
//! sum(t2 - t1)    sum(CAST(t2 - t1 AS INTERVAL)): 20 hours and 20 hours are 40 hours
//! ```

use arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;
use crate::windows::frames::written_name;

/// Sums such times as intervals. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct PeriodSums;

impl AnalyzerRule for PeriodSums {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let may = |expr: &Expr| argument(expr).is_some();
        if !expressions::has_typed(&plan, may, is_of_periods)? {
            return Ok(plan);
        }
        let rewrite = |expr: Expr, schema: &DFSchema| {
            Ok(match is_of_periods(&expr, schema) {
                true => Transformed::yes(of_interval(expr)),
                false => Transformed::no(expr),
            })
        };
        expressions::retyped(plan, &rewrite, &|_: &LogicalPlan| Ok(None))
    }

    fn name(&self) -> &str {
        "period_sums"
    }
}

/// Returns what a call of `sum` or `avg` is of, in windows also one whose frames exclude rows.
fn argument(expr: &Expr) -> Option<&Expr> {
    let (name, args) = match expr {
        Expr::AggregateFunction(call) => (call.func.name(), &call.params.args),
        Expr::WindowFunction(window) => (window.fun.name(), &window.params.args),
        _ => return None,
    };
    match args.as_slice() {
        [argument] if matches!(written_name(name), "sum" | "avg") => Some(argument),
        _ => None,
    }
}

fn is_of_periods(expr: &Expr, schema: &DFSchema) -> bool {
    let of = argument(expr).and_then(|argument| argument.get_type(schema).ok());
    matches!(of, Some(DataType::Duration(_)))
}

/// Returns the call with its arguments as intervals.
fn of_interval(mut expr: Expr) -> Expr {
    let args = match &mut expr {
        Expr::AggregateFunction(call) => Some(&mut call.params.args),
        Expr::WindowFunction(window) => Some(&mut window.params.args),
        _ => None,
    };
    for argument in args.into_iter().flatten() {
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        *argument = cast(std::mem::take(argument), interval);
    }
    expr
}
