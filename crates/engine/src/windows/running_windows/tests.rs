#![allow(clippy::unwrap_used)]

use std::any::Any;

use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};
use lakegate_error::{Code, from_engine};

use super::values::Stepwise;
use super::*;
use crate::limits::stop::{stoppable, stoppable_as_it_is};
use crate::testing::{lines, physical_plan};

const ROWS: &str = "CREATE TABLE rows AS
    SELECT value AS x,
           CASE WHEN value % 5 = 0 THEN NULL ELSE value * 7 % 6 END AS p,
           CASE WHEN value % 6 = 0 THEN NULL ELSE 'text ' || CAST(value * 11 % 4 AS varchar) END AS q,
           CASE WHEN value % 8 = 0 THEN NULL ELSE value * 13 % 17 END AS o,
           CASE WHEN value % 7 = 0 THEN NULL ELSE value * 37 % 101 - 50 END AS i,
           CASE WHEN value % 11 = 0 THEN NULL ELSE CAST(value * 31 % 97 - 40 AS decimal(17, 2)) END AS d,
           CASE WHEN value % 9 = 0 THEN NULL WHEN value = 50 THEN CAST('NaN' AS double)
                ELSE CAST(value AS double) / 7 END AS f,
           to_timestamp_micros(value * 29 % 71) AS t,
           arrow_cast(CAST(value * 3 % 11 AS int), 'Date32') AS y
    FROM generate_series(1, 300)";

/// Returns a context with the engine's functions, and a pool of `bytes` bytes.
async fn context(batch_size: usize, bytes: usize) -> SessionContext {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(bytes)))
        .build_arc()
        .unwrap();
    // One partition: equal keys are always in the same order.
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(batch_size);
    let mut state = SessionContext::new_with_config_rt(config, runtime).state();
    crate::aggregation::sum::register(&mut state).unwrap();
    crate::limits::gathered::register(&mut state).unwrap();
    let context = SessionContext::new_with_state(state);
    context.sql(ROWS).await.unwrap().collect().await.unwrap();
    context
}

async fn rows(context: &SessionContext, plan: Operator) -> Result<Vec<String>> {
    let schema = plan.schema();
    let batches = collect(plan, context.task_ctx()).await?;
    for batch in &batches {
        assert_eq!(batch.schema().fields(), schema.fields());
    }
    Ok(lines(&batches))
}

fn is_replaced(plan: &Operator) -> bool {
    plan.is::<RunningWindows>() || plan.children().into_iter().any(is_replaced)
}

const FUNCTIONS: &[&str] = &[
    "sum(i)",
    "sum(d)",
    "sum(f)",
    "avg(i)",
    "avg(d)",
    "avg(f)",
    "min(i)",
    "max(d)",
    "min(f)",
    "max(f)",
    "max(t)",
    "min(y)",
    "max(CAST(i AS smallint))",
    "count(*)",
    "count(q)",
    "count(i)",
    "stddev(f)",
    "var_pop(i)",
];

const WINDOWS: &[&str] = &[
    "",
    "ORDER BY x",
    "ORDER BY o",
    "ORDER BY o DESC, q ROWS UNBOUNDED PRECEDING",
    "PARTITION BY q",
    "PARTITION BY x",
    "PARTITION BY p ORDER BY o",
    "PARTITION BY p, q ORDER BY o DESC NULLS LAST, y",
    "PARTITION BY f ORDER BY t",
    "PARTITION BY p ORDER BY x ROWS UNBOUNDED PRECEDING",
    "PARTITION BY y, p ORDER BY q ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "PARTITION BY p ORDER BY o ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    "PARTITION BY q ORDER BY t RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
];

