//! Rows that must be computed once.

use datafusion::common::JoinType;

use super::*;

/// Random numbers, joined with the same ones.
async fn joined(context: &SessionContext) -> LogicalPlan {
    let sql = "SELECT k, random() AS r FROM t";
    let rows = once(context.state().create_logical_plan(sql).await.unwrap());
    let side = |name: &str| LogicalPlanBuilder::from(rows.clone()).alias(name).unwrap();
    let other = side("y").build().unwrap();
    let equal = [col("x.r").eq(col("y.r"))];
    let plan = side("x").join_on(other, JoinType::Inner, equal).unwrap();
    plan.build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_readers_have_the_rows_of_one_run() {
    let context = session();
    for bound in [LARGE, 1] {
        let plan = context.state().optimize(&joined(&context).await).unwrap();
        let plan = planned(&plan, &context.state(), bound).await.unwrap();
        let plan = stoppable(plan).unwrap();
        show(&plan).unwrap();
        assert_eq!(readers(&plan), 2);
        let rows = try_rows(&context, Arc::clone(&plan)).await.unwrap();
        assert_eq!(rows.len(), 600);
        // A second run would have other rows.
        assert!(try_rows(&context, plan).await.is_err());
    }
}

#[tokio::test]
async fn conditions_stay_above_rows_that_are_computed_once() {
    let context = session();
    let plan = joined(&context).await;
    let plan = LogicalPlanBuilder::from(plan)
        .filter(col("x.k").eq(lit(1)))
        .unwrap();
    let plan = context.state().optimize(&plan.build().unwrap()).unwrap();
    let text = plan.display_indent().to_string();
    let below: Vec<&str> = text.split("Once").skip(1).collect();
    assert_eq!(below.len(), 2, "{text}");
    assert!(
        below.iter().all(|input| !input.contains("Filter")),
        "{text}"
    );
    let rows = planned(&plan, &context.state(), LARGE).await.unwrap();
    show(&rows).unwrap();
    let rows = try_rows(&context, rows).await.unwrap();
    let ones = apart(&context, "SELECT k FROM t WHERE k = 1").await;
    assert_eq!(rows.len(), ones.len());
}

#[test]
fn a_recursive_query_does_not_run_them_again() {
    let rows = LogicalPlanBuilder::values(vec![vec![lit(1)]]).unwrap();
    let first = rows.clone().build().unwrap();
    let again = once(rows.build().unwrap());
    let plan = LogicalPlanBuilder::from(first)
        .to_recursive_query("r".to_owned(), again, false)
        .unwrap();
    assert!(once::divided(&plan.build().unwrap(), LARGE).is_err());
}
