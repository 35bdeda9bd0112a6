//! Casts, as PostgreSQL 15 describes columns of them.

#![allow(clippy::unwrap_used)]
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

fn types(sql: &str) -> Vec<Option<OutputType>> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
    match statements.remove(0) {
        Statement::Query(query) => output_types(&query),
        _ => unreachable!("{sql}"),
    }
}

// Modifiers: PostgreSQL 15.
#[test]
fn casts_say_what_columns_are() {
    for (expr, name, modifier) in [
        ("x::VARCHAR(2)", Some("varchar"), 6),
        ("CAST(x AS VARCHAR)", Some("varchar"), -1),
        ("(x::CHARACTER VARYING(10))", Some("varchar"), 14),
        ("x::CHAR(5) AS y", Some("bpchar"), 9),
        ("x::CHAR", Some("bpchar"), 5),
        ("VARCHAR(2) 'abc'", Some("varchar"), 6),
        ("'{abc}'::VARCHAR(2)[]", Some("varchar[]"), 6),
        ("x::CHAR[]", Some("bpchar[]"), 5),
        ("x::BIT(3)", Some("bit"), 3),
        ("x::BIT", Some("bit"), 1),
        ("BIT '101'", Some("bit"), -1),
        ("'1'::BIT VARYING(4)", Some("varbit"), 4),
        ("x::VARBIT", Some("varbit"), -1),
        ("x::oid[]", Some("oid[]"), -1),
        ("x::pg_catalog.name[]", Some("name[]"), -1),
        ("x::TIMESTAMP(0)", None, 0),
        ("x::TIMESTAMP(3) WITH TIME ZONE", None, 3),
        ("x::TIME(9)", None, 6),
        ("x::INTERVAL(2)", None, 2_147_418_114),
        ("INTERVAL '1' DAY", None, 589_823),
        ("INTERVAL '1' SECOND(2)", None, 268_435_458),
        ("INTERVAL '1' DAY TO SECOND(1)", None, 470_286_337),
        ("INTERVAL '1-2' YEAR TO MONTH", None, 458_751),
        ("INTERVAL '1:2' HOUR TO MINUTE", None, 201_392_127),
    ] {
        let zoned = expr.contains("WITH TIME ZONE");
        let expected = vec![Some(OutputType {
            name,
            modifier,
            zoned,
        })];
        assert_eq!(types(&format!("SELECT {expr}")), expected, "{expr}");
    }
}

// PostgreSQL 15: exprTypmod, select_common_typmod.
#[test]
fn what_chooses_has_the_type_of_all_choices() {
    for (sql, name, modifier) in [
        (
            "SELECT coalesce(x::VARCHAR(2), y::VARCHAR(2))",
            Some("varchar"),
            6,
        ),
        (
            "SELECT coalesce(x::VARCHAR(2), y::VARCHAR(3))",
            Some("varchar"),
            -1,
        ),
        ("SELECT coalesce(x::VARCHAR(2), 'a')", Some("varchar"), -1),
        ("SELECT coalesce(NULL, x::CHAR(3))", Some("bpchar"), -1),
        (
            "SELECT CASE WHEN a THEN x::VARCHAR(2) END",
            Some("varchar"),
            -1,
        ),
        (
            "SELECT CASE a WHEN b THEN x::VARCHAR(2) ELSE (y::VARCHAR(2)) END",
            Some("varchar"),
            6,
        ),
        (
            "SELECT pg_catalog.greatest(x::CHAR(3), y::CHAR(3))",
            Some("bpchar"),
            7,
        ),
        ("SELECT nullif(x::CHAR(2), 'a')", Some("bpchar"), 6),
        ("SELECT coalesce(x::VARCHAR(2), y)", Some("varchar"), -1),
        (
            "SELECT coalesce(x::CHAR(2), y::VARCHAR(2))",
            Some("bpchar"),
            -1,
        ),
        (
            "SELECT CASE WHEN a THEN x::CHAR(2) ELSE y::VARCHAR(2) END",
            Some("varchar"),
            -1,
        ),
        ("SELECT x::VARCHAR(2) UNION SELECT y", Some("varchar"), -1),
        (
            "SELECT x::VARCHAR(2) UNION SELECT x::TEXT",
            Some("varchar"),
            -1,
        ),
        (
            "SELECT CASE WHEN a THEN x::TIMESTAMP(0) ELSE y::TIMESTAMP(0) END",
            None,
            0,
        ),
        (
            "SELECT x::VARCHAR(2) UNION SELECT y::VARCHAR(2)",
            Some("varchar"),
            6,
        ),
        ("SELECT x::VARCHAR(2) UNION SELECT 'a'", Some("varchar"), -1),
        (
            "SELECT NULL UNION ALL (SELECT x::VARCHAR(2) EXCEPT SELECT 'b')",
            Some("varchar"),
            -1,
        ),
        (
            "SELECT x::VARCHAR(2) UNION SELECT y::VARCHAR(2) INTERSECT SELECT z::VARCHAR(3)",
            Some("varchar"),
            -1,
        ),
    ] {
        let expected = Some(OutputType {
            name,
            modifier,
            zoned: false,
        });
        assert_eq!(types(sql), [expected], "{sql}");
    }
}

#[test]
fn many_set_operations_are_not_deep() {
    let one = "SELECT x::VARCHAR(2)";
    let sql = vec![one; 20].join(" UNION ALL ");
    assert_eq!(types(&sql).len(), 1);
}

#[test]
fn other_columns_have_the_types_of_the_engine() {
    for sql in [
        "SELECT x, x::INT, x::TIMESTAMP, x::TEXT, INTERVAL '1 day', x::NUMERIC(5,2), x::INT[], x::json[]",
        "SELECT *, x::VARCHAR(2) FROM t",
        "SELECT y UNION SELECT x::VARCHAR(2)",
        "SELECT x::VARCHAR(2) UNION SELECT *",
        "SELECT 'a' UNION SELECT 'b' UNION SELECT x::VARCHAR(2)",
        "SELECT x::OID[] UNION SELECT y",
        "SELECT x::TIMESTAMP(0) UNION SELECT x::TIMESTAMP(3)",
        "SELECT x::TIMESTAMP(0) UNION SELECT x::TIMESTAMP(0) WITH TIME ZONE",
        "SELECT CASE WHEN a THEN x::TIMESTAMP(0) END, nullif('a', x::VARCHAR(2)), nullif(x::VARCHAR(2), 'a'), max(x::VARCHAR(2))",
        "SELECT coalesce(x, y::VARCHAR(2)), greatest('a', 'b'), coalesce()",
        "VALUES (1)",
    ] {
        assert!(types(sql).is_empty(), "{sql}");
    }
    let with_others = types("SELECT x, x::CHAR");
    assert_eq!(with_others.len(), 2);
    assert_eq!(with_others[0], None);
}
