//! Rows of statements over tables that are queries themselves.

#![allow(clippy::unwrap_used)]
use arrow::util::pretty::pretty_format_batches;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::Statement;

use super::super::*;
use super::parsed;

async fn columns_of(state: &SessionState, query: &Query) -> Columns {
    let statement = Box::new(Statement::Query(Box::new(query.clone())));
    let plan = state.statement_to_plan(EngineStatement::Statement(statement));
    let plan = plan.await.unwrap();
    let fields = plan.schema().fields().iter();
    Ok(fields.map(|field| field.name().clone()).collect())
}

async fn rows(sql: &str) -> Vec<String> {
    let run = async || -> Result<String> {
        let context = SessionContext::new();
        let state = context.state();
        let mut statement = parsed(sql);
        let mut columns = JoinedColumns::default();
        statement = loop {
            match resolve_joins(&statement, &columns)? {
                Resolution::Resolved(statement) => break *statement,
                Resolution::Unknown(unknown) => {
                    for select in &unknown {
                        let mut found = Vec::new();
                        for relation in &select.relations {
                            found.push(match relation {
                                Some(query) => columns_of(&state, query).await,
                                None => Err(Error::not_supported("lateral")),
                            });
                        }
                        columns.learn(select, found);
                    }
                }
            }
        };
        let plan = state.statement_to_plan(EngineStatement::Statement(Box::new(statement)));
        let batches = context
            .execute_logical_plan(plan.await?)
            .await?
            .collect()
            .await?;
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
            "SELECT z.*, r.* FROM z FULL JOIN r USING (k)",
            &["1;10;;", "2;20;2;200", ";;4;400", ";30;;", ";;;500"],
        ),
        (
            "SELECT DISTINCT r.k FROM z RIGHT JOIN r USING (k) ORDER BY r.k",
            &["", "2", "4"],
        ),
        (
            "SELECT c.k FROM z RIGHT JOIN (r LEFT JOIN c USING (k)) USING (k)",
            &["", "", "4"],
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
            "SELECT r.k FROM z FULL JOIN r USING (k) LEFT JOIN c ON c.k = r.k WHERE c.w = 7",
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
