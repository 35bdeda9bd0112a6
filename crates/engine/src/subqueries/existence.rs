//! EXISTS asks for rows and reads no columns.
//!
//! Those that its SELECT list names are left out in the end, and of a side without any the engine still asks for the first one: it
//! panics over `p OR EXISTS (SELECT b FROM a LEFT JOIN b ON true)` (`optimize_projections` of `datafusion-optimizer`, 55.2). A constant
//! in their place stays. An analyzer rule, when the names have been resolved. Delete it when the engine does this.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::expressions;

/// The rule.
#[derive(Debug)]
pub struct Existence;

impl AnalyzerRule for Existence {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !expressions::has(&plan, |expr| matches!(expr, Expr::Exists(_)))? {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(|node| {
            node.map_expressions(|expr| expr.transform_up(without_columns))
        })
        .data()
    }

    fn name(&self) -> &str {
        "existence"
    }
}

fn without_columns(mut expr: Expr) -> Result<Transformed<Expr>> {
    let Expr::Exists(exists) = &mut expr else {
        return Ok(Transformed::no(expr));
    };
    let LogicalPlan::Projection(list) = exists.subquery.subquery.as_ref() else {
        return Ok(Transformed::no(expr));
    };
    if !list.expr.iter().all(|item| matches!(item, Expr::Column(_))) {
        return Ok(Transformed::no(expr));
    }
    let rows = LogicalPlanBuilder::from(LogicalPlan::clone(&list.input));
    let rows = rows.project([lit(1_i64).alias("__row")])?.build()?;
    exists.subquery.subquery = Arc::new(rows);
    Ok(Transformed::yes(expr))
}
