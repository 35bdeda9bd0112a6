#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use arrow::array::{Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlanBuilder, cast, col, in_list, lit};
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;
use lakegate_error::{Code, from_engine};

use super::*;
use crate::testing::small_engine;
use crate::{Names, PlanSettings};

/// `t (a int, b text)` with rows that a view leaves out.
fn table() -> LogicalPlanBuilder {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", DataType::Utf8, true),
    ]));
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        vec![
            Arc::new(Int32Array::from(vec![1, 2, 3])),
            Arc::new(StringArray::from(vec!["10", "20", "secret"])),
        ],
    )
    .unwrap();
    let table = MemTable::try_new(schema, vec![vec![batch]]).unwrap();
    LogicalPlanBuilder::scan("t", provider_as_source(Arc::new(table)), None).unwrap()
}

fn state() -> SessionState {
    let directory = tempfile::tempdir().unwrap();
    let engine = small_engine(directory.path());
    let settings = PlanSettings {
        time_zone: "UTC".to_owned(),
        search_path: Vec::new(),
        names: Names::Postgres,
    };
    let catalogs = Arc::new(datafusion::catalog::MemoryCatalogProviderList::new());
    let mut state = engine.session(&settings, catalogs).unwrap();
    state.own().clone()
}

/// `SELECT a, b FROM t WHERE a < 3`, as a view.
fn view() -> LogicalPlan {
    let plan = table().filter(col("a").lt(lit(3))).unwrap();
    barrier("sales.v", plan.build().unwrap())
}

fn optimized(plan: LogicalPlan) -> LogicalPlan {
    state().optimize(&plan).unwrap()
}

/// The text of the plan, in one line.
fn text(plan: &LogicalPlan) -> String {
    let text = plan.display_indent().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" / ")
}

#[test]
fn comparisons_with_constants_go_below_and_nothing_else_does() {
    let filtered = |condition: Expr| {
        let plan = LogicalPlanBuilder::from(view()).filter(condition).unwrap();
        text(&optimized(plan.build().unwrap()))
    };
    let safe = [
        col("b").eq(lit("10")),
        lit("10").not_eq(col("b")),
        col("b").is_null(),
        in_list(
            col("b"),
            vec![lit("10"), lit("20"), lit("30"), lit("40")],
            false,
        ),
        col("b").gt(lit("1")).and(col("b").lt(lit("3"))),
        col("a").eq(lit(1)).or(col("b").eq(lit("10"))),
    ];
    for condition in safe {
        let plan = filtered(condition.clone());
        assert!(plan.starts_with("View: sales.v"), "{condition}: {plan}");
    }
    let unsafe_ones = [
        cast(col("b"), DataType::Int32).eq(lit(10)),
        (lit(1) / (col("a") - lit(3))).gt(lit(0)),
        col("b").like(lit("%1%")),
        col("b").eq(cast(col("a"), DataType::Utf8)),
        col("a").eq(lit(1)).or((lit(1) / col("a")).gt(lit(0))),
        // Without columns.
        (lit(1) / lit(0)).eq(lit(1)),
    ];
    for condition in unsafe_ones {
        let plan = filtered(condition.clone());
        let (above, below) = plan.split_once("View: sales.v").unwrap();
        assert_eq!(above.matches("Filter").count(), 1, "{condition}: {plan}");
        assert_eq!(below.matches("Filter").count(), 1, "{condition}: {plan}");
    }
    // Of both kinds: each goes where it may.
    let both = col("b").eq(lit("10")).and((lit(1) / col("a")).gt(lit(0)));
    let plan = filtered(both);
    let (above, below) = plan.split_once("View: sales.v").unwrap();
    assert!(above.contains('/') && !above.contains("\"10\""), "{plan}");
    assert!(below.contains("\"10\"") && !below.contains("1 /"), "{plan}");
}

