//! ANALYZE and SHOW STATS.

use super::*;
use crate::ast::*;

#[test]
fn analyze_is_hives_postgres_or_trinos() {
    let columns = |sql: &str| match one(sql) {
        Statement::Analyze(analyze) => {
            assert_eq!(analyze.table, TableName::in_database("d", "t"), "{sql}");
            analyze.columns
        }
        other => panic!("{sql}: {other:?}"),
    };
    let named = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    for (sql, expected) in [
        ("ANALYZE d.t", None),
        ("ANALYSE VERBOSE D.T", None),
        ("ANALYZE (VERBOSE, SKIP_LOCKED off) d.t", None),
        ("ANALYZE TABLE d.t", None),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS", named(&[])),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS NOSCAN", named(&[])),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS FOR COLUMNS", None),
        ("ANALYZE TABLE d.t COMPUTE STATISTICS FOR ALL COLUMNS", None),
        (
            "ANALYZE TABLE d.t COMPUTE STATISTICS FOR COLUMNS A, b",
            named(&["a", "b"]),
        ),
        ("ANALYZE d.t (A, \"b\")", named(&["a", "b"])),
        (
            "ANALYZE d.t WITH (columns = ARRAY['A', 'b'])",
            named(&["a", "b"]),
        ),
        ("ANALYZE d.t WITH (columns = ARRAY[])", named(&[])),
    ] {
        assert_eq!(columns(sql), expected, "{sql}");
    }
    assert!(refused("ANALYZE").contains("ANALYZE table"));
    assert!(refused("ANALYZE t, u").contains("ANALYZE of each"));
    assert!(refused("ANALYZE t WITH (partitions = ARRAY[ARRAY['1']])").contains("PARTITION (key"));
    let analyzed = one(
        "ANALYZE TABLE d.t PARTITION (Year = 2024, city = 'B') COMPUTE STATISTICS FOR COLUMNS a",
    );
    let Statement::Analyze(analyzed) = analyzed else {
        panic!("{analyzed:?}")
    };
    let partitions = analyzed.partitions.unwrap();
    let partition = partitions
        .spec
        .values
        .iter()
        .map(|value| (value.key.as_str(), value.value.as_deref()));
    let partition: Vec<_> = partition.collect();
    assert_eq!(partition, [("year", Some("2024")), ("city", Some("B"))]);
    assert!(partitions.open.is_empty());
    assert_eq!(analyzed.columns, named(&["a"]));
    let several = "ANALYZE TABLE t PARTITION (year = 2024, City) COMPUTE STATISTICS";
    let Statement::Analyze(several) = one(several) else {
        panic!("{several}")
    };
    let several = several.partitions.unwrap();
    assert_eq!(several.spec.values.len(), 1);
    assert_eq!(several.open, ["city"]);
    assert!(
        !error("ANALYZE TABLE t PARTITION (year = 2024)")
            .message
            .is_empty()
    );
    for sql in [
        "ANALYZE t ()",
        "ANALYZE t COMPUTE",
        "ANALYZE t WITH (a = 1)",
    ] {
        assert!(!error(sql).message.is_empty(), "{sql}");
    }
    assert!(matches!(
        one("SHOW STATS FOR d.t"),
        Statement::ShowStats(show)
            if show.table == TableName::in_database("d", "t") && show.query.is_none()
    ));
}

#[test]
fn stats_are_shown_of_a_table_or_of_columns_of_one() {
    for (sql, query) in [
        ("SHOW STATS FOR (SELECT * FROM d.t)", "SELECT * FROM d.t"),
        (
            "SHOW STATS FOR ((SELECT a, x.b FROM d.\"T\" AS x WHERE a > 1 AND b < 2))",
            "SELECT a, x.b FROM d.\"t\" AS x WHERE a > 1 AND b < 2",
        ),
        (
            "SHOW STATS FOR (SELECT t.a FROM d.t)",
            "SELECT t.a FROM d.t",
        ),
    ] {
        let Statement::ShowStats(show) = one(sql) else {
            panic!("{sql}")
        };
        assert_eq!(show.table, TableName::in_database("d", "t"), "{sql}");
        assert_eq!(show.query.unwrap().to_string(), query);
    }
    for (query, what) in [
        ("SELECT a FROM t JOIN u ON true", "joins"),
        ("SELECT a FROM t, u", "several tables"),
        ("SELECT 1", "several tables, or none"),
        ("SELECT a FROM (SELECT a FROM t) x", "anything but a table"),
        (
            "SELECT a FROM unnest(ARRAY[1]) t (a)",
            "anything but a table",
        ),
        ("SELECT b FROM t (b)", "anything but a table"),
        ("WITH x AS (SELECT 1) SELECT a FROM t", "WITH"),
        ("SELECT DISTINCT a FROM t", "DISTINCT"),
        ("SELECT a FROM t GROUP BY a", "GROUP BY"),
        ("SELECT a FROM t ORDER BY a", "ORDER BY"),
        ("(SELECT a FROM t) LIMIT 1", "LIMIT"),
        (
            "SELECT a FROM t UNION SELECT a FROM u",
            "more than a SELECT",
        ),
        ("SELECT a + 1 FROM t", "anything but columns"),
        ("SELECT a AS b FROM t", "anything but columns"),
        ("SELECT r.a FROM t", "anything but columns"),
        ("SELECT a FROM t WHERE a IN (SELECT a FROM u)", "subqueries"),
    ] {
        let message = refused(&format!("SHOW STATS FOR ({query})"));
        let expected = format!("SHOW STATS FOR a query with {what}");
        assert!(message.starts_with(&expected), "{query}: {message}");
    }
    assert!(!error("SHOW STATS FOR (SELECT a FROM t").message.is_empty());
}
