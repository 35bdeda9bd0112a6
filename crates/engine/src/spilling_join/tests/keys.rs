//! Keys that the filters of a probe side look up in a set.

use datafusion::common::tree_node::TreeNode;
use datafusion::physical_expr::expressions::{DynamicFilterPhysicalExpr, lit};
use datafusion::physical_plan::Partitioning;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use lakegate_lake::key_set::KeyLookup;

use super::*;

/// Joins that filter their probe side.
const FILTERING: &[JoinType] = &[
    JoinType::Inner,
    JoinType::Left,
    JoinType::LeftSemi,
    JoinType::LeftAnti,
    JoinType::LeftMark,
    JoinType::RightSemi,
];

const NOTHING: NullEquality = NullEquality::NullEqualsNothing;

fn key() -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new("k", 0))
}

/// Joins tables by `k`, with a filter of the probe side.
fn filtered(
    sides: (&Keys, &Keys),
    join_type: JoinType,
    (mode, partitions): (PartitionMode, usize),
    nulls: NullEquality,
) -> (HashJoinExec, Arc<DynamicFilterPhysicalExpr>) {
    let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![key()], lit(true)));
    let predicate = Arc::<DynamicFilterPhysicalExpr>::clone(&filter);
    let divided = |input: Arc<dyn ExecutionPlan>| -> Arc<dyn ExecutionPlan> {
        let hashed = Partitioning::Hash(vec![key()], partitions);
        Arc::new(RepartitionExec::try_new(input, hashed).unwrap())
    };
    let probe = table(sides.1, partitions);
    let probe: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(predicate, probe).unwrap());
    let (build, probe) = match mode {
        PartitionMode::Partitioned => (divided(table(sides.0, partitions)), divided(probe)),
        _ => (table(sides.0, 1), probe),
    };
    let join = HashJoinExec::try_new(
        build,
        probe,
        vec![(key(), key())],
        None,
        &join_type,
        None,
        mode,
        nulls,
        false,
    );
    let join = join.unwrap().with_dynamic_filter_expr(Arc::clone(&filter));
    (join.unwrap(), filter)
}

/// Returns the keys that a filter looks up in a set, after a check that a join has the same rows as
/// one without filters.
async fn looked_up(
    sides: (&Keys, &Keys),
    join_type: JoinType,
    mode: (PartitionMode, usize),
    nulls: NullEquality,
    memory: usize,
) -> Option<usize> {
    let plain: Arc<dyn ExecutionPlan> = Arc::new(join(sides, join_type, mode, nulls, false));
    let expected = rows(&plain, &context(LARGE)).await.unwrap();
    let (join, filter) = filtered(sides, join_type, mode, nulls);
    let plan = spilling(&join);
    let task = context(memory);
    let got = rows(&plan, &task).await.unwrap();
    assert!(got == expected, "{join_type} {mode:?} {nulls:?}");
    assert_eq!(plan.metrics().unwrap().spill_count(), None);
    let mut count = None;
    let current = filter.current().unwrap();
    let found = current.exists(|part| {
        let lookup = part.downcast_ref::<KeyLookup>();
        count = lookup.map(|lookup| lookup.set().count());
        Ok(lookup.is_some())
    });
    assert_eq!(found.unwrap(), count.is_some());
    drop((current, filter, join, plan));
    // Tasks that were aborted end later.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(task.memory_pool().reserved(), 0);
    count
}

/// So many keys, each of which is a multiple of `step`, and NULLs between them.
fn multiples(count: i64, step: i64, from: i64) -> Keys {
    (0..count)
        .map(|row| (row % 11 != 4).then_some(from + row * step))
        .collect()
}

fn distinct(keys: &Keys) -> usize {
    let mut keys: Vec<i64> = keys.iter().flatten().copied().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

#[tokio::test]
async fn dense_keys_are_looked_up_in_a_set() {
    // Negative numbers too; of the others, DataFusion makes an array and no hash table.
    let right = multiples(6000, 3, -4000);
    let full: Keys = (-300..1200).map(Some).chain([None]).collect();
    for left in [multiples(900, 20, -7000), multiples(1500, 1, -500), full] {
        for mode in MODES {
            for join_type in FILTERING {
                let sides = (&left, &right);
                let count = looked_up(sides, *join_type, *mode, NOTHING, LARGE).await;
                assert_eq!(count, Some(distinct(&left)), "{join_type} {mode:?}");
            }
        }
    }
}

#[tokio::test]
async fn joins_of_other_keys_return_the_same_rows() {
    let right = multiples(6000, 3, -4000);
    let dense = multiples(900, 20, -7000);
    let mut wide = dense.clone();
    wide.extend([Some(i64::MIN), Some(i64::MAX)]);
    let nulls: Keys = vec![None; 900];
    for mode in MODES {
        for join_type in FILTERING {
            for left in [&wide, &nulls, &Keys::new()] {
                let count = looked_up((left, &right), *join_type, *mode, NOTHING, LARGE).await;
                assert_eq!(count, None, "{join_type} {mode:?}");
            }
            // NULL may be a key.
            let equal = NullEquality::NullEqualsNull;
            let count = looked_up((&dense, &right), *join_type, *mode, equal, LARGE).await;
            assert_eq!(count, None, "{join_type} {mode:?}");
        }
    }
}

#[tokio::test]
async fn few_keys_stay_a_list() {
    let (left, right) = (multiples(40, 20, 0), multiples(3000, 3, -100));
    for (mode, is_list) in [
        ((PartitionMode::CollectLeft, 1), true),
        ((PartitionMode::CollectLeft, 3), true),
        ((PartitionMode::Partitioned, 2), false),
    ] {
        let count = looked_up((&left, &right), JoinType::Inner, mode, NOTHING, LARGE).await;
        assert_eq!(count.is_none(), is_list, "{mode:?}");
    }
}

#[tokio::test]
async fn without_room_keys_are_looked_up_as_before() {
    // The set would take 220 KiB, more than a quarter of what the build side leaves of 1 MiB.
    let (left, right) = (multiples(2000, 900, 0), multiples(3000, 700, -100));
    let mode = (PartitionMode::CollectLeft, 1);
    for (memory, is_set) in [(LARGE, true), (1 << 20, false)] {
        let count = looked_up((&left, &right), JoinType::Inner, mode, NOTHING, memory).await;
        assert_eq!(count.is_some(), is_set, "{memory}");
    }
}

#[tokio::test]
async fn bounds_of_all_partitions_are_in_the_filter() {
    let (left, right) = (multiples(900, 20, -7000), multiples(100, 3, 0));
    let mode = (PartitionMode::Partitioned, 2);
    let (join, filter) = filtered((&left, &right), JoinType::Inner, mode, NOTHING);
    rows(&spilling(&join), &context(LARGE)).await.unwrap();
    let bounds = "k@0 >= -7000 AND k@0 <= 10980 AND bitmap_lookup";
    let shown = filter.to_string();
    assert_eq!(shown, format!("DynamicFilter [ {bounds} ]"));
    // Of a column in another place.
    let other: Arc<dyn PhysicalExpr> = Arc::new(Column::new("k", 3));
    let moved = filter.with_new_children(vec![other]).unwrap();
    let moved = moved.to_string();
    assert_eq!(moved, shown.replace("k@0", "k@3"));
}
