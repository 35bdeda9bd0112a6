#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::SessionContext;

use super::*;
use crate::joins::dependent::DependentJoins;

/// Returns the rows as text, in order.
async fn rows(sql: &str) -> Vec<String> {
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_analyzer_rule(Arc::new(ThreeValuedSubqueries))
        .with_analyzer_rule(Arc::new(DependentJoins))
        .build();
    let run = async || -> Result<String> {
        let context = SessionContext::new_with_state(state);
        let batches = context.sql(sql).await?.collect().await?;
        Ok(pretty_format_batches(&batches)?.to_string())
    };
    let shown = match run().await {
        Ok(shown) => shown,
        Err(error) => return vec![error.to_string()],
    };
    let mut rows: Vec<String> = shown
        .lines()
        .skip(3)
        .filter(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            cells.join(";")
        })
        .collect();
    rows.sort();
    rows
}

const TABLES: &str = "WITH o AS (SELECT * FROM (VALUES (1, 1), (2, 2), (3, NULL)) v(id, a)),
    f AS (SELECT * FROM (VALUES (1, 1), (4, 2)) v(k, g)),
    h AS (SELECT * FROM (VALUES (1, 1), (NULL, 2)) v(k, g)),
    e AS (SELECT * FROM f WHERE k > 100)";

