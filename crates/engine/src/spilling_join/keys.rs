//! The keys of a build side as a set, in which the scans of the probe side look up theirs.
//!
//! DataFusion's join passes its hash table on to the probe side (`HashTableLookupExpr`, 55.2). For
//! each row of a scan, the key is hashed and the table is read at some place; where both sides are
//! partitioned, the key is hashed before, to find the partition whose table has it:
//!
//! ```text
//! CASE hash(k) % 2                            k >= 3 AND k <= 9007 AND k is in the set
//!   WHEN 0 THEN k >= 3 AND … in table 0   ▶
//!   WHEN 1 THEN k >= 7 AND … in table 1
//! ```
//!
//! If there is one key, a whole number or a date, and the keys are dense, a [`KeySet`] is made of
//! those of all partitions while their build sides are in memory. The filter is replaced before the
//! first row of the probe side is read: DataFusion has completed it then. Its bounds leave out row
//! groups also where both sides are partitioned, which a CASE cannot. Lists of few keys stay: Bloom
//! filters are read for them.
//!
//! Which rows a join returns does not depend on this. What cannot be in a set, or has no room in
//! memory, is looked up as before.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{NullEquality, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, DynamicFilterPhysicalExpr, lit,
};
use datafusion::physical_plan::joins::{HashJoinExec, HashTableLookupExpr, PartitionMode};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{TryStreamExt, stream};
use lakegate_lake::key_set::{KeyLookup, KeySet};
use parking_lot::Mutex;

use crate::stop;

/// Bits that a set may have in any case: 1 MiB, which caches hold.
const FEW_BITS: u64 = 1 << 23;

/// Bits that a set may have for each row of the build side: about as many as the join's table has.
const BITS_OF_ROW: u64 = 256;

/// Bits that a set may have at most: 32 MiB.
const MOST_BITS: u64 = 1 << 28;

/// A set may take 1/`PART_OF_POOL` of what a pool has left.
const PART_OF_POOL: u64 = 4;

/// The keys of the build sides of a join, in all partitions.
pub(super) struct Keys {
    /// The filter that the join fills.
    filter: Arc<dyn PhysicalExpr>,
    /// The key of the build side, and that of the probe side, which are of this type.
    build: Arc<dyn PhysicalExpr>,
    probe: Arc<dyn PhysicalExpr>,
    data_type: DataType,
    /// How many build sides there are.
    sides: usize,
    /// `None`: the set was handed over, or cannot be made.
    gathered: Mutex<Option<Gathered>>,
}

/// The keys of some of the build sides.
#[derive(Default)]
struct Gathered {
    set: Option<KeySet>,
    /// Rows whose key is not NULL.
    rows: u64,
    /// How many build sides they are of.
    sides: usize,
}

impl Keys {
    /// Returns the keys of a join; `None` if there may be no set of them, or nothing below the join
    /// has its filter.
    ///
    /// # Errors
    ///
    /// Returns an error if a key is none of a column of its side.
    pub(super) fn of(join: &HashJoinExec) -> Result<Option<Arc<Self>>> {
        let [(build, probe)] = join.on() else {
            return Ok(None);
        };
        let produced = join.dynamic_expressions_produced();
        let mut filters = produced.into_iter();
        let Some(filter) = filters.find(|filter| filter.is::<DynamicFilterPhysicalExpr>()) else {
            return Ok(None);
        };
        let data_type = build.data_type(&join.left().schema())?;
        let fits = join.null_equality() == NullEquality::NullEqualsNothing
            && !join.null_aware
            && KeySet::holds(&data_type)
            && probe.data_type(&join.right().schema())? == data_type;
        if !fits || !has_filter(join.right(), &filter)? {
            return Ok(None);
        }
        let sides = match join.partition_mode() {
            PartitionMode::Partitioned => join.left().output_partitioning().partition_count(),
            _ => 1,
        };
        Ok(Some(Arc::new(Self {
            filter,
            build: Arc::clone(build),
            probe: Arc::clone(probe),
            data_type,
            sides,
            gathered: Mutex::new(Some(Gathered::default())),
        })))
    }

    /// Adds the keys of a build side, of which all rows are in memory.
    pub(super) fn add(&self, rows: &[RecordBatch], context: &TaskContext) {
        let keys = match self.are_listed(rows, context) {
            true => None,
            false => self.values(rows),
        };
        let mut gathered = self.gathered.lock();
        let is_added = match (&mut *gathered, keys) {
            (Some(others), Some(keys)) => self.added(others, &keys, context.memory_pool()),
            _ => false,
        };
        if !is_added {
            *gathered = None;
        }
    }

    /// Gives up the set, because a build side is not in memory.
    pub(super) fn give_up(&self) {
        *self.gathered.lock() = None;
    }

