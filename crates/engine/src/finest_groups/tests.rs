#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::stop::{PlanRun, stoppable};
use crate::testing::sorted_lines;

async fn context() -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config(config);
    let rows = "CREATE TABLE rows AS
        SELECT CASE WHEN value % 5 = 0 THEN NULL ELSE value % 7 END AS a,
               CASE WHEN value % 11 = 0 THEN NULL ELSE 'text ' || CAST(value % 3 AS varchar) END AS b,
               value % 13 AS c, CASE WHEN value % 17 = 0 THEN NULL ELSE value END AS x,
               CAST(value % 1000 AS decimal(10, 2)) AS d
        FROM generate_series(1, 40000)";
    context.sql(rows).await.unwrap().collect().await.unwrap();
    context
}

async fn plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    let plan = context.sql(sql).await.unwrap();
    plan.create_physical_plan().await.unwrap()
}

async fn rows(context: &SessionContext, plan: Arc<dyn ExecutionPlan>) -> Vec<String> {
    let task = TaskContext::from(context);
    let run = PlanRun::new(Arc::default(), ());
    let config = task.session_config().clone().with_extension(run);
    let context = SessionContext::new_with_config_rt(config, task.runtime_env());
    let batches = collect(plan, Arc::new(TaskContext::from(&context))).await;
    sorted_lines(&batches.unwrap())
}

const FUNCTIONS: &str =
    "count(*) AS n, count(x) AS m, sum(x) AS s, min(x) AS l, max(b) AS g, avg(d) AS v,
    avg(CAST(x AS DOUBLE)) AS w, sum(d) AS t, bool_or(x > 39990) AS o, count(x) FILTER (WHERE c < 3) AS f, grouping(a) AS ga";

#[tokio::test]
async fn rows_of_grouping_sets_are_the_same_in_steps() {
    let context = context().await;
    let mut all = 0;
    for from in ["rows", "rows WHERE c > 11", "rows WHERE c > 100"] {
        for sets in [
            "ROLLUP (a, b)",
            "CUBE (a, b, c)",
            "GROUPING SETS ((a, b), (), (), (b))",
            "ROLLUP (a, b, c, x)",
            "GROUPING SETS ((a, b), (a, b), (a))",
        ] {
            let sql = format!("SELECT a, b, {FUNCTIONS} FROM {from} GROUP BY {sets}");
            let plain = plan(&context, &sql).await;
            let shown = displayable(plain.as_ref()).indent(true).to_string();
            let expected = rows(&context, plain).await;
            let stepwise = stoppable(plan(&context, &sql).await).unwrap();
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
async fn other_aggregations_stay() {
    let context = context().await;
    for sql in [
        "SELECT a, b, count(*) FROM rows GROUP BY a, b",
        // No set has all keys.
        "SELECT a, b, count(*) FROM rows GROUP BY GROUPING SETS ((a), (b))",
        "SELECT a, count(DISTINCT x), sum(c) FROM rows GROUP BY ROLLUP (a)",
        "SELECT a, array_agg(x) FROM rows GROUP BY ROLLUP (a)",
        "SELECT a, first_value(x ORDER BY x) FROM rows GROUP BY ROLLUP (a)",
    ] {
        let stepwise = stoppable(plan(&context, sql).await).unwrap();
        assert!(!format!("{stepwise:?}").contains("FinestGroups"), "{sql}");
    }
}