#[test]
fn columns_that_a_view_computes_are_compared_above_it() {
    let computed = table()
        .project(vec![(lit(1) / col("a")).alias("q"), col("b").alias("c")])
        .unwrap();
    let view = barrier("sales.v", computed.build().unwrap());
    let filtered = |condition: Expr| {
        let plan = LogicalPlanBuilder::from(view.clone())
            .filter(condition)
            .unwrap();
        text(&optimized(plan.build().unwrap()))
    };
    assert!(filtered(col("q").eq(lit(1))).starts_with("Filter"));
    assert!(filtered(col("c").eq(lit("10"))).starts_with("View"));
}

#[test]
fn keys_that_a_view_computes_are_compared_above_it() {
    let filtered = |key: Expr, condition: Expr| {
        let grouped = table()
            .filter(col("a").not_eq(lit(0)))
            .and_then(|plan| plan.aggregate(vec![key], Vec::<Expr>::new()))
            .and_then(LogicalPlanBuilder::build)
            .unwrap();
        let plan = LogicalPlanBuilder::from(barrier("sales.v", grouped));
        text(&optimized(plan.filter(condition).unwrap().build().unwrap()))
    };
    let computed = filtered((lit(1) / col("a")).alias("q"), col("q").eq(lit(1)));
    assert!(computed.starts_with("Filter"), "{computed}");
    let column = filtered(col("b"), col("b").eq(lit("10")));
    assert!(column.starts_with("View"), "{column}");
}

#[test]
fn several_filters_above_a_view_are_told_apart_as_one_is() {
    let plan = LogicalPlanBuilder::from(view())
        .filter((lit(1) / lit(0)).eq(lit(1)))
        .and_then(|plan| plan.alias("v"))
        .and_then(|plan| plan.filter(col("b").eq(lit("10"))))
        .and_then(LogicalPlanBuilder::build)
        .unwrap();
    let plan = text(&optimized(plan));
    let (above, below) = plan.split_once("View: sales.v").unwrap();
    assert!(
        above.contains("/ Int") && !above.contains("\"10\""),
        "{plan}"
    );
    assert!(
        below.contains("\"10\"") && !below.contains("/ Int"),
        "{plan}"
    );
}

#[test]
fn columns_that_are_not_used_are_pruned_and_limits_stay_above() {
    let plan = LogicalPlanBuilder::from(view())
        .project(vec![col("b")])
        .unwrap();
    let plan = text(&optimized(plan.limit(0, Some(1)).unwrap().build().unwrap()));
    let (above, below) = plan.split_once("View: sales.v").unwrap();
    assert!(above.contains("Limit"), "{plan}");
    assert!(
        !below.contains("Limit") && !below.contains("fetch"),
        "{plan}"
    );
}

#[tokio::test]
async fn rows_pass_and_errors_lose_their_texts() {
    let state = state();
    let run = |plan: LogicalPlan| {
        let state = state.clone();
        async move {
            let plan = state.create_physical_plan(&plan).await?;
            collect(plan, SessionContext::new_with_state(state).task_ctx()).await
        }
    };
    let plan = LogicalPlanBuilder::from(view())
        .filter(cast(col("b"), DataType::Int32).gt(lit(10)))
        .unwrap();
    // The row that the view leaves out cannot be cast.
    let rows = run(plan.build().unwrap()).await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);

    let failing = table()
        .project(vec![cast(col("b"), DataType::Int32).alias("n")])
        .unwrap();
    let error = run(barrier("sales.v", failing.build().unwrap())).await;
    let error = from_engine(error.unwrap_err());
    assert_eq!(error.code(), Code::InvalidCast);
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.message().contains("sales.v"), "{error}");
    assert!(error.full().unwrap().contains("secret"));
}

#[test]
fn sealed_plan_shows_the_name_of_the_view_only() {
    let plan = LogicalPlanBuilder::from(view())
        .project(vec![col("b")])
        .unwrap();
    let plan = plan.build().unwrap();
    assert!(text(&plan).contains("TableScan"));
    assert_eq!(text(&sealed(&plan)), "Projection: t.b / View: sales.v");
    assert_eq!(view_of(plan.inputs()[0]), Some("sales.v"));
}
