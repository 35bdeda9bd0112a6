//! `IN`, `ANY`, `ALL` and `EXISTS` over subqueries, with three-valued logic and in any place of an
//! expression.
//!
//! DataFusion supports them in filters only, and is correct there for a column and an uncorrelated
//! subquery. A constant before NOT IN (apache/datafusion#23410), a correlated NOT IN, and any of
//! them under OR, NOT or CASE lose the NULL (apache/datafusion#23126, apache/datafusion#25340). So
//! they are rewritten into expressions that DataFusion evaluates correctly:
//!
//! ```text
//! where only true counts (a filter and its ANDs and ORs)
//!   x NOT IN S     if x is constant, or S correlated:
//!                    NOT EXISTS (S WHERE (x = y) IS NOT FALSE)
//!                  otherwise, with h: (SELECT bool_or(y IS NULL) FROM S)
//!                    x NOT IN S AND (h IS NULL OR NOT h AND x IS NOT NULL)
//!   x < ALL S      NOT EXISTS (S WHERE (x < y) IS NOT TRUE)
//! elsewhere
//!   x IN S         CASE WHEN found THEN true WHEN unknown THEN NULL ELSE false END
//! outside of filters
//!   found          a column of the input, which is joined with the distinct values of S
//! ```
//!
//! Delete this when DataFusion plans all of them.

mod columns;
mod existence;
mod inner_names;
mod logic;
#[cfg(test)]
mod tests;

use std::cell::Cell;

use columns::Columns;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
pub(crate) use existence::Existence;
pub(crate) use inner_names::InnerNames;
use logic::Logic;

use crate::limits::complexity::check_nodes;
use crate::plans::expressions;

/// The analyzer rule. It runs after type coercion.
#[derive(Debug)]
pub(crate) struct ThreeValuedSubqueries;

impl AnalyzerRule for ThreeValuedSubqueries {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !expressions::has(&plan, is_predicate)? {
            return Ok(plan);
        }
        let names = Cell::new(0);
        plan.transform_up_with_subqueries(|node| rewritten(node, &names))
            .data()
    }

    fn name(&self) -> &str {
        "three_valued_subqueries"
    }
}

fn rewritten(node: LogicalPlan, names: &Cell<usize>) -> Result<Transformed<LogicalPlan>> {
    let mut concerned = false;
    node.apply_expressions(|expr| {
        concerned |= expr.exists(|expr| Ok(is_predicate(expr)))?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !concerned {
        return Ok(Transformed::no(node));
    }
    // A subquery is written up to three times, with those within it.
    check_nodes(&node)?;
    let schema = merge_schema(&node.inputs());
    let logic = Logic {
        schema: &schema,
        names,
    };
    let node = match node {
        LogicalPlan::Filter(filter) => {
            let conjuncts = split_conjunction_owned(filter.predicate)
                .into_iter()
                .map(|conjunct| logic.top(conjunct))
                .collect::<Result<Vec<_>>>()?;
            let Some(predicate) = conjunction(conjuncts) else {
                return Ok(Transformed::yes((*filter.input).clone()));
            };
            LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?)
        }
        LogicalPlan::Join(mut join) => {
            join.filter = join.filter.map(|filter| logic.truth(filter)).transpose()?;
            LogicalPlan::Join(join)
        }
        node => Columns { names }.outside_filters(node, &logic)?,
    };
    Ok(Transformed::yes(node))
}

/// Returns whether an expression is a predicate over a subquery.
fn is_predicate(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_)
    )
}
