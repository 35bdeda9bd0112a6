#![allow(clippy::unwrap_used, clippy::panic)]
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use ion_rs::{Element, IonType, Sequence, v1_0};
use object_store::ObjectStoreExt;

use super::fuzzing::{COLUMNS, read, schema};
use super::options::{CLASS, IonFormat};
use super::writer;
use crate::format::{Codec, FileWriter, NewFile, TableFormat};
use crate::testing::lake;

fn format(properties: &[(&str, &str)]) -> IonFormat {
    match TableFormat::of_serde(CLASS, properties).unwrap() {
        TableFormat::Ion(format) => format,
        other => panic!("{other:?}"),
    }
}

fn read_text(
    text: &str,
    properties: &[(&str, &str)],
    schema: &SchemaRef,
) -> Result<RecordBatch, String> {
    read(text.as_bytes(), &format(properties), schema, 1000)
}

/// The cells of the rows, as the engine shows them.
fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default();
    let columns = batch.columns().iter();
    let columns: Vec<ArrayFormatter<'_>> = columns
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let row = |row: usize| {
        let cells = columns.iter().map(|column| column.value(row).to_string());
        cells.collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

const ALL: &str = r#"
    { a: 1, b: "text", c: 1.5e0, d: 12.345, e: 2024-05-06, f: 2024-05-06T07:08:09.123456+01:00, g: true,
      h: [1, null, 3], i: { x: 1.5, y: 2 }, j: { x: 7, y: [{ z: "deep" }, {}] }, k: {{ aGk= }}, l: -5, m: 0.5e0 }
    { A: 2, B: symbol, c: 3, d: 4, unknown: [[[{}]]], h: (1 2), m: 1.25 }
    { a: null.int, b: null, j: null.struct, h: null.list }
    null
    {}
"#;

#[test]
fn values_of_all_types_are_read_from_text_and_binary() {
    let schema = schema(&COLUMNS);
    let text = read_text(ALL, &[], &schema).unwrap();
    let rows = cells(&text);
    assert_eq!(
        rows[0],
        [
            "1",
            "text",
            "1.5",
            "12.35",
            "2024-05-06",
            "2024-05-06T06:08:09.123456",
            "true",
            "[1, , 3]",
            "{x: 1.5, y: 2.0}",
            "{x: 7, y: [{z: deep}, {z: }]}",
            "6869",
            "-5",
            "0.5",
        ]
    );
    assert_eq!(rows[1][..4], ["2", "symbol", "3.0", "4.00"]);
    assert_eq!(
        (rows[1][7].as_str(), rows[1][12].as_str()),
        ("[1, 2]", "1.25")
    );
    for row in &rows[2..] {
        assert!(row.iter().all(String::is_empty), "{row:?}");
    }
    assert_eq!(rows.len(), 5);
    // What the crate writes of the same values is read alike.
    let elements: Sequence = Element::read_all(ALL).unwrap();
    let binary = elements.encode_as(v1_0::Binary).unwrap();
    for size in [1, 7, 10_000] {
        let read = read(&binary, &format(&[]), &schema, size).unwrap();
        assert_eq!(read, text, "{size}");
    }
    let again = elements.encode_as(v1_0::Text).unwrap();
    assert_eq!(read_text(&again, &[], &schema).unwrap(), text);
}

#[test]
fn what_does_not_fit_is_an_error_or_null() {
    let columns = [
        ("a", "tinyint"),
        ("b", "string"),
        ("c", "array<int>"),
        ("d", "decimal(3,1)"),
    ];
    let schema = schema(&columns);
    for (text, part) in [
        ("{a:128}", "column 'a': '128' is out of the range of"),
        ("{a:1.5}", "column 'a': '15e-1' is not a valid"),
        ("{a:\"1\"}", "column 'a': '1' is not a valid"),
        ("{b:1}", "column 'b'"),
        ("{c:{}}", "column 'c'"),
        ("{c:[x]}", "column 'c'"),
        ("{d:100}", "column 'd'"),
        ("{d:1e0}", "column 'd'"),
        ("[1]", "a row is a struct"),
        ("17", "a row is a struct"),
        ("{a:1} {", "cut short"),
    ] {
        let error = read_text(text, &[], &schema).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
    let malformed = [("ion.ignore_malformed", "true")];
    let text = "{a:128,b:\"kept\"} {b:1,c:[1,x,3]} 17 {d:1e0}";
    let rows = cells(&read_text(text, &malformed, &schema).unwrap());
    assert_eq!(rows[0], ["", "kept", "", ""]);
    assert_eq!(rows[1], ["", "", "[1, , 3]", ""]);
    assert_eq!(
        (rows[2].join(""), rows[3].join("")),
        (String::new(), String::new())
    );
    // Syntax is never ignored: what follows it could be anything.
    assert!(read_text("{a:1} {b:}", &malformed, &schema).is_err());
}

#[test]
fn numbers_out_of_range_are_cut_where_that_is_no_error() {
    let schema = schema(&[("a", "tinyint"), ("b", "bigint"), ("d", "decimal(3,1)")]);
    let wraps = [("ion.fail_on_overflow", "false")];
    let text = "{a:128,b:18446744073709551615,d:100}";
    let rows = cells(&read_text(text, &wraps, &schema).unwrap());
    assert_eq!(rows[0], ["-128", "-1", ""]);
    let of_column = [wraps[0], ("ion.a.fail_on_overflow", "true")];
    assert!(read_text(text, &of_column, &schema).is_err());
}

#[test]
fn names_and_paths_say_which_values_are_columns() {
    let schema = schema(&[
        ("id", "int"),
        ("first", "string"),
        ("names", "string"),
        ("whole", "struct<x:int>"),
    ]);
    let text = "{Id:1, x:5, user:{names:[\"a\",\"b\"], name:{first:\"c\"}}}";
    let paths = [
        ("ion.first.path_extractor", "(user names 0)"),
        ("ion.names.path_extractor", "(user * *)"),
        ("ion.whole.path_extractor", "()"),
    ];
    // Of several values that a path has the last counts.
    let rows = cells(&read_text(text, &paths, &schema).unwrap());
    assert_eq!(rows[0], ["1", "a", "c", "{x: 5}"]);
    let sensitive = [("ion.path_extractor.case_sensitive", "true")];
    let rows = cells(&read_text(text, &sensitive, &schema).unwrap());
    assert_eq!(rows[0], ["", "", "", ""]);
    // Of a field that is there twice, too.
    let rows = cells(&read_text("{id:1,ID:2}", &[], &schema).unwrap());
    assert_eq!(rows[0][0], "2");
}

#[test]
fn keys_of_maps_are_there_once() {
    let schema = schema(&[("m", "map<string,int>")]);
    let rows = cells(&read_text("{m:{b:1,a:2,b:3}}", &[], &schema).unwrap());
    assert_eq!(rows[0], ["{a: 2, b: 3}"]);
}

#[test]
fn short_symbols_do_not_make_long_texts() {
    let long = "x".repeat(1 << 19);
    let row = |row: String| format!("$ion_symbol_table::{{symbols:[\"{long}\"]}} {row}");
    let schema = schema(&[("a", "array<string>"), ("b", "map<string,string>")]);
    let many = "$10,".repeat(100);
    let pairs: String = (0..100).map(|key| format!("k{key}:$10,")).collect();
    for text in [
        row(format!("{{a:[{many}]}}")),
        row(format!("{{b:{{{pairs}}}}}")),
    ] {
        let error = read_text(&text, &[], &schema).unwrap_err();
        assert!(error.contains("too long texts"), "{error}");
    }
    let few = read_text(&row("{a:[$10,$10]}".to_owned()), &[], &schema).unwrap();
    assert_eq!(few.num_rows(), 1);
}

#[test]
fn a_short_value_does_not_make_many() {
    let fields: Vec<String> = (0..20).map(|field| format!("f{field}:int")).collect();
    let column = format!("array<struct<{}>>", fields.join(","));
    let schema = schema(&[("a", column.as_str())]);
    let structs = |count: usize| format!("{{a:[{}]}}", "{},".repeat(count));
    assert!(read_text(&structs(100_000), &[], &schema).is_ok());
    let error = read_text(&structs(300_000), &[], &schema).unwrap_err();
    assert!(error.contains("column 'a': more than"), "{error}");
}

#[tokio::test]
async fn rows_are_read_back_as_they_were_written() {
    let schema = schema(&COLUMNS);
    let batch = read_text(ALL, &[], &schema).unwrap();
    let longest = "{e:9999-12-31,f:0001-01-01T00:00:00.000001Z,c:nan,m:-inf,d:-99999999.99,b:\"é\\0\",i:{'a b':1.5,\"\":null}}";
    let extreme = read_text(longest, &[], &schema).unwrap();
    let batch = concat_batches(&schema, [&batch, &extreme]).unwrap();
    for properties in [
        vec![],
        vec![("ion.encoding", "TEXT")],
        vec![("ion.serialize_null", "TYPED")],
        vec![("ion.encoding", "TEXT"), ("ion.serialize_null", "UNTYPED")],
        KINDS.to_vec(),
        [&KINDS[..], &[("ion.encoding", "TEXT")]].concat(),
    ] {
        let (store, roots) = lake();
        let folder = roots.locate("s3://lake/t/").unwrap();
        let new = NewFile {
            folder: &folder,
            name: "f.ion",
            schema: batch.schema(),
            declared: &[],
            codec: Codec::Uncompressed,
            sorted_by: &[],
        };
        let format = format(&properties);
        let mut file = writer::create(&format, &new).unwrap();
        file.write(&batch).await.unwrap();
        file.write(&batch).await.unwrap();
        Box::new(file).close().await.unwrap();
        let written = store.get(&"t/f.ion".into()).await.unwrap();
        let written = written.bytes().await.unwrap();
        let found = read(&written, &format, &schema, 100).unwrap();
        let expected = concat_batches(&schema, [&batch, &batch]).unwrap();
        assert_eq!(cells(&found), cells(&expected), "{properties:?}");
        // Another reader agrees on how many there are.
        let elements = Element::read_all(&written).unwrap();
        assert_eq!(elements.len(), expected.num_rows());
    }
}

const KINDS: [(&str, &str); 4] = [
    ("ion.b.serialize_as", "symbol"),
    ("ion.h.serialize_as", "sexp"),
    ("ion.k.serialize_as", "clob"),
    ("ion.serialize_null", "TYPED"),
];

#[tokio::test]
async fn columns_are_written_as_the_types_that_are_asked_for() {
    let schema = schema(&[
        ("b", "string"),
        ("h", "array<string>"),
        ("k", "binary"),
        ("d", "decimal(10,2)"),
    ]);
    let rows = "{b: \"x y\", h: [\"z\"], k: {{ aGk= }}, d: 7.00} {}";
    let batch = read_text(rows, &[], &schema).unwrap();
    let fraction = read_text("{d: 7.25}", &[], &schema).unwrap();
    let (store, roots) = lake();
    let folder = roots.locate("s3://lake/t/").unwrap();
    let new = NewFile {
        folder: &folder,
        name: "f.ion",
        schema: batch.schema(),
        declared: &[],
        codec: Codec::Uncompressed,
        sorted_by: &[],
    };
    let properties = [&KINDS[..], &[("ion.d.serialize_as", "int")]].concat();
    let format_of_all = format(&properties);
    let mut file = writer::create(&format_of_all, &new).unwrap();
    file.write(&batch).await.unwrap();
    let refused = file.write(&fraction).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("\"d\" has a number with a fraction")
    );
    Box::new(file).close().await.unwrap();
    let written = store.get(&"t/f.ion".into()).await.unwrap();
    let written = written.bytes().await.unwrap();
    let elements = Element::read_all(&written).unwrap();
    let types = |row: usize| {
        let row = elements.get(row).unwrap().as_struct().unwrap();
        ["b", "h", "k", "d"].map(|name| row.get(name).unwrap().ion_type())
    };
    let expected = [IonType::Symbol, IonType::SExp, IonType::Clob, IonType::Int];
    assert_eq!((types(0), types(1)), (expected, expected));
    let first = elements.get(0).unwrap().as_struct().unwrap();
    let items = first.get("h").unwrap().as_sequence().unwrap();
    assert_eq!(items.get(0).unwrap().ion_type(), IonType::String);

    for (column, kind) in [
        ("b", "clob"),
        ("h", "symbol"),
        ("d", "float"),
        ("k", "string"),
    ] {
        let key = format!("ion.{column}.serialize_as");
        let format = format(&[(key.as_str(), kind)]);
        let error = writer::create(&format, &new).unwrap_err();
        assert!(error.to_string().contains(&key), "{error}");
    }
}

#[tokio::test]
async fn what_ion_does_not_have_is_not_written() {
    let offset = [("ion.timestamp.serialization_offset", "+01:00")];
    let schema = schema(&[("f", "timestamp")]);
    let last = read_text("{f:9999-12-31T23:30:00Z}", &[], &schema).unwrap();
    let cases: [(&[(&str, &str)], bool); 2] = [(&[], true), (&offset, false)];
    for (properties, is_written) in cases {
        let (_, roots) = lake();
        let folder = roots.locate("s3://lake/t/").unwrap();
        let new = NewFile {
            folder: &folder,
            name: "f.ion",
            schema: last.schema(),
            declared: &[],
            codec: Codec::Uncompressed,
            sorted_by: &[],
        };
        let mut file = writer::create(&format(properties), &new).unwrap();
        assert_eq!(
            file.write(&last).await.is_ok(),
            is_written,
            "{properties:?}"
        );
    }
}
