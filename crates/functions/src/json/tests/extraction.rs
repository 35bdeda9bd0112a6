//! Texts that are parsed, and values that are extracted from them.

use super::are;
use crate::testing::{error, rows};

#[tokio::test]
async fn texts_are_parsed_to_canonical_json() {
    are(&[
        (
            r#"json_parse(' {"b": 1, "a": [1.50, "x\/y"], "a": 2} ')"#,
            r#"{"a":2,"b":1}"#,
        ),
        (
            "json_parse('12345678901234567890.10')",
            "12345678901234567890.10",
        ),
        (
            "json_parse('123456789012345678901234567890')",
            "123456789012345678901234567890",
        ),
        ("json_parse('null')", "null"),
        ("json_parse(NULL)", "NULL"),
        ("json_format(json_parse('[1, 2]'))", "[1,2]"),
        ("json_format(NULL)", "NULL"),
    ])
    .await;
    let message = error("json_parse('{\"a\" 1}')").await;
    assert!(
        message.contains("cannot convert value to JSON: '{\"a\" 1}'"),
        "{message}"
    );
    for text in ["", "INVALID", "\"x\": 1", "{}{", "1 2"] {
        let message = error(&format!("json_parse('{text}')")).await;
        assert!(message.contains("cannot convert value"), "{message}");
    }
    let deep = error("json_parse(lpad('[', 5000, '['))").await;
    assert!(deep.contains("1000 levels"), "{deep}");
    let query = "SELECT json_parse(x) FROM (VALUES ('[ 1]'), (NULL), ('{}')) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["[1]", "NULL", "{}"]);
}

#[tokio::test]
async fn values_are_extracted() {
    are(&[
        (
            r#"json_extract('{"b": {"z": 1, "a": 2.50}}', '$.b')"#,
            r#"{"z":1,"a":2.5}"#,
        ),
        (r#"json_extract('{"a": null}', '$.a')"#, "null"),
        (r#"json_extract('{"a": "x"}', '$.a')"#, "\"x\""),
        (r#"json_extract('{"a": 1}', '$.b')"#, "NULL"),
        ("json_extract('not json', '$.b')", "NULL"),
        ("json_extract('', '$')", "NULL"),
        (r#"json_extract('{"a": [1 2]}', '$.a')"#, "NULL"),
        ("json_extract(NULL, '$')", "NULL"),
        ("json_extract('1', NULL)", "NULL"),
        (
            r#"json_extract(json_parse('{"a": {"b": [1]}}'), '$.a.b[0]')"#,
            "1",
        ),
        (r#"json_extract_scalar('{"a": 1.50}', '$.a')"#, "1.50"),
        (
            r#"json_extract_scalar('{"a": "x\ny\u00e9"}', '$.a')"#,
            "x\nyé",
        ),
        (r#"json_extract_scalar('{"a": true}', '$.a')"#, "true"),
        (r#"json_extract_scalar('{"a": null}', '$.a')"#, "NULL"),
        (r#"json_extract_scalar('{"a": [1]}', '$.a')"#, "NULL"),
        (r#"json_extract_scalar('{"a": 1', '$.a')"#, "1"),
        ("json_extract_scalar('x', '$.a')", "NULL"),
        (r#"json_size('{"x": {"a": 1, "b": [1,2,3]}}', '$.x')"#, "2"),
        ("json_size('[1, 2, 3]', '$')", "3"),
        (r#"json_size('{"x": 1}', '$.x')"#, "0"),
        (r#"json_size('{"x": 1}', '$.y')"#, "NULL"),
        ("json_size('INVALID', '$')", "NULL"),
        ("json_size('[]', '$')", "0"),
    ])
    .await;
    for path in ["", " ", ".", "null", "$.*", "$..a"] {
        let message = error(&format!("json_extract('{{}}', '{path}')")).await;
        assert!(
            message.contains(&format!("invalid JSON path: '{path}'")),
            "{message}"
        );
    }
    let query = r#"SELECT json_extract_scalar(j, p) FROM (VALUES
        ('{"a": 1, "b": 2}', '$.a'), ('{"a": 1, "b": 2}', '$.b'), (NULL, '$.b'), ('[7]', '$[0]'),
        ('[7]', NULL)) t(j, p)"#;
    assert_eq!(rows(query).await.unwrap(), ["1", "2", "NULL", "7", "NULL"]);
}

#[tokio::test]
async fn elements_of_arrays_are_found() {
    are(&[
        ("json_array_length('[]')", "0"),
        (
            "json_array_length('[2, 4, {\"a\": [8, 9]}, [], [5], 4]')",
            "6",
        ),
        ("json_array_length('{}')", "NULL"),
        ("json_array_length('[1,')", "NULL"),
        ("json_array_length('[1] x')", "1"),
        ("json_array_length(NULL)", "NULL"),
        ("json_array_get('[\"a\", [3, 9], \"c\"]', 0)", "a"),
        ("json_array_get('[\"a\", [3, 9], \"c\"]', -2)", "[3,9]"),
        ("json_array_get('[2, 7, 4]', -3)", "2"),
        ("json_array_get('[2, 7, 4]', -4)", "NULL"),
        ("json_array_get('[2, 7, 4]', 3)", "NULL"),
        ("json_array_get('[1.10, null]', 0)", "1.10"),
        ("json_array_get('[1.10, null]', 1)", "NULL"),
        ("json_array_get('', 0)", "NULL"),
        ("json_array_get('[1]', -9223372036854775807 - 1)", "NULL"),
        ("json_array_get('[1]', NULL)", "NULL"),
        ("json_array_contains('[1, 2, 3]', 2)", "true"),
        ("json_array_contains('[1.0]', 1)", "false"),
        ("json_array_contains('[[2]]', 2)", "false"),
        ("json_array_contains('[92233720368547758071]', -9)", "false"),
        ("json_array_contains('[1.5]', CAST(1.5 AS DOUBLE))", "true"),
        ("json_array_contains('[1.50]', 1.5)", "true"),
        ("json_array_contains('[1]', CAST(1 AS DOUBLE))", "false"),
        (
            "json_array_contains('[9.6E400]', CAST('Infinity' AS DOUBLE))",
            "false",
        ),
        ("json_array_contains('[1, \"foo\", null]', 'foo')", "true"),
        ("json_array_contains('[\"f\\u006fo\"]', 'foo')", "true"),
        ("json_array_contains('[1, 5]', '5')", "false"),
        ("json_array_contains('[true, false]', false)", "true"),
        ("json_array_contains('[1]', true)", "false"),
        ("json_array_contains('[1,0,]', 8)", "NULL"),
        ("json_array_contains('[1,0,]', 0)", "true"),
        ("json_array_contains('123', 8)", "NULL"),
        ("json_array_contains('[3]', NULL)", "NULL"),
        ("json_array_contains(NULL, 1)", "NULL"),
    ])
    .await;
}
