#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! What clients send with COPY FROM, and what PostgreSQL 15.18 makes of it. Two things differ: `\.`
//! needs no line end after it, and line ends within quotes are counted from the first line on,
//! where PostgreSQL counts them from the second.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use lakegate_error::{Error, Result};
use lakegate_gateway::sql::ast::{CopyFrom, Statement};

use super::decoder::Decoder;
use super::options::{Direction, Options};
use crate::encode::Zone;

mod ignored;

fn copy(options: &str) -> Box<CopyFrom> {
    let sql = format!("COPY s.t FROM STDIN {options}");
    match lakegate_gateway::sql::parse(&sql)
        .unwrap()
        .remove(0)
        .statement
    {
        Statement::CopyFrom(copy) => copy,
        other => panic!("{other:?}"),
    }
}

fn decoder(options: &str, types: &[DataType]) -> Result<Decoder> {
    let copy = copy(options);
    let names = ["a", "b", "c", "d"];
    let fields = names.iter().zip(types);
    let fields = fields.map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let options = Options::of(copy.format, &copy.options, Direction::In)?;
    Decoder::new(&copy, options, &schema, Zone::UTC)
}

/// Reads data that arrives in pieces of a size. Values are separated by `|`, rows by `;`.
fn read(options: &str, types: &[DataType], data: &[u8], piece: usize) -> Result<String> {
    let mut decoder = decoder(options, types)?;
    let mut shown = String::new();
    let mut drain = |decoder: &mut Decoder| -> Result<()> {
        while let Some(batch) = decoder.next()? {
            let format = FormatOptions::new().with_null("NULL");
            for row in 0..batch.num_rows() {
                for column in batch.columns() {
                    let cells = ArrayFormatter::try_new(column.as_ref(), &format).unwrap();
                    write!(shown, "{}|", cells.value(row)).unwrap();
                }
                shown.push(';');
            }
        }
        Ok(())
    };
    for piece in data.chunks(piece) {
        decoder.push(piece);
        drain(&mut decoder)?;
    }
    decoder.end();
    drain(&mut decoder)?;
    Ok(shown)
}

const TWO: [DataType; 2] = [DataType::Int32, DataType::Utf8];

/// Reads rows of an integer and a text, and expects the same whatever the pieces are.
fn two(options: &str, data: &str) -> Result<String> {
    let whole = read(options, &TWO, data.as_bytes(), usize::MAX);
    for piece in 1..4 {
        let pieces = read(options, &TWO, data.as_bytes(), piece);
        let told = |read: &Result<String>| match read {
            Ok(rows) => rows.clone(),
            Err(error) => format!("{error} {:?}", error.context()),
        };
        assert_eq!(told(&pieces), told(&whole), "{data:?} in pieces of {piece}");
    }
    whole
}

/// The SQLSTATE, the message and the context of an error.
fn told(error: &Error) -> String {
    format!(
        "{}: {}; {}",
        error.code().sqlstate(),
        error,
        error.context().unwrap_or_default()
    )
}

#[test]
fn text_is_unescaped() {
    for (data, rows) in [
        ("1\tx\n2\ty\n", "1|x|;2|y|;"),
        ("1\tx\n2\ty", "1|x|;2|y|;"),
        ("1\tx\r\n2\ty\r\n", "1|x|;2|y|;"),
        ("1\tx\r2\ty\r", "1|x|;2|y|;"),
        ("\\N\t\\N\n1\t\n", "NULL|NULL|;1||;"),
        ("1\ta\\tb\\\\c\\nd\\;e\n", "1|a\tb\\c\nd;e|;"),
        ("1\t\\x41\\102\\q\\xg\n", "1|ABqxg|;"),
        ("1\tsplit\\\nline\n2\ty\n", "1|split\nline|;2|y|;"),
        ("1\tx\n\\.\nnot read", "1|x|;"),
        ("1\tx\n\\.", "1|x|;"),
        ("1\tback\\\n", "1|back\n|;"),
        (" 7 \tü\n", "7|ü|;"),
        ("", ""),
    ] {
        assert_eq!(two("", data).unwrap(), rows, "{data:?}");
    }
    assert_eq!(
        two("(DELIMITER '|', NULL 'nil')", "1|a\\|b\nnil|\\nil\n").unwrap(),
        "1|a|b|;NULL|\nil|;"
    );
    assert_eq!(two("(HEADER)", "a\tb\n1\tx\n").unwrap(), "1|x|;");
    assert_eq!(two("(HEADER match)", "a\tb\n1\tx\n").unwrap(), "1|x|;");
}

