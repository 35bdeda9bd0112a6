//! Plans with shared parts.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
mod logs;
mod one_run;
mod totals;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{LogicalPlanBuilder, TableSource, col, lit};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::barrier::{BarrierPlanner, barrier};
use crate::optimize::{logical_rules, physical_rules};
use crate::testing::{Random, sorted_lines};

const LARGE: usize = 1 << 20;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int32, true),
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Utf8, true),
    ]))
}

/// Rows from this number on: `k` of few values and NULL, `a` of some and NULL, `b` of many.
fn batch(first: i32, rows: i32) -> RecordBatch {
    let numbers = || first..first + rows;
    let keys = numbers().map(|row| (row % 7 != 6).then_some(row % 7));
    let values = numbers().map(|row| (row % 11 != 4).then_some(row * 31 % 17));
    let texts = numbers().map(|row| format!("a text that is not short, number {row}"));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter(keys)),
        Arc::new(Int32Array::from_iter(values)),
        Arc::new(StringArray::from_iter_values(texts)),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn table() -> Arc<MemTable> {
    let part = |part: i32| {
        (0..4)
            .map(|place| batch(part * 200 + place * 50, 50))
            .collect()
    };
    Arc::new(MemTable::try_new(schema(), (0..3).map(part).collect()).unwrap())
}

/// A session with the tables `t` and `u` of the same rows.
fn session() -> SessionContext {
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(64 << 20, 1.0);
    let config = SessionConfig::new()
        .with_target_partitions(3)
        .with_batch_size(32);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime.build_arc().unwrap())
        .with_default_features()
        .with_query_planner(Arc::new(BarrierPlanner))
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(physical_rules())
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_table("t", table()).unwrap();
    context.register_table("u", table()).unwrap();
    context
}

async fn optimized(context: &SessionContext, sql: &str) -> LogicalPlan {
    let state = context.state();
    let plan = state.create_logical_plan(sql).await.unwrap();
    let plan = state.optimize(&plan).unwrap();
    with_equal_parts(&plan).unwrap().unwrap_or(plan)
}

/// The plan that runs.
async fn physical(context: &SessionContext, sql: &str, bound: usize) -> Arc<dyn ExecutionPlan> {
    let plan = optimized(context, sql).await;
    let plan = planned(&plan, &context.state(), bound).await.unwrap();
    let plan = stoppable(plan).unwrap();
    show(&plan).unwrap();
    plan
}

/// How often a plan reads its parts.
fn readers(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let text = displayable(plan.as_ref()).indent(false).to_string();
    text.matches("SharedExec: part=").count()
}

