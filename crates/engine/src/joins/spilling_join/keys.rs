//! The keys of a build side as sets, in which the scans of the probe side look up theirs.
//!
//! DataFusion's join passes its hash table on to the probe side (`HashTableLookupExpr`, 55.2). For
//! each row of a scan, the keys are hashed and the table is read at some place; where both sides are
//! partitioned, the keys are hashed before, to find the partition whose table has them:
//!
//! ```text
//! CASE hash(k) % 2                            k is in the set AND k >= 3 AND k <= 9007
//!   WHEN 0 THEN k >= 3 AND … in table 0   ▶
//!   WHEN 1 THEN k >= 7 AND … in table 1
//! ```
//!
//! A [`KeySet`] is made of a key that is a whole number or a date, and whose values are dense: of
//! those of all partitions, while their build sides are in memory. Before the first row of the probe
//! side is read, when DataFusion has completed the filter, it is replaced:
//!
//! - by the set, if there is one key. Its bounds leave out row groups also where both sides are
//!   partitioned, which a CASE cannot.
//! - by the set and the filter itself, if it lists few keys: Bloom filters are read for the list.
//! - by the sets of several keys and the filter itself.
//!
//! The set comes first, so that the rest is evaluated for few rows.
//!
//! Which rows a join returns does not depend on this. What cannot be in a set, or has no room in
//! memory, is looked up as before.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{NullEquality, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, Column, DynamicFilterPhysicalExpr, InListExpr, lit,
};
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_plan::joins::{HashJoinExec, HashTableLookupExpr, PartitionMode};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{TryStreamExt, stream};
use lakegate_lake::key_set::{KeyLookup, KeySet};
use parking_lot::Mutex;

use crate::limits::stop;

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
    /// Those that there may be sets of.
    keys: Vec<Key>,
    /// Whether the join has one key.
    is_one: bool,
    /// How many build sides there are.
    sides: usize,
    /// `None`: the sets were handed over, or none can be made.
    gathered: Mutex<Option<Gathered>>,
}

/// A key of a join.
struct Key {
    build: Arc<dyn PhysicalExpr>,
    probe: Arc<dyn PhysicalExpr>,
    /// Of both.
    data_type: DataType,
}