async fn check(cases: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let found = rows(&format!("{TABLES} {sql}")).await;
        if found != *expected {
            wrong.push(format!("{sql}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn subqueries_whose_column_has_no_table_are_joined_under_or() {
    check(&[
        (
            "SELECT id FROM o WHERE a IN (SELECT DISTINCT k + 1 AS z FROM f) OR id = 1",
            &["1", "2"],
        ),
        (
            "SELECT id FROM o WHERE a NOT IN (SELECT k FROM f UNION SELECT 2) OR id = 3",
            &["3"],
        ),
        (
            "SELECT id FROM o WHERE (a IN (SELECT DISTINCT k AS z FROM h)) IS NOT TRUE",
            &["2", "3"],
        ),
        (
            "SELECT id FROM o WHERE CASE WHEN a IN (SELECT DISTINCT k + 1 FROM f) THEN id > 1 ELSE id > 2 END",
            &["2", "3"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn filters_follow_three_valued_logic() {
    check(&[
        ("SELECT id FROM o WHERE a NOT IN (SELECT k FROM f)", &["2"]),
        ("SELECT id FROM o WHERE a NOT IN (SELECT k FROM h)", &[]),
        (
            "SELECT id FROM o WHERE a NOT IN (SELECT k FROM e)",
            &["1", "2", "3"],
        ),
        (
            "SELECT id FROM o WHERE a + 1 NOT IN (SELECT k FROM f)",
            &["1", "2"],
        ),
        ("SELECT id FROM o WHERE 3 NOT IN (SELECT k FROM h)", &[]),
        (
            "SELECT id FROM o WHERE 3 NOT IN (SELECT k FROM f)",
            &["1", "2", "3"],
        ),
        ("SELECT id FROM o WHERE 1 NOT IN (SELECT k FROM f)", &[]),
        ("SELECT id FROM o WHERE NULL NOT IN (SELECT k FROM f)", &[]),
        (
            "SELECT id FROM o WHERE NULL NOT IN (SELECT k FROM e)",
            &["1", "2", "3"],
        ),
        ("SELECT id FROM o WHERE 3 IN (SELECT k FROM h)", &[]),
        ("SELECT id FROM o WHERE NOT (3 IN (SELECT k FROM h))", &[]),
        (
            "SELECT id FROM o WHERE NOT (a NOT IN (SELECT k FROM h))",
            &["1"],
        ),
        (
            "SELECT id FROM o WHERE CASE WHEN true THEN 3 ELSE a END NOT IN (SELECT k FROM h)",
            &[],
        ),
        (
            "SELECT id FROM o WHERE id NOT IN (SELECT k FROM h WHERE g = o.a)",
            &["3"],
        ),
        (
            "SELECT id FROM o WHERE id NOT IN (SELECT k FROM h WHERE g >= o.a)",
            &["3"],
        ),
        (
            "SELECT id FROM o WHERE id = 3 OR a NOT IN (SELECT k FROM h)",
            &["3"],
        ),
        (
            "SELECT id FROM o WHERE id = 3 OR a NOT IN (SELECT k FROM f)",
            &["2", "3"],
        ),
        (
            "SELECT id FROM o WHERE id = 3 OR a IN (SELECT k FROM h)",
            &["1", "3"],
        ),
        (
            "SELECT id FROM o WHERE id = 3 OR id NOT IN (SELECT k FROM h WHERE g = o.a)",
            &["3"],
        ),
        (
            "SELECT id FROM o WHERE (a IN (SELECT k FROM h)) IS NULL",
            &["2", "3"],
        ),
        (
            "SELECT id FROM o WHERE (a NOT IN (SELECT k FROM f)) IS NOT TRUE",
            &["1", "3"],
        ),
        (
            "SELECT id FROM o WHERE (a IN (SELECT k FROM e)) IS FALSE",
            &["1", "2", "3"],
        ),
        (
            "SELECT id FROM o WHERE CASE WHEN a IN (SELECT k FROM h) THEN 1 ELSE 2 END = 2",
            &["2", "3"],
        ),
        (
            "SELECT id FROM o WHERE coalesce(a NOT IN (SELECT k FROM h), id = 3)",
            &["3"],
        ),
        ("SELECT id FROM o WHERE a = ANY (SELECT k FROM h)", &["1"]),
        ("SELECT id FROM o WHERE a <> ALL (SELECT k FROM h)", &[]),
        ("SELECT id FROM o WHERE a <> ALL (SELECT k FROM f)", &["2"]),
        (
            "SELECT id FROM o WHERE a < ALL (SELECT k FROM e)",
            &["1", "2", "3"],
        ),
        (
            "SELECT id FROM o WHERE a > ALL (SELECT k FROM f WHERE k < 3)",
            &["2"],
        ),
        (
            "SELECT id FROM o WHERE a >= ANY (SELECT k FROM h)",
            &["1", "2"],
        ),
        (
            "SELECT id FROM o WHERE NOT (a > ALL (SELECT k FROM h))",
            &["1"],
        ),
        ("SELECT id FROM o WHERE 3 > ALL (SELECT k FROM h)", &[]),
        (
            "SELECT id FROM o WHERE EXISTS (SELECT 1 FROM f WHERE f.g = o.a)",
            &["1", "2"],
        ),
        (
            "SELECT id FROM o WHERE NOT EXISTS (SELECT 1 FROM f WHERE f.g = o.a)",
            &["3"],
        ),
        (
            "SELECT id FROM o WHERE id = 1 OR NOT EXISTS (SELECT 1 FROM e)",
            &["1", "2", "3"],
        ),
        (
            "SELECT id FROM o WHERE id NOT IN (SELECT id FROM o WHERE a IS NULL)",
            &["1", "2"],
        ),
        ("SELECT id FROM o WHERE a NOT IN (SELECT a FROM o)", &[]),
        (
            "SELECT id FROM o WHERE a < ALL (SELECT a FROM o WHERE id = 2)",
            &["1"],
        ),
        (
            "SELECT a.id FROM o a JOIN o b ON a.id = b.id AND a.a NOT IN (SELECT k FROM f)",
            &["2"],
        ),
        (
            "SELECT count(*) FROM o GROUP BY a HAVING a NOT IN (SELECT k FROM f)",
            &["1"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn predicates_may_stand_anywhere() {
    check(&[
        ("SELECT id, a IN (SELECT k FROM f) FROM o", &["1;true", "2;false", "3;"]),
        ("SELECT id, a NOT IN (SELECT k FROM h) FROM o", &["1;false", "2;", "3;"]),
        ("SELECT id, a IN (SELECT k FROM e) FROM o", &["1;false", "2;false", "3;false"]),
        ("SELECT 3 IN (SELECT k FROM h) AS x, 1 IN (SELECT k FROM h) AS y, 3 NOT IN (SELECT k FROM f) AS z", &[";true;true"]),
        ("SELECT id, id NOT IN (SELECT k FROM h WHERE g = o.a) FROM o", &["1;false", "2;", "3;true"]),
        ("SELECT id, EXISTS (SELECT 1 FROM f WHERE g = o.a) AS x, EXISTS (SELECT 1 FROM e) AS y FROM o", &["1;true;false", "2;true;false", "3;false;false"]),
        ("SELECT id, a > ANY (SELECT k FROM h), a <= ALL (SELECT k FROM h) FROM o", &["1;;", "2;true;false", "3;;"]),
        ("SELECT sum(CASE WHEN a IN (SELECT k FROM f) THEN 10 ELSE 1 END) FROM o", &["12"]),
        ("SELECT a IN (SELECT k FROM f) AS x, count(*) FROM o GROUP BY a IN (SELECT k FROM f)", &[";1", "false;1", "true;1"]),
        ("SELECT id FROM o ORDER BY a IN (SELECT k FROM f), id LIMIT 1", &["2"]),
        ("SELECT CASE WHEN EXISTS (SELECT 1 FROM e) THEN 'some' ELSE 'none' END", &["none"]),
        ("SELECT id, row_number() OVER (ORDER BY a IN (SELECT k FROM f) DESC NULLS LAST, id) FROM o", &["1;1", "2;2", "3;3"]),
    ])
    .await;
}
