//! `array_agg(DISTINCT x)` returns its values in their order, as in PostgreSQL, which sorts them to
//! find those that are equal. DataFusion returns them in any order. Arrays, rows and intervals keep
//! that: the order would have to be by other values than those that are distinct.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, SortExpr};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// Gives such calls an ORDER BY. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct SortedDistinct;

impl AnalyzerRule for SortedDistinct {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let concerns = |expr: &Expr| match expr {
            Expr::AggregateFunction(call) => is_unsorted(call),
            _ => false,
        };
        expressions::rewritten(plan, concerns, sorted)
    }

    fn name(&self) -> &str {
        "sorted_distinct"
    }
}

fn is_unsorted(call: &AggregateFunction) -> bool {
    let params = &call.params;
    call.func.name() == "array_agg" && params.distinct && params.order_by.is_empty()
}

fn sorted(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::AggregateFunction(mut call) if is_unsorted(&call) => {
            let value = call.params.args.first();
            let value = value.filter(|value| value.get_type(schema).is_ok_and(|of| has_order(&of)));
            let order: Vec<SortExpr> = value
                .map(|value| SortExpr::new(value.clone(), true, false))
                .into_iter()
                .collect();
            let changed = !order.is_empty();
            call.params.order_by = order;
            Transformed::new_transformed(Expr::AggregateFunction(call), changed)
        }
        expr => Transformed::no(expr),
    }
}

fn has_order(of: &DataType) -> bool {
    of.is_numeric()
        || of.is_string()
        || of.is_binary()
        || matches!(
            of,
            DataType::Boolean
                | DataType::Date32
                | DataType::Date64
                | DataType::Timestamp(..)
                | DataType::Time32(_)
                | DataType::Time64(_)
        )
}
