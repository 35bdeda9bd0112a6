#![allow(clippy::unwrap_used)]

use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::exec::FirstRanksExec;
use super::*;
use crate::limits::stop::stoppable_as_it_is;
use crate::testing::sorted_lines;

const ROWS: &str = "CREATE TABLE rows AS
    SELECT value AS x,
           CASE WHEN value % 13 = 0 THEN NULL ELSE value * 7919 % 10007 % 9 END AS p,
           CASE WHEN value % 11 = 0 THEN NULL
                ELSE 'text number ' || CAST(value * 31 % 5 AS varchar) END AS q,
           CASE WHEN value % 17 = 0 THEN NULL ELSE value * 104729 % 10007 % 800 END AS o,
           CASE WHEN value % 19 = 0 THEN NULL
                ELSE CAST(value * 7561 % 10007 - 5000 AS decimal(17, 2)) END AS d,
           CASE WHEN value % 7 = 0 THEN NULL WHEN value % 5 < 2 THEN CAST('-0.0' AS double)
                WHEN value % 5 < 4 THEN CAST(0 AS double)
                ELSE CAST(value * 3 % 101 AS double) - 50 END AS f,
           CASE WHEN value % 97 = 0 THEN CAST('NaN' AS double)
                ELSE CAST(value * 3 % 101 AS double) END AS n,
           'key ' || CAST(value * 7561 % 10007 % 300 AS varchar) AS t,
           arrow_cast(CAST(value * 3 % 1001 AS int), 'Date32') AS y
    FROM generate_series(1, 10000)";

/// Returns a context of batches of 100 rows.
async fn context(partitions: usize) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_batch_size(100);
    let context = SessionContext::new_with_config(config);
    context.sql(ROWS).await.unwrap().collect().await.unwrap();
    context
}

/// Returns the plan of DataFusion, and that of the rule.
async fn plans(context: &SessionContext, sql: &str) -> (Operator, Operator) {
    let plan = context.sql(sql).await.unwrap();
    let plain = plan.create_physical_plan().await.unwrap();
    let changed = FirstRanks
        .optimize(Arc::clone(&plain), &ConfigOptions::new())
        .unwrap();
    (plain, changed)
}

fn dropping(plan: &Operator) -> Option<Operator> {
    match plan.is::<FirstRanksExec>() {
        true => Some(Arc::clone(plan)),
        false => plan.children().into_iter().find_map(dropping),
    }
}

async fn rows(context: &SessionContext, plan: Operator) -> Vec<String> {
    let plan = stoppable_as_it_is(plan).unwrap();
    sorted_lines(&collect(plan, context.task_ctx()).await.unwrap())
}

/// Returns the rows of a plan, and how many the operator passed on.
async fn passed(context: &SessionContext, plan: Operator) -> (Vec<String>, usize) {
    let plan = stoppable_as_it_is(plan).unwrap();
    let exec = dropping(&plan).unwrap();
    let rows = sorted_lines(&collect(plan, context.task_ctx()).await.unwrap());
    (rows, exec.metrics().unwrap().output_rows().unwrap())
}

const WINDOWS: &[&str] = &[
    "ORDER BY o",
    "ORDER BY o DESC NULLS LAST, q",
    "ORDER BY t DESC",
    "PARTITION BY p ORDER BY o",
    "PARTITION BY p ORDER BY d DESC",
    "PARTITION BY q ORDER BY d NULLS FIRST",
    "PARTITION BY q, p ORDER BY t, y DESC",
    "PARTITION BY p ORDER BY f",
    "PARTITION BY p ORDER BY f DESC, o",
    "PARTITION BY q ORDER BY n DESC",
    "PARTITION BY y ORDER BY o",
];

#[tokio::test]
async fn first_ranks_are_those_of_the_plan() {
    for partitions in [1, 3] {
        let context = context(partitions).await;
        for window in WINDOWS {
            for condition in [
                "r <= 3",
                "r < 200",
                "7 >= r AND p > 2",
                "r = 2",
                "r BETWEEN 4 AND 9",
            ] {
                let sql = format!(
                    "SELECT * FROM (SELECT *, rank() OVER ({window}) AS r FROM rows) WHERE {condition}"
                );
                let (plain, changed) = plans(&context, &sql).await;
                assert!(dropping(&changed).is_some(), "{sql}");
                let expected = rows(&context, plain).await;
                let found = rows(&context, changed).await;
                assert_eq!(found, expected, "{sql}");
            }
        }
    }
}

