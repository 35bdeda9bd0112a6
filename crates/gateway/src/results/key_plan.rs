//! The plan of a stored key: small, and holding nothing that does not take part in comparisons.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::logical_plan::builder::LogicalTableSource;
use datafusion::logical_expr::{Expr, LogicalPlan};
use lakegate_engine::{large_constant, without_reservations};

/// Estimated memory of a node, of a column of its schema and of an expression, in bytes.
const NODE: usize = 512;
const COLUMN: usize = 128;
const EXPRESSION: usize = 192;

/// Returns the plan with its tables replaced by their schemas, and without reservations of memory, which
/// the cache makes itself. Plans compare equal regardless of these and of the contents of their tables.
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
    // It can only fail with an error of the closure, which returns none.
    let kept = stripped.data().and_then(without_reservations);
    kept.unwrap_or_else(|_| plan.clone())
}

/// Estimates the memory of a plan, in bytes. Data shared between nodes is counted for each.
pub(crate) fn bytes(plan: &LogicalPlan) -> usize {
    let mut bytes = 0usize;
    let walked = plan.apply_with_subqueries(|node| {
        bytes += NODE + node.schema().fields().len() * COLUMN;
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                bytes += EXPRESSION;
                let constant = match expr {
                    Expr::Literal(value, _) => Some(value),
                    expr => large_constant(expr),
                };
                bytes += constant.map_or(0, ScalarValue::size);
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    match walked {
        Ok(_) => bytes,
        Err(_) => usize::MAX / 2,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::empty::EmptyTable;
    use datafusion::datasource::{provider_as_source, source_as_provider};
    use datafusion::logical_expr::{LogicalPlanBuilder, col, exists, lit};

    use super::*;

    #[test]
    fn kept_plan_holds_no_tables_and_is_measured() {
        let field = |name| Field::new(name, DataType::Utf8, true);
        let schema = Schema::new(vec![field("a"), field("b"), field("c")]);
        let table = provider_as_source(Arc::new(EmptyTable::new(Arc::new(schema))));
        let scan = LogicalPlanBuilder::scan("t", table, None).unwrap();
        let scanned = scan.clone().build().unwrap();
        assert_eq!(bytes(&scanned), NODE + 3 * COLUMN);
        let literal = lit("x".repeat(1000));
        let size = match &literal {
            Expr::Literal(value, _) => value.size(),
            _ => 0,
        };
        let filtered = |condition| scan.clone().filter(condition).unwrap().build().unwrap();
        let plan = filtered(col("a").eq(literal));
        let of_both = 2 * (NODE + 3 * COLUMN);
        assert_eq!(bytes(&plan), of_both + 3 * EXPRESSION + size);

        let plan = filtered(exists(Arc::new(scanned)));
        let kept = without_tables(&plan);
        assert_eq!(kept, plan);
        let mut tables = 0;
        kept.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                tables += 1;
                assert!(source_as_provider(&scan.source).is_err());
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        assert_eq!(tables, 2);
    }
}
