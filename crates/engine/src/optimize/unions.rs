//! Keeps a column that is a different constant in each input of a union from being treated as
//! constant.
//!
//! DataFusion drops such a column from the sorts of the inputs, which is correct for a merge of
//! whole inputs. With a LIMIT, however, the inputs share one bound on the rows still wanted, which
//! covers the remaining keys only (`SortExec`'s dynamic filter, 55.2):
//!
//! ```text
//! SELECT 2 AS k, x FROM t UNION ALL SELECT 1, y FROM u ORDER BY k, x LIMIT 2
//!     returns rows of t where y is greater
//! ```
//!
//! So a union claims no such constants. Delete this when each input has its own bound.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::physical_expr::{AcrossPartitions, EquivalenceProperties};
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::physical_plan::union::UnionExec;

use super::restated::{Order, Restated};
use super::rules::{EachOperator, Operator};

/// Hides constants that differ between the inputs of a union.
pub(super) const FORGET_CONSTANTS: EachOperator = EachOperator {
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
