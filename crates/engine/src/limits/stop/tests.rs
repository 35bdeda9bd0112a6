#![allow(clippy::unwrap_used, clippy::panic)]

use std::any::Any;
use std::fmt;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use cpu_time::ThreadTime;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    ReplaceChildrenOptions, collect, displayable, execute_stream,
};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use lakegate_error::{Code, from_engine};

use super::*;
use crate::testing::physical_plan;

/// Each of these runs for hours. `many` and `wide` have numbers `x` and keys `k`, each of which
/// many rows share.
const EXPLODING: &[(&str, &str)] = &[
    (
        "HashJoinExec",
        "SELECT count(*) FROM many a JOIN many b ON a.k = b.k",
    ),
    (
        "HashJoinExec",
        "SELECT count(*) FROM many a JOIN many b ON a.k = b.k AND a.x + b.x < 0",
    ),
    (
        "HashJoinExec",
        "SELECT count(*) FROM many a LEFT JOIN many b ON a.k = b.k AND a.x + b.x < 0",
    ),
    (
        "HashJoinExec",
        "SELECT count(*) FROM many a FULL JOIN many b ON a.k = b.k AND a.x + b.x < 0",
    ),
    (
        "HashJoinExec",
        "SELECT count(*) FROM many a WHERE EXISTS (SELECT 1 FROM many b WHERE a.k = b.k)",
    ),
    (
        "HashJoinExec",
        "SELECT count(*) FROM many a WHERE NOT EXISTS (SELECT 1 FROM many b WHERE a.k = b.k AND a.x + b.x < 0)",
    ),
    (
        "NestedLoopJoinExec",
        "SELECT count(*) FROM many a, many b WHERE a.x < b.x",
    ),
    (
        "NestedLoopJoinExec",
        "SELECT count(*) FROM many a, many b WHERE a.x + b.x < 0",
    ),
    (
        "NestedLoopJoinExec",
        "SELECT count(*) FROM many a LEFT JOIN many b ON a.x + b.x < 0",
    ),
    (
        "CrossJoinExec",
        "SELECT sum(a.x * b.x % 3) FROM many a, many b",
    ),
    (
        "SortExec",
        "SELECT s FROM (SELECT a.x * b.x % 3 AS s FROM many a, many b) ORDER BY s LIMIT 5",
    ),
    (
        "BoundedWindowAggExec",
        "SELECT max(r) FROM (SELECT row_number() OVER () AS r FROM many a, many b)",
    ),
    (
        "UnionExec",
        "SELECT sum(s) FROM (SELECT a.x + b.x AS s FROM many a, many b UNION ALL SELECT a.x - b.x FROM many a, many b)",
    ),
    (
        "UnnestExec",
        "SELECT count(u) FROM (SELECT unnest(range(0, 1000)) AS u FROM many a, many b)",
    ),
    (
        "RecursiveQueryExec",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    ),
    (
        "LazyMemoryExec",
        "SELECT count(*) FROM generate_series(1, 1000000000000) WHERE value < 0",
    ),
    (
        "ScalarSubqueryExec",
        "SELECT x FROM many WHERE x = (SELECT max(a.x + b.x) FROM many a, many b)",
    ),
    (
        "FilterExec",
        "SELECT count(*) FROM many WHERE regexp_replace(repeat(chr(97 + CAST(k AS int)), 50000), '(a|b|c)*d$', '') = ''",
    ),
    (
        "AggregateExec",
        "SELECT sum(length(regexp_replace(repeat(chr(97 + CAST(k AS int)), 50000), '(a|b|c)*d$', ''))) FROM many",
    ),
];

async fn context() -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config(config);
    let many =
        "CREATE TABLE many AS SELECT value AS x, value % 7 AS k FROM generate_series(1, 300000)";
    context.sql(many).await.unwrap().collect().await.unwrap();
    context
}

fn task(context: &SessionContext, run: Arc<PlanRun>) -> Arc<TaskContext> {
    let task = TaskContext::from(context);
    let config = task.session_config().clone().with_extension(run);
    Arc::new(TaskContext::from(&SessionContext::new_with_config_rt(
        config,
        task.runtime_env(),
    )))
}

