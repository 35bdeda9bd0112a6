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
        (
            "json_array(x FORMAT JSON ENCODING UTF16 RETURNING varbinary FORMAT JSON ENCODING UTF32)",
            "\"$json_encoded\"(\"$json_array\"(true, \"$json_text\"(\"$json_decoded\"(x, 16), true)), 32)",
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

fn from(table: &str) -> String {
    parsed(&format!("* FROM {table}")).replace('"', "")
}

#[test]
fn tables_become_arrays_of_rows() {
    assert_eq!(
        from("JSON_TABLE(j, 'lax $[*]' COLUMNS (n FOR ORDINALITY, a bigint)) AS t"),
        "* FROM UNNEST($cast(flatten(zip_with($json_items(j, 'lax $[*]', 'EMPTY'), \
         slice(sequence(1, cardinality($json_items(j, 'lax $[*]', 'EMPTY')) + 1), 1, cardinality($json_items(j, 'lax $[*]', 'EMPTY'))), \
         ($item1, $place1) -> make_array(ROW(CAST($place1 AS BIGINT), $json_value($item1, 'lax $.A', CAST(NULL AS BIGINT), 'NULL', NULL, 'NULL', NULL))))), \
         CAST(NULL AS ARRAY<STRUCT(n BIGINT, a BIGINT)>))) AS t"
    );
    assert_eq!(
        from(
            "json_table(j, 'lax $' AS a COLUMNS (NESTED 'lax $.b' AS b COLUMNS (x varchar(2) FORMAT JSON)) \
             PLAN (a INNER b) ERROR ON ERROR)"
        ),
        "* FROM UNNEST($cast(flatten(transform($json_items(j, 'lax $', 'ERROR'), $item1 -> \
         flatten(transform($json_items($item1, 'lax $.b', 'ERROR'), $item2 -> \
         make_array(ROW($json_query($item2, 'lax $.X', 'WITHOUT', 'KEEP', 'NULL', 'ERROR'))))))), \
         CAST(NULL AS ARRAY<STRUCT(x VARCHAR)>)))"
    );
    let outer = from("json_table(j, 'lax $' COLUMNS (NESTED 'lax $.b' COLUMNS (x date)))");
    let chosen = "$rows3 -> CASE WHEN cardinality($rows3) > 0 THEN $rows3 ELSE make_array(ROW(CAST(NULL AS DATE))) END";
    assert!(outer.contains(chosen), "{outer}");
    for wrong in [
        "json_table(j, 'lax $')",
        "json_table(j, 'lax $' COLUMNS (a bigint) PLAN DEFAULT (LEFT))",
        "json_table(j, 'lax $' AS a COLUMNS (x bigint) PLAN (b))",
        "json_table(j, 'lax $' AS a COLUMNS (NESTED 'lax $' AS b COLUMNS (x bigint)) PLAN (a))",
    ] {
        let sql = format!("SELECT * FROM {wrong}");
        assert!(crate::parse(&sql).is_err(), "{wrong}");
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
        "json_exists(j FORMAT JSON ENCODING UTF64, 'lax $')",
        "json_array(1 RETURNING varchar FORMAT JSON ENCODING UTF16)",
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
