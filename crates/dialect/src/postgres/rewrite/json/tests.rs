#![allow(clippy::unwrap_used)]
use datafusion::sql::sqlparser::parser::Parser;
use lakegate_sql::AthenaDialect;

use super::*;

fn rewritten(sql: &str) -> String {
    let mut statements = Parser::parse_sql(&AthenaDialect::default(), sql).unwrap();
    let mut statement = statements.remove(0);
    rewrite_json(&mut statement);
    statement.to_string()
}

#[test]
fn arrows_are_operators_but_in_functions_that_take_lambdas() {
    for (sql, expected) in [
        ("SELECT d -> 'a'", "SELECT \"$json_get\"(d, 'a')"),
        (
            "SELECT d -> 'a' ->> 'b' = 'x' AND c IS NULL",
            "SELECT \"$json_get_text\"(\"$json_get\"(d, 'a'), 'b') = 'x' AND c IS NULL",
        ),
        (
            "SELECT lower(d -> 1 + 1 #>> '{a}')",
            "SELECT lower(\"$json_get_path_text\"(\"$json_get\"(d, 1 + 1), '{a}'))",
        ),
        (
            "SELECT d OPERATOR(pg_catalog.->) 'a' OPERATOR(pg_catalog.->>) 'b'",
            "SELECT \"$json_get_text\"(\"$json_get\"(d, 'a'), 'b')",
        ),
        (
            "SELECT transform(a, x -> x + 1), t.d -> 'a'",
            "SELECT transform(a, x -> x + 1), \"$json_get\"(t.d, 'a')",
        ),
    ] {
        assert_eq!(rewritten(sql), expected);
    }
}

#[test]
fn aggregates_gather_items_and_rows_have_their_columns() {
    for (sql, expected) in [
        (
            "SELECT json_agg(x ORDER BY y) FILTER (WHERE z) FROM t",
            "SELECT \"$json_agg\"(array_agg(\"$json_item\"(x) ORDER BY y) FILTER (WHERE z)) FROM t",
        ),
        (
            "SELECT array_to_json(array_agg(x::json ORDER BY y)), to_json(array_agg(x)) FROM t",
            "SELECT \"$json_list\"(array_agg(x::JSON ORDER BY y)), to_json(array_agg(x)) FROM t",
        ),
        (
            "SELECT to_jsonb(ARRAY[row_to_json(row(1)), NULL])",
            "SELECT \"$jsonb_agg\"(ARRAY[row_to_json(\"$json_row\"('f1', 1)), NULL])",
        ),
        (
            "SELECT pg_catalog.row_to_json(r) FROM (SELECT 1 AS \"A\", b FROM t) r",
            "SELECT row_to_json(\"$json_row\"('A', \"r\".\"A\", 'b', \"r\".\"b\")) FROM (SELECT 1 AS \"A\", b FROM t) r",
        ),
        (
            "SELECT row_to_json(row(1, b)), to_json((b, 'x')) FROM t",
            "SELECT row_to_json(\"$json_row\"('f1', 1, 'f2', b)), to_json(\"$json_row\"('f1', b, 'f2', 'x')) FROM t",
        ),
        (
            "SELECT json_build_array((1, b), row(2)), jsonb_build_object('k', row(1, (2, 3))) FROM t",
            "SELECT json_build_array(\"$json_row\"('f1', 1, 'f2', b), \"$json_row\"('f1', 2)), jsonb_build_object('k', \"$json_row\"('f1', 1, 'f2', \"$json_row\"('f1', 2, 'f2', 3))) FROM t",
        ),
        (
            "WITH c (n) AS (SELECT 1 AS m) SELECT to_jsonb(c) FROM c",
            "WITH c (n) AS (SELECT 1 AS m) SELECT to_jsonb(\"$json_row\"('n', \"c\".\"n\")) FROM c",
        ),
        (
            "SELECT row_to_json((SELECT e FROM (SELECT s.x, 'T'::TEXT AS \"Y\") AS e)) FROM s",
            "SELECT row_to_json(\"$json_row\"('x', s.x, 'Y', 'T'::TEXT)) FROM s",
        ),
        (
            "SELECT row_to_json((SELECT e FROM (SELECT count(*) AS n) AS e)) FROM s",
            "SELECT row_to_json((SELECT e FROM (SELECT count(*) AS n) AS e)) FROM s",
        ),
        (
            "SELECT to_json(b) FROM a LEFT JOIN (SELECT x, y FROM t) b ON a.x = b.x",
            "SELECT to_json(\"$json_row\"('x', \"b\".\"x\", 'y', \"b\".\"y\", \"b\".\"x\" IS NOT NULL)) FROM a LEFT JOIN (SELECT x, y FROM t) b ON a.x = b.x",
        ),
    ] {
        assert_eq!(rewritten(sql), expected);
    }
}

