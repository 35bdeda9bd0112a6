#![allow(clippy::unwrap_used)]
use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;

use super::*;
use crate::logic::subqueries::ThreeValuedSubqueries;

fn context() -> SessionContext {
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_analyzer_rule(Arc::new(OptionalValues))
        .with_analyzer_rule(Arc::new(ThreeValuedSubqueries))
        .with_analyzer_rule(Arc::new(DependentJoins))
        .build();
    SessionContext::new_with_state(state)
}

const TABLES: &str = "WITH t AS (SELECT * FROM (VALUES (1, 1), (2, NULL), (2, 5)) z(k, a)),
    u AS (SELECT * FROM (VALUES (1, 10), (1, 20), (2, 30), (NULL, 40)) z(k, x))";

/// Returns the rows as texts, sorted.
async fn rows(sql: &str) -> Result<Vec<String>> {
    let context = context();
    let batches = context
        .sql(&format!("{TABLES} {sql}"))
        .await?
        .collect()
        .await?;
    let shown = pretty_format_batches(&batches)?.to_string();
    let lines = shown.lines().skip(3).filter(|line| line.starts_with('|'));
    let rows = lines.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.join(";")
    });
    let mut rows: Vec<String> = rows.collect();
    rows.sort();
    Ok(rows)
}

/// Returns the analyzed plan.
async fn plan(sql: &str) -> Result<String> {
    let context = context();
    let plan = context
        .state()
        .create_logical_plan(&format!("{TABLES} {sql}"))
        .await?;
    let state = context.state();
    let analyzed = state
        .analyzer()
        .execute_and_check(plan, state.config_options(), |_, _| {})?;
    Ok(analyzed.display_indent().to_string())
}

#[tokio::test]
async fn sets_of_keys_are_grouped_for_each_outer_row() {
    for (sql, expected) in [
        (
            "SELECT t.k, t.a, s.x, s.c FROM t, LATERAL (SELECT u.x AS x, count(*) AS c FROM u WHERE u.k = t.k GROUP BY ROLLUP (u.x)) s",
            vec![
                "1;1;10;1", "1;1;20;1", "1;1;;2", "2;5;30;1", "2;5;;1", "2;;30;1", "2;;;1",
            ],
        ),
        (
            "SELECT t.k, s.x, s.c FROM t, LATERAL (SELECT u.x AS x, count(*) AS c FROM u WHERE u.k = t.a GROUP BY ROLLUP (u.x)) s",
            vec!["1;10;1", "1;20;1", "1;;2", "2;;0", "2;;0"],
        ),
        (
            "SELECT t.k, s.g FROM t, LATERAL (SELECT grouping(u.x) AS g FROM u WHERE u.k = t.a GROUP BY CUBE (u.x)) s",
            vec!["1;0", "1;0", "1;1", "2;1", "2;1"],
        ),
        (
            "SELECT t.k, s.k, s.c FROM t, LATERAL (SELECT u.k AS k, count(*) AS c FROM u WHERE u.x > t.a * 10 GROUP BY GROUPING SETS ((u.k), (u.x))) s",
            vec!["1;1;1", "1;2;1", "1;;1", "1;;1", "1;;1", "1;;1"],
        ),
    ] {
        assert_eq!(rows(sql).await.unwrap(), expected, "{sql}");
    }
}

#[tokio::test]
async fn duplicates_and_nulls_of_outer_rows_are_kept() {
    for (sql, expected) in [
        (
            "SELECT k, (SELECT x FROM u WHERE u.k = t.k ORDER BY x DESC LIMIT 1) FROM t",
            vec!["1;20", "2;30", "2;30"],
        ),
        (
            "SELECT a, (SELECT count(*) FROM u WHERE (u.k IS NOT DISTINCT FROM t.a) AND u.x > t.k) FROM t",
            vec!["1;2", "5;0", ";1"],
        ),
        (
            "SELECT t.k, z.x FROM t, LATERAL (SELECT x FROM u WHERE u.k <= t.k ORDER BY x LIMIT 1) z",
            vec!["1;10", "2;10", "2;10"],
        ),
        (
            "SELECT k, (SELECT x FROM u WHERE u.k = t.k ORDER BY x LIMIT 2 - 1 OFFSET CAST(1 AS INT)) FROM t",
            vec!["1;20", "2;", "2;"],
        ),
        (
            "SELECT t.k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE EXISTS (SELECT 1 FROM u w WHERE w.k = t.k AND w.x > u.x))",
            vec!["1", "2", "2"],
        ),
    ] {
        assert_eq!(rows(sql).await.unwrap(), expected, "{sql}");
    }
}

/// As it is when a statement is described, before its parameters have values.
#[tokio::test]
async fn limits_of_parameters_stay_in_the_plan() {
    let plan = plan(
        "SELECT t.k, z.x FROM t, LATERAL (SELECT x FROM u WHERE u.k = t.k ORDER BY x LIMIT CAST($1 AS BIGINT)) z",
    );
    let plan = plan.await.unwrap();
    assert!(plan.contains("row_number") && plan.contains("$1"), "{plan}");
}

#[tokio::test]
async fn what_the_engine_joins_rightly_is_left_to_it() {
    for sql in [
        "SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k AND u.x <> t.a)",
        "SELECT k FROM t WHERE k IN (SELECT u.k FROM u WHERE u.x > t.a)",
        "SELECT k, (SELECT max(x) FROM u WHERE u.k = t.k) FROM t",
        "SELECT k FROM t WHERE a > (SELECT count(*) FROM u WHERE (u.k = t.k AND x = 1) OR (u.k = t.k AND x = 2))",
        "SELECT t.k, z.x FROM t, LATERAL (SELECT x FROM u WHERE u.k = t.k) z",
        "SELECT k FROM t WHERE k NOT IN (SELECT k FROM u)",
    ] {
        let plan = plan(sql).await.unwrap();
        assert!(
            !plan.contains("__domain") && !plan.contains("__subquery"),
            "{sql}: {plan}"
        );
    }
}