    /// Returns whether the rows are so few that the join lists their keys.
    fn are_listed(&self, rows: &[RecordBatch], context: &TaskContext) -> bool {
        let options = &context.session_config().options().optimizer;
        let listed = options.hash_join_inlist_pushdown_max_distinct_values;
        self.sides == 1 && rows.iter().map(RecordBatch::num_rows).sum::<usize>() <= listed
    }

    /// Returns the keys of rows; `None` if that fails. The join has the same error then.
    fn values(&self, rows: &[RecordBatch]) -> Option<Vec<ArrayRef>> {
        let keys = rows.iter().map(|batch| {
            stop::check()?;
            self.build.evaluate(batch)?.into_array(batch.num_rows())
        });
        keys.collect::<Result<Vec<ArrayRef>>>().ok()
    }

    /// Returns whether the keys are in the set.
    fn added(
        &self,
        gathered: &mut Gathered,
        keys: &[ArrayRef],
        pool: &Arc<dyn MemoryPool>,
    ) -> bool {
        let present = keys.iter().map(|keys| keys.len() - keys.null_count());
        gathered.rows = gathered.rows.saturating_add(present.sum::<usize>() as u64);
        gathered.sides += 1;
        // The other sides have about as many rows.
        let rows = gathered.rows.saturating_mul(self.sides as u64);
        let set = gathered.set.get_or_insert_with(|| {
            let memory = MemoryConsumer::new("HashJoinKeys").register(pool);
            KeySet::new(self.data_type.clone(), memory)
        });
        set.add(keys, most_bits(rows).min(bits_left(pool)))
    }

    /// Returns the rows of the probe side. Before the first of them is read, the filter is replaced.
    pub(super) fn handed_over_before(
        self: &Arc<Self>,
        probe: SendableRecordBatchStream,
    ) -> SendableRecordBatchStream {
        let (schema, keys) = (probe.schema(), Arc::clone(self));
        let rows = stream::once(async move {
            keys.hand_over()?;
            Ok::<_, DataFusionError>(probe)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten()))
    }

    /// Replaces the filter if the keys of all build sides are in the set, and looked up in tables
    /// until now.
    fn hand_over(&self) -> Result<()> {
        // Other partitions wait here until the filter is replaced.
        let mut gathered = self.gathered.lock();
        let all = gathered.take_if(|gathered| gathered.sides >= self.sides);
        let Some(Gathered { set, rows, .. }) = all else {
            return Ok(());
        };
        let Some(filter) = self.filter.downcast_ref::<DynamicFilterPhysicalExpr>() else {
            return Ok(());
        };
        let looks_up = filter
            .current()?
            .exists(|part| Ok(part.is::<HashTableLookupExpr>() || part.is::<CaseExpr>()))?;
        let Some(set) = set.filter(|set| looks_up && set.bits() <= most_bits(rows)) else {
            return Ok(());
        };
        let Some((least, greatest)) = set.bounds() else {
            return Ok(());
        };
        let compared = |operator: Operator, bound: ScalarValue| -> Arc<dyn PhysicalExpr> {
            let probe = Arc::clone(&self.probe);
            Arc::new(BinaryExpr::new(probe, operator, lit(bound)))
        };
        let lookup = KeyLookup::new(Arc::clone(&self.probe), Arc::new(set));
        let is_between = both(
            compared(Operator::GtEq, least),
            compared(Operator::LtEq, greatest),
        );
        filter.update(both(is_between, Arc::new(lookup)))?;
        filter.mark_complete();
        Ok(())
    }
}

fn both(one: Arc<dyn PhysicalExpr>, other: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(one, Operator::And, other))
}

/// Returns how many bits a set of keys of so many rows may have.
fn most_bits(rows: u64) -> u64 {
    rows.saturating_mul(BITS_OF_ROW).clamp(FEW_BITS, MOST_BITS)
}

/// Returns how many bits there is room for in a pool. Others need what it has left, too.
fn bits_left(pool: &Arc<dyn MemoryPool>) -> u64 {
    match pool.memory_limit() {
        MemoryLimit::Finite(bytes) => {
            let left = bytes.saturating_sub(pool.reserved()) as u64;
            (left / PART_OF_POOL).saturating_mul(8)
        }
        _ => u64::MAX,
    }
}

/// Returns whether an operator of a plan has a filter.
fn has_filter(plan: &Arc<dyn ExecutionPlan>, filter: &Arc<dyn PhysicalExpr>) -> Result<bool> {
    let id = filter.expression_id();
    plan.exists(|operator| {
        let mut has = false;
        operator.apply_expressions(&mut |root| {
            has |= root.exists(|part| Ok(part.expression_id() == id))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(has)
    })
}
