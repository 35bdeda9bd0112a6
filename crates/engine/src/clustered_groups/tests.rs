#![allow(clippy::unwrap_used)]

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_plan::collect;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;
use crate::testing::sorted_lines;

/// Bytes of a table that some thousand groups have.
const FEW_BYTES: usize = 128 << 10;

/// As [`FEW_BYTES`]. Tables grow by doubling: of some sizes, the second half is filled by more rows than
/// the first, and then no groups are returned early.
const SIZES: [usize; 5] = [96 << 10, FEW_BYTES, 160 << 10, 192 << 10, 224 << 10];

/// A session with 200,000 rows: each five that follow each other have one value of `near`, and each
/// value of `far` is spread over all rows.
async fn session() -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(2)
        .with_batch_size(512);
    let context = SessionContext::new_with_config(config);
    let rows = "CREATE TABLE t AS SELECT value / 5 AS near,
        CASE WHEN value % 40 < 5 THEN NULL ELSE 'a longer text ' || CAST(value / 5 AS VARCHAR) END AS w,
        value * 48271 % 20011 AS far, value % 1000 AS v, CAST(value % 97 AS DECIMAL(9, 2)) AS d
        FROM generate_series(1, 200000)";
    context.sql(rows).await.unwrap().collect().await.unwrap();
    context
}

/// Returns a plan with the first steps replaced, and how many there are.
fn replaced(plan: &Operator, most: usize) -> (Operator, Vec<Operator>) {
    let mut steps = Vec::new();
    let plan = Arc::clone(plan).transform_up(|node| {
        let Some(other) = clustered(&node, most)? else {
            return Ok(Transformed::no(node));
        };
        steps.push(Arc::clone(&other));
        Ok(Transformed::yes(other))
    });
    (plan.data().unwrap(), steps)
}

async fn planned(context: &SessionContext, sql: &str) -> Operator {
    let plan = context.sql(sql).await.unwrap();
    plan.create_physical_plan().await.unwrap()
}

/// Returns the rows of a plan, and how many groups the first steps returned.
async fn run(context: &SessionContext, sql: &str, most: usize) -> (Vec<String>, usize) {
    let plan = planned(context, sql).await;
    let (plan, steps) = replaced(&plan, most);
    assert_eq!(steps.len(), 1, "{sql}");
    let batches = collect(plan, context.task_ctx()).await.unwrap();
    let returned = steps
        .iter()
        .filter_map(|step| step.metrics()?.output_rows());
    (sorted_lines(&batches), returned.sum())
}

#[tokio::test]
async fn rows_are_the_same_whether_groups_are_returned_early_or_not() {
    let context = session().await;
    for (sql, is_near) in [
        (
            "SELECT near, count(*), sum(v), avg(v), min(d), max(d) FROM t GROUP BY near",
            true,
        ),
        (
            "SELECT near, v % 2, sum(d), avg(d) FROM t GROUP BY near, v % 2",
            true,
        ),
        (
            "SELECT w, count(*), count(w), sum(v) FROM t GROUP BY w",
            false,
        ),
        ("SELECT DISTINCT near FROM t", true),
        (
            "SELECT near, count(*) FILTER (WHERE v > 500) FROM t GROUP BY near",
            true,
        ),
        ("SELECT far, count(*), sum(v) FROM t GROUP BY far", false),
        (
            "SELECT far % 100, count(*), sum(v) FROM t GROUP BY far % 100",
            false,
        ),
        (
            "SELECT near, count(*) FROM t WHERE v < 0 GROUP BY near",
            false,
        ),
    ] {
        let (expected, whole) = run(&context, sql, usize::MAX).await;
        let mut all_returned = Vec::new();
        for size in SIZES {
            let (rows, returned) = run(&context, sql, size).await;
            assert_eq!(rows, expected, "{sql}");
            all_returned.push(returned);
        }
        if is_near {
            // Some groups go on in the next table.
            let most = all_returned.iter().copied().max().unwrap();
            assert!(
                most > whole && most < whole * 5 / 4,
                "{sql}: {whole} {all_returned:?}"
            );
        }
    }
}

#[tokio::test]
async fn other_aggregations_stay() {
    let context = session().await;
    for sql in [
        "SELECT count(*), sum(v) FROM t",
        "SELECT near, array_agg(v) FROM t GROUP BY near",
        "SELECT near, first_value(v ORDER BY d) FROM t GROUP BY near",
        "SELECT near, far, count(*) FROM t GROUP BY GROUPING SETS ((near), (far))",
    ] {
        let plan = planned(&context, sql).await;
        assert!(replaced(&plan, FEW_BYTES).1.is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn plans_are_shown_as_before_and_get_other_inputs() {
    use datafusion::physical_plan::displayable;

    let context = session().await;
    let sql = "SELECT near, count(*) FROM t GROUP BY near";
    let plan = planned(&context, sql).await;
    let (other, steps) = replaced(&plan, FEW_BYTES);
    let shown = |plan: &Operator| displayable(plan.as_ref()).indent(true).to_string();
    assert_eq!(shown(&other), shown(&plan));
    let step = Arc::clone(&steps[0]);
    let inputs: Vec<Operator> = step.children().into_iter().cloned().collect();
    let recompute = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    let again = step.replace_children(inputs, recompute).unwrap();
    assert!(again.is::<AggregateExec>());
    assert_eq!(shown(&again), shown(&steps[0]));
}