#[test]
fn csv_has_quotes_and_no_escapes_outside_of_them() {
    for (data, rows) in [
        ("1,x\n2,\"y\"\n", "1|x|;2|y|;"),
        ("1,\"a,\"\"b\"\"\nc\"\r\n2,y\r\n", "1|a,\"b\"\nc|;2|y|;"),
        ("1,\n2,\"\"\n,z\n", "1|NULL|;2||;NULL|z|;"),
        ("1,a\"b,c\"d\n", "1|ab,cd|;"),
        ("1,a\\nb\n\\.\n2,x\n", "1|a\\nb|;"),
        ("1,\\.\n2,x\n", "1|\\.|;2|x|;"),
        ("1,\"\n\\.\n\"\n2,x\n", "1|\n\\.\n|;2|x|;"),
    ] {
        assert_eq!(two("(FORMAT csv)", data).unwrap(), rows, "{data:?}");
    }
    assert_eq!(
        two(
            "(FORMAT csv, QUOTE '''', ESCAPE '\\')",
            "1,'it\\'s \\\\ a\\b'\n"
        )
        .unwrap(),
        "1|it's \\ a\\b|;"
    );
    assert_eq!(
        two("(FORMAT csv, FORCE_NOT_NULL (b))", "1,\n2,\"\"\n").unwrap(),
        "1||;2||;"
    );
    assert_eq!(
        two("(FORMAT csv, FORCE_NULL (b), NULL 'x')", "1,\"x\"\n2,\n").unwrap(),
        "1|NULL|;2||;"
    );
}

#[test]
fn errors_name_line_and_column_in_postgres_words() {
    for (options, data, error) in [
        (
            "",
            "1\tx\n2\ty\nx\tz\n",
            "22P02: invalid input syntax for type integer: \"x\"; COPY t, line 3, column a: \"x\"",
        ),
        (
            "",
            "1\tx\n99999999999\ty\n",
            "22003: value \"99999999999\" is out of range for type integer; COPY t, line 2, column a: \"99999999999\"",
        ),
        (
            "",
            "1\tx\ty\n",
            "22P04: extra data after last expected column; COPY t, line 1: \"1\tx\ty\"",
        ),
        (
            "",
            "1\n",
            "22P04: missing data for column \"b\"; COPY t, line 1: \"1\"",
        ),
        (
            "",
            "1\tx\n2\ty\r\n",
            "22P04: literal carriage return found in data; COPY t, line 2",
        ),
        (
            "",
            "1\tx\r\n2\ty\n",
            "22P04: literal newline found in data; COPY t, line 2",
        ),
        (
            "",
            "1\t\\.x\n",
            "22P04: end-of-copy marker corrupt; COPY t, line 1",
        ),
        (
            "(FORMAT csv)",
            "1,\"a\nb\"\nx,c\n",
            "22P02: invalid input syntax for type integer: \"x\"; COPY t, line 3, column a: \"x\"",
        ),
        (
            "(FORMAT csv)",
            "1,\"a\n",
            "22P04: unterminated CSV quoted field; COPY t, line 2: \"1,\"a\n\"",
        ),
        (
            "(FORMAT csv, HEADER match)",
            "a,x\n",
            "22P04: column name mismatch in header line field 2: got \"x\", expected \"b\"; COPY t, line 1: \"a,x\"",
        ),
        (
            "(FORMAT csv, HEADER match)",
            "a\n",
            "22P04: wrong number of fields in header line: got 1, expected 2; COPY t, line 1: \"a\"",
        ),
        (
            "(FORMAT csv, HEADER match)",
            "a,b,c,d\n",
            "22P04: wrong number of fields in header line: got 4, expected 2; COPY t, line 1: \"a,b,c,d\"",
        ),
        (
            "(FORMAT csv)",
            "1,x\n2,y,\"z\",\n",
            "22P04: extra data after last expected column; COPY t, line 2: \"2,y,\"z\",\"",
        ),
    ] {
        assert_eq!(told(&two(options, data).unwrap_err()), error, "{data:?}");
    }
    let long = "x".repeat(150);
    let error = two("", &format!("{long}\ty\n")).unwrap_err();
    let context = format!("COPY t, line 1, column a: \"{}...\"", "x".repeat(100));
    assert_eq!(error.context(), Some(context.as_str()));
    let error = read("", &TWO, b"1\t\xff\n", 9).unwrap_err();
    assert!(error.message().contains("0xff"), "{error}");
}

