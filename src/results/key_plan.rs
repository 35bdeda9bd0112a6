//! The plan of a key that is kept: small, and holding nothing that is not compared.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::logical_plan::builder::LogicalTableSource;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// Memory of a node, of a column of its schema and of an expression, about.
const NODE: usize = 512;
const COLUMN: usize = 128;
const EXPRESSION: usize = 192;

/// The plan with tables that know nothing but their columns: two plans are equal whatever their tables hold.
pub(super) fn without_tables(plan: &LogicalPlan) -> LogicalPlan {
    let stripped = plan.clone().transform_down_with_subqueries(|node| {
        Ok(match node {
            LogicalPlan::TableScan(mut scan) => {
                scan.source = Arc::new(LogicalTableSource::new(scan.source.schema()));
                Transformed::yes(LogicalPlan::TableScan(scan))
            }
            node => Transformed::no(node),
        })
    });
    // It only ever fails with what the closure fails with, which is nothing.
    stripped.data().unwrap_or_else(|_| plan.clone())
}

/// Bytes of memory, about: what is shared between nodes counts for each.
pub(super) fn bytes(plan: &LogicalPlan) -> usize {
    let mut bytes = 0usize;
    let walked = plan.apply_with_subqueries(|node| {
        bytes += NODE + node.schema().fields().len() * COLUMN;
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                bytes += EXPRESSION;
                if let Expr::Literal(value, _) = expr {
                    bytes += value.size();
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    match walked {
        Ok(_) => bytes,
        Err(_) => usize::MAX / 2,
    }
}
