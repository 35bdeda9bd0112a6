//! Both JSON SerDes.

use super::*;

async fn values(class: &str, hive: &str, values: &[&str]) -> Result<Vec<String>, Error> {
    let lines: String = values
        .iter()
        .map(|value| format!("{{\"a\":{value}}}\n"))
        .collect();
    column(class, hive, &lines).await
}

#[tokio::test]
async fn every_type_is_read() {
    for class in [OPENX, HIVE_JSON] {
        for (hive, value, shown) in [
            ("boolean", "true", "true"),
            ("boolean", "\"FALSE\"", "false"),
            ("tinyint", "-128", "-128"),
            ("smallint", "\"7\"", "7"),
            ("int", "1e3", "1000"),
            ("bigint", "9223372036854775807", "9223372036854775807"),
            ("float", "1.5", "1.5"),
            ("double", "\"NaN\"", "NaN"),
            ("decimal(10,2)", "19.99", "19.99"),
            (
                "decimal(38,10)",
                "1234567890123456789012345678.0123456789",
                "1234567890123456789012345678.0123456789",
            ),
            ("string", "\"caf\\u00e9 \\\"x\\\"\"", "café \"x\""),
            ("string", "12.50", "12.50"),
            ("string", "true", "true"),
            ("varchar(9)", "\"x\"", "x"),
            ("binary", "\"aGk=\"", "6869"),
            ("date", "\"2024-02-29\"", "2024-02-29"),
            ("date", "1", "1970-01-02"),
            (
                "timestamp",
                "\"2024-01-02 03:04:05.678\"",
                "2024-01-02T03:04:05.678",
            ),
            (
                "timestamp",
                "\"2024-01-02T03:04:05+01:00\"",
                "2024-01-02T02:04:05",
            ),
            ("timestamp", "1704164645", "2024-01-02T03:04:05"),
            ("timestamp", "1704164645678", "2024-01-02T03:04:05.678"),
            ("timestamp", "\"1704164645678\"", "2024-01-02T03:04:05.678"),
            ("array<int>", "[1, null, \"3\"]", "[1, NULL, 3]"),
            ("array<int>", "[]", "[]"),
            (
                "map<string,double>",
                "{\"x\":1,\"y\":null}",
                "{x: 1.0, y: NULL}",
            ),
            ("map<int,string>", "{\"7\":\"x\"}", "{7: x}"),
            (
                "struct<x:int,y:string>",
                "{\"Y\":\"b\",\"z\":[{}],\"x\":1}",
                "{x: 1, y: b}",
            ),
            (
                "array<struct<m:map<string,array<int>>>>",
                "[{\"m\":{\"k\":[1]}},{}]",
                "[{m: {k: [1]}}, {m: NULL}]",
            ),
            ("int", "null", "NULL"),
            ("struct<x:int>", "null", "NULL"),
            ("array<array<int>>", "null", "NULL"),
        ] {
            assert_eq!(
                values(class, hive, &[value]).await.unwrap(),
                [shown],
                "{class} {hive} {value}"
            );
        }
    }
}

#[tokio::test]
async fn value_of_a_wrong_type_is_an_error_that_names_file_line_and_column() {
    for class in [OPENX, HIVE_JSON] {
        for (hive, value, why) in [
            ("int", "\"abc\"", "not a valid int"),
            ("int", "1.5", "not a valid int"),
            ("int", "true", "not a valid int"),
            ("int", "\"\"", "not a valid int"),
            ("tinyint", "128", "out of the range of tinyint"),
            ("bigint", "1e30", "out of the range of bigint"),
            ("decimal(4,2)", "100", "out of the range of decimal(4,2)"),
            ("boolean", "1", "not a valid boolean"),
            ("date", "\"yesterday\"", "not a valid date"),
            (
                "timestamp",
                "\"2024-13-01 00:00:00\"",
                "not a valid timestamp",
            ),
            ("binary", "\"?\"", "not a valid binary"),
            ("double", "{}", "not a valid double"),
            ("map<string,int>", "[1]", "not a valid map<string,int>"),
            ("map<int,int>", "{\"x\":1}", "not a valid int"),
            (
                "struct<x:int>",
                "{\"x\":\"y\"}",
                "'\"y\"' is not a valid int",
            ),
            ("struct<x:int>", "7", "not a valid struct<x:int>"),
        ] {
            let error = values(class, hive, &["null", value]).await.unwrap_err();
            assert_eq!(error.code(), lakegate_error::Code::BadData);
            for part in ["file s3://lake/f line 2: column 'a': ", why] {
                assert!(
                    error.message().contains(part),
                    "{class}: {part} is missing in: {error}"
                );
            }
        }
    }
}

