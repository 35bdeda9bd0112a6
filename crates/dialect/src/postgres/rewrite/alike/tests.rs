use super::super::testing::with_statement;
use super::*;

#[test]
fn what_is_in_a_subquery_tells_no_columns_apart() {
    let sql = "SELECT EXISTS (SELECT 1), EXISTS (SELECT 2), 1 IN (SELECT 3) FROM t";
    assert_eq!(
        with_statement(sql, tell_apart),
        "SELECT EXISTS (SELECT 1), EXISTS (SELECT 2) AS \"<otherwise>\u{2063}:1\", \
         1 IN (SELECT 3) AS \"<otherwise>\u{2063}:2\" FROM t"
    );
}

#[test]
fn what_is_written_in_an_interval_tells_no_columns_apart() {
    let sql = "SELECT INTERVAL '15 days', INTERVAL '0.5 month'";
    assert_eq!(
        with_statement(sql, tell_apart),
        "SELECT INTERVAL '15 days', INTERVAL '0.5 month' AS \"<otherwise>\u{2063}:1\""
    );
}

#[test]
fn casts_within_an_expression_tell_no_columns_apart() {
    let sql = "SELECT DATE '2024-01-01' - x, TIMESTAMP '2024-01-01' - x, a::int + 1, a + 1 FROM t";
    assert_eq!(
        with_statement(sql, tell_apart),
        "SELECT DATE '2024-01-01' - x, TIMESTAMP '2024-01-01' - x AS \"'2024-01-01' - x\u{2063}:1\", \
         a::INT + 1, a + 1 AS \"a + 1\u{2063}:3\" FROM t"
    );
}

#[test]
fn spellings_of_a_call_tell_no_columns_apart() {
    let sql = "SELECT upper(a), UPPER(a), position('b' IN a), strpos(a, 'b'), substr(a, 2), \
               substring(a FROM 2), trim(a), btrim(a), count(*), COUNT(1) FROM t";
    assert_eq!(
        with_statement(sql, tell_apart),
        "SELECT upper(a), UPPER(a) AS \"upper(a)\u{2063}:1\", POSITION('b' IN a), \
         strpos(a, 'b') AS \"strpos(a, 'b')\u{2063}:3\", SUBSTR(a, 2), \
         SUBSTRING(a FROM 2) AS \"substr(a, 2)\u{2063}:5\", \
         TRIM(a), btrim(a) AS \"btrim(a)\u{2063}:7\", \
         count(*), COUNT(1) AS \"count(1)\u{2063}:9\" FROM t"
    );
}

#[test]
fn subqueries_that_have_the_name_of_a_column_get_another() {
    let renamed = |sql: &str| {
        let mut is_named = false;
        let text = with_statement(sql, |statement| is_named = name_outputs(statement, "a"));
        is_named.then_some(text)
    };
    for subquery in [
        "(SELECT u.a FROM u)",
        "(SELECT a FROM u UNION SELECT b FROM v)",
        "((SELECT b AS a FROM u))::TEXT",
    ] {
        let expected = format!("SELECT t.a, {subquery} AS \"a\u{2063}:1\" FROM t");
        let sql = format!("SELECT t.a, {subquery} FROM t");
        assert_eq!(renamed(&sql), Some(expected), "{sql}");
    }
    assert_eq!(renamed("SELECT t.a, (SELECT b FROM u) FROM t"), None);
}

#[test]
fn expressions_without_names_get_names() {
    let sql = "SELECT a, a || b, concat(a, b), c AS x FROM t";
    let named = with_statement(sql, |statement| {
        assert!(name_expressions(statement));
        assert!(!name_expressions(statement));
    });
    assert_eq!(
        named,
        "SELECT a, a || b AS \"a || b\u{2063}:1\", \
         concat(a, b) AS \"concat(a, b)\u{2063}:2\", c AS x FROM t"
    );
}

#[test]
fn aliases_that_are_the_names_of_columns_are_told_apart() {
    let sql = "SELECT t.a AS a, t.*, b AS c FROM t";
    let named = with_statement(sql, |statement| assert!(name_columns(statement)));
    assert_eq!(named, "SELECT t.a AS \"a\u{2063}:0\", t.*, b AS c FROM t");
}

#[test]
fn a_group_is_by_none_of_several_columns_of_its_name() {
    let sql = "SELECT a AS x, k AS x, k AS y FROM t GROUP BY x, y";
    assert_eq!(
        with_statement(sql, tell_apart),
        "SELECT a AS \"x\u{2063}:0\", k AS \"x\u{2063}:1\", k AS y FROM t GROUP BY x, y"
    );
}

#[test]
fn columns_that_are_alike_are_told_apart() {
    let sql = "SELECT NULL, NULL, a AS x, b AS x, c, c::int FROM t UNION SELECT 1, 1, 2, 2, 3, 4";
    assert_eq!(
        with_statement(sql, tell_apart),
        "SELECT NULL, NULL AS \"NULL\u{2063}:1\", a AS x, b AS \"x\u{2063}:3\", c, c::INT AS \"c\u{2063}:5\" FROM t \
         UNION SELECT 1, 1 AS \"1\u{2063}:1\", 2, 2 AS \"2\u{2063}:3\", 3, 4"
    );
}
