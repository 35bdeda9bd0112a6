#![allow(clippy::unwrap_used)]

use super::*;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

#[test]
fn literals_are_calculated_exactly() {
    for (sql, expected) in [
        ("0.1 + 0.2", "0.3"),
        ("1.10 * 2", "2.20"),
        ("0.1 - 1", "(-0.9)"),
        ("-0.5 * (-2)", "1.0"),
        ("0.3 / 0.1", "3.0"),
        ("7.5 / 2", "3.75"),
        ("1.5 - 0.5", "1.0"),
        ("0.00 * 5", "0.00"),
        ("7 % 0.005", "0.000"),
        ("-7.5 % 2", "(-1.5)"),
        // Without an end, not written with a point, or more than literals.
        ("1.0 / 3", "1.0 / 3"),
        ("1.0 / 0", "1.0 / 0"),
        ("1.5 % 0", "1.5 % 0"),
        ("7 % 2", "7 % 2"),
        ("1 + 2", "1 + 2"),
        ("0.1 + 1e2", "0.1 + 1e2"),
        ("x + 0.1", "x + 0.1"),
        (
            "99999999999999999999999999999999999999.0 * 10.0",
            "99999999999999999999999999999999999999.0 * 10.0",
        ),
    ] {
        let parser = Parser::new(&PostgreSqlDialect {});
        let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
        fold(&mut expr);
        assert_eq!(expr.to_string(), expected, "{sql}");
    }
}

/// Returns a query with the types of its literals. `is_shown`: its result goes to a client.
fn typed(sql: &str, is_shown: bool) -> String {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
    if let Statement::Query(query) = &mut statements[0]
        && is_shown
    {
        type_literals(query);
    }
    type_columns(&mut statements[0]);
    statements[0].to_string()
}

#[test]
fn literals_of_columns_have_types() {
    for (sql, expected) in [
        (
            "SELECT 1, -1 AS a, -(-2), +3",
            "SELECT NULL $literal 1, NULL $literal -1 AS a, NULL $literal 2, NULL $literal 3",
        ),
        (
            "SELECT 1.50, -(0.5) AS a",
            "SELECT '1.50'::NUMERIC(3,2), '-0.5'::NUMERIC(1,1) AS a",
        ),
        (
            "SELECT -2147483648, 2147483648, -2147483649",
            "SELECT NULL $literal -2147483648, 2147483648, -2147483649",
        ),
        (
            "SELECT a FROM (SELECT 1 AS a) AS s WHERE a IN (SELECT 2)",
            "SELECT a FROM (SELECT NULL $literal 1 AS a) AS s WHERE a IN (SELECT NULL $literal 2)",
        ),
        (
            "WITH s AS (SELECT 1.5 AS a) SELECT a, (SELECT 2) FROM s",
            "WITH s AS (SELECT '1.5'::NUMERIC(2,1) AS a) SELECT a, (SELECT NULL $literal 2) FROM s",
        ),
        (
            "SELECT 1, x FROM t UNION SELECT 3000000000, 2 EXCEPT VALUES (3, 4)",
            "SELECT NULL $literal 1, x FROM t UNION SELECT 3000000000, NULL $literal 2 EXCEPT VALUES (NULL $literal 3, NULL $literal 4)",
        ),
        (
            "SELECT * FROM (VALUES (1, 'a'), (x, 2.5)) AS t",
            "SELECT * FROM (VALUES (NULL $literal 1, 'a'), (x, '2.5'::NUMERIC(2,1))) AS t",
        ),
        (
            "SELECT 1, count(*) FROM t GROUP BY 1 ORDER BY 1 LIMIT 1",
            "SELECT NULL $literal 1, count(*) FROM t GROUP BY 1 ORDER BY 1 LIMIT 1",
        ),
        (
            "SELECT max(1), lag(x, 1, 0) OVER (ORDER BY 2), abs(-1.5), nth_value(1, 2) OVER ()",
            "SELECT max(NULL $literal 1), lag(x, 1, NULL $literal 0) OVER (ORDER BY 2), abs(NULL $literal -1.5), nth_value(NULL $literal 1, 2) OVER ()",
        ),
    ] {
        assert_eq!(typed(sql, true), expected, "{sql}");
    }
}

