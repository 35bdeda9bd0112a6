//! Expressions and clauses that only Trino's grammar has.

use super::*;

#[test]
fn conditions_attempts_and_nested_casts_become_what_the_planner_knows() {
    for (sql, expected) in [
        (
            "SELECT if(a > 1, 'x', 'y'), IF(b, 1)",
            "SELECT CASE WHEN a > 1 THEN 'x' ELSE 'y' END, CASE WHEN b THEN 1 END",
        ),
        ("SELECT try(CAST(a AS date))", "SELECT TRY_CAST(a AS DATE)"),
        ("SELECT try(1 / a)", "SELECT \"$try\"(\"$\" -> 1 / a)"),
        (
            "SELECT CAST(a AS ARRAY(BIGINT))",
            "SELECT \"$cast\"(a, CAST(NULL AS ARRAY<BIGINT>))",
        ),
        (
            "SELECT TRY_CAST(a AS map(varchar, array(integer)))",
            "SELECT \"$try\"(\"$\" -> \"$cast\"(a, CAST(NULL AS Map(VARCHAR, ARRAY<INTEGER>))))",
        ),
        (
            "SELECT CAST(ROW(1, 'a') AS ROW(x BIGINT, y VARCHAR(10))).x",
            "SELECT \"$cast\"(ROW(1, 'a'), CAST(NULL AS STRUCT(x BIGINT, y VARCHAR(10)))).x",
        ),
        (
            "SELECT CAST(a AS ROW(double precision, timestamp with time zone, b timestamp(3)))",
            "SELECT \"$cast\"(a, CAST(NULL AS STRUCT(DOUBLE PRECISION, TIMESTAMP WITH TIME ZONE, b TIMESTAMP(3))))",
        ),
        ("SELECT CAST(a AS JSON)", "SELECT CAST(a AS JSON)"),
        (
            "SELECT CAST(a AS integer), TRY_CAST(a AS date)",
            "SELECT CAST(a AS INTEGER), TRY_CAST(a AS DATE)",
        ),
        // Names that are not calls.
        ("SELECT if, try FROM t", "SELECT if, try FROM t"),
        ("SELECT \"if\"(1, 2)", "SELECT \"if\"(1, 2)"),
        (
            "SELECT * FROM (VALUES 1, 2) t(x) GROUP BY ALL x",
            "SELECT * FROM (VALUES (1), (2)) t (x) GROUP BY x",
        ),
    ] {
        assert_eq!(query(sql), expected, "{sql}");
    }
}

#[test]
fn mistakes_in_them_are_located() {
    for (sql, position) in [
        ("SELECT if(1)", 12),
        ("SELECT try(1, 2)", 13),
        ("SELECT CAST(a AS MAP(varchar))", 29),
        ("SELECT CAST(a AS ROW())", 22),
    ] {
        assert_eq!(error(sql).position, Some(position), "{sql}");
    }
}

#[test]
fn samples_and_ties_become_conditions() {
    for (sql, expected) in [
        (
            "SELECT * FROM d.t TABLESAMPLE BERNOULLI (12.5)",
            "SELECT * FROM (SELECT * FROM d.t WHERE random() * 100 < (12.5)) AS t",
        ),
        (
            "SELECT * FROM t AS s TABLESAMPLE SYSTEM (10) WHERE s.x > 1",
            "SELECT * FROM (SELECT * FROM t WHERE random() * 100 < (10)) AS s WHERE s.x > 1",
        ),
        (
            "SELECT * FROM d.T AS s TABLESAMPLE SYSTEM (10) REPEATABLE (3.5)",
            "SELECT * FROM (SELECT * FROM d.T WHERE ('x' || SUBSTR(md5((\"t\".*)::TEXT || '3.5'), 1, 8))::BIT(32)::BIGINT / 42949672.96 < (10)) AS s",
        ),
        (
            "SELECT a, b + 1 AS c FROM t ORDER BY c DESC, 1 FETCH FIRST 3 ROWS WITH TIES",
            "SELECT a, b + 1 AS c FROM t QUALIFY rank() OVER (ORDER BY b + 1 DESC, a) <= (3) ORDER BY c DESC, 1",
        ),
        (
            "SELECT a FROM t ORDER BY a FETCH FIRST ROW WITH TIES",
            "SELECT a FROM t QUALIFY rank() OVER (ORDER BY a) <= (1) ORDER BY a",
        ),
    ] {
        assert_eq!(query(sql), expected, "{sql}");
    }
    for (sql, what) in [
        (
            "SELECT * FROM t TABLESAMPLE BERNOULLI (120)",
            "a sample of 120 percent",
        ),
        (
            "SELECT * FROM t TABLESAMPLE SYSTEM (-1)",
            "a sample of -1 percent",
        ),
        (
            "SELECT * FROM t TABLESAMPLE BERNOULLI (NULL)",
            "a sample of NULL percent",
        ),
        (
            "SELECT a FROM t FETCH FIRST 2 ROWS WITH TIES",
            "without ORDER BY",
        ),
        (
            "VALUES 1, 2 ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES",
            "a column without a name",
        ),
    ] {
        assert!(refused(sql).contains(what), "{sql}: {}", refused(sql));
    }
}

