//! INTERSECT ALL and EXCEPT ALL with correct row counts.
//!
//! DataFusion plans them as semi and anti joins, which know whether a row is on the other side, but
//! not how often (`datafusion-expr`, `LogicalPlanBuilder::intersect_or_except`, 55.2). Here equal
//! rows are numbered on both sides, and the number becomes one more key of the join:
//!
//! ```text
//! left: a a a b     numbered: a1 a2 a3 b1      INTERSECT ALL: a1 a2
//! right: a a c      numbered: a1 a2 c1         EXCEPT ALL: a3 b1
//! ```
//!
//! Delete this when DataFusion's plans count rows.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::{Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions::has_operator;

/// Names of the number columns. No user's column has a name with a leading blank.
const LEFT: &str = " nth of left";
const RIGHT: &str = " nth of right";

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct CountedSetOperations;

impl AnalyzerRule for CountedSetOperations {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let counts =
            |node: &LogicalPlan| matches!(node, LogicalPlan::Join(join) if is_of_all(join));
        if !has_operator(&plan, |node| Ok(counts(node)))? {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Join(join) if is_of_all(&join) => Ok(Transformed::yes(counted(join)?)),
            node => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "counted_set_operations"
    }
}

/// Returns whether a join is DataFusion's plan for INTERSECT or EXCEPT: every column is a key, and
/// NULLs are equal.
pub(crate) fn is_set_operation(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && join.on.len() == join.left.schema().fields().len()
        && join.on.len() == join.right.schema().fields().len()
}

/// Returns whether the join is INTERSECT ALL or EXCEPT ALL: without ALL, the left side is distinct.
fn is_of_all(join: &Join) -> bool {
    is_set_operation(join)
        && !join.null_aware
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(_))
}

fn counted(join: Join) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = columns(&join.left);
    let left = numbered(&join.left, LEFT)?;
    let right = numbered(&join.right, RIGHT)?;
    let mut on = join.on;
    on.push((
        Expr::Column(Column::new_unqualified(LEFT)),
        Expr::Column(Column::new_unqualified(RIGHT)),
    ));
    let join = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        None,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        false,
    )?;
    LogicalPlanBuilder::from(LogicalPlan::Join(join))
        .project(columns)?
        .build()
}

/// Adds a column that numbers equal rows.
fn numbered(plan: &Arc<LogicalPlan>, name: &str) -> Result<LogicalPlan> {
    let number = row_number().partition_by(columns(plan)).build()?;
    LogicalPlanBuilder::from(LogicalPlan::clone(plan))
        .window([number.alias(name)])?
        .build()
}

fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    plan.schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect()
}
