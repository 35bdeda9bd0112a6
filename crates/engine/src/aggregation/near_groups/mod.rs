//! Groups whose rows follow each other are returned by the first step once the next ones begin.
//!
//! ```text
//! GROUP BY order    rows: 1 1 1 2 2 3 3 3 3 4 …    the table has the groups of a batch, not all of them
//! ```
//!
//! Files are often written in the order of a key, such as an order's number, without saying so. The first
//! step then keeps a table of all groups, larger than the caches of a processor,
//! although no group is seen again. In a plan that is ready to run, [`NearGroups`] takes the place of this
//! step: it looks at the first rows, and if few groups are seen again among them, runs DataFusion's operator
//! for ordered rows (`aggregates/ordered_partial_stream.rs` of `datafusion-physical-plan`, 55.2). That may
//! return a group several times where the rows are not in order after all, which the last step merges, as it
//! merges those of several partitions. TPC-H 18 spends 40 % of its time in such tables.
//!
//! Plans, their properties and `EXPLAIN` do not change. Delete this when DataFusion finds such rows itself.

mod pool;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{TryStreamExt, stream};
use parking_lot::Mutex;

use self::pool::Granted;
use crate::aggregation::finest_groups::is_merged;
use crate::plans::given_input::{Given, again, begun, metrics_of};
use crate::plans::operators::{new_children_replace, stands_for, with_pool};

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// Rows that are looked at.
const TRIED: usize = 8192;

/// The share of groups among these rows, as a divisor, below which their table is small in any case.
const FEW: usize = 64;

/// Returns the same aggregation, which looks at its first rows; `None` for other operators and
/// aggregations.
///
/// # Errors
///
/// Returns an error if DataFusion refuses the aggregation over ordered rows.
pub(crate) fn with_near_groups(plan: &Operator) -> Result<Option<Operator>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    let Some(key) = key_of(aggregate) else {
        return Ok(None);
    };
    let input = aggregate.input();
    let Some(order) = LexOrdering::new([PhysicalSortExpr::new_default(Arc::clone(&key))]) else {
        return Ok(None);
    };
    let ordered = EquivalenceProperties::new_with_orderings(input.schema(), [order]);
    let near = AggregateExec::try_new(
        *aggregate.mode(),
        aggregate.group_expr().clone(),
        aggregate.aggr_expr().to_vec(),
        aggregate.filter_expr().to_vec(),
        Arc::new(Given::new(input, Some(ordered), None)),
        aggregate.input_schema(),
    )?;
    let is_same = near.schema() == aggregate.schema();
    if !is_same || *near.input_order_mode() != InputOrderMode::Sorted {
        return Ok(None);
    }
    Ok(Some(Arc::new(NearGroups {
        aggregate: Arc::new(aggregate.clone()),
        near: Arc::new(near),
        key,
        made: Arc::default(),
    })))
}

/// Returns the key of an aggregation that may be given its rows in any order and return a group several
/// times, if there is one.
fn key_of(aggregate: &AggregateExec) -> Option<Arc<dyn PhysicalExpr>> {
    let keys = aggregate.group_expr();
    let [(key, _)] = keys.expr() else {
        return None;
    };
    let column = key.downcast_ref::<Column>()?;
    let schema = aggregate.input().schema();
    let is_number = schema
        .fields()
        .get(column.index())?
        .data_type()
        .is_primitive();
    let is_possible = is_number
        && keys.is_single()
        && *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.limit_options().is_none()
        && aggregate
            .aggr_expr()
            .iter()
            .all(|function| is_merged(function));
    is_possible.then(|| Arc::clone(key))
}

/// The first step of an aggregation. In all but its run and its metrics it is that of the plan.
struct NearGroups {
    aggregate: Arc<AggregateExec>,
    /// The same over rows that are in order, of a [`Given`].
    near: Operator,
    key: Arc<dyn PhysicalExpr>,
    /// What runs, for each partition.
    made: Arc<Mutex<Vec<Operator>>>,
}

impl fmt::Debug for NearGroups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearGroups")
            .field("made", &*self.made.lock())
            .finish_non_exhaustive()
    }
}

impl DisplayAs for NearGroups {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.aggregate.fmt_as(form, f)
    }
}

impl ExecutionPlan for NearGroups {
    stands_for!(aggregate);

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Operator>,
        options: ReplaceChildrenOptions,
    ) -> Result<Operator> {
        let aggregate = Arc::clone(&self.aggregate).replace_children(children, options)?;
        Ok(with_near_groups(&aggregate)?.unwrap_or(aggregate))
    }

    new_children_replace!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let input = Arc::clone(self.aggregate.input());
        let rows = input.execute(partition, Arc::clone(&context))?;
        let plain: Operator = Arc::<AggregateExec>::clone(&self.aggregate);
        let (near, key) = (Arc::clone(&self.near), Arc::clone(&self.key));
        let made = Arc::clone(&self.made);
        let chosen = async move {
            let (first, rows) = begun(rows, TRIED).await?;
            // Groups are returned at most a batch at a time, for each batch of rows.
            let batch_size = context.session_config().batch_size();
            let (chosen, context) = if batch_size >= TRIED && are_near(&key, &first)? {
                let pool = Granted::of(context.memory_pool());
                (near, with_pool(&context, pool))
            } else {
                (plain, context)
            };
            let given: Operator = Arc::new(Given::new(&input, None, Some(again(first, rows))));
            let keep = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            let chosen = chosen.replace_children(vec![given], keep)?;
            made.lock().push(Arc::clone(&chosen));
            chosen.execute(partition, context)
        };
        let batches = stream::once(chosen).try_flatten();
        let schema = self.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(metrics_of(&self.made.lock()))
    }
}

/// Returns whether groups are so many, and so few of them are seen again, that a table of those of a few
/// rows is better than one of all.
fn are_near(key: &Arc<dyn PhysicalExpr>, first: &[RecordBatch]) -> Result<bool> {
    let mut groups = HashSet::new();
    let mut last = None;
    let (mut rows, mut runs) = (0_usize, 0_usize);
    for batch in first {
        let keys = key.evaluate(batch)?.into_array(batch.num_rows())?;
        let mut hashes = vec![0_u64; batch.num_rows()];
        create_hashes([&keys], &RandomState::default(), &mut hashes)?;
        for hash in hashes {
            rows += 1;
            if last != Some(hash) {
                runs += 1;
                groups.insert(hash);
                last = Some(hash);
            }
        }
    }
    let groups = groups.len();
    // Where most rows are groups of their own, the plain step passes them on.
    let are_many = rows >= TRIED && groups >= rows / FEW && runs <= rows / 4 * 3;
    Ok(are_many && runs - groups <= groups / 8)
}
