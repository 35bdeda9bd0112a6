//! `gcd` and `lcm` of `smallint` and `integer` have the type of their operands in PostgreSQL.
//! DataFusion's return `bigint`; a result that does not fit the type is an error.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use super::expressions;

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
    let returns = match is_divisor(&call) {
        true => narrow(&call.args, schema),
        false => None,
    };
    let call = Expr::ScalarFunction(call);
    Ok(match returns {
        Some(returns) => Transformed::yes(cast(call, returns)),
        None => Transformed::no(call),
    })
}

/// Returns the type of the widest operand; `None` if one is no small integer.
fn narrow(args: &[Expr], schema: &DFSchema) -> Option<DataType> {
    let mut widest = DataType::Int16;
    for arg in args {
        match arg.get_type(schema).ok()? {
            DataType::Int8 | DataType::Int16 => {}
            DataType::Int32 => widest = DataType::Int32,
            _ => return None,
        }
    }
    Some(widest)
}