/// Returns how long the run of a plan continues after it was stopped. Other tasks of the thread are
/// polled meanwhile if it yields.
async fn stopped_after(context: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Duration {
    let stop = Arc::new(Stop::default());
    let (held, mut ended) = tokio::sync::oneshot::channel::<()>();
    let task = task(context, PlanRun::new(Arc::clone(&stop), held));
    let running = tokio::spawn(async move {
        let mut stream = execute_stream(plan, task).unwrap();
        while let Some(batch) = stream.next().await {
            if let Err(error) = batch {
                return from_engine(error);
            }
        }
        Error::internal("it came to its end")
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    let before = Instant::now();
    stop.stop(Error::new(Code::QueryCancelled, "stopped"));
    let error = running.await.unwrap();
    assert_eq!(error.code(), Code::QueryCancelled, "{error}");
    let _ = (&mut ended).await;
    before.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exploding_operators_stop_within_a_second() {
    let context = context().await;
    for (operator, sql) in EXPLODING {
        let plan = stoppable(physical_plan(&context, sql).await).unwrap();
        let shown = displayable(plan.as_ref()).indent(false).to_string();
        assert!(
            shown.contains(operator),
            "{sql} has no {operator}:\n{shown}"
        );
        let took = stopped_after(&context, plan).await;
        assert!(
            took < Duration::from_secs(1),
            "{took:?} after it was stopped: {sql}"
        );
    }
}

/// On a single thread, a task next to an exploding operator runs only when the operator yields. The
/// thread's own clock does not count what other tests do meanwhile.
#[tokio::test]
async fn exploding_operators_yield_to_other_tasks() {
    let context = context().await;
    for (_, sql) in EXPLODING {
        let plan = stoppable(physical_plan(&context, sql).await).unwrap();
        let run = PlanRun::new(Arc::default(), ());
        let running = tokio::spawn(collect(plan, task(&context, run)));
        let (mut longest, began) = (Duration::ZERO, ThreadTime::now());
        while began.elapsed() < Duration::from_millis(600) {
            let before = ThreadTime::now();
            tokio::task::yield_now().await;
            // The pace of joins settles within the first moments.
            if began.elapsed() > Duration::from_millis(300) {
                longest = longest.max(before.elapsed());
            }
        }
        assert!(!running.is_finished(), "{sql}");
        running.abort();
        let _ = running.await;
        assert!(
            longest < Duration::from_secs(1),
            "{longest:?} without yielding: {sql}"
        );
    }
}

#[tokio::test]
async fn operators_are_shown_and_give_rows_as_without() {
    let context = context().await;
    context
        .sql("CREATE TABLE few AS SELECT value AS x, value % 3 AS k, 'text number ' || value AS t FROM generate_series(1, 3000)")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    for sql in [
        "SELECT a.x, b.t FROM few a JOIN few b ON a.k = b.k AND a.x + b.x < 40 ORDER BY a.x, b.x",
        "SELECT a.x, b.t FROM few a LEFT JOIN few b ON a.x > b.x + 2990 ORDER BY a.x, b.x",
        "SELECT a.x, b.t FROM few a RIGHT JOIN few b ON a.x > b.x + 2990 ORDER BY a.x, b.x",
        "SELECT a.x, b.t FROM few a FULL JOIN few b ON a.k = b.k AND a.x > b.x + 2990 ORDER BY a.x, b.x",
        "SELECT x, t FROM few a WHERE EXISTS (SELECT 1 FROM few b WHERE a.k = b.k AND b.x > a.x + 2000) ORDER BY x",
        "SELECT x, t FROM few a WHERE x NOT IN (SELECT x * 2 FROM few b) ORDER BY x",
        "SELECT x, t FROM few a WHERE NOT EXISTS (SELECT 1 FROM few b WHERE a.x * 2 = b.x) ORDER BY x",
        "SELECT count(*), sum(a.x * b.x) FROM few a, few b",
        "SELECT upper(t) AS u, x FROM few WHERE t LIKE '%9%' ORDER BY u LIMIT 20",
        "SELECT k, count(*), max(t) FROM few GROUP BY k ORDER BY k",
        "SELECT x, unnest(range(0, k)) AS u FROM few ORDER BY x, u",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 50) SELECT n FROM r ORDER BY n",
        "SELECT x, (SELECT max(x) FROM few) AS m, row_number() OVER (ORDER BY x) AS r FROM few ORDER BY x",
    ] {
        let plain = physical_plan(&context, sql).await;
        let expected = displayable(plain.as_ref()).indent(true).to_string();
        let expected_rows = collect(plain, context.task_ctx()).await.unwrap();
        let wrapped = stoppable(physical_plan(&context, sql).await).unwrap();
        assert_eq!(
            displayable(wrapped.as_ref()).indent(true).to_string(),
            expected
        );
        let run = PlanRun::new(Arc::default(), ());
        let rows = collect(Arc::clone(&wrapped), task(&context, run))
            .await
            .unwrap();
        let whole = |batches: &[RecordBatch]| {
            arrow::util::pretty::pretty_format_batches(batches)
                .unwrap()
                .to_string()
        };
        assert_eq!(whole(&rows), whole(&expected_rows), "{sql}");
    }
}

/// An operator that this module does not know, such as one of a new DataFusion release: it returns
/// batches forever and never yields.
#[derive(Debug)]
struct Unknown {
    batch: RecordBatch,
    properties: Arc<PlanProperties>,
}

impl Unknown {
    fn plan() -> Arc<dyn ExecutionPlan> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1; 100]));
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(batch.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Arc::new(Self {
            batch,
            properties: Arc::new(properties),
        })
    }
}

