#![allow(clippy::unwrap_used)]
use super::*;
use crate::engine::pg::rewrite_names_of_using;
use arrow::util::pretty::pretty_format_batches;
use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::Analyzer;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;

async fn rows(sql: &str) -> Vec<String> {
    let run = async || -> Result<String> {
        let mut rules = Analyzer::new().rules;
        rules.insert(0, Arc::new(UsingColumns));
        let mut state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rules(rules)
            .build();
        register(&mut state)?;
        let dialect = datafusion::config::Dialect::PostgreSQL;
        let mut statement = state.sql_to_statement(sql, &dialect)?;
        if let Statement::Statement(statement) = &mut statement {
            rewrite_names_of_using(statement)?;
        }
        let plan = state.statement_to_plan(statement).await?;
        let context = SessionContext::new_with_state(state);
        let batches = context.execute_logical_plan(plan).await?.collect().await?;
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

const TABLES: &str = "WITH z AS (SELECT * FROM (VALUES (1, 10), (2, 20), (NULL, 30)) v(k, x)),
    r AS (SELECT * FROM (VALUES (CAST(2 AS BIGINT), 200), (4, 400), (NULL, 500)) v(k, y)),
    c AS (SELECT * FROM (VALUES (4, 7), (9, 8)) v(k, w))";

#[tokio::test]
async fn the_column_of_using_is_the_one_that_both_sides_make() {
    let cases: &[(&str, &[&str])] = &[
        (
            "SELECT k, x, y FROM z FULL JOIN r USING (k)",
            &["1;10;", "2;20;200", "4;;400", ";30;", ";;500"],
        ),
        (
            "SELECT * FROM z FULL JOIN r USING (k)",
            &["1;10;", "2;20;200", "4;;400", ";30;", ";;500"],
        ),
        (
            "SELECT * FROM r FULL JOIN z USING (k)",
            &["1;;10", "2;200;20", "4;400;", ";500;", ";;30"],
        ),
        (
            "SELECT k, x, y FROM z RIGHT JOIN r USING (k)",
            &["2;20;200", "4;;400", ";;500"],
        ),
        (
            "SELECT * FROM z LEFT JOIN r USING (k)",
            &["1;10;", "2;20;200", ";30;"],
        ),
        (
            "SELECT k, z.k, r.k FROM z FULL JOIN r USING (k)",
            &["1;1;", "2;2;2", "4;;4", ";;", ";;"],
        ),
        (
            "SELECT z.*, r.* FROM z LEFT JOIN r USING (k)",
            &["1;10;;", "2;20;2;200", ";30;;"],
        ),
        (
            "SELECT r.*, x FROM z FULL JOIN r USING (k)",
            &[";;10", "2;200;20", ";;30", "4;400;", ";500;"],
        ),
        (
            "SELECT k FROM z FULL JOIN r USING (k) WHERE z.k IS NULL",
            &["", "", "4"],
        ),
        (
            "SELECT k FROM z JOIN r USING (k) WHERE k > 1 AND k < 9",
            &["2"],
        ),
        (
            "SELECT k FROM z FULL JOIN r USING (k) WHERE k > 1",
            &["2", "4"],
        ),
        (
            "SELECT k FROM z LEFT JOIN r USING (k) WHERE r.k IS NULL",
            &["", "1"],
        ),
        (
            "SELECT k, count(*) FROM z FULL JOIN r USING (k) GROUP BY k HAVING k IS NOT NULL",
            &["1;1", "2;1", "4;1"],
        ),
        (
            "SELECT r.k, count(*) FROM z FULL JOIN r USING (k) GROUP BY r.k",
            &["2;1", "4;1", ";3"],
        ),
        (
            "SELECT coalesce(z.k, r.k) AS k FROM z FULL JOIN r USING (k) ORDER BY 1",
            &["", "", "1", "2", "4"],
        ),
        (
            "SELECT k, x, y, w FROM z FULL JOIN r USING (k) FULL JOIN c USING (k)",
            &[
                "1;10;;",
                "2;20;200;",
                "4;;400;7",
                "9;;;8",
                ";30;;",
                ";;500;",
            ],
        ),
        (
            "SELECT * FROM z FULL JOIN r USING (k) FULL JOIN c USING (k)",
            &[
                "1;10;;",
                "2;20;200;",
                "4;;400;7",
                "9;;;8",
                ";30;;",
                ";;500;",
            ],
        ),
        (
            "SELECT z.k, r.k, c.k FROM z FULL JOIN r USING (k) FULL JOIN c USING (k)",
            &["1;;", "2;2;", ";4;4", ";;", ";;", ";;9"],
        ),
        (
            "SELECT * FROM z JOIN r USING (k) FULL JOIN c USING (k)",
            &["2;20;200;", "4;;;7", "9;;;8"],
        ),
        (
            "SELECT k FROM z RIGHT JOIN r USING (k) LEFT JOIN c USING (k) WHERE c.k IS NULL",
            &["", "2"],
        ),
        (
            "SELECT t.k FROM (SELECT k, x FROM z FULL JOIN r USING (k)) t WHERE t.k > 2",
            &["4"],
        ),
        (
            "SELECT t.k FROM (SELECT r.k FROM z FULL JOIN r USING (k)) t WHERE t.k > 1",
            &["2", "4"],
        ),
        (
            "SELECT k FROM z FULL JOIN r USING (k) WHERE EXISTS (SELECT 1 FROM c WHERE c.k = r.k)",
            &["4"],
        ),
        (
            "SELECT k FROM z FULL JOIN r USING (k) WHERE EXISTS (SELECT 1 FROM c WHERE c.k = z.k)",
            &[],
        ),
        (
            "SELECT z.k FROM z FULL JOIN r USING (k) ORDER BY z.k DESC NULLS LAST LIMIT 1",
            &["2"],
        ),
        (
            "SELECT k FROM z FULL JOIN r USING (k) LEFT JOIN c ON c.k = r.k WHERE c.w = 7",
            &["4"],
        ),
        (
            "SELECT k FROM z FULL JOIN (SELECT k FROM r) s USING (k) UNION SELECT k FROM c",
            &["", "1", "2", "4", "9"],
        ),
    ];
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        expected.sort();
        let found = rows(&format!("{TABLES} {sql}")).await;
        if found != expected {
            wrong.push(format!("{sql}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    for sql in [
        "SELECT z.*, r.* FROM z FULL JOIN r USING (k)",
        "SELECT * FROM z CROSS JOIN (VALUES (1)) one(n) LEFT JOIN r USING (k)",
    ] {
        let found = rows(&format!("{TABLES} {sql}")).await;
        assert!(
            found.len() == 1 && found[0].contains("not supported"),
            "{sql}: {found:?}"
        );
    }
}