#[tokio::test]
async fn equated_columns_need_no_domain_and_others_one_of_what_they_are_read_from() {
    let plan_of = async |sql: &str| plan(sql).await.unwrap();
    let equated =
        "SELECT t.k, z.x FROM t, LATERAL (SELECT x FROM u WHERE u.k = t.k ORDER BY x LIMIT 1) z";
    let equated = plan_of(equated).await;
    assert!(!equated.contains("__domain_1_1"), "{equated}");
    // A domain may have more values, but not fewer.
    let limited =
        "SELECT k, (SELECT count(*) FROM u WHERE u.k < s.k) FROM (SELECT * FROM t LIMIT 2) s";
    let limited = plan_of(limited).await;
    assert!(limited.contains("__domain_1_1"), "{limited}");
    assert_eq!(limited.matches("Limit:").count(), 1, "{limited}");
}

#[tokio::test]
async fn values_that_may_differ_are_refused() {
    for from in [
        "(SELECT random() AS r, k FROM t) s",
        "(SELECT row_number() OVER (ORDER BY k) AS r, k FROM t) s",
        "(SELECT sum(CAST(a AS double)) AS r, k FROM t GROUP BY k) s",
        "(SELECT max(r) AS r, k FROM (SELECT a AS r, k FROM t LIMIT 2) q GROUP BY k) s",
    ] {
        let read = format!("SELECT (SELECT count(*) FROM u WHERE u.x > s.r) FROM {from}");
        let error = rows(&read).await.unwrap_err().to_string();
        assert!(
            error.contains("from one reading to the next"),
            "{read}: {error}"
        );
        // Columns that a subquery does not read may differ.
        let beside = format!(
            "SELECT (SELECT count(*) FROM u WHERE u.x > s.k) FROM {from} WHERE r IS NOT NULL OR k > 0"
        );
        assert!(rows(&beside).await.is_ok(), "{beside}");
    }
}

#[tokio::test]
async fn more_than_one_row_is_an_error() {
    let error = rows("SELECT (SELECT x FROM u WHERE u.k = t.k) FROM t")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("more than one row"), "{error}");
    let one = "SELECT (SELECT x FROM u WHERE u.k = t.k) FROM t WHERE k = 2";
    assert_eq!(rows(one).await.unwrap(), ["30", "30"]);
}

#[tokio::test]
async fn a_value_that_lacks_is_null_though_its_column_never_is() {
    for (sql, expected) in [
        (
            "SELECT s.m IS NULL FROM (SELECT (SELECT t.k WHERE t.k > 1) AS m FROM t) s",
            vec!["false", "false", "true"],
        ),
        (
            "SELECT s.m IS NULL FROM (SELECT (SELECT k FROM t WHERE k > 5) AS m) s",
            vec!["true"],
        ),
        (
            "SELECT s.m NOT IN (SELECT 7) FROM (SELECT (SELECT 7 FROM u WHERE u.k = t.a LIMIT 1) AS m FROM t) s",
            vec!["", "", "false"],
        ),
        (
            "SELECT k FROM (SELECT k, (SELECT 7 FROM u WHERE u.k = t.a LIMIT 1) AS m FROM t) s WHERE 8 NOT IN (SELECT s.m)",
            vec!["1"],
        ),
    ] {
        assert_eq!(rows(sql).await.unwrap(), expected, "{sql}");
    }
}

#[tokio::test]
async fn recursive_queries_run_for_each_outer_row() {
    for (sql, expected) in [
        (
            "SELECT k, (WITH RECURSIVE c AS (SELECT t.k AS n UNION ALL SELECT n + 1 FROM c WHERE n < 3) SELECT sum(n) FROM c) FROM t",
            vec!["1;6", "2;5", "2;5"],
        ),
        (
            "SELECT k, (WITH RECURSIVE c AS (SELECT t.k AS n UNION SELECT u.x FROM c JOIN u ON u.k = c.n) SELECT count(*) FROM c) FROM t",
            vec!["1;3", "2;2", "2;2"],
        ),
        // The recursive part reads the outer row too.
        (
            "SELECT k, (WITH RECURSIVE c AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM c WHERE n < t.k) SELECT max(n) FROM c) FROM t",
            vec!["1;1", "2;2", "2;2"],
        ),
    ] {
        assert_eq!(rows(sql).await.unwrap(), expected, "{sql}");
    }
}

#[tokio::test]
async fn outer_rows_that_may_differ_are_computed_once() {
    let of = |value: &str, condition: &str| {
        format!(
            "SELECT s.k, (SELECT count(*) FROM u WHERE {condition}) FROM (SELECT k, {value} AS m FROM t GROUP BY k) s"
        )
    };
    for value in ["avg(a)", "sum(a * 0.5)", "random()"] {
        let plan = plan(&of(value, "u.x > s.m")).await.unwrap();
        assert!(plan.matches("Once").count() > 1, "{plan}");
    }
    // Each reading has the same values, or there is one reading.
    for sql in [of("max(a)", "u.x > s.m"), of("avg(a)", "u.k = s.k")] {
        let plan = plan(&sql).await.unwrap();
        assert!(!plan.contains("Once"), "{plan}");
    }
}
