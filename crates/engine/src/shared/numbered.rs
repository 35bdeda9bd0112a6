//! Names of generated columns, which are numbered across a whole plan.

use std::collections::HashMap;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The names that DataFusion gives to expressions that it computes once for several places
/// (`CommonSubexprEliminate` of `datafusion-optimizer`, 55.2).
const GENERATED: &str = "__common_expr_";

/// Returns a plan whose generated columns are numbered in the order of their places, so that equal
/// plans have equal names.
///
/// # Errors
///
/// Returns an error if an operator cannot be made with other names.
pub(super) fn in_order(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut has_some = false;
    plan.apply(|node| {
        has_some |= node
            .schema()
            .fields()
            .iter()
            .any(|field| is_generated(field.name()));
        Ok(match has_some {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    if !has_some {
        return Ok(plan);
    }
    let mut numbers = HashMap::new();
    let in_order = plan.transform_up(|node| {
        let renamed =
            node.map_expressions(|expr| expr.transform_up(|expr| Ok(renamed(expr, &mut numbers))))?;
        // The names of its inputs may be others.
        renamed.map_data(LogicalPlan::recompute_schema)
    });
    in_order.data()
}

fn is_generated(name: &str) -> bool {
    name.starts_with(GENERATED)
}

fn renamed(expr: Expr, numbers: &mut HashMap<String, usize>) -> Transformed<Expr> {
    let mut in_order = |name: &str| {
        let next = numbers.len() + 1;
        let number = numbers.entry(name.to_owned()).or_insert(next);
        format!("{GENERATED}{number}")
    };
    match expr {
        Expr::Column(column) if is_generated(&column.name) => {
            let name = in_order(&column.name);
            Transformed::yes(Expr::Column(Column::new(column.relation, name)))
        }
        Expr::Alias(alias) if is_generated(&alias.name) => {
            let name = in_order(&alias.name);
            Transformed::yes(Expr::Alias(Alias { name, ..alias }))
        }
        other => Transformed::no(other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};

    use super::*;

    #[test]
    fn generated_columns_are_numbered_by_their_places() {
        let plan = |first: usize, second: usize| {
            let [first, second] = [first, second].map(|number| format!("{GENERATED}{number}"));
            LogicalPlanBuilder::values(vec![vec![lit(1), lit(2)]])
                .unwrap()
                .project([
                    (col("column1") + lit(1)).alias(&first),
                    (col("column2") + lit(2)).alias(&second),
                    col("column1"),
                ])
                .unwrap()
                .filter(col(&second).gt(lit(3)))
                .unwrap()
                .project([(col(&first) + col(&second)).alias("x"), col("column1")])
                .unwrap()
                .build()
                .unwrap()
        };
        assert_ne!(plan(7, 3), plan(1, 2));
        assert_eq!(in_order(plan(7, 3)).unwrap(), plan(1, 2));
        assert_eq!(in_order(plan(1, 2)).unwrap(), plan(1, 2));
    }
}
