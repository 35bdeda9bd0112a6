//! RegexSerDe, GrokSerDe and the records of CloudTrail.

use std::time::{Duration, Instant};

use lakegate_error::Code;

use super::*;

const REGEX: &str = "org.apache.hadoop.hive.serde2.RegexSerDe";
const GROK: &str = "com.amazonaws.glue.serde.GrokSerDe";
const CLOUD_TRAIL: &str = "com.amazon.emr.hive.serde.CloudTrailSerde";

#[tokio::test]
async fn groups_of_a_line_are_typed_columns_and_other_lines_are_nulls() {
    let properties = [("input.regex", r"(\S+) (-|\d+) ([\d.]+)? ?(\d{4}-.*)")];
    let columns = [
        ("name", "string"),
        ("count", "int"),
        ("share", "decimal(5,2)"),
        ("at", "timestamp"),
    ];
    let text = "a 12 0.5 2024-01-02 03:04:05\r\nb - 2024-01-02\n\nc 1 1\nd 99999999999 1e5 2024-99-01\nd 99999999999 7 2024-99-01";
    let rows = read(REGEX, &properties, &columns, text).await.unwrap();
    let null = ["NULL"; 4];
    assert_eq!(
        rows,
        [
            ["a", "12", "0.50", "2024-01-02T03:04:05"],
            ["b", "NULL", "NULL", "2024-01-02T00:00:00"],
            null,
            null,
            null,
            ["d", "NULL", "7.00", "NULL"],
        ]
    );
}

#[tokio::test]
async fn case_counts_unless_a_property_says_otherwise() {
    let columns = [("a", "string")];
    let text = "GET\nget\nxget";
    for (any_case, expected) in [
        ("false", ["NULL", "get", "NULL"]),
        ("TRUE", ["GET", "get", "NULL"]),
    ] {
        let properties = [
            ("input.regex", "(get|x)"),
            ("input.regex.case.insensitive", any_case),
        ];
        let rows = read(REGEX, &properties, &columns, text).await.unwrap();
        assert_eq!(rows.concat(), expected);
    }
}

#[tokio::test]
async fn columns_are_the_groups_of_their_places_whatever_is_selected() {
    let lake = Lake::new(
        REGEX,
        &[("input.regex", "(.)(.)(.)")],
        &[("a", "string"), ("b", "string"), ("c", "int")],
    )
    .file("f", "xy1\nzz2")
    .await;
    let rows = lake.project(&[2, 1]).rows().await.unwrap();
    assert_eq!(rows, [["1", "y"], ["2", "z"]]);
}

#[tokio::test]
async fn groups_must_be_as_many_as_columns_and_columns_without_nesting() {
    let columns = [("a", "string"), ("b", "string")];
    let error = read(REGEX, &[("input.regex", "(a)(?:b)")], &columns, "ab")
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::InvalidTable);
    assert!(error.message().contains("1 groups"), "{error}");
    assert!(error.message().contains("2 columns"), "{error}");
    for (class, property) in [
        (REGEX, ("input.regex", "(.*)")),
        (GROK, ("input.format", "%{WORD:a}")),
    ] {
        let error = read(class, &[property], &[("a", "array<int>")], "1")
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::NotSupported);
        assert!(error.message().contains("column 'a'"), "{error}");
    }
}

