#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::util::display::array_value_to_string;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::collect;
use datafusion::prelude::SessionContext;

use super::*;

/// Returns the values of a query's only column, in order.
async fn column(sql: &str) -> Vec<String> {
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_analyzer_rule(Arc::new(SeparateInLists))
        .build();
    let frame = SessionContext::new_with_state(state)
        .sql(sql)
        .await
        .unwrap();
    let (state, plan) = frame.into_parts();
    let plan = by_rows(state.optimize(&plan).unwrap()).unwrap();
    let physical = state.query_planner();
    let plan = physical.create_physical_plan(&plan, &state).await.unwrap();
    let batches = collect(plan, state.task_ctx()).await.unwrap();
    let mut values = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            values.push(array_value_to_string(batch.column(0), row).unwrap());
        }
    }
    values
}

const T: &str = "(VALUES (1, 5, 5), (2, 6, 7), (NULL, 1, 1)) t(x, a, b)";

#[tokio::test]
async fn lists_of_one_expression_mean_what_each_means() {
    for (expression, expected) in [
        (
            "x IN (1, 2, 3, 4) AND x NOT IN (5, 6, 7, NULL)",
            ["", "", ""],
        ),
        (
            "x NOT IN (5, 6, 7, NULL) AND x IN (1, 2, 3, 4)",
            ["", "", ""],
        ),
        (
            "x IN (1, 2, 3, 4) AND x NOT IN (2, 6, 7, 8)",
            ["true", "false", ""],
        ),
        (
            "x IN (1, 2, 3, 4) AND x IN (1, 6, 7, 8)",
            ["true", "false", ""],
        ),
        (
            "x IN (1, 2, 3, 4) AND x IN (5, 6, 7, 8)",
            ["false", "false", ""],
        ),
        (
            "x + 4 IN (a, 1, 2, 3) AND x + 4 IN (b, 4, 8, 9)",
            ["true", "false", ""],
        ),
        (
            "x + 4 IN (5, 1, 2, 3) AND x + 4 NOT IN (b, 4, 8, 9)",
            ["false", "false", ""],
        ),
        (
            "x NOT IN (1, 2, 3, 4) OR x NOT IN (5, 6, 7, 8)",
            ["true", "true", ""],
        ),
        (
            "x NOT IN (1, 2, 3, NULL) OR x NOT IN (1, 6, 7, 8)",
            ["false", "true", ""],
        ),
        (
            "NOT (x IN (1, 2, 3, 4) AND x IN (5, 6, 7, 8))",
            ["true", "true", ""],
        ),
        (
            "NOT ((x = 1 OR x = 2) AND (x = 3 OR x = 4))",
            ["true", "true", ""],
        ),
        (
            "(x = 1 OR x = 2) AND x NOT IN (3, 4, 5, NULL)",
            ["", "", ""],
        ),
        (
            "x IN (1, 2, 3, 4) AND a > 0 AND x NOT IN (1, 9, 8, 7) AND x IN (2, 3, 4, 5)",
            ["false", "true", ""],
        ),
        (
            "x NOT IN (1, 6, 7, 8) AND x NOT IN (1, 9, 4, 5)",
            ["false", "true", ""],
        ),
        (
            "x IN (27, 55, 0, CASE a WHEN a THEN x ELSE 3 END)",
            ["true", "true", ""],
        ),
        (
            "x NOT IN (27, 55, 0, CASE a WHEN 5 THEN x ELSE 3 END)",
            ["false", "true", ""],
        ),
        (
            "x NOT IN (27, 55, coalesce(NULLIF(a, 6), 2), CASE a WHEN 1 THEN NULL ELSE 3 END)",
            ["true", "false", ""],
        ),
        (
            "x IN (1, 6, 7, 8) OR x IN (1, 9, 4, 5)",
            ["true", "false", ""],
        ),
        ("5 IN (a) AND 5 IN (b)", ["true", "false", "false"]),
        ("1 IN (a, b) OR 6 NOT IN (a, x)", ["true", "false", "true"]),
        (
            "NOT (x NOT IN (1, 2, 7, 8) OR x IN (5, x, 9, 6))",
            ["false", "false", ""],
        ),
        (
            "(x NOT IN (1, 2, 7, 8) OR x IN (5, x, 9, 6)) = false",
            ["false", "false", ""],
        ),
        (
            "CASE WHEN x NOT IN (1, 2, 7, 8) OR x IN (5, x, 9, 6) THEN false ELSE true END",
            ["false", "false", "true"],
        ),
        (
            "NOT ((x <> 1 AND x <> 2) OR (x <> 3 AND x <> 4))",
            ["false", "false", ""],
        ),
    ] {
        let sql = format!("SELECT {expression} FROM {T} ORDER BY x");
        assert_eq!(column(&sql).await, expected, "{sql}");
        // As a condition, and under a condition.
        let kept = expected.iter().filter(|value| **value == "true").count();
        let sql = format!("SELECT count(*) FROM {T} WHERE {expression}");
        assert_eq!(column(&sql).await, [kept.to_string()], "{sql}");
        let kept = expected.iter().filter(|value| **value == "false").count();
        let sql = format!("SELECT count(*) FROM {T} WHERE NOT ({expression})");
        assert_eq!(column(&sql).await, [kept.to_string()], "{sql}");
        // As a column of a subquery whose parent reads it.
        let sql = format!("SELECT count(*) FROM (SELECT {expression} AS p FROM {T}) q WHERE NOT p");
        assert_eq!(column(&sql).await, [kept.to_string()], "{sql}");
    }
}

#[tokio::test]
async fn lists_in_conditions_stay_as_they_are_for_the_files_statistics() {
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_analyzer_rule(Arc::new(SeparateInLists))
        .build();
    let sql = format!("SELECT 1 FROM {T} WHERE x IN (1, 2, 3, 4) OR x IN (5, 6, 7, 8)");
    let frame = SessionContext::new_with_state(state).sql(&sql).await;
    let plan = frame.unwrap().into_optimized_plan().unwrap();
    assert!(
        !plan.display_indent().to_string().contains("same("),
        "{plan}"
    );
}
