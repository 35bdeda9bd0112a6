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
//! Delete this when DataFusion finds such rows itself.

mod pool;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode};

use self::pool::Granted;
use crate::aggregation::chosen_steps::{Choice, Operator, Partition};
use crate::plans::given_input::{Given, again, begun};
use crate::plans::operators::with_pool;

/// Rows that are looked at.
const TRIED: usize = 8192;

/// The share of groups among these rows, as a divisor, below which their table is small in any case.
const FEW: usize = 64;

/// A first step over rows in any order, or over rows whose groups follow each other.
#[derive(Clone)]
pub(crate) struct NearGroups {
    /// The step over rows that are in order, of a [`Given`].
    near: Operator,
    key: Arc<dyn PhysicalExpr>,
}

impl Choice for NearGroups {
    const NAME: &'static str = "NearGroups";

    fn of(aggregate: &AggregateExec) -> Result<Option<Self>> {
        let Some(key) = key_of(aggregate) else {
            return Ok(None);
        };
        let input = aggregate.input();
        let Some(order) = LexOrdering::new([PhysicalSortExpr::new_default(Arc::clone(&key))])
        else {
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
        Ok(Some(Self {
            near: Arc::new(near),
            key,
        }))
    }

    async fn groups(
        self,
        mut partition: Partition,
        rows: SendableRecordBatchStream,
    ) -> Result<SendableRecordBatchStream> {
        let (first, rows) = begun(rows, TRIED).await?;
        let mut chosen: Operator = Arc::<AggregateExec>::clone(&partition.aggregate);
        // Groups are returned at most a batch at a time, for each batch of rows.
        let batch_size = partition.context.session_config().batch_size();
        if batch_size >= TRIED && are_near(&self.key, &first)? {
            let pool = Granted::of(partition.context.memory_pool());
            partition.context = with_pool(&partition.context, pool);
            chosen = self.near;
        }
        partition.run(chosen, again(first, rows))
    }
}

/// Returns the key of an aggregation by one number.
fn key_of(aggregate: &AggregateExec) -> Option<Arc<dyn PhysicalExpr>> {
    let [(key, _)] = aggregate.group_expr().expr() else {
        return None;
    };
    let column = key.downcast_ref::<Column>()?;
    let schema = aggregate.input().schema();
    let field = schema.fields().get(column.index())?;
    field.data_type().is_primitive().then(|| Arc::clone(key))
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