#[test]
fn options_are_checked_as_in_postgres() {
    for (options, error) in [
        (
            "(DELIMITER 'ab')",
            "0A000: COPY delimiter must be a single one-byte character; ",
        ),
        (
            "(DELIMITER E'\\n')",
            "22023: COPY delimiter cannot be newline or carriage return; ",
        ),
        ("(DELIMITER 'a')", "22023: COPY delimiter cannot be \"a\"; "),
        (
            "(QUOTE 'x')",
            "0A000: COPY quote available only in CSV mode; ",
        ),
        (
            "(FORMAT binary, DELIMITER ',')",
            "42601: cannot specify DELIMITER in BINARY mode; ",
        ),
        (
            "(FORMAT binary, HEADER)",
            "0A000: cannot specify HEADER in BINARY mode; ",
        ),
        (
            "(FORMAT csv, FORCE_QUOTE *)",
            "0A000: COPY force quote only available using COPY TO; ",
        ),
        (
            "(FORCE_NULL (a))",
            "0A000: COPY force null available only in CSV mode; ",
        ),
        (
            "(FORMAT csv, FORCE_NULL (zz))",
            "42703: column \"zz\" of relation \"t\" does not exist; ",
        ),
        (
            "(FORMAT csv, FORCE_NULL (a, a))",
            "42701: column \"a\" specified more than once; ",
        ),
        (
            "(NULL E'x\\ty')",
            "0A000: COPY delimiter must not appear in the NULL specification; ",
        ),
        (
            "(FORMAT csv, NULL '\"')",
            "0A000: CSV quote character must not appear in the NULL specification; ",
        ),
    ] {
        assert_eq!(told(&decoder(options, &TWO).unwrap_err()), error);
    }
}

// Expected messages: PostgreSQL 15, and the source of PostgreSQL 16 for DEFAULT.
#[test]
fn markers_of_defaults_are_refused_where_they_are_found() {
    let options = "(DEFAULT '\\D')";
    assert_eq!(two(options, "1\tx\n2\tD\n").unwrap(), "1|x|;2|D|;");
    let error = two(options, "1\tx\n2\t\\D\n").unwrap_err();
    assert_eq!(
        told(&error),
        "22P04: unexpected default marker in COPY data; COPY t, line 2: \"2\t\\D\""
    );
    assert_eq!(error.detail(), Some("Column \"b\" has no default value."));
    let csv = "(FORMAT csv, DEFAULT '#')";
    assert_eq!(two(csv, "1,\"#\"\n").unwrap(), "1|#|;");
    assert!(two(csv, "#,x\n").is_err());
}

#[test]
fn data_has_the_encoding_of_the_option() {
    let latin1 = "(ENCODING 'latin1')";
    assert_eq!(read(latin1, &TWO, b"1\t\xe9\n", 1).unwrap(), "1|é|;");
    let sjis = "(FORMAT csv, ENCODING 'sjis')";
    // The second byte of the character is a backslash.
    for piece in [1, 2, 100] {
        let rows = read(sjis, &TWO, b"1,\x95\x5c\n2,\"\xb1\"", piece);
        assert_eq!(rows.unwrap(), "1|表|;2|ｱ|;");
    }
    for (options, data, message) in [
        (
            "(ENCODING 'win1252')",
            &b"1\tx\n2\t\x81\n"[..],
            "22P05: character with byte sequence 0x81 in encoding \"WIN1252\" has no equivalent in encoding \"UTF8\"; COPY t, line 2",
        ),
        (
            "(ENCODING 'euc_jp')",
            b"1\t\xa4",
            "22021: invalid byte sequence for encoding \"EUC_JP\": 0xa4; COPY t, line 1",
        ),
    ] {
        for piece in [1, 3, 100] {
            let error = read(options, &TWO, data, piece).unwrap_err();
            assert_eq!(told(&error), message);
        }
    }
    assert_eq!(
        two("(ENCODING 'ebcdic')", "").unwrap_err().message(),
        "argument to option \"encoding\" must be a valid encoding name"
    );
}

#[test]
fn every_type_has_its_text() {
    for (data_type, text, value) in [
        (DataType::Boolean, "t", "true"),
        (DataType::Int8, "-128", "-128"),
        (DataType::Int16, "+5", "5"),
        (
            DataType::Int64,
            "9223372036854775807",
            "9223372036854775807",
        ),
        (DataType::Float32, "1.5", "1.5"),
        (DataType::Float64, "-Infinity", "-inf"),
        (DataType::Decimal128(5, 2), "1.005", "1.01"),
        (DataType::Decimal128(5, 2), "-999.994", "-999.99"),
        (DataType::Decimal128(5, 2), "1e2", "100.00"),
        (DataType::Decimal128(5, 2), "0.0001", "0.00"),
        (DataType::Binary, "\\\\x00ff", "00ff"),
        (DataType::Date32, "2024-02-29", "2024-02-29"),
        (
            DataType::Timestamp(TimeUnit::Microsecond, None),
            "2024-02-29 12:00:00.5",
            "2024-02-29T12:00:00.500",
        ),
        (
            DataType::new_list(DataType::Int32, true),
            "{1,NULL,3}",
            "[1, NULL, 3]",
        ),
        (
            DataType::new_list(DataType::Utf8, true),
            "{\"a,b\",c}",
            "[a,b, c]",
        ),
    ] {
        let rows = read("", &[data_type], format!("{text}\n\\N\n").as_bytes(), 3).unwrap();
        assert_eq!(rows, format!("{value}|;NULL|;"), "{text}");
    }
    for (data_type, text, code) in [
        (DataType::Int8, "128", "22003"),
        (DataType::Boolean, "maybe", "22P02"),
        (DataType::Decimal128(5, 2), "999.995", "22003"),
        (DataType::Decimal128(5, 2), "1000", "22003"),
        (DataType::Int64, "9223372036854775808", "22003"),
        (DataType::Date32, "yesterdayish", "22007"),
        (DataType::Date32, "2023-02-29", "22008"),
        (DataType::new_list(DataType::Int32, true), "{1,x}", "22P02"),
        (DataType::new_list(DataType::Int32, true), "1", "22P02"),
    ] {
        let error = read("", &[data_type], format!("{text}\n").as_bytes(), 3).unwrap_err();
        assert_eq!(error.code().sqlstate(), code, "{text}: {error}");
    }
    let nested = DataType::new_list(DataType::new_list(DataType::Int32, true), true);
    assert!(decoder("", &[nested]).is_err());
}

