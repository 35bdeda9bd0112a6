#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::array::{Array, StringArray};
use arrow::datatypes::{Field, Schema};

use super::*;

fn options(escape: Option<u8>, null_format: &str) -> LazySimpleOptions {
    LazySimpleOptions {
        delimiters: [b',', b'|', b':', 4, 5, 6, 7, 8],
        escape,
        null_format: null_format.to_owned(),
        last_takes_rest: false,
        timestamp_formats: Vec::new(),
    }
}

fn schema(data_type: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("a", data_type, true)]))
}

fn line(options: &LazySimpleOptions, value: &str) -> Result<String> {
    let array = StringArray::from(vec![value]);
    let mut writer = DelimitedWriter::new(options, &schema(DataType::Utf8), 0)?;
    let mut text = Vec::new();
    let columns = [Values::of(&array as &dyn Array)?];
    writer.row(&columns, 0, &mut text)?;
    Ok(String::from_utf8(text).unwrap())
}

#[test]
fn texts_are_escaped_where_they_must_be() {
    let escaped = options(Some(b'\\'), "\\N");
    for (value, written) in [
        ("plain|text", "plain|text\n"),
        ("a,b", "a\\,b\n"),
        ("a\\b", "a\\\\b\n"),
        ("a\nb\r", "a\\nb\\r\n"),
        ("\\N", "\\\\N\n"),
        ("", "\n"),
    ] {
        assert_eq!(line(&escaped, value).unwrap(), written);
    }
    assert_eq!(
        line(&options(Some(b'\\'), "nil"), "nil").unwrap(),
        "n\\il\n"
    );
    assert_eq!(line(&options(None, "\\N"), "a\\b|c").unwrap(), "a\\b|c\n");
}

#[test]
fn what_would_be_read_as_another_value_is_refused() {
    for (options, value, part) in [
        (options(None, "\\N"), "a\nb", "a line break"),
        (options(None, "\\N"), "a\rb", "a line break"),
        (options(None, "\\N"), "a,b", "the delimiter ','"),
        (options(None, "\\N"), "\\N", "exactly '\\\\N'"),
        (options(None, ""), "", "exactly ''"),
        (options(Some(b'\\'), ""), "", "exactly ''"),
        (options(Some(b'\\'), "n"), "n", "exactly 'n'"),
    ] {
        let error = line(&options, value).unwrap_err();
        assert_eq!(error.code(), Code::DataException);
        assert!(
            error.message().starts_with("column \"a\" has a value"),
            "{error}"
        );
        assert!(error.message().contains(part), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn tables_whose_lines_would_be_read_otherwise_are_refused() {
    let text = schema(DataType::Utf8);
    let list = schema(DataType::new_list(DataType::Utf8, true));
    let twice = LazySimpleOptions {
        delimiters: [b',', b',', b':', 4, 5, 6, 7, 8],
        ..options(None, "\\N")
    };
    assert!(DelimitedWriter::new(&twice, &text, 0).is_ok());
    for (options, schema, header) in [
        (twice, &list, 0),
        (options(Some(b','), "\\N"), &text, 0),
        (options(Some(b'n'), "\\N"), &text, 0),
        (options(None, "a,b"), &text, 0),
        (options(Some(b'\\'), "\\"), &text, 0),
        (options(None, "\\N"), &text, 2),
    ] {
        let error = DelimitedWriter::new(&options, schema, header).unwrap_err();
        assert_eq!(error.code(), Code::NotSupported, "{error}");
    }
    let mut deep = DataType::Utf8;
    for depth in 1..9 {
        deep = DataType::new_list(deep, true);
        let made = DelimitedWriter::new(&options(None, "\\N"), &schema(deep.clone()), 0);
        assert_eq!(made.is_ok(), depth < 8, "{depth}");
    }
}
