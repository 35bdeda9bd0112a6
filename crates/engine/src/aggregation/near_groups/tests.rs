#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::datasource::MemTable;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::aggregates::AggregateMode;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::limits::stop::{PlanRun, stoppable};
use crate::testing::{physical_plan, sorted_lines};

const ROWS: i64 = 60_000;

/// A session with a table of two partitions.
fn context() -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config(config);
    let partition = |from: i64| -> Vec<RecordBatch> {
        let starts = (from..from + ROWS / 2).step_by(5000);
        let batches = starts.map(|start| {
            let numbers = || start..(start + 5000).min(from + ROWS / 2);
            let ints = |value: &dyn Fn(i64) -> Option<i64>| -> ArrayRef {
                Arc::new(numbers().map(value).collect::<Int64Array>())
            };
            let texts = numbers().map(|n| (n % 6 != 0).then(|| format!("text {}", n % 9)));
            let columns = [
                // Groups that follow each other, the same in both partitions.
                ("near", ints(&|n| Some(n % (ROWS / 2) / 4))),
                ("nulls", ints(&|n| (n / 4 % 10 != 0).then_some(n / 4))),
                // Begins in order, and is not.
                (
                    "first",
                    ints(&|n| Some(if n < 20_000 { n / 3 } else { n % 1000 })),
                ),
                ("spread", ints(&|n| Some(n * 7919 % 20_011))),
                ("few", ints(&|n| Some(n / 3000))),
                ("own", ints(&|n| Some(n))),
                ("x", ints(&|n| (n % 7 != 0).then_some(n * 31 % 1009))),
                ("t", Arc::new(texts.collect::<StringArray>()) as ArrayRef),
            ];
            RecordBatch::try_from_iter_with_nullable(
                columns.map(|(name, values)| (name, values, true)),
            )
            .unwrap()
        });
        batches.collect()
    };
    let partitions = vec![partition(0), partition(ROWS / 2)];
    let schema = partitions[0][0].schema();
    let table = MemTable::try_new(schema, partitions).unwrap();
    context.register_table("rows", Arc::new(table)).unwrap();
    context
}

/// Returns the rows of a plan in order. `bytes`: that the pool has.
async fn rows(context: &SessionContext, plan: Operator, bytes: usize) -> Result<Vec<String>> {
    let task = TaskContext::from(context);
    let run = PlanRun::new(Arc::default(), ());
    let config = task.session_config().clone().with_extension(run);
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes)));
    let context = SessionContext::new_with_config_rt(config, runtime.build_arc().unwrap());
    let batches = collect(plan, Arc::new(TaskContext::from(&context))).await?;
    Ok(sorted_lines(&batches))
}

/// Returns the first step of an aggregation.
fn first_step(plan: &Operator) -> Option<&Operator> {
    let aggregate = plan.downcast_ref::<AggregateExec>();
    if aggregate.is_some_and(|aggregate| *aggregate.mode() == AggregateMode::Partial) {
        return Some(plan);
    }
    plan.children().into_iter().find_map(first_step)
}

const FUNCTIONS: &str = "count(*), count(x), sum(x), min(t), max(x), avg(x), bool_or(x > 1000),
    sum(x) FILTER (WHERE t IS NOT NULL)";

#[tokio::test]
async fn groups_are_the_same_whatever_the_order_of_rows() {
    let context = context();
    for (key, is_near) in [
        ("near", true),
        ("nulls", true),
        ("first", true),
        ("spread", false),
        ("few", false),
        ("own", false),
    ] {
        let sql = format!("SELECT {key}, {FUNCTIONS} FROM rows GROUP BY {key}");
        let plain = physical_plan(&context, &sql).await;
        let shown = displayable(plain.as_ref()).indent(true).to_string();
        let expected = rows(&context, plain, usize::MAX).await.unwrap();
        let near = stoppable(physical_plan(&context, &sql).await).unwrap();
        assert!(format!("{near:?}").contains("NearGroups"), "{sql}");
        assert_eq!(displayable(near.as_ref()).indent(true).to_string(), shown);
        let found = rows(&context, Arc::clone(&near), usize::MAX).await.unwrap();
        assert_eq!(found, expected, "{sql}");
        let made = format!("{near:?}");
        assert_eq!(made.contains("input_order_mode: Sorted"), is_near, "{sql}");
        let returned = first_step(&near).unwrap().metrics().unwrap().output_rows();
        assert!(returned.unwrap() >= expected.len() / 2, "{sql}");
    }
}

#[tokio::test]
async fn groups_of_other_forms_are_the_same() {
    let context = context();
    for sql in [
        "SELECT near FROM rows GROUP BY near",
        "SELECT near, sum(x) FROM rows WHERE own < 0 GROUP BY near",
        "SELECT near, sum(x) FROM rows WHERE x = 5 GROUP BY near",
        "SELECT near, avg(x) AS a FROM rows GROUP BY near HAVING sum(x) > 3000 ORDER BY a",
    ] {
        let expected = rows(&context, physical_plan(&context, sql).await, usize::MAX)
            .await
            .unwrap();
        let near = stoppable(physical_plan(&context, sql).await).unwrap();
        assert!(format!("{near:?}").contains("NearGroups"), "{sql}");
        assert_eq!(
            rows(&context, near, usize::MAX).await.unwrap(),
            expected,
            "{sql}"
        );
    }
}

#[tokio::test]
async fn other_aggregations_stay() {
    let context = context();
    for sql in [
        "SELECT near, own, count(*) FROM rows GROUP BY near, own",
        "SELECT t, count(*) FROM rows GROUP BY t",
        "SELECT near + 1, count(*) FROM rows GROUP BY near + 1",
        "SELECT near, array_agg(x) FROM rows GROUP BY near",
        "SELECT count(*) FROM rows",
    ] {
        let other = stoppable(physical_plan(&context, sql).await).unwrap();
        assert!(!format!("{other:?}").contains("NearGroups"), "{sql}");
    }
}

#[tokio::test]
async fn first_step_needs_no_memory() {
    let context = context();
    // The last step has none.
    let sql = "SELECT near, sum(x) FROM rows GROUP BY near";
    let near = stoppable(physical_plan(&context, sql).await).unwrap();
    let first = Arc::clone(first_step(&near).unwrap());
    let found = rows(&context, first, 0).await.unwrap();
    assert!(found.len() >= ROWS as usize / 4);
}

#[test]
fn rows_are_near_if_few_groups_come_again() {
    let key: Arc<dyn PhysicalExpr> = Arc::new(Column::new("k", 0));
    let are_near = |keys: &mut dyn Iterator<Item = i64>| {
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(keys));
        let batch = RecordBatch::try_from_iter([("k", keys)]).unwrap();
        let half = batch.num_rows() / 2;
        let parts = [
            batch.slice(0, half),
            batch.slice(half, batch.num_rows() - half),
        ];
        super::are_near(&key, &parts).unwrap()
    };
    assert!(are_near(&mut (0..9000).map(|n| n / 2)));
    assert!(are_near(&mut (0..9000).map(|n| n / 60)));
    assert!(!are_near(&mut (0..9000).map(|n| n / 1000)));
    assert!(!are_near(&mut (0..9000).map(|n| n / 2 % 1500)));
    assert!(!are_near(&mut (0..9000)));
    assert!(!are_near(&mut (0..3000).map(|n| n / 2)));
    assert!(!are_near(&mut (0..0)));
}
