//! `gcd` and `lcm` of integers are `integer` in PostgreSQL, unless one is a `bigint`. DataFusion's
//! return `bigint`; a result that does not fit is an error.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::expressions;

/// Casts the results. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct Divisors;

impl AnalyzerRule for Divisors {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let concerns = |expr: &Expr| match expr {
            Expr::ScalarFunction(call) => is_divisor(call),
            _ => false,
        };
        if !expressions::has(&plan, concerns)? {
            return Ok(plan);
        }
        expressions::retyped(plan, &narrowed, &|_: &LogicalPlan| Ok(None))
    }

    fn name(&self) -> &str {
        "divisors"
    }
}

fn is_divisor(call: &ScalarFunction) -> bool {
    matches!(call.func.name(), "gcd" | "lcm")
}

fn narrowed(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(call) = expr else {
        return Ok(Transformed::no(expr));
    };
    let narrows = is_divisor(&call) && are_small(&call.args, schema);
    let call = Expr::ScalarFunction(call);
    Ok(match narrows {
        true => Transformed::yes(cast(call, DataType::Int32)),
        false => Transformed::no(call),
    })
}

fn are_small(args: &[Expr], schema: &DFSchema) -> bool {
    args.iter().all(|arg| {
        let of = arg.get_type(schema);
        matches!(of, Ok(DataType::Int8 | DataType::Int16 | DataType::Int32))
    })
}