#[test]
fn rows_in_select_lists_are_calls() {
    for (sql, expected) in [
        (
            "SELECT (r).*, t.*, (a) * 2 FROM t",
            "SELECT \"$fields\"((r)), t.*, (a) * 2 FROM t",
        ),
        (
            "SELECT f(x)[1].a.* AS (b, \"C\") FROM t",
            "SELECT \"$fields\"(f(x)[1].a, 'b', 'C') FROM t",
        ),
        (
            "SELECT t.* AS (X, y), 1 FROM t",
            "SELECT \"$fields\"(t, 'x', 'y'), 1 FROM t",
        ),
    ] {
        match one(sql) {
            Statement::Query(query) => assert_eq!(query.to_string(), expected),
            other => panic!("no query: {sql}: {other:?}"),
        }
    }
}

#[test]
fn clauses_of_trino_are_refused_by_name() {
    for (sql, what) in [
        (
            "SELECT * FROM t MATCH_RECOGNIZE (PATTERN (A) DEFINE A AS x > 0)",
            "MATCH_RECOGNIZE",
        ),
        ("WITH SESSION a = '1' SELECT 1", "WITH SESSION"),
        (
            "WITH FUNCTION f(x bigint) RETURNS bigint RETURN x SELECT f(1)",
            "WITH FUNCTION",
        ),
        (
            "TABLE a UNION ALL CORRESPONDING BY (x) TABLE b",
            "CORRESPONDING BY",
        ),
        (
            "SELECT count((r).*) FROM t",
            "row.* outside of a SELECT list",
        ),
        (
            "SELECT a AS (b, c) FROM t",
            "AS (..) after an expression that is not row.*",
        ),
        (
            "SELECT * FROM t FOR TIMESTAMP AS OF TIMESTAMP '2024-01-01 00:00:00 UTC'",
            "FOR TIMESTAMP AS OF",
        ),
        ("SELECT * FROM t a FOR VERSION AS OF 1", "FOR VERSION AS OF"),
        (
            "SELECT * FROM t FOR SYSTEM_VERSION AS OF 1",
            "FOR SYSTEM_VERSION AS OF",
        ),
    ] {
        assert!(
            refused(sql).starts_with(&format!("{what} is not supported")),
            "{sql}: {}",
            refused(sql)
        );
    }
    for sql in [
        "WITH session AS (SELECT 1), function (x) AS (SELECT 1) SELECT * FROM session",
        "WITH function (x) AS (SELECT 1) SELECT json_table, corresponding FROM function",
        "SELECT (a).b, (a) * 2, t.* FROM t",
    ] {
        assert!(matches!(one(sql), Statement::Query(_)), "{sql}");
    }
}

#[test]
fn corresponding_is_by_name() {
    for (sql, expected) in [
        (
            "TABLE a UNION ALL CORRESPONDING TABLE b",
            "SELECT * FROM a UNION ALL BY NAME SELECT * FROM b",
        ),
        (
            "SELECT x FROM a INTERSECT corresponding SELECT x FROM b",
            "SELECT x FROM a INTERSECT BY NAME SELECT x FROM b",
        ),
        (
            "SELECT x FROM a EXCEPT DISTINCT CORRESPONDING (SELECT x FROM b)",
            "SELECT x FROM a EXCEPT DISTINCT BY NAME (SELECT x FROM b)",
        ),
        (
            "SELECT DISTINCT corresponding, count(DISTINCT corresponding) FROM a UNION SELECT corresponding, 1 FROM b",
            "SELECT DISTINCT corresponding, count(DISTINCT corresponding) FROM a UNION SELECT corresponding, 1 FROM b",
        ),
    ] {
        match one(sql) {
            Statement::Query(query) => assert_eq!(query.to_string(), expected),
            other => panic!("no query: {sql}: {other:?}"),
        }
    }
}