#[tokio::test]
async fn functions_beside_the_rank_are_those_of_the_plan() {
    let context = context(3).await;
    for (window, columns, condition) in [
        (
            "PARTITION BY p ORDER BY o, x",
            "x, p, row_number() OVER w AS r",
            "r <= 5",
        ),
        (
            "PARTITION BY q ORDER BY o",
            "x, o, rank() OVER w AS r, dense_rank() OVER w AS other",
            "r <= 40 AND other > 1",
        ),
        (
            "PARTITION BY p ORDER BY y DESC, x",
            "row_number() OVER w AS r, rank() OVER w AS other, p, x",
            "r <= 4 AND other <= 3",
        ),
    ] {
        let sql = format!(
            "SELECT * FROM (SELECT {columns} FROM rows WINDOW w AS ({window})) WHERE {condition}"
        );
        let (plain, changed) = plans(&context, &sql).await;
        assert!(dropping(&changed).is_some(), "{sql}");
        let expected = rows(&context, plain).await;
        assert!(!expected.is_empty(), "{sql}");
        assert_eq!(rows(&context, changed).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn most_rows_are_dropped() {
    let context = context(3).await;
    let sql = "SELECT x FROM (SELECT x, rank() OVER (PARTITION BY p ORDER BY d) AS r FROM rows)
               WHERE r <= 2";
    let (_, changed) = plans(&context, sql).await;
    let (_, passed) = passed(&context, changed).await;
    assert!((20..1000).contains(&passed), "{passed}");
}

#[tokio::test]
async fn other_filters_and_windows_stay() {
    let context = context(3).await;
    for (columns, condition) in [
        ("rank() OVER (ORDER BY o) AS r", "r > 3"),
        ("rank() OVER (ORDER BY o) AS r", "r <= 0"),
        ("rank() OVER (ORDER BY o) AS r", "r < 1"),
        ("rank() OVER (ORDER BY o) AS r", "r <= x"),
        ("rank() OVER (ORDER BY o) AS r", "r <= 3 OR p = 1"),
        ("rank() OVER (ORDER BY o) AS r", "r <= 1000000"),
        ("rank() OVER (ORDER BY o) AS r", "x <= 3"),
        ("rank() OVER (ORDER BY o + p) AS r", "r <= 3"),
        ("rank() OVER (PARTITION BY f ORDER BY o) AS r", "r <= 3"),
        ("row_number() OVER (PARTITION BY p) AS r", "r <= 3"),
        ("dense_rank() OVER (ORDER BY o) AS r", "r <= 3"),
        ("ntile(3) OVER (ORDER BY o) AS r", "r <= 1"),
        (
            "rank() OVER (PARTITION BY p ORDER BY o) AS r,
             lead(x) OVER (PARTITION BY p ORDER BY o) AS l",
            "r <= 3",
        ),
    ] {
        let sql = format!("SELECT * FROM (SELECT x, p, {columns} FROM rows) WHERE {condition}");
        let (_, changed) = plans(&context, &sql).await;
        assert!(dropping(&changed).is_none(), "{sql}");
    }
    // The rows of the inner window are those that the outer one counts.
    let sql = "SELECT * FROM (
        SELECT *, count(*) OVER (PARTITION BY q) AS c
        FROM (SELECT x, q, rank() OVER (PARTITION BY p ORDER BY o) AS r FROM rows)
    ) WHERE r <= 3";
    let (_, changed) = plans(&context, sql).await;
    assert!(dropping(&changed).is_none());
}

#[tokio::test]
async fn rows_in_the_worst_order_are_passed_on() {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    for count in [5000, 200_000] {
        let sql = format!(
            "SELECT * FROM (
                SELECT value, rank() OVER (ORDER BY value DESC) AS r FROM generate_series(1, {count})
            ) WHERE r <= 10"
        );
        let (plain, changed) = plans(&context, &sql).await;
        let expected = rows(&context, plain).await;
        assert_eq!(passed(&context, changed).await, (expected, count));
    }
}

#[tokio::test]
async fn rows_are_passed_on_without_memory_for_keys() {
    let context = context(1).await;
    let sql = "SELECT x FROM (SELECT x, rank() OVER (PARTITION BY p ORDER BY d) AS r FROM rows)
               WHERE r <= 1";
    let (_, changed) = plans(&context, sql).await;
    let exec = dropping(&changed).unwrap();
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(0)))
        .build_arc()
        .unwrap();
    let config = SessionConfig::new().with_batch_size(100);
    let poor = SessionContext::new_with_config_rt(config, runtime);
    let batches = collect(exec, poor.task_ctx()).await.unwrap();
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    assert!(rows > 9000, "{rows}");
}
