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

#[test]
fn literals_of_a_result_have_types() {
    for (sql, expected) in [
        ("SELECT 1", r#"SELECT (1)::INTEGER AS "?column?""#),
        ("SELECT -1 AS a", "SELECT (-1)::INTEGER AS a"),
        ("SELECT 1 + 1 AS a", "SELECT (1 + 1)::INTEGER AS a"),
        ("SELECT 1.50 AS a", "SELECT '1.50'::NUMERIC(3,2) AS a"),
        ("SELECT 0.1 + 0.2 AS a", "SELECT '0.3'::NUMERIC(1,1) AS a"),
        ("SELECT -(0.5) AS a", "SELECT '-0.5'::NUMERIC(1,1) AS a"),
        (
            "SELECT 2 + 7 / 2 AS a, -7 % 3 AS b, 1 / 0 AS c",
            "SELECT (2 + 7 / 2)::INTEGER AS a, (-7 % 3)::INTEGER AS b, 1 / 0 AS c",
        ),
        (
            "SELECT 1 << 4, ~5 AS a, 5 & 3 | 8 AS b, 5 # 3 AS c, -8 >> 1 AS d",
            r#"SELECT (16)::INTEGER AS "?column?", (-6)::INTEGER AS a, (9)::INTEGER AS b, (6)::INTEGER AS c, (-4)::INTEGER AS d"#,
        ),
        (
            "SELECT 1 << 31 AS a, 1 << 32 AS b, 3000000000 >> 1 AS c, 1.5 << 1 AS d, 1 << 2 + 1 AS e",
            "SELECT (-2147483648)::INTEGER AS a, (1)::INTEGER AS b, 3000000000 >> 1 AS c, 1.5 << 1 AS d, (8)::INTEGER AS e",
        ),
        (
            "SELECT ~5 + 3 AS a, (~5) + 3 AS b, ~(5 + 3) AS c",
            "SELECT ~5 + 3 AS a, (-3)::INTEGER AS b, (-9)::INTEGER AS c",
        ),
        (
            "SELECT gcd(12, -18), lcm(4, 6) + 1 AS a, gcd(0, 0) AS b, gcd(12, x) AS c, lcm(0, 5) AS d",
            r#"SELECT (6)::INTEGER AS "gcd", (13)::INTEGER AS a, (0)::INTEGER AS b, gcd(12, x) AS c, (0)::INTEGER AS d"#,
        ),
        (
            "SELECT gcd(-2147483648, 0) AS a, lcm(2147483647, 2) AS b, gcd(1.5, 2) AS c",
            "SELECT gcd(-2147483648, 0) AS a, lcm(2147483647, 2) AS b, gcd(1.5, 2) AS c",
        ),
        (
            "VALUES (1, 2, 3.5), (-4, x, 5)",
            "VALUES ((1)::INTEGER, 2, 3.5), ((-4)::INTEGER, x, 5)",
        ),
        (
            "VALUES (1, NULL), (NULL, NULL)",
            "VALUES ((1)::INTEGER, NULL), (NULL, NULL)",
        ),
        ("VALUES (1), (3000000000)", "VALUES (1), (3000000000)"),
        ("SELECT 3000000000", "SELECT 3000000000"),
        (
            "SELECT -2147483648 AS a, -(2147483648) AS b, -2147483649 AS c",
            "SELECT (-2147483648)::INTEGER AS a, (-(2147483648))::INTEGER AS b, -2147483649 AS c",
        ),
        ("SELECT 2147483647 + 1", "SELECT 2147483647 + 1"),
        ("SELECT 1e3, 7.5 / 2, x, 'a'", "SELECT 1e3, 7.5 / 2, x, 'a'"),
        ("SELECT 1 ORDER BY 1", "SELECT 1 ORDER BY 1"),
        ("SELECT DISTINCT 1", "SELECT DISTINCT 1"),
        (
            "SELECT 1, x FROM t GROUP BY 1, 2",
            "SELECT 1, x FROM t GROUP BY 1, 2",
        ),
        (
            "SELECT 1 AS a, 0.5 AS b, 2, x FROM t GROUP BY x ORDER BY a",
            "SELECT (1)::INTEGER AS a, '0.5'::NUMERIC(1,1) AS b, 2, x FROM t GROUP BY x ORDER BY a",
        ),
        (
            "SELECT DISTINCT 1 AS a",
            "SELECT DISTINCT (1)::INTEGER AS a",
        ),
        (
            "SELECT 1 UNION SELECT 2",
            r#"SELECT (1)::INTEGER AS "?column?" UNION SELECT (2)::INTEGER AS "?column?""#,
        ),
        (
            "SELECT 1 AS a, 2 AS b, NULL AS c UNION ALL SELECT NULL, x, 3 EXCEPT SELECT -4, 5, NULL ORDER BY a",
            r#"SELECT (1)::INTEGER AS a, 2 AS b, NULL AS c UNION ALL SELECT NULL, x, (3)::INTEGER AS "?column?" EXCEPT SELECT (-4)::INTEGER AS "?column?", 5, NULL ORDER BY a"#,
        ),
        (
            "SELECT 1, 2.5 UNION SELECT 3000000000, 3",
            "SELECT 1, 2.5 UNION SELECT 3000000000, 3",
        ),
        (
            "SELECT 1, * FROM t UNION SELECT 1, 2",
            "SELECT 1, * FROM t UNION SELECT 1, 2",
        ),
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
        // No integers, or numbers that are no values.
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
