#![allow(clippy::unwrap_used)]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{
    MemoryLimit, MemoryPool, MemoryReservation, UnboundedMemoryPool,
};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::limits::stop::{PlanRun, stoppable};
use crate::testing::{physical_plan, sorted_lines};

/// A session with a table of this many rows, in batches of this many.
async fn context(rows: usize, batch: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let config = config.with_batch_size(batch);
    let context = SessionContext::new_with_config(config);
    let rows = format!(
        "CREATE TABLE rows AS
        SELECT CASE WHEN value % 5 = 0 THEN NULL ELSE value % 7 END AS a,
               CASE WHEN value % 11 = 0 THEN NULL ELSE 'a longer text ' || CAST(value % 3 AS varchar) END AS b,
               value % 13 AS c, CASE WHEN value % 17 = 0 THEN NULL ELSE value END AS x,
               CAST(value % 1000 AS decimal(10, 2)) AS d
        FROM generate_series(1, {rows})"
    );
    context.sql(&rows).await.unwrap().collect().await.unwrap();
    context
}

/// How a plan is run.
struct Way {
    /// Rows of a batch.
    batch: usize,
    /// Bytes that the steps may have.
    memory: usize,
    /// Rows after which it is known whether a step pays, and the largest share of groups with which
    /// it does.
    pays: (usize, f64),
}

const PLAIN: Way = Way {
    batch: 8192,
    memory: usize::MAX,
    pays: (100_000, 0.8),
};

/// A pool that refuses more than some bytes to the steps.
#[derive(Debug)]
struct Limited {
    all: UnboundedMemoryPool,
    bytes: usize,
    refused: AtomicUsize,
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limited")
    }
}