#[tokio::test]
async fn pattern_that_takes_too_long_for_a_line_is_an_error_that_names_it() {
    let properties = [("input.regex", r"((?:a|a)*(?=b))c")];
    let text = format!("{}\n", "a".repeat(5000));
    let start = Instant::now();
    let read = read(REGEX, &properties, &[("a", "string")], text).await;
    if let Err(error) = read {
        assert_eq!(error.code(), Code::BadData);
        assert!(
            error.message().contains("file s3://lake/f line 1"),
            "{error}"
        );
        assert!(error.message().contains("steps"), "{error}");
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[tokio::test]
async fn grok_finds_fields_anywhere_in_a_line() {
    let properties = [
        (
            "input.format",
            "%{SYSLOGBASE} %{POSTFIX_QUEUEID:queue_id}: %{GREEDYDATA:Syslog_Message}",
        ),
        ("input.grokCustomPatterns", "POSTFIX_QUEUEID [0-9A-F]{7,12}"),
    ];
    let columns = [
        ("syslogbase", "string"),
        ("queue_id", "string"),
        ("syslog_message", "string"),
        ("pid", "int"),
        ("none", "string"),
    ];
    let text = "\
        noise> Feb  3 04:05:06 mail postfix/smtp[917]: 4F9D195432C: to=<x@example.com>, status=sent\n\
        no such line\n";
    let rows = read(GROK, &properties, &columns, text).await.unwrap();
    assert_eq!(
        rows,
        [
            [
                "Feb  3 04:05:06 mail postfix/smtp[917]:",
                "4F9D195432C",
                "to=<x@example.com>, status=sent",
                "917",
                "NULL"
            ],
            ["NULL"; 5]
        ]
    );
    let lake = Lake::new(GROK, &properties, &columns).file("f", text).await;
    let rows = lake.project(&[3]).rows().await.unwrap();
    assert_eq!(rows.concat(), ["917", "NULL"]);
}

#[tokio::test]
async fn marks_ends_of_lines_and_bytes_that_are_no_utf8_cost_no_row() {
    let columns = [("a", "string"), ("b", "int")];
    let text = b"\xef\xbb\xbfa 1\r\nb\xe9 2\rc 3".to_vec();
    for (class, properties) in [
        (REGEX, [("input.regex", r"(.*) (\d)")]),
        (GROK, [("input.format", "^%{NOTSPACE:a} %{INT:b}$")]),
    ] {
        let rows = read(class, &properties, &columns, text.clone()).await;
        let expected = [["a", "1"], ["b\u{fffd}", "2"], ["c", "3"]];
        assert_eq!(rows.unwrap(), expected, "{class}");
    }
}

#[tokio::test]
async fn quotes_of_grok_values_are_left_out() {
    let properties = [("input.format", "%{QS:agent} %{NUMBER:n:float}")];
    let columns = [("agent", "string"), ("n", "double")];
    let rows = read(GROK, &properties, &columns, "\"curl/8 \\\"x\\\"\" 1.5").await;
    assert_eq!(rows.unwrap(), [["curl/8 \\\"x\\\"", "1.5"]]);
}

#[tokio::test]
async fn records_of_cloud_trail_are_rows() {
    let columns = [
        ("eventname", "string"),
        (
            "useridentity",
            "struct<type:string,sessioncontext:struct<attributes:struct<mfaauthenticated:string>>>",
        ),
        ("requestparameters", "string"),
        ("readonly", "string"),
        ("resources", "array<struct<arn:string>>"),
    ];
    let text = r#"{"Records": [
      {"eventName":"GetObject","userIdentity":{"type":"IAMUser","userName":"ann"},"requestParameters":{"key":"a/b"},"readOnly":true,"resources":[{"ARN":"arn:aws:s3:::b","type":"x"}]},
      {"eventName":"PutObject","userIdentity":{"type":"Role","sessionContext":{"attributes":{"mfaAuthenticated":"false"}}},"requestParameters":null}
    ]}"#;
    let rows = read(CLOUD_TRAIL, &[], &columns, text).await.unwrap();
    assert_eq!(
        rows,
        [
            [
                "GetObject",
                "{type: IAMUser, sessioncontext: NULL}",
                r#"{"key":"a/b"}"#,
                "true",
                "[{arn: arn:aws:s3:::b}]"
            ],
            [
                "PutObject",
                "{type: Role, sessioncontext: {attributes: {mfaauthenticated: false}}}",
                "NULL",
                "NULL",
                "NULL"
            ],
        ]
    );
    for (text, part) in [
        (r#"{"Records": [{"eventName":"#, "cut short"),
        (r#"{"digest": 1}"#, "Records"),
        (r#"{"Records": [{"eventName" 1}]}"#, "record 1"),
    ] {
        let error = read(CLOUD_TRAIL, &[], &columns, text).await.unwrap_err();
        assert_eq!(error.code(), Code::BadData);
        assert!(error.message().contains("s3://lake/f"), "{error}");
        assert!(error.message().contains(part), "{error}");
    }
}

#[tokio::test]
async fn files_of_records_are_not_split() {
    let text = format!("{{\"Records\":[{}{{}}]}}", "{\"a\":1},".repeat(500));
    let lake = Lake::new(
        CLOUD_TRAIL,
        &[("skip.header.line.count", "1")],
        &[("a", "int")],
    );
    let lake = lake.file("f", text).await;
    let config = lake.config();
    let split = config.file_source().repartitioned(4, 1, None, &config);
    assert!(split.unwrap().is_none());
    assert_eq!(lake.rows().await.unwrap().len(), 501);
}
