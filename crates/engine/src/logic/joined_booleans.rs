//! `concat` and `concat_ws` write booleans as PostgreSQL shows them, `t` and `f`. A cast to text
//! writes `true` and `false`, and so does `||`.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::functions::unicode::expr_fn::left;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Writes the booleans among the arguments. Not for Trino's dialects, where they are an error.
#[derive(Debug)]
pub(crate) struct JoinedBooleans;

impl AnalyzerRule for JoinedBooleans {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(plan, joins, written)
    }

    fn name(&self) -> &str {
        "joined_booleans"
    }
}

fn joins(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => matches!(call.func.name(), "concat" | "concat_ws"),
        _ => false,
    }
}

fn written(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(mut call) if matches!(call.func.name(), "concat" | "concat_ws") => {
            let mut changed = false;
            for value in &mut call.args {
                if value.get_type(schema).ok() == Some(DataType::Boolean) {
                    *value = left(cast(value.clone(), DataType::Utf8), lit(1_i64));
                    changed = true;
                }
            }
            Transformed::new_transformed(Expr::ScalarFunction(call), changed)
        }
        expr => Transformed::no(expr),
    }
}