/// A row of an integer and a text in binary format.
fn tuple(out: &mut BytesMut, number: i32, text: Option<&str>) {
    out.put_i16(2);
    out.put_i32(4);
    out.put_i32(number);
    match text {
        Some(text) => {
            out.put_i32(text.len() as i32);
            out.put_slice(text.as_bytes());
        }
        None => out.put_i32(-1),
    }
}

fn binary() -> BytesMut {
    let mut out = BytesMut::new();
    out.put_slice(super::BINARY_HEAD);
    tuple(&mut out, 1, Some("x"));
    tuple(&mut out, -2, None);
    out
}

#[test]
fn binary_rows_come_in_pieces() {
    let mut data = binary();
    for _ in 0..2 {
        for piece in [1, 2, 7, 1000] {
            let rows = read("(FORMAT binary)", &TWO, &data, piece).unwrap();
            assert_eq!(rows, "1|x|;-2|NULL|;");
        }
        // The trailer may be missing.
        data.put_i16(-1);
    }
    let mut extended = BytesMut::new();
    extended.put_slice(&super::BINARY_HEAD[..15]);
    extended.put_i32(3);
    extended.put_slice(b"xyz");
    tuple(&mut extended, 5, Some(""));
    let rows = read("(FORMAT binary)", &TWO, &extended, 2).unwrap();
    assert_eq!(rows, "5||;");
}

#[test]
fn malformed_binary_is_refused() {
    let refused = |data: &[u8]| told(&read("(FORMAT binary)", &TWO, data, 5).unwrap_err());
    let not_known = "22P04: COPY file signature not recognized; ";
    assert_eq!(refused(b""), not_known);
    assert_eq!(refused(b"1\tx\n"), not_known);
    let good = binary();
    assert_eq!(
        refused(&good[..good.len() - 1]),
        "22P04: unexpected EOF in COPY data; COPY t, line 2"
    );
    let mut narrow = BytesMut::from(super::BINARY_HEAD);
    narrow.put_i16(1);
    assert_eq!(
        refused(&narrow),
        "22P04: row field count is 1, expected 2; COPY t, line 1"
    );
    let mut wrong = BytesMut::from(super::BINARY_HEAD);
    wrong.put_slice(&[0, 2, 0, 0, 0, 1, 7, 0xff, 0xff, 0xff, 0xff]);
    assert!(refused(&wrong).ends_with("COPY t, line 1, column a"));
    // A length that is only claimed.
    let mut huge = BytesMut::from(super::BINARY_HEAD);
    huge.put_slice(&[0, 2, 0x7f, 0xff, 0xff, 0xff]);
    assert!(refused(&huge).contains("too long"));
    let mut after = binary();
    after.put_i16(-1);
    after.put_u8(1);
    assert!(refused(&after).contains("received copy data after EOF marker"));
}

#[test]
fn batches_are_bounded() {
    let mut decoder = decoder("", &TWO).unwrap();
    let mut sizes = Vec::new();
    for _ in 0..10 {
        decoder.push("1\tx\n".repeat(3_000).as_bytes());
        while let Some(batch) = decoder.next().unwrap() {
            sizes.push(batch.num_rows());
        }
    }
    decoder.end();
    while let Some(batch) = decoder.next().unwrap() {
        sizes.push(batch.num_rows());
    }
    assert_eq!(sizes, [8192, 8192, 8192, 5424]);
    decoder = self::decoder("", &TWO).unwrap();
    decoder.push(format!("1\t{}\n", "x".repeat(3 << 20)).repeat(3).as_bytes());
    assert_eq!(decoder.next().unwrap().unwrap().num_rows(), 2);
}
