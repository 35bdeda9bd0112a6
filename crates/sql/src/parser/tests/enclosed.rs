//! Parentheses that begin with a query in parentheses, and BETWEEN SYMMETRIC in itself.

use super::*;

fn shown(sql: &str) -> String {
    match one(sql) {
        Statement::Query(query) => query.to_string(),
        other => panic!("{sql}: {other:?}"),
    }
}

fn has_list(sql: &str) -> bool {
    match one(sql) {
        Statement::Query(query) => format!("{query:?}").contains("InList"),
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn a_query_that_begins_with_parentheses_is_a_value() {
    for sql in [
        "SELECT ((SELECT 1) UNION (SELECT 2)) + 1, (((SELECT 1)) EXCEPT SELECT 2)",
        "SELECT ((SELECT 1)), ((SELECT 1) + 1), ((a)) + 1, ((a), b)",
        "SELECT a = ANY((SELECT 1) UNION ALL SELECT 2)",
        "SELECT a < ALL(((SELECT 1) ORDER BY 1) LIMIT 1)",
        "SELECT a = ANY(SELECT 1), a = ANY(b), (SELECT ((SELECT 1) UNION (SELECT 2)) FROM t)",
    ] {
        assert_eq!(shown(sql), sql);
    }
    assert_eq!(
        shown("SELECT a = some ( ( (SELECT 1) union\n(SELECT 2) ) )"),
        "SELECT a = SOME((SELECT 1) UNION (SELECT 2))"
    );
}

#[test]
fn a_list_may_begin_with_a_query() {
    for sql in [
        "SELECT a IN ((SELECT 1), (SELECT 2)), a NOT IN ((SELECT 1)::INT, 2)",
        "SELECT a IN ((SELECT 1) + 1), b IN (((SELECT 1)) + 1)",
        "SELECT a IN ((1), (2)) AND b",
    ] {
        assert_eq!(shown(sql), sql);
        assert!(has_list(sql), "{sql}");
    }
    for sql in [
        "SELECT a IN ((SELECT 1) UNION (SELECT 2))",
        "SELECT a NOT IN ((SELECT 1) LIMIT 1)",
        "SELECT a IN ((SELECT 1))",
    ] {
        assert_eq!(shown(sql), sql);
        assert!(!has_list(sql), "{sql}");
    }
}

#[test]
fn open_parentheses_are_an_error() {
    for sql in [
        "SELECT ((SELECT 1) UNION (SELECT 2)",
        "SELECT a IN ((SELECT 1), (SELECT 2)",
        "SELECT a = ANY ((SELECT 1) UNION",
        "SELECT a IN ((SELECT 1), )",
    ] {
        assert!(parse(sql).is_err(), "{sql}");
    }
}

#[test]
fn ranges_without_an_order_nest_in_bounds() {
    let nested = |levels: usize| {
        let ranges = (0..levels).fold("a".to_owned(), |inner, _| {
            format!("({inner} BETWEEN SYMMETRIC b AND c)")
        });
        parse(&format!("SELECT {ranges}")).is_ok()
    };
    assert!(nested(3));
    assert!(!nested(5));
}