impl DisplayAs for Unknown {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unknown")
    }
}

impl ExecutionPlan for Unknown {
    fn name(&self) -> &str {
        "Unknown"
    }

    fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_state(&self, _: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn ExecutionPlan>> {
        None
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> EngineResult<SendableRecordBatchStream> {
        let batch = self.batch.clone();
        let endless = futures::stream::iter(std::iter::repeat_with(move || Ok(batch.clone())));
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            endless,
        )))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_that_are_not_known_here_stop_and_yield_too() {
    let context = SessionContext::new();
    let never = datafusion::physical_expr::expressions::lit(false);
    let above = Arc::new(FilterExec::try_new(never, Unknown::plan()).unwrap());
    let top: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(above));
    let took = stopped_after(&context, stoppable(top).unwrap()).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// Whether a statement may produce so much does not depend on the number of rows that a fast
/// operator gets at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quick_operators_are_not_given_more_rows_than_their_functions_may_make() {
    let mut state = SessionContext::new().state();
    crate::limits::bounded::bound(&mut state, |_| false).unwrap();
    let context = SessionContext::new_with_state(state);
    let sql = "SELECT max(length(repeat('x', 60000 + CAST(value % 2 AS int)))) FROM generate_series(1, 40000)";
    let plan = stoppable(physical_plan(&context, sql).await).unwrap();
    let run = PlanRun::new(Arc::default(), ());
    let rows = collect(plan, task(&context, run)).await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
}

#[tokio::test]
async fn rules_ask_whether_planning_is_still_wanted() {
    let context = context().await;
    let state = stoppable_rules(context.state());
    let sql = "SELECT a.x FROM many a JOIN many b ON a.k = b.k WHERE a.x > 1 + 1";
    let logical = state.create_logical_plan(sql).await.unwrap();
    let optimized = state.optimize(&logical).unwrap();
    let stop = Arc::new(Stop::default());
    let entered = stop.enter();
    assert!(state.optimize(&logical).is_ok());
    stop.stop(Error::new(Code::StatementTimeout, "too long"));
    let code = |error| from_engine(error).code();
    assert_eq!(
        code(state.optimize(&logical).unwrap_err()),
        Code::StatementTimeout
    );
    let physical = state
        .query_planner()
        .create_physical_plan(&optimized, &state)
        .await;
    assert_eq!(code(physical.unwrap_err()), Code::StatementTimeout);
    drop(entered);
    assert!(state.create_physical_plan(&logical).await.is_ok());
}

/// Joins that do not return within a poll, and whose condition does not check, are not planned.
#[test]
fn joins_of_other_kinds_are_not_planned() {
    let options = SessionConfig::new();
    let options = &options.options().optimizer;
    assert!(
        options.prefer_hash_join,
        "else SortMergeJoinExec is planned"
    );
    assert!(
        !options.enable_piecewise_merge_join,
        "PiecewiseMergeJoinExec"
    );
}
