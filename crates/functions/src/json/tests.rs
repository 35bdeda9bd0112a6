//! The functions, called in SQL.

#![allow(clippy::unwrap_used)]

mod extraction;
mod paths;

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
