#![allow(clippy::unwrap_used)]
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

fn refused(sql: &str) -> Option<(String, u64)> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
    let error = check(statements.first().unwrap()).err()?;
    let place = error.operands().unwrap().place.unwrap();
    Some((error.message().to_owned(), place.1))
}

#[test]
fn misplaced_calls_are_refused_with_their_places() {
    for (sql, message, column) in [
        (
            "SELECT 1 FROM t WHERE sum(x) > 1",
            "aggregate functions are not allowed in WHERE",
            23,
        ),
        (
            "SELECT 1 FROM t JOIN u ON count(*) = 1",
            "aggregate functions are not allowed in JOIN conditions",
            27,
        ),
        (
            "SELECT max(x) FROM t GROUP BY 1",
            "aggregate functions are not allowed in GROUP BY",
            8,
        ),
        (
            "SELECT x FROM t GROUP BY x HAVING rank() OVER () = 1",
            "window functions are not allowed in HAVING",
            35,
        ),
        (
            "SELECT sum(1 + max(x)) FROM t",
            "aggregate function calls cannot be nested",
            16,
        ),
        (
            "SELECT sum(rank() OVER ()) FROM t",
            "aggregate function calls cannot contain window function calls",
            12,
        ),
        (
            "SELECT sum(x) FILTER (WHERE max(x) = 1) FROM t",
            "aggregate functions are not allowed in FILTER",
            29,
        ),
        (
            "SELECT rank() OVER (ORDER BY rank() OVER ()) FROM t",
            "window functions are not allowed in window definitions",
            30,
        ),
        (
            "SELECT sum(sum(x) OVER ()) OVER () FROM t",
            "window function calls cannot be nested",
            12,
        ),
        (
            "SELECT 1 FROM (SELECT 1 FROM t WHERE max(t.x) = 1) s",
            "aggregate functions are not allowed in WHERE",
            38,
        ),
        (
            "VALUES (1, count(*))",
            "aggregate functions are not allowed in VALUES",
            12,
        ),
        (
            "SELECT x FROM t LIMIT x",
            "argument of LIMIT must not contain variables",
            23,
        ),
        (
            "SELECT x FROM t ORDER BY 'x'",
            "non-integer constant in ORDER BY",
            26,
        ),
        (
            "SELECT x FROM t GROUP BY 1.5",
            "non-integer constant in GROUP BY",
            26,
        ),
        (
            "SELECT pg_catalog.lower(x) OVER () FROM t",
            "OVER specified, but lower is not a window function nor an aggregate function",
            8,
        ),
        (
            "SELECT lower(DISTINCT x) FROM t",
            "DISTINCT specified, but lower is not an aggregate function",
            8,
        ),
        (
            "SELECT now() FILTER (WHERE true)",
            "FILTER specified, but now is not an aggregate function",
            8,
        ),
        (
            "SELECT row_number() FILTER (WHERE true) OVER () FROM t",
            "FILTER is not implemented for non-aggregate window functions",
            8,
        ),
        (
            "SELECT DISTINCT ON (2) x FROM t",
            "DISTINCT ON position 2 is not in select list",
            21,
        ),
        (
            "SELECT first_value() OVER () FROM t",
            "function first_value() does not exist",
            8,
        ),
        (
            "SELECT last_value(x) FROM t",
            "window function last_value requires an OVER clause",
            8,
        ),
        (
            "SELECT rank() FILTER (WHERE true) OVER () FROM t",
            "FILTER is not implemented for non-aggregate window functions",
            8,
        ),
        (
            "SELECT x FROM t WHERE generate_series(1, x) = 1",
            "set-returning functions are not allowed in WHERE",
            23,
        ),
        (
            "SELECT sum(1 + unnest(x)) FROM t",
            "aggregate function calls cannot contain set-returning function calls",
            16,
        ),
        (
            "SELECT lag(jsonb_array_elements(x)) OVER () FROM t",
            "window function calls cannot contain set-returning function calls",
            12,
        ),
    ] {
        assert_eq!(refused(sql), Some((message.to_owned(), column)), "{sql}");
    }
}

#[test]
fn calls_of_postgres_are_accepted() {
    for sql in [
        "SELECT sum(x), sum(sum(x)) OVER () FROM t HAVING max(x) > 1 ORDER BY max(x) LIMIT 1 + 1",
        "SELECT rank() OVER (PARTITION BY max(x) ORDER BY sum(x)) FROM t GROUP BY y",
        // These belong to the outer query.
        "SELECT y FROM t GROUP BY y HAVING EXISTS (SELECT 1 FROM u WHERE u.x = max(t.x))",
        "SELECT (SELECT 1 FROM u WHERE x = max(z)) FROM t",
        "SELECT x FROM t WHERE x > (SELECT max(x) FROM t)",
        "SELECT x FROM t, LATERAL (SELECT 1 FROM u LIMIT t.n) s",
        "SELECT x FROM t LIMIT ALL OFFSET 2",
        "SELECT string_agg(DISTINCT x, ',' ORDER BY x) FILTER (WHERE true) FROM t",
        "SELECT count(*) FILTER (WHERE x > 1) OVER (ORDER BY y) FROM t",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM t",
        "SELECT x FROM t ORDER BY 1, x || 'a', lower('x')",
        "SELECT 1, x FROM t GROUP BY 1, 2",
        // The second column is one of the star.
        "SELECT t.*, count(*) FROM t GROUP BY 1, 2",
        "SELECT DISTINCT ON (1) x FROM t",
        "SELECT DISTINCT ON (3) * FROM t",
        "SELECT unnest(x), sum(y) FROM t WHERE y IN (SELECT unnest(z) FROM u) GROUP BY unnest(x) ORDER BY unnest(x)",
        "SELECT rank() OVER (ORDER BY x) FROM t",
    ] {
        assert_eq!(refused(sql), None, "{sql}");
    }
}