#[test]
fn literals_with_a_point_are_exact_in_results() {
    for (sql, expected) in [
        (
            "SELECT 1e3, 1.50E1, -2.5e-3, 1e+0, x * 1e1, 1e40, 1e400",
            "SELECT '1000'::NUMERIC(4,0), '15.0'::NUMERIC(3,1), '-0.0025'::NUMERIC(4,4), '1'::NUMERIC(1,0), x * '10'::NUMERIC(2,0), +NULL $numeric ' 1e40', +NULL $numeric ' 1e400'",
        ),
        (
            "SELECT x * 0.1 + 0.20, -1.5 / x FROM t WHERE x * 2.5 > 7.5",
            "SELECT x * NULL $literal 0.1 + '0.20'::NUMERIC(2,2), NULL $literal -1.5 / x FROM t WHERE x * NULL $literal 2.5 > 7.5",
        ),
        (
            "SELECT CASE WHEN x > 0.5 THEN 1.5 WHEN y THEN x ELSE 2 END, ARRAY[0.5, x, 1]",
            "SELECT CASE WHEN x > 0.5 THEN NULL $literal 1.5 WHEN y THEN x ELSE 2 END, ARRAY[NULL $literal 0.5, x, NULL $literal 1]",
        ),
        (
            "SELECT round(2.5, 1), coalesce(x, 0.5, 1), sum(0.5), power(x, 0.5), x ^ 0.5",
            "SELECT round(NULL $literal 2.5, 1), coalesce(x, NULL $literal 0.5, 1), sum(NULL $literal 0.5), power(x, 0.5), x ^ 0.5",
        ),
        (
            "SELECT nullif(1.50, x), 1.50 || 'x', concat(1.50, 2), to_json(-0.10), 1.50::TEXT, to_char(1.50, '9')",
            "SELECT nullif(NULL $literal 1.50, x), '1.50'::NUMERIC(3,2) || 'x', concat('1.50'::NUMERIC(3,2), 2), to_json('-0.10'::NUMERIC(2,2)), '1.50'::NUMERIC(3,2)::TEXT, to_char(1.50, '9')",
        ),
        (
            "VALUES (0.5, x), (2, 1.50)",
            "VALUES (NULL $literal 0.5, x), (2, NULL $literal 1.50)",
        ),
        (
            "SELECT sum(x) OVER (ORDER BY y RANGE BETWEEN 1.5 PRECEDING AND CURRENT ROW), 1.5::REAL FROM t",
            "SELECT sum(x) OVER (ORDER BY y RANGE BETWEEN 1.5 PRECEDING AND CURRENT ROW), 1.5::REAL FROM t",
        ),
    ] {
        assert_eq!(typed(sql, true), expected, "{sql}");
    }
    // Tables and views are made of others.
    for sql in [
        "SELECT 1.50, x * 0.1, coalesce(x, 0.5), ARRAY[0.5], nullif(1.50, x), 1.50 || 'x', concat(1.50)",
        "VALUES (0.5, 1)",
    ] {
        assert_eq!(typed(sql, false), sql);
    }
    for sql in [
        // A parameter would take the type.
        "SELECT $1 * 0.5, coalesce(x, ($2), 0.5) FROM (VALUES (0.5), ($3)) AS t (x)",
        "SELECT ARRAY[1.5::FLOAT8, 0.5], x::REAL * 0.5 FROM (VALUES (0.5), (y::DOUBLE PRECISION)) AS t (x)",
    ] {
        assert_eq!(typed(sql, true), sql);
    }
}

