//! Rows that cannot be among the first ones of their partition are dropped before they are sorted.
//!
//! ```text
//! SELECT * FROM (SELECT *, rank() OVER (PARTITION BY p ORDER BY x) AS r FROM t) q WHERE r <= 10
//!
//!   FilterExec: r <= 10                      FilterExec: r <= 10
//!     BoundedWindowAggExec: rank()             BoundedWindowAggExec: rank()
//!       SortExec: p, x                  ─▶       SortExec: p, x
//!         rows                                     FirstRanksExec: most=10, p, x
//!                                                    rows
//! ```
//!
//! A row that comes after at least ten others of its partition has a number above ten. [`FirstRanks`] puts
//! an operator below such a sort, and below the exchange under it, which remembers the keys of the first
//! rows of each partition so far, and passes on the rows that are not after these. They have the numbers
//! that they had, and the others have numbers that the filter refuses. Rows that are passed on without
//! need do no harm, so the operator passes on all where it drops few, where there are many partitions,
//! and where the pool has no memory.
//!
//! ```text
//!  find.rs    the sorts whose rows are numbered and filtered
//!  best.rs    the keys of the first rows of each partition
//!  exec.rs    the operator
//! ```
//!
//! DataFusion's rule of this kind is off by default, and keeps the rows of however many partitions there
//! are (`window_topn.rs` of `datafusion-physical-optimizer`, 55.2). Delete this when that is bounded.

mod best;
mod exec;
mod find;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// Numbers up to this are looked for.
const MOST: usize = 1 << 14;

/// The rule. It comes after those that decide what is sorted and exchanged.
#[derive(Debug)]
pub(crate) struct FirstRanks;

impl PhysicalOptimizerRule for FirstRanks {
    fn optimize(&self, plan: Operator, _: &ConfigOptions) -> Result<Operator> {
        plan.transform_up(rewritten).data()
    }

    fn name(&self) -> &str {
        "first_ranks"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn rewritten(node: Operator) -> Result<Transformed<Operator>> {
    Ok(match find::with_first_ranks(&node)? {
        Some(filter) => Transformed::yes(filter),
        None => Transformed::no(node),
    })
}

/// Which rows are numbered how far. The keys are columns.
#[derive(Debug)]
struct First {
    /// The last number that is needed, from 1.
    most: usize,
    partition_by: Vec<Arc<dyn PhysicalExpr>>,
    /// Not empty.
    order_by: Vec<PhysicalSortExpr>,
}

/// Returns whether values of a type are in one partition if and only if they are equal as keys of groups.
fn divides(of: &DataType) -> bool {
    use DataType as T;
    of.is_integer()
        || of.is_string()
        || matches!(
            of,
            T::Boolean | T::Decimal128(..) | T::Date32 | T::Timestamp(..)
        )
}

/// Returns whether the bytes of a row of values of a type have the order in which a sort has them.
fn orders(of: &DataType) -> bool {
    divides(of) || matches!(of, DataType::Float32 | DataType::Float64)
}
