//! Keys that the filters of a probe side look up in sets.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::expressions::{
    CaseExpr, DynamicFilterPhysicalExpr, InListExpr, lit,
};
use datafusion::physical_expr::split_conjunction;
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

const ALONE: (PartitionMode, usize) = (PartitionMode::CollectLeft, 1);

const APART: (PartitionMode, usize) = (PartitionMode::Partitioned, 2);

/// Joins tables by these columns. The probe side has a filter, which the join does not fill.
fn joined(
    sides: (&Keys, &Keys),
    on: &[&str],
    join_type: JoinType,
    (mode, partitions): (PartitionMode, usize),
    nulls: NullEquality,
) -> (HashJoinExec, Arc<DynamicFilterPhysicalExpr>) {
    let keys = on.iter().map(|name| -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new_with_schema(name, &schema()).unwrap())
    });
    let keys: Vec<Arc<dyn PhysicalExpr>> = keys.collect();
    let filter = Arc::new(DynamicFilterPhysicalExpr::new(keys.clone(), lit(true)));
    let predicate = Arc::<DynamicFilterPhysicalExpr>::clone(&filter);
    let divided = |input: Arc<dyn ExecutionPlan>| -> Arc<dyn ExecutionPlan> {
        let hashed = Partitioning::Hash(keys.clone(), partitions);
        Arc::new(RepartitionExec::try_new(input, hashed).unwrap())
    };
    let probe = table(sides.1, partitions);
    let probe: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(predicate, probe).unwrap());
    let (build, probe) = match mode {
        PartitionMode::Partitioned => (divided(table(sides.0, partitions)), divided(probe)),
        _ => (table(sides.0, 1), probe),
    };
    let pairs = keys.iter().map(|key| (Arc::clone(key), Arc::clone(key)));
    let join = HashJoinExec::try_new(
        build,
        probe,
        pairs.collect(),
        None,
        &join_type,
        None,
        mode,
        nulls,
        false,
    );
    (join.unwrap(), filter)
}

/// Returns how many keys there are in each set that a filter looks them up in, after a check that a
/// join has the same rows as one without filters.
async fn looked_up(
    sides: (&Keys, &Keys),
    on: &[&str],
    join_type: JoinType,
    mode: (PartitionMode, usize),
    nulls: NullEquality,
    memory: usize,
) -> Vec<usize> {
    let what = format!("{on:?} {join_type} {mode:?} {nulls:?}");
    let (plain, _) = joined(sides, on, join_type, mode, nulls);
    let plain: Arc<dyn ExecutionPlan> = Arc::new(plain);
    let expected = rows(&plain, &context(LARGE)).await.unwrap();
    let (join, filter) = joined(sides, on, join_type, mode, nulls);
    let join = join.with_dynamic_filter_expr(Arc::clone(&filter)).unwrap();
    let plan = spilling(&join);
    let task = context(memory);
    let got = rows(&plan, &task).await.unwrap();
    assert!(got == expected, "{what}");
    assert_eq!(plan.metrics().unwrap().spill_count(), None, "{what}");
    let mut counts = Vec::new();
    let current = filter.current().unwrap();
    let walked = current.apply(|part| {
        let lookup = part.downcast_ref::<KeyLookup>();
        counts.extend(lookup.map(|lookup| lookup.set().count()));
        Ok(TreeNodeRecursion::Continue)
    });
    walked.unwrap();
    drop((current, filter, join, plan));
    // Tasks that were aborted end later.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(task.memory_pool().reserved(), 0, "{what}");
    counts
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
                let counts = looked_up(sides, &["k"], *join_type, *mode, NOTHING, LARGE).await;
                assert_eq!(counts, [distinct(&left)], "{join_type} {mode:?}");
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
    let none = Keys::new();
    let equal = NullEquality::NullEqualsNull;
    for mode in MODES {
        for join_type in FILTERING {
            for (left, nulls) in [
                (&wide, NOTHING),
                (&nulls, NOTHING),
                (&none, NOTHING),
                // NULL may be a key.
                (&dense, equal),
            ] {
                let sides = (left, &right);
                let counts = looked_up(sides, &["k"], *join_type, *mode, nulls, LARGE).await;
                assert!(counts.is_empty(), "{join_type} {mode:?}");
            }
        }
    }
}

