//! Changes some operators of a plan where they are. To take a plan apart and put it together again
//! takes longer than most changes.

use std::mem;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan};

use super::{search, subquery_of};

/// Applies `of` to each operator of the plan and its subqueries that has an expression that `concerns`
/// selects, from the leaves up, in the order of `transform_up_with_subqueries`.
///
/// # Errors
///
/// Returns the error of `of`, or an error if the plan cannot be walked. The plan is of no use then.
pub(super) fn each(
    plan: &mut LogicalPlan,
    concerns: &impl Fn(&Expr) -> bool,
    of: &impl Fn(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<()> {
    let (mut is_of_concern, mut has_subquery) = (false, false);
    plan.apply_expressions(|expr| {
        search::exists(expr, &mut |part: &Expr| {
            is_of_concern |= concerns(part);
            has_subquery |= subquery_of(part).is_some();
            Ok(false)
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if has_subquery {
        let node = mem::take(plan).map_subqueries(|mut subquery| {
            each(&mut subquery, concerns, of)?;
            Ok(Transformed::yes(subquery))
        });
        *plan = node.data()?;
    }
    of_inputs(plan, &mut |input| each(input, concerns, of))?;
    if is_of_concern {
        *plan = of(mem::take(plan))?;
    }
    Ok(())
}

/// Applies `of` to the inputs of an operator.
fn of_inputs(
    plan: &mut LogicalPlan,
    of: &mut dyn FnMut(&mut LogicalPlan) -> Result<()>,
) -> Result<()> {
    match plan {
        LogicalPlan::Projection(node) => of(Arc::make_mut(&mut node.input)),
        LogicalPlan::Filter(node) => of(Arc::make_mut(&mut node.input)),
        LogicalPlan::Aggregate(node) => of(Arc::make_mut(&mut node.input)),
        LogicalPlan::Window(node) => of(Arc::make_mut(&mut node.input)),
        LogicalPlan::Sort(node) => of(Arc::make_mut(&mut node.input)),
        LogicalPlan::Limit(node) => of(Arc::make_mut(&mut node.input)),
        LogicalPlan::SubqueryAlias(node) => of(Arc::make_mut(&mut node.input)),
        LogicalPlan::Distinct(Distinct::All(input)) => of(Arc::make_mut(input)),
        LogicalPlan::Subquery(node) => of(Arc::make_mut(&mut node.subquery)),
        LogicalPlan::Join(node) => {
            of(Arc::make_mut(&mut node.left))?;
            of(Arc::make_mut(&mut node.right))
        }
        LogicalPlan::Union(node) => {
            for input in &mut node.inputs {
                of(Arc::make_mut(input))?;
            }
            Ok(())
        }
        LogicalPlan::TableScan(_) | LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => {
            Ok(())
        }
        other => {
            let node = mem::take(other).map_children(|mut input| {
                of(&mut input)?;
                Ok(Transformed::yes(input))
            });
            *other = node.data()?;
            Ok(())
        }
    }
}
