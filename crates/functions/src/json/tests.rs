//! The functions, called in SQL.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, Fields, Int64Type};

use super::canonical::Writer;
use super::convert::Failure;
use super::scan::Scanner;
use super::sink::{Context, Sink};
use super::{source::Source, types};
use crate::testing::{error, rows, value};
use crate::work::Work;

/// Checks the values of expressions.
async fn are(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        let shown = value(expression).await;
        let shown = shown.unwrap_or_else(|error| format!("error: {error}"));
        assert_eq!(&shown, expected, "{expression}");
    }
}

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

#[tokio::test]
async fn scalars_are_told_from_others() {
    are(&[
        ("is_json_scalar('null')", "true"),
        ("is_json_scalar(' \"str\" ')", "true"),
        ("is_json_scalar('-1.5e3')", "true"),
        ("is_json_scalar('[1, 2, 3]')", "false"),
        ("is_json_scalar(json_parse('{}'))", "false"),
        ("is_json_scalar(NULL)", "NULL"),
    ])
    .await;
    for text in ["", "[1", "1 trailing", "[1, 2] trailing"] {
        let message = error(&format!("is_json_scalar('{text}')")).await;
        assert!(message.contains(&format!("'{text}'")), "{message}");
    }
}

#[tokio::test]
async fn json_is_cast_to_scalars() {
    let cast =
        |json: &str, to: &str| format!("\"$json_cast\"(json_parse('{json}'), CAST(NULL AS {to}))");
    for (json, to, expected) in [
        ("null", "BIGINT", "NULL"),
        ("128", "BIGINT", "128"),
        ("128.9", "BIGINT", "129"),
        ("-2.5", "INTEGER", "-3"),
        ("1e-324", "BIGINT", "0"),
        ("true", "BIGINT", "1"),
        ("\"128\"", "BIGINT", "128"),
        ("9223372036854775807", "BIGINT", "9223372036854775807"),
        ("128.9", "SMALLINT", "129"),
        ("12.9", "TINYINT", "13"),
        ("12345678901234567890", "DOUBLE", "1.2345678901234567e19"),
        ("\"NaN\"", "DOUBLE", "NaN"),
        ("1e309", "DOUBLE", "inf"),
        ("false", "DOUBLE", "0.0"),
        ("128.9", "REAL", "128.9"),
        ("128", "DECIMAL(10,3)", "128.000"),
        (
            "123456789012345678901234567890.12345678",
            "DECIMAL(38,8)",
            "123456789012345678901234567890.12345678",
        ),
        ("true", "DECIMAL(10,5)", "1.00000"),
        ("\"1.2345\"", "DECIMAL(5,2)", "1.23"),
        ("0", "BOOLEAN", "false"),
        ("128.9", "BOOLEAN", "true"),
        ("1e309", "BOOLEAN", "true"),
        ("\"True\"", "BOOLEAN", "true"),
        ("\"f\"", "BOOLEAN", "false"),
        ("128.9", "VARCHAR", "1.289E2"),
        ("0.000", "VARCHAR", "0E0"),
        ("12345678901234567890", "VARCHAR", "12345678901234567890"),
        ("\"te\\nst\"", "VARCHAR", "te\nst"),
        ("true", "VARCHAR", "true"),
        ("null", "VARCHAR", "NULL"),
    ] {
        are(&[(&cast(json, to), expected)]).await;
    }
    for (json, to) in [
        ("12345678901234567890", "BIGINT"),
        ("12345678901", "INTEGER"),
        ("123456", "SMALLINT"),
        ("1234.0", "TINYINT"),
        ("1e309", "BIGINT"),
        ("\"128.9\"", "BIGINT"),
        ("\"\"", "BIGINT"),
        ("{\"x\":123}", "BIGINT"),
        ("[1]", "VARCHAR"),
        ("\"true\"", "DOUBLE"),
        ("\"128\"", "BOOLEAN"),
        ("12345678901234567890", "BOOLEAN"),
        ("1234567890123456", "DECIMAL(10,3)"),
        ("\"abc\"", "DECIMAL(10,3)"),
    ] {
        let message = error(&cast(json, to)).await;
        let expected = format!("cannot cast '{json}' to {}", to.to_lowercase());
        assert!(message.contains(&expected), "{message}");
        let attempt = cast(json, to).replace("$json_cast", "$try_json_cast");
        are(&[(&attempt, "NULL")]).await;
    }
    let date = error(&cast("1", "DATE")).await;
    assert!(date.contains("cannot cast json to date"), "{date}");
}

