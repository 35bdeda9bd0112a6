//! Rows are grouped before they are joined, where this leaves few of them.
//!
//! DataFusion (55.2) joins all rows and then groups them. Where the keys of the groups are texts of
//! a dimension, each row of the facts hashes and compares all of these texts:
//!
//! ```text
//! final aggregate                by the texts        final aggregate            by the texts
//!   partial aggregate            by the texts          join                     texts, states
//!     join                                               customer
//!       customer                                         partial aggregate      by ss_customer_sk
//!       store_sales                                        store_sales
//! ```
//!
//! The first phase of the aggregation moves below the joins, and groups by the columns of its rows
//! that something above reads: keys and conditions of the joins, and keys of the groups. This is
//! the eager group-by of Yan and Larson ("Eager aggregation and lazy aggregation", VLDB 1995). What
//! goes through the joins is the *states* of the aggregates, which the second phase merges as
//! before. So the result, its type and its errors are those of the same accumulators:
//!
//! - Rows with the same values in these columns are joined with the same rows, or with none. A state
//!   that is joined with several rows is merged as often as each of its rows would have been added.
//! - States are merged in any order as they are. An aggregate that depends on the order of rows
//!   stays, and so do sums of floating-point numbers.
//! - Rows that no join keeps are grouped, too. So arguments that may fail stay above the joins. The
//!   states do not fail: sums are exact, and whether they fit is decided in the end
//!   ([`sum`](crate::aggregation::sum)).
//! - What a projection between the aggregation and the joins computes is computed below the joins
//!   for arguments, and above them for keys.
//! - A partial aggregate lets rows pass where few are equal or memory is short. Two states of equal
//!   keys are joined and merged as two rows are. So a wrong estimate costs little.
//!
//! For grouping sets, the first phase stays above the joins as well. It makes the states of each set
//! of those that are joined, where it would have made them of rows.
//!
//! ```text
//! way.rs          the joins below an aggregation, and what can be grouped below them
//! failures.rs     expressions that fail for no row
//! bounds.rs       between which numbers the values of an expression are
//! pays.rs         whether and where estimates say that it pays
//! rebuild.rs      the plan
//! merged.rs       functions of states, for grouping sets
//! ```
//!
//! It is a physical rule, as the states are of physical aggregates. It runs after joins are ordered
//! and before `JoinSelection`, which chooses build sides for the smaller inputs. Delete this when
//! DataFusion groups before joins (apache/datafusion#22281 was an attempt).

mod bounds;
mod failures;
mod merged;
mod pays;
mod rebuild;
mod way;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};

use self::way::Way;
use crate::limits::stop::check;

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// The physical rule.
#[derive(Debug)]
pub(crate) struct EagerGroups;

impl PhysicalOptimizerRule for EagerGroups {
    fn optimize(&self, plan: Operator, _: &ConfigOptions) -> Result<Operator> {
        each_aggregation(plan, &pays::place)
    }

    fn name(&self) -> &str {
        "eager_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Moves the first phase of each aggregation to the place that a function chooses, if it chooses
/// one.
fn each_aggregation(
    plan: Operator,
    choose: &dyn Fn(&Way<'_>) -> Option<usize>,
) -> Result<Operator> {
    plan.transform_up(|node| {
        check()?;
        let eager = eager(&node, choose)?;
        Ok(eager.map_or(Transformed::no(node), Transformed::yes))
    })
    .data()
}

/// Returns an aggregation with its first phase below joins; `None` if it stays as it is.
fn eager(node: &Operator, choose: &dyn Fn(&Way<'_>) -> Option<usize>) -> Result<Option<Operator>> {
    let Some(aggregate) = node.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    let Some(way) = Way::of(aggregate) else {
        return Ok(None);
    };
    let Some(place) = choose(&way) else {
        return Ok(None);
    };
    let Some(states) = rebuild::states(&way, place)? else {
        return Ok(None);
    };
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(node)
        .replace_children(vec![states], options)
        .map(Some)
}

#[cfg(test)]
mod tests;
