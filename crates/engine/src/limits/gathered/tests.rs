#![allow(clippy::unwrap_used)]

use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};
use lakegate_error::{Code, from_engine};

use super::*;
use crate::limits::stop::stoppable;

/// Returns a context with a memory pool of `bytes` bytes.
fn context(bytes: usize, ours: bool) -> SessionContext {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(bytes)))
        .build_arc()
        .unwrap();
    let config = SessionConfig::new().with_target_partitions(2);
    let mut state = SessionContext::new_with_config_rt(config, runtime).state();
    if ours {
        register(&mut state).unwrap();
    }
    SessionContext::new_with_state(state)
}

async fn run(context: &SessionContext, sql: &str) -> Result<String> {
    let plan = context.sql(sql).await?.create_physical_plan().await?;
    let batches = collect(stoppable(plan)?, context.task_ctx()).await?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

const MIB: usize = 1 << 20;

#[tokio::test]
async fn what_functions_gather_is_of_the_pool() {
    let context = context(64 * MIB, true);
    let text = "repeat(md5(CAST(x AS varchar)), 100)";
    for gathered in [
        format!("array_agg({text})"),
        format!("array_agg(make_array({text}))"),
        format!("array_agg(named_struct('a', {text}, 'b', x))"),
        format!("array_agg({text} ORDER BY x DESC)"),
        format!("string_agg({text}, ',')"),
        format!("nth_value({text}, 90000)"),
    ] {
        let sql = format!("SELECT {gathered} FROM generate_series(1, 100000) t(x)");
        let error = from_engine(run(&context, &sql).await.unwrap_err());
        assert_eq!(error.code(), Code::OutOfMemory, "{gathered}: {error}");
    }
}

#[tokio::test]
async fn what_windows_keep_and_make_is_of_the_pool() {
    let context = context(64 * MIB, true);
    let text = "repeat(md5(CAST(x AS varchar)), 100)";
    for (function, rows) in [
        ("array_agg(x) OVER ()".to_owned(), 1_000_000),
        ("array_agg(x) OVER (ORDER BY x)".to_owned(), 100_000),
        ("array_agg(x) FILTER (WHERE x < 100000) OVER ()".to_owned(), 1_000_000),
        ("array_agg(x) OVER (ORDER BY x ROWS BETWEEN 20000 PRECEDING AND CURRENT ROW)".to_owned(), 100_000),
        ("string_agg(CAST(x AS varchar), ',') OVER ()".to_owned(), 100_000),
        ("array_agg(x) OVER (PARTITION BY x % 2)".to_owned(), 100_000),
        ("first_value(repeat('x', CAST(20000000 / x AS int))) OVER (ORDER BY x)".to_owned(), 1000),
        ("first_value(repeat('x', 1000000)) OVER (ORDER BY x ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)".to_owned(), 100_000),
        ("max(t) OVER ()".to_owned(), 100_000),
        ("row_number() OVER (ORDER BY x), lag(t, 90000) OVER (ORDER BY x)".to_owned(), 100_000),
    ] {
        let source = format!("(SELECT x, {text} AS t FROM generate_series(1, {rows}) s(x)) q");
        let sql = match function.contains("(t") {
            true => format!("SELECT x, t, {function} FROM {source}"),
            false => format!("SELECT {function} FROM generate_series(1, {rows}) t(x)"),
        };
        let error = from_engine(run(&context, &sql).await.unwrap_err());
        assert_eq!(error.code(), Code::OutOfMemory, "{function}: {error}");
    }
}

#[tokio::test]
async fn values_are_the_engines() {
    let (ours, plain) = (context(1 << 30, true), context(1 << 30, false));
    for sql in [
        "SELECT array_agg(x), array_agg(t), array_agg(DISTINCT x % 3 ORDER BY x % 3), string_agg(t, '|' ORDER BY x DESC) FROM few",
        "SELECT x % 5 AS k, array_agg(x ORDER BY x), array_agg(t ORDER BY t DESC), count(DISTINCT x), first_value(t ORDER BY x), last_value(t ORDER BY x), nth_value(t, 2 ORDER BY x) FROM few GROUP BY 1 ORDER BY 1",
        "SELECT k, cardinality(array_agg(t)), median(x), sum(x), avg(x), min(t), max(t), count(*), stddev(x), bool_and(x > 3) FROM (SELECT x, t, x % 40 AS k FROM few) GROUP BY k ORDER BY k",
        "SELECT x, array_agg(x) OVER (ORDER BY x ROWS 3 PRECEDING), sum(x) OVER (ORDER BY x), rank() OVER (ORDER BY x % 3), lag(t, 2, 'none') OVER (ORDER BY x), lead(t) OVER (ORDER BY x), ntile(3) OVER (ORDER BY x) FROM few ORDER BY x",
        "SELECT x, string_agg(t, ',') OVER (PARTITION BY x % 9 ORDER BY x) AS s, count(*) FILTER (WHERE x > 9) OVER (PARTITION BY x % 2), first_value(t) OVER (PARTITION BY x % 3 ORDER BY x DESC), nth_value(t, 3) OVER (ORDER BY x), last_value(t) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING) FROM few ORDER BY x",
        "SELECT x, array_agg(x) FILTER (WHERE x % 2 = 0) OVER (PARTITION BY x % 3 ORDER BY x), percent_rank() OVER (ORDER BY x % 7), cume_dist() OVER (ORDER BY x % 7), dense_rank() OVER (ORDER BY x % 7) FROM few ORDER BY x",
        "SELECT max(m), count(*) FROM (SELECT median(x) OVER () AS m, t FROM generate_series(1, 30000) s(x), (SELECT 'a' AS t)) q",
        "SELECT array_agg(x ORDER BY x DESC) FROM (SELECT x FROM few WHERE false)",
    ] {
        let mut shown = Vec::new();
        for context in [&ours, &plain] {
            if shown.len() < 2 {
                let few = "CREATE TABLE IF NOT EXISTS few AS SELECT value AS x, 'a text that is longer than a view ' || value AS t FROM generate_series(1, 60)";
                context.sql(few).await.unwrap().collect().await.unwrap();
            }
            shown.push(run(context, sql).await.unwrap());
        }
        assert_eq!(shown[0], shown[1], "{sql}");
    }
}

/// The window keeps far fewer rows than it is given.
#[tokio::test]
async fn windows_that_move_on_need_little() {
    let context = context(16 * MIB, true);
    for sql in [
        "SELECT max(r) FROM (SELECT row_number() OVER () AS r FROM generate_series(1, 3000000) t(x)) q",
        "SELECT max(s) FROM (SELECT sum(x) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM generate_series(1, 3000000) t(x)) q",
        "SELECT max(s) FROM (SELECT sum(x) OVER (ROWS 10 PRECEDING) AS s FROM generate_series(1, 1500000) t(x)) q",
        "SELECT max(s) FROM (SELECT lag(x, 5) OVER () AS s FROM generate_series(1, 1500000) t(x)) q",
        "SELECT max(cardinality(s)) FROM (SELECT array_agg(x) OVER (ROWS 3 PRECEDING) AS s FROM generate_series(1, 100000) t(x)) q",
    ] {
        run(&context, sql).await.unwrap();
    }
}

/// Each value is kept by itself, not with its batch.
#[tokio::test]
async fn distinct_nested_values_need_little() {
    let context = context(64 * MIB, true);
    for nested in [
        "named_struct('a', x % 9000, 'b', CAST(x % 9000 AS varchar))",
        "make_array(x % 9000, 1)",
        "CASE WHEN x > 18000 THEN NULL ELSE named_struct('a', x % 9000) END",
    ] {
        let sql = format!(
            "SELECT count(DISTINCT x) AS x, count(DISTINCT {nested}) AS n FROM generate_series(1, 20000) t(x)"
        );
        let shown = run(&context, &sql).await.unwrap();
        assert!(shown.contains("| 20000 | 9000 |"), "{nested}: {shown}");
    }
}
