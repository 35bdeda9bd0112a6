//! `gcd` and `lcm` of integers are `integer` in PostgreSQL, unless one is a `bigint`. DataFusion's
//! return `bigint`; a result that does not fit is an error. Of decimals, DataFusion's result has the
//! digits of the arguments, which are too few for a multiple; here it has all digits that there are.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

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
    let Expr::ScalarFunction(mut call) = expr else {
        return Ok(Transformed::no(expr));
    };
    if !is_divisor(&call) {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    if let Some(decimals) = decimals(&call.args, schema) {
        let args = std::mem::take(&mut call.args).into_iter();
        call.args = args.map(|arg| cast(arg, decimals.clone())).collect();
        return Ok(Transformed::yes(Expr::ScalarFunction(call)));
    }
    let narrows = are_small(&call.args, schema);
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

/// Returns the type of decimals with as many digits as there are, if one argument is a decimal of
/// another type, and the others are integers or decimals.
fn decimals(args: &[Expr], schema: &DFSchema) -> Option<DataType> {
    let types: Result<Vec<DataType>> = args.iter().map(|arg| arg.get_type(schema)).collect();
    let types = types.ok()?;
    let mut most = None;
    for of in &types {
        match of {
            DataType::Decimal128(_, scale) => most = most.max(Some(*scale)),
            of if of.is_integer() => {}
            _ => return None,
        }
    }
    let wide = DataType::Decimal128(DECIMAL128_MAX_PRECISION, most?.max(0));
    types.iter().any(|of| *of != wide).then_some(wide)
}