#[tokio::test]
async fn values_are_those_of_the_windows_of_the_plan() {
    let mut statements = Vec::new();
    for window in WINDOWS {
        let calls = FUNCTIONS.iter();
        let calls: Vec<String> = calls
            .map(|call| format!("{call} OVER ({window})"))
            .collect();
        statements.push(format!("SELECT x, {} FROM rows", calls.join(", ")));
        if !window.contains("ROWS") && !window.contains("RANGE") {
            statements.push(format!(
                "SELECT x, row_number() OVER ({window}), rank() OVER ({window}), dense_rank() OVER ({window}) FROM rows"
            ));
        }
    }
    // Frames of several kinds over the same keys.
    let keys = "PARTITION BY p ORDER BY o";
    statements.push(format!(
        "SELECT x, sum(i) OVER ({keys}), count(f) OVER ({keys} ROWS UNBOUNDED PRECEDING), rank() OVER ({keys}), row_number() OVER ({keys}),
            max(d) OVER ({keys} ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM rows"
    ));
    statements.push(
        "SELECT x, row_number() OVER (), sum(i) OVER (ROWS UNBOUNDED PRECEDING) FROM rows"
            .to_owned(),
    );
    for batch_size in [1, 3, 64, 8192] {
        let context = context(batch_size, 1 << 30).await;
        for sql in &statements {
            let expected = stoppable_as_it_is(physical_plan(&context, sql).await).unwrap();
            assert!(!is_replaced(&expected), "{sql}");
            let quick = stoppable(physical_plan(&context, sql).await).unwrap();
            assert!(is_replaced(&quick), "{sql}");
            assert_eq!(
                displayable(quick.as_ref()).indent(true).to_string(),
                displayable(expected.as_ref()).indent(true).to_string()
            );
            assert_eq!(quick.schema(), expected.schema());
            let expected = rows(&context, expected).await.unwrap();
            assert_eq!(expected.len(), 300);
            assert_eq!(rows(&context, quick).await.unwrap(), expected, "{sql}");
        }
    }
}

/// Partitions and groups of peers of all sizes, at all places of batches.
#[tokio::test]
async fn values_do_not_depend_on_where_batches_end() {
    for batch_size in [1, 2, 5, 7, 100] {
        let context = context(batch_size, 1 << 30).await;
        for (partitions, peers) in [
            (1, 1),
            (1, 40),
            (3, 2),
            (10, 3),
            (25, 1),
            (25, 100),
            (90, 9),
        ] {
            let keys = format!("PARTITION BY x / {partitions} ORDER BY x / {peers}");
            let sql = format!(
                "SELECT x, sum(i) OVER ({keys}), dense_rank() OVER ({keys}), count(f) OVER ({keys}) FROM rows"
            );
            let expected = stoppable_as_it_is(physical_plan(&context, &sql).await).unwrap();
            let expected = rows(&context, expected).await.unwrap();
            let quick = stoppable(physical_plan(&context, &sql).await).unwrap();
            assert!(is_replaced(&quick), "{sql}");
            assert_eq!(rows(&context, quick).await.unwrap(), expected, "{sql}");
        }
    }
}

#[tokio::test]
async fn other_windows_stay() {
    let context = context(8192, 1 << 30).await;
    for call in [
        "sum(i) FILTER (WHERE i > 0) OVER (ORDER BY x)",
        "sum(i) FILTER (WHERE i > 0) OVER (PARTITION BY p)",
        "sum(i) OVER (ORDER BY x ROWS 2 PRECEDING)",
        "sum(i) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING)",
        "sum(i) OVER (ORDER BY x GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
        "max(q) OVER (PARTITION BY p)",
        "percent_rank() OVER (ORDER BY x)",
        "lag(i) OVER (ORDER BY x)",
        "array_agg(i) OVER (PARTITION BY p)",
        "lead(i) OVER (ORDER BY x), sum(i) OVER (ORDER BY x)",
    ] {
        let sql = format!("SELECT {call} FROM rows");
        let same = stoppable(physical_plan(&context, &sql).await).unwrap();
        assert!(!is_replaced(&same), "{sql}");
        assert_eq!(rows(&context, same).await.unwrap().len(), 300, "{sql}");
    }
}

#[tokio::test]
async fn there_may_be_no_rows() {
    let context = context(8192, 1 << 30).await;
    for window in [
        "",
        "PARTITION BY p",
        "ORDER BY o",
        "ORDER BY x ROWS UNBOUNDED PRECEDING",
    ] {
        let sql = format!("SELECT sum(i) OVER ({window}) FROM rows WHERE x % 400 = 399");
        let quick = stoppable(physical_plan(&context, &sql).await).unwrap();
        assert!(is_replaced(&quick), "{sql}");
        assert!(rows(&context, quick).await.unwrap().is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn a_sum_that_does_not_fit_is_an_error() {
    let context = context(2, 1 << 30).await;
    let large = "(SELECT x, CASE WHEN x % 7 = 0 THEN NULL ELSE 9223372036854775000 + x END AS b FROM rows) q";
    for window in [
        "ORDER BY x",
        "ORDER BY x ROWS UNBOUNDED PRECEDING",
        "PARTITION BY x % 2",
    ] {
        let sql = format!("SELECT sum(b) OVER ({window}) FROM {large}");
        let quick = stoppable(physical_plan(&context, &sql).await).unwrap();
        assert!(is_replaced(&quick), "{sql}");
        let error = from_engine(rows(&context, quick).await.unwrap_err());
        assert_eq!(error.code(), Code::NumericOutOfRange, "{sql}: {error}");
    }
    let sql = format!("SELECT sum(b) OVER (PARTITION BY x ORDER BY b) FROM {large} WHERE x < 9");
    let quick = stoppable(physical_plan(&context, &sql).await).unwrap();
    let sums = rows(&context, quick).await.unwrap();
    assert!(
        sums.contains(&"9223372036854775008|".to_owned()),
        "{sums:?}"
    );
    assert!(sums.contains(&"NULL|".to_owned()), "{sums:?}");
}

#[tokio::test]
async fn rows_without_values_are_of_the_pool() {
    let context = context(8192, 16 << 20).await;
    let series = "generate_series(1, 2000000) s (n)";
    let sql = format!("SELECT n, sum(n) OVER () FROM {series}");
    let quick = stoppable(physical_plan(&context, &sql).await).unwrap();
    assert!(is_replaced(&quick), "{sql}");
    let error = from_engine(rows(&context, quick).await.unwrap_err());
    assert_eq!(error.code(), Code::OutOfMemory, "{error}");
    let sql = format!(
        "SELECT max(s) FROM (SELECT sum(n) OVER (ROWS UNBOUNDED PRECEDING) AS s FROM {series}) q"
    );
    let quick = stoppable(physical_plan(&context, &sql).await).unwrap();
    assert!(is_replaced(&quick), "{sql}");
    assert_eq!(rows(&context, quick).await.unwrap(), ["2000001000000|"]);
    assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
}

#[tokio::test]
async fn large_partitions_are_returned_in_batches() {
    let context = context(64, 1 << 30).await;
    let quick =
        stoppable(physical_plan(&context, "SELECT x, max(x) OVER () FROM rows").await).unwrap();
    let batches = collect(quick, context.task_ctx()).await.unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= 64));
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        300
    );
}

/// Returns whether the first function of the plan's window is evaluated by its accumulator.
fn is_stepwise(plan: &Operator) -> Option<bool> {
    let exprs = if let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() {
        window.window_expr()
    } else if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
        window.window_expr()
    } else {
        return plan.children().into_iter().find_map(is_stepwise);
    };
    let function = Function::of(exprs.first()?)?;
    let input = plan.children().into_iter().next()?.schema();
    let running = function.start(&input).unwrap();
    let running: &dyn Any = &*running;
    Some(running.is::<Stepwise>())
}

#[tokio::test]
async fn integers_decimals_and_times_need_no_accumulator() {
    let context = context(8192, 1 << 30).await;
    for (call, stepwise) in [
        ("sum(i)", false),
        ("sum(d)", false),
        ("avg(i)", false),
        ("count(*)", false),
        ("count(q)", false),
        ("min(i)", false),
        ("max(d)", false),
        ("max(t)", false),
        ("min(y)", false),
        ("sum(f)", true),
        ("avg(d)", true),
        ("max(f)", true),
    ] {
        for window in ["ORDER BY x", "PARTITION BY p"] {
            let sql = format!("SELECT {call} OVER ({window}) FROM rows");
            let plan = physical_plan(&context, &sql).await;
            assert_eq!(is_stepwise(&plan), Some(stepwise), "{sql}");
        }
    }
}
