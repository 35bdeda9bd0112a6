//! Replaces the columns of EXISTS subqueries, which are never read.
//!
//! DataFusion drops the columns that such a subquery selects, but still reads the first column of
//! an input of which none is left: it panics over
//! `p OR EXISTS (SELECT b FROM a LEFT JOIN b ON true)` (`optimize_projections` of
//! `datafusion-optimizer`, 55.2). A constant in their place stays.
//!
//! An analyzer rule that runs after name resolution. Delete it when DataFusion does the same.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions;

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct Existence;

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