impl MemoryPool for Limited {
    fn name(&self) -> &str {
        "limited"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let of_steps = reservation.consumer().name().starts_with("FinestGroups");
        if of_steps && reservation.size().saturating_add(additional) > self.bytes {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(DataFusionError::ResourcesExhausted("limited".to_owned()));
        }
        self.all.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.all.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}

async fn rows(context: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Vec<String> {
    rows_by(context, plan, &PLAIN).await.0
}

/// Returns the rows of a plan in order, and how often the steps got no memory.
async fn rows_by(
    context: &SessionContext,
    plan: Arc<dyn ExecutionPlan>,
    way: &Way,
) -> (Vec<String>, usize) {
    let task = TaskContext::from(context);
    let run = PlanRun::new(Arc::default(), ());
    let mut config = task.session_config().clone().with_extension(run);
    config = config.with_batch_size(way.batch);
    let execution = &mut config.options_mut().execution;
    execution.skip_partial_aggregation_probe_rows_threshold = way.pays.0;
    execution.skip_partial_aggregation_probe_ratio_threshold = way.pays.1;
    let pool = Arc::new(Limited {
        all: UnboundedMemoryPool::default(),
        bytes: way.memory,
        refused: AtomicUsize::new(0),
    });
    let runtime = RuntimeEnvBuilder::new();
    let runtime = runtime.with_memory_pool(Arc::clone(&pool) as Arc<dyn MemoryPool>);
    let runtime = runtime.build_arc().unwrap();
    let context = SessionContext::new_with_config_rt(config, runtime);
    let batches = collect(plan, Arc::new(TaskContext::from(&context))).await;
    let rows = sorted_lines(&batches.unwrap());
    (rows, pool.refused.load(Ordering::Relaxed))
}

/// Returns how many rows the first step of a plan's aggregation returned.
fn of_first_step(plan: &Arc<dyn ExecutionPlan>) -> Option<usize> {
    let aggregate = plan.downcast_ref::<AggregateExec>();
    if aggregate.is_some_and(|aggregate| *aggregate.mode() == AggregateMode::Partial) {
        return plan.metrics()?.output_rows();
    }
    plan.children().into_iter().find_map(of_first_step)
}

const FUNCTIONS: &str =
    "count(*) AS n, count(x) AS m, sum(x) AS s, min(x) AS l, max(b) AS g, avg(d) AS v,
    avg(CAST(x AS DOUBLE)) AS w, sum(d) AS t, bool_or(x > 39990) AS o, count(x) FILTER (WHERE c < 3) AS f,
    min(x > 5) AS q, grouping(a) AS ga";

const SETS: &[&str] = &[
    "ROLLUP (a, b)",
    "CUBE (a, b, c)",
    "GROUPING SETS ((a, b), (), (), (b))",
    "ROLLUP (a, b, c, x)",
    "GROUPING SETS ((a, b), (a, b), (a))",
    "GROUPING SETS ((c, b), (a, b, c), (a), (c))",
];

#[tokio::test]
async fn rows_of_grouping_sets_are_the_same_in_steps() {
    let context = context(40_000, PLAIN.batch).await;
    let mut all = 0;
    for from in ["rows", "rows WHERE c > 11", "rows WHERE c > 100"] {
        for sets in SETS {
            let sql = format!("SELECT a, b, {FUNCTIONS} FROM {from} GROUP BY {sets}");
            let plain = physical_plan(&context, &sql).await;
            let shown = displayable(plain.as_ref()).indent(true).to_string();
            let expected = rows(&context, plain).await;
            let stepwise = stoppable(physical_plan(&context, &sql).await).unwrap();
            assert!(format!("{stepwise:?}").contains("FinestGroups"), "{sql}");
            assert_eq!(
                displayable(stepwise.as_ref()).indent(true).to_string(),
                shown
            );
            assert_eq!(rows(&context, stepwise).await, expected, "{sql}");
            all += expected.len();
        }
    }
    assert!(all > 40_000, "{all}");
}

#[tokio::test]
async fn rows_are_the_same_without_memory_and_where_no_step_pays() {
    let context = context(2000, 100).await;
    let (mut refused, mut earlier) = (0, 0);
    for sets in SETS {
        let sql = format!("SELECT a, b, {FUNCTIONS} FROM rows GROUP BY {sets}");
        let expected = rows(&context, physical_plan(&context, &sql).await).await;
        let roomy = stoppable(physical_plan(&context, &sql).await).unwrap();
        assert_eq!(rows(&context, Arc::clone(&roomy)).await, expected, "{sql}");
        for (batch, memory, pays) in [
            (1, usize::MAX, PLAIN.pays),
            (7, 0, PLAIN.pays),
            (100, 1000, PLAIN.pays),
            (100, 20_000, PLAIN.pays),
            (8192, 50_000, PLAIN.pays),
            // Steps pass on all rows, or some.
            (100, usize::MAX, (1, 0.0)),
            (100, usize::MAX, (1, 0.5)),
            (100, 20_000, (200, 0.3)),
            // No step does.
            (100, usize::MAX, (0, 1.0)),
        ] {
            let way = Way {
                batch,
                memory,
                pays,
            };
            let stepwise = stoppable(physical_plan(&context, &sql).await).unwrap();
            let (given, times) = rows_by(&context, Arc::clone(&stepwise), &way).await;
            let shown = format!("{sql}, {batch} rows, {memory} bytes, {pays:?}");
            assert_eq!(given, expected, "{shown}");
            refused += times;
            assert!(memory > 0 || times > 0, "{shown}");
            // Smaller batches go to other partitions.
            if batch >= 100 {
                let (few, many) = (of_first_step(&roomy), of_first_step(&stepwise));
                assert!(few.unwrap() <= many.unwrap(), "{shown}");
                earlier += usize::from(few < many);
            }
        }
    }
    assert!(refused > 500, "{refused}");
    assert!(earlier > 5, "{earlier}");
}

#[tokio::test]
async fn first_step_returns_each_group_once() {
    let context = context(2000, 100).await;
    for (sets, groups) in [
        // 8 keys, each with 4, each with 13.
        ("ROLLUP (a, b, c)", 8 * 4 * 13 + 8 * 4 + 8 + 1),
        ("CUBE (a, b)", 8 * 4 + 8 + 4 + 1),
        ("GROUPING SETS ((a, b), (), (), (b))", 8 * 4 + 1 + 1 + 4),
    ] {
        let sql = format!("SELECT a, b, count(*) FROM rows GROUP BY {sets}");
        let stepwise = stoppable(physical_plan(&context, &sql).await).unwrap();
        rows(&context, Arc::clone(&stepwise)).await;
        let returned = of_first_step(&stepwise).unwrap();
        // In each of two partitions.
        assert!(returned <= 2 * groups, "{sql}: {returned}");
    }
}

#[tokio::test]
async fn other_aggregations_stay() {
    let context = context(10, 1).await;
    for sql in [
        "SELECT a, b, count(*) FROM rows GROUP BY a, b",
        // No set has all keys.
        "SELECT a, b, count(*) FROM rows GROUP BY GROUPING SETS ((a), (b))",
        "SELECT a, count(DISTINCT x), sum(c) FROM rows GROUP BY ROLLUP (a)",
        "SELECT a, array_agg(x) FROM rows GROUP BY ROLLUP (a)",
        "SELECT a, first_value(x ORDER BY x) FROM rows GROUP BY ROLLUP (a)",
    ] {
        let stepwise = stoppable(physical_plan(&context, sql).await).unwrap();
        assert!(!format!("{stepwise:?}").contains("FinestGroups"), "{sql}");
    }
}
