#![allow(clippy::unwrap_used, clippy::panic)]
use crate::Statement;

fn parsed(expression: &str) -> String {
    let sql = format!("SELECT {expression}");
    match crate::parse(&sql).unwrap().remove(0).statement {
        Statement::Query(query) => query.to_string().trim_start_matches("SELECT ").to_owned(),
        other => panic!("no query: {other:?}"),
    }
}

#[test]
fn clauses_become_arguments() {
    for (expression, expected) in [
        (
            "json_exists(j, 'lax $.a')",
            "\"$json_exists\"(j, 'lax $.a', 'FALSE')",
        ),
        (
            "JSON_EXISTS(j FORMAT JSON, 'lax $' PASSING x AS a, y FORMAT JSON AS \"b\" UNKNOWN ON ERROR)",
            "\"$json_exists\"(j, 'lax $', 'UNKNOWN', 'A', x, 'b', \"$json_text\"(y, false))",
        ),
        (
            "json_query(j, 'lax $')",
            "\"$json_query\"(j, 'lax $', 'WITHOUT', 'KEEP', 'NULL', 'NULL')",
        ),
        (
            "json_query(j, 'lax $' RETURNING varchar FORMAT JSON WITH ARRAY WRAPPER EMPTY ARRAY ON EMPTY ERROR ON ERROR)",
            "\"$json_query\"(j, 'lax $', 'UNCONDITIONAL', 'KEEP', 'EMPTY ARRAY', 'ERROR')",
        ),
        (
            "json_query(j, 'lax $' RETURNING varchar(9) WITHOUT WRAPPER OMIT QUOTES ON SCALAR STRING EMPTY OBJECT ON ERROR)",
            "CAST(\"$json_query\"(j, 'lax $', 'WITHOUT', 'OMIT', 'NULL', 'EMPTY OBJECT') AS VARCHAR(9))",
        ),
        (
            "json_value(j, 'lax $.a')",
            "\"$json_value\"(j, 'lax $.a', CAST(NULL AS VARCHAR), 'NULL', NULL, 'NULL', NULL)",
        ),
        (
            "json_value(j, 'lax $.a' PASSING 1 AS n RETURNING decimal(9, 2) DEFAULT 1 + x ON EMPTY ERROR ON ERROR)",
            "\"$json_value\"(j, 'lax $.a', CAST(NULL AS DECIMAL(9,2)), 'DEFAULT', 1 + x, 'ERROR', NULL, 'N', 1)",
        ),
        (
            "json_value(j, 'lax $.a' DEFAULT 2 ON ERROR)",
            "\"$json_value\"(j, 'lax $.a', CAST(NULL AS VARCHAR), 'NULL', NULL, 'DEFAULT', 2)",
        ),
        ("json_array()", "\"$json_array\"(true)"),
        (
            "json_array(1, NULL, json_array(2) NULL ON NULL RETURNING varbinary)",
            "to_utf8(\"$json_array\"(false, 1, NULL, \"$json_text\"(\"$json_array\"(true, 2), true)))",
        ),
        ("json_object()", "\"$json_object\"(false, false)"),
        (
            "json_object(KEY 'a' VALUE 1, 'b' VALUE 2, c : d FORMAT JSON ABSENT ON NULL WITH UNIQUE KEYS)",
            "\"$json_object\"(true, true, 'a', 1, 'b', 2, c, \"$json_text\"(d, true))",
        ),
        (
            "json_object(key VALUE 1, KEY : 2 WITHOUT UNIQUE)",
            "\"$json_object\"(false, false, key, 1, KEY, 2)",
        ),
        ("json_object('{a, b}')", "json_object('{a, b}')"),
        ("json_value", "json_value"),
    ] {
        assert_eq!(parsed(expression), expected, "{expression}");
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    for expression in [
        "json_value(j)",
        "json_value(j, 'lax $' RETURNING array(bigint))",
        "json_query(j, 'lax $' RETURNING bigint)",
        "json_query(j, 'lax $' WITH WRAPPER OMIT QUOTES)",
        "json_query(j, 'lax $' WITH CONDITIONAL)",
        "json_exists(j, 'lax $' NULL ON ERROR)",
        "json_exists(j FORMAT JSON ENCODING UTF16, 'lax $')",
        "json_array(1 NULL ON NULL ABSENT ON NULL)",
        "json_object('a' VALUE 1, 'b')",
        "json_array(json_query(j, 'lax $' RETURNING varchar(9)))",
    ] {
        assert!(
            crate::parse(&format!("SELECT {expression}")).is_err(),
            "{expression}"
        );
    }
}