/// The keys of some of the build sides.
#[derive(Default)]
struct Gathered {
    /// A set for each key; `None` if it cannot be made. Empty: no build side was added.
    sets: Vec<Option<KeySet>>,
    rows: usize,
    /// How many build sides the rows are of.
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
        // With others, NULL may be a key.
        if join.null_equality() != NullEquality::NullEqualsNothing || join.null_aware {
            return Ok(None);
        }
        let produced = join.dynamic_expressions_produced();
        let mut filters = produced.into_iter();
        let Some(filter) = filters.find(|filter| filter.is::<DynamicFilterPhysicalExpr>()) else {
            return Ok(None);
        };
        let (left, right) = (join.left().schema(), join.right().schema());
        let mut keys = Vec::new();
        for (build, probe) in join.on() {
            let data_type = build.data_type(&left)?;
            if KeySet::holds(&data_type) && probe.data_type(&right)? == data_type {
                keys.push(Key {
                    build: Arc::clone(build),
                    probe: Arc::clone(probe),
                    data_type,
                });
            }
        }
        if keys.is_empty() || !has_filter(join.right(), &filter)? {
            return Ok(None);
        }
        let sides = match join.partition_mode() {
            PartitionMode::Partitioned => join.left().output_partitioning().partition_count(),
            _ => 1,
        };
        Ok(Some(Arc::new(Self {
            filter,
            keys,
            is_one: join.on().len() == 1,
            sides,
            gathered: Mutex::new(Some(Gathered::default())),
        })))
    }

    /// Adds the keys of a build side, of which all rows are in memory.
    pub(super) fn add(&self, batches: &[RecordBatch], context: &TaskContext) {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let pool = context.memory_pool();
        let computed = consumer().register(pool);
        let values = self.keys.iter().map(|key| key.values(batches, &computed));
        let values: Vec<_> = values.collect();
        let mut gathered = self.gathered.lock();
        let Some(all) = &mut *gathered else {
            return;
        };
        if all.sides == 0 {
            let sets = self.keys.iter().map(|key| Some(key.no_keys(pool)));
            all.sets = sets.collect();
        }
        all.sides += 1;
        all.rows = all.rows.saturating_add(rows);
        // The other sides have about as many rows.
        let most = most_bits(all.rows.saturating_mul(self.sides));
        for (set, values) in all.sets.iter_mut().zip(values) {
            let is_added = match (set.as_mut(), values) {
                (Some(set), Some(values)) => set.add(&values, most.min(bits_left(pool))),
                _ => false,
            };
            if !is_added {
                *set = None;
            }
        }
        if all.sets.iter().all(Option::is_none) {
            *gathered = None;
        }
    }

    /// Gives up the sets, because a build side is not in memory.
    pub(super) fn give_up(&self) {
        *self.gathered.lock() = None;
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

    /// Replaces the filter if the keys of all build sides are in sets.
    fn hand_over(&self) -> Result<()> {
        // Other partitions wait here until the filter is replaced.
        let mut gathered = self.gathered.lock();
        let all = gathered.take_if(|all| all.sides >= self.sides);
        let Some(Gathered { sets, rows, .. }) = all else {
            return Ok(());
        };
        let Some(filter) = self.filter.downcast_ref::<DynamicFilterPhysicalExpr>() else {
            return Ok(());
        };
        let current = filter.current()?;
        let looks_up =
            current.exists(|part| Ok(part.is::<HashTableLookupExpr>() || part.is::<CaseExpr>()))?;
        let lists = current.exists(|part| Ok(part.is::<InListExpr>()))?;
        if self.is_one && !looks_up && !lists {
            return Ok(());
        }
        let is_listed = self.is_one && !looks_up;
        let mut parts = Vec::new();
        for (key, set) in self.keys.iter().zip(sets) {
            let set = set.filter(|set| set.bits() <= most_bits(rows));
            parts.extend(set.and_then(|set| key.is_in(set, is_listed)));
        }
        if parts.is_empty() {
            return Ok(());
        }
        if is_listed || !self.is_one {
            parts.push(current);
        }
        filter.update(conjunction(parts))?;
        filter.mark_complete();
        Ok(())
    }
}

impl Key {
    /// Returns a set without keys.
    fn no_keys(&self, pool: &Arc<dyn MemoryPool>) -> KeySet {
        KeySet::new(self.data_type.clone(), consumer().register(pool))
    }

    /// Returns the keys of rows of a build side; `None` if that fails, for which the join has the
    /// same error, or if there is no memory for keys that are not columns.
    fn values(&self, batches: &[RecordBatch], memory: &MemoryReservation) -> Option<Vec<ArrayRef>> {
        let is_column = self.build.is::<Column>();
        let keys = batches.iter().map(|batch| {
            stop::check()?;
            let keys = self.build.evaluate(batch)?.into_array(batch.num_rows())?;
            if !is_column {
                memory.try_grow(keys.get_array_memory_size())?;
            }
            Ok(keys)
        });
        keys.collect::<Result<Vec<ArrayRef>>>().ok()
    }

    /// Returns the condition that the key of a row is in a set; `None` if the set has no keys.
    ///
    /// `is_bounded`: another condition has the bounds of the set.
    fn is_in(&self, set: KeySet, is_bounded: bool) -> Option<Arc<dyn PhysicalExpr>> {
        let (least, greatest) = set.bounds()?;
        let lookup = KeyLookup::new(Arc::clone(&self.probe), Arc::new(set));
        let lookup: Arc<dyn PhysicalExpr> = Arc::new(lookup);
        if is_bounded {
            return Some(lookup);
        }
        let compared = |operator: Operator, bound: ScalarValue| -> Arc<dyn PhysicalExpr> {
            let probe = Arc::clone(&self.probe);
            Arc::new(BinaryExpr::new(probe, operator, lit(bound)))
        };
        Some(conjunction([
            lookup,
            compared(Operator::GtEq, least),
            compared(Operator::LtEq, greatest),
        ]))
    }
}

fn consumer() -> MemoryConsumer {
    MemoryConsumer::new("HashJoinKeys")
}

/// Returns how many bits a set of keys of so many rows may have.
fn most_bits(rows: usize) -> u64 {
    let bits = BITS_OF_ROW.saturating_mul(rows as u64);
    bits.clamp(FEW_BITS, MOST_BITS)
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