#[tokio::test]
async fn malformed_line_is_an_error_or_a_row_of_nulls() {
    let columns = [("a", "int"), ("b", "string")];
    let good = "{\"a\":1,\"b\":\"x\"}\n";
    for bad in [
        "{\"a\":2,\"b\":",
        "not json",
        "[1,2]",
        "7",
        "{\"a\":2} trailing",
        "{\"a\":2,\"z\":[1,}",
        "{\"a\" 2}",
        "{\"b\":\"\\q\"}",
        "\0\x01",
    ] {
        let text = format!("{good}{bad}\n{good}");
        for class in [OPENX, HIVE_JSON] {
            let error = read(class, &[], &columns, text.clone()).await.unwrap_err();
            assert!(
                error
                    .message()
                    .starts_with("file s3://lake/f line 2: malformed JSON"),
                "{error}"
            );
            let rows = read(
                class,
                &[("ignore.malformed.json", "TRUE")],
                &columns,
                text.clone(),
            )
            .await
            .unwrap();
            assert_eq!(rows, [["1", "x"], ["NULL", "NULL"], ["1", "x"]], "{bad}");
        }
    }
}

#[tokio::test]
async fn ignored_bad_value_is_null_and_its_neighbours_stay() {
    let columns = [("a", "int"), ("b", "string"), ("c", "array<struct<x:int>>")];
    let text = r#"{"a":"oops","b":"x","c":[{"x":1},{"x":{}}]}
{"a":1,"b":"y","c":[{"x":2}]}"#;
    let properties = [("ignore.malformed.json", "true")];
    let rows = read(OPENX, &properties, &columns, text).await.unwrap();
    assert_eq!(
        rows,
        [["NULL", "x", "[{x: 1}, {x: NULL}]"], ["1", "y", "[{x: 2}]"]]
    );
    let projected = Lake::new(OPENX, &properties, &columns)
        .file("f", text)
        .await
        .project(&[1])
        .rows()
        .await
        .unwrap();
    assert_eq!(projected, [["x"], ["y"]]);
}

#[tokio::test]
async fn ignored_bad_value_within_others_is_null_alone() {
    let columns = [
        ("a", "struct<x:int,y:array<int>,z:string>"),
        ("m", "map<int,date>"),
        ("n", "array<map<string,struct<d:decimal(4,2)>>>"),
    ];
    let text = r#"{"a":{"x":"oops","y":[1,true,3],"z":"ok"},"m":{"1":"2024-01-02","two":"2024-01-02","3":"soon"},"n":[{"k":{"d":"1.25"},"l":{"d":100}},7]}
{"a":7,"m":[1],"n":{"k":{"d":"x"}}}
"#;
    for (class, last) in [(OPENX, "[{k: {d: NULL}}]"), (HIVE_JSON, "NULL")] {
        let rows = read(class, &[("ignore.malformed.json", "true")], &columns, text)
            .await
            .unwrap();
        assert_eq!(
            rows,
            [
                [
                    "{x: NULL, y: [1, NULL, 3], z: ok}",
                    "{1: 2024-01-02, 3: NULL}",
                    "[{k: {d: 1.25}, l: {d: NULL}}, NULL]"
                ],
                ["NULL", "NULL", last],
            ],
            "{class}"
        );
    }
}

#[tokio::test]
async fn keys_are_matched_as_the_properties_say() {
    let columns = [("id", "int"), ("user_name", "string")];
    let text = r#"{"ID":1,"user.name":"a","extra":{"deep":[1,2,{"x":"}"}]}}"#;
    assert_eq!(
        read(OPENX, &[], &columns, text).await.unwrap(),
        [["1", "NULL"]]
    );
    assert_eq!(
        read(OPENX, &[("dots.in.keys", "true")], &columns, text)
            .await
            .unwrap(),
        [["1", "a"]]
    );
    assert_eq!(
        read(OPENX, &[("case.insensitive", "false")], &columns, text)
            .await
            .unwrap(),
        [["NULL", "NULL"]]
    );
    let mapped = [
        ("case.insensitive", "false"),
        ("mapping.id", "ID"),
        ("mapping.user_name", "user.name"),
    ];
    assert_eq!(
        read(OPENX, &mapped, &columns, text).await.unwrap(),
        [["1", "a"]]
    );
}