#[test]
fn columns_come_before_rows_of_queries_around() {
    for (sql, expected) in [
        (
            "SELECT (SELECT to_json(q) FROM t) FROM (SELECT 1 AS z) q",
            "SELECT \"$json_kept\"((SELECT to_json(q) FROM t)) FROM (SELECT 1 AS z) q",
        ),
        (
            "SELECT (SELECT to_json(q) FROM (SELECT 5 AS q) x) FROM (SELECT 1 AS z) q",
            "SELECT \"$json_kept\"((SELECT to_json(q) FROM (SELECT 5 AS q) x)) FROM (SELECT 1 AS z) q",
        ),
        (
            "SELECT to_json(q) FROM (SELECT 1 AS z) q, (SELECT 5 AS q) x",
            "SELECT to_json(q) FROM (SELECT 1 AS z) q, (SELECT 5 AS q) x",
        ),
        (
            "SELECT (SELECT to_json(q) FROM (SELECT 5 AS y) x) FROM (SELECT 1 AS z) q",
            "SELECT \"$json_kept\"((SELECT to_json(\"$json_row\"('z', \"q\".\"z\")) FROM (SELECT 5 AS y) x)) FROM (SELECT 1 AS z) q",
        ),
        (
            "SELECT to_json(q) FROM t, (SELECT 1 AS z) q",
            "SELECT to_json(\"$json_row\"('z', \"q\".\"z\")) FROM t, (SELECT 1 AS z) q",
        ),
    ] {
        assert_eq!(rewritten(sql), expected);
    }
}

#[test]
fn json_keeps_its_mark() {
    for (sql, expected) in [
        (
            "SELECT (SELECT to_json(x)), coalesce(x::jsonb, '{}', y) FROM t",
            "SELECT \"$json_kept\"((SELECT to_json(x))), \"$jsonb_kept\"(coalesce(x::JSONB, '{}'::JSONB, y)) FROM t",
        ),
        (
            "SELECT CASE WHEN a THEN '[]' ELSE json_build_array(1) END, (SELECT x), coalesce(x, '')",
            "SELECT \"$json_kept\"(CASE WHEN a THEN '[]'::JSON ELSE json_build_array(1) END), (SELECT x), coalesce(x, '')",
        ),
        (
            "SELECT x = ANY(SELECT to_jsonb(y) FROM t)",
            "SELECT x = ANY(SELECT to_jsonb(y) FROM t)",
        ),
    ] {
        assert_eq!(rewritten(sql), expected);
    }
}

#[test]
fn the_value_of_a_set_has_its_alias_as_its_name() {
    for (sql, expected) in [
        (
            "SELECT value, f(e.value), t.value FROM t, jsonb_array_elements(t.j) AS e ORDER BY e.value",
            "SELECT \"e\".\"e\" AS value, f(\"e\".\"e\"), t.value FROM t, jsonb_array_elements(t.j) AS e ORDER BY \"e\".\"e\"",
        ),
        (
            "SELECT v, e.value FROM jsonb_array_elements(j) AS e (v)",
            "SELECT v, e.value FROM jsonb_array_elements(j) AS e (v)",
        ),
        (
            "SELECT value FROM json_array_elements(x) AS a, json_array_elements(y) AS b",
            "SELECT value FROM json_array_elements(x) AS a, json_array_elements(y) AS b",
        ),
    ] {
        assert_eq!(rewritten(sql), expected);
    }
}

#[test]
fn numbers_are_rounded_to_integers() {
    for (sql, expected) in [
        (
            "SELECT (d -> 'a')::INT, CAST(d #> '{b}' AS BIGINT), to_jsonb(x)::SMALLINT",
            "SELECT (\"$json_get\"(d, 'a'))::NUMERIC(38,19)::INT, CAST(\"$json_get_path\"(d, '{b}')::NUMERIC(38,19) AS BIGINT), to_jsonb(x)::NUMERIC(38,19)::SMALLINT",
        ),
        (
            "SELECT (d ->> 'a')::INT, (d -> 'a')::TEXT, x::INT, (d -> 'a')::FLOAT8",
            "SELECT (\"$json_get_text\"(d, 'a'))::INT, (\"$json_get\"(d, 'a'))::TEXT, x::INT, (\"$json_get\"(d, 'a'))::FLOAT8",
        ),
    ] {
        assert_eq!(rewritten(sql), expected);
    }
}

#[test]
fn named_arguments_have_places() {
    for (sql, expected) in [
        (
            "SELECT jsonb_path_exists(j, '$.a', silent => true)",
            "SELECT jsonb_path_exists(j, '$.a', '{}', true)",
        ),
        (
            "SELECT jsonb_path_match(path => '$.a', target => j)",
            "SELECT jsonb_path_match(j, '$.a')",
        ),
        (
            "SELECT jsonb_path_exists(j, silent => true)",
            "SELECT jsonb_path_exists(j, silent => true)",
        ),
        (
            "SELECT jsonb_set(j, '{a}', '1', create_if_missing => false)",
            "SELECT jsonb_set(j, '{a}', '1', false)",
        ),
    ] {
        assert_eq!(rewritten(sql), expected);
    }
}
