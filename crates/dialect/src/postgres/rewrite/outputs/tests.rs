#![allow(clippy::unwrap_used)]
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

/// Returns the rewritten statement, with `~` for the invisible mark.
fn named(sql: &str) -> String {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
    let statement = statements.first_mut().unwrap();
    name(statement, Names::Postgres).unwrap();
    statement.to_string().replace('\u{2063}', "~")
}

#[test]
fn subqueries_say_what_their_columns_are_called() {
    for (sql, expected) in [
        (
            "SELECT * FROM (SELECT count(*), x FROM t) AS q",
            "SELECT * FROM (SELECT count(*), x FROM t) AS q (\"~first:count\", \"~first:x\")",
        ),
        (
            "SELECT * FROM (SELECT 1, t.*, 2 AS b FROM t) AS q (x)",
            "SELECT * FROM (SELECT 1, t.*, 2 AS b FROM t) AS q (x, \"~first:?column?\", \"~*\", \"~last:b\")",
        ),
        (
            "SELECT * FROM (SELECT a, t.b, 1 AS c FROM t) AS q",
            "SELECT * FROM (SELECT a, t.b, 1 AS c FROM t) AS q",
        ),
        (
            "SELECT count FROM (SELECT count(*), 1 FROM t), (SELECT t.*, 1 FROM t), (SELECT a FROM t)",
            "SELECT count FROM (SELECT count(*), 1 FROM t) AS \"subquery~:1\" (\"~first:count\", \"~first:?column?\"), (SELECT t.*, 1 FROM t), (SELECT a FROM t)",
        ),
        (
            "WITH q AS (SELECT a FROM t), p (x) AS (SELECT 1) SELECT * FROM q, p",
            "WITH q AS (SELECT a FROM t), p AS (SELECT * FROM (SELECT 1) AS p (x, \"~first:?column?\")) SELECT * FROM q, p",
        ),
        (
            "WITH RECURSIVE q (n) AS (SELECT 1, 2 AS m UNION ALL SELECT n, m FROM q) SELECT * FROM q",
            "WITH RECURSIVE q (n, \"m\") AS (SELECT 1, 2 AS m UNION ALL SELECT n, m FROM q) SELECT * FROM q",
        ),
        (
            "SELECT * FROM t, LATERAL (SELECT t.a, 1 AS b) AS q, (SELECT a FROM u) AS r",
            "SELECT * FROM t, LATERAL (SELECT t.a, 1 AS b) AS q (\"~first:a\", \"~first:b\"), (SELECT a FROM u) AS r",
        ),
        (
            "SELECT (SELECT z.a FROM (SELECT t.a) AS z), x FROM t",
            "SELECT (SELECT z.a FROM (SELECT t.a) AS z (\"~first:a\")), x FROM t",
        ),
        (
            "SELECT x IN (SELECT max(y) FROM t)",
            "SELECT x IN (SELECT max(y) AS \"item~:0\" FROM t)",
        ),
    ] {
        assert_eq!(named(sql), expected);
    }
}

#[test]
fn columns_without_a_name_are_numbered_in_trino() {
    for (sql, expected) in [
        (
            "SELECT * FROM (SELECT count(*), x FROM t)",
            "SELECT * FROM (SELECT count(*), x FROM t) AS \"subquery~:1\" (\"~first:~_col\", \"~first:x\")",
        ),
        (
            "SELECT * FROM (SELECT x, y AS z FROM t), (VALUES (1)), (SELECT * FROM u)",
            "SELECT * FROM (SELECT x, y AS z FROM t), (VALUES (1)), (SELECT * FROM u)",
        ),
        (
            "WITH q AS (SELECT x, count(*) FROM t) SELECT * FROM q",
            "WITH q AS (SELECT * FROM (SELECT x, count(*) FROM t) AS q (\"~first:x\", \"~first:~_col\")) SELECT * FROM q",
        ),
    ] {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let statement = statements.first_mut().unwrap();
        name(statement, Names::Trino).unwrap();
        assert_eq!(statement.to_string().replace('\u{2063}', "~"), expected);
    }
}

#[test]
fn a_table_of_an_inner_with_hides_an_outer_one() {
    let sql = "WITH q AS (SELECT a FROM t) SELECT q.a FROM q \
               WHERE EXISTS (WITH q AS (SELECT b FROM q) SELECT b FROM q AS p)";
    let expected = "WITH \"q~:2\" AS (SELECT a FROM t) SELECT q.a FROM \"q~:2\" AS q \
               WHERE EXISTS (WITH \"q~:1\" AS (SELECT b FROM \"q~:2\" AS q) SELECT b FROM \"q~:1\" AS p)";
    assert_eq!(named(sql), expected);
    let twice = "WITH q AS (SELECT 1 AS a), q AS (SELECT 2 AS a) SELECT a FROM q";
    assert_eq!(named(twice), twice);
}