#[tokio::test]
async fn of_a_key_that_is_there_twice_openx_takes_the_last_and_hcatalog_none() {
    for (hive, text, last) in [
        ("int", r#"{"a":1,"A":2}"#, "2"),
        ("int", r#"{"a":1,"a":null}"#, "NULL"),
        (
            "struct<x:array<int>>",
            r#"{"a":{"x":[1,2],"X":[3]}}"#,
            "{x: [3]}",
        ),
        (
            "map<string,int>",
            r#"{"a":{"k":1,"l":5,"k":2}}"#,
            "{l: 5, k: 2}",
        ),
    ] {
        assert_eq!(column(OPENX, hive, text).await.unwrap(), [last], "{text}");
        let error = column(HIVE_JSON, hive, text).await.unwrap_err();
        assert!(error.message().contains("there twice"), "{error}");
    }
}

#[tokio::test]
async fn openx_bends_values_that_hcatalog_refuses() {
    for (hive, value, shown) in [
        ("string", r#"{"x" : [1, "é"]}"#, r#"{"x" : [1, "é"]}"#),
        ("string", "[1,2]", "[1,2]"),
        ("array<string>", "\"one\"", "[one]"),
        ("array<array<int>>", "[1,[2]]", "[[1], [2]]"),
        ("struct<x:int,y:string>", "[1,\"b\",3]", "{x: 1, y: b}"),
        ("struct<x:int,y:string>", "[1]", "{x: 1, y: NULL}"),
    ] {
        assert_eq!(
            values(OPENX, hive, &[value]).await.unwrap(),
            [shown],
            "{value}"
        );
        assert!(values(HIVE_JSON, hive, &[value]).await.is_err(), "{value}");
    }
}

#[tokio::test]
async fn timestamp_formats_come_first() {
    let formats = [("timestamp.formats", "dd/MM/yyyy HH:mm, millis")];
    let text =
        "{\"a\":\"02/01/2024 03:04\"}\n{\"a\":\"86400000\"}\n{\"a\":\"2024-01-02 03:04:05\"}";
    let rows = read(HIVE_JSON, &formats, &[("a", "timestamp")], text)
        .await
        .unwrap();
    assert_eq!(
        rows,
        [
            ["2024-01-02T03:04:00"],
            ["1970-01-02T00:00:00"],
            ["2024-01-02T03:04:05"]
        ]
    );
}

#[tokio::test]
async fn blank_lines_are_no_rows_and_line_numbers_count_them() {
    let text = "\u{feff}{\"a\":1}\r\n\r\n   \n\n{\"a\":2}";
    assert_eq!(column(OPENX, "int", text).await.unwrap(), ["1", "2"]);
    let error = column(OPENX, "int", "\n\n{\"a\":x}").await.unwrap_err();
    assert!(error.message().contains("line 3"), "{error}");
}

#[tokio::test]
async fn bytes_that_are_no_utf8_are_replaced() {
    let rows = read(
        OPENX,
        &[],
        &[("a", "string")],
        b"{\"a\":\"x\xff\"}".to_vec(),
    )
    .await
    .unwrap();
    assert_eq!(rows, [["x\u{fffd}"]]);
}

#[tokio::test]
async fn nesting_and_number_of_values_are_bounded() {
    let deep = format!("{{\"z\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let error = column(OPENX, "int", &deep).await.unwrap_err();
    assert!(
        error.message().contains("too deep") && error.message().len() < 500,
        "{error}"
    );

    let fields: Vec<String> = (0..1000).map(|field| format!("f{field}:int")).collect();
    let bomb = format!("{{\"a\":[{}]}}", vec!["{}"; 5_000].join(","));
    let error = column(
        OPENX,
        &format!("array<struct<{}>>", fields.join(",")),
        &bomb,
    )
    .await
    .unwrap_err();
    assert!(error.message().contains("values in one row"), "{error}");
}

#[tokio::test]
async fn error_shows_little_of_the_text() {
    let secret = "s".repeat(10_000);
    for line in [
        format!("{{\"a\":\"{secret}\"}}"),
        format!("{{\"a\":1,{secret}"),
    ] {
        let error = column(OPENX, "int", &line).await.unwrap_err();
        assert!(error.message().matches('s').count() < 150, "{error}");
    }
}
