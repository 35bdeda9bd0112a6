//! Filters that joins make for their probe side.

use std::time::Duration;

use datafusion::physical_expr::expressions::{DynamicFilterPhysicalExpr, lit};
use datafusion::physical_plan::Partitioning;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::repartition::RepartitionExec;

use super::*;

fn key() -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new("k", 0))
}

fn by_key(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let hashed = Partitioning::Hash(vec![key()], 2);
    Arc::new(RepartitionExec::try_new(input, hashed).unwrap())
}

/// Returns the keys below 200 of each partition.
async fn keys_by_partition() -> Vec<Keys> {
    let keys: Keys = (0..200).map(Some).collect();
    let divided = by_key(table(&keys, 1));
    let task = context(LARGE);
    let started = [0, 1].map(|partition| divided.execute(partition, Arc::clone(&task)).unwrap());
    let mut by_partition = Vec::new();
    for partition in started {
        let mut of_partition = Keys::new();
        let batches = datafusion::physical_plan::common::collect(partition).await;
        for batch in batches.unwrap() {
            let column: &Int64Array = batch.column(0).as_any().downcast_ref().unwrap();
            of_partition.extend(column.iter());
        }
        by_partition.push(of_partition);
    }
    by_partition
}

/// One partition spills. The other one waits for what it knows of its keys before it filters.
#[tokio::test]
async fn partitions_that_spill_let_others_filter() {
    let keys = keys_by_partition().await;
    assert!(keys.iter().all(|keys| keys.len() > 50), "{keys:?}");
    for large in [0, 1] {
        let many = keys[large].iter().take(50).cycle().take(5000);
        let few = keys[1 - large].iter().take(5);
        let left: Keys = many.chain(few).copied().collect();
        let right: Keys = (0..400).map(|row| Some(row % 200)).collect();
        for join_type in [JoinType::Inner, JoinType::Left, JoinType::RightSemi] {
            let of = |is_filtered: bool| {
                let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![key()], lit(true)));
                let mut probe = table(&right, 1);
                if is_filtered {
                    let predicate = Arc::<DynamicFilterPhysicalExpr>::clone(&filter);
                    probe = Arc::new(FilterExec::try_new(predicate, probe).unwrap());
                }
                let join = HashJoinExec::try_new(
                    by_key(table(&left, 1)),
                    by_key(probe),
                    vec![(key(), key())],
                    None,
                    &join_type,
                    None,
                    PartitionMode::Partitioned,
                    NullEquality::NullEqualsNothing,
                    false,
                )
                .unwrap();
                match is_filtered {
                    true => join.with_dynamic_filter_expr(filter).unwrap(),
                    false => join,
                }
            };
            let plain: Arc<dyn ExecutionPlan> = Arc::new(of(false));
            let expected = rows(&plain, &context(LARGE)).await.unwrap();
            let plan = spilling(&of(true));
            let task = context(400 << 10);
            let got = tokio::time::timeout(Duration::from_secs(60), rows(&plan, &task));
            let got = got.await.unwrap().unwrap();
            assert!(spilled_rows(&plan) >= 5000, "{join_type} {large}");
            assert!(got == expected, "{join_type} {large}");
        }
    }
}