async fn try_rows(context: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<String>> {
    let batches = collect(plan, context.task_ctx()).await?;
    Ok(sorted_lines(&batches))
}

/// The rows without shared parts.
async fn apart(context: &SessionContext, sql: &str) -> Vec<String> {
    let plan = context.sql(sql).await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    assert_eq!(readers(&plan), 0);
    try_rows(context, plan).await.unwrap()
}

const SUMS: &str = "WITH r AS (SELECT k, sum(a) AS s, count(*) AS n FROM t GROUP BY k)";

/// Operators of one run have contexts of their own.
#[tokio::test]
async fn first_steps_of_aggregations_read_the_rows_once() {
    let context = session();
    let sql = format!(
        "{SUMS} SELECT count(*), sum(s), sum(n) FROM (
             SELECT s, n FROM r WHERE n > 0 UNION ALL SELECT s, n FROM r WHERE s IS NULL
         ) u"
    );
    let expected = apart(&context, &sql).await;
    let plan = physical(&context, &sql, LARGE).await;
    assert_eq!(readers(&plan), 2);
    assert_eq!(try_rows(&context, plan).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_computed_once_and_rows_stay_the_same() {
    let joined = "WITH r AS (SELECT t.k, t.a, u.a AS x FROM t JOIN u ON t.b = u.b)";
    let numbered =
        "WITH r AS (SELECT k, a, row_number() OVER (PARTITION BY k ORDER BY b) AS n FROM t)";
    let queries = [
        (2, format!("{SUMS} SELECT x.k, x.s, x.n, y.s, y.n FROM r x JOIN r y ON x.k = y.k")),
        (2, format!("{SUMS} SELECT x.k, y.k, x.s, y.s, x.n, y.n FROM r x LEFT JOIN r y ON x.s = y.n")),
        (2, format!("{SUMS} SELECT x.s, x.n, y.s, y.n, x.k, y.k FROM r x, r y WHERE x.s < y.s")),
        (3, format!(
            "{SUMS} SELECT x.s, x.n, y.s, y.n, z.n, z.s FROM r x JOIN r y ON x.k = y.k JOIN r z ON y.k = z.k"
        )),
        (2, format!("{SUMS} SELECT k, s, n FROM r UNION ALL SELECT n, s, k FROM r")),
        // One reader stops early.
        (2, format!("{SUMS} (SELECT k, s, n FROM r ORDER BY k LIMIT 1) UNION ALL SELECT k, s, n FROM r")),
        (2, format!("{joined} SELECT x.k, x.x, y.k FROM r x LEFT JOIN r y ON x.a = y.a AND x.x = y.x")),
        (2, format!("{numbered} SELECT x.k, x.a, y.a FROM r x JOIN r y ON x.k = y.k AND x.n = y.n + 1")),
        (2, "WITH r AS (SELECT DISTINCT k, a FROM t) SELECT x.k, x.a, y.k, y.a FROM r x LEFT JOIN r y ON x.k = y.a".to_owned()),
        // The columns of two readers are computed from the rows that all three read.
        (
            3,
            format!(
                "{SUMS}, q AS (SELECT k, s + n AS m FROM r)
                 SELECT a.k, a.m, b.k, b.m, r.s, r.n FROM q a JOIN q b ON a.k = b.m JOIN r ON a.k = r.k"
            ),
        ),
        // A part in a part: two readers of the outer one, and three of the inner one.
        (5, format!(
            "{SUMS}, q AS (SELECT x.k, x.s + y.s AS s, x.n + y.n AS n FROM r x JOIN r y ON x.k = y.k)
             SELECT a.k, a.s, a.n, b.k, b.s, b.n FROM q a LEFT JOIN q b ON a.k = b.n
             UNION ALL SELECT k, s, n, k AS k2, s AS s2, n AS n2 FROM r"
        )),
    ];
    let context = session();
    for (count, sql) in queries {
        let expected = apart(&context, &sql).await;
        for bound in [LARGE, 1] {
            let plan = physical(&context, &sql, bound).await;
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            assert_eq!(readers(&plan), count, "{sql}\n{shown}");
            let rows = try_rows(&context, Arc::clone(&plan)).await.unwrap();
            assert_eq!(rows, expected, "{sql}\n{shown}");
            // Plans are run again with new state.
            let again = reset_plan_states(plan).unwrap();
            assert_eq!(readers(&again), 0, "{sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aggregates_that_differ_in_conditions_on_keys_are_computed_once() {
    let joined = "WITH r AS (
        SELECT t.k, u.a, sum(t.a) AS s, count(*) AS n FROM t JOIN u ON t.b = u.b GROUP BY t.k, u.a)";
    let outer = "WITH r AS (
        SELECT t.k, u.a, sum(t.a) AS s FROM t LEFT JOIN u ON t.b = u.b AND u.a > 3 GROUP BY t.k, u.a)";
    let either = "WITH r AS (
        SELECT k, sum(a) AS s FROM t GROUP BY k UNION ALL SELECT a, max(k) FROM u GROUP BY a)";
    let twice = "WITH r AS (
        SELECT k, count(*) AS n FROM (SELECT k, a FROM t UNION SELECT k, a FROM u) w GROUP BY k)";
    let queries = [
        // Rows, and the columns that are read.
        (2, format!("{SUMS} SELECT x.s, y.s, x.n, y.n FROM r x JOIN r y ON x.s > y.n WHERE x.k = 1 AND y.k = 2")),
        (2, format!("{SUMS} SELECT * FROM r x JOIN r y ON x.s > y.n WHERE x.k = 1 AND y.k IN (2, 3)")),
        (2, format!("{SUMS} SELECT * FROM r x, r y WHERE x.k IS NULL AND y.k BETWEEN 2 AND 4")),
        (2, format!("{SUMS} SELECT * FROM r x LEFT JOIN r y ON x.s > y.n AND y.k <> 3 WHERE x.k > 1")),
        // One reads all rows.
        (3, format!("{SUMS} SELECT * FROM r WHERE k = 1 UNION ALL SELECT * FROM r UNION ALL SELECT * FROM r WHERE k > 4")),
        (2, format!("{SUMS} SELECT k, s, 1 FROM r UNION ALL SELECT k, n, 2 FROM r")),
        // Conditions pass the side of a join that keeps its rows.
        (2, format!("{joined} SELECT * FROM r x JOIN r y ON x.s = y.s WHERE x.k = 1 AND y.k = 5")),
        (2, format!("{joined} SELECT * FROM r x JOIN r y ON x.s = y.s WHERE x.a = 4 AND y.a = 5")),
        (2, format!("{outer} SELECT * FROM r x JOIN r y ON x.s = y.s WHERE x.k = 1 AND y.k = 5")),
        (2, format!("{outer} SELECT * FROM r x JOIN r y ON x.s = y.s WHERE x.a IS NULL AND (y.a IS NULL OR y.a = 5)")),
        (0, format!("{outer} SELECT * FROM r x JOIN r y ON x.s = y.s WHERE x.a IS NULL AND y.a = 5")),
        // Rows of two conditions would meet.
        (0, format!("{joined} SELECT * FROM r x JOIN r y ON x.s = y.s WHERE x.k = 1 AND y.k = 5 AND x.a = 4 AND y.a = 6")),
        (2, format!("{twice} SELECT * FROM r x JOIN r y ON x.n = y.n WHERE x.k = 1 AND y.k = 5")),
        (4, format!("{either} SELECT * FROM r x JOIN r y ON x.s = y.s WHERE x.k = 1 AND y.k = 5")),
        // Conditions of other columns, and those that may fail.
        (0, format!("{joined} SELECT * FROM r x JOIN r y ON x.s = y.s WHERE x.k = 1 AND y.a = 6")),
        (0, format!("{SUMS} SELECT * FROM r x, r y WHERE x.k = 1 AND 10 / (y.k + 1) = 2")),
        // One of them stays as it is.
        (3, format!(
            "{SUMS} SELECT * FROM r x, r y, r z, r w
             WHERE x.k = 1 AND y.k = 2 AND 10 / (z.k + 1) = 2 AND w.k = 3"
        )),
        // Of the groups of another reader, more would be computed than that reader asks for.
        (0, format!("{SUMS} SELECT x.k, x.s, y.k, y.n FROM r x, r y WHERE x.k = 1 AND y.k = 2")),
        // What is read of an aggregate that is read again is not read more often.
        (2, format!(
            "{SUMS}, q AS (SELECT k % 2 AS p, k, max(s) AS m FROM r GROUP BY k % 2, k)
             SELECT a.s, b.m, c.m FROM r a, q b, q c WHERE a.k = 1 AND b.k = 2 AND c.k = 3"
        )),
        // Names that are generated, and names that meet.
        (2, "WITH r AS (SELECT k, max(a) AS a, max(CASE WHEN true THEN a END) AS b FROM t GROUP BY k)
             SELECT * FROM r x JOIN r y ON x.a = y.b".to_owned()),
        (0, "WITH b AS (SELECT * FROM t)
             SELECT * FROM (SELECT k, max(a) AS a, max(CASE WHEN true THEN a END) AS c FROM b GROUP BY k) x
             JOIN (SELECT k, min(a) AS a, min(CASE WHEN true THEN a END) AS c FROM b GROUP BY k) y ON x.k = y.k".to_owned()),
        (0, "WITH b AS (SELECT * FROM t)
             SELECT * FROM (SELECT k, sum(a) AS s FROM (SELECT a AS k, a FROM b WHERE b.k = 1) q GROUP BY k) x
             JOIN (SELECT k, sum(a) AS s FROM (SELECT a AS k, a FROM b WHERE b.k = 2) q GROUP BY k) y ON x.k = y.k".to_owned()),
        // No conditions on keys.
        (0, "SELECT * FROM (SELECT sum(a) AS s FROM t WHERE k = 1) x, (SELECT sum(a) AS s FROM t WHERE k = 2) y".to_owned()),
        (0, "SELECT * FROM (SELECT k, sum(a) AS s FROM t WHERE a = 1 GROUP BY k) x
             JOIN (SELECT k, sum(a) AS s FROM t WHERE a = 2 GROUP BY k) y ON x.k = y.k".to_owned()),
    ];
    let context = session();
    for (count, sql) in queries {
        let expected = apart(&context, &sql).await;
        for bound in [LARGE, 1] {
            let plan = physical(&context, &sql, bound).await;
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            assert_eq!(readers(&plan), count, "{sql}\n{shown}");
            let rows = try_rows(&context, Arc::clone(&plan)).await.unwrap();
            assert_eq!(rows, expected, "{sql}\n{shown}");
        }
    }
}

/// Random queries that read `r (k, v)`.
impl Random {
    /// A query of the columns `k` and `v`.
    fn query(&mut self, depth: usize) -> String {
        let number = self.below(20);
        if depth == 0 {
            return match self.below(8) {
                0 => format!("SELECT k, v FROM r WHERE v > {number}"),
                5 => format!("SELECT k, v FROM r WHERE k = {}", number % 7),
                6 => format!(
                    "SELECT k, v FROM r WHERE k IN ({}, {})",
                    number % 7,
                    number / 7
                ),
                7 => "SELECT k, v FROM r WHERE k IS NULL OR k > 3".to_owned(),
                1 => {
                    format!("SELECT k, v FROM (SELECT k, v FROM r ORDER BY k, v LIMIT {number}) w")
                }
                2 => "SELECT k, v FROM r WHERE v = (SELECT max(v) FROM r)".to_owned(),
                _ => "SELECT k, v FROM r".to_owned(),
            };
        }
        let left = self.query(depth - 1);
        if self.below(5) == 0 {
            return format!("SELECT k, count(v) AS v FROM ({left}) z GROUP BY k");
        }
        let below = self.below(depth);
        let right = self.query(below);
        match self.below(4) {
            0 => format!("({left}) UNION ALL ({right})"),
            1 => format!("SELECT k, v FROM ({left}) x WHERE k IN (SELECT k FROM ({right}) z)"),
            _ => {
                let join = self.of(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
                format!("SELECT x.k, y.v FROM ({left}) x {join} ({right}) y ON x.k = y.k")
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_have_the_same_rows_with_and_without_shared_parts() {
    let context = session();
    let mut shared = 0;
    for seed in 1..=60_u64 {
        let mut random = Random::new(seed);
        let of_r = random.of(&[
            "SELECT k, sum(a) AS v FROM t GROUP BY k",
            "SELECT DISTINCT k, a AS v FROM t WHERE a > 13",
            "SELECT k, count(*) OVER (PARTITION BY k) + a AS v FROM t WHERE a > 15",
            "SELECT t.k, u.a AS v FROM t LEFT JOIN u ON t.b = u.b AND u.k > 3 WHERE t.a < 1",
            "SELECT k, count(*) AS v FROM t GROUP BY k UNION ALL SELECT a, min(k) FROM u WHERE a > 12 GROUP BY a",
        ]);
        let query = random.query(2);
        let sql = format!("WITH r AS ({of_r}) SELECT * FROM ({query}) q");
        let expected = apart(&context, &sql).await;
        for bound in [LARGE, 2000, 0] {
            let plan = physical(&context, &sql, bound).await;
            shared += usize::from(readers(&plan) > 1);
            let shown = displayable(plan.as_ref()).indent(false).to_string();
            let rows = try_rows(&context, plan).await.unwrap();
            assert_eq!(rows, expected, "{sql}\n{shown}");
        }
    }
    assert!(shared > 30, "{shared}");
}

#[tokio::test]
async fn subqueries_read_the_parts_of_the_query_around_them() {
    let context = session();
    let sql = format!("{SUMS} SELECT k, s FROM r WHERE s = (SELECT max(s) FROM r)");
    let plan = physical(&context, &sql, LARGE).await;
    assert_eq!(
        readers(&plan),
        2,
        "{}",
        displayable(plan.as_ref()).indent(false)
    );
    let expected = apart(&context, &sql).await;
    assert_eq!(expected.len(), 1);
    assert_eq!(try_rows(&context, plan).await.unwrap(), expected);
}

#[tokio::test]
async fn equal_subqueries_stay_equal() {
    let context = session();
    let sql = "SELECT k FROM t WHERE a > (SELECT avg(a) FROM t) UNION ALL SELECT a FROM t WHERE k > (SELECT avg(a) FROM t)";
    let plan = physical(&context, sql, LARGE).await;
    let shown = displayable(plan.as_ref()).indent(false).to_string();
    assert!(shown.contains("subqueries=1"), "{shown}");
    assert_eq!(
        try_rows(&context, plan).await.unwrap(),
        apart(&context, sql).await
    );
}

#[tokio::test]
async fn what_is_cheap_or_differs_or_is_run_again_is_not_shared() {
    let queries = [
        "SELECT x.k, y.a FROM t x JOIN t y ON x.b = y.b".to_owned(),
        "WITH r AS (SELECT k, a + 1 AS a FROM t WHERE a > 3) SELECT * FROM r UNION ALL SELECT * FROM r".to_owned(),
        // Joins in a region of joins, which may be ordered otherwise.
        "WITH r AS (SELECT t.k, t.a, u.a AS x FROM t JOIN u ON t.b = u.b)
         SELECT x.k, x.x, y.k FROM r x JOIN r y ON x.a = y.a AND x.x = y.x"
            .to_owned(),
        // Other columns of other rows.
        format!("{SUMS} SELECT k, s FROM r WHERE k = 1 UNION ALL SELECT k, n FROM r WHERE k = 2"),
        // The first rows alone cost less than all.
        format!("{SUMS} (SELECT k, s, n FROM r LIMIT 100) UNION ALL SELECT k, s, n FROM r"),
        "WITH RECURSIVE r AS (SELECT k, count(*) AS n FROM t GROUP BY k), w(i) AS (
             SELECT 0 UNION ALL SELECT w.i + 1 FROM w JOIN r ON r.k = w.i AND r.n + w.i > 0 WHERE w.i < 3
         ) SELECT w.i, r.n FROM w JOIN r ON r.k = w.i".to_owned(),
    ];
    let context = session();
    for sql in queries {
        let plan = physical(&context, &sql, LARGE).await;
        let shown = displayable(plan.as_ref()).indent(false).to_string();
        assert_eq!(readers(&plan), 0, "{sql}\n{shown}");
        let rows = try_rows(&context, plan).await.unwrap();
        assert_eq!(rows, apart(&context, &sql).await, "{sql}");
    }
    let volatile = "WITH r AS (SELECT k, sum(a + random()) AS s FROM t GROUP BY k) SELECT * FROM r UNION ALL SELECT * FROM r";
    assert_eq!(readers(&physical(&context, volatile, LARGE).await), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_beyond_the_bound_go_to_files_which_are_gone_with_the_query() {
    let context = session();
    let sql = "WITH r AS (SELECT DISTINCT k, a, b FROM t) SELECT x.k, x.a, x.b, y.k, y.a FROM r x JOIN r y ON x.b = y.b";
    let spilled = |plan: &Arc<dyn ExecutionPlan>| {
        let mut rows = 0;
        plan.apply(|node| {
            if node.is::<SharedExec>() {
                rows += node
                    .metrics()
                    .and_then(|metrics| metrics.spilled_rows())
                    .unwrap_or(0);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .unwrap();
        rows
    };
    let expected = apart(&context, sql).await;
    assert_eq!(expected.len(), 600);
    for (bound, files) in [(64 * LARGE, 0), (1, 600)] {
        let plan = physical(&context, sql, bound).await;
        assert_eq!(readers(&plan), 2);
        assert_eq!(
            try_rows(&context, Arc::clone(&plan)).await.unwrap(),
            expected
        );
        assert_eq!(spilled(&plan), files, "{bound}");
        drop(plan);
        // Tasks of exchanges end a moment after the query.
        let held = || {
            let runtime = context.runtime_env();
            (
                runtime.memory_pool.reserved(),
                runtime.disk_manager.used_disk_space(),
            )
        };
        for _ in 0..250 {
            if held() == (0, 0) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(held(), (0, 0));
    }
}

#[tokio::test]
async fn errors_reach_the_query() {
    let context = session();
    let sql = "WITH r AS (SELECT k, sum(1 / a) AS s FROM t GROUP BY k) SELECT x.k, x.s, y.s FROM r x JOIN r y ON x.k = y.k";
    let plan = physical(&context, sql, LARGE).await;
    assert_eq!(readers(&plan), 2);
    let error = try_rows(&context, plan).await.unwrap_err();
    assert!(error.to_string().contains("ivide by zero"), "{error}");
}

#[test]
fn tables_of_one_name_are_told_apart_and_barriers_divide() {
    let source = || provider_as_source(table());
    let scan = |source: &Arc<dyn TableSource>| {
        LogicalPlanBuilder::scan("t", Arc::clone(source), None).unwrap()
    };
    let sums = |source: &Arc<dyn TableSource>, least: i32| {
        scan(source)
            .filter(col("a").gt(lit(least)))
            .and_then(|plan| plan.aggregate([col("k")], [sum(col("a"))]))
            .and_then(LogicalPlanBuilder::build)
            .unwrap()
    };
    let united = |plans: Vec<LogicalPlan>| {
        let plans = plans.into_iter().map(LogicalPlanBuilder::from);
        let union = |one: LogicalPlanBuilder, other: LogicalPlanBuilder| {
            one.union(other.build().unwrap()).unwrap()
        };
        plans.reduce(union).unwrap().build().unwrap()
    };
    let parts = |plan: LogicalPlan| {
        let divided = find::divided(&plan, LARGE).unwrap();
        divided.map_or(0, |divided| divided.parts.len())
    };
    let (mine, other) = (source(), source());
    assert_eq!(parts(united(vec![sums(&mine, 1), sums(&mine, 1)])), 1);
    assert_eq!(parts(united(vec![sums(&mine, 1), sums(&mine, 2)])), 0);
    let all = vec![sums(&mine, 1), sums(&other, 1), sums(&mine, 2)];
    assert_eq!(parts(united(all)), 0, "they are two tables");

    let view = |name: &str| barrier(name, sums(&mine, 1));
    assert_eq!(parts(united(vec![view("d.v"), view("d.v")])), 1);
    assert_eq!(parts(united(vec![view("d.v"), view("d.w")])), 0);
    assert_eq!(parts(united(vec![view("d.v"), sums(&mine, 1)])), 0);
    let twice = barrier("d.v", united(vec![sums(&mine, 1), sums(&mine, 1)]));
    assert_eq!(parts(twice), 1);
}