#[test]
fn series_of_integers_are_integers() {
    for (sql, expected) in [
        (
            "SELECT n FROM generate_series(1, -3, -1) AS g (n)",
            "SELECT n FROM (SELECT n::INTEGER AS n FROM generate_series(1, -3, -1) AS g (n)) AS g",
        ),
        (
            "SELECT unnest(generate_series(1, x))",
            "SELECT unnest(generate_series(NULL $literal 1, x))",
        ),
    ] {
        assert_eq!(typed(sql, true), expected, "{sql}");
    }
    for sql in [
        "SELECT n FROM generate_series(1, 3000000000) AS g (n)",
        "SELECT n FROM generate_series(1, $1) AS g (n)",
        "SELECT n FROM range(1, 3) AS g (n)",
    ] {
        assert_eq!(typed(sql, true), sql);
    }
}

#[test]
fn other_literals_stay() {
    for sql in [
        "SELECT 1 + 1, 1 / 0, x + 1, x = 1, round(x, 1), 1::BIGINT, 1e3, 'a', NULL",
        "SELECT x FROM t WHERE x = 1 AND y BETWEEN 2 AND 3 AND z IN (4, 5) OFFSET 1",
        // Each takes the type of the column that it is inserted into.
        "VALUES (1, 2.5), (2, 3)",
    ] {
        assert_eq!(typed(sql, false), sql);
    }
}

#[test]
fn literals_with_a_point_have_no_digits_in_recursive_queries() {
    for (sql, expected) in [
        (
            "WITH RECURSIVE r AS (SELECT 1 AS n, 1.0 AS x UNION ALL SELECT n + 1, x * 1.5 FROM r) SELECT 1.0, x FROM r",
            "WITH RECURSIVE r AS (SELECT NULL $literal 1 AS n, 1.0 AS x UNION ALL SELECT n + 1, x * 1.5 FROM r) SELECT '1.0'::NUMERIC(2,1), x FROM r",
        ),
        (
            "SELECT (WITH RECURSIVE r AS (VALUES (1, 0.5)) SELECT 2 FROM r)",
            "SELECT (WITH RECURSIVE r AS (VALUES (NULL $literal 1, 0.5)) SELECT NULL $literal 2 FROM r)",
        ),
    ] {
        assert_eq!(typed(sql, true), expected);
    }
}

#[test]
fn values_that_are_a_query_have_types() {
    for (sql, expected) in [
        (
            "VALUES (1, 2, 3.5), (-4, x, 5)",
            "VALUES ((1)::INTEGER, 2, 3.5L), ((-4)::INTEGER, x, 5)",
        ),
        (
            "VALUES (1, NULL), (NULL, NULL)",
            "VALUES ((1)::INTEGER, NULL), (NULL, NULL)",
        ),
        ("VALUES (1), (3000000000)", "VALUES (1), (3000000000)"),
        ("SELECT 1", "SELECT 1"),
    ] {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let Statement::Query(query) = &mut statements[0] else {
            unreachable!("{sql}");
        };
        type_literals(query);
        assert_eq!(query.to_string(), expected, "{sql}");
    }
}

#[test]
fn literals_that_are_cast_have_the_digits_that_are_written() {
    for (sql, expected) in [
        (
            "SELECT '1.50'::numeric, CAST('.5' AS decimal), numeric '007'",
            "SELECT '1.50'::NUMERIC(3,2), CAST('.5' AS NUMERIC(1,1)), NUMERIC(1,0) '007'",
        ),
        (
            "SELECT ' -2.5 '::numeric, '0'::numeric, '1e5'::numeric, '1.5e-3'::numeric, '1e'::numeric, ''::numeric, 'NaN'::numeric, x::numeric, '2.5'::numeric(9,4)",
            "SELECT ' -2.5 '::NUMERIC(2,1), '0'::NUMERIC(1,0), '1e5'::NUMERIC(6,0), '1.5e-3'::NUMERIC(4,4), '1e'::NUMERIC, ''::NUMERIC, NULL $numeric 'NaN', NULL $numeric x, '2.5'::NUMERIC(9,4)",
        ),
        (
            "WITH RECURSIVE t (n) AS (SELECT '1'::numeric UNION ALL SELECT n / 2 FROM t) SELECT n FROM t",
            "WITH RECURSIVE t (n) AS (SELECT '1'::NUMERIC UNION ALL SELECT n / 2 FROM t) SELECT n FROM t",
        ),
        (
            "SELECT '12345678901234567890123456789012345678.9'::numeric",
            "SELECT NULL $numeric '12345678901234567890123456789012345678.9'",
        ),
        (
            "SELECT 1e400, -1e39 AS x, (-123456789012345678901234567890123456789), 1e38",
            "SELECT +NULL $numeric ' 1e400', +NULL $numeric ' -1e39' AS x, +NULL $numeric ' -123456789012345678901234567890123456789', +NULL $numeric ' 1e38'",
        ),
        ("SELECT DISTINCT 1e400", "SELECT DISTINCT 1e400"),
        ("SELECT 1e40::numeric", "SELECT NULL $numeric '1e40'"),
    ] {
        assert_eq!(typed(sql, true), expected, "{sql}");
    }
}