#[tokio::test]
async fn json_is_cast_to_arrays_maps_and_rows() {
    let cast =
        |json: &str, to: &str| format!("\"$json_cast\"(json_parse('{json}'), CAST(NULL AS {to}))");
    for (json, to, expected) in [
        ("[1,23,456]", "ARRAY(INTEGER)", "[1, 23, 456]"),
        ("[1,null,\"7\"]", "ARRAY(INTEGER)", "[1, NULL, 7]"),
        (
            "[[1,23],[],null]",
            "ARRAY(ARRAY(BIGINT))",
            "[[1, 23], [], NULL]",
        ),
        ("null", "ARRAY(BIGINT)", "NULL"),
        (
            "{\"v1\":123,\"V2\":\"abc\",\"x\":[1]}",
            "ROW(v1 BIGINT, v2 VARCHAR, v3 BOOLEAN)",
            "{v1=123, v2=abc, v3=NULL}",
        ),
        (
            "[123,\"abc\",true]",
            "ROW(v1 BIGINT, v2 VARCHAR, v3 BOOLEAN)",
            "{v1=123, v2=abc, v3=true}",
        ),
        (
            "[{\"a\":[1]},null,[[2,3]]]",
            "ARRAY(ROW(a ARRAY(BIGINT)))",
            "[{a=[1]}, NULL, {a=[2, 3]}]",
        ),
        (
            "{\"a\": 1, \"b\": {\"c\": [\"x\"]}}",
            "ROW(b ROW(c ARRAY(VARCHAR)), a DOUBLE)",
            "{b={c=[x]}, a=1.0}",
        ),
    ] {
        are(&[(&cast(json, to), expected)]).await;
    }
    for (json, to, why) in [
        ("{}", "ARRAY(INTEGER)", "an array is expected"),
        ("1", "ROW(a INTEGER)", "an array or an object is expected"),
        ("[1]", "ROW(a INTEGER, b INTEGER)", "fewer elements"),
        ("[1,2]", "ROW(a INTEGER)", "more elements"),
        ("[1,\"abc\"]", "ARRAY(INTEGER)", "to array(integer)"),
        ("[[1]]", "ARRAY(INTEGER)", "not a scalar"),
        ("{\"a\":1,\"A\":2}", "ROW(a BIGINT)", "each field once"),
    ] {
        let message = error(&cast(json, to)).await;
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn rows_of_absent_fields_are_bounded() {
    let fields = (0..2000).map(|index| Field::new(format!("f{index}"), DataType::Int64, true));
    let row = DataType::Struct(fields.collect());
    let list = DataType::List(Arc::new(Field::new("item", row, true)));
    for item in ["{}", "null"] {
        let mut sink = Sink::of(&Arc::new(Field::new("x", list.clone(), true))).unwrap();
        let work = Work::new("test", true);
        let mut context = Context {
            work: &work,
            scratch: String::new(),
            writer: Writer::default(),
        };
        let text = format!("[{}]", vec![item; 10_000].join(","));
        let cast = sink.append(&mut Scanner::new(&text), &mut context);
        assert!(matches!(cast, Err(Failure::Fault(_))), "{cast:?}");
    }
}

#[tokio::test]
async fn items_of_a_path_are_bounded() {
    let many = "[0,0,0,0,0,0,0,0,0,0]".repeat(7);
    let query = format!("\"$json_exists\"('1', 'lax ${many}', 'ERROR')");
    let message = error(&query).await;
    assert!(message.contains("at most 1000000 items"), "{message}");
}

#[tokio::test]
async fn json_is_cast_to_maps() {
    let cast =
        |json: &str, like: &str| format!("\"$json_cast\"(json_parse('{json}'), map({like}))");
    for (json, like, expected) in [
        (
            "{\"k1\":1,\"k2\":null}",
            "ARRAY['a'], ARRAY[1]",
            "{k1=1, k2=NULL}",
        ),
        (
            "{\"1\":[true]}",
            "ARRAY[1], ARRAY[ARRAY[true]]",
            "{1=[true]}",
        ),
        (
            "{\"true\":1,\"F\":2}",
            "ARRAY[true], ARRAY[1]",
            "{false=2, true=1}",
        ),
        ("{}", "ARRAY['a'], ARRAY[1]", "{}"),
        ("null", "ARRAY['a'], ARRAY[1]", "NULL"),
    ] {
        are(&[(&cast(json, like), expected)]).await;
    }
    for (json, like, why) in [
        ("[]", "ARRAY['a'], ARRAY[1]", "an object is expected"),
        ("{\"1\":1,\"01\":2}", "ARRAY[1], ARRAY[1]", "each name once"),
        (
            "{\"t\":1,\"true\":2}",
            "ARRAY[true], ARRAY[1]",
            "each name once",
        ),
        (
            "{\"1\":1,\"1.0\":2}",
            "ARRAY[1.5], ARRAY[1]",
            "each name once",
        ),
        ("{\"x\":1}", "ARRAY[1], ARRAY[1]", "cannot cast"),
    ] {
        let message = error(&cast(json, like)).await;
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn rows_that_cannot_be_cast_are_null_for_try_cast() {
    let query = |to: &str| {
        format!(
            r#"SELECT "$try_json_cast"(x, CAST(NULL AS {to})) FROM (VALUES
            ('[{{"a":[1,2]}},{{"a":[3]}}]'), ('[{{"a":[1,2]}},{{"a":[3,"x"]}}]'), ('[{{"a":[1]}}] x'), (NULL), ('['),
            ('[{{"b":1}}]'), ('[{{"a":[9]}}]')) t(x)"#
        )
    };
    let expected = [
        "[{a=[1, 2]}, {a=[3]}]",
        "NULL",
        "NULL",
        "NULL",
        "NULL",
        "[{a=NULL}]",
        "[{a=[9]}]",
    ];
    let arrays = rows(&query("ARRAY(ROW(a ARRAY(INTEGER)))")).await;
    assert_eq!(arrays.unwrap(), expected);
    let expected = [
        "[{a=[1, 2]}, {a=[3]}]",
        "NULL",
        "NULL",
        "NULL",
        "NULL",
        "NULL",
        "[{a=[9]}]",
    ];
    let maps = query("T").replace("CAST(NULL AS T)", "ARRAY[map(ARRAY['a'], ARRAY[ARRAY[1]])]");
    assert_eq!(rows(&maps).await.unwrap(), expected);
}

#[tokio::test]
async fn values_are_cast_to_json() {
    are(&[
        ("\"$json_of\"(NULL)", "NULL"),
        ("\"$json_of\"(9223372036854775807)", "9223372036854775807"),
        ("\"$json_of\"(CAST(7 AS TINYINT))", "7"),
        ("\"$json_of\"('a\"b')", "\"a\\\"b\""),
        ("\"$json_of\"('')", "\"\""),
        ("\"$json_of\"(true)", "true"),
        ("\"$json_of\"(CAST(3.14 AS DOUBLE))", "3.14"),
        ("\"$json_of\"(CAST('NaN' AS DOUBLE))", "\"NaN\""),
        ("\"$json_of\"(CAST(3.14 AS REAL))", "3.14"),
        ("\"$json_of\"(CAST(1.10 AS DECIMAL(5,2)))", "1.10"),
        ("\"$json_of\"(DATE '2001-01-31')", "\"2001-01-31\""),
        (
            "\"$json_of\"(TIMESTAMP '1970-01-01 00:00:01')",
            "\"1970-01-01 00:00:01.000\"",
        ),
        ("\"$json_of\"(ARRAY[1, NULL, 456])", "[1,null,456]"),
        ("\"$json_of\"(ARRAY[ARRAY['a'], ARRAY[]])", "[[\"a\"],[]]"),
        (
            "\"$json_of\"(MAP {'k2': 1, 'k1': NULL})",
            "{\"k1\":null,\"k2\":1}",
        ),
        (
            "\"$json_of\"(MAP {10: true, 9: false})",
            "{\"10\":true,\"9\":false}",
        ),
        (
            "\"$json_of\"(named_struct('v1', 123, 'V 2', ARRAY['abc']))",
            "{\"v1\":123,\"V 2\":[\"abc\"]}",
        ),
        ("\"$json_of\"(json_parse('[1, 2]'))", "[1,2]"),
    ])
    .await;
    let message = error("\"$json_of\"(X'00')").await;
    assert!(
        message.contains("cannot cast varbinary to json"),
        "{message}"
    );
    let query = "SELECT \"$json_of\"(x) FROM (VALUES (ARRAY['a', 'b']), (NULL), (ARRAY['c'])) t(x)";
    assert_eq!(
        rows(query).await.unwrap(),
        ["[\"a\",\"b\"]", "NULL", "[\"c\"]"]
    );
}

/// Casts texts to a type, all of which must fit.
fn cast_all(texts: &[&str], field: Field) -> ArrayRef {
    let mut sink = Sink::of(&Arc::new(field)).unwrap();
    let work = Work::new("test", false);
    let mut context = Context {
        work: &work,
        scratch: String::new(),
        writer: Writer::default(),
    };
    for text in texts {
        let cast: Result<(), Failure> = sink.append(&mut Scanner::new(text), &mut context);
        cast.unwrap();
    }
    sink.finish().unwrap()
}

#[test]
fn json_within_types_is_kept() {
    let item = types::json_field().as_ref().clone().with_name("item");
    let list = DataType::List(Arc::new(item));
    let array = cast_all(
        &[r#"[[1, 23], null, "a", {"b":1,"a":2}]"#],
        Field::new("x", list, true),
    );
    let items = array.as_list::<i32>().value(0);
    let texts: Vec<Option<&str>> = items.as_string::<i32>().iter().collect();
    let expected = ["[1,23]", "null", "\"a\"", "{\"b\":1,\"a\":2}"];
    assert_eq!(texts, expected.map(Some));
}

#[test]
fn texts_become_views_if_the_type_has_them() {
    let views = cast_all(
        &["\"a\"", "null", "1"],
        Field::new("x", DataType::Utf8View, true),
    );
    assert_eq!(
        views.as_string_view().iter().collect::<Vec<_>>(),
        [Some("a"), None, Some("1")]
    );
    let fields = Fields::from(vec![Field::new("n", DataType::Int64, true)]);
    let rows = cast_all(
        &["{\"N\":1}", "[2]", "{}"],
        Field::new("x", DataType::Struct(fields), true),
    );
    let numbers = rows.as_struct().column(0).as_primitive::<Int64Type>();
    assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(1), Some(2), None]);
}

#[test]
fn json_in_columns_is_not_quoted() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("[1]"), None]));
    let source = Source::of(&texts, &types::json_field()).unwrap();
    let (mut json, work) = (String::new(), Work::new("test", true));
    source.write(0, &mut json, &work).unwrap();
    source.write(1, &mut json, &work).unwrap();
    assert_eq!(json, "[1]null");
    assert!(texts.is_null(1));
}

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