#[tokio::test]
async fn one_of_several_keys_may_be_in_a_set() {
    let dense = multiples(900, 20, -7000);
    let mut wide = dense.clone();
    wide.extend([Some(i64::MIN), Some(i64::MAX)]);
    for mode in MODES {
        for join_type in FILTERING {
            for (left, on, expected) in [
                (&dense, ["k", "n"], vec![distinct(&dense), 900]),
                (&dense, ["k", "t"], vec![distinct(&dense)]),
                (&wide, ["k", "n"], vec![902]),
                (&wide, ["k", "t"], vec![]),
            ] {
                // A third of the rows has its keys.
                let right: Keys = (0..1500_usize)
                    .map(|row| match row % 3 {
                        0 => left.get(row).copied().flatten(),
                        _ => Some(row as i64 * 7),
                    })
                    .collect();
                let sides = (left, &right);
                let counts = looked_up(sides, &on, *join_type, *mode, NOTHING, LARGE).await;
                assert_eq!(counts, expected, "{on:?} {join_type} {mode:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_filter_of_several_keys_is_kept() {
    let (left, right) = (multiples(900, 20, -7000), multiples(900, 20, -7000));
    let (join, filter) = joined(
        (&left, &right),
        &["k", "n"],
        JoinType::Inner,
        APART,
        NOTHING,
    );
    let join = join.with_dynamic_filter_expr(Arc::clone(&filter)).unwrap();
    rows(&spilling(&join), &context(LARGE)).await.unwrap();
    let current = filter.current().unwrap();
    assert!(current.exists(|part| Ok(part.is::<CaseExpr>())).unwrap());
    let shown = current.to_string();
    let sets = "bitmap_lookup AND k@0 >= -7000 AND k@0 <= 10980 AND bitmap_lookup AND n@1 >= 0";
    assert!(shown.starts_with(sets), "{shown}");
}

#[tokio::test]
async fn few_keys_of_one_build_side_are_listed_behind_their_set() {
    let (left, right) = (multiples(40, 20, 0), multiples(3000, 3, -100));
    let inner = JoinType::Inner;
    for (mode, is_list) in [
        (ALONE, true),
        ((PartitionMode::CollectLeft, 3), true),
        (APART, false),
    ] {
        let counts = looked_up((&left, &right), &["k"], inner, mode, NOTHING, LARGE).await;
        assert_eq!(counts, [distinct(&left)], "{mode:?}");
        let (join, filter) = joined((&left, &right), &["k"], inner, mode, NOTHING);
        let join = join.with_dynamic_filter_expr(Arc::clone(&filter)).unwrap();
        rows(&spilling(&join), &context(LARGE)).await.unwrap();
        let current = filter.current().unwrap();
        let parts = split_conjunction(&current);
        assert!(parts[0].is::<KeyLookup>(), "{mode:?}: {current}");
        let lists = parts.iter().any(|part| part.is::<InListExpr>());
        assert_eq!(lists, is_list, "{mode:?}: {current}");
    }
}

#[tokio::test]
async fn without_room_keys_are_looked_up_as_before() {
    // The set would take 220 KiB, more than a quarter of what the build side leaves of 1 MiB.
    let (left, right) = (multiples(2000, 900, 0), multiples(3000, 700, -100));
    let inner = JoinType::Inner;
    for (memory, is_set) in [(LARGE, true), (1 << 20, false)] {
        let counts = looked_up((&left, &right), &["k"], inner, ALONE, NOTHING, memory).await;
        assert_eq!(!counts.is_empty(), is_set, "{memory}");
    }
}

#[tokio::test]
async fn bounds_of_all_partitions_are_in_the_filter() {
    let (left, right) = (multiples(900, 20, -7000), multiples(100, 3, 0));
    let (join, filter) = joined((&left, &right), &["k"], JoinType::Inner, APART, NOTHING);
    let join = join.with_dynamic_filter_expr(Arc::clone(&filter)).unwrap();
    rows(&spilling(&join), &context(LARGE)).await.unwrap();
    let bounds = "bitmap_lookup AND k@0 >= -7000 AND k@0 <= 10980";
    let shown = filter.to_string();
    assert_eq!(shown, format!("DynamicFilter [ {bounds} ]"));
    // Of a column in another place.
    let other: Arc<dyn PhysicalExpr> = Arc::new(Column::new("k", 3));
    let moved = filter.with_new_children(vec![other]).unwrap();
    let moved = moved.to_string();
    assert_eq!(moved, shown.replace("k@0", "k@3"));
}