#[test]
fn literals_that_are_shifted_are_integers() {
    for (sql, expected) in [
        ("1 << 4", "(1)::INTEGER << (4)::INTEGER"),
        ("x >> 1", "x >> (1)::INTEGER"),
        ("3000000000 >> 1", "3000000000 >> (1)::INTEGER"),
        ("1 << 2 + 1", "(1)::INTEGER << (2 + 1)::INTEGER"),
        ("x + 1", "x + 1"),
    ] {
        let parser = Parser::new(&PostgreSqlDialect {});
        let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
        shift(&mut expr);
        assert_eq!(expr.to_string(), expected, "{sql}");
    }
}

#[test]
fn integers_among_values_of_one_type_are_integers() {
    for (sql, expected) in [
        (
            "CASE WHEN c THEN 0 WHEN d THEN x ELSE -1 END",
            "CASE WHEN c THEN (0)::INTEGER WHEN d THEN x ELSE (-1)::INTEGER END",
        ),
        (
            "CASE x WHEN 1 THEN 2 END",
            "CASE x WHEN 1 THEN (2)::INTEGER END",
        ),
        ("coalesce(x, 1 + 1)", "coalesce(x, (1 + 1)::INTEGER)"),
        (
            "pg_catalog.greatest(1, x, 3000000000)",
            "pg_catalog.greatest((1)::INTEGER, x, 3000000000)",
        ),
        ("nullif(x, 0)", "nullif(x, (0)::INTEGER)"),
        ("gcd(x, 12)", "gcd(x, (12)::INTEGER)"),
        // No integers, or numbers that are not values.
        ("coalesce(x, 1.5, NULL, '2')", "coalesce(x, 1.5, NULL, '2')"),
        ("round(x, 2)", "round(x, 2)"),
        ("x + 1", "x + 1"),
        ("x = 1", "x = 1"),
    ] {
        let parser = Parser::new(&PostgreSqlDialect {});
        let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
        of_one_type(&mut expr);
        assert_eq!(expr.to_string(), expected, "{sql}");
    }
}

