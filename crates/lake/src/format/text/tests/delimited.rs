//! OpenCSVSerde and LazySimpleSerDe.

use super::*;

#[tokio::test]
async fn csv_with_header_and_quotes() {
    let text = "id,name,price\r\n1,\"Lamp, \"\"desk\"\"\",19.99\r\n2,,5\r\n";
    let columns = [
        ("id", "int"),
        ("name", "string"),
        ("price", "decimal(10,2)"),
    ];
    let rows = read(OPEN_CSV, &[("skip.header.line.count", "1")], &columns, text)
        .await
        .unwrap();
    assert_eq!(rows, [["1", "Lamp, \"desk\"", "19.99"], ["2", "", "5.00"]]);
}

#[tokio::test]
async fn csv_types_are_athenas() {
    for (hive, field, shown) in [
        ("boolean", "TRUE", "true"),
        ("bigint", "7", "7"),
        ("double", "1e3", "1000.0"),
        ("date", "19724", "2024-01-02"),
        ("date", "2024-01-02", "2024-01-02"),
        ("timestamp", "1704164645678", "2024-01-02T03:04:05.678"),
        ("timestamp", "2024-01-02 03:04:05", "2024-01-02T03:04:05"),
        ("timestamp", "1000", "1970-01-01T00:00:01"),
        ("string", "\\N", "N"),
        ("binary", "hi", "6869"),
    ] {
        assert_eq!(
            column(OPEN_CSV, hive, field).await.unwrap(),
            [shown],
            "{hive} {field}"
        );
    }
}

#[tokio::test]
async fn csv_rows_may_be_short_long_or_blank() {
    let columns = [("a", "string"), ("b", "int")];
    let rows = read(OPEN_CSV, &[], &columns, "x\n\ny,1,more\n")
        .await
        .unwrap();
    assert_eq!(rows, [["x", "NULL"], ["NULL", "NULL"], ["y", "1"]]);
}

#[tokio::test]
async fn csv_empty_number_is_an_error_that_says_what_to_do() {
    let columns = [("a", "int"), ("b", "string")];
    let error = read(OPEN_CSV, &[], &columns, "1,x\n,y\n")
        .await
        .unwrap_err();
    for part in [
        "file s3://lake/f line 2: column 'a'",
        "not a valid int",
        "serialization.null.format",
    ] {
        assert!(
            error.message().contains(part),
            "{part} is missing in: {error}"
        );
    }
    let rows = read(
        OPEN_CSV,
        &[("serialization.null.format", "")],
        &columns,
        "1,x\n,y\n",
    )
    .await
    .unwrap();
    assert_eq!(rows, [["1", "x"], ["NULL", "y"]]);
}

#[tokio::test]
async fn csv_separator_and_quote_are_configurable() {
    let properties = [("separatorChar", "\t"), ("quoteChar", "'")];
    let rows = read(
        OPEN_CSV,
        &properties,
        &[("a", "string"), ("b", "string")],
        "'x\ty'\t\"z\"\n",
    )
    .await
    .unwrap();
    assert_eq!(rows, [["x\ty", "\"z\""]]);
}

#[tokio::test]
async fn csv_nested_column_is_refused_where_it_is_selected() {
    let columns = [("a", "string"), ("b", "array<int>")];
    let lake = Lake::new(OPEN_CSV, &[], &columns).file("f", "x,1\n").await;
    let error = lake.rows().await.unwrap_err();
    assert!(
        error
            .message()
            .contains("table raw.t: column 'b' is array<int>"),
        "{error}"
    );
    assert_eq!(lake.project(&[0]).rows().await.unwrap(), [["x"]]);
}

#[tokio::test]
async fn lazy_text_has_hives_delimiters_and_null() {
    let columns = [
        ("a", "string"),
        ("b", "int"),
        ("c", "array<int>"),
        ("d", "map<string,int>"),
        ("e", "struct<x:int,y:string>"),
    ];
    let text =
        "x\x017\x011\x022\x01k\x031\x02l\x03\\N\x015\x02z\n\\N\x01\\N\x01\\N\x01\\N\x01\\N\n";
    let rows = read(LAZY, &[], &columns, text).await.unwrap();
    assert_eq!(
        rows,
        [
            ["x", "7", "[1, 2]", "{k: 1, l: NULL}", "{x: 5, y: z}"],
            ["NULL", "NULL", "NULL", "NULL", "NULL"]
        ]
    );
}

