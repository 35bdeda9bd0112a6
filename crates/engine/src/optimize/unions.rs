//! A column that is another constant in each part of a union is none in the whole.
//!
//! The engine leaves such a column out of a sort of the parts, each by itself, which is right for a merge of whole parts. But with a
//! LIMIT the parts share one bound of what is still wanted, and it is of the keys that are left (`SortExec`'s dynamic filter, 55.2):
//!
//! ```text
//! SELECT 2 AS k, x FROM t UNION ALL SELECT 1, y FROM u ORDER BY k, x LIMIT 2      rows of t where y is greater
//! ```
//!
//! So nothing is said of such constants above a union. Delete this when each part has a bound of its own.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_expr::{AcrossPartitions, EquivalenceProperties};
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::union::UnionExec;

use super::restated::{Order, Restated};
use super::rules::{EachOperator, Operator};

/// Says nothing of constants that differ between the parts of a union.
pub const FORGET_CONSTANTS: EachOperator = EachOperator {
    name: "forget_constants",
    rewrite: forget,
};

fn forget(node: Operator) -> Result<Transformed<Operator>> {
    if !node.is::<UnionExec>() {
        return Ok(Transformed::no(node));
    }
    let claimed = node.equivalence_properties();
    let (same, differing): (Vec<_>, Vec<_>) = claimed
        .constants()
        .into_iter()
        .partition(|constant| constant.across_partitions != AcrossPartitions::Heterogeneous);
    if differing.is_empty() {
        return Ok(Transformed::no(node));
    }
    let orders = claimed.oeq_class().iter().cloned();
    let mut known = EquivalenceProperties::new_with_orderings(node.schema(), orders);
    known.add_constants(same)?;
    let known = Order::Known(Box::new(known));
    Ok(Transformed::yes(Arc::new(Restated::new(node, known))))
}
