//! Paths of `json_query` and `json_value`, and the clauses of these functions.

use super::are;
use crate::testing::{error, rows, value};

/// Calls `$json_query` with a wrapper around the items.
async fn found(json: &str, path: &str) -> String {
    let call =
        format!("\"$json_query\"('{json}', '{path}', 'UNCONDITIONAL', 'KEEP', 'NULL', 'NULL')");
    value(&call)
        .await
        .unwrap_or_else(|error| format!("error: {error}"))
}

#[tokio::test]
async fn paths_find_items() {
    let customers = r#"[{"customer" : 100, "region" : "AFRICA"},{"region" : "ASIA"},{"customer" : 300, "region" : "AFRICA", "comment" : null}]"#;
    let arrays = r#"[[0, 1, 2], ["a", "b", "c", "d"], [null, null]]"#;
    for (json, path, expected) in [
        (customers, "lax $.customer", "[100,300]"),
        (customers, "strict $.customer", "NULL"),
        (customers, "strict $[*].customer", "NULL"),
        (
            customers,
            "lax $.*",
            "[100,\"AFRICA\",\"ASIA\",300,\"AFRICA\",null]",
        ),
        (arrays, "strict $[*][last]", "[2,\"d\",null]"),
        (arrays, "lax $[*][2 to 3]", "[2,\"c\",\"d\"]"),
        (arrays, "strict $[*][2 to 3]", "NULL"),
        (
            arrays,
            "lax $[*][1, 0, 0]",
            "[1,0,0,\"b\",\"a\",\"a\",null,null,null]",
        ),
        (
            arrays,
            "lax $[*][*]",
            "[0,1,2,\"a\",\"b\",\"c\",\"d\",null,null]",
        ),
        (arrays, "lax $[*].size()", "[3,4,2]"),
        (
            customers,
            "lax $?(@.region != \"ASIA\").customer",
            "[100,300]",
        ),
        (
            customers,
            "lax $?(!exists(@.customer)).region",
            "[\"ASIA\"]",
        ),
        (
            customers,
            "lax $?(@.customer > 100 || @.region starts with \"AS\").region",
            "[\"ASIA\",\"AFRICA\"]",
        ),
        (
            customers,
            "lax $?((@.region > 1) is unknown).region",
            "[\"AFRICA\",\"ASIA\",\"AFRICA\"]",
        ),
        (customers, "lax $?(@.comment == null).customer", "[300]"),
        ("[-1.5, -1, 1.3]", "lax $.ceiling()", "[-1.0,-1,2.0]"),
        ("[-1.5, -1, 1.3]", "lax $.floor()", "[-2.0,-1,1.0]"),
        ("[-1.5, -1, 1.3]", "lax $.abs()", "[1.5,1,1.3]"),
        (
            r#"[-1, 23e4, "5.6"]"#,
            "lax $.double()",
            "[-1.0,230000.0,5.6]",
        ),
        (
            r#"[1, "a", null, true, [], {}]"#,
            "strict $[*].type()",
            "[\"number\",\"string\",\"null\",\"boolean\",\"array\",\"object\"]",
        ),
        (
            r#"{"a": 1, "b": "x"}"#,
            "lax $.keyvalue()",
            r#"[{"name":"a","value":1,"id":0},{"name":"b","value":"x","id":0}]"#,
        ),
        (
            r#"{"a": 1, "b": "x"}"#,
            "lax $.keyvalue()?(@.name == \"b\").value",
            "[\"x\"]",
        ),
        (
            r#"{"id":1,"notes":[{"type":1,"comment":"foo"},{"type":2,"comment":null}],"comment":["bar","baz"]}"#,
            "lax $..comment",
            "[[\"bar\",\"baz\"],\"foo\",null]",
        ),
        (r#"[1, "a", null]"#, "lax $.floor()", "NULL"),
        ("{\"a\": 7}", "lax $.a * 2 + 1 - $.a / 2 % 2", "[14]"),
        ("{\"a\": 7}", "lax -$.a + 0.50", "[-6.50]"),
        ("1", "lax $ / 0", "NULL"),
        ("2147483647", "lax $ + 1", "NULL"),
        ("[1, 2, 3]", "lax $[last - 1]", "[2]"),
        ("[1, 2, 3]", "lax $[-1]", "NULL"),
        ("5", "lax $[0]", "[5]"),
        ("{\"a\":1,\"a\":2}", "strict $.a", "[2]"),
        ("not json", "lax $", "NULL"),
        ("1 2", "lax $", "NULL"),
        (
            "0.12345678901234567890",
            "lax $",
            "[0.12345678901234567890]",
        ),
    ] {
        assert_eq!(found(json, path).await, expected, "{path} of {json}");
    }
    let message = found("1", "lax $[").await;
    assert!(message.contains("invalid JSON path"), "{message}");
    let message = found("1", "lax $x").await;
    assert!(message.contains("variable $x"), "{message}");
}

#[tokio::test]
async fn clauses_decide_on_missing_results() {
    are(&[
        ("\"$json_exists\"('[1]', 'strict $[2]', 'UNKNOWN')", "NULL"),
        ("\"$json_exists\"('[1]', 'strict $[2]', 'TRUE')", "true"),
        ("\"$json_exists\"('[1]', 'lax $[2]', 'TRUE')", "false"),
        ("\"$json_exists\"(NULL, 'lax $[2]', 'TRUE')", "NULL"),
        ("\"$json_exists\"('{\"a\":5}', 'lax $?(@.a > $x)', 'ERROR', 'x', 4)", "true"),
        ("\"$json_exists\"('{\"a\":5}', 'lax $?(@.a > $x.b)', 'ERROR', 'x', json_parse('{\"b\":6}'))", "false"),
        ("\"$json_query\"('[1,2]', 'lax $[*]', 'WITHOUT', 'KEEP', 'NULL', 'EMPTY ARRAY')", "[]"),
        ("\"$json_query\"('[1,2]', 'lax $[5]', 'WITHOUT', 'KEEP', 'EMPTY OBJECT', 'NULL')", "{}"),
        ("\"$json_query\"('[1,2]', 'lax $[*]', 'CONDITIONAL', 'KEEP', 'NULL', 'NULL')", "[1,2]"),
        ("\"$json_query\"('[1,2]', 'lax $', 'CONDITIONAL', 'KEEP', 'NULL', 'NULL')", "[1,2]"),
        ("\"$json_query\"('[1,2]', 'lax $[0]', 'CONDITIONAL', 'KEEP', 'NULL', 'NULL')", "[1]"),
        ("\"$json_query\"('\"nice\"', 'lax $', 'WITHOUT', 'KEEP', 'NULL', 'NULL')", "\"nice\""),
        ("\"$json_query\"('\"nice\"', 'lax $', 'WITHOUT', 'OMIT', 'NULL', 'NULL')", "nice"),
        ("\"$json_value\"('{\"a\":1.5}', 'lax $.a', CAST(NULL AS VARCHAR), 'NULL', NULL, 'NULL', NULL)", "1.5E0"),
        ("\"$json_value\"('{\"a\":\"12\"}', 'lax $.a', CAST(NULL AS BIGINT), 'NULL', NULL, 'NULL', NULL)", "12"),
        ("\"$json_value\"('{\"a\":\"x\"}', 'lax $.a', CAST(NULL AS BIGINT), 'NULL', NULL, 'NULL', NULL)", "NULL"),
        ("\"$json_value\"('{\"a\":[]}', 'lax $.a', CAST(NULL AS VARCHAR), 'NULL', NULL, 'DEFAULT', 'err')", "err"),
        ("\"$json_value\"('{\"a\":1}', 'lax $.b', CAST(NULL AS VARCHAR), 'DEFAULT', 'none', 'NULL', NULL)", "none"),
        ("\"$json_value\"('{\"a\":null}', 'lax $.a', CAST(NULL AS VARCHAR), 'ERROR', NULL, 'ERROR', NULL)", "NULL"),
        ("\"$json_value\"('2.5', 'lax $ + 0.25', CAST(NULL AS DOUBLE), 'NULL', NULL, 'ERROR', NULL)", "2.75"),
        ("\"$json_value\"('2', 'lax $ + 0.25', CAST(NULL AS VARCHAR), 'NULL', NULL, 'ERROR', NULL)", "2.25"),
        ("\"$json_value\"('2', 'lax $ + 0.5', CAST(NULL AS BIGINT), 'NULL', NULL, 'ERROR', NULL)", "3"),
    ])
    .await;
    for call in [
        "\"$json_exists\"('[1]', 'strict $[2]', 'ERROR')",
        "\"$json_query\"('[1,2]', 'lax $[*]', 'WITHOUT', 'KEEP', 'NULL', 'ERROR')",
        "\"$json_query\"('[1,2]', 'lax $[9]', 'WITHOUT', 'KEEP', 'ERROR', 'NULL')",
        "\"$json_value\"('x', 'lax $', CAST(NULL AS VARCHAR), 'NULL', NULL, 'ERROR', NULL)",
    ] {
        let message = error(call).await;
        assert!(message.contains("has no result"), "{message}");
    }
    let query = r#"SELECT "$json_value"(j, 'lax $.a', CAST(NULL AS BIGINT), 'DEFAULT', -1, 'DEFAULT', -2)
        FROM (VALUES ('{"a":7}'), ('{}'), ('{"a":[]}'), (NULL), ('{"a":8}')) t(j)"#;
    assert_eq!(rows(query).await.unwrap(), ["7", "-1", "-2", "NULL", "8"]);
}

#[tokio::test]
async fn arrays_and_objects_are_built() {
    are(&[
        ("\"$json_array\"(true)", "[]"),
        (
            "\"$json_array\"(true, true, 1.2, 'text', NULL, json_parse('[1]'))",
            "[true,1.2,\"text\",[1]]",
        ),
        (
            "\"$json_array\"(false, NULL, DATE '2001-01-31')",
            "[null,\"2001-01-31\"]",
        ),
        ("\"$json_object\"(false, false)", "{}"),
        (
            "\"$json_object\"(true, false, 'x', NULL, 'y', 1)",
            "{\"y\":1}",
        ),
        (
            "\"$json_object\"(false, false, 'x', 1, 'x', 2)",
            "{\"x\":1,\"x\":2}",
        ),
    ])
    .await;
    let twice = error("\"$json_object\"(false, true, 'x', 1, 'x', 2)").await;
    assert!(twice.contains("passed twice"), "{twice}");
    let null = error("\"$json_object\"(false, false, CAST(NULL AS VARCHAR), 1)").await;
    assert!(null.contains("is NULL"), "{null}");
    let query =
        "SELECT \"$json_object\"(false, false, x, y) FROM (VALUES ('a', 1), ('b', NULL)) t(x, y)";
    assert_eq!(rows(query).await.unwrap(), ["{\"a\":1}", "{\"b\":null}"]);
}
