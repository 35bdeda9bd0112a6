//! Drops the list of `SELECT *` over a wide relation before a plan is analysed.
//!
//! DataFusion looks up each column of a list in its input by comparing names one after the other
//! (`DFSchema::index_of_column_by_name`, 55.2), in each analysis and in each pass of the optimizer:
//! of 2,000 columns, these are two million comparisons each time. A list of all columns in their
//! order has the rows and the schema of its input, and the optimizer drops it too, at the end.
//!
//! ```text
//! Projection: t.c_1, …, t.c_2000
//!   Filter: t.c_1 > 3                becomes       Filter: t.c_1 > 3
//!     TableScan: t                                   TableScan: t
//! ```
//!
//! Delete this when DataFusion looks up columns by a hash.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};

use crate::plans::expressions::has_operator;

/// The columns of a list that is looked at. The lookups of a shorter one take less than a
/// millisecond.
const MIN_COLUMNS: usize = 256;

/// Returns the plan without such lists, with the same columns.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub fn without_full_lists(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_full =
        |node: &LogicalPlan| matches!(node, LogicalPlan::Projection(list) if has_all_columns(list));
    if !has_operator(&plan, |node| Ok(is_full(node)))? {
        return Ok(plan);
    }
    plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Projection(list) if has_all_columns(&list) => {
            Ok(Transformed::yes(Arc::unwrap_or_clone(list.input)))
        }
        node => Ok(Transformed::no(node)),
    })
    .data()
}

/// Returns whether a wide list is all columns of its input in their order.
fn has_all_columns(list: &Projection) -> bool {
    let input = list.input.schema();
    let is_column = |(expr, (qualifier, field)): (&Expr, (Option<&TableReference>, &FieldRef))| {
        matches!(expr, Expr::Column(column)
            if column.relation.as_ref() == qualifier && column.name == *field.name())
    };
    list.expr.len() >= MIN_COLUMNS
        && list.expr.len() == input.fields().len()
        && list.expr.iter().zip(input.iter()).all(is_column)
        && list.schema == *input
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::logical_expr::logical_plan::builder::table_scan;
    use datafusion::logical_expr::{LogicalPlanBuilder, col, exists, lit};

    use super::*;

    fn table(name: &str, columns: usize) -> LogicalPlanBuilder {
        let fields = (0..columns).map(|at| Field::new(format!("c_{at}"), DataType::Int64, true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        table_scan(Some(name), &schema, None).unwrap()
    }

    fn columns(plan: &LogicalPlanBuilder) -> Vec<Expr> {
        plan.schema().iter().map(Expr::from).collect()
    }

    #[test]
    fn lists_of_all_columns_are_dropped_below_others_too() {
        let wide = table("t", MIN_COLUMNS);
        let all = columns(&wide);
        let filtered = wide.filter(col("t.c_1").gt(lit(3_i64))).unwrap();
        let plain = filtered.clone().limit(0, Some(1)).unwrap().build().unwrap();
        let listed = filtered.project(all).unwrap().limit(0, Some(1)).unwrap();
        let listed = listed.build().unwrap();
        assert_ne!(listed, plain);
        assert_eq!(without_full_lists(listed).unwrap(), plain);
    }

    #[test]
    fn lists_within_subqueries_are_dropped() {
        let subquery = |is_listed: bool| {
            let wide = table("t", MIN_COLUMNS);
            let all = columns(&wide);
            let rows = match is_listed {
                true => wide.project(all).unwrap(),
                false => wide,
            };
            let condition = exists(Arc::new(rows.build().unwrap()));
            let outer = table("u", 1).filter(condition).unwrap();
            outer.build().unwrap()
        };
        assert_eq!(without_full_lists(subquery(true)).unwrap(), subquery(false));
    }

    #[test]
    fn other_lists_stay() {
        let wide = || table("t", MIN_COLUMNS);
        let all = columns(&wide());
        let mut turned = all.clone();
        turned.swap(0, 1);
        let mut named = all.clone();
        named.push(lit(1_i64));
        let renamed = all.iter().enumerate().map(|(at, column)| match at {
            0 => column.clone().alias("first"),
            _ => column.clone(),
        });
        let renamed: Vec<Expr> = renamed.collect();
        let narrow = table("t", MIN_COLUMNS - 1);
        let columns_of_narrow = columns(&narrow);
        for plan in [
            wide().project(turned).unwrap(),
            wide().project(named).unwrap(),
            wide().project(renamed).unwrap(),
            wide().project(all.into_iter().skip(1)).unwrap(),
            narrow.project(columns_of_narrow).unwrap(),
        ] {
            let plan = plan.build().unwrap();
            assert_eq!(without_full_lists(plan.clone()).unwrap(), plan);
        }
    }
}