#[test]
fn casts_to_numeric_have_the_digits_of_their_values() {
    for (sql, expected) in [
        (
            "SELECT x::NUMERIC, CAST((x + 1) AS DECIMAL) FROM t GROUP BY x::NUMERIC",
            "SELECT NULL $numeric x, NULL $numeric (x + 1) FROM t GROUP BY NULL $numeric x",
        ),
        (
            "SELECT 1::NUMERIC, $1::NUMERIC, NULL::NUMERIC, 'x'::NUMERIC, x::NUMERIC(5,2), x::INT",
            "SELECT '1'::NUMERIC(1,0), $1::NUMERIC, NULL::NUMERIC, 'x'::NUMERIC, x::NUMERIC(5,2), x::INT",
        ),
        (
            "WITH RECURSIVE t AS (SELECT x::NUMERIC FROM s) SELECT x::NUMERIC FROM t",
            "WITH RECURSIVE t AS (SELECT x::NUMERIC FROM s) SELECT x::NUMERIC FROM t",
        ),
    ] {
        assert_eq!(typed(sql, true), expected, "{sql}");
    }
    for (sql, expected) in [
        (
            "'{1.5,-22,NULL}'::NUMERIC[]",
            "'{1.5,-22,NULL}'::NUMERIC(3,1)[]",
        ),
        ("'{1e3,0.25}'::NUMERIC[]", "'{1e3,0.25}'::NUMERIC(6,2)[]"),
        (
            "ARRAY[1.50, NULL, 2]::NUMERIC[]",
            "ARRAY[NULL $literal 1.50, NULL, NULL $literal 2]::NUMERIC(3,2)[]",
        ),
        ("'{}'::NUMERIC[]", "'{}'::NUMERIC[]"),
        ("'{NULL}'::NUMERIC[]", "'{NULL}'::NUMERIC[]"),
        ("'{{1},{2}}'::NUMERIC[]", "'{{1},{2}}'::NUMERIC[]"),
        ("'{x}'::NUMERIC[]", "'{x}'::NUMERIC[]"),
        ("'{'::NUMERIC[]", "'{'::NUMERIC[]"),
        (
            "ARRAY[x, 1]::NUMERIC[]",
            "ARRAY[x, NULL $literal 1]::NUMERIC[]",
        ),
        ("x::NUMERIC[]", "x::NUMERIC[]"),
        ("'{1}'::NUMERIC(5,2)[]", "'{1}'::NUMERIC(5,2)[]"),
    ] {
        let sql = format!("SELECT {sql}");
        assert_eq!(typed(&sql, true), format!("SELECT {expected}"), "{sql}");
    }
    // The column of a table has room for digits of later rows.
    let sql = "SELECT x::NUMERIC FROM t";
    assert_eq!(typed(sql, false), sql);
}

#[test]
fn quotients_of_literals_have_the_digits_of_postgres() {
    for (sql, expected) in [
        ("7.0 / 2", "+'3.5000000000000000'::NUMERIC(17,16)"),
        ("1 / 3.0", "+'0.33333333333333333333'::NUMERIC(20,20)"),
        ("-(2.0 / 3)", "+'-0.66666666666666666667'::NUMERIC(20,20)"),
        ("100000.0 / 7", "+'14285.714285714286'::NUMERIC(17,12)"),
        (
            "0.0001 / 7",
            "+'0.000014285714285714285714'::NUMERIC(24,24)",
        ),
        ("0.0 / 5", "+'0.00000000000000000000'::NUMERIC(20,20)"),
        ("7.0 / 7", "+'1.00000000000000000000'::NUMERIC(21,20)"),
        ("7.0 / 2 * 2.0", "+'7.00000000000000000'::NUMERIC(18,17)"),
        ("1e2 / 0.1", "+'1000.0000000000000000'::NUMERIC(20,16)"),
        ("-(3 / 1e2)", "+'-0.03000000000000000000'::NUMERIC(20,20)"),
        ("f(7.0 / 2)", "f('3.5000000000000000'::NUMERIC(17,16))"),
        (
            "(1 / 3.0)::TEXT",
            "'0.33333333333333333333'::NUMERIC(20,20)::TEXT",
        ),
        // With more digits, it would leave no room for those of other arguments.
        ("f(1 / 3.0)", "f(1 / NULL $literal 3.0)"),
        (
            "(7.0 / 2)::TEXT",
            "'3.5000000000000000'::NUMERIC(17,16)::TEXT",
        ),
        // Of integers, of more than literals, and without a value.
        ("7 / 2", "7 / 2"),
        ("x / 3.0", "x / NULL $literal 3.0"),
        ("1.0 / 0", "NULL $literal 1.0 / 0"),
    ] {
        let sql = format!("SELECT {sql}");
        assert_eq!(typed(&sql, true), format!("SELECT {expected}"), "{sql}");
    }
    let sql = "SELECT 7.0 / 2";
    assert_eq!(typed(sql, false), sql);
}