#[tokio::test]
async fn lazy_values_that_do_not_fit_are_null() {
    for (hive, field, shown) in [
        ("int", "abc", "NULL"),
        ("int", "", "NULL"),
        ("int", "1.9", "1"),
        ("int", "1e3", "NULL"),
        ("tinyint", "128", "NULL"),
        ("bigint", " 7 ", "7"),
        ("decimal(4,2)", "100", "NULL"),
        ("decimal(4,2)", "1.005", "1.01"),
        ("boolean", "True", "true"),
        ("boolean", "1", "NULL"),
        ("double", "1e3", "1000.0"),
        ("date", "2024-01-02", "2024-01-02"),
        ("date", "19724", "NULL"),
        ("timestamp", "2024-01-02 03:04:05", "2024-01-02T03:04:05"),
        ("timestamp", "1704164645", "NULL"),
        ("binary", "aGk=", "6869"),
        ("binary", "h!", "6821"),
    ] {
        assert_eq!(
            column(LAZY, hive, &format!("{field}\n")).await.unwrap(),
            [shown],
            "{hive} {field}"
        );
    }
}

#[tokio::test]
async fn lazy_rows_may_be_short_long_or_blank() {
    let columns = [("a", "string"), ("b", "string")];
    let properties = [("field.delim", ",")];
    let rows = read(LAZY, &properties, &columns, "x\n\ny,z,more\n")
        .await
        .unwrap();
    assert_eq!(rows, [["x", "NULL"], ["", "NULL"], ["y", "z"]]);
    let rest = [
        ("field.delim", ","),
        ("serialization.last.column.takes.rest", "true"),
    ];
    assert_eq!(
        read(LAZY, &rest, &columns, "y,z,more\n").await.unwrap(),
        [["y", "z,more"]]
    );
}

#[tokio::test]
async fn marks_ends_of_lines_and_bytes_that_are_no_utf8_cost_no_row() {
    let columns = [("a", "string"), ("b", "int")];
    let text = b"\xef\xbb\xbfa,1\r\nb\xe9,2\rc,3".to_vec();
    for (class, properties) in [(OPEN_CSV, vec![]), (LAZY, vec![("field.delim", ",")])] {
        let rows = read(class, &properties, &columns, text.clone()).await;
        let expected = [["a", "1"], ["b\u{fffd}", "2"], ["c", "3"]];
        assert_eq!(rows.unwrap(), expected, "{class}");
    }
}

#[tokio::test]
async fn lazy_delimiters_escape_and_null_format_are_configurable() {
    let properties = [
        ("field.delim", "\t"),
        ("collection.delim", ","),
        ("mapkey.delim", "58"),
        ("escape.delim", "\\"),
        ("serialization.null.format", "-"),
    ];
    let columns = [
        ("a", "string"),
        ("b", "array<string>"),
        ("c", "map<string,string>"),
    ];
    let text = "a\\\tb\\nc\tx\\,y,z\tk:v,k:w,n:-,q\n-\t-\t\n";
    let rows = read(LAZY, &properties, &columns, text).await.unwrap();
    assert_eq!(
        rows,
        [
            ["a\tb\nc", "[x,y, z]", "{k: v, n: NULL, q: NULL}"],
            ["NULL", "NULL", "{}"]
        ]
    );
}

#[tokio::test]
async fn lazy_nests_with_the_next_control_characters() {
    let rows = read(
        LAZY,
        &[],
        &[("a", "array<map<string,array<int>>>")],
        "k\x041\x052\x03l\x043\x02m\x044\n",
    )
    .await
    .unwrap();
    assert_eq!(rows, [["[{k: [1, 2], l: [3]}, {m: [4]}]"]]);
}

#[tokio::test]
async fn fields_belong_to_columns_by_position_whatever_is_selected() {
    let columns = [
        ("a", "string"),
        ("b", "int"),
        ("c", "string"),
        ("d", "string"),
    ];
    for class in [OPEN_CSV, LAZY] {
        let lake = Lake::new(class, &[("field.delim", ",")], &columns)
            .file("f", "x,1,y,z\np,2,q\n")
            .await;
        assert_eq!(
            lake.project(&[3, 1]).rows().await.unwrap(),
            [["z", "1"], ["NULL", "2"]],
            "{class}"
        );
    }
}
